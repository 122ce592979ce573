"""Accounts, their live roles, and who holds a post or is on duty somewhere."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from datetime import date, datetime
from uuid import UUID

from sqlalchemy import or_, select
from sqlalchemy.orm import Session, joinedload

from screening.core.actor import Grant, Role
from screening.core.db import once
from screening.models.account import Account, RoleGrant
from screening.models.organisation import DutyEntry, Organisation


def find_account(session: Session, *, username: str) -> Account | None:
    """The account with this user name."""
    return session.scalars(select(Account).where(Account.username == username)).one_or_none()


def live_grants(
    session: Session, *, account_id: UUID, today: date, but: UUID | None = None
) -> tuple[Grant, ...]:
    """The roles an account holds today; ``but`` is the id of one that is not counted."""
    rows = session.scalars(
        select(RoleGrant)
        .where(
            RoleGrant.account_id == account_id,
            RoleGrant.valid_from <= today,
            or_(RoleGrant.valid_to.is_(None), RoleGrant.valid_to >= today),
        )
        .options(joinedload(RoleGrant.organisation))
        .order_by(RoleGrant.valid_from, RoleGrant.id)
    )
    return tuple(Grant(row.role, row.organisation_id, row.organisation.path) for row in rows if row.id != but)


def holders(session: Session, *, role: Role, organisation_id: UUID, today: date) -> Sequence[Account]:
    """Live accounts that hold a role in a place today, longest in post first."""
    return session.scalars(
        select(Account)
        .join(RoleGrant, RoleGrant.account_id == Account.id)
        .where(
            RoleGrant.role == role,
            RoleGrant.organisation_id == organisation_id,
            RoleGrant.valid_from <= today,
            or_(RoleGrant.valid_to.is_(None), RoleGrant.valid_to >= today),
            Account.disabled_at.is_(None),
        )
        .order_by(RoleGrant.valid_from, Account.id)
    ).all()


def posts_in(
    session: Session, *, organisation_ids: Collection[UUID], roles: Collection[Role], today: date
) -> dict[tuple[UUID, Role], list[UUID]]:
    """Ids of live accounts by place and role, as :func:`holders` finds them, for many posts at once."""
    rows = session.execute(
        select(RoleGrant.organisation_id, RoleGrant.role, Account.id)
        .join(Account, Account.id == RoleGrant.account_id)
        .where(
            RoleGrant.organisation_id.in_(organisation_ids),
            RoleGrant.role.in_(roles),
            RoleGrant.valid_from <= today,
            or_(RoleGrant.valid_to.is_(None), RoleGrant.valid_to >= today),
            Account.disabled_at.is_(None),
        )
        .order_by(RoleGrant.valid_from, Account.id)
    )
    found: dict[tuple[UUID, Role], list[UUID]] = {}
    for organisation_id, role, account_id in rows:
        found.setdefault((organisation_id, role), []).append(account_id)
    return found


def duty_in(session: Session, *, organisation_ids: Collection[UUID], at: datetime) -> dict[UUID, list[UUID]]:
    """Ids of accounts on duty at an instant, by place."""
    rows = session.execute(
        select(DutyEntry.organisation_id, DutyEntry.account_id)
        .join(Account, Account.id == DutyEntry.account_id)
        .where(
            DutyEntry.organisation_id.in_(organisation_ids),
            DutyEntry.starts_at <= at,
            DutyEntry.ends_at > at,
            Account.disabled_at.is_(None),
        )
        .order_by(DutyEntry.starts_at)
    )
    found: dict[UUID, list[UUID]] = {}
    for organisation_id, account_id in rows:
        found.setdefault(organisation_id, []).append(account_id)
    return found


def on_duty(session: Session, *, organisation_id: UUID, at: datetime) -> Sequence[DutyEntry]:
    """Who is on duty in an organisation at an instant; a closed account answers no telephone."""
    return session.scalars(
        select(DutyEntry)
        .join(Account, Account.id == DutyEntry.account_id)
        .where(
            DutyEntry.organisation_id == organisation_id,
            DutyEntry.starts_at <= at,
            DutyEntry.ends_at > at,
            Account.disabled_at.is_(None),
        )
        .order_by(DutyEntry.starts_at)
    ).all()


def duty_phone(session: Session, *, organisation: Organisation, at: datetime) -> str | None:
    """The number to call now: who is on duty here, else above, else the organisation's own telephone."""
    for place in areas_above(session, organisation):
        for entry in on_duty(session, organisation_id=place.id, at=at):
            if entry.phone:
                return entry.phone
    return organisation.phone


def names_of(session: Session, account_ids: Iterable[UUID | None]) -> dict[UUID, str]:
    """The names of colleagues, for a page that says who."""
    wanted = {account_id for account_id in account_ids if account_id is not None}
    rows = session.scalars(select(Account).where(Account.id.in_(wanted)))
    return {account.id: account.name for account in rows}


def areas_above(session: Session, organisation: Organisation) -> list[Organisation]:
    """The organisations on the path to the root, nearest first, itself included."""
    return list(reversed(on_path(session, organisation.path)))


def on_path(session: Session, path: str) -> list[Organisation]:
    """The organisations on a path from the root down, asked once per transaction."""
    codes = [code for code in path.split("/") if code]

    def read() -> dict[str, Organisation]:
        statement = select(Organisation).where(Organisation.code.in_(codes))
        return {each.code: each for each in session.scalars(statement)}

    found = once(session, ("path", path), read)
    if len(found) < len(codes):
        found = read()  # one of them waits in this transaction to be written
    return [found[code] for code in codes if code in found]
