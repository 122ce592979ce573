"""The worker: nothing lost and nothing twice, wherever it dies; nobody waits for a bad message."""

from __future__ import annotations

import signal
import subprocess
import sys
import threading
import time
from datetime import UTC, datetime, timedelta
from uuid import UUID, uuid4

import pytest
from sqlalchemy import func, select

from api import worker as worker_module
from api.worker import SEALING, Timed, Worker, where
from screening.core import faults, outbox
from screening.core.actor import Actor
from screening.core.audit import AuditEvent, AuditRow, AuditSeal, record
from screening.core.clock import Clock
from screening.core.db import Database
from screening.core.outbox import LEASE, MAX_ATTEMPTS, OutboxMessage
from screening.core.paper import Printer
from screening.core.sealing import Keyring
from screening.core.work import Job, Tools
from tests.architecture.sources import ROOT

POINTS = ("worker-claimed", "worker-prepared", "worker-performed", "worker-stored", "worker-finished")


class Killed(BaseException):
    """The process is gone: nothing of ours catches this."""


def die() -> None:
    raise Killed


@pytest.fixture(autouse=True)
def nothing_armed():
    yield
    faults.disarm()


def effect(session, payload, tools):
    """What a handler leaves behind: a row that can be counted."""
    record(
        session,
        actor=Actor.system(),
        event=AuditEvent.NOTE_MADE,
        at=tools.clock.now(),
        subject_id=UUID(payload["subject"]),
    )


STEPS = Job(
    prepare=lambda session, payload: payload["subject"],
    perform=lambda work, tools: work,
    store=lambda session, payload, result, tools: effect(session, {"subject": result}, tools),
)
SHAPES = {"plain": effect, "job": STEPS}


@pytest.fixture
def make(database, clock):
    def make_worker(handlers, **more):
        return Worker(database, clock, handlers, Tools(clock, Printer()), **more)

    return make_worker


@pytest.fixture
def publish(database, clock):
    def put(topic="work", *, urgent=False, subject=None):
        subject = subject or uuid4()
        with database.begin() as session:
            outbox.publish(
                session,
                topic=topic,
                payload={"subject": str(subject)},
                purpose=f"{topic}:{uuid4()}",
                now=clock.now(),
                urgent=urgent,
            )
        return subject

    return put


def effects(database) -> list[UUID]:
    with database.look() as session:
        return list(session.scalars(select(AuditRow.subject_id).order_by(AuditRow.at)))


def messages(database) -> list[tuple]:
    """(attempts, finished, dead, last error) of each, oldest first."""
    with database.look() as session:
        return [
            (m.attempts, m.finished_at is not None, m.dead_at is not None, m.last_error)
            for m in session.scalars(select(OutboxMessage).order_by(OutboxMessage.published_at))
        ]


@pytest.mark.parametrize("shape", SHAPES)
def test_a_message_is_worked_on_once(database, make, publish, shape):
    subject = publish()
    worker = make({"work": SHAPES[shape]})
    assert worker.run_once()
    assert not worker.run_once()
    assert effects(database) == [subject]
    assert messages(database) == [(1, True, False, None)]


def test_with_nothing_to_do_nobody_who_writes_is_disturbed(database, make, monkeypatch):
    def refuse(*_: object) -> None:
        raise AssertionError("an idle worker took the writing connection")

    monkeypatch.setattr(database, "begin", refuse)
    assert not make({}).run_once()


def test_a_job_with_nothing_left_to_do_is_finished(database, make, publish):
    publish()
    done = Job(
        prepare=lambda session, payload: None,
        perform=lambda work, tools: pytest.fail("there was nothing to do"),
        store=lambda session, payload, result, tools: pytest.fail("there was nothing to store"),
    )
    assert make({"work": done}).run_once()
    assert messages(database) == [(1, True, False, None)]


