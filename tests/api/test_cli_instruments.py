"""``xinqiao instruments check``, and a district's folder as the service and the scorer use it."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from pathlib import Path

import pytest
from typer.testing import CliRunner

from api.cli import app
from api.cli.home import own_instruments
from instruments import catalogue, use_folder
from screening.core.settings import Settings
from tests.instruments.own_file import as_bytes, own_file


@pytest.fixture(autouse=True)
def _english(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setenv("XINQIAO_LANG", "en")
    monkeypatch.setenv("LANG", "en_GB.UTF-8")
    monkeypatch.delenv("XINQIAO_INSTRUMENTS", raising=False)
    yield
    use_folder(None)


def test_a_ready_file_is_said_to_be_ready_with_what_its_examples_give(tmp_path: Path) -> None:
    path = tmp_path / "our_seven.yaml"
    path.write_bytes(as_bytes(own_file()))
    said = CliRunner().invoke(app, ["instruments", "check", str(path)])
    assert said.exit_code == 0
    assert "Example 1 holds: total 7, total.band mild, valid true, critical –" in said.stdout
    assert "The file is right and may be used for decisions." in said.stdout


def test_what_is_wrong_and_what_is_lacking_is_said_with_status_1(tmp_path: Path) -> None:
    path = tmp_path / "our_seven.yaml"
    content = own_file()
    content["examples"] = [{"every": 1, "expect": {"total": 8}}, {"every": 5, "expect": {"total": 8}}]
    path.write_bytes(as_bytes(content))
    said = CliRunner().invoke(app, ["instruments", "check", str(path)])
    assert said.exit_code == 1
    assert "Example 1 does not hold: total should be 8 and is 7" in said.stdout
    assert "Example 2 cannot be scored" in said.stdout
    assert "It needs 3 worked examples that hold and has 0." in said.stdout
    content["age"], content["colour"] = {"min": 1}, "red"
    path.write_bytes(as_bytes(content))
    said = CliRunner().invoke(app, ["instruments", "check", str(path)])
    assert said.exit_code == 1
    assert "colour: unknown key" in said.stdout
    assert "1 things are wrong" in said.stdout


def test_the_scorer_knows_the_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    answers = tmp_path / "answers.csv"
    answers.write_text("1,2,3,4,5,6,7\n1,1,1,1,1,1,1\n")
    assert CliRunner().invoke(app, ["score", "our_seven", str(answers)]).exit_code == 2
    folder = tmp_path / "own"
    folder.mkdir()
    (folder / "our_seven.yaml").write_bytes(as_bytes(own_file()))
    monkeypatch.setenv("XINQIAO_INSTRUMENTS", str(folder))
    said = CliRunner().invoke(app, ["score", "our_seven", str(answers)])
    assert said.exit_code == 0
    assert said.stdout.splitlines()[1].startswith("7,mild,scored,true")


def test_a_service_starts_whatever_lies_in_the_folder_and_says_what_it_leaves_out(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    settings = Settings.of_home(tmp_path, instruments=tmp_path / "own")
    with caplog.at_level(logging.ERROR):
        own_instruments(settings)
    assert "cannot be read" in caplog.text
    (tmp_path / "own").mkdir()
    (tmp_path / "own" / "our_seven.yaml").write_bytes(as_bytes(own_file()))
    (tmp_path / "own" / "broken.yaml").write_text("a: [")
    with caplog.at_level(logging.ERROR):
        own_instruments(settings)
    assert "broken.yaml is not used" in caplog.text
    assert "our_seven" in catalogue()
