"""The service over HTTP: an app on the test's database, people to sign in, and clients for both."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import date
from typing import TYPE_CHECKING
from uuid import UUID, uuid4

import pytest

from screening.core.actor import Role

if TYPE_CHECKING:
    from fastapi import FastAPI
    from starlette.testclient import TestClient

PASSWORD = "Nine lamps over the river"


@dataclass(frozen=True, slots=True)
class Person:
    """An account made for a test."""

    id: UUID
    username: str
    password: str = PASSWORD


@pytest.fixture(scope="session")
def password_hash() -> str:
    """The hash of :data:`PASSWORD`, made once: each costs 25 ms."""
    from api.auth import Hasher

    hasher = Hasher()
    made = hasher.hash(PASSWORD)
    hasher.close()
    return made


@pytest.fixture
def app(settings, database, clock) -> Iterator[FastAPI]:
    """The whole service, without a worker."""
    from api.app import create_app
    from api.auth import keys

    keys.create(settings.tokens_file)
    made = create_app(settings, database, clock)
    yield made
    made.state.gatekeeper.close()
    made.state.papers.close()


@pytest.fixture
def client(app) -> TestClient:
    """A client at an https address; it keeps cookies as a browser does."""
    from starlette.testclient import TestClient

    return TestClient(app, base_url="https://testserver")


@pytest.fixture
def school(database, clock) -> UUID:
    """A city, a county and a school."""
    from screening.actions import organisations
    from screening.core.actor import Actor
    from screening.models.organisation import OrganisationKind

    with database.begin() as session:
        parent = None
        for kind, code, name in (
            (OrganisationKind.CITY, "city", "青江市"),
            (OrganisationKind.COUNTY, "county", "白石县"),
            (OrganisationKind.SCHOOL, "school", "白石县第一中学"),
        ):
            parent = organisations.add(
                session,
                actor=Actor.system(),
                kind=kind,
                code=code,
                name=name,
                parent=parent,
                phone=None,
                now=clock.now(),
            )
        return parent.id


@pytest.fixture
def make_person(database, clock, school, password_hash) -> Callable[..., Person]:
    """``make_person("lin", Role.COUNSELLOR)``: an account with roles at the school."""
    from screening.actions import accounts
    from screening.core.actor import Actor
    from screening.models.organisation import Organisation

    def make(username: str = "lin", *roles: Role, must_change_password: bool = False) -> Person:
        with database.begin() as session:
            account = accounts.open_account(
                session,
                actor=Actor.system(),
                username=username,
                name="林知远",
                password_hash=password_hash,
                must_change_password=must_change_password,
                now=clock.now(),
            )
            for role in roles:
                accounts.grant_role(
                    session,
                    actor=Actor.system(),
                    account=account,
                    role=role,
                    organisation=session.get_one(Organisation, school),
                    valid_from=date(2026, 9, 1),
                    valid_to=None,
                    approved_by=None,
                    reason="test",
                    now=clock.now(),
                )
            return Person(account.id, username)

    return make


@pytest.fixture
def sign_in(client) -> Callable[..., dict[str, str]]:
    """Sign a person in; the answer's tokens."""

    def sign(person: Person) -> dict[str, str]:
        answer = client.post(
            "/api/v1/tokens", json={"username": person.username, "password": person.password}
        )
        assert answer.status_code == 200, answer.text
        return answer.json()

    return sign


@pytest.fixture
def bearer(make_person, sign_in) -> Callable[..., dict[str, str]]:
    """``bearer(Role.COUNSELLOR)``: headers of a fresh person with these roles."""
    made = 0

    def headers(*roles: Role) -> dict[str, str]:
        nonlocal made
        made += 1
        person = make_person(f"person{made}", *roles)
        return {"Authorization": f"Bearer {sign_in(person)['access_token']}"}

    return headers


@dataclass(frozen=True, slots=True)
class Route:
    """One route of the app with one method."""

    method: str
    path: str
    takes_json: bool

    @property
    def name(self) -> str:
        return f"{self.method} {self.path}"

    @property
    def is_api(self) -> bool:
        return self.path.startswith("/api/")

    def address(self) -> str:
        """The path with a random id in each place."""
        return re.sub(r"\{[^}]*\}", lambda _: str(uuid4()), self.path)


@pytest.fixture
def routes(app) -> list[Route]:
    """Every route of the app, those of included routers too."""
    from fastapi.routing import iter_route_contexts
    from starlette.routing import Mount

    found = []
    for context in iter_route_contexts(app.routes):
        if isinstance(context.original_route, Mount):
            continue
        body = getattr(context, "body_field", None)
        takes_json = body is not None and type(body.field_info).__name__ not in {"Form", "File"}
        found += [
            Route(method, context.path, takes_json)
            for method in sorted((context.methods or set()) - {"HEAD"})
        ]
    return sorted(found, key=lambda route: route.name)


@pytest.fixture
def open_routes(app) -> frozenset[str]:
    """Names of the routes that strangers may call."""
    from api import v1, web

    always = {"GET /healthz", "GET /api/v1/openapi.json"}
    return frozenset(always | {f"{method} {path}" for method, path in (*v1.OPEN, *web.OPEN)})


@pytest.fixture
def open_session(app, database, clock) -> Callable[..., dict[str, str]]:
    """``open_session(person, route)``: headers of a live session of the kind this route wants, without hashing."""
    from api.auth import ACCESS
    from api.middleware import COOKIE
    from screening.models.account import SignInSession

    def headers(person: Person, *, api: bool = True) -> dict[str, str]:
        keeper, now = app.state.gatekeeper, clock.now()
        with database.begin() as session:
            entry = SignInSession(account_id=person.id, browser=not api, started_at=now, seen_at=now)
            session.add(entry)
        if api:
            return {"Authorization": f"Bearer {keeper._mint(ACCESS, person.id, entry.id, ACCESS.lifetime)}"}
        return {
            "Cookie": f"{COOKIE}={keeper.page_token(person.id, entry.id)}",
            "X-CSRF-Token": keeper.form_token(entry.id),
            "Sec-Fetch-Site": "same-origin",
            "Accept": "text/html",
        }

    return headers


@pytest.fixture
def as_(client, world) -> Callable[[str], dict[str, str]]:
    """``as_("counsellor")``: headers of this person of the world, signed in anew whenever the clock has moved."""
    from tests.factories import PASSWORD as OF_THE_WORLD

    known: dict[tuple[str, object], dict[str, str]] = {}

    def headers(who: str) -> dict[str, str]:
        key = (who, world.clock.now())
        if key not in known:
            answer = client.post("/api/v1/tokens", json={"username": who, "password": OF_THE_WORLD})
            assert answer.status_code == 200, answer.text
            known[key] = {"Authorization": f"Bearer {answer.json()['access_token']}"}
        return known[key]

    return headers
