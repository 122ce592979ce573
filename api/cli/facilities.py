"""``xinqiao facilities``: a facility's own code, made here, shown once, kept as a hash."""

from __future__ import annotations

from datetime import date

from sqlalchemy import select

from api.auth import Hasher
from api.cli import home
from api.cli.words import _, say
from referral.actions import reply_codes
from screening.core.actor import Actor
from screening.core.clock import Clock
from screening.core.errors import InvalidInput, NotFound
from screening.core.reply_code import in_groups
from screening.core.settings import Settings
from screening.models.organisation import Organisation, OrganisationKind


def set_code(settings: Settings, *, code: str, until: date | None) -> None:
    """A new code for one facility; the former one ends with it."""
    clock = Clock()
    valid_to = until or reply_codes.end_of_term(clock.today())
    if valid_to < clock.today():
        raise InvalidInput("This day has passed.")
    made = reply_codes.new_facility_code()
    hasher = Hasher()  # before any transaction: hashing takes long, and nobody may wait for it
    try:
        hashed = hasher.hash(made)
    finally:
        hasher.close()
    with home.opened(settings) as database, database.begin() as session:
        facility = session.scalars(
            select(Organisation).where(
                Organisation.code == code, Organisation.kind == OrganisationKind.FACILITY
            )
        ).one_or_none()
        if facility is None:
            raise NotFound("There is no facility with the code {code}.", code=code)
        reply_codes.set_facility_code(
            session,
            actor=Actor.system(),
            facility=facility,
            code_hash=hashed,
            valid_to=valid_to,
            now=clock.now(),
        )
    say(_("The facility's own code, shown only now: {code}", code=in_groups(made, 4)))
    say(_("Valid until {day}. Hand it over in person, never together with a note.", day=valid_to.isoformat()))
