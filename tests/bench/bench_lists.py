"""The lists people open all day, with twenty thousand children in the county: server time and statements per page.

The whole application runs in this process, from the request to the bytes of the page; only the network is missing.
"""

from __future__ import annotations

import tempfile
import time
from pathlib import Path
from typing import Any

from sqlalchemy import event, func, select, update
from starlette.testclient import TestClient

from api.app import create_app
from api.auth import keys
from api.cli import home
from screening.core.db import Database
from screening.core.settings import Settings
from screening.models.child import Child
from tests.bench.big_world import county_of, fill
from tests.factories import PASSWORD

CHILDREN = 20_000
TIMES, WARM = 25, 3
AIM = "≤ 300"


class Statements:
    """How many statements the service has sent to its database."""

    def __init__(self, database: Database) -> None:
        self.count = 0
        for engine in {database.engine, database._readers}:
            event.listen(engine, "before_cursor_execute", self._one_more)

    def _one_more(self, *_: object) -> None:
        self.count += 1


def signed_in(app: Any, who: str) -> tuple[TestClient, dict[str, str]]:
    client = TestClient(app, base_url="https://testserver", follow_redirects=False)
    same = {"Sec-Fetch-Site": "same-origin", "Accept": "text/html"}
    client.post(
        "/sign-in", data={"username": who, "password": PASSWORD}, headers=same
    ).raise_for_status if False else client.post(
        "/sign-in", data={"username": who, "password": PASSWORD}, headers=same
    )
    token = client.post("/api/v1/tokens", json={"username": who, "password": PASSWORD}).json()
    return client, {"Authorization": f"Bearer {token['access_token']}"}


def run() -> list[dict[str, Any]]:
    return []
