"""Answers without an account: what waits, what is carried out after the call, what the school types in (decision 21).

The clock stands at Wednesday 14 October 2026, ten in the morning.
"""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import date, datetime, timedelta

import pytest
from sqlalchemy import func, select

from referral.actions import answers, clocks, escalations, referrals, replies, reply_codes, return_notes
from referral.actions.replies import Said
from referral.actions.return_notes import ReturnNoteIn
from referral.models.referral import Referral, ReferralStatusChange
from referral.models.reply import FacilityCode, ReferralReply, ReplyCode
from referral.models.task import TaskRing
from referral.queries.replies import facility_code_hash, find_by_token, registered_phone, token_of
from referral.terms import (
    Attendance,
    DeclineReason,
    Finding,
    NoShowReason,
    Outcome,
    PlanStatus,
    ReferralStatus,
    ReplyKind,
    ReplyResult,
    ReplySource,
    RiskNow,
    TaskKind,
)
from screening.core.actor import Actor
from screening.core.audit import AuditEvent, AuditRow
from screening.core.clock import LOCAL
from screening.core.errors import InvalidInput, NotFound, NotPermitted, PolicyViolation
from screening.models.child import AccessGrant
from tests.referral.county import phq9

K, S, R = TaskKind, ReferralStatus, ReplyKind
RARE = "王䶮𬍡㛃彧玥〇"


def at(day: int, hour: int = 9, minute: int = 0) -> datetime:
    return datetime(2026, 10, day, hour, minute, tzinfo=LOCAL)


NOTE = ReturnNoteIn(
    visit_on=date(2026, 10, 14),
    outcome=Outcome.OUTPATIENT_CARE,
    finding=Finding.NEEDS_CARE,
    assessor_saw_probability=False,
    risk_now=RiskNow.LOW,
    attendance=Attendance.FULL,
    advice='{"clinician": "' + RARE + '", "school_advice": "作业适当减量"}',
    clinical='{"summary": "门诊随访"}',
    next_visit_on=date(2026, 11, 4),
    guardian_agreed=True,
)
APPOINTMENT = Said(R.APPOINTMENT, at=at(16), place="门诊三楼 找" + RARE)


@pytest.fixture
def sent(county, pupil):
    """A child who was seen, and whose referral was sent by press."""
    county.submit(pupil, "phq9", phq9(total=11))
    county.assess(pupil, send=True)
    return pupil


def referral_of(county, session, pupil) -> Referral:
    return county.referrals(session, pupil)[-1]


def say(county, pupil, said: Said, *, code: bool = False) -> None:
    """What somebody who holds the note sends."""
    with county.database.begin() as session:
        referral = referral_of(county, session, pupil)
        replies.arrive(
            session, referral=referral, said=said, facility_code_right=code, now=county.clock.now()
        )


def decide(
    county, pupil, what=replies.confirm, by: str = "counsellor", nth: int | None = None, **words
) -> None:
    """The school deals with the reply that waits longest, or with the nth of all."""
    with county.database.begin() as session:
        referral = referral_of(county, session, pupil)
        waiting = [reply for reply in referral.replies if reply.settled_at is None]
        reply = waiting[0] if nth is None else referral.replies[nth]
        words = words or {"with_whom": "分诊台 " + RARE}
        what(
            session,
            actor=county.actors[by],
            case=county.case(session, pupil),
            referral=referral,
            reply=reply,
            now=county.clock.now(),
            **words,
        )


def type_in(county, pupil, said: Said, *, by: str = "counsellor", **more) -> None:
    values = {"source": ReplySource.PAPER, "with_whom": "白芷(签字)", **more}
    with county.database.begin() as session:
        replies.type_in(
            session,
            actor=county.actors[by],
            case=county.case(session, pupil),
            referral=referral_of(county, session, pupil),
            said=said,
            now=county.clock.now(),
            **values,
        )


