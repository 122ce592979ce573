"""随机核查: children drawn by lot for the county to talk with. The page shows no score and no level."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

from fastapi import Depends, Request, Response
from sqlalchemy.orm import Session

from api.deps import ClockDep, PageActorDep, SessionDep, get_page_actor, needs, page_router
from api.web.forms import Form, FormDep
from api.web.lookups import organisation_names
from api.web.pages import go, page_locale, render
from api.web.presenters import words
from referral.actions import checks
from referral.queries.labels import get_check, list_checks
from referral.terms import Finding
from screening.access import May
from screening.core.actor import Actor
from screening.core.clock import local_day
from screening.core.errors import DomainError, InvalidInput, PolicyViolation

router = page_router(prefix="/checks", dependencies=[Depends(get_page_actor), needs(May.HOLD_CHECK)])


@router.get("")
def show_checks(request: Request, session: SessionDep, actor: PageActorDep, clock: ClockDep) -> Response:
    """Who was drawn and not yet seen."""
    return _page(request, session, actor, clock.now())


def _page(
    request: Request,
    session: Session,
    actor: Actor,
    now: datetime,
    *,
    form: Form | None = None,
    at: UUID | None = None,
    refused: DomainError | None = None,
) -> Response:
    locale, today = page_locale(request), local_day(now)
    rows = list_checks(session, actor=actor, now=now)
    names = organisation_names(session, [check.school_id for check, _ in rows])
    return render(
        request,
        "models/checks.html",
        session=session,
        status=200 if refused is None and not (form and form.errors) else 422,
        rows=[
            (check, child, names.get(check.school_id, ""), words.class_of(child.enrolment, today, locale))
            for check, child in rows
        ],
        findings=checks.POSSIBLE,
        today=today.isoformat(),
        form=form or Form(),
        at=at,
        refused=refused,
    )


@router.post("/{check_id}")
def record(
    check_id: UUID,
    request: Request,
    form: FormDep,
    session: SessionDep,
    actor: PageActorDep,
    clock: ClockDep,
) -> Response:
    """What came of the talk, or that the child declined."""
    now = clock.now()
    check, child = get_check(session, actor=actor, check_id=check_id, now=now)
    finding = form.choice("finding", Finding, needed=True)
    held_on = form.day("held_on", needed=True)
    if finding is None or held_on is None:
        return _page(request, session, actor, now, form=form, at=check_id)
    found = checks.CheckIn(finding, held_on, form.text("method", limit=80), form.has("blinded"))
    try:
        checks.record(session, actor=actor, check=check, child=child, found=found, now=now)
    except (InvalidInput, PolicyViolation) as refused:
        return _page(request, session, actor, now, form=form, at=check_id, refused=refused)
    return go("/checks")
