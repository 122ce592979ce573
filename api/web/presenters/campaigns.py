"""A campaign in words: where it stands, which step comes next and whose it is, and its roll class by class."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from uuid import UUID

from api.web.presenters import words
from instruments import Instrument, catalogue
from instruments.asking import Asked, breaches, needs_signature, outside
from screening import policies
from screening.access import May, places
from screening.core import grades
from screening.core.actor import Actor
from screening.core.i18n import translate
from screening.models.campaign import Campaign, CampaignStatus, RosterEntry
from screening.models.consent import Consent, ConsentStatus, Purpose
from screening.queries.rosters import SchoolClass

NEXT = {
    CampaignStatus.DRAFT: CampaignStatus.ANNOUNCED,
    CampaignStatus.ANNOUNCED: CampaignStatus.OPEN,
    CampaignStatus.OPEN: CampaignStatus.CLOSING,
    CampaignStatus.CLOSING: CampaignStatus.SCORED,
}


@dataclass(frozen=True, slots=True)
class Step:
    """The step that comes next. ``why_not``: a sentence in place of the button."""

    to: CampaignStatus
    label: str
    why_not: str


# While something can still be changed about what is asked.
ASKS = frozenset(
    {CampaignStatus.DRAFT, CampaignStatus.ANNOUNCED, CampaignStatus.OPEN, CampaignStatus.CLOSING}
)


@dataclass(frozen=True, slots=True)
class Asking:
    """What stands against a campaign. ``sign``: the lead may sign here that nobody asks about safety.

    ``outliers``: sentences about single children whose age does not fit a sheet; they stop nobody.
    """

    breaches: tuple[str, ...]
    outliers: tuple[str, ...]
    safety: str
    sign: bool


NOTHING_AGAINST = Asking((), (), "", False)


@dataclass(frozen=True, slots=True)
class SheetState:
    """One questionnaire of one child: stored, or where it is keyed in."""

    code: str
    abbr: str
    stored: bool


@dataclass(frozen=True, slots=True)
class Line:
    """One child on the roll; nothing of what the sheets say."""

    entry_id: UUID
    name: str
    student_no: str
    consent: str
    consented: bool
    sheets: tuple[SheetState, ...]


def status(value: CampaignStatus, locale: str) -> str:
    """Where a campaign stands."""
    return {
        CampaignStatus.DRAFT: translate(locale, "being prepared"),
        CampaignStatus.ANNOUNCED: translate(locale, "announced to guardians"),
        CampaignStatus.OPEN: translate(locale, "open for sheets"),
        CampaignStatus.CLOSING: translate(locale, "closing: last sheets"),
        CampaignStatus.SCORED: translate(locale, "closed"),
        CampaignStatus.REPORTED: translate(locale, "reported"),
        CampaignStatus.ARCHIVED: translate(locale, "archived"),
        CampaignStatus.CANCELLED: translate(locale, "cancelled"),
    }[value]


def next_step(campaign: Campaign, actor: Actor, locale: str) -> Step | None:
    """What moves the campaign on; the action asks the same again."""
    to = NEXT.get(campaign.status)
    if to is None:
        return None
    label = {
        CampaignStatus.ANNOUNCED: translate(locale, "Announce it to guardians"),
        CampaignStatus.OPEN: translate(locale, "Open it for sheets"),
        CampaignStatus.CLOSING: translate(locale, "Begin to close: ask for the last sheets"),
        CampaignStatus.SCORED: translate(locale, "Close it: no sheet comes in any more"),
    }[to]
    what = May.APPROVE_CAMPAIGN if to is CampaignStatus.ANNOUNCED else May.RUN_CAMPAIGN
    why_not = "" if campaign.organisation_id in places(actor, what) else _whose(what, locale)
    return Step(to, label, why_not)


def _whose(what: May, locale: str) -> str:
    if what is May.APPROVE_CAMPAIGN:
        return translate(locale, "The school lead announces a campaign; the counsellor prepares it.")
    return translate(locale, "The counsellor opens and closes a campaign.")


def asking(campaign: Campaign, asked: Asked, actor: Actor, locale: str) -> Asking:
    """Age, grade, informant, gap and safety, in sentences."""
    sheets = instruments(campaign)
    found = [policies.refusal_of(breach) for breach in breaches(sheets, asked)]
    unsigned = campaign.without_safety_at is None and needs_signature(sheets, asked.grades)
    before = campaign.status in (CampaignStatus.DRAFT, CampaignStatus.ANNOUNCED)
    return Asking(
        breaches=tuple(translate(locale, each.message, **each.params) for each in found),
        outliers=tuple(_outliers(sheets, asked, locale)),
        safety=translate(
            locale,
            "No sheet of this campaign asks about safety. Add one that does, or the school lead signs that this is known.",
        )
        if unsigned
        else "",
        sign=unsigned and before and campaign.organisation_id in places(actor, May.APPROVE_CAMPAIGN),
    )


def _outliers(sheets: Sequence[Instrument], asked: Asked, locale: str) -> Iterator[str]:
    for instrument in sheets:
        young = sum(outside(instrument, ages)[0] for ages in asked.ages.values())
        old = sum(outside(instrument, ages)[1] for ages in asked.ages.values())
        if young:
            yield translate(
                locale,
                "{sheet}: {count} children are younger than {limit}. For them it says less; the counsellor decides whether they are asked.",
                sheet=instrument.abbr,
                count=young,
                limit=instrument.age_min,
            )
        if old:
            yield translate(
                locale,
                "{sheet}: {count} children are older than {limit}. For them it says less; the counsellor decides whether they are asked.",
                sheet=instrument.abbr,
                count=old,
                limit=instrument.age_max,
            )


def why_no_sheets(campaign: Campaign, locale: str) -> str:
    """Why no sheet can be recorded now; empty when it can."""
    if policies.accepts_sheets(campaign.status):
        return ""
    return translate(locale, "This campaign is not open, so no sheet can be recorded in it.")


def instruments(campaign: Campaign) -> list[Instrument]:
    """The questionnaires of a campaign that the library holds."""
    library = catalogue()
    return [library.get(code) for code in campaign.instruments if code in library.codes]


def name_of(instrument: Instrument, locale: str) -> str:
    return instrument.name.en if locale == "en" else instrument.name.zh


def class_name(school_class: SchoolClass, today: date, locale: str) -> str:
    """八年级2班, Grade 8 2班; children without a live enrolment stand by themselves."""
    if school_class.stage is None or school_class.cohort is None:
        return translate(locale, "not enrolled now")
    grade = grades.grade_on(grades.Stage(school_class.stage), school_class.cohort, today)
    shown = grades.display(grade, locale) if grade else ""
    return f"{shown} {school_class.name}".strip() if locale == "en" else f"{shown}{school_class.name}"


def consent_word(value: ConsentStatus | None, locale: str) -> str:
    """The answer of the guardian to the screening."""
    if value is ConsentStatus.GIVEN:
        return translate(locale, "consent given")
    if value is None:
        return translate(locale, "no answer yet")
    return translate(locale, "no consent")


def lines(
    entries: Sequence[RosterEntry],
    campaign: Campaign,
    stored: Mapping[UUID, Sequence[str]],
    consents: Mapping[tuple[UUID, Purpose], Consent],
    locale: str,
) -> list[Line]:
    """One class of the roll."""
    asked = instruments(campaign)
    found = []
    for entry in entries:
        answer = consents.get((entry.child_id, Purpose.SCREENING))
        given = answer.status if answer else None
        enrolment = entry.child.enrolment
        found.append(
            Line(
                entry_id=entry.id,
                name=entry.child.name,
                student_no=enrolment.student_no if enrolment else "",
                consent=consent_word(given, locale),
                consented=policies.is_consented(given),
                sheets=tuple(
                    SheetState(each.code, each.abbr, each.code in stored.get(entry.id, ())) for each in asked
                ),
            )
        )
    return found


def place(entry: RosterEntry, today: date, locale: str) -> str:
    return words.class_of(entry.child.enrolment, today, locale)
