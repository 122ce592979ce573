"""Accounts, rosters, places: the administrator's pages; what stands on the first page of each post above the school."""

from __future__ import annotations

import re
from dataclasses import replace
from datetime import timedelta

import pytest
from sqlalchemy import func, select

from referral.models.referral import Facility
from screening.core import outbox
from screening.core.audit import AuditEvent, AuditRow
from screening.core.outbox import OutboxMessage
from screening.core.settings import Webhook
from screening.models.account import Account, RoleGrant
from screening.models.organisation import DutyEntry, Organisation
from tests.api.web import Browser, words
from tests.factories import PASSWORD, spread


@pytest.fixture
def at(app, world):
    """``at("sysadmin")``: this person of the world at a browser, signed in."""

    def at(who, language="zh"):
        browser = Browser(app, language)
        assert browser.sign_in(who, PASSWORD).status_code == 303
        return browser

    return at


def count(database, model, *where):
    with database.look() as session:
        return session.scalar(select(func.count()).select_from(model).where(*where))


def events(database, event):
    return count(database, AuditRow, AuditRow.event == event)


def test_accounts_are_found_opened_and_reset_without_anybody_choosing_a_password(at, world, database):
    admin = at("sysadmin")
    seen = admin.open("/accounts?q=周以宁").text
    assert ("school_lead" in seen, ">clinician<" in seen) == (True, False)
    here = words(admin.open(f"/accounts?place={world.places['clinic']}").text)
    assert ("clinic_intake" in here, "counsellor" in here) == (True, False)

    for username, status, sentence in (
        ("", 422, "请填写"),
        ("Not A Name", 422, "小写字母"),
        ("counsellor", 422, "已被使用"),
        ("xu.ning", 200, "只显示这一次"),
    ):
        answer = admin.send("/accounts", seen="/accounts", username=username, name="许宁")
        assert (answer.status_code, sentence in answer.text) == (status, True), username
    # What was typed is still there after a refusal, and the password that was made stands nowhere else.
    assert (
        'value="许宁"' in admin.send("/accounts", seen="/accounts", username="counsellor", name="许宁").text
    )
    opened = re.search(r"<code>([^<]+)</code>", answer.text)[1]
    assert opened not in admin.open("/accounts?q=xu.ning").text

    person = world.people["clinician"]
    signed_in = at("clinician")
    reset = admin.send(f"/accounts/{person}/reset", seen=f"/accounts/{person}")
    assert (reset.status_code, reset.headers["cache-control"]) == (200, "no-store")
    assert signed_in.open("/today").status_code == 401
    assert events(database, AuditEvent.PASSWORD_RESET) == 1
    own = world.people["sysadmin"]
    assert admin.send(f"/accounts/{own}/reset", seen=f"/accounts/{person}").status_code == 409


def test_a_post_needs_three_people_and_ends_with_the_next_request(at, world, database):
    admin = at("sysadmin")
    person = world.people["entry_clerk"]
    page = f"/accounts/{person}"
    post = {
        "role": "class_teacher",
        "organisation": str(world.places["school"]),
        "valid_from": world.clock.today().isoformat(),
        "approved_by": "school_lead",
        "reason": "兼任班主任",
    }
    for wrong, sentence in (
        ({"reason": ""}, "请填写"),
        ({"role": "king"}, "请选择"),
        ({"organisation": "elsewhere"}, "请选择"),
        ({"approved_by": "nobody"}, "没有这个用户名"),
        ({"approved_by": "sysadmin"}, "批准人不能是"),
        ({"approved_by": "entry_clerk"}, "批准人不能是"),
        ({"valid_to": "2026-01-01"}, "岗位"),
        ({"role": "sysadmin"}, "不兼任"),
    ):
        answer = admin.send(f"{page}/grants", seen=page, **(post | wrong))
        assert answer.status_code == 422, (wrong, answer.status_code)
        assert sentence in answer.text, wrong
    assert admin.send(f"/accounts/{world.people['sysadmin']}/grants", seen=page, **post).status_code == 422
    assert admin.send(f"{page}/grants", seen=page, **post).status_code == 303

    # The first post ends: on the next request its pages are gone. A post that began today leaves no day behind.
    clerk = at("entry_clerk")
    assert clerk.open("/imports").status_code == 200
    with database.look() as session:
        grants = {
            g.role.value: g.id
            for g in session.scalars(select(RoleGrant).where(RoleGrant.account_id == person))
        }
    for role, left in (("entry_clerk", 2), ("class_teacher", 1)):
        assert admin.send(f"{page}/grants/{grants[role]}/end", seen=page).status_code == 303
        assert count(database, RoleGrant, RoleGrant.account_id == person) == left
    assert clerk.open("/imports").status_code == 403
    assert admin.send(f"{page}/grants/{grants['entry_clerk']}/end", seen=page).status_code == 404
    assert events(database, AuditEvent.ROLE_END) == 2


