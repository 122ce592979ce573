"""A sum of decision trees as arrays of numbers, and its value for many rows at once. NumPy only.

Learnt elsewhere (`training`), kept as data, added up here: nothing of the library that grew the trees is needed
to use them. A missing value goes to the side that the node names.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from risk_model.evaluation import Floats, Indices

LEAF = -1


@dataclass(frozen=True, slots=True)
class Trees:
    """All nodes of all trees in one row each; `roots` says where each tree begins.

    `feature` is LEAF at a leaf. Left if value <= `threshold`; `left` and `right` are places in the same arrays.
    """

    start: float
    roots: Indices
    feature: Indices
    threshold: Floats
    left: Indices
    right: Indices
    missing_left: NDArray[np.bool_]
    value: Floats

    def __post_init__(self) -> None:
        size = len(self.feature)
        arrays = (self.threshold, self.left, self.right, self.missing_left, self.value)
        if not len(self.roots) or any(len(array) != size for array in arrays):
            raise ValueError("the arrays of the trees differ in length")
        if not (np.isfinite(self.threshold).all() and np.isfinite(self.value).all()):
            raise ValueError("a number of the trees is not finite")
        places = np.arange(size)
        inner = self.feature != LEAF
        # Children lie behind their parent, so that every walk ends.
        for child in (self.left, self.right):
            if not ((child[inner] > places[inner]) & (child[inner] < size)).all():
                raise ValueError("a node of the trees has no such child")
        if not ((self.roots >= 0) & (self.roots < size)).all() or (self.feature < LEAF).any():
            raise ValueError("a tree begins nowhere")

    @property
    def columns(self) -> int:
        """So many columns must a matrix have at least."""
        return int(self.feature.max()) + 1

    def score(self, values: Floats) -> Floats:
        """The sum over the trees for each row of a matrix with NaN for missing."""
        if values.shape[1] < self.columns:
            raise ValueError("the matrix has fewer columns than the trees ask for")
        total = np.full(len(values), self.start)
        by_column = np.ascontiguousarray(values.T)
        everyone = np.arange(len(values))
        for root in self.roots.tolist():
            at = np.full(len(values), root)
            rows = everyone
            while len(rows):
                at_rows = at[rows]
                feature = self.feature[at_rows]
                inner = feature != LEAF
                rows, at_rows, feature = rows[inner], at_rows[inner], feature[inner]
                cell = by_column[feature, rows]
                goes_left = np.where(
                    np.isnan(cell), self.missing_left[at_rows], cell <= self.threshold[at_rows]
                )
                at[rows] = np.where(goes_left, self.left[at_rows], self.right[at_rows])
            total += self.value[at]
        return total

    def document(self) -> dict[str, Any]:
        """As JSON numbers."""
        return {
            "start": self.start,
            "roots": self.roots.tolist(),
            "feature": self.feature.tolist(),
            "threshold": self.threshold.tolist(),
            "left": self.left.tolist(),
            "right": self.right.tolist(),
            "missing_left": self.missing_left.astype(int).tolist(),
            "value": self.value.tolist(),
        }


def from_document(document: dict[str, Any]) -> Trees:
    """Raises ValueError, KeyError or TypeError for what cannot be trees."""

    def whole(name: str) -> Indices:
        array = np.asarray(document[name])
        if array.ndim != 1 or (len(array) and array.dtype.kind != "i"):
            raise TypeError(f"{name} must be a list of whole numbers")
        return array.astype(np.int64)

    def decimal(name: str) -> Floats:
        array = np.asarray(document[name])
        if array.ndim != 1 or (len(array) and array.dtype.kind not in "if"):
            raise TypeError(f"{name} must be a list of numbers")
        return array.astype(np.float64)

    return Trees(
        start=float(document["start"]),
        roots=whole("roots"),
        feature=whole("feature"),
        threshold=decimal("threshold"),
        left=whole("left"),
        right=whole("right"),
        missing_left=whole("missing_left").astype(np.bool_),
        value=decimal("value"),
    )
