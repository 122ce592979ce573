"""Reading in a process of its own: the same answer, and a sentence when it is too much."""

from __future__ import annotations

import io
import os
import pickle
import subprocess

import pytest

from screening.spreadsheets import container, reader
from screening.spreadsheets.reader import read_in_child
from screening.spreadsheets.rows import file_alarms
from tests.screening.workbooks import PHQ9, TODAY, child, phq9_book, read, roster_book, sheet, workbook


def test_the_child_answers_what_the_function_answers():
    data = workbook(
        {
            "名册": [[*range(3)], roster_book and ["学号", "姓名"], ["1", "张甲"]],
            "phq9": [PHQ9, sheet(1, [0] * 8 + [3]), sheet(2, [9, "=1", *[0] * 7])],
        }
    )
    here, there = read(data), read_in_child(data, None, TODAY)
    assert there == here
    assert there.sheets[0].rows[0].worst is here.sheets[0].rows[0].worst
    assert file_alarms(there) == ()
    full = roster_book(child(证件号码="990000201202290018"))
    assert read_in_child(full, (), TODAY) == read(full)


def test_only_the_instruments_asked_for_are_known():
    parsed = read_in_child(phq9_book(sheet()), ["gad7"], TODAY)
    assert [error.params["codes"] for error in parsed.errors] == ["gad7"]
    assert parsed.sheets == ()


def test_a_file_that_is_none_does_not_even_start_a_process(monkeypatch):
    monkeypatch.setattr(subprocess, "run", None)
    assert read_in_child(b"\0" * 1000, None, TODAY).errors[0].message == container.NOT_A_WORKBOOK


def test_a_refusal_crosses_over():
    data = phq9_book(sheet())[:-40]
    parsed = read_in_child(data, None, TODAY)
    assert (parsed.refused, parsed.errors[0].message) == (True, container.DAMAGED)


def test_too_much_memory_is_a_sentence():
    """120 MiB hold the interpreter and no workbook."""
    rows = [sheet(number % 10) for number in range(3_000)]
    data = phq9_book(*rows)
    parsed = read_in_child(data, None, TODAY, memory=120 * 1024 * 1024)
    assert parsed.refused
    assert parsed.errors[0].message == reader.TOO_MUCH_MEMORY


def test_too_much_time_is_a_sentence():
    parsed = read_in_child(phq9_book(sheet()), None, TODAY, seconds=0.05)
    assert parsed.refused
    assert parsed.errors[0].message == reader.TOO_MUCH_TIME
    assert parsed.errors[0].params == {"seconds": 1}


@pytest.mark.parametrize(
    ("status", "stderr", "message"),
    [
        (1, b"Traceback", reader.READER_STOPPED),
        (-11, b"", reader.READER_STOPPED),
        (-6, b"memory allocation of 99 bytes failed", reader.TOO_MUCH_MEMORY),
        (-9, b"", reader.TOO_MUCH_MEMORY),
        (3, b"", reader.TOO_MUCH_MEMORY),
        (-24, b"", reader.TOO_MUCH_TIME),
    ],
)
def test_however_the_child_ends_there_is_a_sentence(monkeypatch, status, stderr, message):
    ended = subprocess.CompletedProcess([], status, b"", stderr)
    monkeypatch.setattr(subprocess, "run", lambda *args, **kwargs: ended)
    parsed = read_in_child(phq9_book(sheet()), None, TODAY)
    assert (parsed.refused, parsed.errors[0].message) == (True, message)


def test_the_child_gets_none_of_our_settings(monkeypatch):
    monkeypatch.setenv("XINQIAO_SECRET", "x")
    seen = {}

    def looked_at(command, **kwargs):
        seen.update(kwargs["env"])
        return subprocess.CompletedProcess(command, 1, b"", b"")

    monkeypatch.setattr(subprocess, "run", looked_at)
    read_in_child(phq9_book(sheet()), None, TODAY)
    assert "PATH" in seen
    assert not any(name.startswith("XINQIAO") for name in seen)


class Evil:
    def __reduce__(self):
        return os.system, ("true",)


@pytest.mark.parametrize("answer", [Evil(), {"a": Evil()}, io.StringIO])
def test_an_answer_with_anything_but_our_values_is_not_unpacked(monkeypatch, answer):
    ended = subprocess.CompletedProcess([], 0, pickle.dumps(answer), b"")
    monkeypatch.setattr(subprocess, "run", lambda *args, **kwargs: ended)
    with pytest.raises(pickle.UnpicklingError, match="not ours"):
        read_in_child(phq9_book(sheet()), None, TODAY)


def test_two_thousand_rows_of_a_hundred_items_are_read_within_a_second_or_two():
    """The aim is a second on a quiet machine; the test leaves room for a busy one and catches a slow path."""
    import time

    from instruments import catalogue
    from screening.spreadsheets.template import write_workbook

    items = [item.key for item in catalogue().get("mht").items]
    rows = [
        {"student_no": f"{number}", "name": "张甲", "administered_on": TODAY}
        | dict.fromkeys(items, number % 2)
        for number in range(2_000)
    ]
    data = write_workbook([], {"mht": rows})
    begun = time.process_time()
    parsed = read(data)
    assert time.process_time() - begun < 3
    assert len(parsed.sheets[0].rows) == 2_000
    assert parsed.all_errors == ()
