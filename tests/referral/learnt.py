"""Candidates for tests of what people decide about them: made by hand, as if the gate had spoken."""

from __future__ import annotations

from risk_model import day_one
from risk_model.calibration import TwoNumbers
from risk_model.gate import Verdict
from risk_model.learning import Candidate
from risk_model.served import ServedModel, pack
from screening.actions import models
from screening.models.model import ModelVersion
from tests.referral.county import County


def candidate(
    *, second: tuple[str, ...] = (), stopped: tuple[str, ...] = (), intercept: float = -0.3
) -> Candidate:
    model = ServedModel(day_one(), "", TwoNumbers(intercept, 0.9), 0.10, 240.0, ((-6.0, 0.3), (3.0, 0.2)))
    return Candidate(model, pack(model), Verdict(stopped, second, {"labels": 400.0, "slope": 1.0}), (), False)


def store(county: County, session, who: str = "officer", **how) -> ModelVersion:
    place = session.merge(county.places["county"], load=False)
    return models.store_candidate(
        session,
        actor=county.actors[who],
        county=place,
        candidate=candidate(**how),
        data={"labels": 400, "effective": 240.0, "kind": "two_numbers"},
        now=county.clock.now(),
    )
