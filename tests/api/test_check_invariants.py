"""Each of the sixteen promises: a world where people did everything right breaks none; broken by hand, it is found.

The breaking is done in the database, past every action, in a transaction that is rolled back.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import pytest
from sqlalchemy import delete, insert, select, text, update

from api.cli import check, check_records, check_steps
from api.cli.check import INVARIANTS, check_all
from api.cli.check_steps import ends
from referral.actions import answers, crises, escalations, referrals, replies, return_notes
from referral.actions.return_notes import ReturnNoteIn
from referral.models.case import Case, CaseStatusChange
from referral.models.crisis import CrisisEpisode, CrisisStepRecord
from referral.models.followup import FollowUp
from referral.models.notice import Notice
from referral.models.plan import PlanVersion
from referral.models.referral import Referral, ReferralNote, ReferralStatusChange, ReturnNote
from referral.models.task import Task, TaskRing
from referral.models.worry import Worry
from referral.queries.worries import WorryWords
from referral.states import CRISIS_WORK, REFERRAL_TRANSITIONS
from referral.terms import (
    Attendance,
    CaseStatus,
    CrisisStep,
    Custody,
    Finding,
    Origin,
    Outcome,
    PlanStatus,
    ReferralStatus,
    ReplyKind,
    RiskNow,
    StepResult,
    TaskKind,
    WorryUrgency,
)
from risk_model import Level
from screening.core import audit, documents
from screening.core.audit import AuditRow, AuditSeal
from screening.core.documents import StoredDocument
from screening.core.i18n import catalogue
from screening.core.outbox import OutboxMessage
from screening.models.account import Account
from screening.models.administration import Administration
from screening.models.campaign import Campaign, CampaignStatus, RosterEntry
from screening.models.child import AccessGrant, Child, Enrolment
from screening.models.consent import Consent, ConsentStatus, Purpose
from screening.models.import_batch import BatchStatus, CriticalSighting, ImportBatch
from screening.models.organisation import Organisation
from screening.models.result import ScreenResult
from tests.referral.county import County, Pupil, furnished, phq9


@dataclass(frozen=True)
class World:
    """A county after a week of work, and the children whose stories it holds."""

    county: County
    unseen: Pupil
    talk: Pupil
    sent: Pupil
    back: Pupil
    out: Pupil
    calm: Pupil

    def now(self) -> datetime:
        return self.county.clock.now()


@pytest.fixture
def world(database, clock) -> World:
    county = furnished(database, clock)
    with database.begin() as session:
        county.hire(session, "duty", "程雪", county.actors["lead"].grants[0].role, "school")
    none, unseen, talk, sent, back, out, calm, refused = county.enrol(8)
    county.submit(none, "phq9", phq9())
    county.submit(unseen, "phq9", phq9(total=21))
    county.submit(talk, "phq9", phq9(item9=1))
    for pupil in (sent, back, out):
        county.submit(pupil, "phq9", phq9(total=22))
    county.submit(calm, "asq", dict.fromkeys("12345", 1))
    clock.forward(timedelta(minutes=5))
    county.submit(refused, "phq9", phq9() | {"9": "7"})  # an answer that does not exist: sighted, not stored
    county.assess(sent, send=True)
    county.assess(back, send=True)
    county.assess(out, tier=None)
    answer(county, back)
    stand_down(county, calm)
    with database.begin() as session:
        session.execute(
            update(OutboxMessage).where(OutboxMessage.topic != "never").values(finished_at=clock.now())
        )
        session.execute(
            update(Task)
            .where(Task.kind == TaskKind.NOTE_OVERDUE)
            .values(done_at=clock.now(), decision="made")
        )
        add_note(session, county)
        audit.seal_tail(session, limit=10_000)
    tick(county, timedelta(minutes=7))
    return World(county, unseen, talk, sent, back, out, calm)


def tick(county: County, by: timedelta) -> None:
    county.clock.forward(by)
    with county.database.begin() as session:
        escalations.tick(session, now=county.clock.now())


def add_note(session: Any, county: County) -> None:
    """What the worker stores for each referral."""
    for referral in session.scalars(select(Referral)):
        document = documents.store(
            session, data=b"%PDF", media_type="application/pdf", now=county.clock.now()
        )
        session.add(
            ReferralNote(
                referral_id=referral.id, number=referral.note_version, document_id=document.id,
                made_at=county.clock.now(), pages=2,
            )
        )  # fmt: skip


def answer(county: County, pupil: Pupil) -> None:
    """From accepting to a completed loop."""
    clock = county.clock

    def press(step: Callable[..., Any], who: str, **more: Any) -> None:
        clock.forward(timedelta(minutes=1))
        with county.database.begin() as session:
            case = county.case(session, pupil)
            [referral] = session.scalars(select(Referral).where(Referral.child_id == pupil.id))
            step(session, actor=county.actors[who], case=case, referral=referral, now=clock.now(), **more)

    press(answers.accept, "intake", contact="白芷")
    press(answers.schedule, "intake", at=clock.now() + timedelta(hours=3), place="二楼")
    press(answers.attended, "intake")
    note = ReturnNoteIn(
        visit_on=clock.today(), outcome=Outcome.WATCH_AND_REVIEW, finding=Finding.NO_NEED,
        assessor_saw_probability=False, risk_now=RiskNow.LOW, attendance=Attendance.FULL, advice="{}",
        clinical=None, next_visit_on=None, guardian_agreed=False,
    )  # fmt: skip
    press(return_notes.write, "clinician", note=note)
    press(referrals.acknowledge, "counsellor")
    press(referrals.complete, "counsellor", plan_status=PlanStatus.CONFIRMED)


def stand_down(county: County, pupil: Pupil) -> None:
    with county.database.begin() as session:
        case = county.case(session, pupil)
        episode = crises.find_open(session, case_id=case.id)
        both = {"episode": episode, "now": county.clock.now()}
        crises.take(session, actor=county.actors["counsellor"], case=case, **both)
        for step in CRISIS_WORK - {CrisisStep.ACKNOWLEDGED}:
            crises.record_step(
                session, actor=county.actors["counsellor"], step=step, result=StepResult.DONE,
                happened_at=county.clock.now(), place=None, remark=None, **both,
            )  # fmt: skip
        session.flush()
        crises.stand_down(
            session, actor=county.actors["lead"], case=case, safety_plan_done=True,
            review_meeting_on=county.clock.today() + timedelta(days=3), **both,
        )  # fmt: skip


class RolledBack(Exception):
    pass


@pytest.fixture
def broken(world):
    """``broken(statement or function, …)``: what a check finds after them; then all is as before."""

    def look(*doings: Any, deep: bool = False) -> dict[tuple[int, str], tuple[UUID, ...]]:
        found: list[Any] = []
        with suppress(RolledBack), world.county.database.begin() as session:
            for do in doings:
                if callable(do):
                    do(session)
                    session.flush()
                else:
                    session.execute(do.execution_options(synchronize_session=False))
            session.expire_all()
            found += check_all(session, now=world.now(), deep=deep)
            raise RolledBack
        return {(each.invariant, each.message): each.ids for each in found}

    return look


def case_of(pupil: Pupil) -> Any:
    return select(Case.id).where(Case.child_id == pupil.id).scalar_subquery()


def referral_of(pupil: Pupil) -> Any:
    return select(Referral.id).where(Referral.child_id == pupil.id).scalar_subquery()


# --- the healthy world -------------------------------------------------------------------------------------


def test_a_world_in_which_all_was_done_right_breaks_no_promise(world, broken):
    assert broken(deep=True) == {}


def test_the_world_holds_what_the_promises_are_about(world):
    """A promise about nothing is kept by nothing."""
    with world.county.database.look() as session:
        for model in (
            Case,
            CrisisEpisode,
            ReturnNote,
            TaskRing,
            AccessGrant,
            CriticalSighting,
            FollowUp,
            AuditSeal,
        ):
            assert session.scalars(select(model).limit(1)).first() is not None, model.__name__
        statuses = set(session.scalars(select(Referral.status)))
        assert {
            ReferralStatus.DRAFT,
            ReferralStatus.SENT,
            ReferralStatus.COMPLETED,
            ReferralStatus.WITHDRAWN,
        } <= statuses
        assert CaseStatus.CLOSED in set(session.scalars(select(Case.status)))


def test_there_are_sixteen_each_with_its_words_in_chinese():
    assert [each.number for each in INVARIANTS] == list(range(1, 17))
    known = catalogue("zh")
    for each in INVARIANTS:
        assert each.promise in known
        assert each.remark is None or each.remark in known
        assert each.looks or each.remark, "what is not looked at says why"


def messages() -> dict[str, str]:
    """Name → message of everything that can be found."""
    return {
        name: value
        for module in (check, check_records, check_steps)
        for name, value in vars(module).items()
        if name.isupper() and isinstance(value, str) and value.endswith((".", "?"))
    } | {"GAP": check_records.GAP, "TRAIL": check_records.TRAIL}


def test_every_finding_has_its_words_in_chinese_and_a_test_that_finds_it():
    tests = "".join(
        path.read_text(encoding="utf-8")
        for path in (Path(__file__), Path(__file__).with_name("test_cli_check.py"))
    )
    for name, message in messages().items():
        assert message in catalogue("zh"), name
        assert re.search(rf"check(_records|_steps)?\.{name}\b", tests), f"no test finds {name}"


# --- broken by hand ----------------------------------------------------------------------------------------


def test_1_a_result_that_is_not_its_sheets(world, broken):
    other = (
        update(ScreenResult).where(ScreenResult.child_id == world.unseen.id).values(child_id=world.talk.id)
    )
    assert (1, check.MIXED) in broken(other)
    assert (1, check.UNREAD) in broken(delete(ScreenResult).where(ScreenResult.child_id == world.talk.id))


def test_2_nobody_has_two_open_cases(world, broken):
    def twice(session: Any) -> None:
        """The index forbids it; a damaged one would not."""
        session.execute(text("DROP INDEX uq_care_case_open"))
        session.execute(update(Case).where(Case.child_id == world.sent.id).values(child_id=world.unseen.id))

    if world.county.database.is_sqlite:  # the application's role may not drop an index on PostgreSQL
        assert broken(twice)[2, check.TWO_CASES] == (world.unseen.id,)


def test_2_a_critical_answer_asks_for_a_talk(world, broken):
    gone = delete(Task).where(Task.kind == TaskKind.SAFETY_TALK, Task.child_id == world.talk.id)
    rings = delete(TaskRing)
    assert (2, check.NO_TALK) in broken(rings, gone)
    no_case = (
        update(Case)
        .where(Case.child_id == world.talk.id)
        .values(closed_at=world.now() - timedelta(days=1), closed_by=uuid4())
    )
    assert (2, check.NO_CASE) in broken(no_case)


def test_2_what_the_county_keeps_does_not_stand_for_the_schools_own(world, broken):
    """A case and a talk in the other custody about the same child answer nothing."""
    kept = update(Case).where(Case.child_id == world.talk.id).values(custody=Custody.PROTECTED)
    found = broken(kept)
    assert {(2, check.NO_CASE), (2, check.NO_TALK), (16, check.NO_TASK)} <= found.keys()
    asked = update(Administration).where(Administration.child_id == world.talk.id).values(protected=True)
    assert broken(kept, asked) == {}


def test_3_what_was_said_and_waits_is_on_somebodys_list(world, broken):
    places, heard = world.county.places, {"raised_at": world.now(), "urgency": WorryUrgency.TODAY}

    def worry(session: Any) -> None:
        session.add(
            Worry(
                organisation_id=places["school"].id, school_id=places["school"].id, custody=Custody.SCHOOL,
                origin=Origin.TEACHER, key_digest=b"1" * 32, words=WorryWords("?", "?").as_json(), **heard,
            )
        )  # fmt: skip

    assert (3, check.LOST_WORRY) in broken(worry)

    def reply(session: Any) -> None:
        [sent] = session.scalars(select(Referral).where(Referral.child_id == world.sent.id))
        replies.arrive(
            session, referral=sent, said=replies.Said(ReplyKind.RECEIVED), facility_code_right=False,
            now=world.now(),
        )  # fmt: skip

    called = delete(Task).where(Task.kind == TaskKind.REPLY_VERIFY)
    notices = delete(Notice).where(
        Notice.task_id.in_(select(Task.id).where(Task.kind == TaskKind.REPLY_VERIFY))
    )
    rings = delete(TaskRing)
    assert (3, check.LOST_REPLY) not in broken(reply)
    assert (3, check.LOST_REPLY) in broken(reply, rings, notices, called)


def test_3_an_untaken_episode_rings_and_a_staged_file_is_on_a_list(world, broken):
    reopen = update(CrisisEpisode).values(stood_down_at=None, taken_at=None, taken_by=None)
    assert (3, check.UNHEARD) in broken(reopen)

    def stage(session: Any) -> None:
        kept = session.scalars(select(StoredDocument).limit(1)).one()
        session.add(
            ImportBatch(
                organisation_id=world.county.places["school"].id, campaign_id=world.county.campaign_id,
                document_id=kept.id, sha256=b"1" * 32, status=BatchStatus.STAGED, uploaded_at=world.now(),
                uploaded_by=world.county.actors["clerk"].account_id,
            )
        )  # fmt: skip

    assert (3, check.UNOWNED_FILE) in broken(stage)
    left = update(Account).where(Account.username == "counsellor").values(disabled_at=world.now())
    assert {message for number, message in broken(left) if number == 3} >= {
        check.CASE_OWNER,
        check.TASK_OWNER,
    }


def test_4_one_place_answers_for_a_child(world, broken):
    clinic = world.county.places["clinic"].id
    moved = update(Enrolment).where(Enrolment.child_id == world.calm.id).values(organisation_id=clinic)
    assert broken(moved) == {(4, check_records.OTHER_PLACE): (world.calm.id,)}

    def twice(session: Any) -> None:
        session.add(
            Enrolment(
                child_id=world.calm.id, organisation_id=clinic, student_no="9", stage="junior", cohort=2026,
                class_name="1班", valid_from=date(2026, 1, 1), valid_to=None,
            )
        )  # fmt: skip

    found = broken(twice)
    assert found[4, check_records.TWO_PLACES] == (world.calm.id,)
    ended = update(Organisation).where(Organisation.code == "school").values(ended_on=date(2026, 1, 1))
    assert (4, check_records.GONE_PLACE) in broken(ended)


def test_6_background_work_is_accounted_for(world, broken):
    work = update(OutboxMessage)
    assert (6, check.DEAD) in broken(work.values(dead_at=world.now(), finished_at=None))
    assert (6, check.BOTH) in broken(work.values(dead_at=world.now()))
    late = work.values(finished_at=None, available_at=world.now() - timedelta(hours=2))
    assert (6, check.LATE) in broken(late)


def test_7_what_is_overdue_rings_once(world, broken):
    waiting = select(Task.id).where(Task.done_at.is_(None)).limit(1).scalar_subquery()
    assert (7, check_steps.NO_RING) in broken(delete(TaskRing))
    late = world.now() - timedelta(minutes=11)
    assert (7, check_steps.SILENT) in broken(update(Task).values(next_ring_at=late))
    never = (
        update(Task).where(Task.id == waiting).values(step=0, next_ring_at=None, due_at=late, opened_at=late)
    )
    assert (7, check_steps.SILENT) in broken(never)
    assert (7, check_steps.SILENT) not in broken(
        update(Task).values(next_ring_at=late + timedelta(minutes=2))
    )

    def twice(session: Any) -> None:
        session.execute(text("DROP INDEX uq_task_ring_step"))
        row = session.scalars(select(TaskRing).limit(1)).one()
        session.execute(
            insert(TaskRing).values(id=uuid4(), task_id=row.task_id, step=row.step, rung_at=world.now())
        )

    if world.county.database.is_sqlite:
        assert (7, check_steps.RUNG_TWICE) in broken(twice)


def test_8_a_case_was_closed_for_a_reason_with_nothing_left_open(world, broken):
    case = case_of(world.out)
    assert (8, check_steps.NOT_CLOSED) in broken(
        update(Case).where(Case.id == case).values(status=CaseStatus.ACTIVE)
    )
    for reason in (None, "tired of it", "goals_met"):
        wrong = update(CaseStatusChange).where(
            CaseStatusChange.case_id == case, CaseStatusChange.status == CaseStatus.CLOSED
        ).values(reason=reason)  # fmt: skip
        assert (8, check_steps.CLOSED_WRONGLY) in broken(wrong), reason
    task = update(Task).where(Task.case_id == case).values(done_at=None, decision=None)
    referral = (
        update(Referral).where(Referral.case_id == case).values(ended_at=None, status=ReferralStatus.DRAFT)
    )
    for left in (task, referral):
        assert (8, check_steps.CLOSED_OPEN) in broken(*without_index(world, "uq_task_open"), left)


def without_index(world: World, name: str) -> list[Any]:
    """Nothing where the role may not: there the rows have to differ by themselves."""
    return [text(f"DROP INDEX {name}")] if world.county.database.is_sqlite else []


def test_8_an_episode_was_stood_down_by_two_with_its_steps(world, broken):
    steps = delete(CrisisStepRecord)
    for doing in (
        steps.where(CrisisStepRecord.step == CrisisStep.GUARDIAN_REACHED),
        steps.where(CrisisStepRecord.step == CrisisStep.STOOD_DOWN),
        update(CrisisEpisode).values(taken_by=world.county.actors["lead"].account_id),
        update(FollowUp).values(template="FU_WATCH"),
    ):
        assert (8, check_steps.STOOD_DOWN) in broken(doing)


def test_8_a_referral_ended_as_its_status_says(world, broken):
    referral = referral_of(world.back)
    split = update(Referral).where(Referral.id == referral).values(ended_at=None)
    assert (8, check_steps.NOT_ENDED) in broken(split)
    unread = update(ReturnNote).values(read_at=None)
    assert (8, check_steps.UNREAD_NOTE) in broken(unread)


def test_9_whatever_was_done_has_its_line(world, broken):
    """The trail refuses to lose a line, so the thing is given another name instead."""

    def copied(session: Any) -> None:
        row = session.scalars(select(Administration).where(Administration.child_id == world.talk.id)).one()
        values = {column.name: getattr(row, column.name) for column in Administration.__table__.columns}
        more = {"id": uuid4(), "source": "by hand", "instrument": "gad7"}
        session.execute(insert(Administration).values(**{**values, **more}))

    assert (9, check_records.NO_TRACE) in broken(copied)
    other = update(ReturnNote).values(read_by=world.county.actors["lead"].account_id)
    assert (9, check_records.READ_UNSEEN) in broken(other)


@pytest.mark.parametrize("deep", [False, True])
def test_9_the_chain_is_whole(world, broken, deep):
    if not world.county.database.is_sqlite:
        pytest.skip("the application's role may not change the trail on PostgreSQL")
    free = [
        text(f"DROP TRIGGER {table}_no_{verb}")
        for table in ("audit_row", "audit_seal")
        for verb in ("update", "delete")
    ]
    gap = delete(AuditSeal).where(AuditSeal.seq == 5)
    assert (9, check_records.GAP) in broken(*free, gap, deep=deep)
    third = select(AuditSeal.row_id).where(AuditSeal.seq == 3).scalar_subquery()
    changed = update(AuditRow).where(AuditRow.id == third).values(at=datetime(2001, 1, 1, tzinfo=UTC))
    found = broken(*free, changed, deep=deep)
    with world.county.database.look() as session:
        row_id = session.scalars(select(AuditSeal.row_id).where(AuditSeal.seq == 3)).one()
    assert found == ({(9, check_records.TRAIL): (row_id,)} if deep else {})


def test_10_files_and_notes_are_what_they_should_be(world, broken):
    ahead = update(ReferralNote).values(number=ReferralNote.number + 5)
    assert (10, check.TWO_NOTES) in broken(ahead)
    old = update(Referral).values(drafted_at=world.now() - timedelta(days=1))
    assert (10, check.NO_NOTE) in broken(old, delete(ReferralNote))
    assert (10, check.NO_NOTE) not in broken(old)
    wrong = update(StoredDocument).values(sha256=b"0" * 32)
    assert (10, check.FILE) in broken(wrong, deep=True)


def test_11_no_view_outlives_its_reason(world, broken):
    again = update(AccessGrant).where(AccessGrant.ended_at.is_not(None)).values(ended_at=None)
    assert (11, check_steps.NO_REASON) in broken(again)
    assert (11, check_steps.NO_REASON) in broken(update(AccessGrant).values(reason_id=uuid4(), ended_at=None))
    # What a crisis or a hotline's handover opens to the county hangs on them.
    lasting = update(CrisisEpisode).values(stood_down_at=None)
    by_crisis = update(AccessGrant).values(
        reason_id=select(CrisisEpisode.id).scalar_subquery(), ended_at=None
    )
    assert (11, check_steps.NO_REASON) not in broken(lasting, by_crisis)
    assert (11, check_steps.NO_REASON) in broken(by_crisis)
    declined = (
        update(Referral).where(Referral.id == referral_of(world.sent)).values(status=ReferralStatus.DECLINED)
    )
    assert (11, check_steps.NO_REASON) in broken(declined)


def test_12_nothing_without_a_consent_that_held(world, broken):
    answers_of = update(Consent).where(Consent.child_id == world.sent.id)
    screening = answers_of.where(Consent.purpose == Purpose.SCREENING)
    for status in (
        ConsentStatus.REFUSED,
        ConsentStatus.WITHDRAWN,
        ConsentStatus.NO_REPLY,
        ConsentStatus.ASKED,
    ):
        assert (12, check_records.NO_CONSENT) in broken(screening.values(status=status))
    later = screening.values(recorded_at=world.now() + timedelta(days=1))
    assert (12, check_records.NO_CONSENT) in broken(later), "a consent does not work backwards"

    def withdrawn(at: datetime) -> Callable[[Any], None]:
        def add(session: Any) -> None:
            row = session.scalars(
                select(Consent).where(Consent.child_id == world.sent.id, Consent.purpose == Purpose.SCREENING)
            ).one()
            session.add(
                Consent(
                    child_id=world.sent.id, purpose=Purpose.SCREENING, status=ConsentStatus.WITHDRAWN,
                    text_version="1", channel="paper", given_on=row.given_on, recorded_at=at,
                )
            )  # fmt: skip

        return add

    with world.county.database.look() as session:
        asked_at = session.scalars(
            select(Consent.recorded_at).where(Consent.child_id == world.sent.id)
        ).first()
        sheet_at = session.scalars(
            select(Administration.recorded_at).where(Administration.child_id == world.sent.id)
        ).one()
    assert asked_at <= sheet_at
    assert broken(withdrawn(sheet_at + timedelta(seconds=1))) == {}, (
        "what was done before a withdrawal stands"
    )
    moved = update(Administration).where(Administration.child_id == world.sent.id).values(
        recorded_at=sheet_at + timedelta(seconds=2)
    )  # fmt: skip
    assert (12, check_records.NO_CONSENT) in broken(withdrawn(sheet_at + timedelta(seconds=1)), moved)


def test_12_a_referral_names_its_basis(world, broken):
    referral = update(Referral).where(Referral.id == referral_of(world.sent))
    assert (12, check_records.NO_BASIS) in broken(referral.values(legal_basis="because"))
    assert (12, check_records.NO_BASIS) in broken(referral.values(consent_id=None))
    assert broken(referral.values(legal_basis="emergency", consent_id=None)) == {}
    share = update(Consent).where(
        Consent.child_id == world.sent.id, Consent.purpose == Purpose.SHARE_FACILITY
    )
    assert (12, check_records.NO_BASIS) in broken(share.values(status=ConsentStatus.WITHDRAWN))


def test_13_places_stand_in_their_tree(world, broken):
    school = update(Organisation).where(Organisation.code == "school")
    for path in ("/city/school/", "/city/county/school", "/school/"):
        assert (13, check_records.PATH) in broken(school.values(path=path))
    city = update(Organisation).where(Organisation.code == "city")
    assert (13, check_records.PATH) in broken(city.values(path="/"))


def test_14_sheets_belong_to_the_roll(world, broken):
    entry = select(RosterEntry.id).where(RosterEntry.child_id == world.calm.id).scalar_subquery()
    moved = (
        update(Administration).where(Administration.child_id == world.sent.id).values(roster_entry_id=entry)
    )
    assert (14, check_records.OFF_ROLL) in broken(moved)


@pytest.mark.parametrize(
    ("rows", "status"),
    [
        ([(0, "draft"), (1, "sent")], "received"),  # the status says more than the rows
        ([(0, "draft"), (1, "accepted")], "accepted"),  # a step that does not exist
        ([(1, "draft"), (0, "sent")], "sent"),  # back in time
        ([], "draft"),
    ],
)
def test_15_rows_that_do_not_lead_to_the_status(world, broken, rows, status):
    pick = referral_of(world.sent)

    def rewrite(session: Any) -> None:
        referral_id = session.scalar(select(pick))
        session.execute(delete(ReferralStatusChange).where(ReferralStatusChange.referral_id == referral_id))
        for minute, to in rows:
            session.add(
                ReferralStatusChange(
                    referral_id=referral_id, status=ReferralStatus(to),
                    changed_at=world.now() - timedelta(minutes=30 - minute),
                )
            )  # fmt: skip
        session.execute(
            update(Referral).where(Referral.id == referral_id).values(status=ReferralStatus(status))
        )

    with world.county.database.look() as session:
        referral_id = session.scalar(select(pick))
    assert broken(rewrite)[15, check_steps.STEPS] == (referral_id,)


def test_15_each_machine_is_looked_at(world, broken):
    wrong = {
        Case: CaseStatus.LOST_CONTACT, PlanVersion: PlanStatus.COMPLETED, Campaign: CampaignStatus.ARCHIVED,
        FollowUp: "moved",
    }  # fmt: skip
    for model, status in wrong.items():
        one = select(model.id).limit(1).scalar_subquery()
        assert (15, check_steps.STEPS) in broken(
            update(model).where(model.id == one).values(status=status)
        ), model


def test_15_the_future_is_not_known(world, broken):
    ahead = update(CaseStatusChange).values(changed_at=world.now() + timedelta(minutes=2))
    assert (15, check_steps.FUTURE) in broken(ahead)


@pytest.mark.parametrize(
    ("rows", "reached"),
    [
        ([], set()),
        ([(0, "draft")], {"draft"}),
        ([(0, "draft"), (1, "ready"), (2, "sent")], {"sent"}),
        ([(0, "ready"), (0, "draft"), (0, "sent")], {"sent"}),  # one press: the order is not stored
        ([(0, "sent"), (1, "draft")], set()),
        ([(0, "scheduled"), (1, "scheduled")], {"scheduled"}),  # moved appointments are steps
        ([(0, "sent"), (1, "sent")], set()),
    ],
)
def test_the_way_through_status_rows(rows, reached):
    start = datetime(2026, 10, 14, tzinfo=UTC)
    taken = [(start + timedelta(minutes=minute), ReferralStatus(to)) for minute, to in rows]
    assert ends(taken, REFERRAL_TRANSITIONS) == {ReferralStatus(to) for to in reached}


def test_16_whoever_needs_a_person_has_one(world, broken):
    gone = [delete(TaskRing), delete(Task).where(Task.child_id == world.unseen.id)]
    found = broken(*gone)
    assert (16, check.NO_TASK) in found
    elevated = update(ScreenResult).where(ScreenResult.level == Level.NONE).values(level=Level.ELEVATED)
    assert (16, check.NO_TASK) in broken(elevated)


def test_16_a_sighting_has_a_task(world, broken):
    with world.county.database.look() as session:
        waiting = select(CriticalSighting).where(CriticalSighting.adopted_by.is_(None))
        sighting = session.scalars(waiting).one()
        sighting_id, child_id = sighting.id, sighting.child_id
    gone = [delete(TaskRing), delete(Task).where(Task.child_id == child_id)]
    assert broken(*gone)[16, check_records.SIGHTED] == (sighting_id,)
    old = update(CriticalSighting).values(answered_on=world.county.clock.today() - timedelta(days=15))
    assert (16, check_records.SIGHTED) not in broken(*gone, old), "what is history rings nobody"


def test_16_who_was_not_reached_is_on_a_list_when_the_campaign_ends(world, broken):
    pupil = world.county.enrol(1)[0]
    ended = update(Campaign).values(status=CampaignStatus.SCORED)
    key = (16, check_records.UNREACHED)
    found = broken(ended)[key]
    assert pupil.id in found
    assert world.calm.id not in found

    def followed(session: Any) -> None:
        session.add(
            Task(
                kind=TaskKind.MAKE_UP, subject_id=pupil.entry_id, organisation_id=world.county.places["school"].id,
                owner_id=world.county.actors["counsellor"].account_id, opened_at=world.now(), due_at=world.now(),
            )
        )  # fmt: skip

    assert pupil.id not in broken(ended, followed).get(key, ())
    refused = update(Consent).where(Consent.child_id == pupil.id).values(status=ConsentStatus.REFUSED)
    assert pupil.id not in broken(ended, refused).get(key, ())


def test_findings_of_children_are_ids_only(world, broken):
    with world.county.database.look() as session:
        children = set(session.scalars(select(Child.id)))
    found = broken(update(Enrolment).values(organisation_id=world.county.places["clinic"].id))
    assert set(found[4, check_records.OTHER_PLACE]) <= children
