"""The directory that a service lives in: made once, opened by every command that needs the database.

It holds the data keys, the keys that sign tokens and, on one machine, the SQLite file; mode 0700, files 0600
(requirement CR7). Nothing here makes a database by accident: a missing or empty one is refused (RL10).
"""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import date
from pathlib import Path

from sqlalchemy import inspect
from sqlalchemy.engine import make_url
from sqlalchemy.orm import Session

from api import migrations
from api.auth import keys as token_keys
from instruments import use_folder
from screening.core.actor import Actor
from screening.core.db import Database
from screening.core.errors import Conflict, NotFound, Unavailable
from screening.core.sealing import Keyring, read_keys, write_keys
from screening.core.settings import Settings
from screening.queries.accounts import find_account, live_grants

log = logging.getLogger(__name__)


def init_home(settings: Settings, *, owner_url: str | None = None) -> None:
    """Make directory, keys and tables. Keys that are there are kept: a restore brings the old ones.

    ``owner_url``: PostgreSQL, the role that owns the tables; without it the application's role does.
    Raises :class:`Conflict` when there is something in the database already.
    """
    if not is_empty(owner_url or settings.database_url):
        raise Conflict(
            "There is a database here already. `xinqiao db upgrade` brings it up to date; nothing was changed."
        )
    settings.home.mkdir(mode=0o700, parents=True, exist_ok=True)
    settings.home.chmod(0o700)
    if not settings.keys_file.exists():
        write_keys(settings.keys_file, Keyring.generate())
    keyring = read_keys(settings.keys_file)
    if not settings.tokens_file.exists():
        token_keys.create(settings.tokens_file)
    _upgrade(settings, keyring, owner_url)


def upgrade_home(settings: Settings, *, owner_url: str | None = None) -> tuple[str, str]:
    """Bring the tables up to date. Returns the step before and the step after."""
    before = _step(settings)
    _upgrade(settings, read_keys(settings.keys_file), owner_url)
    return before, migrations.head()


def open_home(settings: Settings, *, hold: bool = True) -> Database:
    """The database of a home that was made before. Raises ``Unavailable`` or ``KeysRefused`` in words.

    ``hold`` takes the SQLite file for this process; without it only ``look`` may be used, beside a running service.
    """
    if _step(settings) != migrations.head():
        raise Unavailable(
            "The database is older than this version. Make a backup, then run `xinqiao db upgrade`."
        )
    own_instruments(settings)
    return Database(settings.database_url, read_keys(settings.keys_file), hold=hold)


def own_instruments(settings: Settings) -> None:
    """The district's own questionnaires, as far as they are ready. What is wrong with the others is said in the log,
    and never keeps a service from starting: a child's sheet of another questionnaire cannot wait for it."""
    try:
        checks = use_folder(settings.instruments)
    except OSError:
        log.error("The folder of the district's own questionnaires cannot be read (XINQIAO_INSTRUMENTS).")
        use_folder(None)
        return
    for check in checks:
        if not check.ready:
            log.error("Questionnaire %s is not used: run `xinqiao instruments check` on it.", check.file)


@contextmanager
def opened(settings: Settings, *, hold: bool = True) -> Iterator[Database]:
    """The same for the length of a block."""
    database = open_home(settings, hold=hold)
    try:
        yield database
    finally:
        close(database, checkpoint=hold)


def close(database: Database, *, checkpoint: bool = True) -> None:
    """Close; an SQLite file is left without a write-ahead log beside it (requirement RL9)."""
    if checkpoint and database.is_sqlite:
        raw = database.engine.raw_connection()
        try:
            raw.cursor().execute("PRAGMA wal_checkpoint(TRUNCATE)")
        finally:
            raw.close()
    database.close()


def actor_named(session: Session, *, username: str, today: date) -> Actor:
    """The person a command acts for, with the roles of today. Raises :class:`NotFound`."""
    account = find_account(session, username=username.strip().lower())
    if account is None or account.disabled_at is not None:
        raise NotFound("There is no open account of this user name.")
    return Actor(account_id=account.id, grants=live_grants(session, account_id=account.id, today=today))


def is_empty(url: str) -> bool:
    """Whether there is no table at all; an SQLite file that is not there is empty."""
    address = make_url(url)
    if address.get_backend_name() == "sqlite" and not Path(str(address.database)).is_file():
        return True
    with migrations.connection(url, reading=True) as connection:
        return not inspect(connection).get_table_names()


def _step(settings: Settings) -> str:
    found = migrations.current(settings.database_url)
    if found is None:
        raise Unavailable(
            "There is no database here, or it is empty. Make a new one with `xinqiao db init`, or restore a backup."
        )
    if not migrations.known(found):
        raise Unavailable(
            "The database was written by a newer version of this program. Install that version."
        )
    return found


def _upgrade(settings: Settings, keyring: Keyring, owner_url: str | None) -> None:
    holding = Database(settings.database_url, keyring)  # SQLite: refuses while the service runs
    try:
        migrations.upgrade(settings.database_url, owner_url=owner_url)
        if holding.is_sqlite:
            Path(str(holding.url.database)).chmod(0o600)
    finally:
        close(holding)
