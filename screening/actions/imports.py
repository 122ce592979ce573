"""Store an uploaded workbook and its rows. Staging and committing as a whole belong to ``referral.intake``."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from datetime import date, datetime
from typing import Any
from uuid import UUID, uuid4

from sqlalchemy.orm import Session

from instruments import CriticalAnswer, Grade
from screening import access
from screening.access import May
from screening.core import audit, documents
from screening.core.actor import Actor
from screening.core.audit import AuditEvent
from screening.core.grades import GradeInfo, Stage
from screening.core.rows import add
from screening.core.sealing import Keyring
from screening.models.campaign import Campaign
from screening.models.import_batch import (
    BatchStatus,
    CriticalSighting,
    ImportBatch,
    ImportRow,
    RowVerdict,
    content_place,
)
from screening.queries.imports import ROSTER
from screening.spreadsheets.rows import ParsedWorkbook, RosterRow, RowError, Severity, SheetRow

XLSX = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"


@dataclass(frozen=True, slots=True)
class CheckedRow:
    """One row with the problems that the file and the database together see in it."""

    row: RosterRow | SheetRow
    problems: tuple[RowError, ...]

    @property
    def sheet(self) -> str:
        return ROSTER if isinstance(self.row, RosterRow) else self.row.code

    @property
    def verdict(self) -> RowVerdict:
        if any(problem.severity is Severity.ERROR for problem in self.problems):
            return RowVerdict.REFUSED
        if isinstance(self.row, SheetRow) and self.row.is_blank:
            return RowVerdict.ABSENT
        return RowVerdict.GOOD


def store(
    session: Session,
    *,
    actor: Actor,
    campaign: Campaign,
    data: bytes,
    file_name: str,
    parsed: ParsedWorkbook,
    rows: Sequence[CheckedRow],
    alarms: Sequence[RowError],
    now: datetime,
) -> ImportBatch:
    """Keep the file, its rows sealed, and every problem by place. Nothing of it is a record yet."""
    access.check_may_at(actor, May.IMPORT, campaign.organisation_id)
    document = documents.store(session, data=data, media_type=XLSX, now=now)
    problems = [*alarms, *parsed.errors, *parsed.warnings, *(p for checked in rows for p in checked.problems)]
    unreadable = parsed.refused or any(error.severity is Severity.ERROR for error in parsed.errors)
    batch = ImportBatch(
        organisation_id=campaign.organisation_id,
        campaign_id=campaign.id,
        document_id=document.id,
        sha256=hashlib.sha256(data).digest(),
        file_name=file_name[:200],
        status=BatchStatus.REFUSED if unreadable else BatchStatus.STAGED,
        rows=len(rows),
        good=sum(checked.verdict is RowVerdict.GOOD for checked in rows),
        refused=sum(checked.verdict is RowVerdict.REFUSED for checked in rows),
        absent=sum(checked.verdict is RowVerdict.ABSENT for checked in rows),
        problems=json.dumps([_problem(problem) for problem in problems], ensure_ascii=False),
        uploaded_at=now,
        uploaded_by=actor.account_id,
    )
    session.add(batch)
    keyring: Keyring = session.info["keyring"]
    for checked in rows:
        _keep(session, batch, checked, keyring)
    audit.record(
        session,
        actor=actor,
        event=AuditEvent.IMPORT_STAGE,
        at=now,
        subject_id=batch.id,
        detail={"rows": batch.rows, "refused": batch.refused},
    )
    return batch


def _keep(session: Session, batch: ImportBatch, checked: CheckedRow, keyring: Keyring) -> None:
    row_id, sealed = uuid4(), None
    if checked.verdict is not RowVerdict.ABSENT:
        content = json.dumps(_content(checked.row), ensure_ascii=False)
        sealed = keyring.seal(content_place(row_id), content.encode())
    add(
        session,
        ImportRow,
        id=row_id,
        batch_id=batch.id,
        sheet=checked.sheet,
        excel_row=checked.row.excel_row,
        verdict=checked.verdict,
        content_sealed=sealed,
    )


def _problem(problem: RowError) -> dict[str, Any]:
    return {
        "sheet": problem.sheet,
        "row": problem.row,
        "column": problem.column,
        "message": problem.message,
        "params": {name: str(value) for name, value in problem.params.items()},
        "severity": problem.severity.value,
    }


def _content(row: RosterRow | SheetRow) -> dict[str, Any]:
    names = [name for name in type(row).__dataclass_fields__ if name not in _NOT_KEPT]
    return {name: _plain(getattr(row, name)) for name in names}


_NOT_KEPT = frozenset({"errors", "warnings"})


def _plain(value: object) -> object:
    """What JSON can hold: a day as text, the grade and each critical answer by its parts."""
    if isinstance(value, date):
        return value.isoformat()
    if isinstance(value, GradeInfo):
        return asdict(value)
    if isinstance(value, tuple):
        return [_plain(asdict(each) if isinstance(each, CriticalAnswer) else each) for each in value]
    return value


def open_roster_row(session: Session, row: ImportRow) -> RosterRow:
    """A staged line of the 名册 as it was read."""
    plain = _open(session, row)
    grade = plain["grade"]
    return RosterRow(
        **{
            **plain,
            "birth_date": _day(plain["birth_date"]),
            "consent_on": _day(plain["consent_on"]),
            "grade": GradeInfo(Stage(grade["stage"]), grade["number"]) if grade else None,
        }
    )


def open_sheet_row(session: Session, row: ImportRow) -> SheetRow:
    """A staged answer sheet as it was read."""
    plain = _open(session, row)
    return SheetRow(
        **{
            **plain,
            "administered_on": _day(plain["administered_on"]),
            "critical": tuple(
                CriticalAnswer(**{**answer, "grade": Grade(answer["grade"])}) for answer in plain["critical"]
            ),
        }
    )


def _open(session: Session, row: ImportRow) -> dict[str, Any]:
    keyring: Keyring = session.info["keyring"]
    return dict(json.loads(keyring.open(row.content_place, row.content_sealed or b"")))


def _day(text: str | None) -> date | None:
    return date.fromisoformat(text) if text else None


def sight(
    session: Session,
    *,
    batch_id: UUID | None,
    child_id: UUID,
    instrument: str,
    layout: str,
    answered_on: date,
    excel_row: int | None,
    answers: Iterable[CriticalAnswer],
    known: set[tuple[UUID, str, str, date, str, str]],
    now: datetime,
) -> list[CriticalSighting]:
    """Keep critical answers that no sheet or file has shown before. ``known`` is brought up to date."""
    new = []
    for answer in answers:
        key = (child_id, instrument, layout, answered_on, answer.item, answer.grade.value)
        if key in known:
            continue
        known.add(key)
        sighting = CriticalSighting(
            child_id=child_id,
            instrument=instrument,
            layout=layout,
            answered_on=answered_on,
            item=answer.item,
            grade=answer.grade,
            batch_id=batch_id,
            excel_row=excel_row,
            seen_at=now,
        )
        session.add(sighting)
        new.append(sighting)
    return new


def begin_commit(
    session: Session, *, actor: Actor, batch: ImportBatch, good_rows_only: bool, now: datetime
) -> None:
    """From here the worker writes the rows, piece by piece; it may be killed and goes on where it stopped."""
    access.check_may_at(actor, May.IMPORT, batch.organisation_id)
    batch.status, batch.good_rows_only = BatchStatus.COMMITTING, good_rows_only
    batch.committed_at, batch.committed_by = now, actor.account_id
    audit.record(
        session,
        actor=actor,
        event=AuditEvent.IMPORT_COMMIT,
        at=now,
        subject_id=batch.id,
        detail={"good": batch.good, "refused": batch.refused, "good_rows_only": good_rows_only},
    )
