"""干预方案: draft by rule, confirm by a person, review. A version is never changed; a change is the next one."""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime, timedelta
from functools import partial
from typing import Any
from uuid import UUID, uuid5

from sqlalchemy import select
from sqlalchemy.orm import Session

from referral import deadlines
from referral.actions import tasks
from referral.models.case import Case
from referral.models.plan import PlanAction, PlanStatusChange, PlanVersion
from referral.models.task import Task
from referral.planning import PlanDraft, PlanFacts, draft_plan, intervention_menu, plan_rules
from referral.queries.shelves import PLAN_VERSIONS
from referral.states import PLAN_TRANSITIONS, check_transition
from referral.terms import ActionStatus, PlanStatus, TaskKind, Tier
from screening import access
from screening.access import May
from screening.core import audit, rows
from screening.core.actor import Actor
from screening.core.audit import AuditEvent
from screening.core.calendar import china
from screening.core.clock import local_day
from screening.core.db import once
from screening.core.errors import InvalidInput, PolicyViolation


def current(session: Session, *, case: Case) -> PlanVersion | None:
    """The version that is not superseded."""
    return session.scalars(
        select(PlanVersion).where(PlanVersion.case_id == case.id, PlanVersion.superseded_at.is_(None))
    ).one_or_none()


def decide(facts: PlanFacts) -> PlanDraft:
    """The draft for these facts, by the shipped menu and rules."""
    return draft_plan(facts, intervention_menu(), plan_rules())


def save_draft(
    session: Session,
    *,
    actor: Actor,
    case: Case,
    facts: PlanFacts,
    draft: PlanDraft,
    reason: str,
    now: datetime,
) -> PlanVersion:
    """Store a draft as the next version; the one before is superseded."""
    last = _last(session, case)
    former = last if last is not None and last.superseded_at is None else None
    if former is not None:
        _move(session, actor, former, PlanStatus.SUPERSEDED, reason, now)
        former.superseded_at = now
        session.flush()  # the index of the one current version holds within the transaction too
    plan = PlanVersion(
        case_id=case.id,
        number=last.number + 1 if last is not None else 1,
        status=PlanStatus.DRAFTED,
        reason=reason,
        assumed_tier=facts.working_tier,
        areas=[found.area.value for found in facts.areas],
        basis=_basis(draft),
        created_at=now,
        created_by=actor.on_behalf_of or actor.account_id,
    )
    session.add(plan)
    for values in _actions(draft, now):
        rows.add(session, PlanAction, plan_id=plan.id, **values)
    _changed(session, actor, plan, PlanStatus.DRAFTED, reason, now)
    audit.record(
        session,
        actor=actor,
        event=AuditEvent.PLAN_SAVE,
        at=now,
        child_id=case.child_id,
        subject_id=plan.id,
        detail={"number": plan.number, "reason": reason},
    )
    _gaps(session, actor, case, draft, now)
    return plan


def _last(session: Session, case: Case) -> PlanVersion | None:
    """The version with the highest number; only it can be the current one."""
    return max(PLAN_VERSIONS.of(session, case.id), key=lambda plan: plan.number, default=None)


def _actions(draft: PlanDraft, now: datetime) -> list[dict[str, Any]]:
    """The lines of a version as plain values, in their order."""
    today = local_day(now)
    planned: list[dict[str, Any]] = [
        {
            "position": position,
            "component": action.component,
            "status": action.status,
            "rule": action.rule,
            "because": list(action.because),
            "who": action.who.value,
            "review_on": today + timedelta(days=action.review_days) if action.review_days else None,
        }
        for position, action in enumerate(draft.actions, start=1)
    ]
    parked: list[dict[str, Any]] = [
        {
            "position": position,
            "component": action.component,
            "status": ActionStatus.PARKED,
            "rule": action.rule,
            "because": list(action.because),
            "who": intervention_menu()[action.component].role.value,
        }
        for position, action in enumerate(draft.parked, start=len(planned) + 1)
    ]
    return [*planned, *parked]


def _basis(draft: PlanDraft) -> dict[str, Any]:
    """What was not taken, and why: kept with the version (F6 ``auto_basis``)."""
    return {
        "skipped": [
            {
                "component": skipped.component,
                "rule": skipped.rule,
                "reason": skipped.reason.value,
                "by": skipped.by,
            }
            for skipped in draft.skipped
        ],
        "gaps": [{"component": gap.component, "rule": gap.rule} for gap in draft.gaps],
        "update_only": draft.update_only,
    }


def _gaps(session: Session, actor: Actor, case: Case, draft: PlanDraft, now: datetime) -> None:
    """Rule R-Q1: what nobody here can give is one line per school and component, not silently dropped."""
    due = china().closing(china().add_working_days(local_day(now), 10))
    for gap in draft.gaps:
        require = partial(
            tasks.require,
            session,
            actor=actor,
            kind=TaskKind.SERVICE_GAP,
            subject_id=uuid5(case.organisation_id, gap.component),
            organisation_id=case.organisation_id,
            owner_id=case.backup_id or case.owner_id,
            backup_id=case.owner_id,
            due_at=due,
            now=now,
            reason=gap.component,
        )
        # Many children of one file miss the same component.
        once(session, ("gap", case.organisation_id, gap.component, due), require)


