"""The reply page for strangers, and what the school sees of it: nothing personal, one answer for every wrong code."""

from __future__ import annotations

import json
import re
from datetime import timedelta

import pytest
from sqlalchemy import func, select

from referral.models.referral import Referral
from referral.models.reply import FacilityCode, ReferralReply
from referral.terms import ReferralStatus, TaskKind
from screening.core.actor import Role
from screening.core.audit import AuditEvent, AuditRow
from tests.api.conftest import PASSWORD
from tests.api.web import SAME, Browser, words
from tests.referral.county import County, furnished, phq9

RARE = "王䶮𬍡㛃彧玥〇"
NOTE = {
    "what": "return_note",
    "visit_on": "2026-10-14",
    "outcome": "outpatient_care",
    "finding": "needs_care",
    "risk_now": "low",
    "attendance": "full",
    "school_advice": "作业适当减量",
    "warning_signs": "说到不想活",
    "contact": "0571-1",
    "clinician": RARE,
    "guardian_agreed": "yes",
}


@pytest.fixture
def county(database, clock, password_hash) -> County:
    county = furnished(database, clock, password_hash=password_hash)
    with database.begin() as session:
        county.hire(session, "head", "石磊", Role.FACILITY_LEAD, "clinic", password_hash)
    return county


@pytest.fixture
def sent(county):
    """A child whose referral has left; form number, token and code as they stand on the note."""
    [pupil] = county.enrol()
    county.submit(pupil, "phq9", phq9(total=20))
    county.assess(pupil, send=True)
    return pupil


@pytest.fixture
def note(county, sent) -> dict[str, str]:
    with county.database.look() as session:
        return json.loads(county.referrals(session, sent)[-1].frozen)


@pytest.fixture
def stranger(app) -> Browser:
    """Somebody's telephone."""
    return Browser(app)


def post(browser, path, **fields):
    return browser.client.post(path, data=fields, headers=SAME)


def signed_in(app, who: str, language: str = "zh") -> Browser:
    browser = Browser(app, language)
    assert browser.sign_in(who, PASSWORD).status_code == 303
    return browser


def count(county, model) -> int:
    with county.database.look() as session:
        return session.scalar(select(func.count()).select_from(model))


def said(answer) -> tuple[int, str]:
    """Status and words of an answer, without the number of its request."""
    return answer.status_code, re.sub(r"\b[0-9a-f]{16}\b", "", words(answer.text))


def test_the_page_of_a_note_shows_its_number_and_no_child(stranger, county, sent, note):
    answer = stranger.open(f"/r/{note['reply_token']}")
    assert answer.status_code == 200
    assert answer.headers["cache-control"] == "no-store"
    assert "set-cookie" not in answer.headers
    shown = words(answer.text)
    for wanted in (note["form_no"], "白石县人民医院", "加急", "10月15日", "学校拨打"):
        assert wanted in shown
    for hidden in (sent.name, note["stub"]["guardian_name"], note["out"]["guardian_phone"], note["school"]):
        assert hidden not in answer.text
    assert 'lang="zh"' in answer.text
    assert answer.text.count("<script") == 1  # one script of ours that adds comfort; forms work without
    english = Browser(stranger.client.app, "en").open(f"/r/{note['reply_token']}")
    assert "Answer a referral note" in words(english.text)
    with county.database.look() as session:
        opened = session.scalars(select(AuditRow).where(AuditRow.event == AuditEvent.REPLY_OPEN)).all()
        assert {row.account_id for row in opened} == {None}


def test_unknown_wrong_and_ended_are_answered_alike(stranger, county, sent, note):
    number, code, token = note["form_no"], note["reply_code"], note["reply_token"]
    answers = [
        said(stranger.open("/r/" + "0" * 26)),
        said(stranger.open("/r/short")),
        said(stranger.open("/r/" + "A" * 3000)),
        said(stranger.open("/r/%00%F0%9F%92%A3")),
        said(post(stranger, "/r/" + "0" * 26, what="received")),
        said(post(stranger, "/r", number=number, code="0123456789")),
        said(post(stranger, "/r", number="000000000", code=code)),
        said(post(stranger, "/r", number="<b>", code="〇" * 30)),
    ]
    assert post(stranger, "/r", number=f" {number.lower()} ", code=code).headers["location"] == f"/r/{token}"
    where = f"/cases/{case_id(county)}"
    browser = signed_in(stranger.client.app, "counsellor")
    browser.send(f"{where}/referral/withdraw", seen=where, reason="已自行就诊")
    answers += [
        said(stranger.open(f"/r/{token}")),
        said(post(stranger, f"/r/{token}", what="received")),
        said(post(stranger, "/r", number=number, code=code)),
    ]
    assert {status for status, _ in answers} == {404}
    assert len(set(answers)) == 1, set(answers)
    assert count(county, ReferralReply) == 0


