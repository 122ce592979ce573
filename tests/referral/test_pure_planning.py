"""How a plan is chosen: each rule by example, its limits, and what no fact may ever do."""

from __future__ import annotations

import copy
from importlib.resources import files
from itertools import product
from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from instruments import Grade
from referral.planning import (
    AreaFinding,
    PlanDraft,
    PlanFacts,
    SkipReason,
    draft_plan,
    fact_words,
    intervention_menu,
    plan_rules,
    referral_urgency,
    working_tier,
)
from referral.planning.library import PlanLibraryError, read_menu, read_rules
from referral.terms import (
    ActionStatus,
    Area,
    ContextFact,
    FollowUpTemplate,
    HarmAnswer,
    SafetyFact,
    Sign,
    TaskKind,
    Tier,
    Urgency,
)
from risk_model import Level
from screening.core.actor import Role

MENU = intervention_menu()
RULES = plan_rules()
ALL_SKILLS = frozenset(MENU)
ALL_CONSENTS = frozenset(
    {
        "individual_counselling",
        "share_facility",
        "share_civil_affairs",
        "pairing_volunteer",
        "clinical_detail_to_school",
    }
)


def seen(tier: Tier, *areas: Area, **facts: Any) -> PlanFacts:
    """A child a person has assessed, nobody suspected, every skill and consent there: only the rules speak."""
    defaults: dict[str, Any] = {
        "age": 13,
        "interview_done": True,
        "harm_answer": HarmAnswer.NONE,
        "available": ALL_SKILLS,
        "consents": ALL_CONSENTS,
        "areas": tuple(AreaFinding(area, 0.5) for area in areas),
    }
    return PlanFacts(working_tier=tier, **(defaults | facts))


def unseen(level: Level | None, grade: Grade | None = None, **facts: Any) -> PlanFacts:
    """The automatic draft: a sheet has come and nobody has seen the child."""
    defaults: dict[str, Any] = {"age": 13, "available": ALL_SKILLS, "consents": ALL_CONSENTS}
    return PlanFacts(working_tier=working_tier(grade, level), level=level, grade=grade, **(defaults | facts))


def draft(facts: PlanFacts) -> PlanDraft:
    return draft_plan(facts, MENU, RULES)


def chosen(facts: PlanFacts) -> set[str]:
    return set(draft(facts).components)


def skip_reasons(facts: PlanFacts) -> dict[str, SkipReason]:
    return {skip.component: skip.reason for skip in draft(facts).skipped}


# --- The library -----------------------------------------------------------------------------------------

ROWS = [
    "U01",
    "U02",
    "U03",
    "U04",
    "P01",
    "I01",
    "I02",
    "I03",
    "I04",
    "I05",
    "G01",
    "G02",
    "G03",
    "G04",
    "S01",
    "S02",
    "F01",
    "F02",
    "F03",
    "W01",
    "W02",
    "M01",
    "L01",
    "L02",
    "L03",
    "A01",
    "A02",
    "B01",
    "K01",
    "K02",
    "K03",
    "K04",
    "R01",
    "R02",
    "R03",
    "C01",
    "C02",
    "C03",
    "H01",
    "T01",
    "N01",
    "X01",
]


def test_every_row_of_the_menu_is_there_with_its_prefix() -> None:
    assert list(MENU) == [f"c-{row}" for row in ROWS]


def test_every_rule_is_there_with_a_sentence_in_both_languages() -> None:
    expected = [
        "S1",
        "S2",
        "S3",
        "S4",
        "A1",
        "A2",
        "A3",
        "A4",
        "A5",
        "A6",
        "A7",
        "A8",
        "A9",
        "C1",
        "C2",
        "C3",
        "L1",
        "L2",
        "L3",
        "Q1",
        "Q2",
        "Q3",
    ]
    assert set(RULES.rules) - {"R-D1"} == {f"R-{rule}" for rule in expected}
    for rule in RULES.rules.values():
        assert any("一" <= letter <= "鿿" for letter in rule.sentence.zh)
        assert rule.sentence.en.isascii() or "–" in rule.sentence.en


def test_what_a_component_costs_and_rests_on_is_said_in_both_languages() -> None:
    for component in MENU.values():
        for words in (component.name, component.by, component.dose, component.review, component.source):
            assert words.zh
            assert words.en
        assert component.grade in {"A", "B", "C", "P", "A/B", "B/A", "B/C"}


@pytest.mark.parametrize("word", ["诊断", "患者", "病人", "抑郁症", "精神病人", "高危"])
def test_no_word_that_belongs_to_a_clinic_or_labels_a_child_stands_in_menu_or_rules(word: str) -> None:
    for name in ("interventions.yaml", "plan_rules.yaml"):
        assert word not in (files("referral") / "library" / name).read_text(encoding="utf-8")


