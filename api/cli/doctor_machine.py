"""The doctor's look at the machine: can rare names be printed, is there room, is there a backup, is the clock right?"""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

from sqlalchemy import func, select
from sqlalchemy.engine import make_url
from sqlalchemy.orm import Session

from api.cli.backup_timer import newest_backup
from api.cli.signs import Sign, bad, good, note
from screening.core.clock import Clock
from screening.core.errors import DomainError
from screening.core.outbox import OutboxMessage
from screening.core.paper import Printer, find_fonts
from screening.core.settings import Settings

PROBE = Path(__file__).with_name("probe") / "page.html"
# Names that real children have and that fonts and libraries fail at: outside the basic plane, and rarely drawn.
RARE_NAMES = "䶮 𬍡 㛃"

MB = 1_000_000
FULL, TIGHT = 200 * MB, 1000 * MB
# The one-machine form makes one every 15 minutes; two may fail before it is an alarm. A city dumps at night.
OLD, OLD_POSTGRESQL = timedelta(minutes=45), timedelta(hours=26)
DRIFT, WRONG = timedelta(seconds=5), timedelta(seconds=60)


def probe_page(settings: Settings) -> Iterator[Sign]:
    """Print a page with rare names, in the process that prints notes."""
    try:
        with Printer(find_fonts(settings.font)) as printer:
            made = printer.render(PROBE, {"names": RARE_NAMES})
    except DomainError as error:
        yield bad(error.message, **error.params)
        return
    if made.missing_glyphs:
        yield bad(
            "The font cannot draw {characters}: names with them are printed as boxes. Choose a font that can (XINQIAO_FONT).",
            characters=" ".join(made.missing_glyphs),
        )
    else:
        yield good("A probe page with rare names ({names}) was printed.", names=RARE_NAMES)


def disk(settings: Settings) -> Iterator[Sign]:
    """Room where the database and the backups grow."""
    for place in dict.fromkeys(filter(None, (settings.home, settings.backup_to))):
        if not place.is_dir():
            continue  # said elsewhere
        free = shutil.disk_usage(place).free
        if free < FULL:
            yield bad(
                "Only {mb} MB are free for {directory}. Make room now: soon nothing can be stored.",
                mb=free // MB,
                directory=place,
            )
        elif free < max(TIGHT, 3 * _size(settings)):
            yield note(
                "{mb} MB are free for {directory}. Make room: a backup needs as much as the database.",
                mb=free // MB,
                directory=place,
            )
        else:
            yield good("{mb} MB are free for {directory}.", mb=free // MB, directory=place)


def _size(settings: Settings) -> int:
    """Of an SQLite file, in bytes."""
    database = make_url(settings.database_url)
    path = Path(str(database.database))
    return path.stat().st_size if database.get_backend_name() == "sqlite" and path.is_file() else 0


def backups(settings: Settings, clock: Clock) -> Iterator[Sign]:
    """The age of the newest backup, which is how a failing one is noticed."""
    place = settings.backup_to
    if place is None:
        yield note(
            "No place for backups is set (XINQIAO_BACKUP_TO): nothing is backed up by itself. See docs/operate.md."
        )
        return
    if not place.is_dir():
        yield bad("The directory for backups, {directory}, is missing: is its disk mounted?", directory=place)
        return
    newest = newest_backup(place)
    if newest is None:
        yield bad("There is no backup in {directory}. Run `xinqiao db backup`.", directory=place)
        return
    age = clock.now() - newest
    sqlite = settings.database_url.startswith("sqlite")
    if age > (OLD if sqlite else OLD_POSTGRESQL):
        yield bad(
            "The newest backup is {minutes} minutes old. Run `xinqiao db backup` and read what it says.",
            minutes=int(age.total_seconds() // 60),
        )
    else:
        yield good("The newest backup is {minutes} minutes old.", minutes=int(age.total_seconds() // 60))
    if place.stat().st_dev == settings.home.stat().st_dev:
        yield note(
            "Backups lie on the same disk as the database. Copy them to another machine, without the keys."
        )


def clocks(session: Session, clock: Clock, here: Clock | None = None) -> Iterator[Sign]:
    """The machine's clock against the database's, and against what was stored last."""
    newest = session.scalar(select(func.max(OutboxMessage.published_at)))
    if newest is not None and newest > clock.now() + WRONG:
        yield bad("The clock of this machine is behind what was stored last. Set it right (NTP).")
    if session.get_bind().dialect.name != "postgresql":
        return
    drift = abs(session.scalars(select(func.clock_timestamp())).one() - (here or Clock()).now())
    if drift > DRIFT:
        said = bad if drift > WRONG else note
        yield said(
            "The clocks of this machine and of the database differ by {seconds} s. Set both right (NTP).",
            seconds=int(drift.total_seconds()),
        )
    else:
        yield good("The clocks of this machine and of the database agree.")
