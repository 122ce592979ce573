"""The hotline's window, its lists, the supervisor and the receiver, as each person sees them."""

from __future__ import annotations

import re
from datetime import timedelta
from uuid import UUID

import pytest
from sqlalchemy import func, select

from referral.models.hotline import HandoverRecord, HotlineCall
from referral.models.task import Task
from referral.queries.hotline import record_of
from referral.terms import CallLevel, HandoverTo, TaskKind
from screening.core.audit import AuditEvent, AuditRow
from tests.api.web import SAME, Browser, words
from tests.factories import PASSWORD


@pytest.fixture
def at(app, world):
    """``at("hotline_operator")``: that person's browser, signed in anew whenever the clock has moved."""
    known: dict[tuple[str, str, object], Browser] = {}

    def browser(username: str, language: str = "zh") -> Browser:
        key = (username, language, world.clock.now())
        if key not in known:
            known[key] = Browser(app, language)
            assert known[key].sign_in(username, PASSWORD).status_code == 303
        return known[key]

    return browser


@pytest.fixture
def call(at):
    """The address of a call that the operator has just begun with one press."""
    answer = at("hotline_operator").send("/hotline/calls", seen="/today")
    assert answer.status_code == 303
    return answer.headers["location"]


@pytest.fixture
def press(at, call):
    """``press("hang-up", summary="…")``: a button of the window, which carries the whole form."""

    def send(step: str, who: str = "hotline_operator", sequence: int | None = None, **fields):
        browser = at(who)
        page = browser.open(call).text
        given = sequence or int(re.search(r'name="sequence" value="(\d+)"', page)[1])
        return browser.send(f"{call}/{step}", seen=call, sequence=str(given), **fields)

    return send


def the(world, model, *where):
    with world.database.look() as session:
        found = session.scalars(select(model).where(*where)).one()
        session.expunge(found)
        return found


def stored(world):
    """The one call and what its form holds."""
    with world.database.look() as session:
        found = session.scalars(select(HotlineCall).order_by(HotlineCall.started_at, HotlineCall.id)).first()
        kept = (found, record_of(found), found.level)
        session.expunge(found)
        return kept


def autosave(at, call, sequence: int, **fields):
    """What the script sends; its answer."""
    browser = at("hotline_operator")
    token = re.search(r'name="csrf_token" value="([^"]+)"', browser.open(call).text)[1]
    return browser.client.post(
        f"{call}/save",
        data={"sequence": str(sequence), **fields},
        headers={**SAME, "Accept": "application/json", "X-CSRF-Token": token},
    )


# --- one press, one window -----------------------------------------------------------------------------------------


def test_one_press_begins_a_call_and_a_second_finger_finds_the_same(at, call, world):
    operator = at("hotline_operator")
    assert "data-start-call" in operator.open("/today").text
    assert operator.send("/hotline/calls", seen="/today").headers["location"] == call
    assert stored(world)[0].ended_at is None
    page = operator.open(call).text
    assert all(f'name="level" value="{level}"' in page for level in "ABCD")
    assert "required" not in page, "nothing is mandatory while the line is open"
    for key in ("1", "2", "3", "4"):
        assert f'data-key="{key}"' in page
    assert "data-call-supervisor" in page
    for number in ("110", "120", "12356"):
        assert f'href="tel:{number}"' in page
    assert "现在有人有危险吗" in words(page)
    # Something stands in it, or two minutes have gone by: the next ring is another call.
    autosave(at, call, 1, summary="说话很轻")
    assert operator.send("/hotline/calls", seen="/today").headers["location"] != call


def test_a_button_stores_the_text_before_it_does_anything_else(press, world, at, call):
    answer = press(
        "save", level="A", summary="在楼顶", place_now="实验楼", alone="yes", strength="9", topics="mood"
    )
    assert answer.status_code == 303
    _, record, level = stored(world)
    assert (record["summary"], record["alone"], record["strength"]) == ("在楼顶", True, 9)
    assert (record["topics"], level) == (["mood"], CallLevel.A)
    page = at("hotline_operator").open(call).text
    assert ">在楼顶</textarea>" in page
    assert re.search(r'value="A" class="level level-A" aria-pressed="true"', page)
    assert the(world, Task, Task.kind == TaskKind.CALL_REVIEW).owner_id == world.people["hotline_supervisor"]
    # An empty box empties a field, a box that was not sent leaves it; a number is never shown again.
    press("save", place_now="", phone="13900000001")
    _, record, _ = stored(world)
    assert "place_now" not in record
    assert record["summary"] == "在楼顶"
    assert "13900000001" not in at("hotline_operator").open(call).text
    press("save", phone="", summary="在楼顶")
    assert stored(world)[0].phone_sealed is not None
    press("save", phone_forget="yes")
    assert stored(world)[0].phone_sealed is None


