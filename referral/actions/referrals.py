"""转介: draft, send, receive, accept, decline, schedule, attend, acknowledge, complete."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from dataclasses import replace
from datetime import date, datetime, timedelta
from random import SystemRandom
from uuid import UUID

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from referral import deadlines, disclosure
from referral.actions import cases, followups, notices, reply_codes
from referral.actions.referral_steps import (
    ask_answer,
    ask_school,
    check_no_reply_waits,
    end_lines,
    move,
    settle,
    status_row,
    tell_facility,
)
from referral.disclosure import DisclosureProblem, NoteContent
from referral.models.case import Case
from referral.models.referral import Referral
from referral.planning import ReferralNeed
from referral.policies import BEFORE_SENDING, check_hold, check_sendable
from referral.queries.facilities import SENT, choose_for, count_one_more
from referral.queries.notes import note_inputs
from referral.queries.shelves import living_referral
from referral.terms import (
    FollowUpTemplate,
    Outcome,
    PlanStatus,
    ReferralKind,
    ReferralStatus,
    RefusalReason,
    TaskKind,
    Tier,
    Urgency,
)
from screening import access
from screening.access import May, Part
from screening.core import audit, outbox
from screening.core.actor import Actor
from screening.core.ahead import told
from screening.core.audit import AuditEvent
from screening.core.calendar import china
from screening.core.clock import local_day
from screening.core.errors import InvalidInput, PolicyViolation
from screening.core.form_number import new_form_number
from screening.models.child import Child
from screening.models.consent import ConsentStatus, Purpose
from screening.queries.campaigns import current_consent

_RANDOM = SystemRandom()

NOTE_TOPIC = "note.make"
# A note that is not there by then is shown as overdue, and the case goes on without it.
NOTE_WITHIN = timedelta(minutes=2)
EMERGENCY_BASIS = "emergency"
CONSENT_BASIS = "consent"


def find_open(session: Session, *, case_id: UUID) -> Referral | None:
    """The open referral of a case; of two (a silent facility, and the one asked after it) the living one."""
    return living_referral(session, case_id=case_id)


def all_open(session: Session, *, case_id: UUID) -> Sequence[Referral]:
    """Every open referral of a case."""
    return session.scalars(
        select(Referral).where(Referral.case_id == case_id, Referral.ended_at.is_(None))
    ).all()


def draft_or_update(
    session: Session, *, actor: Actor, case: Case, child: Child, need: ReferralNeed, now: datetime
) -> Referral:
    """The open referral of the case: drafted now, or brought up to date while it has not left (R-L1, R-L2)."""
    referral = find_open(session, case_id=case.id)
    if referral is None:
        referral = _draft(session, actor, case, child, need, now)
    elif referral.sent_at is None:
        if need.urgency.rank > referral.urgency.rank:
            referral.urgency, referral.why = need.urgency, _why(need)
        make_note(session, referral=referral, case=case, actor=actor, now=now, again=True)
    else:
        ask_update(session, actor=actor, case=case, now=now)
    return referral


def _draft(
    session: Session, actor: Actor, case: Case, child: Child, need: ReferralNeed, now: datetime
) -> Referral:
    choice = choose_for(session, child=child, urgency=need.urgency, now=now)
    count_one_more(session, choice.facility_id)
    return new_draft(
        session,
        actor=actor,
        case=case,
        facility_id=choice.facility_id,
        urgency=need.urgency,
        why=_why(need),
        former=None,
        now=now,
    )


def new_draft(
    session: Session,
    *,
    actor: Actor,
    case: Case,
    facility_id: UUID | None,
    urgency: Urgency,
    why: str,
    former: Referral | None,
    now: datetime,
) -> Referral:
    """A draft to one facility. After ``former`` nothing is typed again: the words of its note come along."""
    referral = Referral(
        form_no=new_form_number(_RANDOM),
        case_id=case.id,
        child_id=case.child_id,
        facility_id=facility_id,
        kind=ReferralKind.REFERRAL,
        urgency=urgency,
        why=why,
        status=ReferralStatus.DRAFT,
        drafted_at=now,
        former_id=former.id if former else None,
        words=former.words if former else None,
        guardian_told_at=former.guardian_told_at if former else None,
        guardian_told_by=former.guardian_told_by if former else None,
    )
    session.add(referral)
    status_row(session, actor, referral, ReferralStatus.DRAFT, None, None, now)
    audit.record(
        session,
        actor=actor,
        event=AuditEvent.REFERRAL_DRAFT,
        at=now,
        child_id=case.child_id,
        subject_id=referral.id,
    )
    if facility_id is None:
        ask_school(
            session, actor, case, TaskKind.SERVICE_GAP, referral.id, now + timedelta(days=1), None, now
        )
    ask_school(session, actor, case, TaskKind.REFERRAL_SEND, referral.id, _send_due(urgency, now), "T11", now)
    make_note(session, referral=referral, case=case, actor=actor, now=now)
    return referral


def _send_due(urgency: Urgency, now: datetime) -> datetime:
    """A draft waits for the second assessment and the guardian: T09 first, then T11."""
    seen = deadlines.due("T09", "high", now, china())
    if urgency is Urgency.EMERGENCY:
        return deadlines.due("T11", Tier.CRISIS, now, china())
    return deadlines.due("T11", urgency, seen, china())


def make_note(
    session: Session, *, referral: Referral, case: Case, actor: Actor, now: datetime, again: bool = False
) -> None:
    """Ask the worker for the PDF. A newer version makes the older order void; late is a visible task."""
    if again:
        referral.note_version += 1
    urgent = referral.urgency is Urgency.EMERGENCY
    outbox.publish(
        session,
        topic=NOTE_TOPIC,
        payload={"referral": str(referral.id), "version": referral.note_version},
        purpose=f"note:{referral.id}:{referral.note_version}",
        now=now,
        urgent=urgent,
    )
    ask_school(session, actor, case, TaskKind.NOTE_OVERDUE, referral.id, now + NOTE_WITHIN, None, now)


def ask_update(session: Session, *, actor: Actor, case: Case, now: datetime) -> None:
    """R-L2: a facility has the child already. It is told what is new; nothing is referred twice."""
    referral = find_open(session, case_id=case.id)
    if referral is not None:
        due = end_of_next_working_day(local_day(now))
        ask_school(session, actor, case, TaskKind.REFERRAL_UPDATE, referral.id, due, None, now)


def end_of_next_working_day(day: date) -> datetime:
    """When the office closes on the next working day."""
    return china().closing(china().next_working_day(day))


def _why(need: ReferralNeed) -> str:
    return ",".join(need.why)[:120]


def write_words(
    session: Session, *, actor: Actor, case: Case, referral: Referral, words: dict[str, object], now: datetime
) -> tuple[DisclosureProblem, ...]:
    """What the school puts on part 2 after seeing the child (F1). Refused when a rule blocks; warnings return."""
    access.check_may(actor, May.SEND_REFERRAL)
    if referral.sent_at is not None:
        raise PolicyViolation("The note has been sent; what stands on it is no longer changed.")
    former, referral.words = referral.words, json.dumps(words, ensure_ascii=False, sort_keys=True)
    problems = _problems_of_words(session, referral, case, now)
    try:
        _check_note(_before_sending(problems))
    except InvalidInput:
        referral.words = former
        raise
    make_note(session, referral=referral, case=case, actor=actor, now=now, again=True)
    audit.record(
        session,
        actor=actor,
        event=AuditEvent.REFERRAL_CHANGE,
        at=now,
        child_id=referral.child_id,
        subject_id=referral.id,
        detail={"words": True},
    )
    return problems


def _problems_of_words(
    session: Session, referral: Referral, case: Case, now: datetime
) -> tuple[DisclosureProblem, ...]:
    """What is wrong with the note, and with words that it will show once somebody has seen the child."""
    inputs = note_inputs(session, referral=referral, case=case, now=now)
    problems = disclosure.check(disclosure.compose(inputs))
    if inputs.seen:
        return tuple(problems)
    later = disclosure.check(disclosure.compose(replace(inputs, seen=True)))
    return (
        *problems,
        *(problem for problem in later if problem.rule != "missing" and problem not in problems),
    )


# Written onto the note by the sending itself.
_COME_WITH_SENDING = frozenset({"consent_id", "reply_by"})


def _before_sending(problems: Iterable[DisclosureProblem]) -> list[DisclosureProblem]:
    """What is wrong with a note that has not left yet."""
    return [p for p in problems if not (p.rule == "missing" and p.field in _COME_WITH_SENDING)]


def _check_note(problems: Iterable[DisclosureProblem]) -> None:
    blocking = sorted({f"{p.field}: {p.rule}" for p in problems if p.severity is disclosure.Severity.BLOCK})
    if blocking:
        raise InvalidInput(
            "The note cannot leave like this (field: rule): {fields}.", fields=", ".join(blocking)
        )


def note_is_fit(session: Session, *, referral: Referral, case: Case, now: datetime) -> bool:
    """Whether nothing on the note is missing, but for what sending puts there, and nothing must not stand there."""
    problems = disclosure.check(compose(session, referral=referral, case=case, now=now))
    return not any(problem.severity is disclosure.Severity.BLOCK for problem in _before_sending(problems))


def compose(session: Session, *, referral: Referral, case: Case, now: datetime) -> NoteContent:
    """What stands on the note now."""
    return disclosure.compose(note_inputs(session, referral=referral, case=case, now=now))


def consent_stands(session: Session, *, child: Child) -> bool:
    """Whether ``share_facility`` is given."""
    known: frozenset[str] | None = told(session, ("consents", child.id), lambda: None)
    if known is not None:
        return Purpose.SHARE_FACILITY.value in known
    consent = current_consent(session, child_id=child.id, purpose=Purpose.SHARE_FACILITY)
    return consent is not None and consent.status is ConsentStatus.GIVEN


def ask_guardian(session: Session, *, actor: Actor, case: Case, referral: Referral, now: datetime) -> None:
    """待监护人同意: somebody has to ask, by a day."""
    _await_guardian(session, actor, referral, now)
    due = deadlines.due("T11", referral.urgency, now, china())
    ask_school(session, actor, case, TaskKind.GUARDIAN_AGREEMENT, referral.id, due, "T11", now)


def _await_guardian(session: Session, actor: Actor, referral: Referral, now: datetime) -> None:
    """Somebody asks: for the first time, or again after a refusal (the second talk)."""
    if referral.status in (ReferralStatus.DRAFT, ReferralStatus.GUARDIAN_REFUSED):
        move(session, actor, referral, ReferralStatus.AWAITING_GUARDIAN, None, None, now)
        settle(session, actor, TaskKind.GUARDIAN_SECOND_TALK, referral, "held", now)


def withdraw(session: Session, *, actor: Actor, referral: Referral, reason: str, now: datetime) -> None:
    """Take a referral back before the child has been to the facility."""
    access.check_may(actor, May.SEND_REFERRAL)
    move(session, actor, referral, ReferralStatus.WITHDRAWN, reason, None, now)
    cases.end_grants(session, actor=actor, reason_id=referral.id, now=now)
    end_lines(session, actor, referral, "withdrawn", now)
    tell_facility(session, actor, referral, now)
    _ask_about_the_silent(session, actor, referral, now)


def _ask_about_the_silent(session: Session, actor: Actor, taken_back: Referral, now: datetime) -> None:
    """The facility that was asked beside a silent one is no longer: somebody decides about the silent one again."""
    session.flush()
    others = session.scalars(
        select(Referral).where(Referral.case_id == taken_back.case_id, Referral.ended_at.is_(None))
    ).all()
    if any(other.status is not ReferralStatus.EXPIRED_NO_ANSWER for other in others):
        return
    for silent in others:
        case = session.get_one(Case, silent.case_id)
        due = china().closing(china().add_working_days(local_day(now), 1))
        ask_school(session, actor, case, TaskKind.REFERRAL_REROUTE, silent.id, due, None, now)


def tell_guardian(session: Session, *, actor: Actor, referral: Referral, now: datetime) -> None:
    """A person has told the guardian about this referral. Without that nothing leaves by itself (decision 2)."""
    access.check_may(actor, May.SEND_REFERRAL)
    if actor.account_id is None:
        raise PolicyViolation("Only a person tells a guardian.")
    if referral.guardian_told_at is None:
        referral.guardian_told_at, referral.guardian_told_by = now, actor.account_id
        settle(session, actor, TaskKind.GUARDIAN_CONTACT, referral, "told", now)
        audit.record(
            session,
            actor=actor,
            event=AuditEvent.REFERRAL_CHANGE,
            at=now,
            child_id=referral.child_id,
            subject_id=referral.id,
            detail={"guardian_told": True},
        )


def hold(
    session: Session,
    *,
    actor: Actor,
    case: Case,
    referral: Referral,
    until: date,
    reason: str,
    now: datetime,
) -> None:
    """Nothing leaves by itself until a day: at most five working days, with a reason; again only by the lead."""
    access.check_may(actor, May.SEND_REFERRAL)
    if referral.status not in BEFORE_SENDING:
        raise PolicyViolation("This referral has already left.")
    check_hold(
        until=until,
        latest=china().add_working_days(local_day(now), 5),
        today=local_day(now),
        reason=reason,
        holds=referral.holds,
        is_lead=access.may_at(actor, May.SIGN_TIER, case.organisation_id),
    )
    referral.held_until, referral.held_why = until, reason.strip()[:120]
    referral.holds += 1
    audit.record(
        session,
        actor=actor,
        event=AuditEvent.REFERRAL_CHANGE,
        at=now,
        child_id=referral.child_id,
        subject_id=referral.id,
        detail={"held_until": until.isoformat()},
    )
    ask_school(session, actor, case, TaskKind.REFERRAL_HOLD, referral.id, china().closing(until), None, now)


def guardian_answered(
    session: Session,
    *,
    actor: Actor,
    case: Case,
    referral: Referral,
    agreed: bool,
    now: datetime,
    refusal: RefusalReason | None = None,
    present: str | None = None,
) -> None:
    """The guardian has been told of this referral and has answered; the consent itself is its own record.

    A refusal has its reason, and after one there is a second talk with somebody else present (``present``: the
    clinician, the county centre, the class teacher; §5.1).
    """
    access.check_may(actor, May.SEND_REFERRAL)
    if not agreed and refusal is None:
        raise InvalidInput("Say why the guardian does not agree: each reason has something to offer.")
    if referral.status is ReferralStatus.GUARDIAN_REFUSED and not (present or "").strip():
        raise InvalidInput("The second talk is held with somebody else present. Say who.")
    tell_guardian(session, actor=actor, referral=referral, now=now)
    _await_guardian(session, actor, referral, now)
    to = ReferralStatus.READY if agreed else ReferralStatus.GUARDIAN_REFUSED
    move(
        session, actor, referral, to, refusal.value if refusal else None, (present or "").strip() or None, now
    )
    settle(session, actor, TaskKind.GUARDIAN_AGREEMENT, referral, "agreed" if agreed else "refused", now)
    if agreed:
        settle(session, actor, TaskKind.GUARDIAN_ADVICE, referral, "agreed", now)
        leave_by = deadlines.due("T11", referral.urgency, now, china())
        ask_school(session, actor, case, TaskKind.REFERRAL_SEND, referral.id, leave_by, "T11", now)
        return
    by = china().closing(china().add_working_days(local_day(now), 5))
    ask_school(session, actor, case, TaskKind.GUARDIAN_SECOND_TALK, referral.id, by, None, now)
    ask_school(session, actor, case, TaskKind.GUARDIAN_ADVICE, referral.id, by, None, now)
    followups.schedule(
        session, actor=actor, case=case, template=FollowUpTemplate.REFUSED, day0=local_day(now), now=now
    )


def send(
    session: Session,
    *,
    actor: Actor,
    case: Case,
    child: Child,
    referral: Referral,
    emergency: bool,
    escort: str | None,
    now: datetime,
) -> None:
    """The note leaves: frozen, with its basis; the facility may see it from now on, and its clock runs."""
    access.check_may(actor, May.SEND_REFERRAL)
    consent = current_consent(session, child_id=child.id, purpose=Purpose.SHARE_FACILITY)
    given = consent is not None and consent.status is ConsentStatus.GIVEN
    basis = EMERGENCY_BASIS if emergency else CONSENT_BASIS
    check_sendable(
        referral.status,
        urgency=referral.urgency,
        facility_known=referral.facility_id is not None,
        consent_given=given,
        emergency=emergency,
    )
    if emergency and not (escort or "").strip():
        raise InvalidInput("Name who takes the child there.")
    if not emergency and referral.status in (ReferralStatus.DRAFT, ReferralStatus.AWAITING_GUARDIAN):
        move(session, actor, referral, ReferralStatus.READY, None, None, now)
    referral.legal_basis = basis
    referral.consent_id = consent.id if consent is not None and given else None
    if escort:
        referral.words = json.dumps(
            {**json.loads(referral.words or "{}"), "escort": escort}, ensure_ascii=False
        )
    _leave(session, actor, case, child, referral, now)


_UNTIL_SENT = (
    TaskKind.REFERRAL_SEND,
    TaskKind.REFERRAL_HOLD,
    TaskKind.GUARDIAN_AGREEMENT,
    TaskKind.GUARDIAN_SECOND_TALK,
    TaskKind.GUARDIAN_ADVICE,
)


def _leave(
    session: Session, actor: Actor, case: Case, child: Child, referral: Referral, now: datetime
) -> None:
    move(session, actor, referral, ReferralStatus.SENT, None, None, now)
    referral.sent_at, referral.sent_by = now, actor.account_id
    referral.answer_due_at = deadlines.due("T12", referral.urgency, now, china())
    content = compose(session, referral=referral, case=case, now=now)
    _check_note(disclosure.check(content))
    token, code = reply_codes.issue(session, referral=referral, now=now)
    content = replace(content, reply_token=token, reply_code=code)
    referral.frozen = json.dumps(content.as_dict(), ensure_ascii=False, sort_keys=True)
    make_note(session, referral=referral, case=case, actor=actor, now=now, again=True)
    facility_id = referral.facility_id
    if facility_id is None:
        raise PolicyViolation("The referral has no facility yet. Choose one first.")
    cases.grant(
        session,
        actor=actor,
        child_id=child.id,
        organisation_id=facility_id,
        part=Part.NOTE,
        reason="referral",
        reason_id=referral.id,
        now=now,
    )
    audit.record(
        session,
        actor=actor,
        event=AuditEvent.REFERRAL_SEND,
        at=now,
        child_id=child.id,
        subject_id=referral.id,
        detail={"basis": referral.legal_basis, "kind": referral.kind.value},
    )
    for kind in _UNTIL_SENT:
        settle(session, actor, kind, referral, "sent", now)
    ask_answer(session, actor, case, referral, now)


def leave_by_itself(
    session: Session, *, actor: Actor, case: Case, child: Child, referral: Referral, why: str, now: datetime
) -> None:
    """The referral leaves unseen, as a triage request (decision 2): ``why`` is *at_once* or *triage*.

    The caller has checked that it may.
    """
    consent = current_consent(session, child_id=child.id, purpose=Purpose.SHARE_FACILITY)
    if consent is None or consent.status is not ConsentStatus.GIVEN:
        raise PolicyViolation("There is no consent to give data to a facility.")
    referral.kind = ReferralKind.TRIAGE_REQUEST
    referral.legal_basis, referral.consent_id = CONSENT_BASIS, consent.id
    if referral.status is not ReferralStatus.READY:
        move(session, actor, referral, ReferralStatus.READY, why, None, now)
    _leave(session, actor, case, child, referral, now)
    left: dict[UUID | None, int] = told(session, SENT, dict)
    left[referral.facility_id] = left.get(referral.facility_id, 0) + 1


def count_sent(session: Session, *, facility_id: UUID, since: datetime) -> int:
    """Triage requests that left for a facility since an instant."""
    known: dict[UUID | None, int] | None = told(session, SENT, lambda: None)
    if known is not None:
        return known.get(facility_id, 0)
    statement = select(func.count()).where(
        Referral.facility_id == facility_id,
        Referral.kind == ReferralKind.TRIAGE_REQUEST,
        Referral.sent_at >= since,
    )
    return session.scalar(statement) or 0


def returned(session: Session, *, actor: Actor, case: Case, referral: Referral, now: datetime) -> None:
    """A return note has come: it lands on the counsellor's list (T16)."""
    if referral.status is not ReferralStatus.RETURNED:
        move(session, actor, referral, ReferralStatus.RETURNED, None, None, now)
    settle(session, actor, TaskKind.RETURN_NOTE, referral, "written", now)
    due = deadlines.due("T16_READ", referral.urgency, now, china())
    task = ask_school(session, actor, case, TaskKind.RETURN_NOTE_READ, referral.id, due, "T16_READ", now)
    notices.ring(session, task=task, step=0, whom=[case.owner_id], urgent=False, now=now)


