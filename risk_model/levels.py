"""Safety rules, then thresholds: which place in the queue a child's sheets give.

A level is a prompt for a person, never a tier and never a diagnosis. The rules are a floor: the probability
may raise a level above it, and nothing - a low probability, a doubtful sheet, missing sheets, no model at
all - brings a level below it.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from enum import StrEnum

from instruments import Grade, Validity
from risk_model.liability import Prediction


class Level(StrEnum):
    """A place in the queue. Members compare by spelling: use `worst_level`, never `<`."""

    NONE = "none"
    ELEVATED = "elevated"
    HIGH = "high"
    CRISIS_ITEM = "crisis_item"


_RANK = {level: rank for rank, level in enumerate(Level)}

CRITICAL_FLOOR = {Grade.A: Level.CRISIS_ITEM, Grade.B: Level.CRISIS_ITEM, Grade.C: Level.ELEVATED}
"""What a critical answer alone demands. Grade R is not here: it asks for a review task, not for a level."""

TWO_INFORMANT_CODES = frozenset({"sdq_s", "sdq_p", "sdq_t"})
"""A very high SDQ total makes HIGH only when two informants agree: one informant alone is often wrong
(two informants correlate at about 0.28 over 341 studies), so one alone stays at its cut-off floor."""


@dataclass(frozen=True, slots=True)
class LevelRules:
    """Thresholds on the probability, set by a county for a school year; the floors are not settings.

    The defaults weigh a missed child against needless talks over 0.05-0.30; in simulation 0.15 flags 23 % of
    pupils and 0.25 flags 12 %. Capacity orders the queue and never moves a threshold. Raises ValueError
    unless 0 < elevated <= high < 1.
    """

    elevated: float = 0.15
    high: float = 0.25

    def __post_init__(self) -> None:
        if not 0.0 < self.elevated <= self.high < 1.0:
            raise ValueError("level thresholds must satisfy 0 < elevated <= high < 1")


@dataclass(frozen=True, slots=True)
class SheetFinding:
    """What the rules need to know of one sheet.

    `scored`: it gave a total. `over_cutoff`: at or over the published cut-off its instrument screens at.
    `severe`: in a band that is a floor for HIGH. `grade`: its worst critical answer. `validity`: "valid",
    "doubtful" or "invalid"; only "invalid" takes the score (never the critical answer) out of the decision,
    so that an unforeseen word cannot silence a sheet.
    """

    instrument: str
    informant: str
    scored: bool
    over_cutoff: bool
    severe: bool
    grade: Grade | None
    validity: str

    @property
    def counts(self) -> bool:
        """Whether the score of this sheet may be read."""
        return self.scored and self.validity != Validity.INVALID


@dataclass(frozen=True, slots=True)
class LevelDecision:
    """A level and the codes of everything that asked for it, the most urgent first.

    `level` is None when nothing was scored and no critical answer was given: "not scored" is not NONE.
    Codes: critical_a, critical_b, critical_c, severe:CODE, cutoff:CODE, probability_high,
    probability_elevated, discordant; CODE is the instrument. They are stored, so they do not change.
    """

    level: Level | None
    why: tuple[str, ...]


def worst_level(levels: Iterable[Level | None]) -> Level | None:
    """The most urgent of several levels; None (not scored) is passed over, and is the answer if alone."""
    known = [level for level in levels if level is not None]
    return max(known, key=_RANK.__getitem__, default=None)


def assign_level(
    findings: Sequence[SheetFinding], prediction: Prediction | None, rules: LevelRules | None = None
) -> LevelDecision:
    """The level of a child from all sheets that count together, and why.

    `prediction` is None when no sheet had a row in the model, or when the model failed: the floors stand
    alone then. NONE is only said over a sheet that was scored.
    """
    rules = LevelRules() if rules is None else rules
    # Safety rules first. They are not evidence to be weighed against the probability, they bound it.
    fired = [
        *_critical_floors(findings),
        *_severe_floors(findings),
        *_cutoff_floors(findings),
        *_model_levels(prediction, rules),
    ]
    if fired:
        return LevelDecision(
            worst_level(level for level, _ in fired), tuple(dict.fromkeys(w for _, w in fired))
        )
    return LevelDecision(Level.NONE if any(finding.counts for finding in findings) else None, ())


def _critical_floors(findings: Sequence[SheetFinding]) -> list[tuple[Level, str]]:
    # Validity and score are not asked: a critical answer stands by itself.
    given = {finding.grade for finding in findings}
    return [(floor, f"critical_{grade.lower()}") for grade, floor in CRITICAL_FLOOR.items() if grade in given]


def _severe_floors(findings: Sequence[SheetFinding]) -> list[tuple[Level, str]]:
    severe = [finding for finding in findings if finding.counts and finding.severe]
    agreeing = {finding.informant for finding in severe if finding.instrument in TWO_INFORMANT_CODES}
    return [
        (Level.HIGH, f"severe:{finding.instrument}")
        for finding in severe
        if finding.instrument not in TWO_INFORMANT_CODES or len(agreeing) >= 2
    ]


def _cutoff_floors(findings: Sequence[SheetFinding]) -> list[tuple[Level, str]]:
    # A severe band lies above the cut-off whatever the flag says, so a lone severe SDQ is kept here.
    return [
        (Level.ELEVATED, f"cutoff:{finding.instrument}")
        for finding in findings
        if finding.counts and (finding.over_cutoff or finding.severe)
    ]


def _model_levels(prediction: Prediction | None, rules: LevelRules) -> list[tuple[Level, str]]:
    if prediction is None:
        return []
    asked: list[tuple[Level, str]] = []
    if prediction.probability >= rules.high:
        asked.append((Level.HIGH, "probability_high"))
    elif prediction.probability >= rules.elevated:
        asked.append((Level.ELEVATED, "probability_elevated"))
    if prediction.discordant:
        asked.append((Level.ELEVATED, "discordant"))
    return asked
