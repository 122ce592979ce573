"""Calls: nothing is needed while the line is open, no save is lost or doubled, closing asks for what is missing."""

from __future__ import annotations

from datetime import timedelta
from itertools import permutations

import pytest
from sqlalchemy import select, text

from referral.actions import hotline
from referral.deadlines import default_limits
from referral.models.case import Case
from referral.models.crisis import CrisisEpisode
from referral.models.hotline import HotlineCall, HotlineFollowUp, HotlineLink
from referral.models.notice import Notice
from referral.models.task import Task
from referral.queries import hotline as queries
from referral.states import CALL_TRANSITIONS, CallFacts, HandoverFact, call_status, can_transition
from referral.terms import (
    CallerAgreement,
    CallGuard,
    CallLevel,
    CallStatus,
    DisclosureBasis,
    FollowUpStatus,
    HandoverTo,
    TaskKind,
)
from screening.core.audit import AuditEvent, AuditRow
from screening.core.clock import LOCAL, local_day
from screening.core.errors import InvalidInput, NotFound, NotPermitted, PolicyViolation
from tests.referral.switchboard import Switchboard

NO_WORD = {"agreed": CallerAgreement.NOT_ASKED, "basis": DisclosureBasis.DANGER_TO_LIFE}


@pytest.fixture
def world(database, clock):
    return Switchboard(database, clock)


def record(world, call_id):
    with world.database.begin() as session:
        return queries.record_of(world.call(session, call_id))


# --- A19 ---------------------------------------------------------------------------------------------------


def test_a19_an_anonymous_call_of_level_a_goes_to_police_and_ambulance_and_touches_no_child(world):
    world.enrol(2)
    call_id = world.ring()
    world.triage(call_id, CallLevel.A)
    world.save(call_id, 1, place_now="南门大桥上")
    phoned = world.clock.now()
    for to in (HandoverTo.POLICE_110, HandoverTo.AMBULANCE_120):
        world.hand_over(
            call_id, to, what_said="", place=None, phoned_at=phoned, received_by="110 指挥中心 07 号",
            acknowledged_at=phoned, **NO_WORD,
        )  # fmt: skip
    world.do(hotline.hang_up, call_id)

    with world.database.look() as session:
        call = session.get_one(HotlineCall, call_id)
        assert call.status is CallStatus.HANDOVER_ACKNOWLEDGED
        sent = queries.handovers_of(session, call=call)
        assert [(row.to, row.phoned_at, row.acknowledged_at) for row in sent] == [
            (HandoverTo.POLICE_110, phoned, phoned),
            (HandoverTo.AMBULANCE_120, phoned, phoned),
        ]
        assert {row.organisation_id for row in sent} == {None}
        for model in (Case, CrisisEpisode, HotlineLink):
            assert session.scalars(select(model)).all() == []
        touched = session.scalars(
            select(AuditRow.event).where(
                AuditRow.child_id.is_not(None),
                AuditRow.event.not_in((AuditEvent.CHILD_ENROL, AuditEvent.CONSENT_RECORD)),
            )
        ).all()
        assert touched == []


def test_a_call_stays_anonymous_to_its_end(world):
    call_id = world.ring(
        CallLevel.B, type="crisis", summary="不愿说名字,想今晚离开。", confidentiality_told=True,
        strength=8, hopeless=7, no_handover_why="不知道是谁,在哪里。",
    )  # fmt: skip
    assert world.do(hotline.hang_up, call_id) == ()
    world.do(hotline.review, call_id, by="supervisor", words="处置得当。")
    world.do(hotline.close, call_id)
    with world.database.look() as session:
        call = session.get_one(HotlineCall, call_id)
        assert call.status is CallStatus.CLOSED
        assert call.phone_sealed is None
        assert not {"caller_name", "child_name"} & queries.record_of(call).keys()


# --- saving ------------------------------------------------------------------------------------------------


def test_nothing_is_needed_while_the_line_is_open(world):
    call_id = world.ring()
    saved = world.save(call_id, 1)
    assert (saved.sequence, saved.refused) == (0, {})
    assert world.status(call_id) is CallStatus.OPEN
    assert world.do(hotline.hang_up, call_id) == (
        CallGuard.TYPE, CallGuard.LEVEL, CallGuard.SUMMARY, CallGuard.CONFIDENTIALITY_TOLD,
    )  # fmt: skip
    assert world.line(TaskKind.CALL_FINISH, call_id) is not None


