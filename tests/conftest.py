"""What every test can ask for: a clean database, a clock that stands still, settings, the real answers.

``XINQIAO_TEST_DATABASE`` (sqlite, the default, or postgresql) chooses the engine; ``make test`` runs both.
Tests talk to this machine only. Nothing here depends on the order of tests.
"""

from __future__ import annotations

import ipaddress
import os
import shutil
import socket
import sqlite3
import sys
import tempfile
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import hypothesis
import pytest

from tests.postgres import APPLICATION, OWNER, Cluster, Server, one_at_a_time, unique_name

if TYPE_CHECKING:
    from screening.core.clock import FixedClock
    from screening.core.db import Database
    from screening.core.sealing import Keyring
    from screening.core.settings import Settings
    from tests.factories import World

ROOT = Path(__file__).resolve().parent.parent
REAL_DATA = Path(os.environ.get("XINQIAO_REAL_DATA", ROOT.parent / "shared" / "data"))
ENGINE = os.environ.get("XINQIAO_TEST_DATABASE", "sqlite")
SHARED, SERVER = (
    "XINQIAO_TEST_SHARED",
    "XINQIAO_TEST_SERVER",
)  # set here, inherited by the other test processes

hypothesis.settings.register_profile(
    "steady", deadline=None, derandomize=True, database=None, print_blob=True
)
hypothesis.settings.load_profile("steady")


# --- the run -----------------------------------------------------------------------------------------------


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--only-database", action="store_true", help="only tests that use a database")


class Run:
    """What lives as long as the whole run: a directory that its processes share, and the test server."""

    def __init__(self) -> None:
        self.directory = Path(tempfile.mkdtemp(prefix="xinqiao-tests-"))
        os.environ[SHARED] = str(self.directory)
        self.cluster: Cluster | None = None
        if ENGINE == "postgresql":
            self.cluster = Cluster.start()
            os.environ[SERVER] = self.cluster.server.admin

    def end(self) -> None:
        template = self.directory / "template"
        if self.cluster is not None:
            if template.exists():
                self.cluster.server.drop(template.read_text(encoding="utf-8"))
            self.cluster.stop()
        shutil.rmtree(self.directory, ignore_errors=True)
        for name in (SHARED, SERVER):
            os.environ.pop(name, None)


RUN = pytest.StashKey[Run]()


def pytest_configure(config: pytest.Config) -> None:
    if ENGINE not in {"sqlite", "postgresql"}:
        raise pytest.UsageError(f"XINQIAO_TEST_DATABASE is sqlite or postgresql, not {ENGINE!r}")
    sys.addaudithook(_this_machine_only)
    if not hasattr(config, "workerinput"):  # the first process; the others find what it has started
        config.stash[RUN] = Run()


def pytest_unconfigure(config: pytest.Config) -> None:
    run = config.stash.get(RUN, None)
    if run is not None:
        run.end()


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    if config.getoption("--only-database"):
        uses = [
            item
            for item in items
            if "database_url" in getattr(item, "fixturenames", ())
            and not item.get_closest_marker("any_engine")
        ]
        config.hook.pytest_deselected(items=[item for item in items if item not in set(uses)])
        items[:] = uses
    if not REAL_DATA.is_dir():
        absent = pytest.mark.skip(reason=f"no real answers here: XINQIAO_REAL_DATA or {REAL_DATA}")
        for item in items:
            if item.get_closest_marker("real"):
                item.add_marker(absent)


# --- no network --------------------------------------------------------------------------------------------


class OutsideRefused(RuntimeError):
    """A test tried to reach another machine."""


def _is_this_machine(host: object) -> bool:
    if host in (None, "", b"", "localhost", b"localhost"):
        return True
    text = host.decode() if isinstance(host, bytes) else str(host)
    try:
        return ipaddress.ip_address(text.split("%")[0]).is_loopback
    except ValueError:
        return False


def _this_machine_only(event: str, arguments: tuple[Any, ...]) -> None:
    """An audit hook: sees each connection of this process, whichever library makes it."""
    if event in {"socket.connect", "socket.sendto", "socket.bind"}:
        opened, address = arguments[0], arguments[1]
        inside = opened.family not in {socket.AF_INET, socket.AF_INET6} or _is_this_machine(address[0])
    elif event in {"socket.getaddrinfo", "socket.gethostbyname"}:
        inside = _is_this_machine(arguments[0])
    else:
        return
    if not inside:
        raise OutsideRefused(f"{event}: tests talk to this machine only")


# --- database ----------------------------------------------------------------------------------------------


@pytest.fixture(scope="session")
def shared_directory() -> Path:
    """A directory that all processes of this run see."""
    return Path(os.environ[SHARED])


