"""Raise a worry with an account; find out whom one is about; the school's public link and its poster."""

from __future__ import annotations

import secrets
from datetime import datetime
from uuid import UUID

from fastapi import Depends, Request, Response
from sqlalchemy.orm import Session

from api.deps import (
    ClockDep,
    CrisisSessionDep,
    PageActorDep,
    SessionDep,
    SettingsDep,
    get_page_actor,
    needs,
    page_router,
)
from api.web.forms import Form, FormDep
from api.web.lookups import organisation_names
from api.web.pages import go, page_locale, render
from api.web.presenters import worries as present
from referral.actions import worries, worry_links
from referral.actions.worries import WorryIn
from referral.models.worry import Worry
from referral.queries.worries import (
    WorryWords,
    get_worry,
    live_link,
    school_to_name,
    schools_to_name,
)
from referral.terms import Custody, HarmAnswer, Origin, WorryEnd, WorrySeen, WorryUrgency
from screening.access import May, Part, may, may_about, places
from screening.core import audit
from screening.core.actor import Actor, Role
from screening.core.audit import AuditEvent
from screening.core.clock import local_day
from screening.core.errors import DomainError, InvalidInput, NotFound, PolicyViolation
from screening.queries.accounts import duty_phone
from screening.queries.campaigns import district_of
from screening.queries.children import get_child, list_children
from screening.queries.districts import get_organisation

router = page_router(prefix="/worries", dependencies=[Depends(get_page_actor)])

LIMITS = {"name": 40, "class_name": 20, "line": 200, "reason": 200}
SHORTEST_KEY, LONGEST_KEY = 16, 60
# Whose worry it is, by the role that sends it.
ORIGINS = {
    Role.CHILD_DIRECTOR: Origin.VISIT,
    Role.HOTLINE_OPERATOR: Origin.HOTLINE,
    Role.HOTLINE_SUPERVISOR: Origin.HOTLINE,
}
NOT_FOUND = "Nobody of this name and class was found on the roll of that school."


# --- raise -------------------------------------------------------------------------------------------------


@router.get("/new", dependencies=[needs(May.RAISE_WORRY)])
def show_new(request: Request, session: SessionDep, actor: PageActorDep) -> Response:
    """Whom, what was seen, how urgent."""
    return _new(request, session, actor, Form())


def _new(
    request: Request, session: Session, actor: Actor, form: Form, refused: DomainError | None = None
) -> Response:
    locale = page_locale(request)
    return render(
        request,
        "worries/new.html",
        session=session,
        status=422 if form.errors or isinstance(refused, InvalidInput) else 409 if refused else 200,
        schools=schools_to_name(session, actor=actor),
        seen=present.seen(locale),
        harm=present.harm(locale),
        urgencies=present.urgencies(locale),
        limits=LIMITS,
        key=form.raw("key") or secrets.token_urlsafe(18),
        keeps_link=may(actor, May.KEEP_WORRY_LINK),
        form=form,
        refused=refused,
    )


@router.post("/new", dependencies=[needs(May.RAISE_WORRY)])
def raise_worry(
    form: FormDep, request: Request, session: CrisisSessionDep, actor: PageActorDep, clock: ClockDep
) -> Response:
    """Take it. The answer is the same whether or not the child is known."""
    now = clock.now()
    said, urgency, harm_by = read_worry(form)
    school_id = next(iter(form.ids("school")), None) if form.raw("school") else None
    schools = schools_to_name(session, actor=actor)
    if school_id is None and len(schools) != 1:
        form.require("school", None)
    if form.errors or urgency is None:
        return _new(request, session, actor, form)
    school = school_to_name(session, actor=actor, school_id=school_id)
    origin = next((ORIGINS[role] for role in sorted(actor.roles) if role in ORIGINS), Origin.TEACHER)
    try:
        with session.begin_nested():
            worries.hear(
                session,
                actor=actor,
                worry=WorryIn(school, said, urgency, origin, form.raw("key"), harm_by),
                now=now,
            )
    except (PolicyViolation, InvalidInput) as refused:
        return _new(request, session, actor, form, refused)
    county = "&to=county" if harm_by is HarmAnswer.SCHOOL else ""
    return go(f"/worries/taken?at={school.id}&u={urgency.value}{county}")


def read_worry(form: Form) -> tuple[WorryWords, WorryUrgency | None, HarmAnswer | None]:
    """The part of the form that everybody fills in. What is missing stands in ``form.errors``."""
    key = form.raw("key")
    if not (SHORTEST_KEY <= len(key) <= LONGEST_KEY and key.isascii()):
        raise InvalidInput(
            "This form is out of date or was not sent from our page. Please open the page again."
        )
    said = WorryWords(
        name=form.text("name", limit=LIMITS["name"], needed=True),
        class_name=form.text("class_name", limit=LIMITS["class_name"], needed=True),
        seen=form.choices("seen", WorrySeen),
        line=form.text("line", limit=LIMITS["line"]),
    )
    form.require("seen", said.seen)
    return said, form.choice("urgency", WorryUrgency, needed=True), form.choice("harm_by", HarmAnswer)


@router.get("/taken", dependencies=[needs(May.RAISE_WORRY)])
def show_taken(
    request: Request,
    session: SessionDep,
    actor: PageActorDep,
    clock: ClockDep,
    at: UUID,
    u: WorryUrgency,
    to: str = "",
) -> Response:
    """What happens now and whom to phone. Nothing about the child."""
    school = school_to_name(session, actor=actor, school_id=at)
    place = district_of(session, school) if to == "county" else school
    return render(
        request,
        "worries/taken.html",
        session=session,
        now=u is WorryUrgency.NOW,
        comes=present.what_comes(u, page_locale(request)),
        duty=duty_phone(session, organisation=place, at=clock.now()),
    )


