"""Acceptance scenarios of the field guide §14 about danger: A01, A02, A03, A32, A41."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import select

from referral.actions.referrals import NOTE_TOPIC
from referral.models.crisis import CrisisEpisode
from referral.models.notice import Channel, Delivery, Notice
from referral.models.plan import PlanVersion
from referral.models.referral import Referral
from referral.models.task import TaskRing
from referral.terms import TaskKind
from screening.actions import organisations
from screening.core.actor import Actor
from screening.core.outbox import OutboxMessage
from screening.models.organisation import Organisation
from tests.api.web import words
from tests.factories import answers
from tests.journeys.scenes import ACUTE, Scene, at, scene


@pytest.fixture
def friday(settings, database, clock) -> Iterator[Scene]:
    """Friday in term time, ten in the morning; the school lead is on duty."""
    clock.set(at(10, 16))
    with scene(settings, database, clock) as made:
        yield made


def opened(play: Scene, *, who: str = "counsellor") -> tuple[Any, Any, Any]:
    """A child with thoughts at this moment: the child, the campaign, what the browser was answered."""
    campaign = play.world.make_campaign("asq", "phq9")
    pupil = play.world.make_child(campaign, share=True)
    return pupil, campaign, play.submit(pupil, campaign, "asq", ACUTE, who)


def test_a01_danger_opens_the_episode_and_rings_at_once(friday):
    """Given an open campaign on a Friday at ten, when a child's sheet says danger, then everything is there at once."""
    pupil, campaign, _ = opened(friday)

    [episode] = friday.get("counsellor", "/crises")  # no worker has run yet
    assert episode["taken_at"] is None
    friday.work()
    assert (0, "school_lead") in friday.called(friday.asked(TaskKind.CRISIS_ACKNOWLEDGE))
    case = friday.the_case()
    assert case["plans"][-1]["status"] == "drafted"
    assert {"c-K01", "c-K02", "c-K03"} <= {action["component"] for action in case["plans"][-1]["actions"]}
    assert friday.get("counsellor", f"/campaigns/{campaign}")["status"] == "open"
    assert pupil.name not in "".join(friday.phone.texts)


def test_a02_nobody_presses_out_of_hours(friday):
    """Given ten at night, when nobody presses 我来处理, then lead, principal and county duty are told in order."""
    friday.clock.set(at(10, 16, 22))
    with friday.database.begin() as session:  # tonight the counsellor has the school's telephone
        organisations.put_on_duty(
            session,
            actor=Actor.system(),
            organisation=session.get_one(Organisation, friday.world.places["school"]),
            account_id=friday.world.people["counsellor"],
            phone="13800000009",
            starts_at=at(10, 16, 6),
            ends_at=at(10, 17, 6),
            now=friday.clock.now(),
        )
    pupil, _, _ = opened(friday)
    friday.work()
    task = friday.asked(TaskKind.CRISIS_ACKNOWLEDGE)
    assert task.due_at - task.opened_at == timedelta(minutes=30)

    for minute in (4, 5, 6, 10, 11, 20, 21, 30, 31, 39):
        friday.until(task.opened_at + timedelta(minutes=minute))

    duty, lead, principal, county = "counsellor", "school_lead", "principal", "county_centre"
    calls = friday.called(task)
    assert {minute: {who for when, who in calls if when == minute} for minute, _ in calls} == {
        0: {duty},
        5: {duty},
        10: {duty, lead},
        20: {duty, lead, principal},
        30: {duty, lead, principal, county},
    }
    assert len(calls) == len(set(calls)), "somebody was rung twice at one step"
    with friday.database.look() as session:
        steps = session.scalars(select(TaskRing.step).where(TaskRing.task_id == task.id)).all()
    assert sorted(steps) == [1, 2, 3, 4, 5]
    texts = "".join(friday.phone.texts)
    assert "您有一条待办" in texts
    assert not any(word in texts for word in (pupil.name, pupil.student_no, "危机", "自杀", "asq"))

    # County duty can take it, sees the file while it lasts, and the ringing ends.
    [episode] = friday.get(county, "/crises")
    friday.post(county, f"/crises/{episode['id']}/take")
    assert friday.the_case(county)["case"]["id"]
    rung = len(friday.called(task))
    friday.minutes(2)
    assert len(friday.called(task)) == rung


def test_a03_a_clerk_keys_in_a_paper_sheet(friday):
    """Given a paper sheet, when a clerk saves it, then the same as A01, and the clerk sees only what to do now."""
    _, _, answer = opened(friday, who="entry_clerk")

    assert answer["instruction"]
    assert answer["duty_phone"] == "13800000001"
    forbidden = {"level", "grade", "scores", "probability", "why", "critical", "result"}
    assert not forbidden & set(answer), sorted(answer)
    assert len(friday.get("counsellor", "/crises")) == 1
    friday.work()
    assert (0, "school_lead") in friday.called(friday.asked(TaskKind.CRISIS_ACKNOWLEDGE))
    friday.get("counsellor", "/cases")
    assert (
        friday.service.client.get("/api/v1/cases", headers=friday.service.headers("entry_clerk")).status_code
        == 403
    )


def test_a32_one_mild_answer_asks_for_a_talk_and_nothing_else(friday):
    """Given item 9 = 1 and a low score, when submitted, then case and safety talk by Monday; no plan and no note."""
    campaign = friday.world.make_campaign("phq9")
    pupil = friday.world.make_child(campaign, share=True)

    friday.submit(pupil, campaign, "phq9", answers("phq9", i9=1))
    friday.work()

    assert friday.the_case()["case"]["status"] == "intake"
    assert friday.asked(TaskKind.SAFETY_TALK).due_at == at(10, 19, 17, 30)
    assert friday.count(PlanVersion) == friday.count(Referral) == 0
    assert friday.count(OutboxMessage, OutboxMessage.topic == NOTE_TOPIC) == 0
    assert friday.count(CrisisEpisode) == 0


def test_a41_every_telephone_and_channel_is_dead(friday):
    """Given no way out, when danger comes, then every open page says so and names the printed list; nobody is told."""
    friday.phone.dead = True
    opened(friday)
    friday.minutes(3)

    lead = friday.browser("school_lead")
    for path in ("/today", "/cases", "/campaigns", "/today/alarm"):
        page = words(lead.open(path).text)
        assert "还没有人接手" in page, path
        assert "请按打印的值班表联系" in page, path
        assert "13800000001" in page, path
    with friday.database.look() as session:
        notices = session.scalars(select(Notice)).all()
        assert {notice.channel for notice in notices} == {Channel.PAGE, Channel.WEBHOOK}
        assert all(notice.seen_at is None and notice.delivered_at is None for notice in notices)
        assert not any(notice.delivery is Delivery.DELIVERED for notice in notices)
        episode = session.scalars(select(CrisisEpisode)).one()
        assert (episode.taken_by, episode.taken_at) == (None, None)

    # The first message that gets out takes the sentence away; the press takes the alarm away.
    friday.phone.dead = False
    friday.until(friday.clock.now() + timedelta(minutes=20))
    page = words(lead.open("/cases").text)
    assert "还没有人接手" in page
    assert "请按打印的值班表联系" not in page
    [mine] = friday.get("school_lead", "/crises")
    friday.post("school_lead", f"/crises/{mine['id']}/take")
    assert "还没有人接手" not in words(lead.open("/cases").text)
