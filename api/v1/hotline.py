"""The 12355 line, before everybody else (RL7): calls, what is asked and handed over, and the receiver's answer."""

from __future__ import annotations

from typing import Annotated
from uuid import UUID

from fastapi import Query
from sqlalchemy.orm import Session

from api.deps import ActorDep, ClockDep, CrisisSessionDep, LocaleDep, json_router, needs
from api.v1.schemas.common import PageSize
from api.v1.schemas.hotline import (
    CallLineOut,
    CallOut,
    HandoverIn,
    HandoverOut,
    IncomingOut,
    LevelIn,
    LinkIn,
    LookUpIn,
    LookUpOut,
    PlaceOut,
    PlaceSearchIn,
    ReasonIn,
    ResultIn,
    ReviewIn,
    SavedOut,
    SaveIn,
    StartIn,
    TakenIn,
)
from referral.actions import call_support, handovers, hotline, lookups
from referral.actions.handovers import HandoverIn as Form
from referral.models.hotline import HandoverRecord, HotlineCall
from referral.queries import hotline as queries
from referral.queries.hotline import Asked, HandoverSheet
from referral.queries.hotline_window import call_to_save
from referral.states import missing_for_closing
from referral.terms import CallLevel
from screening.access import May, places
from screening.core.actor import Actor
from screening.core.errors import InvalidInput
from screening.queries.accounts import names_of

router = json_router("/hotline", tags=["hotline"])

LOGS, READS = needs(May.LOG_CALL), needs(May.READ_CALLS)
RECEIVES = needs(May.RECEIVE_HANDOVER, May.HANDLE_CRISIS)


# --- calls -------------------------------------------------------------------------------------------------


@router.get("/calls", dependencies=[READS])
def list_calls(
    session: CrisisSessionDep,
    actor: ActorDep,
    clock: ClockDep,
    level: Annotated[CallLevel | None, Query()] = None,
    open_only: bool = True,
    limit: Annotated[PageSize, Query()] = 100,
) -> list[CallLineOut]:
    """Calls of one's hotline, newest first."""
    found = queries.list_calls(
        session, actor=actor, now=clock.now(), level=level, open_only=open_only, limit=limit
    )
    names = names_of(session, [call.operator_id for call in found])
    return [CallLineOut.of(call, names) for call in found]


@router.post("/calls", status_code=201, dependencies=[LOGS])
def start_call(body: StartIn, session: CrisisSessionDep, actor: ActorDep, clock: ClockDep) -> CallOut:
    """The line is open. Nothing else is needed."""
    own = sorted(places(actor, May.LOG_CALL))
    if body.hotline_id is None and len(own) != 1:
        raise InvalidInput("Say at which hotline.")
    call = call_support.answer(session, actor=actor, hotline_id=body.hotline_id or own[0], now=clock.now())
    return _shown(session, call)


@router.get("/calls/{call_id}", dependencies=[READS])
def show_call(call_id: UUID, session: CrisisSessionDep, actor: ActorDep, clock: ClockDep) -> CallOut:
    """The form, what is still missing, what was handed over."""
    return _shown(session, queries.get_call(session, actor=actor, call_id=call_id, now=clock.now()))


@router.put("/calls/{call_id}/form", dependencies=[LOGS])
def save(
    call_id: UUID,
    body: SaveIn,
    session: CrisisSessionDep,
    actor: ActorDep,
    clock: ClockDep,
    locale: LocaleDep,
) -> SavedOut:
    """A part of the form. A save that comes late or twice changes nothing that is newer."""
    call = call_to_save(session, actor=actor, call_id=call_id, now=clock.now())
    saved = hotline.save(
        session, actor=actor, call=call, fields=body.fields, sequence=body.sequence, now=clock.now()
    )
    return SavedOut.of(saved, locale)


@router.put("/calls/{call_id}/level", dependencies=[needs(May.TRIAGE_CALL)])
def triage(
    call_id: UUID, body: LevelIn, session: CrisisSessionDep, actor: ActorDep, clock: ClockDep
) -> CallOut:
    """A, B, C or D; again when things change."""
    call = _held(session, actor, call_id, clock)
    hotline.triage(session, actor=actor, call=call, level=body.level, now=clock.now())
    return _shown(session, call)


