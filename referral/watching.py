"""Is the model still right? Findings and scores are watched; whatever sounds becomes a line for a person.

Nothing here changes a model: only two people do, and one is enough to go back.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, datetime, timedelta
from uuid import uuid5

from sqlalchemy.orm import Session

from referral.actions import tasks
from referral.queries.labels import (
    Finding,
    days_of_findings,
    findings_of,
    label_rows,
    scored_children,
    was_told,
)
from referral.queries.people import people_of
from referral.terms import TaskKind
from risk_model.calibration import Unchanged, children
from risk_model.drift import NotConverged, expected, given_judged, psi_by_battery, watch
from risk_model.served import ServedModel
from screening.core.actor import Actor
from screening.core.calendar import china
from screening.core.clock import local_day
from screening.models.organisation import Organisation
from screening.queries.campaigns import base_rate_of
from screening.queries.models import in_force, model_of

YEAR = timedelta(days=365)
MONTH = timedelta(days=30)
FIRST = 60
"""Findings of referred children that teach how much more often a referred child is in need."""


def look(session: Session, *, actor: Actor, county: Organisation, now: datetime) -> list[str]:
    """All watches of a county. Opens a line for each alarm that nobody was told of yet; returns their codes.

    Codes: fault:tampered|unreadable|expired|day_one, findings:up|down, scores:BATTERY:look|stop.
    """
    today = local_day(now)
    version = in_force(session, county.id)
    model, fault = model_of(version, today)
    codes = [f"fault:{fault}"] if fault else []
    if model is not None:
        codes += _findings(session, actor, county, model, now)
    codes += _scores(session, actor, county, now)
    name = version.name if version else "day-one"
    return [code for code in codes if _tell(session, actor, county, f"{name}:{code}", code, today, now)]


def _tell(
    session: Session, actor: Actor, county: Organisation, about: str, code: str, today: date, now: datetime
) -> bool:
    # A change of scores may come again next month; a fault or a shift belongs to its version.
    what = f"{about}:{today:%Y-%m}" if code.startswith("scores") else about
    subject = uuid5(county.id, what)
    if was_told(session, kind=TaskKind.MODEL_ALARM, subject_id=subject):
        return False
    people = people_of(session, organisation=county, now=now)
    tasks.require(
        session,
        actor=actor,
        kind=TaskKind.MODEL_ALARM,
        subject_id=subject,
        organisation_id=county.id,
        owner_id=people.owner_id,
        backup_id=people.backup_id,
        due_at=china().closing(china().add_working_days(today, 1 if code.startswith("fault") else 5)),
        now=now,
        reason=code,
    )
    return True


def _findings(
    session: Session, actor: Actor, county: Organisation, model: ServedModel, now: datetime
) -> list[str]:
    """CUSUM over findings in the order they came; the first referred ones teach what a referral means."""
    rate = model.rate(base_rate_of(session, county))
    rows = label_rows(
        session, actor=actor, county=county, since=now - YEAR, now=now, base=model, base_rate=rate
    )
    days = days_of_findings(session, actor=actor, county=county, rows=rows)
    found = findings_of([(row, days[row.child]) for row in rows if row.y is not None and row.child in days])
    return alarms_of(_calibrated(found, model, str(county.id)))


def _calibrated(found: Sequence[Finding], model: ServedModel, county: str) -> list[Finding]:
    if not found:
        return []
    said = (model.calibration or Unchanged()).apply(
        children(
            [each.probability for each in found],
            [[float("nan")] * len(model.base.rows)] * len(found),
            [county] * len(found),
        )
    )
    return [Finding(each.on, each.y, float(p), each.referred) for each, p in zip(found, said, strict=True)]


def alarms_of(found: Sequence[Finding]) -> list[str]:
    """The alarm of findings in order, if there is one."""
    referred = [each for each in found if each.referred]
    if len(referred) <= FIRST:
        return []
    first, start = referred[:FIRST], referred[FIRST].on
    try:
        line = given_judged([each.y for each in first], [each.probability for each in first])
    except NotConverged:
        return []
    told = [
        (each.y, float(expected(each.probability, line)) if each.referred else each.probability)
        for each in found
        if each.on >= start
    ]
    alarm = watch(told).alarm
    return [] if alarm == "none" else [f"findings:{alarm}"]


def _scores(session: Session, actor: Actor, county: Organisation, now: datetime) -> list[str]:
    """PSI of the last month's estimates against the year before, within each battery."""
    there = scored_children(session, actor=actor, county=county, since=now - YEAR)
    month = now - MONTH
    pairs = [
        ("+".join(sorted(each.totals)), each.result.probability or 0.0, each.result.computed_at >= month)
        for each in there
        if each.totals
    ]
    before = [(battery, p) for battery, p, new in pairs if not new]
    recent = [(battery, p) for battery, p, new in pairs if new]
    return [
        f"scores:{battery}:{say}"
        for battery, (_, say) in psi_by_battery(before, recent).items()
        if say != "none"
    ]
