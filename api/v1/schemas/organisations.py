"""Organisations, and what a district has decided."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Self
from uuid import UUID

from pydantic import Field

from api.v1.schemas.common import Answer, Body, OneOf
from referral.terms import ReleaseMode
from risk_model import DEFAULT_BASE_RATE
from screening.models.organisation import DistrictSetting, Organisation, OrganisationKind
from screening.queries.districts import LevelChanges

FEWEST_SHOWN = 10  # decision 5

Rate = Annotated[float, Field(ge=0, le=1)]


class OrganisationOut(Answer):
    id: UUID
    kind: OrganisationKind
    code: str
    name: str
    parent_id: UUID | None
    phone: str | None

    @classmethod
    def of(cls, organisation: Organisation) -> Self:
        return cls(
            id=organisation.id,
            kind=organisation.kind,
            code=organisation.code,
            name=organisation.name,
            parent_id=organisation.parent_id,
            phone=organisation.phone,
        )


class SettingOut(Answer):
    """One decision. ``version`` is what the second person names when signing it."""

    version: int
    base_rate: float
    release: ReleaseMode
    set_at: datetime
    approved_at: datetime | None

    @classmethod
    def of(cls, setting: DistrictSetting) -> Self:
        return cls(
            version=setting.version,
            base_rate=setting.base_rate,
            release=ReleaseMode(setting.release),
            set_at=setting.set_at,
            approved_at=setting.approved_at,
        )


class DistrictOut(Answer):
    """What is in force (the shipped base rate until somebody decides), and what waits for a second person."""

    id: UUID
    name: str
    base_rate: float
    release: ReleaseMode
    in_force: SettingOut | None
    proposed: SettingOut | None

    @classmethod
    def of(
        cls, district: Organisation, in_force: DistrictSetting | None, newest: DistrictSetting | None
    ) -> Self:
        waiting = newest if newest is not None and newest.approved_at is None else None
        return cls(
            id=district.id,
            name=district.name,
            base_rate=in_force.base_rate if in_force else DEFAULT_BASE_RATE,
            release=ReleaseMode(in_force.release) if in_force else ReleaseMode.STEPWISE,
            in_force=SettingOut.of(in_force) if in_force else None,
            proposed=SettingOut.of(waiting) if waiting else None,
        )


class DistrictIn(Body):
    base_rate: Rate
    release: OneOf[ReleaseMode]


class PreviewIn(Body):
    base_rate: Rate


class ApprovalIn(Body):
    version: Annotated[int, Field(ge=1, le=2**31 - 1)]


class CountOut(Answer):
    """A count of children as somebody above the school may read it: 1 to 9 is only "fewer than 10"."""

    count: int | None
    fewer_than: int | None

    @classmethod
    def of(cls, count: int) -> Self:
        hidden = 0 < count < FEWEST_SHOWN
        return cls(count=None if hidden else count, fewer_than=FEWEST_SHOWN if hidden else None)


class PreviewOut(Answer):
    """What another base rate would change in campaigns that are not over."""

    base_rate: float
    children: CountOut
    changed: CountOut

    @classmethod
    def of(cls, base_rate: float, changes: LevelChanges) -> Self:
        return cls(
            base_rate=base_rate,
            children=CountOut.of(changes.children),
            # Higher and lower are not told apart: one of them would give a hidden other away.
            changed=CountOut.of(changes.higher + changes.lower),
        )