def _raw(name: str) -> dict[str, Any]:
    raw = yaml.safe_load((files("referral") / "library" / name).read_text(encoding="utf-8"))
    assert isinstance(raw, dict)
    return raw


@pytest.mark.parametrize(
    "change",
    [
        {"then": ["c-Z99"]},
        {"when": {"tiers": ["focus"], "weather": ["rain"]}},
        {"never": {"kinds": ["dance"]}},
        {"advice": ["run"]},
        {"when": {"any": [{}]}},
        {"zh": ""},
    ],
)
def test_a_rule_that_asks_for_what_does_not_exist_is_refused(change: dict[str, Any]) -> None:
    raw = _raw("plan_rules.yaml")
    raw["rules"]["R-S1"] |= change
    with pytest.raises(PlanLibraryError):
        read_rules(raw, MENU)


@pytest.mark.parametrize(
    "change", [{"referral": "routine"}, {"then": ["c-R01"]}, {"referral_offered": "urgent"}]
)
def test_a_context_rule_that_refers_is_refused(change: dict[str, Any]) -> None:
    raw = _raw("plan_rules.yaml")
    raw["rules"]["R-C1"] |= change
    with pytest.raises(PlanLibraryError):
        read_rules(raw, MENU)


def test_a_rule_of_arithmetic_has_no_condition_and_a_letter_must_be_known() -> None:
    for name, rule in (("R-Q1", {"when": {"tiers": ["focus"]}}), ("R-X1", {})):
        raw = _raw("plan_rules.yaml")
        raw["rules"][name] = {"zh": "规则", "en": "rule", **rule}
        with pytest.raises(PlanLibraryError):
            read_rules(raw, MENU)


def test_a_menu_with_a_code_twice_or_a_kind_unknown_is_refused() -> None:
    raw = _raw("interventions.yaml")
    for change in ({"kind": "magic"}, {"certainty": "sure"}, {}):
        broken = copy.deepcopy(raw)
        broken["components"].append(broken["components"][0] | change)
        with pytest.raises(PlanLibraryError):
            read_menu(broken)


# --- The working tier ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("grade", "level", "tier"),
    [
        (Grade.A, Level.CRISIS_ITEM, Tier.CRISIS),
        (Grade.A, None, Tier.CRISIS),
        (Grade.B, Level.CRISIS_ITEM, Tier.FOCUS),
        (None, Level.CRISIS_ITEM, Tier.FOCUS),
        (None, Level.HIGH, Tier.FOCUS),
        (Grade.C, Level.HIGH, Tier.FOCUS),
        (Grade.C, Level.ELEVATED, Tier.WATCH),
        (None, Level.ELEVATED, Tier.WATCH),
        (Grade.R, Level.NONE, Tier.ROUTINE),
        (None, None, Tier.ROUTINE),
    ],
)
def test_the_working_tier_of_grade_and_level(grade: Grade | None, level: Level | None, tier: Tier) -> None:
    assert working_tier(grade, level) is tier


# --- L rules ---------------------------------------------------------------------------------------------


def _expected_urgency(
    level: Level | None, grade: Grade | None, severe: bool, probability: float | None
) -> Urgency | None:
    """R-L1 written once more, as plainly as the guide says it."""
    if grade is Grade.A:
        return Urgency.EMERGENCY
    if grade is Grade.B or level is Level.CRISIS_ITEM:
        return Urgency.URGENT
    if level is not Level.HIGH:
        return None
    return Urgency.URGENT if severe or (probability is not None and probability >= 0.40) else Urgency.ROUTINE


@pytest.mark.parametrize(
    ("level", "grade", "severe", "probability"),
    list(product([None, *Level], [None, *Grade], [False, True], [None, 0.39, 0.40, 0.9])),
)
def test_how_urgent_the_automatic_referral_is(
    level: Level | None, grade: Grade | None, severe: bool, probability: float | None
) -> None:
    facts = unseen(level, grade, severe=severe, probability=probability)
    need = draft(facts).referral
    expected = _expected_urgency(level, grade, severe, probability)
    assert (need.urgency if need else None) is expected
    assert ("c-R01" in chosen(facts)) is (expected is not None)
    found = referral_urgency(facts, RULES.urgent_from)
    assert (found[0] if found else None) is expected


def test_the_reasons_of_a_referral_are_named() -> None:
    need = draft(unseen(Level.HIGH, severe=True, probability=0.41)).referral
    assert need is not None
    assert need.why == ("level:high", "severe", "probability")
    assert need.rules[0] == "R-L1"


