"""What moves by itself when nobody acts (decision 2): silence of a facility, and a child nobody has seen in time.

Every job is safe to run at any moment and any number of times: each step is a transition that happens once.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from uuid import UUID

from sqlalchemy import Select, select
from sqlalchemy import case as sql_case
from sqlalchemy.orm import Session

from instruments import Grade
from referral import deadlines
from referral.actions import cases, notices, plans, referrals, releases, tasks
from referral.actions.answers import PAUSE_DAYS, resume
from referral.actions.referral_steps import ask_school, move, settle
from referral.models.case import Case
from referral.models.referral import Facility, Referral
from referral.models.task import Task
from referral.policies import missing_for_triage, skips_the_county
from referral.queries.signals import Signal, worst_signal
from referral.terms import CaseStatus, Custody, ReferralStatus, ReleaseMode, TaskKind, Tier, Urgency
from risk_model import Level
from screening.access import Part
from screening.core import audit
from screening.core.actor import Actor, Role
from screening.core.audit import AuditEvent
from screening.core.calendar import china
from screening.core.clock import local_day
from screening.core.db import once
from screening.models.child import Child
from screening.models.organisation import Organisation
from screening.queries.accounts import holders
from screening.queries.campaigns import district_of, district_setting

PIECE = 100
SYSTEM = Actor.system()


def run(session: Session, *, now: datetime) -> int:
    """Everything that is due, in the order in which it helps. Returns how many things moved."""
    return (
        end_pauses(session, now=now)
        + expire_silent(session, now=now)
        + pass_to_county(session, now=now)
        + triage_unseen(session, now=now)
    )


# --- a facility that is silent -----------------------------------------------------------------------------


def end_pauses(session: Session, *, now: datetime) -> int:
    """A question pauses the facility's clock for two working days, not for ever."""
    waiting = session.scalars(
        select(Referral).where(
            Referral.status == ReferralStatus.INFO_REQUESTED, Referral.paused_at.is_not(None)
        )
    ).all()
    moved = 0
    for referral in waiting:
        paused = referral.paused_at
        if paused is None or now < china().closing(china().add_working_days(local_day(paused), PAUSE_DAYS)):
            continue
        case = session.get_one(Case, referral.case_id)
        move(session, SYSTEM, referral, ReferralStatus.RECEIVED, "pause_over", None, now)
        resume(session, actor=SYSTEM, case=case, referral=referral, now=now)
        moved += 1
    return moved


def expire_silent(session: Session, *, now: datetime) -> int:
    """No answer in time (T12): the school offers a second facility, the facility's head and the county are told."""
    late = session.scalars(
        select(Referral)
        .where(
            Referral.status.in_([ReferralStatus.SENT, ReferralStatus.RECEIVED]),
            Referral.answer_due_at <= now,
        )
        .order_by(sql_case((Referral.urgency == Urgency.EMERGENCY, 0), else_=1), Referral.answer_due_at)
        .limit(PIECE)
    ).all()
    for referral in late:
        case = session.get_one(Case, referral.case_id)
        move(session, SYSTEM, referral, ReferralStatus.EXPIRED_NO_ANSWER, "no_answer", None, now)
        settle(session, SYSTEM, TaskKind.REFERRAL_ANSWER, referral, "no_answer", now)
        due = china().closing(china().add_working_days(local_day(now), 1))
        if referral.urgency is Urgency.EMERGENCY:
            due = now + timedelta(minutes=30)
        task = ask_school(session, SYSTEM, case, TaskKind.REFERRAL_REROUTE, referral.id, due, None, now)
        whom = [case.owner_id, *_heads(session, referral, now), *_health(session, case, now)]
        whom += _county(session, case, now)[:1]
        notices.ring(
            session, task=task, step=0, whom=whom, urgent=referral.urgency is Urgency.EMERGENCY, now=now
        )
    return len(late)


def _heads(session: Session, referral: Referral, now: datetime) -> list[UUID]:
    if referral.facility_id is None:
        return []
    today = local_day(now)
    found = holders(session, role=Role.FACILITY_LEAD, organisation_id=referral.facility_id, today=today)
    return [account.id for account in found]


def _health(session: Session, case: Case, now: datetime) -> list[UUID]:
    """Who answers for the county's facilities at the health authority."""
    return _at_county(session, case, Role.HEALTH_OFFICER, now)


