"""The hotline's reading: its own calls, places with their duty phones, what became of handovers.

What was said stays with the hotline (domain guide §1). The receiver of a handover reads the handover, a school
reads on a child's file that there was a link, and the question "is this child known?" has three answers (AZ8).
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any
from uuid import UUID

from sqlalchemy import ColumnElement, Select, and_, false, func, or_, select
from sqlalchemy.orm import Session

from referral.models.case import Case
from referral.models.hotline import (
    HandoverRecord,
    HotlineCall,
    HotlineFollowUp,
    HotlineLink,
    KnownChildLookup,
)
from referral.models.notice import Notice
from referral.models.task import Task
from referral.states import CALL_DANGER, CallFacts, HandoverFact
from referral.terms import (
    CallerAgreement,
    CallLevel,
    CallStatus,
    DisclosureBasis,
    FollowUpStatus,
    HandoverResult,
    HandoverTo,
    HarmAnswer,
    KnownAnswer,
    TaskKind,
)
from screening.access import May, check_may, may, places
from screening.core import audit
from screening.core.actor import Actor, Role
from screening.core.audit import AuditEvent
from screening.core.clock import local_day
from screening.core.errors import NotFound, PolicyViolation
from screening.core.sealing import Keyring, normalise
from screening.models.child import Child, Guardian
from screening.models.organisation import Organisation, OrganisationKind
from screening.queries.accounts import holders, on_duty

# A protected matter is outside every school's sight (domain guide §5.2b).
_SEES_PROTECTED = frozenset({Role.COUNTY_CENTRE, Role.PROTECTION_CENTRE})
# A name alone is no child: a second attribute has to agree (domain guide §3.11).
AGREEING = 2
_MOST_NAMESAKES = 100


# --- calls -------------------------------------------------------------------------------------------------


def calls_visible_to(actor: Actor) -> Select[HotlineCall]:
    """The calls of the hotlines where this actor works; of another hotline none."""
    if actor.is_system:
        return select(HotlineCall)
    hotlines = places(actor, May.READ_CALLS)
    return select(HotlineCall).where(HotlineCall.organisation_id.in_(hotlines) if hotlines else false())


def get_call(session: Session, *, actor: Actor, call_id: UUID, now: datetime) -> HotlineCall:
    """The call with its history, or :class:`NotFound`; the reading is recorded."""
    check_may(actor, May.READ_CALLS)
    call = session.scalars(calls_visible_to(actor).where(HotlineCall.id == call_id)).one_or_none()
    if call is None:
        raise NotFound
    audit.record(session, actor=actor, event=AuditEvent.CALL_READ, at=now, subject_id=call.id)
    return call


def list_calls(
    session: Session,
    *,
    actor: Actor,
    now: datetime,
    level: CallLevel | None = None,
    open_only: bool = True,
    limit: int = 100,
) -> Sequence[HotlineCall]:
    """Calls of the actor's hotline, newest first."""
    check_may(actor, May.READ_CALLS)
    statement = calls_visible_to(actor).order_by(HotlineCall.started_at.desc(), HotlineCall.id)
    if open_only:
        statement = statement.where(HotlineCall.status != CallStatus.CLOSED)
    if level is not None:
        statement = statement.where(HotlineCall.level == level)
    calls = session.scalars(statement.limit(min(limit, 200))).all()
    audit.record(
        session, actor=actor, event=AuditEvent.CALL_LIST, at=now, detail={"lines": len(calls), "children": []}
    )
    return calls


def record_of(call: HotlineCall) -> dict[str, Any]:
    """The sealed part of form F9 as plain values by field."""
    values: dict[str, Any] = json.loads(call.record or "{}")
    return values


def phone_of(session: Session, *, actor: Actor, call: HotlineCall, now: datetime) -> str | None:
    """The caller's number: of calls of level A and B, after a supervisor has approved it (decision 49)."""
    check_may(actor, May.READ_CALLS)
    if call.level not in CALL_DANGER or call.phone_approved_at is None:
        raise PolicyViolation("A supervisor has to approve that the caller's number is shown.")
    audit.record(session, actor=actor, event=AuditEvent.CALL_PHONE_READ, at=now, subject_id=call.id)
    return call.phone


