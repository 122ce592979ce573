"""Service and worker start without the heavy libraries; those load where they are used.

WeasyPrint lives in a child process, scikit-learn in training only, openpyxl in writing a workbook.
"""

from __future__ import annotations

import subprocess
import sys

import pytest

from tests.architecture.sources import ROOT

HEAVY = ("sklearn", "scipy", "weasyprint", "openpyxl", "hypothesis", "pytest")
PROBE = "import importlib, sys; importlib.import_module(sys.argv[1]); print(*sorted({m.split('.')[0] for m in sys.modules}))"


def loaded_by(module: str) -> set[str]:
    result = subprocess.run(
        [sys.executable, "-c", PROBE, module], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert result.returncode == 0, result.stderr
    return set(result.stdout.split())


@pytest.mark.parametrize("module", ["api.app", "api.worker", "api.cli"])
def test_start_loads_nothing_heavy(module):
    assert not loaded_by(module) & set(HEAVY)


def test_a_heavy_import_would_be_seen():
    assert "openpyxl" in loaded_by("openpyxl")
