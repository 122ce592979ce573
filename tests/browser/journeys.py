"""What people do all day, by the words on the pages: one body for both languages and every screen.

A journey gets the county and a function that opens a window (``window("counsellor")`` is signed in already). It
presses what a person would press and reads what a person would read; what happened is looked up on the pages of
whoever has to know it, not in the database.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import date, timedelta

from api.web.presenters.contact import Answer
from referral.disclosure import SafetySign
from referral.terms import (
    Attendance,
    CallerAgreement,
    CallType,
    DeclineReason,
    Finding,
    HandoverResult,
    HandoverTo,
    HarmAnswer,
    HelpWanted,
    Outcome,
    ReferralStatus,
    RiskNow,
    Tier,
)
from tests.browser.person import Person
from tests.browser.service import Site
from tests.factories import Pupil
from tests.screening.workbooks import HEADINGS, PHQ9, child, workbook

Window = Callable[..., Person]
TODAY = date(2026, 10, 14)
SEEN = "近三周睡眠差,上课走神,与同学来往减少。"


# --- the counsellor ----------------------------------------------------------------------------------------


def key_sheets(site: Site, window: Window) -> None:
    """From the first page to the roll; a sheet by digits and Enter; the next child; a worrying answer."""
    first, second, third = (site.pupil() for _ in range(3))
    me = window("counsellor")
    me.follow("Screening")
    me.follow("2026 秋季筛查")
    me.follow("Roll, class by class")
    me.follow("Key in", within=me.row(first.name))
    me.page.wait_for_url("**/sheets/phq9")
    me.hit(*"012301230")
    me.reads("9 / 10")
    me.hit("Enter", "Enter")  # past the extra item, then store
    me.sees("Stored: {name}", name=first.name)
    me.reads(second.name)
    # A digit that this questionnaire does not have is refused beside its item; Backspace goes back.
    me.hit("7")
    me.reads("0, 1, 2, 3")
    me.hit("1", "Backspace", "2", *"0000000", "2", "0", "Enter")
    me.page.wait_for_url("**/recorded/**")
    me.sees("On duty:")
    me.reads("13800000001")
    me.follow("Done, go on to the next child")
    me.page.wait_for_url("**/sheets/phq9?*")
    me.reads(third.name)
    # Nothing keyed: the blank is asked about once, then stored as the paper says.
    me.hit(*"00000000")
    me.press("Store")
    me.sees("Some items have not been keyed. Press again to store them as blank.")
    me.press("Store")
    me.page.wait_for_url(lambda url: "/recorded/" in url or "done=yes" in url)
    me.follow("Today")
    me.row(second.name).wait_for()


def send_workbook(site: Site, window: Window) -> None:
    """A workbook with an error: it stands beside its cell; the good rows go in; the list of today knows."""
    rows = [_consented(number) for number in (1, 2, 3)]
    sheets = [_answers(1), _answers(2, 9), _answers(3, 3)]
    me = window("counsellor")
    me.follow("Workbooks")
    me.attach(
        "The filled-in workbook (.xlsx)",
        "名册.xlsx",
        workbook({"名册": [HEADINGS, *rows], "phq9": [PHQ9, *sheets]}),
    )
    me.press("Send it and look at it")
    me.page.wait_for_url("**/imports/*")
    me.reads("E3")
    me.sees("Errors: these rows are not stored")
    me.press("Store the {good} good rows", good=5)
    me.sees("It is being stored")
    site.work()
    me.follow("Look again now")
    me.sees("rows stored")
    me.sees("Children of this file to be seen: {today} today, {later} after that.", today=0, later=1)
    me.follow("To the list of today")
    me.unfold("After the next three days")
    me.row("张丁").wait_for()


def _consented(number: int) -> list[object]:
    return child(number, 筛查同意="是", 同意日期=date(2026, 9, 20))


def _answers(number: int, second: int = 0) -> list[object]:
    values = (second,) * 8 if second == 3 else (0, second, *[0] * 6)
    return [f"2026{number:04d}", str(child(number)[1]), TODAY, *values, 0]


def see_a_child(site: Site, window: Window) -> None:
    """From today to the case, the talk, one press; the plan by ticking; later the follow-up."""
    pupil = site.pupil(total=20)
    site.work()
    me = window("counsellor")
    me.unfold("After the next three days")
    me.follow(pupil.name)
    me.sees("Draft, not yet confirmed by a talk")
    hold_talk(me)
    me.sees("Follow-ups")
    referral = me.section("Referral")
    me.reads(ReferralStatus.SENT, within=referral)
    site.work()
    me.open(me.path)
    note = (
        me.section("Referral").get_by_role("link", name=me.say("Open the note (PDF)")).get_attribute("href")
    )
    answer = me.page.request.get(site.address + str(note))
    assert answer.body().startswith(b"%PDF"), answer.status
    me.page.close()  # a week goes by: nobody's session lasts so long
    write_follow_up(site, window, pupil)


def hold_talk(me: Person) -> None:
    """The talk is over: write it down on the open case, and send with the same press."""
    talk = me.unfold("After the talk: write it down, one press does the rest")
    me.choose("First, your own impression: how worried are you?", "clearly")
    me.choose("Is somebody hurting the child?", HarmAnswer.NONE)
    me.choose("Safety: what was found by asking face to face", SafetySign.NONE_FOUND)
    me.type("What was seen, since when, how often; study, sleep, eating, friends", SEEN)
    me.type("What the school has done so far", "已面谈一次,已与班主任商量观察。")
    me.choose("Help wanted from the facility", HelpWanted.ASSESSMENT)
    me.choose("Conclusion", Tier.FOCUS)
    me.type("Why, in a few words", "情绪低落两周", within=talk)
    me.tick("The guardian has been told and agrees that the note goes to the facility")
    me.tick("Send the referral with this press")
    me.press("Finish the second assessment")
    me.page.wait_for_load_state()
    me.sees("Talks held")


def write_follow_up(site: Site, window: Window, pupil: Pupil) -> None:
    """The day of the follow-up comes; it is written down, and the next one stands there."""
    site.clock.forward(timedelta(days=6, hours=23))
    site.tick()
    me = window("counsellor")
    me.open(site.case_of(pupil))
    part = me.section("Follow-ups")
    before = part.locator("li").count()
    me.unfold("Write it down", within=part)
    me.choose("Asked about safety", "yes", Answer.NO_THOUGHTS, within=part)
    me.type("How the child is; or why not", "睡得好些,愿意继续来。", within=part)
    me.press("Write down", within=part)
    me.page.wait_for_load_state()
    assert me.section("Follow-ups").locator("li").count() >= before


# --- the clinic --------------------------------------------------------------------------------------------


def answer_referrals(site: Site, window: Window) -> None:
    """The desk: the nearest limit first; one is accepted with its slot, one declined, one asked about."""
    pupils = [site.pupil(total=20, share=True) for _ in range(3)]
    accepted, declined, asked = pupils
    for pupil in pupils:
        site.send_referral(pupil)
        site.clock.forward(timedelta(minutes=5))
    me = window("clinic_intake")
    new = me.section("New referrals, by time left")
    shown = [line.split()[0] for line in new.locator(".row-who").all_inner_texts()]
    assert shown == [pupil.name for pupil in pupils]
    me.follow(accepted.name)
    me.reads(SEEN)
    me.type("First visit (may be given later)", "2026-10-16T09:30")
    me.type("Place, what to bring", "门诊楼三层 305 室")
    me.press("Accept")
    me.sees("Appointment")
    me.reads(ReferralStatus.SCHEDULED)
    me.follow("Today")
    me.follow(declined.name)
    folded = me.unfold("Decline")
    me.pick("Reason", DeclineReason.FULL, within=folded)
    me.type('A better place, or "none"', "青江市第七医院", within=folded)
    me.press("Decline", within=folded)
    me.page.wait_for_url("**/today")
    assert not me.page.get_by_text(declined.name).count()
    me.follow(asked.name)
    folded = me.unfold("Ask the school something first")
    me.type("What you need to know", "家长何时方便?", within=folded)
    me.press("Ask", within=folded)
    me.reads(ReferralStatus.INFO_REQUESTED)
    # The school sees the question on its case and answers.
    school = window("counsellor")
    school.open(site.case_of(asked))
    school.type("What the facility asked for", "周五下午都可以。")
    school.press("Answer the facility")
    school.reads(ReferralStatus.RECEIVED, within=school.section("Referral"))


def see_at_the_clinic(site: Site, window: Window) -> None:
    """The visit: not come, a new time, come; the return note in one screen; the school reads it."""
    pupil = site.pupil(total=20, share=True)
    page = site.send_referral(pupil)
    desk = window("clinic_intake")
    desk.follow(pupil.name)
    desk.press("Accept")
    desk.type("When", "2026-10-15T09:00")
    desk.type("Place, what to bring", "门诊楼三层 305 室")
    desk.press("Save")
    desk.reads(ReferralStatus.SCHEDULED)
    site.clock.forward(timedelta(days=1, hours=1))
    site.tick()
    desk = window("clinic_intake")
    desk.follow(pupil.name)
    folded = desk.unfold("The child did not come")
    desk.press("Write down", within=folded)
    desk.reads(ReferralStatus.NO_SHOW)
    desk.type("When", "2026-10-15T14:00")
    desk.type("Place, what to bring", "门诊楼三层 305 室")
    desk.press("Save")
    site.clock.forward(timedelta(hours=4))
    doctor = window("clinician")
    doctor.open(page)
    doctor.press("The child has come")
    write_return_note(doctor)
    doctor.sees("Not read at the school yet.")
    school = window("counsellor")
    school.open(site.case_of(pupil))
    school.reads("作业适当减量")
    school.press("I have read the return note")
    plan = school.section("Plan")
    boxes = plan.locator("input[name=keep]")
    school._touch(boxes.last)
    school.type("Why it changes, or why it stays", "按回转单建议", within=plan)
    school.press("Save the reviewed plan", within=plan)
    school.press("Close the loop")
    school.reads(ReferralStatus.COMPLETED)


def write_return_note(me: Person) -> None:
    """Ticks and one line of advice."""
    note = me.section("Return note")
    me.choose("What happens next", Outcome.OUTPATIENT_CARE, within=note)
    me.choose("Your judgement: does the child need help beyond the school?", Finding.NEEDS_CARE, within=note)
    me.choose("Danger at present", RiskNow.LOW, within=note)
    me.choose("School attendance", Attendance.FULL, within=note)
    me.type("Advice for the school", "作业适当减量", within=note)
    me.press("Send the return note", within=note)
    me.page.wait_for_load_state()


# --- the 12355 line ----------------------------------------------------------------------------------------


def hold_a_call(site: Site, window: Window) -> None:
    """A call of level B: saved by itself, the school's number, handed over, written back, reviewed, closed."""
    pupil = site.pupil()
    me = window("hotline_operator")
    me.press("Answer a call")
    me.page.wait_for_url("**/hotline/calls/*")
    call = me.path
    me.type("What is said", "同伴来电，说朋友今晚不想回家。")
    me.reads(me.say("stored {time}", time="10:00"))  # nobody has pressed anything
    _press_level(me, "B")
    me.open(call)
    assert me.page.get_by_label(me.say("What is said")).input_value()
    _look_up(me, pupil)
    _hand_over(me)
    # The telephone is put down with most of the form empty: the line closes, the form says what is missing.
    me.press("Line closed")
    me.sees("Still to be filled in:")
    me.choose("Limits of confidentiality told", "Yes")
    me.choose("Kind of call", CallType.CRISIS)
    for name, value in (("strength", 5), ("hopeless", 4)):
        me._touch(me.page.locator(f"#{name} label", has_text=re.compile(rf"^\s*{value}\s*$")))
    me.press("Save")
    me.sees("stored {time}", time="10:00")
    me.open(call)
    me.sees("The form is complete.")
    me.sees("Waited for:")
    _take_the_handover(window("counsellor"))
    lead = window("hotline_supervisor")
    lead.open("/hotline")
    lead._touch(lead.section("To review within 24 hours").get_by_role("link").first)
    lead.type("What was decided", "处置及时。")
    lead.press("Reviewed")
    lead.reads("处置及时。")
    # The operator sees what became of it, and closes.
    me.open("/hotline")
    me.reads(HandoverResult.REACHED, within=me.section("What became of your handovers"))
    me.open(call)
    me.press("Close this call")
    me.page.wait_for_load_state()
    me.open("/hotline")
    me.sees("Nothing is left open.")


