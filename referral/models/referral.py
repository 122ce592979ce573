"""转介, 转介单, 回转单."""

from __future__ import annotations

from datetime import date, datetime
from uuid import UUID

from sqlalchemy import CheckConstraint, Index, LargeBinary, String, UniqueConstraint, text
from sqlalchemy.orm import Mapped, mapped_column, relationship

from referral.models.reply import ReferralReply
from referral.terms import Finding, Outcome, ReferralKind, ReferralStatus, Urgency
from screening.core.db import Base
from screening.core.types import EnumText, Instant, SealedOptional, reference
from screening.models.organisation import Organisation


class Facility(Base):
    """What a facility takes: one row per organisation of kind *facility*."""

    __tablename__ = "facility"

    organisation_id: Mapped[UUID] = mapped_column(reference("organisation.id"), unique=True)
    department: Mapped[str] = mapped_column(String(60))
    contact_name: Mapped[str | None] = mapped_column(String(60))
    contact_phone: Mapped[str | None] = mapped_column(String(40))
    age_min: Mapped[int]
    age_max: Mapped[int]
    weekly_slots: Mapped[int]
    takes_emergencies: Mapped[bool] = mapped_column(default=True)
    # Triage requests it has opened a week (decision 2, step 3); 0: none leaves by itself.
    triage_per_week: Mapped[int] = mapped_column(default=0)

    organisation: Mapped[Organisation] = relationship()


class ChannelAgreement(Base):
    """District and facility have agreed how referrals leave: who, until when, how many a week (decision 2)."""

    __tablename__ = "channel_agreement"
    __table_args__ = (CheckConstraint("valid_to >= valid_from", "dates"),)

    district_id: Mapped[UUID] = mapped_column(reference("organisation.id"), index=True)
    facility_id: Mapped[UUID] = mapped_column(reference("organisation.id"), index=True)
    release: Mapped[str] = mapped_column(String(20))
    weekly_limit: Mapped[int]
    agreed_by: Mapped[str] = mapped_column(String(120))
    valid_from: Mapped[date]
    valid_to: Mapped[date]
    recorded_at: Mapped[datetime] = mapped_column(Instant)
    recorded_by: Mapped[UUID | None]


class Referral(Base):
    """``status`` repeats the last status row (compare-and-set, RL5). ``answer_due_at`` is the facility's clock.

    ``frozen_sealed``: the note's content as it was sent (JSON, sealed); empty while it can still change.
    """

    __tablename__ = "referral"
    __table_args__ = (
        Index(
            "uq_referral_open",
            "case_id",
            "facility_id",
            unique=True,
            sqlite_where=text("ended_at IS NULL"),
            postgresql_where=text("ended_at IS NULL"),
        ),
        Index("ix_referral_facility", "facility_id", "status"),
        CheckConstraint("(sent_at IS NULL) = (legal_basis IS NULL)", "basis"),
    )

    form_no: Mapped[str] = mapped_column(String(12), unique=True)
    case_id: Mapped[UUID] = mapped_column(reference("care_case.id"), index=True)
    child_id: Mapped[UUID] = mapped_column(reference("child.id"), index=True)
    facility_id: Mapped[UUID | None] = mapped_column(reference("organisation.id"))
    kind: Mapped[ReferralKind] = mapped_column(EnumText(ReferralKind))
    urgency: Mapped[Urgency] = mapped_column(EnumText(Urgency))
    why: Mapped[str] = mapped_column(String(120))
    status: Mapped[ReferralStatus] = mapped_column(EnumText(ReferralStatus))
    version: Mapped[int] = mapped_column(default=1)
    note_version: Mapped[int] = mapped_column(default=1)
    legal_basis: Mapped[str | None] = mapped_column(String(40))
    consent_id: Mapped[UUID | None] = mapped_column(reference("consent.id"))
    frozen_sealed: Mapped[bytes | None] = mapped_column(LargeBinary)
    # What the school wrote for part 2 (F1) as JSON; empty while nobody has seen the child.
    words_sealed: Mapped[bytes | None] = mapped_column(LargeBinary)
    drafted_at: Mapped[datetime] = mapped_column(Instant, index=True)
    sent_at: Mapped[datetime | None] = mapped_column(Instant, index=True)
    sent_by: Mapped[UUID | None]
    answer_due_at: Mapped[datetime | None] = mapped_column(Instant)
    appointment_at: Mapped[datetime | None] = mapped_column(Instant)
    appointment_place_sealed: Mapped[bytes | None] = mapped_column(LargeBinary)
    ended_at: Mapped[datetime | None] = mapped_column(Instant)
    # A person has told the guardian about this referral: nothing leaves by itself before (decision 2).
    guardian_told_at: Mapped[datetime | None] = mapped_column(Instant)
    guardian_told_by: Mapped[UUID | None]
    held_until: Mapped[date | None]
    held_why: Mapped[str | None] = mapped_column(String(120))
    holds: Mapped[int] = mapped_column(default=0)
    no_shows: Mapped[int] = mapped_column(default=0)
    # The facility's clock stands still while it waits for what it asked (at most two working days).
    paused_at: Mapped[datetime | None] = mapped_column(Instant)
    former_id: Mapped[UUID | None] = mapped_column(reference("referral.id"))

    __mapper_args__ = {"version_id_col": version}  # noqa: RUF012  # read by the mapper when the class is made

    frozen = SealedOptional()
    words = SealedOptional()
    appointment_place = SealedOptional()

    facility: Mapped[Organisation | None] = relationship()
    history: Mapped[list[ReferralStatusChange]] = relationship(order_by="ReferralStatusChange.changed_at")
    notes: Mapped[list[ReferralNote]] = relationship(order_by="ReferralNote.number")
    return_notes: Mapped[list[ReturnNote]] = relationship(order_by="ReturnNote.number")
    replies: Mapped[list[ReferralReply]] = relationship(order_by="ReferralReply.arrived_at")