def test_an_open_question_of_self_harm_is_offered_as_urgent_and_set_by_a_person() -> None:
    """Item 9 = 1 with a level by score: the sheet makes it routine, the offer of R-S2 is shown beside it."""
    facts = unseen(Level.HIGH, Grade.C, probability=0.3, areas=(AreaFinding(Area.SELF_HARM, 1.0),))
    need = draft(facts).referral
    assert need is not None
    assert (need.urgency, need.offered) == (Urgency.ROUTINE, Urgency.URGENT)
    assert "c-K01" in chosen(facts)


def test_after_the_assessment_the_sheet_no_longer_asks_for_a_referral() -> None:
    assert draft(seen(Tier.WATCH, Area.ANXIETY, level=Level.HIGH, probability=0.9)).referral is None


@pytest.mark.parametrize("how", [{"in_care": True}, {"referral_open": True}])
@pytest.mark.parametrize("grade", [None, Grade.A, Grade.B])
def test_no_second_referral_but_an_update_and_a_review_today(
    how: dict[str, bool], grade: Grade | None
) -> None:
    plan = draft(unseen(Level.HIGH if grade is None else Level.CRISIS_ITEM, grade, **how))
    assert plan.referral is None
    assert plan.update_only
    assert plan.need is not None
    assert {TaskKind.REFERRAL_UPDATE, TaskKind.PLAN_REVIEW} <= set(plan.tasks)
    assert "c-R01" not in plan.components
    assert "R-L2" in plan.rules


def test_a_child_in_care_with_nothing_new_is_not_reported_again() -> None:
    assert not draft(unseen(Level.ELEVATED, in_care=True)).update_only


def test_nothing_with_groups_pairs_or_the_family_before_somebody_asked_who_may_be_hurting_the_child() -> None:
    facts = unseen(
        Level.HIGH,
        areas=(AreaFinding(Area.ANXIETY, 0.9), AreaFinding(Area.PEER, 0.5)),
        context=frozenset({ContextFact.BOTH_PARENTS_AWAY, ContextFact.GRANDPARENT_CARE}),
        wishes=frozenset({"c-M01"}),
    )
    plan = draft(facts)
    assert not {MENU[code].kind for code in plan.components} & {"group", "pairing", "family"}
    waiting = {s.component for s in plan.skipped if s.reason is SkipReason.HARM_NOT_ANSWERED}
    assert {"c-G02", "c-F03", "c-F02", "c-M01"} <= waiting
    assert TaskKind.GUARDIAN_HARM_QUESTION in plan.tasks
    assert "R-L3" in plan.rules


def test_once_the_question_is_answered_they_come_in_before_the_assessment_is_written_up() -> None:
    facts = unseen(
        Level.HIGH, areas=(AreaFinding(Area.ANXIETY, 0.9),), harm_answer=HarmAnswer.NONE, probability=0.3
    )
    assert "c-G02" in chosen(facts)
    assert TaskKind.GUARDIAN_HARM_QUESTION not in draft(facts).tasks


def test_an_unclear_answer_still_keeps_the_family_out_but_not_groups() -> None:
    context = frozenset({ContextFact.BOTH_PARENTS_AWAY})
    facts = seen(Tier.FOCUS, Area.ANXIETY, harm_answer=HarmAnswer.UNCLEAR, context=context)
    assert "c-G02" in chosen(facts)
    assert "c-F03" not in chosen(facts)


# --- S rules ---------------------------------------------------------------------------------------------


def test_s1_a_crisis_has_its_four_safety_actions_and_an_emergency_referral() -> None:
    plan = draft(
        unseen(Level.CRISIS_ITEM, Grade.A, areas=(AreaFinding(Area.SELF_HARM, 1.0),), consents=frozenset())
    )
    assert set(plan.components) == {"c-K01", "c-K02", "c-K03", "c-W01", "c-R01"}
    assert plan.referral is not None
    assert plan.referral.urgency is Urgency.EMERGENCY
    assert plan.follow_up is FollowUpTemplate.CRISIS
    assert TaskKind.GUARDIAN_CONTACT in plan.tasks
    at_once = {action.component for action in plan.actions if action.starts_at_once}
    assert at_once == {"c-K01", "c-K02", "c-K03"}
    assert all(action.status is ActionStatus.PLANNED for action in plan.actions), (
        "life in danger asks no consent"
    )


