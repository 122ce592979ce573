"""The empty workbook a school downloads, and the same workbook filled, as the demonstration does.

openpyxl loads with the first workbook written: a running service that only reads workbooks does without it.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from screening.spreadsheets.escaping import safe_text

__all__ = ["safe_text", "template", "write_workbook"]


def template(instrument_codes: Iterable[str], locale: str = "zh") -> bytes:
    """The empty workbook with a page of explanation; raises ``UnknownInstrument``."""
    from screening.spreadsheets.writer import write_book

    return write_book([], dict.fromkeys(instrument_codes, ()), locale)


def write_workbook(
    roster_rows: Iterable[Mapping[str, object]],
    sheets: Mapping[str, Iterable[Mapping[str, object]]],
    locale: str = "zh",
) -> bytes:
    """The workbook filled in. Rows are keyed like ``layout.Column.key`` (fields of ``RosterRow``, item keys).

    Takes plain values: codes for sex and paper, ``GradeInfo`` or text, ``date``, bool, int, None for blank.
    """
    from screening.spreadsheets.writer import write_book

    return write_book(roster_rows, sheets, locale)
