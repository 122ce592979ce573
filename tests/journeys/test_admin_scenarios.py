"""What the administrator, the district and the facility's lead do at their pages, from one end to the other."""

from __future__ import annotations

import re
from datetime import timedelta
from html import unescape

import pytest
from sqlalchemy import func, or_, select

from api.cli import check
from referral.actions import departures
from referral.models.case import Case
from referral.models.notice import Notice
from referral.models.referral import Facility
from referral.models.task import Task
from referral.terms import Tier
from screening.core.audit import AuditEvent, AuditRow
from screening.core.clock import FixedClock
from screening.models.account import Account, RoleGrant
from screening.models.organisation import DutyEntry
from screening.queries.accounts import find_account
from tests.api.web import SAME, Browser, words
from tests.factories import PASSWORD, answers, spread
from tests.journeys.service import Service

HIDDEN = re.compile(r'<input type="hidden" name="([^"]+)" value="([^"]*)"')
START_PASSWORD = re.compile(r"<code>([a-z2-9]{4}(?:-[a-z2-9]{4}){3})</code>")


class NoPrinter:
    """Nothing is printed in these scenes."""

    def close(self) -> None: ...


@pytest.fixture
def service(settings, database, clock: FixedClock):
    made = Service(settings, database, clock, NoPrinter())
    yield made
    made.close()


def browser_of(service: Service, who: str, password: str = PASSWORD) -> Browser:
    browser = Browser(service.app)
    assert browser.sign_in(who, password).status_code == 303, who
    return browser


def one(service: Service, model, *where):
    with service.database.look() as session:
        found = session.scalars(select(model).where(*where)).one()
        session.expunge(found)
        return found


def owners(service: Service) -> dict[str, int]:
    """How many open cases each user name owns."""
    with service.database.look() as session:
        rows = session.execute(
            select(Account.username, func.count())
            .join(Case, Case.owner_id == Account.id)
            .where(Case.closed_at.is_(None))
            .group_by(Account.username)
        )
        return {row[0]: row[1] for row in rows}


def seven_cases(service: Service) -> list[str]:
    """Seven open cases of one counsellor: one in danger, one under focus, five others. The names of the children."""
    world = service.world
    campaign = world.make_campaign()
    pupils = [world.make_child(campaign) for _ in range(7)]
    world.submit(pupils[0], "asq", answers("asq", i1=1, i5=1))
    for pupil in pupils[1:]:
        world.submit(pupil, "phq9", spread("phq9", 21, i9=0))
    focus = one(service, Case, Case.child_id == pupils[1].id)
    service.post(
        "counsellor",
        f"/cases/{focus.id}/assessments",
        {
            "held_at": service.clock.now().isoformat(),
            "channel": "in_person",
            "tier": "focus",
            "reason": "情绪低落两周",
        },
    )
    return [pupil.name for pupil in pupils]


def test_a17_an_account_with_open_cases_is_not_closed_until_they_are_handed_over(service):
    names = seven_cases(service)
    world = service.world
    leaver = world.people["counsellor"]
    at = f"/accounts/{leaver}"
    assert owners(service) == {"counsellor": 7}
    admin = browser_of(service, "sysadmin")

    # Pressed: refused, and what is urgent has a live owner in the same moment.
    refused = admin.send(f"{at}/disable", seen=at)
    assert refused.status_code == 409
    assert "此人名下还有未办结的工作" in refused.text
    assert owners(service) == {"counsellor": 5, "school_lead": 2}
    assert one(service, Account, Account.id == leaver).disabled_at is None
    with service.database.look() as session:
        urgent = session.scalars(select(Case).where(Case.owner_id == world.people["school_lead"])).all()
        assert {case.tier for case in urgent} == {None, Tier.FOCUS}
        left = session.scalars(
            select(func.count())
            .select_from(Task)
            .where(
                Task.case_id.in_([case.id for case in urgent]),
                Task.owner_id == leaver,
                Task.done_at.is_(None),
            )
        ).one()
        told = session.scalars(
            select(func.count()).select_from(Notice).where(Notice.account_id == world.people["school_lead"])
        ).one()
        assert (left, told >= 2) == (0, True)
    # The administrator reads counts and no child.
    assert not [name for name in names if name in refused.text]

    # A successor: account and post, by the pages; nobody chooses the password.
    opened = admin.send("/accounts", seen="/accounts", username="jiang", name="江采薇")
    start = START_PASSWORD.search(opened.text)[1]
    with service.database.look() as session:
        successor = find_account(session, username="jiang").id
    post = {
        "role": "counsellor",
        "organisation": str(world.places["school"]),
        "valid_from": world.clock.today().isoformat(),
        "approved_by": "principal",
        "reason": "接任心理教师",
    }
    mine = admin.send(f"/accounts/{successor}/grants", seen=at, **(post | {"approved_by": "sysadmin"}))
    assert (mine.status_code, "接任心理教师" in mine.text) == (422, True)
    assert admin.send(f"/accounts/{successor}/grants", seen=at, **post).status_code == 303

    # Twice the same: the second press finds nothing to move.
    for _ in range(2):
        handed = admin.send(f"{at}/handover", seen=at, place=str(world.places["school"]), to=str(successor))
        assert handed.status_code == 303
    assert owners(service) == {"jiang": 5, "school_lead": 2}

    leaving = browser_of(service, "counsellor")
    assert leaving.open("/today").status_code == 200
    assert admin.send(f"{at}/disable", seen=at).status_code == 303
    assert leaving.open("/today").status_code == 401
    with service.database.look() as session:
        assert not session.scalars(
            select(Case.id).where((Case.owner_id == leaver) | (Case.backup_id == leaver))
        ).all()
        assert not session.scalars(
            select(Task.id).where(
                (Task.owner_id == leaver) | (Task.backup_id == leaver), Task.done_at.is_(None)
            )
        ).all()
        assert not session.scalars(
            select(DutyEntry.id).where(
                DutyEntry.account_id == leaver, DutyEntry.ends_at > service.clock.now()
            )
        ).all()
        assert check.things_without_a_live_owner(session, service.clock.now()) == []
        events = set(session.scalars(select(AuditRow.event)))
        assert {
            AuditEvent.ACCOUNT_OPEN,
            AuditEvent.ROLE_GRANT,
            AuditEvent.WORK_HAND_OVER,
            AuditEvent.ACCOUNT_DISABLE,
        } <= events
    first = Browser(service.app)
    assert first.sign_in("jiang", start).status_code == 303
    assert "新密码" in first.open("/today").text  # nothing else before it is their own


