"""The real service on the loopback for a browser: one server, and a county of its own for each test.

uvicorn runs in a thread of the test's process, so that the test can move the clock and look into the database.
The address is http://127.0.0.1: Chromium counts this machine as trustworthy, so the ``__Host-`` cookie, which is
``Secure``, is stored and sent back as over TLS (``api/middleware.py`` says so too; ``make run`` lives by it).
"""

from __future__ import annotations

import json
import shutil
import socket
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from uuid import UUID

import uvicorn
from sqlalchemy import select
from starlette.types import ASGIApp, Receive, Scope, Send

from api.app import create_app
from api.auth import keys
from api.worker import Worker
from referral.actions import assessments, clocks, escalations
from referral.actions.assessments import AssessmentIn
from referral.disclosure import SafetySign
from referral.handlers import HANDLERS
from referral.models.case import Case
from referral.models.referral import Referral
from referral.terms import FollowUpChannel, HarmAnswer, HelpWanted, Tier
from screening.core.clock import LOCAL, FixedClock
from screening.core.db import Database
from screening.core.sealing import Keyring
from screening.core.settings import Settings
from screening.core.work import Tools
from screening.models.child import Child
from tests.factories import Pupil, World, make_county, spread
from tests.journeys.worlds import QuickPrinter

NOW = datetime(2026, 10, 14, 10, 0, tzinfo=LOCAL)  # a Wednesday in term time
INSTRUMENTS = ("phq9", "gad7", "phq_a", "asq")
START_SECONDS = 20


class Server:
    """Listens from the first test to the last; which application answers is changed between them."""

    def __init__(self) -> None:
        self._application: ASGIApp | None = None
        self._socket = socket.create_server(("127.0.0.1", 0))
        self.address = f"http://127.0.0.1:{self._socket.getsockname()[1]}"
        config = uvicorn.Config(
            self._answer,
            interface="asgi3",
            http="httptools",
            ws="none",
            lifespan="off",
            access_log=False,
            log_level="error",
        )
        self._uvicorn = uvicorn.Server(config)
        self._thread = threading.Thread(
            target=self._uvicorn.run, kwargs={"sockets": [self._socket]}, name="service", daemon=True
        )
        self._thread.start()
        deadline = time.monotonic() + START_SECONDS
        while not self._uvicorn.started:
            if time.monotonic() > deadline or not self._thread.is_alive():
                raise RuntimeError("the service did not start")
            time.sleep(0.005)

    async def _answer(self, scope: Scope, receive: Receive, send: Send) -> None:
        if self._application is None:
            raise RuntimeError("a request between two tests")
        await self._application(scope, receive, send)

    def show(self, application: ASGIApp | None) -> None:
        self._application = application

    def stop(self) -> None:
        self._uvicorn.should_exit = True
        self._thread.join(timeout=10)
        with suppress(OSError):
            self._socket.close()


@dataclass(frozen=True, slots=True)
class Seed:
    """A county in a file, made once and copied for each test."""

    file: Path
    tokens_file: Path
    keyring: Keyring
    places: dict[str, UUID]
    people: dict[str, UUID]
    campaign_id: UUID

    @classmethod
    def sow(cls, directory: Path, empty: Path, keyring: Keyring) -> Seed:
        """A county whose first school has an open campaign."""
        file = directory / "county.sqlite"
        shutil.copyfile(empty, file)
        database = Database(f"sqlite:///{file}", keyring)
        try:
            world = make_county(database, FixedClock(NOW))
            campaign_id = world.make_campaign(*INSTRUMENTS)
        finally:
            database.close()
        tokens_file = directory / "tokens.json"
        keys.create(tokens_file)
        return cls(file, tokens_file, keyring, world.places, world.people, campaign_id)


