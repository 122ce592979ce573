"""All the numbers of an evaluation report: once over all rows, and apart for each group, with intervals by cluster.

Values only; words and pictures are made elsewhere. What is judged comes in as columns: outcome, probability,
weight, cluster, groups, and the flags of the cut-off rules that the model is held against.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import nan

import numpy as np
from numpy.typing import NDArray

from risk_model import evaluation
from risk_model.evaluation import (
    CAPACITIES,
    CalibrationCurve,
    DecisionCurve,
    Floats,
    Interval,
    NotConverged,
    auroc,
    calibration_line,
    decision_curve,
    ece,
    measure,
    net_benefit,
    of_rule,
    smooth,
)

HISTOGRAM_BINS = 30
CURVE_POINTS = 40
GROUP_POINTS = 15
SHOWN_THRESHOLDS = (0.10, 0.15, 0.25)
FEWEST_EVENTS_FOR_A_CURVE = 20
FEWEST_SHOWN = 10
"""A group with fewer rows, or fewer with or without the outcome, is named and not measured."""

GROUP_FIGURES = ("base_rate", "observed_expected", "auroc", "slope", "ece")


@dataclass(frozen=True, slots=True)
class Judged:
    """Columns of one length. `missing`: the share of answers or sheets each row lacks; `groups`: column -> name of
    each row's group; `rules`: name -> 1 where it flags."""

    y: Floats
    p: Floats
    weight: Floats
    clusters: NDArray[np.str_]
    missing: Floats
    groups: Mapping[str, NDArray[np.str_]]
    rules: Mapping[str, Floats]


@dataclass(frozen=True, slots=True)
class Seen:
    """What seeing some children finds: the share seen, and of them and of those in need how many."""

    fraction: float
    threshold: float
    share: Interval
    ppv: Interval
    sensitivity: Interval
    nns: Interval


@dataclass(frozen=True, slots=True)
class Benefit:
    """Net benefit at one threshold: of the model, of seeing everybody, of the best rule, and model minus the best."""

    threshold: float
    model: Interval
    treat_all: Interval
    best_rule: Interval | None
    gain: Interval


@dataclass(frozen=True, slots=True)
class Curve:
    """The smooth with its band, and the bins beside it."""

    probability: tuple[float, ...]
    observed: tuple[float, ...]
    low: tuple[float, ...]
    high: tuple[float, ...]
    bin_probability: tuple[float, ...]
    bin_observed: tuple[float, ...]


@dataclass(frozen=True, slots=True)
class Group:
    """One group's figures; `figures` is empty where it is too small, `curve` None where its events are too few."""

    n: int
    events: int
    missing: float
    figures: Mapping[str, Interval]
    capacity: tuple[Seen, ...]
    benefit: tuple[Benefit, ...]
    curve: Curve | None


@dataclass(frozen=True, slots=True)
class Evidence:
    """Everything a report shows."""

    n: int
    events: int
    clusters: int
    effective_n: float
    weighted: bool
    figures: Mapping[str, Interval]
    curve: Curve
    histogram: tuple[tuple[float, ...], tuple[float, ...]]
    decision: DecisionCurve
    capacity: tuple[Seen, ...]
    rules: Mapping[str, Seen]
    benefit: tuple[Benefit, ...]
    groups: Mapping[str, Mapping[str, Group]]
    top: float


def gather(judged: Judged, *, bootstraps: int = evaluation.BOOTSTRAPS, seed: int = 1) -> Evidence:
    """Measure everything. Raises ValueError for columns that cannot be measured."""
    y, p, weight = evaluation.checked(judged.y, judged.p, judged.weight)
    draws = list(evaluation.resamplings(judged.clusters, n=bootstraps, seed=seed))
    if len(np.unique(judged.clusters)) < 2:
        draws = []
    everybody = np.ones(len(y), dtype=np.bool_)
    flags = [seen_at(p, weight, fraction) for fraction in CAPACITIES]
    top = _top(p, weight)
    return Evidence(
        n=len(y),
        events=int(y.sum()),
        clusters=len(np.unique(judged.clusters)),
        effective_n=evaluation.effective_size(weight),
        weighted=bool((weight != weight[0]).any()),
        figures=_figures(judged, draws),
        curve=_curve(judged, everybody, draws, CURVE_POINTS, top),
        histogram=_histogram(y, p, weight, top),
        decision=decision_curve(y, p, weight, rules=judged.rules),
        capacity=_capacity(judged, everybody, flags, draws),
        rules={name: _seen(judged, everybody, rule, nan, nan, draws) for name, rule in judged.rules.items()},
        benefit=_benefit(judged, everybody, draws),
        groups={
            column: {str(name): _group(judged, names == name, flags, draws, top) for name in np.unique(names)}
            for column, names in judged.groups.items()
        },
        top=top,
    )