def press(county, pupil, what, by: str, **more) -> None:
    with county.database.begin() as session:
        referral = referral_of(county, session, pupil)
        case = county.case(session, pupil)
        what(session, actor=county.actors[by], case=case, referral=referral, now=county.clock.now(), **more)


def status(county, pupil) -> ReferralStatus:
    with county.database.begin() as session:
        return referral_of(county, session, pupil).status


class TestTheCodesOfANote:
    def test_they_are_made_when_it_leaves_and_stored_as_fingerprints_only(self, county, pupil):
        county.submit(pupil, "phq9", phq9(total=11))
        with county.database.begin() as session:
            assert session.scalar(select(func.count()).select_from(ReplyCode)) == 0
        county.assess(pupil, send=True)

        with county.database.begin() as session:
            referral = referral_of(county, session, pupil)
            token, [own] = token_of(referral), session.scalars(select(ReplyCode)).all()
            assert token.encode() not in own.token_index + own.code_index + referral.frozen_sealed
            assert find_by_token(session, token=token.lower()).id == referral.id
            assert find_by_token(session, token=token[:-1] + ("0" if token[-1] != "0" else "1")) is None

    def test_five_wrong_tries_tell_the_school_and_stop_the_typed_code_for_a_while(self, county, sent):
        def token_for(code: str, number: str | None = None) -> str | None:
            with county.database.begin() as session:
                form_no = number or referral_of(county, session, sent).form_no
                return reply_codes.token_for(session, form_no=form_no, code=code, now=county.clock.now())

        with county.database.begin() as session:
            right = json.loads(referral_of(county, session, sent).frozen)["reply_code"]
            token = token_of(referral_of(county, session, sent))
        assert token_for(f"{right[:5]}-{right[5:]}".lower()) == token
        assert token_for(right, "000000000") is None
        for _ in range(4):
            assert token_for("0123456789") is None
        assert token_for(right) == token  # a right one begins the count anew
        for _ in range(4):
            assert token_for("0123456789") is None
        with county.database.begin() as session:
            assert K.REPLY_TRIED not in county.tasks(session, sent)
        assert token_for("0123456789") is None
        with county.database.begin() as session:
            task = county.tasks(session, sent)[K.REPLY_TRIED]
            assert county.who(task.owner_id) == "counsellor"
            assert find_by_token(session, token=token) is not None  # the QR goes on
        assert token_for(right) is None  # the same answer as for a wrong one
        county.clock.forward(timedelta(minutes=61))
        assert token_for(right) == token

    @pytest.mark.parametrize("end", ["withdraw", "decline"])
    def test_they_are_good_until_the_referral_ends(self, county, sent, end):
        with county.database.begin() as session:
            token = token_of(referral_of(county, session, sent))
        say(county, sent, Said(R.RECEIVED))
        if end == "withdraw":
            with county.database.begin() as session:
                referrals.withdraw(
                    session,
                    actor=county.actors["counsellor"],
                    referral=referral_of(county, session, sent),
                    reason="家长已自行就诊",
                    now=county.clock.now(),
                )
        else:
            press(county, sent, answers.decline, "intake", reason=DeclineReason.FULL, better_place="无")
        with county.database.begin() as session:
            assert find_by_token(session, token=token) is None
            # What waited waits for nobody now; after a refusal the school still decides.
            [reply] = referral_of(county, session, sent).replies
            assert reply.result is (ReplyResult.SET_ASIDE if end == "withdraw" else None)
            assert (K.REPLY_VERIFY in county.tasks(session, sent)) is (end == "decline")
        with pytest.raises(NotFound):
            say(county, sent, Said(R.RECEIVED))