def _county(session: Session, case: Case, now: datetime) -> list[UUID]:
    """Who works at the county centre above a case's school."""
    return _at_county(session, case, Role.COUNTY_CENTRE, now)


def _at_county(session: Session, case: Case, role: Role, now: datetime) -> list[UUID]:
    school = session.get_one(Organisation, case.organisation_id)
    county = district_of(session, school)
    found = holders(session, role=role, organisation_id=county.id, today=local_day(now))
    return [account.id for account in found]


# --- a child nobody has seen in time -----------------------------------------------------------------------


def pass_to_county(session: Session, *, now: datetime) -> int:
    """Step (2) of ``stepwise``: no second assessment within T09, the county centre sees or phones the child (T25).

    Every case whose time has passed is looked at, the oldest first, until a piece has moved: one that cannot be
    passed on (the county has nobody) does not stand in the way of the next.
    """
    late = session.scalars(
        _unseen().where(Task.kind == TaskKind.SECOND_ASSESSMENT, Task.due_at <= now).order_by(Task.due_at)
    ).all()
    passed = 0
    for task in late:
        passed += _pass(session, task, now)
        if passed >= PIECE:
            break
    return passed


def _unseen() -> Select[Task]:
    """Open tasks of cases that nobody has begun to assess, and that a sheet has made urgent. What the county keeps
    itself is with the county already."""
    return (
        select(Task)
        .join(Case, Case.id == Task.case_id)
        .where(
            Task.done_at.is_(None),
            Case.status == CaseStatus.INTAKE,
            Case.custody == Custody.SCHOOL,
            Case.worst_level.in_([Level.HIGH, Level.CRISIS_ITEM]),
        )
    )


def _pass(session: Session, task: Task, now: datetime) -> bool:
    case = session.get_one(Case, task.case_id)
    if _mode(session, case) is ReleaseMode.ON_CONFIRMATION or _skips_the_county(session, case, now):
        return False
    centre = _county(session, case, now)
    if not centre:
        return False  # nobody to pass to: the ladder goes on ringing, which is a service gap shown by days
    school = session.get_one(Organisation, case.organisation_id)
    county = district_of(session, school)
    cases.grant(
        session,
        actor=SYSTEM,
        child_id=case.child_id,
        organisation_id=county.id,
        part=Part.FILE,
        reason="passed_to_county",
        reason_id=case.id,
        now=now,
    )
    tasks.settle(
        session,
        actor=SYSTEM,
        kind=TaskKind.SECOND_ASSESSMENT,
        subject_id=case.child_id,
        decision="passed_to_county",
        now=now,
    )
    # The school stays the backup: the child sits in its classroom.
    case.backup_id, case.owner_id = case.owner_id, centre[0]
    new = tasks.require(
        session,
        actor=SYSTEM,
        kind=TaskKind.COUNTY_ASSESSMENT,
        subject_id=case.child_id,
        organisation_id=county.id,
        owner_id=centre[0],
        backup_id=centre[1] if len(centre) > 1 else case.backup_id,
        due_at=deadlines.due("T25", Tier.FOCUS, now, china()),
        now=now,
        clock="T25",
        child_id=case.child_id,
        case_id=case.id,
    )
    notices.ring(session, task=new, step=0, whom=[centre[0]], urgent=False, now=now)
    audit.record(
        session,
        actor=SYSTEM,
        event=AuditEvent.CASE_CHANGE,
        at=now,
        child_id=case.child_id,
        subject_id=case.id,
        detail={"passed_to_county": True},
    )
    return True


def _mode(session: Session, case: Case) -> ReleaseMode:
    """How referrals leave in the case's district; stepwise until it has decided otherwise."""

    def read() -> ReleaseMode:
        school = session.get_one(Organisation, case.organisation_id)
        setting = district_setting(session, district_of(session, school).id)
        return ReleaseMode(setting.release) if setting else ReleaseMode.STEPWISE

    return once(session, ("release", case.organisation_id), read)


def _skips_the_county(session: Session, case: Case, now: datetime) -> bool:
    """Whether the case's referral goes to a facility with which *after the window* is agreed."""
    referral = referrals.find_open(session, case_id=case.id)
    if referral is None or referral.sent_at is not None:
        return False
    agreement = releases.live_agreement(session, facility_id=referral.facility_id, now=now)
    return agreement is not None and agreement.release == ReleaseMode.AFTER_WINDOW.value


