"""改转: after a refusal or a silence another facility is asked; nothing is typed twice."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

from sqlalchemy import or_, select
from sqlalchemy.orm import Session

from referral.actions import cases, referrals
from referral.actions.referral_steps import end_lines, move, settle
from referral.models.case import Case
from referral.models.referral import Referral
from referral.queries.facilities import choose_for
from referral.terms import ReferralStatus, TaskKind
from screening import access
from screening.access import May
from screening.core.actor import Actor
from screening.core.errors import PolicyViolation
from screening.models.child import Child

REROUTABLE = frozenset({ReferralStatus.DECLINED, ReferralStatus.EXPIRED_NO_ANSWER})


def reroute(
    session: Session,
    *,
    actor: Actor,
    case: Case,
    child: Child,
    referral: Referral,
    facility_id: UUID | None,
    in_parallel: bool,
    now: datetime,
) -> Referral:
    """A new draft to another facility, linked to the one before.

    ``in_parallel``: a facility that was only silent keeps its chance; whoever accepts first has the child.
    """
    access.check_may(actor, May.SEND_REFERRAL)
    if referral.status not in REROUTABLE:
        raise PolicyViolation("Only a refused or unanswered referral is passed on.")
    if in_parallel and referral.status is not ReferralStatus.EXPIRED_NO_ANSWER:
        raise PolicyViolation("A facility that has refused is not asked a second time.")
    if _asked_since(session, referral):
        raise PolicyViolation("Another facility has been asked since. Go on with that referral.")
    asked = frozenset(_asked(session, case))
    target = facility_id
    if target is None:
        target = choose_for(
            session, child=child, urgency=referral.urgency, now=now, refused=asked
        ).facility_id
    if target in asked:
        raise PolicyViolation("This facility has been asked before.")
    settle(session, actor, TaskKind.REFERRAL_REROUTE, referral, "rerouted", now)
    if not in_parallel:
        move(session, actor, referral, ReferralStatus.REROUTED, None, None, now)
        cases.end_grants(session, actor=actor, reason_id=referral.id, now=now)
        end_lines(session, actor, referral, "rerouted", now)
    session.flush()
    return referrals.new_draft(
        session,
        actor=actor,
        case=case,
        facility_id=target,
        urgency=referral.urgency,
        why="rerouted",
        former=referral,
        now=now,
    )


def _asked_since(session: Session, referral: Referral) -> bool:
    """Whether a referral that follows this one is under way: a third would leave nobody knowing whom to wait for."""
    later = select(Referral.id).where(
        Referral.case_id == referral.case_id,
        Referral.ended_at.is_(None),
        Referral.drafted_at > referral.drafted_at,
    )
    return session.scalars(later.limit(1)).first() is not None


def _asked(session: Session, case: Case) -> set[UUID]:
    rows = session.scalars(
        select(Referral.facility_id).where(
            Referral.case_id == case.id, or_(Referral.sent_at.is_not(None), Referral.ended_at.is_(None))
        )
    )
    return {row for row in rows if row is not None}
