"""A referral for the facility: read, accept, decline, give a time, attended, return note; and the PDF for both sides."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Annotated
from uuid import UUID

from fastapi import Depends, Request, Response
from sqlalchemy.orm import Session

from api.deps import ClockDep, CrisisSessionDep, PageActorDep, SessionDep, get_page_actor, needs, page_router
from api.errors import VersionMismatch
from api.versions import Seen, SeenDep
from api.web.forms import Form, FormDep
from api.web.pages import go, page_locale, render
from api.web.presenters import dates
from api.web.presenters import referral as present
from api.web.presenters.case import READS_CLINICAL
from api.web.return_note_form import read_note_form
from referral.actions import answers, return_notes
from referral.models.case import Case
from referral.models.referral import Referral
from referral.queries.referrals import case_of, get_referral, read_note
from referral.terms import Attendance, DeclineReason, Finding, HelpWanted, NoShowReason, Outcome, RiskNow
from screening.access import May, may, places
from screening.core.actor import Actor
from screening.core.clock import local_day
from screening.core.errors import DomainError, InvalidInput, PolicyViolation
from screening.queries.accounts import names_of

router = page_router(prefix="/referrals", dependencies=[Depends(get_page_actor)])

READS = needs(May.READ_REFERRALS)
ANSWERS = needs(May.ANSWER_REFERRAL)
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


def check_seen(session: Session, seen: Seen, found: Referral, now: datetime) -> None:
    """Nobody answers a referral that has changed since the page was opened (RL4)."""
    seen.check(session, found.version, things=[found.id], now=now)


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
        version=str(found.version),
        status=_status(form, refused),
        referral=present.view(
            found,
            names=names,
            tasks=(),
            clinical=may(actor, May.ANSWER_REFERRAL) or bool(actor.roles & READS_CLINICAL),
            since_sent=True,
            now=now,
            locale=locale,
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


@dataclass(frozen=True, slots=True)
class Press:
    """What a press at the facility's desk comes with, and how it is carried out."""

    request: Request
    session: Session
    actor: Actor
    found: Referral
    form: Form
    seen: Seen
    now: datetime

    @property
    def case(self) -> Case:
        return case_of(self.session, referral=self.found)

    def check_seen(self) -> None:
        check_seen(self.session, self.seen, self.found, self.now)

    def show(self, refused: DomainError | None = None) -> Response:
        """The page again, with what was typed and what is wrong."""
        return page(
            self.request, self.session, self.actor, self.found, self.now, form=self.form, refused=refused
        )

    def carry_out(self, do: Callable[[], None], *, then: str | None = None) -> Response:
        """Done, and the next page; or this page again, and nothing is done."""
        if self.form.errors:
            return self.show()
        try:
            with self.session.begin_nested():
                do()
        except (PolicyViolation, InvalidInput, VersionMismatch) as refused:
            return self.show(refused)
        return go(then or f"/referrals/{self.found.id}")


def get_press(
    referral_id: UUID,
    request: Request,
    form: FormDep,
    seen: SeenDep,
    session: SessionDep,
    actor: PageActorDep,
    clock: ClockDep,
) -> Press:
    """The referral in the actor's scope, or 404."""
    now = clock.now()
    found = get_referral(session, actor=actor, referral_id=referral_id, now=now)
    return Press(request, session, actor, found, form, seen, now)


def get_crisis_press(
    referral_id: UUID,
    request: Request,
    form: FormDep,
    seen: SeenDep,
    session: CrisisSessionDep,
    actor: PageActorDep,
    clock: ClockDep,
) -> Press:
    """The same, before everybody else (RL7)."""
    return get_press(referral_id, request, form, seen, session, actor, clock)


PressDep = Annotated[Press, Depends(get_press)]
CrisisPressDep = Annotated[Press, Depends(get_crisis_press)]


def _status(form: Form | None, refused: DomainError | None) -> int:
    """A wrong field is 422, what a rule forbids 409, words for a referral that has changed meanwhile 412."""
    if isinstance(refused, VersionMismatch):
        return 412
    if isinstance(refused, PolicyViolation):
        return 409
    return 200 if refused is None and not (form and form.errors) else 422


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
def receive(
    referral_id: UUID, seen: SeenDep, session: CrisisSessionDep, actor: PageActorDep, clock: ClockDep
) -> Response:
    """Somebody at the facility has it before their eyes."""
    now = clock.now()
    found = get_referral(session, actor=actor, referral_id=referral_id, now=now)
    check_seen(session, seen, found, now)
    answers.receive(session, actor=actor, referral=found, now=now)
    return go(f"/referrals/{found.id}")


