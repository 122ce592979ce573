"""A referral from both sides over HTTP: written, sent, answered, returned, completed."""

from __future__ import annotations

from datetime import timedelta

import pytest
from sqlalchemy import func, select

from referral.handlers import HANDLERS
from referral.models.referral import Referral
from referral.models.task import Task
from referral.terms import ReferralKind, ReferralStatus, ReleaseMode, TaskKind
from screening.core.audit import AuditEvent, AuditRow
from screening.core.paper import Rendered
from screening.core.work import Tools
from screening.models.child import AccessGrant
from screening.models.consent import Consent, Purpose
from tests.api.etags import if_match
from tests.api.test_v1_care import TALK, WORDS
from tests.factories import answers, spread

PDF = b"%PDF-1.7 a sheet of paper"
RETURN = {
    "visit_on": "2026-10-14",
    "outcome": "outpatient_care",
    "finding": "needs_care",
    "assessor_saw_probability": False,
    "risk_now": "medium",
    "attendance": "full",
    "advice": {"school_advice": "正常上学,减少作业量", "warning_signs": "整夜不睡"},
    "clinical": {"diagnosis": "抑郁发作"},
    "next_visit_on": "2026-10-28",
    "guardian_agreed": True,
}
GUARDIAN = {
    "agreed": True,
    "given_by": "家长甲",
    "relation": "母亲",
    "channel": "spoken",
    "text_version": "2026-autumn",
    "given_on": "2026-10-14",
}


@pytest.fixture
def pupil(world):
    return world.make_child(world.make_campaign(), share=True)


@pytest.fixture
def call(client, as_):
    def call(method, path, who="counsellor", body=None, **headers):
        path, headers = f"/api/v1{path}", as_(who) | headers
        seen = if_match(client, method, path, headers)
        return client.request(method, path, json=body, headers=seen | headers)

    return call


@pytest.fixture
def drafted(world, pupil, database):
    """A draft that a high sheet has made, addressed to the clinic with open slots."""
    world.submit(pupil, "phq9", spread("phq9", 21))
    referral = the(database, Referral)
    assert referral.facility_id == world.places["clinic"]
    return referral


@pytest.fixture
def sent(call, drafted):
    """The same, assessed and sent."""
    answer = call("POST", f"/cases/{drafted.case_id}/assessments", body=TALK | {"words": WORDS, "send": True})
    assert answer.json()["sent"], answer.text
    return drafted


@pytest.fixture
def step(call):
    """``step(referral, "accept", "clinic_intake", {})``: the status after a step, or the refusal's."""

    def step(referral, what, who, body=None):
        answer = call("POST", f"/referrals/{referral.id}/{what}", who, body)
        return answer.json()["status"] if answer.status_code < 300 else answer.status_code

    return step


@pytest.fixture
def returned(step, sent):
    """The same, accepted, scheduled, attended and with its return note."""
    for what, body in (
        ("accept", {"contact": "许星河 门诊三楼"}),
        ("schedule", {"at": "2026-10-16T01:00:00Z", "place": "门诊三楼心理科"}),
        ("attended", None),
    ):
        step(sent, what, "clinic_intake", body)
    assert step(sent, "return-notes", "clinician", RETURN) == "returned"
    return sent


def the(database, model, *where):
    with database.look() as session:
        found = session.scalars(select(model).where(*where)).one()
        session.expunge(found)
        return found


def count(database, model, *where):
    with database.look() as session:
        return session.scalar(select(func.count()).select_from(model).where(*where))


def make_note(world, referral, data=PDF):
    """What the worker stores when the paper is printed."""
    with world.database.begin() as session:
        version = session.get_one(Referral, referral.id).note_version
        HANDLERS["note.make"].store(
            session,
            {"referral": str(referral.id), "version": version},
            Rendered(data, 1, ()),
            Tools(world.clock, None),
        )


# --- the whole road ----------------------------------------------------------------------------------------


