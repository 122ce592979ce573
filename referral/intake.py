"""The one door for answer sheets, and everything that follows from one, top to bottom.

A sheet is recorded and scored; where its level asks for it the same transaction opens the case (and the crisis
episode), drafts plan and referral, and sets tasks, trail and outbox. All of it commits, or none. Only slow or
outside work is left to the worker.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Sequence
from datetime import date, datetime
from uuid import UUID, uuid5

from sqlalchemy import select
from sqlalchemy.orm import Session

from instruments import (
    AnswerErrors,
    AnswerSheet,
    Grade,
    Instrument,
    SheetConditions,
    catalogue,
    read_critical,
    worst_grade,
)
from referral import deadlines
from referral.actions import cases, crises, notices, plans, referrals, releases, tasks
from referral.models.case import Case
from referral.queries.people import People, people_of
from referral.queries.plan_facts import plan_facts
from referral.queries.signals import Signal, of_result
from referral.terms import TaskKind
from risk_model import Level
from screening import access, policies
from screening.access import May
from screening.actions import administrations, campaigns, children, consents, imports
from screening.actions.administrations import Recorded, SheetIn
from screening.actions.imports import CheckedRow
from screening.core import outbox
from screening.core.actor import Actor
from screening.core.calendar import china
from screening.core.clock import local_day
from screening.core.errors import InvalidInput, PolicyViolation
from screening.core.faults import fault
from screening.models.administration import Administration, Mode, SheetValidity
from screening.models.campaign import Campaign, RosterEntry
from screening.models.child import Child, Enrolment
from screening.models.consent import Consent, ConsentStatus, Purpose
from screening.models.import_batch import BatchStatus, CriticalSighting, ImportBatch, ImportRow, RowVerdict
from screening.models.organisation import Organisation
from screening.models.result import ResultStatus, ScreenResult
from screening.queries.campaigns import consent_status, current_consents
from screening.queries.children import enrolled
from screening.queries.imports import (
    ROSTER,
    count_rows,
    find_batch,
    refused_sheet_rows,
    rows_to_write,
)
from screening.spreadsheets.rows import ParsedWorkbook, RosterRow, RowError, Severity, SheetRow, file_alarms

WRITE_TOPIC = "import.write"
OPENS_A_LOOP = frozenset({Level.HIGH, Level.CRISIS_ITEM})

UNKNOWN_CHILD = "{title}: no child with this 学号 is on the roll of this school or in the 名册 of this file."
OTHER_NAME = "{title}: this 学号 belongs to a child with another 姓名. Check the number."
NO_CONSENT = "There is no consent to screening for this child, so the sheet is not stored."
NOT_ASKED = "The questionnaire {code} is not part of this campaign."
STORED_BEFORE = "A sheet of this questionnaire is already stored for this child and day."
NOT_OPEN = "This campaign is not open, so no sheet can be recorded in it."


# --- one sheet, many sheets --------------------------------------------------------------------------------


def submit(
    session: Session,
    *,
    actor: Actor,
    occasion: RosterEntry,
    instrument: Instrument,
    answers: dict[str, object],
    administered_on: date,
    mode: Mode,
    now: datetime,
    idempotency_key: str,
    informant: str | None = None,
    conditions: SheetConditions | None = None,
) -> Recorded:
    """Record one sheet and all that follows. The same key again gives the first answer again."""
    access.check_may(actor, May.RECORD_SHEET)
    try:
        sheet = AnswerSheet.parse(instrument, answers)
    except AnswerErrors:
        # Alarms never wait for a form to be put right: a refused sheet's critical answers ring now (decision 18).
        _sight_keyed(session, actor, occasion, instrument, answers, administered_on, now)
        raise
    if sheet.is_blank:
        raise InvalidInput("A wholly blank sheet is no sheet: mark the child absent instead.")
    [recorded] = submit_many(
        session,
        actor=actor,
        sheets=[
            SheetIn(
                entry=occasion,
                instrument=instrument,
                sheet=sheet,
                administered_on=administered_on,
                mode=mode,
                source=f"keyed:{actor.account_id}:{idempotency_key}",
                informant=informant,
                conditions=conditions or SheetConditions(),
            )
        ],
        now=now,
    )
    if recorded.refused is not None:
        raise recorded.refused
    return recorded


def submit_many(
    session: Session, *, actor: Actor, sheets: Sequence[SheetIn], now: datetime
) -> list[Recorded]:
    """Record sheets and what follows from each. A refused one names its reason and stops nothing."""
    done = administrations.record_many(session, actor=actor, sheets=sheets, now=now)
    fault("sheets-recorded")
    staff = _Staff(session, now)
    system = Actor.system(on_behalf_of=actor.account_id or actor.on_behalf_of)
    for recorded in done:
        if recorded.result is not None and recorded.administration is not None and not recorded.again:
            _follow(session, system, recorded.administration, recorded.result, staff, now)
    fault("consequences-written")
    return done


class _Staff:
    """Who answers at each school, looked up once per piece of work."""

    def __init__(self, session: Session, now: datetime) -> None:
        self._session, self._now = session, now
        self._known: dict[UUID, People] = {}

    def of(self, organisation_id: UUID) -> People:
        if organisation_id not in self._known:
            organisation = self._session.get_one(Organisation, organisation_id)
            self._known[organisation_id] = people_of(self._session, organisation=organisation, now=self._now)
        return self._known[organisation_id]


def _follow(
    session: Session,
    actor: Actor,
    administration: Administration,
    result: ScreenResult,
    staff: _Staff,
    now: datetime,
) -> None:
    """From one result to everything it asks for."""
    child = session.get_one(Child, result.child_id)
    people = staff.of(child.organisation_id)
    if result.history:
        _history(session, actor, child, people, administration, result, now)
        return
    _repeat(session, actor, child, people, administration, result, now)
    if result.grade is Grade.R:
        due = china().closing(china().add_working_days(local_day(now), 10))
        _task(session, actor, TaskKind.REVIEW_CRITICAL, result.id, child, people, due, now)
    signal = of_result(result)
    if signal is not None:
        _answer(session, actor, child, people, signal, now)


def _answer(
    session: Session, actor: Actor, child: Child, people: People, signal: Signal, now: datetime
) -> None:
    """What a level asks for: nothing, a person's look, a safety talk, or the whole loop."""
    if signal.level in OPENS_A_LOOP:
        _open_loop(session, actor, child, people, signal, now)
    elif signal.grade is Grade.C:
        case = cases.open_from_screening(
            session, actor=actor, child=child, people=people, signal=signal, now=now
        )
        cases.require_talk(session, actor=actor, case=case, kind=TaskKind.SAFETY_TALK, case_word="C", now=now)
    elif signal.level is Level.ELEVATED:
        due = deadlines.due("T09", "elevated", now, china())
        case_open = cases.find_open(session, child_id=child.id)
        _task(session, actor, TaskKind.SECOND_ASSESSMENT, child.id, child, people, due, now, "T09", case_open)


