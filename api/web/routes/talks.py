"""复评: the form that ends a second assessment with one press."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

from fastapi import Depends, Request, Response
from sqlalchemy.orm import Session

from api.deps import ClockDep, PageActorDep, SessionDep, get_page_actor, needs, page_router
from api.errors import VersionMismatch
from api.versions import SeenDep
from api.web.forms import Form, FormDep
from api.web.pages import go
from api.web.presenters import interview
from api.web.presenters.referral import BEFORE
from api.web.routes.cases import check_seen, page
from api.web.routes.plans import unticked
from referral.actions import assessments, checks, form_drafts, referrals
from referral.actions.assessments import AssessmentIn
from referral.disclosure import LIMITS, SafetySign, Severity, check_text
from referral.models.case import Case
from referral.queries.cases import get_case
from referral.terms import Area, FollowUpChannel, HarmAnswer, HelpWanted, SafetyFact, Sign, Tier
from screening.access import May
from screening.actions import consents
from screening.core.actor import Actor
from screening.core.clock import local_day
from screening.core.errors import InvalidInput, PolicyViolation
from screening.models.account import Account
from screening.models.child import Child
from screening.models.consent import ConsentStatus, Purpose

router = page_router(prefix="/cases", dependencies=[Depends(get_page_actor)])

# The version of the text, where a person has told the guardian and no printed form was used.
TOLD_BY_A_PERSON = "talk"
SCREENED_OUT = "screened_out"
NOTE_TEXTS = ("observed", "done_so_far", "known_medical", "question")


@router.post("/{case_id}/assessments", dependencies=[needs(May.ASSESS)])
def conclude(
    case_id: UUID,
    request: Request,
    form: FormDep,
    seen: SeenDep,
    session: SessionDep,
    actor: PageActorDep,
    clock: ClockDep,
) -> Response:
    """One press at the end of the second assessment: tier, plan, note, and, if ticked, the referral leaves."""
    now = clock.now()
    case = get_case(session, actor=actor, case_id=case_id, now=now)
    talk = read_talk(form, _own_name(session, actor), now)
    if _goes_on_a_note(session, case, talk):
        _require_note(form, talk)
    if form.errors or form.by_enter():
        return page(request, session, actor, case, now, form=form, refused=form.by_enter())
    try:
        check_seen(session, seen, case, now)
        with session.begin_nested():  # a refusal takes back the press, not what was typed
            if form.has("guardian_agreed"):
                record_agreement(session, actor, case.child, form, agreed=True, now=now)
            assessments.conclude(session, actor=actor, case=case, child=case.child, assessment=talk, now=now)
    except (PolicyViolation, InvalidInput, VersionMismatch) as refused:
        case = get_case(session, actor=actor, case_id=case_id, now=now)
        return page(request, session, actor, case, now, form=form, refused=refused)
    form_drafts.drop(session, actor=actor, case=case, form=form_drafts.TALK)
    return go(f"/cases/{case.id}")


@router.post("/{case_id}/concern", dependencies=[needs(May.ASSESS)])
def note_concern(
    case_id: UUID,
    form: FormDep,
    session: SessionDep,
    actor: PageActorDep,
    clock: ClockDep,
) -> Response:
    """A person's own impression, then the scores. Whoever looks first says so."""
    now = clock.now()
    case = get_case(session, actor=actor, case_id=case_id, now=now)
    value = None if form.has("look") else form.number("concern", 0, 3, needed=True)
    form.check()  # the first word stays: a slip must not be it
    checks.note_concern(session, actor=actor, case=case, value=value, now=now)
    return go(f"/cases/{case.id}")


def _own_name(session: Session, actor: Actor) -> str:
    return session.get_one(Account, actor.account_id).name if actor.account_id else ""


