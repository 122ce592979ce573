"""危机处置: opened by danger, taken by a named adult, its steps in any order, stood down by two people."""

from __future__ import annotations

from datetime import date, datetime
from random import SystemRandom
from uuid import UUID, uuid5

from sqlalchemy import select
from sqlalchemy.orm import Session

from referral import deadlines
from referral.actions import cases, followups, notices, tasks
from referral.models.case import Case
from referral.models.crisis import CrisisEpisode, CrisisStepRecord
from referral.queries.people import People
from referral.queries.shelves import OPEN_EPISODES
from referral.states import StandDownFacts, missing_for_stand_down
from referral.terms import CrisisStep, FollowUpTemplate, StepResult, TaskKind, Tier
from screening import access
from screening.access import May, Part
from screening.core import audit
from screening.core.actor import Actor, Role
from screening.core.audit import AuditEvent
from screening.core.calendar import china
from screening.core.clock import local_day
from screening.core.errors import InvalidInput, PolicyViolation
from screening.core.form_number import new_form_number

_RANDOM = SystemRandom()


def find_open(session: Session, *, case_id: UUID) -> CrisisEpisode | None:
    """The episode of a case that nobody has stood down."""
    return next(iter(OPEN_EPISODES.of(session, case_id)), None)


def open_crisis(
    session: Session,
    *,
    actor: Actor,
    case: Case,
    people: People,
    trigger: str,
    trigger_id: UUID | None,
    now: datetime,
) -> CrisisEpisode:
    """The open episode of this case, opened now if there is none, and its ring (T01)."""
    episode = find_open(session, case_id=case.id)
    if episode is None:
        episode = CrisisEpisode(
            episode_no=new_form_number(_RANDOM),
            case_id=case.id,
            child_id=case.child_id,
            trigger=trigger,
            trigger_id=trigger_id,
            opened_at=now,
            opened_by=actor.on_behalf_of or actor.account_id,
        )
        session.add(episode)
        _step(session, actor, episode, CrisisStep.OPENED, StepResult.DONE, None, None, now, now)
        audit.record(
            session,
            actor=actor,
            event=AuditEvent.CRISIS_OPEN,
            at=now,
            child_id=case.child_id,
            subject_id=episode.id,
        )
    if episode.taken_at is None:
        _ring(session, actor, case, episode, people, now)
    return episode


def _ring(
    session: Session, actor: Actor, case: Case, episode: CrisisEpisode, people: People, now: datetime
) -> None:
    task = tasks.require(
        session,
        actor=actor,
        kind=TaskKind.CRISIS_ACKNOWLEDGE,
        subject_id=episode.id,
        organisation_id=case.organisation_id,
        owner_id=people.duty[0] if people.duty else case.owner_id,
        backup_id=case.owner_id if people.duty and people.duty[0] != case.owner_id else case.backup_id,
        due_at=deadlines.due("T01", Tier.CRISIS, now, china()),
        now=now,
        clock="T01",
        child_id=case.child_id,
        case_id=case.id,
    )
    whom = [*people.duty[:1], case.owner_id]
    notices.ring(session, task=task, step=1, whom=whom, urgent=True, now=now)


def take(session: Session, *, actor: Actor, case: Case, episode: CrisisEpisode, now: datetime) -> None:
    """我来处理: a named adult has it. The first press counts; the next ones read who did."""
    access.check_may(actor, May.HANDLE_CRISIS)
    _hold(session, episode)
    if episode.taken_at is not None or episode.stood_down_at is not None:
        return
    _open_file(session, actor, case, episode, now)
    episode.taken_at, episode.taken_by = now, actor.account_id
    _step(session, actor, episode, CrisisStep.ACKNOWLEDGED, StepResult.DONE, None, None, now, now)
    tasks.settle(
        session,
        actor=actor,
        kind=TaskKind.CRISIS_ACKNOWLEDGE,
        subject_id=episode.id,
        decision="taken",
        now=now,
    )
    for kind, limit, subject_id in _asked(episode):
        tasks.require(
            session,
            actor=actor,
            kind=kind,
            subject_id=subject_id,
            organisation_id=case.organisation_id,
            owner_id=actor.account_id or case.owner_id,
            backup_id=case.backup_id,
            due_at=deadlines.due(limit, Tier.CRISIS, episode.opened_at, china()),
            now=now,
            clock=limit,
            child_id=case.child_id,
            case_id=case.id,
        )


