"""The child, the people around the child, and where the child is on the roll."""

from __future__ import annotations

from datetime import date, datetime
from enum import StrEnum
from uuid import UUID

from sqlalchemy import CheckConstraint, Index, LargeBinary, String, text
from sqlalchemy.orm import Mapped, mapped_column, relationship

from screening.core.db import Base
from screening.core.types import EnumText, Instant, Sealed, SealedOptional, reference


class Sex(StrEnum):
    MALE = "male"  # 男
    FEMALE = "female"  # 女


class Child(Base):
    """One file per child (一人一档). ``organisation_id`` is the one accountable organisation."""

    __tablename__ = "child"

    organisation_id: Mapped[UUID] = mapped_column(reference("organisation.id"), index=True)
    file_no: Mapped[str] = mapped_column(String(20), unique=True)
    name_sealed: Mapped[bytes] = mapped_column(LargeBinary)
    name_index: Mapped[bytes] = mapped_column(LargeBinary(32), index=True)
    sex: Mapped[Sex] = mapped_column(EnumText(Sex))
    birth_date: Mapped[date]
    id_type: Mapped[str | None] = mapped_column(String(40))
    id_number_sealed: Mapped[bytes | None] = mapped_column(LargeBinary)
    id_number_index: Mapped[bytes | None] = mapped_column(LargeBinary(32), index=True)
    id_to_verify: Mapped[bool] = mapped_column(default=False)
    harm_answer: Mapped[str | None] = mapped_column(String(20))
    harm_answered_by: Mapped[UUID | None]
    harm_answered_at: Mapped[datetime | None] = mapped_column(Instant)
    created_at: Mapped[datetime] = mapped_column(Instant)

    name = Sealed(index=True)
    id_number = SealedOptional(index=True)

    guardians: Mapped[list[Guardian]] = relationship(back_populates="child", order_by="Guardian.recorded_at")
    enrolments: Mapped[list[Enrolment]] = relationship(
        back_populates="child", order_by="Enrolment.valid_from"
    )

    @property
    def enrolment(self) -> Enrolment | None:
        """The live one."""
        return next((e for e in reversed(self.enrolments) if e.valid_to is None), None)

    @property
    def guardian(self) -> Guardian | None:
        """The one recorded last."""
        return self.guardians[-1] if self.guardians else None


class Guardian(Base):
    """监护人: who must be told and asked. Not necessarily who cares for the child day by day."""

    __tablename__ = "guardian"

    child_id: Mapped[UUID] = mapped_column(reference("child.id"), index=True)
    name_sealed: Mapped[bytes] = mapped_column(LargeBinary)
    relation: Mapped[str | None] = mapped_column(String(20))
    phone_sealed: Mapped[bytes | None] = mapped_column(LargeBinary)
    phone_index: Mapped[bytes | None] = mapped_column(LargeBinary(32), index=True)
    recorded_at: Mapped[datetime] = mapped_column(Instant)
    recorded_by: Mapped[UUID | None]

    name = Sealed()
    phone = SealedOptional(index=True)

    child: Mapped[Child] = relationship(back_populates="guardians")


class Enrolment(Base):
    """在籍. Stage and cohort are stored, the grade is computed (domain guide §9.7)."""

    __tablename__ = "enrolment"
    __table_args__ = (
        Index(
            "uq_enrolment_live_number",
            "organisation_id",
            "student_no_index",
            unique=True,
            sqlite_where=text("valid_to IS NULL"),
            postgresql_where=text("valid_to IS NULL"),
        ),
        CheckConstraint("valid_to IS NULL OR valid_to >= valid_from", "dates"),
    )

    child_id: Mapped[UUID] = mapped_column(reference("child.id"), index=True)
    organisation_id: Mapped[UUID] = mapped_column(reference("organisation.id"))
    student_no_sealed: Mapped[bytes] = mapped_column(LargeBinary)
    student_no_index: Mapped[bytes] = mapped_column(LargeBinary(32))
    stage: Mapped[str] = mapped_column(String(20))
    cohort: Mapped[int]
    class_name: Mapped[str] = mapped_column(String(40))
    valid_from: Mapped[date]
    valid_to: Mapped[date | None]

    student_no = Sealed(index=True)

    child: Mapped[Child] = relationship(back_populates="enrolments")


class CategoryFact(Base):
    """类别事实: dated, with its source. Chooses help; never a flag on the child (domain guide §9.2)."""

    __tablename__ = "category_fact"

    child_id: Mapped[UUID] = mapped_column(reference("child.id"), index=True)
    fact: Mapped[str] = mapped_column(String(40))
    since_on: Mapped[date | None]
    until_on: Mapped[date | None]
    source: Mapped[str] = mapped_column(String(80))
    recorded_at: Mapped[datetime] = mapped_column(Instant)
    recorded_by: Mapped[UUID | None]


class AccessGrant(Base):
    """查看授权: one child, as much as ``part`` says, to one organisation, while ``reason`` lives (AZ7)."""

    __tablename__ = "access_grant"
    __table_args__ = (Index("ix_access_grant_live", "organisation_id", "ended_at"),)

    child_id: Mapped[UUID] = mapped_column(reference("child.id"), index=True)
    organisation_id: Mapped[UUID] = mapped_column(reference("organisation.id"))
    part: Mapped[str] = mapped_column(String(20))
    reason: Mapped[str] = mapped_column(String(40))
    reason_id: Mapped[UUID] = mapped_column(index=True)
    granted_at: Mapped[datetime] = mapped_column(Instant)
    granted_by: Mapped[UUID | None]
    ended_at: Mapped[datetime | None] = mapped_column(Instant)
