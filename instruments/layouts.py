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
    """The layout of this id (None = the one the instrument stands in), or ``UnknownLayout``."""
    wanted = instrument.layout if name is None else name
    for layout in instrument.layouts:
        if layout.id == wanted:
            return layout
    raise UnknownLayout(f"{instrument.code} has no layout {wanted!r}")


_USUAL: dict[Instrument, Instrument] = {}
"""A view → the instrument it is a view of."""


def in_layout(instrument: Instrument, name: str) -> Instrument:
    """The instrument as it stands in a layout; itself where it stands so already. Or ``UnknownLayout``."""
    layout = find_layout(instrument, name)
    if name == instrument.layout:
        return instrument
    usual = _USUAL.get(instrument, instrument)
    return _view(usual, layout) if layout.order else usual


@cache
def _view(instrument: Instrument, layout: Layout) -> Instrument:
    number = {usual: str(place) for place, usual in enumerate(layout.order, start=1)}
    here = {number.get(item.key, item.key): item for item in instrument.items}
    items = tuple(replace(here[item.key], key=item.key) for item in instrument.items)
    view = replace(
        instrument,
        items=items,
        layout=layout.id,
        scores=tuple(_score(score, number) for score in instrument.scores),
        critical=tuple(_critical(rule, number) for rule in instrument.critical),
        loinc=replace(
            instrument.loinc,
            items=tuple((number.get(key, key), code) for key, code in instrument.loinc.items),
        ),
        positions={item.key: place for place, item in enumerate(items)},
    )
    _USUAL[view] = instrument
    return view


def _score(score: ScoreDefinition, number: dict[str, str]) -> ScoreDefinition:
    return replace(score, items=tuple(number.get(key, key) for key in score.items))


def _critical(rule: CriticalRule, number: dict[str, str]) -> CriticalRule:
    return replace(
        rule, matches=tuple(replace(match, item=number.get(match.item, match.item)) for match in rule.matches)
    )
