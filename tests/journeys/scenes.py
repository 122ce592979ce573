"""What the acceptance scenarios share: a service with a telephone gateway, and presses said in one line each.

A scenario reads as given, when, then. What people do goes through HTTP; what happens by itself is done by the
worker, whose clock a test moves.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

from sqlalchemy import func, select

from api.webhook import message
from api.worker import CLOCKS, LADDER, POSTS, SEALING, Worker
from referral.handlers import HANDLERS
from referral.models.notice import Notice
from referral.models.task import Task
from referral.terms import TaskKind
from screening.core.clock import LOCAL
from screening.core.paper import Printer
from screening.core.work import GatewayFailed, Tools
from tests.api.etags import if_match
from tests.api.test_v1_care import TALK, WORDS
from tests.api.web import Browser
from tests.factories import PASSWORD, Pupil, answers
from tests.journeys.service import API, Service
from tests.journeys.worlds import QuickPrinter

ACUTE = answers("asq", i1=1, i5=1)  # thoughts at this moment: grade A


def at(month: int, day: int, hour: int = 10, minute: int = 0) -> datetime:
    """A local time of 2026."""
    return datetime(2026, month, day, hour, minute, tzinfo=LOCAL)


class Telephone:
    """The district's gateway: what went out, to whom, when; or nothing gets out."""

    def __init__(self, service: Service) -> None:
        self._service = service
        self.dead = False
        self.calls: list[tuple[str, datetime, UUID]] = []
        self.texts: list[str] = []

    def __call__(self, *, delivery_id: UUID, number: str, urgent: bool, at: datetime) -> None:
        if self.dead:
            raise GatewayFailed("The gateway could not be reached.")
        names = {account: who for who, account in self._service.world.people.items()}
        with self._service.database.look() as session:
            notice = session.get_one(Notice, delivery_id)
            assert notice.task_id is not None
            self.calls.append((names[notice.account_id], self._service.clock.now(), notice.task_id))
        body = message(delivery_id=delivery_id, number=number, urgent=urgent, at=at)
        self.texts.append(body.decode())


class Scene:
    """A service at work and the people around it."""

    def __init__(self, settings: Any, database: Any, clock: Any, *, paper: bool = False) -> None:
        self.service = Service(settings, database, clock, printer=Printer() if paper else None)
        self.world, self.clock, self.database = self.service.world, clock, database
        self.phone = Telephone(self.service)
        tools = Tools(clock, self.service.printer if paper else QuickPrinter(), self.phone)
        self.worker = Worker(database, clock, HANDLERS, tools, timed=(SEALING, LADDER, CLOCKS, POSTS))
        self.get, self.post = self.service.get, self.service.post

    # --- time ----------------------------------------------------------------------------------------------

    def work(self) -> None:
        """Everything that is ready."""
        self.worker.run_all()

    def until(self, moment: datetime) -> None:
        """The clock stands at this moment, and the worker has done what is due by then."""
        self.clock.set(moment)
        self.worker.run_due(moment)
        self.work()

    def minutes(self, count: int) -> None:
        """The worker lives through so many minutes."""
        for _ in range(count):
            self.until(self.clock.now() + timedelta(minutes=1))

    # --- people --------------------------------------------------------------------------------------------

    def submit(
        self, pupil: Pupil, campaign: UUID, code: str, given: dict[str, object], who: str = "counsellor"
    ) -> Any:
        """Key one sheet in over HTTP; what the browser is answered."""
        answer = self.service.client.post(
            f"{API}/campaigns/{campaign}/roster/{pupil.entry_id}/administrations",
            headers=self.service.headers(who) | {"Idempotency-Key": str(uuid4())},
            json={
                "instrument": code,
                "administered_on": self.clock.today().isoformat(),
                "mode": "paper",
                "answers": given,
            },
        )
        assert answer.status_code == 201, answer.text
        return answer.json()

    def put(self, who: str, path: str, body: dict[str, Any]) -> Any:
        """A PUT whose answer is looked at."""
        headers = self.service.headers(who)
        seen = if_match(self.service.client, "PUT", API + path, headers)
        return self.service.client.put(API + path, headers=headers | seen, json=body)

    def the_case(self, who: str = "counsellor") -> Any:
        """The file of the only case."""
        [line] = self.get(who, "/cases")["items"]
        return self.get(who, f"/cases/{line['id']}")

    def refer(self, **talk: object) -> str:
        """The counsellor has seen the child and sends the referral with one press. Its address."""
        case = self.the_case()
        seen = (self.clock.now() - timedelta(minutes=20)).isoformat()
        safety = {"signs": ["none_found"], "asked_at": seen}
        body = TALK | {"held_at": seen, "words": WORDS | {"safety": safety}, "send": True, "tier": "watch"}
        concluded = self.post("counsellor", f"/cases/{case['case']['id']}/assessments", body | talk)
        assert concluded["sent"], concluded
        return f"/referrals/{self.the_case()['referrals'][-1]['id']}"

    def browser(self, who: str) -> Browser:
        """This person at a browser, signed in, in Chinese."""
        browser = Browser(self.service.app, "zh")
        assert browser.sign_in(who, PASSWORD).status_code == 303
        return browser

    # --- what is on record ---------------------------------------------------------------------------------

    def asked(self, kind: TaskKind) -> Task:
        """The only open line of a kind."""
        with self.database.look() as session:
            task = session.scalars(select(Task).where(Task.kind == kind, Task.done_at.is_(None))).one()
            session.expunge(task)
            return task

    def kinds(self) -> set[TaskKind]:
        """What is asked of anybody now."""
        with self.database.look() as session:
            return set(session.scalars(select(Task.kind).where(Task.done_at.is_(None))))

    def count(self, model: Any, *where: Any) -> int:
        with self.database.look() as session:
            return session.scalar(select(func.count()).select_from(model).where(*where)) or 0

    def told(self, task: Task) -> set[str]:
        """Who found a notice about a line on their own page."""
        names = {account: who for who, account in self.world.people.items()}
        with self.database.look() as session:
            return {
                names[each]
                for each in session.scalars(select(Notice.account_id).where(Notice.task_id == task.id))
            }

    def called(self, task: Task) -> list[tuple[int, str]]:
        """Who was phoned about a line: minutes after it was opened, in order."""
        return [
            (round((when - task.opened_at).total_seconds() / 60), who)
            for who, when, about in self.phone.calls
            if about == task.id
        ]


@contextmanager
def scene(settings: Any, database: Any, clock: Any, *, paper: bool = False) -> Iterator[Scene]:
    """The scene, closed afterwards."""
    made = Scene(settings, database, clock, paper=paper)
    yield made
    made.service.close()
