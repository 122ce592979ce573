"""From a model's probability to one that is right here: what is changed, and how it is fitted.

Below about a thousand judged children the day-one score is kept and two numbers are changed, an intercept and a
slope on its log odds, held back by priors: in simulation nothing else does better, and flexible methods do harm. From
`CHALLENGERS_FROM` effective labels on richer maps compete. Doing nothing always competes too, and wins ties.

Every map is a few JSON numbers, none lets a higher total lower a probability, and each is fitted on weighted labels:
weights are scaled to the *effective* number of labels: many referred children and a few checked by lot count as far fewer
than they are.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

import numpy as np
from numpy.typing import ArrayLike, NDArray

from risk_model.evaluation import NotConverged, effective_size, expit, fit_line, logit
from risk_model.liability import BASE_RATE_LIMITS
from risk_model.registry import number

Floats = NDArray[np.float64]
Texts = NDArray[np.str_]

PRIOR_SD = (1.0, 0.25)
"""Of intercept (around 0) and slope (around 1)."""

COUNTY_SD = 0.5
"""How far a county's own intercept is expected to lie from the common one, in log odds."""

CHALLENGERS_FROM = 2_000
"""Effective labels from which richer maps compete."""

LEAST_LABELS = 150
"""Judged children below which nothing is changed."""

FOLDS = 5

TIE = 0.5
"""Standard errors of a difference in loss within which two ways of fitting count as equally good."""

NOT_SURE_OF_MORE = 0.999
"""No map says more than this, nor less than one minus this."""


@dataclass(frozen=True, slots=True)
class Children:
    """Columns about children: the probability before calibration, totals (n x rows of the model, NaN where missing),
    and the county each lives in."""

    probability: Floats
    totals: Floats
    county: Texts

    def __len__(self) -> int:
        return len(self.probability)

    def take(self, chosen: NDArray[Any]) -> Children:
        return Children(self.probability[chosen], self.totals[chosen], self.county[chosen])


def children(
    probability: ArrayLike, totals: ArrayLike | None = None, county: Sequence[str] | None = None
) -> Children:
    """Columns from what there is; without counties all live in one."""
    p = np.asarray(probability, dtype=np.float64)
    return Children(
        p,
        np.full((len(p), 0), np.nan) if totals is None else np.asarray(totals, dtype=np.float64),
        np.asarray(["" if county is None else each for each in (county or [""] * len(p))], dtype=np.str_),
    )


class CalibrationMap(Protocol):
    """What all maps can do."""

    @property
    def kind(self) -> str: ...

    @property
    def complexity(self) -> int:
        """Of two equally good maps the simpler one is taken."""
        ...

    def apply(self, rows: Children) -> Floats: ...

    def document(self) -> dict[str, object]: ...


# --- the maps ----------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Unchanged:
    """The model as it is."""

    kind = "unchanged"
    complexity = 0

    def apply(self, rows: Children) -> Floats:
        return rows.probability

    def document(self) -> dict[str, object]:
        return {"kind": self.kind}


@dataclass(frozen=True, slots=True)
class TwoNumbers:
    """`logit p' = intercept + slope * logit p`, and one more intercept for each county with labels of its own."""

    intercept: float
    slope: float
    counties: Mapping[str, float] = field(default_factory=dict)

    kind = "two_numbers"

    def __post_init__(self) -> None:
        numbers = (self.intercept, self.slope, *self.counties.values())
        if not all(np.isfinite(number) for number in numbers) or not 0.0 < self.slope <= 3.0:
            raise ValueError("a calibration needs finite numbers and a slope above 0, at most 3")

    @property
    def complexity(self) -> int:
        if self.slope == 1.0:
            return 1
        return 3 if self.counties else 2

    def apply(self, rows: Children) -> Floats:
        own = np.zeros(len(rows))
        for county, shift in self.counties.items():
            own[rows.county == county] = shift
        return _bounded(expit(self.intercept + self.slope * logit(rows.probability) + own))

    def document(self) -> dict[str, object]:
        return {
            "kind": self.kind,
            "intercept": self.intercept,
            "slope": self.slope,
            "counties": dict(sorted(self.counties.items())),
        }