class TestAnUnverifiedReply:
    def test_it_lowers_nothing_and_closes_nothing(self, county, sent):
        with county.database.begin() as session:
            due = referral_of(county, session, sent).answer_due_at
        for said in (Said(R.RECEIVED), APPOINTMENT, Said(R.RETURN_NOTE, note=NOTE)):
            say(county, sent, said, code=True)

        with county.database.begin() as session:
            referral, open_ones = referral_of(county, session, sent), county.tasks(session, sent)
            assert (referral.status, referral.answer_due_at) == (S.SENT, due)
            assert referral.appointment_at is None
            assert not referral.return_notes
            assert {K.REFERRAL_ANSWER, K.REPLY_VERIFY} <= set(open_ones)
            assert session.scalars(select(AccessGrant.ended_at)).all() == [None]
            assert county.plans(session, sent)[-1].status is not PlanStatus.REVIEW_DUE

        county.clock.set(due)  # the clock runs out all the same, and the ladder rings
        with county.database.begin() as session:
            assert clocks.run(session, now=due) == 1
        assert status(county, sent) is S.EXPIRED_NO_ANSWER
        with county.database.begin() as session:
            verify = county.tasks(session, sent)[K.REPLY_VERIFY]
            county.clock.set(verify.due_at)
            assert escalations.tick(session, now=verify.due_at) >= 1
            rung = session.scalars(select(TaskRing.step).where(TaskRing.task_id == verify.id))
            assert 1 in rung.all()

    def test_a38_without_the_facilitys_code_only_three_things_can_be_said(self, county, sent):
        for kind in set(R) - {R.RECEIVED, R.APPOINTMENT, R.DID_NOT_COME}:
            with pytest.raises(PolicyViolation):
                say(county, sent, Said(kind, note=NOTE))
        for kind in set(R) - replies.BY_CODE - {R.RETURN_NOTE}:
            with pytest.raises(PolicyViolation):  # and with it only the return note more
                say(county, sent, Said(kind, note=NOTE), code=True)
        with county.database.begin() as session:
            assert session.scalar(select(func.count()).select_from(ReferralReply)) == 0

    def test_the_same_again_is_nothing_and_another_takes_its_place(self, county, sent):
        for _ in range(2):
            say(county, sent, APPOINTMENT)
        say(county, sent, replace(APPOINTMENT, at=at(19)))
        with county.database.begin() as session:
            rows = referral_of(county, session, sent).replies
            assert [row.result for row in rows] == [ReplyResult.REPLACED, None]

    def test_what_cannot_be_is_refused_at_once(self, county, sent):
        for said in (
            replace(APPOINTMENT, at=at(13)),
            replace(APPOINTMENT, at=None),
            Said(R.DID_NOT_COME, at=at(20)),
            Said(R.RETURN_NOTE),
            Said(R.RETURN_NOTE, note=replace(NOTE, visit_on=date(2026, 10, 15))),
            Said(R.RETURN_NOTE, note=replace(NOTE, next_visit_on=date(2026, 10, 1))),
        ):
            with pytest.raises(InvalidInput):
                say(county, sent, said, code=True)

    def test_without_the_guardians_agreement_the_clinical_part_is_not_even_stored(self, county, sent):
        say(county, sent, Said(R.RETURN_NOTE, note=replace(NOTE, guardian_agreed=False)), code=True)
        with county.database.begin() as session:
            [row] = referral_of(county, session, sent).replies
            assert "门诊随访" not in row.said
            assert Said.from_text(row.said).note == replace(NOTE, guardian_agreed=False, clinical=None)

    def test_what_was_said_comes_back_as_it_was(self):
        for said in (
            APPOINTMENT,
            Said(R.RETURN_NOTE, note=NOTE),
            Said(R.DECLINED, decline_reason=DeclineReason.FULL, better_place="市医院"),
            Said(R.DID_NOT_COME, no_show_reason=NoShowReason.WORK),
        ):
            assert Said.from_text(said.as_text()) == said


