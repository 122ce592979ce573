"""What comes in an order nobody thought of: each of these was found by the machine of ``tests/journeys``."""

from __future__ import annotations

from datetime import date, timedelta

import pytest
from sqlalchemy import select

from referral.actions import (
    answers,
    assessments,
    clocks,
    crises,
    escalations,
    followups,
    guardians,
    plans,
    referrals,
    reroutes,
    return_notes,
)
from referral.actions.guardians import GuardianAnswer
from referral.actions.return_notes import ReturnNoteIn
from referral.models.case import Case
from referral.models.crisis import CrisisEpisode
from referral.models.followup import FollowUp
from referral.models.referral import ChannelAgreement, Facility, Referral
from referral.models.task import Task
from referral.queries.plan_facts import current_facts
from referral.states import CRISIS_WORK
from referral.terms import (
    Attendance,
    CrisisStep,
    Finding,
    FollowUpChannel,
    FollowUpStatus,
    FollowUpTemplate,
    NoShowReason,
    Outcome,
    ReferralKind,
    ReferralStatus,
    RefusalReason,
    ReleaseMode,
    RiskNow,
    StepResult,
    TaskKind,
    Tier,
)
from risk_model import Level
from screening.actions import organisations
from screening.core.actor import Actor
from screening.core.errors import PolicyViolation
from screening.models.child import AccessGrant, Child
from screening.models.consent import Purpose
from screening.models.organisation import OrganisationKind
from tests.referral.county import answers as of_items
from tests.referral.county import phq9

K = TaskKind
S = ReferralStatus


def yesterday(county):
    return county.clock.today() - timedelta(days=1)


# --- paper that is keyed late ------------------------------------------------------------------------------


@pytest.mark.parametrize(("total", "ninth", "level"), [(22, 0, Level.HIGH), (0, 3, Level.CRISIS_ITEM)])
def test_paper_of_yesterday_counts_after_todays_sheet_has_been_keyed(county, pupil, total, ninth, level):
    county.submit(pupil, "phq9", phq9(total=0))

    late = county.submit(pupil, "phq9", phq9(ninth, total=total), on=yesterday(county))

    assert late.result.level is level
    with county.database.begin() as session:
        assert county.case(session, pupil).worst_level is level


def test_the_probability_is_still_that_of_the_newest_sheet(county, pupil):
    newest = county.submit(pupil, "phq9", phq9(total=3))

    late = county.submit(pupil, "phq9", phq9(total=12), on=yesterday(county))

    assert late.result.probability == newest.result.probability


# --- a sign after the talk ---------------------------------------------------------------------------------


def test_an_answer_seen_in_a_refused_sheet_asks_for_a_referral_although_the_child_was_seen_before(
    county, pupil
):
    county.submit(pupil, "phq9", phq9(total=11))
    county.assess(pupil, Tier.WATCH)
    with county.database.begin() as session:
        referrals.withdraw(
            session,
            actor=county.actors["counsellor"],
            referral=living(county, session, pupil),
            reason="guardian",
            now=county.clock.now(),
        )
    county.clock.forward(timedelta(hours=1))

    refused = county.submit(pupil, "phq9", {**phq9(3), "1": "?"})

    assert refused.result is None
    with county.database.begin() as session:
        assert living(county, session, pupil).status is S.DRAFT


# --- a referral --------------------------------------------------------------------------------------------


def press(county, pupil, what, by, *, referral=None, **more):
    """One press on a child's living referral, or on this one."""
    with county.database.begin() as session:
        row = session.get_one(Referral, referral) if referral else living(county, session, pupil)
        return what(
            session,
            actor=county.actors[by],
            case=session.get_one(Case, row.case_id),
            referral=row,
            now=county.clock.now(),
            **more,
        )


def living(county, session, pupil) -> Referral:
    return referrals.find_open(session, case_id=county.case(session, pupil).id)


def guardian_says(county, pupil, agreed):
    """The guardian's answer is told to the counsellor."""
    with county.database.begin() as session:
        guardians.answered(
            session,
            actor=county.actors["counsellor"],
            case=county.case(session, pupil),
            child=session.get_one(Child, pupil.id),
            referral=living(county, session, pupil),
            answer=GuardianAnswer(
                agreed,
                "张大山",
                "父亲",
                "phone",
                "2026-1",
                county.clock.today(),
                refusal=None if agreed else RefusalReason.COST,
                present="班主任",
            ),
            now=county.clock.now(),
        )


def sent(county, pupil):
    """The id of a referral that is with the clinic."""
    county.submit(pupil, "phq9", phq9(total=11))
    county.assess(pupil, send=True)
    with county.database.begin() as session:
        return living(county, session, pupil).id


