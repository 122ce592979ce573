"""``xinqiao check``: do the promises hold for what is stored (security and reliability, the invariants)?

Each function looks at one promise over everything and gives what breaks it, as ids. No name, answer or level is
read out. Numbers are those of the list of invariants; :data:`INVARIANTS` is that list, with what looks at each and
what cannot be looked at yet. Looks at steps in time are in ``check_steps``, at records in ``check_records``.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from uuid import UUID

from sqlalchemy import ColumnElement, Select, and_, exists, func, or_, select
from sqlalchemy.orm import Session

from api.cli.check_records import (
    children_in_two_places,
    children_not_reached,
    deeds_without_a_trace,
    gaps_in_the_trail,
    places_out_of_their_tree,
    sheets_off_the_roll,
    sightings_without_a_task,
    work_without_consent,
    wrong_trail,
)
from api.cli.check_steps import (
    cases_closed_wrongly,
    cases_left_open,
    episodes_stood_down_wrongly,
    grants_without_a_reason,
    referrals_ended_wrongly,
    steps_out_of_order,
    tasks_that_did_not_ring,
)
from api.cli.findings import NOW, TODAY, Broken, Finding, Invariant, ago, finding_of, promise
from instruments import Grade
from referral.actions.cases import TALKS
from referral.models.case import Case
from referral.models.crisis import CrisisEpisode
from referral.models.plan import PlanVersion
from referral.models.referral import Referral, ReferralNote
from referral.models.reply import ReferralReply
from referral.models.task import Task
from referral.models.worry import Worry
from referral.terms import Custody, TaskKind
from risk_model import Level
from screening.core import documents, outbox
from screening.core.documents import DocumentBroken, StoredDocument
from screening.core.outbox import OutboxMessage
from screening.core.sealing import SealBroken
from screening.models.account import Account, RoleGrant
from screening.models.administration import Administration
from screening.models.import_batch import BatchStatus, ImportBatch
from screening.models.organisation import DutyEntry
from screening.models.result import ResultStatus, ScreenResult

__all__ = ["INVARIANTS", "Finding", "check_all"]

# A note is made within seconds; its own task is due long before this.
NOTE_GRACE = timedelta(minutes=10)


UNREAD = "Sheets without a result."
MIXED = "Results of another child or campaign than their sheet."
TWO_CASES = "Children with two open cases in one custody."
NO_TALK = "Children with a critical answer whom nobody was asked to talk to."
UNHEARD = "Crisis episodes that nobody has taken and that no longer ring."
UNOWNED_FILE = "Staged files that are on nobody's list."
LOST_WORRY = "Worries whose child nobody has found, on nobody's list."
LOST_REPLY = "Replies to open referrals that nobody has verified, on nobody's list."
TWO_NOTES = "Notes of a version that their referral has not reached."
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


def check_all(session: Session, *, now: datetime, deep: bool = False) -> list[Finding]:
    """Every promise. ``deep`` opens every stored file as well, which takes long in a city."""
    looks = [
        look for invariant in INVARIANTS for look in (*invariant.looks, *(invariant.deep if deep else ()))
    ]
    return [found for look in looks for found in look(session, now)]


@promise(1)
def unread_sheets() -> Broken:
    """1. A sheet has its result; that it has only one is a constraint."""
    result = exists().where(ScreenResult.administration_id == Administration.id)
    sheets = select(Administration.id).where(Administration.voided_at.is_(None), ~result)
    mixed = (
        select(ScreenResult.id)
        .join(Administration, Administration.id == ScreenResult.administration_id)
        .where(
            or_(
                ScreenResult.child_id != Administration.child_id,
                ScreenResult.campaign_id.is_distinct_from(Administration.campaign_id),
            )
        )
    )
    yield UNREAD, sheets
    yield MIXED, mixed


@promise(2)
def children_without_a_case() -> Broken:
    """2. HIGH, CRISIS_ITEM and grade C have a case: open, or closed by a person after the result.

    In the custody that they belong to: what the county keeps from the school does not stand for the school's own.
    """
    case = exists().where(
        Case.child_id == ScreenResult.child_id,
        (Case.custody == Custody.PROTECTED) == Administration.protected,
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
    twice = (
        select(Case.child_id)
        .where(Case.closed_at.is_(None))
        .group_by(Case.child_id, Case.custody)
        .having(func.count() > 1)
    )
    yield NO_CASE, results
    yield BELOW_FLOOR, floor
    yield TWO_CASES, twice


@promise(2)
def children_without_a_talk() -> Broken:
    """2. A critical answer of grade C asks for a safety talk: on a list, or held since."""
    talk = exists().where(
        Task.child_id == ScreenResult.child_id,
        Task.kind.in_(TALKS),
        _in_custody(),
        or_(Task.done_at.is_(None), Task.done_at >= ScreenResult.computed_at),
    )
    results = _current().where(ScreenResult.grade == Grade.C, ScreenResult.history.is_(False), ~talk)
    yield NO_TALK, results


@promise(2)
def cases_without_a_plan() -> Broken:
    """2. A case that a result of HIGH or CRISIS_ITEM opened has its draft plan from the same moment."""
    plan = exists().where(PlanVersion.case_id == Case.id, PlanVersion.superseded_at.is_(None))
    cases = select(Case.id).where(
        Case.closed_at.is_(None), Case.worst_level.in_([Level.HIGH, Level.CRISIS_ITEM]), ~plan
    )
    yield NO_PLAN, cases


@promise(3)
def things_without_a_live_owner() -> Broken:
    """3. Whoever answers for an open case or task has an open account and a role today, or is on duty now."""
    live = _live_accounts()
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
    yield CASE_OWNER, cases
    yield TASK_OWNER, tasks
    yield REFERRAL_OWNER, referrals
    yield EPISODE_OWNER, episodes


@promise(3)
def things_on_no_list() -> Broken:
    """3. An episode rings until a person has taken it; a staged file is on its owner's list until it is committed."""
    ring = exists().where(
        Task.kind == TaskKind.CRISIS_ACKNOWLEDGE,
        Task.subject_id == CrisisEpisode.id,
        Task.done_at.is_(None),
    )
    unheard = select(CrisisEpisode.id).where(
        CrisisEpisode.taken_at.is_(None), CrisisEpisode.stood_down_at.is_(None), ~ring
    )
    line = exists().where(Task.kind == TaskKind.BATCH_COMMIT, Task.subject_id == ImportBatch.id)
    files = select(ImportBatch.id).where(ImportBatch.status == BatchStatus.STAGED, ~line)
    yield UNHEARD, unheard
    yield UNOWNED_FILE, files


