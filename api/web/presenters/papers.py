"""Blank papers: the numbered answer sheet of a questionnaire, and what a campaign asks, for guardians.

Our short labels stand on no paper that a child sees: an answer sheet holds numbers, or the wording of a pack in force.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date
from math import ceil
from pathlib import Path
from typing import Any

from api.web.presenters import dates
from instruments import Grade, Instrument, Item
from instruments.text import Pack
from screening.core.i18n import translate

FOLDER = Path(__file__).resolve().parents[1] / "papers"
ANSWER_SHEET, ASKED = FOLDER / "answer_sheet.html", FOLDER / "asked.html"

# Rows that stand below each other on one page, by how high a row is (papers.css).
ROWS = (("wide", 24), ("mid", 27), ("tight", 30))
MOST_COLUMNS = {2: 4, 3: 4, 4: 4, 5: 4, 6: 3, 7: 3}  # by circles side by side
SECONDS_A_QUESTION = 8
GROUP = 5  # a line after every fifth row keeps the eye in the row

Values = dict[str, Any]


def answer_sheet(instrument: Instrument, locale: str, wording: Pack | None = None) -> Values:
    """Everything the template needs. ``wording``: printed beside the numbers, in its own language."""
    numbers = _numbers(instrument, locale)
    widest = max(len(_circles(item)) for item in instrument.items)
    density, columns = ("mid", 1) if wording else _arrangement(len(instrument.items), widest)
    rows = [_row(item, numbers[item.key], place, wording) for place, item in enumerate(instrument.items)]
    high = ceil(len(rows) / columns)
    for place, row in enumerate(rows):
        row["gap"] = wording is None and place % high > 0 and place % high % GROUP == 0
    return {
        "language": wording.language if wording else locale,
        "title": translate(
            locale, "Answer sheet · {sheet}", sheet=wording.title if wording else instrument.abbr
        ),
        "density": density,
        "boxes": [
            translate(locale, "Student no."),
            translate(locale, "Name"),
            translate(locale, "Class"),
            translate(locale, "Date"),
        ],
        "filled_in_by": translate(locale, "Filled in by"),
        "informants": [_informant(each, locale) for each in instrument.informants]
        if _asks_who(instrument)
        else [],
        "how": _how(instrument, locale, wording),
        "introduction": wording.instructions if wording else "",
        "legend": [[value, text] for value, text in wording.shared_options] if wording else [],
        "worded": wording is not None,
        "widest": widest,
        "columns": [rows[start : start + high] for start in range(0, len(rows), high)],
        "help": _help(locale),
        "staff": _key(instrument, numbers, locale),
    }


def _arrangement(items: int, widest: int) -> tuple[str, int]:
    """The fewest columns in which a sheet fits on one page, and how high its rows then are."""
    most = MOST_COLUMNS.get(widest, 2)
    for columns in range(1, most + 1):
        high = ceil(items / columns)
        for density, rows in ROWS if columns > 1 else ROWS[:2]:
            if high <= rows:
                return density, columns
    return ROWS[-1][0], most


def _numbers(instrument: Instrument, locale: str) -> dict[str, str]:
    """What is printed for each item: its number on the form; extra items without one are counted by themselves."""
    numbers, extra = {}, 0
    for item in instrument.items:
        if item.key[0].isdigit():
            numbers[item.key] = item.key
        else:
            extra += 1
            numbers[item.key] = translate(locale, "E{number}", number=extra)
    return numbers


def _circles(item: Item) -> list[int]:
    return [option.value for option in item.options if option.value >= 0]


def _row(item: Item, number: str, place: int, wording: Pack | None) -> Values:
    text = wording.item(item.key) if wording else None
    own = text is not None and wording is not None and text.options != wording.shared_options
    return {
        "number": number,
        "circles": _circles(item),
        # A refusal has a value that is no digit: it is printed as a word.
        "words": ["—"] * any(option.value < 0 for option in item.options),
        "text": text.text if text else "",
        "answers": [[value, said] for value, said in text.options] if own and text else [],
    }


def _asks_who(instrument: Instrument) -> bool:
    return instrument.informants != ("self",)


def _informant(code: str, locale: str) -> str:
    match code:
        case "self":
            return translate(locale, "the child")
        case "parent":
            return translate(locale, "a parent or carer")
        case "teacher":
            return translate(locale, "a teacher")
        case _:
            return translate(locale, "a trained adult who asks")


def _how(instrument: Instrument, locale: str, wording: Pack | None) -> str:
    how = (
        translate(locale, "For each question circle the number of one answer.")
        if wording
        else translate(
            locale,
            "Read the questions on the question paper. Here circle, for each question, the number of the answer you choose.",
        )
    )
    refusal = any(option.value < 0 for item in instrument.items for option in item.options)
    end = (
        translate(locale, "“—” means: no answer wished.")
        if refusal
        else translate(
            locale, "There is no right or wrong. What you do not want to answer you may leave out."
        )
    )
    return f"{how}{end}" if locale == "zh" else f"{how} {end}"


def _help(locale: str) -> str:
    return translate(
        locale,
        "If you want to talk to somebody: tell a teacher you trust, today or at any time. 12355 and 12356 listen; in danger 110 or 120.",
    )


def _key(instrument: Instrument, numbers: dict[str, str], locale: str) -> str:
    """For whoever keys it in: which extra number is which column."""
    named = [f"{number} = {key}" for key, number in numbers.items() if number != key]
    return translate(locale, "For keying in: {items}", items=", ".join(named)) if named else ""


# --- what is asked, for guardians ---------------------------------------------------------------------------


def asked(
    asked: Sequence[Instrument],
    *,
    school: str,
    phone: str,
    title: str,
    opens_on: date,
    closes_on: date,
    locale: str,
) -> Values:
    """What a campaign asks: topics, time, who sees it, the right to say no. No item's wording."""
    days = f"{dates.day(opens_on, locale)} – {dates.day(closes_on, locale)}"
    rows = [_asked_row(instrument, number, locale) for number, instrument in enumerate(asked, start=1)]
    return {
        "language": locale,
        "title": translate(locale, "What your child is asked"),
        "under": f"{school} · {title} · {days}",
        "headings": [
            translate(locale, "Questionnaire"),
            translate(locale, "Who answers"),
            translate(locale, "Questions"),
            translate(locale, "Time"),
            translate(locale, "Topics"),
        ],
        "rows": rows,
        "parts": _parts(asked, locale),
        "help": _contact(school, phone, locale),
    }


