"""安全面谈 as a guided page: one question after the other, or all on one page where no script runs.

The wording is not here (decision 7): the adult reads it from the printed sheet or the district's wording pack; the
page shows our own short labels as help, and is for the adult's eyes only.
"""

from __future__ import annotations

import secrets
from datetime import datetime
from uuid import UUID

from fastapi import Depends, Request, Response
from sqlalchemy.orm import Session

from api.deps import ClockDep, CrisisSessionDep, PageActorDep, SessionDep, get_page_actor, needs, page_router
from api.web.forms import NEEDED, Form, FormDep
from api.web.pages import go, page_locale, render
from api.web.presenters import case as of_case
from api.web.presenters import sheets, words
from instruments import catalogue
from referral import intake
from referral.intake.talks import ASQ, LAST, SafetyTalkIn, missing_items, of_grade
from referral.models.case import Case
from referral.queries.cases import get_case, get_safety_talk
from screening.access import May, check_may_about
from screening.core.clock import local_day
from screening.core.errors import DomainError, InvalidInput, PolicyViolation
from screening.queries.accounts import duty_phone, names_of
from screening.queries.children import organisation_of

router = page_router(
    prefix="/cases/{case_id}/safety-talk",
    dependencies=[Depends(get_page_actor), needs(May.ASSESS)],
)

LONGEST_REMARK = 400
VALUES = {"1": 1, "0": 0, "-1": -1}


@router.get("")
def show_talk(
    case_id: UUID, request: Request, session: SessionDep, actor: PageActorDep, clock: ClockDep
) -> Response:
    """The questions."""
    case = get_case(session, actor=actor, case_id=case_id, now=clock.now())
    return _page(request, session, case, clock.now(), Form())


def _page(
    request: Request,
    session: Session,
    case: Case,
    now: datetime,
    form: Form,
    refused: DomainError | None = None,
) -> Response:
    locale, instrument = page_locale(request), catalogue().get(ASQ)
    return render(
        request,
        "cases/safety_talk.html",
        session=session,
        status=409 if isinstance(refused, PolicyViolation) else 422 if form.errors or refused else 200,
        case=case,
        who=of_case.person(case, case.child, local_day(now), locale),
        items=sheets.items(instrument, locale),
        last=LAST,
        key=form.raw("key") or secrets.token_urlsafe(18),
        most=LONGEST_REMARK,
        duty=_duty(session, case, now),
        form=form,
        refused=refused,
    )


def _duty(session: Session, case: Case, now: datetime) -> str | None:
    return duty_phone(session, organisation=organisation_of(session, case.organisation_id), at=now)


@router.post("")
def hold_talk(
    case_id: UUID,
    form: FormDep,
    request: Request,
    session: CrisisSessionDep,
    actor: PageActorDep,
    clock: ClockDep,
) -> Response:
    """Record it with all that follows; the next page is what to do now."""
    now = clock.now()
    case = get_case(session, actor=actor, case_id=case_id, now=now)
    check_may_about(actor, May.ASSESS, case.organisation_id)
    talk = _read(form)
    if form.errors or form.by_enter():
        return _page(request, session, case, now, form, form.by_enter())
    try:
        with session.begin_nested():
            row = intake.hold_safety_talk(session, actor=actor, case=case, talk=talk, now=now)
    except (PolicyViolation, InvalidInput) as refused:
        case = get_case(session, actor=actor, case_id=case_id, now=now)
        return _page(request, session, case, now, form, refused)
    return go(f"/cases/{case.id}/safety-talk/{row.id}")


def _read(form: Form) -> SafetyTalkIn:
    key = form.raw("key")
    if not (16 <= len(key) <= 60 and key.isascii()):
        raise InvalidInput(
            "This form is out of date or was not sent from our page. Please open the page again."
        )
    answers = {}
    for item in catalogue().get(ASQ).items:
        value = form.raw(f"a_{item.key}")
        if value in VALUES:
            answers[item.key] = VALUES[value]
    for item_key in missing_items(answers):
        form.wrong(f"a_{item_key}", NEEDED)
    if not form.has("trained"):
        form.require("trained", None)
    if form.raw("alone") not in ("yes", "no"):
        form.require("alone", None)
    return SafetyTalkIn(answers, form.raw("alone") == "yes", form.text("remark", limit=LONGEST_REMARK), key)


@router.get("/{talk_id}")
def show_held(
    case_id: UUID,
    talk_id: UUID,
    request: Request,
    session: SessionDep,
    actor: PageActorDep,
    clock: ClockDep,
) -> Response:
    """What is to be done now because of a talk: the steps and the number to call."""
    now, locale = clock.now(), page_locale(request)
    case = get_case(session, actor=actor, case_id=case_id, now=now)
    talk, result = get_safety_talk(session, case=case, talk_id=talk_id)
    return render(
        request,
        "cases/safety_held.html",
        session=session,
        case=case,
        who=of_case.person(case, case.child, local_day(now), locale),
        result=of_grade(result.grade).value,
        alone=talk.alone,
        held_at=talk.recorded_at,
        held_by=names_of(session, [talk.recorded_by]).get(talk.recorded_by, ""),
        duty=_duty(session, case, now),
        tier=words.word(case.tier, locale),
    )
