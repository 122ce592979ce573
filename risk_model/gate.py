"""May this candidate replace what is in force? Hard rules no person can waive, and steps that need a second one.

A candidate is judged on children of schools it was not fitted on, with labels that stand for all screened children
(`risk_model.labels`), never on labels of referred children alone. What the rules stop stays stopped; what they let
pass still waits for a person, and a big step for a second one.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import isnan, nan, sqrt

import numpy as np
from numpy.typing import NDArray

from risk_model.evaluation import auroc, calibration_line, effective_size, logit
from risk_model.levels import LevelRules

Floats = NDArray[np.float64]
Texts = NDArray[np.str_]

LEAST_LABELS = 150
MANY_LABELS = 1_000
LOSS_MARGIN = 0.004
"""The upper end of the difference in log loss may be this much worse."""

RATE_MARGIN, RATE_ERRORS = 0.01, 2.5
SLOPES, SLOPES_MANY = (0.6, 1.6), (0.8, 1.25)
FACILITY_ERRORS, FACILITY_AUC, FACILITY_LEAST = 3.5, 0.45, 20
BOOTSTRAPS = 400

BIG_INTERCEPT = 0.6
BIG_SLOPES = (0.67, 1.5)
BIG_MOVES = 0.10
BIG_FALL = 0.25


@dataclass(frozen=True, slots=True)
class Holdout:
    """Judged children of schools the candidate has not seen: what both models say, and what was found.

    `facility` is who judged them ("" where it is nobody's); `weight` the number of children each stands for.
    """

    y: Floats
    champion: Floats
    candidate: Floats
    weight: Floats
    school: Texts
    facility: Texts


@dataclass(frozen=True, slots=True)
class Verdict:
    """`stopped`: codes of hard rules that were broken. `second`: codes of what needs a second approver.

    Codes of the first: few_labels, worse, rate, slope, slope_unknown, facility:WHO:share, facility:WHO:order. Of the
    second: intercept_step, slope_step, levels_move, high_falls. They are stored, so they do not change. `figures` are
    the numbers behind them.
    """

    stopped: tuple[str, ...]
    second: tuple[str, ...]
    figures: dict[str, float]

    @property
    def eligible(self) -> bool:
        """A person may put it in force."""
        return not self.stopped


def judge(
    holdout: Holdout, everybody: tuple[Floats, Floats], *, rules: LevelRules | None = None, seed: int = 0
) -> Verdict:
    """Both lists for a candidate. `everybody`: what champion and candidate say of all scored children."""
    rules = LevelRules() if rules is None else rules
    figures: dict[str, float] = {
        "labels": float(len(holdout.y)),
        "effective": effective_size(holdout.weight),
    }
    stopped = [
        *_few(holdout),
        *_worse(holdout, figures, seed),
        *_rate(holdout, figures),
        *_slope(holdout, figures),
        *_facilities(holdout),
    ]
    second = [*_steps(*everybody, figures), *_moves(*everybody, rules, figures)]
    return Verdict(tuple(stopped), tuple(second), figures)


def steps(champion: Floats, candidate: Floats, rules: LevelRules | None = None) -> Verdict:
    """How big a step is over all scored children, where there are no findings to judge by: for a rate known from
    elsewhere. Nothing is stopped by a rule, so people alone decide."""
    figures: dict[str, float] = {}
    rules = LevelRules() if rules is None else rules
    second = [*_steps(champion, candidate, figures), *_moves(champion, candidate, rules, figures)]
    return Verdict((), tuple(second), figures)


def _few(holdout: Holdout) -> list[str]:
    return ["few_labels"] if len(holdout.y) < LEAST_LABELS else []


def _losses(y: Floats, p: Floats) -> Floats:
    score = logit(p)
    return np.logaddexp(0.0, score) - y * score


def _worse(holdout: Holdout, figures: dict[str, float], seed: int) -> list[str]:
    """Whole schools are drawn anew: how much worse may the candidate be?"""
    difference = _losses(holdout.y, holdout.candidate) - _losses(holdout.y, holdout.champion)
    _, place = np.unique(holdout.school, return_inverse=True)
    loss = np.bincount(place, holdout.weight * difference)
    weight = np.bincount(place, holdout.weight)
    random = np.random.default_rng(seed)
    drawn = random.integers(0, len(loss), (BOOTSTRAPS, len(loss))) if len(loss) else np.zeros((0, 0), int)
    repeats = loss[drawn].sum(axis=1) / weight[drawn].sum(axis=1) if len(loss) else np.array([nan])
    figures["loss_difference"] = float(loss.sum() / weight.sum()) if len(loss) else nan
    figures["loss_difference_upper"] = upper = float(np.quantile(repeats, 0.95))
    return [] if upper <= LOSS_MARGIN else ["worse"]


def _rate(holdout: Holdout, figures: dict[str, float]) -> list[str]:
    share = holdout.weight / holdout.weight.sum()
    observed, expected = float(share @ holdout.y), float(share @ holdout.candidate)
    error = sqrt(float((share**2 * holdout.candidate * (1.0 - holdout.candidate)).sum()))
    figures["observed"], figures["expected"] = observed, expected
    return [] if abs(observed - expected) <= RATE_MARGIN + RATE_ERRORS * error else ["rate"]


def _slope(holdout: Holdout, figures: dict[str, float]) -> list[str]:
    _, slope = calibration_line(holdout.y, holdout.candidate, holdout.weight)
    figures["slope"] = slope
    if isnan(slope):
        return ["slope_unknown"]
    least, greatest = SLOPES_MANY if figures["effective"] >= MANY_LABELS else SLOPES
    return [] if least <= slope <= greatest else ["slope"]


def _facilities(holdout: Holdout) -> list[str]:
    """Codes turned round, or everybody found to need care: one facility's labels would bend the rest.

    Within one facility the children were chosen by people, so its share is compared with the shares of the others
    at the same probabilities: the expectation is the candidate's, moved to the mean of all judged at facilities.
    """
    found: list[str] = []
    at_one = holdout.facility != ""
    for name in np.unique(holdout.facility[at_one]):
        own, others = holdout.facility == name, at_one & (holdout.facility != name)
        if own.sum() < FACILITY_LEAST:
            continue
        y, score = holdout.y[own], logit(holdout.candidate[own])
        order = auroc(y, holdout.candidate[own])
        if not isnan(order) and order < FACILITY_AUC:
            found.append(f"facility:{name}:order")
        if others.sum() < FACILITY_LEAST:
            continue
        shift, _ = calibration_line(holdout.y[others], holdout.candidate[others])
        expected = 1.0 / (1.0 + np.exp(-(score + (0.0 if isnan(shift) else shift))))
        error = sqrt(
            float((expected * (1.0 - expected)).sum()) / len(y) ** 2
            + holdout.y[others].var() / max(int(others.sum()), 1)
        )
        if abs(float(y.mean() - expected.mean())) > FACILITY_ERRORS * error:
            found.append(f"facility:{name}:share")
    return found


def _steps(champion: Floats, candidate: Floats, figures: dict[str, float]) -> list[str]:
    """How far the log odds move over all children, as a line: candidate = intercept + slope * champion."""
    x, y = logit(champion), logit(candidate)
    spread = float(x.var())
    slope = float(np.mean((x - x.mean()) * (y - y.mean()))) / spread if spread > 0.0 else 1.0
    step = float(np.mean(y - x))
    figures["intercept_step"], figures["slope_step"] = step, slope
    big = ["intercept_step"] if abs(step) > BIG_INTERCEPT else []
    return big + ([] if BIG_SLOPES[0] <= slope <= BIG_SLOPES[1] else ["slope_step"])


def _moves(champion: Floats, candidate: Floats, rules: LevelRules, figures: dict[str, float]) -> list[str]:
    borders = (rules.elevated, rules.high)
    before, after = (
        np.searchsorted(borders, champion, side="right"),
        np.searchsorted(borders, candidate, side="right"),
    )
    moved = float((before != after).mean()) if len(before) else 0.0
    high = before == 2
    fell = float((after[high] < 2).mean()) if high.any() else 0.0
    figures["levels_move"], figures["high_falls"] = moved, fell
    return (["levels_move"] if moved > BIG_MOVES else []) + (["high_falls"] if fell > BIG_FALL else [])