@dataclass(frozen=True, slots=True)
class ThreeNumbers:
    """`logit p' = intercept + low * ln p - high * ln(1 - p)`: low and high probabilities bend apart.

    With both equal it is the two numbers. Where some deny and some answer at random the curve is flat below and
    steep above, which one slope cannot follow.
    """

    intercept: float
    low: float
    high: float

    kind = "three_numbers"
    complexity = 4

    def __post_init__(self) -> None:
        if not np.isfinite([self.intercept, self.low, self.high]).all():
            raise ValueError("a number of a calibration is not finite")
        if not (0.0 <= self.low <= 3.0 and 0.0 <= self.high <= 3.0 and self.low + self.high > 0.0):
            raise ValueError("a calibration may not fall where the score rises")

    def apply(self, rows: Children) -> Floats:
        low, high = _tails(rows.probability)
        return _bounded(expit(self.intercept + self.low * low + self.high * high))

    def document(self) -> dict[str, object]:
        return {"kind": self.kind, "intercept": self.intercept, "low": self.low, "high": self.high}


def _tails(probability: Floats) -> tuple[Floats, Floats]:
    """ln p and -ln(1 - p), kept from infinity."""
    kept = np.clip(probability, 1e-9, 1.0 - 1e-9)
    return np.log(kept), -np.log1p(-kept)


@dataclass(frozen=True, slots=True)
class Isotonic:
    """A rising broken line from log odds to probabilities, level beyond its ends."""

    knots: tuple[float, ...]
    values: tuple[float, ...]

    kind = "isotonic"
    complexity = 5

    def __post_init__(self) -> None:
        if len(self.knots) != len(self.values) or len(self.knots) < 2:
            raise ValueError("a broken line needs two knots or more")
        if not (np.diff(self.knots) > 0.0).all() or not (np.diff(self.values) >= 0.0).all():
            raise ValueError("a broken line must rise")
        if not (self.values[0] > 0.0 and self.values[-1] < 1.0):
            raise ValueError("a probability lies between 0 and 1")

    def apply(self, rows: Children) -> Floats:
        return _bounded(np.interp(logit(rows.probability), self.knots, self.values))

    def document(self) -> dict[str, object]:
        return {"kind": self.kind, "knots": list(self.knots), "values": list(self.values)}


@dataclass(frozen=True, slots=True)
class Additive:
    """Log odds as a sum of one rising table per input: the log odds before (in tenths) and every total.

    `score`: (first place in tenths, values). `totals[j]`: value for each total from 0 on; `absent[j]`: without that
    sheet. Straight tables are the penalised logistic regression, steps the boosted stumps: one form serves both.
    """

    origin: str
    intercept: float
    first: int
    score: tuple[float, ...]
    totals: tuple[tuple[float, ...], ...]
    absent: tuple[float, ...]

    complexity = 8

    @property
    def kind(self) -> str:
        return self.origin

    def __post_init__(self) -> None:
        if self.origin not in (LOGISTIC, BOOSTED) or len(self.totals) != len(self.absent) or not self.score:
            raise ValueError("an additive map needs a table for every input")
        for table in (self.score, *self.totals):
            if not np.isfinite(table).all():
                raise ValueError("a number of an additive map is not finite")
        # The score rises with every total itself, so only together must they rise: see `never_falls`.
        if not (np.diff(self.score) >= -1e-9).all():
            raise ValueError("a table of an additive map must rise")

    def apply(self, rows: Children) -> Floats:
        tenths = np.rint(logit(rows.probability) * 10.0).astype(np.int64) - self.first
        total = self.intercept + np.array(self.score)[np.clip(tenths, 0, len(self.score) - 1)]
        for place, table in enumerate(self.totals):
            column = rows.totals[:, place]
            known = ~np.isnan(column)
            at = np.clip(np.where(known, column, 0.0).astype(np.int64), 0, max(len(table) - 1, 0))
            total += np.where(known, np.array(table)[at], self.absent[place])
        return _bounded(expit(total))

    def document(self) -> dict[str, object]:
        return {
            "kind": self.kind,
            "intercept": self.intercept,
            "first": self.first,
            "score": list(self.score),
            "totals": [list(table) for table in self.totals],
            "absent": list(self.absent),
        }


