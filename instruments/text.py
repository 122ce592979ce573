"""The wording of an instrument in one language and layout: a pack, its checks and its hash. Pure.

No wording is kept in this repository (``definition``). A pack is brought in by a district that may use the form;
here is what it must agree with, and whether a screen may show it. What a pack says is never scored.
"""

from __future__ import annotations

import hashlib
import json
import re
import unicodedata
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from functools import cache
from importlib.resources import files
from typing import Any, Self

from instruments.definition import Instrument, Item
from instruments.layouts import in_layout
from instruments.reading import LibraryError, Node, load

LANGUAGES = ("zh", "en")
"""Languages a pack may be in: those of the pages."""

LONGEST_TEXT, LONGEST_INTRODUCTION = 400, 2_000

Options = tuple[tuple[int, str], ...]

_HAN = r"\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\U00020000-\U0003ffff"
_IS_HAN = re.compile(f"[{_HAN}]")
# What copies of one form differ in without differing in a word: the number in front of a question.
_NUMBER_IN_FRONT = re.compile(r"^\(?[0-9]{1,3}\)?\s*[.、)．:：]\s*")
_NO_LETTER = re.compile(r"[\W_]+")
_UNSAFE = re.compile(
    "[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069\ud800-\udfff]"
)


class Fault(StrEnum):
    """What can be wrong with a pack. ``Problem.said`` holds keys, counts and codes, never wording."""

    INSTRUMENT = "instrument"  # it says to be of another questionnaire
    LANGUAGE = "language"
    LAYOUT = "layout"
    TITLE = "title"
    MISSING_ITEM = "missing_item"
    UNKNOWN_ITEM = "unknown_item"
    ITEM_TWICE = "item_twice"
    ORDER = "order"
    NO_TEXT = "no_text"
    TOO_LONG = "too_long"
    ODD_CHARACTER = "odd_character"
    SCRIPT = "script"  # not written in the language it says
    SAME_TEXT = "same_text"
    LABEL = "label"  # our short label where the wording belongs
    OPTIONS = "options"
    NO_OPTION_TEXT = "no_option_text"
    SAME_OPTION = "same_option"
    LETTERS = "letters"  # differs from what two published copies agree on


@dataclass(frozen=True, slots=True)
class Problem:
    """One thing to correct. ``item``: the key of the item it is about, empty for the pack itself."""

    fault: Fault
    item: str = ""
    said: Mapping[str, object] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class ItemText:
    """One question as the form words it, with the answers beside it."""

    key: str
    text: str
    options: Options


@dataclass(frozen=True, slots=True)
class Pack:
    """A wording as it was brought in. ``version``: of the instrument it was written for, empty where not said."""

    instrument: str
    version: str
    language: str
    layout: str
    title: str
    instructions: str
    items: tuple[ItemText, ...]

    def as_dict(self) -> dict[str, Any]:
        """For storing; ``from_dict`` reads it again."""
        return {
            "instrument": self.instrument,
            "version": self.version,
            "language": self.language,
            "layout": self.layout,
            "title": self.title,
            "instructions": self.instructions,
            "items": [
                {"key": item.key, "text": item.text, "options": [list(option) for option in item.options]}
                for item in self.items
            ],
        }

    @classmethod
    def from_dict(cls, stored: Mapping[str, Any]) -> Self:
        """The pack that ``as_dict`` gave."""
        return cls(
            **{name: stored[name] for name in ("instrument", "version", "language", "layout", "title")},
            instructions=stored["instructions"],
            items=tuple(
                ItemText(item["key"], item["text"], tuple((value, text) for value, text in item["options"]))
                for item in stored["items"]
            ),
        )

    def item(self, key: str) -> ItemText | None:
        """The wording of one item."""
        return next((each for each in self.items if each.key == key), None)

    @property
    def shared_options(self) -> Options:
        """The answers of the first item: a form prints them once where all items have the same."""
        return self.items[0].options if self.items else ()


def language_of(tag: str) -> str:
    """``zh`` of zh-CN and zh_Hans, ``en`` of en-GB; other tags as they are, in small letters."""
    return re.split("[-_]", tag.strip().lower())[0]


# --- may it be shown ----------------------------------------------------------------------------------------


def may_show(instrument: Instrument) -> bool:
    """Whether the instrument's licence lets its wording stand on a screen or in a file (``sdq_*``: never)."""
    return instrument.licence.on_screen


# --- letters ------------------------------------------------------------------------------------------------


def normalised(text: str) -> str:
    """The letters and figures of a text, without what two faithful copies may differ in: width, blanks, marks,
    capitals, a number in front.

    >>> normalised("3.  难以  入睡。") == normalised("难以入睡")
    True
    """
    plain = _NUMBER_IN_FRONT.sub("", unicodedata.normalize("NFKC", text).strip())
    return _NO_LETTER.sub("", plain).casefold()


