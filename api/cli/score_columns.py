"""What a batch of scored sheets says, column by column, as texts of a CSV file.

A million rows are written as fast as they are because a text is made once for each thing that can be said, and
then only looked up: there are 28 totals of the PHQ-9 and eight ways to be valid.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from instruments import GRADES, MISSING, BatchScores, Flag, Instrument, ScoreDefinition
from instruments.definition import BandSet, ScoreKind
from instruments.engine import (
    DOUBTFUL,
    INVALID,
    NO_BAND,
    NO_GRADE,
    NO_SCORE,
    People,
    band_places,
    not_asked,
)
from instruments.plan import band_starts, plan_of

Column = list[str]

STATUSES = ("scored", "prorated", "not_scorable")
VALIDITY = {0: "valid", DOUBTFUL: "doubtful", INVALID: "invalid"}
OUTSIDE_AGE = "outside_age"


@dataclass(frozen=True, slots=True)
class Shown:
    """What is written of one score: its band set, if any."""

    definition: ScoreDefinition
    bands: BandSet | None
    younger: tuple[int, BandSet] | None


def shown_scores(instrument: Instrument, set_name: str | None) -> tuple[Shown, ...]:
    """The scores with the sets whose bands are written: the default ones (of every certainty: a set that decides
    nothing may be read), or the named one where a score has it."""
    found = []
    for score in instrument.scores:
        younger = next((y for y in instrument.younger_bands if y.score == score.id), None)
        other = instrument.band_set(score.id, younger.set) if younger and set_name is None else None
        found.append(
            Shown(
                score,
                instrument.band_set(score.id, set_name),
                (younger.below, other) if younger and other else None,
            )
        )
    return tuple(found)


def headings(instrument: Instrument) -> list[str]:
    """The names of the columns, without those that are carried through."""
    columns = [
        name for score in instrument.scores for name in (score.id, f"{score.id}.band", f"{score.id}.status")
    ]
    return [
        *columns,
        *("valid", "critical", "critical_blank", "grade", "sheet_validity", "flags", "missing"),
        *("lowest", "highest", "over_cutoff", "severe"),
        *("asks_about_safety", "instrument", "version", "layout", "coding", "bands"),
    ]


def columns_of(
    instrument: Instrument,
    shown: Sequence[Shown],
    answers: NDArray[np.int8],
    people: People | None,
    batch: BatchScores,
) -> list[Column]:
    """The columns of ``headings`` for sheets of one layout. Several that say one thing together are one text."""
    absent = (answers == MISSING) & ~not_asked(instrument, answers, people)
    blank = np.asarray((answers == MISSING).all(axis=0))
    low, high = _bounds(instrument, answers, absent, batch)
    sets = dict.fromkeys(each.bands.set for each in shown if each.bands)
    constant = (
        str(int(instrument.asks_about_safety)),
        *(instrument.code, instrument.version, instrument.layout, instrument.coding, " ".join(sets)),
    )
    return [
        *(_score(each, batch, people) for each in shown),
        _looked_up((batch.validity == INVALID).view(np.int8), lambda n: "false" if n else "true"),
        *_critical(instrument, answers, blank),
        _looked_up(
            np.where(blank, NO_GRADE, batch.grades), lambda n: "" if n == NO_GRADE else GRADES[n].value
        ),
        _looked_up(batch.validity, VALIDITY.__getitem__),
        _flags(instrument, batch, people, blank),
        _missing(instrument, absent),
        low,
        high,
        _looked_up(batch.over_cutoff.view(np.int8), str),
        _looked_up(batch.severe.view(np.int8), str),
        [",".join(constant)] * answers.shape[1],
    ]


def _looked_up(codes: NDArray[Any], text: Callable[[int], str]) -> Column:
    """The texts of a column in which few different things stand."""
    wide = codes.astype(np.int64)
    least = int(wide.min(initial=0))
    span = int(wide.max(initial=0)) - least + 1
    if span > 1 << 16:
        found, places = np.unique(wide, return_inverse=True)
        texts = np.array([text(int(code)) for code in found], dtype=object)
        return list(texts[places])
    seen = np.flatnonzero(np.bincount(wide - least, minlength=span))
    table = np.empty(span, dtype=object)
    for place in seen.tolist():
        table[place] = text(place + least)
    return list(table[wide - least])


def _score(shown: Shown, batch: BatchScores, people: People | None) -> Column:
    """Value, band and status of one score, with their commas."""
    name = shown.definition.id
    values, statuses = batch.values[name], batch.statuses[name]
    bands = np.full(values.shape, NO_BAND, dtype=np.int8)
    if shown.bands is not None:
        bands = _places(shown.definition, shown.bands, values)
    names = [band.id for band in shown.bands.bands] if shown.bands else []
    if shown.younger is not None and people is not None:
        below, other = shown.younger
        young = (people.age >= 0) & (people.age < below)
        theirs = _places(shown.definition, other, values)
        bands = np.where(young, np.where(theirs == NO_BAND, NO_BAND, theirs + len(names)), bands)
        names += [band.id for band in other.bands]
    known = values != NO_SCORE
    steps_of = (
        np.where(known, values, -1).astype(np.int64) + 1
    )  # small numbers, 0 for no score: looked up at once
    many = len(names) + 1
    codes = (steps_of * len(STATUSES) + statuses) * many + (bands + 1)

    def text(code: int) -> str:
        rest, band = divmod(code, many)
        steps, status = divmod(rest, len(STATUSES))
        value = printed(shown.definition, steps - 1 if steps else NO_SCORE)
        return f"{value},{names[band - 1] if band else ''},{STATUSES[status]}"

    return _looked_up(codes, text)


def _places(score: ScoreDefinition, bands: BandSet, values: NDArray[np.int16]) -> NDArray[np.int8]:
    if score.kind is not ScoreKind.RULE:
        return band_places(band_starts(score, bands.bands), values)
    table = np.full(len(score.outcomes) + 1, NO_BAND, dtype=np.int8)
    for place, band in enumerate(bands.bands):
        table[score.outcomes.index(band.outcome or "")] = place
    return np.asarray(table[np.where(values == NO_SCORE, len(score.outcomes), values)])


def printed(score: ScoreDefinition, steps: int) -> str:
    """A score as it is written: decimals where it has them, the name of an outcome, nothing where there is none."""
    if steps == NO_SCORE:
        return ""
    if score.outcomes:
        return score.outcomes[steps]
    value = score.printed(steps)
    return f"{value:.{score.decimals}f}" if score.decimals else str(value)


def _critical(
    instrument: Instrument, answers: NDArray[np.int8], blank: NDArray[np.bool_]
) -> tuple[Column, Column]:
    """The critical items that were answered so that they fire, and those that fire because they were left blank."""
    fired: dict[str, NDArray[np.bool_]] = {}
    for rule in instrument.critical:
        holds = ~blank
        for match in rule.matches:
            codes = [*match.values, *([MISSING] if match.blank else [])]
            holds = holds & np.isin(answers[instrument.positions[match.item]], codes)
        for match in rule.matches:
            fired[match.item] = fired.get(match.item, np.zeros_like(blank)) | holds
    keys = [key for key in instrument.positions if key in fired]
    given = np.zeros(blank.shape, dtype=np.int64)
    left = np.zeros(blank.shape, dtype=np.int64)
    for bit, key in enumerate(keys):
        unanswered = answers[instrument.positions[key]] == MISSING
        given |= (fired[key] & ~unanswered).astype(np.int64) << bit
        left |= (fired[key] & unanswered).astype(np.int64) << bit

    def text(code: int) -> str:
        return ";".join(key for bit, key in enumerate(keys) if code >> bit & 1)

    return _looked_up(given, text), _looked_up(left, text)


def _flags(
    instrument: Instrument, batch: BatchScores, people: People | None, blank: NDArray[np.bool_]
) -> Column:
    raised: list[tuple[str, NDArray[np.bool_]]] = [
        (Flag.BLANK.value, blank),
        (Flag.MISSING_ANSWERS.value, batch.too_few & ~blank),
        (Flag.VALIDITY_SCALE.value, batch.unfit & ~blank),
        (Flag.CONTRADICTION.value, batch.contradiction & ~blank),
        (Flag.STRAIGHT_LINE.value, batch.straight_line & ~blank),
    ]
    if people is not None:
        youngest = instrument.age_min or 0
        oldest = 200 if instrument.age_max is None else instrument.age_max
        known = people.age >= 0
        raised.append((OUTSIDE_AGE, known & ((people.age < youngest) | (people.age > oldest))))
    codes = np.zeros(blank.shape, dtype=np.int64)
    for bit, (_, where) in enumerate(raised):
        codes |= where.astype(np.int64) << bit
    return _looked_up(
        codes, lambda code: ";".join(name for bit, (name, _) in enumerate(raised) if code >> bit & 1)
    )


def _missing(instrument: Instrument, absent: NDArray[np.bool_]) -> Column:
    """The scored items that were asked and not answered. Most sheets have none."""
    texts = [""] * absent.shape[1]
    scored = [place for place, item in enumerate(instrument.items) if item.scored]
    keys = [instrument.items[place].key for place in scored]
    few = absent[scored]
    lacking = np.flatnonzero(few.any(axis=0))
    known: dict[bytes, str] = {}
    packed = np.packbits(few[:, lacking], axis=0).T
    for place, bits in zip(lacking.tolist(), packed, strict=True):
        pattern = bits.tobytes()
        text = known.get(pattern)
        if text is None:
            text = known[pattern] = ";".join(keys[n] for n in np.flatnonzero(few[:, place]).tolist())
        texts[place] = text
    return texts


_BOUNDED = (ScoreKind.SUM, ScoreKind.SUM_TIMES, ScoreKind.MEAN, ScoreKind.PRORATED_SUM, ScoreKind.SUM_OF)


def _bounds(
    instrument: Instrument, answers: NDArray[np.int8], absent: NDArray[np.bool_], batch: BatchScores
) -> tuple[Column, Column]:
    """The lowest and highest value that the missing answers could still make of the main score, where there is none."""
    lows, highs = [""] * answers.shape[1], [""] * answers.shape[1]
    score = instrument.score(instrument.main_score)
    rows = np.flatnonzero(batch.values[score.id] == NO_SCORE)
    if not rows.size or score.kind not in _BOUNDED:
        return lows, highs
    least = np.zeros(rows.shape, dtype=np.int32)
    most = np.zeros(rows.shape, dtype=np.int32)
    for key in _leaves(instrument):
        item, place = instrument.item(key), instrument.positions[key]
        low, high = item.values[0], item.values[-1]
        given = answers[place, rows].astype(np.int32)
        points = low + high - given if item.reverse else given
        lacking, answered = absent[place, rows], given != MISSING
        least += np.where(answered, points, np.where(lacking, low, 0))
        most += np.where(answered, points, np.where(lacking, high, 0))
    for ends, texts in ((least, lows), (most, highs)):
        for row, steps in zip(rows.tolist(), (ends * score.factor).tolist(), strict=True):
            texts[row] = printed(score, steps)
    return lows, highs


def _leaves(instrument: Instrument) -> tuple[str, ...]:
    return next(p.leaves for p in plan_of(instrument).scores if p.score.id == instrument.main_score)


def lines(columns: Sequence[Column]) -> Iterator[str]:
    """The rows of a file from its columns."""
    return map(",".join, zip(*columns, strict=True))