def _contact(school: str, phone: str, locale: str) -> str:
    if phone:
        return translate(
            locale,
            "Questions: ask the counsellor of {school}, telephone {phone}. 12355 and 12356 listen to children and parents; in danger 110 or 120.",
            school=school,
            phone=phone,
        )
    return translate(
        locale,
        "Questions: ask the counsellor of {school}. 12355 and 12356 listen to children and parents; in danger 110 or 120.",
        school=school,
    )


def _asked_row(instrument: Instrument, number: int, locale: str) -> Values:
    minutes = ceil(len(instrument.items) * SECONDS_A_QUESTION / 60)
    joint = "、" if locale == "zh" else ", "
    return {
        "sheet": instrument.abbr,
        "who": joint.join(_informant(each, locale) for each in instrument.informants),
        "questions": len(instrument.items),
        "minutes": translate(locale, "about {count} min", count=minutes),
        "topics": joint.join(topic(each, locale) for each in instrument.constructs),
        "sensitive": _sensitive(instrument, locale),
    }


def topic(construct: str, locale: str) -> str:
    """What a questionnaire is about, in words for families."""
    return {
        "anxiety": translate(locale, "worry and tension"),
        "attention": translate(locale, "keeping attention"),
        "conduct": translate(locale, "behaviour towards others"),
        "depression": translate(locale, "mood and interest"),
        "distress": translate(locale, "how heavy things feel"),
        "emotional": translate(locale, "feelings"),
        "externalising": translate(locale, "restlessness and temper"),
        "hostility": translate(locale, "anger"),
        "hyperactivity": translate(locale, "restlessness"),
        "impact": translate(locale, "how much it gets in the way"),
        "impulsivity": translate(locale, "acting before thinking"),
        "internalising": translate(locale, "sadness and worry"),
        "interpersonal": translate(locale, "getting on with others"),
        "loneliness": translate(locale, "feeling alone"),
        "oppositional": translate(locale, "arguing and defiance"),
        "peer": translate(locale, "friends and classmates"),
        "prosocial": translate(locale, "helping others"),
        "psychosis": translate(locale, "unusual experiences"),
        "school": translate(locale, "learning and school"),
        "self_esteem": translate(locale, "how one sees oneself"),
        "sleep": translate(locale, "sleep"),
        "somatic": translate(locale, "aches and the body"),
        "stress": translate(locale, "pressure"),
        "suicide": translate(locale, "safety"),
        "support": translate(locale, "who is there to help"),
        "wellbeing": translate(locale, "feeling well"),
    }.get(construct, construct.replace("_", " "))


