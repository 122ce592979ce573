"""Handovers: to whom, by when, with whose word; the child's case; never to the school where the harm is there."""

from __future__ import annotations

from datetime import datetime, timedelta

import pytest
from sqlalchemy import select

from referral.actions import escalations, handovers, hotline, lookups
from referral.models.case import Case
from referral.models.crisis import CrisisEpisode
from referral.models.hotline import HandoverRecord, HotlineCall
from referral.models.notice import Notice
from referral.models.task import Task, TaskRing
from referral.queries import hotline as queries
from referral.queries.cases import case_file, cases_visible_to
from referral.states import CALL_DANGER
from referral.terms import (
    CallerAgreement,
    CallLevel,
    CallStatus,
    Custody,
    DisclosureBasis,
    HandoverResult,
    HandoverTo,
    Origin,
    TaskKind,
)
from screening.access import MAY, May
from screening.actions import organisations
from screening.core.actor import Actor, Role
from screening.core.clock import LOCAL
from screening.core.errors import InvalidInput, NotFound, NotPermitted, PolicyViolation
from screening.models.child import AccessGrant
from screening.models.organisation import OrganisationKind
from tests.referral.switchboard import Switchboard

NO_WORD = {"agreed": CallerAgreement.NO, "basis": DisclosureBasis.DANGER_TO_LIFE}
SCHOOL, COUNTY = HandoverTo.SCHOOL_DUTY, HandoverTo.COUNTY_CENTRE


@pytest.fixture
def world(database, clock):
    return Switchboard(database, clock)


def told(world, session, handover_id):
    """Who was told about a handover, by user name."""
    return {
        world.who(account_id)
        for account_id in session.scalars(
            select(Notice.account_id)
            .join(Task, Task.id == Notice.task_id)
            .where(Task.subject_id == handover_id, Task.kind == TaskKind.HANDOVER_ACKNOWLEDGE)
        )
    }


def acknowledge(world, handover_id, by):
    with world.database.begin() as session:
        actor, now = world.actors[by], world.clock.now()
        row = queries.get_handover(session, actor=actor, handover_id=handover_id, now=now)
        handovers.acknowledge(session, actor=actor, handover=row, now=now)


def answer(world, handover_id, by, result=HandoverResult.REACHED, words=""):
    with world.database.begin() as session:
        actor, now = world.actors[by], world.clock.now()
        row = queries.get_handover(session, actor=actor, handover_id=handover_id, now=now)
        handovers.record_result(session, actor=actor, handover=row, result=result, words=words, now=now)


# --- by when, to whom --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("level", "due"),
    [
        (CallLevel.A, datetime(2026, 10, 14, 10, 15, tzinfo=LOCAL)),
        (CallLevel.B, datetime(2026, 10, 14, 11, 0, tzinfo=LOCAL)),
        (CallLevel.C, datetime(2026, 10, 15, 17, 30, tzinfo=LOCAL)),
    ],
)
def test_each_level_has_its_time(world, level, due):
    handover_id = world.hand_over(world.ring(level), SCHOOL)
    task = world.line(TaskKind.HANDOVER_ACKNOWLEDGE, handover_id)
    assert (task.due_at, task.clock) == (due, "T20")
    assert (world.who(task.owner_id), world.who(task.backup_id)) == ("lead", "counsellor")


def test_level_d_and_a_call_without_a_level_are_not_handed_over(world):
    for call_id in (world.ring(), world.ring(CallLevel.D)):
        with pytest.raises(PolicyViolation):
            world.hand_over(call_id, SCHOOL)


def test_the_receiver_is_found_for_each_kind(world):
    expected = {
        SCHOOL: ("school", "lead"),
        COUNTY: ("county", "centre"),
        HandoverTo.PROTECTION_CENTRE: ("county", "centre"),
        HandoverTo.CLINIC: ("clinic", "intake"),
    }
    for to, (place, owner) in expected.items():
        handover_id = world.hand_over(
            world.ring(CallLevel.B), to, place=world.places["clinic" if to is HandoverTo.CLINIC else "school"]
        )
        task = world.line(TaskKind.HANDOVER_ACKNOWLEDGE, handover_id)
        assert (task.organisation_id, world.who(task.owner_id)) == (world.places[place].id, owner), to


