"""What people do in the made-up county. Each act is one transaction of one person, at the scene's clock."""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from sqlalchemy.orm import Session

from api.cli.demo.county import JUNIOR
from api.cli.demo.scene import Scene
from instruments import catalogue
from referral import intake
from referral.actions import answers, assessments, plans, referrals, return_notes
from referral.actions.assessments import AssessmentIn
from referral.actions.return_notes import ReturnNoteIn
from referral.disclosure import SafetySign
from referral.models.case import Case
from referral.models.referral import Referral
from referral.models.task import Task
from referral.queries.cases import cases_visible_to
from referral.queries.plan_facts import plan_facts
from referral.queries.referrals import case_of, child_of, get_referral, referrals_visible_to
from referral.queries.signals import worst_signal
from referral.queries.today import tasks_visible_to
from referral.terms import (
    Area,
    Attendance,
    DeclineReason,
    Finding,
    FollowUpChannel,
    HarmAnswer,
    HelpWanted,
    Outcome,
    ReferralKind,
    RiskNow,
    TaskKind,
    Tier,
    Urgency,
)
from screening.core.actor import Actor
from screening.core.clock import LOCAL, local_day
from screening.models.account import Account
from screening.models.administration import Mode
from screening.models.child import Child
from screening.queries.campaigns import get_campaign, list_roster

COUNSELLOR = "counsellor.junior"
_OBSERVED = "近两周情绪低落，睡不好，上课难以集中注意力；愿意谈，提到学业压力大。"
_DONE = "已面谈一次，已与班主任约定每日留意；已约定每周一次校内支持。"
_QUESTION = "是否需要进一步评估，在校如何配合？"
_REASON = "面谈所见与筛查一致，需要进一步了解"


# --- who ---------------------------------------------------------------------------------------------------


def waiting_for_press(session: Session, scene: Scene) -> list[UUID]:
    """Referrals of the junior school that a press would let go to the clinic, in the order of the roll."""
    found = session.scalars(
        referrals_visible_to(Actor.system()).where(
            Referral.sent_at.is_(None),
            Referral.ended_at.is_(None),
            Referral.urgency != Urgency.EMERGENCY,
            Referral.facility_id == scene.county.places["demo-clinic-b"],
        )
    ).all()
    return _of_junior(session, scene, found)


def left_at_once(session: Session, scene: Scene) -> list[UUID]:
    """Triage requests of the junior school that nobody at the clinic has answered."""
    found = session.scalars(
        referrals_visible_to(Actor.system()).where(
            Referral.kind == ReferralKind.TRIAGE_REQUEST,
            Referral.facility_id == scene.county.places["demo-clinic-a"],
        )
    ).all()
    return _of_junior(session, scene, found)


def _of_junior(session: Session, scene: Scene, found: Sequence[Referral]) -> list[UUID]:
    chosen: list[tuple[str, UUID]] = []
    for referral in found:
        case = case_of(session, referral=referral)
        child = child_of(session, case=case)
        if case.organisation_id == scene.county.places[JUNIOR.code] and referrals.consent_stands(
            session, child=child
        ):
            chosen.append((_number(child), referral.id))
    return [referral_id for _, referral_id in sorted(chosen)]


def _number(child: Child) -> str:
    return child.enrolment.student_no if child.enrolment else ""


def waiting_for_safety_talk(session: Session, scene: Scene) -> list[tuple[UUID, UUID]]:
    """Children of the junior school who answered that such thoughts came now and then: (case, child)."""
    found = session.scalars(
        tasks_visible_to(Actor.system()).where(
            Task.kind == TaskKind.SAFETY_TALK,
            Task.done_at.is_(None),
            Task.organisation_id == scene.county.places[JUNIOR.code],
        )
    ).all()
    drafted = {r.case_id for r in session.scalars(referrals_visible_to(Actor.system()))}
    chosen = []
    for task in found:
        case = session.scalars(cases_visible_to(Actor.system()).where(Case.id == task.case_id)).one()
        if case.id not in drafted:
            chosen.append((_number(child_of(session, case=case)), case.id, case.child_id))
    return [(case_id, child_id) for _, case_id, child_id in sorted(chosen)]


# --- at the school -----------------------------------------------------------------------------------------