LOGISTIC, BOOSTED = "logistic", "boosted"


def map_from(document: Mapping[str, Any]) -> CalibrationMap:
    """The map of a document. Raises ValueError, KeyError or TypeError for one that cannot be a map."""
    kind = document["kind"]
    if kind == "unchanged":
        return Unchanged()
    if kind == "two_numbers":
        counties = {str(key): number(value) for key, value in document["counties"].items()}
        return TwoNumbers(number(document["intercept"]), number(document["slope"]), counties)
    if kind == "three_numbers":
        return ThreeNumbers(*(number(document[name]) for name in ("intercept", "low", "high")))
    if kind == "isotonic":
        return Isotonic(_numbers(document["knots"]), _numbers(document["values"]))
    if kind in (LOGISTIC, BOOSTED):
        return Additive(
            kind,
            number(document["intercept"]),
            int(document["first"]),
            _numbers(document["score"]),
            tuple(_numbers(table) for table in document["totals"]),
            _numbers(document["absent"]),
        )
    raise ValueError("unknown kind of calibration")


def _numbers(values: object) -> tuple[float, ...]:
    if not isinstance(values, list):
        raise TypeError("expected a list of numbers")
    return tuple(number(value) for value in values)


def _bounded(p: Floats) -> Floats:
    return np.clip(p, 1.0 - NOT_SURE_OF_MORE, NOT_SURE_OF_MORE)


# --- fitting -----------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Judged:
    """Judged children to learn from: finding, the number of children each stands for, school."""

    rows: Children
    y: Floats
    weight: Floats
    school: Texts

    def __len__(self) -> int:
        return len(self.y)

    def take(self, chosen: NDArray[Any]) -> Judged:
        return Judged(self.rows.take(chosen), self.y[chosen], self.weight[chosen], self.school[chosen])

    @property
    def effective(self) -> float:
        return effective_size(self.weight)

    @property
    def scaled(self) -> Floats:
        """Weights that add up to the effective number of labels."""
        factor = self.effective / float(self.weight.sum())
        return self.weight * factor


def fit_two_numbers(judged: Judged, *, prior_sd: tuple[float, float] = PRIOR_SD) -> TwoNumbers:
    """Intercept and slope by weighted Bayesian logistic regression. Raises NotConverged, never a last step."""
    intercept, slope = fit_line(judged.y, logit(judged.rows.probability), judged.scaled, prior_sd=prior_sd)
    if slope <= 0.0:
        raise NotConverged("the labels contradict the score: a higher score would mean less need")
    return TwoNumbers(intercept, slope)


def fit_three_numbers(
    judged: Judged, *, prior_sd: tuple[float, float, float] = (1.0, 0.25, 0.25)
) -> ThreeNumbers:
    """Intercept and both slopes, by the same regression with the same priors. Raises NotConverged."""
    low, high = _tails(judged.rows.probability)
    columns = np.stack([np.ones(len(judged)), low, high])
    found = _bayesian(columns, judged.y, judged.scaled, np.array([0.0, 1.0, 1.0]), np.array(prior_sd))
    if found[1] < 0.0 or found[2] < 0.0:
        raise NotConverged("the labels contradict the score: a higher score would mean less need")
    return ThreeNumbers(*(float(number) for number in found))


