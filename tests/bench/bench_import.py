"""Workbooks of 1,000 and of 20,000 rows from upload to all cases, their parts named; and the notes ordered, apart."""

from __future__ import annotations

import random
import tempfile
import time
from collections.abc import Callable
from datetime import date, datetime
from pathlib import Path
from typing import Any
from uuid import UUID

from sqlalchemy import func, select, update

from api import migrations
from api.cli.serve import settle_memory
from api.worker import Worker
from referral import intake
from referral.actions.referrals import NOTE_TOPIC
from referral.handlers import HANDLERS, PIECE
from referral.models.case import Case
from referral.models.referral import ReferralNote
from screening.core.clock import LOCAL, FixedClock
from screening.core.db import Base, Database, Lane
from screening.core.outbox import OutboxMessage
from screening.core.paper import Printer
from screening.core.sealing import Keyring
from screening.core.work import Tools
from screening.models.campaign import Campaign
from screening.models.import_batch import BatchStatus, ImportBatch
from screening.spreadsheets.reader import read_in_child
from screening.spreadsheets.rows import ParsedWorkbook
from screening.spreadsheets.template import write_workbook
from tests.factories import World, make_county, spread

NOW = datetime(2026, 10, 14, 10, 0, tzinfo=LOCAL)
NOTES = 40
AIMS = {1_000: "≤ 1.5", 20_000: "≤ 20"}  # rows: seconds
HIGH_SHARE = 6  # every sixth sheet opens a case: about as many as a secondary school shows


def made_up_workbook(count: int) -> bytes:
    """A 名册 and a PHQ-9 sheet per child; a sixth of the sheets is high, three in a hundred answer item 9."""
    rnd = random.Random(20261121)
    people = [
        {"student_no": f"2026{number:05d}", "name": f"张{chr(0x4E00 + number)}"} for number in range(count)
    ]
    roster = [
        person
        | {"sex": "female", "birth_date": date(2012, 3, 1), "grade": "七年级", "class_name": "3班"}
        | {"guardian_name": "李甲", "guardian_relation": "母亲", "guardian_phone": "13800000000"}
        | {"screening_consent": True, "share_consent": True, "consent_on": date(2026, 9, 3)}
        for person in people
    ]
    sheets = []
    for number, person in enumerate(people):
        total = rnd.randint(11, 24) if number % HIGH_SHARE == 0 else rnd.randint(0, 9)
        item9 = rnd.randint(1, 3) if rnd.random() < 0.03 else 0
        sheets.append(person | {"administered_on": date(2026, 10, 13)} | spread("phq9", total, i9=item9))
    return write_workbook(roster, {"phq9": sheets})


class Timer:
    """Seconds of wall and of this process's CPU, by part."""

    def __init__(self) -> None:
        self.wall: dict[str, float] = {}
        self.cpu: dict[str, float] = {}

    def __call__(self, part: str, action: Callable[[], Any]) -> Any:
        wall, cpu = time.perf_counter(), time.process_time()
        done = action()
        self.wall[part] = self.wall.get(part, 0.0) + time.perf_counter() - wall
        self.cpu[part] = self.cpu.get(part, 0.0) + time.process_time() - cpu
        return done


def stage(world: World, campaign_id: UUID, data: bytes, parsed: ParsedWorkbook) -> UUID:
    """What an upload does after the file has been read."""
    actor = world.actor("counsellor")
    with world.database.begin(Lane.BULK) as session:
        return intake.stage(
            session,
            actor=actor,
            campaign=session.get_one(Campaign, campaign_id),
            data=data,
            file_name="workbook.xlsx",
            parsed=parsed,
            now=world.clock.now(),
        ).id


def commit(world: World, batch_id: UUID) -> None:
    actor = world.actor("counsellor")
    with world.database.begin() as session:
        batch = session.get_one(ImportBatch, batch_id)
        intake.commit(session, actor=actor, batch=batch, good_rows_only=False, now=world.clock.now())


def write_pieces(world: World, batch_id: UUID, until: int) -> list[float]:
    """What the worker does, piece by piece, until so many rows are written; seconds of each."""
    taken = []
    while True:
        begun = time.perf_counter()
        with world.database.begin(Lane.BULK) as session:
            batch = session.get_one(ImportBatch, batch_id)
            if batch.status is not BatchStatus.COMMITTING or batch.written >= until:
                return taken
            intake.write_piece(session, batch_id=batch_id, size=PIECE, now=world.clock.now())
        taken.append(time.perf_counter() - begun)