def test_danger_goes_first(database, clock, make, publish):
    usual = publish()
    clock.forward(timedelta(seconds=1))
    urgent = publish(urgent=True)
    seen = []
    worker = make({"work": lambda session, payload, tools: seen.append(UUID(payload["subject"]))})
    assert worker.run_all() == 2
    assert seen == [urgent, usual]


def test_outside_work_holds_no_transaction(database, make, publish):
    """Seen from the outside step itself: somebody else writes, and is not kept waiting."""
    publish()
    took: list[float] = []

    def perform(work, tools):
        began = time.monotonic()
        other = threading.Thread(target=publish, args=("later",))
        other.start()
        other.join(5)
        took.append(time.monotonic() - began)

    job = Job(prepare=lambda s, p: 1, perform=perform, store=lambda s, p, r, t: None)
    assert make({"work": job}).run_once()
    assert took[0] < 2


# --- what fails --------------------------------------------------------------------------------------------


def refuse(session, payload, tools):
    effect(session, payload, tools)
    session.flush()
    raise RuntimeError("张三 answered 3")


def test_what_fails_leaves_nothing_and_is_tried_again_later(database, clock, make, publish, caplog):
    publish()
    worker = make({"work": refuse})
    assert worker.run_once()
    assert not worker.run_once()
    assert effects(database) == []
    assert messages(database) == [(1, False, False, "RuntimeError")]
    assert "RuntimeError at test_worker.py:" in caplog.text
    assert "张三" not in caplog.text
    clock.forward(timedelta(seconds=2))
    assert make({"work": effect}).run_once()
    assert len(effects(database)) == 1


def test_after_the_last_attempt_it_stays_and_somebody_is_shown(database, clock, make, publish):
    publish()
    shown = []
    worker = make(
        {"work": refuse}, on_dead=lambda session, message: shown.append((message.id, message.dead_at))
    )
    for _ in range(MAX_ATTEMPTS + 3):
        worker.run_once()
        clock.forward(timedelta(minutes=6))
    assert messages(database) == [(MAX_ATTEMPTS, False, True, "RuntimeError")]
    [(_, dead_at)] = shown
    assert dead_at is not None


def test_a_bad_message_does_not_hold_up_the_others(database, make, publish):
    publish("bad")
    good = publish("good")
    worker = make({"bad": refuse, "good": effect})
    assert worker.run_all() == 2
    assert effects(database) == [good]


def test_a_kind_nobody_knows_does_not_lie_still(database, clock, make, publish):
    publish("from-the-future")
    shown = []
    worker = make({}, on_dead=lambda session, message: shown.append(message.topic))
    for _ in range(MAX_ATTEMPTS):
        assert worker.run_once()
        clock.forward(timedelta(minutes=6))
    assert shown == ["from-the-future"]
    assert messages(database)[0][3] == "NoHandler"


def test_a_message_that_takes_the_process_along_is_given_up_too(database, clock, make, publish):
    publish()
    faults.arm("worker-claimed", die)
    for _ in range(MAX_ATTEMPTS):
        with pytest.raises(Killed):
            make({"work": effect}).run_once()
        clock.forward(LEASE + timedelta(seconds=1))
    faults.disarm()
    shown = []
    assert make({"work": effect}, on_dead=lambda session, message: shown.append(message.id)).run_once()
    assert len(shown) == 1
    assert effects(database) == []
    assert messages(database) == [(MAX_ATTEMPTS + 1, False, True, "lost")]


# --- dying between two steps -------------------------------------------------------------------------------


@pytest.mark.parametrize("point", POINTS)
@pytest.mark.parametrize("shape", SHAPES)
def test_dying_between_two_steps_loses_nothing_and_doubles_nothing(
    database, clock, make, publish, shape, point
):
    subject = publish()
    faults.arm(point, die)
    reached = True
    try:
        make({"work": SHAPES[shape]}).run_once()
        reached = False
    except Killed:
        pass
    assert reached is (shape == "job" or point not in {"worker-prepared", "worker-performed"})
    faults.disarm()
    stored = point == "worker-finished" or not reached
    assert effects(database) == ([subject] if stored else [])
    fresh = make({"work": SHAPES[shape]})
    if not stored:
        assert not fresh.run_once(), "the claim still holds"
        clock.forward(LEASE + timedelta(seconds=1))
    fresh.run_all()
    assert effects(database) == [subject]
    assert messages(database)[0][1:] == (True, False, None)


