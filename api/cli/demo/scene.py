"""The service at work on the made-up county: a clock that is led through the past days, the real worker, imports."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from api.cli.demo.county import County
from api.cli.demo.workbooks import SchoolBook
from api.cli.home import actor_named
from api.worker import Worker
from referral import intake
from referral.actions import clocks, escalations
from referral.handlers import HANDLERS
from screening.actions import children
from screening.core import audit, outbox
from screening.core.actor import Actor, Role
from screening.core.clock import FixedClock, local_day
from screening.core.db import Database, Lane
from screening.core.errors import Unavailable
from screening.core.paper import Printer, find_fonts
from screening.core.settings import Settings
from screening.core.work import Tools
from screening.models.import_batch import BatchStatus
from screening.queries.campaigns import get_campaign
from screening.queries.children import enrolled
from screening.queries.imports import get_batch
from screening.spreadsheets.reader import read_in_child

# A message that failed waits at most this long for its next try; the clock is led there instead of waiting.
_RETRY = timedelta(minutes=5)
_TRIES = 8
_TURNS = 50
_IDLE, _PATIENCE = 0.02, 5.0  # seconds
_SEAL_PIECE = 5000
_FACT_SOURCE = "示范镇台账（虚构）"

Tick = Callable[[int], None]


@dataclass(slots=True)
class Scene:
    """What the acts need. ``helper`` is a second worker with a printer of its own, so that two cores print."""

    database: Database
    clock: FixedClock
    worker: Worker
    helper: Worker
    county: County

    def actor(self, session: Any, username: str) -> Actor:
        """The person of this user name, with the roles of the scene's day."""
        return actor_named(session, username=username, today=self.clock.today())


@contextmanager
def scene(settings: Settings, database: Database, county: County, at: datetime) -> Iterator[Scene]:
    """A scene whose printers are closed at its end."""
    clock = FixedClock(at)
    fonts = find_fonts(settings.font) if settings.font else None
    with Printer(fonts) as first, Printer(fonts) as second:
        worker, helper = (
            Worker(database, clock, HANDLERS, Tools(clock, printer, base_url=settings.base_url), timed=())
            for printer in (first, second)
        )
        yield Scene(database, clock, worker, helper, county)


@contextmanager
def _helped(scene: Scene) -> Iterator[None]:
    """The second worker takes messages too, until the end of the block."""
    enough = threading.Event()

    def work() -> None:
        while not enough.is_set():
            if not scene.helper.run_once():
                enough.wait(_IDLE)

    thread = threading.Thread(target=work, name="demo-helper", daemon=True)
    thread.start()
    try:
        yield
    finally:
        enough.set()
        thread.join()


# --- importing ---------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Imported:
    """What became of the rows of one workbook."""

    good: int
    refused: int
    absent: int


def import_school(scene: Scene, book: SchoolBook, data: bytes, tick: Tick) -> Imported:
    """Through the same door as a real one: stage, commit, and the worker's pieces. ``tick`` gets rows as written."""
    school, database = book.school, scene.database
    counsellor = f"{Role.COUNSELLOR.value}.{school.code[5:]}"
    codes = [code for code in school.instruments if code in book.sheets]
    parsed = read_in_child(data, codes, scene.clock.today())
    now = scene.clock.now()
    with database.begin() as session:
        actor = scene.actor(session, counsellor)
        campaign = get_campaign(session, actor=actor, campaign_id=scene.county.campaigns[school.code])
        batch = intake.stage(
            session,
            actor=actor,
            campaign=campaign,
            data=data,
            file_name=book.file_name,
            parsed=parsed,
            now=now,
        )
        session.flush()
        intake.commit(session, actor=actor, batch=batch, good_rows_only=batch.refused > 0, now=now)
        batch_id = batch.id
    return _write(scene, book, actor, batch_id, tick)


def _write(scene: Scene, book: SchoolBook, actor: Actor, batch_id: UUID, tick: Tick) -> Imported:
    """Let the worker write until the batch is complete. Circumstances are recorded once the children are there."""
    known, written, idle = False, 0, 0.0
    with _helped(scene):
        while True:
            idle = 0.0 if scene.worker.run_once() else _wait(scene, idle)
            with scene.database.look() as session:
                batch = get_batch(session, actor=actor, batch_id=batch_id)
                before, written, status = written, batch.written, batch.status
                done = Imported(good=batch.good, refused=batch.refused, absent=batch.absent)
            tick(written - before)
            if not known and written >= len(book.pupils):
                _record_facts(scene, book, actor)
                known = True
            if status is BatchStatus.COMMITTED:
                return done


def _wait(scene: Scene, idle: float) -> float:
    """Nothing was ready: the helper is at work on it, or a try that failed waits for its time."""
    if idle > _PATIENCE:
        _lead_to_retry(scene)
        return 0.0
    time.sleep(_IDLE)
    return idle + _IDLE


def _record_facts(scene: Scene, book: SchoolBook, actor: Actor) -> None:
    by_number = {pupil.student_no: pupil for pupil in book.pupils if pupil.facts}
    with scene.database.begin(Lane.BULK) as session:
        place = scene.county.places[book.school.code]
        known = enrolled(session, organisation_id=place, student_nos=by_number)
        for number, enrolment in known.items():
            for fact in by_number[number].facts:
                children.record_fact(
                    session,
                    actor=actor,
                    child=enrolment.child,
                    fact=fact.value,
                    since_on=local_day(scene.clock.now()) - timedelta(days=200),
                    source=_FACT_SOURCE,
                    now=scene.clock.now(),
                )


# --- the worker --------------------------------------------------------------------------------------------


def drain(scene: Scene, tick: Tick) -> None:
    """Let the workers do all that is published. Raises :class:`Unavailable` when something could not be done."""
    for _ in range(_TRIES + 1):
        with _helped(scene):
            _work_off(scene, tick)
        _work_off(scene, tick)  # what the helper's last one has published
        with scene.database.look() as session:
            if not outbox.count_waiting(session):
                return
        _lead_to_retry(scene)
    raise _given_up()


def _work_off(scene: Scene, tick: Tick) -> None:
    while scene.worker.run_once():
        tick(1)


def _lead_to_retry(scene: Scene) -> None:
    with scene.database.look() as session:
        if not outbox.count_waiting(session):
            raise _given_up()
    scene.clock.forward(_RETRY)


def _given_up() -> Unavailable:
    return Unavailable("The demonstration could not be finished. `xinqiao doctor` says what is missing here.")


def let_clocks_run(scene: Scene) -> None:
    """What has come due in these days rings, and what nobody did moves on, as at the start after an outage."""
    for job in (escalations.tick, clocks.run):
        for _ in range(_TURNS):
            with scene.database.begin() as session:
                if not job(session, now=scene.clock.now()):
                    break


def seal(scene: Scene) -> None:
    """Chain the trail to its end."""
    while True:
        with scene.database.begin(Lane.BULK) as session:
            if not audit.seal_tail(session, limit=_SEAL_PIECE):
                return
