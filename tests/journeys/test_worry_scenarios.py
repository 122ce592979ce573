"""A06 (last clause), A33, A39 of the field guide, and what stands around them: worries and safety talks over HTTP."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import date, timedelta
from typing import Any

import pytest
from sqlalchemy import func, select

from api.auth.guessing import Addresses
from api.cli.check import check_all
from referral.actions import escalations, worries
from referral.actions.lookups import MOST_LOOKUPS
from referral.models.case import Assessment, Case, SafetyTalk
from referral.models.crisis import CrisisEpisode
from referral.models.notice import Notice
from referral.models.plan import PlanVersion
from referral.models.referral import Referral
from referral.models.task import Task
from referral.models.worry import Worry, WorryLink
from referral.queries.plan_facts import current_facts
from referral.queries.worries import is_class
from referral.terms import Custody, Origin, TaskKind, WorryEnd
from screening.core.audit import AuditRow
from screening.models.administration import Administration, Mode
from screening.models.child import Child
from tests.api.web import SAME, Browser, words
from tests.factories import PASSWORD, answers
from tests.journeys.service import Service

KEY = "a-key-good-for-one-worry-{}"
CLASS = "八年级3班"
SCHOOL_PEOPLE = ("counsellor", "school_lead", "principal", "class_teacher", "entry_clerk")


@pytest.fixture
def service(settings, database, clock):
    made = Service(settings, database, clock)
    made.app.state.even_seconds = 0.0
    yield made
    made.close()


@pytest.fixture
def at(service) -> Callable[[str], Browser]:
    """``at("class_teacher")``: this person's browser."""
    known: dict[str, Browser] = {}

    def browser(who: str) -> Browser:
        if who not in known:
            known[who] = Browser(service.app, "zh")
            assert known[who].sign_in(who, PASSWORD).status_code == 303
        return known[who]

    return browser


def worry(number: int = 1, **changed: Any) -> dict[str, Any]:
    """The form of a worry as somebody fills it in."""
    return {
        "key": KEY.format(number),
        "class_name": CLASS,
        "seen": "gone_quiet",
        "harm_by": "unclear",
        "urgency": "this_week",
        **changed,
    }


def rows(service, model, *where):
    with service.database.look() as session:
        found = session.scalars(select(model).where(*where)).all()
        session.expunge_all()
        return found


def open_tasks(service, child_id=None) -> dict[TaskKind, Task]:
    where = [Task.done_at.is_(None)] + ([Task.child_id == child_id] if child_id else [])
    return {task.kind: task for task in rows(service, Task, *where)}


# --- with an account ---------------------------------------------------------------------------------------


def test_a06_the_teacher_of_a_child_whose_guardian_has_not_replied_still_raises_a_worry(service, at):
    pupil = service.world.make_child(service.world.make_campaign(), consent=False)
    page = at("class_teacher").open("/today").text
    assert 'href="/worries/new"' in page
    answer = at("class_teacher").send("/worries/new", form=worry(name=pupil.name))
    assert answer.status_code == 303, words(answer.text)
    thanks = at("class_teacher").open(answer.headers["location"])
    assert pupil.name not in thanks.text
    [case] = rows(service, Case)
    assert (case.child_id, case.origin, case.custody) == (pupil.id, Origin.TEACHER, Custody.SCHOOL)
    assert case.owner_id == service.world.people["counsellor"]
    assert case.backup_id == service.world.people["school_lead"]
    # The same clock as after a sheet of the level "see first".
    assert open_tasks(service, pupil.id)[TaskKind.SECOND_ASSESSMENT].clock == "T09"
    # The teacher has raised it and reads nothing of it.
    assert at("class_teacher").open(f"/cases/{case.id}").status_code == 403
    assert "变得很安静" in words(at("counsellor").open(f"/cases/{case.id}").text)


