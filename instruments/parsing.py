"""From the mappings of one library file to the frozen values of ``definition``.

Only the shape is looked at here (keys, types, ranges that can be computed); ``checks`` then asks whether the
values make sense together.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

from instruments.definition import (
    Band,
    BandSet,
    Certainty,
    Conditional,
    CriticalMatch,
    CriticalRule,
    Cutoff,
    Evidence,
    Grade,
    Instrument,
    Item,
    ItemCondition,
    Layout,
    Licence,
    Loinc,
    MissingKind,
    MissingRule,
    Norm,
    Option,
    Per,
    Provenance,
    Quantifier,
    Recall,
    Retest,
    RuleCase,
    ScoreCondition,
    ScoreDefinition,
    ScoreKind,
    Source,
    Text,
    ValidityRule,
)
from instruments.reading import Node

HOW = ("read", "memory", "project")
"""Where a fact comes from: a source, somebody's memory, or a rule of this project."""

Scores = Mapping[str, ScoreDefinition]
Items = Mapping[str, Item]


def parse_instrument(root: Node, version: str) -> Instrument:
    """The instrument of one file. Raises ``LibraryError`` naming the field that is wrong."""
    if root.integer("schema") != 1:
        root.fail("schema", "only schema 1 is known")
    age = root.node("age")
    items = _items(root)
    by_key = {item.key: item for item in items}
    scores = _scores(root, by_key)
    bands = _band_sets(root, {score.id: score for score in scores})
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
        grade_zh=root.text("grade_zh"),
        items=items,
        layouts=tuple(Layout(n.text("id"), n.text("zh"), n.text("en")) for n in root.nodes("layouts")),
        default_layout=root.text("default_layout"),
        responses=_options(root, "responses"),
        conditionals=_conditionals(root, by_key) if root.has("conditional") else (),
        scores=scores,
        main_score=root.text("main_score"),
        missing=root.optional("missing", lambda key: _missing(root.node(key))),
        validity=tuple(_validity(n) for n in root.nodes("validity")) if root.has("validity") else (),
        bands=bands,
        default_bands=_default_bands(root, scores, bands),
        norms=tuple(_norm(n) for n in root.nodes("norms")) if root.has("norms") else (),
        screens_at=root.optional("screens_at", lambda key: _screens_at(root.node(key), scores, bands)),
        severe_floor=_severe_floor(root, scores, bands),
        critical=tuple(_critical(n) for n in root.nodes("critical")),
        recall=_recall(root.node("recall")),
        retest=_retest(root.node("retest")),
        loinc=_loinc(root.node("loinc")),
        licence=_licence(root.node("licence")),
        validation=tuple(_evidence(n) for n in root.nodes("validation")),
        references=root.texts("references"),
        sources=tuple(Source(n.text("id"), n.text("what")) for n in root.nodes("sources")),
        provenance=tuple(_provenance(n) for n in root.nodes("provenance")),
        doubts=root.texts("doubts"),
        positions={item.key: place for place, item in enumerate(items)},
    )
    age.done()
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


# --- items ------------------------------------------------------------------------------------------------


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
    )


def _conditionals(root: Node, items: Items) -> tuple[Conditional, ...]:
    found = []
    for node in root.nodes("conditional"):
        asked_if = node.node("asked_if")
        condition = _item_condition(asked_if, items)
        asked_if.done()
        if not condition:
            asked_if.fail("", "needs every, any or none")
        found.append(Conditional(_known(node, "items", items), condition))
    return tuple(found)


def _known(node: Node, key: str, known: Mapping[str, object]) -> tuple[str, ...]:
    keys = node.keys(key)
    if not keys:
        node.fail(key, "must not be empty")
    for name in keys:
        if name not in known:
            node.fail(key, f"{name} is not defined")
    return keys


def _item_condition(node: Node, items: Items) -> ItemCondition | None:
    for quantifier in Quantifier:
        if node.has(quantifier.value):
            keys = _known(node, quantifier.value, items)
            values = node.integers("in")
            for key in keys:
                if not set(values) <= set(items[key].values):
                    node.fail("in", f"holds a value that item {key} does not have")
            return ItemCondition(quantifier, keys, values)
    return None


# --- scores -----------------------------------------------------------------------------------------------


def _scores(root: Node, items: Items) -> tuple[ScoreDefinition, ...]:
    found: dict[str, ScoreDefinition] = {}
    for node in root.nodes("scores"):
        score = _score(node, items, found)
        if score.id in found:
            node.fail("id", f"{score.id} is there twice")
        found[score.id] = score
    return tuple(found.values())


def _score(node: Node, items: Items, known: Scores) -> ScoreDefinition:
    kind = node.choice("kind", ScoreKind)
    plain = ScoreDefinition(
        id=node.text("id"),
        zh=node.text("zh"),
        en=node.text("en"),
        kind=kind,
        higher_is_better=node.flag("higher_is_better") if node.has("higher_is_better") else False,
    )
    if kind is ScoreKind.RULE:
        cases = tuple(_case(case, items, known) for case in node.nodes("rule"))
        if not cases:
            node.fail("rule", "must not be empty")
        ruled = replace(plain, cases=cases)
        return replace(ruled, high=len(ruled.outcomes) - 1)
    score = _sum_of(node, plain, known) if kind is ScoreKind.SUM_OF else _of_items(node, plain, items)
    if node.integers("range") != (score.low, score.high):
        node.fail("range", f"the items give {score.low} to {score.high}")
    return score