def read_talk(form: Form, asked_by: str, now: datetime) -> AssessmentIn:
    """The form F4. What is missing or wrong stands in ``form.errors``."""
    held_at = form.instant("held_at", needed=True) or now
    record, ticked = interview.read(form), form.choices("safety", SafetySign)
    # What the safety block says need not be ticked a second time.
    signs = tuple(dict.fromkeys([*ticked, *interview.signs_of(record)]))
    out = form.raw("tier") == SCREENED_OUT
    if SafetySign.NONE_FOUND in signs and len(signs) > 1:
        form.conflict("safety")
    return AssessmentIn(
        # The form's clock shows minutes: a talk that ended this very minute lies a moment ahead.
        held_at=now if 0 < (held_at - now).total_seconds() < 60 else held_at,
        channel=form.choice("channel", FollowUpChannel, needed=True) or FollowUpChannel.IN_PERSON,
        tier=None if out else form.choice("tier", Tier, needed=True),
        screened_out=out,
        reason=form.text("reason", limit=400, needed=True),
        concern=form.number("concern", 0, 3, needed=True),
        harm_answer=form.choice("harm_answer", HarmAnswer, needed=True),
        areas=tuple(dict.fromkeys([*form.choices("areas", Area), *interview.areas_of(record)])),
        signs=form.choices("signs", Sign),
        safety_facts=(*_facts_of(signs), *form.choices("safety_facts", SafetyFact)),
        record={**record, "found": [sign.value for sign in signs]},
        words=_note_words(form, signs, asked_by, held_at),
        send=form.has("send"),
        emergency=form.has("emergency"),
        escort=form.text("escort", limit=LIMITS["name"]) or None,
        dropped=unticked(form),
    )


_FACT_OF_SIGN = {
    SafetySign.ATTEMPT: SafetyFact.PRIOR_ATTEMPT,
    SafetySign.SELF_INJURY: SafetyFact.RECENT_SELF_INJURY,
    SafetySign.MEANS: SafetyFact.MEANS_AT_HAND,
}


def _facts_of(signs: tuple[SafetySign, ...]) -> tuple[SafetyFact, ...]:
    """What the safety questions found, as facts that the plan rules read."""
    return tuple(_FACT_OF_SIGN[sign] for sign in signs if sign in _FACT_OF_SIGN)


def _note_words(
    form: Form, signs: tuple[SafetySign, ...], asked_by: str, asked_at: datetime
) -> dict[str, object]:
    """What goes on part 2 of the note (F1). A blank stays a blank."""
    written: dict[str, object] = {
        name: text for name in NOTE_TEXTS if (text := form.text(name, limit=LIMITS[name]))
    }
    if wanted := form.choices("help_wanted", HelpWanted):
        written["help_wanted"] = [each.value for each in wanted]
    words = form.text("safety_words", limit=LIMITS["safety"])
    if signs and "safety" not in form.errors:
        written["safety"] = {
            "signs": [sign.value for sign in signs],
            "asked_at": asked_at.isoformat(),
            "asked_by": asked_by,
            "words": words,
        }
    return written


def _goes_on_a_note(session: Session, case: Case, talk: AssessmentIn) -> bool:
    """Whether these words are put on a note that has not left yet."""
    referral = referrals.find_open(session, case_id=case.id)
    waits = referral is not None and referral.status in BEFORE
    return waits and not talk.screened_out and (talk.send or bool(talk.words))


def _require_note(form: Form, talk: AssessmentIn) -> None:
    """Say beside each field what the note lacks, or must not hold, before the store is asked."""
    for name in NOTE_TEXTS:
        for problem in check_text(form.raw(name).strip(), name):
            if problem.severity is Severity.BLOCK:
                form.wrong(name, problem.message)
    if talk.emergency:
        form.require("escort", talk.escort)
        return
    for name in ("observed", "done_so_far", "help_wanted", "safety"):
        form.require(name, talk.words.get(name))


def record_agreement(
    session: Session, actor: Actor, child: Child, form: Form, *, agreed: bool, now: datetime
) -> None:
    """The guardian's own answer about giving data to a facility, with who said it and how."""
    channel = form.choice("agreed_by_channel", FollowUpChannel) or FollowUpChannel.PHONE
    consents.record(
        session,
        actor=actor,
        child=child,
        purpose=Purpose.SHARE_FACILITY,
        status=ConsentStatus.GIVEN if agreed else ConsentStatus.REFUSED,
        text_version=TOLD_BY_A_PERSON,
        channel=channel.value,
        given_on=local_day(now),
        given_by=form.text("agreed_by", limit=60) or None,
        relation=form.text("agreed_by_relation", limit=20) or None,
        now=now,
    )
    session.flush()
