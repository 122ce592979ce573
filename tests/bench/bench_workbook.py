"""Reading and checking a school's workbook: in the process itself, and in the child process uploads go through."""

from __future__ import annotations

import random
import time
from collections.abc import Callable
from datetime import date
from typing import Any

from instruments import catalogue
from screening.spreadsheets import container
from screening.spreadsheets.reader import read_in_child, read_workbook
from screening.spreadsheets.rows import ParsedWorkbook
from screening.spreadsheets.template import write_workbook

TODAY = date(2026, 11, 21)
SHAPES = ((1_000, "phq_a"), (2_000, "mht"))


def made_up(count: int, code: str) -> bytes:
    """A 名册 and one answer sheet per child, all made up."""
    rnd = random.Random(20261121)
    people = [
        {"student_no": f"2026{number:05d}", "name": f"张{chr(0x4E00 + number)}"} for number in range(count)
    ]
    roster = [
        person
        | {"sex": "female", "birth_date": date(2012, 3, 1), "grade": "七年级", "class_name": "3班"}
        | {"guardian_name": "李甲", "guardian_phone": "13800000000", "screening_consent": True}
        | {"consent_on": date(2026, 9, 3)}
        for person in people
    ]
    items = catalogue().get(code).items
    sheets = [
        person
        | {"administered_on": date(2026, 11, 3)}
        | {item.key: rnd.choice((None, *item.values, *item.values)) for item in items}
        for person in people
    ]
    return write_workbook(roster, {code: sheets})


def best(action: Callable[[], object], times: int = 3) -> float:
    """The shortest of a few runs, in seconds."""
    taken = []
    for _ in range(times):
        begun = time.perf_counter()
        action()
        taken.append(time.perf_counter() - begun)
    return min(taken)


def run() -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = []
    for count, code in SHAPES:
        begun = time.perf_counter()
        data = made_up(count, code)
        written = time.perf_counter() - begun
        parsed: ParsedWorkbook = read_workbook(data, catalogue(), today=TODAY)
        assert len(parsed.rows) == 2 * count
        assert not parsed.all_errors
        columns = len(catalogue().get(code).items) + 3
        shape = f"{count:,} children with a sheet of {columns} columns"
        here = best(lambda data=data: read_workbook(data, catalogue(), today=TODAY))
        there = best(lambda data=data: read_in_child(data, None, TODAY))
        checks = best(lambda data=data: container.inspect(data))
        rows += [
            {"name": f"Workbook read and checked: {shape}", "value": here, "unit": "s", "aim": "≤ 1"},
            {
                "name": f"… in a process of its own: {shape}",
                "value": there,
                "unit": "s",
                "aim": "≤ 1.5",
                "note": f"{there - here:.2f} s for the process and for handing the rows over",
            },
            {"name": f"… container and formula scan alone: {shape}", "value": checks, "unit": "s"},
            {"name": f"Workbook written (demonstration): {shape}", "value": written, "unit": "s"},
        ]
    return rows
