"""待办: every list, clock and ladder reads this one table (decision 28)."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

from sqlalchemy import CheckConstraint, Index, String, text
from sqlalchemy.orm import Mapped, mapped_column

from referral.terms import TaskKind
from screening.core.db import Base
from screening.core.types import EnumText, Instant, reference


class Task(Base):
    """Something a named person has to do by an instant. Open while ``done_at`` is empty.

    Unique per kind and subject while open: a second reason tightens the clock, it does not add a line.
    ``clock`` names the time limit (T09 …). ``step`` counts the rungs of the ladder that have rung.
    """

    __tablename__ = "task"
    __table_args__ = (
        Index(
            "uq_task_open",
            "kind",
            "subject_id",
            unique=True,
            sqlite_where=text("done_at IS NULL"),
            postgresql_where=text("done_at IS NULL"),
        ),
        Index("ix_task_owner", "owner_id", "done_at", "due_at"),
        Index("ix_task_child", "child_id", "done_at"),
        CheckConstraint("(done_at IS NULL) = (decision IS NULL)", "decided"),
    )

    kind: Mapped[TaskKind] = mapped_column(EnumText(TaskKind))
    subject_id: Mapped[UUID]
    organisation_id: Mapped[UUID] = mapped_column(reference("organisation.id"), index=True)
    child_id: Mapped[UUID | None] = mapped_column(reference("child.id"))
    case_id: Mapped[UUID | None] = mapped_column(reference("care_case.id"), index=True)
    owner_id: Mapped[UUID] = mapped_column(reference("account.id"))
    backup_id: Mapped[UUID | None] = mapped_column(reference("account.id"))
    clock: Mapped[str | None] = mapped_column(String(16))
    opened_at: Mapped[datetime] = mapped_column(Instant)
    due_at: Mapped[datetime] = mapped_column(Instant)
    step: Mapped[int] = mapped_column(default=0)
    next_ring_at: Mapped[datetime | None] = mapped_column(Instant, index=True)
    decision: Mapped[str | None] = mapped_column(String(40))
    reason: Mapped[str | None] = mapped_column(String(200))
    done_at: Mapped[datetime | None] = mapped_column(Instant)
    done_by: Mapped[UUID | None]


class TaskRing(Base):
    """One step of one task's ladder, rung once (requirement RL6)."""

    __tablename__ = "task_ring"
    __table_args__ = (Index("uq_task_ring_step", "task_id", "step", unique=True),)

    task_id: Mapped[UUID] = mapped_column(reference("task.id"))
    step: Mapped[int]
    rung_at: Mapped[datetime] = mapped_column(Instant)
    # The first of those for whom it rang. Told is only who presses (Notice.seen_at).
    rung_id: Mapped[UUID | None] = mapped_column("told_id", reference("account.id"))