def test_saves_are_merged_field_by_field_and_empty_is_emptied(world):
    call_id = world.ring()
    world.save(call_id, 1, summary="说到学校", caller="peer", strength=4, topics=["bullying", "sleep"])
    world.save(call_id, 2, summary="说到学校和家里", callback_ok=True)
    world.save(call_id, 3, strength=None)
    assert record(world, call_id) == {"summary": "说到学校和家里", "topics": ["bullying", "sleep"]}
    with world.database.look() as session:
        call = session.get_one(HotlineCall, call_id)
        assert (call.caller, call.callback_ok) == ("peer", True)


@pytest.mark.parametrize("order", list(permutations((1, 2, 3))))
def test_the_latest_save_of_each_field_wins_in_whatever_order_they_arrive(world, order):
    call_id = world.ring()
    parts = {
        1: {"summary": "一", "place_now": "桥上"},
        2: {"summary": "二", "quotes": "好累"},
        3: {"place_now": "桥下"},
    }
    for sequence in (*order, *order):
        saved = world.save(call_id, sequence, **parts[sequence])
    assert record(world, call_id) == {"summary": "二", "quotes": "好累", "place_now": "桥下"}
    assert saved.sequence == 3


def test_the_same_save_again_changes_nothing_not_even_the_version(world):
    call_id = world.ring()
    first = world.save(call_id, 7, summary="一", mood_of_operator=2)
    assert world.save(call_id, 7, summary="另一段", mood_of_operator=1) == first
    assert record(world, call_id)["summary"] == "一"


def test_what_is_not_understood_is_named_and_the_rest_is_stored(world):
    call_id = world.ring()
    saved = world.save(
        call_id, 1, summary="留下", strength=11, hopeless=True, caller="aunt", alone="yes", level="A", phone=5
    )
    assert set(saved.refused) == {"strength", "hopeless", "caller", "alone", "level", "phone"}
    assert saved.refused["strength"].params == {"low": 0, "high": 10}
    assert record(world, call_id) == {"summary": "留下"}
    # Refused is not saved: the corrected value counts, even in a save of the same number.
    assert world.save(call_id, 1, strength=9).refused == {}
    assert record(world, call_id)["strength"] == 9


def test_a_long_summary_is_kept_and_asked_to_be_shorter_when_the_line_is_closed(world):
    call_id = world.ring(CallLevel.D, type="information", confidentiality_told=False, summary="长" * 501)
    assert world.do(hotline.hang_up, call_id) == (CallGuard.SUMMARY,)
    world.save(call_id, 2, summary="短")
    assert world.do(hotline.hang_up, call_id) == ()
    assert world.line(TaskKind.CALL_FINISH, call_id) is None


def test_a_closed_call_is_not_written_any_more(world):
    call_id = world.ring(type="silent")
    world.do(hotline.hang_up, call_id)
    world.do(hotline.close, call_id)
    with pytest.raises(PolicyViolation):
        world.save(call_id, 9, summary="迟到")


def test_an_open_call_leaves_start_and_end_in_the_trail_and_every_later_change(world):
    call_id = world.ring()
    for sequence in range(1, 6):
        world.save(call_id, sequence, summary=f"第{sequence}段")
    world.save(call_id, 6, by="supervisor", quotes="督导记下")
    world.do(hotline.hang_up, call_id)
    world.save(call_id, 7, summary="补写")
    with world.database.look() as session:
        events = session.scalars(
            select(AuditRow.event)
            .where(AuditRow.subject_id == call_id, AuditRow.event != AuditEvent.CALL_READ)
            .order_by(AuditRow.at)
        ).all()
    assert sorted(events) == ["call.end", "call.save", "call.save", "call.start"]


# --- what is sealed ----------------------------------------------------------------------------------------


def test_phone_names_and_words_stand_nowhere_in_the_clear(world):
    call_id = world.ring(
        phone="13912345678",
        caller_name="乐正小满",
        child_name="司徒明月",
        child_school="白石一中",
        summary="很长的话",
    )
    with world.database.look() as session:
        row = session.execute(text("SELECT * FROM hotline_call")).mappings().one()
    stored = b"\n".join(
        bytes(v) if isinstance(v, bytes | memoryview) else str(v).encode() for v in row.values()
    )
    for secret in ("13912345678", "乐正小满", "司徒明月", "白石一中", "很长的话"):
        assert secret.encode() not in stored
    with world.database.begin() as session:
        call = world.call(session, call_id)
        assert call.phone_index == session.info["keyring"].blind("hotline_call.phone", "139 1234 5678")


