"""What is late, by number; nudges; agreements with facilities; the places a facility opens."""

from __future__ import annotations

from uuid import UUID

from sqlalchemy.orm import Session

from api.deps import ActorDep, ClockDep, SessionDep, json_router, needs
from api.v1.schemas.accounts import OrganisationIn, PlacesIn
from api.v1.schemas.organisations import OrganisationOut
from api.v1.schemas.oversight import AgreementIn, AgreementOut, FacilityOut, OverdueOut, SilentOut
from referral.actions import channels, nudges
from referral.queries import oversight
from referral.queries.channels import facilities_below, live_agreements, own_facility
from screening.access import May
from screening.actions import organisations
from screening.core.errors import NotFound
from screening.models.organisation import Organisation
from screening.queries.districts import district_to_set, get_organisation

router = json_router(tags=["oversight"])


@router.get("/overdue", dependencies=[needs(May.READ_OVERDUE)])
def list_overdue(session: SessionDep, actor: ActorDep, clock: ClockDep) -> list[OverdueOut]:
    """Lines past their limit by case number, the longest first."""
    return [OverdueOut.of(line) for line in oversight.list_overdue(session, actor=actor, now=clock.now())]


@router.post("/overdue/{task_id}/nudge", status_code=204, dependencies=[needs(May.READ_OVERDUE)])
def nudge(task_id: UUID, session: SessionDep, actor: ActorDep, clock: ClockDep) -> None:
    """Ring one line again; 409 within four hours of the last ring."""
    task = oversight.get_overdue(session, actor=actor, task_id=task_id, now=clock.now())
    nudges.nudge(session, actor=actor, task=task, now=clock.now())


@router.get("/referrals/silent", dependencies=[needs(May.READ_SILENT)])
def list_silent(session: SessionDep, actor: ActorDep, clock: ClockDep) -> list[SilentOut]:
    """Referrals a facility has not answered in time, by form number."""
    return [SilentOut.of(line) for line in oversight.list_silent(session, actor=actor, now=clock.now())]


@router.get("/district/agreements", dependencies=[needs(May.SET_DISTRICT)])
def list_agreements(session: SessionDep, actor: ActorDep, clock: ClockDep) -> list[AgreementOut]:
    """Agreements of one's own district that are valid today."""
    district = district_to_set(session, actor=actor)
    return [
        AgreementOut.of(each) for each in live_agreements(session, organisation=district, today=clock.today())
    ]


@router.post("/district/agreements", status_code=201, dependencies=[needs(May.SET_DISTRICT)])
def agree(body: AgreementIn, session: SessionDep, actor: ActorDep, clock: ClockDep) -> AgreementOut:
    """Put on record what was agreed with a facility of the district or the city."""
    district = district_to_set(session, actor=actor)
    made = channels.agree(
        session,
        actor=actor,
        district=district,
        facility=_facility(session, district, body.facility_id),
        release=body.release,
        weekly_limit=body.weekly_limit,
        agreed_by=body.agreed_by,
        valid_to=body.valid_to,
        now=clock.now(),
    )
    return AgreementOut.of(made)


def _facility(session: Session, district: Organisation, facility_id: UUID) -> Organisation:
    for each in facilities_below(session, district=district):
        if each.id == facility_id:
            return each
    raise NotFound


@router.get("/facility", dependencies=[needs(May.SET_FACILITY)])
def show_facility(session: SessionDep, actor: ActorDep) -> FacilityOut:
    """One's own facility and the places it has opened."""
    return FacilityOut.of(own_facility(session, actor=actor))


@router.put("/facility/places", dependencies=[needs(May.SET_FACILITY)])
def open_places(body: PlacesIn, session: SessionDep, actor: ActorDep, clock: ClockDep) -> FacilityOut:
    """How many first visits a week, and how many triage requests (decision 2, step 3)."""
    facility = own_facility(session, actor=actor)
    channels.open_places(
        session,
        actor=actor,
        facility=facility,
        weekly_slots=body.weekly_slots,
        triage_per_week=body.triage_per_week,
        now=clock.now(),
    )
    return FacilityOut.of(facility)


@router.post("/organisations", status_code=201, dependencies=[needs(May.MANAGE_ACCOUNTS)])
def add_organisation(
    body: OrganisationIn, session: SessionDep, actor: ActorDep, clock: ClockDep
) -> OrganisationOut:
    """One more node of the area tree."""
    parent = (
        get_organisation(session, actor=actor, organisation_id=body.parent_id) if body.parent_id else None
    )
    made = organisations.add(
        session,
        actor=actor,
        kind=body.kind,
        code=body.code,
        name=body.name,
        parent=parent,
        phone=body.phone,
        now=clock.now(),
    )
    return OrganisationOut.of(made)
