"""The days of the made-up county in their order, up to this moment."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from random import Random
from uuid import UUID

from rich.progress import Progress, TaskID
from sqlalchemy.orm import Session

from api.cli import home
from api.cli.demo import calls, county, story, workbooks
from api.cli.demo.county import JUNIOR, County
from api.cli.demo.scene import Imported, Scene, drain, import_school, let_clocks_run, scene, seal
from api.cli.demo.workbooks import SchoolBook
from api.cli.words import _
from screening.access import children_visible_to
from screening.core.actor import Actor
from screening.core.calendar import china
from screening.core.clock import LOCAL, local_day
from screening.core.errors import Conflict
from screening.core.settings import Settings

SEED = 2026
CHILDREN = 600

COUNTY, WRITING = "The county and its people", "Workbooks written"
# The first notes are printed while rows are still coming in.
IMPORTING, PRINTING = "Workbooks in, up to referrals and first notes", "The other notes printed"
ANSWERING, LAYING_OUT = "Talks and the clinic's answer", "Notes laid out, trail sealed"


@dataclass(slots=True)
class Watch:
    """How far each part is and how long it took; shows it where somebody looks."""

    progress: Progress | None = None
    seconds: dict[str, float] = field(default_factory=dict)
    _tasks: dict[str, TaskID] = field(default_factory=dict)

    @contextmanager
    def part(self, name: str, total: int | None = None) -> Iterator[Callable[[int], None]]:
        """One part, or a further stretch of it; gives what to call with each step done."""
        began = time.perf_counter()
        self._open(name, total)
        try:
            yield lambda steps: self._advance(name, steps)
        finally:
            self.add(name, time.perf_counter() - began)

    def add(self, name: str, seconds: float) -> None:
        self.seconds[name] = self.seconds.get(name, 0.0) + seconds

    def _open(self, name: str, total: int | None) -> None:
        if self.progress is not None and name not in self._tasks:
            self._tasks[name] = self.progress.add_task(_(name), total=total)

    def _advance(self, name: str, steps: int) -> None:
        if self.progress is not None:
            self.progress.advance(self._tasks[name], steps)

    def finish(self, name: str) -> None:
        """Fill the bar of a part whose steps nobody could count before."""
        if self.progress is not None and name in self._tasks:
            done = self.progress.tasks[self._tasks[name]].completed or 1
            self.progress.update(self._tasks[name], total=done, completed=done)


@dataclass(frozen=True, slots=True)
class Script:
    """What is to be played. ``complete``: one child's loop is closed; otherwise children wait at every step."""

    seed: int
    children: int
    now: datetime
    complete: bool


@dataclass(slots=True)
class _Cast:
    """The children something happens to, known once the junior school's workbook is in."""

    pressed: list[UUID] = field(default_factory=list)
    at_once: list[UUID] = field(default_factory=list)
    talks: list[tuple[UUID, UUID]] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Played:
    """What was sent in and what became of it."""

    books: tuple[SchoolBook, ...]
    imported: tuple[Imported, ...]


def play(
    settings: Settings,
    script: Script,
    watch: Watch,
    *,
    password_hash: str,
    keep_book: Callable[[SchoolBook, bytes], None],
    at_end: Callable[[Scene, Played], None],
) -> None:
    """Make the home of ``settings`` and live through the days. ``at_end`` gets the scene while it is open."""
    home.init_home(settings)
    today = local_day(script.now)
    with home.opened(settings) as database:
        with watch.part(COUNTY, 1) as tick:
            with database.begin() as session:
                made = _county(session, script, password_hash)
            tick(1)
        with watch.part(WRITING, len(county.SCHOOLS)) as tick:
            sent = []
            for book in workbooks.make(script.seed, script.children, today):
                sent.append((book, book.write()))
                keep_book(*sent[-1])
                tick(1)
        with scene(settings, database, made, script.now) as stage:
            imported = _live(stage, script, sent, watch)
            at_end(stage, Played(tuple(book for book, _data in sent), tuple(imported)))


def _county(session: Session, script: Script, password_hash: str) -> County:
    """Raises :class:`Conflict` where children are known already: nobody makes up pupils beside real ones."""
    if session.scalars(children_visible_to(Actor.system()).limit(1)).first() is not None:
        raise Conflict("There are children in this database. A demonstration starts with an empty one.")
    random = Random(f"{script.seed}:county")  # noqa: S311  # made-up data has to come out the same again
    return county.build(session, random, password_hash=password_hash, now=script.now)


def _live(
    stage: Scene, script: Script, sent: Sequence[tuple[SchoolBook, bytes]], watch: Watch
) -> list[Imported]:
    imported: list[Imported] = []
    cast = _Cast()
    rows = sum(len(book.pupils) + sum(map(len, book.sheets.values())) for book, _data in sent)
    acts = [
        (_moment(script, book.school.back, book.school.hour), _importing(stage, book, data, watch, rows, cast, imported))
        for book, data in sent
    ]  # fmt: skip
    acts += [(at, _timed(act, watch)) for at, act in _acts(stage, script, cast)]
    for at, act in sorted(acts, key=lambda each: each[0]):
        stage.clock.set(at)
        act()
    stage.clock.set(script.now)
    with watch.part(ANSWERING) as tick:
        let_clocks_run(stage)
        tick(1)
    _print(stage, watch)
    watch.finish(IMPORTING)
    watch.finish(PRINTING)
    return imported


