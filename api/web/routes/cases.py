"""The case on one page: who, why it is here, the plan, the referral, what is waited for, which buttons there are."""

from __future__ import annotations

import json
from datetime import datetime
from typing import Any
from uuid import UUID

from fastapi import APIRouter, Depends, Request, Response
from sqlalchemy.orm import Session

from api.deps import ClockDep, PageActorDep, SessionDep, get_page_actor, needs
from api.web.forms import Form, FormDep
from api.web.pages import go, page_locale, render
from api.web.presenters import case as present
from api.web.presenters import dates, plan, referral, replies, results, words
from referral.actions import cases, followups
from referral.actions.reroutes import REROUTABLE
from referral.disclosure import LIMITS, SafetySign
from referral.models.case import Case
from referral.models.referral import Referral
from referral.queries.cases import CaseFile, case_file, get_case, get_follow_up, list_cases
from referral.queries.replies import registered_phone, waiting_replies
from referral.terms import (
    Area,
    FollowUpChannel,
    HarmAnswer,
    HelpWanted,
    PlanStatus,
    ReferralStatus,
    SafetyFact,
    Sign,
    StepResult,
    Tier,
    Urgency,
)
from screening.access import May, may_about
from screening.core.actor import Actor
from screening.core.clock import local_day
from screening.core.errors import DomainError
from screening.models.consent import ConsentStatus, Purpose
from screening.queries.accounts import duty_phone, names_of
from screening.queries.campaigns import current_consent
from screening.queries.children import organisation_of
from screening.queries.results import list_results

router = APIRouter(prefix="/cases", include_in_schema=False, dependencies=[Depends(get_page_actor)])

PAGE_SIZE = 200


@router.get("", dependencies=[needs(May.READ_CASES)])
def show_cases(request: Request, session: SessionDep, actor: PageActorDep, clock: ClockDep) -> Response:
    """All open cases in scope, the oldest first: to find one that asks for nothing today."""
    today, locale = local_day(clock.now()), page_locale(request)
    found = list_cases(session, actor=actor, now=clock.now(), limit=PAGE_SIZE)
    open_ones = sorted((c for c in found if c.closed_at is None), key=lambda c: c.opened_at)
    return render(
        request,
        "cases/list.html",
        session=session,
        cases=open_ones,
        classes={c.id: words.class_of(c.child.enrolment, today, locale) for c in open_ones},
        names=names_of(session, {c.owner_id for c in open_ones}),
        most=len(found) >= PAGE_SIZE,
    )


@router.get("/{case_id}", dependencies=[needs(May.READ_CASES)])
def show_case(
    case_id: UUID, request: Request, session: SessionDep, actor: PageActorDep, clock: ClockDep
) -> Response:
    """Who, why it is here, the plan, the referral, what is waited for."""
    now = clock.now()
    case = get_case(session, actor=actor, case_id=case_id, now=now)
    return page(request, session, actor, case, now)


def page(
    request: Request,
    session: Session,
    actor: Actor,
    case: Case,
    now: datetime,
    *,
    form: Form | None = None,
    refused: DomainError | None = None,
) -> Response:
    """The page of a case; with ``form`` again after a refusal, everything typed still there."""
    locale, child, file = page_locale(request), case.child, case_file(session, case=case)
    names = names_of(session, present.people_in(file))
    reads_scores = may_about(actor, May.READ_SCORES, case.organisation_id)
    found = list_results(session, actor=actor, child_id=child.id, now=now) if reads_scores else []
    reading = results.read(found, case.worst_level, locale)
    referral_view = _referral(file, actor, names, now, locale)
    consent = current_consent(session, child_id=child.id, purpose=Purpose.SHARE_FACILITY)
    return render(
        request,
        "cases/case.html",
        session=session,
        status=200 if refused is None and not (form and form.errors) else 422,
        case=case,
        who=present.person(case, child, local_day(now), locale),
        names=names,
        level=words.level(case.worst_level, None, locale),
        reading=reading,
        reads_scores=reads_scores,
        seen=bool(file.assessments),
        talks=present.talks(file.assessments, names, locale),
        plan=plan.view(file.plan, locale),
        plans=len(file.plans),
        referral=referral_view,
        former=[
            referral.view(r, names=names, tasks=(), clinical=False, now=now, locale=locale)
            for r in file.referrals
            if file.referral is not None and r.id != file.referral.id
        ],
        waiting=_waiting(session, case, actor, locale),
        consent_given=consent is not None and consent.status is ConsentStatus.GIVEN,
        consent_day=consent.given_on if consent else None,
        crisis=present.crisis(file.crisis, names, locale),
        duty=duty_phone(session, organisation=organisation_of(session, case.organisation_id), at=now),
        follow_ups=present.follow_ups(file.follow_ups, locale),
        tasks=present.tasks(file, actor, names, now, locale),
        countdown=present.countdown(file.tasks, now, locale),
        buttons=_buttons(file, actor),
        form=form or Form(),
        refused=refused,
        now_input=dates.for_input(now),
        today=local_day(now).isoformat(),
        steps=list(present.STEPS),
        step_results=list(StepResult),
        limits=LIMITS,
        choices=CHOICES,
        tier_waits=_tier_waits(case),
    )


