"""Every page of the service, found by following links from each person's first page.

A page that nobody can reach by a link has to be named in ``SEEDS``, with somebody who may see it. So the walk shows
two things at once: that each page is fit to be looked at, and that people get there.
"""

from __future__ import annotations

import json
import re
from collections import Counter, deque
from collections.abc import Callable, Iterator
from datetime import date
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import yaml
from sqlalchemy import select

from instruments import catalogue
from referral import intake
from referral.actions import hotline
from referral.actions.handovers import HandoverIn, hand_over
from referral.models.case import SafetyTalk
from referral.models.hotline import HotlineCall
from referral.models.referral import Referral
from referral.models.worry import Worry, WorryLink
from referral.terms import CallerAgreement, CallLevel, HandoverTo
from screening.models.administration import Administration
from screening.models.organisation import Organisation
from screening.queries.campaigns import get_campaign
from screening.spreadsheets.reader import read_workbook
from tests.browser.person import Person
from tests.browser.service import Site
from tests.factories import answers
from tests.screening.workbooks import HEADINGS, PHQ9, child, workbook

TABLE = yaml.safe_load(
    (Path(__file__).resolve().parents[1] / "api" / "route_table.yaml").read_text(encoding="utf-8")
)
# Answers that are no page of their own: a redirect, a piece of a page, an empty answer, files.
NO_PAGES = frozenset(
    {
        "/",
        "/healthz",
        "/today/notices",
        "/today/here",
        "/today/alarm",
        "/hotline/tasks/{task_id}",
        "/referrals/{referral_id}/note.pdf",
        "/imports/template/{campaign_id}",
    }
)
# Of pages of one kind so many are opened per person: enough to find the links that only some of them have.
OF_A_KIND = 4


def page_routes() -> list[str]:
    """The addresses of pages, as the route table writes them; those with fewer blanks first."""
    paths = {name.removeprefix("GET ") for name in TABLE if name.startswith("GET ")}
    pages = {path for path in paths if not path.startswith("/api/")} - NO_PAGES
    return sorted(pages, key=lambda path: (path.count("{"), path))


def kind_of(path: str) -> str | None:
    """The row of the table behind an address."""
    for route in page_routes():
        if re.fullmatch(re.sub(r"\\\{[^}]*\\\}", "[^/]+", re.escape(route)), path):
            return route
    return None


# --- a county in which every page has something to show ----------------------------------------------------


def populate(site: Site) -> dict[str, str]:
    """Children at every step, files with and without errors. Gives the address of one page of some kinds."""
    in_danger = site.pupil()
    site.world.submit(in_danger, "asq", answers("asq", i1=1, i5=1))
    at_talk = site.pupil(total=20)
    site.pupil(total=2, i9=1)  # a safety talk
    site.pupil(code="gad7", total=11)  # a talk without a case
    without = site.pupil()
    blank = dict.fromkeys("12345", None)
    site.world.submit(site.pupil(), "phq9", {**answers("phq9"), **blank})  # gives no result
    referral = site.send_referral(site.pupil(total=20, share=True))
    site.send_referral(site.pupil(total=20, share=True))
    send_file(site, good=True)
    batch = send_file(site, good=False)
    site.work()
    take_a_call(site)
    roster = f"/campaigns/{site.campaign_id}/roster"
    return {
        "crisis": site.case_of(in_danger),
        "case": site.case_of(at_talk),
        "roster": roster,
        "sheet": f"{roster}/{without.entry_id}/sheets/phq9",
        "batch": batch,
        "referral": referral,
    }


def take_a_call(site: Site) -> None:
    """A call of level B about a child, handed over to the school; its number may be shown."""
    now, operator = site.clock.now(), site.world.actor("hotline_operator")
    supervisor = site.world.actor("hotline_supervisor")
    with site.database.begin() as session:
        call = hotline.start_call(session, actor=operator, hotline_id=site.world.places["hotline"], now=now)
        fields = {"summary": "同伴来电。", "phone": "13900000099", "callback_ok": True}
        hotline.save(session, actor=operator, call=call, fields=fields, sequence=1, now=now)
        hotline.triage(session, actor=operator, call=call, level=CallLevel.B, now=now)
        hotline.ask_phone(session, actor=operator, call=call, now=now)
        hotline.approve_phone(session, actor=supervisor, call=call, now=now)
        school = session.get_one(Organisation, site.world.places["school"])
        handover = HandoverIn(
            to=HandoverTo.SCHOOL_DUTY, agreed=CallerAgreement.YES, what_said="孩子在河边。", place=school
        )
        hand_over(session, actor=operator, call=call, handover=handover, now=now)


