"""Blank papers: numbered answer sheets and what is asked, for every instrument, without a word of ours on them."""

from __future__ import annotations

import io
import re
from datetime import date

import pypdf
import pytest

from api.web.presenters import papers as present
from instruments import catalogue
from screening.core.paper import Printer
from tests.architecture.test_fixed_words import bad_words
from tests.instruments.wordings import made_up

LIBRARY = list(catalogue())


@pytest.fixture(scope="module")
def printer():
    with Printer() as one:
        yield one


def text_of(pdf):
    return re.sub(r"\s+", "", "".join(page.extract_text() for page in pypdf.PdfReader(io.BytesIO(pdf)).pages))


def strings(value):
    if isinstance(value, dict):
        return [each for part in value.values() for each in strings(part)]
    if isinstance(value, list | tuple):
        return [each for part in value for each in strings(part)]
    return [value] if isinstance(value, str) else []


@pytest.mark.parametrize("locale", ["zh", "en"])
def test_every_sheet_has_its_numbers_and_none_of_our_labels(locale):
    for instrument in LIBRARY:
        values = present.answer_sheet(instrument, locale)
        rows = [row for column in values["columns"] for row in column]
        assert [row["circles"] for row in rows] == [
            [option.value for option in item.options if option.value >= 0] for item in instrument.items
        ]
        numbers = [row["number"] for row in rows]
        assert len(set(numbers)) == len(numbers) == len(instrument.items)
        said = set(strings(values))
        labels = {text for item in instrument.items for text in (item.zh, item.en)}
        labels |= {text for item in instrument.items for o in item.options for text in (o.zh, o.en)}
        assert not said & labels
        assert not bad_words("".join(said))


def test_a_sheet_of_9_25_and_100_items_is_one_a4_page(printer):
    for code in ("phq9", "sdq_s", "mht", "scl90"):
        instrument = catalogue().get(code)
        made = printer.render(present.ANSWER_SHEET, present.answer_sheet(instrument, "zh"))
        page = pypdf.PdfReader(io.BytesIO(made.pdf)).pages[0]
        assert made.pages == 1, code
        assert made.missing_glyphs == ()
        assert [round(float(side) / 72 * 25.4) for side in page.mediabox[2:]] == [210, 297]
        text = text_of(made.pdf)
        assert {"学号", "姓名", "班级", "日期", "12355"} <= {
            word for word in ("学号", "姓名", "班级", "日期", "12355") if word in text
        }


def test_a_wording_is_printed_with_its_own_answers(printer):
    instrument = catalogue().get("phq9")
    pack = made_up(instrument)
    made = printer.render(present.ANSWER_SHEET, present.answer_sheet(instrument, "zh", pack))
    text = text_of(made.pdf)
    assert all(re.sub(r"\s", "", item.text) in text for item in pack.items)
    assert pack.title in text


def asked(*codes, locale="zh"):
    return present.asked(
        [catalogue().get(code) for code in codes],
        school="白石县第一中学",
        phone="0571-8000000",
        title="2026 秋季筛查",
        opens_on=date(2026, 10, 14),
        closes_on=date(2026, 11, 3),
        locale=locale,
    )


def test_guardians_read_topics_time_and_their_right_to_say_no(printer):
    made = printer.render(present.ASKED, asked("phq9", "scl90", "sdq_p"))
    text = text_of(made.pdf)
    assert made.pages == 1
    assert made.missing_glyphs == ()
    for word in (
        "心情和兴趣",
        "约2分钟",
        "家长或照护人",
        "是否有过不想活下去或伤害自己的想法",
        "都可以不参加",
        "0571-8000000",
    ):
        assert word in text, word
    assert "轻生" not in text  # our label; families read other words


def test_every_instrument_can_be_named_to_guardians():
    for locale in ("zh", "en"):
        values = asked(*(each.code for each in LIBRARY), locale=locale)
        said = "".join(strings(values))
        assert not bad_words(said)
        assert "_" not in said
        if locale == "zh":  # every topic has a word
            assert not [row["topics"] for row in values["rows"] if re.search("[a-z]{3}", row["topics"])]


def test_without_a_safety_question_guardians_are_told_so():
    assert any("没有题目问到不想活" in said for said in strings(asked("gad7")))
    assert not any("没有题目问到不想活" in said for said in strings(asked("gad7", "phq9")))
