"""复评: one press sets the tier, confirms the plan and sends; or screens out, and then nothing is left lying."""

from __future__ import annotations

from datetime import timedelta

import pytest
from sqlalchemy import select

from referral.actions import cases, crises, plans
from referral.actions.referrals import NOTE_TOPIC
from referral.models.case import Assessment, TierChange
from referral.models.crisis import CrisisEpisode
from referral.models.followup import FollowUp
from referral.models.task import Task
from referral.terms import (
    ActionStatus,
    CaseStatus,
    CrisisStep,
    HarmAnswer,
    PlanStatus,
    ReferralKind,
    ReferralStatus,
    StepResult,
    TaskKind,
    Tier,
    Urgency,
)
from screening.core.clock import LOCAL
from screening.core.errors import InvalidInput, NotPermitted, PolicyViolation
from screening.core.outbox import OutboxMessage
from screening.models.child import AccessGrant, Child
from screening.models.consent import Purpose
from tests.referral.county import answers, phq9

K = TaskKind


@pytest.fixture
def high(county, pupil):
    """A child whose sheet is high and routine."""
    county.submit(pupil, "phq9", phq9(total=11))
    return pupil


@pytest.fixture
def talk_due(county, pupil):
    """A child with a safety talk due, and no plan and no referral."""
    county.submit(pupil, "phq9", phq9(1))
    return pupil


# --- the one press -----------------------------------------------------------------------------------------


def test_one_press_sets_the_tier_confirms_the_plan_and_sends(county, high):
    done = county.assess(high, Tier.FOCUS, send=True, concern=2, harm_answer=HarmAnswer.NONE)
    assert (done.plan_confirmed, done.sent, done.waits_for) == (True, True, None)
    with county.database.begin() as session:
        case = county.case(session, high)
        assert (case.status, case.tier) == (CaseStatus.ACTIVE, Tier.FOCUS)
        plans_ = county.plans(session, high)
        assert [(p.number, p.status) for p in plans_] == [
            (1, PlanStatus.SUPERSEDED),
            (2, PlanStatus.CONFIRMED),
        ]
        assert county.who(plans_[-1].confirmed_by) == "counsellor"
        [referral] = county.referrals(session, high)
        assert (referral.status, referral.kind, referral.legal_basis) == (
            ReferralStatus.SENT,
            ReferralKind.REFERRAL,
            "consent",
        )
        assert referral.frozen
        [grant] = session.scalars(select(AccessGrant))
        assert (grant.child_id, grant.organisation_id, grant.reason_id) == (
            high.id,
            county.places["clinic"].id,
            referral.id,
        )
        newest = f"note:{referral.id}:{referral.note_version}"
        assert newest in set(
            session.scalars(select(OutboxMessage.purpose).where(OutboxMessage.topic == NOTE_TOPIC))
        )


def test_what_waited_for_the_talk_is_done_and_what_follows_is_asked_for(county, high):
    county.assess(high, Tier.FOCUS, send=True, harm_answer=HarmAnswer.NONE)
    with county.database.begin() as session:
        done = county.tasks(session, high, done=True)
        assert {K.SECOND_ASSESSMENT, K.REFERRAL_SEND, K.GUARDIAN_HARM_QUESTION} <= set(done)
        waiting = {
            kind: (county.who(t.owner_id), t.clock, t.due_at.astimezone(LOCAL).strftime("%m-%d %H:%M"))
            for kind, t in county.tasks(session, high).items()
        }
    assert waiting == {
        K.TIER_SIGN: ("lead", None, "10-15 17:30"),
        K.PLAN_REVIEW: ("counsellor", "T17", "11-11 10:00"),
        K.PLAN_ACTION: ("counsellor", None, "10-21 17:30"),
        K.FOLLOWUP: ("counsellor", None, "10-21 17:30"),
        K.REFERRAL_ANSWER: ("intake", "T12", "10-19 17:30"),
        K.NOTE_OVERDUE: ("counsellor", None, "10-14 10:02"),
    }


@pytest.mark.parametrize(
    ("tier", "signed", "contacts"), [(Tier.WATCH, False, 2), (Tier.FOCUS, True, 5), (Tier.CRISIS, True, 9)]
)
def test_each_tier_brings_its_contacts_and_focus_and_crisis_a_second_signature(
    county, high, tier, signed, contacts
):
    county.assess(high, tier)
    with county.database.begin() as session:
        assert len(session.scalars(select(FollowUp)).all()) == contacts
        assert (K.TIER_SIGN in county.tasks(session, high)) is signed
        [change] = session.scalars(select(TierChange))
        assert (change.tier, county.who(change.changed_by), change.countersigned_by) == (
            tier,
            "counsellor",
            None,
        )


