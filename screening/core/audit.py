"""The trail: who did or saw what, written in the transaction of the thing itself (requirements AD1, AD2).

Rows are only ever added. A separate table numbers and chains committed rows: ``hash = SHA-256(seq ‖ previous ‖
body)``; the worker seals the tail every few seconds (decision 33), so that writers never wait for each other.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any
from uuid import UUID

from sqlalchemy import LargeBinary, Result, exists, func, select
from sqlalchemy.orm import Mapped, Session, mapped_column

from screening.core import rows
from screening.core.actor import Actor
from screening.core.db import Base
from screening.core.types import EnumText, Instant, Json

GENESIS = b"\0" * 32


class AuditEvent(StrEnum):
    """What happened: noun and verb. A new kind of read or write gets its own name here."""

    SIGN_IN = "session.sign_in"
    SIGN_IN_REFUSED = "session.refused"
    SIGN_OUT = "session.sign_out"
    REFRESH_REUSED = "session.refresh_reused"
    ACCESS_REFUSED = "access.refused"
    ACCOUNT_OPEN = "account.open"
    ACCOUNT_DISABLE = "account.disable"
    PASSWORD_CHANGE = "account.password"  # noqa: S105  # an event name
    ACCOUNT_READ = "account.read"
    PASSWORD_RESET = "account.reset"  # noqa: S105  # an event name
    ROLE_GRANT = "account.grant"
    ROLE_END = "account.grant_end"
    WORK_HAND_OVER = "account.hand_over"
    DUTY_SAVE = "duty.save"
    DUTY_END = "duty.end"
    FACILITY_SAVE = "facility.save"
    CHANNEL_SAVE = "channel.save"
    OVERDUE_LIST = "overdue.list"
    ORGANISATION_SAVE = "organisation.save"
    CHILD_ENROL = "child.enrol"
    CHILD_CORRECT = "child.correct"
    CHILD_READ = "child.read"
    CHILD_LIST = "child.list"
    CATEGORY_RECORD = "category.record"
    CONSENT_RECORD = "consent.record"
    CAMPAIGN_SAVE = "campaign.save"
    CAMPAIGN_READ = "campaign.read"
    BASE_RATE_SET = "base_rate.set"
    IMPORT_STAGE = "import.stage"
    IMPORT_READ = "import.read"
    IMPORT_COMMIT = "import.commit"
    ADMINISTRATION_RECORD = "administration.record"
    RESULT_READ = "result.read"
    CASE_OPEN = "case.open"
    CASE_READ = "case.read"
    CASE_LIST = "case.list"
    CASE_CHANGE = "case.change"
    ASSESSMENT_RECORD = "assessment.record"
    PLAN_SAVE = "plan.save"
    PLAN_CONFIRM = "plan.confirm"
    REFERRAL_DRAFT = "referral.draft"
    REFERRAL_CHANGE = "referral.change"
    REFERRAL_READ = "referral.read"
    REFERRAL_LIST = "referral.list"
    REFERRAL_SEND = "referral.send"
    NOTE_MADE = "note.made"
    NOTE_READ = "note.read"
    RETURN_NOTE_WRITE = "return_note.write"
    FOLLOW_UP_SAVE = "follow_up.save"
    CRISIS_OPEN = "crisis.open"
    CRISIS_READ = "crisis.read"
    CRISIS_STEP = "crisis.step"
    TASK_OPEN = "task.open"
    TASK_DONE = "task.done"
    TASK_LIST = "task.list"
    TASK_ESCALATE = "task.escalate"
    NOTICE_DELIVERED = "notice.delivered"
    GRANT_OPEN = "grant.open"
    GRANT_END = "grant.end"
    DATABASE_RESTORE = "database.restore"
    WORRY_RAISE = "worry.raise"
    WORRY_READ = "worry.read"
    WORRY_SETTLE = "worry.settle"
    WORRY_LINK_MAKE = "worry_link.make"
    WORRY_LINK_END = "worry_link.end"
    WORRY_LINK_READ = "worry_link.read"
    CALL_START = "call.start"
    CALL_SAVE = "call.save"
    CALL_TRIAGE = "call.triage"
    CALL_END = "call.end"
    CALL_CLOSE = "call.close"
    CALL_READ = "call.read"
    CALL_LIST = "call.list"
    CALL_PHONE_READ = "call.phone_read"
    CALL_LINK = "call.link"
    CALL_UNLINK = "call.unlink"
    CALL_REVIEW = "call.review"
    CALL_SUPPORT = "call.support"
    CALL_FOLLOW_UP = "call.follow_up"
    DISCLOSURE_APPROVE = "call.disclosure"
    CHILD_LOOKUP = "child.lookup"
    HANDOVER_SEND = "handover.send"
    HANDOVER_ACKNOWLEDGE = "handover.acknowledge"
    HANDOVER_RESULT = "handover.result"
    HANDOVER_READ = "handover.read"
    HANDOVER_LIST = "handover.list"
    REPLY_OPEN = "reply.open"
    REPLY_ARRIVE = "reply.arrive"
    REPLY_REFUSE = "reply.refuse"
    REPLY_SETTLE = "reply.settle"
    REPLY_TYPE = "reply.type"
    FACILITY_CODE_SET = "facility_code.set"
    MODEL_MADE = "model.made"
    MODEL_SET = "model.set"
    CHECK_DRAW = "check.draw"
    CHECK_RECORD = "check.record"
    CHECK_LIST = "check.list"
    CONCERN_RECORD = "concern.record"
    WORDING_BRING_IN = "wording.bring_in"
    WORDING_APPROVE = "wording.approve"
    WORDING_WITHDRAW = "wording.withdraw"
    SHEET_EXPORT = "administration.export"


class AuditRow(Base):
    """One thing done or seen. ``detail`` holds ids, counts and codes only, never a name, answer or level."""

    __tablename__ = "audit_row"

    at: Mapped[datetime] = mapped_column(Instant, index=True)
    event: Mapped[AuditEvent] = mapped_column(EnumText(AuditEvent))
    account_id: Mapped[UUID | None] = mapped_column(index=True)
    on_behalf_of: Mapped[UUID | None]
    child_id: Mapped[UUID | None] = mapped_column(index=True)
    subject_id: Mapped[UUID | None]
    detail: Mapped[dict[str, Any] | None] = mapped_column(Json)


class AuditSeal(Base):
    """The chain over committed rows."""

    __tablename__ = "audit_seal"

    seq: Mapped[int] = mapped_column(unique=True)
    row_id: Mapped[UUID] = mapped_column(unique=True)
    digest: Mapped[bytes] = mapped_column(LargeBinary(32))


def record(
    session: Session,
    *,
    actor: Actor,
    event: AuditEvent,
    at: datetime,
    child_id: UUID | None = None,
    subject_id: UUID | None = None,
    detail: dict[str, Any] | None = None,
) -> None:
    """Add one row to the trail of this transaction."""
    rows.add(
        session,
        AuditRow,
        at=at,
        event=event,
        account_id=actor.account_id,
        on_behalf_of=actor.on_behalf_of,
        child_id=child_id,
        subject_id=subject_id,
        detail=detail,
    )


def record_list(
    session: Session,
    *,
    actor: Actor,
    event: AuditEvent,
    at: datetime,
    children: Iterable[UUID],
    detail: dict[str, Any],
) -> None:
    """One row for a list that was shown, with the ids of the children on it (requirement AD1)."""
    ids = sorted({str(child) for child in children})
    record(session, actor=actor, event=event, at=at, detail={**detail, "children": ids})


def _body(row: AuditRow) -> bytes:
    fields = [
        row.at.isoformat(),
        row.event.value,
        row.account_id,
        row.on_behalf_of,
        row.child_id,
        row.subject_id,
    ]
    text = json.dumps(
        [str(row.id), *(None if f is None else str(f) for f in fields), row.detail], sort_keys=True
    )
    return text.encode()


def digest_of(seq: int, previous: bytes, row: AuditRow) -> bytes:
    return hashlib.sha256(seq.to_bytes(8, "big") + previous + _body(row)).digest()


# A transaction that began earlier commits within this time; older leftovers wait for the daily pass.
SEAL_WINDOW = timedelta(hours=1)


def seal_tail(session: Session, *, limit: int = 2000, whole: bool = False) -> int:
    """Number and chain rows that are not chained yet, oldest first. Returns how many were.

    Looks back a little behind the last chained row, so that the cost does not grow with the trail; ``whole``
    looks everywhere, for rows that an outage or a jump of the clock has left behind.
    """
    last = session.scalars(select(AuditSeal).order_by(AuditSeal.seq.desc()).limit(1)).one_or_none()
    seq, previous = (last.seq, last.digest) if last else (0, GENESIS)
    unsealed = select(AuditRow).where(~exists().where(AuditSeal.row_id == AuditRow.id))
    since = None if last is None or whole else session.get_one(AuditRow, last.row_id).at - SEAL_WINDOW
    if since is not None:
        unsealed = unsealed.where(AuditRow.at >= since)
    tail = session.scalars(unsealed.order_by(AuditRow.at, AuditRow.id).limit(limit)).all()
    for row in tail:
        seq += 1
        previous = digest_of(seq, previous, row)
        rows.add(session, AuditSeal, seq=seq, row_id=row.id, digest=previous)
    return len(tail)


@dataclass(frozen=True, slots=True)
class Verdict:
    """What a check of the chain found. ``wrong_at`` is the first wrong number, ``None`` when all hold."""

    checked: int
    unsealed: int
    wrong_at: int | None


def verify(session: Session) -> Verdict:
    """Walk the chain from its beginning."""
    checked, previous = 0, GENESIS
    with _pairs(session) as pairs:  # closed at the first wrong one too: a server's cursor hangs on it
        for seal, row in pairs:
            if seal.seq != checked + 1 or row is None or digest_of(seal.seq, previous, row) != seal.digest:
                return Verdict(checked, 0, checked + 1)
            checked, previous = seal.seq, seal.digest
    total = session.scalar(select(func.count()).select_from(AuditRow)) or 0
    return Verdict(checked, total - checked, None)


def _pairs(session: Session) -> Result[AuditSeal, AuditRow | None]:
    statement = (
        select(AuditSeal, AuditRow)
        .outerjoin(AuditRow, AuditRow.id == AuditSeal.row_id)
        .order_by(AuditSeal.seq)
    )
    return session.execute(statement.execution_options(yield_per=1000))
