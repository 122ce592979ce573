"""A case kept from the school comes to its end at the county, and the school's own work does not show that it exists."""

from __future__ import annotations

from datetime import timedelta

import pytest
from sqlalchemy import select

from referral.actions import assessments, cases, clocks, crises, tasks
from referral.actions.assessments import AssessmentIn
from referral.models.case import Case
from referral.models.crisis import CrisisEpisode
from referral.models.task import Task
from referral.queries.capacity import plan_week
from referral.queries.people import people_of, protected_people
from referral.queries.plan_facts import current_facts
from referral.states import CRISIS_WORK
from referral.terms import (
    CrisisStep,
    Custody,
    FollowUpChannel,
    HarmAnswer,
    Origin,
    StepResult,
    TaskKind,
    Tier,
)
from risk_model import Level
from screening.core.actor import Actor, Role
from screening.core.errors import NotPermitted, PolicyViolation
from screening.models.child import Child
from tests.referral.county import answers as of_items
from tests.referral.county import phq9


@pytest.fixture
def hidden(county, pupil):
    """Somebody at the school may have hurt the child, who is in danger; two people answer at the county."""
    with county.database.begin() as session:
        county.hire(session, "second", "江月", Role.COUNTY_CENTRE, "county")
        session.flush()
        now = county.clock.now()
        people = protected_people(session, county=county.places["county"], now=now)
        case = cases.raise_worry(
            session,
            actor=Actor.system(),
            child=session.get_one(Child, pupil.id),
            people=people,
            origin=Origin.HOTLINE,
            now=now,
            custody=Custody.PROTECTED,
        )
        both = {"actor": Actor.system(), "case": case, "now": now}
        crises.open_crisis(session, people=people, trigger="worry", trigger_id=None, **both)
        cases.require_report(session, owner_id=None, **both)
        return case.id


def test_the_week_of_talks_shows_the_school_nothing_of_it(county, hidden, pupil):
    """Neither the county's lines nor that there is a case; the county sees its own."""
    now = county.clock.now()
    with county.database.begin() as session:
        assert plan_week(session, actor=county.actors["counsellor"], places=9, now=now).tasks == {}
        theirs = plan_week(session, actor=county.actors["centre"], places=9, now=now)
        assert {task.case_id for task in theirs.tasks.values()} == {hidden}
    county.submit(pupil, "phq9", phq9(total=21))
    with county.database.begin() as session:
        ours = plan_week(session, actor=county.actors["counsellor"], places=9, now=now)
        assert {task.kind for task in ours.tasks.values()} == {TaskKind.SECOND_ASSESSMENT}
        assert hidden not in {task.case_id for task in ours.tasks.values()}


def _episode(session, case_id):
    return session.scalars(select(CrisisEpisode).where(CrisisEpisode.case_id == case_id)).one()


def _schools_own(session, pupil):
    case = cases.find_open(session, child_id=pupil.id)
    return case.id


def _work(county, case_id, who):
    """Taken, and every step written down."""
    with county.database.begin() as session:
        episode = _episode(session, case_id)
        both = {"actor": county.actors[who], "episode": episode, "now": county.clock.now()}
        crises.take(session, case=session.get_one(Case, case_id), **both)
        for step in CRISIS_WORK - {CrisisStep.ACKNOWLEDGED}:
            more = {"happened_at": county.clock.now(), "place": None, "remark": None}
            crises.record_step(session, step=step, result=StepResult.DONE, **both, **more)


def _stand_down(county, case_id, who):
    with county.database.begin() as session:
        crises.stand_down(
            session,
            actor=county.actors[who],
            case=session.get_one(Case, case_id),
            episode=_episode(session, case_id),
            safety_plan_done=True,
            review_meeting_on=county.clock.today() + timedelta(days=3),
            now=county.clock.now(),
        )


