"""What a published sample says beside a raw score. It stands beside the score and never in its place.

A norm decides nothing here: levels rest on cut-offs (``Instrument.screens_at``). Where the table of a norm was not
read, the sample is named all the same, so that nobody thinks there is none.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from instruments.definition import Instrument, Norm, NormRow, Number, Sex


@dataclass(frozen=True, slots=True)
class NormLine:
    """One score beside one sample.

    ``z``: how many standard deviations from the mean of the sample; None where these were not read. ``positive``:
    whether the study would call it positive; None where it draws no line. ``population``, ``n``, ``year``, ``ref``
    say whose figures they are.
    """

    score: str
    value: Number
    population: str
    n: int | None
    year: int | None
    ref: str | None
    mean: float | None
    sd: float | None
    z: float | None
    positive_above: Number | None
    positive: bool | None


def beside(
    instrument: Instrument,
    values: Mapping[str, Number | str | None],
    *,
    sex: Sex | None = None,
    age: int | None = None,
) -> tuple[NormLine, ...]:
    """The lines that stand beside the scores of one sheet, sample by sample in the order of the file.

    A line that holds for one sex or span of ages is given only where it is known to hold.
    """
    return tuple(
        _line(norm, row, number)
        for norm in instrument.norms
        for row in norm.rows
        if _holds(row, sex, age) and isinstance(number := values.get(row.score), int | float)
    )


def without_table(instrument: Instrument) -> tuple[Norm, ...]:
    """The samples of which no table was read."""
    return tuple(norm for norm in instrument.norms if not norm.rows)


def _holds(row: NormRow, sex: Sex | None, age: int | None) -> bool:
    if row.sex is not None and sex is not row.sex:
        return False
    if row.age_min is None and row.age_max is None:
        return True
    return age is not None and (row.age_min or 0) <= age <= (120 if row.age_max is None else row.age_max)


def _line(norm: Norm, row: NormRow, value: Number) -> NormLine:
    z = None
    if row.mean is not None and row.sd is not None and row.sd > 0:
        z = (value - row.mean) / row.sd
    return NormLine(
        score=row.score,
        value=value,
        population=norm.population,
        n=norm.n,
        year=norm.year,
        ref=norm.ref,
        mean=row.mean,
        sd=row.sd,
        z=z,
        positive_above=row.positive_above,
        positive=None if row.positive_above is None else value > row.positive_above,
    )
