"""Many sheets at once say what each would have said alone, in few statements."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, date, datetime, timedelta
from typing import Any
from uuid import UUID

import pytest
from sqlalchemy import event, select

from instruments import AnswerSheet, SheetConditions, catalogue
from referral import intake
from referral.terms import ReleaseMode, Tier
from screening.actions.administrations import SheetIn
from screening.core import outbox
from screening.core.db import Base
from screening.core.outbox import OutboxMessage
from screening.models.administration import Administration, Mode
from screening.models.campaign import RosterEntry
from tests.referral.county import answers, phq9

HEX = re.compile(r"[0-9a-f]{8}-?(?:[0-9a-f]{4}-?){3}[0-9a-f]{12}")
# Drawn at random or made of ids, for each record anew; the answers behind the seal are compared by themselves.
DRAWN = {"form_no", "case_no", "episode_no", "input_hash", "number"}
KEPT_NUMBERS = {"plan_version", "referral_note"}


class TakenBack(Exception):
    """Ends a transaction whose rows have been looked at."""


@contextmanager
def taken_back(begin) -> Iterator[Any]:
    """A transaction or a savepoint that leaves nothing behind."""
    with suppress(TakenBack), begin() as session:
        yield session
        raise TakenBack


def rows_of_all_tables(session) -> dict[str, list[dict[str, Any]]]:
    return {
        table.name: [dict(row) for row in session.execute(select(table)).mappings()]
        for table in Base.metadata.sorted_tables
    }


class Readable:
    """The rows that one piece of work has added or changed, with every id put into words that do not depend on it."""

    def __init__(
        self, before: dict[str, list[dict[str, Any]]], after: dict[str, list[dict[str, Any]]]
    ) -> None:
        self.stood = {row["id"].hex for rows in before.values() for row in rows}
        self.rows = {row["id"].hex: (name, row) for name, rows in after.items() for row in rows}
        known = {name: {row["id"]: row for row in rows} for name, rows in before.items()}
        self.changed = {
            name: sorted(self.words(name, row, 3) for row in rows if known[name].get(row["id"]) != row)
            for name, rows in after.items()
        }

    def words(self, table: str, row: dict[str, Any], depth: int) -> str:
        said = []
        for name, value in row.items():
            if name == "id" or (name in DRAWN and table not in KEPT_NUMBERS):
                continue
            said.append(f"{name}={self.value(value, depth)}")
        return f"{table}({', '.join(said)})"

    def value(self, value: object, depth: int) -> str:
        if isinstance(value, bytes):
            return f"{len(value)} bytes"
        if isinstance(value, datetime):
            return value.astimezone(UTC).isoformat() if value.tzinfo else value.isoformat()
        text = value.hex if isinstance(value, UUID) else repr(value)
        return HEX.sub(lambda found: self.named(found[0].replace("-", ""), depth), text)

    def named(self, id_hex: str, depth: int) -> str:
        if id_hex in self.stood or id_hex not in self.rows:
            return id_hex  # there before, or made from what was there before
        if depth == 0:
            return "…"
        return self.words(*self.rows[id_hex], depth - 1)


def mixed_file(county) -> list[tuple[Any, str, dict[str, object], date, SheetConditions | None]]:
    """Every kind of sheet: quiet, elevated, high, each grade, unscored, doubtful, late, again, refused."""
    today, yesterday = county.clock.today(), county.clock.today() - timedelta(days=1)
    long_ago = today - timedelta(days=40)
    pupils = county.enrol(24)
    [refused] = county.enrol(1, screening=False)
    [silent] = county.enrol(1, share=False)
    half = {**phq9(total=12), "1": None, "2": None, "3": None}
    known, seen, settled = pupils[20:23]
    county.submit(known, "phq9", phq9(total=24), on=yesterday)  # has a case, a plan and a draft already
    county.submit(seen, "phq9", phq9(2, total=15), on=yesterday)
    county.assess(seen, Tier.FOCUS)  # somebody has seen this child; the plan is confirmed
    county.submit(settled, "phq9", half, on=yesterday)  # to be done again
    county.submit(pupils[23], "phq9", {**phq9(1), "1": "x"}, on=today)  # sighted, and refused
    gad, asq = catalogue().get("gad7"), catalogue().get("asq")
    sheets = [(pupil, "phq9", phq9(total=place), today, None) for place, pupil in enumerate(pupils[:12])]
    sheets += [
        (pupils[12], "phq9", phq9(total=24), today, None),
        (pupils[13], "phq9", phq9(1), today, None),
        (pupils[14], "phq9", phq9(3, total=9), today, None),
        (pupils[15], "asq", {item.key: 1 for item in asq.items}, today, None),
        (pupils[16], "phq9", half, today, None),
        (pupils[17], "phq9", phq9(total=20), today, SheetConditions(seconds=3)),
        (pupils[18], "phq9", phq9(total=24), long_ago, None),
        (pupils[19], "phq9", phq9(total=11), long_ago, None),
        (silent, "phq9", phq9(2, total=22), today, None),
        (refused, "phq9", phq9(total=4), today, None),
        (known, "phq9", phq9(3, total=24), today, None),
        (seen, "phq9", phq9(1, total=10), today, None),
        (settled, "phq9", phq9(total=2), today, None),
        (pupils[23], "phq9", phq9(1), today, None),
        (pupils[12], "phq9", phq9(total=3), today, None),  # the same day again: refused
    ]
    everything = {item.key: max(item.values) for item in gad.items if item.scored}
    sheets += [
        (pupil, "gad7", answers("gad7", everything if place % 3 == 0 else {}), today, None)
        for place, pupil in enumerate([*pupils[6:18], known, settled])
    ]
    return sheets


def one_by_one(county, sheets) -> list[Any]:
    done = []
    for place, (pupil, code, given, on, conditions) in enumerate(sheets):
        with county.database.begin() as session:
            submitted = intake.submit(
                session,
                actor=county.actors["counsellor"],
                occasion=session.get_one(RosterEntry, pupil.entry_id),
                instrument=catalogue().get(code),
                answers=dict(given),
                administered_on=on,
                mode=Mode.PAPER,
                now=county.clock.now(),
                idempotency_key=f"{pupil.student_no}:{place}",
                conditions=conditions,
            )
            done.append(submitted.recorded)
    return done


def read_sheets(county, session, sheets) -> list[SheetIn]:
    """The sheets as a piece of a file holds them."""
    return [
        SheetIn(
            entry=session.get_one(RosterEntry, pupil.entry_id),
            instrument=catalogue().get(code),
            sheet=AnswerSheet.parse(catalogue().get(code), given),
            administered_on=on,
            mode=Mode.PAPER,
            source=f"keyed:{county.actors['counsellor'].account_id}:{pupil.student_no}:{place}",
            conditions=conditions or SheetConditions(),
        )
        for place, (pupil, code, given, on, conditions) in enumerate(sheets)
    ]


def all_at_once(county, session, sheets: list[SheetIn]) -> list[Any]:
    return intake.submit_many(
        session, actor=county.actors["counsellor"], sheets=sheets, now=county.clock.now()
    )


def said_of(done) -> list[tuple[object, ...]]:
    return [
        (
            each.refused.message if each.refused else None,
            each.result.level if each.result else None,
            each.sighted,
        )
        for each in done
    ]


def opened(session) -> dict[str, bytes]:
    """The answers behind the seals, by the source of their sheet."""
    keyring = session.info["keyring"]
    return {
        sheet.source: keyring.open(sheet.answers_place, sheet.answers_sealed)
        for sheet in session.scalars(select(Administration))
    }


@pytest.mark.parametrize("release", [ReleaseMode.STEPWISE, ReleaseMode.AT_ONCE])
def test_a_file_says_what_its_sheets_would_have_said_one_by_one(county, release):
    """Every table, row by row: only ids and random numbers differ."""
    if release is ReleaseMode.AT_ONCE:
        county.clock.forward(timedelta(minutes=1))  # the newest agreement holds
        with county.database.begin() as session:
            county.agree(session, release, weekly_limit=2)  # fewer than want to leave
    sheets = mixed_file(county)
    with county.database.begin() as session:
        before = rows_of_all_tables(session)
    with taken_back(county.database.begin) as session:
        together = said_of(all_at_once(county, session, read_sheets(county, session, sheets)))
        session.flush()
        at_once, sealed = Readable(before, rows_of_all_tables(session)), opened(session)
    alone = said_of(one_by_one(county, sheets))
    with county.database.begin() as session:
        singly = Readable(before, rows_of_all_tables(session))
        assert opened(session) == sealed
    assert together == alone
    for table, changed in singly.changed.items():
        assert at_once.changed[table] == changed, table
    wanted = {"administration", "screen_result", "care_case", "plan_action", "referral", "crisis_episode"}
    wanted |= {"task", "audit_row", "outbox_message", "notice", "critical_sighting"}
    assert wanted <= {table for table, changed in singly.changed.items() if changed}


@contextmanager
def counted(database) -> Iterator[list[str]]:
    """The statements of a block."""
    seen: list[str] = []

    def note(connection, cursor, statement, *_: object) -> None:
        seen.append(statement)

    event.listen(database.engine, "before_cursor_execute", note)
    try:
        yield seen
    finally:
        event.remove(database.engine, "before_cursor_execute", note)


def test_a_piece_costs_as_many_statements_as_its_kinds_of_rows_and_not_as_its_children(county):
    """Of twelve and of forty-eight children of whom each third opens case, plan and referral."""
    took = []
    for count in (12, 48):
        sheets = [
            (pupil, "phq9", phq9(total=24 if place % 3 == 0 else 1), county.clock.today(), None)
            for place, pupil in enumerate(county.enrol(count))
        ]
        with county.database.begin() as session:
            piece = read_sheets(county, session, sheets)
            with counted(county.database) as seen:
                all_at_once(county, session, piece)
                session.flush()
            took.append(len(seen))
    assert took[1] <= took[0] <= 60, took


def test_rows_without_objects_go_with_their_transaction(county):
    """A row added as plain values is found by the next query, and leaves with its savepoint."""

    def topics(session) -> set[str]:
        return set(session.scalars(select(OutboxMessage.topic)))

    def publish(session, topic: str) -> None:
        outbox.publish(session, topic=topic, payload={}, purpose=topic, now=county.clock.now())

    with county.database.begin() as session:
        publish(session, "before")
        with taken_back(session.begin_nested):
            publish(session, "taken-back")
        publish(session, "after")
        assert {"before", "after"} <= topics(session)
        assert "taken-back" not in topics(session)
    with taken_back(county.database.begin) as session:
        publish(session, "never")
    with county.database.begin() as session:
        assert {"before", "after"} <= topics(session)
        assert not topics(session) & {"taken-back", "never"}
        publish(session, "last")  # no object has changed: the commit alone has to write it
    with county.database.begin() as session:
        assert "last" in topics(session)
