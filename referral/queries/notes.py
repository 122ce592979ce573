"""What a referral note is made of, read from the store as plain values. What may stand on it is decided elsewhere."""

from __future__ import annotations

import json
from datetime import date, datetime
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from instruments import Instrument, catalogue
from referral.disclosure import NoteInputs, SafetyFinding, SafetySign, ScreeningLine
from referral.models.case import Assessment, Case
from referral.models.referral import Facility, Referral
from referral.terms import HelpWanted
from screening.core import grades
from screening.core.clock import local_day
from screening.models.account import Account
from screening.models.administration import Administration
from screening.models.child import Child, Guardian
from screening.models.organisation import Organisation
from screening.models.result import ResultStatus, ScreenResult
from screening.queries.accounts import on_duty
from screening.queries.children import guardians_of


def note_inputs(session: Session, *, referral: Referral, case: Case, now: datetime) -> NoteInputs:
    """All fields of F1 as they are known now."""
    child = session.get_one(Child, referral.child_id)
    school = session.get_one(Organisation, case.organisation_id)
    written = _words(referral)
    guardian = _last(session, child)
    enrolment = child.enrolment
    seen = has_been_seen(session, case=case)
    grade = (
        grades.grade_on(grades.Stage(enrolment.stage), enrolment.cohort, local_day(now))
        if enrolment
        else None
    )
    sender = session.get(Account, referral.sent_by) if referral.sent_by else None
    return NoteInputs(
        form_no=referral.form_no,
        dated=local_day(referral.sent_at or referral.drafted_at),
        school=school.name,
        file_no=child.file_no,
        child_name=child.name,
        child_sex=child.sex.value,
        birth_date=child.birth_date,
        grade=grades.display(grade) if grade else "",
        guardian_name=guardian.name if guardian else "",
        guardian_relation=(guardian.relation if guardian else None) or "",
        guardian_phone=(guardian.phone if guardian else None) or "",
        screening=_lines(session, child),
        seen=seen,
        kind=referral.kind,
        urgency=referral.urgency,
        sent_at=referral.sent_at,
        consent_id=str(referral.consent_id)[:8].upper() if referral.consent_id else "",
        emergency_basis="紧急情况，保护生命" if referral.legal_basis == "emergency" else "",
        sent_by=sender.name if sender and seen else "",
        reply_by=local_day(referral.answer_due_at) if referral.answer_due_at else None,
        **_facility(session, referral),
        **_contact(session, case, school, now),
        **_written(written),
    )


def has_been_seen(session: Session, *, case: Case) -> bool:
    """Whether a person has held a second assessment in this case."""
    return (
        session.scalars(select(Assessment.id).where(Assessment.case_id == case.id).limit(1)).first()
        is not None
    )


def _words(referral: Referral) -> dict[str, Any]:
    return dict(json.loads(referral.words)) if referral.words else {}


def _last(session: Session, child: Child) -> Guardian | None:
    known = guardians_of(session, child.id)
    return known[-1] if known else None


def _facility(session: Session, referral: Referral) -> dict[str, Any]:
    if referral.facility_id is None:
        return {"to_facility": ""}
    facility = session.scalars(
        select(Facility).where(Facility.organisation_id == referral.facility_id)
    ).one_or_none()
    name = session.get_one(Organisation, referral.facility_id).name
    if facility is None:
        return {"to_facility": name}
    return {
        "to_facility": name,
        "to_department": facility.department,
        "to_person": facility.contact_name or "",
    }


def _contact(session: Session, case: Case, school: Organisation, now: datetime) -> dict[str, Any]:
    """The name at school and a number that is answered day and night: the duty phone where there is one."""
    owner = session.get_one(Account, case.owner_id)
    duty = on_duty(session, organisation_id=school.id, at=now)
    phone = next((entry.phone for entry in duty if entry.phone), None) or school.phone or ""
    return {"contact_name": owner.name, "contact_phone": phone}


def _written(words: dict[str, Any]) -> dict[str, Any]:
    """What the school wrote on the screen after seeing the child."""
    known = (
        "observed",
        "done_so_far",
        "known_medical",
        "question",
        "escort",
        "category_reason",
        "signed_by",
    )
    written: dict[str, Any] = {name: str(words[name]) for name in known if words.get(name)}
    if wanted := words.get("help_wanted"):
        written["help_wanted"] = tuple(HelpWanted(code) for code in wanted)
    if "safety_plan_attached" in words:
        written["safety_plan_attached"] = words["safety_plan_attached"]
    if signed := words.get("signed_on"):
        written["signed_on"] = date.fromisoformat(signed)
    if safety := words.get("safety"):
        written["safety"] = SafetyFinding(
            signs=tuple(SafetySign(sign) for sign in safety["signs"]),
            asked_at=datetime.fromisoformat(safety["asked_at"]),
            asked_by=safety["asked_by"],
            words=safety.get("words", ""),
        )
    return written


MAX_LINES = 6


def _lines(session: Session, child: Child) -> tuple[ScreeningLine, ...]:
    """The newest sheet of each instrument, newest first."""
    rows = session.execute(
        select(ScreenResult, Administration)
        .join(Administration, Administration.id == ScreenResult.administration_id)
        .where(ScreenResult.child_id == child.id, Administration.voided_at.is_(None))
        .where(Administration.protected.is_(False))
        .order_by(Administration.administered_on.desc(), Administration.recorded_at.desc())
    )
    newest: dict[str, ScreeningLine] = {}
    for result, administration in rows:
        if administration.instrument not in newest:
            newest[administration.instrument] = _line(result, administration)
    return tuple(list(newest.values())[:MAX_LINES])


def _line(result: ScreenResult, administration: Administration) -> ScreeningLine:
    instrument = catalogue().get(administration.instrument)
    main = result.scores.get(instrument.main_score, {})
    scored = result.status is ResultStatus.SCORED
    return ScreeningLine(
        instrument=instrument.abbr,
        administered_on=administration.administered_on,
        score=_in_words(instrument, main.get("value")) if scored else None,
        cutoff=instrument.screens_at.value if instrument.screens_at else None,
        validity=administration.validity.value,
        asks_about_safety=result.asks_about_safety,
    )


def _in_words(instrument: Instrument, value: int | float | str | None) -> int | float | str | None:
    """A number as it is; the result of a rule by the first word of its band: 急性阳性, without what to do about it."""
    if not isinstance(value, str):
        return value
    bands = instrument.band_set(instrument.main_score)
    band = bands.find(value) if bands else None
    return band.zh.split("：")[0] if band else value
