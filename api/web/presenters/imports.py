"""An uploaded workbook in words: its problems beside their cells, what follows from it, and what to do next."""

from __future__ import annotations

import json
from collections.abc import Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from referral.queries.today import TaskLine
from referral.terms import TaskKind
from screening.core.clock import local_day
from screening.core.i18n import translate
from screening.models.import_batch import BatchStatus, ImportBatch
from screening.queries.imports import ROSTER
from screening.spreadsheets.layout import ROSTER_SHEET

MOST_PROBLEMS = 500

TALKS = frozenset(
    {
        TaskKind.SAME_DAY_TALK,
        TaskKind.SAFETY_TALK,
        TaskKind.SECOND_ASSESSMENT,
        TaskKind.REVIEW_CRITICAL,
        TaskKind.CRISIS_ACKNOWLEDGE,
    }
)


@dataclass(frozen=True, slots=True)
class Problem:
    """One problem: Excel's cell (``D5``, ``5`` for a whole row, empty for a whole sheet) and the sentence."""

    sheet: str
    row: int | None
    cell: str
    message: str


@dataclass(frozen=True, slots=True)
class Sheet:
    """The problems of one sheet, from the top of it to the bottom."""

    title: str
    errors: tuple[Problem, ...]
    warnings: tuple[Problem, ...]


@dataclass(frozen=True, slots=True)
class Review:
    """Alarms first: they ask for a person now, whatever becomes of the file."""

    alarms: tuple[Problem, ...]
    sheets: tuple[Sheet, ...]
    more: int


@dataclass(frozen=True, slots=True)
class Following:
    """Talks that children of this file now have on this person's list."""

    today: int
    later: int


def status(value: BatchStatus, locale: str) -> str:
    """Where a file stands."""
    return {
        BatchStatus.STAGED: translate(locale, "waits for your decision"),
        BatchStatus.COMMITTING: translate(locale, "is being stored"),
        BatchStatus.COMMITTED: translate(locale, "stored"),
        BatchStatus.REFUSED: translate(locale, "cannot be read"),
    }[value]


def review(batch: ImportBatch, locale: str) -> Review:
    """Every problem of a file by place. Never the value of a cell."""
    problems: list[dict[str, Any]] = json.loads(batch.problems or "[]")
    shown = problems[:MOST_PROBLEMS]
    by_severity: dict[str, list[Problem]] = {"alarm": [], "error": [], "warning": []}
    for each in shown:
        by_severity[each["severity"]].append(_problem(each, locale))
    titles = dict.fromkeys(each.sheet for each in (*by_severity["error"], *by_severity["warning"]))
    return Review(
        alarms=tuple(sorted(by_severity["alarm"], key=_place)),
        sheets=tuple(
            Sheet(title, _of(title, by_severity["error"]), _of(title, by_severity["warning"]))
            for title in titles
        ),
        more=len(problems) - len(shown),
    )


def _problem(problem: dict[str, Any], locale: str) -> Problem:
    sheet = ROSTER_SHEET if problem["sheet"] == ROSTER else problem["sheet"]
    row, column = problem["row"], problem["column"] or ""
    return Problem(
        sheet=sheet or translate(locale, "The whole file"),
        row=row,
        cell=f"{column}{row or ''}",
        message=translate(locale, problem["message"], **problem["params"]),
    )


def _of(title: str, problems: Sequence[Problem]) -> tuple[Problem, ...]:
    return tuple(sorted((each for each in problems if each.sheet == title), key=_place))


def _place(problem: Problem) -> tuple[int, int, str]:
    return problem.row or 0, len(problem.cell), problem.cell


def own_lines(lines: Sequence[TaskLine], batch: ImportBatch) -> list[TaskLine]:
    """What this person has to decide about this very file."""
    return [line for line in lines if line.task.subject_id == batch.id]


def following(lines: Sequence[TaskLine], children: AbstractSet[UUID], now: datetime) -> Following:
    """How many children of the file are to be seen, today (or late) and after."""
    talks: dict[UUID, datetime] = {}
    for line in lines:
        task = line.task
        if task.kind in TALKS and task.child_id in children and task.child_id is not None:
            talks[task.child_id] = min(task.due_at, talks.get(task.child_id, task.due_at))
    today = sum(local_day(due) <= local_day(now) for due in talks.values())
    return Following(today, len(talks) - today)
