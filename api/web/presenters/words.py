"""Neutral words for codes. A level is a place in the queue and is never called healthy, ill or dangerous."""

from __future__ import annotations

from datetime import date
from enum import StrEnum

from instruments import Grade
from referral.terms import ReleaseMode, TaskKind, Term
from risk_model import Level
from screening.core import grades
from screening.core.actor import Role
from screening.core.i18n import translate
from screening.models.child import Enrolment, Sex
from screening.models.organisation import OrganisationKind


def word(term: StrEnum | None, locale: str) -> str:
    """The word of a code: its Chinese name, or the code as English words (some put better in the catalogue)."""
    if term is None:
        return "—"
    if locale != "en" and isinstance(term, Term):
        return term.zh
    said = term.value.replace("_", " ")
    return translate("en", said)


def sex(value: Sex, locale: str) -> str:
    return translate(locale, "boy") if value is Sex.MALE else translate(locale, "girl")


def class_of(enrolment: Enrolment | None, today: date, locale: str) -> str:
    """Grade and class as the school says them: 八年级2班."""
    if enrolment is None:
        return ""
    grade = grades.grade_on(grades.Stage(enrolment.stage), enrolment.cohort, today)
    shown = grades.display(grade, locale) if grade else ""
    return f"{shown} {enrolment.class_name}".strip() if locale == "en" else f"{shown}{enrolment.class_name}"


def level(value: Level | None, grade: Grade | None, locale: str) -> str:
    """What to do because of a result: glossary of the field guide."""
    if grade is Grade.A:
        return translate(locale, "Talk now, do not leave alone")
    match value:
        case Level.CRISIS_ITEM:
            return translate(locale, "Talk today")
        case Level.HIGH:
            return translate(locale, "See first")
        case Level.ELEVATED:
            return translate(locale, "Worth a talk")
        case Level.NONE:
            return translate(locale, "Nothing prompted this time")
        case _:
            return translate(locale, "To be done again")


def informant(code: str, locale: str) -> str:
    """Who filled in a sheet."""
    match code:
        case "self":
            return translate(locale, "filled in by the child")
        case "parent":
            return translate(locale, "filled in by the carer")
        case "teacher":
            return translate(locale, "filled in by the teacher")
        case _:
            return translate(locale, "asked in person")


def validity_flag(code: str, locale: str) -> str:
    """What speaks against relying on a sheet."""
    said = {
        "blank": translate(locale, "the sheet is blank"),
        "missing_answers": translate(locale, "too many questions without an answer"),
        "validity_scale": translate(locale, "the sheet's own check says it cannot be relied on"),
        "contradiction": translate(locale, "answers contradict each other"),
        "straight_line": translate(locale, "the same answer all the way down"),
        "too_fast": translate(locale, "filled in too fast"),
        "helped": translate(locale, "somebody helped to fill it in"),
        "reading_trouble": translate(locale, "reading was difficult"),
    }
    return said.get(code, code.replace("_", " "))


# Why a line is on a list. Shared screens show what to do and by when, never a level: none of these tells one.
_FROM_SCREENING = frozenset(
    {
        TaskKind.SAME_DAY_TALK,
        TaskKind.SAFETY_TALK,
        TaskKind.SECOND_ASSESSMENT,
        TaskKind.COUNTY_ASSESSMENT,
        TaskKind.REVIEW_CRITICAL,
        TaskKind.GUARDIAN_HARM_QUESTION,
    }
)
_FROM_SHEET = frozenset({TaskKind.RETEST, TaskKind.MAKE_UP, TaskKind.TEACHER_OBSERVATION})
_FROM_CRISIS = frozenset(
    {
        TaskKind.CRISIS_ACKNOWLEDGE,
        TaskKind.CRISIS_STEP,
        TaskKind.CRISIS_TELL_SCHOOL,
        TaskKind.CRISIS_TELL_COUNTY,
        TaskKind.CRISIS_STAND_DOWN,
        TaskKind.CRISIS_REPORT,
        TaskKind.MANDATORY_REPORT,
    }
)
_FROM_PLAN = frozenset(
    {
        TaskKind.PLAN_CONFIRM,
        TaskKind.PLAN_REVIEW,
        TaskKind.SAFETY_PLAN,
        TaskKind.PLAN_ACTION,
        TaskKind.RESCREEN,
        TaskKind.FOLLOWUP,
        TaskKind.TIER_SIGN,
        TaskKind.CONSENT_ASK,
        TaskKind.CASE_CONFERENCE,
    }
)
_FROM_REFERRAL = frozenset(
    {
        TaskKind.GUARDIAN_AGREEMENT,
        TaskKind.GUARDIAN_SECOND_TALK,
        TaskKind.GUARDIAN_ADVICE,
        TaskKind.HOME_VISIT,
        TaskKind.REFERRAL_ENDED,
        TaskKind.REFERRAL_SEND,
        TaskKind.REFERRAL_ANSWER,
        TaskKind.REFERRAL_REROUTE,
        TaskKind.REFERRAL_UPDATE,
        TaskKind.REFERRAL_HOLD,
        TaskKind.APPOINTMENT,
        TaskKind.ATTENDANCE_CHECK,
        TaskKind.NO_SHOW_CONTACT,
        TaskKind.RETURN_NOTE,
        TaskKind.RETURN_NOTE_READ,
        TaskKind.REPLY_VERIFY,
        TaskKind.REPLY_TRIED,
        TaskKind.NOTE_OVERDUE,
        TaskKind.GLYPH_MISSING,
    }
)
_FROM_MODEL = frozenset({TaskKind.MODEL_ALARM, TaskKind.RANDOM_CHECK})
_FROM_WORRY = frozenset({TaskKind.WORRY_NOW, TaskKind.WORRY_MATCH})
_FROM_FILE = frozenset(
    {
        TaskKind.BATCH_COMMIT,
        TaskKind.REFUSED_ROWS,
        TaskKind.FILE_ALARM,
        TaskKind.HISTORY_REVIEW,
        TaskKind.UNKNOWN_CHILD_ALARM,
    }
)
_FROM_CALL = frozenset(
    {
        TaskKind.CALL_FINISH,
        TaskKind.CALL_REVIEW,
        TaskKind.CALL_DISCLOSURE,
        TaskKind.CALL_FOLLOW_UP,
        TaskKind.CALL_DEBRIEF,
        TaskKind.CALL_SUPPORT,
        TaskKind.CALL_UNLINKED,
        TaskKind.LOOKUP_ALARM,
        TaskKind.HANDOVER_ACKNOWLEDGE,
        TaskKind.HANDOVER_RESULT,
    }
)