def lines_about(county, session, referral_id) -> set[K]:
    """What is still asked about one referral; its paper is not looked at."""
    rows = session.scalars(select(Task.kind).where(Task.subject_id == referral_id, Task.done_at.is_(None)))
    return set(rows) - {K.NOTE_OVERDUE}


def silent(county, pupil):
    """A referral the clinic has not answered in time."""
    referral_id = sent(county, pupil)
    county.clock.forward(timedelta(days=10))
    with county.database.begin() as session:
        clocks.run(session, now=county.clock.now())
        assert session.get_one(Referral, referral_id).status is S.EXPIRED_NO_ANSWER
    return referral_id


def asked_beside(county, pupil, referral_id):
    """A second facility is asked while the first is silent."""
    with county.database.begin() as session:
        row = session.get_one(Referral, referral_id)
        return reroutes.reroute(
            session,
            actor=county.actors["counsellor"],
            case=session.get_one(Case, row.case_id),
            child=session.get_one(Child, pupil.id),
            referral=row,
            facility_id=None,
            in_parallel=True,
            now=county.clock.now(),
        ).id


NOTE = ReturnNoteIn(
    visit_on=date(2026, 10, 14),
    outcome=Outcome.OUTPATIENT_CARE,
    finding=Finding.NEEDS_CARE,
    assessor_saw_probability=False,
    risk_now=RiskNow.LOW,
    attendance=Attendance.FULL,
    advice="规律作息",
    clinical=None,
    next_visit_on=None,
    guardian_agreed=False,
)


def finished(county, pupil):
    """A referral that has gone all the way."""
    referral_id = sent(county, pupil)
    press(county, pupil, answers.accept, "intake", contact=None)
    at = county.clock.now() + timedelta(hours=1)
    press(county, pupil, answers.schedule, "intake", at=at, place="二楼")
    press(county, pupil, answers.attended, "intake")
    press(county, pupil, return_notes.write, "clinician", note=NOTE)
    press(county, pupil, referrals.acknowledge, "counsellor")
    press(county, pupil, referrals.complete, "counsellor", plan_status=None)
    return referral_id


@pytest.mark.parametrize("until", ["sent", "accepted", "scheduled", "no_show"])
def test_nobody_is_asked_about_a_referral_that_was_taken_back(county, pupil, until):
    referral_id = sent(county, pupil)
    if until != "sent":
        press(county, pupil, answers.accept, "intake", contact=None)
    if until in ("scheduled", "no_show"):
        at = county.clock.now() + timedelta(days=1)
        press(county, pupil, answers.schedule, "intake", at=at, place="二楼")
    if until == "no_show":
        press(county, pupil, answers.no_show, "intake", reason=NoShowReason.FORGOT)

    with county.database.begin() as session:
        referrals.withdraw(
            session,
            actor=county.actors["counsellor"],
            referral=living(county, session, pupil),
            reason="guardian",
            now=county.clock.now(),
        )
        session.flush()
        # The facility alone is told that it was taken back.
        assert lines_about(county, session, referral_id) == {K.REFERRAL_ENDED}


def test_a_moved_appointment_is_asked_about_on_its_own_evening(county, pupil):
    referral_id = sent(county, pupil)
    press(county, pupil, answers.accept, "intake", contact=None)
    for days in (1, 5):
        at = county.clock.now() + timedelta(days=days)
        press(county, pupil, answers.schedule, "intake", at=at, place="二楼")
    with county.database.begin() as session:
        task = county.tasks(session, pupil)[K.ATTENDANCE_CHECK]
        assert (task.subject_id, task.due_at.date()) == (referral_id, at.date())


def test_an_answer_that_comes_late_ends_the_search_for_another_facility(county, pupil):
    referral_id = silent(county, pupil)
    with county.database.begin() as session:
        assert lines_about(county, session, referral_id) == {K.REFERRAL_REROUTE}

    press(county, pupil, answers.accept, "intake", contact=None)

    with county.database.begin() as session:
        assert lines_about(county, session, referral_id) == {K.APPOINTMENT}


def test_what_has_left_cannot_be_held(county, pupil):
    sent(county, pupil)
    until = county.clock.today() + timedelta(days=1)
    with pytest.raises(PolicyViolation, match="already left"):
        press(county, pupil, referrals.hold, "counsellor", until=until, reason="家访")


def test_after_a_refusal_the_second_talk_can_end_with_yes(county, pupil):
    county.submit(pupil, "phq9", phq9(total=11))
    guardian_says(county, pupil, False)
    guardian_says(county, pupil, True)
    with county.database.begin() as session:
        referral = living(county, session, pupil)
        assert referral.status is S.READY
        assert lines_about(county, session, referral.id) == {K.REFERRAL_SEND}


