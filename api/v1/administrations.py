"""Keying a sheet in. The clerk is told what to do, never what the sheet says (A03)."""

from __future__ import annotations

from dataclasses import replace
from typing import Annotated
from uuid import UUID

from fastapi import Header, Request, Response
from sqlalchemy.orm import Session

from api.deps import ActorDep, ClockDep, LocaleDep, SessionDep, json_router, needs
from api.errors import FieldError, answer, plain, problem_of
from api.v1.schemas.administrations import AdministrationIn, RecordedOut, ScoredOut, instruction_for
from instruments import Grade, UnknownInstrument, catalogue
from referral import intake
from referral.intake import UNREADABLE, Submitted
from screening.access import May, may_about
from screening.core.actor import Actor
from screening.core.errors import InvalidInput
from screening.models.campaign import RosterEntry
from screening.models.organisation import Organisation
from screening.models.result import ScreenResult
from screening.queries.accounts import duty_phone
from screening.queries.campaigns import get_roster_entry
from screening.queries.children import organisation_of

router = json_router(tags=["administrations"])

TALKS = frozenset({Grade.A, Grade.B, Grade.C})

IdempotencyKey = Annotated[str, Header(alias="Idempotency-Key", min_length=8, max_length=80)]


@router.post(
    "/campaigns/{campaign_id}/roster/{entry_id}/administrations",
    status_code=201,
    dependencies=[needs(May.RECORD_SHEET)],
    response_model=ScoredOut | RecordedOut,
)
def submit(
    campaign_id: UUID,
    entry_id: UUID,
    body: AdministrationIn,
    key: IdempotencyKey,
    request: Request,
    session: SessionDep,
    actor: ActorDep,
    clock: ClockDep,
    locale: LocaleDep,
) -> ScoredOut | RecordedOut | Response:
    """Record one sheet, with all that follows from it. The same key and sheet again is the same answer.

    A sheet that is refused is answered 422 or 409; what it says about danger has rung all the same, so the answer
    is a return and not an exception: its transaction commits (decision 18).
    """
    entry = get_roster_entry(session, actor=actor, campaign_id=campaign_id, entry_id=entry_id)
    phone = duty_phone(session, organisation=_school(session, entry), at=clock.now())
    try:
        instrument = catalogue().get(body.instrument)
    except UnknownInstrument as unknown:
        raise InvalidInput(
            "The questionnaire {code} is not in the library.", code=body.instrument
        ) from unknown
    submitted = intake.submit(
        session,
        actor=actor,
        occasion=entry,
        instrument=instrument,
        answers=body.sheet(),
        administered_on=body.administered_on,
        mode=body.mode,
        now=clock.now(),
        idempotency_key=key,
        informant=body.informant,
        conditions=body.circumstances(),
        layout=body.layout,
        exact=True,
    )
    if submitted.result is None:
        return _refused(request, submitted, phone, locale)
    return _recorded(actor, entry, submitted.result, phone, locale)


def _school(session: Session, entry: RosterEntry) -> Organisation:
    return organisation_of(session, entry.child.organisation_id)


def _recorded(
    actor: Actor, entry: RosterEntry, result: ScreenResult, phone: str | None, locale: str
) -> ScoredOut | RecordedOut:
    if may_about(actor, May.READ_SCORES, entry.child.organisation_id):
        return ScoredOut.of_result(result, phone, locale)
    return RecordedOut.of(result.administration, result.grade, phone, locale)


def _refused(request: Request, submitted: Submitted, phone: str | None, locale: str) -> Response:
    """Why it was not stored, each answer by item; and, when it rang, what to do now."""
    problem = problem_of(submitted.refused or InvalidInput(UNREADABLE))
    rang = submitted.grade in TALKS
    instruction = (
        {"instruction": instruction_for(submitted.grade, locale), "duty_phone": phone} if rang else {}
    )
    return answer(
        request,
        replace(
            problem,
            errors=tuple(
                FieldError(("body", "answers", plain(error.item)), error.reason) for error in submitted.errors
            ),
            also=instruction,
        ),
    )
