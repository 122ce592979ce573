"""Each person's first page, the notices on it, and tasks that have no page of their own."""

from __future__ import annotations

from contextlib import suppress
from datetime import datetime
from uuid import UUID

from fastapi import Depends, Request, Response
from sqlalchemy.orm import Session

from api.deps import ClockDep, DatabaseDep, PageActorDep, SessionDep, get_page_actor, needs, page_router
from api.web.desk import desks
from api.web.forms import FormDep
from api.web.lookups import organisation_names
from api.web.pages import go, page_locale, render
from api.web.presenters import dates, today, words
from api.web.presenters.case import OWN_BUTTON
from referral.actions import cases, tasks
from referral.models.task import Task
from referral.queries.gaps import waiting_unseen
from referral.queries.people import people_of
from referral.queries.referrals import list_referrals
from referral.queries.today import (
    get_task,
    list_notices,
    list_tasks,
    own_tasks,
    rung_about,
    see_notice,
    waiting_for_others,
)
from referral.terms import Origin, TaskKind
from screening.access import May, may
from screening.core.actor import Actor
from screening.core.clock import local_day
from screening.core.errors import NotFound
from screening.core.i18n import translate
from screening.queries.children import get_child, organisation_of

router = page_router(dependencies=[Depends(get_page_actor)])

MOST_LINES = 500
# A talk that was asked for without a case: the case is opened when somebody begins it.
BEGINS_A_CASE = frozenset({TaskKind.SECOND_ASSESSMENT, TaskKind.SELF_REFERRAL})


@router.get("/today")
def show_today(request: Request, session: SessionDep, actor: PageActorDep, clock: ClockDep) -> Response:
    """Red strip, whom to see and phone, what others owe, files; a facility sees its referrals."""
    now, locale = clock.now(), page_locale(request)
    lines = list_tasks(session, actor=actor, now=now, limit=MOST_LINES) if may(actor, May.READ_TASKS) else []
    others = waiting_for_others(session, actor=actor, now=now) if may(actor, May.READ_TASKS) else []
    names = organisation_names(session, {line.task.organisation_id for line in others})
    new, going = _inbox(session, actor, now, locale)
    gap = waiting_unseen(session, actor=actor, now=now) if may(actor, May.READ_GAPS) else None
    return render(
        request,
        "today/today.html",
        session=session,
        date=dates.full_day(local_day(now), locale),
        weekday=dates.day(local_day(now), locale),
        now=now,
        rows=today.rows(today.without_new(lines, actor, new), actor, now, locale),
        most=len(lines) >= MOST_LINES,
        waiting=today.waiting(others, actor, names, now, locale),
        week=today.due_this_week(lines, now),
        at_school=may(actor, May.READ_CASES),
        at_facility=may(actor, May.ANSWER_REFERRAL),
        new=new,
        going=going,
        bells=_bells(session, actor, now, locale),
        has_tasks=may(actor, May.READ_TASKS),
        gap=gap if gap and gap.total != 0 else None,
        desks=desks(session, actor, now, locale),
    )


def _inbox(
    session: Session, actor: Actor, now: datetime, locale: str
) -> tuple[list[today.Inbox], list[today.Inbox]]:
    if not may(actor, May.ANSWER_REFERRAL):
        return [], []
    return today.inbox(list_referrals(session, actor=actor, now=now, limit=200), now, locale)


def _bells(session: Session, actor: Actor, now: datetime, locale: str) -> list[today.Bell]:
    notices = list_notices(session, actor=actor)
    # One rung a step up the ladder is not among them: this person is told that something waits, and no more.
    known = own_tasks(session, actor=actor, task_ids={n.task_id for n in notices if n.task_id is not None})
    lines = rung_about(session, actor=actor, notices=notices)
    open_ones = [n for n in notices if n.task_id not in lines or lines[n.task_id].task.done_at is None]
    unknown = translate(locale, "Something waits for you; the person in charge has not answered yet")
    return today.bells(
        open_ones,
        known,
        actor,
        locale,
        lambda at: today.of_others(lines.get(at) if at else None, actor, now, locale) or unknown,
    )


