"""热线移交: hand a call to somebody who can go there, be told that they have it, and hear what became of it.

A at once, B within the hour, C on the next working day when the caller agrees, D never. Where somebody at the
school may have harmed the child, the county is told and never the school (domain guide §5.2b). A and B about a known
child open the same case and crisis episode as everything else does.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from uuid import UUID

from sqlalchemy.orm import Session

from instruments import Grade
from referral import deadlines
from referral.actions import cases, crises, hotline, notices, plans, referrals, tasks
from referral.models.case import Case
from referral.models.hotline import HandoverRecord, HotlineCall, HotlineLink
from referral.models.task import Task
from referral.planning import AreaFinding
from referral.queries.hotline import handovers_of, live_link, record_of
from referral.queries.people import People, facility_people, people_of, protected_people
from referral.queries.plan_facts import plan_facts
from referral.states import CALL_DANGER, HANDOVER_OUTSIDE, HANDOVER_PAST_THE_SCHOOL
from referral.terms import (
    Area,
    CallerAgreement,
    CallerKind,
    CallLevel,
    CallStatus,
    Custody,
    DisclosureBasis,
    HandoverResult,
    HandoverTo,
    HarmAnswer,
    Origin,
    TaskKind,
)
from risk_model import Level
from screening import access
from screening.access import May, Part
from screening.core import audit
from screening.core.actor import Actor
from screening.core.audit import AuditEvent
from screening.core.calendar import china
from screening.core.errors import InvalidInput, NotPermitted, PolicyViolation
from screening.core.sealing import normalise
from screening.models.child import Child
from screening.models.organisation import Organisation, OrganisationKind
from screening.queries.campaigns import district_of

_TEXT_LIMIT = 2000
# A shorter name stands in every second sentence by chance.
_NAME_AT_LEAST = 2
_PHONE_AT_LEAST = 7
_SCHOOLS = frozenset({OrganisationKind.SCHOOL, OrganisationKind.SERVICE_SITE})
# A call says what an interview or an answer of this grade would (decision 17).
_GRADES = {CallLevel.A: Grade.A, CallLevel.B: Grade.B}


@dataclass(frozen=True, slots=True)
class HandoverIn:
    """Form F10 as the operator fills it.

    ``place`` comes from the place search and is not needed for a linked child, nor for police and ambulance.
    ``phoned_at``, ``received_by`` and ``acknowledged_at``: the telephone talk, when it was held, with whom, and when
    they said that they have it.
    """

    to: HandoverTo
    agreed: CallerAgreement
    what_said: str = ""
    where_now: str = ""
    asked: str = ""
    safe_way: str = ""
    place: Organisation | None = None
    basis: DisclosureBasis | None = None
    phoned_at: datetime | None = None
    received_by: str = ""
    acknowledged_at: datetime | None = None


def hand_over(
    session: Session, *, actor: Actor, call: HotlineCall, handover: HandoverIn, now: datetime
) -> HandoverRecord:
    """Hand the call over. The same receiver who has not answered yet is not asked twice: the first one stands."""
    hotline.check_open(actor, call, May.LOG_CALL)
    if actor.account_id is None:
        raise NotPermitted
    level = _check(call, handover, now)
    _check_confidential(session, actor, call, level, handover, now)
    link = live_link(session, call=call)
    receiver = _receiver(session, call, link, handover, now)
    waiting = _waiting(session, call, handover.to, receiver.organisation_id)
    if waiting is not None:
        return waiting
    row = HandoverRecord(
        call_id=call.id,
        call_no=call.call_no,
        level=level,
        to=handover.to,
        organisation_id=receiver.organisation_id,
        agreed=handover.agreed,
        basis=handover.basis,
        sent_at=now,
        sent_by=actor.account_id,
        phoned_at=handover.phoned_at,
        what_said=handover.what_said.strip() or None,
        where_now=handover.where_now.strip() or None,
        asked=handover.asked.strip() or None,
        safe_way=handover.safe_way.strip() or None,
        received_by=handover.received_by.strip() or None,
    )
    session.add(row)
    audit.record(
        session,
        actor=actor,
        event=AuditEvent.HANDOVER_SEND,
        at=now,
        subject_id=row.id,
        detail={"to": row.to.value},
    )
    session.flush()
    if link is not None:
        open_for_child(session, actor=actor, call=call, link=link, handover=row, now=now)
    _ask(session, actor, call, row, receiver, now)
    session.flush()
    hotline.move(session, actor=actor, call=call, to=CallStatus.HANDOVER_SENT, now=now)
    if handover.acknowledged_at is not None:
        _acknowledged(session, actor, call, row, handover.acknowledged_at, now)
    return row


# --- may it be handed over? --------------------------------------------------------------------------------


def _check(call: HotlineCall, handover: HandoverIn, now: datetime) -> CallLevel:
    if call.level is None:
        raise PolicyViolation("Choose a level first: one press of A, B or C.")
    if call.level is CallLevel.D:
        raise PolicyViolation("A call of level D is not handed over.")
    if call.harm_by is HarmAnswer.SCHOOL and handover.to is HandoverTo.SCHOOL_DUTY:
        raise PolicyViolation(
            "Somebody at the school may have harmed the child. Tell the county duty instead."
        )
    _check_times(handover, now)
    texts = (handover.what_said, handover.where_now, handover.asked, handover.safe_way)
    if any(len(text) > _TEXT_LIMIT for text in texts):
        raise InvalidInput("At most {limit} characters.", limit=_TEXT_LIMIT)
    if handover.to not in HANDOVER_OUTSIDE and not handover.what_said.strip():
        raise InvalidInput("Say in a few words what was said: the receiver reads nothing else of the call.")
    _check_caller_stays_unnamed(call, texts)
    return call.level


def _check_times(handover: HandoverIn, now: datetime) -> None:
    if handover.to in HANDOVER_OUTSIDE and handover.phoned_at is None:
        raise InvalidInput("Say when you phoned.")
    if any(at is not None and at > now for at in (handover.phoned_at, handover.acknowledged_at)):
        raise InvalidInput("The time of the telephone call lies in the future.")
    if handover.acknowledged_at is not None and not handover.received_by.strip():
        raise InvalidInput("Say who took it.")


def _check_caller_stays_unnamed(call: HotlineCall, texts: Sequence[str]) -> None:
    """Who called is not passed on, unless it is the child (form F10)."""
    if call.caller is CallerKind.SELF:
        return
    said = normalise(" ".join(texts))
    name = normalise(str(record_of(call).get("caller_name", "")))
    phone = normalise(call.phone or "")
    if (len(name) >= _NAME_AT_LEAST and name in said) or (len(phone) >= _PHONE_AT_LEAST and phone in said):
        raise PolicyViolation("The text names the caller or their number. Who called is not passed on.")


def _check_confidential(
    session: Session, actor: Actor, call: HotlineCall, level: CallLevel, handover: HandoverIn, now: datetime
) -> None:
    """Without the caller's yes a supervisor approves first. Only where life is in danger now the handover goes and
    the supervisor is asked at the same time: a form must not hold up an ambulance."""
    if handover.agreed is CallerAgreement.YES:
        return
    if handover.basis is None:
        raise InvalidInput("The caller has not agreed. Say on which basis it is handed over all the same.")
    if call.broken_approved_at is not None:
        return
    if level is not CallLevel.A:
        raise PolicyViolation("The caller has not agreed: a supervisor has to approve it first.")
    hotline.ask_disclosure(session, actor=actor, call=call, basis=handover.basis, reason="", now=now)


def _waiting(
    session: Session, call: HotlineCall, to: HandoverTo, organisation_id: UUID | None
) -> HandoverRecord | None:
    for row in handovers_of(session, call=call):
        if (row.to, row.organisation_id, row.acknowledged_at) == (to, organisation_id, None):
            return row
    return None


# --- to whom -----------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class _Receiver:
    """Whose line the acknowledgement is: people of ``organisation_id``, nearest first; empty keeps it at the hotline."""

    organisation_id: UUID | None
    people: tuple[UUID, ...]


def _receiver(
    session: Session, call: HotlineCall, link: HotlineLink | None, handover: HandoverIn, now: datetime
) -> _Receiver:
    if handover.to in HANDOVER_OUTSIDE:
        return _Receiver(None, ())
    if handover.to is HandoverTo.CLINIC:
        clinic = _place(handover, frozenset({OrganisationKind.FACILITY}), "Say which facility.")
        return _Receiver(clinic.id, facility_people(session, facility_id=clinic.id, now=now))
    home = _home(session, link)
    if handover.to is HandoverTo.SCHOOL_DUTY:
        school = home or _place(handover, _SCHOOLS, "Say which school.")
        return _Receiver(school.id, _nearest(_people(session, school, Custody.SCHOOL, now)))
    county = district_of(session, home or _place(handover, frozenset(OrganisationKind), "Say which county."))
    people = _nearest(_people(session, county, Custody.PROTECTED, now))
    return _Receiver(county.id, people)


def _home(session: Session, link: HotlineLink | None) -> Organisation | None:
    """The linked child's organisation: the server knows it, the operator does not."""
    if link is None:
        return None
    child = session.get_one(Child, link.child_id)
    return session.get_one(Organisation, child.organisation_id)


