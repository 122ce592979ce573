"""题目文本: the wording of a questionnaire that a district may use, in versions."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum
from typing import Any
from uuid import UUID

from sqlalchemy import CheckConstraint, Index, LargeBinary, String, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from screening.core.db import Base
from screening.core.types import EnumText, Instant, Json, reference


class WordingForm(StrEnum):
    """What it was read from."""

    FHIR = "fhir"
    WORKBOOK = "workbook"


class WordingPack(Base):
    """One version of the wording of one questionnaire, language and layout in one district (decision 7).

    ``content`` is what ``instruments.text.Pack.as_dict`` gives: published text, nothing about anybody. It is shown
    from the approval by a second person on, until a newer version is approved or this one is withdrawn.
    ``origin`` says where the text was taken from, in the words of whoever brought it in.
    """

    __tablename__ = "wording_pack"
    __table_args__ = (
        UniqueConstraint(
            "organisation_id", "instrument", "language", "layout", "version", name="uq_wording_pack_version"
        ),
        CheckConstraint("(approved_by IS NULL) = (approved_at IS NULL)", "approved"),
        CheckConstraint("(withdrawn_by IS NULL) = (withdrawn_at IS NULL)", "withdrawn"),
        CheckConstraint("approved_by IS NULL OR approved_by <> imported_by", "two_people"),
        Index("ix_wording_pack_instrument", "organisation_id", "instrument"),
    )

    organisation_id: Mapped[UUID] = mapped_column(reference("organisation.id"))
    instrument: Mapped[str] = mapped_column(String(20))
    instrument_version: Mapped[str] = mapped_column(String(40))
    language: Mapped[str] = mapped_column(String(10))
    layout: Mapped[str] = mapped_column(String(40))
    version: Mapped[int]
    form: Mapped[WordingForm] = mapped_column(EnumText(WordingForm))
    origin: Mapped[str] = mapped_column(String(200))
    content: Mapped[dict[str, Any]] = mapped_column(Json)
    content_hash: Mapped[bytes] = mapped_column(LargeBinary(32))
    imported_by: Mapped[UUID] = mapped_column(reference("account.id"))
    imported_at: Mapped[datetime] = mapped_column(Instant)
    approved_by: Mapped[UUID | None] = mapped_column(reference("account.id"))
    approved_at: Mapped[datetime | None] = mapped_column(Instant)
    withdrawn_by: Mapped[UUID | None] = mapped_column(reference("account.id"))
    withdrawn_at: Mapped[datetime | None] = mapped_column(Instant)
    withdrawn_why: Mapped[str | None] = mapped_column(String(200))
