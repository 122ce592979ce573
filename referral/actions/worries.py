"""担心: somebody says that they are worried about a child. The same case, the same clocks as after a sheet.

Whoever says it is told the same whether or not the child is found (requirement AZ8): a name and a class that fit one
child of the school open the case at once, anything else is a line on somebody's list to be matched by hand. A worry
about an adult of the school is the county's from the first moment; nobody at the school has a line, a ring or a
case of it (domain guide §5.2b, decision 42).
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from sqlalchemy import select
from sqlalchemy.orm import Session

from instruments import Grade
from referral import deadlines
from referral.actions import cases, crises, notices, plans, referrals, tasks
from referral.models.case import Case
from referral.models.task import Task
from referral.models.worry import Worry, WorryLink
from referral.planning import AreaFinding
from referral.queries.people import People, people_of, protected_people
from referral.queries.plan_facts import plan_facts
from referral.queries.worries import (
    Named,
    WorryWords,
    child_named,
    count_by_account,
    count_by_link,
    digest_of,
    words_of,
)
from referral.terms import (
    Area,
    Custody,
    HarmAnswer,
    Origin,
    TaskKind,
    WorryEnd,
    WorrySeen,
    WorryUrgency,
)
from risk_model import Level
from screening import access
from screening.access import May
from screening.core import audit
from screening.core.actor import Actor
from screening.core.audit import AuditEvent
from screening.core.calendar import china
from screening.core.clock import local_day
from screening.core.errors import InvalidInput, NotPermitted, PolicyViolation
from screening.models.account import Account
from screening.models.child import Child
from screening.models.organisation import Organisation
from screening.queries.campaigns import district_of

HOUR = timedelta(hours=1)
# A class of fifty may use one poster within an hour; more than that is somebody playing with it.
MOST_BY_LINK = 60
# Naming children is also a way to try names: as many as a hotline may look up.
MOST_BY_ACCOUNT = 20
TOO_MANY = "Many worries have been sent from here within the hour. If somebody is in danger, phone now; otherwise please try again later."
# What asks for the safety talk by the end of the next school day, however urgent it was called.
ASKS_FOR_A_SAFETY_TALK = frozenset({WorrySeen.HURT_SELF, WorrySeen.SAID_DYING})


@dataclass(frozen=True, slots=True)
class WorryIn:
    """What somebody has pressed and typed. ``harm_by``: who may have hurt the child, where that was said.

    ``key`` is good for one worry: the same press twice is one.
    """

    school: Organisation
    words: WorryWords
    urgency: WorryUrgency
    origin: Origin
    key: str
    harm_by: HarmAnswer | None = None


def hear(
    session: Session, *, actor: Actor, worry: WorryIn, now: datetime, link: WorryLink | None = None
) -> Worry:
    """Take a worry from a person with an account, or (``link``) from whoever has the school's public link.

    Raises :class:`PolicyViolation` when too many have come, or when nobody at all could answer.
    """
    _hold_sender(session, actor, link)
    _check(session, actor, worry, link, now)
    key_digest = digest_of(f"{actor.account_id or (link.id if link else None)}:{worry.key}")
    before = session.scalars(select(Worry).where(Worry.key_digest == key_digest)).one_or_none()
    if before is not None:
        return before
    custody = Custody.PROTECTED if worry.harm_by is HarmAnswer.SCHOOL else Custody.SCHOOL
    people = _people(session, worry.school, custody, now)
    row = Worry(
        organisation_id=people.organisation_id,
        school_id=worry.school.id,
        custody=custody,
        origin=worry.origin,
        urgency=worry.urgency,
        key_digest=key_digest,
        account_id=actor.account_id,
        link_id=link.id if link else None,
        words=replace(worry.words, at_home=worry.harm_by is HarmAnswer.HOME).as_json(),
        raised_at=now,
    )
    session.add(row)
    session.flush()
    # Without the child: a trail read by the school must not show what the school may not know.
    audit.record(session, actor=actor, event=AuditEvent.WORRY_RAISE, at=now, subject_id=row.id)
    meant = child_named(
        session,
        organisation=worry.school,
        name=worry.words.name,
        class_name=worry.words.class_name,
        today=local_day(now),
    )
    system = Actor.system(on_behalf_of=actor.account_id)
    if meant is None:
        _ask_who_it_is(session, system, row, people, now)
    else:
        _found(session, system, row, meant, people, now)
    return row


def told_in_a_talk(session: Session, *, actor: Actor, case: Case, child: Child, now: datetime) -> Worry:
    """Somebody at the school may be hurting the child: a talk has brought it up. The county has its own case from
    this moment, today's talk and the report by law; the school's case goes on about everything else."""
    school = session.get_one(Organisation, case.organisation_id)
    people = _people(session, school, Custody.PROTECTED, now)
    row = Worry(
        organisation_id=people.organisation_id,
        school_id=school.id,
        custody=Custody.PROTECTED,
        origin=Origin.SELF,
        urgency=WorryUrgency.TODAY,
        key_digest=digest_of(f"talk:{case.id}:{now.isoformat()}"),
        account_id=actor.account_id,
        words=WorryWords(child.name, child.enrolment.class_name if child.enrolment else "").as_json(),
        raised_at=now,
    )
    session.add(row)
    session.flush()
    audit.record(session, actor=actor, event=AuditEvent.WORRY_RAISE, at=now, subject_id=row.id)
    _found(session, actor, row, child, people, now)
    return row


def _hold_sender(session: Session, actor: Actor, link: WorryLink | None) -> None:
    """Two presses at the same moment: the second waits, and finds the worry of the first."""
    if link is not None:
        session.refresh(link, with_for_update=True)
    elif actor.account_id is not None:
        session.get_one(Account, actor.account_id, with_for_update=True)


def _check(session: Session, actor: Actor, worry: WorryIn, link: WorryLink | None, now: datetime) -> None:
    if not worry.words.name.strip():
        raise InvalidInput("Say who the worry is about.")
    if not worry.words.seen:
        raise InvalidInput("Say what was seen.")
    if link is not None:
        if count_by_link(session, link=link, since=now - HOUR) >= MOST_BY_LINK:
            raise PolicyViolation(TOO_MANY)
        return
    access.check_may(actor, May.RAISE_WORRY)
    if actor.account_id is None:
        raise NotPermitted
    if count_by_account(session, account_id=actor.account_id, now=now, within=HOUR) >= MOST_BY_ACCOUNT:
        raise PolicyViolation(TOO_MANY)


def _people(session: Session, school: Organisation, custody: Custody, now: datetime) -> People:
    if custody is Custody.PROTECTED:
        return protected_people(session, county=district_of(session, school), now=now)
    return people_of(session, organisation=school, now=now)


def _ask_who_it_is(session: Session, actor: Actor, row: Worry, people: People, now: datetime) -> None:
    """A person looks for the child. Danger rings like a crisis that nobody has taken."""
    danger = row.urgency is WorryUrgency.NOW
    limit, cell = {
        WorryUrgency.NOW: ("T01", "crisis"),
        WorryUrgency.TODAY: ("T09", "B"),
        WorryUrgency.THIS_WEEK: ("T26", None),
    }[row.urgency]
    task = tasks.require(
        session,
        actor=actor,
        kind=TaskKind.WORRY_NOW if danger else TaskKind.WORRY_MATCH,
        subject_id=row.id,
        organisation_id=people.organisation_id,
        owner_id=people.owner_id,
        backup_id=people.backup_id,
        due_at=deadlines.due(limit, cell, now, china()),
        now=now,
        clock=limit,
    )
    session.flush()
    _ring(session, task, people, urgent=row.urgency is not WorryUrgency.THIS_WEEK, now=now)


def _ring(session: Session, task: Task, people: People, *, urgent: bool, now: datetime) -> None:
    outside = not china().in_school_hours(now) or task.kind is TaskKind.WORRY_NOW
    whom = [*(people.duty[:1] if urgent and outside else ()), task.owner_id]
    notices.ring(session, task=task, step=0, whom=whom, urgent=urgent, now=now)


# --- a person has found out who it is ----------------------------------------------------------------------


def match(session: Session, *, actor: Actor, worry: Worry, child: Child, now: datetime) -> Case:
    """This child is meant: the case opens with the clocks of this worry, as it would have at once."""
    _check_open(session, actor, worry)
    if child.organisation_id != worry.school_id:
        raise PolicyViolation("This child is not on the roll of the school that was named.")
    school = session.get_one(Organisation, worry.school_id)
    people = _people(session, school, worry.custody, now)
    return _found(session, actor, worry, child, people, now)


def match_by_name(
    session: Session, *, actor: Actor, worry: Worry, name: str, class_name: str, now: datetime
) -> Case | None:
    """The same by a corrected name and class, for whoever has no sight of the school's children (the county)."""
    _check_open(session, actor, worry)
    school = session.get_one(Organisation, worry.school_id)
    meant = child_named(session, organisation=school, name=name, class_name=class_name, today=local_day(now))
    audit.record(
        session,
        actor=actor,
        event=AuditEvent.CHILD_LOOKUP,
        at=now,
        child_id=meant.id if meant else None,
        subject_id=worry.id,
        detail={"found": meant is not None},
    )
    if meant is None:
        return None
    return _found(session, actor, worry, meant, _people(session, school, worry.custody, now), now)


