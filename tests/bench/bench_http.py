"""One keyed sheet over HTTP, with all that follows from it, on the real service: ``xinqiao serve`` on the loopback.

The service runs in a process of its own on SQLite, its disk writes as in earnest; the worker is elsewhere, so that
the figures are those of the request. A sixth of the sheets opens a case with plan and referral.
"""

from __future__ import annotations

import os
import random
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any, NamedTuple
from uuid import UUID

import httpx2
from sqlalchemy import select, update

from api.cli import home
from screening.actions import campaigns, children, consents
from screening.core.actor import Actor
from screening.core.clock import Clock, FixedClock
from screening.core.grades import GradeInfo, Stage
from screening.core.settings import Settings
from screening.models.account import RoleGrant
from screening.models.campaign import Campaign, RosterEntry
from screening.models.consent import ConsentStatus, Purpose
from screening.spreadsheets.rows import RosterRow
from tests.factories import CONSENT_TEXT, PASSWORD, World, make_county, spread

ALONE, CONNECTIONS, EACH = 200, 16, 25
WARM = 20
START_SECONDS = 180  # a busy machine reads fonts slowly


class Sheet(NamedTuple):
    """A request ready to be sent."""

    path: str
    body: dict[str, Any]


def prepare(settings: Settings, count: int) -> list[Sheet]:
    """A county with ``count`` consenting children on the roll, and a sheet for each. The database is closed again."""
    home.init_home(settings)
    with home.opened(settings) as database:
        world = make_county(database, FixedClock(Clock().now()))
        with database.begin() as session:  # whatever the calendar of this machine says
            session.execute(update(RoleGrant).values(valid_from=world.clock.today() - timedelta(days=30)))
        campaign_id = world.make_campaign("phq9")
        entries = enrol(world, campaign_id, count)
    rnd = random.Random(20261121)
    sheets = []
    for number, entry_id in enumerate(entries):
        total = rnd.randint(11, 24) if number % 6 == 0 else rnd.randint(0, 9)
        body = {
            "instrument": "phq9",
            "administered_on": world.clock.today().isoformat(),
            "mode": "paper",
            "answers": spread("phq9", total, i9=0),
        }
        sheets.append(Sheet(f"/api/v1/campaigns/{campaign_id}/roster/{entry_id}/administrations", body))
    return sheets


def enrol(world: World, campaign_id: UUID, count: int) -> list[UUID]:
    """Many children in one transaction; their lines on the roll."""
    now, counsellor = world.clock.now(), world.actor("counsellor")
    rows = [
        RosterRow(
            excel_row=number + 2,
            student_no=f"2026{number:05d}",
            name=f"张{chr(0x4E00 + number)}",
            sex="female",
            birth_date=world.clock.today() - timedelta(days=14 * 366),
            grade=GradeInfo(Stage.JUNIOR, 2),
            class_name="3班",
            id_type=None,
            id_number=None,
            guardian_name="家长甲",
            guardian_relation="母亲",
            guardian_phone="13900000001",
            screening_consent=None,
            share_consent=None,
            consent_on=None,
        )
        for number in range(count)
    ]
    with world.database.begin() as session:
        organisation_id = session.get_one(Campaign, campaign_id).organisation_id
        done = children.enrol_many(
            session, actor=counsellor, organisation_id=organisation_id, rows=rows, now=now
        )
        ids = [each.child_id for each in done if each.child_id]
        for child_id in ids:
            for purpose in (Purpose.SCREENING, Purpose.SHARE_FACILITY):
                consents.record_from_roster(
                    session,
                    actor=Actor.system(),
                    child_id=child_id,
                    purpose=purpose,
                    status=ConsentStatus.GIVEN,
                    text_version=CONSENT_TEXT,
                    given_on=world.clock.today(),
                    given_by="家长甲",
                    relation="母亲",
                    now=now,
                )
        campaigns.put_on_roll(session, campaign_id=campaign_id, child_ids=ids, known=set(), now=now)
        session.flush()
        return list(session.scalars(select(RosterEntry.id).where(RosterEntry.campaign_id == campaign_id)))


