"""The answer contract: every refusal is a problem (RFC 9457) or an error page, and says nothing of ours.

One table, :func:`problem_of`, turns what was raised into an answer: place and rule of a mistake, never the value;
a request id, never SQL, path or version. A page's refusal goes through the hook ``app.state.error_page``.
"""

from __future__ import annotations

import json
import logging
import traceback
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from html import escape
from typing import Any
from uuid import UUID

from fastapi.exceptions import RequestValidationError
from sqlalchemy.exc import DataError, IntegrityError, InterfaceError, OperationalError
from sqlalchemy.exc import TimeoutError as PoolTimeout
from sqlalchemy.orm.exc import StaleDataError
from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import HTMLResponse, Response

from api.auth import NotSignedIn
from api.auth.gatekeeper import SignedIn
from api.auth.guessing import TooMany
from screening.core import audit
from screening.core.audit import AuditEvent
from screening.core.errors import (
    Conflict,
    DomainError,
    InvalidInput,
    NotFound,
    NotPermitted,
    PolicyViolation,
    Unavailable,
)
from screening.core.i18n import choose_locale, translate

log = logging.getLogger(__name__)

PROBLEM_TYPE = "application/problem+json"
MOST_ERRORS = 50
RETRY_SOON, RETRY_LATER = 2, 60  # seconds


class FreshSignInNeeded(DomainError):
    """The right person, but the sign-in is too long ago for this step (requirement AU8)."""

    code = "reauthenticate"

    def __init__(self, message: str = "Please sign in again for this step.", **params: object) -> None:
        super().__init__(message, **params)


class NewPasswordNeeded(DomainError):
    """A first password has to be replaced before anything else."""

    code = "password-change-required"

    def __init__(self, message: str = "Please choose a new password first.", **params: object) -> None:
        super().__init__(message, **params)


class CrossSite(DomainError):
    """A change that did not come from a page of ours (requirement AU9)."""

    code = "cross-site"

    def __init__(
        self,
        message: str = "This form is out of date or was not sent from our page. Please open the page again.",
        **params: object,
    ) -> None:
        super().__init__(message, **params)


class PressedAlready(PolicyViolation):
    """A form was sent before, with something else in it."""

    code = "pressed-already"

    def __init__(
        self,
        message: str = "This form was stored when you first pressed the button. What was changed after that was not stored.",
        **params: object,
    ) -> None:
        super().__init__(message, **params)


class VersionMissing(DomainError):
    """A change without ``If-Match``."""

    code = "version-missing"

    def __init__(self, message: str = "Say which version you change (If-Match).", **params: object) -> None:
        super().__init__(message, **params)


class VersionMismatch(DomainError):
    """Somebody else has saved since. ``also``: what a program is told about it."""

    code = "changed-since"

    def __init__(
        self,
        message: str = "This has been changed since you opened it. Please look at it again.",
        *,
        also: Mapping[str, object] | None = None,
        **params: object,
    ) -> None:
        super().__init__(message, **params)
        self.also = also or {}


@dataclass(frozen=True, slots=True)
class FieldError:
    """Where, and which rule. ``at`` starts with body, path, query or header."""

    at: tuple[str, ...]
    why: str


class BodyRefused(HTTPException):
    """A body that is JSON by its type and not by our rules: a name twice, NaN, a control character."""

    def __init__(self, *, at: tuple[str, ...], why: str) -> None:
        super().__init__(422)
        self.fields = (FieldError(("body", *at), why),)


@dataclass(frozen=True, slots=True)
class Problem:
    """What is answered: a status, a stable code, a message id with its parameters, and extra headers.

    ``also``: members of this kind of problem beside those of RFC 9457 (its section 3.2).
    """

    status: int
    code: str
    message: str
    params: Mapping[str, object] = field(default_factory=dict)
    errors: tuple[FieldError, ...] = ()
    headers: Mapping[str, str] = field(default_factory=dict)
    also: Mapping[str, object] = field(default_factory=dict)


ErrorPage = Callable[[Request, Problem], Response]

CHALLENGE = {"WWW-Authenticate": "Bearer"}
SOON = {"Retry-After": str(RETRY_SOON)}