def earlier_calls(session: Session, *, actor: Actor, call: HotlineCall) -> Sequence[HotlineCall]:
    """Calls from the same number to this hotline, newest first. The number itself is not read for it."""
    if call.phone_index is None:
        return []
    return session.scalars(
        calls_visible_to(actor)
        .where(
            HotlineCall.phone_index == call.phone_index,
            HotlineCall.organisation_id == call.organisation_id,
            HotlineCall.id != call.id,
        )
        .order_by(HotlineCall.started_at.desc())
        .limit(20)
    ).all()


def follow_ups_of(session: Session, *, call: HotlineCall) -> Sequence[HotlineFollowUp]:
    """The planned contacts of a call that was found through a scope."""
    return session.scalars(
        select(HotlineFollowUp).where(HotlineFollowUp.call_id == call.id).order_by(HotlineFollowUp.due_at)
    ).all()


def get_call_follow_up(session: Session, *, call: HotlineCall, follow_up_id: UUID) -> HotlineFollowUp:
    """One contact of a call that was found through a scope."""
    row = session.scalars(
        select(HotlineFollowUp).where(HotlineFollowUp.id == follow_up_id, HotlineFollowUp.call_id == call.id)
    ).one_or_none()
    if row is None:
        raise NotFound
    return row


def links_of(session: Session, *, call: HotlineCall) -> Sequence[HotlineLink]:
    """Links of a call that was found through a scope, oldest first. Whom they lead to is not for the hotline."""
    return session.scalars(
        select(HotlineLink).where(HotlineLink.call_id == call.id).order_by(HotlineLink.linked_at)
    ).all()


def live_link(session: Session, *, call: HotlineCall) -> HotlineLink | None:
    """The link nobody has undone."""
    return next((link for link in links_of(session, call=call) if link.undone_at is None), None)


def handovers_of(session: Session, *, call: HotlineCall) -> Sequence[HandoverRecord]:
    """Handovers of a call that was found through a scope, oldest first."""
    return session.scalars(
        select(HandoverRecord).where(HandoverRecord.call_id == call.id).order_by(HandoverRecord.sent_at)
    ).all()


def call_facts(session: Session, *, call: HotlineCall) -> CallFacts:
    """What decides where a call stands and what it still needs."""
    record = record_of(call)
    links = links_of(session, call=call)
    return CallFacts(
        level=call.level,
        type=call.type,
        ended=call.ended_at is not None,
        linked=any(link.undone_at is None for link in links),
        was_linked=bool(links),
        handovers=tuple(
            HandoverFact(row.to, row.acknowledged_at is not None, row.result is not None)
            for row in handovers_of(session, call=call)
        ),
        follow_ups_due=any(row.status is FollowUpStatus.DUE for row in follow_ups_of(session, call=call)),
        summary=len(record.get("summary", "")),
        confidentiality_told=call.confidentiality_told is not None,
        scales="strength" in record and "hopeless" in record,
        why_no_handover="no_handover_why" in record,
        harm_by=call.harm_by,
        review_asked=call.review_due_at is not None,
        reviewed=call.reviewed_at is not None,
        disclosure_open=call.broken_asked_by is not None and call.broken_approved_at is None,
        report_open=_report_is_open(session, call),
    )


def _report_is_open(session: Session, call: HotlineCall) -> bool:
    found = session.scalars(
        select(Task.id).where(
            Task.kind == TaskKind.MANDATORY_REPORT, Task.subject_id == call.id, Task.done_at.is_(None)
        )
    )
    return found.one_or_none() is not None


def supervisors_of(session: Session, *, hotline_id: UUID, now: datetime) -> tuple[UUID, ...]:
    """The supervisors of a hotline, those on duty first."""
    known = [
        each.id
        for each in holders(
            session, role=Role.HOTLINE_SUPERVISOR, organisation_id=hotline_id, today=local_day(now)
        )
    ]
    duty = [entry.account_id for entry in on_duty(session, organisation_id=hotline_id, at=now)]
    return tuple(sorted(known, key=lambda each: each not in duty))


# --- places ------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Place:
    """One organisation of the hotline's area, and the county it stands in (itself, for a county)."""

    id: UUID
    kind: OrganisationKind
    name: str
    path: str
    phone: str | None
    county_id: UUID


@dataclass(frozen=True, slots=True)
class PlaceLine:
    """One answer of the place search. Phones are what is on the duty roster now, else the organisation's."""

    id: UUID
    kind: OrganisationKind
    name: str
    duty_phone: str
    county_id: UUID
    county: str
    county_phone: str


