"""Children as their readers may see them: a clerk the identity, the school's care side the file."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date, datetime
from typing import Annotated, Any, Self
from uuid import UUID

from pydantic import Field, model_validator

from api.v1.schemas.common import Answer, Body, Day, Line, Name, OneOf
from instruments import Grade
from referral.terms import ContextFact
from risk_model import Level
from screening.core import grades
from screening.models.administration import Mode, SheetValidity
from screening.models.child import CategoryFact, Child, Sex
from screening.models.consent import Consent, ConsentStatus, Purpose
from screening.models.model import LOCAL
from screening.models.result import ResultStatus, ScreenResult

Code = Annotated[str, Field(min_length=1, max_length=40, pattern=r"^[!-~]+$")]


def grade_of(child: Child, today: date, locale: str) -> str | None:
    """The child's grade today, in words; nothing after the last year of the stage."""
    enrolment = child.enrolment
    if enrolment is None:
        return None
    grade = grades.grade_on(grades.Stage(enrolment.stage), enrolment.cohort, today)
    return grades.display(grade, locale) if grade else None


class ChildLine(Answer):
    """One line of a list."""

    id: UUID
    file_no: str
    name: str
    student_no: str | None
    grade: str | None
    class_name: str | None

    @classmethod
    def of(cls, child: Child, today: date, locale: str) -> Self:
        enrolment = child.enrolment
        return cls(
            id=child.id,
            file_no=child.file_no,
            name=child.name,
            student_no=enrolment.student_no if enrolment else None,
            grade=grade_of(child, today, locale),
            class_name=enrolment.class_name if enrolment else None,
        )


class ChildrenOut(Answer):
    """A page; ``next`` is what the following one starts after."""

    items: list[ChildLine]
    next: UUID | None


class SearchIn(Body):
    """Whole number or whole name. In a body and not in the address: addresses are written into logs."""

    student_no: Annotated[str, Field(min_length=1, max_length=40)] | None = None
    name: Name | None = None

    @model_validator(mode="after")
    def something(self) -> Self:
        if self.student_no is None and self.name is None:
            raise ValueError("a number or a name")
        return self


class IdentityOut(Answer):
    """What is needed to key a sheet in: who, and whether consent stands."""

    id: UUID
    file_no: str
    name: str
    sex: Sex
    student_no: str | None
    grade: str | None
    class_name: str | None
    screening_consent: bool

    @classmethod
    def of(cls, child: Child, consents: Mapping[Purpose, Consent], today: date, locale: str) -> Self:
        line = ChildLine.of(child, today, locale)
        screening = consents.get(Purpose.SCREENING)
        return cls(
            **line.model_dump(),
            sex=child.sex,
            screening_consent=screening is not None and screening.status is ConsentStatus.GIVEN,
        )


class GuardianOut(Answer):
    name: str
    relation: str | None
    phone: str | None


class ConsentOut(Answer):
    purpose: Purpose
    status: ConsentStatus
    text_version: str
    given_on: date
    expires_on: date | None
    given_by: str | None
    relation: str | None

    @classmethod
    def of(cls, consent: Consent) -> Self:
        return cls(
            purpose=consent.purpose,
            status=consent.status,
            text_version=consent.text_version,
            given_on=consent.given_on,
            expires_on=consent.expires_on,
            given_by=consent.given_by,
            relation=consent.relation,
        )


class FactOut(Answer):
    id: UUID
    fact: str
    since_on: date | None
    source: str

    @classmethod
    def of(cls, fact: CategoryFact) -> Self:
        return cls(id=fact.id, fact=fact.fact, since_on=fact.since_on, source=fact.source)


class FileOut(IdentityOut):
    """The child's file without scores and without the case: those have their own addresses and their own rights."""

    birth_date: date
    guardian: GuardianOut | None
    consents: list[ConsentOut]
    facts: list[FactOut]

    @classmethod
    def of_file(
        cls,
        child: Child,
        consents: Mapping[Purpose, Consent],
        facts: Sequence[CategoryFact],
        today: date,
        locale: str,
    ) -> Self:
        guardian = child.guardian
        return cls(
            **IdentityOut.of(child, consents, today, locale).model_dump(),
            birth_date=child.birth_date,
            guardian=GuardianOut(name=guardian.name, relation=guardian.relation, phone=guardian.phone)
            if guardian
            else None,
            consents=[ConsentOut.of(consent) for consent in consents.values()],
            facts=[FactOut.of(fact) for fact in facts],
        )


class ConsentIn(Body):
    """One answer to one version of the text. ``expired`` is nothing anybody answers."""

    purpose: OneOf[Purpose]
    status: OneOf[ConsentStatus]
    text_version: Code
    channel: Annotated[str, Field(pattern=r"^(paper|link|spoken)$")]
    given_on: Day
    given_by: Name | None = None
    relation: Annotated[str, Field(min_length=1, max_length=20)] | None = None

    @model_validator(mode="after")
    def an_answer(self) -> Self:
        if self.status is ConsentStatus.EXPIRED:
            raise ValueError("nobody answers expired")
        return self


class FactIn(Body):
    fact: OneOf[ContextFact]
    source: Annotated[Line, Field(max_length=80)]
    since_on: Day | None = None


class ScoreOut(Answer):
    value: int | float | str | None
    status: str
    band: str | None
    missing: list[str]


class RangeOut(Answer):
    """A probability as a range that holds the doubt about the base rate; once calibrated here, about what was learnt."""

    low: float
    high: float
    calibrated_here: bool = False
    base_rate: float
    model_version: str


class ReasonOut(Answer):
    instrument: str
    contribution: float


class ResultOut(Answer):
    """筛查提示: a place in a queue, computed and never edited. A level of null is *not scored*, not "none"."""

    id: UUID
    instrument: str
    informant: str
    administered_on: date
    mode: Mode
    validity: SheetValidity
    status: ResultStatus
    level: Level | None
    grade: Grade | None
    why: list[str]
    scores: dict[str, ScoreOut]
    flags: list[str]
    asked_about_safety: bool
    probability: RangeOut | None
    reasons: list[ReasonOut]
    history: bool
    computed_at: datetime

    @classmethod
    def of(cls, result: ScreenResult) -> Self:
        sheet = result.administration
        return cls(
            id=result.id,
            instrument=sheet.instrument,
            informant=sheet.informant,
            administered_on=sheet.administered_on,
            mode=sheet.mode,
            validity=sheet.validity,
            status=result.status,
            level=result.level,
            grade=result.grade,
            why=list(result.why),
            scores={name: _score(score) for name, score in result.scores.items()},
            flags=list(result.flags),
            asked_about_safety=result.asks_about_safety,
            probability=_range(result),
            reasons=[
                ReasonOut(instrument=each["instrument"], contribution=each["contribution"])
                for each in result.reasons
            ],
            history=result.history,
            computed_at=result.computed_at,
        )


def _score(score: Mapping[str, Any]) -> ScoreOut:
    return ScoreOut(
        value=score["value"], status=score["status"], band=score["band"], missing=list(score["missing"])
    )


def _range(result: ScreenResult) -> RangeOut | None:
    if result.low is None or result.high is None:
        return None
    return RangeOut(
        low=result.low,
        high=result.high,
        calibrated_here=result.model_version.startswith(LOCAL),
        base_rate=result.base_rate,
        model_version=result.model_version,
    )
