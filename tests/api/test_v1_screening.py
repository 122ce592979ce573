"""Organisations, children, campaigns, lists and questionnaires over HTTP: who reads which fields."""

from __future__ import annotations

from datetime import timedelta
from uuid import UUID

import pytest
from sqlalchemy import func, select

from instruments import catalogue
from referral.models.notice import Notice
from referral.models.task import Task
from referral.terms import TaskKind
from screening.actions import campaigns
from screening.core.audit import AuditEvent, AuditRow
from screening.models.campaign import Campaign, CampaignStatus
from screening.models.consent import Consent
from screening.models.organisation import DistrictSetting
from tests.api.etags import if_match
from tests.api.test_v1_care import TALK, WORDS
from tests.factories import answers, spread


@pytest.fixture
def call(client, as_):
    def call(method, path, who="counsellor", body=None, **headers):
        path, headers = f"/api/v1{path}", as_(who) | headers
        seen = if_match(client, method, path, headers)
        return client.request(method, path, json=body, headers=seen | headers)

    return call


def the(database, model, *where):
    with database.look() as session:
        found = session.scalars(select(model).where(*where)).one()
        session.expunge(found)
        return found


def count(database, model, *where):
    with database.look() as session:
        return session.scalar(select(func.count()).select_from(model).where(*where))


# --- organisations and the district ------------------------------------------------------------------------


def test_everybody_sees_their_own_places_and_what_is_below(call, world):
    assert [each["name"] for each in call("GET", "/organisations").json()] == ["白石县第一中学"]
    county = {each["kind"] for each in call("GET", "/organisations", "edu_officer").json()}
    assert county == {"county", "school", "facility"}
    assert len(call("GET", "/organisations", "sysadmin").json()) == len(world.places)


def test_a_base_rate_is_proposed_by_one_and_signed_by_another(call, database):
    """Decision 19."""
    assert call("GET", "/district").json()["base_rate"] == pytest.approx(0.1, abs=0.05)
    proposal = {"base_rate": 0.12, "release": "on_confirmation"}
    shown = call("PUT", "/district", "edu_officer", proposal).json()
    assert (shown["proposed"]["base_rate"], shown["in_force"]) == (0.12, None)
    version = {"version": shown["proposed"]["version"]}
    assert call("POST", "/district/approval", "edu_officer", version).status_code == 409
    assert call("POST", "/district/approval", "second_officer", {"version": 9}).status_code == 409
    signed = call("POST", "/district/approval", "second_officer", version).json()
    assert (signed["base_rate"], signed["release"], signed["proposed"]) == (0.12, "on_confirmation", None)
    assert call("GET", "/district", "counsellor").json()["base_rate"] == 0.12
    assert count(database, DistrictSetting) == 1


@pytest.mark.parametrize("rate", [0.02, 0.26, -1, "0.1", None])
def test_a_base_rate_outside_its_limits_is_refused(call, rate):
    answer = call("PUT", "/district", "edu_officer", {"base_rate": rate, "release": "stepwise"})
    assert answer.status_code == 422


def test_a_base_rate_is_not_changed_during_a_campaign(call, world):
    world.make_campaign()
    answer = call("PUT", "/district", "edu_officer", {"base_rate": 0.12, "release": "stepwise"})
    assert answer.status_code == 409


def test_a_preview_outside_the_limits_is_refused_in_words(call, world):
    """No level can be computed there; found by sending strange requests."""
    world.submit(world.make_child(world.make_campaign()), "phq9", spread("phq9", 12))
    for rate in (0.0, 0.26, 1.0):
        answer = call("POST", "/district/preview", "edu_officer", {"base_rate": rate})
        assert answer.status_code == 422, rate


