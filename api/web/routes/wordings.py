"""题目文本: bring the wording of a questionnaire in, read it beside the original, approve it as a second person."""

from __future__ import annotations

import json
from typing import Annotated
from uuid import UUID

from fastapi import Depends, Request, Response, UploadFile
from fastapi import Form as FormField
from sqlalchemy.orm import Session

from api.deps import (
    ClockDep,
    DatabaseDep,
    PageActorDep,
    SessionDep,
    TransactionDep,
    get_page_actor,
    needs,
    page_router,
)
from api.web.forms import Form, FormDep
from api.web.pages import go, page_locale, render
from api.web.presenters import wordings as present
from instruments import Instrument
from instruments.questionnaire import NotAQuestionnaire, from_questionnaire
from instruments.text import LANGUAGES, Pack, Problem, problems
from screening.access import May
from screening.actions import wordings as actions
from screening.actions.imports import XLSX
from screening.core.actor import Actor
from screening.core.errors import DomainError, InvalidInput, NotFound
from screening.models.wording import WordingForm, WordingPack
from screening.queries.accounts import names_of
from screening.queries.wordings import district_to_word, get_wording, list_wordings
from screening.spreadsheets.packs import empty_pack, read_pack

router = page_router(prefix="/wordings", dependencies=[Depends(get_page_actor), needs(May.KEEP_WORDING)])

LARGEST_JSON = 2 * 2**20
CHOOSE_A_FILE = "Please choose the file with the wording first."
NOT_FHIR = (
    "This is no FHIR questionnaire (R4, JSON). Send the file of the publisher, or the workbook filled in."
)


@router.get("")
def show_wordings(request: Request, session: SessionDep, actor: PageActorDep) -> Response:
    """What is in force and what waits; the empty workbooks; the form to bring one in."""
    return _list(request, session, actor)


def _list(
    request: Request,
    session: Session,
    actor: Actor,
    *,
    form: Form | None = None,
    refused: DomainError | None = None,
    found: tuple[Problem, ...] = (),
) -> Response:
    locale = page_locale(request)
    return render(
        request,
        "wordings/list.html",
        session=session,
        status=422 if refused else 200,
        district=district_to_word(session, actor=actor),
        lines=present.lines(list_wordings(session, actor=actor), locale),
        choices=present.choices(locale),
        workbooks=present.workbooks(locale),
        not_kept=present.not_kept(),
        languages=[(each, present.language(each, locale)) for each in LANGUAGES],
        form=form or Form(),
        refused=refused,
        problems=present.sentences(found, locale),
    )


@router.get("/workbook/{code}")
def download_workbook(code: str, request: Request, database: DatabaseDep, actor: PageActorDep) -> Response:
    """The workbook to fill in, in the language of the page or the one asked for."""
    instrument, asked = _instrument(code), request.query_params.get("in", "")
    language = asked if asked in LANGUAGES else page_locale(request)
    layout = request.query_params.get("layout", "")
    if layout and all(each.id != layout for each in instrument.layouts):
        raise NotFound
    name = f"{code}-{language}.xlsx"
    return Response(
        empty_pack(instrument, language, layout),
        media_type=XLSX,
        headers={"Content-Disposition": f'attachment; filename="{name}"'},
    )


def _instrument(code: str) -> Instrument:
    """A questionnaire whose wording may be kept, or :class:`NotFound`."""
    found = present.known(code)
    if found is None or code not in dict(present.choices("en")):
        raise NotFound
    return found


