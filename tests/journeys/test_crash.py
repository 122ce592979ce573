"""kill -9: while sheets are recorded, and in the worker at every fault point and at any moment.

0 lost: what was confirmed to a client is stored. 0 double: each sheet, note and piece of work once. 0 orphan:
``xinqiao check`` finds nothing, and no file lies without its owner. Twenty deaths in `make test`, 200 in
`make test-slow`.
"""

from __future__ import annotations

import random
import signal
from collections.abc import Iterator
from datetime import timedelta
from typing import Any
from uuid import uuid4

import pytest
from sqlalchemy import func, select

from api.cli import check
from instruments import catalogue
from referral import intake
from referral.actions import escalations
from referral.models.case import Case
from referral.models.crisis import CrisisEpisode
from referral.models.notice import Channel, Notice
from referral.models.referral import Referral, ReferralNote
from screening.core import outbox
from screening.core.audit import AuditEvent, AuditRow
from screening.core.db import Database
from screening.core.documents import StoredDocument
from screening.core.outbox import OutboxMessage
from screening.models.administration import Administration
from screening.models.campaign import Campaign
from screening.models.import_batch import BatchStatus, ImportBatch
from screening.models.result import ScreenResult
from screening.spreadsheets.reader import read_workbook
from tests.journeys.victims import Victims, confirmed, moments
from tests.journeys.worlds import START
from tests.referral.county import County, answers, phq9
from tests.screening.workbooks import HEADINGS, PHQ9, child, workbook

RECORDING = (
    "sheets-recorded",
    "case-opened",
    "plan-drafted",
    "referral-drafted",
    "crisis-opened",
    "consequences-written",
)
WORKING = (
    "worker-claimed",
    "worker-prepared",
    "worker-performed",
    "worker-stored",
    "worker-finished",
    "note-document-stored",
    "piece-written",
    "sheets-recorded",
    "case-opened",
    "consequences-written",
)
LEASE = timedelta(minutes=2)
DAYS = 14


class Shore:
    """The parent's side: a county, and a database that is open only between two deaths."""

    def __init__(self, database: Database, url: str, clock: Any) -> None:
        self.url, self.keyring = url, database.keyring
        self.county = County(database, clock)
        self.database = database

    def leave(self) -> None:
        """Let the children have it: SQLite is one process's at a time."""
        self.database.close()

    def back(self) -> Database:
        self.database = self.county.database = Database(self.url, self.keyring)
        return self.database


@pytest.fixture
def shore(database, database_url, clock) -> Iterator[Shore]:
    made = Shore(database, database_url, clock)
    yield made
    made.database.close()


@pytest.fixture
def victims(database_url) -> Iterator[Victims]:
    made = Victims(database_url)
    yield made
    made.close()


def broken(database: Database, now: Any) -> list[tuple[int, str, int]]:
    with database.look() as session:
        return [(f.invariant, f.message, f.count) for f in check.check_all(session, now=now, deep=True)]


# --- while recording ---------------------------------------------------------------------------------------


