"""A referral for the facility: read, accept, decline, give a time, attended, return note; and the PDF for both sides."""

from __future__ import annotations

from datetime import datetime, timedelta
from uuid import UUID

from fastapi import APIRouter, Depends, Request, Response
from sqlalchemy.orm import Session

from api.deps import ClockDep, CrisisSessionDep, PageActorDep, SessionDep, get_page_actor, needs
from api.web.forms import Form, FormDep
from api.web.pages import go, page_locale, render
from api.web.presenters import dates
from api.web.presenters import referral as present
from api.web.return_note_form import read_note_form
from referral.actions import answers, return_notes
from referral.models.referral import Referral
from referral.queries.referrals import case_of, get_referral, read_note
from referral.terms import Attendance, DeclineReason, Finding, HelpWanted, NoShowReason, Outcome, RiskNow
from screening.access import May, may, places
from screening.core.actor import Actor
from screening.core.clock import local_day
from screening.core.errors import DomainError, InvalidInput, PolicyViolation
from screening.queries.accounts import names_of

router = APIRouter(prefix="/referrals", include_in_schema=False, dependencies=[Depends(get_page_actor)])

READS, ANSWERS = needs(May.READ_REFERRALS), needs(May.ANSWER_REFERRAL)
PDF = "application/pdf"
CHOICES = {
    "decline": list(DeclineReason),
    "no_show": list(NoShowReason),
    "outcome": list(Outcome),
    "finding": list(Finding),
    "risk": list(RiskNow),
    "attendance": list(Attendance),
}


@router.get("/{referral_id}", dependencies=[READS])
def show_referral(
    referral_id: UUID, request: Request, session: SessionDep, actor: PageActorDep, clock: ClockDep
) -> Response:
    """The note as it was sent, and what the facility can answer. The school reads it on its case."""
    now = clock.now()
    found = get_referral(session, actor=actor, referral_id=referral_id, now=now)
    if not _is_theirs(actor, found):
        return go(f"/cases/{found.case_id}#referral")
    return page(request, session, actor, found, now)


def _is_theirs(actor: Actor, found: Referral) -> bool:
    return found.facility_id in places(actor, May.ANSWER_REFERRAL)


def page(
    request: Request,
    session: Session,
    actor: Actor,
    found: Referral,
    now: datetime,
    *,
    form: Form | None = None,
    refused: DomainError | None = None,
) -> Response:
    locale = page_locale(request)
    names = names_of(session, {change.changed_by for change in found.history})
    note = present.out_note(found)
    tomorrow = local_day(now) + timedelta(days=1)
    return render(
        request,
        "referrals/referral.html",
        session=session,
        status=200 if refused is None and not (form and form.errors) else 422,
        referral=present.view(
            found, names=names, tasks=(), clinical=True, since_sent=True, now=now, locale=locale
        ),
        out=note.out if note else None,
        help_wanted=[HelpWanted(code) for code in note.out.help_wanted] if note else [],
        kind=found.kind,
        writes=may(actor, May.WRITE_RETURN_NOTE),
        form=form or Form(),
        refused=refused,
        choices=CHOICES,
        today=local_day(now).isoformat(),
        tomorrow=f"{tomorrow.isoformat()}T09:00",
        sent=dates.moment(found.sent_at, locale) if found.sent_at else "",
    )


@router.get("/{referral_id}/note.pdf", dependencies=[READS])
def show_note(
    referral_id: UUID,
    session: SessionDep,
    actor: PageActorDep,
    clock: ClockDep,
    download: str = "",
) -> Response:
    """The current PDF under its form number, opened in the browser or saved."""
    now = clock.now()
    found = get_referral(session, actor=actor, referral_id=referral_id, now=now)
    _, data = read_note(session, actor=actor, referral=found, now=now)
    how = "attachment" if download else "inline"
    return Response(
        data, media_type=PDF, headers={"Content-Disposition": f'{how}; filename="{found.form_no}.pdf"'}
    )


@router.post("/{referral_id}/receive", dependencies=[ANSWERS])
def receive(referral_id: UUID, session: CrisisSessionDep, actor: PageActorDep, clock: ClockDep) -> Response:
    """Somebody at the facility has it before their eyes."""
    now = clock.now()
    found = get_referral(session, actor=actor, referral_id=referral_id, now=now)
    answers.receive(session, actor=actor, referral=found, now=now)
    return go(f"/referrals/{found.id}")


@router.post("/{referral_id}/accept", dependencies=[ANSWERS])
def accept(
    referral_id: UUID, form: FormDep, session: CrisisSessionDep, actor: PageActorDep, clock: ClockDep
) -> Response:
    """接诊; with a time in the same press where there is one."""
    now = clock.now()
    found = get_referral(session, actor=actor, referral_id=referral_id, now=now)
    contact = form.text("contact", limit=120)
    at = form.instant("at")
    place = form.text("place", limit=120, needed=at is not None)
    form.check()
    case = case_of(session, referral=found)
    answers.accept(session, actor=actor, case=case, referral=found, contact=contact or None, now=now)
    if at is not None:
        answers.schedule(session, actor=actor, case=case, referral=found, at=at, place=place, now=now)
    return go(f"/referrals/{found.id}")


