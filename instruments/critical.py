"""Critical answers: read at once, from a strict sheet or from a raw row, and never imputed."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from instruments.answers import NotAnInteger, read_cell
from instruments.definition import GRADES, UNREADABLE_GRADE, CriticalMatch, Grade, Instrument


@dataclass(frozen=True, slots=True)
class CriticalAnswer:
    """An answer that somebody has to act on.

    ``reason``: ``answered`` | ``refused`` (the instrument has a code for it) | ``blank`` | ``unreadable``
    (something stands there that is not one of the item's answers). ``answer`` is None for the last two.
    """

    item: str
    grade: Grade
    answer: int | None
    reason: str


def critical_items(instrument: Instrument) -> tuple[str, ...]:
    """The keys of all items that have a critical answer, in item order."""
    named = {match.item for rule in instrument.critical for match in rule.matches}
    return tuple(key for key in instrument.positions if key in named)


def read_critical(instrument: Instrument, raw: Mapping[str, object]) -> tuple[CriticalAnswer, ...]:
    """The critical answers of a row that may be refused as a whole, or is only being staged.

    A wholly blank row is no sheet and says nothing. On any other row a critical item that holds something
    which is not one of its answers counts as a refusal: somebody asks.
    """
    cells = {key: value for key in instrument.positions if not _is_empty(value := raw.get(key))}
    if not cells:
        return ()
    values: dict[str, int | None] = {}
    unreadable = []
    for key in critical_items(instrument):
        try:
            value = read_cell(cells.get(key))
        except NotAnInteger:
            value = None
            unreadable.append(key)
        else:
            if value is not None and value not in instrument.item(key).values:
                value = None
                unreadable.append(key)
        values[key] = value
    return fired(instrument, values, tuple(unreadable))


def _is_empty(cell: object) -> bool:
    return cell is None or (isinstance(cell, str) and not cell.strip())


def fired(
    instrument: Instrument, values: Mapping[str, int | None], unreadable: tuple[str, ...] = ()
) -> tuple[CriticalAnswer, ...]:
    """The critical answers among ``values`` of a sheet that is not blank: one per item, its worst grade."""
    found = {key: CriticalAnswer(key, UNREADABLE_GRADE, None, "unreadable") for key in unreadable}
    for rule in instrument.critical:
        if not all(_matches(match, values, unreadable) for match in rule.matches):
            continue
        for match in rule.matches:
            known = found.get(match.item)
            if known is None or GRADES.index(rule.grade) < GRADES.index(known.grade):
                answer = values[match.item]
                found[match.item] = CriticalAnswer(
                    match.item, rule.grade, answer, _reason(instrument, answer)
                )
    return tuple(found[key] for key in instrument.positions if key in found)


def _matches(match: CriticalMatch, values: Mapping[str, int | None], unreadable: tuple[str, ...]) -> bool:
    if match.item in unreadable:
        return False
    value = values[match.item]
    return match.blank if value is None else value in match.values


def _reason(instrument: Instrument, answer: int | None) -> str:
    if answer is None:
        return "blank"
    refusal = instrument.missing.refusal if instrument.missing else None
    return "refused" if answer == refusal else "answered"
