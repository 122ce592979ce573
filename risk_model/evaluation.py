"""How good are probabilities: ranking, calibration, usefulness at a threshold and at a capacity.

NumPy only. Every figure takes weights (survey weights, or one over the chance of having been judged), and
every interval is drawn by resampling whole clusters (schools, sampling units), because children of one school
are alike and rows are not independent.

What is meant by each figure:

* AUROC: the chance that a child with the outcome has the higher probability, ties counting one half;
* slope and intercept: logistic regression of the outcome on the log odds of the probability. The intercept is
  "in the large": the one fitted with the slope held at 1 (0 is ideal for it, 1 for the slope);
* ECE: the rows sorted by probability and cut into bins of equal weight (10 unless said), then the mean over
  the bins of |observed share - mean probability|. Equal probabilities are never put into two bins;
* ICI (Austin and Steyerberg, Stat Med 2019): the mean of |smoothed share - probability|, the smooth being loess
  of degree 1 in the probability, tricube, over the nearest half of the weight. Degree 1 because a perfect
  model is a straight line, which such a smooth does not bend;
* net benefit (Vickers and Elkin, Med Decis Making 2006) at threshold t: TP/n - FP/n * t/(1-t);
* at a capacity: the share of children with the highest probabilities who can be seen. Of equal probabilities
  on the line the expected part is counted, as if they were drawn by lot.

A figure that cannot be told (one class only, no weight) is NaN, never a flattering number.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, fields
from math import nan

import numpy as np
from numpy.typing import ArrayLike, NDArray

Floats = NDArray[np.float64]
Indices = NDArray[np.int64]

CLIP = 1e-9
ECE_BINS = 10
ICI_SPAN = 0.5
ICI_CELLS = 2_000
ICI_POINTS = 100
CAPACITIES = (0.03, 0.05, 0.08, 0.15)
THRESHOLDS = tuple(round(0.05 + 0.01 * step, 2) for step in range(26))
BOOTSTRAPS = 200
INTERVAL = 0.95


class NotConverged(ArithmeticError):
    """A fit did not settle; its last step is not an answer."""


@dataclass(frozen=True, slots=True)
class Measures:
    """The figures of one set of rows. `n` and `events` count rows, the others are weighted."""

    n: int
    events: int
    effective_n: float
    base_rate: float
    mean_probability: float
    observed_expected: float
    auroc: float
    slope: float
    intercept: float
    ece: float
    ici: float
    brier: float
    scaled_brier: float


@dataclass(frozen=True, slots=True)
class AtCapacity:
    """What seeing the `fraction` with the highest probabilities finds; `nns` is seen for each one found."""

    fraction: float
    threshold: float
    ppv: float
    sensitivity: float
    nns: float


@dataclass(frozen=True, slots=True)
class DecisionCurve:
    """Net benefit over thresholds: the model, treating all, and each rule. Treating nobody is 0."""

    thresholds: tuple[float, ...]
    model: tuple[float, ...]
    treat_all: tuple[float, ...]
    rules: Mapping[str, tuple[float, ...]]


@dataclass(frozen=True, slots=True)
class CalibrationCurve:
    """A smooth of the observed share over the probability, and the bins beside it."""

    probability: tuple[float, ...]
    observed: tuple[float, ...]
    bin_probability: tuple[float, ...]
    bin_observed: tuple[float, ...]
    bin_weight: tuple[float, ...]


@dataclass(frozen=True, slots=True)
class Interval:
    """A figure with its bootstrap interval; the ends are NaN where there are too few clusters."""

    value: float
    low: float
    high: float


# --- inputs ------------------------------------------------------------------------------------------------


def checked(y: ArrayLike, p: ArrayLike, weight: ArrayLike | None = None) -> tuple[Floats, Floats, Floats]:
    """Outcome, probability and weight as arrays of one length. Raises ValueError for what cannot be those."""
    outcome = np.asarray(y, dtype=np.float64)
    chance = np.asarray(p, dtype=np.float64)
    scale = np.ones_like(outcome) if weight is None else np.asarray(weight, dtype=np.float64)
    if outcome.ndim != 1 or outcome.shape != chance.shape or outcome.shape != scale.shape:
        raise ValueError("outcome, probability and weight must be columns of one length")
    if not np.isin(outcome, (0.0, 1.0)).all():
        raise ValueError("an outcome must be 0 or 1; a missing one is left out before")
    if not ((chance >= 0.0) & (chance <= 1.0)).all():
        raise ValueError("a probability must lie between 0 and 1")
    if not (np.isfinite(scale) & (scale >= 0.0)).all():
        raise ValueError("a weight must be a number of 0 or more")
    return outcome, chance, scale


def logit(p: ArrayLike) -> Floats:
    """Log odds, with 0 and 1 brought in by a billionth."""
    chance = np.clip(np.asarray(p, dtype=np.float64), CLIP, 1.0 - CLIP)
    result: Floats = np.log(chance) - np.log1p(-chance)
    return result


def expit(score: ArrayLike) -> Floats:
    """The probability of log odds, without overflow."""
    value = np.asarray(score, dtype=np.float64)
    small = np.exp(-np.abs(value))
    return np.where(value >= 0.0, 1.0 / (1.0 + small), small / (1.0 + small))


def effective_size(weight: ArrayLike) -> float:
    """(sum w)^2 / sum w^2: so many equally weighted rows would tell as much."""
    scale = np.asarray(weight, dtype=np.float64)
    squares = float((scale**2).sum())
    return float(scale.sum()) ** 2 / squares if squares else 0.0


# --- ranking and calibration -------------------------------------------------------------------------------


def auroc(y: ArrayLike, p: ArrayLike, weight: ArrayLike | None = None) -> float:
    """Area under the ROC curve, weighted; NaN with one class only."""
    outcome, chance, scale = checked(y, p, weight)
    _, place = np.unique(chance, return_inverse=True)
    cases = np.bincount(place, scale * outcome)
    others = np.bincount(place, scale * (1.0 - outcome))
    total = float(cases.sum() * others.sum())
    if total == 0.0:
        return nan
    below = np.cumsum(others) - others
    return float((cases * (below + 0.5 * others)).sum()) / total


def fit_line(
    y: ArrayLike,
    score: ArrayLike,
    weight: ArrayLike | None = None,
    *,
    slope: float | None = None,
    prior_sd: tuple[float, float] | None = None,
    steps: int = 100,
) -> tuple[float, float]:
    """Intercept and slope of a weighted logistic regression of `y` on a score in log odds.

    With `slope` given only the intercept is fitted. With `prior_sd` the intercept is drawn towards 0 and the
    slope towards 1 with these standard deviations. Raises NotConverged where there is no finite answer.
    """
    outcome = np.asarray(y, dtype=np.float64)
    value = np.asarray(score, dtype=np.float64)
    scale = np.ones_like(outcome) if weight is None else np.asarray(weight, dtype=np.float64)
    pull = np.zeros(2) if prior_sd is None else 1.0 / np.square(prior_sd)
    line = np.array([0.0, 1.0 if slope is None else slope])
    free = 1 if slope is not None else 2
    columns = np.stack([np.ones_like(value), value])
    current = _line_loss(line, columns, outcome, scale, pull)
    for _ in range(steps):
        fitted = expit(line @ columns)
        gradient = columns @ (scale * (outcome - fitted)) - pull * (line - np.array([0.0, 1.0]))
        curvature = (columns * (scale * fitted * (1.0 - fitted))) @ columns.T + np.diag(pull)
        try:
            step = np.linalg.solve(curvature[:free, :free], gradient[:free])
        except np.linalg.LinAlgError:
            break
        current, moved = _shortened(line, step, current, columns, outcome, scale, pull)
        settled = float(np.abs(step).max())
        line = line if moved is None else moved
        if settled < 1e-9 or (moved is None and settled < 1e-6):
            return float(line[0]), float(line[1])
        # Separated classes: the fit would walk away for ever.
        if moved is None or float(np.abs(line).max()) > 50.0:
            break
    raise NotConverged("the logistic line has no finite answer for these rows")


def _line_loss(line: Floats, columns: Floats, y: Floats, weight: Floats, pull: Floats) -> float:
    score = line @ columns
    loss = weight @ (np.logaddexp(0.0, score) - y * score)
    return float(loss + 0.5 * (pull * (line - np.array([0.0, 1.0])) ** 2).sum())


def _shortened(
    line: Floats, step: Floats, current: float, columns: Floats, y: Floats, weight: Floats, pull: Floats
) -> tuple[float, Floats | None]:
    """A Newton step halved until the loss does not rise; None if it always does."""
    for halving in range(30):
        moved = line.copy()
        moved[: len(step)] += step / 2.0**halving
        loss = _line_loss(moved, columns, y, weight, pull)
        if np.isfinite(loss) and loss <= current + 1e-10 * max(1.0, abs(current)):
            return loss, moved
    return current, None


def calibration_line(y: ArrayLike, p: ArrayLike, weight: ArrayLike | None = None) -> tuple[float, float]:
    """Intercept in the large (slope held at 1) and slope; NaN for what these rows cannot tell."""
    outcome, chance, scale = checked(y, p, weight)
    score = logit(chance)
    try:
        intercept, _ = fit_line(outcome, score, scale, slope=1.0)
    except NotConverged:
        return nan, nan
    try:
        _, slope = fit_line(outcome, score, scale)
    except NotConverged:
        slope = nan
    return intercept, slope


def bins_of(p: Floats, weight: Floats, bins: int = ECE_BINS) -> Indices:
    """The bin of each row: bins of equal weight along the probability, equal probabilities together."""
    values, place = np.unique(p, return_inverse=True)
    held = np.bincount(place, weight, minlength=len(values))
    total = float(held.sum())
    if total == 0.0:
        return np.zeros(len(p), dtype=np.int64)
    middle = (np.cumsum(held) - held / 2.0) / total
    number = np.minimum((middle * bins).astype(np.int64), bins - 1)
    return number[place]


def _binned(y: Floats, p: Floats, weight: Floats, bins: int) -> tuple[Floats, Floats, Floats]:
    """Mean probability, observed share and weight of each bin that holds any."""
    number = bins_of(p, weight, bins)
    held = np.asarray(np.bincount(number, weight, minlength=bins), dtype=np.float64)
    kept = held > 0.0
    mean = np.bincount(number, weight * p, minlength=bins)[kept] / held[kept]
    share = np.bincount(number, weight * y, minlength=bins)[kept] / held[kept]
    return mean, share, held[kept]


def ece(y: ArrayLike, p: ArrayLike, weight: ArrayLike | None = None, *, bins: int = ECE_BINS) -> float:
    """Expected calibration error over bins of equal weight."""
    mean, share, held = _binned(*checked(y, p, weight), bins)
    return float((held * np.abs(share - mean)).sum() / held.sum()) if len(held) else nan


def smooth(
    y: ArrayLike, p: ArrayLike, weight: ArrayLike | None, at: ArrayLike, *, span: float = ICI_SPAN
) -> Floats:
    """Loess of degree 1 of the outcome over the probability, at the given probabilities.

    Above 2,000 distinct places the rows are first put into so many cells of equal weight.
    """
    mean, share, held = _binned(*checked(y, p, weight), ICI_CELLS)
    points = np.asarray(at, dtype=np.float64)
    if not len(held):
        return np.full(len(points), nan)
    distance = np.abs(mean[None, :] - points[:, None])
    order = np.argsort(distance, axis=1, kind="stable")
    reached = np.cumsum(held[order], axis=1) >= span * held.sum() - 1e-12
    rows = np.arange(len(points))
    edge = distance[rows, order[rows, reached.argmax(axis=1)]] * (1.0 + 1e-9) + 1e-12
    near = np.clip(1.0 - (distance / edge[:, None]) ** 3, 0.0, None) ** 3 * held[None, :]
    total = near.sum(axis=1)
    centre = near @ mean / total
    level = near @ share / total
    apart = mean[None, :] - centre[:, None]
    variance = (near * apart**2).sum(axis=1)
    covariance = (near * apart * share[None, :]).sum(axis=1)
    flat = variance <= 1e-15 * total
    slope = np.where(flat, 0.0, covariance / np.where(flat, 1.0, variance))
    result: Floats = np.clip(level + slope * (points - centre), 0.0, 1.0)
    return result


def ici(y: ArrayLike, p: ArrayLike, weight: ArrayLike | None = None, *, span: float = ICI_SPAN) -> float:
    """Integrated calibration index: the mean distance between the smooth and the probability."""
    outcome, chance, scale = checked(y, p, weight)
    if not scale.sum():
        return nan
    mean, _, held = _binned(outcome, chance, scale, ICI_POINTS)
    gap = np.abs(smooth(outcome, chance, scale, mean, span=span) - mean)
    return float((held * gap).sum() / held.sum())


def calibration_curve(
    y: ArrayLike,
    p: ArrayLike,
    weight: ArrayLike | None = None,
    *,
    at: Sequence[float] | None = None,
    bins: int = ECE_BINS,
) -> CalibrationCurve:
    """The smooth at given probabilities (or at 60 places between the outermost per cents), and the bins."""
    outcome, chance, scale = checked(y, p, weight)
    mean, share, held = _binned(outcome, chance, scale, bins)
    low, high = (float(edge) for edge in np.quantile(chance, (0.005, 0.995)))
    where = np.linspace(low, high, 60) if at is None else np.asarray(at, dtype=np.float64)
    return CalibrationCurve(
        probability=tuple(where.tolist()),
        observed=tuple(smooth(outcome, chance, scale, where).tolist()),
        bin_probability=tuple(mean.tolist()),
        bin_observed=tuple(share.tolist()),
        bin_weight=tuple((held / held.sum()).tolist()),
    )


def brier(y: ArrayLike, p: ArrayLike, weight: ArrayLike | None = None) -> float:
    """Weighted mean of the squared distance between outcome and probability."""
    outcome, chance, scale = checked(y, p, weight)
    return float(scale @ (outcome - chance) ** 2 / scale.sum()) if scale.sum() else nan


def log_loss(y: ArrayLike, p: ArrayLike, weight: ArrayLike | None = None) -> float:
    """Weighted mean of minus the log likelihood."""
    outcome, chance, scale = checked(y, p, weight)
    score = logit(chance)
    return float(scale @ (np.logaddexp(0.0, score) - outcome * score) / scale.sum()) if scale.sum() else nan


# --- usefulness --------------------------------------------------------------------------------------------


def net_benefit(y: ArrayLike, flagged: ArrayLike, threshold: float, weight: ArrayLike | None = None) -> float:
    """Net benefit of seeing the flagged, when one found is worth (1 - t) / t seen in vain."""
    if not 0.0 < threshold < 1.0:
        raise ValueError("a threshold must lie between 0 and 1")
    outcome, flag, scale = checked(y, np.asarray(flagged, dtype=np.float64), weight)
    total = float(scale.sum())
    found = float(scale @ (flag * outcome))
    vain = float(scale @ (flag * (1.0 - outcome)))
    return (found - vain * threshold / (1.0 - threshold)) / total if total else nan


def decision_curve(
    y: ArrayLike,
    p: ArrayLike,
    weight: ArrayLike | None = None,
    *,
    thresholds: Sequence[float] = THRESHOLDS,
    rules: Mapping[str, ArrayLike] | None = None,
) -> DecisionCurve:
    """Net benefit of the model (p >= t), of treating all and of each rule (its flags, 0 or 1)."""
    outcome, chance, scale = checked(y, p, weight)
    everybody = np.ones_like(chance)

    def along(flags: Callable[[float], Floats]) -> tuple[float, ...]:
        return tuple(net_benefit(outcome, flags(t), t, scale) for t in thresholds)

    held = {name: np.asarray(flags, dtype=np.float64) for name, flags in (rules or {}).items()}
    return DecisionCurve(
        thresholds=tuple(thresholds),
        model=along(lambda t: (chance >= t).astype(np.float64)),
        treat_all=along(lambda _: everybody),
        rules={name: along(lambda _, flags=flags: flags) for name, flags in held.items()},  # type: ignore[misc]
    )


def at_capacity(y: ArrayLike, p: ArrayLike, fraction: float, weight: ArrayLike | None = None) -> AtCapacity:
    """What is found when the `fraction` with the highest probabilities is seen."""
    outcome, chance, scale = checked(y, p, weight)
    total, cases = float(scale.sum()), float(scale @ outcome)
    if not 0.0 < fraction <= 1.0:
        raise ValueError("a capacity must lie above 0 and not above 1")
    if not total:
        return AtCapacity(fraction, nan, nan, nan, nan)
    values, place = np.unique(-chance, return_inverse=True)
    held = np.bincount(place, scale, minlength=len(values))
    found = np.bincount(place, scale * outcome, minlength=len(values))
    room = fraction * total
    before = np.cumsum(held) - held
    part = np.clip((room - before) / np.where(held > 0.0, held, 1.0), 0.0, 1.0)
    hit = float((part * found).sum())
    last = int(np.flatnonzero(part > 0.0)[-1])
    return AtCapacity(
        fraction=fraction,
        threshold=float(-values[last]),
        ppv=hit / room,
        sensitivity=hit / cases if cases else nan,
        nns=room / hit if hit else nan,
    )


def of_rule(y: ArrayLike, flagged: ArrayLike, weight: ArrayLike | None = None) -> AtCapacity:
    """The same figures for a rule that flags some children; `fraction` is the share it flags."""
    outcome, flag, scale = checked(y, np.asarray(flagged, dtype=np.float64), weight)
    total, cases = float(scale.sum()), float(scale @ outcome)
    seen, hit = float(scale @ flag), float(scale @ (flag * outcome))
    return AtCapacity(
        fraction=seen / total if total else nan,
        threshold=nan,
        ppv=hit / seen if seen else nan,
        sensitivity=hit / cases if cases else nan,
        nns=seen / hit if hit else nan,
    )


# --- all of it, by group and with intervals ----------------------------------------------------------------


def measure(y: ArrayLike, p: ArrayLike, weight: ArrayLike | None = None) -> Measures:
    """All single figures at once."""
    outcome, chance, scale = checked(y, p, weight)
    total = float(scale.sum())
    rate = float(scale @ outcome) / total if total else nan
    mean = float(scale @ chance) / total if total else nan
    intercept, slope = calibration_line(outcome, chance, scale) if total else (nan, nan)
    score = brier(outcome, chance, scale)
    spread = rate * (1.0 - rate)
    return Measures(
        n=len(outcome),
        events=int(outcome.sum()),
        effective_n=effective_size(scale),
        base_rate=rate,
        mean_probability=mean,
        observed_expected=rate / mean if mean else nan,
        auroc=auroc(outcome, chance, scale),
        slope=slope,
        intercept=intercept,
        ece=ece(outcome, chance, scale) if total else nan,
        ici=ici(outcome, chance, scale),
        brier=score,
        scaled_brier=1.0 - score / spread if spread else nan,
    )


def by_group(
    y: ArrayLike, p: ArrayLike, groups: Sequence[str] | NDArray[np.str_], weight: ArrayLike | None = None
) -> dict[str, Measures]:
    """The figures of each group, in the order of the groups' names."""
    outcome, chance, scale = checked(y, p, weight)
    names = np.asarray(groups)
    return {
        str(name): measure(outcome[names == name], chance[names == name], scale[names == name])
        for name in np.unique(names)
    }


