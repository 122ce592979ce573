"""Two people, or one finger twice, at the same moment: the second finds what the first has done."""

from __future__ import annotations

from threading import Event, Thread

import pytest
from sqlalchemy import func, select, update

from referral.actions import replies, worries
from referral.actions.replies import Said
from referral.actions.worries import WorryIn
from referral.models.reply import ReferralReply
from referral.models.task import Task
from referral.models.worry import Worry
from referral.queries.work import URGENT_KINDS
from referral.queries.worries import WorryWords
from referral.terms import Origin, ReplyKind, ReplyResult, TaskKind, WorryEnd, WorrySeen, WorryUrgency
from screening.core.errors import PolicyViolation
from tests.referral.county import phq9

# How long the second is given to run into the first. Where it waits for the lock, it waits this long.
ENOUGH = 0.3


def both_at_once(county, act) -> list[BaseException]:
    """``act(session)`` twice; the first holds its transaction until the second has begun to wait."""
    failed: list[BaseException] = []
    ready = Event()

    def second() -> None:
        ready.wait(10)
        try:
            with county.database.begin() as session:
                act(session)
        except BaseException as error:
            failed.append(error)

    thread = Thread(target=second)
    thread.start()
    with county.database.begin() as session:
        act(session)
        session.flush()
        ready.set()
        thread.join(ENOUGH)
    thread.join(30)
    return failed


def worry(county, urgency=WorryUrgency.NOW):
    said = WorryWords("谁也不叫这个", "八年级3班", (WorrySeen.GONE_QUIET,))

    def act(session):
        school = county.places["school"]
        one = WorryIn(school, said, urgency, Origin.TEACHER, "a-key-good-for-one-worry")
        return worries.hear(session, actor=county.actors["counsellor"], worry=one, now=county.clock.now())

    return act


def test_a_worry_that_is_sent_twice_at_once_is_one(county):
    assert both_at_once(county, worry(county)) == []
    with county.database.look() as session:
        assert session.scalar(select(func.count()).select_from(Worry)) == 1
        assert session.scalars(select(Task.kind)).all() == [TaskKind.WORRY_NOW]


def test_a_reply_that_is_sent_twice_at_once_is_one(county, pupil):
    county.submit(pupil, "phq9", phq9(total=11))
    county.assess(pupil, send=True)

    def act(session):
        referral = county.referrals(session, pupil)[-1]
        said = Said(ReplyKind.RECEIVED)
        replies.arrive(
            session, referral=referral, said=said, facility_code_right=False, now=county.clock.now()
        )

    assert both_at_once(county, act) == []
    with county.database.look() as session:
        assert session.scalar(select(func.count()).select_from(ReferralReply)) == 1


def test_what_a_colleague_has_decided_meanwhile_is_read_before_deciding_again(county, pupil):
    with county.database.begin() as session:
        row = worry(county)(session)
        session.flush()
        session.execute(
            update(Worry)
            .values(settled_at=county.clock.now(), decision=WorryEnd.NOT_OURS)
            .execution_options(synchronize_session=False)
        )
        with pytest.raises(PolicyViolation, match="already"):
            worries.settle(
                session,
                actor=county.actors["counsellor"],
                worry=row,
                decision=WorryEnd.NOT_OURS,
                reason="已核对",
                now=county.clock.now(),
            )
    county.submit(pupil, "phq9", phq9(total=11))
    county.assess(pupil, send=True)
    with county.database.begin() as session:
        referral, now = county.referrals(session, pupil)[-1], county.clock.now()
        reply = replies.arrive(
            session, referral=referral, said=Said(ReplyKind.RECEIVED), facility_code_right=False, now=now
        )
        session.flush()
        session.execute(
            update(ReferralReply)
            .values(settled_at=now, result=ReplyResult.SET_ASIDE)
            .execution_options(synchronize_session=False)
        )
        with pytest.raises(PolicyViolation, match="already"):
            replies.confirm(
                session,
                actor=county.actors["counsellor"],
                case=county.case(session, pupil),
                referral=referral,
                reply=reply,
                with_whom="分诊台",
                now=now,
            )


def test_danger_about_nobody_knows_whom_falls_to_the_lead_with_the_rest():
    assert TaskKind.WORRY_NOW in URGENT_KINDS
