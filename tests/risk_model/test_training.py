"""Learning from a table: choice on other clusters, calibration inside, refusal of wrong probabilities, no traps."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from datetime import date
from pathlib import Path

import numpy as np
import pytest

from risk_model import artefact, training
from risk_model.appraisal import appraise, recalibrate
from risk_model.artefact import Stored
from risk_model.dataset import DataRefused, Table, read_table
from risk_model.evaluation import measure
from risk_model.fitted import INSUFFICIENT, OK, from_stored
from risk_model.registry import ArtefactError, ArtefactTampered, load
from risk_model.training import Fit, NotCalibrated, Plan
from tests.risk_model import tables

PLAN = Plan(
    outcome="y",
    predictors=tables.PREDICTORS,
    clusters=tables.CLUSTERS,
    weight="weight",
    population="made up",
    folds=3,
)


@pytest.fixture(scope="module", autouse=True)
def small() -> Iterator[None]:
    """Fewer and smaller groves: the road is the same."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(training, "GROVES", 1)
        patch.setattr(training, "TREE_COUNTS", (12, 24))
        patch.setattr(training, "PENALTIES", (0.03,))
        patch.setattr(training, "FIGURE_BOOTSTRAPS", 20)
        yield


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("tables")


@pytest.fixture(scope="module")
def table(folder: Path) -> Table:
    return read_table(tables.write(folder / "learn.csv.gz", tables.made_up()))


@pytest.fixture(scope="module")
def fit(table: Table) -> Fit:
    return training.fit(table, PLAN)


def reading(path: Path, columns: dict[str, list[str]]) -> Table:
    return read_table(tables.write(path, columns))


def test_a_model_is_chosen_and_judged_on_clusters_it_was_not_taught_on(fit: Fit, table: Table) -> None:
    names = [name for name, _ in fit.losses]
    assert names[0] == fit.model.about["learner"]
    assert any("logistic" in name and "trees" not in name for name in names)
    assert any("trees" in name and "logistic" in name for name in names)
    assert fit.judged.crossed.auroc > 0.7
    assert 0.85 < fit.judged.crossed.slope < 1.15
    assert fit.judged.crossed.ece < 0.05
    assert fit.judged.crossed.observed_expected == pytest.approx(1.0, abs=0.05)
    about = fit.model.about
    assert about["data"]["window"] == {"column": "year", "first": "2030", "last": "2032"}
    assert about["data"]["sha256"] == table.digest
    assert (about["population"], about["approved_by"], about["seed"]) == ("made up", None, 1)


def test_the_same_data_and_seed_give_the_same_bytes(fit: Fit, table: Table) -> None:
    again = training.fit(table, PLAN)
    assert artefact.dumped(again.model.document()) == artefact.dumped(fit.model.document())


def test_a_stored_model_predicts_the_same_and_a_changed_one_is_refused(
    fit: Fit, table: Table, tmp_path: Path
) -> None:
    version = artefact.write(tmp_path, fit.model.document(), created_on=date(2030, 1, 2), summary={})
    stored = from_stored(artefact.read(tmp_path))
    assert stored.version == version
    first, second = fit.model.predict(table).p, stored.predict(table).p
    assert np.array_equal(first, second, equal_nan=True)
    path = tmp_path / "fitted-1.json"
    for change in (lambda text: text.replace('"slope": ', '"slope": 1'), lambda _: "not json"):
        before = path.read_text()
        path.write_text(change(before))
        with pytest.raises(ArtefactTampered):
            artefact.read(tmp_path)
        path.write_text(before)
    path.unlink()
    with pytest.raises(ArtefactError, match="cannot be read"):
        artefact.read(tmp_path)
    with pytest.raises(ArtefactError, match="no manifest"):
        artefact.read(tmp_path / "nowhere")


def test_the_service_does_not_load_such_a_model(fit: Fit, tmp_path: Path) -> None:
    artefact.write(tmp_path, fit.model.document(), created_on=date(2030, 1, 2), summary={})
    with pytest.raises(ArtefactError, match="unknown schema or kind"):
        load(artefact.NAME, tmp_path)
    manifest = json.loads((tmp_path / "manifest.json").read_text())
    assert manifest["artefacts"][artefact.NAME]["approved_by"] is None


@pytest.mark.parametrize(
    "change",
    [
        lambda d: d.update(kind="other"),
        lambda d: d["line"].update(slope=-1.0),
        lambda d: d["line"].update(slope="1"),
        lambda d: d["parts"].clear(),
        lambda d: d["parts"][0].update(kind="pickle"),
        lambda d: d["fields"].pop(),
        lambda d: d.pop("reference"),
    ],
)
def test_numbers_that_cannot_be_a_model_are_refused(fit: Fit, change) -> None:
    document = json.loads(artefact.dumped(fit.model.document()))
    change(document)
    with pytest.raises(ArtefactError):
        from_stored(Stored(document, "v", "2030-01-02"))


def test_more_than_half_missing_is_insufficient_and_never_low(fit: Fit, folder: Path) -> None:
    columns = tables.made_up(40, gap=0.0)
    for name in tables.PREDICTORS[:4]:
        columns[name][0] = ""
    for name in tables.PREDICTORS[:3]:
        columns[name][1] = ""
    found = fit.model.predict(reading(folder / "gaps.csv", columns))
    assert np.isnan(found.p[0])
    assert found.status[:3] == [INSUFFICIENT, OK, OK]
    assert not np.isnan(found.p[1:]).any()


