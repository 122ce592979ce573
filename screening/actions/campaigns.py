"""筛查任务: plan, announce, open, close."""

from __future__ import annotations

from datetime import date, datetime
from uuid import UUID

from sqlalchemy.orm import Session

from instruments import UnknownInstrument, catalogue
from screening import access, policies
from screening.access import May
from screening.core import audit, rows
from screening.core.actor import Actor
from screening.core.audit import AuditEvent
from screening.core.errors import InvalidInput
from screening.models.campaign import Campaign, CampaignStatus, CampaignStatusChange, RosterEntry
from screening.models.organisation import Organisation
from screening.queries.campaigns import base_rate_of


def plan(
    session: Session,
    *,
    actor: Actor,
    organisation: Organisation,
    title: str,
    instruments: list[str],
    consent_version: str,
    opens_on: date,
    closes_on: date,
    now: datetime,
) -> Campaign:
    """A draft campaign of one school, with the instruments asked in it."""
    access.check_may_at(actor, May.RUN_CAMPAIGN, organisation.id)
    _check_plan(instruments, opens_on, closes_on)
    owner = actor.account_id or actor.on_behalf_of
    if owner is None:
        raise InvalidInput("A campaign needs an owner.")
    campaign = Campaign(
        organisation_id=organisation.id,
        title=title,
        status=CampaignStatus.DRAFT,
        instruments=list(dict.fromkeys(instruments)),
        consent_version=consent_version,
        opens_on=opens_on,
        closes_on=closes_on,
        base_rate=base_rate_of(session, organisation),
        owner_id=owner,
        created_at=now,
        created_by=actor.account_id,
    )
    session.add(campaign)
    _changed(session, actor, campaign, CampaignStatus.DRAFT, None, now)
    return campaign


def _check_plan(instruments: list[str], opens_on: date, closes_on: date) -> None:
    if not instruments:
        raise InvalidInput("A campaign asks at least one questionnaire.")
    if closes_on < opens_on:
        raise InvalidInput("A campaign closes after it opens.")
    for code in instruments:
        try:
            catalogue().get(code)
        except UnknownInstrument as unknown:
            raise InvalidInput("The questionnaire {code} is not in the library.", code=code[:20]) from unknown


def move(
    session: Session,
    *,
    actor: Actor,
    campaign: Campaign,
    to: CampaignStatus,
    reason: str | None,
    now: datetime,
) -> None:
    """One step of the campaign. Announcing needs the lead; the base rate is frozen when it opens."""
    what = May.APPROVE_CAMPAIGN if to is CampaignStatus.ANNOUNCED else May.RUN_CAMPAIGN
    access.check_may_at(actor, what, campaign.organisation_id)
    policies.check_campaign_step(campaign.status, to)
    campaign.status = to
    if to is CampaignStatus.OPEN:
        campaign.base_rate = base_rate_of(session, session.get_one(Organisation, campaign.organisation_id))
    _changed(session, actor, campaign, to, reason, now)


def _changed(
    session: Session, actor: Actor, campaign: Campaign, to: CampaignStatus, reason: str | None, now: datetime
) -> None:
    session.add(
        CampaignStatusChange(
            campaign_id=campaign.id, status=to, changed_at=now, changed_by=actor.account_id, reason=reason
        )
    )
    audit.record(
        session,
        actor=actor,
        event=AuditEvent.CAMPAIGN_SAVE,
        at=now,
        subject_id=campaign.id,
        detail={"status": to.value},
    )


def put_on_roll(
    session: Session, *, campaign_id: UUID, child_ids: list[UUID], known: set[UUID], now: datetime
) -> None:
    """Add children to the roll of a campaign; those already on it stay as they are."""
    for child_id in child_ids:
        if child_id not in known:
            rows.add(session, RosterEntry, campaign_id=campaign_id, child_id=child_id, added_at=now)
            known.add(child_id)
