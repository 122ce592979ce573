"""The test harness keeps its own promises: no network, a clean database each time, a clock that stands still."""

from __future__ import annotations

import socket
from datetime import timedelta
from uuid import uuid4

import pytest

# An address set aside for documentation: nobody answers there.
ELSEWHERE = "192.0.2.1"


def test_another_machine_cannot_be_reached():
    with socket.socket() as attempt:
        attempt.settimeout(0.2)
        with pytest.raises(RuntimeError, match="this machine only"):
            attempt.connect((ELSEWHERE, 80))


def test_a_name_outside_is_not_looked_up():
    with pytest.raises(RuntimeError, match="this machine only"):
        socket.getaddrinfo("example.org", 443)


def test_a_server_here_can_be_reached():
    with (
        socket.create_server(("127.0.0.1", 0)) as server,
        socket.create_connection(server.getsockname()) as client,
    ):
        assert client.getpeername()[0] == "127.0.0.1"


@pytest.mark.parametrize("turn", ["first", "second"])
def test_what_one_test_stores_the_next_does_not_find(database, clock, turn):
    from screening.core.actor import Actor
    from screening.core.audit import AuditEvent, record, verify

    with database.begin() as session:
        assert verify(session).unsealed == 0, f"the {turn} test found rows of another"
        record(session, actor=Actor.system(), event=AuditEvent.SIGN_OUT, at=clock.now(), subject_id=uuid4())
    with database.look() as session:
        assert verify(session).unsealed == 1


def test_the_clock_moves_only_when_told(clock):
    before = clock.now()
    assert clock.now() == before
    clock.forward(timedelta(hours=1))
    assert clock.now() - before == timedelta(hours=1)


def test_settings_are_for_this_database(settings, database_url):
    assert settings.database_url == database_url
    assert settings.https
