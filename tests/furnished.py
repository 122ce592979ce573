"""A county is built once per process; in later tests its rows are put into the empty database as they were.

Building takes some sixty statements through the real actions, and hundreds of tests begin with it.
"""

from __future__ import annotations

import os
import shutil
import sqlite3
import tempfile
from collections.abc import Callable, Hashable
from pathlib import Path
from typing import TypeVar

from psycopg import sql

from screening.core.db import Database
from tests.postgres import Server

T = TypeVar("T")
Put = Callable[[Database], None]
SERVER = "XINQIAO_TEST_SERVER"  # set by the run's first process (tests/conftest.py)

_known: dict[Hashable, tuple[Put, object]] = {}


def furnish(
    database: Database,
    what: Hashable,
    *,
    build: Callable[[], T],
    again: Callable[[T], T],
) -> T:
    """What ``build`` makes in an empty ``database``; the second time its rows are stored and ``again`` gives a copy of
    what it returned. ``what`` names it, with everything that decides how it turns out. A database that has been used
    is built in the long way."""
    if not _is_new(database):
        return build()
    if what in _known:
        put, made = _known[what]
        put(database)
        return again(made)  # type: ignore[arg-type]
    built = build()
    _known[what] = (_keep(database), again(built))
    return built


def _is_new(database: Database) -> bool:
    """Nobody has been connected through it, and it is one of the run's own."""
    pools = [engine.pool for engine in (database.engine, database._readers)]
    unused = all(pool.checkedin() == 0 and pool.checkedout() == 0 for pool in pools)  # type: ignore[attr-defined]
    return unused and "XINQIAO_TEST_SHARED" in os.environ and (database.is_sqlite or SERVER in os.environ)


def _keep(database: Database) -> Put:
    return _keep_file(database) if database.is_sqlite else _keep_rows(database)


def _keep_file(database: Database) -> Put:
    kept = Path(tempfile.mkstemp(suffix=".sqlite", dir=os.environ["XINQIAO_TEST_SHARED"])[1])
    with sqlite3.connect(str(database.url.database)) as source, sqlite3.connect(kept) as target:
        source.backup(target)
    source.close()
    target.close()

    def put(other: Database) -> None:
        shutil.copyfile(kept, str(other.url.database))

    return put


def _keep_rows(database: Database) -> Put:
    server, name = Server(os.environ[SERVER]), str(database.url.database)
    rows: dict[str, bytes] = {}
    with server.connect(name) as connection:
        for table in server.filled(name):
            command = sql.SQL("COPY {} TO STDOUT (FORMAT binary)").format(sql.Identifier(table))
            with connection.cursor().copy(command) as copy:
                rows[table] = b"".join(bytes(piece) for piece in copy)

    def put(other: Database) -> None:
        with server.connect(str(other.url.database)) as connection:
            # Foreign keys and the trail's triggers have been satisfied once.
            connection.execute("SET session_replication_role = replica")
            for table, data in rows.items():
                command = sql.SQL("COPY {} FROM STDIN (FORMAT binary)").format(sql.Identifier(table))
                with connection.cursor().copy(command) as copy:
                    copy.write(data)

    return put
