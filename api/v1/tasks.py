"""A person's list for today, what they wait for, and what rings."""

from __future__ import annotations

from uuid import UUID

from api.deps import ActorDep, ClockDep, SessionDep, json_router, needs
from api.v1.schemas.tasks import DecisionIn, NoticeOut, TaskOut
from referral.actions import tasks as actions
from referral.queries import today
from screening.access import May

router = json_router(tags=["tasks"])


@router.get("/tasks", dependencies=[needs(May.READ_TASKS)])
def list_tasks(session: SessionDep, actor: ActorDep, clock: ClockDep) -> list[TaskOut]:
    """Everything open, by its limit; what one backs up only when its owner is late."""
    now = clock.now()
    return [TaskOut.of(line, now) for line in today.list_tasks(session, actor=actor, now=now)]


@router.get("/tasks/waiting", dependencies=[needs(May.READ_TASKS)])
def list_waiting(session: SessionDep, actor: ActorDep, clock: ClockDep) -> list[TaskOut]:
    """What others owe on one's own cases."""
    lines = today.waiting_for_others(session, actor=actor, now=clock.now())
    return [TaskOut.of(line, clock.now()) for line in lines]


@router.post("/tasks/{task_id}/done", status_code=204, dependencies=[needs(May.READ_TASKS)])
def finish(task_id: UUID, body: DecisionIn, session: SessionDep, actor: ActorDep, clock: ClockDep) -> None:
    """Decide a line that ends by a decision. Lines that end by an event are refused."""
    task = today.get_task(session, actor=actor, task_id=task_id)
    actions.finish(
        session, actor=actor, task=task, decision=body.decision, reason=body.reason, now=clock.now()
    )


@router.get("/notices")
def list_notices(session: SessionDep, actor: ActorDep) -> list[NoticeOut]:
    """What rings on the reader's own page and was not pressed."""
    return [NoticeOut.of(notice) for notice in today.list_notices(session, actor=actor)]


@router.post("/notices/{notice_id}/seen", status_code=204)
def see(notice_id: UUID, session: SessionDep, actor: ActorDep, clock: ClockDep) -> None:
    """Pressed. Somebody else's is not found."""
    today.see_notice(session, actor=actor, notice_id=notice_id, now=clock.now())
