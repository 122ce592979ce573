"""县区设置: release and base rate by two people, agreements with facilities; what is late, by number only."""

from __future__ import annotations

import math
from datetime import datetime
from uuid import UUID

from fastapi import Depends, Request, Response
from sqlalchemy.orm import Session

from api.deps import ClockDep, PageActorDep, SessionDep, get_page_actor, needs, page_router
from api.web.forms import Form, FormDep
from api.web.lookups import organisation_names
from api.web.pages import go, page_locale, render
from api.web.presenters import dates, words
from api.web.presenters.counts import few_or
from referral.actions import channels, nudges
from referral.actions.channels import MOST_A_WEEK
from referral.queries.channels import facilities_below, live_agreements
from referral.queries.oversight import get_overdue, list_overdue, list_silent
from referral.terms import ReleaseMode
from risk_model import BASE_RATE_LIMITS, DEFAULT_BASE_RATE
from screening.access import May
from screening.core.actor import Actor
from screening.core.clock import local_day
from screening.core.errors import DomainError, InvalidInput, PolicyViolation
from screening.models.organisation import Organisation
from screening.queries.accounts import names_of
from screening.queries.campaigns import count_open_campaigns, district_setting, newest_setting
from screening.queries.districts import LevelChanges, count_level_changes, district_to_set

router = page_router(dependencies=[Depends(get_page_actor)])

# Base rates are typed as per cent.
HUNDRED = 100


@router.get("/district", dependencies=[needs(May.SET_DISTRICT)])
def show_district(request: Request, session: SessionDep, actor: PageActorDep, clock: ClockDep) -> Response:
    """What is in force, what waits for a second person, what was agreed."""
    return _page(request, session, actor, district_to_set(session, actor=actor), clock.now())


def _page(
    request: Request,
    session: Session,
    actor: Actor,
    district: Organisation,
    now: datetime,
    *,
    form: Form | None = None,
    refused: DomainError | None = None,
    preview: tuple[float, LevelChanges] | None = None,
) -> Response:
    locale, today = page_locale(request), local_day(now)
    in_force, newest = district_setting(session, district.id), newest_setting(session, district.id)
    waiting = newest if newest is not None and newest.approved_at is None else None
    agreements = live_agreements(session, organisation=district, today=today)
    facilities = facilities_below(session, district=district)
    names = organisation_names(session, [each.facility_id for each in agreements])
    people = [each.set_by for each in (in_force, waiting) if each]
    people += [in_force.approved_by] if in_force and in_force.approved_by else []
    return render(
        request,
        "district/district.html",
        session=session,
        status=200 if refused is None and not (form and form.errors) else 422,
        district=district,
        base_rate=in_force.base_rate if in_force else DEFAULT_BASE_RATE,
        release=words.release(in_force.release if in_force else ReleaseMode.STEPWISE.value, locale),
        in_force=in_force,
        waiting=waiting,
        waiting_release=words.release(waiting.release, locale) if waiting else "",
        own=waiting is not None and waiting.set_by == actor.account_id,
        names=names_of(session, people),
        open_campaigns=count_open_campaigns(session, district),
        limits=BASE_RATE_LIMITS,
        modes=[
            (mode, words.release(mode.value, locale), words.release_explained(mode, locale))
            for mode in ReleaseMode
        ],
        facilities=facilities,
        agreements=[
            (names.get(each.facility_id, ""), words.release(each.release, locale), each)
            for each in agreements
        ],
        preview=_preview(preview, locale),
        form=form or Form(),
        refused=refused,
    )


def _preview(found: tuple[float, LevelChanges] | None, locale: str) -> tuple[str, str, str] | None:
    """Rate, children and changes in words; fewer than ten are not told (decision 5)."""
    if found is None:
        return None
    rate, changes = found
    return (
        f"{rate * HUNDRED:g}",
        few_or(changes.children, locale),
        few_or(changes.higher + changes.lower, locale),
    )


def _rate(form: Form) -> float | None:
    """Per cent as people type it: 8, 8.5, 8.5%."""
    text = form.text("base_rate", limit=10, needed=True).rstrip("% ").replace(",", ".")
    if not text:
        return None
    try:
        rate = float(text) / HUNDRED
    except ValueError:
        rate = math.nan
    if not BASE_RATE_LIMITS[0] <= rate <= BASE_RATE_LIMITS[1]:
        form.wrong("base_rate", "The base rate lies between 3 and 25 per cent.")
        return None
    return round(rate, 4)


@router.post("/district/preview", dependencies=[needs(May.SET_DISTRICT)])
def preview(
    request: Request, form: FormDep, session: SessionDep, actor: PageActorDep, clock: ClockDep
) -> Response:
    """Before anything is saved: how many children would change level (decision 19). The next press proposes it."""
    district = district_to_set(session, actor=actor)
    rate, release = _rate(form), form.choice("release", ReleaseMode, needed=True)
    if rate is None or release is None:
        return _page(request, session, actor, district, clock.now(), form=form)
    changes = count_level_changes(
        session, actor=actor, district=district, base_rate=rate, today=local_day(clock.now())
    )
    return _page(request, session, actor, district, clock.now(), form=form, preview=(rate, changes))


