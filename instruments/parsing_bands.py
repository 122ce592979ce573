"""Band sets, cut-offs and critical answers of one library file."""

from __future__ import annotations

from collections.abc import Sequence

from instruments.definition import (
    Band,
    BandSet,
    Certainty,
    CriticalMatch,
    CriticalRule,
    Cutoff,
    Grade,
    Number,
    ScoreDefinition,
    ScoreKind,
    Text,
    Younger,
)
from instruments.parsing_scores import Scores
from instruments.reading import Node


def parse_bands(root: Node, scores: Scores) -> tuple[BandSet, ...]:
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
    low: Number
    high: Number
    if score.kind is ScoreKind.RULE:
        outcome = node.one_of("value", score.outcomes)
        low = high = score.outcomes.index(outcome)
    else:
        low, high = node.number("min"), node.number("max")
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


def default_bands(
    root: Node, scores: Sequence[ScoreDefinition], bands: Sequence[BandSet]
) -> tuple[tuple[str, str], ...]:
    if not root.has_value("default_bands"):
        return ()  # no set is published, or none was read
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


def screens_at(node: Node, scores: Sequence[ScoreDefinition], bands: Sequence[BandSet]) -> Cutoff:
    score, name, value = node.text("score"), node.text("set"), node.number("value")
    younger = node.optional("younger", lambda key: _younger_cutoff(node.node(key), score, bands))
    node.done()
    found = next((b for b in bands if (b.score, b.set) == (score, name)), None)
    definition = next((s for s in scores if s.id == score), None)
    if found is None or definition is None:
        node.fail("set", f"there is no band set {name} for {score}")
    better = definition.higher_is_better
    if all(value != (band.high if better else band.low) for band in found.bands if band.level > 0):
        node.fail("value", f"no band of {name} begins at {value}")
    return Cutoff(score, name, value, found.certainty, better, younger)


def _younger_cutoff(node: Node, score: str, bands: Sequence[BandSet]) -> Younger:
    younger = Younger(score, node.integer("below"), node.text("set"), node.number("value"))
    node.done()
    _known_set(node, younger, bands)
    return younger


def younger_bands(root: Node, bands: Sequence[BandSet]) -> tuple[Younger, ...]:
    """``younger_bands``: the sets that are shown for children below an age."""
    if not root.has("younger_bands"):
        return ()
    found = []
    for node in root.nodes("younger_bands"):
        found.append(Younger(node.text("score"), node.integer("below"), node.text("set")))
        _known_set(node, found[-1], bands)
    return tuple(found)


def _known_set(node: Node, younger: Younger, bands: Sequence[BandSet]) -> None:
    found = next((each for each in bands if (each.score, each.set) == (younger.score, younger.set)), None)
    if found is None:
        node.fail("set", f"there is no band set {younger.set} for {younger.score}")
    if younger.value is not None and younger.value not in [band.low for band in found.bands if band.level]:
        node.fail("value", f"no band of {younger.set} begins at {younger.value}")


def severe_floor(root: Node, scores: Sequence[ScoreDefinition], bands: Sequence[BandSet]) -> Cutoff | None:
    marked = [(found, band) for found in bands for band in found.bands if band.floor_high]
    if not marked:
        return None
    if len(marked) > 1:
        root.fail("bands", "more than one band is marked floor: high")
    found, band = marked[0]
    better = next(s.higher_is_better for s in scores if s.id == found.score)
    return Cutoff(found.score, found.set, band.high if better else band.low, found.certainty, better)


def critical_rule(node: Node) -> CriticalRule:
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