def _press_level(me: Person, level: str) -> None:
    with me.page.expect_response("**/save") as stored:
        me._touch(me.page.locator(f"button[name=level][value={level}]"))
    assert stored.value.ok


def _look_up(me: Person, pupil: Pupil) -> None:
    """Name and school: an answer of one line, with a number and no word about the child."""
    panel = me.unfold("Is this child known?")
    me.type("Name of the child", pupil.name, within=panel)
    me.type("School", "第一中学", within=panel)
    me.press("Look", within=panel)
    me.page.wait_for_load_state()
    panel = me.page.locator("#known")
    me.reads("13800000001", within=panel)
    me.press("The call is about this child: link it", within=panel)
    me.page.wait_for_load_state()


def _hand_over(me: Person) -> None:
    panel = me.unfold("Hand over")
    me.choose("To whom", HandoverTo.SCHOOL_DUTY, within=panel)
    me.type("What the receiver has to know", "孩子说今晚不想回家，在河边。", within=panel)
    me.choose("The caller agrees", CallerAgreement.YES, within=panel)
    me.type("Telephoned at", "2026-10-14T09:58", within=panel)
    me.press("Hand over", within=panel)
    me.page.wait_for_load_state()
    me.reads(HandoverTo.SCHOOL_DUTY, within=me.section("Handed over"))


