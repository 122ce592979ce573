"""A workbook: staged for review, committed by a person, written in pieces by the worker."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from datetime import date, datetime
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.orm import Session

from instruments import (
    AnswerSheet,
    Grade,
    catalogue,
    worst_grade,
)
from referral import deadlines
from referral.actions import notices, tasks
from referral.intake.sheets import submit_many
from referral.intake.sightings import answer_sightings, known_sightings
from referral.queries.people import people_of
from referral.terms import TaskKind
from screening import access, policies
from screening.access import May
from screening.actions import campaigns, children, consents, imports
from screening.actions.administrations import SheetIn
from screening.actions.imports import CheckedRow
from screening.core import outbox
from screening.core.actor import Actor
from screening.core.calendar import china
from screening.core.clock import local_day
from screening.core.errors import PolicyViolation
from screening.core.faults import fault
from screening.models.administration import Administration, Mode
from screening.models.campaign import Campaign, RosterEntry
from screening.models.child import Enrolment
from screening.models.consent import Consent, ConsentStatus, Purpose
from screening.models.import_batch import BatchStatus, CriticalSighting, ImportBatch, ImportRow, RowVerdict
from screening.models.organisation import Organisation
from screening.queries.campaigns import consent_status, current_consents
from screening.queries.children import children_by_number, enrolled
from screening.queries.imports import (
    ROSTER,
    count_rows,
    find_batch,
    refused_sheet_rows,
    rows_to_write,
)
from screening.spreadsheets.rows import ParsedWorkbook, RosterRow, RowError, Severity, SheetRow, file_alarms

WRITE_TOPIC = "import.write"

# Grades that ask for a talk; R is a review of its own.
URGENT = frozenset({Grade.A, Grade.B, Grade.C})

UNKNOWN_CHILD = (
    "{title}: no child with this number is on the roll of this school or in the roster of this file."
)
OTHER_NAME = "{title}: this number belongs to a child with another name. Check the number."
NO_CONSENT = "There is no consent to screening for this child, so the sheet is not stored."
NOT_ASKED = "The questionnaire {code} is not part of this campaign."
STORED_BEFORE = "A sheet of this questionnaire is already stored for this child and day."
NOT_OPEN = "This campaign is not open, so no sheet can be recorded in it."
URGENT_UNKNOWN = "An answer in this row asks for a talk soon, and the child is not known here. Find out who it is and tell the duty person now."


def stage(
    session: Session,
    *,
    actor: Actor,
    campaign: Campaign,
    data: bytes,
    file_name: str,
    parsed: ParsedWorkbook,
    now: datetime,
) -> ImportBatch:
    """Keep a workbook for review. The same content again is the same batch. Critical answers ring at once."""
    access.check_may_at(actor, May.IMPORT, campaign.organisation_id)
    known = find_batch(session, campaign_id=campaign.id, sha256=hashlib.sha256(data).digest())
    if known is not None:
        return known
    if actor.account_id is None:
        raise PolicyViolation("A workbook is uploaded by a person.")
    roll = enrolled(session, organisation_id=campaign.organisation_id, student_nos=_numbers(parsed))
    rows = _check_rows(session, campaign, parsed, roll)
    known_here, unknown = _critical_rows(parsed, roll)
    # Sheets of long ago ring nobody, whether the child is known here or comes with this file (decision 18).
    unknown = [row for row in unknown if not _is_history(row, now)]
    batch = imports.store(
        session,
        actor=actor,
        campaign=campaign,
        data=data,
        file_name=file_name,
        parsed=parsed,
        rows=rows,
        alarms=_alarms(parsed, unknown),
        now=now,
    )
    session.flush()
    if not parsed.refused:
        _sight_rows(session, actor, batch, known_here, roll, now)
        if file_alarms(parsed):
            _alarm(session, actor, campaign, batch, TaskKind.FILE_ALARM, Grade.B, now)
        urgent = worst_grade(row.worst for row in unknown if row.worst)
        if urgent is not None:
            _alarm(session, actor, campaign, batch, TaskKind.UNKNOWN_CHILD_ALARM, urgent, now)
        if batch.status is BatchStatus.STAGED:
            _ask_commit(session, actor, batch, now)
    return batch


def _alarms(parsed: ParsedWorkbook, unknown: Sequence[SheetRow]) -> list[RowError]:
    """What the review shows first: sheets that ring as a whole, and rows of children nobody knows here."""
    titles = {sheet.code: sheet.title for sheet in parsed.sheets}
    rung = [
        RowError(alarm.sheet, None, None, alarm.message, alarm.params, Severity.ALARM)
        for alarm in file_alarms(parsed)
    ]
    return rung + [
        RowError(titles[row.code], row.excel_row, None, URGENT_UNKNOWN, {}, Severity.ALARM) for row in unknown
    ]


def _numbers(parsed: ParsedWorkbook) -> set[str]:
    return {row.student_no for row in parsed.rows if row.student_no}


def _check_rows(
    session: Session, campaign: Campaign, parsed: ParsedWorkbook, roll: dict[str, Enrolment]
) -> list[CheckedRow]:
    """Each row with its own problems and those that only the database can see."""
    coming = {row.student_no: row for row in parsed.roster if not row.errors}
    child_ids = [enrolment.child_id for enrolment in roll.values()]
    given = current_consents(session, child_ids, [Purpose.SCREENING])
    stored = _stored_days(session, campaign, child_ids)
    checked = [
        CheckedRow(row, (*row.errors, *row.warnings, *_roster_problems(row, roll))) for row in parsed.roster
    ]
    for sheet in parsed.sheets:
        for row in sheet.rows:
            problems = (*row.errors, *row.warnings)
            if not row.is_blank:
                enrolment = roll.get(row.student_no)
                problems = (
                    *problems,
                    *_sheet_problems(campaign, sheet.title, row, enrolment, coming, given, stored),
                )
            checked.append(CheckedRow(row, problems))
    return checked


def _stored_days(
    session: Session, campaign: Campaign, child_ids: Sequence[UUID]
) -> set[tuple[UUID, str, date]]:
    found: set[tuple[UUID, str, date]] = set()
    for start in range(0, len(child_ids), 500):
        rows = session.execute(
            select(Administration.child_id, Administration.instrument, Administration.administered_on).where(
                Administration.campaign_id == campaign.id,
                Administration.child_id.in_(child_ids[start : start + 500]),
                Administration.voided_at.is_(None),
            )
        )
        found.update(rows)
    return found


def _roster_problems(row: RosterRow, roll: dict[str, Enrolment]) -> tuple[RowError, ...]:
    enrolment = roll.get(row.student_no)
    if enrolment is None or enrolment.child.name == row.name:
        return ()
    return (RowError("名册", row.excel_row, None, children.OTHER_CHILD),)


def _sheet_problems(
    campaign: Campaign,
    title: str,
    row: SheetRow,
    enrolment: Enrolment | None,
    coming: dict[str, RosterRow],
    given: dict[tuple[UUID, Purpose], Consent],
    stored: set[tuple[UUID, str, date]],
) -> tuple[RowError, ...]:
    line = coming.get(row.student_no)
    said = []
    if enrolment is None and line is None:
        said.append((UNKNOWN_CHILD, {"title": "学号"}))
    elif enrolment is not None and enrolment.child.name != row.name:
        said.append((OTHER_NAME, {"title": "学号"}))
    elif not _consented(enrolment, line, given):
        said.append((NO_CONSENT, {}))
    if row.code not in campaign.instruments:
        said.append((NOT_ASKED, {"code": row.code}))
    if not policies.accepts_sheets(campaign.status):
        said.append((NOT_OPEN, {}))
    if enrolment is not None and (enrolment.child_id, row.code, row.administered_on) in stored:
        said.append((STORED_BEFORE, {}))
    return tuple(RowError(title, row.excel_row, None, message, params) for message, params in said)


def _consented(
    enrolment: Enrolment | None,
    line: RosterRow | None,
    given: dict[tuple[UUID, Purpose], Consent],
) -> bool:
    """What the file says now holds over what was stored before; a blank says nothing."""
    if line is not None and line.screening_consent is not None:
        return line.screening_consent
    if enrolment is None:
        return False
    return policies.is_consented(consent_status(given, enrolment.child_id, Purpose.SCREENING))


def _critical_rows(
    parsed: ParsedWorkbook, roll: dict[str, Enrolment]
) -> tuple[list[SheetRow], list[SheetRow]]:
    """Rows with critical answers of children found on the roll; of others, those that ask for a talk.

    Sheets whose heading is wrong are not read for alarms, nor those that ring as a whole (decision 31).
    """
    silent = {alarm.code for alarm in file_alarms(parsed)}
    wrong = {error.sheet for error in parsed.errors}
    silent |= {sheet.code for sheet in parsed.sheets if sheet.title in wrong}
    found: list[SheetRow] = []
    others: list[SheetRow] = []
    for sheet in parsed.sheets:
        for row in sheet.rows:
            if row.critical and row.code not in silent:
                enrolment = roll.get(row.student_no)
                if enrolment is not None and enrolment.child.name == row.name:
                    found.append(row)
                elif row.worst in URGENT:
                    others.append(row)
    return found, others


def _is_history(row: SheetRow, now: datetime) -> bool:
    return row.administered_on is not None and policies.is_history(row.administered_on, local_day(now))


def _sight_rows(
    session: Session,
    actor: Actor,
    batch: ImportBatch,
    rows: Sequence[SheetRow],
    roll: dict[str, Enrolment],
    now: datetime,
) -> None:
    """Critical answers of a file that is not stored yet ring at once (decisions 18 and 31)."""
    known = known_sightings(session, [roll[row.student_no].child_id for row in rows])
    seen: list[CriticalSighting] = []
    for row in rows:
        seen += _sight_row(session, batch, roll[row.student_no].child_id, row, known, now)
    answer_sightings(session, actor, seen, now)


def _sight_row(
    session: Session,
    batch: ImportBatch,
    child_id: UUID,
    row: SheetRow,
    known: set[tuple[UUID, str, str, date, str, str]],
    now: datetime,
) -> list[CriticalSighting]:
    return imports.sight(
        session,
        batch_id=batch.id,
        child_id=child_id,
        instrument=row.code,
        layout=catalogue().get(row.code).default_layout,
        # A row without a readable day was answered, as far as anybody knows, when it came.
        answered_on=row.administered_on or local_day(now),
        excel_row=row.excel_row,
        answers=row.critical,
        known=known,
        now=now,
    )


def _alarm(
    session: Session,
    actor: Actor,
    campaign: Campaign,
    batch: ImportBatch,
    kind: TaskKind,
    grade: Grade,
    now: datetime,
) -> None:
    """Ring the uploader and whoever is on duty about a file; the rows are named in its review."""
    people = people_of(session, organisation=session.get_one(Organisation, campaign.organisation_id), now=now)
    due = (
        deadlines.due("T26", None, now, china())
        if grade is Grade.C
        else deadlines.due("T09", grade.value, now, china())
    )
    task = tasks.require(
        session,
        actor=Actor.system(on_behalf_of=actor.account_id),
        kind=kind,
        subject_id=batch.id,
        organisation_id=campaign.organisation_id,
        owner_id=batch.uploaded_by,
        backup_id=people.owner_id,
        due_at=due,
        now=now,
        clock="T26" if grade is Grade.C else "T09",
    )
    urgent = grade in (Grade.A, Grade.B)
    notices.ring(
        session, task=task, step=0, whom=[batch.uploaded_by, *people.duty[:1]], urgent=urgent, now=now
    )


def _ask_commit(session: Session, actor: Actor, batch: ImportBatch, now: datetime) -> None:
    people = people_of(session, organisation=session.get_one(Organisation, batch.organisation_id), now=now)
    tasks.require(
        session,
        actor=Actor.system(on_behalf_of=actor.account_id),
        kind=TaskKind.BATCH_COMMIT,
        subject_id=batch.id,
        organisation_id=batch.organisation_id,
        owner_id=batch.uploaded_by,
        backup_id=people.owner_id,
        due_at=china().closing(china().add_working_days(local_day(now), 1)),
        now=now,
    )


def commit(
    session: Session, *, actor: Actor, batch: ImportBatch, good_rows_only: bool, now: datetime
) -> ImportBatch:
    """Let the worker write the batch. With errors in it only its good rows can be written, and only if asked so."""
    access.check_may_at(actor, May.IMPORT, batch.organisation_id)
    session.refresh(batch, with_for_update=True)  # of many who press at once one lets it be written (RL5)
    if batch.status in (BatchStatus.COMMITTING, BatchStatus.COMMITTED):
        return batch
    if batch.status is BatchStatus.REFUSED:
        raise PolicyViolation("This file cannot be read as a whole. Correct it and upload it again.")
    if batch.refused and not good_rows_only:
        raise PolicyViolation(
            "{refused} rows have errors. Correct the file and upload it again, or commit the good rows only.",
            refused=batch.refused,
        )
    imports.begin_commit(session, actor=actor, batch=batch, good_rows_only=good_rows_only, now=now)
    _order_piece(session, batch, now)
    return batch


def _order_piece(session: Session, batch: ImportBatch, now: datetime) -> None:
    outbox.publish(
        session,
        topic=WRITE_TOPIC,
        payload={"batch": str(batch.id)},
        purpose=f"import:{batch.id}:{batch.written}",
        now=now,
    )


def write_piece(session: Session, *, batch_id: UUID, size: int, now: datetime) -> None:
    """Write the next rows of a batch and order the next piece; the last one closes the batch."""
    batch = session.get_one(ImportBatch, batch_id)
    if batch.status is not BatchStatus.COMMITTING:
        return
    rows = rows_to_write(session, batch_id=batch.id, limit=size)
    actor = Actor.system(on_behalf_of=batch.committed_by)
    campaign = session.get_one(Campaign, batch.campaign_id)
    roster = [row for row in rows if row.sheet == ROSTER]
    if roster:
        _write_roster(session, actor, campaign, roster, now)
        written = roster
    else:
        _write_sheets(session, actor, campaign, batch, rows, now)
        written = list(rows)
    for row in written:
        row.done_at = now
    batch.written += len(written)
    session.flush()
    fault("piece-written")
    if rows_to_write(session, batch_id=batch.id, limit=1):
        _order_piece(session, batch, now)
    else:
        _finish(session, actor, campaign, batch, now)


def _write_roster(
    session: Session, actor: Actor, campaign: Campaign, rows: Sequence[ImportRow], now: datetime
) -> None:
    lines = [imports.open_roster_row(session, row) for row in rows]
    done = children.enrol_many(
        session, actor=actor, organisation_id=campaign.organisation_id, rows=lines, now=now
    )
    ids = [each.child_id for each in done if each.child_id is not None]
    on_roll = set(
        session.scalars(
            select(RosterEntry.child_id).where(
                RosterEntry.campaign_id == campaign.id, RosterEntry.child_id.in_(ids)
            )
        )
    )
    campaigns.put_on_roll(session, campaign_id=campaign.id, child_ids=ids, known=on_roll, now=now)
    known = current_consents(session, ids, [Purpose.SCREENING, Purpose.SHARE_FACILITY])
    for row, each in zip(rows, done, strict=True):
        if each.child_id is None:
            row.verdict = RowVerdict.REFUSED
            continue
        row.child_id = each.child_id
        for purpose, said in (
            (Purpose.SCREENING, each.row.screening_consent),
            (Purpose.SHARE_FACILITY, each.row.share_consent),
        ):
            _consent(session, actor, campaign, each.child_id, purpose, said, each.row, known, now)


def _consent(
    session: Session,
    actor: Actor,
    campaign: Campaign,
    child_id: UUID,
    purpose: Purpose,
    said: bool | None,
    line: RosterRow,
    known: dict[tuple[UUID, Purpose], Consent],
    now: datetime,
) -> None:
    if said is None:
        return
    status = ConsentStatus.GIVEN if said else ConsentStatus.REFUSED
    if consent_status(known, child_id, purpose) is status:
        return
    consents.record_from_roster(
        session,
        actor=actor,
        child_id=child_id,
        purpose=purpose,
        status=status,
        text_version=campaign.consent_version,
        given_on=line.consent_on or local_day(now),
        given_by=line.guardian_name,
        relation=line.guardian_relation,
        now=now,
    )


def _write_sheets(
    session: Session,
    actor: Actor,
    campaign: Campaign,
    batch: ImportBatch,
    rows: Sequence[ImportRow],
    now: datetime,
) -> None:
    lines = [imports.open_sheet_row(session, row) for row in rows]
    entries = _entries(session, campaign, [line.student_no for line in lines], now)
    sheets: list[SheetIn] = []
    placed: list[ImportRow] = []
    for row, line in zip(rows, lines, strict=True):
        entry = entries.get(line.student_no)
        if entry is None or line.administered_on is None:
            row.verdict = RowVerdict.REFUSED
            continue
        instrument = catalogue().get(line.code)
        sheets.append(
            SheetIn(
                entry=entry,
                instrument=instrument,
                sheet=AnswerSheet.parse(instrument, line.answers),
                administered_on=line.administered_on,
                mode=Mode.WORKBOOK,
                source=f"batch:{batch.id}:{row.sheet}:{row.excel_row}",
            )
        )
        placed.append(row)
    for row, recorded in zip(placed, submit_many(session, actor=actor, sheets=sheets, now=now), strict=True):
        row.child_id = recorded.sheet.entry.child_id
        if recorded.refused is not None:
            _refuse(batch, row, recorded.refused.message, dict(recorded.refused.params))


def _refuse(batch: ImportBatch, row: ImportRow, message: str, params: dict[str, object]) -> None:
    """A row that was good at review and cannot be written now: it joins the refused ones, with its sentence."""
    row.verdict = RowVerdict.REFUSED
    batch.refused, batch.good = batch.refused + 1, batch.good - 1
    problems = json.loads(batch.problems or "[]")
    problems.append(
        {
            "sheet": row.sheet,
            "row": row.excel_row,
            "column": None,
            "message": message,
            "params": {name: str(value) for name, value in params.items()},
            "severity": Severity.ERROR.value,
        }
    )
    batch.problems = json.dumps(problems, ensure_ascii=False)


def _entries(
    session: Session, campaign: Campaign, student_nos: Sequence[str], now: datetime
) -> dict[str, RosterEntry]:
    """The children's lines on the roll; one who is enrolled and not on it yet is put there."""
    roll = children_by_number(session, organisation_id=campaign.organisation_id, student_nos=set(student_nos))
    ids = list(roll.values())
    found = _on_roll(session, campaign, ids)
    missing = [child_id for child_id in ids if child_id not in found]
    if missing:
        campaigns.put_on_roll(session, campaign_id=campaign.id, child_ids=missing, known=set(found), now=now)
        session.flush()
        found = _on_roll(session, campaign, ids)
    return {number: found[child_id] for number, child_id in roll.items()}