@router.post("")
def bring_in(
    request: Request,
    transaction: TransactionDep,
    actor: PageActorDep,
    clock: ClockDep,
    code: Annotated[str, FormField()] = "",
    language: Annotated[str, FormField()] = "",
    origin: Annotated[str, FormField()] = "",
    file: UploadFile | str | None = None,
) -> Response:
    """Read a file, compare it with the questionnaire, keep it as the next version.

    What does not agree is listed place by place and nothing is kept.
    """
    form = Form({"code": [code], "language": [language], "origin": [origin]})
    data = b"" if file is None or isinstance(file, str) else file.file.read()
    instrument = present.known(code)
    found: tuple[Problem, ...] = ()
    try:
        kind, pack = _read(data, instrument, language)
        found = problems(pack, instrument) if instrument is not None else ()
        refused: DomainError | None = (
            InvalidInput(
                "The wording does not agree with the questionnaire in {count} places.", count=len(found)
            )
            if found
            else None
        )
    except InvalidInput as wrong:
        refused = wrong
    with transaction() as session:
        if refused is not None or instrument is None:
            return _list(request, session, actor, form=form, refused=refused, found=found)
        try:
            kept = actions.bring_in(
                session,
                actor=actor,
                district=district_to_word(session, actor=actor),
                instrument=instrument,
                pack=pack,
                form=kind,
                origin=origin,
                now=clock.now(),
            )
        except DomainError as wrong:
            return _list(request, session, actor, form=form, refused=wrong)
        session.flush()
        return go(f"/wordings/{kept.id}")


def _read(data: bytes, instrument: Instrument | None, language: str) -> tuple[WordingForm, Pack]:
    """A file as a pack, before any transaction. Raises :class:`InvalidInput` in words."""
    if instrument is None:
        raise InvalidInput("Please choose the questionnaire.")
    if not data:
        raise InvalidInput(CHOOSE_A_FILE)
    if data.startswith(b"PK"):
        return WordingForm.WORKBOOK, read_pack(data, instrument)
    if len(data) > LARGEST_JSON:
        raise InvalidInput(NOT_FHIR)
    try:
        said = json.loads(data.decode("utf-8-sig"))
        json.dumps(said, ensure_ascii=False).encode()  # half a character can stand in no page and no store
        return WordingForm.FHIR, from_questionnaire(said, instrument, language=language)
    except (ValueError, RecursionError, NotAQuestionnaire):
        raise InvalidInput(NOT_FHIR) from None


@router.get("/{wording_id}")
def show_wording(wording_id: UUID, request: Request, session: SessionDep, actor: PageActorDep) -> Response:
    """One version with its whole text, who brought it in and who approved it."""
    return _one(request, session, actor, get_wording(session, actor=actor, wording_id=wording_id))


def _one(
    request: Request,
    session: Session,
    actor: Actor,
    wording: WordingPack,
    *,
    form: Form | None = None,
) -> Response:
    locale = page_locale(request)
    instrument, pack = present.known(wording.instrument), Pack.from_dict(wording.content)
    versions = present.of_one_kind(wording, list_wordings(session, actor=actor))
    [line] = [each for each in present.lines(versions, locale) if each.id == wording.id]
    people = {each for each in (wording.imported_by, wording.approved_by, wording.withdrawn_by) if each}
    return render(
        request,
        "wordings/wording.html",
        session=session,
        status=422 if form and form.errors else 200,
        wording=wording,
        line=line,
        older=[each for each in present.lines(versions, locale) if each.id != wording.id],
        form_word=present.form(wording.form, locale),
        pack=pack if instrument is not None and wording.instrument in dict(present.choices(locale)) else None,
        questions=present.questions(pack),
        letters=present.letters(pack, locale),
        names=names_of(session, people),
        waits=wording.approved_at is None and wording.withdrawn_at is None,
        own=wording.imported_by == actor.account_id,
        form=form or Form(),
    )


@router.post("/{wording_id}/approve")
def approve(
    wording_id: UUID, request: Request, session: SessionDep, actor: PageActorDep, clock: ClockDep
) -> Response:
    """The second person has read it: from now on it is shown."""
    wording = get_wording(session, actor=actor, wording_id=wording_id)
    actions.approve(session, actor=actor, wording=wording, now=clock.now())
    return go(f"/wordings/{wording.id}")


@router.post("/{wording_id}/withdraw")
def withdraw(
    wording_id: UUID,
    form: FormDep,
    request: Request,
    session: SessionDep,
    actor: PageActorDep,
    clock: ClockDep,
) -> Response:
    """Nobody is shown it any more."""
    wording = get_wording(session, actor=actor, wording_id=wording_id)
    reason = form.text("reason", limit=200, needed=True)
    if form.errors:
        return _one(request, session, actor, wording, form=form)
    actions.withdraw(session, actor=actor, wording=wording, reason=reason, now=clock.now())
    return go(f"/wordings/{wording.id}")