def test_a_place_of_another_kind_is_not_a_receiver(world):
    call_id = world.ring(CallLevel.B)
    for to, place in ((SCHOOL, "clinic"), (HandoverTo.CLINIC, "school")):
        with pytest.raises(InvalidInput):
            world.hand_over(call_id, to, place=world.places[place])


def test_police_and_ambulance_answer_to_the_operator(world):
    call_id = world.ring(CallLevel.A)
    handover_id = world.hand_over(
        call_id, HandoverTo.AMBULANCE_120, place=None, what_said="", phoned_at=world.clock.now()
    )
    assert world.who(world.line(TaskKind.HANDOVER_ACKNOWLEDGE, handover_id).owner_id) == "operator"
    assert world.status(call_id) is CallStatus.HANDOVER_SENT


def test_where_nobody_holds_a_post_the_line_stays_with_the_operator(world):
    with world.database.begin() as session:
        world.places["empty"] = organisations.add(
            session, actor=Actor.system(), kind=OrganisationKind.FACILITY, code="empty", name="无人的医院",
            parent=world.places["county"], phone=None, now=world.clock.now(),
        )  # fmt: skip
    handover_id = world.hand_over(world.ring(CallLevel.A), HandoverTo.CLINIC, place=world.places["empty"])
    task = world.line(TaskKind.HANDOVER_ACKNOWLEDGE, handover_id)
    assert (world.who(task.owner_id), world.who(task.backup_id)) == ("operator", "supervisor")


def test_pressing_twice_hands_over_once(world):
    call_id = world.ring(CallLevel.B)
    assert world.hand_over(call_id, SCHOOL) == world.hand_over(call_id, SCHOOL)
    assert world.hand_over(call_id, COUNTY) != world.hand_over(call_id, SCHOOL)


def test_what_the_receiver_needs_is_asked_for(world):
    call_id = world.ring(CallLevel.B)
    later = world.clock.now() + timedelta(minutes=1)
    for to, wrong in (
        (SCHOOL, {"what_said": " "}),
        (SCHOOL, {"what_said": "长" * 2001}),
        (HandoverTo.POLICE_110, {}),
        (HandoverTo.POLICE_110, {"phoned_at": later}),
        (SCHOOL, {"acknowledged_at": world.clock.now()}),
    ):
        with pytest.raises(InvalidInput):
            world.hand_over(call_id, to, **wrong)


def test_who_called_is_not_passed_on_unless_it_is_the_child(world):
    call_id = world.ring(CallLevel.B, caller="peer", caller_name="欧阳小雨", phone="139 1234 5678")
    for words in ("同学欧阳 小雨说她有药", "回电 13912345678"):
        with pytest.raises(PolicyViolation):
            world.hand_over(call_id, SCHOOL, what_said=words)
    world.save(call_id, 2, caller="self")
    world.hand_over(call_id, SCHOOL, what_said="欧阳小雨说自己有药")


# --- the caller's word -------------------------------------------------------------------------------------


@pytest.mark.parametrize("level", [CallLevel.B, CallLevel.C])
def test_without_the_callers_yes_a_supervisor_approves_first(world, level):
    call_id = world.ring(level)
    with pytest.raises(InvalidInput):
        world.hand_over(call_id, COUNTY, agreed=CallerAgreement.NO)
    with pytest.raises(PolicyViolation):
        world.hand_over(call_id, COUNTY, **NO_WORD)
    world.do(hotline.ask_disclosure, call_id, basis=DisclosureBasis.DANGER_TO_LIFE, reason="今晚有危险")
    with pytest.raises(PolicyViolation):
        world.hand_over(call_id, COUNTY, **NO_WORD)
    world.do(hotline.decide_disclosure, call_id, by="supervisor", approved=True, reason="危及生命")
    world.hand_over(call_id, COUNTY, **NO_WORD)
    with world.database.look() as session:
        call = session.get_one(HotlineCall, call_id)
        assert world.who(call.broken_approved_by) == "supervisor"
        assert (call.broken_basis, call.broken_reason) == (DisclosureBasis.DANGER_TO_LIFE, "危及生命")


