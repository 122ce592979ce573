"""Is this child known? Asked rarely, answered in three ways, and the only way to a link (requirement AZ8)."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from sqlalchemy.orm import Session

from referral import deadlines
from referral.actions import cases, handovers, hotline, notices, tasks
from referral.models.case import Case
from referral.models.hotline import HotlineCall, HotlineLink, KnownChildLookup
from referral.models.task import Task
from referral.queries.hotline import (
    AGREEING,
    Asked,
    count_lookups,
    get_lookup,
    handovers_of,
    live_link,
    search_known,
)
from referral.states import CALL_DANGER
from referral.terms import KnownAnswer, TaskKind
from screening.access import May
from screening.core import audit
from screening.core.actor import Actor
from screening.core.audit import AuditEvent
from screening.core.calendar import china
from screening.core.errors import InvalidInput, NotPermitted, PolicyViolation
from screening.models.account import Account

# Security guide §14: look-ups an hour; the misses that are somebody's business.
HOUR = timedelta(hours=1)
MOST_LOOKUPS = 20
ALARM_AT_MISSES = 10
# A match is linked during the call or soon after, not from an old list.
LINK_WITHIN = timedelta(hours=24)


@dataclass(frozen=True, slots=True)
class KnownChild:
    """All that the operator is told. ``lookup_id`` is what :func:`link` takes after one match."""

    answer: KnownAnswer
    duty_phone: str
    county: str
    lookup_id: UUID


def known_child(
    session: Session, *, actor: Actor, call: HotlineCall, asked: Asked, now: datetime
) -> KnownChild:
    """Ask once. Raises :class:`PolicyViolation` after twenty questions within an hour; ten misses call a supervisor."""
    hotline.check_open(actor, call, May.LOG_CALL)
    if actor.account_id is None:
        raise NotPermitted
    if not asked.name.strip():
        raise InvalidInput("Type the child's name.")
    # Of two windows of one operator the second waits, or both would be the twentieth.
    session.get_one(Account, actor.account_id, with_for_update=True)
    questions, misses = count_lookups(session, actor=actor, since=now - HOUR)
    if questions >= MOST_LOOKUPS:
        raise PolicyViolation(
            "{limit} look-ups within an hour are the most. Please ask the county duty.", limit=MOST_LOOKUPS
        )
    known = search_known(session, actor=actor, call=call, asked=asked, now=now)
    lookup = KnownChildLookup(
        call_id=call.id,
        account_id=actor.account_id,
        asked_at=now,
        answer=known.answer,
        child_id=known.child_id,
        attributes=list(known.attributes),
    )
    session.add(lookup)
    audit.record(
        session,
        actor=actor,
        event=AuditEvent.CHILD_LOOKUP,
        at=now,
        child_id=known.child_id,
        subject_id=lookup.id,
        detail={"answer": known.answer.value},
    )
    if known.answer is KnownAnswer.NO_MATCH and misses + 1 == ALARM_AT_MISSES:
        _alarm(session, actor, call, now)
    return KnownChild(known.answer, known.duty_phone, known.county, lookup.id)


def _alarm(session: Session, actor: Actor, call: HotlineCall, now: datetime) -> None:
    """Many names that are nobody's: somebody may be trying a list."""
    task = hotline.require(
        session,
        actor=actor,
        call=call,
        kind=TaskKind.LOOKUP_ALARM,
        due_at=now + HOUR,
        now=now,
        subject_id=actor.account_id,
    )
    notices.ring(session, task=task, step=0, whom=[task.owner_id], urgent=True, now=now)


def link(session: Session, *, actor: Actor, call: HotlineCall, lookup_id: UUID, now: datetime) -> HotlineLink:
    """This call is about the child of that match. Adds an event to the child's file and changes nothing on it; where
    the call has been handed over as A or B, the child's case opens now."""
    hotline.check_open(actor, call, May.LOG_CALL)
    if actor.account_id is None:
        raise NotPermitted
    lookup = get_lookup(session, call=call, lookup_id=lookup_id)
    if lookup.child_id is None or len(lookup.attributes) < AGREEING:
        raise PolicyViolation("A call is linked only after one match in two things that agree.")
    if lookup.asked_at < now - LINK_WITHIN:
        raise PolicyViolation("This answer is old. Please look again.")
    if live_link(session, call=call) is not None:
        raise PolicyViolation("This call is linked already. Undo that first.")
    made = HotlineLink(
        call_id=call.id,
        child_id=lookup.child_id,
        lookup_id=lookup.id,
        attributes=list(lookup.attributes),
        linked_at=now,
        linked_by=actor.account_id,
    )
    session.add(made)
    audit.record(
        session,
        actor=actor,
        event=AuditEvent.CALL_LINK,
        at=now,
        child_id=made.child_id,
        subject_id=made.id,
        detail={"attributes": made.attributes},
    )
    session.flush()
    urgent = [row for row in handovers_of(session, call=call) if row.level in CALL_DANGER]
    if urgent:
        handovers.open_for_child(session, actor=actor, call=call, link=made, handover=urgent[-1], now=now)
    hotline.settle(session, actor=actor, call=call, now=now)
    return made


def unlink(session: Session, *, actor: Actor, call: HotlineCall, reason: str, now: datetime) -> None:
    """It was not this child. Both events stay; the receiver's sight of the file ends; whoever owns a case that the
    link has opened looks at it: no machine closes a case."""
    hotline.check_open(actor, call, May.LOG_CALL)
    if not reason.strip():
        raise InvalidInput("Say why the link is undone.")
    made = live_link(session, call=call)
    if made is None:
        raise PolicyViolation("This call is not linked.")
    made.undone_at, made.undone_by, made.undone_reason = now, actor.account_id, reason.strip()
    audit.record(
        session,
        actor=actor,
        event=AuditEvent.CALL_UNLINK,
        at=now,
        child_id=made.child_id,
        subject_id=made.id,
    )
    for row in handovers_of(session, call=call):
        if row.link_id == made.id and row.case_id is not None:
            cases.end_grants(session, actor=actor, reason_id=row.id, now=now)
            _look_at_case(session, actor, session.get_one(Case, row.case_id), made, now)
    hotline.settle(session, actor=actor, call=call, now=now)


def _look_at_case(session: Session, actor: Actor, case: Case, made: HotlineLink, now: datetime) -> Task:
    task = tasks.require(
        session,
        actor=actor,
        kind=TaskKind.CALL_UNLINKED,
        subject_id=made.id,
        organisation_id=case.organisation_id,
        owner_id=case.owner_id,
        backup_id=case.backup_id,
        due_at=deadlines.due("T09", "B", now, china()),
        now=now,
        child_id=case.child_id,
        case_id=case.id,
    )
    notices.ring(session, task=task, step=0, whom=[task.owner_id], urgent=False, now=now)
    return task
