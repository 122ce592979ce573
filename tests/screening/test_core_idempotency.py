"""A key sent twice gives the first answer; with another body it is refused; nobody shares anybody's keys."""

from __future__ import annotations

from datetime import UTC, datetime
from uuid import UUID, uuid4

import pytest
from sqlalchemy.exc import IntegrityError

from screening.core import idempotency
from screening.core.errors import InvalidInput

NOW = datetime(2026, 10, 14, 2, 0, tzinfo=UTC)
ACCOUNT, SUBJECT = uuid4(), uuid4()
REQUEST = {"account_id": ACCOUNT, "route": "POST /api/v1/x", "key": "k-1", "body": b'{"a": 1}'}


def find(database, **other: object) -> UUID | None:
    with database.look() as session:
        return idempotency.find(session, **{**REQUEST, **other})


def remember(database, subject_id: UUID = SUBJECT, **other: object) -> None:
    with database.begin() as session:
        idempotency.remember(session, subject_id=subject_id, now=NOW, **{**REQUEST, **other})


def test_an_unknown_key_was_never_used(database):
    assert find(database) is None


def test_the_same_request_finds_what_it_made(database):
    remember(database)
    assert find(database) == SUBJECT


def test_another_body_under_the_same_key_is_refused(database):
    remember(database)
    with pytest.raises(InvalidInput, match="another request"):
        find(database, body=b'{"a": 2}')


@pytest.mark.parametrize("other", [{"account_id": uuid4()}, {"route": "POST /api/v1/y"}, {"key": "k-2"}])
def test_a_key_belongs_to_one_account_on_one_route(database, other):
    remember(database)
    assert find(database, **other) is None
    remember(database, uuid4(), **other)


def test_of_two_at_once_one_is_kept(database):
    remember(database)
    with pytest.raises(IntegrityError):
        remember(database, uuid4())
    assert find(database) == SUBJECT


def test_the_body_itself_is_not_kept(database):
    from sqlalchemy import text

    remember(database, body=b"secret words")
    with database.look() as session:
        [row] = session.execute(text("SELECT * FROM idempotency_key")).all()
    assert not any("secret" in str(value) for value in row)