def test_the_preview_counts_children_and_hides_small_numbers(call, world):
    campaign = world.make_campaign("phq9", "gad7")
    for _ in range(2):
        world.submit(world.make_child(campaign), "phq9", spread("phq9", 8))
    few = call("POST", "/district/preview", "edu_officer", {"base_rate": 0.25}).json()
    assert few["children"] == few["changed"] == {"count": None, "fewer_than": 10}
    for _ in range(10):
        world.submit(world.make_child(campaign), "phq9", spread("phq9", 8))
    many = call("POST", "/district/preview", "edu_officer", {"base_rate": 0.25}).json()
    assert many["children"] == many["changed"] == {"count": 12, "fewer_than": None}
    same = call("GET", "/district").json()["base_rate"]
    still = call("POST", "/district/preview", "edu_officer", {"base_rate": same}).json()
    assert still["changed"] == {"count": 0, "fewer_than": None}


def test_a_district_is_set_by_its_own_officers(call):
    proposal = {"base_rate": 0.12, "release": "stepwise"}
    assert call("PUT", "/district", "counsellor", proposal).status_code == 403
    assert call("PUT", "/district", "county_centre", proposal).status_code == 403


def test_the_district_of_a_place_out_of_sight_is_not_found(call, world):
    path = f"/district?organisation_id={world.places['other_school']}"
    assert call("GET", path).status_code == 404


# --- children ----------------------------------------------------------------------------------------------

FORBIDDEN = {
    "entry_clerk": {
        "birth_date",
        "guardian",
        "consents",
        "facts",
        "phone",
        "results",
        "level",
        "harm_answer",
    },
    "school_lead": {"id_number", "results", "level", "scores", "harm_answer"},
    "counsellor": {"id_number", "results", "level", "harm_answer"},
}


@pytest.mark.parametrize("who", FORBIDDEN)
def test_fields_of_a_child_follow_the_role(call, world, who):
    pupil = world.make_child()
    body = call("GET", f"/children/{pupil.id}", who).json()
    assert (body["name"], body["student_no"], body["screening_consent"]) == (
        pupil.name,
        pupil.student_no,
        True,
    )
    assert not FORBIDDEN[who] & body.keys()
    assert ("guardian" in body) is (who != "entry_clerk")


def test_reading_a_file_is_in_the_trail(call, world, database):
    pupil = world.make_child()
    call("GET", f"/children/{pupil.id}")
    row = the(database, AuditRow, AuditRow.event == AuditEvent.CHILD_READ)
    assert (row.account_id, row.child_id) == (world.people["counsellor"], pupil.id)


def test_a_search_finds_whole_numbers_and_names_of_ones_own_school(call, world):
    here, there = world.make_child(name="欧阳一"), world.make_child(school="other_school", name="欧阳一")
    found = call("POST", "/children/search", body={"name": "欧阳一"}).json()
    assert [child["id"] for child in found] == [str(here.id)]
    assert call("POST", "/children/search", body={"student_no": there.student_no}).json() == []
    assert call("POST", "/children/search", body={"name": "欧阳"}).json() == []
    assert call("POST", "/children/search", body={}).status_code == 422


def test_children_come_in_pages(call, world):
    for _ in range(3):
        world.make_child()
    first = call("GET", "/children?limit=2").json()
    rest = call("GET", f"/children?limit=2&after={first['next']}").json()
    assert (len(first["items"]), len(rest["items"]), rest["next"]) == (2, 1, None)
    assert call("GET", "/children?limit=1000").status_code == 422


def test_results_are_for_whoever_reads_scores(call, world, database):
    pupil = world.make_child(world.make_campaign())
    world.submit(pupil, "phq9", answers("phq9", i9=1))
    [result] = call("GET", f"/children/{pupil.id}/results").json()
    assert (result["level"], result["grade"], result["asked_about_safety"]) == ("elevated", "C", True)
    for who in ("school_lead", "entry_clerk", "class_teacher", "clinician"):
        assert call("GET", f"/children/{pupil.id}/results", who).status_code == 403
    assert call("GET", f"/children/{pupil.id}/results", "other_counsellor").status_code == 404
    assert count(database, AuditRow, AuditRow.event == AuditEvent.RESULT_READ) == 1


