"""Scores, the rule for missing answers and the validity rules of one library file."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

from instruments.definition import (
    Certainty,
    Formula,
    Item,
    ItemCondition,
    MissingKind,
    MissingRule,
    Number,
    Per,
    Quantifier,
    Rounding,
    RuleCase,
    ScoreCondition,
    ScoreDefinition,
    ScoreKind,
    Text,
    ValidityRule,
)
from instruments.parsing_facts import HOW
from instruments.reading import Node

Scores = Mapping[str, ScoreDefinition]
Items = Mapping[str, Item]


def known_keys(node: Node, key: str, known: Mapping[str, object]) -> tuple[str, ...]:
    keys = node.keys(key)
    if not keys:
        node.fail(key, "must not be empty")
    for name in keys:
        if name not in known:
            node.fail(key, f"{name} is not defined")
    return keys


def item_condition(node: Node, items: Items) -> ItemCondition | None:
    for quantifier in Quantifier:
        if node.has(quantifier.value):
            keys = known_keys(node, quantifier.value, items)
            values = node.integers("in")
            for key in keys:
                if not set(values) <= set(items[key].values):
                    node.fail("in", f"holds a value that item {key} does not have")
            return ItemCondition(quantifier, keys, values)
    return None


def parse_scores(root: Node, items: Items) -> tuple[ScoreDefinition, ...]:
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
    if kind is ScoreKind.SUM_OF:
        score = _sum_of(node, plain, known)
    elif kind is ScoreKind.FORMULA:
        score = _formula(node, plain, known)
    else:
        score = _of_items(node, plain, items)
    if tuple(node.numbers("range")) != (score.low, score.high):
        node.fail("range", f"the items give {score.low} to {score.high}")
    return score


def _sum_of(node: Node, plain: ScoreDefinition, known: Scores) -> ScoreDefinition:
    of = known_keys(node, "of", known)
    parts = [known[name] for name in of]
    if any(part.kind is ScoreKind.RULE for part in parts):
        node.fail("of", "a rule cannot be added")
    return replace(plain, of=of, low=sum(p.low for p in parts), high=sum(p.high for p in parts))


def _formula(node: Node, plain: ScoreDefinition, known: Scores) -> ScoreDefinition:
    inner = node.node("formula")
    over: int | str = 1
    if inner.has("over"):
        over = inner.name("over", known) if inner.holds_text("over") else inner.integer("over")
    formula = Formula(
        of=inner.name("of", known),
        less=inner.name("less", known) if inner.has("less") else None,
        times=inner.integer("times") if inner.has("times") else 1,
        over=over,
        rounding=inner.choice("round", Rounding) if inner.has("round") else Rounding.HALF_UP,
    )
    inner.done()
    if any(
        known[name].kind in (ScoreKind.RULE, ScoreKind.MEAN, ScoreKind.FORMULA) for name in formula.scores
    ):
        node.fail("formula", "rests on sums and counts only")
    if formula.times < 1 or (isinstance(over, int) and over < 1):
        node.fail("formula", "times and over must be at least 1")
    score = replace(plain, formula=formula, decimals=_decimals(node, 0))
    if formula.less is not None or isinstance(over, str):
        low, high = _stated(
            node
        )  # two scores that hang together: their ends do not give the ends of the result
        return replace(score, low=low, high=high)
    ends = (known[formula.of].low, known[formula.of].high)
    low, high = (score.printed(formula_steps(score, int(end), 0, over)) for end in ends)
    return replace(score, low=low, high=high)


def formula_steps(score: ScoreDefinition, of: int, less: int, over: int) -> int:
    """The value of a formula in the steps of its score; the same arithmetic as the engine's, for one number."""
    formula = score.formula
    if formula is None:
        raise ValueError(f"{score.id} is no formula")
    top, down = (of - less) * formula.times * score.steps, formula.rounding is Rounding.DOWN
    return top // over if down else (2 * top + over) // (2 * over)


def _stated(node: Node) -> tuple[Number, Number]:
    ends = node.numbers("range")
    if len(ends) != 2 or ends[0] >= ends[1]:
        node.fail("range", "must be a lowest and a highest value")
    return ends[0], ends[1]


def _decimals(node: Node, usual: int) -> int:
    decimals = node.integer("decimals") if node.has("decimals") else usual
    if not 0 <= decimals <= 2:
        node.fail("decimals", "must be 0, 1 or 2")
    return decimals


def _of_items(node: Node, plain: ScoreDefinition, items: Items) -> ScoreDefinition:
    keys = known_keys(node, "items", items)
    score = replace(plain, items=keys)
    if plain.kind is ScoreKind.COUNT:
        return replace(score, at_least=_thresholds(node, keys, items), low=0, high=len(keys))
    if plain.kind is ScoreKind.COUNT_EQUAL:
        return _equal(node, score, items)
    if plain.kind is ScoreKind.RECODED_SUM:
        return _recoded(node, score, items)
    return _summed(node, score, items)


def _equal(node: Node, score: ScoreDefinition, items: Items) -> ScoreDefinition:
    equal = node.integer("equal")
    if any(equal not in items[key].values for key in score.items):
        node.fail("equal", f"{equal} is not an answer of each item")
    return replace(score, equal=equal, low=0, high=len(score.items))


def _summed(node: Node, score: ScoreDefinition, items: Items) -> ScoreDefinition:
    if score.kind is ScoreKind.PRORATED_SUM:
        score = replace(score, min_answered=node.integer("min_answered"))
    if score.kind is ScoreKind.SUM_TIMES:
        score = replace(score, factor=node.integer("factor"))
        if score.factor < 2:
            node.fail("factor", "must be at least 2")
    lowest = [items[key].values[0] for key in score.items]
    if min(lowest) < 0:
        node.fail("items", "an item with negative values cannot be summed")
    low, high = sum(lowest), sum(items[key].values[-1] for key in score.items)
    if score.kind is ScoreKind.MEAN:
        score = replace(score, decimals=_decimals(node, 2))
        return replace(score, low=_plain(score.printed(low)), high=_plain(score.printed(high)))
    return replace(score, low=score.factor * low, high=score.factor * high)


def _plain(number: Number) -> Number:
    return int(number) if number == int(number) else number


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
        zero_if = item_condition(inner, items)
        inner.done()
    steps = tuple(sorted(recode.items()))
    least, most = min(recode.values()), max(recode.values())
    return replace(
        score, recode=steps, zero_if=zero_if, low=least * len(score.items), high=most * len(score.items)
    )


def _case(node: Node, items: Items, known: Scores) -> RuleCase:
    return RuleCase(node.text("value"), tuple(_condition(n, items, known) for n in node.nodes("all")))


def _condition(node: Node, items: Items, known: Scores) -> ItemCondition | ScoreCondition:
    if node.has("score"):
        score = node.text("score")
        if score not in known or known[score].kind in (ScoreKind.RULE, ScoreKind.MEAN, ScoreKind.FORMULA):
            node.fail("score", f"{score} is not a sum or a count defined above")
        return ScoreCondition(score, node.optional("min", node.integer), node.optional("max", node.integer))
    condition = item_condition(node, items)
    if condition is None:
        node.fail("", "needs score, every, any or none")
    return condition


def parse_missing(node: Node) -> MissingRule:
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


def parse_validity(node: Node) -> ValidityRule:
    return ValidityRule(
        score=node.text("score"),
        at_least=node.integer("min"),
        action=Text(node.text("zh"), node.text("en")),
        certainty=node.choice("certainty", Certainty),
        how=node.one_of("how", HOW),
        note=node.optional("note", node.text),
    )
