"""The clinic without an account: the page behind a note's QR, and the way in by form number and typed code.

Strangers open these pages. They show form number, facility, urgency and the day to answer by, and no child. An
unknown, a wrong and an ended code are answered alike, and nothing said here holds before the school has called.
"""

from __future__ import annotations

from typing import Annotated

from fastapi import Depends, Request, Response

from api.auth.guessing import Addresses
from api.deps import AddressDep, ClockDep, DatabaseDep, GatekeeperDep, TransactionDep, page_router
from api.web.forms import Form, FormDep
from api.web.pages import go, page_locale, render
from api.web.presenters import words
from api.web.return_note_form import read_note_form
from referral.actions import replies, reply_codes
from referral.actions.replies import Said
from referral.models.referral import Referral
from referral.queries.replies import facility_code_hash, find_by_token
from referral.terms import Attendance, Finding, NoShowReason, Outcome, ReplyKind, RiskNow
from screening.core.clock import local_day
from screening.core.errors import InvalidInput, NotFound
from screening.core.reply_code import typed

router = page_router(prefix="/r")

OPEN = frozenset({("GET", "/r"), ("POST", "/r"), ("GET", "/r/{token}"), ("POST", "/r/{token}")})
CHOICES = {
    "no_show": list(NoShowReason),
    "outcome": list(Outcome),
    "finding": list(Finding),
    "risk": list(RiskNow),
    "attendance": list(Attendance),
}
PLACE = 120


class NotValid(NotFound):
    """One answer for an unknown, a wrong and an ended code."""

    def __init__(
        self,
        message: str = "This link or code is not valid, or no longer. Please look at the note again, or phone the school on it.",
        **params: object,
    ) -> None:
        super().__init__(message, **params)


def get_tries(request: Request) -> Addresses:
    tries: Addresses = request.app.state.reply_tries
    return tries


TriesDep = Annotated[Addresses, Depends(get_tries)]


# --- by the typed code -------------------------------------------------------------------------------------


@router.get("")
def show_way_in(request: Request) -> Response:
    """Form number and reply code, for a note whose QR cannot be read."""
    return render(request, "replies/way_in.html", form=Form(), refused=None)


@router.post("")
def open_by_code(
    request: Request,
    form: FormDep,
    transaction: TransactionDep,
    tries: TriesDep,
    address: AddressDep,
    clock: ClockDep,
) -> Response:
    """To the reply page, when the code belongs to the number. A wrong one is counted, and stays counted."""
    now = clock.now()
    tries.check(address, now)
    number, code = form.text("number", limit=40, needed=True), form.text("code", limit=40, needed=True)
    if form.errors:
        return render(request, "replies/way_in.html", status=422, form=form, refused=None)
    with transaction() as session:
        token = reply_codes.token_for(session, form_no=number, code=code, now=now)
    if token is None:
        tries.fail(address, now)
        raise NotValid
    return go(f"/r/{token}")


# --- the reply page ----------------------------------------------------------------------------------------


@router.get("/{token}")
def show_reply(
    token: str,
    request: Request,
    database: DatabaseDep,
    transaction: TransactionDep,
    tries: TriesDep,
    address: AddressDep,
    clock: ClockDep,
    thanks: str = "",
) -> Response:
    """What can be said about this note. Only what is found costs a line in the trail."""
    now = clock.now()
    tries.check(address, now)
    with database.look() as session:
        if find_by_token(session, token=token) is None:
            tries.fail(address, now)
            raise NotValid
    with transaction() as session:
        found = find_by_token(session, token=token)
        if found is None:
            raise NotValid
        replies.opened(session, referral=found, now=now)
        return page(request, found, token, thanks=bool(thanks))


def page(
    request: Request,
    found: Referral,
    token: str,
    *,
    form: Form | None = None,
    refused: InvalidInput | None = None,
    thanks: bool = False,
) -> Response:
    """The page; after a refusal with everything typed, but never the facility's code."""
    locale = page_locale(request)
    return render(
        request,
        "replies/reply.html",
        status=422 if refused is not None or (form and form.errors) else 200,
        at=f"/r/{typed(token)}",
        form_no=found.form_no,
        facility=found.facility.name if found.facility else "",
        urgency=words.word(found.urgency, locale),
        reply_by=local_day(found.answer_due_at) if found.answer_due_at else None,
        form=form or Form(),
        refused=refused,
        thanks=thanks,
        choices=CHOICES,
    )


@router.post("/{token}")
def reply(
    token: str,
    request: Request,
    form: FormDep,
    database: DatabaseDep,
    gatekeeper: GatekeeperDep,
    transaction: TransactionDep,
    tries: TriesDep,
    address: AddressDep,
    clock: ClockDep,
) -> Response:
    """Received, an appointment, did not come; with the facility's own code also the return note."""
    now = clock.now()
    tries.check(address, now)
    tries.fail(address, now)  # each reply of a stranger counts
    with database.look() as session:
        found = find_by_token(session, token=token)
        if found is None:
            raise NotValid
        blocked = reply_codes.facility_code_blocked(session, referral=found, now=now)
        stored = facility_code_hash(session, facility_id=found.facility_id, today=local_day(now))
        said = read_said(form)
        if said is None:
            return page(request, found, token, form=form)
    right = False
    if said.kind is ReplyKind.RETURN_NOTE:
        # Outside any transaction: hashing takes long. Without a stored code it takes as long.
        known = gatekeeper.hasher.check(stored, typed(form.raw("facility_code")))
        right = known and not blocked
    return _keep(request, transaction, token, form, said, right, clock)


def _keep(
    request: Request,
    transaction: TransactionDep,
    token: str,
    form: Form,
    said: Said,
    right: bool,
    clock: ClockDep,
) -> Response:
    """One transaction: the reply, or the wrong try."""
    now = clock.now()
    with transaction() as session:
        found = find_by_token(session, token=token)
        if found is None:
            raise NotValid
        if said.kind is ReplyKind.RETURN_NOTE and not right:
            reply_codes.facility_code_failed(session, referral=found, now=now)
            form.wrong("facility_code", WRONG_FACILITY_CODE)
            return page(request, found, token, form=form)
        try:
            replies.arrive(session, referral=found, said=said, facility_code_right=right, now=now)
        except InvalidInput as refused:
            return page(request, found, token, form=form, refused=refused)
    return go(f"/r/{typed(token)}?thanks=1")


WRONG_FACILITY_CODE = (
    "The facility's own code is missing, wrong or no longer valid. Without it only received, an appointment and "
    "did not come can be said here."
)


def read_said(form: Form) -> Said | None:
    """What was said, or ``None`` where something is missing; it stands in ``form``."""
    kind = form.choice("what", ReplyKind, needed=True)
    said: Said | None = None
    match kind:
        case ReplyKind.RECEIVED:
            said = Said(kind)
        case ReplyKind.APPOINTMENT:
            said = Said(
                kind, at=form.instant("at", needed=True), place=form.text("place", limit=PLACE, needed=True)
            )
        case ReplyKind.DID_NOT_COME:
            reason = form.choice("reason", NoShowReason) or NoShowReason.UNKNOWN
            said = Said(kind, at=form.instant("missed_at"), no_show_reason=reason)
        case ReplyKind.RETURN_NOTE:
            form.require("facility_code", form.raw("facility_code").strip())
            note = read_note_form(form, whole=True)
            said = Said(kind, note=note) if note else None
        case _:
            form.require("what", None)
    return None if form.errors else said
