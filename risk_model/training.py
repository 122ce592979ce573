"""Learning a model from a table, with scikit-learn, and refusing to keep one whose probabilities are wrong.

The learners compete on other clusters (schools) than they were taught on:

* a penalised logistic regression on one curve for each predictor (`additive`), with three strengths of penalty;
* boosted trees (`trees`), grown several times over with other fillings and averaged; several numbers of trees;
* both together, their log odds averaged.

Missing answers. Who leaves a question blank differs between years and schools, so a gap must not become a reason.
Each gap of the training rows is first filled with the answer of another pupil whom the other answers (and the
outcome) make alike; then gaps are made by lot, the same for everybody, in a second copy of the rows. Trees learn
from these what is known without an answer; real gaps they never see. Curves count a gap as the average.

Weights. A weighted fit answers for the weighted population, at the price of noise. Learners are taught with the
square root of the weights as well as with the weights, and judged with the full weights; the last line always
has the full weights.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from math import inf, isfinite, nan
from typing import Any

import numpy as np
from numpy.typing import NDArray

from risk_model import evaluation
from risk_model.dataset import (
    DataRefused,
    Table,
    TrainingSet,
    check_enough,
    columns_of,
    encode,
    fields_of,
    folds_of,
    training_set,
    window_of,
)
from risk_model.evaluation import (
    Floats,
    Indices,
    Interval,
    Measures,
    NotConverged,
    expit,
    fit_line,
    measure,
)
from risk_model.fitted import (
    MOST_MISSING,
    FittedModel,
    Part,
    Reference,
    edges_of,
    shares_of,
)
from risk_model.learners import curves, grow, stages, together

Tell = Callable[..., None]
"""Progress: a message with {placeholders}, and its values."""

FOLDS = 5
SLOPE_LIMITS = (0.8, 1.25)
ECE_LIMIT = 0.05
MOST_RAISED = 1.5
"""Odds of the outcome with weights over those without: above it the weights look like class weights."""
TELLS_ALONE, IS_THE_OUTCOME = 0.99, 0.9995
"""A single predictor with such an AUROC is probably a part of the outcome; with the second it is refused."""
_ALONE = "{column} alone tells the outcome (AUROC {auroc:.3f}): is it a part of it?"
FIGURE_BOOTSTRAPS = 100
NORMAL_95 = 1.959964
LISTED = 12

PENALTIES = (0.003, 0.03, 0.3)
TREE_COUNTS = (40, 80, 120, 160, 200, 240, 280)
GROVES = 3


class NotCalibrated(ValueError):
    """The model's probabilities are wrong by more than may be kept. `message` has {placeholders} for `params`."""

    def __init__(self, message: str, **params: object) -> None:
        super().__init__(message.format_map(params))
        self.message = message
        self.params = params


@dataclass(frozen=True, slots=True)
class Plan:
    """What is to be learnt from which columns. `class_weighted` is for showing that it is noticed."""

    outcome: str
    predictors: tuple[str, ...]
    clusters: tuple[str, ...]
    weight: str | None = None
    time: str | None = None
    population: str = ""
    seed: int = 1
    folds: int = FOLDS
    calibrate: bool = True
    class_weighted: bool = False
    trust_weights: bool = False


@dataclass(frozen=True, slots=True)
class Candidate:
    """One learner: so many trees, a curve for each column under so strong a penalty, or both averaged."""

    trees: int | None
    penalty: float | None
    full_weights: bool

    @property
    def name(self) -> str:
        told = [f"{self.trees} boosted trees"] if self.trees else []
        told += [f"penalised logistic, C {self.penalty:g}"] if self.penalty else []
        return " and ".join(told) + (", full weights" if self.full_weights else "")


@dataclass(frozen=True, slots=True)
class Judged:
    """Figures on clusters the model was not taught on, with the weights.

    `raw` before the last line, `crossed` after a line fitted on the other clusters (`p` are its probabilities);
    `plain` is `crossed` without the weights. The AUROC of each is the mean over the folds.
    """

    p: Floats = field(repr=False)
    raw: Measures
    crossed: Measures
    plain: Measures
    intervals: Mapping[str, Interval]