def test_s1_no_group_sandplay_or_pairing_in_a_crisis() -> None:
    plan = draft(
        seen(
            Tier.CRISIS,
            Area.PEER,
            Area.TRAUMA,
            Area.SELF_HARM,
            age=9,
            context=frozenset({ContextFact.LIVES_ALONE}),
            wishes=frozenset({"c-M01"}),
        )
    )
    assert not {MENU[code].kind for code in plan.components} & {"group", "sandplay", "pairing"}
    assert {s.component: s.by for s in plan.skipped}["c-M01"] == "R-S1"


def test_s2_focus_with_self_harm() -> None:
    plan = draft(seen(Tier.FOCUS, Area.SELF_HARM))
    assert set(plan.components) == {"c-K01", "c-K02", "c-I01", "c-W01", "c-R01"}
    assert plan.referral is not None
    assert plan.referral.urgency is Urgency.URGENT
    assert plan.follow_up is FollowUpTemplate.FOCUS
    assert "c-K01" not in chosen(seen(Tier.FOCUS, Area.MOOD))


@pytest.mark.parametrize(
    "facts",
    [
        {"areas": (AreaFinding(Area.PSYCHOSIS_SIGNS),)},
        {"signs": frozenset({Sign.MANIA})},
        {"areas": (AreaFinding(Area.EATING),), "signs": frozenset({Sign.WEIGHT_LOSS})},
        {"areas": (AreaFinding(Area.SUBSTANCE),), "signs": frozenset({Sign.INTOXICATION})},
    ],
)
def test_s3_signs_that_need_a_clinic_are_referred_and_not_talked_away(facts: dict[str, Any]) -> None:
    areas = (*facts.get("areas", ()), AreaFinding(Area.MOOD, 0.9), AreaFinding(Area.ANXIETY, 0.8))
    plan = draft(seen(Tier.FOCUS, **(facts | {"areas": areas})))
    assert plan.referral is not None
    assert plan.referral.urgency is Urgency.URGENT
    assert "c-W01" in plan.components
    assert plan.advice == ("family_stays_with_child",)
    assert not {code for code in plan.components if code[2] in "IG"}


def test_s3_eating_worries_alone_or_substance_alone_are_no_emergency() -> None:
    assert draft(seen(Tier.FOCUS, Area.EATING)).referral is None
    assert draft(seen(Tier.FOCUS, Area.SUBSTANCE)).referral is None


def test_s3_sandplay_is_no_way_round_the_ban_for_a_small_child() -> None:
    assert "c-S01" not in chosen(seen(Tier.FOCUS, Area.PSYCHOSIS_SIGNS, Area.ANXIETY, age=8))


@pytest.mark.parametrize(
    "facts",
    [
        {"areas": (AreaFinding(Area.ABUSE),)},
        {"safety": frozenset({SafetyFact.VIOLENCE_AT_HOME})},
        {"harm_answer": HarmAnswer.HOME},
        {"areas": (AreaFinding(Area.ABUSE),), "harm_answer": HarmAnswer.UNCLEAR},
    ],
)
def test_s4_suspected_harm_is_reported_and_the_family_is_left_out(facts: dict[str, Any]) -> None:
    context = frozenset({ContextFact.BOTH_PARENTS_AWAY, ContextFact.GRANDPARENT_CARE})
    plan = draft(seen(Tier.FOCUS, context=context, **facts))
    assert TaskKind.MANDATORY_REPORT in plan.tasks
    assert {"c-C02", "c-I01", "c-C01"} <= set(plan.components)
    assert not {"c-F01", "c-F02", "c-F03"} & set(plan.components)
    assert plan.guardian_blocked


def test_s4_in_a_crisis_nobody_is_sent_to_the_suspected_guardian() -> None:
    plan = draft(seen(Tier.CRISIS, Area.SELF_HARM, harm_answer=HarmAnswer.HOME))
    assert TaskKind.GUARDIAN_CONTACT not in plan.tasks
    assert "c-K01" in plan.components


def test_s4_harm_at_school_is_reported_and_the_family_may_help() -> None:
    plan = draft(
        seen(Tier.FOCUS, harm_answer=HarmAnswer.SCHOOL, context=frozenset({ContextFact.BOTH_PARENTS_AWAY}))
    )
    assert TaskKind.MANDATORY_REPORT in plan.tasks
    assert "c-F03" in plan.components
    assert not plan.guardian_blocked


def test_s4_protection_is_there_at_every_tier() -> None:
    assert "c-C02" in chosen(seen(Tier.WATCH, Area.ABUSE))