def test_an_answer_to_a_consent_is_added_and_the_last_one_holds(call, world, database):
    pupil = world.make_child()
    said = {
        "purpose": "screening",
        "status": "withdrawn",
        "text_version": "2026-autumn",
        "channel": "spoken",
        "given_on": "2026-10-14",
        "given_by": "家长甲",
        "relation": "母亲",
    }
    assert call("POST", f"/children/{pupil.id}/consents", body=said).status_code == 201
    assert call("GET", f"/children/{pupil.id}").json()["screening_consent"] is False
    assert count(database, Consent) == 2
    for odd in (
        {"status": "expired"},
        {"given_on": "2026-10-15"},
        {"purpose": "everything"},
        {"expires_on": "2030-01-01"},
    ):
        assert call("POST", f"/children/{pupil.id}/consents", body=said | odd).status_code == 422
    assert call("POST", f"/children/{pupil.id}/consents", "other_counsellor", said).status_code == 404
    assert call("POST", f"/children/{pupil.id}/consents", "entry_clerk", said).status_code == 403


def test_a_circumstance_is_dated_and_has_its_source(call, world):
    pupil = world.make_child()
    fact = {"fact": "both_parents_away", "source": "班主任家访", "since_on": "2026-02-01"}
    assert call("POST", f"/children/{pupil.id}/facts", body=fact).status_code == 201
    [known] = call("GET", f"/children/{pupil.id}").json()["facts"]
    assert (known["fact"], known["since_on"]) == ("both_parents_away", "2026-02-01")
    assert call("POST", f"/children/{pupil.id}/facts", body=fact | {"fact": "poor"}).status_code == 422
    assert call("POST", f"/children/{pupil.id}/facts", "other_counsellor", fact).status_code == 404
    assert call("POST", f"/children/{pupil.id}/facts", "school_lead", fact).status_code == 403


@pytest.mark.parametrize("who", ["other_counsellor", "other_clerk", "county_centre"])
def test_a_child_of_another_school_is_not_found(call, world, who):
    assert call("GET", f"/children/{world.make_child().id}", who).status_code == 404
    assert call("GET", "/children", who).json()["items"] == []


# --- campaigns ---------------------------------------------------------------------------------------------


def planned(world, **change):
    return {
        "organisation_id": str(world.places["school"]),
        "title": "2026 秋季筛查",
        "instruments": ["phq_a", "gad7"],
        "consent_version": "2026-autumn",
        "opens_on": "2026-10-20",
        "closes_on": "2026-10-30",
    } | change


def test_a_campaign_is_planned_announced_by_the_lead_and_opened(call, world):
    made = call("POST", "/campaigns", body=planned(world))
    assert made.status_code == 201, made.text
    steps = f"/campaigns/{made.json()['id']}/steps"
    assert call("POST", steps, body={"to": "announced"}).status_code == 403
    assert call("POST", steps, "school_lead", {"to": "announced"}).json()["status"] == "announced"
    assert call("POST", steps, "school_lead", {"to": "open"}).status_code == 403
    assert call("POST", steps, body={"to": "open"}).json()["status"] == "open"
    assert call("POST", steps, body={"to": "draft"}).status_code == 409


@pytest.mark.parametrize(
    ("change", "status"),
    [
        ({"instruments": ["phq99"]}, 422),
        ({"instruments": []}, 422),
        ({"closes_on": "2026-10-01"}, 422),
        ({"title": ""}, 422),
        ({"base_rate": 0.2}, 422),
        ({"grades": []}, 422),
        ({"grades": [0]}, 422),
        ({"informants": {"phq_a": "teacher"}}, 422),
        ({"owner_id": "00000000-0000-4000-8000-000000000001"}, 422),
    ],
)
def test_a_campaign_that_makes_no_sense_is_refused(call, world, database, change, status):
    assert call("POST", "/campaigns", body=planned(world, **change)).status_code == status
    assert count(database, Campaign) == 0


