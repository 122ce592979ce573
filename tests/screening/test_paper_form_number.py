"""Form numbers survive handwriting and the telephone."""

from __future__ import annotations

from random import Random, SystemRandom

import pytest

from screening.core.form_number import ALPHABET, LENGTH, is_valid, new_form_number, normalise

NUMBERS = [new_form_number(Random(seed)) for seed in range(200)]


def test_a_form_number_has_nine_unambiguous_characters_and_is_valid():
    for number in [*NUMBERS, new_form_number(SystemRandom())]:
        assert len(number) == LENGTH == 9
        assert set(number) <= set(ALPHABET)
        assert is_valid(number)
    assert not set("ILOU") & set(ALPHABET)
    assert len(set(NUMBERS)) == len(NUMBERS)


def test_the_same_source_gives_the_same_number():
    assert new_form_number(Random(7)) == new_form_number(Random(7))


def test_every_single_wrong_character_is_noticed():
    for number in NUMBERS[:20]:
        for place in range(LENGTH):
            for other in set(ALPHABET) - {number[place]}:
                assert not is_valid(number[:place] + other + number[place + 1 :])


def test_nearly_every_swap_of_neighbours_is_noticed():
    swaps = [
        n[:i] + n[i + 1] + n[i] + n[i + 2 :] for n in NUMBERS for i in range(LENGTH - 1) if n[i] != n[i + 1]
    ]
    assert sum(map(is_valid, swaps)) <= len(swaps) * 0.01


@pytest.mark.parametrize("typed", ["{}", " {} ", "{}\u3000"])
def test_blanks_dashes_and_small_letters_do_not_matter(typed):
    number = NUMBERS[0]
    written = f"{number[:4]}-{number[4:8]} {number[8]}".lower()
    assert normalise(typed.format(written)) == number
    assert is_valid(typed.format(written))


def test_letters_that_look_like_digits_are_read_as_digits():
    assert normalise("oil") == "011"
    number = next(n for n in NUMBERS if "0" in n and "1" in n)
    assert is_valid(number.replace("0", "O").replace("1", "l"))


@pytest.mark.parametrize(
    "wrong", ["", "12345678", "U" * 9, "一二三四五六七八九", NUMBERS[0] + "0", "../../etc"]
)
def test_what_is_no_form_number_is_refused(wrong):
    assert not is_valid(wrong)