@router.post("/calls/{call_id}/hang-up", dependencies=[LOGS])
def hang_up(call_id: UUID, session: CrisisSessionDep, actor: ActorDep, clock: ClockDep) -> CallOut:
    """The line is closed; ``missing`` says what the form still asks for."""
    call = _held(session, actor, call_id, clock)
    hotline.hang_up(session, actor=actor, call=call, now=clock.now())
    return _shown(session, call)


@router.post("/calls/{call_id}/close", dependencies=[LOGS])
def close(call_id: UUID, session: CrisisSessionDep, actor: ActorDep, clock: ClockDep) -> CallOut:
    """Done with. What is missing is answered by name (409)."""
    call = _held(session, actor, call_id, clock)
    hotline.close(session, actor=actor, call=call, now=clock.now())
    return _shown(session, call)


@router.post("/calls/{call_id}/review", dependencies=[needs(May.REVIEW_CALL)])
def review(
    call_id: UUID, body: ReviewIn, session: CrisisSessionDep, actor: ActorDep, clock: ClockDep
) -> CallOut:
    """督导复核, never of one's own call."""
    call = _held(session, actor, call_id, clock)
    hotline.review(session, actor=actor, call=call, words=body.words, now=clock.now())
    return _shown(session, call)


# --- is this child known, whom to ring ---------------------------------------------------------------------


@router.post("/places/search", dependencies=[READS])
def find_places(
    body: PlaceSearchIn, session: CrisisSessionDep, actor: ActorDep, clock: ClockDep
) -> list[PlaceOut]:
    """Free text → place → county → duty phone."""
    found = queries.find_places(session, actor=actor, text=body.text, now=clock.now())
    return [PlaceOut.of(line) for line in found]


@router.post("/calls/{call_id}/look-ups", status_code=201, dependencies=[LOGS])
def look_up(
    call_id: UUID,
    body: LookUpIn,
    session: CrisisSessionDep,
    actor: ActorDep,
    clock: ClockDep,
) -> LookUpOut:
    """One of three answers (AZ8); twenty questions an hour are the most."""
    call = _held(session, actor, call_id, clock)
    asked = Asked(
        name=body.name,
        school=body.school,
        county_id=body.county_id,
        birth_date=body.birth_date,
        guardian_phone=body.guardian_phone,
    )
    known = lookups.known_child(session, actor=actor, call=call, asked=asked, now=clock.now())
    return LookUpOut.of(known)


@router.post("/calls/{call_id}/link", dependencies=[LOGS])
def link(call_id: UUID, body: LinkIn, session: CrisisSessionDep, actor: ActorDep, clock: ClockDep) -> CallOut:
    """This call is about the child of that match."""
    call = _held(session, actor, call_id, clock)
    lookups.link(session, actor=actor, call=call, lookup_id=body.lookup_id, now=clock.now())
    return _shown(session, call)


@router.post("/calls/{call_id}/unlink", dependencies=[LOGS])
def unlink(
    call_id: UUID, body: ReasonIn, session: CrisisSessionDep, actor: ActorDep, clock: ClockDep
) -> CallOut:
    """It was not this child, and why."""
    call = _held(session, actor, call_id, clock)
    lookups.unlink(session, actor=actor, call=call, reason=body.reason, now=clock.now())
    return _shown(session, call)


# --- handing over ------------------------------------------------------------------------------------------


@router.post("/calls/{call_id}/handovers", status_code=201, dependencies=[LOGS])
def hand_over(
    call_id: UUID,
    body: HandoverIn,
    session: CrisisSessionDep,
    actor: ActorDep,
    clock: ClockDep,
) -> HandoverOut:
    """Form F10. The same receiver who has not answered yet is not asked twice."""
    call = _held(session, actor, call_id, clock)
    given = body.model_dump(exclude={"place_id"})
    place = (
        queries.get_place(session, actor=actor, place_id=body.place_id) if body.place_id is not None else None
    )
    row = handovers.hand_over(
        session, actor=actor, call=call, handover=Form(**given, place=place), now=clock.now()
    )
    return _handed(session, row)


