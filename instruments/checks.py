"""Do the facts of one instrument fit together? Each check names the field it refuses."""

from __future__ import annotations

import re
from collections.abc import Iterator
from itertools import pairwise

from instruments.definition import (
    BandSet,
    Certainty,
    Grade,
    Instrument,
    ItemCondition,
    MissingKind,
    MissingRule,
    Number,
    Per,
    PersonCondition,
    ScoreDefinition,
    ScoreKind,
)
from instruments.plan import steps

Problem = tuple[str, str]
"""(field, what is wrong with it)."""

HIGHEST_GRADE = 12
"""The last year of senior or vocational school; years are counted from the first of primary school, 0 is kindergarten."""

_SUMMED = (ScoreKind.SUM, ScoreKind.SUM_TIMES, ScoreKind.MEAN, ScoreKind.PRORATED_SUM)

_LOINC = re.compile(r"([0-9]{1,7})-([0-9])")
_LOINC_ANSWER = re.compile(r"LA[0-9]{1,6}-[0-9]")


def problems(instrument: Instrument, stem: str) -> Iterator[Problem]:
    """All contradictions between the fields of one file whose name without ending is ``stem``."""
    if instrument.code != stem or not re.fullmatch(r"[a-z][a-z0-9_]*", stem):
        yield "code", "must be the file's name in lower case"
    if instrument.tier not in (1, 2, 3):
        yield "tier", "must be 1, 2 or 3"
    yield from _people(instrument)
    yield from _layouts(instrument)
    yield from _scores(instrument)
    yield from _missing(instrument)
    yield from _validity(instrument)
    for place, bands in enumerate(instrument.bands, start=1):
        yield from _bands(instrument, bands, f"bands[{place}]")
    yield from _band_names(instrument)
    yield from _deciding(instrument)
    yield from _critical(instrument)
    yield from _loinc(instrument)
    yield from _studies(instrument)
    yield from _paperwork(instrument)


def _people(instrument: Instrument) -> Iterator[Problem]:
    for informant in instrument.informants:
        if informant not in ("self", "parent", "teacher", "interviewer"):
            yield "informants", f"{informant} is not known"
    if not instrument.informants:
        yield "informants", "must not be empty"
    low, high = instrument.age_min or 0, instrument.age_max or 120
    if not 0 <= low <= high <= 120:
        yield "age", "min and max are not years in order"
    first, last = (
        instrument.grade_min,
        HIGHEST_GRADE if instrument.grade_max is None else instrument.grade_max,
    )
    if not 0 <= first <= last <= HIGHEST_GRADE:
        yield "grades", f"min and max are not years of school in order (0 to {HIGHEST_GRADE})"
    for item in instrument.items:
        if item.min_grade is not None and not first < item.min_grade <= HIGHEST_GRADE:
            yield f"items.{item.key}.min_grade", "is not above the lowest grade of the sheet"
    yield from _asks_openly(instrument)


def _asks_openly(instrument: Instrument) -> Iterator[Problem]:
    for rule in instrument.critical:
        for match in rule.matches if rule.grade is not Grade.R else ():
            if match.item in instrument.positions and not instrument.item(match.item).sensitive:
                yield (
                    f"items.{match.item}",
                    f"asks about safety (grade {rule.grade}) and is not marked sensitive",
                )


def _layouts(instrument: Instrument) -> Iterator[Problem]:
    ids = [layout.id for layout in instrument.layouts]
    if len(set(ids)) != len(ids):
        yield "layouts", "an id is there twice"
    if instrument.default_layout not in ids:
        yield "default_layout", "is not one of the layouts"
    for place, layout in enumerate(instrument.layouts, start=1):
        if (layout.id == instrument.default_layout) is bool(layout.order):
            yield f"layouts[{place}].order", "is given for every layout but the usual one"
        if layout.order and (instrument.conditionals or any(_names_items(s) for s in instrument.scores)):
            yield f"layouts[{place}].order", "is not possible where conditions name items by their number"


def _names_items(score: ScoreDefinition) -> bool:
    conditions = [condition for case in score.cases for condition in case.conditions]
    return score.zero_if is not None or any(isinstance(each, ItemCondition) for each in conditions)


def _scores(instrument: Instrument) -> Iterator[Problem]:
    if len(instrument.items) > 127:
        yield "items", "more than 127: the engine counts in single bytes"
    ids = [score.id for score in instrument.scores]
    if instrument.main_score not in ids:
        yield "main_score", "is not one of the scores"
    used = {key for score in instrument.scores for key in score.items}
    for score in instrument.scores:
        used |= {key for case in score.cases for c in case.conditions for key in getattr(c, "items", ())}
        yield from _left_out(instrument, score)
        if score.min_answered is not None and not 1 <= score.min_answered <= len(score.items):
            yield f"scores.{score.id}.min_answered", "is not between 1 and the number of items"
    summed = {key for score in instrument.scores if score.kind in _SUMMED for key in score.items}
    for item in instrument.main_items:
        if item.key not in used:
            yield "scores", f"item {item.key} counts towards no score"
        if item.reverse and item.key not in summed:
            yield "reverse", f"item {item.key} is in no sum: counting it the other way means nothing"