def why(kind: TaskKind, locale: str) -> str:
    """Where a task comes from, in words that a shared screen may show."""
    said = (
        (_FROM_CRISIS, translate(locale, "safety comes first")),
        (_FROM_SCREENING, translate(locale, "after the screening a person talks with the child")),
        (_FROM_SHEET, translate(locale, "a sheet is missing or cannot be relied on")),
        (_FROM_PLAN, translate(locale, "part of the plan")),
        (_FROM_REFERRAL, translate(locale, "part of the referral")),
        (_FROM_CALL, translate(locale, "a call to the 12355 line")),
        (_FROM_WORRY, translate(locale, "somebody is worried; it is not yet clear about whom")),
        (_FROM_FILE, translate(locale, "an imported file")),
        (_FROM_MODEL, translate(locale, "so that the estimates stay right")),
    )
    default = translate(locale, "a rule of the district asks for it")
    return next((text for kinds, text in said if kind in kinds), default)


def role(value: Role, locale: str) -> str:
    """Who does something, as a post."""
    said = {
        Role.COUNSELLOR: translate(locale, "counsellor"),
        Role.CLASS_TEACHER: translate(locale, "class teacher"),
        Role.SCHOOL_LEAD: translate(locale, "school lead"),
        Role.PRINCIPAL: translate(locale, "principal"),
        Role.COUNTY_CENTRE: translate(locale, "county centre"),
        Role.CLINIC_INTAKE: translate(locale, "clinic intake"),
        Role.CLINICIAN: translate(locale, "clinician"),
        Role.CHILD_DIRECTOR: translate(locale, "village child director"),
    }
    return said.get(value, value.value.replace("_", " "))


def post(value: Role, locale: str) -> str:
    """A role as the name of a post, on the pages where roles are given."""
    said = {
        Role.COUNSELLOR: translate(locale, "School counsellor"),
        Role.CLASS_TEACHER: translate(locale, "Class teacher"),
        Role.SCHOOL_LEAD: translate(locale, "School lead for mental health"),
        Role.PRINCIPAL: translate(locale, "Principal"),
        Role.ENTRY_CLERK: translate(locale, "Entry clerk"),
        Role.COUNTY_CENTRE: translate(locale, "County centre"),
        Role.EDU_OFFICER: translate(locale, "County education officer"),
        Role.CITY_OFFICER: translate(locale, "City officer"),
        Role.CLINIC_INTAKE: translate(locale, "Clinic intake"),
        Role.CLINICIAN: translate(locale, "Clinician"),
        Role.FACILITY_LEAD: translate(locale, "Facility lead"),
        Role.HEALTH_OFFICER: translate(locale, "Health officer"),
        Role.HOTLINE_OPERATOR: translate(locale, "Hotline operator"),
        Role.HOTLINE_SUPERVISOR: translate(locale, "Hotline supervisor"),
        Role.CHILD_DIRECTOR: translate(locale, "Village child director"),
        Role.CHILD_SUPERVISOR: translate(locale, "Township child supervisor"),
        Role.PROTECTION_CENTRE: translate(locale, "Protection centre"),
        Role.SYSADMIN: translate(locale, "System administrator"),
        Role.AUDITOR: translate(locale, "Auditor"),
    }
    return said[value]


def organisation_kind(value: OrganisationKind, locale: str) -> str:
    """What kind of place it is."""
    said = {
        OrganisationKind.CITY: translate(locale, "city"),
        OrganisationKind.COUNTY: translate(locale, "county"),
        OrganisationKind.TOWNSHIP: translate(locale, "township"),
        OrganisationKind.VILLAGE: translate(locale, "village"),
        OrganisationKind.SCHOOL: translate(locale, "school"),
        OrganisationKind.FACILITY: translate(locale, "facility"),
        OrganisationKind.HOTLINE: translate(locale, "hotline"),
        OrganisationKind.SERVICE_SITE: translate(locale, "service site"),
    }
    return said[value]


def release(code: str, locale: str) -> str:
    """How referrals leave, by its word."""
    return word(ReleaseMode(code), locale)


def release_explained(mode: ReleaseMode, locale: str) -> str:
    """What a mode does, in one sentence (decision 2)."""
    said = {
        ReleaseMode.STEPWISE: translate(
            locale,
            "A person sends it after the talk. Not seen in time: the county centre sees the child; still nobody: it leaves as a request for triage.",
        ),
        ReleaseMode.AFTER_WINDOW: translate(
            locale,
            "Not seen in time: it leaves as a request for triage, without the county centre in between.",
        ),
        ReleaseMode.AT_ONCE: translate(
            locale, "It leaves at once as a request for triage, where the guardian has agreed beforehand."
        ),
        ReleaseMode.ON_CONFIRMATION: translate(
            locale, "Only a person sends it; silence goes up the ladder and nothing leaves by itself."
        ),
    }
    return said[mode]
