"""PostgreSQL's own tools for backups: ``pg_dump`` at one snapshot, ``pg_restore`` in one transaction.

A dump once a night beside a write-ahead archive is what a city uses (``docs/operate.md``); this wraps the same dump
into our encrypted file. Passwords go to the tools by environment, never by command line.
"""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from secrets import token_hex

import psycopg
from sqlalchemy import Connection, inspect
from sqlalchemy.engine import URL, make_url

from api import migrations
from screening.core.errors import Unavailable

# What a SQLAlchemy address may say and libpq knows as a variable.
_QUERY = {
    "host": "PGHOST",
    "port": "PGPORT",
    "sslmode": "PGSSLMODE",
    "sslrootcert": "PGSSLROOTCERT",
    "sslcert": "PGSSLCERT",
    "sslkey": "PGSSLKEY",
}
REASON_LIMIT = 300


def dump(url: str, to: Path) -> dict[str, int]:
    """A dump in custom format. Returns the rows by table in the same snapshot. Raises :class:`Unavailable`."""
    tool = find("pg_dump")
    with migrations.connection(url, reading=True) as opened:
        opened.execution_options(isolation_level="REPEATABLE READ")
        snapshot = str(_one(opened, "SELECT pg_export_snapshot()"))
        counts = _count(opened)
        to.touch(mode=0o600, exist_ok=False)
        # Our file compresses by itself; owners and privileges are those of the place it is restored to.
        _run(
            [tool, "--format=custom", "--compress=0", "--no-owner", "--no-privileges",
             f"--snapshot={snapshot}", f"--file={to}"],
            url,
        )  # fmt: skip
    return counts


def load(url: str, dumped: Path) -> None:
    """Restore into an empty database, all or nothing. Raises :class:`Unavailable`."""
    tool = find("pg_restore")
    name = str(make_url(url).database)
    _run(
        [tool, "--exit-on-error", "--single-transaction", "--no-owner", "--no-privileges",
         f"--dbname={name}", str(dumped)],
        url,
    )  # fmt: skip


def count(url: str) -> dict[str, int]:
    """Rows by table."""
    with migrations.connection(url, reading=True) as opened:
        return _count(opened)


@contextmanager
def trial(url: str) -> Iterator[str]:
    """The address of a new empty database on the same server, dropped at the end of the block."""
    address = make_url(url)
    name = f"xinqiao_check_{token_hex(6)}"
    with migrations.connection(url) as opened:
        opened.execution_options(isolation_level="AUTOCOMMIT")
        try:
            _one(opened, f'CREATE DATABASE "{name}" TEMPLATE template0')
        except psycopg.Error as error:
            raise Unavailable(
                "The role may not make a database for the trial. Name one that may (XINQIAO_OWNER_URL), or give it the right for this purpose: ALTER ROLE … CREATEDB."
            ) from error
        try:
            yield address.set(database=name).render_as_string(hide_password=False)
        finally:
            with suppress(psycopg.Error):
                _one(opened, f'DROP DATABASE IF EXISTS "{name}" WITH (FORCE)')


def find(tool: str) -> str:
    """Where a program is. Raises :class:`Unavailable` with what to type instead."""
    found = shutil.which(tool)
    if found is None:
        raise Unavailable(
            "PostgreSQL is backed up with its own tools, and {tool} is not here. Install postgresql-client and run this again; or use pg_dump --format=custom --file=xinqiao.dump on the database server, and an archive of its write-ahead log for any point in time.",
            tool=tool,
        )
    return found


def environment(address: URL) -> dict[str, str]:
    """libpq's variables for an address; without a word about it on the command line."""
    said = {
        "PGHOST": address.host,
        "PGPORT": str(address.port) if address.port else None,
        "PGUSER": address.username,
        "PGPASSWORD": str(address.password) if address.password else None,
        "PGDATABASE": address.database,
    }
    for name, value in address.query.items():
        if name in _QUERY:
            said[_QUERY[name]] = value if isinstance(value, str) else value[0]
    kept = {name: value for name, value in os.environ.items() if not name.startswith("PG")}
    return {**kept, **{name: value for name, value in said.items() if value}}


def _run(words: list[str], url: str) -> None:
    done = subprocess.run(  # noqa: S603  # a program of PostgreSQL, with words of our own
        words, env=environment(make_url(url)), stdin=subprocess.DEVNULL, capture_output=True, check=False
    )
    if done.returncode:
        said = done.stderr.decode("utf-8", "replace").strip().splitlines()
        raise Unavailable(
            "{tool} has failed: {reason}",
            tool=Path(words[0]).name,
            reason=(said[0] if said else str(done.returncode))[:REASON_LIMIT],
        )


def _count(opened: Connection) -> dict[str, int]:
    tables = sorted(inspect(opened).get_table_names())
    return {name: int(str(_one(opened, f'SELECT count(*) FROM "{name}"'))) for name in tables}  # noqa: S608  # names of our own tables


def _one(opened: Connection, statement: str) -> object:
    """The first value that a statement gives, ``None`` for one that gives nothing."""
    cursor = opened.connection.cursor()
    try:
        cursor.execute(statement)
        row = cursor.fetchone() if cursor.description else None
        return row[0] if row else None
    finally:
        cursor.close()
