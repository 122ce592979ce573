"""Recording answer sheets: one and many are the same call. Only ``referral.intake`` comes in here (one door)."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import date, datetime
from uuid import UUID

from sqlalchemy import ColumnElement, and_, or_, select, update
from sqlalchemy.orm import Session

from instruments import AnswerSheet, Instrument, Scores, Sex, SheetConditions, score_many
from risk_model import LevelRules
from screening import access, policies, results
from screening.core import ahead, audit, rows
from screening.core.actor import Actor
from screening.core.audit import AuditEvent
from screening.core.clock import age_on, local_day
from screening.core.errors import Conflict, DomainError
from screening.core.sealing import Keyring
from screening.models.administration import Administration, Mode
from screening.models.campaign import RosterEntry
from screening.models.consent import ConsentStatus, Purpose
from screening.models.import_batch import CriticalSighting
from screening.models.result import ScreenResult
from screening.queries.campaigns import consent_statuses
from screening.queries.models import Serving, model_of, serving
from screening.results import SheetOnFile


@dataclass(frozen=True, slots=True)
class RescreenTask:
    """A sheet that is asked for by itself, outside a campaign (decision 24). ``id`` is what asks for it: the case.

    A person has the child in front of them for a reason of its own, so neither a campaign nor consent to screening
    is asked for. ``protected``: no school reads the sheet or is told by it (domain guide §5.2b).
    """

    id: UUID
    child_id: UUID
    base_rate: float
    protected: bool = False


Occasion = RosterEntry | RescreenTask


@dataclass(frozen=True, slots=True)
class SheetIn:
    """One sheet as it comes in. ``source`` names it once and for all: sending it twice records it once."""

    entry: Occasion
    instrument: Instrument
    sheet: AnswerSheet
    administered_on: date
    mode: Mode
    source: str
    informant: str | None = None
    conditions: SheetConditions = field(default_factory=SheetConditions)


@dataclass(frozen=True, slots=True)
class Recorded:
    """What became of one sheet. ``refused`` says why nothing was stored; ``again`` that it was there already."""

    sheet: SheetIn
    administration: Administration | None = None
    result: ScreenResult | None = None
    scores: Scores | None = None
    refused: DomainError | None = None
    again: bool = False
    sighted: bool = False


def record_many(
    session: Session, *, actor: Actor, sheets: Sequence[SheetIn], now: datetime
) -> list[Recorded]:
    """Store sheets with their results, in order. One that is refused does not hold up the others."""
    for sheet in sheets:
        access.check_may(actor, may_record(sheet.entry))
    known = _Known.load(session, sheets)
    scores = _score_all(sheets)
    return [
        _record(session, actor, sheet, scored, known, now)
        for sheet, scored in zip(sheets, scores, strict=True)
    ]


def _score_all(sheets: Sequence[SheetIn]) -> list[Scores]:
    """The scores of each sheet; those of one questionnaire go through the engine together."""
    places: dict[str, list[int]] = defaultdict(list)
    for place, sheet in enumerate(sheets):
        places[sheet.instrument.code].append(place)
    scores: dict[int, Scores] = {}
    for same in places.values():
        pairs = [(sheets[place].sheet, _conditions(sheets[place])) for place in same]
        scores.update(zip(same, score_many(sheets[same[0]].instrument, pairs), strict=True))
    return [scores[place] for place in range(len(sheets))]


def _conditions(sheet: SheetIn) -> SheetConditions:
    """How it was filled in, and about whom where the questionnaire asks for sex or age. A talk is not such a one."""
    if not sheet.instrument.asks_who or isinstance(sheet.entry, RescreenTask):
        return sheet.conditions
    child = sheet.entry.child
    age = max(age_on(child.birth_date, sheet.administered_on), 0)
    return replace(sheet.conditions, sex=Sex(child.sex.value), age=age)


def may_record(occasion: Occasion) -> access.May:
    """What somebody needs to record a sheet: that of a campaign anybody who keys, that of a talk who assesses."""
    return access.May.ASSESS if isinstance(occasion, RescreenTask) else access.May.RECORD_SHEET


class _Known:
    """What the database already says about the children of a piece of work, read in four statements."""

    def __init__(self) -> None:
        self.sources: dict[str, tuple[Administration, ScreenResult]] = {}
        self.taken: set[tuple[UUID, UUID | None, str, str, date]] = set()
        self.earlier: dict[tuple[UUID, UUID | None], list[SheetOnFile]] = defaultdict(list)
        self.consents: dict[UUID, ConsentStatus | None] = {}
        self.sighted: set[tuple[UUID, str, str, date]] = set()

    @classmethod
    def load(cls, session: Session, sheets: Sequence[SheetIn]) -> _Known:
        known = cls()
        children = {sheet.entry.child_id for sheet in sheets}
        campaigns = {s.entry.campaign_id for s in sheets if isinstance(s.entry, RosterEntry)}
        asked_by = {s.entry.id for s in sheets if isinstance(s.entry, RescreenTask)}
        # One condition where there is only one kind: a file of a thousand rows asks for nothing else.
        same: ColumnElement[bool] = Administration.campaign_id.in_(campaigns)
        if asked_by:
            same = or_(same, Administration.occasion_id.in_(asked_by))
        stored = session.execute(
            select(Administration, ScreenResult)
            .join(ScreenResult, ScreenResult.administration_id == Administration.id)
            .where(Administration.child_id.in_(children), same)
            .where(Administration.voided_at.is_(None))
            .order_by(Administration.recorded_at)
        )
        for administration, result in stored:
            known.add(administration, result)
        answers = consent_statuses(session, children, [Purpose.SCREENING])
        known.consents = {child: status for (child, _), status in answers.items()}
        seen = session.scalars(
            select(CriticalSighting).where(
                and_(CriticalSighting.child_id.in_(children), CriticalSighting.adopted_by.is_(None))
            )
        )
        known.sighted = {(s.child_id, s.instrument, s.layout, s.answered_on) for s in seen}
        return known

    def add(self, administration: Administration, result: ScreenResult) -> None:
        self.sources[administration.source] = (administration, result)
        self.taken.add(_day_key(administration))
        key = (administration.child_id, administration.campaign_id)
        self.earlier[key].append(results.earlier_sheet(result, administration))


def _day_key(a: Administration) -> tuple[UUID, UUID | None, str, str, date]:
    return (a.child_id, a.campaign_id, a.instrument, a.informant, a.administered_on)


def _record(
    session: Session, actor: Actor, sheet: SheetIn, scores: Scores, known: _Known, now: datetime
) -> Recorded:
    if sheet.source in known.sources:
        administration, result = known.sources[sheet.source]
        return Recorded(sheet, administration, result, again=True)
    try:
        _check(sheet, known, now)
    except DomainError as refused:
        return Recorded(sheet, refused=refused)
    administration = _administration(actor, sheet, now)
    # A talk may be held twice a day; a sheet of a campaign is one a day.
    if administration.campaign_id is not None and _day_key(administration) in known.taken:
        said = Conflict("A sheet of this questionnaire is already stored for this child and day.")
        return Recorded(sheet, refused=said)
    return _store(session, actor, sheet, scores, administration, known, now)


def _check(sheet: SheetIn, known: _Known, now: datetime) -> None:
    if isinstance(sheet.entry, RescreenTask):
        policies.check_informant(sheet.informant, sheet.instrument.informants)
        policies.check_day_of_sheet(sheet.administered_on, local_day(now))
        return
    campaign = sheet.entry.campaign
    policies.check_accepts_sheets(campaign.status)
    policies.check_instrument_asked(sheet.instrument.code, campaign.instruments)
    policies.check_informant(sheet.informant, sheet.instrument.informants)
    policies.check_day_of_sheet(sheet.administered_on, local_day(now))
    policies.check_consented(known.consents.get(sheet.entry.child_id))


def _administration(actor: Actor, sheet: SheetIn, now: datetime) -> Administration:
    entry, talk = sheet.entry, isinstance(sheet.entry, RescreenTask)
    return Administration(
        child_id=entry.child_id,
        campaign_id=None if isinstance(entry, RescreenTask) else entry.campaign_id,
        roster_entry_id=None if talk else entry.id,
        occasion_id=entry.id if talk else None,
        protected=isinstance(entry, RescreenTask) and entry.protected,
        instrument=sheet.instrument.code,
        instrument_version=sheet.instrument.version,
        layout=sheet.sheet.layout,
        informant=sheet.informant or sheet.instrument.informants[0],
        mode=sheet.mode,
        source=sheet.source,
        administered_on=sheet.administered_on,
        recorded_at=now,
        recorded_by=actor.account_id,
    )


def _store(
    session: Session,
    actor: Actor,
    sheet: SheetIn,
    scores: Scores,
    administration: Administration,
    known: _Known,
    now: datetime,
) -> Recorded:
    keyring: Keyring = session.info["keyring"]
    today = local_day(now)
    there = _serving(session, sheet.entry, today)
    administration.answers_sealed = keyring.seal(administration.answers_place, sheet.sheet.packed())
    administration.validity = results.validity_of(scores)
    result = results.compute(
        administration,
        scores,
        known.earlier[sheet.entry.child_id, administration.campaign_id] if administration.campaign_id else (),
        instrument=sheet.instrument,
        model=there.model,
        base_rate=_base_rate(sheet.entry),
        rules=there.rules,
        history=policies.is_history(sheet.administered_on, today),
        now=now,
        county=there.county,
    )
    rows.add_plain(session, administration)
    rows.add_plain(session, result)
    ahead.newborn(session, result.id)
    sighted = _adopt(session, administration, known)
    audit.record(
        session,
        actor=actor,
        event=AuditEvent.ADMINISTRATION_RECORD,
        at=now,
        child_id=administration.child_id,
        subject_id=administration.id,
        detail={"instrument": administration.instrument, "mode": administration.mode.value},
    )
    known.add(administration, result)
    return Recorded(sheet, administration, result, scores, sighted=sighted)


def _serving(session: Session, occasion: Occasion, today: date) -> Serving:
    """A talk asks about safety, which no model reads: it does not ask which one serves."""
    if isinstance(occasion, RescreenTask):
        return Serving(model_of(None, today)[0], LevelRules(), "")
    return serving(session, organisation_id=occasion.campaign.organisation_id, today=today)


def _base_rate(occasion: Occasion) -> float:
    return occasion.base_rate if isinstance(occasion, RescreenTask) else occasion.campaign.base_rate


def _adopt(session: Session, administration: Administration, known: _Known) -> bool:
    """The sheet behind an earlier sighting has arrived: what was opened for it stays open (decision 31)."""
    key = (
        administration.child_id,
        administration.instrument,
        administration.layout,
        administration.administered_on,
    )
    if key not in known.sighted:
        return False
    with session.no_autoflush:  # what waits to be written has nothing to do with it
        session.execute(
            update(CriticalSighting)
            .where(
                CriticalSighting.child_id == administration.child_id,
                CriticalSighting.instrument == administration.instrument,
                CriticalSighting.layout == administration.layout,
                CriticalSighting.answered_on == administration.administered_on,
            )
            .values(adopted_by=administration.id)
        )
    return True