# Titles and details of answers that come from no rule of ours.
TITLES: dict[int, str] = {
    400: "The request could not be read",
    401: "Not signed in",
    403: "Not permitted",
    404: "Not found",
    405: "This cannot be done here",
    409: "Not possible now",
    412: "Changed since",
    413: "Too large",
    415: "Wrong kind of content",
    422: "Not valid",
    428: "Version missing",
    429: "Too many",
    431: "Too large",
    500: "A fault of ours",
    503: "Not available at this moment",
    507: "No room left",
}
DETAILS: dict[int, tuple[str, str]] = {
    400: ("unreadable", "The request could not be read."),
    401: ("not-signed-in", "Please sign in."),
    403: ("not-permitted", "Your role does not include this."),
    404: ("not-found", "Not found."),
    405: ("method", "This address does not know this method."),
    413: ("too-large", "What was sent is larger than allowed."),
    415: ("media-type", "Send this as application/json."),
    422: ("invalid", "Some of what was sent is not valid. Nothing was saved."),
    431: ("headers-too-large", "The headers of the request are larger than allowed."),
    503: ("unavailable", "The service cannot answer at this moment. Nothing was saved; please try again."),
}
OF_RULES: tuple[tuple[type[DomainError], int], ...] = (
    (NotSignedIn, 401),
    (TooMany, 429),
    (FreshSignInNeeded, 403),
    (NewPasswordNeeded, 403),
    (CrossSite, 403),
    (VersionMissing, 428),
    (VersionMismatch, 412),
    (NotFound, 404),
    (NotPermitted, 403),
    (PolicyViolation, 409),
    (Conflict, 409),
    (InvalidInput, 422),
    (Unavailable, 503),
)


# --- what was raised → what is answered --------------------------------------------------------------------


def problem_of(error: Exception) -> Problem:
    """The answer to ``error``. What is in no rule here is a fault of ours: 500, and a bug."""
    match error:
        case DomainError():
            return _of_rule(error)
        case RequestValidationError():
            return _plain(422, errors=_field_errors(error))
        case BodyRefused():
            return _plain(422, errors=error.fields)
        case HTTPException():
            return _plain(error.status_code, headers=dict(error.headers or {}))
        case _:
            return _of_store(error)


def _of_rule(error: DomainError) -> Problem:
    status = next((status for kind, status in OF_RULES if isinstance(error, kind)), 422)
    headers: dict[str, str] = {}
    if status == 401:
        headers = CHALLENGE
    elif isinstance(error, TooMany):
        headers = {"Retry-After": str(error.seconds)}
    elif status == 503:
        headers = SOON
    also = error.also if isinstance(error, VersionMismatch) else {}
    return Problem(status, error.code, error.message, error.params, headers=headers, also=also)


def _of_store(error: Exception) -> Problem:
    match error:
        case StaleDataError():
            return _of_rule(VersionMismatch())
        case IntegrityError():
            return _of_rule(Conflict("Somebody else was faster, or this exists already. Please look again."))
        case DataError():
            return _plain(422)
        case OperationalError() if "full" in str(error.orig):
            # SQLITE_FULL and PostgreSQL's 53100 both say so; no driver names it by a type.
            return Problem(
                507,
                "no-room",
                "The service has no room left to save. Nothing was saved; an administrator must help.",
                headers={"Retry-After": str(RETRY_LATER)},
            )
        case OperationalError() | InterfaceError() | PoolTimeout():
            return _plain(503, headers=SOON)
        case _:
            return Problem(500, "fault", "The service made a mistake. Please tell the request number.")


def _plain(
    status: int, *, errors: tuple[FieldError, ...] = (), headers: Mapping[str, str] | None = None
) -> Problem:
    if status not in DETAILS:
        status = 400 if 400 <= status < 500 else 500
    code, message = DETAILS.get(
        status, ("fault", "The service made a mistake. Please tell the request number.")
    )
    return Problem(status, code, message, errors=errors, headers=headers or {})


def _field_errors(error: RequestValidationError) -> tuple[FieldError, ...]:
    """Place and rule of each mistake. Names come from the body, so they are cut and made plain."""
    return tuple(
        FieldError(tuple(plain(part) for part in each["loc"]), str(each["type"]))
        for each in error.errors()[:MOST_ERRORS]
    )


def plain(part: object) -> str:
    """A name from a body in letters that can always be written."""
    return str(part)[:64].encode("ascii", "replace").decode()


# --- writing it --------------------------------------------------------------------------------------------


def answer(request: Request, problem: Problem) -> Response:
    """The problem as JSON, or as a page for somebody who looks at pages."""
    page: ErrorPage | None = (
        getattr(request.app.state, "error_page", None) if "app" in request.scope else None
    )
    if page is not None and wants_page(request):
        response = _page(request, problem, page)
        response.headers.update(problem.headers)
        return response
    return as_json(request, problem)


def _page(request: Request, problem: Problem, page: ErrorPage) -> Response:
    """The page; a page that cannot be made must not hide the refusal it was to show."""
    try:
        return page(request, problem)
    except Exception as error:
        log_place(request, error)
        return plain_page(request, problem)


def wants_page(request: Request) -> bool:
    """Whether this is about a page: an address outside the API, asked for by something that shows HTML."""
    return not request.url.path.startswith("/api/") and "text/html" in request.headers.get("accept", "")


