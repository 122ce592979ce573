"""Scored children of a county with what became known of them: for learning and for the draw, never for a page."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from uuid import UUID

from sqlalchemy import exists, select
from sqlalchemy.orm import Session, joinedload

from referral.models.case import Assessment, Case
from referral.models.labels import CheckDraw, Concern, RandomCheck
from referral.models.referral import Referral, ReturnNote
from referral.models.task import Task
from referral.terms import Custody, TaskKind
from risk_model.labels import LabelRow, chance_over
from risk_model.served import ServedModel, estimate, served
from screening.access import May, Part, check_may_at, organisations_visible_to, places, visible_child_ids
from screening.core import audit
from screening.core.actor import Actor
from screening.core.audit import AuditEvent
from screening.core.errors import NotFound
from screening.models.administration import Administration
from screening.models.child import Child
from screening.models.consent import ConsentStatus, Purpose
from screening.models.organisation import Organisation, OrganisationKind
from screening.models.result import ResultStatus, ScreenResult
from screening.queries.campaigns import consent_statuses

# What counts is what an assessor found within eight weeks of the sheet: later it is another state.
WINDOW = timedelta(weeks=8)
WORRIED = 2


@dataclass(frozen=True, slots=True)
class Finding:
    """One finding that came back: when, what, and the model's probability of the day of the sheet."""

    on: date
    y: int
    probability: float
    referred: bool


@dataclass(frozen=True, slots=True)
class Scored:
    """A child's newest result with an estimate, with the totals behind it."""

    result: ScreenResult
    school_id: UUID
    totals: dict[str, float]


def scored_children(session: Session, *, actor: Actor, county: Organisation, since: datetime) -> list[Scored]:
    """The newest estimate of each child of a county since then. History and protected talks are left out."""
    found = (
        _as_of(results, place, None)
        for results, place in _results_of_county(session, actor, county, since).values()
    )
    return [each for each in found if each is not None]


def _results_of_county(
    session: Session, actor: Actor, county: Organisation, since: datetime
) -> dict[UUID, tuple[list[ScreenResult], UUID]]:
    """The results of each child in the order they came, and the child's school."""
    below = organisations_visible_to(actor).where(Organisation.path.startswith(county.path, autoescape=True))
    rows = session.execute(
        select(ScreenResult, Child.organisation_id)
        .join(Administration, Administration.id == ScreenResult.administration_id)
        .join(Child, Child.id == ScreenResult.child_id)
        .where(
            Child.organisation_id.in_(below.with_only_columns(Organisation.id)),
            ScreenResult.computed_at >= since,
            ScreenResult.history.is_(False),
            ScreenResult.status == ResultStatus.SCORED,
            Administration.voided_at.is_(None),
            Administration.protected.is_(False),
            Administration.campaign_id.is_not(None),
        )
        .options(joinedload(ScreenResult.administration))
        .order_by(ScreenResult.computed_at, ScreenResult.id)
    )
    found: dict[UUID, tuple[list[ScreenResult], UUID]] = {}
    for result, place in rows:
        found.setdefault(result.child_id, ([], place))[0].append(result)
    return found


def _as_of(results: Sequence[ScreenResult], place: UUID, until: datetime | None) -> Scored | None:
    """The newest estimate there was at an instant (now, if none is given)."""
    then = [row for row in results if until is None or row.computed_at <= until]
    newest = next((row for row in reversed(then) if row.probability is not None), None)
    return Scored(newest, place, _totals(then, newest)) if newest is not None else None


def _totals(results: Iterable[ScreenResult], newest: ScreenResult) -> dict[str, float]:
    """The totals the newest estimate was made of."""
    used = set(newest.sheets)
    reasons = {str(reason["instrument"]) for reason in newest.reasons}
    totals: dict[str, float] = {}
    for row in results:
        value = row.scores.get("total", {}).get("value")
        if (
            str(row.administration_id) in used
            and row.administration.instrument in reasons
            and value is not None
        ):
            totals[row.administration.instrument] = float(value)
    return totals


