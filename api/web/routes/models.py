"""模型: what serves, what was learnt, limits of the levels; two people decide, one is enough to go back."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

from fastapi import Depends, Request, Response
from sqlalchemy.orm import Session

from api.deps import ClockDep, PageActorDep, SessionDep, get_page_actor, needs, page_router
from api.web.forms import Form, FormDep
from api.web.pages import go, page_locale, render
from api.web.presenters import models as present
from referral import learning
from referral.queries.labels import open_alarms, scored_children
from risk_model.decision import costs
from screening.access import May
from screening.actions import models
from screening.actions.models import MOST_CHECKS
from screening.core.actor import Actor
from screening.core.clock import local_day
from screening.core.errors import DomainError, InvalidInput, PolicyViolation
from screening.models.organisation import Organisation
from screening.queries.accounts import names_of
from screening.queries.campaigns import base_rate_of, count_open_campaigns
from screening.queries.districts import county_for
from screening.queries.models import (
    get_version,
    in_force,
    list_versions,
    model_of,
    newest,
    rules_of,
    setting_in_force,
)

router = page_router(prefix="/models", dependencies=[Depends(get_page_actor), needs(May.SET_MODEL)])

HUNDRED = 100


@router.get("")
def show_models(request: Request, session: SessionDep, actor: PageActorDep, clock: ClockDep) -> Response:
    """What serves here, how much is known of it, and what waits to be decided."""
    return _page(request, session, actor, county_for(session, actor=actor, what=May.SET_MODEL), clock.now())


def _page(
    request: Request,
    session: Session,
    actor: Actor,
    county: Organisation,
    now: datetime,
    *,
    form: Form | None = None,
    refused: DomainError | None = None,
) -> Response:
    locale, today = page_locale(request), local_day(now)
    current = in_force(session, county.id)
    model, fault = model_of(current, today)
    setting, proposal = setting_in_force(session, county.id), newest(session, county.id)
    waiting = proposal if proposal is not None and proposal.approved_by is None else None
    versions = list_versions(session, county=county)
    there = scored_children(session, actor=actor, county=county, since=now - learning.LOOKS_BACK)
    people = [each.put_by for each in versions if each.put_by] + [
        each.approved_by for each in versions if each.approved_by
    ]
    people += [waiting.set_by] if waiting else []
    return render(
        request,
        "models/models.html",
        session=session,
        status=200 if refused is None and not (form and form.errors) else 422,
        county=county,
        current=current,
        model=model,
        fault=present.fault(fault, locale),
        alarms=[
            (each.id, present.alarm(each.reason or "", locale))
            for each in open_alarms(session, organisation=county)
        ],
        base_rate=f"{base_rate_of(session, county) * HUNDRED:g}",
        rules=rules_of(session, county.id),
        setting=setting,
        waiting=waiting,
        own=waiting is not None and waiting.set_by == actor.account_id,
        versions=[present.version(each, actor.account_id, locale) for each in versions],
        costs=[present.cost(each, locale) for each in costs([s.result.probability or 0.0 for s in there])]
        if len(there) >= 10
        else [],
        open_campaigns=count_open_campaigns(session, county),
        names=names_of(session, people),
        most_checks=MOST_CHECKS,
        form=form or Form(),
        refused=refused,
    )


@router.post("/learn")
def learn(
    request: Request, form: FormDep, session: SessionDep, actor: PageActorDep, clock: ClockDep
) -> Response:
    """Fit a candidate on the findings there are, and judge it. Nothing goes into force."""
    county, now = county_for(session, actor=actor, what=May.SET_MODEL), clock.now()
    try:
        learning.learn(session, actor=actor, county=county, now=now)
    except PolicyViolation as refused:
        return _page(request, session, actor, county, now, form=form, refused=refused)
    return go("/models")


@router.post("/rate")
def move(
    request: Request, form: FormDep, session: SessionDep, actor: PageActorDep, clock: ClockDep
) -> Response:
    """A candidate moved to a rate that a survey with interviews has found."""
    county, now = county_for(session, actor=actor, what=May.SET_MODEL), clock.now()
    rate, source = form.number("rate", 3, 25, needed=True), form.text("source", limit=120, needed=True)
    if rate is None or not source:
        return _page(request, session, actor, county, now, form=form)
    try:
        learning.shift(session, actor=actor, county=county, rate=rate / HUNDRED, source=source, now=now)
    except (InvalidInput, PolicyViolation) as refused:
        return _page(request, session, actor, county, now, form=form, refused=refused)
    return go("/models")


@router.post("/limits")
def propose_limits(
    request: Request, form: FormDep, session: SessionDep, actor: PageActorDep, clock: ClockDep
) -> Response:
    """Limits of the levels and the number of random checks, for a second person to sign."""
    county, now = county_for(session, actor=actor, what=May.SET_MODEL), clock.now()
    elevated, high = form.number("elevated", 1, 99, needed=True), form.number("high", 1, 99, needed=True)
    checks = form.number("checks", 0, MOST_CHECKS, needed=True)
    if elevated is None or high is None or checks is None:
        return _page(request, session, actor, county, now, form=form)
    try:
        models.propose_limits(
            session,
            actor=actor,
            county=county,
            elevated=elevated / HUNDRED,
            high=high / HUNDRED,
            checks_per_week=checks,
            now=now,
        )
    except (InvalidInput, PolicyViolation) as refused:
        return _page(request, session, actor, county, now, form=form, refused=refused)
    return go("/models")


@router.post("/limits/approval")
def approve_limits(form: FormDep, session: SessionDep, actor: PageActorDep, clock: ClockDep) -> Response:
    """The second person signs the limits that stood on the page."""
    county = county_for(session, actor=actor, what=May.SET_MODEL)
    version = form.raw("proposal")
    if not version.isdecimal() or len(version) > 9:
        raise InvalidInput("Please open the page again.")
    models.approve_limits(session, actor=actor, county=county, version=int(version), now=clock.now())
    return go("/models")


@router.post("/back")
def back(
    request: Request, form: FormDep, session: SessionDep, actor: PageActorDep, clock: ClockDep
) -> Response:
    """Back to what was in force before, at once."""
    county, now = county_for(session, actor=actor, what=May.SET_MODEL), clock.now()
    try:
        models.roll_back(session, actor=actor, county=county, reason=form.text("reason", limit=200), now=now)
    except (InvalidInput, PolicyViolation) as refused:
        return _page(request, session, actor, county, now, form=form, refused=refused)
    return go("/models")


@router.post("/{version_id}/{step}")
def decide(
    version_id: UUID,
    step: str,
    request: Request,
    form: FormDep,
    session: SessionDep,
    actor: PageActorDep,
    clock: ClockDep,
) -> Response:
    """Put a candidate forward, approve it as the second person, or refuse it."""
    county, now = county_for(session, actor=actor, what=May.SET_MODEL), clock.now()
    version = get_version(session, county=county, version_id=version_id)
    try:
        if step == "forward":
            models.put_forward(session, actor=actor, version=version, now=now)
        elif step == "approval":
            models.approve(session, actor=actor, version=version, seen_warnings=form.has("read"), now=now)
        elif step == "refusal":
            models.refuse(
                session, actor=actor, version=version, reason=form.text("reason", limit=200), now=now
            )
        else:
            raise InvalidInput("Please open the page again.")
    except (InvalidInput, PolicyViolation) as refused:
        return _page(request, session, actor, county, now, form=form, refused=refused)
    return go("/models")
