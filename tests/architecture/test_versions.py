"""Libraries are at least as new as the oldest version without a known hole, installed and in the lock file.

An advisory scanner behind a mirror without advisory data finds nothing and says so cheerfully; this list does
not depend on one. Raise a number here when an advisory makes it necessary, with its identifier.
"""

from __future__ import annotations

import re
import sqlite3
import tomllib
from importlib.metadata import version

import pytest
from packaging.requirements import Requirement
from packaging.version import Version

from tests.architecture.sources import ROOT

# name → (lowest version, why)
MINIMUM: dict[str, tuple[str, str]] = {
    "pyjwt": ("2.15.0", "CVE-2022-29217, CVE-2024-53861 and the advisories of 2.12 to 2.15"),
    "weasyprint": (
        "70.0",
        "CVE-2025-68616, CVE-2026-49452, CVE-2026-55073: fetcher bypassed, style and image holes",
    ),
    "starlette": ("1.3.1", "CVE-2025-54121, CVE-2025-62727 and the advisories of 2026"),
    "fastapi": ("0.109.1", "CVE-2024-24762"),
    "python-multipart": ("0.0.31", "CVE-2024-53981, CVE-2026-24486, CVE-2026-40347, CVE-2026-42561"),
    "jinja2": ("3.1.6", "sandbox escapes of 2024 and 2025"),
    "sqlalchemy": ("2.0", "typed statements; older lines get no fixes"),
    "h11": ("0.16", "CVE-2025-43859: lenient chunked bodies"),
    "defusedxml": ("0.7.1", "openpyxl reads entity bombs without it"),
    "openpyxl": ("3.1.5", "workbooks"),
    "cryptography": ("50.0", "carries its own OpenSSL; kept new"),
    "lxml": ("6.1", "carries its own libxml2; kept new"),
    "pillow": ("12.0", "opens images in the PDF renderer; kept new"),
}


def pins() -> list[tuple[str, str, str]]:
    """(name, version, block) of the lock file; a name may stand twice, for an older and a newer Python."""
    text = (ROOT / "requirements.lock").read_text(encoding="utf-8")
    blocks = re.split(r"^(?=[A-Za-z0-9])", text, flags=re.MULTILINE)
    found = [(re.match(r"([A-Za-z0-9._-]+)==([^\s;\\]+)", block), block) for block in blocks]
    return [(match[1].lower(), match[2], block) for match, block in found if match]


def locked(name: str) -> set[str]:
    return {pin for each, pin, _ in pins() if each == name}


@pytest.mark.parametrize("name", MINIMUM)
def test_installed_version_is_new_enough(name):
    lowest, why = MINIMUM[name]
    assert Version(version(name)) >= Version(lowest), why


@pytest.mark.parametrize("name", MINIMUM)
def test_locked_version_is_new_enough(name):
    lowest, why = MINIMUM[name]
    assert locked(name)
    assert all(Version(pin) >= Version(lowest) for pin in locked(name)), why


def test_what_is_installed_is_what_is_locked():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    wanted = [*project["project"]["dependencies"], *project["dependency-groups"]["dev"]]
    names = [Requirement(line).name.lower() for line in wanted]
    differing = {name: (version(name), locked(name)) for name in names if version(name) not in locked(name)}
    assert not differing, f"run `make setup`; (installed, locked): {differing}"


def test_every_locked_file_has_a_hash():
    assert len(pins()) > 50
    assert not [name for name, _, block in pins() if "--hash=sha256:" not in block]


def test_sqlite_is_new_enough_for_returning():
    assert sqlite3.sqlite_version_info >= (3, 35)