def _place(handover: HandoverIn, kinds: frozenset[OrganisationKind], message: str) -> Organisation:
    if handover.place is None or handover.place.kind not in kinds:
        raise InvalidInput(message)
    return handover.place


def _people(session: Session, organisation: Organisation, custody: Custody, now: datetime) -> People | None:
    """The chain, or nobody: a call about danger is taken even where no post is filled, and stays with the hotline."""
    try:
        if custody is Custody.PROTECTED:
            return protected_people(session, county=organisation, now=now)
        return people_of(session, organisation=organisation, now=now)
    except PolicyViolation:
        return None


def _nearest(people: People | None) -> tuple[UUID, ...]:
    return () if people is None else tuple(dict.fromkeys([*people.duty[:1], *people.chain]))


def _ask(
    session: Session,
    actor: Actor,
    call: HotlineCall,
    row: HandoverRecord,
    receiver: _Receiver,
    now: datetime,
) -> None:
    """T20: somebody named says that they have it. Police and ambulance say it to the operator."""
    due = deadlines.due("T20", row.level.value, now, china())
    urgent = row.level in CALL_DANGER
    if receiver.organisation_id is None or not receiver.people:
        task = hotline.require(
            session,
            actor=actor,
            call=call,
            kind=TaskKind.HANDOVER_ACKNOWLEDGE,
            due_at=due,
            now=now,
            clock="T20",
            subject_id=row.id,
        )
    else:
        case = session.get_one(Case, row.case_id) if row.case_id else None
        task = tasks.require(
            session,
            actor=actor,
            kind=TaskKind.HANDOVER_ACKNOWLEDGE,
            subject_id=row.id,
            organisation_id=receiver.organisation_id,
            owner_id=receiver.people[0],
            backup_id=receiver.people[1] if len(receiver.people) > 1 else None,
            due_at=due,
            now=now,
            clock="T20",
            child_id=case.child_id if case else None,
            case_id=row.case_id,
        )
    whom = [each for each in (task.owner_id, task.backup_id) if each]
    notices.ring(session, task=task, step=0, whom=whom if urgent else whom[:1], urgent=urgent, now=now)