def label_rows(
    session: Session,
    *,
    actor: Actor,
    county: Organisation,
    since: datetime,
    now: datetime,
    base: ServedModel,
    base_rate: float,
) -> list[LabelRow]:
    """Every scored child since then with origin, finding and chance (``risk_model.labels``).

    A referred child whose finding is not clear, who did not come, or was seen after eight weeks is missing; so is a
    child drawn by lot who declined. Nobody is healthy for want of a finding.
    """
    check_may_at(actor, May.SET_MODEL, county.id)
    results_of = _results_of_county(session, actor, county, since)
    ids = list(results_of)
    referrals = _referrals(session, ids, since)
    checks = {check.child_id: check for check in _checks(session, county, ids)}
    drawn_at = dict(_draw_instants(session, county))
    worried = _worried(session, ids, since)
    shares = _shares(session, county, since)
    plain = served(base.base)
    rows = []
    for child_id, (results, place) in results_of.items():
        sent, check = referrals.get(child_id), checks.get(child_id)
        # What was found belongs to the sheets that were there when the child was sent or drawn.
        until = sent.sent_at if sent else drawn_at.get(check.draw_id) if check else None
        each = _as_of(results, place, until)
        prediction = estimate(plain, each.totals, base_rate=base_rate) if each else None
        if each is None or prediction is None:
            continue
        result = each.result
        level = result.level.value if result.level else "none"
        cell = f"{level}:{'worried' if worried.get(child_id, 0) >= WORRIED else 'not'}"
        note = _note(sent, result) if sent else None
        weeks = [
            week[str(each.school_id)]
            for at, week in shares
            if at > result.computed_at and str(each.school_id) in week
        ]
        rows.append(
            LabelRow(
                child=str(child_id),
                school=str(each.school_id),
                facility=str(sent.facility_id) if sent and sent.facility_id else None,
                origin="referred" if sent else "checked" if check else None,
                y=_y(note, check if sent is None else None),
                chance=(chance_over(result.probability, weeks) or check.chance)
                if check and sent is None
                else None,
                cell=cell,
                probability=prediction.probability,
                totals=each.totals,
                blinded=not note.assessor_saw_probability if note else bool(check and check.blinded),
            )
        )
    return rows


def _y(note: ReturnNote | None, check: RandomCheck | None) -> int | None:
    if note is not None:
        return note.finding.label
    return check.finding.label if check is not None and check.finding is not None else None


def _note(referral: Referral, result: ScreenResult) -> ReturnNote | None:
    """The last word of the facility, if it saw the child in time."""
    answered = result.administration.administered_on
    in_time = [note for note in referral.return_notes if timedelta(0) <= note.visit_on - answered <= WINDOW]
    return in_time[-1] if in_time else None


def _pieces(ids: Sequence[UUID]) -> Iterable[Sequence[UUID]]:
    for start in range(0, len(ids), 500):
        yield ids[start : start + 500]


def _referrals(session: Session, child_ids: Sequence[UUID], since: datetime) -> dict[UUID, Referral]:
    """The newest referral that has left, of each child."""
    found: dict[UUID, Referral] = {}
    for piece in _pieces(child_ids):
        for referral in session.scalars(
            select(Referral)
            .join(Case, Case.id == Referral.case_id)
            .where(
                Referral.child_id.in_(piece),
                Referral.sent_at >= since,
                Case.custody == Custody.SCHOOL,
            )
            .order_by(Referral.sent_at, Referral.id)
        ):
            found[referral.child_id] = referral
    return found


def _checks(session: Session, county: Organisation, child_ids: Sequence[UUID]) -> list[RandomCheck]:
    known = set(child_ids)
    rows = session.scalars(select(RandomCheck).where(RandomCheck.county_id == county.id)).all()
    return [row for row in rows if row.child_id in known]


def _worried(session: Session, child_ids: Sequence[UUID], since: datetime) -> dict[UUID, int]:
    """A person's own impression, as it was before the scores were shown."""
    found: dict[UUID, int] = {}
    for piece in _pieces(child_ids):
        for child_id, value in session.execute(
            select(Assessment.child_id, Assessment.concern)
            .join(Case, Case.id == Assessment.case_id)
            .where(
                Assessment.child_id.in_(piece),
                Assessment.held_at >= since,
                Assessment.concern.is_not(None),
                Case.custody == Custody.SCHOOL,
            )
        ):
            found[child_id] = max(found.get(child_id, 0), value or 0)
        for child_id, value in session.execute(
            select(Concern.child_id, Concern.value)
            .join(Case, Case.id == Concern.case_id)
            .where(
                Concern.child_id.in_(piece),
                Concern.recorded_at >= since,
                Concern.value.is_not(None),
                Case.custody == Custody.SCHOOL,
            )
            .order_by(Concern.recorded_at)
        ):
            found[child_id] = value or 0
    return found


def _shares(
    session: Session, county: Organisation, since: datetime
) -> list[tuple[datetime, dict[str, float]]]:
    rows = session.scalars(
        select(CheckDraw)
        .where(CheckDraw.county_id == county.id, CheckDraw.drawn_at >= since)
        .order_by(CheckDraw.week_on)
    ).all()
    return [(row.drawn_at, {str(k): float(v) for k, v in row.shares.items()}) for row in rows]


def _draw_instants(session: Session, county: Organisation) -> list[tuple[UUID, datetime]]:
    """When each draw of a county was made."""
    rows = session.scalars(select(CheckDraw).where(CheckDraw.county_id == county.id)).all()
    return [(row.id, row.drawn_at) for row in rows]


def findings_of(rows_with_days: Sequence[tuple[LabelRow, date]]) -> list[Finding]:
    """Rows with a finding, by the day it was found."""
    found = [
        Finding(day, row.y, row.probability, row.origin == "referred")
        for row, day in rows_with_days
        if row.y is not None and row.probability is not None
    ]
    return sorted(found, key=lambda each: each.on)