def test_a_post_that_ends_by_its_date_leaves_nothing_behind(service):
    """Nobody presses anything: the day after, everything is the lead's, once; the lead's own post ended too means
    the next above. What another post covers stays."""
    seven_cases(service)
    world = service.world

    def end_today(who: str) -> None:
        with service.database.begin() as session:
            for grant in session.scalars(select(RoleGrant).where(RoleGrant.account_id == world.people[who])):
                grant.valid_to = world.clock.today()

    def move_on() -> int:
        with service.database.begin() as session:
            return departures.release_ended_posts(session, now=service.clock.now())

    end_today("counsellor")
    assert move_on() == 0  # the last day of a post is a day of it
    service.clock.forward(timedelta(days=1))
    with service.database.look() as session:
        assert check.things_without_a_live_owner(session, service.clock.now())
    assert move_on() > 0
    assert owners(service) == {"school_lead": 7}
    with service.database.look() as session:
        gone = world.people["counsellor"]
        assert not session.scalars(select(Case.id).where(Case.backup_id == gone)).all()
        assert not session.scalars(
            select(Task.id).where(or_(Task.owner_id == gone, Task.backup_id == gone), Task.done_at.is_(None))
        ).all()
        assert check.things_without_a_live_owner(session, service.clock.now()) == []
    assert move_on() == 0

    for who in ("school_lead", "principal", "class_teacher", "entry_clerk"):
        if who in world.people:
            end_today(who)
    service.clock.forward(timedelta(days=1))
    move_on()
    assert set(owners(service)) == {"county_centre"}
    assert move_on() == 0


def test_a_role_is_given_only_after_a_fresh_sign_in_and_the_typed_text_is_kept(service):
    """AU8: five minutes later the page asks who is there, and goes on with what was typed."""
    admin, world = browser_of(service, "sysadmin"), service.world
    at = f"/accounts/{world.people['entry_clerk']}"
    service.clock.forward(timedelta(minutes=6))
    post = {
        "role": "class_teacher",
        "organisation": str(world.places["school"]),
        "valid_from": world.clock.today().isoformat(),
        "approved_by": "principal",
        "reason": "兼任二班班主任",
    }
    asked = admin.send(f"{at}/grants", seen=at, **post)
    assert (asked.status_code, 'action="/sign-in/again"' in asked.text) == (403, True)
    fields = {name: unescape(value) for name, value in HIDDEN.findall(asked.text) if name != "back"}
    assert fields["kept.reason"] == "兼任二班班主任"

    wrong = admin.client.post("/sign-in/again", data={**fields, "password": "not mine at all"}, headers=SAME)
    assert (wrong.status_code, "兼任二班班主任" in wrong.text, "not mine" in wrong.text) == (422, True, False)

    again = admin.client.post("/sign-in/again", data={**fields, "password": PASSWORD}, headers=SAME)
    assert again.status_code == 200, again.text
    onward = {name: unescape(value) for name, value in HIDDEN.findall(again.text) if name != "back"}
    assert {name: onward[name] for name in post} == post
    done = admin.client.post(f"{at}/grants", data=onward, headers=SAME)
    assert done.status_code == 303
    assert "班主任 · " in words(admin.open("/accounts?q=entry_clerk").text)