@router.post("/{referral_id}/accept", dependencies=[ANSWERS])
def accept(press: CrisisPressDep) -> Response:
    """接诊; with a time in the same press where there is one."""
    form = press.form
    contact = form.text("contact", limit=120)
    at = form.instant("at")
    place = form.text("place", limit=120, needed=at is not None)

    def do() -> None:
        press.check_seen()
        answers.accept(
            press.session,
            actor=press.actor,
            case=press.case,
            referral=press.found,
            contact=contact or None,
            now=press.now,
        )
        if at is not None:
            answers.schedule(
                press.session,
                actor=press.actor,
                case=press.case,
                referral=press.found,
                at=at,
                place=place,
                now=press.now,
            )

    return press.carry_out(do)


@router.post("/{referral_id}/pass-on", dependencies=[ANSWERS])
def pass_on(press: CrisisPressDep) -> Response:
    """Accepted and passed on: an emergency is not declined, it is taken to a better place."""
    form = press.form
    to_place = form.text("to_place", limit=120, needed=True)
    escort = form.text("escort", limit=60, needed=True)

    def do() -> None:
        answers.pass_on(
            press.session,
            actor=press.actor,
            case=press.case,
            referral=press.found,
            to_place=to_place,
            escort=escort,
            now=press.now,
        )

    return press.carry_out(do)


@router.post("/{referral_id}/care", dependencies=[ANSWERS])
def take_into_care(referral_id: UUID, session: SessionDep, actor: PageActorDep, clock: ClockDep) -> Response:
    """诊疗中: care has begun, the return note is still to come."""
    now = clock.now()
    found = get_referral(session, actor=actor, referral_id=referral_id, now=now)
    answers.take_into_care(session, actor=actor, referral=found, now=now)
    return go(f"/referrals/{found.id}")


@router.post("/{referral_id}/decline", dependencies=[ANSWERS])
def decline(press: PressDep) -> Response:
    """拒接 with a reason and a better place. The facility's view ends with it, so the next page is the list."""
    form = press.form
    reason = form.choice("reason", DeclineReason, needed=True) or DeclineReason.FULL
    better = form.text("better_place", limit=120)

    def do() -> None:
        press.check_seen()
        answers.decline(
            press.session,
            actor=press.actor,
            case=press.case,
            referral=press.found,
            reason=reason,
            better_place=better,
            now=press.now,
        )

    return press.carry_out(do, then="/today")


@router.post("/{referral_id}/schedule", dependencies=[ANSWERS])
def schedule(press: PressDep) -> Response:
    """A time and a place, or a new one."""
    form = press.form
    at = form.instant("at", needed=True) or press.now
    place = form.text("place", limit=120, needed=True)

    def do() -> None:
        press.check_seen()
        answers.schedule(
            press.session,
            actor=press.actor,
            case=press.case,
            referral=press.found,
            at=at,
            place=place,
            now=press.now,
        )

    return press.carry_out(do)


@router.post("/{referral_id}/attended", dependencies=[ANSWERS])
def attended(
    referral_id: UUID, seen: SeenDep, session: SessionDep, actor: PageActorDep, clock: ClockDep
) -> Response:
    """The child came."""
    now = clock.now()
    found = get_referral(session, actor=actor, referral_id=referral_id, now=now)
    check_seen(session, seen, found, now)
    answers.attended(session, actor=actor, case=case_of(session, referral=found), referral=found, now=now)
    return go(f"/referrals/{found.id}")


@router.post("/{referral_id}/no-show", dependencies=[ANSWERS])
def no_show(press: PressDep) -> Response:
    """The child did not come: the school contacts the family."""
    form = press.form
    reason = form.choice("reason", NoShowReason) or NoShowReason.UNKNOWN

    def do() -> None:
        press.check_seen()
        answers.no_show(
            press.session,
            actor=press.actor,
            case=press.case,
            referral=press.found,
            reason=reason,
            now=press.now,
        )

    return press.carry_out(do)


@router.post("/{referral_id}/ask", dependencies=[ANSWERS])
def ask(press: PressDep) -> Response:
    """The facility needs to know more; its clock stands still for a while."""
    form = press.form
    question = form.text("question", limit=400, needed=True)

    def do() -> None:
        press.check_seen()
        answers.ask_more(
            press.session,
            actor=press.actor,
            case=press.case,
            referral=press.found,
            question=question,
            now=press.now,
        )

    return press.carry_out(do)


@router.post("/{referral_id}/return-notes", dependencies=[needs(May.WRITE_RETURN_NOTE, May.SEND_REFERRAL)])
def write_return_note(press: PressDep) -> Response:
    """回转单 (F1 part 3): ticks, one line of advice, and the clinical part where the guardian agreed."""
    note = read_note_form(press.form)
    if note is None:
        return press.show()

    def do() -> None:
        press.check_seen()
        return_notes.write(
            press.session, actor=press.actor, case=press.case, referral=press.found, note=note, now=press.now
        )

    return press.carry_out(do)
