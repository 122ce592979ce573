"""Who a campaign asks, as far as its roll or its school tells: grades, ages, and when a sheet was last answered."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date
from uuid import UUID

from sqlalchemy import ColumnElement, Select, func, select
from sqlalchemy.orm import Session

from instruments import Instrument, catalogue
from instruments.asking import Asked, Breach, breaches, needs_signature
from screening.access import Part, visible_child_ids
from screening.core import grades
from screening.core.actor import Actor
from screening.core.clock import age_on
from screening.models.administration import Administration
from screening.models.campaign import Campaign, RosterEntry
from screening.models.child import Child, Enrolment


def asked_instruments(campaign: Campaign) -> list[Instrument]:
    """The questionnaires of a campaign that the library holds."""
    library = catalogue()
    return [library.get(code) for code in campaign.instruments if code in library]


def breaches_of(session: Session, *, actor: Actor, campaign: Campaign) -> tuple[Breach, ...]:
    """What the questionnaires of a campaign break, of those it asks."""
    return breaches(asked_instruments(campaign), who_is_asked(session, actor=actor, campaign=campaign))


def lacks_signature(session: Session, *, actor: Actor, campaign: Campaign) -> bool:
    """Whether a secondary school is asked nothing about safety and the lead has not signed that."""
    if campaign.without_safety_at is not None:
        return False
    asked = who_is_asked(session, actor=actor, campaign=campaign)
    return needs_signature(asked_instruments(campaign), asked.grades)


def who_is_asked(session: Session, *, actor: Actor, campaign: Campaign) -> Asked:
    """Those on the roll; before there is a roll, the children of the school. Only of the grades that were said."""
    on_roll = select(RosterEntry.child_id).where(RosterEntry.campaign_id == campaign.id)
    rows = _children(session, actor, Enrolment.child_id.in_(on_roll))
    if not rows:
        on_roll = select(Enrolment.child_id).where(Enrolment.organisation_id == campaign.organisation_id)
        rows = _children(session, actor, Enrolment.organisation_id == campaign.organisation_id)
    ages: dict[int, list[int]] = {}
    for stage, cohort, born in rows:
        grade = grades.grade_on(grades.Stage(stage), cohort, campaign.opens_on)
        year = grades.school_year(grade) if grade else None
        if year is not None and (campaign.grades is None or year in campaign.grades):
            ages.setdefault(year, []).append(age_on(born, campaign.opens_on))
    return Asked(
        grades=tuple(campaign.grades or sorted(ages)),
        opens_on=campaign.opens_on,
        ages={grade: tuple(known) for grade, known in ages.items()},
        informants=dict(campaign.informants or {}),
        last_answered=_last_answered(session, actor, campaign, on_roll),
    )


def _children(session: Session, actor: Actor, where: ColumnElement[bool]) -> Sequence[tuple[str, int, date]]:
    """Stage, year of entry and day of birth of the enrolled children in sight."""
    rows = session.execute(
        select(Enrolment.stage, Enrolment.cohort, Child.birth_date)
        .join(Child, Child.id == Enrolment.child_id)
        .where(
            Enrolment.valid_to.is_(None),
            Enrolment.child_id.in_(visible_child_ids(actor, Part.IDENTITY)),
            where,
        )
    ).all()
    return [(stage, cohort, born) for stage, cohort, born in rows]


def _last_answered(
    session: Session, actor: Actor, campaign: Campaign, children: Select[UUID]
) -> dict[str, date]:
    """The newest day on which one of these children answered each sheet in another campaign.

    A sheet asked of one child by itself is no campaign and stops none.
    """
    rows = session.execute(
        select(Administration.instrument, func.max(Administration.administered_on))
        .where(
            Administration.campaign_id.is_not(None),
            Administration.campaign_id != campaign.id,
            Administration.instrument.in_(campaign.instruments),
            Administration.voided_at.is_(None),
            Administration.protected.is_(False),
            Administration.child_id.in_(children),
            Administration.child_id.in_(visible_child_ids(actor, Part.IDENTITY)),
        )
        .group_by(Administration.instrument)
    ).all()
    return {code: day for code, day in rows if day is not None}
