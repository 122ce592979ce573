"""知情同意: one row per answer, purpose and version of the text. The last row of a purpose holds."""

from __future__ import annotations

from datetime import date, datetime
from enum import StrEnum
from uuid import UUID

from sqlalchemy import Index, LargeBinary, String
from sqlalchemy.orm import Mapped, mapped_column

from screening.core.db import Base
from screening.core.types import EnumText, Instant, SealedOptional, reference


class Purpose(StrEnum):
    """Domain guide §3.2."""

    SCREENING = "screening"
    INDIVIDUAL_COUNSELLING = "individual_counselling"
    SHARE_FACILITY = "share_facility"
    SHARE_CIVIL_AFFAIRS = "share_civil_affairs"
    SHARE_NEXT_SCHOOL = "share_next_school"
    CLINICAL_DETAIL_TO_SCHOOL = "clinical_detail_to_school"
    PAIRING_VOLUNTEER = "pairing_volunteer"
    RESEARCH_STATISTICS = "research_statistics"


class ConsentStatus(StrEnum):
    """``no_reply`` is not consent."""

    ASKED = "asked"
    GIVEN = "given"
    REFUSED = "refused"
    NO_REPLY = "no_reply"
    WITHDRAWN = "withdrawn"
    EXPIRED = "expired"


class Consent(Base):
    """Who answered what, how and when, about which version of the text."""

    __tablename__ = "consent"
    __table_args__ = (Index("ix_consent_child_purpose", "child_id", "purpose", "recorded_at"),)

    child_id: Mapped[UUID] = mapped_column(reference("child.id"))
    purpose: Mapped[Purpose] = mapped_column(EnumText(Purpose))
    status: Mapped[ConsentStatus] = mapped_column(EnumText(ConsentStatus))
    text_version: Mapped[str] = mapped_column(String(40))
    given_by_sealed: Mapped[bytes | None] = mapped_column(LargeBinary)
    relation: Mapped[str | None] = mapped_column(String(20))
    channel: Mapped[str] = mapped_column(String(20))
    given_on: Mapped[date]
    expires_on: Mapped[date | None]
    recorded_at: Mapped[datetime] = mapped_column(Instant)
    recorded_by: Mapped[UUID | None]

    given_by = SealedOptional()
