"""Every route is guarded as its row in ``route_table.yaml`` says (requirement AZ5)."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

from screening.core.actor import Role

TABLE: dict[str, dict[str, Any]] = yaml.safe_load(
    (Path(__file__).parent / "route_table.yaml").read_text(encoding="utf-8")
)
KNOWN = {"open", "roles", "body", "form", "query", "others"}


def roles_of(row: dict[str, Any]) -> frozenset[Role]:
    roles = row.get("roles", [])
    return frozenset(Role) if roles == "all" else frozenset(map(Role, roles))


def call(client, route, row, headers):
    body = {"json": row["body"]} if "body" in row else {"data": row["form"]} if "form" in row else {}
    return client.request(
        route.method,
        route.address(),
        headers=headers,
        params=row.get("query"),
        follow_redirects=False,
        **body,
    )


def test_every_route_has_a_row_and_every_row_a_route(routes):
    names = {route.name for route in routes}
    assert not names - TABLE.keys(), "routes without a row: who may call them?"
    assert not TABLE.keys() - names, "rows of routes that are gone"


def test_rows_are_well_formed():
    for name, row in TABLE.items():
        assert row.keys() <= KNOWN, name
        assert row.get("open") or roles_of(row), f"{name}: nobody may call it?"
        assert row.get("others", 403) in {403, 404}, name


def test_open_rows_are_the_open_routes(open_routes):
    assert {name for name, row in TABLE.items() if row.get("open")} == open_routes


@pytest.mark.any_engine
def test_strangers_are_answered_401(client, routes, open_routes):
    for route in routes:
        if route.name in open_routes:
            continue
        row = TABLE.get(route.name, {})
        answer = call(client, route, row, {"Sec-Fetch-Site": "same-origin"})
        assert answer.status_code == 401, route.name
        assert answer.headers["www-authenticate"] == "Bearer", route.name


# A role is checked before anything is read. On the second database those run that read most.
READERS = frozenset(
    {Role.COUNSELLOR, Role.COUNTY_CENTRE, Role.CLINICIAN, Role.HOTLINE_OPERATOR, Role.SYSADMIN}
)


@pytest.mark.parametrize(
    "role",
    [role if role in READERS else pytest.param(role, marks=pytest.mark.any_engine) for role in Role],
)
def test_each_role_may_what_its_row_says(client, routes, make_person, open_session, role):
    person, wrong = make_person("person", role), []
    for route in routes:
        row = TABLE.get(route.name, {})
        if row.get("open"):
            continue
        status = call(client, route, row, open_session(person, api=route.is_api)).status_code
        if role in roles_of(row):
            good = status not in {401, 403} and status < 500
        else:
            good = status == row.get("others", 403)
        if not good:
            wrong.append(f"{route.name}: {status}")
    assert not wrong, f"{role}: {wrong}"


@pytest.mark.any_engine
def test_nobody_without_a_role_may_anything_but_look_after_themselves(
    client, routes, make_person, open_session
):
    person, wrong = make_person("person"), []
    for route in routes:
        row = TABLE.get(route.name, {})
        if row.get("open") or row.get("roles") == "all":
            continue
        status = call(client, route, row, open_session(person, api=route.is_api)).status_code
        if status != row.get("others", 403):
            wrong.append(f"{route.name}: {status}")
    assert not wrong


def test_a_route_without_a_row_would_be_seen(app):
    from api.deps import json_router

    router = json_router("/api/v1/forgotten")

    @router.get("")
    def forgotten() -> None: ...

    app.include_router(router)
    from fastapi.routing import iter_route_contexts

    names = {
        f"{method} {context.path}"
        for context in iter_route_contexts(app.routes)
        for method in context.methods or ()
    }
    assert "GET /api/v1/forgotten" in names - TABLE.keys()
