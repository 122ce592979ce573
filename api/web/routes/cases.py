"""The case on one page: who, why it is here, the plan, the referral, what is waited for, which buttons there are."""

from __future__ import annotations

from datetime import datetime
from typing import Any
from uuid import UUID

from fastapi import Depends, Request, Response
from sqlalchemy.orm import Session

from api.deps import ClockDep, PageActorDep, SessionDep, get_page_actor, needs, page_router
from api.errors import VersionMismatch
from api.versions import Seen, SeenDep
from api.web.forms import Form, FormDep
from api.web.lookups import spreads_for
from api.web.pages import go, page_locale, render
from api.web.presenters import case as present
from api.web.presenters import contact as of_contact
from api.web.presenters import dates, interview, plan, referral, replies, results, scores, words
from api.web.presenters import worries as of_worries
from referral.actions import cases, checks, contacts, followups, form_drafts
from referral.actions.reroutes import REROUTABLE
from referral.disclosure import LIMITS, SafetySign
from referral.models.case import Case
from referral.models.referral import Referral
from referral.queries.cases import (
    CaseFile,
    case_file,
    case_in_sight,
    get_case,
    get_follow_up,
    list_cases,
    safety_talks_of,
    things_of,
    version_of,
)
from referral.queries.replies import registered_phone, waiting_replies
from referral.queries.worries import worries_of
from referral.terms import (
    Area,
    Custody,
    FollowUpChannel,
    HarmAnswer,
    HelpWanted,
    PlanStatus,
    ReferralStatus,
    RefusalReason,
    SafetyFact,
    Sign,
    StepResult,
    Tier,
    Urgency,
)
from screening.access import May, may_about, may_at
from screening.core.actor import Actor
from screening.core.clock import local_day
from screening.core.errors import DomainError, NotFound
from screening.models.consent import ConsentStatus, Purpose
from screening.queries.accounts import duty_phone, names_of
from screening.queries.campaigns import current_consent
from screening.queries.children import organisation_of
from screening.queries.results import list_results

router = page_router(prefix="/cases", dependencies=[Depends(get_page_actor)])

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
        me_id=actor.account_id,
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
    contact: Form | None = None,
    refused: DomainError | None = None,
) -> Response:
    """The page of a case; with ``form`` (the talk) or ``contact`` (a follow-up) again after a refusal, everything
    typed still there. What its author has typed earlier and not sent stands in the forms as well."""
    locale, child, file = page_locale(request), case.child, case_file(session, case=case)
    talk_form, talk_draft = _draft(session, actor, case, form_drafts.TALK, form)
    contact_form, contact_draft = _draft(session, actor, case, form_drafts.FOLLOW_UP, contact)
    if contact_form is None:
        contact_form = of_contact.defaults(file.follow_ups)
    talk_form = talk_form or Form()
    safety = safety_talks_of(session, case=case)
    names = names_of(session, present.people_in(file) | {talk.recorded_by for talk, _ in safety})
    reads_scores = may_about(actor, May.READ_SCORES, case.organisation_id)
    found = (
        list_results(session, actor=actor, child_id=child.id, now=now, protected=_is_protected(case))
        if reads_scores
        else []
    )
    reading = results.read(found, case.worst_level, locale)
    referral_view = _referral(file, actor, names, now, locale)
    consent = current_consent(session, child_id=child.id, purpose=Purpose.SHARE_FACILITY)
    impression = checks.concern_of(session, actor=actor, case=case)
    buttons = _buttons(file, actor)
    return render(
        request,
        "cases/case.html",
        session=session,
        status=_status(refused, form, contact),
        version=_versions(session, file),
        case=case,
        who=present.person(case, child, local_day(now), locale),
        names=names,
        level=words.level(case.worst_level, None, locale),
        worries=[of_worries.view(each, locale) for each in worries_of(session, case_id=case.id)],
        reading=reading,
        scales=scores.views(found, child, spreads_for(session, actor=actor, results=found), locale),
        compared=scores.compared(found, locale),
        reads_scores=reads_scores,
        seen=bool(file.assessments),
        talks=present.talks(
            file.assessments, names, locale, whole=may_about(actor, May.ASSESS, case.organisation_id)
        ),
        safety_talks=present.safety_talks(safety, names, locale),
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
        contact=contact_form,
        contact_sent=contact is not None or contact_draft is not None,
        contact_labels=of_contact.labels(locale),
        measures=of_contact.measures(file.plan, locale),
        rated=interview.rated(locale),
        rating_words=interview.rating_words(locale),
        f4=interview.labels(locale),
        f4_limits=interview.LIMITS,
        drafts={form_drafts.TALK: talk_draft, form_drafts.FOLLOW_UP: contact_draft},
        tasks=present.tasks(file, actor, names, now, locale),
        countdown=present.countdown(file.tasks, now, locale),
        buttons=buttons,
        impression=impression,
        asks_impression=reads_scores and _asks_impression(file, buttons, impression),
        form=talk_form,
        refused=refused,
        now_input=dates.for_input(now),
        today=local_day(now).isoformat(),
        steps=list(present.STEPS),
        step_results=list(StepResult),
        limits=LIMITS,
        choices=CHOICES,
        tier_waits=cases.waits_for_signature(case),
    )


