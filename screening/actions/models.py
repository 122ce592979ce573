"""模型的启用与回退: two people put a version in force, one person is enough to go back."""

from __future__ import annotations

from datetime import datetime, timedelta
from hashlib import sha256
from math import isclose
from typing import Any
from uuid import UUID

from sqlalchemy.orm import Session

from risk_model import LevelRules
from risk_model.learning import Candidate
from screening import access
from screening.access import May
from screening.core import audit
from screening.core.actor import Actor
from screening.core.audit import AuditEvent
from screening.core.clock import local_day
from screening.core.errors import InvalidInput, PolicyViolation
from screening.models.model import LOCAL, ModelSetting, ModelStatus, ModelVersion
from screening.models.organisation import Organisation
from screening.queries.campaigns import count_open_campaigns
from screening.queries.models import in_force, newest, rules_of, same_numbers

# A model of last year's pupils is not one of this year's.
LIVES = timedelta(days=365)
MOST_CHECKS = 20


def store_candidate(
    session: Session,
    *,
    actor: Actor,
    county: Organisation,
    candidate: Candidate,
    data: dict[str, Any],
    now: datetime,
    called: str = LOCAL,
) -> ModelVersion:
    """Keep a candidate with what the gate said. One that a hard rule has stopped stays on record as stopped."""
    access.check_may_at(actor, May.SET_MODEL, county.id)
    if candidate.nothing:
        raise PolicyViolation("Doing nothing was as good: there is no new version to keep.")
    verdict = candidate.verdict
    digest = bytes.fromhex(candidate.digest)
    same = same_numbers(session, county.id, digest)
    waiting = (ModelStatus.CANDIDATE, ModelStatus.PUT_FORWARD, ModelStatus.STOPPED)
    if any(each.status in waiting for each in same):
        return next(
            each for each in same if each.status in waiting
        )  # learnt from the same findings: pressed twice
    again = f"-{len(same) + 1}" if same else ""
    version = ModelVersion(
        organisation_id=county.id,
        name=f"{called}{local_day(now):%Y%m%d}-{candidate.digest[:8]}{again}",
        status=ModelStatus.CANDIDATE if verdict.eligible else ModelStatus.STOPPED,
        artefact=candidate.content,
        digest=digest,
        manifest={
            **data,
            "standings": [list(pair) for pair in candidate.standings],
            "stopped": list(verdict.stopped),
            "second": list(verdict.second),
            "figures": {name: round(value, 6) for name, value in verdict.figures.items() if value == value},
        },
        made_at=now,
        made_by=actor.account_id,
        expires_on=local_day(now) + LIVES,
    )
    session.add(version)
    _trail(session, actor, AuditEvent.MODEL_MADE, version.id, {"eligible": verdict.eligible}, now)
    return version


def put_forward(session: Session, *, actor: Actor, version: ModelVersion, now: datetime) -> None:
    """The first signature: this candidate should be in force."""
    access.check_may_at(actor, May.SET_MODEL, version.organisation_id)
    session.refresh(version, with_for_update=True)
    if version.status is not ModelStatus.CANDIDATE:
        raise PolicyViolation("Only a candidate that no rule has stopped can be put forward.")
    _check_whole(version)
    version.status, version.put_by, version.put_at = ModelStatus.PUT_FORWARD, _person(actor), now
    _trail(session, actor, AuditEvent.MODEL_SET, version.id, {"step": "put_forward"}, now)


def approve(
    session: Session, *, actor: Actor, version: ModelVersion, seen_warnings: bool, now: datetime
) -> None:
    """The second signature, by somebody else. A big step needs the word that its warnings were read."""
    access.check_may_at(actor, May.SET_MODEL, version.organisation_id)
    session.refresh(version, with_for_update=True)  # of two who sign at once one does (RL5)
    if version.status is not ModelStatus.PUT_FORWARD:
        raise PolicyViolation("There is no such proposal waiting for a second person.")
    if version.put_by == actor.account_id:
        raise PolicyViolation("Who put it forward does not approve it: a second person does.")
    if version.manifest.get("second") and not seen_warnings:
        raise InvalidInput("This is a big step: say that you have read what it changes.")
    if version.expires_on < local_day(now):
        raise PolicyViolation("This version has expired. Learn anew.")
    _check_whole(version)
    former = in_force(session, version.organisation_id)
    if former is not None:
        _end(former, actor, "replaced", now)
        session.flush()
    version.status, version.approved_by, version.approved_at = ModelStatus.IN_FORCE, _person(actor), now
    version.former_id = former.id if former else None
    session.info.pop("serving", None)
    _trail(session, actor, AuditEvent.MODEL_SET, version.id, {"step": "in_force"}, now)