def test_danger_now_goes_at_once_and_the_supervisor_is_asked_at_the_same_time(world):
    call_id = world.ring(CallLevel.A)
    world.hand_over(call_id, SCHOOL, **NO_WORD)
    task = world.line(TaskKind.CALL_DISCLOSURE, call_id)
    assert world.who(task.owner_id) == "supervisor"
    with world.database.begin() as session:
        facts = queries.call_facts(session, call=world.call(session, call_id))
        assert facts.disclosure_open
    world.do(hotline.decide_disclosure, call_id, by="supervisor", approved=True, reason="危及生命")
    with world.database.begin() as session:
        assert not queries.call_facts(session, call=world.call(session, call_id)).disclosure_open


# --- acknowledged, answered --------------------------------------------------------------------------------


def test_the_hotline_hears_back(world):
    call_id = world.ring(CallLevel.B)
    handover_id = world.hand_over(call_id, SCHOOL)
    assert world.status(call_id) is CallStatus.HANDOVER_SENT
    acknowledge(world, handover_id, "counsellor")
    assert world.status(call_id) is CallStatus.HANDOVER_ACKNOWLEDGED
    assert world.line(TaskKind.HANDOVER_ACKNOWLEDGE, handover_id) is None
    task = world.line(TaskKind.HANDOVER_RESULT, handover_id)
    assert (world.who(task.owner_id), world.who(task.backup_id)) == ("counsellor", "lead")
    assert task.due_at == world.clock.now() + timedelta(hours=24)
    world.clock.forward(timedelta(hours=3))
    answer(world, handover_id, "counsellor", words="已面谈")
    with world.database.begin() as session:
        (sheet,) = queries.own_handovers(session, actor=world.actors["operator"], now=world.clock.now())
        assert (sheet.result, sheet.result_words) == (HandoverResult.REACHED, "已面谈")
        assert sheet.result_at == world.clock.now()
        assert queries.own_handovers(session, actor=world.actors["colleague"], now=world.clock.now()) == []


def test_the_first_press_counts(world):
    handover_id = world.hand_over(world.ring(CallLevel.A), SCHOOL)
    acknowledge(world, handover_id, "counsellor")
    world.clock.forward(timedelta(minutes=1))
    acknowledge(world, handover_id, "lead")
    with world.database.look() as session:
        row = world.handover(session, handover_id)
        assert world.who(row.acknowledged_by) == "counsellor"
        assert row.acknowledged_at == world.clock.now() - timedelta(minutes=1)


def test_a_c_result_has_seven_days(world):
    handover_id = world.hand_over(world.ring(CallLevel.C), SCHOOL)
    acknowledge(world, handover_id, "counsellor")
    task = world.line(TaskKind.HANDOVER_RESULT, handover_id)
    assert task.due_at == world.clock.now() + timedelta(days=7)


def test_said_on_the_telephone_it_has_a_name_and_a_time(world):
    call_id = world.ring(CallLevel.A)
    handover_id = world.hand_over(call_id, SCHOOL)

    def phone(**more):
        with world.database.begin() as session:
            handovers.acknowledged_by_phone(
                session, actor=world.actors["operator"], call=world.call(session, call_id),
                handover=world.handover(session, handover_id), now=world.clock.now(), **more,
            )  # fmt: skip

    for wrong in (
        {"received_by": " ", "at": world.clock.now()},
        {"received_by": "周老师", "at": world.clock.now() + timedelta(minutes=1)},
    ):
        with pytest.raises(InvalidInput):
            phone(**wrong)
    phone(received_by="周老师", at=world.clock.now())
    with world.database.look() as session:
        assert world.handover(session, handover_id).received_by == "周老师"
    # The answer is asked of the person whose line it was, not of the operator who wrote it down.
    assert world.who(world.line(TaskKind.HANDOVER_RESULT, handover_id).owner_id) == "lead"