@contextmanager
def served(settings: Settings, *, worker: str = "alone") -> Iterator[str]:
    """The service in a process of its own; its address."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    environment = {**os.environ, "XINQIAO_HOME": str(settings.home), "XINQIAO_WORKER": worker}
    command = [sys.executable, "-c", "from api.cli import main; main()", "serve", "--port", str(port)]
    process = subprocess.Popen(
        command, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True
    )
    address = f"http://127.0.0.1:{port}"
    try:
        wait_until_healthy(address, process)
        yield address
    finally:
        process.terminate()
        process.wait(timeout=30)
        if process.stderr is not None:
            process.stderr.close()


def wait_until_healthy(address: str, process: subprocess.Popen[str]) -> None:
    deadline = time.monotonic() + START_SECONDS
    while time.monotonic() < deadline:
        if process.poll() is not None:
            said = process.stderr.read() if process.stderr else ""
            raise RuntimeError(f"the service ended: {said}")
        try:
            if httpx2.get(f"{address}/healthz").status_code == 200:
                return
        except httpx2.TransportError:
            time.sleep(0.1)
    raise RuntimeError(f"the service did not answer within {START_SECONDS} s")


def sign_in(client: httpx2.Client) -> dict[str, str]:
    answer = client.post("/api/v1/tokens", json={"username": "counsellor", "password": PASSWORD})
    answer.raise_for_status()
    return {"Authorization": f"Bearer {answer.json()['access_token']}"}


def send(client: httpx2.Client, headers: dict[str, str], number: int, sheet: Sheet) -> float:
    """Seconds from sending one sheet to its answer."""
    begun = time.perf_counter()
    answer = client.post(
        sheet.path, json=sheet.body, headers={**headers, "Idempotency-Key": f"bench-{number:06d}"}
    )
    taken = time.perf_counter() - begun
    if answer.status_code != 201:
        raise RuntimeError(f"a sheet was answered {answer.status_code}")
    return taken


def at_once(
    address: str, headers: dict[str, str], sheets: list[Sheet], first: int
) -> tuple[list[float], float]:
    """Several connections, each sending one sheet after the other; seconds of each, and of all together."""
    taken: list[float] = []
    failed: list[BaseException] = []

    def run_one(place: int) -> None:
        try:
            with httpx2.Client(base_url=address, timeout=60) as client:
                for number in range(place, len(sheets), CONNECTIONS):
                    taken.append(send(client, headers, first + number, sheets[number]))
        except BaseException as error:
            failed.append(error)

    threads = [threading.Thread(target=run_one, args=(place,)) for place in range(CONNECTIONS)]
    begun = time.perf_counter()
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if failed:
        raise failed[0]
    return taken, time.perf_counter() - begun


def quantile(taken: list[float], share: float) -> float:
    """In milliseconds."""
    ordered = sorted(taken)
    return ordered[min(len(ordered) - 1, int(share * len(ordered)))] * 1000


def run() -> list[dict[str, Any]]:
    with tempfile.TemporaryDirectory() as folder:
        settings = Settings.of_home(Path(folder) / "home")
        together = CONNECTIONS * EACH
        sheets = prepare(settings, WARM + ALONE + together)
        with served(settings) as address, httpx2.Client(base_url=address, timeout=60) as client:
            headers = sign_in(client)
            for number in range(WARM):
                send(client, headers, number, sheets[number])
            alone = [
                send(client, headers, WARM + number, sheet)
                for number, sheet in enumerate(sheets[WARM : WARM + ALONE])
            ]
            reads = [read(client, headers) for _ in range(100)]
            many, seconds = at_once(address, headers, sheets[WARM + ALONE :], WARM + ALONE)

    def row(name: str, value: float, unit: str, aim: str | None = None, note: str = "") -> dict[str, Any]:
        return {"name": name, "value": value, "unit": unit, "aim": aim, "note": note}

    cases = "every sixth sheet opens case, plan and referral"
    return [
        row("one sheet over HTTP, one after the other, p50", quantile(alone, 0.5), "ms", "≤ 40", cases),
        row("… p95", quantile(alone, 0.95), "ms", None, f"{ALONE} sheets"),
        row("the counsellor's list of today, p95", quantile(reads, 0.95), "ms", "≤ 300"),
        row(f"one sheet at {CONNECTIONS} connections, p50", quantile(many, 0.5), "ms"),
        row("… p95", quantile(many, 0.95), "ms", "≤ 600"),
        row("… p99", quantile(many, 0.99), "ms"),
        row(
            "… sheets a second",
            len(many) / seconds,
            "1/s",
            None,
            f"{len(many)} sheets, one writing connection",
        ),
    ]


def read(client: httpx2.Client, headers: dict[str, str]) -> float:
    begun = time.perf_counter()
    client.get("/api/v1/tasks", headers=headers).raise_for_status()
    return time.perf_counter() - begun