KILLED = """
import os, signal, sys
from tests.api.test_worker import SHAPES, reopened
from screening.core import faults
url, shape, point = sys.argv[1:]
if point:
    faults.arm(point, lambda: os.kill(os.getpid(), signal.SIGKILL))
database, worker = reopened(url)
worker.run_all()
database.close()
"""


def reopened(url: str, shape: str = "") -> tuple[Database, Worker]:
    """Database and worker as another process opens them."""
    keyring = Keyring(keys={1: bytes(range(32))}, current=1, index_key=bytes(range(32, 64)))
    database, clock = Database(url, keyring), Clock()
    worker = Worker(
        database, clock, {f"work-{name}": SHAPES[name] for name in SHAPES}, Tools(clock, Printer())
    )
    if database.is_sqlite:
        worker._free_claims()
    return database, worker


def test_a_killed_process_loses_nothing_and_doubles_nothing(database, database_url, monkeypatch):
    subjects = {}
    now = datetime.now(UTC) - timedelta(hours=1)
    rounds = [
        (shape, point) for shape in SHAPES for point in POINTS if shape == "job" or point != "worker-prepared"
    ]
    rounds = [(s, p) for s, p in rounds if s == "job" or p != "worker-performed"]
    for shape, point in rounds:
        with database.begin() as session:
            subjects[shape, point] = uuid4()
            outbox.publish(
                session,
                topic=f"work-{shape}",
                payload={"subject": str(subjects[shape, point])},
                purpose=f"{shape}:{point}",
                now=now,
            )
        _let_claims_lapse(database)
        database.close()
        command = [sys.executable, "-c", KILLED, database_url, shape, point]
        ended = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=60)
        assert ended.returncode == -signal.SIGKILL, ended.stderr
        database = Database(database_url, database.keyring)
    _let_claims_lapse(database)
    database.close()
    command = [sys.executable, "-c", KILLED, database_url, "", ""]
    assert subprocess.run(command, cwd=ROOT, timeout=60).returncode == 0
    database = Database(database_url, database.keyring)
    assert sorted(effects(database)) == sorted(subjects.values())
    assert {finished for _, finished, *_ in messages(database)} == {True}
    database.close()


def _let_claims_lapse(database):
    """As after a minute."""
    with database.begin() as session:
        for message in session.scalars(select(OutboxMessage).where(OutboxMessage.claim.is_not(None))):
            message.claimed_until = datetime.now(UTC) - timedelta(seconds=1)


def test_who_was_too_slow_writes_nothing(database, clock, make, publish):
    subject = publish()
    quick = make({"work": STEPS})

    def perform(work, tools):
        clock.forward(LEASE + timedelta(seconds=1))
        assert quick.run_once(), "the claim has lapsed"
        return work

    slow = make({"work": Job(STEPS.prepare, perform, STEPS.store)})
    assert slow.run_once()
    assert effects(database) == [subject]
    assert messages(database) == [(2, True, False, None)]


def test_who_was_too_slow_does_not_spoil_the_other_by_failing(database, clock, make, publish):
    publish()
    quick = make({"work": STEPS})

    def perform(work, tools):
        clock.forward(LEASE + timedelta(seconds=1))
        quick.run_once()
        raise RuntimeError

    assert make({"work": Job(STEPS.prepare, perform, STEPS.store)}).run_once()
    assert messages(database) == [(2, True, False, None)]


def test_many_workers_take_each_message_once(database, make, publish):
    subjects = {publish() for _ in range(24)}
    workers = [make({"work": SHAPES[shape]}) for shape in ("plain", "job", "plain", "job")]
    threads = [threading.Thread(target=worker.run_all) for worker in workers]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    done = effects(database)
    assert len(done) == 24
    assert set(done) == subjects
    assert {attempts for attempts, *_ in messages(database)} == {1}


