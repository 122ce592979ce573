"""Wording packs: what is checked against the instrument, what is shown, and the letters."""

from __future__ import annotations

from dataclasses import replace

import pytest

from instruments import LibraryError, catalogue
from instruments.text import (
    Fault,
    ItemText,
    Pack,
    arranged,
    check_letters,
    content_hash,
    fits,
    from_tables,
    language_of,
    letter_hash,
    letters,
    may_show,
    normalised,
    problems,
    read_letters,
)
from tests.instruments.wordings import made_up, with_item

PHQ9 = catalogue().get("phq9")


def faults(pack, instrument=PHQ9, table=None):
    return [(problem.fault, problem.item) for problem in problems(pack, instrument, table)]


@pytest.mark.parametrize("language", ["zh", "en"])
def test_a_wording_of_every_instrument_fits_and_comes_back_from_storing(language):
    for instrument in catalogue():
        pack = made_up(instrument, language)
        assert faults(pack, instrument, {}) == []  # made-up words agree with no published copy
        assert Pack.from_dict(pack.as_dict()) == pack


def dropped(pack, key):
    return replace(pack, items=tuple(item for item in pack.items if item.key != key))


def changed():
    pack = made_up(PHQ9)
    first, second, *rest = pack.items
    return [
        (replace(pack, instrument="gad7"), [(Fault.INSTRUMENT, "")]),
        (replace(pack, layout="sideways"), [(Fault.LAYOUT, "")]),
        (replace(pack, title=" "), [(Fault.TITLE, "")]),
        (replace(pack, language="fr"), [(Fault.LANGUAGE, "")]),
        (replace(made_up(PHQ9, "en"), language="zh"),
         [(Fault.SCRIPT, item.key) for item in pack.items]),
        (dropped(pack, "3"), [(Fault.MISSING_ITEM, "3")]),
        (replace(pack, items=(*pack.items, ItemText("11", "第十一天的云", ((0, "晴"),)))), [(Fault.UNKNOWN_ITEM, "11")]),
        (replace(pack, items=(second, first, *rest)), [(Fault.ORDER, "2")]),
        (replace(pack, items=(*pack.items, with_item(pack, "1", text="另一朵云").items[0])), [(Fault.ITEM_TWICE, "1")]),
        (with_item(pack, "4", text="  "), [(Fault.NO_TEXT, "4")]),
        (with_item(pack, "4", text="云" * 401), [(Fault.TOO_LONG, "4")]),
        (with_item(pack, "4", text="云\u202e朵"), [(Fault.ODD_CHARACTER, "4")]),
        (with_item(pack, "4", text=pack.items[0].text + "。"), [(Fault.SAME_TEXT, "4")]),
        (with_item(pack, "4", options=pack.items[3].options[:3]), [(Fault.OPTIONS, "4")]),
        (with_item(pack, "4", options=pack.items[3].options[::-1]), [(Fault.OPTIONS, "4")]),
        (with_item(pack, "4", options=tuple((v, "") for v, _ in pack.items[3].options)),
         [(Fault.NO_OPTION_TEXT, "4")] * 4),
        (with_item(pack, "4", options=tuple((v, "晴") for v, _ in pack.items[3].options)), [(Fault.SAME_OPTION, "4")]),
        (replace(pack, items=tuple(replace(each, text=item.zh) for each, item in zip(pack.items, PHQ9.items, strict=True))),
         [(Fault.LABEL, "")]),
    ]  # fmt: skip


@pytest.mark.parametrize(("pack", "said"), changed())
def test_what_does_not_agree_is_named(pack, said):
    assert faults(pack) == said
    assert not fits(pack, PHQ9)


def test_sdq_is_never_shown():
    shown = {instrument.code: may_show(instrument) for instrument in catalogue()}
    assert not any(shown[code] for code in ("sdq_s", "sdq_p", "sdq_t"))
    assert shown["phq9"]


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        ("3.  第三天 的云", "第三天的云。", True),
        ("（3）第三天的云", "第三天的云", True),
        ("Ｃloud “wool”", 'Cloud "wool"', True),
        ("The cloud", "The  cloud", True),
        ("Cloudy - or so?", "cloudy, or so", True),
        ("The cloud", "The clouds", False),
        ("第三天的云", "第三天的雨", False),
    ],
)
def test_letters_are_those_of_the_words_and_not_of_the_print(one, other, same):
    assert (letter_hash(one) == letter_hash(other)) is same
    assert (normalised(one) == normalised(other)) is same


