"""筛查任务: the list, one campaign with how far it is and its next step, and its roll class by class."""

from __future__ import annotations

from uuid import UUID

from fastapi import Depends, Request, Response
from sqlalchemy.orm import Session

from api.deps import ClockDep, PageActorDep, SessionDep, get_page_actor, needs, page_router
from api.versions import SeenDep
from api.web.forms import FormDep
from api.web.pages import go, page_locale, render
from api.web.presenters import campaigns as present
from screening.access import May, places
from screening.actions import campaigns as actions
from screening.core.actor import Actor
from screening.core.clock import local_day
from screening.core.errors import NotFound
from screening.models.campaign import Campaign, CampaignStatus
from screening.models.consent import Purpose
from screening.queries.asking import who_is_asked
from screening.queries.campaigns import (
    current_consents,
    get_campaign,
    list_campaigns,
    progress,
    recorded_sheets,
)
from screening.queries.children import organisation_of
from screening.queries.rosters import last_entry_of, list_class, list_classes
from screening.queries.wordings import wording_for

router = page_router(prefix="/campaigns", dependencies=[Depends(get_page_actor)])


@router.get("", dependencies=[needs(May.READ_CAMPAIGNS)])
def show_campaigns(request: Request, session: SessionDep, actor: PageActorDep) -> Response:
    """The campaigns of one's own places, the newest first."""
    locale = page_locale(request)
    return render(
        request,
        "campaigns/list.html",
        session=session,
        campaigns=[
            (each, present.status(each.status, locale)) for each in list_campaigns(session, actor=actor)
        ],
    )


@router.get("/child/{child_id}", dependencies=[needs(May.RECORD_SHEET)])
def find_child(child_id: UUID, session: SessionDep, actor: PageActorDep) -> Response:
    """From a line of today's list to the child's sheets on the newest roll."""
    entry = last_entry_of(session, actor=actor, child_id=child_id)
    return go(f"/campaigns/{entry.campaign_id}/roster/{entry.id}")


@router.get("/{campaign_id}", dependencies=[needs(May.READ_CAMPAIGNS)])
def show_campaign(campaign_id: UUID, request: Request, session: SessionDep, actor: PageActorDep) -> Response:
    """How far it is, what comes next, and the ways to bring sheets in."""
    locale = page_locale(request)
    campaign = get_campaign(session, actor=actor, campaign_id=campaign_id)
    return render(
        request,
        "campaigns/campaign.html",
        session=session,
        version=str(campaign.version),
        campaign=campaign,
        status_word=present.status(campaign.status, locale),
        progress=progress(session, campaign=campaign),
        instruments=[(each, present.name_of(each, locale)) for each in present.instruments(campaign)],
        step=present.next_step(campaign, actor, locale),
        why_no_sheets=present.why_no_sheets(campaign, locale),
        asking=_asking(session, actor, campaign, locale),
        worded=_worded(session, campaign, locale),
        imports=campaign.organisation_id in places(actor, May.IMPORT),
        records=campaign.organisation_id in places(actor, May.RECORD_SHEET),
    )


def _asking(session: Session, actor: Actor, campaign: Campaign, locale: str) -> present.Asking:
    """What stands against it; the actions ask the same again."""
    if campaign.status not in present.ASKS:
        return present.NOTHING_AGAINST
    return present.asking(
        campaign,
        who_is_asked(session, actor=actor, campaign=campaign),
        actor,
        locale,
    )


def _worded(session: Session, campaign: Campaign, locale: str) -> set[str]:
    """The questionnaires whose wording is in force here."""
    school = organisation_of(session, campaign.organisation_id)
    return {
        each.code
        for each in present.instruments(campaign)
        if wording_for(session, organisation=school, instrument=each, locale=locale) is not None
    }


@router.post("/{campaign_id}/steps", dependencies=[needs(May.RUN_CAMPAIGN, May.APPROVE_CAMPAIGN)])
def move_campaign(
    campaign_id: UUID, form: FormDep, seen: SeenDep, session: SessionDep, actor: PageActorDep, clock: ClockDep
) -> Response:
    """One step on. Announcing is the lead's, the others the counsellor's."""
    campaign = get_campaign(session, actor=actor, campaign_id=campaign_id)
    to = form.choice("to", CampaignStatus, needed=True)
    reason = form.text("reason", limit=200)
    form.check()
    if to is not None and to is not campaign.status:  # pressed twice: it is there already
        seen.check(session, campaign.version, things=[campaign.id], now=clock.now())
        actions.move(session, actor=actor, campaign=campaign, to=to, reason=reason or None, now=clock.now())
    return go(f"/campaigns/{campaign.id}")


@router.post("/{campaign_id}/without-safety", dependencies=[needs(May.APPROVE_CAMPAIGN)])
def sign_without_safety(
    campaign_id: UUID, form: FormDep, seen: SeenDep, session: SessionDep, actor: PageActorDep, clock: ClockDep
) -> Response:
    """The lead signs that nobody is asked about safety, and says why."""
    campaign = get_campaign(session, actor=actor, campaign_id=campaign_id)
    reason = form.text("reason", limit=200, needed=True)
    form.check()
    if campaign.without_safety_at is None:
        seen.check(session, campaign.version, things=[campaign.id], now=clock.now())
    actions.sign_without_safety(session, actor=actor, campaign=campaign, reason=reason, now=clock.now())
    return go(f"/campaigns/{campaign.id}")


@router.get("/{campaign_id}/roster", dependencies=[needs(May.READ_CAMPAIGNS)])
def show_roster(
    campaign_id: UUID,
    request: Request,
    session: SessionDep,
    actor: PageActorDep,
    clock: ClockDep,
    at: str | None = None,
    done: str | None = None,
) -> Response:
    """One class of the roll (``at``: its key), with consent and the sheets that are there."""
    now, locale = clock.now(), page_locale(request)
    campaign = get_campaign(session, actor=actor, campaign_id=campaign_id)
    classes = list_classes(session, actor=actor, campaign=campaign)
    place = next((n for n, each in enumerate(classes) if each.key == at), 0)
    if at is not None and not any(each.key == at for each in classes):
        raise NotFound
    entries = (
        list_class(session, actor=actor, campaign=campaign, school_class=classes[place], now=now)
        if classes
        else []
    )
    stored = recorded_sheets(session, entries=entries)
    consents = current_consents(session, [each.child_id for each in entries], [Purpose.SCREENING])
    return render(
        request,
        "campaigns/roster.html",
        session=session,
        campaign=campaign,
        classes=[(each, present.class_name(each, local_day(now), locale)) for each in classes],
        place=place,
        lines=present.lines(entries, campaign, stored, consents, locale),
        records=campaign.organisation_id in places(actor, May.RECORD_SHEET),
        why_no_sheets=present.why_no_sheets(campaign, locale),
        done=done is not None,
    )