def test_what_is_late_is_a_number_above_the_school_and_a_nudge_rings_below(service):
    """Field guide §4: no name, no content; a second nudge within four hours is refused."""
    world = service.world
    pupil = world.make_child(world.make_campaign())
    world.submit(pupil, "phq9", spread("phq9", 21, i9=0))
    case = one(service, Case, Case.child_id == pupil.id)
    service.clock.forward(timedelta(days=9))
    officer = browser_of(service, "edu_officer")
    page = officer.open("/overdue")
    assert (case.case_no in page.text, pupil.name in page.text) == (True, False)
    task = re.search(r"/overdue/([0-9a-f-]{36})/nudge", page.text)[1]
    before = service.get("counsellor", "/notices")
    assert officer.send(f"/overdue/{task}/nudge", seen="/overdue").status_code == 303
    assert len(service.get("counsellor", "/notices")) == len(before) + 1
    assert officer.send(f"/overdue/{task}/nudge", seen="/overdue").status_code == 409
    # A school of another area is not on the list, and its lines cannot be rung.
    city = browser_of(service, "city_officer")
    assert city.open("/overdue").status_code == 200


def test_a_district_is_set_by_two_people_and_unseen_release_needs_an_agreement(service):
    """Decisions 2 and 19, with the preview before anything is saved."""
    first, second = browser_of(service, "edu_officer"), browser_of(service, "second_officer")
    wish = {"base_rate": "12", "release": "at_once"}
    shown = first.send("/district/preview", seen="/district", **wish)
    assert "按 12%" in words(shown.text)
    assert 'formaction="/district/proposal"' in shown.text
    refused = first.send("/district/proposal", seen="/district", **wish)
    assert (refused.status_code, "须先登记与医疗机构的协议" in refused.text) == (422, True)

    until = (service.clock.today() + timedelta(days=200)).isoformat()
    agreement = {
        "facility": str(service.world.places["clinic"]),
        "mode": "at_once",
        "weekly_limit": "6",
        "agreed_by": "院办与县教育局",
        "valid_to": until,
    }
    assert first.send("/district/agreements", seen="/district", **agreement).status_code == 303
    assert first.send("/district/proposal", seen="/district", **wish).status_code == 303
    version = re.search(r'name="proposal" value="(\d+)"', second.open("/district").text)[1]
    assert first.send("/district/approval", seen="/district", proposal=version).status_code == 409
    assert second.send("/district/approval", seen="/district", proposal=version).status_code == 303
    assert "12 %" in words(first.open("/district").text)

    # The facility reads what was agreed, and opens places of its own accord.
    lead = browser_of(service, "facility_lead")
    assert "院办与县教育局" in lead.open("/facility").text
    wrong = lead.send("/facility", seen="/facility", weekly_slots="many", triage_per_week="5")
    assert (wrong.status_code, 'value="many"' in wrong.text) == (422, True)
    assert lead.send("/facility", seen="/facility", weekly_slots="12", triage_per_week="5").status_code == 303
    facility = one(service, Facility, Facility.organisation_id == service.world.places["clinic"])
    assert (facility.weekly_slots, facility.triage_per_week) == (12, 5)


def test_the_principal_and_county_duty_take_a_crisis_on_its_card(service):
    """They open no case; the crisis itself opens its card to whoever is called to it (field guide §1)."""
    world = service.world
    pupil = world.make_child(world.make_campaign())
    world.submit(pupil, "asq", answers("asq", i1=1, i5=1))
    principal = browser_of(service, "principal")
    listed = principal.open("/crises")
    assert pupil.name in listed.text
    card = re.search(r'href="(/crises/[0-9a-f-]{36})"', listed.text)[1]
    assert "13900000001" in principal.open(card).text
    assert principal.send(f"{card}/take", seen=card).status_code == 303
    step = {"step": "child_safe", "result": "done", "remark": "在心理辅导室,班主任陪同"}
    assert principal.send(f"{card}/steps", seen=card, **step).status_code == 303
    assert "班主任陪同" in principal.open(card).text
    assert principal.send(f"{card}/stand-down", seen=card).status_code == 403
    # Their own lines lead to the card and not to a case that is closed to them.
    today = principal.open("/today").text
    assert "/cases/" not in today
    # Who is not called finds nothing.
    assert browser_of(service, "other_counsellor").open(card).status_code == 404
