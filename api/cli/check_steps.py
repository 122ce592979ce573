"""Promises about steps in time: rings of the ladder (7), closings (8), grants (11), status rows (15)."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import cache
from itertools import groupby
from typing import Any
from uuid import UUID

from sqlalchemy import Exists, Select, and_, exists, func, or_, select
from sqlalchemy.orm import Session, aliased

from api.cli.findings import Broken, Finding, ago, finding_of, moments, promise
from referral.models.case import Case, CaseStatusChange
from referral.models.crisis import CrisisEpisode, CrisisStepRecord
from referral.models.followup import FollowUp, FollowUpStatusChange
from referral.models.hotline import HandoverRecord, HotlineCall, HotlineStatusChange
from referral.models.labels import RandomCheck
from referral.models.plan import PlanStatusChange, PlanVersion
from referral.models.referral import Referral, ReferralStatusChange, ReturnNote
from referral.models.task import Task, TaskRing
from referral.states import (
    CALL_TRANSITIONS,
    CASE_TRANSITIONS,
    CLOSING_FROM,
    CRISIS_WORK,
    FOLLOWUP_TRANSITIONS,
    PLAN_TRANSITIONS,
    REFERRAL_OPEN,
    REFERRAL_TRANSITIONS,
)
from referral.terms import (
    CaseStatus,
    ClosingReason,
    CrisisStep,
    FollowUpTemplate,
    ReferralStatus,
    TaskKind,
)
from screening.models.campaign import CAMPAIGN_TRANSITIONS, Campaign, CampaignStatusChange
from screening.models.child import AccessGrant

# The clock's thread looks every 30 s and rings at most 200 lines at a time.
RING_GRACE = timedelta(minutes=10)
CLOCK_GRACE = timedelta(minutes=1)
TIED = 6  # steps of one instant that are tried in every order

SILENT = "Overdue tasks that have not rung: is a worker running?"
NO_RING = "Tasks whose last ring has no row."
RUNG_TWICE = "Tasks of which one step has rung twice."
NOT_CLOSED = "Cases whose closing and status do not agree."
CLOSED_WRONGLY = "Cases closed for a reason that was not open to them then."
CLOSED_OPEN = "Closed cases with an episode, a referral or a task that was left open."
STOOD_DOWN = "Crisis episodes stood down without all steps, two people and planned contacts."
NOT_ENDED = "Referrals whose end and status do not agree."
UNREAD_NOTE = "Completed referrals whose return note nobody has read."
NO_REASON = "Live grants whose reason has ended."
STEPS = (
    "Things whose status rows do not lead to their status: a step back in time, or one that does not exist."
)
FUTURE = "Status rows dated in the future: was the clock set back?"


@promise(7)
def tasks_that_did_not_ring() -> Broken:
    """7. Each rung of an overdue task has rung once: one row per task and step.

    A task may be late when it is asked for (a crisis taken late, the next of several contacts): it has its grace.
    """
    late = ago(RING_GRACE)
    silent = select(Task.id).where(
        Task.done_at.is_(None),
        Task.opened_at < late,
        or_(Task.next_ring_at < late, and_(Task.due_at < late, Task.step == 0, Task.next_ring_at.is_(None))),
    )
    row = exists().where(TaskRing.task_id == Task.id, TaskRing.step == Task.step)
    unwritten = select(Task.id).where(Task.step > 0, ~row)
    twice = select(TaskRing.task_id).group_by(TaskRing.task_id, TaskRing.step).having(func.count() > 1)
    yield SILENT, silent
    yield NO_RING, unwritten
    yield RUNG_TWICE, twice


# --- closings ----------------------------------------------------------------------------------------------


@promise(8)
def cases_left_open() -> Broken:
    """8. A closed case says so in its status, and left nothing open."""
    split = select(Case.id).where(Case.closed_at.is_(None) == (Case.status == CaseStatus.CLOSED))
    task = exists().where(
        Task.case_id == Case.id,
        Task.done_at.is_(None),
        Task.opened_at < Case.closed_at,
        Task.kind != TaskKind.FOLLOWUP,  # aftercare goes on after the closing
    )
    referral = exists().where(Referral.case_id == Case.id, Referral.ended_at.is_(None))
    episode = exists().where(CrisisEpisode.case_id == Case.id, CrisisEpisode.stood_down_at.is_(None))
    open_ends = select(Case.id).where(Case.closed_at.is_not(None), or_(task, referral, episode))
    yield NOT_CLOSED, split
    yield CLOSED_OPEN, open_ends


@cache
def _rows_of_closed_cases() -> Select[UUID, CaseStatus, str | None]:
    closing = aliased(CaseStatusChange)
    return (
        select(CaseStatusChange.case_id, CaseStatusChange.status, CaseStatusChange.reason)
        .where(
            exists().where(closing.case_id == CaseStatusChange.case_id, closing.status == CaseStatus.CLOSED)
        )
        .order_by(
            CaseStatusChange.case_id,
            CaseStatusChange.changed_at,
            CaseStatusChange.status == CaseStatus.CLOSED,  # of one instant, the end comes last
        )
    )


def cases_closed_wrongly(session: Session, now: datetime) -> list[Finding]:
    """8. A closing names a reason, and one that was good from the status before."""
    known = {reason.value for reason in ClosingReason}
    wrong: set[UUID] = set()
    former: tuple[UUID, CaseStatus] | None = None
    for case_id, status, reason in session.execute(_rows_of_closed_cases()):
        if status is CaseStatus.CLOSED:
            before = former[1] if former and former[0] == case_id else None
            if reason not in known or before not in CLOSING_FROM[ClosingReason(reason)]:
                wrong.add(case_id)
        former = (case_id, status)
    return finding_of(8, CLOSED_WRONGLY, wrong)


@promise(8)
def episodes_stood_down_wrongly() -> Broken:
    """8. An episode was stood down with its steps settled, by two people, and with contacts planned."""
    missing = [~_step_of(step) for step in sorted(CRISIS_WORK)]
    signed = exists().where(
        CrisisStepRecord.episode_id == CrisisEpisode.id,
        CrisisStepRecord.step == CrisisStep.STOOD_DOWN,
        CrisisStepRecord.recorded_by != CrisisEpisode.taken_by,
    )
    planned = exists().where(
        FollowUp.case_id == CrisisEpisode.case_id, FollowUp.template == FollowUpTemplate.CRISIS.value
    )
    wrong = select(CrisisEpisode.id).where(
        CrisisEpisode.stood_down_at.is_not(None), or_(*missing, ~signed, ~planned)
    )
    yield STOOD_DOWN, wrong


def _step_of(step: CrisisStep) -> Exists:
    return exists().where(CrisisStepRecord.episode_id == CrisisEpisode.id, CrisisStepRecord.step == step)


@promise(8)
def referrals_ended_wrongly() -> Broken:
    """8. A referral that has ended says so in its status; a completed one had an answer that somebody read."""
    split = select(Referral.id).where(
        Referral.ended_at.is_(None) != Referral.status.in_(sorted(REFERRAL_OPEN))
    )
    read = exists().where(ReturnNote.referral_id == Referral.id, ReturnNote.read_at.is_not(None))
    unread = select(Referral.id).where(Referral.status == ReferralStatus.COMPLETED, ~read)
    yield NOT_ENDED, split
    yield UNREAD_NOTE, unread


# --- grants ------------------------------------------------------------------------------------------------


@promise(11)
def grants_without_a_reason() -> Broken:
    """11. A live grant hangs on a referral that is under way, an open case, a crisis that lasts, or a hotline's
    handover whose case is open, or a check by lot that nobody has held (requirement AZ7)."""
    referral = exists().where(
        Referral.id == AccessGrant.reason_id,
        Referral.sent_at.is_not(None),
        Referral.ended_at.is_(None),
        Referral.status != ReferralStatus.DECLINED,
    )
    case = exists().where(Case.id == AccessGrant.reason_id, Case.closed_at.is_(None))
    episode = exists().where(CrisisEpisode.id == AccessGrant.reason_id, CrisisEpisode.stood_down_at.is_(None))
    handed = exists().where(
        HandoverRecord.id == AccessGrant.reason_id,
        Case.id == HandoverRecord.case_id,
        Case.closed_at.is_(None),
    )
    drawn = exists().where(RandomCheck.id == AccessGrant.reason_id, RandomCheck.finding.is_(None))
    live = select(AccessGrant.id).where(
        AccessGrant.ended_at.is_(None), ~referral, ~case, ~episode, ~handed, ~drawn
    )
    yield NO_REASON, live


# --- status rows -------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, eq=False)
class _History:
    """Where the rows of one machine are: the thing, its rows, the column that leads to it, the table of steps."""

    thing: Any
    rows: Any
    of: Any
    steps: Mapping[Any, frozenset[Any]]
    repeats: bool = False  # a row may repeat the status: something else about it has changed


_HISTORIES = (
    _History(Case, CaseStatusChange, CaseStatusChange.case_id, CASE_TRANSITIONS),
    _History(PlanVersion, PlanStatusChange, PlanStatusChange.plan_id, PLAN_TRANSITIONS),
    _History(Referral, ReferralStatusChange, ReferralStatusChange.referral_id, REFERRAL_TRANSITIONS),
    _History(FollowUp, FollowUpStatusChange, FollowUpStatusChange.follow_up_id, FOLLOWUP_TRANSITIONS),
    _History(Campaign, CampaignStatusChange, CampaignStatusChange.campaign_id, CAMPAIGN_TRANSITIONS),
    _History(HotlineCall, HotlineStatusChange, HotlineStatusChange.call_id, CALL_TRANSITIONS, repeats=True),
)


def steps_out_of_order(session: Session, now: datetime) -> list[Finding]:
    """15. Read in the order of time, the rows of a thing are steps of its machine and end at its status."""
    wrong = {thing_id for history in _HISTORIES for thing_id in _wrong_in(session, history)}
    early: set[UUID] = set()
    for history in _HISTORIES:
        early |= set(session.scalars(_rows_to_come(history), moments(now)))
    return [*finding_of(15, STEPS, wrong), *finding_of(15, FUTURE, early)]


@cache
def _rows_in_order(history: _History) -> Select[UUID, Any, datetime, Any]:
    return (
        select(history.thing.id, history.thing.status, history.rows.changed_at, history.rows.status)
        .outerjoin(history.rows, history.of == history.thing.id)
        .order_by(history.thing.id, history.rows.changed_at)
        .execution_options(yield_per=5000)
    )


@cache
def _rows_to_come(history: _History) -> Select[UUID]:
    return select(history.rows.id).where(history.rows.changed_at > ago(-CLOCK_GRACE))


def _wrong_in(session: Session, history: _History) -> Iterator[UUID]:
    rows = session.execute(_rows_in_order(history))
    for (thing_id, status), group in groupby(rows, key=lambda row: (row[0], row[1])):
        taken = [(at, to) for _, _, at, to in group if at is not None]
        if status not in ends(taken, history.steps, repeats=history.repeats):
            yield thing_id


def ends(
    taken: Iterable[tuple[datetime, Any]], steps: Mapping[Any, frozenset[Any]], *, repeats: bool = False
) -> set[Any]:
    """The statuses that rows in the order of time may have led to; empty when there is no way through them.

    Rows of one instant were written by one press; their order is not stored, so every order is tried.
    """
    reached: set[Any] = {None}
    for _, tied in groupby(taken, key=lambda row: row[0]):
        group = tuple(to for _, to in tied)
        if len(group) > TIED:
            reached = set(group)
            continue
        reached = {end for start in reached for end in _through(start, group, steps, repeats)}
    return reached - {None}


def _through(
    start: Any, group: tuple[Any, ...], steps: Mapping[Any, frozenset[Any]], repeats: bool
) -> Iterator[Any]:
    if not group:
        yield start
    for place, to in enumerate(group):
        if start is None or to in steps[start] or (repeats and to == start):
            yield from _through(to, group[:place] + group[place + 1 :], steps, repeats)
