"""One referral note: CPU time in the printing process, size, and whether memory stays flat over many notes."""

from __future__ import annotations

import json
import os
import sys
import tempfile
from dataclasses import replace
from pathlib import Path
from statistics import median
from time import perf_counter
from typing import Any

from referral.disclosure import compose
from referral.notes.render import to_pdf
from screening.core.paper import Printer
from tests.referral.note_examples import LONGEST, SEEN, UNSEEN

TICK_MS = 1000 / os.sysconf("SC_CLK_TCK")
BATCH = 10
ADDRESS = "https://xinqiao.example.gov.cn"


def cpu_ms(pid: int) -> float:
    """User and system time of a process so far, in steps of one tick (10 ms)."""
    after_name = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
    return (int(after_name[11]) + int(after_name[12])) * TICK_MS


def memory_mb(pid: int) -> float:
    """Resident memory of a process."""
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith("VmRSS"):
            return int(line.split()[1]) / 1024
    raise LookupError("VmRSS")


def batches(printer: Printer, make: Any, count: int) -> list[float]:
    """CPU ms per paper, one figure per batch; ``make(number)`` prints one."""
    printer.start()
    pid = printer.child_pid
    assert pid is not None
    per_paper = []
    for batch in range(count):
        before = cpu_ms(pid)
        for number in range(BATCH):
            make(batch * BATCH + number)
        per_paper.append((cpu_ms(pid) - before) / BATCH)
    return per_paper


def run(n: int = 1000) -> list[dict[str, Any]]:
    """``n`` notes, no two alike, through one child that is never replaced."""
    rows: list[dict[str, Any]] = []

    def row(name: str, value: object, unit: str, aim: str | None = None, note: str = "") -> None:
        rows.append({"name": name, "value": value, "unit": unit, "aim": aim, "note": note})

    # As it is sent: with QR and typed code.
    codes = {"reply_token": "0" * 13 + "7KQ2M9XR4ABCD", "reply_code": "7KQ2M9XR4T"}
    unseen, seen, longest = (replace(compose(inputs), **codes) for inputs in (UNSEEN, SEEN, LONGEST))
    with Printer(renders_per_child=sys.maxsize) as printer, tempfile.TemporaryDirectory() as folder:
        started = perf_counter()
        first = to_pdf(printer, unseen, base_url=ADDRESS)
        row("start of the child and first note", (perf_counter() - started) * 1000, "ms wall")
        blank = Path(folder) / "blank.html"
        blank.write_text("<p>一</p>", encoding="utf-8")

        def note(number: int) -> None:
            to_pdf(printer, replace(unseen, form_no=f"{number:09d}"), base_url=ADDRESS)

        batches(printer, note, 2)  # warm
        pid = printer.child_pid
        assert pid is not None
        memory = memory_mb(pid)
        figures = batches(printer, note, max(1, n // BATCH))
        grown = memory_mb(pid) - memory
        floor = median(batches(printer, lambda _: printer.render(blank, {}), 3))
        row(
            "a note, warm", median(figures), "ms CPU", "≤ 120", f"median of {len(figures)} batches of {BATCH}"
        )
        row("a note, warm, quietest batch", min(figures), "ms CPU", "≤ 120", "least disturbed by other work")
        row(
            "a note ÷ a page with one character",
            median(figures) / floor,
            "×",
            None,
            "font loading is the floor",
        )
        row("a note that nobody has filled in yet", len(first.pdf) / 1000, "kB", "≤ 100")
        row("a note filled in", len(to_pdf(printer, seen, base_url=ADDRESS).pdf) / 1000, "kB", "≤ 100")
        row(
            "a note with every text at its limit",
            len(to_pdf(printer, longest, base_url=ADDRESS).pdf) / 1000,
            "kB",
            "≤ 100",
        )
        row("memory of the child, warm", memory, "MB")
        row(f"memory growth over {n:,} notes", grown, "MB", "≤ 10", "one child, never replaced")
    return rows


if __name__ == "__main__":
    print(json.dumps(run(int(sys.argv[1]) if sys.argv[1:] else 1000), ensure_ascii=False, indent=1))
