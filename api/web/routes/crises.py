"""危机处置: the open ones, the card of one, take it, write down the steps, stand down.

These requests pass before everybody else's (RL7). Whoever reads cases finds the steps on the case; the principal and
county duty, who open no case, find them on the card that the crisis itself opens to them.
"""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

from fastapi import Depends, Request, Response
from sqlalchemy.orm import Session

from api.deps import ClockDep, CrisisSessionDep, PageActorDep, get_page_actor, needs, page_router
from api.versions import Seen, SeenDep
from api.web.forms import Form, FormDep
from api.web.pages import go, page_locale, render
from api.web.presenters import crises as present
from api.web.presenters import dates
from api.web.presenters.case import crisis as crisis_view
from api.web.routes.cases import CRISIS
from referral.actions import crises
from referral.models.case import Case
from referral.models.crisis import CrisisEpisode
from referral.queries import crises as queries
from referral.queries.cases import can_open, get_case, get_crisis
from referral.terms import CrisisStep, StepResult
from screening.access import May, may_at
from screening.core.actor import Actor
from screening.queries.accounts import names_of

router = page_router(
    prefix="/crises",
    dependencies=[Depends(get_page_actor), needs(May.HANDLE_CRISIS)],
)


@router.get("")
def show_crises(
    request: Request, session: CrisisSessionDep, actor: PageActorDep, clock: ClockDep
) -> Response:
    """Episodes nobody has stood down, those that nobody has taken first."""
    now, locale = clock.now(), page_locale(request)
    found = queries.list_open(session, actor=actor, now=now)
    cards = [queries.card_of(session, episode=episode, now=now) for episode in found]
    names = names_of(session, [episode.taken_by for episode in found])
    return render(
        request,
        "crises/list.html",
        session=session,
        rows=present.rows(cards, names, now, locale),
    )


@router.get("/{episode_id}")
def show_crisis(
    episode_id: UUID, request: Request, session: CrisisSessionDep, actor: PageActorDep, clock: ClockDep
) -> Response:
    """The card: who the child is, whom to call, what was done, and the next step."""
    now, locale = clock.now(), page_locale(request)
    card = queries.get_card(session, actor=actor, episode_id=episode_id, now=now)
    return render(
        request,
        "crises/card.html",
        session=session,
        version=str(len(card.episode.steps)),
        card=card,
        at=f"/crises/{card.episode.id}",
        crisis=crisis_view(card.episode, names_of(session, [card.episode.taken_by]), locale),
        opens_case=can_open(session, actor=actor, case_id=card.case.id),
        buttons=present.Buttons(
            crisis=True, stand_down=may_at(actor, May.STAND_DOWN, card.case.organisation_id)
        ),
        step_results=list(StepResult),
        now_input=dates.for_input(now),
    )


@router.post("/{episode_id}/take")
def take_by_card(
    episode_id: UUID, session: CrisisSessionDep, actor: PageActorDep, clock: ClockDep
) -> Response:
    """我来处理, by whoever was called to it. A second press finds who has it."""
    card = queries.get_card(session, actor=actor, episode_id=episode_id, now=clock.now())
    crises.take(session, actor=actor, case=card.case, episode=card.episode, now=clock.now())
    return go(f"/crises/{card.episode.id}")


@router.post("/{episode_id}/steps")
def record_step_by_card(
    episode_id: UUID, form: FormDep, session: CrisisSessionDep, actor: PageActorDep, clock: ClockDep
) -> Response:
    """One step, written down on the card."""
    card = queries.get_card(session, actor=actor, episode_id=episode_id, now=clock.now())
    _record(session, actor, card.episode, form, clock.now())
    return go(f"/crises/{card.episode.id}")


@router.post("/{episode_id}/propose")
def propose_by_card(
    episode_id: UUID, session: CrisisSessionDep, actor: PageActorDep, clock: ClockDep
) -> Response:
    """The first of the two people says that it is over; the lead is asked to look."""
    card = queries.get_card(session, actor=actor, episode_id=episode_id, now=clock.now())
    crises.propose_stand_down(session, actor=actor, case=card.case, episode=card.episode, now=clock.now())
    return go(f"/crises/{card.episode.id}")