def find_places(
    session: Session, *, actor: Actor, text: str, now: datetime, limit: int = 8
) -> list[PlaceLine]:
    """Free text → place → county → duty phone, in the area of the actor's hotline. Best match first."""
    check_may(actor, May.READ_CALLS)
    wanted = normalise(text)
    if not wanted:
        return []
    known = _area_of(session, actor)
    fitting = [(fit, len(p.name), p) for p in known.values() if (fit := _fit(wanted, p.name)) is not None]
    best = [p for _, _, p in sorted(fitting, key=lambda each: (each[0], each[1], each[2].path))][:limit]
    return [_line(session, known, place, now) for place in best]


def get_place(session: Session, *, actor: Actor, place_id: UUID) -> Organisation:
    """An organisation inside the area of the actor's hotline, or :class:`NotFound` (requirement AZ4)."""
    if place_id not in _area_of(session, actor):
        raise NotFound
    return session.get_one(Organisation, place_id)


def _line(session: Session, known: dict[UUID, Place], place: Place, now: datetime) -> PlaceLine:
    county = known[place.county_id]
    return PlaceLine(
        id=place.id,
        kind=place.kind,
        name=place.name,
        duty_phone=_duty_phone(session, place, now),
        county_id=county.id,
        county=county.name,
        county_phone=_duty_phone(session, county, now),
    )


def _duty_phone(session: Session, place: Place, now: datetime) -> str:
    phones = [entry.phone for entry in on_duty(session, organisation_id=place.id, at=now)]
    return next((phone for phone in phones if phone), place.phone or "")


def _area_of(session: Session, actor: Actor, hotline_id: UUID | None = None) -> dict[UUID, Place]:
    """What stands in the areas that the actor's hotlines (or one of them) serve: below the parent of each."""
    hotlines = places(actor, May.READ_CALLS) & ({hotline_id} if hotline_id else places(actor, May.READ_CALLS))
    paths = [grant.organisation_path for grant in actor.grants if grant.organisation_id in hotlines]
    areas = {path.rstrip("/").rsplit("/", 1)[0] + "/" for path in paths}
    inside = [Organisation.path.startswith(area, autoescape=True) for area in areas if area != "/"]
    rows = session.execute(
        select(
            Organisation.id, Organisation.kind, Organisation.name, Organisation.path, Organisation.phone
        ).where(or_(*inside) if inside else false(), Organisation.ended_on.is_(None))
    ).all()
    counties = {row.path: row.id for row in rows if row.kind is OrganisationKind.COUNTY}
    roots = {row.path: row.id for row in rows}
    return {
        row.id: Place(row.id, row.kind, row.name, row.path, row.phone, _county(row.path, counties, roots))
        for row in rows
    }


def _county(path: str, counties: dict[str, UUID], known: dict[str, UUID]) -> UUID:
    """The county on a path; the highest known place where no county stands above."""
    above = [path[: at + 1] for at, char in enumerate(path) if char == "/" and at]
    county = next((counties[each] for each in above if each in counties), None)
    return county or next(known[each] for each in above if each in known)


def _fit(wanted: str, name: str) -> int | None:
    """How well a typed text names a place: the whole name, its beginning, a part of it, its characters in order
    (一中 for 第一中学); ``None`` for not at all."""
    whole = normalise(name)
    if wanted == whole:
        return 0
    if whole.startswith(wanted):
        return 1
    if wanted in whole:
        return 2
    rest = iter(whole)
    return 3 if len(wanted) > 1 and all(char in rest for char in wanted) else None


# --- is this child known? ----------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Asked:
    """What the caller says about a child. The name is needed; a second thing has to agree with it."""

    name: str
    school: str = ""
    county_id: UUID | None = None
    birth_date: date | None = None
    guardian_phone: str = ""


@dataclass(frozen=True, slots=True)
class Known:
    """What was found. ``child_id`` and ``attributes`` are for the link, not for the operator."""

    answer: KnownAnswer
    duty_phone: str
    county: str
    child_id: UUID | None
    attributes: tuple[str, ...]


