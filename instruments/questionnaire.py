"""An instrument as a FHIR R4 ``Questionnaire``, a sheet as a ``QuestionnaireResponse``, and back into a pack. Pure.

What leaves holds no wording unless a pack is given whose instrument's licence allows it: items then carry their
number, their LOINC code where the library knows one, and the code of this project with its short label as display.
Answers are codings with their value as ``ordinalValue``.

Reading is lenient where published questionnaires differ (groups, prefixes, LOINC link ids, contained value sets)
and says nothing about what it did not understand: ``text.problems`` compares the result with the instrument.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from decimal import Decimal, InvalidOperation
from typing import Any

from instruments.answers import AnswerSheet
from instruments.definition import Conditional, Instrument, Item, ItemCondition, Quantifier
from instruments.layouts import in_layout
from instruments.text import ItemText, Pack, arranged, language_of, may_show

URL = "urn:xinqiao:questionnaire"
LAYOUT_SYSTEM = "urn:xinqiao:layout"
LOINC_SYSTEM = "http://loinc.org"
ORDINAL = "http://hl7.org/fhir/StructureDefinition/ordinalValue"
INTRODUCTION = "introduction"
MOST_ITEMS, DEEPEST = 400, 6

Json = dict[str, Any]


class NotAQuestionnaire(ValueError):
    """The file is no FHIR R4 ``Questionnaire`` that can be read."""


# --- out ----------------------------------------------------------------------------------------------------


def to_questionnaire(instrument: Instrument, pack: Pack | None = None, *, locale: str = "zh") -> Json:
    """The instrument as a resource. ``pack`` adds its wording, in its own language, if the licence allows it."""
    wording = pack if pack is not None and may_show(instrument) else None
    name = instrument.name.en if locale == "en" else instrument.name.zh
    layout = wording.layout if wording else instrument.default_layout
    instrument = in_layout(instrument, layout)
    resource: Json = {
        "resourceType": "Questionnaire",
        "language": wording.language if wording else locale,
        "url": f"{URL}:{instrument.code}",
        "identifier": [{"system": LAYOUT_SYSTEM, "value": layout}],
        "version": instrument.version,
        "name": "".join(part for part in instrument.abbr if part.isascii() and part.isalnum()),
        "title": wording.title if wording else name,
        "status": "active",
        "subjectType": ["Patient"],
        "copyright": f"{instrument.licence.holder}: {instrument.licence.status}",
    }
    if instrument.loinc.panel:
        resource["code"] = [{"system": LOINC_SYSTEM, "code": instrument.loinc.panel}]
    introduction = (
        [{"linkId": INTRODUCTION, "type": "display", "text": wording.instructions}]
        if wording and wording.instructions
        else []
    )
    resource["item"] = [
        *introduction,
        *(_item(instrument, item, wording, locale) for item in instrument.items),
    ]
    return resource


def _item(instrument: Instrument, item: Item, wording: Pack | None, locale: str) -> Json:
    label = item.en if locale == "en" else item.zh
    own = {"system": f"urn:xinqiao:item:{instrument.code}", "code": item.key, "display": label}
    loinc = dict(instrument.loinc.items).get(item.key)
    codes = [{"system": LOINC_SYSTEM, "code": loinc}, own] if loinc else [own]
    said: Json = {"linkId": item.key, "code": codes, "prefix": item.key}
    text = wording.item(item.key) if wording else None
    if text is not None:
        said["text"] = text.text
    conditions = [each for each in instrument.conditionals if item.key in each.items]
    shown = _enable_when(instrument, conditions[0]) if conditions else {}
    options = dict(text.options) if text is not None else {}
    return said | {
        "type": "choice",
        **shown,
        "required": False,
        "answerOption": [
            {"valueCoding": coding(instrument, item, option.value, display=options.get(option.value, ""))}
            for option in item.options
        ],
    }


def _enable_when(instrument: Instrument, conditional: Conditional) -> Json:
    """When an item is asked. A condition that these rules cannot say is left out: the item is then always shown."""
    condition = conditional.asked_if
    if not isinstance(condition, ItemCondition):
        return {}
    pairs = [(key, value) for key in condition.items for value in condition.values]
    if condition.quantifier is Quantifier.ANY:
        operator, behaviour = "=", "any"
    elif condition.quantifier is Quantifier.NONE:
        operator, behaviour = "!=", "all"
    elif len(condition.values) == 1:
        operator, behaviour = "=", "all"
    else:
        return {}
    shown: Json = {
        "enableWhen": [
            {
                "question": key,
                "operator": operator,
                "answerCoding": _plain(coding(instrument, instrument.item(key), value)),
            }
            for key, value in pairs
        ]
    }
    return shown | ({"enableBehavior": behaviour} if len(pairs) > 1 else {})


def coding(instrument: Instrument, item: Item, value: int, *, display: str = "") -> Json:
    """One answer: its LOINC code where known, else ours, with the value that is scored."""
    known = {(key, number): code for key, number, code in instrument.loinc.answers}
    loinc = known.get((item.key, value)) or (known.get(("", value)) if item.is_main else None)
    said: Json = {
        "extension": [{"url": ORDINAL, "valueDecimal": value}],
        "system": LOINC_SYSTEM if loinc else f"urn:xinqiao:answer:{instrument.code}",
        "code": loinc or str(value),
    }
    return said | ({"display": display} if display else {})


def _plain(said: Json) -> Json:
    return {name: value for name, value in said.items() if name in ("system", "code")}


def to_response(
    instrument: Instrument,
    sheet: AnswerSheet,
    *,
    identifier: str,
    subject: str,
    authored: str,
    informant: str,
) -> Json:
    """One sheet. ``identifier`` and ``subject`` are numbers of files, never a name; ``authored`` an ISO day.

    An item without an answer is not listed, as FHIR asks. Completed means that the main list has no blank.
    """
    answers = sheet.as_mapping(instrument)
    whole = all(answers[item.key] is not None for item in instrument.main_items)
    return {
        "resourceType": "QuestionnaireResponse",
        "identifier": {"system": "urn:xinqiao:sheet", "value": identifier},
        "questionnaire": f"{URL}:{instrument.code}|{instrument.version}",
        "status": "completed" if whole else "in-progress",
        "subject": {"identifier": {"system": "urn:xinqiao:child-file", "value": subject}},
        "authored": authored,
        "source": {"type": _INFORMANT[informant], "display": informant},
        "item": [
            {"linkId": item.key, "answer": [{"valueCoding": coding(instrument, item, value)}]}
            for item in instrument.items
            if (value := answers[item.key]) is not None
        ],
    }


_INFORMANT = {
    "self": "Patient",
    "parent": "RelatedPerson",
    "teacher": "Practitioner",
    "interviewer": "Practitioner",
}


# --- in -----------------------------------------------------------------------------------------------------


def from_questionnaire(
    resource: object, instrument: Instrument, *, language: str = "", layout: str = ""
) -> Pack:
    """The wording in a published ``Questionnaire``. Raises :class:`NotAQuestionnaire`.

    ``language`` and ``layout`` speak where the resource does not. Items are known by link id, by prefix or by
    LOINC code, in this order; answers by ordinal value, by LOINC code, or by a code that is a number.
    """
    if not isinstance(resource, dict) or resource.get("resourceType") != "Questionnaire":
        raise NotAQuestionnaire
    layout = _layout(resource) or layout or instrument.default_layout
    instrument = arranged(instrument, layout)
    flat = list(_flat(resource.get("item")))
    if not flat or len(flat) > MOST_ITEMS:
        raise NotAQuestionnaire
    sets = _value_sets(resource)
    introductions = [_text(item) for item in flat if item.get("type") == "display" and _text(item)]
    items = []
    for item in flat:
        key = _key(item, instrument)
        if _is_question(item) or key in instrument.positions:
            items.append(ItemText(key, _text(item), _answers(item, key, instrument, sets)))
    return Pack(
        instrument=_code(resource, instrument),
        version=str(resource.get("version") or ""),
        language=language_of(str(resource.get("language") or language)),
        layout=layout,
        title=str(resource.get("title") or ""),
        instructions="\n".join(introductions),
        items=tuple(items),
    )


def _flat(items: object, depth: int = 0) -> Iterator[Json]:
    """Items of all levels in reading order, groups left out. Raises where it is nested too deeply."""
    if depth > DEEPEST:
        raise NotAQuestionnaire
    for item in items if isinstance(items, list) else ():
        if not isinstance(item, dict):
            raise NotAQuestionnaire
        if item.get("type") != "group":
            yield item
        yield from _flat(item.get("item"), depth + 1)


def _text(item: Mapping[str, Any]) -> str:
    return str(item.get("text") or "").strip()


def _is_question(item: Mapping[str, Any]) -> bool:
    """A choice that a person makes; a total that a program fills in is none."""
    return item.get("type") in ("choice", "open-choice") and item.get("readOnly") is not True


def _code(resource: Mapping[str, Any], instrument: Instrument) -> str:
    """Our own address names the questionnaire; a foreign one is taken for what the person chose."""
    url = str(resource.get("url") or "")
    return url.removeprefix(f"{URL}:").split("|")[0] if url.startswith(f"{URL}:") else instrument.code


def _layout(resource: Mapping[str, Any]) -> str:
    return next(
        (
            str(each.get("value") or "")
            for each in _mappings(resource.get("identifier"))
            if each.get("system") == LAYOUT_SYSTEM
        ),
        "",
    )


def _mappings(values: object) -> list[Json]:
    return [each for each in values if isinstance(each, dict)] if isinstance(values, list) else []


def _key(item: Mapping[str, Any], instrument: Instrument) -> str:
    link, prefix = str(item.get("linkId") or ""), str(item.get("prefix") or "").strip(" .、)")
    by_loinc = {code: key for key, code in instrument.loinc.items}
    codes = [str(each.get("code")) for each in _mappings(item.get("code"))] + [link.rpartition("/")[2]]
    known = [by_loinc[code] for code in codes if code in by_loinc]
    for candidate in (link, prefix, *known):
        if candidate in instrument.positions:
            return candidate
    return link or prefix


def _value_sets(resource: Mapping[str, Any]) -> dict[str, list[Json]]:
    """Contained value sets by the address an item refers to them with."""
    found: dict[str, list[Json]] = {}
    for each in _mappings(resource.get("contained")):
        if each.get("resourceType") != "ValueSet":
            continue
        expansion, compose = each.get("expansion"), each.get("compose")
        codings = _mappings(expansion.get("contains")) if isinstance(expansion, dict) else []
        for include in _mappings(compose.get("include")) if isinstance(compose, dict) and not codings else ():
            codings += _mappings(include.get("concept"))
        found[f"#{each.get('id')}"] = codings
    return found


def _answers(
    item: Mapping[str, Any], key: str, instrument: Instrument, sets: Mapping[str, list[Json]]
) -> tuple[tuple[int, str], ...]:
    """Value and text of each answer that has a value, in the order of the instrument where all are its own."""
    codings = [
        each["valueCoding"]
        for each in _mappings(item.get("answerOption"))
        if isinstance(each.get("valueCoding"), dict)
    ] or sets.get(str(item.get("answerValueSet") or ""), [])
    found = [(value, str(each.get("display") or "").strip()) for each in codings
             if (value := _value(each, key, instrument)) is not None]  # fmt: skip
    if key in instrument.positions:
        wanted = {option.value: place for place, option in enumerate(instrument.item(key).options)}
        if all(value in wanted for value, _ in found):
            found.sort(key=lambda pair: wanted[pair[0]])
    return tuple(found)


def _value(said: Mapping[str, Any], key: str, instrument: Instrument) -> int | None:
    for extension in _mappings(said.get("extension")):
        if extension.get("url") == ORDINAL:
            return _whole(extension.get("valueDecimal"))
    known = {code: value for item, value, code in instrument.loinc.answers if item in ("", key)}
    code = str(said.get("code") or "")
    return known[code] if code in known else _whole(code)


def _whole(value: object) -> int | None:
    try:
        number = Decimal(str(value))
    except InvalidOperation:
        return None
    return int(number) if number.is_finite() and abs(number) < 1000 and number == int(number) else None
