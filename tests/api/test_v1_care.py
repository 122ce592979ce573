"""Cases over HTTP: raised, assessed, planned, followed up; a crisis taken and stood down."""

from __future__ import annotations

from datetime import date, timedelta

import pytest
from sqlalchemy import func, select

from referral.actions import cases as case_actions
from referral.actions import escalations
from referral.models.case import Assessment, Case
from referral.models.crisis import CrisisEpisode
from referral.models.referral import Referral
from referral.models.task import Task
from referral.terms import Custody, Origin, ReferralStatus, TaskKind
from screening.access import Part
from screening.actions import accounts
from screening.core.actor import Actor, Role
from screening.core.audit import AuditEvent, AuditRow
from screening.models.account import Account
from screening.models.organisation import Organisation
from tests.api.etags import if_match
from tests.factories import answers, spread

TALK = {
    "held_at": "2026-10-14T01:30:00Z",
    "channel": "in_person",
    "tier": "focus",
    "reason": "近一月情绪低落,睡眠差,愿意谈",
    "concern": 2,
    "harm_answer": "none",
    "areas": ["mood", "sleep"],
    "record": {"ratings": {"mood": 3, "sleep": 2}, "child_wish": "想有人听"},
}
WORDS = {
    "observed": "近一月常独处,上课走神,入睡困难",
    "done_so_far": "面谈一次,已联系家长",
    "question": "请评估",
    "help_wanted": ["assessment"],
    "safety": {"signs": ["none_found"], "asked_at": "2026-10-14T01:30:00Z"},
    "sign": True,
}


@pytest.fixture
def pupil(world):
    return world.make_child(world.make_campaign(), share=True)


@pytest.fixture
def case_id(world, pupil, database):
    """A case opened by a high sheet, with its drafts."""
    world.submit(pupil, "phq9", spread("phq9", 21))
    return the(database, Case).id


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


# --- the list and the file ---------------------------------------------------------------------------------


def test_the_counsellors_list_and_file(call, case_id, pupil, database):
    [line] = call("GET", "/cases").json()["items"]
    assert (line["id"], line["child_name"], line["level"], line["owner_name"]) == (
        str(case_id),
        pupil.name,
        "high",
        "林知远",
    )
    file = call("GET", f"/cases/{case_id}").json()
    assert file["plans"][0]["status"] == "drafted"
    assert file["plans"][0]["assumed_tier"] == "focus"
    assert file["plans"][0]["actions"][0]["name"]
    assert file["referrals"][0]["status"] == "draft"
    assert {task["kind"] for task in file["tasks"]} >= {"second_assessment", "referral_send"}
    assert count(database, AuditRow, AuditRow.event == AuditEvent.CASE_READ) == 1


def test_the_lead_sees_the_plan_and_no_score_nor_what_was_said(call, case_id):
    """AZ3: scores and session notes are not the lead's; tier, areas and measures are."""
    call("POST", f"/cases/{case_id}/assessments", body=TALK)
    file = call("GET", f"/cases/{case_id}", "school_lead").json()
    assert file["case"]["tier"] == "focus"
    assert file["case"]["level"] is None
    assert file["assessments"][0]["record"] is None
    assert file["plans"][0]["areas"]
    assert all(plan["assumed_tier"] is None for plan in file["plans"])
    assert all(action["because"] == [] for plan in file["plans"] for action in plan["actions"])
    assert call("GET", f"/cases/{case_id}").json()["assessments"][0]["record"]["child_wish"] == "想有人听"


def test_pages_of_cases_follow_each_other(world, call):
    campaign = world.make_campaign()
    for _ in range(3):
        world.submit(world.make_child(campaign), "phq9", spread("phq9", 21))
    first = call("GET", "/cases?limit=2").json()
    second = call("GET", f"/cases?limit=2&after={first['next']}").json()
    assert len({case["id"] for case in first["items"] + second["items"]}) == 3
    assert second["next"] is None