@promise(6)
def messages_out_of_order() -> Broken:
    """6. What was published is finished, waits, or was given up and is shown here."""
    both = select(OutboxMessage.id).where(
        OutboxMessage.finished_at.is_not(None), OutboxMessage.dead_at.is_not(None)
    )
    dead = select(OutboxMessage.id).where(OutboxMessage.dead_at.is_not(None))
    late = select(OutboxMessage.id).where(
        OutboxMessage.finished_at.is_(None),
        OutboxMessage.dead_at.is_(None),
        OutboxMessage.available_at < ago(outbox.STUCK),
    )
    yield BOTH, both
    yield DEAD, dead
    yield LATE, late


@promise(10)
def referrals_without_their_note() -> Broken:
    """10. One current note per open referral; a moment is allowed for making it."""
    note = exists().where(
        ReferralNote.referral_id == Referral.id, ReferralNote.number == Referral.note_version
    )
    due = exists().where(
        Task.subject_id == Referral.id, Task.kind == TaskKind.NOTE_OVERDUE, Task.done_at.is_(None)
    )
    referrals = select(Referral.id).where(
        Referral.ended_at.is_(None), Referral.drafted_at < ago(NOTE_GRACE), ~note, ~due
    )
    ahead = (
        select(ReferralNote.id)
        .join(Referral, Referral.id == ReferralNote.referral_id)
        .where(ReferralNote.number > Referral.note_version)
    )
    yield NO_NOTE, referrals
    yield TWO_NOTES, ahead


@promise(3)
def words_that_nobody_reads() -> Broken:
    """3. A worry whose child nobody has found, and a reply that nobody has verified, are on somebody's list."""
    looked_for = exists().where(
        Task.subject_id == Worry.id,
        Task.kind.in_([TaskKind.WORRY_NOW, TaskKind.WORRY_MATCH]),
        Task.done_at.is_(None),
    )
    worries = select(Worry.id).where(Worry.settled_at.is_(None), ~looked_for)
    called = exists().where(
        Task.subject_id == ReferralReply.referral_id,
        Task.kind == TaskKind.REPLY_VERIFY,
        Task.done_at.is_(None),
    )
    replies = (
        select(ReferralReply.id)
        .join(Referral, Referral.id == ReferralReply.referral_id)
        .where(ReferralReply.settled_at.is_(None), Referral.ended_at.is_(None), ~called)
    )
    yield LOST_WORRY, worries
    yield LOST_REPLY, replies


def broken_files(session: Session, now: datetime) -> list[Finding]:
    """10. Stored bytes match their hash. Opens every file."""
    broken = set()
    for document_id in session.scalars(select(StoredDocument.id)).all():
        try:
            documents.read(session, document_id)
        except (DocumentBroken, SealBroken):
            broken.add(document_id)
        session.expire_all()
    return finding_of(10, FILE, broken)