def test_a_child_who_was_not_found_comes_back_to_the_hotline_at_once(world):
    call_id = world.ring(CallLevel.A)
    world.do(hotline.review, call_id, by="supervisor", words="处置得当")
    handover_id = world.hand_over(call_id, SCHOOL)
    answer(world, handover_id, "counsellor", HandoverResult.NOT_FOUND)
    task = world.line(TaskKind.CALL_REVIEW, call_id)
    assert task.due_at == world.clock.now() + timedelta(hours=1)
    with world.database.begin() as session:
        facts = queries.call_facts(session, call=world.call(session, call_id))
        assert not facts.reviewed
        assert facts.handovers[0].answered


def test_another_result_needs_words(world):
    handover_id = world.hand_over(world.ring(CallLevel.B), SCHOOL)
    with pytest.raises(InvalidInput):
        answer(world, handover_id, "counsellor", HandoverResult.OTHER)


def test_a_call_is_not_closed_before_it_was_heard_and_answered(world):
    call_id = world.ring(
        CallLevel.B, type="crisis", summary="手边有药", confidentiality_told=True, strength=8, hopeless=8
    )
    handover_id = world.hand_over(call_id, SCHOOL)
    assert world.do(hotline.hang_up, call_id) == ()
    world.do(hotline.review, call_id, by="supervisor", words="处置得当")
    for missing in ("acknowledged, result", "result"):
        with pytest.raises(PolicyViolation) as refused:
            world.do(hotline.close, call_id)
        assert refused.value.params["missing"] == missing
        acknowledge(world, handover_id, "lead")
    answer(world, handover_id, "lead")
    world.do(hotline.close, call_id)
    assert world.status(call_id) is CallStatus.CLOSED


# --- the ladder --------------------------------------------------------------------------------------------


def test_a_handover_nobody_has_taken_climbs_step_by_step(world):
    handover_id = world.hand_over(world.ring(CallLevel.A), SCHOOL)
    seen = []
    for minutes in (0, 8, 7, 8, 8):
        world.clock.forward(timedelta(minutes=minutes))
        with world.database.begin() as session:
            escalations.tick(session, now=world.clock.now())
        with world.database.look() as session:
            seen.append(told(world, session, handover_id))
    assert seen[0] == seen[1] == seen[2] == {"lead", "counsellor"}
    assert seen[3] == seen[4] == {"lead", "counsellor", "principal", "centre", "officer"}
    with world.database.look() as session:
        task = world.line(TaskKind.HANDOVER_ACKNOWLEDGE, handover_id)
        steps = session.scalars(select(TaskRing.step).where(TaskRing.task_id == task.id)).all()
        assert sorted(steps) == [0, 1, 2, 3, 4]


@pytest.mark.parametrize(("level", "rings"), [(CallLevel.A, True), (CallLevel.B, True), (CallLevel.C, False)])
def test_danger_that_nobody_has_taken_goes_on_ringing_aloud(world, level, rings):
    handover_id = world.hand_over(world.ring(level), SCHOOL)
    for _ in range(4):
        world.clock.forward(timedelta(days=3))
        with world.database.begin() as session:
            escalations.tick(session, now=world.clock.now())
    task = world.line(TaskKind.HANDOVER_ACKNOWLEDGE, handover_id)
    assert (task.next_ring_at is not None) is rings
    with world.database.look() as session:
        aloud = session.scalars(select(Notice.urgent).where(Notice.task_id == task.id)).all()
    assert set(aloud) == {rings}


def test_once_taken_it_rings_no_more(world):
    handover_id = world.hand_over(world.ring(CallLevel.A), SCHOOL)
    acknowledge(world, handover_id, "counsellor")
    world.clock.forward(timedelta(hours=2))
    with world.database.begin() as session:
        escalations.tick(session, now=world.clock.now())
    with world.database.look() as session:
        assert told(world, session, handover_id) == {"lead", "counsellor"}


