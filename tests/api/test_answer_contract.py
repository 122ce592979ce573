"""The answer contract, row by row: over every route, and over routes made here that fail in each way."""

from __future__ import annotations

import json
from typing import Annotated
from uuid import uuid4

import pytest
from fastapi import Query
from pydantic import Field
from sqlalchemy import select
from sqlalchemy.exc import OperationalError
from sqlalchemy.exc import TimeoutError as PoolTimeout
from sqlalchemy.orm.exc import StaleDataError

from api import errors
from api.auth.guessing import TooMany
from api.deps import FRESH, SessionDep, json_router
from api.errors import problem_of
from api.v1.schemas.common import Body, Day, Id, Instant, OneOf
from api.versions import IfMatchDep
from screening.core.actor import Role
from screening.core.audit import AuditEvent, AuditRow
from screening.core.errors import (
    Conflict,
    InvalidInput,
    InvalidTransition,
    NotFound,
    NotPermitted,
    PolicyViolation,
    Unavailable,
)
from screening.core.i18n import catalogue
from screening.models.organisation import Organisation, OrganisationKind

SECRET = "王小明的秘密"
PROBLEM = "application/problem+json"
LARGE = 1024 * 1024 + 1


class Sample(Body):
    number: Annotated[int, Field(ge=0, le=3)]
    text: str | None = None
    role: OneOf[Role] | None = None
    day: Day | None = None
    at: Instant | None = None
    id: Id | None = None


RAISED: dict[str, tuple[Exception, int, str]] = {
    "absent": (NotFound(), 404, "not-found"),
    "forbidden": (NotPermitted(), 403, "not-permitted"),
    "policy": (PolicyViolation("Not found."), 409, "policy"),
    "transition": (InvalidTransition("Not found."), 409, "transition"),
    "conflict": (Conflict("Not found."), 409, "conflict"),
    "input": (InvalidInput("Not found."), 422, "invalid"),
    "busy": (Unavailable("Not found."), 503, "unavailable"),
    "often": (TooMany(seconds=7), 429, "too-many"),
    "stale": (StaleDataError(), 412, "changed-since"),
    "away": (OperationalError("SELECT " + SECRET, {}, Exception("server closed")), 503, "unavailable"),
    "full": (OperationalError("INSERT", {}, Exception("database or disk is full")), 507, "no-room"),
    "pool": (PoolTimeout(), 503, "unavailable"),
    "fault": (ZeroDivisionError(SECRET), 500, "fault"),
}


@pytest.fixture
def trial(app):
    """Routes that do nothing but answer in each way, behind the same gate as all others."""
    router = json_router("/api/v1/trial")

    @router.post("/sample")
    def sample(body: Sample) -> dict[str, int]:
        return {"number": body.number}

    @router.get("/raise/{what}")
    def fail(what: str) -> None:
        raise RAISED[what][0]

    @router.get("/things/{thing_id}")
    def thing(thing_id: Id, size: Annotated[int, Query(ge=1, le=200)] = 50) -> None:
        raise NotFound

    @router.post("/twice")
    def twice(session: SessionDep) -> dict[str, str]:
        for _ in range(2):  # the second breaks a unique constraint, and only the commit finds out
            session.add(Organisation(kind=OrganisationKind.CITY, code="same", name="x", path="/same/"))
        return {"stored": "yes"}

    @router.put("/version", dependencies=[FRESH])
    def version(seen: IfMatchDep, session: SessionDep) -> None:
        seen.check(session, 7, things=[], now=app.state.clock.now())

    @router.post("/once")
    def once(session: SessionDep, body: Sample) -> dict[str, str]:
        return {"id": str(uuid4())}

    app.include_router(router)
    return app


@pytest.fixture
def headers(trial, bearer):
    return bearer(Role.COUNSELLOR)


