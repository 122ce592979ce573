"""Sign in, sign out, language, first password, refusals as pages."""

from __future__ import annotations

import re

import pytest

from screening.core.actor import Role
from tests.api.conftest import PASSWORD
from tests.api.web import SAME, Browser, words

NEW = "seven boats cross at dawn"


@pytest.fixture
def browser(app) -> Browser:
    return Browser(app)


def test_a_person_signs_in_and_sees_today(browser, make_person):
    person = make_person("lin", Role.COUNSELLOR)
    answer = browser.sign_in(person.username, PASSWORD)
    assert (answer.status_code, answer.headers["location"]) == (303, "/today")
    page = browser.open("/today")
    assert page.status_code == 200
    assert "林知远" in page.text
    assert "没有需要立即处理的事项" in page.text


def test_a_wrong_password_is_one_sentence_and_keeps_the_name(browser, make_person):
    make_person("lin", Role.COUNSELLOR)
    answer = browser.sign_in("lin", "not this one at all")
    assert answer.status_code == 401
    assert answer.headers["www-authenticate"] == "Bearer"
    assert "用户名或密码不正确" in answer.text
    assert 'value="lin"' in answer.text
    assert "not this one" not in answer.text


def test_an_unknown_name_reads_the_same(browser, make_person):
    make_person("lin", Role.COUNSELLOR)
    known, unknown = browser.sign_in("lin", "wrong words here"), browser.sign_in("nobody", "wrong words here")
    assert known.status_code == unknown.status_code == 401
    cut = re.compile(r'nonce="[^"]*"|value="(lin|nobody)"')
    assert cut.sub("", known.text) == cut.sub("", unknown.text)


def test_too_many_guesses_are_told_to_wait(browser, make_person):
    make_person("lin", Role.COUNSELLOR)
    answers = [browser.sign_in("lin", "wrong words here") for _ in range(7)]
    assert answers[-1].status_code == 429
    assert int(answers[-1].headers["retry-after"]) > 0
    assert '<form method="post" action="/sign-in">' in answers[-1].text


def test_a_stranger_finds_the_form_and_comes_back_to_the_page_they_wanted(browser, make_person):
    person = make_person("lin", Role.COUNSELLOR)
    page = browser.open("/cases")
    assert page.status_code == 401
    assert '<input type="hidden" name="wanted" value="/cases">' in page.text
    answer = browser.client.post(
        "/sign-in",
        data={"username": person.username, "password": PASSWORD, "wanted": "/cases"},
        headers=SAME,
    )
    assert answer.headers["location"] == "/cases"


@pytest.mark.parametrize(
    "wanted", ["//elsewhere.example", "https://elsewhere.example/", "/\\elsewhere.example"]
)
def test_sign_in_leads_to_no_other_host(browser, make_person, wanted):
    person = make_person("lin", Role.COUNSELLOR)
    answer = browser.client.post(
        "/sign-in",
        data={"username": person.username, "password": PASSWORD, "wanted": wanted},
        headers=SAME,
    )
    assert answer.headers["location"] == "/today"


def test_signing_out_ends_the_session_and_clears_the_browser(browser, make_person):
    person = make_person("lin", Role.COUNSELLOR)
    browser.sign_in(person.username, PASSWORD)
    kept = dict(browser.client.cookies)
    answer = browser.send("/sign-out")
    assert answer.status_code == 303
    assert "cookies" in answer.headers["clear-site-data"]
    assert "您已退出" in browser.open(answer.headers["location"]).text
    browser.client.cookies.update(kept)
    assert browser.open("/today").status_code == 401


def test_a_form_without_its_token_is_refused(browser, make_person):
    person = make_person("lin", Role.COUNSELLOR)
    browser.sign_in(person.username, PASSWORD)
    answer = browser.client.post("/sign-out", headers=SAME)
    assert answer.status_code == 403
    assert "请重新打开页面" in answer.text or "过期" in answer.text
    assert browser.open("/today").status_code == 200


@pytest.mark.parametrize("site", ["cross-site", "same-site", "none"])
def test_a_form_of_another_site_is_refused_even_with_the_token(browser, make_person, site):
    person = make_person("lin", Role.COUNSELLOR)
    browser.sign_in(person.username, PASSWORD)
    token = re.search(r'name="csrf_token" value="([^"]+)"', browser.open("/today").text)[1]
    answer = browser.client.post(
        "/sign-out", data={"csrf_token": token}, headers={**SAME, "Sec-Fetch-Site": site}
    )
    assert answer.status_code == 403


