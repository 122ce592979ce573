"""Accounts and dated role grants. Passwords arrive here already hashed: only ``api.auth`` sees them."""

from __future__ import annotations

from datetime import date, datetime
from uuid import UUID

from sqlalchemy import update
from sqlalchemy.orm import Session

from screening import access
from screening.access import May
from screening.core import audit
from screening.core.actor import Actor, Role
from screening.core.audit import AuditEvent
from screening.core.errors import Conflict, InvalidInput
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
    """Give a role in one place for a time; who approved it and why is part of it."""
    access.check_may(actor, May.MANAGE_ACCOUNTS)
    if not reason.strip():
        raise InvalidInput("A role grant needs its reason.")
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


def set_password_hash(
    session: Session, *, actor: Actor, account: Account, password_hash: str, now: datetime
) -> None:
    """Store a new hash and end every session of the account (requirement AU4)."""
    account.password_hash = password_hash
    account.password_changed_at = now
    account.must_change_password = False
    account.failures, account.retry_at = 0, None
    end_sessions(session, account=account, why="password", now=now)
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
