"""热线来电: start, save as it is typed, set the level, hang up, follow up, review, close.

Nothing is needed while the line is open; what is missing is listed after hanging up and holds up only the closing.
Handing over is ``referral.actions.handovers``, looking for a known child ``referral.actions.lookups``.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from random import SystemRandom
from typing import Any
from uuid import UUID, uuid5

from sqlalchemy import select
from sqlalchemy.orm import Session

from referral import deadlines
from referral.actions import call_fields, notices, tasks
from referral.models.hotline import HotlineCall, HotlineFollowUp, HotlineStatusChange
from referral.models.task import Task
from referral.queries.hotline import call_facts, follow_ups_of, handovers_of, record_of, supervisors_of
from referral.states import (
    CALL_DANGER,
    CALL_FORM,
    CALL_TRANSITIONS,
    FOLLOWUP_TRANSITIONS,
    call_status,
    check_transition,
    missing_for_closing,
)
from referral.terms import (
    CallGuard,
    CallLevel,
    CallStatus,
    DisclosureBasis,
    FollowUpStatus,
    FollowUpTemplate,
    HandoverTo,
    HarmAnswer,
    TaskKind,
)
from screening import access
from screening.access import May
from screening.core import audit
from screening.core.actor import Actor
from screening.core.audit import AuditEvent
from screening.core.calendar import china
from screening.core.clock import LOCAL, local_day
from screening.core.errors import InvalidInput, NotPermitted, PolicyViolation
from screening.core.form_number import new_form_number

_RANDOM = SystemRandom()
# The rest of the form is filled in before the shift is forgotten.
FORM_TIME = timedelta(hours=12)
# A child who was not found, a school that was told too much: somebody above decides within the hour.
URGENT_LOOK = timedelta(hours=1)
_HARM = frozenset({HarmAnswer.HOME, HarmAnswer.SCHOOL, HarmAnswer.OTHER})


# --- while the line is open --------------------------------------------------------------------------------


def start_call(session: Session, *, actor: Actor, hotline_id: UUID, now: datetime) -> HotlineCall:
    """The line is open: a call with a number, and a line on the operator's list until its form is complete."""
    access.check_may_at(actor, May.LOG_CALL, hotline_id)
    if actor.account_id is None:
        raise NotPermitted
    call = HotlineCall(
        call_no=new_form_number(_RANDOM),
        organisation_id=hotline_id,
        operator_id=actor.account_id,
        status=CallStatus.OPEN,
        started_at=now,
        saved={},
    )
    session.add(call)
    _changed(call, actor, now)
    audit.record(session, actor=actor, event=AuditEvent.CALL_START, at=now, subject_id=call.id)
    session.flush()
    require(session, actor=actor, call=call, kind=TaskKind.CALL_FINISH, due_at=now + FORM_TIME, now=now)
    return call


@dataclass(frozen=True, slots=True)
class Saved:
    """What a save came to. ``sequence`` is the highest seen, for a window that opens the call anew; ``refused``
    names fields that were not understood, and why: the others are stored."""

    version: int
    sequence: int
    refused: Mapping[str, InvalidInput]


def save(
    session: Session,
    *,
    actor: Actor,
    call: HotlineCall,
    fields: Mapping[str, object],
    sequence: int,
    now: datetime,
) -> Saved:
    """Store a part of the form. Fields that are not sent stay.

    ``sequence`` grows with each save of a call (from 1). For each field the save with the highest one wins, in
    whatever order they arrive; the same save again changes nothing. Fields: ``referral.actions.call_fields``.
    """
    check_open(actor, call, May.LOG_CALL)
    if sequence < 1:
        raise InvalidInput("Saves are numbered from 1.")
    session.refresh(call, with_for_update=True)
    before, record, harm_before = dict(call.saved), record_of(call), call.harm_by
    saved, refused = dict(before), {}
    for name, value in fields.items():
        if sequence <= saved.get(name, 0):
            continue
        try:
            _put(call, record, name, call_fields.read(name, value))
        except InvalidInput as wrong:
            refused[name] = wrong
        else:
            saved[name] = sequence
    if saved != before:
        call.saved = saved
        call.record = json.dumps(record, ensure_ascii=False, sort_keys=True)
        _follow(session, actor, call, record, harm_before, now)
    session.flush()
    return Saved(call.version, max(saved.values(), default=0), refused)


