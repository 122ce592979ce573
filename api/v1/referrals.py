"""Referrals from both sides: the school writes and sends, the facility answers and returns."""

from __future__ import annotations

from typing import Annotated
from uuid import UUID

from fastapi import Query, Response
from sqlalchemy.orm import Session

from api.deps import (
    ActorDep,
    ClockDep,
    CrisisSessionDep,
    LocaleDep,
    SessionDep,
    json_router,
    needs,
)
from api.v1.schemas.referrals import (
    AcceptIn,
    DeclineIn,
    FacilityLine,
    FacilityReferralOut,
    GuardianAnswerIn,
    ReturnNoteIn,
    ScheduleIn,
    SchoolLine,
    SchoolReferralOut,
    SendIn,
    WithdrawIn,
    WordsIn,
    WordsOut,
    is_facility_of,
)
from api.versions import IfMatchDep, Seen, show_version
from referral.actions import answers, guardians, plans, referrals, return_notes
from referral.models.referral import Referral
from referral.queries import referrals as queries
from referral.queries.referrals import case_of, child_of
from screening.access import May, check_may_about
from screening.core.actor import Actor
from screening.core.clock import Clock
from screening.queries.accounts import names_of

router = json_router(tags=["referrals"])

SEND = needs(May.SEND_REFERRAL)
ANSWER = needs(May.ANSWER_REFERRAL)
MOVE_APPOINTMENT = needs(
    May.ANSWER_REFERRAL, May.SEND_REFERRAL
)  # a time that was given is moved by either side

Shown = FacilityReferralOut | SchoolReferralOut


@router.get("/referrals", dependencies=[needs(May.READ_REFERRALS)])
def list_referrals(
    session: SessionDep,
    actor: ActorDep,
    clock: ClockDep,
    open_only: Annotated[bool, Query()] = True,
) -> list[FacilityLine | SchoolLine]:
    """A facility's inbox and a school's list, by time left."""
    found = queries.list_referrals(session, actor=actor, now=clock.now(), open_only=open_only, limit=200)
    return [FacilityLine.of(r) if is_facility_of(actor, r) else SchoolLine.of(r) for r in found]


@router.get("/referrals/{referral_id}", dependencies=[needs(May.READ_REFERRALS)])
def show_referral(
    referral_id: UUID, session: SessionDep, actor: ActorDep, clock: ClockDep, response: Response
) -> Shown:
    """To the school all of it; to the facility the note as issued and what belongs to it."""
    referral = queries.get_referral(session, actor=actor, referral_id=referral_id, now=clock.now())
    return shown(session, actor, referral, response)


@router.get(
    "/referrals/{referral_id}/note.pdf",
    dependencies=[needs(May.READ_REFERRALS)],
    response_class=Response,
    responses={200: {"content": {"application/pdf": {}}}},
)
def show_note(referral_id: UUID, session: SessionDep, actor: ActorDep, clock: ClockDep) -> Response:
    """The PDF; 503 with ``Retry-After`` while it is being made. The file name is the form number."""
    referral = queries.get_referral(session, actor=actor, referral_id=referral_id, now=clock.now())
    _, data = queries.read_note(session, actor=actor, referral=referral, now=clock.now())
    name = f'inline; filename="{referral.form_no}.pdf"'
    return Response(data, media_type="application/pdf", headers={"Content-Disposition": name})


# --- the school --------------------------------------------------------------------------------------------


@router.put("/referrals/{referral_id}/words", dependencies=[SEND])
def write_words(
    referral_id: UUID,
    body: WordsIn,
    session: SessionDep,
    actor: ActorDep,
    clock: ClockDep,
    seen: IfMatchDep,
    response: Response,
    locale: LocaleDep,
) -> WordsOut:
    """What the school puts on part 2. What must not stand there is refused; what to look at again is answered."""
    referral = of_school(session, actor, referral_id, clock, seen)
    by = names_of(session, [actor.account_id])
    problems = referrals.write_words(
        session,
        actor=actor,
        case=case_of(session, referral=referral),
        referral=referral,
        words=body.on_note(by=next(iter(by.values()), ""), today=clock.today()),
        now=clock.now(),
    )
    session.flush()
    show_version(response, referral.version)
    return WordsOut.of(problems, locale)


