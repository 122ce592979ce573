"""热线移交单 at its receiver (F10): read it, say that one has it, write back what became of it."""

from __future__ import annotations

from uuid import UUID

from fastapi import Depends, Request, Response

from api.deps import ClockDep, CrisisSessionDep, PageActorDep, get_page_actor, needs, page_router
from api.web.forms import Form, FormDep
from api.web.pages import go, page_locale, render
from api.web.presenters import hotline as present
from referral.actions import handovers
from referral.queries import hotline as queries
from referral.terms import HandoverResult
from screening.access import May, may
from screening.core.actor import Actor
from screening.core.errors import DomainError, InvalidInput, PolicyViolation
from screening.queries.accounts import names_of

RECEIVES = needs(May.RECEIVE_HANDOVER, May.HANDLE_CRISIS)
router = page_router(
    prefix="/hotline/handovers",
    dependencies=[Depends(get_page_actor), RECEIVES],
)


@router.get("")
def show_handovers(
    request: Request, session: CrisisSessionDep, actor: PageActorDep, clock: ClockDep
) -> Response:
    """What hotlines have handed to this place, what nobody has acknowledged first."""
    rows = queries.list_handovers(session, actor=actor, now=clock.now(), unanswered_only=False)
    locale = page_locale(request)
    return render(
        request,
        "hotline/handovers.html",
        session=session,
        waiting=present.incoming([row for row in rows if row.result is None], locale),
        answered=present.incoming([row for row in rows if row.result is not None], locale),
    )


@router.get("/{handover_id}")
def show_handover(
    handover_id: UUID, request: Request, session: CrisisSessionDep, actor: PageActorDep, clock: ClockDep
) -> Response:
    """The form as it was sent, and two buttons."""
    row = queries.get_handover(session, actor=actor, handover_id=handover_id, now=clock.now())
    return _page(request, session, actor, queries.handover_sheet(row))


def _page(
    request: Request,
    session: CrisisSessionDep,
    actor: Actor,
    sheet: queries.HandoverSheet,
    *,
    form: Form | None = None,
    refused: DomainError | None = None,
) -> Response:
    names = names_of(session, [sheet.acknowledged_by])
    wrong = refused is not None or bool(form and form.errors)
    return render(
        request,
        "hotline/handover.html",
        session=session,
        status=422 if wrong else 200,
        sheet=sheet,
        level_words=present.level_words(sheet.level, page_locale(request)),
        taken_by=sheet.received_by or next(iter(names.values()), ""),
        case=f"/cases/{sheet.case_id}" if sheet.case_id and may(actor, May.READ_CASES) else "",
        form=form or Form(),
        refused=refused,
        results=list(HandoverResult),
    )


@router.post("/{handover_id}/acknowledge")
def acknowledge(
    handover_id: UUID, session: CrisisSessionDep, actor: PageActorDep, clock: ClockDep
) -> Response:
    """我已接收. The first press counts; a second one reads who did."""
    now = clock.now()
    row = queries.get_handover(session, actor=actor, handover_id=handover_id, now=now)
    handovers.acknowledge(session, actor=actor, handover=row, now=now)
    return go(f"/hotline/handovers/{row.id}")


@router.post("/{handover_id}/result")
def write_result(
    handover_id: UUID,
    request: Request,
    form: FormDep,
    session: CrisisSessionDep,
    actor: PageActorDep,
    clock: ClockDep,
) -> Response:
    """What became of it, back to the hotline. The last one counts."""
    now = clock.now()
    row = queries.get_handover(session, actor=actor, handover_id=handover_id, now=now)
    came = form.choice("result", HandoverResult, needed=True)
    said = form.text("words")
    if form.errors or came is None:
        return _page(request, session, actor, queries.handover_sheet(row), form=form)
    try:
        with session.begin_nested():
            handovers.record_result(session, actor=actor, handover=row, result=came, words=said, now=now)
    except (PolicyViolation, InvalidInput) as refused:
        sheet = queries.handover_sheet(row)
        return _page(request, session, actor, sheet, form=form, refused=refused)
    return go(f"/hotline/handovers/{row.id}")
