"""Crisis episodes, before everybody else: taken, worked through, stood down by two people."""

from __future__ import annotations

from uuid import UUID

from fastapi import Response
from sqlalchemy.orm import Session

from api.deps import ActorDep, ClockDep, CrisisSessionDep, json_router, needs
from api.v1.schemas.cases import CrisisCardOut, CrisisOut, StandDownIn, StepIn, people_in_crisis
from api.versions import IfMatchDep, show_version
from referral.actions import crises as actions
from referral.models.crisis import CrisisEpisode
from referral.queries import crises
from referral.queries.crises import Card
from screening.access import May
from screening.queries.accounts import names_of

router = json_router(tags=["crises"])


@router.get("/crises", dependencies=[needs(May.HANDLE_CRISIS)])
def list_crises(session: CrisisSessionDep, actor: ActorDep, clock: ClockDep) -> list[CrisisOut]:
    """Episodes nobody has stood down, the newest first."""
    found = crises.list_open(session, actor=actor, now=clock.now())
    names = names_of(session, [person for episode in found for person in people_in_crisis(episode)])
    return [CrisisOut.of(episode, names) for episode in found]


@router.get("/crises/{episode_id}", dependencies=[needs(May.HANDLE_CRISIS)])
def show_crisis(
    episode_id: UUID, session: CrisisSessionDep, actor: ActorDep, clock: ClockDep, response: Response
) -> CrisisCardOut:
    """The card: who the child is, whom to call, what has been done."""
    card = crises.get_card(session, actor=actor, episode_id=episode_id, now=clock.now())
    return _shown(session, card, response)


@router.post("/crises/{episode_id}/take", dependencies=[needs(May.HANDLE_CRISIS)])
def take(
    episode_id: UUID, session: CrisisSessionDep, actor: ActorDep, clock: ClockDep, response: Response
) -> CrisisCardOut:
    """我来处理. The first press counts; the next ones read who did."""
    card = crises.get_card(session, actor=actor, episode_id=episode_id, now=clock.now())
    actions.take(session, actor=actor, case=card.case, episode=card.episode, now=clock.now())
    return _shown(session, card, response)


@router.post("/crises/{episode_id}/steps", status_code=201, dependencies=[needs(May.HANDLE_CRISIS)])
def record_step(
    episode_id: UUID,
    body: StepIn,
    session: CrisisSessionDep,
    actor: ActorDep,
    clock: ClockDep,
    response: Response,
) -> CrisisCardOut:
    """Write down one step, in any order."""
    card = crises.get_card(session, actor=actor, episode_id=episode_id, now=clock.now())
    actions.record_step(
        session,
        actor=actor,
        episode=card.episode,
        step=body.step,
        result=body.result,
        happened_at=body.happened_at,
        place=body.place,
        remark=body.remark,
        now=clock.now(),
    )
    return _shown(session, card, response)


@router.post("/crises/{episode_id}/mandatory-report", dependencies=[needs(May.HANDLE_CRISIS)])
def need_report(
    episode_id: UUID, session: CrisisSessionDep, actor: ActorDep, clock: ClockDep, response: Response
) -> CrisisCardOut:
    """There is something that the law asks us to report: a line with two hours (T19). Again is nothing."""
    card = crises.get_card(session, actor=actor, episode_id=episode_id, now=clock.now())
    actions.need_report(session, actor=actor, case=card.case, episode=card.episode, now=clock.now())
    return _shown(session, card, response)


@router.post("/crises/{episode_id}/stand-down-proposal", dependencies=[needs(May.HANDLE_CRISIS)])
def propose_stand_down(
    episode_id: UUID, session: CrisisSessionDep, actor: ActorDep, clock: ClockDep, response: Response
) -> CrisisCardOut:
    """The first of the two people says that it is over; the lead is asked to look."""
    card = crises.get_card(session, actor=actor, episode_id=episode_id, now=clock.now())
    actions.propose_stand_down(session, actor=actor, case=card.case, episode=card.episode, now=clock.now())
    return _shown(session, card, response)


@router.post("/crises/{episode_id}/stand-down", dependencies=[needs(May.STAND_DOWN)])
def stand_down(
    episode_id: UUID,
    body: StandDownIn,
    seen: IfMatchDep,
    session: CrisisSessionDep,
    actor: ActorDep,
    clock: ClockDep,
    response: Response,
) -> CrisisCardOut:
    """解除, by the lead beside whoever took it. What is missing is answered by name (409).

    The one step here that needs ``If-Match``: the others add to the record and overwrite nobody, and in danger
    nobody is sent back to read first.
    """
    card = crises.get_card(session, actor=actor, episode_id=episode_id, now=clock.now())
    seen.check(session, _version(card), things=[card.episode.id], now=clock.now())
    actions.stand_down(
        session,
        actor=actor,
        case=card.case,
        episode=card.episode,
        safety_plan_done=body.safety_plan_done,
        review_meeting_on=body.review_meeting_on,
        now=clock.now(),
    )
    return _shown(session, card, response)


def _version(card: Card) -> int:
    """Nothing about an episode changes without a step."""
    return len(card.episode.steps)


def _shown(session: Session, card: Card, response: Response) -> CrisisCardOut:
    episode: CrisisEpisode = card.episode
    show_version(response, _version(card))
    return CrisisCardOut.of_card(
        episode,
        names_of(session, people_in_crisis(episode)),
        child_name=card.child.name,
        guardian_phone=card.guardian_phone,
        duty_phone=card.duty_phone,
    )
