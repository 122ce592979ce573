"""The whole service under test: HTTP, worker and printer on one database, and people who press its buttons."""

from __future__ import annotations

from functools import cached_property
from typing import Any

from fastapi import FastAPI
from starlette.testclient import TestClient

from api.app import create_app
from api.auth import keys
from api.worker import LADDER, SEALING, Worker
from referral.handlers import HANDLERS
from screening.core.clock import FixedClock
from screening.core.db import Database
from screening.core.paper import Printer
from screening.core.settings import Settings
from screening.core.work import Tools
from tests.api.etags import if_match
from tests.factories import PASSWORD, World, make_county

API = "/api/v1"


class Service:
    """What stands behind a journey. ``printer`` may be one that prints badly, or only now and then."""

    def __init__(
        self, settings: Settings, database: Database, clock: FixedClock, printer: Printer | None = None
    ) -> None:
        self.database, self.clock = database, clock
        self.world: World = make_county(database, clock)
        self.settings = settings
        self.printer = printer or Printer()
        self._signed_in: dict[tuple[str, object], dict[str, str]] = {}

    def worker(self) -> Worker:
        """A worker as another process would start it; its claims are its own."""
        return Worker(
            self.database,
            self.clock,
            HANDLERS,
            Tools(self.clock, self.printer, base_url=self.settings.base_url),
            timed=(SEALING, LADDER),
        )

    @cached_property
    def app(self) -> FastAPI:
        """Made when the first request is sent; a test of the worker alone does without."""
        keys.create(self.settings.tokens_file)
        return create_app(self.settings, self.database, self.clock)

    @cached_property
    def client(self) -> TestClient:
        return TestClient(self.app, base_url="https://testserver")

    def close(self) -> None:
        if "app" in self.__dict__:
            self.app.state.gatekeeper.close()
        self.printer.close()

    # --- people --------------------------------------------------------------------------------------------

    def headers(self, who: str) -> dict[str, str]:
        """Signed in, and anew whenever the clock has moved: an access token lives ten minutes."""
        key = (who, self.clock.now())
        if key not in self._signed_in:
            answer = self.client.post(f"{API}/tokens", json={"username": who, "password": PASSWORD})
            assert answer.status_code == 200, answer.text
            self._signed_in[key] = {"Authorization": f"Bearer {answer.json()['access_token']}"}
        return self._signed_in[key]

    def get(self, who: str, path: str) -> Any:
        """What this person is shown."""
        answer = self.client.get(API + path, headers=self.headers(who))
        assert answer.status_code == 200, (path, answer.status_code, answer.text)
        return answer.json() if "json" in answer.headers["content-type"] else answer.content

    def post(
        self, who: str, path: str, body: dict[str, Any] | None = None, *, expect: int | None = None
    ) -> Any:
        """What this person presses."""
        headers = self.headers(who)
        seen = if_match(self.client, "POST", API + path, headers)
        answer = self.client.post(API + path, headers=headers | seen, json=body)
        wanted = (200, 201, 204) if expect is None else (expect,)
        assert answer.status_code in wanted, (path, answer.status_code, answer.text)
        return answer.json() if answer.content else None

    def upload(
        self, who: str, campaign_id: object, data: bytes, name: str = "工作簿.xlsx"
    ) -> tuple[int, Any]:
        """A workbook, as a browser sends it: status and answer."""
        answer = self.client.post(
            f"{API}/imports",
            headers=self.headers(who),
            data={"campaign_id": str(campaign_id)},
            files={"file": (name, data)},
        )
        return answer.status_code, answer.json()
