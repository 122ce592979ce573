"""The worker: takes messages from the outbox, and does at its time what is done by the clock.

The claim commits by itself, so that an attempt counts even when the handler kills the process; what a handler
writes and the finishing of its message are one transaction. Before that transaction the claim is looked at again:
whoever was so slow that another took the message over writes nothing. So nothing is lost and nothing is done twice
in effect, wherever the process dies (requirements RL2, RL9, RL15).

Inside ``serve`` and alone as ``work`` the same three threads run: one for messages, one for workbooks alone, one for the
clock, so that a slow paper delays neither the cases of a large file nor the ladder (RL6). The clock's thread also notices a message that hangs and puts a fresh thread in
its place.
"""

from __future__ import annotations

import hashlib
import logging
import threading
import time
import traceback
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from uuid import UUID

from sqlalchemy import func, or_, select, update
from sqlalchemy.orm import Session

from api.webhook import WebhookGateway
from referral import watching
from referral.actions import checks, clocks, departures, escalations
from referral.handlers import HANDLERS
from referral.queries.labels import counties_that_draw
from screening.core import audit, idempotency, outbox
from screening.core.actor import Actor
from screening.core.calendar import china
from screening.core.clock import Clock
from screening.core.db import Database, Lane
from screening.core.errors import DomainError, PolicyViolation
from screening.core.faults import fault
from screening.core.outbox import OutboxMessage
from screening.core.paper import Printer, find_fonts
from screening.core.settings import Settings
from screening.core.work import Handler, Job, Payload, Tools
from screening.models.organisation import Organisation

log = logging.getLogger(__name__)

POLL_SECONDS = 0.5  # how long a message may lie when nobody woke us: another process may have published it
BEAT_SECONDS = 1.0
RETRY_SECONDS = 5.0  # after the database was away (RL8: healthy again within 10 s)
STOP_SECONDS = 20.0
HANG_SECONDS = 180.0  # far above a paper (20 s, and 90 s for a cold start) and a webhook (5 s)
SEAL_EVERY = timedelta(seconds=10)
SEAL_PIECE = 2000
TICK_EVERY = timedelta(seconds=30)

# Work in pieces that lets everybody else go first.
BULK_TOPICS = frozenset({"import.write"})

OnDead = Callable[[Session, OutboxMessage], None]


class NoHandler(DomainError):
    """A message of a kind this version does not know: from a newer one, or a mistake of ours."""

    code = "no-handler"


class ClaimLost(Exception):
    """Another worker has taken the message over."""


@dataclass(frozen=True, slots=True)
class Claimed:
    """A message as it was claimed. Plain values: the session of the claim is over."""

    id: UUID
    claim: UUID
    topic: str
    payload: Payload
    urgent: bool
    attempts: int

    @property
    def lane(self) -> Lane:
        if self.urgent:
            return Lane.CRISIS
        return Lane.BULK if self.topic in BULK_TOPICS else Lane.USUAL


@dataclass(frozen=True, slots=True)
class Timed:
    """Something done every so often, in a transaction of its own, on several machines by one of them."""

    name: str
    every: timedelta
    run: Callable[[Session, datetime], object]
    lane: Lane = Lane.USUAL


def seal_trail(session: Session, now: datetime) -> None:
    """Number and chain what has been added to the trail (decision 33)."""
    audit.seal_tail(session, limit=SEAL_PIECE)


def seal_leftovers(session: Session, now: datetime) -> None:
    """What an outage or a jump of the clock has left out of the chain."""
    audit.seal_tail(session, limit=SEAL_PIECE, whole=True)


def forget_answers(session: Session, now: datetime) -> None:
    """Answers kept for a second press (RL3) are thrown away after two days."""
    idempotency.forget(session, now)


def climb(session: Session, now: datetime) -> None:
    """What is late goes one step up (requirement RL6)."""
    escalations.tick(session, now=now)


def move_on(session: Session, now: datetime) -> None:
    """Doing nothing moves the child forward (decision 2)."""
    clocks.run(session, now=now)


def let_go(session: Session, now: datetime) -> None:
    """A post that has ended by its date leaves no work behind (domain guide §3.10)."""
    departures.release_ended_posts(session, now=now)


def draw_checks(session: Session, now: datetime) -> None:
    """Each county that holds random checks draws once a week, on its first working hours (requirement of the model)."""
    if not china().in_school_hours(now):
        return
    _in_each_county(
        session, "checks", lambda county: checks.draw(session, actor=Actor.system(), county=county, now=now)
    )


