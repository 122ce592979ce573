"""A calibrated model as it serves: artefacts, ranges, and what is refused."""

from __future__ import annotations

import json
from dataclasses import replace
from hashlib import sha256

import numpy as np
import pytest

from risk_model import ArtefactError, ArtefactTampered, day_one, predict
from risk_model.calibration import TwoNumbers
from risk_model.evaluation import logit
from risk_model.learning import make_candidate
from risk_model.served import ServedModel, estimate, pack, served, unpack
from tests.risk_model.worlds import referred_and_checked, scored, verify

TOTALS = {"phq9": 12.0, "gad7": 9.0}


def calibrated(labels: float = 300.0) -> ServedModel:
    return ServedModel(
        day_one(), "local-1", TwoNumbers(-0.4, 0.8, {"n": 0.3}), 0.12, labels, ((-6.0, 0.3), (3.0, 0.1))
    )


def test_without_local_labels_the_day_one_model_speaks() -> None:
    assert estimate(served(day_one()), TOTALS, base_rate=0.1) == predict(day_one(), TOTALS, base_rate=0.1)
    assert estimate(calibrated(), {"mssmhs": 3}, base_rate=0.1) is None


def test_a_calibration_moves_the_probability_and_keeps_the_reasons() -> None:
    plain = predict(day_one(), TOTALS, base_rate=0.12)
    found = estimate(calibrated(), TOTALS, base_rate=0.05, county="s")
    assert plain is not None
    assert found is not None
    assert logit(found.probability) == pytest.approx(-0.4 + 0.8 * logit(plain.probability))
    assert found.reasons == plain.reasons
    assert found.base_rate == 0.12
    assert found.model_version == "local-1"
    north = estimate(calibrated(), TOTALS, base_rate=0.05, county="n")
    assert north is not None
    assert north.probability > found.probability


def test_the_range_is_the_base_rate_s_until_there_are_labels_and_then_what_was_learnt() -> None:
    few, many = (estimate(calibrated(labels), TOTALS, base_rate=0.1) for labels in (149.0, 150.0))
    assert few is not None
    assert many is not None
    assert few.probability == many.probability
    assert logit(few.high) - logit(few.low) == pytest.approx(2 * np.log(1.5))
    assert 0.3 < logit(many.high) - logit(many.low) < 2 * 1.64 * 0.3
    assert few.low < few.probability < few.high


def test_an_artefact_is_refused_when_a_byte_or_its_base_is_another() -> None:
    content = pack(calibrated())
    digest = sha256(content).hexdigest()
    assert unpack(content, digest, day_one(), version="local-1") == calibrated()
    with pytest.raises(ArtefactTampered, match="SHA-256"):
        unpack(content.replace(b"0.8", b"0.9"), digest, day_one(), version="local-1")
    with pytest.raises(ArtefactError, match="another base"):
        unpack(content, digest, replace(day_one(), version="other"), version="local-1")
    for change in (
        lambda d: d.update(kind="pickle"),
        lambda d: d.update(base_rate=0.9),
        lambda d: d["calibration"].update(slope=-1),
        lambda d: d.update(doubt=[[0.0, -1.0]]),
        lambda d: d.update(doubt=[[0.0, float("nan")]]),
        lambda d: d.pop("labels"),
    ):
        document = json.loads(content)
        change(document)
        forged = json.dumps(document).encode()
        with pytest.raises(ArtefactError):
            unpack(forged, sha256(forged).hexdigest(), day_one(), version="local-1")
    with pytest.raises(ArtefactError, match="of its own"):
        pack(served(day_one()))


def test_a_candidate_is_made_from_a_year_of_referrals_and_checks() -> None:
    """A county whose rate was set at 15 % and is 10 %: the candidate passes, and the same year gives the same bytes."""
    world = scored(9_000, seed=21, base_rate=0.15, schools=50)
    seen = verify(world.cohort, world.p, seed=3)
    judged = referred_and_checked(world, seen)
    everybody = world.judged(np.arange(len(world.p))).rows
    facility = np.full(len(judged), "")
    made = make_candidate(judged, everybody, served(day_one()), base_rate=0.15, facility=facility, seed=5)
    again = make_candidate(judged, everybody, served(day_one()), base_rate=0.15, facility=facility, seed=5)
    assert made.content == again.content
    assert made.verdict.eligible
    assert not made.nothing
    model = unpack(made.content, made.digest, day_one(), version="local-2")
    assert 150 < model.labels < len(judged)
    assert all(error > 0 for _, error in model.doubt)
