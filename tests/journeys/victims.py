"""Processes that are killed: ``python -m tests.journeys.victims`` waits for orders and forks a child for each.

The child opens the database as the service does and works until it has nothing left, or is killed: from outside,
or by itself at a named fault point. Forking from a process that has imported everything and opened nothing makes a
death cheap; each child is a process of its own all the same. One order is one line of JSON, and is answered by the
child's process id and, after its end, by its return code.
"""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import sys
import time
import traceback
from collections.abc import Mapping
from datetime import date, datetime
from pathlib import Path
from typing import Any
from uuid import UUID

from api.worker import Worker
from instruments import catalogue
from referral import handlers, intake
from referral.handlers import HANDLERS
from screening.core import audit, faults
from screening.core.actor import Actor
from screening.core.audit import AuditEvent
from screening.core.clock import Clock, FixedClock
from screening.core.db import Database
from screening.core.sealing import Keyring
from screening.core.work import Tools
from screening.models.administration import Mode
from screening.models.campaign import RosterEntry
from tests.architecture.sources import ROOT
from tests.journeys.worlds import QuickPrinter

KEYRING = Keyring(keys={1: bytes(range(32))}, current=1, index_key=bytes(range(32, 64)))
SMALL_PIECE = 4  # rows of a workbook in one transaction, so that there are many pieces


# --- what a child does -------------------------------------------------------------------------------------


def note(path: str, line: str) -> None:
    """The client's history: written at once, so that it is there whatever happens next."""
    descriptor = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT)
    os.write(descriptor, f"{line}\n".encode())
    os.close(descriptor)


def confirmed(path: str) -> set[str]:
    history = Path(path)
    lines = history.read_text().split("\n") if history.exists() else []
    return {line[2:] for line in lines if line.startswith("c ")}


def record(database: Database, order: Mapping[str, Any]) -> None:
    """A client that sends sheets, one after the other, and sends again what nobody has confirmed."""
    done = confirmed(order["history"])
    actor = Actor(account_id=UUID(order["actor"]["id"]), grants=_grants(order["actor"]))
    clock = FixedClock(datetime.fromisoformat(order["now"]))
    for sheet in order["sheets"]:
        if sheet["key"] in done:
            continue
        note(order["history"], f"a {sheet['key']}")
        with database.begin() as session:
            said = intake.submit(
                session,
                actor=actor,
                occasion=session.get_one(RosterEntry, UUID(sheet["entry"])),
                instrument=catalogue().get(sheet["code"]),
                answers=sheet["answers"],
                administered_on=date.fromisoformat(sheet["on"]),
                mode=Mode.PAPER,
                now=clock.now(),
                idempotency_key=sheet["key"],
            )
        assert said.result is not None, said.refused
        note(order["history"], f"c {sheet['key']}")


def _grants(actor: Mapping[str, Any]) -> tuple[Any, ...]:
    from screening.core.actor import Grant, Role

    return tuple(Grant(Role(role), UUID(place), path) for role, place, path in actor["grants"])


def counted(session: Any, payload: Mapping[str, Any], tools: Tools) -> None:
    """A handler whose effect can be counted."""
    audit.record(
        session,
        actor=Actor.system(),
        event=AuditEvent.NOTE_MADE,
        at=tools.clock.now(),
        subject_id=UUID(payload["subject"]),
    )


def work(database: Database, order: Mapping[str, Any]) -> None:
    """The worker, until nothing is ready."""
    handlers.PIECE = SMALL_PIECE
    clock: Clock = FixedClock(datetime.fromisoformat(order["now"]))
    worker = Worker(database, clock, {**HANDLERS, "counted": counted}, Tools(clock, QuickPrinter()))
    if database.is_sqlite:
        worker._free_claims()
    worker.run_all()


TRADES = {"record": record, "work": work}


def arm(order: Mapping[str, Any]) -> None:
    """Die at the ``nth`` passing of a fault point."""
    left = order.get("nth", 1)

    def die() -> None:
        nonlocal left
        left -= 1
        if left <= 0:
            os.kill(os.getpid(), signal.SIGKILL)

    if order.get("point"):
        faults.arm(order["point"], die)


def child(order: Mapping[str, Any]) -> int:
    arm(order)
    try:
        database = Database(order["url"], KEYRING, pool_size=2)
        TRADES[order["trade"]](database, order)
        database.close()
    except BaseException:
        traceback.print_exc()
        return 1
    return 0


def main() -> None:
    """Fork for each order, one child at a time. Its number stays its own until the next order: a kill that comes
    after its end meets nobody else."""
    ended: int | None = None
    for line in sys.stdin:
        if ended is not None:
            os.waitpid(ended, 0)
        order = json.loads(line)
        pid = ended = os.fork()
        if pid == 0:
            code = child(order)
            sys.stderr.flush()
            os._exit(code)
        print(pid, flush=True)
        end = os.waitid(os.P_PID, pid, os.WEXITED | os.WNOWAIT)
        assert end is not None
        print(end.si_status if end.si_code == os.CLD_EXITED else -end.si_status, flush=True)


# --- the side that gives orders ----------------------------------------------------------------------------


class Victims:
    """Sends orders to one such process and kills what it starts."""

    def __init__(self, url: str) -> None:
        self._url = url
        self._process = subprocess.Popen(
            [sys.executable, "-m", "tests.journeys.victims"],
            cwd=ROOT,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    def begin(self, trade: str, **order: Any) -> int:
        """Start a child. Its process id."""
        assert self._process.stdin is not None
        self._process.stdin.write(json.dumps({"trade": trade, "url": self._url, **order}) + "\n")
        self._process.stdin.flush()
        return int(self._line())

    def end(self) -> int:
        """Wait for the child. Its return code: 0, or minus the signal."""
        return int(self._line())

    def run(self, trade: str, *, kill_after: float | None = None, **order: Any) -> int:
        pid = self.begin(trade, **order)
        if kill_after is not None:
            time.sleep(kill_after)
            os.kill(pid, signal.SIGKILL)  # if it has ended, nobody has taken its number: see main
        return self.end()

    def _line(self) -> str:
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        assert line, "the process that forks has ended"
        return line

    def close(self) -> None:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.close()
        self._process.wait(30)
        self._process.stdout.close()


def moments(rng: random.Random, points: tuple[str, ...], rounds: int) -> list[dict[str, Any]]:
    """How each of so many children dies: every point in turn, and as often at some moment of no name."""
    found: list[dict[str, Any]] = []
    for place in range(rounds):
        if place % 2 == 0:
            point = points[place // 2 % len(points)]
            found.append({"point": point, "nth": rng.randint(1, 4)})
        else:
            found.append({"kill_after": rng.uniform(0.03, 0.4)})
    return found


if __name__ == "__main__":
    main()
