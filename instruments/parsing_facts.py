"""What stands beside the numbers of one library file: norms, reliability, codes, licence, evidence, sources."""

from __future__ import annotations

from instruments.definition import (
    Certainty,
    Evidence,
    Licence,
    Loinc,
    Norm,
    NormRow,
    Provenance,
    Recall,
    Reliability,
    ReliabilityKind,
    Retest,
    Sex,
    WorkedExample,
)
from instruments.reading import Node

HOW = ("read", "memory", "project")
"""Where a fact comes from: a source, somebody's memory, or a rule of this project."""


def norm(node: Node) -> Norm:
    return Norm(
        population=node.text("population"),
        n=node.optional("n", node.integer),
        year=node.optional("year", node.integer),
        note=node.optional("note", node.text),
        ref=node.optional("ref", node.text),
        how=node.one_of("how", HOW),
        rows=tuple(_norm_row(row) for row in node.nodes("rows")) if node.has("rows") else (),
    )


def _norm_row(node: Node) -> NormRow:
    return NormRow(
        score=node.text("score"),
        sex=node.optional("sex", lambda key: node.choice(key, Sex)),
        age_min=node.optional("age_min", node.integer),
        age_max=node.optional("age_max", node.integer),
        mean=node.optional("mean", node.number),
        sd=node.optional("sd", node.number),
        positive_above=node.optional("positive_above", node.number),
    )


def reliability(node: Node) -> Reliability:
    """One line of ``reliability``."""
    value = node.share("value")
    if value is None:
        node.fail("value", "missing")
    found = Reliability(
        score=node.text("score"),
        kind=node.choice("kind", ReliabilityKind),
        value=value,
        population=node.text("population"),
        n=node.optional("n", node.integer),
        interval=node.optional("interval", node.text),
        sd=node.optional("sd", node.number),
        certainty=node.choice("certainty", Certainty),
        ref=node.text("ref"),
    )
    node.done()
    return found


def example(node: Node) -> WorkedExample:
    """One line of ``examples``."""
    answers = []
    for raw, value in node.entries("answers") if node.has("answers") else []:
        if value is not None and (isinstance(value, bool) or not isinstance(value, int)):
            node.fail("answers", f"the answer to item {raw} is not a whole number or null")
        answers.append((node.key_of("answers", raw), value))
    expect = tuple((str(name), value) for name, value in node.entries("expect"))
    if not expect:
        node.fail("expect", "must not be empty")
    return WorkedExample(
        every=node.optional("every", node.integer),
        answers=tuple(answers),
        layout=node.optional("layout", node.text),
        sex=node.optional("sex", lambda key: node.choice(key, Sex)),
        age=node.optional("age", node.integer),
        expect=expect,
    )


def recall(node: Node) -> Recall:
    found = Recall(
        days=node.optional("days", node.integer),
        zh=node.text("zh"),
        en=node.text("en"),
        how=node.one_of("how", HOW),
        note=node.optional("note", node.text),
    )
    node.done()
    return found


def retest(node: Node) -> Retest:
    found = Retest(node.integer("min_gap_days"), node.text("basis"))
    node.done()
    return found


def loinc(node: Node) -> Loinc:
    found = Loinc(
        panel=node.optional("panel", node.text),
        total=node.optional("total", node.text),
        items=_codes(node, "items"),
        answers=_answer_codes(node),
        certainty=node.optional("certainty", lambda key: node.choice(key, Certainty)),
        items_certainty=node.optional("items_certainty", lambda key: node.choice(key, Certainty)),
        note=node.optional("note", node.text),
    )
    node.done()
    return found


def _codes(node: Node, key: str) -> tuple[tuple[str, str], ...]:
    if not node.has(key):
        return ()
    pairs = node.entries(key)
    if not all(isinstance(code, str) for _, code in pairs):
        node.fail(key, "must map to codes")
    return tuple((node.key_of(key, raw), str(code)) for raw, code in pairs)


def _answer_codes(node: Node) -> tuple[tuple[str, int, str], ...]:
    found = [("", value, code) for value, code in _values(node, "answers")]
    if node.has("item_answers"):
        by_item = node.node("item_answers")
        for raw, _ in node.entries("item_answers"):
            key = node.key_of("item_answers", raw)
            found += [(key, value, code) for value, code in _values(by_item, raw)]
        by_item.done()
    return tuple(found)


def _values(node: Node, key: object) -> list[tuple[int, str]]:
    if not node.has(key):
        return []
    pairs = node.entries(key)
    if not all(isinstance(value, int) and isinstance(code, str) for value, code in pairs):
        node.fail(str(key), "must map answers to codes")
    return [(int(str(value)), str(code)) for value, code in pairs]


def licence(node: Node) -> Licence:
    found = Licence(
        holder=node.text("holder"),
        status=node.one_of("status", ("free", "free_nc", "permission", "licensed", "unclear")),
        reproduce_items=node.text("reproduce_items"),
        electronic=node.text("electronic"),
        on_screen=node.flag("on_screen"),
        certainty=node.choice("certainty", Certainty),
        how=node.one_of("how", HOW),
        source=node.optional("source", node.text),
        consequence=node.optional("consequence", node.text),
    )
    node.done()
    return found


def evidence(node: Node) -> Evidence:
    return Evidence(
        population=node.text("population"),
        n=node.optional("n", node.integer),
        alpha=node.optional("alpha", node.text),
        retest=node.optional("retest", node.text),
        cutoff=node.optional("cutoff", node.text),
        sensitivity=node.share("sensitivity"),
        specificity=node.share("specificity"),
        auc=node.share("auc"),
        note=node.optional("note", node.text),
        ref=node.text("ref"),
        how=node.one_of("how", HOW),
    )


def provenance(node: Node) -> Provenance:
    return Provenance(
        about=node.text("about"),
        how=node.one_of("how", HOW),
        source=node.texts("source") if node.has("source") else (),
        note=node.optional("note", node.text),
    )
