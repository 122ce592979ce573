"""Safety rules first: the floors, the thresholds, and that nothing falls below a floor."""

import itertools
import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from instruments import Grade
from risk_model import (
    Level,
    LevelDecision,
    LevelRules,
    Prediction,
    SheetFinding,
    assign_level,
    day_one,
    predict,
    worst_level,
)

ORDER = [Level.NONE, Level.ELEVATED, Level.HIGH, Level.CRISIS_ITEM]
INFORMANT = {"sdq_p": "parent", "sdq_t": "teacher"}


def sheet(
    code: str = "phq9",
    *,
    scored: bool = True,
    over: bool = False,
    severe: bool = False,
    grade: Grade | None = None,
    validity: str = "valid",
    informant: str | None = None,
) -> SheetFinding:
    return SheetFinding(code, informant or INFORMANT.get(code, "self"), scored, over, severe, grade, validity)


def probability(p: float, *, discordant: bool = False) -> Prediction:
    return Prediction(p, p, p, 0.5, (), 0.0, 1.28, ("phq9",), (), discordant, "test", 0.1)


# --- each rule alone --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("grade", "level", "why"),
    [
        (Grade.A, Level.CRISIS_ITEM, ("critical_a",)),
        (Grade.B, Level.CRISIS_ITEM, ("critical_b",)),
        (Grade.C, Level.ELEVATED, ("critical_c",)),
        (Grade.R, Level.NONE, ()),
        (None, Level.NONE, ()),
    ],
)
def test_a_critical_answer_sets_its_floor(grade: Grade | None, level: Level, why: tuple[str, ...]) -> None:
    assert assign_level([sheet(grade=grade)], probability(0.01)) == LevelDecision(level, why)


@pytest.mark.parametrize(
    ("p", "level", "why"),
    [
        (0.1499, Level.NONE, ()),
        (0.15, Level.ELEVATED, ("probability_elevated",)),
        (0.2499, Level.ELEVATED, ("probability_elevated",)),
        (0.25, Level.HIGH, ("probability_high",)),
        (0.99, Level.HIGH, ("probability_high",)),
    ],
)
def test_the_probability_is_read_at_its_two_thresholds(p: float, level: Level, why: tuple[str, ...]) -> None:
    assert assign_level([sheet()], probability(p)) == LevelDecision(level, why)


def test_a_county_may_set_other_thresholds() -> None:
    rules = LevelRules(elevated=0.08, high=0.40)
    assert assign_level([sheet()], probability(0.08), rules).level is Level.ELEVATED
    assert assign_level([sheet()], probability(0.39), rules).level is Level.ELEVATED
    assert assign_level([sheet()], probability(0.40), rules).level is Level.HIGH


@pytest.mark.parametrize(
    ("elevated", "high"), [(0.3, 0.2), (0.0, 0.2), (0.1, 1.0), (-0.1, 0.2), (float("nan"), 0.2)]
)
def test_thresholds_that_make_no_sense_are_refused(elevated: float, high: float) -> None:
    with pytest.raises(ValueError, match="thresholds"):
        LevelRules(elevated, high)


@pytest.mark.parametrize("validity", ["valid", "doubtful"])
def test_a_sheet_over_its_published_cut_off_is_at_least_elevated(validity: str) -> None:
    finding = sheet("gad7", over=True, validity=validity)
    assert assign_level([finding], probability(0.02)) == LevelDecision(Level.ELEVATED, ("cutoff:gad7",))
    assert assign_level([finding], None) == LevelDecision(Level.ELEVATED, ("cutoff:gad7",))


@pytest.mark.parametrize("validity", ["valid", "doubtful"])
@pytest.mark.parametrize("code", ["phq9", "phq_a", "gad7", "mht"])
def test_a_severe_sheet_is_high_whatever_the_probability(code: str, validity: str) -> None:
    finding = sheet(code, over=True, severe=True, validity=validity)
    expected = LevelDecision(Level.HIGH, (f"severe:{code}", f"cutoff:{code}"))
    assert assign_level([finding], probability(0.02)) == expected
    assert assign_level([finding], None) == expected


@pytest.mark.parametrize("code", ["sdq_s", "sdq_p", "sdq_t"])
def test_one_very_high_sdq_is_elevated_only(code: str) -> None:
    expected = LevelDecision(Level.ELEVATED, (f"cutoff:{code}",))
    assert assign_level([sheet(code, over=True, severe=True)], None) == expected
    # The band lies above the cut-off even if the flag is not set.
    assert assign_level([sheet(code, severe=True)], None) == expected


