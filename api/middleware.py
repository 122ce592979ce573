"""What every request passes before a route and every answer after it, as plain ASGI.

From outside to inside: :class:`Answers` (request number, security headers, the last handler), :class:`Limits`
(host, headers, body), :class:`Shedding` (so that the crisis lane always finds a thread), :class:`Gate` (who is
it: closed by default, decided before a body is read).
"""

from __future__ import annotations

import logging
import re
import secrets
import time
from collections.abc import Collection, Iterable
from urllib.parse import urlsplit

from starlette.concurrency import run_in_threadpool
from starlette.datastructures import Headers, MutableHeaders
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from api import errors
from api.auth import NotSignedIn
from api.auth.gatekeeper import Gatekeeper, SignedIn
from api.errors import CrossSite, NewPasswordNeeded
from screening.core.errors import Unavailable
from screening.core.settings import Settings

log = logging.getLogger(__name__)

HEADER_LIMIT = 16 * 1024
AT_ONCE = 48  # usual requests at work; threads beyond that are kept for CRISIS_PATHS
SAFE_METHODS = frozenset({"GET", "HEAD", "OPTIONS", "TRACE"})
STATIC = "/static/"
API = "/api/"

# Uploads of workbooks; everything else is small.
LARGE_PATHS = ("/api/v1/imports", "/imports")
# Requirement RL7: these still answer when the rest is shed.
CRISIS_PATHS = ("/api/v1/crises", "/api/v1/hotline", "/crises", "/hotline", "/healthz")
# What somebody with a first password may still do.
WITH_A_FIRST_PASSWORD = ("/api/v1/password", "/api/v1/tokens", "/api/v1/me", "/password", "/sign-out")

CLEAR_SITE_DATA = {"Clear-Site-Data": '"cache", "cookies", "storage"'}


# --- answers -----------------------------------------------------------------------------------------------


def content_policy(nonce: str) -> str:
    """Nothing but our own files, scripts only with this answer's nonce, no frames, forms to us only (AU10)."""
    return (
        f"default-src 'none'; script-src 'nonce-{nonce}'; style-src 'self' 'nonce-{nonce}'; img-src 'self' data:; "
        "font-src 'self'; media-src 'self'; connect-src 'self'; manifest-src 'self'; object-src 'none'; "
        "base-uri 'none'; form-action 'self'; frame-ancestors 'none'"
    )


SECURITY_HEADERS = {
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(), geolocation=(), microphone=(), payment=(), usb=()",
}
TWO_YEARS = "max-age=63072000"