def test_the_answer_is_the_same_whether_or_not_the_child_is_known(service, at):
    pupil = service.world.make_child()
    elsewhere = service.world.make_child(school="other_school")
    seen = []
    for number, name in enumerate((pupil.name, "谁也不叫这个", elsewhere.name)):
        answer = at("class_teacher").send("/worries/new", form=worry(number, name=name))
        page = at("class_teacher").open(answer.headers["location"])
        seen.append((answer.status_code, answer.headers["location"], words(page.text)))
    assert len(set(seen)) == 1
    assert [case.child_id for case in rows(service, Case)] == [pupil.id]
    # A child of the other school is not looked for there: both unknown names wait for the counsellor.
    lines = [t for t in rows(service, Task) if t.kind is TaskKind.WORRY_MATCH]
    assert [line.owner_id for line in lines] == [service.world.people["counsellor"]] * 2
    assert not rows(service, Task, Task.child_id == elsewhere.id)


@pytest.mark.parametrize(
    ("typed", "fits"),
    [
        ("八年级3班", True),
        ("8年级(3)班", True),
        ("初二三班", True),
        ("初二 3 班", True),
        ("803", True),
        ("803班", True),
        ("3班", False),
        ("八年级13班", False),
        ("七年级3班", False),
        ("八年级", False),
        ("班", False),
        ("", False),
    ],
)
def test_a_class_as_people_write_it(typed, fits):
    assert is_class(typed, "junior", 2025, "3班", date(2026, 10, 14)) is fits


def test_danger_now_opens_the_episode_at_once_and_the_same_press_twice_is_one(service, at):
    pupil = service.world.make_child()
    teacher, form = (
        at("class_teacher"),
        worry(name=pupil.name, urgency="now", seen=["hurt_self", "said_dying"]),
    )
    first = teacher.send("/worries/new", form=form)
    again = teacher.send("/worries/new", form=form)
    assert first.status_code == again.status_code == 303
    page = words(teacher.open(first.headers["location"]).text)
    for number in ("110", "120", "12355", "12356", "13800000001"):
        assert number in page
    [episode] = rows(service, CrisisEpisode)
    assert (episode.child_id, episode.trigger) == (pupil.id, "worry")
    assert open_tasks(service)[TaskKind.CRISIS_ACKNOWLEDGE].clock == "T01"
    assert {n.account_id for n in rows(service, Notice)} >= {
        service.world.people["school_lead"],  # on duty
        service.world.people["counsellor"],
    }
    assert len(rows(service, PlanVersion)) == len(rows(service, Referral)) == len(rows(service, Worry)) == 1


def test_today_and_dark_words_ask_for_a_talk_today_and_a_safety_talk(service, at):
    pupil = service.world.make_child()
    at("class_teacher").send(
        "/worries/new", form=worry(name=pupil.name, urgency="today", seen="said_dying", harm_by="home")
    )
    tasks = open_tasks(service, pupil.id)
    assert {
        TaskKind.SAME_DAY_TALK,
        TaskKind.SAFETY_TALK,
        TaskKind.SECOND_ASSESSMENT,
        TaskKind.GUARDIAN_HARM_QUESTION,
        TaskKind.MANDATORY_REPORT,
    } <= tasks.keys()
    [case] = rows(service, Case)
    assert "不要联系家里" in at("counsellor").open(f"/cases/{case.id}").text


def test_a_child_director_names_a_school_of_the_county_and_a_hotline_of_the_city(service, at):
    pupil = service.world.make_child(school="other_school")
    page = at("child_director").open("/worries/new").text
    assert "白石县第二中学" in page
    missing = at("child_director").send("/worries/new", form=worry(name=pupil.name))
    assert missing.status_code == 422
    assert pupil.name in missing.text
    # The Enter key, which presses a form's first button, does not choose how urgent it is.
    assert missing.text.index('name="enter"') < missing.text.index('value="now"')
    by_enter = at("child_director").send(
        "/worries/new", form=worry(name=pupil.name, urgency=None, enter="yes")
    )
    assert by_enter.status_code == 422
    school = str(service.world.places["other_school"])
    sent = at("child_director").send("/worries/new", form=worry(name=pupil.name, school=school))
    assert sent.status_code == 303
    [case] = rows(service, Case)
    assert (case.child_id, case.origin) == (pupil.id, Origin.VISIT)
    assert at("hotline_operator").open("/worries/new").status_code == 200
    clinic = at("child_director").send(
        "/worries/new", form=worry(2, name="甲", school=str(service.world.places["clinic"]))
    )
    assert clinic.status_code == 404