# --- by the clock ------------------------------------------------------------------------------------------


def test_the_trail_is_sealed_every_ten_seconds(database, clock, make, publish):
    publish()
    worker = make({"work": effect})
    worker.run_once()
    worker.run_due(clock.now())
    worker.run_once()
    with database.look() as session:
        assert session.scalar(select(func.count()).select_from(AuditSeal)) == 1
    publish()
    worker.run_once()
    for seconds, sealed in [(9, 1), (1, 2)]:
        clock.forward(timedelta(seconds=seconds))
        worker.run_due(clock.now())
        with database.look() as session:
            assert session.scalar(select(func.count()).select_from(AuditSeal)) == sealed
    assert timedelta(seconds=10) >= SEALING.every


def test_answers_kept_for_a_second_press_are_thrown_away(database, clock, settings):
    """The worker that the service starts has this job (requirement RL3)."""
    from screening.core import idempotency

    press = idempotency.Press(uuid4(), "POST /x", "key", b"a" * 32)
    with database.begin() as session:
        idempotency.remember(session, press, status=201, headers={}, answer="", now=clock.now())
    worker = worker_module.compose(settings, database, clock)
    for later, kept in ((timedelta(hours=24), True), (idempotency.KEPT, False)):
        clock.forward(later)
        worker.run_due(clock.now())
        with database.look() as session:
            assert (idempotency.find(session, press) is not None) is kept
    worker.stop(within=1)


def test_a_timed_job_runs_in_its_time_whatever_the_clock_does(clock, make):
    ran = []
    worker = make({}, timed=[Timed("tick", timedelta(seconds=30), lambda session, now: ran.append(now))])
    for seconds in (0, 29, 1, 29, 1):
        clock.forward(timedelta(seconds=seconds))
        worker.run_due(clock.now())
    assert len(ran) == 3
    clock.forward(timedelta(days=-2))  # set back: it must not wait for two days
    worker.run_due(clock.now())
    worker.run_due(clock.now())
    assert len(ran) == 4
    clock.forward(timedelta(days=3))  # asleep: once, not three days of ticks
    worker.run_due(clock.now())
    worker.run_due(clock.now())
    assert len(ran) == 5


def test_a_timed_job_that_fails_is_tried_soon_and_does_not_stop_the_next(clock, make, caplog):
    ran = []

    def fails(session, now):
        ran.append("bad")
        raise RuntimeError("李四")

    every = timedelta(seconds=30)
    worker = make(
        {}, timed=[Timed("bad", every, fails), Timed("good", every, lambda s, n: ran.append("good"))]
    )
    worker.run_due(clock.now())
    clock.forward(timedelta(seconds=6))
    worker.run_due(clock.now())
    assert ran == ["bad", "good", "bad"]
    assert "李四" not in caplog.text


def test_of_several_machines_one_runs_a_timed_job(database, clock, make):
    if database.is_sqlite:
        pytest.skip("SQLite has one process")
    ran = []
    other = make({}, timed=[Timed("tick", timedelta(seconds=30), lambda session, now: ran.append("other"))])

    def run(session, now):
        ran.append("first")
        other.run_due(now)

    make({}, timed=[Timed("tick", timedelta(seconds=30), run)]).run_due(clock.now())
    assert ran == ["first"]


# --- in threads --------------------------------------------------------------------------------------------


def until(condition, seconds=10.0):
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "waited too long"
        time.sleep(0.01)


@pytest.fixture
def running(make, monkeypatch):
    started = []

    def start(handlers, **more):
        worker = make(handlers, **more)
        started.append(worker)
        worker.start()
        return worker

    yield start
    for worker in started:
        worker.stop(within=5)