def days_of_findings(
    session: Session, *, actor: Actor, county: Organisation, rows: Sequence[LabelRow]
) -> dict[str, date]:
    """The day on which each judged child was judged."""
    check_may_at(actor, May.SET_MODEL, county.id)
    visible = organisations_visible_to(actor).where(
        Organisation.path.startswith(county.path, autoescape=True)
    )
    ids = [UUID(row.child) for row in rows if row.y is not None]
    days: dict[str, date] = {}
    for piece in _pieces(ids):
        for child_id, day in session.execute(
            select(Referral.child_id, ReturnNote.visit_on)
            .join(ReturnNote, ReturnNote.referral_id == Referral.id)
            .join(Child, Child.id == Referral.child_id)
            .join(Case, Case.id == Referral.case_id)
            .where(Referral.child_id.in_(piece), Case.custody == Custody.SCHOOL)
            .where(Child.organisation_id.in_(visible.with_only_columns(Organisation.id)))
            .order_by(ReturnNote.visit_on)
        ):
            days[str(child_id)] = day
    for check in _checks(session, county, ids):
        if check.held_on is not None:
            days.setdefault(str(check.child_id), check.held_on)
    return days


# --- the draw ----------------------------------------------------------------------------------------------


def pool_of(
    session: Session, *, actor: Actor, county: Organisation, since: datetime
) -> dict[str, dict[str, ScreenResult]]:
    """Per school, the children who may be drawn: scored, with consent, nobody has referred them or has a case open,
    no line about them waits, and they were not drawn before."""
    check_may_at(actor, May.HOLD_CHECK, county.id)
    there = scored_children(session, actor=actor, county=county, since=since)
    ids = [each.result.child_id for each in there]
    taken = set(_referrals(session, ids, since))
    consents: dict[UUID, ConsentStatus | None] = {}
    for piece in _pieces(ids):
        # In whichever county: a child is drawn once, and may have moved since.
        taken |= set(
            session.scalars(select(RandomCheck.child_id).where(RandomCheck.child_id.in_(piece))).all()
        )
        taken |= set(
            session.scalars(
                select(Case.child_id).where(Case.child_id.in_(piece), Case.closed_at.is_(None))
            ).all()
        )
        taken |= {
            child_id
            for child_id in session.scalars(
                select(Task.child_id).where(Task.child_id.in_(piece), Task.done_at.is_(None))
            ).all()
            if child_id is not None
        }
        answers = consent_statuses(session, set(piece), [Purpose.SCREENING])
        consents |= {child: status for (child, _), status in answers.items()}
    pool: dict[str, dict[str, ScreenResult]] = defaultdict(dict)
    for each in there:
        child_id = each.result.child_id
        if child_id not in taken and consents.get(child_id) is ConsentStatus.GIVEN:
            pool[str(each.school_id)][str(child_id)] = each.result
    return dict(pool)


def list_checks(session: Session, *, actor: Actor, now: datetime) -> Sequence[tuple[RandomCheck, Child]]:
    """Checks that wait for this actor's county, with the child as far as it has been opened: name and class."""
    rows = session.execute(
        select(RandomCheck, Child)
        .join(Child, Child.id == RandomCheck.child_id)
        .where(
            RandomCheck.county_id.in_(places(actor, May.HOLD_CHECK)),
            RandomCheck.finding.is_(None),
            RandomCheck.child_id.in_(visible_child_ids(actor, Part.IDENTITY)),
        )
        .order_by(RandomCheck.id)
    )
    found = [(check, child) for check, child in rows]
    audit.record_list(
        session,
        actor=actor,
        event=AuditEvent.CHECK_LIST,
        at=now,
        children=[child.id for _, child in found],
        detail={"checks": len(found)},
    )
    return found


def get_check(session: Session, *, actor: Actor, check_id: UUID, now: datetime) -> tuple[RandomCheck, Child]:
    """One of them, or :class:`NotFound`."""
    for check, child in list_checks(session, actor=actor, now=now):
        if check.id == check_id:
            return check, child
    raise NotFound


def counties_that_draw(session: Session) -> Sequence[Organisation]:
    """Every county of the store."""
    return session.scalars(
        select(Organisation).where(Organisation.kind == OrganisationKind.COUNTY).order_by(Organisation.path)
    ).all()


def open_alarms(session: Session, *, organisation: Organisation) -> Sequence[Task]:
    """Lines about the model of a county that was found through a scope; they name no child."""
    return session.scalars(
        select(Task)
        .where(
            Task.kind == TaskKind.MODEL_ALARM,
            Task.organisation_id == organisation.id,
            Task.done_at.is_(None),
        )
        .order_by(Task.opened_at)
    ).all()


def was_told(session: Session, *, kind: TaskKind, subject_id: UUID) -> bool:
    """Whether a line of this kind about this thing was ever opened: an alarm that was settled is not opened again."""
    return bool(session.scalar(select(exists().where(Task.kind == kind, Task.subject_id == subject_id))))