def _draft(
    session: Session, actor: Actor, case: Case, name: str, sent: Form | None
) -> tuple[Form | None, datetime | None]:
    """The form as it came back, else as its author left it unsent, and since when."""
    if sent is not None:
        return sent, None
    draft = form_drafts.find(session, actor=actor, case=case, form=name)
    return (Form(form_drafts.fields_of(draft)), draft.saved_at) if draft is not None else (None, None)


def _is_protected(case: Case) -> bool:
    """The county's own: what was asked there is seen there."""
    return case.custody is Custody.PROTECTED


def _status(refused: DomainError | None, *forms: Form | None) -> int:
    """A wrong field is 422; words for a case that has changed meanwhile 412."""
    if isinstance(refused, VersionMismatch):
        return 412
    return 200 if refused is None and not any(form and form.errors for form in forms) else 422


# Where the hidden field ``version`` of this page's forms holds which version.
CASE, REFERRAL, CRISIS = 0, 1, 2


def _versions(session: Session, file: CaseFile) -> str:
    referral_version = file.referral.version if file.referral else 0
    steps = len(file.crisis.steps) if file.crisis else 0
    return f"{version_of(session, file.case)}.{referral_version}.{steps}"


def check_seen(session: Session, seen: Seen, case: Case, now: datetime) -> None:
    """Nobody decides on a case, or on its plan, that has changed since the page was opened (RL4)."""
    things = things_of(session, case)
    seen.check(session, version_of(session, case), things=things, now=now, place=CASE)


CHOICES: dict[str, list[Any]] = {
    "channel": list(FollowUpChannel),
    "harm": list(HarmAnswer),
    "safety": list(SafetySign),
    "facts": [SafetyFact.VIOLENCE_AT_HOME, SafetyFact.BULLIED_DAILY, SafetyFact.FRIEND_DIED],
    "areas": list(Area),
    "signs": list(Sign),
    "help": list(HelpWanted),
    "tier": list(Tier),
    "refusal": list(RefusalReason),
    "thoughts": list(interview.Thoughts),
    "agreement": list(interview.Agreement),
    "harm_place": list(interview.HarmPlace),
    "yes_no": list(interview.YesNo),
    "spoke_with": list(of_contact.SpokeWith),
    "answer": list(of_contact.Answer),
    "progress": list(of_contact.Progress),
    "medicine": list(of_contact.Medicine),
    "tier_suggest": list(of_contact.TierSuggestion),
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


def _asks_impression(file: CaseFile, buttons: present.Buttons, impression: object) -> bool:
    """A first impression is a person's own only while the scores have not been seen; in a crisis nothing is asked."""
    return buttons.assess and not file.assessments and impression is None and file.crisis is None


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
        send_any=can(May.SEND_REFERRAL),
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
        sign=may_at(actor, May.SIGN_TIER, case.organisation_id)
        and cases.waits_for_signature(case)
        and case.tiers[-1].changed_by != actor.account_id,
        follow_up=can(May.FOLLOW_UP, open_case),
        crisis=can(May.HANDLE_CRISIS),
        stand_down=may_at(actor, May.STAND_DOWN, case.organisation_id),
        answer_for=can(May.SEND_REFERRAL, bool(file.referral and file.referral.sent_at)),
    )