def assess_and_send(scene: Scene, referral_id: UUID) -> None:
    """The talk is held, and one press at its end sets the tier, confirms the plan and sends."""
    _assess(scene, referral_id, _seen(scene, send=True))


def assess_and_screen_out(scene: Scene, referral_id: UUID) -> None:
    """The talk shows that nothing further is needed: the draft is withdrawn, the case closes."""
    _assess(scene, referral_id, _nothing_needed(scene))


def _assess(scene: Scene, referral_id: UUID, assessment: AssessmentIn) -> None:
    now = scene.clock.now()
    with scene.database.begin() as session:
        actor = scene.actor(session, COUNSELLOR)
        referral = get_referral(session, actor=actor, referral_id=referral_id, now=now)
        case = case_of(session, referral=referral)
        words = assessment.words | ({"signed_by": _name(session, actor)} if assessment.words else {})
        if safety := words.get("safety"):
            words["safety"] = {**safety, "asked_by": words["signed_by"]}
        child = child_of(session, case=case)
        given = AssessmentIn(**{**_fields(assessment), "words": words})
        assessments.conclude(session, actor=actor, case=case, child=child, assessment=given, now=now)


def _fields(assessment: AssessmentIn) -> dict[str, Any]:
    return {name: getattr(assessment, name) for name in AssessmentIn.__dataclass_fields__}


def _seen(scene: Scene, *, send: bool) -> AssessmentIn:
    now = scene.clock.now()
    return AssessmentIn(
        held_at=now - timedelta(minutes=40),
        channel=FollowUpChannel.IN_PERSON,
        tier=Tier.FOCUS,
        screened_out=False,
        reason=_REASON,
        concern=2,
        harm_answer=HarmAnswer.NONE,
        areas=(Area.MOOD.value, Area.SLEEP.value),
        words={
            "observed": _OBSERVED,
            "done_so_far": _DONE,
            "question": _QUESTION,
            "help_wanted": [HelpWanted.ASSESSMENT.value, HelpWanted.SCHOOL_ADVICE.value],
            "safety": {
                "signs": [SafetySign.NONE_FOUND.value],
                "asked_at": (now - timedelta(minutes=20)).astimezone(LOCAL).isoformat(),
            },
            "safety_plan_attached": False,
            "signed_on": local_day(now).isoformat(),
        },
        send=send,
    )


def _nothing_needed(scene: Scene) -> AssessmentIn:
    return AssessmentIn(
        held_at=scene.clock.now() - timedelta(minutes=30),
        channel=FollowUpChannel.IN_PERSON,
        tier=None,
        screened_out=True,
        reason="面谈时状态平稳，当日感冒不适，量表作答偏重",
        concern=0,
        harm_answer=HarmAnswer.NONE,
    )


def _name(session: Session, actor: Actor) -> str:
    return session.get_one(Account, actor.account_id).name


def hold_safety_talk(scene: Scene, case_id: UUID, child_id: UUID, *, acute: bool) -> None:
    """The five questions asked face to face and keyed in. A negative talk leads to the watch list and a contact."""
    said = {"1": 1, "2": 1, "3": 1, "4": 0, "5": 1} if acute else dict.fromkeys("1234", 0)
    now = scene.clock.now()
    with scene.database.begin() as session:
        actor = scene.actor(session, COUNSELLOR)
        campaign_id = scene.county.campaigns[JUNIOR.code]
        campaign = get_campaign(session, actor=actor, campaign_id=campaign_id)
        roll = list_roster(session, actor=actor, campaign=campaign, now=now, limit=1000)
        intake.submit(
            session,
            actor=actor,
            occasion=next(entry for entry in roll if entry.child_id == child_id),
            instrument=catalogue().get("asq"),
            answers=dict(said),
            administered_on=local_day(now),
            mode=Mode.INTERVIEW,
            now=now,
            idempotency_key=f"talk-{case_id}",
        )
        if acute:
            return
        case = session.scalars(cases_visible_to(actor).where(Case.id == case_id)).one()
        watched = AssessmentIn(
            held_at=now - timedelta(minutes=15),
            channel=FollowUpChannel.IN_PERSON,
            tier=Tier.WATCH,
            screened_out=False,
            reason="已当面询问，近期没有这样的想法；愿意每周来谈一次",
            concern=1,
            harm_answer=HarmAnswer.NONE,
        )
        child = child_of(session, case=case)
        assessments.conclude(session, actor=actor, case=case, child=child, assessment=watched, now=now)


