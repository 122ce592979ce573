"""危机处置: take it, write down the steps, stand down. These requests pass before everybody else's (RL7)."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

from fastapi import Depends, Response
from sqlalchemy.orm import Session

from api.deps import ClockDep, CrisisSessionDep, PageActorDep, get_page_actor, needs, page_router
from api.versions import SeenDep
from api.web.forms import FormDep
from api.web.pages import go
from api.web.routes.cases import CRISIS
from referral.actions import crises
from referral.models.case import Case
from referral.models.crisis import CrisisEpisode
from referral.queries.cases import get_case, get_crisis
from referral.terms import CrisisStep, StepResult
from screening.access import May
from screening.core.actor import Actor

router = page_router(
    prefix="/crises/{case_id}/{episode_id}",
    dependencies=[Depends(get_page_actor), needs(May.HANDLE_CRISIS)],
)


def _episode(
    session: Session, actor: Actor, case_id: UUID, episode_id: UUID, now: datetime
) -> tuple[Case, CrisisEpisode]:
    case = get_case(session, actor=actor, case_id=case_id, now=now)
    return case, get_crisis(session, case=case, episode_id=episode_id)


@router.post("/take")
def take(
    case_id: UUID, episode_id: UUID, session: CrisisSessionDep, actor: PageActorDep, clock: ClockDep
) -> Response:
    """我来处理. A second press finds who has it."""
    now = clock.now()
    case, episode = _episode(session, actor, case_id, episode_id, now)
    crises.take(session, actor=actor, case=case, episode=episode, now=now)
    return go(f"/cases/{case.id}#crisis")


@router.post("/steps")
def record_step(
    case_id: UUID,
    episode_id: UUID,
    form: FormDep,
    session: CrisisSessionDep,
    actor: PageActorDep,
    clock: ClockDep,
) -> Response:
    """One step with its result; anything but done says why."""
    now = clock.now()
    case, episode = _episode(session, actor, case_id, episode_id, now)
    step = form.choice("step", CrisisStep, needed=True)
    result = form.choice("result", StepResult, needed=True)
    remark = form.text("remark", limit=400)
    happened_at = form.instant("happened_at") or now
    form.check()
    if step is not None and result is not None:
        crises.record_step(
            session,
            actor=actor,
            episode=episode,
            step=step,
            result=result,
            # A time typed to the minute may lie some seconds ahead of the clock.
            happened_at=min(happened_at, now) if (happened_at - now).total_seconds() < 60 else happened_at,
            place=None,
            remark=remark or None,
            now=now,
        )
    return go(f"/cases/{case.id}#crisis")


@router.post("/stand-down", dependencies=[needs(May.STAND_DOWN)])
def stand_down(
    case_id: UUID,
    episode_id: UUID,
    form: FormDep,
    seen: SeenDep,
    session: CrisisSessionDep,
    actor: PageActorDep,
    clock: ClockDep,
) -> Response:
    """解除, by the lead, when every guard holds."""
    now = clock.now()
    case, episode = _episode(session, actor, case_id, episode_id, now)
    meeting = form.day("review_meeting_on")
    form.check()
    # The other steps add to the record and overwrite nobody: in danger nobody is sent back to read first.
    seen.check(session, len(episode.steps), things=[episode.id], now=now, place=CRISIS)
    crises.stand_down(
        session,
        actor=actor,
        case=case,
        episode=episode,
        safety_plan_done=form.has("safety_plan_done"),
        review_meeting_on=meeting,
        now=now,
    )
    return go(f"/cases/{case.id}")
