"""Guessing is slow, tells nothing about who exists, and locks nobody out of their work (AU6)."""

from __future__ import annotations

import statistics
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import select

from api.auth import Hasher
from api.auth.guessing import Addresses, Count, TooMany, UnknownNames, client_address, wait_after
from screening.core.audit import AuditEvent, AuditRow
from screening.core.db import WriterQueue
from screening.core.errors import Unavailable
from screening.models.account import Account

NOW = datetime(2026, 10, 14, 2, 0, tzinfo=UTC)


def try_password(client, username, password="not the password"):
    return client.post("/api/v1/tokens", json={"username": username, "password": password})


def test_waiting_grows_from_the_fifth_failure_and_the_tenth_locks():
    waits = [int(wait_after(n).total_seconds()) for n in range(12)]
    assert waits == [0, 0, 0, 0, 0, 4, 8, 16, 32, 60, 900, 900]


def test_after_a_lock_one_slip_does_not_lock_again():
    locked = Count(10, NOW + timedelta(minutes=15))
    assert locked.after_failure(NOW + timedelta(minutes=16)) == Count(1, None)


@pytest.mark.parametrize("username", ["lin", "nobody"])
def test_a_name_is_slowed_down_and_locked_whether_it_exists_or_not(client, make_person, clock, username):
    person = make_person("lin")
    seen = []
    for _ in range(10):
        answer = try_password(client, username)
        seen.append((answer.status_code, answer.json()["code"], answer.json()["detail"]))
        assert answer.status_code == 401
        if len(seen) >= 5:
            again = try_password(client, username, person.password)
            seconds = int(again.headers["retry-after"])
            assert (again.status_code, seconds) == (429, int(wait_after(len(seen)).total_seconds()))
            clock.forward(timedelta(seconds=seconds))
    assert len(set(seen)) == 1, "each refusal reads the same"
    expected = 200 if username == "lin" else 401
    assert try_password(client, username, person.password).status_code == expected


def test_a_right_password_starts_the_count_anew(client, make_person, database):
    person = make_person("lin")
    for _ in range(4):
        try_password(client, "lin")
    assert try_password(client, "lin", person.password).status_code == 200
    with database.look() as session:
        assert session.get_one(Account, person.id).failures == 0


def test_a_lock_does_not_touch_a_live_session(client, make_person, sign_in, clock):
    tokens = sign_in(make_person("lin"))
    headers = {"Authorization": f"Bearer {tokens['access_token']}"}
    for _ in range(10):
        clock.forward(timedelta(seconds=61 if _ > 4 else 0))
        try_password(client, "lin")
    assert try_password(client, "lin").status_code == 429
    assert client.get("/api/v1/me", headers=headers).status_code == 200
    answer = client.post("/api/v1/tokens/refresh", json={"refresh_token": tokens["refresh_token"]})
    assert answer.status_code == 200


def test_guesses_sent_side_by_side_do_not_outrun_the_count(app, make_person, clock):
    """Whoever was let in before the count rose is refused after hashing, the right password too."""
    person, gatekeeper = make_person("lin"), app.state.gatekeeper
    outcomes, start = [], threading.Barrier(12)

    def guess(password):
        start.wait()
        try:
            gatekeeper.sign_in("lin", password, address="10.0.0.1")
            outcomes.append("in")
        except Exception as error:
            outcomes.append(type(error).__name__)

    with ThreadPoolExecutor(12) as pool:
        list(pool.map(guess, ["wrong password"] * 12))
    assert outcomes.count("SignInRefused") == 5, outcomes
    assert outcomes.count("TooMany") == 7
    with pytest.raises(TooMany):
        gatekeeper.sign_in("lin", person.password, address="10.0.0.1")


def test_refused_sign_ins_are_on_the_trail_without_the_typed_name(client, database, make_person):
    person = make_person("lin")
    try_password(client, "lin")
    try_password(client, "my-secret-typed-in-the-wrong-field")
    with database.look() as session:
        rows = session.scalars(select(AuditRow).where(AuditRow.event == AuditEvent.SIGN_IN_REFUSED)).all()
        assert {row.subject_id for row in rows} == {person.id, None}
        assert {row.account_id for row in rows} == {None}
        assert all(row.detail == {"address": "testclient"} for row in rows)


def test_unknown_names_take_as_long_as_known_ones(app, make_person, clock):
    gatekeeper = app.state.gatekeeper
    for number in range(12):
        make_person(f"known{number}")
    took = {"known": [], "unknown": []}
    for number in range(12):
        for kind in took:
            started = time.perf_counter()
            with pytest.raises(Exception, match="wrong"):
                gatekeeper.sign_in(f"{kind}{number}", "not the password", address="10.0.0.1")
            took[kind].append(time.perf_counter() - started)
    known, unknown = (statistics.median(took[kind]) for kind in ("known", "unknown"))
    assert 0.6 < unknown / known < 1.6, (known, unknown)


