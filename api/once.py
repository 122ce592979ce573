"""One press is done once (requirement RL3), for every changing route at once.

A program names its request with ``Idempotency-Key``; a form of ours carries a one-time token, the hidden field
``once``. The route class reads it before the route runs and leaves it in ``request.state.press``; the request's
transaction looks it up before anything else (:func:`begin`), and the answer is stored in that transaction just
before it commits (:func:`keep`). A press that was answered before ends in :class:`AnsweredBefore`. What was
refused leaves no key: the transaction is rolled back, or the answer says 4xx.
"""

from __future__ import annotations

import hashlib
import json
import re
import secrets
from collections.abc import Awaitable, Callable
from datetime import datetime

from fastapi import Request, Response
from sqlalchemy.orm import Session
from starlette.concurrency import run_in_threadpool
from starlette.datastructures import FormData, UploadFile

from api.auth.gatekeeper import SignedIn
from api.errors import PressedAlready, route_path
from screening.core import idempotency
from screening.core.errors import Conflict
from screening.core.idempotency import Press, UsedForAnother

HEADER = "Idempotency-Key"
FIELD, TOKEN_FIELD = "once", "csrf_token"  # hidden fields of a form of ours
KEY = re.compile(r"[!-~]{1,80}")
FORM_KEY = re.compile(r"[A-Za-z0-9_-]{16,60}")
FORM_KINDS = ("application/x-www-form-urlencoded", "multipart/form-data")
MOST_FIELDS = 200

# What of an answer is said again; everything else belongs to the request that is answered now.
KEPT_HEADERS = ("content-type", "location", "etag", "clear-site-data")

Handler = Callable[[Request], Awaitable[Response]]


class AnsweredBefore(Exception):
    """This press has been answered; ``request.state.answered`` is the same answer."""


def new_token() -> str:
    """A token for one form on one page."""
    return secrets.token_urlsafe(18)


async def read_form(request: Request) -> FormData:
    """The form of a request, read once; whoever asks for it later gets the same."""
    return await request.form(max_files=1, max_fields=MOST_FIELDS)


def is_form(request: Request) -> bool:
    return request.headers.get("content-type", "").split(";")[0].strip().lower() in FORM_KINDS


async def press_of_program(request: Request) -> Press | None:
    """The key of a JSON request. One that is badly written is the route's to refuse."""
    key = request.headers.get(HEADER, "")
    if not KEY.fullmatch(key):
        return None
    return _press(request, key, await _said(request))


async def press_of_form(request: Request) -> Press | None:
    """The one-time token of a form."""
    if not is_form(request) or _signed_in(request) is None:
        return None
    form = await read_form(request)
    request.state.typed = typed_texts(form)
    key = form.get(FIELD)
    if not isinstance(key, str) or not FORM_KEY.fullmatch(key):
        return None
    return _press(request, key, _fields(form))


def typed_texts(form: FormData) -> list[str]:
    """What somebody has written in words, so that a page that refuses can show it again.

    Codes, days and numbers are chosen or short; they hold neither spaces nor letters beyond ASCII.
    """
    return [
        value
        for name, value in form.multi_items()
        if isinstance(value, str) and "password" not in name and (" " in value.strip() or not value.isascii())
    ]


def _signed_in(request: Request) -> SignedIn | None:
    found: SignedIn | None = getattr(request.state, "signed_in", None)
    return found


def _press(request: Request, key: str, said: bytes) -> Press | None:
    signed_in = _signed_in(request)
    if signed_in is None:
        return None
    # The address is part of what is said: ids stand there.
    where = f"{request.url.path}?{request.url.query}\n".encode()
    route = f"{request.method} {route_path(request)}"[:80]
    return Press(signed_in.account_id, route, key, hashlib.sha256(where + said).digest())


async def _said(request: Request) -> bytes:
    return _fields(await read_form(request)) if is_form(request) else await request.body()


def _fields(form: FormData) -> bytes:
    """What a form says, whatever the boundary and the tokens of this time."""
    said = [[name, _content(value)] for name, value in form.multi_items() if name not in (FIELD, TOKEN_FIELD)]
    return json.dumps(said).encode()


def _content(value: str | UploadFile) -> str:
    if isinstance(value, str):
        return value
    digest = hashlib.sha256()
    while piece := value.file.read(1 << 20):
        digest.update(piece)
    value.file.seek(0)
    return f"{value.filename}:{digest.hexdigest()}"


def begin(session: Session, request: Request) -> None:
    """At the start of the request's transaction. Raises :class:`AnsweredBefore`, or what refuses the key."""
    press: Press | None = getattr(request.state, "press", None)
    if press is None:
        return
    of_form = not request.url.path.startswith("/api/")
    idempotency.hold(session, press, wait=of_form)
    try:
        known = idempotency.find(session, press)
    except UsedForAnother:
        if of_form:
            raise PressedAlready from None
        raise
    if known is not None:
        headers = {**known.headers, "Idempotency-Replayed": "true"}
        request.state.answered = Response((known.answer or "").encode(), known.status, headers)
        raise AnsweredBefore
    request.state.press_session = session


def _keep(session: Session, press: Press, response: Response, now: datetime) -> None:
    headers = {name: response.headers[name] for name in KEPT_HEADERS if name in response.headers}
    body = bytes(response.body).decode()
    idempotency.remember(session, press, status=response.status_code, headers=headers, answer=body, now=now)
    session.flush()


async def answer_once(request: Request, press: Press | None, answer: Handler) -> Response:
    """Let ``answer`` work, and store what it says while its transaction is still open."""
    if press is None:
        return await answer(request)
    request.state.press = press
    try:
        response = await answer(request)
    except AnsweredBefore:
        answered: Response = request.state.answered
        return answered
    session: Session | None = getattr(request.state, "press_session", None)
    if session is not None and response.status_code < 400:
        now = request.app.state.clock.now()
        await run_in_threadpool(_keep, session, press, response, now)
    return response


async def one_at_a_time(request: Request, press: Press | None, answer: Handler) -> Response:
    """For programs: while the first request runs, the second is told so and does not wait (409)."""
    running: set[int] = request.app.state.running
    if press is not None and press.number in running:
        raise Conflict("The same request is being worked on at this moment. Please try again.")
    if press is None:
        return await answer(request)
    running.add(press.number)
    try:
        return await answer_once(request, press, answer)
    finally:
        running.discard(press.number)
