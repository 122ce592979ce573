"""What an operator does about a call beside writing it down, and what a supervisor decides. Same window, same form."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

from fastapi import Depends, Request, Response
from starlette.responses import JSONResponse

from api.deps import ClockDep, CrisisSessionDep, PageActorDep, get_page_actor, needs, page_router
from api.web.forms import Form
from api.web.pages import page_locale, render
from api.web.routes.hotline import LOGS, READS, Desk, DeskDep, county_of, keep, press
from referral.actions import call_support, handovers, hotline, lookups, tasks
from referral.actions.handovers import HandoverIn
from referral.queries import hotline as queries
from referral.queries.hotline import Asked
from referral.queries.today import get_task
from referral.states import HANDOVER_OUTSIDE
from referral.terms import CallerAgreement, CallLevel, DisclosureBasis, HandoverResult, HandoverTo
from screening.access import May
from screening.core.errors import InvalidInput
from screening.core.i18n import translate

router = page_router(prefix="/hotline/calls/{call_id}", dependencies=[Depends(get_page_actor)])

REVIEWS, APPROVES = needs(May.REVIEW_CALL), needs(May.APPROVE_DISCLOSURE)
LINE, WORDS = 120, 2_000


# --- is this child known? ----------------------------------------------------------------------------------


@router.post("/look-up", dependencies=[LOGS])
def look_up(desk: DeskDep) -> Response:
    """One question, one of three answers (AZ8)."""

    def act() -> str:
        form = desk.form
        asked = Asked(
            name=form.text("known_name", limit=60),
            school=form.text("known_school", limit=LINE),
            county_id=county_of(desk, form.raw("known_county")),
            birth_date=form.day("known_birth"),
            guardian_phone=form.text("known_phone", limit=40),
        )
        form.check()
        lookups.known_child(desk.session, actor=desk.actor, call=desk.call, asked=asked, now=desk.now)
        return f"?county={asked.county_id}#known" if asked.county_id else "#known"

    return press(desk, act)


@router.post("/link", dependencies=[LOGS])
def link(desk: DeskDep) -> Response:
    """This call is about the child of the last match: an event on the file, and nothing else changes there."""

    def act() -> str:
        form = desk.form
        [lookup_id] = form.ids("lookup")[:1] or [desk.call.id]
        lookups.link(desk.session, actor=desk.actor, call=desk.call, lookup_id=lookup_id, now=desk.now)
        return "#known"

    return press(desk, act)


@router.post("/unlink", dependencies=[LOGS])
def unlink(desk: DeskDep) -> Response:
    """It was not this child."""

    def act() -> str:
        form = desk.form
        reason = form.text("unlink_reason", limit=400)
        form.check()
        lookups.unlink(desk.session, actor=desk.actor, call=desk.call, reason=reason, now=desk.now)
        return "#known"

    return press(desk, act)


# --- handing over ------------------------------------------------------------------------------------------


@router.post("/handovers", dependencies=[LOGS])
def hand_over(desk: DeskDep) -> Response:
    """Form F10 in one press. The telephone talk, where it has been held, is written down with it."""

    def act() -> str:
        handover = _handover(desk)
        handovers.hand_over(desk.session, actor=desk.actor, call=desk.call, handover=handover, now=desk.now)
        return "#handed"

    return press(desk, act)


def _handover(desk: Desk) -> HandoverIn:
    """The form; nothing but the receiver is asked for where life is in danger now."""
    form, call, now = desk.form, desk.call, desk.now
    rung = form.choice("rung", HandoverTo)  # the buttons beside 120 and 110: rung just now
    to = rung or form.choice("to", HandoverTo, needed=True) or HandoverTo.COUNTY_CENTRE
    agreed, basis = form.choice("agreed", CallerAgreement), form.choice("basis", DisclosureBasis)
    received_by = form.text("received_by", limit=LINE)
    phoned_at = _past(form, "phoned_at", now)
    if phoned_at is None and (to in HANDOVER_OUTSIDE or received_by):
        phoned_at = now  # pressed when it has just been done
    what_said, where_now = form.text("what_said", limit=WORDS), form.text("where_now", limit=WORDS)
    asked, safe_way = form.text("asked", limit=WORDS), form.text("safe_way", limit=WORDS)
    place = next(iter(form.ids("place")), None) if form.raw("place") else None
    if call.level is CallLevel.A and agreed is not CallerAgreement.YES:
        agreed, basis = agreed or CallerAgreement.NOT_ASKED, basis or DisclosureBasis.DANGER_TO_LIFE
    if call.level is not None and agreed is None:
        raise InvalidInput("Say whether the caller agrees to the handover.")
    form.check()
    return HandoverIn(
        to=to,
        agreed=agreed or CallerAgreement.NOT_ASKED,
        what_said=what_said,
        where_now=where_now or str(queries.record_of(call).get("place_now", ""))[:WORDS],
        asked=asked,
        safe_way=safe_way,
        place=queries.get_place(desk.session, actor=desk.actor, place_id=place) if place else None,
        basis=None if agreed is CallerAgreement.YES else basis,
        phoned_at=phoned_at,
        received_by=received_by,
        acknowledged_at=(phoned_at or now) if received_by else None,
    )


def _past(form: Form, name: str, now: datetime) -> datetime | None:
    """A time that was typed to the minute may lie some seconds ahead of the clock."""
    at = form.instant(name)
    return min(at, now) if at is not None and (at - now).total_seconds() < 60 else at


@router.post("/handovers/{handover_id}/acknowledged", dependencies=[LOGS])
def acknowledged(handover_id: UUID, desk: DeskDep) -> Response:
    """Somebody said on the telephone that they have it: who, and when."""

    def act() -> str:
        form = desk.form
        row = queries.get_own_handover(desk.session, call=desk.call, handover_id=handover_id)
        taken_by = form.text(f"taken_by_{row.id}", limit=LINE)
        at = _past(desk.form, f"taken_at_{row.id}", desk.now) or desk.now
        form.check()
        handovers.acknowledged_by_phone(
            desk.session,
            actor=desk.actor,
            call=desk.call,
            handover=row,
            received_by=taken_by,
            at=at,
            now=desk.now,
        )
        return "#handed"

    return press(desk, act)


@router.post("/handovers/{handover_id}/result", dependencies=[LOGS])
def result_by_phone(handover_id: UUID, desk: DeskDep) -> Response:
    """The hotline was told on the telephone what became of it."""

    def act() -> str:
        form = desk.form
        row = queries.get_own_handover(desk.session, call=desk.call, handover_id=handover_id)
        came = form.choice(f"result_{row.id}", HandoverResult, needed=True)
        said = form.text(f"result_words_{row.id}", limit=WORDS)
        form.check()
        handovers.record_result(
            desk.session,
            actor=desk.actor,
            handover=row,
            result=came or HandoverResult.OTHER,
            words=said,
            now=desk.now,
        )
        return "#handed"

    return press(desk, act)


# --- afterwards --------------------------------------------------------------------------------------------


@router.post("/follow-ups/{follow_up_id}", dependencies=[LOGS])
def follow_up(follow_up_id: UUID, desk: DeskDep) -> Response:
    """The hotline rang back, or could not."""

    def act() -> str:
        form = desk.form
        row = queries.get_call_follow_up(desk.session, call=desk.call, follow_up_id=follow_up_id)
        said = form.text(f"contact_words_{row.id}", limit=WORDS)
        form.check()
        hotline.follow_up(
            desk.session,
            actor=desk.actor,
            call=desk.call,
            contact=row,
            made=form.has("made"),
            words=said,
            now=desk.now,
        )
        return "#follow-ups"

    return press(desk, act)


@router.post("/follow-ups", dependencies=[LOGS])
def cancel_follow_ups(desk: DeskDep) -> Response:
    """Nobody rings back any more, and why."""

    def act() -> str:
        form = desk.form
        reason = form.text("cancel_reason", limit=400)
        form.check()
        hotline.cancel_follow_ups(desk.session, actor=desk.actor, call=desk.call, reason=reason, now=desk.now)
        return "#follow-ups"

    return press(desk, act)


# --- the supervisor ----------------------------------------------------------------------------------------


@router.post("/support", dependencies=[LOGS])
def call_supervisor(desk: DeskDep) -> Response:
    """A supervisor is rung to the open line. A script stays where it is and is told in one sentence."""

    def act() -> str:
        call_support.call_supervisor(desk.session, actor=desk.actor, call=desk.call, now=desk.now)
        return "#supervisor"

    if desk.request.headers.get("accept", "") != "application/json":
        return press(desk, act)
    keep(desk)
    act()
    said = translate(page_locale(desk.request), "The supervisor has been rung. Go on speaking.")
    return JSONResponse({"said": said})


@router.post("/join", dependencies=[REVIEWS])
def join(desk: DeskDep) -> Response:
    """A supervisor has come to the line."""

    def act() -> str:
        call_support.join(desk.session, actor=desk.actor, call=desk.call, now=desk.now)
        return "#supervisor"

    return press(desk, act)


@router.post("/disclosure", dependencies=[LOGS])
def ask_disclosure(desk: DeskDep) -> Response:
    """Ask for confidentiality to be broken."""

    def act() -> str:
        form = desk.form
        basis = form.choice("broken_basis", DisclosureBasis, needed=True)
        reason = form.text("broken_reason", limit=400, needed=True)
        form.check()
        hotline.ask_disclosure(
            desk.session,
            actor=desk.actor,
            call=desk.call,
            basis=basis or DisclosureBasis.LAW,
            reason=reason,
            now=desk.now,
        )
        return "#supervisor"

    return press(desk, act)


@router.post("/disclosure/decision", dependencies=[APPROVES])
def decide_disclosure(desk: DeskDep) -> Response:
    """A supervisor's yes or no, with words."""

    def act() -> str:
        form = desk.form
        reason = form.text("decision_reason", limit=400)
        form.check()
        hotline.decide_disclosure(
            desk.session,
            actor=desk.actor,
            call=desk.call,
            approved=form.has("approved"),
            reason=reason,
            now=desk.now,
        )
        return "#supervisor"

    return press(desk, act)


