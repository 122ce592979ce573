"""Who answers for a child: owner and backup are never empty while anybody holds a post above the child."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from sqlalchemy.orm import Session

from screening.core.actor import Role
from screening.core.clock import local_day
from screening.core.errors import PolicyViolation
from screening.models.organisation import AREAS, Organisation
from screening.queries.accounts import areas_above, duty_in, holders, on_duty, posts_in

# Domain guide §4: owner → backup (school lead) → principal and county centre → county officer.
_SCHOOL_CHAIN = (Role.COUNSELLOR, Role.SCHOOL_LEAD, Role.PRINCIPAL)
_AREA_CHAIN = (Role.COUNTY_CENTRE, Role.EDU_OFFICER)


@dataclass(frozen=True, slots=True)
class People:
    """The chain of one organisation, nearest first. ``duty`` are accounts on the roster at this instant."""

    organisation_id: UUID
    chain: tuple[UUID, ...]
    duty: tuple[UUID, ...]
    county_id: UUID | None

    @property
    def owner_id(self) -> UUID:
        return self.chain[0]

    @property
    def backup_id(self) -> UUID | None:
        return self.chain[1] if len(self.chain) > 1 else None


def people_of(session: Session, *, organisation: Organisation, now: datetime) -> People:
    """The chain at a school or an area. Raises :class:`PolicyViolation` when nobody at all could answer."""
    above = areas_above(session, organisation)
    county = next((area.id for area in above if area.kind.value == "county"), None)
    areas = [area.id for area in above if area.kind in AREAS]
    places = [organisation.id, *(area for area in areas if area != organisation.id)]
    posts = posts_in(
        session, organisation_ids=places, roles=(*_SCHOOL_CHAIN, *_AREA_CHAIN), today=local_day(now)
    )
    wanted = [(organisation.id, role) for role in _SCHOOL_CHAIN]
    wanted += [(area, role) for area in areas for role in _AREA_CHAIN]
    chain = [account_id for post in wanted for account_id in posts.get(post, ())]
    on_duty_in = duty_in(session, organisation_ids=places, at=now)
    duty = [account_id for place in places for account_id in on_duty_in.get(place, ())]
    if not chain:
        raise PolicyViolation(
            "Nobody holds a post at this school or above it, so nobody could answer for a child."
        )
    return People(organisation.id, _once(chain), _once(duty), county)


def protected_people(session: Session, *, county: Organisation, now: datetime) -> People:
    """Who answers where somebody at the school may have harmed the child: nobody of the school (domain guide
    §5.2b). Raises :class:`PolicyViolation` when the county has nobody."""
    today = local_day(now)
    chain: list[UUID] = []
    for role in (Role.COUNTY_CENTRE, Role.PROTECTION_CENTRE, Role.EDU_OFFICER):
        chain += [a.id for a in holders(session, role=role, organisation_id=county.id, today=today)]
    duty = [entry.account_id for entry in on_duty(session, organisation_id=county.id, at=now)]
    if not chain:
        raise PolicyViolation("Nobody holds a post at the county, so nobody could answer for this child.")
    return People(county.id, _once(chain), _once(duty), county.id)


def facility_people(session: Session, *, facility_id: UUID, now: datetime) -> tuple[UUID, ...]:
    """Who receives referrals at a facility, intake first."""
    today = local_day(now)
    found: list[UUID] = []
    for role in (Role.CLINIC_INTAKE, Role.CLINICIAN, Role.FACILITY_LEAD):
        found += [a.id for a in holders(session, role=role, organisation_id=facility_id, today=today)]
    return _once(found)


def _once(ids: Sequence[UUID]) -> tuple[UUID, ...]:
    return tuple(dict.fromkeys(ids))