def check_problem(answer, status, code=None):
    assert answer.status_code == status, answer.text
    assert answer.headers["content-type"] == PROBLEM
    body = answer.json()
    assert body["status"] == status
    assert body["request_id"] == answer.headers["x-request-id"]
    assert body["title"]
    assert body["detail"]
    assert body["type"] == f"https://testserver/problems/{body['code']}"
    assert code is None or body["code"] == code
    assert SECRET not in answer.text
    return body


# --- every route -------------------------------------------------------------------------------------------

STRANGE_BODIES = {
    "nothing": {},
    "not JSON": {"content": b"{", "headers": {"content-type": "application/json"}},
    "NaN": {"content": b'{"a": NaN}', "headers": {"content-type": "application/json"}},
    "another type": {"content": b"x", "headers": {"content-type": "text/xml"}},
    "a broken form": {"content": b"x", "headers": {"content-type": "multipart/form-data"}},
}


@pytest.mark.any_engine
@pytest.mark.parametrize("what", STRANGE_BODIES)
def test_strangers_get_401_before_anything_is_parsed(client, routes, open_routes, what):
    for route in routes:
        if route.is_api and route.name not in open_routes:
            answer = client.request(route.method, route.address(), **STRANGE_BODIES[what])
            check_problem(answer, 401, "not-signed-in")
            assert answer.headers["www-authenticate"] == "Bearer", route.name


def test_an_ended_session_is_a_stranger(client, routes, open_routes, make_person, sign_in):
    headers = {"Authorization": f"Bearer {sign_in(make_person())['access_token']}"}
    assert client.delete("/api/v1/tokens", headers=headers).status_code == 204
    for route in routes:
        if route.is_api and route.name not in open_routes:
            check_problem(client.request(route.method, route.address(), headers=headers), 401)


def test_strangers_cannot_ask_which_addresses_exist(client):
    check_problem(client.get("/api/v1/nothing-here"), 401)
    check_problem(client.post("/nothing-here", headers={"sec-fetch-site": "same-origin"}), 401)
    check_problem(client.get("/api/v1/tokens"), 401)


BAD_JSON = {
    "a name twice": (b'{"number": 1, "number": 2}', "name_twice"),
    "NaN": (b'{"number": NaN}', "not_a_number"),
    "Infinity": (b'{"number": -Infinity}', "not_a_number"),
    "lone surrogate": (b'{"text": "\\ud800"}', "unsafe_character"),
    "lone surrogate as a name": (b'{"\\ud800": 1}', "unsafe_character"),
    "NUL": (b'{"text": "a\\u0000b"}', "unsafe_character"),
    "escape character": (b'{"text": "\\u001b[31m"}', "unsafe_character"),
    "bidirectional override": ('{"text": "a\u202eb"}'.encode(), "unsafe_character"),
    "bidirectional isolate": ('{"text": "a\u2066b"}'.encode(), "unsafe_character"),
    "not UTF-8": (b'{"text": "\xff"}', "not_utf8"),
    "not JSON": (b'{"number": ', "json_invalid"),
    "33 deep": (b"[" * 33 + b"1" + b"]" * 33, "too_deep"),
    "100 000 deep": (b"[" * 100_000, "too_deep"),
    "large integer": (b'{"number": 9007199254740993}', "number_out_of_range"),
    "integer of 5 000 digits": (b'{"number": ' + b"9" * 5000 + b"}", "number_out_of_range"),
    "large fraction": (b'{"number": 1e400}', "number_out_of_range"),
    "long text": (b'{"text": "' + b"x" * 5001 + b'"}', "text_too_long"),
    "long list": (b'{"text": [' + b"1," * 500 + b"1]}", "too_many"),
}