def table_of(pack, sources="[first copy, second copy]"):
    hashes = "".join(f"      {item.key}: {letter_hash(item.text)}\n" for item in pack.items)
    head = f"schema: 1\nletters:\n  - code: {pack.instrument}\n    language: {pack.language}\n"
    return f"{head}    layout: {pack.layout}\n    sources: {sources}\n    items:\n{hashes}".encode()


def test_a_pack_is_compared_to_the_letter_where_two_copies_agree():
    pack = made_up(PHQ9)
    table = read_letters("letters.yaml", table_of(pack))
    assert faults(pack, table=table) == []
    wrong = with_item(pack, "5", text="第五天的云像旧山上的棉花")
    assert faults(wrong, table=table) == [(Fault.LETTERS, "5")]
    assert check_letters(wrong, table).known == len(pack.items)
    assert check_letters(made_up(PHQ9, "en"), table).known == 0


def test_other_words_than_those_published_are_refused_item_by_item():
    """The shipped table: PHQ-9 in English, where two published copies agree."""
    pack = made_up(PHQ9, "en")
    assert faults(pack) == [(Fault.LETTERS, item.key) for item in pack.items]
    assert not fits(pack, PHQ9)
    assert fits(made_up(PHQ9), PHQ9)  # nothing is known of the Chinese letters


def test_letters_rest_on_two_copies():
    with pytest.raises(LibraryError, match="two published copies"):
        read_letters("letters.yaml", table_of(made_up(PHQ9), sources="[one copy, one copy]"))


def test_the_letters_shipped_are_of_instruments_and_items_of_the_library():
    for code, language, layout in letters():
        instrument = catalogue().get(code)
        assert language in ("zh", "en")
        assert layout in {each.id for each in instrument.layouts}
        assert set(letters()[code, language, layout].items) <= set(instrument.item_keys)


def test_the_same_words_are_the_same_pack():
    pack = made_up(PHQ9)
    again = with_item(pack, "2", text=" 2、" + pack.items[1].text + "。")
    assert content_hash(again) == content_hash(pack)
    assert content_hash(with_item(pack, "2", text="别的云")) != content_hash(pack)
    assert content_hash(replace(pack, layout="other")) != content_hash(pack)


def test_language_tags():
    assert [language_of(tag) for tag in ("zh-CN", "zh_Hans", " EN ", "de")] == ["zh", "zh", "en", "de"]


def test_tables_of_a_workbook_become_a_pack():
    pack = made_up(PHQ9)
    head = {
        name: getattr(pack, name)
        for name in ("instrument", "version", "language", "layout", "title", "instructions")
    }
    last = PHQ9.items[-1].key
    shared = [("", value, text) for value, text in pack.items[0].options]
    own = [(last, value, f"雨{value}") for value, _ in pack.items[-1].options]
    made = from_tables(
        PHQ9, head=head, texts=[(i.key, i.text) for i in pack.items], options=shared + own[::-1]
    )
    assert faults(made) == []
    assert made.items[-1].options[0] == (0, "雨0")
    odd = from_tables(
        PHQ9, head=head, texts=[(i.key, i.text) for i in pack.items], options=[*shared, *own, (last, 9, "雪")]
    )
    assert faults(odd) == [(Fault.OPTIONS, last)]


def test_another_layout_is_compared_with_its_own_numbers():
    """The item with answers of its own stands elsewhere there; labels follow the construct."""
    rses = catalogue().get("rses")
    other = next(layout.id for layout in rses.layouts if layout.order)
    pack = made_up(arranged(rses, other), layout=other)
    assert faults(pack, rses) == []
    labels = [item.zh for item in arranged(rses, other).items]
    assert labels != [item.zh for item in rses.items]
    named = replace(
        pack, items=tuple(replace(each, text=label) for each, label in zip(pack.items, labels, strict=True))
    )
    assert faults(named, rses) == [(Fault.LABEL, "")]
