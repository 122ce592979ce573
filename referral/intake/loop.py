"""What a result or a sighting asks for: nothing, a person's look, a safety talk, or the whole loop."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime
from uuid import UUID, uuid5

from sqlalchemy import select
from sqlalchemy.orm import Session

from instruments import (
    Grade,
)
from referral import deadlines
from referral.actions import cases, crises, notices, plans, referrals, releases, tasks
from referral.models.case import Case
from referral.models.task import Task
from referral.queries.facilities import ASKED, SENT, asked_this_week, sent_this_week
from referral.queries.people import People, people_of, protected_people
from referral.queries.plan_facts import plan_facts
from referral.queries.plan_facts import read_ahead as plan_facts_ahead
from referral.queries.shelves import (
    ASSESSMENTS,
    OPEN_CASES,
    OPEN_EPISODES,
    OPEN_REFERRALS,
    OPEN_TASKS,
    PLAN_VERSIONS,
    RINGS,
)
from referral.queries.signals import Signal, of_result
from referral.terms import Custody, TaskKind
from risk_model import Level
from screening.core.actor import Actor
from screening.core.ahead import tell
from screening.core.calendar import china
from screening.core.clock import local_day
from screening.core.faults import fault
from screening.models.administration import Administration, SheetValidity
from screening.models.child import Child
from screening.models.organisation import Organisation
from screening.models.result import ResultStatus, ScreenResult
from screening.queries.campaigns import district_of

AT_ONCE = 500  # ids in one statement
OPENS_A_LOOP = frozenset({Level.HIGH, Level.CRISIS_ITEM})


class Desk:
    """One piece of work at the door: the children it holds, who answers for them, which retests they wait for.

    The children are held until the transaction ends: of two people writing about one child the second waits, so
    that both come to the same one open case. They are held in the order of their ids, so that two pieces of work
    about the same children never wait for each other. All is read once, not once per sheet.
    """

    def __init__(self, session: Session, *, child_ids: Iterable[UUID], now: datetime) -> None:
        self._session, self._now = session, now
        self._known: dict[tuple[UUID, Custody], People] = {}
        self._children: dict[UUID, Child] = {}
        self.retests: set[UUID] = set()
        ids = sorted(set(child_ids))
        for start in range(0, len(ids), AT_ONCE):
            self._hold(ids[start : start + AT_ONCE])

    def _hold(self, child_ids: Sequence[UUID]) -> None:
        self._children |= {child.id: child for child in hold(self._session, child_ids)}
        waiting = select(Task.subject_id).where(
            Task.child_id.in_(child_ids), Task.kind == TaskKind.RETEST, Task.done_at.is_(None)
        )
        self.retests.update(self._session.scalars(waiting))

    def read_ahead(
        self, child_ids: Iterable[UUID], looping: Iterable[UUID] = (), subjects: Iterable[UUID] = ()
    ) -> None:
        """What is open about these children, all at once. ``looping``: those whose plan is going to be drafted;
        ``subjects``: what else there may be open tasks about."""
        session, ids = self._session, set(child_ids)
        cases_open = OPEN_CASES.fill(session, ids)
        case_ids = [case.id for case in cases_open]
        things = [*OPEN_REFERRALS.fill(session, case_ids), *OPEN_EPISODES.fill(session, case_ids)]
        PLAN_VERSIONS.fill(session, case_ids)
        ASSESSMENTS.fill(session, case_ids)
        about = {*ids, *subjects, *case_ids, *(thing.id for thing in things)}
        RINGS.fill(session, [task.id for task in OPEN_TASKS.fill(session, about)])
        loops = sorted(set(looping))
        for start in range(0, len(loops), AT_ONCE):
            plan_facts_ahead(session, loops[start : start + AT_ONCE])
        if loops:
            tell(session, ASKED, asked_this_week(session, self._now))
        if len(loops) > 1:  # for one child it is asked only where something leaves by itself
            tell(session, SENT, sent_this_week(session, self._now))

    def child(self, child_id: UUID) -> Child:
        """One of the children held."""
        return self._children[child_id]

    def people(self, child: Child, custody: Custody = Custody.SCHOOL) -> People:
        """Who answers at the child's organisation; for a protected case who answers at its county."""
        key = (child.organisation_id, custody)
        if key not in self._known:
            session, now = self._session, self._now
            organisation = session.get_one(Organisation, child.organisation_id)
            with session.no_autoflush:  # posts and duty do not wait here to be written
                self._known[key] = (
                    protected_people(session, county=district_of(session, organisation), now=now)
                    if custody is Custody.PROTECTED
                    else people_of(session, organisation=organisation, now=now)
                )
        return self._known[key]


