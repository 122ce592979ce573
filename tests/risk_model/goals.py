"""What the model must reach in simulated worlds, as figures: read by the long tests and by `make bench`.

All of it is evidence about the method, none about children. Every function takes the number of repeats.
"""

from __future__ import annotations

import time
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from risk_model import day_one, predict_batch
from risk_model.calibration import (
    CalibrationMap,
    Judged,
    TwoNumbers,
    children,
    compete,
    fit_two_numbers,
    school_folds,
)
from risk_model.cohort import BATTERIES, CODES, KNOWLEDGE, simulate
from risk_model.drift import expected, given_judged, psi, watch
from risk_model.evaluation import auroc, calibration_line, logit, net_benefit
from risk_model.gate import Holdout, Verdict, judge
from risk_model.labels import weigh
from tests.risk_model.worlds import (
    FACILITIES,
    Scored,
    ici_to_truth,
    label_rows,
    naive,
    referred_and_checked,
    scored,
    unlabelled_as_healthy,
    verify,
)

Floats = NDArray[np.float64]
THRESHOLDS = tuple(round(0.05 + 0.01 * step, 2) for step in range(26))
WORLDS = ("nominal", "stressed")


def population(world: str = "nominal", *, base_rate: float = 0.10, n: int = 40_000, **more: object) -> Scored:
    """Eighty schools nobody learns from."""
    return scored(n, seed=999, schools=80, world=world, base_rate=base_rate, **more)


def rows_of(world: Scored) -> object:
    return world.judged(np.arange(len(world.p))).rows


def day_one_figures(world: str) -> dict[str, float]:
    """The model as shipped, at the right base rate."""
    there = population(world, n=80_000)
    _, slope = calibration_line(there.cohort.y, there.p)
    return {
        "auc": auroc(there.cohort.y, there.p),
        "slope": slope,
        "ici": ici_to_truth(there.p, there.cohort.truth),
        **{
            f"{name} at {limit}": share
            for limit in (0.25, 0.15)
            for name, share in (
                ("flagged", float(np.mean(there.p >= limit))),
                ("found", float(np.mean(there.p[there.cohort.y == 1] >= limit))),
            )
        },
    }


def after_labels(world: str, labels: int, repeats: int) -> dict[str, float]:
    """`labels` children drawn by lot and judged; the base rate had been set at 15 % where it is 10 %."""
    there = population(world, base_rate=0.15)
    everybody = rows_of(there)
    ici, slopes = [], []
    for seed in range(repeats):
        source = scored(2 * labels, seed=seed, world=world, base_rate=0.15)
        chosen = np.random.default_rng(seed).permutation(len(source.p))[:labels]
        said = compete(source.judged(chosen)).winner.apply(everybody)  # type: ignore[arg-type]
        ici.append(ici_to_truth(said, there.cohort.truth))
        slopes.append(calibration_line(there.cohort.y, said)[1])
    return {
        "ici": float(np.mean(ici)),
        "ici_p90": float(np.quantile(ici, 0.9)),
        "slope": float(np.median(slopes)),
        "before": ici_to_truth(there.p, there.cohort.truth),
    }