def seen_at(p: Floats, weight: Floats, fraction: float) -> tuple[Floats, float]:
    """How far each row is among the `fraction` with the highest probabilities (ties by lot), and the last one's p."""
    values, place = np.unique(-p, return_inverse=True)
    held = np.bincount(place, weight, minlength=len(values))
    before = np.cumsum(held) - held
    part = np.clip((fraction * weight.sum() - before) / np.where(held > 0.0, held, 1.0), 0.0, 1.0)
    return part[place], float(-values[np.flatnonzero(part > 0.0)[-1]])


def _top(p: Floats, weight: Floats) -> float:
    """Where the axis of a chart ends: a round number over nearly all probabilities."""
    order = np.argsort(p)
    reached = np.cumsum(weight[order]) / weight.sum()
    high = float(p[order][min(int(np.searchsorted(reached, 0.99)), len(p) - 1)])
    return next((edge for edge in (0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.8, 1.0) if high <= edge), 1.0)


def _histogram(
    y: Floats, p: Floats, weight: Floats, top: float
) -> tuple[tuple[float, ...], tuple[float, ...]]:
    """Shares of those with and of those without the outcome in each bin up to `top`."""
    place = np.minimum((p / top * HISTOGRAM_BINS).astype(np.int64), HISTOGRAM_BINS - 1)
    with_it = np.bincount(place, weight * y, minlength=HISTOGRAM_BINS)
    without = np.bincount(place, weight * (1.0 - y), minlength=HISTOGRAM_BINS)
    return (
        tuple((with_it / max(with_it.sum(), 1e-12)).tolist()),
        tuple((without / max(without.sum(), 1e-12)).tolist()),
    )


# --- with intervals ----------------------------------------------------------------------------------------


def _intervals(value: Sequence[float], drawn: Sequence[Sequence[float]]) -> list[Interval]:
    """Values with the ends of the middle 95 % of the repeats; NaN where half of them tell nothing."""
    found = []
    table = np.array(drawn, dtype=np.float64).reshape(len(drawn), len(value))
    for index, each in enumerate(value):
        told = table[:, index][np.isfinite(table[:, index])]
        if 2 * len(told) <= len(drawn) or not len(drawn):
            found.append(Interval(float(each), nan, nan))
            continue
        low, high = np.quantile(told, (0.025, 0.975))
        found.append(Interval(float(each), float(low), float(high)))
    return found