@dataclass(frozen=True, slots=True)
class Fit:
    """A learnt model, the rows it was learnt from, and how it was judged. `remarks` are messages with values."""

    model: FittedModel
    data: TrainingSet
    judged: Judged
    losses: tuple[tuple[str, float], ...]
    remarks: tuple[tuple[str, Mapping[str, object]], ...]


def silent(_message: str, **_params: object) -> None:
    """For those who want no progress told."""


# --- the whole of it ---------------------------------------------------------------------------------------


def fit(table: Table, plan: Plan, *, tell: Tell = silent) -> Fit:
    """Learn, choose, calibrate and judge a model.

    Raises DataRefused for a table or columns that cannot be used, NotCalibrated for a model that may not be kept.
    """
    _check_plan(plan)
    fields = fields_of(table, plan.predictors)
    matrix = encode(table, fields)
    data, left_out = _usable(table, plan, matrix.missing)
    check_enough(data)
    values = matrix.values[data.rows]
    tell("{rows} rows, {events} with the outcome, {clusters} clusters, {columns} columns.", rows=len(data.y),
         events=data.events, clusters=len(np.unique(data.clusters)), columns=values.shape[1])  # fmt: skip
    _check_no_answer(values, columns_of(fields), data)
    folds = folds_of(data, plan.folds, seed=plan.seed)
    scores = _scores_on_other_clusters(values, data, folds, plan, tell)
    chosen, losses = _choose(scores, data)
    score = scores[chosen]
    judged = _judged(score, data, folds, plan)
    check_calibrated(judged.crossed)
    if not plan.trust_weights:
        check_not_raised(data, judged.plain)
    tell("Chosen: {learner}. It is now taught on all rows.", learner=chosen.name)
    parts = _taught(chosen, values, data, plan)
    intercept, slope = fit_line(data.y, score, data.weight) if plan.calibrate else (0.0, 1.0)
    remarks = _remarks(values, columns_of(fields), data, table.n, left_out, judged.raw)
    model = FittedModel(
        fields=fields,
        parts=parts,
        intercept=intercept,
        slope=slope,
        reference=_reference(data, judged, matrix.absent[data.rows], plan.predictors),
        about=_about(table, plan, data, chosen, losses, judged),
    )
    return Fit(model, data, judged, losses, remarks)


def _judged(score: Floats, data: TrainingSet, folds: Indices, plan: Plan) -> Judged:
    """The figures of the chosen learner's log odds on other clusters."""
    p = _crossed(score, data, folds) if plan.calibrate else expit(score)

    def found(probability: Floats, weight: Floats | None) -> Measures:
        told = measure(data.y, probability, weight)
        return replace(told, auroc=_auroc_of_folds(data.y, score, weight, folds))

    def figures(times: Floats) -> list[float]:
        told = found(p, data.weight * times)
        return [getattr(told, name) for name in evaluation.FIGURES]

    intervals = evaluation.cluster_bootstrap(figures, data.clusters, n=FIGURE_BOOTSTRAPS, seed=plan.seed)
    return Judged(
        p=p,
        raw=found(expit(score), data.weight),
        crossed=found(p, data.weight),
        plain=found(p, None),
        intervals=dict(zip(evaluation.FIGURES, intervals, strict=True)),
    )


def _auroc_of_folds(y: Floats, score: Floats, weight: Floats | None, folds: Indices) -> float:
    """The mean over the folds: each has a model of its own, and only its own scores are compared with each other."""
    scale = np.ones(len(y)) if weight is None else weight
    p = expit(score)
    told = [
        evaluation.auroc(y[here], p[here], scale[here])
        for here in (folds == fold for fold in np.unique(folds))
    ]
    return float(np.nanmean(told)) if np.isfinite(told).any() else nan


