"""Accounts, rosters, oversight over JSON: the same rules, in the contract of every other route."""

from __future__ import annotations

from datetime import timedelta

import pytest

from tests.api.etags import if_match
from tests.factories import PASSWORD, answers, spread


@pytest.fixture
def call(client, as_):
    def call(method, path, who="sysadmin", body=None):
        headers = as_(who)
        seen = if_match(client, method, f"/api/v1{path}", headers)
        return client.request(method, f"/api/v1{path}", json=body, headers=headers | seen)

    return call


def test_an_account_from_opening_to_closing(call, world, client):
    opened = call("POST", "/accounts", body={"username": "xu.ning", "name": "许宁"})
    assert opened.status_code == 201
    account, start = opened.json()["id"], opened.json()["start_password"]
    assert call("POST", "/accounts", body={"username": "xu.ning", "name": "许宁"}).status_code == 409
    post = {
        "role": "counsellor",
        "organisation_id": str(world.places["school"]),
        "valid_from": world.clock.today().isoformat(),
        "approved_by": str(world.people["principal"]),
        "reason": "接任",
    }
    granted = call("POST", f"/accounts/{account}/grants", body=post)
    assert granted.status_code == 201
    assert (
        call("POST", f"/accounts/{account}/grants", body=post | {"approved_by": account}).status_code == 409
    )
    [line] = call("GET", "/accounts?search=xu.ning").json()
    assert [g["role"] for g in line["grants"]] == ["counsellor"]
    assert "start_password" not in line

    campaign = world.make_campaign()
    world.submit(world.make_child(campaign), "asq", answers("asq", i1=1, i5=1))
    for _ in range(2):
        world.submit(world.make_child(campaign), "phq9", spread("phq9", 21, i9=0))
    leaver = world.people["counsellor"]
    refused = call("POST", f"/accounts/{leaver}/disable")
    assert (refused.status_code, refused.json()["code"]) == (409, "policy")
    card = call("GET", f"/accounts/{leaver}").json()
    [work] = card["work"]
    assert (work["cases"], account in work["successors"]) == (
        2,
        True,
    )  # the one in danger is the lead's by now
    moved = call(
        "POST",
        f"/accounts/{leaver}/handover",
        body={"organisation_id": work["organisation_id"], "to": account},
    )
    assert moved.json() == {"moved": work["cases"] + work["tasks"]}
    assert call("POST", f"/accounts/{leaver}/disable").json()["left"] == 0
    told = client.post("/api/v1/tokens", json={"username": "counsellor", "password": PASSWORD})
    assert told.status_code == 401
    assert client.post("/api/v1/tokens", json={"username": "xu.ning", "password": start}).status_code == 200


def test_what_needs_a_fresh_sign_in_says_so(client, as_, world):
    """AU8: the token is good, the sign-in is too old."""
    headers = as_("sysadmin")
    world.clock.forward(timedelta(minutes=6))
    person = world.people["clinician"]
    for path in ("reset", "disable"):
        answer = client.post(f"/api/v1/accounts/{person}/{path}", headers=headers)
        assert (answer.status_code, answer.json()["code"]) == (403, "reauthenticate")
    assert client.get(f"/api/v1/accounts/{person}", headers=headers).status_code == 200


def test_a_roster_over_json(call, world):
    place, person = str(world.places["hotline"]), str(world.people["hotline_operator"])
    [cover] = [each for each in call("GET", "/duty").json() if each["organisation_id"] == place]
    assert (cover["on_duty"], len(cover["gaps"])) == ([], 1)
    turn = {
        "organisation_id": place,
        "account_id": person,
        "phone": "0571-8000009",
        "starts_at": "2026-10-14T00:00:00Z",
        "ends_at": "2026-10-18T16:00:00Z",
    }
    made = call("POST", "/duty", body=turn)
    assert made.status_code == 201
    assert call("POST", "/duty", body=turn).status_code == 409
    elsewhere = turn | {"account_id": str(world.people["counsellor"])}
    assert call("POST", "/duty", body=elsewhere).status_code == 409
    copy = {"organisation_id": place, "week": "2026-10-14"}
    assert [call("POST", "/duty/copies", body=copy).json()["added"] for _ in range(2)] == [1, 0]
    assert len(call("GET", f"/duty/{place}?week=2026-10-21").json()) == 1
    assert call("GET", f"/duty/{place}?week=2026-99-99").status_code == 422
    assert call("POST", f"/duty/{made.json()['id']}/end").status_code == 204


def test_places_agreements_and_what_is_late(call, world):
    node = {"kind": "school", "code": "third-school", "name": "白石县第三中学"}
    assert call("POST", "/organisations", body=node).status_code == 422
    below = node | {"parent_id": str(world.places["county"])}
    assert call("POST", "/organisations", body=below).status_code == 201

    wish = {"base_rate": 0.1, "release": "after_window"}
    assert call("PUT", "/district", "edu_officer", wish).status_code == 409
    agreement = {
        "facility_id": str(world.places["clinic"]),
        "release": "after_window",
        "weekly_limit": 4,
        "agreed_by": "院办",
        "valid_to": (world.clock.today() + timedelta(days=90)).isoformat(),
    }
    assert call("POST", "/district/agreements", "edu_officer", agreement).status_code == 201
    for wrong in ({"valid_to": "2020-01-01"}, {"release": "at_once", "weekly_limit": 0}):
        assert call("POST", "/district/agreements", "edu_officer", agreement | wrong).status_code == 422
    school = agreement | {"facility_id": str(world.places["school"])}
    assert call("POST", "/district/agreements", "edu_officer", school).status_code == 404
    assert call("PUT", "/district", "edu_officer", wish).status_code == 200
    known = call("GET", "/district/agreements", "edu_officer").json()
    assert [each["weekly_limit"] for each in known if each["release"] == "after_window"] == [4]

    places = {"weekly_slots": 9, "triage_per_week": 5}
    assert call("PUT", "/facility/places", "facility_lead", places).json()["triage_per_week"] == 5
    assert (
        call("PUT", "/facility/places", "facility_lead", places | {"weekly_slots": 9999}).status_code == 422
    )
    assert call("GET", "/facility", "facility_lead").json()["weekly_slots"] == 9

    pupil = world.make_child(world.make_campaign())
    world.submit(pupil, "phq9", spread("phq9", 21, i9=0))
    # A campaign is open: another base rate is not proposed now, another way of release is.
    for rate, status in ((0.2, 409), (call("GET", "/district").json()["base_rate"], 200)):
        wish = {"base_rate": rate, "release": "on_confirmation"}
        assert call("PUT", "/district", "edu_officer", wish).status_code == status, rate
    world.clock.forward(timedelta(days=9))
    late = call("GET", "/overdue", "edu_officer").json()
    assert late
    assert pupil.name not in str(late)
    assert call("POST", f"/overdue/{late[0]['task_id']}/nudge", "edu_officer").status_code == 204
    assert call("GET", "/referrals/silent", "health_officer").json() == []
