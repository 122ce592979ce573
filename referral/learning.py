"""From what the clinics found to a candidate model: rows, fit, verdict. Nothing goes into force here."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

import numpy as np
from numpy.typing import NDArray
from sqlalchemy.orm import Session

from referral.queries.labels import label_rows
from risk_model.calibration import LEAST_LABELS, Children, Judged, children
from risk_model.labels import Labelled, LabelRow, weigh
from risk_model.learning import make_candidate, shift_candidate
from risk_model.liability import LiabilityModel
from risk_model.served import ServedModel
from screening.actions import models
from screening.core.actor import Actor
from screening.core.clock import local_day
from screening.core.errors import InvalidInput, PolicyViolation
from screening.models.model import MOVED, ModelVersion
from screening.models.organisation import Organisation
from screening.queries.campaigns import base_rate_of
from screening.queries.models import in_force, model_of, rules_of

# Two school years: older findings are of other children and other facilities.
LOOKS_BACK = timedelta(days=730)
# The mean of fewer is one school's.
LEAST_SCORED = 200


@dataclass(frozen=True, slots=True)
class Training:
    """What there is to learn from: all scored children, the judged among them with what each stands for."""

    rows: tuple[LabelRow, ...]
    labelled: Labelled
    base_rate: float
    since: datetime

    @property
    def enough(self) -> bool:
        """Whether anything may be learnt at all."""
        return len(self.labelled.rows) >= LEAST_LABELS


def training_rows(
    session: Session, *, actor: Actor, county: Organisation, now: datetime, base: ServedModel
) -> Training:
    """Scores as they were with what became known; the probability of the base model at the county's base rate."""
    since, rate = now - LOOKS_BACK, base_rate_of(session, county)
    rows = label_rows(session, actor=actor, county=county, since=since, now=now, base=base, base_rate=rate)
    return Training(tuple(rows), weigh(rows), rate, since)


def learn(
    session: Session, *, actor: Actor, county: Organisation, now: datetime, seed: int = 0
) -> ModelVersion:
    """Fit a candidate on a county's findings and keep it with its verdict. Raises when there are too few."""
    champion, _ = model_of(in_force(session, county.id), local_day(now))
    if champion is None:
        raise PolicyViolation("The shipped model is not intact, so nothing can be learnt on top of it.")
    training = training_rows(session, actor=actor, county=county, now=now, base=champion)
    if not training.enough:
        raise PolicyViolation(
            "There are {count} findings; below {least} nothing is changed.",
            count=len(training.labelled.rows),
            least=LEAST_LABELS,
        )
    columns = _columns(champion.base, training.rows)
    candidate = make_candidate(
        _judged(champion.base, training.labelled),
        columns,
        champion,
        base_rate=training.base_rate,
        facility=_facilities(training.labelled.rows),
        rules=rules_of(session, county.id),
        seed=seed,
    )
    labelled = training.labelled
    return models.store_candidate(
        session,
        actor=actor,
        county=county,
        candidate=candidate,
        data={
            "from": local_day(training.since).isoformat(),
            "to": local_day(now).isoformat(),
            "seed": seed,
            "base": champion.base.version,
            "kind": candidate.model.calibration.kind if candidate.model.calibration else "unchanged",
            "scored": len(training.rows),
            "labels": len(labelled.rows),
            "referred": labelled.referred,
            "checked": labelled.checked,
            "missing": labelled.missing,
            "effective": round(labelled.effective, 1),
            "blinded": sum(row.blinded for row in labelled.rows),
        },
        now=now,
    )


def shift(
    session: Session, *, actor: Actor, county: Organisation, rate: float, source: str, now: datetime
) -> ModelVersion:
    """A candidate whose mean over all scored children is a rate known from a survey with interviews, never one guessed
    from scores. Two people decide about it as about any other."""
    if not source.strip():
        raise InvalidInput("Say which survey found this rate.")
    champion, _ = model_of(in_force(session, county.id), local_day(now))
    if champion is None:
        raise PolicyViolation("The shipped model is not intact, so nothing can be learnt on top of it.")
    training = training_rows(session, actor=actor, county=county, now=now, base=champion)
    if len(training.rows) < LEAST_SCORED:
        raise PolicyViolation(
            "Fewer than {least} children have been screened: their mean says nothing.", least=LEAST_SCORED
        )
    try:
        candidate = shift_candidate(
            _columns(champion.base, training.rows),
            champion,
            base_rate=training.base_rate,
            rate=rate,
            rules=rules_of(session, county.id),
        )
    except ValueError as error:
        raise InvalidInput("The base rate lies between 3 and 25 per cent.") from error
    data = {"kind": "rate", "rate": rate, "source": source.strip()[:120], "scored": len(training.rows)}
    return models.store_candidate(
        session, actor=actor, county=county, candidate=candidate, data=data, now=now, called=MOVED
    )


def _columns(base: LiabilityModel, rows: tuple[LabelRow, ...]) -> Children:
    totals = np.full((len(rows), len(base.rows)), np.nan)
    for place, row in enumerate(rows):
        for code, total in row.totals.items():
            if code in base.row_of:
                totals[place, base.row_of[code]] = total
    return children([row.probability or 0.0 for row in rows], totals)


def _judged(base: LiabilityModel, labelled: Labelled) -> Judged:
    return Judged(
        _columns(base, labelled.rows),
        labelled.y,
        labelled.weights,
        np.array([row.school for row in labelled.rows], dtype=np.str_),
    )


def _facilities(rows: tuple[LabelRow, ...]) -> NDArray[np.str_]:
    return np.array([row.facility or "" for row in rows], dtype=np.str_)
