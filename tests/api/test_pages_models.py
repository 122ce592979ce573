"""The model's pages as each person sees them, and what the worker does for them by the clock."""

from __future__ import annotations

from datetime import timedelta

import pytest
from sqlalchemy import select

from api import worker
from referral.models.labels import CheckDraw, RandomCheck
from referral.models.task import Task
from referral.terms import Finding, TaskKind
from screening.core.actor import Role
from screening.core.clock import local_day
from screening.models.model import ModelSetting, ModelStatus, ModelVersion
from tests.api.conftest import PASSWORD
from tests.api.web import Browser, words
from tests.referral.county import County, furnished, phq9
from tests.referral.learnt import store


@pytest.fixture
def county(database, clock, password_hash) -> County:
    made = furnished(database, clock, password_hash=password_hash)
    with database.begin() as session:
        made.hire(session, "officer2", "程明远", Role.EDU_OFFICER, "county", password_hash)
    return made


@pytest.fixture
def at(app, county):
    """A signed-in browser by username."""
    known: dict[str, Browser] = {}

    def sign_in(username: str) -> Browser:
        if username not in known:
            known[username] = Browser(app)
            known[username].sign_in(username, PASSWORD)
        return known[username]

    return sign_in


def test_two_people_decide_about_a_version_and_limits_on_the_page(at, county, database):
    for total in range(4, 16):
        county.submit(county.enrol()[0], "phq9", phq9(total=total))
    with database.begin() as session:
        version = store(county, session, second=("levels_move",)).id
        stopped = store(county, session, stopped=("worse", "facility:x:order"), intercept=-0.7).id
    officer, centre = at("officer"), at("centre")
    page = words(officer.open("/models").text)
    for part in ("尚未本地校准", "被规则拦下", "可能不如现用版本", "先向该机构核实", "面谈人数", "少于 10"):
        assert part in page, part
    refused = officer.send(f"/models/{stopped}/forward", seen="/models")
    assert refused.status_code == 422
    assert officer.send(f"/models/{version}/forward", seen="/models").status_code == 303
    assert officer.send(f"/models/{version}/approval", seen="/models").status_code == 422
    unread = centre.send(f"/models/{version}/approval", seen="/models")
    assert unread.status_code == 422
    assert "已读过" in words(unread.text)
    assert centre.send(f"/models/{version}/approval", seen="/models", read="yes").status_code == 303
    assert "使用中" in words(officer.open("/models").text)
    assert officer.send("/models/back", seen="/models", reason="太极端").status_code == 303
    assert officer.send(f"/models/{version}/nonsense", seen="/models").status_code == 422
    assert officer.send("/models/learn", seen="/models").status_code == 422
    few = officer.send("/models/rate", seen="/models", rate="8", source="2025 年访谈调查")
    assert few.status_code == 422
    assert "少于 200" in words(few.text)
    assert officer.send("/models/rate", seen="/models", rate="80", source="x").status_code == 422
    with database.begin() as session:
        assert session.get_one(ModelVersion, version).status is ModelStatus.ENDED
    assert (
        officer.send("/models/limits", seen="/models", elevated="30", high="20", checks="1").status_code
        == 422
    )
    assert (
        officer.send("/models/limits", seen="/models", elevated="15", high="25", checks="3").status_code
        == 303
    )
    assert "请重新打开" in words(centre.send("/models/limits/approval", seen="/models", proposal="x").text)
    assert centre.send("/models/limits/approval", seen="/models", proposal="1").status_code == 303
    with database.begin() as session:
        assert session.scalars(select(ModelSetting)).one().checks_per_week == 3


def test_the_clock_draws_in_school_hours_and_the_centre_holds_the_check_without_a_score(at, county, database):
    pupils = county.enrol(2)
    for pupil in pupils:
        county.submit(pupil, "phq9", phq9(total=4))
    officer, centre = at("officer"), at("centre")
    officer.send("/models/limits", seen="/models", elevated="15", high="25", checks="3")
    centre.send("/models/limits/approval", seen="/models", proposal="1")
    now = county.clock.now()
    with database.begin() as session:
        worker.draw_checks(session, now.replace(hour=20))
        assert session.scalars(select(CheckDraw)).all() == []
    with database.begin() as session:
        worker.draw_checks(session, now)
        worker.draw_checks(session, now + timedelta(hours=1))
        worker.watch_models(session, now)
        check = session.scalars(select(RandomCheck)).one().id
        assert session.scalars(select(Task).where(Task.kind == TaskKind.MODEL_ALARM)).all() == []
    page = words(centre.open("/checks").text)
    drawn = next(pupil for pupil in pupils if pupil.name in page)
    assert all(other.name not in page for other in pupils if other is not drawn)
    for part in ("PHQ", "建议了解", "作答相近"):
        assert part not in page
    assert "随机核查面谈" in words(centre.open("/today").text)
    assert centre.send(f"/checks/{check}", seen="/checks", held_on="2026-10-14").status_code == 422
    kept = centre.send(f"/checks/{check}", seen="/checks", finding="no_need", held_on="2026-10-14", method="")
    assert kept.status_code == 422
    day = local_day(now).isoformat()
    said = {"finding": "refused", "held_on": day, "blinded": "yes"}
    assert centre.send(f"/checks/{check}", seen="/checks", **said).status_code == 303
    assert drawn.name not in words(centre.open("/checks").text)
    with database.begin() as session:
        found = session.get_one(RandomCheck, check)
        assert (found.finding, found.blinded) == (Finding.REFUSED, True)


def test_a_week_of_talks_has_an_order_and_no_estimate_beside_a_name(at, county):
    pupils = county.enrol(2)
    county.submit(pupils[0], "phq9", phq9(total=22))
    county.submit(pupils[1], "phq9", phq9(item9=2, total=4))
    page = words(at("counsellor").open("/capacity?places=1").text)
    assert page.index(pupils[1].name) < page.index(pupils[0].name)
    assert "本周有 1 名学生谈不到" in page
    assert "作答相近" not in page
    assert at("counsellor").open("/capacity?places=abc").status_code == 200
    assert "都能谈到" in words(at("counsellor").open("/capacity?places=9").text)
