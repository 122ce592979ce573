"""Accounts, dated role grants, and sign-in sessions."""

from __future__ import annotations

from datetime import date, datetime
from uuid import UUID

from sqlalchemy import CheckConstraint, LargeBinary, String
from sqlalchemy.orm import Mapped, mapped_column, relationship

from screening.core.actor import Role
from screening.core.db import Base
from screening.core.types import EnumText, Instant, Sealed, reference
from screening.models.organisation import Organisation


class Account(Base):
    """A person who signs in. ``username`` is what they type; the name stands on papers and in the trail view."""

    __tablename__ = "account"

    username: Mapped[str] = mapped_column(String(64), unique=True)
    name_sealed: Mapped[bytes] = mapped_column(LargeBinary)
    password_hash: Mapped[str] = mapped_column(String(200))
    password_changed_at: Mapped[datetime] = mapped_column(Instant)
    must_change_password: Mapped[bool] = mapped_column(default=False)
    locale: Mapped[str] = mapped_column(String(2), default="zh")
    failures: Mapped[int] = mapped_column(default=0)
    retry_at: Mapped[datetime | None] = mapped_column(Instant)
    opened_at: Mapped[datetime] = mapped_column(Instant)
    opened_by: Mapped[UUID | None]
    disabled_at: Mapped[datetime | None] = mapped_column(Instant)
    disabled_by: Mapped[UUID | None]

    name = Sealed()


class RoleGrant(Base):
    """One role in one place for a time, with who approved it and why (未成年人网络保护条例 36)."""

    __tablename__ = "role_grant"
    __table_args__ = (CheckConstraint("valid_to IS NULL OR valid_to >= valid_from", "dates"),)

    account_id: Mapped[UUID] = mapped_column(reference("account.id"), index=True)
    role: Mapped[Role] = mapped_column(EnumText(Role))
    organisation_id: Mapped[UUID] = mapped_column(reference("organisation.id"), index=True)
    valid_from: Mapped[date]
    valid_to: Mapped[date | None]
    approved_by: Mapped[UUID | None]
    approved_at: Mapped[datetime] = mapped_column(Instant)
    reason: Mapped[str] = mapped_column(String(200))

    organisation: Mapped[Organisation] = relationship()


class SignInSession(Base):
    """One signed-in person on one device: a family of refresh tokens, or a browser cookie. Read at each request."""

    __tablename__ = "sign_in_session"

    account_id: Mapped[UUID] = mapped_column(reference("account.id"), index=True)
    browser: Mapped[bool]
    started_at: Mapped[datetime] = mapped_column(Instant)
    seen_at: Mapped[datetime] = mapped_column(Instant)
    ended_at: Mapped[datetime | None] = mapped_column(Instant)
    ended_why: Mapped[str | None] = mapped_column(String(40))


class RefreshToken(Base):
    """One refresh token, stored as SHA-256, used once (requirement AU3)."""

    __tablename__ = "refresh_token"

    session_id: Mapped[UUID] = mapped_column(reference("sign_in_session.id"), index=True)
    digest: Mapped[bytes] = mapped_column(LargeBinary(32), unique=True)
    issued_at: Mapped[datetime] = mapped_column(Instant)
    spent_at: Mapped[datetime | None] = mapped_column(Instant)
