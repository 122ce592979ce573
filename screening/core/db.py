"""Engine, session and the one writing connection of SQLite.

SQLite: one process holds the file (an operating-system lock), one connection writes behind a fair queue with
lanes, ``BEGIN IMMEDIATE``, WAL and ``synchronous=FULL``, foreign keys on; readers open the file read-only
(decision 32, requirements RL1 and RL14). PostgreSQL: an ordinary pool, statements limited to 10 s.
"""

from __future__ import annotations

import fcntl
import heapq
import os
import threading
from collections.abc import Callable, Hashable, Iterator
from contextlib import contextmanager
from enum import IntEnum
from functools import cache
from itertools import count
from pathlib import Path
from typing import Any, TextIO, TypeVar
from uuid import UUID, uuid4

from sqlalchemy import Connection, Engine, MetaData, create_engine, event, inspect
from sqlalchemy.engine import make_url
from sqlalchemy.orm import DeclarativeBase, Mapped, Session, mapped_column, sessionmaker
from sqlalchemy.pool import ConnectionPoolEntry
from sqlalchemy.sql.schema import ScalarElementColumnDefault

from screening.core.errors import Unavailable
from screening.core.rows import RowSession
from screening.core.sealing import Keyring

T = TypeVar("T")

WRITE_WAIT_SECONDS = 30.0
STATEMENT_LIMIT_MS = 10_000


class Base(DeclarativeBase):
    """Every table. Ids are random and known before the row is stored, so that cells can be bound to them; plain
    defaults are there before it is stored as well, so that nothing depends on when it is written out."""

    metadata = MetaData(
        naming_convention={
            "ix": "ix_%(table_name)s_%(column_0_N_name)s",
            "uq": "uq_%(table_name)s_%(column_0_N_name)s",
            "ck": "ck_%(table_name)s_%(constraint_name)s",
            "fk": "fk_%(table_name)s_%(column_0_N_name)s_%(referred_table_name)s",
            "pk": "pk_%(table_name)s",
        }
    )

    id: Mapped[UUID] = mapped_column(primary_key=True, default=uuid4)

    def __init__(self, **values: Any) -> None:
        self.id = values.pop("id", None) or uuid4()
        known = _names(type(self))
        for name, value in {**_defaults(type(self)), **values}.items():
            if name not in known:
                raise TypeError(f"{type(self).__name__} has no attribute {name}")
            setattr(self, name, value)


@cache
def _names(table: type[Base]) -> frozenset[str]:
    """What may be given when a row is made."""
    return frozenset(dir(table))


@cache
def _defaults(table: type[Base]) -> dict[str, Any]:
    """Defaults that are plain values. The version counter is left to SQLAlchemy, which counts it itself."""
    mapper = inspect(table)
    return {
        attribute.key: column.default.arg
        for attribute in mapper.column_attrs
        for column in attribute.columns
        if isinstance(column.default, ScalarElementColumnDefault) and column is not mapper.version_id_col
    }


class Lane(IntEnum):
    """Who goes first when several wait to write: danger, then people, then bulk work."""

    CRISIS = 0
    USUAL = 1
    BULK = 2


class WriterQueue:
    """One writer at a time, in order of lane and arrival. May be released by another thread than took it."""

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._waiting: list[tuple[int, int]] = []
        self._tickets = count()
        self._busy = False

    def acquire(self, lane: Lane, *, timeout: float) -> None:
        """Wait for a turn. Raises :class:`Unavailable` after ``timeout`` seconds."""
        with self._changed:
            ticket = (int(lane), next(self._tickets))
            heapq.heappush(self._waiting, ticket)
            came = self._changed.wait_for(lambda: not self._busy and self._waiting[0] == ticket, timeout)
            if not came:
                self._waiting.remove(ticket)
                heapq.heapify(self._waiting)
                self._changed.notify_all()
                raise Unavailable("The service is busy. Nothing was saved; please try again in a moment.")
            heapq.heappop(self._waiting)
            self._busy = True

    def release(self) -> None:
        with self._changed:
            self._busy = False
            self._changed.notify_all()


