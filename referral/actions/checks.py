"""随机核查: a weekly draw of children nobody referred, held by the county, so that the model learns who is missed."""

from __future__ import annotations

import secrets
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.orm import Session

from referral import deadlines
from referral.actions import cases, tasks
from referral.models.case import Case
from referral.models.labels import CheckDraw, Concern, RandomCheck
from referral.queries.labels import pool_of
from referral.queries.people import people_of
from referral.terms import Finding, TaskKind
from risk_model.labels import draw_week
from screening import access
from screening.access import May, Part
from screening.core import audit
from screening.core.actor import Actor
from screening.core.audit import AuditEvent
from screening.core.calendar import china
from screening.core.clock import local_day
from screening.core.errors import InvalidInput, PolicyViolation
from screening.models.child import Child
from screening.models.organisation import Organisation
from screening.queries.models import setting_in_force

# Whoever was scored in this school year; about four weeks to hold a check in.
LOOKS_BACK = timedelta(days=300)
DAYS_TO_HOLD = 20


def draw(
    session: Session, *, actor: Actor, county: Organisation, now: datetime, seed: int | None = None
) -> CheckDraw | None:
    """This week's draw; None where the county draws nobody or has drawn. At most one child of a school.

    Each child drawn is opened to the county by name and class only: whoever holds the check stays blind.
    """
    setting = setting_in_force(session, county.id)
    if setting is None or setting.checks_per_week == 0:
        return None
    monday = _monday(local_day(now))
    if session.scalars(
        select(CheckDraw).where(CheckDraw.county_id == county.id, CheckDraw.week_on == monday)
    ).one_or_none():
        return None
    pool = pool_of(session, actor=actor, county=county, since=now - LOOKS_BACK)
    number = secrets.randbelow(2**31) if seed is None else seed
    drawn = draw_week(
        {
            school: {child: result.probability for child, result in there.items()}
            for school, there in pool.items()
        },
        places=setting.checks_per_week,
        seed=number,
    )
    row = CheckDraw(
        county_id=county.id,
        week_on=monday,
        places=setting.checks_per_week,
        pool=sum(map(len, pool.values())),
        seed=number,
        shares=dict(drawn.shares),
        drawn_at=now,
    )
    session.add(row)
    session.flush()
    audit.record(
        session,
        actor=actor,
        event=AuditEvent.CHECK_DRAW,
        at=now,
        subject_id=row.id,
        detail={"pool": row.pool, "drawn": len(drawn.drawn)},
    )
    for each in drawn.drawn:
        result = pool[each.school][each.child]
        check = RandomCheck(
            draw_id=row.id,
            county_id=county.id,
            school_id=UUID(each.school),
            child_id=result.child_id,
            result_id=result.id,
            chance=each.chance,
        )
        session.add(check)
        session.flush()
        _ask(session, actor, county, check, now)
    return row


def _ask(session: Session, actor: Actor, county: Organisation, check: RandomCheck, now: datetime) -> None:
    """A line for the county, and the child opened to it as far as one must be to be found."""
    people = people_of(session, organisation=county, now=now)
    cases.grant(
        session,
        actor=actor,
        child_id=check.child_id,
        organisation_id=county.id,
        part=Part.IDENTITY,
        reason="random_check",
        reason_id=check.id,
        now=now,
    )
    tasks.require(
        session,
        actor=actor,
        kind=TaskKind.RANDOM_CHECK,
        subject_id=check.id,
        organisation_id=county.id,
        owner_id=people.owner_id,
        backup_id=people.backup_id,
        due_at=china().closing(china().add_working_days(local_day(now), DAYS_TO_HOLD)),
        now=now,
    )


@dataclass(frozen=True, slots=True)
class CheckIn:
    """What came of a check. ``method``: how it was assessed. ``blinded``: scores and level had not been seen."""

    finding: Finding
    held_on: date
    method: str
    blinded: bool


# A check is not a visit to a clinic: nobody is waited for and nobody has not come.
POSSIBLE = (
    Finding.NEEDS_CARE,
    Finding.SUBTHRESHOLD,
    Finding.NO_NEED,
    Finding.INCONCLUSIVE,
    Finding.REFUSED,
    Finding.MOVED,
)


