"""What somebody has typed into a long form and not sent yet."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

from sqlalchemy import LargeBinary, String, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from screening.core.db import Base
from screening.core.types import Instant, Sealed, reference


class FormDraft(Base):
    """One unsent form of one author on one case; gone when the form is sent. ``fields``: JSON, sealed."""

    __tablename__ = "form_draft"
    __table_args__ = (UniqueConstraint("account_id", "case_id", "form"),)

    account_id: Mapped[UUID] = mapped_column(reference("account.id"))
    case_id: Mapped[UUID] = mapped_column(reference("care_case.id"), index=True)
    form: Mapped[str] = mapped_column(String(20))
    fields_sealed: Mapped[bytes] = mapped_column(LargeBinary)
    saved_at: Mapped[datetime] = mapped_column(Instant)

    fields = Sealed()
