"""From scores to a probability and a level.

Pure code: values in, frozen values out; no database, no web, no clock. NumPy and the standard library
only, so that importing this package never loads scikit-learn.

* `liability`: the Gaussian liability model and its predictions;
* `baseline`: the published figures the day-one model is built from;
* `registry`: models kept as JSON numbers with a manifest of hashes;
* `levels`: safety rules first, thresholds second, hence a `Level`.

What the model learns from return notes has its place here too: a `TrainingSet` with its splits by school
in `dataset`, recalibration of the day-one score in `calibration`, its proof on other schools in
`evaluation`, and the watch over a model in service in `drift`. Nothing of it is needed to serve, and none of
these modules may be imported from here: a model arrives as an artefact of `registry`, never as code.

The road from any table to a learnt model (`dataset`, `training`, `fitted`, `appraisal`, `evidence`) is for trying
the method. What it makes is of another kind than `registry` loads, so that it cannot serve by mistake.
"""

from risk_model.levels import Level, LevelDecision, LevelRules, SheetFinding, assign_level, worst_level
from risk_model.liability import (
    BASE_RATE_LIMITS,
    DEFAULT_BASE_RATE,
    LiabilityModel,
    Prediction,
    Reason,
    check_base_rate,
    predict,
    predict_batch,
)
from risk_model.registry import ArtefactError, ArtefactTampered, day_one, load

__all__ = [
    "BASE_RATE_LIMITS",
    "DEFAULT_BASE_RATE",
    "ArtefactError",
    "ArtefactTampered",
    "Level",
    "LevelDecision",
    "LevelRules",
    "LiabilityModel",
    "Prediction",
    "Reason",
    "SheetFinding",
    "assign_level",
    "check_base_rate",
    "day_one",
    "load",
    "predict",
    "predict_batch",
    "worst_level",
]
