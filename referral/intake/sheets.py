"""One sheet and many sheets: recorded, scored, and followed up in one transaction."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, datetime

from sqlalchemy.orm import Session

from instruments import (
    AnswerErrors,
    AnswerSheet,
    Instrument,
    SheetConditions,
)
from referral.intake.loop import Staff, follow
from referral.intake.sightings import sight_keyed
from screening import access
from screening.access import May
from screening.actions import administrations
from screening.actions.administrations import Recorded, SheetIn
from screening.core.actor import Actor
from screening.core.errors import InvalidInput
from screening.core.faults import fault
from screening.models.administration import Mode
from screening.models.campaign import RosterEntry


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
        sight_keyed(session, actor, occasion, instrument, answers, administered_on, now)
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
    staff = Staff(session, now)
    system = Actor.system(on_behalf_of=actor.account_id or actor.on_behalf_of)
    for recorded in done:
        if recorded.result is not None and recorded.administration is not None and not recorded.again:
            follow(session, system, recorded.administration, recorded.result, staff, now)
    fault("consequences-written")
    return done
