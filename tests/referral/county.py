"""A made-up county for tests of the loop: a school, two clinics, the people who answer, and children on a roll.

Everything goes through the real actions. ``County`` opens its own transactions, so a test reads as what people
do one after the other; what it hands out are ids and plain values.
"""

from __future__ import annotations

import copy
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.orm import Session

from instruments import SheetConditions, catalogue
from referral import intake
from referral.actions import assessments
from referral.actions.assessments import AssessmentIn, Concluded
from referral.intake.sheets import Submitted
from referral.models.case import Case
from referral.models.plan import PlanVersion
from referral.models.referral import ChannelAgreement, Facility, Referral
from referral.models.task import Task
from referral.terms import FollowUpChannel, ReleaseMode, TaskKind, Tier
from screening.actions import accounts, campaigns, children, consents, organisations
from screening.core.actor import Actor, Grant, Role
from screening.core.clock import FixedClock
from screening.core.db import Database
from screening.core.grades import GradeInfo, Stage
from screening.models.administration import Mode
from screening.models.campaign import Campaign, CampaignStatus, RosterEntry
from screening.models.child import Child
from screening.models.consent import ConsentStatus, Purpose
from screening.models.organisation import Organisation, OrganisationKind
from screening.spreadsheets.rows import RosterRow
from tests.furnished import furnish

PEOPLE: dict[str, tuple[str, Role, str]] = {
    "counsellor": ("林知远", Role.COUNSELLOR, "school"),
    "lead": ("周以宁", Role.SCHOOL_LEAD, "school"),
    "principal": ("顾长青", Role.PRINCIPAL, "school"),
    "clerk": ("何小满", Role.ENTRY_CLERK, "school"),
    "centre": ("沈若水", Role.COUNTY_CENTRE, "county"),
    "officer": ("陆行舟", Role.EDU_OFFICER, "county"),
    "intake": ("许星河", Role.CLINIC_INTAKE, "clinic"),
    "clinician": ("白芷", Role.CLINICIAN, "clinic"),
}
INSTRUMENTS = ("phq9", "gad7", "phq_a", "asq", "mht", "sdq_s", "sdq_p", "sdq_t")


@dataclass(frozen=True, slots=True)
class Pupil:
    """A child on the roll of the campaign."""

    id: UUID
    entry_id: UUID
    student_no: str
    name: str


def answers(code: str, values: Sequence[int | None] | Mapping[str, object]) -> dict[str, object]:
    """Answers by item: a list in the order of the items, or only the named ones and 0 for the scored others."""
    items = catalogue().get(code).items
    if isinstance(values, Mapping):
        return {item.key: values.get(item.key, 0) for item in items if item.scored or item.key in values}
    return {item.key: value for item, value in zip(items, values, strict=False)}


def phq9(item9: object = 0, *, total: int = 0) -> dict[str, object]:
    """A PHQ-9 with this answer to its ninth item and ``total`` spread over the other eight."""
    first = [min(3, max(0, total - 3 * place)) for place in range(8)]
    return answers("phq9", [*first, item9])


def furnished(
    database: Database,
    clock: FixedClock,
    *,
    password_hash: str = "not-a-hash",
    instruments: Iterable[str] = INSTRUMENTS,
) -> County:
    """A :class:`County`, built once per process (``tests/furnished.py``)."""

    def again(made: County) -> County:
        new = copy.copy(made)
        new.database, new.clock = database, clock
        new.places, new.actors = dict(made.places), dict(made.actors)
        return new

    return furnish(
        database,
        ("county", clock.now(), password_hash, tuple(instruments)),
        build=lambda: County(database, clock, password_hash=password_hash, instruments=instruments),
        again=again,
    )


