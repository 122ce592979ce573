"""A learnt model on rows it has not seen: how good it is there, whether the world has moved, and putting it right.

Three alarms, each for a person to look at:

* the share with the outcome differs from that of the rows the model was learnt from by more than chance;
* the model says more or less, on average, than what was found;
* the probabilities are spread otherwise than they were (population stability index), even before any outcome.

Chance is judged over clusters, because pupils of one school are alike. Without enough clusters each row counts
as one, and that is said.
"""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from math import hypot, isfinite, sqrt
from typing import Any

import numpy as np
from numpy.typing import NDArray

from risk_model import evaluation
from risk_model.dataset import DataRefused, Table, TrainingSet, groups_of, training_set
from risk_model.drift import PSI_LOOK, PSI_STOP
from risk_model.evaluation import (
    CAPACITIES,
    AtCapacity,
    Floats,
    Interval,
    Measures,
    NotConverged,
    at_capacity,
    expit,
    fit_line,
    logit,
    measure,
)
from risk_model.fitted import FittedModel, Predicted, shares_of
from risk_model.training import figures_of, intervals_of

RATE_ALARM_AT = 1.645
"""Standard errors by which the share with the outcome must have moved: one false alarm in ten, as an alarm only
asks a person to look, and a move that is missed goes on doing harm."""
GAP_ALARM_AT = 2.0
"""Standard errors by which the model must be off on average."""
LEAST_MOVE = 0.005
"""A smaller move alarms nobody, however many rows there are."""
BOOTSTRAPS = 100
FEWEST_CLUSTERS = 10
BLANK_ABOVE = 0.95
FEWEST_LABELS = 100
FEWEST_FINDINGS = 10
LINE_PRIOR = (0.5, 0.25)
"""Standard deviations of what is learnt from a few local labels: intercept around 0, slope around 1."""
WORTH = 1.0
"""By so much must the log likelihood of the labels rise for each number that is changed (Akaike)."""

Said = tuple[str, Mapping[str, object]]


@dataclass(frozen=True, slots=True)
class Rows:
    """Predicted rows with a known outcome; `rows` are their places in the file, `missing` the share each lacks."""

    y: Floats
    p: Floats
    weight: Floats
    clusters: NDArray[np.str_]
    rows: NDArray[np.int64]
    missing: Floats
    unknown: int
    insufficient: int
    remarks: tuple[Said, ...]


@dataclass(frozen=True, slots=True)
class Appraisal:
    """All figures of one file. `plain` is without weights; alarms and remarks are messages with values."""

    rows: Rows
    found: Measures
    plain: Measures
    intervals: Mapping[str, Interval]
    capacity: tuple[AtCapacity, ...]
    groups: Mapping[str, Mapping[str, Measures]]
    psi: float
    alarms: tuple[Said, ...]
    remarks: tuple[Said, ...]

    def document(self) -> dict[str, Any]:
        """For JSON."""
        return {
            "figures": figures_of(self.found),
            "unweighted": figures_of(self.plain),
            "intervals": intervals_of(self.intervals),
            "capacity": [
                {key: value if isfinite(value) else None for key, value in asdict(each).items()}
                for each in self.capacity
            ],
            "groups": {
                column: {name: figures_of(found) for name, found in members.items()}
                for column, members in self.groups.items()
            },
            "psi": self.psi,
            "drift": bool(self.alarms),
            "alarms": [message.format_map(params) for message, params in self.alarms],
            "insufficient": self.rows.insufficient,
            "without_outcome": self.rows.unknown,
        }


def rows_of(
    model: FittedModel,
    table: Table,
    outcome: str,
    *,
    clusters: Sequence[str] | None = None,
    weight: str | None = None,
) -> Rows:
    """Predict, and keep the rows with an outcome and a probability.

    Without names the cluster and weight columns of the training are used where the file has them.
    """
    remarks: list[Said] = []
    named = list(model.about["clusters"]) if clusters is None else list(clusters)
    if clusters is None and any(name not in table.columns for name in named):
        remarks.append(("The file has no cluster columns {columns}: each row counts as one.",
                        {"columns": ", ".join(named)}))  # fmt: skip
        named = []
    scale = model.about["weight"] if weight is None else weight
    if weight is None and scale is not None and scale not in table.columns:
        remarks.append(
            ("The file has no weight column {column}: every row counts the same.", {"column": scale})
        )
        scale = None
    predicted = model.predict(table)
    data = training_set(table, outcome=outcome, clusters=named, weight=scale)
    return _kept(data, predicted, table.n, tuple(remarks))