def test_what_is_ready_leaves_for_triage_and_stops_no_clock(county, pupil):
    """A guardian who had agreed made the clock fail for the whole city: the referral was made ready twice."""
    county.submit(pupil, "phq9", phq9(total=11))
    guardian_says(county, pupil, True)
    with county.database.begin() as session:
        session.scalars(select(Facility)).one().triage_per_week = 5
    for days in (6, 6):
        county.clock.forward(timedelta(days=days))
        with county.database.begin() as session:
            clocks.run(session, now=county.clock.now())
    with county.database.begin() as session:
        [referral] = county.referrals(session, pupil)
        assert (referral.kind, referral.sent_at is not None) == (ReferralKind.TRIAGE_REQUEST, True)


@pytest.mark.parametrize(("agreed", "status"), [(True, S.SENT), (False, S.GUARDIAN_REFUSED)])
def test_a_second_sheet_is_stored_whatever_the_guardian_has_answered(county, pupil, agreed, status):
    """Where referrals leave at once, the sheet was refused with an error: the referral could not be made ready."""
    county.consent(pupil, Purpose.SHARE_FACILITY, False)
    with county.database.begin() as session:
        session.scalars(select(ChannelAgreement)).one().release = ReleaseMode.AT_ONCE.value
    county.submit(pupil, "phq9", phq9(total=11))
    guardian_says(county, pupil, agreed)
    county.clock.forward(timedelta(seconds=1))
    county.consent(pupil, Purpose.SHARE_FACILITY, True)
    county.clock.forward(timedelta(days=1))

    assert county.submit(pupil, "phq9", phq9(total=12)).result is not None

    with county.database.begin() as session:
        assert living(county, session, pupil).status is status


def test_a_sheet_is_stored_while_two_facilities_are_asked(county, pupil):
    """The plan looked for the one open referral and found two: the sheet was lost with an error."""
    first = silent(county, pupil)
    second = asked_beside(county, pupil, first)

    assert county.submit(pupil, "phq9", phq9(total=12)).result is not None

    with county.database.begin() as session:
        assert living(county, session, pupil).id == second


def test_a_facility_that_is_asked_already_is_not_asked_again(county, pupil):
    """The second asking broke on the index of open referrals."""
    with county.database.begin() as session:
        hospital = organisations.add(
            session,
            actor=Actor.system(),
            kind=OrganisationKind.FACILITY,
            code="hospital",
            name="白石县中医院",
            parent=county.places["county"],
            phone="0571-0000002",
            now=county.clock.now(),
        )
        session.flush()
        more = {"department": "心理科", "age_min": 6, "age_max": 18, "weekly_slots": 5}
        session.add(Facility(organisation_id=hospital.id, **more))
        days = {"valid_from": county.clock.today(), "valid_to": county.clock.today() + timedelta(days=99)}
        session.add(
            ChannelAgreement(
                district_id=county.places["county"].id,
                facility_id=hospital.id,
                release=ReleaseMode.STEPWISE.value,
                weekly_limit=5,
                agreed_by="白石县教育局",
                recorded_at=county.clock.now(),
                **days,
            )
        )
    first = silent(county, pupil)

    asked = asked_beside(county, pupil, first)
    with pytest.raises(PolicyViolation, match="Another facility has been asked since"):
        asked_beside(county, pupil, first)

    with county.database.begin() as session:
        assert session.get_one(Referral, asked).facility_id == hospital.id


def test_a_child_is_not_screened_out_while_one_of_two_facilities_has_the_referral(county, pupil):
    county.submit(pupil, "phq9", phq9(total=11))
    guardian_says(county, pupil, True)
    with county.database.begin() as session:
        referral = living(county, session, pupil)
        referrals.leave_by_itself(
            session,
            actor=Actor.system(),
            case=county.case(session, pupil),
            child=session.get_one(Child, pupil.id),
            referral=referral,
            why="triage",
            now=county.clock.now(),
        )
    county.clock.forward(timedelta(days=10))
    with county.database.begin() as session:
        clocks.run(session, now=county.clock.now())
    asked_beside(county, pupil, referral.id)
    with pytest.raises(PolicyViolation, match="with the facility"):
        county.assess(pupil, None)


def test_a_further_note_is_read_beside_the_referral_that_goes_on(county, pupil):
    """The clinic has the child again under a new number: its note about the first visit broke on the index."""
    first = finished(county, pupil)
    county.clock.forward(timedelta(days=1))
    county.submit(pupil, "phq9", phq9(total=22))
    with county.database.begin() as session:
        second = living(county, session, pupil).id
    assert second != first

    press(county, pupil, return_notes.write, "clinician", referral=first, note=NOTE)
    county.assess(pupil, send=True)
    press(county, pupil, answers.accept, "intake", contact=None)

    with county.database.begin() as session:
        assert session.get_one(Referral, first).status is S.RETURNED
        assert session.get_one(Referral, second).status is S.ACCEPTED
        assert K.RETURN_NOTE_READ in lines_about(county, session, first)


