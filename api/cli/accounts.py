"""``xinqiao accounts`` and ``xinqiao organisations``: what is needed before anybody can sign in.

A start password is made by the machine, shown once and changed at the first sign-in: whoever runs the command
starts an account and never chooses or learns its password (requirement AU12).
"""

from __future__ import annotations

from datetime import date

from rich.console import Console
from rich.table import Table
from sqlalchemy import select
from sqlalchemy.orm import Session

from api.auth import Hasher
from api.auth.passwords import start_password
from api.cli import home
from api.cli.words import _, say
from screening.actions import accounts, organisations
from screening.core.actor import Actor, Role
from screening.core.clock import Clock
from screening.core.errors import InvalidInput, NotFound
from screening.core.settings import Settings
from screening.models.account import Account
from screening.models.organisation import Organisation, OrganisationKind
from screening.queries.accounts import find_account, live_grants


def role_named(code: str) -> Role:
    """Raises :class:`InvalidInput` with the codes there are."""
    try:
        return Role(code)
    except ValueError:
        raise InvalidInput("There is no such role; known are {roles}.", roles=", ".join(Role)) from None


def create(settings: Settings, *, username: str, name: str, role: Role, at: str, reason: str) -> None:
    """A new account with one role."""
    password = start_password()
    hashed = _hash(password)
    clock = Clock()
    with home.opened(settings) as database, database.begin() as session:
        account = accounts.open_account(
            session,
            actor=Actor.system(),
            username=username,
            name=name,
            password_hash=hashed,
            now=clock.now(),
        )
        _grant(session, account, role, at, None, reason, clock)
    _show(username, password)


def grant(settings: Settings, *, username: str, role: Role, at: str, until: date | None, reason: str) -> None:
    """One more role, from today."""
    clock = Clock()
    with home.opened(settings) as database, database.begin() as session:
        _grant(session, _account(session, username), role, at, until, reason, clock)
    say(_("Granted."))


def reset(settings: Settings, *, username: str) -> None:
    """A new start password; every session of the account ends."""
    password = start_password()
    hashed = _hash(password)
    with home.opened(settings) as database, database.begin() as session:
        account = _account(session, username)
        accounts.start_reset(
            session, actor=Actor.system(), account=account, password_hash=hashed, now=Clock().now()
        )
    _show(username, password)


def show_all(settings: Settings) -> None:
    """Who has an account and which roles it holds today. Runs beside a running service."""
    table = Table()
    for heading in (_("User name"), _("Roles today"), _("State")):
        table.add_column(heading, overflow="fold")
    today = Clock().today()
    with home.opened(settings, hold=False) as database, database.look() as session:
        for account in session.scalars(select(Account).order_by(Account.username)):
            grants = live_grants(session, account_id=account.id, today=today)
            roles = ", ".join(f"{g.role.value} {g.organisation_path}" for g in grants)
            table.add_row(account.username, roles, _state(account))
    Console().print(table)


def add_organisation(
    settings: Settings, *, code: str, name: str, kind: OrganisationKind, below: str | None, phone: str | None
) -> None:
    """One node of the area tree."""
    with home.opened(settings) as database, database.begin() as session:
        organisations.add(
            session,
            actor=Actor.system(),
            kind=kind,
            code=code,
            name=name,
            parent=_organisation(session, below) if below else None,
            phone=phone,
            now=Clock().now(),
        )
    say(_("Added."))


def _grant(
    session: Session, account: Account, role: Role, at: str, until: date | None, reason: str, clock: Clock
) -> None:
    if until is not None and until < clock.today():
        raise InvalidInput("A role cannot end before it begins.")
    accounts.grant_role(
        session,
        actor=Actor.system(),
        account=account,
        role=role,
        organisation=_organisation(session, at),
        valid_from=clock.today(),
        valid_to=until,
        approved_by=None,
        reason=reason,
        now=clock.now(),
    )


def _account(session: Session, username: str) -> Account:
    account = find_account(session, username=username.strip().lower())
    if account is None:
        raise NotFound("There is no account of this user name.")
    return account


def _organisation(session: Session, code: str) -> Organisation:
    found = session.scalars(select(Organisation).where(Organisation.code == code)).one_or_none()
    if found is None:
        raise NotFound("There is no organisation with the code {code}.", code=code)
    return found


def _hash(password: str) -> str:
    """Before any transaction: hashing takes long, and nobody may wait for it."""
    hasher = Hasher()
    try:
        return hasher.hash(password)
    finally:
        hasher.close()


def _show(username: str, password: str) -> None:
    say(_("User name: {username}", username=username))
    say(_("Start password, shown only now: {password}", password=password))
    say(_("It has to be changed at the first sign-in."))


def _state(account: Account) -> str:
    if account.disabled_at is not None:
        return _("Account closed")
    return _("Start password not changed yet") if account.must_change_password else _("Account open")
