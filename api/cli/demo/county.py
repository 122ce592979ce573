"""The made-up county itself: places, people with their posts, duty rosters, clinics, and one campaign per school."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, time, timedelta
from random import Random
from uuid import UUID

from sqlalchemy.orm import Session

from api.cli.demo.people import adult, phone
from api.cli.home import actor_named
from referral.models.plan import ComponentOffer
from referral.models.referral import ChannelAgreement, Facility
from referral.terms import ReleaseMode
from screening.actions import accounts, campaigns, organisations
from screening.core.actor import Actor, Role
from screening.core.calendar import china
from screening.core.clock import LOCAL, local_day
from screening.core.grades import GradeInfo, Stage, academic_year
from screening.models.campaign import CampaignStatus
from screening.models.organisation import Organisation, OrganisationKind

BASE_RATE = 0.10
CONSENT_TEXT = "示范-2026-1"
# Made this many days before today; the campaigns are announced and opened in between.
MADE_BEFORE, ANNOUNCED_BEFORE, OPENED_BEFORE, DUTY_AHEAD = 40, 30, 20, 56


@dataclass(frozen=True, slots=True)
class School:
    """One school: which grades, what it asks, its share of all children.

    ``back``: its workbook comes in this many working days before today, at this hour.
    """

    code: str
    name: str
    grades: tuple[GradeInfo, ...]
    instruments: tuple[str, ...]
    share: float
    back: int
    hour: int


def _years(stage: Stage, *numbers: int) -> tuple[GradeInfo, ...]:
    return tuple(GradeInfo(stage, number) for number in numbers)


# The ASQ is asked face to face and is keyed in, so it stands in no workbook here.
SCHOOLS = (
    School(
        "demo-junior",
        "示范县初级中学",
        _years(Stage.JUNIOR, 1, 2, 3),
        ("phq_a", "gad7", "asq"),
        0.37,
        4,
        9,
    ),
    School(
        "demo-nine",
        "示范县九年一贯制学校",
        (*_years(Stage.PRIMARY, 4, 5, 6), *_years(Stage.JUNIOR, 1, 2, 3)),
        ("mht", "sdq_p"),
        0.33,
        2,
        14,
    ),
    School("demo-senior", "示范县高级中学", _years(Stage.SENIOR, 1, 2, 3), ("phq9", "gad7"), 0.30, 1, 9),
)
JUNIOR = SCHOOLS[0]

_PLACES: tuple[tuple[OrganisationKind, str, str, str | None], ...] = (
    (OrganisationKind.CITY, "demo-city", "示范市", None),
    (OrganisationKind.COUNTY, "demo-county", "示范县", "demo-city"),
    (OrganisationKind.TOWNSHIP, "demo-township", "示范镇", "demo-county"),
    (OrganisationKind.VILLAGE, "demo-village", "示范村", "demo-township"),
    *((OrganisationKind.SCHOOL, school.code, school.name, "demo-county") for school in SCHOOLS),
    (OrganisationKind.FACILITY, "demo-clinic-a", "示范县人民医院", "demo-county"),
    (OrganisationKind.FACILITY, "demo-clinic-b", "示范县第二医院", "demo-county"),
    (OrganisationKind.HOTLINE, "demo-hotline", "示范市12355青少年服务台", "demo-city"),
)

_SCHOOL_POSTS = (Role.COUNSELLOR, Role.SCHOOL_LEAD, Role.PRINCIPAL)
_CLINIC_POSTS = (Role.CLINIC_INTAKE, Role.CLINICIAN, Role.FACILITY_LEAD)
# User name, role, place. The first one of a role is the one whose sign-in is shown.
POSTS: tuple[tuple[str, Role, str], ...] = (
    *((f"{r.value}.{s.code[5:]}", r, s.code) for s in SCHOOLS for r in _SCHOOL_POSTS),
    ("class_teacher.junior", Role.CLASS_TEACHER, JUNIOR.code),
    ("entry_clerk.junior", Role.ENTRY_CLERK, JUNIOR.code),
    ("county_centre.1", Role.COUNTY_CENTRE, "demo-county"),
    ("county_centre.2", Role.COUNTY_CENTRE, "demo-county"),
    ("edu_officer.1", Role.EDU_OFFICER, "demo-county"),
    ("edu_officer.2", Role.EDU_OFFICER, "demo-county"),
    ("health_officer", Role.HEALTH_OFFICER, "demo-county"),
    ("protection_centre", Role.PROTECTION_CENTRE, "demo-county"),
    ("city_officer", Role.CITY_OFFICER, "demo-city"),
    *((f"{r.value}.{clinic}", r, f"demo-clinic-{clinic}") for clinic in "ba" for r in _CLINIC_POSTS),
    ("hotline_operator", Role.HOTLINE_OPERATOR, "demo-hotline"),
    ("hotline_supervisor", Role.HOTLINE_SUPERVISOR, "demo-hotline"),
    ("child_supervisor", Role.CHILD_SUPERVISOR, "demo-township"),
    ("child_director", Role.CHILD_DIRECTOR, "demo-village"),
    ("sysadmin", Role.SYSADMIN, "demo-city"),
    ("auditor", Role.AUDITOR, "demo-city"),
)
# Who is on duty in turn, a week each, day and night.
_DUTY = {
    **{s.code: tuple(f"{r.value}.{s.code[5:]}" for r in _SCHOOL_POSTS) for s in SCHOOLS},
    "demo-county": ("county_centre.1", "county_centre.2"),
    "demo-clinic-a": ("clinic_intake.a", "clinician.a"),
    "demo-clinic-b": ("clinic_intake.b", "clinician.b"),
    "demo-hotline": ("hotline_operator", "hotline_supervisor"),
}


@dataclass(frozen=True, slots=True)
class Clinic:
    """What one clinic takes, and how referrals to it leave."""

    code: str
    department: str
    age_min: int
    weekly_slots: int
    release: ReleaseMode
    weekly_limit: int


CLINICS = (
    Clinic("demo-clinic-a", "心理科", 6, 30, ReleaseMode.AT_ONCE, 15),
    Clinic("demo-clinic-b", "儿少心理门诊", 6, 31, ReleaseMode.STEPWISE, 0),
)
_OLDEST = 19
# Help that needs a trained person or a running group, where it can be had (the rest of the menu needs neither).
_OFFERS = {
    JUNIOR.code: ("c-I03", "c-G01", "c-G02", "c-K01"),
    "demo-nine": ("c-G02", "c-S01", "c-K01"),
    "demo-senior": ("c-I03", "c-I02", "c-K01"),
}


@dataclass(frozen=True, slots=True)
class County:
    """What was made, by code: ids of places, of the schools' campaigns and of the clinics."""

    places: dict[str, UUID]
    campaigns: dict[str, UUID]

    def code_of(self, organisation_id: UUID) -> str:
        return next(code for code, each in self.places.items() if each == organisation_id)


