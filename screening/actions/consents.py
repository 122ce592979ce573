"""知情同意: ask, record, withdraw; each answer is a row, none is overwritten."""

from __future__ import annotations

from datetime import date, datetime
from typing import Any
from uuid import UUID

from sqlalchemy.orm import Session

from screening import access
from screening.access import May
from screening.core import audit, rows
from screening.core.actor import Actor
from screening.core.audit import AuditEvent
from screening.core.clock import local_day
from screening.core.errors import InvalidInput
from screening.models.child import Child
from screening.models.consent import Consent, ConsentStatus, Purpose

SCHOOL_YEAR_ENDS = (8, 31)


def record(
    session: Session,
    *,
    actor: Actor,
    child: Child,
    purpose: Purpose,
    status: ConsentStatus,
    text_version: str,
    channel: str,
    given_on: date,
    given_by: str | None,
    relation: str | None,
    now: datetime,
) -> Consent:
    """Write down one answer. A consent given runs to the end of the school year."""
    access.check_may(actor, May.RECORD_CONSENT)
    said = _said(actor, child.id, purpose, status, text_version, channel, given_on, given_by, relation, now)
    consent = Consent(**said)
    session.add(consent)
    _trail(session, actor, child.id, consent.id, purpose, status, now)
    return consent


def record_from_roster(
    session: Session,
    *,
    actor: Actor,
    child_id: UUID,
    purpose: Purpose,
    status: ConsentStatus,
    text_version: str,
    given_on: date,
    given_by: str | None,
    relation: str | None,
    now: datetime,
) -> None:
    """An answer that the school collected on paper and entered in its 名册."""
    access.check_may(actor, May.IMPORT)
    said = _said(actor, child_id, purpose, status, text_version, "roster", given_on, given_by, relation, now)
    _trail(session, actor, child_id, rows.add(session, Consent, **said), purpose, status, now)


def _said(
    actor: Actor,
    child_id: UUID,
    purpose: Purpose,
    status: ConsentStatus,
    text_version: str,
    channel: str,
    given_on: date,
    given_by: str | None,
    relation: str | None,
    now: datetime,
) -> dict[str, Any]:
    """The row of one answer, as plain values."""
    if given_on > local_day(now):
        raise InvalidInput("The day of the answer lies in the future.")
    if not text_version.strip():
        raise InvalidInput("A consent names the version of the text that was shown.")
    return {
        "child_id": child_id,
        "purpose": purpose,
        "status": status,
        "text_version": text_version,
        "channel": channel,
        "given_on": given_on,
        "expires_on": school_year_end(given_on) if status is ConsentStatus.GIVEN else None,
        "given_by": given_by,
        "relation": relation,
        "recorded_at": now,
        "recorded_by": actor.account_id,
    }


def _trail(
    session: Session,
    actor: Actor,
    child_id: UUID,
    consent_id: UUID,
    purpose: Purpose,
    status: ConsentStatus,
    now: datetime,
) -> None:
    audit.record(
        session,
        actor=actor,
        event=AuditEvent.CONSENT_RECORD,
        at=now,
        child_id=child_id,
        subject_id=consent_id,
        detail={"purpose": purpose.value, "status": status.value},
    )


def school_year_end(day: date) -> date:
    """The last day of the school year of ``day``."""
    month, last = SCHOOL_YEAR_ENDS
    return date(day.year + (day.month > month), month, last)