def resamplings(
    clusters: ArrayLike, *, n: int = BOOTSTRAPS, seed: int = 0, among: NDArray[np.bool_] | None = None
) -> Iterator[Floats]:
    """For each repeat, how often each row is in: whole clusters drawn with replacement.

    `among` draws only among the clusters that have rows there (for the figures of a subgroup).
    """
    _, place = np.unique(np.asarray(clusters), return_inverse=True)
    kept = np.unique(place if among is None else place[among])
    size = int(place.max()) + 1 if len(place) else 0
    random = np.random.default_rng(seed)
    for _ in range(n):
        drawn = random.choice(kept, size=len(kept))
        yield np.bincount(drawn, minlength=size).astype(np.float64)[place]


def cluster_bootstrap(
    figures: Callable[[Floats], Sequence[float] | Floats],
    clusters: ArrayLike,
    *,
    n: int = BOOTSTRAPS,
    seed: int = 0,
    level: float = INTERVAL,
) -> list[Interval]:
    """Each figure with its percentile interval over resampled clusters.

    `figures` gets a factor for each row's weight (all ones for the value itself) and gives a row of numbers.
    Repeats in which a figure is NaN are left out of its interval; with fewer than two clusters, or with more
    than half of the repeats NaN, the ends are NaN.
    """
    marks = np.asarray(clusters)
    value = np.asarray(figures(np.ones(len(marks))), dtype=np.float64)
    if len(np.unique(marks)) < 2 or n < 1:
        return [Interval(float(each), nan, nan) for each in value]
    drawn = np.array([figures(times) for times in resamplings(marks, n=n, seed=seed)], dtype=np.float64)
    return [_interval(float(each), drawn[:, index], level) for index, each in enumerate(value)]


def _interval(value: float, drawn: Floats, level: float) -> Interval:
    told = drawn[np.isfinite(drawn)]
    if 2 * len(told) <= len(drawn):
        return Interval(value, nan, nan)
    low, high = np.quantile(told, ((1.0 - level) / 2.0, (1.0 + level) / 2.0))
    return Interval(value, float(low), float(high))


FIGURES = tuple(field.name for field in fields(Measures) if field.name not in ("n", "events", "effective_n"))


def measure_with_intervals(
    y: ArrayLike,
    p: ArrayLike,
    clusters: ArrayLike,
    weight: ArrayLike | None = None,
    *,
    n: int = BOOTSTRAPS,
    seed: int = 0,
) -> dict[str, Interval]:
    """Every weighted figure of `Measures`, by name, with its cluster-bootstrap interval."""
    outcome, chance, scale = checked(y, p, weight)

    def figures(times: Floats) -> list[float]:
        found = measure(outcome, chance, scale * times)
        return [getattr(found, name) for name in FIGURES]

    return dict(zip(FIGURES, cluster_bootstrap(figures, clusters, n=n, seed=seed), strict=True))
