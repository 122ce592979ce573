"""Waiting is noticed: each step of each task rings once, danger first, after an outage too (requirement RL6)."""

from __future__ import annotations

from datetime import timedelta
from uuid import uuid4

import pytest
from sqlalchemy import func, select

from referral.actions import crises, escalations, tasks
from referral.models.crisis import CrisisEpisode
from referral.models.notice import Notice
from referral.models.task import Task, TaskRing
from referral.terms import TaskKind
from screening.core.actor import Actor
from screening.core.audit import AuditEvent, AuditRow
from screening.core.clock import LOCAL
from screening.core.outbox import OutboxMessage
from tests.referral.county import answers, phq9


@pytest.fixture
def tick(county):
    """One beat of the clock; who was told, in order."""

    def beat() -> list[str | None]:
        with county.database.begin() as session:
            before = set(session.scalars(select(Notice.id)))
            escalations.tick(session, now=county.clock.now())
            session.flush()
            told = session.scalars(select(Notice).where(Notice.id.not_in(before)))
            order = {a.account_id: place for place, a in enumerate(county.actors.values())}
            return [county.who(n.account_id) for n in sorted(told, key=lambda n: order[n.account_id])]

    return beat


@pytest.fixture
def open_task(county):
    """A task of the counsellor, backed by the lead, due after some hours."""

    def make(hours=4.0, kind=TaskKind.GUARDIAN_CONTACT, subject=None):
        with county.database.begin() as session:
            return tasks.require(
                session,
                actor=Actor.system(),
                kind=kind,
                subject_id=subject or uuid4(),
                organisation_id=county.places["school"].id,
                owner_id=county.actors["counsellor"].account_id,
                backup_id=county.actors["lead"].account_id,
                due_at=county.clock.now() + timedelta(hours=hours),
                now=county.clock.now(),
            ).id

    return make


def rings(county, task_id=None) -> list[int]:
    with county.database.look() as session:
        statement = select(TaskRing.step).order_by(TaskRing.step)
        if task_id is not None:
            statement = statement.where(TaskRing.task_id == task_id)
        return list(session.scalars(statement))


# --- ordinary tasks ----------------------------------------------------------------------------------------


def test_nothing_rings_in_time(county, clock, open_task, tick):
    open_task()
    assert tick() == []
    clock.forward(timedelta(hours=4) - timedelta(seconds=1))
    assert tick() == []


def test_each_step_rings_once_and_goes_one_higher(county, clock, open_task, tick):
    task_id = open_task()
    heard = []
    for _ in range(12 * 60):  # twelve hours, once a minute
        clock.forward(timedelta(minutes=1))
        if told := tick():
            heard.append((clock.now(), told))
    start = heard[0][0] - timedelta(hours=4)
    assert [(at - start, told) for at, told in heard] == [
        (timedelta(hours=4), ["counsellor", "lead"]),
        (timedelta(hours=6), ["counsellor", "lead", "principal", "centre", "officer"]),
        (timedelta(hours=8), ["counsellor", "lead", "principal", "centre", "officer"]),
    ]
    assert rings(county, task_id) == [1, 2, 3]


def test_what_is_done_does_not_ring(county, clock, open_task, tick):
    task_id = open_task()
    with county.database.begin() as session:
        tasks.finish(
            session,
            actor=county.actors["counsellor"],
            task=session.get_one(Task, task_id),
            decision="done",
            reason="已联系",
            now=clock.now(),
        )
    clock.forward(timedelta(days=3))
    assert tick() == []


def test_done_between_two_steps_ends_the_ladder(county, clock, open_task, tick):
    task_id = open_task()
    clock.forward(timedelta(hours=4))
    assert tick() == ["counsellor", "lead"]
    with county.database.begin() as session:
        task = session.get_one(Task, task_id)
        tasks.settle(
            session,
            actor=Actor.system(),
            kind=task.kind,
            subject_id=task.subject_id,
            decision="x",
            now=clock.now(),
        )
    clock.forward(timedelta(hours=4))
    assert tick() == []


def test_after_two_days_without_power_each_task_rings_once_at_once(county, clock, open_task, tick):
    task_id = open_task()
    clock.forward(timedelta(days=2))
    assert tick() == ["counsellor", "lead", "principal", "centre", "officer"], (
        "nobody who should know is left out"
    )
    assert tick() == []
    clock.forward(timedelta(days=2))
    assert tick() == []
    assert rings(county, task_id) == [1]


def test_an_outage_over_one_step_goes_on_with_the_next(county, clock, open_task, tick):
    open_task()
    clock.forward(timedelta(hours=5))
    assert tick() == ["counsellor", "lead"]
    clock.forward(timedelta(hours=1))
    assert tick() == ["counsellor", "lead", "principal", "centre", "officer"]


def test_a_clock_set_back_neither_rings_twice_nor_unrings(county, clock, open_task, tick):
    task_id = open_task()
    clock.forward(timedelta(hours=4))
    tick()
    clock.forward(timedelta(hours=-3))
    assert tick() == []
    clock.forward(timedelta(hours=3))
    assert tick() == []
    assert rings(county, task_id) == [1]


def test_a_nearer_limit_moves_the_ring(county, clock, open_task, tick):
    subject = uuid4()
    first = open_task(4.0, subject=subject)
    clock.forward(timedelta(minutes=30))
    assert open_task(0.5, subject=subject) == first
    clock.forward(timedelta(minutes=30))
    assert tick() == ["counsellor", "lead"]


