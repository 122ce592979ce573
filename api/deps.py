"""What routes ask for: a transaction, the person, the language, the clock, and strict JSON.

Routes and dependencies are plain ``def`` where they touch the database: FastAPI runs them in threads.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Coroutine, Iterable, Iterator, Sequence, Sized
from contextlib import AbstractContextManager, ExitStack, contextmanager
from typing import Annotated, Any, NoReturn, TypeAlias

from fastapi import APIRouter, Depends, Header, Request, Response, params
from fastapi.routing import APIRoute
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer
from sqlalchemy.orm import Session
from starlette.exceptions import HTTPException

from api import middleware, once
from api.auth import NotSignedIn
from api.auth.gatekeeper import Gatekeeper, SignedIn
from api.auth.guessing import client_address
from api.errors import (
    BodyRefused,
    CrossSite,
    FreshSignInNeeded,
    locale_of,
    plain,
)
from api.papers import Papers
from screening.access import May, may
from screening.core.actor import Actor
from screening.core.clock import Clock
from screening.core.db import Database, Lane
from screening.core.errors import NotPermitted
from screening.core.settings import Settings

# --- settings, clock, language -----------------------------------------------------------------------------


def get_settings(request: Request) -> Settings:
    settings: Settings = request.app.state.settings
    return settings


def get_clock(request: Request) -> Clock:
    clock: Clock = request.app.state.clock
    return clock


def get_database(request: Request) -> Database:
    database: Database = request.app.state.database
    return database


def get_gatekeeper(request: Request) -> Gatekeeper:
    gatekeeper: Gatekeeper = request.app.state.gatekeeper
    return gatekeeper


def get_locale(request: Request) -> str:
    return locale_of(request)


def get_address(request: Request, settings: Annotated[Settings, Depends(get_settings)]) -> str:
    """Where the request comes from; forwarded addresses count only from a configured proxy."""
    peer = request.client.host if request.client else ""
    forwarded = ",".join(request.headers.getlist("x-forwarded-for")) or None
    return client_address(peer, forwarded, settings.trusted_proxies)


def get_papers(request: Request) -> Papers:
    papers: Papers = request.app.state.papers
    return papers


SettingsDep = Annotated[Settings, Depends(get_settings)]
ClockDep = Annotated[Clock, Depends(get_clock)]
DatabaseDep = Annotated[Database, Depends(get_database)]
GatekeeperDep = Annotated[Gatekeeper, Depends(get_gatekeeper)]
PapersDep = Annotated[Papers, Depends(get_papers)]
LocaleDep = Annotated[str, Depends(get_locale)]
AddressDep = Annotated[str, Depends(get_address)]


# --- the transaction ---------------------------------------------------------------------------------------


def _transaction(request: Request, lane: Lane) -> Iterator[Session]:
    database: Database = request.app.state.database
    signed_in: SignedIn | None = getattr(request.state, "signed_in", None)
    with database.begin(lane) as session:
        if signed_in is not None and signed_in.stale:
            request.app.state.gatekeeper.touch(session, signed_in)
        once.begin(session, request)
        yield session
    if request.method not in middleware.SAFE_METHODS and request.app.state.worker is not None:
        request.app.state.worker.wake()  # what was published with this transaction need not wait for the next look


def get_session(request: Request) -> Iterator[Session]:
    """One transaction per request."""
    yield from _transaction(request, Lane.USUAL)


def get_crisis_session(request: Request) -> Iterator[Session]:
    """The same, before everybody else: crisis steps, hotline, acceptance of a referral (RL7)."""
    yield from _transaction(request, Lane.CRISIS)


def get_bulk_session(request: Request) -> Iterator[Session]:
    """The same, after everybody else: pieces of an import."""
    yield from _transaction(request, Lane.BULK)


# scope="function": commit first, answer then. A route takes one of these and never two: SQLite has one writer,
# and a request that waits for itself waits until it is refused.
SessionDep = Annotated[Session, Depends(get_session, scope="function")]
CrisisSessionDep = Annotated[Session, Depends(get_crisis_session, scope="function")]
BulkSessionDep = Annotated[Session, Depends(get_bulk_session, scope="function")]

Transaction = Callable[[], AbstractContextManager[Session]]


def get_transaction(request: Request) -> Iterator[Transaction]:
    """For a route that has slow work to do before it writes: it opens its one transaction itself, late.

    It is committed where the route leaves it, unless the answer has to be stored with the change (RL3): then when the
    route has answered. What raises inside it is rolled back there and then.
    """
    with ExitStack() as answered:

        @contextmanager
        def begin() -> Iterator[Session]:
            whole = contextmanager(_transaction)(request, Lane.USUAL)
            if getattr(request.state, "press", None) is None:
                with whole as session:
                    yield session
                return
            with ExitStack() as opened:
                yield opened.enter_context(whole)
                answered.push(opened.pop_all())

        yield begin


TransactionDep = Annotated[Transaction, Depends(get_transaction, scope="function")]


# --- the person --------------------------------------------------------------------------------------------

_bearer = HTTPBearer(auto_error=False, description="The access token of POST /api/v1/tokens.")


def get_signed_in(request: Request) -> SignedIn:
    """Who the gate has recognised for this very request. Raises :class:`NotSignedIn`."""
    signed_in: SignedIn | None = getattr(request.state, "signed_in", None)
    if signed_in is None:
        raise NotSignedIn
    return signed_in


def get_actor(
    signed_in: Annotated[SignedIn, Depends(get_signed_in)],
    _: Annotated[HTTPAuthorizationCredentials | None, Depends(_bearer)],
) -> Actor:
    """The person behind the access token, with the roles they hold today."""
    return signed_in.actor


async def get_page_actor(request: Request, signed_in: Annotated[SignedIn, Depends(get_signed_in)]) -> Actor:
    """The person behind the browser's cookie. A change also needs the token of our form, or 403."""
    if request.method not in middleware.SAFE_METHODS:
        await _check_form_token(request, signed_in)
    return signed_in.actor