@pytest.mark.parametrize("pair", [("sdq_s", "sdq_p"), ("sdq_s", "sdq_t"), ("sdq_p", "sdq_t")], ids="+".join)
def test_two_informants_with_a_very_high_sdq_are_high(pair: tuple[str, str]) -> None:
    findings = [sheet(code, over=True, severe=True) for code in pair]
    decision = assign_level(findings, probability(0.05))
    assert decision.level is Level.HIGH
    assert decision.why == (
        f"severe:{pair[0]}",
        f"severe:{pair[1]}",
        f"cutoff:{pair[0]}",
        f"cutoff:{pair[1]}",
    )


@pytest.mark.parametrize(
    "second",
    [
        sheet("sdq_p", over=True, severe=True),  # the same informant again
        sheet("sdq_t", over=True),  # over the cut-off, not very high
        sheet("sdq_t", over=True, severe=True, validity="invalid"),
        sheet("sdq_t", over=True, severe=True, scored=False),
    ],
)
def test_what_does_not_count_as_a_second_informant(second: SheetFinding) -> None:
    first = sheet("sdq_p", over=True, severe=True)
    assert assign_level([first, second], probability(0.05)).level is Level.ELEVATED


def test_a_severe_sheet_of_another_kind_does_not_lift_a_lone_sdq() -> None:
    decision = assign_level([sheet("sdq_p", severe=True), sheet("gad7", severe=True)], None)
    assert decision.why == ("severe:gad7", "cutoff:sdq_p", "cutoff:gad7")


def test_a_child_who_denies_while_adults_worry_is_at_least_elevated() -> None:
    prediction = predict(day_one(), {"sdq_s": 8, "sdq_p": 19, "sdq_t": 18}, base_rate=0.1)
    findings = [sheet("sdq_s"), sheet("sdq_p"), sheet("sdq_t")]
    assert assign_level(findings, prediction) == LevelDecision(Level.ELEVATED, ("discordant",))


def test_everything_that_asked_is_named_once_the_most_urgent_first() -> None:
    findings = [
        sheet("gad7", over=True, grade=Grade.C),
        sheet("phq9", over=True, severe=True, grade=Grade.A),
        sheet("phq9", over=True, grade=Grade.B),
    ]
    assert assign_level(findings, probability(0.2, discordant=True)).why == (
        "critical_a",
        "critical_b",
        "critical_c",
        "severe:phq9",
        "cutoff:gad7",
        "cutoff:phq9",
        "probability_elevated",
        "discordant",
    )


# --- not scored is not NONE -------------------------------------------------------------------------------

UNSCORED = [
    [],
    [sheet(scored=False)],
    [sheet(validity="invalid", over=True, severe=True)],
    [sheet(scored=False), sheet("mht", validity="invalid", over=True)],
]


@pytest.mark.parametrize("findings", UNSCORED)
def test_nothing_scored_has_no_level(findings: list[SheetFinding]) -> None:
    assert assign_level(findings, None) == LevelDecision(None, ())


@pytest.mark.parametrize("findings", UNSCORED)
@pytest.mark.parametrize(
    ("grade", "level"),
    [(Grade.A, Level.CRISIS_ITEM), (Grade.B, Level.CRISIS_ITEM), (Grade.C, Level.ELEVATED), (Grade.R, None)],
)
@pytest.mark.parametrize(("scored", "validity"), [(False, "valid"), (False, "invalid"), (True, "invalid")])
def test_a_critical_answer_counts_on_an_unscored_or_invalid_sheet(
    findings: list[SheetFinding], grade: Grade, level: Level | None, scored: bool, validity: str
) -> None:
    given = sheet(grade=grade, scored=scored, validity=validity)
    assert assign_level([*findings, given], None).level is level


def test_a_probability_raises_but_never_makes_none_where_no_sheet_was_scored() -> None:
    invalid = [sheet(validity="invalid")]
    assert assign_level(invalid, probability(0.05)).level is None
    assert assign_level(invalid, probability(0.5)).level is Level.HIGH


def test_a_scored_quiet_sheet_without_a_row_in_the_model_is_none() -> None:
    assert assign_level([sheet("scared")], None) == LevelDecision(Level.NONE, ())


# --- the worst of several ---------------------------------------------------------------------------------


def test_the_worst_level_goes_by_urgency_not_by_spelling() -> None:
    assert max(Level) is not Level.CRISIS_ITEM  # what comparing strings would give
    for size in range(1, 5):
        for levels in itertools.permutations(ORDER, size):
            assert worst_level(levels) is max(levels, key=ORDER.index)


def test_not_scored_is_passed_over_by_the_worst_level() -> None:
    assert worst_level([None, Level.ELEVATED, None]) is Level.ELEVATED
    assert worst_level([None]) is None
    assert worst_level([]) is None


