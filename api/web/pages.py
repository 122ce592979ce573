"""Template environment and the one function that makes a page.

Every text on a page goes through the catalogue; what people have written is escaped. A page carries the nonce of
its answer and the token of its forms, and nothing on it comes from another host.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache, partial
from pathlib import Path
from typing import Any
from urllib.parse import quote

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from sqlalchemy.orm import Session
from starlette.requests import Request
from starlette.responses import HTMLResponse, RedirectResponse, Response

from api import once
from api.auth.gatekeeper import SignedIn
from api.deps import csp_nonce, form_token
from api.errors import TITLES, Problem
from api.web.presenters import dates, menu, words
from referral.queries.alarms import Alarm, alarm_for
from screening.access import May, may
from screening.core.i18n import DEFAULT_LOCALE, LOCALES, translate
from screening.models.account import Account

TEMPLATES = Path(__file__).parent / "templates"

# The language of the pages on this device. It says nothing about a person; the cookie ends after a year.
LANGUAGE_COOKIE = "xinqiao-language"
YEAR_IN_SECONDS = 365 * 24 * 3600


@cache
def environment() -> Environment:
    """Templates, escaped everywhere; a name that is missing is an error and never an empty place."""
    made = Environment(
        loader=FileSystemLoader(TEMPLATES),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        auto_reload=False,
    )
    made.filters["phone_link"] = phone_link
    return made


def phone_link(phone: str) -> str:
    """The address behind a phone number, so that one touch calls it."""
    return "tel:" + quote("".join(c for c in phone if c.isdigit() or c in "+,"))


def page_locale(request: Request) -> str:
    """The language chosen on this device, else the account's, else Chinese."""
    chosen = request.query_params.get("language") or request.cookies.get(LANGUAGE_COOKIE)
    if chosen in LOCALES:
        return chosen
    signed_in = _signed_in(request)
    return signed_in.locale if signed_in is not None else DEFAULT_LOCALE


def _signed_in(request: Request) -> SignedIn | None:
    found: SignedIn | None = request.scope.get("state", {}).get("signed_in")
    return found


def render(
    request: Request,
    template: str,
    *,
    session: Session | None = None,
    status: int = 200,
    headers: Mapping[str, str] | None = None,
    version: str = "",
    **values: Any,
) -> HTMLResponse:
    """A page. With ``session`` the name of the signed-in person stands in its head; ``version``: of what it shows,
    carried by its forms."""
    locale = page_locale(request)
    signed_in = _signed_in(request)
    person = {
        "me": _name(session, signed_in),
        "alarm": _alarm(session, signed_in, request),
        "version": version,
    }
    text = fragment(request, template, **(person | values))
    return HTMLResponse(text, status, {"Content-Language": locale, **(headers or {})})


def fragment(request: Request, template: str, **values: Any) -> str:
    """A template as text: the whole page for :func:`render`, a part of one for a script of ours."""
    locale = page_locale(request)
    signed_in = _signed_in(request)
    given = {
        "_": partial(translate, locale),
        "locale": locale,
        "other_locale": next(each for each in LOCALES if each != locale),
        "nonce": csp_nonce(request),
        "csrf": form_token(request) if signed_in is not None else None,
        "once": once.new_token,
        "version": "",
        "here": _here(request),
        "me": None,
        "alarm": None,
        "signed_in": signed_in is not None,
        "in_chinese": translate(DEFAULT_LOCALE, "In Chinese"),
        "reads_cases": _may(signed_in, May.READ_CASES),
        "reads_campaigns": _may(signed_in, May.READ_CAMPAIGNS),
        "imports_files": _may(signed_in, May.IMPORT),
        "raises_worries": _may(signed_in, May.RAISE_WORRY),
        "logs_calls": _may(signed_in, May.LOG_CALL),
        "receives_handovers": _may(signed_in, May.RECEIVE_HANDOVER),
        "menu": menu.pages(signed_in.actor if signed_in else None, locale),
        "word": partial(words.word, locale=locale),
        "moment": partial(dates.moment, locale=locale),
        "day": partial(dates.day, locale=locale),
        "machine": dates.machine,
    }
    return environment().get_template(template).render(**(given | values))


def _here(request: Request) -> str:
    """Where a change of language leads back to: this page, or the first one after a form."""
    path = request.url.path
    return path if request.method == "GET" or path == "/r" or path.startswith("/r/") else "/today"


def _name(session: Session | None, signed_in: SignedIn | None) -> str | None:
    if session is None or signed_in is None:
        return None
    account = session.get(Account, signed_in.account_id)
    return account.name if account else None


def _alarm(session: Session | None, signed_in: SignedIn | None, request: Request) -> Alarm | None:
    """Danger that nobody has taken stands on every page, whatever it is about."""
    if session is None or signed_in is None:
        return None
    return alarm_for(session, actor=signed_in.actor, now=request.app.state.clock.now())


def _may(signed_in: SignedIn | None, what: May) -> bool:
    return signed_in is not None and may(signed_in.actor, what)


def go(path: str) -> Response:
    """After a change: the browser opens a page again with GET, so that a reload sends nothing twice."""
    return RedirectResponse(path, status_code=303)


def is_local(path: str) -> bool:
    """Whether a path may be gone to after sign-in: one of ours, never another host."""
    return path.startswith("/") and not path.startswith(("//", "/\\")) and path.isascii() and len(path) < 200


# --- refusals ----------------------------------------------------------------------------------------------


def error_page(request: Request, problem: Problem) -> Response:
    """A refusal as a page. A stranger finds the form to sign in, a first password the form to replace it."""
    if problem.status == 401:
        wanted = request.url.path if request.method == "GET" and is_local(request.url.path) else ""
        return render(
            request,
            "session/sign_in.html",
            status=401,
            username="",
            wanted="" if wanted == "/" else wanted,
            said=problem.message,
            params=problem.params,
            number=request.state.request_id,
        )
    if problem.code == "password-change-required":
        return render(
            request,
            "session/password.html",
            status=403,
            said=None,
            params={},
            first=True,
            number=request.state.request_id,
        )
    if problem.code == "reauthenticate" and request.method == "POST":
        return again_page(request, action=request.url.path, kept=typed(request))
    return render(
        request,
        "error.html",
        status=problem.status,
        title=TITLES.get(problem.status, "Not possible now"),
        said=problem.message,
        params=problem.params,
        typed=getattr(request.state, "typed", []),
        number=request.state.request_id,
    )


# --- sign in again, and go on where one was -----------------------------------------------------------------

# Never written into a page again.
_NOT_KEPT = ("csrf_token", "password", "new_password", "new_password_again", "current_password")
KEPT = "kept."


def typed(request: Request) -> list[tuple[str, str]]:
    """What the form of this request held, without passwords and our own token."""
    form = getattr(request.state, "sent_form", None)
    if form is None:
        return []
    return [
        (name, value)
        for name, value in form.multi_items()
        if isinstance(value, str) and name not in _NOT_KEPT and len(value) <= 2_000
    ]


def again_page(
    request: Request,
    *,
    action: str,
    kept: list[tuple[str, str]],
    said: str | None = None,
    params: Mapping[str, object] | None = None,
    status: int = 403,
    headers: Mapping[str, str] | None = None,
) -> HTMLResponse:
    """This step asks who is there once more (AU8); what was typed waits in hidden fields until it is answered."""
    return render(
        request,
        "session/again.html",
        status=status,
        headers=headers,
        action=action,
        kept=kept,
        said=said,
        params=params or {},
    )
