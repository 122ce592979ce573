"""Reading answers: strict on a sheet, lenient for critical items on a row that may be refused."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from instruments import (
    AnswerErrors,
    AnswerSheet,
    Grade,
    UnknownLayout,
    catalogue,
    critical_items,
    in_layout,
    read_critical,
    score,
    worst_grade,
)

PHQ9 = catalogue().get("phq9")
PHQ_A = catalogue().get("phq_a")
ASQ = catalogue().get("asq")
MHT = catalogue().get("mht")


@pytest.mark.parametrize("cell", [2, 2.0, "2", " 2 ", "2.0", "２", "+2"])
def test_a_two_is_read_however_a_workbook_writes_it(cell: object) -> None:
    assert AnswerSheet.parse(PHQ9, {"1": cell}).values[0] == 2


@pytest.mark.parametrize("cell", [None, "", "  ", "\u3000"])
def test_an_empty_cell_is_a_missing_answer(cell: object) -> None:
    assert AnswerSheet.parse(PHQ9, {"1": cell}).is_blank


@pytest.mark.parametrize(
    ("cell", "reason"),
    [
        (7, "out_of_range"),
        (-1, "out_of_range"),
        (-128, "out_of_range"),
        (10**30, "out_of_range"),
        (1.5, "not_an_integer"),
        (float("nan"), "not_an_integer"),
        (float("inf"), "not_an_integer"),
        ("a", "not_an_integer"),
        ("1.5", "not_an_integer"),
        ("1 2", "not_an_integer"),
        ("9" * 5000, "not_an_integer"),
        (True, "not_an_integer"),
        ([1], "not_an_integer"),
    ],
)
def test_anything_else_is_refused_by_item_and_never_read_as_zero(cell: object, reason: str) -> None:
    with pytest.raises(AnswerErrors) as refused:
        AnswerSheet.parse(PHQ9, {"1": 0, "4": cell})
    (error,) = refused.value.errors
    assert (error.item, error.reason, error.allowed) == ("4", reason, (0, 1, 2, 3))


def test_all_bad_cells_are_named_at_once_and_no_answer_is_repeated() -> None:
    with pytest.raises(AnswerErrors) as refused:
        AnswerSheet.parse(PHQ9, {"1": 47, "9": "often", "11": 1})
    assert {(error.item, error.reason) for error in refused.value.errors} == {
        ("1", "out_of_range"),
        ("9", "not_an_integer"),
        ("11", "unknown_item"),
    }
    assert "47" not in str(refused.value)
    assert "often" not in str(refused.value)


def test_an_extra_item_has_its_own_answers() -> None:
    assert AnswerSheet.parse(PHQ_A, {"x2": 3, "x3": 1}).values[-3:] == (3, 1, None)
    with pytest.raises(AnswerErrors):
        AnswerSheet.parse(PHQ_A, {"x3": 2})


def test_an_unknown_layout_is_refused() -> None:
    assert AnswerSheet.parse(PHQ9, {}, layout="standard").layout == PHQ9.default_layout
    with pytest.raises(UnknownLayout):
        AnswerSheet.parse(PHQ9, {}, layout="grouped")


@given(st.lists(st.sampled_from([-1, 0, 1, None]), min_size=5, max_size=5))
def test_packing_keeps_every_answer_a_refusal_too(values: list[int | None]) -> None:
    sheet = AnswerSheet.parse(ASQ, dict(zip(ASQ.item_keys, values, strict=True)))
    assert len(sheet.packed()) == 5
    assert AnswerSheet.unpack(ASQ, sheet.packed(), sheet.layout) == sheet


@pytest.mark.parametrize(
    "data", [b"", bytes(9), bytes([9] * 10), bytes([127] + [0] * 9), bytes([255] + [0] * 9)]
)
def test_bytes_of_another_instrument_are_refused(data: bytes) -> None:
    with pytest.raises(ValueError, match="phq9"):
        AnswerSheet.unpack(PHQ9, data, "standard")


def grades(instrument_code: str, raw: dict[str, object]) -> dict[str, str]:
    found = read_critical(catalogue().get(instrument_code), raw)
    return {answer.item: f"{answer.grade} {answer.reason}" for answer in found}


ZEROS: dict[str, object] = dict.fromkeys(map(str, range(1, 10)), 0)


def test_item_9_of_a_staged_row_is_graded_as_on_a_sheet() -> None:
    assert grades("phq9", ZEROS) == {}
    assert grades("phq9", {**ZEROS, "9": "1"}) == {"9": "C answered"}
    assert grades("phq9", {**ZEROS, "9": 3.0}) == {"9": "B answered"}
    assert grades("phq9", {"9": 2}) == {"9": "B answered"}


@pytest.mark.parametrize("cell", [7, 9, -1, "refused", "拒答", "2?", 1.5, True])
def test_a_refused_value_in_a_critical_item_asks_for_a_talk(cell: object) -> None:
    assert grades("phq9", {**ZEROS, "9": cell}) == {"9": "C unreadable"}
    assert grades("phq9", {"9": cell}) == {"9": "C unreadable"}


def test_a_critical_item_left_blank_fires_only_where_the_table_says_so() -> None:
    assert grades("phq9", {**ZEROS, "9": None}) == {"9": "C blank"}
    assert grades("phq9", {"1": "?"}) == {"9": "C blank"}
    assert grades("phq_a", {**ZEROS, "x3": "", "x4": None}) == {}
    assert grades("mht", {"1": 1}) == {}
    assert grades("asq", {"1": 0}) == {}


@pytest.mark.parametrize("code", catalogue().codes)
def test_a_wholly_blank_row_is_no_sheet(code: str) -> None:
    instrument = catalogue().get(code)
    assert read_critical(instrument, {}) == ()
    assert read_critical(instrument, dict.fromkeys(instrument.item_keys, "  ")) == ()
    assert read_critical(instrument, {"id": "7", "学号": "20260001"}) == ()


def test_a_bad_cell_elsewhere_does_not_silence_a_critical_answer() -> None:
    assert grades("phq9", {**ZEROS, "1": 47, "2": "x", "9": 2}) == {"9": "B answered"}


def test_both_of_x3_and_x4_are_more_than_each() -> None:
    assert grades("phq_a", {**ZEROS, "x3": 1, "x4": 1}) == {"x3": "B answered", "x4": "B answered"}
    assert grades("phq_a", {**ZEROS, "x3": 1, "x4": "?"}) == {"x3": "C answered", "x4": "C unreadable"}
    assert grades("phq_a", {**ZEROS, "9": 1, "x4": 1}) == {"9": "C answered", "x4": "C answered"}


def test_a_refusal_that_the_instrument_knows_is_graded_by_its_table() -> None:
    assert grades("asq", {"1": -1, "2": 0, "3": 0, "4": 0}) == {"1": "B refused"}
    assert grades("asq", {"1": 0, "2": 0, "3": 0, "4": 9}) == {"4": "C unreadable"}
    assert grades("asq", {"1": 1, "5": 1}) == {"1": "B answered", "5": "A answered"}


def test_the_critical_items_are_listed_in_order() -> None:
    assert critical_items(PHQ_A) == ("9", "x3", "x4")
    assert critical_items(MHT) == ("85", "89", "97")
    assert critical_items(catalogue().get("gad7")) == ()


@given(st.dictionaries(st.sampled_from(PHQ_A.item_keys), st.sampled_from([0, 1]), min_size=1))
def test_staging_and_scoring_agree_on_a_readable_row(raw: dict[str, int]) -> None:
    cells: dict[str, object] = dict(raw)
    assert read_critical(PHQ_A, cells) == score(PHQ_A, AnswerSheet.parse(PHQ_A, cells)).critical


def test_the_worst_grade_is_the_most_urgent() -> None:
    assert worst_grade([Grade.R, Grade.B, Grade.C]) is Grade.B
    assert worst_grade([Grade.C, Grade.A]) is Grade.A
    assert worst_grade([]) is None


def test_a_view_of_another_order_follows_the_construct_and_leads_back() -> None:
    """Labels, scales and critical answers go with the construct; a view of a view is a view of the sheet itself."""
    usual = catalogue().get("psc17")
    grouped = in_layout(usual, "grouped")
    assert in_layout(usual, "grouped") is grouped
    assert in_layout(grouped, "standard") is usual
    assert in_layout(grouped, "grouped") is grouped
    assert (usual.item("6").en, grouped.item("2").en) == ("hopeless", "hopeless")
    assert critical_items(grouped) == ("2",)
    sheet = AnswerSheet.parse(grouped, {"2": 2})
    assert sheet.layout == "grouped"
    assert score(usual, sheet) == score(grouped, sheet)
    with pytest.raises(UnknownLayout):
        in_layout(grouped, "other")
