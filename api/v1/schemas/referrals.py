"""Referrals as their two sides see them: the school all of it, the facility the note as it was issued."""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import date, datetime
from typing import Annotated, Any, Self
from uuid import UUID

from pydantic import Field

from api.v1.schemas.common import Answer, Body, Day, Id, Instant, Line, Name, Note, OneOf
from referral.actions.guardians import GuardianAnswer
from referral.actions.return_notes import ReturnNoteIn as Written
from referral.disclosure import LIMITS, DisclosureProblem, NoteContent, SafetySign
from referral.models.referral import Referral, ReferralStatusChange, ReturnNote
from referral.states import REFERRAL_TURN
from referral.terms import (
    Attendance,
    DeclineReason,
    Finding,
    HelpWanted,
    NoShowReason,
    Outcome,
    ReferralKind,
    ReferralStatus,
    RefusalReason,
    RiskNow,
    Turn,
    Urgency,
)
from screening.access import May, may, may_about, places
from screening.core.actor import Actor, Role
from screening.core.i18n import translate

# At the school the clinical part is for these, where the guardian has agreed ("who sees what" of the field guide).
_READ_CLINICAL = frozenset({Role.COUNSELLOR, Role.COUNTY_CENTRE})


class StatusOut(Answer):
    """A step with its reason. ``remark``: a contact, or the better place named by who declined."""

    status: ReferralStatus
    changed_at: datetime
    reason: str | None
    remark: str | None

    @classmethod
    def of(cls, change: ReferralStatusChange) -> Self:
        return cls(
            status=change.status, changed_at=change.changed_at, reason=change.reason, remark=change.remark
        )


class ReturnNoteOut(Answer):
    """回转单: what the school may read."""

    id: UUID
    number: int
    visit_on: date
    outcome: Outcome
    risk_now: RiskNow
    attendance: Attendance
    advice: dict[str, Any]
    next_visit_on: date | None
    guardian_agreed: bool
    written_at: datetime
    read_at: datetime | None

    @classmethod
    def of(cls, note: ReturnNote) -> Self:
        return cls(
            id=note.id,
            number=note.number,
            visit_on=note.visit_on,
            outcome=note.outcome,
            risk_now=RiskNow(note.risk_now),
            attendance=Attendance(note.attendance),
            advice=json.loads(note.advice or "{}"),
            next_visit_on=note.next_visit_on,
            guardian_agreed=note.guardian_agreed,
            written_at=note.written_at,
            read_at=note.read_at,
        )


class ClinicalNoteOut(ReturnNoteOut):
    """With the finding and the clinical part; the latter is empty where the guardian has not agreed."""

    finding: Finding
    assessor_saw_probability: bool
    clinical: dict[str, Any] | None

    @classmethod
    def of_clinical(cls, note: ReturnNote) -> Self:
        clinical = json.loads(note.clinical) if note.clinical and note.guardian_agreed else None
        return cls(
            **ReturnNoteOut.of(note).model_dump(),
            finding=note.finding,
            assessor_saw_probability=note.assessor_saw_probability,
            clinical=clinical,
        )


class FacilityLine(Answer):
    """One line of a facility's inbox, by time left."""

    id: UUID
    form_no: str
    child_name: str
    school: str
    kind: ReferralKind
    urgency: Urgency
    status: ReferralStatus
    turn: Turn
    sent_at: datetime | None
    answer_due_at: datetime | None
    appointment_at: datetime | None

    @classmethod
    def of(cls, referral: Referral) -> Self:
        note = frozen_note(referral)
        return cls(
            id=referral.id,
            form_no=referral.form_no,
            child_name=note.out.name,
            school=note.school,
            kind=referral.kind,
            urgency=referral.urgency,
            status=referral.status,
            turn=REFERRAL_TURN[referral.status],
            sent_at=referral.sent_at,
            answer_due_at=referral.answer_due_at,
            appointment_at=referral.appointment_at,
        )


class FacilityReferralOut(FacilityLine):
    """What the facility sees: part 2 of the note as issued, its own answers, nothing that came later."""

    note: dict[str, Any]
    appointment_place: str | None
    history: list[StatusOut]
    return_notes: list[ClinicalNoteOut | ReturnNoteOut]

    @classmethod
    def of_facility(cls, referral: Referral, actor: Actor) -> Self:
        shown = _FROM_SENT
        return cls(
            **FacilityLine.of(referral).model_dump(),
            note=frozen_note(referral).as_dict()["out"],
            appointment_place=referral.appointment_place,
            history=[StatusOut.of(change) for change in referral.history if change.status in shown],
            return_notes=notes_for(actor, referral, facility=True),
        )