def test_a_class_weighted_model_is_noticed_and_put_right_only_by_recalibration(table: Table) -> None:
    plan = replace(PLAN, weight=None, class_weighted=True)
    with pytest.raises(NotCalibrated, match="must be recalibrated first") as refused:
        training.fit(table, replace(plan, calibrate=False))
    assert refused.value.params["ece"] > training.ECE_LIMIT
    righted = training.fit(table, plan)
    assert righted.judged.raw.ece > training.ECE_LIMIT
    assert righted.judged.crossed.ece < training.ECE_LIMIT
    assert any("recalibrated" in message for message, _ in righted.remarks)


def test_class_weights_in_the_weight_column_are_noticed(folder: Path) -> None:
    columns = tables.made_up()
    share = columns["y"].count("1") / len(columns["y"])
    columns["weight"] = [f"{0.5 / share if y == '1' else 0.5 / (1 - share):.5f}" for y in columns["y"]]
    balanced = reading(folder / "balanced.csv", columns)
    with pytest.raises(NotCalibrated, match="as class weights do"):
        training.fit(balanced, PLAN)


def test_a_gap_is_no_reason(folder: Path) -> None:
    """Pupils with the outcome leave a question blank that has nothing to do with it; a year later everybody does."""
    columns = tables.made_up(2_000, gap=0.0)
    random = np.random.default_rng(2)
    columns["noise"] = [
        "" if random.random() < (0.7 if y == "1" else 0.05) else cell
        for y, cell in zip(columns["y"], columns["noise"], strict=True)
    ]
    model = training.fit(reading(folder / "trap.csv", columns), replace(PLAN, weight=None)).model
    later = tables.made_up(2_000, seed=8, gap=0.0)
    told = model.predict(reading(folder / "told.csv", later)).p
    later["noise"] = [""] * 2_000
    blank = model.predict(reading(folder / "blank.csv", later)).p
    assert blank.mean() == pytest.approx(told.mean(), rel=0.1)
    y = np.array(later["y"], dtype=float)
    assert measure(y, blank).observed_expected == pytest.approx(1.0, abs=0.15)


def test_columns_that_may_not_be_predictors_are_named(table: Table) -> None:
    for plan, says in (
        (replace(PLAN, predictors=("worry", "y")), "The outcome y cannot be a predictor"),
        (replace(PLAN, predictors=("worry", "school")), "school is a cluster or weight column"),
        (replace(PLAN, predictors=("worry", "height")), "Columns missing in .*: height"),
        (replace(PLAN, outcome="sleep", predictors=("worry",)), "Outcome sleep must be 0, 1 or blank"),
    ):
        with pytest.raises(DataRefused, match=says):
            training.fit(table, plan)


def test_a_predictor_that_is_the_outcome_is_refused(folder: Path) -> None:
    columns = tables.made_up()
    columns["worry"] = [str(3 * int(y) + place % 3) for place, y in enumerate(columns["y"])]
    with pytest.raises(DataRefused, match="worry alone tells the outcome"):
        training.fit(reading(folder / "leak.csv", columns), PLAN)


def test_later_rows_raise_no_alarm_unless_the_world_moved_and_labels_put_it_right(
    fit: Fit, folder: Path
) -> None:
    same = reading(folder / "same.csv", tables.made_up(2_000, seed=9))
    quiet = appraise(fit.model, same, "y", groups=("kind",), bootstraps=20)
    assert not quiet.alarms
    assert quiet.intervals["auroc"].low < quiet.found.auroc < quiet.intervals["auroc"].high
    assert set(quiet.groups["kind"]) == {"a", "b", "c", "?"}
    json.dumps(quiet.document(), allow_nan=False)
    moved = reading(folder / "moved.csv", tables.made_up(2_000, seed=10, shift=1.0))
    loud = appraise(fit.model, moved, "y", bootstraps=20)
    said = " ".join(message for message, _ in loud.alarms)
    assert "has moved" in said
    assert "off on average" in said
    assert loud.found.ece > 0.05
    labels = reading(folder / "labels.csv", tables.made_up(500, seed=11, shift=1.0))
    righted = recalibrate(fit.model, labels, "y")
    after = appraise(righted.model, moved, "y", bootstraps=20)
    assert after.found.ece < 0.5 * loud.found.ece
    assert after.found.auroc == pytest.approx(loud.found.auroc)
    assert not after.alarms
    assert righted.model.about["recalibrations"][0]["labels"] == righted.labels


def test_without_cluster_and_weight_columns_rows_count_alike_and_that_is_said(fit: Fit, folder: Path) -> None:
    columns = tables.made_up(400, seed=9)
    for name in ("year", "school", "weight", "steps"):
        columns.pop(name)
    columns["steps"] = [""] * 400
    found = appraise(fit.model, reading(folder / "bare.csv", columns), "y", bootstraps=5)
    said = " ".join(message for message, _ in found.remarks)
    assert "no cluster columns" in said
    assert "no weight column" in said
    assert "blank here" in said


def test_too_few_labels_change_nothing(fit: Fit, folder: Path) -> None:
    with pytest.raises(DataRefused, match="too few to change anything"):
        recalibrate(fit.model, reading(folder / "few.csv", tables.made_up(60, seed=4)), "y")