def test_an_account_without_a_usable_hash_takes_as_long():
    hasher = Hasher()
    assert hasher.check("!", "anything at all") is False
    assert hasher.check(None, "anything at all") is False
    assert hasher.check(hasher.hash("anything at all"), "anything at all") is True
    hasher.close()


def test_the_password_is_hashed_outside_the_writing_lane(app, make_person, monkeypatch):
    """A sign-in that waits for its hash keeps nobody from writing."""
    person, gatekeeper = make_person("lin"), app.state.gatekeeper
    check, held = gatekeeper.hasher.check, []

    def watch(stored, password):
        queue = gatekeeper.database._queue
        held.append(isinstance(queue, WriterQueue) and queue._busy)
        return check(stored, password)

    monkeypatch.setattr(gatekeeper.hasher, "check", watch)
    gatekeeper.sign_in("lin", person.password, address="10.0.0.1")
    assert held == [False]


def test_beyond_two_at_work_and_twenty_waiting_there_is_503():
    hasher, release = Hasher(threads=2, queue=20), threading.Event()
    with ThreadPoolExecutor(22) as pool:
        waiting = [pool.submit(hasher._run, release.wait) for _ in range(22)]
        while hasher._room._value:
            time.sleep(0.01)
        started = time.perf_counter()
        with pytest.raises(Unavailable):
            hasher.hash("anything at all")
        assert time.perf_counter() - started < 0.1
        release.set()
        assert all(each.result() for each in waiting)
    assert hasher.hash("anything at all")
    hasher.close()


def test_a_full_pool_answers_503_with_retry_after(client, app, make_person, monkeypatch):
    make_person("lin")
    monkeypatch.setattr(app.state.gatekeeper.hasher, "_room", threading.BoundedSemaphore(1))
    app.state.gatekeeper.hasher._room.acquire()
    answer = try_password(client, "lin")
    assert answer.status_code == 503
    assert answer.headers["retry-after"]
    app.state.gatekeeper.hasher._room.release()


def test_an_address_is_stopped_after_a_hundred_failures_a_minute():
    addresses = Addresses()
    for _ in range(100):
        addresses.check("10.0.0.1", NOW)
        addresses.fail("10.0.0.1", NOW)
    with pytest.raises(TooMany) as raised:
        addresses.check("10.0.0.1", NOW + timedelta(seconds=20))
    assert raised.value.seconds == 40
    addresses.check("10.0.0.2", NOW)
    addresses.check("10.0.0.1", NOW + timedelta(seconds=60))


def test_a_whole_ipv6_network_is_one_address():
    addresses = Addresses()
    for number in range(100):
        addresses.fail(f"2001:db8:1:2::{number:x}", NOW)
    with pytest.raises(TooMany):
        addresses.check("2001:db8:1:2:ffff::1", NOW)
    addresses.check("2001:db8:1:3::1", NOW)


def test_a_stopped_address_is_429_over_http(client, app, make_person):
    person = make_person("lin")
    for _ in range(100):
        app.state.gatekeeper._addresses.fail("testclient", app.state.clock.now())
    answer = try_password(client, "lin", person.password)
    assert (answer.status_code, answer.headers["retry-after"]) == (429, "60")


def test_what_is_remembered_is_bounded(monkeypatch):
    monkeypatch.setattr("api.auth.guessing.REMEMBERED", 50)
    names, addresses = UnknownNames(), Addresses()
    for number in range(200):
        names.fail(f"name{number}", NOW)
        addresses.fail(f"10.0.0.{number}", NOW)
    assert len(names._counts) == len(addresses._failures) == 50


@pytest.mark.parametrize(
    ("peer", "forwarded", "trusted", "address"),
    [
        ("203.0.113.9", None, (), "203.0.113.9"),
        ("203.0.113.9", "198.51.100.1", (), "203.0.113.9"),
        ("127.0.0.1", "198.51.100.1", (), "127.0.0.1"),
        ("10.0.0.5", "198.51.100.1", ("10.0.0.5",), "198.51.100.1"),
        ("10.0.0.5", "6.6.6.6, 198.51.100.1", ("10.0.0.5",), "198.51.100.1"),
        ("10.0.0.5", "198.51.100.1, 10.0.0.6", ("10.0.0.0/8",), "198.51.100.1"),
        ("10.0.0.5", None, ("10.0.0.5",), "10.0.0.5"),
        ("10.0.0.5", " , ", ("10.0.0.5",), "10.0.0.5"),
        ("testclient", "198.51.100.1", ("10.0.0.5",), "testclient"),
    ],
)
def test_forwarded_addresses_count_from_a_named_proxy_only(peer, forwarded, trusted, address):
    assert client_address(peer, forwarded, trusted) == address
