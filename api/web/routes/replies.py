"""Answers without an account, at the school: verify by telephone, set aside, and type in what came on paper (代录)."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

from fastapi import Depends, Request, Response
from sqlalchemy.orm import Session

from api.deps import ClockDep, CrisisSessionDep, PageActorDep, SessionDep, get_page_actor, needs, page_router
from api.web.forms import Form, FormDep
from api.web.pages import go, page_locale, render
from api.web.presenters import dates, words
from api.web.presenters import replies as present
from api.web.return_note_form import read_note_form
from referral.actions import replies
from referral.actions.replies import Said
from referral.models.case import Case
from referral.models.referral import Referral
from referral.queries.cases import get_case
from referral.queries.replies import get_reply, registered_phone, sent_referral
from referral.terms import (
    Attendance,
    DeclineReason,
    Finding,
    NoShowReason,
    Outcome,
    ReplyKind,
    ReplySource,
    RiskNow,
)
from screening.access import May
from screening.core.clock import local_day
from screening.core.errors import DomainError, InvalidInput, PolicyViolation

router = page_router(
    prefix="/cases/{case_id}",
    dependencies=[Depends(get_page_actor), needs(May.SEND_REFERRAL)],
)
PLACE, WHOM = 120, 120
CHOICES = {
    "source": [ReplySource.PAPER, ReplySource.PHONE],
    "decline": list(DeclineReason),
    "no_show": list(NoShowReason),
    "outcome": list(Outcome),
    "finding": list(Finding),
    "risk": list(RiskNow),
    "attendance": list(Attendance),
}


# --- a reply by the note's code ----------------------------------------------------------------------------


@router.post("/replies/{reply_id}/confirm")
def confirm(
    case_id: UUID,
    reply_id: UUID,
    form: FormDep,
    session: CrisisSessionDep,
    actor: PageActorDep,
    clock: ClockDep,
) -> Response:
    """The registered number has been called, and it is theirs: now it is carried out."""
    now = clock.now()
    case = get_case(session, actor=actor, case_id=case_id, now=now)
    referral, reply = get_reply(session, case=case, reply_id=reply_id)
    with_whom = form.text("with_whom", limit=WHOM, needed=True)
    form.check()
    replies.confirm(
        session, actor=actor, case=case, referral=referral, reply=reply, with_whom=with_whom, now=now
    )
    return go(f"/cases/{case.id}#referral")


@router.post("/replies/{reply_id}/set-aside")
def set_aside(
    case_id: UUID, reply_id: UUID, form: FormDep, session: SessionDep, actor: PageActorDep, clock: ClockDep
) -> Response:
    """Not theirs, or out of date: it changes nothing."""
    now = clock.now()
    case = get_case(session, actor=actor, case_id=case_id, now=now)
    referral, reply = get_reply(session, case=case, reply_id=reply_id)
    reason = form.text("reason", limit=WHOM, needed=True)
    form.check()
    replies.set_aside(session, actor=actor, case=case, referral=referral, reply=reply, reason=reason, now=now)
    return go(f"/cases/{case.id}#referral")


# --- 代录 --------------------------------------------------------------------------------------------------


@router.get("/referrals/{referral_id}/typed")
def show_typed(
    case_id: UUID,
    referral_id: UUID,
    request: Request,
    session: SessionDep,
    actor: PageActorDep,
    clock: ClockDep,
) -> Response:
    """What can be typed in now, as the referral stands."""
    now = clock.now()
    case = get_case(session, actor=actor, case_id=case_id, now=now)
    found = sent_referral(session, case=case, referral_id=referral_id)
    return page(request, session, case, found, now)


def page(
    request: Request,
    session: Session,
    case: Case,
    found: Referral,
    now: datetime,
    *,
    form: Form | None = None,
    refused: DomainError | None = None,
) -> Response:
    """The page; after a refusal with everything typed."""
    locale = page_locale(request)
    return render(
        request,
        "replies/typed.html",
        session=session,
        status=422 if refused is not None or (form and form.errors) else 200,
        case=case,
        referral=found,
        facility=found.facility.name if found.facility else "",
        phone=registered_phone(session, referral=found),
        status_word=words.word(found.status, locale),
        kinds=present.typable(found.status),
        form=form or Form(),
        refused=refused,
        choices=CHOICES,
        today=local_day(now).isoformat(),
        now_input=dates.for_input(now),
    )


@router.post("/referrals/{referral_id}/typed")
def type_in(
    case_id: UUID,
    referral_id: UUID,
    request: Request,
    form: FormDep,
    session: CrisisSessionDep,
    actor: PageActorDep,
    clock: ClockDep,
) -> Response:
    """One answer from paper or the telephone, through the facility's own actions; marked as typed in."""
    now = clock.now()
    case = get_case(session, actor=actor, case_id=case_id, now=now)
    found = sent_referral(session, case=case, referral_id=referral_id)
    source = form.choice("source", ReplySource, needed=True)
    with_whom = form.text("with_whom", limit=WHOM, needed=True)
    said = read_said(form)
    if form.errors or said is None or source is None:
        return page(request, session, case, found, now, form=form)
    try:
        with session.begin_nested():
            replies.type_in(
                session,
                actor=actor,
                case=case,
                referral=found,
                said=said,
                source=source,
                with_whom=with_whom,
                now=now,
            )
    except (PolicyViolation, InvalidInput) as refused:
        session.expire_all()
        return page(request, session, case, found, now, form=form, refused=refused)
    return go(f"/cases/{case.id}#referral")


def read_said(form: Form) -> Said | None:
    """The answer of the chosen kind; what is missing stands in ``form``."""
    kind = form.choice("what", ReplyKind, needed=True)
    if kind is None:
        return None
    if kind is ReplyKind.RETURN_NOTE:
        note = read_note_form(form, whole=True)
        return Said(kind, note=note) if note else None
    reads = {
        ReplyKind.ACCEPTED: _accepted,
        ReplyKind.DECLINED: _declined,
        ReplyKind.APPOINTMENT: _appointment,
        ReplyKind.CAME: _visit,
        ReplyKind.DID_NOT_COME: _visit,
    }
    return reads[kind](form, kind) if kind in reads else Said(kind)


def _accepted(form: Form, kind: ReplyKind) -> Said:
    return Said(kind, contact=form.text("accept_contact", limit=PLACE))


def _declined(form: Form, kind: ReplyKind) -> Said:
    return Said(
        kind,
        decline_reason=form.choice("decline_reason", DeclineReason, needed=True),
        better_place=form.text("better_place", limit=PLACE, needed=True),
    )


def _appointment(form: Form, kind: ReplyKind) -> Said:
    return Said(kind, at=form.instant("at", needed=True), place=form.text("place", limit=PLACE, needed=True))


def _visit(form: Form, kind: ReplyKind) -> Said:
    return Said(
        kind,
        at=form.instant("visit_at"),
        no_show_reason=form.choice("no_show_reason", NoShowReason)
        if kind is ReplyKind.DID_NOT_COME
        else None,
    )
