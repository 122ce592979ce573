"""Accounts, posts and the duty roster, for the administrator. No child is in any of it."""

from __future__ import annotations

from datetime import datetime, time, timedelta
from typing import Annotated
from uuid import UUID

from fastapi import Query, Request, Response
from sqlalchemy.orm import Session

from api.auth.passwords import start_password
from api.deps import FRESH, ActorDep, ClockDep, GatekeeperDep, SessionDep, TransactionDep, json_router, needs
from api.errors import answer, problem_of
from api.v1.schemas.accounts import (
    AccountCardOut,
    AccountIn,
    AccountOut,
    CopiedOut,
    CopyWeekIn,
    CoverOut,
    GrantIn,
    GrantOut,
    HandedOut,
    HandoverIn,
    LeavingOut,
    StartPasswordOut,
    TurnIn,
    TurnOut,
    WorkOut,
)
from api.v1.schemas.common import Day
from referral.actions import departures
from referral.actions.departures import Leaving
from referral.queries.work import open_work, successors
from screening.access import May
from screening.actions import accounts, duty
from screening.core.clock import LOCAL, local_day
from screening.core.errors import InvalidInput, PolicyViolation
from screening.models.account import Account
from screening.queries.districts import get_organisation
from screening.queries.staff import (
    StaffLine,
    all_grants,
    covers,
    get_account,
    get_grant,
    get_turn,
    list_accounts,
    list_turns,
)

router = json_router(tags=["accounts"])

ONLY = [needs(May.MANAGE_ACCOUNTS)]
ONLY_FRESH = [needs(May.MANAGE_ACCOUNTS), FRESH]
WEEK = timedelta(days=7)


@router.get("/accounts", dependencies=ONLY)
def list_staff(
    session: SessionDep,
    actor: ActorDep,
    clock: ClockDep,
    organisation_id: Annotated[UUID | None, Query()] = None,
    search: Annotated[str, Query(max_length=60)] = "",
) -> list[AccountOut]:
    """Accounts of a place, or by user name or person; at most 200."""
    place = (
        get_organisation(session, actor=actor, organisation_id=organisation_id) if organisation_id else None
    )
    lines, _ = list_accounts(session, actor=actor, today=clock.today(), place=place, search=search)
    return [AccountOut.of(line) for line in lines]


@router.post("/accounts", status_code=201, dependencies=ONLY)
def open_account(
    body: AccountIn, transaction: TransactionDep, actor: ActorDep, gatekeeper: GatekeeperDep, clock: ClockDep
) -> StartPasswordOut:
    """A new account without any role; its start password stands in this answer and nowhere else (AU12)."""
    password = start_password()
    hashed = gatekeeper.hasher.hash(password)
    with transaction() as session:
        account = accounts.open_account(
            session,
            actor=actor,
            username=body.username,
            name=body.name,
            password_hash=hashed,
            now=clock.now(),
        )
        return StartPasswordOut(id=account.id, username=account.username, start_password=password)


@router.get("/accounts/{account_id}", dependencies=ONLY)
def show_account(account_id: UUID, session: SessionDep, actor: ActorDep, clock: ClockDep) -> AccountCardOut:
    """Posts, state, and the open work that stands in the way of closing it."""
    account = get_account(session, actor=actor, account_id=account_id, now=clock.now())
    return _card(session, account, clock.now())


def _card(session: Session, account: Account, now: datetime) -> AccountCardOut:
    today = local_day(now)
    live = [
        grant
        for grant in all_grants(session, account_id=account.id)
        if grant.valid_to is None or grant.valid_to >= today
    ]
    work = [
        WorkOut.of(each, successors(session, work=each, account=account, now=now))
        for each in open_work(session, account=account, now=now)
    ]
    return AccountCardOut.of_card(StaffLine(account, tuple(live)), work)


@router.post("/accounts/{account_id}/reset", dependencies=ONLY_FRESH)
def reset(
    account_id: UUID,
    transaction: TransactionDep,
    actor: ActorDep,
    gatekeeper: GatekeeperDep,
    clock: ClockDep,
) -> StartPasswordOut:
    """A new start password; every session of the account ends (AU12)."""
    password = start_password()
    hashed = gatekeeper.hasher.hash(password)
    with transaction() as session:
        account = get_account(session, actor=actor, account_id=account_id, now=clock.now())
        accounts.start_reset(session, actor=actor, account=account, password_hash=hashed, now=clock.now())
        return StartPasswordOut(id=account.id, username=account.username, start_password=password)


@router.post("/accounts/{account_id}/grants", status_code=201, dependencies=ONLY_FRESH)
def grant(account_id: UUID, body: GrantIn, session: SessionDep, actor: ActorDep, clock: ClockDep) -> GrantOut:
    """Give a role in one place for a time (AU8)."""
    account = get_account(session, actor=actor, account_id=account_id, now=clock.now())
    approver = session.get(Account, body.approved_by)
    if approver is None or approver.disabled_at is not None:
        raise InvalidInput("Say who approved the role.")
    made = accounts.grant_role(
        session,
        actor=actor,
        account=account,
        role=body.role,
        organisation=get_organisation(session, actor=actor, organisation_id=body.organisation_id),
        valid_from=body.valid_from,
        valid_to=body.valid_to,
        approved_by=approver.id,
        reason=body.reason,
        now=clock.now(),
    )
    return GrantOut.of(made)


