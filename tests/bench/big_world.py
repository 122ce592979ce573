"""Two schools with twenty thousand children between them, in a minute: through the door, in pieces, like a workbook."""

from __future__ import annotations

import random
from collections.abc import Iterator
from datetime import timedelta
from uuid import UUID

from sqlalchemy import select, update

from instruments import AnswerSheet, catalogue
from referral import intake
from referral.models.referral import ChannelAgreement, Facility
from referral.terms import ReleaseMode
from screening.actions import campaigns, children, consents
from screening.actions.administrations import SheetIn
from screening.core.actor import Actor
from screening.core.clock import Clock, FixedClock
from screening.core.db import Database
from screening.core.grades import GradeInfo, Stage
from screening.models.account import RoleGrant
from screening.models.administration import Mode
from screening.models.campaign import RosterEntry
from screening.models.consent import ConsentStatus, Purpose
from screening.spreadsheets.rows import RosterRow
from tests.factories import CONSENT_TEXT, World, make_county, spread

PIECE = 200
CLASS = 45  # children in one class
SLOTS, LEAVING = 20_000, 300
WHO = {"school": "counsellor", "other_school": "other_counsellor"}


def county_of(database: Database) -> World:
    """The county of the tests at this very hour, with clinics that can take a whole county's children."""
    world = make_county(database, FixedClock(Clock().now()))
    today = world.clock.today()
    with database.begin() as session:  # whatever the calendar of this machine says
        session.execute(update(RoleGrant).values(valid_from=today - timedelta(days=30)))
        session.execute(update(Facility).values(weekly_slots=SLOTS))
        session.add(
            ChannelAgreement(
                district_id=world.places["county"],
                facility_id=world.places["clinic"],
                release=ReleaseMode.AT_ONCE.value,
                weekly_limit=LEAVING,
                agreed_by="白石县教育局",
                valid_from=today,
                valid_to=today + timedelta(days=300),
                recorded_at=world.clock.now() + timedelta(seconds=1),
            )
        )
    return world


def fill(world: World, school: str, count: int) -> UUID:
    """A campaign with ``count`` children, a PHQ-9 of each but every tenth; its id."""
    campaign_id = world.make_campaign("phq9", school=school)
    actor = world.actor(WHO[school])
    rnd = random.Random(20261128)
    for rows in _rows(world, school, count):
        enrol(world, actor, world.places[school], campaign_id, rows)
    with world.database.begin() as session:
        entries = session.scalars(
            select(RosterEntry.id).where(RosterEntry.campaign_id == campaign_id).order_by(RosterEntry.id)
        ).all()
    keyed = [entry_id for place, entry_id in enumerate(entries) if place % 10]
    for start in range(0, len(keyed), PIECE):
        submit(world, actor, keyed[start : start + PIECE], rnd)
    return campaign_id


def _rows(world: World, school: str, count: int) -> Iterator[list[RosterRow]]:
    born = world.clock.today() - timedelta(days=14 * 366)
    for start in range(0, count, PIECE):
        yield [
            RosterRow(
                excel_row=number + 2,
                student_no=f"2026{number:06d}",
                name=f"张{chr(0x4E00 + number % 20_000)}",
                sex="female",
                birth_date=born,
                grade=GradeInfo(Stage.JUNIOR, number // CLASS % 3 + 1),
                class_name=f"{number // CLASS // 3 + 1}班",
                id_type=None,
                id_number=None,
                guardian_name="家长甲",
                guardian_relation="母亲",
                guardian_phone="13900000001",
                screening_consent=None,
                share_consent=None,
                consent_on=None,
            )
            for number in range(start, min(start + PIECE, count))
        ]


def enrol(world: World, actor: Actor, school_id: UUID, campaign_id: UUID, rows: list[RosterRow]) -> None:
    now, today = world.clock.now(), world.clock.today()
    with world.database.begin() as session:
        done = children.enrol_many(session, actor=actor, organisation_id=school_id, rows=rows, now=now)
        ids = [each.child_id for each in done if each.child_id]
        for child_id in ids:
            for purpose in (Purpose.SCREENING, Purpose.SHARE_FACILITY):
                consents.record_from_roster(
                    session,
                    actor=actor,
                    child_id=child_id,
                    purpose=purpose,
                    status=ConsentStatus.GIVEN,
                    text_version=CONSENT_TEXT,
                    given_on=today,
                    given_by="家长甲",
                    relation="母亲",
                    now=now,
                )
        campaigns.put_on_roll(session, campaign_id=campaign_id, child_ids=ids, known=set(), now=now)


def submit(world: World, actor: Actor, entry_ids: list[UUID], rnd: random.Random) -> None:
    """A sheet of each: every sixth high, three in a hundred with an answer to item 9."""
    phq9 = catalogue().get("phq9")
    with world.database.begin() as session:
        entries = session.scalars(select(RosterEntry).where(RosterEntry.id.in_(entry_ids))).all()
        sheets = []
        for entry in entries:
            total = rnd.randint(11, 24) if rnd.random() < 1 / 6 else rnd.randint(0, 9)
            item9 = rnd.randint(1, 3) if rnd.random() < 0.03 else 0
            sheets.append(
                SheetIn(
                    entry=entry,
                    instrument=phq9,
                    sheet=AnswerSheet.parse(phq9, spread("phq9", total, i9=item9)),
                    administered_on=world.clock.today(),
                    mode=Mode.WORKBOOK,
                    source=f"bench:{entry.id}",
                )
            )
        intake.submit_many(session, actor=actor, sheets=sheets, now=world.clock.now())
