"""Keying a sheet in over HTTP: stored with its result, refused by item, and heard in either case."""

from __future__ import annotations

import pytest
from sqlalchemy import func, select

from referral.models.case import Case
from referral.models.task import Task
from referral.terms import TaskKind
from screening.models.administration import Administration
from screening.models.campaign import CampaignStatus
from screening.models.import_batch import CriticalSighting
from tests.factories import answers, spread


@pytest.fixture
def campaign(world):
    return world.make_campaign()


@pytest.fixture
def pupil(world, campaign):
    return world.make_child(campaign)


@pytest.fixture
def send(client, as_, campaign, pupil):
    """``send(answers("phq9"))``: the answer to one keyed sheet."""
    count = 0

    def send(given, who="clerk", *, code="phq9", key=None, entry=None, **more):
        nonlocal count
        count += 1
        return client.post(
            f"/api/v1/campaigns/{campaign}/roster/{entry or pupil.entry_id}/administrations",
            json={
                "instrument": code,
                "administered_on": "2026-10-14",
                "mode": "paper",
                "answers": given,
                **more,
            },
            headers=as_("entry_clerk" if who == "clerk" else who)
            | ({} if key is False else {"Idempotency-Key": key or f"sheet-{count:04d}"}),
        )

    return send


def count(database, model, *where):
    with database.look() as session:
        return session.scalar(select(func.count()).select_from(model).where(*where))


def test_a_counsellor_reads_the_result(send):
    answer = send(spread("phq9", 21), "counsellor")
    assert answer.status_code == 201
    result = answer.json()["result"]
    assert (result["level"], result["scores"]["total"]["value"]) == ("high", 21)
    assert result["probability"]["low"] < result["probability"]["high"]
    assert result["probability"]["calibrated_here"] is False
    assert result["reasons"][0]["instrument"] == "phq9"


def test_a_clerk_is_told_what_to_do_and_no_score(send):
    """A03."""
    body = send(answers("phq9", i9=3)).json()
    assert body["recorded"] is True
    assert "今天放学前" in body["instruction"]
    assert body["duty_phone"] == "13800000001"
    assert body.keys() == {"recorded", "administration_id", "instruction", "duty_phone"}


def test_the_instruction_follows_the_readers_language(client, as_, send):
    client.headers["Accept-Language"] = "en"
    assert (
        send(answers("asq", i1=1, i5=1), code="asq").json()["instruction"].startswith("Stay with the child")
    )
    assert send(answers("phq9", i9=1)).json()["instruction"].startswith("Tell the counsellor today")
    assert send(answers("gad7"), code="gad7").json()["instruction"].startswith("Recorded.")


def test_a_high_sheet_opens_its_case_in_the_same_request(send, database, pupil):
    send(spread("phq9", 21))
    assert count(database, Case, Case.child_id == pupil.id) == 1


@pytest.mark.parametrize("wrong", [4, -1, 7, "3", 3.0, True])
def test_a_refused_sheet_is_not_stored_and_its_alarm_stands(send, database, pupil, wrong):
    """Decision 18: item 9 is 3 and item 1 cannot be read."""
    answer = send(answers("phq9", i9=3) | {"1": wrong})
    assert answer.status_code == 422
    problem = answer.json()
    assert problem["errors"] == [
        {"at": ["body", "answers", "1"], "why": "out_of_range" if type(wrong) is int else "not_an_integer"}
    ]
    assert "今天放学前" in problem["instruction"]
    assert count(database, Administration) == 0
    assert count(database, CriticalSighting) == 1
    assert count(database, Task, Task.kind == TaskKind.SAME_DAY_TALK, Task.child_id == pupil.id) == 1


def test_a_critical_answer_that_cannot_be_read_asks_for_a_talk(send, database, pupil):
    answer = send(answers("phq9") | {"9": "not said"})
    assert answer.status_code == 422
    assert "下一个上学日" in answer.json()["instruction"]
    assert count(database, Task, Task.kind == TaskKind.SAFETY_TALK, Task.child_id == pupil.id) == 1


def test_the_alarm_of_a_refused_sheet_rings_once(send, database):
    for _ in range(2):
        assert send(answers("phq9", i9=3) | {"1": 4}).status_code == 422
    assert send(answers("phq9", i9=3)).status_code == 201
    assert count(database, CriticalSighting) == 1
    assert count(database, Task, Task.kind == TaskKind.SAME_DAY_TALK) == 1


def test_an_unknown_item_is_named_and_its_value_is_not_repeated(send):
    answer = send(answers("phq9") | {"77": 91827})
    assert answer.json()["errors"] == [{"at": ["body", "answers", "77"], "why": "unknown_item"}]
    assert "91827" not in answer.json()["detail"]


