"""Is the model still right? Returned findings watched month by month, scores watched within each battery.

*CUSUM on findings*: each finding adds `y d - ln(1 + p (e^d - 1))` to a sum that never falls below nothing, once for
a shift upwards (`d = +0.5` log odds) and once downwards; a sum over the line is an alarm. The line was set in
simulation so that at 40 findings a month one county in ten has a false alarm within three years. `p` must be the
probability *given that the child was judged*: for referred children that is higher than the model's, because people
refer those they worry about, and a sum over the model's own p would sound at once.

*PSI on scores*, within one battery of questionnaires: a change of battery alone gives 1.3, so batteries are never
compared with each other. An alarm is a task for a person; nothing here changes a model.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from risk_model.evaluation import NotConverged, expit, fit_line, logit

Floats = NDArray[np.float64]

STEP = 0.5
LINE = 6.2
"""At 40 findings a month (30 of referred children, 10 by lot): 9 % false alarms in 36 months, a shift of 0.5 told after 6."""

PSI_LOOK, PSI_STOP = 0.10, 0.25
PSI_BINS = 10
PSI_LEAST = 200
"""Fewer sheets than this move by chance alone: nothing is said of them."""

Advice = Literal["none", "look", "stop"]


@dataclass(frozen=True, slots=True)
class Watch:
    """The two sums after the findings so far. Start with `Watch()`."""

    up: float = 0.0
    down: float = 0.0
    alarm: Literal["none", "up", "down"] = "none"


def watch(findings: Sequence[tuple[int, float]], *, before: Watch | None = None, line: float = LINE) -> Watch:
    """The sums after these findings `(y, probability given that the child was judged)`, in the order they came.

    An alarm stays until somebody starts a new watch.
    """
    state = Watch() if before is None else before
    up, down, alarm = state.up, state.down, state.alarm
    for y, p in findings:
        up = max(0.0, up + y * STEP - float(np.log1p(p * np.expm1(STEP))))
        down = max(0.0, down - y * STEP - float(np.log1p(p * np.expm1(-STEP))))
        if alarm == "none" and max(up, down) > line:
            alarm = "up" if up > line else "down"
    return Watch(up, down, alarm)


def given_judged(y: ArrayLike, probability: ArrayLike) -> tuple[float, float]:
    """Intercept and slope from the model's probability to that of a *referred* child, learnt from a first period.

    Raises NotConverged without findings of both kinds.
    """
    return fit_line(y, logit(probability), prior_sd=(1.5, 0.5))


def expected(probability: ArrayLike, line: tuple[float, float]) -> Floats:
    """The probability of referred children, by the numbers of :func:`given_judged`."""
    return expit(line[0] + line[1] * logit(probability))


def psi(before: ArrayLike, now: ArrayLike) -> float:
    """Population stability index of two samples of probabilities, over tenths of the first."""
    first, second = np.asarray(before, dtype=np.float64), np.asarray(now, dtype=np.float64)
    edges = np.quantile(first, np.linspace(0.0, 1.0, PSI_BINS + 1)[1:-1])
    shares = [
        # Half a child in every bin: an empty one is rare, not impossible.
        (np.bincount(np.searchsorted(edges, each, side="right"), minlength=PSI_BINS) + 0.5)
        / (len(each) + 0.5 * PSI_BINS)
        for each in (first, second)
    ]
    return float(((shares[1] - shares[0]) * np.log(shares[1] / shares[0])).sum())


def advice(value: float) -> Advice:
    """What a PSI asks for: 0.10 to look, 0.25 to stop using the probabilities of this battery."""
    if value >= PSI_STOP:
        return "stop"
    return "look" if value >= PSI_LOOK else "none"


def psi_by_battery(
    before: Sequence[tuple[str, float]], now: Sequence[tuple[str, float]]
) -> dict[str, tuple[float, Advice]]:
    """PSI of each battery with enough sheets on both sides; pairs are (battery, probability)."""
    found = {}
    for battery in sorted({battery for battery, _ in now}):
        first, second = ([p for name, p in side if name == battery] for side in (before, now))
        if min(len(first), len(second)) >= PSI_LEAST:
            value = psi(first, second)
            found[battery] = (value, advice(value))
    return found


__all__ = [
    "Advice",
    "NotConverged",
    "Watch",
    "advice",
    "expected",
    "given_judged",
    "psi",
    "psi_by_battery",
    "watch",
]
