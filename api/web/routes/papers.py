"""Blank papers of a campaign: numbered answer sheets, and what is asked, for guardians."""

from __future__ import annotations

from uuid import UUID

from fastapi import Depends, Request, Response

from api.deps import DatabaseDep, PageActorDep, PapersDep, get_page_actor, needs, page_router
from api.web.pages import page_locale
from api.web.presenters import campaigns as of_campaign
from api.web.presenters import papers as present
from screening.access import May
from screening.core.errors import NotFound
from screening.core.i18n import LOCALES
from screening.queries.campaigns import get_campaign
from screening.queries.children import organisation_of
from screening.queries.wordings import wording_for

router = page_router(
    prefix="/campaigns/{campaign_id}/papers",
    dependencies=[Depends(get_page_actor), needs(May.READ_CAMPAIGNS)],
)


@router.get("")
def print_what_is_asked(
    campaign_id: UUID, request: Request, database: DatabaseDep, papers: PapersDep, actor: PageActorDep
) -> Response:
    """For guardians: topics, time, who sees it, the right to say no."""
    locale = _language(request)
    with database.look() as session:
        campaign = get_campaign(session, actor=actor, campaign_id=campaign_id)
        school = organisation_of(session, campaign.organisation_id)
        values = present.asked(
            of_campaign.instruments(campaign),
            school=school.name,
            phone=school.phone or "",
            title=campaign.title,
            opens_on=campaign.opens_on,
            closes_on=campaign.closes_on,
            locale=locale,
        )
    return _pdf(papers.blank_form(present.ASKED, values), f"asked-{locale}")


@router.get("/{code}")
def print_answer_sheet(
    campaign_id: UUID,
    code: str,
    request: Request,
    database: DatabaseDep,
    papers: PapersDep,
    actor: PageActorDep,
    wording: str | None = None,
) -> Response:
    """The numbered answer sheet of one questionnaire; with ``wording`` its questions too, where a pack is in force."""
    locale = _language(request)
    with database.look() as session:
        campaign = get_campaign(session, actor=actor, campaign_id=campaign_id)
        instrument = next((each for each in of_campaign.instruments(campaign) if each.code == code), None)
        if instrument is None:
            raise NotFound
        school = organisation_of(session, campaign.organisation_id)
        pack = (
            wording_for(session, organisation=school, instrument=instrument, locale=locale)
            if wording is not None
            else None
        )
    if wording is not None and pack is None:
        raise NotFound
    values = present.answer_sheet(instrument, pack.language if pack else locale, pack)
    name = f"answer-sheet-{code}-{locale}" + ("-wording" if pack else "")
    return _pdf(papers.blank_form(present.ANSWER_SHEET, values), name)


def _language(request: Request) -> str:
    """The language asked for, else that of the page: a school prints for families of both."""
    asked = request.query_params.get("in", "")
    return asked if asked in LOCALES else page_locale(request)


def _pdf(data: bytes, name: str) -> Response:
    return Response(
        data,
        media_type="application/pdf",
        headers={"Content-Disposition": f'inline; filename="{name}.pdf"'},
    )
