"""Security headers on every answer, errors too; hosts and headers within limits (AU10)."""

from __future__ import annotations

from dataclasses import replace

import pytest
from starlette.testclient import TestClient

from api.middleware import CRISIS_PATHS, Shedding
from screening.core.actor import Role

EXPECTED = {
    "x-content-type-options": "nosniff",
    "referrer-policy": "no-referrer",
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
    "x-frame-options": "DENY",
    "cache-control": "no-store",
}
DIRECTIVES = (
    "default-src 'none'",
    "object-src 'none'",
    "base-uri 'none'",
    "frame-ancestors 'none'",
    "form-action 'self'",
)


def check_headers(answer, *, https=True, static=False):
    for name, value in EXPECTED.items():
        if not (static and name == "cache-control"):
            assert answer.headers[name] == value, name
    policy = answer.headers["content-security-policy"]
    assert all(directive in policy for directive in DIRECTIVES)
    assert "unsafe" not in policy
    assert "script-src 'nonce-" in policy
    hsts = answer.headers.get("strict-transport-security")
    assert (int(hsts.split("=")[1]) >= 31_536_000) if https else hsts is None
    assert answer.headers["x-request-id"]
    assert "server" not in answer.headers
    assert "x-powered-by" not in answer.headers


@pytest.mark.any_engine
def test_on_every_route_for_strangers_and_for_people(client, routes, make_person, open_session):
    person = make_person("lin", Role.COUNSELLOR)
    for route in routes:
        stranger = client.request(route.method, route.address(), follow_redirects=False)
        known = client.request(
            route.method,
            route.address(),
            headers=open_session(person, api=route.is_api),
            follow_redirects=False,
        )
        check_headers(stranger)
        check_headers(known)


def test_on_errors_of_every_layer(client):
    for answer in (
        client.get("/", headers={"host": "elsewhere.example"}),
        client.get("/", headers={"x-long": "x" * 20_000}),
        client.post("/api/v1/tokens", content=b" " * (1024 * 1024 + 1)),
        client.post("/sign-in", headers={"sec-fetch-site": "cross-site"}),
        client.get("/nothing-here"),
        client.options("/api/v1/tokens"),
    ):
        assert answer.status_code >= 400
        check_headers(answer)


def test_no_answer_allows_another_site(client):
    answer = client.get("/healthz", headers={"origin": "https://elsewhere.example"})
    assert not [name for name in answer.headers if name.startswith("access-control-")]


def test_each_answer_has_its_own_nonce_and_number(client):
    answers = [client.get("/healthz") for _ in range(3)]
    for name in ("content-security-policy", "x-request-id"):
        assert len({answer.headers[name] for answer in answers}) == 3


def test_the_number_is_ours_not_the_callers(client):
    answer = client.get("/healthz", headers={"x-request-id": "made-up"})
    assert answer.headers["x-request-id"] != "made-up"


def test_signing_out_clears_the_browser(client, bearer):
    answer = client.delete("/api/v1/tokens", headers=bearer())
    assert answer.headers["clear-site-data"] == '"cache", "cookies", "storage"'


@pytest.fixture
def plain(settings, database, clock):
    """The service at an http address, as in the demonstration."""
    from api.app import create_app
    from api.auth import keys

    keys.create(settings.tokens_file)
    app = create_app(replace(settings, base_url="http://127.0.0.1:8000"), database, clock)
    yield TestClient(app, base_url="http://127.0.0.1:8000")
    app.state.gatekeeper.close()


def test_without_tls_there_is_no_hsts(plain):
    check_headers(plain.get("/healthz"), https=False)


@pytest.mark.parametrize(
    ("host", "good"),
    [
        ("testserver", True),
        ("TESTSERVER:8443", True),
        ("127.0.0.1:8000", True),
        ("elsewhere.example", False),
        ("testserver.elsewhere.example", False),
        ("elsewhere.example@testserver", False),
        ("testserver@elsewhere.example", False),
        ("testserver/x", False),
        ("", False),
        ("[::1", False),
        ("[::1]", False),
    ],
)
def test_hosts_come_from_a_list(client, host, good):
    answer = client.get("/healthz", headers={"host": host})
    assert (answer.status_code == 200) is good


@pytest.mark.parametrize("declared", ["-1", "x", "1_0", "9" * 5000, "²"])
def test_a_senseless_length_is_refused(client, declared):
    answer = client.post(
        "/api/v1/tokens",
        content=iter([b"{}"]),
        headers={"content-length": declared.encode("latin-1", "replace")},
    )
    assert answer.status_code in {400, 413}
    check_headers(answer)


def test_imports_may_be_larger(client, bearer):
    """2 MiB reach the route's own rules there and nowhere else."""
    headers, body = bearer(Role.COUNSELLOR), b" " * (2 * 1024 * 1024)
    assert client.post("/api/v1/imports", content=body, headers=headers).status_code != 413
    assert client.post("/api/v1/importsx", content=body, headers=headers).status_code == 413
    assert client.put("/api/v1/imports", content=body, headers=headers).status_code == 413
    huge = b" " * (12 * 1024 * 1024 + 1)
    assert client.post("/api/v1/imports", content=huge, headers=headers).status_code == 413


def test_when_busy_the_rest_is_shed_and_the_crisis_lane_answers(client, app):
    """RL7: with every usual place taken, others are told at once; what is dangerous still gets through."""
    layer = app.middleware_stack = app.build_middleware_stack()
    while not isinstance(layer, Shedding):
        layer = layer.app
    layer.running = layer.at_once
    answer = client.get("/api/v1/me")
    assert (answer.status_code, answer.json()["code"]) == (503, "unavailable")
    assert answer.headers["retry-after"]
    assert "/healthz" in CRISIS_PATHS
    assert client.get("/healthz").status_code == 200
    assert client.post("/api/v1/crises").status_code == 401
    layer.running = 0
    assert client.get("/api/v1/me").status_code == 401
    assert layer.running == 0
