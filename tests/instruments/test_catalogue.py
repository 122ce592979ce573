"""The library is refused as soon as one field of one file is unknown, of the wrong type or at odds with another."""

from __future__ import annotations

import re
from collections.abc import Callable
from importlib.resources import files
from typing import Any

import pytest
import yaml

from instruments import AnswerSheet, LibraryError, SheetConditions, UnknownInstrument, catalogue, score
from instruments.catalogue import read_instrument
from instruments.parsing import parse_instrument
from instruments.reading import Node

File = dict[str, Any]


def library(code: str) -> File:
    text = (files("instruments") / "library" / f"{code}.yaml").read_text("utf-8")
    loaded: File = yaml.load(text, Loader=yaml.CSafeLoader)
    return loaded


def read(content: File, name: str | None = None) -> Any:
    return read_instrument(
        name or f"{content['code']}.yaml",
        yaml.dump(content, Dumper=yaml.CSafeDumper, allow_unicode=True).encode(),
    )


def put(*path: str | int, value: Any) -> Callable[[File], None]:
    def change(content: File) -> None:
        place: Any = content
        for step in path[:-1]:
            place = place[step]
        place[path[-1]] = value

    return change


def drop(*path: str | int) -> Callable[[File], None]:
    def change(content: File) -> None:
        place: Any = content
        for step in path[:-1]:
            place = place[step]
        del place[path[-1]]

    return change


