"""Sixty and more bad workbooks: each is answered with its own sentence, in both languages, at sheet, row and column;
none leaves a record; and what they say about danger has rung all the same (decisions 18, 23 and 31)."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from sqlalchemy import func, select

from instruments import catalogue
from referral.models.task import Task
from referral.terms import TaskKind
from screening.models.administration import Administration
from screening.models.child import Child, Enrolment
from screening.models.consent import Consent
from screening.models.import_batch import BatchStatus
from screening.spreadsheets import container, reader
from tests.factories import answers
from tests.journeys.bad_workbooks import MAKE
from tests.journeys.service import Service

TABLE: dict[str, dict[str, Any]] = yaml.safe_load(
    Path(__file__).with_suffix(".yaml").read_text(encoding="utf-8")
)
ALARMS = frozenset(
    {
        TaskKind.CRISIS_ACKNOWLEDGE,
        TaskKind.SAME_DAY_TALK,
        TaskKind.SAFETY_TALK,
        TaskKind.FILE_ALARM,
        TaskKind.UNKNOWN_CHILD_ALARM,
    }
)
RECORDS = (Child, Enrolment, Administration, Consent)


@pytest.fixture
def service(settings, database, clock) -> Iterator[Service]:
    made = Service(settings, database, clock)
    yield made
    made.close()


@pytest.fixture
def school(service: Service):
    """The children that the files talk about; and the campaign."""
    world = service.world
    campaign = world.make_campaign("phq9")
    names = {n: f"张{'甲乙丙丁戊己庚辛壬癸'[n % 10]}" for n in range(100)}
    for number in (*range(1, 21), 30, 31):
        world.numbers = number - 1
        made = world.make_child(campaign, name=names[number], consent=number != 30)
        if number == 31:
            world.submit(made, "phq9", answers("phq9"))
    world.numbers = 39
    theirs = world.make_campaign("phq9", school="other_school")
    world.make_child(theirs, school="other_school", name=names[40])
    return campaign


@pytest.fixture
def at_once(monkeypatch):
    """Read in this process: sixty processes would say the same and take a minute."""
    from api.v1 import imports

    def read(data: bytes, codes: object, today: Any) -> Any:
        try:
            container.check_outside(data)
        except container.WorkbookRefused as refusal:
            return reader.refused(refusal)
        return reader.read_workbook(data, catalogue(), today=today)

    monkeypatch.setattr(imports, "read_in_child", read)


def counts(database) -> list[int]:
    with database.look() as session:
        return [session.scalar(select(func.count()).select_from(each)) or 0 for each in RECORDS]


def _said(english: dict[str, Any], chinese: dict[str, Any]) -> list[list[Any]]:
    """How bad, where, and in which words; a sentence that is said of every row stands once."""
    said = [
        [each["severity"], each["sheet"], each["row"], each["column"], each["message"], its["message"]]
        for each, its in zip(english["problems"], chinese["problems"], strict=True)
    ]
    return [each for n, each in enumerate(said) if n < 2 or each[4:] != said[n - 1][4:]]


def open_tasks(database) -> set[tuple[Any, str]]:
    with database.look() as session:
        return {(row.id, row.kind) for row in session.execute(select(Task.id, Task.kind))}


def test_each_bad_workbook_has_its_sentence_leaves_no_record_and_silences_no_alarm(
    service, school, at_once, database
):
    client, headers = service.client, service.headers("entry_clerk")
    before, wrong = counts(database), []
    for name, make in MAKE.items():
        tasks = open_tasks(database)
        answer = client.post(
            "/api/v1/imports",
            data={"campaign_id": str(school)},
            files={"file": (f"{name}.xlsx", make())},
            headers=headers | {"Accept-Language": "en"},
        )
        assert answer.status_code == 201, (name, answer.text)
        batch = answer.json()
        rung = sorted({kind.value for _, kind in open_tasks(database) - tasks if kind in ALARMS})
        chinese = client.get(
            f"/api/v1/imports/{batch['id']}", headers=headers | {"Accept-Language": "zh-CN"}
        ).json()
        said = {"status": batch["status"], "says": _said(batch, chinese), "rings": rung}
        if said != TABLE.get(name):
            wrong.append({name: said})
        # As a whole it is not taken: not stored by itself, and with errors not by the press of a person either.
        if any(each["severity"] == "error" for each in batch["problems"]):
            pressed = client.post(f"/api/v1/imports/{batch['id']}/commit", json={}, headers=headers)
            assert pressed.status_code == 409, name
        if counts(database) != before:
            wrong.append({name: "a record was stored"})
    assert not wrong, yaml.safe_dump(wrong, allow_unicode=True, sort_keys=False, width=200)


def test_the_table_is_of_sixty_different_kinds():
    assert TABLE.keys() == MAKE.keys()
    assert len(TABLE) >= 60
    # What is said, and where; the same sentence at another place is another mistake.
    kinds = {
        str([(english, column) for _, _, _, column, english, _ in row["says"]]) for row in TABLE.values()
    }
    assert len(kinds) >= 60
    for name, row in TABLE.items():
        assert row["says"], name
        for *_, english, chinese in row["says"]:
            assert any("一" <= letter <= "鿿" for letter in chinese), name
            assert chinese != english, name


def test_what_is_no_workbook_at_all_is_refused_at_the_door(service, school):
    client, headers = service.client, service.headers("entry_clerk")
    for kind in ("application/json", "text/csv", "application/vnd.ms-excel"):
        answer = client.post("/api/v1/imports", content=b"x", headers=headers | {"Content-Type": kind})
        assert answer.status_code in {415, 422}, kind
        assert answer.json()["detail"]


def test_nothing_of_the_table_is_committed():
    assert {row["status"] for row in TABLE.values()} <= {BatchStatus.STAGED.value, BatchStatus.REFUSED.value}