def letter_hash(text: str) -> str:
    """SHA-256 of the normalised text, in hexadecimal digits."""
    return hashlib.sha256(normalised(text).encode()).hexdigest()


def content_hash(pack: Pack) -> bytes:
    """SHA-256 over everything a reader would see, normalised: the same wording again is the same pack."""
    said = [
        pack.instrument,
        pack.language,
        pack.layout,
        normalised(pack.title),
        normalised(pack.instructions),
    ]
    items = [
        [item.key, normalised(item.text), [[value, normalised(text)] for value, text in item.options]]
        for item in pack.items
    ]
    return hashlib.sha256(json.dumps([said, items], ensure_ascii=True).encode()).digest()


@dataclass(frozen=True, slots=True)
class Letters:
    """What at least two published copies agree on: item key → hash. ``sources``: which copies were read."""

    items: Mapping[str, str]
    sources: tuple[str, ...]


@cache
def letters() -> Mapping[tuple[str, str, str], Letters]:
    """``letters.yaml`` by (code, language, layout)."""
    file = files("instruments") / "letters.yaml"
    return read_letters(file.name, file.read_bytes())


def read_letters(file: str, data: bytes) -> Mapping[tuple[str, str, str], Letters]:
    """The table of hashes; :class:`LibraryError` where an entry rests on fewer than two copies."""
    root = load(file, data)
    if root.integer("schema") != 1:
        root.fail("schema", "must be 1")
    found = {}
    for node in root.nodes("letters"):
        place = (node.text("code"), node.one_of("language", LANGUAGES), node.text("layout"))
        found[place] = _letters(node)
    root.done()
    return found


def _letters(node: Node) -> Letters:
    sources = node.texts("sources")
    if len(set(sources)) < 2:
        node.fail("sources", "must name two published copies that were read")
    items = {node.key_of("items", key): str(value) for key, value in node.entries("items")}
    if not items or any(re.fullmatch("[0-9a-f]{64}", value) is None for value in items.values()):
        node.fail("items", "must hold SHA-256 hashes")
    return Letters(items, sources)


@dataclass(frozen=True, slots=True)
class LetterCheck:
    """``known``: of how many items of the pack the letters are known; ``different``: the items that differ."""

    known: int
    different: tuple[str, ...]
    sources: tuple[str, ...]


def check_letters(pack: Pack, table: Mapping[tuple[str, str, str], Letters] | None = None) -> LetterCheck:
    """Compare a pack with what published copies agree on; ``known`` is 0 where nothing is known."""
    known = (letters() if table is None else table).get((pack.instrument, pack.language, pack.layout))
    if known is None:
        return LetterCheck(0, (), ())
    compared = [item for item in pack.items if item.key in known.items]
    different = tuple(item.key for item in compared if letter_hash(item.text) != known.items[item.key])
    return LetterCheck(len(compared), different, known.sources)


def arranged(instrument: Instrument, layout: str) -> Instrument:
    """The instrument as it stands in a layout; as usual where it has no such layout."""
    known = any(each.id == layout for each in instrument.layouts)
    return in_layout(instrument, layout) if known else instrument


# --- checks against the instrument --------------------------------------------------------------------------


def problems(
    pack: Pack, instrument: Instrument, table: Mapping[tuple[str, str, str], Letters] | None = None
) -> tuple[Problem, ...]:
    """Everything in which a pack does not agree with its instrument; empty when it fits."""
    if pack.instrument != instrument.code:
        return (Problem(Fault.INSTRUMENT, said={"found": pack.instrument[:20], "wanted": instrument.code}),)
    instrument = arranged(instrument, pack.layout)
    found = [*_head(pack, instrument), *_items(pack, instrument)]
    known = {item.key: item for item in instrument.items}
    for item in pack.items:
        if item.key in known:
            found += [*_text(item, pack.language), *_options(item, known[item.key])]
    found += [*_same_texts(pack), *_labels(pack, known)]
    found += [Problem(Fault.LETTERS, key) for key in check_letters(pack, table).different]
    return tuple(found)


def fits(pack: Pack, instrument: Instrument) -> bool:
    """Whether a stored pack still agrees with the instrument of today."""
    return not problems(pack, instrument)


def _head(pack: Pack, instrument: Instrument) -> Iterator[Problem]:
    if pack.language not in LANGUAGES:
        yield Problem(Fault.LANGUAGE, said={"wanted": ", ".join(LANGUAGES)})
    layouts = [layout.id for layout in instrument.layouts]
    if pack.layout not in layouts:
        yield Problem(Fault.LAYOUT, said={"wanted": ", ".join(layouts)})
    if not pack.title.strip():
        yield Problem(Fault.TITLE)
    for text, limit in ((pack.title, LONGEST_TEXT), (pack.instructions, LONGEST_INTRODUCTION)):
        yield from _readable(text, limit, "")