REFUSED = [
    ("phq9", put("colour", value="red"), "colour", "unknown key"),
    ("phq9", put("items", 0, "text", value="…"), r"items\[1\].text", "unknown key"),
    ("phq9", put("licence", "fee", value=0), "licence.fee", "unknown key"),
    ("phq9", drop("recall"), "recall", "missing"),
    ("phq9", drop("items", 3, "zh"), r"items\[4\].zh", "missing"),
    ("phq9", put("schema", value=2), "schema", "only schema 1"),
    ("phq9", put("tier", value="1"), "tier", "whole number"),
    ("phq9", put("tier", value=4), "tier", "1, 2 or 3"),
    ("phq9", put("tier", value=True), "tier", "whole number"),
    ("phq9", put("code", value="phq8"), "code", "the file's name"),
    ("phq9", put("certainty", value="D"), "certainty", "one of A, B, C"),
    ("phq9", put("name", "zh", value=" "), "name.zh", "not be empty"),
    ("phq9", put("informants", value=["aunt"]), "informants", "aunt"),
    ("phq9", put("informants", value=[]), "informants", "not be empty"),
    ("phq9", put("constructs", value="depression"), "constructs", "a list"),
    ("phq9", put("age", value={"min": 18, "max": 12}), "age", "in order"),
    ("phq9", put("n_items", value=10), "n_items", "not numbered"),
    ("phq9", put("n_unscored", value=0), "n_unscored", "scored: false"),
    ("phq9", put("items", 1, "n", value=1), "items", "item 1 is there twice"),
    ("phq9", put("default_layout", value="other"), "default_layout", "not one of the layouts"),
    ("phq9", put("layouts", value=[{"id": "standard", "zh": "一", "en": "1"}] * 2), "layouts", "twice"),
    ("phq9", put("responses", 1, "value", value=0), "responses", "different values"),
    ("phq9", put("responses", 1, "value", value=-128), "responses", "a byte"),
    ("phq9", put("reverse", value=[10]), "reverse", "item 10"),
    ("phq9", put("scores", 0, "kind", value="median"), r"scores\[1\].kind", "one of sum"),
    ("phq9", put("scores", 0, "items", value=[1, 2, 99]), r"scores\[1\].items", "99 is not defined"),
    ("phq9", put("scores", 0, "items", value=[1, 1]), r"scores\[1\].items", "twice"),
    ("phq9", put("scores", 0, "range", value=[0, 30]), r"scores\[1\].range", "give 0 to 27"),
    ("phq9", put("scores", 1, "id", value="total"), r"scores\[2\].id", "twice"),
    ("phq9", put("scores", 1, "at_least", value=4), r"scores\[2\].at_least", "does not divide"),
    (
        "phq9",
        put("scores", 2, "at_least_by_item", value={10: 1}),
        r"scores\[3\].at_least_by_item",
        "10 is not",
    ),
    (
        "phq9",
        put("scores", 3, "rule", 0, "all", 0, "score", value="sum"),
        r"scores\[4\].rule\[1\].all\[1\].score",
        "sum is not",
    ),
    ("phq9", put("scores", 3, "rule", value=[]), r"scores\[4\].rule", "not be empty"),
    (
        "phq9",
        put("scores", 3, "rule", 0, "all", 0, value={"min": 1}),
        r"scores\[4\].rule\[1\].all\[1\]",
        "needs score",
    ),
    (
        "phq9",
        put(
            "scores",
            0,
            value={"id": "total", "zh": "一", "en": "1", "kind": "sum", "items": [1], "range": [0, 3]},
        ),
        "bands",
        "not inside|not reach",
    ),
    (
        "gad7",
        put(
            "scores",
            0,
            value={"id": "total", "zh": "一", "en": "1", "kind": "sum", "items": [1], "range": [0, 3]},
        ),
        "scores",
        "item 2 counts towards no score",
    ),
    ("phq9", put("main_score", value="sum"), "main_score", "not one of the scores"),
    ("phq9", put("missing", "rule", value="guess"), "missing.rule", "one of incomplete"),
    ("phq9", put("missing", "max_missing", value=9), "missing.max_missing", "between 0"),
    ("phq9", put("missing", "per", value="scale"), "missing.per", "prorated one by one"),
    ("phq9", put("missing", "refusal", value=-1), "missing.refusal", "to no other"),
    ("phq9", put("missing", "how", value="heard"), "missing.how", "one of read"),
    ("mht", put("missing", "max_missing", value=1), "missing.max_missing", "must be 0"),
    ("asq", drop("missing", "refusal"), "missing.refusal", "refusal_is_positive"),
    ("asq", put("missing", "refusal", value=-2), "missing.refusal", "not one of the responses"),
    (
        "asq",
        put("scores", 0, "rule", 0, "all", 0, "in", value=[3]),
        r"scores\[1\].rule\[1\].all\[1\].in",
        "does not have",
    ),
    (
        "asq",
        put("conditional", 0, "asked_if", value={"in": [1]}),
        r"conditional\[1\].asked_if",
        "unknown key|needs every",
    ),
    ("asq", put("conditional", 0, "items", value=[6]), r"conditional\[1\].items", "6 is not defined"),
    (
        "mht",
        put("validity", 0, "certainty", value="C"),
        "validity.certainty",
        "must not make a sheet invalid",
    ),
    ("mht", put("validity", 0, "min", value=11), "validity", "inside its range"),
    ("mht", put("scores", 9, "of", 0, value="lies"), r"scores\[10\].of", "lies is not defined"),
    ("mht", put("scores", 0, "items", 0, value=100), r"scores", "item 1 counts towards no score"),
    ("sdq_s", put("scores", 0, "min_answered", value=4), "scores.emotion.min_answered", "does not agree"),
    ("sdq_s", put("scores", 0, "min_answered", value=0), "scores.emotion.min_answered", "between 1"),
    (
        "sdq_s",
        put("scores", 8, "recode", value={0: 0, 1: 0, 2: 1}),
        r"scores\[9\].recode",
        "each value of item distres",
    ),
    ("phq9", put("bands", 0, "score", value="sum"), r"bands\[1\].score", "not defined"),
    ("phq9", put("bands", 0, "cuts", 1, "min", value=4), r"bands\[1\].cuts", "overlap or leave a gap"),
    ("phq9", put("bands", 0, "cuts", 1, "min", value=6), r"bands\[1\].cuts", "overlap or leave a gap"),
    ("phq9", put("bands", 0, "cuts", 4, "max", value=28), r"bands\[1\].cuts", "possible range 0 to 27"),
    ("phq9", put("bands", 0, "cuts", 4, "max", value=26), r"bands\[1\].cuts", "end of concern"),
    ("phq9", put("bands", 0, "cuts", 1, "level", value=0), r"bands\[1\].cuts", "do not rise"),
    ("phq9", put("bands", 0, "cuts", 1, "id", value="minimal"), r"bands\[1\].cuts", "twice"),
    ("phq9", put("bands", 0, "cuts", value=[]), r"bands\[1\]", "no cuts"),
    ("gad7", put("bands", 2, "set", value="screen_positive"), "bands", "there twice"),
    ("sdq_s", put("bands", 5, "cuts", 0, "level", value=5), r"bands\[6\].cuts", "do not rise"),
    ("sdq_s", put("bands", 5, "cuts", 3, "min", value=1), r"bands\[6\].cuts", "end of concern"),
    ("asq", drop("bands", 0, "cuts", 1), r"bands\[1\].cuts", "each value of the rule once"),
    (
        "asq",
        put("bands", 0, "cuts", 1, "value", value="maybe"),
        r"bands\[1\].cuts\[2\].value",
        "one of negative",
    ),
    ("phq9", put("default_bands", "total", value="adult"), "default_bands.total", "no band set adult"),
    ("phq9", put("default_bands", "other", value="adult"), "default_bands.other", "no band set adult"),
    ("phq9", put("default_bands", "sum", value="standard"), "default_bands.sum", "unknown key"),
    ("phq9", put("screens_at", "value", value=11), "screens_at.value", "begins at 11"),
    ("phq9", put("screens_at", "set", value="adult"), "screens_at.set", "no band set adult"),
    ("phq9", put("bands", 1, "certainty", value="C"), "screens_at", "certainty C"),
    ("phq9", put("bands", 0, "certainty", value="C"), "floor: high", "certainty C"),
    (
        "mht",
        put("screens_at", value={"score": "phobia", "set": "standard", "value": 8}),
        "screens_at",
        "chooses areas",
    ),
    ("sdq_s", put("bands", 1, "cuts", 3, "floor", value="high"), "bands", "more than one band"),
    ("gad7", put("bands", 1, "cuts", 0, "floor", value="high"), "bands", "more than one band"),
    ("phq9", put("critical", 0, "items", value={11: [1]}), r"critical\[1\]", "no item 11"),
    ("phq9", put("critical", 0, "items", value={9: [4]}), r"critical\[1\]", "no such answer"),
    (
        "phq9",
        put("critical", 0, "items", value={9: ["often"]}),
        r"critical\[1\].items",
        "neither a whole number",
    ),
    ("phq9", put("critical", 0, "items", value={}), r"critical\[1\]", "names no item"),
    ("phq9", put("critical", 0, "grade", value="D"), r"critical\[1\].grade", "one of A, B, C, R"),
    ("phq9", put("loinc", "total", value="44261-7"), "loinc.total", "check digit"),
    ("phq9", put("loinc", "items", 1, value="LA1"), "loinc.items", "check digit"),
    ("phq9", put("loinc", "items", value={11: "44250-9"}), "loinc.items", "no item 11"),
    ("phq9", put("loinc", "answers", 4, value="LA6568-5"), "loinc.answers", "has no answer 4"),
    ("phq9", put("loinc", "answers", 3, value="6568-5"), "loinc.answers", "not a LOINC answer code"),
    ("phq9", put("licence", "status", value="gratis"), "licence.status", "one of free"),
    ("mht", put("licence", "on_screen", value=True), "licence.on_screen", "free or permitted"),
    ("phq9", put("recall", "days", value=0), "recall.days", "at least 1"),
    ("phq9", put("retest", "min_gap_days", value=-1), "retest.min_gap_days", "negative"),
    (
        "phq9",
        put("validation", 0, "sensitivity", value=89.5),
        r"validation\[1\].sensitivity",
        "between 0 and 1",
    ),
    ("phq9", put("provenance", 0, "source", value=["hearsay"]), r"provenance\[1\].source", "hearsay"),
    ("phq9", drop("provenance", 0, "source"), r"provenance\[1\].source", "what was read"),
    ("phq9", put("doubts", value=[1]), "doubts", "a list of texts"),
    ("phq9", put("name", value="PHQ-9"), "name", "a mapping"),
]


