"""筛查任务: plan, announce, open, close."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date, datetime
from uuid import UUID

from sqlalchemy.orm import Session

from instruments import UnknownInstrument, catalogue
from screening import access, policies
from screening.access import May
from screening.core import audit, rows
from screening.core.actor import Actor
from screening.core.audit import AuditEvent
from screening.core.errors import InvalidInput, PolicyViolation
from screening.models.campaign import Campaign, CampaignStatus, CampaignStatusChange, RosterEntry
from screening.models.organisation import Organisation
from screening.queries.asking import breaches_of, lacks_signature
from screening.queries.campaigns import base_rate_of

HIGHEST_GRADE = 12


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
    grades: Sequence[int] | None = None,
    informants: Mapping[str, str] | None = None,
) -> Campaign:
    """A draft campaign of one school, with the instruments asked in it.

    ``grades``: the years of school that are asked (1 to 12), where they are not all of the school's.
    ``informants``: who answers which sheet, where a sheet has several.
    """
    access.check_may_at(actor, May.RUN_CAMPAIGN, organisation.id)
    _check_plan(instruments, opens_on, closes_on)
    _check_asked(instruments, grades, informants or {})
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
        grades=sorted(set(grades)) if grades else None,
        informants=dict(informants) if informants else None,
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


def _check_asked(instruments: list[str], grades: Sequence[int] | None, informants: Mapping[str, str]) -> None:
    if grades is not None and not (grades and all(1 <= grade <= HIGHEST_GRADE for grade in grades)):
        raise InvalidInput("Grades are numbers from 1 to {highest}.", highest=HIGHEST_GRADE)
    for code, informant in informants.items():
        policies.check_instrument_asked(code, instruments)
        policies.check_informant(informant, catalogue().get(code).informants)


def sign_without_safety(
    session: Session, *, actor: Actor, campaign: Campaign, reason: str, now: datetime
) -> None:
    """The lead knows that nobody is asked about safety, and says why. Before it opens; twice is once."""
    access.check_may_at(actor, May.APPROVE_CAMPAIGN, campaign.organisation_id)
    if campaign.status not in (CampaignStatus.DRAFT, CampaignStatus.ANNOUNCED):
        raise PolicyViolation("This is signed before a campaign opens.")
    if campaign.without_safety_at is not None:
        return
    if not reason.strip():
        raise InvalidInput("Say why no sheet asks about safety, and how the school asks instead.")
    if actor.account_id is None:
        raise PolicyViolation("Only a person signs.")
    campaign.without_safety_by, campaign.without_safety_at = actor.account_id, now
    _changed(session, actor, campaign, campaign.status, reason.strip()[:200], now)


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
    if to in (CampaignStatus.ANNOUNCED, CampaignStatus.OPEN):
        policies.check_asking(breaches_of(session, actor=actor, campaign=campaign))
        policies.check_safety_signed(lacks_signature(session, actor=actor, campaign=campaign))
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
