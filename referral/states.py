"""Statuses, the steps between them, and whose turn it is: one table per machine.

The machines run side by side (a case may have two referrals, one declined, while its plan is under review);
nothing here joins them. Tables follow the field guide's workflow and the rows settled later; the comment
beside a row says where it departs. ``docs/reference/states.md`` is generated from this file.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, timedelta
from typing import TypeVar

from referral.terms import (
    CallGuard,
    CallLevel,
    CallStatus,
    CallType,
    CaseStatus,
    ClosingReason,
    CrisisStep,
    Custody,
    FollowUpStatus,
    HandoverTo,
    HarmAnswer,
    PlanStatus,
    ReferralStatus,
    StandDownGuard,
    StepResult,
    Term,
    Turn,
)
from screening.core.errors import InvalidTransition

Status = TypeVar("Status", bound=Term)

# --- Case ------------------------------------------------------------------------------------------------

_LEFT_OPEN = frozenset({CaseStatus.ON_HOLD, CaseStatus.TRANSFERRING, CaseStatus.LOST_CONTACT})
_WAY_BACK = frozenset({CaseStatus.INTAKE, CaseStatus.ASSESSING, CaseStatus.ACTIVE, CaseStatus.MONITORING})

# CLOSED stands in every row because a death or a merged duplicate ends a case from anywhere; which reason is
# good from where is CLOSING_FROM. Raising or lowering a tier is history of the case, not a step between states.
CASE_TRANSITIONS: dict[CaseStatus, frozenset[CaseStatus]] = {
    CaseStatus.INTAKE: frozenset({CaseStatus.ASSESSING, CaseStatus.CLOSED}) | _LEFT_OPEN,
    CaseStatus.ASSESSING: frozenset({CaseStatus.ACTIVE, CaseStatus.CLOSED}) | _LEFT_OPEN,
    CaseStatus.ACTIVE: frozenset({CaseStatus.MONITORING, CaseStatus.CLOSED}) | _LEFT_OPEN,
    CaseStatus.MONITORING: frozenset({CaseStatus.ACTIVE, CaseStatus.CLOSED}) | _LEFT_OPEN,
    # A side state ends where it began, or in another side state: a child on leave may move or disappear.
    CaseStatus.ON_HOLD: _WAY_BACK | (_LEFT_OPEN - {CaseStatus.ON_HOLD}) | {CaseStatus.CLOSED},
    CaseStatus.TRANSFERRING: _WAY_BACK | (_LEFT_OPEN - {CaseStatus.TRANSFERRING}) | {CaseStatus.CLOSED},
    CaseStatus.LOST_CONTACT: _WAY_BACK | (_LEFT_OPEN - {CaseStatus.LOST_CONTACT}) | {CaseStatus.CLOSED},
    CaseStatus.CLOSED: frozenset({CaseStatus.INTAKE}),
}
CASE_OPEN: frozenset[CaseStatus] = frozenset(CaseStatus) - {CaseStatus.CLOSED}

CASE_TURN: dict[CaseStatus, Turn] = {
    CaseStatus.INTAKE: Turn.SCHOOL,
    CaseStatus.ASSESSING: Turn.SCHOOL,
    CaseStatus.ACTIVE: Turn.SCHOOL,
    CaseStatus.MONITORING: Turn.SCHOOL,
    CaseStatus.ON_HOLD: Turn.SCHOOL,  # the wake-up date is the owner's
    CaseStatus.TRANSFERRING: Turn.SCHOOL,  # the old school keeps it until the new one accepts
    CaseStatus.LOST_CONTACT: Turn.COUNTY,  # monthly attempt, watched by the county centre
    CaseStatus.CLOSED: Turn.NOBODY,
}

CLOSING_FROM: dict[ClosingReason, frozenset[CaseStatus]] = {
    ClosingReason.GOALS_MET: frozenset({CaseStatus.MONITORING}),
    ClosingReason.SCREENED_OUT: frozenset({CaseStatus.ASSESSING}),
    ClosingReason.TRANSFERRED_ACCEPTED: frozenset({CaseStatus.TRANSFERRING}),
    ClosingReason.LEFT_SCHOOL_HANDED_OVER: frozenset({CaseStatus.TRANSFERRING}),
    ClosingReason.GUARDIAN_DECLINED_LOW_RISK: frozenset({CaseStatus.ASSESSING, CaseStatus.MONITORING}),
    ClosingReason.LOST_AFTER_LADDER: frozenset({CaseStatus.LOST_CONTACT}),
    ClosingReason.DUPLICATE_MERGED: CASE_OPEN,
    ClosingReason.DECEASED: CASE_OPEN,
}


def case_turn(status: CaseStatus, custody: Custody) -> Turn:
    """Whose turn a case is. A protected case is never the school's: no school account knows it exists."""
    turn = CASE_TURN[status]
    return Turn.COUNTY if custody is Custody.PROTECTED and turn is Turn.SCHOOL else turn


