"""Refresh tokens are used once; a session, an account and its roles are looked up at each request (AU3, AU4)."""

from __future__ import annotations

import hashlib
import threading
from datetime import timedelta

import pytest
from sqlalchemy import select, update

from screening.actions import accounts
from screening.core.actor import Actor, Role
from screening.core.audit import AuditEvent, AuditRow
from screening.models.account import Account, RefreshToken, RoleGrant, SignInSession

ME = "/api/v1/me"


def bearing(tokens):
    return {"Authorization": f"Bearer {tokens['access_token']}"}


def trail(database, event):
    """Account and detail of each such row."""
    with database.look() as session:
        rows = select(AuditRow.account_id, AuditRow.detail).where(AuditRow.event == event)
        return session.execute(rows).all()


def refresh(client, tokens):
    return client.post("/api/v1/tokens/refresh", json={"refresh_token": tokens["refresh_token"]})


def test_signing_in_gives_a_pair_and_leaves_a_trace(client, database, make_person, sign_in):
    person = make_person("lin", Role.COUNSELLOR)
    tokens = sign_in(person)
    assert tokens["token_type"] == "Bearer"
    assert tokens["expires_in"] == 600
    (row,) = trail(database, AuditEvent.SIGN_IN)
    assert row.account_id == person.id
    assert row.detail == {"address": "testclient", "browser": False}


def test_the_user_name_is_taken_in_any_case_and_the_password_is_not(client, make_person):
    person = make_person("lin")
    for username, password, status in (
        (" LIN ", person.password, 200),
        ("lin", person.password.upper(), 401),
        ("lin", person.password + " ", 401),
    ):
        answer = client.post("/api/v1/tokens", json={"username": username, "password": password})
        assert answer.status_code == status


def test_refresh_tokens_are_stored_as_hashes_only(database, make_person, sign_in):
    tokens = sign_in(make_person())
    with database.look() as session:
        (stored,) = session.scalars(select(RefreshToken.digest)).all()
    assert stored == hashlib.sha256(tokens["refresh_token"].encode()).digest()


def test_who_am_i(client, make_person, sign_in, school):
    person = make_person("lin", Role.COUNSELLOR, Role.SCHOOL_LEAD)
    answer = client.get(ME, headers=bearing(sign_in(person)))
    assert answer.status_code == 200
    me = answer.json()
    assert (me["id"], me["name"]) == (str(person.id), "林知远")
    assert {each["role"] for each in me["roles"]} == {"counsellor", "school_lead"}
    assert {each["organisation_id"] for each in me["roles"]} == {str(school)}


def test_refreshing_goes_on_with_the_same_session(client, database, make_person, sign_in):
    first = sign_in(make_person())
    second = refresh(client, first).json()
    assert second["refresh_token"] != first["refresh_token"]
    assert client.get(ME, headers=bearing(second)).status_code == 200
    assert client.get(ME, headers=bearing(first)).status_code == 200
    with database.look() as session:
        assert len(session.scalars(select(SignInSession)).all()) == 1


def test_a_spent_refresh_token_ends_the_family(client, database, make_person, sign_in):
    first = sign_in(make_person())
    second = refresh(client, first).json()
    assert refresh(client, first).status_code == 401
    assert client.get(ME, headers=bearing(second)).status_code == 401, "access tokens end too"
    assert refresh(client, second).status_code == 401
    assert len(trail(database, AuditEvent.REFRESH_REUSED)) == 1
    with database.look() as session:
        assert session.scalars(select(SignInSession.ended_why)).all() == ["refresh_reused"]


def test_a_second_session_of_the_same_person_is_another_family(client, make_person, sign_in):
    person = make_person()
    one, other = sign_in(person), sign_in(person)
    refresh(client, one)
    refresh(client, one)
    assert client.get(ME, headers=bearing(one)).status_code == 401
    assert client.get(ME, headers=bearing(other)).status_code == 200


