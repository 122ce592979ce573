"""How a referral leaves by itself: only by an agreement to release at once, and only when nothing speaks against it."""

from __future__ import annotations

import json
from datetime import timedelta

import pytest
from sqlalchemy import select

from instruments import SheetConditions
from referral.actions import releases
from referral.models.notice import Notice
from referral.models.referral import ReferralStatusChange
from referral.terms import HarmAnswer, ReferralKind, ReferralStatus, ReleaseMode, TaskKind
from screening.core.audit import AuditEvent, AuditRow
from screening.models.child import AccessGrant, Child, Guardian
from tests.referral.county import answers, phq9


@pytest.fixture
def at_once(county, clock):
    """The clinic takes five a week at once."""
    clock.forward(timedelta(seconds=1))
    with county.database.begin() as session:
        county.agree(session, ReleaseMode.AT_ONCE, weekly_limit=5)
    return county


def only_referral(county, pupil):
    with county.database.begin() as session:
        [referral] = county.referrals(session, pupil)
        return referral


def test_a_high_sheet_leaves_at_once_as_a_request_for_triage(at_once, pupil):
    at_once.submit(pupil, "phq9", phq9(total=14))
    with at_once.database.begin() as session:
        [referral] = at_once.referrals(session, pupil)
        assert (referral.status, referral.kind) == (ReferralStatus.SENT, ReferralKind.TRIAGE_REQUEST)
        assert (referral.legal_basis, referral.sent_by) == ("consent", None)
        assert referral.consent_id is not None
        content = json.loads(referral.frozen)
        assert "尚未面谈" in referral.frozen
        assert "未发现" not in referral.frozen
        assert pupil.name in json.dumps(content, ensure_ascii=False)
        assert "概率" not in referral.frozen
        steps = [row.status for row in session.scalars(select(ReferralStatusChange).order_by("changed_at"))]
        assert set(steps) == {ReferralStatus.DRAFT, ReferralStatus.READY, ReferralStatus.SENT}
        tasks = at_once.tasks(session, pupil)
        assert TaskKind.REFERRAL_SEND not in tasks
        assert at_once.who(tasks[TaskKind.REFERRAL_ANSWER].owner_id) == "intake"
        # The school's own talk with the child is not over because a note has left.
        assert TaskKind.SECOND_ASSESSMENT in tasks
        assert [g.reason_id for g in session.scalars(select(AccessGrant))] == [referral.id]
        assert {at_once.who(n.account_id) for n in session.scalars(select(Notice))} == {"intake", "clinician"}


def test_the_trail_says_that_the_system_sent_it_and_on_whose_behalf(at_once, pupil):
    at_once.submit(pupil, "phq9", phq9(total=14), by="clerk")
    with at_once.database.look() as session:
        [row] = session.scalars(select(AuditRow).where(AuditRow.event == AuditEvent.REFERRAL_SEND))
        assert (row.account_id, at_once.who(row.on_behalf_of)) == (None, "clerk")
        assert row.detail == {"basis": "consent", "kind": "triage_request"}


def stays(county, pupil) -> bool:
    referral = only_referral(county, pupil)
    return (referral.status, referral.sent_at) == (ReferralStatus.DRAFT, None)


@pytest.mark.parametrize("mode", [m for m in ReleaseMode if m is not ReleaseMode.AT_ONCE])
def test_without_the_agreement_a_person_s_press_is_awaited(county, clock, pupil, mode):
    clock.forward(timedelta(seconds=1))
    with county.database.begin() as session:
        county.agree(session, mode)
    county.submit(pupil, "phq9", phq9(total=14))
    assert stays(county, pupil)
    with county.database.begin() as session:
        assert TaskKind.REFERRAL_SEND in county.tasks(session, pupil)


def test_the_newest_agreement_holds(at_once, clock, pupil):
    clock.forward(timedelta(seconds=1))
    with at_once.database.begin() as session:
        at_once.agree(session, ReleaseMode.STEPWISE)
    at_once.submit(pupil, "phq9", phq9(total=14))
    assert stays(at_once, pupil)


def test_an_agreement_ends_with_its_last_day(county, clock, pupil):
    clock.forward(timedelta(seconds=1))
    with county.database.begin() as session:
        county.agree(session, ReleaseMode.AT_ONCE, days=1)
        session.flush()
        agreement = releases.live_agreement(
            session, facility_id=county.places["clinic"].id, now=clock.now() + timedelta(days=1)
        )
        assert agreement.release == ReleaseMode.AT_ONCE.value
    clock.forward(timedelta(days=2))
    county.submit(pupil, "phq9", phq9(total=14))
    assert stays(county, pupil)


@pytest.mark.parametrize("share", [False, None])
def test_without_the_guardian_s_standing_consent_nothing_leaves(at_once, share):
    [pupil] = at_once.enrol(share=share)
    at_once.submit(pupil, "phq9", phq9(total=14))
    assert stays(at_once, pupil)


def test_a_doubtful_sheet_does_not_leave_by_itself(at_once, pupil):
    at_once.submit(pupil, "phq9", phq9(total=14), conditions=SheetConditions(seconds=5))
    assert stays(at_once, pupil)


def test_an_emergency_leaves_by_a_person_s_press_only(at_once, pupil):
    at_once.submit(pupil, "asq", answers("asq", {"1": 1, "5": 1}))
    assert stays(at_once, pupil)


@pytest.mark.parametrize("answer", [HarmAnswer.HOME, HarmAnswer.SCHOOL, HarmAnswer.OTHER])
def test_where_somebody_may_be_harming_the_child_nothing_leaves(at_once, pupil, answer):
    with at_once.database.begin() as session:
        session.get_one(Child, pupil.id).harm_answer = answer.value
    at_once.submit(pupil, "phq9", phq9(total=14))
    assert stays(at_once, pupil)


def test_no_more_leave_in_a_week_than_the_facility_takes(at_once, clock):
    pupils = at_once.enrol(7)
    for pupil in pupils:
        at_once.submit(pupil, "phq9", phq9(total=14))
    assert [stays(at_once, pupil) for pupil in pupils] == [False] * 5 + [True] * 2
    clock.forward(timedelta(days=7, seconds=1))
    [later] = at_once.enrol()
    at_once.submit(later, "phq9", phq9(total=14))
    assert not stays(at_once, later)


def test_a_note_that_is_not_fit_to_leave_stays_and_the_sheet_is_stored(at_once, pupil):
    """A guardian without a telephone number, say."""
    with at_once.database.begin() as session:
        for guardian in session.scalars(select(Guardian).where(Guardian.child_id == pupil.id)):
            guardian.phone = None
    recorded = at_once.submit(pupil, "phq9", phq9(total=14)).recorded
    assert recorded.result.level.value == "high"
    assert stays(at_once, pupil)
    with at_once.database.begin() as session:
        assert TaskKind.REFERRAL_SEND in at_once.tasks(session, pupil)


def test_what_has_left_does_not_leave_again(at_once, clock, pupil):
    at_once.submit(pupil, "phq9", phq9(total=14))
    sent_at = only_referral(at_once, pupil).sent_at
    clock.forward(timedelta(days=1))
    at_once.submit(pupil, "gad7", answers("gad7", [3] * 7))
    referral = only_referral(at_once, pupil)
    assert (referral.sent_at, referral.status) == (sent_at, ReferralStatus.SENT)
    with at_once.database.begin() as session:
        assert len(session.scalars(select(AccessGrant)).all()) == 1