def triage_unseen(session: Session, *, now: datetime) -> int:
    """Step (3): still nobody. The referral leaves as a triage request, the highest first, within the quota.

    Whoever is over the quota, or waits for the guardian to be told, keeps a named person and is counted by days
    (``queries.gaps``). Everybody who waits is looked at: a child for whom something is missing does not keep a
    place from the next.
    """
    waiting = session.execute(
        select(Referral, Case, Task)
        .join(Case, Case.id == Referral.case_id)
        .join(Task, Task.case_id == Case.id)
        .where(
            Task.kind.in_([TaskKind.COUNTY_ASSESSMENT, TaskKind.SECOND_ASSESSMENT]),
            Task.done_at.is_(None),
            Task.due_at <= now,
            Referral.sent_at.is_(None),
            Referral.ended_at.is_(None),
            Case.status == CaseStatus.INTAKE,
            Case.custody == Custody.SCHOOL,
            Case.worst_level.in_([Level.HIGH, Level.CRISIS_ITEM]),
        )
    ).all()
    ready = [each for each in waiting if _may_leave(session, *each, now)]
    known = [
        (signal, referral, case, task)
        for referral, case, task in ready
        if (signal := worst_signal(session, case=case)) is not None
    ]
    known.sort(key=lambda each: _place_in_the_queue(session, *each))
    sent = 0
    for signal, referral, case, _ in known:
        sent += _triage(session, signal, referral, case, now)
        if sent >= PIECE:
            break
    return sent


def _may_leave(session: Session, referral: Referral, case: Case, task: Task, now: datetime) -> bool:
    """What can be said without reading the child's sheets. Where nobody has told the guardian, somebody is asked to."""
    if not _nobody_is_left(session, case, task, now):
        return False
    if _mode(session, case) is ReleaseMode.ON_CONFIRMATION:
        return False
    if referral.guardian_told_at is None:
        due = china().closing(china().add_working_days(local_day(now), 1))
        ask_school(session, SYSTEM, case, TaskKind.GUARDIAN_CONTACT, referral.id, due, "T04", now)
        return False
    return True


def _nobody_is_left(session: Session, case: Case, task: Task, now: datetime) -> bool:
    """Whether the school's time has passed and the county's turn has too, is left out, or finds nobody there."""
    if task.kind is TaskKind.COUNTY_ASSESSMENT or _skips_the_county(session, case, now):
        return True
    county_time = deadlines.due("T25", Tier.FOCUS, task.due_at, china())
    return not _county(session, case, now) and county_time <= now


_GRADES = {Grade.A: 0, Grade.B: 1}


def _place_in_the_queue(
    session: Session, signal: Signal, referral: Referral, case: Case, task: Task
) -> tuple[int, int, int, int, float, datetime]:
    """Domain guide §3.4: A, B, then by level, urgency, number of areas, probability, days of waiting."""
    plan = plans.current(session, case=case)
    return (
        _GRADES.get(signal.grade, 2) if signal.grade else 2,
        0 if signal.level is Level.CRISIS_ITEM else 1,
        -referral.urgency.rank,
        -len(plan.areas) if plan else 0,
        -(signal.probability or 0.0),
        task.opened_at,
    )


def _triage(session: Session, signal: Signal, referral: Referral, case: Case, now: datetime) -> bool:
    child = session.get_one(Child, case.child_id)
    facts = releases.facts_of(session, child, referral, signal, now)
    told = referral.guardian_told_at is not None
    quota = facts.weekly_limit if skips_the_county(facts) else _quota(session, referral)
    missing = missing_for_triage(facts, guardian_told=told, quota=quota)
    if missing or not referrals.note_is_fit(session, referral=referral, case=case, now=now):
        return False
    referrals.leave_by_itself(
        session, actor=SYSTEM, case=case, child=child, referral=referral, why="triage", now=now
    )
    return True


def _quota(session: Session, referral: Referral) -> int:
    facility = session.scalars(
        select(Facility).where(Facility.organisation_id == referral.facility_id)
    ).one_or_none()
    return facility.triage_per_week if facility else 0