def _open_file(session: Session, actor: Actor, case: Case, episode: CrisisEpisode, now: datetime) -> None:
    """County duty takes it: while the crisis lasts the county sees the file, so that it can send the note too."""
    visible = select(access.visible_child_ids(actor).subquery().c.id)
    if session.scalar(visible.where(visible.selected_columns[0] == case.child_id).limit(1)) is not None:
        return
    for grant in actor.grants:
        if grant.role is Role.COUNTY_CENTRE:
            cases.grant(
                session,
                actor=actor,
                child_id=case.child_id,
                organisation_id=grant.organisation_id,
                part=Part.FILE,
                reason="crisis_taken",
                reason_id=episode.id,
                now=now,
            )


def need_report(session: Session, *, actor: Actor, case: Case, episode: CrisisEpisode, now: datetime) -> None:
    """强制报告: harm, or injury by the child's own hand. It is owed at once; the record within two hours (T19)."""
    access.check_may(actor, May.HANDLE_CRISIS)
    if episode.stood_down_at is not None:
        raise PolicyViolation("The episode has been stood down.")
    if episode.report_needed:
        return
    episode.report_needed = True
    cases.require_report(session, actor=actor, case=case, owner_id=episode.taken_by, now=now)
    audit.record(
        session,
        actor=actor,
        event=AuditEvent.CRISIS_STEP,
        at=now,
        child_id=episode.child_id,
        subject_id=episode.id,
        detail={"report_needed": True},
    )


def propose_stand_down(
    session: Session, *, actor: Actor, case: Case, episode: CrisisEpisode, now: datetime
) -> None:
    """The first of the two: whoever knows the child says that it is over, and the lead is asked to look."""
    access.check_may(actor, May.HANDLE_CRISIS)
    _hold(session, episode)
    if episode.stood_down_at is not None:
        raise PolicyViolation("The episode has been stood down.")
    episode.proposed_by, episode.proposed_at = actor.account_id, now
    audit.record(
        session,
        actor=actor,
        event=AuditEvent.CRISIS_STEP,
        at=now,
        child_id=episode.child_id,
        subject_id=episode.id,
        detail={"proposed": True},
    )
    task = tasks.require(
        session,
        actor=actor,
        kind=TaskKind.CRISIS_STAND_DOWN,
        subject_id=episode.id,
        organisation_id=case.organisation_id,
        owner_id=case.backup_id or case.owner_id,
        backup_id=case.owner_id,
        due_at=deadlines.due("T10", Tier.CRISIS, now, china()),
        now=now,
        child_id=case.child_id,
        case_id=case.id,
    )
    notices.ring(session, task=task, step=0, whom=[task.owner_id], urgent=False, now=now)


def _hold(session: Session, episode: CrisisEpisode) -> None:
    """Of many who press at once the second waits, and then sees what the first has done (requirement RL5)."""
    session.refresh(episode, with_for_update=True)


def _asked(episode: CrisisEpisode) -> tuple[tuple[TaskKind, str, UUID], ...]:
    """What the taking of an episode asks for: kind, time limit, subject."""
    return (
        *((kind, limit, _subject(episode, step)) for step, (kind, limit) in _STEPS.items()),
        (TaskKind.CRISIS_TELL_SCHOOL, "T03", episode.id),
        (TaskKind.CRISIS_TELL_COUNTY, "T05", episode.id),
        (TaskKind.CRISIS_REPORT, "T06", episode.id),
        (TaskKind.SAFETY_PLAN, "T07", episode.id),
    )


_STEPS = {
    CrisisStep.CHILD_SAFE: (TaskKind.CRISIS_STEP, "T02"),
    CrisisStep.GUARDIAN_REACHED: (TaskKind.GUARDIAN_CONTACT, "T04"),
    CrisisStep.PROFESSIONAL_REACHED: (TaskKind.CRISIS_STEP, "T08"),
}


def _subject(episode: CrisisEpisode, step: CrisisStep) -> UUID:
    """One line per step: the same kind of task stands twice on one episode."""
    return uuid5(episode.id, step.value)