def test_a_role_does_not_end_while_only_it_covers_open_work(at, world, database):
    world.submit(world.make_child(world.make_campaign()), "phq9", spread("phq9", 21, i9=0))
    admin, person = at("sysadmin"), world.people["counsellor"]
    page = f"/accounts/{person}"
    with database.look() as session:
        [grant] = session.scalars(select(RoleGrant.id).where(RoleGrant.account_id == person))
    refused = admin.send(f"{page}/grants/{grant}/end", seen=page)
    assert (refused.status_code, "先移交他人" in refused.text) == (409, True)
    # To somebody who cannot do it: not found. To the lead: done, and the role ends.
    for to, status in (("clinician", 404), ("school_lead", 303)):
        answer = admin.send(
            f"{page}/handover", seen=page, place=str(world.places["school"]), to=str(world.people[to])
        )
        assert answer.status_code == status, to
    assert admin.send(f"{page}/handover", seen=page).status_code == 422
    assert admin.send(f"{page}/grants/{grant}/end", seen=page).status_code == 303


def test_the_roster_of_a_week_shows_its_holes_and_its_holidays(at, world, database):
    admin, places = at("sysadmin"), world.places
    listed = words(admin.open("/duty").text)
    assert "白石县第一中学" in listed
    assert "无人值班" in listed  # the hotline, for which nobody stands above
    page = f"/duty/{places['hotline']}"
    week = admin.open(f"{page}?week=2026-10-01").text
    for said in ("假日：国庆节", "调休上班"):
        assert said in admin.open(f"{page}?week=2026-10-10").text + week, said
    assert admin.open(f"{page}?week=not-a-day").status_code == 200

    person = str(world.people["hotline_operator"])
    turn = {
        "week": "2026-10-14",
        "person": person,
        "phone": "0571-8000009",
        "starts_at": "2026-10-14T08:00",
        "ends_at": "2026-10-19T00:00",
    }
    for wrong, sentence in (
        ({"phone": "ask me"}, "电话号码"),
        ({"ends_at": "2026-10-01T00:00"}, "已经结束"),
        ({"ends_at": "2027-10-01T00:00"}, "最长一个月"),
        ({"person": str(world.people["counsellor"])}, "请选择"),
        ({"starts_at": "soon"}, "请按"),
    ):
        answer = admin.send(f"{page}/turns", seen=page, **(turn | wrong))
        assert answer.status_code == 422, wrong
        if sentence != "请按":
            assert sentence in answer.text, wrong
    assert admin.send(f"{page}/turns", seen=page, **turn).status_code == 303
    assert "已经排班" in admin.send(f"{page}/turns", seen=page, **turn).text
    assert "0571-8000009" in admin.open(f"{page}?week=2026-10-14").text

    # A copy is a week later, once; a running turn ends now, a coming one is struck out.
    here = DutyEntry.organisation_id == places["hotline"]
    for _ in range(2):
        assert admin.send(f"{page}/copy", seen=page, week="2026-10-14").status_code == 303
        assert count(database, DutyEntry, here) == 2
    with database.look() as session:
        turns = session.scalars(select(DutyEntry.id).where(here).order_by(DutyEntry.starts_at)).all()
    for turn_id in turns:
        assert admin.send(f"{page}/turns/{turn_id}/end", seen=page, week="2026-10-14").status_code == 303
    assert count(database, DutyEntry, here) == 1
    assert admin.send(f"{page}/turns/{turns[1]}/end", seen=page).status_code == 404
    assert admin.send(f"{page}/turns/{turns[0]}/end", seen=page).status_code == 409