class Answers:
    """A number for each request, security headers on each answer, and an answer to whatever is raised."""

    def __init__(self, app: ASGIApp, settings: Settings) -> None:
        self.app = app
        self.base_url = settings.base_url
        self.https = settings.https

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        state = scope.setdefault("state", {})
        state["request_id"] = secrets.token_hex(8)
        state["csp_nonce"] = secrets.token_urlsafe(16)
        state["base_url"] = self.base_url
        started, status = time.perf_counter(), 0

        async def send_with_headers(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                self._add(MutableHeaders(scope=message), scope)
            await send(message)

        request = Request(scope, receive)
        try:
            await self.app(scope, receive, send_with_headers)
        except Exception as error:
            if status:  # half an answer cannot be replaced: the connection is cut
                errors.fault(request, error)
                raise ConnectionAbortedError("answer cut off") from None
            response = await self._rescue(request, error)
            await response(scope, receive, send_with_headers)
        took = (time.perf_counter() - started) * 1000
        path = errors.route_path(request)
        log.info("request %s: %s %s %d %.1f ms", state["request_id"], scope["method"], path, status, took)

    async def _rescue(self, request: Request, error: Exception) -> Response:
        if isinstance(error, errors.HANDLED):
            return await errors.handle(request, error)
        return errors.fault(request, error)

    def _add(self, headers: MutableHeaders, scope: Scope) -> None:
        for name, value in SECURITY_HEADERS.items():
            headers[name] = value
        headers["Content-Security-Policy"] = content_policy(scope["state"]["csp_nonce"])
        headers["X-Request-Id"] = scope["state"]["request_id"]
        if self.https:
            headers["Strict-Transport-Security"] = TWO_YEARS
        if not scope["path"].startswith(STATIC):
            headers["Cache-Control"] = "no-store"


# --- limits ------------------------------------------------------------------------------------------------


class Limits:
    """Known hosts only; headers and bodies of bounded size, declared or not."""

    def __init__(self, app: ASGIApp, settings: Settings) -> None:
        self.app = app
        own = urlsplit(settings.base_url).hostname
        self.hosts = frozenset({*settings.allowed_hosts, *([own] if own else [])})
        self.body_limit, self.import_limit = settings.body_limit, settings.import_limit

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        headers = Headers(scope=scope)
        if sum(len(name) + len(value) for name, value in scope["headers"]) > HEADER_LIMIT:
            raise HTTPException(431)
        hosts = headers.getlist("host")
        if len(hosts) != 1 or host_name(hosts[0]) not in self.hosts:
            raise HTTPException(400)
        limit = self._limit(scope)
        declared = headers.get("content-length", "0")
        # As text first: Python refuses to read a number of 5 000 digits.
        if len(declared) > 19 or not declared.isascii() or not declared.isdigit():
            raise HTTPException(413 if declared.isdigit() else 400)
        if int(declared) > limit:
            raise HTTPException(413)
        await self.app(scope, _counted(receive, limit), send)

    def _limit(self, scope: Scope) -> int:
        large = scope["method"] == "POST" and scope["path"] in LARGE_PATHS
        return self.import_limit if large else self.body_limit


def _counted(receive: Receive, limit: int) -> Receive:
    """``receive`` that stops a body which is longer than it said, or said nothing."""
    seen = 0

    async def counted() -> Message:
        nonlocal seen
        message = await receive()
        seen += len(message.get("body", b""))
        if seen > limit:
            raise HTTPException(413)
        return message

    return counted


def host_name(host: str) -> str:
    """The name in a ``Host`` header, without port and brackets; empty when it is no host."""
    found = re.fullmatch(r"([A-Za-z0-9.-]{1,253}|\[[0-9A-Fa-f:.]{2,45}\])(:[0-9]{1,5})?", host)
    return found[1].strip("[]").lower() if found else ""


def is_below(path: str, places: Iterable[str]) -> bool:
    """Whether ``path`` is one of ``places`` or below it."""
    return any(path == place or path.startswith(f"{place}/") for place in places)


# --- shedding ----------------------------------------------------------------------------------------------


class Shedding:
    """At most so many usual requests at once; the others are told at once to come again (RL7)."""

    def __init__(self, app: ASGIApp, at_once: int = AT_ONCE) -> None:
        self.app = app
        self.at_once = at_once
        self.running = 0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or is_below(scope["path"], CRISIS_PATHS):
            await self.app(scope, receive, send)
            return
        if self.running >= self.at_once:
            raise Unavailable("The service is busy. Nothing was saved; please try again in a moment.")
        self.running += 1
        try:
            await self.app(scope, receive, send)
        finally:
            self.running -= 1


# --- the gate ----------------------------------------------------------------------------------------------


class Gate:
    """Closed by default: whoever is not recognised gets no further than the addresses in ``open_to_all``.

    A program shows an access token in ``Authorization``, a browser its cookie; neither is taken for the other,
    so that no page of another site can call the API with somebody's cookie (AU9). The person is left in
    ``request.state.signed_in``. It is decided here and not in a dependency, because FastAPI reads the body
    before it asks dependencies, and a stranger's body is not read.
    """

    def __init__(
        self,
        app: ASGIApp,
        *,
        gatekeeper: Gatekeeper,
        open_to_all: Collection[tuple[str, str]],
    ) -> None:
        self.app = app
        self.gatekeeper = gatekeeper
        self.open_to_all = frozenset(each for each in open_to_all if "{" not in each[1])
        # An address with one value in it, as the reply page of a note: its route's own template, anything as value.
        self.open_below = tuple(
            (method, re.compile(re.sub(r"\\\{[^}]*\\\}", "[^/]+", re.escape(path))))
            for method, path in open_to_all
            if "{" in path
        )

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        request = Request(scope, receive)
        is_api = scope["path"].startswith(API)
        if not is_api and scope["method"] not in SAFE_METHODS:
            check_same_origin(request)
        signed_in = await self._recognise(request, is_api=is_api)
        if signed_in is None and not self._is_open(scope):
            raise NotSignedIn
        if signed_in is not None:
            scope["state"]["signed_in"] = signed_in
            if signed_in.must_change_password and not self._is_open(scope, *WITH_A_FIRST_PASSWORD):
                raise NewPasswordNeeded
        if signed_in is not None and signed_in.remint:
            send = self._with_new_cookie(send, signed_in)
        await self.app(scope, receive, send)

    async def _recognise(self, request: Request, *, is_api: bool) -> SignedIn | None:
        token = bearer_token(request.headers) if is_api else request.cookies.get(COOKIE)
        if token is None:
            return None
        try:
            return await run_in_threadpool(self.gatekeeper.recognise, token, browser=not is_api)
        except NotSignedIn:
            return None

    def _is_open(self, scope: Scope, *places: str) -> bool:
        path, method = scope["path"], scope["method"]
        if path.startswith(STATIC) and method in {"GET", "HEAD"}:
            return True
        asked = "GET" if method == "HEAD" else method
        if (asked, path) in self.open_to_all or is_below(path, places):
            return True
        return any(asked == method and shape.fullmatch(path) for method, shape in self.open_below)

    def _with_new_cookie(self, send: Send, signed_in: SignedIn) -> Send:
        """Put a fresh cookie on the answer, unless the route has set or taken it away itself."""

        async def send_with_cookie(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                if not any(value.startswith(f"{COOKIE}=") for value in headers.getlist("set-cookie")):
                    token = self.gatekeeper.page_token(signed_in.account_id, signed_in.session_id)
                    headers.append("set-cookie", cookie(token))
            await send(message)

        return send_with_cookie


def bearer_token(headers: Headers) -> str | None:
    """The token of the one ``Authorization: Bearer`` header."""
    found = headers.getlist("authorization")
    scheme, _, token = (found[0] if len(found) == 1 else "").partition(" ")
    return token.strip() if scheme.lower() == "bearer" and token.strip() else None


def check_same_origin(request: Request) -> None:
    """A change sent by a browser comes from a page of ours. Raises :class:`CrossSite`.

    ``Sec-Fetch-Site`` decides where the browser sends it (all current ones do, to https and to this machine).
    Without it ``Origin`` must be ours. An ``Origin: null`` is what our own forms send, because our pages say
    ``Referrer-Policy: no-referrer``; it counts only beside ``Sec-Fetch-Site: same-origin``.
    """
    site, origin = request.headers.get("sec-fetch-site"), request.headers.get("origin")
    if site is not None:
        if site != "same-origin":
            raise CrossSite
        return
    base = request.scope["state"]["base_url"]
    if origin is None or origin not in {base, f"{urlsplit(base).scheme}://{request.headers.get('host')}"}:
        raise CrossSite


# --- the browser's cookie ----------------------------------------------------------------------------------

# ``__Host-`` binds it to this very host, over TLS. The demonstration at http://127.0.0.1 keeps the same cookie:
# browsers count this machine as trustworthy (Chromium 156: stored and sent back, at localhost too). Over http
# from another machine it is not stored, which is as it should be.
COOKIE = "__Host-xinqiao"


def cookie(token: str) -> str:
    """The ``Set-Cookie`` line; an empty token takes the cookie away. It ends with the browser."""
    ends = "" if token else "; Max-Age=0"
    return f"{COOKIE}={token}; Path=/; Secure; HttpOnly; SameSite=Lax{ends}"
