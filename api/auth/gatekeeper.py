"""Signing in and out, and who stands behind a token right now (requirements AU3, AU4, AU6, decision 44).

The order at sign-in is look, hash, begin: a password check takes some 25 ms of a core and holds neither a
database connection nor the writing lane while it does.
"""

from __future__ import annotations

import hashlib
import hmac
import logging
import secrets
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from sqlalchemy import select, update
from sqlalchemy.orm import Session

from api.auth import (
    ACCESS,
    PAGE,
    BadToken,
    Claims,
    Hasher,
    NotSignedIn,
    TokenKind,
    mint,
    read_token,
)
from api.auth.guessing import Addresses, Count, UnknownNames
from api.auth.keys import KeyStore
from api.auth.passwords import check_password
from screening.actions import accounts as account_actions
from screening.core import audit
from screening.core.actor import Actor
from screening.core.audit import AuditEvent
from screening.core.clock import Clock
from screening.core.db import Database, Lane
from screening.core.errors import DomainError, InvalidInput
from screening.core.settings import Settings
from screening.models.account import Account, RefreshToken, SignInSession
from screening.models.organisation import Organisation
from screening.queries.accounts import areas_above, find_account, live_grants

log = logging.getLogger(__name__)

REMINT_AFTER = timedelta(minutes=5)
TOUCH_AFTER = timedelta(minutes=1)
FRESH_FOR = timedelta(minutes=5)
REFRESH_BYTES = 32


class SignInRefused(NotSignedIn):
    """Name and password do not belong together. Says no more."""

    code = "sign-in-refused"

    def __init__(self, message: str = "User name or password is wrong.", **params: object) -> None:
        super().__init__(message, **params)


@dataclass(frozen=True, slots=True)
class SignedIn:
    """The person behind a token at this moment, and the state of their session."""

    actor: Actor
    account_id: UUID
    session_id: UUID
    locale: str
    must_change_password: bool
    signed_in_at: datetime
    stale: bool  # the session was last noted as used more than a minute ago
    remint: bool  # a browser's token that should be replaced with this answer

    def is_fresh(self, now: datetime) -> bool:
        """Whether the sign-in is recent enough for what needs a fresh one (requirement AU8)."""
        return now - self.signed_in_at <= FRESH_FOR


@dataclass(frozen=True, slots=True)
class Tokens:
    """What a program gets when it signs in or refreshes."""

    access: str
    refresh: str
    expires_in: int


@dataclass(frozen=True, slots=True)
class _Known:
    """What is looked up before the password is hashed."""

    account_id: UUID | None
    stored: str | None


