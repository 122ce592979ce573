"""The tables of the service, step by step, on SQLite and PostgreSQL. Ships in the wheel.

Each step is one transaction together with its mark in ``alembic_version``, so that a kill in the middle leaves the
step before, and the next run goes on from there (requirement RL11). On PostgreSQL the owner migrates and the
application's role owns nothing: it may read and write rows, and of the trail it may only read and add (AD2).

A migration that has shipped is never edited. A new one is drafted by ``python -m api.migrations "what it does"``.
"""

from __future__ import annotations

import importlib
import logging
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, Engine, MetaData, create_engine, event, pool, text
from sqlalchemy.engine import make_url

PLACE = Path(__file__).resolve().parent
# Rows that are only ever added. The application's role may read and add; triggers stop everybody else.
APPEND_ONLY = ("audit_row", "audit_seal")

log = logging.getLogger(__name__)


def upgrade(url: str, *, owner_url: str | None = None, revision: str = "head") -> None:
    """Bring the database at ``url`` to ``revision``, making an SQLite file that is missing.

    PostgreSQL: with ``owner_url`` that role migrates, and the role of ``url`` is given what it may do and no more.
    """
    with connection(owner_url or url) as opened:
        command.upgrade(config(opened), revision)
    if owner_url is not None and make_url(url).get_backend_name() == "postgresql":
        with connection(owner_url) as opened, opened.begin():
            _grant(opened, make_url(url).username or "")


def downgrade(url: str, *, revision: str = "base") -> None:
    """Take the steps back. For tests and for an operator who has just upgraded by mistake: rows are lost."""
    with connection(url) as opened:
        command.downgrade(config(opened), revision)


def current(url: str) -> str | None:
    """The step the database at ``url`` is at; ``None`` for an empty one or an SQLite file that is not there."""
    address = make_url(url)
    if address.get_backend_name() == "sqlite" and not Path(str(address.database)).is_file():
        return None
    with connection(url, reading=True) as opened:
        return MigrationContext.configure(opened).get_current_revision()


def head() -> str:
    """The newest step this code knows."""
    found = ScriptDirectory.from_config(config()).get_current_head()
    if found is None:
        raise RuntimeError("the package holds no migrations")
    return found


def known(revision: str) -> bool:
    """Whether this code knows a step; a database at one it does not know comes from a newer version."""
    return revision in {script.revision for script in ScriptDirectory.from_config(config()).walk_revisions()}


def check(url: str) -> tuple[str, ...]:
    """What differs between the tables at ``url`` and the models; empty when nothing does."""
    with connection(url, reading=True) as opened:
        context = MigrationContext.configure(opened, opts={"compare_type": True})
        return tuple(_words(change) for change in compare_metadata(context, models()))


def models() -> MetaData:
    """All tables of the service. Imported here and not above: starting a command must stay quick."""
    for name in ("audit", "documents", "idempotency", "outbox"):
        importlib.import_module(f"screening.core.{name}")
    for name in ("screening.models", "referral.models"):
        importlib.import_module(name)
    from screening.core.db import Base

    return Base.metadata


@contextmanager
def connection(url: str, *, reading: bool = False) -> Iterator[Connection]:
    """A connection of its own, in which statements that change tables are part of the transaction.

    With ``reading`` an SQLite file is opened read-only, so that looking at it never disturbs the service that
    holds it (requirement RL14).
    """
    engine = _engine(url, reading)
    try:
        with engine.connect() as opened:
            yield opened
    finally:
        engine.dispose()


def _engine(url: str, reading: bool) -> Engine:
    address = make_url(url)
    if address.get_backend_name() != "sqlite":
        return create_engine(address, poolclass=pool.NullPool)
    if reading:
        return create_engine(
            f"sqlite+pysqlite:///file:{address.database}?mode=ro&uri=true", poolclass=pool.NullPool
        )
    engine = create_engine(address, poolclass=pool.NullPool)

    @event.listens_for(engine, "connect")
    def settle(raw: Any, _: object) -> None:
        raw.isolation_level = None  # the driver would commit before each change of a table
        raw.execute("PRAGMA foreign_keys = ON")
        raw.execute("PRAGMA recursive_triggers = ON")
        raw.execute("PRAGMA busy_timeout = 5000")

    @event.listens_for(engine, "begin")
    def begin(opened: Connection) -> None:
        opened.exec_driver_sql("BEGIN IMMEDIATE")

    return engine


def config(opened: Connection | None = None) -> Config:
    """Alembic's settings, without a file of its own."""
    made = Config()
    made.set_main_option("script_location", str(PLACE))
    made.attributes["connection"] = opened
    return made


def _grant(opened: Connection, role: str) -> None:
    """What the application's role may do. Said again after each upgrade, so that new tables are included."""
    quoted = opened.dialect.identifier_preparer.quote(role)
    for statement in (
        f"GRANT USAGE ON SCHEMA public TO {quoted}",
        f"GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA public TO {quoted}",
        f"REVOKE INSERT, UPDATE, DELETE ON alembic_version FROM {quoted}",
        *(f"REVOKE UPDATE, DELETE, TRUNCATE ON {table} FROM {quoted}" for table in APPEND_ONLY),
    ):
        opened.execute(text(statement))


def _words(change: Any) -> str:
    """One difference as a line. Alembic gives a tuple, or a list of them for the columns of one table."""
    if isinstance(change, list):
        return "; ".join(_words(part) for part in change)
    return " ".join(str(getattr(part, "name", None) or part) for part in change if part is not None)
