"""Acceptance scenarios of the field guide §14 about the referral: A11–A14, A30, A34, A35, A40."""

from __future__ import annotations

from datetime import date, timedelta
from typing import Any

import pytest
from sqlalchemy import select

from referral.actions import referrals
from referral.models.case import Case
from referral.models.referral import Facility, Referral
from referral.models.task import Task
from referral.terms import ReferralKind, ReferralStatus, TaskKind
from screening.core.calendar import china
from screening.models.child import Enrolment
from tests.factories import spread
from tests.journeys.scenes import ACUTE, Scene, at, scene
from tests.screening.workbooks import HEADINGS, PHQ9, child, sheet, workbook

RETURN = {
    "outcome": "no_disorder_found",
    "finding": "no_need",
    "assessor_saw_probability": False,
    "risk_now": "low",
    "attendance": "full",
    "advice": {"school_advice": "照常上学", "warning_signs": "睡眠明显变差"},
    "guardian_agreed": True,
}


@pytest.fixture
def start(settings, database, clock):
    """A service whose day is chosen before it is built."""
    made = []

    def begin(moment) -> Scene:
        clock.set(moment)
        manager = scene(settings, database, clock)
        made.append(manager)
        return manager.__enter__()

    yield begin
    for manager in made:
        manager.__exit__(None, None, None)


def screened(play: Scene, total: int = 11) -> Any:
    """One child whose sheet says *see first*; the guardian has agreed to share."""
    campaign = play.world.make_campaign("phq9", "gad7", "asq")
    pupil = play.world.make_child(campaign, share=True)
    play.submit(pupil, campaign, "phq9", spread("phq9", total))
    return pupil, campaign


def status(play: Scene, path: str) -> str:
    return play.get("counsellor", path)["status"]


def with_date(play: Scene, path: str, moment) -> None:
    """The clinic accepts and gives a time."""
    play.post("clinic_intake", f"{path}/accept", {})
    play.post("clinic_intake", f"{path}/schedule", {"at": moment.isoformat(), "place": "门诊三楼"})


def test_a11_and_a30_a_silent_facility_and_two_asked_in_parallel(start):
    """Given a routine referral on Thursday 8 October (Saturday the 10th is worked), when nobody answers for three
    working days, then it expires on Monday evening; a second facility is offered, the head is told. When the second
    accepts, the first is withdrawn and told."""
    play = start(at(10, 8))
    assert [day for day in (9, 10, 11, 12) if china().is_working_day(at(10, day).date())] == [9, 10, 12]
    pupil, _ = screened(play)
    first = play.refer()
    assert play.get("counsellor", first)["urgency"] == "routine"

    play.until(at(10, 9, 17, 30))  # half of its time: the facility is reminded
    assert play.told(play.asked(TaskKind.REFERRAL_ANSWER)) == {"clinic_intake", "clinician"}
    play.until(at(10, 12, 17, 29))
    assert status(play, first) == "sent"
    play.until(at(10, 12, 17, 30))

    assert status(play, first) == "expired_no_answer"
    offered = play.asked(TaskKind.REFERRAL_REROUTE)
    assert {"facility_lead", "health_officer", "county_centre", "counsellor"} <= play.told(offered)

    second = play.post("counsellor", f"{first}/reroute", {"in_parallel": True})
    path = f"/referrals/{second['id']}"
    assert second["facility_name"] == "青江市第七医院"
    assert second["words"] == play.get("counsellor", first)["words"]
    play.post("counsellor", f"{path}/send", {})
    play.post("other_intake", f"{path}/accept", {"contact": "崔莹"})
    play.work()

    assert status(play, path) == "accepted"
    former = play.get("counsellor", first)
    assert (former["status"], former["history"][-1]["reason"]) == ("withdrawn", "another_accepted")
    [told] = [task for task in play.get("clinic_intake", "/tasks") if task["kind"] == "referral_ended"]
    assert told["child_name"] is None
    assert (
        play.service.client.get(f"/api/v1{first}", headers=play.service.headers("clinic_intake")).status_code
        == 404
    )
    assert pupil.name not in "".join(play.phone.texts)


