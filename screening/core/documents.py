"""Stored files (notes, workbooks): bytes with hash and media type, sealed at rest."""

from __future__ import annotations

import hashlib
from datetime import datetime
from uuid import UUID

from sqlalchemy import LargeBinary, String
from sqlalchemy.orm import Mapped, Session, mapped_column

from screening.core.db import Base
from screening.core.sealing import Keyring
from screening.core.types import Instant


class DocumentBroken(Exception):
    """Stored bytes do not match their hash."""


class StoredDocument(Base):
    """``sha256`` is of the plain bytes; ``size`` in bytes."""

    __tablename__ = "stored_document"

    media_type: Mapped[str] = mapped_column(String(120))
    sha256: Mapped[bytes] = mapped_column(LargeBinary(32))
    size: Mapped[int]
    body_sealed: Mapped[bytes] = mapped_column(LargeBinary)
    created_at: Mapped[datetime] = mapped_column(Instant)


def store(session: Session, *, data: bytes, media_type: str, now: datetime) -> StoredDocument:
    """Seal and keep ``data``."""
    document = StoredDocument(
        media_type=media_type, sha256=hashlib.sha256(data).digest(), size=len(data), created_at=now
    )
    keyring: Keyring = session.info["keyring"]
    document.body_sealed = keyring.seal(_place(document.id), data)
    session.add(document)
    return document


def read(session: Session, document_id: UUID) -> bytes:
    """The plain bytes. Raises :class:`DocumentBroken` when they are not what was stored."""
    document = session.get_one(StoredDocument, document_id)
    keyring: Keyring = session.info["keyring"]
    data = keyring.open(_place(document.id), document.body_sealed)
    if hashlib.sha256(data).digest() != document.sha256:
        raise DocumentBroken(str(document_id))
    return data


def _place(document_id: UUID) -> str:
    return f"stored_document.body:{document_id}"