class County:
    """The world of a test."""

    def __init__(
        self,
        database: Database,
        clock: FixedClock,
        *,
        password_hash: str = "not-a-hash",
        instruments: Iterable[str] = INSTRUMENTS,
    ) -> None:
        self.database, self.clock = database, clock
        self.places: dict[str, Organisation] = {}
        self.actors: dict[str, Actor] = {}
        self._numbers = 0
        with database.begin() as session:
            self._found(session)
            self._staff(session, password_hash)
            self._clinic(session)
        self.campaign_id = self.open_campaign(instruments)

    # --- setting up ----------------------------------------------------------------------------------------

    def _found(self, session: Session) -> None:
        kinds = OrganisationKind
        for code, kind, name, parent in (
            ("city", kinds.CITY, "青江市", None),
            ("county", kinds.COUNTY, "白石县", "city"),
            ("school", kinds.SCHOOL, "白石县第一中学", "county"),
            ("clinic", kinds.FACILITY, "白石县人民医院", "county"),
        ):
            self.places[code] = organisations.add(
                session,
                actor=Actor.system(),
                kind=kind,
                code=code,
                name=name,
                parent=self.places.get(parent or ""),
                phone="0571-0000000",
                now=self.clock.now(),
            )
        session.flush()

    def _staff(self, session: Session, password_hash: str) -> None:
        for username, (name, role, place) in PEOPLE.items():
            self.hire(session, username, name, role, place, password_hash)
        self.on_duty("lead", session)

    def hire(
        self,
        session: Session,
        username: str,
        name: str,
        role: Role,
        place: str,
        password_hash: str = "not-a-hash",
    ) -> Actor:
        """One more account with one role."""
        organisation = self.places[place]
        account = accounts.open_account(
            session,
            actor=Actor.system(),
            username=username,
            name=name,
            password_hash=password_hash,
            must_change_password=False,
            now=self.clock.now(),
        )
        accounts.grant_role(
            session,
            actor=Actor.system(),
            account=account,
            role=role,
            organisation=organisation,
            valid_from=date(2026, 9, 1),
            valid_to=None,
            approved_by=None,
            reason="test",
            now=self.clock.now(),
        )
        self.actors[username] = Actor(account.id, (Grant(role, organisation.id, organisation.path),))
        return self.actors[username]

    def on_duty(self, username: str, session: Session) -> None:
        """On the school's duty roster from an hour ago for a year."""
        account_id = self.actors[username].account_id
        assert account_id is not None
        organisations.put_on_duty(
            session,
            actor=Actor.system(),
            organisation=self.places["school"],
            account_id=account_id,
            phone="13800000001",
            starts_at=self.clock.now() - timedelta(hours=1),
            ends_at=self.clock.now() + timedelta(days=365),
            now=self.clock.now(),
        )

    def _clinic(self, session: Session) -> None:
        session.add(
            Facility(
                organisation_id=self.places["clinic"].id,
                department="心理科",
                contact_name="许星河",
                contact_phone="0571-0000001",
                age_min=6,
                age_max=18,
                weekly_slots=1000,
            )
        )
        self.agree(session, ReleaseMode.STEPWISE)

    def agree(
        self, session: Session, release: ReleaseMode, *, weekly_limit: int = 5, days: int = 300
    ) -> None:
        """County and clinic agree from today on how referrals leave."""
        today = self.clock.today()
        session.add(
            ChannelAgreement(
                district_id=self.places["county"].id,
                facility_id=self.places["clinic"].id,
                release=release.value,
                weekly_limit=weekly_limit,
                agreed_by="白石县教育局",
                valid_from=today,
                valid_to=today + timedelta(days=days),
                recorded_at=self.clock.now(),
            )
        )

    def open_campaign(self, instruments: Iterable[str] = INSTRUMENTS, title: str = "秋季筛查") -> UUID:
        """A campaign of the school that accepts sheets; new pupils are put on the roll of the newest one."""
        with self.database.begin() as session:
            campaign = campaigns.plan(
                session,
                actor=self.actors["counsellor"],
                organisation=self.places["school"],
                title=title,
                instruments=list(instruments),
                consent_version="2026-1",
                opens_on=self.clock.today(),
                closes_on=self.clock.today() + timedelta(days=60),
                now=self.clock.now(),
            )
            session.flush()
            for to, who in ((CampaignStatus.ANNOUNCED, "lead"), (CampaignStatus.OPEN, "counsellor")):
                campaigns.move(
                    session,
                    actor=self.actors[who],
                    campaign=campaign,
                    to=to,
                    reason=None,
                    now=self.clock.now(),
                )
        return campaign.id

    def enrol(
        self, count: int = 1, *, screening: bool | None = True, share: bool | None = True
    ) -> list[Pupil]:
        """Children of the school, with these answers of their guardians, on the roll of the campaign."""
        rows = [self._roster_row(screening, share) for _ in range(count)]
        now, actor = self.clock.now(), self.actors["counsellor"]
        with self.database.begin() as session:
            done = children.enrol_many(
                session, actor=actor, organisation_id=self.places["school"].id, rows=rows, now=now
            )
            ids = [each.child_id for each in done if each.child_id]
            session.flush()
            campaigns.put_on_roll(session, campaign_id=self.campaign_id, child_ids=ids, known=set(), now=now)
            session.flush()
            entries = {
                entry.child_id: entry.id
                for entry in session.scalars(
                    select(RosterEntry).where(RosterEntry.campaign_id == self.campaign_id)
                )
            }
        pupils = [
            Pupil(child_id, entries[child_id], row.student_no, row.name)
            for child_id, row in zip(ids, rows, strict=True)
        ]
        for pupil in pupils:
            self.consent(pupil, Purpose.SCREENING, screening)
            self.consent(pupil, Purpose.SHARE_FACILITY, share)
        return pupils

    def _roster_row(self, screening: bool | None, share: bool | None) -> RosterRow:
        self._numbers += 1
        return RosterRow(
            excel_row=self._numbers + 1,
            student_no=f"2026{self._numbers:04d}",
            name=f"张{chr(0x4E00 + self._numbers)}",
            sex="female",
            birth_date=date(2012, 3, 1),
            grade=GradeInfo(Stage.JUNIOR, 3),
            class_name="3班",
            id_type=None,
            id_number=None,
            guardian_name="张大山",
            guardian_relation="父亲",
            guardian_phone="13800000000",
            screening_consent=screening,
            share_consent=share,
            consent_on=date(2026, 9, 3),
        )

    def consent(self, pupil: Pupil, purpose: Purpose, given: bool | None) -> None:
        """The guardian's answer; ``None`` = nobody has answered."""
        if given is None:
            return
        with self.database.begin() as session:
            consents.record(
                session,
                actor=self.actors["counsellor"],
                child=session.get_one(Child, pupil.id),
                purpose=purpose,
                status=ConsentStatus.GIVEN if given else ConsentStatus.REFUSED,
                text_version="2026-1",
                channel="paper",
                given_on=self.clock.today(),
                given_by="张大山",
                relation="父亲",
                now=self.clock.now(),
            )

    # --- what people do ------------------------------------------------------------------------------------

    def submit(
        self,
        pupil: Pupil,
        code: str,
        given: Mapping[str, object],
        *,
        by: str = "counsellor",
        on: date | None = None,
        informant: str | None = None,
        key: str | None = None,
        conditions: SheetConditions | None = None,
    ) -> Submitted:
        """Key one sheet in."""
        with self.database.begin() as session:
            return intake.submit(
                session,
                actor=self.actors[by],
                occasion=session.get_one(RosterEntry, pupil.entry_id),
                instrument=catalogue().get(code),
                answers=dict(given),
                administered_on=on or self.clock.today(),
                mode=Mode.PAPER,
                now=self.clock.now(),
                idempotency_key=key or f"{code}:{pupil.student_no}:{on}:{informant}:{self.clock.now()}",
                informant=informant,
                conditions=conditions,
            )

    def assess(
        self, pupil: Pupil, tier: Tier | None = Tier.FOCUS, *, by: str = "counsellor", **more: Any
    ) -> Concluded:
        """Hold the second assessment now and press its one button."""
        with self.database.begin() as session:
            case = self.case(session, pupil)
            assert case is not None
            if more.get("send"):
                more.setdefault("words", self.words())
            values: dict[str, Any] = {
                "held_at": self.clock.now(),
                "channel": FollowUpChannel.IN_PERSON,
                "tier": tier,
                "screened_out": tier is None,
                "reason": "面谈所见",
            }
            return assessments.conclude(
                session,
                actor=self.actors[by],
                case=case,
                child=session.get_one(Child, pupil.id),
                assessment=AssessmentIn(**{**values, **more}),
                now=self.clock.now(),
            )

    def words(self, **more: object) -> dict[str, object]:
        """What somebody who has seen the child writes on part 2 of the note."""
        return {
            "observed": "近三周睡眠差,上课走神,与同学来往减少。",
            "done_so_far": "已面谈一次,已与班主任商量观察。",
            "help_wanted": ["assessment"],
            "safety": {
                "signs": ["none_found"],
                "asked_at": self.clock.now().isoformat(),
                "asked_by": "林知远",
            },
            **more,
        }

    # --- what is there -------------------------------------------------------------------------------------

    def case(self, session: Session, pupil: Pupil) -> Case | None:
        """The open case."""
        return session.scalars(
            select(Case).where(Case.child_id == pupil.id, Case.closed_at.is_(None))
        ).one_or_none()

    def plans(self, session: Session, pupil: Pupil) -> list[PlanVersion]:
        """All versions, oldest first."""
        return list(
            session.scalars(
                select(PlanVersion)
                .join(Case, Case.id == PlanVersion.case_id)
                .where(Case.child_id == pupil.id)
                .order_by(PlanVersion.number)
            )
        )

    def referrals(self, session: Session, pupil: Pupil) -> list[Referral]:
        """All of them, oldest first."""
        return list(
            session.scalars(
                select(Referral).where(Referral.child_id == pupil.id).order_by(Referral.drafted_at)
            )
        )

    def tasks(
        self, session: Session, pupil: Pupil | None = None, *, done: bool = False
    ) -> dict[TaskKind, Task]:
        """Open tasks by kind (all open ones, or a child's)."""
        statement = select(Task).where(Task.done_at.is_not(None) if done else Task.done_at.is_(None))
        if pupil is not None:
            statement = statement.where(Task.child_id == pupil.id)
        return {task.kind: task for task in session.scalars(statement)}

    def campaign(self, session: Session) -> Campaign:
        return session.get_one(Campaign, self.campaign_id)

    def who(self, account_id: UUID | None) -> str | None:
        """The user name behind an account, for readable comparisons."""
        return next((name for name, actor in self.actors.items() if actor.account_id == account_id), None)