def sheets_of(shore: Shore, rng: random.Random, count: int) -> list[dict[str, Any]]:
    """Sheets of some children on several days, one a day: quiet ones, high ones, danger."""
    pupils = shore.county.enrol(max(12, -(-count // DAYS)))
    made = []
    for number in range(count):
        pupil = pupils[number % len(pupils)]
        day = START.date() - timedelta(days=number // len(pupils) % DAYS)
        kinds = {
            "phq9": phq9(rng.choice((0, 0, 1, 2)), total=rng.choice((2, 10, 11, 22))),
            "asq": answers("asq", {"1": 1, "5": 1}),
        }
        code = "asq" if number % 9 == 8 else "phq9"
        made.append(
            {
                "key": f"{pupil.student_no}:{code}:{day}:{number}",
                "entry": str(pupil.entry_id),
                "code": code,
                "answers": kinds[code],
                "on": day.isoformat(),
            }
        )
    return made


def clerk(county: County) -> dict[str, Any]:
    actor = county.actors["clerk"]
    grants = [(g.role.value, str(g.organisation_id), g.organisation_path) for g in actor.grants]
    return {"id": str(actor.account_id), "grants": grants}


def record_through_deaths(
    shore: Shore, victims: Victims, history: str, *, deaths: int, per_life: int
) -> None:
    rng = random.Random(20261014)
    sheets = sheets_of(shore, rng, deaths * per_life)
    now = shore.county.clock.now()
    order = {"actor": clerk(shore.county), "history": history, "now": now.isoformat()}
    shore.leave()
    died = 0
    for life, how in enumerate(moments(rng, RECORDING, deaths)):
        # What is left of the lives before is sent again first, with the keys it had.
        code = victims.run("record", sheets=sheets[: (life + 1) * per_life], **order, **how)
        assert code in (0, -signal.SIGKILL)
        died += code != 0
    assert died >= deaths // 2, "hardly anybody died: nothing was shown"
    attempted = {line for line in _lines(history) if line.startswith("a ")}
    acknowledged = confirmed(history)
    check_history(shore, {line[2:] for line in attempted}, acknowledged)
    assert victims.run("record", sheets=sheets, **order) == 0
    check_history(shore, {sheet["key"] for sheet in sheets}, {sheet["key"] for sheet in sheets})
    assert victims.run("work", now=now.isoformat()) == 0
    database = shore.back()
    assert broken(database, now) == []


def _lines(history: str) -> list[str]:
    with open(history) as file:
        return file.read().split("\n")


def check_history(shore: Shore, attempted: set[str], acknowledged: set[str]) -> None:
    """confirmed ⊆ stored ⊆ attempted, each once, with its result; one open case, one open crisis per child."""
    database = shore.back()
    with database.look() as session:
        sources = list(session.scalars(select(Administration.source)))
        stored = {source.split(":", 2)[2] for source in sources}
        assert len(stored) == len(sources), "a sheet is stored twice"
        assert acknowledged <= stored <= attempted
        assert session.scalar(select(func.count()).select_from(ScreenResult)) == len(sources)
        for column in (Case.child_id, CrisisEpisode.case_id):
            found = list(session.scalars(select(column)))
            assert len(found) == len(set(found))
        recorded = select(func.count()).where(AuditRow.event == AuditEvent.ADMINISTRATION_RECORD)
        assert session.scalar(recorded) == len(sources)
    assert broken(database, shore.county.clock.now()) == []
    shore.leave()


def test_what_was_confirmed_survives_twenty_deaths(shore, victims, tmp_path):
    record_through_deaths(shore, victims, str(tmp_path / "history"), deaths=20, per_life=4)


@pytest.mark.slow
def test_what_was_confirmed_survives_two_hundred_deaths(shore, victims, tmp_path):
    record_through_deaths(shore, victims, str(tmp_path / "history"), deaths=200, per_life=4)


# --- in the worker -----------------------------------------------------------------------------------------


def pile_up(shore: Shore, number: int) -> tuple[int, str]:
    """Notes, rings and a workbook waiting for the worker. How many sheets the workbook holds, and its batch."""
    county = shore.county
    day = county.clock.today()
    for pupil in county.enrol(3):
        county.submit(pupil, "phq9", phq9(2, total=12))
    rows = range(number * 10, number * 10 + 10)
    lines = [(f"77{row:06d}", f"李{chr(0x4E00 + row)}") for row in rows]
    consents = {"筛查同意": "同意", "转介同意": "同意", "同意日期": day}
    guardian = {"监护人": "张大山", "关系": "父亲", "联系电话": "13800000000"}
    guardian = {name: value for name, value in guardian.items() if name in HEADINGS}
    roster = [child(0, 学号=number_, 姓名=name, **consents, **guardian) for number_, name in lines]
    sheets = [
        [number_, name, day, *phq9(at % 3, total=at).values()] for at, (number_, name) in enumerate(lines)
    ]
    data = workbook({"名册": [HEADINGS, *roster], "phq9": [PHQ9, *sheets]})
    actor, now = county.actors["counsellor"], county.clock.now()
    with county.database.begin() as session:
        batch = intake.stage(
            session,
            actor=actor,
            campaign=session.get_one(Campaign, county.campaign_id),
            data=data,
            file_name=f"{number}.xlsx",
            parsed=read_workbook(data, catalogue(), today=day),
            now=now,
        )
        assert (batch.status, batch.good) == (BatchStatus.STAGED, 20), batch.problems
        intake.commit(session, actor=actor, batch=batch, good_rows_only=False, now=now)
        return len(lines), str(batch.id)


def work_through_deaths(shore: Shore, victims: Victims, *, deaths: int) -> None:
    rng = random.Random(20261014)
    now, rows, died = shore.county.clock.now(), 0, 0
    for life, how in enumerate(moments(rng, WORKING, deaths)):
        if life % 4 == 0:
            with_rows, _ = pile_up(shore, life // 4)
            rows += with_rows
        shore.leave()
        now += LEASE  # so that the claims of the dead have lapsed, as they do after a minute
        code = victims.run("work", now=now.isoformat(), **how)
        assert code in (0, -signal.SIGKILL)
        died += code != 0
        shore.back()
    assert died >= deaths // 4, "hardly anybody died: nothing was shown"
    shore.leave()
    for _ in range(3):  # a message that was put back waits for some seconds
        now += timedelta(minutes=6)
        assert victims.run("work", now=now.isoformat()) == 0
    database = shore.back()
    check_work(database, rows)
    ring_what_is_late(database, now)
    assert broken(database, now) == []


def ring_what_is_late(database: Database, now: Any) -> None:
    """The ladder is another thread's work; hours have gone by meanwhile."""
    with database.begin() as session:
        while escalations.tick(session, now=now):
            session.flush()


def check_work(database: Database, rows: int) -> None:
    """Everything once."""
    with database.look() as session:
        messages = session.scalars(select(OutboxMessage)).all()
        assert all(m.finished_at is not None and m.dead_at is None for m in messages)
        referrals = {r.id: r.note_version for r in session.scalars(select(Referral))}
        notes = [(n.referral_id, n.number) for n in session.scalars(select(ReferralNote))]
        assert len(notes) == len(set(notes))
        assert set(referrals.items()) <= set(notes)
        made = session.scalar(select(func.count()).where(AuditRow.event == AuditEvent.NOTE_MADE))
        assert made == len(notes)
        batches = session.scalars(select(ImportBatch)).all()
        assert {batch.status for batch in batches} == {BatchStatus.COMMITTED}
        written = select(func.count()).where(Administration.source.startswith("batch:"))
        assert session.scalar(written) == rows
        # A file belongs to a note or to an upload; no other lies about.
        files = session.scalar(select(func.count()).select_from(StoredDocument))
        assert files == len({n.document_id for n in session.scalars(select(ReferralNote))}) + len(batches)
        told = session.scalars(select(Notice).where(Notice.channel == Channel.WEBHOOK)).all()
        assert len({(n.task_id, n.account_id, n.created_at) for n in told}) == len(told)


def test_the_worker_dies_twenty_times_and_everything_is_done_once(shore, victims):
    work_through_deaths(shore, victims, deaths=20)


@pytest.mark.slow
def test_the_worker_dies_two_hundred_times_and_everything_is_done_once(shore, victims):
    work_through_deaths(shore, victims, deaths=200)


# --- two workers -------------------------------------------------------------------------------------------


def test_two_processes_share_two_hundred_messages_and_each_is_done_once(shore, victims, database_url):
    if shore.database.is_sqlite:
        pytest.skip("SQLite has one process")
    subjects, now = {uuid4() for _ in range(200)}, shore.county.clock.now()
    with shore.database.begin() as session:
        for subject in subjects:
            outbox.publish(
                session,
                topic="counted",
                payload={"subject": str(subject)},
                purpose=f"counted:{subject}",
                now=now,
            )
    other = Victims(database_url)
    try:
        for each in (victims, other):
            each.begin("work", now=now.isoformat())
        assert [victims.end(), other.end()] == [0, 0]
    finally:
        other.close()
    with shore.database.look() as session:
        done = select(AuditRow.subject_id).where(AuditRow.event == AuditEvent.NOTE_MADE)
        assert sorted(session.scalars(done)) == sorted(subjects)
        counted = select(OutboxMessage.attempts).where(OutboxMessage.topic == "counted")
        assert set(session.scalars(counted)) == {1}