def _open_loop(
    session: Session, actor: Actor, child: Child, people: People, signal: Signal, now: datetime
) -> None:
    """Case, crisis, draft plan, draft referral, and the note on order: nobody is waited for."""
    case = cases.open_from_screening(session, actor=actor, child=child, people=people, signal=signal, now=now)
    fault("case-opened")
    _call_a_person(session, actor, case, people, signal, now)
    facts = plan_facts(
        session,
        case=case,
        child=child,
        level=signal.level,
        grade=signal.grade,
        severe=signal.severe,
        probability=signal.probability,
        now=now,
    )
    draft = plans.decide(facts)
    plans.save_draft(
        session, actor=actor, case=case, facts=facts, draft=draft, reason=signal.trigger, now=now
    )
    fault("plan-drafted")
    if child.harm_answer is None:
        due = deadlines.due("T09", "high", now, china())
        _task(session, actor, TaskKind.GUARDIAN_HARM_QUESTION, case.id, child, people, due, now, None, case)
    if draft.update_only:
        # R-L2: somebody already cares for this child. No second referral; the plan is looked at today.
        today = deadlines.due("T09", "B", now, china())
        _task(session, actor, TaskKind.PLAN_REVIEW, case.id, child, people, today, now, None, case)
        referrals.ask_update(session, actor=actor, case=case, now=now)
    if draft.referral is not None:
        referral = referrals.draft_or_update(
            session, actor=actor, case=case, child=child, need=draft.referral, now=now
        )
        fault("referral-drafted")
        releases.release(
            session, actor=actor, case=case, child=child, referral=referral, signal=signal, now=now
        )


