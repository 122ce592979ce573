"""``xinqiao check``: do the promises hold for what is stored (security and reliability, the invariants)?

Each function looks at one promise over everything and gives what breaks it, as ids. No name, answer or level is
read out. Numbers are those of the list of invariants; the ones missing here belong to parts that do not exist yet,
or are constraints of the database (one result per sheet, one open case per child and custody).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from sqlalchemy import Select, and_, exists, func, or_, select
from sqlalchemy.orm import Session

from instruments import Grade
from referral.models.case import Case
from referral.models.crisis import CrisisEpisode
from referral.models.plan import PlanVersion
from referral.models.referral import Referral, ReferralNote
from referral.models.task import Task
from referral.terms import TaskKind
from risk_model import Level
from screening.core import documents
from screening.core.clock import local_day
from screening.core.documents import DocumentBroken, StoredDocument
from screening.core.outbox import OutboxMessage
from screening.core.sealing import SealBroken
from screening.models.account import Account, RoleGrant
from screening.models.administration import Administration
from screening.models.organisation import DutyEntry
from screening.models.result import ResultStatus, ScreenResult

SHOWN_IDS = 20
# A note is made within seconds; its own task is due long before this.
NOTE_GRACE = timedelta(minutes=10)
STUCK = timedelta(hours=1)


UNREAD = "Sheets without a result."
NO_CASE = "Results that ask for a case, whose child has none."
BELOW_FLOOR = "Results below the floor that their critical answer sets."
NO_PLAN = "Open cases without a current plan."
CASE_OWNER = "Open cases whose owner has left."
TASK_OWNER = "Open tasks whose owner has left."
REFERRAL_OWNER = "Open referrals whose owner has left."
EPISODE_OWNER = "Open crisis episodes whose owner has left."
BOTH = "Background work that is both finished and given up."
DEAD = "Background work that was given up and waits for a person: see `xinqiao outbox`."
LATE = "Background work that has been waiting for more than an hour: is a worker running?"
NO_NOTE = "Open referrals without their current note."
FILE = "Stored files that do not open or do not match their hash."
NO_TASK = "Results that ask for a person, without a task and without a decision."


@dataclass(frozen=True, slots=True)
class Finding:
    """One broken promise. ``message`` is a catalogue id without placeholders; ``ids`` are the first of ``count``."""

    invariant: int
    message: str
    count: int
    ids: tuple[UUID, ...]


def check_all(session: Session, *, now: datetime, deep: bool = False) -> list[Finding]:
    """Every promise. ``deep`` opens every stored file as well, which takes long in a city."""
    found = [finding for look in PROMISES for finding in look(session, now)]
    return [*found, *broken_files(session)] if deep else found


def unread_sheets(session: Session, now: datetime) -> list[Finding]:
    """1. A sheet has its result; that it has only one is a constraint."""
    result = exists().where(ScreenResult.administration_id == Administration.id)
    sheets = select(Administration.id).where(Administration.voided_at.is_(None), ~result)
    return _finding(session, 1, UNREAD, sheets)


def children_without_a_case(session: Session, now: datetime) -> list[Finding]:
    """2. HIGH, CRISIS_ITEM and grade C have a case: open, or closed by a person after the result."""
    case = exists().where(
        Case.child_id == ScreenResult.child_id,
        or_(Case.closed_at.is_(None), Case.closed_at >= ScreenResult.computed_at),
    )
    asks = or_(ScreenResult.level.in_([Level.HIGH, Level.CRISIS_ITEM]), ScreenResult.grade == Grade.C)
    results = _current().where(asks, ScreenResult.history.is_(False), ~case)
    too_low = or_(
        and_(
            ScreenResult.grade.in_([Grade.A, Grade.B]),
            or_(ScreenResult.level.is_(None), ScreenResult.level != Level.CRISIS_ITEM),
        ),
        and_(
            ScreenResult.grade == Grade.C,
            or_(ScreenResult.level.is_(None), ScreenResult.level == Level.NONE),
        ),
    )
    floor = _current().where(too_low)
    return [*_finding(session, 2, NO_CASE, results), *_finding(session, 2, BELOW_FLOOR, floor)]


def cases_without_a_plan(session: Session, now: datetime) -> list[Finding]:
    """2. A case that a result of HIGH or CRISIS_ITEM opened has its draft plan from the same moment."""
    plan = exists().where(PlanVersion.case_id == Case.id, PlanVersion.superseded_at.is_(None))
    cases = select(Case.id).where(
        Case.closed_at.is_(None), Case.worst_level.in_([Level.HIGH, Level.CRISIS_ITEM]), ~plan
    )
    return _finding(session, 2, NO_PLAN, cases)


def things_without_a_live_owner(session: Session, now: datetime) -> list[Finding]:
    """3. Whoever answers for an open case or task has an open account and a role today, or is on duty now."""
    live = _live_accounts(now)
    cases = select(Case.id).where(Case.closed_at.is_(None), Case.owner_id.not_in(live))
    tasks = select(Task.id).where(Task.done_at.is_(None), Task.owner_id.not_in(live))
    # An episode and a referral are answered for by the owner of their case.
    referrals = (
        select(Referral.id)
        .join(Case, Case.id == Referral.case_id)
        .where(Referral.ended_at.is_(None), Case.owner_id.not_in(live))
    )
    episodes = (
        select(CrisisEpisode.id)
        .join(Case, Case.id == CrisisEpisode.case_id)
        .where(CrisisEpisode.stood_down_at.is_(None), Case.owner_id.not_in(live))
    )
    return [
        *_finding(session, 3, CASE_OWNER, cases),
        *_finding(session, 3, TASK_OWNER, tasks),
        *_finding(session, 3, REFERRAL_OWNER, referrals),
        *_finding(session, 3, EPISODE_OWNER, episodes),
    ]


def messages_out_of_order(session: Session, now: datetime) -> list[Finding]:
    """6. What was published is finished, waits, or was given up and is shown here."""
    both = select(OutboxMessage.id).where(
        OutboxMessage.finished_at.is_not(None), OutboxMessage.dead_at.is_not(None)
    )
    dead = select(OutboxMessage.id).where(OutboxMessage.dead_at.is_not(None))
    late = select(OutboxMessage.id).where(
        OutboxMessage.finished_at.is_(None),
        OutboxMessage.dead_at.is_(None),
        OutboxMessage.available_at < now - STUCK,
    )
    return [
        *_finding(session, 6, BOTH, both),
        *_finding(session, 6, DEAD, dead),
        *_finding(session, 6, LATE, late),
    ]


def referrals_without_their_note(session: Session, now: datetime) -> list[Finding]:
    """10. One current note per open referral; a moment is allowed for making it."""
    note = exists().where(
        ReferralNote.referral_id == Referral.id, ReferralNote.number == Referral.note_version
    )
    due = exists().where(
        Task.subject_id == Referral.id, Task.kind == TaskKind.NOTE_OVERDUE, Task.done_at.is_(None)
    )
    referrals = select(Referral.id).where(
        Referral.ended_at.is_(None), Referral.drafted_at < now - NOTE_GRACE, ~note, ~due
    )
    return _finding(session, 10, NO_NOTE, referrals)


def broken_files(session: Session) -> list[Finding]:
    """10. Stored bytes match their hash. Opens every file."""
    broken = []
    for document_id in session.scalars(select(StoredDocument.id)).all():
        try:
            documents.read(session, document_id)
        except (DocumentBroken, SealBroken):
            broken.append(document_id)
        session.expire_all()
    return [Finding(10, FILE, len(broken), tuple(broken[:SHOWN_IDS]))] if broken else []


def results_without_an_owner(session: Session, now: datetime) -> list[Finding]:
    """16. A result that is not NONE, or not scored, has an open task, or one that a person has decided since.

    Sheets of long ago share one task per campaign (decision 18).
    """
    answered = or_(Task.done_at.is_(None), Task.done_at >= ScreenResult.computed_at)
    own = exists().where(Task.child_id == ScreenResult.child_id, answered)
    listed = exists().where(
        Task.kind == TaskKind.HISTORY_REVIEW, Task.subject_id == ScreenResult.campaign_id, answered
    )
    asks = or_(
        ScreenResult.status == ResultStatus.NOT_SCORED,
        ScreenResult.level.in_([level for level in Level if level is not Level.NONE]),
        and_(ScreenResult.grade.is_not(None), ScreenResult.history.is_(False)),
    )
    results = _current().where(asks, ~own, or_(ScreenResult.history.is_(False), ~listed))
    return _finding(session, 16, NO_TASK, results)


def _current() -> Select[UUID]:
    """Results of sheets that were not voided."""
    return (
        select(ScreenResult.id)
        .join(Administration, Administration.id == ScreenResult.administration_id)
        .where(Administration.voided_at.is_(None))
    )


def _live_accounts(now: datetime) -> Select[UUID]:
    today = local_day(now)
    role = exists().where(
        RoleGrant.account_id == Account.id,
        RoleGrant.valid_from <= today,
        or_(RoleGrant.valid_to.is_(None), RoleGrant.valid_to >= today),
    )
    duty = exists().where(
        DutyEntry.account_id == Account.id, DutyEntry.starts_at <= now, DutyEntry.ends_at > now
    )
    return select(Account.id).where(Account.disabled_at.is_(None), or_(role, duty))


def _finding(session: Session, invariant: int, message: str, broken: Select[UUID]) -> list[Finding]:
    count = session.scalar(select(func.count()).select_from(broken.subquery())) or 0
    if not count:
        return []
    return [Finding(invariant, message, count, tuple(session.scalars(broken.limit(SHOWN_IDS)).all()))]


PROMISES: Sequence[Callable[[Session, datetime], list[Finding]]] = (
    unread_sheets,
    children_without_a_case,
    cases_without_a_plan,
    things_without_a_live_owner,
    messages_out_of_order,
    referrals_without_their_note,
    results_without_an_owner,
)
