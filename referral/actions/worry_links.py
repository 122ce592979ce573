"""The school's public link for worries: made, printed, ended. Whoever has it can send, and learns nothing."""

from __future__ import annotations

import secrets
from datetime import datetime

from sqlalchemy.orm import Session

from referral.models.worry import WorryLink
from referral.queries.worries import digest_of, live_link
from screening import access
from screening.access import May
from screening.core import audit
from screening.core.actor import Actor
from screening.core.audit import AuditEvent
from screening.core.errors import InvalidInput, NotPermitted
from screening.models.organisation import Organisation, OrganisationKind

SECRET_BYTES = 20  # 160 bits (requirement AZ12 asks for 128)


def make(session: Session, *, actor: Actor, school: Organisation, now: datetime) -> WorryLink:
    """A new link; the one before stops working with the same press."""
    _check(actor, school)
    if actor.account_id is None:
        raise NotPermitted
    end(session, actor=actor, school=school, now=now)
    secret = secrets.token_urlsafe(SECRET_BYTES)
    link = WorryLink(
        organisation_id=school.id,
        digest=digest_of(secret),
        secret=secret,
        made_at=now,
        made_by=actor.account_id,
    )
    session.add(link)
    session.flush()
    audit.record(session, actor=actor, event=AuditEvent.WORRY_LINK_MAKE, at=now, subject_id=link.id)
    return link


def end(session: Session, *, actor: Actor, school: Organisation, now: datetime) -> None:
    """The link stops working with the next request."""
    _check(actor, school)
    link = live_link(session, organisation=school)
    if link is None:
        return
    link.ended_at, link.ended_by = now, actor.account_id
    session.flush()
    audit.record(session, actor=actor, event=AuditEvent.WORRY_LINK_END, at=now, subject_id=link.id)


def _check(actor: Actor, school: Organisation) -> None:
    access.check_may_at(actor, May.KEEP_WORRY_LINK, school.id)
    if school.kind is not OrganisationKind.SCHOOL:
        raise InvalidInput("Only a school has such a link.")
