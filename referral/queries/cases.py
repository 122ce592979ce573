"""Cases with their parts, as far as the actor may see; a reading of a case is in the trail."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from sqlalchemy import Select, and_, false, func, or_, select
from sqlalchemy.orm import Session, joinedload, selectinload

from referral.models.case import Assessment, Case, SafetyTalk
from referral.models.crisis import CrisisEpisode
from referral.models.followup import FollowUp
from referral.models.plan import PlanStatusChange, PlanVersion
from referral.models.referral import Referral
from referral.models.task import Task
from referral.terms import CaseStatus, Custody
from screening.access import May, check_may, places, visible_child_ids
from screening.core import audit
from screening.core.actor import Actor, Role
from screening.core.audit import AuditEvent
from screening.core.errors import NotFound
from screening.models.child import Child
from screening.models.result import ScreenResult

# A protected case is outside every school's sight (domain guide §5.2b).
_SEES_PROTECTED = frozenset({Role.COUNTY_CENTRE, Role.PROTECTION_CENTRE})


def cases_visible_to(actor: Actor) -> Select[Case]:
    """Cases of children whose file the actor may see; protected ones only above the school."""
    if actor.is_system:
        return select(Case)
    if not places(actor, May.READ_CASES):
        return select(Case).where(false())
    statement = select(Case).where(Case.child_id.in_(visible_child_ids(actor)))
    if not actor.roles & _SEES_PROTECTED:
        statement = statement.where(Case.custody == Custody.SCHOOL)
    return statement


def can_open(session: Session, *, actor: Actor, case_id: UUID) -> bool:
    """Whether this person finds the page of a case."""
    return (
        session.scalar(cases_visible_to(actor).where(Case.id == case_id).with_only_columns(Case.id))
        is not None
    )


def get_case(session: Session, *, actor: Actor, case_id: UUID, now: datetime) -> Case:
    """The case, or :class:`NotFound`; the reading is recorded."""
    check_may(actor, May.READ_CASES)
    case = session.scalars(
        cases_visible_to(actor)
        .where(Case.id == case_id)
        .options(
            joinedload(Case.child).selectinload(Child.guardians),
            joinedload(Case.child).selectinload(Child.enrolments),
            selectinload(Case.history),
            selectinload(Case.tiers),
        )
    ).one_or_none()
    if case is None:
        raise NotFound
    audit.record(
        session,
        actor=actor,
        event=AuditEvent.CASE_READ,
        at=now,
        child_id=case.child_id,
        subject_id=case.id,
    )
    return case


def case_in_sight(session: Session, *, actor: Actor, case_id: UUID) -> Case:
    """The same for what shows nothing of it, such as an unsent form that is kept every few seconds."""
    check_may(actor, May.READ_CASES)
    case = session.scalars(cases_visible_to(actor).where(Case.id == case_id)).one_or_none()
    if case is None:
        raise NotFound
    return case


def list_cases(
    session: Session,
    *,
    actor: Actor,
    now: datetime,
    status: CaseStatus | None = None,
    after: UUID | None = None,
    limit: int = 100,
) -> Sequence[Case]:
    """One page of cases by id, with the children they are about."""
    check_may(actor, May.READ_CASES)
    with_class = joinedload(Case.child).selectinload(Child.enrolments)
    statement = cases_visible_to(actor).options(with_class).order_by(Case.id)
    if status is not None:
        statement = statement.where(Case.status == status)
    if after is not None:
        statement = statement.where(Case.id > after)
    cases = session.scalars(statement.limit(min(limit, 200))).all()
    audit.record_list(
        session,
        actor=actor,
        event=AuditEvent.CASE_LIST,
        at=now,
        children=[case.child_id for case in cases],
        detail={},
    )
    return cases


@dataclass(frozen=True, slots=True)
class CaseFile:
    """A case with everything that hangs on it, newest first where there are several."""

    case: Case
    assessments: tuple[Assessment, ...]
    plans: tuple[PlanVersion, ...]
    referrals: tuple[Referral, ...]
    crises: tuple[CrisisEpisode, ...]
    follow_ups: tuple[FollowUp, ...]
    tasks: tuple[Task, ...]

    @property
    def plan(self) -> PlanVersion | None:
        """The current version."""
        return next((plan for plan in self.plans if plan.superseded_at is None), None)

    @property
    def referral(self) -> Referral | None:
        """The open one, else the last."""
        return next((r for r in self.referrals if r.ended_at is None), next(iter(self.referrals), None))

    @property
    def crisis(self) -> CrisisEpisode | None:
        """The episode nobody has stood down."""
        return next((crisis for crisis in self.crises if crisis.stood_down_at is None), None)


def case_file(session: Session, *, case: Case) -> CaseFile:
    """Everything on a case that was found through a scope."""
    return CaseFile(
        case=case,
        assessments=tuple(
            session.scalars(
                select(Assessment)
                .where(Assessment.case_id == case.id)
                .order_by(Assessment.recorded_at.desc())
            )
        ),
        plans=tuple(
            session.scalars(
                select(PlanVersion)
                .where(PlanVersion.case_id == case.id)
                .options(selectinload(PlanVersion.actions))
                .order_by(PlanVersion.number.desc())
            )
        ),
        referrals=tuple(
            session.scalars(
                select(Referral)
                .where(Referral.case_id == case.id)
                .options(
                    joinedload(Referral.facility),
                    selectinload(Referral.history),
                    selectinload(Referral.notes),
                    selectinload(Referral.return_notes),
                    selectinload(Referral.replies),
                )
                .order_by(Referral.drafted_at.desc())
            )
        ),
        crises=tuple(
            session.scalars(
                select(CrisisEpisode)
                .where(CrisisEpisode.case_id == case.id)
                .options(selectinload(CrisisEpisode.steps))
                .order_by(CrisisEpisode.opened_at.desc())
            )
        ),
        follow_ups=tuple(
            session.scalars(select(FollowUp).where(FollowUp.case_id == case.id).order_by(FollowUp.due_on))
        ),
        tasks=tuple(
            session.scalars(
                select(Task)
                # A line of another case of this child may belong to a protected one, which nobody here knows of.
                .where(
                    or_(Task.case_id == case.id, and_(Task.child_id == case.child_id, Task.case_id.is_(None)))
                )
                .where(Task.done_at.is_(None))
                .order_by(Task.due_at)
            )
        ),
    )


def get_follow_up(session: Session, *, case: Case, follow_up_id: UUID) -> FollowUp:
    """One contact of a case that was found through a scope."""
    row = session.scalars(
        select(FollowUp).where(FollowUp.id == follow_up_id, FollowUp.case_id == case.id)
    ).one_or_none()
    if row is None:
        raise NotFound
    return row


def get_crisis(session: Session, *, case: Case, episode_id: UUID) -> CrisisEpisode:
    """One episode of a case that was found through a scope."""
    row = session.scalars(
        select(CrisisEpisode).where(CrisisEpisode.id == episode_id, CrisisEpisode.case_id == case.id)
    ).one_or_none()
    if row is None:
        raise NotFound
    return row


def get_plan(session: Session, *, case: Case, plan_id: UUID) -> PlanVersion:
    """One plan version of a case that was found through a scope."""
    row = session.scalars(
        select(PlanVersion)
        .where(PlanVersion.id == plan_id, PlanVersion.case_id == case.id)
        .options(selectinload(PlanVersion.actions))
    ).one_or_none()
    if row is None:
        raise NotFound
    return row


def safety_talks_of(session: Session, *, case: Case) -> Sequence[tuple[SafetyTalk, ScreenResult]]:
    """The safety talks of a case with what came of each, newest first."""
    return [
        (talk, result)
        for talk, result in session.execute(
            select(SafetyTalk, ScreenResult)
            .join(ScreenResult, ScreenResult.administration_id == SafetyTalk.administration_id)
            .where(SafetyTalk.case_id == case.id)
            .order_by(SafetyTalk.recorded_at.desc())
        )
    ]


def get_safety_talk(session: Session, *, case: Case, talk_id: UUID) -> tuple[SafetyTalk, ScreenResult]:
    """One of them, or :class:`NotFound`."""
    found = next((row for row in safety_talks_of(session, case=case) if row[0].id == talk_id), None)
    if found is None:
        raise NotFound
    return found


def version_of(session: Session, case: Case) -> int:
    """The version of a case with its plan: it grows with each change of either. For ``ETag`` and ``If-Match``."""
    session.flush()
    steps = (
        select(func.count())
        .select_from(PlanStatusChange)
        .join(PlanVersion, PlanVersion.id == PlanStatusChange.plan_id)
        .where(PlanVersion.case_id == case.id)
    )
    return case.version + (session.scalar(steps) or 0)


def things_of(session: Session, case: Case) -> list[UUID]:
    """The ids under which the trail knows a case and its plans."""
    plans = session.scalars(select(PlanVersion.id).where(PlanVersion.case_id == case.id))
    return [case.id, *plans]