def test_nobody_tries_names_all_day(service, at, monkeypatch):
    assert worries.MOST_BY_ACCOUNT == MOST_LOOKUPS  # as many as a hotline may look up
    monkeypatch.setattr(worries, "MOST_BY_ACCOUNT", 2)
    for number in range(2):
        assert at("class_teacher").send("/worries/new", form=worry(number, name="甲")).status_code == 303
    refused = at("class_teacher").send("/worries/new", form=worry(21, name="一个名字"))
    assert refused.status_code == 409
    assert "一个名字" in refused.text
    assert "请马上打电话" in refused.text


# --- by hand -----------------------------------------------------------------------------------------------


def test_a_worry_nobody_could_place_is_matched_by_hand_and_opens_the_same_case(service, at):
    pupil = service.world.make_child()
    at("class_teacher").send(
        "/worries/new", form=worry(name=pupil.name, class_name="九年级1班", urgency="now")
    )
    task = open_tasks(service)[TaskKind.WORRY_NOW]
    today = at("counsellor").open("/today").text
    assert f'href="/worries/{task.subject_id}"' in today[today.index('class="red"') :]
    page = at("counsellor").open(f"/worries/{task.subject_id}")
    assert pupil.name in page.text
    assert not rows(service, Case)
    answer = at("counsellor").send(f"/worries/{task.subject_id}/match", child=str(pupil.id))
    [case], [episode] = rows(service, Case), rows(service, CrisisEpisode)
    assert answer.headers["location"] == f"/cases/{case.id}"
    assert episode.case_id == case.id
    assert TaskKind.WORRY_NOW not in open_tasks(service)
    # Once is enough, and another school's counsellor finds nothing.
    assert at("counsellor").send(f"/worries/{task.subject_id}/match", child=str(pupil.id)).status_code == 409
    assert at("other_counsellor").open(f"/worries/{task.subject_id}").status_code == 404


def test_danger_that_nobody_has_placed_rings_up_the_ladder(service, at, clock):
    at("class_teacher").send("/worries/new", form=worry(name="谁也不叫这个", urgency="now"))
    for _ in range(3):
        clock.forward(timedelta(minutes=10))
        with service.database.begin() as session:
            escalations.tick(session, now=clock.now())
    told = {notice.account_id for notice in rows(service, Notice)}
    assert {service.world.people[who] for who in ("counsellor", "school_lead", "principal")} <= told


def test_a_worry_about_no_child_of_the_school_is_decided_with_a_reason(service, at):
    at("class_teacher").send("/worries/new", form=worry(name="外校的孩子"))
    task = open_tasks(service)[TaskKind.WORRY_MATCH]
    where = f"/worries/{task.subject_id}"
    assert at("counsellor").send(f"/tasks/{task.id}/finish", reason="看过了").status_code == 409
    assert at("counsellor").send(f"{where}/settle", decision="not_ours", reason=" ").status_code == 409
    assert (
        at("counsellor").send(f"{where}/settle", decision="not_ours", reason="已电话核对").status_code == 303
    )
    [row] = rows(service, Worry)
    assert row.decision is WorryEnd.NOT_OURS
    assert not open_tasks(service)


# --- about an adult of the school --------------------------------------------------------------------------