def test_from_the_draft_to_the_end_and_the_facility_is_out(call, step, database, sent):
    assert step(sent, "receive", "clinic_intake") == "received"
    assert step(sent, "accept", "clinic_intake", {"contact": "许星河"}) == "accepted"
    assert (
        step(sent, "schedule", "clinic_intake", {"at": "2026-10-16T01:00:00Z", "place": "三楼"})
        == "scheduled"
    )
    assert step(sent, "attended", "clinic_intake") == "attended"
    assert step(sent, "return-notes", "clinician", RETURN) == "returned"

    kinds = {task["kind"] for task in call("GET", "/tasks").json()}
    assert {"return_note_read", "plan_review"} <= kinds
    assert step(sent, "acknowledge", "counsellor") == "acknowledged"
    assert step(sent, "complete", "counsellor") == 409  # the plan has not been reviewed
    call("POST", f"/cases/{sent.case_id}/plans", body={"reason": "按回转单建议调整"})
    assert call("GET", f"/referrals/{sent.id}", "clinician").status_code == 200
    assert step(sent, "complete", "counsellor") == "completed"
    assert call("GET", f"/referrals/{sent.id}", "clinician").status_code == 404
    assert call("GET", "/referrals?open_only=false", "clinic_intake").json() == []
    assert count(database, AccessGrant, AccessGrant.ended_at.is_(None)) == 0


def test_the_guardian_is_asked_where_consent_is_missing_and_one_press_records_the_answer(
    world, call, step, database
):
    pupil = world.make_child(world.make_campaign(), share=False)
    world.submit(pupil, "phq9", spread("phq9", 21))
    referral = the(database, Referral)
    call("POST", f"/cases/{referral.case_id}/assessments", body=TALK | {"words": WORDS, "send": True})
    assert step(referral, "send", "counsellor", {}) == 409
    assert step(referral, "guardian-answer", "counsellor", GUARDIAN) == "ready"
    assert the(database, Consent, Consent.purpose == Purpose.SHARE_FACILITY).given_by_sealed
    assert step(referral, "send", "counsellor", {}) == "sent"


def test_a_guardian_who_refuses_gets_a_second_talk_and_nothing_leaves(world, step, database):
    pupil = world.make_child(world.make_campaign(), share=False)
    world.submit(pupil, "phq9", spread("phq9", 21))
    referral = the(database, Referral)
    refusal = GUARDIAN | {"agreed": False, "refusal": "stigma"}
    assert step(referral, "guardian-answer", "counsellor", refusal) == "guardian_refused"
    assert step(referral, "send", "counsellor", {}) == 409
    assert count(database, Task, Task.kind == TaskKind.GUARDIAN_SECOND_TALK) == 1
    odd = GUARDIAN | {"refusal": "cost"}
    assert step(referral, "guardian-answer", "counsellor", odd) == 422


def test_an_agreed_channel_lets_it_leave_at_once(world, call, database):
    """Decision 2: standing consent and an agreement on record; it leaves unseen, as a triage request."""
    world.clock.forward(timedelta(minutes=1))
    world.agree("clinic", ReleaseMode.AT_ONCE)  # the newest agreement holds
    pupil = world.make_child(world.make_campaign(), share=True)
    world.submit(pupil, "phq9", spread("phq9", 21))
    referral = the(database, Referral)
    assert (referral.status, referral.kind) == (ReferralStatus.SENT, ReferralKind.TRIAGE_REQUEST)
    note = call("GET", f"/referrals/{referral.id}", "clinic_intake").json()["note"]
    assert "尚未面谈" in note["unseen"]
    assert note["observed"] == ""


def test_an_emergency_leaves_without_consent_and_is_not_declined(world, step, call, database):
    """A12."""
    pupil = world.make_child(world.make_campaign(), share=False)
    world.submit(pupil, "asq", answers("asq", i1=1, i5=1))
    referral = the(database, Referral)
    assert referral.urgency.value == "emergency"
    assert step(referral, "send", "counsellor", {}) == 409
    body = TALK | {"tier": "crisis", "words": WORDS}
    call("POST", f"/cases/{referral.case_id}/assessments", body=body)
    assert step(referral, "send", "counsellor", {"emergency": True, "escort": "林知远"}) == "sent"
    who = "clinic_intake" if referral.facility_id == world.places["clinic"] else "other_intake"
    declined = call(
        "POST", f"/referrals/{referral.id}/decline", who, {"reason": "full", "better_place": "市医院"}
    )
    assert declined.status_code == 409
    assert "接诊后" in declined.json()["detail"]
    assert the(database, Referral).status is ReferralStatus.SENT


def test_who_declines_names_a_better_place_and_sees_no_more(call, step, sent, database):
    assert step(sent, "decline", "clinic_intake", {"reason": "full", "better_place": ""}) == 409
    assert (
        step(sent, "decline", "clinic_intake", {"reason": "full", "better_place": "市第七医院"}) == "declined"
    )
    assert call("GET", f"/referrals/{sent.id}", "clinic_intake").status_code == 404
    history = call("GET", f"/referrals/{sent.id}").json()["history"]
    assert (history[-1]["reason"], history[-1]["remark"]) == ("full", "市第七医院")
    assert count(database, Task, Task.kind == TaskKind.REFERRAL_REROUTE) == 1


