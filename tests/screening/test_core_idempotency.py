"""A key sent twice gives the first answer; with other words it is refused; nobody shares anybody's keys."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from uuid import uuid4

import pytest
from sqlalchemy import text
from sqlalchemy.exc import IntegrityError

from screening.core import idempotency
from screening.core.errors import Conflict
from screening.core.idempotency import KEPT, Press, UsedForAnother

NOW = datetime(2026, 10, 14, 2, 0, tzinfo=UTC)
PRESS = Press(uuid4(), "POST /api/v1/x", "k-1", b"a" * 32)
SAID = {"status": 201, "headers": {"etag": '"2"'}, "answer": '{"name": "secret words"}'}


def find(database, press: Press = PRESS):
    with database.look() as session:
        row = idempotency.find(session, press)
        return None if row is None else (row.status, row.headers, row.answer)


def remember(database, press: Press = PRESS, *, now: datetime = NOW) -> None:
    with database.begin() as session:
        idempotency.remember(session, press, **SAID, now=now)


def test_an_unknown_key_was_never_used(database):
    assert find(database) is None


def test_the_same_press_finds_what_was_answered(database):
    remember(database)
    assert find(database) == (201, {"etag": '"2"'}, '{"name": "secret words"}')


def test_other_words_under_the_same_key_are_refused(database):
    remember(database)
    with pytest.raises(UsedForAnother, match="another request"):
        find(database, replace(PRESS, body_sha256=b"b" * 32))


def test_a_key_belongs_to_one_account_on_one_route(database):
    remember(database)
    for other in ({"account_id": uuid4()}, {"route": "POST /api/v1/y"}, {"key": "k-2"}):
        press = replace(PRESS, **other)
        assert find(database, press) is None
        remember(database, press)


def test_of_two_at_once_one_is_kept(database):
    remember(database)
    with pytest.raises(IntegrityError):
        remember(database)


def test_what_was_answered_is_sealed_and_what_was_sent_is_not_kept(database):
    remember(database)
    with database.look() as session:
        [row] = session.execute(text("SELECT * FROM idempotency_key")).all()
    assert not any("secret" in str(value) for value in row)


def test_it_is_kept_for_a_day_at_least_and_then_thrown_away(database):
    assert timedelta(hours=24) <= KEPT <= timedelta(days=7)
    remember(database)
    for later, kept in ((timedelta(hours=24), True), (KEPT + timedelta(seconds=1), False)):
        with database.begin() as session:
            idempotency.forget(session, NOW + later)
        assert (find(database) is not None) is kept


def test_while_one_runs_the_same_press_is_told_so(database):
    """PostgreSQL: on another machine too. SQLite has one writer, so that nobody else is here."""
    if database.is_sqlite:
        return
    with database.begin() as first:
        idempotency.hold(first, PRESS, wait=False)
        with pytest.raises(Conflict), database.begin() as second:
            idempotency.hold(second, PRESS, wait=False)
    with database.begin() as third:
        idempotency.hold(third, PRESS, wait=False)