# --- A rules ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("facts", "expected"),
    [
        ({"groups_running": frozenset({"c-G01"})}, True),
        ({"similar_pupils": 6}, True),
        ({"similar_pupils": 5}, False),
        ({"similar_pupils": 6, "age": 9}, False),
        ({"similar_pupils": 6, "age": 10}, True),
        ({"similar_pupils": 6, "age": 15}, True),
        ({"similar_pupils": 6, "age": 16}, False),
    ],
)
def test_a1_the_emotion_group_needs_a_group(facts: dict[str, Any], expected: bool) -> None:
    assert ("c-G01" in chosen(seen(Tier.WATCH, Area.MOOD, **facts))) is expected


def test_a1_is_for_watch_only() -> None:
    assert "c-G01" not in chosen(seen(Tier.FOCUS, Area.MOOD, similar_pupils=9))


def test_a2_low_mood_in_focus() -> None:
    assert chosen(seen(Tier.FOCUS, Area.MOOD)) == {"c-I03", "c-L02"}
    assert chosen(seen(Tier.FOCUS, Area.MOOD, Area.SLEEP)) == {"c-I03", "c-L02", "c-L01"}
    assert "c-I03" not in chosen(seen(Tier.FOCUS, Area.MOOD, age=10))


@pytest.mark.parametrize(
    ("facts", "urgency"),
    [
        ({"signs": frozenset({Sign.NO_GAIN_8W})}, Urgency.ROUTINE),
        ({"signs": frozenset({Sign.SEVERE_AT_START})}, Urgency.URGENT),
        ({"severe": True}, Urgency.URGENT),
    ],
)
def test_a2_severe_at_the_start_or_no_gain_is_referred(facts: dict[str, Any], urgency: Urgency) -> None:
    need = draft(seen(Tier.FOCUS, Area.MOOD, **facts)).referral
    assert need is not None
    assert need.urgency is urgency
    assert need.rules == ("R-A2",)


def test_a3_anxiety_and_the_exam_year() -> None:
    assert chosen(seen(Tier.WATCH, Area.ANXIETY)) == {"c-G02", "c-P01"}
    exam = seen(Tier.WATCH, Area.ANXIETY, context=frozenset({ContextFact.EXAM_YEAR}))
    assert chosen(exam) == {"c-G02", "c-P01", "c-A01"}


def test_a4_first_aid_within_a_month_then_the_group_with_a_trained_person_else_the_clinic() -> None:
    assert "c-I05" in chosen(seen(Tier.FOCUS, Area.TRAUMA, signs=frozenset({Sign.TRAUMA_WITHIN_MONTH})))
    assert "c-G03" in chosen(seen(Tier.FOCUS, Area.TRAUMA))
    nobody = seen(Tier.FOCUS, Area.TRAUMA, available=frozenset())
    assert "c-R01" in chosen(nobody)
    assert [gap.component for gap in draft(nobody).gaps] == ["c-G03"]


def test_a4_a_group_that_only_waits_for_the_harm_question_is_no_reason_to_refer() -> None:
    plan = draft(seen(Tier.FOCUS, Area.TRAUMA, harm_answer=None))
    assert plan.referral is None
    assert plan.gaps == ()


@pytest.mark.parametrize("facts", [{"age": 9}, {"signs": frozenset({Sign.FEW_WORDS})}])
def test_a5_sandplay_in_place_of_talk(facts: dict[str, Any]) -> None:
    plan = draft(seen(Tier.WATCH, Area.ANXIETY, **facts))
    assert "c-S01" in plan.components
    assert "c-G02" not in plan.components
    action = next(a for a in plan.actions if a.component == "c-S01")
    assert action.rule == "R-A5"
    assert "area:anxiety" in action.because


def test_a5_alone_chooses_nothing_and_first_aid_stays() -> None:
    assert chosen(seen(Tier.ROUTINE, age=8)) == set()
    facts = seen(Tier.FOCUS, Area.TRAUMA, age=8, signs=frozenset({Sign.TRAUMA_WITHIN_MONTH}))
    assert chosen(facts) == {"c-I05"}


def test_a5_without_a_tray_the_group_with_sand_is_next() -> None:
    facts = seen(Tier.WATCH, Area.ANXIETY, age=9, available=ALL_SKILLS - {"c-S01"})
    assert "c-S02" in chosen(facts)
    assert [gap.component for gap in draft(facts).gaps] == ["c-S01"]


def test_a6_peers_by_tier_and_the_weekly_check_after_a_transfer() -> None:
    assert chosen(seen(Tier.WATCH, Area.PEER)) == {"c-G04", "c-W02"}
    assert "c-S02" in chosen(seen(Tier.FOCUS, Area.ADAPTATION))
    moved = seen(Tier.WATCH, Area.ADAPTATION, context=frozenset({ContextFact.RECENT_TRANSFER}))
    assert TaskKind.WEEKLY_CHECK in draft(moved).tasks
    assert TaskKind.WEEKLY_CHECK not in draft(seen(Tier.WATCH, Area.ADAPTATION)).tasks


