"""Fifty people at once for two minutes, and how soon after a dangerous sheet the first channel outside has it.

The service runs in a process of its own with the worker inside, as ``xinqiao serve`` does, and its gateway is a
receiver in this process. Each person reads a list, thinks a second or so, and keys a sheet every third time. Every
sixth sheet opens case, plan, referral and note; one in twenty is a matter of the same day and rings.
"""

from __future__ import annotations

import json
import os
import random
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, NamedTuple

import httpx2
from sqlalchemy import select

from api.cli import home
from referral.models.notice import Channel, Notice
from screening.core.settings import Settings
from tests.bench.bench_http import Sheet, prepare, quantile, served, sign_in
from tests.factories import answers

PEOPLE, SECONDS = 50, 120
THINK = (0.5, 1.5)  # seconds between two things a person does
MOST_SHEETS = 4_000
RINGS = 20  # every twentieth sheet answers item 9 with "more than half the days"
LISTS = ("/api/v1/tasks", "/api/v1/cases", "/api/v1/tasks/waiting", "/api/v1/campaigns")
SECRET = "a secret of this measurement alone, longer than 32"


class Receiver(ThreadingHTTPServer):
    """A gateway that takes everything; when each delivery came, by its number."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Taking)
        self.came: dict[str, datetime] = {}


class _Taking(BaseHTTPRequestHandler):
    server: Receiver

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers["Content-Length"]))
        self.server.came.setdefault(self.headers["X-Xinqiao-Id"], datetime.now(UTC))
        self.send_response(204)
        self.end_headers()

    def log_message(self, *_: object) -> None:
        pass


@contextmanager
def gateway() -> Iterator[Receiver]:
    """A receiver on the loopback, and an environment that tells the service about it."""
    receiver = Receiver()
    threading.Thread(target=receiver.serve_forever, daemon=True).start()
    told = {
        "XINQIAO_WEBHOOK_URL": f"http://127.0.0.1:{receiver.server_port}/notices",
        "XINQIAO_WEBHOOK_SECRET": SECRET,
    }
    os.environ.update(told)
    try:
        yield receiver
    finally:
        for name in told:
            os.environ.pop(name)
        receiver.shutdown()
        receiver.server_close()


class Done(NamedTuple):
    """What one person has done: seconds of each reading and recording, and the answers that were errors."""

    reads: list[float]
    records: list[float]
    errors: list[str]


def dangerous(sheets: list[Sheet]) -> list[Sheet]:
    """The same sheets, some of which say something that cannot wait until tomorrow."""
    urgent = answers("phq9", i9=2)
    return [
        Sheet(sheet.path, {**sheet.body, "answers": urgent}) if place % RINGS == 0 else sheet
        for place, sheet in enumerate(sheets)
    ]


def one_person(
    number: int,
    address: str,
    headers: dict[str, str],
    sheets: Iterator[tuple[int, Sheet]],
    until: float,
    done: Done,
) -> None:
    rnd = random.Random(number)
    with httpx2.Client(base_url=address, timeout=60) as client:
        time.sleep(rnd.uniform(0, THINK[1]))
        while time.monotonic() < until:
            keyed = next(sheets, None) if rnd.random() < 1 / 3 else None
            begun = time.perf_counter()
            try:
                if keyed is None:
                    answer = client.get(rnd.choice(LISTS), headers=headers)
                else:
                    key = {"Idempotency-Key": f"people-{keyed[0]:06d}"}
                    answer = client.post(keyed[1].path, json=keyed[1].body, headers={**headers, **key})
                if answer.status_code not in (200, 201):
                    done.errors.append(str(answer.status_code))
            except httpx2.HTTPError as error:
                done.errors.append(type(error).__name__)
            (done.reads if keyed is None else done.records).append(time.perf_counter() - begun)
            time.sleep(rnd.uniform(*THINK))


class _Shared(Iterator[tuple[int, Sheet]]):
    """Each sheet once, whoever asks."""

    def __init__(self, sheets: list[Sheet]) -> None:
        self._left = iter(list(enumerate(sheets)))
        self._lock = threading.Lock()

    def __next__(self) -> tuple[int, Sheet]:
        with self._lock:
            return next(self._left)


def fifty(address: str, headers: dict[str, str], sheets: list[Sheet]) -> Done:
    shared, until = _Shared(sheets), time.monotonic() + SECONDS
    done = [Done([], [], []) for _ in range(PEOPLE)]
    threads = [
        threading.Thread(target=one_person, args=(number, address, headers, shared, until, done[number]))
        for number in range(PEOPLE)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return Done(*([value for each in done for value in each[part]] for part in range(3)))


def delays(settings: Settings, receiver: Receiver) -> tuple[list[float], int]:
    """Seconds from a sheet's being stored to its first delivery outside; and how many notices never left."""
    first: dict[Any, tuple[datetime, datetime]] = {}
    lost = 0
    with home.opened(settings) as database, database.begin() as session:
        told = session.scalars(select(Notice).where(Notice.channel == Channel.PAGE, Notice.urgent)).all()
        outside = session.scalars(
            select(Notice).where(Notice.channel == Channel.WEBHOOK, Notice.urgent)
        ).all()
    for notice in outside:
        came = receiver.came.get(str(notice.id))
        if came is not None:
            known = first.get(notice.task_id)
            first[notice.task_id] = (notice.created_at, min(came, known[1]) if known else came)
    lost = len({notice.task_id for notice in told} - first.keys())
    return [(came - stored).total_seconds() for stored, came in first.values()], lost


def wait_for_the_rest(receiver: Receiver) -> None:
    """What was keyed last may still be on its way: until nothing has come for five seconds."""
    seen = -1
    while len(receiver.came) != seen:
        seen = len(receiver.came)
        time.sleep(5)


def run() -> list[dict[str, Any]]:
    with tempfile.TemporaryDirectory() as folder, gateway() as receiver:
        settings = Settings.of_home(Path(folder) / "home")
        sheets = dangerous(prepare(settings, MOST_SHEETS))
        with served(settings, worker="inside") as address:
            with httpx2.Client(base_url=address, timeout=60) as client:
                headers = sign_in(client)
            done = fifty(address, headers, sheets)
            wait_for_the_rest(receiver)
        taken, lost = delays(settings, receiver)
    errors = json.dumps({what: done.errors.count(what) for what in sorted(set(done.errors))})
    count = len(done.reads) + len(done.records)

    def row(name: str, value: float, unit: str, aim: str | None = None, note: str = "") -> dict[str, Any]:
        return {"name": name, "value": value, "unit": unit, "aim": aim, "note": note}

    people = f"{PEOPLE} people for {SECONDS} s, worker inside"
    return [
        row(
            f"{people}: reading a list, p95",
            quantile(done.reads, 0.95),
            "ms",
            "≤ 600",
            f"{len(done.reads):,} readings",
        ),
        row(
            "… keying a sheet, p95",
            quantile(done.records, 0.95),
            "ms",
            "≤ 600",
            f"{len(done.records):,} sheets",
        ),
        row("… requests a second", count / SECONDS, "1/s"),
        row("… answers that were errors", len(done.errors), "", "0", errors if done.errors else ""),
        row(
            "sheet stored → first channel outside, p50",
            quantile(taken, 0.5) / 1000,
            "s",
            None,
            f"{len(taken)} rings, meanwhile",
        ),
        row("… p99", quantile(taken, 0.99) / 1000, "s", "≤ 30"),
        row("… rings that never left", lost, "", "0"),
    ]