def test_a12_an_emergency_cannot_be_declined(start):
    """Given an emergency referral, when the facility presses decline, then it is refused and *pass on* is offered."""
    play = start(at(10, 14))
    campaign = play.world.make_campaign("asq")
    play.submit(play.world.make_child(campaign), campaign, "asq", ACUTE)
    [referral] = play.the_case()["referrals"]
    path = f"/referrals/{referral['id']}"
    # The escort is named, and no consent is needed.
    play.post("counsellor", f"{path}/send", {"emergency": True}, expect=422)
    play.post("counsellor", f"{path}/send", {"emergency": True, "escort": "林知远"})

    refused = play.post(
        "clinic_intake", f"{path}/decline", {"reason": "full", "better_place": "市医院"}, expect=409
    )
    assert "接诊后安排陪同转往" in refused["detail"]
    assert status(play, path) == "sent"
    play.post("clinic_intake", f"{path}/pass-on", {"to_place": "市第七医院急诊", "escort": ""}, expect=422)
    play.post("clinic_intake", f"{path}/pass-on", {"to_place": "市第七医院急诊", "escort": "值班医师"})

    passed = play.get("counsellor", path)
    assert passed["status"] == "accepted"
    assert passed["appointment_place"] == "市第七医院急诊 · 值班医师"
    assert play.told(play.asked(TaskKind.REFERRAL_UPDATE)) == {"counsellor"}


def test_a13_nothing_was_found_and_the_child_is_simply_in_school(start):
    """Given a return note *no disorder found*, when the school has read it, then the referral is completed;
    attendance is full, nothing is to be signed, and the plan review is all that is asked."""
    play = start(at(10, 14))
    screened(play)
    path = play.refer()
    with_date(play, path, at(10, 16, 9))
    play.until(at(10, 16, 11))
    play.post("clinic_intake", f"{path}/attended")
    before = play.kinds()
    visit = RETURN | {"visit_on": "2026-10-16"}
    play.post("clinician", f"{path}/return-notes", visit | {"attendance": "short_leave"}, expect=422)
    play.post("clinician", f"{path}/return-notes", visit)

    play.post("counsellor", f"{path}/acknowledge")

    done = play.get("counsellor", path)
    assert done["status"] == "completed"
    assert [note["attendance"] for note in done["return_notes"]] == ["full"]
    assert play.kinds() - before <= {TaskKind.PLAN_REVIEW}
    assert TaskKind.PLAN_REVIEW in play.kinds()
    assert not play.kinds() & {TaskKind.TIER_SIGN, TaskKind.RETURN_NOTE_READ}
    newest = max(play.the_case()["plans"], key=lambda plan: plan["number"])
    assert newest["status"] == "review_due"


def test_a14_the_second_no_show(start):
    """Given a second no-show, when it is asked about in the evening, then a conference is called; where it is about
    danger, somebody stands at the door the same day, the first time already."""
    play = start(at(10, 14))
    screened(play)
    path = play.refer()
    with_date(play, path, at(10, 16, 9))
    assert play.asked(TaskKind.ATTENDANCE_CHECK).due_at == at(10, 16, 17, 30)

    play.until(at(10, 16, 18))
    play.post("clinic_intake", f"{path}/no-show", {"reason": "transport"})
    assert play.asked(TaskKind.NO_SHOW_CONTACT).due_at == at(10, 20, 17, 30)
    assert not play.kinds() & {TaskKind.CASE_CONFERENCE, TaskKind.HOME_VISIT}
    play.post("clinic_intake", f"{path}/schedule", {"at": at(10, 21, 9).isoformat(), "place": "门诊三楼"})
    play.until(at(10, 21, 18))
    play.post("clinic_intake", f"{path}/no-show", {})
    assert TaskKind.CASE_CONFERENCE in play.kinds()
    assert TaskKind.HOME_VISIT not in play.kinds()

    campaign = play.world.make_campaign("asq", title="第二次")
    play.submit(play.world.make_child(campaign), campaign, "asq", ACUTE)
    with play.database.look() as session:
        urgent = session.scalars(select(Referral.id).where(Referral.urgency == "emergency")).one()
    path = f"/referrals/{urgent}"
    play.post("counsellor", f"{path}/send", {"emergency": True, "escort": "林知远"})
    with_date(play, path, at(10, 21, 20))
    play.until(at(10, 21, 21))
    play.post("clinic_intake", f"{path}/no-show", {})

    visit = play.asked(TaskKind.HOME_VISIT)
    assert visit.due_at == at(10, 21, 23, 59)
    assert {"counsellor", "school_lead"} <= play.told(visit)


def test_a34_nobody_acts_for_three_working_days(start):
    """Given *see first* and nobody who acts, when the fourth working day comes, then the county centre owns it; the
    guardian has not been told, so nothing leaves, not then and not later."""
    play = start(at(10, 14))
    screened(play)
    with play.database.begin() as session:
        for facility in session.scalars(select(Facility)):
            facility.triage_per_week = 5
    play.until(at(10, 19, 17, 29))
    with play.database.look() as session:
        assert session.scalars(select(Case)).one().owner_id == play.world.people["counsellor"]

    play.until(at(10, 20, 8))

    [task] = [each for each in play.get("county_centre", "/tasks") if each["kind"] == "county_assessment"]
    assert task["case_no"] == play.the_case("county_centre")["case"]["case_no"]
    with play.database.look() as session:
        case = session.scalars(select(Case)).one()
        assert (case.owner_id, case.backup_id) == (
            play.world.people["county_centre"],
            play.world.people["counsellor"],
        )
    for later in (at(10, 22, 8), at(11, 6, 8)):
        play.until(later)
        assert play.count(Referral, Referral.sent_at.is_not(None)) == 0
        assert play.get("clinic_intake", "/referrals") == []
    assert play.told(play.asked(TaskKind.COUNTY_ASSESSMENT)) >= {"county_centre", "edu_officer"}
    assert play.asked(TaskKind.GUARDIAN_CONTACT).owner_id == play.world.people["county_centre"]


