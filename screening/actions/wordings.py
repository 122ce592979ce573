"""Bring a wording in, approve it as a second person, withdraw it (decision 7)."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy.orm import Session

from instruments import Instrument, catalogue
from instruments.text import Pack, content_hash, fits, may_show
from screening import access
from screening.access import May
from screening.core import audit
from screening.core.actor import Actor
from screening.core.audit import AuditEvent
from screening.core.errors import InvalidInput, PolicyViolation
from screening.models.organisation import Organisation
from screening.models.wording import WordingForm, WordingPack
from screening.queries.wordings import versions_of

LONGEST_ORIGIN = 200


def bring_in(
    session: Session,
    *,
    actor: Actor,
    district: Organisation,
    instrument: Instrument,
    pack: Pack,
    form: WordingForm,
    origin: str,
    now: datetime,
) -> WordingPack:
    """Keep a wording as the next version, waiting for a second person. The same words again are the version there is.

    Raises :class:`InvalidInput` where it does not agree with the questionnaire, :class:`PolicyViolation` where the
    licence lets no system keep it.
    """
    access.check_may_at(actor, May.KEEP_WORDING, district.id)
    check_licence(instrument)
    if actor.account_id is None:
        raise PolicyViolation("A wording is brought in by a person and approved by another.")
    if not fits(pack, instrument):
        raise InvalidInput("This wording does not agree with the questionnaire.")
    if not origin.strip() or len(origin) > LONGEST_ORIGIN:
        raise InvalidInput(
            "Say in at most {limit} characters where the wording is from.", limit=LONGEST_ORIGIN
        )
    session.refresh(district, with_for_update=True)  # two who bring in at once get two numbers (RL5)
    known = versions_of(
        session,
        district_id=district.id,
        instrument=pack.instrument,
        language=pack.language,
        layout=pack.layout,
    )
    same = content_hash(pack)
    if known and known[0].content_hash == same and known[0].withdrawn_at is None:
        return known[0]
    made = WordingPack(
        organisation_id=district.id,
        instrument=instrument.code,
        instrument_version=instrument.version,
        language=pack.language,
        layout=pack.layout,
        version=known[0].version + 1 if known else 1,
        form=form,
        origin=origin.strip(),
        content=pack.as_dict(),
        content_hash=same,
        imported_by=actor.account_id,
        imported_at=now,
    )
    session.add(made)
    _record(session, actor, made, AuditEvent.WORDING_BRING_IN, now)
    return made


def check_licence(instrument: Instrument) -> None:
    """What may not be shown is not kept either. Raises :class:`PolicyViolation`."""
    if not may_show(instrument):
        raise PolicyViolation(
            "The licence of {sheet} does not let its wording stand on a screen, so it is not kept here. Use the printed form of the holder; numbered answer sheets are printed from the campaign.",
            sheet=instrument.abbr,
        )


def approve(session: Session, *, actor: Actor, wording: WordingPack, now: datetime) -> None:
    """The second person has read it beside the original. From now on it is shown. Twice is once."""
    access.check_may_at(actor, May.KEEP_WORDING, wording.organisation_id)
    session.refresh(wording, with_for_update=True)
    if wording.approved_at is not None and wording.approved_by == actor.account_id:
        return
    if wording.approved_at is not None or wording.withdrawn_at is not None:
        raise PolicyViolation("This version does not wait for an approval.")
    if actor.account_id is None or actor.account_id == wording.imported_by:
        raise PolicyViolation("A wording is brought in by a person and approved by another.")
    instrument = catalogue().get(wording.instrument) if wording.instrument in catalogue() else None
    if instrument is None or not fits(Pack.from_dict(wording.content), instrument):
        raise PolicyViolation(
            "The questionnaire has changed since; this wording no longer agrees with it. Bring it in again."
        )
    check_licence(instrument)
    wording.approved_by, wording.approved_at = actor.account_id, now
    _record(session, actor, wording, AuditEvent.WORDING_APPROVE, now)


def withdraw(session: Session, *, actor: Actor, wording: WordingPack, reason: str, now: datetime) -> None:
    """Nobody is shown this version any more; one person is enough. Twice is once."""
    access.check_may_at(actor, May.KEEP_WORDING, wording.organisation_id)
    session.refresh(wording, with_for_update=True)
    if wording.withdrawn_at is not None:
        return
    if not reason.strip():
        raise InvalidInput("Say why the wording is withdrawn.")
    wording.withdrawn_by, wording.withdrawn_at = actor.account_id, now
    wording.withdrawn_why = reason.strip()[:200]
    _record(session, actor, wording, AuditEvent.WORDING_WITHDRAW, now)


def _record(session: Session, actor: Actor, wording: WordingPack, event: AuditEvent, now: datetime) -> None:
    detail = {
        "instrument": wording.instrument,
        "language": wording.language,
        "layout": wording.layout,
        "version": wording.version,
    }
    audit.record(session, actor=actor, event=event, at=now, subject_id=wording.id, detail=detail)
