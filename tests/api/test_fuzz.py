"""Whatever is sent to the JSON API, it is never a fault of ours: schemathesis over the OpenAPI document.

All its phases, NUL allowed, in process and with one seed. So that it gets past the door it is given a world: most
addresses get ids that exist, most changes the version that is current, each call one of several people. SQLite
only, because what is tried are the routes and not the store. The one 5xx that is an answer is the note that is
still being made (503 with ``Retry-After``).
"""

from __future__ import annotations

import random
from collections import Counter, defaultdict
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any
from uuid import UUID

import pytest
from sqlalchemy import select
from starlette.testclient import TestClient

from screening.core.db import Base
from tests.api.etags import if_match
from tests.conftest import ENGINE
from tests.factories import PEOPLE, World, answers, spread

if TYPE_CHECKING:
    from fastapi import FastAPI

SEED = 20261128
PEOPLE_WHO_CALL = (
    *("counsellor", "counsellor", "counsellor", "school_lead", "county_centre", "edu_officer"),
    *("clinic_intake", "clinician", "clinician", "entry_clerk", "hotline_operator", "class_teacher"),
    *("second_officer", "other_counsellor", "sysadmin"),
)
NOTE_IS_BEING_MADE = "GET /api/v1/referrals/{referral_id}/note.pdf"

pytestmark = pytest.mark.skipif(ENGINE != "sqlite", reason="the routes are tried, not the store")


@pytest.fixture
def peopled(world: World) -> World:
    """A campaign with children of each kind: talked about, referred, in danger, not screened."""
    campaign = world.make_campaign()
    for sheet in (spread("phq9", 21), answers("phq9", i9=2), spread("phq9", 12), None):
        pupil = world.make_child(campaign, share=True)
        if sheet is not None:
            world.submit(pupil, "phq9", sheet)
    danger = world.make_child(campaign, share=True)
    world.submit(danger, "asq", answers("asq", i1=1, i5=1))
    return world


class Callers:
    """Puts into each generated call what makes it go deep, and keeps what came of it."""

    def __init__(self, app: FastAPI, world: World) -> None:
        self.app = app
        self.world = world
        self.chance = random.Random(SEED)
        self.known = ids_by_name(world)
        self.client = TestClient(app, base_url="https://testserver")
        self.tokens: dict[str, str] = {}
        self.seen: defaultdict[str, Counter[int]] = defaultdict(Counter)
        self.faults: list[str] = []

    def before(self, case: Any) -> None:
        headers = case.headers = {**(case.headers or {})}
        who = self.chance.choice(PEOPLE_WHO_CALL)
        headers["Authorization"] = f"Bearer {self.token(who)}"
        self._fill(case.path_parameters)
        self._fill(case.body)
        if self.chance.random() < 0.8:
            path = "/api/v1" + case.formatted_path.removeprefix("/api/v1")
            headers |= if_match(
                self.client, case.method.upper(), path, {"Authorization": headers["Authorization"]}
            )
        if self.chance.random() < 0.8:
            # Mostly without: what a key has answered is not tried a second time.
            headers.pop("Idempotency-Key", None)

    def _fill(self, values: Any) -> None:
        if not isinstance(values, dict):
            return
        for name in values:
            if self.known.get(name) and self.chance.random() < 0.8:
                values[name] = self.chance.choice(self.known[name])

    def after(self, case: Any, response: Any) -> None:
        label, status = case.operation.label, response.status_code
        self.seen[label][status] += 1
        if label in {"DELETE /api/v1/tokens", "PUT /api/v1/password"} and status < 300:
            self.tokens.clear()
        if status >= 500 and not (label == NOTE_IS_BEING_MADE and "retry-after" in response.headers):
            self.faults.append(f"{case.as_curl_command()} -> {status} {response.text[:300]}")

    def token(self, who: str) -> str:
        """A live session of this person, without hashing a password."""
        from api.auth import ACCESS
        from screening.models.account import SignInSession

        if who not in self.tokens:
            now, account_id = self.world.clock.now(), self.world.people[who]
            with self.world.database.begin() as session:
                entry = SignInSession(account_id=account_id, browser=False, started_at=now, seen_at=now)
                session.add(entry)
            keeper = self.app.state.gatekeeper
            self.tokens[who] = keeper._mint(ACCESS, account_id, entry.id, ACCESS.lifetime)
        return self.tokens[who]


def ids_by_name(world: World) -> dict[str, list[str]]:
    """``case_id`` and the like: ids that exist, by the names that addresses and bodies give them."""
    tables = {
        "case_id": "care_case", "child_id": "child", "referral_id": "referral", "episode_id": "crisis_episode",
        "plan_id": "plan_version", "follow_up_id": "follow_up", "task_id": "task", "notice_id": "notice",
        "campaign_id": "campaign", "entry_id": "roster_entry", "batch_id": "import_batch",
        "organisation_id": "organisation",
    }  # fmt: skip
    with world.database.look() as session:
        return {
            name: [str(UUID(str(each))) for each in session.scalars(select(Base.metadata.tables[table].c.id))]
            for name, table in tables.items()
            if table in Base.metadata.tables
        }


def fuzz(app: FastAPI, world: World, seconds: int) -> Callers:
    import schemathesis
    from schemathesis.config import SchemathesisConfig
    from schemathesis.engine import from_schema

    config = SchemathesisConfig.from_dict(
        {
            "seed": SEED,
            "max-time": seconds,
            "checks": {"enabled": False, "not_a_server_error": {"enabled": True}},
            "generation": {"allow-x00": True, "database": "none", "no-shrink": True},
            "suppress-health-check": ["all"],
        }
    )
    callers = Callers(app, world)
    schema = schemathesis.openapi.from_asgi("/api/v1/openapi.json", app, config=config)

    @schemathesis.hook("before_call")
    def before_call(context: Any, case: Any, kwargs: Any) -> None:
        callers.before(case)

    @schemathesis.hook("after_call")
    def after_call(context: Any, case: Any, response: Any) -> None:
        callers.after(case, response)

    try:
        for _ in steps(from_schema(schema).execute()):
            pass
    finally:
        schemathesis.hooks.unregister_all()
    return callers


def steps(stream: Any) -> Iterator[Any]:
    """The events; a mistake of the tool or of the document is one too."""
    from schemathesis.engine import events

    for event in stream:
        if isinstance(event, events.FatalError):
            raise event.exception
        yield event


def check(callers: Callers) -> None:
    faults = list(dict.fromkeys(callers.faults))
    assert not faults, "\n\n".join(faults[:20])
    reached = {label for label, statuses in callers.seen.items() if any(status < 300 for status in statuses)}
    calls = sum(statuses.total() for statuses in callers.seen.values())
    # It has been behind the door: not only refusals. How far it comes in its time depends on the machine.
    assert len(reached) >= min(25, calls // 60), (calls, sorted(set(callers.seen) - reached))
    assert set(PEOPLE_WHO_CALL) <= PEOPLE.keys()


def test_a_minute_of_strange_requests_finds_no_fault_of_ours(app, peopled):
    check(fuzz(app, peopled, 60))


@pytest.mark.slow
def test_five_minutes_of_strange_requests_find_no_fault_of_ours(app, peopled):
    check(fuzz(app, peopled, 300))