# --- who reads it ------------------------------------------------------------------------------------------

READS = {
    CallLevel.A: {"counsellor", "lead", "principal"},
    CallLevel.C: {"counsellor", "lead"},  # the lead is on duty, so it rang there
}


@pytest.mark.parametrize("level", READS)
def test_the_receiver_reads_the_handover_and_nobody_else(world, level):
    handover_id = world.hand_over(world.ring(level), SCHOOL)
    readers = set()
    for name, actor in world.actors.items():
        with world.database.begin() as session:
            try:
                queries.get_handover(session, actor=actor, handover_id=handover_id, now=world.clock.now())
                readers.add(name)
            except NotFound:
                pass
    assert readers == READS[level]


def test_whom_the_ladder_called_may_read_and_take_it(world):
    handover_id = world.hand_over(world.ring(CallLevel.A), SCHOOL)
    for minutes in (15, 8, 8, 60):
        world.clock.forward(timedelta(minutes=minutes))
        with world.database.begin() as session:
            escalations.tick(session, now=world.clock.now())
    acknowledge(world, handover_id, "centre")
    with pytest.raises(NotFound):
        acknowledge(world, handover_id, "neighbour")
    with pytest.raises(NotFound):
        acknowledge(world, handover_id, "officer")


RECEIVERS = {Role.COUNSELLOR, Role.COUNTY_CENTRE, Role.CLINIC_INTAKE, Role.CLINICIAN, Role.PROTECTION_CENTRE}
HOTLINE = {Role.HOTLINE_OPERATOR, Role.HOTLINE_SUPERVISOR}


@pytest.mark.parametrize("role", Role)
def test_the_rights_of_every_role(role):
    """Narrative at the hotline, the handed-over summary at the receiver, the supervisor's own decisions."""
    mine = MAY.get(role, frozenset())
    assert ({May.LOG_CALL, May.TRIAGE_CALL, May.READ_CALLS} <= mine) is (role in HOTLINE)
    assert not ({May.LOG_CALL, May.TRIAGE_CALL, May.READ_CALLS} & mine) or role in HOTLINE
    assert ({May.REVIEW_CALL, May.APPROVE_DISCLOSURE} <= mine) is (role is Role.HOTLINE_SUPERVISOR)
    assert (May.RECEIVE_HANDOVER in mine) is (role in RECEIVERS)
    if role in HOTLINE:
        assert not mine & {May.READ_CHILDREN, May.READ_CASES, May.READ_SCORES, May.READ_REFERRALS}


# --- a known child -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("level", sorted(CALL_DANGER))
def test_a_and_b_about_a_known_child_open_the_case_and_the_crisis(world, level):
    (pupil,) = world.enrol()
    call_id = world.ring(level)
    world.link(call_id, pupil)
    # The operator need not know the school, and does not.
    handover_id = world.hand_over(call_id, SCHOOL, place=None)
    with world.database.look() as session:
        case = world.case(session, pupil)
        assert (case.origin, case.custody, world.who(case.owner_id)) == (
            Origin.HOTLINE,
            Custody.SCHOOL,
            "counsellor",
        )
        episode = session.scalars(select(CrisisEpisode)).one()
        assert (episode.case_id, episode.trigger, episode.trigger_id) == (case.id, "hotline", handover_id)
        lines = world.tasks(session, pupil)
        assert {
            TaskKind.CRISIS_ACKNOWLEDGE,
            TaskKind.SECOND_ASSESSMENT,
            TaskKind.HANDOVER_ACKNOWLEDGE,
        } <= set(lines)
        (plan,) = world.plans(session, pupil)
        assert {"c-K01", "c-K02"} <= {action.component for action in plan.actions}
        (referral,) = world.referrals(session, pupil)
        assert referral.urgency == ("emergency" if level is CallLevel.A else "urgent")
        assert case.tier is None
        row = world.handover(session, handover_id)
        assert (row.organisation_id, row.case_id) == (world.places["school"].id, case.id)


