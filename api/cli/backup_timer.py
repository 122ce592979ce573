"""A backup every fifteen minutes in the one-machine form, and which of the old ones stay.

The worker's clock only starts it: copying and sealing run in a thread of their own with a read-only connection, so
that neither the ladder nor anybody who writes waits for a backup. What goes wrong is in the log, and is an alarm of
``xinqiao doctor``, which looks at the age of the newest file.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Iterable
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

from sqlalchemy.engine import make_url
from sqlalchemy.orm import Session

from api.cli import backup
from api.cli.backup_file import SUFFIX
from api.worker import Timed, where
from screening.core.clock import Clock, local_day
from screening.core.db import Lane
from screening.core.settings import Settings

log = logging.getLogger(__name__)

EVERY = timedelta(minutes=15)
# Younger than this and the next one would say nothing new: a service that is restarted again and again.
FRESH = timedelta(minutes=14)
# The last backup of each of so many days stays beside the newest ones.
DAILY = 30


class BackupClock:
    """Starts the backups of a service; one at a time."""

    def __init__(self, settings: Settings, directory: Path, clock: Clock) -> None:
        self._settings, self._directory, self._clock = settings, directory, clock
        self._thread: threading.Thread | None = None

    def due(self, session: Session, now: datetime) -> None:
        """The time has come. Returns at once."""
        if self._thread is not None and self._thread.is_alive():
            log.error("the backup before has not finished yet")
            return
        newest = newest_backup(self._directory)
        if newest is not None and timedelta(0) <= now - newest < FRESH:
            return
        self._thread = threading.Thread(target=self.make, name="xinqiao-backup", daemon=True)
        self._thread.start()

    def make(self) -> None:
        """Make one and remove what need not stay. Raises nothing: the next one is tried all the same."""
        try:
            backup.make(self._settings, self._clock)
            thin(self._directory, keep=self._settings.backup_keep, today=local_day(self._clock.now()))
        except Exception as error:
            # Kind and place only, as everywhere: an exception may hold more than a log should.
            log.error("the backup has failed: %s at %s", type(error).__name__, where(error))

    def wait(self, seconds: float) -> None:
        """Until the running one is done. For tests."""
        if self._thread is not None:
            self._thread.join(seconds)


def timed(settings: Settings, clock: Clock) -> tuple[Timed, ...]:
    """The job for the worker; nothing without ``XINQIAO_BACKUP_TO``, and nothing with PostgreSQL."""
    if settings.backup_to is None or make_url(settings.database_url).get_backend_name() != backup.SQLITE:
        return ()
    return (Timed("backup", EVERY, BackupClock(settings, settings.backup_to, clock).due, Lane.BULK),)


def backups_in(directory: Path) -> dict[Path, datetime]:
    """Our backups there, with the instant that each one's name carries."""
    found = {}
    for path in directory.glob(f"{backup.PREFIX}*{SUFFIX}"):
        stamp = path.name.removeprefix(backup.PREFIX).removesuffix(SUFFIX)
        try:
            found[path] = datetime.strptime(stamp, backup.STAMP).replace(tzinfo=UTC)
        except ValueError:
            continue  # somebody's own name for a backup: never counted, never removed
    return found


def newest_backup(directory: Path) -> datetime | None:
    """When the newest backup there was made; ``None`` when there is none, or no such directory."""
    return max(backups_in(directory).values(), default=None)


def thin(directory: Path, *, keep: int, today: date) -> list[Path]:
    """Remove all but the newest ``keep`` and the last of each of the last 30 days. Returns what was removed."""
    there = backups_in(directory)
    stay = set(_newest_of_days(there.items(), today))
    stay |= set(sorted(there, key=lambda path: there[path])[-keep:])
    gone = sorted(set(there) - stay)
    for path in gone:
        path.unlink(missing_ok=True)
    return gone


def _newest_of_days(backups: Iterable[tuple[Path, datetime]], today: date) -> Iterable[Path]:
    last: dict[date, tuple[datetime, Path]] = {}
    for path, made_at in backups:
        day = local_day(made_at)
        if today - day < timedelta(days=DAILY):
            last[day] = max(last.get(day, (made_at, path)), (made_at, path))
    return [path for _, path in last.values()]
