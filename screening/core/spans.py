"""Spans of time on one line: what is covered, and what is not."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime

Span = tuple[datetime, datetime]


def gaps(spans: Iterable[Span], begin: datetime, end: datetime) -> tuple[Span, ...]:
    """The parts of ``begin`` to ``end`` that no span covers, in order; spans may overlap and stick out."""
    found, covered = [], begin
    for starts, ends in sorted(spans):
        if starts > covered:
            found.append((covered, min(starts, end)))
        covered = max(covered, ends)
        if covered >= end:
            return tuple(found)
    return (*found, (covered, end))