@pytest.mark.parametrize(
    ("code", "change", "field", "problem"), REFUSED, ids=lambda value: value if isinstance(value, str) else ""
)
def test_a_file_with_a_wrong_field_is_refused_by_file_and_field(
    code: str, change: Callable[[File], None], field: str, problem: str
) -> None:
    content = library(code)
    change(content)
    with pytest.raises(LibraryError, match=problem) as refused:
        read(content, f"{code}.yaml")
    assert refused.value.file == f"{code}.yaml"
    assert str(refused.value).startswith(f"{code}.yaml: ")
    assert re.match(field, refused.value.field), refused.value.field


@pytest.mark.parametrize("code", catalogue().codes)
def test_every_key_of_every_file_is_read(code: str) -> None:
    """A key that nobody reads would be a fact that nobody checks: one too many anywhere is refused."""
    content = library(code)
    parse_instrument(Node("x.yaml", "", content), "as it is")
    for path in mappings(content):
        put(*path, "unheard_of", value={"a": 1})(content)
        with pytest.raises(LibraryError):
            parse_instrument(Node("x.yaml", "", content), "one key more")
        drop(*path, "unheard_of")(content)


def mappings(value: Any, path: tuple[str | int, ...] = ()) -> list[tuple[str | int, ...]]:
    """The places of all mappings in a file; of a list of equals the first and last are enough."""
    found = [path] if isinstance(value, dict) else []
    pairs = (
        value.items()
        if isinstance(value, dict)
        else {0: value[0], len(value) - 1: value[-1]}.items()
        if isinstance(value, list) and value
        else ()
    )
    for key, inner in pairs:
        found += mappings(inner, (*path, key))
    return found