def test_a35_forty_wait_and_five_places_are_open(start):
    """Given five triage places a week and forty children nobody has seen, when the time has passed, then exactly
    five leave, the highest first; the others keep a named person and are counted by days."""
    play = start(at(10, 14))
    campaign = play.world.make_campaign("phq9")
    agreed = {"筛查同意": "是", "转介同意": "是", "同意日期": date(2026, 9, 20)}
    agreed |= {"监护人": "家长甲", "关系": "母亲", "电话": "13900000001"}
    roster = [child(number, **agreed) for number in range(1, 41)]
    urgent = {8, 16, 24, 32, 40}  # by number, none among the first
    rows = [sheet(n, (3,) * 7 + (1 if n in urgent else 0, 0), on=date(2026, 10, 14)) for n in range(1, 41)]
    rows = [
        row if n in urgent else sheet(n, (2,) * 5 + (1, 0, 0, 0), on=date(2026, 10, 14))
        for n, row in enumerate(rows, 1)
    ]
    _, batch = play.service.upload(
        "counsellor", campaign, workbook({"名册": [HEADINGS, *roster], "phq9": [PHQ9, *rows]})
    )
    play.post("counsellor", f"/imports/{batch['id']}/commit", {"good_rows_only": False})
    play.work()
    with play.database.look() as session:
        numbers = {f"2026{number:04d}" for number in urgent}
        enrolled = session.scalars(select(Enrolment))
        highest = {each.child_id for each in enrolled if each.student_no in numbers}
    assert (play.count(Referral), len(highest)) == (40, 5)
    counsellor = play.world.actor("counsellor")
    with play.database.begin() as session:
        for facility in session.scalars(select(Facility)):
            facility.triage_per_week = 5 if facility.organisation_id == play.world.places["clinic"] else 0
        for referral in session.scalars(select(Referral)):
            referrals.tell_guardian(session, actor=counsellor, referral=referral, now=play.clock.now())

    play.until(at(10, 19, 17, 30))
    assert play.count(Task, Task.kind == TaskKind.COUNTY_ASSESSMENT) == 40
    assert play.count(Referral, Referral.sent_at.is_not(None)) == 0
    for moment in (at(10, 21, 17, 30), at(10, 22, 9)):
        play.until(moment)
        with play.database.look() as session:
            gone = session.scalars(select(Referral).where(Referral.sent_at.is_not(None))).all()
            assert {each.child_id for each in gone} == highest
            assert {each.kind for each in gone} == {ReferralKind.TRIAGE_REQUEST}
            assert {each.status for each in gone} == {ReferralStatus.SENT}
            named = session.scalars(
                select(Task.owner_id).where(
                    Task.kind == TaskKind.COUNTY_ASSESSMENT,
                    Task.done_at.is_(None),
                    Task.child_id.not_in(highest),
                )
            ).all()
            assert named == [play.world.people["county_centre"]] * 35

    for who in ("edu_officer", "health_officer"):
        gap = play.get(who, "/service-gaps/waiting")
        assert (gap["total"], [band["children"] for band in gap["bands"]]) == (35, [0, 35, 0, 0])
    assert "35" in play.browser("health_officer").open("/today").text

    play.until(at(10, 29, 9))  # the next week has five places again
    assert play.count(Referral, Referral.sent_at.is_not(None)) == 10


def test_a40_a_child_in_care_is_screened_again(start):
    """Given a child in care, when another sheet says *see first*, then there is no second referral: the facility is
    to be told, and the plan is looked at today."""
    play = start(at(10, 14))
    pupil, campaign = screened(play)
    path = play.refer()
    with_date(play, path, at(10, 16, 9))
    play.until(at(10, 16, 11))
    play.post("clinic_intake", f"{path}/attended")
    play.post("clinician", f"{path}/care")
    play.clock.forward(timedelta(minutes=30))

    play.submit(pupil, campaign, "gad7", spread("gad7", 16))

    assert play.count(Referral) == 1
    assert status(play, path) == "in_care"
    assert play.asked(TaskKind.PLAN_REVIEW).due_at == at(10, 16, 17, 30)
    assert play.asked(TaskKind.REFERRAL_UPDATE).owner_id == play.world.people["counsellor"]