def _put(call: HotlineCall, record: dict[str, Any], name: str, value: object | None) -> None:
    if call_fields.FIELDS[name].column:
        setattr(call, name, value)
    elif value is None:
        record.pop(name, None)
    else:
        record[name] = value


def _follow(
    session: Session,
    actor: Actor,
    call: HotlineCall,
    record: Mapping[str, Any],
    harm_before: HarmAnswer | None,
    now: datetime,
) -> None:
    """What stored words ask for. A save every three seconds of one's own open call is not news for the trail:
    its start and its end are there."""
    if call.ended_at is not None or actor.account_id != call.operator_id:
        audit.record(session, actor=actor, event=AuditEvent.CALL_SAVE, at=now, subject_id=call.id)
    if call.harm_by is not harm_before:
        _harm_named(session, actor, call, now)
    if call_fields.asks_for_a_talk(record.get("mood_of_operator")) and not _ever(
        session, TaskKind.CALL_DEBRIEF, call.id
    ):
        due = china().closing(china().next_working_day(local_day(now)))
        require(session, actor=actor, call=call, kind=TaskKind.CALL_DEBRIEF, due_at=due, now=now)
    settle(session, actor=actor, call=call, now=now)


def _harm_named(session: Session, actor: Actor, call: HotlineCall, now: datetime) -> None:
    """Suspected harm is reported (law, form F14); where the school has already been told of somebody there, a
    supervisor looks at it within the hour."""
    if call.harm_by not in _HARM:
        tasks.settle(
            session,
            actor=actor,
            kind=TaskKind.MANDATORY_REPORT,
            subject_id=call.id,
            decision="withdrawn",
            now=now,
        )
        return
    due = deadlines.due("T19_RECORD", None, now, china())
    require(
        session,
        actor=actor,
        call=call,
        kind=TaskKind.MANDATORY_REPORT,
        due_at=due,
        now=now,
        clock="T19_RECORD",
    )
    told = any(row.to is HandoverTo.SCHOOL_DUTY for row in handovers_of(session, call=call))
    if call.harm_by is HarmAnswer.SCHOOL and told:
        look_again(session, actor=actor, call=call, now=now)


def triage(session: Session, *, actor: Actor, call: HotlineCall, level: CallLevel, now: datetime) -> None:
    """One press of A, B, C or D; pressed again when things change. A calls a supervisor to the line."""
    check_open(actor, call, May.TRIAGE_CALL)
    if call.level is level:
        return
    call.level = level
    audit.record(session, actor=actor, event=AuditEvent.CALL_TRIAGE, at=now, subject_id=call.id)
    before = call.status
    if call.status is CallStatus.OPEN:
        move(session, actor=actor, call=call, to=CallStatus.TRIAGED, now=now)
    if level in CALL_DANGER:
        _ask_review(session, actor, call, level, now)
    settle(session, actor=actor, call=call, now=now)
    if call.status is before:
        _changed(call, actor, now)


def _ask_review(session: Session, actor: Actor, call: HotlineCall, level: CallLevel, now: datetime) -> None:
    if call.review_due_at is None:
        call.review_due_at = deadlines.due("T20_REVIEW", level.value, now, china())
    if call.reviewed_at is None:
        task = require(
            session,
            actor=actor,
            call=call,
            kind=TaskKind.CALL_REVIEW,
            due_at=call.review_due_at,
            now=now,
            clock="T20_REVIEW",
        )
        if level is CallLevel.A:
            notices.ring(session, task=task, step=0, whom=[task.owner_id], urgent=True, now=now)


def hang_up(session: Session, *, actor: Actor, call: HotlineCall, now: datetime) -> tuple[CallGuard, ...]:
    """The line is closed. Returns what the form still asks for; it holds nothing up. Again is the same answer."""
    check_open(actor, call, May.LOG_CALL)
    if call.ended_at is None:
        call.ended_at = now
        audit.record(session, actor=actor, event=AuditEvent.CALL_END, at=now, subject_id=call.id)
        tasks.settle(
            session,
            actor=actor,
            kind=TaskKind.CALL_SUPPORT,
            subject_id=call.id,
            decision="call_ended",
            now=now,
        )
        settle(session, actor=actor, call=call, now=now)
    return tuple(guard for guard in missing_for_closing(call_facts(session, call=call)) if guard in CALL_FORM)


