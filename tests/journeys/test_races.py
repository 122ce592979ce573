"""Fifty people press at the same moment: one wins, the others read who did, and nobody sees an error of ours.

PostgreSQL: fifty transactions at once. SQLite: the same fifty through the queue of its one writer.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest
from sqlalchemy import func, select

from api.auth import Hasher, NotSignedIn, keys
from api.auth.gatekeeper import Gatekeeper
from api.cli import check
from api.errors import problem_of
from instruments import catalogue
from referral import intake
from referral.actions import answers, cases, crises, followups, plans, referrals, tasks
from referral.models.case import Case
from referral.models.crisis import CrisisEpisode, CrisisStepRecord
from referral.models.followup import FollowUp, FollowUpStatusChange
from referral.models.plan import PlanStatusChange, PlanVersion
from referral.models.referral import Referral, ReferralStatusChange
from referral.models.task import Task
from referral.terms import (
    CrisisStep,
    FollowUpChannel,
    FollowUpStatus,
    PlanStatus,
    ReferralStatus,
    TaskKind,
    Tier,
)
from screening.actions import campaigns
from screening.core.audit import AuditEvent, AuditRow
from screening.core.db import Database
from screening.models.account import Account, RefreshToken, SignInSession
from screening.models.administration import Administration, Mode
from screening.models.campaign import Campaign, CampaignStatus, CampaignStatusChange, RosterEntry
from screening.models.child import Child
from screening.models.import_batch import CriticalSighting
from tests.referral.county import County, phq9
from tests.referral.county import answers as of_items

CROWD = 50
SAID_NO = {409, 412}  # not from this state; or: changed since you opened it
PASSWORD = "correct horse battery staple"


@dataclass(slots=True)
class Pressed:
    """What the presses came to."""

    values: list[Any]
    errors: list[BaseException]

    def statuses(self) -> set[int]:
        """What the people behind the errors would have been answered."""
        return {problem_of(error).status for error in self.errors}


def all_at_once(press: Callable[[int], Any], crowd: int = CROWD) -> Pressed:
    """Everybody stands ready, and presses at the same signal."""
    ready, pressed = threading.Barrier(crowd), Pressed([], [])

    def one(place: int) -> None:
        ready.wait(30)
        try:
            pressed.values.append(press(place))
        except Exception as error:
            pressed.errors.append(error)

    threads = [threading.Thread(target=one, args=(place,)) for place in range(crowd)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert len(pressed.values) + len(pressed.errors) == crowd, "somebody still waits"
    return pressed


@pytest.fixture
def crowd(database, database_url) -> Iterator[Database]:
    """As many connections as there are people; on SQLite the one that writes."""
    if database.is_sqlite:
        yield database
        return
    wide = Database(database_url, database.keyring, pool_size=CROWD)
    yield wide
    wide.close()


@pytest.fixture
def county(crowd, clock) -> County:
    return County(crowd, clock)


@pytest.fixture
def pupil(county):
    [made] = county.enrol()
    return made


def check_all(county: County) -> None:
    with county.database.look() as session:
        assert check.check_all(session, now=county.clock.now()) == []


def count(session: Any, statement: Any) -> int:
    return int(session.scalar(select(func.count()).select_from(statement.subquery())))


def test_a_referral_is_accepted_once(county, pupil):
    county.submit(pupil, "phq9", phq9(total=11))
    county.assess(pupil, send=True)
    with county.database.look() as session:
        referral_id, case_id = session.execute(select(Referral.id, Referral.case_id)).one()

    def accept(place: int) -> None:
        with county.database.begin() as session:
            answers.accept(
                session,
                actor=county.actors[("intake", "clinician")[place % 2]],
                case=session.get_one(Case, case_id),
                referral=session.get_one(Referral, referral_id),
                contact=None,
                now=county.clock.now(),
            )

    pressed = all_at_once(accept)

    assert len(pressed.values) == 1
    assert pressed.statuses() <= SAID_NO
    with county.database.begin() as session:
        assert session.get_one(Referral, referral_id).status is ReferralStatus.ACCEPTED
        [row] = session.scalars(
            select(ReferralStatusChange).where(ReferralStatusChange.status == ReferralStatus.ACCEPTED)
        )
        assert county.who(row.changed_by) in ("intake", "clinician")
        assert TaskKind.APPOINTMENT in county.tasks(session, pupil)
    check_all(county)


def test_a_crisis_is_taken_once_and_the_others_read_by_whom(county, pupil):
    county.submit(pupil, "asq", of_items("asq", {"1": 1, "5": 1}))
    with county.database.look() as session:
        episode_id, case_id = session.execute(select(CrisisEpisode.id, CrisisEpisode.case_id)).one()

    def take(place: int) -> Any:
        with county.database.begin() as session:
            episode = session.get_one(CrisisEpisode, episode_id)
            crises.take(
                session,
                actor=county.actors[("counsellor", "lead", "principal", "centre")[place % 4]],
                case=session.get_one(Case, case_id),
                episode=episode,
                now=county.clock.now(),
            )
            return episode.taken_by

    pressed = all_at_once(take)

    assert pressed.errors == []
    with county.database.begin() as session:
        assert set(pressed.values) == {session.get_one(CrisisEpisode, episode_id).taken_by}
        taken = select(CrisisStepRecord.id).where(CrisisStepRecord.step == CrisisStep.ACKNOWLEDGED)
        assert count(session, taken) == 1
    check_all(county)


def submit(county: County, pupil: Any, given: dict[str, object], key: str, *, days: int = 0) -> Any:
    with county.database.begin() as session:
        return intake.submit(
            session,
            actor=county.actors["clerk"],
            occasion=session.get_one(RosterEntry, pupil.entry_id),
            instrument=catalogue().get("phq9"),
            answers=given,
            administered_on=county.clock.today() - timedelta(days=days),
            mode=Mode.PAPER,
            now=county.clock.now(),
            idempotency_key=key,
        )


def test_the_same_sheet_sent_by_fifty_fingers_is_one_sheet_and_one_answer(county, pupil):
    pressed = all_at_once(lambda place: submit(county, pupil, phq9(2, total=11), "one-key"))

    assert pressed.errors == []
    assert len({said.result.administration_id for said in pressed.values}) == 1
    assert sum(not said.recorded.again for said in pressed.values) == 1
    with county.database.look() as session:
        assert count(session, select(Administration.id)) == 1
        assert count(session, select(PlanVersion.id)) == 1
    check_all(county)


def test_different_sheets_of_one_child_come_to_one_case(county, pupil):
    pressed = all_at_once(
        lambda place: submit(county, pupil, phq9(2, total=11), f"key-{place}", days=place), crowd=12
    )

    assert pressed.errors == []
    with county.database.look() as session:
        assert count(session, select(Case.id)) == 1
        assert count(session, select(Referral.id)) == 1
        numbers = sorted(session.scalars(select(PlanVersion.number)))
        assert numbers == list(range(1, 13))
    check_all(county)


def test_a_sheet_that_cannot_be_read_rings_once(county, pupil):
    pressed = all_at_once(lambda place: submit(county, pupil, phq9(9, total=3), f"key-{place}"))

    assert pressed.errors == []
    assert all(said.refused is not None for said in pressed.values)
    with county.database.look() as session:
        assert count(session, select(CriticalSighting.id)) == 1
        assert count(session, select(Case.id)) == 1
        assert count(session, select(Task.id).where(Task.kind == TaskKind.SAFETY_TALK)) == 1
    check_all(county)


def test_a_referral_is_sent_once(county, pupil):
    county.submit(pupil, "phq9", phq9(total=11))
    county.assess(pupil, words=county.words())
    with county.database.look() as session:
        referral_id, case_id = session.execute(select(Referral.id, Referral.case_id)).one()

    def send(place: int) -> None:
        with county.database.begin() as session:
            referrals.send(
                session,
                actor=county.actors["counsellor"],
                case=session.get_one(Case, case_id),
                child=session.get_one(Child, pupil.id),
                referral=session.get_one(Referral, referral_id),
                emergency=False,
                escort=None,
                now=county.clock.now(),
            )

    pressed = all_at_once(send)

    assert len(pressed.values) == 1
    assert pressed.statuses() <= SAID_NO
    with county.database.look() as session:
        assert count(session, select(Task.id).where(Task.kind == TaskKind.REFERRAL_ANSWER)) == 1
    check_all(county)


def a_seen_child(county: County, pupil: Any) -> tuple[UUID, UUID]:
    """A case after its second assessment, with a confirmed plan and follow-ups: case and child."""
    county.submit(pupil, "phq9", phq9(total=11))
    county.assess(pupil)
    with county.database.look() as session:
        return session.execute(select(Case.id, Case.child_id)).one()


def test_a_follow_up_is_held_once(county, pupil):
    case_id, _ = a_seen_child(county, pupil)
    with county.database.look() as session:
        follow_up_id = session.scalars(
            select(FollowUp.id).where(FollowUp.case_id == case_id).order_by(FollowUp.due_on).limit(1)
        ).one()

    def hold(place: int) -> None:
        with county.database.begin() as session:
            held = {
                "actor": county.actors["counsellor"],
                "case": session.get_one(Case, case_id),
                "follow_up": session.get_one(FollowUp, follow_up_id),
                "now": county.clock.now(),
            }
            if place % 2:
                followups.miss(session, reason="请假", **held)
            else:
                followups.complete(session, channel=FollowUpChannel.PHONE, record="{}", **held)

    pressed = all_at_once(hold)

    assert len(pressed.values) == 1
    assert pressed.statuses() <= SAID_NO
    with county.database.look() as session:
        done = select(FollowUpStatusChange.id).where(
            FollowUpStatusChange.follow_up_id == follow_up_id,
            FollowUpStatusChange.status != FollowUpStatus.DUE,
        )
        assert count(session, done) == 1
    check_all(county)


def test_a_plan_is_confirmed_once(county, pupil):
    county.submit(pupil, "phq9", phq9(total=11))
    with county.database.begin() as session:
        case = session.scalars(select(Case)).one()
        tier = {"tier": Tier.WATCH, "reason": "面谈所见", "now": county.clock.now()}
        cases.set_tier(session, actor=county.actors["counsellor"], case=case, **tier)
        case_id, plan = case.id, session.scalars(select(PlanVersion)).one()
        plan_id, draft = plan.id, plan.status

    def confirm(place: int) -> None:
        with county.database.begin() as session:
            plans.confirm(
                session,
                actor=county.actors[("counsellor", "centre")[place % 2]],
                case=session.get_one(Case, case_id),
                plan=session.get_one(PlanVersion, plan_id),
                now=county.clock.now(),
            )

    pressed = all_at_once(confirm)

    assert draft is PlanStatus.DRAFTED
    assert len(pressed.values) == 1
    assert pressed.statuses() <= SAID_NO
    with county.database.look() as session:
        confirmed = select(PlanStatusChange.id).where(
            PlanStatusChange.plan_id == plan_id, PlanStatusChange.status == PlanStatus.CONFIRMED
        )
        assert count(session, confirmed) == 1


def test_a_line_of_the_list_is_decided_once(county, pupil):
    counsellor, lead = county.actors["counsellor"], county.actors["lead"]
    with county.database.begin() as session:
        task_id = tasks.require(
            session,
            actor=counsellor,
            kind=TaskKind.REFUSED_ROWS,
            subject_id=pupil.id,
            organisation_id=county.places["school"].id,
            owner_id=counsellor.account_id,
            backup_id=lead.account_id,
            due_at=county.clock.now(),
            now=county.clock.now(),
        ).id

    def decide(place: int) -> None:
        with county.database.begin() as session:
            tasks.finish(
                session,
                actor=(counsellor, lead)[place % 2],
                task=session.get_one(Task, task_id),
                decision="done",
                reason=f"第 {place} 人",
                now=county.clock.now(),
            )

    pressed = all_at_once(decide)

    assert len(pressed.values) == 1
    assert pressed.statuses() == {409}
    with county.database.look() as session:
        done = select(AuditRow.id).where(
            AuditRow.event == AuditEvent.TASK_DONE, AuditRow.subject_id == task_id
        )
        assert count(session, done) == 1


def test_a_campaign_is_moved_once(county, pupil):
    def close(place: int) -> None:
        with county.database.begin() as session:
            campaign = session.get_one(Campaign, county.campaign_id)
            campaigns.move(
                session,
                actor=county.actors["counsellor"],
                campaign=campaign,
                to=CampaignStatus.CLOSING,
                reason=None,
                now=county.clock.now(),
            )

    pressed = all_at_once(close)

    assert len(pressed.values) == 1
    assert pressed.statuses() <= SAID_NO
    with county.database.look() as session:
        closing = select(CampaignStatusChange.id).where(CampaignStatusChange.status == CampaignStatus.CLOSING)
        assert count(session, closing) == 1


def test_a_refresh_token_is_worth_one_pair(county, settings, clock):
    """The second use of a token means that somebody has a copy: then nobody goes on with it."""
    keys.create(settings.tokens_file)
    gate = Gatekeeper(settings, county.database, clock)
    try:
        with county.database.begin() as session:
            account = session.scalars(select(Account).where(Account.username == "counsellor")).one()
            account.password_hash = Hasher().hash(PASSWORD)
        tokens = gate.sign_in("counsellor", PASSWORD, address="127.0.0.1")

        pressed = all_at_once(lambda place: gate.refresh(tokens.refresh))

        assert len(pressed.values) == 1
        assert {type(error) for error in pressed.errors} == {NotSignedIn}
        with county.database.look() as session:
            assert count(session, select(RefreshToken.id)) == 2
            assert session.scalars(select(SignInSession)).one().ended_why == "refresh_reused"
        with pytest.raises(NotSignedIn):
            gate.refresh(pressed.values[0].refresh)
    finally:
        gate.close()
