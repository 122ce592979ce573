"""A PostgreSQL server of the tests' own, thrown away afterwards.

``Cluster.start`` makes a cluster in a temporary directory, reachable by a Unix socket only, without fsync; as
root it runs as the system account ``postgres``, because the server refuses root. A small shell stands between
us and the server and ends it, with its directory, as soon as our end of a pipe closes: however the tests end,
nothing stays behind. With ``TEST_DATABASE_URL`` (the superuser's address, for a server that holds nothing of
value) that server is used instead.

Two roles, as in a real installation: the owner migrates, the application owns nothing.
"""

from __future__ import annotations

import fcntl
import os
import pwd
import shutil
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from uuid import uuid4

import psycopg
from psycopg import sql
from sqlalchemy.engine import URL, make_url

OWNER, APPLICATION = "xinqiao_test_owner", "xinqiao_test_app"
PASSWORD = "only-for-tests"
START_SECONDS = 30

# $1 = directory of the programs, $2 = our directory. Reading fails when the other end closes or dies.
KEEPER = """
"$1/postgres" -D "$2/data" -k "$2" >"$2/log" 2>&1 &
server=$!
read -r _
kill -INT "$server" 2>/dev/null
wait "$server"
rm -rf "$2"
"""
CONFIGURATION = """
listen_addresses = ''
fsync = off
synchronous_commit = off
full_page_writes = off
autovacuum = off
max_connections = 100
shared_buffers = 64MB
lock_timeout = 10s
log_min_messages = warning
"""


class NoServer(Exception):
    """PostgreSQL is not here or did not start; says what to do."""


def find_programs() -> Path:
    """The directory of ``initdb`` and ``postgres``, newest version first. Raises :class:`NoServer`."""
    found = [path for path in Path("/usr/lib/postgresql").glob("*/bin") if (path / "initdb").exists()]
    if found:
        return max(found, key=lambda path: int(path.parent.name))
    on_path = shutil.which("initdb")
    if on_path:
        return Path(on_path).resolve().parent
    raise NoServer(
        "PostgreSQL's programs were not found: run `make test`, or install the package `postgresql`"
    )


@dataclass(frozen=True, slots=True)
class Server:
    """A running server, by its administrator's address."""

    admin: str

    def url(self, database: str, role: str) -> str:
        """The address of one database for the owner or the application."""
        base = make_url(self.admin).set(drivername="postgresql+psycopg", username=role, password=PASSWORD)
        return base.set(database=database).render_as_string(hide_password=False)

    @contextmanager
    def connect(self, database: str | None = None) -> Iterator[psycopg.Connection]:
        """A connection of the administrator that commits each statement by itself."""
        url: URL = make_url(self.admin).set(drivername="postgresql")
        if database:
            url = url.set(database=database)
        with psycopg.connect(url.render_as_string(hide_password=False), autocommit=True) as connection:
            yield connection

    def make_roles(self) -> None:
        with self.connect() as connection:
            for role in (OWNER, APPLICATION):
                known = connection.execute("SELECT 1 FROM pg_roles WHERE rolname = %s", [role]).fetchone()
                verb = sql.SQL("ALTER" if known else "CREATE")
                connection.execute(
                    sql.SQL("{} ROLE {} LOGIN NOSUPERUSER NOBYPASSRLS NOCREATEDB PASSWORD {}").format(
                        verb, sql.Identifier(role), sql.Literal(PASSWORD)
                    )
                )

    def create(self, database: str, *, template: str = "template0") -> None:
        """A database that the owner owns."""
        with self.connect() as connection:
            connection.execute(
                sql.SQL("CREATE DATABASE {} OWNER {} TEMPLATE {} ENCODING 'UTF8'").format(
                    sql.Identifier(database), sql.Identifier(OWNER), sql.Identifier(template)
                )
            )

    def drop(self, database: str) -> None:
        with self.connect() as connection:
            connection.execute(
                sql.SQL("DROP DATABASE IF EXISTS {} WITH (FORCE)").format(sql.Identifier(database))
            )

    def give_to_owner(self, database: str) -> None:
        """The schema is the owner's; nobody else may make tables in it."""
        with self.connect(database) as connection:
            connection.execute("REVOKE ALL ON SCHEMA public FROM PUBLIC")
            connection.execute(sql.SQL("ALTER SCHEMA public OWNER TO {}").format(sql.Identifier(OWNER)))

    def tables(self, database: str) -> list[str]:
        """All tables but the mark of the migrations."""
        with self.connect(database) as connection:
            rows = connection.execute(
                "SELECT tablename FROM pg_tables WHERE schemaname = 'public' ORDER BY 1"
            )
            return [name for (name,) in rows if name != "alembic_version"]

    def filled(self, database: str) -> list[str]:
        """Tables that hold rows."""
        part = sql.SQL("SELECT {name} WHERE EXISTS (SELECT 1 FROM {table})")
        parts = [part.format(name=sql.Literal(t), table=sql.Identifier(t)) for t in _tables(self, database)]
        with self.connect(database) as connection:
            return [name for (name,) in connection.execute(sql.SQL(" UNION ALL ").join(parts))]

    def empty(self, database: str) -> None:
        """Remove every row, those of the trail too, which nobody may do in earnest.

        Deleting the few rows of one test takes a tenth of the time that truncating all tables takes; triggers
        and foreign keys are off for this one connection. One message for all tables: most hold nothing.
        """
        parts = [sql.SQL("DELETE FROM {}").format(sql.Identifier(table)) for table in _tables(self, database)]
        with self.connect(database) as connection:
            connection.execute(
                sql.SQL("; ").join([sql.SQL("SET session_replication_role = replica"), *parts])
            )