def as_json(request: Request, problem: Problem) -> Response:
    """``application/problem+json``; a letter that cannot be written becomes a question mark."""
    locale = locale_of(request)
    request_id = request.scope.get("state", {}).get("request_id", "")
    base = request.scope.get("state", {}).get("base_url", "")
    body: dict[str, Any] = {
        "type": f"{base}/problems/{problem.code}",
        "title": translate(locale, TITLES.get(problem.status, "Not possible now")),
        "status": problem.status,
        "detail": translate(locale, problem.message, **problem.params),
        "code": problem.code,
        "request_id": request_id,
        **problem.also,
    }
    if problem.errors:
        body["errors"] = [{"at": list(each.at), "why": each.why} for each in problem.errors]
    return Response(
        json.dumps(body, ensure_ascii=False).encode("utf-8", "replace"),
        problem.status,
        {**problem.headers, "Content-Language": locale},
        PROBLEM_TYPE,
    )


def plain_page(request: Request, problem: Problem) -> Response:
    """The problem as a page without anything around it, for where no template can be relied on."""
    locale = locale_of(request)
    title = escape(translate(locale, TITLES.get(problem.status, "Not possible now")))
    detail = escape(translate(locale, problem.message, **problem.params))
    number = escape(str(request.scope.get("state", {}).get("request_id", "")))
    text = (
        f'<!doctype html><html lang="{locale}"><meta charset="utf-8">'
        f"<title>{title}</title><h1>{title}</h1><p>{detail}</p><p><small>{number}</small></p></html>"
    )
    return HTMLResponse(text, problem.status, {"Content-Language": locale})


def locale_of(request: Request) -> str:
    """The reader's language: what the browser or program asks for, else the account's, else Chinese."""
    asked = request.headers.get("accept-language")
    signed_in: SignedIn | None = request.scope.get("state", {}).get("signed_in")
    if asked is None and signed_in is not None:
        return signed_in.locale
    return choose_locale(asked)


# --- handlers ----------------------------------------------------------------------------------------------

HANDLED: tuple[type[Exception], ...] = (
    HTTPException,
    RequestValidationError,
    DomainError,
    StaleDataError,
    IntegrityError,
    DataError,
    OperationalError,
    InterfaceError,
    PoolTimeout,
)


async def handle(request: Request, error: Exception) -> Response:
    """The exception handler of the app, for everything in :data:`HANDLED`.

    The request's transaction has been rolled back by now. A refusal to somebody who is signed in leaves its own
    row in the trail (requirement AD1); if that cannot be written the answer is 503.
    """
    if isinstance(error, NotFound | NotPermitted):
        try:
            await run_in_threadpool(_record_refusal, request, error)
        except (OperationalError, InterfaceError, PoolTimeout, Unavailable) as away:
            error = away
    problem = problem_of(error)
    if problem.status >= 500:
        log.warning("request %s: %d %s", request.state.request_id, problem.status, type(error).__name__)
    return answer(request, problem)


def _record_refusal(request: Request, error: DomainError) -> None:
    signed_in: SignedIn | None = getattr(request.state, "signed_in", None)
    if signed_in is None:
        return
    app = request.app
    with app.state.database.begin() as session:
        audit.record(
            session,
            actor=signed_in.actor,
            event=AuditEvent.ACCESS_REFUSED,
            at=app.state.clock.now(),
            subject_id=_subject(request),
            detail={"route": f"{request.method} {route_path(request)}"[:120], "code": error.code},
        )


def _subject(request: Request) -> UUID | None:
    """The last id in the address, if it holds one."""
    for value in reversed(list(request.path_params.values())):
        try:
            return UUID(str(value))
        except ValueError:
            continue
    return None


def route_path(request: Request) -> str:
    """The address with names in the place of values, ``/api/v1/children/{child_id}``; ``-`` where no route is.

    Not the route's own ``path``: that of an included router lacks the prefix it was included with.
    """
    if "route" not in request.scope:
        return "-"
    names = {str(value): name for name, value in request.path_params.items()}
    return "/".join(f"{{{names[part]}}}" if part in names else part for part in request.url.path.split("/"))


def fault(request: Request, error: Exception) -> Response:
    """The last answer, to what should not have happened."""
    log_place(request, error)
    return answer(request, problem_of(error))


def log_place(request: Request, error: Exception) -> None:
    """Where it happened, and not what: the text of an exception may hold a value."""
    frames = " < ".join(
        f"{frame.filename.rsplit('/', 1)[-1]}:{frame.lineno} {frame.name}"
        for frame in reversed(traceback.extract_tb(error.__traceback__)[-12:])
    )
    log.error("request %s: %s at %s", request.state.request_id, type(error).__name__, frames)
