"""From sheets to a result: which sheets count together, what never does, and what is stored about it."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from uuid import UUID, uuid4

import pytest

from instruments import AnswerSheet, SheetConditions, catalogue, score
from risk_model import Level, LevelRules, day_one, predict
from risk_model.served import served
from screening import results
from screening.models.administration import Administration, Mode, SheetValidity
from screening.models.result import ResultStatus, ScreenResult
from screening.results import SheetOnFile, earlier_sheet, newest_per_row, on_file

NOW = datetime(2026, 10, 14, 2, 0, tzinfo=UTC)
TODAY = NOW.date()
CHILD, CAMPAIGN = uuid4(), uuid4()


def administration(code: str, *, informant: str | None = None, on: date = TODAY, at: datetime = NOW):
    instrument = catalogue().get(code)
    return Administration(
        child_id=CHILD,
        campaign_id=CAMPAIGN,
        roster_entry_id=uuid4(),
        instrument=code,
        instrument_version=instrument.version,
        layout=instrument.default_layout,
        informant=informant or instrument.informants[0],
        mode=Mode.PAPER,
        administered_on=on,
        recorded_at=at,
    )


def values_of(code: str, total: int) -> dict[str, object]:
    """Answers with this sum, the first items highest; a PHQ's ninth item stays 0."""
    items = [item for item in catalogue().get(code).items if item.scored]
    top = max(items[0].values)
    usable = items[:8] if code in ("phq9", "phq_a") else items
    given: dict[str, object] = {item.key: 0 for item in items}
    for item in usable:
        given[item.key] = min(top, total)
        total -= min(top, total)
    assert total == 0
    return given


class Desk:
    """One child's sheets, one after the other."""

    def __init__(self) -> None:
        self.earlier: list[SheetOnFile] = []

    def add(
        self,
        code: str,
        given: dict[str, object],
        *,
        base_rate: float = 0.10,
        conditions: SheetConditions | None = None,
        informant: str | None = None,
        on: date = TODAY,
        at: datetime = NOW,
    ) -> ScreenResult:
        instrument = catalogue().get(code)
        sheet = administration(code, informant=informant, on=on, at=at)
        scores = score(instrument, AnswerSheet.parse(instrument, given), conditions or SheetConditions())
        sheet.validity = results.validity_of(scores)
        result = results.compute(
            sheet,
            scores,
            self.earlier,
            instrument=instrument,
            model=served(day_one()),
            base_rate=base_rate,
            rules=LevelRules(),
            history=False,
            now=at,
        )
        self.earlier.append(earlier_sheet(result, sheet))
        return result


@pytest.fixture
def desk() -> Desk:
    return Desk()


# --- one sheet ---------------------------------------------------------------------------------------------


def test_a_sheet_alone_has_the_probability_of_the_model(desk):
    result = desk.add("phq9", values_of("phq9", 14))
    expected = predict(day_one(), {"phq9": 14.0}, base_rate=0.10)
    assert (result.probability, result.low, result.high, result.r2) == (
        expected.probability,
        expected.low,
        expected.high,
        expected.r2,
    )
    assert result.low < result.probability < result.high
    assert (result.status, result.level, result.base_rate) == (ResultStatus.SCORED, Level.HIGH, 0.10)
    assert result.model_version == day_one().version
    [reason] = result.reasons
    assert reason["contribution"] == pytest.approx(reason["weight"] * reason["z"])


def test_the_base_rate_of_the_campaign_is_used_and_kept(desk):
    low, high = (Desk().add("phq9", values_of("phq9", 9), base_rate=rate) for rate in (0.03, 0.25))
    assert low.probability < high.probability
    assert (low.base_rate, high.base_rate) == (0.03, 0.25)


def test_a37_the_severe_floor_holds_whatever_the_base_rate(desk):
    """MHT 65 at a base rate of .03."""
    validity = {82, 84, 86, 88, 90, 92, 94, 96, 98, 100}
    given = {str(n): 0 for n in range(1, 101)}
    chosen = [n for n in range(1, 101) if n not in validity and n not in (85, 97, 89)][:65]
    given |= {str(n): 1 for n in chosen}
    result = desk.add("mht", given, base_rate=0.03)
    assert result.scores["total"]["value"] == 65
    assert result.probability < 0.25
    assert result.level is Level.HIGH
    assert result.why[0] == "severe:mht"


