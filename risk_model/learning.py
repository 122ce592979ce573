"""From judged children to a candidate: fitted, judged on other schools, with its doubt. Nothing here goes into force.

`make_candidate` is the whole way. What comes out is a candidate with a verdict of the gate; a person promotes it or
not (`screening.actions.models`).
"""

from __future__ import annotations

from dataclasses import dataclass
from hashlib import sha256

import numpy as np
from numpy.typing import NDArray

from risk_model.calibration import (
    CalibrationMap,
    Children,
    Competition,
    Judged,
    Unchanged,
    children,
    compete,
    shift_to_rate,
    ways,
)
from risk_model.evaluation import NotConverged, expit, logit
from risk_model.gate import Holdout, Verdict, judge, steps
from risk_model.levels import LevelRules
from risk_model.served import ServedModel, pack

RESAMPLES = 40
RESAMPLES_SLOW = 12
SLOW = frozenset({"logistic", "boosted"})
PLACES = tuple(float(place) for place in range(-6, 4))


@dataclass(frozen=True, slots=True)
class Candidate:
    """A model that may be put to a person. `nothing`: doing nothing has won; there is nothing to put."""

    model: ServedModel
    content: bytes
    verdict: Verdict
    standings: tuple[tuple[str, float], ...]
    nothing: bool

    @property
    def digest(self) -> str:
        return sha256(self.content).hexdigest()


def make_candidate(
    judged: Judged,
    everybody: Children,
    champion: ServedModel,
    *,
    base_rate: float,
    facility: NDArray[np.str_],
    rules: LevelRules | None = None,
    seed: int = 0,
) -> Candidate:
    """Fit, compete, judge.

    `judged` and `everybody` carry the *base* model's probability at `base_rate`; `facility` who judged each child ("" for
    a check by lot). What is in force counts as what it says of the same children. The same arguments give the same
    bytes.
    """
    found = compete(judged, seed=seed)
    in_force: CalibrationMap = champion.calibration or Unchanged()
    verdict = judge(
        Holdout(
            y=judged.y,
            champion=in_force.apply(judged.rows),
            candidate=found.held_out,
            weight=judged.weight,
            school=judged.school,
            facility=facility,
        ),
        (in_force.apply(everybody), found.winner.apply(everybody)),
        rules=rules,
        seed=seed,
    )
    model = ServedModel(
        base=champion.base,
        version="",
        calibration=found.winner,
        base_rate=base_rate,
        labels=judged.effective,
        doubt=doubt_of(found, judged, seed=seed),
    )
    return Candidate(
        model=model,
        content=pack(model),
        verdict=verdict,
        standings=tuple((each.kind, each.loss) for each in found.standings),
        nothing=found.way == "unchanged",
    )


def shift_candidate(
    everybody: Children,
    champion: ServedModel,
    *,
    base_rate: float,
    rate: float,
    rules: LevelRules | None = None,
) -> Candidate:
    """The base model with the intercept that makes the mean of all scored children a rate known from a survey with
    interviews. It knows no label, so its range stays the doubt about the base rate. Raises ValueError for such a rate."""
    found = shift_to_rate(everybody.probability, rate)
    in_force: CalibrationMap = champion.calibration or Unchanged()
    model = ServedModel(champion.base, "", found, base_rate)
    verdict = steps(in_force.apply(everybody), found.apply(everybody), rules)
    return Candidate(model, pack(model), verdict, (), nothing=False)


def doubt_of(found: Competition, judged: Judged, *, seed: int = 0) -> tuple[tuple[float, float], ...]:
    """Standard errors of the log odds, by fitting again on schools drawn with replacement."""
    fit = ways(judged).get(found.way)
    if fit is None or found.way == "unchanged":
        return ()
    random = np.random.default_rng(seed)
    names, place = np.unique(judged.school, return_inverse=True)
    members = [np.flatnonzero(place == each) for each in range(len(names))]
    absent = np.full((len(PLACES), judged.rows.totals.shape[1]), np.nan)
    ladder = children(expit(np.array(PLACES)), absent)
    said = []
    for _ in range(RESAMPLES_SLOW if found.way in SLOW else RESAMPLES):
        drawn = np.concatenate([members[each] for each in random.integers(0, len(names), len(names))])
        try:
            said.append(logit(fit(judged.take(drawn)).apply(ladder)))
        except NotConverged:
            continue
    if len(said) < 5:
        return ()
    errors = np.std(said, axis=0)
    at = logit(found.winner.apply(ladder))
    # By the log odds after calibration, rising: that is where the range is read.
    return tuple((float(a), float(e)) for a, e in zip(at, errors, strict=True))
