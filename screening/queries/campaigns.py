"""Campaigns, rosters and consent, as far as the actor may see."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from sqlalchemy import Select, func, select
from sqlalchemy.orm import Session, joinedload

from risk_model import DEFAULT_BASE_RATE
from screening.access import Part, campaigns_visible_to, visible_child_ids
from screening.core import audit
from screening.core.actor import Actor
from screening.core.audit import AuditEvent
from screening.core.errors import NotFound
from screening.models.administration import Administration
from screening.models.campaign import Campaign, CampaignStatus, RosterEntry
from screening.models.child import Child
from screening.models.consent import Consent, ConsentStatus, Purpose
from screening.models.organisation import DistrictSetting, Organisation, OrganisationKind
from screening.models.result import ResultStatus, ScreenResult
from screening.queries.accounts import on_path


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
    session: Session,
    *,
    actor: Actor,
    campaign: Campaign,
    now: datetime,
    after: UUID | None = None,
    limit: int = 200,
) -> Sequence[RosterEntry]:
    """One page of the roll of a campaign that was found through a scope, by id; who was shown is recorded."""
    statement = (
        select(RosterEntry)
        .where(RosterEntry.campaign_id == campaign.id)
        .where(RosterEntry.child_id.in_(visible_child_ids(actor, Part.IDENTITY)))
        .options(joinedload(RosterEntry.child).selectinload(Child.enrolments))
        .order_by(RosterEntry.id)
        .limit(limit)
    )
    if after is not None:
        statement = statement.where(RosterEntry.id > after)
    entries = session.scalars(statement).all()
    audit.record_list(
        session,
        actor=actor,
        event=AuditEvent.CAMPAIGN_READ,
        at=now,
        children=[entry.child_id for entry in entries],
        detail={"campaign": str(campaign.id)},
    )
    return entries


def recorded_sheets(session: Session, *, entries: Sequence[RosterEntry]) -> dict[UUID, list[str]]:
    """Codes of the sheets stored for each line of a roll that was found through a scope."""
    rows = session.execute(
        select(Administration.roster_entry_id, Administration.instrument)
        .where(
            Administration.roster_entry_id.in_([entry.id for entry in entries]),
            Administration.voided_at.is_(None),
        )
        .distinct()
        .order_by(Administration.instrument)
    )
    found: dict[UUID, list[str]] = {}
    for entry_id, code in rows:
        if entry_id is not None:
            found.setdefault(entry_id, []).append(code)
    return found


@dataclass(frozen=True, slots=True)
class Progress:
    """Where a campaign stands, in children but for ``sheets`` (stored sheets by questionnaire).

    ``absent``: on the roll, consented, and without any sheet. ``not_scored``: with a sheet that gave no result.
    """

    on_roll: int
    with_sheet: int
    sheets: dict[str, int]
    not_scored: int
    without_consent: int
    absent: int


def progress(session: Session, *, campaign: Campaign) -> Progress:
    """The counts of a campaign that was found through a scope."""
    on_roll = select(RosterEntry.child_id).where(RosterEntry.campaign_id == campaign.id)
    consented = on_roll.where(RosterEntry.child_id.in_(_given(campaign, Purpose.SCREENING)))
    sheets = (
        select(ScreenResult.child_id)
        .join(Administration, Administration.id == ScreenResult.administration_id)
        .where(ScreenResult.campaign_id == campaign.id, Administration.voided_at.is_(None))
    )
    rows = session.execute(
        select(Administration.instrument, func.count())
        .select_from(ScreenResult)
        .join(Administration, Administration.id == ScreenResult.administration_id)
        .where(ScreenResult.campaign_id == campaign.id, Administration.voided_at.is_(None))
        .group_by(Administration.instrument)
    ).all()
    roll, given = _count(session, on_roll), _count(session, consented)
    return Progress(
        on_roll=roll,
        with_sheet=_count(session, sheets),
        sheets={**dict.fromkeys(campaign.instruments, 0), **dict(rows)},
        not_scored=_count(session, sheets.where(ScreenResult.status == ResultStatus.NOT_SCORED)),
        without_consent=roll - given,
        absent=_count(session, consented.where(RosterEntry.child_id.not_in(sheets))),
    )


def _count(session: Session, children: Select[UUID]) -> int:
    """How many different children."""
    ids = children.distinct().subquery()
    return session.scalar(select(func.count()).select_from(ids)) or 0


def _given(campaign: Campaign, purpose: Purpose) -> Select[UUID]:
    """The children on a roll whose last answer is yes."""
    last = func.row_number().over(
        partition_by=Consent.child_id, order_by=(Consent.recorded_at.desc(), Consent.given_on.desc())
    )
    answers = (
        select(Consent.child_id, Consent.status, last.label("place"))
        .join(RosterEntry, RosterEntry.child_id == Consent.child_id)
        .where(RosterEntry.campaign_id == campaign.id, Consent.purpose == purpose)
        .subquery()
    )
    return select(answers.c.child_id).where(answers.c.place == 1, answers.c.status == ConsentStatus.GIVEN)


def current_consents(
    session: Session, child_ids: Iterable[UUID], purposes: Iterable[Purpose]
) -> dict[tuple[UUID, Purpose], Consent]:
    """The answer that holds for each child and purpose: the one recorded last."""
    ids, wanted = list(child_ids), list(purposes)
    found: dict[tuple[UUID, Purpose], Consent] = {}
    for start in range(0, len(ids), 500):
        rows = session.scalars(
            select(Consent)
            .where(Consent.child_id.in_(ids[start : start + 500]), Consent.purpose.in_(wanted))
            .order_by(Consent.recorded_at, Consent.given_on)
        )
        found |= {(row.child_id, row.purpose): row for row in rows}
    return found


def consent_statuses(
    session: Session, child_ids: Iterable[UUID], purposes: Iterable[Purpose]
) -> dict[tuple[UUID, Purpose], ConsentStatus]:
    """What :func:`current_consents` says, where nothing but the answer is asked."""
    ids, wanted = list(child_ids), list(purposes)
    found: dict[tuple[UUID, Purpose], ConsentStatus] = {}
    for start in range(0, len(ids), 500):
        answers = session.execute(
            select(Consent.child_id, Consent.purpose, Consent.status)
            .where(Consent.child_id.in_(ids[start : start + 500]), Consent.purpose.in_(wanted))
            .order_by(Consent.recorded_at, Consent.given_on)
        )
        found |= {(child_id, purpose): status for child_id, purpose, status in answers}
    return found


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
    above = on_path(session, organisation.path)
    county = next((o for o in above if o.kind is OrganisationKind.COUNTY), None)
    if county is not None:
        return county
    return min(above, key=lambda o: len(o.path), default=organisation)


def district_setting(session: Session, district_id: UUID) -> DistrictSetting | None:
    """What is in force: the last that two people have signed."""
    return session.scalars(
        select(DistrictSetting)
        .where(DistrictSetting.organisation_id == district_id, DistrictSetting.approved_by.is_not(None))
        .order_by(DistrictSetting.version.desc())
        .limit(1)
    ).one_or_none()


def newest_setting(session: Session, district_id: UUID) -> DistrictSetting | None:
    """The last that anybody wrote: in force, or waiting for a second person."""
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
