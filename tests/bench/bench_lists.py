"""The lists people open all day, with twenty thousand children in the county: server time and statements per page.

The whole application runs in this process, from the request to the bytes of the page; only the network is missing.
Half of the children go to each of two schools, so that one counsellor has ten thousand: more than any has.
"""

from __future__ import annotations

import tempfile
import time
from pathlib import Path
from typing import Any
from uuid import UUID

from sqlalchemy import event
from starlette.testclient import TestClient

from api.app import create_app
from api.cli import home
from screening.core.clock import Clock
from screening.core.db import Database
from screening.core.settings import Settings
from tests.bench.big_world import county_of, fill
from tests.factories import PASSWORD

CHILDREN = 20_000
TIMES, WARM = 40, 3
SAME = {"Sec-Fetch-Site": "same-origin", "Accept": "text/html"}


class Statements:
    """How many statements the service has sent to its database, on any connection."""

    def __init__(self, database: Database) -> None:
        self.count = 0
        for engine in (database.engine, database._readers):
            event.listen(engine, "before_cursor_execute", self._one_more)

    def _one_more(self, *_: object) -> None:
        self.count += 1


def secure(folder: Path) -> Settings:
    """A service at an https address, without a worker."""
    return Settings.of_home(
        folder, base_url="https://testserver", allowed_hosts=("testserver",), worker_inside=False
    )


def pages(campaign_id: UUID) -> list[tuple[str, str, str]]:
    """What is shown, to whom, and where."""
    return [
        ("today, of a counsellor", "counsellor", "/today"),
        ("today, of the county centre", "county_centre", "/today"),
        ("roster: one class", "counsellor", f"/campaigns/{campaign_id}/roster"),
        ("roster: a page of 200 as JSON", "counsellor", f"/api/v1/campaigns/{campaign_id}/roster"),
        ("cases", "counsellor", "/cases"),
        ("campaign with its counts", "counsellor", f"/campaigns/{campaign_id}"),
        ("clinic inbox", "clinic_intake", "/today"),
        ("clinic inbox as JSON", "clinic_intake", "/api/v1/referrals"),
    ]


def measure(app: Any, counter: Statements, who: str, path: str) -> dict[str, float]:
    """Milliseconds of wall (p50, p95) and of CPU, statements, and kilobytes of one page."""
    client = TestClient(app, base_url="https://testserver", follow_redirects=False)
    client.post("/sign-in", data={"username": who, "password": PASSWORD}, headers=SAME)
    headers = {"Accept": "text/html"}
    if path.startswith("/api/"):
        token = client.post("/api/v1/tokens", json={"username": who, "password": PASSWORD}).json()
        headers = {"Authorization": f"Bearer {token['access_token']}"}
    taken, cpu, counts, size = [], [], [], 0
    for number in range(WARM + TIMES):
        counter.count = 0
        begun, busy = time.perf_counter(), time.process_time()
        answer = client.get(path, headers=headers)
        if number >= WARM:
            taken.append((time.perf_counter() - begun) * 1000)
            cpu.append((time.process_time() - busy) * 1000)
            counts.append(counter.count)
        if answer.status_code != 200:
            raise RuntimeError(f"{path} was answered {answer.status_code}")
        size = len(answer.content)
    taken.sort()
    return {
        "p50": taken[len(taken) // 2],
        "p95": taken[int(0.95 * len(taken))],
        "cpu": sorted(cpu)[len(cpu) // 2],
        "statements": max(counts),
        "kb": size / 1000,
    }


def look(settings: Settings, database: Database, campaign_id: UUID) -> list[dict[str, Any]]:
    app = create_app(settings, database, Clock())
    counter = Statements(database)
    rows: list[dict[str, Any]] = []
    for name, who, path in pages(campaign_id):
        found = measure(app, counter, who, path)
        note = (
            f"p50 {found['p50']:.0f} ms, {found['cpu']:.0f} ms CPU, {found['statements']:.0f} statements, "
            f"{found['kb']:.0f} kB"
        )
        rows.append(
            {"name": f"{name}, p95", "value": found["p95"], "unit": "ms", "aim": "≤ 300", "note": note}
        )
    app.state.gatekeeper.close()
    return rows


def run() -> list[dict[str, Any]]:
    with tempfile.TemporaryDirectory() as folder:
        settings = secure(Path(folder) / "home")
        home.init_home(settings)
        with home.opened(settings) as database:
            begun, busy = time.perf_counter(), time.process_time()
            world = county_of(database)
            campaign_id = fill(world, "school", CHILDREN // 2)
            fill(world, "other_school", CHILDREN // 2)
            made, cpu = time.perf_counter() - begun, time.process_time() - busy
            rows = look(settings, database, campaign_id)
    name = f"the world of {CHILDREN:,} children with their cases, by the bulk path"
    return [{"name": name, "value": made, "unit": "s", "aim": "≤ 60", "note": f"{cpu:.0f} s CPU"}, *rows]