def test_a_key_given_twice_is_refused_although_yaml_would_keep_the_last() -> None:
    text = (files("instruments") / "library" / "gad7.yaml").read_text("utf-8")
    for again in ("tier: 2\n", "retest: {min_gap_days: 1, min_gap_days: 2, basis: x}\n"):
        with pytest.raises(LibraryError, match="given twice"):
            read_instrument("gad7.yaml", (text + again).encode())


@pytest.mark.parametrize("data", [b"\xff\xfe", b"a: [", b"- 1", b"", b"a: !!python/object:os.system x"])
def test_what_is_no_mapping_in_utf_8_is_refused(data: bytes) -> None:
    with pytest.raises(LibraryError):
        read_instrument("x.yaml", data)


TIER_1 = [
    "asq",
    "gad2",
    "gad7",
    "isi",
    "k6",
    "mht",
    "mssmhs",
    "phq2",
    "phq9",
    "phq_a",
    "psc17",
    "scared",
    "sdq_p",
    "sdq_s",
    "sdq_t",
    "who5",
]
TIER_2 = [
    "ais",
    "cesd",
    "cesdc",
    "cssrs_screen",
    "dass21",
    "dsrsc",
    "mspss",
    "phq15",
    "psc35",
    "rses",
    "sas_zung",
    "scl90",
    "sds_zung",
    "smfq",
    "snap_iv_26",
    "uls6",
]


def test_the_shipped_library_holds_what_was_read_and_nothing_that_waits_for_a_source() -> None:
    """Tier 3 (licence or keys open) stays out until somebody has read a source."""
    assert {i.code for i in catalogue() if i.tier == 1} == set(TIER_1)
    assert {i.code for i in catalogue() if i.tier == 2} == set(TIER_2)
    assert catalogue().codes == tuple(sorted((*TIER_1, *TIER_2)))
    assert catalogue() is catalogue()
    assert "phq9" in catalogue()
    assert len(list(catalogue())) == len(catalogue()) == 32
    with pytest.raises(UnknownInstrument, match="dass99"):
        catalogue().get("dass99")


