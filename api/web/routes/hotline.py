"""12355 at work: begin a call with one press, write it down in one window, hang up, close.

One form holds the whole window, so that no button loses what was typed: each step stores the text first and then
does what it is for. A refusal shows the window again with the sentence and everything typed. These requests pass
before everybody else's (RL7). Steps beside the form stand in ``hotline_steps``, the receiver in ``handovers``.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Annotated
from uuid import UUID

from fastapi import Depends, Request, Response
from sqlalchemy.orm import Session
from starlette.responses import JSONResponse

from api.deps import ClockDep, CrisisSessionDep, PageActorDep, get_page_actor, needs, page_router
from api.web.forms import Form, FormDep
from api.web.pages import fragment, go, page_locale, render
from api.web.presenters import hotline as present
from api.web.presenters import hotline_words
from referral.actions import call_support, hotline
from referral.models.hotline import HotlineCall
from referral.queries import hotline as queries
from referral.queries import hotline_window as window
from referral.queries.hotline import PlaceLine
from referral.queries.today import get_task
from referral.states import CALL_DANGER, missing_for_closing
from referral.terms import (
    Area,
    CallChannel,
    CallerAgreement,
    CallerKind,
    CallLevel,
    CallLine,
    CallType,
    DisclosureBasis,
    HandoverResult,
    HandoverTo,
    HarmAnswer,
)
from screening.access import May, may, places
from screening.core.actor import Actor
from screening.core.errors import DomainError, InvalidInput, PolicyViolation
from screening.core.i18n import translate
from screening.models.child import Sex
from screening.queries.accounts import names_of

router = page_router(prefix="/hotline", dependencies=[Depends(get_page_actor)])

LOGS, READS = needs(May.LOG_CALL), needs(May.READ_CALLS)
CHOICES = {
    "line": list(CallLine),
    "channel": list(CallChannel),
    "caller": list(CallerKind),
    "type": list(CallType),
    "harm": list(HarmAnswer),
    "sex": list(Sex),
    "topics": list(Area),
    "to": list(HandoverTo),
    "agreed": list(CallerAgreement),
    "basis": list(DisclosureBasis),
    "result": list(HandoverResult),
    "levels": list(CallLevel),
}
_PLACE_FIELDS = ("child_school", "child_village", "child_county")
_PLACES_EACH = 3


# --- lists, and one press --------------------------------------------------------------------------------------


@router.get("", dependencies=[READS])
def show_calls(request: Request, session: CrisisSessionDep, actor: PageActorDep, clock: ClockDep) -> Response:
    """The button that begins a call; calls that are not closed; what came of one's own handovers."""
    now, locale = clock.now(), page_locale(request)
    calls = queries.list_calls(session, actor=actor, now=now, limit=200)
    mine = queries.own_handovers(session, actor=actor, now=now)
    people = {call.operator_id for call in calls} | {row.acknowledged_by for row in mine}
    names = names_of(session, people)
    return render(
        request,
        "hotline/list.html",
        session=session,
        lists=present.lists(
            calls,
            me=actor.account_id,
            names=names,
            supervises=may(actor, May.REVIEW_CALL),
            now=now,
            locale=locale,
        ),
        handed=present.handed(mine, names, locale),
        supervises=may(actor, May.REVIEW_CALL),
    )


@router.post("/calls", dependencies=[LOGS])
def start(form: FormDep, session: CrisisSessionDep, actor: PageActorDep, clock: ClockDep) -> Response:
    """The line is open: one press, and the window is there. Pressed twice it is the same call."""
    [hotline_id] = form.ids("hotline")[:1] or sorted(places(actor, May.LOG_CALL))[:1]
    call = call_support.answer(session, actor=actor, hotline_id=hotline_id, now=clock.now())
    return go(f"/hotline/calls/{call.id}")


@router.get("/tasks/{task_id}", dependencies=[READS])
def lead_to_call(task_id: UUID, session: CrisisSessionDep, actor: PageActorDep) -> Response:
    """From a line of one's list to the call it is about."""
    task = get_task(session, actor=actor, task_id=task_id)
    return go(f"/hotline/calls/{window.call_of_task(session, actor=actor, task=task)}")


# --- the window ------------------------------------------------------------------------------------------------


@router.get("/calls/{call_id}", dependencies=[READS])
def show_call(
    call_id: UUID,
    request: Request,
    session: CrisisSessionDep,
    actor: PageActorDep,
    clock: ClockDep,
    county: str = "",
) -> Response:
    """The window: timer, levels, free text at the left, what to ask and whom to ring at the right."""
    call = queries.get_call(session, actor=actor, call_id=call_id, now=clock.now())
    return page(Desk(request, Form(), session, actor, clock.now(), call), county=county)


