"""The project's source files as syntax trees, for tests that read the code instead of running it."""

from __future__ import annotations

import ast
import importlib
import pkgutil
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
PACKAGES = ("instruments", "risk_model", "screening", "referral", "api")


@dataclass(frozen=True, slots=True)
class Source:
    """One module: its path inside the repository and its tree."""

    path: str
    tree: ast.Module

    @classmethod
    def of(cls, path: str, text: str) -> Source:
        return cls(path, ast.parse(text, filename=path))


@dataclass(frozen=True, slots=True, order=True)
class Finding:
    """Something a test does not allow, said so that it can be found."""

    path: str
    line: int
    what: str

    def __str__(self) -> str:
        return f"{self.path}:{self.line}: {self.what}"


@cache
def modules(*packages: str) -> tuple[Source, ...]:
    """All modules of some packages (of all, when none is named), without the numbered migrations."""
    return tuple(
        Source.of(str(path.relative_to(ROOT)), path.read_text(encoding="utf-8"))
        for package in packages or PACKAGES
        for path in sorted((ROOT / package).rglob("*.py"))
        if "versions" not in path.parts
    )


def calls(tree: ast.AST) -> Iterator[ast.Call]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Call):
            yield node


def called_name(call: ast.Call) -> str:
    """``select`` for ``select(…)`` and for ``sa.select(…)``; empty for what has no name."""
    match call.func:
        case ast.Name(id=name) | ast.Attribute(attr=name):
            return name
    return ""


def imported_from(tree: ast.Module, package: str) -> dict[str, str]:
    """Local name → original name, for everything imported from ``package`` or a part of it."""
    names: dict[str, str] = {}
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom) and (node.module or "").split(".")[0] == package:
            names |= {alias.asname or alias.name: alias.name for alias in node.names}
    return names


def module_aliases(tree: ast.Module, package: str) -> set[str]:
    """Local names under which ``package`` itself was imported."""
    return {
        alias.asname or alias.name.split(".")[0]
        for node in ast.walk(tree)
        if isinstance(node, ast.Import)
        for alias in node.names
        if alias.name.split(".")[0] == package
    }


def report(findings: list[Finding]) -> str:
    return "\n" + "\n".join(str(finding) for finding in sorted(findings))


def load_tables() -> None:
    """Import every module that may hold a table, so that the metadata is complete."""
    for name in ("screening.core", "screening.models", "referral.models"):
        package = importlib.import_module(name)
        for found in pkgutil.iter_modules(package.__path__):
            importlib.import_module(f"{name}.{found.name}")