def _kept(data: TrainingSet, predicted: Predicted, n: int, remarks: tuple[Said, ...]) -> Rows:
    told = predicted.told[data.rows]
    if not told.any():
        raise DataRefused("No row has both an outcome and enough answers.")
    return Rows(
        y=data.y[told],
        p=predicted.p[data.rows][told],
        weight=data.weight[told],
        clusters=data.clusters[told],
        rows=data.rows[told],
        missing=predicted.missing[data.rows][told],
        unknown=n - len(data.y),
        insufficient=int((~predicted.told).sum()),
        remarks=remarks,
    )


def appraise(
    model: FittedModel,
    table: Table,
    outcome: str,
    *,
    groups: Sequence[str] = (),
    clusters: Sequence[str] | None = None,
    weight: str | None = None,
    bootstraps: int | None = None,
    seed: int = 1,
) -> Appraisal:
    """Measure a model on a file. Raises DataRefused for a file that cannot be used."""
    table.need(groups)
    rows = rows_of(model, table, outcome, clusters=clusters, weight=weight)
    intervals = evaluation.measure_with_intervals(
        rows.y,
        rows.p,
        rows.clusters,
        rows.weight,
        n=BOOTSTRAPS if bootstraps is None else bootstraps,
        seed=seed,
    )
    found = measure(rows.y, rows.p, rows.weight)
    moved = _psi(model, rows)
    return Appraisal(
        rows=rows,
        found=found,
        plain=measure(rows.y, rows.p),
        intervals=intervals,
        capacity=tuple(at_capacity(rows.y, rows.p, each, rows.weight) for each in CAPACITIES),
        groups={
            name: evaluation.by_group(rows.y, rows.p, groups_of(table, name)[rows.rows], rows.weight)
            for name in groups
        },
        psi=moved,
        alarms=tuple(_alarms(model, rows, found, moved)),
        remarks=(*rows.remarks, *_blank(model, table)),
    )


# --- has the world moved? ----------------------------------------------------------------------------------


def _alarms(model: FittedModel, rows: Rows, found: Measures, moved: float) -> list[Said]:
    alarms: list[Said] = []
    learnt = model.reference
    step = found.base_rate - learnt.base_rate
    error = hypot(_error(rows.y, rows), learnt.base_rate_se)
    if abs(step) > max(RATE_ALARM_AT * error, LEAST_MOVE):
        alarms.append((
            "The share with the outcome has moved: {now:.1%} here, {then:.1%} where the model was learnt ({errors:.1f} standard errors).",
            {"now": found.base_rate, "then": learnt.base_rate, "errors": abs(step) / error},
        ))  # fmt: skip
    gap = found.base_rate - found.mean_probability
    error = _error(rows.y - rows.p, rows)
    if abs(gap) > max(GAP_ALARM_AT * error, LEAST_MOVE):
        alarms.append((
            "The model is off on average: it says {said:.1%}, {now:.1%} were found ({errors:.1f} standard errors). Recalibrate it with local labels.",
            {"said": found.mean_probability, "now": found.base_rate, "errors": abs(gap) / error},
        ))  # fmt: skip
    if moved >= PSI_STOP:
        alarms.append(("The probabilities are spread quite otherwise than in training (PSI {psi:.2f}): do not use them.", {"psi": moved}))  # fmt: skip
    elif moved >= PSI_LOOK:
        alarms.append(("The probabilities are spread otherwise than in training (PSI {psi:.2f}): look why.", {"psi": moved}))  # fmt: skip
    return alarms


def _error(values: Floats, rows: Rows) -> float:
    """Standard error of a weighted mean, over clusters where there are enough, and never below that over rows."""
    total = float(rows.weight.sum())
    apart = rows.weight * (values - float(rows.weight @ values) / total)
    by_row = sqrt(float((apart**2).sum())) / total
    _, place = np.unique(rows.clusters, return_inverse=True)
    count = int(place.max()) + 1
    if count < FEWEST_CLUSTERS:
        return max(by_row, 1e-9)
    by_cluster = sqrt(float((np.bincount(place, apart) ** 2).sum()) * count / (count - 1)) / total
    return max(by_row, by_cluster, 1e-9)


def _psi(model: FittedModel, rows: Rows) -> float:
    """Population stability index against the training rows, half a row added to every bin."""
    before = np.asarray(model.reference.shares)
    now = np.asarray(shares_of(rows.p, rows.weight, model.reference.edges))
    least = 0.5 / len(rows.p)
    before, now = (before + least) / (before + least).sum(), (now + least) / (now + least).sum()
    return float(((now - before) * np.log(now / before)).sum())