async def _check_form_token(request: Request, signed_in: SignedIn) -> None:
    sent: object = request.headers.get("x-csrf-token")
    if sent is None:
        form = await once.read_form(request)
        request.state.sent_form = form  # for the page that asks to sign in again and keeps what was typed
        sent = form.get(once.TOKEN_FIELD)
    gatekeeper: Gatekeeper = request.app.state.gatekeeper
    if not isinstance(sent, str) or not gatekeeper.is_form_token(signed_in.session_id, sent):
        raise CrossSite


def get_fresh(signed_in: Annotated[SignedIn, Depends(get_signed_in)], clock: ClockDep) -> None:
    """Only after a sign-in of the last five minutes (AU8). Raises :class:`FreshSignInNeeded`."""
    if not signed_in.is_fresh(clock.now()):
        raise FreshSignInNeeded


def needs(*what: May) -> params.Depends:
    """Only for roles that include one of ``what``; asked before the body is looked at and the store is opened."""

    def check(actor: Annotated[Actor, Depends(get_actor)]) -> None:
        if not any(may(actor, each) for each in what):
            raise NotPermitted

    return Depends(check)  # type: ignore[no-any-return]  # FastAPI types its Depends as Any


SignedInDep = Annotated[SignedIn, Depends(get_signed_in)]
ActorDep = Annotated[Actor, Depends(get_actor)]
PageActorDep = Annotated[Actor, Depends(get_page_actor)]
FRESH = Depends(get_fresh)


def form_token(request: Request) -> str:
    """The hidden field ``csrf_token`` of every form of this session."""
    signed_in = get_signed_in(request)
    return get_gatekeeper(request).form_token(signed_in.session_id)


def csp_nonce(request: Request) -> str:
    """The nonce that this answer's scripts and styles carry."""
    nonce: str = request.state.csp_nonce
    return nonce


def set_page_cookie(response: Response, token: str) -> None:
    """Give the browser its session."""
    response.headers.append("set-cookie", middleware.cookie(token))


def clear_page_cookie(response: Response) -> None:
    """Take it away, with everything the browser has kept of us."""
    response.headers.append("set-cookie", middleware.cookie(""))
    response.headers.update(middleware.CLEAR_SITE_DATA)


# --- sent twice, changed since -----------------------------------------------------------------------------


def get_idempotency_key(
    key: Annotated[
        str | None,
        Header(
            alias=once.HEADER,
            min_length=1,
            max_length=80,
            pattern=r"^[!-~]+$",
            description="The same key and request again within a day: the same answer, and nothing is done twice.",
        ),
    ] = None,
) -> None:
    """Checks how the key of a changing request is written; :mod:`api.once` does the rest."""


# --- strict JSON -------------------------------------------------------------------------------------------

DEEPEST, LONGEST_TEXT, LONGEST_LIST, LARGEST_NUMBER = 32, 5_000, 500, 2**53

# Control characters but tab and line ends, the marks that turn the direction of writing, lone surrogates.
UNSAFE = re.compile(
    "[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069\ud800-\udfff]"
)

Place: TypeAlias = tuple[str, ...]


class StrictRequest(Request):
    """A request whose JSON is refused where Python's reader is too kind (requirement IO2)."""

    async def json(self) -> Any:
        if not hasattr(self, "_json"):
            self._json = strict_json(await self.body())
        return self._json


