"""What two questionnaires must say about a person, written down a second time and as plainly as possible.

PHQ-9 and GAD-7 with their published sums, prorating, cut-offs and severe bands; grades of PHQ-9's ninth item
(decision 17); the two-instrument case of the Gaussian liability model in closed form; the level of all of it.
Nothing here comes from the product.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from math import sqrt
from statistics import NormalDist

ITEMS = {"phq9": 9, "gad7": 7}
SEVERE = {"phq9": 20, "gad7": 15}
RHO, TOGETHER = {"phq9": 0.71, "gad7": 0.63}, 0.75
NORMAL = NormalDist()
Row = list[int | None]


def total(code: str, row: Row) -> int | None:
    """The sum; with one or two blanks the mean of the rest takes their place, rounded half up; else nothing."""
    given = [value for value in row[: ITEMS[code]] if value is not None]
    if len(given) < ITEMS[code] - 2:
        return None
    return int(sum(given) * ITEMS[code] / len(given) + 0.5)


def grade(row: Row) -> str | None:
    """PHQ-9 item 9: 2 or 3 the same day, 1 or blank (or refused) the next one."""
    return {0: None, 1: "C", 2: "B", 3: "B"}.get(row[8], "C")


def probability(totals: dict[str, int], base_rate: float = 0.10) -> float:
    """Of needing care beyond the school: Phi((w·z - t) / sqrt(1 - r²)), w from one or two correlations."""
    z = {code: (sqrt(value + 0.25) - 2.05) / 1.05 for code, value in totals.items()}
    if len(z) == 2:
        a, b = RHO["phq9"], RHO["gad7"]
        bottom = 1 - TOGETHER**2
        weights = {"phq9": (a - TOGETHER * b) / bottom, "gad7": (b - TOGETHER * a) / bottom}
    else:
        weights = {code: RHO[code] for code in z}
    r2 = sum(weights[code] * RHO[code] for code in z)
    threshold = NORMAL.inv_cdf(1 - base_rate)
    return NORMAL.cdf((sum(weights[code] * z[code] for code in z) - threshold) / sqrt(1 - r2))


def level(totals: dict[str, int], critical: str | None, p: float) -> str:
    """Floors first, then the thresholds .25 and .15."""
    if critical == "B":
        return "crisis_item"
    if p >= 0.25 or any(totals[code] >= SEVERE[code] for code in totals):
        return "high"
    if critical == "C" or p >= 0.15 or any(value >= 10 for value in totals.values()):
        return "elevated"
    return "none"


@dataclass
class Person:
    """One person and the sheets that have come in, in order."""

    totals: dict[str, int] = field(default_factory=dict)
    said: list[tuple[str, str | None]] = field(
        default_factory=list
    )  # (level or "not scored", grade) per sheet

    def add(self, code: str, row: Row) -> str:
        """The level of this sheet together with the newest of the other questionnaire."""
        sum_, critical = total(code, row), grade(row) if code == "phq9" else None
        if sum_ is None:
            said = {"B": "crisis_item", "C": "elevated"}.get(critical or "", "not scored")
        else:
            self.totals[code] = sum_
            said = level(self.totals, critical, probability(self.totals))
        self.said.append((said, critical))
        return said
