"""``xinqiao model``: the road from a table to probabilities, by the command line alone."""

from __future__ import annotations

import csv
import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from typer.testing import CliRunner

from api.cli import app
from risk_model import appraisal, training
from tests.risk_model import tables

runner = CliRunner()


@pytest.fixture(scope="module", autouse=True)
def small() -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(training, "GROVES", 1)
        patch.setattr(training, "TREE_COUNTS", (15,))
        patch.setattr(training, "PENALTIES", (0.03,))
        patch.setattr(training, "FIGURE_BOOTSTRAPS", 10)
        patch.setattr(appraisal, "BOOTSTRAPS", 10)
        patch.setenv("XINQIAO_LANG", "en")
        yield


def run(*arguments: object) -> tuple[int, str, str]:
    done = runner.invoke(app, ["model", *map(str, arguments)], catch_exceptions=False)
    return done.exit_code, done.stdout, done.stderr


def learn(file: Path, out: Path, *more: object) -> tuple[int, str, str]:
    return run("fit", "--data", file, "--outcome", "y", "--predictors", ",".join(tables.PREDICTORS),
               "--cluster", "year,school", "--weight", "weight", "--out", out, *more)  # fmt: skip


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a table, a model learnt from it, and later tables."""
    folder = tmp_path_factory.mktemp("cli")
    tables.write(folder / "learn.csv.gz", tables.made_up())
    tables.write(folder / "later.csv", tables.made_up(900, seed=10, shift=1.0))
    tables.write(folder / "labels.csv", tables.made_up(500, seed=11, shift=1.0))
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("XINQIAO_LANG", "en")
        code, out, err = learn(folder / "learn.csv.gz", folder / "model", "--population", "made up pupils")
    assert code == 0, err
    assert "AUROC" in out
    assert "serves nobody" in out
    assert "fold 2 of 5" in err
    return folder


def test_one_row_out_per_row_in(place: Path) -> None:
    columns = tables.made_up(50, seed=12, gap=0.0)
    for name in tables.PREDICTORS[:4]:
        columns[name][3] = ""
    tables.write(place / "new.csv", {name: cells for name, cells in columns.items() if name != "y"})
    code, _, err = run("predict", place / "model", place / "new.csv", "-o", place / "out.csv")
    assert code == 0
    assert "1 of them insufficient" in err
    with (place / "out.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert [row["id"] for row in rows] == columns["id"]
    assert (rows[3]["p"], rows[3]["status"]) == ("", "insufficient")
    assert all(0 < float(row["p"]) < 1 and row["status"] == "ok" for row in rows[:3] + rows[4:])
    code, shown, _ = run("predict", place / "model", place / "new.csv")
    assert code == 0
    assert shown == (place / "out.csv").read_text()


def test_drift_is_said_and_labels_put_it_right(place: Path) -> None:
    code, out, _ = run("evaluate", place / "model", place / "later.csv", "--outcome", "y", "--groups", "kind")
    assert code == 0
    assert "DRIFT" in out
    assert "kind = b" in out
    before = json.loads(run("evaluate", place / "model", place / "later.csv", "--outcome", "y", "--json")[1])
    assert before["drift"] is True
    code, out, _ = run(
        "recalibrate", place / "model", place / "labels.csv", "--outcome", "y", "--out", place / "new"
    )
    assert code == 0
    assert "labels" in out
    after = json.loads(run("evaluate", place / "new", place / "later.csv", "--outcome", "y", "--json")[1])
    assert after["figures"]["ece"] < before["figures"]["ece"]
    assert (
        run("recalibrate", place / "model", place / "labels.csv", "--outcome", "y", "--out", place / "new")[0]
        == 2
    )
    code, out, _ = run("recalibrate", place / "new", place / "labels.csv", "--outcome", "y", "--json")
    assert json.loads(out)["version"].startswith("fitted-2+")
    assert (place / "new" / "fitted-1.json").is_file()


def test_a_report_of_a_learnt_model_says_whom_it_is_about(place: Path) -> None:
    code, out, _ = run("report", place / "model", place / "later.csv", "--outcome", "y", "--groups", "kind",
                       "--rule", "worry>=3", "--out", place / "report", "--bootstraps", 20, "--no-pdf")  # fmt: skip
    assert code == 0
    assert len(out.split()) == 4
    text = (place / "report" / "evaluation.en.html").read_text("utf-8")
    for each in ("made up pupils", "no evidence about pupils of this service", "worry ≥ 3", "<h3>kind</h3>"):
        assert each in text
    card = (place / "report" / "model-card.zh.html").read_text("utf-8")
    assert "made up pupils" in card
    assert "未经批准" in card
    refused = run("report", place / "model", place / "later.csv", "--outcome", "y", "--rule", "worry high")
    assert refused[0] == 2
    assert "COLUMN>=NUMBER" in refused[2]


def test_refusals_are_one_sentence_and_exit_status_2(place: Path, tmp_path: Path) -> None:
    there = learn(place / "learn.csv.gz", place / "model")
    assert there[0] == 2
    assert "--force" in there[2]
    columns = tables.made_up(50, seed=12)
    columns.pop("worry")
    tables.write(tmp_path / "short.csv", columns)
    columns["y"][4] = "yes"
    tables.write(tmp_path / "words.csv", columns | {"worry": columns["sleep"]})
    (tmp_path / "broken").mkdir()
    for file in (place / "model").iterdir():
        (tmp_path / "broken" / file.name).write_bytes(file.read_bytes().replace(b"slope", b"sloqe"))
    for arguments, says in (
        (("predict", place / "model", tmp_path / "short.csv"), "Columns missing in short.csv: worry"),
        (("evaluate", place / "model", tmp_path / "words.csv", "--outcome", "y"), "row 6 has yes"),
        (("evaluate", place / "model", tmp_path / "words.csv", "--outcome", "z"), "Column z is missing"),
        (("predict", place / "model", tmp_path / "none.csv"), "cannot be read"),
        (("predict", tmp_path / "broken", tmp_path / "short.csv"), "SHA-256"),
        (("predict", tmp_path, tmp_path / "short.csv"), "no manifest"),
        (
            ("predict", place / "model", place / "later.csv", "-o", tmp_path / "no" / "out.csv"),
            "cannot be written",
        ),
    ):
        code, out, err = run(*arguments)
        assert code == 2, arguments
        assert says in err, err
        assert not out
