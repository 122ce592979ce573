"""The workbook of a wording: what the empty one holds, and a filled one read back in a process of its own."""

from __future__ import annotations

import io

import pytest
from openpyxl import load_workbook

from instruments import catalogue
from instruments.text import fits, problems
from screening.spreadsheets import container, packs
from screening.spreadsheets.container import WorkbookRefused
from screening.spreadsheets.packs import empty_pack, read_pack
from tests.instruments.wordings import made_up
from tests.screening.workbooks import workbook


def filled(instrument, pack, change=None):
    """The empty workbook with a wording typed in, as a person would."""
    book = load_workbook(io.BytesIO(empty_pack(instrument, pack.language)))
    head, items, options = (book[name] for name in ("pack", "items", "options"))
    for row in head.iter_rows():
        if row[0].value in ("title", "instructions"):
            row[1].value = getattr(pack, row[0].value)
    for row, item in zip(items.iter_rows(min_row=2), pack.items, strict=True):
        assert str(row[0].value) == item.key
        row[2].value = item.text
    for row in options.iter_rows(min_row=2):
        # A row without an item speaks for the items that have no row of their own.
        item = pack.item(str(row[0].value)) if row[0].value else pack.items[0]
        row[3].value = dict(item.options)[row[1].value]
    if change is not None:
        change(book)
    stream = io.BytesIO()
    book.save(stream)
    return stream.getvalue()


@pytest.mark.parametrize(("code", "language"), [("phq9", "zh"), ("who5", "en"), ("mht", "zh"), ("asq", "en")])
def test_a_filled_workbook_is_the_pack(code, language):
    instrument = catalogue().get(code)
    pack = made_up(instrument, language)
    read = read_pack(filled(instrument, pack), instrument)
    assert problems(read, instrument) == ()
    assert read == pack


def test_the_empty_workbook_of_every_instrument_holds_no_wording_and_does_not_fit():
    for instrument in catalogue():
        head, texts, options = packs.read_tables(empty_pack(instrument, "zh"))
        assert head["instrument"] == instrument.code
        assert head["layout"] == instrument.default_layout
        assert [key for key, _ in texts] == list(instrument.item_keys)
        assert not any(text for _, text in texts)
        assert not any(text for *_, text in options)
        assert not fits(packs.from_tables(instrument, head=head, texts=texts, options=options), instrument)


@pytest.mark.parametrize(
    ("sheets", "said"),
    [
        ({"phq9": [["学号"]]}, packs.NOT_A_PACK),
        ({"pack": [], "items": [["item"]], "options": [["item", "value", "wording"]]}, packs.NO_COLUMN),
        ({"pack": [], "items": [["item", "wording"]], "options": [["item", "value", "wording"], ["", "a", "b"]]}, packs.NOT_A_VALUE),
        ({"pack": [], "items": [["item", "wording"], ["1", 1.5]], "options": [["item", "value", "wording"]]}, packs.BAD_CELL),
    ],
)  # fmt: skip
def test_what_is_no_workbook_of_a_wording_is_refused_in_words(sheets, said):
    with pytest.raises(WorkbookRefused) as refusal:
        packs.read_tables(workbook(sheets))
    assert refusal.value.message == said


def test_a_refusal_crosses_over_and_rubbish_starts_no_process():
    phq9 = catalogue().get("phq9")
    with pytest.raises(WorkbookRefused) as refusal:
        read_pack(workbook({"pack": []}), phq9)
    assert refusal.value.message == packs.NOT_A_PACK
    with pytest.raises(WorkbookRefused) as refusal:
        read_pack(b"\0" * 100, phq9)
    assert refusal.value.message == container.NOT_A_WORKBOOK