def test_the_same_case_as_everybody_elses(world):
    from tests.referral.county import phq9

    (pupil,) = world.enrol()
    world.submit(pupil, "phq9", phq9(2))
    with world.database.look() as session:
        before = world.case(session, pupil).id
        plan = world.plans(session, pupil)[-1].id
    call_id = world.ring(CallLevel.A)
    world.link(call_id, pupil)
    world.hand_over(call_id, SCHOOL)
    with world.database.look() as session:
        assert session.scalars(select(Case.id)).all() == [before]
        # What people work by is looked at again, not replaced by a draft.
        assert world.plans(session, pupil)[-1].id == plan
        assert TaskKind.PLAN_REVIEW in world.tasks(session, pupil)


def test_c_with_the_callers_yes_opens_a_case_with_a_safety_talk_and_no_crisis(world):
    (pupil,) = world.enrol()
    call_id = world.ring(CallLevel.C)
    world.link(call_id, pupil)
    world.hand_over(call_id, SCHOOL)
    with world.database.look() as session:
        assert world.case(session, pupil) is not None
        assert session.scalars(select(CrisisEpisode)).all() == []
        assert TaskKind.SAFETY_TALK in world.tasks(session, pupil)
        assert world.plans(session, pupil) == []


def test_a_link_made_after_an_urgent_handover_opens_the_case_then(world):
    (pupil,) = world.enrol()
    call_id = world.ring(CallLevel.A)
    world.hand_over(call_id, HandoverTo.AMBULANCE_120, place=None, phoned_at=world.clock.now())
    with world.database.look() as session:
        assert world.case(session, pupil) is None
    world.link(call_id, pupil)
    with world.database.look() as session:
        assert world.case(session, pupil) is not None
        assert session.scalars(select(CrisisEpisode)).one() is not None


def test_the_school_reads_the_summary_on_the_case_and_nothing_of_the_call(world):
    (pupil,) = world.enrol()
    call_id = world.ring(CallLevel.A, summary="来电全文", caller="peer", caller_name="欧阳小雨")
    world.link(call_id, pupil)
    world.hand_over(call_id, SCHOOL, what_said="手边有药", safe_way="不要打家里电话")
    with world.database.look() as session:
        case = world.case(session, pupil)
        (sheet,) = queries.handovers_of_case(session, actor=world.actors["counsellor"], case=case)
        assert (sheet.what_said, sheet.safe_way) == ("手边有药", "不要打家里电话")
        assert "来电全文" not in repr(sheet)
        assert "欧阳" not in repr(sheet)
        assert queries.handovers_of_case(session, actor=world.actors["lead"], case=case) == [sheet]
        assert queries.handovers_of_case(session, actor=world.actors["clerk"], case=case) == []
        assert session.scalars(queries.calls_visible_to(world.actors["counsellor"])).all() == []


def test_the_county_that_is_asked_sees_the_file_and_no_more_after_the_link_is_undone(world):
    (pupil,) = world.enrol()
    call_id = world.ring(CallLevel.B)
    world.link(call_id, pupil)
    world.hand_over(call_id, COUNTY)
    with world.database.look() as session:
        assert world.case(session, pupil) in session.scalars(cases_visible_to(world.actors["centre"])).all()
    world.do(lookups.unlink, call_id, reason="同名不同人")
    with world.database.look() as session:
        assert session.scalars(cases_visible_to(world.actors["centre"])).all() == []
        assert all(grant.ended_at for grant in session.scalars(select(AccessGrant)))


# --- harm at the school ------------------------------------------------------------------------------------

AT_SCHOOL = ("counsellor", "lead", "principal", "clerk")


def test_harm_at_the_school_is_never_handed_to_the_school(world):
    call_id = world.ring(CallLevel.A, harm_by="school")
    with pytest.raises(PolicyViolation):
        world.hand_over(call_id, SCHOOL)


