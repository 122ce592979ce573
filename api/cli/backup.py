"""``xinqiao db backup`` and ``db restore``: everything in one encrypted file, made while people work (RL10).

SQLite is copied by its own backup function from a read-only connection: one consistent state, nobody waits.
PostgreSQL is dumped by ``pg_dump`` at one snapshot. Both become the same file (``backup_file``), which holds no key.
A restore goes into an empty place only; ``--check`` restores into a temporary one, looks at everything, removes it.
"""

from __future__ import annotations

import fcntl
import hashlib
import shutil
import sqlite3
import time
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from tempfile import TemporaryDirectory

from sqlalchemy import update
from sqlalchemy.engine import make_url

from api import migrations
from api.auth import keys as token_keys
from api.cli import backup_file, backup_postgresql, home
from api.cli.backup_file import SUFFIX, BackupReader, BackupRefused, Manifest, flush_directory
from api.cli.check import Finding, broken_files, check_all
from api.cli.db import damage
from api.cli.words import _, complain, say, sentence
from screening.core import audit
from screening.core.actor import Actor
from screening.core.clock import LOCAL, Clock
from screening.core.db import Database
from screening.core.errors import Conflict, Unavailable
from screening.core.faults import fault
from screening.core.sealing import Keyring, read_keys, write_keys
from screening.core.settings import Settings
from screening.models.account import SignInSession

SQLITE, POSTGRESQL = "sqlite", "postgresql"
STAMP = "%Y%m%d-%H%M%SZ"
PREFIX = "xinqiao-"
# What an operator puts into a new home before a restore, and what our own tools leave there.
KEY_FILES = frozenset({"keys.json", "token-keys.json"})


@dataclass(frozen=True, slots=True)
class Made:
    """A backup that was made: where, what is inside, and how long it took in seconds."""

    file: Path
    manifest: Manifest
    seconds: float


@dataclass(frozen=True, slots=True)
class Drill:
    """What a trial restore found. ``problems`` are catalogue ids with their parameters."""

    manifest: Manifest
    seconds: float
    problems: tuple[tuple[str, dict[str, object]], ...]
    findings: tuple[Finding, ...]
    trail: audit.Verdict

    @property
    def sound(self) -> bool:
        return not self.problems and not self.findings


# --- making ------------------------------------------------------------------------------------------------


def make(settings: Settings, clock: Clock, *, to: Path | None = None, owner_url: str | None = None) -> Made:
    """Make one backup; ``to`` is a new file or a directory. Raises a refusal in words; then there is no file.

    Runs beside a running service. The working copy stands in the home, which is as closed as the database itself.
    """
    began = time.monotonic()
    home.open_home(settings, hold=False).close()  # refuses a missing, empty, older or newer database in words
    keyring = read_keys(settings.keys_file)
    target = target_of(settings, to, clock.now())
    with room(settings.home, ".backup-") as place:
        payload = place / "payload"
        engine = make_url(settings.database_url).get_backend_name()
        if engine == SQLITE:
            counts = copy_sqlite(database_file(settings), payload)
        else:
            counts = backup_postgresql.dump(owner_url or settings.database_url, payload)
        fault("backup-copied")
        manifest = Manifest(
            engine=engine,
            made_at=clock.now(),
            app_version=version("xinqiao"),
            revision=migrations.head(),
            counts=counts,
            size=payload.stat().st_size,
            sha256=digest_of(payload),
        )
        backup_file.write(target, payload, manifest, keyring)
    return Made(target, manifest, time.monotonic() - began)


def target_of(settings: Settings, to: Path | None, now: datetime) -> Path:
    """The file to write: ``to`` itself, or a name with the instant in a directory: ``to``, the set one, this one."""
    name = f"{PREFIX}{now.astimezone(UTC):{STAMP}}{SUFFIX}"
    if to is None:
        return (settings.backup_to or Path.cwd()) / name
    return to.absolute() / name if to.is_dir() else to.absolute()


def database_file(settings: Settings) -> Path:
    return Path(str(make_url(settings.database_url).database))


def copy_sqlite(path: Path, to: Path) -> dict[str, int]:
    """One consistent copy of a database that others may be writing to. Returns the rows by table of the copy."""
    to.touch(mode=0o600, exist_ok=False)
    reading = f"{path.absolute().as_uri()}?mode=ro"
    with closing(sqlite3.connect(reading, uri=True)) as source, closing(sqlite3.connect(to)) as copy:
        copy.execute("PRAGMA synchronous = OFF")  # only what is sealed from it has to be on disk
        source.backup(copy)  # all pages in one step: one state, however many people write meanwhile
        copy.execute("PRAGMA journal_mode = DELETE")  # one file, without a log beside it
        return count_rows(copy)


def count_rows(opened: sqlite3.Connection) -> dict[str, int]:
    tables = opened.execute(
        "SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite_%' ORDER BY name"
    ).fetchall()
    counted = ((name, opened.execute(f'SELECT count(*) FROM "{name}"').fetchone()) for (name,) in tables)  # noqa: S608  # names of our own tables
    return {name: rows for name, (rows,) in counted}


