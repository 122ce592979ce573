"""Organisations as far as the actor may see, their district, and what another base rate would change."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.orm import Session, joinedload

from risk_model import Level, LevelRules
from risk_model.served import ServedModel
from screening import policies, results
from screening.access import May, check_may_at, organisations_visible_to, places
from screening.core.actor import Actor
from screening.core.errors import NotFound
from screening.models.administration import Administration
from screening.models.campaign import Campaign, CampaignStatus
from screening.models.organisation import Organisation, OrganisationKind
from screening.models.result import ScreenResult
from screening.queries.campaigns import district_of
from screening.queries.models import in_force, model_of, rules_of

# Results of a campaign that is over are not asked again.
_OVER = (CampaignStatus.ARCHIVED, CampaignStatus.CANCELLED)


def list_organisations(session: Session, *, actor: Actor) -> Sequence[Organisation]:
    """The actor's own places and everything below them, in the order of the tree."""
    return session.scalars(organisations_visible_to(actor).order_by(Organisation.path)).all()


def get_organisation(session: Session, *, actor: Actor, organisation_id: UUID) -> Organisation:
    """The organisation, or :class:`NotFound`."""
    organisation = session.scalars(
        organisations_visible_to(actor).where(Organisation.id == organisation_id)
    ).one_or_none()
    if organisation is None:
        raise NotFound
    return organisation


def get_district(session: Session, *, actor: Actor, organisation_id: UUID | None) -> Organisation:
    """The district of an organisation in sight, or of the actor's first place. Raises :class:`NotFound`."""
    if organisation_id is not None:
        return district_of(session, get_organisation(session, actor=actor, organisation_id=organisation_id))
    for grant in actor.grants:
        return district_of(session, session.get_one(Organisation, grant.organisation_id))
    raise NotFound


def district_to_set(session: Session, *, actor: Actor) -> Organisation:
    """The county in which the actor may set base rate and release. Raises :class:`NotFound`."""
    return county_for(session, actor=actor, what=May.SET_DISTRICT)


def county_for(session: Session, *, actor: Actor, what: May) -> Organisation:
    """The county in which a role of the actor includes ``what``. Raises :class:`NotFound`."""
    found = session.scalars(
        organisations_visible_to(actor)
        .where(Organisation.id.in_(places(actor, what)), Organisation.kind == OrganisationKind.COUNTY)
        .order_by(Organisation.path)
        .limit(1)
    ).one_or_none()
    if found is None:
        raise NotFound
    return found


@dataclass(frozen=True, slots=True)
class LevelChanges:
    """Children with a probability in campaigns that are not over, and how many would have another level."""

    children: int
    higher: int
    lower: int


def count_level_changes(
    session: Session, *, actor: Actor, district: Organisation, base_rate: float, today: date
) -> LevelChanges:
    """What another base rate would change (decision 19). Counts over a district; shows nobody."""
    check_may_at(actor, May.SET_DISTRICT, district.id)
    policies.check_base_rate_limits(base_rate)
    below = organisations_visible_to(actor).where(
        Organisation.path.startswith(district.path, autoescape=True)
    )
    rows = session.scalars(
        select(ScreenResult)
        .join(Campaign, Campaign.id == ScreenResult.campaign_id)
        .join(Administration, Administration.id == ScreenResult.administration_id)
        .where(
            Campaign.organisation_id.in_(below.with_only_columns(Organisation.id)),
            Campaign.status.not_in(_OVER),
            Administration.voided_at.is_(None),
        )
        .options(joinedload(ScreenResult.administration))
        .order_by(ScreenResult.computed_at, ScreenResult.id)
    ).all()
    model, _ = model_of(in_force(session, district.id), today)
    return _changes(rows, base_rate, model, rules_of(session, district.id), str(district.id))


def _changes(
    rows: Iterable[ScreenResult], base_rate: float, model: ServedModel | None, rules: LevelRules, county: str
) -> LevelChanges:
    by_sheet = {str(row.administration_id): row for row in rows}
    # The newest result of a child in a campaign speaks for all of its sheets.
    newest = {
        (row.child_id, row.campaign_id): row for row in by_sheet.values() if row.probability is not None
    }
    order = list(Level)
    higher = lower = 0
    for row in newest.values():
        used = [by_sheet[sheet] for sheet in row.sheets if sheet in by_sheet]
        level = results.level_at(row, used, model=model, base_rate=base_rate, rules=rules, county=county)
        if level is not None and row.level is not None:
            higher += order.index(level) > order.index(row.level)
            lower += order.index(level) < order.index(row.level)
    return LevelChanges(children=len(newest), higher=higher, lower=lower)
