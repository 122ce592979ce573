"""What is known about a child when a plan is drafted, and how scores become areas."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from functools import cache
from importlib.resources import files
from typing import Any

import yaml

from instruments import Grade
from referral.terms import Area, ContextFact, HarmAnswer, SafetyFact, Sign, Tier, Urgency
from risk_model import Level

_CRITICAL_EXCESS = 1.0


class AreaTableError(ValueError):
    """The table of areas contradicts itself; names the row."""


@dataclass(frozen=True, slots=True)
class SheetScores:
    """What one valid or doubtful sheet gave. ``values``: score id → value; None where it was not scored.

    ``critical``: item key → answer, for its critical items that were answered at all.
    """

    instrument: str
    values: Mapping[str, int | float | str | None]
    critical: Mapping[str, int | None] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class AreaFinding:
    """An area and how far it is over its cut: 0 (just at it, or set by an interview) to 1 (top of the score)."""

    area: Area
    excess: float = 0.0


@dataclass(frozen=True, slots=True)
class PlanFacts:
    """Everything the rules read.

    ``interview_done``: a person has held a second assessment since the newest result this draft follows; until
    then the draft is the automatic one and ``working_tier`` an assumption that is never stored as a tier.
    ``available``: codes of components for which a person with a live skill and a slot is known here (asked only
    for components that need one). ``groups_running`` likewise for running groups; ``similar_pupils`` counts
    pupils here with the same need, this child included. ``consents``: purposes that stand as given.
    ``severe``: a score reached its severe floor. ``in_care``: seeing a facility now.
    """

    working_tier: Tier
    level: Level | None = None
    grade: Grade | None = None
    probability: float | None = None
    severe: bool = False
    areas: tuple[AreaFinding, ...] = ()
    signs: frozenset[Sign] = frozenset()
    safety: frozenset[SafetyFact] = frozenset()
    context: frozenset[ContextFact] = frozenset()
    age: int | None = None
    interview_done: bool = False
    harm_answer: HarmAnswer | None = None
    available: frozenset[str] = frozenset()
    groups_running: frozenset[str] = frozenset()
    similar_pupils: int = 0
    wishes: frozenset[str] = frozenset()
    consents: frozenset[str] = frozenset()
    referral_open: bool = False
    in_care: bool = False

    def excess(self, area: Area) -> float:
        """How far an area is over its cut; 0 where it was not found."""
        return max((found.excess for found in self.areas if found.area is area), default=0.0)


def working_tier(grade: Grade | None, level: Level | None) -> Tier:
    """The tier the automatic draft assumes (草案假定): grade A crisis; grade B, ``high`` focus; never stored.

    ``crisis_item`` comes from grade A or B; without its grade it is read as B. Elevated is watch, so that a
    draft asked for by hand has something to stand on; anything less is routine.
    """
    if grade is Grade.A:
        return Tier.CRISIS
    if grade is Grade.B or level in (Level.HIGH, Level.CRISIS_ITEM):
        return Tier.FOCUS
    if grade is Grade.C or level is Level.ELEVATED:
        return Tier.WATCH
    return Tier.ROUTINE


def referral_urgency(facts: PlanFacts, urgent_from: float) -> tuple[Urgency, tuple[str, ...]] | None:
    """Rule R-L1: how urgent the referral of a ``high`` or ``crisis_item`` result is, and the facts that say so."""
    # A critical answer makes the level even where no score could be built.
    level = Level.CRISIS_ITEM if facts.grade in (Grade.A, Grade.B) else facts.level
    if level not in (Level.HIGH, Level.CRISIS_ITEM):
        return None
    urgent = tuple(_urgent_facts(facts, urgent_from))
    why = (f"level:{level.value}", *urgent)
    if facts.grade is Grade.A:
        return Urgency.EMERGENCY, why
    return Urgency.URGENT if urgent or level is Level.CRISIS_ITEM else Urgency.ROUTINE, why


def _urgent_facts(facts: PlanFacts, urgent_from: float) -> Iterable[str]:
    if facts.grade in (Grade.A, Grade.B):
        yield f"grade:{facts.grade.value}"
    if facts.severe:
        yield "severe"
    if facts.probability is not None and facts.probability >= urgent_from:
        yield "probability"


# --- Scores to areas -------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class _ScoreRow:
    instrument: str
    score: str
    at_least: float
    highest: float
    areas: tuple[Area, ...]

    def excess(self, value: float) -> float:
        return (value - self.at_least) / (self.highest - self.at_least)


@dataclass(frozen=True, slots=True)
class _ResultRow:
    instrument: str
    score: str
    any_of: frozenset[str]
    areas: tuple[Area, ...]


@dataclass(frozen=True, slots=True)
class _CriticalRow:
    instrument: str
    item: str
    at_least: int
    areas: tuple[Area, ...]


@dataclass(frozen=True, slots=True)
class AreaTable:
    """Which score over which cut points to which area."""

    scores: tuple[_ScoreRow, ...]
    results: tuple[_ResultRow, ...]
    critical: tuple[_CriticalRow, ...]


def areas_from_scores(
    sheets: Iterable[SheetScores], table: AreaTable | None = None
) -> tuple[AreaFinding, ...]:
    """The areas of all sheets of a child together, the furthest over its cut first; ties in the list's order.

    An area named by several scores keeps its largest excess. A score that was not scored, or an instrument
    without a row, says nothing. A critical answer names its area whatever the score.
    """
    rows = table or area_table()
    found: dict[Area, float] = {}
    for sheet in sheets:
        for area, excess in _findings(sheet, rows):
            found[area] = max(excess, found.get(area, 0.0))
    ordered = sorted(found.items(), key=lambda each: (-each[1], each[0].rank))
    return tuple(AreaFinding(area, excess) for area, excess in ordered)


def _findings(sheet: SheetScores, table: AreaTable) -> Iterable[tuple[Area, float]]:
    for row in table.scores:
        value = sheet.values.get(row.score) if row.instrument == sheet.instrument else None
        if isinstance(value, int | float) and value >= row.at_least:
            yield from ((area, row.excess(value)) for area in row.areas)
    for result in table.results:
        if result.instrument == sheet.instrument and sheet.values.get(result.score) in result.any_of:
            yield from ((area, _CRITICAL_EXCESS) for area in result.areas)
    for item in table.critical:
        answer = sheet.critical.get(item.item) if item.instrument == sheet.instrument else None
        if answer is not None and answer >= item.at_least:
            yield from ((area, _CRITICAL_EXCESS) for area in item.areas)


@cache
def area_table() -> AreaTable:
    """The shipped table, read once."""
    text = (files("referral") / "library" / "areas.yaml").read_text(encoding="utf-8")
    return read_areas(yaml.safe_load(text))


def read_areas(raw: Mapping[str, Any]) -> AreaTable:
    """A table as frozen values. A score's cut must be of certainty A or B and lie below its top."""
    for row in [*raw["scores"], *raw["results"]]:
        if row["certainty"] not in ("A", "B") or not row["source"]:
            raise AreaTableError(
                f"{row['instrument']} {row['score']}: a cut needs a source of certainty A or B"
            )
    for row in raw["scores"]:
        if not row["at_least"] < row["highest"]:
            raise AreaTableError(f"{row['instrument']} {row['score']}: the cut must lie below the top")
    return AreaTable(
        scores=tuple(
            _ScoreRow(r["instrument"], r["score"], r["at_least"], r["highest"], _areas(r))
            for r in raw["scores"]
        ),
        results=tuple(
            _ResultRow(r["instrument"], r["score"], frozenset(r["any_of"]), _areas(r)) for r in raw["results"]
        ),
        critical=tuple(
            _CriticalRow(r["instrument"], r["item"], r["at_least"], _areas(r)) for r in raw["critical"]
        ),
    )


def _areas(row: Mapping[str, Any]) -> tuple[Area, ...]:
    return tuple(Area(area) for area in row["areas"])
