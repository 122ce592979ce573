"""The trail: in the transaction of the thing itself, chained afterwards, and any tampering is found."""

from __future__ import annotations

import json
import os
import sqlite3
from datetime import UTC, datetime, timedelta
from uuid import uuid4

import pytest
from sqlalchemy import select

from screening.core.actor import Actor
from screening.core.audit import (
    GENESIS,
    AuditEvent,
    AuditRow,
    AuditSeal,
    Verdict,
    digest_of,
    record,
    record_list,
    seal_tail,
    verify,
)
from tests.conftest import ENGINE, SERVER
from tests.postgres import Server

NOW = datetime(2026, 10, 14, 2, 0, tzinfo=UTC)


def add(database, count: int, since: datetime = NOW) -> list:
    with database.begin() as session:
        for number in range(count):
            record(
                session,
                actor=Actor(account_id=uuid4()),
                event=AuditEvent.CHILD_READ,
                at=since + timedelta(seconds=number),
                child_id=uuid4(),
                detail={"part": "file", "ä": [1, None, {"b": True}]},
            )
    with database.look() as session:
        return list(session.scalars(select(AuditRow.id).order_by(AuditRow.at)))


def seal(database) -> int:
    with database.begin() as session:
        return seal_tail(session)


def check(database) -> Verdict:
    with database.look() as session:
        return verify(session)


@pytest.fixture
def chained(database):
    """A trail of five chained rows."""
    add(database, 5)
    assert seal(database) == 5
    return database


@pytest.fixture
def tamper(database):
    """Change the tables as somebody could who owns the server and stops the triggers."""

    def run(statement: str, *values: object) -> None:
        if ENGINE == "postgresql":
            server = Server(os.environ[SERVER])
            with server.connect(database.url.database) as connection:
                connection.execute("SET session_replication_role = replica")
                done = connection.execute(statement.replace("?", "%s"), values)
                assert done.rowcount == 1
            return
        connection = sqlite3.connect(database.url.database)
        triggers = [
            name for (name,) in connection.execute("SELECT name FROM sqlite_master WHERE type = 'trigger'")
        ]
        for name in triggers:
            connection.execute(f"DROP TRIGGER {name}")
        plain = [v.hex if hasattr(v, "hex") and not isinstance(v, bytes) else v for v in values]
        assert connection.execute(statement, plain).rowcount == 1
        connection.commit()
        connection.close()

    return run


def row_at(database, number: int):
    with database.look() as session:
        return session.scalars(select(AuditSeal.row_id).where(AuditSeal.seq == number)).one()


# --- writing -----------------------------------------------------------------------------------------------


def begin_and_fail(database):
    with database.begin() as session:
        record(session, actor=Actor.system(), event=AuditEvent.CASE_OPEN, at=NOW)
        session.flush()
        raise RuntimeError


def test_what_is_rolled_back_leaves_no_row(database):
    with pytest.raises(RuntimeError):
        begin_and_fail(database)
    with database.look() as session:
        assert session.scalars(select(AuditRow)).all() == []


def test_a_row_says_who_and_on_whose_behalf(database):
    person = uuid4()
    with database.begin() as session:
        record(session, actor=Actor.system(on_behalf_of=person), event=AuditEvent.CASE_OPEN, at=NOW)
        record(session, actor=Actor(account_id=person), event=AuditEvent.CASE_READ, at=NOW)
    with database.look() as session:
        said = {row.event: (row.account_id, row.on_behalf_of) for row in session.scalars(select(AuditRow))}
    assert said == {AuditEvent.CASE_OPEN: (None, person), AuditEvent.CASE_READ: (person, None)}


def test_a_list_is_one_row_that_names_each_child_once(database):
    one, two = sorted((uuid4(), uuid4()), key=str)
    with database.begin() as session:
        record_list(
            session,
            actor=Actor.system(),
            event=AuditEvent.CHILD_LIST,
            at=NOW,
            children=[two, one, two],
            detail={"searched": True},
        )
    with database.look() as session:
        details = session.scalars(select(AuditRow.detail)).all()
    assert details == [{"searched": True, "children": [str(one), str(two)]}]


# --- the chain ---------------------------------------------------------------------------------------------


def test_an_empty_trail_holds(database):
    assert check(database) == Verdict(checked=0, unsealed=0, wrong_at=None)
    assert seal(database) == 0


def test_rows_are_numbered_without_a_gap_from_the_beginning(chained):
    with chained.look() as session:
        assert list(session.scalars(select(AuditSeal.seq).order_by(AuditSeal.seq))) == [1, 2, 3, 4, 5]
        first = session.scalars(select(AuditSeal).where(AuditSeal.seq == 1)).one()
        assert first.digest == digest_of(1, GENESIS, session.get_one(AuditRow, first.row_id))
    assert check(chained) == Verdict(5, 0, None)


def test_the_tail_that_is_not_chained_yet_is_counted(chained):
    add(chained, 3, NOW + timedelta(minutes=1))
    assert check(chained) == Verdict(5, 3, None)
    assert seal(chained) == 3
    assert check(chained) == Verdict(8, 0, None)


