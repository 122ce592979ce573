"""``xinqiao doctor``: is this machine, and what has been set up, fit for the service? Changes nothing."""

from __future__ import annotations

import sqlite3
import stat
from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path

from sqlalchemy import func, select
from sqlalchemy.engine import make_url
from sqlalchemy.exc import DBAPIError
from sqlalchemy.orm import Session

from api.auth import keys as token_keys
from api.cli import home
from api.cli.doctor_duty import duty
from api.cli.doctor_machine import backups, clocks, disk, probe_page
from api.cli.signs import Sign, Weight
from screening.core.calendar import china
from screening.core.clock import Clock
from screening.core.errors import DomainError
from screening.core.outbox import OutboxMessage, count_waiting
from screening.core.paper import self_check
from screening.core.sealing import KeysRefused, read_keys
from screening.core.settings import Settings

# Before 3.51.3 two connections that write and checkpoint at the same moment can damage a file; ours has one.
FIXED_SQLITE = (3, 51, 3)
AHEAD = timedelta(days=120)

__all__ = ["Sign", "Weight", "examine"]


def examine(settings: Settings, clock: Clock, *, probe: bool = False) -> list[Sign]:
    """Everything, the machine first. ``probe`` prints a page as well, which takes a second or two."""
    said = [*machine(settings)]
    if probe and all(sign.weight is not Weight.BAD for sign in said):
        said += probe_page(settings)
    return [
        *said,
        *calendar(clock),
        *files(settings),
        *disk(settings),
        *backups(settings, clock),
        *stored(settings, clock),
    ]


def machine(settings: Settings) -> Iterator[Sign]:
    """Programs, libraries and fonts."""
    version = sqlite3.sqlite_version
    if make_url(settings.database_url).get_backend_name() == "sqlite":
        if sqlite3.sqlite_version_info < FIXED_SQLITE:
            yield Sign(
                Weight.NOTE,
                "SQLite {version}: before 3.51.3 a second program that writes can damage the file. Open it with nothing but this program.",
                {"version": version},
            )
        else:
            yield Sign(Weight.GOOD, "SQLite {version}.", {"version": version})
    missing = self_check(settings.font)
    for message, params in missing:
        yield Sign(Weight.BAD, message, dict(params))
    if not missing:
        yield Sign(Weight.GOOD, "Papers can be printed: libraries and fonts are there.")
    if settings.webhook is None:
        yield Sign(
            Weight.NOTE, "No gateway for messages is set (XINQIAO_WEBHOOK_URL): only the open page rings."
        )


def calendar(clock: Clock) -> Iterator[Sign]:
    """A year without a table counts Monday to Friday, which is wrong around holidays (RL6)."""
    today = clock.today()
    years = china().missing_years(today, today + AHEAD)
    if years:
        yield Sign(
            Weight.NOTE,
            "The calendar of working days has no table for {years}.",
            {"years": ", ".join(str(year) for year in years)},
        )
    else:
        yield Sign(Weight.GOOD, "The calendar of working days covers the next months.")


def files(settings: Settings) -> Iterator[Sign]:
    """Directory and key files."""
    if not settings.home.is_dir():
        yield Sign(
            Weight.BAD,
            "The directory {home} is missing. `xinqiao db init` makes it.",
            {"home": settings.home},
        )
        return
    if settings.home.stat().st_mode & (stat.S_IRWXG | stat.S_IRWXO):
        yield Sign(
            Weight.BAD,
            "The directory {home} can be entered by others. Run chmod 700 on it.",
            {"home": settings.home},
        )
    yield from _keys(read_keys, settings.keys_file)
    yield from _keys(token_keys.read, settings.tokens_file)
    database = make_url(settings.database_url)
    path = Path(str(database.database))
    if database.get_backend_name() == "sqlite" and path.is_file() and path.stat().st_mode & 0o077:
        yield Sign(
            Weight.BAD, "The file {file} can be read by others. Run chmod 600 on it.", {"file": path.name}
        )


def _keys(read: Callable[[Path], object], path: Path) -> Iterator[Sign]:
    try:
        read(path)
    except KeysRefused as refused:
        yield Sign(Weight.BAD, "Keys: {reason}.", {"reason": str(refused)})
    else:
        yield Sign(Weight.GOOD, "Keys: {file} is in order.", {"file": path.name})


def stored(settings: Settings, clock: Clock) -> Iterator[Sign]:
    """The database, who is on duty, and work that does not get done."""
    try:
        with home.opened(settings, hold=False) as database, database.look() as session:
            yield Sign(Weight.GOOD, "The database is of this version.")
            yield from duty(session, clock)
            yield from messages(session, clock)
            yield from clocks(session, clock)
    except DomainError as error:
        yield Sign(Weight.BAD, error.message, dict(error.params))
    except KeysRefused:
        return  # said above
    except DBAPIError:
        yield Sign(Weight.BAD, "The database cannot be reached.")


def messages(session: Session, clock: Clock) -> Iterator[Sign]:
    """Work that was given up, or that nobody takes."""
    dead = session.scalar(select(func.count()).where(OutboxMessage.dead_at.is_not(None))) or 0
    if dead:
        yield Sign(Weight.BAD, "Background work that was given up: {n}. See `xinqiao outbox`.", {"n": dead})
    late = session.scalar(
        select(func.count()).where(
            OutboxMessage.finished_at.is_(None),
            OutboxMessage.dead_at.is_(None),
            OutboxMessage.available_at < clock.now() - timedelta(minutes=10),
        )
    )
    if late:
        yield Sign(
            Weight.BAD,
            "Background work has been waiting for 10 minutes: {n}. Is a worker running?",
            {"n": late},
        )
    elif not dead:
        yield Sign(Weight.GOOD, "Background work: {n} waiting.", {"n": count_waiting(session)})
