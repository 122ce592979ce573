"""Three SDQ sheets side by side, against the fact sheet's lines written out once more."""

from __future__ import annotations

from itertools import product

import pytest

from instruments import catalogue
from instruments.informants import SHEETS, Likelihood, hyperactivity, side_by_side

LIBRARY = {code: catalogue().get(code) for code in SHEETS.values()}
NONE = (None, None)


def by_the_letter(parent, self_, teacher):
    """The published statements one after the other, as a syntax would run them."""
    phk = shk = thk = pshk = sdqhk = None
    hyper, impact = parent
    if hyper is not None and impact is not None:
        phk = 0
        if hyper >= 6 and impact >= 1:
            phk = 1
        if hyper >= 7 and impact >= 2:
            phk = 2
        if hyper >= 9 and impact >= 1:
            phk = 2
    hyper, impact = self_
    if hyper is not None and impact is not None:
        shk = 0
        if hyper >= 6 and impact >= 1:
            shk = 1
        if hyper >= 7 and impact >= 2:
            shk = 2
    hyper, impact = teacher
    if hyper is not None and impact is not None:
        thk = 0
        if hyper >= 6 and impact >= 1:
            thk = 1
        if hyper >= 7 and impact >= 2:
            thk = 2
    pshk = phk if phk is not None else shk
    if not (phk is None and shk is None and thk is None):
        sdqhk = 0
        if pshk == 2 or thk == 2:
            sdqhk = 1
        if pshk == 1 and thk == 1:
            sdqhk = 1
        if pshk == 1 and thk is None:
            sdqhk = 1
        if pshk is None and thk == 1:
            sdqhk = 1
        if pshk == 2 and thk == 1:
            sdqhk = 2
        if pshk == 2 and thk == 2:
            sdqhk = 2
    return sdqhk


def test_every_combination_says_what_the_published_lines_say():
    told = [NONE, (8, None), *product((0, 5, 6, 7, 8, 9, 10), (0, 1, 2, 3))]
    for parent, self_, teacher in product(told, told, told):
        given = {"parent": parent, "self": self_, "teacher": teacher}
        sheets = {who: {"hyper": hyper, "impact": impact} for who, (hyper, impact) in given.items()}
        found = hyperactivity(sheets)
        assert (None if found is None else int(found)) == by_the_letter(parent, self_, teacher), given


def test_only_the_verified_branch_exists():
    import instruments.informants as module

    assert not [
        name for name in vars(module) if any(w in name.lower() for w in ("conduct", "emotion", "anydiag"))
    ]


def test_one_sheet_is_not_compared_with_itself():
    assert side_by_side(LIBRARY, {"self": {"total": 3}}) is None
    assert side_by_side(LIBRARY, {}) is None


@pytest.mark.parametrize(
    ("own", "parent", "apart"),
    [(5, 40, True), (5, 14, False), (5, 16, False), (None, 40, False), (40, 5, True)],
)
def test_a_difference_is_named_where_one_sees_nothing_and_another_the_most(own, parent, apart):
    found = side_by_side(LIBRARY, {"self": {"total": own}, "parent": {"total": parent}})
    assert found.informants == ("self", "parent")
    [total] = [line for line in found.lines if line.score == "total"]
    assert total.values == (own, parent)
    assert total.apart is apart
    assert found.hyperactivity is None


def test_all_scales_stand_side_by_side_with_their_bands():
    everything = {score.id: 0 for score in LIBRARY["sdq_s"].scores}
    found = side_by_side(LIBRARY, dict.fromkeys(SHEETS, everything))
    assert {line.score for line in found.lines} >= {
        "emotion",
        "conduct",
        "hyper",
        "peer",
        "prosocial",
        "total",
        "impact",
    }
    assert all(len(line.values) == 3 for line in found.lines)
    assert found.hyperactivity is Likelihood.UNLIKELY