def test_a39_a_worry_about_a_teacher_is_the_countys_and_nobody_at_the_school_sees_that_it_exists(service, at):
    pupil = service.world.make_child(service.world.make_campaign())
    names = {"name": pupil.name, "harm_by": "school", "urgency": "now", "line": "体育老师打他"}
    answer = at("class_teacher").send("/worries/new", form=worry(**names))
    assert answer.status_code == 303
    page = words(at("class_teacher").open(answer.headers["location"]).text)
    assert "13800000002" in page  # the county's duty, not the school's
    assert "13800000001" not in page
    [case] = rows(service, Case)
    assert (case.custody, case.organisation_id) == (Custody.PROTECTED, service.world.places["county"])
    assert case.owner_id == service.world.people["county_centre"]
    assert TaskKind.MANDATORY_REPORT in open_tasks(service)
    # The same about a child whom nobody finds: the line is the county's as well.
    at("class_teacher").send("/worries/new", form=worry(2, **names | {"name": "谁也不叫这个"}))
    _nobody_at_the_school_knows(service, at, case)
    # The county does, and places the second one by its name.
    assert "体育老师打他" in at("county_centre").open(f"/cases/{case.id}").text
    lost = open_tasks(service)[TaskKind.WORRY_NOW]
    assert lost.owner_id == service.world.people["county_centre"]
    where = f"/worries/{lost.subject_id}"
    assert at("county_centre").open(where).status_code == 200
    nobody = at("county_centre").send(f"{where}/match", name="还是没有", class_name=CLASS)
    assert nobody.status_code == 409
    found = at("county_centre").send(f"{where}/match", name=pupil.name, class_name=CLASS)
    assert found.headers["location"] == f"/cases/{case.id}"


def test_a_talk_at_school_that_names_somebody_of_the_school_is_the_countys_as_well(service):
    """The school's own case goes on and says "unclear"; a second talk that says so again comes to the same case."""
    pupil = service.world.make_child(service.world.make_campaign("phq9"))
    service.world.submit(pupil, "phq9", answers("phq9", i1=3, i2=3, i3=3, i4=3, i5=0, i6=0, i7=0, i8=0, i9=0))
    [ours] = rows(service, Case)
    talk = {
        "held_at": service.clock.now().isoformat(),
        "channel": "in_person",
        "tier": "focus",
        "reason": "想有人听",
        "harm_answer": "school",
    }
    for _ in range(2):
        service.post("counsellor", f"/cases/{ours.id}/assessments", talk)
        service.clock.forward(timedelta(minutes=5))
    [theirs] = rows(service, Case, Case.custody == Custody.PROTECTED)
    assert (theirs.child_id, theirs.organisation_id) == (pupil.id, service.world.places["county"])
    assert theirs.owner_id == service.world.people["county_centre"]
    lines = rows(service, Task, Task.case_id == theirs.id, Task.done_at.is_(None))
    assert {TaskKind.MANDATORY_REPORT, TaskKind.SAME_DAY_TALK} <= {line.kind for line in lines}
    school = {service.world.people[who] for who in SCHOOL_PEOPLE}
    assert not [line for line in lines if school & {line.owner_id, line.backup_id}]
    assert rows(service, Notice, Notice.account_id == service.world.people["county_centre"])
    # At the school the word stands nowhere: not on the child, not in the talk.
    [child] = rows(service, Child)
    assert child.harm_answer == "unclear"
    reports = rows(service, Task, Task.kind == TaskKind.MANDATORY_REPORT, Task.case_id == ours.id)
    assert not reports
    with service.database.look() as session:
        now = service.clock.now()
        assert all("school" not in talk.record for talk in session.scalars(select(Assessment)))
        assert current_facts(session, case=session.get_one(Case, theirs.id), now=now).harm_answer == "school"
        assert check_all(session, now=now) == []


def _nobody_at_the_school_knows(service, at, case):
    ours = {service.world.people[who] for who in SCHOOL_PEOPLE}
    with service.database.look() as session:
        tasks = session.scalars(select(Task)).all()
        assert not [t for t in tasks if ours & {t.owner_id, t.backup_id}]
        assert not session.scalars(select(Notice).where(Notice.account_id.in_(ours))).all()
        assert not session.scalar(select(func.count()).select_from(Referral))
        worry_ids = session.scalars(select(Worry.id)).all()
        # What the class teacher pressed stands in the trail without the child.
        by_teacher = AuditRow.account_id == service.world.people["class_teacher"]
        assert not [row for row in session.scalars(select(AuditRow).where(by_teacher)) if row.child_id]
    for who in ("counsellor", "school_lead"):
        assert at(who).open(f"/cases/{case.id}").status_code == 404
        assert case.case_no not in at(who).open("/cases").text
        for worry_id in worry_ids:
            assert at(who).open(f"/worries/{worry_id}").status_code == 404
    for who in SCHOOL_PEOPLE:
        today = at(who).open("/today").text
        assert str(case.id) not in today
        assert "有人提出担心" not in today
    for path in ("/cases", "/crises", "/tasks", "/referrals"):
        assert str(case.id) not in str(service.get("counsellor", path))
    # The school's own work on the same child goes on beside it, and is answered as if nothing were there.
    service.post("counsellor", "/cases", {"child_id": str(case.child_id), "origin": "teacher"})