# --- safety property --------------------------------------------------------------------------------------

# A slow moment of a busy machine is no failure.
unhurried = settings(deadline=None)

INSTRUMENTS = ["phq9", "phq_a", "gad7", "mht", "sdq_s", "sdq_p", "sdq_t", "scared", "asq"]
INFORMANTS = ["self", "parent", "teacher"]

sheets = st.lists(
    st.builds(
        SheetFinding,
        instrument=st.sampled_from(INSTRUMENTS),
        informant=st.sampled_from(INFORMANTS),
        scored=st.booleans(),
        over_cutoff=st.booleans(),
        severe=st.booleans(),
        grade=st.sampled_from([None, *Grade]),
        validity=st.sampled_from(["valid", "doubtful", "invalid"]),
    ),
    max_size=5,
)
predictions = st.none() | st.builds(probability, st.floats(0, 1), discordant=st.booleans())
thresholds = st.tuples(st.floats(0.01, 0.99), st.floats(0.01, 0.99)).map(
    lambda pair: LevelRules(*sorted(pair))
)


def rule_floor(findings: list[SheetFinding]) -> int:
    """The floor said once more, in another way: the place in ORDER, -1 for none."""
    floor = -1
    severe_sdq_informants = set()
    for finding in findings:
        if finding.grade in ("A", "B"):
            floor = max(floor, 3)
        elif finding.grade == "C":
            floor = max(floor, 1)
        if not finding.scored or finding.validity == "invalid":
            continue
        floor = max(floor, 0)
        if finding.over_cutoff or finding.severe:
            floor = max(floor, 1)
        if finding.severe and finding.instrument.startswith("sdq"):
            severe_sdq_informants.add(finding.informant)
        elif finding.severe:
            floor = max(floor, 2)
    return max(floor, 2) if len(severe_sdq_informants) > 1 else floor


def random_case(chance: random.Random) -> tuple[list[SheetFinding], Prediction | None, LevelRules]:
    findings = [
        SheetFinding(
            instrument=chance.choice(INSTRUMENTS),
            informant=chance.choice(INFORMANTS),
            scored=chance.random() < 0.8,
            over_cutoff=chance.random() < 0.3,
            severe=chance.random() < 0.2,
            grade=chance.choice([None, None, None, None, *Grade]),
            validity=chance.choice(["valid", "valid", "doubtful", "invalid"]),
        )
        for _ in range(chance.randrange(5))
    ]
    prediction = probability(chance.random() ** 3, discordant=chance.random() < 0.1)
    rules = LevelRules(*sorted((chance.uniform(0.01, 0.5), chance.uniform(0.01, 0.99))))
    return findings, chance.choice([None, prediction, prediction]), rules


def check_against_the_floor(
    findings: list[SheetFinding], prediction: Prediction | None, rules: LevelRules
) -> int:
    decision = assign_level(findings, prediction, rules)
    floor = rule_floor(findings)
    place = -1 if decision.level is None else ORDER.index(decision.level)
    assert place >= floor
    # And not above it without the model having asked.
    asked = -1
    if prediction is not None:
        asked = max(
            2 if prediction.probability >= rules.high else -1,
            1 if prediction.probability >= rules.elevated or prediction.discordant else -1,
        )
    assert place == max(floor, asked)
    assert bool(decision.why) == (place > 0)
    return place


def test_none_of_ten_thousand_children_is_below_the_rule_floor() -> None:
    chance = random.Random(20261121)
    places = [check_against_the_floor(*random_case(chance)) for _ in range(10_000)]
    assert all(places.count(place) > 300 for place in range(-1, 4)), "the cases must cover every level"


@unhurried
@given(sheets, predictions, thresholds)
def test_no_child_is_below_the_rule_floor(
    findings: list[SheetFinding], prediction: Prediction | None, rules: LevelRules
) -> None:
    check_against_the_floor(findings, prediction, rules)


@unhurried
@given(sheets, predictions)
def test_without_a_model_the_floors_stand(
    findings: list[SheetFinding], prediction: Prediction | None
) -> None:
    alone = assign_level(findings, None).level
    assert (-1 if alone is None else ORDER.index(alone)) == rule_floor(findings)
    assert (
        worst_level([alone, assign_level(findings, prediction).level])
        is assign_level(findings, prediction).level
    )


@unhurried
@given(sheets, sheets, predictions)
def test_another_sheet_never_lowers_the_level(
    findings: list[SheetFinding], more: list[SheetFinding], prediction: Prediction | None
) -> None:
    before = assign_level(findings, prediction).level
    after = assign_level([*findings, *more], prediction).level
    assert worst_level([before, after]) is after