def test_a_protected_case_does_not_show_itself(world, call, case_id, database):
    """Decision 42: neither in the school's list nor by a line on the school's own case."""
    with database.begin() as session:
        case = session.get_one(Case, case_id)
        hidden = Case(
            case_no="HIDDEN01",
            child_id=case.child_id,
            custody=Custody.PROTECTED,
            organisation_id=case.organisation_id,
            origin=Origin.HOTLINE,
            status=case.status,
            owner_id=world.people["county_centre"],
            opened_at=world.clock.now(),
        )
        session.add(hidden)
        case_actions.require_talk(
            session,
            actor=Actor.system(),
            case=hidden,
            kind=TaskKind.COUNTY_ASSESSMENT,
            case_word="high",
            now=world.clock.now(),
        )
    assert len(call("GET", "/cases").json()["items"]) == 1
    assert call("GET", f"/cases/{hidden.id}").status_code == 404
    kinds = {task["kind"] for task in call("GET", f"/cases/{case_id}").json()["tasks"]}
    assert "county_assessment" not in kinds


# --- a worry without a sheet -------------------------------------------------------------------------------


def test_a_worry_opens_the_same_case_on_the_same_clock(world, call, database):
    pupil = world.make_child()
    answer = call("POST", "/cases", body={"child_id": str(pupil.id), "origin": "teacher"})
    assert answer.status_code == 201
    assert answer.json()["case_id"] == str(the(database, Case).id)
    again = call("POST", "/cases", body={"child_id": str(pupil.id), "origin": "peer"})
    assert again.json() == answer.json()
    assert count(database, Task, Task.kind == TaskKind.SECOND_ASSESSMENT) == 1


def test_a_worry_about_a_child_of_another_school_is_not_found(world, call, database):
    pupil = world.make_child(school="other_school")
    for who in ("counsellor", "class_teacher", "hotline_operator"):
        answer = call("POST", "/cases", who, {"child_id": str(pupil.id), "origin": "teacher"})
        assert answer.status_code == 404
    assert count(database, Case) == 0


def test_screening_is_no_worry_of_a_person(world, call):
    pupil = world.make_child()
    answer = call("POST", "/cases", body={"child_id": str(pupil.id), "origin": "screening"})
    assert answer.status_code == 422


# --- the second assessment ---------------------------------------------------------------------------------


def test_one_press_sets_the_tier_confirms_the_plan_and_sends(world, call, case_id, database):
    answer = call("POST", f"/cases/{case_id}/assessments", body=TALK | {"words": WORDS, "send": True})
    assert answer.status_code == 201, answer.text
    assert answer.json() | {"assessment_id": ""} == {
        "assessment_id": "",
        "plan_confirmed": True,
        "sent": True,
        "waits_for": None,
    }
    referral = the(database, Referral)
    assert (referral.status, referral.legal_basis) == (ReferralStatus.SENT, "consent")
    file = call("GET", f"/cases/{case_id}").json()
    assert (file["case"]["status"], file["case"]["tier"], file["tier_signed"]) == ("active", "focus", False)
    assert file["plans"][0]["status"] == "confirmed"
    assert file["follow_ups"]


def test_without_consent_the_press_asks_the_guardian(world, call, database):
    pupil = world.make_child(world.make_campaign(), share=False)
    world.submit(pupil, "phq9", spread("phq9", 21))
    case = the(database, Case)
    answer = call("POST", f"/cases/{case.id}/assessments", body=TALK | {"words": WORDS, "send": True})
    assert (answer.json()["sent"], answer.json()["waits_for"]) == (False, "guardian")
    assert the(database, Referral).status is ReferralStatus.AWAITING_GUARDIAN


def test_the_same_press_twice_is_one_talk(call, case_id, database):
    key = {"Idempotency-Key": "talk-0001"}
    first = call("POST", f"/cases/{case_id}/assessments", body=TALK, **key)
    again = call("POST", f"/cases/{case_id}/assessments", body=TALK, **key)
    assert first.json() == again.json()
    assert count(database, Assessment) == 1


def test_screening_out_closes_the_case(call, case_id, database):
    body = {**TALK, "tier": None, "screened_out": True}
    assert call("POST", f"/cases/{case_id}/assessments", body=body).status_code == 201
    assert the(database, Case).closed_at is not None
    assert the(database, Referral).status is ReferralStatus.WITHDRAWN


@pytest.mark.parametrize(
    "change",
    [
        {"screened_out": True},
        {"tier": None},
        {"tier": "severe"},
        {"held_at": "2026-10-15T01:30:00Z"},
        {"held_at": "2026-10-14T09:30:00"},
        {"concern": 4},
        {"reason": "  "},
        {"areas": ["magic"]},
        {"status": "closed"},
        {"record": {"ratings": {"mood": 4}}},
    ],
)
def test_a_talk_that_makes_no_sense_is_refused(call, case_id, database, change):
    assert call("POST", f"/cases/{case_id}/assessments", body=TALK | change).status_code == 422
    assert count(database, Assessment) == 0


