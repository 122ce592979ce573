"""The clinic without an account, by what is printed on its note: scenario A38, and the loop closed both ways.

Through HTTP, with the worker and the real paper; the clinic's people have no accounts in these stories. What the
clinic types is read from the PDF, as somebody would read it from the sheet.
"""

from __future__ import annotations

import io
import re
from collections.abc import Iterator
from datetime import timedelta

import pypdf
import pytest
from sqlalchemy import select, update

from referral.models.case import Case
from referral.models.referral import Referral
from referral.models.reply import ReferralReply
from referral.terms import ReferralStatus, TaskKind
from screening.models.account import Account
from screening.models.child import AccessGrant
from tests.api.web import SAME, Browser, words
from tests.factories import PASSWORD, spread
from tests.journeys.service import Service

TALK = {
    "held_at": "2026-10-14T01:30:00Z",
    "channel": "in_person",
    "tier": "focus",
    "reason": "面谈所见",
    "words": {
        "observed": "近三周睡眠差,上课走神,与同学来往减少。",
        "done_so_far": "已面谈一次,已与班主任商量观察。",
        "help_wanted": ["assessment"],
        "safety": {"signs": ["none_found"], "asked_at": "2026-10-14T01:30:00Z"},
    },
    "send": True,
}
NOTE = {
    "what": "return_note",
    "outcome": "outpatient_care",
    "finding": "needs_care",
    "risk_now": "low",
    "attendance": "full",
    "school_advice": "作业适当减量,体育课照常",
    "warning_signs": "说到不想活、几天不睡",
    "contact": "心理科 0571-8000001",
    "clinician": "白芷䶮",
    "guardian_agreed": "yes",
    "summary": "情绪低落,门诊随访",
}


class Story:
    """A child whose note has been printed and handed over; the clinic has no accounts."""

    def __init__(self, service: Service) -> None:
        self.service, self.world = service, service.world
        pupil = self.world.make_child(self.world.make_campaign("phq9"), share=True)
        self.name = pupil.name
        self.world.submit(pupil, "phq9", spread("phq9", 21))
        with service.database.begin() as session:
            self.case_id = session.scalars(select(Case.id)).one()
            clinic = ("clinic_intake", "clinician")
            session.execute(
                update(Account).where(Account.username.in_(clinic)).values(disabled_at=service.clock.now())
            )
        service.post("counsellor", f"/cases/{self.case_id}/assessments", TALK)
        service.worker().run_all()
        with service.database.look() as session:
            self.referral_id = session.scalars(select(Referral.id)).one()
        self.paper = self._read(service.get("counsellor", f"/referrals/{self.referral_id}/note.pdf"))
        self.phone = Browser(service.app, "zh")  # somebody's telephone at the clinic

    @staticmethod
    def _read(pdf: bytes) -> str:
        text = "".join(page.extract_text() for page in pypdf.PdfReader(io.BytesIO(pdf)).pages)
        return re.sub(r"\s", "", text)

    # --- the clinic --------------------------------------------------------------------------------------------

    def opens_the_page_by_the_printed_codes(self) -> str:
        number = re.search(r"编号([0-9A-Z]{9})", self.paper)[1]
        code = re.search(r"([0-9A-Z]{5}-[0-9A-Z]{5})", self.paper)[1]
        assert "https://testserver/r" in self.paper
        answer = self.phone.client.post("/r", data={"number": number.lower(), "code": code}, headers=SAME)
        assert answer.status_code == 303, words(answer.text)
        self.page = answer.headers["location"]
        return self.page

    def says(self, expect: int = 303, **fields: str) -> str:
        answer = self.phone.client.post(self.page, data=fields, headers=SAME)
        assert answer.status_code == expect, words(answer.text)
        assert answer.headers["cache-control"] == "no-store"
        return words(answer.text)

    # --- the school --------------------------------------------------------------------------------------------

    def at_school(self, who: str = "counsellor") -> Browser:
        browser = Browser(self.service.app, "zh")
        assert browser.sign_in(who, PASSWORD).status_code == 303
        return browser

    def calls_and_confirms(self) -> None:
        browser, where = self.at_school(), f"/cases/{self.case_id}"
        shown = browser.open(where).text
        assert "0571-8000001" in shown  # the registered number
        [reply] = set(re.findall(rf"{where}/replies/([0-9a-f-]+)/confirm", shown))
        answer = browser.send(f"{where}/replies/{reply}/confirm", seen=where, with_whom="分诊台护士")
        assert answer.status_code == 303, words(answer.text)

    def types_in(self, **fields: str) -> None:
        where = f"/cases/{self.case_id}/referrals/{self.referral_id}/typed"
        answer = self.at_school().send(where, seen=where, **fields)
        assert answer.status_code == 303, words(answer.text)

    def reads_reviews_and_closes(self) -> None:
        browser, where = self.at_school(), f"/cases/{self.case_id}"
        shown = words(browser.open(where).text)
        assert NOTE["school_advice"] in shown
        assert NOTE["clinician"] in shown
        for step, fields in (
            ("referral/acknowledge", {}),
            ("plan/review", {"reason": "按回转单调整"}),
            ("referral/complete", {}),
        ):
            answer = browser.send(f"{where}/{step}", seen=where, **fields)
            assert answer.status_code == 303, (step, words(answer.text))

    # --- what is there -----------------------------------------------------------------------------------------

    @property
    def status(self) -> ReferralStatus:
        with self.service.database.look() as session:
            return session.scalars(select(Referral.status)).one()

    def open_tasks(self) -> set[str]:
        shown = self.service.get("counsellor", f"/cases/{self.case_id}")["tasks"]
        return {task["kind"] for task in shown}

    def living_grants(self) -> int:
        with self.service.database.look() as session:
            return len(session.scalars(select(AccessGrant).where(AccessGrant.ended_at.is_(None))).all())


