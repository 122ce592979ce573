"""One sheet and many sheets: recorded, scored, and followed up in one transaction."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from uuid import UUID

from sqlalchemy.orm import Session

from instruments import (
    AnswerError,
    AnswerErrors,
    AnswerSheet,
    Grade,
    Instrument,
    SheetConditions,
    UnknownLayout,
    in_layout,
    read_critical,
    worst_grade,
)
from referral.intake.loop import Desk, follow, read_ahead
from referral.intake.sightings import sight_keyed
from screening import access
from screening.actions import administrations
from screening.actions.administrations import Occasion, Recorded, RescreenTask, SheetIn, may_record
from screening.core.actor import Actor
from screening.core.errors import DomainError, InvalidInput
from screening.core.faults import fault
from screening.models.administration import Mode
from screening.models.result import ScreenResult

UNREADABLE = "Some answers are not among those of the questionnaire. Nothing was stored; correct them and send the sheet again."


@dataclass(frozen=True, slots=True)
class Submitted:
    """What became of one sheet at the door.

    A refusal is a value and not an exception: the alarms of a refused sheet stand (decision 18), so the transaction
    that holds them has to commit. ``refused`` says why no record was made, ``errors`` which answers cannot be read.
    ``grade`` is that of its gravest critical answer, recorded or not: it says what whoever holds the sheet does now.
    """

    recorded: Recorded | None = None
    refused: DomainError | None = None
    errors: tuple[AnswerError, ...] = ()
    grade: Grade | None = None

    @property
    def result(self) -> ScreenResult | None:
        """What was stored; nothing when the sheet was refused."""
        return self.recorded.result if self.recorded is not None else None


def submit(
    session: Session,
    *,
    actor: Actor,
    occasion: Occasion,
    instrument: Instrument,
    answers: dict[str, object],
    administered_on: date,
    mode: Mode,
    now: datetime,
    idempotency_key: str,
    informant: str | None = None,
    conditions: SheetConditions | None = None,
    layout: str | None = None,
    exact: bool = False,
) -> Submitted:
    """Record one sheet and all that follows. The same key again gives the first answer again.

    ``layout``: the order of the items on this form, where it has several. ``exact``: only integers are answers, as JSON has to say them (requirement IO1); a form's "2" and "２" are two.
    """
    access.check_may(actor, may_record(occasion))
    instrument = _in_order(instrument, layout)
    try:
        sheet = _read(instrument, answers, exact=exact)
    except AnswerErrors as wrong:
        _sight(session, actor, occasion, instrument, answers, administered_on, now)
        return Submitted(None, InvalidInput(UNREADABLE), wrong.errors, _worst(instrument, answers))
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
        _sight(session, actor, occasion, instrument, answers, administered_on, now)
    return Submitted(recorded, recorded.refused, (), _worst(instrument, answers))


def _in_order(instrument: Instrument, layout: str | None) -> Instrument:
    try:
        return instrument if layout is None else in_layout(instrument, layout)
    except UnknownLayout:
        raise InvalidInput("This questionnaire has no such order of its items.") from None


def _sight(
    session: Session,
    actor: Actor,
    occasion: Occasion,
    instrument: Instrument,
    answers: dict[str, object],
    administered_on: date,
    now: datetime,
) -> None:
    """What a refused sheet says about danger rings all the same; of a protected talk it rings nowhere at the school."""
    if not (isinstance(occasion, RescreenTask) and occasion.protected):
        sight_keyed(session, actor, occasion, instrument, answers, administered_on, now)


def _worst(instrument: Instrument, answers: Mapping[str, object]) -> Grade | None:
    return worst_grade(critical.grade for critical in read_critical(instrument, answers))


def _read(instrument: Instrument, answers: Mapping[str, object], *, exact: bool) -> AnswerSheet:
    """The sheet, or ``AnswerErrors``."""
    inexact = [
        AnswerError(key, "not_an_integer", instrument.item(key).values)
        for key, answer in answers.items()
        if key in instrument.positions and answer is not None and type(answer) is not int
    ]
    if exact and inexact:
        raise AnswerErrors(tuple(inexact))
    return AnswerSheet.parse(instrument, answers)


def submit_many(
    session: Session, *, actor: Actor, sheets: Sequence[SheetIn], now: datetime
) -> list[Recorded]:
    """Record sheets and what follows from each, as if they came one by one. A refused one names its reason and
    stops nothing."""
    return [
        recorded
        for piece in _each_child_once(sheets)
        for recorded in _submit_piece(session, actor, piece, now)
    ]


def _each_child_once(sheets: Sequence[SheetIn]) -> Iterator[list[SheetIn]]:
    """The sheets in their order, cut before a child comes again: what a child's sheet asks for is drafted from what
    was there when it came, and not from the next one."""
    piece: list[SheetIn] = []
    children: set[UUID] = set()
    for sheet in sheets:
        if sheet.entry.child_id in children:
            yield piece
            piece, children = [], set()
        piece.append(sheet)
        children.add(sheet.entry.child_id)
    if piece:
        yield piece


def _submit_piece(session: Session, actor: Actor, sheets: Sequence[SheetIn], now: datetime) -> list[Recorded]:
    # Held before anything is read about them: what is read then stays true until the end.
    desk = Desk(session, child_ids=[sheet.entry.child_id for sheet in sheets], now=now)
    done = administrations.record_many(session, actor=actor, sheets=sheets, now=now)
    fault("sheets-recorded")
    system = Actor.system(on_behalf_of=actor.account_id or actor.on_behalf_of)
    new = [
        (each.administration, each.result)
        for each in done
        if each.result is not None and each.administration is not None and not each.again
    ]
    read_ahead(desk, new)
    for administration, result in new:
        follow(session, system, administration, result, desk, now)
    fault("consequences-written")
    return done
