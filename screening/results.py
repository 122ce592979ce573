"""From answer sheets to screen results: four pure calls glued together, and the row that is stored.

A result's probability uses all sheets of the child in this campaign so far, and so do the cut-off and severe
floors; a critical answer belongs to its own sheet alone, so that a later sheet does not sound it again
(decision 27). A sheet that cannot be scored has no probability, and its level is empty unless a critical answer
sets a floor (decision 36).
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from instruments import Instrument, Scores, ScoreValue
from risk_model import (
    Level,
    LevelDecision,
    LevelRules,
    Prediction,
    SheetFinding,
    assign_level,
)
from risk_model.served import ServedModel, estimate
from screening.models.administration import Administration, SheetValidity
from screening.models.result import ResultStatus, ScreenResult

# Two forms of one questionnaire share a row of the model (decision 37): the newer one speaks.
SAME_ROW = {"phq9": "phq", "phq_a": "phq", "cesd": "cesd", "cesdc": "cesd"}
# Stands where no numbers could be trusted and the rules decided alone.
NO_MODEL = "none"


@dataclass(frozen=True, slots=True)
class SheetOnFile:
    """What an earlier or the present sheet says to the model and the rules."""

    administration_id: str
    finding: SheetFinding
    total: float | None
    order: tuple[str, str]  # day of the sheet, instant of recording: the newest speaks for its instrument


def on_file(administration: Administration, scores: Scores) -> SheetOnFile:
    """The present sheet as one among those on file."""
    total = scores.total
    number = total.value if total is not None else None
    scored = isinstance(number, int | float) and scores.validity != "invalid"
    return SheetOnFile(
        administration_id=str(administration.id),
        finding=SheetFinding(
            instrument=administration.instrument,
            informant=administration.informant,
            scored=scores.scored,
            over_cutoff=scores.over_cutoff,
            severe=scores.severe,
            grade=scores.grade,
            validity=scores.validity,
        ),
        total=float(number) if scored and isinstance(number, int | float) else None,
        order=(administration.administered_on.isoformat(), administration.recorded_at.isoformat()),
    )


def earlier_sheet(result: ScreenResult, administration: Administration) -> SheetOnFile:
    """A sheet recorded before, from its stored result. Its critical grade does not sound again."""
    total = result.scores.get("total", {}).get("value")
    scored = result.status is ResultStatus.SCORED
    return SheetOnFile(
        administration_id=str(administration.id),
        finding=SheetFinding(
            instrument=administration.instrument,
            informant=administration.informant,
            scored=scored,
            over_cutoff=result.over_cutoff,
            severe=result.severe,
            grade=None,
            validity=administration.validity.value,
        ),
        total=float(total) if scored and total is not None else None,
        order=(administration.administered_on.isoformat(), administration.recorded_at.isoformat()),
    )


def newest_per_row(sheets: Sequence[SheetOnFile]) -> list[SheetOnFile]:
    """The newest sheet of each instrument and informant; PHQ-9 and PHQ-A count as one."""
    latest: dict[tuple[str, str], SheetOnFile] = {}
    for sheet in sorted(sheets, key=lambda s: s.order):
        code = sheet.finding.instrument
        latest[SAME_ROW.get(code, code), sheet.finding.informant] = sheet
    return list(latest.values())


def compute(
    administration: Administration,
    scores: Scores,
    earlier: Sequence[SheetOnFile],
    *,
    instrument: Instrument,
    model: ServedModel | None,
    base_rate: float,
    rules: LevelRules,
    history: bool,
    now: datetime,
    county: str = "",
) -> ScreenResult:
    """The result of one sheet together with those before it. Not yet in a session.

    Without a model there is no probability, and the rules decide alone.
    """
    present = on_file(administration, scores)
    scored = present.finding.scored
    sheets = newest_per_row([*earlier, present]) if scored else [present]
    prediction = _predict(model, sheets, base_rate, county) if scored else None
    # Paper of an earlier day, keyed after a newer sheet: what it says itself counts all the same.
    counted = sheets if present in sheets else [*sheets, present]
    decision = assign_level([sheet.finding for sheet in counted], prediction, rules)
    return _row(administration, scores, sheets, prediction, decision, scored, base_rate, model, history, now)


def level_at(
    result: ScreenResult,
    used: Sequence[ScreenResult],
    *,
    model: ServedModel | None,
    base_rate: float,
    rules: LevelRules,
    county: str = "",
) -> Level | None:
    """The level that a stored result would have at another base rate. ``used``: the results of its sheets."""
    sheets = [earlier_sheet(each, each.administration) for each in used]
    own = replace(earlier_sheet(result, result.administration).finding, grade=result.grade)
    others = [s.finding for s in sheets if s.administration_id != str(result.administration_id)]
    findings = [*others, own]
    return assign_level(findings, _predict(model, sheets, base_rate, county), rules).level


def _predict(
    model: ServedModel | None, sheets: Sequence[SheetOnFile], base_rate: float, county: str
) -> Prediction | None:
    if model is None:
        return None
    totals = {
        s.finding.instrument: s.total
        for s in sheets
        # A parent's sheet of a child's questionnaire is not the instrument the row was made for.
        if s.total is not None
        and s.finding.counts
        and model.base.reads(s.finding.instrument, s.finding.informant)
    }
    return estimate(model, totals, base_rate=base_rate, county=county)


def _row(
    administration: Administration,
    scores: Scores,
    sheets: Sequence[SheetOnFile],
    prediction: Prediction | None,
    decision: LevelDecision,
    scored: bool,
    base_rate: float,
    model: ServedModel | None,
    history: bool,
    now: datetime,
) -> ScreenResult:
    version = model.version if model else NO_MODEL
    # A model that has learnt its own base rate is not asked at another one.
    base_rate = prediction.base_rate if prediction else base_rate
    stored_scores = {name: _score(value) for name, value in scores.values.items()}
    ids = [sheet.administration_id for sheet in sheets]
    return ScreenResult(
        administration=administration,
        administration_id=administration.id,
        child_id=administration.child_id,
        campaign_id=administration.campaign_id,
        status=ResultStatus.SCORED if scored else ResultStatus.NOT_SCORED,
        level=decision.level,
        grade=scores.grade,
        why=list(decision.why),
        scores=stored_scores,
        flags=list(scores.flags),
        over_cutoff=scores.over_cutoff,
        severe=scores.severe,
        asks_about_safety=scores.asks_about_safety,
        probability=prediction.probability if prediction else None,
        low=prediction.low if prediction else None,
        high=prediction.high if prediction else None,
        r2=prediction.r2 if prediction else None,
        reasons=_reasons(prediction),
        base_rate=base_rate,
        model_version=version,
        sheets=ids,
        history=history,
        input_hash=_input_hash(administration, stored_scores, ids, base_rate, version),
        computed_at=now,
    )


def _score(value: ScoreValue) -> dict[str, Any]:
    band = value.band
    return {
        "value": value.value,
        "status": value.status,
        "missing": list(value.missing),
        "band": band.id if band else None,
        "band_set": band.set if band else None,
    }


def _reasons(prediction: Prediction | None) -> list[dict[str, Any]]:
    if prediction is None:
        return []
    return [
        {"instrument": r.instrument, "weight": r.weight, "z": r.z, "contribution": r.contribution}
        for r in prediction.reasons
    ]


def _input_hash(
    administration: Administration,
    scores: dict[str, Any],
    sheets: list[str],
    base_rate: float,
    model_version: str,
) -> bytes:
    """What went in, so that a later recomputation can be compared."""
    parts = [administration.instrument, administration.instrument_version, administration.layout]
    text = json.dumps([*parts, scores, sheets, base_rate, model_version], sort_keys=True)
    return hashlib.sha256(text.encode()).digest()


def validity_of(scores: Scores) -> SheetValidity:
    """The stored validity of a sheet."""
    return SheetValidity(scores.validity)
