"""Raise a worry without an account, by the school's link on a poster or a slip.

Nobody is asked who they are by proof, no cookie is set or needed, and the answer is the same whether or not the
child is known: same page, same words, same time (requirements AZ8, AZ12). A change still comes from a page of ours
only (AU9); the page says so to the browser in a way that old telephones understand.
"""

from __future__ import annotations

import secrets
import time
from datetime import datetime
from typing import Annotated
from urllib.parse import urlencode

from fastapi import Query, Request, Response
from sqlalchemy.orm import Session

from api.auth.guessing import Addresses, TooMany
from api.deps import AddressDep, ClockDep, DatabaseDep, TransactionDep, page_router
from api.web.forms import Form, FormDep
from api.web.pages import go, page_locale, render
from api.web.presenters import worries as present
from api.web.routes.worries import LIMITS, read_worry
from referral.actions import worries
from referral.actions.worries import WorryIn
from referral.models.worry import WorryLink
from referral.queries.worries import WorryWords, find_link
from referral.terms import HarmAnswer, Origin, WorryUrgency
from screening.core.actor import Actor
from screening.core.errors import DomainError, InvalidInput, PolicyViolation
from screening.core.i18n import LOCALES
from screening.models.organisation import Organisation

router = page_router(prefix="/worry")

OPEN = frozenset({("GET", "/worry"), ("POST", "/worry"), ("GET", "/worry/sent")})
LONGEST_SECRET = 100
Secret = Annotated[str, Query(max_length=LONGEST_SECRET)]
CLOSED = "This link is not in use any more. Nothing was sent."


@router.get("")
def show(request: Request, database: DatabaseDep, s: Secret = "") -> Response:
    """The form, where the link lives; the numbers to phone, always."""
    with database.look() as session:
        school = _school(session, find_link(session, secret=s))
    return _page(request, s, school, Form())


def _school(session: Session, link: WorryLink | None) -> str | None:
    return session.get_one(Organisation, link.organisation_id).name if link else None


def _page(
    request: Request,
    secret: str,
    school: str | None,
    form: Form,
    *,
    refused: DomainError | None = None,
    status: int = 200,
) -> Response:
    locale = page_locale(request)
    if school is None:
        status = 404
    elif form.errors:
        status = 422
    return render(
        request,
        "worries/public.html",
        status=status,
        address=f"/worry?{urlencode({'s': secret} | _language(request))}",
        languages=[
            (each, f"/worry?{urlencode({'s': secret, 'language': each})}")
            for each in LOCALES
            if each != locale
        ],
        secret=secret,
        school=school,
        who=present.who(locale),
        seen=present.seen(locale),
        harm=present.harm(locale),
        urgencies=present.urgencies(locale),
        limits=LIMITS,
        key=form.raw("key") or secrets.token_urlsafe(18),
        form=form,
        refused=refused,
    )


def _language(request: Request) -> dict[str, str]:
    """A language chosen in the address is kept there: no cookie is set for it."""
    chosen = request.query_params.get("language")
    return {"language": chosen} if chosen in LOCALES else {}


@router.post("")
def send(
    request: Request,
    form: FormDep,
    transaction: TransactionDep,
    database: DatabaseDep,
    clock: ClockDep,
    address: AddressDep,
) -> Response:
    """Take it, and say the same thing in the same time, whoever it is about."""
    began, now, secret = time.monotonic(), clock.now(), form.raw("s")[:LONGEST_SECRET]
    with database.look() as session:
        school = _school(session, find_link(session, secret=secret))
    strangers: Addresses = request.app.state.strangers
    try:
        strangers.check(address, now)
        strangers.fail(address, now)
        said, urgency, harm_by = read_worry(form)
        origin = _origin(form)
        if form.errors or urgency is None or origin is None or school is None:
            gone = PolicyViolation(CLOSED) if school is None else None
            return _page(request, secret, school, form, refused=gone)
        with transaction() as session:
            _hear(session, secret, said, urgency, harm_by, origin, form.raw("key"), now)
    except TooMany as wait:
        return _page(request, secret, school, form, refused=wait, status=429)
    except (PolicyViolation, InvalidInput) as refused:
        return _page(request, secret, school, form, refused=refused, status=409)
    # After the transaction: nobody waits for a stranger's answer.
    time.sleep(max(0.0, began + request.app.state.even_seconds - time.monotonic()))
    return go(f"/worry/sent?{urlencode({'u': urgency.value} | _language(request))}")


def _origin(form: Form) -> Origin | None:
    origin = form.choice("who", Origin, needed=True)
    if origin is not None and origin not in present.WHO:
        form.require("who", None)
        return None
    return origin


def _hear(
    session: Session,
    secret: str,
    said: WorryWords,
    urgency: WorryUrgency,
    harm_by: HarmAnswer | None,
    origin: Origin,
    key: str,
    now: datetime,
) -> None:
    link = find_link(session, secret=secret)
    if link is None:
        raise PolicyViolation(CLOSED)
    school = session.get_one(Organisation, link.organisation_id)
    worry = WorryIn(school, said, urgency, origin, key, harm_by)
    worries.hear(session, actor=Actor.system(), worry=worry, link=link, now=now)


@router.get("/sent")
def show_sent(request: Request, u: WorryUrgency = WorryUrgency.THIS_WEEK) -> Response:
    """Thank you, what happens now, whom to phone."""
    locale = page_locale(request)
    return render(
        request,
        "worries/sent.html",
        languages=[(each, f"/worry/sent?u={u.value}&language={each}") for each in LOCALES if each != locale],
        now=u is WorryUrgency.NOW,
        comes=present.what_comes(u, locale),
    )
