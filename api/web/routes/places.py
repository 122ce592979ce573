"""机构: the area tree for the administrator; what a facility takes; the places its lead opens."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

from fastapi import Depends, Request, Response
from sqlalchemy.orm import Session

from api.deps import ClockDep, PageActorDep, SessionDep, get_page_actor, needs, page_router
from api.web.forms import Form, FormDep
from api.web.lookups import organisation_names
from api.web.pages import go, page_locale, render
from api.web.presenters import accounts as present
from api.web.presenters import words
from referral.actions import channels
from referral.actions.channels import MOST_A_WEEK, OLDEST, FacilityIn
from referral.models.referral import Facility
from referral.queries.channels import asked_since_a_week, find_facility, live_agreements, own_facility
from screening.access import May
from screening.actions import organisations
from screening.core.actor import Actor
from screening.core.clock import local_day
from screening.core.errors import Conflict, DomainError, InvalidInput, PolicyViolation
from screening.models.organisation import Organisation, OrganisationKind
from screening.queries.districts import get_organisation, list_organisations

router = page_router(dependencies=[Depends(get_page_actor)])


@router.get("/organisations", dependencies=[needs(May.MANAGE_ACCOUNTS)])
def show_organisations(request: Request, session: SessionDep, actor: PageActorDep) -> Response:
    """The tree, and the form that adds to it."""
    return _tree_page(request, session, actor)


def _tree_page(
    request: Request,
    session: Session,
    actor: Actor,
    *,
    form: Form | None = None,
    refused: DomainError | None = None,
) -> Response:
    locale = page_locale(request)
    return render(
        request,
        "admin/organisations.html",
        session=session,
        status=200 if refused is None and not (form and form.errors) else 422,
        tree=[
            (each, depth, words.organisation_kind(each.kind, locale))
            for each, depth in present.tree(list_organisations(session, actor=actor))
        ],
        kinds=[(kind.value, words.organisation_kind(kind, locale)) for kind in OrganisationKind],
        form=form or Form(),
        refused=refused,
    )


@router.post("/organisations", dependencies=[needs(May.MANAGE_ACCOUNTS)])
def add_organisation(
    request: Request, form: FormDep, session: SessionDep, actor: PageActorDep, clock: ClockDep
) -> Response:
    """One more node of the tree."""
    try:
        added = _add(session, actor, form, clock.now())
    except (InvalidInput, PolicyViolation, Conflict) as refused:
        return _tree_page(request, session, actor, form=form, refused=None if form.errors else refused)
    is_facility = added is not None and added.kind is OrganisationKind.FACILITY
    return go(f"/organisations/{added.id}/facility" if added and is_facility else "/organisations")


def _add(session: Session, actor: Actor, form: Form, now: datetime) -> Organisation | None:
    kind = form.choice("kind", OrganisationKind, needed=True)
    known = {str(each.id): each for each in list_organisations(session, actor=actor)}
    parent = form.choice_of("parent", known, needed=kind is not OrganisationKind.CITY)
    code, name = form.text("code", limit=40, needed=True), form.text("name", limit=120, needed=True)
    phone = form.text("phone", limit=40)
    form.check()
    if kind is None:
        return None
    return organisations.add(
        session,
        actor=actor,
        kind=kind,
        code=code,
        name=name,
        parent=parent,
        phone=phone or None,
        now=now,
    )


@router.get("/organisations/{organisation_id}/facility", dependencies=[needs(May.MANAGE_ACCOUNTS)])
def show_facility(
    organisation_id: UUID, request: Request, session: SessionDep, actor: PageActorDep
) -> Response:
    """Whom to reach at a facility, and for which ages."""
    place = get_organisation(session, actor=actor, organisation_id=organisation_id)
    return _facility_page(request, session, place)


def _facility_page(
    request: Request,
    session: Session,
    place: Organisation,
    *,
    form: Form | None = None,
    refused: DomainError | None = None,
) -> Response:
    return render(
        request,
        "admin/facility.html",
        session=session,
        status=200 if refused is None and not (form and form.errors) else 422,
        place=place,
        facility=find_facility(session, organisation=place),
        form=form or Form(),
        refused=refused,
    )


@router.post("/organisations/{organisation_id}/facility", dependencies=[needs(May.MANAGE_ACCOUNTS)])
def save_facility(
    organisation_id: UUID,
    request: Request,
    form: FormDep,
    session: SessionDep,
    actor: PageActorDep,
    clock: ClockDep,
) -> Response:
    """Keep what a facility takes. How many places it opens is for its own lead to say."""
    place = get_organisation(session, actor=actor, organisation_id=organisation_id)
    try:
        _save(session, actor, place, form, clock.now())
    except (InvalidInput, PolicyViolation) as refused:
        return _facility_page(request, session, place, form=form, refused=None if form.errors else refused)
    return go("/organisations")


def _save(session: Session, actor: Actor, place: Organisation, form: Form, now: datetime) -> None:
    department = form.text("department", limit=60, needed=True)
    name, phone = form.text("contact_name", limit=60), form.text("contact_phone", limit=40)
    youngest = form.number("age_min", 0, OLDEST, needed=True)
    oldest = form.number("age_max", 0, OLDEST, needed=True)
    form.check()
    if youngest is None or oldest is None:
        return
    channels.save_facility(
        session,
        actor=actor,
        organisation=place,
        values=FacilityIn(department, name, phone, youngest, oldest),
        now=now,
    )


# --- the facility's own lead -------------------------------------------------------------------------------


@router.get("/facility", dependencies=[needs(May.SET_FACILITY)])
def show_places(request: Request, session: SessionDep, actor: PageActorDep, clock: ClockDep) -> Response:
    """How many children a week, how many of them unseen, and what was agreed with the districts."""
    return _places_page(request, session, own_facility(session, actor=actor), clock.now())


def _places_page(
    request: Request, session: Session, facility: Facility, now: datetime, *, form: Form | None = None
) -> Response:
    today, locale = local_day(now), page_locale(request)
    agreements = live_agreements(session, organisation=facility.organisation, today=today)
    names = organisation_names(session, [each.district_id for each in agreements])
    asked, triage = asked_since_a_week(session, organisation_id=facility.organisation_id, now=now)
    return render(
        request,
        "facility/places.html",
        session=session,
        status=422 if form and form.errors else 200,
        facility=facility,
        asked=asked,
        triage=triage,
        channels=[
            (names.get(each.district_id, ""), words.release(each.release, locale), each)
            for each in agreements
        ],
        form=form or Form(),
        refused=None,
    )


@router.post("/facility", dependencies=[needs(May.SET_FACILITY)])
def open_places(
    request: Request, form: FormDep, session: SessionDep, actor: PageActorDep, clock: ClockDep
) -> Response:
    """Open so many places a week (decision 2, step 3)."""
    facility = own_facility(session, actor=actor)
    slots = form.number("weekly_slots", 0, MOST_A_WEEK, needed=True)
    triage = form.number("triage_per_week", 0, MOST_A_WEEK, needed=True)
    if slots is None or triage is None:
        return _places_page(request, session, facility, clock.now(), form=form)
    channels.open_places(
        session,
        actor=actor,
        facility=facility,
        weekly_slots=slots,
        triage_per_week=triage,
        now=clock.now(),
    )
    return go("/facility")