# --- Plan version ----------------------------------------------------------------------------------------

# A version is immutable. Any change, in any living state, makes the next version and supersedes this one; a
# return note makes a review due even on a draft (a triage request may be answered before anybody confirmed).
PLAN_TRANSITIONS: dict[PlanStatus, frozenset[PlanStatus]] = {
    PlanStatus.DRAFTED: frozenset(
        {PlanStatus.CONFIRMED, PlanStatus.REVIEW_DUE, PlanStatus.SUPERSEDED, PlanStatus.STOPPED}
    ),
    PlanStatus.CONFIRMED: frozenset(
        {PlanStatus.IN_PROGRESS, PlanStatus.REVIEW_DUE, PlanStatus.SUPERSEDED, PlanStatus.STOPPED}
    ),
    PlanStatus.IN_PROGRESS: frozenset({PlanStatus.REVIEW_DUE, PlanStatus.SUPERSEDED, PlanStatus.STOPPED}),
    PlanStatus.REVIEW_DUE: frozenset({PlanStatus.SUPERSEDED, PlanStatus.COMPLETED, PlanStatus.STOPPED}),
    PlanStatus.SUPERSEDED: frozenset(),
    PlanStatus.COMPLETED: frozenset(),
    PlanStatus.STOPPED: frozenset(),
}
PLAN_CURRENT: frozenset[PlanStatus] = frozenset(
    {PlanStatus.DRAFTED, PlanStatus.CONFIRMED, PlanStatus.IN_PROGRESS, PlanStatus.REVIEW_DUE}
)

PLAN_TURN: dict[PlanStatus, Turn] = {
    status: Turn.SCHOOL if status in PLAN_CURRENT else Turn.NOBODY for status in PlanStatus
}

# --- Referral --------------------------------------------------------------------------------------------