def _sum_of(node: Node, plain: ScoreDefinition, known: Scores) -> ScoreDefinition:
    of = _known(node, "of", known)
    parts = [known[name] for name in of]
    if any(part.kind is ScoreKind.RULE for part in parts):
        node.fail("of", "a rule cannot be added")
    return replace(plain, of=of, low=sum(p.low for p in parts), high=sum(p.high for p in parts))


def _of_items(node: Node, plain: ScoreDefinition, items: Items) -> ScoreDefinition:
    keys = _known(node, "items", items)
    score = replace(plain, items=keys)
    if plain.kind is ScoreKind.COUNT:
        return replace(score, at_least=_thresholds(node, keys, items), low=0, high=len(keys))
    if plain.kind is ScoreKind.RECODED_SUM:
        return _recoded(node, score, items)
    if plain.kind is ScoreKind.PRORATED_SUM:
        score = replace(score, min_answered=node.integer("min_answered"))
    lowest = [items[key].values[0] for key in keys]
    if min(lowest) < 0:
        node.fail("items", "an item with negative values cannot be summed")
    return replace(score, low=sum(lowest), high=sum(items[key].values[-1] for key in keys))


def _thresholds(node: Node, keys: Sequence[str], items: Items) -> tuple[int, ...]:
    at_least = dict.fromkeys(keys, node.integer("at_least"))
    for raw, value in node.entries("at_least_by_item") if node.has("at_least_by_item") else []:
        key = node.key_of("at_least_by_item", raw)
        if key not in at_least or not isinstance(value, int):
            node.fail("at_least_by_item", f"{key} is not an item of this score with a whole number")
        at_least[key] = value
    for key, value in at_least.items():
        if not items[key].values[0] < value <= items[key].values[-1]:
            node.fail("at_least", f"{value} does not divide the values of item {key}")
    return tuple(at_least.values())


def _recoded(node: Node, score: ScoreDefinition, items: Items) -> ScoreDefinition:
    recode: dict[int, int] = {}
    for raw, value in node.entries("recode"):
        if not isinstance(raw, int) or not isinstance(value, int) or value < 0:
            node.fail("recode", "must map whole numbers to whole numbers from 0 up")
        recode[raw] = value
    for key in score.items:
        if tuple(sorted(recode)) != items[key].values:
            node.fail("recode", f"does not say what becomes of each value of item {key}")
    zero_if = None
    if node.has("zero_if"):
        inner = node.node("zero_if")
        zero_if = _item_condition(inner, items)
        inner.done()
    steps = tuple(sorted(recode.items()))
    low, high = min(recode.values()), max(recode.values())
    return replace(
        score, recode=steps, zero_if=zero_if, low=low * len(score.items), high=high * len(score.items)
    )


def _case(node: Node, items: Items, known: Scores) -> RuleCase:
    return RuleCase(node.text("value"), tuple(_condition(n, items, known) for n in node.nodes("all")))


def _condition(node: Node, items: Items, known: Scores) -> ItemCondition | ScoreCondition:
    if node.has("score"):
        score = node.text("score")
        if score not in known or known[score].kind is ScoreKind.RULE:
            node.fail("score", f"{score} is not a number defined above")
        return ScoreCondition(score, node.optional("min", node.integer), node.optional("max", node.integer))
    condition = _item_condition(node, items)
    if condition is None:
        node.fail("", "needs score, every, any or none")
    return condition


def _missing(node: Node) -> MissingRule:
    rule = MissingRule(
        kind=node.choice("rule", MissingKind),
        max_missing=node.integer("max_missing"),
        per=node.choice("per", Per),
        refusal=node.optional("refusal", node.integer),
        how=node.one_of("how", HOW),
        note=node.optional("note", node.text),
    )
    node.done()
    return rule


def _validity(node: Node) -> ValidityRule:
    return ValidityRule(
        score=node.text("score"),
        at_least=node.integer("min"),
        action=Text(node.text("zh"), node.text("en")),
        certainty=node.choice("certainty", Certainty),
        how=node.one_of("how", HOW),
        note=node.optional("note", node.text),
    )


# --- bands, cut-offs, critical answers -----------------------------------------------------------------------


def _band_sets(root: Node, scores: Scores) -> tuple[BandSet, ...]:
    found = []
    for node in root.nodes("bands"):
        score = node.text("score")
        if score not in scores:
            node.fail("score", f"{score} is not defined")
        name, certainty = node.text("set"), node.choice("certainty", Certainty)
        bands = [_band(cut, scores[score], name, certainty) for cut in node.nodes("cuts")]
        bands.sort(key=lambda band: band.low)
        found.append(BandSet(score, name, certainty, tuple(bands), node.optional("note", node.text)))
    return tuple(found)