def _bayesian(
    columns: Floats, y: Floats, weight: Floats, mean: Floats, sd: Floats, steps: int = 50
) -> Floats:
    """The most likely coefficients of a logistic regression under normal priors, by Newton's method."""
    found: Floats = mean.copy()
    pull = 1.0 / sd**2
    for _ in range(steps):
        fitted = expit(found @ columns)
        gradient = columns @ (weight * (y - fitted)) - pull * (found - mean)
        curvature = (columns * (weight * fitted * (1.0 - fitted))) @ columns.T + np.diag(pull)
        step = np.linalg.solve(curvature, gradient)
        # The prior makes the curvature bounded away from nothing; a long first step is shortened all the same.
        step *= min(1.0, 2.0 / float(np.abs(step).max() + 1e-12))
        found = np.asarray(found + step, dtype=np.float64)
        if float(np.abs(step).max()) < 1e-9:
            return found
    raise NotConverged("the calibration did not settle")


def fit_intercept(judged: Judged, *, prior_sd: float = PRIOR_SD[0]) -> TwoNumbers:
    """The intercept alone."""
    intercept, _ = fit_line(
        judged.y, logit(judged.rows.probability), judged.scaled, slope=1.0, prior_sd=(prior_sd, 1.0)
    )
    return TwoNumbers(intercept, 1.0)


def fit_counties(judged: Judged, common: TwoNumbers, *, least: float = LEAST_LABELS) -> TwoNumbers:
    """An intercept more for every county with labels enough of its own, drawn towards the common one."""
    shifts = {}
    for county in np.unique(judged.rows.county):
        own = judged.take(judged.rows.county == county)
        if own.effective < least:
            continue
        score = logit(common.apply(own.rows))
        shifts[str(county)], _ = fit_line(own.y, score, own.scaled, slope=1.0, prior_sd=(COUNTY_SD, 1.0))
    return TwoNumbers(common.intercept, common.slope, shifts)


def shift_to_rate(probability: ArrayLike, rate: float) -> TwoNumbers:
    """The intercept that makes the mean prediction of all scored children the trusted rate.

    Only for a rate known from a survey with interviews, never for one guessed from the scores themselves, and never by
    the ratio of two rates: where the children have more symptoms that formula makes things worse. Raises ValueError
    for a rate outside the limits or without children.
    """
    least, greatest = BASE_RATE_LIMITS
    if not least <= rate <= greatest:
        raise ValueError(f"the base rate must lie between {least} and {greatest}")
    score = logit(np.asarray(probability, dtype=np.float64))
    score = score[np.isfinite(score)]
    if not len(score):
        raise ValueError("nobody has a probability")
    low, high = -12.0, 12.0
    for _ in range(60):
        middle = (low + high) / 2.0
        low, high = (middle, high) if float(expit(score + middle).mean()) < rate else (low, middle)
    return TwoNumbers((low + high) / 2.0, 1.0)


# --- challengers -------------------------------------------------------------------------------------------


def fit_isotonic(judged: Judged) -> Isotonic:
    """scikit-learn's isotonic regression on the log odds."""
    from sklearn.isotonic import IsotonicRegression

    least = 1.0 - NOT_SURE_OF_MORE
    fitted = IsotonicRegression(y_min=least, y_max=NOT_SURE_OF_MORE, out_of_bounds="clip")
    fitted.fit(logit(judged.rows.probability), judged.y, sample_weight=judged.scaled)
    knots, values = np.asarray(fitted.X_thresholds_), np.asarray(fitted.y_thresholds_)
    if len(knots) < 2:
        raise NotConverged("the labels give no rising line")
    return Isotonic(tuple(knots.tolist()), tuple(values.tolist()))


_TENTHS = (-80, 60)