def record_step(
    session: Session,
    *,
    actor: Actor,
    episode: CrisisEpisode,
    step: CrisisStep,
    result: StepResult,
    happened_at: datetime,
    place: str | None,
    remark: str | None,
    now: datetime,
) -> None:
    """Write down one step. Anything but *done* needs its reason; standing down has its own action."""
    access.check_may(actor, May.HANDLE_CRISIS)
    if step in (CrisisStep.OPENED, CrisisStep.STOOD_DOWN, CrisisStep.ACKNOWLEDGED):
        raise PolicyViolation("This step has its own button.")
    if episode.stood_down_at is not None:
        raise PolicyViolation("The episode has been stood down.")
    if result is not StepResult.DONE and not (remark or "").strip():
        raise InvalidInput("Say why this step was not done.")
    if happened_at > now:
        raise InvalidInput("The time of the step lies in the future.")
    _step(session, actor, episode, step, result, place, remark, happened_at, now)
    if step in _STEPS:
        kind, _ = _STEPS[step]
        subject_id = _subject(episode, step)
        tasks.settle(session, actor=actor, kind=kind, subject_id=subject_id, decision=result.value, now=now)


def stand_down(
    session: Session,
    *,
    actor: Actor,
    case: Case,
    episode: CrisisEpisode,
    safety_plan_done: bool,
    review_meeting_on: date | None,
    now: datetime,
) -> None:
    """解除, by two people: the lead who signs here, and another who took it or has proposed it, when every guard holds.

    A case that the county keeps from the school has its two people there.
    Raises :class:`PolicyViolation` naming what is missing.
    """
    access.check_may_at(actor, May.STAND_DOWN, case.organisation_id)
    _hold(session, episode)
    if episode.stood_down_at is not None:
        raise PolicyViolation("The episode has been stood down.")
    followups.schedule(
        session, actor=actor, case=case, template=FollowUpTemplate.CRISIS, day0=local_day(now), now=now
    )
    missing = missing_for_stand_down(
        StandDownFacts(
            steps={r.step: r.result for r in episode.steps if r.step not in (CrisisStep.OPENED,)},
            signers=len({actor.account_id, episode.taken_by, episode.proposed_by} - {None}),
            safety_plan_done=safety_plan_done,
            follow_ups_created=followups.is_planned(session, case=case),
            review_meeting_on=review_meeting_on,
            report_needed=episode.report_needed or cases.report_is_open(session, case=case),
            report_done=not cases.report_is_open(session, case=case),
            today=local_day(now),
        )
    )
    if missing:
        raise PolicyViolation(
            "The episode cannot be stood down yet: {missing}.", missing=", ".join(g.value for g in missing)
        )
    episode.stood_down_at, episode.stood_down_by = now, actor.account_id
    episode.review_meeting_on = review_meeting_on
    _step(session, actor, episode, CrisisStep.STOOD_DOWN, StepResult.DONE, None, None, now, now)
    for kind, _, subject_id in _asked(episode):
        tasks.settle(session, actor=actor, kind=kind, subject_id=subject_id, decision="stood_down", now=now)
    for kind in (TaskKind.CRISIS_ACKNOWLEDGE, TaskKind.CRISIS_STAND_DOWN):
        tasks.settle(session, actor=actor, kind=kind, subject_id=episode.id, decision="stood_down", now=now)
    cases.end_grants(session, actor=actor, reason_id=episode.id, now=now)
    if review_meeting_on is not None:
        _ask(session, actor, case, TaskKind.CASE_CONFERENCE, china().closing(review_meeting_on), None, now)
    rescreen = deadlines.due("T18", Tier.CRISIS, now, china())
    _ask(session, actor, case, TaskKind.RESCREEN, rescreen, "T18", now)


def _ask(
    session: Session,
    actor: Actor,
    case: Case,
    kind: TaskKind,
    due_at: datetime,
    clock: str | None,
    now: datetime,
) -> None:
    tasks.require(
        session,
        actor=actor,
        kind=kind,
        subject_id=case.id,
        organisation_id=case.organisation_id,
        owner_id=case.owner_id,
        backup_id=case.backup_id,
        due_at=due_at,
        now=now,
        clock=clock,
        child_id=case.child_id,
        case_id=case.id,
    )


def _step(
    session: Session,
    actor: Actor,
    episode: CrisisEpisode,
    step: CrisisStep,
    result: StepResult,
    place: str | None,
    remark: str | None,
    happened_at: datetime,
    now: datetime,
) -> None:
    episode.steps.append(
        CrisisStepRecord(
            step=step,
            result=result,
            happened_at=happened_at,
            recorded_at=now,
            recorded_by=actor.account_id,
            place=place,
            remark=remark,
        )
    )
    audit.record(
        session,
        actor=actor,
        event=AuditEvent.CRISIS_STEP,
        at=now,
        child_id=episode.child_id,
        subject_id=episode.id,
        detail={"step": step.value, "result": result.value},
    )
