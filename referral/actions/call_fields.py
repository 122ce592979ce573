"""Form F9 field by field: what each takes, and where it is kept. Pure.

Values are typed (text, number, yes or no, code): whoever reads a form turns its strings into them first. Nothing is
needed; ``None``, an empty text and an empty list empty a field.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum

from referral.terms import Area, CallChannel, CallerKind, CallLine, CallType, HarmAnswer
from screening.core.errors import InvalidInput
from screening.models.child import Sex

# A person who types fast and long must not lose it; how long it should be is said when the line is closed.
_LONG = 5000
_DEBRIEF_LIMIT = 3


@dataclass(frozen=True, slots=True)
class Field:
    """``read`` gives the value to keep, or raises :class:`InvalidInput`. ``column``: kept in a column of its own
    and not in the sealed record."""

    read: Callable[[object], object]
    column: bool = False


def _text(limit: int) -> Callable[[object], object]:
    def read(value: object) -> object:
        if not isinstance(value, str):
            raise InvalidInput("This is a text.")
        if len(value) > limit:
            raise InvalidInput("At most {limit} characters.", limit=limit)
        return value

    return read


def _choice(terms: type[StrEnum]) -> Callable[[object], StrEnum]:
    def read(value: object) -> StrEnum:
        try:
            return terms(str(value))
        except ValueError as wrong:
            raise InvalidInput("Choose one of the list.") from wrong

    return read


def _choices(terms: type[StrEnum]) -> Callable[[object], object]:
    one = _choice(terms)

    def read(value: object) -> object:
        if not isinstance(value, list | tuple):
            raise InvalidInput("Choose one of the list.")
        return list(dict.fromkeys(one(each).value for each in value))

    return read


def _number(low: int, high: int) -> Callable[[object], object]:
    def read(value: object) -> object:
        if isinstance(value, bool) or not isinstance(value, int) or not low <= value <= high:
            raise InvalidInput("A number from {low} to {high}.", low=low, high=high)
        return value

    return read


def _yes_no(value: object) -> object:
    if not isinstance(value, bool):
        raise InvalidInput("Yes or no.")
    return value


FIELDS: dict[str, Field] = {
    "line": Field(_choice(CallLine), column=True),
    "channel": Field(_choice(CallChannel), column=True),
    "caller": Field(_choice(CallerKind), column=True),
    "type": Field(_choice(CallType), column=True),
    "harm_by": Field(_choice(HarmAnswer), column=True),
    "callback_ok": Field(_yes_no, column=True),
    "confidentiality_told": Field(_yes_no, column=True),
    "phone": Field(_text(40), column=True),
    "caller_name": Field(_text(60)),
    "callback_time": Field(_text(120)),
    "leave_message": Field(_yes_no),
    "about_caller": Field(_yes_no),
    "child_name": Field(_text(60)),
    "child_sex": Field(_choice(Sex)),
    "child_age_band": Field(_text(20)),
    "child_school": Field(_text(120)),
    "child_grade": Field(_text(40)),
    "child_county": Field(_text(60)),
    "child_village": Field(_text(120)),
    "topics": Field(_choices(Area)),
    "strength": Field(_number(0, 10)),
    "hopeless": Field(_number(0, 10)),
    "plan": Field(_text(_LONG)),
    "means": Field(_text(_LONG)),
    "place_now": Field(_text(_LONG)),
    "alone": Field(_yes_no),
    "used_substance": Field(_yes_no),
    "summary": Field(_text(_LONG)),
    "quotes": Field(_text(_LONG)),
    "given": Field(_text(_LONG)),
    "no_handover_why": Field(_text(_LONG)),
    "recording_ref": Field(_text(80)),
    "mood_of_operator": Field(_number(1, _DEBRIEF_LIMIT)),
}


def read(name: str, value: object) -> object | None:
    """The value to keep for a field; ``None`` empties it. Raises :class:`InvalidInput`."""
    field = FIELDS.get(name)
    if field is None:
        raise InvalidInput("The form has no such field.")
    if value is None or value in ("", []) or (isinstance(value, str) and not value.strip()):
        return None
    return field.read(value)


def asks_for_a_talk(mood: object) -> bool:
    """The heaviest of three answers about the operator's own state: somebody talks with them."""
    return mood == _DEBRIEF_LIMIT
