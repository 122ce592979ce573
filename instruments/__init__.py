"""What is asked, and what the answers add up to. Pure: no database, no web, no clock.

>>> instrument = catalogue().get("phq9")
>>> sheet = AnswerSheet.parse(instrument, {"1": 1, "2": 2, "9": 0})
>>> score(instrument, sheet).validity.value
'invalid'
"""

from instruments.answers import MISSING, AnswerError, AnswerErrors, AnswerSheet
from instruments.catalogue import Catalogue, LibraryError, UnknownInstrument, catalogue, shipped, use_folder
from instruments.critical import CriticalAnswer, critical_items, read_critical
from instruments.definition import (
    GRADES,
    Band,
    BandSet,
    Certainty,
    CriticalRule,
    Cutoff,
    Grade,
    Instrument,
    Item,
    Option,
    ScoreDefinition,
    ScoreKind,
    Sex,
    Text,
    worst_grade,
)
from instruments.engine import BatchScores, score_batch
from instruments.layouts import UnknownLayout, in_layout
from instruments.scoring import Scores, ScoreValue, score, score_many
from instruments.validity import Flag, SheetConditions, Validity

__all__ = [
    "GRADES",
    "MISSING",
    "AnswerError",
    "AnswerErrors",
    "AnswerSheet",
    "Band",
    "BandSet",
    "BatchScores",
    "Catalogue",
    "Certainty",
    "CriticalAnswer",
    "CriticalRule",
    "Cutoff",
    "Flag",
    "Grade",
    "Instrument",
    "Item",
    "LibraryError",
    "Option",
    "ScoreDefinition",
    "ScoreKind",
    "ScoreValue",
    "Scores",
    "Sex",
    "SheetConditions",
    "Text",
    "UnknownInstrument",
    "UnknownLayout",
    "Validity",
    "catalogue",
    "critical_items",
    "in_layout",
    "read_critical",
    "score",
    "score_batch",
    "score_many",
    "shipped",
    "use_folder",
    "worst_grade",
]
