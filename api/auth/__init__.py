"""Who are you: tokens and passwords (requirements AU1 to AU6). The only place that speaks JWT and argon2.

A token says *who* and nothing else. Roles, areas and whether the session still lives are read from the database
at each request (:mod:`api.auth.gatekeeper`), so that ending any of them works on the next request.
"""

from __future__ import annotations

import os
from base64 import b64encode
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from threading import BoundedSemaphore
from typing import Any, TypeVar
from uuid import UUID, uuid4

import jwt
from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from api.auth.keys import KeySet
from screening.core.errors import DomainError, Unavailable

ALGORITHM = "EdDSA"
LEEWAY = timedelta(seconds=30)
LONGEST_TOKEN = 4096
HEADER = frozenset({"alg", "kid", "typ"})
REQUIRED = frozenset({"exp", "iat", "iss", "aud", "sub", "jti", "sid"})

T = TypeVar("T")


class BadToken(Exception):
    """Not a token of ours, or not any more. Never says why: the bearer is told nothing but 401."""


class NotSignedIn(DomainError):
    """No token, a bad token, or a session that has ended."""

    code = "not-signed-in"

    def __init__(self, message: str = "Please sign in.", **params: object) -> None:
        super().__init__(message, **params)


# --- tokens ------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class TokenKind:
    """What a token is for. Kinds differ in type *and* audience, so that none can be used as another."""

    typ: str
    audience: str
    lifetime: timedelta


ACCESS = TokenKind("at+jwt", "xinqiao-api", timedelta(minutes=10))
PAGE = TokenKind("page+jwt", "xinqiao-pages", timedelta(minutes=30))


@dataclass(frozen=True, slots=True)
class Claims:
    """Who, in which session, and from when."""

    account_id: UUID
    session_id: UUID
    token_id: UUID
    issued_at: datetime


def read_access_token(
    token: str, keys: Mapping[str, Ed25519PublicKey], *, issuer: str, now: datetime
) -> Claims:
    """The claims of an access token. Raises :class:`BadToken` and nothing else, whatever the text is."""
    return read_token(token, keys, kind=ACCESS, issuer=issuer, now=now)


def read_token(
    token: str, keys: Mapping[str, Ed25519PublicKey], *, kind: TokenKind, issuer: str, now: datetime
) -> Claims:
    """The claims of a token of one kind. Raises :class:`BadToken` and nothing else."""
    if not 0 < len(token) <= LONGEST_TOKEN:
        raise BadToken
    try:
        header = jwt.get_unverified_header(token)
        key = keys.get(header.get("kid", ""))
        # Nothing but what we write: no `crit`, no `b64`, and no key or address of a key brought along.
        if header.keys() != HEADER or not _is_kind(header["typ"], kind) or key is None:
            raise BadToken
        claims = jwt.decode(
            token,
            key,
            algorithms=[ALGORITHM],
            issuer=issuer,
            audience=kind.audience,
            # Times are compared below: PyJWT asks the machine's clock and accepts any lifetime.
            options={
                "require": sorted(REQUIRED),
                "strict_aud": True,
                "verify_exp": False,
                "verify_iat": False,
                "verify_nbf": False,
            },
        )
        return _claims(claims, kind, now)
    except (jwt.PyJWTError, ValueError, TypeError, OverflowError, RecursionError) as wrong:
        raise BadToken from wrong


def _is_kind(typ: object, kind: TokenKind) -> bool:
    return isinstance(typ, str) and typ.lower() == kind.typ


def _claims(claims: dict[str, Any], kind: TokenKind, now: datetime) -> Claims:
    issued, ends = claims["iat"], claims["exp"]
    if claims.keys() != REQUIRED or type(issued) is not int or type(ends) is not int:
        raise BadToken
    leeway, moment = LEEWAY.total_seconds(), now.timestamp()
    if not 0 < ends - issued <= kind.lifetime.total_seconds():
        raise BadToken
    if not issued - leeway <= moment < ends + leeway:
        raise BadToken
    return Claims(
        account_id=_uuid(claims["sub"]),
        session_id=_uuid(claims["sid"]),
        token_id=_uuid(claims["jti"]),
        issued_at=datetime.fromtimestamp(issued, UTC),
    )


def _uuid(text: object) -> UUID:
    """One spelling only: the lower-case form with dashes."""
    if not isinstance(text, str) or str(found := UUID(text)) != text:
        raise BadToken
    return found


def mint(
    keys: KeySet,
    *,
    kind: TokenKind,
    issuer: str,
    account_id: UUID,
    session_id: UUID,
    now: datetime,
    lifetime: timedelta,
) -> str:
    """A signed token. ``lifetime`` is cut to what the kind allows."""
    issued = int(now.timestamp())
    claims = {
        "iss": issuer,
        "aud": kind.audience,
        "sub": str(account_id),
        "sid": str(session_id),
        "jti": str(uuid4()),
        "iat": issued,
        "exp": issued + int(min(lifetime, kind.lifetime).total_seconds()),
    }
    return jwt.encode(
        claims, keys.signer, algorithm=ALGORITHM, headers={"kid": keys.signing, "typ": kind.typ}
    )


# --- passwords ---------------------------------------------------------------------------------------------

MEMORY_KIB, ROUNDS, LANES = 19_456, 2, 1  # OWASP's least for argon2id; about 25 ms of one core
HASH_THREADS, HASH_QUEUE = 2, 20


class Hasher:
    """Argon2id in a small pool: beyond two at work and twenty waiting, :class:`Unavailable`.

    Hashing must never hold the database's writing lane, nor let a flood of sign-ins take every core.
    """

    def __init__(self, *, threads: int = HASH_THREADS, queue: int = HASH_QUEUE) -> None:
        self._argon = PasswordHasher(time_cost=ROUNDS, memory_cost=MEMORY_KIB, parallelism=LANES)
        self._pool = ThreadPoolExecutor(threads, thread_name_prefix="password")
        self._room = BoundedSemaphore(threads + queue)
        self._decoy = _decoy()

    def hash(self, password: str) -> str:
        """A new hash of ``password``, taken exactly as typed."""
        return self._run(lambda: self._argon.hash(password))

    def check(self, stored: str | None, password: str) -> bool:
        """Whether ``password`` is the one. Without a stored hash it works as long, and the answer is no."""
        return self._run(lambda: self._verify(stored, password))

    def is_outdated(self, stored: str) -> bool:
        """Whether ``stored`` was made with other parameters than today's."""
        return self._argon.check_needs_rehash(stored)

    def close(self) -> None:
        self._pool.shutdown(wait=True, cancel_futures=True)

    def _verify(self, stored: str | None, password: str) -> bool:
        try:
            return self._argon.verify(stored or self._decoy, password)
        except InvalidHashError:  # an account that cannot sign in by password: answered as slowly as others
            return stored is not None and self._verify(None, password)
        except VerificationError:
            return False

    def _run(self, work: Callable[[], T]) -> T:
        if not self._room.acquire(blocking=False):
            raise Unavailable("Many people are signing in at this moment. Please try again in a few seconds.")
        try:
            return self._pool.submit(work).result()
        finally:
            self._room.release()


def _decoy() -> str:
    """A hash of today's parameters that no password has."""
    salt, digest = (b64encode(os.urandom(size)).rstrip(b"=").decode() for size in (16, 32))
    return f"$argon2id$v=19$m={MEMORY_KIB},t={ROUNDS},p={LANES}${salt}${digest}"