# --- a case that has ended ---------------------------------------------------------------------------------


def closed(county, pupil):
    """The id of a case that was passed to the county and screened out there."""
    county.submit(pupil, "phq9", phq9(total=11))
    county.clock.forward(timedelta(days=6))
    with county.database.begin() as session:
        clocks.run(session, now=county.clock.now())
        case_id = county.case(session, pupil).id
        assert session.scalars(select(AccessGrant).where(AccessGrant.ended_at.is_(None))).one()
    county.assess(pupil, None, by="centre")
    return case_id


def test_what_the_county_was_shown_closes_with_the_case(county, pupil):
    closed(county, pupil)
    with county.database.begin() as session:
        assert session.scalars(select(AccessGrant).where(AccessGrant.ended_at.is_(None))).all() == []


def test_contacts_that_were_planned_are_not_made_after_the_end(county, pupil):
    county.submit(pupil, "phq9", phq9(total=11))
    with county.database.begin() as session:
        case = county.case(session, pupil)
        [first, *_] = followups.schedule(
            session,
            actor=county.actors["counsellor"],
            case=case,
            template=FollowUpTemplate.CRISIS,
            day0=county.clock.today(),
            now=county.clock.now(),
        )
    county.assess(pupil, None)
    with county.database.begin() as session:
        assert {f.status for f in session.scalars(select(FollowUp))} == {FollowUpStatus.CANCELLED}
    with pytest.raises(PolicyViolation), county.database.begin() as session:
        followups.miss(
            session,
            actor=county.actors["counsellor"],
            case=session.get_one(Case, case.id),
            follow_up=session.get_one(FollowUp, first.id),
            reason="请假",
            now=county.clock.now(),
        )


def test_a_closed_case_is_not_assessed_and_its_plan_not_changed(county, pupil):
    case_id = closed(county, pupil)
    with pytest.raises(PolicyViolation, match="closed"), county.database.begin() as session:
        assessments.conclude(
            session,
            actor=county.actors["counsellor"],
            case=session.get_one(Case, case_id),
            child=session.get_one(Child, pupil.id),
            assessment=assessments.AssessmentIn(
                held_at=county.clock.now(),
                channel=FollowUpChannel.IN_PERSON,
                tier=Tier.FOCUS,
                screened_out=False,
                reason="再谈",
            ),
            now=county.clock.now(),
        )
    with county.database.begin() as session:
        case, now = session.get_one(Case, case_id), county.clock.now()
        facts = current_facts(session, case=case, now=now)
        who = {"actor": county.actors["counsellor"], "now": now}
        with pytest.raises(PolicyViolation, match="closed"):
            plans.revise(session, case=case, facts=facts, keep=None, reason="复核", **who)


def test_a_crisis_is_stood_down_once(county, pupil):
    county.submit(pupil, "asq", of_items("asq", {"1": 1, "5": 1}))

    def stand_down():
        with county.database.begin() as session:
            crises.stand_down(
                session,
                actor=county.actors["lead"],
                case=county.case(session, pupil),
                episode=session.scalars(select(CrisisEpisode)).one(),
                safety_plan_done=True,
                review_meeting_on=county.clock.today(),
                now=county.clock.now(),
            )

    with county.database.begin() as session:
        episode = session.scalars(select(CrisisEpisode)).one()
        who = {"actor": county.actors["counsellor"], "episode": episode, "now": county.clock.now()}
        crises.take(session, case=county.case(session, pupil), **who)
        for step in CRISIS_WORK - {CrisisStep.ACKNOWLEDGED}:
            more = {"happened_at": county.clock.now(), "place": None, "remark": None}
            crises.record_step(session, step=step, result=StepResult.DONE, **who, **more)
    stand_down()
    county.clock.forward(timedelta(hours=1))
    with pytest.raises(PolicyViolation, match="stood down"):
        stand_down()


def test_what_is_late_when_it_is_asked_for_goes_on_ringing(county, pupil):
    """A crisis taken two hours after it was opened: the step that was due within one rang once and then never."""
    county.submit(pupil, "asq", of_items("asq", {"1": 1, "5": 1}))
    county.clock.forward(timedelta(hours=2))
    with county.database.begin() as session:
        crises.take(
            session,
            actor=county.actors["counsellor"],
            case=county.case(session, pupil),
            episode=session.scalars(select(CrisisEpisode)).one(),
            now=county.clock.now(),
        )
        late = session.scalars(select(Task.id).where(Task.clock == "T02")).one()
    steps = []
    for minutes in (0, 5, 5, 10, 10):
        county.clock.forward(timedelta(minutes=minutes))
        with county.database.begin() as session:
            escalations.tick(session, now=county.clock.now())
            steps.append(session.get_one(Task, late).step)
    assert steps == [1, 2, 3, 4, 5]