# --- the child's case --------------------------------------------------------------------------------------


def open_for_child(
    session: Session,
    *,
    actor: Actor,
    call: HotlineCall,
    link: HotlineLink,
    handover: HandoverRecord,
    now: datetime,
) -> Case | None:
    """The case of the linked child, as any worry opens it; for A and B the crisis episode and a first plan too.

    Nobody of the school learns of it where somebody there may have done the harm: the case is the county's.
    """
    child = session.get_one(Child, link.child_id, with_for_update=True)
    school = session.get_one(Organisation, child.organisation_id)
    custody = Custody.PROTECTED if call.harm_by is HarmAnswer.SCHOOL else Custody.SCHOOL
    place = district_of(session, school) if custody is Custody.PROTECTED else school
    people = _people(session, place, custody, now)
    if people is None:
        return None
    case = cases.raise_worry(
        session, actor=actor, child=child, people=people, origin=Origin.HOTLINE, now=now, custody=custody
    )
    handover.link_id, handover.case_id = link.id, case.id
    session.flush()
    _county_may_see(session, actor, case, handover, now)
    if handover.level not in CALL_DANGER:
        cases.require_talk(session, actor=actor, case=case, kind=TaskKind.SAFETY_TALK, case_word="C", now=now)
        return case
    crises.open_crisis(
        session, actor=actor, case=case, people=people, trigger="hotline", trigger_id=handover.id, now=now
    )
    _draft(session, actor, case, child, handover.level, now)
    return case


