"""``xinqiao demo --dir DIR``: the main job without a server, and a table of what came of it."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path

from rich.console import Console
from rich.table import Table

from api.cli.demo.counts import Counts, count, lay_out_notes
from api.cli.demo.home import bars, hashed, new_password, write_sign_ins
from api.cli.demo.play import CHILDREN, SEED, Played, Script, Watch, finish, play
from api.cli.demo.scene import Scene
from api.cli.demo.workbooks import SchoolBook
from api.cli.words import _
from risk_model import Level
from screening.core.clock import Clock
from screening.core.errors import Conflict, PolicyViolation
from screening.core.settings import Settings

NOTES, WORKBOOKS = "notes", "workbooks"

# Neutral words for levels; the machine's level is a place in a queue (glossary).
LEVELS = {
    Level.NONE: "nothing noted this time (NONE)",
    Level.ELEVATED: "worth a talk (ELEVATED)",
    Level.HIGH: "to be seen first (HIGH)",
    Level.CRISIS_ITEM: "to be seen today or at once (CRISIS_ITEM)",
    None: "not scored, to be repeated",
}


@dataclass(slots=True)
class Summary:
    """What the table shows. ``notes`` counts the files in DIR/notes."""

    counts: Counts | None = None
    played: Played | None = None
    notes: int = 0

    @property
    def holds(self) -> bool:
        """Each child at HIGH or CRISIS_ITEM has one note, and no other child has one."""
        return self.counts is not None and self.notes == self.counts.to_refer


def run(directory: Path) -> bool:
    """Make everything in ``directory`` and print the table. ``False`` when the numbers do not agree."""
    settings = Settings.read()
    with bars() as progress:
        watch = Watch(progress)
        summary = make(settings, directory, watch)
    show(Console(), summary, watch, directory)
    return summary.holds


def make(
    settings: Settings,
    directory: Path,
    watch: Watch,
    *,
    children: int = CHILDREN,
    seed: int = SEED,
    now: datetime | None = None,
) -> Summary:
    """The same without printing. Raises :class:`Conflict` when the directory holds anything."""
    if settings.production:
        raise PolicyViolation("A demonstration is not made in production.")
    directory = directory.absolute()
    if directory.exists() and (not directory.is_dir() or any(directory.iterdir())):
        raise Conflict(
            "{directory} is not an empty directory. A demonstration starts in an empty one; nothing was changed.",
            directory=directory,
        )
    (directory / WORKBOOKS).mkdir(mode=0o700, parents=True)
    summary, password = Summary(), new_password()

    def keep_book(book: SchoolBook, data: bytes) -> None:
        (directory / WORKBOOKS / book.file_name).write_bytes(data)

    def at_end(stage: Scene, played: Played) -> None:
        def lay_out(each: Scene) -> None:
            with each.database.begin() as session:
                summary.notes = lay_out_notes(session, directory / NOTES, each.clock.now())
                summary.counts, summary.played = count(session), played

        finish(stage, watch, lay_out)

    play(
        replace(Settings.of_home(directory), font=settings.font),
        Script(seed, children, now or Clock().now(), complete=True),
        watch,
        password_hash=hashed(password),
        keep_book=keep_book,
        at_end=at_end,
    )
    write_sign_ins(directory, password)
    return summary


def show(console: Console, summary: Summary, watch: Watch, directory: Path) -> None:
    """Two tables: what came of it, and how long it took."""
    found, played = summary.counts, summary.played
    if found is None or played is None:
        return
    console.print(_table(_("A made-up county"), _rows(found, played, summary.notes)))
    seconds = [(_(name), f"{spent:.1f}") for name, spent in watch.seconds.items()]
    total = (_("All together"), f"{sum(watch.seconds.values()):.1f}")
    console.print(_table(_("Seconds"), [*seconds, None, total]))
    if not summary.holds:
        console.print(_("The notes do not agree with the levels: {notes} and {children}.",
                        notes=summary.notes, children=found.to_refer))  # fmt: skip
    console.print(
        _(
            "In {directory}: the schools' workbooks, the database, and notes/, one PDF per child at HIGH or CRISIS_ITEM.",
            directory=directory,
        ),
        soft_wrap=True,
    )
    console.print(
        _("To look around: XINQIAO_HOME={directory} xinqiao serve; the password stands in {file}.",
          directory=directory, file="sign-ins.json"),
        soft_wrap=True,
    )  # fmt: skip


_Row = tuple[str, str] | None


def _table(title: str, rows: list[_Row]) -> Table:
    table = Table(title=title, title_justify="left", show_header=False)
    table.add_column(overflow="fold", min_width=44)
    table.add_column(justify="right", min_width=6)
    for row in rows:
        if row is None:
            table.add_section()
        else:
            table.add_row(*row)
    return table


def _rows(found: Counts, played: Played, notes: int) -> list[_Row]:
    def line(name: str, value: int, indent: bool = False) -> _Row:
        return ("  " * indent + _(name), str(value))

    return [
        line("Schools", len(played.books)),
        line("Children", found.children),
        None,
        line("Answer sheets stored", found.sheets),
        line("Rows refused, with their owner", sum(each.refused for each in played.imported)),
        line("Absent, without a sheet", sum(each.absent for each in played.imported)),
        None,
        line("Children by level", found.children),
        *(line(name, found.levels.get(level, 0), indent=True) for level, name in LEVELS.items()),
        line("no sheet: no consent, absent or refused", found.without_sheet, indent=True),
        None,
        line("Cases", found.cases),
        line("Versions of plans", found.plans),
        line("Referrals", found.referrals),
        line("left at once as triage requests, unseen", found.left_at_once, indent=True),
        line("left by a person's press", found.left_by_press, indent=True),
        line("waiting for a press", found.waiting, indent=True),
        None,
        line("Notes printed (PDF)", notes),
        line("Children at HIGH and CRISIS_ITEM", found.to_refer),
    ]
