"""Who holds a note, found by its codes and without an account; and what the school reads of the replies."""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import date
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.orm import Session, joinedload, selectinload

from referral.models.case import Case
from referral.models.referral import Facility, Referral
from referral.models.reply import FacilityCode, ReferralReply, ReplyCode
from referral.terms import ReferralStatus
from screening.access import organisations_visible_to
from screening.core.actor import Actor
from screening.core.errors import NotFound
from screening.core.form_number import is_valid
from screening.core.reply_code import is_token, typed
from screening.core.sealing import Keyring
from screening.models.organisation import Organisation, OrganisationKind

TOKEN_INDEX, CODE_INDEX = "reply_code.token", "reply_code.code"


def find_by_token(session: Session, *, token: str) -> Referral | None:
    """The referral whose note carries this QR, while it can be answered."""
    if not is_token(typed(token)):
        return None
    keyring: Keyring = session.info["keyring"]
    found = session.scalars(
        select(Referral)
        .join(ReplyCode, ReplyCode.referral_id == Referral.id)
        .where(ReplyCode.token_index == keyring.blind(TOKEN_INDEX, typed(token)))
        .options(joinedload(Referral.facility))
    ).one_or_none()
    return found if found is not None and is_answerable(found) else None


def find_by_number(session: Session, *, form_no: str) -> Referral | None:
    """The sent referral of this form number."""
    if not is_valid(form_no):
        return None
    return session.scalars(select(Referral).where(Referral.form_no == form_no)).one_or_none()


def is_answerable(referral: Referral) -> bool:
    """The codes of a note are good until its referral ends; a facility that has refused is asked nothing more."""
    return (
        referral.sent_at is not None
        and referral.ended_at is None
        and referral.status is not ReferralStatus.DECLINED
    )


def token_of(referral: Referral) -> str | None:
    """The token as it stands in the frozen note; ``None`` for a note of before there were any."""
    return json.loads(referral.frozen).get("reply_token") or None if referral.frozen else None


def facility_code_hash(session: Session, *, facility_id: UUID | None, today: date) -> str | None:
    """The hash of a facility's code while it is valid."""
    return session.scalars(
        select(FacilityCode.code_hash).where(
            FacilityCode.facility_id == facility_id,
            FacilityCode.ended_at.is_(None),
            FacilityCode.valid_to >= today,
        )
    ).one_or_none()


def registered_phone(session: Session, *, referral: Referral) -> str:
    """The number that a reply is verified by: the one on record, never one that came with the reply."""
    facility = session.scalars(
        select(Facility).where(Facility.organisation_id == referral.facility_id)
    ).one_or_none()
    if facility is not None and facility.contact_phone:
        return facility.contact_phone
    organisation = session.get(Organisation, referral.facility_id) if referral.facility_id else None
    return (organisation.phone if organisation else None) or ""


def sent_referral(session: Session, *, case: Case, referral_id: UUID) -> Referral:
    """A referral of a case that was found through a scope, once it has been sent; else :class:`NotFound`."""
    found = session.scalars(
        select(Referral)
        .where(Referral.id == referral_id, Referral.case_id == case.id, Referral.sent_at.is_not(None))
        .options(joinedload(Referral.facility), selectinload(Referral.history))
    ).one_or_none()
    if found is None:
        raise NotFound
    return found


def get_reply(session: Session, *, case: Case, reply_id: UUID) -> tuple[Referral, ReferralReply]:
    """A reply to a referral of a case that was found through a scope, with the referral; else :class:`NotFound`."""
    row = session.execute(
        select(Referral, ReferralReply)
        .join(ReferralReply, ReferralReply.referral_id == Referral.id)
        .where(ReferralReply.id == reply_id, Referral.case_id == case.id)
    ).one_or_none()
    if row is None:
        raise NotFound
    return row[0], row[1]


def waiting_replies(session: Session, *, case: Case) -> Sequence[tuple[Referral, ReferralReply]]:
    """Replies on a case that nobody has verified yet, the oldest first."""
    rows = session.execute(
        select(Referral, ReferralReply)
        .join(ReferralReply, ReferralReply.referral_id == Referral.id)
        .where(Referral.case_id == case.id, ReferralReply.settled_at.is_(None))
        .order_by(ReferralReply.arrived_at)
    )
    return [(row[0], row[1]) for row in rows]


def facilities_visible_to(session: Session, *, actor: Actor) -> Sequence[Organisation]:
    """The facilities whose code this actor may set, by name."""
    statement = organisations_visible_to(actor).where(Organisation.kind == OrganisationKind.FACILITY)
    return session.scalars(statement.order_by(Organisation.name)).all()


def get_facility(session: Session, *, actor: Actor, facility_id: UUID) -> Organisation:
    """One of them, or :class:`NotFound`."""
    statement = organisations_visible_to(actor).where(
        Organisation.kind == OrganisationKind.FACILITY, Organisation.id == facility_id
    )
    found = session.scalars(statement).one_or_none()
    if found is None:
        raise NotFound
    return found


def valid_codes(session: Session, *, facility_ids: Sequence[UUID], today: date) -> dict[UUID, date]:
    """Until when the code of each facility holds; a facility without one is left out."""
    rows = session.execute(
        select(FacilityCode.facility_id, FacilityCode.valid_to).where(
            FacilityCode.facility_id.in_(facility_ids),
            FacilityCode.ended_at.is_(None),
            FacilityCode.valid_to >= today,
        )
    )
    return {row[0]: row[1] for row in rows}