class TestVerifiedByTelephone:
    def test_it_is_carried_out_as_the_facilitys_own_and_the_trail_names_both(self, county, sent):
        say(county, sent, APPOINTMENT)
        decide(county, sent)

        with county.database.begin() as session:
            referral = referral_of(county, session, sent)
            assert (referral.status, referral.appointment_at) == (S.SCHEDULED, at(16))
            assert referral.appointment_place == APPOINTMENT.place
            [reply] = referral.replies
            counsellor, clinic = county.actors["counsellor"].account_id, county.places["clinic"].id
            assert (reply.settled_by, reply.with_whom) == (counsellor, "分诊台 " + RARE)
            steps = [row for row in referral.history if row.reply_id == reply.id]
            assert [row.status for row in steps] == [S.RECEIVED, S.ACCEPTED, S.SCHEDULED]
            assert {row.changed_by for row in steps} == {counsellor}
            trail = session.scalars(
                select(AuditRow).where(
                    AuditRow.event == AuditEvent.REFERRAL_CHANGE, AuditRow.on_behalf_of == clinic
                )
            ).all()
            assert len(trail) == 3
            assert {row.account_id for row in trail} == {counsellor}
            assert registered_phone(session, referral=referral) == "0571-0000001"  # the one on record
            assert K.REPLY_VERIFY not in county.tasks(session, sent)
            assert K.REFERRAL_ANSWER not in county.tasks(session, sent)
            assert K.ATTENDANCE_CHECK in county.tasks(session, sent)

    def test_an_outcome_takes_the_missing_steps_with_it(self, county, sent):
        say(county, sent, Said(R.RETURN_NOTE, note=NOTE), code=True)
        decide(county, sent)

        with county.database.begin() as session:
            referral = referral_of(county, session, sent)
            assert referral.status is S.RETURNED
            [note] = referral.return_notes
            assert note.reply_id == referral.replies[0].id
            assert RARE in note.advice
            assert county.plans(session, sent)[-1].status is PlanStatus.REVIEW_DUE
            assert K.RETURN_NOTE_READ in county.tasks(session, sent)

    def test_a_missed_appointment_that_nobody_had_told_needs_its_time(self, county, sent):
        county.clock.set(at(20))
        say(county, sent, Said(R.DID_NOT_COME))
        with pytest.raises(InvalidInput):
            decide(county, sent)
        assert status(county, sent) is S.SENT  # nothing of it is half done
        say(county, sent, Said(R.DID_NOT_COME, at=at(19), no_show_reason=NoShowReason.WORK))
        decide(county, sent)
        with county.database.begin() as session:
            assert referral_of(county, session, sent).status is S.NO_SHOW
            assert K.NO_SHOW_CONTACT in county.tasks(session, sent)

    def test_set_aside_it_changes_nothing_and_stays_on_record(self, county, sent):
        say(county, sent, APPOINTMENT)
        decide(county, sent, replies.set_aside, reason="对方没有预约过")
        with county.database.begin() as session:
            referral = referral_of(county, session, sent)
            assert referral.status is S.SENT
            assert referral.replies[0].result is ReplyResult.SET_ASIDE
            assert K.REPLY_VERIFY not in county.tasks(session, sent)
            assert K.REFERRAL_ANSWER in county.tasks(session, sent)

    def test_nobody_verifies_but_the_school_with_a_name_and_once(self, county, sent):
        say(county, sent, Said(R.RECEIVED))
        for who in ("intake", "clinician"):
            for what, words in ((replies.confirm, {"with_whom": "x"}), (replies.set_aside, {"reason": "x"})):
                with pytest.raises(NotPermitted):
                    decide(county, sent, what, who, **words)
        with pytest.raises(InvalidInput):
            decide(county, sent, with_whom="  ")
        decide(county, sent)
        with pytest.raises(PolicyViolation):
            decide(county, sent, nth=0)