@router.post("/{referral_id}/decline", dependencies=[ANSWERS])
def decline(
    referral_id: UUID, form: FormDep, session: SessionDep, actor: PageActorDep, clock: ClockDep
) -> Response:
    """拒接 with a reason and a better place. The facility's view ends with it, so the next page is the list."""
    now = clock.now()
    found = get_referral(session, actor=actor, referral_id=referral_id, now=now)
    reason = form.choice("reason", DeclineReason, needed=True)
    better = form.text("better_place", limit=120)
    form.check()
    answers.decline(
        session,
        actor=actor,
        case=case_of(session, referral=found),
        referral=found,
        reason=reason or DeclineReason.FULL,
        better_place=better,
        now=now,
    )
    return go("/today")


@router.post("/{referral_id}/schedule", dependencies=[ANSWERS])
def schedule(
    referral_id: UUID, form: FormDep, session: SessionDep, actor: PageActorDep, clock: ClockDep
) -> Response:
    """A time and a place, or a new one."""
    now = clock.now()
    found = get_referral(session, actor=actor, referral_id=referral_id, now=now)
    at = form.instant("at", needed=True)
    place = form.text("place", limit=120, needed=True)
    form.check()
    answers.schedule(
        session,
        actor=actor,
        case=case_of(session, referral=found),
        referral=found,
        at=at or now,
        place=place,
        now=now,
    )
    return go(f"/referrals/{found.id}")


@router.post("/{referral_id}/attended", dependencies=[ANSWERS])
def attended(referral_id: UUID, session: SessionDep, actor: PageActorDep, clock: ClockDep) -> Response:
    """The child came."""
    now = clock.now()
    found = get_referral(session, actor=actor, referral_id=referral_id, now=now)
    answers.attended(session, actor=actor, case=case_of(session, referral=found), referral=found, now=now)
    return go(f"/referrals/{found.id}")


@router.post("/{referral_id}/in-care", dependencies=[ANSWERS])
def take_into_care(referral_id: UUID, session: SessionDep, actor: PageActorDep, clock: ClockDep) -> Response:
    """诊疗中: care has begun, the return note is still to come."""
    now = clock.now()
    found = get_referral(session, actor=actor, referral_id=referral_id, now=now)
    answers.take_into_care(session, actor=actor, referral=found, now=now)
    return go(f"/referrals/{found.id}")


@router.post("/{referral_id}/no-show", dependencies=[ANSWERS])
def no_show(
    referral_id: UUID, form: FormDep, session: SessionDep, actor: PageActorDep, clock: ClockDep
) -> Response:
    """The child did not come: the school contacts the family."""
    now = clock.now()
    found = get_referral(session, actor=actor, referral_id=referral_id, now=now)
    reason = form.choice("reason", NoShowReason) or NoShowReason.UNKNOWN
    form.check()
    case = case_of(session, referral=found)
    answers.no_show(session, actor=actor, case=case, referral=found, reason=reason, now=now)
    return go(f"/referrals/{found.id}")


@router.post("/{referral_id}/ask", dependencies=[ANSWERS])
def ask(
    referral_id: UUID, form: FormDep, session: SessionDep, actor: PageActorDep, clock: ClockDep
) -> Response:
    """The facility needs to know more; its clock stands still for a while."""
    now = clock.now()
    found = get_referral(session, actor=actor, referral_id=referral_id, now=now)
    question = form.text("question", limit=400, needed=True)
    form.check()
    case = case_of(session, referral=found)
    answers.ask_more(session, actor=actor, case=case, referral=found, question=question, now=now)
    return go(f"/referrals/{found.id}")


@router.post("/{referral_id}/return-notes", dependencies=[needs(May.WRITE_RETURN_NOTE)])
def write_return_note(
    referral_id: UUID,
    request: Request,
    form: FormDep,
    session: SessionDep,
    actor: PageActorDep,
    clock: ClockDep,
) -> Response:
    """回转单 (F1 part 3): ticks, one line of advice, and the clinical part where the guardian agreed."""
    now = clock.now()
    found = get_referral(session, actor=actor, referral_id=referral_id, now=now)
    note = read_note_form(form)
    if note is None:
        return page(request, session, actor, found, now, form=form)
    try:
        with session.begin_nested():
            case = case_of(session, referral=found)
            return_notes.write(session, actor=actor, case=case, referral=found, note=note, now=now)
    except (PolicyViolation, InvalidInput) as refused:
        return page(request, session, actor, found, now, form=form, refused=refused)
    return go(f"/referrals/{found.id}")