@router.post("/calls/{call_id}/handovers/{handover_id}/acknowledged", dependencies=[LOGS])
def acknowledged(
    call_id: UUID,
    handover_id: UUID,
    body: TakenIn,
    session: CrisisSessionDep,
    actor: ActorDep,
    clock: ClockDep,
) -> HandoverOut:
    """Somebody said on the telephone that they have it."""
    call = _held(session, actor, call_id, clock)
    row = queries.get_own_handover(session, call=call, handover_id=handover_id)
    handovers.acknowledged_by_phone(
        session,
        actor=actor,
        call=call,
        handover=row,
        received_by=body.received_by,
        at=body.at,
        now=clock.now(),
    )
    return _handed(session, row)


@router.get("/handovers/own", dependencies=[READS])
def own_handovers(session: CrisisSessionDep, actor: ActorDep, clock: ClockDep) -> list[HandoverOut]:
    """What became of the handovers one has made."""
    found = queries.own_handovers(session, actor=actor, now=clock.now())
    names = _takers(session, found)
    return [HandoverOut.of(sheet, names) for sheet in found]


# --- the receiver ------------------------------------------------------------------------------------------


@router.get("/handovers", dependencies=[RECEIVES])
def list_handovers(
    session: CrisisSessionDep, actor: ActorDep, clock: ClockDep, unanswered_only: bool = True
) -> list[IncomingOut]:
    """What hotlines have handed to one's place, newest first."""
    found = queries.list_handovers(session, actor=actor, now=clock.now(), unanswered_only=unanswered_only)
    names = _takers(session, found)
    return [IncomingOut.of_receiver(sheet, names) for sheet in found]


@router.get("/handovers/{handover_id}", dependencies=[RECEIVES])
def show_handover(
    handover_id: UUID, session: CrisisSessionDep, actor: ActorDep, clock: ClockDep
) -> IncomingOut:
    """One handover as it was sent."""
    row = queries.get_handover(session, actor=actor, handover_id=handover_id, now=clock.now())
    return _received(session, row)


@router.post("/handovers/{handover_id}/acknowledge", dependencies=[RECEIVES])
def acknowledge(
    handover_id: UUID, session: CrisisSessionDep, actor: ActorDep, clock: ClockDep
) -> IncomingOut:
    """我已接收. The first press counts."""
    row = queries.get_handover(session, actor=actor, handover_id=handover_id, now=clock.now())
    handovers.acknowledge(session, actor=actor, handover=row, now=clock.now())
    return _received(session, row)


@router.post("/handovers/{handover_id}/result", dependencies=[RECEIVES])
def write_result(
    handover_id: UUID, body: ResultIn, session: CrisisSessionDep, actor: ActorDep, clock: ClockDep
) -> IncomingOut:
    """What became of it, back to the hotline."""
    row = queries.get_handover(session, actor=actor, handover_id=handover_id, now=clock.now())
    handovers.record_result(
        session, actor=actor, handover=row, result=body.result, words=body.words, now=clock.now()
    )
    return _received(session, row)


def _held(session: Session, actor: Actor, call_id: UUID, clock: ClockDep) -> HotlineCall:
    """The call, held until the answer: two windows of one call wait for each other."""
    call = queries.get_call(session, actor=actor, call_id=call_id, now=clock.now())
    session.refresh(call, with_for_update=True)
    return call


def _shown(session: Session, call: HotlineCall) -> CallOut:
    session.flush()
    sheets = [queries.handover_sheet(row) for row in queries.handovers_of(session, call=call)]
    people = [call.operator_id, *(sheet.acknowledged_by for sheet in sheets)]
    return CallOut.of_call(
        call,
        names=names_of(session, people),
        linked=queries.live_link(session, call=call) is not None,
        missing=missing_for_closing(queries.call_facts(session, call=call)),
        handovers=sheets,
    )


def _takers(session: Session, sheets: list[HandoverSheet]) -> dict[UUID, str]:
    return names_of(session, [sheet.acknowledged_by for sheet in sheets])


def _handed(session: Session, row: HandoverRecord) -> HandoverOut:
    sheet = queries.handover_sheet(row)
    return HandoverOut.of(sheet, _takers(session, [sheet]))


def _received(session: Session, row: HandoverRecord) -> IncomingOut:
    sheet = queries.handover_sheet(row)
    return IncomingOut.of_receiver(sheet, _takers(session, [sheet]))