def test_the_tail_is_chained_in_pieces_and_a_late_commit_is_not_left_out(database):
    add(database, 5)
    with database.begin() as session:
        assert seal_tail(session, limit=2) == 2
    add(database, 1, NOW - timedelta(minutes=5))  # began earlier, committed later
    with database.begin() as session:
        assert seal_tail(session, limit=100) == 4
    assert check(database) == Verdict(6, 0, None)


@pytest.mark.parametrize("number", [1, 3, 5])
@pytest.mark.parametrize(
    "change",
    [
        "UPDATE audit_row SET event = 'child.list' WHERE id = ?",
        "UPDATE audit_row SET account_id = NULL WHERE id = ?",
        "UPDATE audit_row SET child_id = id WHERE id = ?",
        "UPDATE audit_row SET on_behalf_of = id WHERE id = ?",
        "UPDATE audit_row SET subject_id = id WHERE id = ?",
        "UPDATE audit_row SET at = '2026-10-14 03:00:00.000000' WHERE id = ?",
        """UPDATE audit_row SET detail = '{"part": "note"}' WHERE id = ?""",
        "UPDATE audit_row SET detail = NULL WHERE id = ?",
    ],
)
def test_a_changed_row_is_found_at_its_number(chained, tamper, change, number):
    tamper(change, row_at(chained, number))
    assert check(chained).wrong_at == number


@pytest.mark.parametrize("number", [1, 3, 5])
def test_a_removed_row_is_found_at_its_number(chained, tamper, number):
    tamper("DELETE FROM audit_row WHERE id = ?", row_at(chained, number))
    assert check(chained) == Verdict(number - 1, 0, number)


@pytest.mark.parametrize("number", [1, 3])
def test_a_row_removed_with_its_seal_is_found(chained, tamper, number):
    tamper("DELETE FROM audit_row WHERE id = ?", row_at(chained, number))
    tamper("DELETE FROM audit_seal WHERE seq = ?", number)
    assert check(chained).wrong_at == number


def test_a_seal_removed_from_the_end_leaves_its_row_unsealed(chained, tamper):
    tamper("DELETE FROM audit_seal WHERE seq = ?", 5)
    assert check(chained) == Verdict(4, 1, None)


def test_a_changed_seal_is_found(chained, tamper):
    tamper("UPDATE audit_seal SET digest = ? WHERE seq = 2", b"\1" * 32)
    assert check(chained).wrong_at == 2


def test_two_rows_cannot_change_places(chained, tamper):
    two, four = row_at(chained, 2), row_at(chained, 4)
    for row, place in ((uuid4(), 2), (two, 4), (four, 2)):
        tamper("UPDATE audit_seal SET row_id = ? WHERE seq = ?", row, place)
    assert check(chained).wrong_at == 2


def test_a_row_put_in_between_with_its_own_seal_is_found(chained, tamper):
    forged = uuid4()
    tamper(
        "INSERT INTO audit_row (id, at, event) VALUES (?, '2026-10-14 02:00:01.500000', 'child.read')", forged
    )
    tamper("UPDATE audit_seal SET row_id = ? WHERE seq = 3", forged)
    verdict = check(chained)
    assert verdict.wrong_at == 3
    assert check(chained).checked == 2


def test_a_row_added_behind_our_back_is_at_least_counted_as_unsealed(chained, tamper):
    tamper(
        "INSERT INTO audit_row (id, at, event) VALUES (?, '2026-10-14 02:00:01.500000', 'child.read')",
        uuid4(),
    )
    assert check(chained) == Verdict(5, 1, None)


def test_a_chain_written_anew_after_a_change_is_not_the_one_that_was_noted(chained, tamper):
    """Whoever owns the server can chain anew; the head that was noted elsewhere gives it away."""
    with chained.look() as session:
        noted = session.scalars(select(AuditSeal.digest).where(AuditSeal.seq == 5)).one()
    tamper("UPDATE audit_row SET event = 'child.list' WHERE id = ?", row_at(chained, 2))
    with chained.look() as session:
        previous = session.scalars(select(AuditSeal.digest).where(AuditSeal.seq == 1)).one()
        rows = {s.seq: session.get_one(AuditRow, s.row_id) for s in session.scalars(select(AuditSeal))}
        digests = {}
        for seq in range(2, 6):
            previous = digests[seq] = digest_of(seq, previous, rows[seq])
    for seq, digest in digests.items():
        tamper("UPDATE audit_seal SET digest = ? WHERE seq = ?", digest, seq)
    assert check(chained) == Verdict(5, 0, None)
    assert digests[5] != noted


def test_details_survive_the_way_through_the_database(chained):
    """PostgreSQL keeps JSON in an order of its own: the digest must not depend on it."""
    with chained.look() as session:
        details = {json.dumps(row.detail, sort_keys=True) for row in session.scalars(select(AuditRow))}
    assert details == {json.dumps({"part": "file", "ä": [1, None, {"b": True}]}, sort_keys=True)}
