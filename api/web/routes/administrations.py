"""Keying paper sheets in: one page per sheet, from child to child of a class.

The person who keys is told what to do, never what the sheet says (A03). A sheet that is refused is answered with
its page again; what it says about danger has rung all the same, so that answer is a return and not an exception:
its transaction commits (decision 18).
"""

from __future__ import annotations

import secrets
from dataclasses import dataclass
from datetime import date, datetime
from urllib.parse import urlencode
from uuid import UUID

from fastapi import Depends, Request, Response
from sqlalchemy.orm import Session

from api.deps import ClockDep, PageActorDep, SessionDep, get_page_actor, needs, page_router
from api.web.forms import Form, FormDep
from api.web.pages import go, page_locale, render
from api.web.presenters import campaigns as of_campaign
from api.web.presenters import sheets as present
from api.web.presenters import words
from instruments import Grade, Instrument, SheetConditions, UnknownInstrument, catalogue
from referral import intake
from referral.intake import UNREADABLE
from screening.access import May
from screening.core.actor import Actor
from screening.core.clock import local_day
from screening.core.errors import DomainError, InvalidInput, NotFound
from screening.models.administration import Mode
from screening.models.campaign import RosterEntry
from screening.models.consent import Purpose
from screening.policies import is_consented
from screening.queries.accounts import duty_phone
from screening.queries.campaigns import current_consents, get_roster_entry, recorded_sheets
from screening.queries.children import organisation_of
from screening.queries.results import result_of
from screening.queries.rosters import class_of_entry, list_class, list_classes
from screening.queries.wordings import wording_for

router = page_router(
    prefix="/campaigns/{campaign_id}/roster/{entry_id}",
    dependencies=[Depends(get_page_actor), needs(May.RECORD_SHEET)],
)

BLANK = "A wholly blank sheet is no sheet: mark the child absent instead."
SHORTEST_KEY, LONGEST_KEY = 16, 60


@dataclass(frozen=True, slots=True)
class Desk:
    """The line of the roll at which somebody keys, and where it stands in its class."""

    entry: RosterEntry
    class_key: str
    place: int
    of: int
    following: UUID | None


def _desk(
    session: Session, actor: Actor, campaign_id: UUID, entry_id: UUID, code: str, now: datetime
) -> Desk:
    """``following``: the next child of the class who may be screened and has no sheet of this kind yet."""
    entry = get_roster_entry(session, actor=actor, campaign_id=campaign_id, entry_id=entry_id)
    classes = list_classes(session, actor=actor, campaign=entry.campaign)
    own = class_of_entry(classes, entry)
    if own is None:
        return Desk(entry, "", 1, 1, None)
    entries = list_class(session, actor=actor, campaign=entry.campaign, school_class=own, now=now)
    place = next((n for n, each in enumerate(entries) if each.id == entry.id), 0)
    stored = recorded_sheets(session, entries=entries)
    consents = current_consents(session, [each.child_id for each in entries], [Purpose.SCREENING])
    following = next(
        (
            each.id
            for each in entries[place + 1 :]
            if code not in stored.get(each.id, ())
            and (answer := consents.get((each.child_id, Purpose.SCREENING))) is not None
            and is_consented(answer.status)
        ),
        None,
    )
    return Desk(entry, own.key, place + 1, len(entries), following)


def _instrument(entry: RosterEntry, code: str) -> Instrument:
    """A questionnaire of this campaign, or :class:`NotFound`."""
    if code not in entry.campaign.instruments:
        raise NotFound
    try:
        return catalogue().get(code)
    except UnknownInstrument:
        raise NotFound from None


def _onward(desk: Desk, code: str, on: date | None) -> str:
    """The sheet of the next child; after the last one the class."""
    at = f"/campaigns/{desk.entry.campaign_id}/roster"
    if desk.following is None:
        return f"{at}?{urlencode({'at': desk.class_key, 'done': 'yes'} if desk.class_key else {})}"
    said = {"after": str(desk.entry.id)} | ({"on": on.isoformat()} if on else {})
    return f"{at}/{desk.following}/sheets/{code}?{urlencode(said)}"


