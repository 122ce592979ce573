"""Calls as the hotline sees them, handovers as their two sides see them. Built by naming fields."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Annotated, Self
from uuid import UUID

from pydantic import Field

from api.v1.schemas.common import Answer, Body, Day, Id, Instant, Line, Name, Note, OneOf
from referral.actions.hotline import Saved
from referral.actions.lookups import KnownChild
from referral.models.hotline import HotlineCall
from referral.queries.hotline import HandoverSheet, PlaceLine, record_of
from referral.states import CALL_TURN
from referral.terms import (
    CallChannel,
    CallerAgreement,
    CallerKind,
    CallGuard,
    CallLevel,
    CallLine,
    CallStatus,
    CallType,
    DisclosureBasis,
    HandoverResult,
    HandoverTo,
    HarmAnswer,
    KnownAnswer,
    Turn,
)
from screening.core.i18n import translate
from screening.models.organisation import OrganisationKind

FieldValue = (
    bool | int | Annotated[str, Field(max_length=5000)] | list[Annotated[str, Field(max_length=60)]] | None
)
Number = Annotated[int, Field(ge=1, le=2**31 - 1)]


class StartIn(Body):
    """``hotline_id`` only where somebody works at several."""

    hotline_id: Id | None = None


class SaveIn(Body):
    """A part of form F9. ``sequence`` grows with each save; null, an empty text and an empty list empty a field."""

    sequence: Number
    fields: Annotated[dict[str, FieldValue], Field(max_length=60)]


class RefusedField(Answer):
    field: str
    detail: str


class SavedOut(Answer):
    """``sequence``: the highest seen. ``refused`` fields were not stored; all others were."""

    version: int
    sequence: int
    refused: list[RefusedField]

    @classmethod
    def of(cls, saved: Saved, locale: str) -> Self:
        return cls(
            version=saved.version,
            sequence=saved.sequence,
            refused=[
                RefusedField(field=name, detail=translate(locale, wrong.message, **wrong.params))
                for name, wrong in saved.refused.items()
            ],
        )


class LevelIn(Body):
    level: OneOf[CallLevel]


class LookUpIn(Body):
    """The name and one more thing."""

    name: Name
    school: Annotated[str, Field(max_length=120)] = ""
    county_id: Id | None = None
    birth_date: Day | None = None
    guardian_phone: Annotated[str, Field(max_length=40)] = ""


class LookUpOut(Answer):
    """All that is told (AZ8). ``lookup_id`` is what a link takes after one match."""

    answer: KnownAnswer
    duty_phone: str
    county: str
    lookup_id: UUID

    @classmethod
    def of(cls, known: KnownChild) -> Self:
        return cls(
            answer=known.answer,
            duty_phone=known.duty_phone,
            county=known.county,
            lookup_id=known.lookup_id,
        )


class LinkIn(Body):
    lookup_id: Id


class ReasonIn(Body):
    reason: Line


class ReviewIn(Body):
    words: Note


class HandoverIn(Body):
    """Form F10. ``place_id`` comes from the place search; police, ambulance and a linked child need none."""

    to: OneOf[HandoverTo]
    agreed: OneOf[CallerAgreement]
    what_said: Annotated[str, Field(max_length=2000)] = ""
    where_now: Annotated[str, Field(max_length=2000)] = ""
    asked: Annotated[str, Field(max_length=2000)] = ""
    safe_way: Annotated[str, Field(max_length=2000)] = ""
    place_id: Id | None = None
    basis: OneOf[DisclosureBasis] | None = None
    phoned_at: Instant | None = None
    received_by: Annotated[str, Field(max_length=120)] = ""
    acknowledged_at: Instant | None = None


class TakenIn(Body):
    """Who said on the telephone that they have it, and when."""

    received_by: Line
    at: Instant


class ResultIn(Body):
    result: OneOf[HandoverResult]
    words: Annotated[str, Field(max_length=2000)] = ""


class PlaceSearchIn(Body):
    text: Annotated[str, Field(max_length=120)]


class PlaceOut(Answer):
    """A place of the hotline's area with whom to ring: there, and at its county."""

    id: UUID
    kind: OrganisationKind
    name: str
    duty_phone: str
    county: str
    county_phone: str

    @classmethod
    def of(cls, line: PlaceLine) -> Self:
        return cls(
            id=line.id,
            kind=line.kind,
            name=line.name,
            duty_phone=line.duty_phone,
            county=line.county,
            county_phone=line.county_phone,
        )


