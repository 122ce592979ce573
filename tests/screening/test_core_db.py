"""One writer with lanes, sessions that commit together or not at all, and a file that one process holds."""

from __future__ import annotations

import os
import threading
import time
from contextlib import nullcontext
from datetime import UTC, datetime
from pathlib import Path
from uuid import uuid4

import pytest
from sqlalchemy import create_engine, func, select, text
from sqlalchemy.exc import DBAPIError, IntegrityError

from screening.core.actor import Actor
from screening.core.audit import AuditEvent, AuditRow, record
from screening.core.db import Database, Lane, WriterQueue
from screening.core.errors import Unavailable
from screening.models.account import Account, RefreshToken, SignInSession
from tests.conftest import ENGINE

NOW = datetime(2026, 10, 14, 2, 0, tzinfo=UTC)
only_sqlite = pytest.mark.skipif(ENGINE != "sqlite", reason="SQLite has one writer and one process")


def add_row(session):
    record(session, actor=Actor.system(), event=AuditEvent.SIGN_OUT, at=NOW, subject_id=uuid4())


def rows(database) -> int:
    with database.look() as session:
        return session.scalar(select(func.count()).select_from(AuditRow)) or 0


# --- the queue ---------------------------------------------------------------------------------------------


def stand_in_line(queue: WriterQueue, lanes: list[Lane]) -> list[int]:
    """Let these wait behind a writer, one arriving after the other; who came when, by place in ``lanes``."""
    order: list[int] = []
    queue.acquire(Lane.USUAL, timeout=1)

    def come(place: int, lane: Lane) -> None:
        queue.acquire(lane, timeout=10)
        order.append(place)
        queue.release()

    threads = []
    for place, lane in enumerate(lanes):
        thread = threading.Thread(target=come, args=(place, lane))
        thread.start()
        threads.append(thread)
        deadline = time.monotonic() + 5
        while len(queue._waiting) <= place:
            assert time.monotonic() < deadline
            time.sleep(0.001)
    queue.release()
    for thread in threads:
        thread.join(10)
    return order


def test_danger_goes_before_people_and_people_before_bulk_work():
    assert stand_in_line(WriterQueue(), [Lane.BULK, Lane.USUAL, Lane.CRISIS]) == [2, 1, 0]


def test_within_a_lane_who_came_first_goes_first():
    assert stand_in_line(WriterQueue(), [Lane.USUAL] * 6) == [0, 1, 2, 3, 4, 5]


def test_lanes_and_arrival_together():
    lanes = [Lane.BULK, Lane.USUAL, Lane.BULK, Lane.CRISIS, Lane.USUAL, Lane.CRISIS]
    assert stand_in_line(WriterQueue(), lanes) == [3, 5, 1, 4, 0, 2]


def test_who_waits_too_long_is_told_so_and_holds_up_nobody():
    queue = WriterQueue()
    queue.acquire(Lane.USUAL, timeout=1)
    with pytest.raises(Unavailable, match="Nothing was saved"):
        queue.acquire(Lane.CRISIS, timeout=0.05)
    queue.release()
    queue.acquire(Lane.BULK, timeout=1)
    queue.release()


def test_a_turn_may_end_in_another_thread_than_it_began():
    queue = WriterQueue()
    queue.acquire(Lane.USUAL, timeout=1)
    thread = threading.Thread(target=queue.release)
    thread.start()
    thread.join()
    queue.acquire(Lane.USUAL, timeout=1)


# --- sessions ----------------------------------------------------------------------------------------------


def begin_and_fail(database):
    with database.begin() as session:
        add_row(session)
        session.flush()
        raise RuntimeError


def test_a_transaction_is_kept_as_a_whole_or_not_at_all(database):
    with pytest.raises(RuntimeError):
        begin_and_fail(database)
    assert rows(database) == 0
    with database.begin() as session:
        add_row(session)
    assert rows(database) == 1


def test_what_a_reading_session_adds_is_never_kept(database):
    with database.look() as session:
        add_row(session)
        refused = pytest.raises(DBAPIError, match="readonly") if ENGINE == "sqlite" else nullcontext()
        with refused:
            session.flush()
    assert rows(database) == 0


def test_a_reader_waits_for_no_writer_and_sees_nothing_half_done(database):
    with database.begin() as session:
        add_row(session)
        session.flush()
        began = time.monotonic()
        assert rows(database) == 0
        assert time.monotonic() - began < 1
    assert rows(database) == 1