@pytest.mark.parametrize("tier", list(Tier))
def test_a7_bullying_is_stopped_the_same_day_at_any_tier(tier: Tier) -> None:
    assert "c-B01" in chosen(seen(tier, Area.BULLYING))
    assert "c-B01" in chosen(seen(tier, safety=frozenset({SafetyFact.BULLIED_DAILY})))


def test_a8_school_refusal_by_tier_with_bullying_ruled_out_first() -> None:
    refusal = frozenset({Sign.SCHOOL_REFUSAL})
    focus = draft(seen(Tier.FOCUS, Area.ACADEMIC, signs=refusal))
    assert {"c-A02", "c-F01"} <= set(focus.components)
    assert focus.advice == ("rule_out_bullying",)
    assert "c-A01" in chosen(seen(Tier.WATCH, Area.ACADEMIC, signs=refusal))
    assert "c-A02" not in chosen(seen(Tier.FOCUS, Area.ACADEMIC))


def test_a9_sleep_and_internet() -> None:
    assert "c-L01" in chosen(seen(Tier.WATCH, Area.SLEEP))
    assert "c-L03" not in chosen(seen(Tier.WATCH, Area.SLEEP))
    assert "c-L03" in chosen(seen(Tier.WATCH, Area.INTERNET))


# --- C rules ---------------------------------------------------------------------------------------------

LEFT_BEHIND = frozenset({ContextFact.BOTH_PARENTS_AWAY, ContextFact.GRANDPARENT_CARE})


def test_a09_two_parents_away_and_a_grandmother_in_focus() -> None:
    facts = seen(Tier.FOCUS, Area.MOOD, context=LEFT_BEHIND)
    plan = draft(facts)
    assert {"c-F03", "c-C01", "c-F02"} <= set(plan.components)
    assert plan.working_tier is Tier.FOCUS
    reasons = {action.component: action.because for action in plan.actions}
    assert reasons["c-F03"] == ("context:both_parents_away", "context:grandparent_care")
    assert [fact_words(reason, "zh") for reason in reasons["c-F02"]] == [
        "处境：父母双方外出",
        "处境：隔代照护",
    ]
    assert {action.rule for action in plan.actions if action.component in ("c-F03", "c-C01", "c-F02")} == {
        "R-C1"
    }


def test_c1_a_stand_in_parent_only_where_the_child_wishes_it_and_never_without_consent() -> None:
    assert "c-M01" not in chosen(seen(Tier.WATCH, context=LEFT_BEHIND))
    wished = seen(Tier.WATCH, context=LEFT_BEHIND, wishes=frozenset({"c-M01"}), consents=frozenset())
    pairing = next(a for a in draft(wished).actions if a.component == "c-M01")
    assert pairing.status is ActionStatus.PROPOSED
    assert "wished:c-M01" in pairing.because


def test_c1_the_grandparents_group_only_for_grandparents() -> None:
    assert "c-F02" not in chosen(seen(Tier.WATCH, context=frozenset({ContextFact.BOTH_PARENTS_AWAY})))


@pytest.mark.parametrize("fact", [ContextFact.LOW_INCOME, ContextFact.UNINSURED])
def test_c2_relief_is_linked_and_never_on_the_note(fact: ContextFact) -> None:
    plan = draft(seen(Tier.WATCH, Area.ANXIETY, context=frozenset({fact})))
    assert {action.component for action in plan.actions if action.off_note} == {"c-C03"}


def test_c3_living_alone_under_sixteen_is_reviewed() -> None:
    alone = frozenset({ContextFact.LIVES_ALONE})
    plan = draft(seen(Tier.WATCH, age=15, context=alone))
    assert TaskKind.GUARDIANSHIP_REVIEW in plan.tasks
    assert "c-C02" in plan.components
    assert TaskKind.GUARDIANSHIP_REVIEW not in draft(seen(Tier.WATCH, age=16, context=alone)).tasks


ANY_CONTEXT = st.frozensets(st.sampled_from(ContextFact))