@router.post("/{episode_id}/report")
def need_report_by_card(
    episode_id: UUID, session: CrisisSessionDep, actor: PageActorDep, clock: ClockDep
) -> Response:
    """There is something that the law asks us to report: a line with two hours."""
    card = queries.get_card(session, actor=actor, episode_id=episode_id, now=clock.now())
    crises.need_report(session, actor=actor, case=card.case, episode=card.episode, now=clock.now())
    return go(f"/crises/{card.episode.id}")


@router.post("/{episode_id}/stand-down", dependencies=[needs(May.STAND_DOWN)])
def stand_down_by_card(
    episode_id: UUID,
    form: FormDep,
    seen: SeenDep,
    session: CrisisSessionDep,
    actor: PageActorDep,
    clock: ClockDep,
) -> Response:
    """解除, by the lead, when every guard holds."""
    card = queries.get_card(session, actor=actor, episode_id=episode_id, now=clock.now())
    _stand_down(session, actor, card.case, card.episode, form, seen, 0, clock.now())
    return go("/crises")


# --- on the case -------------------------------------------------------------------------------------------


def _episode(
    session: Session, actor: Actor, case_id: UUID, episode_id: UUID, now: datetime
) -> tuple[Case, CrisisEpisode]:
    case = get_case(session, actor=actor, case_id=case_id, now=now)
    return case, get_crisis(session, case=case, episode_id=episode_id)


@router.post("/{case_id}/{episode_id}/take")
def take(
    case_id: UUID, episode_id: UUID, session: CrisisSessionDep, actor: PageActorDep, clock: ClockDep
) -> Response:
    """我来处理. A second press finds who has it."""
    now = clock.now()
    case, episode = _episode(session, actor, case_id, episode_id, now)
    crises.take(session, actor=actor, case=case, episode=episode, now=now)
    return go(f"/cases/{case.id}#crisis")


@router.post("/{case_id}/{episode_id}/steps")
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
    _record(session, actor, episode, form, now)
    return go(f"/cases/{case.id}#crisis")


def _record(session: Session, actor: Actor, episode: CrisisEpisode, form: Form, now: datetime) -> None:
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


@router.post("/{case_id}/{episode_id}/propose")
def propose(
    case_id: UUID, episode_id: UUID, session: CrisisSessionDep, actor: PageActorDep, clock: ClockDep
) -> Response:
    """The first of the two people says that it is over; the lead is asked to look."""
    now = clock.now()
    case, episode = _episode(session, actor, case_id, episode_id, now)
    crises.propose_stand_down(session, actor=actor, case=case, episode=episode, now=now)
    return go(f"/cases/{case.id}#crisis")


@router.post("/{case_id}/{episode_id}/report")
def need_report(
    case_id: UUID, episode_id: UUID, session: CrisisSessionDep, actor: PageActorDep, clock: ClockDep
) -> Response:
    """There is something that the law asks us to report: a line with two hours."""
    now = clock.now()
    case, episode = _episode(session, actor, case_id, episode_id, now)
    crises.need_report(session, actor=actor, case=case, episode=episode, now=now)
    return go(f"/cases/{case.id}#crisis")


@router.post("/{case_id}/{episode_id}/stand-down", dependencies=[needs(May.STAND_DOWN)])
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
    _stand_down(session, actor, case, episode, form, seen, CRISIS, now)
    return go(f"/cases/{case.id}")


def _stand_down(
    session: Session,
    actor: Actor,
    case: Case,
    episode: CrisisEpisode,
    form: Form,
    seen: Seen,
    place: int,
    now: datetime,
) -> None:
    meeting = form.day("review_meeting_on")
    form.check()
    # The other steps add to the record and overwrite nobody: in danger nobody is sent back to read first.
    seen.check(session, len(episode.steps), things=[episode.id], now=now, place=place)
    crises.stand_down(
        session,
        actor=actor,
        case=case,
        episode=episode,
        safety_plan_done=form.has("safety_plan_done"),
        review_meeting_on=meeting,
        now=now,
    )