@dataclass(slots=True)
class Desk:
    """One request about one call."""

    request: Request
    form: Form
    session: Session
    actor: Actor
    now: datetime
    call: HotlineCall


def get_desk(
    call_id: UUID,
    request: Request,
    form: FormDep,
    session: CrisisSessionDep,
    actor: PageActorDep,
    clock: ClockDep,
) -> Desk:
    """The call of a form, held until the answer: two windows of one call wait for each other."""
    call = window.call_to_save(session, actor=actor, call_id=call_id, now=clock.now())
    session.refresh(call, with_for_update=True)
    return Desk(request, form, session, actor, clock.now(), call)


DeskDep = Annotated[Desk, Depends(get_desk, scope="function")]


def page(
    desk: Desk, *, form: Form | None = None, refused: DomainError | None = None, county: str = ""
) -> Response:
    """The window with everything in it; with ``form`` as it was typed."""
    session, actor, call, now = desk.session, desk.actor, desk.call, desk.now
    locale = page_locale(desk.request)
    missing, others = present.guards(missing_for_closing(queries.call_facts(session, call=call)), locale)
    rows = [queries.handover_sheet(row) for row in queries.handovers_of(session, call=call)]
    support = window.support_of(session, call=call)
    told = [call.operator_id, *(row.acknowledged_by for row in rows), support.done_by if support else None]
    names = names_of(session, [*told, call.reviewed_by, *(each.changed_by for each in call.history)])
    view = present.shown(call, form)
    supervises = may(actor, May.REVIEW_CALL)
    known = _known(desk, county)
    return render(
        desk.request,
        "hotline/call.html",
        session=session,
        status=422 if refused is not None or view.errors else 200,
        call=call,
        closed=present.closed(call),
        own=call.operator_id == actor.account_id,
        operator=names.get(call.operator_id, ""),
        minutes=int(((call.ended_at or now) - call.started_at).total_seconds() // 60),
        sequence=max(call.saved.values(), default=0) + 1,
        form=view,
        refused=refused,
        choices=CHOICES,
        danger=call.level in CALL_DANGER,
        prompts=present.prompts(call, locale),
        numbers=_places(session, actor, view, now),
        counties=queries.counties_of(session, actor=actor),
        procedure=hotline_words.procedure(locale),
        breathing=hotline_words.breathing(locale),
        known=known,
        answer_words=present.answer_words(known[1].answer, locale) if known else "",
        level_names=present.level_names(locale),
        link=queries.live_link(session, call=call),
        was_linked=bool(queries.links_of(session, call=call)),
        handed=present.handed(rows, names, locale),
        contacts=present.contacts(queries.follow_ups_of(session, call=call), now, locale),
        missing=missing,
        others=others,
        support=support,
        support_by=names.get(support.done_by, "") if support and support.done_by else "",
        lines=window.lines_of_call(session, actor=actor, call=call),
        earlier=len(queries.earlier_calls(session, actor=actor, call=call)),
        history=[(each, names.get(each.changed_by, "") if each.changed_by else "") for each in call.history],
        reviewer=names.get(call.reviewed_by, "") if call.reviewed_by else "",
        supervises=supervises and call.operator_id != actor.account_id,
    )


def _places(session: Session, actor: Actor, view: Form, now: datetime) -> list[PlaceLine]:
    """Whom to ring there: the places that stand in the form, as far as they are known, nearest name first."""
    found: dict[UUID, PlaceLine] = {}
    for name in ("place_search", *_PLACE_FIELDS):
        for place in queries.find_places(
            session, actor=actor, text=view.raw(name), now=now, limit=_PLACES_EACH
        ):
            found.setdefault(place.id, place)
    return list(found.values())


def _known(desk: Desk, county: str) -> tuple[object, queries.Known] | None:
    """The last question of this call with its answer."""
    lookup = window.last_lookup(desk.session, call=desk.call)
    if lookup is None:
        return None
    known = queries.read_answer(
        desk.session,
        actor=desk.actor,
        call=desk.call,
        lookup=lookup,
        county_id=county_of(desk, county),
        now=desk.now,
    )
    return lookup, known


def county_of(desk: Desk, text: str) -> UUID | None:
    """A county of the hotline's area by the id that a form or address holds; another is none."""
    known = {str(each.id): each.id for each in queries.counties_of(desk.session, actor=desk.actor)}
    return known.get(text)


# --- each step stores the text first ---------------------------------------------------------------------------


def press(desk: Desk, act: Callable[[], str]) -> Response:
    """Store what was typed, do the step, open the window at ``act()``. A refused step leaves the text stored."""
    try:
        keep(desk)
        with desk.session.begin_nested():
            where = act()
    except (PolicyViolation, InvalidInput) as refused:
        return page(desk, form=desk.form, refused=refused)
    if desk.form.errors:
        return page(desk, form=desk.form)
    return go(f"/hotline/calls/{desk.call.id}{where}")


def keep(desk: Desk) -> None:
    """The fields of F9 that came with a form. What another window has stored since is not overwritten, but said."""
    if "sequence" not in desk.form.sent or desk.call.closed_at is not None:
        return
    newest = max(desk.call.saved.values(), default=0)
    raw = desk.form.raw("sequence")
    sequence = int(raw) if raw.isdecimal() and 0 < len(raw) < 10 else newest + 1
    values = present.typed(desk.form)
    for name, stored in present.conflicts(desk.call, values, sequence).items():
        desk.form.wrong(name, present.ELSEWHERE, stored=stored)
    saved = hotline.save(
        desk.session,
        actor=desk.actor,
        call=desk.call,
        fields=values,
        sequence=max(sequence, 1),
        now=desk.now,
    )
    for name, wrong in saved.refused.items():
        desk.form.wrong(name, wrong.message, **wrong.params)
    level = desk.form.choice("level", CallLevel)
    if level is not None:
        hotline.triage(desk.session, actor=desk.actor, call=desk.call, level=level, now=desk.now)


@router.post("/calls/{call_id}/save", dependencies=[LOGS])
def save(desk: DeskDep) -> Response:
    """Save, and the four buttons of the levels. A script asks for the state in return, a browser for the window."""
    if desk.request.headers.get("accept", "") == "application/json":
        return _autosave(desk)
    return press(desk, lambda: "#levels" if desk.form.raw("level") else "#summary")


def _autosave(desk: Desk) -> Response:
    """What the window needs to know: stored up to where, what was not understood, what to ask and whom to ring."""
    form, call, locale = desk.form, desk.call, page_locale(desk.request)
    raw = form.raw("sequence")
    sequence = int(raw) if raw.isdecimal() and len(raw) < 10 else 0
    newest = max(call.saved.values(), default=0)
    values = present.typed(form)
    behind = present.conflicts(call, values, sequence)
    saved = hotline.save(
        desk.session, actor=desk.actor, call=call, fields=values, sequence=sequence, now=desk.now
    )
    level = form.choice("level", CallLevel)
    if level is not None and sequence > newest:
        hotline.triage(desk.session, actor=desk.actor, call=call, level=level, now=desk.now)
    refused = {
        name: translate(locale, wrong.message, **wrong.params) for name, wrong in saved.refused.items()
    }
    refused |= {name: translate(locale, error.message, **error.params) for name, error in form.errors.items()}
    answer: dict[str, object] = {
        "sequence": max(saved.sequence, newest),
        "level": call.level.value if call.level else "",
        "refused": refused,
        # Another window has stored these later and otherwise: this one may send them again, with a newer number.
        "behind": list(behind),
        "prompts": fragment(desk.request, "hotline/prompts.html", prompts=present.prompts(call, locale)),
    }
    if any(name in form.sent for name in _PLACE_FIELDS):
        found = _places(desk.session, desk.actor, present.stored(call), desk.now)
        view = present.stored(call)
        for part in ("numbers", "places"):
            answer[part] = fragment(desk.request, f"hotline/{part}.html", numbers=found, form=view)
    return JSONResponse(answer)


@router.post("/calls/{call_id}/places", dependencies=[LOGS])
def find_place(desk: DeskDep) -> Response:
    """Look for a place by name; nothing is changed by it, so the window itself is the answer."""
    try:
        keep(desk)
    except (PolicyViolation, InvalidInput) as refused:
        return page(desk, form=desk.form, refused=refused)
    return page(desk, form=desk.form)


@router.post("/calls/{call_id}/hang-up", dependencies=[LOGS])
def hang_up(desk: DeskDep) -> Response:
    """The line is closed; the page lists what is still missing."""

    def act() -> str:
        hotline.hang_up(desk.session, actor=desk.actor, call=desk.call, now=desk.now)
        return "#afterwards"

    return press(desk, act)


@router.post("/calls/{call_id}/close", dependencies=[LOGS])
def close(desk: DeskDep) -> Response:
    """The call is done with; what is missing is listed instead."""
    response = press(desk, lambda: _close(desk))
    return go("/hotline") if response.status_code == 303 and desk.call.closed_at is not None else response


def _close(desk: Desk) -> str:
    missing = missing_for_closing(queries.call_facts(desk.session, call=desk.call))
    if missing:
        locale = page_locale(desk.request)
        mine, others = present.guards(missing, locale)
        named = translate(locale, ", ").join(guard.text for guard in (*mine, *others))
        raise PolicyViolation("The call cannot be closed yet: {missing}.", missing=named)
    hotline.close(desk.session, actor=desk.actor, call=desk.call, now=desk.now)
    return ""
