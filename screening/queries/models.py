"""Which model and which limits serve a place now, and what is on record about them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from typing import cast
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.orm import Session

from risk_model import ArtefactError, LevelRules, day_one
from risk_model.served import ServedModel, served, unpack
from screening.core.errors import NotFound
from screening.models.model import ModelSetting, ModelStatus, ModelVersion
from screening.models.organisation import Organisation
from screening.queries.campaigns import district_of


@dataclass(frozen=True, slots=True)
class Serving:
    """What decides at one place. ``model`` is None where no numbers can be trusted: the rules go on alone.

    ``fault``: why something else serves than what was put in force: tampered, unreadable, expired, day_one.
    """

    model: ServedModel | None
    rules: LevelRules
    county: str
    fault: str | None = None


def serving(session: Session, *, organisation_id: UUID, today: date) -> Serving:
    """The model and limits for sheets of an organisation, read once in a transaction."""
    known = cast("dict[UUID, Serving]", session.info.setdefault("serving", {}))
    if organisation_id not in known:
        with session.no_autoflush:
            county = district_of(session, session.get_one(Organisation, organisation_id))
            model, fault = model_of(in_force(session, county.id), today)
            known[organisation_id] = Serving(model, rules_of(session, county.id), str(county.id), fault)
    return known[organisation_id]


def model_of(version: ModelVersion | None, today: date) -> tuple[ServedModel | None, str | None]:
    """The numbers of a version, else the day-one model, else nothing: whatever is wrong, somebody is told and the
    rules go on."""
    try:
        base = served(day_one())
    except ArtefactError:
        return None, "day_one"
    if version is None:
        return base, None
    if version.expires_on < today:
        return base, "expired"
    try:
        return unpack(version.artefact, version.digest.hex(), base.base, version=version.name), None
    except ArtefactError as error:
        return base, "tampered" if "SHA-256" in str(error) else "unreadable"


def in_force(session: Session, county_id: UUID) -> ModelVersion | None:
    """The version that two people have put in force."""
    return session.scalars(
        select(ModelVersion).where(
            ModelVersion.organisation_id == county_id, ModelVersion.status == ModelStatus.IN_FORCE
        )
    ).one_or_none()


def list_versions(session: Session, *, county: Organisation, limit: int = 20) -> Sequence[ModelVersion]:
    """What has been learnt for a county that was found through a scope, the newest first."""
    return session.scalars(
        select(ModelVersion)
        .where(ModelVersion.organisation_id == county.id)
        .order_by(ModelVersion.made_at.desc(), ModelVersion.id)
        .limit(limit)
    ).all()


def get_version(session: Session, *, county: Organisation, version_id: UUID) -> ModelVersion:
    """A version of a county that was found through a scope, or :class:`NotFound`."""
    found = session.scalars(
        select(ModelVersion).where(ModelVersion.id == version_id, ModelVersion.organisation_id == county.id)
    ).one_or_none()
    if found is None:
        raise NotFound
    return found


def setting_in_force(session: Session, county_id: UUID) -> ModelSetting | None:
    """The last that two people have signed."""
    return session.scalars(
        select(ModelSetting)
        .where(ModelSetting.organisation_id == county_id, ModelSetting.approved_by.is_not(None))
        .order_by(ModelSetting.version.desc())
        .limit(1)
    ).one_or_none()


def newest(session: Session, county_id: UUID) -> ModelSetting | None:
    """The last that anybody wrote."""
    return session.scalars(
        select(ModelSetting)
        .where(ModelSetting.organisation_id == county_id)
        .order_by(ModelSetting.version.desc())
        .limit(1)
    ).one_or_none()


def rules_of(session: Session, county_id: UUID) -> LevelRules:
    """The limits in force, else the shipped ones."""
    setting = setting_in_force(session, county_id)
    return LevelRules(setting.elevated, setting.high) if setting else LevelRules()


def same_numbers(session: Session, county_id: UUID, digest: bytes) -> Sequence[ModelVersion]:
    """Versions of a county that hold exactly these numbers, the oldest first."""
    return session.scalars(
        select(ModelVersion)
        .where(ModelVersion.organisation_id == county_id, ModelVersion.digest == digest)
        .order_by(ModelVersion.made_at)
    ).all()