def who_was_sent(knowledge: str, repeats: int) -> dict[str, float]:
    """A year of referrals and 280 checks by lot: weighted learning beside learning from the referred alone."""
    there = population()
    everybody = rows_of(there)
    found: dict[str, list[float]] = {}
    for seed in range(repeats):
        world = scored(12_000, seed=seed, schools=60)
        seen = verify(world.cohort, world.p, seed=seed, knowledge=knowledge)  # type: ignore[arg-type]
        honest = referred_and_checked(world, seen)
        for name, rows in (
            ("weighted", honest),
            ("naive", naive(world, seen)),
            ("healthy", unlabelled_as_healthy(world, seen)),
        ):
            said = fit_two_numbers(rows).apply(everybody)  # type: ignore[arg-type]
            found.setdefault(f"{name}_ici", []).append(ici_to_truth(said, there.cohort.truth))
            found.setdefault(f"{name}_citl", []).append(calibration_line(there.cohort.y, said)[0])
            found.setdefault(f"{name}_auc_error", []).append(
                auroc(rows.y, rows.rows.probability, rows.weight) - auroc(world.cohort.y, world.p)
            )
            found.setdefault(f"{name}_rate_error", []).append(
                float(rows.weight @ rows.y / rows.weight.sum()) - float(world.cohort.y.mean())
            )
        found.setdefault("effective", []).append(honest.effective)
        found.setdefault("labels", []).append(float(len(honest)))
    return {name: float(np.mean(values)) for name, values in found.items()} | {
        "weighted_citl_abs": float(np.mean(np.abs(found["weighted_citl"]))),
    }


def subgroups(labels: int, repeats: int, world: str = "nominal") -> dict[str, float]:
    """The worst subgroup after so many labels: distance to the truth in ten bins, and observed less expected."""
    there = population(world, base_rate=0.15)
    everybody = rows_of(there)
    ece: dict[str, list[float]] = {}
    gap: dict[str, list[float]] = {}
    for seed in range(repeats):
        source = scored(2 * labels, seed=seed, base_rate=0.15, world=world)
        chosen = np.random.default_rng(seed).permutation(len(source.p))[:labels]
        said = compete(source.judged(chosen)).winner.apply(everybody)  # type: ignore[arg-type]
        for name, inside in there.cohort.groups.items():
            ece.setdefault(name, []).append(ici_to_truth(said[inside], there.cohort.truth[inside], bins=10))
            gap.setdefault(name, []).append(
                float(there.cohort.truth[inside].mean()) - float(said[inside].mean())
            )
    worst = max(ece, key=lambda name: float(np.mean(ece[name])))
    return {
        "worst_ece": float(np.mean(ece[worst])),
        "worst_gap": max(abs(float(np.mean(values))) for values in gap.values()),
        "left_behind_gap": float(np.mean(gap["left_behind"])),
        "migrant_gap": float(np.mean(gap["migrant"])),
        **{f"ece_{name}": float(np.mean(values)) for name, values in ece.items()},
    }


def cut_off_rules(totals: Floats) -> dict[str, Floats]:
    """Published cut-offs, each on its own sheets; a missing sheet flags nobody."""
    of = dict(zip(CODES, np.nan_to_num(totals, nan=-1.0).T, strict=True))
    rules = {
        "PHQ-9 >= 10": of["phq9"] >= 10,
        "PHQ-9 >= 15": of["phq9"] >= 15,
        "GAD-7 >= 10": of["gad7"] >= 10,
        "PHQ-9 or GAD-7 >= 10": (of["phq9"] >= 10) | (of["gad7"] >= 10),
        "MHT >= 65": of["mht"] >= 65,
        "SDQ self >= 18": of["sdq_s"] >= 18,
        "SDQ parent >= 17": of["sdq_p"] >= 17,
        "SDQ teacher >= 16": of["sdq_t"] >= 16,
        "SDQ two informants": ((of["sdq_s"] >= 18).astype(int) + (of["sdq_p"] >= 17) + (of["sdq_t"] >= 16))
        >= 2,
    }
    rules["any cut-off"] = np.any([rules[name] for name in rules if ">= 15" not in name], axis=0)
    return {name: flags.astype(np.float64) for name, flags in rules.items()}