def strict_json(body: bytes) -> Any:
    """Read JSON. Raises :class:`BodyRefused` with place and rule, or ``JSONDecodeError``."""
    try:
        text = body.decode("utf-8")
        value = json.loads(text, object_pairs_hook=_each_name_once, parse_constant=_no_constant)
    except UnicodeDecodeError:
        raise BodyRefused(at=(), why="not_utf8") from None
    except RecursionError:
        raise BodyRefused(at=(), why="too_deep") from None
    except json.JSONDecodeError:
        raise BodyRefused(at=(), why="json_invalid") from None
    except ValueError:  # an integer of thousands of digits
        raise BodyRefused(at=(), why="number_out_of_range") from None
    check_values(value)
    return value


def _each_name_once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise BodyRefused(at=(), why="name_twice")
    return found


def _no_constant(_: str) -> NoReturn:
    raise BodyRefused(at=(), why="not_a_number")


def check_values(value: object) -> None:
    """Depth, sizes and characters of everything in it. Raises :class:`BodyRefused`."""
    waiting: list[tuple[object, Place]] = [(value, ())]
    while waiting:
        here, at = waiting.pop()
        if len(at) > DEEPEST:
            raise BodyRefused(at=at[:3], why="too_deep")
        waiting += _inside(here, at)


def _inside(value: object, at: Place) -> Sequence[tuple[object, Place]]:
    """Check one value; give what it holds, each with its place."""
    match value:
        case str():
            _check_text(value, at)
        case int() | float():
            if not abs(value) <= LARGEST_NUMBER:
                raise BodyRefused(at=at, why="number_out_of_range")
        case dict():
            _check_length(value, at)
            for name in value:
                _check_text(name, (*at, plain(name)))
            return [(each, (*at, plain(name))) for name, each in value.items()]
        case list():
            _check_length(value, at)
            return [(each, (*at, str(index))) for index, each in enumerate(value)]
    return ()


def _check_length(value: Sized, at: Place) -> None:
    if len(value) > LONGEST_LIST:
        raise BodyRefused(at=at, why="too_many")


def _check_text(text: str, at: Place) -> None:
    if len(text) > LONGEST_TEXT:
        raise BodyRefused(at=at, why="text_too_long")
    if UNSAFE.search(text):
        raise BodyRefused(at=at, why="unsafe_character")


class StrictRoute(APIRoute):
    """A JSON route: the body is read by :class:`StrictRequest`, and is JSON or nothing (415); a change with an
    ``Idempotency-Key`` is done once."""

    def __init__(self, path: str, endpoint: Callable[..., Any], **more: Any) -> None:
        if _changes(more.get("methods")):
            more["dependencies"] = [*(more.get("dependencies") or ()), Depends(get_idempotency_key)]
        super().__init__(path, endpoint, **more)

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        original = super().get_route_handler()
        takes_json = self.body_field is not None and not isinstance(self.body_field.field_info, params.Form)
        changes = _changes(self.methods)

        async def handler(request: Request) -> Response:
            if takes_json and _has_body(request) and not _is_json(request):
                raise HTTPException(415)
            strict = StrictRequest(request.scope, request.receive)
            press = await once.press_of_program(strict) if changes else None
            return await once.one_at_a_time(strict, press, original)

        return handler


class PageRoute(APIRoute):
    """A page. A form of ours that is sent twice is done once and leads to the same next page."""

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        original = super().get_route_handler()
        if not _changes(self.methods):
            return original

        async def handler(request: Request) -> Response:
            return await once.answer_once(request, await once.press_of_form(request), original)

        return handler


def _changes(methods: Iterable[str] | None) -> bool:
    return not set(methods or {"GET"}) <= middleware.SAFE_METHODS


def _has_body(request: Request) -> bool:
    return request.headers.get("content-length", "0") != "0" or "transfer-encoding" in request.headers


def _is_json(request: Request) -> bool:
    return request.headers.get("content-type", "").split(";")[0].strip().lower() == "application/json"


def json_router(prefix: str = "", *, tags: Sequence[str] = ()) -> APIRouter:
    """A router for ``/api/v1``: strict JSON. ``api.v1.routers`` puts it behind :func:`get_actor`."""
    return APIRouter(prefix=prefix, tags=list(tags), route_class=StrictRoute)


def page_router(prefix: str = "", *, dependencies: Sequence[params.Depends] = ()) -> APIRouter:
    """A router for pages: forms are done once, and the API document does not list them."""
    return APIRouter(
        prefix=prefix, dependencies=list(dependencies), route_class=PageRoute, include_in_schema=False
    )
