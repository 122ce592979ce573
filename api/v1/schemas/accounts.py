"""Accounts, posts and the duty roster: colleagues, never a child."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, datetime
from typing import Annotated, Self
from uuid import UUID

from pydantic import Field

from api.v1.schemas.common import Answer, Body, Count, Day, Id, Instant, Line, Name, OneOf
from referral.actions.departures import Leaving
from referral.queries.work import Work
from screening.core.actor import Role
from screening.models.account import Account, RoleGrant
from screening.models.organisation import DutyEntry, OrganisationKind
from screening.queries.staff import Cover, StaffLine

UserName = Annotated[str, Field(min_length=1, max_length=64)]
Phone = Annotated[str, Field(min_length=3, max_length=40)]


class GrantOut(Answer):
    id: UUID
    role: Role
    organisation_id: UUID
    valid_from: date
    valid_to: date | None
    approved_by: UUID | None
    reason: str

    @classmethod
    def of(cls, grant: RoleGrant) -> Self:
        return cls(
            id=grant.id,
            role=grant.role,
            organisation_id=grant.organisation_id,
            valid_from=grant.valid_from,
            valid_to=grant.valid_to,
            approved_by=grant.approved_by,
            reason=grant.reason,
        )


class WorkOut(Answer):
    """What somebody else has to take over at one place, in counts."""

    organisation_id: UUID
    cases: int
    tasks: int
    successors: tuple[UUID, ...]

    @classmethod
    def of(cls, work: Work, able: Sequence[Account]) -> Self:
        return cls(
            organisation_id=work.place.id,
            cases=len(work.cases),
            tasks=len(work.tasks),
            successors=tuple(account.id for account in able),
        )


class AccountOut(Answer):
    """An account with its roles that are not over."""

    id: UUID
    username: str
    name: str
    must_change_password: bool
    disabled_at: datetime | None
    grants: tuple[GrantOut, ...]

    @classmethod
    def of(cls, line: StaffLine) -> Self:
        account = line.account
        return cls(
            id=account.id,
            username=account.username,
            name=account.name,
            must_change_password=account.must_change_password,
            disabled_at=account.disabled_at,
            grants=tuple(GrantOut.of(grant) for grant in line.grants),
        )


class AccountCardOut(AccountOut):
    """The same with the open work that stands in the way of closing it."""

    work: tuple[WorkOut, ...]

    @classmethod
    def of_card(cls, line: StaffLine, work: Sequence[WorkOut]) -> Self:
        return cls(**AccountOut.of(line).model_dump(), work=tuple(work))


class AccountIn(Body):
    username: UserName
    name: Name


class StartPasswordOut(Answer):
    """Shown in this answer and never again; to be changed at the first sign-in."""

    id: UUID
    username: str
    start_password: str


class GrantIn(Body):
    role: OneOf[Role]
    organisation_id: Id
    valid_from: Day
    valid_to: Day | None = None
    approved_by: Id
    reason: Line


class HandoverIn(Body):
    organisation_id: Id
    to: Id


class HandedOut(Answer):
    moved: int


class LeavingOut(Answer):
    """``left`` is 0: the account is closed or the role has ended. ``fell``: urgent work that went to the lead."""

    left: int
    fell: int
    turns_ended: int

    @classmethod
    def of(cls, leaving: Leaving) -> Self:
        return cls(left=leaving.left, fell=leaving.fell, turns_ended=leaving.turns)


class GapOut(Answer):
    starts_at: datetime
    ends_at: datetime


class CoverOut(Answer):
    """A place that has to be reachable, who answers now, and the holes of the coming seven days."""

    organisation_id: UUID
    on_duty: tuple[UUID, ...]
    gaps: tuple[GapOut, ...]

    @classmethod
    def of(cls, cover: Cover) -> Self:
        return cls(
            organisation_id=cover.place.id,
            on_duty=cover.now,
            gaps=tuple(GapOut(starts_at=starts, ends_at=ends) for starts, ends in cover.gaps),
        )


class TurnOut(Answer):
    id: UUID
    organisation_id: UUID
    account_id: UUID
    phone: str | None
    starts_at: datetime
    ends_at: datetime

    @classmethod
    def of(cls, turn: DutyEntry) -> Self:
        return cls(
            id=turn.id,
            organisation_id=turn.organisation_id,
            account_id=turn.account_id,
            phone=turn.phone,
            starts_at=turn.starts_at,
            ends_at=turn.ends_at,
        )


class TurnIn(Body):
    organisation_id: Id
    account_id: Id
    phone: Phone
    starts_at: Instant
    ends_at: Instant


class CopyWeekIn(Body):
    """``week``: any day of the week whose turns are copied to the week after."""

    organisation_id: Id
    week: Day


class CopiedOut(Answer):
    added: int


class OrganisationIn(Body):
    kind: OneOf[OrganisationKind]
    code: Annotated[str, Field(min_length=1, max_length=40)]
    name: Annotated[str, Field(min_length=1, max_length=120)]
    parent_id: Id | None = None
    phone: Annotated[str, Field(max_length=40)] | None = None


class PlacesIn(Body):
    """How many a week: first visits, and triage requests of children nobody has seen."""

    weekly_slots: Count
    triage_per_week: Count