def benefit(world: str, labels: int = 0, seed: int = 1) -> dict[str, float]:
    """Net benefit above the best of treating all and each rule of the same sheets.

    `least`: the smallest over thresholds and batteries, with the battery and threshold where that is; `at_25 …` by
    battery. `labels`: as learnt from so many children judged by lot.
    """
    there = population(world, n=160_000)
    said = there.p
    if labels:
        source = scored(2 * labels, seed=seed, world=world, schools=40)
        chosen = np.random.default_rng(seed).permutation(len(source.p))[:labels]
        said = compete(source.judged(chosen)).winner.apply(rows_of(there))  # type: ignore[arg-type]
    least, where = 1.0, (0.0, 0.0)
    at_25: dict[tuple[str, ...], float] = {}
    y = there.cohort.y
    for battery in range(4):
        inside = there.cohort.battery == battery
        rules = cut_off_rules(there.cohort.totals[inside])
        for threshold in THRESHOLDS:
            own = net_benefit(y[inside], (said[inside] >= threshold).astype(float), threshold)
            others = [net_benefit(y[inside], flags, threshold) for flags in rules.values()]
            others += [net_benefit(y[inside], np.ones(int(inside.sum())), threshold), 0.0]
            if own - max(others) < least:
                least, where = own - max(others), (float(battery), threshold)
            if threshold == 0.25:
                at_25[BATTERIES[battery]] = own - max(others)
    found = {"least": least, "least_battery": where[0], "least_threshold": where[1]}
    return found | {"at_25 " + "+".join(codes): value for codes, value in at_25.items()}


# --- the gate ----------------------------------------------------------------------------------------------

BAD = ("referred only", "unlabelled healthy", "inverted", "few", "exam season", "typo")
GOOD = ("correct, champion good", "correct, champion poor")
KINDS = (*GOOD, *BAD, "no-shows healthy")


@dataclass(frozen=True, slots=True)
class Tried:
    verdict: Verdict
    ici: float
    champion_ici: float


def gate(kind: str, repeats: int) -> list[Tried]:
    """One way of making a candidate, well or badly, judged by the gate in so many counties."""
    there = population(n=20_000)
    everybody = rows_of(there)
    return [_try(kind, seed, there, everybody) for seed in range(repeats)]


def _try(kind: str, seed: int, there: Scored, everybody: object) -> Tried:
    champion = TwoNumbers(0.5 if kind == GOOD[1] else 0.0, 1.0)
    world = scored(12_000, seed=seed, schools=60)
    seen = verify(world.cohort, world.p, seed=seed)
    rows = label_rows(world, seen)
    for place, row in enumerate(rows):
        if kind == "no-shows healthy" and seen.referred[place] and row.y is None:
            rows[place] = replace(row, y=0)
        if kind == "inverted" and row.facility == "f0" and row.y is not None:
            rows[place] = replace(row, y=1 - row.y)
    labelled = weigh(rows)
    chosen = np.array([int(row.child) for row in labelled.rows])
    judged = world.judged(chosen, labelled.weights, labelled.y)
    facility = np.array([row.facility or "" for row in labelled.rows])
    if kind == "few":
        kept = np.random.default_rng(seed).permutation(len(judged))[:100]
        judged, facility = judged.take(kept), facility[kept]
    source = {
        "referred only": lambda: naive(world, seen),
        "unlabelled healthy": lambda: unlabelled_as_healthy(world, seen),
        "exam season": lambda: _exam_season(seed),
    }.get(kind, lambda: judged)()
    fold = school_folds(judged.school, seed=seed)
    said = np.empty(len(judged))
    for number in np.unique(fold):
        out = fold == number
        fitted = _fit(kind, champion, source.take(~np.isin(source.school, judged.school[out])))
        said[out] = fitted.apply(judged.rows.take(out))
    full = _fit(kind, champion, source)
    all_children = world.judged(np.arange(len(world.p))).rows
    verdict = judge(
        Holdout(judged.y, champion.apply(judged.rows), said, judged.weight, judged.school, facility),
        (champion.apply(all_children), full.apply(all_children)),
        seed=seed,
    )
    truth = there.cohort.truth
    return Tried(
        verdict,
        ici_to_truth(full.apply(everybody), truth),  # type: ignore[arg-type]
        ici_to_truth(champion.apply(everybody), truth),  # type: ignore[arg-type]
    )