@router.post("/referrals/{referral_id}/guardian-answer", dependencies=[SEND])
def record_guardian_answer(
    referral_id: UUID,
    body: GuardianAnswerIn,
    session: SessionDep,
    actor: ActorDep,
    clock: ClockDep,
    seen: IfMatchDep,
    response: Response,
) -> Shown:
    """The guardian was told and has answered: one press records the consent and moves the referral."""
    referral = of_school(session, actor, referral_id, clock, seen)
    case = case_of(session, referral=referral)
    guardians.answered(
        session,
        actor=actor,
        case=case,
        child=child_of(session, case=case),
        referral=referral,
        answer=body.answer(),
        now=clock.now(),
    )
    return shown(session, actor, referral, response)


@router.post("/referrals/{referral_id}/send", dependencies=[SEND])
def send(
    referral_id: UUID,
    body: SendIn,
    session: SessionDep,
    actor: ActorDep,
    clock: ClockDep,
    seen: IfMatchDep,
    response: Response,
) -> Shown:
    """The note leaves: frozen, with its basis; from now on the facility sees it."""
    referral = of_school(session, actor, referral_id, clock, seen)
    case = case_of(session, referral=referral)
    referrals.send(
        session,
        actor=actor,
        case=case,
        child=child_of(session, case=case),
        referral=referral,
        emergency=body.emergency,
        escort=body.escort,
        now=clock.now(),
    )
    return shown(session, actor, referral, response)


@router.post("/referrals/{referral_id}/withdraw", dependencies=[SEND])
def withdraw(
    referral_id: UUID,
    body: WithdrawIn,
    session: SessionDep,
    actor: ActorDep,
    clock: ClockDep,
    seen: IfMatchDep,
    response: Response,
) -> Shown:
    """Take it back before the child has been there."""
    referral = of_school(session, actor, referral_id, clock, seen)
    referrals.withdraw(session, actor=actor, referral=referral, reason=body.reason, now=clock.now())
    return shown(session, actor, referral, response)


@router.post("/referrals/{referral_id}/acknowledge", dependencies=[SEND])
def acknowledge(
    referral_id: UUID,
    session: SessionDep,
    actor: ActorDep,
    clock: ClockDep,
    seen: IfMatchDep,
    response: Response,
) -> Shown:
    """The return note has been read: the plan has to follow."""
    referral = of_school(session, actor, referral_id, clock, seen)
    case = case_of(session, referral=referral)
    referrals.acknowledge(session, actor=actor, case=case, referral=referral, now=clock.now())
    return shown(session, actor, referral, response)


@router.post("/referrals/{referral_id}/complete", dependencies=[SEND])
def complete(
    referral_id: UUID,
    session: SessionDep,
    actor: ActorDep,
    clock: ClockDep,
    seen: IfMatchDep,
    response: Response,
) -> Shown:
    """已闭环. The plan has been reviewed; the facility's view ends."""
    referral = of_school(session, actor, referral_id, clock, seen)
    case = case_of(session, referral=referral)
    plan = plans.current(session, case=case)
    referrals.complete(
        session,
        actor=actor,
        case=case,
        referral=referral,
        plan_status=plan.status if plan else None,
        now=clock.now(),
    )
    return shown(session, actor, referral, response)


# --- the facility ------------------------------------------------------------------------------------------


@router.post("/referrals/{referral_id}/receive", dependencies=[ANSWER])
def receive(
    referral_id: UUID,
    session: CrisisSessionDep,
    actor: ActorDep,
    clock: ClockDep,
    seen: IfMatchDep,
    response: Response,
) -> Shown:
    """Opened in the inbox."""
    referral = of_facility(session, actor, referral_id, clock, seen)
    answers.receive(session, actor=actor, referral=referral, now=clock.now())
    return shown(session, actor, referral, response)


@router.post("/referrals/{referral_id}/accept", dependencies=[ANSWER])
def accept(
    referral_id: UUID,
    body: AcceptIn,
    session: CrisisSessionDep,
    actor: ActorDep,
    clock: ClockDep,
    seen: IfMatchDep,
    response: Response,
) -> Shown:
    """接诊."""
    referral = of_facility(session, actor, referral_id, clock, seen)
    answers.accept(
        session,
        actor=actor,
        case=case_of(session, referral=referral),
        referral=referral,
        contact=body.contact,
        now=clock.now(),
    )
    return shown(session, actor, referral, response)