def _band(node: Node, score: ScoreDefinition, name: str, certainty: Certainty) -> Band:
    outcome = None
    if score.kind is ScoreKind.RULE:
        outcome = node.one_of("value", score.outcomes)
        low = high = score.outcomes.index(outcome)
    else:
        low, high = node.integer("min"), node.integer("max")
    return Band(
        id=node.text("id"),
        zh=node.text("zh"),
        en=node.text("en"),
        level=node.integer("level"),
        low=low,
        high=high,
        outcome=outcome,
        floor_high=bool(node.optional("floor", lambda key: node.one_of(key, ("high",)))),
        set=name,
        certainty=certainty,
    )


def _default_bands(
    root: Node, scores: Sequence[ScoreDefinition], bands: Sequence[BandSet]
) -> tuple[tuple[str, str], ...]:
    node = root.node("default_bands")
    other = node.optional("other", node.text)
    chosen = {s.id: node.text(s.id) if node.has(s.id) else other for s in scores}
    named = {s.id for s in scores if node.has(s.id)}
    node.done()
    known = {(band.score, band.set): band.certainty for band in bands}
    for score_id in named:
        if (score_id, chosen[score_id]) not in known:
            node.fail(score_id, f"there is no band set {chosen[score_id]} for this score")
    if other is not None and not any((s.id, other) in known for s in scores):
        node.fail("other", f"there is no band set {other}")
    return tuple((sid, name) for sid, name in chosen.items() if name is not None and (sid, name) in known)


def _screens_at(node: Node, scores: Sequence[ScoreDefinition], bands: Sequence[BandSet]) -> Cutoff:
    score, name, value = node.text("score"), node.text("set"), node.integer("value")
    node.done()
    found = next((b for b in bands if (b.score, b.set) == (score, name)), None)
    definition = next((s for s in scores if s.id == score), None)
    if found is None or definition is None:
        node.fail("set", f"there is no band set {name} for {score}")
    better = definition.higher_is_better
    if all(value != (band.high if better else band.low) for band in found.bands if band.level > 0):
        node.fail("value", f"no band of {name} begins at {value}")
    return Cutoff(score, name, value, found.certainty, better)


def _severe_floor(root: Node, scores: Sequence[ScoreDefinition], bands: Sequence[BandSet]) -> Cutoff | None:
    marked = [(found, band) for found in bands for band in found.bands if band.floor_high]
    if not marked:
        return None
    if len(marked) > 1:
        root.fail("bands", "more than one band is marked floor: high")
    found, band = marked[0]
    better = next(s.higher_is_better for s in scores if s.id == found.score)
    return Cutoff(found.score, found.set, band.high if better else band.low, found.certainty, better)


def _critical(node: Node) -> CriticalRule:
    matches = []
    for raw, answers in node.entries("items"):
        key = node.key_of("items", raw)
        if not isinstance(answers, list) or not answers:
            node.fail("items", f"item {key} needs a list of answers")
        values = [a for a in answers if isinstance(a, int) and not isinstance(a, bool)]
        if len(values) + answers.count("blank") != len(answers):
            node.fail("items", f"an answer of item {key} is neither a whole number nor blank")
        matches.append(CriticalMatch(key, tuple(values), "blank" in answers))
    return CriticalRule(
        matches=tuple(matches),
        grade=node.choice("grade", Grade),
        why=Text(node.text("zh"), node.text("en")),
        certainty=node.choice("certainty", Certainty),
    )


# --- what stands beside the numbers ---------------------------------------------------------------------------


def _norm(node: Node) -> Norm:
    return Norm(
        population=node.text("population"),
        n=node.optional("n", node.integer),
        note=node.optional("note", node.text),
        ref=node.optional("ref", node.text),
        how=node.one_of("how", HOW),
    )


def _recall(node: Node) -> Recall:
    recall = Recall(
        days=node.optional("days", node.integer),
        zh=node.text("zh"),
        en=node.text("en"),
        how=node.one_of("how", HOW),
        note=node.optional("note", node.text),
    )
    node.done()
    return recall


def _retest(node: Node) -> Retest:
    retest = Retest(node.integer("min_gap_days"), node.text("basis"))
    node.done()
    return retest


def _loinc(node: Node) -> Loinc:
    loinc = Loinc(
        panel=node.optional("panel", node.text),
        total=node.optional("total", node.text),
        items=_codes(node, "items"),
        answers=_answer_codes(node),
        certainty=node.optional("certainty", lambda key: node.choice(key, Certainty)),
        items_certainty=node.optional("items_certainty", lambda key: node.choice(key, Certainty)),
        note=node.optional("note", node.text),
    )
    node.done()
    return loinc


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


def _licence(node: Node) -> Licence:
    licence = Licence(
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
    return licence


def _evidence(node: Node) -> Evidence:
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


def _provenance(node: Node) -> Provenance:
    return Provenance(
        about=node.text("about"),
        how=node.one_of("how", HOW),
        source=node.texts("source") if node.has("source") else (),
        note=node.optional("note", node.text),
    )