def send_file(site: Site, *, good: bool) -> str:
    """A workbook is staged; one with an error stays so, a good one is committed and written."""
    now = site.clock.now()
    first = 51 if good else 1
    rows = [child(number, 筛查同意="是", 同意日期=date(2026, 9, 20)) for number in (first, first + 1)]
    sheets = [[*row[:2], site.clock.today(), 0 if good else 9, *[0] * 8] for row in rows]
    data = workbook({"名册": [HEADINGS, *rows], "phq9": [PHQ9, *sheets]})
    actor = site.world.actor("counsellor")
    with site.database.begin() as session:
        campaign = get_campaign(session, actor=actor, campaign_id=site.campaign_id)
        batch = intake.stage(
            session,
            actor=actor,
            campaign=campaign,
            data=data,
            file_name="名册.xlsx",
            parsed=read_workbook(data, catalogue(), today=site.clock.today()),
            now=now,
        )
        if good:
            intake.commit(session, actor=actor, batch=batch, good_rows_only=False, now=now)
        return f"/imports/{batch.id}"


# --- walking -----------------------------------------------------------------------------------------------


def _recorded(site: Site) -> str:
    with site.database.look() as session:
        sheet = session.scalars(select(Administration).order_by(Administration.recorded_at)).first()
        assert sheet is not None
        return f"/campaigns/{site.campaign_id}/roster/{sheet.roster_entry_id}/recorded/{sheet.id}"


def _found(site: Site, *columns: Any) -> Any:
    with site.database.look() as session:
        return session.execute(select(*columns)).first()


def _held_talk(site: Site) -> str:
    return "/cases/{}/safety-talk/{}".format(*_found(site, SafetyTalk.case_id, SafetyTalk.id))


def _worry(site: Site) -> str:
    """One of which nobody knows yet who is meant."""
    with site.database.look() as session:
        return f"/worries/{session.scalars(select(Worry.id).where(Worry.settled_at.is_(None))).first()}"


def _public_link(site: Site) -> str:
    with site.database.look() as session:
        return f"/worry?s={session.scalars(select(WorryLink)).one().secret}"


def _reply_page(site: Site) -> str:
    with site.database.look() as session:
        sent = next(each.frozen for each in session.scalars(select(Referral)) if each.frozen)
        return f"/r/{json.loads(sent)['reply_token']}"


def _taken(site: Site) -> str:
    return f"/worries/taken?at={site.world.places['school']}&u=now"


# Pages without a link: who opens them (nobody: a stranger), and where they are.
SEEDS: dict[str, tuple[str | None, Callable[[Site], str]]] = {
    "/sign-in": (None, lambda site: "/sign-in"),
    "/worry": (None, _public_link),
    "/worry/sent": (None, lambda site: "/worry/sent?u=now"),
    "/r": (None, lambda site: "/r"),
    "/r/{token}": (None, _reply_page),
    "/worries/taken": ("class_teacher", _taken),
    "/worries/{worry_id}": ("counsellor", _worry),
    "/cases/{case_id}/safety-talk/{talk_id}": ("counsellor", _held_talk),
    "/hotline/calls/{call_id}/phone": (
        "hotline_operator",
        lambda site: "/hotline/calls/{}/phone".format(*_found(site, HotlineCall.id)),
    ),
    "/password": ("counsellor", lambda site: "/password"),
    "/campaigns/{campaign_id}/roster/{entry_id}/recorded/{administration_id}": ("entry_clerk", _recorded),
}


def walk(me: Person) -> Iterator[tuple[str, str]]:
    """(row of the table, address) of each page as it is opened, from the first page on. ``me`` is signed in."""
    waiting, known, opened = deque(["/today"]), {"/today"}, Counter[str]()
    while waiting:
        path = waiting.popleft()
        kind = kind_of(path)
        if kind is None or opened[kind] >= OF_A_KIND:
            continue
        opened[kind] += 1
        me.open(path)
        yield kind, path
        for href in me.page.eval_on_selector_all("a[href]", "all => all.map(each => each.href)"):
            place = urlsplit(href)
            if f"{place.scheme}://{place.netloc}" == me.address and place.path not in known:
                known.add(place.path)
                waiting.append(place.path)
