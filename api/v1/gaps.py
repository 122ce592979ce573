"""What is missing in a district, in numbers: for education and health (decision 2, step 3)."""

from __future__ import annotations

from api.deps import ActorDep, ClockDep, SessionDep, json_router, needs
from api.v1.schemas.gaps import ServiceGapOut
from referral.queries.gaps import waiting_unseen
from screening.access import May

router = json_router(tags=["gaps"])


@router.get("/service-gaps/waiting", dependencies=[needs(May.READ_GAPS)])
def show_waiting(session: SessionDep, actor: ActorDep, clock: ClockDep) -> ServiceGapOut:
    """Children nobody has seen in time and who wait for a place, by days; fewer than ten are not shown."""
    return ServiceGapOut.of(waiting_unseen(session, actor=actor, now=clock.now()))