def search_known(session: Session, *, actor: Actor, call: HotlineCall, asked: Asked, now: datetime) -> Known:
    """Look for one child by blind index in the hotline's area. Whatever the answer, the same statements run.

    Asked by ``referral.actions.lookups.known_child``, which counts and records each question.
    """
    known = _area_of(session, actor, call.organisation_id)
    if not known or (asked.county_id is not None and asked.county_id not in known):
        raise NotFound
    asked_at = known[asked.county_id] if asked.county_id else min(known.values(), key=_depth)
    schools = [p for p in known.values() if p.path.startswith(asked_at.path)]
    school_ids = _named(asked.school, schools)
    rows = _agreeing(session, [p.id for p in schools], asked)
    found = _decide(asked, rows, school_ids)
    home = known[found[2]] if found[2] is not None else asked_at
    phone, county = _whom_to_call(session, known, call, home, now)
    return Known(found[0], phone, county, found[1], found[3])


def read_answer(
    session: Session,
    *,
    actor: Actor,
    call: HotlineCall,
    lookup: KnownChildLookup,
    county_id: UUID | None,
    now: datetime,
) -> Known:
    """What a question of this call was answered, once more: whom to phone as things are now. Asks nothing anew."""
    known = _area_of(session, actor, call.organisation_id)
    if not known or (county_id is not None and county_id not in known):
        raise NotFound
    home = known[county_id] if county_id else min(known.values(), key=_depth)
    if lookup.child_id is not None:
        statement = select(Child.organisation_id).where(Child.id == lookup.child_id)
        home = known.get(session.scalars(statement).one(), home)
    phone, county = _whom_to_call(session, known, call, home, now)
    return Known(lookup.answer, phone, county, lookup.child_id, tuple(lookup.attributes))


def _whom_to_call(
    session: Session, known: dict[UUID, Place], call: HotlineCall, home: Place, now: datetime
) -> tuple[str, str]:
    """(duty phone, county's name)."""
    county = known[home.county_id]
    phones = [_duty_phone(session, place, now) for place in (home, county)]
    # Nobody at the school may learn of a worry about somebody there, not even by a ringing phone.
    near = phones[1] if call.harm_by is HarmAnswer.SCHOOL else phones[0] or phones[1]
    return near, county.name


def counties_of(session: Session, *, actor: Actor) -> list[Place]:
    """The counties in the area of the actor's hotlines, by name."""
    check_may(actor, May.READ_CALLS)
    found = [p for p in _area_of(session, actor).values() if p.kind is OrganisationKind.COUNTY]
    return sorted(found, key=lambda place: place.path)


def _depth(place: Place) -> int:
    return len(place.path)


def _named(text: str, schools: Iterable[Place]) -> frozenset[UUID]:
    """The school that a text names; empty where it names none or could be several."""
    wanted = normalise(text)
    if not wanted:
        return frozenset()
    fits: dict[int, list[UUID]] = {}
    for place in schools:
        fit = _fit(wanted, place.name) if place.kind is OrganisationKind.SCHOOL else None
        if fit is not None:
            fits.setdefault(fit, []).append(place.id)
    best = fits[min(fits)] if fits else []
    return frozenset(best) if len(best) == 1 else frozenset()


@dataclass(frozen=True, slots=True)
class _Namesake:
    child_id: UUID
    organisation_id: UUID
    birth_date: date
    phone_agrees: bool


def _agreeing(session: Session, organisation_ids: Sequence[UUID], asked: Asked) -> list[_Namesake]:
    """Children of exactly this name in these places. Two statements, whatever there is."""
    keyring: Keyring = session.info["keyring"]
    rows = session.execute(
        select(Child.id, Child.organisation_id, Child.birth_date)
        .where(
            Child.name_index == keyring.blind("child.name", asked.name),
            Child.organisation_id.in_(organisation_ids),
        )
        .order_by(Child.id)
        .limit(_MOST_NAMESAKES)
    ).all()
    phones = set(
        session.scalars(
            select(Guardian.child_id)
            .where(Guardian.phone_index == keyring.blind("guardian.phone", asked.guardian_phone))
            .limit(_MOST_NAMESAKES)
        )
    )
    return [_Namesake(row.id, row.organisation_id, row.birth_date, row.id in phones) for row in rows]


_Found = tuple[KnownAnswer, UUID | None, UUID | None, tuple[str, ...]]


