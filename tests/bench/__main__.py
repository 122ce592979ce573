"""``make bench``: runs every measurement beside this file and writes ``docs/benchmarks.md``.

A measurement is a module ``bench_*.py`` with ``run() -> list[dict]``; a dict holds ``name``, ``value``, ``unit``,
``aim`` and ``note`` (the last two may be missing). Each module runs in a process of its own, one after another,
so that neither memory nor a crash of one reaches the next. ``python -m tests.bench import note`` runs only the
modules whose name contains one of the words and leaves the other sections of the page as they are: each section
says when and on what it was measured. ``--print`` writes nothing.
"""

from __future__ import annotations

import importlib.util
import json
import os
import platform
import re
import subprocess
import sys
import tempfile
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

HERE = Path(__file__).resolve().parent
ROOT = HERE.parents[1]
TARGET = ROOT / "docs" / "benchmarks.md"
SECONDS_LIMIT = 1200

HEAD = """# Benchmarks

Written by `make bench`; the figures of a section hold for the machine and day named in it and for nothing else.
Ratios compare two ways of doing the same thing in one run and travel better than seconds. An aim is a goal, not a
gate: a missed one stays visible.
"""


def run_one(module_path: Path, out: Path) -> None:
    """Run one module here and leave its rows in ``out``."""
    spec = importlib.util.spec_from_file_location(module_path.stem, module_path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    out.write_text(json.dumps(module.run(), ensure_ascii=False), encoding="utf-8")


def measure(module_path: Path) -> list[dict[str, Any]]:
    """The rows of one module, or one row that says how it failed."""
    with tempfile.TemporaryDirectory() as directory:
        out = Path(directory) / "rows.json"
        command = [sys.executable, "-m", "tests.bench", "--one", str(module_path), str(out)]
        try:
            ended = subprocess.run(command, cwd=ROOT, check=False, timeout=SECONDS_LIMIT).returncode
        except subprocess.TimeoutExpired:
            ended = None
        if ended == 0:
            rows: list[dict[str, Any]] = json.loads(out.read_text(encoding="utf-8"))
            return rows
    why = f"no result within {SECONDS_LIMIT} s" if ended is None else f"ended with {ended}"
    return [{"name": module_path.stem, "value": None, "unit": "", "note": f"**failed**: {why}"}]


def machine() -> str:
    """One sentence about where this ran."""
    models = [
        line.split(":", 1)[1].strip()
        for line in Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
        if line.startswith("model name")
    ]
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    return (
        f"{len(os.sched_getaffinity(0))} cores ({models[0] if models else platform.machine()}), {memory:.0f} GiB, "
        f"{platform.system()} {platform.release().split('-')[0]}, Python {platform.python_version()}, "
        f"on {datetime.now(UTC).date().isoformat()}; load of the machine {os.getloadavg()[0]:.1f}."
    )


def shown(value: object) -> str:
    """A number with three or four meaningful digits and thousands set apart."""
    if isinstance(value, float):
        if abs(value) >= 1000:
            return f"{value:,.0f}"
        return f"{value:.3g}" if abs(value) < 100 else f"{value:.0f}"
    return (
        f"{value:,}"
        if isinstance(value, int) and not isinstance(value, bool)
        else "–"
        if value is None
        else str(value)
    )


def table(rows: list[dict[str, Any]]) -> str:
    lines = ["| what | value | unit | aim | note |", "|---|---:|---|---|---|"]
    for row in rows:
        aim = "–" if row.get("aim") is None else row["aim"]
        cells = [row["name"], shown(row["value"]), row["unit"], aim, row.get("note") or ""]
        lines.append("| " + " | ".join(str(cell).replace("|", "\\|") for cell in cells) + " |")
    return "\n".join(lines)


def sections() -> dict[str, str]:
    """What the page holds, by title."""
    if not TARGET.exists():
        return {}
    parts = re.split(r"^## ", TARGET.read_text(encoding="utf-8"), flags=re.MULTILINE)[1:]
    return {part.split("\n", 1)[0]: part.split("\n", 1)[1].strip() for part in parts}


def main(words: list[str], *, write: bool = True) -> int:
    """Run, print, and put what was measured in its place on the page. Returns 1 when a measurement failed."""
    paths = sorted(HERE.glob("bench_*.py"))
    titles = {path: path.stem.removeprefix("bench_").replace("_", " ").capitalize() for path in paths}
    known, failed = sections(), False
    for path in paths:
        if words and not any(word in path.stem for word in words):
            continue
        print(f"{path.stem} …", flush=True)
        rows = measure(path)
        failed |= any(row["value"] is None for row in rows)
        known[titles[path]] = f"{machine()}\n\n{table(rows)}"
        print(f"## {titles[path]}\n\n{known[titles[path]]}\n", flush=True)
        if write:
            # After each of them: what has been measured is kept, whatever becomes of the next.
            parts = [f"## {title}\n\n{known[title]}\n" for title in titles.values() if title in known]
            TARGET.write_text("\n".join([HEAD, *parts]), encoding="utf-8")
    return 1 if failed else 0


if __name__ == "__main__":
    if sys.argv[1:2] == ["--one"]:
        run_one(Path(sys.argv[2]), Path(sys.argv[3]))
        sys.exit(0)
    given = [word for word in sys.argv[1:] if word != "--print"]
    sys.exit(main(given, write="--print" not in sys.argv))