@pytest.fixture(scope="session")
def migrated_file(shared_directory: Path) -> Path:
    """An SQLite file with all tables and no rows, made once per run."""
    from api import migrations

    path = shared_directory / "template.sqlite"
    with one_at_a_time(shared_directory / "template.lock"):
        if not path.exists():
            draft = path.with_suffix(".draft")
            migrations.upgrade(f"sqlite:///{draft}")
            with sqlite3.connect(draft) as connection:
                connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
            connection.close()
            draft.rename(path)
    return path


@pytest.fixture(scope="session")
def template_database(shared_directory: Path) -> str:
    """The name of a PostgreSQL database with all tables and no rows, made once per run."""
    from api import migrations

    server, mark = Server(os.environ[SERVER]), shared_directory / "template"
    with one_at_a_time(shared_directory / "template.lock"):
        if not mark.exists():
            name = unique_name("template")
            server.create(name)
            server.give_to_owner(name)
            migrations.upgrade(server.url(name, APPLICATION), owner_url=server.url(name, OWNER))
            # Tests empty every table: a row that a migration stores would be there in the first test only.
            assert server.filled(name) == []
            mark.write_text(name, encoding="utf-8")
    return mark.read_text(encoding="utf-8")


@pytest.fixture(scope="session")
def own_database(request: pytest.FixtureRequest) -> Iterator[str]:
    """This process's own PostgreSQL database, a copy of the migrated one."""
    template = request.getfixturevalue("template_database")
    server, name = Server(os.environ[SERVER]), unique_name(os.environ.get("PYTEST_XDIST_WORKER", "main"))
    with one_at_a_time(Path(os.environ[SHARED]) / "copy.lock"):
        server.create(name, template=template)
    yield name
    server.drop(name)


@pytest.fixture
def database_url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """The address of a migrated, empty database for the application's role."""
    if ENGINE == "sqlite":
        path = tmp_path / "xinqiao.sqlite"
        shutil.copyfile(request.getfixturevalue("migrated_file"), path)
        return f"sqlite:///{path}"
    server, name = Server(os.environ[SERVER]), request.getfixturevalue("own_database")
    server.empty(name)
    return server.url(name, APPLICATION)


@pytest.fixture(scope="session")
def keyring() -> Keyring:
    """Keys for sealed cells: the same in every run, and nowhere else."""
    from screening.core.sealing import Keyring

    return Keyring(keys={1: bytes(range(32))}, current=1, index_key=bytes(range(32, 64)))


@pytest.fixture(scope="session", autouse=True)
def statements_compiled_once() -> Iterator[None]:
    """SQLAlchemy keeps compiled statements by engine, and each test has engines of its own: here those of one process
    share what they have compiled, as those of a service do that runs for months."""
    from screening.core.db import Database

    first: dict[tuple[str, str], Any] = {}
    plain = Database.__init__

    def sharing(self: Database, *given: Any, **named: Any) -> None:
        plain(self, *given, **named)
        for engine in {self.engine, self._readers}:
            known = first.setdefault(
                (engine.dialect.name, "writes" if engine is self.engine else "reads"), engine
            )
            engine._compiled_cache = known._compiled_cache
            engine.dialect = engine.pool._dialect = known.dialect

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Database, "__init__", sharing)
        yield


@pytest.fixture
def database(database_url: str, keyring: Keyring) -> Iterator[Database]:
    """A clean :class:`Database`: SQLite as a copy of a migrated file, PostgreSQL emptied."""
    from screening.core.db import Database

    opened = Database(database_url, keyring)
    yield opened
    opened.close()


# --- settings, clock, real answers -------------------------------------------------------------------------


@pytest.fixture
def settings(tmp_path: Path, database_url: str) -> Settings:
    """Settings of a service in a directory of its own, over an https address, without a worker inside."""
    from screening.core.settings import Settings

    return Settings.of_home(
        tmp_path,
        database_url=database_url,
        base_url="https://testserver",
        allowed_hosts=("testserver", "127.0.0.1", "localhost"),
        worker_inside=False,
    )


@pytest.fixture
def clock() -> FixedClock:
    """A Wednesday in term time, ten in the morning; ``set`` and ``forward`` move it."""
    from screening.core.clock import LOCAL, FixedClock

    return FixedClock(datetime(2026, 10, 14, 10, 0, tzinfo=LOCAL))


@pytest.fixture(scope="session")
def real_data() -> Path:
    """Where the real answers are. Tests that ask for it carry the mark ``real``."""
    return REAL_DATA


@pytest.fixture
def world(database: Database, clock: FixedClock) -> World:
    """A county with two schools, two clinics, a hotline, and an account for each role: see ``tests/factories.py``."""
    from tests.factories import make_county

    return make_county(database, clock)