class Site:
    """One test's county behind the server: its clock, its worker, and what is done in it beside the browser."""

    def __init__(self, server: Server, seed: Seed, directory: Path) -> None:
        self.address, self._server = server.address, server
        file = directory / "xinqiao.sqlite"
        shutil.copyfile(seed.file, file)
        self.database = Database(f"sqlite:///{file}", seed.keyring)
        self.clock = FixedClock(NOW)
        self.world = World(self.database, self.clock, dict(seed.places), dict(seed.people))
        self.campaign_id = seed.campaign_id
        shutil.copyfile(seed.tokens_file, directory / seed.tokens_file.name)
        settings = Settings.of_home(
            directory,
            database_url=f"sqlite:///{file}",
            base_url=self.address,
            allowed_hosts=("127.0.0.1",),
            worker_inside=False,
        )
        shutil.copyfile(seed.tokens_file, settings.tokens_file)
        settings.tokens_file.chmod(0o600)
        self._application = create_app(settings, self.database, self.clock)
        self._worker = Worker(self.database, self.clock, HANDLERS, Tools(self.clock, QuickPrinter()))
        server.show(self._application)

    def close(self) -> None:
        self._server.show(None)
        self._application.state.gatekeeper.close()
        self.database.close()

    # --- beside the browser --------------------------------------------------------------------------------

    def work(self) -> None:
        """What the worker does until nothing is ready: rows of workbooks, notes, notices."""
        self._worker.run_all()

    def tick(self) -> None:
        """What moves by the clock, until nothing more is due."""
        for job in (clocks.run, escalations.tick):
            while self._in_transaction(job):
                pass

    def _in_transaction(self, job: Callable[..., int]) -> int:
        with self.database.begin() as session:
            return job(session, now=self.clock.now())

    def pupil(self, *, total: int = 0, share: bool = False, code: str = "phq9", **given: int) -> Pupil:
        """A child on the roll. With ``total`` a sheet of theirs is stored: 20 on the PHQ-9 opens a case."""
        pupil = self.world.make_child(self.campaign_id, share=share)
        if total or given:
            self.world.submit(pupil, code, spread(code, total, **given))
        return pupil

    def send_referral(self, pupil: Pupil) -> str:
        """The talk is held and the referral sent, as one press does it; the address of the clinic's page."""
        now = self.clock.now()
        words = {
            "observed": "近三周睡眠差,上课走神,与同学来往减少。",
            "done_so_far": "已面谈一次,已与班主任商量观察。",
            "help_wanted": [HelpWanted.ASSESSMENT.value],
            "safety": {
                "signs": [SafetySign.NONE_FOUND.value],
                "asked_at": now.isoformat(),
                "asked_by": "林知远",
            },
        }
        actor = self.world.actor("counsellor")
        with self.database.begin() as session:
            assessments.conclude(
                session,
                actor=actor,
                case=session.scalars(select(Case).where(Case.child_id == pupil.id)).one(),
                child=session.get_one(Child, pupil.id),
                assessment=AssessmentIn(
                    held_at=now,
                    channel=FollowUpChannel.IN_PERSON,
                    tier=Tier.FOCUS,
                    screened_out=False,
                    reason="情绪低落两周",
                    concern=2,
                    harm_answer=HarmAnswer.NONE,
                    words=words,
                    send=True,
                ),
                now=now,
            )
        self.work()
        return self.referral_of(pupil)

    def case_of(self, pupil: Pupil) -> str:
        """The address of the child's case."""
        with self.database.look() as session:
            return f"/cases/{session.scalars(select(Case.id).where(Case.child_id == pupil.id)).one()}"

    def referral_of(self, pupil: Pupil) -> str:
        """The address of the child's newest referral."""
        newest = select(Referral.id).where(Referral.child_id == pupil.id).order_by(Referral.drafted_at.desc())
        with self.database.look() as session:
            return f"/referrals/{session.scalars(newest).first()}"

    def printed_codes(self, pupil: Pupil) -> tuple[str, str]:
        """The number of the child's newest note and its reply code, as they stand on the paper."""
        newest = select(Referral).where(Referral.child_id == pupil.id).order_by(Referral.drafted_at.desc())
        with self.database.look() as session:
            referral = session.scalars(newest).first()
            assert referral is not None
            said = json.loads(referral.frozen or "{}")
            return said["form_no"], said["reply_code"]
