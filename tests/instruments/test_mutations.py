"""One key, cut-off or reverse item changed in a library file is noticed: by a check, or by the second opinion."""

from __future__ import annotations

import random
from collections.abc import Iterator
from copy import deepcopy
from functools import cache
from importlib.resources import files
from typing import Any

import numpy as np
import pytest
import yaml

from instruments import (
    MISSING,
    Instrument,
    LibraryError,
    catalogue,
    critical_items,
    in_layout,
    score_batch,
)
from instruments.catalogue import read_instrument
from instruments.checks import problems
from instruments.definition import ScoreKind
from instruments.engine import INVALID, NO_GRADE, People
from instruments.parsing import parse_instrument
from instruments.reading import Node
from tests.instruments import reference
from tests.instruments.test_engine_against_reference import raw_of, sheets, somebody, value_of

File = dict[str, Any]
SHEETS = 60
FEW = 4


def starts_of(instrument: Instrument) -> dict[tuple[str, str], tuple[tuple[float, ...], tuple[str, ...]]]:
    return {
        (each.score, each.set): (tuple(float(b.low) for b in each.bands), tuple(b.id for b in each.bands))
        for each in instrument.bands
        if instrument.score(each.score).kind is not ScoreKind.RULE
    }


@pytest.mark.parametrize("code", catalogue().codes)
def test_every_band_set_begins_where_it_was_read(code: str) -> None:
    """Those of certainty C too: they decide nothing, but they are shown to whoever asks for them."""
    assert starts_of(catalogue().get(code)) == reference.all_bands(code)


@cache
def expected(code: str, layout: str) -> tuple[np.ndarray, People, list[Any]]:
    """Made-up sheets of the instrument as it is, and what the second opinion says of them."""
    instrument = in_layout(catalogue().get(code), layout)
    drawn = sheets(instrument, SHEETS, 0.02, seed=1)
    drawn[:, 0] = drawn[:, 1]  # a blank sheet tells nothing
    matrix = np.concatenate([drawn, one_at_a_time(instrument)], axis=1)
    people, who = somebody(matrix.shape[1], layout)
    said = []
    for place, column in enumerate(matrix.T):
        raw, person = raw_of(catalogue().get(code), column), who[place]
        scores = reference.SCORERS[code](raw, person)
        over = reference.reaches(code, scores.get("total"), person)
        invalid = reference.is_invalid(code, raw, person)
        printed = {name: reference.printed(value) for name, value in scores.items()}
        said.append(
            (printed, reference.grade(code, raw, person), invalid, *(each and not invalid for each in over))
        )
    return matrix, people, said


def one_at_a_time(instrument: Instrument) -> np.ndarray:
    """Sheets that say nothing but one thing about one critical item."""
    calm = [min(v for v in item.values if v >= 0) for item in instrument.items]
    columns = [calm]
    for key in critical_items(instrument):
        place = instrument.positions[key]
        for value in (*instrument.items[place].values, MISSING):
            columns.append([*calm[:place], value, *calm[place + 1 :]])
    return np.array(columns, dtype=np.int8).T


def agrees(instrument: Instrument) -> bool:
    """Whether an instrument says of every made-up sheet, in every order, what the second opinion says."""
    if starts_of(instrument) != reference.all_bands(instrument.code):
        return False
    return all(_agrees(in_layout(instrument, each.id), instrument.code) for each in instrument.layouts)


def _agrees(instrument: Instrument, code: str) -> bool:
    matrix, people, said = expected(code, instrument.layout)
    try:
        batch = score_batch(instrument, matrix, people)
    except ValueError:
        return False
    for place, (scores, grade, invalid, over, severe) in enumerate(said):
        for definition in instrument.scores:
            number = int(batch.values[definition.id][place])
            found = None if number == -32768 else value_of(definition, number)
            if found != scores[definition.id]:
                return False
        rank = int(batch.grades[place])
        found_grade = None if rank == NO_GRADE else "ABCR"[rank]
        flags = (batch.validity[place] == INVALID, bool(batch.over_cutoff[place]), bool(batch.severe[place]))
        if (found_grade, *flags) != (grade, invalid, over, severe):
            return False
    return True


def noticed(content: File) -> bool:
    try:
        instrument = parse_instrument(Node("x.yaml", "", content), "changed")
    except LibraryError:
        return True
    return bool(list(problems(instrument, content["code"]))) or not agrees(instrument)


def mutations(content: File) -> Iterator[tuple[str, File]]:
    """Every file that differs from this one in one key, cut-off or reverse item."""
    main = [item["n"] for item in content["items"]]
    for place, score in enumerate(content["scores"]):
        for where, item in enumerate(score.get("items", ())):
            for other in [n for n in main if n not in score["items"]][:1]:
                changed = deepcopy(content)
                changed["scores"][place]["items"][where] = other
                yield f"{score['id']}: item {item} becomes {other}", changed
    for item in main:
        changed = deepcopy(content)
        if item in changed["reverse"]:
            changed["reverse"].remove(item)
        else:
            changed["reverse"].append(item)
        yield f"item {item} turned", changed
    yield from _cuts(content)
    for place, rule in enumerate(content["critical"]):
        for item, answers in rule["items"].items():
            for answer in answers:
                changed = deepcopy(content)
                changed["critical"][place]["items"][item].remove(answer)
                yield f"critical {item}: without {answer}", changed


def _cuts(content: File) -> Iterator[tuple[str, File]]:
    for place, bands in enumerate(content["bands"]):
        for where, cut in enumerate(bands["cuts"]):
            if "min" not in cut:
                continue
            for step in (-1, 1):
                changed = deepcopy(content)
                cuts = changed["bands"][place]["cuts"]
                cuts[where]["min"] += step
                for neighbour in cuts:  # the neighbour moves along, so that nothing overlaps
                    if neighbour["max"] == cut["min"] - 1:
                        neighbour["max"] += step
                yield f"{bands['score']} {bands['set']}: {cut['min']} moved by {step}", changed


def library(code: str) -> File:
    content: File = yaml.load(
        (files("instruments") / "library" / f"{code}.yaml").read_bytes(), Loader=yaml.CSafeLoader
    )
    return content


@pytest.mark.parametrize("code", catalogue().codes)
def test_a_changed_key_cut_off_or_reverse_item_is_noticed(code: str) -> None:
    """A few of each file here; all of them in the long run."""
    content = library(code)
    assert not noticed(deepcopy(content))
    found = list(mutations(content))
    for what, changed in random.Random(code).sample(found, min(FEW, len(found))):
        assert noticed(changed), what


@pytest.mark.slow
@pytest.mark.parametrize("code", catalogue().codes)
def test_every_changed_key_cut_off_or_reverse_item_is_noticed(code: str) -> None:
    missed = [what for what, changed in mutations(library(code)) if not noticed(changed)]
    assert not missed


def test_the_file_is_read_as_it_lies() -> None:
    """The copy above goes round the reader; the file itself must say the same."""
    data = (files("instruments") / "library" / "sdq_t.yaml").read_bytes()
    assert agrees(read_instrument("sdq_t.yaml", data))