def check_calibrated(found: Measures) -> None:
    """Raises NotCalibrated for a slope outside 0.8-1.25 or an ECE over 0.05 (or figures that cannot be told)."""
    low, high = SLOPE_LIMITS
    if isfinite(found.slope) and low <= found.slope <= high and found.ece <= ECE_LIMIT:
        return
    raise NotCalibrated(
        "Not kept: on other clusters the calibration slope is {slope:.2f} (allowed {low} to {high}) and the "
        "calibration error {ece:.3f} (allowed up to {limit}); the model says {said:.1%} on average and {rate:.1%} "
        "have the outcome. It must be recalibrated first.",
        slope=found.slope,
        low=low,
        high=high,
        ece=found.ece,
        limit=ECE_LIMIT,
        said=found.mean_probability,
        rate=found.base_rate,
    )


def check_not_raised(data: TrainingSet, plain: Measures) -> None:
    """Raises NotCalibrated where the weights make the outcome more frequent, as class weights do, and the
    probabilities are wrong for the rows as they are."""
    weighted = float(data.weight @ data.y / data.weight.sum())
    rate = float(data.y.mean())
    raised = weighted * (1.0 - rate) / max((1.0 - weighted) * rate, 1e-12)
    if raised <= MOST_RAISED or plain.ece <= ECE_LIMIT:
        return
    raise NotCalibrated(
        "Not kept: the weights raise the share with the outcome from {rate:.1%} to {weighted:.1%}, as class weights "
        "do, and the probabilities would be wrong by {ece:.3f} for the rows as they are. Leave the weights out; or, "
        "if they describe the real population, say so with --trust-weights.",
        rate=rate,
        weighted=weighted,
        ece=plain.ece,
    )


def _check_plan(plan: Plan) -> None:
    for name in plan.predictors:
        if name == plan.outcome:
            raise DataRefused("The outcome {column} cannot be a predictor.", column=name)
        if name in plan.clusters or name == plan.weight:
            raise DataRefused(
                "{column} is a cluster or weight column; it cannot be a predictor.", column=name
            )


def _usable(table: Table, plan: Plan, missing: Floats) -> tuple[TrainingSet, int]:
    """Rows with an outcome and enough answers; and how many with an outcome have too few."""
    data = training_set(table, outcome=plan.outcome, clusters=plan.clusters, weight=plan.weight)
    kept = missing[data.rows] <= MOST_MISSING
    usable = TrainingSet(data.y[kept], data.weight[kept], data.clusters[kept], data.rows[kept])
    return usable, int((~kept).sum())


def _remarks(
    values: Floats, names: Sequence[str], data: TrainingSet, rows: int, left_out: int, raw: Measures
) -> tuple[tuple[str, Mapping[str, object]], ...]:
    found: list[tuple[str, Mapping[str, object]]] = []
    if unknown := rows - len(data.y) - left_out:
        found.append(("{n} rows without a known outcome were left out.", {"n": unknown}))
    if left_out:
        found.append(("{n} rows with more than half of the answers missing were left out.", {"n": left_out}))
    for name, alone in _alone(values, names, data).items():
        if alone > TELLS_ALONE:
            found.append((_ALONE, {"column": name, "auroc": alone}))
    try:
        check_calibrated(raw)
    except NotCalibrated:
        text = "Before the last line the model was not calibrated (slope {slope:.2f}, error {ece:.3f}): recalibrated."
        found.append((text, {"slope": raw.slope, "ece": raw.ece}))
    return tuple(found)


def _alone(values: Floats, names: Sequence[str], data: TrainingSet) -> dict[str, float]:
    """How well each column ranks by itself, upwards or downwards; without those that cannot be told."""
    found = {}
    for index, name in enumerate(names):
        told = ~np.isnan(values[:, index])
        area = evaluation.auroc(data.y[told], _ranked(values[told, index]))
        if isfinite(area):
            found[name] = max(area, 1.0 - area)
    return found


def _check_no_answer(values: Floats, names: Sequence[str], data: TrainingSet) -> None:
    """Raises DataRefused for a predictor that is the outcome in another form."""
    for name, alone in _alone(values, names, data).items():
        if alone > IS_THE_OUTCOME:
            raise DataRefused(_ALONE, column=name, auroc=alone)


def _ranked(column: Floats) -> Floats:
    low, high = (float(column.min()), float(column.max())) if len(column) else (0.0, 0.0)
    return (column - low) / (high - low) if high > low else np.zeros(len(column))


