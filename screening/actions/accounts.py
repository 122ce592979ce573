"""Accounts and dated role grants. Passwords arrive here already hashed: only ``api.auth`` sees them."""

from __future__ import annotations

from datetime import date, datetime, timedelta
from uuid import UUID

from sqlalchemy import or_, select, update
from sqlalchemy.orm import Session

from screening import access
from screening.access import May
from screening.core import audit
from screening.core.actor import Actor, Role
from screening.core.audit import AuditEvent
from screening.core.clock import local_day
from screening.core.errors import Conflict, InvalidInput, PolicyViolation
from screening.models.account import Account, RoleGrant, SignInSession
from screening.models.organisation import Organisation
from screening.queries.accounts import find_account


def open_account(
    session: Session,
    *,
    actor: Actor,
    username: str,
    name: str,
    password_hash: str,
    now: datetime,
    must_change_password: bool = True,
) -> Account:
    """A new account without any role. Raises :class:`Conflict` when the user name is taken."""
    access.check_may(actor, May.MANAGE_ACCOUNTS)
    if not username or username != username.strip().lower() or not username.isascii() or len(username) > 64:
        raise InvalidInput("A user name is up to 64 small letters, digits, dots and dashes.")
    if find_account(session, username=username) is not None:
        raise Conflict("This user name is taken.")
    account = Account(
        username=username,
        name=name,
        password_hash=password_hash,
        password_changed_at=now,
        must_change_password=must_change_password,
        opened_at=now,
        opened_by=actor.account_id,
    )
    session.add(account)
    audit.record(session, actor=actor, event=AuditEvent.ACCOUNT_OPEN, at=now, subject_id=account.id)
    return account


def grant_role(
    session: Session,
    *,
    actor: Actor,
    account: Account,
    role: Role,
    organisation: Organisation,
    valid_from: date,
    valid_to: date | None,
    approved_by: UUID | None,
    reason: str,
    now: datetime,
) -> RoleGrant:
    """Give a role in one place for a time; who approved it and why is part of it.

    Three people stand in a grant made by a person: who enters it, who approved it, who receives it. The command
    line acts as the system, for the first people of a service, and names nobody.
    """
    access.check_may(actor, May.MANAGE_ACCOUNTS)
    if not reason.strip():
        raise InvalidInput("A role grant needs its reason.")
    if valid_to is not None and valid_to < valid_from:
        raise InvalidInput("A role cannot end before it begins.")
    if account.disabled_at is not None:
        raise PolicyViolation("This account is closed.")
    if not actor.is_system:
        _check_three_people(actor, account, approved_by)
    _check_together(session, account, role, valid_from, valid_to)
    grant = RoleGrant(
        account_id=account.id,
        role=role,
        organisation_id=organisation.id,
        valid_from=valid_from,
        valid_to=valid_to,
        approved_by=approved_by,
        approved_at=now,
        reason=reason.strip(),
    )
    session.add(grant)
    audit.record(
        session,
        actor=actor,
        event=AuditEvent.ROLE_GRANT,
        at=now,
        subject_id=account.id,
        detail={"role": role.value, "organisation": str(organisation.id)},
    )
    return grant


def _check_three_people(actor: Actor, account: Account, approved_by: UUID | None) -> None:
    if account.id == actor.account_id:
        raise PolicyViolation("Nobody gives a role to themselves.")
    if approved_by is None:
        raise InvalidInput("Say who approved the role.")
    if approved_by in (actor.account_id, account.id):
        raise PolicyViolation(
            "Who approves a role is neither the person who enters it nor the one who gets it."
        )


def _check_together(
    session: Session, account: Account, role: Role, valid_from: date, valid_to: date | None
) -> None:
    """Of the roles held on any day of this time."""
    others = session.scalars(
        select(RoleGrant.role).where(
            RoleGrant.account_id == account.id,
            or_(RoleGrant.valid_to.is_(None), RoleGrant.valid_to >= valid_from),
            *([] if valid_to is None else [RoleGrant.valid_from <= valid_to]),
        )
    )
    if not access.go_together(frozenset({role, *others})):
        raise PolicyViolation("Whoever manages accounts holds no other role: open a second account.")


def end_role(session: Session, *, actor: Actor, grant: RoleGrant, now: datetime) -> None:
    """The role ends with this moment: the next request of the account does not find it.

    Roles count in whole days, so the last one is yesterday; a role that began today leaves no day at all and its
    row goes. The trail keeps both instants. That the role leaves no open work behind is checked one package up.
    """
    access.check_may(actor, May.MANAGE_ACCOUNTS)
    today = local_day(now)
    audit.record(
        session,
        actor=actor,
        event=AuditEvent.ROLE_END,
        at=now,
        subject_id=grant.account_id,
        detail={"role": grant.role.value, "organisation": str(grant.organisation_id)},
    )
    if grant.valid_from >= today:
        session.delete(grant)
    else:
        grant.valid_to = today - timedelta(days=1)


def start_reset(
    session: Session, *, actor: Actor, account: Account, password_hash: str, now: datetime
) -> None:
    """A start password made by the machine, to be changed at the first sign-in; every session ends (AU12)."""
    access.check_may(actor, May.MANAGE_ACCOUNTS)
    if account.disabled_at is not None:
        raise PolicyViolation("This account is closed.")
    if account.id == actor.account_id:
        raise PolicyViolation("Your own password you change yourself, on its page.")
    _store_hash(session, account=account, password_hash=password_hash, first=True, now=now)
    audit.record(session, actor=actor, event=AuditEvent.PASSWORD_RESET, at=now, subject_id=account.id)


def _store_hash(
    session: Session, *, account: Account, password_hash: str, first: bool, now: datetime
) -> None:
    account.password_hash = password_hash
    account.password_changed_at = now
    account.must_change_password = first
    account.failures, account.retry_at = 0, None
    end_sessions(session, account=account, why="password", now=now)


def set_password_hash(
    session: Session, *, actor: Actor, account: Account, password_hash: str, now: datetime
) -> None:
    """Store a new hash and end every session of the account (requirement AU4)."""
    _store_hash(session, account=account, password_hash=password_hash, first=False, now=now)
    audit.record(session, actor=actor, event=AuditEvent.PASSWORD_CHANGE, at=now, subject_id=account.id)


def disable(session: Session, *, actor: Actor, account: Account, now: datetime) -> None:
    """Close an account. That it owns no open work is checked one package up, before this is called."""
    access.check_may(actor, May.MANAGE_ACCOUNTS)
    account.disabled_at, account.disabled_by = now, actor.account_id
    end_sessions(session, account=account, why="disabled", now=now)
    audit.record(session, actor=actor, event=AuditEvent.ACCOUNT_DISABLE, at=now, subject_id=account.id)


def end_sessions(session: Session, *, account: Account, why: str, now: datetime) -> None:
    """Sign the account out everywhere, from the next request on."""
    session.execute(
        update(SignInSession)
        .where(SignInSession.account_id == account.id, SignInSession.ended_at.is_(None))
        .values(ended_at=now, ended_why=why)
    )