@pytest.mark.any_engine
@pytest.mark.parametrize("what", BAD_JSON)
def test_json_that_python_would_take_is_422_on_every_route(client, routes, open_session, make_person, what):
    content, why = BAD_JSON[what]
    headers = {**open_session(make_person("lin", Role.COUNSELLOR)), "content-type": "application/json"}
    taking = [route for route in routes if route.takes_json]
    assert taking
    for route in taking:
        answer = client.request(route.method, route.address(), content=content, headers=headers)
        body = check_problem(answer, 422, "invalid")
        assert body["errors"][0]["why"] == why, route.name
        assert body["errors"][0]["at"][0] == "body"


@pytest.mark.any_engine
@pytest.mark.parametrize("kind", ["text/plain", "application/xml", "application/x-www-form-urlencoded", ""])
def test_another_media_type_is_415_on_every_json_route(client, routes, open_session, make_person, kind):
    headers = {**open_session(make_person("lin", Role.COUNSELLOR)), "content-type": kind}
    for route in routes:
        if route.takes_json:
            answer = client.request(route.method, route.address(), content=b'{"number": 1}', headers=headers)
            check_problem(answer, 415, "media-type")


def everybody(open_session, make_person):
    """Headers of somebody who may call a route: all posts but one in one hand, the administrator alone."""
    own = open_session(make_person("lin", *(role for role in Role if role is not Role.SYSADMIN)))
    administrator = open_session(make_person("ops", Role.SYSADMIN))
    upkeep = ("/api/v1/accounts", "/api/v1/duty", "/api/v1/organisations")
    return lambda route: administrator if route.path.startswith(upkeep) else own


@pytest.mark.any_engine
def test_an_unknown_field_is_422_on_every_json_route(client, routes, open_session, make_person):
    signed_in = everybody(open_session, make_person)
    for route in routes:
        if route.takes_json:
            headers = signed_in(route) | {"If-Match": '"1"'}
            answer = client.request(
                route.method, route.address(), json={"no_such_field": SECRET}, headers=headers
            )
            body = check_problem(answer, 422, "invalid")
            why = {error["why"] for error in body["errors"]}
            assert why & {"extra_forbidden", "list_type"}, (route.name, why)