def test_the_number_is_shown_for_a_and_b_after_a_supervisor_has_approved(world):
    call_id = world.ring(CallLevel.C, phone="13912345678")
    with pytest.raises(PolicyViolation):
        world.do(hotline.ask_phone, call_id)
    world.triage(call_id, CallLevel.B)
    with pytest.raises(PolicyViolation):
        world.do(queries.phone_of, call_id)
    world.do(hotline.ask_phone, call_id)
    for who, refusal in (("operator", NotPermitted), ("colleague", NotPermitted)):
        with pytest.raises(refusal):
            world.do(hotline.approve_phone, call_id, by=who)
    world.do(hotline.approve_phone, call_id, by="supervisor")
    assert world.do(queries.phone_of, call_id) == "13912345678"
    world.triage(call_id, CallLevel.D)
    with pytest.raises(PolicyViolation):
        world.do(queries.phone_of, call_id)


@pytest.mark.parametrize("own", ["operator", "asked"])
def test_no_supervisor_shows_a_number_to_themselves(world, own):
    call_id = world.ring(
        CallLevel.A, by="supervisor" if own == "operator" else "operator", phone="13912345678"
    )
    world.do(hotline.ask_phone, call_id, by="supervisor")
    with pytest.raises(PolicyViolation):
        world.do(hotline.approve_phone, call_id, by="supervisor")


def test_a_caller_who_phones_again_is_recognised_without_reading_the_number(world):
    first, other = world.ring(phone="139-1234-5678"), world.ring(phone="13900000000")
    again = world.ring(phone="139 1234 5678")
    with world.database.begin() as session:
        call = world.call(session, again)
        found = queries.earlier_calls(session, actor=world.actors["operator"], call=call)
        assert [each.id for each in found] == [first]
        assert other not in {each.id for each in found}


# --- who sees calls ----------------------------------------------------------------------------------------

AT_THE_HOTLINE = {"operator", "colleague", "supervisor"}


def test_calls_are_seen_at_that_hotline_only(world):
    call_id = world.ring(CallLevel.A)
    for name, actor in world.actors.items():
        with world.database.begin() as session:
            seen = session.scalars(queries.calls_visible_to(actor)).all()
            assert bool(seen) is (name in AT_THE_HOTLINE), name
        with world.database.begin() as session:
            if name in AT_THE_HOTLINE:
                world.call(session, call_id, name)
                continue
            with pytest.raises((NotFound, NotPermitted)):
                world.call(session, call_id, name)


@pytest.mark.parametrize("by", ["operator", "supervisor"])
def test_only_a_supervisor_reviews_and_never_their_own_call(world, by):
    call_id = world.ring(CallLevel.B, by=by)
    with pytest.raises((NotPermitted, PolicyViolation)):
        world.do(hotline.review, call_id, by=by, words="看过")


def test_another_hotline_cannot_write_in_a_call(world):
    call_id = world.ring()
    with world.database.begin() as session:
        call = world.call(session, call_id)
        for act in (
            lambda s, a: hotline.save(s, actor=a, call=call, fields={}, sequence=1, now=world.clock.now()),
            lambda s, a: hotline.triage(s, actor=a, call=call, level=CallLevel.A, now=world.clock.now()),
            lambda s, a: hotline.close(s, actor=a, call=call, now=world.clock.now()),
        ):
            with pytest.raises(NotPermitted):
                act(session, world.actors["elsewhere"])


# --- level, review, follow-ups, closing --------------------------------------------------------------------


def test_level_a_rings_a_supervisor_and_asks_for_a_review_within_a_day(world):
    call_id = world.ring(CallLevel.A)
    task = world.line(TaskKind.CALL_REVIEW, call_id)
    assert task is not None
    assert world.who(task.owner_id) == "supervisor"
    assert task.due_at == world.clock.now() + timedelta(hours=24)
    with world.database.look() as session:
        notices = session.scalars(select(Notice).where(Notice.task_id == task.id)).all()
        assert [(world.who(n.account_id), n.urgent) for n in notices] == [("supervisor", True)]


def test_each_level_pressed_is_on_record(world):
    call_id = world.ring(CallLevel.D)
    world.clock.forward(timedelta(minutes=2))
    world.triage(call_id, CallLevel.A)
    with world.database.look() as session:
        levels = [row.level for row in session.get_one(HotlineCall, call_id).history]
    assert levels == [None, CallLevel.D, CallLevel.A]