@given(
    context=ANY_CONTEXT,
    level=st.sampled_from([None, *Level]),
    grade=st.sampled_from([None, *Grade]),
    areas=st.lists(st.sampled_from(Area), unique=True, max_size=4),
    harm=st.sampled_from([None, *HarmAnswer]),
    age=st.integers(6, 18),
    interview=st.booleans(),
)
def test_circumstances_choose_help_and_nothing_else(
    context: frozenset[ContextFact],
    level: Level | None,
    grade: Grade | None,
    areas: list[Area],
    harm: HarmAnswer | None,
    age: int,
    interview: bool,
) -> None:
    """With and without them: same tier, same referral, same follow-ups, same safety, no guardian blocked."""
    known: dict[str, Any] = {
        "areas": tuple(AreaFinding(area, 0.5) for area in areas),
        "harm_answer": harm,
        "age": age,
        "interview_done": interview,
    }
    plain, flipped = (
        draft(unseen(level, grade, **known)),
        draft(unseen(level, grade, context=context, **known)),
    )
    assert flipped.working_tier is plain.working_tier
    assert flipped.need == plain.need
    assert flipped.update_only == plain.update_only
    assert flipped.follow_up == plain.follow_up
    assert flipped.guardian_blocked == plain.guardian_blocked
    safety = {code for code in plain.components if MENU[code].kind == "safety"}
    assert {code for code in flipped.components if MENU[code].kind == "safety"} == safety


# --- D and Q rules ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("area", [Area.CONDUCT, Area.ATTENTION, Area.GRIEF, Area.FAMILY, Area.ACADEMIC])
def test_d1_a_child_whose_areas_no_rule_knows_still_has_somebody_to_talk_with(area: Area) -> None:
    plan = draft(seen(Tier.WATCH, area, context=LEFT_BEHIND, wishes=frozenset({"c-M01"})))
    action = next(a for a in plan.actions if a.component == "c-I01")
    assert action.rule == "R-D1"
    assert "nothing_chosen" in action.because


def test_d1_is_silent_where_something_was_chosen_and_at_routine() -> None:
    assert "R-D1" not in draft(seen(Tier.WATCH, Area.ANXIETY)).rules
    assert chosen(seen(Tier.ROUTINE, Area.CONDUCT)) == set()


def test_q1_the_next_in_the_list_and_a_gap_on_record() -> None:
    facts = seen(Tier.FOCUS, Area.MOOD, available=ALL_SKILLS - {"c-I03"})
    plan = draft(facts)
    assert "c-I04" in plan.components
    assert [gap.component for gap in plan.gaps] == ["c-I03"]
    assert skip_reasons(facts)["c-I03"] is SkipReason.NO_SKILL
    assert TaskKind.SERVICE_GAP in plan.tasks
    assert "R-Q1" in plan.rules


def test_q1_age_and_tier_pass_to_the_next_without_calling_it_a_gap() -> None:
    facts = seen(Tier.FOCUS, Area.MOOD, age=11, available=ALL_SKILLS - {"c-I03"})
    assert skip_reasons(facts)["c-I04"] is SkipReason.NOT_FOR_AGE
    assert [gap.component for gap in draft(facts).gaps] == ["c-I03"]
    assert skip_reasons(seen(Tier.FOCUS, Area.PEER))["c-G04"] is SkipReason.NOT_FOR_TIER


def test_q1_a_safety_plan_is_never_dropped_for_want_of_a_trained_person_or_for_age() -> None:
    plan = draft(seen(Tier.CRISIS, Area.SELF_HARM, available=frozenset(), age=7))
    assert "c-K01" in plan.components
    assert "c-K01" in {gap.component for gap in plan.gaps}


def test_q2_three_for_the_child_from_the_area_furthest_over_its_cut() -> None:
    areas = (AreaFinding(Area.MOOD, 0.2), AreaFinding(Area.ANXIETY, 0.9), AreaFinding(Area.SLEEP, 0.1))
    plan = draft(seen(Tier.FOCUS, areas=areas))
    assert plan.components == ("c-G02", "c-P01", "c-I03")
    assert [action.component for action in plan.parked] == ["c-L02", "c-L01"]
    assert all(action.status is ActionStatus.PARKED for action in plan.parked)
    turned = (AreaFinding(Area.MOOD, 0.9), AreaFinding(Area.ANXIETY, 0.2))
    assert draft(seen(Tier.FOCUS, areas=turned)).components == ("c-I03", "c-L02", "c-G02")
    assert "R-Q2" in plan.rules


def test_q2_two_for_the_carer_with_safety_first() -> None:
    plan = draft(seen(Tier.FOCUS, Area.SELF_HARM, context=LEFT_BEHIND))
    for_carer = [code for code in plan.components if MENU[code].counts_for == "carer"]
    assert for_carer == ["c-K02", "c-F03"]
    assert [action.component for action in plan.parked] == ["c-F02"]


