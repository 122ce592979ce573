"""Organisations in an area tree, and what a district has decided."""

from __future__ import annotations

from datetime import date, datetime
from enum import StrEnum
from uuid import UUID

from sqlalchemy import CheckConstraint, LargeBinary, String, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column, relationship

from screening.core.db import Base
from screening.core.types import EnumText, Instant, SealedOptional, reference


class OrganisationKind(StrEnum):
    """Areas first, then what stands in them."""

    CITY = "city"  # 市
    COUNTY = "county"  # 县(区)
    TOWNSHIP = "township"  # 乡镇(街道)
    VILLAGE = "village"  # 村(居)
    SCHOOL = "school"  # 学校
    FACILITY = "facility"  # 医疗机构
    HOTLINE = "hotline"  # 12355 热线
    SERVICE_SITE = "service_site"  # 儿童服务站等


AREAS = frozenset(
    {OrganisationKind.CITY, OrganisationKind.COUNTY, OrganisationKind.TOWNSHIP, OrganisationKind.VILLAGE}
)


_ORDER = (OrganisationKind.CITY, OrganisationKind.COUNTY, OrganisationKind.TOWNSHIP, OrganisationKind.VILLAGE)


def may_stand_below(kind: OrganisationKind, above: OrganisationKind) -> bool:
    """Areas stand in larger areas, everything else in an area."""
    if above not in AREAS:
        return False
    return kind not in AREAS or _ORDER.index(kind) > _ORDER.index(above)


class Organisation(Base):
    """One node of the tree. ``path`` is the codes from the root, ``/city/county/school/``, and ends with ``/``."""

    __tablename__ = "organisation"

    kind: Mapped[OrganisationKind] = mapped_column(EnumText(OrganisationKind))
    code: Mapped[str] = mapped_column(String(40), unique=True)
    name: Mapped[str] = mapped_column(String(120))
    parent_id: Mapped[UUID | None] = mapped_column(reference("organisation.id"))
    path: Mapped[str] = mapped_column(String(400), index=True)
    phone: Mapped[str | None] = mapped_column(String(40))
    ended_on: Mapped[date | None]

    parent: Mapped[Organisation | None] = relationship(remote_side="Organisation.id")


class DistrictSetting(Base):
    """What a county has decided, as a row per decision; the last one holds.

    ``base_rate``: the share of pupils who need care beyond the school (decision 19: .03 to .25, two people).
    ``release``: how referrals leave (decision 2). Until ``approved_by`` is filled it is a proposal and not in force.
    """

    __tablename__ = "district_setting"
    __table_args__ = (
        UniqueConstraint("organisation_id", "version"),
        CheckConstraint("(approved_by IS NULL) = (approved_at IS NULL)", "approved"),
    )

    organisation_id: Mapped[UUID] = mapped_column(reference("organisation.id"))
    version: Mapped[int]
    base_rate: Mapped[float]
    release: Mapped[str] = mapped_column(String(20))
    set_by: Mapped[UUID]
    approved_by: Mapped[UUID | None]
    approved_at: Mapped[datetime | None] = mapped_column(Instant)
    set_at: Mapped[datetime] = mapped_column(Instant)


class DutyEntry(Base):
    """On duty is a roster entry, not a role: a person with a phone, from, to (domain guide §1)."""

    __tablename__ = "duty_entry"

    organisation_id: Mapped[UUID] = mapped_column(reference("organisation.id"), index=True)
    account_id: Mapped[UUID] = mapped_column(reference("account.id"))
    phone_sealed: Mapped[bytes | None] = mapped_column(LargeBinary)
    starts_at: Mapped[datetime] = mapped_column(Instant)
    ends_at: Mapped[datetime] = mapped_column(Instant)

    phone = SealedOptional()
