"""The Gaussian liability model: one correlation table, a closed form for any subset of sheets.

The need for care is a latent liability `L ~ N(0, 1)` that lies above a threshold `t = Phi^-1(1 - base rate)`
in a share of children equal to the base rate. Every instrument is a noisy view of it: its standardised total
`z` correlates at `rho` with `L`, and the instruments correlate with each other by the table `R`. For the
observed instruments `S`:

    w = R_SS^-1 rho_S      r2 = w . rho_S      p = Phi((w . z_S - t) / sqrt(1 - r2))

So a school with one sheet and a school with five share one model, and a missing sheet needs no imputation.
A negative weight (collinear sheets) is dropped and the rest solved again until none is left: a higher score
may never lower `p`.

Probabilities are numbers between 0 and 1; weights, contributions and scores are in units of the liability.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from math import erfc, fsum, isfinite, sqrt
from statistics import NormalDist
from typing import Literal, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

DEFAULT_BASE_RATE = 0.10
"""Share of pupils assumed to need care beyond the school where a county has set nothing (a design choice:
Chinese interview studies of any disorder give 10-17 %; not every disorder needs care beyond the school)."""

BASE_RATE_LIMITS = (0.03, 0.25)
"""The base rates two people may set; both ends included."""

BASE_RATE_DOUBT = 1.5
"""Until local labels exist a base rate is known to about this factor; it makes the range of a prediction."""

SMALLEST_EIGENVALUE = 0.05
"""A correlation table nearer to singular than this gives weights that mean nothing; it is refused."""

Transform = Literal["linear", "root"]

_STANDARD_NORMAL = NormalDist()
_SQRT2 = sqrt(2.0)
_erfc_of_array = np.frompyfunc(erfc, 1, 1)


@dataclass(frozen=True, slots=True)
class InstrumentRow:
    """How the model reads one instrument.

    `also` names other forms that share the row; `highest` is the greatest total (the least is 0). `transform`
    "root" takes `sqrt(total + 1/4)` first, for counts of symptoms with a long right tail; `centre` and
    `spread` then standardise. `rho` is the correlation with the liability. `informant`: whose answers the row was made
    for; the same questions answered by somebody else are another instrument to the model.
    """

    code: str
    also: tuple[str, ...]
    highest: float
    transform: Transform
    centre: float
    spread: float
    rho: float
    informant: str = "self"

    @property
    def codes(self) -> tuple[str, ...]:
        return (self.code, *self.also)

    def z(self, total: float) -> float:
        """The standardised total. Raises ValueError (without the value) if it cannot be such a total."""
        # `not a <= x` and not `x < a`: NaN must fail, too.
        if not 0.0 <= total <= self.highest:
            raise ValueError(f"a total of {self.code} must lie between 0 and {self.highest:g}")
        moved = sqrt(total + 0.25) if self.transform == "root" else total
        return (moved - self.centre) / self.spread


class Discordance(NamedTuple):
    """The child denies, adults worry: `mean z of the adults' sheets - z of the child's own > above`."""

    self_code: str
    adult_codes: tuple[str, ...]
    above: float


class SubsetWeights(NamedTuple):
    """The solved model for one set of observed instruments; numbers are positions in `rows`."""

    used: tuple[int, ...]
    dropped: tuple[int, ...]
    weights: tuple[float, ...]
    r2: float
    residual: float


@dataclass(frozen=True, slots=True)
class LiabilityModel:
    """The numbers of one model, checked; the weights of a set of sheets are solved when it is first seen.

    Raises ValueError if the numbers cannot be a model: a table that is not a positive definite
    correlation matrix, a code twice, a subset without residual variance.
    """

    version: str
    rows: tuple[InstrumentRow, ...]
    correlations: tuple[tuple[float, ...], ...]
    discordance: Discordance | None = None
    solved: dict[int, SubsetWeights] = field(init=False, repr=False, compare=False)
    row_of: Mapping[str, int] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        table = _checked_table(self.rows, self.correlations)
        row_of = {code: index for index, row in enumerate(self.rows) for code in row.codes}
        if len(row_of) != sum(len(row.codes) for row in self.rows):
            raise ValueError("an instrument has two rows in the model")
        if self.discordance and not row_of.keys() >= {
            self.discordance.self_code,
            *self.discordance.adult_codes,
        }:
            raise ValueError("discordance names an instrument without a row")
        object.__setattr__(self, "row_of", row_of)
        # By the bit mask of observed rows: a school asks the same few sets of sheets again and again.
        object.__setattr__(self, "solved", {})
        # All together tell the most: where they leave something unexplained, every part of them does.
        _solve(table, np.array([row.rho for row in self.rows]), 2 ** len(self.rows) - 1)

    def subset(self, codes: Sequence[str]) -> SubsetWeights | None:
        """The weights for these instruments; None if the model has a row for none of them."""
        return self.weights_of(sum({1 << self.row_of[code] for code in codes if code in self.row_of}))

    def weights_of(self, mask: int) -> SubsetWeights | None:
        """The weights of one set of observed rows, a bit for each; None for no row at all."""
        if mask and mask not in self.solved:
            rhos = np.array([row.rho for row in self.rows])
            self.solved[mask] = _solve(np.array(self.correlations), rhos, mask)
        return self.solved.get(mask)

    def reads(self, code: str, informant: str) -> bool:
        """Whether the model has a row for this instrument answered by this informant."""
        place = self.row_of.get(code)
        return place is not None and self.rows[place].informant == informant


@dataclass(frozen=True, slots=True)
class Reason:
    """What one sheet adds to the score: `contribution = weight * z`, negative where it speaks against."""

    instrument: str
    weight: float
    z: float
    contribution: float


@dataclass(frozen=True, slots=True)
class Prediction:
    """A probability for one named base rate and model version, with what it rests on.

    `low` and `high` are the probabilities at the base rate divided and multiplied by 1.5: the doubt about the
    base rate, which is the largest before local labels exist. `reasons` are sorted by contribution, largest
    first, and add up (`math.fsum`) exactly to `score`; `threshold` is the liability a child must exceed.
    `r2`, 0 to 1, is how much these sheets can tell at all. `used` and `dropped` are instrument codes as the
    caller gave them; a dropped one was observed and has no weight beside the others.
    """

    probability: float
    low: float
    high: float
    r2: float
    reasons: tuple[Reason, ...]
    score: float
    threshold: float
    used: tuple[str, ...]
    dropped: tuple[str, ...]
    discordant: bool
    model_version: str
    base_rate: float


def check_base_rate(base_rate: float) -> None:
    """Raises ValueError unless the base rate lies in `BASE_RATE_LIMITS`."""
    least, greatest = BASE_RATE_LIMITS
    if not least <= base_rate <= greatest:
        raise ValueError(f"the base rate must lie between {least} and {greatest}")


def predict(model: LiabilityModel, totals: Mapping[str, float], *, base_rate: float) -> Prediction | None:
    """The probability that a child needs care beyond the school, from the totals of the valid sheets.

    `totals` maps instrument codes to total scores; an instrument without a row in the model is passed over.
    None when nothing remains: a child without a sheet is "not scored", and never gets the base rate.
    Raises ValueError for a base rate outside its limits, a total outside its instrument's range, or two
    forms of one instrument (phq9 and phq_a) at once: which of them counts is the caller's knowledge.
    """
    low_threshold, threshold, high_threshold = _thresholds(base_rate)
    observed = _observed(model, totals)
    mask = sum(1 << index for index in observed)
    solved = model.weights_of(mask)
    if solved is None:
        return None
    reasons = []
    for index, weight in zip(solved.used, solved.weights, strict=True):
        code, z = observed[index]
        reasons.append(Reason(code, weight, z, weight * z))
    reasons.sort(key=_contribution, reverse=True)
    # fsum is the correctly rounded sum: the same in any order, and never falling when one term rises.
    score = fsum([reason.contribution for reason in reasons])
    scale = solved.residual * _SQRT2
    return Prediction(
        probability=0.5 * erfc((threshold - score) / scale),
        low=0.5 * erfc((low_threshold - score) / scale),
        high=0.5 * erfc((high_threshold - score) / scale),
        r2=solved.r2,
        reasons=tuple(reasons),
        score=score,
        threshold=threshold,
        used=tuple([observed[index][0] for index in solved.used]),
        dropped=tuple([observed[index][0] for index in solved.dropped]),
        discordant=_is_discordant(model, observed),
        model_version=model.version,
        base_rate=base_rate,
    )


def predict_batch(
    model: LiabilityModel, matrix: ArrayLike, *, base_rate: float, codes: Sequence[str] | None = None
) -> NDArray[np.float64]:
    """Probabilities of many children at once, equal to `predict` to rounding (1e-12).

    `matrix` is children x `codes` (instruments of the model; all its rows in their order if none are named), totals,
    NaN where a sheet is missing; children with the same sheets are computed together. A child without any sheet
    gets NaN, not the base rate. Raises ValueError for a wrong shape, an instrument without a row, a base rate
    outside its limits or a total outside its range.
    """
    _, threshold, _ = _thresholds(base_rate)
    given = np.asarray(matrix, dtype=np.float64)
    places = _places(model, codes)
    if given.ndim != 2 or given.shape[1] != len(places):
        raise ValueError(f"expected children x {len(places)} totals")
    totals = np.full((len(given), len(model.rows)), np.nan)
    totals[:, places] = given
    z = np.column_stack([_column_z(row, totals[:, index]) for index, row in enumerate(model.rows)])
    masks = (~np.isnan(totals)) @ (1 << np.arange(len(model.rows)))
    probabilities = np.full(len(totals), np.nan)
    for mask in np.unique(masks):
        solved = model.weights_of(int(mask))
        if solved is None:
            continue
        chosen = masks == mask
        score = z[np.ix_(chosen, solved.used)] @ np.array(solved.weights)
        standing = (threshold - score) / (solved.residual * _SQRT2)
        probabilities[chosen] = 0.5 * _erfc_of_array(standing).astype(np.float64)
    return probabilities


def _places(model: LiabilityModel, codes: Sequence[str] | None) -> list[int]:
    """The rows of named instruments, each once."""
    if codes is None:
        return list(range(len(model.rows)))
    places = [model.row_of.get(code) for code in codes]
    found = [place for place in places if place is not None]
    if len(found) != len(codes) or len(set(found)) != len(codes):
        raise ValueError("every column must be an instrument of the model, and none twice")
    return found


@lru_cache(maxsize=64)
def _thresholds(base_rate: float) -> tuple[float, float, float]:
    """The liability thresholds at the base rate divided by 1.5, itself, and multiplied by 1.5."""
    check_base_rate(base_rate)
    return (
        _STANDARD_NORMAL.inv_cdf(1.0 - base_rate / BASE_RATE_DOUBT),
        _STANDARD_NORMAL.inv_cdf(1.0 - base_rate),
        _STANDARD_NORMAL.inv_cdf(1.0 - base_rate * BASE_RATE_DOUBT),
    )


def _observed(model: LiabilityModel, totals: Mapping[str, float]) -> dict[int, tuple[str, float]]:
    """Row -> (code as given, z) for the instruments the model knows."""
    observed: dict[int, tuple[str, float]] = {}
    for code, total in totals.items():
        index = model.row_of.get(code)
        if index is None:
            continue
        if index in observed:
            raise ValueError(f"{observed[index][0]} and {code} are forms of one instrument: give one of them")
        observed[index] = (code, model.rows[index].z(total))
    return observed


def _contribution(reason: Reason) -> float:
    return reason.contribution


def _is_discordant(model: LiabilityModel, observed: Mapping[int, tuple[str, float]]) -> bool:
    rule = model.discordance
    if rule is None or (own := observed.get(model.row_of[rule.self_code])) is None:
        return False
    adults = [observed[index][1] for code in rule.adult_codes if (index := model.row_of[code]) in observed]
    return bool(adults) and fsum(adults) / len(adults) - own[1] > rule.above


def _column_z(row: InstrumentRow, totals: NDArray[np.float64]) -> NDArray[np.float64]:
    # NaN means "missing" here and compares false both ways; infinities do not.
    if bool(((totals < 0.0) | (totals > row.highest)).any()):
        raise ValueError(f"a total of {row.code} must lie between 0 and {row.highest:g}")
    moved = np.sqrt(totals + 0.25) if row.transform == "root" else totals
    return (moved - row.centre) / row.spread


def _checked_table(
    rows: tuple[InstrumentRow, ...], correlations: tuple[tuple[float, ...], ...]
) -> NDArray[np.float64]:
    if not rows or len(correlations) != len(rows) or any(len(line) != len(rows) for line in correlations):
        raise ValueError("the correlation table must have a row and a column for every instrument")
    table = np.array(correlations, dtype=np.float64)
    if not np.isfinite(table).all() or not (table == table.T).all() or not (np.diag(table) == 1.0).all():
        raise ValueError("the correlation table must be symmetric with ones on its diagonal")
    if np.linalg.eigvalsh(table)[0] < SMALLEST_EIGENVALUE:
        raise ValueError("the correlation table is not positive definite")
    for row in rows:
        _check_row(row)
    return table


def _check_row(row: InstrumentRow) -> None:
    if not all(isfinite(number) for number in (row.highest, row.centre, row.spread, row.rho)):
        raise ValueError(f"a number of {row.code} is not finite")
    if row.highest <= 0.0 or row.spread <= 0.0 or not 0.0 < row.rho < 1.0:
        raise ValueError(f"{row.code} needs a positive range and spread and a rho between 0 and 1")


def _solve(table: NDArray[np.float64], rhos: NDArray[np.float64], mask: int) -> SubsetWeights:
    """Weights of one observed set, dropping negative ones and solving again until none is left."""
    observed = [index for index in range(len(rhos)) if mask >> index & 1]
    used = observed
    weights = np.linalg.solve(table[np.ix_(used, used)], rhos[used])
    while (weights < 0.0).any():
        used = [index for index, weight in zip(used, weights, strict=True) if weight >= 0.0]
        weights = np.linalg.solve(table[np.ix_(used, used)], rhos[used])
    r2 = float(weights @ rhos[used])
    if not r2 < 1.0:
        raise ValueError("a set of instruments explains all of the liability: the table contradicts the rhos")
    return SubsetWeights(
        used=tuple(used),
        dropped=tuple(index for index in observed if index not in used),
        weights=tuple(float(weight) for weight in weights),
        r2=r2,
        residual=sqrt(1.0 - r2),
    )