def _call_a_person(
    session: Session, actor: Actor, case: Case, people: People, signal: Signal, now: datetime
) -> None:
    if signal.grade is Grade.A:
        crises.open_crisis(
            session,
            actor=actor,
            case=case,
            people=people,
            trigger=signal.trigger,
            trigger_id=signal.trigger_id,
            now=now,
        )
        fault("crisis-opened")
        return
    if signal.grade is Grade.B:
        cases.require_talk(
            session, actor=actor, case=case, kind=TaskKind.SAME_DAY_TALK, case_word="B", now=now
        )
        task = tasks.find_open(session, kind=TaskKind.SAME_DAY_TALK, subject_id=case.child_id)
        if task is not None:
            whom = [case.owner_id] if china().in_school_hours(now) else [*people.duty[:1], case.owner_id]
            notices.ring(session, task=task, step=0, whom=whom, urgent=True, now=now)
        return
    cases.require_talk(
        session, actor=actor, case=case, kind=TaskKind.SECOND_ASSESSMENT, case_word="high", now=now
    )
    if signal.grade is Grade.C:
        cases.require_talk(session, actor=actor, case=case, kind=TaskKind.SAFETY_TALK, case_word="C", now=now)


def _repeat(
    session: Session,
    actor: Actor,
    child: Child,
    people: People,
    administration: Administration,
    result: ScreenResult,
    now: datetime,
) -> None:
    """Not scored or doubtful: to be done again (T27). A good sheet ends that wait."""
    subject = uuid5(administration.roster_entry_id, administration.instrument)
    doubtful = administration.validity is not SheetValidity.VALID
    if result.status is ResultStatus.NOT_SCORED or doubtful:
        due = deadlines.due("T27", None, now, china())
        _task(session, actor, TaskKind.RETEST, subject, child, people, due, now, "T27")
    else:
        tasks.settle(
            session, actor=actor, kind=TaskKind.RETEST, subject_id=subject, decision="done_again", now=now
        )


def _history(
    session: Session,
    actor: Actor,
    child: Child,
    people: People,
    administration: Administration,
    result: ScreenResult,
    now: datetime,
) -> None:
    """Sheets of long ago open nothing; together they are one owned list (decision 18)."""
    if result.level in (None, Level.NONE) and result.status is ResultStatus.SCORED:
        return
    tasks.require(
        session,
        actor=actor,
        kind=TaskKind.HISTORY_REVIEW,
        subject_id=administration.campaign_id,
        organisation_id=child.organisation_id,
        owner_id=people.owner_id,
        backup_id=people.backup_id,
        due_at=china().closing(china().add_working_days(local_day(now), 10)),
        now=now,
    )


def _task(
    session: Session,
    actor: Actor,
    kind: TaskKind,
    subject_id: UUID,
    child: Child,
    people: People,
    due: datetime,
    now: datetime,
    clock: str | None = None,
    case: Case | None = None,
) -> None:
    tasks.require(
        session,
        actor=actor,
        kind=kind,
        subject_id=subject_id,
        organisation_id=child.organisation_id,
        owner_id=case.owner_id if case else people.owner_id,
        backup_id=case.backup_id if case else people.backup_id,
        due_at=due,
        now=now,
        clock=clock,
        child_id=child.id,
        case_id=case.id if case else None,
    )


# --- critical answers seen before a sheet is stored --------------------------------------------------------


def _sight_keyed(
    session: Session,
    actor: Actor,
    occasion: RosterEntry,
    instrument: Instrument,
    answers: dict[str, object],
    administered_on: date,
    now: datetime,
) -> None:
    answered = read_critical(instrument, answers)
    sightings = imports.sight(
        session,
        batch_id=None,
        child_id=occasion.child_id,
        instrument=instrument.code,
        layout=instrument.default_layout,
        answered_on=administered_on,
        excel_row=None,
        answers=answered,
        known=_known_sightings(session, [occasion.child_id]),
        now=now,
    )
    _answer_sightings(session, actor, sightings, now)


def _known_sightings(
    session: Session, child_ids: Iterable[UUID]
) -> set[tuple[UUID, str, str, date, str, str]]:
    rows = session.scalars(select(CriticalSighting).where(CriticalSighting.child_id.in_(list(child_ids))))
    return {(s.child_id, s.instrument, s.layout, s.answered_on, s.item, s.grade.value) for s in rows}


