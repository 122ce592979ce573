"""The long ways round: a guardian who refuses, a crisis ended by two people,
*after the window*, and a queue in which one blocked child keeps no place from the next."""

from __future__ import annotations

from datetime import date, datetime, timedelta

import pytest
from sqlalchemy import select

from referral.actions import answers, clocks, crises, guardians, referrals, tasks
from referral.actions.guardians import GuardianAnswer
from referral.models.case import Case
from referral.models.crisis import CrisisEpisode
from referral.models.followup import FollowUp
from referral.models.referral import Facility
from referral.queries.gaps import counted
from referral.terms import (
    CrisisStep,
    FollowUpTemplate,
    ReferralKind,
    ReferralStatus,
    RefusalReason,
    ReleaseMode,
    StepResult,
    TaskKind,
)
from screening.core.clock import LOCAL
from screening.core.errors import InvalidInput, PolicyViolation
from screening.models.child import Child
from tests.referral.county import answers as of_items
from tests.referral.county import phq9

K, S = TaskKind, ReferralStatus


def at(day: int, hour: int = 18, minute: int = 0) -> datetime:
    return datetime(2026, 10, day, hour, minute, tzinfo=LOCAL)


def says(county, pupil, *, agreed: bool, why=None, present=None) -> None:
    with county.database.begin() as session:
        case = county.case(session, pupil)
        guardians.answered(
            session,
            actor=county.actors["counsellor"],
            case=case,
            child=session.get_one(Child, pupil.id),
            referral=referrals.find_open(session, case_id=case.id),
            answer=GuardianAnswer(
                agreed, "张大山", "父亲", "phone", "2026-1", county.clock.today(), why, present
            ),
            now=county.clock.now(),
        )


def test_a_guardian_who_refuses(county, pupil):
    """§5.1: the reason, written advice and a second talk within five working days, the school's plan one step denser."""
    county.submit(pupil, "phq9", phq9(total=11))
    with pytest.raises(InvalidInput):
        says(county, pupil, agreed=False)
    says(county, pupil, agreed=False, why=RefusalReason.STIGMA)

    with county.database.begin() as session:
        [referral] = county.referrals(session, pupil)
        assert (referral.status, referral.history[-1].reason) == (S.GUARDIAN_REFUSED, "stigma")
        opened = county.tasks(session, pupil)
        assert opened[K.GUARDIAN_SECOND_TALK].due_at == opened[K.GUARDIAN_ADVICE].due_at == at(21, 17, 30)
        weekly = session.scalars(
            select(FollowUp.due_on).where(FollowUp.template == FollowUpTemplate.REFUSED.value)
        ).all()
        assert weekly == [date(2026, 10, 14) + timedelta(weeks=n) for n in range(1, 9)]

    with pytest.raises(InvalidInput):
        says(county, pupil, agreed=True)  # who else was there?
    says(county, pupil, agreed=True, present="班主任")
    with county.database.begin() as session:
        [referral] = county.referrals(session, pupil)
        assert (referral.status, referral.history[-1].remark) == (S.READY, "班主任")
        opened = county.tasks(session, pupil)
        assert not {K.GUARDIAN_SECOND_TALK, K.GUARDIAN_ADVICE} & set(opened)
        assert opened[K.REFERRAL_SEND].due_at == at(19, 17, 30)  # T11: three working days from the yes


def test_a_lead_who_took_it_does_not_end_it_alone_and_a_report_that_is_owed_keeps_it_open(county, pupil):
    county.submit(pupil, "asq", of_items("asq", {"1": 1, "5": 1}))

    def press(what, who: str, **more) -> None:
        with county.database.begin() as session:
            what(
                session,
                actor=county.actors[who],
                case=county.case(session, pupil),
                episode=session.scalars(select(CrisisEpisode)).one(),
                now=county.clock.now(),
                **more,
            )

    def down() -> None:
        meeting = county.clock.today() + timedelta(days=5)
        press(crises.stand_down, "lead", safety_plan_done=True, review_meeting_on=meeting)

    press(crises.take, "lead")
    with county.database.begin() as session:
        opened = county.tasks(session, pupil)
        assert opened[K.CRISIS_TELL_SCHOOL].due_at == county.clock.now() + timedelta(minutes=30)
        assert opened[K.CRISIS_TELL_COUNTY].due_at == county.clock.now() + timedelta(hours=2)
        for step in reversed(CrisisStep):  # in any order
            if step not in (CrisisStep.OPENED, CrisisStep.ACKNOWLEDGED, CrisisStep.STOOD_DOWN):
                crises.record_step(
                    session,
                    actor=county.actors["counsellor"],
                    episode=session.scalars(select(CrisisEpisode)).one(),
                    step=step,
                    result=StepResult.DONE,
                    happened_at=county.clock.now(),
                    place=None,
                    remark=None,
                    now=county.clock.now(),
                )
    with pytest.raises(PolicyViolation, match="cannot be stood down"):
        down()
    press(crises.propose_stand_down, "counsellor")
    press(crises.need_report, "counsellor")
    with pytest.raises(PolicyViolation) as refused:
        down()
    assert refused.value.params["missing"] == "mandatory_report"
    with county.database.begin() as session:
        report = county.tasks(session, pupil)[K.MANDATORY_REPORT]
        assert report.due_at == county.clock.now() + timedelta(hours=2)
        owner = next(a for a in county.actors.values() if a.account_id == report.owner_id)
        tasks.finish(
            session, actor=owner, task=report, decision="done", reason="已报告", now=county.clock.now()
        )
    down()
    with county.database.begin() as session:
        episode = session.scalars(select(CrisisEpisode)).one()
        people = {county.who(episode.proposed_by), county.who(episode.stood_down_by)}
        assert people == {"counsellor", "lead"}
        opened = county.tasks(session, pupil)
        assert opened[K.CASE_CONFERENCE].due_at == at(19, 17, 30)
        assert opened[K.RESCREEN].due_at == county.clock.now() + timedelta(weeks=4)
        assert not {K.CRISIS_STAND_DOWN, K.CRISIS_TELL_SCHOOL, K.CRISIS_REPORT} & set(opened)


