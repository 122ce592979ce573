"""干预方案: immutable versions with their actions."""

from __future__ import annotations

from datetime import date, datetime
from typing import Any
from uuid import UUID

from sqlalchemy import Index, String, UniqueConstraint, text
from sqlalchemy.orm import Mapped, mapped_column, relationship

from referral.terms import ActionStatus, PlanStatus, Tier
from screening.core.db import Base
from screening.core.types import EnumText, Instant, Json, reference


class PlanVersion(Base):
    """One version. A change makes the next one. ``assumed_tier`` is the working tier of an automatic draft
    (草案假定) and never the tier of the case. ``basis``: rules fired, parked, skipped and gaps, as codes.
    """

    __tablename__ = "plan_version"
    __table_args__ = (
        UniqueConstraint("case_id", "number"),
        Index(
            "uq_plan_version_current",
            "case_id",
            unique=True,
            sqlite_where=text("superseded_at IS NULL"),
            postgresql_where=text("superseded_at IS NULL"),
        ),
    )

    case_id: Mapped[UUID] = mapped_column(reference("care_case.id"))
    number: Mapped[int]
    status: Mapped[PlanStatus] = mapped_column(EnumText(PlanStatus))
    reason: Mapped[str] = mapped_column(String(80))
    assumed_tier: Mapped[Tier] = mapped_column(EnumText(Tier))
    areas: Mapped[list[str]] = mapped_column(Json)
    basis: Mapped[dict[str, Any]] = mapped_column(Json)
    created_at: Mapped[datetime] = mapped_column(Instant)
    created_by: Mapped[UUID | None]
    confirmed_at: Mapped[datetime | None] = mapped_column(Instant)
    confirmed_by: Mapped[UUID | None]
    review_on: Mapped[date | None]
    superseded_at: Mapped[datetime | None] = mapped_column(Instant)

    # A step is a compare-and-set: the row is changed only while its status is what was read (RL5).
    __mapper_args__ = {"version_id_col": status, "version_id_generator": False}  # noqa: RUF012  # read by the mapper when the class is made

    actions: Mapped[list[PlanAction]] = relationship(order_by="PlanAction.position")
    history: Mapped[list[PlanStatusChange]] = relationship(order_by="PlanStatusChange.changed_at")


class PlanStatusChange(Base):
    __tablename__ = "plan_status_change"

    plan_id: Mapped[UUID] = mapped_column(reference("plan_version.id"), index=True)
    status: Mapped[PlanStatus] = mapped_column(EnumText(PlanStatus))
    changed_at: Mapped[datetime] = mapped_column(Instant)
    changed_by: Mapped[UUID | None]
    reason: Mapped[str | None] = mapped_column(String(200))


class PlanAction(Base):
    """One component of the intervention library, with the rule that chose it and why."""

    __tablename__ = "plan_action"
    __table_args__ = (UniqueConstraint("plan_id", "position"),)

    plan_id: Mapped[UUID] = mapped_column(reference("plan_version.id"))
    position: Mapped[int]
    component: Mapped[str] = mapped_column(String(12))
    status: Mapped[ActionStatus] = mapped_column(EnumText(ActionStatus))
    rule: Mapped[str] = mapped_column(String(12))
    because: Mapped[list[str]] = mapped_column(Json)
    who: Mapped[str] = mapped_column(String(40))
    review_on: Mapped[date | None]


class ComponentOffer(Base):
    """A component of the library that is really on offer at an organisation: a live skill and a slot (R-Q1)."""

    __tablename__ = "component_offer"
    __table_args__ = (UniqueConstraint("organisation_id", "component", "valid_from"),)

    organisation_id: Mapped[UUID] = mapped_column(reference("organisation.id"))
    component: Mapped[str] = mapped_column(String(12))
    valid_from: Mapped[date]
    valid_to: Mapped[date | None]
    recorded_at: Mapped[datetime] = mapped_column(Instant)
    recorded_by: Mapped[UUID | None]