def _county_may_see(
    session: Session, actor: Actor, case: Case, handover: HandoverRecord, now: datetime
) -> None:
    """The county that is handed a child of a school sees the file until the case closes (requirement AZ7)."""
    past_the_school = handover.to in HANDOVER_PAST_THE_SCHOOL and handover.organisation_id is not None
    if not past_the_school or case.custody is Custody.PROTECTED:
        return
    cases.grant(
        session,
        actor=actor,
        child_id=case.child_id,
        organisation_id=handover.organisation_id or case.organisation_id,
        part=Part.FILE,
        reason="hotline_handover",
        reason_id=handover.id,
        now=now,
    )


def _draft(session: Session, actor: Actor, case: Case, child: Child, level: CallLevel, now: datetime) -> None:
    """Plan and referral as a critical answer of that grade makes them; a plan that people work by is reviewed."""
    if plans.current(session, case=case) is not None:
        tasks.require(
            session,
            actor=actor,
            kind=TaskKind.PLAN_REVIEW,
            subject_id=case.id,
            organisation_id=case.organisation_id,
            owner_id=case.owner_id,
            backup_id=case.backup_id,
            due_at=deadlines.due("T09", Grade.B.value, now, china()),
            now=now,
            child_id=case.child_id,
            case_id=case.id,
        )
        return
    facts = plan_facts(
        session,
        case=case,
        child=child,
        level=Level.CRISIS_ITEM,
        grade=_GRADES[level],
        severe=False,
        probability=None,
        now=now,
    )
    if level is CallLevel.B:
        # A plan, means, a recent attempt or voices that tell to: what level B is. What else was said stays there.
        facts = replace(facts, areas=(*facts.areas, AreaFinding(Area.SELF_HARM)))
    draft = plans.decide(facts)
    plans.save_draft(session, actor=actor, case=case, facts=facts, draft=draft, reason="hotline", now=now)
    # The note names the school as its sender: for a protected case the county writes to a clinic itself.
    if draft.referral is not None and case.custody is Custody.SCHOOL:
        referrals.draft_or_update(session, actor=actor, case=case, child=child, need=draft.referral, now=now)


# --- what comes back ---------------------------------------------------------------------------------------


def acknowledge(session: Session, *, actor: Actor, handover: HandoverRecord, now: datetime) -> None:
    """我已接收, by a person of the receiver. The first press counts; the next ones read who did."""
    _check_receiver(actor)
    if handover.acknowledged_at is None:
        _acknowledged(session, actor, _call(session, handover), handover, now, now)


def acknowledged_by_phone(
    session: Session,
    *,
    actor: Actor,
    call: HotlineCall,
    handover: HandoverRecord,
    received_by: str,
    at: datetime,
    now: datetime,
) -> None:
    """The operator writes down who said on the telephone that they have it, and when."""
    hotline.check_open(actor, call, May.LOG_CALL)
    if not received_by.strip():
        raise InvalidInput("Say who took it.")
    if at > now:
        raise InvalidInput("The time of the telephone call lies in the future.")
    if handover.acknowledged_at is None:
        handover.received_by = received_by.strip()
        _acknowledged(session, actor, call, handover, at, now)