# --- afterwards --------------------------------------------------------------------------------------------


def settle(session: Session, *, actor: Actor, call: HotlineCall, now: datetime) -> None:
    """Bring status, follow-ups and the operator's line up to what is on record about the call."""
    session.flush()
    _schedule(session, actor, call, now)
    session.flush()
    facts = call_facts(session, call=call)
    move(session, actor=actor, call=call, to=call_status(facts), now=now)
    if call.ended_at is None:
        return
    if CALL_FORM & set(missing_for_closing(facts)):
        due = call.ended_at + FORM_TIME
        require(session, actor=actor, call=call, kind=TaskKind.CALL_FINISH, due_at=due, now=now)
    else:
        tasks.settle(
            session,
            actor=actor,
            kind=TaskKind.CALL_FINISH,
            subject_id=call.id,
            decision="complete",
            now=now,
        )


def move(session: Session, *, actor: Actor, call: HotlineCall, to: CallStatus, now: datetime) -> None:
    """One step of the call's machine, with its row; nothing where it already stands."""
    if call.status is to:
        return
    check_transition(CALL_TRANSITIONS, call.status, to)
    call.status = to
    _changed(call, actor, now)


def _schedule(session: Session, actor: Actor, call: HotlineCall, now: datetime) -> None:
    """A and B are phoned again after a day, three, seven and thirty, when the caller wants it and left a number."""
    possible = call.callback_ok is True and call.phone_sealed is not None
    if call.ended_at is None or call.level not in CALL_DANGER or not possible:
        return
    planned = {row.due_on for row in follow_ups_of(session, call=call)}
    at = call.ended_at.astimezone(LOCAL).time()
    for day in deadlines.follow_up_days(FollowUpTemplate.HOTLINE, local_day(call.ended_at)):
        if day.due_on not in planned:
            session.add(
                HotlineFollowUp(
                    call_id=call.id,
                    due_on=day.due_on,
                    due_at=datetime.combine(day.due_on, at, LOCAL),
                    status=FollowUpStatus.DUE,
                    scheduled_at=now,
                )
            )
    session.flush()
    _next(session, actor, call, now)


def _next(session: Session, actor: Actor, call: HotlineCall, now: datetime) -> None:
    """The earliest contact that is still due has a line; later ones wait for their turn."""
    due = [row for row in follow_ups_of(session, call=call) if row.status is FollowUpStatus.DUE]
    if due:
        require(
            session,
            actor=actor,
            call=call,
            kind=TaskKind.CALL_FOLLOW_UP,
            due_at=due[0].due_at,
            now=now,
            subject_id=due[0].id,
        )


def follow_up(
    session: Session,
    *,
    actor: Actor,
    call: HotlineCall,
    contact: HotlineFollowUp,
    made: bool,
    words: str,
    now: datetime,
) -> None:
    """The hotline phoned back, or could not; then ``words`` say why."""
    check_open(actor, call, May.LOG_CALL)
    if not made and not words.strip():
        raise InvalidInput("Say why the contact could not be made.")
    _end_contact(
        session, actor, call, contact, FollowUpStatus.DONE if made else FollowUpStatus.MISSED, words, now
    )
    session.flush()
    _next(session, actor, call, now)
    settle(session, actor=actor, call=call, now=now)


def cancel_follow_ups(
    session: Session, *, actor: Actor, call: HotlineCall, reason: str, now: datetime
) -> None:
    """The caller does not want to be phoned any more, or the level was a mistake."""
    check_open(actor, call, May.LOG_CALL)
    if not reason.strip():
        raise InvalidInput("Say why nobody phones back any more.")
    for contact in follow_ups_of(session, call=call):
        if contact.status is FollowUpStatus.DUE:
            _end_contact(session, actor, call, contact, FollowUpStatus.CANCELLED, reason, now)
    settle(session, actor=actor, call=call, now=now)


def _end_contact(
    session: Session,
    actor: Actor,
    call: HotlineCall,
    contact: HotlineFollowUp,
    to: FollowUpStatus,
    words: str,
    now: datetime,
) -> None:
    check_transition(FOLLOWUP_TRANSITIONS, contact.status, to)
    contact.status, contact.done_at, contact.done_by = to, now, actor.account_id
    contact.words = words.strip() or None
    tasks.settle(
        session,
        actor=actor,
        kind=TaskKind.CALL_FOLLOW_UP,
        subject_id=contact.id,
        decision=to.value,
        now=now,
    )
    audit.record(
        session,
        actor=actor,
        event=AuditEvent.CALL_FOLLOW_UP,
        at=now,
        subject_id=call.id,
        detail={"status": to.value},
    )