def test_a_refused_step_keeps_what_was_typed_and_says_why(press, world):
    answer = press("handovers", to="county_centre", summary="想找人谈", what_said="孩子需要有人见面")
    assert answer.status_code == 422
    assert "先定级" in words(answer.text)
    assert ">孩子需要有人见面</textarea>" in answer.text
    assert stored(world)[1]["summary"] == "想找人谈"
    answer = press("save", level="B", summary="字" * 5001)
    assert answer.status_code == 422
    assert "字" * 5001 in answer.text
    assert stored(world)[2] is CallLevel.B, "the level is not held up by a long text"
    assert press("save", sequence=10**12, summary="又说了一句").status_code == 303


def test_a_form_from_an_old_page_never_overwrites_in_silence(press, world):
    press("save", summary="第一句")
    press("save", summary="第一句,第二句")
    answer = press("save", sequence=1, summary="第一句", place_now="家里")
    assert answer.status_code == 422
    assert "第一句,第二句" in words(answer.text)
    assert ">第一句</textarea>" in answer.text
    assert stored(world)[1]["summary"] == "第一句,第二句"
    assert press("save", summary="第一句").status_code == 303
    assert stored(world)[1]["summary"] == "第一句"


def test_the_scripts_save_tells_the_state_and_arrives_in_any_order(at, call, world):
    first = autosave(at, call, 2, summary="新的", child_school="第一中学").json()
    assert first["sequence"] == 2
    assert first["refused"] == {}
    assert "白石县第一中学" in first["numbers"]
    assert "13800000001" in first["numbers"], "who is on duty there now"
    assert world.places["school"].hex in first["places"].replace("-", "")
    late = autosave(at, call, 1, summary="旧的", level="D").json()
    assert (first["behind"], late["behind"]) == ([], ["summary"]), (
        "the script sends it again with a newer number"
    )
    assert late["sequence"] == 2
    found, record, level = stored(world)
    assert (record["summary"], level) == ("新的", None), "late words and a late level change nothing"
    again = autosave(at, call, 2, summary="新的").json()
    assert (again["sequence"], stored(world)[0].version) == (2, found.version)
    answer = autosave(at, call, 3, level="A", strength="elf", phone="139\x07").json()
    assert answer["level"] == "A"
    assert set(answer["refused"]) == {"strength", "phone"}
    assert "你现在在哪里" in answer["prompts"]
    # Saving one's own open call is no news for the trail; its start is.
    with world.database.look() as session:
        reads = session.scalar(
            select(func.count()).select_from(AuditRow).where(AuditRow.event == AuditEvent.CALL_SAVE)
        )
    assert reads == 0


# --- the line is closed ------------------------------------------------------------------------------------------


def test_after_hanging_up_the_page_lists_what_is_missing_and_closes_when_nothing_is(press, world, at, call):
    answer = press("hang-up", level="D")
    assert answer.headers["location"].endswith("#afterwards")
    page = words(at("hotline_operator").open(call).text)
    assert "还要补全" in page
    assert "来电类型" in page
    assert press("close").status_code == 422
    press("save", type="information", summary="问服务时间", confidentiality_told="yes")
    page = at("hotline_operator").open(call).text
    assert "登记已补全" in words(page)
    assert f'formaction="{call}/close"' in page
    assert press("close").headers["location"] == "/hotline"
    assert the(world, HotlineCall).closed_at is not None
    shut = at("hotline_operator").open(call).text
    assert 'fieldset class="whole" disabled' in shut
    assert f'formaction="{call}' not in shut
    assert press("hang-up", sequence=90, summary="再写一句").status_code == 422


def test_ringing_back_is_planned_and_written_down(press, world, at, call):
    press("save", level="B", callback_ok="yes", phone="13900000001", summary="今晚想不开")
    press("hang-up")
    page = at("hotline_operator").open(call).text
    [first] = re.findall(rf'formaction="{call}/follow-ups/([0-9a-f-]+)">', page)[:1]
    answer = press(f"follow-ups/{first}")
    assert answer.status_code == 422, "a contact that was not made says why"
    assert press(f"follow-ups/{first}", made="yes").status_code == 303
    assert "已完成" in words(at("hotline_operator").open(call).text)
    assert press("follow-ups", cancel_reason="来电人不希望再打").status_code == 303
    assert f'formaction="{call}/follow-ups/' not in at("hotline_operator").open(call).text


# --- the supervisor ------------------------------------------------------------------------------------------------