def test_a_prorated_score_may_raise_a_level_and_says_so(desk):
    given = {**values_of("phq9", 12), "8": None}
    result = desk.add("phq9", given)
    assert result.scores["total"] == {
        "value": 14,
        "status": "prorated",
        "missing": ["8"],
        "band": "moderate",
        "band_set": "standard",
    }
    assert result.level is Level.HIGH


def test_an_instrument_without_a_row_in_the_model_shows_no_probability(desk):
    result = desk.add("asq", {"1": 0, "2": 0, "3": 0, "4": 0})
    assert (result.probability, result.low, result.high, result.reasons) == (None, None, None, [])
    assert result.level is Level.NONE
    assert result.asks_about_safety


# --- not scored --------------------------------------------------------------------------------------------


def test_a_sheet_that_cannot_be_scored_is_never_none(desk):
    result = desk.add("phq9", {**{str(n): 0 for n in range(1, 10)}, "1": None, "2": None, "3": None})
    assert (result.status, result.level, result.probability) == (ResultStatus.NOT_SCORED, None, None)


def test_an_unscored_sheet_borrows_no_level_from_an_earlier_one(desk):
    desk.add("gad7", values_of("gad7", 21))
    result = desk.add("phq9", {**{str(n): 3 for n in range(1, 9)}, "9": 0, "1": None, "2": None, "3": None})
    assert (result.status, result.level) == (ResultStatus.NOT_SCORED, None)
    assert result.sheets == [str(result.administration_id)]


def test_a_critical_answer_stands_without_any_score(desk):
    result = desk.add("phq9", {**{str(n): None for n in range(1, 9)}, "9": 2})
    assert (result.status, result.level, result.why) == (
        ResultStatus.NOT_SCORED,
        Level.CRISIS_ITEM,
        ["critical_b"],
    )


def test_an_invalid_sheet_takes_its_score_out_and_not_its_critical_answer(desk):
    """MHT: seven or more of the ten validity items answered yes."""
    given = {str(n): 1 for n in range(1, 101)}
    result = desk.add("mht", given)
    assert (result.status, result.level) == (ResultStatus.NOT_SCORED, Level.ELEVATED)
    assert result.why == ["critical_c"]
    assert result.probability is None
    assert desk.earlier[-1].finding.validity == "invalid"
    after = desk.add("phq9", values_of("phq9", 3))
    assert after.level is Level.NONE
    assert "mht" not in {reason["instrument"] for reason in after.reasons}


# --- doubtful ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "conditions",
    [SheetConditions(seconds=5), SheetConditions(helped=True), SheetConditions(reading_trouble=True)],
)
def test_a_doubtful_sheet_keeps_its_level(desk, conditions):
    result = desk.add("phq9", values_of("phq9", 20), conditions=conditions)
    assert result.level is Level.HIGH
    assert result.flags
    assert desk.earlier[-1].finding.validity == "doubtful"


def test_a_straight_lined_sheet_is_doubtful_and_all_zeros_is_an_honest_answer(desk):
    """Twenty-five ones across reverse-keyed items; zeros in PHQ-9."""
    desk.add("sdq_s", {item.key: 1 for item in catalogue().get("sdq_s").items if item.scored})
    assert desk.earlier[-1].finding.validity == "doubtful"
    desk.add("phq9", values_of("phq9", 0))
    assert desk.earlier[-1].finding.validity == "valid"


# --- several sheets ----------------------------------------------------------------------------------------


def test_all_sheets_of_the_campaign_count_together_and_are_named(desk):
    first = desk.add("phq9", values_of("phq9", 10))
    second = desk.add("gad7", values_of("gad7", 10))
    both = predict(day_one(), {"phq9": 10.0, "gad7": 10.0}, base_rate=0.10)
    assert second.probability == both.probability
    assert second.sheets == [str(first.administration_id), str(second.administration_id)]
    assert (first.level, second.level) == (Level.ELEVATED, Level.HIGH)


def test_of_two_sheets_of_one_instrument_the_newer_speaks(desk):
    desk.add("phq9", values_of("phq9", 24))
    later = NOW + timedelta(days=14)
    result = desk.add("phq9", values_of("phq9", 2), on=later.date(), at=later)
    assert (result.level, result.sheets) == (Level.NONE, [str(result.administration_id)])


