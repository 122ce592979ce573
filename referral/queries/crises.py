"""Crisis episodes for whoever has to act: the school, the principal, and everybody who was rung about one."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from sqlalchemy import Select, false, or_, select
from sqlalchemy.orm import Session, selectinload

from referral.models.case import Case
from referral.models.crisis import CrisisEpisode
from referral.models.notice import Notice
from referral.models.task import Task
from referral.queries.cases import cases_visible_to
from referral.terms import Custody, TaskKind
from screening.access import May, places
from screening.core import audit
from screening.core.actor import Actor
from screening.core.audit import AuditEvent
from screening.core.errors import NotFound
from screening.models.child import Child
from screening.models.organisation import Organisation
from screening.queries.accounts import duty_phone
from screening.queries.children import guardians_of


def crises_visible_to(actor: Actor) -> Select[CrisisEpisode]:
    """Episodes of cases in sight, of the schools where the actor handles crises, and those they were rung about.

    The principal opens no case, and county duty has no grant to the child: the crisis itself opens its card to
    whoever is called to it (field guide, "crisis only").
    """
    if actor.is_system:
        return select(CrisisEpisode)
    here = places(actor, May.HANDLE_CRISIS)
    if not here:
        return select(CrisisEpisode).where(false())
    own = cases_visible_to(actor).with_only_columns(Case.id)
    at_school = select(Case.id).where(Case.organisation_id.in_(here), Case.custody == Custody.SCHOOL)
    rung = (
        select(Task.subject_id)
        .join(Notice, Notice.task_id == Task.id)
        .where(Task.kind == TaskKind.CRISIS_ACKNOWLEDGE, Notice.account_id == actor.account_id)
    )
    return select(CrisisEpisode).where(
        or_(CrisisEpisode.case_id.in_(own), CrisisEpisode.case_id.in_(at_school), CrisisEpisode.id.in_(rung))
    )


def list_open(session: Session, *, actor: Actor, now: datetime) -> Sequence[CrisisEpisode]:
    """Episodes nobody has stood down: those nobody has taken first, then the newest."""
    found = session.scalars(
        crises_visible_to(actor)
        .where(CrisisEpisode.stood_down_at.is_(None))
        .options(selectinload(CrisisEpisode.steps))
        .order_by(CrisisEpisode.taken_at.is_not(None), CrisisEpisode.opened_at.desc(), CrisisEpisode.id)
        .limit(200)
    ).all()
    audit.record_list(
        session,
        actor=actor,
        event=AuditEvent.CRISIS_READ,
        at=now,
        children=[episode.child_id for episode in found],
        detail={},
    )
    return found


@dataclass(frozen=True, slots=True)
class Card:
    """What the adult who takes it needs: the child, whom to call, what was done."""

    episode: CrisisEpisode
    case: Case
    child: Child
    guardian_phone: str | None
    duty_phone: str | None


def get_card(session: Session, *, actor: Actor, episode_id: UUID, now: datetime) -> Card:
    """The episode with its card, or :class:`NotFound`; the reading is recorded."""
    episode = session.scalars(
        crises_visible_to(actor)
        .where(CrisisEpisode.id == episode_id)
        .options(selectinload(CrisisEpisode.steps))
    ).one_or_none()
    if episode is None:
        raise NotFound
    audit.record(
        session,
        actor=actor,
        event=AuditEvent.CRISIS_READ,
        at=now,
        child_id=episode.child_id,
        subject_id=episode.id,
    )
    return card_of(session, episode=episode, now=now)


def card_of(session: Session, *, episode: CrisisEpisode, now: datetime) -> Card:
    """The card of an episode that was found through a scope."""
    case = session.get_one(Case, episode.case_id)
    guardians = guardians_of(session, episode.child_id)
    school = session.get_one(Organisation, case.organisation_id)
    return Card(
        episode=episode,
        case=case,
        child=session.get_one(Child, episode.child_id),
        guardian_phone=guardians[-1].phone if guardians else None,
        duty_phone=duty_phone(session, organisation=school, at=now),
    )