def test_the_tree_grows_by_kinds_and_a_facility_says_what_it_takes(at, world, database):
    admin = at("sysadmin")
    new = {
        "kind": "facility",
        "parent": str(world.places["county"]),
        "code": "new-clinic",
        "name": "白石县妇幼保健院",
        "phone": "",
    }
    for wrong, sentence in (
        ({"kind": ""}, "请填写"),
        ({"parent": str(world.places["school"])}, "不能设在"),
        ({"kind": "city"}, "不能设在"),
        ({"code": "school"}, "已被使用"),
        ({"code": "新院"}, "字母"),
    ):
        answer = admin.send("/organisations", seen="/organisations", **(new | wrong))
        assert (answer.status_code, sentence in answer.text) == (422, True), wrong
    made = admin.send("/organisations", seen="/organisations", **new)
    assert made.status_code == 303
    page = made.headers["location"]
    takes = {"department": "心理科", "age_min": "6", "age_max": "18"}
    assert admin.send(page, seen=page, **(takes | {"age_min": "19"})).status_code == 422
    assert admin.send(page, seen=page, **takes).status_code == 303
    with database.look() as session:
        made = session.scalars(select(Organisation).where(Organisation.code == "new-clinic")).one()
        facility = session.scalars(select(Facility).where(Facility.organisation_id == made.id)).one()
        # Nothing leaves by itself to a facility whose lead has not opened places.
        assert (facility.weekly_slots, facility.triage_per_week) == (0, 0)
    assert admin.open(f"/organisations/{world.places['school']}/facility").status_code == 200
    school = f"/organisations/{world.places['school']}/facility"
    assert admin.send(school, seen=page, **takes).status_code == 422


def test_the_first_page_of_each_post_says_what_waits_for_it(at, world, clock):
    """Alarms for the administrator; campaigns for the lead; numbers above the school; no child's name on any."""
    from screening.models.campaign import CampaignStatus

    pupil = world.make_child(world.make_campaign())
    world.submit(pupil, "phq9", spread("phq9", 21, i9=0))
    world.make_campaign(status=CampaignStatus.DRAFT, title="2027 春季筛查")
    clock.forward(timedelta(days=12))
    for who, said in (
        ("sysadmin", "无人值班"),
        ("school_lead", "2027 春季筛查"),
        ("edu_officer", "已超时限"),
        ("health_officer", "所有转介都已按时答复"),
        ("facility_lead", "每周初诊 500 个"),
        ("principal", "没有处置中的危机"),
    ):
        page = at(who).open("/today")
        assert said in words(page.text), who
        assert (pupil.name in page.text) == (who == "school_lead"), who
    for who, path in (
        ("health_officer", "/silent"),
        ("edu_officer", "/overdue"),
        ("city_officer", "/overdue"),
    ):
        assert at(who, "en").open(path).status_code == 200, who
    # A missing year is an alarm before it begins.
    clock.set(clock.now().replace(month=11, day=28))
    assert "缺少 2027 年工作日历" in at("sysadmin").open("/today").text


def test_no_page_of_the_administrator_holds_a_child(at, world, database):
    """AZ11, over the pages that know about work, with a child in danger behind them."""
    from tests.factories import answers

    pupil = world.make_child(world.make_campaign())
    world.submit(pupil, "asq", answers("asq", i1=1, i5=1))
    admin = at("sysadmin")
    with database.look() as session:
        accounts = session.scalars(select(Account.id)).all()
    paths = ["/today", "/accounts", "/duty", "/organisations", *(f"/accounts/{each}" for each in accounts)]
    for path in paths:
        page = admin.open(path)
        assert page.status_code == 200, path
        assert not [s for s in (pupil.name, pupil.student_no, str(pupil.id), "13900000001") if s in page.text]
    for path in ("/cases", "/crises", "/campaigns", "/overdue"):
        assert admin.open(path).status_code == 403, path


def test_the_settings_that_hold_are_shown_and_no_secret(app, at, database, tmp_path):
    secret = b"only-the-gateway-and-we-know-this"
    backups = tmp_path / "backups"
    backups.mkdir()
    gateway = Webhook("https://user:word@sms.example.test/send?key=q7w8e9", secret)
    app.state.settings = replace(app.state.settings, webhook=gateway, backup_to=backups)
    page = at("sysadmin").open("/settings")
    said = words(page.text)
    assert page.status_code == 200
    assert "https://sms.example.test" in said
    assert not [each for each in (secret.decode(), "q7w8e9", "user:word") if each in page.text]
    assert "这里查不到" in said
    (backups / "xinqiao.backup").write_bytes(b"made by a test")
    assert "这里查不到" not in words(at("sysadmin").open("/settings").text)
    assert at("counsellor").open("/settings").status_code == 403


def test_a_dead_worker_and_what_was_given_up_are_alarms_of_the_administrator(at, world, database):
    assert "后台进程在运行吗" not in words(at("sysadmin").open("/today").text)
    with database.begin() as session:
        for number in range(3):
            outbox.publish(session, topic="x", payload={}, purpose=f"x:{number}", now=world.clock.now())
        session.flush()
        one = session.scalars(select(OutboxMessage)).first()
        one.dead_at = world.clock.now()
    world.clock.forward(timedelta(minutes=61))
    said = words(at("sysadmin").open("/today").text)
    assert "有 2 项打印、通知或导入已等待一小时以上" in said
    assert "有 1 项打印、通知或导入多次失败" in said
