"""A browser's session: one ``__Host-`` cookie, bound to the session row, useless elsewhere (AU9, decision 44)."""

from __future__ import annotations

from datetime import timedelta
from typing import Annotated

import pytest
from fastapi import APIRouter, Depends, File, Form, Response, UploadFile
from sqlalchemy import select
from starlette.testclient import TestClient

from api.auth import ACCESS
from api.deps import (
    AddressDep,
    GatekeeperDep,
    PageActorDep,
    SessionDep,
    SignedInDep,
    clear_page_cookie,
    form_token,
    get_page_actor,
    set_page_cookie,
)
from api.middleware import COOKIE, Gate
from screening.core.actor import Role
from screening.models.account import SignInSession

SAME = {"Sec-Fetch-Site": "same-origin", "Accept": "text/html"}


@pytest.fixture
def pages(app, monkeypatch):
    """A few pages as the web routes are made, and a browser."""
    inside = APIRouter(prefix="/trial", dependencies=[Depends(get_page_actor)])
    way_in = APIRouter(prefix="/trial")

    @way_in.post("/sign-in")
    def sign_in(
        gatekeeper: GatekeeperDep,
        address: AddressDep,
        username: Annotated[str, Form()],
        password: Annotated[str, Form()],
        response: Response,
    ) -> None:
        set_page_cookie(response, gatekeeper.sign_in_page(username, password, address=address))

    @inside.get("/today")
    def today(
        actor: PageActorDep, session: SessionDep, token: Annotated[str, Depends(form_token)]
    ) -> list[str]:
        return [str(actor.account_id), token]

    @inside.post("/change")
    def change(word: Annotated[str, Form()]) -> str:
        return word

    @inside.post("/press")
    def press() -> str:
        return "pressed"

    @inside.post("/upload")
    def upload(file: Annotated[UploadFile, File()]) -> int:
        return len(file.file.read())

    @inside.post("/sign-out")
    def sign_out(
        session: SessionDep, signed_in: SignedInDep, gatekeeper: GatekeeperDep, response: Response
    ) -> None:
        gatekeeper.sign_out(session, signed_in)
        clear_page_cookie(response)

    app.include_router(inside)
    app.include_router(way_in)
    app.middleware_stack = app.build_middleware_stack()
    layer = app.middleware_stack
    while not isinstance(layer, Gate):
        layer = layer.app
    layer.open_to_all |= {("POST", "/trial/sign-in")}
    return TestClient(app, base_url="https://testserver")


@pytest.fixture
def browser(pages, make_person):
    """A browser in which somebody has signed in."""
    person = make_person("lin", Role.COUNSELLOR)
    answer = pages.post("/trial/sign-in", data={"username": "lin", "password": person.password}, headers=SAME)
    assert answer.status_code == 200, answer.text
    return pages


def token_of(browser):
    return browser.get("/trial/today", headers=SAME).json()[1]


def test_the_cookie_is_bound_to_this_host_and_closed_to_scripts(pages, make_person):
    person = make_person()
    answer = pages.post("/trial/sign-in", data={"username": "lin", "password": person.password}, headers=SAME)
    name, *attributes = answer.headers["set-cookie"].split("; ")
    assert name.startswith("__Host-")
    assert set(attributes) == {"Path=/", "Secure", "HttpOnly", "SameSite=Lax"}


def test_pages_open_with_the_cookie_and_not_without(browser, pages):
    assert browser.get("/trial/today").status_code == 200
    stranger = TestClient(pages.app, base_url="https://testserver")
    answer = stranger.get("/trial/today", headers={"Accept": "text/html"})
    assert (answer.status_code, answer.headers["www-authenticate"]) == (401, "Bearer")


def test_the_api_does_not_take_the_cookie(browser):
    assert browser.get("/api/v1/me").status_code == 401
    cookie = browser.cookies[COOKIE]
    assert browser.get("/api/v1/me", headers={"Authorization": f"Bearer {cookie}"}).status_code == 401


def test_pages_do_not_take_an_access_token(pages, make_person, sign_in):
    tokens = sign_in(make_person())
    headers = {"Authorization": f"Bearer {tokens['access_token']}"}
    stranger = TestClient(pages.app, base_url="https://testserver")
    assert stranger.get("/trial/today", headers=headers).status_code == 401
    stranger.cookies.set(COOKIE, tokens["access_token"])
    assert stranger.get("/trial/today").status_code == 401


def test_a_session_is_of_one_kind(pages, make_person, app, clock, database):
    """Even a token that we signed is refused when its session was opened for the other kind."""
    person, keeper, now = make_person(), app.state.gatekeeper, clock.now()
    with database.begin() as session:
        entries = [
            SignInSession(account_id=person.id, browser=browser, started_at=now, seen_at=now)
            for browser in (True, False)
        ]
        session.add_all(entries)
    of_browser, of_program = (entry.id for entry in entries)
    access = keeper._mint(ACCESS, person.id, of_browser, ACCESS.lifetime)
    assert pages.get("/api/v1/me", headers={"Authorization": f"Bearer {access}"}).status_code == 401
    pages.cookies.set(COOKIE, keeper.page_token(person.id, of_program))
    assert pages.get("/trial/today").status_code == 401
    pages.cookies.set(COOKIE, keeper.page_token(person.id, of_browser))
    assert pages.get("/trial/today").status_code == 200


def test_a_form_of_ours_is_taken(browser):
    form = {"word": "河", "csrf_token": token_of(browser)}
    answer = browser.post("/trial/change", data=form, headers=SAME)
    assert (answer.status_code, answer.json()) == (200, "河")