REFERRAL_TRANSITIONS: dict[ReferralStatus, frozenset[ReferralStatus]] = {
    # READY straight from DRAFT: consent stood before the campaign and the guardian has been told.
    ReferralStatus.DRAFT: frozenset(
        {
            ReferralStatus.AWAITING_GUARDIAN,
            ReferralStatus.READY,
            ReferralStatus.SENT,
            ReferralStatus.WITHDRAWN,
        }
    ),
    ReferralStatus.AWAITING_GUARDIAN: frozenset(
        {
            ReferralStatus.READY,
            ReferralStatus.GUARDIAN_REFUSED,
            ReferralStatus.SENT,
            ReferralStatus.WITHDRAWN,
        }
    ),
    ReferralStatus.GUARDIAN_REFUSED: frozenset(
        {ReferralStatus.AWAITING_GUARDIAN, ReferralStatus.SENT, ReferralStatus.WITHDRAWN}
    ),
    ReferralStatus.READY: frozenset({ReferralStatus.SENT, ReferralStatus.WITHDRAWN}),
    ReferralStatus.SENT: frozenset(
        {ReferralStatus.RECEIVED, ReferralStatus.EXPIRED_NO_ANSWER, ReferralStatus.WITHDRAWN}
    ),
    ReferralStatus.RECEIVED: frozenset(
        {
            ReferralStatus.INFO_REQUESTED,
            ReferralStatus.ACCEPTED,
            ReferralStatus.DECLINED,
            ReferralStatus.EXPIRED_NO_ANSWER,
            ReferralStatus.WITHDRAWN,
        }
    ),
    ReferralStatus.INFO_REQUESTED: frozenset({ReferralStatus.RECEIVED, ReferralStatus.WITHDRAWN}),
    ReferralStatus.ACCEPTED: frozenset({ReferralStatus.SCHEDULED, ReferralStatus.WITHDRAWN}),
    ReferralStatus.DECLINED: frozenset({ReferralStatus.REROUTED, ReferralStatus.WITHDRAWN}),
    # An answer that comes late still counts.
    ReferralStatus.EXPIRED_NO_ANSWER: frozenset(
        {ReferralStatus.RECEIVED, ReferralStatus.REROUTED, ReferralStatus.WITHDRAWN}
    ),
    ReferralStatus.REROUTED: frozenset(),  # a new referral, linked, goes on from here
    # SCHEDULED again: the appointment was moved, and moves are counted.
    ReferralStatus.SCHEDULED: frozenset(
        {
            ReferralStatus.SCHEDULED,
            ReferralStatus.ATTENDED,
            ReferralStatus.NO_SHOW,
            ReferralStatus.WITHDRAWN,
        }
    ),
    ReferralStatus.NO_SHOW: frozenset({ReferralStatus.SCHEDULED, ReferralStatus.WITHDRAWN}),
    ReferralStatus.ATTENDED: frozenset({ReferralStatus.IN_CARE, ReferralStatus.RETURNED}),
    ReferralStatus.IN_CARE: frozenset({ReferralStatus.RETURNED}),
    ReferralStatus.RETURNED: frozenset({ReferralStatus.ACKNOWLEDGED}),
    # RETURNED from here and from COMPLETED: the facility wrote a further note, which somebody must read.
    ReferralStatus.ACKNOWLEDGED: frozenset({ReferralStatus.COMPLETED, ReferralStatus.RETURNED}),
    ReferralStatus.COMPLETED: frozenset({ReferralStatus.RETURNED}),
    ReferralStatus.WITHDRAWN: frozenset(),
}
REFERRAL_OPEN: frozenset[ReferralStatus] = frozenset(ReferralStatus) - {
    ReferralStatus.COMPLETED,
    ReferralStatus.REROUTED,
    ReferralStatus.WITHDRAWN,
}

# These steps pass the guardian by. They are good on the emergency basis only (danger to life); the caller's
# policy asks ``needs_emergency_basis`` before it takes one.
EMERGENCY_ONLY: frozenset[tuple[ReferralStatus, ReferralStatus]] = frozenset(
    {
        (ReferralStatus.DRAFT, ReferralStatus.SENT),
        (ReferralStatus.AWAITING_GUARDIAN, ReferralStatus.SENT),
        (ReferralStatus.GUARDIAN_REFUSED, ReferralStatus.SENT),
    }
)

REFERRAL_TURN: dict[ReferralStatus, Turn] = {
    ReferralStatus.DRAFT: Turn.SCHOOL,
    ReferralStatus.AWAITING_GUARDIAN: Turn.GUARDIAN,
    ReferralStatus.GUARDIAN_REFUSED: Turn.SCHOOL,
    ReferralStatus.READY: Turn.SCHOOL,
    ReferralStatus.SENT: Turn.FACILITY,
    ReferralStatus.RECEIVED: Turn.FACILITY,
    ReferralStatus.INFO_REQUESTED: Turn.SCHOOL,
    ReferralStatus.ACCEPTED: Turn.FACILITY,
    ReferralStatus.DECLINED: Turn.SCHOOL,
    ReferralStatus.EXPIRED_NO_ANSWER: Turn.COUNTY,
    ReferralStatus.REROUTED: Turn.NOBODY,
    ReferralStatus.SCHEDULED: Turn.FACILITY,  # it says came or did not come
    ReferralStatus.NO_SHOW: Turn.SCHOOL,
    ReferralStatus.ATTENDED: Turn.FACILITY,
    ReferralStatus.IN_CARE: Turn.FACILITY,
    ReferralStatus.RETURNED: Turn.SCHOOL,
    ReferralStatus.ACKNOWLEDGED: Turn.SCHOOL,
    ReferralStatus.COMPLETED: Turn.NOBODY,
    ReferralStatus.WITHDRAWN: Turn.NOBODY,
}


