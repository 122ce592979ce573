"""FHIR R4: an instrument out and back in, a sheet out, and questionnaires as others publish them."""

from __future__ import annotations

import json

import pytest

from instruments import AnswerSheet, catalogue
from instruments.questionnaire import (
    NotAQuestionnaire,
    from_questionnaire,
    to_questionnaire,
    to_response,
)
from instruments.text import may_show, problems
from tests.instruments.wordings import made_up

PHQ9 = catalogue().get("phq9")
# R4 4.0.1: the elements of the two resources that we use, with what they hold. An unknown one fails.
CODING = {"system": str, "code": str, "display": str, "extension": [{"url": str, "valueDecimal": int}]}
ENABLE = {"question": str, "operator": {"exists", "=", "!=", ">", "<", ">=", "<="}, "answerCoding": CODING}
ITEM = {
    "linkId": str, "code": [CODING], "prefix": str, "text": str, "type": {"choice", "display", "group"},
    "enableWhen": [ENABLE], "enableBehavior": {"all", "any"}, "required": bool,
    "answerOption": [{"valueCoding": CODING}],
}  # fmt: skip
QUESTIONNAIRE = {
    "resourceType": {"Questionnaire"}, "language": str, "url": str, "version": str, "name": str, "title": str,
    "identifier": [{"system": str, "value": str}], "status": {"draft", "active", "retired", "unknown"},
    "subjectType": [str], "copyright": str, "code": [CODING], "item": [ITEM],
}  # fmt: skip
RESPONSE = {
    "resourceType": {"QuestionnaireResponse"}, "identifier": {"system": str, "value": str}, "questionnaire": str,
    "status": {"in-progress", "completed", "amended", "entered-in-error", "stopped"},
    "subject": {"identifier": {"system": str, "value": str}}, "authored": str,
    "source": {"type": str, "display": str}, "item": [{"linkId": str, "answer": [{"valueCoding": CODING}]}],
}  # fmt: skip


def check(value, shape, at="$"):
    """A value against a shape: an object, a list of one kind, a set of codes, or a type. FHIR holds nothing empty."""
    if isinstance(shape, dict):
        assert value, at
        assert set(value) <= set(shape), f"{at}: {set(value) - set(shape)}"
        for name, part in value.items():
            check(part, shape[name], f"{at}.{name}")
    elif isinstance(shape, list):
        assert isinstance(value, list), at
        assert value, at
        for part in value:
            check(part, shape[0], at)
    elif isinstance(shape, set):
        assert value in shape, at
    else:
        assert type(value) is shape, at
        assert value != "", at


@pytest.mark.parametrize("locale", ["zh", "en"])
def test_every_instrument_is_a_questionnaire_without_wording(locale):
    for instrument in catalogue():
        made = to_questionnaire(instrument, locale=locale)
        check(made, QUESTIONNAIRE)
        assert [item["linkId"] for item in made["item"]] == list(instrument.item_keys)
        assert not any("text" in item for item in made["item"])
        links = {item["linkId"] for item in made["item"]}
        for item, known in zip(made["item"], instrument.items, strict=True):
            values = [o["valueCoding"]["extension"][0]["valueDecimal"] for o in item["answerOption"]]
            assert values == [option.value for option in known.options]
            assert not any("display" in o["valueCoding"] for o in item["answerOption"])
            assert {when["question"] for when in item.get("enableWhen", ())} <= links


def test_codes_are_those_of_the_library():
    made = to_questionnaire(PHQ9)
    assert made["code"] == [{"system": "http://loinc.org", "code": "44249-1"}]
    ninth = made["item"][8]
    assert ninth["code"][0] == {"system": "http://loinc.org", "code": "44260-8"}
    assert [o["valueCoding"]["code"] for o in ninth["answerOption"]] == [
        "LA6568-5",
        "LA6569-3",
        "LA6570-1",
        "LA6571-9",
    ]
    assert made["item"][9]["answerOption"][3]["valueCoding"]["code"] == "LA6574-3"


def test_an_item_that_is_asked_in_some_cases_says_when():
    made = to_questionnaire(catalogue().get("asq"))
    last = next(item for item in made["item"] if item["linkId"] == "5")
    assert {when["question"] for when in last["enableWhen"]} == {"1", "2", "3", "4"}
    assert last["enableBehavior"] == "any"