def _take_the_handover(school: Person) -> None:
    """Whoever is on duty reads it, says so, and writes back; who called is not on the page."""
    school.open("/hotline/handovers")
    school._touch(school.section("Waiting for you").get_by_role("link").first)
    school.reads("孩子说今晚不想回家，在河边。")
    school.press("I have it")
    school.sees("Taken by")
    school.choose("For the hotline", HandoverResult.REACHED)
    school.type("In a few words", "已陪同回家。")
    school.press("Write back")
    school.sees("Write anew")


# --- without an account ------------------------------------------------------------------------------------


def answer_by_typed_code(site: Site, window: Window) -> None:
    """A clinic with nothing but the note types its number and code; it counts when the school has called."""
    pupil = site.pupil(total=20, share=True)
    site.send_referral(pupil)
    number, code = site.printed_codes(pupil)
    clinic = window(None)
    clinic.open("/r")
    clinic.type("Number of the note", number)
    clinic.type("Reply code", code)
    clinic.press("Go on")
    clinic.page.wait_for_url("**/r/*")
    assert pupil.name not in clinic.page.content()
    clinic.press("Received")
    clinic.sees("Thank you. It is kept, and counts as soon as the school has called your registered number.")
    clinic.type("Day and time", "2026-10-16T09:00")
    clinic.type("Place, what to bring", "门诊楼三层")
    clinic.press("Send the appointment")
    clinic.page.wait_for_load_state()
    school = window("counsellor")
    school.open(site.case_of(pupil))
    referral = school.section("Referral")
    for _ in range(2):
        school.type("With whom you spoke", "分诊台", within=referral)
        school.press("Confirmed by phone", within=referral)
        school.page.wait_for_load_state()
    school.reads(ReferralStatus.SCHEDULED, within=referral)