class SchoolLine(Answer):
    """One line of the school's list."""

    id: UUID
    form_no: str
    case_id: UUID
    child_id: UUID
    facility_name: str | None
    kind: ReferralKind
    urgency: Urgency
    status: ReferralStatus
    turn: Turn
    drafted_at: datetime
    sent_at: datetime | None
    answer_due_at: datetime | None
    appointment_at: datetime | None

    @classmethod
    def of(cls, referral: Referral) -> Self:
        return cls(
            id=referral.id,
            form_no=referral.form_no,
            case_id=referral.case_id,
            child_id=referral.child_id,
            facility_name=referral.facility.name if referral.facility else None,
            kind=referral.kind,
            urgency=referral.urgency,
            status=referral.status,
            turn=REFERRAL_TURN[referral.status],
            drafted_at=referral.drafted_at,
            sent_at=referral.sent_at,
            answer_due_at=referral.answer_due_at,
            appointment_at=referral.appointment_at,
        )


class SchoolReferralOut(SchoolLine):
    """The whole referral. ``why`` names what the machine saw; it is for whoever reads scores."""

    why: list[str]
    legal_basis: str | None
    words: dict[str, Any]
    appointment_place: str | None
    note_ready: bool
    history: list[StatusOut]
    return_notes: list[ClinicalNoteOut | ReturnNoteOut]

    @classmethod
    def of_school(cls, referral: Referral, actor: Actor, organisation_id: UUID) -> Self:
        scores = may_about(actor, May.READ_SCORES, organisation_id)
        return cls(
            **SchoolLine.of(referral).model_dump(),
            why=[code for code in referral.why.split(",") if code] if scores else [],
            legal_basis=referral.legal_basis,
            words=json.loads(referral.words or "{}"),
            appointment_place=referral.appointment_place,
            note_ready=any(note.number == referral.note_version for note in referral.notes),
            history=[StatusOut.of(change) for change in referral.history],
            return_notes=notes_for(actor, referral, facility=False),
        )


# Steps that a facility knows of; what happened before it was sent is the school's.
_FROM_SENT = frozenset(ReferralStatus) - {
    ReferralStatus.DRAFT,
    ReferralStatus.AWAITING_GUARDIAN,
    ReferralStatus.GUARDIAN_REFUSED,
    ReferralStatus.READY,
}


def frozen_note(referral: Referral) -> NoteContent:
    """The note as it was issued. Every referral that a facility can see has one."""
    return NoteContent.from_dict(json.loads(referral.frozen or "{}"))


def is_facility_of(actor: Actor, referral: Referral) -> bool:
    """Whether this person looks at the referral from the facility's side."""
    return referral.facility_id in places(actor, May.READ_REFERRALS)


def notes_for(actor: Actor, referral: Referral, *, facility: bool) -> list[ClinicalNoteOut | ReturnNoteOut]:
    """The return notes, as much of each as this reader may see."""
    if not may(actor, May.READ_RETURN_NOTE):
        return []
    if facility or actor.roles & _READ_CLINICAL:
        return [ClinicalNoteOut.of_clinical(note) for note in referral.return_notes]
    return [ReturnNoteOut.of(note) for note in referral.return_notes]


# --- what comes in -----------------------------------------------------------------------------------------


class SafetyIn(Body):
    """What a person found by asking the child face to face. Who asked is whoever is signed in."""

    signs: Annotated[list[OneOf[SafetySign]], Field(min_length=1, max_length=6)]
    asked_at: Instant
    words: Annotated[str, Field(max_length=LIMITS["safety"])] = ""


class WordsIn(Body):
    """What the school puts on part 2 of the note (F1). Lengths are those of the printed sheet."""

    observed: Annotated[str, Field(max_length=LIMITS["observed"])] = ""
    done_so_far: Annotated[str, Field(max_length=LIMITS["done_so_far"])] = ""
    known_medical: Annotated[str, Field(max_length=LIMITS["known_medical"])] = ""
    question: Annotated[str, Field(max_length=LIMITS["question"])] = ""
    help_wanted: Annotated[list[OneOf[HelpWanted]], Field(max_length=4)] = Field(default_factory=list)
    safety: SafetyIn | None = None
    safety_plan_attached: bool | None = None
    category_reason: Annotated[str, Field(max_length=80)] = ""
    sign: bool = False

    def on_note(self, *, by: str, today: date) -> dict[str, Any]:
        """As the note keeps it: without what is empty, signed and asked by whoever is signed in."""
        texts = ("observed", "done_so_far", "known_medical", "question", "category_reason")
        words: dict[str, Any] = {name: text for name in texts if (text := getattr(self, name).strip())}
        if self.help_wanted:
            words["help_wanted"] = [wanted.value for wanted in self.help_wanted]
        if self.safety_plan_attached is not None:
            words["safety_plan_attached"] = self.safety_plan_attached
        if self.safety is not None:
            words["safety"] = {
                "signs": [sign.value for sign in self.safety.signs],
                "asked_at": self.safety.asked_at.isoformat(),
                "asked_by": by,
                "words": self.safety.words,
            }
        if self.sign:
            words |= {"signed_by": by, "signed_on": today.isoformat()}
        return words