def test_the_lead_countersigns_and_nobody_signs_their_own(county, high, clock):
    county.assess(high, Tier.FOCUS)
    with county.database.begin() as session:
        case = county.case(session, high)
        with pytest.raises(NotPermitted):
            cases.countersign(session, actor=county.actors["counsellor"], case=case, now=clock.now())
        cases.countersign(session, actor=county.actors["lead"], case=case, now=clock.now())
        session.flush()
        assert K.TIER_SIGN not in county.tasks(session, high)
        with pytest.raises(PolicyViolation):
            cases.countersign(session, actor=county.actors["lead"], case=case, now=clock.now())


def test_the_form_is_kept_sealed_with_what_was_said(county, high, database):
    county.assess(high, areas=("sleep",), reason="  失眠三周 ", record={"mood": 2}, concern=3)
    with county.database.begin() as session:
        [row] = session.scalars(select(Assessment))
        assert '"reason": "失眠三周"' in row.record
        assert '"mood": 2' in row.record
        assert row.concern == 3
        assert "失眠".encode() not in row.record_sealed
        assert "sleep" in county.plans(session, high)[-1].areas


# --- consent -----------------------------------------------------------------------------------------------


def test_without_consent_nothing_leaves_and_somebody_asks_the_guardian(county):
    [pupil] = county.enrol(share=False)
    county.submit(pupil, "phq9", phq9(total=11))
    done = county.assess(pupil, send=True)
    assert (done.plan_confirmed, done.sent, done.waits_for) == (True, False, "guardian")
    with county.database.begin() as session:
        [referral] = county.referrals(session, pupil)
        assert (referral.status, referral.sent_at) == (ReferralStatus.AWAITING_GUARDIAN, None)
        assert session.scalars(select(AccessGrant)).all() == []
        waiting = county.tasks(session, pupil)
        assert {K.GUARDIAN_AGREEMENT, K.REFERRAL_SEND} <= set(waiting)
        assert waiting[K.GUARDIAN_AGREEMENT].clock == "T11"


def test_an_emergency_leaves_without_consent_and_names_its_basis(county):
    [pupil] = county.enrol(share=False)
    county.submit(pupil, "asq", answers("asq", {"1": 1, "5": 1}))
    done = county.assess(pupil, Tier.CRISIS, send=True, emergency=True, escort="林老师")
    assert done.sent
    with county.database.begin() as session:
        [referral] = county.referrals(session, pupil)
        assert (referral.urgency, referral.legal_basis, referral.consent_id) == (
            Urgency.EMERGENCY,
            "emergency",
            None,
        )
        assert "林老师" in referral.frozen


def test_what_is_no_emergency_cannot_be_sent_as_one(county):
    [pupil] = county.enrol(share=False)
    county.submit(pupil, "phq9", phq9(total=11))
    with pytest.raises(PolicyViolation, match="only an emergency"):
        county.assess(pupil, send=True, emergency=True)
    with county.database.begin() as session:
        assert session.scalars(select(Assessment)).all() == [], "all of the press or nothing of it"
        assert county.case(session, pupil).tier is None


def test_without_sending_the_draft_stays_and_its_note_is_made_anew(county, high):
    done = county.assess(high)
    assert (done.sent, done.waits_for) == (False, None)
    with county.database.begin() as session:
        [referral] = county.referrals(session, high)
        assert (referral.status, referral.note_version) == (ReferralStatus.DRAFT, 2)
        assert K.REFERRAL_SEND in county.tasks(session, high)


# --- a talk that nobody's score asked for ------------------------------------------------------------------


def test_a_safety_talk_that_shows_danger_brings_plan_and_referral(county, talk_due):
    """Decision 17: plan and note only if talk or score asks. Here the talk does."""
    done = county.assess(talk_due, Tier.FOCUS, areas=("self_harm",), send=True)
    assert done.sent
    with county.database.begin() as session:
        [plan] = county.plans(session, talk_due)
        assert plan.status is PlanStatus.CONFIRMED
        assert {"c-K01", "c-R01"} <= {action.component for action in plan.actions}
        [referral] = county.referrals(session, talk_due)
        assert (referral.status, referral.urgency) == (ReferralStatus.SENT, Urgency.URGENT)
        assert K.SAFETY_TALK not in county.tasks(session, talk_due)