def test_what_must_not_stand_on_the_note_stops_the_press(call, case_id, database):
    body = TALK | {"words": WORDS | {"observed": "留守儿童,模型概率 35%"}, "send": True}
    answer = call("POST", f"/cases/{case_id}/assessments", body=body)
    assert answer.status_code == 422
    assert "35" not in answer.json()["detail"]
    assert (count(database, Assessment), the(database, Referral).status) == (0, ReferralStatus.DRAFT)


def test_the_lead_signs_and_nobody_signs_their_own(call, case_id):
    call("POST", f"/cases/{case_id}/assessments", body=TALK)
    assert call("POST", f"/cases/{case_id}/tier/signature").status_code == 403
    assert call("POST", f"/cases/{case_id}/tier/signature", "school_lead").status_code == 204
    assert call("POST", f"/cases/{case_id}/tier/signature", "school_lead").status_code == 409
    assert call("GET", f"/cases/{case_id}").json()["tier_signed"] is True


# --- plan and follow-ups -----------------------------------------------------------------------------------


def test_a_plan_is_confirmed_only_for_a_child_somebody_has_seen(call, case_id):
    plan = call("GET", f"/cases/{case_id}").json()["plans"][0]
    assert call("POST", f"/cases/{case_id}/plans/{plan['id']}/confirm").status_code == 409


def test_a_revision_keeps_what_is_ticked_and_drops_the_rest(call, case_id):
    call("POST", f"/cases/{case_id}/assessments", body=TALK)
    former = call("GET", f"/cases/{case_id}").json()["plans"][0]
    kept = former["actions"][0]["component"]
    answer = call("POST", f"/cases/{case_id}/plans", body={"keep": [kept], "reason": "先做这一项"})
    assert answer.status_code == 201, answer.text
    plan = answer.json()
    assert (plan["number"], plan["status"]) == (former["number"] + 1, "confirmed")
    statuses = {action["component"]: action["status"] for action in plan["actions"]}
    assert statuses[kept] != "dropped"
    assert {status for code, status in statuses.items() if code != kept} <= {"dropped", "parked"}


def test_follow_ups_are_done_or_missed_once(call, case_id):
    call("POST", f"/cases/{case_id}/assessments", body=TALK)
    first, second, *_ = call("GET", f"/cases/{case_id}").json()["follow_ups"]
    done = {"channel": "in_person", "safety_asked": True, "mood": 6, "words": "有好转"}
    path = f"/cases/{case_id}/follow-ups"
    assert call("POST", f"{path}/{first['id']}/done", body=done).json()["status"] == "done"
    assert call("POST", f"{path}/{first['id']}/done", body=done).status_code == 409
    assert call("POST", f"{path}/{second['id']}/missed", body={"reason": "请假"}).json()["status"] == "missed"
    unsaid = {"channel": "phone", "safety_asked": False}
    assert call("POST", f"{path}/{second['id']}/done", body=unsaid).status_code == 422


def test_a_part_of_another_case_is_not_found(world, call, case_id, database):
    other = world.make_child(world.make_campaign("gad7", "asq", title="又一次"))
    world.submit(other, "gad7", spread("gad7", 21))
    theirs = the(database, Case, Case.child_id == other.id)
    plan = call("GET", f"/cases/{theirs.id}").json()["plans"][0]
    assert call("POST", f"/cases/{case_id}/plans/{plan['id']}/confirm").status_code == 404


# --- a crisis ----------------------------------------------------------------------------------------------


@pytest.fixture
def episode(world, pupil, database):
    world.submit(pupil, "asq", answers("asq", i1=1, i5=1))
    return the(database, CrisisEpisode)


def test_the_first_who_takes_it_has_it(call, episode, pupil):
    card = call("POST", f"/crises/{episode.id}/take", "school_lead").json()
    assert (card["taken_by"], card["child_name"], card["guardian_phone"]) == (
        "周以宁",
        pupil.name,
        "13900000001",
    )
    assert call("POST", f"/crises/{episode.id}/take").json()["taken_by"] == "周以宁"


