"""Counts of children for people above the school: one to nine is only "fewer than 10" (decision 5)."""

from __future__ import annotations

from screening.core.i18n import translate

FEWEST_SHOWN = 10


def few_or(count: int, locale: str) -> str:
    """The count, or that there are few."""
    if 0 < count < FEWEST_SHOWN:
        return translate(locale, "fewer than {least}", least=FEWEST_SHOWN)
    return str(count)