def fit_logistic(judged: Judged) -> Additive:
    """Ridge logistic regression on the log odds and on each total's distance from its mean, zero without the sheet.

    The log odds carry nearly no penalty, so that "the score as it is" costs nothing and a questionnaire weighs
    more or less than the table says only where the labels say so.
    """
    from sklearn.linear_model import LogisticRegression

    totals = judged.rows.totals
    kept = [j for j in range(totals.shape[1]) if np.isfinite(totals[:, j]).sum() >= LEAST_LABELS]
    centre = [float(np.nanmean(totals[:, j])) for j in kept]
    spread = [float(np.nanstd(totals[:, j])) or 1.0 for j in kept]
    columns = [logit(judged.rows.probability) * 10.0]
    columns += [np.nan_to_num((totals[:, j] - c) / s) for j, c, s in zip(kept, centre, spread, strict=True)]
    fitted = LogisticRegression(C=0.05, max_iter=500, tol=1e-8)
    fitted.fit(np.column_stack(columns), judged.y, sample_weight=judged.scaled)
    if int(fitted.n_iter_[0]) >= 500:
        raise NotConverged("the penalised logistic regression did not settle")
    on_score = float(fitted.coef_[0, 0]) * 10.0
    tables: list[tuple[float, ...]] = [(0.0,)] * totals.shape[1]
    for place, (j, c, s) in enumerate(zip(kept, centre, spread, strict=True), start=1):
        highest = int(np.nanmax(totals[:, j]))
        tables[j] = tuple(float(fitted.coef_[0, place]) * (x - c) / s for x in range(highest + 1))
    return Additive(
        LOGISTIC,
        float(fitted.intercept_[0]),
        _TENTHS[0],
        tuple(on_score * tenth / 10.0 for tenth in range(_TENTHS[0], _TENTHS[1] + 1)),
        tuple(tables),
        (0.0,) * totals.shape[1],
    )


def fit_boosted(judged: Judged, *, seed: int = 0) -> Additive:
    """Boosted trees of one split each, rising in every input, written down as one table per input.

    Trees of one split add up, so the sum can be read off exactly: every input is a whole number.
    """
    from sklearn.ensemble import HistGradientBoostingClassifier

    totals = judged.rows.totals
    # A battery that is absent from these schools altogether breaks the trees; it has nothing to teach either.
    kept = [j for j in range(totals.shape[1]) if np.isfinite(totals[:, j]).any()]
    tenths = np.clip(np.rint(logit(judged.rows.probability) * 10.0), *_TENTHS)
    columns = np.column_stack([tenths, totals[:, kept]])
    fitted = HistGradientBoostingClassifier(
        learning_rate=0.08,
        max_iter=150,
        max_leaf_nodes=2,
        min_samples_leaf=40,
        l2_regularization=1.0,
        monotonic_cst=[1] * columns.shape[1],
        early_stopping=False,
        random_state=seed,
    )
    fitted.fit(columns, judged.y, sample_weight=judged.scaled)
    middle = np.full((1, columns.shape[1]), np.nan)
    middle[0, 0] = 0.0
    nothing = float(fitted.decision_function(middle)[0])

    def table(place: int, values: Sequence[float]) -> tuple[float, ...]:
        probes = np.repeat(middle, len(values), axis=0)
        probes[:, place] = values
        return tuple((np.asarray(fitted.decision_function(probes)) - nothing).tolist())

    tables: list[tuple[float, ...]] = [(0.0,)] * totals.shape[1]
    for place, j in enumerate(kept, start=1):
        tables[j] = table(place, [float(x) for x in range(int(np.nanmax(totals[:, j])) + 1)])
    places = [float(tenth) for tenth in range(_TENTHS[0], _TENTHS[1] + 1)]
    return Additive(BOOSTED, nothing, _TENTHS[0], table(0, places), tuple(tables), (0.0,) * totals.shape[1])


# --- the competition ---------------------------------------------------------------------------------------

Fit = Callable[[Judged], CalibrationMap]


