"""Sealed cells open in their place and nowhere else; a blind index finds a value and tells nothing about it."""

from __future__ import annotations

import json

import pytest

from screening.core.sealing import Keyring, KeysRefused, SealBroken, read_keys, write_keys

HERE, OTHER_ROW, OTHER_COLUMN = "child.name:1", "child.name:2", "child.id_number:1"
PLAIN = "张㛃".encode()


@pytest.fixture
def ring() -> Keyring:
    return Keyring.generate()


def test_a_cell_opens_in_its_place(ring):
    assert ring.open(HERE, ring.seal(HERE, PLAIN)) == PLAIN
    assert ring.open(HERE, ring.seal(HERE, b"")) == b""


def test_the_same_text_is_sealed_differently_each_time(ring):
    cells = {ring.seal(HERE, PLAIN) for _ in range(50)}
    assert len(cells) == 50
    assert not any(PLAIN in cell for cell in cells)


@pytest.mark.parametrize("place", [OTHER_ROW, OTHER_COLUMN, "", HERE + " "])
def test_a_cell_moved_to_another_row_or_column_does_not_open(ring, place):
    with pytest.raises(SealBroken):
        ring.open(place, ring.seal(HERE, PLAIN))


def test_no_byte_of_a_cell_can_be_changed(ring):
    cell = ring.seal(HERE, PLAIN)
    for at in range(len(cell)):
        changed = bytearray(cell)
        changed[at] ^= 1
        with pytest.raises(SealBroken):
            ring.open(HERE, bytes(changed))


@pytest.mark.parametrize("length", [0, 1, 3, 14, 15, 30])
def test_a_cell_cut_short_does_not_open(ring, length):
    with pytest.raises(SealBroken):
        ring.open(HERE, ring.seal(HERE, PLAIN)[:length])


def test_what_is_said_about_a_broken_cell_holds_nothing_of_it(ring):
    with pytest.raises(SealBroken) as broken:
        ring.open(OTHER_ROW, ring.seal(HERE, PLAIN))
    assert "张" not in str(broken.value)


def test_after_a_new_key_old_cells_still_open_and_new_ones_use_it(ring):
    old = ring.seal(HERE, PLAIN)
    later = Keyring({**ring.keys, 2: Keyring.generate().keys[1]}, current=2, index_key=ring.index_key)
    assert later.open(HERE, old) == PLAIN
    new = later.seal(HERE, PLAIN)
    assert later.open(HERE, new) == PLAIN
    with pytest.raises(SealBroken, match="key"):
        ring.open(HERE, new)


def test_another_service_s_key_opens_nothing(ring):
    with pytest.raises(SealBroken):
        Keyring.generate().open(HERE, ring.seal(HERE, PLAIN))


def test_keys_are_not_shown_where_a_keyring_is_printed(ring):
    shown = repr(ring)
    assert repr(ring.keys[1]) not in shown
    assert repr(ring.index_key) not in shown


# --- blind index -------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "spelling", ["11010120100101123x", "１１０１０１２０１００１０１１２３Ｘ", " 110101-20100101 123X "]
)
def test_spellings_of_one_number_have_one_index(ring, spelling):
    assert ring.blind("child.id_number", spelling) == ring.blind("child.id_number", "11010120100101123X")


def test_different_values_kinds_and_keys_have_different_indexes(ring):
    indexes = {
        ring.blind("child.name", "王芳"),
        ring.blind("child.name", "王方"),
        ring.blind("guardian.name", "王芳"),
        Keyring.generate().blind("child.name", "王芳"),
    }
    assert len(indexes) == 4
    assert all(len(index) == 32 for index in indexes)


def test_kind_and_value_cannot_run_into_each_other(ring):
    assert ring.blind("a", "bc") != ring.blind("ab", "c")


# --- the key file ------------------------------------------------------------------------------------------


def test_a_key_file_comes_back_as_it_was_and_only_its_owner_reads_it(ring, tmp_path):
    path = tmp_path / "keys.json"
    write_keys(path, ring)
    assert path.stat().st_mode & 0o777 == 0o600
    assert read_keys(path) == ring


def test_a_key_file_is_never_replaced(ring, tmp_path):
    path = tmp_path / "keys.json"
    write_keys(path, ring)
    with pytest.raises(FileExistsError):
        write_keys(path, Keyring.generate())
    assert read_keys(path) == ring


def test_a_missing_key_file_says_what_to_do(tmp_path):
    with pytest.raises(KeysRefused, match=r"keys\.json is missing"):
        read_keys(tmp_path / "keys.json")


def test_a_key_file_others_can_read_is_refused(ring, tmp_path):
    path = tmp_path / "keys.json"
    write_keys(path, ring)
    path.chmod(0o640)
    with pytest.raises(KeysRefused, match="chmod 600"):
        read_keys(path)


def _spoiled(**changes):
    def spoil(body):
        return {**body, **changes}

    return spoil


@pytest.mark.parametrize(
    ("spoil", "said"),
    [
        (lambda body: [], "not a key file"),
        (lambda body: {}, "not a key file"),
        (_spoiled(index="*"), "not a key file"),
        (_spoiled(current="one"), "not a key file"),
        (_spoiled(current=7), "32 bytes"),
        (_spoiled(index="AAAA"), "32 bytes"),
        (_spoiled(data={"1": "AAAA"}), "32 bytes"),
    ],
)
def test_a_spoiled_key_file_is_refused_in_words(ring, tmp_path, spoil, said):
    path = tmp_path / "keys.json"
    write_keys(path, ring)
    path.write_text(json.dumps(spoil(json.loads(path.read_text()))))
    with pytest.raises(KeysRefused, match=said) as refused:
        read_keys(path)
    assert "keys.json" in str(refused.value)