def record_result(
    session: Session,
    *,
    actor: Actor,
    handover: HandoverRecord,
    result: HandoverResult,
    words: str,
    now: datetime,
) -> None:
    """What became of it, by the receiver, or by the hotline that was told on the telephone. The last one counts."""
    call = _call(session, handover)
    own = call.organisation_id in access.places(actor, May.LOG_CALL)
    if not own:
        _check_receiver(actor)
    if result is HandoverResult.OTHER and not words.strip():
        raise InvalidInput("Say in a few words what became of it.")
    if handover.acknowledged_at is None:
        _acknowledged(session, actor, call, handover, now, now)
    handover.result, handover.result_at, handover.result_by = result, now, actor.account_id
    handover.result_words = words.strip() or None
    tasks.settle(
        session,
        actor=actor,
        kind=TaskKind.HANDOVER_RESULT,
        subject_id=handover.id,
        decision=result.value,
        now=now,
    )
    audit.record(
        session,
        actor=actor,
        event=AuditEvent.HANDOVER_RESULT,
        at=now,
        subject_id=handover.id,
        detail={"result": result.value},
    )
    if call.closed_at is None:
        if result is HandoverResult.NOT_FOUND and handover.level in CALL_DANGER:
            hotline.look_again(session, actor=actor, call=call, now=now)
        hotline.settle(session, actor=actor, call=call, now=now)


def _check_receiver(actor: Actor) -> None:
    if not (access.may(actor, May.RECEIVE_HANDOVER) or access.may(actor, May.HANDLE_CRISIS)):
        raise NotPermitted


def _acknowledged(
    session: Session, actor: Actor, call: HotlineCall, row: HandoverRecord, at: datetime, now: datetime
) -> None:
    row.acknowledged_at, row.acknowledged_by = at, actor.account_id
    asked = tasks.find_open(session, kind=TaskKind.HANDOVER_ACKNOWLEDGE, subject_id=row.id)
    tasks.settle(
        session,
        actor=actor,
        kind=TaskKind.HANDOVER_ACKNOWLEDGE,
        subject_id=row.id,
        decision="acknowledged",
        now=now,
    )
    audit.record(session, actor=actor, event=AuditEvent.HANDOVER_ACKNOWLEDGE, at=now, subject_id=row.id)
    if asked is not None and row.to not in HANDOVER_OUTSIDE:
        _ask_result(session, actor, row, asked, now)
    session.flush()
    if all(each.acknowledged_at is not None for each in handovers_of(session, call=call)):
        hotline.move(session, actor=actor, call=call, to=CallStatus.HANDOVER_ACKNOWLEDGED, now=now)
    hotline.settle(session, actor=actor, call=call, now=now)


def _ask_result(session: Session, actor: Actor, row: HandoverRecord, asked: Task, now: datetime) -> None:
    """The hotline hears back: from whoever pressed, or whose line it was when it was said on the telephone."""
    pressed = access.may(actor, May.RECEIVE_HANDOVER) or access.may(actor, May.HANDLE_CRISIS)
    owner = actor.account_id if pressed and actor.account_id else asked.owner_id
    tasks.require(
        session,
        actor=actor,
        kind=TaskKind.HANDOVER_RESULT,
        subject_id=row.id,
        organisation_id=asked.organisation_id,
        owner_id=owner,
        backup_id=next(
            (each for each in (asked.owner_id, asked.backup_id) if each not in (owner, None)), None
        ),
        due_at=deadlines.due("T20_RESULT", row.level.value, now, china()),
        now=now,
        clock="T20_RESULT",
        child_id=asked.child_id,
        case_id=asked.case_id,
    )


def _call(session: Session, handover: HandoverRecord) -> HotlineCall:
    """The call, held: receiver and operator may press at the same moment."""
    return session.get_one(HotlineCall, handover.call_id, with_for_update=True)
