"""Acceptance scenarios of the 12355 line, over HTTP, from the first second of a call to its end."""

from __future__ import annotations

import re
from datetime import timedelta

import pytest
from sqlalchemy import func, select

from referral.models.case import Case
from referral.models.hotline import HandoverRecord, HotlineCall, HotlineLink, KnownChildLookup
from referral.models.task import Task
from referral.queries.hotline import hotline_events
from referral.terms import TaskKind
from screening.core.actor import Actor
from screening.core.audit import AuditRow
from screening.core.clock import LOCAL
from screening.models.child import Child
from tests.api.web import Browser, words
from tests.factories import PASSWORD
from tests.journeys.service import Service

OPERATOR, SUPERVISOR = "hotline_operator", "hotline_supervisor"
HOTLINE = "/hotline"


@pytest.fixture
def service(settings, database, clock):
    made = Service(settings, database, clock)
    yield made
    made.close()


def browser(service: Service, who: str) -> Browser:
    """This person, signed in anew."""
    made = Browser(service.app)
    assert made.sign_in(who, PASSWORD).status_code == 303
    return made


def press(desk: Browser, call: str, step: str, **fields: str) -> int:
    """One button of the window; the answer's status."""
    sequence = re.search(r'name="sequence" value="(\d+)"', desk.open(call).text)
    assert sequence
    return desk.send(f"{call}/{step}", seen=call, sequence=sequence[1], **fields).status_code


def count(service: Service, model) -> int:
    with service.database.look() as session:
        return session.scalar(select(func.count()).select_from(model))


def test_a19_anonymous_call_of_level_a_is_saved_handed_over_and_closed_without_a_name(service):
    """Anonymous to the end: police and ambulance with their times, and no child's file is touched."""
    pupil = service.world.make_child(name="安小满")
    desk = browser(service, OPERATOR)
    call = desk.send("/hotline/calls", seen="/today").headers["location"]
    assert press(desk, call, "save", level="A") == 303
    assert (
        press(desk, call, "save", summary="在桥上,不愿说姓名", place_now="河东大桥中段", strength="9") == 303
    )
    rung = service.clock.now()
    assert press(desk, call, "handovers", rung="ambulance_120", received_by="调度台") == 303
    service.clock.forward(timedelta(minutes=2))
    desk = browser(service, OPERATOR)
    police = {
        "to": "police_110",
        "received_by": "指挥中心",
        "phoned_at": rung.astimezone(LOCAL).strftime("%Y-%m-%dT%H:%M"),
    }
    assert press(desk, call, "handovers", **police) == 303
    with service.database.look() as session:
        rows = session.scalars(select(HandoverRecord).order_by(HandoverRecord.sent_at)).all()
        assert [row.to.value for row in rows] == ["ambulance_120", "police_110"]
        assert [row.phoned_at for row in rows] == [rung, rung]
        assert all(row.acknowledged_at == rung for row in rows)
        assert {row.where_now for row in rows} == {"河东大桥中段"}
    page = words(desk.open(call).text)
    assert "调度台" in page
    assert "指挥中心" in page
    # The line is closed; what the form still asks for is filled in, and others do their part.
    assert press(desk, call, "hang-up") == 303
    assert press(desk, call, "save", type="crisis", hopeless="8", confidentiality_told="no") == 303
    lead = browser(service, SUPERVISOR)
    assert press(lead, call, "disclosure/decision", approved="yes", decision_reason="危及生命") == 303
    assert press(lead, call, "review", review_words="处置及时") == 303
    assert press(desk, call, "close") == 303
    with service.database.look() as session:
        closed = session.scalars(select(HotlineCall)).one()
        assert closed.closed_at is not None
        assert (closed.caller, closed.phone_sealed) == (None, None)
        assert not session.scalars(
            select(Task.id).where(Task.subject_id == closed.id, Task.done_at.is_(None))
        ).all()
        touched = session.scalars(
            select(AuditRow.event).where(AuditRow.child_id == pupil.id, AuditRow.at >= rung)
        ).all()
        assert not [event for event in touched if event.startswith(("call.", "child.lookup", "handover."))]
    assert [count(service, model) for model in (Case, HotlineLink, KnownChildLookup)] == [0, 0, 0]