def _moment(script: Script, back: int, hour: int, minute: int = 0) -> datetime:
    """A time of day ``back`` working days ago; ahead, when ``back`` is negative."""
    day = china().add_working_days(local_day(script.now), -back)
    return datetime(day.year, day.month, day.day, hour, minute, tzinfo=LOCAL)


def _importing(
    stage: Scene,
    book: SchoolBook,
    data: bytes,
    watch: Watch,
    rows: int,
    cast: _Cast,
    imported: list[Imported],
) -> Callable[[], None]:
    def act() -> None:
        with watch.part(IMPORTING, rows) as tick:
            imported.append(import_school(stage, book, data, tick))
        _print(stage, watch)
        if book.school is JUNIOR:
            with stage.database.look() as session:
                cast.pressed = story.waiting_for_press(session, stage)
                cast.at_once = story.left_at_once(session, stage)

    return act


def _print(stage: Scene, watch: Watch) -> None:
    with watch.part(PRINTING) as tick:
        drain(stage, tick)


def _timed(act: Callable[[], None], watch: Watch) -> Callable[[], None]:
    def run() -> None:
        with watch.part(ANSWERING) as tick:
            act()
            tick(1)

    return run


_Acts = Iterator[tuple[datetime, Callable[[], None]]]


def _acts(stage: Scene, script: Script, cast: _Cast) -> _Acts:
    yield from _one_answer(stage, script, cast)
    if not script.complete:
        yield from _every_step(stage, script, cast)
        yield from _calls(stage, script)
    yield from _safety_talks(stage, script, cast)


def _with(of: Callable[[], Sequence[UUID]], place: int, act: Callable[[UUID], None]) -> Callable[[], None]:
    """An act on one child of the cast; a small county may have too few, then it is left out."""

    def run() -> None:
        chosen = of()
        if place < len(chosen):
            act(chosen[place])

    return run


def _one_answer(stage: Scene, script: Script, cast: _Cast) -> _Acts:
    """Sent, accepted, seen, answered; and, where the loop is closed, read and worked into the plan."""

    def first(act: Callable[[UUID], None]) -> Callable[[], None]:
        return _with(lambda: cast.pressed, 0, act)

    visit = _moment(script, 2, 10)
    yield _moment(script, 4, 14, 30), first(lambda child: story.assess_and_send(stage, child))
    yield _moment(script, 3, 9, 20), first(lambda child: story.accept(stage, child))
    yield _moment(script, 3, 9, 30), first(lambda child: story.schedule(stage, child, visit))
    yield _moment(script, 2, 10, 40), first(lambda child: story.attend(stage, child))
    yield _moment(script, 2, 16, 30), first(lambda child: story.write_return_note(stage, child))
    if script.complete:
        yield _moment(script, 1, 10), first(lambda child: story.read_and_complete(stage, child))


def _every_step(stage: Scene, script: Script, cast: _Cast) -> _Acts:
    """Other children who wait at other steps."""

    def pressed(place: int, act: Callable[[UUID], None]) -> Callable[[], None]:
        return _with(lambda: cast.pressed, place, act)

    def at_once(place: int, act: Callable[[UUID], None]) -> Callable[[], None]:
        return _with(lambda: cast.at_once, place, act)

    visit = _moment(script, -2, 10)
    yield _moment(script, 3, 10), pressed(1, lambda child: story.assess_and_send(stage, child))
    yield _moment(script, 2, 9), pressed(1, lambda child: story.accept(stage, child))
    yield _moment(script, 2, 9, 10), pressed(1, lambda child: story.schedule(stage, child, visit))
    yield _moment(script, 2, 10, 30), pressed(2, lambda child: story.assess_and_send(stage, child))
    yield _moment(script, 1, 9, 40), pressed(2, lambda child: story.accept(stage, child))
    yield _moment(script, 1, 11), pressed(3, lambda child: story.assess_and_send(stage, child))
    yield _moment(script, 1, 11, 30), pressed(4, lambda child: story.assess_and_screen_out(stage, child))
    yield _moment(script, 3, 15), at_once(0, lambda child: story.decline(stage, child))
    yield _moment(script, 3, 15, 10), at_once(1, lambda child: story.accept(stage, child))


def _calls(stage: Scene, script: Script) -> _Acts:
    """The 12355 line, in the evening and today."""
    yield _moment(script, 1, 19, 10), lambda: calls.answered_by_school(stage)
    yield _moment(script, 1, 22, 40), lambda: calls.level_a_without_a_name(stage)
    yield script.now - timedelta(hours=2), lambda: calls.unfinished(stage)
    yield script.now - timedelta(minutes=20), lambda: calls.waiting_for_county(stage)


def _safety_talks(stage: Scene, script: Script, cast: _Cast) -> _Acts:
    """Two talks end well. The third, minutes ago, does not: danger that nobody has taken yet."""

    def talk(place: int, *, acute: bool) -> Callable[[], None]:
        def run() -> None:
            with stage.database.look() as session:
                waiting = story.waiting_for_safety_talk(session, stage)
            if place < len(waiting):
                story.hold_safety_talk(stage, *waiting[place], acute=acute)

        return run

    # Who had a talk no longer waits for one, so the next is the first again.
    yield _moment(script, 1, 15), talk(1, acute=False)
    yield _moment(script, 1, 15, 40), talk(1, acute=False)
    yield script.now - timedelta(minutes=3), talk(0, acute=True)


def finish(stage: Scene, watch: Watch, lay_out: Callable[[Scene], None]) -> None:
    """What is left when everything has happened."""
    with watch.part(LAYING_OUT, 1) as tick:
        lay_out(stage)
        seal(stage)
        tick(1)
