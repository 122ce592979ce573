"""What stands on the first page of posts that have more to look at than a list of children: alarms, signatures, gaps."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy.orm import Session

from api.web.presenters import dates, words
from api.web.presenters import duty as duty_words
from api.web.presenters.duty import missing_years
from referral.queries.channels import own_facility
from referral.queries.crises import list_open
from referral.queries.oversight import list_overdue, list_silent
from screening.access import May, may, places
from screening.core import outbox
from screening.core.actor import Actor
from screening.core.calendar import china
from screening.core.clock import local_day
from screening.core.errors import NotFound
from screening.core.i18n import translate
from screening.models.account import Account
from screening.models.campaign import CampaignStatus
from screening.queries.campaigns import list_campaigns, newest_setting
from screening.queries.districts import district_to_set
from screening.queries.staff import covers, ending_soon

MOST = 8


@dataclass(frozen=True, slots=True)
class Line:
    """One sentence and where it leads. ``alarm``: something is missing now."""

    text: str
    href: str
    alarm: bool = False


@dataclass(frozen=True, slots=True)
class Desk:
    """One card of the page."""

    title: str
    lines: tuple[Line, ...]
    empty: str


def desks(session: Session, actor: Actor, now: datetime, locale: str) -> list[Desk]:
    """The cards of this person's posts."""
    found = (
        (May.MANAGE_ACCOUNTS, _service),
        (May.APPROVE_CAMPAIGN, _campaigns),
        (May.SET_DISTRICT, _district),
        (May.READ_OVERDUE, _overdue),
        (May.READ_SILENT, _silent),
        (May.SET_FACILITY, _facility),
    )
    cards = [make(session, actor, now, locale) for what, make in found if may(actor, what)]
    if may(actor, May.HANDLE_CRISIS) and not may(actor, May.READ_CASES):
        cards.insert(0, _crises(session, actor, now, locale))
    return cards


def _service(session: Session, actor: Actor, now: datetime, locale: str) -> Desk:
    lines = [
        *_background(session, now, locale),
        *_calendar(now, locale),
        *_duty(session, actor, now, locale),
        *_ending(session, actor, now, locale),
    ]
    return Desk(
        translate(locale, "Alarms of the service"),
        tuple(lines[:MOST]),
        translate(locale, "Rosters, calendar and posts are in order."),
    )


def _background(session: Session, now: datetime, locale: str) -> Iterator[Line]:
    stuck, given_up = outbox.count_stuck(session, now=now), outbox.count_given_up(session)
    if stuck:
        said = translate(
            locale,
            "{count} papers, notices or pieces of files have waited for more than an hour: is a worker running?",
            count=stuck,
        )
        yield Line(said, "/settings", alarm=True)
    if given_up:
        said = translate(
            locale,
            "{count} papers, notices or pieces of files were given up; `xinqiao outbox` shows them and tries again.",
            count=given_up,
        )
        yield Line(said, "/settings", alarm=True)


def _calendar(now: datetime, locale: str) -> Iterator[Line]:
    for year in missing_years(china(), now):
        yield Line(translate(locale, "The calendar of {year} is missing.", year=year), "/duty", alarm=True)


def _duty(session: Session, actor: Actor, now: datetime, locale: str) -> Iterator[Line]:
    for cover in covers(session, actor=actor, now=now):
        if not cover.gaps:
            continue
        said = duty_words.gap(cover.gaps[0], locale)
        yield Line(f"{cover.place.name}: {said}", f"/duty/{cover.place.id}", alarm=not cover.now)


def _ending(session: Session, actor: Actor, now: datetime, locale: str) -> Iterator[Line]:
    for grant in ending_soon(session, actor=actor, today=local_day(now)):
        account = session.get_one(Account, grant.account_id)
        until = dates.day(grant.valid_to, locale) if grant.valid_to else ""
        yield Line(
            translate(
                locale,
                "{name}, {role} at {place}: ends on {day}",
                name=account.name,
                role=words.post(grant.role, locale),
                place=grant.organisation.name,
                day=until,
            ),
            f"/accounts/{account.id}#leaving",
        )


def _campaigns(session: Session, actor: Actor, now: datetime, locale: str) -> Desk:
    here = places(actor, May.APPROVE_CAMPAIGN)
    waiting = [
        Line(each.title, f"/campaigns/{each.id}")
        for each in list_campaigns(session, actor=actor)
        if each.status is CampaignStatus.DRAFT and each.organisation_id in here
    ]
    return Desk(
        translate(locale, "Campaigns to approve"),
        tuple(waiting),
        translate(locale, "No campaign waits for you."),
    )


def _district(session: Session, actor: Actor, now: datetime, locale: str) -> Desk:
    title, empty = (
        translate(locale, "District settings"),
        translate(locale, "No proposal waits for a signature."),
    )
    try:
        district = district_to_set(session, actor=actor)
    except NotFound:
        return Desk(title, (), empty)
    newest = newest_setting(session, district.id)
    if newest is None or newest.approved_at is not None:
        return Desk(title, (), empty)
    own = newest.set_by == actor.account_id
    said = (
        translate(locale, "Your proposal waits for a second person.")
        if own
        else translate(locale, "A proposal waits for your signature.")
    )
    return Desk(title, (Line(said, "/district", alarm=not own),), empty)


def _overdue(session: Session, actor: Actor, now: datetime, locale: str) -> Desk:
    late = len(list_overdue(session, actor=actor, now=now))
    said = Line(translate(locale, "{n} lines are past their limit", n=late), "/overdue", alarm=True)
    return Desk(
        translate(locale, "Overdue"),
        (said,) if late else (),
        translate(locale, "Nothing is overdue."),
    )


def _silent(session: Session, actor: Actor, now: datetime, locale: str) -> Desk:
    late = len(list_silent(session, actor=actor, now=now))
    said = Line(translate(locale, "{n} referrals have no answer in time", n=late), "/silent", alarm=True)
    return Desk(
        translate(locale, "Unanswered referrals"),
        (said,) if late else (),
        translate(locale, "Every referral was answered in time."),
    )


def _facility(session: Session, actor: Actor, now: datetime, locale: str) -> Desk:
    title = translate(locale, "Open places")
    try:
        facility = own_facility(session, actor=actor)
    except NotFound:
        return Desk(title, (), translate(locale, "Your facility is not set up yet; ask the administrator."))
    said = translate(
        locale,
        "{slots} first visits a week, {triage} of children nobody could see in time",
        slots=facility.weekly_slots,
        triage=facility.triage_per_week,
    )
    return Desk(title, (Line(said, "/facility"),), "")


def _crises(session: Session, actor: Actor, now: datetime, locale: str) -> Desk:
    """For those who open no case: how many there are; names stand on the page behind."""
    found = list_open(session, actor=actor, now=now)
    untaken = any(episode.taken_at is None for episode in found)
    said = Line(translate(locale, "{n} open crises", n=len(found)), "/crises", alarm=untaken)
    return Desk(
        translate(locale, "Crises"), (said,) if found else (), translate(locale, "No crisis is open.")
    )
