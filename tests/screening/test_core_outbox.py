"""The outbox: a claim is counted before the work begins, failure waits longer each time, and nothing is dropped."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from uuid import uuid4

import pytest
from sqlalchemy import select
from sqlalchemy.exc import IntegrityError

from screening.core import outbox
from screening.core.outbox import LEASE, MAX_ATTEMPTS, OutboxMessage

NOW = datetime(2026, 10, 14, 2, 0, tzinfo=UTC)


@pytest.fixture
def publish(database):
    def put(topic="work", *, purpose=None, urgent=False, at=NOW):
        with database.begin() as session:
            return outbox.publish(
                session,
                topic=topic,
                payload={"subject": str(uuid4())},
                purpose=purpose or f"{topic}:{uuid4()}",
                now=at,
                urgent=urgent,
            )

    return put


@pytest.fixture
def claim(database):
    def take(at=NOW, **more):
        with database.begin() as session:
            return outbox.claim(session, now=at, **more)

    return take


def stored(database, message_id) -> OutboxMessage:
    with database.begin() as session:
        return session.get_one(OutboxMessage, message_id)


def test_with_nothing_published_nothing_is_claimed(claim):
    assert claim() is None


def test_an_attempt_counts_as_soon_as_it_is_claimed(database, publish, claim):
    message_id = publish()
    taken = claim()
    assert taken is not None
    assert (taken.id, taken.attempts, taken.claimed_until) == (message_id, 1, NOW + LEASE)
    assert stored(database, message_id).attempts == 1


def test_a_claimed_message_is_nobody_else_s_until_the_lease_has_ended(publish, claim):
    publish()
    first = claim()
    assert claim() is None
    assert claim(NOW + LEASE) is None
    again = claim(NOW + LEASE + timedelta(seconds=1))
    assert again is not None
    assert (again.id, again.attempts) == (first.id, 2)
    assert again.claim != first.claim


def test_what_is_finished_is_never_taken_again(database, publish, claim):
    message_id = publish()
    claim()
    with database.begin() as session:
        outbox.finish(session, message_id, now=NOW)
    assert claim(NOW + timedelta(days=1)) is None
    message = stored(database, message_id)
    assert (message.finished_at, message.claim, message.claimed_until) == (NOW, None, None)


def test_danger_first_then_by_time(publish, claim):
    later = publish(at=NOW + timedelta(seconds=1))
    first = publish()
    urgent = publish(urgent=True, at=NOW + timedelta(seconds=2))
    at = NOW + timedelta(seconds=3)
    assert [claim(at).id for _ in range(3)] == [urgent, first, later]


def test_nothing_is_taken_before_its_time(publish, claim):
    publish(at=NOW + timedelta(seconds=1))
    assert claim() is None


def test_a_worker_for_some_topics_leaves_the_others(publish, claim):
    publish("note.make")
    ring = publish("notice.send")
    assert claim(topics=frozenset({"notice.send"})).id == ring
    assert claim(topics=frozenset({"notice.send"})) is None


def test_the_same_purpose_cannot_be_published_twice(database, publish):
    publish(purpose="note:1:1")
    with pytest.raises(IntegrityError):
        publish(purpose="note:1:1")
    with database.look() as session:
        assert outbox.count_waiting(session) == 1


def test_each_failure_waits_twice_as_long_up_to_five_minutes_and_after_the_last_it_stays(
    database, publish, claim
):
    message_id = publish()
    at, waits, dead = NOW, [], []
    while True:
        taken = claim(at)
        if taken is None:
            break
        with database.begin() as session:
            dead.append(outbox.put_back(session, message_id, now=at, error="PaperFailed" * 20))
        waits.append((stored(database, message_id).available_at - at).total_seconds())
        at += timedelta(minutes=10)
    assert waits[:-1] == [2, 4, 8, 16, 32, 64, 128]
    assert dead == [False] * (MAX_ATTEMPTS - 1) + [True]
    message = stored(database, message_id)
    assert (message.attempts, message.dead_at, message.finished_at) == (
        MAX_ATTEMPTS,
        at - timedelta(minutes=10),
        None,
    )
    assert len(message.last_error) == 80


def test_a_dead_message_is_neither_waiting_nor_finished_but_still_there(database, publish, claim):
    """Invariant 6: published = finished + waiting + dead."""
    dead, done, _waiting = (publish(at=NOW + timedelta(seconds=n)) for n in range(3))
    with database.begin() as session:
        session.get_one(OutboxMessage, dead).attempts = MAX_ATTEMPTS
        session.flush()
        assert outbox.put_back(session, dead, now=NOW, error="x")
        outbox.finish(session, done, now=NOW)
    with database.look() as session:
        assert outbox.count_waiting(session) == 1
        assert len(session.scalars(select(OutboxMessage)).all()) == 3


def test_what_failed_can_be_taken_by_anybody_once_its_wait_is_over(database, publish, claim):
    message_id = publish()
    claim()
    with database.begin() as session:
        outbox.put_back(session, message_id, now=NOW, error="x")
    assert claim(NOW + timedelta(seconds=1)) is None
    assert claim(NOW + timedelta(seconds=2)).id == message_id