def test_two_people_of_the_county_end_what_the_county_keeps_and_nothing_of_the_school(county, hidden, pupil):
    with county.database.begin() as session:  # the report has been made
        report = session.scalars(select(Task).where(Task.kind == TaskKind.MANDATORY_REPORT)).one()
        tasks.settle(
            session,
            actor=county.actors["centre"],
            kind=report.kind,
            subject_id=report.subject_id,
            decision="reported",
            now=county.clock.now(),
        )
    _work(county, hidden, "centre")
    with pytest.raises(NotPermitted):
        _stand_down(county, hidden, "lead")
    _stand_down(county, hidden, "second")
    with county.database.begin() as session:
        case, now = session.get_one(Case, hidden), county.clock.now()
        assert _episode(session, hidden).stood_down_at == now
        cases.set_tier(
            session, actor=county.actors["centre"], case=case, tier=Tier.CRISIS, reason=None, now=now
        )
        session.flush()
        session.refresh(case)
        cases.countersign(session, actor=county.actors["second"], case=case, now=now)
        assert not session.scalars(
            select(Task).where(Task.kind == TaskKind.TIER_SIGN, Task.done_at.is_(None))
        ).all()
    # Of the school's own cases the county signs nothing.
    county.submit(pupil, "asq", of_items("asq", {"1": 1, "5": 1}))
    with county.database.look() as session:
        own = _schools_own(session, pupil)
    _work(county, own, "counsellor")
    with pytest.raises(NotPermitted):
        _stand_down(county, own, "centre")
    _stand_down(county, own, "lead")


def test_a_report_that_the_county_owes_does_not_hold_up_the_school(county, hidden, pupil):
    """Else the school's lead would read of a report that nobody at the school has asked for."""
    county.submit(pupil, "asq", of_items("asq", {"1": 1, "5": 1}))
    with county.database.look() as session:
        own = _schools_own(session, pupil)
    _work(county, own, "counsellor")
    _stand_down(county, own, "lead")
    _work(county, hidden, "centre")
    with pytest.raises(PolicyViolation, match="cannot be stood down"):
        _stand_down(county, hidden, "second")


def test_what_the_county_has_heard_about_the_school_does_not_stand_where_the_school_reads(
    county, hidden, pupil
):
    """The answer stands on the child, and holds up what the school's own case would send by itself."""
    with county.database.begin() as session:
        case, now = session.get_one(Case, hidden), county.clock.now()
        assessments.conclude(
            session,
            actor=county.actors["centre"],
            case=case,
            child=session.get_one(Child, pupil.id),
            assessment=AssessmentIn(
                held_at=now,
                channel=FollowUpChannel.IN_PERSON,
                tier=Tier.FOCUS,
                screened_out=False,
                reason="面谈所见",
                harm_answer=HarmAnswer.SCHOOL,
            ),
            now=now,
        )
        session.flush()
        assert session.get_one(Child, pupil.id).harm_answer is None
        assert current_facts(session, case=case, now=now).harm_answer is HarmAnswer.SCHOOL
    county.submit(pupil, "asq", of_items("asq", {"1": 1, "5": 1}))
    with county.database.look() as session:
        own = cases.find_open(session, child_id=pupil.id)
        assert current_facts(session, case=own, now=county.clock.now()).harm_answer is None


def test_nobody_at_home_said_at_the_county_lowers_nothing_that_the_school_knows(county, hidden, pupil):
    """What goes home by itself is held back by what the school has heard there."""
    with county.database.begin() as session:
        child, now = session.get_one(Child, pupil.id), county.clock.now()
        child.harm_answer = HarmAnswer.HOME.value
        assessments.conclude(
            session,
            actor=county.actors["centre"],
            case=session.get_one(Case, hidden),
            child=child,
            assessment=AssessmentIn(
                held_at=now,
                channel=FollowUpChannel.IN_PERSON,
                tier=Tier.FOCUS,
                screened_out=False,
                reason="面谈所见",
                harm_answer=HarmAnswer.NONE,
            ),
            now=now,
        )
        assert child.harm_answer == HarmAnswer.HOME.value


def test_what_the_county_keeps_is_not_passed_to_it_and_the_schools_line_stays(county, hidden, pupil):
    with county.database.begin() as session:
        now = county.clock.now()
        cases.raise_worry(
            session,
            actor=county.actors["counsellor"],
            child=session.get_one(Child, pupil.id),
            people=people_of(session, organisation=county.places["school"], now=now),
            origin=Origin.TEACHER,
            now=now,
        )
        kept = session.get_one(Case, hidden)
        kept.worst_level = Level.HIGH
        owner = kept.owner_id
        assert not session.scalars(
            select(Case).where(Case.worst_level == Level.HIGH, Case.id != hidden)
        ).all()
        assert clocks.pass_to_county(session, now=county.clock.now() + timedelta(days=30)) == 0
        session.flush()
        assert kept.owner_id == owner
        waits = select(Task).where(
            Task.kind == TaskKind.SECOND_ASSESSMENT, Task.subject_id == pupil.id, Task.done_at.is_(None)
        )
        assert session.scalars(waits).one()