def test_a_supervisor_is_called_comes_approves_and_reviews(press, world, at, call):
    assert press("support", summary="需要帮忙").status_code == 303
    task = the(world, Task, Task.kind == TaskKind.CALL_SUPPORT)
    assert task.owner_id == world.people["hotline_supervisor"]
    supervisor = at("hotline_supervisor")
    assert f"/hotline/tasks/{task.id}" in supervisor.open("/today").text
    assert supervisor.open(f"/hotline/tasks/{task.id}").headers["location"] == call
    assert press("join", who="hotline_operator").status_code == 403
    assert press("join", who="hotline_supervisor").status_code == 303
    assert "常静 已到线" in words(at("hotline_operator").open(call).text)
    # Confidentiality and the number: asked by one, answered by the other.
    press("save", level="B", phone="13900000001")
    press("disclosure", broken_basis="harm_to_minor", broken_reason="在家里挨打")
    press("phone")
    assert "13900000001" not in at("hotline_operator").open(f"{call}/phone").text
    page = words(supervisor.open("/hotline").text)
    assert "等您审批" in page
    assert press("disclosure/decision", who="hotline_supervisor", approved="yes").status_code == 422
    press("disclosure/decision", who="hotline_supervisor", approved="yes", decision_reason="同意")
    press("phone/approval", who="hotline_supervisor")
    found = the(world, HotlineCall)
    assert found.broken_approved_by == found.phone_approved_by == world.people["hotline_supervisor"]
    assert "13900000001" in at("hotline_operator").open(f"{call}/phone").text
    press("save", mood_of_operator="3")
    press("hang-up")
    debrief = the(world, Task, Task.kind == TaskKind.CALL_DEBRIEF)
    assert press(f"lines/{debrief.id}", who="hotline_supervisor").status_code == 422
    spoken = {f"line_words_{debrief.id}": "谈过,明晚换班"}
    assert press(f"lines/{debrief.id}", who="hotline_supervisor", **spoken).status_code == 303
    assert press("review", who="hotline_supervisor", review_words="处置妥当").status_code == 303
    assert "常静 已复核" in words(at("hotline_operator").open(call).text)
    assert call not in supervisor.open("/hotline").text.split('id="review"')[1].split("</section>")[0]


def test_lines_of_the_list_lead_to_the_call(press, world, at, call):
    press("save", level="B", phone="13900000001", callback_ok="yes", harm_by="home", summary="在家里挨打")
    press("phone")
    press("hang-up")
    with world.database.look() as session:
        lines = {task.kind: task.id for task in session.scalars(select(Task))}
    wanted = {TaskKind.CALL_FINISH, TaskKind.CALL_REVIEW, TaskKind.CALL_DISCLOSURE, TaskKind.CALL_FOLLOW_UP}
    assert wanted | {TaskKind.MANDATORY_REPORT} <= lines.keys()
    for kind, task_id in lines.items():
        who = (
            "hotline_supervisor"
            if kind in (TaskKind.CALL_REVIEW, TaskKind.CALL_DISCLOSURE)
            else "hotline_operator"
        )
        assert at(who).open(f"/hotline/tasks/{task_id}").headers["location"] == call, kind
    assert f"/hotline/tasks/{lines[TaskKind.CALL_FINISH]}" in at("hotline_operator").open("/today").text


# --- the receiver --------------------------------------------------------------------------------------------------


def test_the_receiver_reads_takes_and_writes_back_and_the_hotline_hears_it(press, world, at, call):
    press(
        "save",
        level="B",
        caller="peer",
        caller_name="小林同学",
        child_school="第一中学",
        summary="同学说今晚想不开",
    )
    school = str(world.places["school"])
    handed = press(
        "handovers", to="school_duty", agreed="yes", what_said="一位学生今晚需要有人陪", place=school
    )
    assert handed.status_code == 303, words(handed.text)
    row = the(world, HandoverRecord)
    assert "还没有人确认接收" in words(at("hotline_operator").open("/hotline").text)
    where = f"/hotline/handovers/{row.id}"
    lead = at("school_lead")  # on duty: the line is theirs
    assert where in lead.open("/today").text
    assert "立即处理" in words(lead.open("/today").text)
    page = words(lead.open(where).text)
    assert "一位学生今晚需要有人陪" in page
    assert "小林" not in page
    assert "同学说今晚想不开" not in page, "what was said to the line stays there"
    assert at("other_counsellor").open(where).status_code == 404
    assert at("class_teacher").open(where).status_code == 403
    assert "一小时内" in words(at("counsellor").open("/hotline/handovers").text)
    assert lead.send(f"{where}/acknowledge", seen=where).status_code == 303
    assert at("counsellor").send(f"{where}/acknowledge", seen=where).status_code == 303
    assert the(world, HandoverRecord).acknowledged_by == world.people["school_lead"], "the first press counts"
    assert "周以宁" in words(at("hotline_operator").open(call).text)
    assert lead.send(f"{where}/result", seen=where, result="other").status_code == 422
    assert lead.send(f"{where}/result", seen=where).status_code == 422
    assert lead.send(f"{where}/result", seen=where, result="reached", words="已陪在身边").status_code == 303
    heard = words(at("hotline_operator").open("/hotline").text)
    assert "已联系到" in heard
    assert "已陪在身边" in heard


