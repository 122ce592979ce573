"""Stored files: sealed, bound to their place, and never handed out when they are not what was stored."""

from __future__ import annotations

import hashlib
from datetime import UTC, datetime

import pytest
from sqlalchemy import select, text, update

from screening.core import documents
from screening.core.documents import DocumentBroken, StoredDocument
from screening.core.sealing import SealBroken

NOW = datetime(2026, 10, 14, 2, 0, tzinfo=UTC)
DATA = b"%PDF-1.7 " + "转介单".encode() * 1000


@pytest.fixture
def store(database):
    def put(data=DATA):
        with database.begin() as session:
            return documents.store(session, data=data, media_type="application/pdf", now=NOW).id

    return put


def test_a_file_comes_back_byte_by_byte(database, store):
    document_id = store()
    with database.look() as session:
        assert documents.read(session, document_id) == DATA
        document = session.get_one(StoredDocument, document_id)
        assert (document.size, document.media_type) == (len(DATA), "application/pdf")
        assert document.sha256 == hashlib.sha256(DATA).digest()


def test_nothing_of_a_file_stands_in_the_table(database, store):
    store()
    with database.look() as session:
        [body] = session.execute(text("SELECT body_sealed FROM stored_document")).scalars()
    assert b"PDF" not in bytes(body)
    assert "转介".encode() not in bytes(body)


def test_a_changed_file_does_not_open(database, store):
    document_id = store()
    with database.begin() as session:
        document = session.get_one(StoredDocument, document_id)
        document.body_sealed = document.body_sealed[:-1] + bytes([document.body_sealed[-1] ^ 1])
    with database.look() as session, pytest.raises(SealBroken):
        documents.read(session, document_id)


def test_two_files_cannot_be_exchanged(database, store):
    one, two = store(), store(b"another")
    with database.begin() as session:
        other = session.scalars(select(StoredDocument.body_sealed).where(StoredDocument.id == two)).one()
        session.execute(update(StoredDocument).where(StoredDocument.id == one).values(body_sealed=other))
    with database.look() as session, pytest.raises(SealBroken):
        documents.read(session, one)


def test_bytes_that_do_not_match_their_hash_are_not_handed_out(database, store):
    """Sealed with the right key in the right place, and still not what was stored."""
    document_id = store()
    with database.begin() as session:
        document = session.get_one(StoredDocument, document_id)
        document.body_sealed = database.keyring.seal(f"stored_document.body:{document_id}", b"forged")
    with database.look() as session, pytest.raises(DocumentBroken, match=str(document_id)):
        documents.read(session, document_id)