# --- the competition ---------------------------------------------------------------------------------------


def _scores_on_other_clusters(
    values: Floats, data: TrainingSet, folds: Indices, plan: Plan, tell: Tell
) -> dict[Candidate, Floats]:
    """Log odds of every row by every learner, taught without the row's cluster.

    One grove with each weighting first; the other groves only with the weighting that did better.
    """
    lines: dict[tuple[float, bool], Floats] = {}
    first: dict[bool, dict[int, Floats]] = {}
    for full in _weightings(data):
        for held, taught, weight in _turns(data, folds, plan, full):
            for penalty in PENALTIES:
                score = lines.setdefault((penalty, full), np.zeros(len(folds)))
                score[held] = curves(values[taught], data.y[taught], weight, penalty).score(values[held])
        first[full] = _grove_on_other_clusters(values, data, folds, plan, full, 0, tell)
    full = min(first, key=lambda each: min(_losses(first[each], data)))
    groves = [first[full]] + [
        _grove_on_other_clusters(values, data, folds, plan, full, grove, tell) for grove in range(1, GROVES)
    ]
    trees = {count: np.mean([grove[count] for grove in groves], axis=0) for count in TREE_COUNTS}
    scores = {Candidate(None, penalty, full): score for (penalty, full), score in lines.items()}
    for count, score in trees.items():
        scores[Candidate(count, None, full)] = score
        for penalty in PENALTIES:
            scores[Candidate(count, penalty, full)] = (score + lines[penalty, full]) / 2.0
    return scores


def _turns(
    data: TrainingSet, folds: Indices, plan: Plan, full: bool
) -> Iterator[tuple[NDArray[np.bool_], NDArray[np.bool_], Floats]]:
    """For each fold: its rows, the others, and the weights to teach the others with."""
    count = int(folds.max()) + 1
    for fold in range(count):
        held = folds == fold
        yield held, ~held, _teaching_weight(data.y[~held], data.weight[~held], plan, full=full)


def _grove_on_other_clusters(
    values: Floats, data: TrainingSet, folds: Indices, plan: Plan, full: bool, grove: int, tell: Tell
) -> dict[int, Floats]:
    """Log odds of every row after so many trees of one grove, grown without the row's cluster."""
    found = {count: np.zeros(len(folds)) for count in TREE_COUNTS}
    for number, (held, taught, weight) in enumerate(_turns(data, folds, plan, full), start=1):
        tell(
            "Trees, turn {grove} of {groves}: fold {fold} of {count} ...",
            grove=grove + 1,
            groves=GROVES,
            fold=number,
            count=int(folds.max()) + 1,
        )
        learner = grow(values[taught], data.y[taught], weight, plan.seed, grove, TREE_COUNTS[-1])
        for done, score in stages(learner, values[held], TREE_COUNTS).items():
            found[done][held] = score
    return found


def _weightings(data: TrainingSet) -> tuple[bool, ...]:
    """Square root of the weights, and the weights themselves where they differ enough to matter."""
    return (False, True) if evaluation.effective_size(data.weight) < 0.9 * len(data.weight) else (True,)


def _teaching_weight(y: Floats, weight: Floats, plan: Plan, *, full: bool) -> Floats:
    """Weights to teach with, of mean 1."""
    taught = weight if full else np.sqrt(weight)
    if plan.class_weighted:
        share = float(taught @ y / taught.sum())
        taught = taught * np.where(y == 1.0, 0.5 / share, 0.5 / (1.0 - share))
    scaled: Floats = taught / taught.mean()
    return scaled


def _choose(
    scores: Mapping[Candidate, Floats], data: TrainingSet
) -> tuple[Candidate, tuple[tuple[str, float], ...]]:
    """The learner with the smallest weighted log loss on other clusters; all are listed, the best first."""
    ranked = sorted(zip(_losses(scores, data), scores, strict=True), key=lambda each: each[0])
    if not isfinite(ranked[0][0]):
        raise NotCalibrated("Not kept: no learner tells the rows with the outcome from those without.")
    return ranked[0][1], tuple((candidate.name, loss) for loss, candidate in ranked if isfinite(loss))