def _decide(asked: Asked, rows: Sequence[_Namesake], school_ids: frozenset[UUID]) -> _Found:
    """(answer, child, the child's place, what agreed). One child with two agreeing attributes and nothing against
    it is a match; where the question was too thin, or several could be meant, the county is asked."""
    given = {
        "school": bool(school_ids),
        "birth_date": asked.birth_date is not None,
        "guardian_phone": bool(normalise(asked.guardian_phone)),
    }
    if not normalise(asked.name) or not any(given.values()):
        return KnownAnswer.ASK_COUNTY, None, None, ()
    close = []
    for row in rows:
        agrees = {
            "school": row.organisation_id in school_ids,
            "birth_date": row.birth_date == asked.birth_date,
            "guardian_phone": row.phone_agrees,
        }
        same = ("name", *(word for word in given if given[word] and agrees[word]))
        if len(same) >= AGREEING:
            close.append((row, same, len(same) == 1 + sum(given.values())))
    if not close:
        return KnownAnswer.NO_MATCH, None, None, ()
    row, same, wholly = close[0]
    if len(close) > 1 or not wholly:
        return KnownAnswer.ASK_COUNTY, None, None, ()
    return KnownAnswer.ONE_MATCH, row.child_id, row.organisation_id, same


def count_lookups(session: Session, *, actor: Actor, since: datetime) -> tuple[int, int]:
    """(questions, misses) of this operator since an instant."""
    rows = session.execute(
        select(KnownChildLookup.answer, func.count())
        .where(KnownChildLookup.account_id == actor.account_id, KnownChildLookup.asked_at > since)
        .group_by(KnownChildLookup.answer)
    ).all()
    return sum(row[1] for row in rows), sum(row[1] for row in rows if row[0] is KnownAnswer.NO_MATCH)


def get_lookup(session: Session, *, call: HotlineCall, lookup_id: UUID) -> KnownChildLookup:
    """A question asked during this call, or :class:`NotFound`."""
    row = session.scalars(
        select(KnownChildLookup).where(KnownChildLookup.id == lookup_id, KnownChildLookup.call_id == call.id)
    ).one_or_none()
    if row is None:
        raise NotFound
    return row


# --- handovers ---------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class HandoverSheet:
    """Form F10 as the receiver and the hotline read it. Nothing else of the call is on it."""

    id: UUID
    call_id: UUID
    call_no: str
    level: CallLevel
    to: HandoverTo
    case_id: UUID | None
    what_said: str
    where_now: str
    agreed: CallerAgreement
    basis: DisclosureBasis | None
    asked: str
    safe_way: str
    sent_at: datetime
    phoned_at: datetime | None
    received_by: str
    acknowledged_at: datetime | None
    acknowledged_by: UUID | None
    result: HandoverResult | None
    result_at: datetime | None
    result_words: str


def handover_sheet(row: HandoverRecord) -> HandoverSheet:
    """The form of a handover that was found through a scope."""
    return HandoverSheet(
        id=row.id,
        call_id=row.call_id,
        call_no=row.call_no,
        level=row.level,
        to=row.to,
        case_id=row.case_id,
        what_said=row.what_said or "",
        where_now=row.where_now or "",
        agreed=row.agreed,
        basis=row.basis,
        asked=row.asked or "",
        safe_way=row.safe_way or "",
        sent_at=row.sent_at,
        phoned_at=row.phoned_at,
        received_by=row.received_by or "",
        acknowledged_at=row.acknowledged_at,
        acknowledged_by=row.acknowledged_by,
        result=row.result,
        result_at=row.result_at,
        result_words=row.result_words or "",
    )


def handovers_visible_to(actor: Actor) -> Select[HandoverRecord]:
    """What was handed to the actor's organisation: everything to those who receive handovers, A and B to those who
    handle crises, and what rang on this person's own page. Whoever only watches clocks reads none."""
    if actor.is_system:
        return select(HandoverRecord)
    ways: list[ColumnElement[bool]] = [
        HandoverRecord.organisation_id.in_(places(actor, May.RECEIVE_HANDOVER))
    ]
    ways.append(
        and_(
            HandoverRecord.level.in_(sorted(CALL_DANGER)),
            HandoverRecord.organisation_id.in_(places(actor, May.HANDLE_CRISIS)),
        )
    )
    if may(actor, May.RECEIVE_HANDOVER) or may(actor, May.HANDLE_CRISIS):
        told = (
            select(Task.subject_id)
            .join(Notice, Notice.task_id == Task.id)
            .where(
                Task.kind.in_((TaskKind.HANDOVER_ACKNOWLEDGE, TaskKind.HANDOVER_RESULT)),
                Notice.account_id == actor.account_id,
            )
        )
        ways.append(HandoverRecord.id.in_(told))
    return select(HandoverRecord).where(or_(*ways))