@router.post(
    "/accounts/{account_id}/grants/{grant_id}/end", dependencies=ONLY_FRESH, response_model=LeavingOut
)
def end_grant(
    account_id: UUID,
    grant_id: UUID,
    request: Request,
    session: SessionDep,
    actor: ActorDep,
    clock: ClockDep,
) -> LeavingOut | Response:
    """The role ends now; 409 while only it covers open work."""
    now = clock.now()
    account = get_account(session, actor=actor, account_id=account_id, now=now)
    role = get_grant(session, account=account, grant_id=grant_id, today=local_day(now))
    leaving = departures.end_role(session, actor=actor, account=account, grant=role, now=now)
    return _left(request, leaving)


@router.post("/accounts/{account_id}/disable", dependencies=ONLY_FRESH, response_model=LeavingOut)
def disable(
    account_id: UUID, request: Request, session: SessionDep, actor: ActorDep, clock: ClockDep
) -> LeavingOut | Response:
    """Close the account; 409 while it owns open work. What is urgent has gone to the lead by then."""
    now = clock.now()
    account = get_account(session, actor=actor, account_id=account_id, now=now)
    leaving = departures.close_account(session, actor=actor, account=account, now=now)
    return _left(request, leaving)


def _left(request: Request, leaving: Leaving) -> LeavingOut | Response:
    """The refusal is an answer and no exception: what fell to the lead is stored with it."""
    if leaving.left:
        refused = PolicyViolation("{left} cases and lines need somebody else first.", left=leaving.left)
        return answer(request, problem_of(refused))
    return LeavingOut.of(leaving)


@router.post("/accounts/{account_id}/handover", dependencies=ONLY)
def hand_over(
    account_id: UUID, body: HandoverIn, session: SessionDep, actor: ActorDep, clock: ClockDep
) -> HandedOut:
    """Everything this account owns at one place goes to one colleague."""
    account = get_account(session, actor=actor, account_id=account_id, now=clock.now())
    moved = departures.hand_over(
        session,
        actor=actor,
        account=account,
        place_id=body.organisation_id,
        to_id=body.to,
        now=clock.now(),
    )
    return HandedOut(moved=moved)


# --- the duty roster ---------------------------------------------------------------------------------------


@router.get("/duty", dependencies=ONLY)
def list_covers(session: SessionDep, actor: ActorDep, clock: ClockDep) -> list[CoverOut]:
    """Every place that has to be reachable, and the holes of the coming seven days."""
    return [CoverOut.of(cover) for cover in covers(session, actor=actor, now=clock.now())]


def _midnight(day: Day) -> datetime:
    return datetime.combine(day - timedelta(days=day.weekday()), time(), LOCAL)


@router.get("/duty/{organisation_id}", dependencies=ONLY)
def list_week(
    organisation_id: UUID,
    session: SessionDep,
    actor: ActorDep,
    clock: ClockDep,
    week: Annotated[str, Query(pattern=r"^\d{4}-\d{2}-\d{2}$")] = "",
) -> list[TurnOut]:
    """The turns that touch the week of a day, else of today."""
    place = get_organisation(session, actor=actor, organisation_id=organisation_id)
    begin = _midnight(_day(week) if week else clock.today())
    turns = list_turns(session, organisation=place, begin=begin, end=begin + WEEK)
    return [TurnOut.of(turn) for turn in turns]


def _day(text: str) -> Day:
    try:
        return datetime.strptime(text, "%Y-%m-%d").replace(tzinfo=LOCAL).date()
    except ValueError:
        raise InvalidInput("Please write the day like 2026-11-03.") from None


@router.post("/duty", status_code=201, dependencies=ONLY)
def add_turn(body: TurnIn, session: SessionDep, actor: ActorDep, clock: ClockDep) -> TurnOut:
    """Put a colleague on duty."""
    now = clock.now()
    turn = duty.add_turn(
        session,
        actor=actor,
        organisation=get_organisation(session, actor=actor, organisation_id=body.organisation_id),
        account=get_account(session, actor=actor, account_id=body.account_id, now=now),
        phone=body.phone,
        starts_at=body.starts_at,
        ends_at=body.ends_at,
        now=now,
    )
    return TurnOut.of(turn)


@router.post("/duty/{turn_id}/end", status_code=204, dependencies=ONLY)
def end_turn(turn_id: UUID, session: SessionDep, actor: ActorDep, clock: ClockDep) -> None:
    """End a running turn now, strike out a coming one."""
    turn = get_turn(session, actor=actor, turn_id=turn_id)
    duty.end_turn(session, actor=actor, turn=turn, now=clock.now())


@router.post("/duty/copies", dependencies=ONLY)
def copy_week(body: CopyWeekIn, session: SessionDep, actor: ActorDep, clock: ClockDep) -> CopiedOut:
    """The same people a week later; sent twice, nothing the second time."""
    place = get_organisation(session, actor=actor, organisation_id=body.organisation_id)
    added = duty.copy_week(
        session, actor=actor, organisation=place, begin=_midnight(body.week), now=clock.now()
    )
    return CopiedOut(added=added)
