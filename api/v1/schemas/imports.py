"""An uploaded workbook: its counts, its progress and its problems by place."""

from __future__ import annotations

import json
from datetime import datetime
from typing import Any, Self
from uuid import UUID

from api.v1.schemas.common import Answer, Body
from screening.core.i18n import translate
from screening.models.import_batch import BatchStatus, ImportBatch

MOST_PROBLEMS = 2_000


class ProblemOut(Answer):
    """One problem: where (sheet, Excel's row and column) and what, in words. Never the value of a cell."""

    severity: str
    sheet: str | None
    row: int | None
    column: str | None
    message: str

    @classmethod
    def of(cls, problem: dict[str, Any], locale: str) -> Self:
        return cls(
            severity=problem["severity"],
            sheet=problem["sheet"],
            row=problem["row"],
            column=problem["column"],
            message=translate(locale, problem["message"], **problem["params"]),
        )


class BatchOut(Answer):
    """``written`` of ``good`` rows are stored. Alarms come first among the problems."""

    id: UUID
    campaign_id: UUID
    status: BatchStatus
    rows: int
    good: int
    refused: int
    absent: int
    written: int
    good_rows_only: bool
    uploaded_at: datetime
    committed_at: datetime | None
    problems: list[ProblemOut]
    more_problems: int

    @classmethod
    def of(cls, batch: ImportBatch, locale: str) -> Self:
        problems = json.loads(batch.problems or "[]")
        return cls(
            id=batch.id,
            campaign_id=batch.campaign_id,
            status=batch.status,
            rows=batch.rows,
            good=batch.good,
            refused=batch.refused,
            absent=batch.absent,
            written=batch.written,
            good_rows_only=batch.good_rows_only,
            uploaded_at=batch.uploaded_at,
            committed_at=batch.committed_at,
            problems=[ProblemOut.of(problem, locale) for problem in problems[:MOST_PROBLEMS]],
            more_problems=max(0, len(problems) - MOST_PROBLEMS),
        )


class CommitIn(Body):
    """``good_rows_only``: write what is right although other rows are refused; those stay on the owner's list."""

    good_rows_only: bool = False