def record(
    session: Session, *, actor: Actor, check: RandomCheck, child: Child, found: CheckIn, now: datetime
) -> None:
    """Write down a check. A child found to need care is on the school's list the same moment."""
    access.check_may_at(actor, May.HOLD_CHECK, check.county_id)
    session.refresh(check, with_for_update=True)
    if check.finding is not None:
        raise PolicyViolation("This has already been done.")
    if found.finding not in POSSIBLE:
        raise InvalidInput("Choose what was found, or that the child declined.")
    if found.held_on > local_day(now):
        raise InvalidInput("The day of the visit lies in the future.")
    if found.held_on < local_day(session.get_one(CheckDraw, check.draw_id).drawn_at):
        raise InvalidInput("A check is held after the child was drawn.")
    if found.finding.label is not None and not found.method.strip():
        raise InvalidInput("Say how it was assessed.")
    check.finding, check.held_on, check.blinded = found.finding, found.held_on, found.blinded
    check.method, check.recorded_at, check.recorded_by = (
        found.method.strip()[:80] or None,
        now,
        actor.account_id,
    )
    audit.record(
        session,
        actor=actor,
        event=AuditEvent.CHECK_RECORD,
        at=now,
        child_id=check.child_id,
        subject_id=check.id,
    )
    decision = "declined" if found.finding is Finding.REFUSED else "held"
    tasks.settle(
        session, actor=actor, kind=TaskKind.RANDOM_CHECK, subject_id=check.id, decision=decision, now=now
    )
    cases.end_grants(session, actor=actor, reason_id=check.id, now=now)
    if found.finding is Finding.NEEDS_CARE:
        _help(session, actor, check, child, now)


def _help(session: Session, actor: Actor, check: RandomCheck, child: Child, now: datetime) -> None:
    """The lot has found a child: it gets what every child gets that somebody worries about."""
    school = session.get_one(Organisation, child.organisation_id)  # it may have moved since the draw
    people = people_of(session, organisation=school, now=now)
    case = cases.find_open(session, child_id=child.id)
    tasks.require(
        session,
        actor=actor,
        kind=TaskKind.SECOND_ASSESSMENT,
        subject_id=child.id,
        organisation_id=child.organisation_id,
        owner_id=case.owner_id if case else people.owner_id,
        backup_id=case.backup_id if case else people.backup_id,
        due_at=deadlines.due("T09", "high", now, china()),
        now=now,
        clock="T09",
        child_id=child.id,
        case_id=case.id if case else None,
        reason="random_check",
    )


# --- a person's own impression -----------------------------------------------------------------------------


def note_concern(session: Session, *, actor: Actor, case: Case, value: int | None, now: datetime) -> Concern:
    """0 to 3 before the scores are shown; None: the scores were looked at first. The first word stays."""
    access.check_may(actor, May.ASSESS)
    if value is not None and not 0 <= value <= 3:
        raise InvalidInput("The concern is a number from 0 to 3.")
    if actor.account_id is None:
        raise PolicyViolation("Only a person holds an assessment.")
    known = concern_of(session, actor=actor, case=case)
    if known is not None:
        return known
    row = Concern(
        case_id=case.id,
        child_id=case.child_id,
        value=value,
        recorded_at=now,
        recorded_by=actor.account_id,
    )
    session.add(row)
    session.flush()
    audit.record(
        session,
        actor=actor,
        event=AuditEvent.CONCERN_RECORD,
        at=now,
        child_id=case.child_id,
        subject_id=row.id,
        detail={"first": value is not None},
    )
    return row


def concern_of(session: Session, *, actor: Actor, case: Case) -> Concern | None:
    """What this person has said about a case that was found through a scope."""
    return session.scalars(
        select(Concern).where(Concern.case_id == case.id, Concern.recorded_by == actor.account_id)
    ).one_or_none()


def _monday(day: date) -> date:
    return day - timedelta(days=day.weekday())
