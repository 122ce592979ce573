"""What the loop asks again and again about a child and its case, answered from memory for a piece of work."""

from __future__ import annotations

from uuid import UUID

from sqlalchemy.orm import Session

from referral.models.case import Assessment, Case
from referral.models.crisis import CrisisEpisode
from referral.models.plan import PlanVersion
from referral.models.referral import Referral
from referral.models.task import Task, TaskRing
from referral.terms import ReferralStatus
from screening.core.ahead import Shelf

OPEN_TASKS: Shelf[Task] = Shelf(
    Task.subject_id, condition=Task.done_at.is_(None), live=lambda task: task.done_at is None
)
OPEN_CASES: Shelf[Case] = Shelf(
    Case.child_id, condition=Case.closed_at.is_(None), live=lambda case: case.closed_at is None
)
OPEN_REFERRALS: Shelf[Referral] = Shelf(
    Referral.case_id, condition=Referral.ended_at.is_(None), live=lambda referral: referral.ended_at is None
)
OPEN_EPISODES: Shelf[CrisisEpisode] = Shelf(
    CrisisEpisode.case_id,
    condition=CrisisEpisode.stood_down_at.is_(None),
    live=lambda episode: episode.stood_down_at is None,
)
PLAN_VERSIONS: Shelf[PlanVersion] = Shelf(PlanVersion.case_id)
ASSESSMENTS: Shelf[Assessment] = Shelf(Assessment.case_id)
RINGS: Shelf[TaskRing] = Shelf(TaskRing.task_id)


def living_referral(session: Session, *, case_id: UUID) -> Referral | None:
    """The open referral of a case; of two (a silent facility, and the one asked after it) the living one."""
    found = OPEN_REFERRALS.of(session, case_id)
    return max(
        found,
        key=lambda each: (each.status is not ReferralStatus.EXPIRED_NO_ANSWER, each.drafted_at),
        default=None,
    )
