"""Texts that leave for a spreadsheet program must stay texts there."""

from __future__ import annotations

_INVISIBLE = " \t\r\n\v\f\u00a0\u3000\u200b\u2060\ufeff"
_FORMULA_STARTS = tuple("=+-@|%＝＋－＠")
_BREAKS = ("\t", "\r", "\n")


def safe_text(value: str) -> str:
    """The text for any export: an apostrophe before what a spreadsheet would take for a formula."""
    seen = value.lstrip(_INVISIBLE)
    return f"'{value}" if seen.startswith(_FORMULA_STARTS) or value.startswith(_BREAKS) else value
