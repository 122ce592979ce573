"""A million PHQ-9 sheets through the engine, beside a plain loop over sheets and beside a copy of the bytes."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import numpy as np

from instruments import MISSING, AnswerSheet, Instrument, catalogue, score, score_batch
from tests.instruments import reference

N = 1_000_000
PLAIN = 20_000
ROUNDS = 5
SINGLE = 2_000


def _sheets(instrument: Instrument, n: int) -> np.ndarray:
    """Made-up sheets, one answer in a hundred missing."""
    random = np.random.default_rng(20260901)
    matrix = np.empty((len(instrument.items), n), dtype=np.int8)
    for row, item in enumerate(instrument.items):
        matrix[row] = random.choice(np.array(item.values, dtype=np.int8), n)
        matrix[row, random.random(n) < 0.01] = MISSING
    return matrix


def _best(work: Callable[[], object], rounds: int = ROUNDS) -> float:
    """Processor seconds of the quickest round: the one least disturbed by others on the machine."""
    found = []
    for _ in range(rounds):
        began = time.process_time()
        work()
        found.append(time.process_time() - began)
    return min(found)


def _raw(instrument: Instrument, matrix: np.ndarray, n: int) -> list[dict[str, int | None]]:
    keys = instrument.item_keys
    return [
        {key: None if value == MISSING else value for key, value in zip(keys, column, strict=True)}
        for column in matrix[:, :n].T.tolist()
    ]


def _batch(code: str, aim: str) -> list[dict[str, Any]]:
    instrument = catalogue().get(code)
    matrix = _sheets(instrument, N)
    scorer = reference.SCORERS[code]
    plain_sheets = _raw(instrument, matrix, PLAIN)
    copy_to = np.empty_like(matrix)
    engine = N / _best(lambda: score_batch(instrument, matrix))
    plain = PLAIN / _best(lambda: [scorer(raw, reference.ANYBODY) for raw in plain_sheets], rounds=3)
    copied = N / _best(lambda: np.copyto(copy_to, matrix))
    name = f"{instrument.abbr}, {N:,} sheets"
    return [
        {"name": f"{name}: engine", "value": round(engine / 1e6, 1), "unit": "million sheets/s", "aim": aim},
        {
            "name": f"{name}: engine ÷ plain loop",
            "value": round(engine / plain),
            "unit": "×",
            "note": f"the loop scores {plain:,.0f} sheets/s (scores only, measured on {PLAIN:,})",
        },
        {
            "name": f"{name}: copying the bytes ÷ engine",
            "value": round(copied / engine, 1),
            "unit": "×",
            "note": "how far from the least anybody must do; all scores, bands, grades and validity included",
        },
    ]


def _single(code: str, aim: str) -> dict[str, Any]:
    instrument = catalogue().get(code)
    raw = _raw(instrument, _sheets(instrument, 1), 1)[0]
    sheet = AnswerSheet.parse(instrument, raw)
    seconds = _best(lambda: [score(instrument, sheet) for _ in range(SINGLE)], rounds=3) / SINGLE
    return {"name": f"{instrument.abbr}, one sheet", "value": round(seconds * 1e6), "unit": "µs", "aim": aim}


def run() -> list[dict[str, Any]]:
    """The rows of the table; processor time, so that they hold on a busy machine too."""
    return [
        *_batch("phq9", "≥ 40"),
        *_batch("mht", "≥ 10"),
        _single("phq9", "≤ 100"),
        _single("sdq_s", "≤ 300"),
        _single("mht", "≤ 1000"),
    ]