def test_grades_and_the_leads_signature_over_json(call, world):
    plan = planned(world, instruments=["gad7", "psc17"], grades=[8, 7], informants={"psc17": "parent"})
    made = call("POST", "/campaigns", body=plan).json()
    assert (made["grades"], made["informants"], made["without_safety_at"]) == (
        [7, 8],
        {"psc17": "parent"},
        None,
    )
    path = f"/campaigns/{made['id']}"
    refused = call("POST", f"{path}/steps", "school_lead", {"to": "announced"})
    assert refused.status_code == 409
    assert call("POST", f"{path}/without-safety", body={"reason": "x"}).status_code == 403
    signed = call("POST", f"{path}/without-safety", "school_lead", {"reason": "asked face to face"})
    assert signed.json()["without_safety_at"]
    assert call("POST", f"{path}/steps", "school_lead", {"to": "announced"}).json()["status"] == "announced"


def test_a_campaign_for_another_school_is_not_found(call, world):
    other = planned(world, organisation_id=str(world.places["other_school"]))
    assert call("POST", "/campaigns", body=other).status_code == 404


def test_the_same_plan_twice_is_one_campaign(call, world, database):
    key = {"Idempotency-Key": "plan-0001"}
    first = call("POST", "/campaigns", body=planned(world), **key)
    assert call("POST", "/campaigns", body=planned(world), **key).json() == first.json()
    assert count(database, Campaign) == 1
    assert call("POST", "/campaigns", body=planned(world, title="另一次"), **key).status_code == 422


def test_another_schools_campaign_is_not_found(call, world):
    campaign = world.make_campaign()
    for path in ("", "/roster", "/progress"):
        assert call("GET", f"/campaigns/{campaign}{path}", "other_counsellor").status_code == 404
    assert call("GET", "/campaigns", "other_counsellor").json() == []
    assert len(call("GET", "/campaigns", "entry_clerk").json()) == 1


def test_the_roll_shows_which_sheets_are_there_and_nothing_of_them(call, world):
    campaign = world.make_campaign()
    done, open_ = world.make_child(campaign), world.make_child(campaign)
    world.submit(done, "phq9", answers("phq9", i9=3))
    items = call("GET", f"/campaigns/{campaign}/roster", "entry_clerk").json()["items"]
    assert {item["child"]["id"]: item["sheets"] for item in items} == {
        str(done.id): ["phq9"],
        str(open_.id): [],
    }
    assert all(item.keys() == {"id", "child", "sheets"} for item in items)


def test_progress_counts_who_is_where(call, world):
    campaign = world.make_campaign("phq9", "gad7")
    scored, unscored = world.make_child(campaign), world.make_child(campaign)
    world.make_child(campaign)
    world.make_child(campaign, consent=False)
    world.submit(scored, "phq9")
    world.submit(scored, "gad7")
    world.submit(unscored, "phq9", {"1": 0})
    assert call("GET", f"/campaigns/{campaign}/progress", "entry_clerk").json() == {
        "on_roll": 4,
        "with_sheet": 2,
        "sheets": {"phq9": 2, "gad7": 1},
        "not_scored": 1,
        "without_consent": 1,
        "absent": 1,
    }


# --- lists, notices, questionnaires ------------------------------------------------------------------------


def test_a_line_is_decided_by_its_owner_with_a_reason(call, world, database):
    campaign = world.make_campaign()
    world.submit(world.make_child(campaign), "phq9", {"1": 0})
    line = next(each for each in call("GET", "/tasks").json() if each["kind"] == "retest")
    assert line["late"] is False
    path, decision = f"/tasks/{line['id']}/done", {"decision": "ill_today", "reason": "已请病假,下周补测"}
    assert call("POST", path, "other_counsellor", decision).status_code == 404
    assert call("POST", path, body={"decision": "ill_today"}).status_code == 422
    assert call("POST", path, body=decision).status_code == 204
    assert call("POST", path, body=decision).status_code == 409
    assert the(database, Task, Task.kind == TaskKind.RETEST).decision == "ill_today"