def settle(
    session: Session, *, actor: Actor, worry: Worry, decision: WorryEnd, reason: str, now: datetime
) -> None:
    """No child of the school is meant, or it was no worry: a person's decision, with a few words kept sealed."""
    _check_open(session, actor, worry)
    if decision is WorryEnd.MATCHED:
        raise InvalidInput("Say which child is meant.")
    if not reason.strip():
        raise PolicyViolation("Say in a few words what was decided.")
    said = words_of(worry)
    worry.words = replace(said, line=f"{said.line}\n— {reason.strip()}".strip()).as_json()
    _end(session, actor, worry, decision, now)


def _check_open(session: Session, actor: Actor, worry: Worry) -> None:
    access.check_may(actor, May.MATCH_WORRY)
    session.refresh(
        worry, with_for_update=True
    )  # of two who press at once the second reads what the first did
    if worry.settled_at is not None:
        raise PolicyViolation("This has already been done.")


def _end(session: Session, actor: Actor, worry: Worry, decision: WorryEnd, now: datetime) -> None:
    worry.decision, worry.settled_at = decision, now
    worry.settled_by = actor.account_id
    for kind in (TaskKind.WORRY_NOW, TaskKind.WORRY_MATCH):
        tasks.settle(session, actor=actor, kind=kind, subject_id=worry.id, decision=decision.value, now=now)
    audit.record(
        session,
        actor=actor,
        event=AuditEvent.WORRY_SETTLE,
        at=now,
        subject_id=worry.id,
        detail={"decision": decision.value},
    )