@pytest.mark.parametrize("language", ["zh", "en"])
def test_a_questionnaire_that_went_out_comes_back_as_the_same_pack(language):
    for instrument in catalogue():
        pack = made_up(instrument, language)
        out = json.loads(json.dumps(to_questionnaire(instrument, pack)))
        check(out, QUESTIONNAIRE)
        if may_show(instrument):
            assert from_questionnaire(out, instrument) == pack
        else:
            assert pack.items[0].text not in json.dumps(out, ensure_ascii=False)


def test_a_sheet_goes_out_without_a_name_and_with_its_blanks_left_out():
    sheet = AnswerSheet.parse(PHQ9, {str(n): 1 for n in range(1, 9)})
    said = to_response(PHQ9, sheet, identifier="S1", subject="F1", authored="2026-10-14", informant="self")
    check(said, RESPONSE)
    assert said["status"] == "in-progress"
    assert [item["linkId"] for item in said["item"]] == [str(n) for n in range(1, 9)]
    whole = AnswerSheet.parse(PHQ9, {str(n): 0 for n in range(1, 10)})
    said = to_response(PHQ9, whole, identifier="S1", subject="F1", authored="2026-10-14", informant="self")
    assert said["status"] == "completed"
    assert said["questionnaire"] == f"urn:xinqiao:questionnaire:phq9|{PHQ9.version}"


def published(pack, **more):
    """The way others publish one: groups, LOINC link ids, a contained value set, a total at the end."""
    loinc = dict(PHQ9.loinc.items)
    codes = {value: code for item, value, code in PHQ9.loinc.answers if item == ""}
    of_last = {value: code for item, value, code in PHQ9.loinc.answers if item == "10"}
    inner = [
        {"linkId": f"/{loinc[item.key]}", "text": item.text, "type": "choice",
         **({"answerValueSet": "#often"} if item.key != "10" else {"answerOption": [
             {"valueCoding": {"code": of_last[value], "display": text}} for value, text in item.options]})}
        for item in pack.items
    ]  # fmt: skip
    total = {"linkId": "/44261-6", "text": "Total", "type": "decimal", "readOnly": True}
    often = {"resourceType": "ValueSet", "id": "often", "compose": {"include": [{"system": "http://loinc.org", "concept": [
        {"code": codes[value], "display": text} for value, text in pack.items[0].options]}]}}  # fmt: skip
    return {"resourceType": "Questionnaire", "title": pack.title, "contained": [often], "url": "http://example.org/q",
            "item": [{"linkId": "g", "type": "group", "item": [*inner, total]}]} | more  # fmt: skip


def test_a_questionnaire_as_others_publish_it_is_read():
    pack = made_up(PHQ9, "en")
    read = from_questionnaire(published(pack), PHQ9, language="en-GB")
    assert problems(read, PHQ9, {}) == ()
    assert read.items == pack.items


@pytest.mark.parametrize(
    "odd",
    [
        None, [], "text", {}, {"resourceType": "Patient"}, {"resourceType": "Questionnaire"},
        {"resourceType": "Questionnaire", "item": "x"}, {"resourceType": "Questionnaire", "item": [1]},
        {"resourceType": "Questionnaire", "item": [{"linkId": "1", "type": "choice"}] * 401},
    ],
)  # fmt: skip
def test_what_is_no_questionnaire_is_refused(odd):
    with pytest.raises(NotAQuestionnaire):
        from_questionnaire(odd, PHQ9)


@pytest.mark.parametrize(
    "item",
    [
        {"linkId": 1, "type": "choice", "answerOption": "x", "code": 3},
        {"linkId": "1", "type": "choice", "answerOption": [{"valueCoding": {"code": "1e999"}}, {"valueString": "a"}, 4]},
        {"linkId": "1", "type": "choice", "answerOption": [{"valueCoding": {"extension": [{"url": "http://hl7.org/fhir/StructureDefinition/ordinalValue", "valueDecimal": "NaN"}]}}]},
        {"type": "choice", "answerValueSet": ["#x"], "prefix": None},
        {"linkId": "1", "item": {"linkId": "2"}},
    ],
)  # fmt: skip
def test_an_odd_questionnaire_is_read_without_a_crash_and_does_not_fit(item):
    made = {"resourceType": "Questionnaire", "item": [item], "contained": 5, "identifier": "x"}
    assert problems(from_questionnaire(made, PHQ9), PHQ9)