class HandoverOut(Answer):
    """What was handed over, and what came of it. Where a linked child goes to school stands nowhere on it."""

    id: UUID
    call_no: str
    level: CallLevel
    to: HandoverTo
    what_said: str
    where_now: str
    agreed: CallerAgreement
    basis: DisclosureBasis | None
    asked: str
    safe_way: str
    sent_at: datetime
    phoned_at: datetime | None
    received_by: str
    acknowledged_at: datetime | None
    result: HandoverResult | None
    result_at: datetime | None
    result_words: str

    @classmethod
    def of(cls, sheet: HandoverSheet, names: Mapping[UUID, str]) -> Self:
        taken_by = names.get(sheet.acknowledged_by, "") if sheet.acknowledged_by else ""
        return cls(
            id=sheet.id,
            call_no=sheet.call_no,
            level=sheet.level,
            to=sheet.to,
            what_said=sheet.what_said,
            where_now=sheet.where_now,
            agreed=sheet.agreed,
            basis=sheet.basis,
            asked=sheet.asked,
            safe_way=sheet.safe_way,
            sent_at=sheet.sent_at,
            phoned_at=sheet.phoned_at,
            received_by=sheet.received_by or taken_by,
            acknowledged_at=sheet.acknowledged_at,
            result=sheet.result,
            result_at=sheet.result_at,
            result_words=sheet.result_words,
        )


class IncomingOut(HandoverOut):
    """The same for its receiver, with the case where the child is known."""

    case_id: UUID | None

    @classmethod
    def of_receiver(cls, sheet: HandoverSheet, names: Mapping[UUID, str]) -> Self:
        return cls(**HandoverOut.of(sheet, names).model_dump(), case_id=sheet.case_id)


class CallLineOut(Answer):
    """One line of a list."""

    id: UUID
    call_no: str
    status: CallStatus
    turn: Turn
    level: CallLevel | None
    operator_name: str | None
    started_at: datetime
    ended_at: datetime | None
    review_due_at: datetime | None
    reviewed_at: datetime | None

    @classmethod
    def of(cls, call: HotlineCall, names: Mapping[UUID, str]) -> Self:
        return cls(
            id=call.id,
            call_no=call.call_no,
            status=call.status,
            turn=CALL_TURN[call.status],
            level=call.level,
            operator_name=names.get(call.operator_id),
            started_at=call.started_at,
            ended_at=call.ended_at,
            review_due_at=call.review_due_at,
            reviewed_at=call.reviewed_at,
        )


class CallOut(CallLineOut):
    """One call with its form. The caller's number is not among it (decision 49); ``missing`` holds up the closing."""

    version: int
    sequence: int
    line: CallLine | None
    channel: CallChannel | None
    caller: CallerKind | None
    type: CallType | None
    harm_by: HarmAnswer | None
    callback_ok: bool | None
    confidentiality_told: bool | None
    phone_noted: bool
    record: dict[str, FieldValue]
    linked: bool
    missing: list[CallGuard]
    handovers: list[HandoverOut]

    @classmethod
    def of_call(
        cls,
        call: HotlineCall,
        *,
        names: Mapping[UUID, str],
        linked: bool,
        missing: Sequence[CallGuard],
        handovers: Sequence[HandoverSheet],
    ) -> Self:
        return cls(
            **CallLineOut.of(call, names).model_dump(),
            version=call.version,
            sequence=max(call.saved.values(), default=0),
            line=call.line,
            channel=call.channel,
            caller=call.caller,
            type=call.type,
            harm_by=call.harm_by,
            callback_ok=call.callback_ok,
            confidentiality_told=call.confidentiality_told,
            phone_noted=call.phone_sealed is not None,
            record=record_of(call),
            linked=linked,
            missing=list(missing),
            handovers=[HandoverOut.of(sheet, names) for sheet in handovers],
        )