def test_after_the_window_the_countys_turn_is_left_out(county, pupil):
    """Decision 2: ``after_window`` skips step (2), where district and facility have agreed on it."""
    county.clock.forward(timedelta(minutes=1))
    with county.database.begin() as session:
        county.agree(session, ReleaseMode.AFTER_WINDOW, weekly_limit=1)
    second = county.enrol(1)[0]
    for child in (pupil, second):
        county.submit(child, "phq9", phq9(total=11))
        with county.database.begin() as session:
            [referral] = county.referrals(session, child)
            referrals.tell_guardian(
                session, actor=county.actors["counsellor"], referral=referral, now=county.clock.now()
            )
    county.clock.set(at(19, 17, 31))
    with county.database.begin() as session:
        assert clocks.run(session, now=county.clock.now()) == 1  # one a week
    with county.database.begin() as session:
        found = [county.referrals(session, child)[0] for child in (pupil, second)]
        assert sorted(r.sent_at is not None for r in found) == [False, True]
        assert {r.kind for r in found if r.sent_at} == {ReferralKind.TRIAGE_REQUEST}
        assert {r.history[-2].reason for r in found if r.sent_at} == {"triage"}
        assert {county.who(case.owner_id) for case in session.scalars(select(Case))} == {"counsellor"}


def test_a_blocked_child_keeps_no_place_from_the_next(county, monkeypatch):
    """More children than one piece whose guardian nobody has told: those behind them leave all the same."""
    monkeypatch.setattr(clocks, "PIECE", 2)
    pupils = county.enrol(4)
    for pupil in pupils:
        county.submit(pupil, "phq9", phq9(total=11))
    with county.database.begin() as session:
        session.scalars(select(Facility)).one().triage_per_week = 5
        [referral] = county.referrals(session, pupils[-1])
        referrals.tell_guardian(
            session, actor=county.actors["counsellor"], referral=referral, now=county.clock.now()
        )
    for moment in (at(19, 17, 31), at(19, 17, 32), at(21)):
        county.clock.set(moment)
        with county.database.begin() as session:
            clocks.run(session, now=county.clock.now())
    with county.database.begin() as session:
        sent = [county.referrals(session, pupil)[0].sent_at is not None for pupil in pupils]
        assert sent == [False, False, False, True]


def test_a_late_look_begins_the_answers_clock_anew(county, pupil):
    """A facility that opened an expired referral was expired again by the next beat of the clock."""
    county.submit(pupil, "phq9", phq9(total=11))
    county.assess(pupil, send=True)
    county.clock.set(at(19, 17, 31))
    with county.database.begin() as session:
        assert clocks.run(session, now=county.clock.now()) == 1
    with county.database.begin() as session:
        [referral] = county.referrals(session, pupil)
        answers.receive(session, actor=county.actors["intake"], referral=referral, now=county.clock.now())
        assert referral.answer_due_at == at(22, 17, 30)
    with county.database.begin() as session:
        assert clocks.run(session, now=county.clock.now()) == 0
        opened = county.tasks(session, pupil)
        assert K.REFERRAL_ANSWER in opened
        assert K.REFERRAL_REROUTE not in opened  # nobody can pass on what the facility is looking at


def test_a_talk_that_finds_violence_at_home_owes_a_report(county, pupil):
    """A10: the mandatory report has a line and two hours, whoever else is told what."""
    county.submit(pupil, "phq9", phq9(total=11))
    county.assess(pupil, safety_facts=("violence_at_home",))
    with county.database.begin() as session:
        report = county.tasks(session, pupil)[K.MANDATORY_REPORT]
        assert report.due_at == county.clock.now() + timedelta(hours=2)


@pytest.mark.parametrize(
    ("days", "total", "shown"),
    [
        ([], 0, [0, 0, 0, 0]),
        ([3] * 9, None, [None, 0, 0, 0]),
        ([3] * 35, 35, [35, 0, 0, 0]),
        (
            [3] * 12 + [9] * 30 + [40] * 4,
            46,
            [None, 30, 0, None],
        ),  # the smallest other, or 4 could be worked out
        ([3] * 12 + [9] * 5 + [40] * 4, 21, [12, None, 0, None]),
    ],
)
def test_small_counts_of_those_who_wait_are_not_shown(days, total, shown):
    gap = counted(days)
    assert (gap.total, [band.children for band in gap.bands]) == (total, shown)
