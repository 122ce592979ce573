"""Every text that a person may read has a Chinese translation, and both sides have the same placeholders.

Message ids are collected from the code (``_("…")``, ``translate(locale, "…")``, the first argument of our
exceptions and their default messages) and from the templates.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from functools import cache
from io import BytesIO
from pathlib import Path
from string import Formatter

import pytest
from babel.messages.catalog import Catalog
from babel.messages.extract import extract
from babel.messages.pofile import read_po

from tests.architecture.sources import ROOT, Finding, Source, called_name, calls, modules, report

LOCALE = ROOT / "screening" / "core" / "locale"
TEMPLATES = (
    ROOT / "api" / "web" / "templates",
    ROOT / "referral" / "notes" / "templates",
    ROOT / "api" / "cli" / "model_report" / "templates",
)
CHINESE = re.compile(r"[\u3400-\u9fff\U00020000-\U0003ffff]")
MARKED = {"_", "gettext"}


@cache
def catalogue(locale: str) -> Catalog:
    with (LOCALE / locale / "LC_MESSAGES" / "messages.po").open("rb") as file:
        return read_po(file, locale=locale, abort_invalid=True)


def error_classes(sources: tuple[Source, ...]) -> set[str]:
    """``DomainError`` and every class that descends from it."""
    bases = {
        node.name: {base.id for base in node.bases if isinstance(base, ast.Name)}
        for source in sources
        for node in ast.walk(source.tree)
        if isinstance(node, ast.ClassDef)
    }
    known = {"DomainError"}
    while more := {name for name, above in bases.items() if above & known} - known:
        known |= more
    return known


def constant(node: ast.expr | None) -> str | None:
    return node.value if isinstance(node, ast.Constant) and isinstance(node.value, str) else None


def said(call: ast.Call, errors: set[str]) -> ast.expr | None:
    """The argument of a call that is a message, if there is one."""
    name = called_name(call)
    if name == "translate" and len(call.args) >= 2:
        return call.args[1]
    if (name in MARKED and isinstance(call.func, ast.Name)) or name in errors:
        return call.args[0] if call.args else None
    return None


def messages_of(source: Source, errors: set[str]) -> Iterator[tuple[int, str]]:
    """Message ids of a module with their lines."""
    for call in calls(source.tree):
        text = constant(said(call, errors))
        if text:
            yield call.lineno, text
    for node in ast.walk(source.tree):
        if isinstance(node, ast.ClassDef) and node.name in errors:
            yield from default_messages(node)


def default_messages(node: ast.ClassDef) -> Iterator[tuple[int, str]]:
    for function in node.body:
        if isinstance(function, ast.FunctionDef) and function.name == "__init__":
            for default in [*function.args.defaults, *function.args.kw_defaults]:
                text = constant(default)
                if text:
                    yield function.lineno, text


def built_messages(source: Source, errors: set[str]) -> Iterator[Finding]:
    """Messages put together in the code: they can be in no catalogue."""
    for call in calls(source.tree):
        if isinstance(said(call, errors), ast.JoinedStr | ast.BinOp):
            yield Finding(source.path, call.lineno, "a message id is written out, with {placeholders}")


def template_files() -> list[Path]:
    return [
        path
        for folder in TEMPLATES
        for path in sorted(folder.rglob("*"))
        if path.suffix in {".html", ".txt", ".svg"}
    ]


def messages_of_template(text: str) -> Iterator[tuple[int, str]]:
    found = extract("jinja2.ext:babel_extract", BytesIO(text.encode()), keywords={"_": None, "gettext": None})
    for line, message, _, _ in found:
        yield line, message if isinstance(message, str) else message[0]


@cache
def used() -> tuple[Finding, ...]:
    """Every message id in use; ``what`` is the id."""
    sources = modules()
    errors = error_classes(sources)
    found = [Finding(s.path, line, text) for s in sources for line, text in messages_of(s, errors)]
    for path in template_files():
        text = path.read_text(encoding="utf-8")
        found += [Finding(str(path.relative_to(ROOT)), line, m) for line, m in messages_of_template(text)]
    return tuple(found)


def placeholders(text: str) -> set[str]:
    return {name.split(".")[0].split("[")[0] for _, name, _, _ in Formatter().parse(text) if name is not None}


def test_every_message_has_a_chinese_text():
    known = {str(message.id) for message in catalogue("zh") if message.id and message.string}
    missing = [finding for finding in used() if finding.what not in known]
    assert not missing, report(missing)


def test_messages_are_written_out():
    sources = modules()
    errors = error_classes(sources)
    found = [finding for source in sources for finding in built_messages(source, errors)]
    assert not found, report(found)


def test_both_sides_have_the_same_placeholders():
    different = [
        str(message.id)
        for message in catalogue("zh")
        if message.id
        and message.string
        and placeholders(str(message.id)) != placeholders(str(message.string))
    ]
    assert not different


def test_nothing_is_fuzzy_doubled_or_left_in_english():
    text = (LOCALE / "zh" / "LC_MESSAGES" / "messages.po").read_text(encoding="utf-8")
    ids = re.findall(r'^msgid ((?:".*"\n?)+)', text, re.MULTILINE)
    assert len(ids) == len(set(ids)), sorted({each for each in ids if ids.count(each) > 1})
    entries = [message for message in catalogue("zh") if message.id]
    assert not [message.id for message in entries if message.fuzzy or not message.string]
    assert not [
        m.id for m in entries if re.search("[A-Za-z]{3}", str(m.id)) and not CHINESE.search(str(m.string))
    ]


def test_message_ids_are_english():
    assert not [message.id for message in catalogue("zh") if CHINESE.search(str(message.id))]


def test_pages_take_their_texts_from_the_catalogue():
    found = []
    for path in template_files():
        if TEMPLATES[0] in path.parents:
            text = re.sub(r"\{#.*?#\}", "", path.read_text(encoding="utf-8"), flags=re.DOTALL)
            found += [str(path.relative_to(ROOT))] if CHINESE.search(text) else []
    assert not found, f"Chinese written into a page template: {found}"


@pytest.mark.parametrize(
    ("code", "expected"),
    [
        ("_('Sign in')", ["Sign in"]),
        ("translate(locale, 'Row {row}', row=3)", ["Row {row}"]),
        ("i18n.translate(locale, 'Row {row}', row=3)", ["Row {row}"]),
        ("'abc'.translate(table)", []),
        ("raise Odd('This cannot be.')", ["This cannot be."]),
        ("class Odd(DomainError):\n    def __init__(self, message='Odd.', **params): ...", ["Odd."]),
        ("translate(locale, error.message)", []),
    ],
)
def test_messages_in_code_are_collected(code, expected):
    source = Source.of("sample.py", "class Odd(DomainError): ...\n" + code)
    assert [text for _, text in messages_of(source, error_classes((source,)))] == expected


def test_messages_in_templates_are_collected():
    text = "<p>{{ _('Sign in') }}</p>{% set t = _(\"Hello {name}\", name=x) %}{# _('no') #}"
    assert [message for _, message in messages_of_template(text)] == ["Sign in", "Hello {name}"]


def test_a_message_put_together_is_found():
    source = Source.of("sample.py", "translate(locale, f'Row {row}')")
    assert list(built_messages(source, {"DomainError"}))
