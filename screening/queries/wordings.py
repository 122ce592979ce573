"""Wording packs: those a person keeps, and the one that is in force where a sheet is keyed or printed."""

from __future__ import annotations

from collections.abc import Sequence
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.orm import Session

from instruments import Instrument
from instruments.text import Pack, fits, may_show
from screening.access import May, organisations_visible_to, places, wordings_visible_to
from screening.core.actor import Actor
from screening.core.errors import NotFound
from screening.models.organisation import Organisation, OrganisationKind
from screening.models.wording import WordingPack
from screening.queries.campaigns import district_of


def district_to_word(session: Session, *, actor: Actor) -> Organisation:
    """The county whose wordings the actor keeps. Raises :class:`NotFound`."""
    found = session.scalars(
        organisations_visible_to(actor)
        .where(
            Organisation.id.in_(places(actor, May.KEEP_WORDING)), Organisation.kind == OrganisationKind.COUNTY
        )
        .order_by(Organisation.path)
        .limit(1)
    ).one_or_none()
    if found is None:
        raise NotFound
    return found


def list_wordings(session: Session, *, actor: Actor) -> Sequence[WordingPack]:
    """All versions in the actor's districts, by questionnaire, the newest first."""
    return session.scalars(
        wordings_visible_to(actor).order_by(
            WordingPack.instrument, WordingPack.language, WordingPack.layout, WordingPack.version.desc()
        )
    ).all()


def get_wording(session: Session, *, actor: Actor, wording_id: UUID) -> WordingPack:
    """One version, or :class:`NotFound`."""
    found = session.scalars(wordings_visible_to(actor).where(WordingPack.id == wording_id)).one_or_none()
    if found is None:
        raise NotFound
    return found


def versions_of(
    session: Session, *, district_id: UUID, instrument: str, language: str, layout: str
) -> Sequence[WordingPack]:
    """The versions of one wording, the newest first."""
    return session.scalars(
        select(WordingPack)
        .where(
            WordingPack.organisation_id == district_id,
            WordingPack.instrument == instrument,
            WordingPack.language == language,
            WordingPack.layout == layout,
        )
        .order_by(WordingPack.version.desc())
    ).all()


def in_force(versions: Sequence[WordingPack]) -> WordingPack | None:
    """The newest approved version, of a list with the newest first; none where that one was withdrawn.

    An older one does not come back by itself: whoever withdrew the newest may have meant the wording as such.
    """
    newest = next((each for each in versions if each.approved_at is not None), None)
    return newest if newest is not None and newest.withdrawn_at is None else None


def wording_for(
    session: Session, *, organisation: Organisation, instrument: Instrument, locale: str, layout: str = ""
) -> Pack | None:
    """The wording to show for a sheet of this organisation's district, in ``locale`` or else in another language.

    None where the licence lets no screen show it, nothing is approved, or what was approved no longer agrees with
    the questionnaire of today.
    """
    if not may_show(instrument):
        return None
    district, layout = district_of(session, organisation), layout or instrument.default_layout
    rows = session.scalars(
        select(WordingPack)
        .where(
            WordingPack.organisation_id == district.id,
            WordingPack.instrument == instrument.code,
            WordingPack.layout == layout,
        )
        .order_by(WordingPack.version.desc())
    ).all()
    languages = sorted({row.language for row in rows}, key=lambda language: (language != locale, language))
    for language in languages:
        found = in_force([row for row in rows if row.language == language])
        if found is not None and fits(pack := Pack.from_dict(found.content), instrument):
            return pack
    return None