def test_a20_peer_calls_about_a_friend_who_is_found_linked_and_unlinked(service):
    """Name and school agree with one pupil: a number on duty and nothing more; an event on the file, undone again."""
    pupil = service.world.make_child(name="安小满")
    service.world.make_child(name="安小满", school="other_school")
    call = service.post(OPERATOR, f"{HOTLINE}/calls", {})
    at = f"{HOTLINE}/calls/{call['id']}"
    fields = {
        "caller": "peer",
        "about_caller": False,
        "child_name": "安小满",
        "summary": "朋友说周末不想活了",
    }
    service.client.put(
        f"/api/v1{at}/form", headers=service.headers(OPERATOR), json={"sequence": 1, "fields": fields}
    )
    service.client.put(f"/api/v1{at}/level", headers=service.headers(OPERATOR), json={"level": "B"})
    # A name alone asks the county; with the school there is one match, and no more is said than whom to ring.
    assert service.post(OPERATOR, f"{at}/look-ups", {"name": "安小满"})["answer"] == "ask_county"
    service.clock.forward(timedelta(seconds=20))
    known = service.post(OPERATOR, f"{at}/look-ups", {"name": "安小满", "school": "第一中学"})
    assert known.keys() == {"answer", "duty_phone", "county", "lookup_id"}
    assert (known["answer"], known["duty_phone"]) == ("one_match", "13800000001")
    desk = browser(service, OPERATOR)
    page = desk.open(f"/hotline/calls/{call['id']}").text
    assert "13800000001" in page
    assert str(pupil.id) not in page
    assert "白石县第一中学" not in page, (
        "the operator has not written the school down: the page does not say it"
    )
    # The link: an event on the child's file and nothing else there.
    before = file_of(service, pupil)
    assert press(desk, f"/hotline/calls/{call['id']}", "link", lookup=known["lookup_id"]) == 303
    assert events(service, pupil) == [False]
    assert file_of(service, pupil) == before
    assert count(service, Case) == 0
    # Undone with a reason: both events stay, the call stands where it stood.
    assert press(desk, f"/hotline/calls/{call['id']}", "unlink") == 422
    assert press(desk, f"/hotline/calls/{call['id']}", "unlink", unlink_reason="同名,不是这名学生") == 303
    assert events(service, pupil) == [False, True]
    assert file_of(service, pupil) == before
    shown = service.get(OPERATOR, at)
    assert (shown["linked"], shown["status"]) == (False, "unlinked")
    assert "安小满" not in str(service.get(OPERATOR, f"{HOTLINE}/calls"))
    # Linked again and handed over, the case opens; unlinked once more, its owner is asked to look.
    service.post(OPERATOR, f"{at}/link", {"lookup_id": known["lookup_id"]})
    handed = service.post(
        OPERATOR,
        f"{at}/handovers",
        {"to": "school_duty", "agreed": "yes", "what_said": "一位学生周末可能有危险"},
    )
    assert "白石县第一中学" not in str(handed)
    assert count(service, Case) == 1
    received = service.get("school_lead", f"{HOTLINE}/handovers/{handed['id']}")
    assert received["case_id"]
    service.post("school_lead", f"{HOTLINE}/handovers/{handed['id']}/acknowledge")
    service.post("school_lead", f"{HOTLINE}/handovers/{handed['id']}/result", {"result": "already_known"})
    assert service.get(OPERATOR, f"{HOTLINE}/handovers/own")[0]["result"] == "already_known"
    service.post(OPERATOR, f"{at}/unlink", {"reason": "核实后不是这名学生"})
    with service.database.look() as session:
        asked = session.scalars(select(Task).where(Task.kind == TaskKind.CALL_UNLINKED)).one()
        assert asked.child_id == pupil.id
        assert asked.done_at is None
    assert events(service, pupil) == [False, True, False, True]


def file_of(service: Service, pupil) -> tuple[object, ...]:
    """The child's own row."""
    with service.database.look() as session:
        child = session.get_one(Child, pupil.id)
        return (child.name, child.organisation_id, child.birth_date)


def events(service: Service, pupil) -> list[bool]:
    """The hotline's events on the file: was it undone?"""
    with service.database.look() as session:
        child = session.get_one(Child, pupil.id)
        return [each.undone for each in hotline_events(session, actor=Actor.system(), child=child)]