def _left_out(instrument: Instrument, score: ScoreDefinition) -> Iterator[Problem]:
    """An item that some are not asked can be left out of a plain sum or a count, and out of nothing else."""
    rule = instrument.missing
    if rule is None or rule.kind not in (MissingKind.INCOMPLETE, MissingKind.ZERO):
        return
    some = {key for each in instrument.conditionals for key in each.items} & set(score.items)
    if not some:
        return
    turned = any(instrument.item(key).reverse for key in some)
    if turned or score.kind not in (ScoreKind.SUM, ScoreKind.COUNT, ScoreKind.COUNT_EQUAL):
        yield (
            f"scores.{score.id}.items",
            "holds an item that is not asked of everybody: only a sum or a count can",
        )


def _missing(instrument: Instrument) -> Iterator[Problem]:
    rule = instrument.missing
    if rule is None:
        return
    if not 0 <= rule.max_missing < len(instrument.main_items):
        yield "missing.max_missing", "is not between 0 and the number of items"
    if rule.kind is MissingKind.INCOMPLETE and rule.max_missing:
        yield "missing.max_missing", "must be 0 where a sheet with a missing answer has no score"
    if rule.kind is MissingKind.ZERO and (
        rule.per is not Per.FORM or min(o.value for o in instrument.responses) != 0
    ):
        yield (
            "missing.rule",
            "zero is possible where the lowest answer is 0 and blanks are counted over the form",
        )
    if (rule.kind is MissingKind.REFUSAL_IS_POSITIVE) is not (rule.refusal is not None):
        yield "missing.refusal", "belongs to the rule refusal_is_positive and to no other"
    if rule.refusal is not None and rule.refusal not in {option.value for option in instrument.responses}:
        yield "missing.refusal", "is not one of the responses"
    yield from _prorating(instrument, rule)


def _prorating(instrument: Instrument, rule: MissingRule) -> Iterator[Problem]:
    kinds = (ScoreKind.PRORATED_SUM, ScoreKind.SUM_TIMES)
    prorated = [score for score in instrument.scores if score.kind in kinds]
    if (rule.per is Per.SCALE) is not bool(prorated):
        yield "missing.per", "is scale where scores are prorated one by one, and form elsewhere"
    for score in prorated:
        if score.min_answered is None:
            continue
        if len(score.items) - (score.min_answered or 0) != rule.max_missing:
            yield f"scores.{score.id}.min_answered", "does not agree with missing.max_missing"


def _validity(instrument: Instrument) -> Iterator[Problem]:
    scores = {score.id: score for score in instrument.scores}
    for rule in instrument.validity:
        score = scores.get(rule.score)
        if score is None or score.kind is ScoreKind.RULE or not score.low < rule.at_least <= score.high:
            yield "validity", "does not name a score and a value inside its range"
        if rule.certainty is Certainty.C:
            yield "validity.certainty", "a rule known from memory (C) must not make a sheet invalid"


def _bands(instrument: Instrument, bands: BandSet, field: str) -> Iterator[Problem]:
    score = instrument.score(bands.score)
    if not bands.bands:
        yield field, "has no cuts"
        return
    ids = [band.id for band in bands.bands]
    if len(set(ids)) != len(ids):
        yield f"{field}.cuts", "an id is there twice"
    if score.kind is ScoreKind.RULE:
        if sorted(band.low for band in bands.bands) != list(range(len(score.outcomes))):
            yield f"{field}.cuts", "does not name each value of the rule once"
        return
    yield from _cuts(instrument, score, bands, f"{field}.cuts")


def _cuts(instrument: Instrument, score: ScoreDefinition, bands: BandSet, field: str) -> Iterator[Problem]:
    for band in bands.bands:
        if not score.low <= band.low <= band.high <= score.high:
            yield field, f"{band.id} is not inside the possible range {score.low} to {score.high}"
        if band.level < 0:
            yield field, f"{band.id} has a negative level"
    for below, above in pairwise(bands.bands):
        # In the steps of the score: a mean of six items goes from 1.83 to 2.00 with nothing between.
        if steps(score, above.low, up=True) != steps(score, below.high, up=False) + 1:
            yield field, f"{below.id} and {above.id} overlap or leave a gap"
        rises = below.level > above.level if score.higher_is_better else below.level < above.level
        if not rises:
            yield field, f"the levels of {below.id} and {above.id} do not rise towards concern"
    # A set may mark its upper end only ("10 and more is positive"), never leave the end of concern open.
    highest = _highest(instrument, score, bands)
    reaches = bands.bands[0].low == score.low if score.higher_is_better else bands.bands[-1].high == highest
    if not reaches:
        yield field, "does not reach the end of concern"