def watch_models(session: Session, now: datetime) -> None:
    """Once a day: is a model still whole, in date, and right?"""
    _in_each_county(
        session, "models", lambda county: watching.look(session, actor=Actor.system(), county=county, now=now)
    )


def _in_each_county(session: Session, name: str, do: Callable[[Organisation], object]) -> None:
    """One after the other; what goes wrong in one county stops no other."""
    for county in counties_that_draw(session):
        try:
            with session.begin_nested():
                do(county)
        except PolicyViolation:
            continue  # nobody holds a post there, so nobody could be asked either
        except Exception as error:
            log.error(
                "timed job %s failed in county %s: %s at %s",
                name,
                county.id,
                type(error).__name__,
                where(error),
            )


SEALING = Timed("seal", SEAL_EVERY, seal_trail, Lane.BULK)
LEFTOVERS = Timed("seal-leftovers", timedelta(days=1), seal_leftovers, Lane.BULK)
FORGETTING = Timed("forget-answers", timedelta(hours=1), forget_answers, Lane.BULK)
LADDER = Timed("ladder", TICK_EVERY, climb)
CLOCKS = Timed("clocks", TICK_EVERY, move_on)
POSTS = Timed("ended-posts", timedelta(minutes=10), let_go)
CHECKS = Timed("checks", timedelta(hours=1), draw_checks, Lane.BULK)
MODELS = Timed("models", timedelta(days=1), watch_models, Lane.BULK)


def show_nowhere(session: Session, message: OutboxMessage) -> None:
    """The hook for a message that is given up, where nobody has put a better one."""
    log.error("outbox message %s (%s) was given up", message.id, message.topic)


@dataclass(slots=True)
class _Turn:
    """What one thread is doing. ``outside``: it holds no session, so its claim can be put back."""

    claimed: Claimed
    since: float = field(default_factory=time.monotonic)
    outside: bool = False
    given_up: bool = False