@router.post("/phone", dependencies=[LOGS])
def ask_phone(desk: DeskDep) -> Response:
    """Ask for the caller's number, to ring back."""

    def act() -> str:
        hotline.ask_phone(desk.session, actor=desk.actor, call=desk.call, now=desk.now)
        return "#supervisor"

    return press(desk, act)


@router.post("/phone/approval", dependencies=[APPROVES])
def approve_phone(desk: DeskDep) -> Response:
    """A supervisor lets the number be shown (decision 49)."""

    def act() -> str:
        hotline.approve_phone(desk.session, actor=desk.actor, call=desk.call, now=desk.now)
        return "#supervisor"

    return press(desk, act)


@router.get("/phone", dependencies=[READS])
def show_phone(
    call_id: UUID, request: Request, session: CrisisSessionDep, actor: PageActorDep, clock: ClockDep
) -> Response:
    """The number, after a supervisor's yes. Each look is in the trail."""
    now = clock.now()
    call = queries.get_call(session, actor=actor, call_id=call_id, now=now)
    phone = queries.phone_of(session, actor=actor, call=call, now=now)
    return render(request, "hotline/phone.html", session=session, call=call, phone=phone or "")


@router.post("/review", dependencies=[REVIEWS])
def review(desk: DeskDep) -> Response:
    """督导复核, never of one's own call."""

    def act() -> str:
        form = desk.form
        said = form.text("review_words", limit=WORDS)
        form.check()
        hotline.review(desk.session, actor=desk.actor, call=desk.call, words=said, now=desk.now)
        return "#supervisor"

    return press(desk, act)


@router.post("/lines/{task_id}", dependencies=[LOGS])
def end_line(task_id: UUID, desk: DeskDep) -> Response:
    """A line about this call that ends with a few words: the talk with the operator, the mandatory report."""

    def act() -> str:
        form = desk.form
        task = get_task(desk.session, actor=desk.actor, task_id=task_id)
        said = form.text(f"line_words_{task.id}", limit=200)
        form.check()
        tasks.finish(desk.session, actor=desk.actor, task=task, decision="done", reason=said, now=desk.now)
        return "#lines"

    return press(desk, act)