def about_safety(instrument: Instrument) -> set[str]:
    """The items that ask about wishing to die or hurting oneself."""
    return {match.item for rule in instrument.critical if rule.grade is not Grade.R for match in rule.matches}


def _sensitive(instrument: Instrument, locale: str) -> str:
    """Sensitive topics by name: safety in plain words, the others by their short label."""
    safety = about_safety(instrument)
    named = [
        item.en if locale == "en" else item.zh
        for item in instrument.items
        if item.sensitive and item.key not in safety
    ]
    if safety:
        named.insert(0, translate(locale, "whether a child has thought of dying or of hurting itself"))
    if not named:
        return ""
    joint = "；" if locale == "zh" else "; "
    return translate(locale, "Among them: {topics}", topics=joint.join(dict.fromkeys(named)))


def _parts(instruments: Sequence[Instrument], locale: str) -> list[tuple[str, list[str]]]:
    """Head and sentences of each part, in the order of the page; the table follows the first."""
    safety = any(about_safety(each) for each in instruments)
    asks_safety = (
        translate(
            locale,
            "Some questions are about safety. Asking does not give a child the idea; it opens a way to talk. If an answer worries us, a trained adult soon talks with your child and, as a rule, with you.",
        )
        if safety
        else translate(
            locale, "This time no question is about dying or self-harm. It does not replace asking a child."
        )
    )
    return [
        (
            translate(locale, "What and why"),
            [
                translate(
                    locale,
                    "The school asks how children are doing, so that those who find things hard are helped early. It is a screening and not a diagnosis.",
                )
            ],
        ),
        (translate(locale, "About safety"), [asks_safety]),
        (
            translate(locale, "Your right to say no"),
            [
                translate(
                    locale,
                    "Taking part is voluntary. You and your child may say no, leave out any question, or stop at any time, and take your answer back later. It changes nothing in marks, awards, places or aid.",
                )
            ],
        ),
        (
            translate(locale, "Who sees it"),
            [
                translate(
                    locale,
                    "Answers are seen by the school's counsellor and by those who help your child, and by nobody else: not by classmates, not by the class group, and there is no ranking. Something is passed on to a hospital only with your consent.",
                ),
                translate(
                    locale,
                    "The limit: if a life is in danger, a child is being harmed, or the law demands it, we act at once to protect the child.",
                ),
            ],
        ),
        (
            translate(locale, "What you hear"),
            [
                translate(
                    locale,
                    "If something should be talked over, the counsellor comes to you. Screening misses some children: if you are worried, say so, whatever the sheet says.",
                )
            ],
        ),
    ]
