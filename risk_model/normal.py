"""The normal distribution over arrays and without SciPy: this package starts light."""

from math import erfc, sqrt
from statistics import NormalDist

import numpy as np
from numpy.typing import ArrayLike, NDArray

Floats = NDArray[np.float64]

_STANDARD = NormalDist()
_erfc = np.frompyfunc(erfc, 1, 1)


def phi(x: ArrayLike) -> Floats:
    """The share of a standard normal below `x`, elementwise, exact in the far tail on both sides."""
    return 0.5 * np.asarray(_erfc(-np.asarray(x, dtype=np.float64) / sqrt(2.0)), dtype=np.float64)


def phi_inverse(p: float) -> float:
    """The point with the share `p` below it. Raises ValueError unless 0 < p < 1."""
    return _STANDARD.inv_cdf(p)