# --- the public link ---------------------------------------------------------------------------------------


@pytest.fixture
def secret(service, at) -> str:
    assert (
        at("counsellor")
        .send("/worries/link", act="make", school=str(service.world.places["school"]))
        .status_code
        == 303
    )
    page = at("counsellor").open("/worries/link").text
    assert "<svg" in page
    return re.search(r"/worry\?s=([\w-]+)", page)[1]


def stranger(service) -> Browser:
    return Browser(service.app)


def post(browser, secret, number=1, headers=SAME, **changed):
    form = worry(number, s=secret, who="self", **changed)
    return browser.client.post("/worry", data=form, headers=headers)


def test_a_stranger_with_the_link_is_heard_without_cookie_and_learns_nothing(service, at, secret):
    pupil, browser = service.world.make_child(), stranger(service)
    assert len(secret) >= 22  # 128 bits
    [link] = rows(service, WorryLink)
    assert secret.encode() not in link.digest + link.secret_sealed
    page = browser.open(f"/worry?s={secret}")
    assert page.status_code == 200
    for number in ("110", "120", "12355", "12356"):
        assert f'href="tel:{number}"' in page.text
    seen = []
    for number, name in enumerate((pupil.name, "谁也不叫这个")):
        answer = post(browser, secret, number, name=name, urgency="now")
        assert answer.status_code == 303, words(answer.text)
        seen.append((answer.headers["location"], browser.open(answer.headers["location"]).text))
    assert len({re.sub("nonce-[^']+", "", text) for _, text in seen}) == 1
    assert "13800000001" not in seen[0][1]
    assert not browser.client.cookies
    assert [(case.child_id, case.origin) for case in rows(service, Case)] == [(pupil.id, Origin.SELF)]
    assert TaskKind.WORRY_NOW in open_tasks(service)
    assert len(rows(service, CrisisEpisode)) == 1


def test_a_public_worry_about_an_adult_of_the_school_passes_the_school_by(service, at, secret):
    pupil = service.world.make_child()
    assert post(stranger(service), secret, name=pupil.name, harm_by="school").status_code == 303
    [case] = rows(service, Case)
    assert case.custody is Custody.PROTECTED
    _nobody_at_the_school_knows(service, at, case)


def test_the_public_form_keeps_what_was_typed_and_comes_from_our_page_only(service, secret):
    browser = stranger(service)
    missing = browser.client.post("/worry", data=worry(s=secret, name="小红", seen=[]), headers=SAME)
    assert missing.status_code == 422
    assert "小红" in missing.text
    assert "请选择" in missing.text or "请填写" in missing.text
    assert post(browser, secret, name="小红", headers={"Sec-Fetch-Site": "cross-site"}).status_code == 403
    assert post(browser, secret, name="小红", headers={}).status_code == 403
    # An old telephone says only where the page stood that it sends from.
    old = {"Origin": "https://testserver"}
    assert post(browser, secret, name="小红", headers=old).status_code == 303
    assert 'name="referrer" content="same-origin"' in browser.open(f"/worry?s={secret}").text
    english = browser.open(f"/worry?s={secret}&language=en").text
    assert "Who are you?" in english
    assert f"/worry?s={secret}&amp;language=en" in english