@promise(16)
def results_without_an_owner() -> Broken:
    """16. A result that is not NONE, or not scored, has an open task, or one that a person has decided since.

    Sheets of long ago share one task per campaign (decision 18).
    """
    answered = or_(Task.done_at.is_(None), Task.done_at >= ScreenResult.computed_at)
    own = exists().where(Task.child_id == ScreenResult.child_id, _in_custody(), answered)
    listed = exists().where(
        Task.kind == TaskKind.HISTORY_REVIEW, Task.subject_id == ScreenResult.campaign_id, answered
    )
    asks = or_(
        ScreenResult.status == ResultStatus.NOT_SCORED,
        ScreenResult.level.in_([level for level in Level if level is not Level.NONE]),
        and_(ScreenResult.grade.is_not(None), ScreenResult.history.is_(False)),
    )
    results = _current().where(asks, ~own, or_(ScreenResult.history.is_(False), ~listed))
    yield NO_TASK, results


def _in_custody() -> ColumnElement[bool]:
    """A line in the custody of the sheet: the county's of a talk about a case kept from the school, else the
    school's, to whom lines without a case belong."""
    theirs = exists().where(Case.id == Task.case_id, Case.custody == Custody.PROTECTED)
    return theirs == Administration.protected


def _current() -> Select[UUID]:
    """Results of sheets that were not voided."""
    return (
        select(ScreenResult.id)
        .join(Administration, Administration.id == ScreenResult.administration_id)
        .where(Administration.voided_at.is_(None))
    )


def _live_accounts() -> Select[UUID]:
    role = exists().where(
        RoleGrant.account_id == Account.id,
        RoleGrant.valid_from <= TODAY,
        or_(RoleGrant.valid_to.is_(None), RoleGrant.valid_to >= TODAY),
    )
    duty = exists().where(
        DutyEntry.account_id == Account.id, DutyEntry.starts_at <= NOW, DutyEntry.ends_at > NOW
    )
    return select(Account.id).where(Account.disabled_at.is_(None), or_(role, duty))


INVARIANTS: tuple[Invariant, ...] = (
    Invariant(1, "Every sheet has exactly one result.", (unread_sheets,)),
    Invariant(
        2,
        "Whoever has a high result or a critical answer has one open case, or a person has decided otherwise.",
        (children_without_a_case, children_without_a_talk, cases_without_a_plan),
    ),
    Invariant(
        3,
        "Every open episode, case, referral, task and file has an owner who is there.",
        (things_without_a_live_owner, things_on_no_list, words_that_nobody_reads),
    ),
    Invariant(
        4,
        "Exactly one organisation answers for a child.",
        (children_in_two_places,),
        remark="Transfers between schools cannot be asked for yet; a child moves when the new school enrols it.",
    ),
    Invariant(
        5,
        "A merge keeps what both files held.",
        (),
        remark="Not looked at: files cannot be merged yet.",
    ),
    Invariant(6, "Background work is done, waits, or is shown as given up.", (messages_out_of_order,)),
    Invariant(7, "What is overdue rings, and each step rings once.", (tasks_that_did_not_ring,)),
    Invariant(
        8,
        "What was closed could be closed then.",
        (cases_closed_wrongly, cases_left_open, episodes_stood_down_wrongly, referrals_ended_wrongly),
    ),
    Invariant(
        9,
        "Whatever was done or read has its line in the trail.",
        (deeds_without_a_trace, gaps_in_the_trail),
        deep=(wrong_trail,),
        remark="Reads leave nothing but their line in the trail; that there is one for each answer is shown by tests of the pages. With --deep the whole chain is walked.",
    ),
    Invariant(
        10,
        "Stored files are what was stored; each referral has its current note.",
        (referrals_without_their_note,),
        deep=(broken_files,),
        remark="With --deep every stored file is opened.",
    ),
    Invariant(11, "No view of a child outlives its reason.", (grants_without_a_reason,)),
    Invariant(
        12,
        "Nothing is done without a consent that held, or another named basis.",
        (work_without_consent,),
    ),
    Invariant(
        13,
        "Schools add up to counties, counties to the city.",
        (places_out_of_their_tree,),
        remark="Sums are computed when they are asked for and stored nowhere; what can break is the tree that they follow.",
    ),
    Invariant(
        14,
        "Screened, absent, without an answer and refused make up the roll.",
        (sheets_off_the_roll,),
        remark="Absent and unanswered are counted as the rest of the roll, so only a sheet from outside it can break the sum. Exemptions cannot be recorded yet.",
    ),
    Invariant(15, "Status rows never go back in time.", (steps_out_of_order,)),
    Invariant(
        16,
        "Whoever needs a person is on somebody's list, or a person has decided.",
        (results_without_an_owner, sightings_without_a_task, children_not_reached),
    ),
)