def print_notes(world: World, count: int) -> None:
    """The worker on the first notes that the workbook has ordered."""
    with world.database.begin() as session:
        ordered = select(OutboxMessage.id).where(
            OutboxMessage.topic == NOTE_TOPIC, OutboxMessage.finished_at.is_(None)
        )
        kept = session.scalars(ordered.order_by(OutboxMessage.id).limit(count)).all()
        session.execute(
            update(OutboxMessage).where(OutboxMessage.id.not_in(kept)).values(dead_at=world.clock.now())
        )
    with Printer() as printer:
        printer.start()
        Worker(world.database, world.clock, HANDLERS, Tools(world.clock, printer), timed=()).run_all()


def count_of(world: World, model: type[Base]) -> int:
    with world.database.look() as session:
        return session.scalar(select(func.count()).select_from(model)) or 0


def run() -> list[dict[str, Any]]:
    settle_memory()  # as a running service has done
    found = []
    for count, aim in AIMS.items():
        found += measure(count, aim, notes=NOTES if count == min(AIMS) else 0)
    return found


def measure(count: int, aim: str, *, notes: int) -> list[dict[str, Any]]:
    timer = Timer()
    with tempfile.TemporaryDirectory() as folder:
        url = f"sqlite:///{Path(folder) / 'bench.sqlite'}"
        migrations.upgrade(url)
        database = Database(url, Keyring.generate())
        world = make_county(database, FixedClock(NOW))
        campaign_id = world.make_campaign("phq9")
        # A running service has read its libraries long ago.
        world.submit(world.make_child(campaign_id, share=True), "phq9", spread("phq9", 20))
        data = made_up_workbook(count)
        parsed = timer("read", lambda: read_in_child(data, None, world.clock.today()))
        assert not parsed.all_errors
        batch_id = timer("stage", lambda: stage(world, campaign_id, data, parsed))
        timer("commit", lambda: commit(world, batch_id))
        pieces = timer("roster", lambda: write_pieces(world, batch_id, count))
        pieces += timer("sheets", lambda: write_pieces(world, batch_id, 2 * count))
        cases = count_of(world, Case)
        found = rows(timer, pieces, count, aim, cases)
        if notes:
            timer("notes", lambda: print_notes(world, notes))
            made = count_of(world, ReferralNote)
            took = timer.wall["notes"] / made * 1000
            name = "a note, from the outbox to the stored PDF"
            note = f"{made} notes, after the cases"
            found.append({"name": name, "value": took, "unit": "ms", "aim": None, "note": note})
        database.close()
    return found


BEFORE_NOTES = ("read", "stage", "commit", "roster", "sheets")


def rows(timer: Timer, pieces: list[float], count: int, aim: str, cases: int) -> list[dict[str, Any]]:
    total = sum(timer.wall[part] for part in BEFORE_NOTES)
    cpu = sum(timer.cpu[part] for part in BEFORE_NOTES)

    def row(name: str, value: float, unit: str, aim: str | None = None, note: str = "") -> dict[str, Any]:
        return {"name": name, "value": value, "unit": unit, "aim": aim, "note": note}

    def part(name: str, key: str) -> dict[str, Any]:
        return row(name, timer.wall[key], "s", None, f"{timer.cpu[key]:.2f} s CPU of this process")

    return [
        row(
            f"from upload to all cases, {count:,} children with a PHQ-9 each",
            total,
            "s",
            aim,
            f"{cases} cases; {cpu:.1f} s CPU beside the reading process",
        ),
        part("… the file read and checked in a process of its own", "read"),
        part("… compared with the roll, kept sealed, alarms rung", "stage"),
        row("… commit pressed", timer.wall["commit"] * 1000, "ms"),
        part("… children, guardians, consents written", "roster"),
        part("… sheets scored and stored, cases, plans, referrals", "sheets"),
        row(f"… longest piece of {PIECE} rows, in which other writers wait", max(pieces) * 1000, "ms"),
    ]
