"""The answers on one sheet: read strictly, stored as one byte per item."""

from __future__ import annotations

import operator
import re
import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Self

from instruments.definition import Instrument
from instruments.layouts import find_layout

MISSING = -128
"""The packed form of an unanswered item; no option may have this value."""

_INTEGER = re.compile(r"[+-]?[0-9]{1,9}(\.0*)?")


@dataclass(frozen=True, slots=True)
class AnswerError:
    """What is wrong with one cell. The value itself is not kept: it is a child's answer."""

    item: str
    reason: str
    """``unknown_item`` | ``not_an_integer`` | ``out_of_range``."""
    allowed: tuple[int, ...]


class AnswerErrors(ValueError):
    """A sheet that cannot be read, with every bad cell by item."""

    def __init__(self, errors: tuple[AnswerError, ...]) -> None:
        super().__init__("; ".join(f"item {error.item}: {error.reason}" for error in errors))
        self.errors = errors


class NotAnInteger(ValueError):
    """A cell that holds something, but not a whole number."""


def read_cell(raw: object) -> int | None:
    """A cell as a whole number, or None where it is empty.

    Workbooks give 2 as ``2``, ``2.0`` or ``"2"`` and Chinese keyboards as ``"２"``; all four are two. True
    and False are not answers.
    """
    if raw is None:
        return None
    if isinstance(raw, bool):
        raise NotAnInteger
    if isinstance(raw, str):
        return _read_text(raw)
    if isinstance(raw, float):
        if not raw.is_integer():
            raise NotAnInteger
        return int(raw)
    try:
        return operator.index(raw)  # type: ignore[arg-type]  # refuses what is no integer, which is the point
    except TypeError:
        raise NotAnInteger from None


def _read_text(raw: str) -> int | None:
    text = unicodedata.normalize("NFKC", raw).strip().replace("−", "-")
    if not text:
        return None
    if not _INTEGER.fullmatch(text):
        raise NotAnInteger
    return int(text.split(".")[0])


@dataclass(frozen=True, slots=True)
class AnswerSheet:
    """The answers to one instrument in one layout, each one of the item's values or None."""

    code: str
    layout: str
    values: tuple[int | None, ...]

    @classmethod
    def parse(cls, instrument: Instrument, raw: Mapping[str, object], *, layout: str | None = None) -> Self:
        """Read ``raw`` (item key → cell). None, an empty text and an absent key are missing answers.

        Raises ``AnswerErrors`` with all bad cells. A value that is not one of the item's answers is refused
        and never read as 0 or as missing.
        """
        errors = [AnswerError(key, "unknown_item", ()) for key in raw if key not in instrument.positions]
        values: list[int | None] = []
        for item in instrument.items:
            try:
                value = read_cell(raw.get(item.key))
            except NotAnInteger:
                errors.append(AnswerError(item.key, "not_an_integer", item.values))
                continue
            if value is not None and value not in item.values:
                errors.append(AnswerError(item.key, "out_of_range", item.values))
                continue
            values.append(value)
        if errors:
            raise AnswerErrors(tuple(errors))
        return cls(instrument.code, find_layout(instrument, layout).id, tuple(values))

    @property
    def is_blank(self) -> bool:
        """Whether nothing at all was answered."""
        return all(value is None for value in self.values)

    def packed(self) -> bytes:
        """One signed byte per item in item order, ``MISSING`` where there is no answer."""
        return bytes([0x80 if value is None else value & 0xFF for value in self.values])

    @classmethod
    def unpack(cls, instrument: Instrument, data: bytes, layout: str) -> Self:
        """The sheet that ``packed`` wrote; ValueError where the bytes do not belong to the instrument."""
        if len(data) != len(instrument.items):
            raise ValueError(
                f"{instrument.code}: {len(instrument.items)} answers expected, {len(data)} stored"
            )
        values = tuple(None if byte == 0x80 else byte - 256 * (byte > 127) for byte in data)
        for item, value in zip(instrument.items, values, strict=True):
            if value is not None and value not in item.values:
                raise ValueError(
                    f"{instrument.code}: the stored answer to item {item.key} is not one of its values"
                )
        return cls(instrument.code, find_layout(instrument, layout).id, values)

    def as_mapping(self, instrument: Instrument) -> dict[str, int | None]:
        """Item key → answer."""
        return dict(zip(instrument.positions, self.values, strict=True))