def test_a_link_that_has_ended_or_never_was_takes_nothing_and_names_the_numbers(service, at, secret):
    at("counsellor").send("/worries/link", act="make", school=str(service.world.places["school"]))
    browser = stranger(service)
    for dead in (secret, "x" * 27, ""):
        page = browser.open(f"/worry?s={dead}")
        assert page.status_code == 404
        assert "12355" in page.text
        answer = post(browser, dead, name="小红")
        assert answer.status_code == 404
        assert "小红" in answer.text
    at("school_lead").send("/worries/link", act="end", school=str(service.world.places["school"]))
    assert not [link for link in rows(service, WorryLink) if link.ended_at is None]
    other = at("counsellor").send(
        "/worries/link", act="make", school=str(service.world.places["other_school"])
    )
    assert other.status_code == 404
    assert not rows(service, Worry)


def test_strangers_are_slowed_down_by_address_and_by_link(service, secret, clock, monkeypatch):
    service.app.state.strangers = Addresses(2, timedelta(minutes=10))
    monkeypatch.setattr(worries, "MOST_BY_LINK", 3)
    browser = stranger(service)
    for number in range(2):
        assert post(browser, secret, number, name="甲").status_code == 303
    slowed = post(browser, secret, 999, name="小红")
    assert slowed.status_code == 429
    assert "小红" in slowed.text
    assert "120" in slowed.text
    clock.forward(timedelta(minutes=11))
    assert post(browser, secret, 2, name="甲").status_code == 303
    assert post(browser, secret, 999, name="小红").status_code == 409


# --- the safety talk ---------------------------------------------------------------------------------------


def talk(key: int = 1, fifth: str | None = None, **changed: Any) -> dict[str, Any]:
    """The guided page as somebody sends it: four answers of no, unless said otherwise."""
    given = {f"a_{item}": "0" for item in (1, 2, 3, 4)} | ({"a_5": fifth} if fifth else {})
    return {"key": KEY.format(key), "trained": "yes", "alone": "yes", **given, **changed}


@pytest.fixture
def asked(service):
    """A child whose sheet asks for a safety talk and nothing else (A32), and the address of the case."""
    campaign = service.world.make_campaign("phq9")
    pupil = service.world.make_child(campaign)
    service.world.submit(pupil, "phq9", answers("phq9", i9=1))
    [case] = rows(service, Case)
    assert [task.kind for task in rows(service, Task)] == [TaskKind.SAFETY_TALK]
    assert not rows(service, PlanVersion) + rows(service, Referral)
    return pupil, f"/cases/{case.id}"


def test_a33_an_acute_answer_in_the_safety_talk_is_grade_a_within_the_same_press(service, at, asked):
    pupil, case = asked
    counsellor = at("counsellor")
    assert f'href="{case}/safety-talk"' in counsellor.open(case).text
    page = counsellor.open(f"{case}/safety-talk").text
    assert page.count("data-step") >= 7  # one after the other with script, one page without
    answer = counsellor.send(f"{case}/safety-talk", form=talk(a_3="1", fifth="1", remark="说今晚不想回宿舍"))
    assert answer.status_code == 303, words(answer.text)
    [episode] = rows(service, CrisisEpisode)
    tasks = open_tasks(service, pupil.id)
    assert tasks[TaskKind.CRISIS_ACKNOWLEDGE].opened_at == episode.opened_at == service.clock.now()
    assert TaskKind.SAFETY_TALK not in tasks
    assert len(rows(service, PlanVersion)) == len(rows(service, Referral)) == 1
    assert {n.account_id for n in rows(service, Notice)} >= {service.world.people["school_lead"]}
    steps = words(counsellor.open(answer.headers["location"]).text)
    assert "13800000001" in steps
    assert "120" in steps
    seen = words(counsellor.open(case).text)
    assert "说今晚不想回宿舍" in seen
    assert "急性阳性" in seen
    assert "未达到划界分" not in seen[seen.index("ASQ") : seen.index("急性阳性")]
    # The same press twice is one talk; the sheet stands in no campaign.
    again = counsellor.send(f"{case}/safety-talk", form=talk(a_3="1", fifth="1", remark="说今晚不想回宿舍"))
    assert again.headers["location"] == answer.headers["location"]
    assert len(rows(service, SafetyTalk)) == 1
    [sheet] = rows(service, Administration, Administration.instrument == "asq")
    assert (sheet.campaign_id, sheet.mode) == (None, Mode.INTERVIEW)
    with service.database.look() as session:
        assert not check_all(session, now=service.clock.now())