def _answer_sightings(
    session: Session, actor: Actor, sightings: Sequence[CriticalSighting], now: datetime
) -> None:
    """Open what each child's new critical answers ask for, by the gravest of them."""
    system = Actor.system(on_behalf_of=actor.account_id or actor.on_behalf_of)
    staff = _Staff(session, now)
    by_child: dict[UUID, list[CriticalSighting]] = {}
    for sighting in sightings:
        if not policies.is_history(sighting.answered_on, local_day(now)):
            by_child.setdefault(sighting.child_id, []).append(sighting)
    for child_id, seen in by_child.items():
        child = session.get_one(Child, child_id)
        people = staff.of(child.organisation_id)
        grade = worst_grade(sighting.grade for sighting in seen)
        if grade in (Grade.A, Grade.B, Grade.C):
            level = Level.ELEVATED if grade is Grade.C else Level.CRISIS_ITEM
            signal = Signal(child_id, level, grade, "sighting", seen[0].id)
            _answer(session, system, child, people, signal, now)


# --- a workbook: stage, commit, write ------------------------------------------------------------------------


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
    rows = _check_rows(session, campaign, parsed, roll, now)
    batch = imports.store(
        session,
        actor=actor,
        campaign=campaign,
        data=data,
        file_name=file_name,
        parsed=parsed,
        rows=rows,
        now=now,
    )
    session.flush()
    if not parsed.refused:
        _ring_staged(session, actor, campaign, batch, parsed, rows, roll, now)
        if batch.status is BatchStatus.STAGED:
            _ask_commit(session, actor, batch, now)
    return batch


def _numbers(parsed: ParsedWorkbook) -> set[str]:
    return {row.student_no for row in parsed.rows if row.student_no}


def _check_rows(
    session: Session, campaign: Campaign, parsed: ParsedWorkbook, roll: dict[str, Enrolment], now: datetime
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


def _ring_staged(
    session: Session,
    actor: Actor,
    campaign: Campaign,
    batch: ImportBatch,
    parsed: ParsedWorkbook,
    rows: Sequence[CheckedRow],
    roll: dict[str, Enrolment],
    now: datetime,
) -> None:
    """Critical answers of a file that is not stored yet (decisions 18 and 31)."""
    alarmed = {alarm.code for alarm in file_alarms(parsed)}
    wrong = {error.sheet for error in parsed.errors}
    titles = {sheet.code: sheet.title for sheet in parsed.sheets}
    known = _known_sightings(session, [enrolment.child_id for enrolment in roll.values()])
    seen: list[CriticalSighting] = []
    unknown: list[SheetRow] = []
    for checked in rows:
        row = checked.row
        if (
            not isinstance(row, SheetRow)
            or not row.critical
            or row.code in alarmed
            or titles[row.code] in wrong
        ):
            continue
        enrolment = roll.get(row.student_no)
        if enrolment is not None and enrolment.child.name == row.name:
            seen += _sight_row(session, batch, enrolment.child_id, row, known, now)
        else:
            unknown.append(row)
    _answer_sightings(session, actor, seen, now)
    if alarmed:
        _alarm(session, actor, campaign, batch, TaskKind.FILE_ALARM, Grade.B, now)
    urgent = worst_grade(row.worst for row in unknown if row.worst)
    if urgent in (Grade.A, Grade.B, Grade.C):
        _alarm(session, actor, campaign, batch, TaskKind.UNKNOWN_CHILD_ALARM, urgent, now)


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
    roll = enrolled(session, organisation_id=campaign.organisation_id, student_nos=set(student_nos))
    ids = [enrolment.child_id for enrolment in roll.values()]
    found = _on_roll(session, campaign, ids)
    missing = [child_id for child_id in ids if child_id not in found]
    if missing:
        campaigns.put_on_roll(session, campaign_id=campaign.id, child_ids=missing, known=set(found), now=now)
        session.flush()
        found = _on_roll(session, campaign, ids)
    return {number: found[enrolment.child_id] for number, enrolment in roll.items()}


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
    known = _known_sightings(session, [enrolment.child_id for enrolment in roll.values()])
    seen: list[CriticalSighting] = []
    for line in urgent:
        enrolment = roll.get(line.student_no)
        if enrolment is not None and enrolment.child.name == line.name:
            seen += _sight_row(session, batch, enrolment.child_id, line, known, now)
    _answer_sightings(session, actor, seen, now)


def _unknown_left(session: Session, campaign: Campaign, batch: ImportBatch) -> bool:
    lines = [imports.open_sheet_row(session, row) for row in refused_sheet_rows(session, batch_id=batch.id)]
    urgent = {line.student_no for line in lines if line.critical}
    return bool(urgent - set(enrolled(session, organisation_id=campaign.organisation_id, student_nos=urgent)))