# --- at the clinic -----------------------------------------------------------------------------------------


def accept(scene: Scene, referral_id: UUID) -> None:
    now = scene.clock.now()
    with scene.database.begin() as session:
        actor, case, referral = _at_clinic(session, scene, referral_id, "clinic_intake")
        answers.accept(session, actor=actor, case=case, referral=referral, contact=None, now=now)


def decline(scene: Scene, referral_id: UUID) -> None:
    """No place left: the other clinic is named, and the school has to ask there."""
    now = scene.clock.now()
    with scene.database.begin() as session:
        actor, case, referral = _at_clinic(session, scene, referral_id, "clinic_intake")
        answers.decline(
            session,
            actor=actor,
            case=case,
            referral=referral,
            reason=DeclineReason.FULL,
            better_place="示范县第二医院儿少心理门诊",
            now=now,
        )


def schedule(scene: Scene, referral_id: UUID, at: datetime) -> None:
    now = scene.clock.now()
    with scene.database.begin() as session:
        actor, case, referral = _at_clinic(session, scene, referral_id, "clinic_intake")
        answers.schedule(
            session, actor=actor, case=case, referral=referral, at=at, place="门诊楼三层 305 室", now=now
        )


def attend(scene: Scene, referral_id: UUID) -> None:
    now = scene.clock.now()
    with scene.database.begin() as session:
        actor, case, referral = _at_clinic(session, scene, referral_id, "clinic_intake")
        answers.attended(session, actor=actor, case=case, referral=referral, now=now)


def write_return_note(scene: Scene, referral_id: UUID) -> None:
    """The answer that lands on the counsellor's list."""
    now = scene.clock.now()
    advice = "保持正常上学；每周一次校内支持；考试周适当减量；四周后复诊。"
    with scene.database.begin() as session:
        actor, case, referral = _at_clinic(session, scene, referral_id, "clinician")
        note = ReturnNoteIn(
            visit_on=local_day(now),
            outcome=Outcome.WATCH_AND_REVIEW,
            finding=Finding.NEEDS_CARE,
            assessor_saw_probability=False,
            risk_now=RiskNow.LOW,
            attendance=Attendance.FULL,
            advice=json.dumps({"text": advice}, ensure_ascii=False),
            clinical=None,
            next_visit_on=local_day(now) + timedelta(days=28),
            guardian_agreed=False,
        )
        return_notes.write(session, actor=actor, case=case, referral=referral, note=note, now=now)


def _at_clinic(session: Session, scene: Scene, referral_id: UUID, post: str) -> tuple[Actor, Case, Referral]:
    """The person at the clinic that the referral went to, as far as that clinic sees it."""
    to = session.scalars(referrals_visible_to(Actor.system()).where(Referral.id == referral_id)).one()
    clinic = scene.county.code_of(to.facility_id) if to.facility_id else "demo-clinic-b"
    actor = scene.actor(session, f"{post}.{clinic[-1]}")
    referral = get_referral(session, actor=actor, referral_id=referral_id, now=scene.clock.now())
    return actor, case_of(session, referral=referral), referral


# --- and back ----------------------------------------------------------------------------------------------


def read_and_complete(scene: Scene, referral_id: UUID) -> None:
    """Read the answer, review the plan, close the loop."""
    now = scene.clock.now()
    with scene.database.begin() as session:
        actor = scene.actor(session, COUNSELLOR)
        referral = get_referral(session, actor=actor, referral_id=referral_id, now=now)
        case = case_of(session, referral=referral)
        referrals.acknowledge(session, actor=actor, case=case, referral=referral, now=now)
        signal = worst_signal(session, case=case)
        facts = plan_facts(
            session,
            case=case,
            child=child_of(session, case=case),
            level=signal.level if signal else case.worst_level,
            grade=signal.grade if signal else None,
            severe=signal.severe if signal else False,
            probability=signal.probability if signal else None,
            now=now,
        )
        plan = plans.revise(
            session,
            actor=actor,
            case=case,
            facts=facts,
            keep=None,
            reason="已按回转单建议调整",
            now=now,
        )
        referrals.complete(
            session, actor=actor, case=case, referral=referral, plan_status=plan.status, now=now
        )
