"""One instrument in another order of its items: the same constructs, other numbers.

The view is an instrument like any other. Keys are the numbers of that form; labels, reverse keys, scales and
critical answers follow the construct, so that nothing is scored by place.
"""

from __future__ import annotations

from dataclasses import replace
from functools import cache

from instruments.definition import CriticalRule, Instrument, Layout, ScoreDefinition


class UnknownLayout(LookupError):
    """The instrument has no layout of this name."""


def find_layout(instrument: Instrument, name: str | None) -> Layout:
    """The layout of this id (None = the usual one), or ``UnknownLayout``."""
    wanted = instrument.default_layout if name is None else name
    for layout in instrument.layouts:
        if layout.id == wanted:
            return layout
    raise UnknownLayout(f"{instrument.code} has no layout {wanted!r}")


@cache
def in_layout(instrument: Instrument, name: str) -> Instrument:
    """The instrument as it stands in a layout; itself for the usual one."""
    layout = find_layout(instrument, name)
    if name == instrument.layout or not layout.order:
        return instrument
    number = {usual: str(place) for place, usual in enumerate(layout.order, start=1)}
    here = {number.get(item.key, item.key): item for item in instrument.items}
    items = tuple(replace(here[item.key], key=item.key) for item in instrument.items)
    return replace(
        instrument,
        items=items,
        layout=name,
        scores=tuple(_score(score, number) for score in instrument.scores),
        critical=tuple(_critical(rule, number) for rule in instrument.critical),
        loinc=replace(
            instrument.loinc,
            items=tuple((number.get(key, key), code) for key, code in instrument.loinc.items),
        ),
        positions={item.key: place for place, item in enumerate(items)},
    )


def _score(score: ScoreDefinition, number: dict[str, str]) -> ScoreDefinition:
    return replace(score, items=tuple(number.get(key, key) for key in score.items))


def _critical(rule: CriticalRule, number: dict[str, str]) -> CriticalRule:
    return replace(
        rule, matches=tuple(replace(match, item=number.get(match.item, match.item)) for match in rule.matches)
    )
