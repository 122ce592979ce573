"""A world for tests, built through the real actions: no state that could not have come about.

``make_county`` gives two schools, two clinics, a hotline and one account for each role; ``World.make_campaign``,
``make_child`` and ``submit`` go on from there. What is handed out are ids and plain values; each call is one
transaction, as a person's press would be.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date, timedelta
from functools import cache
from uuid import UUID, uuid4

from sqlalchemy import select

from instruments import catalogue
from referral import intake
from referral.intake import Submitted
from referral.models.referral import ChannelAgreement, Facility
from referral.terms import ReleaseMode
from screening.actions import accounts, campaigns, children, consents, organisations
from screening.core.actor import Actor, Role
from screening.core.clock import FixedClock
from screening.core.db import Database
from screening.core.grades import GradeInfo, Stage
from screening.models.account import Account
from screening.models.administration import Mode
from screening.models.campaign import CampaignStatus, RosterEntry
from screening.models.child import Child
from screening.models.consent import ConsentStatus, Purpose
from screening.models.import_batch import BatchStatus, ImportBatch
from screening.models.organisation import Organisation, OrganisationKind
from screening.queries.accounts import live_grants
from screening.spreadsheets.rows import RosterRow
from tests.furnished import furnish

PASSWORD = "Nine lamps over the river"
CONSENT_TEXT = "2026-autumn"

PLACES: dict[str, tuple[OrganisationKind, str, str | None]] = {
    "city": (OrganisationKind.CITY, "青江市", None),
    "county": (OrganisationKind.COUNTY, "白石县", "city"),
    "school": (OrganisationKind.SCHOOL, "白石县第一中学", "county"),
    "other_school": (OrganisationKind.SCHOOL, "白石县第二中学", "county"),
    "clinic": (OrganisationKind.FACILITY, "白石县人民医院", "county"),
    "other_clinic": (OrganisationKind.FACILITY, "青江市第七医院", "county"),
    "hotline": (OrganisationKind.HOTLINE, "12355 青江", "city"),
}

# User name: (name, role, place). Each role has an account named like it, but for those below a second one is needed.
PEOPLE: dict[str, tuple[str, Role, str]] = {
    "counsellor": ("林知远", Role.COUNSELLOR, "school"),
    "class_teacher": ("方一鸣", Role.CLASS_TEACHER, "school"),
    "school_lead": ("周以宁", Role.SCHOOL_LEAD, "school"),
    "principal": ("顾长青", Role.PRINCIPAL, "school"),
    "entry_clerk": ("何小满", Role.ENTRY_CLERK, "school"),
    "county_centre": ("沈若水", Role.COUNTY_CENTRE, "county"),
    "edu_officer": ("陆行舟", Role.EDU_OFFICER, "county"),
    "second_officer": ("秦越", Role.EDU_OFFICER, "county"),
    "city_officer": ("严明", Role.CITY_OFFICER, "city"),
    "health_officer": ("叶青", Role.HEALTH_OFFICER, "county"),
    "clinic_intake": ("许星河", Role.CLINIC_INTAKE, "clinic"),
    "clinician": ("白芷", Role.CLINICIAN, "clinic"),
    "facility_lead": ("石磊", Role.FACILITY_LEAD, "clinic"),
    "hotline_operator": ("安然", Role.HOTLINE_OPERATOR, "hotline"),
    "hotline_supervisor": ("常静", Role.HOTLINE_SUPERVISOR, "hotline"),
    "child_director": ("田禾", Role.CHILD_DIRECTOR, "county"),
    "child_supervisor": ("江帆", Role.CHILD_SUPERVISOR, "county"),
    "protection_centre": ("卫平", Role.PROTECTION_CENTRE, "county"),
    "sysadmin": ("管理员", Role.SYSADMIN, "city"),
    "auditor": ("审计员", Role.AUDITOR, "city"),
    "other_counsellor": ("苏木", Role.COUNSELLOR, "other_school"),
    "other_lead": ("程立", Role.SCHOOL_LEAD, "other_school"),
    "other_clerk": ("尤佳", Role.ENTRY_CLERK, "other_school"),
    "other_intake": ("崔莹", Role.CLINIC_INTAKE, "other_clinic"),
    "other_clinician": ("孟河", Role.CLINICIAN, "other_clinic"),
}
SECOND_SCHOOL = {"counsellor": "other_counsellor", "school_lead": "other_lead", "entry_clerk": "other_clerk"}
NAMES = "王李张刘陈杨黄赵吴周徐孙马朱胡郭何高林罗"


@dataclass(frozen=True, slots=True)
class Pupil:
    """A child on the roll of a campaign (``entry_id`` is null for one who is only enrolled)."""

    id: UUID
    name: str
    student_no: str
    entry_id: UUID | None


@cache
def password_hash() -> str:
    """Of :data:`PASSWORD`, made once: each costs 25 ms."""
    from api.auth import Hasher

    hasher = Hasher()
    made = hasher.hash(PASSWORD)
    hasher.close()
    return made


def answers(code: str, **given: int | None) -> dict[str, object]:
    """A sheet of nothing but zeros, with these answers: ``answers("phq9", i9=3)``."""
    sheet: dict[str, object] = {item.key: 0 for item in catalogue().get(code).items if item.scored}
    return sheet | {key.removeprefix("i"): value for key, value in given.items()}


def spread(code: str, total: int, **given: int | None) -> dict[str, object]:
    """A sheet whose scored items that are not given add up to ``total``, filled from the first."""
    sheet = answers(code, **given)
    for item in catalogue().get(code).items:
        if item.scored and f"i{item.key}" not in given:
            sheet[item.key] = min(max(item.values), total)
            total -= min(max(item.values), total)
    return sheet


@dataclass(slots=True)
class World:
    """What ``make_county`` has made, and what can be done in it."""

    database: Database
    clock: FixedClock
    places: dict[str, UUID] = field(default_factory=dict)
    people: dict[str, UUID] = field(default_factory=dict)
    numbers: int = 0

    def actor(self, who: str) -> Actor:
        """This person with the roles they hold today."""
        with self.database.begin() as session:
            account_id = self.people[who]
            grants = live_grants(session, account_id=account_id, today=self.clock.today())
            return Actor(account_id, grants)

    def make_campaign(
        self,
        *instruments: str,
        school: str = "school",
        status: CampaignStatus = CampaignStatus.OPEN,
        title: str = "2026 秋季筛查",
    ) -> UUID:
        """A campaign of a school, walked to this status by those whose steps they are."""
        second = school == "other_school"
        counsellor = self.actor("other_counsellor" if second else "counsellor")
        lead = self.actor("other_lead" if second else "school_lead")
        today = self.clock.today()
        with self.database.begin() as session:
            campaign = campaigns.plan(
                session,
                actor=counsellor,
                organisation=session.get_one(Organisation, self.places[school]),
                title=title,
                instruments=list(instruments or ("phq9", "gad7", "phq_a", "asq")),
                consent_version=CONSENT_TEXT,
                opens_on=today - timedelta(days=1),
                closes_on=today + timedelta(days=20),
                now=self.clock.now(),
            )
            for to, who in (
                (CampaignStatus.ANNOUNCED, lead),
                (CampaignStatus.OPEN, counsellor),
                (CampaignStatus.CLOSING, counsellor),
            ):
                if campaign.status is status:
                    break
                campaigns.move(
                    session, actor=who, campaign=campaign, to=to, reason=None, now=self.clock.now()
                )
            return campaign.id

    def make_child(
        self,
        campaign_id: UUID | None = None,
        *,
        school: str = "school",
        name: str | None = None,
        consent: bool = True,
        share: bool = False,
        born: date = date(2012, 5, 4),
    ) -> Pupil:
        """A child at a school, with these answers to the consent text, on the roll when a campaign is given."""
        self.numbers += 1
        row = RosterRow(
            excel_row=2,
            student_no=f"2026{self.numbers:04d}",
            name=name or f"{NAMES[self.numbers % len(NAMES)]}小{self.numbers:02d}",
            sex="female",
            birth_date=born,
            grade=GradeInfo(Stage.JUNIOR, 2),
            class_name="3班",
            id_type=None,
            id_number=None,
            guardian_name="家长甲",
            guardian_relation="母亲",
            guardian_phone="13900000001",
            screening_consent=None,
            share_consent=None,
            consent_on=None,
        )
        counsellor = self.actor("other_counsellor" if school == "other_school" else "counsellor")
        now = self.clock.now()
        with self.database.begin() as session:
            [enrolled] = children.enrol_many(
                session, actor=counsellor, organisation_id=self.places[school], rows=[row], now=now
            )
            assert enrolled.child_id is not None
            session.flush()
            child = session.get_one(Child, enrolled.child_id)
            given = [Purpose.SCREENING] * consent + [Purpose.SHARE_FACILITY] * share
            for purpose in given:
                consents.record(
                    session,
                    actor=counsellor,
                    child=child,
                    purpose=purpose,
                    status=ConsentStatus.GIVEN,
                    text_version=CONSENT_TEXT,
                    channel="paper",
                    given_on=self.clock.today(),
                    given_by="家长甲",
                    relation="母亲",
                    now=now,
                )
            entry_id = None
            if campaign_id is not None:
                campaigns.put_on_roll(
                    session, campaign_id=campaign_id, child_ids=[child.id], known=set(), now=now
                )
                session.flush()
                entry_id = session.scalar(select(RosterEntry.id).where(RosterEntry.child_id == child.id))
            return Pupil(child.id, row.name, row.student_no, entry_id)

    def submit(
        self,
        pupil: Pupil,
        code: str,
        given: Mapping[str, object] | None = None,
        *,
        who: str = "counsellor",
        on: date | None = None,
    ) -> Submitted:
        """Key one sheet in (all zeros when nothing is given)."""
        actor = self.actor(who)
        with self.database.begin() as session:
            return intake.submit(
                session,
                actor=actor,
                occasion=session.get_one(RosterEntry, pupil.entry_id),
                instrument=catalogue().get(code),
                answers=dict(given if given is not None else answers(code)),
                administered_on=on or self.clock.today(),
                mode=Mode.PAPER,
                now=self.clock.now(),
                idempotency_key=str(uuid4()),
            )

    def write_batch(self, batch_id: UUID | str) -> None:
        """What the worker does with a committed batch, piece by piece."""
        for _ in range(1000):
            with self.database.begin() as session:
                if session.get_one(ImportBatch, UUID(str(batch_id))).status is not BatchStatus.COMMITTING:
                    return
                intake.write_piece(session, batch_id=UUID(str(batch_id)), size=50, now=self.clock.now())
        raise AssertionError("a batch that never ends")

    def agree(self, clinic: str, release: ReleaseMode) -> None:
        """From now on referrals to this clinic leave in this way."""
        today = self.clock.today()
        with self.database.begin() as session:
            session.add(
                ChannelAgreement(
                    district_id=self.places["county"],
                    facility_id=self.places[clinic],
                    release=release.value,
                    weekly_limit=20,
                    agreed_by="白石县教育局",
                    valid_from=today,
                    valid_to=today + timedelta(days=300),
                    recorded_at=self.clock.now(),
                )
            )


def make_county(
    database: Database, clock: FixedClock, *, release: ReleaseMode = ReleaseMode.STEPWISE
) -> World:
    """Places, people, a duty roster, and a channel to both clinics; the first clinic has more slots open."""
    return furnish(
        database,
        ("world", clock.now(), release),
        build=lambda: _build(database, clock, release),
        again=lambda made: World(database, clock, dict(made.places), dict(made.people)),
    )


def _build(database: Database, clock: FixedClock, release: ReleaseMode) -> World:
    world = World(database, clock)
    with database.begin() as session:
        made: dict[str, Organisation] = {}
        for code, (kind, name, parent) in PLACES.items():
            made[code] = organisations.add(
                session,
                actor=Actor.system(),
                kind=kind,
                code=code.replace("_", "-"),
                name=name,
                parent=made[parent] if parent else None,
                phone="0571-8000000",
                now=clock.now(),
            )
            session.flush()
        world.places = {code: organisation.id for code, organisation in made.items()}
        for who, (name, role, place) in PEOPLE.items():
            world.people[who] = _hire(world, session, who, name, role, made[place]).id
        for who, place in (("school_lead", "school"), ("county_centre", "county")):
            organisations.put_on_duty(
                session,
                actor=Actor.system(),
                organisation=made[place],
                account_id=world.people[who],
                phone="13800000001" if place == "school" else "13800000002",
                starts_at=clock.now() - timedelta(hours=1),
                ends_at=clock.now() + timedelta(days=365),
                now=clock.now(),
            )
        for clinic, slots in (("clinic", 500), ("other_clinic", 5)):
            session.add(
                Facility(
                    organisation_id=made[clinic].id,
                    department="心理科",
                    contact_name="许星河",
                    contact_phone="0571-8000001",
                    age_min=6,
                    age_max=18,
                    weekly_slots=slots,
                )
            )
    for clinic in ("clinic", "other_clinic"):
        world.agree(clinic, release)
    return world


def _hire(world, session, who: str, name: str, role: Role, place: Organisation) -> Account:
    account = accounts.open_account(
        session,
        actor=Actor.system(),
        username=who,
        name=name,
        password_hash=password_hash(),
        must_change_password=False,
        now=world.clock.now(),
    )
    accounts.grant_role(
        session,
        actor=Actor.system(),
        account=account,
        role=role,
        organisation=place,
        valid_from=date(2026, 9, 1),
        valid_to=None,
        approved_by=None,
        reason="test",
        now=world.clock.now(),
    )
    return account