def case_id(county) -> str:
    with county.database.look() as session:
        return str(session.scalars(select(Referral.case_id)).one())


def test_nothing_sent_to_it_is_a_fault_of_ours(stranger, county, note):
    page = f"/r/{note['reply_token']}"
    for fields in (
        {},
        {"what": "x"},
        {"what": "appointment"},
        {"what": "appointment", "at": "soon", "place": "三楼"},
        {"what": "appointment", "at": "2026-10-13T09:00", "place": "三楼"},
        {"what": "appointment", "at": "2026-10-16T09:00", "place": "长" * 500},
        {"what": "appointment", "at": "2026-10-16T09:00", "place": "\u202e三楼"},
        {"what": "did_not_come", "missed_at": "9999-12-31T23:59"},
        {"what": "did_not_come", "reason": "other"},
        {**NOTE, "facility_code": "x", "visit_on": "0001-01-01", "next_visit_on": "0000"},
    ):
        answer = post(stranger, page, **fields)
        assert answer.status_code == 422, (fields, answer.status_code)
        assert answer.headers["cache-control"] == "no-store"
    for body in (b"x", b"what=received&what=appointment", b"\xff\xfe", b"a=1&" * 500):
        answer = stranger.client.post(
            page, content=body, headers={**SAME, "Content-Type": "application/x-www-form-urlencoded"}
        )
        assert answer.status_code < 500
    assert stranger.client.post(page, data={"what": "received"}, headers={"Sec-Fetch-Site": "cross-site"}
    ).status_code == 403  # fmt: skip
    assert count(county, ReferralReply) <= 1


def test_too_many_from_one_address_wait(stranger, note):
    for _ in range(30):
        assert stranger.open("/r/" + "0" * 26).status_code == 404
    page = f"/r/{note['reply_token']}"
    for answer in (
        stranger.open(page),
        post(stranger, page, what="received"),
        post(stranger, "/r", number=note["form_no"], code=note["reply_code"]),
    ):
        assert answer.status_code == 429
        assert int(answer.headers["retry-after"]) > 0
    stranger.client.app.state.clock.forward(timedelta(minutes=2))
    assert stranger.open(page).status_code == 200


def test_a_reply_is_verified_on_the_case_and_then_counts(app, stranger, county, sent, note):
    page = f"/r/{note['reply_token']}"
    answer = post(stranger, page, what="appointment", at="2026-10-16T09:00", place=f"三楼 找{RARE}")
    assert (answer.status_code, answer.headers["location"]) == (303, f"{page}?thanks=1")
    assert "谢谢" in words(stranger.open(answer.headers["location"]).text)
    where = f"/cases/{case_id(county)}"
    browser = signed_in(app, "counsellor")
    assert "核实未登录回复" in words(browser.open("/today").text)
    shown = browser.open(where).text
    for wanted in ("未核验", "0571-0000001", f"三楼 找{RARE}", "已电话核实"):
        assert wanted in shown
    [reply] = set(re.findall(rf"{where}/replies/([0-9a-f-]+)/confirm", shown))
    assert browser.send(f"{where}/replies/{reply}/confirm", seen=where, with_whom="").status_code == 422
    assert browser.send(f"{where}/replies/{reply}/confirm", seen=where, with_whom=RARE).status_code == 303
    assert browser.send(f"{where}/replies/{reply}/confirm", seen=where, with_whom="x").status_code == 409
    shown = words(browser.open(where).text)
    assert f"未登录答复，已电话核实：{RARE}" in shown
    assert "三楼" in shown
    english = words(signed_in(app, "counsellor", "en").open(where).text)
    assert f"confirmed by phone with {RARE}" in english
    # Set aside instead: a second one.
    post(stranger, page, what="did_not_come", reason="work")
    [reply] = set(re.findall(rf"{where}/replies/([0-9a-f-]+)/confirm", browser.open(where).text))
    aside = browser.send(f"{where}/replies/{reply}/set-aside", seen=where, reason="对方不知情")
    assert aside.status_code == 303
    with county.database.look() as session:
        assert county.referrals(session, sent)[-1].status is ReferralStatus.SCHEDULED
        assert TaskKind.REPLY_VERIFY not in county.tasks(session, sent)