CHOICES: dict[str, list[Any]] = {
    "channel": list(FollowUpChannel),
    "harm": list(HarmAnswer),
    "safety": list(SafetySign),
    "facts": [SafetyFact.VIOLENCE_AT_HOME, SafetyFact.BULLIED_DAILY, SafetyFact.FRIEND_DIED],
    "areas": list(Area),
    "signs": list(Sign),
    "help": list(HelpWanted),
    "tier": list(Tier),
    "urgency": [Urgency.ROUTINE, Urgency.URGENT, Urgency.EMERGENCY],
}


def _referral(
    file: CaseFile, actor: Actor, names: dict[UUID, str], now: datetime, locale: str
) -> referral.ReferralView | None:
    if file.referral is None:
        return None
    clinical = bool(actor.roles & present.READS_CLINICAL)
    return referral.view(
        file.referral, names=names, tasks=file.tasks, clinical=clinical, now=now, locale=locale
    )


def _waiting(session: Session, case: Case, actor: Actor, locale: str) -> list[replies.Waiting]:
    """Replies without an account that wait for the school's call, each with the number to call."""
    rows = waiting_replies(session, case=case)
    phones = {found.id: registered_phone(session, referral=found) for found, _ in rows}
    clinical = bool(actor.roles & present.READS_CLINICAL)
    return replies.waiting(rows, phones, clinical=clinical, locale=locale)


def _tier_waits(case: Case) -> bool:
    last = case.tiers[-1] if case.tiers else None
    return last is not None and last.tier in (Tier.FOCUS, Tier.CRISIS) and last.countersigned_by is None


def _buttons(file: CaseFile, actor: Actor) -> present.Buttons:
    """What this person may do here now. The actions ask the same again: a button is a courtesy."""
    case = file.case

    def can(what: May, *conditions: bool) -> bool:
        return all(conditions) and may_about(actor, what, case.organisation_id)

    open_case = case.closed_at is None
    sending = _sending(file.referral)
    planned = file.plan.status if file.plan else None
    return present.Buttons(
        assess=can(May.ASSESS, case.status in present.OPEN_TO_TALK),
        confirm=can(May.CONFIRM_PLAN, planned is PlanStatus.DRAFTED, case.tier is not None),
        review=can(May.CONFIRM_PLAN, planned is PlanStatus.REVIEW_DUE, case.tier is not None),
        answer_guardian=can(May.SEND_REFERRAL, sending.waits) and can(May.RECORD_CONSENT),
        send=can(May.SEND_REFERRAL, sending.waits, sending.has_facility),
        draft=can(May.SEND_REFERRAL, open_case, sending.status is None),
        withdraw=can(May.SEND_REFERRAL, sending.status in referral.CAN_BE_WITHDRAWN),
        reroute=can(May.SEND_REFERRAL, sending.status in REROUTABLE),
        tell=can(May.SEND_REFERRAL, sending.status is ReferralStatus.INFO_REQUESTED),
        acknowledge=can(May.READ_RETURN_NOTE, sending.status is ReferralStatus.RETURNED),
        complete=can(
            May.SEND_REFERRAL,
            sending.status is ReferralStatus.ACKNOWLEDGED,
            planned is not PlanStatus.REVIEW_DUE,
        ),
        sign=can(May.SIGN_TIER, _tier_waits(case)) and case.tiers[-1].changed_by != actor.account_id,
        follow_up=can(May.FOLLOW_UP, open_case),
        crisis=can(May.HANDLE_CRISIS),
        stand_down=can(May.STAND_DOWN),
        answer_for=can(May.SEND_REFERRAL, bool(file.referral and file.referral.sent_at)),
    )


def _sending(found: Referral | None) -> present.Sending:
    if found is None or found.ended_at is not None:
        return present.Sending(None, waits=False, has_facility=False)
    return present.Sending(
        found.status, waits=found.status in referral.BEFORE, has_facility=found.facility_id is not None
    )


@router.post("/{case_id}/tier/sign", dependencies=[needs(May.SIGN_TIER)])
def sign_tier(case_id: UUID, session: SessionDep, actor: PageActorDep, clock: ClockDep) -> Response:
    """The lead signs the tier; nobody signs their own."""
    now = clock.now()
    case = get_case(session, actor=actor, case_id=case_id, now=now)
    cases.countersign(session, actor=actor, case=case, now=now)
    return go(f"/cases/{case.id}")


# --- follow-ups --------------------------------------------------------------------------------------------


@router.post("/{case_id}/follow-ups/{follow_up_id}", dependencies=[needs(May.FOLLOW_UP)])
def record_follow_up(
    case_id: UUID,
    follow_up_id: UUID,
    form: FormDep,
    session: SessionDep,
    actor: PageActorDep,
    clock: ClockDep,
) -> Response:
    """The contact was made, or could not be made and why."""
    now = clock.now()
    case = get_case(session, actor=actor, case_id=case_id, now=now)
    row = get_follow_up(session, case=case, follow_up_id=follow_up_id)
    text = form.text("record", limit=1000, needed=True)
    if form.raw("result") == "missed":
        form.check()
        followups.miss(session, actor=actor, case=case, follow_up=row, reason=text, now=now)
        return go(f"/cases/{case.id}#follow-ups")
    channel = form.choice("channel", FollowUpChannel, needed=True)
    form.check()
    if channel is not None:
        record = json.dumps({"summary": text}, ensure_ascii=False)
        followups.complete(
            session, actor=actor, case=case, follow_up=row, channel=channel, record=record, now=now
        )
    return go(f"/cases/{case.id}#follow-ups")