def chunks(total):
    for _ in range(total // 65_536 + 1):
        yield b" " * 65_536


@pytest.mark.any_engine
def test_a_body_too_large_is_413_declared_or_not(client, routes, open_session, make_person):
    signed_in = everybody(open_session, make_person)
    for route in routes:
        if route.takes_json:
            headers = signed_in(route) | {"content-type": "application/json"}
            declared = client.request(route.method, route.address(), content=b" " * LARGE, headers=headers)
            check_problem(declared, 413, "too-large")
            chunked = client.request(route.method, route.address(), content=chunks(LARGE), headers=headers)
            check_problem(chunked, 413, "too-large")


def test_another_method_is_405_and_another_address_404(client, headers):
    check_problem(client.patch("/api/v1/me", headers=headers), 405, "method")
    check_problem(client.get("/api/v1/nothing-here", headers=headers), 404, "not-found")


def test_all_api_routes_read_json_strictly(app):
    from fastapi.routing import APIRoute, iter_route_contexts

    from api.deps import StrictRoute

    lax = [
        context.path
        for context in iter_route_contexts(app.routes)
        if isinstance(context.original_route, APIRoute)
        and (context.path or "").startswith("/api/")
        and not isinstance(context.original_route, StrictRoute)
    ]
    assert not lax, "make the router with api.deps.json_router"


# --- what is raised ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("what", RAISED)
def test_each_error_has_its_answer(client, headers, what):
    _, status, code = RAISED[what]
    answer = client.get(f"/api/v1/trial/raise/{what}", headers=headers)
    check_problem(answer, status, code)
    assert ("retry-after" in answer.headers) is (status in {429, 503, 507})


def test_a_fault_is_logged_by_place_and_number_without_its_text(client, headers, caplog):
    answer = client.get("/api/v1/trial/raise/fault", headers=headers)
    assert answer.headers["x-request-id"] in caplog.text
    assert "ZeroDivisionError" in caplog.text
    assert "test_answer_contract.py" in caplog.text
    assert SECRET not in caplog.text


def test_what_the_commit_refuses_is_never_answered_as_done(client, headers, database):
    answer = client.post("/api/v1/trial/twice", headers=headers)
    check_problem(answer, 409, "conflict")
    with database.look() as session:
        assert not session.scalars(select(Organisation.id).where(Organisation.code == "same")).all()


def test_absent_and_hidden_read_the_same(client, headers):
    one = client.get(f"/api/v1/trial/things/{uuid4()}", headers=headers)
    other = client.get(f"/api/v1/trial/things/{uuid4()}", headers=headers)
    varying = {"x-request-id", "content-security-policy"}
    assert {k: v for k, v in one.headers.items() if k not in varying} == {
        k: v for k, v in other.headers.items() if k not in varying
    }
    assert {**one.json(), "request_id": ""} == {**other.json(), "request_id": ""}


def test_refusals_are_on_the_trail(client, headers, database):
    thing = uuid4()
    client.get(f"/api/v1/trial/things/{thing}", headers=headers)
    client.get("/api/v1/trial/raise/forbidden", headers=headers)
    with database.look() as session:
        rows = session.scalars(select(AuditRow).where(AuditRow.event == AuditEvent.ACCESS_REFUSED)).all()
        found = {(row.subject_id, row.detail["route"], row.detail["code"]) for row in rows}
        assert all(row.account_id for row in rows)
    assert found == {
        (thing, "GET /api/v1/trial/things/{thing_id}", "not-found"),
        (None, "GET /api/v1/trial/raise/{what}", "not-permitted"),
    }


def test_a_refusal_that_cannot_be_recorded_is_503(client, headers, database, monkeypatch):
    real = database.begin
    begun = []

    def broken(*lane):
        begun.append(lane)
        raise OperationalError("BEGIN", {}, Exception("server closed"))

    monkeypatch.setattr(database, "begin", broken)
    check_problem(client.get("/api/v1/trial/raise/absent", headers=headers), 503)
    assert begun
    monkeypatch.setattr(database, "begin", real)
    check_problem(client.get("/api/v1/trial/raise/absent", headers=headers), 404)


def test_the_database_away_is_503_at_the_gate_too(client, headers, database, monkeypatch):
    def broken():
        raise OperationalError("BEGIN", {}, Exception("server closed"))

    monkeypatch.setattr(database, "look", broken)
    for path in ("/api/v1/me", "/healthz"):
        answer = client.get(path, headers=headers)
        check_problem(answer, 503, "unavailable")
        assert answer.headers["retry-after"]


def test_with_the_database_away_no_list_is_empty(
    client, routes, open_session, make_person, database, monkeypatch
):
    """Requirement RL8, for every reading that opens a transaction: 503 and when to come again, never "nothing"."""
    headers = open_session(make_person("person", Role.COUNSELLOR, Role.CLINICIAN, Role.ENTRY_CLERK))

    def away(*_, **__):
        raise OperationalError("SELECT 1", {}, Exception("server closed the connection"))

    monkeypatch.setattr(database, "begin", away)
    asked, without = 0, {"/api/v1/openapi.json", "/api/v1/instruments", "/api/v1/imports/template"}
    for route in routes:
        if route.method != "GET" or not route.is_api or route.path in without:
            continue
        answer = client.get(route.address(), headers=headers)
        assert answer.status_code in {503, 403}, route.name
        if answer.status_code == 503:
            assert answer.headers["retry-after"], route.name
            asked += 1
    assert asked >= 10


# --- what is not valid -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("body", "at"),
    [
        ({"number": 4}, ["body", "number"]),
        ({"number": True}, ["body", "number"]),
        ({"number": "1"}, ["body", "number"]),
        ({"number": 1.0}, ["body", "number"]),
        ({"number": None}, ["body", "number"]),
        ({}, ["body", "number"]),
        ({"number": 1, "role": SECRET}, ["body", "role"]),
        ({"number": 1, "role": 1}, ["body", "role"]),
        ({"number": 1, "day": "2026-13-01"}, ["body", "day"]),
        ({"number": 1, "day": 0}, ["body", "day"]),
        ({"number": 1, "day": "2026-10-14T00:00:00"}, ["body", "day"]),
        ({"number": 1, "day": "2026-1-4"}, ["body", "day"]),
        ({"number": 1, "at": 0}, ["body", "at"]),
        ({"number": 1, "at": "2026-10-14T10:00:00"}, ["body", "at"]),
        ({"number": 1, "id": SECRET}, ["body", "id"]),
        ({"number": 1, SECRET: 1}, ["body", "??????"]),
    ],
)
def test_place_and_rule_are_told_and_the_value_never(client, headers, body, at):
    answer = client.post("/api/v1/trial/sample", json=body, headers=headers)
    told = check_problem(answer, 422, "invalid")
    assert [error["at"] for error in told["errors"]] == [at]
    assert all(error["why"].isascii() for error in told["errors"])


