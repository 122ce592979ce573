"""The service at work on the made-up county: a clock that is led through the past days, the real worker, imports."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, TypeVar
from uuid import UUID

from api.cli.demo.county import County
from api.cli.demo.workbooks import SchoolBook
from api.cli.home import actor_named
from api.worker import Worker
from referral import intake
from referral.handlers import HANDLERS
from screening.actions import children
from screening.core import audit, outbox
from screening.core.actor import Actor, Role
from screening.core.clock import FixedClock, local_day
from screening.core.db import Database, Lane
from screening.core.errors import Unavailable
from screening.core.paper import Printer, find_fonts
from screening.core.settings import Settings
from screening.core.work import Handler, Job, Tools
from screening.models.import_batch import BatchStatus
from screening.queries.campaigns import get_campaign
from screening.queries.children import enrolled
from screening.queries.imports import get_batch
from screening.spreadsheets.reader import read_in_child

# A message that failed waits at most this long for its next try; the clock is led there instead of waiting.
_RETRY = timedelta(minutes=5)
_TRIES = 8
_SEAL_PIECE = 5000
_FACT_SOURCE = "示范镇台账(虚构)"

R = TypeVar("R")
Tick = Callable[[int], None]


@dataclass(slots=True)
class Scene:
    """What the acts need. ``seconds``: time spent by outbox topic, for the table at the end."""

    database: Database
    clock: FixedClock
    worker: Worker
    county: County
    seconds: dict[str, float] = field(default_factory=dict)

    def actor(self, session: Any, username: str) -> Actor:
        """The person of this user name, with the roles of the scene's day."""
        return actor_named(session, username=username, today=self.clock.today())


@contextmanager
def scene(settings: Settings, database: Database, county: County, at: datetime) -> Iterator[Scene]:
    """A scene whose printer is closed at its end."""
    clock, seconds = FixedClock(at), dict[str, float]()
    with Printer(find_fonts(settings.font) if settings.font else None) as printer:
        tools = Tools(clock=clock, printer=printer)
        worker = Worker(database, clock, _timed(HANDLERS, seconds), tools, timed=())
        yield Scene(database, clock, worker, county, seconds)


def _timed(handlers: Mapping[str, Handler], seconds: dict[str, float]) -> dict[str, Handler]:
    return {topic: _timed_one(handler, topic, seconds) for topic, handler in handlers.items()}


def _timed_one(handler: Handler, topic: str, seconds: dict[str, float]) -> Handler:
    if isinstance(handler, Job):
        return Job(
            _counted(handler.prepare, topic, seconds),
            _counted(handler.perform, topic, seconds),
            _counted(handler.store, topic, seconds),
        )
    return _counted(handler, topic, seconds)


def _counted(step: Callable[..., R], topic: str, seconds: dict[str, float]) -> Callable[..., R]:
    def run(*arguments: Any) -> R:
        began = time.perf_counter()
        try:
            return step(*arguments)
        finally:
            seconds[topic] = seconds.get(topic, 0.0) + time.perf_counter() - began

    return run


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
    known, written = False, 0
    while True:
        if not scene.worker.run_once():
            _lead_to_retry(scene)
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
    """Let the worker do all that is published. Raises :class:`Unavailable` when something could not be done."""
    for _ in range(_TRIES + 1):
        while scene.worker.run_once():
            tick(1)
        with scene.database.look() as session:
            if not outbox.count_waiting(session):
                return
        _lead_to_retry(scene)
    raise _given_up()


def _lead_to_retry(scene: Scene) -> None:
    with scene.database.look() as session:
        if not outbox.count_waiting(session):
            raise _given_up()
    scene.clock.forward(_RETRY)


def _given_up() -> Unavailable:
    return Unavailable("The demonstration could not be finished. `xinqiao doctor` says what is missing here.")


def seal(scene: Scene) -> None:
    """Chain the trail to its end."""
    while True:
        with scene.database.begin(Lane.BULK) as session:
            if not audit.seal_tail(session, limit=_SEAL_PIECE):
                return
