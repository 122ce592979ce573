"""Every scale of a sheet in words: scored, prorated or not scorable; the norm beside it; the change since last time.

For whoever may read scores. A band is named by its place in its set: the published names hold words of disorders, which
no page of ours says.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any
from uuid import UUID

from api.web.presenters import dates, words
from instruments import Flag, Instrument, ScoreDefinition, ScoreKind, catalogue
from instruments.change import Change, Direction, NoChange, Sheet, Spread, reliable_change
from instruments.definition import Certainty, Norm, Number, ReliabilityKind, Sex
from instruments.informants import SHEETS, Likelihood, SideBySide, side_by_side
from instruments.norms import NormLine, beside, without_table
from screening.core.clock import age_on
from screening.core.i18n import translate
from screening.models.administration import SheetValidity
from screening.models.child import Child
from screening.models.result import ResultStatus, ScreenResult
from screening.queries.results import newest_results

Spreads = Mapping[UUID, Spread]
"""Spread of the main score among the sheets of this place, by result."""


@dataclass(frozen=True, slots=True)
class ScaleView:
    """One scale: ``outcome`` is a number or why there is none; ``remark`` says what was filled up or is missing."""

    name: str
    outcome: str
    remark: str
    band: str
    norms: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class SheetView:
    """One sheet with all its scales. ``change`` and ``gap``: beside the sheet before it, empty where there is none."""

    name: str
    informant: str
    answered_on: date
    invalid: str
    scales: tuple[ScaleView, ...]
    samples: tuple[str, ...]
    change: tuple[str, ...]
    gap: str


@dataclass(frozen=True, slots=True)
class Compared:
    """The SDQ sheets side by side: heads, one row per scale (name, values, apart), and what the algorithm says."""

    heads: tuple[str, ...]
    rows: tuple[tuple[str, tuple[str, ...], bool], ...]
    attention: str


def pairs(results: Sequence[ScreenResult]) -> list[tuple[ScreenResult, ScreenResult | None]]:
    """The newest sheet of each questionnaire and informant with the one before it, of a list with the newest first."""
    found = []
    for newest in newest_results(results):
        sheet = newest.administration
        kind = (sheet.instrument, sheet.informant)
        alike = [
            each
            for each in results
            if (each.administration.instrument, each.administration.informant) == kind and each is not newest
        ]
        found.append((newest, alike[0] if alike else None))
    return [pair for pair in found if pair[0].administration.instrument in catalogue()]


def views(results: Sequence[ScreenResult], child: Child, spreads: Spreads, locale: str) -> list[SheetView]:
    """One view per newest sheet."""
    return [
        _sheet(newest, earlier, child, spreads.get(newest.id), locale) for newest, earlier in pairs(results)
    ]


def _sheet(
    result: ScreenResult, earlier: ScreenResult | None, child: Child, spread: Spread | None, locale: str
) -> SheetView:
    sheet = result.administration
    instrument = catalogue().get(sheet.instrument)
    invalid = sheet.validity is SheetValidity.INVALID
    by_its_own_scale = invalid and Flag.VALIDITY_SCALE in result.flags
    age = age_on(child.birth_date, sheet.administered_on)
    beside_it = beside(instrument, _values(result), sex=Sex(child.sex.value), age=age)
    change = None if earlier is None or invalid else _change(instrument, result, earlier, spread)
    return SheetView(
        name=instrument.abbr,
        informant=words.informant(sheet.informant, locale),
        answered_on=sheet.administered_on,
        invalid=_invalid(by_its_own_scale, locale) if invalid else "",
        scales=()
        if by_its_own_scale
        else tuple(
            _scale(instrument, each, result.scores.get(each.id, {}), beside_it, locale, plain=invalid)
            for each in instrument.scores
            if each.kind is not ScoreKind.RULE
        ),
        samples=tuple(_sample(each, locale) for each in without_table(instrument)),
        change=_change_words(change, earlier, locale) if change is not None and earlier is not None else (),
        gap=_gap_words(instrument, change, earlier, locale),
    )


def _invalid(by_its_own_scale: bool, locale: str) -> str:
    """Why it is not interpreted. What is missing is still listed, so that it can be asked again."""
    if by_its_own_scale:
        return translate(
            locale, "This sheet is not interpreted: its own rule says that it cannot be relied on."
        )
    return translate(locale, "This sheet is not interpreted: too much is missing. It is to be done again.")


def _values(result: ScreenResult) -> dict[str, Number | str | None]:
    return {name: said.get("value") for name, said in result.scores.items()}


def _scale(
    instrument: Instrument,
    definition: ScoreDefinition,
    said: Mapping[str, Any],
    norms: Sequence[NormLine],
    locale: str,
    *,
    plain: bool,
) -> ScaleView:
    """``plain``: of a sheet that is not interpreted; without band and norm."""
    value, missing = said.get("value"), list(said.get("missing") or ())
    return ScaleView(
        name=_name(definition, locale),
        outcome=translate(locale, "not scorable") if value is None else f"{value:g}",
        remark=_remark(value, said.get("status"), missing, locale),
        band="" if plain else _band(instrument, definition.id, said, locale),
        norms=() if plain else tuple(_norm(line, locale) for line in norms if line.score == definition.id),
    )


def _name(definition: ScoreDefinition, locale: str) -> str:
    """The label of the library; one of its names says a disorder and is put otherwise."""
    if definition.id == "psychoticism":
        return translate(locale, "unusual experiences")
    return definition.en if locale == "en" else definition.zh


def _remark(value: object, status: object, missing: Sequence[str], locale: str) -> str:
    """The second and third outcome in words: how many were filled up, or which stand in the way."""
    if value is None:
        if not missing:
            return translate(locale, "A scale that it is made of could not be scored.")
        joint = "、" if locale == "zh" else ", "
        return translate(locale, "without an answer: {items}", items=joint.join(missing))
    if status == "prorated":
        return translate(locale, "carried up, {count} missing", count=len(missing))
    return ""


def _band(instrument: Instrument, score: str, said: Mapping[str, Any], locale: str) -> str:
    """Place and span of the band in its set, and the set: which one it is decides what a number means."""
    bands = instrument.band_set(score, said.get("band_set")) if said.get("band_set") else None
    if bands is None or bands.certainty is Certainty.C:
        return ""
    inside = sorted(bands.bands, key=lambda band: band.level)
    found = next((band for band in inside if band.id == said.get("band")), None)
    if found is None:
        return ""
    return translate(
        locale,
        "step {place} of {all} ({low}–{high}), set {set}",
        place=inside.index(found) + 1,
        all=len(inside),
        low=found.low,
        high=found.high,
        set=translate(locale, "usual") if bands.set == "standard" else bands.set,
    )


def _norm(line: NormLine, locale: str) -> str:
    """What a published sample says, with size, year and source. It decides nothing."""
    who = _who(line.population, line.n, line.year, locale)
    if line.mean is not None and line.sd is not None and line.z is not None:
        said = translate(
            locale,
            "mean {mean}, SD {sd}; this sheet lies {z} SD from it",
            mean=f"{line.mean:g}",
            sd=f"{line.sd:g}",
            z=f"{line.z:+.1f}",
        )
    elif line.positive_above is not None:
        above = (
            translate(locale, "this one is above") if line.positive else translate(locale, "this one is not")
        )
        said = translate(
            locale, "the line drawn there: above {limit}; {above}", limit=line.positive_above, above=above
        )
    else:
        return ""
    return f"{who}: {said}" + (f" ({line.ref})" if line.ref else "")


def _who(population: str, n: int | None, year: int | None, locale: str) -> str:
    parts = [population, *([f"n = {n}"] if n else [])]
    parts.append(str(year) if year else translate(locale, "year not read"))
    return ", ".join(parts)


def _sample(norm: Norm, locale: str) -> str:
    who = _who(norm.population, norm.n, norm.year, locale)
    source = f" ({norm.ref})" if norm.ref else ""
    return translate(locale, "A norm sample exists, its table was not read: {who}", who=f"{who}{source}")


# --- change -------------------------------------------------------------------------------------------------


def _change(
    instrument: Instrument, result: ScreenResult, earlier: ScreenResult, spread: Spread | None
) -> Change:
    return reliable_change(instrument, _point(instrument, earlier), _point(instrument, result), spread=spread)


def _point(instrument: Instrument, result: ScreenResult) -> Sheet:
    sheet = result.administration
    value = result.scores.get(instrument.main_score, {}).get("value")
    counts = result.status is ResultStatus.SCORED and isinstance(value, int | float)
    return Sheet(
        sheet.instrument, sheet.layout, sheet.informant, sheet.administered_on, value if counts else None
    )


def _change_words(change: Change, earlier: ScreenResult, locale: str) -> tuple[str, ...]:
    since = dates.full_day(earlier.administration.administered_on, locale)
    if change.why_not is not None or change.index is None or change.least is None:
        return (_not_judged(change, since, locale),)
    said = {
        Direction.BETTER: translate(
            locale, "Since {day}: {difference}, better by more than the questionnaire's own error.",
            day=since, difference=f"{change.difference:+g}",
        ),
        Direction.WORSE: translate(
            locale, "Since {day}: {difference}, worse by more than the questionnaire's own error.",
            day=since, difference=f"{change.difference:+g}",
        ),
        Direction.UNCLEAR: translate(
            locale, "Since {day}: {difference}, within the questionnaire's own error.",
            day=since, difference=f"{change.difference:+g}",
        ),
    }[change.direction or Direction.UNCLEAR]  # fmt: skip
    return (said, _basis(change, locale))


def _basis(change: Change, locale: str) -> str:
    """With what it was judged: the coefficient, whose it is, and the spread."""
    if change.reliability is None or change.spread is None or change.least is None:
        return ""
    kind = (
        translate(locale, "retest reliability")
        if change.reliability.kind is ReliabilityKind.RETEST
        else translate(locale, "alpha")
    )
    return translate(
        locale,
        "Judged by {kind} {value} ({population}; {ref}) and SD {sd} of {n} sheets ({source}): from {least} points on a change is reliable.",
        kind=kind,
        value=change.reliability.value,
        population=change.reliability.population,
        ref=change.reliability.ref,
        sd=f"{change.spread.sd:.1f}",
        n=change.spread.n,
        source=change.spread.source or translate(locale, "of the children in your view"),
        least=f"{change.least:.1f}",
    )


def _not_judged(change: Change, since: str, locale: str) -> str:
    why = {
        NoChange.OTHER_LAYOUT: translate(locale, "the questions stood in another order"),
        NoChange.OTHER_INFORMANT: translate(locale, "somebody else filled it in"),
        NoChange.OTHER_SHEET: translate(locale, "it is another questionnaire"),
        NoChange.NO_SCORE: translate(locale, "one of the two sheets has no score"),
        NoChange.NO_RELIABILITY: translate(locale, "no study of how reliable the score is was read"),
        NoChange.NO_SPREAD: translate(locale, "fewer than 30 sheets are here to know how scores spread"),
    }[change.why_not or NoChange.NO_SCORE]
    if change.difference is None:
        return translate(locale, "Not compared with the sheet of {day}: {why}.", day=since, why=why)
    return translate(
        locale,
        "Since {day}: {difference}. Whether that is more than chance is not judged: {why}.",
        day=since,
        difference=f"{change.difference:+g}",
        why=why,
    )


def _gap_words(
    instrument: Instrument, change: Change | None, earlier: ScreenResult | None, locale: str
) -> str:
    """The least gap is a warning with a reason."""
    if change is None or change.gap is None or earlier is None:
        return ""
    said = translate(
        locale,
        "Only {days} days after the sheet before; at least {least} are sensible.",
        days=change.gap.days,
        least=change.gap.least,
    )
    if instrument.recall_days:
        why = translate(
            locale,
            "The questions look back {days} days, so both sheets speak partly of the same days.",
            days=instrument.recall_days,
        )
    else:
        why = translate(locale, "Sooner, the earlier answers are remembered.")
    return f"{said}{why}" if locale == "zh" else f"{said} {why}"


# --- three informants ---------------------------------------------------------------------------------------


def compared(results: Sequence[ScreenResult], locale: str) -> Compared | None:
    """The newest SDQ sheets of child, carer and teacher side by side; None with fewer than two."""
    newest = {
        informant: each
        for each in newest_results(results)
        for informant, code in SHEETS.items()
        if each.administration.instrument == code and each.status is ResultStatus.SCORED
    }
    library = {code: catalogue().get(code) for code in SHEETS.values()}
    numbers = {
        informant: {
            name: value for name, value in _values(each).items() if value is None or isinstance(value, int)
        }
        for informant, each in newest.items()
    }
    found = side_by_side(library, numbers)
    return _compared(found, newest, locale) if found is not None else None


def _compared(found: SideBySide, newest: Mapping[str, ScreenResult], locale: str) -> Compared:
    heads = [
        f"{words.informant(each, locale)} · {dates.day(newest[each].administration.administered_on, locale)}"
        for each in found.informants
    ]
    rows = [
        (
            line.en if locale == "en" else line.zh,
            tuple("—" if value is None else str(value) for value in line.values),
            line.apart,
        )
        for line in found.lines
        if any(value is not None for value in line.values)
    ]
    return Compared(tuple(heads), tuple(rows), _attention(found.hyperactivity, locale))


def _attention(said: Likelihood | None, locale: str) -> str:
    """The one verified branch of the published algorithm, as a hint where to look and never as a finding."""
    match said:
        case Likelihood.PROBABLE:
            return translate(
                locale,
                "Attention and restlessness, carer and teacher together: probably worth a closer look.",
            )
        case Likelihood.POSSIBLE:
            return translate(
                locale,
                "Attention and restlessness, carer and teacher together: possibly worth a closer look.",
            )
        case Likelihood.UNLIKELY:
            return translate(
                locale, "Attention and restlessness, carer and teacher together: nothing prompted this time."
            )
    return ""
