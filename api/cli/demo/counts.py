"""What the made-up county came to, counted from what is stored and not from what was made up."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from referral.models.plan import PlanVersion
from referral.models.referral import Referral
from referral.queries.cases import cases_visible_to
from referral.queries.referrals import NOT_LEFT, read_note, referrals_visible_to
from referral.terms import ReferralKind
from risk_model import Level, worst_level
from screening.access import children_visible_to
from screening.core.actor import Actor
from screening.models.administration import Administration
from screening.models.result import ScreenResult

OPENS = (Level.HIGH, Level.CRISIS_ITEM)


@dataclass(frozen=True, slots=True)
class Counts:
    """``levels`` counts children by the worst of their sheets; None: a sheet and no level. The rest are rows."""

    children: int
    sheets: int
    levels: dict[Level | None, int]
    without_sheet: int
    cases: int
    plans: int
    referrals: int
    left_at_once: int
    waiting: int
    left_by_press: int
    withdrawn: int

    @property
    def to_refer(self) -> int:
        """Children at HIGH and CRISIS_ITEM."""
        return sum(self.levels.get(level, 0) for level in OPENS)


def count(session: Session) -> Counts:
    """Everything, over all schools."""
    system = Actor.system()
    children = set(session.scalars(children_visible_to(system)).all())
    ids = {child.id for child in children}
    rows = session.execute(
        select(ScreenResult.child_id, ScreenResult.level)
        .join(Administration, Administration.id == ScreenResult.administration_id)
        .where(Administration.voided_at.is_(None), ScreenResult.history.is_(False))
    ).all()
    cases = session.scalars(cases_visible_to(system)).all()
    referrals = session.scalars(referrals_visible_to(system)).all()
    worst: dict[object, Level | None] = {}
    for child_id, level in [*rows, *((case.child_id, case.worst_level) for case in cases)]:
        worst[child_id] = worst_level([worst.get(child_id), level])
    return Counts(
        children=len(ids),
        sheets=len(rows),
        levels=dict(Counter(worst.values())),
        without_sheet=len(ids - set(worst)),
        cases=len(cases),
        plans=session.scalar(select(func.count()).select_from(PlanVersion)) or 0,
        referrals=len(referrals),
        left_at_once=sum(r.kind is ReferralKind.TRIAGE_REQUEST for r in referrals),
        waiting=sum(r.status in NOT_LEFT for r in referrals),
        left_by_press=sum(r.sent_at is not None and r.kind is ReferralKind.REFERRAL for r in referrals),
        withdrawn=sum(r.sent_at is None and r.ended_at is not None for r in referrals),
    )


def lay_out_notes(session: Session, directory: Path, now: datetime) -> int:
    """The current note of every referral as a file named by its form number. Returns how many."""
    directory.mkdir(mode=0o700)
    system = Actor.system()
    written = 0
    for referral in session.scalars(referrals_visible_to(system).order_by(Referral.form_no)):
        _note, data = read_note(session, actor=system, referral=referral, now=now)
        path = directory / f"{referral.form_no}.pdf"
        path.write_bytes(data)
        path.chmod(0o600)
        written += 1
    return written
