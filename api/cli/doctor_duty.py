"""Is somebody on duty for every school, now and in the next seven days? An empty roster is an alarm itself (RL6)."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import select
from sqlalchemy.orm import Session

from api.cli.signs import Sign, Weight, bad, good, note
from screening.core.clock import LOCAL, Clock
from screening.core.spans import Span, gaps
from screening.models.account import Account
from screening.models.organisation import DutyEntry, Organisation, OrganisationKind

AHEAD = timedelta(days=7)
# A gap that begins within a day has to be filled today.
SOON = timedelta(days=1)
SHOWN = 10


@dataclass(frozen=True, slots=True)
class Cover:
    """A school (or a county without one) and when nobody is on duty for it."""

    code: str
    gaps: tuple[Span, ...]


def duty(session: Session, clock: Clock) -> Iterator[Sign]:
    """One sentence for each county, or for each place where the places of a county differ."""
    now = clock.now()
    for county in _living(session, OrganisationKind.COUNTY):
        places = [
            school
            for school in _living(session, OrganisationKind.SCHOOL)
            if school.path.startswith(county.path)
        ]
        watch = _watch(session, now)
        covers = [Cover(place.code, _gaps_of(place, watch, now)) for place in places or [county]]
        yield from _now(county.code, covers, now)
        yield from _ahead(county.code, covers, now)


def _living(session: Session, kind: OrganisationKind) -> Sequence[Organisation]:
    return session.scalars(
        select(Organisation)
        .where(Organisation.kind == kind, Organisation.ended_on.is_(None))
        .order_by(Organisation.code)
    ).all()


def _watch(session: Session, now: datetime) -> list[tuple[str, Span]]:
    """Entries of the coming days, by the path of the place they are for; people who have left count for nothing."""
    rows = session.execute(
        select(Organisation.path, DutyEntry.starts_at, DutyEntry.ends_at)
        .join(Organisation, Organisation.id == DutyEntry.organisation_id)
        .join(Account, Account.id == DutyEntry.account_id)
        .where(Account.disabled_at.is_(None), DutyEntry.ends_at > now, DutyEntry.starts_at < now + AHEAD)
    )
    return [(path, (starts, ends)) for path, starts, ends in rows]


def _gaps_of(place: Organisation, watch: Sequence[tuple[str, Span]], now: datetime) -> tuple[Span, ...]:
    """Whoever is on duty at the place, or in an area above it, answers for it."""
    own = [span for path, span in watch if place.path.startswith(path)]
    return gaps(own, now, now + AHEAD)


def _now(county: str, covers: Sequence[Cover], now: datetime) -> Iterator[Sign]:
    alone = [cover.code for cover in covers if cover.gaps and cover.gaps[0][0] == now]
    if len(alone) == len(covers):
        yield bad("Nobody is on duty in {code} at this moment.", code=county)
    elif alone:
        yield bad(
            "Nobody is on duty at this moment for {n} schools of {code}: {schools}.",
            n=len(alone),
            code=county,
            schools=_some(alone),
        )


def _ahead(county: str, covers: Sequence[Cover], now: datetime) -> Iterator[Sign]:
    coming = [Cover(c.code, tuple(gap for gap in c.gaps if gap[0] > now)) for c in covers]
    if len({cover.gaps for cover in coming}) == 1:
        coming = [Cover(county, coming[0].gaps)]
    holes = [(cover.code, gap) for cover in coming for gap in cover.gaps]
    for code, (starts, ends) in holes[:SHOWN]:
        weight = Weight.BAD if starts < now + SOON else Weight.NOTE
        yield Sign(
            weight,
            "Nobody is on duty for {code} from {start} to {end}. Fill the duty roster.",
            {"code": code, "start": _minute(starts), "end": _minute(ends)},
        )
    if len(holes) > SHOWN:
        yield note("{n} more gaps in the duty roster of the next seven days.", n=len(holes) - SHOWN)
    if not any(cover.gaps for cover in covers):
        yield good("Somebody is on duty for {code} all the next seven days.", code=county)


def _some(codes: Sequence[str]) -> str:
    more = ", …" if len(codes) > SHOWN else ""
    return ", ".join(codes[:SHOWN]) + more


def _minute(instant: datetime) -> str:
    return f"{instant.astimezone(LOCAL):%m-%d %H:%M}"