class ReferralStatusChange(Base):
    __tablename__ = "referral_status_change"

    referral_id: Mapped[UUID] = mapped_column(reference("referral.id"), index=True)
    status: Mapped[ReferralStatus] = mapped_column(EnumText(ReferralStatus))
    changed_at: Mapped[datetime] = mapped_column(Instant)
    changed_by: Mapped[UUID | None]
    reason: Mapped[str | None] = mapped_column(String(80))
    remark_sealed: Mapped[bytes | None] = mapped_column(LargeBinary)
    # On whose words somebody else wrote it: a reply without an account (代录, or confirmed by telephone).
    reply_id: Mapped[UUID | None] = mapped_column(reference("referral_reply.id"))

    remark = SealedOptional()


class ReferralNote(Base):
    """转介单: one PDF per note version of a referral; the newest is current."""

    __tablename__ = "referral_note"
    __table_args__ = (UniqueConstraint("referral_id", "number"),)

    referral_id: Mapped[UUID] = mapped_column(reference("referral.id"))
    number: Mapped[int]
    document_id: Mapped[UUID] = mapped_column(reference("stored_document.id"))
    made_at: Mapped[datetime] = mapped_column(Instant)
    pages: Mapped[int]


class ReturnNote(Base):
    """回转单: versions, no machine (decision 40). ``finding`` is the label, ``outcome`` what happens next."""

    __tablename__ = "return_note"
    __table_args__ = (UniqueConstraint("referral_id", "number"),)

    referral_id: Mapped[UUID] = mapped_column(reference("referral.id"))
    number: Mapped[int]
    visit_on: Mapped[date]
    outcome: Mapped[Outcome] = mapped_column(EnumText(Outcome))
    finding: Mapped[Finding] = mapped_column(EnumText(Finding))
    assessor_saw_probability: Mapped[bool]
    risk_now: Mapped[str] = mapped_column(String(10))
    attendance: Mapped[str] = mapped_column(String(20))
    next_visit_on: Mapped[date | None]
    guardian_agreed: Mapped[bool]
    # Form F1 part 3: what the school may read, and the clinical part that needs the guardian's agreement.
    advice_sealed: Mapped[bytes | None] = mapped_column(LargeBinary)
    clinical_sealed: Mapped[bytes | None] = mapped_column(LargeBinary)
    written_at: Mapped[datetime] = mapped_column(Instant)
    written_by: Mapped[UUID] = mapped_column(reference("account.id"))
    reply_id: Mapped[UUID | None] = mapped_column(reference("referral_reply.id"))
    read_at: Mapped[datetime | None] = mapped_column(Instant)
    read_by: Mapped[UUID | None]

    advice = SealedOptional()
    clinical = SealedOptional()