def test_what_screens_and_what_is_a_floor_is_one_named_cut_off_of_the_total() -> None:
    found = {i.code: i.screens_at.value for i in catalogue() if i.screens_at}
    assert found == {
        "phq9": 10,
        "phq_a": 10,
        "gad7": 10,
        "mht": 65,
        "scared": 25,
        "sdq_s": 18,
        "sdq_p": 17,
        "sdq_t": 16,
        "phq2": 3,
        "gad2": 3,
        "mssmhs": 2,
        "psc17": 15,
        "psc35": 28,
        "isi": 9,
        "who5": 50,
        "k6": 13,
        "scl90": 161,
        "cesd": 24,
        "cesdc": 16,
        "dsrsc": 15,
        "smfq": 12,
        "sas_zung": 50,
        "sds_zung": 53,
        "ais": 7,
    }
    floors = {i.code: i.severe_floor.value for i in catalogue() if i.severe_floor}
    assert floors == {
        "phq9": 20,
        "phq_a": 20,
        "gad7": 15,
        "mht": 65,
        "sdq_s": 20,
        "sdq_p": 20,
        "sdq_t": 19,
    }
    assert {i.code for i in catalogue() if i.asks_about_safety} == {
        "asq",
        "cssrs_screen",
        "dsrsc",
        "mht",
        "mssmhs",
        "phq9",
        "phq_a",
        "scl90",
        "sds_zung",
    }


def test_what_was_made_for_sixteen_and_over_is_for_senior_grades_only() -> None:
    senior = {i.code for i in catalogue() if i.grade_min >= 10}
    assert senior == {i.code for i in catalogue() if (i.age_min or 0) >= 16}
    assert senior == {"phq15", "sas_zung", "scl90", "sds_zung"}


def test_items_about_death_harm_and_sexuality_are_marked() -> None:
    found = {
        i.code: [item.key for item in i.items if item.sensitive]
        for i in catalogue()
        if any(item.sensitive for item in i.items)
    }
    assert found == {
        "asq": ["1", "2", "3", "4", "5"],
        "cssrs_screen": ["1", "2", "3", "4", "5", "6", "6r"],
        "dass21": ["21"],
        "dsrsc": ["5", "10"],
        "mht": ["85", "97"],
        "mssmhs": ["52", "57"],
        "phq15": ["4", "11"],
        "phq9": ["9"],
        "phq_a": ["9", "x3", "x4"],
        "scl90": ["5", "15", "59", "63", "84"],
        "sds_zung": ["6", "19"],
    }


def test_bands_known_from_memory_are_kept_by_name_and_not_shown_by_default() -> None:
    sdq_t = catalogue().get("sdq_t")
    memory = sdq_t.band_set("impact", "4band")
    assert memory is not None
    assert memory.certainty == "C"
    answers: dict[str, object] = {"ebddiff": 2, "distres": 3, "impfrie": 3, "impclas": 3}
    impact = score(sdq_t, AnswerSheet.parse(sdq_t, answers)).values["impact"]
    assert (impact.value, impact.band) == (6, None)
    found = memory.find(6)
    assert found is not None
    assert found.id == "very_high"


def test_the_version_changes_with_every_byte_of_the_file() -> None:
    data = (files("instruments") / "library" / "gad7.yaml").read_bytes()
    assert read_instrument("gad7.yaml", data).version == catalogue().get("gad7").version
    assert read_instrument("gad7.yaml", data + b"\n").version != catalogue().get("gad7").version


# --- kinds of sheet that are not among the first eight, on made-up files ---------------------------------------