def digest_of(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


@contextmanager
def room(place: Path, prefix: str) -> Iterator[Path]:
    """A directory inside ``place`` for one working copy, for one process at a time; what a killed one left goes."""
    place.mkdir(mode=0o700, parents=True, exist_ok=True)
    with (place / f"{prefix}lock").open("a") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as taken:
            raise Unavailable("Another backup or restore is running. Wait until it is done.") from taken
        for left in place.glob(f"{prefix}work-*"):
            shutil.rmtree(left, ignore_errors=True)
        with TemporaryDirectory(dir=place, prefix=f"{prefix}work-") as working:
            yield Path(working)


# --- restoring ---------------------------------------------------------------------------------------------


def restore(
    settings: Settings, clock: Clock, *, file: Path, into: Path | None = None, owner_url: str | None = None
) -> Manifest:
    """Bring a backup back into an empty place: the home of the settings, or ``into`` with SQLite.

    Nothing there is overwritten. Everybody has to sign in again, and the trail says that a backup was restored.
    """
    target = replace(Settings.of_home(into.absolute()), font=settings.font) if into else settings
    refuse_taken(target, own=into is not None, owner_url=owner_url)
    keyring = read_keys(target.keys_file if target.keys_file.exists() else settings.keys_file)
    with backup_file.opened(file, keyring) as backup:
        refuse_unfit(backup.manifest, target)
        with room(target.home, ".restore-") as place:
            backup.extract(place / "payload")
            if backup.manifest.engine == SQLITE:
                _put_in_place(place / "payload", database_file(target))
            else:
                url = owner_url or target.database_url
                backup_postgresql.load(url, place / "payload")
                migrations.upgrade(target.database_url, owner_url=owner_url)
        complete_home(target, keyring)
        _begin_again(target, keyring, backup.manifest, clock.now())
        return backup.manifest


def refuse_taken(target: Settings, *, own: bool, owner_url: str | None) -> None:
    """Raise :class:`Conflict` when there is anything that a restore would overwrite."""
    if make_url(target.database_url).get_backend_name() == SQLITE:
        path = database_file(target)
        taken = any(path.with_name(path.name + end).exists() for end in ("", "-wal", "-shm"))
    else:
        taken = not home.is_empty(owner_url or target.database_url)
    if taken:
        raise Conflict(
            "There is a database here already. A backup is restored into an empty home only; nothing was changed."
        )
    if own and target.home.exists():
        others = {path.name for path in target.home.iterdir()} - KEY_FILES
        if any(not name.startswith(".restore-") for name in others):
            raise Conflict(
                "{directory} is not empty. A backup is restored into a new directory, or one that holds only the keys; nothing was changed.",
                directory=target.home,
            )


def refuse_unfit(manifest: Manifest, target: Settings) -> None:
    """Raise :class:`BackupRefused` for a backup of a newer version or of the other engine."""
    if not migrations.known(manifest.revision):
        raise BackupRefused(
            "The backup was written by a newer version of this program ({version}). Install that version; nothing was changed.",
            version=manifest.app_version,
        )
    if manifest.engine != make_url(target.database_url).get_backend_name():
        raise BackupRefused(
            "The backup is of {engine}, and XINQIAO_DATABASE_URL names another engine. Nothing was changed.",
            engine=manifest.engine,
        )


def complete_home(target: Settings, keyring: Keyring) -> None:
    """The keys that belong to the data, and keys for tokens: new ones, because no token of then is good now."""
    target.home.chmod(0o700)
    if not target.keys_file.exists():
        write_keys(target.keys_file, keyring)
    if not target.tokens_file.exists():
        token_keys.create(target.tokens_file)


def _put_in_place(payload: Path, path: Path) -> None:
    problems = damage(f"sqlite:///{payload}")
    if problems:
        raise BackupRefused(
            "The database in the backup is not sound: {problem}. Take another one; nothing was changed.",
            problem=problems[0],
        )
    fault("restore-extracted")
    payload.rename(path)
    flush_directory(path.parent)


def _begin_again(target: Settings, keyring: Keyring, manifest: Manifest, now: datetime) -> None:
    """Sessions of then end, and the trail holds that the time between the backup and now is missing."""
    if manifest.revision != migrations.head():
        return  # tables of an older version: `db upgrade` comes first
    database = Database(target.database_url, keyring)
    try:
        with database.begin() as session:
            session.execute(
                update(SignInSession)
                .where(SignInSession.ended_at.is_(None))
                .values(ended_at=now, ended_why="restored")
            )
            audit.record(
                session,
                actor=Actor.system(),
                event=audit.AuditEvent.DATABASE_RESTORE,
                at=now,
                detail={"made_at": manifest.made_at.isoformat(), "backup": manifest.sha256[:16]},
            )
    finally:
        home.close(database)


# --- the drill ---------------------------------------------------------------------------------------------


def drill(settings: Settings, *, file: Path, owner_url: str | None = None) -> Drill:
    """Restore into a temporary place, look at everything there, and remove it."""
    began = time.monotonic()
    keyring = read_keys(settings.keys_file)
    with backup_file.opened(file, keyring) as backup, room(settings.home, ".check-") as place:
        payload = place / "payload"
        if backup.manifest.engine == SQLITE:
            target = Settings.of_home(place)
            refuse_unfit(backup.manifest, target)
            backup.extract(payload)
            payload.rename(database_file(target))
            return _look(backup, target.database_url, keyring, began)
        refuse_unfit(backup.manifest, settings)
        backup.extract(payload)
        with backup_postgresql.trial(owner_url or settings.database_url) as url:
            backup_postgresql.load(url, payload)
            return _look(backup, url, keyring, began)


def _look(backup: BackupReader, url: str, keyring: Keyring, began: float) -> Drill:
    manifest = backup.manifest
    problems: list[tuple[str, dict[str, object]]] = [
        ("The database in the backup is not sound: {problem}.", {"problem": problem})
        for problem in damage(url)
    ]
    problems += different(manifest.counts, _counted(url))
    migrations.upgrade(url)  # a backup of an older version has to come up to date as well
    database = Database(url, keyring)
    try:
        with database.look() as session:
            verdict = audit.verify(session)
            # As it was then: what has come due since says nothing about the backup.
            findings = [
                *check_all(session, now=manifest.made_at),
                *broken_files(session, manifest.made_at),
            ]
    finally:
        database.close()
    if verdict.wrong_at is not None:
        problems.append(
            ("The trail is wrong at number {n}: changed, removed or swapped.", {"n": verdict.wrong_at})
        )
    return Drill(manifest, time.monotonic() - began, tuple(problems), tuple(findings), verdict)


def _counted(url: str) -> dict[str, int]:
    address = make_url(url)
    if address.get_backend_name() != SQLITE:
        return backup_postgresql.count(url)
    with closing(sqlite3.connect(str(address.database))) as opened:
        return count_rows(opened)


def different(expected: Mapping[str, int], found: Mapping[str, int]) -> list[tuple[str, dict[str, object]]]:
    """Tables whose number of rows is not that of the manifest."""
    return [
        (
            "The table {table} holds {found} rows instead of {expected}.",
            {"table": table, "found": found.get(table, 0), "expected": expected.get(table, 0)},
        )
        for table in sorted({*expected, *found})
        if expected.get(table, 0) != found.get(table, 0)
    ]


# --- the commands ------------------------------------------------------------------------------------------


def run_backup(settings: Settings, *, to: Path | None, owner_url: str | None) -> None:
    made = make(settings, Clock(), to=to, owner_url=owner_url)
    size = made.file.stat().st_size
    say(_("Made {file}: {size} MB, {rows} rows in {tables} tables, {seconds} s.",
          file=made.file, size=f"{size / 1e6:.1f}", rows=sum(made.manifest.counts.values()),
          tables=len(made.manifest.counts), seconds=f"{made.seconds:.1f}"))  # fmt: skip
    say(_("It opens only with {keys}, which is not inside. Keep both, in different places.",
          keys=settings.keys_file.name))  # fmt: skip


def run_restore(settings: Settings, *, file: Path, into: Path | None, owner_url: str | None) -> None:
    manifest = restore(settings, Clock(), file=file, into=into, owner_url=owner_url)
    say(_("Restored: the state of {made_at}, {rows} rows. What came after it is not there.",
          made_at=local_minute(manifest.made_at), rows=sum(manifest.counts.values())))  # fmt: skip
    if manifest.revision != migrations.head():
        say(_("The tables are of an older version. Run `xinqiao db upgrade` before anything else."))
    say(_("Everybody has to sign in again. Run `xinqiao check`, then `xinqiao serve`."))


def run_drill(settings: Settings, *, file: Path, owner_url: str | None) -> bool:
    """Whether the backup could be restored as it is; says what was found."""
    done = drill(settings, file=file, owner_url=owner_url)
    for message, params in done.problems:
        complain(sentence(message, **params))
    for found in done.findings:
        complain(f"{found.invariant:>2}  {sentence(found.message)} {found.count}")
    say(_("Looked at the state of {made_at} (version {version}): {rows} rows, {checked} lines of the trail chained, {unsealed} not chained yet, {seconds} s.",
          made_at=local_minute(done.manifest.made_at), version=done.manifest.app_version,
          rows=sum(done.manifest.counts.values()), checked=done.trail.checked,
          unsealed=done.trail.unsealed, seconds=f"{done.seconds:.1f}"))  # fmt: skip
    if done.sound:
        say(_("The backup can be restored, and every promise holds in it. The trial copy was removed."))
    return done.sound


def local_minute(instant: datetime) -> str:
    return f"{instant.astimezone(LOCAL):%Y-%m-%d %H:%M}"