def _losses(scores: Mapping[Any, Floats], data: TrainingSet) -> list[float]:
    """Log loss of each after a line through it, as one will be put through the chosen one: what counts is what
    is left. Infinite where no rising line fits."""
    losses = []
    for score in scores.values():
        try:
            intercept, slope = fit_line(data.y, score, data.weight)
        except NotConverged:
            intercept, slope = 0.0, 0.0
        loss = evaluation.log_loss(data.y, expit(intercept + slope * score), data.weight)
        losses.append(loss if slope > 0.0 else inf)
    return losses


def _crossed(score: Floats, data: TrainingSet, folds: Indices) -> Floats:
    """Probabilities after a line that was fitted without the row's own fold."""
    p = np.zeros(len(score))
    for fold in np.unique(folds):
        here = folds == fold
        try:
            intercept, slope = fit_line(data.y[~here], score[~here], data.weight[~here])
        except NotConverged as error:
            raise NotCalibrated(
                "Not kept: no line through the model's log odds has a finite answer; the outcome is all but "
                "written in the predictors, or the rows are too few."
            ) from error
        p[here] = expit(intercept + slope * score[here])
    return p


def _taught(
    chosen: Candidate, values: Floats, data: TrainingSet, plan: Plan
) -> tuple[tuple[float, Part], ...]:
    """The chosen learner, taught on all rows."""
    weight = _teaching_weight(data.y, data.weight, plan, full=chosen.full_weights)
    parts: list[Part] = []
    if chosen.trees:
        groves = [grow(values, data.y, weight, plan.seed, grove, chosen.trees) for grove in range(GROVES)]
        parts.append(together(groves))
    if chosen.penalty:
        parts.append(curves(values, data.y, weight, chosen.penalty))
    return tuple((1.0 / len(parts), part) for part in parts)


# --- what is kept beside the numbers -----------------------------------------------------------------------


def _reference(
    data: TrainingSet, judged: Judged, absent: NDArray[np.bool_], names: Sequence[str]
) -> Reference:
    rate = judged.intervals["base_rate"]
    edges = edges_of(judged.p, data.weight)
    gaps = data.weight @ absent / data.weight.sum()
    return Reference(
        base_rate=rate.value,
        base_rate_se=(rate.high - rate.low) / (2.0 * NORMAL_95),
        edges=edges,
        shares=shares_of(judged.p, data.weight, edges),
        missing=dict(zip(names, (float(share) for share in gaps), strict=True)),
    )


def figures_of(found: Measures) -> dict[str, float | int | None]:
    """For JSON: a figure that cannot be told is null."""
    return {name: value if isfinite(value) else None for name, value in asdict(found).items()}


def intervals_of(found: Mapping[str, Interval]) -> dict[str, list[float | None]]:
    """For JSON: value, low, high."""
    return {
        name: [each if isfinite(each) else None for each in (told.value, told.low, told.high)]
        for name, told in found.items()
    }


def _about(
    table: Table,
    plan: Plan,
    data: TrainingSet,
    chosen: Candidate,
    losses: Sequence[tuple[str, float]],
    judged: Judged,
) -> dict[str, Any]:
    """Where the numbers are from; stands in the hashed file."""
    return {
        "outcome": plan.outcome,
        "predictors": list(plan.predictors),
        "clusters": list(plan.clusters),
        "weight": plan.weight,
        "population": plan.population,
        "approved_by": None,
        "seed": plan.seed,
        "folds": plan.folds,
        "learner": chosen.name,
        "candidates": [[name, round(loss, 6)] for name, loss in losses[:LISTED]],
        "data": {
            "file": table.name,
            "sha256": table.digest,
            "rows": table.n,
            "used": len(data.y),
            "events": data.events,
            "clusters": len(np.unique(data.clusters)),
            "window": window_of(table, plan.clusters, data.rows, plan.time),
        },
        "before_line": figures_of(judged.raw),
        "figures": figures_of(judged.crossed),
        "unweighted": figures_of(judged.plain),
        "intervals": intervals_of(judged.intervals),
        "recalibrations": [],
    }
