"""安全面谈: the ASQ, asked face to face by a trained adult, enters by the one door (decisions 17 and 24).

Acute opens the crisis within this very transaction; positive or refused asks for a talk today; negative leaves the
child where the scores have put it.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.orm import Session

from instruments import Grade, catalogue
from referral import deadlines
from referral.actions import cases, tasks
from referral.intake.sheets import UNREADABLE, submit
from referral.models.case import Case, SafetyTalk
from referral.states import CASE_TRANSITIONS
from referral.terms import CaseStatus, Custody, TaskKind
from screening import access
from screening.access import May
from screening.actions.administrations import RescreenTask
from screening.core.actor import Actor
from screening.core.calendar import china
from screening.core.clock import local_day
from screening.core.errors import InvalidInput, PolicyViolation
from screening.models.administration import Mode
from screening.models.organisation import Organisation
from screening.models.result import ScreenResult
from screening.queries.campaigns import base_rate_of

ASQ = "asq"
# Item 5 is asked after a yes or a refusal only.
FIRST, LAST = ("1", "2", "3", "4"), "5"
ASKS_ON = frozenset({1, -1})


class TalkResult(StrEnum):
    """What the five answers ask for."""

    ACUTE = "acute"
    POSITIVE = "positive"
    NEGATIVE = "negative"


@dataclass(frozen=True, slots=True)
class SafetyTalkIn:
    """The answers by item (1 yes, 0 no, −1 refused), whether nobody else was there, and a remark."""

    answers: dict[str, int]
    alone: bool
    remark: str
    key: str


def hold_safety_talk(
    session: Session, *, actor: Actor, case: Case, talk: SafetyTalkIn, now: datetime
) -> SafetyTalk:
    """Record the talk and all that follows from it. The same key again gives the first talk again.

    Raises :class:`PolicyViolation` for a closed case, :class:`InvalidInput` where a question was left out.
    """
    access.check_may(actor, May.ASSESS)
    if actor.account_id is None:
        raise PolicyViolation("Only a person holds a talk.")
    if case.closed_at is not None:
        raise PolicyViolation("The case is closed.")
    check_complete(talk.answers)
    # Before anything else is written about the child: whoever else writes about them waits.
    submitted = submit(
        session,
        actor=actor,
        occasion=_occasion(session, case),
        instrument=catalogue().get(ASQ),
        answers=dict(talk.answers),
        administered_on=local_day(now),
        mode=Mode.INTERVIEW,
        now=now,
        idempotency_key=talk.key,
    )
    if submitted.result is None:
        raise submitted.refused or InvalidInput(UNREADABLE)
    before = session.scalars(
        select(SafetyTalk).where(SafetyTalk.administration_id == submitted.result.administration_id)
    ).one_or_none()
    if before is not None:
        return before
    row = SafetyTalk(
        case_id=case.id,
        child_id=case.child_id,
        administration_id=submitted.result.administration_id,
        recorded_at=now,
        recorded_by=actor.account_id,
        alone=talk.alone,
        remark=talk.remark.strip() or None,
    )
    session.add(row)
    _held(session, actor, case, result_of_answers(talk.answers), talk.alone, now)
    session.flush()
    return row


def _occasion(session: Session, case: Case) -> RescreenTask:
    place = session.get_one(Organisation, case.organisation_id)
    return RescreenTask(
        id=case.id,
        child_id=case.child_id,
        base_rate=base_rate_of(session, place),
        protected=case.custody is Custody.PROTECTED,
    )


def missing_items(answers: dict[str, int]) -> tuple[str, ...]:
    """The questions that still have to be asked: the first four, and the fifth after a yes or a refusal."""
    missing = tuple(item for item in FIRST if item not in answers)
    goes_on = any(answers.get(item) in ASKS_ON for item in FIRST)
    return (*missing, *((LAST,) if goes_on and LAST not in answers else ()))


def check_complete(answers: dict[str, int]) -> None:
    if missing_items(answers):
        raise InvalidInput("Every question has an answer: yes, no, or refused.")


def result_of_answers(answers: dict[str, int]) -> TalkResult:
    """Acute by the fifth answer; positive by any yes or refusal; else negative."""
    if answers.get(LAST) == 1:
        return TalkResult.ACUTE
    return TalkResult.POSITIVE if ASKS_ON & set(answers.values()) else TalkResult.NEGATIVE


def of_grade(grade: Grade | None) -> TalkResult:
    """The same from the stored grade."""
    if grade is Grade.A:
        return TalkResult.ACUTE
    return TalkResult.POSITIVE if grade is Grade.B else TalkResult.NEGATIVE


def _said_yes(session: Session, case: Case) -> bool:
    """Whether an earlier talk of this case was positive or acute."""
    earlier = (
        select(SafetyTalk.id)
        .join(ScreenResult, ScreenResult.administration_id == SafetyTalk.administration_id)
        .where(SafetyTalk.case_id == case.id, ScreenResult.grade.in_([Grade.A, Grade.B]))
    )
    return session.scalars(earlier.limit(1)).first() is not None


def _held(session: Session, actor: Actor, case: Case, result: TalkResult, alone: bool, now: datetime) -> None:
    """The talk that was asked for has been held. What was answered beside others is asked again."""
    if case.status is CaseStatus.INTAKE and CaseStatus.ASSESSING in CASE_TRANSITIONS[case.status]:
        cases.move(session, actor=actor, case=case, to=CaseStatus.ASSESSING, reason=None, now=now)
    if result is TalkResult.NEGATIVE and not alone:
        return
    subject: UUID = cases.talk_subject(case)
    kinds = [TaskKind.SAFETY_TALK]
    # A "no" answers a sheet's question; it does not take back a "yes" that was said face to face before it.
    if result is TalkResult.NEGATIVE and not _said_yes(session, case):
        kinds.append(TaskKind.SAME_DAY_TALK)
    for kind in kinds:
        tasks.settle(session, actor=actor, kind=kind, subject_id=subject, decision=result.value, now=now)
    # Somebody still writes down how it goes on: a level or the talk itself has asked for that, or does so now.
    waiting = (TaskKind.SECOND_ASSESSMENT, TaskKind.SAME_DAY_TALK, TaskKind.COUNTY_ASSESSMENT)
    if not any(tasks.find_open(session, kind=kind, subject_id=subject) for kind in waiting):
        tasks.require(
            session,
            actor=actor,
            kind=TaskKind.SECOND_ASSESSMENT,
            subject_id=subject,
            organisation_id=case.organisation_id,
            owner_id=case.owner_id,
            backup_id=case.backup_id,
            due_at=deadlines.due("T09", "elevated", now, china()),
            now=now,
            clock="T09",
            child_id=case.child_id,
            case_id=case.id,
        )
