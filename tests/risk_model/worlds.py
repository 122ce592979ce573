"""What the long tests and the benchmarks of the model simulate. Method evidence, never evidence about children."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from risk_model import day_one, predict_batch
from risk_model.calibration import Judged, children
from risk_model.cohort import CODES, Cohort, Verified, simulate, verify
from risk_model.labels import LabelRow, weigh
from risk_model.levels import Level

Floats = NDArray[np.float64]
FACILITIES = 4


@dataclass(frozen=True, slots=True)
class Scored:
    """The children of a cohort who have a probability, and it."""

    cohort: Cohort
    p: Floats

    @property
    def schools(self) -> NDArray[np.str_]:
        return self.cohort.school.astype(np.str_)

    def judged(
        self, chosen: NDArray[np.generic], weight: Floats | None = None, y: Floats | None = None
    ) -> Judged:
        """Those chosen, as rows to learn from; with their true findings unless others are given."""
        rows = self.cohort.take(chosen)
        found = rows.y.astype(np.float64) if y is None else y
        return Judged(
            children(self.p[chosen], rows.totals),
            found,
            np.ones(len(found)) if weight is None else weight,
            rows.school.astype(np.str_),
        )


def scored(n: int, *, seed: int, base_rate: float = 0.10, **world: object) -> Scored:
    """`n` simulated children with the day-one probability at `base_rate`."""
    cohort = simulate(n, seed=seed, **world)  # type: ignore[arg-type]
    p = predict_batch(day_one(), cohort.totals, base_rate=base_rate, codes=CODES)
    there = ~np.isnan(p)
    return Scored(cohort.take(there), p[there])


def ici_to_truth(p: Floats, truth: Floats, bins: int = 40) -> float:
    """Mean distance of prediction and known truth in bins of equal numbers along the prediction."""
    place = np.argsort(np.argsort(p, kind="stable"), kind="stable") * bins // len(p)
    held = np.bincount(place, minlength=bins)
    gap = np.bincount(place, p - truth, minlength=bins)
    return float(np.abs(gap).sum() / held.sum())


def label_rows(world: Scored, seen: Verified, y: Floats | None = None) -> list[LabelRow]:
    """A cohort after a year of referrals and checks, as the product would have it."""
    found = world.cohort.y if y is None else y
    rows = []
    for place in range(len(world.p)):
        referred, checked = bool(seen.referred[place]), bool(seen.checked[place])
        judged = bool(seen.attended[place]) or checked
        rows.append(
            LabelRow(
                child=str(place),
                school=str(world.cohort.school[place]),
                facility=f"f{world.cohort.school[place] % FACILITIES}" if referred else None,
                origin="referred" if referred else "checked" if checked else None,
                y=int(found[place]) if judged else None,
                chance=float(seen.chance[place]) if checked else None,
                cell=("r" if referred else "n") + str(int(seen.concern[place]) // 3),
                probability=float(world.p[place]),
                totals={},
                blinded=True,
            )
        )
    return rows


def referred_and_checked(world: Scored, seen: Verified) -> Judged:
    """What may be learnt from: the judged with the number of children each stands for."""
    labelled = weigh(label_rows(world, seen))
    chosen = np.array([int(row.child) for row in labelled.rows])
    return world.judged(chosen, labelled.weights)


def naive(world: Scored, seen: Verified) -> Judged:
    """The referred alone, as if they were everybody."""
    return world.judged(np.flatnonzero(seen.attended))


def unlabelled_as_healthy(world: Scored, seen: Verified) -> Judged:
    """Everybody who was not confirmed counts as healthy."""
    y = np.where(seen.attended, world.cohort.y, 0).astype(np.float64)
    return world.judged(np.arange(len(world.p)), y=y)


def mean(values: list[float]) -> float:
    return float(np.mean(values))


Repeat = Callable[[int], float]

__all__ = [
    "Level",
    "Scored",
    "ici_to_truth",
    "label_rows",
    "mean",
    "naive",
    "referred_and_checked",
    "scored",
    "unlabelled_as_healthy",
    "verify",
]
