"""What the clinics found, as labels that can be learnt from without being fooled by who was sent there.

Labels come back for children whom people chose. So two kinds of judged children count together, each with the
number of children it stands for:

* *referred*: it stands for itself and for those referred children of its cell who never came or had no clear finding;
* *checked*: drawn by lot from those nobody referred, so it stands for one over its chance of being drawn.

A finding that is not clear, a child who did not come or declined is *missing*; it is never "healthy". Weighted so,
the figures are about all screened children (measured in simulation: learning from the referred alone is wrong by
.03 to .28 in probability, with 280 checks a year by about .015).
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import prod, sqrt
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from risk_model.evaluation import effective_size

Floats = NDArray[np.float64]

Origin = Literal["referred", "checked"]

SMALLEST_CELL = 10
"""Fewer judged children than this do not speak for a cell of their own."""

ALWAYS = 0.03
"""Added to what there is to learn from a child, so that no child's chance of being drawn is nothing."""

UNSCORED = 0.10
"""Stands in for the probability of a child without one, in drawing only."""


@dataclass(frozen=True, slots=True)
class LabelRow:
    """One scored child. `y` is None while nothing clear came back; `chance` belongs to the checked only.

    `cell` groups children who are alike in how far they come to be judged (level, counsellor's concern); `blinded`:
    the assessor had not seen the probability. `probability` and `totals` are those of the day of the sheets.
    """

    child: str
    school: str
    facility: str | None
    origin: Origin | None
    y: int | None
    chance: float | None
    cell: str
    probability: float | None
    totals: Mapping[str, float]
    blinded: bool


@dataclass(frozen=True, slots=True)
class Labelled:
    """The judged rows with the number of children each stands for, and how much they tell together."""

    rows: tuple[LabelRow, ...]
    weights: Floats
    referred: int
    checked: int
    missing: int

    @property
    def effective(self) -> float:
        return effective_size(self.weights) if len(self.weights) else 0.0

    @property
    def y(self) -> Floats:
        return np.array([row.y for row in self.rows], dtype=np.float64)


def weigh(rows: Sequence[LabelRow]) -> Labelled:
    """Weights for the judged among all scored children `rows` (each child once).

    A referred child stands for the referred of its cell, a checked one for those nobody referred, by one over its
    chance, scaled in its cell to the number there is. Cells with few judged children are taken together.
    """
    judged = [row for row in rows if row.y is not None and row.origin is not None]
    weight_of: dict[str, float] = {}
    for origin in ("referred", "checked"):
        there = [row for row in rows if (row.origin == "referred") == (origin == "referred")]
        weight_of |= _scaled([row for row in judged if row.origin == origin], there)
    return Labelled(
        rows=tuple(judged),
        weights=np.array([weight_of[row.child] for row in judged], dtype=np.float64),
        referred=sum(row.origin == "referred" for row in judged),
        checked=sum(row.origin == "checked" for row in judged),
        missing=sum(row.origin is not None and row.y is None for row in rows),
    )


def _scaled(judged: Sequence[LabelRow], there: Sequence[LabelRow]) -> dict[str, float]:
    """Weight by child: what the judged of a cell stand for adds up to the children that are in it."""
    number: dict[str, int] = {}
    for row in judged:
        number[row.cell] = number.get(row.cell, 0) + 1
    own = {cell for cell, count in number.items() if count >= SMALLEST_CELL}

    def cell_of(row: LabelRow) -> str | None:
        return row.cell if row.cell in own else None

    stands_for: dict[str | None, int] = {}
    for row in there:
        stands_for[cell_of(row)] = stands_for.get(cell_of(row), 0) + 1
    base = {row.child: 1.0 / row.chance if row.chance else 1.0 for row in judged}
    summed: dict[str | None, float] = {}
    for row in judged:
        summed[cell_of(row)] = summed.get(cell_of(row), 0.0) + base[row.child]
    weights = {
        row.child: base[row.child] * stands_for.get(cell_of(row), 0) / summed[cell_of(row)] for row in judged
    }
    # Cells in which nobody was judged are spoken for by all others.
    total = sum(weights.values())
    return {child: each * len(there) / total for child, each in weights.items()} if total else weights


# --- the weekly draw ---------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Drawn:
    """One child drawn, with the chance it had this week."""

    child: str
    school: str
    chance: float


@dataclass(frozen=True, slots=True)
class Draw:
    """One week's draw. `shares`: what one unit of a child's size was worth in each school, so that the chance of any
    child that was in the pool can be told later: `size_of(p) * share`."""

    drawn: tuple[Drawn, ...]
    shares: Mapping[str, float]


def size_of(probability: float | None) -> float:
    """How much there is to learn from a child: most where the sheets leave it open, never nothing."""
    p = UNSCORED if probability is None else probability
    return sqrt(p * (1.0 - p)) + ALWAYS


def draw_week(pool: Mapping[str, Mapping[str, float | None]], *, places: int, seed: int) -> Draw:
    """At most one child of a school: `pool` holds, per school, the probability of each child who may be drawn.

    Schools are drawn with chances that grow with their pools, then one child in each by its size, so that all
    children of one size have the same chance, as far as the limit of one a school allows. The same pool and seed
    give the same children.
    """
    schools = sorted(school for school, children in pool.items() if children)
    random = np.random.default_rng(seed)
    sums = {school: sum(size_of(p) for p in pool[school].values()) for school in schools}
    chances = _school_chances(sums, min(places, len(schools)))
    drawn = []
    for school in _systematic(chances, random):
        children = sorted(pool[school])
        sizes = np.array([size_of(pool[school][child]) for child in children])
        place = int(random.choice(len(children), p=sizes / sizes.sum()))
        chance = chances[school] * float(sizes[place]) / sums[school]
        drawn.append(Drawn(children[place], school, chance))
    return Draw(tuple(drawn), {school: chances[school] / sums[school] for school in schools})


def _school_chances(sums: Mapping[str, float], places: int) -> dict[str, float]:
    """Chances in proportion to the sums, none above 1, adding up to the places."""
    sure: set[str] = set()
    while True:
        left = {school: value for school, value in sums.items() if school not in sure}
        total = sum(left.values())
        free = places - len(sure)
        over = {school for school, value in left.items() if total and free * value / total >= 1.0}
        if not over or free <= 0:
            shared = {school: max(free, 0) * value / total for school, value in left.items()}
            return shared | dict.fromkeys(sorted(sure), 1.0)
        sure |= over


def _systematic(chances: Mapping[str, float], random: np.random.Generator) -> list[str]:
    """Schools with exactly these chances: equal steps from a random start along a shuffled line."""
    names = sorted(chances)
    order = [names[place] for place in random.permutation(len(names))]
    ends = np.cumsum([chances[name] for name in order])
    start = random.random()
    points = start + np.arange(round(float(ends[-1])) if len(ends) else 0)
    found = np.searchsorted(ends + 1e-9, points)
    return [order[place] for place in found if place < len(order)]


def chance_over(probability: float | None, shares: Sequence[float]) -> float:
    """The chance of having been drawn at all over the weeks whose shares of the child's school are given."""
    size = size_of(probability)
    return 1.0 - prod(1.0 - min(size * share, 1.0) for share in shares)