class Worker:
    """Runs messages and timed jobs. ``run_once`` and ``run_due`` do one step; ``start`` runs them in threads."""

    def __init__(
        self,
        database: Database,
        clock: Clock,
        handlers: Mapping[str, Handler],
        tools: Tools,
        *,
        timed: Sequence[Timed] = (SEALING,),
        on_dead: OnDead = show_nowhere,
    ) -> None:
        self._database = database
        self._clock = clock
        self._handlers = handlers
        self._tools = tools
        self._timed = tuple(timed)
        self._on_dead = on_dead
        self._next: dict[str, datetime] = {}
        self._turns: dict[int, _Turn] = {}
        self._threads: list[threading.Thread] = []
        self._generation = 0
        self._wake = threading.Event()
        self._stopping = threading.Event()
        self._beat = time.monotonic()
        self._stop_by: float | None = None

    # --- one step ------------------------------------------------------------------------------------------

    def run_once(self, topics: frozenset[str] | None = None) -> bool:
        """Take one ready message (of ``topics``, else of any kind) and work on it. ``False`` when there was none."""
        claimed = self._claim(topics)
        if claimed is None:
            return False
        turn = self._turns[threading.get_ident()] = _Turn(claimed)
        try:
            fault("worker-claimed")
            self._work(turn)
        finally:
            self._turns.pop(threading.get_ident(), None)
        return True

    def run_all(self, *, limit: int = 10_000) -> int:
        """Work until nothing is ready. For commands and tests; returns how many messages were taken."""
        for done in range(limit):
            if not self.run_once():
                return done
        return limit

    def run_due(self, now: datetime) -> None:
        """Run the timed jobs whose time has come. A clock that was set back does not make them wait."""
        for job in self._timed:
            due = self._next.get(job.name)
            if due is not None and due - job.every <= now < due:
                continue
            try:
                self._run_timed(job, now)
                self._next[job.name] = now + job.every
            except Exception as error:
                log.error("timed job %s failed: %s at %s", job.name, type(error).__name__, where(error))
                self._next[job.name] = now + min(job.every, timedelta(seconds=RETRY_SECONDS))

    def _claim(self, topics: frozenset[str] | None) -> Claimed | None:
        now = self._clock.now()
        with self._database.look() as session:  # waits for nobody: an idle worker disturbs no writer
            if not _any_ready(session, now, topics):
                return None
        with self._database.begin() as session:
            message = outbox.claim(session, now=now, topics=topics)
            if message is None or message.claim is None:
                return None
            return Claimed(
                id=message.id,
                claim=message.claim,
                topic=message.topic,
                payload=dict(message.payload),
                urgent=message.urgent,
                attempts=message.attempts,
            )

    def _work(self, turn: _Turn) -> None:
        claimed = turn.claimed
        try:
            if claimed.attempts > outbox.MAX_ATTEMPTS:
                # Every attempt took the process along, so that none of them could give the message up.
                self._put_back(claimed, "lost")
                return
            handler = self._handlers.get(claimed.topic)
            if handler is None:
                raise NoHandler("The message is of a kind this version does not know.")
            if isinstance(handler, Job):
                self._run_job(turn, handler)
            else:
                self._store(claimed, lambda session: handler(session, claimed.payload, self._tools))
        except ClaimLost:
            log.warning("outbox message %s was taken over by another worker", claimed.id)
        except Exception as error:
            # Kind and place only: the text of an exception may hold what somebody typed.
            log.error("outbox message %s failed: %s at %s", claimed.id, type(error).__name__, where(error))
            self._put_back(claimed, type(error).__name__)

    def _run_job(self, turn: _Turn, job: Job[object, object]) -> None:
        claimed, tools = turn.claimed, self._tools
        with self._database.begin(claimed.lane) as session:
            work = job.prepare(session, claimed.payload)
        fault("worker-prepared")
        if work is None:
            self._store(claimed, lambda session: None)
            return
        turn.outside = True
        try:
            result = job.perform(work, tools)
        finally:
            turn.outside = False
        fault("worker-performed")
        self._store(claimed, lambda session: job.store(session, claimed.payload, result, tools))

    def _store(self, claimed: Claimed, effect: Callable[[Session], None]) -> None:
        """What the handler writes, and that it is done, in one transaction."""
        with self._database.begin(claimed.lane) as session:
            if _mine(session, claimed) is None:
                raise ClaimLost
            effect(session)
            outbox.finish(session, claimed.id, now=self._clock.now())
            session.flush()
            fault("worker-stored")
        fault("worker-finished")

    def _put_back(self, claimed: Claimed, error: str) -> None:
        with self._database.begin(claimed.lane) as session:
            if _mine(session, claimed) is None:
                return
            if outbox.put_back(session, claimed.id, now=self._clock.now(), error=error):
                self._on_dead(session, session.get_one(OutboxMessage, claimed.id))

    def _run_timed(self, job: Timed, now: datetime) -> None:
        with self._database.begin(job.lane) as session:
            if self._database.is_sqlite or _alone(session, job.name):
                job.run(session, now)

    # --- in threads ----------------------------------------------------------------------------------------

    def start(self) -> None:
        """Run in threads of this process until :meth:`stop`."""
        self._stopping.clear()
        self._stop_by = None
        self._beat = time.monotonic()
        if self._database.is_sqlite:
            self._free_claims()
        self._start_messages()
        # The cases of a workbook are not opened behind the papers of the rows before them.
        self._start(lambda: self._follow_messages(None, BULK_TOPICS), "xinqiao-files")
        self._start(self._follow_clock, "xinqiao-clock")

    def wake(self) -> None:
        """Something was published: look at once. Cheap; called after the commit."""
        self._wake.set()

    def stop_soon(self) -> None:
        """Take nothing new; what runs goes on. Returns at once, so that a signal handler may call it."""
        self._stop_by = self._stop_by or time.monotonic() + STOP_SECONDS
        self._stopping.set()
        self._wake.set()

    def stop(self, within: float | None = None) -> bool:
        """Finish what runs and put back the claim of what does not. ``True`` when all had finished.

        Waits ``within`` seconds, without it until :data:`STOP_SECONDS` after the first word about stopping.
        """
        self.stop_soon()
        deadline = self._stop_by if within is None else time.monotonic() + within
        for thread in self._threads:
            thread.join(max(0.0, (deadline or 0.0) - time.monotonic()))
        for turn in list(self._turns.values()):
            if turn.outside:
                with suppress(Exception):  # the database is away: then the claim lapses by itself
                    self._release(turn.claimed)
        self._threads = [thread for thread in self._threads if thread.is_alive()]
        if not self._threads:
            self._tools.printer.close()
        return not self._threads

    @property
    def alive(self) -> bool:
        """Whether messages and clock are being looked after. A dead worker is an alarm of its own (RL6)."""
        return len([t for t in self._threads if t.is_alive()]) >= 3 and time.monotonic() - self._beat < 60

    def _start_messages(self) -> None:
        self._generation += 1
        generation = self._generation
        self._start(lambda: self._follow_messages(generation), f"xinqiao-messages-{generation}")

    def _start(self, target: Callable[[], None], name: str) -> None:
        thread = threading.Thread(target=target, name=name, daemon=True)
        self._threads.append(thread)
        thread.start()

    def _follow_messages(self, generation: int | None, topics: frozenset[str] | None = None) -> None:
        """Until stopping, or until a thread of a later generation has taken this one's place."""
        while not self._stopping.is_set() and generation in (None, self._generation):
            try:
                if self.run_once(topics):
                    continue
            except Exception as error:
                log.error("the worker could not go on: %s at %s", type(error).__name__, where(error))
                self._stopping.wait(RETRY_SECONDS)
            self._wake.wait(POLL_SECONDS)
            self._wake.clear()

    def _follow_clock(self) -> None:
        while not self._stopping.is_set():
            self._beat = time.monotonic()
            self.run_due(self._clock.now())
            self._replace_hanging()
            self._stopping.wait(BEAT_SECONDS)

    def _replace_hanging(self) -> None:
        """A thread cannot be ended from outside; it is left alone, and another goes on with the rest."""
        for turn in list(self._turns.values()):
            if not turn.given_up and time.monotonic() - turn.since > HANG_SECONDS:
                turn.given_up = True
                log.error("outbox message %s hangs; going on without it", turn.claimed.id)
                self._start_messages()

    def _free_claims(self) -> None:
        """One process holds an SQLite file: whoever claimed something before us is dead."""
        with self._database.begin() as session:
            session.execute(
                update(OutboxMessage)
                .where(OutboxMessage.claim.is_not(None), OutboxMessage.dead_at.is_(None))
                .values(claim=None, claimed_until=None)
                .execution_options(synchronize_session=False)
            )

    def _release(self, claimed: Claimed) -> None:
        with self._database.begin() as session:
            session.execute(
                update(OutboxMessage)
                .where(OutboxMessage.id == claimed.id, OutboxMessage.claim == claimed.claim)
                .values(claim=None, claimed_until=None)
                .execution_options(synchronize_session=False)
            )