def needs_emergency_basis(from_: ReferralStatus, to: ReferralStatus) -> bool:
    """Does this step skip the guardian?"""
    return (from_, to) in EMERGENCY_ONLY


# --- Follow-up -------------------------------------------------------------------------------------------

FOLLOWUP_TRANSITIONS: dict[FollowUpStatus, frozenset[FollowUpStatus]] = {
    FollowUpStatus.DUE: frozenset(
        {FollowUpStatus.DONE, FollowUpStatus.MISSED, FollowUpStatus.MOVED, FollowUpStatus.CANCELLED}
    ),
    FollowUpStatus.DONE: frozenset(),
    FollowUpStatus.MISSED: frozenset(),  # a record with a reason, never a deletion
    FollowUpStatus.MOVED: frozenset(),  # another row carries the new day
    FollowUpStatus.CANCELLED: frozenset(),
}

FOLLOWUP_TURN: dict[FollowUpStatus, Turn] = {
    status: Turn.SCHOOL if status is FollowUpStatus.DUE else Turn.NOBODY for status in FollowUpStatus
}

# --- Crisis episode --------------------------------------------------------------------------------------

CRISIS_WORK: frozenset[CrisisStep] = frozenset(CrisisStep) - {CrisisStep.OPENED, CrisisStep.STOOD_DOWN}

# Any step may be recorded after any other, and corrected by recording it again; only the end is an end.
CRISIS_TRANSITIONS: dict[CrisisStep, frozenset[CrisisStep]] = {
    step: frozenset() if step is CrisisStep.STOOD_DOWN else CRISIS_WORK | {CrisisStep.STOOD_DOWN}
    for step in CrisisStep
}

CRISIS_TURN: dict[CrisisStep, Turn] = {
    CrisisStep.OPENED: Turn.DUTY,  # rings until a named adult presses 我来处理
    CrisisStep.ACKNOWLEDGED: Turn.SCHOOL,
    CrisisStep.CHILD_SAFE: Turn.SCHOOL,
    CrisisStep.GUARDIAN_REACHED: Turn.SCHOOL,
    CrisisStep.PROFESSIONAL_REACHED: Turn.SCHOOL,
    CrisisStep.HANDED_OVER: Turn.SCHOOL,
    CrisisStep.STOOD_DOWN: Turn.NOBODY,
}

REVIEW_MEETING_WITHIN = timedelta(days=7)


@dataclass(frozen=True, slots=True)
class StandDownFacts:
    """What is on record when somebody wants to stand a crisis episode down.

    ``steps`` holds each recorded step; a result other than ``done`` counts only where the action stored its
    reason. ``signers`` are different people, counsellor and lead.
    """

    steps: Mapping[CrisisStep, StepResult]
    signers: int
    safety_plan_done: bool
    follow_ups_created: bool
    review_meeting_on: date | None
    today: date
    report_needed: bool
    report_done: bool


def missing_for_stand_down(facts: StandDownFacts) -> tuple[StandDownGuard, ...]:
    """The guards that do not hold yet, in the order in which they are listed; empty when all do."""
    meeting = facts.review_meeting_on
    holds = {
        StandDownGuard.STEPS_SETTLED: facts.steps.keys() >= CRISIS_WORK
        and _blocks_only_the_guardian(facts.steps),
        StandDownGuard.TWO_PEOPLE: facts.signers >= 2,
        StandDownGuard.SAFETY_PLAN: facts.safety_plan_done,
        StandDownGuard.FOLLOW_UPS: facts.follow_ups_created,
        StandDownGuard.REVIEW_MEETING: meeting is not None
        and facts.today <= meeting <= facts.today + REVIEW_MEETING_WITHIN,
        StandDownGuard.MANDATORY_REPORT: facts.report_done or not facts.report_needed,
    }
    return tuple(guard for guard in StandDownGuard if not holds[guard])


def _blocks_only_the_guardian(steps: Mapping[CrisisStep, StepResult]) -> bool:
    """Blocked means: suspected harm by the guardian. No other step can be blocked."""
    return all(
        step is CrisisStep.GUARDIAN_REACHED or result is not StepResult.BLOCKED
        for step, result in steps.items()
    )


