"""本周能面谈多少: the queue in its order, and what so many talks leave undone. A number here changes no level."""

from __future__ import annotations

from typing import Annotated

from fastapi import Depends, Query, Request, Response

from api.deps import ClockDep, PageActorDep, SessionDep, get_page_actor, needs, page_router
from api.web.pages import page_locale, render
from api.web.presenters import capacity as present
from referral.queries.capacity import plan_week
from screening.access import May
from screening.core.clock import local_day

router = page_router(prefix="/capacity", dependencies=[Depends(get_page_actor), needs(May.READ_SCORES)])

USUAL = 40
Places = Annotated[str, Query(max_length=6, alias="places")]


@router.get("")
def show_capacity(
    request: Request, session: SessionDep, actor: PageActorDep, clock: ClockDep, places: Places = ""
) -> Response:
    """Who is seen with so many talks, who is not, how many in need are expected to be missed, and in which groups."""
    now, locale = clock.now(), page_locale(request)
    number = int(places) if places.isdecimal() and len(places) <= 4 else USUAL
    planned = plan_week(session, actor=actor, places=number, now=now)
    return render(
        request,
        "models/capacity.html",
        session=session,
        places=number,
        plan=planned.week,
        seen=present.lines(planned, planned.week.seen, local_day(now), locale),
        unseen=present.lines(planned, planned.week.unseen, local_day(now), locale),
        missed=present.missed(planned.week, locale),
        groups=present.groups(planned.week, locale),
    )
