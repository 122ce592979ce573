"""Paper sheets through the browser: from child to child, what to do at once, and never twice."""

from __future__ import annotations

import re

import pytest
from sqlalchemy import func, select

from referral.models.task import Task
from referral.terms import TaskKind
from screening.models.administration import Administration
from screening.models.campaign import CampaignStatus
from tests.api.web import SAME, Browser, words
from tests.factories import PASSWORD


@pytest.fixture
def campaign(world):
    return world.make_campaign("phq9", "sdq_s", "mht")


@pytest.fixture
def pupils(world, campaign):
    return [world.make_child(campaign) for _ in range(3)]


@pytest.fixture
def at(app, world):
    def at(who, language="en"):
        browser = Browser(app, language)
        assert browser.sign_in(who, PASSWORD).status_code == 303
        return browser

    return at


@pytest.fixture
def clerk(at):
    return at("entry_clerk")


def sheet_of(campaign, pupil, code="phq9"):
    return f"/campaigns/{campaign}/roster/{pupil.entry_id}/sheets/{code}"


def fields_of(page):
    """The hidden fields of the form on a page."""
    hidden = dict(re.findall(r'<input type="hidden" name="(csrf_token|once|key)" value="([^"]+)"', page))
    return hidden | {"on": "2026-10-14"}


def key_in(browser, path, again=None, **given):
    """Open the sheet and send it with these answers; all others are 0."""
    fields = again or fields_of(browser.open(path).text) | {f"a_{n}": "0" for n in range(1, 10)}
    fields = fields | {f"a_{name.removeprefix('i')}": value for name, value in given.items()}
    return browser.client.post(path, data=fields, headers=SAME), fields


def count(database, model, *where):
    with database.look() as session:
        return session.scalar(select(func.count()).select_from(model).where(*where))


def test_storing_a_sheet_leads_to_the_next_child_of_the_class(clerk, campaign, pupils, database):
    first, second, third = pupils
    answer, _ = key_in(clerk, sheet_of(campaign, first))
    assert answer.status_code == 303
    assert answer.headers["location"].startswith(sheet_of(campaign, second))
    following = clerk.open(answer.headers["location"])
    assert f"Stored: {first.name}" in words(following.text)
    assert second.name in following.text
    assert count(database, Administration) == 1
    last, _ = key_in(clerk, sheet_of(campaign, third))
    assert last.headers["location"].startswith(f"/campaigns/{campaign}/roster?at=")
    assert second.name in clerk.open(last.headers["location"]).text


@pytest.mark.parametrize(
    ("answer", "said"), [("2", "before school ends today"), ("1", "the next school day")]
)
def test_an_answer_to_item_9_leads_to_what_is_to_be_done_and_to_no_score(
    clerk, campaign, pupils, database, answer, said
):
    """A03."""
    sent, _ = key_in(clerk, sheet_of(campaign, pupils[0]), i9=answer)
    path = sent.headers["location"]
    assert "/recorded/" in path
    page = clerk.open(path)
    seen = words(page.text)
    assert said in seen
    assert "13800000001" in seen
    for word in ("score", "PHQ", "level", "crisis", "/cases"):
        assert word not in page.text.replace("xinqiao", "")
    onward = re.search(r'<a class="button" href="([^"]+)">Done', page.text)[1]
    assert onward.startswith(sheet_of(campaign, pupils[1]))


def test_a_double_press_is_one_sheet_and_the_same_answer(clerk, campaign, pupils, database):
    path = sheet_of(campaign, pupils[0])
    first, fields = key_in(clerk, path, i9="2")
    second, _ = key_in(clerk, path, again=fields)
    assert first.headers["location"] == second.headers["location"]
    assert count(database, Administration) == 1
    assert count(database, Task, Task.kind == TaskKind.SAME_DAY_TALK) == 1