class Gatekeeper:
    """Knows the keys, hashes passwords, counts failures. One per process."""

    def __init__(self, settings: Settings, database: Database, clock: Clock) -> None:
        self.settings = settings
        self.database = database
        self.clock = clock
        self.keys = KeyStore(settings.tokens_file)
        self.hasher = Hasher()
        self._unknown = UnknownNames()
        self._addresses = Addresses()

    def close(self) -> None:
        self.hasher.close()

    # --- who is it -----------------------------------------------------------------------------------------

    def recognise(self, token: str, *, browser: bool = False) -> SignedIn:
        """Who stands behind a token, read from the database now. Raises :class:`NotSignedIn`."""
        kind, now = (PAGE if browser else ACCESS), self.clock.now()
        try:
            claims = read_token(
                token, self.keys.current().verifiers, kind=kind, issuer=self.settings.issuer, now=now
            )
        except BadToken as wrong:
            raise NotSignedIn from wrong
        with self.database.look() as session:
            return self._signed_in(session, claims, kind, now)

    def _signed_in(self, session: Session, claims: Claims, kind: TokenKind, now: datetime) -> SignedIn:
        found = session.execute(
            select(SignInSession, Account)
            .join(Account, Account.id == SignInSession.account_id)
            .where(SignInSession.id == claims.session_id, Account.id == claims.account_id)
        ).one_or_none()
        if found is None:
            raise NotSignedIn
        entry, account = found
        if entry.browser is not (kind is PAGE) or not self.lives(entry, account, now):
            raise NotSignedIn
        grants = live_grants(session, account_id=account.id, today=self.clock.today())
        return SignedIn(
            actor=Actor(account_id=account.id, grants=grants, session_id=entry.id),
            account_id=account.id,
            session_id=entry.id,
            locale=account.locale,
            must_change_password=account.must_change_password,
            signed_in_at=entry.started_at,
            stale=now - entry.seen_at >= TOUCH_AFTER,
            remint=kind is PAGE and now - claims.issued_at >= REMINT_AFTER,
        )

    def lives(self, entry: SignInSession, account: Account, now: datetime) -> bool:
        """Whether a session still counts: not ended, not idle, not too old, its account open and unchanged."""
        return (
            entry.ended_at is None
            and account.disabled_at is None
            and account.password_changed_at <= entry.started_at
            and now - entry.seen_at <= self.settings.idle_limit
            and now - entry.started_at <= self.settings.absolute_limit
        )

    def touch(self, session: Session, signed_in: SignedIn) -> None:
        """Note that the session was used."""
        session.execute(
            update(SignInSession)
            .where(SignInSession.id == signed_in.session_id, SignInSession.ended_at.is_(None))
            .values(seen_at=self.clock.now())
        )

    # --- signing in ----------------------------------------------------------------------------------------

    def sign_in(self, username: str, password: str, *, address: str) -> Tokens:
        """Tokens for a program. Raises :class:`SignInRefused`, ``TooMany``, ``Unavailable``."""
        refresh = secrets.token_urlsafe(REFRESH_BYTES)
        account_id, session_id = self._open(username, password, address, refresh)
        return self._tokens(account_id, session_id, refresh)

    def sign_in_page(self, username: str, password: str, *, address: str) -> str:
        """The value of a browser's cookie. Raises like :meth:`sign_in`."""
        account_id, session_id = self._open(username, password, address, None)
        return self.page_token(account_id, session_id)

    def page_token(self, account_id: UUID, session_id: UUID) -> str:
        """A fresh cookie value for a browser's session."""
        return self._mint(PAGE, account_id, session_id, PAGE.lifetime)

    def _open(self, username: str, password: str, address: str, refresh: str | None) -> tuple[UUID, UUID]:
        name, now = username.strip().lower(), self.clock.now()
        self._addresses.check(address, now)
        with self.database.look() as session:
            account = find_account(session, username=name)
            known = _Known(account.id, account.password_hash) if account else _Known(None, None)
            count = _count(account) if account else self._unknown.of(name)
        count.check(now)
        right = self.hasher.check(known.stored, password)
        better = self._better(known, password) if right else None
        with self.database.begin() as session:
            answer = self._settle(session, known, name, address, right=right, refresh=refresh, better=better)
        # The count of failures and the trail are stored by now; only then comes the refusal.
        if isinstance(answer, DomainError):
            self._addresses.fail(address, now)
            raise answer
        return answer

    def _better(self, known: _Known, password: str) -> str | None:
        """A new hash where the stored one was made with weaker parameters."""
        return self.hasher.hash(password) if known.stored and self.hasher.is_outdated(known.stored) else None

    def _settle(
        self,
        session: Session,
        known: _Known,
        name: str,
        address: str,
        *,
        right: bool,
        refresh: str | None,
        better: str | None,
    ) -> tuple[UUID, UUID] | DomainError:
        now = self.clock.now()
        account = session.get(Account, known.account_id, with_for_update=True) if known.account_id else None
        if account is None:
            self._unknown.fail(name, now)
            return _refuse(session, None, address, now)
        try:
            # Again, under the lock: guesses sent side by side all found the door open a moment ago.
            _count(account).check(now)
        except DomainError as wait:
            return wait
        # A password changed while this one was being hashed is no longer the one that was checked.
        if not right or account.disabled_at is not None or account.password_hash != known.stored:
            count = _count(account).after_failure(now)
            account.failures, account.retry_at = count.failures, count.retry_at
            return _refuse(session, account, address, now)
        account.failures, account.retry_at = 0, None
        account.password_hash = better or account.password_hash
        entry = SignInSession(account_id=account.id, browser=refresh is None, started_at=now, seen_at=now)
        session.add(entry)
        if refresh is not None:
            session.add(RefreshToken(session_id=entry.id, digest=_digest(refresh), issued_at=now))
        audit.record(
            session,
            actor=Actor(account_id=account.id, session_id=entry.id),
            event=AuditEvent.SIGN_IN,
            at=now,
            subject_id=entry.id,
            detail={"address": address, "browser": refresh is None},
        )
        return account.id, entry.id

    # --- refreshing and signing out ------------------------------------------------------------------------

    def refresh(self, token: str) -> Tokens:
        """The next pair of tokens. A spent one ends the whole family. Raises :class:`NotSignedIn`."""
        following = secrets.token_urlsafe(REFRESH_BYTES)
        with self.database.begin(Lane.USUAL) as session:
            opened = self._spend(session, token, following)
        if opened is None:
            raise NotSignedIn
        return self._tokens(*opened, following)

    def _spend(self, session: Session, token: str, following: str) -> tuple[UUID, UUID] | None:
        now = self.clock.now()
        found = session.execute(
            select(RefreshToken, SignInSession, Account)
            .join(SignInSession, SignInSession.id == RefreshToken.session_id)
            .join(Account, Account.id == SignInSession.account_id)
            .where(RefreshToken.digest == _digest(token))
        ).one_or_none()
        if found is None:
            return None
        spent, entry, account = found
        if not self._take(session, spent, now):
            self._end_family(session, entry, now)
            return None
        if not self.lives(entry, account, now):
            return None
        entry.seen_at = now
        session.add(RefreshToken(session_id=entry.id, digest=_digest(following), issued_at=now))
        return account.id, entry.id

    def _take(self, session: Session, token: RefreshToken, now: datetime) -> bool:
        """Spend it, if nobody has: of two at the same moment the database lets one win."""
        taken = session.execute(
            update(RefreshToken)
            .where(RefreshToken.id == token.id, RefreshToken.spent_at.is_(None))
            .values(spent_at=now)
            .returning(RefreshToken.id)
        ).all()
        return bool(taken)

    def _end_family(self, session: Session, entry: SignInSession, now: datetime) -> None:
        """Somebody holds a copy of a token: nobody goes on with this session."""
        log.warning("a spent refresh token came back; session %s ended", entry.id)
        _end(session, entry.id, why="refresh_reused", now=now)
        audit.record(
            session,
            actor=Actor(account_id=entry.account_id, session_id=entry.id),
            event=AuditEvent.REFRESH_REUSED,
            at=now,
            subject_id=entry.id,
        )

    def sign_out(self, session: Session, signed_in: SignedIn) -> None:
        """End this session: its tokens are refused from the next request on."""
        now = self.clock.now()
        _end(session, signed_in.session_id, why="signed_out", now=now)
        audit.record(
            session,
            actor=signed_in.actor,
            event=AuditEvent.SIGN_OUT,
            at=now,
            subject_id=signed_in.session_id,
        )

    def change_password(self, signed_in: SignedIn, *, current: str, new: str, address: str) -> None:
        """A new password of one's own; every session ends, this one too.

        Raises :class:`InvalidInput` (wrong current password, or a refused new one), ``TooMany``.
        """
        now = self.clock.now()
        with self.database.look() as session:
            account = session.get_one(Account, signed_in.account_id)
            stored, count = account.password_hash, _count(account)
            names = _names(session, signed_in.actor, account)
        # Asked for by somebody who is signed in: failures slow down this form, never the open session.
        self._addresses.check(address, now)
        count.check(now)
        check_password(new, names=names)
        right = self.hasher.check(stored, current)
        hashed = self.hasher.hash(new) if right else ""
        with self.database.begin() as session:
            account = session.get_one(Account, signed_in.account_id, with_for_update=True)
            if right and account.password_hash == stored:
                account_actions.set_password_hash(
                    session, actor=signed_in.actor, account=account, password_hash=hashed, now=now
                )
                return
            count = _count(account).after_failure(now)
            account.failures, account.retry_at = count.failures, count.retry_at
            _refuse(session, account, address, now)
        self._addresses.fail(address, now)
        raise InvalidInput("The current password is wrong.")

    # --- forms ---------------------------------------------------------------------------------------------

    def form_token(self, session_id: UUID) -> str:
        """What a form of this session carries, so that no other site can send it (requirement AU9)."""
        key = self.keys.current().form_key
        return hmac.new(key, f"form:{session_id}".encode(), hashlib.sha256).hexdigest()

    def is_form_token(self, session_id: UUID, text: str) -> bool:
        return hmac.compare_digest(self.form_token(session_id).encode(), text.encode("utf-8", "replace"))

    # --- tokens --------------------------------------------------------------------------------------------

    def _tokens(self, account_id: UUID, session_id: UUID, refresh: str) -> Tokens:
        lifetime = min(self.settings.access_ttl, ACCESS.lifetime)
        access = self._mint(ACCESS, account_id, session_id, lifetime)
        return Tokens(access, refresh, int(lifetime.total_seconds()))

    def _mint(self, kind: TokenKind, account_id: UUID, session_id: UUID, lifetime: timedelta) -> str:
        return mint(
            self.keys.current(),
            kind=kind,
            issuer=self.settings.issuer,
            account_id=account_id,
            session_id=session_id,
            now=self.clock.now(),
            lifetime=lifetime,
        )


def _count(account: Account) -> Count:
    return Count(account.failures, account.retry_at)


def _digest(token: str) -> bytes:
    return hashlib.sha256(token.encode("utf-8", "replace")).digest()


def _end(session: Session, session_id: UUID, *, why: str, now: datetime) -> None:
    session.execute(
        update(SignInSession)
        .where(SignInSession.id == session_id, SignInSession.ended_at.is_(None))
        .values(ended_at=now, ended_why=why)
    )


def _refuse(session: Session, account: Account | None, address: str, now: datetime) -> SignInRefused:
    """Store a refused sign-in: which account if there is one, never the name that was typed."""
    audit.record(
        session,
        actor=Actor(account_id=None),
        event=AuditEvent.SIGN_IN_REFUSED,
        at=now,
        subject_id=account.id if account else None,
        detail={"address": address},
    )
    return SignInRefused()


def _names(session: Session, actor: Actor, account: Account) -> list[str]:
    """Names that a password of this account must not hold."""
    names = [account.username, account.name]
    theirs = select(Organisation).where(Organisation.id.in_(actor.organisations()))
    for organisation in session.scalars(theirs).all():
        names += [part for each in areas_above(session, organisation) for part in (each.name, each.code)]
    return names
