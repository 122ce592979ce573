"""账号与岗位: open, reset, give and end roles, hand over, close. Whoever works here sees colleagues and no child."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

from fastapi import Depends, Request, Response
from sqlalchemy.orm import Session

from api.auth.passwords import start_password
from api.deps import (
    FRESH,
    ClockDep,
    DatabaseDep,
    GatekeeperDep,
    PageActorDep,
    SessionDep,
    TransactionDep,
    get_page_actor,
    needs,
    page_router,
)
from api.web.forms import Form, FormDep
from api.web.pages import go, page_locale, render
from api.web.presenters import accounts as present
from referral.actions import departures
from referral.actions.departures import Leaving
from referral.queries.work import open_work, successors
from screening.access import May
from screening.actions import accounts
from screening.core.actor import Actor, Role
from screening.core.clock import local_day
from screening.core.errors import Conflict, DomainError, InvalidInput, PolicyViolation
from screening.models.account import Account
from screening.queries.accounts import find_account, names_of
from screening.queries.districts import get_organisation, list_organisations
from screening.queries.staff import all_grants, get_account, get_grant, list_accounts

router = page_router(
    prefix="/accounts",
    dependencies=[Depends(get_page_actor), needs(May.MANAGE_ACCOUNTS)],
)


@router.get("")
def show_accounts(
    request: Request,
    session: SessionDep,
    actor: PageActorDep,
    clock: ClockDep,
    place: UUID | None = None,
    q: str = "",
) -> Response:
    """Accounts of a place, or found by user name or person; the form that opens one."""
    return _list_page(request, session, actor, clock.now(), place=place, q=q[:60])


def _list_page(
    request: Request,
    session: Session,
    actor: Actor,
    now: datetime,
    *,
    place: UUID | None = None,
    q: str = "",
    form: Form | None = None,
    refused: DomainError | None = None,
) -> Response:
    locale = page_locale(request)
    chosen = get_organisation(session, actor=actor, organisation_id=place) if place else None
    lines, more = list_accounts(session, actor=actor, today=local_day(now), place=chosen, search=q)
    return render(
        request,
        "admin/accounts.html",
        session=session,
        status=200 if refused is None and not (form and form.errors) else 422,
        rows=present.rows(lines, locale),
        more=more,
        organisations=present.tree(list_organisations(session, actor=actor)),
        place=chosen.id if chosen else None,
        q=q,
        form=form or Form(),
        refused=refused,
    )


@router.post("")
def open_account(
    request: Request,
    form: FormDep,
    transaction: TransactionDep,
    database: DatabaseDep,
    actor: PageActorDep,
    gatekeeper: GatekeeperDep,
    clock: ClockDep,
) -> Response:
    """A new account without any role. Its start password stands on the answer once and nowhere else (AU12)."""
    now = clock.now()
    username, name = form.text("username", limit=64, needed=True), form.text("name", limit=60, needed=True)
    refused: DomainError | None = None
    if not form.errors:
        password = start_password()
        hashed = gatekeeper.hasher.hash(password)
        try:
            with transaction() as session:
                account = accounts.open_account(
                    session, actor=actor, username=username, name=name, password_hash=hashed, now=now
                )
                session.flush()
                return _password_page(request, session, account, password)
        except (InvalidInput, Conflict) as error:
            refused = error
    with database.begin() as session:
        return _list_page(request, session, actor, now, form=form, refused=refused)


def _password_page(request: Request, session: Session, account: Account, password: str) -> Response:
    return render(request, "admin/start_password.html", session=session, account=account, password=password)


@router.get("/{account_id}")
def show_account(
    account_id: UUID,
    request: Request,
    session: SessionDep,
    actor: PageActorDep,
    clock: ClockDep,
    turns: str | None = None,
) -> Response:
    """Posts, state, and what somebody else has to take over before it can be closed."""
    now = clock.now()
    account = get_account(session, actor=actor, account_id=account_id, now=now)
    return _page(request, session, actor, account, now, turns=turns is not None)


def _page(
    request: Request,
    session: Session,
    actor: Actor,
    account: Account,
    now: datetime,
    *,
    form: Form | None = None,
    refused: DomainError | None = None,
    leaving: Leaving | None = None,
    turns: bool = False,
    status: int = 200,
) -> Response:
    locale, grants = page_locale(request), all_grants(session, account_id=account.id)
    works = open_work(session, account=account, now=now)
    able = [successors(session, work=work, account=account, now=now) for work in works]
    if refused is not None or (form is not None and form.errors):
        status = 422
    return render(
        request,
        "admin/account.html",
        session=session,
        status=status,
        account=account,
        state=present.state(account, locale),
        posts=present.posts(
            grants, names_of(session, [g.approved_by for g in grants]), local_day(now), locale
        ),
        works=present.work(list(zip(works, able, strict=True))),
        leaving=leaving,
        turns=turns,
        roles=present.roles(locale),
        organisations=present.tree(list_organisations(session, actor=actor)),
        today=local_day(now).isoformat(),
        own=account.id == actor.account_id,
        form=form or Form(),
        refused=refused,
    )


@router.post("/{account_id}/reset", dependencies=[FRESH])
def reset(
    account_id: UUID,
    request: Request,
    transaction: TransactionDep,
    actor: PageActorDep,
    gatekeeper: GatekeeperDep,
    clock: ClockDep,
) -> Response:
    """A new start password, shown once; every session of the account ends (AU12)."""
    password = start_password()
    hashed = gatekeeper.hasher.hash(password)
    with transaction() as session:
        account = get_account(session, actor=actor, account_id=account_id, now=clock.now())
        accounts.start_reset(session, actor=actor, account=account, password_hash=hashed, now=clock.now())
        return _password_page(request, session, account, password)


@router.post("/{account_id}/grants", dependencies=[FRESH])
def grant(
    account_id: UUID,
    request: Request,
    form: FormDep,
    transaction: TransactionDep,
    database: DatabaseDep,
    actor: PageActorDep,
    clock: ClockDep,
) -> Response:
    """Give a role in one place for a time: who approved it and why is part of it (AU8)."""
    now = clock.now()
    try:
        with transaction() as session:
            account = get_account(session, actor=actor, account_id=account_id, now=now)
            _grant(session, actor, account, form, now)
    except (InvalidInput, PolicyViolation) as refused:
        with database.begin() as session:
            account = get_account(session, actor=actor, account_id=account_id, now=now)
            return _page(
                request, session, actor, account, now, form=form, refused=None if form.errors else refused
            )
    return go(f"/accounts/{account_id}#posts")


def _grant(session: Session, actor: Actor, account: Account, form: Form, now: datetime) -> None:
    role = form.choice("role", Role, needed=True)
    place = form.choice_of("organisation", {str(o.id): o for o in list_organisations(session, actor=actor)})
    since = form.day("valid_from", needed=True)
    until = form.day("valid_to")
    reason = form.text("reason", limit=200, needed=True)
    approver = _approver(session, form)
    form.check()
    if role is None or place is None or since is None:
        return
    accounts.grant_role(
        session,
        actor=actor,
        account=account,
        role=role,
        organisation=place,
        valid_from=since,
        valid_to=until,
        approved_by=approver,
        reason=reason,
        now=now,
    )


def _approver(session: Session, form: Form) -> UUID | None:
    """Whoever approved it, by user name: a colleague with an open account."""
    username = form.text("approved_by", limit=64, needed=True).lower()
    found = find_account(session, username=username) if username else None
    if username and (found is None or found.disabled_at is not None):
        form.wrong("approved_by", "There is no account of this user name.")
    return found.id if found else None


@router.post("/{account_id}/grants/{grant_id}/end", dependencies=[FRESH])
def end_grant(
    account_id: UUID,
    grant_id: UUID,
    request: Request,
    transaction: TransactionDep,
    actor: PageActorDep,
    clock: ClockDep,
) -> Response:
    """The role ends now, unless only it covers open work (domain guide §3.10)."""
    now = clock.now()
    with transaction() as session:
        account = get_account(session, actor=actor, account_id=account_id, now=now)
        role = get_grant(session, account=account, grant_id=grant_id, today=local_day(now))
        leaving = departures.end_role(session, actor=actor, account=account, grant=role, now=now)
        return _after(request, session, actor, account, leaving, now)


@router.post("/{account_id}/disable", dependencies=[FRESH])
def disable(
    account_id: UUID,
    request: Request,
    transaction: TransactionDep,
    actor: PageActorDep,
    clock: ClockDep,
) -> Response:
    """Close the account. While it owns open work that is refused, and what is urgent falls to the lead at once."""
    now = clock.now()
    with transaction() as session:
        account = get_account(session, actor=actor, account_id=account_id, now=now)
        leaving = departures.close_account(session, actor=actor, account=account, now=now)
        return _after(request, session, actor, account, leaving, now)


def _after(
    request: Request, session: Session, actor: Actor, account: Account, leaving: Leaving, now: datetime
) -> Response:
    """The refusal is an answer and no exception: what fell to the lead is stored with it."""
    if not leaving.left:
        return go(f"/accounts/{account.id}{'?turns=1' if leaving.turns else ''}")
    return _page(request, session, actor, account, now, leaving=leaving, status=409)


@router.post("/{account_id}/handover")
def hand_over(
    account_id: UUID, form: FormDep, session: SessionDep, actor: PageActorDep, clock: ClockDep
) -> Response:
    """Everything this account owns at one place goes to one colleague."""
    now = clock.now()
    account = get_account(session, actor=actor, account_id=account_id, now=now)
    place, to = form.ids("place"), form.ids("to")
    if len(place) != 1 or len(to) != 1:
        raise InvalidInput("Choose who takes over.")
    departures.hand_over(session, actor=actor, account=account, place_id=place[0], to_id=to[0], now=now)
    return go(f"/accounts/{account_id}#leaving")