def test_a_script_of_ours_sends_the_token_in_a_header(browser):
    headers = {**SAME, "X-CSRF-Token": token_of(browser)}
    assert browser.post("/trial/press", headers=headers).json() == "pressed"


def test_a_form_with_nothing_but_the_token_is_taken(browser):
    answer = browser.post("/trial/press", data={"csrf_token": token_of(browser)}, headers=SAME)
    assert answer.json() == "pressed"


def test_an_upload_carries_the_token_too(browser):
    token = token_of(browser)
    for form, status in (({"csrf_token": token}, 200), ({}, 403), ({"csrf_token": "x"}, 403)):
        answer = browser.post("/trial/upload", data=form, files={"file": ("a.xlsx", b"123")}, headers=SAME)
        assert answer.status_code == status


@pytest.mark.parametrize("token", [None, "", "x", "0" * 64, "令牌"])
def test_a_form_without_our_token_is_refused(browser, token):
    form = {"word": "x", **({"csrf_token": token} if token is not None else {})}
    answer = browser.post("/trial/change", data=form, headers={**SAME, "Accept": "application/json"})
    assert (answer.status_code, answer.json()["code"]) == (403, "cross-site")


def test_a_token_of_another_session_is_refused(browser, pages, make_person):
    mine = token_of(browser)
    other = make_person("he")
    another = TestClient(pages.app, base_url="https://testserver")
    another.post("/trial/sign-in", data={"username": "he", "password": other.password}, headers=SAME)
    assert token_of(another) != mine
    answer = another.post("/trial/change", data={"word": "x", "csrf_token": mine}, headers=SAME)
    assert answer.status_code == 403


@pytest.mark.parametrize(
    ("headers", "good"),
    [
        ({"Sec-Fetch-Site": "same-origin"}, True),
        ({"Sec-Fetch-Site": "same-origin", "Origin": "null"}, True),
        ({"Sec-Fetch-Site": "cross-site"}, False),
        ({"Sec-Fetch-Site": "same-site"}, False),
        ({"Sec-Fetch-Site": "none"}, False),
        ({"Sec-Fetch-Site": "cross-site", "Origin": "https://testserver"}, False),
        ({"Origin": "https://testserver"}, True),
        ({"Origin": "http://testserver"}, False),
        ({"Origin": "https://elsewhere.example"}, False),
        ({"Origin": "null"}, False),
        ({}, False),
    ],
)
def test_a_change_comes_from_our_own_page(browser, headers, good):
    form = {"word": "x", "csrf_token": token_of(browser)}
    answer = browser.post("/trial/change", data=form, headers=headers)
    assert (answer.status_code == 200) is good


def test_nobody_is_signed_in_by_another_site(pages, make_person):
    person = make_person()
    answer = pages.post(
        "/trial/sign-in",
        data={"username": "lin", "password": person.password},
        headers={"Sec-Fetch-Site": "cross-site"},
    )
    assert answer.status_code == 403
    assert COOKIE not in pages.cookies


def test_the_cookie_is_renewed_after_five_minutes_and_counts_for_thirty(browser, clock):
    first = browser.cookies[COOKIE]
    clock.forward(timedelta(minutes=4, seconds=59))
    assert "set-cookie" not in browser.get("/trial/today").headers
    clock.forward(timedelta(seconds=1))
    assert "set-cookie" in browser.get("/trial/today").headers
    assert browser.cookies[COOKIE] != first
    clock.forward(timedelta(minutes=29))
    assert browser.get("/trial/today").status_code == 200
    clock.forward(timedelta(minutes=31))
    assert browser.get("/trial/today").status_code == 401


def test_a_stolen_cookie_is_useless_after_signing_out(browser):
    stolen = browser.cookies[COOKIE]
    answer = browser.post("/trial/sign-out", data={"csrf_token": token_of(browser)}, headers=SAME)
    assert answer.status_code == 200
    assert answer.headers["clear-site-data"]
    assert COOKIE not in browser.cookies
    browser.cookies.set(COOKIE, stolen)
    assert browser.get("/trial/today").status_code == 401


def test_signing_out_is_not_undone_by_a_renewal(browser, clock):
    token = token_of(browser)
    clock.forward(timedelta(minutes=6))
    browser.post("/trial/sign-out", data={"csrf_token": token}, headers=SAME)
    assert COOKIE not in browser.cookies


def test_a_browser_session_has_no_refresh_token(browser, database):
    from screening.models.account import RefreshToken

    with database.look() as session:
        assert session.scalars(select(SignInSession.browser)).all() == [True]
        assert not session.scalars(select(RefreshToken.id)).all()


def test_too_many_files_or_fields_are_refused(browser):
    token = token_of(browser)
    files = [("file", ("a.xlsx", b"1")), ("file", ("b.xlsx", b"2"))]
    answer = browser.post("/trial/upload", data={"csrf_token": token}, files=files, headers=SAME)
    assert answer.status_code == 400
    many = {f"f{number}": "x" for number in range(101)}
    answer = browser.post("/trial/change", data={**many, "csrf_token": token}, headers=SAME)
    assert answer.status_code == 400


def test_the_half_minute_around_a_page_being_used_writes_once(browser, database, clock):
    """Use is noted at most once a minute: pages that ask often do not write each time."""
    started = clock.now()
    clock.forward(timedelta(seconds=59))
    browser.get("/trial/today")
    with database.look() as session:
        assert session.scalar(select(SignInSession.seen_at)) == started
    clock.forward(timedelta(seconds=1))
    browser.get("/trial/today")
    with database.look() as session:
        assert session.scalar(select(SignInSession.seen_at)) == clock.now()