def test_many_writers_at_once_lose_nothing(database):
    failed: list[BaseException] = []

    def write() -> None:
        try:
            for _ in range(5):
                with database.begin() as session:
                    add_row(session)
        except BaseException as error:
            failed.append(error)

    threads = [threading.Thread(target=write) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failed == []
    assert rows(database) == 30


def test_rows_of_one_transaction_may_come_in_any_order_but_point_somewhere_at_its_end(database):
    token = {"digest": b"d" * 32, "issued_at": NOW}
    with pytest.raises(IntegrityError), database.begin() as session:
        session.add(RefreshToken(session_id=uuid4(), **token))
    account = Account(
        username="lin", name="林知远", password_hash="x", password_changed_at=NOW, opened_at=NOW
    )
    sign_in = SignInSession(account_id=account.id, browser=False, started_at=NOW, seen_at=NOW)
    with database.begin() as session:
        for row in (RefreshToken(session_id=sign_in.id, **token), sign_in, account):
            session.add(row)
            session.flush()


def test_an_attribute_that_does_not_exist_is_refused():
    with pytest.raises(TypeError, match="has no attribute nmae"):
        SignInSession(nmae="x")


def test_an_id_is_known_before_the_row_is_stored():
    assert SignInSession().id != SignInSession().id
    own = uuid4()
    assert SignInSession(id=own).id == own


def test_a_plain_default_is_there_before_the_row_is_stored_and_a_given_value_wins():
    account = Account(username="lin", must_change_password=True)
    assert (account.locale, account.failures, account.must_change_password) == ("zh", 0, True)
    assert account.disabled_at is None


# --- SQLite ------------------------------------------------------------------------------------------------


@only_sqlite
def test_a_commit_is_on_disk_and_keys_are_checked(database):
    with database.begin() as session:
        settings = {
            name: session.scalar(text(f"PRAGMA {name}"))
            for name in ("journal_mode", "synchronous", "foreign_keys", "recursive_triggers")
        }
    assert settings == {"journal_mode": "wal", "synchronous": 2, "foreign_keys": 1, "recursive_triggers": 1}
    with database.look() as session:
        assert session.scalar(text("PRAGMA foreign_keys")) == 1


@only_sqlite
def test_closing_leaves_no_log_beside_the_file(database_url, keyring):
    opened = Database(database_url, keyring)
    with opened.begin() as session:
        add_row(session)
    assert rows(opened) == 1
    opened.close()
    path = Path(database_url.removeprefix("sqlite:///"))
    assert {each.name for each in path.parent.glob(f"{path.name}*")} == {path.name, f"{path.name}.lock"}


@only_sqlite
def test_a_second_process_is_refused_in_words(database, database_url, keyring):
    with pytest.raises(Unavailable) as refused:
        Database(database_url, keyring)
    assert str(os.getpid()) in str(refused.value)
    assert "in use by the running service" in str(refused.value)


@only_sqlite
def test_a_closed_file_can_be_opened_again(database, database_url, keyring):
    database.close()
    again = Database(database_url, keyring)
    with again.begin() as session:
        add_row(session)
    again.close()


@only_sqlite
def test_who_is_refused_leaves_the_holder_s_mark(database, database_url, keyring):
    """The refused one has opened the lock file too; it must not have emptied it."""
    for _ in range(2):
        with pytest.raises(Unavailable, match=str(os.getpid())):
            Database(database_url, keyring)


@only_sqlite
def test_a_writer_that_fails_gives_its_turn_back(database, monkeypatch):
    monkeypatch.setattr("screening.core.db.WRITE_WAIT_SECONDS", 1.0)
    for _ in range(3):
        with pytest.raises(RuntimeError):
            begin_and_fail(database)
    with database.begin() as session:
        add_row(session)
    assert rows(database) == 1


@only_sqlite
def test_who_waits_too_long_to_write_is_told_that_nothing_was_saved(database, monkeypatch):
    monkeypatch.setattr("screening.core.db.WRITE_WAIT_SECONDS", 0.05)
    with database.begin(), pytest.raises(Unavailable, match="Nothing was saved"), database.begin():
        pytest.fail("two writers at once")


def test_after_the_database_was_away_the_next_one_is_served(database):
    """Requirement RL8: connections that died are noticed before they are used, and no statement runs for ever."""
    if database.is_sqlite:
        return
    with database.look() as session:
        limit = session.scalar(text("SHOW statement_timeout"))
        on_disk = session.scalar(text("SHOW synchronous_commit"))  # RL1
    # Of this database only: other tests run on the same server.
    others = """
        SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity
        WHERE usename = current_user AND datname = current_database() AND pid <> pg_backend_pid()
    """
    killer = create_engine(database.url)
    with killer.connect() as connection:
        assert connection.scalar(text(others)) >= 1
    killer.dispose()
    with database.begin() as session:
        assert session.scalar(text("SELECT 1")) == 1
    assert (limit, on_disk) == ("10s", "on")
