"""Calls to the made-up 12355 line: one handed to a school and answered, one of level A, one unfinished, one waiting."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta
from uuid import UUID

from api.cli.demo.county import JUNIOR
from api.cli.demo.scene import Scene
from referral.actions import call_support, handovers, hotline
from referral.actions.handovers import HandoverIn
from referral.models.hotline import HandoverRecord, HotlineCall
from referral.queries.hotline import get_call, get_handover, get_place
from referral.terms import (
    CallerAgreement,
    CallerKind,
    CallLevel,
    CallType,
    DisclosureBasis,
    HandoverResult,
    HandoverTo,
    HarmAnswer,
)

OPERATOR = "hotline_operator"


def answered_by_school(scene: Scene) -> None:
    """A classmate rings about a friend; the school's counsellor takes it and writes back the same evening."""
    call_id = _call(
        scene,
        CallLevel.B,
        {
            "caller": CallerKind.PEER,
            "about_caller": False,
            "type": CallType.CRISIS,
            "confidentiality_told": True,
            "child_school": "示范县初级中学",
            "strength": 7,
            "hopeless": 6,
            "harm_by": HarmAnswer.NONE,
            "summary": "同学来电，担心一位朋友：近两周说过不想活，约好周末把攒下的药吃掉。愿意由学校老师去找。",
            "given": "已请来电人今晚不要让朋友独处，并告知 12355 全天可打。",
        },
        minutes=24,
    )
    handover_id = _hand_over(
        scene,
        call_id,
        HandoverIn(
            to=HandoverTo.SCHOOL_DUTY,
            agreed=CallerAgreement.YES,
            what_said="一位学生说过周末要把攒下的药吃掉，近两周睡不好。",
            where_now="今晚在宿舍",
            asked="今晚找到孩子谈一谈，收走药片",
            safe_way="不要在班上公开询问",
        ),
        place=JUNIOR.code,
        after=9,
    )
    at = scene.clock.now() + timedelta(minutes=31)
    with scene.database.begin() as session:
        actor = scene.actor(session, "counsellor.junior")
        row = get_handover(session, actor=actor, handover_id=handover_id, now=at)
        handovers.acknowledge(session, actor=actor, handover=row, now=at)
        handovers.record_result(
            session,
            actor=actor,
            handover=row,
            result=HandoverResult.REACHED,
            words="已见到孩子，药片已交宿管老师，家长在路上。",
            now=at + timedelta(minutes=50),
        )


def level_a_without_a_name(scene: Scene) -> None:
    """Nobody gives a name; ambulance and police are on their way, with their times. A supervisor has yet to review."""
    call_id = _call(
        scene,
        CallLevel.A,
        {
            "type": CallType.CRISIS,
            "place_now": "示范县河东大桥，桥中段人行道",
            "alone": True,
            "strength": 9,
            "summary": "来电人不愿说姓名，在桥上，刚才吃过药。保持通话至民警到达。",
        },
        minutes=38,
    )
    now = scene.clock.now()
    for to, minutes in ((HandoverTo.AMBULANCE_120, 3), (HandoverTo.POLICE_110, 5)):
        _hand_over(
            scene,
            call_id,
            HandoverIn(
                to=to,
                agreed=CallerAgreement.NOT_ASKED,
                basis=DisclosureBasis.DANGER_TO_LIFE,
                where_now="示范县河东大桥，桥中段人行道",
                phoned_at=now + timedelta(minutes=minutes),
                received_by="调度台",
                acknowledged_at=now + timedelta(minutes=minutes + 1),
            ),
            after=minutes + 1,
        )


def unfinished(scene: Scene) -> None:
    """The line is closed and the form has gaps."""
    _call(
        scene,
        CallLevel.C,
        {
            "caller": CallerKind.SELF,
            "about_caller": True,
            "quotes": "一到考试就睡不着",
            "child_grade": "八年级",
        },
        minutes=17,
    )


def waiting_for_county(scene: Scene) -> None:
    """The child is unsafe at home; the county has been told minutes ago and nobody has answered yet."""
    call_id = _call(
        scene,
        CallLevel.B,
        {
            "caller": CallerKind.SELF,
            "about_caller": True,
            "type": CallType.CRISIS,
            "confidentiality_told": True,
            "harm_by": HarmAnswer.HOME,
            "strength": 6,
            "hopeless": 8,
            "summary": "孩子说晚上不敢回家，想过离开；愿意让县里的人来找。",
        },
        minutes=12,
    )
    _hand_over(
        scene,
        call_id,
        HandoverIn(
            to=HandoverTo.COUNTY_CENTRE,
            agreed=CallerAgreement.YES,
            what_said="孩子不敢回家，今晚需要有人见面。",
            where_now="学校附近的文具店",
            asked="今晚见到孩子，安排住处",
            safe_way="不要打家里电话",
        ),
        place="demo-county",
        after=10,
    )


def _call(scene: Scene, level: CallLevel, fields: dict[str, object], *, minutes: int) -> UUID:
    """One call from its first second to the closed line."""
    now = scene.clock.now()
    with scene.database.begin() as session:
        actor = scene.actor(session, OPERATOR)
        hotline_id = scene.county.places["demo-hotline"]
        call = call_support.answer(session, actor=actor, hotline_id=hotline_id, now=now)
        hotline.triage(session, actor=actor, call=call, level=level, now=now + timedelta(minutes=1))
        hotline.save(
            session, actor=actor, call=call, fields=fields, sequence=1, now=now + timedelta(minutes=2)
        )
        hotline.hang_up(session, actor=actor, call=call, now=now + timedelta(minutes=minutes))
        return call.id


def _hand_over(
    scene: Scene, call_id: UUID, handover: HandoverIn, *, after: int, place: str | None = None
) -> UUID:
    at: datetime = scene.clock.now() + timedelta(minutes=after)
    with scene.database.begin() as session:
        actor = scene.actor(session, OPERATOR)
        call: HotlineCall = get_call(session, actor=actor, call_id=call_id, now=at)
        if place is not None:
            found = get_place(session, actor=actor, place_id=scene.county.places[place])
            handover = replace(handover, place=found)
        row: HandoverRecord = handovers.hand_over(session, actor=actor, call=call, handover=handover, now=at)
        return row.id
