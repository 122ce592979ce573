"""Facilities as options for routing, and the choice for one child."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta
from uuid import UUID

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from referral.models.referral import ChannelAgreement, Facility, Referral
from referral.routing import Choice, FacilityOption, RoutingFacts, choose_facility
from referral.terms import ReferralKind, Urgency
from screening.core.ahead import told
from screening.core.clock import age_on, local_day
from screening.core.db import once
from screening.models.child import Child
from screening.models.organisation import Organisation
from screening.queries.campaigns import district_of

_EVERYDAY = frozenset({Urgency.ROUTINE, Urgency.URGENT})
WEEK = timedelta(days=7)
# What a piece of work reads ahead (``screening.core.ahead``): counts by facility, kept up by what it adds itself.
ASKED = "asked-this-week"
SENT = "sent-this-week"


def choose_for(
    session: Session,
    *,
    child: Child,
    urgency: Urgency,
    now: datetime,
    refused: frozenset[UUID] = frozenset(),
) -> Choice:
    """The facility for this child by district, age and open slots; ``refused`` are not asked again."""
    facts = RoutingFacts(
        district=_district(session, child.organisation_id),
        age=age_on(child.birth_date, local_day(now)),
        urgency=urgency,
        today=local_day(now),
        refused=refused,
    )
    return choose_facility(facts, facility_options(session, now=now))


def _district(session: Session, organisation_id: UUID) -> str:
    """The path of the district an organisation stands in."""

    def read() -> str:
        return district_of(session, session.get_one(Organisation, organisation_id)).path

    return once(session, ("district", organisation_id), read)


def facility_options(session: Session, *, now: datetime) -> list[FacilityOption]:
    """Every facility that is known, with the districts that agreed a channel with it and its open slots."""
    asked = told(session, ASKED, lambda: asked_this_week(session, now))
    known = once(session, "facilities", lambda: _facilities(session))
    return [replace(each, open_slots=max(0, each.open_slots - asked.get(each.id, 0))) for each in known]


def _facilities(session: Session) -> list[FacilityOption]:
    """All of them, with every slot of a week."""
    agreements: dict[object, list[tuple[str, ChannelAgreement]]] = {}
    for agreement, path in session.execute(
        select(ChannelAgreement, Organisation.path).join(
            Organisation, Organisation.id == ChannelAgreement.district_id
        )
    ):
        agreements.setdefault(agreement.facility_id, []).append((path, agreement))
    options = []
    for facility, name in session.execute(
        select(Facility, Organisation.name).join(Organisation, Organisation.id == Facility.organisation_id)
    ):
        known = agreements.get(facility.organisation_id, [])
        options.append(
            FacilityOption(
                id=facility.organisation_id,
                name=name,
                districts=tuple(path for path, _ in known),
                age_min=facility.age_min,
                age_max=facility.age_max,
                open_slots=facility.weekly_slots,
                urgencies=_EVERYDAY | ({Urgency.EMERGENCY} if facility.takes_emergencies else set()),
                agreement_until=max((agreement.valid_to for _, agreement in known), default=None),
            )
        )
    return options


def count_one_more(session: Session, facility_id: UUID | None) -> None:
    """A draft was made: where the counts were read ahead they follow."""
    asked: dict[UUID | None, int] = told(session, ASKED, dict)
    asked[facility_id] = asked.get(facility_id, 0) + 1


def sent_this_week(session: Session, now: datetime) -> dict[UUID | None, int]:
    """How many triage requests have left for each facility in the last seven days."""
    rows = session.execute(
        select(Referral.facility_id, func.count())
        .where(Referral.sent_at >= now - WEEK, Referral.kind == ReferralKind.TRIAGE_REQUEST)
        .group_by(Referral.facility_id)
    )
    return {row[0]: row[1] for row in rows}


def asked_this_week(session: Session, now: datetime) -> dict[UUID | None, int]:
    """How many first appointments each facility has been asked for in the last seven days, drafts included."""
    rows = session.execute(
        select(Referral.facility_id, func.count())
        .where(Referral.drafted_at >= now - WEEK, Referral.facility_id.is_not(None))
        .group_by(Referral.facility_id)
    )
    return {row[0]: row[1] for row in rows}