@router.post("/district/proposal", dependencies=[needs(May.SET_DISTRICT)])
def propose(
    request: Request, form: FormDep, session: SessionDep, actor: PageActorDep, clock: ClockDep
) -> Response:
    """Write down what a second person has to sign."""
    district = district_to_set(session, actor=actor)
    rate, release = _rate(form), form.choice("release", ReleaseMode, needed=True)
    if rate is None or release is None:
        return _page(request, session, actor, district, clock.now(), form=form)
    try:
        channels.propose_setting(
            session, actor=actor, district=district, base_rate=rate, release=release, now=clock.now()
        )
    except (InvalidInput, PolicyViolation) as refused:
        return _page(request, session, actor, district, clock.now(), form=form, refused=refused)
    return go("/district")


@router.post("/district/approval", dependencies=[needs(May.SET_DISTRICT)])
def approve(form: FormDep, session: SessionDep, actor: PageActorDep, clock: ClockDep) -> Response:
    """The second person signs the version that stood on the page."""
    district = district_to_set(session, actor=actor)
    version = form.raw("proposal")
    if not version.isdecimal() or len(version) > 9:
        raise InvalidInput("Please open the page again.")
    channels.approve_setting(session, actor=actor, district=district, version=int(version), now=clock.now())
    return go("/district")


@router.post("/district/agreements", dependencies=[needs(May.SET_DISTRICT)])
def agree(
    request: Request, form: FormDep, session: SessionDep, actor: PageActorDep, clock: ClockDep
) -> Response:
    """Put an agreement with a facility on record."""
    district, now = district_to_set(session, actor=actor), clock.now()
    try:
        _agree(session, actor, district, form, now)
    except (InvalidInput, PolicyViolation) as refused:
        return _page(
            request, session, actor, district, now, form=form, refused=None if form.errors else refused
        )
    return go("/district#agreements")


def _agree(session: Session, actor: Actor, district: Organisation, form: Form, now: datetime) -> None:
    offered = {str(each.id): each for each in facilities_below(session, district=district)}
    facility = form.choice_of("facility", offered)
    mode = form.choice("mode", ReleaseMode, needed=True)
    limit = form.number("weekly_limit", 0, MOST_A_WEEK, needed=True)
    agreed_by, until = form.text("agreed_by", limit=120, needed=True), form.day("valid_to", needed=True)
    form.check()
    if facility is None or mode is None or limit is None or until is None:
        return
    channels.agree(
        session,
        actor=actor,
        district=district,
        facility=facility,
        release=mode,
        weekly_limit=limit,
        agreed_by=agreed_by,
        valid_to=until,
        now=now,
    )


# --- what is late ------------------------------------------------------------------------------------------


@router.get("/overdue", dependencies=[needs(May.READ_OVERDUE)])
def show_overdue(request: Request, session: SessionDep, actor: PageActorDep, clock: ClockDep) -> Response:
    """Lines past their limit by place: number, what is owed, for how long. No name, no content."""
    now, locale = clock.now(), page_locale(request)
    by_place: dict[str, list[tuple[UUID, str, str, dates.TimeLeft]]] = {}
    for line in list_overdue(session, actor=actor, now=now):
        left = dates.time_left(line.due_at, now, locale)
        by_place.setdefault(line.place, []).append(
            (line.task_id, line.number, words.word(line.kind, locale), left)
        )
    return render(
        request,
        "district/overdue.html",
        session=session,
        places=sorted(by_place.items(), key=lambda place: -len(place[1])),
        count=sum(map(len, by_place.values())),
    )


@router.post("/overdue/{task_id}/nudge", dependencies=[needs(May.READ_OVERDUE)])
def nudge(task_id: UUID, session: SessionDep, actor: PageActorDep, clock: ClockDep) -> Response:
    """Ring one line again, by its number."""
    task = get_overdue(session, actor=actor, task_id=task_id, now=clock.now())
    nudges.nudge(session, actor=actor, task=task, now=clock.now())
    return go("/overdue")


@router.get("/silent", dependencies=[needs(May.READ_SILENT)])
def show_silent(request: Request, session: SessionDep, actor: PageActorDep, clock: ClockDep) -> Response:
    """Referrals that a facility has not answered in time, by form number."""
    now, locale = clock.now(), page_locale(request)
    rows = [
        (
            line.facility,
            line.form_no,
            words.word(line.urgency, locale),
            words.word(line.status, locale),
            dates.time_left(line.due_at, now, locale),
        )
        for line in list_silent(session, actor=actor, now=now)
    ]
    return render(request, "district/silent.html", session=session, rows=rows)