def test_going_back_and_changing_a_stored_sheet_is_refused_in_words(clerk, campaign, pupils, database):
    path = sheet_of(campaign, pupils[0])
    _, fields = key_in(clerk, path)
    answer, _ = key_in(clerk, path, again=fields, i1="3")
    assert answer.status_code == 409
    assert "stored when you first pressed" in words(answer.text)
    assert count(database, Administration) == 1


def test_a_refused_value_says_the_item_keeps_the_rest_and_its_alarm_stands(clerk, campaign, pupils, database):
    """Decision 18: item 9 is 3 and item 1 cannot be stored."""
    path = sheet_of(campaign, pupils[0])
    answer, fields = key_in(clerk, path, i1="7", i2="2", i9="3")
    seen = words(answer.text)
    assert answer.status_code == 422
    assert "Item 1: this answer is not allowed. Allowed: 0, 1, 2, 3" in seen
    assert 'name="a_2" value="2" checked' in answer.text
    assert "before school ends today" in seen
    assert "13800000001" in seen
    assert count(database, Administration) == 0
    assert count(database, Task, Task.kind == TaskKind.SAME_DAY_TALK) == 1
    corrected, _ = key_in(clerk, path, again=fields, i1="1", i9="3")
    assert corrected.status_code == 303
    assert count(database, Administration) == 1
    assert count(database, Task, Task.kind == TaskKind.SAME_DAY_TALK) == 1


def test_a_blank_sheet_is_no_sheet(clerk, campaign, pupils, database):
    path = sheet_of(campaign, pupils[0])
    answer, _ = key_in(clerk, path, **{f"i{n}": "" for n in range(1, 10)})
    assert answer.status_code == 422
    assert "mark the child absent" in words(answer.text)
    assert count(database, Administration) == 0


def test_a_sheet_without_consent_is_refused_and_heard(world, clerk, campaign, database):
    pupil = world.make_child(campaign, consent=False)
    answer, _ = key_in(clerk, sheet_of(campaign, pupil), i9="2")
    assert answer.status_code == 409
    assert "no consent to screening" in words(answer.text)
    assert "13800000001" in words(answer.text)
    assert count(database, Administration) == 0


def test_a_form_without_its_own_token_is_refused(clerk, campaign, pupils, database):
    path = sheet_of(campaign, pupils[0])
    fields = fields_of(clerk.open(path).text) | {"a_1": "1", "key": "short"}
    assert clerk.client.post(path, data=fields, headers=SAME).status_code == 422
    assert count(database, Administration) == 0


def test_items_that_may_not_be_shown_stand_as_numbers(clerk, campaign, pupils):
    page = clerk.open(sheet_of(campaign, pupils[0], "sdq_s")).text
    assert "may not be shown on a screen" in words(page)
    assert "considerate" not in page
    assert "certainly true" not in page
    assert "low mood" in clerk.open(sheet_of(campaign, pupils[0])).text


def test_a_sheet_of_a_hundred_items_fits_into_one_form(clerk, campaign, pupils, database):
    path = sheet_of(campaign, pupils[0], "mht")
    fields = fields_of(clerk.open(path).text) | {f"a_{n}": str(n % 2) for n in range(1, 101)}
    answer = clerk.client.post(path, data=fields | {"helped": "yes"}, headers=SAME)
    assert answer.status_code == 303
    assert count(database, Administration) == 1


def test_a_questionnaire_that_is_not_asked_is_not_found(clerk, campaign, pupils):
    assert clerk.open(sheet_of(campaign, pupils[0], "gad7")).status_code == 404


def test_the_roll_shows_consent_and_sheets_and_nothing_of_what_they_say(world, clerk, campaign, pupils):
    world.submit(pupils[0], "phq9", {str(n): 3 for n in range(1, 10)})
    world.make_child(campaign, consent=False)
    page = clerk.open(f"/campaigns/{campaign}/roster").text
    assert "✓ in" in words(page)
    assert f'href="{sheet_of(campaign, pupils[1])}"' in page
    assert f'href="{sheet_of(campaign, pupils[0])}"' not in page
    assert "no answer yet" in words(page)
    assert "27" not in re.sub(r"<[^>]*>", "", page).replace("2026", "")