def test_a_running_worker_is_woken(database, running, publish, monkeypatch):
    monkeypatch.setattr(worker_module, "POLL_SECONDS", 60.0)
    worker = running({"work": effect}, timed=())
    time.sleep(0.1)
    publish()
    worker.wake()
    until(lambda: len(effects(database)) == 1)
    assert worker.alive
    assert worker.stop()
    assert not worker.alive


def test_a_running_worker_finds_what_another_process_published(database, running, publish):
    running({"work": effect}, timed=())
    publish()
    until(lambda: len(effects(database)) == 1)


def test_a_running_worker_follows_the_clock(database, clock, running, publish, monkeypatch):
    monkeypatch.setattr(worker_module, "BEAT_SECONDS", 0.05)
    running({"work": effect})
    publish()

    def sealed():
        with database.look() as session:
            return session.scalar(select(func.count()).select_from(AuditSeal)) == 1

    until(lambda: len(effects(database)) == 1)
    clock.forward(timedelta(seconds=10))
    until(sealed)


def test_stopping_lets_what_runs_finish(database, running, publish):
    publish()
    begun = threading.Event()

    def slow(work, tools):
        begun.set()
        time.sleep(0.4)
        return work

    worker = running({"work": Job(STEPS.prepare, slow, STEPS.store)}, timed=())
    assert begun.wait(5)
    publish()
    assert worker.stop()
    assert sorted(finished for _, finished, *_ in messages(database)) == [False, True]
    assert len(effects(database)) == 1


def test_stopping_puts_back_what_does_not_finish(database, make, running, publish):
    subject = publish()
    begun, go_on = threading.Event(), threading.Event()

    def stuck(work, tools):
        begun.set()
        go_on.wait(20)
        return work

    worker = running({"work": Job(STEPS.prepare, stuck, STEPS.store)}, timed=())
    assert begun.wait(5)
    assert not worker.stop(within=0.2)
    assert make({"work": STEPS}).run_once(), "nobody has to wait for the lease"
    go_on.set()
    assert worker.stop(within=5)
    assert effects(database) == [subject]


def test_a_message_that_hangs_does_not_hold_up_the_others(database, running, publish, monkeypatch):
    monkeypatch.setattr(worker_module, "HANG_SECONDS", 0.3)
    monkeypatch.setattr(worker_module, "BEAT_SECONDS", 0.05)
    publish("hangs")
    begun, go_on = threading.Event(), threading.Event()

    def hang(work, tools):
        begun.set()
        go_on.wait(20)
        return work

    worker = running({"hangs": Job(STEPS.prepare, hang, STEPS.store), "work": effect}, timed=())
    assert begun.wait(5)
    good = publish()
    until(lambda: effects(database) == [good])
    assert worker.alive
    go_on.set()
    until(lambda: len(effects(database)) == 2)


def test_a_database_that_is_away_does_not_end_the_worker(database, running, publish, monkeypatch):
    monkeypatch.setattr(worker_module, "RETRY_SECONDS", 0.05)
    usual = database.look
    away = threading.Event()
    away.set()

    def look():
        if away.is_set():
            raise ConnectionError("away")
        return usual()

    publish()
    monkeypatch.setattr(database, "look", look)
    worker = running({"work": effect}, timed=())
    time.sleep(0.2)
    assert worker.alive
    away.clear()
    until(lambda: len(effects(database)) == 1)


def test_claims_of_a_dead_process_are_free_at_the_next_start(database, make, running, publish):
    if not database.is_sqlite:
        pytest.skip("other machines may be at work; their claims lapse by themselves")
    subject = publish()
    faults.arm("worker-claimed", die)
    with pytest.raises(Killed):
        make({"work": effect}).run_once()
    faults.disarm()
    running({"work": effect}, timed=())
    until(lambda: effects(database) == [subject])


def test_a_place_is_said_without_the_words_of_the_error():
    with pytest.raises(ValueError, match="张三") as raised:
        int("张三")
    assert where(raised.value).startswith("test_worker.py:")
    assert where(ValueError("never raised")) == "?"
