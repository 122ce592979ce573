"""Campaigns, their rolls and how far they are."""

from __future__ import annotations

from typing import Annotated
from uuid import UUID

from fastapi import Query, Response

from api.deps import ActorDep, ClockDep, LocaleDep, SessionDep, json_router, needs
from api.v1.schemas.campaigns import (
    CampaignIn,
    CampaignOut,
    EntryOut,
    ProgressOut,
    RosterOut,
    SignatureIn,
    StepIn,
)
from api.v1.schemas.common import PageSize
from api.versions import IfMatchDep, show_version
from screening.access import May
from screening.actions import campaigns as actions
from screening.queries import campaigns
from screening.queries.districts import get_organisation

router = json_router(tags=["campaigns"])


@router.get("/campaigns", dependencies=[needs(May.READ_CAMPAIGNS)])
def list_campaigns(session: SessionDep, actor: ActorDep) -> list[CampaignOut]:
    """The campaigns of one's own places, the newest first."""
    return [CampaignOut.of(campaign) for campaign in campaigns.list_campaigns(session, actor=actor)]


@router.post("/campaigns", status_code=201, dependencies=[needs(May.RUN_CAMPAIGN)])
def plan_campaign(body: CampaignIn, session: SessionDep, actor: ActorDep, clock: ClockDep) -> CampaignOut:
    """A draft campaign of one school."""
    organisation = get_organisation(session, actor=actor, organisation_id=body.organisation_id)
    campaign = actions.plan(
        session,
        actor=actor,
        organisation=organisation,
        title=body.title,
        instruments=body.instruments,
        consent_version=body.consent_version,
        opens_on=body.opens_on,
        closes_on=body.closes_on,
        now=clock.now(),
        grades=body.grades,
        informants=body.informants,
    )
    return CampaignOut.of(campaign)


@router.get("/campaigns/{campaign_id}", dependencies=[needs(May.READ_CAMPAIGNS)])
def show_campaign(campaign_id: UUID, session: SessionDep, actor: ActorDep, response: Response) -> CampaignOut:
    """A campaign, with its version as ``ETag``."""
    campaign = campaigns.get_campaign(session, actor=actor, campaign_id=campaign_id)
    show_version(response, campaign.version)
    return CampaignOut.of(campaign)


@router.post("/campaigns/{campaign_id}/steps", dependencies=[needs(May.RUN_CAMPAIGN, May.APPROVE_CAMPAIGN)])
def move_campaign(
    campaign_id: UUID,
    body: StepIn,
    seen: IfMatchDep,
    session: SessionDep,
    actor: ActorDep,
    clock: ClockDep,
    response: Response,
) -> CampaignOut:
    """One step of its machine. Announcing is the lead's, the others the counsellor's."""
    campaign = campaigns.get_campaign(session, actor=actor, campaign_id=campaign_id)
    seen.check(session, campaign.version, things=[campaign.id], now=clock.now())
    actions.move(session, actor=actor, campaign=campaign, to=body.to, reason=body.reason, now=clock.now())
    session.flush()
    show_version(response, campaign.version)
    return CampaignOut.of(campaign)


@router.post("/campaigns/{campaign_id}/without-safety", dependencies=[needs(May.APPROVE_CAMPAIGN)])
def sign_without_safety(
    campaign_id: UUID,
    body: SignatureIn,
    seen: IfMatchDep,
    session: SessionDep,
    actor: ActorDep,
    clock: ClockDep,
    response: Response,
) -> CampaignOut:
    """The lead signs that a secondary school is asked nothing about safety, and says why."""
    campaign = campaigns.get_campaign(session, actor=actor, campaign_id=campaign_id)
    seen.check(session, campaign.version, things=[campaign.id], now=clock.now())
    actions.sign_without_safety(session, actor=actor, campaign=campaign, reason=body.reason, now=clock.now())
    session.flush()
    show_version(response, campaign.version)
    return CampaignOut.of(campaign)


@router.get("/campaigns/{campaign_id}/roster", dependencies=[needs(May.READ_CAMPAIGNS)])
def show_roster(
    campaign_id: UUID,
    session: SessionDep,
    actor: ActorDep,
    clock: ClockDep,
    locale: LocaleDep,
    after: UUID | None = None,
    limit: Annotated[PageSize, Query()] = 100,
) -> RosterOut:
    """One page of the roll, with the sheets that are there."""
    campaign = campaigns.get_campaign(session, actor=actor, campaign_id=campaign_id)
    entries = campaigns.list_roster(
        session, actor=actor, campaign=campaign, now=clock.now(), after=after, limit=limit
    )
    sheets = campaigns.recorded_sheets(session, entries=entries)
    return RosterOut(
        items=[EntryOut.of(entry, sheets, clock.today(), locale) for entry in entries],
        next=entries[-1].id if len(entries) == limit else None,
    )


@router.get("/campaigns/{campaign_id}/progress", dependencies=[needs(May.READ_CAMPAIGNS)])
def show_progress(campaign_id: UUID, session: SessionDep, actor: ActorDep) -> ProgressOut:
    """How far it is, in counts of one's own school."""
    campaign = campaigns.get_campaign(session, actor=actor, campaign_id=campaign_id)
    return ProgressOut.of(campaigns.progress(session, campaign=campaign))