def test_a_first_password_is_replaced_before_anything_else(browser, make_person):
    make_person("lin", Role.COUNSELLOR, must_change_password=True)
    browser.sign_in("lin", PASSWORD)
    page = browser.open("/today")
    assert page.status_code == 403
    assert 'action="/password"' in page.text
    differs = browser.send(
        "/password",
        seen="/password",
        current_password=PASSWORD,
        new_password=NEW,
        new_password_again=NEW + "!",
    )
    assert differs.status_code == 422
    assert "不一致" in differs.text
    weak = browser.send(
        "/password",
        seen="/password",
        current_password=PASSWORD,
        new_password="password1234",
        new_password_again="password1234",
    )
    assert weak.status_code == 422
    assert "password1234" not in weak.text
    done = browser.send(
        "/password", seen="/password", current_password=PASSWORD, new_password=NEW, new_password_again=NEW
    )
    assert (done.status_code, done.headers["location"]) == (303, "/today")
    assert browser.open("/today").status_code == 200
    other = Browser(browser.client.app)
    assert other.sign_in("lin", PASSWORD).status_code == 401
    assert other.sign_in("lin", NEW).status_code == 303


def test_chinese_comes_first_and_english_is_one_press_away(browser):
    assert 'lang="zh"' in browser.client.get("/sign-in", headers={"Accept-Language": "en"}).text
    answer = browser.client.post("/language", data={"language": "en", "back": "/sign-in"}, headers=SAME)
    assert (answer.status_code, answer.headers["location"]) == (303, "/sign-in")
    page = browser.open("/sign-in")
    assert 'lang="en"' in page.text
    assert "Sign in" in words(page.text)
    assert page.headers["content-language"] == "en"


@pytest.mark.parametrize("back", ["//elsewhere.example", "https://elsewhere.example"])
def test_the_language_form_leads_to_no_other_host(browser, back):
    answer = browser.client.post("/language", data={"language": "en", "back": back}, headers=SAME)
    assert answer.headers["location"] == "/today"


def test_an_unknown_language_changes_nothing(browser):
    answer = browser.client.post("/language", data={"language": "xx", "back": "/sign-in"}, headers=SAME)
    assert "set-cookie" not in answer.headers


def test_a_page_that_is_not_there_is_told_in_words(browser, make_person):
    make_person("lin", Role.COUNSELLOR)
    browser.sign_in("lin", PASSWORD)
    answer = browser.open("/nothing-here")
    assert answer.status_code == 404
    assert "没有找到" in answer.text
    assert answer.headers["x-request-id"] in answer.text


def test_pages_load_nothing_from_elsewhere_and_run_only_our_script(browser, make_person):
    make_person("lin", Role.COUNSELLOR)
    browser.sign_in("lin", PASSWORD)
    for path in ("/sign-in", "/today", "/password"):
        page = browser.open(path)
        policy = page.headers["content-security-policy"]
        nonce = re.search(r"'nonce-([^']+)'", policy)[1]
        assert "default-src 'none'" in policy
        assert page.headers["cache-control"] == "no-store"
        assert not re.search(r"(src|href|action)=\"(https?:)?//", page.text)
        assert re.findall(r"<script[^>]*>", page.text) == [
            f'<script src="/static/xinqiao.js" nonce="{nonce}" defer>'
        ]
        assert not re.search(r"\sstyle=|\son\w+=|<style", page.text)
        for file in re.findall(r'(?:src|href)="(/static/[^"]+)"', page.text):
            assert browser.client.get(file).status_code == 200, file


def test_what_forms_say_is_in_the_catalogue():
    from api.web import forms
    from screening.core.i18n import catalogue

    said = [
        forms.NEEDED,
        forms.NOT_OFFERED,
        forms.TOO_LONG,
        forms.ODD_CHARACTER,
        forms.NOT_TOGETHER,
        forms.NO_DAY,
        forms.NO_TIME,
        "You have signed out.",
    ]
    assert not [message for message in said if message not in catalogue("zh")]