class TestTypedInByTheSchool:
    def test_paper_goes_the_whole_way_with_the_same_clocks(self, county, sent):
        for said, reached, asked in (
            (Said(R.RECEIVED), S.RECEIVED, K.REFERRAL_ANSWER),
            (Said(R.ACCEPTED, contact=RARE), S.ACCEPTED, K.APPOINTMENT),
            (APPOINTMENT, S.SCHEDULED, K.ATTENDANCE_CHECK),
            (replace(APPOINTMENT, at=at(15)), S.SCHEDULED, K.ATTENDANCE_CHECK),
            (Said(R.DID_NOT_COME, no_show_reason=NoShowReason.WORK), S.NO_SHOW, K.NO_SHOW_CONTACT),
            (replace(APPOINTMENT, at=at(14, 15)), S.SCHEDULED, K.ATTENDANCE_CHECK),
            (Said(R.CAME), S.ATTENDED, K.RETURN_NOTE),
            (Said(R.IN_CARE), S.IN_CARE, K.RETURN_NOTE),
            (Said(R.RETURN_NOTE, note=NOTE), S.RETURNED, K.RETURN_NOTE_READ),
        ):
            type_in(county, sent, said)
            with county.database.begin() as session:
                assert referral_of(county, session, sent).status is reached
                assert asked in county.tasks(session, sent), said.kind
        with county.database.begin() as session:
            referral = referral_of(county, session, sent)
            assert {reply.result for reply in referral.replies} == {ReplyResult.TYPED}
            by_them = [row for row in referral.history if row.changed_at and row.reply_id is not None]
            assert len(by_them) == 9
            assert referral.return_notes[0].reply_id is not None

    def test_an_appointment_that_has_passed_can_only_be_told_on_their_behalf(self, county, sent):
        type_in(county, sent, replace(APPOINTMENT, at=at(13)))
        with county.database.begin() as session:
            assert referral_of(county, session, sent).history[-1].reason == "told_afterwards"
        with pytest.raises(InvalidInput):
            press(county, sent, answers.schedule, "intake", at=at(13), place="三楼")

    def test_an_emergency_is_not_declined_on_paper_either(self, county, pupil):
        county.submit(pupil, "asq", {"1": 1, "2": 0, "3": 0, "4": 0, "5": 1})
        with county.database.begin() as session:
            referral = referral_of(county, session, pupil)
            referrals.send(
                session,
                actor=county.actors["counsellor"],
                case=county.case(session, pupil),
                child=county.case(session, pupil).child,
                referral=referral,
                emergency=True,
                escort="林知远",
                now=county.clock.now(),
            )
        with pytest.raises(PolicyViolation):
            type_in(county, pupil, Said(R.DECLINED, decline_reason=DeclineReason.FULL, better_place="无"))

    def test_where_it_comes_from_and_who_types_it_is_asked(self, county, pupil):
        county.submit(pupil, "phq9", phq9(total=20))
        with pytest.raises(PolicyViolation):  # it has not left yet
            type_in(county, pupil, Said(R.RECEIVED))
        county.assess(pupil, send=True)
        for more, refused in (
            ({"source": ReplySource.CODE}, InvalidInput),
            ({"with_whom": " "}, InvalidInput),
            ({"by": "intake"}, NotPermitted),
        ):
            with pytest.raises(refused):
                type_in(county, pupil, Said(R.RECEIVED), **more)