def test_a_plan_that_asks_for_a_referral_has_one_even_before_it_is_sent(county, talk_due):
    county.assess(talk_due, Tier.FOCUS, areas=("self_harm",))
    with county.database.begin() as session:
        [referral] = county.referrals(session, talk_due)
        assert referral.status is ReferralStatus.DRAFT
        assert K.REFERRAL_SEND in county.tasks(session, talk_due)


def test_who_wants_to_send_is_never_told_that_nothing_was_there_to_send(county, talk_due):
    """The rules ask for no referral here; a person does."""
    done = county.assess(talk_due, Tier.WATCH, send=True)
    assert done.sent
    with county.database.begin() as session:
        [referral] = county.referrals(session, talk_due)
        assert (referral.status, referral.urgency) == (ReferralStatus.SENT, Urgency.ROUTINE)


def test_a_safety_talk_that_shows_nothing_brings_no_referral(county, talk_due):
    county.assess(talk_due, Tier.WATCH)
    with county.database.begin() as session:
        assert county.referrals(session, talk_due) == []


# --- screened out (A08) ------------------------------------------------------------------------------------


def test_screened_out_closes_the_case_and_withdraws_what_was_drafted(county, high):
    done = county.assess(high, None)
    assert (done.plan_confirmed, done.sent) == (False, False)
    with county.database.begin() as session:
        assert county.case(session, high) is None
        [referral] = county.referrals(session, high)
        assert (referral.status, referral.ended_at) == (ReferralStatus.WITHDRAWN, county.clock.now())
        assert county.tasks(session, high) == {}
        [row] = session.scalars(select(Assessment))
        assert (row.screened_out, row.tier) == (True, None)


def test_a_child_with_a_note_at_the_facility_is_not_screened_out_behind_its_back(county, high, clock):
    county.assess(high, send=True)
    clock.forward(timedelta(days=1))
    with pytest.raises(PolicyViolation):
        county.assess(high, None)


def test_a_child_in_a_crisis_is_not_screened_out(county, pupil):
    """The episode ends by two people standing it down, never by a press on the other form."""
    county.submit(pupil, "asq", answers("asq", {"1": 1, "5": 1}))
    with pytest.raises(PolicyViolation, match="crisis"):
        county.assess(pupil, None)
    with county.database.begin() as session:
        assert K.CRISIS_ACKNOWLEDGE in county.tasks(session, pupil)
        assert county.case(session, pupil) is not None


def test_a_later_sheet_of_a_screened_out_child_opens_a_new_case(county, high, clock):
    county.assess(high, None)
    clock.forward(timedelta(days=30))
    county.submit(high, "phq9", phq9(1))
    with county.database.begin() as session:
        case = county.case(session, high)
        assert case.status is CaseStatus.INTAKE
        assert K.SAFETY_TALK in county.tasks(session, high)


def test_what_was_screened_out_last_year_does_not_make_this_year_s_referral_urgent(county, pupil, clock):
    county.submit(pupil, "phq9", phq9(3, total=24))
    county.assess(pupil, None)
    clock.forward(timedelta(days=200))
    county.submit(pupil, "phq9", phq9(1))
    county.assess(pupil, Tier.WATCH, send=True)
    with county.database.begin() as session:
        assert county.case(session, pupil).worst_level.value == "elevated"
        former, this = county.referrals(session, pupil)
        assert former.status is ReferralStatus.WITHDRAWN
        assert this.urgency is Urgency.ROUTINE


def test_a_severe_score_of_this_case_does_ask_for_a_referral(county, pupil):
    county.submit(pupil, "phq9", phq9(total=24))
    county.assess(pupil, Tier.FOCUS, areas=("mood",))
    with county.database.begin() as session:
        assert "c-R01" in {action.component for action in county.plans(session, pupil)[-1].actions}


# --- what is refused ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"tier": None, "screened_out": False}, "set a tier or screen out"),
        ({"tier": Tier.WATCH, "screened_out": True}, "set a tier or screen out"),
        ({"tier": Tier.ROUTINE}, "routine"),
        ({"reason": "   "}, "what was seen"),
        ({"concern": 4}, "from 0 to 3"),
        ({"concern": -1}, "from 0 to 3"),
    ],
)
def test_a_form_that_says_two_things_or_nothing_is_refused(county, high, changes, said):
    with pytest.raises(InvalidInput, match=said):
        county.assess(high, **changes)