# --- Hotline call ----------------------------------------------------------------------------------------

CALL_TRANSITIONS: dict[CallStatus, frozenset[CallStatus]] = {
    # CLOSED straight from here: a silent call, a prank, a wrong number.
    CallStatus.OPEN: frozenset({CallStatus.TRIAGED, CallStatus.CLOSED}),
    CallStatus.TRIAGED: frozenset(
        {
            CallStatus.INFORMING,
            CallStatus.LINKED,
            CallStatus.UNLINKED,
            CallStatus.HANDOVER_SENT,
            CallStatus.FOLLOW_UP_DUE,
            CallStatus.CLOSED,
        }
    ),
    CallStatus.INFORMING: frozenset(
        {
            CallStatus.LINKED,
            CallStatus.UNLINKED,
            CallStatus.HANDOVER_SENT,
            CallStatus.FOLLOW_UP_DUE,
            CallStatus.CLOSED,
        }
    ),
    CallStatus.LINKED: frozenset(
        {CallStatus.UNLINKED, CallStatus.HANDOVER_SENT, CallStatus.FOLLOW_UP_DUE, CallStatus.CLOSED}
    ),
    # INFORMING: the level was lowered after the line was closed.
    CallStatus.UNLINKED: frozenset(
        {
            CallStatus.LINKED,
            CallStatus.INFORMING,
            CallStatus.HANDOVER_SENT,
            CallStatus.FOLLOW_UP_DUE,
            CallStatus.CLOSED,
        }
    ),
    # Only a named person's "yes, we have it" leads on; a call is never closed over an unheard handover.
    CallStatus.HANDOVER_SENT: frozenset({CallStatus.HANDOVER_ACKNOWLEDGED}),
    CallStatus.HANDOVER_ACKNOWLEDGED: frozenset(
        {CallStatus.HANDOVER_SENT, CallStatus.FOLLOW_UP_DUE, CallStatus.CLOSED}
    ),
    # The ways back: a follow-up found things worse, or the last contact has been made.
    CallStatus.FOLLOW_UP_DUE: frozenset(
        {
            CallStatus.HANDOVER_SENT,
            CallStatus.HANDOVER_ACKNOWLEDGED,
            CallStatus.INFORMING,
            CallStatus.LINKED,
            CallStatus.UNLINKED,
            CallStatus.CLOSED,
        }
    ),
    CallStatus.CLOSED: frozenset(),  # whoever calls again is a new call
}

CALL_TURN: dict[CallStatus, Turn] = {
    status: {CallStatus.HANDOVER_SENT: Turn.DUTY, CallStatus.CLOSED: Turn.NOBODY}.get(status, Turn.HOTLINE)
    for status in CallStatus
}

CALL_DANGER: frozenset[CallLevel] = frozenset({CallLevel.A, CallLevel.B})
# Coded, and nothing more is asked of the operator.
CALL_CODED: frozenset[CallType] = frozenset({CallType.SILENT, CallType.PRANK, CallType.WRONG})
# Nobody of these signs in here: the hotline hears their answer on the telephone.
HANDOVER_OUTSIDE: frozenset[HandoverTo] = frozenset({HandoverTo.POLICE_110, HandoverTo.AMBULANCE_120})
# Who may be told when somebody at the school may have harmed the child (never the school).
HANDOVER_PAST_THE_SCHOOL: frozenset[HandoverTo] = frozenset(
    {HandoverTo.COUNTY_CENTRE, HandoverTo.PROTECTION_CENTRE, HandoverTo.POLICE_110}
)


@dataclass(frozen=True, slots=True)
class HandoverFact:
    """One handover of a call: to whom, acknowledged, answered with a result."""

    to: HandoverTo
    acknowledged: bool
    answered: bool