def _highest(instrument: Instrument, score: ScoreDefinition, bands: BandSet) -> Number:
    """The highest value of those the set is for: the younger children of a sheet may be asked fewer items."""
    younger = next(
        (y for y in instrument.younger_bands if (y.score, y.set) == (bands.score, bands.set)), None
    )
    if younger is None:
        return score.high
    left_out = {
        key
        for each in instrument.conditionals
        if isinstance(each.asked_if, PersonCondition) and (each.asked_if.age_from or 0) >= younger.below
        for key in each.items
    }
    return score.high - sum(instrument.item(key).values[-1] for key in score.items if key in left_out)


def _band_names(instrument: Instrument) -> Iterator[Problem]:
    names = [(bands.score, bands.set) for bands in instrument.bands]
    for score, name in names:
        if names.count((score, name)) > 1:
            yield "bands", f"the set {name} of {score} is there twice"


def _deciding(instrument: Instrument) -> Iterator[Problem]:
    """What decides a level rests on a total and on facts of certainty A or B."""
    for field, cutoff in (("screens_at", instrument.screens_at), ("floor: high", instrument.severe_floor)):
        if cutoff is None:
            continue
        if cutoff.certainty is Certainty.C:
            yield field, f"the band set {cutoff.set} has certainty C and must not decide anything"
        if cutoff.score != instrument.main_score or instrument.score(cutoff.score).kind is ScoreKind.RULE:
            yield field, "must be a cut-off of the total: a subscale chooses areas, never a level"
    screens = instrument.screens_at
    if screens and screens.younger and instrument.band_set(screens.score, screens.younger.set) is not None:
        below = instrument.band_set(screens.score, screens.younger.set)
        if below is not None and below.certainty is Certainty.C:
            yield (
                "screens_at.younger",
                f"the band set {below.set} has certainty C and must not decide anything",
            )
    screens, floor = instrument.screens_at, instrument.severe_floor
    if screens and floor and not screens.reached(floor.value):
        yield "floor: high", "lies below the screening cut-off"


def _critical(instrument: Instrument) -> Iterator[Problem]:
    for place, rule in enumerate(instrument.critical, start=1):
        field = f"critical[{place}]"
        if not rule.matches:
            yield field, "names no item"
        for match in rule.matches:
            if match.item not in instrument.positions:
                yield field, f"there is no item {match.item}"
            elif not set(match.values) <= set(instrument.item(match.item).values):
                yield field, f"item {match.item} has no such answer"


def _loinc(instrument: Instrument) -> Iterator[Problem]:
    loinc = instrument.loinc
    codes = [("panel", loinc.panel), ("total", loinc.total), *(("items", code) for _, code in loinc.items)]
    for field, code in codes:
        if code is not None and not _is_loinc(code):
            yield f"loinc.{field}", f"{code} is not a LOINC code (form or check digit)"
    for key, _ in loinc.items:
        if key not in instrument.positions:
            yield "loinc.items", f"there is no item {key}"
    yield from _loinc_answers(instrument)


def _loinc_answers(instrument: Instrument) -> Iterator[Problem]:
    for key, value, code in instrument.loinc.answers:
        if not _LOINC_ANSWER.fullmatch(code):
            yield "loinc.answers", f"{code} is not a LOINC answer code"
        options = instrument.responses if not key else ()
        if key in instrument.positions:
            options = instrument.item(key).options
        if value not in {option.value for option in options}:
            yield "loinc.answers", f"{key or 'the main list'} has no answer {value}"


def _is_loinc(code: str) -> bool:
    """Form and check digit (modulus 10 with doubled digits, as on a bank card)."""
    match = _LOINC.fullmatch(code)
    if not match:
        return False
    total = 0
    for place, digit in enumerate(reversed(match.group(1))):
        doubled = int(digit) * (2 if place % 2 == 0 else 1)
        total += doubled // 10 + doubled % 10
    return (10 - total % 10) % 10 == int(match.group(2))


def _studies(instrument: Instrument) -> Iterator[Problem]:
    known = {score.id for score in instrument.scores if score.kind is not ScoreKind.RULE}
    for place, norm in enumerate(instrument.norms, start=1):
        if not {row.score for row in norm.rows} <= known:
            yield f"norms[{place}].rows", "names a score that is not defined"
    for place, each in enumerate(instrument.reliability, start=1):
        if each.score not in known:
            yield f"reliability[{place}].score", f"{each.score} is not defined"


def _paperwork(instrument: Instrument) -> Iterator[Problem]:
    licence = instrument.licence
    if licence.on_screen and (licence.status in ("licensed", "unclear") or licence.certainty is Certainty.C):
        yield "licence.on_screen", "is not shown by a licence that is free or permitted and was read"
    if instrument.recall.days is not None and instrument.recall.days <= 0:
        yield "recall.days", "must be at least 1, or null where no window is set"
    if instrument.retest.min_gap_days < 0:
        yield "retest.min_gap_days", "must not be negative"
    sources = {source.id for source in instrument.sources}
    for place, fact in enumerate(instrument.provenance, start=1):
        field = f"provenance[{place}].source"
        if (fact.how == "read") is not bool(fact.source):
            yield field, "is given for what was read, and only for that"
        for source in fact.source:
            if source not in sources:
                yield field, f"{source} is not one of the sources"
