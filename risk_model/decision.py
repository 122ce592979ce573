"""What a threshold costs and what it is worth, told from the probabilities of the children themselves.

For choosing thresholds by people: how many would be flagged, how many of them are expected to need care, and the net
benefit (Vickers and Elkin 2006) beside seeing everybody. It needs no findings and is only as right as the
probabilities are; once findings are back, the evaluation report says how right that is.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

OFFERED = (0.05, 0.08, 0.10, 0.15, 0.20, 0.25, 0.30, 0.40)


@dataclass(frozen=True, slots=True)
class Cost:
    """One threshold: children flagged, expected to need care among them, expected missed, net benefit per child of the
    model and of seeing all."""

    threshold: float
    flagged: int
    found: float
    missed: float
    benefit: float
    benefit_all: float


def costs(probabilities: ArrayLike, thresholds: Sequence[float] = OFFERED) -> list[Cost]:
    """A row for each threshold; NaN (no estimate) is left out. Nothing for nobody."""
    p = np.asarray(probabilities, dtype=np.float64)
    p = p[~np.isnan(p)]
    if not len(p):
        return []
    rows = []
    for t in thresholds:
        over = p >= t
        odds = t / (1.0 - t)
        found = float(p[over].sum())
        vain = float((1.0 - p[over]).sum())
        everybody = float(p.sum()) - float((1.0 - p).sum()) * odds
        rows.append(
            Cost(
                threshold=t,
                flagged=int(over.sum()),
                found=found,
                missed=float(p.sum()) - found,
                benefit=(found - vain * odds) / len(p),
                benefit_all=everybody / len(p),
            )
        )
    return rows