@dataclass(frozen=True, slots=True)
class CallFacts:
    """What is on record about a hotline call.

    ``summary`` is the number of characters; ``why_no_handover``: the operator wrote why nobody can be told;
    ``review_asked`` stays true when the level is lowered later.
    """

    level: CallLevel | None
    type: CallType | None
    ended: bool
    linked: bool
    was_linked: bool
    handovers: tuple[HandoverFact, ...]
    follow_ups_due: bool
    summary: int
    confidentiality_told: bool
    scales: bool
    why_no_handover: bool
    harm_by: HarmAnswer | None
    review_asked: bool
    reviewed: bool
    disclosure_open: bool
    report_open: bool

    @property
    def danger(self) -> bool:
        return self.level in CALL_DANGER


def call_status(facts: CallFacts) -> CallStatus:
    """Where a call that nobody has closed stands: the farthest thing that is on record."""
    if facts.level is None:
        return CallStatus.OPEN
    if any(not handover.acknowledged for handover in facts.handovers):
        return CallStatus.HANDOVER_SENT
    if facts.follow_ups_due:
        return CallStatus.FOLLOW_UP_DUE
    if facts.handovers:
        return CallStatus.HANDOVER_ACKNOWLEDGED
    return _without_handover(facts)


def _without_handover(facts: CallFacts) -> CallStatus:
    if facts.linked:
        return CallStatus.LINKED
    if facts.was_linked:
        return CallStatus.UNLINKED
    if not facts.ended:
        return CallStatus.TRIAGED
    return CallStatus.INFORMING if facts.level is CallLevel.D else CallStatus.UNLINKED


def missing_for_closing(facts: CallFacts) -> tuple[CallGuard, ...]:
    """What a call still needs before it is closed, in the order in which it is listed; empty when nothing."""
    coded = facts.type in CALL_CODED and facts.level is None
    holds = {
        CallGuard.ENDED: facts.ended,
        CallGuard.TYPE: facts.type is not None,
        CallGuard.LEVEL: coded or facts.level is not None,
        CallGuard.SUMMARY: coded or 0 < facts.summary <= SUMMARY_LIMIT,
        CallGuard.CONFIDENTIALITY_TOLD: coded or facts.confidentiality_told,
        CallGuard.SCALES: not facts.danger or facts.scales,
        CallGuard.HANDOVER: not facts.danger or bool(facts.handovers) or facts.why_no_handover,
        CallGuard.COUNTY_HANDOVER: facts.harm_by is not HarmAnswer.SCHOOL
        or facts.why_no_handover
        or any(handover.to in HANDOVER_PAST_THE_SCHOOL for handover in facts.handovers),
        CallGuard.ACKNOWLEDGED: all(handover.acknowledged for handover in facts.handovers),
        CallGuard.RESULT: all(
            handover.answered or handover.to in HANDOVER_OUTSIDE for handover in facts.handovers
        ),
        CallGuard.FOLLOW_UPS: not facts.follow_ups_due,
        CallGuard.SUPERVISOR_REVIEW: facts.reviewed or not facts.review_asked,
        CallGuard.DISCLOSURE: not facts.disclosure_open,
        CallGuard.MANDATORY_REPORT: not facts.report_open,
    }
    return tuple(guard for guard in CallGuard if not holds[guard])


# A summary is half a page at most (form F9); what was typed beyond it is kept until somebody shortens it.
SUMMARY_LIMIT = 500
# What the operator fills in; the rest of the guards are other people's work or later days'.
CALL_FORM: frozenset[CallGuard] = frozenset(
    {
        CallGuard.TYPE,
        CallGuard.LEVEL,
        CallGuard.SUMMARY,
        CallGuard.CONFIDENTIALITY_TOLD,
        CallGuard.SCALES,
        CallGuard.HANDOVER,
        CallGuard.COUNTY_HANDOVER,
    }
)

# --- One check for all tables ----------------------------------------------------------------------------


def can_transition(table: Mapping[Status, frozenset[Status]], from_: Status, to: Status) -> bool:
    """Does the table lead from one status to the other?"""
    return to in table[from_]


def check_transition(table: Mapping[Status, frozenset[Status]], from_: Status, to: Status) -> None:
    """Raise ``InvalidTransition`` unless the table leads there. Its parameters are status codes, nothing else."""
    if not can_transition(table, from_, to):
        raise InvalidTransition(
            "This step cannot be taken now: things have moved on, or it has already been done.",
            from_status=from_.value,
            to_status=to.value,
        )
