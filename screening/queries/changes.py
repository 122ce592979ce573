"""What has happened to a thing since somebody looked at it, out of the trail: who, when, what (requirement RL4)."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.orm import Session

from screening.core.audit import AuditEvent, AuditRow
from screening.queries.accounts import names_of

# Nobody keeps a page open longer; and the trail is asked by its times.
AT_MOST = timedelta(days=7)

# Event → what it changed, as a catalogue id. Readings change nothing.
WHAT: dict[AuditEvent, str] = {
    AuditEvent.CAMPAIGN_SAVE: "the campaign",
    AuditEvent.CASE_CHANGE: "the case",
    AuditEvent.PLAN_SAVE: "the plan",
    AuditEvent.PLAN_CONFIRM: "the plan",
    AuditEvent.REFERRAL_DRAFT: "the referral",
    AuditEvent.REFERRAL_CHANGE: "the referral",
    AuditEvent.REFERRAL_SEND: "the referral",
    AuditEvent.CRISIS_STEP: "the crisis record",
    AuditEvent.BASE_RATE_SET: "the district's decision",
}


@dataclass(frozen=True, slots=True)
class Change:
    """One change. ``by`` is nobody where the service itself has acted."""

    at: datetime
    by: str | None
    what: str


def changes_of(session: Session, *, things: Collection[UUID], now: datetime, most: int) -> list[Change]:
    """The last ``most`` changes of things that the asker has just been shown, the newest first."""
    rows = session.scalars(
        select(AuditRow)
        .where(AuditRow.at >= now - AT_MOST, AuditRow.subject_id.in_(things), AuditRow.event.in_(WHAT))
        .order_by(AuditRow.at.desc(), AuditRow.id)
        .limit(most)
    ).all()
    names = names_of(session, {row.account_id for row in rows if row.account_id})
    return [
        Change(row.at, names.get(row.account_id) if row.account_id else None, WHAT[row.event]) for row in rows
    ]
