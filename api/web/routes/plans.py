"""干预方案: confirm a draft, and review after something new."""

from __future__ import annotations

from uuid import UUID

from fastapi import Depends, Response

from api.deps import ClockDep, PageActorDep, SessionDep, get_page_actor, needs, page_router
from api.versions import SeenDep
from api.web.forms import Form, FormDep
from api.web.pages import go
from api.web.routes.cases import check_seen
from referral.actions import plans
from referral.queries.cases import get_case
from referral.queries.plan_facts import current_facts
from screening.access import May
from screening.core.errors import NotFound

router = page_router(
    prefix="/cases/{case_id}/plan",
    dependencies=[Depends(get_page_actor), needs(May.CONFIRM_PLAN)],
)


@router.post("/confirm")
def confirm(
    case_id: UUID, form: FormDep, seen: SeenDep, session: SessionDep, actor: PageActorDep, clock: ClockDep
) -> Response:
    """A person confirms a draft that came after the tier was set; what is not ticked is dropped."""
    now = clock.now()
    case = get_case(session, actor=actor, case_id=case_id, now=now)
    check_seen(session, seen, case, now)
    current = plans.current(session, case=case)
    if current is None:
        raise NotFound
    dropped = unticked(form)
    plans.confirm(session, actor=actor, case=case, plan=current, now=now, dropped=dropped)
    return go(f"/cases/{case.id}#plan")


def unticked(form: Form) -> frozenset[str]:
    """Measures that were offered with a tick and came back without it."""
    return frozenset(form.sent.get("offered", ())) - frozenset(form.sent.get("keep", ()))


@router.post("/review")
def review(
    case_id: UUID, form: FormDep, seen: SeenDep, session: SessionDep, actor: PageActorDep, clock: ClockDep
) -> Response:
    """The next version after something new: drafted again, what is not ticked is dropped, confirmed."""
    now = clock.now()
    case = get_case(session, actor=actor, case_id=case_id, now=now)
    check_seen(session, seen, case, now)
    reason = form.text("reason", limit=80, needed=True)
    form.check()
    facts = current_facts(session, case=case, now=now)
    # A measure that only this new draft brings was not on the form, so nobody can have left it out.
    fresh = set(plans.decide(facts).components) - set(form.sent.get("offered", ()))
    keep = set(form.sent.get("keep", ())) | fresh
    plans.revise(session, actor=actor, case=case, facts=facts, keep=keep, reason=reason, now=now)
    return go(f"/cases/{case.id}#plan")