# --- what a worry asks for ---------------------------------------------------------------------------------


def _found(
    session: Session, actor: Actor, worry: Worry, meant: Child | Named, people: People, now: datetime
) -> Case:
    """Case, talk and, in danger, the crisis episode with a first plan: the same as every other origin."""
    # Held until the end, so that two worries about one child come to the same one case.
    child = session.get_one(Child, meant.id, with_for_update=True)
    system = Actor.system(on_behalf_of=actor.account_id or actor.on_behalf_of)
    case = cases.raise_worry(
        session,
        actor=system,
        child=child,
        people=people,
        origin=worry.origin,
        now=now,
        custody=worry.custody,
    )
    session.flush()
    worry.child_id, worry.case_id = child.id, case.id
    _end(session, actor, worry, WorryEnd.MATCHED, now)
    _harm(session, system, case, child, worry, now)
    if worry.urgency is WorryUrgency.NOW:
        crises.open_crisis(
            session, actor=system, case=case, people=people, trigger="worry", trigger_id=worry.id, now=now
        )
        _first_plan(session, system, case, child, now)
        return case
    _talk(session, system, case, worry, people, now)
    return case


def _talk(session: Session, actor: Actor, case: Case, worry: Worry, people: People, now: datetime) -> None:
    if ASKS_FOR_A_SAFETY_TALK & set(words_of(worry).seen):
        cases.require_talk(session, actor=actor, case=case, kind=TaskKind.SAFETY_TALK, case_word="C", now=now)
    kind = TaskKind.SECOND_ASSESSMENT
    if worry.urgency is WorryUrgency.TODAY:
        kind = TaskKind.SAME_DAY_TALK
        cases.require_talk(session, actor=actor, case=case, kind=kind, case_word="B", now=now)
    task = tasks.find_open(session, kind=kind, subject_id=cases.talk_subject(case))
    if task is not None:
        session.flush()
        _ring(session, task, people, urgent=worry.urgency is WorryUrgency.TODAY, now=now)


def _harm(session: Session, actor: Actor, case: Case, child: Child, worry: Worry, now: datetime) -> None:
    """Somebody may be hurting the child: reported by law, and nothing goes home by itself until a person has asked."""
    at_home = words_of(worry).at_home
    if at_home and child.harm_answer == HarmAnswer.NONE.value:
        # An earlier "nobody" does not outweigh what somebody has seen since.
        child.harm_answer = HarmAnswer.UNCLEAR.value
        child.harm_answered_by, child.harm_answered_at = worry.account_id, now
    if at_home or child.harm_answer is None:
        due = deadlines.due("T09", "high", now, china())
        _require(session, actor, case, TaskKind.GUARDIAN_HARM_QUESTION, due, None, now)
    if at_home or worry.custody is Custody.PROTECTED:
        due = deadlines.due("T19_RECORD", None, now, china())
        _require(session, actor, case, TaskKind.MANDATORY_REPORT, due, "T19_RECORD", now)


def _first_plan(session: Session, actor: Actor, case: Case, child: Child, now: datetime) -> None:
    """Plan and referral as a grade A answer makes them; a plan that people work by is looked at again."""
    if plans.current(session, case=case) is not None:
        due = deadlines.due("T09", Grade.B.value, now, china())
        _require(session, actor, case, TaskKind.PLAN_REVIEW, due, None, now)
        return
    facts = plan_facts(
        session,
        case=case,
        child=child,
        level=Level.CRISIS_ITEM,
        grade=Grade.A,
        severe=False,
        probability=None,
        now=now,
    )
    facts = replace(facts, areas=(*facts.areas, AreaFinding(Area.SELF_HARM)))
    draft = plans.decide(facts)
    plans.save_draft(session, actor=actor, case=case, facts=facts, draft=draft, reason="worry", now=now)
    # The note names the school as its sender: for a protected case the county writes to a clinic itself.
    if draft.referral is not None and case.custody is Custody.SCHOOL:
        referrals.draft_or_update(session, actor=actor, case=case, child=child, need=draft.referral, now=now)


def _require(
    session: Session,
    actor: Actor,
    case: Case,
    kind: TaskKind,
    due: datetime,
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
        due_at=due,
        now=now,
        clock=clock,
        child_id=case.child_id,
        case_id=case.id,
    )