def test_what_is_due_at_once_goes_on_ringing_by_minutes(county, clock, open_task, tick):
    """An emergency note that nobody sends: at once means at once, and not a single ring for ever."""
    open_task(0)
    heard = [tick()]
    for _ in range(8):
        clock.forward(timedelta(minutes=5))
        heard.append(tick())
    rung = [minutes * 5 for minutes, told in enumerate(heard) if told]
    assert rung == [0, 5, 10, 20, 30]
    assert [told[-1] for told in heard if told] == ["lead", "lead", "lead", "principal", "centre"]


def test_every_ring_is_in_the_trail_and_goes_outside_without_a_word_about_the_child(
    county, clock, pupil, tick
):
    county.submit(pupil, "phq9", phq9(1))
    clock.forward(timedelta(days=2))
    tick()
    with county.database.look() as session:
        rows = session.scalars(select(AuditRow).where(AuditRow.event == AuditEvent.TASK_ESCALATE)).all()
        assert [(row.child_id, row.detail) for row in rows] == [(pupil.id, {"step": 1})]
        notices = session.scalars(select(Notice)).all()
        messages = session.scalars(select(OutboxMessage).where(OutboxMessage.topic == "notice.send")).all()
        assert {m.payload["notice"] for m in messages} == {str(n.id) for n in notices}
        assert all(set(m.payload) == {"notice"} for m in messages)
        assert all(len(n.number) == 8 and pupil.name not in n.number for n in notices)


def test_half_way_through_its_limit_the_owner_alone_is_reminded(county, clock, pupil, tick):
    """Field guide §4, steps at 50, 100, 150 and 200 %: working hours for a limit in working days."""
    county.submit(pupil, "phq9", phq9(total=11))
    with county.database.begin() as session:  # T09 of ``high`` alone: three working days from Wednesday, ten
        for task in session.scalars(select(Task).where(Task.kind != TaskKind.SECOND_ASSESSMENT)):
            task.next_ring_at = None
    heard = []
    for _ in range(24 * 10):
        clock.forward(timedelta(hours=1))
        if told := tick():
            heard.append((clock.now().astimezone(LOCAL).strftime("%d %H"), told))
    assert heard == [
        ("16 09", ["counsellor"]),
        ("19 18", ["counsellor", "lead"]),
        ("21 17", ["counsellor", "lead", "principal", "centre", "officer"]),
        ("23 15", ["counsellor", "lead", "principal", "centre", "officer"]),
    ]


# --- danger ------------------------------------------------------------------------------------------------


@pytest.fixture
def crisis(county, pupil):
    county.submit(pupil, "asq", answers("asq", {"1": 1, "5": 1}))
    return pupil


def listen(county, clock, tick, minutes: int) -> list[tuple[int, list]]:
    heard = []
    for minute in range(1, minutes + 1):
        clock.forward(timedelta(minutes=1))
        if told := tick():
            heard.append((minute, told))
    return heard


def crisis_rings(county) -> int:
    with county.database.look() as session:
        return session.scalar(
            select(func.count())
            .select_from(TaskRing)
            .join(Task, Task.id == TaskRing.task_id)
            .where(Task.kind == TaskKind.CRISIS_ACKNOWLEDGE)
        )


def test_a02_danger_that_nobody_takes_rings_higher_at_five_ten_twenty_and_thirty_minutes(
    county, clock, crisis, tick
):
    with county.database.begin() as session:  # the danger alone
        for task in session.scalars(select(Task).where(Task.kind != TaskKind.CRISIS_ACKNOWLEDGE)):
            task.next_ring_at = None
    heard = listen(county, clock, tick, 60)
    assert heard[:4] == [
        (5, ["counsellor", "lead"]),  # the lead is on duty
        (10, ["counsellor", "lead"]),
        (20, ["counsellor", "lead", "principal"]),
        (30, ["counsellor", "lead", "principal", "centre"]),
    ]
    assert [minute for minute, _ in heard[4:]] == [40, 50, 60], "danger keeps ringing"


def test_danger_rings_until_a_person_presses_and_then_is_silent(county, clock, crisis, tick):
    listen(county, clock, tick, 12)
    rung = crisis_rings(county)
    assert rung == 3  # at the opening, after five and after ten minutes
    with county.database.begin() as session:
        crises.take(
            session,
            actor=county.actors["lead"],
            case=county.case(session, crisis),
            episode=session.scalars(select(CrisisEpisode)).one(),
            now=clock.now(),
        )
    listen(county, clock, tick, 60)
    assert crisis_rings(county) == rung


def test_after_an_outage_danger_rings_first_and_once(county, clock, crisis, tick, open_task, monkeypatch):
    with county.database.begin() as session:
        for task in session.scalars(select(Task).where(Task.kind != TaskKind.CRISIS_ACKNOWLEDGE)):
            task.next_ring_at = None
    for _ in range(3):
        open_task(0.01)
    clock.forward(timedelta(days=2))
    before = crisis_rings(county)
    with monkeypatch.context() as patched:
        patched.setattr(escalations, "PIECE", 1)
        tick()
    assert crisis_rings(county) == before + 1
    tick()
    assert crisis_rings(county) == before + 1, "steps that the outage ran past do not ring one after another"


def test_more_than_one_piece_of_late_tasks_all_ring(county, clock, open_task, tick, monkeypatch):
    monkeypatch.setattr(escalations, "PIECE", 2)
    made = {open_task(1) for _ in range(5)}
    clock.forward(timedelta(hours=1))
    while tick():
        pass
    with county.database.look() as session:
        assert set(session.scalars(select(TaskRing.task_id))) == made