# --- the public link ---------------------------------------------------------------------------------------


@router.get("/link", dependencies=[needs(May.KEEP_WORRY_LINK)])
def show_link(
    request: Request, session: SessionDep, actor: PageActorDep, clock: ClockDep, settings: SettingsDep
) -> Response:
    """The poster of each own school, ready to print."""
    posters = []
    for school_id in sorted(places(actor, May.KEEP_WORRY_LINK), key=str):
        school = get_organisation(session, actor=actor, organisation_id=school_id)
        link = live_link(session, organisation=school)
        if link is not None:
            audit.record(
                session, actor=actor, event=AuditEvent.WORRY_LINK_READ, at=clock.now(), subject_id=link.id
            )
        posters.append(
            present.poster(
                school.id,
                school.name,
                link.secret if link else None,
                link.made_at if link else None,
                settings.base_url,
            )
        )
    return render(request, "worries/link.html", session=session, posters=posters)


@router.post("/link", dependencies=[needs(May.KEEP_WORRY_LINK)])
def change_link(form: FormDep, session: SessionDep, actor: PageActorDep, clock: ClockDep) -> Response:
    """A new link (the old one ends), or no link at all."""
    for school_id in form.ids("school"):
        school = get_organisation(session, actor=actor, organisation_id=school_id)
        change = worry_links.end if form.raw("act") == "end" else worry_links.make
        change(session, actor=actor, school=school, now=clock.now())
    return go("/worries/link")


# --- whom is it about --------------------------------------------------------------------------------------


@router.get("/{worry_id}", dependencies=[needs(May.MATCH_WORRY)])
def show_worry(
    worry_id: UUID, request: Request, session: SessionDep, actor: PageActorDep, clock: ClockDep
) -> Response:
    """What was said, and which children may be meant."""
    now = clock.now()
    worry = get_worry(session, actor=actor, worry_id=worry_id, now=now)
    return _worry(request, session, actor, worry, Form(), now)


def _worry(
    request: Request,
    session: Session,
    actor: Actor,
    worry: Worry,
    form: Form,
    now: datetime,
    *,
    refused: DomainError | None = None,
) -> Response:
    locale, view = page_locale(request), present.view(worry, page_locale(request))
    name = form.text("name", limit=LIMITS["name"]) or view.name
    by_list = _sees_the_roll(actor, worry)
    found = list_children(session, actor=actor, now=now, name=name) if by_list else []
    return render(
        request,
        "worries/worry.html",
        session=session,
        status=409 if refused else 200,
        worry=worry,
        view=view,
        school=organisation_names(session, [worry.school_id]).get(worry.school_id, ""),
        by_list=by_list,
        candidates=present.candidates(
            [child for child in found if child.organisation_id == worry.school_id], local_day(now), locale
        ),
        searched=bool(form.sent),
        open=worry.settled_at is None,
        at_case=worry.case_id is not None and may(actor, May.READ_CASES),
        limits=LIMITS,
        form=form,
        refused=refused,
        ends=[(each.value, each) for each in WorryEnd if each is not WorryEnd.MATCHED],
    )


def _sees_the_roll(actor: Actor, worry: Worry) -> bool:
    return worry.custody is Custody.SCHOOL and may_about(actor, May.READ_CHILDREN, worry.school_id)


@router.post("/{worry_id}/match", dependencies=[needs(May.MATCH_WORRY)])
def match(
    worry_id: UUID,
    form: FormDep,
    request: Request,
    session: CrisisSessionDep,
    actor: PageActorDep,
    clock: ClockDep,
) -> Response:
    """This child is meant; or look again under another name. The case opens as it would have at once."""
    now = clock.now()
    worry = get_worry(session, actor=actor, worry_id=worry_id, now=now)
    if form.ids("child"):
        if not _sees_the_roll(actor, worry):
            raise NotFound
        child = get_child(session, actor=actor, child_id=form.ids("child")[0], now=now, part=Part.FILE)
        case = worries.match(session, actor=actor, worry=worry, child=child, now=now)
    elif _sees_the_roll(actor, worry):
        return _worry(request, session, actor, worry, form, now)
    else:
        named = form.text("name", limit=LIMITS["name"], needed=True)
        class_name = form.text("class_name", limit=LIMITS["class_name"], needed=True)
        if form.errors:
            return _worry(request, session, actor, worry, form, now)
        found = worries.match_by_name(
            session, actor=actor, worry=worry, name=named, class_name=class_name, now=now
        )
        if found is None:
            return _worry(request, session, actor, worry, form, now, refused=PolicyViolation(NOT_FOUND))
        case = found
    return go(f"/cases/{case.id}" if may(actor, May.READ_CASES) else "/today")


@router.post("/{worry_id}/settle", dependencies=[needs(May.MATCH_WORRY)])
def settle(
    worry_id: UUID, form: FormDep, session: SessionDep, actor: PageActorDep, clock: ClockDep
) -> Response:
    """A person decides that no child of the school is meant, or that it was no worry."""
    now = clock.now()
    worry = get_worry(session, actor=actor, worry_id=worry_id, now=now)
    decision = form.choice("decision", WorryEnd, needed=True)
    reason = form.text("reason", limit=LIMITS["reason"])
    form.check()
    if decision is not None:
        worries.settle(session, actor=actor, worry=worry, decision=decision, reason=reason, now=now)
    return go("/today")
