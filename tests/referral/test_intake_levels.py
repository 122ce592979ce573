"""What each grade and level opens: case, plan, referral, and who has to do what by when (decisions 2, 17, 19, 34, 36).

The clock of these tests stands at Wednesday 14 October 2026, ten in the morning. Limits are those of the shipped
table: T09 high 3 working days, elevated 15, grade B the end of the school day; T26 the end of the next one.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import date, datetime, timedelta

import pytest
from sqlalchemy import select

from instruments import SheetConditions
from referral.actions import referrals
from referral.actions.notices import TOPIC as NOTICE_TOPIC
from referral.actions.referrals import NOTE_TOPIC
from referral.models.crisis import CrisisEpisode
from referral.models.notice import Notice
from referral.models.task import Task
from referral.terms import CaseStatus, PlanStatus, ReferralStatus, TaskKind, Tier, Urgency
from risk_model import Level
from screening.core.clock import LOCAL
from screening.core.outbox import OutboxMessage
from screening.models.import_batch import CriticalSighting
from tests.referral.county import answers, phq9

K = TaskKind
# What every opened loop asks for, beside the talk: an answer about harm before anything goes to a guardian, the
# note within two minutes, and a component that nobody here can give.
LOOP = {
    K.GUARDIAN_HARM_QUESTION: ("counsellor", "lead", None, "10-19 17:30"),
    K.NOTE_OVERDUE: ("counsellor", "lead", None, "10-14 10:02"),
}
SEND_ROUTINE = {K.REFERRAL_SEND: ("counsellor", "lead", "T11", "10-22 17:30")}
SEND_URGENT = {K.REFERRAL_SEND: ("counsellor", "lead", "T11", "10-20 17:30")}
SEND_NOW = {K.REFERRAL_SEND: ("counsellor", "lead", "T11", "10-14 10:00")}
SECOND_TALK = {K.SECOND_ASSESSMENT: ("counsellor", "lead", "T09", "10-19 17:30")}
LATER_TALK = {K.SECOND_ASSESSMENT: ("counsellor", "lead", "T09", "11-04 17:30")}
SAFETY_TALK = {K.SAFETY_TALK: ("counsellor", "lead", "T26", "10-15 17:30")}
TALK_TODAY = {K.SAME_DAY_TALK: ("counsellor", "lead", "T09", "10-14 17:30")}
RING = {K.CRISIS_ACKNOWLEDGE: ("lead", "counsellor", "T01", "10-14 10:15")}
RETEST = {K.RETEST: ("counsellor", "lead", "T27", "10-28 17:30")}
REVIEW = {K.REVIEW_CRITICAL: ("counsellor", "lead", None, "10-28 17:30")}

TOO_FAST = SheetConditions(seconds=5)


@dataclass(frozen=True)
class Example:
    """One sheet and everything that has to be there afterwards."""

    code: str
    given: dict
    level: Level | None
    case: bool
    tasks: dict
    tier: Tier | None = None
    urgency: Urgency | None = None
    rung: tuple[str, ...] = ()
    conditions: SheetConditions | None = None
    crisis: bool = False
    validity: str = "valid"
    probability: bool = True
    more: dict = field(default_factory=dict)


EXAMPLES = {
    "nothing found": Example("phq9", phq9(total=3), Level.NONE, False, {}),
    "over the cut-off": Example("phq9", phq9(total=10), Level.ELEVATED, False, LATER_TALK),
    "high by probability, routine": Example(
        "phq9",
        phq9(total=11),
        Level.HIGH,
        True,
        {**LOOP, **SEND_ROUTINE, **SECOND_TALK},
        tier=Tier.FOCUS,
        urgency=Urgency.ROUTINE,
    ),
    "high by probability from .40, urgent": Example(
        "phq9",
        phq9(total=14),
        Level.HIGH,
        True,
        {**LOOP, **SEND_URGENT, **SECOND_TALK},
        tier=Tier.FOCUS,
        urgency=Urgency.URGENT,
    ),
    "high by the severe floor": Example(
        "gad7",
        answers("gad7", [3, 3, 3, 3, 3, 0, 0]),
        Level.HIGH,
        True,
        {**LOOP, **SEND_URGENT, **SECOND_TALK},
        tier=Tier.FOCUS,
        urgency=Urgency.URGENT,
    ),
    "A32: some days, low score": Example("phq9", phq9(1, total=2), Level.ELEVATED, True, SAFETY_TALK),
    "item 9 left blank": Example("phq9", phq9(None, total=2), Level.ELEVATED, True, SAFETY_TALK),
    "some days, over the cut-off": Example("phq9", phq9(1, total=9), Level.ELEVATED, True, SAFETY_TALK),
    "some days and high": Example(
        "phq9",
        phq9(1, total=14),
        Level.HIGH,
        True,
        {**LOOP, **SEND_URGENT, **SECOND_TALK, **SAFETY_TALK},
        tier=Tier.FOCUS,
        urgency=Urgency.URGENT,
    ),
    "grade B, low score": Example(
        "phq9",
        phq9(2),
        Level.CRISIS_ITEM,
        True,
        {**LOOP, **SEND_URGENT, **TALK_TODAY},
        tier=Tier.FOCUS,
        urgency=Urgency.URGENT,
        rung=("counsellor",),
    ),
    "A05: too fast, and grade B": Example(
        "phq9",
        phq9(3),
        Level.CRISIS_ITEM,
        True,
        {**LOOP, **SEND_URGENT, **TALK_TODAY, **RETEST},
        tier=Tier.FOCUS,
        urgency=Urgency.URGENT,
        rung=("counsellor",),
        conditions=TOO_FAST,
        validity="doubtful",
    ),
    "grade A": Example(
        "asq",
        answers("asq", {"1": 1, "5": 1}),
        Level.CRISIS_ITEM,
        True,
        {**LOOP, **SEND_NOW, **RING},
        tier=Tier.CRISIS,
        urgency=Urgency.EMERGENCY,
        rung=("lead", "counsellor"),
        crisis=True,
        probability=False,
    ),
    "grade B of an instrument without a row in the model": Example(
        "asq",
        answers("asq", {"4": 1}),
        Level.CRISIS_ITEM,
        True,
        {**LOOP, **SEND_URGENT, **TALK_TODAY},
        tier=Tier.FOCUS,
        urgency=Urgency.URGENT,
        rung=("counsellor",),
        probability=False,
    ),
    "all no, no row in the model": Example(
        "asq", answers("asq", {}), Level.NONE, False, {}, probability=False
    ),
    "grade R asks for a review and for nothing else": Example(
        "mht", answers("mht", {"89": 1}), Level.NONE, False, REVIEW
    ),
    "not scored, nothing critical": Example(
        "phq9",
        answers("phq9", [None, None, None, None, 0, 0, 0, 0, 0]),
        None,
        False,
        RETEST,
        validity="invalid",
        probability=False,
    ),
    "not scored, item 9 blank": Example(
        "phq9",
        answers("phq9", [0, 1, 1, None, None, None, None, None, None]),
        Level.ELEVATED,
        True,
        {**SAFETY_TALK, **RETEST},
        validity="invalid",
        probability=False,
    ),
    "not scored, grade B": Example(
        "phq9",
        answers("phq9", [0, 1, 1, None, None, None, None, None, 2]),
        Level.CRISIS_ITEM,
        True,
        {**LOOP, **SEND_URGENT, **TALK_TODAY, **RETEST},
        tier=Tier.FOCUS,
        urgency=Urgency.URGENT,
        rung=("counsellor",),
        validity="invalid",
        probability=False,
    ),
    "doubtful and high": Example(
        "phq9",
        phq9(total=14),
        Level.HIGH,
        True,
        {**LOOP, **SEND_URGENT, **SECOND_TALK, **RETEST},
        tier=Tier.FOCUS,
        urgency=Urgency.URGENT,
        conditions=TOO_FAST,
        validity="doubtful",
    ),
}


def open_tasks(county, session, *, but=(K.SERVICE_GAP,)) -> dict:
    """Open tasks: kind → (owner, backup, clock, due in local time)."""
    return {
        kind: (
            county.who(task.owner_id),
            county.who(task.backup_id),
            task.clock,
            task.due_at.astimezone(LOCAL).strftime("%m-%d %H:%M"),
        )
        for kind, task in county.tasks(session).items()
        if kind not in but
    }


def rung(county, session) -> list[str | None]:
    return [county.who(n.account_id) for n in session.scalars(select(Notice).order_by(Notice.created_at))]


@pytest.mark.parametrize("name", EXAMPLES)
def test_what_a_sheet_opens(county, pupil, name):
    example = EXAMPLES[name]
    recorded = county.submit(pupil, example.code, example.given, conditions=example.conditions).recorded
    assert recorded.result.level == example.level
    assert recorded.administration.validity.value == example.validity
    assert (recorded.result.probability is not None) is example.probability
    with county.database.begin() as session:
        case = county.case(session, pupil)
        assert (case is not None) is example.case
        assert open_tasks(county, session) == example.tasks
        assert sorted(rung(county, session)) == sorted(example.rung)
        plans, papers = county.plans(session, pupil), county.referrals(session, pupil)
        assert [(p.number, p.status, p.assumed_tier) for p in plans] == (
            [(1, PlanStatus.DRAFTED, example.tier)] if example.tier else []
        )
        assert [(r.status, r.urgency, r.note_version) for r in papers] == (
            [(ReferralStatus.DRAFT, example.urgency, 1)] if example.urgency else []
        )
        crises = session.scalars(select(CrisisEpisode)).all()
        assert len(crises) == example.crisis
        if case is not None:
            assert (case.status, case.tier, case.worst_level) == (CaseStatus.INTAKE, None, example.level)
            assert county.who(case.owner_id) == "counsellor"
        topics = sorted(m.topic for m in session.scalars(select(OutboxMessage)))
    assert topics == sorted([NOTICE_TOPIC] * len(example.rung) + [NOTE_TOPIC] * (example.urgency is not None))


@pytest.mark.parametrize("name", EXAMPLES)
def test_a_sheet_sent_twice_with_the_same_key_is_one(county, pupil, name):
    example = EXAMPLES[name]
    for _ in range(2):
        submitted = county.submit(
            pupil, example.code, example.given, conditions=example.conditions, key="the same"
        )
    assert submitted.recorded.again
    with county.database.begin() as session:
        assert open_tasks(county, session) == example.tasks
        assert len(county.plans(session, pupil)) == (example.tier is not None)
        assert len(rung(county, session)) == len(example.rung)


# --- whose evening it is -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("at", "due", "first"),
    [
        ((2026, 10, 14, 17, 20), "10-14 17:50", "counsellor"),
        ((2026, 10, 14, 21, 0), "10-14 21:30", "lead"),
        ((2026, 10, 17, 11, 0), "10-17 11:30", "lead"),  # a Saturday
        ((2026, 10, 10, 11, 0), "10-10 17:30", "counsellor"),  # a Saturday that is worked
    ],
)
def test_grade_b_is_answered_by_the_end_of_the_school_day_and_after_hours_by_who_is_on_duty(
    county, clock, pupil, at, due, first
):
    clock.set(datetime(*at, tzinfo=LOCAL))
    with county.database.begin() as session:
        county.on_duty("lead", session)
    county.submit(pupil, "phq9", phq9(2))
    with county.database.begin() as session:
        assert open_tasks(county, session)[K.SAME_DAY_TALK][3] == due
        assert rung(county, session)[0] == first


def test_a_crisis_is_taken_within_fifteen_minutes_in_school_hours_and_thirty_else(county, clock, pupil):
    clock.set(datetime(2026, 10, 14, 22, 0, tzinfo=LOCAL))
    county.submit(pupil, "asq", answers("asq", {"1": 1, "5": 1}))
    with county.database.begin() as session:
        assert open_tasks(county, session)[K.CRISIS_ACKNOWLEDGE] == (
            "lead",
            "counsellor",
            "T01",
            "10-14 22:30",
        )


def test_a_safety_talk_over_a_holiday_is_due_at_the_next_working_day(county, clock, pupil):
    clock.set(datetime(2026, 9, 30, 16, 0, tzinfo=LOCAL))  # the last day before the national holiday
    county.submit(pupil, "phq9", phq9(1), on=date(2026, 9, 30))
    with county.database.begin() as session:
        assert open_tasks(county, session)[K.SAFETY_TALK][3] == "10-08 17:30"


# --- several sheets ----------------------------------------------------------------------------------------


def test_two_sheets_are_weighed_together(county, pupil):
    """Ten points on each are elevated alone (p = .238 and .224) and high together: (w·z - t) / √(1 - r²) = -.641."""
    first = county.submit(pupil, "phq9", phq9(total=10)).recorded
    recorded = county.submit(pupil, "gad7", answers("gad7", [3, 3, 3, 1, 0, 0, 0])).recorded
    assert first.result.level is Level.ELEVATED
    assert len(recorded.result.sheets) == 2
    assert recorded.result.probability == pytest.approx(0.2606, abs=5e-5)
    assert recorded.result.level is Level.HIGH
    assert recorded.result.why == ["cutoff:phq9", "cutoff:gad7", "probability_high"]


def test_a_watched_child_that_becomes_high_has_one_talk_with_the_nearer_limit(county, pupil):
    county.submit(pupil, "phq9", phq9(total=10))
    with county.database.begin() as session:
        assert open_tasks(county, session) == LATER_TALK
    county.submit(pupil, "gad7", answers("gad7", [3, 3, 3, 3, 3, 0, 0]))
    with county.database.begin() as session:
        assert open_tasks(county, session)[K.SECOND_ASSESSMENT] == SECOND_TALK[K.SECOND_ASSESSMENT]
        talk = county.tasks(session)[K.SECOND_ASSESSMENT]
        assert talk.case_id == county.case(session, pupil).id
        assert len(session.scalars(select(Task).where(Task.kind == K.SECOND_ASSESSMENT)).all()) == 1


def test_a_later_limit_never_loosens_an_earlier_one(county, clock, pupil):
    county.submit(pupil, "phq9", phq9(1))
    clock.forward(timedelta(days=1))
    county.submit(pupil, "phq9", phq9(1))
    with county.database.begin() as session:
        assert open_tasks(county, session)[K.SAFETY_TALK][3] == "10-15 17:30"


def test_a_second_high_sheet_makes_a_plan_version_and_no_second_referral(county, clock, pupil):
    county.submit(pupil, "phq9", phq9(total=14))
    clock.forward(timedelta(minutes=5))
    county.submit(pupil, "gad7", answers("gad7", [3] * 7))
    with county.database.begin() as session:
        plans = county.plans(session, pupil)
        assert [(p.number, p.status) for p in plans] == [(1, PlanStatus.SUPERSEDED), (2, PlanStatus.DRAFTED)]
        [referral] = county.referrals(session, pupil)
        assert (referral.status, referral.note_version) == (ReferralStatus.DRAFT, 2)
        purposes = {m.purpose for m in session.scalars(select(OutboxMessage))}
        assert purposes == {f"note:{referral.id}:1", f"note:{referral.id}:2"}


def test_an_unsent_referral_takes_on_a_higher_urgency_and_never_a_lower_one(county, clock, pupil):
    for at, (code, given, urgency) in enumerate(
        [
            ("phq9", phq9(total=11), Urgency.ROUTINE),
            ("gad7", answers("gad7", [3] * 7), Urgency.URGENT),
            ("asq", answers("asq", {"1": 1, "5": 1}), Urgency.EMERGENCY),
            ("phq9", phq9(2), Urgency.EMERGENCY),
        ]
    ):
        clock.forward(timedelta(days=at))
        county.submit(pupil, code, given)
        with county.database.begin() as session:
            [referral] = county.referrals(session, pupil)
            assert referral.urgency is urgency


def test_the_worst_level_of_a_case_never_falls_back_by_itself(county, clock, pupil):
    county.submit(pupil, "phq9", phq9(2))
    clock.forward(timedelta(days=1))
    recorded = county.submit(pupil, "phq9", phq9()).recorded
    assert recorded.result.level is Level.NONE
    with county.database.begin() as session:
        assert county.case(session, pupil).worst_level is Level.CRISIS_ITEM
        assert K.SAME_DAY_TALK in county.tasks(session)


def test_a_critical_answer_does_not_sound_again_with_the_next_sheet(county, pupil):
    county.submit(pupil, "phq9", phq9(2))
    recorded = county.submit(pupil, "gad7", answers("gad7", [0] * 7)).recorded
    assert (recorded.result.level, recorded.result.grade) == (Level.NONE, None)
    with county.database.begin() as session:
        assert rung(county, session) == ["counsellor"]
        assert len(county.plans(session, pupil)) == 1


def test_a_second_crisis_answer_while_nobody_has_taken_the_first_is_the_same_episode(county, clock, pupil):
    county.submit(pupil, "asq", answers("asq", {"1": 1, "5": 1}))
    clock.forward(timedelta(days=1))
    county.submit(pupil, "asq", answers("asq", {"2": 1, "5": 1}))
    with county.database.begin() as session:
        assert len(session.scalars(select(CrisisEpisode)).all()) == 1
        assert len(session.scalars(select(Task).where(Task.kind == K.CRISIS_ACKNOWLEDGE)).all()) == 1


# --- already in care (R-L2, A40) ---------------------------------------------------------------------------


def test_once_the_referral_has_left_a_new_high_sheet_asks_for_an_update_and_a_review_today(
    county, clock, pupil
):
    county.submit(pupil, "phq9", phq9(total=14))
    assert county.assess(pupil, send=True).sent
    clock.forward(timedelta(days=1))
    county.submit(pupil, "gad7", answers("gad7", [3] * 7))
    with county.database.begin() as session:
        [referral] = county.referrals(session, pupil)
        assert referral.status is ReferralStatus.SENT
        tasks = open_tasks(county, session)
        assert tasks[K.PLAN_REVIEW][3] == "10-15 17:30"
        assert tasks[K.REFERRAL_UPDATE] == ("counsellor", "lead", None, "10-16 17:30")
        plans = county.plans(session, pupil)
        assert plans[-1].status is PlanStatus.DRAFTED
        assert plans[-1].basis["update_only"] is True
        assert "c-R01" not in {action.component for action in plans[-1].actions}


def test_the_note_that_left_is_not_changed_by_a_later_sheet(county, clock, pupil):
    county.submit(pupil, "phq9", phq9(total=14))
    county.assess(pupil, send=True)
    with county.database.begin() as session:
        [referral] = county.referrals(session, pupil)
        version, frozen = referral.note_version, referral.frozen
    clock.forward(timedelta(days=1))
    county.submit(pupil, "gad7", answers("gad7", [3] * 7))
    with county.database.begin() as session:
        [referral] = county.referrals(session, pupil)
        assert (referral.note_version, referral.frozen) == (version, frozen)


# --- what the note says before anybody has seen the child (A36) --------------------------------------------


def test_an_unseen_note_says_so_and_says_nothing_about_safety(county, pupil):
    county.submit(pupil, "phq9", phq9(2))
    with county.database.begin() as session:
        [referral] = county.referrals(session, pupil)
        case = county.case(session, pupil)
        content = referrals.compose(session, referral=referral, case=case, now=county.clock.now())
        said = str(content.as_dict())
    assert "尚未面谈" in said
    assert "未发现" not in said
    assert "'无'" not in said


# --- old sheets (A42) --------------------------------------------------------------------------------------


def test_sheets_of_long_ago_ring_nobody_and_are_one_owned_list(county):
    old = county.clock.today() - timedelta(days=15)
    for pupil, given in zip(county.enrol(3), [phq9(3, total=20), phq9(total=10), phq9(total=2)], strict=True):
        assert county.submit(pupil, "phq9", given, on=old).recorded.result.history
    with county.database.begin() as session:
        assert open_tasks(county, session) == {K.HISTORY_REVIEW: ("counsellor", "lead", None, "10-28 17:30")}
        assert rung(county, session) == []


def test_fourteen_days_are_not_long_ago(county, pupil):
    day = county.clock.today() - timedelta(days=14)
    assert not county.submit(pupil, "phq9", phq9(2), on=day).recorded.result.history
    with county.database.begin() as session:
        assert K.SAME_DAY_TALK in county.tasks(session)


def test_an_old_sheet_above_none_that_cannot_be_scored_is_on_the_list_too(county, pupil):
    old = county.clock.today() - timedelta(days=30)
    county.submit(pupil, "phq9", answers("phq9", [None, None, None, None, 0, 0, 0, 0, 0]), on=old)
    with county.database.begin() as session:
        assert list(county.tasks(session)) == [K.HISTORY_REVIEW]


# --- sheets that are refused still ring (decision 18) -------------------------------------------------------


@pytest.mark.parametrize(
    ("item9", "asked"), [(7, K.SAFETY_TALK), ("x", K.SAFETY_TALK), (1, K.SAFETY_TALK), (2, K.SAME_DAY_TALK)]
)
def test_a_refused_sheet_stores_nothing_and_its_critical_answers_ring(county, pupil, item9, asked):
    given = phq9(item9)
    if item9 in (1, 2):
        given["3"] = 9  # another item makes it unreadable
    submitted = county.submit(pupil, "phq9", given)
    assert submitted.recorded is None
    assert {error.item for error in submitted.errors} == {"9" if item9 in (7, "x") else "3"}
    with county.database.begin() as session:
        assert asked in county.tasks(session)
        [sighting] = session.scalars(select(CriticalSighting))
        assert (sighting.item, sighting.adopted_by) == ("9", None)


def test_a_refused_sheet_sent_again_does_not_ring_again(county, pupil):
    for _ in range(3):
        county.submit(pupil, "phq9", {**phq9(2), "3": 9})
    with county.database.begin() as session:
        assert len(session.scalars(select(CriticalSighting)).all()) == 1
        assert rung(county, session) == ["counsellor"]
        assert len(county.plans(session, pupil)) == 1


def test_the_corrected_sheet_adopts_what_was_sighted(county, pupil):
    county.submit(pupil, "phq9", {**phq9(2), "3": 9})
    recorded = county.submit(pupil, "phq9", phq9(2)).recorded
    assert recorded.sighted
    with county.database.begin() as session:
        [sighting] = session.scalars(select(CriticalSighting))
        assert sighting.adopted_by == recorded.administration.id
        assert len(session.scalars(select(Task).where(Task.kind == K.SAME_DAY_TALK)).all()) == 1


def test_a_sheet_without_consent_is_not_stored_and_still_rings(county):
    [pupil] = county.enrol(screening=False)
    submitted = county.submit(pupil, "phq9", phq9(2))
    assert submitted.refused is not None
    assert "no consent" in str(submitted.refused)
    with county.database.begin() as session:
        assert K.SAME_DAY_TALK in county.tasks(session)
        assert county.case(session, pupil).worst_level is Level.CRISIS_ITEM


def test_a_clerk_may_key_a_sheet_whose_consequences_only_others_may_see(county, pupil):
    """Decision 30: a case is opened although who keyed the sheet could not open one."""
    county.submit(pupil, "asq", answers("asq", {"1": 1, "5": 1}), by="clerk")
    with county.database.begin() as session:
        case = county.case(session, pupil)
        assert case.opened_by == county.actors["clerk"].account_id


# --- a retest ends its wait --------------------------------------------------------------------------------


def test_a_good_sheet_ends_the_wait_for_it_and_for_no_other_questionnaire(county, clock, pupil):
    bad = answers("phq9", [None, None, None, None, 0, 0, 0, 0, 0])
    county.submit(pupil, "phq9", bad)
    county.submit(pupil, "gad7", answers("gad7", [None] * 4 + [0] * 3))
    clock.forward(timedelta(days=1))
    county.submit(pupil, "phq9", phq9())
    with county.database.begin() as session:
        retests = session.scalars(select(Task).where(Task.kind == K.RETEST).order_by(Task.done_at)).all()
        assert sorted(str(task.decision) for task in retests) == ["None", "done_again"]


def test_a_bad_sheet_again_keeps_the_first_limit(county, clock, pupil):
    bad = answers("phq9", [None, None, None, None, 0, 0, 0, 0, 0])
    county.submit(pupil, "phq9", bad)
    clock.forward(timedelta(days=2))
    county.submit(pupil, "phq9", bad)
    with county.database.begin() as session:
        assert open_tasks(county, session) == RETEST
