"""Models as data: the shipped one is intact and reproducible, a changed one is refused."""

import json
import subprocess
import sys
from collections.abc import Callable
from datetime import date
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest

from instruments import catalogue
from risk_model import ArtefactError, ArtefactTampered, baseline, day_one, load, predict, registry
from risk_model.levels import TWO_INFORMANT_CODES

Change = Callable[[dict[str, Any]], object]


@pytest.fixture
def directory(tmp_path: Path) -> Path:
    baseline.write_day_one(tmp_path, created_on=date(2026, 9, 1))
    return tmp_path


def rewrite(path: Path, change: Change) -> None:
    document = json.loads(path.read_text())
    change(document)
    path.write_text(json.dumps(document))


def forge(directory: Path, change: Change) -> None:
    """Change the numbers and make the hash fit."""
    rewrite(directory / "day_one.json", change)
    digest = sha256((directory / "day_one.json").read_bytes()).hexdigest()
    rewrite(directory / "manifest.json", lambda m: m["artefacts"]["day_one"].update(sha256=digest))


def test_the_shipped_files_are_what_the_source_tables_make(tmp_path: Path) -> None:
    shipped = Path(str(registry.SHIPPED))
    manifest = json.loads((shipped / "manifest.json").read_text())
    created_on = date.fromisoformat(manifest["artefacts"]["day_one"]["created_on"])
    baseline.write_day_one(tmp_path, created_on=created_on)
    for name in ("day_one.json", "manifest.json"):
        assert (tmp_path / name).read_bytes() == (shipped / name).read_bytes()


def test_the_version_of_a_model_names_its_bytes() -> None:
    content = (registry.SHIPPED / "day_one.json").read_bytes()
    assert day_one().version == f"{baseline.VERSION}+{sha256(content).hexdigest()[:8]}"
    prediction = predict(day_one(), {"mht": 40}, base_rate=0.1)
    assert prediction is not None
    assert prediction.model_version == day_one().version


def test_a_written_model_predicts_as_the_shipped_one(directory: Path) -> None:
    assert load("day_one", directory) == day_one()
    assert day_one() is day_one()


def test_the_artefact_holds_numbers_and_the_manifest_their_certainty(directory: Path) -> None:
    entry = json.loads((directory / "manifest.json").read_text())["artefacts"]["day_one"]
    assert {note["certainty"] for note in entry["notes"]} <= {
        "read",
        "memory",
        "guess",
        "simulated",
        "design",
    }
    noted = {note["numbers"] for note in entry["notes"]}
    assert {f"instruments.{row.code}" for row in baseline.ROWS} | {"correlations", "discordance"} <= noted


def test_the_model_and_the_rules_name_instruments_of_the_library() -> None:
    known = set(catalogue().codes)
    assert set(day_one().row_of) <= known
    assert not set(day_one().row_of) & set(baseline.WITHOUT_A_ROW)
    for code in day_one().row_of:
        informant = day_one().rows[day_one().row_of[code]].informant
        assert informant in catalogue().get(code).informants
    assert known >= TWO_INFORMANT_CODES


def test_one_changed_byte_is_refused(directory: Path) -> None:
    path = directory / "day_one.json"
    path.write_bytes(path.read_bytes().replace(b"0.71", b"0.72"))
    with pytest.raises(ArtefactTampered, match=r"day_one.*SHA-256"):
        load("day_one", directory)


def test_a_changed_file_is_refused_before_it_is_read(directory: Path) -> None:
    (directory / "day_one.json").write_bytes(b"not even json")
    with pytest.raises(ArtefactTampered):
        load("day_one", directory)


@pytest.mark.parametrize(
    "change",
    [
        lambda d: d.update(schema=2),
        lambda d: d.update(kind="pickle"),
        lambda d: d.pop("correlations"),
        lambda d: d.pop("discordance"),
        lambda d: d["instruments"][0].update(transform="eval"),
        lambda d: d["instruments"][0].update(rho="0.71"),
        lambda d: d["instruments"][0].update(centre=True),
        lambda d: d["instruments"][0].update(rho=0.999),
        lambda d: d["instruments"][0].update(spread=0),
        lambda d: d["instruments"][0].update(code=9),
        lambda d: d["instruments"][0].update(also="phq_a"),
        lambda d: d["instruments"][1].update(also=["phq_a"]),
        lambda d: d["instruments"].pop(),
        lambda d: d["correlations"][0].__setitem__(1, 0.76),
        lambda d: d["correlations"][0].__setitem__(0, float("nan")),
        lambda d: d["discordance"].update({"self": "nobody"}),
    ],
)
def test_numbers_that_cannot_be_a_model_are_refused_even_with_a_fitting_hash(
    directory: Path, change: Change
) -> None:
    forge(directory, change)
    with pytest.raises(ArtefactError, match="day_one") as refusal:
        load("day_one", directory)
    assert not isinstance(refusal.value, ArtefactTampered)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda m: m.update(schema=2), "unknown schema"),
        (lambda m: m.update(artefacts=[]), "unknown schema"),
        (lambda m: m["artefacts"].clear(), "not in the manifest"),
        (lambda m: m["artefacts"]["day_one"].pop("sha256"), "needs file, sha256"),
        (lambda m: m["artefacts"]["day_one"].update(version=1), "needs file, sha256"),
        (lambda m: m["artefacts"]["day_one"].update(file="../day_one.json"), "beside the manifest"),
        (lambda m: m["artefacts"]["day_one"].update(file="gone.json"), "cannot be read"),
    ],
)
def test_a_manifest_that_does_not_fit_is_refused(directory: Path, change: Change, message: str) -> None:
    rewrite(directory / "manifest.json", change)
    with pytest.raises(ArtefactError, match=message):
        load("day_one", directory)


def test_a_missing_or_broken_manifest_is_refused(directory: Path) -> None:
    (directory / "manifest.json").write_text("[1]")
    with pytest.raises(ArtefactError, match="cannot be read"):
        load("day_one", directory)
    (directory / "manifest.json").unlink()
    with pytest.raises(ArtefactError, match="cannot be read"):
        load("day_one", directory)


def test_numbers_that_cannot_be_a_model_are_not_written(directory: Path) -> None:
    before = {path.name: path.read_bytes() for path in directory.iterdir()}
    document = baseline.day_one_document() | {"correlations": [[1.0]]}
    with pytest.raises(ArtefactError, match="a row and a column"):
        registry.write(directory, "day_one", document, version="x", created_on=date(2026, 9, 2), notes=())
    assert {path.name: path.read_bytes() for path in directory.iterdir()} == before


def test_writing_a_second_model_keeps_the_first(directory: Path) -> None:
    registry.write(
        directory,
        "other",
        baseline.day_one_document(),
        version="other-1",
        created_on=date(2026, 9, 2),
        notes=(),
    )
    assert load("day_one", directory) == day_one()
    assert load("other", directory).version.startswith("other-1+")


def test_importing_the_package_loads_no_learning_library() -> None:
    code = "import sys, risk_model; risk_model.day_one(); print('sklearn' in sys.modules, 'scipy' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["False", "False"]
