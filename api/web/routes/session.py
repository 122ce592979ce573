"""Sign in, sign out, a new password, the language of the pages."""

from __future__ import annotations

from typing import Annotated

from fastapi import Depends, Request, Response

from api.auth.gatekeeper import SignInRefused
from api.auth.guessing import TooMany
from api.deps import (
    AddressDep,
    DatabaseDep,
    GatekeeperDep,
    PageActorDep,
    SessionDep,
    SignedInDep,
    clear_page_cookie,
    get_page_actor,
    page_router,
    set_page_cookie,
)
from api.errors import CHALLENGE
from api.web.forms import FormDep
from api.web.pages import KEPT, LANGUAGE_COOKIE, YEAR_IN_SECONDS, again_page, go, is_local, render
from screening.core.errors import DomainError, InvalidInput
from screening.core.i18n import LOCALES
from screening.models.account import Account

way_in = page_router()
own = page_router(dependencies=[Depends(get_page_actor)])

OPEN = frozenset({("GET", "/sign-in"), ("POST", "/sign-in"), ("POST", "/language")})
FIRST_PAGE = "/today"


@own.get("/")
def start() -> Response:
    """Everybody's first page."""
    return go(FIRST_PAGE)


@way_in.get("/sign-in")
def show_sign_in(request: Request, goodbye: Annotated[str | None, "after signing out"] = None) -> Response:
    """The form to sign in."""
    said = "You have signed out." if goodbye else None
    return _sign_in_page(request, said=said)


def _sign_in_page(
    request: Request,
    *,
    username: str = "",
    wanted: str = "",
    said: str | None = None,
    params: dict[str, object] | None = None,
    status: int = 200,
    headers: dict[str, str] | None = None,
) -> Response:
    return render(
        request,
        "session/sign_in.html",
        status=status,
        headers=headers,
        username=username,
        wanted=wanted,
        said=said,
        params=params or {},
        number=None,
    )


@way_in.post("/sign-in")
def sign_in(request: Request, form: FormDep, gatekeeper: GatekeeperDep, address: AddressDep) -> Response:
    """A browser's session for a user name and a password, or the form again with one sentence."""
    username, wanted = form.raw("username")[:64], form.raw("wanted")
    wanted = wanted if is_local(wanted) else ""
    try:
        token = gatekeeper.sign_in_page(username, form.raw("password")[:128], address=address)
    except SignInRefused as refused:
        return _sign_in_page(
            request,
            username=username,
            wanted=wanted,
            said=refused.message,
            params=refused.params,
            status=401,
            headers=dict(CHALLENGE),
        )
    except TooMany as wait:
        return _sign_in_page(
            request,
            username=username,
            wanted=wanted,
            said=wait.message,
            params=wait.params,
            status=429,
            headers={"Retry-After": str(wait.seconds)},
        )
    answer = go(wanted or FIRST_PAGE)
    set_page_cookie(answer, token)
    return answer


@own.post("/sign-out")
def sign_out(session: SessionDep, signed_in: SignedInDep, gatekeeper: GatekeeperDep) -> Response:
    """End this session and take everything of it from the browser."""
    gatekeeper.sign_out(session, signed_in)
    answer = go("/sign-in?goodbye=1")
    clear_page_cookie(answer)
    return answer


@own.post("/sign-in/again")
def sign_in_again(
    request: Request,
    form: FormDep,
    signed_in: SignedInDep,
    gatekeeper: GatekeeperDep,
    database: DatabaseDep,
    address: AddressDep,
) -> Response:
    """Who is there? Then the step that asked is one press away, with everything that had been typed for it."""
    action = form.raw("action")
    if not is_local(action):
        raise InvalidInput("Please open the page again.")
    kept = [
        (name.removeprefix(KEPT), value)
        for name, values in form.sent.items()
        if name.startswith(KEPT)
        for value in values
    ]
    with database.look() as session:
        username = session.get_one(Account, signed_in.account_id).username
    try:
        token = gatekeeper.sign_in_page(username, form.raw("password")[:128], address=address)
    except SignInRefused:
        return again_page(
            request, action=action, kept=kept, said="The current password is wrong.", status=422
        )
    except TooMany as wait:
        return again_page(
            request,
            action=action,
            kept=kept,
            said=wait.message,
            params=wait.params,
            status=429,
            headers={"Retry-After": str(wait.seconds)},
        )
    with database.begin() as session:
        gatekeeper.sign_out(session, signed_in)
    # The answer is made for the new session: its forms carry the new session's token.
    request.state.signed_in = gatekeeper.recognise(token, browser=True)
    answer = render(request, "session/go_on.html", action=action, kept=kept)
    set_page_cookie(answer, token)
    return answer


@own.get("/password")
def show_password(request: Request, signed_in: SignedInDep, _: PageActorDep) -> Response:
    """The form for a new password."""
    return _password_page(request, first=signed_in.must_change_password)


def _password_page(
    request: Request, *, first: bool, refused: DomainError | None = None, status: int = 200
) -> Response:
    return render(
        request,
        "session/password.html",
        status=status,
        first=first,
        said=refused.message if refused else None,
        params=refused.params if refused else {},
        number=None,
    )


@own.post("/password")
def change_password(
    request: Request,
    form: FormDep,
    signed_in: SignedInDep,
    gatekeeper: GatekeeperDep,
    database: DatabaseDep,
    address: AddressDep,
) -> Response:
    """A new password. Every session ends; this browser goes on with a fresh one."""
    first = signed_in.must_change_password
    new = form.raw("new_password")
    try:
        if new != form.raw("new_password_again"):
            raise InvalidInput("The two new passwords differ.")
        gatekeeper.change_password(
            signed_in, current=form.raw("current_password")[:128], new=new, address=address
        )
    except InvalidInput as refused:
        return _password_page(request, first=first, refused=refused, status=422)
    except TooMany as wait:
        return _password_page(request, first=first, refused=wait, status=429)
    with database.look() as session:
        username = session.get_one(Account, signed_in.account_id).username
    answer = go(FIRST_PAGE)
    set_page_cookie(answer, gatekeeper.sign_in_page(username, new, address=address))
    return answer


@way_in.post("/language")
def choose_language(form: FormDep) -> Response:
    """Chinese or English on this device. Not about a person: no form token, but only from our own pages."""
    chosen, back = form.raw("language"), form.raw("back")
    answer = go(back if is_local(back) else FIRST_PAGE)
    if chosen in LOCALES:
        answer.set_cookie(
            LANGUAGE_COOKIE,
            chosen,
            max_age=YEAR_IN_SECONDS,
            path="/",
            secure=True,
            httponly=True,
            samesite="lax",
        )
    return answer
