"""A directory with one learnt model: JSON numbers beside a manifest with their SHA-256, as in `registry`.

For models tried on a table of one's own (`training`). The manifest has the form that `registry` reads, but the
numbers are of another kind, which `registry.load` refuses: such a model never serves here by being copied into
a directory. Each change is a new file; the former one stays beside it, named in the manifest's history.
"""

import json
import os
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from hashlib import sha256
from pathlib import Path
from typing import Any

from risk_model.registry import MANIFEST, SCHEMA, ArtefactError, ArtefactTampered

NAME = "fitted"


@dataclass(frozen=True, slots=True)
class Stored:
    """What lies in a directory: the numbers, and under which version."""

    document: dict[str, Any]
    version: str
    created_on: str


def read(directory: Path) -> Stored:
    """The current numbers of a directory.

    Raises ArtefactTampered if the file is not the one of the manifest, ArtefactError if there is no model.
    """
    entry = _entries(directory).get(NAME)
    wanted = ("file", "sha256", "version", "created_on")
    if not isinstance(entry, dict) or not all(isinstance(entry.get(key), str) for key in wanted):
        raise ArtefactError("there is no learnt model in this directory")
    if Path(entry["file"]).name != entry["file"]:
        raise ArtefactError("the file of the model must lie beside the manifest")
    try:
        content = (directory / entry["file"]).read_bytes()
    except OSError as error:
        raise ArtefactError("the file of the model cannot be read") from error
    digest = sha256(content).hexdigest()
    if digest != entry["sha256"]:
        raise ArtefactTampered("the SHA-256 of the model's file is not the one in the manifest")
    return Stored(parsed(content), f"{entry['version']}+{digest[:8]}", entry["created_on"])


def write(
    directory: Path, document: Mapping[str, object], *, created_on: date, summary: Mapping[str, object]
) -> str:
    """Store numbers as the directory's current model and give its version. The same arguments give the same bytes.

    A model that is already there becomes history; its file stays.
    """
    entries = _entries(directory) if (directory / MANIFEST).is_file() else {}
    former = entries.get(NAME)
    history = (
        [*former.get("history", []), {k: v for k, v in former.items() if k != "history"}] if former else []
    )
    content = dumped(document)
    number = len(history) + 1
    entry = {
        "file": f"{NAME}-{number}.json",
        "sha256": sha256(content).hexdigest(),
        "version": f"{NAME}-{number}",
        "created_on": created_on.isoformat(),
        "approved_by": None,
        "notes": [],
        **summary,
        "history": history,
    }
    directory.mkdir(parents=True, exist_ok=True)
    replace_file(directory / f"{NAME}-{number}.json", content)
    # Last, so that a half-written model is one that the manifest does not know.
    replace_file(directory / MANIFEST, dumped({"schema": SCHEMA, "artefacts": {**entries, NAME: entry}}))
    return f"{NAME}-{number}+{sha256(content).hexdigest()[:8]}"


def is_model(directory: Path) -> bool:
    """Is there a manifest already?"""
    return (directory / MANIFEST).exists()


def dumped(document: Mapping[str, object]) -> bytes:
    """JSON with a line for each entry of the top, so that thousands of numbers do not make thousands of lines."""
    parts = [f"  {json.dumps(key)}: {_line(value)}" for key, value in document.items()]
    return ("{\n" + ",\n".join(parts) + "\n}\n").encode()


def _line(value: object) -> str:
    return json.dumps(value, ensure_ascii=False, allow_nan=False)


def parsed(content: bytes) -> dict[str, Any]:
    """Raises ArtefactError for what is no JSON object, or holds NaN or Infinity."""

    def refuse(word: str) -> float:
        raise ValueError(f"{word} is not a number of JSON")

    try:
        document = json.loads(content, parse_constant=refuse)
    except (ValueError, RecursionError) as error:
        raise ArtefactError(f"not readable as JSON: {error}") from error
    if not isinstance(document, dict):
        raise ArtefactError("expected a JSON object")
    return document


def _entries(directory: Path) -> dict[str, Any]:
    try:
        manifest = parsed((directory / MANIFEST).read_bytes())
    except OSError as error:
        raise ArtefactError("there is no manifest of a model in this directory") from error
    if manifest.get("schema") != SCHEMA or not isinstance(manifest.get("artefacts"), dict):
        raise ArtefactError("the manifest has an unknown schema")
    entries: dict[str, Any] = manifest["artefacts"]
    return entries


def replace_file(path: Path, content: bytes) -> None:
    """Beside its place first, then in one step."""
    beside = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        beside.write_bytes(content)
        beside.replace(path)
    except OSError:
        beside.unlink(missing_ok=True)
        raise
