"""Wordings of questionnaires: brought in by one person, approved by another, shown where the licence lets it."""

from __future__ import annotations

import json
import re

import pytest
from sqlalchemy import func, select

from instruments import catalogue
from instruments.questionnaire import to_questionnaire
from instruments.text import Pack
from screening.core.audit import AuditEvent, AuditRow
from screening.models.wording import WordingForm, WordingPack
from tests.api.web import SAME, Browser, words
from tests.factories import PASSWORD
from tests.instruments.wordings import made_up, with_item
from tests.screening.test_spreadsheets_packs import filled

PHQ9 = catalogue().get("phq9")
ORIGIN = "Made-up publisher, second edition"


@pytest.fixture
def at(app, world):
    def at(who, language="en"):
        browser = Browser(app, language)
        assert browser.sign_in(who, PASSWORD).status_code == 303
        return browser

    return at


def fhir(pack):
    return json.dumps(to_questionnaire(catalogue().get(pack.instrument), pack), ensure_ascii=False).encode()


def bring(browser, data, code="phq9", name="file.json", origin=ORIGIN):
    page = browser.open("/wordings").text
    hidden = dict(re.findall(r'<input type="hidden" name="(csrf_token|once)" value="([^"]+)"', page))
    return browser.client.post(
        "/wordings",
        data=hidden | {"code": code, "language": "zh", "origin": origin},
        files={"file": (name, data)},
        headers=SAME,
    )


def count(database, event=None):
    statement = select(func.count()).select_from(WordingPack)
    if event is not None:
        statement = select(func.count()).select_from(AuditRow).where(AuditRow.event == event)
    with database.look() as session:
        return session.scalar(statement)


def test_one_brings_it_in_another_approves_it_and_the_keying_page_shows_it(world, at, database):
    pack = made_up(PHQ9)
    officer, centre, clerk = at("edu_officer"), at("county_centre"), at("entry_clerk")
    campaign = world.make_campaign("phq9")
    sheet = f"/campaigns/{campaign}/roster/{world.make_child(campaign).entry_id}/sheets/phq9"
    answer = bring(officer, fhir(pack))
    assert answer.status_code == 303, words(answer.text)
    path = answer.headers["location"]
    # The same words again, from a workbook this time: the version that is there.
    assert bring(officer, filled(PHQ9, pack), name="file.xlsx").headers["location"] == path
    assert count(database) == count(database, AuditEvent.WORDING_BRING_IN) == 1
    own = officer.open(path).text
    assert "somebody else approves it" in words(own)
    assert f'action="{path}/approve"' not in own
    assert officer.send(f"{path}/approve", path).status_code == 409
    assert pack.items[2].text not in clerk.open(sheet).text
    seen = words(centre.open(path).text)
    assert pack.items[2].text in seen
    assert ORIGIN in seen
    assert "nobody has compared it to the letter" in seen
    assert centre.send(f"{path}/approve", path).status_code == 303
    assert centre.send(f"{path}/approve", path).status_code == 303
    assert count(database, AuditEvent.WORDING_APPROVE) == 1
    keyed = words(clerk.open(sheet).text)
    assert pack.items[2].text in keyed
    assert pack.instructions in keyed
    assert "sleep change" not in keyed  # the wording stands in place of our label
    # A newer version replaces it only once somebody has approved it; withdrawn, nothing comes back.
    newer = bring(officer, fhir(with_item(pack, "3", text="第三天下雨"))).headers["location"]
    assert pack.items[2].text in words(clerk.open(sheet).text)
    assert centre.send(f"{newer}/approve", newer).status_code == 303
    assert "第三天下雨" in words(clerk.open(sheet).text)
    assert "replaced by a newer version" in words(officer.open(path).text)
    assert centre.send(f"{newer}/withdraw", newer).status_code == 422
    assert centre.send(f"{newer}/withdraw", newer, reason="wrong edition").status_code == 303
    after = words(clerk.open(sheet).text)
    assert "第三天下雨" not in after
    assert pack.items[2].text not in after
    assert "sleep change" in after
    assert count(database, AuditEvent.WORDING_WITHDRAW) == 1


def test_what_does_not_agree_is_listed_and_nothing_is_kept(world, at, database):
    officer = at("edu_officer")
    pack = made_up(PHQ9)
    wrong = to_questionnaire(PHQ9, with_item(pack, "4", text=""))
    del wrong["item"][7]["answerOption"][2:]
    answer = bring(officer, json.dumps(wrong).encode())
    seen = words(answer.text)
    assert answer.status_code == 422
    assert "in 2 places" in seen
    assert "item 4 The wording is missing." in seen
    assert "item 7 The answers differ from the questionnaire. They are, in this order: 0, 1, 2, 3." in seen
    assert f'value="{ORIGIN}"' in answer.text
    for data, said in (
        (b"", "choose the file"),
        (b"[]", "no FHIR questionnaire"),
        (b"\xff\xfe", "no FHIR questionnaire"),
        (b"[" * 100_000, "no FHIR questionnaire"),
        (json.dumps(wrong | {"url": "urn:xinqiao:questionnaire:\ud800"}).encode(), "no FHIR questionnaire"),
        (b"PK rubbish", "workbook is damaged"),
    ):
        refused = bring(officer, data)
        assert (refused.status_code, said in words(refused.text)) == (422, True), said
    assert bring(officer, fhir(pack), code="nothing").status_code == 422
    assert bring(officer, fhir(pack), origin=" ").status_code == 422
    assert "another questionnaire (gad7)" in words(
        bring(officer, fhir(made_up(catalogue().get("gad7")))).text
    )
    assert count(database) == 0


