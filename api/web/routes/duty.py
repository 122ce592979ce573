"""值班表: one week of one place; add, end, copy. A hole is said in words, a holiday by its name."""

from __future__ import annotations

from datetime import date, datetime, timedelta
from typing import Annotated
from uuid import UUID

from fastapi import Depends, Query, Request, Response
from sqlalchemy.orm import Session

from api.deps import ClockDep, PageActorDep, SessionDep, get_page_actor, needs, page_router
from api.web.forms import Form, FormDep
from api.web.pages import go, page_locale, render
from api.web.presenters import dates
from api.web.presenters import duty as present
from screening.access import May
from screening.actions import duty
from screening.core.actor import Actor
from screening.core.calendar import china
from screening.core.clock import local_day
from screening.core.errors import DomainError, InvalidInput, PolicyViolation
from screening.models.account import Account
from screening.models.organisation import Organisation
from screening.queries.accounts import areas_above, names_of
from screening.queries.districts import get_organisation
from screening.queries.staff import colleagues, covers, gaps_of, get_turn, list_turns

router = page_router(
    prefix="/duty",
    dependencies=[Depends(get_page_actor), needs(May.MANAGE_ACCOUNTS)],
)

WEEK = timedelta(days=7)
WeekDay = Annotated[str, Query(max_length=10, alias="week")]


@router.get("")
def show_places(request: Request, session: SessionDep, actor: PageActorDep, clock: ClockDep) -> Response:
    """Who answers now, place by place, and where a hole is coming."""
    now, locale = clock.now(), page_locale(request)
    found = covers(session, actor=actor, now=now)
    names = names_of(session, [each for cover in found for each in cover.now])
    return render(
        request,
        "admin/duty.html",
        session=session,
        covers=present.list_of(found, names, now, locale),
        missing=present.missing_years(china(), now),
    )


@router.get("/{organisation_id}")
def show_week(
    organisation_id: UUID,
    request: Request,
    session: SessionDep,
    actor: PageActorDep,
    clock: ClockDep,
    week: WeekDay = "",
) -> Response:
    """The week that holds the day asked for, else this one."""
    place = get_organisation(session, actor=actor, organisation_id=organisation_id)
    return _page(request, session, place, _monday(week, clock.now()), clock.now())


def _monday(text: str, now: datetime) -> date:
    try:
        return present.monday_of(date.fromisoformat(text)) if text else present.monday_of(local_day(now))
    except (ValueError, OverflowError):
        return present.monday_of(local_day(now))


def _page(
    request: Request,
    session: Session,
    place: Organisation,
    monday: date,
    now: datetime,
    *,
    form: Form | None = None,
    refused: DomainError | None = None,
) -> Response:
    locale = page_locale(request)
    begin, end = present.begin_of(monday), present.begin_of(monday + WEEK)
    turns = list_turns(session, organisation=place, begin=begin, end=end)
    holes = gaps_of(session, organisation=place, begin=max(begin, now), end=end) if end > now else ()
    people = _people(session, place, now)
    return render(
        request,
        "admin/duty_week.html",
        session=session,
        status=200 if refused is None and not (form and form.errors) else 422,
        place=place,
        days=present.week(
            turns,
            holes,
            names_of(session, [turn.account_id for turn in turns]),
            monday,
            now,
            china(),
            locale,
        ),
        monday=monday.isoformat(),
        before=(monday - WEEK).isoformat(),
        after=(monday + WEEK).isoformat(),
        title=dates.full_day(monday, locale),
        has_holes=bool(holes),
        people=people,
        starts=dates.for_input(max(begin, now)),
        ends=dates.for_input(end),
        form=form or Form(),
        refused=refused,
    )


def _people(session: Session, place: Organisation, now: datetime) -> dict[str, Account]:
    """Who can be put on duty here: colleagues of the place, then of the areas above it."""
    found: dict[str, Account] = {}
    for each in areas_above(session, place):
        for account, _ in colleagues(session, organisation_id=each.id, today=local_day(now)):
            found.setdefault(str(account.id), account)
    return found


@router.post("/{organisation_id}/turns")
def add_turn(
    organisation_id: UUID,
    request: Request,
    form: FormDep,
    session: SessionDep,
    actor: PageActorDep,
    clock: ClockDep,
) -> Response:
    """Put somebody on duty."""
    now = clock.now()
    place = get_organisation(session, actor=actor, organisation_id=organisation_id)
    monday = _monday(form.raw("week"), now)
    try:
        _add(session, actor, place, form, now)
    except (InvalidInput, PolicyViolation) as refused:
        return _page(
            request, session, place, monday, now, form=form, refused=None if form.errors else refused
        )
    return go(f"/duty/{place.id}?week={monday.isoformat()}")


def _add(session: Session, actor: Actor, place: Organisation, form: Form, now: datetime) -> None:
    person = form.choice_of("person", _people(session, place, now))
    phone = form.text("phone", limit=40, needed=True)
    starts_at, ends_at = form.instant("starts_at", needed=True), form.instant("ends_at", needed=True)
    form.check()
    if person is None or starts_at is None or ends_at is None:
        return
    duty.add_turn(
        session,
        actor=actor,
        organisation=place,
        account=person,
        phone=phone,
        starts_at=starts_at,
        ends_at=ends_at,
        now=now,
    )


@router.post("/{organisation_id}/turns/{turn_id}/end")
def end_turn(
    organisation_id: UUID,
    turn_id: UUID,
    form: FormDep,
    session: SessionDep,
    actor: PageActorDep,
    clock: ClockDep,
) -> Response:
    """End a running turn now, strike out a coming one."""
    turn = get_turn(session, actor=actor, turn_id=turn_id)
    monday = _monday(form.raw("week"), clock.now())
    duty.end_turn(session, actor=actor, turn=turn, now=clock.now())
    return go(f"/duty/{turn.organisation_id}?week={monday.isoformat()}")


@router.post("/{organisation_id}/copy")
def copy_week(
    organisation_id: UUID, form: FormDep, session: SessionDep, actor: PageActorDep, clock: ClockDep
) -> Response:
    """The same people a week later, and that week is shown."""
    place = get_organisation(session, actor=actor, organisation_id=organisation_id)
    monday = _monday(form.raw("week"), clock.now())
    duty.copy_week(session, actor=actor, organisation=place, begin=present.begin_of(monday), now=clock.now())
    return go(f"/duty/{place.id}?week={(monday + WEEK).isoformat()}")