def test_harm_at_the_school_goes_to_the_county_and_nobody_at_the_school_learns_of_it(world):
    (pupil,) = world.enrol()
    call_id = world.ring(CallLevel.A, harm_by="school")
    world.link(call_id, pupil)
    handover_id = world.hand_over(call_id, COUNTY, place=None)
    for minutes in (15, 10, 10, 60, 600):
        world.clock.forward(timedelta(minutes=minutes))
        with world.database.begin() as session:
            escalations.tick(session, now=world.clock.now())
    with world.database.look() as session:
        case = world.case(session, pupil)
        assert (case.custody, case.organisation_id) == (Custody.PROTECTED, world.places["county"].id)
        assert (world.who(case.owner_id), world.who(case.backup_id)) == ("centre", "protection")
        assert session.scalars(select(CrisisEpisode)).one().case_id == case.id
        assert world.referrals(session, pupil) == []
        rung = {world.who(account) for account in session.scalars(select(Notice.account_id))}
        assert not rung & set(AT_SCHOOL)
        assert {"centre", "officer"} <= rung
        owners = set()
        for task in session.scalars(select(Task).where(Task.done_at.is_(None))):
            owners |= {world.who(task.owner_id), world.who(task.backup_id)}
        assert not owners & set(AT_SCHOOL)
        for name in AT_SCHOOL:
            actor = world.actors[name]
            assert session.scalars(cases_visible_to(actor)).all() == []
            assert session.scalars(queries.handovers_visible_to(actor)).all() == []
        assert case in session.scalars(cases_visible_to(world.actors["centre"])).all()
        (sheet,) = queries.handovers_of_case(session, actor=world.actors["centre"], case=case)
        assert sheet.id == handover_id


def test_a_protected_case_and_the_schools_own_do_not_touch(world):
    (pupil,) = world.enrol()
    first = world.ring(CallLevel.B)
    world.link(first, pupil)
    world.hand_over(first, SCHOOL)
    second = world.ring(CallLevel.B, harm_by="school")
    world.link(second, pupil)
    world.hand_over(second, COUNTY)
    with world.database.look() as session:
        cases = {case.custody: case for case in session.scalars(select(Case))}
        assert set(cases) == set(Custody)
        school, county = cases[Custody.SCHOOL], cases[Custody.PROTECTED]
        shown = case_file(session, case=school)
        assert {task.case_id for task in shown.tasks} <= {school.id, None}
        assert [crisis.case_id for crisis in shown.crises] == [school.id]
        talks = session.scalars(select(Task.case_id).where(Task.kind == TaskKind.SECOND_ASSESSMENT)).all()
        assert sorted(talks, key=str) == sorted((school.id, county.id), key=str)
        (event,) = queries.hotline_events(session, actor=world.actors["counsellor"], child=school.child)
        assert not event.undone
        both = queries.hotline_events(session, actor=world.actors["centre"], child=school.child)
        assert len(both) == 2


def test_harm_at_the_school_that_is_heard_too_late_calls_a_supervisor(world):
    call_id = world.ring(CallLevel.B)
    world.hand_over(call_id, SCHOOL)
    world.clock.forward(timedelta(minutes=5))
    world.save(call_id, 1, harm_by="school")
    task = world.line(TaskKind.CALL_REVIEW, call_id)
    assert task.due_at == world.clock.now() + timedelta(hours=1)
    with world.database.begin() as session:
        missing = queries.call_facts(session, call=world.call(session, call_id))
        assert "county_handover" in {guard.value for guard in _missing(missing)}
    world.hand_over(call_id, COUNTY)
    with world.database.begin() as session:
        missing = queries.call_facts(session, call=world.call(session, call_id))
        assert "county_handover" not in {guard.value for guard in _missing(missing)}


def _missing(facts):
    from referral.states import missing_for_closing

    return missing_for_closing(facts)


def test_only_who_receives_handovers_takes_one(world):
    handover_id = world.hand_over(world.ring(CallLevel.B), SCHOOL)
    with world.database.begin() as session:
        row = session.get_one(HandoverRecord, handover_id)
        for name in ("officer", "clerk", "elsewhere"):
            with pytest.raises(NotPermitted):
                handovers.acknowledge(session, actor=world.actors[name], handover=row, now=world.clock.now())