def _fit(kind: str, champion: TwoNumbers, rows: Judged) -> CalibrationMap:
    if kind == "typo":
        return TwoNumbers(champion.intercept + 1.0, champion.slope)
    return fit_two_numbers(rows)


def _exam_season(seed: int) -> Judged:
    """Children answer as if they had more symptoms for some weeks; their need is what it was."""
    calm = simulate(12_000, seed=seed + 5_000, schools=60)
    tense = simulate(12_000, seed=seed + 5_000, schools=60, shift=0.6)
    p = predict_batch(day_one(), tense.totals, base_rate=0.10, codes=CODES)
    there = ~np.isnan(p)
    world = Scored(calm.take(there), p[there])
    return referred_and_checked(world, verify(world.cohort, world.p, seed=seed))


# --- watching ----------------------------------------------------------------------------------------------


def cusum(shift: float, repeats: int, months: int = 36) -> dict[str, float]:
    """Thirty referred and ten checked findings a month; the need moves by `shift` log odds after a first period.

    The line from the model's probability to that of a referred child is learnt from the first six months.
    """
    world = scored(12_000, seed=77, schools=60)
    seen = verify(world.cohort, world.p, seed=77)
    referred, checked = np.flatnonzero(seen.attended), np.flatnonzero(~seen.referred)
    line = given_judged(world.cohort.y[referred], world.p[referred])
    given = expected(world.p, line)
    others = np.clip(fit_two_numbers(_others(world, checked)).apply(children(world.p[checked])), 1e-4, 0.999)
    at = {int(place): float(p) for place, p in zip(checked, others, strict=True)}
    random = np.random.default_rng(5)
    alarms, when = 0, []
    for _ in range(repeats):
        state, found = None, 0
        for month in range(1, months + 1):
            drawn = [(int(c), float(given[c])) for c in random.choice(referred, 30)]
            drawn += [(int(c), at[int(c)]) for c in random.choice(checked, 10)]
            told = []
            for _child, p in drawn:
                moved = 1.0 / (1.0 + np.exp(-(float(logit(p)) + shift)))
                told.append((int(random.random() < moved), p))
            state = watch(told, before=state)
            if state.alarm != "none":
                found = month
                break
        alarms += found > 0
        when.append(found or months + 1)
    return {"alarms": alarms / repeats, "median_months": float(np.median(when))}


def _others(world: Scored, checked: NDArray[np.int64]) -> Judged:
    return world.judged(checked)


def psi_figures(repeats: int) -> dict[str, float]:
    """Monthly scores of one battery: no change, everybody +0.4 standard deviations, another battery."""
    base = scored(40_000, seed=5, schools=200)
    moved = scored(40_000, seed=6, schools=200, shift=0.4)
    own = {name: each.p[each.cohort.battery == 0] for name, each in (("base", base), ("moved", moved))}
    other = base.p[base.cohort.battery == 1]
    random = np.random.default_rng(1)

    def drawn(values: Floats) -> Floats:
        return random.choice(values, 3_000)

    return {
        "same": float(np.mean([psi(drawn(own["base"]), drawn(own["base"])) for _ in range(repeats)])),
        "moved": float(np.mean([psi(drawn(own["base"]), drawn(own["moved"])) for _ in range(repeats)])),
        "battery": psi(drawn(own["base"]), drawn(other)),
    }


def seconds_for_20000() -> float:
    """Scoring 20,000 children of mixed batteries, on one core."""
    totals = simulate(20_000, seed=8, schools=100).totals
    predict_batch(day_one(), totals[:10], base_rate=0.10, codes=CODES)
    began = time.process_time()
    predict_batch(day_one(), totals, base_rate=0.10, codes=CODES)
    return time.process_time() - began


__all__ = ["BAD", "FACILITIES", "GOOD", "KINDS", "KNOWLEDGE", "WORLDS"]
