"""GB 11643 numbers: all of them made up with the unassigned prefix 99."""

from __future__ import annotations

from datetime import date

import pytest
from hypothesis import given
from hypothesis import strategies as st

from screening.core import identity_number
from screening.core.identity_number import Doubt

SAFE = [
    ("990000201202290019", date(2012, 2, 29), "male"),
    ("990000201203010023", date(2012, 3, 1), "female"),
    ("990000201311050030", date(2013, 11, 5), "male"),
    ("990000201406151184", date(2014, 6, 15), "female"),
    ("99000020120901018X", date(2012, 9, 1), "female"),
]
WEIGHTS = (7, 9, 10, 5, 8, 4, 2, 1, 6, 3, 7, 9, 10, 5, 8, 4, 2)


@pytest.mark.parametrize(("number", "born", "sex"), SAFE)
def test_a_right_number_raises_no_doubt(number, born, sex):
    assert identity_number.doubts(number, birth_date=born, sex=sex) == ()
    facts = identity_number.read(number)
    assert (facts.birth_date, facts.sex, facts.check_ok, facts.of_hmt) == (born, sex, True, False)


@given(st.from_regex(r"99[0-9]{15}", fullmatch=True))
def test_the_check_character_is_that_of_the_standard(first):
    expected = "10X98765432"[sum(w * int(d) for w, d in zip(WEIGHTS, first, strict=True)) % 11]
    assert identity_number.check_character(first) == expected


@pytest.mark.parametrize(
    ("number", "doubt"),
    [
        ("990000201202290018", Doubt.CHECK_CHARACTER),
        ("990000201202300014", Doubt.NO_SUCH_DATE),
        ("990000201203010023", Doubt.OTHER_BIRTH_DATE),
        ("990000201203010023", Doubt.OTHER_SEX),
    ],
)
def test_each_doubt_is_named(number, doubt):
    assert doubt in identity_number.doubts(number, birth_date=date(2012, 2, 29), sex="male")


def test_what_is_not_known_is_not_compared():
    assert identity_number.doubts("990000201202290019", birth_date=None, sex=None) == ()


@pytest.mark.parametrize(
    "typed",
    [
        " 99000020120901018x ",
        "'99000020120901018X",
        "９９００００２０１２０９０１０１８Ｘ",
        "990000 20120901 018x",
        "\ufeff99000020120901018X",
    ],
)
def test_typing_habits_are_cleaned(typed):
    assert identity_number.normalise(typed) == "99000020120901018X"


@pytest.mark.parametrize("text", ["", "99000020120229001", "9900002012022900199", "99000020120229001Y"])
def test_what_has_another_shape_is_not_read(text):
    assert not identity_number.has_shape(text)
    with pytest.raises(ValueError, match="eighteen"):
        identity_number.read(text)


def test_residence_permits_of_the_special_regions_are_told_apart():
    first = "81000020120229001"
    assert identity_number.read(first + identity_number.check_character(first)).of_hmt
