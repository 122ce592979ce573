"""The engine against the plain scorers of ``reference``, on made-up sheets of every kind."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from instruments import (
    GRADES,
    MISSING,
    AnswerSheet,
    BatchScores,
    Instrument,
    ScoreDefinition,
    SheetConditions,
    catalogue,
    in_layout,
    score,
    score_batch,
)
from instruments.definition import ScoreKind, Sex
from instruments.engine import (
    INVALID,
    NO_BAND,
    NO_GRADE,
    NO_SCORE,
    NOT_SCORABLE,
    PRORATED,
    SCORED,
    People,
)
from instruments.plan import ScorePlan, plan_of
from tests.instruments import reference

CODES = catalogue().codes
FORMS = [(instrument.code, layout.id) for instrument in catalogue() for layout in instrument.layouts]


def sheets(instrument: Instrument, n: int, missing: float, seed: int) -> np.ndarray:
    """``n`` made-up sheets, item-major. Some lean to the low end, some to the high end, some are blank."""
    random = np.random.default_rng(seed)
    matrix = np.empty((len(instrument.items), n), dtype=np.int8)
    lean = random.beta(0.6, 0.6, n)
    for row, item in enumerate(instrument.items):
        values = np.array(item.values, dtype=np.int8)
        matrix[row] = values[
            np.minimum((random.random(n) * 0.5 + lean * 0.5) * len(values), len(values) - 1).astype(int)
        ]
        matrix[row, random.random(n) < missing] = MISSING
    matrix[:, :: max(n // 5, 1)] = MISSING
    return matrix


def raw_of(instrument: Instrument, column: np.ndarray) -> dict[str, int | None]:
    return {
        item.key: None if value == MISSING else int(value)
        for item, value in zip(instrument.items, column, strict=True)
    }


@pytest.mark.parametrize("missing", [0.0, 0.03, 0.3])
@pytest.mark.parametrize(("code", "layout"), FORMS)
def test_batch_scores_equal_the_plain_ones(code: str, layout: str, missing: float) -> None:
    instrument = in_layout(catalogue().get(code), layout)
    n = 400 if len(instrument.items) < 50 else 150
    matrix = sheets(instrument, n, missing, seed=len(code) + int(100 * missing))
    people, who = somebody(n, layout)
    batch = score_batch(instrument, matrix, people)
    for place, column in enumerate(matrix.T):
        raw = raw_of(instrument, column)
        expected = reference.SCORERS[code](raw, who[place])
        filled = reference.filled(code, raw)
        assert set(expected) == {definition.id for definition in instrument.scores}
        for plan in plan_of(instrument).scores:
            name, value = plan.score.id, expected[plan.score.id]
            number = int(batch.values[name][place])
            found = None if number == NO_SCORE else value_of(plan.score, number)
            assert found == reference.printed(value), (name, raw)
            status = NOT_SCORABLE if value is None else PRORATED if name in filled else SCORED
            assert batch.statuses[name][place] == status, (name, raw)
            assert shown(plan, batch, place, who[place]) == reference.band(code, name, value, who[place])
        grade = int(batch.grades[place])
        assert (None if grade == NO_GRADE else GRADES[grade]) == reference.grade(code, raw, who[place]), raw
        invalid = reference.is_invalid(code, raw, who[place])
        assert (batch.validity[place] == INVALID) == invalid, raw
        over, severe = reference.reaches(code, expected.get("total"), who[place])
        assert bool(batch.over_cutoff[place]) == (over and not invalid), raw
        assert bool(batch.severe[place]) == (severe and not invalid), raw


def value_of(definition: ScoreDefinition, number: int) -> int | float | str:
    return definition.outcomes[number] if definition.outcomes else definition.printed(number)


def shown(plan: ScorePlan, batch: BatchScores, place: int, who: reference.Who) -> str | None:
    where = int(batch.bands[plan.score.id][place])
    if where == NO_BAND:
        return None
    young = plan.younger and who.age is not None and who.age < plan.younger.below
    return (plan.younger.bands if plan.younger and young else plan.bands)[where].id


def somebody(n: int, layout: str) -> tuple[People, list[reference.Who]]:
    """Whose sheets they are: of both sexes and of nobody known, from four years up."""
    random = np.random.default_rng(n)
    sex, age = random.integers(-1, 2, n).astype(np.int8), random.integers(3, 19, n).astype(np.int16)
    age[age == 3] = -1
    who = [
        reference.Who(sex=(None, "male", "female")[s + 1], age=None if a == -1 else int(a), layout=layout)
        for s, a in zip(sex.tolist(), age.tolist(), strict=True)
    ]
    return People(sex, age), who


@pytest.mark.parametrize(("code", "layout"), FORMS)
def test_one_sheet_says_what_the_batch_says(code: str, layout: str) -> None:
    instrument = in_layout(catalogue().get(code), layout)
    matrix = sheets(instrument, 60, 0.08, seed=7)
    people, who = somebody(60, layout)
    batch = score_batch(instrument, matrix, people)
    for place, column in enumerate(matrix.T):
        sheet = AnswerSheet.parse(catalogue().get(code), raw_of(instrument, column), layout=layout)
        sex = who[place].sex
        said = SheetConditions(sex=Sex(sex) if sex else None, age=who[place].age)
        alone = score(catalogue().get(code), sheet, said)
        for plan in plan_of(instrument).scores:
            definition, value = plan.score, alone.values[plan.score.id]
            number = int(batch.values[definition.id][place])
            assert value.value == (None if number == NO_SCORE else value_of(definition, number))
            assert value.prorated == (batch.statuses[definition.id][place] == PRORATED)
            assert (value.band.id if value.band else None) == shown(plan, batch, place, who[place])
        grade = int(batch.grades[place])
        assert alone.grade == (None if grade == NO_GRADE else GRADES[grade])
        assert alone.over_cutoff == bool(batch.over_cutoff[place])
        assert alone.severe == bool(batch.severe[place])
        assert ["valid", "doubtful", "invalid"][batch.validity[place]] == alone.validity


@pytest.mark.parametrize(("code", "layout"), FORMS)
def test_the_order_of_the_rows_changes_nothing(code: str, layout: str) -> None:
    instrument = in_layout(catalogue().get(code), layout)
    matrix = sheets(instrument, 500, 0.05, seed=11)
    people, _ = somebody(500, layout)
    order = np.random.default_rng(5).permutation(500)
    shuffled = score_batch(
        instrument, np.ascontiguousarray(matrix[:, order]), People(people.sex[order], people.age[order])
    )
    batch = score_batch(instrument, matrix, people)
    for name, values in batch.values.items():
        assert np.array_equal(values[order], shuffled.values[name])
        assert np.array_equal(batch.bands[name][order], shuffled.bands[name])
        assert np.array_equal(batch.statuses[name][order], shuffled.statuses[name])
    assert np.array_equal(batch.grades[order], shuffled.grades)
    assert np.array_equal(batch.validity[order], shuffled.validity)


def test_all_answers_to_the_asq_are_judged_as_written() -> None:
    instrument = catalogue().get("asq")
    choices = np.array([MISSING, -1, 0, 1], dtype=np.int8)
    matrix = np.ascontiguousarray(np.stack(np.meshgrid(*[choices] * 5), axis=0).reshape(5, -1))
    batch = score_batch(instrument, matrix)
    outcomes = instrument.score("result").outcomes
    for place, column in enumerate(matrix.T):
        number = int(batch.values["result"][place])
        raw = raw_of(instrument, column)
        assert (None if number == NO_SCORE else outcomes[number]) == reference.asq(raw)["result"]


@pytest.mark.parametrize("code", CODES)
def test_a_batch_larger_than_a_chunk_is_scored_piece_by_piece_with_the_same_result(code: str) -> None:
    instrument = catalogue().get(code)
    few = sheets(instrument, 1_000, 0.05, seed=3)
    times = plan_of(instrument).chunk // 1_000 + 2
    small, large = score_batch(instrument, few), score_batch(instrument, np.tile(few, times))
    for name, values in small.values.items():
        assert np.array_equal(np.tile(values, times), large.values[name])
        assert np.array_equal(np.tile(small.bands[name], times), large.bands[name])
    assert np.array_equal(np.tile(small.grades, times), large.grades)
    assert np.array_equal(np.tile(small.validity, times), large.validity)


@pytest.mark.parametrize("code", CODES)
def test_a_value_that_is_no_answer_is_refused_by_item_and_not_repeated(code: str) -> None:
    instrument = catalogue().get(code)
    for row in (0, len(instrument.items) - 1):
        for value in (8, 99, 127, -2, -127):
            low = np.array([max(item.values[0], 0) for item in instrument.items], dtype=np.int8)
            matrix = np.repeat(low[:, None], 50, axis=1)
            matrix[0, 3] = MISSING
            matrix[row, 31] = value
            with pytest.raises(ValueError, match=f"item {instrument.items[row].key} ") as refused:
                score_batch(instrument, matrix)
            assert str(value) not in str(refused.value).replace(instrument.items[row].key, "").replace(
                code, ""
            )


def test_a_matrix_of_the_wrong_shape_or_type_is_refused() -> None:
    instrument = catalogue().get("phq9")
    for wrong in (np.zeros((9, 5), np.int8), np.zeros((10, 5), np.int16), np.zeros(10, np.int8)):
        with pytest.raises(ValueError, match="int8, 10 items"):
            score_batch(instrument, wrong)
    assert score_batch(instrument, np.zeros((10, 0), np.int8)).grades.shape == (0,)


@st.composite
def complete_sheet(draw: st.DrawFn) -> tuple[Instrument, dict[str, int]]:
    instrument = catalogue().get(
        draw(st.sampled_from([code for code in CODES if code not in ("asq", "cssrs_screen")]))
    )
    return instrument, {item.key: draw(st.sampled_from(item.values)) for item in instrument.items}


@given(complete_sheet(), st.data())
def test_one_step_up_on_an_item_never_lowers_a_score_it_counts_towards(
    drawn: tuple[Instrument, dict[str, int]], data: st.DataObject
) -> None:
    instrument, raw = drawn
    item = data.draw(st.sampled_from(instrument.main_items))
    if raw[item.key] == item.values[-1]:
        raw[item.key] = item.values[0]
    more = {**raw, item.key: raw[item.key] + 1}
    before = score(instrument, AnswerSheet.parse(instrument, raw)).values
    after = score(instrument, AnswerSheet.parse(instrument, more)).values
    for definition in instrument.scores:
        if item.key in definition.items:
            first, second = before[definition.id].value, after[definition.id].value
            assert isinstance(first, int | float)
            assert isinstance(second, int | float)
            falls = item.reverse or definition.kind is ScoreKind.COUNT_EQUAL
            assert (first >= second) if falls else (first <= second)


@given(complete_sheet(), st.data())
def test_a_score_stays_in_its_range_and_a_prorated_one_between_what_was_possible(
    drawn: tuple[Instrument, dict[str, int]], data: st.DataObject
) -> None:
    instrument, raw = drawn
    left_out = data.draw(st.sets(st.sampled_from(instrument.item_keys), max_size=4))
    partial: dict[str, object] = {key: None if key in left_out else value for key, value in raw.items()}
    whole = score(instrument, AnswerSheet.parse(instrument, raw))
    part = score(instrument, AnswerSheet.parse(instrument, partial))
    strict = instrument.missing is not None and instrument.missing.kind != "zero"
    for definition in instrument.scores:
        value = part.values[definition.id]
        if isinstance(value.value, int | float):
            assert definition.low <= value.value <= definition.high
        if value.lowest is not None and value.highest is not None:
            full = whole.values[definition.id].value
            assert isinstance(full, int | float)
            assert value.lowest <= full <= value.highest
        assert not (value.status == "scored" and definition.kind == "sum" and value.missing and strict)


@given(complete_sheet(), st.data())
def test_leaving_other_items_blank_never_silences_a_critical_answer(
    drawn: tuple[Instrument, dict[str, int]], data: st.DataObject
) -> None:
    instrument, raw = drawn
    fired = {c.item: c.grade for c in score(instrument, AnswerSheet.parse(instrument, raw)).critical}
    others = [key for key in instrument.item_keys if key not in fired]
    left_out = data.draw(st.sets(st.sampled_from(others))) if others else set()
    partial: dict[str, object] = {key: None if key in left_out else value for key, value in raw.items()}
    still = {c.item: c.grade for c in score(instrument, AnswerSheet.parse(instrument, partial)).critical}
    assert fired.items() <= still.items()
