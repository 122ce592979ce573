"""A sum of one curve for each column, each a line between knots. What the penalised logistic learns, as numbers.

Between two knots the curve is straight, outside the outermost it is level. A missing value adds nothing: the
curves are centred on the rows they were learnt from, so that nothing means "as on average", and a gap is never
a reason by itself.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from risk_model.evaluation import Floats

MOST_LEVELS = 12
KNOTS = 8


@dataclass(frozen=True, slots=True)
class Curve:
    """`value` at each of the rising `knots`."""

    knots: Floats
    value: Floats

    def __post_init__(self) -> None:
        if not len(self.knots) or self.knots.shape != self.value.shape or self.knots.ndim != 1:
            raise ValueError("a curve needs as many values as knots")
        if not (np.isfinite(self.knots).all() and np.isfinite(self.value).all()):
            raise ValueError("a number of a curve is not finite")
        if not (np.diff(self.knots) > 0.0).all():
            raise ValueError("the knots of a curve must rise")


@dataclass(frozen=True, slots=True)
class Additive:
    """A start and a curve for each column."""

    start: float
    curves: tuple[Curve, ...]

    @property
    def columns(self) -> int:
        """So many columns must a matrix have at least."""
        return len(self.curves)

    def score(self, values: Floats) -> Floats:
        """The sum for each row of a matrix with NaN for missing."""
        if values.shape[1] < self.columns:
            raise ValueError("the matrix has fewer columns than the model has curves")
        total = np.full(len(values), self.start)
        for index, curve in enumerate(self.curves):
            column = values[:, index]
            gap = np.isnan(column)
            told = np.interp(np.where(gap, curve.knots[0], column), curve.knots, curve.value)
            total += np.where(gap, 0.0, told)
        return total

    def document(self) -> dict[str, Any]:
        """As JSON numbers."""
        return {
            "start": self.start,
            "curves": [
                {"knots": curve.knots.tolist(), "value": curve.value.tolist()} for curve in self.curves
            ],
        }


def from_document(document: dict[str, Any]) -> Additive:
    """Raises ValueError, KeyError or TypeError for what cannot be curves."""
    curves = tuple(
        Curve(np.array(curve["knots"], dtype=np.float64), np.array(curve["value"], dtype=np.float64))
        for curve in document["curves"]
    )
    return Additive(start=float(document["start"]), curves=curves)


def knots_of(column: Floats) -> Floats:
    """All values of a column with few of them, else eight places along its ranks; one knot if it never varies."""
    told = column[~np.isnan(column)]
    if not len(told):
        return np.zeros(1)
    values = np.unique(told)
    if len(values) <= MOST_LEVELS:
        return values
    return np.unique(np.quantile(told, np.linspace(0.02, 0.98, KNOTS)))


def basis(column: Floats, knots: Floats) -> Floats:
    """The terms of one column: itself, and a hat over each knot but the first. NaN where it is missing."""
    hats = np.column_stack(
        [np.interp(column, knots, np.eye(len(knots))[place]) for place in range(1, len(knots))]
        if len(knots) > 1
        else [np.zeros(len(column))]
    )
    terms = np.column_stack([np.clip(column, knots[0], knots[-1]), hats]) if len(knots) > 2 else hats
    terms[np.isnan(column)] = np.nan
    return terms


@dataclass(frozen=True, slots=True)
class Design:
    """The terms of every column, centred and scaled on the rows one learns from."""

    knots: tuple[Floats, ...]
    centre: Floats
    spread: Floats

    @classmethod
    def of(cls, values: Floats, weight: Floats) -> "Design":
        knots = tuple(knots_of(values[:, index]) for index in range(values.shape[1]))
        terms = np.hstack([basis(values[:, index], each) for index, each in enumerate(knots)])
        told = ~np.isnan(terms)
        held = weight @ told
        held = np.where(held > 0.0, held, 1.0)
        filled = np.where(told, terms, 0.0)
        centre = weight @ filled / held
        spread = np.sqrt(weight @ np.where(told, (filled - centre) ** 2, 0.0) / held)
        return cls(knots, centre, np.where(spread > 1e-9, spread, 1.0))

    def terms(self, values: Floats) -> Floats:
        """The design matrix; a missing answer is 0, the average."""
        raw = np.hstack([basis(values[:, index], each) for index, each in enumerate(self.knots)])
        scaled = (raw - self.centre) / self.spread
        return np.where(np.isnan(scaled), 0.0, scaled)

    def model(self, start: float, coefficients: Sequence[float]) -> Additive:
        """The curves that coefficients of the terms amount to."""
        weight = np.asarray(coefficients, dtype=np.float64)
        curves, at = [], 0
        for knots in self.knots:
            terms = basis(knots, knots)
            here = slice(at, at + terms.shape[1])
            at = here.stop
            curves.append(Curve(knots, (terms - self.centre[here]) / self.spread[here] @ weight[here]))
        return Additive(start, tuple(curves))