def test_it_is_withdrawn_before_the_child_has_been_there(call, step, sent):
    assert step(sent, "withdraw", "counsellor", {"reason": "家长已自行就诊"}) == "withdrawn"
    assert call("GET", f"/referrals/{sent.id}", "clinic_intake").status_code == 404
    assert step(sent, "accept", "clinic_intake", {}) == 404


def test_a_step_that_does_not_follow_is_409(step, sent):
    assert step(sent, "attended", "clinic_intake") == 409
    assert step(sent, "return-notes", "clinician", RETURN) == 409
    assert step(sent, "schedule", "clinic_intake", {"at": "2026-10-01T01:00:00Z", "place": "三楼"}) == 422


def test_a_return_note_sent_twice_is_one(call, step, sent, returned):
    key = {"Idempotency-Key": "return-0001"}
    for _ in range(2):
        answer = call("POST", f"/referrals/{sent.id}/return-notes", "clinician", RETURN, **key)
        assert answer.status_code == 201
    assert [note["number"] for note in answer.json()["return_notes"]] == [1, 2]


# --- what each side sees -----------------------------------------------------------------------------------


def test_the_facility_sees_the_note_as_issued_and_nothing_later(world, call, sent, pupil, database):
    before = call("GET", f"/referrals/{sent.id}", "clinic_intake").json()
    assert before["note"]["name"] == pupil.name
    assert before["note"]["observed"] == WORDS["observed"]
    assert before["note"]["safety"].startswith("已当面询问，未发现")
    world.submit(pupil, "gad7", spread("gad7", 21))
    call("POST", f"/children/{pupil.id}/facts", body={"fact": "both_parents_away", "source": "班主任"})
    after = call("GET", f"/referrals/{sent.id}", "clinic_intake").json()
    assert after == before


def test_no_key_of_the_schools_file_is_in_the_facilitys_answer(call, returned):
    """AZ3: nothing of case, tier, level, probability, file number or what was drafted."""
    answer = call("GET", f"/referrals/{returned.id}", "clinician")
    found = set(_keys(answer.json()))
    assert not found & {
        "case_id",
        "child_id",
        "why",
        "words",
        "tier",
        "level",
        "probability",
        "file_no",
        "stub",
    }
    assert not found & {"id_number", "student_no", "areas", "plans", "legal_basis"}
    statuses = {step["status"] for step in answer.json()["history"]}
    assert not statuses & {"draft", "ready", "awaiting_guardian"}


def test_the_inbox_is_sorted_by_time_left(world, call, sent, database):
    world.clock.forward(timedelta(days=1))
    other = world.make_child(world.make_campaign(title="第二次"), share=True)
    world.submit(other, "phq9", spread("phq9", 21))
    later = the(database, Referral, Referral.id != sent.id)
    call("POST", f"/cases/{later.case_id}/assessments", body=TALK | {"words": WORDS, "send": True})
    inbox = call("GET", "/referrals", "clinic_intake").json()
    assert [line["id"] for line in inbox] == [str(sent.id), str(later.id)]
    assert inbox[0]["answer_due_at"] < inbox[1]["answer_due_at"]
    assert call("GET", "/referrals", "facility_lead").json() == inbox
    assert call("GET", "/referrals", "other_intake").json() == []


def test_the_clinical_part_is_for_the_counsellor_where_the_guardian_has_agreed(call, returned):
    note = call("GET", f"/referrals/{returned.id}").json()["return_notes"][0]
    assert (note["clinical"], note["finding"]) == ({"diagnosis": "抑郁发作"}, "needs_care")
    lead = call("GET", f"/referrals/{returned.id}", "school_lead").json()["return_notes"][0]
    assert lead["advice"]["school_advice"] == RETURN["advice"]["school_advice"]
    assert not {"clinical", "finding", "assessor_saw_probability"} & lead.keys()
    assert call("GET", f"/referrals/{returned.id}", "clinic_intake").json()["return_notes"] == []


def test_without_the_guardians_agreement_no_clinical_part_comes_back(call, step, sent):
    for what, body in (
        ("accept", {}),
        ("schedule", {"at": "2026-10-16T01:00:00Z", "place": "三楼"}),
        ("attended", None),
    ):
        step(sent, what, "clinic_intake", body)
    step(sent, "return-notes", "clinician", RETURN | {"guardian_agreed": False})
    answer = call("GET", f"/referrals/{sent.id}")
    assert answer.json()["return_notes"][0]["clinical"] is None
    assert "抑郁" not in answer.text