@router.post("/referrals/{referral_id}/decline", dependencies=[ANSWER])
def decline(
    referral_id: UUID,
    body: DeclineIn,
    session: CrisisSessionDep,
    actor: ActorDep,
    clock: ClockDep,
    seen: IfMatchDep,
    response: Response,
) -> Shown:
    """拒接, with a reason and a better place or "none". An emergency is not declined (409)."""
    referral = of_facility(session, actor, referral_id, clock, seen)
    answers.decline(
        session,
        actor=actor,
        case=case_of(session, referral=referral),
        referral=referral,
        reason=body.reason,
        better_place=body.better_place,
        now=clock.now(),
    )
    return shown(session, actor, referral, response)


@router.post("/referrals/{referral_id}/schedule", dependencies=[MOVE_APPOINTMENT])
def schedule(
    referral_id: UUID,
    body: ScheduleIn,
    session: SessionDep,
    actor: ActorDep,
    clock: ClockDep,
    seen: IfMatchDep,
    response: Response,
) -> Shown:
    """A time and a place, or new ones."""
    referral = of_facility(session, actor, referral_id, clock, seen)
    answers.schedule(
        session,
        actor=actor,
        case=case_of(session, referral=referral),
        referral=referral,
        at=body.at,
        place=body.place,
        now=clock.now(),
    )
    return shown(session, actor, referral, response)


@router.post("/referrals/{referral_id}/attended", dependencies=[ANSWER])
def attended(
    referral_id: UUID,
    session: SessionDep,
    actor: ActorDep,
    clock: ClockDep,
    seen: IfMatchDep,
    response: Response,
) -> Shown:
    """The child came."""
    referral = of_facility(session, actor, referral_id, clock, seen)
    case = case_of(session, referral=referral)
    answers.attended(session, actor=actor, case=case, referral=referral, now=clock.now())
    return shown(session, actor, referral, response)


@router.post(
    "/referrals/{referral_id}/return-notes",
    status_code=201,
    dependencies=[needs(May.WRITE_RETURN_NOTE, May.SEND_REFERRAL)],
)
def write_return_note(
    referral_id: UUID,
    body: ReturnNoteIn,
    session: SessionDep,
    actor: ActorDep,
    clock: ClockDep,
    seen: IfMatchDep,
    response: Response,
) -> Shown:
    """回转单. It lands on the counsellor's list and makes a review of the plan due."""
    referral = of_facility(session, actor, referral_id, clock, seen)
    return_notes.write(
        session,
        actor=actor,
        case=case_of(session, referral=referral),
        referral=referral,
        note=body.note(),
        now=clock.now(),
    )
    return shown(session, actor, referral, response)


def of_school(session: Session, actor: Actor, referral_id: UUID, clock: Clock, seen: Seen) -> Referral:
    """A referral for whoever answers for the child; the facility's hand does not do the school's part."""
    referral = queries.get_referral(session, actor=actor, referral_id=referral_id, now=clock.now())
    case = case_of(session, referral=referral)
    check_may_about(actor, May.SEND_REFERRAL, case.organisation_id)
    seen.check(session, referral.version, things=[referral.id], now=clock.now())
    return referral


def of_facility(session: Session, actor: Actor, referral_id: UUID, clock: Clock, seen: Seen) -> Referral:
    """A referral for the facility that it was sent to; the actions ask whose it is."""
    referral = queries.get_referral(session, actor=actor, referral_id=referral_id, now=clock.now())
    seen.check(session, referral.version, things=[referral.id], now=clock.now())
    return referral


def shown(session: Session, actor: Actor, referral: Referral, response: Response) -> Shown:
    session.flush()
    session.refresh(referral, ["history", "notes", "return_notes"])
    show_version(response, referral.version)
    if is_facility_of(actor, referral):
        return FacilityReferralOut.of_facility(referral, actor)
    case = case_of(session, referral=referral)
    return SchoolReferralOut.of_school(referral, actor, case.organisation_id)
