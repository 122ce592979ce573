"""A school's workbook: the empty template, the upload, the review beside the cells, the commit, what follows."""

from __future__ import annotations

import hashlib
from datetime import datetime
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
from api.web.forms import FormDep
from api.web.pages import go, page_locale, render
from api.web.presenters import campaigns as of_campaign
from api.web.presenters import imports as present
from api.web.presenters import words
from referral import intake
from referral.queries.today import TaskLine, alarm_is_open, list_tasks
from referral.terms import TaskKind
from screening.access import May, check_may_at, may, places
from screening.actions.imports import XLSX
from screening.core import audit
from screening.core.actor import Actor
from screening.core.audit import AuditEvent
from screening.core.errors import DomainError, InvalidInput
from screening.models.import_batch import BatchStatus, ImportBatch, RowVerdict
from screening.queries.accounts import duty_phone, names_of
from screening.queries.campaigns import get_campaign, list_campaigns
from screening.queries.children import organisation_of
from screening.queries.imports import children_of_batch, count_rows, find_batch, get_batch, list_batches
from screening.spreadsheets.reader import read_in_child
from screening.spreadsheets.template import template

router = page_router(
    prefix="/imports",
    dependencies=[Depends(get_page_actor), needs(May.IMPORT)],
)

# Seconds after which the browser looks again while the worker writes; in a header, so that no script is needed.
LOOK_AGAIN = "3"
CHOOSE_A_FILE = "Please choose the workbook first."


@router.get("")
def show_uploads(request: Request, session: SessionDep, actor: PageActorDep) -> Response:
    """Choose a campaign, take its empty workbook, send it back filled; and what was uploaded before."""
    return _uploads(request, session, actor)


def _uploads(
    request: Request, session: Session, actor: Actor, refused: DomainError | None = None
) -> Response:
    locale, here = page_locale(request), places(actor, May.IMPORT)
    known = list_campaigns(session, actor=actor)
    batches = list_batches(session, actor=actor)
    return render(
        request,
        "imports/list.html",
        session=session,
        status=200 if refused is None else 422,
        refused=refused,
        campaigns=[
            (each, of_campaign.status(each.status, locale), of_campaign.why_no_sheets(each, locale))
            for each in known
            if each.organisation_id in here
        ],
        titles={each.id: each.title for each in known},
        batches=batches,
        names=names_of(session, {each.uploaded_by for each in batches}),
        status_word={each: present.status(each, locale) for each in BatchStatus},
    )


@router.get("/template/{campaign_id}")
def download_template(
    campaign_id: UUID, request: Request, database: DatabaseDep, actor: PageActorDep
) -> Response:
    """The empty workbook with a sheet for each questionnaire of the campaign."""
    with database.look() as session:
        codes = list(get_campaign(session, actor=actor, campaign_id=campaign_id).instruments)
    return Response(
        template(codes, page_locale(request)),
        media_type=XLSX,
        headers={"Content-Disposition": 'attachment; filename="template.xlsx"'},
    )


@router.post("")
def upload(
    request: Request,
    database: DatabaseDep,
    transaction: TransactionDep,
    actor: PageActorDep,
    clock: ClockDep,
    campaign_id: Annotated[UUID, FormField()],
    file: UploadFile | str | None = None,
) -> Response:
    """Read a workbook and keep it for review; the same file again leads to the review that is there.

    It is read in a process of its own before the transaction opens: nobody waits for a large file. A browser
    sends a field without a file as an empty one, hence the three kinds.
    """
    with database.look() as session:
        campaign = get_campaign(session, actor=actor, campaign_id=campaign_id)
        check_may_at(actor, May.IMPORT, campaign.organisation_id)
    data = b"" if file is None or isinstance(file, str) else file.file.read()
    if not data:
        with transaction() as session:
            return _uploads(request, session, actor, InvalidInput(CHOOSE_A_FILE))
    name = "" if file is None or isinstance(file, str) else file.filename or ""
    parsed = read_in_child(data, None, clock.today())
    with transaction() as session:
        campaign = get_campaign(session, actor=actor, campaign_id=campaign_id)
        known = find_batch(session, campaign_id=campaign.id, sha256=hashlib.sha256(data).digest())
        batch = intake.stage(
            session,
            actor=actor,
            campaign=campaign,
            data=data,
            file_name=name,
            parsed=parsed,
            now=clock.now(),
        )
        return go(f"/imports/{batch.id}" + ("?again=yes" if known else ""))


@router.get("/{batch_id}")
def show_batch(
    batch_id: UUID,
    request: Request,
    session: SessionDep,
    actor: PageActorDep,
    clock: ClockDep,
    again: str | None = None,
) -> Response:
    """The review; while the worker writes, how far it is; then what follows."""
    now, locale = clock.now(), page_locale(request)
    batch = get_batch(session, actor=actor, batch_id=batch_id)
    writing = batch.status is BatchStatus.COMMITTING
    if not writing:  # what is shown while it is written are counts, asked for every few seconds
        audit.record(session, actor=actor, event=AuditEvent.IMPORT_READ, at=now, subject_id=batch.id)
    lines = list_tasks(session, actor=actor, now=now, limit=500) if not writing else []
    own = present.own_lines(lines, batch)
    follows, refused = _after(session, actor, batch, lines, now)
    return render(
        request,
        "imports/batch.html",
        session=session,
        headers={"Refresh": LOOK_AGAIN} if writing else None,
        batch=batch,
        campaign=get_campaign(session, actor=actor, campaign_id=batch.campaign_id),
        status_word=present.status(batch.status, locale),
        review=present.review(batch, locale),
        owner=names_of(session, {batch.uploaded_by}).get(batch.uploaded_by, "—"),
        duty=duty_phone(session, organisation=organisation_of(session, batch.organisation_id), at=now),
        own=[(line.task, words.word(line.task.kind, locale)) for line in own],
        due=next((line.task.due_at for line in own if line.task.kind is TaskKind.BATCH_COMMIT), None),
        alarm_open=not writing and alarm_is_open(session, batch=batch),
        again=again is not None,
        follows=follows,
        refused_rows=refused,
    )


def _after(
    session: Session, actor: Actor, batch: ImportBatch, lines: list[TaskLine], now: datetime
) -> tuple[present.Following | None, int]:
    """Talks and refused rows of a file that is stored. Who keys sheets in is told of no child's talk."""
    if batch.status is not BatchStatus.COMMITTED:
        return None, batch.refused
    sees_cases = may(actor, May.READ_CASES)
    follows = (
        present.following(lines, children_of_batch(session, batch_id=batch.id), now) if sees_cases else None
    )
    refused = count_rows(session, batch_id=batch.id).get(RowVerdict.REFUSED, 0)
    return follows, refused


@router.post("/{batch_id}/commit")
def commit(
    batch_id: UUID, form: FormDep, session: SessionDep, actor: PageActorDep, clock: ClockDep
) -> Response:
    """Store it: everything, or what is right. The worker writes it; the page shows how far it is."""
    batch = get_batch(session, actor=actor, batch_id=batch_id)
    good_only = form.raw("rows") == "good"
    intake.commit(session, actor=actor, batch=batch, good_rows_only=good_only, now=clock.now())
    return go(f"/imports/{batch.id}")
