"""``xinqiao import``: a workbook from this machine, the same three steps as on the page: stage, review, commit.

On SQLite only while the service is stopped; otherwise its page for imports is the way.
"""

from __future__ import annotations

import json
import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from uuid import UUID

from rich.console import Console
from rich.table import Table

from api.cli import home
from api.cli.words import _, complain, locale, say
from api.worker import Worker, compose
from referral import intake
from screening.core.actor import Actor
from screening.core.clock import Clock
from screening.core.db import Database, Lane
from screening.core.errors import InvalidInput, Unavailable
from screening.core.i18n import translate
from screening.core.settings import Settings
from screening.models.import_batch import BatchStatus, ImportBatch
from screening.queries.campaigns import get_campaign
from screening.queries.imports import get_batch
from screening.spreadsheets.reader import read_in_child

SHOWN = 200
WAIT_SECONDS = 0.2
PATIENCE_SECONDS = 120.0  # without any progress; another worker may be writing the rows


@dataclass(frozen=True, slots=True)
class Review:
    """What staging found."""

    batch_id: UUID
    status: BatchStatus
    rows: int
    good: int
    refused: int
    absent: int
    problems: tuple[Mapping[str, Any], ...]


def run(settings: Settings, *, file: Path, campaign_id: UUID, username: str, good_rows: bool) -> bool:
    """Import one workbook. ``False`` when nothing was written because of errors in it."""
    data = _read(file, settings.import_limit)
    clock = Clock()
    with home.opened(settings) as database:
        with database.look() as session:
            actor = home.actor_named(session, username=username, today=clock.today())
            codes = list(get_campaign(session, actor=actor, campaign_id=campaign_id).instruments)
        review = _stage(database, clock, actor, campaign_id, file.name, data, codes)
        _print(review)
        if review.status is BatchStatus.COMMITTED:
            say(_("This very file was imported before; nothing was written again."))
            return True
        if review.status is BatchStatus.REFUSED or (review.refused and not good_rows):
            complain(_refusal(review))
            return False
        _commit(database, clock, actor, review.batch_id, good_rows)
        worker = compose(settings, database, clock)
        try:
            after = _write(database, worker, actor, review.batch_id)
        finally:
            worker.stop()
    say(_("Written: {good} rows. Refused: {refused}. Without a sheet: {absent}.",
          good=after.good, refused=after.refused, absent=after.absent))  # fmt: skip
    return True


def _read(file: Path, limit: int) -> bytes:
    try:
        if file.stat().st_size > limit:
            raise InvalidInput("The file is larger than {limit} MB.", limit=limit // 2**20)
        return file.read_bytes()
    except OSError as error:
        raise InvalidInput("The file cannot be read: {reason}.", reason=error.strerror or "?") from error


def _stage(
    database: Database,
    clock: Clock,
    actor: Actor,
    campaign_id: UUID,
    file_name: str,
    data: bytes,
    codes: list[str],
) -> Review:
    parsed = read_in_child(data, codes, clock.today())
    with database.begin() as session:
        campaign = get_campaign(session, actor=actor, campaign_id=campaign_id)
        batch = intake.stage(
            session,
            actor=actor,
            campaign=campaign,
            data=data,
            file_name=file_name,
            parsed=parsed,
            now=clock.now(),
        )
        return _review(batch)


def _commit(database: Database, clock: Clock, actor: Actor, batch_id: UUID, good_rows: bool) -> None:
    with database.begin(Lane.BULK) as session:
        batch = get_batch(session, actor=actor, batch_id=batch_id)
        intake.commit(session, actor=actor, batch=batch, good_rows_only=good_rows, now=clock.now())


def _write(database: Database, worker: Worker, actor: Actor, batch_id: UUID) -> Review:
    """Let the worker write until the batch is complete, here or on another machine."""
    written, waiting_since = -1, time.monotonic()
    while True:
        with database.look() as session:
            batch = get_batch(session, actor=actor, batch_id=batch_id)
            if batch.status is BatchStatus.COMMITTED:
                return _review(batch)
            if batch.written != written:
                written, waiting_since = batch.written, time.monotonic()
        if time.monotonic() - waiting_since > PATIENCE_SECONDS:
            raise Unavailable(
                "Not all rows are written yet. Nothing is lost: the service goes on with them. See `xinqiao doctor`."
            )
        if not worker.run_once():
            time.sleep(WAIT_SECONDS)


def _review(batch: ImportBatch) -> Review:
    return Review(
        batch_id=batch.id,
        status=batch.status,
        rows=batch.rows,
        good=batch.good,
        refused=batch.refused,
        absent=batch.absent,
        problems=tuple(json.loads(batch.problems or "[]")),
    )


def _print(review: Review) -> None:
    say(_("Rows: {rows}. Good: {good}. Refused: {refused}. Without a sheet: {absent}.",
          rows=review.rows, good=review.good, refused=review.refused, absent=review.absent))  # fmt: skip
    if review.problems:
        Console().print(_table(review.problems[:SHOWN]))
    if len(review.problems) > SHOWN:
        say(_("And {n} more problems.", n=len(review.problems) - SHOWN))


def _table(problems: Iterable[Mapping[str, Any]]) -> Table:
    table = Table()
    for heading in (_("Sheet"), _("Row"), _("Column"), _("Problem")):
        table.add_column(heading, overflow="fold")
    for problem in problems:
        sentence = translate(locale(), str(problem["message"]), **problem["params"])
        place = [str(problem[part] or "") for part in ("sheet", "row", "column")]
        table.add_row(*place, sentence)
    return table


def _refusal(review: Review) -> str:
    if review.status is BatchStatus.REFUSED:
        return _("This file cannot be read as a whole. Correct it and import it again. Nothing was stored.")
    return _(
        "{refused} rows have errors. Correct the file and import it again, or add --good-rows.",
        refused=review.refused,
    )
