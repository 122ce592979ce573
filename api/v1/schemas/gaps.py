"""Counts of what is missing."""

from __future__ import annotations

from typing import Self

from api.v1.schemas.common import Answer
from referral.queries.gaps import ServiceGap


class BandOut(Answer):
    """Days of waiting, both ends included. ``children`` is null where the count is not shown."""

    first: int
    last: int | None
    children: int | None


class ServiceGapOut(Answer):
    total: int | None
    bands: list[BandOut]

    @classmethod
    def of(cls, gap: ServiceGap) -> Self:
        return cls(
            total=gap.total,
            bands=[BandOut(first=band.first, last=band.last, children=band.children) for band in gap.bands],
        )
