"""Facilities and what has been agreed with them. No child is in any of it."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, datetime
from uuid import UUID

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from referral.models.referral import ChannelAgreement, Facility, Referral
from referral.queries.facilities import WEEK
from referral.terms import ReferralKind
from screening.access import May, organisations_visible_to, places
from screening.core.actor import Actor
from screening.core.errors import NotFound
from screening.models.organisation import Organisation, OrganisationKind


def live_agreements(
    session: Session, *, organisation: Organisation, today: date
) -> Sequence[ChannelAgreement]:
    """Agreements of a district, or with a facility, that are valid on a day; the newest of each pair."""
    rows = session.scalars(
        select(ChannelAgreement)
        .where(
            (ChannelAgreement.district_id == organisation.id)
            | (ChannelAgreement.facility_id == organisation.id),
            ChannelAgreement.valid_from <= today,
            ChannelAgreement.valid_to >= today,
        )
        .order_by(ChannelAgreement.recorded_at, ChannelAgreement.id)
    )
    newest = {(row.district_id, row.facility_id): row for row in rows}
    return list(newest.values())


def facilities_below(session: Session, *, district: Organisation) -> Sequence[Organisation]:
    """The facilities of a district and of the city above it, by name."""
    roots = [district.path, *([district.parent.path] if district.parent else [])]
    rows = session.scalars(
        select(Organisation)
        .where(Organisation.kind == OrganisationKind.FACILITY, Organisation.ended_on.is_(None))
        .order_by(Organisation.name)
    )
    return [row for row in rows if any(row.path.startswith(root) for root in roots)]


def find_facility(session: Session, *, organisation: Organisation) -> Facility | None:
    """What is on record about a facility."""
    return session.scalars(select(Facility).where(Facility.organisation_id == organisation.id)).one_or_none()


def own_facility(session: Session, *, actor: Actor) -> Facility:
    """The facility whose places the actor opens, or :class:`NotFound`."""
    here = places(actor, May.SET_FACILITY)
    seen = organisations_visible_to(actor).with_only_columns(Organisation.id)
    found = session.scalars(
        select(Facility)
        .where(Facility.organisation_id.in_(here), Facility.organisation_id.in_(seen))
        .order_by(Facility.id)
    ).first()
    if found is None:
        raise NotFound
    return found


def asked_since_a_week(session: Session, *, organisation_id: UUID, now: datetime) -> tuple[int, int]:
    """First visits asked of a facility in the last seven days, and triage requests among them; counts only."""
    rows = session.execute(
        select(Referral.kind, func.count())
        .where(Referral.facility_id == organisation_id, Referral.sent_at >= now - WEEK)
        .group_by(Referral.kind)
    )
    counts: dict[ReferralKind, int] = {row[0]: row[1] for row in rows}
    return sum(counts.values()), counts.get(ReferralKind.TRIAGE_REQUEST, 0)