def test_the_principal_opens_the_crisis_and_no_case(call, episode):
    assert call("GET", "/cases", "principal").status_code == 403
    assert [each["id"] for each in call("GET", "/crises", "principal").json()] == [str(episode.id)]
    assert call("POST", f"/crises/{episode.id}/take", "principal").status_code == 200


def test_county_duty_opens_it_when_it_has_rung_there(world, call, episode, database):
    assert call("GET", f"/crises/{episode.id}", "county_centre").status_code == 404
    for minutes in (5, 10, 20, 30):
        world.clock.set(episode.opened_at + timedelta(minutes=minutes, seconds=1))
        with database.begin() as session:
            escalations.tick(session, now=world.clock.now())
    assert call("GET", f"/crises/{episode.id}", "county_centre").status_code == 200
    assert call("GET", f"/crises/{episode.id}", "other_counsellor").status_code == 404


def test_it_is_stood_down_when_every_guard_holds(call, episode, database):
    call("POST", f"/crises/{episode.id}/take")
    missing = call("POST", f"/crises/{episode.id}/stand-down", "school_lead", {"safety_plan_done": False})
    assert missing.status_code == 409
    for step in ("child_safe", "guardian_reached", "professional_reached", "handed_over"):
        answer = call(
            "POST",
            f"/crises/{episode.id}/steps",
            body={"step": step, "happened_at": "2026-10-14T02:00:00Z", "remark": "已完成"},
        )
        assert answer.status_code == 201, answer.text
    down = {"safety_plan_done": True, "review_meeting_on": "2026-10-19"}
    assert call("POST", f"/crises/{episode.id}/stand-down", body=down).status_code == 403
    answer = call("POST", f"/crises/{episode.id}/stand-down", "school_lead", down)
    assert answer.status_code == 200, answer.text
    assert [step["step"] for step in answer.json()["steps"]][-1] == "stood_down"
    assert the(database, CrisisEpisode).stood_down_at is not None


def test_a_step_not_done_says_why(call, episode):
    body = {"step": "guardian_reached", "result": "blocked", "happened_at": "2026-10-14T01:59:00Z"}
    assert call("POST", f"/crises/{episode.id}/steps", body=body).status_code == 422


# --- outside -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("who", ["other_counsellor", "other_lead", "county_centre"])
def test_who_has_no_share_in_the_child_finds_nothing(call, case_id, who):
    assert call("GET", f"/cases/{case_id}", who).status_code == 404
    assert call("GET", "/cases", who).json()["items"] == []


@pytest.mark.parametrize("who", ["entry_clerk", "class_teacher", "principal", "clinician", "edu_officer"])
def test_other_roles_read_no_case(call, case_id, who):
    assert call("GET", f"/cases/{case_id}", who).status_code == 403


def test_the_county_centre_works_on_a_case_it_was_given(world, call, case_id, pupil, database):
    with database.begin() as session:
        case_actions.grant(
            session,
            actor=Actor.system(),
            child_id=pupil.id,
            organisation_id=world.places["county"],
            part=Part.FILE,
            reason="county_assessment",
            reason_id=case_id,
            now=world.clock.now(),
        )
    answer = call("POST", f"/cases/{case_id}/assessments", "county_centre", TALK)
    assert answer.status_code == 201
    assert call("GET", f"/cases/{case_id}", "county_centre").json()["case"]["level"] == "high"


def test_a_counsellor_elsewhere_is_not_one_here(world, call, case_id, database):
    """A lead of this school who is counsellor at another one: the other post says nothing here."""
    with database.begin() as session:
        accounts.grant_role(
            session,
            actor=Actor.system(),
            account=session.get_one(Account, world.people["school_lead"]),
            role=Role.COUNSELLOR,
            organisation=session.get_one(Organisation, world.places["other_school"]),
            valid_from=date(2026, 9, 1),
            valid_to=None,
            approved_by=None,
            reason="test",
            now=world.clock.now(),
        )
        child_id = session.get_one(Case, case_id).child_id
    assert call("POST", f"/cases/{case_id}/assessments", "school_lead", TALK).status_code == 403
    assert call("GET", f"/children/{child_id}/results", "school_lead").status_code == 403
    assert call("GET", f"/cases/{case_id}", "school_lead").json()["case"]["level"] is None
