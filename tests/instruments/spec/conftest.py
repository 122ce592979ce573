"""The ``spec`` of a worked example: answers in, what the sheet says out.

The examples are read twice: here, where each is scored and compared, and by ``api/docs/instruments.py``, which
prints them as documentation. So an example says everything it needs in one call, and its source in its text.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import pytest

from instruments import AnswerSheet, Scores, SheetConditions, catalogue, score

Spec = Callable[..., None]


def sheet_of(
    code: str, every: int | None, answers: Mapping[int | str, int | None], layout: str | None = None
) -> AnswerSheet:
    """``every`` main item with one answer, then ``answers`` (None leaves an item blank)."""
    instrument = catalogue().get(code)
    raw: dict[str, object] = {item.key: every for item in instrument.main_items}
    raw.update({str(key): value for key, value in answers.items()})
    return AnswerSheet.parse(instrument, raw, layout=layout)


def said(scores: Scores, key: str) -> Any:
    """What the sheet says under the name used in an example."""
    main = scores.main
    plain = {
        "band": main.band.id if main.band else None,
        "status": main.status,
        "missing": main.missing,
        "between": (main.lowest, main.highest),
        "critical": {found.item: f"{found.grade} {found.reason}" for found in scores.critical},
        "grade": scores.grade,
        "validity": scores.validity,
        "flags": scores.flags,
        "over_cutoff": scores.over_cutoff,
        "severe": scores.severe,
    }
    if key in plain:
        return plain[key]
    if key.endswith("_band"):
        band = scores.values[key.removesuffix("_band")].band
        return band.id if band else None
    if key.endswith("_status"):
        return scores.values[key.removesuffix("_status")].status
    return scores.values[key].value


@pytest.fixture
def spec() -> Spec:
    def check(
        code: str,
        *,
        every: int | None = None,
        answers: Mapping[int | str, int | None] | None = None,
        layout: str | None = None,
        conditions: SheetConditions | None = None,
        expect: Mapping[str, Any],
    ) -> None:
        sheet = sheet_of(code, every, answers or {}, layout)
        scores = score(catalogue().get(code), sheet, conditions or SheetConditions())
        assert {key: said(scores, key) for key in expect} == dict(expect)

    return check
