"""A county of 20,000 children: how long ``check``, a backup, a restore and its drill take.

A small world is lived through the real actions and then multiplied row by row, every id and number made new, so that
each table grows as it would. SQLite; sealed cells keep their size and are not opened, but for stored files.
"""

from __future__ import annotations

import os
import tempfile
from collections.abc import Callable
from contextlib import closing
from datetime import datetime, timedelta
from pathlib import Path
from time import perf_counter
from typing import Any
from uuid import UUID, uuid5

from sqlalchemy import Table, insert, select
from sqlalchemy.orm import Session

from api.cli import backup, home
from api.cli.check import INVARIANTS, check_all
from screening.core import audit, documents
from screening.core.clock import LOCAL, FixedClock
from screening.core.db import Base, Database
from screening.core.settings import Settings
from tests.referral.county import County, phq9

CHILDREN, SMALL = 20_000, 40
NOTES, NOTE_BYTES = 1_500, 60_000  # printed notes, each with its font
PIECE = 20_000
NOW = datetime(2026, 10, 14, 10, 0, tzinfo=LOCAL)

# Places, people and campaigns stay as they are; files and the chain of the trail are made anew.
KEPT = {
    "organisation", "account", "role_grant", "duty_entry", "district_setting", "facility", "channel_agreement",
    "campaign", "campaign_status_change", "audit_seal", "stored_document",
}  # fmt: skip
# Texts and bytes that no two rows may share.
NUMBERS = {"file_no", "case_no", "form_no", "episode_no", "purpose", "source", "student_no_index"}


def live(county: County) -> None:
    """What a campaign brings, in usual shares: most children with nothing, one in seven with a case."""
    pupils = county.enrol(SMALL)
    for number, pupil in enumerate(pupils):
        county.submit(pupil, "phq9", phq9(total=(number * 7) % 9))
        county.submit(pupil, "gad7", {str(item): 0 for item in range(1, 8)})
    for pupil in pupils[:4]:
        county.submit(pupil, "phq_a", {str(item): 3 for item in range(1, 9)} | {"9": 0})
    county.submit(pupils[4], "asq", dict.fromkeys("12345", 1))
    county.submit(pupils[5], "asq", {"1": 0, "2": 1, "3": 0, "4": 0})
    for pupil in pupils[:2]:
        county.assess(pupil, send=True)


def multiply(database: Database, times: int) -> None:
    """Every row about a child ``times`` times; then files, and the chain over the whole trail."""
    with database.begin() as session:
        tables = Base.metadata.sorted_tables
        kept = {id_ for table in tables if table.name in KEPT for id_ in session.scalars(select(table.c.id))}
        for table in tables:
            if table.name not in KEPT:
                _multiply(session, table, times, kept)
    for _ in range(NOTES // 100):
        with database.begin() as session:
            for _ in range(100):
                documents.store(session, data=os.urandom(NOTE_BYTES), media_type="application/pdf", now=NOW)
    sealed = 1
    while sealed:
        with database.begin() as session:
            sealed = audit.seal_tail(session, limit=5000)


def _multiply(session: Session, table: Table, times: int, kept: set[UUID]) -> None:
    rows = [dict(row) for row in session.execute(select(table)).mappings()]
    piece: list[dict[str, Any]] = []
    for copy in range(1, times):
        piece += [{name: _new(name, value, copy, kept) for name, value in row.items()} for row in rows]
        if len(piece) > PIECE or copy == times - 1:
            if piece:
                session.execute(insert(table), piece)
            piece = []


def _new(name: str, value: Any, copy: int, kept: set[UUID]) -> Any:
    if isinstance(value, UUID):
        return value if value in kept else uuid5(value, str(copy))
    if name in NUMBERS and type(value) in (str, bytes):
        made = uuid5(UUID(int=copy), value.hex() if isinstance(value, bytes) else value)
        return made.bytes * 2 if isinstance(value, bytes) else made.hex
    return value


def timed(do: Callable[[], Any]) -> tuple[Any, float]:
    began = perf_counter()
    done = do()
    return done, perf_counter() - began


def run(children: int = CHILDREN) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = []

    def row(name: str, value: object, unit: str, aim: str | None = None, note: str = "") -> None:
        rows.append({"name": name, "value": value, "unit": unit, "aim": aim, "note": note})

    with tempfile.TemporaryDirectory() as folder:
        settings, clock = Settings.of_home(Path(folder) / "home"), FixedClock(NOW)
        home.init_home(settings)
        with home.opened(settings) as database:
            live(County(database, clock))
            multiply(database, children // SMALL)
            now = NOW + timedelta(minutes=2)
            clock.set(now)
            with database.look() as session:
                found, seconds = timed(lambda: check_all(session, now=now))
                row(f"check, {children:,} children", seconds, "s", "< 10", f"{len(found)} findings")
                slowest, took = max(
                    (
                        (i.number, timed(lambda i=i: [look(session, now) for look in i.looks])[1])
                        for i in INVARIANTS
                    ),
                    key=lambda each: each[1],
                )
                row("check, the slowest invariant", took, "s", note=f"number {slowest}")
                deep, seconds = timed(lambda: check_all(session, now=now, deep=True))
                row("check --deep", seconds, "s", note=f"{NOTES:,} files opened, the whole trail walked")
                assert not deep, deep
            target = Path(folder) / "one.backup"
            made, seconds = timed(lambda: backup.make(settings, clock, to=target))
            size, file = made.manifest.size / 1e6, target.stat().st_size / 1e6
            note = f"database {size:.0f} MB, file {file:.0f} MB, {sum(made.manifest.counts.values()):,} rows"
            row("backup beside the running service", seconds, "s", note=note)
            row("backup", size / seconds, "MB/s")
        done, seconds = timed(lambda: backup.drill(settings, file=target))
        assert done.sound, (done.problems, done.findings)
        row("restore --check", seconds, "s", "≤ 900")
        into = Path(folder) / "again"
        _, seconds = timed(lambda: backup.restore(settings, clock, file=target, into=into))
        row("restore", seconds, "s", "≤ 900", f"{size / seconds:.0f} MB/s")
        with closing(home.open_home(Settings.of_home(into))) as restored, restored.look() as session:
            assert not check_all(session, now=now)
    return rows