def test_a_talk_in_the_future_is_refused(county, high):
    with pytest.raises(InvalidInput, match="future"):
        county.assess(high, held_at=county.clock.now() + timedelta(minutes=1))


@pytest.mark.parametrize("who", ["clerk", "principal", "intake", "clinician", "lead"])
def test_only_who_may_assess_assesses(county, high, who):
    with pytest.raises(NotPermitted):
        county.assess(high, by=who)


# --- a second assessment -----------------------------------------------------------------------------------


def test_a_second_assessment_makes_the_next_version_and_leaves_one_line_per_action(county, high, clock):
    county.assess(high, Tier.FOCUS)
    clock.forward(timedelta(days=7))
    county.assess(high, Tier.WATCH)
    with county.database.begin() as session:
        plans_ = county.plans(session, high)
        assert [p.number for p in plans_] == [1, 2, 3]
        current = plans_[-1]
        assert (current.status, county.case(session, high).tier) == (PlanStatus.CONFIRMED, Tier.WATCH)
        asked = set(
            session.scalars(select(Task.subject_id).where(Task.kind == K.PLAN_ACTION, Task.done_at.is_(None)))
        )
        planned = {
            a.id
            for a in current.actions
            if a.status is ActionStatus.PLANNED and a.component != plans.REFERRAL_COMPONENT
        }
        assert asked == planned


def test_the_answer_about_harm_is_kept_with_who_gave_it(county, high):
    county.assess(high, harm_answer=HarmAnswer.HOME)
    with county.database.begin() as session:
        child = session.get_one(Child, high.id)
        assert (child.harm_answer, county.who(child.harm_answered_by)) == ("home", "counsellor")
        kinds = {a.component[:3] for a in county.plans(session, high)[-1].actions}
        assert "c-F" not in kinds, "no family action where harm comes from home"


# --- a crisis to its end -----------------------------------------------------------------------------------


def stand_down(county, pupil):
    with county.database.begin() as session:
        case = county.case(session, pupil)
        crises.stand_down(
            session,
            actor=county.actors["lead"],
            case=case,
            episode=session.scalars(select(CrisisEpisode)).one(),
            safety_plan_done=True,
            review_meeting_on=county.clock.today() + timedelta(days=5),
            now=county.clock.now(),
        )


def take_all_steps(county, pupil):
    with county.database.begin() as session:
        case, now = county.case(session, pupil), county.clock.now()
        episode = session.scalars(select(CrisisEpisode)).one()
        crises.take(session, actor=county.actors["counsellor"], case=case, episode=episode, now=now)
        for step in (
            CrisisStep.CHILD_SAFE,
            CrisisStep.GUARDIAN_REACHED,
            CrisisStep.PROFESSIONAL_REACHED,
            CrisisStep.HANDED_OVER,
        ):
            crises.record_step(
                session,
                actor=county.actors["counsellor"],
                episode=episode,
                step=step,
                result=StepResult.DONE,
                happened_at=now,
                place=None,
                remark=None,
                now=now,
            )


@pytest.mark.parametrize("assessed_first", [True, False])
def test_a_crisis_is_stood_down_whoever_planned_its_contacts(county, pupil, assessed_first):
    county.submit(pupil, "asq", answers("asq", {"1": 1, "5": 1}))
    take_all_steps(county, pupil)
    if assessed_first:
        county.assess(pupil, Tier.CRISIS)  # plans the contacts of a crisis on the same day
    stand_down(county, pupil)
    with county.database.begin() as session:
        assert session.scalars(select(CrisisEpisode)).one().stood_down_at is not None
        assert len(session.scalars(select(FollowUp)).all()) == 9


def test_a_crisis_is_not_stood_down_before_its_steps_are_settled(county, pupil):
    county.submit(pupil, "asq", answers("asq", {"1": 1, "5": 1}))
    with pytest.raises(PolicyViolation, match="cannot be stood down"):
        stand_down(county, pupil)


def test_consent_given_later_lets_the_same_referral_go(county):
    [pupil] = county.enrol(share=False)
    county.submit(pupil, "phq9", phq9(total=11))
    county.assess(pupil, send=True)
    county.consent(pupil, Purpose.SHARE_FACILITY, True)
    county.clock.forward(timedelta(hours=1))
    assert county.assess(pupil, send=True).sent
    with county.database.begin() as session:
        [referral] = county.referrals(session, pupil)
        assert referral.consent_id is not None
        assert K.GUARDIAN_AGREEMENT not in county.tasks(session, pupil)
