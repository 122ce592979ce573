"""Campaigns, rosters and consent, as far as the actor may see."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from uuid import UUID

from sqlalchemy import func, select
from sqlalchemy.orm import Session, joinedload

from risk_model import DEFAULT_BASE_RATE
from screening.access import Part, campaigns_visible_to, visible_child_ids
from screening.core.actor import Actor
from screening.core.errors import NotFound
from screening.models.campaign import Campaign, CampaignStatus, RosterEntry
from screening.models.child import Child
from screening.models.consent import Consent, ConsentStatus, Purpose
from screening.models.organisation import DistrictSetting, Organisation, OrganisationKind


def get_campaign(session: Session, *, actor: Actor, campaign_id: UUID) -> Campaign:
    """The campaign, or :class:`NotFound`."""
    campaign = session.scalars(campaigns_visible_to(actor).where(Campaign.id == campaign_id)).one_or_none()
    if campaign is None:
        raise NotFound
    return campaign


def list_campaigns(session: Session, *, actor: Actor) -> Sequence[Campaign]:
    """All campaigns in scope, the newest first."""
    return session.scalars(campaigns_visible_to(actor).order_by(Campaign.opens_on.desc(), Campaign.id)).all()


def get_roster_entry(session: Session, *, actor: Actor, campaign_id: UUID, entry_id: UUID) -> RosterEntry:
    """The child's line on the roll, through the actor's scope, or :class:`NotFound`."""
    entry = session.scalars(
        select(RosterEntry)
        .where(RosterEntry.id == entry_id, RosterEntry.campaign_id == campaign_id)
        .where(RosterEntry.child_id.in_(visible_child_ids(actor, Part.IDENTITY)))
        .where(RosterEntry.campaign_id.in_(campaigns_visible_to(actor).with_only_columns(Campaign.id)))
        .options(joinedload(RosterEntry.campaign), joinedload(RosterEntry.child))
    ).one_or_none()
    if entry is None:
        raise NotFound
    return entry


def list_roster(
    session: Session, *, actor: Actor, campaign_id: UUID, after: UUID | None = None, limit: int = 200
) -> Sequence[RosterEntry]:
    """One page of the roll, by id."""
    statement = (
        select(RosterEntry)
        .where(RosterEntry.campaign_id == campaign_id)
        .where(RosterEntry.child_id.in_(visible_child_ids(actor, Part.IDENTITY)))
        .options(joinedload(RosterEntry.child).selectinload(Child.enrolments))
        .order_by(RosterEntry.id)
        .limit(limit)
    )
    if after is not None:
        statement = statement.where(RosterEntry.id > after)
    return session.scalars(statement).all()


def current_consents(
    session: Session, child_ids: Iterable[UUID], purposes: Iterable[Purpose]
) -> dict[tuple[UUID, Purpose], Consent]:
    """The answer that holds for each child and purpose: the one recorded last."""
    rows = session.scalars(
        select(Consent)
        .where(Consent.child_id.in_(list(child_ids)), Consent.purpose.in_(list(purposes)))
        .order_by(Consent.recorded_at, Consent.given_on)
    )
    return {(row.child_id, row.purpose): row for row in rows}


def current_consent(session: Session, *, child_id: UUID, purpose: Purpose) -> Consent | None:
    """The one answer that holds."""
    return current_consents(session, [child_id], [purpose]).get((child_id, purpose))


def consent_status(
    consents: dict[tuple[UUID, Purpose], Consent], child_id: UUID, purpose: Purpose
) -> ConsentStatus | None:
    """Its status, or ``None`` where nobody was asked."""
    consent = consents.get((child_id, purpose))
    return consent.status if consent else None


def district_of(session: Session, organisation: Organisation) -> Organisation:
    """The county an organisation stands in; the root of its path where there is none."""
    codes = [code for code in organisation.path.split("/") if code]
    above = session.scalars(select(Organisation).where(Organisation.code.in_(codes))).all()
    county = next((o for o in above if o.kind is OrganisationKind.COUNTY), None)
    if county is not None:
        return county
    return min(above, key=lambda o: len(o.path), default=organisation)


def district_setting(session: Session, district_id: UUID) -> DistrictSetting | None:
    """What the district has decided last."""
    return session.scalars(
        select(DistrictSetting)
        .where(DistrictSetting.organisation_id == district_id)
        .order_by(DistrictSetting.version.desc())
        .limit(1)
    ).one_or_none()


def base_rate_of(session: Session, organisation: Organisation) -> float:
    """The base rate in force for an organisation's district, else the shipped default."""
    setting = district_setting(session, district_of(session, organisation).id)
    return setting.base_rate if setting else DEFAULT_BASE_RATE


def count_open_campaigns(session: Session, district: Organisation) -> int:
    """Campaigns open anywhere in a district."""
    below = select(Organisation.id).where(Organisation.path.startswith(district.path, autoescape=True))
    statement = select(func.count()).where(
        Campaign.organisation_id.in_(below),
        Campaign.status.in_([CampaignStatus.OPEN, CampaignStatus.CLOSING]),
    )
    return session.scalar(statement) or 0