def test_a_and_b_are_phoned_after_a_day_three_seven_and_thirty_where_the_caller_wants_it(world):
    call_id = world.ring(CallLevel.B, callback_ok=True)
    world.do(hotline.hang_up, call_id)
    assert world.status(call_id) is CallStatus.UNLINKED
    world.save(call_id, 2, phone="13912345678")
    ended = world.clock.now()
    with world.database.look() as session:
        rows = session.scalars(select(HotlineFollowUp).order_by(HotlineFollowUp.due_at)).all()
        assert [row.due_at - ended for row in rows] == [timedelta(days=n) for n in (1, 3, 7, 30)]
        contacts = [row.id for row in rows]
    assert world.status(call_id) is CallStatus.FOLLOW_UP_DUE
    assert world.line(TaskKind.CALL_FOLLOW_UP, contacts[0]).due_at == ended + timedelta(days=1)
    assert world.line(TaskKind.CALL_FOLLOW_UP, contacts[1]) is None

    _contact(world, call_id, contacts[0], made=True, words="好些了")
    assert world.line(TaskKind.CALL_FOLLOW_UP, contacts[0]) is None
    assert world.line(TaskKind.CALL_FOLLOW_UP, contacts[1]) is not None
    with pytest.raises(InvalidInput):
        _contact(world, call_id, contacts[1], made=False, words=" ")
    _contact(world, call_id, contacts[1], made=False, words="无人接听")
    world.do(hotline.cancel_follow_ups, call_id, reason="本人不愿再接电话")
    with world.database.look() as session:
        states = session.scalars(select(HotlineFollowUp.status).order_by(HotlineFollowUp.due_at)).all()
    assert states == [FollowUpStatus.DONE, FollowUpStatus.MISSED, *[FollowUpStatus.CANCELLED] * 2]
    assert world.status(call_id) is CallStatus.UNLINKED


def _contact(world, call_id, contact_id, **more):
    with world.database.begin() as session:
        call = world.call(session, call_id)
        contact = queries.get_call_follow_up(session, call=call, follow_up_id=contact_id)
        hotline.follow_up(
            session, actor=world.actors["operator"], call=call, contact=contact, now=world.clock.now(), **more
        )


@pytest.mark.parametrize("level", [CallLevel.C, CallLevel.D])
def test_others_are_not_phoned(world, level):
    call_id = world.ring(level, callback_ok=True, phone="13912345678")
    world.do(hotline.hang_up, call_id)
    with world.database.look() as session:
        assert session.scalars(select(HotlineFollowUp)).all() == []


@pytest.mark.parametrize("kind", ["silent", "prank", "wrong"])
def test_a_coded_call_closes_without_more(world, kind):
    call_id = world.ring(type=kind)
    assert world.do(hotline.hang_up, call_id) == ()
    world.do(hotline.close, call_id)
    assert world.status(call_id) is CallStatus.CLOSED


def test_closing_names_what_is_missing(world):
    call_id = world.ring(CallLevel.A, harm_by="home")
    with pytest.raises(PolicyViolation) as refused:
        world.do(hotline.close, call_id)
    assert refused.value.params["missing"].split(", ") == [
        "ended", "type", "summary", "confidentiality_told", "scales", "handover", "supervisor_review",
        "mandatory_report",
    ]  # fmt: skip


def test_suspected_harm_is_a_report_to_be_written_within_two_hours_until_it_is_withdrawn(world):
    call_id = world.ring(CallLevel.C, harm_by="home")
    task = world.line(TaskKind.MANDATORY_REPORT, call_id)
    assert task.due_at == world.clock.now() + timedelta(hours=2)
    assert task.organisation_id == world.places["hotline"].id
    world.save(call_id, 2, harm_by="none")
    assert world.line(TaskKind.MANDATORY_REPORT, call_id) is None


def test_a_heavy_call_asks_a_supervisor_to_talk_with_the_operator_once(world):
    call_id = world.ring(mood_of_operator=3)
    task = world.line(TaskKind.CALL_DEBRIEF, call_id)
    assert world.who(task.owner_id) == "supervisor"
    assert local_day(task.due_at) > world.clock.today()
    world.save(call_id, 2, mood_of_operator=1)
    world.save(call_id, 3, mood_of_operator=3)
    with world.database.look() as session:
        assert len([t for t in world.tasks(session).values() if t.kind is TaskKind.CALL_DEBRIEF]) == 1