@pytest.mark.parametrize(
    "text", ["𰻞", "㛃", "阿依古丽·买买提", "一", "👨‍👩‍👧 😀", "line\nline\tend\r\n", "e\u0301", "\u3000"]
)
def test_rare_letters_are_welcome(client, headers, text):
    body = {
        "number": 1,
        "text": text,
        "role": "counsellor",
        "day": "2026-10-14",
        "at": "2026-10-14T10:00:00+08:00",
        "id": str(uuid4()),
    }
    assert client.post("/api/v1/trial/sample", json=body, headers=headers).status_code == 200
    escaped = json.dumps(body, ensure_ascii=True).encode()
    answer = client.post(
        "/api/v1/trial/sample", content=escaped, headers={**headers, "content-type": "application/json"}
    )
    assert answer.status_code == 200


@pytest.mark.parametrize("query", ["size=0", "size=201", "size=x", "size=1000000000"])
def test_a_bad_query_is_422(client, headers, query):
    answer = client.get(f"/api/v1/trial/things/{uuid4()}?{query}", headers=headers)
    assert check_problem(answer, 422)["errors"][0]["at"] == ["query", "size"]


def test_a_path_that_holds_no_id_is_422_without_the_value(client, headers):
    answer = client.get(f"/api/v1/trial/things/{SECRET}", headers=headers)
    assert check_problem(answer, 422)["errors"] == [{"at": ["path", "thing_id"], "why": "uuid_parsing"}]


# --- versions, repetition, freshness -----------------------------------------------------------------------


@pytest.mark.parametrize(
    ("if_match", "status", "code"),
    [
        (None, 428, "version-missing"),
        ('"6"', 412, "changed-since"),
        ("7", 412, "changed-since"),
        ('W/"7"', 412, "changed-since"),
        ("*", 412, "changed-since"),
        ('"7"', 200, None),
    ],
)
def test_a_change_names_the_version_it_starts_from(client, headers, if_match, status, code):
    more = {"If-Match": if_match} if if_match else {}
    answer = client.put("/api/v1/trial/version", headers={**headers, **more})
    if status == 200:
        assert answer.status_code == 200
    else:
        check_problem(answer, status, code)


def test_what_needs_a_fresh_sign_in_says_so(client, headers, clock):
    from datetime import timedelta

    clock.forward(timedelta(minutes=5, seconds=1))
    answer = client.put("/api/v1/trial/version", headers={**headers, "If-Match": '"7"'})
    check_problem(answer, 403, "reauthenticate")


def test_the_same_key_gives_the_same_answer_and_another_body_422(client, headers):
    keyed = {**headers, "Idempotency-Key": "one-key"}
    first = client.post("/api/v1/trial/once", json={"number": 1}, headers=keyed)
    again = client.post("/api/v1/trial/once", json={"number": 1}, headers=keyed)
    assert first.json() == again.json()
    check_problem(client.post("/api/v1/trial/once", json={"number": 2}, headers=keyed), 422)
    other = client.post("/api/v1/trial/once", json={"number": 1}, headers=headers)
    assert other.json() != first.json()