def test_what_was_told_on_the_telephone_is_written_down_by_the_operator(press, world, at, call):
    press("save", level="B", child_county="白石县", harm_by="school", summary="老师动手")
    refused = press(
        "handovers", to="school_duty", agreed="yes", what_said="有人受伤", place=str(world.places["school"])
    )
    assert refused.status_code == 422
    found = press("places", place_search="第七医院")
    assert found.status_code == 200
    assert str(world.places["other_clinic"]) in found.text
    county = {
        "to": "county_centre",
        "agreed": "yes",
        "what_said": "孩子在学校受伤",
        "place": str(world.places["county"]),
    }
    assert press("handovers", **county).status_code == 303
    row = the(world, HandoverRecord)
    assert at("counsellor").open(f"/hotline/handovers/{row.id}").status_code == 404
    assert press(f"handovers/{row.id}/acknowledged").status_code == 422
    assert press(f"handovers/{row.id}/acknowledged", **{f"taken_by_{row.id}": "沈老师"}).status_code == 303
    told = {f"result_{row.id}": "reached", f"result_words_{row.id}": "已见到孩子"}
    assert press(f"handovers/{row.id}/result", **told).status_code == 303
    assert "已见到孩子" in words(at("hotline_operator").open(call).text)
    clinic = {
        "to": "clinic",
        "agreed": "yes",
        "what_said": "请今晚接诊",
        "place": str(world.places["clinic"]),
    }
    assert press("handovers", **clinic).status_code == 303
    # A tired finger: the same press of the same page is one handover, the same press of a newer page is another.
    rung = {"rung": "police_110", "received_by": "指挥中心", "agreed": "yes"}
    for once in ("the-page-of-the-first-press", "the-page-of-the-first-press", "the-page-of-another-press"):
        assert press("handovers", once=once, **rung).status_code == 303
    assert "指挥中心" in words(at("hotline_operator").open(call).text)
    with world.database.look() as session:
        to = list(session.scalars(select(HandoverRecord.to)))
        assert to.count(HandoverTo.POLICE_110) == 2
        line = session.scalars(
            select(Task).where(Task.kind == TaskKind.HANDOVER_ACKNOWLEDGE, Task.done_at.is_(None))
        ).one()
        clinic_line = line.subject_id
    assert f"/hotline/handovers/{clinic_line}" in at("clinic_intake").open("/today").text


def test_pages_are_in_both_languages_and_hold_no_name_in_an_address(press, at, call):
    press("save", level="A", child_name="王小一", summary="王小一在桥上")
    english = at("hotline_operator", "en").open(call)
    assert "To ask next" in words(english.text)
    assert "王小一" not in call
    assert not re.findall(r'(?:href|formaction|action)="[^"]*王', english.text)
    title = re.search(r"<title>(.*?)</title>", at("hotline_operator").open(call).text, re.DOTALL)[1]
    assert "王" not in title


def test_another_hotline_and_other_posts_see_nothing(at, call, world):
    for who in ("counsellor", "county_centre", "sysadmin"):
        assert at(who).open(call).status_code == 403
        assert at(who).open("/hotline").status_code == 403
    assert at("hotline_supervisor").open(call).status_code == 200
    unknown = call[:-12] + "0" * 12
    assert at("hotline_operator").open(unknown).status_code == 404
    assert UUID(call.rsplit("/", 1)[1]).version


def test_a_call_from_last_night_is_another_call(at, call, world):
    world.clock.forward(timedelta(minutes=3))
    assert at("hotline_operator").send("/hotline/calls", seen="/today").headers["location"] != call


def test_every_request_of_the_line_goes_before_the_others(app):
    """RL7: a route of the hotline opens its transaction in the crisis lane."""
    from fastapi.routing import iter_route_contexts

    from api import deps

    def inside(dependant):
        return {dependant.call, *(call for each in dependant.dependencies for call in inside(each))}

    found = {
        context.path: inside(context.original_route.dependant)
        for context in iter_route_contexts(app.routes)
        if "/hotline" in getattr(context, "path", "")
    }
    assert len(found) > 40
    assert not [
        path for path, calls in found.items() if deps.get_session in calls or deps.get_bulk_session in calls
    ]
    assert all(deps.get_crisis_session in calls for calls in found.values())