def build(session: Session, random: Random, *, password_hash: str, now: datetime) -> County:
    """Everything but children. ``now`` is today; what is made carries days before it."""
    began = now - timedelta(days=MADE_BEFORE)
    places = _places(session, began)
    people = _people(session, random, places, password_hash, began)
    session.flush()
    _duty(session, random, places, people, now)
    _clinics(session, random, places, people, began)
    for code, offers in _OFFERS.items():
        session.add_all(
            ComponentOffer(
                organisation_id=places[code].id,
                component=component,
                valid_from=local_day(began),
                recorded_at=began,
            )
            for component in offers
        )
    _decide(session, places["demo-county"], began)
    made = {school.code: _campaign(session, school, places[school.code], now) for school in SCHOOLS}
    return County({code: place.id for code, place in places.items()}, made)


def _places(session: Session, at: datetime) -> dict[str, Organisation]:
    made: dict[str, Organisation] = {}
    for number, (kind, code, name, parent) in enumerate(_PLACES):
        made[code] = organisations.add(
            session,
            actor=Actor.system(),
            kind=kind,
            code=code,
            name=name,
            parent=made[parent] if parent else None,
            phone=f"0000-55590{number:02d}",
            now=at,
        )
    return made


def _people(
    session: Session, random: Random, places: dict[str, Organisation], password_hash: str, at: datetime
) -> dict[str, UUID]:
    system = Actor.system()
    made = {}
    for username, role, place in POSTS:
        account = accounts.open_account(
            session,
            actor=system,
            username=username,
            name=adult(random),
            password_hash=password_hash,
            must_change_password=False,
            now=at,
        )
        accounts.grant_role(
            session,
            actor=system,
            account=account,
            role=role,
            organisation=places[place],
            valid_from=local_day(at),
            valid_to=None,
            approved_by=None,
            reason="示范",
            now=at,
        )
        made[username] = account.id
    return made


