"""热线来电: the call as the operator logs it, what was handed over to whom, and which child it was linked to.

A call names no child. Only a link does, made from a look-up and undone without a trace on the child's file but
the two events (domain guide §3.11). What callers say stays with the hotline; others read a handover.
"""

from __future__ import annotations

from datetime import date, datetime
from typing import Any
from uuid import UUID

from sqlalchemy import CheckConstraint, Index, LargeBinary, String, UniqueConstraint, text
from sqlalchemy.orm import Mapped, mapped_column, relationship

from referral.terms import (
    CallChannel,
    CallerAgreement,
    CallerKind,
    CallLevel,
    CallLine,
    CallStatus,
    CallType,
    DisclosureBasis,
    FollowUpStatus,
    HandoverResult,
    HandoverTo,
    HarmAnswer,
    KnownAnswer,
)
from screening.core.db import Base
from screening.core.types import EnumText, Instant, Json, SealedOptional, reference


class HotlineCall(Base):
    """One call (form F9). Nothing but the operator and the start is known while the line is open.

    ``record`` holds names, places, scales and words as JSON, sealed. ``saved``: field → sequence of the save that
    wrote it, so that a save that arrives late changes nothing newer. ``phone`` is read through
    ``referral.queries.hotline.phone_of`` only (decision 49). ``broken_*``: confidentiality broken, on which basis,
    asked for by whom, approved by which supervisor.
    """

    __tablename__ = "hotline_call"
    __table_args__ = (
        Index("ix_hotline_call_list", "organisation_id", "started_at"),
        CheckConstraint("(closed_at IS NULL) = (closed_by IS NULL)", "closed"),
        CheckConstraint("(broken_approved_at IS NULL) = (broken_approved_by IS NULL)", "broken"),
    )

    call_no: Mapped[str] = mapped_column(String(20), unique=True)
    organisation_id: Mapped[UUID] = mapped_column(reference("organisation.id"))
    operator_id: Mapped[UUID] = mapped_column(reference("account.id"), index=True)
    status: Mapped[CallStatus] = mapped_column(EnumText(CallStatus))
    version: Mapped[int] = mapped_column(default=1)
    started_at: Mapped[datetime] = mapped_column(Instant)
    ended_at: Mapped[datetime | None] = mapped_column(Instant)
    closed_at: Mapped[datetime | None] = mapped_column(Instant)
    closed_by: Mapped[UUID | None] = mapped_column(reference("account.id"))

    line: Mapped[CallLine | None] = mapped_column(EnumText(CallLine))
    channel: Mapped[CallChannel | None] = mapped_column(EnumText(CallChannel))
    caller: Mapped[CallerKind | None] = mapped_column(EnumText(CallerKind))
    type: Mapped[CallType | None] = mapped_column(EnumText(CallType))
    level: Mapped[CallLevel | None] = mapped_column(EnumText(CallLevel))
    harm_by: Mapped[HarmAnswer | None] = mapped_column(EnumText(HarmAnswer))
    callback_ok: Mapped[bool | None]
    confidentiality_told: Mapped[bool | None]
    phone_sealed: Mapped[bytes | None] = mapped_column(LargeBinary)
    phone_index: Mapped[bytes | None] = mapped_column(LargeBinary(32), index=True)
    record_sealed: Mapped[bytes | None] = mapped_column(LargeBinary)
    saved: Mapped[dict[str, Any]] = mapped_column(Json)

    phone_asked_by: Mapped[UUID | None] = mapped_column(reference("account.id"))
    phone_approved_at: Mapped[datetime | None] = mapped_column(Instant)
    phone_approved_by: Mapped[UUID | None] = mapped_column(reference("account.id"))
    broken_asked_by: Mapped[UUID | None] = mapped_column(reference("account.id"))
    broken_basis: Mapped[DisclosureBasis | None] = mapped_column(EnumText(DisclosureBasis))
    broken_reason_sealed: Mapped[bytes | None] = mapped_column(LargeBinary)
    broken_approved_at: Mapped[datetime | None] = mapped_column(Instant)
    broken_approved_by: Mapped[UUID | None] = mapped_column(reference("account.id"))
    review_due_at: Mapped[datetime | None] = mapped_column(Instant)
    reviewed_at: Mapped[datetime | None] = mapped_column(Instant)
    reviewed_by: Mapped[UUID | None] = mapped_column(reference("account.id"))
    review_sealed: Mapped[bytes | None] = mapped_column(LargeBinary)

    __mapper_args__ = {"version_id_col": version}  # noqa: RUF012  # read by the mapper when the class is made

    phone = SealedOptional(index=True)
    record = SealedOptional()
    broken_reason = SealedOptional()
    review = SealedOptional()

    history: Mapped[list[HotlineStatusChange]] = relationship(order_by="HotlineStatusChange.changed_at")


class HotlineStatusChange(Base):
    """A step of the call's machine, or another level in the same status."""

    __tablename__ = "hotline_status_change"

    call_id: Mapped[UUID] = mapped_column(reference("hotline_call.id"), index=True)
    status: Mapped[CallStatus] = mapped_column(EnumText(CallStatus))
    level: Mapped[CallLevel | None] = mapped_column(EnumText(CallLevel))
    changed_at: Mapped[datetime] = mapped_column(Instant)
    changed_by: Mapped[UUID | None]


