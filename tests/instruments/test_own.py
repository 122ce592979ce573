"""A district's own questionnaire: everything wrong is said at once, and it decides nothing before it is ready."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from instruments import AnswerSheet, catalogue, score, shipped, use_folder
from instruments.own import FileCheck, Lack, check_file
from tests.instruments.own_file import File, as_bytes, own_file

TAKEN = frozenset(shipped().codes)


def checked(content: File, file: str = "our_seven.yaml") -> FileCheck:
    return check_file(file, as_bytes(content), TAKEN)


@pytest.fixture
def folder(tmp_path: Path) -> Iterator[Path]:
    yield tmp_path
    use_folder(None)


def test_a_file_with_a_source_a_licence_and_three_examples_that_hold_is_ready() -> None:
    found = checked(own_file())
    assert (found.findings, found.lacks, found.ready) == ((), (), True)
    assert [each.holds for each in found.examples] == [True, True, True]


def test_all_that_has_the_wrong_shape_is_said_at_once() -> None:
    content = own_file()
    del content["recall"], content["items"][2]["zh"]
    content["tier"] = "one"
    content["colour"] = "red"
    content["responses"][1]["value"] = "1"
    content["scores"][0]["range"] = [0, 20]
    content["licence"]["status"] = "gratis"
    found = checked(content)
    assert not found.ready
    assert {each.field for each in found.findings} == {
        "recall",
        "items[3].zh",
        "tier",
        "colour",
        "responses[2].value",
        "scores[1].range",
        "licence.status",
    }
    assert found.more_may_follow


def test_all_that_does_not_fit_together_is_said_at_once() -> None:
    content = own_file()
    content["age"] = {"min": 18, "max": 12}
    content["bands"][0]["cuts"][1]["min"] = 6
    content["retest"]["min_gap_days"] = -1
    found = checked(content)
    assert {each.field for each in found.findings} == {"age", "bands[1].cuts", "retest.min_gap_days"}
    assert not found.more_may_follow


def test_what_nobody_can_guess_is_said_and_the_rest_left() -> None:
    content = own_file()
    content["scores"][0]["items"] = [1, 2, 99]
    content["recall"]["zh"] = ""
    found = checked(content)
    assert "scores[1].items" in {each.field for each in found.findings}
    assert found.more_may_follow


@pytest.mark.parametrize("data", [b"", b"- 1", b"a: [", b"\xff"])
def test_what_is_no_mapping_is_said_and_not_raised(data: bytes) -> None:
    found = check_file("x.yaml", data)
    assert (len(found.findings), found.ready) == (1, False)


def test_the_code_is_the_name_of_the_file_and_nobody_elses() -> None:
    assert [each.field for each in checked(own_file(), "other.yaml").findings] == ["code"]
    content = own_file()
    content["code"] = "gad7"
    assert checked(content, "gad7.yaml").lacks == (Lack.CODE_TAKEN,)


def test_without_source_licence_or_examples_it_is_read_and_decides_nothing() -> None:
    content = own_file()
    content["provenance"] = [{"about": "everything", "how": "memory"}]
    assert checked(content).lacks == (Lack.SOURCE,)
    for change in ({"status": "unclear", "on_screen": False}, {"certainty": "C", "on_screen": False}):
        content = own_file()
        content["licence"].update(change)
        assert checked(content).lacks == (Lack.LICENCE,)
    content = own_file()
    del content["licence"]["source"]
    assert checked(content).lacks == (Lack.LICENCE,)
    content = own_file()
    del content["examples"][2]
    assert checked(content).lacks == (Lack.EXAMPLES,)
    del content["examples"]
    assert checked(content).lacks == (Lack.EXAMPLES,)


def test_an_example_that_does_not_hold_says_what_the_sheet_says() -> None:
    content = own_file()
    content["examples"].append({"every": 2, "expect": {"total": 15, "total.band": "moderate"}})
    found = checked(content)
    assert found.lacks == (Lack.EXAMPLE_FAILS,)
    wrong = [(each.name, each.expected, each.found) for each in found.examples[3].said if not each.holds]
    assert wrong == [("total", 15, 14)]


@pytest.mark.parametrize(
    ("example", "problem"),
    [
        ({"every": 9, "expect": {"total": 1}}, "out_of_range"),
        ({"every": 1, "layout": "other", "expect": {"total": 1}}, "no layout"),
        ({"every": 1, "expect": {"sum": 1}}, "nothing is called sum"),
    ],
)
def test_an_example_that_cannot_be_scored_says_why(example: File, problem: str) -> None:
    content = own_file()
    content["examples"].append(example)
    found = checked(content)
    assert problem in str(found.examples[3].problem)
    assert not found.ready


def test_a_ready_file_joins_the_catalogue_and_an_unfinished_or_wrong_one_does_not(folder: Path) -> None:
    (folder / "our_seven.yaml").write_bytes(as_bytes(own_file()))
    unfinished = own_file()
    unfinished.update(code="half", examples=[])
    (folder / "half.yaml").write_bytes(as_bytes(unfinished))
    (folder / "broken.yaml").write_text("a: [")
    (folder / "gad7.yaml").write_bytes(as_bytes(own_file() | {"code": "gad7"}))
    (folder / "notes.txt").write_text("no questionnaire")
    assert "our_seven" not in catalogue()
    found = use_folder(folder)
    assert {each.file: each.ready for each in found} == {
        "broken.yaml": False,
        "gad7.yaml": False,
        "half.yaml": False,
        "our_seven.yaml": True,
    }
    assert set(catalogue().codes) == {*shipped().codes, "our_seven"}
    assert catalogue().get("gad7") is shipped().get("gad7")
    assert catalogue() is catalogue()
    own = catalogue().get("our_seven")
    sheet = AnswerSheet.parse(own, {str(n): 2 for n in range(1, 8)})
    assert score(own, sheet).main.value == 14
    use_folder(None)
    assert "our_seven" not in catalogue()


def test_a_folder_that_is_not_there_is_an_error_for_whoever_named_it(folder: Path) -> None:
    with pytest.raises(OSError, match="nowhere"):
        use_folder(folder / "nowhere")
    assert catalogue().codes == shipped().codes
