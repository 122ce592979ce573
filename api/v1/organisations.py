"""Organisations in sight, and what a district has decided."""

from __future__ import annotations

from typing import Annotated
from uuid import UUID

from fastapi import Query, Response
from sqlalchemy.orm import Session

from api.deps import ActorDep, ClockDep, SessionDep, json_router, needs
from api.v1.schemas.organisations import (
    ApprovalIn,
    DistrictIn,
    DistrictOut,
    OrganisationOut,
    PreviewIn,
    PreviewOut,
)
from api.versions import IfMatchDep, Seen, show_version
from referral.actions import channels
from screening.access import May
from screening.core.clock import Clock, local_day
from screening.models.organisation import DistrictSetting, Organisation
from screening.queries import districts
from screening.queries.campaigns import district_setting, newest_setting

router = json_router(tags=["organisations"])


@router.get("/organisations")
def list_organisations(session: SessionDep, actor: ActorDep) -> list[OrganisationOut]:
    """The reader's own places and everything below them."""
    return [OrganisationOut.of(each) for each in districts.list_organisations(session, actor=actor)]


@router.get("/district")
def show_district(
    session: SessionDep,
    actor: ActorDep,
    response: Response,
    organisation_id: Annotated[UUID | None, Query()] = None,
) -> DistrictOut:
    """What is in force in the district of one's own place, or of an organisation in sight."""
    district = districts.get_district(session, actor=actor, organisation_id=organisation_id)
    return _shown(session, district, response)


@router.post("/district/preview", dependencies=[needs(May.SET_DISTRICT)])
def preview(body: PreviewIn, session: SessionDep, actor: ActorDep, clock: ClockDep) -> PreviewOut:
    """How many children would change level at another base rate (decision 19). Nothing is saved."""
    district = districts.district_to_set(session, actor=actor)
    changes = districts.count_level_changes(
        session, actor=actor, district=district, base_rate=body.base_rate, today=local_day(clock.now())
    )
    return PreviewOut.of(body.base_rate, changes)


@router.put("/district", dependencies=[needs(May.SET_DISTRICT)])
def propose(
    body: DistrictIn,
    seen: IfMatchDep,
    session: SessionDep,
    actor: ActorDep,
    clock: ClockDep,
    response: Response,
) -> DistrictOut:
    """Propose base rate and release. In force once a second person has signed it."""
    district = districts.district_to_set(session, actor=actor)
    _check(session, seen, district, clock)
    channels.propose_setting(
        session,
        actor=actor,
        district=district,
        base_rate=body.base_rate,
        release=body.release,
        now=clock.now(),
    )
    session.flush()
    return _shown(session, district, response)


@router.post("/district/approval", dependencies=[needs(May.SET_DISTRICT)])
def approve(
    body: ApprovalIn,
    seen: IfMatchDep,
    session: SessionDep,
    actor: ActorDep,
    clock: ClockDep,
    response: Response,
) -> DistrictOut:
    """Sign the proposal that was read. Nobody signs their own."""
    district = districts.district_to_set(session, actor=actor)
    _check(session, seen, district, clock)
    channels.approve_setting(session, actor=actor, district=district, version=body.version, now=clock.now())
    session.flush()
    return _shown(session, district, response)


def _check(session: Session, seen: Seen, district: Organisation, clock: Clock) -> None:
    newest = newest_setting(session, district.id)
    things = [newest.id] if newest else []
    seen.check(session, _version(newest), things=things, now=clock.now())


def _version(newest: DistrictSetting | None) -> int:
    """It grows with each proposal and each signature; 0 before anybody has decided."""
    return 0 if newest is None else 2 * newest.version - (newest.approved_at is None)


def _shown(session: Session, district: Organisation, response: Response) -> DistrictOut:
    newest = newest_setting(session, district.id)
    show_version(response, _version(newest))
    return DistrictOut.of(district, district_setting(session, district.id), newest)
