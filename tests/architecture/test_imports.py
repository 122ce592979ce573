"""The import contracts of ``pyproject.toml`` hold, and each of them can be broken."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

from tests.architecture.sources import PACKAGES, ROOT

LINT = Path(sys.executable).with_name("lint-imports")

# contract → (file, code that must break it); a new contract without a line here fails the second test.
BREACHES: dict[str, tuple[str, str]] = {
    "order": ("instruments/breach_order.py", "import risk_model"),
    "inside-screening": ("screening/breach_without_a_layer.py", ""),
    "inside-referral": ("referral/models/breach_upwards.py", "import referral.queries"),
    "inside-api": ("api/v1/breach_upwards.py", "import api.cli"),
    "pages-and-json": ("api/web/breach_sideways.py", "import api.v1"),
    "one-door": ("api/v1/breach_door.py", "import screening.actions.administrations"),
    "instruments-pure": ("instruments/breach_store.py", "import sqlalchemy"),
    "risk-model-no-store": ("risk_model/breach_store.py", "import sqlalchemy"),
    "no-web-below": ("referral/queries/breach_web.py", "import fastapi"),
    "pdf": ("referral/queries/breach_pdf.py", "import weasyprint"),
    "spreadsheets": ("api/cli/breach_spreadsheets.py", "import openpyxl"),
    "tokens": ("api/web/breach_tokens.py", "import jwt"),
    "outgoing": ("referral/actions/breach_outgoing.py", "import httpx2"),
    "catalogues": ("api/web/breach_catalogues.py", "import babel"),
}


def run(directory: Path) -> subprocess.CompletedProcess[str]:
    # NO_COLOR and a wide terminal keep each contract on one plain line.
    environment = {**os.environ, "NO_COLOR": "1", "COLUMNS": "200", "PYTHONPATH": str(directory)}
    return subprocess.run(
        [LINT, "--no-logo", "--no-cache"],
        cwd=directory,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )


def contracts() -> dict[str, str]:
    """Contract id → its name."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    return {each["id"]: each["name"] for each in project["tool"]["importlinter"]["contracts"]}


def test_imports_go_down_only():
    result = run(ROOT)
    assert result.returncode == 0, result.stdout + result.stderr


@pytest.fixture(scope="module")
def broken_copy(tmp_path_factory) -> Path:
    """The packages with one breach of each contract added."""
    directory = tmp_path_factory.mktemp("breaches")
    for package in PACKAGES:
        shutil.copytree(
            ROOT / package, directory / package, ignore=shutil.ignore_patterns("__pycache__", "*.html")
        )
    shutil.copy(ROOT / "pyproject.toml", directory)
    for file, code in BREACHES.values():
        (directory / file).write_text(code + "\n", encoding="utf-8")
    return directory


def test_each_contract_can_be_broken(broken_copy):
    result = run(broken_copy)
    kept = [name for name in contracts().values() if f"{name} BROKEN" not in result.stdout]
    assert not kept, f"not broken by its breach: {kept}\n{result.stdout}\n{result.stderr}"


def test_each_contract_has_a_breach():
    assert set(contracts()) <= set(BREACHES)