def hold(session: Session, child_ids: Iterable[UUID]) -> Sequence[Child]:
    """Whoever else writes about these children waits until this transaction ends. At most :data:`AT_ONCE` ids."""
    held = select(Child).where(Child.id.in_(child_ids)).order_by(Child.id).with_for_update()
    return session.scalars(held.execution_options(populate_existing=True)).all()


def follow(
    session: Session,
    actor: Actor,
    administration: Administration,
    result: ScreenResult,
    desk: Desk,
    now: datetime,
) -> None:
    """From one result to everything it asks for."""
    child = desk.child(result.child_id)
    if administration.occasion_id is not None:
        _follow_talk(session, actor, administration, result, desk, now)
        return
    if result.history:
        _history(session, actor, child, desk, administration, result, now)
        return
    _repeat(session, actor, child, desk, administration, result, now)
    if result.grade is Grade.R:
        due = china().closing(china().add_working_days(local_day(now), 10))
        _task(session, actor, TaskKind.REVIEW_CRITICAL, result.id, child, desk.people(child), due, now)
    signal = of_result(result)
    if signal is not None and signal.level is not Level.NONE:
        answer(session, actor, child, desk.people(child), signal, now)


def read_ahead(desk: Desk, done: Iterable[tuple[Administration, ScreenResult]]) -> None:
    """What following these results will ask about their children."""
    asking: set[UUID] = set()
    looping: set[UUID] = set()
    subjects: set[UUID] = set()
    for administration, result in done:
        subject = _retest_subject(administration)
        if result.history and administration.campaign_id is not None:
            subjects.add(administration.campaign_id)
        elif subject is not None and (_waits_again(administration, result) or subject in desk.retests):
            subjects.add(subject)
        signal = None if result.history else of_result(result)
        if signal is not None and signal.level is not Level.NONE:
            asking.add(result.child_id)
            if signal.level in OPENS_A_LOOP:
                looping.add(result.child_id)
    desk.read_ahead(asking, looping, subjects)


def _retest_subject(administration: Administration) -> UUID | None:
    """What a line to do a sheet again is about; a talk has no place on a roll and no such line."""
    entry_id = administration.roster_entry_id
    return None if entry_id is None else uuid5(entry_id, administration.instrument)


def _waits_again(administration: Administration, result: ScreenResult) -> bool:
    """Not scored, or doubtful."""
    return result.status is ResultStatus.NOT_SCORED or administration.validity is not SheetValidity.VALID


def _follow_talk(
    session: Session,
    actor: Actor,
    administration: Administration,
    result: ScreenResult,
    desk: Desk,
    now: datetime,
) -> None:
    """What was asked face to face: it is never history and never done again by a limit of its own; only what it says
    about danger moves anything. Of a protected case nobody at the school hears (domain guide §5.2b)."""
    child, signal = desk.child(result.child_id), of_result(result)
    if signal is None or signal.level is Level.NONE:
        return
    custody = Custody.PROTECTED if administration.protected else Custody.SCHOOL
    answer(session, actor, child, desk.people(child, custody), signal, now, custody)


def answer(
    session: Session,
    actor: Actor,
    child: Child,
    people: People,
    signal: Signal,
    now: datetime,
    custody: Custody = Custody.SCHOOL,
) -> None:
    """What a level asks for: nothing, a person's look, a safety talk, or the whole loop."""
    if signal.level in OPENS_A_LOOP:
        _open_loop(session, actor, child, people, signal, now, custody)
    elif signal.grade is Grade.C:
        case = cases.open_from_screening(
            session, actor=actor, child=child, people=people, signal=signal, now=now, custody=custody
        )
        cases.require_talk(session, actor=actor, case=case, kind=TaskKind.SAFETY_TALK, case_word="C", now=now)
    elif signal.level is Level.ELEVATED:
        due = deadlines.due("T09", "elevated", now, china())
        case_open = cases.find_open(session, child_id=child.id)
        _task(session, actor, TaskKind.SECOND_ASSESSMENT, child.id, child, people, due, now, "T09", case_open)