def test_an_older_sheet_that_comes_in_later_does_not_silence_the_newer_one(desk):
    newer = desk.add("phq9", values_of("phq9", 20))
    result = desk.add(
        "phq9",
        values_of("phq9", 1),
        on=NOW.date() - timedelta(days=10),
        at=NOW + timedelta(minutes=1),
    )
    assert result.level is Level.HIGH
    assert result.sheets == [str(newer.administration_id)]


def test_phq9_and_phq_a_share_one_row_and_the_newer_form_speaks(desk):
    desk.add("phq9", values_of("phq9", 24))
    later = NOW + timedelta(days=1)
    result = desk.add("phq_a", values_of("phq_a", 2), on=later.date(), at=later)
    assert len(result.sheets) == 1
    assert [reason["instrument"] for reason in result.reasons] == ["phq_a"]


def test_the_same_form_by_two_informants_are_two_sheets(desk):
    desk.add("sdq_p", values_of("sdq_p", 10), informant="parent")
    result = desk.add("sdq_t", values_of("sdq_t", 10), informant="teacher")
    assert len(result.sheets) == 2


def test_a_critical_grade_sounds_on_its_own_sheet_only(desk):
    first = desk.add("phq9", {**values_of("phq9", 0), "9": 2})
    second = desk.add("gad7", values_of("gad7", 0))
    assert (first.grade, first.level) == ("B", Level.CRISIS_ITEM)
    assert (second.grade, second.level) == (None, Level.NONE)


def test_a_cut_off_of_an_earlier_sheet_still_holds(desk):
    desk.add("gad7", values_of("gad7", 10), base_rate=0.03)
    result = desk.add("phq9", values_of("phq9", 0), base_rate=0.03)
    assert result.why == ["cutoff:gad7"]
    assert result.level is Level.ELEVATED


def test_a_child_who_denies_what_adults_see_is_discordant_and_elevated(desk):
    """Mean of the adults' z minus the child's own above 1.5 (model facts §4)."""
    desk.add("sdq_s", sdq("sdq_s", high=False))
    desk.add("sdq_p", sdq("sdq_p", high=True), informant="parent")
    result = desk.add("sdq_t", sdq("sdq_t", high=True), informant="teacher")
    assert "discordant" in result.why
    assert result.level is not Level.NONE


def sdq(code: str, *, high: bool) -> dict[str, object]:
    """Every difficulty fully said or not at all; items 7, 11, 14, 21 and 25 are keyed the other way round."""
    given: dict[str, object] = {}
    for item in catalogue().get(code).items:
        if item.key in {"1", "4", "9", "17", "20"}:
            given[item.key] = 1
        elif item.key in {"7", "11", "14", "21", "25"}:
            given[item.key] = 0 if high else 2
        elif item.key.isdigit():
            given[item.key] = 2 if high else 0
    return given


# --- what is kept ------------------------------------------------------------------------------------------


def test_the_hash_of_what_went_in_changes_with_each_of_its_parts():
    def digest(total: int = 10, base_rate: float = 0.10, earlier: int | None = None) -> bytes:
        desk = Desk()
        if earlier is not None:
            desk.add("gad7", values_of("gad7", earlier))
        result = desk.add("phq9", values_of("phq9", total), base_rate=base_rate)
        return results._input_hash(
            _like(result),
            result.scores,
            [str(UUID(int=n)) for n in range(len(result.sheets))],
            base_rate,
            "m",
        )

    same = digest()
    assert digest() == same
    assert len({same, digest(total=11), digest(base_rate=0.11), digest(earlier=3)}) == 4


def _like(result: ScreenResult) -> Administration:
    return administration("phq9")


def test_the_newest_per_row_is_found_whatever_the_order():
    sheets = []
    for day in (3, 1, 2):
        sheet = administration("phq9", on=date(2026, 10, day))
        instrument = catalogue().get("phq9")
        sheets.append(
            on_file(sheet, score(instrument, AnswerSheet.parse(instrument, values_of("phq9", day))))
        )
    [newest] = newest_per_row(sheets)
    assert newest.total == 3


def test_the_stored_validity_has_a_member_for_every_word_of_the_engine():
    assert {v.value for v in SheetValidity} == {"valid", "doubtful", "invalid"}