class KnownChildLookup(Base):
    """One question "is this child known?", with its answer. Counted per operator and hour (requirement AZ8).

    ``child_id`` is the one match: never shown, but what a link is made from. ``attributes``: what agreed, as codes.
    """

    __tablename__ = "known_child_lookup"
    __table_args__ = (Index("ix_known_child_lookup_rate", "account_id", "asked_at"),)

    call_id: Mapped[UUID] = mapped_column(reference("hotline_call.id"), index=True)
    account_id: Mapped[UUID] = mapped_column(reference("account.id"))
    asked_at: Mapped[datetime] = mapped_column(Instant)
    answer: Mapped[KnownAnswer] = mapped_column(EnumText(KnownAnswer))
    child_id: Mapped[UUID | None] = mapped_column(reference("child.id"))
    attributes: Mapped[list[str]] = mapped_column(Json)


class HotlineLink(Base):
    """A call was found to be about this child. An event on the child's file; undone, it is two events."""

    __tablename__ = "hotline_link"
    __table_args__ = (
        Index(
            "uq_hotline_link_live",
            "call_id",
            unique=True,
            sqlite_where=text("undone_at IS NULL"),
            postgresql_where=text("undone_at IS NULL"),
        ),
        CheckConstraint("(undone_at IS NULL) = (undone_by IS NULL)", "undone"),
    )

    call_id: Mapped[UUID] = mapped_column(reference("hotline_call.id"))
    child_id: Mapped[UUID] = mapped_column(reference("child.id"), index=True)
    lookup_id: Mapped[UUID] = mapped_column(reference("known_child_lookup.id"))
    attributes: Mapped[list[str]] = mapped_column(Json)
    linked_at: Mapped[datetime] = mapped_column(Instant)
    linked_by: Mapped[UUID] = mapped_column(reference("account.id"))
    undone_at: Mapped[datetime | None] = mapped_column(Instant)
    undone_by: Mapped[UUID | None] = mapped_column(reference("account.id"))
    undone_reason_sealed: Mapped[bytes | None] = mapped_column(LargeBinary)

    undone_reason = SealedOptional()


class HandoverRecord(Base):
    """热线移交单 (form F10): what the receiver is told, and what came of it.

    ``organisation_id`` receives; empty for police and ambulance. ``case_id`` and ``link_id`` only where the child
    is known. Who called, when it was not the child, stands nowhere on it. Texts are sealed.
    """

    __tablename__ = "hotline_handover"
    __table_args__ = (
        Index("ix_hotline_handover_receiver", "organisation_id", "sent_at"),
        CheckConstraint("(result IS NULL) = (result_at IS NULL)", "result"),
    )

    call_id: Mapped[UUID] = mapped_column(reference("hotline_call.id"), index=True)
    call_no: Mapped[str] = mapped_column(String(20))
    level: Mapped[CallLevel] = mapped_column(EnumText(CallLevel))
    to: Mapped[HandoverTo] = mapped_column(EnumText(HandoverTo))
    organisation_id: Mapped[UUID | None] = mapped_column(reference("organisation.id"))
    link_id: Mapped[UUID | None] = mapped_column(reference("hotline_link.id"))
    case_id: Mapped[UUID | None] = mapped_column(reference("care_case.id"), index=True)
    agreed: Mapped[CallerAgreement] = mapped_column(EnumText(CallerAgreement))
    basis: Mapped[DisclosureBasis | None] = mapped_column(EnumText(DisclosureBasis))
    sent_at: Mapped[datetime] = mapped_column(Instant)
    sent_by: Mapped[UUID] = mapped_column(reference("account.id"))
    phoned_at: Mapped[datetime | None] = mapped_column(Instant)
    acknowledged_at: Mapped[datetime | None] = mapped_column(Instant)
    acknowledged_by: Mapped[UUID | None] = mapped_column(reference("account.id"))
    result: Mapped[HandoverResult | None] = mapped_column(EnumText(HandoverResult))
    result_at: Mapped[datetime | None] = mapped_column(Instant)
    result_by: Mapped[UUID | None] = mapped_column(reference("account.id"))
    what_said_sealed: Mapped[bytes | None] = mapped_column(LargeBinary)
    where_now_sealed: Mapped[bytes | None] = mapped_column(LargeBinary)
    asked_sealed: Mapped[bytes | None] = mapped_column(LargeBinary)
    safe_way_sealed: Mapped[bytes | None] = mapped_column(LargeBinary)
    received_by_sealed: Mapped[bytes | None] = mapped_column(LargeBinary)
    result_words_sealed: Mapped[bytes | None] = mapped_column(LargeBinary)

    what_said = SealedOptional()
    where_now = SealedOptional()
    asked = SealedOptional()
    safe_way = SealedOptional()
    received_by = SealedOptional()
    result_words = SealedOptional()


class HotlineFollowUp(Base):
    """热线回访: the hotline phones back after a call of level A or B. The caller may be nobody we know."""

    __tablename__ = "hotline_follow_up"
    __table_args__ = (UniqueConstraint("call_id", "due_on"),)

    call_id: Mapped[UUID] = mapped_column(reference("hotline_call.id"))
    due_on: Mapped[date]
    due_at: Mapped[datetime] = mapped_column(Instant)
    status: Mapped[FollowUpStatus] = mapped_column(EnumText(FollowUpStatus))
    scheduled_at: Mapped[datetime] = mapped_column(Instant)
    done_at: Mapped[datetime | None] = mapped_column(Instant)
    done_by: Mapped[UUID | None] = mapped_column(reference("account.id"))
    words_sealed: Mapped[bytes | None] = mapped_column(LargeBinary)

    # A step is a compare-and-set: the row is changed only while its status is what was read (RL5).
    __mapper_args__ = {"version_id_col": status, "version_id_generator": False}  # noqa: RUF012  # read by the mapper when the class is made

    words = SealedOptional()