def _open_loop(
    session: Session,
    actor: Actor,
    child: Child,
    people: People,
    signal: Signal,
    now: datetime,
    custody: Custody = Custody.SCHOOL,
) -> None:
    """Case, crisis, draft plan, draft referral, and the note on order: nobody is waited for."""
    case = cases.open_from_screening(
        session, actor=actor, child=child, people=people, signal=signal, now=now, custody=custody
    )
    fault("case-opened")
    _call_a_person(session, actor, case, people, signal, now)
    facts = plan_facts(
        session,
        case=case,
        child=child,
        level=signal.level,
        grade=signal.grade,
        severe=signal.severe,
        probability=signal.probability,
        now=now,
    )
    draft = plans.decide(facts)
    plans.save_draft(
        session, actor=actor, case=case, facts=facts, draft=draft, reason=signal.trigger, now=now
    )
    fault("plan-drafted")
    if child.harm_answer is None:
        due = deadlines.due("T09", "high", now, china())
        _task(session, actor, TaskKind.GUARDIAN_HARM_QUESTION, case.id, child, people, due, now, None, case)
    if draft.update_only:
        # R-L2: somebody already cares for this child. No second referral; the plan is looked at today.
        today = deadlines.due("T09", "B", now, china())
        _task(session, actor, TaskKind.PLAN_REVIEW, case.id, child, people, today, now, None, case)
        referrals.ask_update(session, actor=actor, case=case, now=now)
    # The note names the school as its sender: for a protected case the county writes to a clinic itself.
    if draft.referral is not None and custody is Custody.SCHOOL:
        referral = referrals.draft_or_update(
            session, actor=actor, case=case, child=child, need=draft.referral, now=now
        )
        fault("referral-drafted")
        releases.release(
            session, actor=actor, case=case, child=child, referral=referral, signal=signal, now=now
        )


def _call_a_person(
    session: Session, actor: Actor, case: Case, people: People, signal: Signal, now: datetime
) -> None:
    if signal.grade is Grade.A:
        crises.open_crisis(
            session,
            actor=actor,
            case=case,
            people=people,
            trigger=signal.trigger,
            trigger_id=signal.trigger_id,
            now=now,
        )
        fault("crisis-opened")
        return
    if signal.grade is Grade.B:
        cases.require_talk(
            session, actor=actor, case=case, kind=TaskKind.SAME_DAY_TALK, case_word="B", now=now
        )
        subject_id = cases.talk_subject(case)
        task = tasks.find_open(session, kind=TaskKind.SAME_DAY_TALK, subject_id=subject_id)
        if task is not None:
            whom = [case.owner_id] if china().in_school_hours(now) else [*people.duty[:1], case.owner_id]
            notices.ring(session, task=task, step=0, whom=whom, urgent=True, now=now)
        return
    cases.require_talk(
        session, actor=actor, case=case, kind=TaskKind.SECOND_ASSESSMENT, case_word="high", now=now
    )
    if signal.grade is Grade.C:
        cases.require_talk(session, actor=actor, case=case, kind=TaskKind.SAFETY_TALK, case_word="C", now=now)


def _repeat(
    session: Session,
    actor: Actor,
    child: Child,
    desk: Desk,
    administration: Administration,
    result: ScreenResult,
    now: datetime,
) -> None:
    """Not scored or doubtful: to be done again (T27). A good sheet ends that wait."""
    subject = _retest_subject(administration)
    if subject is None:
        return
    if _waits_again(administration, result):
        due = deadlines.due("T27", None, now, china())
        _task(session, actor, TaskKind.RETEST, subject, child, desk.people(child), due, now, "T27")
        desk.retests.add(subject)
    elif subject in desk.retests:
        tasks.settle(
            session, actor=actor, kind=TaskKind.RETEST, subject_id=subject, decision="done_again", now=now
        )


def _history(
    session: Session,
    actor: Actor,
    child: Child,
    desk: Desk,
    administration: Administration,
    result: ScreenResult,
    now: datetime,
) -> None:
    """Sheets of long ago open nothing; together they are one owned list (decision 18)."""
    if result.level in (None, Level.NONE) and result.status is ResultStatus.SCORED:
        return
    if administration.campaign_id is None:
        return
    people = desk.people(child)
    tasks.require(
        session,
        actor=actor,
        kind=TaskKind.HISTORY_REVIEW,
        subject_id=administration.campaign_id,
        organisation_id=child.organisation_id,
        owner_id=people.owner_id,
        backup_id=people.backup_id,
        due_at=china().closing(china().add_working_days(local_day(now), 10)),
        now=now,
    )


def _task(
    session: Session,
    actor: Actor,
    kind: TaskKind,
    subject_id: UUID,
    child: Child,
    people: People,
    due: datetime,
    now: datetime,
    clock: str | None = None,
    case: Case | None = None,
) -> None:
    tasks.require(
        session,
        actor=actor,
        kind=kind,
        subject_id=subject_id,
        organisation_id=case.organisation_id if case else child.organisation_id,
        owner_id=case.owner_id if case else people.owner_id,
        backup_id=case.backup_id if case else people.backup_id,
        due_at=due,
        now=now,
        clock=clock,
        child_id=child.id,
        case_id=case.id if case else None,
    )
