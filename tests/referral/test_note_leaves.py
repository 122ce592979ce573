"""What a note needs before it leaves: what is missing waits for a person, what sending writes is not missing."""

from __future__ import annotations

from datetime import timedelta

from sqlalchemy import select
from sqlalchemy.orm import Session

from referral.actions import notices
from referral.handlers import HANDLERS
from referral.models.notice import Notice
from referral.models.referral import Referral
from referral.models.task import Task
from referral.queries.notes import note_inputs
from referral.terms import ReferralKind, ReferralStatus, ReleaseMode, TaskKind, Tier
from screening.core.work import Job
from tests.referral.county import answers, phq9


def referral_of(session: Session, county, pupil) -> Referral:
    return session.scalars(select(Referral).where(Referral.case_id == county.case(session, pupil).id)).one()


def test_a_referral_leaves_at_once_where_that_is_agreed(county, pupil):
    county.clock.forward(timedelta(minutes=1))  # the newest agreement counts
    with county.database.begin() as session:
        county.agree(session, ReleaseMode.AT_ONCE)
    county.submit(pupil, "phq9", phq9(total=22))
    with county.database.look() as session:
        referral = referral_of(session, county, pupil)
        assert (referral.status, referral.kind) == (ReferralStatus.SENT, ReferralKind.TRIAGE_REQUEST)
        assert referral.legal_basis == "consent"


def test_words_are_taken_before_consent_and_day_of_answer_stand_on_the_note(county, pupil):
    county.submit(pupil, "phq9", phq9(total=22))
    done = county.assess(pupil, Tier.FOCUS, words=county.words(), send=True)
    assert done.sent
    with county.database.look() as session:
        assert "近三周睡眠差" in (referral_of(session, county, pupil).frozen or "")


def test_the_result_of_a_rule_stands_on_the_note_in_a_word(county, pupil):
    county.submit(pupil, "asq", answers("asq", {"1": 1, "5": 1}))
    with county.database.look() as session:
        referral = referral_of(session, county, pupil)
        case = county.case(session, pupil)
        [line] = note_inputs(session, referral=referral, case=case, now=county.clock.now()).screening
    assert (line.instrument, line.score) == ("ASQ", "急性阳性")


def test_a_first_attempt_outside_is_counted(county, pupil):
    county.submit(pupil, "asq", answers("asq", {"1": 1, "5": 1}))
    handler = HANDLERS[notices.TOPIC]
    assert isinstance(handler, Job)
    with county.database.begin() as session:
        task = session.scalars(select(Task).where(Task.kind == TaskKind.CRISIS_ACKNOWLEDGE)).one()
        notice = session.scalars(select(Notice).where(Notice.task_id == task.id)).first()
        assert handler.prepare(session, {"notice": str(notice.id)}) is not None
        assert notices.outside(session, notice, now=notice.created_at).attempts == 1