@dataclass(frozen=True, slots=True)
class Standing:
    """How one way of fitting did on schools it had not seen: its weighted log loss."""

    kind: str
    loss: float


@dataclass(frozen=True, slots=True)
class Competition:
    """The winner fitted on everything, how all stood, and what the winning way said of schools it had not seen."""

    way: str
    winner: CalibrationMap
    standings: tuple[Standing, ...]
    held_out: Floats


def school_folds(school: Texts, *, folds: int = FOLDS, seed: int = 0) -> NDArray[np.int64]:
    """The fold of each child: a school lies in one fold, folds are of about one size."""
    names, place, counts = np.unique(school, return_inverse=True, return_counts=True)
    random = np.random.default_rng(seed)
    order = sorted(random.permutation(len(names)), key=lambda each: -counts[each])
    filled = np.zeros(min(folds, len(names)))
    fold_of = np.zeros(len(names), dtype=np.int64)
    for each in order:
        fold_of[each] = int(np.argmin(filled))
        filled[fold_of[each]] += counts[each]
    return fold_of[place]


def held_out(fit: Fit, judged: Judged, fold: NDArray[np.int64]) -> Floats:
    """What this way of fitting says of each child when its school is not learnt from."""
    said = np.empty(len(judged))
    for part in np.unique(fold):
        there = fold == part
        said[there] = fit(judged.take(~there)).apply(judged.rows.take(there))
    return said


def ways(judged: Judged) -> dict[str, Fit]:
    """The ways that may compete with so many labels, the simplest first."""
    found: dict[str, Fit] = {"unchanged": lambda _: Unchanged()}
    if len(judged) < LEAST_LABELS:
        return found
    found |= {"intercept": fit_intercept, "two_numbers": fit_two_numbers}
    found["three_numbers"] = fit_three_numbers
    if len(np.unique(judged.rows.county)) > 1:
        found["counties"] = lambda rows: fit_counties(rows, fit_two_numbers(rows))
    if judged.effective >= CHALLENGERS_FROM:
        found |= {"isotonic": fit_isotonic, LOGISTIC: fit_logistic, BOOSTED: fit_boosted}
    return found


def compete(judged: Judged, *, seed: int = 0) -> Competition:
    """Fit every way on some schools, judge it on the others, take the best; a simpler one where it is a tie.

    A tie is a difference of less than :data:`TIE` standard errors, taken over schools. With one school only nothing
    can be judged on others, and nothing is changed.
    """
    fold = school_folds(judged.school, seed=seed)
    if len(np.unique(fold)) < 2:
        return Competition("unchanged", Unchanged(), (), judged.rows.probability)
    said: dict[str, Floats] = {}
    fits = ways(judged)
    for name, fit in fits.items():
        try:
            said[name] = held_out(fit, judged, fold)
        except NotConverged:
            continue
    losses = {name: _losses(judged.y, p) for name, p in said.items()}
    standings = tuple(
        Standing(name, float(np.average(loss, weights=judged.weight))) for name, loss in losses.items()
    )
    best = min(standings, key=lambda each: each.loss)
    chosen = next(
        each.kind
        for each in standings
        if each.loss - best.loss <= TIE * _error(losses[each.kind] - losses[best.kind], judged)
    )
    return Competition(chosen, fits[chosen](judged), standings, said[chosen])


def _losses(y: Floats, p: Floats) -> Floats:
    score = logit(p)
    return np.logaddexp(0.0, score) - y * score


def _error(difference: Floats, judged: Judged) -> float:
    """Standard error over schools of a weighted mean."""
    mean = float(np.average(difference, weights=judged.weight))
    _, place = np.unique(judged.school, return_inverse=True)
    parts = np.bincount(place, judged.weight * (difference - mean)) / judged.weight.sum()
    schools = len(parts)
    return float(np.sqrt((parts**2).sum() * schools / max(schools - 1, 1)))