def compose(settings: Settings, database: Database, clock: Clock, *, more: Sequence[Timed] = ()) -> Worker:
    """The worker of the service: its handlers, its clock's jobs and ``more`` of them, its printer, its way out."""
    tools = Tools(
        clock=clock,
        printer=Printer(find_fonts(settings.font) if settings.font else None),
        gateway=WebhookGateway(settings.webhook, clock) if settings.webhook else None,
        base_url=settings.base_url,
    )
    return Worker(
        database,
        clock,
        HANDLERS,
        tools,
        timed=(SEALING, LEFTOVERS, FORGETTING, LADDER, CLOCKS, POSTS, CHECKS, MODELS, *more),
    )


def _any_ready(session: Session, now: datetime, topics: frozenset[str] | None) -> bool:
    """The condition of ``outbox.claim``, without taking anything."""
    ready = select(OutboxMessage.id).where(
        OutboxMessage.finished_at.is_(None),
        OutboxMessage.dead_at.is_(None),
        OutboxMessage.available_at <= now,
        or_(OutboxMessage.claimed_until.is_(None), OutboxMessage.claimed_until < now),
    )
    if topics is not None:
        ready = ready.where(OutboxMessage.topic.in_(topics))
    return session.scalars(ready.limit(1)).first() is not None


def _mine(session: Session, claimed: Claimed) -> UUID | None:
    """Our claim, locked until the end of the transaction; ``None`` when it is no longer ours."""
    return session.scalars(
        select(OutboxMessage.id)
        .where(OutboxMessage.id == claimed.id, OutboxMessage.claim == claimed.claim)
        .with_for_update()
    ).one_or_none()


def _alone(session: Session, name: str) -> bool:
    """PostgreSQL: whether this transaction is the only one at work on the timed job ``name``."""
    key = int.from_bytes(hashlib.sha256(f"xinqiao:{name}".encode()).digest()[:8], "big", signed=True)
    return bool(session.scalar(select(func.pg_try_advisory_xact_lock(key))))


def where(error: BaseException) -> str:
    """File and line of ours where an exception came from: what a log may say of it."""
    frames = traceback.extract_tb(error.__traceback__)
    ours = [frame for frame in frames if "site-packages" not in frame.filename]
    if not frames:
        return "?"
    last = (ours or frames)[-1]
    return f"{Path(last.filename).name}:{last.lineno}"