def _items(pack: Pack, instrument: Instrument) -> Iterator[Problem]:
    wanted, given = list(instrument.item_keys), [item.key for item in pack.items]
    yield from (Problem(Fault.MISSING_ITEM, key) for key in wanted if key not in given)
    yield from (Problem(Fault.UNKNOWN_ITEM, key[:20]) for key in dict.fromkeys(given) if key not in wanted)
    yield from (Problem(Fault.ITEM_TWICE, key[:20]) for key in dict.fromkeys(given) if given.count(key) > 1)
    if sorted(given) == sorted(wanted):
        moved = next((key for key, place in zip(given, wanted, strict=True) if key != place), None)
        if moved is not None:
            yield Problem(Fault.ORDER, moved, {"wanted": wanted[given.index(moved)]})


def _text(item: ItemText, language: str) -> Iterator[Problem]:
    if not item.text.strip():
        yield Problem(Fault.NO_TEXT, item.key)
        return
    yield from _readable(item.text, LONGEST_TEXT, item.key)
    # The text of every item must be in the language said; answers may be figures.
    if language in LANGUAGES and (_IS_HAN.search(item.text) is not None) is not (language == "zh"):
        yield Problem(Fault.SCRIPT, item.key)


def _options(item: ItemText, known: Item) -> Iterator[Problem]:
    wanted = [option.value for option in known.options]
    if [value for value, _ in item.options] != wanted:
        yield Problem(Fault.OPTIONS, item.key, {"wanted": ", ".join(map(str, wanted))})
        return
    for value, text in item.options:
        if not text.strip():
            yield Problem(Fault.NO_OPTION_TEXT, item.key, {"value": value})
        yield from _readable(text, LONGEST_TEXT, item.key)
    texts = [normalised(text) for _, text in item.options if text.strip()]
    if len(set(texts)) < len(texts):
        yield Problem(Fault.SAME_OPTION, item.key)


def _readable(text: str, limit: int, key: str) -> Iterator[Problem]:
    if len(text) > limit:
        yield Problem(Fault.TOO_LONG, key, {"limit": limit})
    if _UNSAFE.search(text):
        yield Problem(Fault.ODD_CHARACTER, key)


def _same_texts(pack: Pack) -> Iterator[Problem]:
    """Two items with one text: the mark of a cell that was copied down."""
    first: dict[str, str] = {}
    for item in pack.items:
        text = normalised(item.text)
        if text and first.setdefault(text, item.key) != item.key:
            yield Problem(Fault.SAME_TEXT, item.key, {"other": first[text]})


def _labels(pack: Pack, known: Mapping[str, Item]) -> Iterator[Problem]:
    """Our short labels, which no child may see, in place of the wording. One or two may well be the wording itself."""
    same = [
        item.key
        for item in pack.items
        if item.key in known
        and normalised(item.text) in {normalised(known[item.key].zh), normalised(known[item.key].en)}
    ]
    if 2 * len(same) >= len(pack.items) > 0:
        yield Problem(Fault.LABEL, said={"count": len(same)})


def in_order(values: Iterable[int], options: Mapping[int, str]) -> Options:
    """The texts of some answers in the order of ``values``; an answer without a text stands with an empty one."""
    return tuple((value, options.get(value, "")) for value in values)


def from_tables(
    instrument: Instrument,
    *,
    head: Mapping[str, str],
    texts: Sequence[tuple[str, str]],
    options: Sequence[tuple[str, int, str]],
) -> Pack:
    """A pack from the tables of a workbook.

    ``texts``: (item, wording) in the order of the rows. ``options``: (item, value, wording); an empty item speaks
    for every item that has no answers of its own there.
    """
    by_item: dict[str, dict[int, str]] = {}
    for key, value, text in options:
        by_item.setdefault(key, {})[value] = text
    known = {item.key: item for item in arranged(instrument, head.get("layout", "")).items}
    items = []
    for key, text in texts:
        given = by_item.get(key) or by_item.get("", {})
        values = [option.value for option in known[key].options] if key in known else sorted(given)
        strange = [] if by_item.get(key) is None else [v for v in given if v not in values]
        items.append(ItemText(key, text, in_order([*values, *strange], given)))
    return Pack(
        instrument=head.get("instrument", ""),
        version=head.get("version", ""),
        language=language_of(head.get("language", "")),
        layout=head.get("layout", ""),
        title=head.get("title", ""),
        instructions=head.get("instructions", ""),
        items=tuple(items),
    )


__all__ = [
    "LANGUAGES",
    "Fault",
    "ItemText",
    "LetterCheck",
    "Letters",
    "LibraryError",
    "Pack",
    "Problem",
    "arranged",
    "check_letters",
    "content_hash",
    "fits",
    "from_tables",
    "language_of",
    "letter_hash",
    "may_show",
    "normalised",
    "problems",
]
