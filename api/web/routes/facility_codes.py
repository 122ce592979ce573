"""A facility's own code: who may set it sees until when it holds, makes a new one, and is shown it once."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

from fastapi import Depends, Request, Response
from sqlalchemy.orm import Session

from api.deps import (
    ClockDep,
    GatekeeperDep,
    PageActorDep,
    SessionDep,
    TransactionDep,
    get_page_actor,
    needs,
    page_router,
)
from api.web.pages import render
from referral.actions import reply_codes
from referral.queries.replies import facilities_visible_to, get_facility, valid_codes
from screening.access import May
from screening.core.actor import Actor
from screening.core.clock import local_day
from screening.core.reply_code import in_groups

router = page_router(
    prefix="/facility-codes",
    dependencies=[Depends(get_page_actor), needs(May.SET_FACILITY_CODE)],
)


@router.get("")
def show_codes(request: Request, session: SessionDep, actor: PageActorDep, clock: ClockDep) -> Response:
    """The facilities in scope, and until when each code holds; no code is ever shown again."""
    return _page(request, session, actor, clock.now())


def _page(
    request: Request,
    session: Session,
    actor: Actor,
    now: datetime,
    *,
    made_for: UUID | None = None,
    made: str = "",
) -> Response:
    facilities = facilities_visible_to(session, actor=actor)
    return render(
        request,
        "replies/facility_codes.html",
        session=session,
        facilities=facilities,
        until=valid_codes(session, facility_ids=[each.id for each in facilities], today=local_day(now)),
        made_for=made_for,
        made=made,
    )


@router.post("/{facility_id}")
def make_code(
    facility_id: UUID,
    request: Request,
    actor: PageActorDep,
    gatekeeper: GatekeeperDep,
    transaction: TransactionDep,
    clock: ClockDep,
) -> Response:
    """A new code. The answer is the page itself and no way back to it: this is the only time it is shown."""
    now = clock.now()
    made = reply_codes.new_facility_code()
    hashed = gatekeeper.hasher.hash(made)  # before the transaction: nobody waits for the hashing
    with transaction() as session:
        facility = get_facility(session, actor=actor, facility_id=facility_id)
        reply_codes.set_facility_code(
            session,
            actor=actor,
            facility=facility,
            code_hash=hashed,
            valid_to=reply_codes.end_of_term(local_day(now)),
            now=now,
        )
        session.flush()
        return _page(request, session, actor, now, made_for=facility.id, made=in_groups(made, 4))