def roll_back(
    session: Session, *, actor: Actor, county: Organisation, reason: str, now: datetime
) -> ModelVersion | None:
    """Back to the version before, or to the day-one model (None). One person is enough, with a reason."""
    access.check_may_at(actor, May.SET_MODEL, county.id)
    if not reason.strip():
        raise InvalidInput("Say in a few words why.")
    current = in_force(session, county.id)
    if current is None:
        raise PolicyViolation("The day-one model is in force: there is nothing to go back to.")
    session.refresh(current, with_for_update=True)
    if current.status is not ModelStatus.IN_FORCE:
        raise PolicyViolation("There is nothing to go back to any more: somebody has just done it.")
    _person(actor)
    _end(current, actor, reason.strip()[:200], now)
    session.flush()
    former = session.get(ModelVersion, current.former_id) if current.former_id else None
    if former is not None and former.expires_on >= local_day(now):
        former.status, former.ended_at, former.ended_by, former.ended_why = (
            ModelStatus.IN_FORCE,
            None,
            None,
            None,
        )
    else:
        former = None
    session.info.pop("serving", None)
    _trail(session, actor, AuditEvent.MODEL_SET, current.id, {"step": "rolled_back"}, now)
    return former


def refuse(session: Session, *, actor: Actor, version: ModelVersion, reason: str, now: datetime) -> None:
    """A candidate or a proposal that is not wanted."""
    access.check_may_at(actor, May.SET_MODEL, version.organisation_id)
    if not reason.strip():
        raise InvalidInput("Say in a few words why.")
    session.refresh(
        version, with_for_update=True
    )  # another may have signed it since this page was opened (RL5)
    if version.status not in (ModelStatus.CANDIDATE, ModelStatus.PUT_FORWARD):
        raise PolicyViolation("Only a candidate that no rule has stopped can be put forward.")
    _end(version, actor, reason.strip()[:200], now)
    _trail(session, actor, AuditEvent.MODEL_SET, version.id, {"step": "refused"}, now)


# --- limits of the levels ----------------------------------------------------------------------------------


def propose_limits(
    session: Session,
    *,
    actor: Actor,
    county: Organisation,
    elevated: float,
    high: float,
    checks_per_week: int,
    now: datetime,
) -> ModelSetting:
    """Write down limits and checks for a second person to sign. Limits stand still while a campaign is open."""
    access.check_may_at(actor, May.SET_MODEL, county.id)
    try:
        rules = LevelRules(elevated, high)
    except ValueError as error:
        raise InvalidInput(
            "The limits rise: higher than most lies below high, both between 0 and 100 per cent."
        ) from error
    if not 0 <= checks_per_week <= MOST_CHECKS:
        raise InvalidInput("The number lies between 0 and {most}.", most=MOST_CHECKS)
    _check_no_campaign(session, county, rules)
    last = newest(session, county.id)
    setting = ModelSetting(
        organisation_id=county.id,
        version=last.version + 1 if last else 1,
        elevated=elevated,
        high=high,
        checks_per_week=checks_per_week,
        set_by=_person(actor),
        set_at=now,
    )
    session.add(setting)
    _trail(session, actor, AuditEvent.MODEL_SET, setting.id, {"step": "limits"}, now)
    return setting


def approve_limits(
    session: Session, *, actor: Actor, county: Organisation, version: int, now: datetime
) -> ModelSetting:
    """The second signature for limits and checks."""
    access.check_may_at(actor, May.SET_MODEL, county.id)
    setting = newest(session, county.id)
    if setting is not None:
        session.refresh(setting, with_for_update=True)
    if setting is None or setting.approved_by is not None or setting.version != version:
        raise PolicyViolation("There is no such proposal waiting for a second person.")
    if setting.set_by == _person(actor):
        raise PolicyViolation("Who put it forward does not approve it: a second person does.")
    _check_no_campaign(session, county, LevelRules(setting.elevated, setting.high))
    setting.approved_by, setting.approved_at = actor.account_id, now
    session.info.pop("serving", None)
    _trail(session, actor, AuditEvent.MODEL_SET, setting.id, {"step": "limits_approved"}, now)
    return setting


def _check_no_campaign(session: Session, county: Organisation, rules: LevelRules) -> None:
    now = rules_of(session, county.id)
    same = isclose(now.elevated, rules.elevated) and isclose(now.high, rules.high)
    if not same and count_open_campaigns(session, county):
        raise PolicyViolation("The limits of the levels stand still while a campaign is open.")


def _check_whole(version: ModelVersion) -> None:
    if sha256(version.artefact).digest() != version.digest:
        raise PolicyViolation("The numbers of this version are not those that were made. It cannot be used.")


def _person(actor: Actor) -> UUID:
    if actor.account_id is None:
        raise PolicyViolation("A model is put in force by two people.")
    return actor.account_id


def _end(version: ModelVersion, actor: Actor, why: str, now: datetime) -> None:
    version.status, version.ended_at, version.ended_why = ModelStatus.ENDED, now, why
    version.ended_by = actor.account_id


def _trail(
    session: Session, actor: Actor, event: AuditEvent, subject: UUID, detail: dict[str, Any], now: datetime
) -> None:
    session.flush()
    audit.record(session, actor=actor, event=event, at=now, subject_id=subject, detail=detail)
