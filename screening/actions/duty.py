"""The duty roster: who answers the telephone, from when to when. A gap is shown, it is never filled by itself."""

from __future__ import annotations

from datetime import datetime, timedelta
from uuid import UUID

from sqlalchemy import delete, select
from sqlalchemy.orm import Session

from screening import access
from screening.access import May
from screening.actions import organisations
from screening.core import audit
from screening.core.actor import Actor
from screening.core.audit import AuditEvent
from screening.core.clock import local_day
from screening.core.errors import InvalidInput, PolicyViolation
from screening.models.account import Account
from screening.models.organisation import DutyEntry, Organisation
from screening.queries.accounts import live_grants

WEEK = timedelta(days=7)
LONGEST = timedelta(days=31)
SHORTEST_PHONE = 3


def add_turn(
    session: Session,
    *,
    actor: Actor,
    organisation: Organisation,
    account: Account,
    phone: str,
    starts_at: datetime,
    ends_at: datetime,
    now: datetime,
) -> DutyEntry:
    """Put a colleague on duty. Raises :class:`PolicyViolation` for somebody who has no post there or above, and
    for a turn they already have at this time."""
    access.check_may(actor, May.MANAGE_ACCOUNTS)
    _check_phone(phone)
    if ends_at <= now:
        raise InvalidInput("This turn of duty is over already.")
    if ends_at - starts_at > LONGEST:
        raise InvalidInput("A turn of duty is at most a month long.")
    if account.disabled_at is not None or not _has_post(session, account, organisation, now):
        raise PolicyViolation("Only a colleague with a post here, or in the area above, is put on duty.")
    if _overlaps(session, organisation, account.id, starts_at, ends_at):
        raise PolicyViolation("This person is already on duty here at that time.")
    return organisations.put_on_duty(
        session,
        actor=actor,
        organisation=organisation,
        account_id=account.id,
        phone=phone,
        starts_at=starts_at,
        ends_at=ends_at,
        now=now,
    )


def _check_phone(phone: str) -> None:
    digits = sum(char.isdigit() for char in phone)
    if digits < SHORTEST_PHONE or len(phone) > 40 or any(char not in "0123456789+-, " for char in phone):
        raise InvalidInput(
            "A telephone number has digits, and may have +, - and a comma before an extension."
        )


def _has_post(session: Session, account: Account, organisation: Organisation, now: datetime) -> bool:
    grants = live_grants(session, account_id=account.id, today=local_day(now))
    return any(organisation.path.startswith(grant.organisation_path) for grant in grants)


def _overlaps(
    session: Session, organisation: Organisation, account_id: UUID, starts_at: datetime, ends_at: datetime
) -> bool:
    same = select(DutyEntry.id).where(
        DutyEntry.organisation_id == organisation.id,
        DutyEntry.account_id == account_id,
        DutyEntry.starts_at < ends_at,
        DutyEntry.ends_at > starts_at,
    )
    return session.scalars(same.limit(1)).first() is not None


def end_turn(session: Session, *, actor: Actor, turn: DutyEntry, now: datetime) -> None:
    """A running turn ends now, a coming one is struck out. What is past stays as it was."""
    access.check_may(actor, May.MANAGE_ACCOUNTS)
    if turn.ends_at <= now:
        raise PolicyViolation("This turn of duty is over already.")
    _end(session, actor, turn, now)


def _end(session: Session, actor: Actor, turn: DutyEntry, now: datetime) -> None:
    audit.record(
        session,
        actor=actor,
        event=AuditEvent.DUTY_END,
        at=now,
        subject_id=turn.id,
        detail={"organisation": str(turn.organisation_id), "account": str(turn.account_id)},
    )
    if turn.starts_at > now:
        session.execute(delete(DutyEntry).where(DutyEntry.id == turn.id))
    else:
        turn.ends_at = now


def end_turns_of(session: Session, *, actor: Actor, account: Account, now: datetime) -> int:
    """Somebody leaves: nobody rings them any more. Returns how many turns are open now, to be filled."""
    access.check_may(actor, May.MANAGE_ACCOUNTS)
    turns = session.scalars(
        select(DutyEntry).where(DutyEntry.account_id == account.id, DutyEntry.ends_at > now)
    ).all()
    for turn in turns:
        _end(session, actor, turn, now)
    return len(turns)


def copy_week(
    session: Session, *, actor: Actor, organisation: Organisation, begin: datetime, now: datetime
) -> int:
    """The turns that begin in the week from ``begin``, seven days later. Returns how many were added: pressed
    twice, nothing the second time; whoever has left or lost their post is not copied."""
    access.check_may(actor, May.MANAGE_ACCOUNTS)
    turns = session.scalars(
        select(DutyEntry)
        .where(
            DutyEntry.organisation_id == organisation.id,
            DutyEntry.starts_at >= begin,
            DutyEntry.starts_at < begin + WEEK,
        )
        .order_by(DutyEntry.starts_at)
    ).all()
    added = 0
    for turn in turns:
        account = session.get_one(Account, turn.account_id)
        starts_at, ends_at = turn.starts_at + WEEK, turn.ends_at + WEEK
        if (
            ends_at <= now
            or account.disabled_at is not None
            or not _has_post(session, account, organisation, now)
            or _overlaps(session, organisation, account.id, starts_at, ends_at)
        ):
            continue
        organisations.put_on_duty(
            session,
            actor=actor,
            organisation=organisation,
            account_id=account.id,
            phone=turn.phone or "",
            starts_at=starts_at,
            ends_at=ends_at,
            now=now,
        )
        added += 1
    return added