def test_a_line_that_ends_by_its_event_is_not_ticked_off(call, world):
    world.submit(world.make_child(world.make_campaign()), "phq9", answers("phq9", i9=3))
    line = next(each for each in call("GET", "/tasks").json() if each["kind"] == "same_day_talk")
    answer = call("POST", f"/tasks/{line['id']}/done", body={"decision": "done", "reason": "谈过了"})
    assert answer.status_code == 409


def test_a_backup_sees_a_line_when_its_owner_is_late(call, world):
    world.submit(world.make_child(world.make_campaign()), "phq9", answers("phq9", i9=3))
    assert "same_day_talk" not in {each["kind"] for each in call("GET", "/tasks", "school_lead").json()}
    world.clock.forward(timedelta(hours=9))
    assert "same_day_talk" in {each["kind"] for each in call("GET", "/tasks", "school_lead").json()}


def test_what_others_owe_is_shown_with_its_child(call, world, database):
    pupil = world.make_child(world.make_campaign(), share=True)
    world.submit(pupil, "phq9", spread("phq9", 21))
    case_id = the(database, Task, Task.kind == TaskKind.SECOND_ASSESSMENT).case_id
    call("POST", f"/cases/{case_id}/assessments", body=TALK | {"words": WORDS, "send": True})
    [line] = call("GET", "/tasks/waiting").json()
    assert (line["kind"], line["child_name"]) == ("referral_answer", pupil.name)
    assert count(database, AuditRow, AuditRow.event == AuditEvent.TASK_LIST) == 1


def test_a_notice_is_pressed_by_whom_it_is_for(call, world, database):
    world.submit(world.make_child(world.make_campaign()), "asq", answers("asq", i1=1, i5=1))
    notices = call("GET", "/notices").json()
    assert notices[0]["urgent"] is True
    path = f"/notices/{notices[0]['id']}/seen"
    assert call("POST", path, "other_counsellor").status_code == 404
    assert call("POST", path).status_code == 204
    assert the(database, Notice, Notice.id == UUID(notices[0]["id"])).seen_at
    assert not set(notices[0]) & {"child_id", "child_name", "level"}


def test_questionnaires_are_shown_by_our_labels_with_their_options(call):
    shown = {each["code"]: each for each in call("GET", "/instruments", "entry_clerk").json()}
    assert set(shown) == {instrument.code for instrument in catalogue()}
    phq9 = shown["phq9"]
    assert (phq9["items"][8]["key"], phq9["screens_at"]["value"], phq9["asks_about_safety"]) == (
        "9",
        10,
        True,
    )
    assert [option["value"] for option in phq9["items"][8]["options"]] == [0, 1, 2, 3]


def test_strangers_get_no_further_than_the_door(client, world):
    campaign, pupil = world.make_campaign(), world.make_child()
    for path in (
        f"campaigns/{campaign}",
        f"children/{pupil.id}",
        "tasks",
        "notices",
        "instruments",
        "district",
    ):
        assert client.get(f"/api/v1/{path}").status_code == 401


def test_a_campaign_that_somebody_else_has_moved_on_is_412(call, world, database, monkeypatch):
    """Two presses at once: the slower one reads that things have changed and saves nothing."""
    campaign = world.make_campaign(status=CampaignStatus.ANNOUNCED)
    move = campaigns.move

    def slow(session, **given):
        session.connection().exec_driver_sql("UPDATE campaign SET version = version + 1")
        move(session, **given)

    monkeypatch.setattr(campaigns, "move", slow)
    answer = call("POST", f"/campaigns/{campaign}/steps", body={"to": "open"})
    assert (answer.status_code, answer.json()["code"]) == (412, "changed-since")
    assert the(database, Campaign).status is CampaignStatus.ANNOUNCED
