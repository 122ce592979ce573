"""The steps of a referral beside the straight way: told, held, asked, passed on, missed, asked of another facility."""

from __future__ import annotations

from uuid import UUID

from fastapi import Response

from api.deps import ActorDep, ClockDep, CrisisSessionDep, SessionDep, json_router
from api.v1.referrals import ANSWER, SEND, Shown, of_facility, of_school, shown
from api.v1.schemas.referrals import AskIn, HoldIn, NoShowIn, PassOnIn, RerouteIn, TellIn
from api.versions import IfMatchDep
from referral.actions import answers, referrals, reroutes
from referral.queries.referrals import case_of, child_of

router = json_router(tags=["referrals"])


@router.post("/referrals/{referral_id}/told", dependencies=[SEND])
def tell_guardian(
    referral_id: UUID,
    session: SessionDep,
    actor: ActorDep,
    clock: ClockDep,
    seen: IfMatchDep,
    response: Response,
) -> Shown:
    """A person has told the guardian about this referral; the answer may still be open."""
    referral = of_school(session, actor, referral_id, clock, seen)
    referrals.tell_guardian(session, actor=actor, referral=referral, now=clock.now())
    return shown(session, actor, referral, response)


@router.post("/referrals/{referral_id}/hold", dependencies=[SEND])
def hold(
    referral_id: UUID,
    body: HoldIn,
    session: SessionDep,
    actor: ActorDep,
    clock: ClockDep,
    seen: IfMatchDep,
    response: Response,
) -> Shown:
    """Nothing leaves by itself until a day; a second time only the lead."""
    referral = of_school(session, actor, referral_id, clock, seen)
    referrals.hold(
        session,
        actor=actor,
        case=case_of(session, referral=referral),
        referral=referral,
        until=body.until,
        reason=body.reason,
        now=clock.now(),
    )
    return shown(session, actor, referral, response)


@router.post("/referrals/{referral_id}/reroute", status_code=201, dependencies=[SEND])
def reroute(
    referral_id: UUID,
    body: RerouteIn,
    session: SessionDep,
    actor: ActorDep,
    clock: ClockDep,
    seen: IfMatchDep,
    response: Response,
) -> Shown:
    """Another facility is asked after a refusal or a silence; nothing is typed again. The new draft."""
    referral = of_school(session, actor, referral_id, clock, seen)
    case = case_of(session, referral=referral)
    new = reroutes.reroute(
        session,
        actor=actor,
        case=case,
        child=child_of(session, case=case),
        referral=referral,
        facility_id=body.facility_id,
        in_parallel=body.in_parallel,
        now=clock.now(),
    )
    return shown(session, actor, new, response)


@router.post("/referrals/{referral_id}/tell", dependencies=[SEND])
def tell_more(
    referral_id: UUID,
    body: TellIn,
    session: SessionDep,
    actor: ActorDep,
    clock: ClockDep,
    seen: IfMatchDep,
    response: Response,
) -> Shown:
    """What the facility asked for; its clock goes on where it stood."""
    referral = of_school(session, actor, referral_id, clock, seen)
    case = case_of(session, referral=referral)
    answers.tell_more(session, actor=actor, case=case, referral=referral, answer=body.answer, now=clock.now())
    return shown(session, actor, referral, response)


@router.post("/referrals/{referral_id}/ask", dependencies=[ANSWER])
def ask_more(
    referral_id: UUID,
    body: AskIn,
    session: SessionDep,
    actor: ActorDep,
    clock: ClockDep,
    seen: IfMatchDep,
    response: Response,
) -> Shown:
    """The facility needs to know more; its clock stands still for two working days at most."""
    referral = of_facility(session, actor, referral_id, clock, seen)
    case = case_of(session, referral=referral)
    answers.ask_more(
        session, actor=actor, case=case, referral=referral, question=body.question, now=clock.now()
    )
    return shown(session, actor, referral, response)


@router.post("/referrals/{referral_id}/pass-on", dependencies=[ANSWER])
def pass_on(
    referral_id: UUID,
    body: PassOnIn,
    session: CrisisSessionDep,
    actor: ActorDep,
    clock: ClockDep,
    seen: IfMatchDep,
    response: Response,
) -> Shown:
    """Accepted and passed on, with escort and place: what stands in the place of declining an emergency."""
    referral = of_facility(session, actor, referral_id, clock, seen)
    answers.pass_on(
        session,
        actor=actor,
        case=case_of(session, referral=referral),
        referral=referral,
        to_place=body.to_place,
        escort=body.escort,
        now=clock.now(),
    )
    return shown(session, actor, referral, response)


@router.post("/referrals/{referral_id}/no-show", dependencies=[ANSWER])
def no_show(
    referral_id: UUID,
    body: NoShowIn,
    session: SessionDep,
    actor: ActorDep,
    clock: ClockDep,
    seen: IfMatchDep,
    response: Response,
) -> Shown:
    """The child did not come: somebody contacts the family; the second time a conference sits."""
    referral = of_facility(session, actor, referral_id, clock, seen)
    case = case_of(session, referral=referral)
    answers.no_show(session, actor=actor, case=case, referral=referral, reason=body.reason, now=clock.now())
    return shown(session, actor, referral, response)


@router.post("/referrals/{referral_id}/care", dependencies=[ANSWER])
def take_into_care(
    referral_id: UUID,
    session: SessionDep,
    actor: ActorDep,
    clock: ClockDep,
    seen: IfMatchDep,
    response: Response,
) -> Shown:
    """Care has begun; the return note is still to come."""
    referral = of_facility(session, actor, referral_id, clock, seen)
    answers.take_into_care(session, actor=actor, referral=referral, now=clock.now())
    return shown(session, actor, referral, response)