class WarningOut(Answer):
    """Something a person should look at once more before the note leaves."""

    field: str
    rule: str
    message: str

    @classmethod
    def of(cls, problem: DisclosureProblem, locale: str) -> Self:
        return cls(field=problem.field, rule=problem.rule, message=translate(locale, problem.message))


class WordsOut(Answer):
    warnings: list[WarningOut]

    @classmethod
    def of(cls, problems: Sequence[DisclosureProblem], locale: str) -> Self:
        return cls(warnings=[WarningOut.of(problem, locale) for problem in problems])


class GuardianAnswerIn(Body):
    """The guardian was told of this referral and has answered: who, how, to which text (``share_facility``)."""

    agreed: bool
    given_by: Name
    relation: Annotated[str, Field(min_length=1, max_length=20)]
    channel: Annotated[str, Field(pattern=r"^(paper|link|spoken)$")]
    text_version: Annotated[str, Field(min_length=1, max_length=40, pattern=r"^[!-~]+$")]
    given_on: Day
    refusal: OneOf[RefusalReason] | None = None
    present: Name | None = None

    def answer(self) -> GuardianAnswer:
        return GuardianAnswer(
            agreed=self.agreed,
            given_by=self.given_by,
            relation=self.relation,
            channel=self.channel,
            text_version=self.text_version,
            given_on=self.given_on,
            refusal=self.refusal,
            present=self.present,
        )


class SendIn(Body):
    """``emergency``: danger to life, without consent; then an escort is named."""

    emergency: bool = False
    escort: Name | None = None


class WithdrawIn(Body):
    reason: Annotated[Line, Field(max_length=80)]


class AcceptIn(Body):
    contact: Line | None = None


class DeclineIn(Body):
    reason: OneOf[DeclineReason]
    better_place: Annotated[str, Field(max_length=200)] = ""


class PassOnIn(Body):
    """Instead of declining an emergency: where the child is taken, and who goes along."""

    to_place: Line
    escort: Name


class NoShowIn(Body):
    reason: OneOf[NoShowReason] = NoShowReason.UNKNOWN


class AskIn(Body):
    question: Annotated[str, Field(min_length=1, max_length=400)]


class TellIn(Body):
    answer: Annotated[str, Field(min_length=1, max_length=400)]


class HoldIn(Body):
    """Nothing leaves by itself until this day: at most five working days."""

    until: Day
    reason: Annotated[Line, Field(max_length=120)]


class RerouteIn(Body):
    """``in_parallel``: the silent facility keeps its chance. Without ``facility_id`` the next one by the rules."""

    facility_id: Id | None = None
    in_parallel: bool = False


class ScheduleIn(Body):
    at: Instant
    place: Line


class AdviceIn(Body):
    """What the school reads."""

    school_advice: Annotated[Note, Field(max_length=1000)]
    warning_signs: Line
    medicine_at_school: Line | None = None
    family_advice: Line | None = None
    case_contact: Line | None = None


class ClinicalIn(Body):
    """Only with the guardian's agreement does any of this reach the school; without it, it is not stored here."""

    diagnosis: Line | None = None
    exam: Note | None = None
    treatment: Note | None = None


class ReturnNoteIn(Body):
    visit_on: Day
    outcome: OneOf[Outcome]
    finding: OneOf[Finding]
    assessor_saw_probability: bool
    risk_now: OneOf[RiskNow]
    attendance: OneOf[Attendance]
    advice: AdviceIn
    clinical: ClinicalIn | None = None
    next_visit_on: Day | None = None
    guardian_agreed: bool

    def note(self) -> Written:
        return Written(
            visit_on=self.visit_on,
            outcome=self.outcome,
            finding=self.finding,
            assessor_saw_probability=self.assessor_saw_probability,
            risk_now=self.risk_now,
            attendance=self.attendance,
            advice=as_json(self.advice),
            clinical=as_json(self.clinical) if self.clinical else None,
            next_visit_on=self.next_visit_on,
            guardian_agreed=self.guardian_agreed,
        )


def as_json(body: Body) -> str:
    """The text that is sealed: what was said, without what was left out."""
    return json.dumps(body.model_dump(mode="json", exclude_none=True), ensure_ascii=False, sort_keys=True)
