"""The model that serves one county: the base model and, once there are local labels, what was learnt on top of it.

An artefact is a JSON document of numbers; its SHA-256 stands in the manifest that is kept beside it. A document whose
hash does not fit, or that was made for another base model, is refused, and whoever asked goes on with the rules alone
or with the day-one model: `estimate` is never called on numbers nobody vouches for.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, replace
from hashlib import sha256
from math import log
from typing import Any

import numpy as np

from risk_model.calibration import LEAST_LABELS, CalibrationMap, children, map_from
from risk_model.evaluation import expit, logit
from risk_model.liability import BASE_RATE_DOUBT, LiabilityModel, Prediction, check_base_rate, predict
from risk_model.registry import ArtefactError, ArtefactTampered

SCHEMA = 1
KIND = "calibrated"
SPREAD = 1.64
"""Standard errors on either side of a probability that are shown as its range: 90 %."""


@dataclass(frozen=True, slots=True)
class ServedModel:
    """`calibration` is None while nothing local is known; `base_rate` then is the caller's, else the one the
    calibration was fitted at. `labels`: effective local labels behind it. `doubt`: log odds and their standard error."""

    base: LiabilityModel
    version: str
    calibration: CalibrationMap | None = None
    base_rate: float | None = None
    labels: float = 0.0
    doubt: tuple[tuple[float, float], ...] = ()

    def rate(self, base_rate: float) -> float:
        """The base rate a prediction is made at."""
        return base_rate if self.base_rate is None else self.base_rate


def served(base: LiabilityModel) -> ServedModel:
    """The base model as it is."""
    return ServedModel(base, base.version)


def estimate(
    model: ServedModel, totals: Mapping[str, float], *, base_rate: float, county: str = ""
) -> Prediction | None:
    """As :func:`risk_model.predict`, calibrated where the county has a calibration.

    The reasons are those of the base model and add up to its score: a calibration moves all children with one score
    alike. The range is the doubt about the base rate until there are 150 effective local labels, then the doubt about
    what was learnt.
    """
    plain = predict(model.base, totals, base_rate=model.rate(base_rate))
    if plain is None or model.calibration is None:
        return plain
    row = np.full((1, len(model.base.rows)), np.nan)
    for code, total in totals.items():
        place = model.base.row_of.get(code)
        if place is not None:
            row[0, place] = total
    there = children([plain.probability], row, [county])
    probability = float(model.calibration.apply(there)[0])
    low, high = _range(model, probability)
    return replace(plain, probability=probability, low=low, high=high, model_version=model.version)


def _range(model: ServedModel, probability: float) -> tuple[float, float]:
    score = float(logit(probability))
    if model.labels < LEAST_LABELS or not model.doubt:
        doubt = log(BASE_RATE_DOUBT)
    else:
        places, errors = zip(*model.doubt, strict=True)
        doubt = SPREAD * float(np.interp(score, places, errors))
    low, high = expit(np.array([score - doubt, score + doubt]))
    return float(low), float(high)


# --- artefacts ---------------------------------------------------------------------------------------------


def pack(model: ServedModel) -> bytes:
    """The numbers of a calibrated model. The same model gives the same bytes."""
    if model.calibration is None or model.base_rate is None:
        raise ArtefactError("only a calibrated model has an artefact of its own")
    document = {
        "schema": SCHEMA,
        "kind": KIND,
        "base": model.base.version,
        "base_rate": model.base_rate,
        "labels": model.labels,
        "calibration": model.calibration.document(),
        "doubt": [list(pair) for pair in model.doubt],
    }
    return (json.dumps(document, ensure_ascii=False, allow_nan=False, sort_keys=True) + "\n").encode()


def unpack(content: bytes, digest: str, base: LiabilityModel, *, version: str) -> ServedModel:
    """The model of an artefact.

    Raises ArtefactTampered if the bytes are not those the manifest names, ArtefactError if they hold no model or one
    that stands on another base.
    """
    if sha256(content).hexdigest() != digest:
        raise ArtefactTampered(f"model {version}: the SHA-256 of its numbers is not the one in the manifest")
    try:
        document = json.loads(content)
        return _model(document, base, version)
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise ArtefactError(f"model {version}: {error}") from error


def _model(document: dict[str, Any], base: LiabilityModel, version: str) -> ServedModel:
    if document["schema"] != SCHEMA or document["kind"] != KIND:
        raise ValueError("unknown schema or kind of model")
    if document["base"] != base.version:
        raise ValueError("it was fitted on another base model")
    rate = float(document["base_rate"])
    check_base_rate(rate)
    doubt = tuple((float(place), float(error)) for place, error in document["doubt"])
    if not np.isfinite(np.array(doubt)).all() or any(error < 0.0 for _, error in doubt):
        raise ValueError("a standard error is not a number of 0 or more")
    return ServedModel(
        base, version, map_from(document["calibration"]), rate, float(document["labels"]), doubt
    )