def test_a_key_belongs_to_one_account(client, headers, bearer):
    theirs = {**bearer(Role.COUNSELLOR), "Idempotency-Key": "one-key"}
    mine = {**headers, "Idempotency-Key": "one-key"}
    answers = [
        client.post("/api/v1/trial/once", json={"number": 1}, headers=h).json() for h in (mine, theirs)
    ]
    assert answers[0] != answers[1]


@pytest.mark.parametrize("key", ["x" * 81, "with space", ""])
def test_a_bad_key_is_422(client, headers, key):
    answer = client.post(
        "/api/v1/trial/once", json={"number": 1}, headers={**headers, "Idempotency-Key": key}
    )
    check_problem(answer, 422)


# --- language, pages ---------------------------------------------------------------------------------------


def test_every_text_of_ours_has_a_translation():
    texts = {*errors.TITLES.values(), *(message for _, message in errors.DETAILS.values())}
    texts |= {problem_of(error).message for error in (StaleDataError(), ZeroDivisionError())}
    texts.add(problem_of(RAISED["full"][0]).message)
    assert not [text for text in texts if text not in catalogue("zh")]


@pytest.mark.parametrize(
    ("asked", "locale", "title"),
    [(None, "zh", "尚未登录"), ("en", "en", "Not signed in"), ("de, en;q=0.5", "en", "Not signed in")],
)
def test_the_reader_chooses_the_language(client, asked, locale, title):
    answer = client.get("/api/v1/me", headers={"Accept-Language": asked} if asked else {})
    assert answer.headers["content-language"] == locale
    assert check_problem(answer, 401)["title"] == title


def test_a_page_is_answered_with_a_page(client):
    answer = client.get("/nothing-here", headers={"Accept": "text/html,application/xhtml+xml"})
    assert answer.status_code == 401
    assert answer.headers["content-type"] == "text/html; charset=utf-8"
    assert answer.headers["www-authenticate"] == "Bearer"
    assert answer.headers["x-request-id"] in answer.text


def test_a_page_that_cannot_be_made_does_not_hide_the_refusal(client, app, caplog):
    def broken(request, problem):
        raise LookupError(SECRET)

    app.state.error_page = broken
    answer = client.get("/nothing-here", headers={"Accept": "text/html"})
    assert answer.status_code == 401
    assert answer.headers["www-authenticate"] == "Bearer"
    assert answer.headers["x-request-id"] in answer.text
    assert "LookupError" in caplog.text
    assert SECRET not in caplog.text + answer.text


def test_logs_name_the_route_and_no_value(client, headers, caplog):
    caplog.set_level("INFO", logger="api.middleware")
    thing = uuid4()
    client.get(f"/api/v1/trial/things/{thing}?size=7", headers=headers)
    client.delete("/api/v1/tokens", headers=headers)
    client.get(f"/api/v1/{SECRET}")
    assert "GET /api/v1/trial/things/{thing_id} 404" in caplog.text
    assert "DELETE /api/v1/tokens 204" in caplog.text
    assert "GET - 401" in caplog.text
    assert str(thing) not in caplog.text
    assert SECRET not in caplog.text


def test_production_keeps_the_api_documents_closed(settings, database, clock):
    from dataclasses import replace

    from starlette.testclient import TestClient

    from api.app import create_app
    from api.auth import keys

    keys.create(settings.tokens_file)
    closed = create_app(replace(settings, production=True), database, clock)
    client = TestClient(closed, base_url="https://testserver")
    for path in ("/api/v1/openapi.json", "/docs", "/redoc", "/openapi.json"):
        check_problem(client.get(path), 401)
    closed.state.gatekeeper.close()