def _blank(model: FittedModel, table: Table) -> list[Said]:
    """Predictors that nobody answers here, though they were answered in training."""
    blank = [
        name
        for name in model.predictors
        if sum(not cell for cell in table.column(name)) > BLANK_ABOVE * table.n
        and model.reference.missing.get(name, 0.0) < BLANK_ABOVE
    ]
    text = "These predictors are blank here and were not in training: {columns}."
    return [(text, {"columns": ", ".join(blank)})] if blank else []


# --- putting it right --------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Recalibrated:
    """The model after a line (intercept, slope) through its log odds; `kind` is unchanged, intercept or line.

    `before` and `after` are the figures on the labels, `after` with lines fitted on other clusters' labels.
    """

    model: FittedModel
    kind: str
    intercept: float
    slope: float
    before: Measures
    after: Measures
    labels: int
    remarks: tuple[Said, ...]


def recalibrate(
    model: FittedModel,
    table: Table,
    outcome: str,
    *,
    clusters: Sequence[str] | None = None,
    weight: str | None = None,
    seed: int = 1,
) -> Recalibrated:
    """Change nothing, the intercept, or intercept and slope, as the labelled rows ask for.

    Raises DataRefused with too few labels, or where the labels contradict the model.
    """
    rows = rows_of(model, table, outcome, clusters=clusters, weight=weight)
    fewest = min(int(rows.y.sum()), int((1.0 - rows.y).sum()))
    if len(rows.y) < FEWEST_LABELS or fewest < FEWEST_FINDINGS:
        raise DataRefused(
            "{labels} labelled rows, {fewest} of the rarer kind: too few to change anything; at least {least} and {rare} are needed.",
            labels=len(rows.y),
            fewest=fewest,
            least=FEWEST_LABELS,
            rare=FEWEST_FINDINGS,
        )
    kind, intercept, slope = line_of(rows.y, rows.p, rows.weight)
    if slope <= 0.0:
        raise DataRefused("The labels contradict the model; it is left as it was.")
    before = measure(rows.y, rows.p, rows.weight)
    after = measure(rows.y, _crossed(rows, seed), rows.weight)
    about = {
        **model.about,
        "recalibrations": [
            *model.about.get("recalibrations", []),
            {
                "file": table.name,
                "sha256": table.digest,
                "labels": len(rows.y),
                "events": int(rows.y.sum()),
                "kind": kind,
                "intercept": intercept,
                "slope": slope,
                "before": figures_of(before),
                "after": figures_of(after),
            },
        ],
    }
    return Recalibrated(
        model=model.with_line(
            intercept, slope, about, base_rate=before.base_rate, base_rate_se=_error(rows.y, rows)
        ),
        kind=kind,
        intercept=intercept,
        slope=slope,
        before=before,
        after=after,
        labels=len(rows.y),
        remarks=rows.remarks,
    )


def line_of(y: Floats, p: Floats, weight: Floats) -> tuple[str, float, float]:
    """What the labels ask for: unchanged, intercept or line, with intercept and slope.

    Weights are scaled to the effective number of labels. A small update makes a good model worse more often than
    not, so that a number is changed only where the labels' likelihood rises enough to pay for it.
    """
    scaled = weight * (evaluation.effective_size(weight) / weight.sum())
    score = logit(p)
    ways = [("unchanged", 0.0, 1.0)]
    try:
        ways.append(("intercept", *fit_line(y, score, scaled, slope=1.0, prior_sd=LINE_PRIOR)))
        ways.append(("line", *fit_line(y, score, scaled, prior_sd=LINE_PRIOR)))
    except NotConverged as error:
        raise DataRefused("The labels contradict the model; it is left as it was.") from error
    cost = [
        evaluation.log_loss(y, expit(intercept + slope * score), scaled) * float(scaled.sum())
        + WORTH * numbers
        for numbers, (_, intercept, slope) in enumerate(ways)
    ]
    return ways[int(np.argmin(cost))]


def _crossed(rows: Rows, seed: int) -> Floats:
    """Probabilities after a line learnt without the row's own fifth of the clusters."""
    marks, place = np.unique(rows.clusters, return_inverse=True)
    fold = np.random.default_rng(seed).permutation(len(marks))[place] % min(5, len(marks))
    p = rows.p.copy()
    for number in np.unique(fold):
        here = fold == number
        if here.all():
            break
        _, intercept, slope = line_of(rows.y[~here], rows.p[~here], rows.weight[~here])
        p[here] = expit(intercept + slope * logit(rows.p[here]))
    return p


__all__ = ["Appraisal", "Recalibrated", "Rows", "appraise", "line_of", "recalibrate", "rows_of"]