@pytest.fixture
def story(settings, database, clock) -> Iterator[Story]:
    service = Service(settings, database, clock)
    yield Story(service)
    service.close()


def test_a38_whoever_scans_the_code_cannot_write_an_outcome(story):
    page = story.opens_the_page_by_the_printed_codes()
    shown = words(story.phone.open(page).text)
    assert story.name not in shown + page
    for said in ({}, {"facility_code": "0000-0000-0000"}):
        refused = story.says(422, **NOTE, visit_on="2026-10-14", **said)
        assert "机构码" in refused
        assert (
            NOTE["school_advice"] in story.phone.client.post(page, data={**NOTE, **said}, headers=SAME).text
        )  # what was typed is kept
    for what in ("accepted", "declined", "came", "in_care", "completed", ""):
        story.says(422, what=what)
    with story.service.database.look() as session:
        assert session.scalars(select(ReferralReply)).all() == []
    story.says(what="received")
    story.says(what="appointment", at="2026-10-16T09:00", place="门诊三楼")
    with story.service.database.look() as session:
        assert len(session.scalars(select(ReferralReply)).all()) == 2
    assert story.status is ReferralStatus.SENT  # nobody has called yet
    assert {"referral_answer", "reply_verify"} <= story.open_tasks()


def test_a_clinic_without_an_account_closes_the_loop_by_its_note_and_the_schools_calls(story):
    lead = story.at_school("facility_lead")
    clinic = story.world.places["clinic"]
    made = lead.send(f"/facility-codes/{clinic}", seen="/facility-codes").text
    code = re.search(r"[0-9A-Z]{4}-[0-9A-Z]{4}-[0-9A-Z]{4}", words(made))[0]
    assert code not in lead.open("/facility-codes").text  # shown once

    story.opens_the_page_by_the_printed_codes()
    story.says(what="received")
    story.calls_and_confirms()
    assert story.status is ReferralStatus.RECEIVED
    story.says(what="appointment", at="2026-10-16T09:00", place="门诊三楼")
    story.calls_and_confirms()
    assert story.status is ReferralStatus.SCHEDULED

    story.service.clock.forward(timedelta(days=2, hours=6))  # Friday, four in the afternoon
    story.says(**NOTE, visit_on="2026-10-16", facility_code=code.lower())
    assert story.status is ReferralStatus.SCHEDULED
    story.calls_and_confirms()
    assert story.status is ReferralStatus.RETURNED
    story.reads_reviews_and_closes()

    assert story.status is ReferralStatus.COMPLETED
    assert story.living_grants() == 0
    assert not {TaskKind.REFERRAL_ANSWER, TaskKind.REPLY_VERIFY} & story.open_tasks()
    assert story.phone.open(story.page).status_code == 404  # the codes were good until the referral ended
    assert "已电话核实" in words(story.at_school().open(f"/cases/{story.case_id}").text)


def test_a_clinic_that_answers_on_paper_closes_the_loop_by_typing_it_in(story):
    story.types_in(what="received", source="phone", with_whom="分诊台护士")
    assert story.status is ReferralStatus.RECEIVED
    story.types_in(
        what="appointment", source="phone", with_whom="分诊台护士", at="2026-10-15T09:00", place="门诊三楼"
    )
    story.service.clock.forward(timedelta(days=1, hours=2))
    story.types_in(what="did_not_come", source="phone", with_whom="分诊台护士", no_show_reason="work")
    assert story.status is ReferralStatus.NO_SHOW
    assert "no_show_contact" in story.open_tasks()
    story.types_in(
        what="appointment", source="phone", with_whom="分诊台护士", at="2026-10-16T09:00", place="门诊三楼"
    )
    story.service.clock.forward(timedelta(days=1))
    story.types_in(**NOTE, visit_on="2026-10-16", source="paper", with_whom=NOTE["clinician"])
    assert story.status is ReferralStatus.RETURNED
    story.reads_reviews_and_closes()

    assert story.status is ReferralStatus.COMPLETED
    assert story.living_grants() == 0
    shown = words(story.at_school().open(f"/cases/{story.case_id}").text)
    assert f"代录（纸质：{NOTE['clinician']}）" in shown
    assert "代录（电话：分诊台护士）" in shown
    history = story.service.get("counsellor", f"/referrals/{story.referral_id}")["history"]
    assert [row["status"] for row in history][-4:] == ["attended", "returned", "acknowledged", "completed"]