@router.get("")
def show_entry(
    campaign_id: UUID,
    entry_id: UUID,
    request: Request,
    session: SessionDep,
    actor: PageActorDep,
    clock: ClockDep,
) -> Response:
    """One child on the roll: which sheets are stored, which can be keyed in."""
    locale = page_locale(request)
    entry = get_roster_entry(session, actor=actor, campaign_id=campaign_id, entry_id=entry_id)
    stored = recorded_sheets(session, entries=[entry])
    consents = current_consents(session, [entry.child_id], [Purpose.SCREENING])
    [line] = of_campaign.lines([entry], entry.campaign, stored, consents, locale)
    own = class_of_entry(list_classes(session, actor=actor, campaign=entry.campaign), entry)
    return render(
        request,
        "campaigns/entry.html",
        session=session,
        campaign=entry.campaign,
        line=line,
        place=of_campaign.place(entry, local_day(clock.now()), locale),
        class_key=own.key if own else "",
        names={
            each.code: of_campaign.name_of(each, locale) for each in of_campaign.instruments(entry.campaign)
        },
        why_no_sheets=of_campaign.why_no_sheets(entry.campaign, locale),
    )


@router.get("/sheets/{code}")
def show_sheet(
    campaign_id: UUID,
    entry_id: UUID,
    code: str,
    request: Request,
    session: SessionDep,
    actor: PageActorDep,
    clock: ClockDep,
    on: date | None = None,
    after: UUID | None = None,
) -> Response:
    """An empty sheet; ``after``: the child whose sheet has just been stored, ``on``: its day."""
    desk = _desk(session, actor, campaign_id, entry_id, code, clock.now())
    before = (
        get_roster_entry(session, actor=actor, campaign_id=campaign_id, entry_id=after) if after else None
    )
    return _sheet(
        request,
        session,
        desk,
        code,
        clock.now(),
        on=on or clock.today(),
        before=before.child.name if before else "",
    )


def _sheet(
    request: Request,
    session: Session,
    desk: Desk,
    code: str,
    now: datetime,
    *,
    on: date,
    before: str = "",
    form: Form | None = None,
    refused: DomainError | None = None,
    grade: Grade | None = None,
) -> Response:
    """The page of a sheet; with ``form`` again after a refusal, everything typed still there."""
    locale, entry = page_locale(request), desk.entry
    instrument = _instrument(entry, code)
    school = organisation_of(session, entry.campaign.organisation_id)
    wording = wording_for(session, organisation=school, instrument=instrument, locale=locale)
    consents = current_consents(session, [entry.child_id], [Purpose.SCREENING])
    stored = recorded_sheets(session, entries=[entry])
    [line] = of_campaign.lines([entry], entry.campaign, stored, consents, locale)
    return render(
        request,
        "administrations/sheet.html",
        session=session,
        status=_status(form, refused),
        campaign=entry.campaign,
        line=line,
        place=of_campaign.place(entry, local_day(now), locale),
        desk=desk,
        instrument=instrument,
        name=of_campaign.name_of(instrument, locale),
        informants=[(each, words.informant(each, locale)) for each in instrument.informants],
        wording=wording,
        items=present.items(instrument, locale, wording),
        legend=present.legend(instrument, locale, wording),
        stored=any(each.code == code and each.stored for each in line.sheets),
        why_no_sheets=of_campaign.why_no_sheets(entry.campaign, locale),
        key=(form.raw("key") if form else "") or secrets.token_urlsafe(18),
        on=on.isoformat(),
        today=local_day(now).isoformat(),
        before=before,
        form=form or Form(),
        refused=refused,
        rang=present.instruction(grade, locale) if grade in present.TALKS else "",
        duty=_duty(session, entry, now),
    )


def _status(form: Form | None, refused: DomainError | None) -> int:
    """A wrong field is 422; a right sheet at the wrong moment 409."""
    if form is None:
        return 200
    return 422 if refused is None or isinstance(refused, InvalidInput) else 409