def test_q3_what_lacks_consent_is_proposed_and_asked_for() -> None:
    plan = draft(seen(Tier.FOCUS, Area.MOOD, severe=True, consents=frozenset()))
    status = {action.component: action.status for action in plan.actions}
    assert status == {
        "c-I03": ActionStatus.PROPOSED,
        "c-L02": ActionStatus.PLANNED,
        "c-R01": ActionStatus.PROPOSED,
    }
    assert TaskKind.CONSENT_ASK in plan.tasks
    assert "R-Q3" in plan.rules
    assert TaskKind.CONSENT_ASK not in draft(seen(Tier.FOCUS, Area.MOOD)).tasks


@given(
    tier=st.sampled_from(Tier),
    areas=st.dictionaries(st.sampled_from(Area), st.floats(0, 1), max_size=6),
    signs=st.frozensets(st.sampled_from(Sign)),
    safety=st.frozensets(st.sampled_from(SafetyFact)),
    context=ANY_CONTEXT,
    harm=st.sampled_from([None, *HarmAnswer]),
    age=st.one_of(st.none(), st.integers(5, 19)),
    level=st.sampled_from([None, *Level]),
    grade=st.sampled_from([None, *Grade]),
    available=st.frozensets(st.sampled_from(sorted(MENU))),
    interview=st.booleans(),
    in_care=st.booleans(),
)
def test_what_holds_for_every_draft(
    tier: Tier,
    areas: dict[Area, float],
    signs: frozenset[Sign],
    safety: frozenset[SafetyFact],
    context: frozenset[ContextFact],
    harm: HarmAnswer | None,
    age: int | None,
    level: Level | None,
    grade: Grade | None,
    available: frozenset[str],
    interview: bool,
    in_care: bool,
) -> None:
    facts = PlanFacts(
        working_tier=tier,
        level=level,
        grade=grade,
        areas=tuple(AreaFinding(area, excess) for area, excess in areas.items()),
        signs=signs,
        safety=safety,
        context=context,
        age=age,
        harm_answer=harm,
        interview_done=interview,
        available=available,
        in_care=in_care,
    )
    plan = draft(facts)
    assert plan == draft(facts)
    codes = [*plan.components, *(action.component for action in plan.parked)]
    assert len(codes) == len(set(codes)), "one line per component"
    kinds = {MENU[code].kind for code in codes}
    for bucket, cap in RULES.caps.items():
        filled = [c for c in plan.components if MENU[c].counts_for == bucket]
        assert len(filled) <= max(cap, sum(MENU[c].kind == "safety" for c in filled))
    if harm is None:
        assert not kinds & {"group", "pairing", "family"}
    if plan.guardian_blocked:
        assert "family" not in kinds
        assert TaskKind.GUARDIAN_CONTACT not in plan.tasks
    if tier is Tier.CRISIS:
        assert {"c-K01", "c-K02", "c-K03"} <= set(plan.components)
        assert not kinds & {"group", "sandplay", "pairing"}
    if not interview and level in (Level.HIGH, Level.CRISIS_ITEM):
        assert plan.need is not None
        assert (plan.referral is None) is in_care
    assert ("c-R01" in codes) is (plan.referral is not None)
    for action in (*plan.actions, *plan.parked):
        assert action.because, "every line says which facts chose it"
        assert action.rule in RULES.rules
        assert isinstance(action.who, Role)
        for reason in action.because:
            assert "_" not in fact_words(reason, "zh")
            assert fact_words(reason, "en")
    assert {skip.by for skip in plan.skipped if skip.by} <= set(plan.rules)


# --- Words -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("reason", "zh", "en"),
    [
        ("area:self_harm", "领域：自伤自杀", "area: self harm"),
        ("assumed_tier:focus", "草案假定：重点关注", "assumed for the draft: focus"),
        ("level:high", "筛查提示：优先约谈", "screen result: see first"),
        ("harm:unanswered", "可能伤害孩子的人：尚未回答", "who may be hurting the child: not answered yet"),
        (
            "group:c-G01",
            "本地可开团体：团体情绪技能（EASE 类）",
            "a group can be run here: group emotion skills (EASE type)",
        ),
        ("severe", "得分达到严重下限", "a score at its severe floor"),
        ("age:9", "年龄：9", "age: 9"),
    ],
)
def test_facts_in_words(reason: str, zh: str, en: str) -> None:
    assert fact_words(reason, "zh") == zh
    assert fact_words(reason, "en") == en


def test_before_an_assessment_the_tier_is_called_an_assumption() -> None:
    before = draft(unseen(Level.HIGH, areas=(AreaFinding(Area.ANXIETY, 0.5),)))
    after = draft(seen(Tier.FOCUS, Area.ANXIETY))
    assert "assumed_tier:focus" in next(a for a in before.actions if a.component == "c-P01").because
    assert "tier:focus" in next(a for a in after.actions if a.component == "c-P01").because