def test_a_sheet_to_be_done_again_is_found_from_today(world, at, campaign, pupils):
    world.submit(pupils[0], "phq9", {str(n): 1 for n in range(1, 3)})
    counsellor = at("counsellor")
    link = re.search(r'href="(/campaigns/child/[^"]+)"', counsellor.open("/today").text)
    assert link, "no line leads to the child's sheets"
    entry = counsellor.open(link[1]).headers["location"]
    assert pupils[0].name in counsellor.open(entry).text


def test_a_campaign_shows_how_far_it_is_and_whose_step_is_next(world, at, campaign, pupils):
    world.submit(pupils[0], "phq9")
    path = f"/campaigns/{campaign}"
    said = words(at("counsellor").open(path).text)
    assert "3 children on the roll" in said
    assert "1 with a sheet" in said
    assert "2 absent" in said
    clerk = at("entry_clerk")
    assert "The counsellor opens and closes a campaign." in words(clerk.open(path).text)
    assert f'action="{path}/steps"' not in clerk.open(path).text


def test_announcing_is_the_leads_and_opening_the_counsellors(world, at):
    campaign = world.make_campaign("phq9", status=CampaignStatus.DRAFT)
    path = f"/campaigns/{campaign}"
    counsellor, lead = at("counsellor"), at("school_lead")
    assert "The school lead announces a campaign" in words(counsellor.open(path).text)
    assert counsellor.send(f"{path}/steps", path, to="announced").status_code == 403
    assert lead.send(f"{path}/steps", path, to="announced").status_code == 303
    assert counsellor.send(f"{path}/steps", path, to="open").status_code == 303
    assert counsellor.send(f"{path}/steps", path, to="open").status_code == 303
    assert "open for sheets" in words(counsellor.open(path).text)


def test_what_stands_against_a_campaign_is_said_before_anybody_presses(world, at):
    world.make_child()  # grade 8
    campaign = world.make_campaign("scl90", status=CampaignStatus.DRAFT)
    path = f"/campaigns/{campaign}"
    lead = at("school_lead")
    assert "SCL-90 is asked from grade 10 on; this campaign asks grade 8." in words(lead.open(path).text)
    refused = lead.send(f"{path}/steps", path, to="announced")
    assert refused.status_code == 409
    assert "Plan it without this sheet, or from grade 10 on." in words(refused.text)
    campaign = world.make_campaign("gad7", status=CampaignStatus.DRAFT)
    path = f"/campaigns/{campaign}"
    counsellor = at("counsellor")
    assert "No sheet of this campaign asks about safety." in words(counsellor.open(path).text)
    assert "/without-safety" not in counsellor.open(path).text
    assert lead.send(f"{path}/steps", path, to="announced").status_code == 409
    assert lead.send(f"{path}/without-safety", path, reason=" ").status_code == 422
    assert lead.send(f"{path}/without-safety", path, reason="asked face to face").status_code == 303
    assert "Signed by the school lead" in words(lead.open(path).text)
    assert lead.send(f"{path}/steps", path, to="announced").status_code == 303


@pytest.mark.parametrize("who", ["other_counsellor", "other_clerk"])
def test_another_schools_roll_is_not_found(at, campaign, pupils, database, who):
    other, path = at(who), sheet_of(campaign, pupils[0])
    entry = f"/campaigns/{campaign}/roster/{pupils[0].entry_id}"
    for each in (f"/campaigns/{campaign}", f"/campaigns/{campaign}/roster", entry, path):
        assert other.open(each).status_code == 404, each
    assert other.open(f"/campaigns/child/{pupils[0].id}").status_code == 404
    answer = other.send(path, key="k" * 20, on="2026-10-14", a_1="1")
    assert answer.status_code == 404
    assert count(database, Administration) == 0