def test_the_facilitys_code_is_shown_once_and_opens_the_return_note(app, stranger, county, sent, note):
    head, page = signed_in(app, "head"), f"/r/{note['reply_token']}"
    where = f"/facility-codes/{county.places['clinic'].id}"
    for _ in range(2):
        made = head.send(where, seen="/facility-codes")
        code = re.search(r"[0-9A-Z]{4}-[0-9A-Z]{4}-[0-9A-Z]{4}", words(made.text))[0]
    assert code not in head.open("/facility-codes").text
    assert count(county, FacilityCode) == 2
    other = f"/facility-codes/{county.places['school'].id}"
    assert head.send(other, seen="/facility-codes").status_code == 404
    with county.database.look() as session:
        stored = session.scalars(select(FacilityCode.code_hash)).all()
        assert all(each.startswith("$argon2id$") for each in stored)

    missing = post(stranger, page, **{**NOTE, "facility_code": code, "warning_signs": "", "clinician": ""})
    assert missing.status_code == 422
    assert NOTE["school_advice"] in missing.text  # what was typed is kept, but never the code
    assert code not in missing.text
    assert post(stranger, page, **NOTE, facility_code=code.lower()).status_code == 303
    assert count(county, ReferralReply) == 1

    for _ in range(5):
        wrong = post(stranger, page, **NOTE, facility_code="0000-0000-0000")
        assert wrong.status_code == 422
    blocked = post(stranger, page, **NOTE, facility_code=code)
    assert said(blocked) == said(wrong)  # now the right one stands still too, and nobody is told so
    with county.database.look() as session:
        assert TaskKind.REPLY_TRIED in county.tasks(session, sent)


def test_paper_is_typed_in_with_everything_kept_after_a_mistake(app, county, sent):
    browser = signed_in(app, "counsellor")
    case = f"/cases/{case_id(county)}"
    with county.database.look() as session:
        where = f"{case}/referrals/{county.referrals(session, sent)[-1].id}/typed"
    assert where in browser.open(case).text
    paper = {**NOTE, "source": "paper", "with_whom": RARE}
    for gone in ("source", "with_whom", "what", "contact", "clinician", "warning_signs", "guardian_agreed"):
        answer = browser.send(where, seen=case, **{**paper, gone: None})
        assert answer.status_code == 422, gone
        assert NOTE["school_advice"] in answer.text
    late = browser.send(where, seen=case, **{**paper, "visit_on": "2026-10-20"})
    assert late.status_code == 422
    assert count(county, ReferralReply) == 0
    assert browser.send(where, seen=case, **paper).status_code == 303
    shown = words(browser.open(case).text)
    assert f"代录（纸质：{RARE}）" in shown
    assert f"签字医师 {RARE}" in shown
    assert words(browser.open(where).text).count("回转单") >= 1  # a further note can be typed in
    intake = signed_in(app, "intake")
    assert intake.open(where).status_code == 403


def test_care_begins_by_a_press_and_moves_are_counted(app, county, sent):
    intake = signed_in(app, "intake")
    with county.database.look() as session:
        at = f"/referrals/{county.referrals(session, sent)[-1].id}"
    intake.send(f"{at}/accept", seen=at, at="2026-10-16T09:00", place="三楼")
    for day in ("17", "18"):
        intake.send(f"{at}/schedule", seen=at, at=f"2026-10-{day}T09:00", place="三楼")
    shown = signed_in(app, "counsellor").open(f"/cases/{case_id(county)}")
    assert "已改约 2 次" in words(shown.text)
    intake.send(f"{at}/attended", seen=at)
    assert intake.send(f"{at}/care", seen=at).status_code == 303
    assert "诊疗中" in words(intake.open(at).text)