def _on_roll(session: Session, campaign: Campaign, ids: Sequence[UUID]) -> dict[UUID, RosterEntry]:
    rows = session.scalars(
        select(RosterEntry).where(RosterEntry.campaign_id == campaign.id, RosterEntry.child_id.in_(ids))
    )
    return {row.child_id: row for row in rows}


def _finish(session: Session, actor: Actor, campaign: Campaign, batch: ImportBatch, now: datetime) -> None:
    """Everything good is written: late sightings ring, the refused rows stay with their owner."""
    batch.status = BatchStatus.COMMITTED
    _sight_refused(session, actor, campaign, batch, now)
    for kind in (TaskKind.BATCH_COMMIT, TaskKind.UNKNOWN_CHILD_ALARM):
        if kind is TaskKind.UNKNOWN_CHILD_ALARM and _unknown_left(session, campaign, batch):
            continue
        tasks.settle(session, actor=actor, kind=kind, subject_id=batch.id, decision="committed", now=now)
    refused = count_rows(session, batch_id=batch.id).get(RowVerdict.REFUSED, 0)
    if refused:
        tasks.require(
            session,
            actor=actor,
            kind=TaskKind.REFUSED_ROWS,
            subject_id=batch.id,
            organisation_id=batch.organisation_id,
            owner_id=batch.uploaded_by,
            backup_id=campaign.owner_id,
            due_at=china().closing(china().add_working_days(local_day(now), 3)),
            now=now,
        )


def _sight_refused(
    session: Session, actor: Actor, campaign: Campaign, batch: ImportBatch, now: datetime
) -> None:
    """Children that came in with this very file are known only now: their refused rows may hold alarms."""
    lines = [imports.open_sheet_row(session, row) for row in refused_sheet_rows(session, batch_id=batch.id)]
    urgent = [line for line in lines if line.critical]
    roll = enrolled(
        session, organisation_id=campaign.organisation_id, student_nos={line.student_no for line in urgent}
    )
    found = [line for line in urgent if (e := roll.get(line.student_no)) and e.child.name == line.name]
    _sight_rows(session, actor, batch, found, roll, now)


def _unknown_left(session: Session, campaign: Campaign, batch: ImportBatch) -> bool:
    lines = [imports.open_sheet_row(session, row) for row in refused_sheet_rows(session, batch_id=batch.id)]
    urgent = {line.student_no for line in lines if line.critical}
    return bool(urgent - set(enrolled(session, organisation_id=campaign.organisation_id, student_nos=urgent)))
