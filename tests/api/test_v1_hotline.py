"""The 12355 line over JSON: the contract of calls, look-ups, handovers and their receiver."""

from __future__ import annotations

import pytest
from sqlalchemy import func, select

from referral.models.hotline import HotlineCall

ZERO = "00000000-0000-4000-8000-000000000001"


@pytest.fixture
def ask(client, as_):
    """``ask("POST", "/calls", who, body)``: a request below ``/api/v1/hotline``."""

    def send(method, path, who="hotline_operator", body=None, **headers):
        return client.request(method, f"/api/v1/hotline{path}", json=body, headers=as_(who) | headers)

    return send


@pytest.fixture
def call(ask):
    """The path of a call on the line."""
    answer = ask("POST", "/calls", body={})
    assert answer.status_code == 201, answer.text
    return f"/calls/{answer.json()['id']}"


def test_a_call_is_begun_once_per_key_and_read_with_its_form(ask, world, database):
    first = ask("POST", "/calls", body={}, **{"Idempotency-Key": "ring-1"}).json()
    assert ask("POST", "/calls", body={}, **{"Idempotency-Key": "ring-1"}).json()["id"] == first["id"]
    assert ask("POST", "/calls", body={"hotline_id": str(world.places["school"])}).status_code == 403
    with database.look() as session:
        assert session.scalar(select(func.count()).select_from(HotlineCall)) == 1
    assert first["missing"] == ["ended", "type", "level", "summary", "confidentiality_told"]
    assert (first["sequence"], first["phone_noted"], first["record"]) == (0, False, {})
    assert ask("GET", "/calls", "counsellor").status_code == 403
    [line] = ask("GET", "/calls", "hotline_supervisor").json()
    assert (line["id"], line["operator_name"]) == (first["id"], "安然")


def test_saves_carry_a_number_and_wrong_fields_hold_up_nothing(ask, call):
    put = {
        "sequence": 2,
        "fields": {"summary": "说话很轻", "strength": 11, "shoe_size": 40, "phone": "13900000001"},
    }
    saved = ask("PUT", f"{call}/form", body=put).json()
    assert saved["sequence"] == 2
    assert {each["field"] for each in saved["refused"]} == {"strength", "shoe_size"}
    late = ask("PUT", f"{call}/form", body={"sequence": 1, "fields": {"summary": "旧的"}}).json()
    assert (late["sequence"], late["version"]) == (2, saved["version"])
    shown = ask("GET", call).json()
    assert shown["record"] == {"summary": "说话很轻"}
    assert shown["phone_noted"]
    assert "13900000001" not in str(shown)
    for wrong in ({"sequence": 0, "fields": {}}, {"sequence": 1}, {"sequence": 1, "fields": {"summary": {}}}):
        assert ask("PUT", f"{call}/form", body=wrong).status_code == 422
    assert ask("PUT", f"{call}/level", body={"level": "E"}).status_code == 422
    assert ask("PUT", f"{call}/level", body={"level": "B"}).json()["level"] == "B"


def test_look_ups_answer_alike_and_end_at_twenty_an_hour(ask, call, world):
    pupil = world.make_child(name="安小满")
    found = ask("POST", f"{call}/look-ups", body={"name": pupil.name, "school": "第一中学"}).json()
    missed = ask("POST", f"{call}/look-ups", body={"name": "无此人", "school": "第一中学"}).json()
    assert found.keys() == missed.keys()
    assert (found["answer"], missed["answer"]) == ("one_match", "no_match")
    assert ask("POST", f"{call}/link", body={"lookup_id": missed["lookup_id"]}).status_code == 409
    assert ask("POST", f"{call}/link", body={"lookup_id": ZERO}).status_code == 404
    assert ask("POST", f"{call}/link", body={"lookup_id": found["lookup_id"]}).json()["linked"]
    assert not ask("POST", f"{call}/unlink", body={"reason": "同名"}).json()["linked"]
    same = {"name": pupil.name, "school": "第一中学"}
    for _ in range(17):
        ask("POST", f"{call}/look-ups", body=same)
    twice = [
        ask("POST", f"{call}/look-ups", body=same, **{"Idempotency-Key": "ask"}).json() for _ in range(2)
    ]
    assert twice[0] == twice[1], "the same question sent twice is one question"
    assert ask("POST", f"{call}/look-ups", body={"name": pupil.name}).status_code == 409
    [place] = ask("POST", "/places/search", body={"text": "第二中学"}).json()
    assert (place["county"], place["county_phone"]) == ("白石县", "13800000002")


def test_a_handover_goes_there_and_comes_back(ask, call, world):
    handover = {"to": "county_centre", "agreed": "yes", "what_said": "今晚需要有人见面"}
    assert ask("POST", f"{call}/handovers", body=handover).status_code == 409, "a level first"
    ask("PUT", f"{call}/level", body={"level": "B"})
    assert ask("POST", f"{call}/handovers", body=handover).status_code == 422, "to which county?"
    assert ask("POST", f"{call}/handovers", body=handover | {"place_id": ZERO}).status_code == 404
    place = {"place_id": str(world.places["county"])}
    made = ask("POST", f"{call}/handovers", body=handover | place)
    assert made.status_code == 201, made.text
    assert ask("POST", f"{call}/handovers", body=handover | place).json()["id"] == made.json()["id"]
    path = f"/handovers/{made.json()['id']}"
    assert [each["id"] for each in ask("GET", "/handovers", "county_centre").json()] == [made.json()["id"]]
    assert ask("GET", path, "counsellor").status_code == 404
    assert ask("GET", path, "county_centre").json()["what_said"] == "今晚需要有人见面"
    assert ask("POST", f"{path}/acknowledge", "county_centre").json()["received_by"] == "沈若水"
    assert ask("POST", f"{path}/result", "county_centre", {"result": "other"}).status_code == 422
    assert ask("POST", f"{path}/result", "county_centre", {"result": "reached"}).json()["result"] == "reached"
    assert ask("GET", "/handovers/own").json()[0]["result"] == "reached"
    fields = {
        "summary": "孩子不敢回家",
        "type": "crisis",
        "confidentiality_told": True,
        "strength": 5,
        "hopeless": 6,
    }
    ask("PUT", f"{call}/form", body={"sequence": 1, "fields": fields})
    told = {"received_by": "值班民警", "at": "2026-10-14T01:30:00Z"}
    police = {"to": "police_110", "agreed": "yes", "phoned_at": "2026-10-14T01:29:00Z"}
    once = {"Idempotency-Key": "rung-1"}
    rung = ask("POST", f"{call}/handovers", body=police, **once).json()
    taken = ask("POST", f"{call}/handovers/{rung['id']}/acknowledged", body=told).json()
    assert taken["received_by"] == "值班民警"
    assert ask("POST", f"{call}/handovers", body=police, **once).json()["id"] == rung["id"], "sent twice"
    assert ask("POST", f"{call}/hang-up").json()["missing"] == ["supervisor_review"]
    assert ask("POST", f"{call}/close").status_code == 409
    assert ask("POST", f"{call}/review", body={"words": "妥当"}).status_code == 403
    assert ask("POST", f"{call}/review", "hotline_supervisor", {"words": "处置妥当"}).json()["missing"] == []
    assert ask("POST", f"{call}/close").json()["status"] == "closed"
    assert ask("PUT", f"{call}/form", body={"sequence": 9, "fields": {"summary": "再写"}}).status_code == 409