@cache
def _tables(server: Server, database: str) -> list[str]:
    """The tables of a database that has been migrated: asked once, before each test they are the same."""
    return server.tables(database)


class Cluster:
    """A running server and what is needed to end it. Made once per test run, in the first process."""

    def __init__(
        self, server: Server, directory: Path | None, keeper: subprocess.Popen[bytes] | None
    ) -> None:
        self.server = server
        self._directory = directory
        self._keeper = keeper

    @classmethod
    def start(cls) -> Cluster:
        """Our own server, or the one of ``TEST_DATABASE_URL``. Raises :class:`NoServer`."""
        given = os.environ.get("TEST_DATABASE_URL")
        cluster = cls(Server(given), None, None) if given else cls._start_own()
        try:
            cluster.server.make_roles()
        except BaseException:
            cluster.stop()
            raise
        return cluster

    @classmethod
    def _start_own(cls) -> Cluster:
        programs = find_programs()
        directory = Path(tempfile.mkdtemp(prefix="xinqiao-pg-", dir="/tmp"))
        user, prefix = _account_for(directory)
        subprocess.run(
            [
                *prefix,
                programs / "initdb",
                "-D",
                directory / "data",
                "-U",
                user,
                "-A",
                "trust",
                "-E",
                "UTF8",
                "--locale=C.UTF-8",
                "--no-sync",
            ],
            check=True,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            cwd="/",
        )
        with (directory / "data" / "postgresql.conf").open("a", encoding="utf-8") as file:
            file.write(CONFIGURATION)
        keeper = subprocess.Popen(
            [*prefix, "sh", "-c", KEEPER, "keeper", programs, directory],
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            start_new_session=True,  # Ctrl-C ends the tests first, and these end the server
            cwd="/",
        )
        cluster = cls(Server(f"postgresql://{user}@/postgres?host={directory}"), directory, keeper)
        cluster._wait_until_ready()
        return cluster

    def _wait_until_ready(self) -> None:
        assert self._directory is not None
        deadline = time.monotonic() + START_SECONDS
        while True:
            try:
                with self.server.connect():
                    return
            except psycopg.OperationalError as error:
                if time.monotonic() > deadline:
                    log = self._directory / "log"
                    said = log.read_text(encoding="utf-8", errors="replace")[-2000:] if log.exists() else ""
                    self.stop()
                    raise NoServer(f"the test server did not start: {error}\n{said}") from error
                time.sleep(0.05)

    def stop(self) -> None:
        """End the server and remove its directory. A server that was given is left as it is."""
        if self._keeper is None or self._directory is None:
            return
        assert self._keeper.stdin is not None
        self._keeper.stdin.close()
        try:
            self._keeper.wait(timeout=START_SECONDS)
        except subprocess.TimeoutExpired:
            self._keeper.kill()
        shutil.rmtree(self._directory, ignore_errors=True)


def _account_for(directory: Path) -> tuple[str, list[str]]:
    """Which system account runs the server, and how a command is run as that account."""
    if os.geteuid() != 0:
        return pwd.getpwuid(os.geteuid()).pw_name, []
    try:
        account = pwd.getpwnam("postgres")
    except KeyError as error:
        raise NoServer("as root the test server needs a system account named postgres") from error
    os.chown(directory, account.pw_uid, account.pw_gid)
    directory.chmod(0o700)
    return "postgres", ["runuser", "-u", "postgres", "--"]


@contextmanager
def one_at_a_time(path: Path) -> Iterator[None]:
    """Among the processes of one test run, only one is inside."""
    with path.open("a") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


def unique_name(word: str) -> str:
    """A database name that no other run on the same server uses."""
    return f"xinqiao_test_{word}_{uuid4().hex[:12]}"