@router.get("/today/notices")
def show_notices(request: Request, database: DatabaseDep, actor: PageActorDep, clock: ClockDep) -> Response:
    """The bells alone, for the open page. Asked by a script: it does not keep the session alive."""
    with database.look() as session:
        bells = _bells(session, actor, clock.now(), page_locale(request))
        return render(request, "today/bells.html", bells=bells)


@router.get("/today/alarm")
def show_alarm(request: Request, database: DatabaseDep, actor: PageActorDep) -> Response:
    """The alarm alone, for a page that stays open. Asked by a script: it does not keep the session alive."""
    with database.look() as session:
        return render(request, "alarm.html", session=session)


@router.get("/today/here")
def still_here(session: SessionDep, actor: PageActorDep) -> Response:
    """Somebody is typing: the session is in use. Changes nothing but the time it was last seen."""
    return Response(status_code=204)


@router.post("/notices/seen")
def see(form: FormDep, session: SessionDep, actor: PageActorDep, clock: ClockDep) -> Response:
    """A person has pressed notices: only this counts as told."""
    for notice_id in form.ids("notice"):
        see_notice(session, actor=actor, notice_id=notice_id, now=clock.now())
    return go("/today")


@router.get("/tasks/{task_id}")
def show_task(
    task_id: UUID, request: Request, session: SessionDep, actor: PageActorDep, clock: ClockDep
) -> Response:
    """One line by itself: why it is here, by when, and what can be done with it."""
    task = get_task(session, actor=actor, task_id=task_id)
    now, locale = clock.now(), page_locale(request)
    child = None
    if task.child_id is not None and may(actor, May.READ_CASES):
        # Whoever owns a line opens it, also where the child's file is not theirs to see.
        with suppress(NotFound):
            child = get_child(session, actor=actor, child_id=task.child_id, now=now)
    return render(
        request,
        "today/task.html",
        session=session,
        task=task,
        action=words.word(task.kind, locale),
        why=words.why(task.kind, locale),
        left=dates.time_left(task.due_at, now, locale),
        name=child.name if child else "",
        place=words.class_of(child.enrolment if child else None, local_day(now), locale),
        tick=task.kind not in OWN_BUTTON and task.done_at is None,
        begins=_begins(task, actor),
        done=task.done_at is not None,
    )


def _begins(task: Task, actor: Actor) -> bool:
    return (
        task.kind in BEGINS_A_CASE
        and task.case_id is None
        and task.child_id is not None
        and task.done_at is None
        and may(actor, May.ASSESS)
    )


@router.post("/tasks/{task_id}/finish")
def finish(
    task_id: UUID, form: FormDep, session: SessionDep, actor: PageActorDep, clock: ClockDep
) -> Response:
    """Decide a line with a few words. What ends only by its own event is refused."""
    task = get_task(session, actor=actor, task_id=task_id)
    reason = form.text("reason", limit=200)
    form.check()
    tasks.finish(session, actor=actor, task=task, decision="done", reason=reason, now=clock.now())
    at_case = task.case_id is not None and may(actor, May.READ_CASES)
    return go(f"/cases/{task.case_id}#tasks" if at_case else "/today")


@router.post("/tasks/{task_id}/case", dependencies=[needs(May.ASSESS)])
def begin_case(task_id: UUID, session: SessionDep, actor: PageActorDep, clock: ClockDep) -> Response:
    """Open the case in which the talk is written down; the one that is open, if there is one."""
    task, now = get_task(session, actor=actor, task_id=task_id), clock.now()
    if task.child_id is None:
        raise NotFound
    child = get_child(session, actor=actor, child_id=task.child_id, now=now)
    organisation = organisation_of(session, child.organisation_id)
    people = people_of(session, organisation=organisation, now=now)
    case = cases.raise_worry(
        session, actor=actor, child=child, people=people, origin=Origin.SCREENING, now=now
    )
    session.flush()
    return go(f"/cases/{case.id}")