def test_a_sheet_keyed_1_to_4_reverses_round_its_own_ends() -> None:
    content = library("gad7")
    for option in content["responses"]:
        option["value"] += 1
    content["reverse"] = [2, 5]
    content["scores"][0]["range"] = [7, 28]
    content["bands"] = [
        {
            "score": "total",
            "set": "standard",
            "certainty": "A",
            "cuts": [{"min": 20, "max": 28, "id": "high", "zh": "高", "en": "high", "level": 1}],
        }
    ]
    del content["screens_at"]
    content["loinc"] = {"panel": None, "total": None}
    instrument = read(content)
    raw: dict[str, object] = {"1": 4, "2": 1, "3": 4, "4": 4, "5": 2, "6": 1, "7": None}
    total = score(instrument, AnswerSheet.parse(instrument, raw)).values["total"]
    # 4 + 4 + 4 + 4 + 3 + 1 = 20 on six items; 7 × 20 / 6 = 23.3
    assert (total.value, total.status) == (23, "prorated")
    assert total.band is not None


def test_a_recoding_may_fall_and_need_not_begin_at_zero() -> None:
    content = library("sdq_t")
    content["scores"][8].update(recode={0: 3, 1: 3, 2: 1, 3: 2}, range=[3, 9])
    del content["scores"][8]["zero_if"]
    content["bands"] = [each for each in content["bands"] if each["score"] != "impact"]
    instrument = read(content)
    raw: dict[str, object] = {"ebddiff": 1, "distres": 0, "impfrie": 2, "impclas": 3}
    assert score(instrument, AnswerSheet.parse(instrument, raw)).values["impact"].value == 6


def test_the_ten_per_cent_rule_holds_only_where_a_sheet_has_no_rule_of_its_own() -> None:
    content = library("mht")
    del content["missing"]
    instrument = read(content)
    complete: dict[str, object] = {item.key: 0 for item in instrument.items}
    few = {**complete, "82": None, "84": None}
    many = {**few, **dict.fromkeys(("86", "88", "90", "92", "94", "96", "98", "100"), None)}
    assert score(instrument, AnswerSheet.parse(instrument, few)).validity == "valid"
    assert score(instrument, AnswerSheet.parse(instrument, many)).validity == "valid"
    too_many = score(instrument, AnswerSheet.parse(instrument, {**many, "1": None}))
    assert (too_many.validity, too_many.flags) == ("invalid", ("missing_answers",))
    own_rule = catalogue().get("mht")
    assert score(own_rule, AnswerSheet.parse(own_rule, few)).validity == "invalid"


def test_a_protective_total_is_over_its_cut_off_when_it_is_low() -> None:
    content = library("gad7")
    content["scores"][0]["higher_is_better"] = True
    content["bands"] = [
        {
            "score": "total",
            "set": "wellbeing",
            "certainty": "B",
            "cuts": [
                {
                    "min": 0,
                    "max": 3,
                    "id": "very_low",
                    "zh": "很低",
                    "en": "very low",
                    "level": 2,
                    "floor": "high",
                },
                {"min": 4, "max": 8, "id": "low", "zh": "低", "en": "low", "level": 1},
                {"min": 9, "max": 21, "id": "fair", "zh": "尚可", "en": "fair", "level": 0},
            ],
        }
    ]
    content["default_bands"] = {"other": "wellbeing"}
    content["screens_at"] = {"score": "total", "set": "wellbeing", "value": 8}
    instrument = read(content)

    def at(points: int) -> tuple[bool, bool, str]:
        raw: dict[str, object] = {str(n): min(3, max(0, points - 3 * (n - 1))) for n in range(1, 8)}
        scores = score(instrument, AnswerSheet.parse(instrument, raw), SheetConditions())
        assert scores.main.band is not None
        return scores.over_cutoff, scores.severe, scores.main.band.id

    assert at(9) == (False, False, "fair")
    assert at(8) == (True, False, "low")
    assert at(3) == (True, True, "very_low")
    # An unscorable sheet is on neither side.
    blank = score(instrument, AnswerSheet.parse(instrument, {}))
    assert (blank.over_cutoff, blank.severe) == (False, False)
