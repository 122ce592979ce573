"""One workbook per school, as a school would send it: most sheets whole, some absent, incomplete or odd."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from random import Random

from api.cli.demo import answers, people
from api.cli.demo.county import SCHOOLS, School
from api.cli.demo.people import Pupil
from screening.core.calendar import china
from screening.core.grades import Stage
from screening.spreadsheets.template import write_workbook

_ABSENT, _INCOMPLETE = 0.02, 0.02
# A parent's sheet comes back less often, least often where the parents are away.
_PARENT_MISSING, _PARENT_MISSING_AWAY = 0.20, 0.50
_BY_PARENTS = "sdq_p"
_BY_TALK = "asq"

SheetRow = dict[str, object]


@dataclass(frozen=True, slots=True)
class SchoolBook:
    """What one school sends in. ``sheets``: rows by instrument, keyed as the workbook's writer takes them."""

    school: School
    pupils: tuple[Pupil, ...]
    sheets: dict[str, list[SheetRow]]
    consent_on: date

    @property
    def file_name(self) -> str:
        return f"{self.school.code}.xlsx"

    def write(self) -> bytes:
        roster = [pupil.roster_row(self.consent_on) for pupil in self.pupils]
        return write_workbook(roster, self.sheets)


def import_day(school: School, today: date) -> date:
    """The day on which the school's workbook comes in."""
    return china().add_working_days(today, -school.back)


def make(seed: int, count: int, today: date) -> list[SchoolBook]:
    """The workbooks of all schools, ``count`` children in all: the same for the same seed, but for the days."""
    last = len(SCHOOLS) - 1
    counts = [round(count * school.share) for school in SCHOOLS]
    counts[last] = count - sum(counts[:last])
    return [_book(seed, school, size, today) for school, size in zip(SCHOOLS, counts, strict=True)]


def _book(seed: int, school: School, count: int, today: date) -> SchoolBook:
    random = Random(f"{seed}:{school.code}")  # noqa: S311  # made-up data has to come out the same again
    pupils = people.pupils(random, school.grades, count, today)
    arrival = import_day(school, today)
    effect = answers.school_effect(random)
    sheets: dict[str, list[SheetRow]] = {code: [] for code in school.instruments if code != _BY_TALK}
    for pupil in pupils:
        burden = answers.traits(random, pupil, effect)
        if not pupil.screening:
            continue
        absent = random.random() < _ABSENT
        for code in sheets:
            if _asked(random, code, pupil):
                filled = answers.sheet(code, random, burden)
                _leave_out(random, filled)
                sheets[code].append(_row(pupil, _session(arrival, pupil), {} if absent else filled))
    _plant(sheets)
    return SchoolBook(school, tuple(pupils), sheets, _earlier(arrival))


def _earlier(arrival: date) -> date:
    """When the guardians' answers were collected."""
    return arrival - timedelta(days=12)


def _session(arrival: date, pupil: Pupil) -> date:
    """Classes sit on the three working days before the workbook is sent."""
    return china().add_working_days(arrival, -1 - (pupil.class_no + pupil.grade.number) % 3)


def _asked(random: Random, code: str, pupil: Pupil) -> bool:
    if code != _BY_PARENTS:
        return True
    missing = _PARENT_MISSING_AWAY if pupil.left_behind else _PARENT_MISSING
    return pupil.grade.stage is Stage.PRIMARY and random.random() >= missing


def _leave_out(random: Random, filled: answers.Answers) -> None:
    """A few sheets have one or two answers missing."""
    if random.random() < _INCOMPLETE:
        for item in random.sample(sorted(filled), random.choice((1, 2))):
            del filled[item]


def _row(pupil: Pupil, day: date, filled: answers.Answers) -> SheetRow:
    whole = {"student_no": pupil.student_no, "name": pupil.name, **filled}
    return {**whole, "administered_on": day} if filled else whole


def _plant(sheets: dict[str, list[SheetRow]]) -> None:
    """What every county sees and chance might not bring: an invalid sheet, straight-lining, a slip of the keyboard."""
    if "mht" in sheets:
        lie_scale = {str(number): 1 for number in sorted(answers.MHT_LIE)}
        _filled(sheets["mht"], 5).update(lie_scale)
    if _BY_PARENTS in sheets:
        _filled(sheets[_BY_PARENTS], 3).update({str(number): 1 for number in range(1, 26)})
    if "phq9" in sheets:
        _filled(sheets["gad7"], 8)["3"] = 7


def _filled(rows: Sequence[SheetRow], place: int) -> SheetRow:
    """The ``place``-th row that holds answers, or the last one."""
    whole = [row for row in rows if "administered_on" in row]
    return whole[min(place, len(whole) - 1)]