def test_why_is_for_whoever_reads_scores(call, drafted):
    assert "level:high" in call("GET", f"/referrals/{drafted.id}").json()["why"]
    assert call("GET", f"/referrals/{drafted.id}", "school_lead").json()["why"] == []


# --- the words and the paper -------------------------------------------------------------------------------


def test_words_are_signed_by_whoever_is_signed_in(call, drafted):
    answer = call("PUT", f"/referrals/{drafted.id}/words", body=WORDS)
    assert answer.status_code == 200, answer.text
    words = call("GET", f"/referrals/{drafted.id}").json()["words"]
    assert (words["signed_by"], words["safety"]["asked_by"]) == ("林知远", "林知远")
    forged = WORDS | {"signed_by": "院长"}
    assert call("PUT", f"/referrals/{drafted.id}/words", body=forged).status_code == 422


@pytest.mark.parametrize(
    ("observed", "place"),
    [("该生为留守儿童", "category"), ("模型概率 35%", "probability"), ("红色预警", "tier")],
)
def test_what_must_not_stand_on_the_note_is_refused_by_field(call, drafted, observed, place):
    answer = call("PUT", f"/referrals/{drafted.id}/words", body=WORDS | {"observed": observed})
    assert answer.status_code == 422
    assert f"observed: {place}" in answer.json()["detail"]


def test_words_do_not_change_after_sending(call, sent):
    assert call("PUT", f"/referrals/{sent.id}/words", body=WORDS).status_code == 409


def test_the_pdf_is_named_by_its_form_number_and_reading_it_is_in_the_trail(world, call, sent, database):
    waiting = call("GET", f"/referrals/{sent.id}/note.pdf", "clinic_intake")
    assert (waiting.status_code, waiting.headers["retry-after"]) == (503, "2")
    make_note(world, sent)
    answer = call("GET", f"/referrals/{sent.id}/note.pdf", "clinic_intake")
    assert (answer.status_code, answer.content) == (200, PDF)
    assert answer.headers["content-type"] == "application/pdf"
    assert answer.headers["content-disposition"] == f'inline; filename="{sent.form_no}.pdf"'
    row = the(database, AuditRow, AuditRow.event == AuditEvent.NOTE_READ)
    assert (row.account_id, row.child_id) == (world.people["clinic_intake"], sent.child_id)
    assert call("GET", f"/referrals/{sent.id}/note.pdf", "other_intake").status_code == 404


# --- outside -----------------------------------------------------------------------------------------------

SCHOOL = [
    ("PUT", "words", WORDS),
    ("POST", "guardian-answer", GUARDIAN),
    ("POST", "send", {}),
    ("POST", "withdraw", {"reason": "家长要求"}),
    ("POST", "acknowledge", None),
    ("POST", "complete", None),
]
FACILITY = [
    ("POST", "receive", None),
    ("POST", "accept", {}),
    ("POST", "decline", {"reason": "full", "better_place": "市医院"}),
    ("POST", "schedule", {"at": "2026-10-16T01:00:00Z", "place": "三楼"}),
    ("POST", "attended", None),
    ("POST", "return-notes", RETURN),
]


@pytest.mark.parametrize(("method", "what", "body"), SCHOOL)
def test_the_schools_part_is_the_schools(call, sent, method, what, body):
    path = f"/referrals/{sent.id}/{what}"
    assert call(method, path, "other_counsellor", body).status_code == 404
    assert call(method, path, "clinician", body).status_code == 403
    assert call(method, path, "entry_clerk", body).status_code == 403


@pytest.mark.parametrize(("method", "what", "body"), FACILITY)
def test_the_facilitys_part_is_the_facilitys(call, sent, method, what, body):
    path = f"/referrals/{sent.id}/{what}"
    who = "other_clinician" if what == "return-notes" else "other_intake"
    assert call(method, path, who, body).status_code == 404
    assert call(method, path, "counsellor", body).status_code == 403
    assert call(method, path, "facility_lead", body).status_code == 403


def test_a_draft_is_no_facilitys(call, drafted):
    assert call("GET", f"/referrals/{drafted.id}", "clinic_intake").status_code == 404
    assert call("GET", "/referrals", "clinic_intake").json() == []


def _keys(value):
    if isinstance(value, dict):
        yield from value
        for each in value.values():
            yield from _keys(each)
    elif isinstance(value, list):
        for each in value:
            yield from _keys(each)
