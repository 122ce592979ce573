"""What asks for a person: screen results, and critical answers seen while a file was staged."""

from __future__ import annotations

from dataclasses import dataclass
from uuid import UUID

from sqlalchemy.orm import Session

from instruments import Grade, worst_grade
from referral.models.case import Case
from referral.terms import Custody
from risk_model import Level, worst_level
from screening.core.clock import local_day
from screening.models.administration import SheetValidity
from screening.models.result import ScreenResult
from screening.policies import HISTORY_AFTER
from screening.queries.results import results_of


@dataclass(frozen=True, slots=True)
class Signal:
    """What asks for a person: a screen result, or a critical answer seen while a file was staged.

    ``trigger_id`` is the result or the sighting. ``probability`` is absent where the model had nothing to say.
    """

    child_id: UUID
    level: Level
    grade: Grade | None
    trigger: str
    trigger_id: UUID
    severe: bool = False
    probability: float | None = None
    doubtful: bool = False


def of_result(result: ScreenResult) -> Signal | None:
    """The signal of a stored result; ``None`` where it has no level."""
    if result.level is None:
        return None
    return Signal(
        child_id=result.child_id,
        level=result.level,
        grade=result.grade,
        trigger="screening",
        trigger_id=result.id,
        severe=any(code.startswith("severe:") for code in result.why),
        probability=result.probability,
        doubtful=result.administration.validity is SheetValidity.DOUBTFUL,
    )


def worst_signal(session: Session, *, case: Case) -> Signal | None:
    """Everything the sheets since the opening of the case (and the fortnight before it) say together."""
    since = local_day(case.opened_at) - HISTORY_AFTER
    signals = [
        of_result(result)
        for result in results_of(session, child_id=case.child_id, protected=case.custody is Custody.PROTECTED)
        if not result.history and result.administration.administered_on >= since
    ]
    known = [signal for signal in signals if signal is not None]
    level = worst_level([*(signal.level for signal in known), case.worst_level])
    if level is None:
        return None
    probabilities = [signal.probability for signal in known if signal.probability is not None]
    return Signal(
        child_id=case.child_id,
        level=level,
        grade=worst_grade(signal.grade for signal in known if signal.grade is not None),
        trigger="screening",
        trigger_id=case.id,
        severe=any(signal.severe for signal in known),
        probability=max(probabilities, default=None),
        doubtful=any(signal.doubtful for signal in known),
    )
