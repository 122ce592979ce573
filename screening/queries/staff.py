"""Accounts and rosters for whoever looks after them: colleagues and their posts, never a child."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from uuid import UUID

from sqlalchemy import ColumnElement, Select, or_, select
from sqlalchemy.orm import Session, joinedload

from screening.access import May, check_may, organisations_visible_to
from screening.core import audit
from screening.core.actor import Actor, Role
from screening.core.audit import AuditEvent
from screening.core.errors import NotFound
from screening.core.spans import Span, gaps
from screening.models.account import Account, RoleGrant
from screening.models.organisation import DutyEntry, Organisation, OrganisationKind
from screening.queries.accounts import areas_above

MOST_ACCOUNTS = 200
# A role that ends within this time is named while there is time to hand over what hangs on it.
ENDS_SOON = timedelta(days=14)
WEEK = timedelta(days=7)

# Who can own a crisis needs somebody on duty day and night (domain guide §1).
NEEDS_DUTY = frozenset(
    {
        OrganisationKind.COUNTY,
        OrganisationKind.SCHOOL,
        OrganisationKind.FACILITY,
        OrganisationKind.HOTLINE,
        OrganisationKind.SERVICE_SITE,
    }
)


@dataclass(frozen=True, slots=True)
class StaffLine:
    """One account with the roles that are not over."""

    account: Account
    grants: tuple[RoleGrant, ...]


def list_accounts(
    session: Session, *, actor: Actor, today: date, place: Organisation | None = None, search: str = ""
) -> tuple[list[StaffLine], bool]:
    """Accounts by user name, of one place or matching a user name or a person's name; whether there are more.

    Names are sealed: they are opened and compared here, which a few thousand colleagues bear.
    """
    check_may(actor, May.MANAGE_ACCOUNTS)
    statement = select(Account).order_by(Account.username)
    if place is not None:
        held = select(RoleGrant.account_id).where(RoleGrant.organisation_id == place.id, _not_over(today))
        statement = statement.where(Account.id.in_(held))
    wanted = search.strip().casefold()
    found: list[Account] = []
    for account in session.scalars(statement):
        if not wanted or wanted in account.username or wanted in account.name.casefold():
            found.append(account)
            if len(found) > MOST_ACCOUNTS:
                break
    shown = found[:MOST_ACCOUNTS]
    grants = _grants(session, [account.id for account in shown], today)
    lines = [StaffLine(account, tuple(grants.get(account.id, ()))) for account in shown]
    return lines, len(found) > MOST_ACCOUNTS


def get_account(session: Session, *, actor: Actor, account_id: UUID, now: datetime) -> Account:
    """An account, or :class:`NotFound`; the reading is in the trail."""
    check_may(actor, May.MANAGE_ACCOUNTS)
    account = session.get(Account, account_id)
    if account is None:
        raise NotFound
    audit.record(session, actor=actor, event=AuditEvent.ACCOUNT_READ, at=now, subject_id=account.id)
    return account


def all_grants(session: Session, *, account_id: UUID) -> Sequence[RoleGrant]:
    """Every role an account holds or has held, the newest first."""
    return session.scalars(
        select(RoleGrant)
        .where(RoleGrant.account_id == account_id)
        .options(joinedload(RoleGrant.organisation))
        .order_by(RoleGrant.valid_from.desc(), RoleGrant.id)
    ).all()


def get_grant(session: Session, *, account: Account, grant_id: UUID, today: date) -> RoleGrant:
    """One role of an account that is not over, or :class:`NotFound`."""
    grant = session.scalars(
        select(RoleGrant)
        .where(RoleGrant.id == grant_id, RoleGrant.account_id == account.id, _not_over(today))
        .options(joinedload(RoleGrant.organisation))
    ).one_or_none()
    if grant is None:
        raise NotFound
    return grant


def colleagues(
    session: Session, *, organisation_id: UUID, today: date, but: UUID | None = None
) -> list[tuple[Account, Role]]:
    """Live accounts with a role in a place today, longest in post first; one line per role."""
    rows = session.execute(
        select(Account, RoleGrant.role)
        .join(RoleGrant, RoleGrant.account_id == Account.id)
        .where(
            RoleGrant.organisation_id == organisation_id,
            RoleGrant.valid_from <= today,
            _not_over(today),
            Account.disabled_at.is_(None),
        )
        .order_by(RoleGrant.valid_from, Account.id)
    )
    return [(account, role) for account, role in rows if account.id != but]


def ending_soon(session: Session, *, actor: Actor, today: date) -> Sequence[RoleGrant]:
    """Roles of open accounts that end within two weeks, the next first."""
    check_may(actor, May.MANAGE_ACCOUNTS)
    return session.scalars(
        select(RoleGrant)
        .join(Account, Account.id == RoleGrant.account_id)
        .where(
            RoleGrant.valid_to >= today,
            RoleGrant.valid_to <= today + ENDS_SOON,
            Account.disabled_at.is_(None),
        )
        .options(joinedload(RoleGrant.organisation))
        .order_by(RoleGrant.valid_to, RoleGrant.id)
    ).all()


def _not_over(today: date) -> ColumnElement[bool]:
    return or_(RoleGrant.valid_to.is_(None), RoleGrant.valid_to >= today)


def _grants(session: Session, ids: Iterable[UUID], today: date) -> dict[UUID, list[RoleGrant]]:
    found: dict[UUID, list[RoleGrant]] = {}
    for grant in session.scalars(
        select(RoleGrant)
        .where(RoleGrant.account_id.in_(list(ids)), _not_over(today))
        .options(joinedload(RoleGrant.organisation))
        .order_by(RoleGrant.valid_from, RoleGrant.id)
    ):
        found.setdefault(grant.account_id, []).append(grant)
    return found


# --- the duty roster ---------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Cover:
    """A place that has to be reachable, and when in the coming week nobody is on duty for it."""

    place: Organisation
    now: tuple[UUID, ...]
    gaps: tuple[Span, ...]


def list_turns(
    session: Session, *, organisation: Organisation, begin: datetime, end: datetime
) -> Sequence[DutyEntry]:
    """Turns of duty of one place that touch a span, in order."""
    return session.scalars(
        select(DutyEntry)
        .where(
            DutyEntry.organisation_id == organisation.id, DutyEntry.starts_at < end, DutyEntry.ends_at > begin
        )
        .order_by(DutyEntry.starts_at, DutyEntry.id)
    ).all()


def get_turn(session: Session, *, actor: Actor, turn_id: UUID) -> DutyEntry:
    """One turn of duty, or :class:`NotFound`."""
    check_may(actor, May.MANAGE_ACCOUNTS)
    turn = session.get(DutyEntry, turn_id)
    if turn is None:
        raise NotFound
    return turn


def gaps_of(
    session: Session, *, organisation: Organisation, begin: datetime, end: datetime
) -> tuple[Span, ...]:
    """When nobody is on duty for a place: neither there nor in an area above it."""
    above = [place.id for place in areas_above(session, organisation)]
    rows = session.execute(_turns_of_the_living(begin, end).where(DutyEntry.organisation_id.in_(above)))
    return gaps([(starts, ends) for _, starts, ends, _ in rows], begin, end)


def covers(session: Session, *, actor: Actor, now: datetime) -> list[Cover]:
    """Every place that needs somebody on duty, with the holes of the coming seven days."""
    check_may(actor, May.MANAGE_ACCOUNTS)
    places = session.scalars(
        organisations_visible_to(actor)
        .where(Organisation.kind.in_(NEEDS_DUTY), Organisation.ended_on.is_(None))
        .order_by(Organisation.path)
    ).all()
    paths = {row.id: row.path for row in session.scalars(organisations_visible_to(actor))}
    turns = [
        (paths.get(organisation_id, "-"), starts, ends, account_id)
        for organisation_id, starts, ends, account_id in session.execute(
            _turns_of_the_living(now, now + WEEK)
        )
    ]
    return [_cover(place, turns, now) for place in places]


def _turns_of_the_living(begin: datetime, end: datetime) -> Select[UUID, datetime, datetime, UUID]:
    return (
        select(DutyEntry.organisation_id, DutyEntry.starts_at, DutyEntry.ends_at, DutyEntry.account_id)
        .join(Account, Account.id == DutyEntry.account_id)
        .where(Account.disabled_at.is_(None), DutyEntry.starts_at < end, DutyEntry.ends_at > begin)
        .order_by(DutyEntry.starts_at)
    )


def _cover(
    place: Organisation, turns: Sequence[tuple[str, datetime, datetime, UUID]], now: datetime
) -> Cover:
    own = [turn for turn in turns if place.path.startswith(turn[0])]
    here = sorted((t for t in own if t[1] <= now < t[2]), key=lambda t: -len(t[0]))
    return Cover(
        place,
        tuple(dict.fromkeys(t[3] for t in here)),
        gaps([(starts, ends) for _, starts, ends, _ in own], now, now + WEEK),
    )
