"""FHIR R4: a questionnaire of the library, and one sheet as its response."""

from __future__ import annotations

import json
from typing import Any
from uuid import UUID

from fastapi import Response

from api.deps import ActorDep, ClockDep, LocaleDep, SessionDep, json_router, needs
from instruments import Instrument, UnknownInstrument, catalogue
from instruments.layouts import in_layout
from instruments.questionnaire import to_questionnaire, to_response
from screening.access import May
from screening.core.errors import NotFound
from screening.queries.districts import get_district
from screening.queries.results import answers_of, export_sheet
from screening.queries.wordings import wording_for

FHIR_JSON = "application/fhir+json"
FHIR: dict[int | str, dict[str, Any]] = {200: {"content": {FHIR_JSON: {}}}}

router = json_router(tags=["fhir"])


@router.get("/instruments/{code}/questionnaire", response_class=Response, responses=FHIR)
def show_questionnaire(
    code: str, session: SessionDep, actor: ActorDep, locale: LocaleDep, wording: bool = False
) -> Response:
    """The ``Questionnaire`` with its codes. With ``wording`` the one in force in the reader's district, if any."""
    instrument = _instrument(code)
    pack = None
    if wording:
        district = get_district(session, actor=actor, organisation_id=None)
        pack = wording_for(session, organisation=district, instrument=instrument, locale=locale)
    return _answer(to_questionnaire(instrument, pack, locale=locale))


def _instrument(code: str) -> Instrument:
    try:
        return catalogue().get(code)
    except UnknownInstrument:
        raise NotFound from None


@router.get(
    "/administrations/{administration_id}/questionnaire-response",
    response_class=Response,
    responses=FHIR,
    dependencies=[needs(May.READ_SCORES)],
)
def show_questionnaire_response(
    administration_id: UUID, session: SessionDep, actor: ActorDep, clock: ClockDep
) -> Response:
    """One sheet as ``QuestionnaireResponse``: numbers of files in place of names. The reading is recorded."""
    sheet, file_no = export_sheet(session, actor=actor, administration_id=administration_id, now=clock.now())
    return _answer(
        to_response(
            in_layout(_instrument(sheet.instrument), sheet.layout),
            answers_of(session, sheet),
            identifier=str(sheet.id),
            subject=file_no,
            authored=sheet.administered_on.isoformat(),
            informant=sheet.informant,
        )
    )


def _answer(resource: dict[str, Any]) -> Response:
    return Response(json.dumps(resource, ensure_ascii=False), media_type=FHIR_JSON)