def test_sdq_is_never_kept_nor_shown(world, at, database, clock):
    """Its licence lets no screen show it: not when it is sent, and not if a row were there."""
    sdq = catalogue().get("sdq_s")
    pack = made_up(sdq)
    officer, clerk = at("edu_officer"), at("entry_clerk")
    empty = officer.open("/wordings/workbook/phq9?in=en")
    assert empty.headers["content-disposition"] == 'attachment; filename="phq9-en.xlsx"'
    assert officer.open("/wordings/workbook/sdq_s").status_code == 404
    assert officer.open("/wordings/workbook/nothing").status_code == 404
    answer = bring(officer, filled(sdq, pack), code="sdq_s", name="sdq.xlsx")
    assert answer.status_code == 422
    assert "does not let its wording stand on a screen" in words(answer.text)
    assert count(database) == 0
    with database.begin() as session:
        kept = WordingPack(
            organisation_id=world.places["county"], instrument="sdq_s", instrument_version=sdq.version,
            language="zh", layout=sdq.default_layout, version=1, form=WordingForm.WORKBOOK, origin="x",
            content=pack.as_dict(), content_hash=b"0" * 32, imported_by=world.people["edu_officer"],
            imported_at=clock.now(), approved_by=world.people["county_centre"], approved_at=clock.now(),
        )  # fmt: skip
        session.add(kept)
        session.flush()
        path = f"/wordings/{kept.id}"
    campaign = world.make_campaign("sdq_s")
    sheet = f"/campaigns/{campaign}/roster/{world.make_child(campaign).entry_id}/sheets/sdq_s"
    for page in (clerk.open(sheet), officer.open(path)):
        assert page.status_code == 200
        assert pack.items[2].text not in page.text


def test_a_wording_that_no_longer_agrees_is_not_shown_and_cannot_be_approved(world, at, database):
    officer, centre, clerk = at("edu_officer"), at("county_centre"), at("entry_clerk")
    pack = made_up(PHQ9)
    path = bring(officer, fhir(pack)).headers["location"]
    campaign = world.make_campaign("phq9")
    sheet = f"/campaigns/{campaign}/roster/{world.make_child(campaign).entry_id}/sheets/phq9"

    def change(pack):
        with database.begin() as session:
            session.scalars(select(WordingPack)).one().content = pack.as_dict()

    change(Pack.from_dict(pack.as_dict() | {"items": pack.as_dict()["items"][:-1]}))
    assert centre.send(f"{path}/approve", path).status_code == 409
    change(pack)
    assert centre.send(f"{path}/approve", path).status_code == 303
    assert pack.items[0].text in clerk.open(sheet).text
    change(Pack.from_dict(pack.as_dict() | {"items": pack.as_dict()["items"][:-1]}))
    assert pack.items[0].text not in clerk.open(sheet).text


def test_another_district_and_other_posts_see_none_of_it(world, at):
    path = bring(at("edu_officer"), fhir(made_up(PHQ9))).headers["location"]
    assert at("city_officer").open(path).status_code == 403
    assert at("counsellor").open("/wordings").status_code == 403
    assert "/wordings" in at("second_officer").open("/today").text
    assert "/wordings" not in at("counsellor").open("/today").text
    assert at("second_officer").open(f"/wordings/{world.places['county']}").status_code == 404


def test_papers_are_printed_from_the_campaign(world, at):
    """One round through the printing process: numbers, the wording once it is in force, what is asked."""
    pack = made_up(PHQ9)
    counsellor = at("counsellor")
    campaign = world.make_campaign("phq9", "sdq_s")
    page = counsellor.open(f"/campaigns/{campaign}").text
    at_papers = f"/campaigns/{campaign}/papers"
    assert f'href="{at_papers}/phq9?in=zh"' in page
    assert "wording=yes" not in page
    assert counsellor.open(f"{at_papers}/phq9?wording=yes").status_code == 404
    path = bring(at("edu_officer"), fhir(pack)).headers["location"]
    at("county_centre").send(f"{path}/approve", path)
    assert f"{at_papers}/phq9?in=en&amp;wording=yes" in counsellor.open(f"/campaigns/{campaign}").text
    sizes = {}
    for name in ("phq9?in=zh", "phq9?in=zh&wording=yes", "sdq_s?in=en"):
        answer = counsellor.open(f"{at_papers}/{name}")
        assert answer.headers["content-type"] == "application/pdf"
        assert answer.content.startswith(b"%PDF")
        sizes[name] = len(answer.content)
    assert sizes["phq9?in=zh"] != sizes["phq9?in=zh&wording=yes"]
    assert counsellor.open(at_papers).content == counsellor.open(at_papers).content
    assert counsellor.open(f"{at_papers}/gad7").status_code == 404
    assert at("other_counsellor").open(at_papers).status_code == 404
