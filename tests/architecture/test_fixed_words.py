"""Words that never stand on a page of a school or a family, nor on a note or in a file name.

Counsellors and teachers do not diagnose (Mental Health Law, articles 23, 29 and 51), and a child is not a label.
A level has neutral words, and "nothing seen" is never called healthy, because screening misses children. Only
the clinical part of a return note, which a psychiatrist writes and reads, uses clinical words: an entry of the
catalogue or a template that belongs there says so with the comment ``clinical return note``.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest
import yaml
from babel.messages.pofile import read_po

from tests.architecture.sources import ROOT, Finding, modules, report

NEVER = (
    "诊断", "抑郁症", "精神病", "患者", "有病", "心理疾病", "问题儿童", "异常学生", "高危儿童", "高危学生", "问题学生",
    "差生", "单亲家庭子女",
)  # fmt: skip
# Words that make a level sound like a verdict, or like an all-clear.
NEVER_FOR_A_LEVEL = ("无风险", "没有问题", "高危", "预警", "心理正常", "心理异常", "心理健康正常")
# Saying that something is *not* a diagnosis, or who alone makes one, is what we want to say.
WELCOME = (
    "不是诊断", "不作诊断", "不做诊断", "非诊断", "不等于诊断", "不等同于诊断", "不构成诊断", "不能代替诊断",
    "不能替代诊断", "不代表诊断", "不含诊断", "不写诊断", "不得诊断", "不进行诊断", "不属于诊断", "不作任何诊断",
    "诊断只能由", "诊断由精神科", "不是医学诊断", "不是医疗诊断", "不作医学诊断", "不构成医学诊断",
    "不涉及诊断", "并非诊断",
    # a sign that makes a referral urgent, named among professionals; families read other words
    "疑似精神病性表现",
    # proper names of institutions
    "精神病院", "精神病医院",
)  # fmt: skip
CLINICAL = "clinical return note"

# Modules that look for such words in what people have written.
LOOKING_FOR_THEM = {"referral/disclosure.py"}
# (module, text) that only the clinical part of a return note shows.
CLINICAL_TERMS: set[tuple[str, str]] = set()

CATALOGUE = ROOT / "screening" / "core" / "locale" / "zh" / "LC_MESSAGES" / "messages.po"
TEMPLATE_FOLDERS = ("api/web/templates", "referral/notes/templates", "screening/core/templates")
DATA_FOLDERS = ("referral/library",)


def bad_words(text: str) -> list[str]:
    """Words of the lists that stand in a text otherwise than in a welcome phrase."""
    for phrase in WELCOME:
        text = text.replace(phrase, "")
    return [word for word in (*NEVER, *NEVER_FOR_A_LEVEL) if word in text]


def entries() -> Iterator[tuple[str, str]]:
    """Texts of the Chinese catalogue, without those of the clinical return note."""
    with CATALOGUE.open("rb") as file:
        for message in read_po(file, locale="zh"):
            comments = [*message.user_comments, *message.auto_comments]
            if message.id and not any(CLINICAL in comment for comment in comments):
                yield str(message.id), str(message.string)


def outside_the_clinical_part(text: str) -> str:
    """A template without its parts between ``{# clinical return note #}`` and ``{# end of clinical … #}``."""
    return re.sub(rf"\{{#\s*{CLINICAL}.*?#\}}.*?\{{#\s*end of {CLINICAL}.*?#\}}", "", text, flags=re.DOTALL)


@cache
def template_files() -> tuple[Path, ...]:
    return tuple(
        path
        for folder in TEMPLATE_FOLDERS
        for path in sorted((ROOT / folder).rglob("*"))
        if path.suffix in {".html", ".svg", ".txt", ".js", ".css"}
    )


def texts_in(data: object) -> Iterator[str]:
    match data:
        case str():
            yield data
        case dict():
            for key, value in data.items():
                yield from texts_in(key)
                yield from texts_in(value)
        case list():
            for value in data:
                yield from texts_in(value)


def test_catalogue_is_free_of_them():
    found = {message: bad_words(text) for message, text in entries() if bad_words(text)}
    assert not found


def test_templates_are_free_of_them():
    found = {}
    for path in template_files():
        words = bad_words(outside_the_clinical_part(path.read_text(encoding="utf-8")))
        if words:
            found[str(path.relative_to(ROOT))] = words
    assert not found


def test_words_in_the_code_are_free_of_them():
    """Names of statuses, areas and measures, and whatever else a module says in Chinese."""
    found = [
        Finding(source.path, node.lineno, f"{bad_words(node.value)} in {node.value[:40]!r}")
        for source in modules("screening", "referral", "api", "risk_model")
        if source.path not in LOOKING_FOR_THEM
        for node in ast.walk(source.tree)
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and bad_words(node.value)
        if (source.path, node.value) not in CLINICAL_TERMS
    ]
    assert not found, report(found)


def test_intervention_texts_are_free_of_them():
    found = {}
    for folder in DATA_FOLDERS:
        for path in sorted((ROOT / folder).glob("*.yaml")):
            data = yaml.safe_load(path.read_text(encoding="utf-8"))
            words = {text: bad_words(text) for text in texts_in(data) if bad_words(text)}
            if words:
                found[path.name] = words
    assert not found


@pytest.mark.parametrize("text", ["该生为高危学生", "诊断:抑郁症", "无风险", "预警名单", "患者姓名"])
def test_a_word_of_the_lists_is_found(text):
    assert bad_words(text)


@pytest.mark.parametrize(
    "text", ["本提示不是诊断", "本次未见提示", "优先约谈", "诊断只能由精神科执业医师作出", "程序出现异常"]
)
def test_a_welcome_phrase_is_not_found(text):
    assert not bad_words(text)


def test_the_clinical_part_of_a_template_may_use_clinical_words():
    text = "{# clinical return note #}诊断{# end of clinical return note #}其余"
    assert outside_the_clinical_part(text) == "其余"
    assert "诊断" in outside_the_clinical_part("{# another part #}诊断")
