"""``xinqiao instruments pack CODE``."""

from __future__ import annotations

import pytest
from typer.testing import CliRunner

from api.cli import app
from screening.core.errors import Conflict, InvalidInput, Unavailable
from screening.spreadsheets.packs import read_tables


def run(*words):
    return CliRunner().invoke(app, ["instruments", "pack", *words], env={"XINQIAO_LANG": "en"})


def test_the_workbook_to_fill_in_is_written_once(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    done = run("psc17", "--layout", "grouped", "--language", "en")
    assert done.exit_code == 0, done.output
    assert "Written: psc17-en.xlsx" in done.output
    head, texts, _ = read_tables((tmp_path / "psc17-en.xlsx").read_bytes())
    assert (head["instrument"], head["language"], head["layout"]) == ("psc17", "en", "grouped")
    assert len(texts) == 17
    assert isinstance(run("psc17", "--language", "en").exception, Conflict)
    assert "not kept" in run("sdq_s", "-o", str(tmp_path / "sdq.xlsx")).output


@pytest.mark.parametrize(
    ("words", "kind"),
    [
        (("nothing",), InvalidInput),
        (("phq9", "--language", "fr"), InvalidInput),
        (("phq9", "--layout", "odd"), InvalidInput),
        (("phq9", "-o", "/nowhere/at/all.xlsx"), Unavailable),
    ],
)
def test_what_cannot_be_written_is_said(words, kind):
    assert isinstance(run(*words).exception, kind)
