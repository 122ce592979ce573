"""A contact of the schedule with what it asks for: thoughts of not living are asked about face to face (decision 17)."""

from __future__ import annotations

import json
from datetime import datetime
from typing import Any

from sqlalchemy.orm import Session

from referral.actions import cases, followups
from referral.models.case import Case
from referral.models.followup import FollowUp
from referral.terms import FollowUpChannel, TaskKind
from screening.core.actor import Actor


def complete(
    session: Session,
    *,
    actor: Actor,
    case: Case,
    follow_up: FollowUp,
    channel: FollowUpChannel,
    record: dict[str, Any],
    thoughts: bool,
    now: datetime,
) -> None:
    """The contact was made (form F8). ``thoughts``: the child has them, or would not say."""
    followups.complete(
        session,
        actor=actor,
        case=case,
        follow_up=follow_up,
        channel=channel,
        record=json.dumps(record, ensure_ascii=False),
        now=now,
    )
    if thoughts and case.closed_at is None:
        cases.require_talk(session, actor=actor, case=case, kind=TaskKind.SAFETY_TALK, case_word="C", now=now)