def get_handover(session: Session, *, actor: Actor, handover_id: UUID, now: datetime) -> HandoverRecord:
    """A handover for its receiver, or :class:`NotFound`; the reading is recorded."""
    row = session.scalars(handovers_visible_to(actor).where(HandoverRecord.id == handover_id)).one_or_none()
    if row is None:
        raise NotFound
    audit.record(session, actor=actor, event=AuditEvent.HANDOVER_READ, at=now, subject_id=row.id)
    return row


def list_handovers(
    session: Session, *, actor: Actor, now: datetime, unanswered_only: bool = True, limit: int = 100
) -> list[HandoverSheet]:
    """What hotlines have handed to the actor, newest first."""
    statement = handovers_visible_to(actor).order_by(HandoverRecord.sent_at.desc())
    if unanswered_only:
        statement = statement.where(HandoverRecord.result.is_(None))
    return _sheets(session, actor, statement.limit(min(limit, 200)), now)


def own_handovers(session: Session, *, actor: Actor, now: datetime, limit: int = 50) -> list[HandoverSheet]:
    """What became of the handovers this operator made: the hotline hears back (domain guide §11)."""
    check_may(actor, May.READ_CALLS)
    calls = calls_visible_to(actor).with_only_columns(HotlineCall.id)
    statement = (
        select(HandoverRecord)
        .where(HandoverRecord.call_id.in_(calls), HandoverRecord.sent_by == actor.account_id)
        .order_by(HandoverRecord.sent_at.desc())
    )
    return _sheets(session, actor, statement.limit(min(limit, 200)), now)


def get_own_handover(session: Session, *, call: HotlineCall, handover_id: UUID) -> HandoverRecord:
    """One handover of a call that was found through a scope."""
    row = session.scalars(
        select(HandoverRecord).where(HandoverRecord.id == handover_id, HandoverRecord.call_id == call.id)
    ).one_or_none()
    if row is None:
        raise NotFound
    return row


def _sheets(
    session: Session, actor: Actor, statement: Select[HandoverRecord], now: datetime
) -> list[HandoverSheet]:
    rows = session.scalars(statement).all()
    audit.record(
        session,
        actor=actor,
        event=AuditEvent.HANDOVER_LIST,
        at=now,
        detail={"handovers": [str(row.id) for row in rows]},
    )
    return [handover_sheet(row) for row in rows]


def handovers_of_case(session: Session, *, actor: Actor, case: Case) -> list[HandoverSheet]:
    """On the case: what the hotline handed over about this child, while the link stands. The school lead reads
    it in a crisis only (domain guide §1)."""
    if not (may(actor, May.RECEIVE_HANDOVER) or may(actor, May.HANDLE_CRISIS)):
        return []
    statement = (
        select(HandoverRecord)
        .join(HotlineLink, HotlineLink.id == HandoverRecord.link_id)
        .where(HandoverRecord.case_id == case.id, HotlineLink.undone_at.is_(None))
        .order_by(HandoverRecord.sent_at)
    )
    if not may(actor, May.RECEIVE_HANDOVER):
        statement = statement.where(HandoverRecord.level.in_(sorted(CALL_DANGER)))
    return [handover_sheet(row) for row in session.scalars(statement)]


@dataclass(frozen=True, slots=True)
class LinkEvent:
    """An event on a child's file: a hotline call was linked, or that link was undone."""

    at: datetime
    undone: bool


def hotline_events(session: Session, *, actor: Actor, child: Child) -> list[LinkEvent]:
    """Events of a child that was found through a scope, oldest first. A call about somebody at the school shows
    itself to nobody there."""
    statement = (
        select(HotlineLink)
        .join(HotlineCall, HotlineCall.id == HotlineLink.call_id)
        .where(HotlineLink.child_id == child.id)
    )
    if not actor.is_system and not actor.roles & _SEES_PROTECTED:
        statement = statement.where(
            or_(HotlineCall.harm_by.is_(None), HotlineCall.harm_by != HarmAnswer.SCHOOL)
        )
    events = []
    for link in session.scalars(statement):
        events.append(LinkEvent(link.linked_at, undone=False))
        if link.undone_at is not None:
            events.append(LinkEvent(link.undone_at, undone=True))
    return sorted(events, key=lambda event: event.at)