def review(session: Session, *, actor: Actor, call: HotlineCall, words: str, now: datetime) -> None:
    """督导复核 of a call of level A or B. Nobody reviews their own call."""
    check_open(actor, call, May.REVIEW_CALL)
    if actor.account_id == call.operator_id:
        raise PolicyViolation("Nobody reviews their own call.")
    if call.review_due_at is None:
        raise PolicyViolation("This call asks for no review.")
    if not words.strip():
        raise InvalidInput("Say in a few words what was decided.")
    call.reviewed_at, call.reviewed_by, call.review = now, actor.account_id, words.strip()
    tasks.settle(
        session, actor=actor, kind=TaskKind.CALL_REVIEW, subject_id=call.id, decision="reviewed", now=now
    )
    audit.record(session, actor=actor, event=AuditEvent.CALL_REVIEW, at=now, subject_id=call.id)


def look_again(session: Session, *, actor: Actor, call: HotlineCall, now: datetime) -> None:
    """Something about this call cannot wait for its review: it is asked for (again) within the hour, and rings."""
    call.reviewed_at = call.reviewed_by = None
    call.review_due_at = now + URGENT_LOOK
    task = require(
        session,
        actor=actor,
        call=call,
        kind=TaskKind.CALL_REVIEW,
        due_at=call.review_due_at,
        now=now,
        clock="T20_REVIEW",
    )
    session.flush()
    whom = [task.owner_id, call.operator_id]
    notices.ring(session, task=task, step=task.step + 1, whom=whom, urgent=True, now=now)


def close(session: Session, *, actor: Actor, call: HotlineCall, now: datetime) -> None:
    """The call is done with. Raises :class:`PolicyViolation` naming what is missing."""
    check_open(actor, call, May.LOG_CALL)
    settle(session, actor=actor, call=call, now=now)
    missing = missing_for_closing(call_facts(session, call=call))
    if missing:
        raise PolicyViolation(
            "The call cannot be closed yet: {missing}.", missing=", ".join(guard.value for guard in missing)
        )
    move(session, actor=actor, call=call, to=CallStatus.CLOSED, now=now)
    call.closed_at, call.closed_by = now, actor.account_id
    audit.record(session, actor=actor, event=AuditEvent.CALL_CLOSE, at=now, subject_id=call.id)


# --- confidentiality ---------------------------------------------------------------------------------------


def ask_disclosure(
    session: Session, *, actor: Actor, call: HotlineCall, basis: DisclosureBasis, reason: str, now: datetime
) -> None:
    """Ask a supervisor to break confidentiality against, or without, the caller's word. It rings."""
    check_open(actor, call, May.LOG_CALL)
    if call.broken_approved_at is not None:
        return
    call.broken_asked_by, call.broken_basis = actor.account_id, basis
    call.broken_reason = reason.strip() or call.broken_reason
    _ring_supervisor(session, actor, call, call.id, now)


def decide_disclosure(
    session: Session, *, actor: Actor, call: HotlineCall, approved: bool, reason: str, now: datetime
) -> None:
    """A supervisor approves or refuses, and says why. Nobody approves what they asked for themselves."""
    check_open(actor, call, May.APPROVE_DISCLOSURE)
    if call.broken_asked_by is None or call.broken_approved_at is not None:
        raise PolicyViolation("Nobody has asked for this.")
    if actor.account_id == call.broken_asked_by:
        raise PolicyViolation("Nobody approves what they have asked for themselves.")
    if not reason.strip():
        raise InvalidInput("Say in a few words what was decided.")
    if approved:
        call.broken_approved_at, call.broken_approved_by = now, actor.account_id
        call.broken_reason = reason.strip()
    else:
        call.broken_asked_by = call.broken_basis = call.broken_reason = None
    _decided(session, actor, call, call.id, "approved" if approved else "refused", now)


