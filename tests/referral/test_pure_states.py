"""The tables of the workflow: complete, reachable, with a turn, and as printed."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date, timedelta
from enum import Enum
from itertools import pairwise, product
from pathlib import Path

import pytest

from api.docs.states import render_all
from referral import states, terms
from referral.terms import (
    CallStatus,
    CaseStatus,
    ClosingReason,
    CrisisStep,
    Custody,
    FollowUpStatus,
    PlanStatus,
    ReferralStatus,
    StandDownGuard,
    StepResult,
    Term,
    Turn,
)
from screening.core.errors import InvalidTransition

MACHINES = {
    "case": (CaseStatus, CaseStatus.INTAKE, states.CASE_TRANSITIONS, states.CASE_TURN),
    "plan": (PlanStatus, PlanStatus.DRAFTED, states.PLAN_TRANSITIONS, states.PLAN_TURN),
    "referral": (ReferralStatus, ReferralStatus.DRAFT, states.REFERRAL_TRANSITIONS, states.REFERRAL_TURN),
    "followup": (FollowUpStatus, FollowUpStatus.DUE, states.FOLLOWUP_TRANSITIONS, states.FOLLOWUP_TURN),
    "crisis": (CrisisStep, CrisisStep.OPENED, states.CRISIS_TRANSITIONS, states.CRISIS_TURN),
    "call": (CallStatus, CallStatus.OPEN, states.CALL_TRANSITIONS, states.CALL_TURN),
}
Machine = tuple[type[Term], Term, Mapping[Term, frozenset[Term]], Mapping[Term, Turn]]


@pytest.fixture(params=MACHINES, ids=str)
def machine(request: pytest.FixtureRequest) -> Machine:
    return MACHINES[request.param]


def test_every_status_has_a_row_and_a_turn(machine: Machine) -> None:
    statuses, _, transitions, turns = machine
    assert set(transitions) == set(turns) == set(statuses)
    assert frozenset().union(*transitions.values()) <= set(statuses)


def test_every_status_can_be_reached(machine: Machine) -> None:
    statuses, start, transitions, _ = machine
    reached, edge = {start}, {start}
    while edge:
        edge = frozenset().union(*(transitions[status] for status in edge)) - reached
        reached |= edge
    assert reached == set(statuses)


def test_nobody_has_the_turn_only_where_nothing_is_waited_for(machine: Machine) -> None:
    """A status that is somebody's turn leads somewhere; one that leads nowhere is nobody's."""
    _, _, transitions, turns = machine
    for status, targets in transitions.items():
        if not targets:
            assert turns[status] is Turn.NOBODY
        if turns[status] is not Turn.NOBODY:
            assert targets


def test_every_term_has_its_chinese_word_and_no_word_twice() -> None:
    lists = [t for t in vars(terms).values() if isinstance(t, type) and issubclass(t, Term) and len(t)]
    assert len(lists) > 25
    for each in lists:
        words = [member.zh for member in each]
        assert all(words), each
        assert len(set(words)) == len(words), each
        assert len({member.value for member in each}) == len(each.__members__), each


def test_the_chain_of_a_referral_is_walked() -> None:
    road = [
        ReferralStatus.DRAFT,
        ReferralStatus.AWAITING_GUARDIAN,
        ReferralStatus.READY,
        ReferralStatus.SENT,
        ReferralStatus.RECEIVED,
        ReferralStatus.ACCEPTED,
        ReferralStatus.SCHEDULED,
        ReferralStatus.ATTENDED,
        ReferralStatus.IN_CARE,
        ReferralStatus.RETURNED,
        ReferralStatus.ACKNOWLEDGED,
        ReferralStatus.COMPLETED,
    ]
    for from_, to in pairwise(road):
        states.check_transition(states.REFERRAL_TRANSITIONS, from_, to)


@pytest.mark.parametrize(
    ("from_", "to"),
    [
        (ReferralStatus.INFO_REQUESTED, ReferralStatus.RECEIVED),
        (ReferralStatus.GUARDIAN_REFUSED, ReferralStatus.AWAITING_GUARDIAN),
        (ReferralStatus.GUARDIAN_REFUSED, ReferralStatus.WITHDRAWN),
        (ReferralStatus.NO_SHOW, ReferralStatus.SCHEDULED),
        (ReferralStatus.NO_SHOW, ReferralStatus.WITHDRAWN),
        (ReferralStatus.EXPIRED_NO_ANSWER, ReferralStatus.RECEIVED),
        (ReferralStatus.EXPIRED_NO_ANSWER, ReferralStatus.REROUTED),
        (ReferralStatus.COMPLETED, ReferralStatus.RETURNED),
        (ReferralStatus.SCHEDULED, ReferralStatus.SCHEDULED),
        (ReferralStatus.ATTENDED, ReferralStatus.RETURNED),
    ],
)
def test_the_side_roads_of_a_referral(from_: ReferralStatus, to: ReferralStatus) -> None:
    assert states.can_transition(states.REFERRAL_TRANSITIONS, from_, to)


def test_any_referral_before_attended_can_be_withdrawn_and_none_after() -> None:
    after = {
        ReferralStatus.ATTENDED,
        ReferralStatus.IN_CARE,
        ReferralStatus.RETURNED,
        ReferralStatus.ACKNOWLEDGED,
        ReferralStatus.COMPLETED,
        ReferralStatus.REROUTED,
        ReferralStatus.WITHDRAWN,
    }
    can = {s for s in ReferralStatus if ReferralStatus.WITHDRAWN in states.REFERRAL_TRANSITIONS[s]}
    assert can == set(ReferralStatus) - after


def test_only_ready_reaches_the_facility_without_the_emergency_basis() -> None:
    ways = {s for s in ReferralStatus if ReferralStatus.SENT in states.REFERRAL_TRANSITIONS[s]}
    assert {s for s in ways if not states.needs_emergency_basis(s, ReferralStatus.SENT)} == {
        ReferralStatus.READY
    }
    assert {(s, ReferralStatus.SENT) for s in ways - {ReferralStatus.READY}} == states.EMERGENCY_ONLY


def test_a_step_outside_the_table_is_refused_and_names_only_codes() -> None:
    with pytest.raises(InvalidTransition) as refused:
        states.check_transition(states.REFERRAL_TRANSITIONS, ReferralStatus.DECLINED, ReferralStatus.ACCEPTED)
    assert refused.value.params == {"from_status": "declined", "to_status": "accepted"}


def test_a_closing_reason_is_good_only_where_the_case_can_close() -> None:
    assert set(states.CLOSING_FROM) == set(ClosingReason)
    for allowed in states.CLOSING_FROM.values():
        assert allowed
        assert all(CaseStatus.CLOSED in states.CASE_TRANSITIONS[status] for status in allowed)
    assert states.CLOSING_FROM[ClosingReason.DECEASED] == states.CASE_OPEN
    assert CaseStatus.ACTIVE not in states.CLOSING_FROM[ClosingReason.GOALS_MET]


def test_a_protected_case_is_never_the_schools_turn() -> None:
    for status in CaseStatus:
        assert states.case_turn(status, Custody.PROTECTED) is not Turn.SCHOOL
        assert states.case_turn(status, Custody.SCHOOL) is states.CASE_TURN[status]
    assert states.case_turn(CaseStatus.CLOSED, Custody.PROTECTED) is Turn.NOBODY


def test_crisis_steps_come_in_any_order_and_the_end_is_the_end() -> None:
    for from_, to in product(CrisisStep, CrisisStep):
        allowed = from_ is not CrisisStep.STOOD_DOWN and to is not CrisisStep.OPENED
        assert states.can_transition(states.CRISIS_TRANSITIONS, from_, to) is allowed


TODAY = date(2026, 3, 4)
READY_TO_STAND_DOWN = {
    "steps": dict.fromkeys(states.CRISIS_WORK, StepResult.DONE),
    "signers": 2,
    "safety_plan_done": True,
    "follow_ups_created": True,
    "review_meeting_on": TODAY + timedelta(days=7),
    "today": TODAY,
    "report_needed": True,
    "report_done": True,
}


def test_a_crisis_with_all_guards_can_be_stood_down() -> None:
    assert states.missing_for_stand_down(states.StandDownFacts(**READY_TO_STAND_DOWN)) == ()


@pytest.mark.parametrize(
    ("change", "missing"),
    [
        (
            {"steps": {CrisisStep.ACKNOWLEDGED: StepResult.DONE}},
            StandDownGuard.STEPS_SETTLED,
        ),
        (
            {"steps": READY_TO_STAND_DOWN["steps"] | {CrisisStep.CHILD_SAFE: StepResult.BLOCKED}},
            StandDownGuard.STEPS_SETTLED,
        ),
        ({"signers": 1}, StandDownGuard.TWO_PEOPLE),
        ({"safety_plan_done": False}, StandDownGuard.SAFETY_PLAN),
        ({"follow_ups_created": False}, StandDownGuard.FOLLOW_UPS),
        ({"review_meeting_on": None}, StandDownGuard.REVIEW_MEETING),
        ({"review_meeting_on": TODAY + timedelta(days=8)}, StandDownGuard.REVIEW_MEETING),
        ({"review_meeting_on": TODAY - timedelta(days=1)}, StandDownGuard.REVIEW_MEETING),
        ({"report_done": False}, StandDownGuard.MANDATORY_REPORT),
    ],
)
def test_each_guard_alone_holds_a_crisis_open(change: dict[str, object], missing: StandDownGuard) -> None:
    facts = states.StandDownFacts(**(READY_TO_STAND_DOWN | change))
    assert states.missing_for_stand_down(facts) == (missing,)


def test_a_blocked_guardian_counts_as_settled() -> None:
    steps = READY_TO_STAND_DOWN["steps"] | {CrisisStep.GUARDIAN_REACHED: StepResult.BLOCKED}
    facts = states.StandDownFacts(**(READY_TO_STAND_DOWN | {"steps": steps}))
    assert states.missing_for_stand_down(facts) == ()


def test_the_printed_tables_are_up_to_date() -> None:
    root = Path(__file__).parents[2]
    for path, text in render_all().items():
        assert (root / path).read_text(encoding="utf-8") == text, f"regenerate {path}"


def test_a_finding_is_a_label_only_where_somebody_judged() -> None:
    labels: dict[Enum, int | None] = {finding: finding.label for finding in terms.Finding}
    assert {f.value for f, label in labels.items() if label == 1} == {"needs_care"}
    assert {f.value for f, label in labels.items() if label == 0} == {"no_need", "subthreshold"}