class Database:
    """Where everything is kept: gives sessions that commit together or not at all."""

    def __init__(self, url: str, keyring: Keyring, *, pool_size: int = 10, hold: bool = True) -> None:
        self.url = make_url(url)
        self.keyring = keyring
        self.is_sqlite = self.url.get_backend_name() == "sqlite"
        self._held: TextIO | None = None
        self._queue = WriterQueue() if self.is_sqlite else None
        if self.is_sqlite and hold:
            self._held = _hold(Path(str(self.url.database)))
        self.engine = _sqlite(url, readers=False) if self.is_sqlite else _postgresql(url, pool_size)
        self._readers = _sqlite(url, readers=True) if self.is_sqlite else self.engine
        self._write = _sessions(self.engine, keyring)
        self._read = _sessions(self._readers, keyring)

    @contextmanager
    def begin(self, lane: Lane = Lane.USUAL) -> Iterator[Session]:
        """A session in one transaction: committed at the end of the block, rolled back by an exception."""
        if self._queue is not None:
            self._queue.acquire(lane, timeout=WRITE_WAIT_SECONDS)
        try:
            with self._write.begin() as session:
                yield session
        finally:
            if self._queue is not None:
                self._queue.release()

    @contextmanager
    def look(self) -> Iterator[Session]:
        """A session that reads and never writes; it waits for nobody. Only for what needs no trail."""
        with self._read() as session:
            try:
                yield session
            finally:
                session.rollback()

    def close(self) -> None:
        # Readers first: SQLite removes the write-ahead log when the last connection that may write goes.
        self._readers.dispose()
        self.engine.dispose()
        if self._held is not None:
            self._held.close()
            self._held = None


def once(session: Session, what: Hashable, read: Callable[[], T]) -> T:
    """What ``read`` says, asked once per transaction: for places, agreements and the like, which many rows of one
    piece of work need and none of them changes. ``what`` names it, with everything the answer depends on."""
    known: dict[Hashable, T] = session.info.setdefault("once", {})
    if what not in known:
        with session.no_autoflush:  # none of it waits in this transaction to be written
            known[what] = read()
    return known[what]


def _sessions(engine: Engine, keyring: Keyring) -> sessionmaker[RowSession]:
    maker = sessionmaker(engine, class_=RowSession, expire_on_commit=False, info={"keyring": keyring})
    event.listen(maker, "before_flush", _seal_cells)
    return maker


def _seal_cells(session: Session, *_: object) -> None:
    keyring = session.info["keyring"]
    for thing in (*session.new, *session.dirty):
        for attribute in getattr(thing, "sealed_attributes", {}).values():
            attribute.seal(thing, keyring)


def _hold(path: Path) -> TextIO:
    """Take the file for this process. Raises :class:`Unavailable` naming the process that has it."""
    lock = open(f"{path}.lock", "a+")  # noqa: SIM115  # kept open: closing it gives the file up
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as taken:
        lock.seek(0)
        pid = lock.read().strip() or "?"
        lock.close()
        raise Unavailable(
            "The database is in use by the running service (process {pid}). Stop it first, or use its pages.",
            pid=pid,
        ) from taken
    lock.truncate(0)
    lock.write(str(os.getpid()))
    lock.flush()
    return lock


def _sqlite(url: str, *, readers: bool) -> Engine:
    path = Path(str(make_url(url).database))
    if readers:
        address = f"sqlite+pysqlite:///file:{path}?mode=ro&uri=true"
        engine = create_engine(
            address, connect_args={"check_same_thread": False}, pool_size=8, max_overflow=8
        )
    else:
        engine = create_engine(
            f"sqlite+pysqlite:///{path}",
            connect_args={"check_same_thread": False},
            pool_size=1,
            max_overflow=0,
        )

    @event.listens_for(engine, "connect")
    def settle(connection: Any, _: ConnectionPoolEntry) -> None:
        connection.isolation_level = None  # the driver's own BEGIN comes too late and is never IMMEDIATE
        cursor = connection.cursor()
        cursor.execute("PRAGMA foreign_keys = ON")
        cursor.execute("PRAGMA recursive_triggers = ON")
        cursor.execute("PRAGMA busy_timeout = 5000")
        cursor.execute("PRAGMA temp_store = MEMORY")
        if not readers:
            cursor.execute("PRAGMA journal_mode = WAL")
            cursor.execute("PRAGMA synchronous = FULL")
        cursor.close()

    @event.listens_for(engine, "begin")
    def begin(connection: Connection) -> None:
        connection.exec_driver_sql("BEGIN" if readers else "BEGIN IMMEDIATE")

    return engine


def _postgresql(url: str, pool_size: int) -> Engine:
    return create_engine(
        url,
        pool_size=pool_size,
        max_overflow=0,
        pool_pre_ping=True,
        pool_timeout=5,
        # What was answered as stored is on disk, whatever the server was told to do by default (RL1).
        connect_args={
            "options": f"-c statement_timeout={STATEMENT_LIMIT_MS} -c timezone=UTC -c synchronous_commit=on"
        },
    )
