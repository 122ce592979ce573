"""Write the generated reference pages, or with ``--check`` say which differ from the code.

Every module of this package that has ``render_all() -> dict[str, str]`` gives pages by their path inside the
repository. ``docs/reference`` holds generated pages: one that no module gives any more is removed. What people have
measured and written down stands there too, by name.
"""

from __future__ import annotations

import argparse
import importlib
import pkgutil
import sys
from pathlib import Path

import api.docs

ROOT = Path(__file__).resolve().parents[2]
GENERATED_ONLY = Path("docs/reference")
WRITTEN_BY_HAND = frozenset({"docs/reference/risk-model.md", "docs/reference/risk-model-training.md"})


class DocumentsRefused(Exception):
    """A page was given twice or for a place outside ``docs``. Says which."""


def render_all() -> dict[str, str]:
    """All pages of all modules: path inside the repository → text. Raises :class:`DocumentsRefused`."""
    pages: dict[str, str] = {}
    for found in pkgutil.iter_modules(api.docs.__path__):
        if found.name.startswith("_"):
            continue
        module = importlib.import_module(f"api.docs.{found.name}")
        for path, text in module.render_all().items():
            if path in pages or not Path(path).is_relative_to("docs") or ".." in Path(path).parts:
                raise DocumentsRefused(f"{found.name} gives {path}, which is taken or not below docs/")
            pages[path] = text.rstrip("\n") + "\n"
    return pages


def differences(pages: dict[str, str], root: Path) -> list[str]:
    """Paths that are missing, differ, or stand among the generated pages and are given by nobody."""
    wrong = [path for path, text in pages.items() if _stored(root / path) != text]
    return sorted([*wrong, *_strays(pages, root)])


def write(pages: dict[str, str], root: Path) -> None:
    for path, text in pages.items():
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        (root / path).write_text(text, encoding="utf-8")
    for path in _strays(pages, root):
        (root / path).unlink()


def _stored(path: Path) -> str | None:
    return path.read_text(encoding="utf-8") if path.is_file() else None


def _strays(pages: dict[str, str], root: Path) -> list[str]:
    there = (path.relative_to(root).as_posix() for path in (root / GENERATED_ONLY).rglob("*.md"))
    return [path for path in there if path not in pages and path not in WRITTEN_BY_HAND]


def main(arguments: list[str] | None = None, root: Path = ROOT) -> int:
    """The command. Returns 1 when ``--check`` finds a difference."""
    parser = argparse.ArgumentParser(prog="python -m api.docs", description=__doc__.splitlines()[0])
    parser.add_argument("--check", action="store_true", help="write nothing; fail when a page differs")
    pages = render_all()
    if parser.parse_args(arguments).check:
        wrong = differences(pages, root)
        if wrong:
            sys.stderr.write("Not up to date (run `make docs`): " + ", ".join(wrong) + "\n")
        return 1 if wrong else 0
    write(pages, root)
    return 0


if __name__ == "__main__":
    sys.exit(main())