def confirm(
    session: Session,
    *,
    actor: Actor,
    case: Case,
    plan: PlanVersion,
    now: datetime,
    dropped: Collection[str] = (),
) -> None:
    """A person confirms the plan: only now do its actions ask anything of anybody. ``dropped``: what was not ticked."""
    access.check_may(actor, May.CONFIRM_PLAN)
    if actor.account_id is None:
        raise PolicyViolation("Only a person confirms a plan.")
    if case.tier is None:
        raise PolicyViolation("Set the tier first: a plan is confirmed for a child somebody has seen.")
    session.flush()  # the lines of a version drafted just now are read from the store
    _move(session, actor, plan, PlanStatus.CONFIRMED, None, now)
    drop(plan, dropped)
    plan.confirmed_at, plan.confirmed_by = now, actor.account_id
    due = deadlines.due("T17", case.tier, now, china())
    plan.review_on = local_day(due)
    audit.record(
        session,
        actor=actor,
        event=AuditEvent.PLAN_CONFIRM,
        at=now,
        child_id=case.child_id,
        subject_id=plan.id,
    )
    for kind in (TaskKind.PLAN_CONFIRM, TaskKind.PLAN_REVIEW):
        tasks.settle(session, actor=actor, kind=kind, subject_id=case.id, decision="confirmed", now=now)
    _ask(session, actor, case, TaskKind.PLAN_REVIEW, case.id, due, "T17", now)
    _end_former_lines(session, actor, case, plan, now)
    first_week = china().closing(china().add_working_days(local_day(now), 5))
    for action in plan.actions:
        if action.status is ActionStatus.PLANNED and action.component != REFERRAL_COMPONENT:
            _ask(session, actor, case, TaskKind.PLAN_ACTION, action.id, first_week, None, now)


def _end_former_lines(session: Session, actor: Actor, case: Case, plan: PlanVersion, now: datetime) -> None:
    """What an earlier version asked for is asked for by this one, or no longer."""
    own = {action.id for action in plan.actions}
    former = session.scalars(
        select(Task.subject_id).where(
            Task.case_id == case.id, Task.kind == TaskKind.PLAN_ACTION, Task.done_at.is_(None)
        )
    ).all()
    for subject_id in set(former) - own:
        tasks.settle(
            session,
            actor=actor,
            kind=TaskKind.PLAN_ACTION,
            subject_id=subject_id,
            decision="new_version",
            now=now,
        )


REFERRAL_COMPONENT = "c-R01"


def drop(plan: PlanVersion, components: Collection[str]) -> None:
    """Measures that a person does not want in this version; they stay on it as dropped."""
    for action in plan.actions:
        if action.component in components and action.status is not ActionStatus.PARKED:
            action.status = ActionStatus.DROPPED


def require_confirmation(session: Session, *, actor: Actor, case: Case, tier: Tier, now: datetime) -> None:
    """The tier is set; the plan has to be confirmed (T10)."""
    if tier is Tier.ROUTINE:
        return
    due = deadlines.due("T10", tier, now, china())
    _ask(session, actor, case, TaskKind.PLAN_CONFIRM, case.id, due, "T10", now)


def make_review_due(session: Session, *, actor: Actor, case: Case, reason: str, now: datetime) -> None:
    """Something new has come: the current version has to be looked at again. A closed case has no plan to review."""
    if case.closed_at is not None:
        return
    plan = current(session, case=case)
    if plan is not None and plan.status is not PlanStatus.REVIEW_DUE:
        _move(session, actor, plan, PlanStatus.REVIEW_DUE, reason, now)
    due = china().closing(china().add_working_days(local_day(now), 5))
    _ask(session, actor, case, TaskKind.PLAN_REVIEW, case.id, due, "T16_UPDATE", now)


def revise(
    session: Session,
    *,
    actor: Actor,
    case: Case,
    facts: PlanFacts,
    keep: set[str] | None,
    reason: str,
    now: datetime,
) -> PlanVersion:
    """The next version after a review, confirmed by the person who reviewed. ``keep``: components ticked, or all."""
    access.check_may(actor, May.CONFIRM_PLAN)
    if case.closed_at is not None:
        raise PolicyViolation("The case is closed.")
    if not reason.strip():
        raise InvalidInput("Say why the plan is changed, or why it stays.")
    plan = save_draft(
        session, actor=actor, case=case, facts=facts, draft=decide(facts), reason=reason[:80], now=now
    )
    session.flush()
    if keep is not None:
        drop(plan, {action.component for action in plan.actions} - keep)
    confirm(session, actor=actor, case=case, plan=plan, now=now)
    return plan


def _ask(
    session: Session,
    actor: Actor,
    case: Case,
    kind: TaskKind,
    subject_id: UUID,
    due: datetime,
    clock: str | None,
    now: datetime,
) -> None:
    tasks.require(
        session,
        actor=actor,
        kind=kind,
        subject_id=subject_id,
        organisation_id=case.organisation_id,
        owner_id=case.owner_id,
        backup_id=case.backup_id,
        due_at=due,
        now=now,
        clock=clock,
        child_id=case.child_id,
        case_id=case.id,
    )


def _move(
    session: Session, actor: Actor, plan: PlanVersion, to: PlanStatus, reason: str | None, now: datetime
) -> None:
    check_transition(PLAN_TRANSITIONS, plan.status, to)
    plan.status = to
    _changed(session, actor, plan, to, reason, now)


def _changed(
    session: Session, actor: Actor, plan: PlanVersion, to: PlanStatus, reason: str | None, now: datetime
) -> None:
    rows.add(
        session,
        PlanStatusChange,
        plan_id=plan.id,
        status=to,
        changed_at=now,
        changed_by=actor.account_id,
        reason=reason,
    )