def _figures(judged: Judged, draws: Sequence[Floats]) -> dict[str, Interval]:
    names = evaluation.FIGURES

    def told(weight: Floats) -> list[float]:
        found = measure(judged.y, judged.p, weight)
        return [getattr(found, name) for name in names]

    # The smooth of the ICI is the slow part, so that half of the repeats must do.
    value = told(judged.weight)
    drawn = [told(judged.weight * times) for times in draws[: max(len(draws) // 2, 1)]]
    return dict(zip(names, _intervals(value, drawn), strict=True))


def _curve(
    judged: Judged, here: NDArray[np.bool_], draws: Sequence[Floats], points: int, top: float
) -> Curve:
    y, p, weight = judged.y[here], judged.p[here], judged.weight[here]
    low, high = (float(edge) for edge in np.quantile(p, (0.01, 0.99)))
    at = np.linspace(low, min(high, top), points)
    found: CalibrationCurve = evaluation.calibration_curve(y, p, weight, at=at.tolist())
    drawn = [
        smooth(y, p, weight * times[here], at)
        for times in draws[: max(len(draws) // 2, 1)]
        if times[here].any()
    ]
    band = _intervals(found.observed, [each.tolist() for each in drawn])
    return Curve(
        probability=found.probability,
        observed=found.observed,
        low=tuple(each.low for each in band),
        high=tuple(each.high for each in band),
        bin_probability=found.bin_probability,
        bin_observed=found.bin_observed,
    )


def _seen(
    judged: Judged,
    here: NDArray[np.bool_],
    flag: Floats,
    fraction: float,
    threshold: float,
    draws: Sequence[Floats],
) -> Seen:
    y, weight, flagged = judged.y[here], judged.weight[here], flag[here]

    def told(times: Floats | None) -> tuple[float, float, float, float]:
        found = of_rule(y, flagged, weight if times is None else weight * times[here])
        return found.fraction, found.ppv, found.sensitivity, found.nns

    share, ppv, sensitivity, nns = _intervals(told(None), [told(times) for times in draws])
    return Seen(fraction, threshold, share, ppv, sensitivity, nns)


def _capacity(
    judged: Judged, here: NDArray[np.bool_], flags: Sequence[tuple[Floats, float]], draws: Sequence[Floats]
) -> tuple[Seen, ...]:
    """For each capacity, what those seen *of all children* find among the rows `here`."""
    return tuple(
        _seen(judged, here, flag, fraction, threshold, draws)
        for fraction, (flag, threshold) in zip(CAPACITIES, flags, strict=True)
    )


def _benefit(judged: Judged, here: NDArray[np.bool_], draws: Sequence[Floats]) -> tuple[Benefit, ...]:
    y, p, weight = judged.y[here], judged.p[here], judged.weight[here]
    rules = [rule[here] for rule in judged.rules.values()]
    found = []
    for threshold in SHOWN_THRESHOLDS:
        flags = [(p >= threshold).astype(np.float64), np.ones(len(y)), *rules]

        def told(
            times: Floats | None, threshold: float = threshold, flags: Sequence[Floats] = tuple(flags)
        ) -> list[float]:
            scale = weight if times is None else weight * times[here]
            model, everybody, *others = (net_benefit(y, flag, threshold, scale) for flag in flags)
            best = max(others, default=nan)
            return [model, everybody, best, model - max(everybody, 0.0, *others)]

        model, everybody, best, gain = _intervals(told(None), [told(times) for times in draws])
        found.append(Benefit(threshold, model, everybody, best if rules else None, gain))
    return tuple(found)


def _group(
    judged: Judged,
    here: NDArray[np.bool_],
    flags: Sequence[tuple[Floats, float]],
    draws: Sequence[Floats],
    top: float,
) -> Group:
    y, p = judged.y[here], judged.p[here]
    n, events = len(y), int(y.sum())
    if min(events, n - events) < FEWEST_SHOWN:
        return Group(n, events, nan, {}, (), (), None)

    def told(times: Floats | None) -> list[float]:
        weight = judged.weight[here] if times is None else judged.weight[here] * times[here]
        return _few_figures(y, p, weight)

    figures = _intervals(told(None), [told(times) for times in draws])
    enough = min(events, n - events) >= FEWEST_EVENTS_FOR_A_CURVE
    return Group(
        n=n,
        events=events,
        missing=float(np.average(judged.missing[here], weights=judged.weight[here])),
        figures=dict(zip(GROUP_FIGURES, figures, strict=True)),
        capacity=_capacity(judged, here, flags, draws),
        benefit=_benefit(judged, here, draws),
        curve=_curve(judged, here, draws, GROUP_POINTS, top) if enough else None,
    )


def _few_figures(y: Floats, p: Floats, weight: Floats) -> list[float]:
    """Those of GROUP_FIGURES."""
    total = float(weight.sum())
    if not total:
        return [nan] * len(GROUP_FIGURES)
    rate, mean = float(weight @ y) / total, float(weight @ p) / total
    try:
        _, slope = calibration_line(y, p, weight)
    except NotConverged:
        slope = nan
    return [rate, rate / mean if mean else nan, auroc(y, p, weight), slope, ece(y, p, weight)]
