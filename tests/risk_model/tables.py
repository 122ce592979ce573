"""A small made-up table to learn from: clusters, weights, gaps, a category, an answer that means "does not apply"."""

from __future__ import annotations

import gzip
from collections.abc import Mapping
from pathlib import Path

import numpy as np

from risk_model.evaluation import expit

PREDICTORS = ("worry", "sleep", "steps", "kind", "partner", "noise")
CLUSTERS = ("year", "school")


def made_up(n: int = 1_200, *, seed: int = 3, shift: float = 0.0, gap: float = 0.08) -> dict[str, list[str]]:
    """Columns as texts. `shift` moves the log odds of the outcome, `gap` is the share of missing answers."""
    random = np.random.default_rng(seed)
    school = random.integers(0, 24, n)
    worry = random.integers(0, 5, n).astype(float)
    sleep = random.integers(4, 11, n).astype(float)
    steps = random.gamma(2.0, 3.0, n).round()
    kind = random.choice(["a", "b", "c"], n)
    partner = random.choice([-1.0, 0.0, 1.0, 2.0], n, p=[0.5, 0.3, 0.1, 0.1])
    score = -3.1 + shift + 0.55 * worry - 0.25 * (sleep - 7) + 0.5 * (kind == "b") + 1.0 * (partner > 0)
    score = score + 0.25 * worry * (sleep < 6) + random.normal(0.0, 0.2, 24)[school]
    y = (random.random(n) < expit(score)).astype(int)
    columns: dict[str, list[str]] = {
        "id": [f"r{place}" for place in range(n)],
        "year": [str(2_030 + each % 3) for each in school],
        "school": [str(each) for each in school],
        "weight": [f"{each:.4f}" for each in random.uniform(0.2, 3.0, n)],
        "worry": [f"{each:g}" for each in worry],
        "sleep": [f"{each:g}" for each in sleep],
        "steps": [f"{each:g}" for each in steps],
        "kind": kind.tolist(),
        "partner": [f"{each:g}" for each in partner],
        "noise": [f"{each:.1f}" for each in random.normal(size=n)],
        "y": [str(each) for each in y],
    }
    for name in PREDICTORS:
        for place in np.flatnonzero(random.random(n) < gap).tolist():
            columns[name][place] = ""
    return columns


def write(path: Path, columns: Mapping[str, list[str]]) -> Path:
    """As CSV, packed where the name ends in .gz."""
    lines = [",".join(columns), *(",".join(row) for row in zip(*columns.values(), strict=True))]
    content = ("\n".join(lines) + "\n").encode()
    path.write_bytes(gzip.compress(content, mtime=0) if path.suffix == ".gz" else content)
    return path
