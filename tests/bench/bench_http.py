"""One sheet over HTTP, from the request to the answer after its commit: alone, and from sixteen connections at once.

A real uvicorn process with the whole application on SQLite (``synchronous = FULL``) and no worker inside, on the
loopback address; every sixth sheet is high and opens case, plan and referral in the same request.
"""

from __future__ import annotations

import json
import socket
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from uuid import uuid4

import httpx2

from api import migrations
from api.auth import keys
from screening.core.clock import FixedClock
from screening.core.db import Database
from screening.core.sealing import Keyring, write_keys
from screening.core.settings import Settings
from tests.factories import PASSWORD, make_county, spread

ALONE, TOGETHER, CONNECTIONS = 200, 480, 16
HIGH_EVERY = 6
SERVER = """
import sys, uvicorn
from pathlib import Path
from api.app import create_app
from screening.core.db import Database
from screening.core.sealing import read_keys
from screening.core.settings import Settings
settings = Settings.of_home(Path(sys.argv[1]), worker_inside=False)
database = Database(settings.database_url, read_keys(settings.keys_file))
uvicorn.run(create_app(settings, database), host="127.0.0.1", port=int(sys.argv[2]), log_level="error")
"""


def prepare(home: Path) -> list[tuple[str, str]]:
    """A county, an open campaign, and a child per sheet; returns (campaign, roster entry)."""
    settings = Settings.of_home(home)
    keyring = Keyring.generate()
    write_keys(settings.keys_file, keyring)
    keys.create(settings.tokens_file)
    migrations.upgrade(settings.database_url)
    database = Database(settings.database_url, keyring)
    try:
        world = make_county(database, FixedClock(datetime.now(UTC)))
        campaign_id = world.make_campaign("phq9")
        pupils = [world.make_child(campaign_id, share=True) for _ in range(ALONE + TOGETHER)]
    finally:
        database.close()
    return [(str(campaign_id), str(pupil.entry_id)) for pupil in pupils]


class Service:
    """The process, and one signed-in counsellor."""

    def __init__(self, home: Path) -> None:
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            port = free.getsockname()[1]
        self.base = f"http://127.0.0.1:{port}"
        self.process = subprocess.Popen([sys.executable, "-c", SERVER, str(home), str(port)])
        self.token = self._sign_in()

    def _sign_in(self) -> str:
        for _ in range(200):
            try:
                answer = httpx2.post(
                    f"{self.base}/api/v1/tokens", json={"username": "counsellor", "password": PASSWORD}
                )
                return str(answer.raise_for_status().json()["access_token"])
            except httpx2.ConnectError:
                time.sleep(0.1)
        raise RuntimeError("the service did not start")

    def close(self) -> None:
        self.process.terminate()
        self.process.wait(30)

    def client(self) -> httpx2.Client:
        return httpx2.Client(
            base_url=self.base, headers={"Authorization": f"Bearer {self.token}"}, timeout=30
        )


def send(client: httpx2.Client, place: tuple[str, str], number: int) -> float:
    """Milliseconds of one sheet."""
    campaign_id, entry_id = place
    body: dict[str, Any] = {
        "instrument": "phq9",
        "administered_on": datetime.now(UTC).date().isoformat(),
        "mode": "paper",
        "answers": spread("phq9", 14 if number % HIGH_EVERY == 0 else 4),
    }
    begun = time.perf_counter()
    answer = client.post(
        f"/api/v1/campaigns/{campaign_id}/roster/{entry_id}/administrations",
        content=json.dumps(body),
        headers={"Content-Type": "application/json", "Idempotency-Key": str(uuid4())},
    )
    taken = (time.perf_counter() - begun) * 1000
    if answer.status_code != 201:
        raise RuntimeError(f"{answer.status_code}: {answer.text}")
    return taken


def share(values: list[float], part: float) -> float:
    return sorted(values)[min(len(values) - 1, int(len(values) * part))]


def together(service: Service, places: list[tuple[str, str]]) -> tuple[list[float], float]:
    """Milliseconds of each sheet from sixteen connections, and sheets a second of all."""
    taken: list[float] = []
    failed: list[BaseException] = []

    def one(mine: list[tuple[str, str]]) -> None:
        try:
            with service.client() as client:
                taken.extend([send(client, place, number) for number, place in enumerate(mine)])
        except BaseException as error:
            failed.append(error)

    threads = [threading.Thread(target=one, args=(places[n::CONNECTIONS],)) for n in range(CONNECTIONS)]
    begun = time.perf_counter()
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if failed:
        raise failed[0]
    return taken, len(places) / (time.perf_counter() - begun)


def run() -> list[dict[str, Any]]:
    with tempfile.TemporaryDirectory() as directory:
        home = Path(directory)
        places = prepare(home)
        service = Service(home)
        try:
            with service.client() as client:
                for number in range(20):
                    send(client, places.pop(), number)
                alone = [send(client, places.pop(), number) for number in range(ALONE - 20)]
            many, rate = together(service, places)
        finally:
            service.close()
    note = f"every {HIGH_EVERY}th opens a case; SQLite, FULL; client on the same machine"
    return [
        {
            "name": "a sheet over HTTP alone, p50",
            "value": round(statistics.median(alone), 1),
            "unit": "ms",
            "aim": "≤ 40",
            "note": note,
        },
        {
            "name": "a sheet over HTTP alone, p95",
            "value": round(share(alone, 0.95), 1),
            "unit": "ms",
            "aim": "≤ 40",
            "note": note,
        },
        {
            "name": "16 connections, p50",
            "value": round(statistics.median(many), 1),
            "unit": "ms",
            "note": note,
        },
        {"name": "16 connections, p95", "value": round(share(many, 0.95), 1), "unit": "ms", "note": note},
        {"name": "16 connections, rate", "value": round(rate), "unit": "sheets/s", "note": note},
    ]
