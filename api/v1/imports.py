"""A school's workbook: template, upload, review, commit."""

from __future__ import annotations

import hashlib
from typing import Annotated
from uuid import UUID

from fastapi import Form, Query, Response, UploadFile

from api.deps import (
    ActorDep,
    ClockDep,
    DatabaseDep,
    LocaleDep,
    SessionDep,
    TransactionDep,
    json_router,
    needs,
)
from api.v1.schemas.imports import BatchOut, CommitIn
from instruments import UnknownInstrument
from referral import intake
from screening.access import May, check_may_at
from screening.actions.imports import XLSX
from screening.core import audit
from screening.core.audit import AuditEvent
from screening.core.errors import InvalidInput
from screening.queries.campaigns import get_campaign
from screening.queries.imports import find_batch, get_batch
from screening.spreadsheets.reader import read_in_child
from screening.spreadsheets.template import template

router = json_router(tags=["imports"])


@router.get("/imports/template", dependencies=[needs(May.IMPORT)])
def download_template(
    instruments: Annotated[str, Query(min_length=1, max_length=400, pattern=r"^[a-z0-9_,]+$")],
    lang: Annotated[str, Query(pattern=r"^(zh|en)$")] = "zh",
) -> Response:
    """The empty workbook for these questionnaires: ``?instruments=phq_a,gad7&lang=zh``."""
    codes = [code for code in instruments.split(",") if code]
    try:
        data = template(codes, lang)
    except UnknownInstrument as unknown:
        raise InvalidInput("A questionnaire of this name is not in the library.") from unknown
    return Response(
        data, media_type=XLSX, headers={"Content-Disposition": 'attachment; filename="template.xlsx"'}
    )


@router.post("/imports", status_code=201, dependencies=[needs(May.IMPORT)])
def upload(
    file: UploadFile,
    campaign_id: Annotated[UUID, Form()],
    database: DatabaseDep,
    transaction: TransactionDep,
    actor: ActorDep,
    clock: ClockDep,
    locale: LocaleDep,
    response: Response,
) -> BatchOut:
    """Read a workbook and keep it for review. The same file again is the same batch (200).

    It is read in a process of its own before the transaction opens: nobody waits for a large file.
    """
    with database.look() as session:
        campaign = get_campaign(session, actor=actor, campaign_id=campaign_id)
        check_may_at(actor, May.IMPORT, campaign.organisation_id)
    data = file.file.read()
    parsed = read_in_child(data, None, clock.today())
    with transaction() as session:
        campaign = get_campaign(session, actor=actor, campaign_id=campaign_id)
        known = find_batch(session, campaign_id=campaign.id, sha256=hashlib.sha256(data).digest())
        batch = intake.stage(
            session,
            actor=actor,
            campaign=campaign,
            data=data,
            file_name=file.filename or "",
            parsed=parsed,
            now=clock.now(),
        )
        response.status_code = 201 if known is None else 200
        return BatchOut.of(batch, locale)


@router.get("/imports/{batch_id}", dependencies=[needs(May.IMPORT)])
def show_batch(
    batch_id: UUID, session: SessionDep, actor: ActorDep, clock: ClockDep, locale: LocaleDep
) -> BatchOut:
    """Where it stands, and every problem by place."""
    batch = get_batch(session, actor=actor, batch_id=batch_id)
    audit.record(session, actor=actor, event=AuditEvent.IMPORT_READ, at=clock.now(), subject_id=batch.id)
    return BatchOut.of(batch, locale)


@router.post("/imports/{batch_id}/commit", dependencies=[needs(May.IMPORT)])
def commit(
    batch_id: UUID,
    body: CommitIn,
    session: SessionDep,
    actor: ActorDep,
    clock: ClockDep,
    locale: LocaleDep,
) -> BatchOut:
    """Write it: all of it, or with ``good_rows_only`` what is right. The worker does it piece by piece."""
    batch = get_batch(session, actor=actor, batch_id=batch_id)
    intake.commit(session, actor=actor, batch=batch, good_rows_only=body.good_rows_only, now=clock.now())
    return BatchOut.of(batch, locale)