def test_a_follow_up_keeps_the_hour_of_the_call(world):
    from datetime import datetime

    world.clock.set(datetime(2026, 10, 31, 23, 40, tzinfo=LOCAL))
    call_id = world.ring(CallLevel.A, callback_ok=True, phone="13912345678")
    world.do(hotline.hang_up, call_id)
    with world.database.look() as session:
        due = session.scalars(select(HotlineFollowUp.due_at).order_by(HotlineFollowUp.due_at)).first()
    assert due == datetime(2026, 11, 1, 23, 40, tzinfo=LOCAL)


# --- confidentiality ---------------------------------------------------------------------------------------


def test_confidentiality_is_broken_by_two_people_with_a_reason(world):
    call_id = world.ring(CallLevel.B)
    with pytest.raises(PolicyViolation):
        world.do(hotline.decide_disclosure, call_id, by="supervisor", approved=True, reason="危及生命")
    world.do(hotline.ask_disclosure, call_id, by="supervisor", basis=DisclosureBasis.LAW, reason="依法报告")
    with pytest.raises(PolicyViolation):
        world.do(hotline.decide_disclosure, call_id, by="supervisor", approved=True, reason="自己批自己")
    with pytest.raises(NotPermitted):
        world.do(hotline.decide_disclosure, call_id, by="colleague", approved=True, reason="同事批")


def test_a_refused_request_leaves_confidentiality_standing(world):
    call_id = world.ring(CallLevel.B)
    world.do(hotline.ask_disclosure, call_id, basis=DisclosureBasis.LAW, reason="依法报告")
    with pytest.raises(InvalidInput):
        world.do(hotline.decide_disclosure, call_id, by="supervisor", approved=False, reason=" ")
    world.do(hotline.decide_disclosure, call_id, by="supervisor", approved=False, reason="先再征求本人")
    assert world.line(TaskKind.CALL_DISCLOSURE, call_id) is None
    with pytest.raises(PolicyViolation):
        world.hand_over(call_id, HandoverTo.SCHOOL_DUTY, **NO_WORD)


# --- the machine -------------------------------------------------------------------------------------------


def facts(**changes):
    values = {
        "level": None, "type": None, "ended": False, "linked": False, "was_linked": False, "handovers": (),
        "follow_ups_due": False, "summary": 0, "confidentiality_told": False, "scales": False,
        "why_no_handover": False, "harm_by": None, "review_asked": False, "reviewed": False,
        "disclosure_open": False, "report_open": False,
    }  # fmt: skip
    return CallFacts(**{**values, **changes})


def _shapes():
    sent = (HandoverFact(HandoverTo.SCHOOL_DUTY, False, False),)
    heard = (HandoverFact(HandoverTo.SCHOOL_DUTY, True, False),)
    for level in (CallLevel.A, CallLevel.D):
        for ended in (False, True):
            for linked, was_linked in ((False, False), (True, True), (False, True)):
                for handovers in ((), sent, heard):
                    for due in (False, True) if ended else (False,):
                        yield facts(
                            level=level, ended=ended, linked=linked, was_linked=was_linked,
                            handovers=handovers, follow_ups_due=due,
                        )  # fmt: skip


def _one_step(before, after):
    """What can happen between two looks: forwards only for the end of the line and for a first link."""
    if before.ended and not after.ended:
        return False
    if before.was_linked and not after.was_linked:
        return False
    rank = {(): 0, False: 1, True: 2}
    stage = [rank[f.handovers[0].acknowledged if f.handovers else ()] for f in (before, after)]
    if stage[0] and not stage[1]:
        return False
    changed = (
        (before.level is not after.level) + (before.ended != after.ended)
        + ((before.linked, before.was_linked) != (after.linked, after.was_linked))
        + (stage[0] != stage[1]) + (before.follow_ups_due != after.follow_ups_due)
    )  # fmt: skip
    # Handing over and acknowledging are two steps, each with its row.
    return changed == 1 and stage[1] - stage[0] < 2


def test_whatever_happens_to_a_call_its_next_status_can_be_reached():
    stuck = {
        (call_status(before).value, call_status(after).value)
        for before in _shapes()
        for after in _shapes()
        if _one_step(before, after)
        and (one := call_status(before)) is not (other := call_status(after))
        and not can_transition(CALL_TRANSITIONS, one, other)
    }
    # Acknowledging moves to HANDOVER_ACKNOWLEDGED first, and from there to what the facts say.
    assert stuck <= {("handover_sent", "follow_up_due")}


def test_the_name_of_every_time_limit_fits_the_column_of_a_task():
    """SQLite stores what is too long; PostgreSQL refuses it, on the night it matters."""
    longest = max(map(len, default_limits().rows))
    assert longest <= Task.__table__.c.clock.type.length
