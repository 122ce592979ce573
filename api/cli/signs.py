"""What the doctor says of one thing it has looked at."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum


class Weight(StrEnum):
    GOOD = "good"
    NOTE = "note"  # works, but somebody should know
    BAD = "bad"  # does not work

    @property
    def mark(self) -> str:
        return {"good": "✓", "note": "!", "bad": "✗"}[self.value]


@dataclass(frozen=True, slots=True)
class Sign:
    """One thing looked at. ``message`` is a catalogue id with ``params``."""

    weight: Weight
    message: str
    params: dict[str, object] = field(default_factory=dict)


def good(message: str, **params: object) -> Sign:
    return Sign(Weight.GOOD, message, params)


def note(message: str, **params: object) -> Sign:
    return Sign(Weight.NOTE, message, params)


def bad(message: str, **params: object) -> Sign:
    return Sign(Weight.BAD, message, params)