def _sending(found: Referral | None) -> present.Sending:
    if found is None or found.ended_at is not None:
        return present.Sending(None, waits=False, has_facility=False)
    return present.Sending(
        found.status, waits=found.status in referral.BEFORE, has_facility=found.facility_id is not None
    )


@router.post("/{case_id}/tier/sign", dependencies=[needs(May.SIGN_TIER)])
def sign_tier(
    case_id: UUID, seen: SeenDep, session: SessionDep, actor: PageActorDep, clock: ClockDep
) -> Response:
    """The lead signs the tier; nobody signs their own."""
    now = clock.now()
    case = get_case(session, actor=actor, case_id=case_id, now=now)
    check_seen(session, seen, case, now)
    cases.countersign(session, actor=actor, case=case, now=now)
    return go(f"/cases/{case.id}")


# --- follow-ups --------------------------------------------------------------------------------------------


@router.post("/{case_id}/follow-ups/{follow_up_id}", dependencies=[needs(May.FOLLOW_UP)])
def record_follow_up(
    case_id: UUID,
    follow_up_id: UUID,
    request: Request,
    form: FormDep,
    session: SessionDep,
    actor: PageActorDep,
    clock: ClockDep,
) -> Response:
    """The contact was made (F8), or could not be made and why. Thoughts of not living lead to the safety talk."""
    now = clock.now()
    case = get_case(session, actor=actor, case_id=case_id, now=now)
    row = get_follow_up(session, case=case, follow_up_id=follow_up_id)
    missed = form.raw("result") == "missed"
    text = form.text("record", limit=of_contact.LONGEST, needed=True)
    record = {} if missed else of_contact.read(form, case_file(session, case=case).plan)
    channel = None if missed else form.choice("channel", FollowUpChannel, needed=True)
    if form.errors or form.by_enter():
        return page(request, session, actor, case, now, contact=form, refused=form.by_enter())
    thoughts = record.get("answer") in (of_contact.Answer.THOUGHTS, of_contact.Answer.REFUSED)
    if channel is None:
        followups.miss(session, actor=actor, case=case, follow_up=row, reason=text, now=now)
    else:
        contacts.complete(
            session,
            actor=actor,
            case=case,
            follow_up=row,
            channel=channel,
            record=record,
            thoughts=thoughts,
            now=now,
        )
    form_drafts.drop(session, actor=actor, case=case, form=form_drafts.FOLLOW_UP)
    asks = thoughts and may_about(actor, May.ASSESS, case.organisation_id)
    return go(f"/cases/{case.id}/safety-talk" if asks else f"/cases/{case.id}#follow-ups")


# --- what is typed and not sent ----------------------------------------------------------------------------


@router.post("/{case_id}/drafts/{form_name}", dependencies=[needs(May.ASSESS, May.FOLLOW_UP)])
def keep_draft(
    case_id: UUID,
    form_name: str,
    request: Request,
    form: FormDep,
    session: SessionDep,
    actor: PageActorDep,
    clock: ClockDep,
) -> Response:
    """Keep what stands in a form now, or throw it away. A script asks every few seconds and is answered 204."""
    case = case_in_sight(session, actor=actor, case_id=case_id)
    if form_name not in form_drafts.FORMS:
        raise NotFound
    if form.raw("draft") == "drop":
        form_drafts.drop(session, actor=actor, case=case, form=form_name)
    else:
        form_drafts.save(session, actor=actor, case=case, form=form_name, fields=form.sent, now=clock.now())
    if request.headers.get("x-csrf-token") is not None:
        return Response(status_code=204)
    return go(f"/cases/{case.id}#{'talk' if form_name == form_drafts.TALK else 'follow-ups'}")
