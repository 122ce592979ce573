"""A workbook through the browser: template, errors beside the cell, commit, what follows; a clerk sees no level."""

from __future__ import annotations

import io
import re
from datetime import date
from uuid import uuid4

import pytest
from openpyxl import load_workbook
from sqlalchemy import func, select

from screening.models.administration import Administration
from screening.models.import_batch import ImportBatch
from tests.api.web import SAME, Browser, words
from tests.factories import PASSWORD
from tests.screening.workbooks import HEADINGS, PHQ9, child, workbook

TODAY = date(2026, 10, 14)


@pytest.fixture
def campaign(world):
    return world.make_campaign("phq9", "gad7")


@pytest.fixture
def at(app, world):
    """``at("entry_clerk")``: this person of the world at a browser, signed in."""

    def at(who, language="en"):
        browser = Browser(app, language)
        assert browser.sign_in(who, PASSWORD).status_code == 303
        return browser

    return at


def consented(number, **more):
    return child(number, 筛查同意="是", 同意日期=date(2026, 9, 20), **more)


def row(number, given=(0,) * 9):
    return [f"2026{number:04d}", f"张{'甲乙丙丁戊己庚辛壬癸'[number % 10]}", TODAY, *given]


def book(roster, sheets):
    return workbook({"名册": [HEADINGS, *roster], "phq9": [PHQ9, *sheets]})


def upload(browser, campaign, data, name="名册.xlsx"):
    token = re.search(r'name="csrf_token" value="([^"]+)"', browser.open("/imports").text)[1]
    return browser.client.post(
        "/imports",
        data={"csrf_token": token, "campaign_id": str(campaign)},
        files={"file": (name, data)},
        headers=SAME,
    )


def commit(browser, world, path, rows="all"):
    answer = browser.send(f"{path}/commit", path, rows=rows)
    if answer.status_code == 303:
        world.write_batch(path.rsplit("/", 1)[1])
    return answer


def count(database, model):
    with database.look() as session:
        return session.scalar(select(func.count()).select_from(model))


def test_the_empty_workbook_has_a_sheet_for_each_questionnaire_of_the_campaign(at, campaign):
    browser = at("entry_clerk")
    assert f'href="/imports/template/{campaign}"' in browser.open("/imports").text
    answer = browser.open(f"/imports/template/{campaign}")
    assert answer.status_code == 200
    assert load_workbook(io.BytesIO(answer.content)).sheetnames[:3] == ["名册", "phq9", "gad7"]


def test_errors_stand_beside_their_cell_and_only_the_good_rows_can_be_stored(at, world, campaign, database):
    browser = at("counsellor")
    data = book([consented(1), consented(2)], [row(1), row(2, (0, 9, 0, 0, 0, 0, 0, 0, 0))])
    path = upload(browser, campaign, data).headers["location"]
    page = browser.open(path)
    said = words(page.text)
    assert page.status_code == 200
    assert "<code>E3</code>" in page.text
    assert "this answer is not allowed. Allowed: 0, 1, 2, 3" in said
    assert "Store the 3 good rows" in said
    assert "Store all" not in said
    assert browser.send(f"{path}/commit", path, rows="all").status_code == 409
    assert commit(browser, world, path, rows="good").status_code == 303
    assert count(database, Administration) == 1
    assert "1 rows were not stored" in words(browser.open(path).text)


def test_a_good_workbook_is_stored_and_the_page_says_what_follows(at, world, campaign, database):
    browser = at("counsellor")
    path = upload(browser, campaign, book([consented(1), consented(2)], [row(1), row(2, (3,) * 9)])).headers[
        "location"
    ]
    assert "Store all 4 rows" in words(browser.open(path).text)
    browser.send(f"{path}/commit", path, rows="all")
    writing = browser.open(path)
    assert writing.headers["refresh"] == "3"
    assert re.search(r'<progress[^>]* value="0" max="4"', writing.text)
    world.write_batch(path.rsplit("/", 1)[1])
    done = browser.open(path)
    assert "refresh" not in done.headers
    assert "Children of this file to be seen: 1 today" in words(done.text)
    assert count(database, Administration) == 2


def test_the_same_file_again_leads_to_the_same_review(at, world, campaign, database):
    browser = at("entry_clerk")
    data = book([consented(1)], [row(1)])
    first = upload(browser, campaign, data).headers["location"]
    again = upload(browser, campaign, data).headers["location"]
    assert again == f"{first}?again=yes"
    assert "was sent before" in words(browser.open(again).text)
    for _ in range(2):
        assert commit(browser, world, first).status_code == 303
    assert (count(database, Administration), count(database, ImportBatch)) == (1, 1)


def test_a_row_of_an_unknown_child_that_asks_for_help_stands_first(at, campaign):
    browser = at("entry_clerk", "zh")
    data = book([consented(1)], [row(1), row(7, (0,) * 8 + (3,))])
    page = browser.open(upload(browser, campaign, data).headers["location"])
    said = words(page.text)
    assert said.index("先处理") < said.index("检查结果")
    assert "第 3 行" in said
    assert "13800000001" in said


def test_an_alarm_that_is_settled_stands_no_longer_first(at, world, campaign):
    """The child comes in with the file itself: once the rows are stored it is known, and its own work is open."""
    browser = at("entry_clerk")
    data = book([consented(1)], [row(1, (9, *(0,) * 7, 3))])
    path = upload(browser, campaign, data).headers["location"]
    assert "First this: somebody may need help now" in words(browser.open(path).text)
    commit(browser, world, path, rows="good")
    said = words(browser.open(path).text)
    assert "First this" not in said
    assert "this has been settled" in said


def test_a_clerk_is_told_of_no_talk_no_level_and_no_case(at, world, campaign):
    browser = at("entry_clerk")
    path = upload(browser, campaign, book([consented(1)], [row(1, (3,) * 9)])).headers["location"]
    commit(browser, world, path)
    said = words(browser.open(path).text)
    assert "has been told by the system" in said
    for word in ("to be seen", "See first", "Talk today", "crisis", "high", "/cases"):
        assert word not in said
    assert 'href="/cases' not in browser.open("/imports").text


def test_a_file_that_is_no_workbook_is_told_in_words(at, campaign):
    browser = at("entry_clerk")
    said = words(browser.open(upload(browser, campaign, b"not a workbook").headers["location"]).text)
    assert "cannot be read" in said
    assert "Store" not in said.replace("Stored", "")


def test_no_file_chosen_is_one_sentence(at, campaign, database):
    answer = upload(at("entry_clerk"), campaign, b"", name="")
    assert answer.status_code == 422
    assert "Please choose the workbook first." in words(answer.text)
    assert count(database, ImportBatch) == 0


def test_the_lines_of_today_lead_to_the_file(at, campaign):
    browser = at("entry_clerk")
    path = upload(browser, campaign, book([consented(1)], [row(1)])).headers["location"]
    assert f'href="{path}"' in browser.open("/today").text


def test_another_schools_files_are_not_found(at, campaign):
    path = upload(at("entry_clerk"), campaign, book([consented(1)], [row(1)])).headers["location"]
    other = at("other_clerk")
    assert other.open(path).status_code == 404
    assert other.send(f"{path}/commit", rows="all").status_code == 404
    assert upload(other, campaign, book([consented(1)], [row(1)])).status_code == 404
    assert other.open(f"/imports/template/{campaign}").status_code == 404
    assert other.open(f"/imports/{uuid4()}").status_code == 404
