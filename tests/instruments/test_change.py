"""Reliable change and what stands beside a score: figures by hand, and every reason not to compare."""

from __future__ import annotations

from dataclasses import replace
from datetime import date

import pytest

from instruments import catalogue
from instruments.change import (
    Direction,
    NoChange,
    Sheet,
    Spread,
    best_reliability,
    gap_warning,
    reliable_change,
)
from instruments.definition import Certainty, NormRow, ReliabilityKind, Sex
from instruments.norms import beside, without_table

ISI = catalogue().get("isi")
LOCAL = Spread(sd=5.0, n=400, source="sheets of this campaign")
SEPTEMBER, DECEMBER = date(2026, 9, 10), date(2026, 12, 10)


def sheet(value: float | None, on: date = SEPTEMBER, **other: str) -> Sheet:
    given = {"code": "isi", "layout": "standard", "informant": "self", **other}
    return Sheet(value=value, on=on, **given)


def test_the_index_is_the_difference_in_standard_errors() -> None:
    """Retest .79 and SD 5: √(2 × .21) × 5 = 3.2404; a fall of seven is 2.16 errors, and 6.35 is the least."""
    change = reliable_change(ISI, sheet(18), sheet(11, DECEMBER), spread=LOCAL)
    assert change.difference == -7
    assert change.index == pytest.approx(-2.1602, abs=1e-4)
    assert change.least == pytest.approx(6.3511, abs=1e-4)
    assert change.direction is Direction.BETTER
    assert change.reliability is not None
    assert (change.reliability.kind, change.reliability.value) == (ReliabilityKind.RETEST, 0.79)
    assert "Sleep Med" in change.reliability.ref
    assert change.spread == LOCAL
    assert (change.gap, change.why_not) == (None, None)


def test_a_small_difference_is_unclear_and_a_rise_of_symptoms_is_worse() -> None:
    small = reliable_change(ISI, sheet(18), sheet(12, DECEMBER), spread=LOCAL)
    assert (small.difference, small.direction) == (-6, Direction.UNCLEAR)
    assert reliable_change(ISI, sheet(4), sheet(20, DECEMBER), spread=LOCAL).direction is Direction.WORSE


def test_the_earlier_sheet_comes_first_however_they_are_handed_over() -> None:
    forth = reliable_change(ISI, sheet(18), sheet(11, DECEMBER), spread=LOCAL)
    assert reliable_change(ISI, sheet(11, DECEMBER), sheet(18), spread=LOCAL) == forth


def test_of_a_protective_score_a_rise_is_better() -> None:
    who5 = catalogue().get("who5")
    pair = (sheet(20, code="who5"), sheet(72, DECEMBER, code="who5"))
    assert reliable_change(who5, *pair, spread=Spread(20, 300, "here")).direction is Direction.BETTER


@pytest.mark.parametrize(
    ("other", "why"),
    [
        (sheet(11, DECEMBER, code="ais"), NoChange.OTHER_SHEET),
        (sheet(11, DECEMBER, layout="grouped"), NoChange.OTHER_LAYOUT),
        (sheet(11, DECEMBER, informant="parent"), NoChange.OTHER_INFORMANT),
        (sheet(None, DECEMBER), NoChange.NO_SCORE),
    ],
)
def test_what_is_not_alike_is_not_compared(other: Sheet, why: NoChange) -> None:
    change = reliable_change(ISI, sheet(18), other, spread=LOCAL)
    assert (change.why_not, change.index, change.direction) == (why, None, None)


def test_without_a_published_coefficient_or_a_spread_only_the_difference_is_said() -> None:
    k6 = catalogue().get("k6")
    change = reliable_change(k6, sheet(3, code="k6"), sheet(9, DECEMBER, code="k6"), spread=LOCAL)
    assert (change.difference, change.why_not) == (6, NoChange.NO_RELIABILITY)
    for spread in (None, Spread(5.0, 29, "too few"), Spread(0.0, 400, "all alike")):
        change = reliable_change(ISI, sheet(18), sheet(11, DECEMBER), spread=spread)
        assert (change.difference, change.why_not) == (-7, NoChange.NO_SPREAD)


def test_a_result_of_a_rule_has_no_difference() -> None:
    asq = catalogue().get("asq")
    change = reliable_change(asq, sheet(None, code="asq"), sheet(None, DECEMBER, code="asq"), spread=LOCAL)
    assert change.why_not is NoChange.NO_SCORE


def test_too_early_is_a_warning_with_its_reason_and_no_refusal() -> None:
    change = reliable_change(ISI, sheet(18), sheet(11, date(2026, 9, 20)), spread=LOCAL)
    assert change.gap is not None
    assert (change.gap.days, change.gap.least) == (10, 14)
    assert "recall window" in change.gap.basis
    assert change.direction is Direction.BETTER
    assert gap_warning(ISI, SEPTEMBER, date(2026, 9, 24)) is None


def test_retest_goes_before_alpha_the_lowest_counts_and_memory_never() -> None:
    dsrsc = catalogue().get("dsrsc")
    best = best_reliability(dsrsc, "total")
    assert best is not None
    assert (best.kind, best.value) == (ReliabilityKind.RETEST, 0.65)
    from_memory = replace(
        dsrsc, reliability=tuple(replace(each, certainty=Certainty.C) for each in dsrsc.reliability)
    )
    assert best_reliability(from_memory, "total") is None
    assert best_reliability(catalogue().get("phq9"), "total") is not None


def test_no_coefficient_of_the_library_is_outside_what_a_coefficient_can_be() -> None:
    for instrument in catalogue():
        for each in instrument.reliability:
            assert 0 < each.value < 1
            assert each.score in {score.id for score in instrument.scores}


# --- norms --------------------------------------------------------------------------------------------------


def test_the_line_of_a_study_stands_beside_the_score_with_its_sample() -> None:
    lines = beside(catalogue().get("sdq_s"), {"emotion": 5, "hyper": 5, "conduct": None, "total": 20})
    assert [(line.score, line.positive_above, line.positive) for line in lines] == [
        ("emotion", 4, True),
        ("hyper", 5, False),
    ]
    assert (lines[0].population, lines[0].n, lines[0].z) == ("Henan students 7-15", 1362, None)
    assert lines[0].ref


def test_a_norm_whose_table_was_not_read_is_named_and_says_nothing() -> None:
    scared = catalogue().get("scared")
    assert beside(scared, {"total": 40}) == ()
    assert [norm.n for norm in without_table(scared)] == [2019]


def test_a_line_for_one_sex_and_age_holds_only_where_both_are_known() -> None:
    sdq = catalogue().get("sdq_s")
    row = NormRow("total", Sex.FEMALE, 11, 13, 10.0, 4.0, None)
    table = replace(sdq, norms=(replace(sdq.norms[0], rows=(row,)),))
    (line,) = beside(table, {"total": 16}, sex=Sex.FEMALE, age=12)
    assert (line.z, line.positive) == (1.5, None)
    for sex, age in ((Sex.MALE, 12), (None, 12), (Sex.FEMALE, None), (Sex.FEMALE, 14), (Sex.FEMALE, 10)):
        assert beside(table, {"total": 16}, sex=sex, age=age) == ()