def test_of_parallel_refreshes_one_wins(app, make_person, sign_in):
    tokens = sign_in(make_person())
    gatekeeper, won, lost, start = app.state.gatekeeper, [], [], threading.Barrier(8)

    def use():
        start.wait()
        try:
            won.append(gatekeeper.refresh(tokens["refresh_token"]))
        except Exception as error:
            lost.append(type(error).__name__)

    threads = [threading.Thread(target=use) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert (len(won), lost) == (1, ["NotSignedIn"] * 7)


@pytest.mark.parametrize("token", ["x", "A" * 43, "ÿ" * 20])
def test_an_unknown_refresh_token_is_401(client, token):
    answer = client.post("/api/v1/tokens/refresh", json={"refresh_token": token})
    assert answer.status_code == 401
    assert answer.headers["www-authenticate"] == "Bearer"


def test_a_session_ends_after_half_an_hour_without_use(client, make_person, sign_in, clock):
    tokens = sign_in(make_person())
    clock.forward(timedelta(minutes=30, seconds=1))
    assert refresh(client, tokens).status_code == 401


def test_use_keeps_a_session_alive(client, make_person, sign_in, clock):
    tokens = sign_in(make_person())
    for _ in range(4):
        clock.forward(timedelta(minutes=9))
        assert client.get(ME, headers=bearing(tokens)).status_code == 200
        tokens = refresh(client, tokens).json()


def test_a_reading_keeps_a_session_alive_too(client, make_person, sign_in, clock):
    tokens = sign_in(make_person())
    clock.forward(timedelta(minutes=9))
    assert client.get(ME, headers=bearing(tokens)).status_code == 200
    clock.forward(timedelta(minutes=25))
    assert refresh(client, tokens).status_code == 200


def test_a_session_ends_after_half_a_day_whatever_is_done(client, make_person, sign_in, clock):
    tokens = sign_in(make_person())
    for _ in range(48):
        clock.forward(timedelta(minutes=15))
        tokens = refresh(client, tokens).json()
    clock.forward(timedelta(seconds=1))
    assert client.get(ME, headers=bearing(tokens)).status_code == 401
    assert refresh(client, tokens).status_code == 401


def test_signing_out_works_at_once(client, database, make_person, sign_in):
    tokens = sign_in(make_person())
    answer = client.delete("/api/v1/tokens", headers=bearing(tokens))
    assert answer.status_code == 204
    assert '"cookies"' in answer.headers["clear-site-data"]
    assert client.get(ME, headers=bearing(tokens)).status_code == 401
    assert refresh(client, tokens).status_code == 401
    assert len(trail(database, AuditEvent.SIGN_OUT)) == 1


def test_disabling_works_on_the_next_request(client, database, make_person, sign_in, clock):
    person = make_person()
    tokens = sign_in(person)
    with database.begin() as session:
        account = session.get_one(Account, person.id)
        accounts.disable(session, actor=Actor.system(), account=account, now=clock.now())
    assert client.get(ME, headers=bearing(tokens)).status_code == 401
    assert refresh(client, tokens).status_code == 401
    answer = client.post("/api/v1/tokens", json={"username": "lin", "password": person.password})
    assert (answer.status_code, answer.json()["code"]) == (401, "sign-in-refused")


def test_an_account_closed_behind_our_back_is_closed(client, database, make_person, sign_in, clock):
    """The state of the account is read too, not only the session that should have been ended with it."""
    person = make_person()
    tokens = sign_in(person)
    with database.begin() as session:
        session.execute(update(Account).values(disabled_at=clock.now()))
    assert client.get(ME, headers=bearing(tokens)).status_code == 401


def test_a_role_that_ends_is_gone_on_the_next_request(client, database, make_person, sign_in, clock):
    tokens = sign_in(make_person("lin", Role.COUNSELLOR))
    assert client.get(ME, headers=bearing(tokens)).json()["roles"]
    with database.begin() as session:
        session.execute(update(RoleGrant).values(valid_to=clock.today() - timedelta(days=1)))
    assert client.get(ME, headers=bearing(tokens)).json()["roles"] == []


def test_a_role_that_begins_is_there_on_the_next_request(client, database, make_person, sign_in, clock):
    tokens = sign_in(make_person("lin", Role.COUNSELLOR))
    with database.begin() as session:
        session.execute(update(RoleGrant).values(valid_from=clock.today() + timedelta(days=1)))
    assert client.get(ME, headers=bearing(tokens)).json()["roles"] == []
    clock.forward(timedelta(minutes=9))
    with database.begin() as session:
        session.execute(update(RoleGrant).values(valid_from=clock.today()))
    assert client.get(ME, headers=bearing(tokens)).json()["roles"]


NEW = "seven boats cross at dawn"


def change(client, tokens, current, new):
    body = {"current_password": current, "new_password": new}
    return client.put("/api/v1/password", json=body, headers=bearing(tokens))


def test_a_new_password_ends_every_session(client, make_person, sign_in):
    person = make_person()
    here, elsewhere = sign_in(person), sign_in(person)
    assert change(client, here, person.password, NEW).status_code == 204
    for tokens in (here, elsewhere):
        assert client.get(ME, headers=bearing(tokens)).status_code == 401
        assert refresh(client, tokens).status_code == 401
    old = client.post("/api/v1/tokens", json={"username": "lin", "password": person.password})
    new = client.post("/api/v1/tokens", json={"username": "lin", "password": NEW})
    assert (old.status_code, new.status_code) == (401, 200)


def test_the_current_password_is_asked_for(client, make_person, sign_in, database):
    person = make_person()
    tokens = sign_in(person)
    answer = change(client, tokens, "not the password", NEW)
    assert (answer.status_code, answer.json()["code"]) == (422, "invalid")
    assert client.get(ME, headers=bearing(tokens)).status_code == 200
    with database.look() as session:
        assert session.get_one(Account, person.id).failures == 1


@pytest.mark.parametrize(
    "new", ["short", "password1234", "白石县第一中学永远第一名啊", "linlinlin and lin 9", "x12355yz and more"]
)
def test_a_refused_password_changes_nothing(client, make_person, sign_in, new):
    person = make_person("lin", Role.COUNSELLOR)
    tokens = sign_in(person)
    assert change(client, tokens, person.password, new).status_code == 422
    assert client.get(ME, headers=bearing(tokens)).status_code == 200


def test_with_a_first_password_nothing_else_can_be_done(client, make_person, sign_in, app):
    person = make_person("lin", Role.COUNSELLOR, must_change_password=True)
    tokens = sign_in(person)
    assert client.get(ME, headers=bearing(tokens)).json()["must_change_password"] is True
    answer = client.get("/api/v1/anything-else", headers=bearing(tokens))
    assert (answer.status_code, answer.json()["code"]) == (403, "password-change-required")
    assert change(client, tokens, person.password, NEW).status_code == 204
    tokens = client.post("/api/v1/tokens", json={"username": "lin", "password": NEW}).json()
    assert client.get("/api/v1/anything-else", headers=bearing(tokens)).status_code == 404


def test_a_weaker_hash_is_made_again_at_sign_in(database, make_person, sign_in):
    from argon2 import PasswordHasher

    person = make_person()
    with database.begin() as session:
        weak = PasswordHasher(time_cost=1, memory_cost=8192, parallelism=1).hash(person.password)
        session.get_one(Account, person.id).password_hash = weak
    sign_in(person)
    with database.look() as session:
        stored = session.get_one(Account, person.id).password_hash
    assert stored.startswith("$argon2id$v=19$m=19456,t=2,p=1$")
    sign_in(person)
    with database.look() as session:
        assert session.get_one(Account, person.id).password_hash == stored
