"""Screen results in words: ranges instead of single numbers, and what is not known beside what is."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from math import ceil, floor
from typing import Any

from api.web.presenters import words
from instruments import Grade, catalogue, worst_grade
from risk_model import ArtefactError, Level, LiabilityModel, day_one, worst_level
from screening.core.i18n import translate
from screening.models.administration import SheetValidity
from screening.models.model import LOCAL
from screening.models.result import ResultStatus, ScreenResult
from screening.queries.results import newest_results

# What a school can ask for next, and the least gain that is worth asking for.
COULD_BE_ASKED = ("sdq_p", "sdq_t", "sdq_s", "phq9", "gad7")
WORTH_ASKING = 0.02


@dataclass(frozen=True, slots=True)
class Sheet:
    """One sheet as a line of a table. ``reached``: the published cut-off, in words."""

    name: str
    informant: str
    answered_on: date
    score: str
    cutoff: str
    reached: str
    remarks: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Reading:
    """What the sheets of a child say together. ``chance`` is a sentence, absent where the model has no row."""

    level: str
    answered_on: date
    safety: str
    critical: str
    none_seen: bool
    chance: str
    local: bool
    reach: str
    change: str
    reasons: tuple[str, ...]
    missing: tuple[str, ...]
    sheets: tuple[Sheet, ...]


def read(results: Sequence[ScreenResult], worst: Level | None, locale: str) -> Reading | None:
    """The reading of a list with the newest first; ``worst`` is the level the case has kept."""
    if not results:
        return None
    newest = newest_results(results)
    grade = worst_grade(r.grade for r in newest if r.grade is not None)
    level = worst_level([worst, *(r.level for r in newest)])
    leading = _leading(results)
    return Reading(
        level=words.level(level, grade, locale),
        answered_on=results[0].administration.administered_on,
        safety=_safety(newest, locale),
        critical=_critical(grade, locale),
        none_seen=level is Level.NONE,
        chance=_chance(leading, locale) if leading else "",
        local=leading is not None and is_local(leading.model_version),
        reach=_reach(leading.r2, locale) if leading else "",
        change=_change(leading, locale) if leading else "",
        reasons=tuple(_reasons(leading, locale)) if leading else (),
        missing=tuple(_missing(newest, locale)),
        sheets=tuple(_sheet(result, locale) for result in newest),
    )


def _leading(results: Sequence[ScreenResult]) -> ScreenResult | None:
    """The result whose estimate speaks: the newest, and of those that came together the one that used most."""
    return max(
        (result for result in results if result.probability is not None),
        key=lambda r: (r.administration.administered_on, r.computed_at, len(r.sheets)),
        default=None,
    )


def is_local(version: str) -> bool:
    """Whether an estimate was calibrated on findings of this county."""
    return version.startswith(LOCAL)


def _chance(result: ScreenResult, locale: str) -> str:
    """One number where it was calibrated here, with its range; else the range alone (decision 22)."""
    if not is_local(result.model_version) or result.probability is None:
        return chance(result.low, result.high, locale)
    number = min(99, max(1, round(result.probability * 100)))
    first, last = _bounds(result.low or 0.0, result.high or 0.0)
    return translate(
        locale,
        "Of 100 pupils with answers like these about {number} turn out to need help beyond the school ({first} to {last}).",
        number=number,
        first=min(first, number),
        last=max(last, number),
    )


def _bounds(low: float, high: float) -> tuple[int, int]:
    """Never below 1 nor above 99 of 100: nothing here is certain."""
    first, last = max(1, floor(low * 100)), min(99, ceil(high * 100))
    return first, max(first, last)


def chance(low: float | None, high: float | None, locale: str) -> str:
    """The probability as a range of pupils. Never below 1 nor above 99 of 100: nothing here is certain."""
    if low is None or high is None:
        return ""
    first, last = _bounds(low, high)
    return translate(
        locale,
        "Of about 100 pupils with answers like these, {first} to {last} turn out to need help beyond the school.",
        first=first,
        last=last,
    )


def _reach(r2: float | None, locale: str) -> str:
    """How much the sheets can say at all."""
    if r2 is None:
        return ""
    if r2 < 0.35:
        return translate(locale, "These sheets show only a small part of how a child is: rely on the talk.")
    if r2 < 0.55:
        return translate(locale, "These sheets show about half of how a child is: the talk decides.")
    return translate(
        locale, "These sheets show a larger part of how a child is, never all: the talk decides."
    )


def _change(result: ScreenResult, locale: str) -> str:
    """Which further sheet would tell most beside those that are there. Where a child lives or with whom never does."""
    try:
        model = day_one()
    except ArtefactError:
        return ""
    there = [str(each["instrument"]) for each in result.reasons]
    now = model.subset(there)
    asked = [code for code in COULD_BE_ASKED if code in catalogue().codes and not _asked(model, code, there)]
    gains = [(found.r2, code) for code in asked if (found := model.subset([*there, code])) is not None]
    if now is None or not gains or max(gains)[0] - now.r2 < WORTH_ASKING:
        return translate(locale, "What would change it: sheets answered anew, and what the talk finds.")
    best, code = max(gains)
    return translate(
        locale,
        "What would change it most: {sheet} as well; the sheets would then show {after} of 100 parts instead of {before}.",
        sheet=_name(code),
        after=round(best * 100),
        before=round(now.r2 * 100),
    )


def _asked(model: LiabilityModel, code: str, there: Sequence[str]) -> bool:
    """Whether the row of this questionnaire has been read already, in this form or another."""
    return model.row_of.get(code) in {model.row_of.get(each) for each in there}


def _safety(results: Sequence[ScreenResult], locale: str) -> str:
    if any(result.asks_about_safety for result in results):
        return translate(
            locale, "The sheet holds questions about safety. It does not replace asking face to face."
        )
    return translate(locale, "This time no safety question was asked.")


def _critical(grade: Grade | None, locale: str) -> str:
    match grade:
        case Grade.A:
            return translate(locale, "One answer asks for somebody to be with the child now.")
        case Grade.B:
            return translate(locale, "One answer asks for a talk about safety today.")
        case Grade.C:
            return translate(locale, "One answer asks for a safety talk by the end of the next school day.")
        case Grade.R:
            return translate(locale, "One answer is worth looking at.")
        case _:
            return ""


def _reasons(result: ScreenResult, locale: str) -> list[str]:
    """The strongest first, at most three."""
    strongest = sorted(result.reasons, key=lambda each: -abs(float(each["contribution"])))[:3]
    return [f"{_name(str(each['instrument']))}:{_height(float(each['z']), locale)}" for each in strongest]


def _height(z: float, locale: str) -> str:
    if z >= 2:
        return translate(locale, "far higher than most pupils")
    if z >= 1:
        return translate(locale, "higher than most pupils")
    if z >= 0.3:
        return translate(locale, "a little higher than the average")
    if z > -0.3:
        return translate(locale, "near the average")
    return translate(locale, "lower than the average")


def _missing(results: Sequence[ScreenResult], locale: str) -> list[str]:
    said = []
    for result in results:
        administration = result.administration
        name = _name(administration.instrument)
        if result.status is ResultStatus.NOT_SCORED:
            said.append(translate(locale, "{sheet}: could not be scored, to be done again.", sheet=name))
        missing = _main(result).get("missing") or []
        if result.status is ResultStatus.SCORED and missing:
            said.append(
                translate(
                    locale, "{sheet}: {count} questions without an answer.", sheet=name, count=len(missing)
                )
            )
    told_by = {result.administration.informant for result in results}
    if not told_by & {"parent", "teacher"}:
        said.append(translate(locale, "No sheet from a carer or a teacher: what adults see is not in it."))
    if all(result.probability is None for result in results):
        said.append(translate(locale, "No estimate for these sheets: only the published cut-offs speak."))
    return said


def _sheet(result: ScreenResult, locale: str) -> Sheet:
    administration = result.administration
    instrument = catalogue().get(administration.instrument)
    cutoff = instrument.screens_at
    return Sheet(
        name=instrument.abbr,
        informant=words.informant(administration.informant, locale),
        answered_on=administration.administered_on,
        score=_score(result, locale),
        cutoff=f"{'≤' if cutoff.higher_is_better else '≥'} {cutoff.value}" if cutoff else "—",
        reached=_reached(result, locale),
        remarks=_remarks(result, locale),
    )


def _main(result: ScreenResult) -> dict[str, Any]:
    """The score that the sheet stands or falls with."""
    code = result.administration.instrument
    main = catalogue().get(code).main_score if code in catalogue() else "total"
    return dict(result.scores.get(main, {}))


def _score(result: ScreenResult, locale: str) -> str:
    total = _main(result)
    if result.status is ResultStatus.NOT_SCORED:
        return translate(locale, "not scored")
    value = total.get("value")
    if not isinstance(value, int | float):
        return _by_rule(result, locale)
    return (
        translate(locale, "{value} (carried up)", value=value)
        if total.get("status") == "prorated"
        else f"{value:g}"
    )


def _by_rule(result: ScreenResult, locale: str) -> str:
    """The result of a sheet that adds nothing up, by the first word of its band: 急性阳性, without what to do."""
    instrument = catalogue().get(result.administration.instrument)
    value = result.scores.get(instrument.main_score, {}).get("value")
    bands = instrument.band_set(instrument.main_score)
    band = bands.find(value) if bands and isinstance(value, str) else None
    if band is None:
        return "—"
    return re.split("[:,]", band.en)[0] if locale == "en" else band.zh.split("：")[0]


def _reached(result: ScreenResult, locale: str) -> str:
    instrument = catalogue().get(result.administration.instrument)
    if result.status is ResultStatus.NOT_SCORED or instrument.screens_at is None:
        return ""
    if result.over_cutoff:
        return translate(locale, "cut-off reached")
    return translate(locale, "cut-off not reached")


def _remarks(result: ScreenResult, locale: str) -> tuple[str, ...]:
    flags = [words.validity_flag(flag, locale) for flag in result.flags]
    if result.administration.validity is SheetValidity.DOUBTFUL:
        return (translate(locale, "doubtful"), *flags)
    return tuple(flags)


def _name(code: str) -> str:
    """The abbreviation: published full names hold words that no page of ours shows."""
    return catalogue().get(code).abbr if code in catalogue().codes else code