def _duty(
    session: Session,
    random: Random,
    places: dict[str, Organisation],
    people: dict[str, UUID],
    now: datetime,
) -> None:
    first = datetime.combine(local_day(now) - timedelta(days=MADE_BEFORE), time(), LOCAL)
    for code, turns in _DUTY.items():
        phones = {username: phone(random) for username in turns}
        for week in range((MADE_BEFORE + DUTY_AHEAD) // 7):
            username = turns[week % len(turns)]
            organisations.put_on_duty(
                session,
                actor=Actor.system(),
                organisation=places[code],
                account_id=people[username],
                phone=phones[username],
                starts_at=first + timedelta(weeks=week),
                ends_at=first + timedelta(weeks=week + 1),
                now=now - timedelta(days=MADE_BEFORE),
            )


def _clinics(
    session: Session,
    random: Random,
    places: dict[str, Organisation],
    people: dict[str, UUID],
    at: datetime,
) -> None:
    for clinic in CLINICS:
        session.add(
            Facility(
                organisation_id=places[clinic.code].id,
                department=clinic.department,
                contact_name=adult(random),
                contact_phone=phone(random),
                age_min=clinic.age_min,
                age_max=_OLDEST,
                weekly_slots=clinic.weekly_slots,
            )
        )
        session.add(
            ChannelAgreement(
                district_id=places["demo-county"].id,
                facility_id=places[clinic.code].id,
                release=clinic.release.value,
                weekly_limit=clinic.weekly_limit,
                agreed_by="示范县教育局、示范县卫生健康局（虚构）",
                valid_from=local_day(at),
                valid_to=local_day(at) + timedelta(days=365),
                recorded_at=at,
                recorded_by=people["edu_officer.1"],
            )
        )


def _decide(session: Session, county: Organisation, at: datetime) -> None:
    """Base rate and release mode: one officer writes them down, the other signs."""
    first, second = (
        actor_named(session, username=f"edu_officer.{number}", today=local_day(at)) for number in (1, 2)
    )
    proposal = organisations.propose(
        session,
        actor=first,
        district=county,
        base_rate=BASE_RATE,
        release=ReleaseMode.STEPWISE.value,
        now=at,
    )
    session.flush()
    organisations.approve(session, actor=second, district=county, version=proposal.version, now=at)


def _campaign(session: Session, school: School, place: Organisation, now: datetime) -> UUID:
    """Planned by the counsellor, announced by the lead, opened after the guardians had time to answer."""
    announced = now - timedelta(days=ANNOUNCED_BEFORE)
    opened = now - timedelta(days=OPENED_BEFORE)
    counsellor, lead = (
        actor_named(session, username=f"{role.value}.{school.code[5:]}", today=local_day(announced))
        for role in (Role.COUNSELLOR, Role.SCHOOL_LEAD)
    )
    year = academic_year(local_day(now))
    campaign = campaigns.plan(
        session,
        actor=counsellor,
        organisation=place,
        title=f"{year}—{year + 1}学年学生心理健康筛查（示范）",
        instruments=list(school.instruments),
        consent_version=CONSENT_TEXT,
        opens_on=local_day(opened),
        closes_on=china().add_working_days(local_day(now), 10),
        now=announced,
    )
    session.flush()
    for actor, step, at in (
        (lead, CampaignStatus.ANNOUNCED, announced),
        (counsellor, CampaignStatus.OPEN, opened),
    ):
        campaigns.move(session, actor=actor, campaign=campaign, to=step, reason=None, now=at)
    return campaign.id


def place_names() -> dict[str, str]:
    """What each place is called, by code."""
    return {code: name for _kind, code, name, _parent in _PLACES}