def test_a_sheet_without_consent_is_refused_and_heard(world, send, campaign, database):
    pupil = world.make_child(campaign, consent=False)
    answer = send(answers("phq9", i9=2), entry=pupil.entry_id)
    assert answer.status_code == 409
    assert count(database, Administration) == 0
    assert count(database, Task, Task.kind == TaskKind.SAME_DAY_TALK, Task.child_id == pupil.id) == 1


def test_a_second_sheet_of_the_day_is_refused_and_rings_only_for_what_is_new(send, database):
    assert send(answers("phq9", i9=2)).status_code == 201
    assert send(answers("phq9", i9=2)).status_code == 409
    assert count(database, CriticalSighting) == 0


def test_the_same_key_and_sheet_is_recorded_once(send, database):
    first = send(answers("phq9", i9=1), "counsellor", key="paper-0001")
    again = send(answers("phq9", i9=1), "counsellor", key="paper-0001")
    assert (first.status_code, again.status_code) == (201, 201)
    assert first.json() == again.json()
    assert count(database, Administration) == 1


def test_the_same_key_with_another_sheet_is_refused(send):
    send(answers("phq9"), key="paper-0001")
    assert send(answers("phq9", i1=1), key="paper-0001").status_code == 422


def test_a_sheet_needs_its_key(send):
    answer = send(answers("phq9"), key=False)
    assert answer.status_code == 422
    assert answer.json()["errors"][0]["at"] == ["header", "Idempotency-Key"]


@pytest.mark.parametrize(
    ("change", "status"),
    [
        ({"administered_on": "2026-10-15"}, 422),
        ({"administered_on": "14.10.2026"}, 422),
        ({"code": "phq99"}, 422),
        ({"code": "mht"}, 409),  # known, and not part of this campaign
        ({"informant": "neighbour"}, 422),
        ({"mode": "telepathy"}, 422),
        ({"owner": "me"}, 422),
        ({"given": {}}, 422),
        ({"given": {str(n): None for n in range(1, 10)}}, 422),
    ],
)
def test_what_makes_no_sense_is_refused(send, database, change, status):
    code = change.get("code", "phq9")
    given = change.get("given", answers("mht" if code == "mht" else "phq9"))
    rest = {name: value for name, value in change.items() if name not in {"code", "given"}}
    assert send(given, code=code, **rest).status_code == status
    assert count(database, Administration) == 0


def test_a_closed_campaign_takes_no_sheet(world, client, as_, database):
    campaign = world.make_campaign(status=CampaignStatus.ANNOUNCED)
    pupil = world.make_child(campaign)
    answer = client.post(
        f"/api/v1/campaigns/{campaign}/roster/{pupil.entry_id}/administrations",
        json={
            "instrument": "phq9",
            "administered_on": "2026-10-14",
            "mode": "paper",
            "answers": answers("phq9"),
        },
        headers=as_("entry_clerk") | {"Idempotency-Key": "sheet-0001"},
    )
    assert answer.status_code == 409


def test_the_order_of_the_items_goes_with_the_sheet(world, client, as_, database):
    """The same answers on the form in Chinese order are another total, and the order is stored with them."""
    campaign = world.make_campaign("rses")
    given = {str(n): 1 if n in (3, 5, 8, 9, 10) else 4 for n in range(1, 11)}

    def key_in(layout: str | None):
        pupil = world.make_child(campaign)
        body = {"instrument": "rses", "administered_on": "2026-10-14", "mode": "paper", "answers": given}
        return client.post(
            f"/api/v1/campaigns/{campaign}/roster/{pupil.entry_id}/administrations",
            json=body | ({"layout": layout} if layout else {}),
            headers=as_("counsellor") | {"Idempotency-Key": f"order-{layout}"},
        )

    found = {layout: key_in(layout) for layout in ("chinese_1993", None)}
    totals = {layout: each.json()["result"]["scores"]["total"]["value"] for layout, each in found.items()}
    assert totals == {"chinese_1993": 40, None: 28}
    assert count(database, Administration, Administration.layout == "chinese_1993") == 1
    assert key_in("russian").status_code == 422
    assert count(database, Administration) == 2


@pytest.mark.parametrize("who", ["other_counsellor", "other_clerk"])
def test_another_schools_roll_is_not_found(send, database, who):
    assert send(answers("phq9"), who).status_code == 404
    assert count(database, Administration) == 0


@pytest.mark.parametrize("who", ["school_lead", "county_centre", "clinician", "edu_officer"])
def test_other_roles_key_nothing(send, who):
    assert send(answers("phq9"), who).status_code == 403


def test_strangers_key_nothing(client, campaign, pupil):
    answer = client.post(
        f"/api/v1/campaigns/{campaign}/roster/{pupil.entry_id}/administrations", json={"answers": {}}
    )
    assert answer.status_code == 401
