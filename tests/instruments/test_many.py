"""Sheets that are scored together say what each says alone."""

from __future__ import annotations

import random

import pytest

from instruments import AnswerSheet, SheetConditions, catalogue, score, score_many


@pytest.mark.parametrize("code", ["phq9", "mht", "sdq_s", "asq"])
def test_scored_together_as_scored_alone(code):
    instrument, rnd = catalogue().get(code), random.Random(20261128)
    pairs = []
    for place in range(40):
        given = {item.key: rnd.choice(item.values) for item in instrument.items}
        for key in rnd.sample(list(given), k=rnd.choice([0, 0, 1, 2, len(given)])):
            given[key] = None
        conditions = SheetConditions(seconds=3) if place % 7 == 0 else SheetConditions()
        pairs.append((AnswerSheet.parse(instrument, given), conditions))
    assert score_many(instrument, pairs) == [score(instrument, sheet, said) for sheet, said in pairs]
