"""A learnt model at work: predictors of a table become probabilities, by numbers alone.

A row of which more than half of the predictors are missing is `insufficient`: it has no probability, which is
not a low one. NumPy only; nothing of the library that learnt it is imported.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from math import isfinite
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from risk_model import additive, trees
from risk_model.artefact import Stored
from risk_model.dataset import Field, Table, columns_of, encode
from risk_model.evaluation import Floats, expit, logit
from risk_model.registry import SCHEMA, ArtefactError, number

KIND = "fitted_table"
MOST_MISSING = 0.5
OK, INSUFFICIENT = "ok", "insufficient"
PSI_BINS = 10


class Part(Protocol):
    """Something that gives log odds for the rows of a matrix."""

    @property
    def columns(self) -> int: ...

    def score(self, values: Floats) -> Floats: ...

    def document(self) -> dict[str, Any]: ...


@dataclass(frozen=True, slots=True)
class Reference:
    """What the rows one has learnt from looked like; later rows are held against it.

    `shares` of the rows lie between the `edges` of the probability. `missing` is a share for each predictor.
    """

    base_rate: float
    base_rate_se: float
    edges: tuple[float, ...]
    shares: tuple[float, ...]
    missing: Mapping[str, float]


@dataclass(frozen=True, slots=True)
class Predicted:
    """One entry for each row; `p` is NaN where there is too little to tell."""

    p: Floats
    missing: Floats

    @property
    def told(self) -> NDArray[np.bool_]:
        return ~np.isnan(self.p)

    @property
    def status(self) -> list[str]:
        return [OK if told else INSUFFICIENT for told in self.told]


@dataclass(frozen=True, slots=True)
class FittedModel:
    """Parts added up by their shares, then a straight line in log odds. `about` says where all that is from."""

    fields: tuple[Field, ...]
    parts: tuple[tuple[float, Part], ...]
    intercept: float
    slope: float
    reference: Reference
    about: Mapping[str, Any]
    version: str = ""

    def __post_init__(self) -> None:
        width = len(columns_of(self.fields))
        if not self.fields or not self.parts or any(part.columns > width for _, part in self.parts):
            raise ValueError("the model has no parts, or they ask for more columns than there are predictors")
        if not (isfinite(self.intercept) and isfinite(self.slope) and self.slope > 0.0):
            raise ValueError("the line of the model must be finite and rise")

    @property
    def predictors(self) -> tuple[str, ...]:
        return tuple(field.name for field in self.fields)

    def score(self, values: Floats) -> Floats:
        """Log odds before the line."""
        total = np.zeros(len(values))
        for share, part in self.parts:
            total += share * part.score(values)
        return total

    def predict(self, table: Table) -> Predicted:
        """A probability for each row. Raises DataRefused naming a predictor that is absent or unreadable."""
        matrix = encode(table, self.fields)
        p = expit(self.intercept + self.slope * self.score(matrix.values))
        p[matrix.missing > MOST_MISSING] = np.nan
        return Predicted(p, matrix.missing)

    def with_line(
        self,
        intercept: float,
        slope: float,
        about: Mapping[str, Any],
        *,
        base_rate: float,
        base_rate_se: float,
    ) -> "FittedModel":
        """The same model after a line through its present log odds, learnt where the outcome was so frequent.

        The spread of the probabilities it is held against moves along the line too.
        """
        edges = expit(intercept + slope * logit(np.asarray(self.reference.edges)))
        return replace(
            self,
            intercept=intercept + slope * self.intercept,
            slope=slope * self.slope,
            about=about,
            reference=replace(
                self.reference, base_rate=base_rate, base_rate_se=base_rate_se, edges=tuple(edges.tolist())
            ),
        )

    def document(self) -> dict[str, Any]:
        """As JSON numbers and names."""
        return {
            "schema": SCHEMA,
            "kind": KIND,
            "about": dict(self.about),
            "fields": [
                {"name": field.name, "categories": list(field.categories) if field.categories else None}
                for field in self.fields
            ],
            "line": {"intercept": self.intercept, "slope": self.slope},
            "reference": {
                "base_rate": self.reference.base_rate,
                "base_rate_se": self.reference.base_rate_se,
                "edges": list(self.reference.edges),
                "shares": list(self.reference.shares),
                "missing": dict(self.reference.missing),
            },
            "parts": [{"kind": _kind(part), "share": share, **part.document()} for share, part in self.parts],
        }


def from_stored(stored: Stored) -> FittedModel:
    """The model of a directory. Raises ArtefactError if its numbers cannot be one."""
    try:
        return replace(_model(stored.document), version=stored.version)
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise ArtefactError(f"the numbers cannot be a model: {error}") from error


def _kind(part: Part) -> str:
    return "trees" if isinstance(part, trees.Trees) else "additive"


def _model(document: dict[str, Any]) -> FittedModel:
    if document["schema"] != SCHEMA or document["kind"] != KIND:
        raise ValueError("unknown schema or kind of model")
    fields = tuple(
        Field(str(each["name"]), tuple(each["categories"]) if each["categories"] else None)
        for each in document["fields"]
    )
    held = document["reference"]
    return FittedModel(
        fields=fields,
        parts=tuple((number(each["share"]), _part(each)) for each in document["parts"]),
        intercept=number(document["line"]["intercept"]),
        slope=number(document["line"]["slope"]),
        reference=Reference(
            base_rate=number(held["base_rate"]),
            base_rate_se=number(held["base_rate_se"]),
            edges=tuple(number(each) for each in held["edges"]),
            shares=tuple(number(each) for each in held["shares"]),
            missing={str(name): number(share) for name, share in held["missing"].items()},
        ),
        about=document["about"],
    )


def _part(document: dict[str, Any]) -> Part:
    match document["kind"]:
        case "trees":
            return trees.from_document(document)
        case "additive":
            return additive.from_document(document)
        case other:
            raise ValueError(f"unknown part {other}")


def shares_of(p: Floats, weight: Floats, edges: tuple[float, ...]) -> tuple[float, ...]:
    """The weighted share of probabilities between each two edges."""
    held = np.bincount(np.searchsorted(np.asarray(edges), p), weight, minlength=len(edges) + 1)
    return tuple((held / held.sum()).tolist())


def edges_of(p: Floats, weight: Floats) -> tuple[float, ...]:
    """The probabilities that cut the rows into ten parts of equal weight."""
    order = np.argsort(p, kind="stable")
    reached = np.cumsum(weight[order]) / weight.sum()
    places = np.searchsorted(reached, np.arange(1, PSI_BINS) / PSI_BINS)
    return tuple(np.unique(p[order][np.minimum(places, len(p) - 1)]).tolist())