def raise_a_worry(site: Site, window: Window) -> None:
    """A class teacher with an account, and somebody with the school's link: three presses each."""
    pupil = site.pupil()
    teacher = window("class_teacher")
    teacher.follow("Raise a worry")
    _say_it(teacher, pupil.name)
    teacher.page.wait_for_url("**/worries/taken?*")
    teacher.sees("Thank you for saying so")
    school = window("counsellor")
    school.open("/worries/link")
    school.press("Make the link")
    school.page.wait_for_load_state()
    link = school.page.locator(".poster .address").first.inner_text()
    stranger = window(None)
    stranger.page.goto(link)
    stranger.choose("Who are you?", "schoolmate")
    _say_it(stranger, "不在名册上")
    stranger.page.wait_for_url("**/worry/sent*")
    stranger.sees("Thank you for saying so")
    # The child that was named has a case; of the other one somebody finds out who is meant.
    school.open(site.case_of(pupil))
    school.open("/today")
    school.unfold_all()
    school._touch(school.page.locator("a[href^='/worries/']:not([href$=link], [href$=new])").first)
    school.reads("不在名册上")


def _say_it(me: Person, name: str) -> None:
    me.type("Name", name)
    me.type("Grade and class", "八年级3班")
    me._touch(me.page.locator("fieldset.taps").last.locator("label").first)
    me._touch(me.page.locator("button[name=urgency]").last)


def ask_about_safety(site: Site, window: Window) -> None:
    """The guided page, one question at a time; a yes to the last one rings, and the steps stand there."""
    pupil = site.pupil(total=20)
    me = window("counsellor")
    me.open(f"{site.case_of(pupil)}/safety-talk")
    me.tick("I have been trained to ask these questions")
    me.choose("Is the child alone with you?", "yes, alone")
    for number in range(1, 6):
        me.press("Next question")
        me.choose("Question {number}", "yes", number=number)
    me.press("Next question")
    me.press("Finish the talk")
    me.page.wait_for_url("**/safety-talk/*")
    me.sees("Stay with the child now and do not leave the child alone. Call the duty person at once.")
    me.reads("13800000001")
    me.follow("To the case: take it, write down the steps")
    me.sees("I take it")