class TestTheMachine:
    def test_received_late_it_has_its_time_to_answer_once_more(self, county, sent):
        county.clock.set(at(30))
        with county.database.begin() as session:
            assert clocks.expire_silent(session, now=county.clock.now()) == 1
        with county.database.begin() as session:
            referral = referral_of(county, session, sent)
            answers.receive(session, actor=county.actors["intake"], referral=referral, now=county.clock.now())
        with county.database.begin() as session:
            assert clocks.run(session, now=county.clock.now()) == 0
            referral = referral_of(county, session, sent)
            assert referral.status is S.RECEIVED
            assert referral.answer_due_at > county.clock.now()
            tasks = county.tasks(session, sent)
            assert K.REFERRAL_ANSWER in tasks
            assert K.REFERRAL_REROUTE not in tasks

    def test_the_school_answers_only_what_was_asked(self, county, sent):
        with pytest.raises(PolicyViolation):
            press(county, sent, answers.tell_more, "counsellor", answer="没有用药")
        assert status(county, sent) is S.SENT  # only the facility says that it has received

    @pytest.mark.parametrize("what", ["accept", "decline"])
    def test_a_facility_that_asked_may_answer_without_waiting(self, county, sent, what):
        press(county, sent, answers.ask_more, "intake", question="近期用药?")
        if what == "accept":
            press(county, sent, answers.accept, "intake", contact=None)
        else:
            press(county, sent, answers.decline, "intake", reason=DeclineReason.FULL, better_place="无")
        with county.database.begin() as session:
            referral = referral_of(county, session, sent)
            assert referral.status is (S.ACCEPTED if what == "accept" else S.DECLINED)
            assert referral.paused_at is None
            assert K.REFERRAL_UPDATE not in county.tasks(session, sent)

    def test_a_further_note_on_paper_after_the_loop_was_closed_is_read_again(self, county, sent):
        type_in(county, sent, Said(R.RETURN_NOTE, note=NOTE))
        for reach in (S.ACKNOWLEDGED, S.COMPLETED):
            with county.database.begin() as session:
                referral = referral_of(county, session, sent)
                actor, case = county.actors["counsellor"], county.case(session, sent)
                both = {"actor": actor, "case": case, "referral": referral, "now": county.clock.now()}
                if reach is S.ACKNOWLEDGED:
                    referrals.acknowledge(session, **both)
                else:
                    referrals.complete(session, plan_status=PlanStatus.CONFIRMED, **both)
            if reach is S.ACKNOWLEDGED:
                say(county, sent, Said(R.RETURN_NOTE, note=NOTE), code=True)
                with pytest.raises(PolicyViolation):  # nothing is closed over a reply nobody has looked at
                    press(county, sent, referrals.complete, "counsellor", plan_status=PlanStatus.CONFIRMED)
                decide(county, sent, replies.set_aside, reason="与纸质单相同")
        type_in(county, sent, Said(R.RETURN_NOTE, note=replace(NOTE, outcome=Outcome.ADMITTED)))
        with county.database.begin() as session:
            referral = referral_of(county, session, sent)
            assert referral.status is S.RETURNED
            assert [note.outcome for note in referral.return_notes] == [
                Outcome.OUTPATIENT_CARE,
                Outcome.ADMITTED,
            ]
            assert {referral.status} <= return_notes.WRITABLE
            rows = session.scalars(
                select(ReferralStatusChange).where(ReferralStatusChange.reply_id.is_(None))
            )
            assert {row.status for row in rows} >= {S.ACKNOWLEDGED, S.COMPLETED}


class TestAFacilitysOwnCode:
    def test_a_new_one_ends_the_former_and_only_a_hash_is_kept(self, county):
        clinic, today = county.places["clinic"], county.clock.today()
        for number in range(2):
            with county.database.begin() as session:
                reply_codes.set_facility_code(
                    session,
                    actor=Actor.system(),
                    facility=clinic,
                    code_hash=f"hash {number}",
                    valid_to=reply_codes.end_of_term(today),
                    now=county.clock.now(),
                )
        with county.database.begin() as session:
            assert facility_code_hash(session, facility_id=clinic.id, today=today) == "hash 1"
            assert facility_code_hash(session, facility_id=clinic.id, today=date(2027, 2, 1)) is None
            assert session.scalar(select(func.count()).select_from(FacilityCode)) == 2
            for who in ("counsellor", "intake", "clinician", "lead"):  # who uses it does not set it
                with pytest.raises(NotPermitted):
                    reply_codes.check_may_set(county.actors[who], clinic)

    @pytest.mark.parametrize(
        ("day", "end"),
        [
            (date(2026, 10, 14), date(2027, 1, 31)),
            (date(2027, 1, 31), date(2027, 1, 31)),
            (date(2027, 2, 1), date(2027, 7, 31)),
            (date(2027, 8, 1), date(2028, 1, 31)),
        ],
    )
    def test_it_is_good_until_the_term_ends(self, day, end):
        assert reply_codes.end_of_term(day) == end
