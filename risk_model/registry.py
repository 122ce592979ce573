"""Models as data: JSON numbers beside a manifest that holds their SHA-256. Never pickle.

A directory of artefacts is `manifest.json` and one JSON file per model. The artefact holds only what is
computed with; the manifest says which file, its hash, version and date, and where each number comes from and
how sure it is. The hash finds a file that was damaged, edited or exchanged by itself; it is no signature
against somebody who may write the whole directory.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import date
from functools import cache
from hashlib import sha256
from importlib.resources import files
from importlib.resources.abc import Traversable
from pathlib import Path
from typing import Any, Literal

from risk_model.liability import Discordance, InstrumentRow, LiabilityModel, Transform

SCHEMA = 1
KIND = "gaussian_liability"
MANIFEST = "manifest.json"
SHIPPED = files("risk_model") / "artefacts"

_TRANSFORMS: dict[str, Transform] = {"linear": "linear", "root": "root"}


class ArtefactError(Exception):
    """A model cannot be loaded: missing, unreadable, or its numbers cannot be a model."""


class ArtefactTampered(ArtefactError):
    """The file is not the one the manifest was written for. It is not read any further."""


Certainty = Literal["read", "memory", "guess", "simulated", "design"]


@dataclass(frozen=True, slots=True)
class SourceNote:
    """Where numbers come from. `numbers` is a path into the artefact, `certainty` how far to trust it:
    read in the source; from memory, to be checked; a guess; measured in simulation; a design choice."""

    numbers: str
    certainty: Certainty
    note: str


@cache
def day_one() -> LiabilityModel:
    """The model that serves before any outcome is known. Raises ArtefactError if it is not intact."""
    return load("day_one")


def load(name: str, directory: Traversable = SHIPPED) -> LiabilityModel:
    """Read, check and solve one model.

    Raises ArtefactTampered if the file's hash is not the manifest's, ArtefactError if the manifest or the file
    is missing or does not hold a model.
    """
    entry = _entry(directory, name)
    try:
        content = (directory / entry["file"]).read_bytes()
    except OSError as error:
        raise ArtefactError(f"model {name}: its file cannot be read") from error
    digest = sha256(content).hexdigest()
    if digest != entry["sha256"]:
        raise ArtefactTampered(f"model {name}: the SHA-256 of its file is not the one in the manifest")
    try:
        return _model(_parsed(content), version=f"{entry['version']}+{digest[:8]}")
    except (ValueError, KeyError, TypeError) as error:
        raise ArtefactError(f"model {name}: {error}") from error


def write(
    directory: Path,
    name: str,
    document: Mapping[str, object],
    *,
    version: str,
    created_on: date,
    notes: Sequence[SourceNote],
) -> None:
    """Store one model's numbers and its manifest entry; entries of other models stay.

    The same arguments give the same bytes. Raises ArtefactError if the numbers cannot be a model: nothing is
    written then.
    """
    content = _dumped(document)
    try:
        _model(_parsed(content), version=version)
    except (ValueError, KeyError, TypeError) as error:
        raise ArtefactError(f"model {name}: {error}") from error
    entries = _manifest(directory)["artefacts"] if (directory / MANIFEST).is_file() else {}
    entries[name] = {
        "file": f"{name}.json",
        "sha256": sha256(content).hexdigest(),
        "version": version,
        "created_on": created_on.isoformat(),
        "notes": [asdict(note) for note in notes],
    }
    (directory / f"{name}.json").write_bytes(content)
    # Last, so that a half-written model is one whose hash does not fit.
    (directory / MANIFEST).write_bytes(_dumped({"schema": SCHEMA, "artefacts": entries}))


def _manifest(directory: Traversable) -> dict[str, Any]:
    try:
        manifest = _parsed((directory / MANIFEST).read_bytes())
    except (OSError, ValueError) as error:
        raise ArtefactError("the manifest of the models cannot be read") from error
    if manifest.get("schema") != SCHEMA or not isinstance(manifest.get("artefacts"), dict):
        raise ArtefactError("the manifest of the models has an unknown schema")
    return manifest


def _entry(directory: Traversable, name: str) -> dict[str, str]:
    entry = _manifest(directory)["artefacts"].get(name)
    if not isinstance(entry, dict):
        raise ArtefactError(f"model {name} is not in the manifest")
    wanted = {key: value for key in ("file", "sha256", "version") if isinstance(value := entry.get(key), str)}
    if len(wanted) != 3:
        raise ArtefactError(f"model {name}: its manifest entry needs file, sha256 and version")
    if Path(wanted["file"]).name != wanted["file"]:
        raise ArtefactError(f"model {name}: its file must lie beside the manifest")
    return wanted


def _dumped(document: Mapping[str, object]) -> bytes:
    return (json.dumps(document, ensure_ascii=False, allow_nan=False, indent=2) + "\n").encode()


def _refuse_constant(word: str) -> float:
    raise ValueError(f"{word} is not a number of JSON")


def _parsed(content: bytes) -> dict[str, Any]:
    document = json.loads(content, parse_constant=_refuse_constant)
    if not isinstance(document, dict):
        raise ValueError("expected a JSON object")
    return document


def _model(document: dict[str, Any], *, version: str) -> LiabilityModel:
    if document["schema"] != SCHEMA or document["kind"] != KIND:
        raise ValueError("unknown schema or kind of model")
    rule = document["discordance"]
    return LiabilityModel(
        version=version,
        rows=tuple(_row(row) for row in document["instruments"]),
        correlations=tuple(tuple(number(value) for value in line) for line in document["correlations"]),
        discordance=Discordance(_text(rule["self"]), _texts(rule["adults"]), number(rule["above"])),
    )


def _row(row: dict[str, Any]) -> InstrumentRow:
    return InstrumentRow(
        code=_text(row["code"]),
        also=_texts(row["also"]),
        highest=number(row["highest"]),
        transform=_TRANSFORMS[row["transform"]],
        centre=number(row["centre"]),
        spread=number(row["spread"]),
        rho=number(row["rho"]),
        informant=_text(row["informant"]),
    )


def number(value: object) -> float:
    """A number of JSON; true and false are none. Raises :class:`TypeError`."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise TypeError("expected a number")
    return float(value)


def _text(value: object) -> str:
    if not isinstance(value, str):
        raise TypeError("expected a text")
    return value


def _texts(values: object) -> tuple[str, ...]:
    if not isinstance(values, list):
        raise TypeError("expected a list of texts")
    return tuple(_text(value) for value in values)
