"""What a report is about: a model, the rows it is judged on, and the words for both."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np

from instruments import catalogue
from risk_model import baseline, day_one, predict_batch
from risk_model.appraisal import rows_of
from risk_model.cohort import BANDS, BATTERIES, CODES, World, simulate
from risk_model.dataset import DataRefused, Table, groups_of, numbers
from risk_model.evidence import Judged
from risk_model.fitted import FittedModel

_RULE = re.compile(r"\s*([^<>=]+?)\s*(>=|<=)\s*(-?\d+(?:\.\d+)?)\s*")
MOST_GROUPS = 12


@dataclass(frozen=True, slots=True)
class Subject:
    """`facts` fill the sentences of the card. `translated`: names of columns and groups are message ids of ours."""

    kind: Literal["day_one", "fitted"]
    version: str
    judged: Judged
    facts: Mapping[str, Any]
    translated: bool


def of_day_one(*, world: World, n: int, seed: int, base_rate: float) -> Subject:
    """The day-one model on a simulated cohort."""
    cohort = simulate(n, seed=seed, world=world, base_rate=base_rate)
    model = day_one()
    p = predict_batch(model, cohort.totals, base_rate=base_rate, codes=CODES)
    scored = ~np.isnan(p)
    cohort, p = cohort.take(scored), p[scored]
    flags = {}
    for place, code in enumerate(CODES):
        cutoff = catalogue().get(code).screens_at
        if cutoff is not None:
            name = f"{code.upper().replace('_', '-')} ≥ {cutoff.value:g}"
            flags[name] = (np.nan_to_num(cohort.totals[:, place], nan=-1.0) >= cutoff.value).astype(
                np.float64
            )
    flags["any of these"] = np.max(list(flags.values()), axis=0)
    given = np.array([[code in codes for code in CODES] for codes in BATTERIES])[cohort.battery]
    lacking = (given & np.isnan(cohort.totals)).sum(axis=1) / given.sum(axis=1)
    yes_no = np.array(["no", "yes"])
    groups = {
        "sex": np.where(cohort.girl, "female", "male"),
        "grade band": np.array(BANDS)[cohort.band],
        "left behind": yes_no[cohort.left_behind.astype(np.int64)],
        "migrant": yes_no[cohort.migrant.astype(np.int64)],
        "sheets": np.array([" + ".join(codes).upper().replace("_", "-") for codes in BATTERIES])[
            cohort.battery
        ],
    }
    return Subject(
        kind="day_one",
        version=model.version,
        judged=Judged(
            cohort.y.astype(np.float64),
            p,
            np.ones(len(p)),
            cohort.school.astype(np.str_),
            lacking,
            groups,
            flags,
        ),
        facts={
            "world": world,
            "seed": seed,
            "base_rate": base_rate,
            "unscored": int((~scored).sum()),
            "instruments": ", ".join(row.code.upper().replace("_", "-") for row in baseline.ROWS),
        },
        translated=True,
    )


def of_fitted(
    model: FittedModel,
    table: Table,
    outcome: str,
    *,
    groups: Sequence[str],
    rules: Sequence[str],
    clusters: Sequence[str] | None,
    weight: str | None,
) -> Subject:
    """A learnt model on a table. Raises DataRefused for columns or rules that cannot be used."""
    table.need(groups)
    rows = rows_of(model, table, outcome, clusters=clusters, weight=weight)
    held = {name: groups_of(table, name)[rows.rows] for name in groups}
    for name, values in held.items():
        if len(np.unique(values)) > MOST_GROUPS:
            raise DataRefused("Column {column} has more than {most} groups.", column=name, most=MOST_GROUPS)
    about = model.about
    window = about["data"]["window"]
    return Subject(
        kind="fitted",
        version=model.version,
        judged=Judged(
            rows.y,
            rows.p,
            rows.weight,
            rows.clusters,
            rows.missing,
            held,
            dict(_flags(table, rule, rows.rows) for rule in rules),
        ),
        facts={
            "outcome": outcome,
            "population": about["population"] or "-",
            "file": table.name,
            "digest": table.digest,
            "rows": table.n,
            "trained_on": about["data"]["file"],
            "trained_digest": about["data"]["sha256"],
            "trained_rows": about["data"]["used"],
            "trained_events": about["data"]["events"],
            "trained_clusters": about["data"]["clusters"],
            "window": f"{window['column']} {window['first']} - {window['last']}" if window else "-",
            "cluster_columns": ", ".join(about["clusters"]),
            "weight": weight or about["weight"] or "-",
            "predictors": ", ".join(model.predictors),
            "count": len(model.predictors),
            "learner": about["learner"],
            "folds": about["folds"],
            "intercept": model.intercept,
            "slope": model.slope,
            "recalibrations": len(about["recalibrations"]),
            "insufficient": rows.insufficient,
            "unknown": rows.unknown,
            "cv": about["figures"],
        },
        translated=False,
    )


def _flags(table: Table, rule: str, rows: Any) -> tuple[str, Any]:
    """`COLUMN>=NUMBER` (or <=) as flags; a missing answer is not flagged."""
    found = _RULE.fullmatch(rule)
    if found is None:
        raise DataRefused("A rule is written COLUMN>=NUMBER or COLUMN<=NUMBER, not {rule}.", rule=rule)
    name, sign, edge = found[1], found[2], float(found[3])
    column = numbers(table, name)
    if column is None:
        raise DataRefused("Column {column} of a rule must hold numbers.", column=name)
    over = column >= edge if sign == ">=" else column <= edge
    return f"{name} {'≥' if sign == '>=' else '≤'} {edge:g}", over[rows].astype(np.float64)
