"""A million PHQ-9 sheets through the engine, beside a plain loop over sheets that applies the same rules and beside a
copy of the bytes; and a million rows of CSV through ``xinqiao score``."""

from __future__ import annotations

import csv
import tempfile
import time
import tracemalloc
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from api.cli.score import Wish, score_path
from instruments import MISSING, AnswerSheet, Instrument, catalogue, score, score_batch
from tests.instruments import reference

N = 1_000_000
PLAIN = 20_000
ROUNDS = 5
SINGLE = 500


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
    plain_sheets = _raw(instrument, matrix, PLAIN)
    copy_to = np.empty_like(matrix)
    engine = N / _best(lambda: score_batch(instrument, matrix))
    plain = PLAIN / _best(lambda: [_by_hand(code, raw) for raw in plain_sheets], rounds=3)
    copied = N / _best(lambda: np.copyto(copy_to, matrix))
    name = f"{instrument.abbr}, {N:,} sheets"
    return [
        {"name": f"{name}: engine", "value": round(engine / 1e6, 1), "unit": "million sheets/s", "aim": aim},
        {
            "name": f"{name}: engine ÷ plain loop",
            "value": round(engine / plain),
            "unit": "×",
            "aim": "≥ 500",
            "note": f"the loop scores {plain:,.0f} sheets/s (the same rules one sheet at a time, on {PLAIN:,})",
        },
        {
            "name": f"{name}: copying the bytes ÷ engine",
            "value": round(copied / engine, 1),
            "unit": "×",
            "aim": "≤ 12" if code == "mht" else None,
            "note": "how far from the least anybody must do; all scores, bands, grades and validity included",
        },
        {
            "name": f"{name}: memory above the answers ÷ the answers",
            "value": round(_memory(instrument, matrix) / matrix.nbytes, 2),
            "unit": "×",
            "aim": "≤ 3",
            "note": "the highest that was in use at one time, the result included",
        },
    ]


def _by_hand(code: str, raw: dict[str, int | None]) -> tuple[Any, ...]:
    """All that the engine says of a sheet, by the second opinion of the tests."""
    scores = reference.SCORERS[code](raw, reference.ANYBODY)
    bands = [reference.band(code, name, value) for name, value in scores.items()]
    filled = reference.filled(code, raw)
    cutoffs = reference.reaches(code, scores.get("total"), reference.ANYBODY)
    return scores, bands, filled, cutoffs, reference.grade(code, raw), reference.is_invalid(code, raw)


def _memory(instrument: Instrument, matrix: np.ndarray) -> int:
    tracemalloc.start()
    score_batch(instrument, matrix)
    _, most = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    return most


def _file() -> list[dict[str, Any]]:
    """A million PHQ-9 rows of CSV, each step by itself: what reading, scoring and writing take."""
    instrument = catalogue().get("phq9")
    with tempfile.TemporaryDirectory() as folder:
        answers, scores = Path(folder) / "answers.csv", Path(folder) / "scores.csv"
        matrix = _sheets(instrument, N)[:9].T.tolist()
        rows = (
            f"{n},{','.join('' if v == MISSING else str(v) for v in row)}" for n, row in enumerate(matrix)
        )
        answers.write_text("id,1,2,3,4,5,6,7,8,9\n" + "\n".join(rows) + "\n", encoding="utf-8")
        del matrix
        tracemalloc.start()
        score_path("phq9", answers, scores, Wish())
        _, most = tracemalloc.get_traced_memory()
        tracemalloc.stop()
        whole = _best(lambda: score_path("phq9", answers, scores, Wish()), rounds=3)
        split = _best(lambda: _only_read(answers), rounds=3)
        size = f"{answers.stat().st_size / 1e6:.0f} MB in, {scores.stat().st_size / 1e6:.0f} MB out"
    again = _sheets(instrument, N)
    scored = _best(lambda: score_batch(instrument, again))
    return [
        {
            "name": "xinqiao score, 1,000,000 PHQ-9 rows of CSV",
            "value": round(whole, 2),
            "unit": "s",
            "note": f"{size}; at most {most / 1e6:.0f} MB of memory",
        },
        {
            "name": "xinqiao score: share of splitting the CSV into cells",
            "value": round(100 * split / whole),
            "unit": "%",
            "note": "the reader of the standard library alone",
        },
        {
            "name": "xinqiao score: share of the engine",
            "value": round(100 * scored / whole, 1),
            "unit": "%",
            "note": "what is left is reading cells as numbers and writing texts",
        },
    ]


def _only_read(path: Path) -> int:
    with path.open(encoding="utf-8", newline="") as file:
        return sum(1 for _ in csv.reader(file, strict=True))


def _single(code: str, aim: str) -> dict[str, Any]:
    instrument = catalogue().get(code)
    raw = _raw(instrument, _sheets(instrument, 1), 1)[0]
    sheet = AnswerSheet.parse(instrument, raw)
    seconds = _best(lambda: [score(instrument, sheet) for _ in range(SINGLE)], rounds=15) / SINGLE
    return {"name": f"{instrument.abbr}, one sheet", "value": round(seconds * 1e6), "unit": "µs", "aim": aim}


def run() -> list[dict[str, Any]]:
    """The rows of the table; processor time, so that they hold on a busy machine too."""
    return [
        *_batch("phq9", "≥ 50"),
        *_batch("mht", "≥ 8"),
        _single("phq9", "≤ 100"),
        _single("sdq_s", "≤ 300"),
        _single("mht", "≤ 1000"),
        *_file(),
    ]
