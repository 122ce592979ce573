"""Lines of a person's list, and notices."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Self
from uuid import UUID

from pydantic import Field

from api.v1.schemas.common import Answer, Body, Line
from referral.models.notice import Notice
from referral.queries.today import TaskLine
from referral.terms import TaskKind


class TaskOut(Answer):
    """What is to be done by when. The child is named only to somebody who may see the child."""

    id: UUID
    kind: TaskKind
    clock: str | None
    due_at: datetime
    late: bool
    step: int
    subject_id: UUID
    child_id: UUID | None
    child_name: str | None
    case_id: UUID | None
    case_no: str | None

    @classmethod
    def of(cls, line: TaskLine, now: datetime) -> Self:
        task, child, case = line.task, line.child, line.case
        return cls(
            id=task.id,
            kind=task.kind,
            clock=task.clock,
            due_at=task.due_at,
            late=task.due_at < now,
            step=task.step,
            subject_id=task.subject_id,
            child_id=child.id if child else None,
            child_name=child.name if child else None,
            case_id=case.id if case else None,
            case_no=case.case_no if case else None,
        )


class DecisionIn(Body):
    """What was decided, as a short code, and why in a few words."""

    decision: Annotated[str, Field(min_length=1, max_length=40, pattern=r"^[a-z_]+$")]
    reason: Line


class NoticeOut(Answer):
    """Something rings: its number and since when. What it is about is asked for by its task."""

    id: UUID
    task_id: UUID | None
    number: str
    urgent: bool
    created_at: datetime

    @classmethod
    def of(cls, notice: Notice) -> Self:
        return cls(
            id=notice.id,
            task_id=notice.task_id,
            number=notice.number,
            urgent=notice.urgent,
            created_at=notice.created_at,
        )