def acknowledge(session: Session, *, actor: Actor, case: Case, referral: Referral, now: datetime) -> None:
    """已阅, by the school: the plan has to follow (T16). Its author reads it too, and acknowledges nothing."""
    access.check_may(actor, May.READ_RETURN_NOTE)
    access.check_may_about(actor, May.SEND_REFERRAL, case.organisation_id)
    move(session, actor, referral, ReferralStatus.ACKNOWLEDGED, None, None, now)
    for note in referral.return_notes:
        if note.read_at is None:
            note.read_at, note.read_by = now, actor.account_id
    settle(session, actor, TaskKind.RETURN_NOTE_READ, referral, "read", now)
    if case.closed_at is None:
        due = deadlines.due("T16_UPDATE", referral.urgency, now, china())
        ask_school(session, actor, case, TaskKind.PLAN_REVIEW, case.id, due, "T16_UPDATE", now)
    if referral.return_notes and referral.return_notes[-1].outcome is Outcome.NO_DISORDER_FOUND:
        # A normal, good end: the child is in school next day, nothing to sign. The plan is reviewed on its own clock.
        _close_loop(session, actor, referral, now)


def complete(
    session: Session,
    *,
    actor: Actor,
    case: Case,
    referral: Referral,
    plan_status: PlanStatus | None,
    now: datetime,
) -> None:
    """已闭环: the plan has been reviewed; the facility's view ends."""
    access.check_may(actor, May.SEND_REFERRAL)
    if plan_status is PlanStatus.REVIEW_DUE:
        raise PolicyViolation("Review the plan first: the return note has not been worked into it.")
    _close_loop(session, actor, referral, now)


def _close_loop(session: Session, actor: Actor, referral: Referral, now: datetime) -> None:
    check_no_reply_waits(session, referral)
    move(session, actor, referral, ReferralStatus.COMPLETED, None, None, now)
    cases.end_grants(session, actor=actor, reason_id=referral.id, now=now)
    end_lines(session, actor, referral, "completed", now)
