"""The codes on a note: how long, of which characters, and what a keyboard may make of them."""

from __future__ import annotations

from random import Random

import pytest

from screening.core.form_number import ALPHABET
from screening.core.reply_code import (
    CODE_LENGTH,
    TOKEN_LENGTH,
    in_groups,
    is_token,
    new_code,
    new_token,
    typed,
)


class Ones(Random):
    """A source whose bits are all one."""

    def getrandbits(self, bits: int) -> int:
        return 2**bits - 1


def test_a_token_holds_all_of_its_128_bits_and_a_code_ten_characters():
    assert new_token(Ones()) == "7" + "Z" * 25  # 3 bits and 25 times 5
    made = {new_token(Random(seed)) for seed in range(500)}
    assert len(made) == 500
    assert all(is_token(token) and len(token) == TOKEN_LENGTH for token in made)
    code = new_code(Random(1))
    assert len(code) == CODE_LENGTH
    assert set(code) <= set(ALPHABET)


@pytest.mark.parametrize("text", ["7kq2m-9xr4t", " 7KQ2M 9XR4T ", "7KQ2M－9XR4T", "7KQ2M9XR4T"])
def test_a_code_is_read_as_it_was_printed(text):
    assert in_groups("7KQ2M9XR4T", 5) == "7KQ2M-9XR4T"
    assert typed(text) == "7KQ2M9XR4T"


@pytest.mark.parametrize("text", ["", "7KQ2M", "U" * 26, "0" * 27, "../../etc", "〇" * 26])
def test_what_has_not_the_shape_of_a_token_is_not_looked_for(text):
    assert not is_token(typed(text))


def test_look_alikes_are_read_as_what_they_look_like():
    assert typed("oil0") == "0110"
    assert len(typed("A" * 5000)) == 64
