"""An uploaded workbook, its rows and their verdicts, and the critical answers seen in it (decisions 18, 31)."""

from __future__ import annotations

from datetime import date, datetime
from enum import StrEnum
from typing import Any
from uuid import UUID

from sqlalchemy import Index, LargeBinary, String, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from instruments import Grade
from screening.core.db import Base
from screening.core.types import EnumText, Instant, Json, SealedOptional, reference


class BatchStatus(StrEnum):
    STAGED = "staged"  # 待提交
    COMMITTING = "committing"  # 正在写入
    COMMITTED = "committed"  # 已入库
    REFUSED = "refused"  # 整份不能读


class RowVerdict(StrEnum):
    GOOD = "good"
    REFUSED = "refused"
    ABSENT = "absent"  # a wholly blank row: no sheet (decision 23)


class ImportBatch(Base):
    """The same content twice is once: unique by campaign and SHA-256."""

    __tablename__ = "import_batch"
    __table_args__ = (UniqueConstraint("campaign_id", "sha256"),)

    organisation_id: Mapped[UUID] = mapped_column(reference("organisation.id"), index=True)
    campaign_id: Mapped[UUID] = mapped_column(reference("campaign.id"))
    document_id: Mapped[UUID] = mapped_column(reference("stored_document.id"))
    sha256: Mapped[bytes] = mapped_column(LargeBinary(32))
    file_name_sealed: Mapped[bytes | None] = mapped_column(LargeBinary)
    status: Mapped[BatchStatus] = mapped_column(EnumText(BatchStatus))
    good_rows_only: Mapped[bool] = mapped_column(default=False)
    rows: Mapped[int] = mapped_column(default=0)
    good: Mapped[int] = mapped_column(default=0)
    refused: Mapped[int] = mapped_column(default=0)
    absent: Mapped[int] = mapped_column(default=0)
    written: Mapped[int] = mapped_column(default=0)
    problems_sealed: Mapped[bytes | None] = mapped_column(LargeBinary)
    uploaded_at: Mapped[datetime] = mapped_column(Instant)
    uploaded_by: Mapped[UUID] = mapped_column(reference("account.id"))
    committed_at: Mapped[datetime | None] = mapped_column(Instant)
    committed_by: Mapped[UUID | None]

    file_name = SealedOptional()
    # Row problems as JSON: places and rules, never values; sealed all the same.
    problems = SealedOptional()


def content_place(row_id: UUID) -> str:
    """What the sealed content of a row is bound to."""
    return f"import_row.content:{row_id}"


class ImportRow(Base):
    """One row of a staged workbook: its parsed content sealed, its verdict, and what became of it."""

    __tablename__ = "import_row"
    __table_args__ = (
        UniqueConstraint("batch_id", "sheet", "excel_row"),
        Index("ix_import_row_todo", "batch_id", "done_at"),
    )

    batch_id: Mapped[UUID] = mapped_column(reference("import_batch.id"))
    sheet: Mapped[str] = mapped_column(String(20))
    excel_row: Mapped[int]
    verdict: Mapped[RowVerdict] = mapped_column(EnumText(RowVerdict))
    content_sealed: Mapped[bytes | None] = mapped_column(LargeBinary)
    child_id: Mapped[UUID | None]
    done_at: Mapped[datetime | None] = mapped_column(Instant)

    @property
    def content_place(self) -> str:
        """What the sealed content is bound to."""
        return content_place(self.id)


class CriticalSighting(Base):
    """A critical answer seen while staging or keying, before any sheet is stored. Adopted by the later sheet."""

    __tablename__ = "critical_sighting"
    __table_args__ = (
        UniqueConstraint("child_id", "instrument", "layout", "answered_on", "item", "grade"),
        Index("ix_critical_sighting_batch", "batch_id"),
    )

    child_id: Mapped[UUID] = mapped_column(reference("child.id"), index=True)
    instrument: Mapped[str] = mapped_column(String(20))
    layout: Mapped[str] = mapped_column(String(40))
    answered_on: Mapped[date]
    item: Mapped[str] = mapped_column(String(20))
    grade: Mapped[Grade] = mapped_column(EnumText(Grade))
    batch_id: Mapped[UUID | None] = mapped_column(reference("import_batch.id"))
    excel_row: Mapped[int | None]
    seen_at: Mapped[datetime] = mapped_column(Instant)
    adopted_by: Mapped[UUID | None]
    detail: Mapped[dict[str, Any] | None] = mapped_column(Json)