def _duty(session: Session, entry: RosterEntry, now: datetime) -> str | None:
    return duty_phone(session, organisation=organisation_of(session, entry.child.organisation_id), at=now)


@router.post("/sheets/{code}")
def store_sheet(
    campaign_id: UUID,
    entry_id: UUID,
    code: str,
    form: FormDep,
    request: Request,
    session: SessionDep,
    actor: PageActorDep,
    clock: ClockDep,
) -> Response:
    """Store a sheet with all that follows from it, and go on: to what is to be done now, or to the next child.

    The form carries a key that is good for one sheet, besides the token of every form: one key, one sheet.
    """
    now = clock.now()
    desk = _desk(session, actor, campaign_id, entry_id, code, now)
    entry, instrument = desk.entry, _instrument(desk.entry, code)
    on, answers = form.day("on", needed=True), present.answers(instrument, form)
    key = _key(form)
    if not any(answers.values()):
        return _sheet(
            request, session, desk, code, now, on=on or local_day(now), form=form, refused=InvalidInput(BLANK)
        )
    if on is None:
        return _sheet(request, session, desk, code, now, on=local_day(now), form=form)
    submitted = intake.submit(
        session,
        actor=actor,
        occasion=entry,
        instrument=instrument,
        answers=answers,
        administered_on=on,
        mode=Mode.PAPER,
        now=now,
        idempotency_key=key,
        informant=form.raw("informant") or None,
        conditions=SheetConditions(helped=form.has("helped"), reading_trouble=form.has("reading_trouble")),
    )
    if submitted.result is None:
        present.mark_errors(form, submitted.errors)
        refused = submitted.refused or InvalidInput(UNREADABLE)
        return _sheet(
            request, session, desk, code, now, on=on, form=form, refused=refused, grade=submitted.grade
        )
    session.flush()
    return _done(session, desk, code, submitted.result.administration_id, on)


def _key(form: Form) -> str:
    """The key of this sheet: under it the sheet is stored once, whatever becomes of the form."""
    key = form.raw("key")
    if not (SHORTEST_KEY <= len(key) <= LONGEST_KEY and key.isascii()):
        raise InvalidInput(
            "This form is out of date or was not sent from our page. Please open the page again."
        )
    return key


def _done(session: Session, desk: Desk, code: str, administration_id: UUID, on: date | None) -> Response:
    """First what a person has to do because of this sheet; else the next child."""
    result = result_of(session, entry=desk.entry, administration_id=administration_id)
    if result.grade in present.TALKS:
        at = f"/campaigns/{desk.entry.campaign_id}/roster/{desk.entry.id}"
        return go(f"{at}/recorded/{administration_id}")
    return go(_onward(desk, code, on))


@router.get("/recorded/{administration_id}")
def show_recorded(
    campaign_id: UUID,
    entry_id: UUID,
    administration_id: UUID,
    request: Request,
    session: SessionDep,
    actor: PageActorDep,
    clock: ClockDep,
) -> Response:
    """What is to be done now because of a sheet: the steps and the number to call, never a score."""
    now, locale = clock.now(), page_locale(request)
    entry = get_roster_entry(session, actor=actor, campaign_id=campaign_id, entry_id=entry_id)
    result = result_of(session, entry=entry, administration_id=administration_id)
    sheet = result.administration
    desk = _desk(session, actor, campaign_id, entry_id, sheet.instrument, now)
    return render(
        request,
        "administrations/recorded.html",
        session=session,
        campaign=entry.campaign,
        name=entry.child.name,
        place=of_campaign.place(entry, local_day(now), locale),
        talks=result.grade in present.TALKS,
        at_once=result.grade is Grade.A,
        instruction=present.instruction(result.grade, locale),
        duty=_duty(session, entry, now),
        onward=_onward(desk, sheet.instrument, sheet.administered_on),
        last=desk.following is None,
    )
