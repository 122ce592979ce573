"""From the mappings of one library file to the frozen values of ``definition``.

Only the shape is looked at here (keys, types, ranges that can be computed); ``checks`` then asks whether the
values make sense together. ``parsing_scores``, ``parsing_bands`` and ``parsing_facts`` read the parts.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from instruments import parsing_facts as facts
from instruments.definition import (
    Certainty,
    Conditional,
    Instrument,
    Item,
    Layout,
    Option,
    PersonCondition,
    Sex,
    Source,
    Text,
)
from instruments.parsing_bands import (
    critical_rule,
    default_bands,
    parse_bands,
    screens_at,
    severe_floor,
    younger_bands,
)
from instruments.parsing_facts import HOW
from instruments.parsing_scores import (
    Items,
    item_condition,
    known_keys,
    parse_missing,
    parse_scores,
    parse_validity,
)
from instruments.reading import Node


def parse_instrument(root: Node, version: str) -> Instrument:
    """The instrument of one file. Raises ``LibraryError`` naming the field that is wrong."""
    if root.integer("schema") != 1:
        root.fail("schema", "only schema 1 is known")
    age, grades = root.node("age"), root.node("grades")
    items = _items(root)
    by_key = {item.key: item for item in items}
    scores = parse_scores(root, by_key)
    bands = parse_bands(root, {score.id: score for score in scores})
    instrument = Instrument(
        code=root.text("code"),
        version=f"1+{version}",
        tier=root.integer("tier"),
        certainty=root.choice("certainty", Certainty),
        name=_text(root.node("name")),
        abbr=root.text("abbr"),
        constructs=root.texts("constructs"),
        informants=root.texts("informants"),
        age_min=age.optional("min", age.integer),
        age_max=age.optional("max", age.integer),
        grade_min=grades.integer("min"),
        grade_max=grades.optional("max", grades.integer),
        grade_zh=root.text("grade_zh"),
        items=items,
        layouts=_layouts(root, items),
        default_layout=root.text("default_layout"),
        responses=_options(root, "responses"),
        conditionals=_conditionals(root, by_key) if root.has("conditional") else (),
        scores=scores,
        main_score=root.text("main_score"),
        missing=root.optional("missing", lambda key: parse_missing(root.node(key))),
        validity=tuple(parse_validity(n) for n in root.nodes("validity")) if root.has("validity") else (),
        bands=bands,
        default_bands=default_bands(root, scores, bands),
        younger_bands=younger_bands(root, bands),
        norms=tuple(facts.norm(n) for n in root.nodes("norms")) if root.has("norms") else (),
        reliability=tuple(map(facts.reliability, root.nodes("reliability")))
        if root.has("reliability")
        else (),
        screens_at=root.optional("screens_at", lambda key: screens_at(root.node(key), scores, bands)),
        severe_floor=severe_floor(root, scores, bands),
        critical=tuple(critical_rule(n) for n in root.nodes("critical")),
        recall=facts.recall(root.node("recall")),
        retest=facts.retest(root.node("retest")),
        loinc=facts.loinc(root.node("loinc")),
        licence=facts.licence(root.node("licence")),
        validation=tuple(facts.evidence(n) for n in root.nodes("validation")),
        references=root.texts("references"),
        sources=tuple(Source(n.text("id"), n.text("what")) for n in root.nodes("sources")),
        provenance=tuple(facts.provenance(n) for n in root.nodes("provenance")),
        doubts=root.texts("doubts"),
        examples=tuple(facts.example(n) for n in root.nodes("examples")) if root.has("examples") else (),
        positions={item.key: place for place, item in enumerate(items)},
    )
    instrument = replace(instrument, layout=instrument.default_layout)
    age.done()
    grades.done()
    root.done()
    return instrument


def _text(node: Node) -> Text:
    text = Text(node.text("zh"), node.text("en"))
    node.done()
    return text


def _options(node: Node, key: str) -> tuple[Option, ...]:
    options = tuple(Option(n.integer("value"), n.text("zh"), n.text("en")) for n in node.nodes(key))
    values = [option.value for option in options]
    if len(values) < 2 or len(set(values)) != len(values):
        node.fail(key, "needs at least two options with different values")
    if any(not -127 <= value <= 127 for value in values):
        node.fail(key, "a value does not fit in a byte beside the mark for missing")
    return options


def _items(root: Node) -> tuple[Item, ...]:
    shared = _options(root, "responses")
    reverse = root.keys("reverse")
    items = tuple(_item(node, shared, reverse) for node in root.nodes("items"))
    keys = [item.key for item in items]
    for key in keys:
        if keys.count(key) > 1:
            root.fail("items", f"item {key} is there twice")
    main = [item.key for item in items if item.is_main]
    if main != [str(number) for number in range(1, root.integer("n_items") + 1)]:
        root.fail("n_items", "the scored items of the main list are not numbered 1 to n_items in order")
    if sum(not item.scored for item in items) != root.integer("n_unscored"):
        root.fail("n_unscored", "does not agree with the items marked scored: false")
    for key in reverse:
        if key not in main:
            root.fail("reverse", f"item {key} is not a scored item of the main list")
    return items


def _item(node: Node, shared: tuple[Option, ...], reverse: Sequence[str]) -> Item:
    key = node.key("n")
    options = _options(node, "options") if node.has("options") else shared
    scored = node.flag("scored") if node.has("scored") else True
    return Item(
        key=key,
        zh=node.text("zh"),
        en=node.text("en"),
        scored=scored,
        options=options,
        values=tuple(sorted(option.value for option in options)),
        part=node.optional("part", node.text),
        reverse=key in reverse,
        sensitive=node.flag("sensitive") if node.has("sensitive") else False,
        min_grade=node.optional("min_grade", node.integer),
        note=node.optional("note", node.text),
    )


def _layouts(root: Node, items: Sequence[Item]) -> tuple[Layout, ...]:
    found = []
    for node in root.nodes("layouts"):
        order = node.keys("order") if node.has("order") else ()
        found.append(
            Layout(
                id=node.text("id"),
                zh=node.text("zh"),
                en=node.text("en"),
                order=order,
                how=node.one_of("how", HOW) if node.has("how") else "read",
                source=node.texts("source") if node.has("source") else (),
            )
        )
        if order and sorted(order) != sorted(item.key for item in items if item.is_main):
            node.fail("order", "does not name each item of the main list once")
    return tuple(found)


def _conditionals(root: Node, items: Items) -> tuple[Conditional, ...]:
    found = []
    for node in root.nodes("conditional"):
        asked_if = node.node("asked_if")
        condition = _person(asked_if) or item_condition(asked_if, items)
        asked_if.done()
        if not condition:
            asked_if.fail("", "needs every, any, none, sex or age_from")
        found.append(Conditional(known_keys(node, "items", items), condition))
    return tuple(found)


def _person(node: Node) -> PersonCondition | None:
    if node.has("sex"):
        return PersonCondition(sex=node.choice("sex", Sex))
    return PersonCondition(age_from=node.integer("age_from")) if node.has("age_from") else None