def ask_phone(session: Session, *, actor: Actor, call: HotlineCall, now: datetime) -> None:
    """Ask a supervisor to show the caller's number again, to phone back (levels A and B only)."""
    check_open(actor, call, May.LOG_CALL)
    _check_phone_may_show(call)
    if call.phone_approved_at is None:
        call.phone_asked_by = actor.account_id
        _ring_supervisor(session, actor, call, _phone_subject(call), now)


def approve_phone(session: Session, *, actor: Actor, call: HotlineCall, now: datetime) -> None:
    """A supervisor lets the number be shown (decision 49)."""
    check_open(actor, call, May.APPROVE_DISCLOSURE)
    _check_phone_may_show(call)
    if actor.account_id in (call.phone_asked_by, call.operator_id):
        raise PolicyViolation("Nobody approves what they have asked for themselves.")
    call.phone_approved_at, call.phone_approved_by = now, actor.account_id
    _decided(session, actor, call, _phone_subject(call), "approved", now)


def _check_phone_may_show(call: HotlineCall) -> None:
    if call.level not in CALL_DANGER:
        raise PolicyViolation("The number is shown for calls of level A and B only.")


def _phone_subject(call: HotlineCall) -> UUID:
    return uuid5(call.id, "phone")


def _ring_supervisor(
    session: Session, actor: Actor, call: HotlineCall, subject_id: UUID, now: datetime
) -> None:
    task = require(
        session,
        actor=actor,
        call=call,
        kind=TaskKind.CALL_DISCLOSURE,
        due_at=deadlines.due("T20", CallLevel.A.value, now, china()),
        now=now,
        clock="T20",
        subject_id=subject_id,
    )
    notices.ring(session, task=task, step=0, whom=[task.owner_id], urgent=True, now=now)


def _decided(
    session: Session, actor: Actor, call: HotlineCall, subject_id: UUID, decision: str, now: datetime
) -> None:
    tasks.settle(
        session,
        actor=actor,
        kind=TaskKind.CALL_DISCLOSURE,
        subject_id=subject_id,
        decision=decision,
        now=now,
    )
    audit.record(
        session,
        actor=actor,
        event=AuditEvent.DISCLOSURE_APPROVE,
        at=now,
        subject_id=call.id,
        detail={"decision": decision, "about": "caller" if subject_id == call.id else "phone"},
    )


# --- shared with handovers and look-ups --------------------------------------------------------------------

# A supervisor's lines; the others are the operator's, with a supervisor behind them.
_OF_SUPERVISORS = frozenset(
    {TaskKind.CALL_REVIEW, TaskKind.CALL_DISCLOSURE, TaskKind.CALL_DEBRIEF, TaskKind.LOOKUP_ALARM}
    | {TaskKind.CALL_SUPPORT}
)


def check_open(actor: Actor, call: HotlineCall, what: May) -> None:
    """The right, in this very hotline, and a call that nobody has closed."""
    access.check_may_at(actor, what, call.organisation_id)
    if call.closed_at is not None:
        raise PolicyViolation("This call has been closed.")


def require(
    session: Session,
    *,
    actor: Actor,
    call: HotlineCall,
    kind: TaskKind,
    due_at: datetime,
    now: datetime,
    clock: str | None = None,
    subject_id: UUID | None = None,
) -> Task:
    """A line at the hotline: the operator's with a supervisor behind, or a supervisor's with another behind."""
    above = [
        each
        for each in supervisors_of(session, hotline_id=call.organisation_id, now=now)
        if each != call.operator_id
    ]
    chain = [*above, call.operator_id] if kind in _OF_SUPERVISORS else [call.operator_id, *above]
    return tasks.require(
        session,
        actor=actor,
        kind=kind,
        subject_id=subject_id or call.id,
        organisation_id=call.organisation_id,
        owner_id=chain[0],
        backup_id=chain[1] if len(chain) > 1 else None,
        due_at=due_at,
        now=now,
        clock=clock,
    )


def _ever(session: Session, kind: TaskKind, subject_id: UUID) -> bool:
    found = session.scalars(select(Task.id).where(Task.kind == kind, Task.subject_id == subject_id).limit(1))
    return found.one_or_none() is not None


def _changed(call: HotlineCall, actor: Actor, now: datetime) -> None:
    call.history.append(
        HotlineStatusChange(status=call.status, level=call.level, changed_at=now, changed_by=actor.account_id)
    )