@pytest.mark.parametrize("first", ["1", "-1"])
def test_a_yes_or_a_refusal_asks_for_a_talk_today(service, at, asked, first):
    pupil, case = asked
    answer = at("counsellor").send(f"{case}/safety-talk", form=talk(a_1=first, fifth="0"))
    assert answer.status_code == 303
    tasks = open_tasks(service, pupil.id)
    assert TaskKind.SAME_DAY_TALK in tasks
    assert TaskKind.SAFETY_TALK not in tasks
    assert not rows(service, CrisisEpisode)
    # A "no" later that day does not take the "yes" back.
    assert at("counsellor").send(f"{case}/safety-talk", form=talk(2)).status_code == 303
    assert TaskKind.SAME_DAY_TALK in open_tasks(service, pupil.id)
    assert "今天接着谈" in words(at("counsellor").open(answer.headers["location"]).text)


def test_a_no_leaves_the_child_where_the_score_was_and_counts_only_alone(service, at, asked):
    pupil, case = asked
    beside_others = at("counsellor").send(f"{case}/safety-talk", form=talk(alone="no"))
    assert "单独和孩子在一起时再问一次" in words(
        at("counsellor").open(beside_others.headers["location"]).text
    )
    assert TaskKind.SAFETY_TALK in open_tasks(service, pupil.id)
    alone = at("counsellor").send(f"{case}/safety-talk", form=talk(2))
    assert alone.status_code == 303
    tasks = open_tasks(service, pupil.id)
    assert tasks.keys() == {TaskKind.SECOND_ASSESSMENT}  # somebody still says how it goes on
    assert not rows(service, PlanVersion)


def test_a_question_left_out_is_asked_for_and_everything_pressed_is_kept(service, at, asked):
    _, case = asked
    missing = at("counsellor").send(f"{case}/safety-talk", form=talk(a_1="1", a_4=None, remark="很累"))
    assert missing.status_code == 422
    for kept in ("很累", 'name="a_1" value="1" checked', 'id="a_4-error"', 'id="a_5-error"'):
        assert kept in missing.text
    by_enter = at("counsellor").send(f"{case}/safety-talk", form=talk(enter="yes", remark="很累"))
    assert by_enter.status_code == 422
    assert "回车键" in by_enter.text
    assert "很累" in by_enter.text
    untrained = at("counsellor").send(f"{case}/safety-talk", form=talk(trained=None, alone=None))
    assert untrained.status_code == 422
    assert not rows(service, SafetyTalk)
    # A yes to the last question after four answers of no is odd, and rings all the same.
    assert at("counsellor").send(f"{case}/safety-talk", form=talk(fifth="1")).status_code == 303
    assert len(rows(service, CrisisEpisode)) == 1


def test_a_safety_talk_of_a_protected_case_rings_nobody_at_the_school(service, at):
    pupil = service.world.make_child(service.world.make_campaign())
    at("class_teacher").send("/worries/new", form=worry(name=pupil.name, harm_by="school"))
    [case] = rows(service, Case)
    answer = at("county_centre").send(
        f"/cases/{case.id}/safety-talk", seen=f"/cases/{case.id}", form=talk(a_1="1", fifth="1")
    )
    assert answer.status_code == 303
    assert "13800000002" in at("county_centre").open(answer.headers["location"]).text
    assert [episode.case_id for episode in rows(service, CrisisEpisode)] == [case.id]
    assert len(rows(service, Case)) == 1
    _nobody_at_the_school_knows(service, at, case)
    assert service.get("counsellor", f"/children/{pupil.id}/results") == []
    assert "目前有危险" in at("county_centre").open(f"/cases/{case.id}").text
