"""The learners: a penalised logistic regression as curves, and boosted trees that never meet a real gap.

scikit-learn is imported where it is used; what comes out are the numbers of `additive` and `trees`.
"""

from collections.abc import Collection, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from risk_model.additive import Additive, Design
from risk_model.evaluation import Floats, logit
from risk_model.trees import LEAF, Trees

FAR = 1e300
"""In place of an endless threshold, where a split is between told and not told."""
_LEAVES = 6
_COLUMNS_TRIED = 0.3
_MOST_VALUES = 64
_RATE = 0.08
_MOST_GAPS = 0.4
_CELLS = 20


def curves(values: Floats, y: Floats, weight: Floats, penalty: float) -> Additive:
    from sklearn.linear_model import LogisticRegression

    design = Design.of(values, weight)
    terms = design.terms(values)
    learner = LogisticRegression(C=penalty, max_iter=1_000, tol=1e-6).fit(terms, y, sample_weight=weight)
    return design.model(float(learner.intercept_[0]), learner.coef_[0])


def grow(values: Floats, y: Floats, weight: Floats, seed: int, grove: int, trees: int) -> Any:
    """One grove: boosted trees on rows with filled gaps, and on the same rows with gaps by lot.

    On one core: with more, the library's threads wait for each other whenever the machine has other work, which
    makes minutes of seconds.
    """
    from sklearn.ensemble import HistGradientBoostingClassifier
    from threadpoolctl import threadpool_limits

    random = np.random.default_rng([seed, grove])
    both = np.vstack([fill_gaps(values, y, random), make_gaps(fill_gaps(values, y, random), random)])
    learner = HistGradientBoostingClassifier(
        learning_rate=_RATE,
        max_iter=trees,
        max_leaf_nodes=_LEAVES,
        min_samples_leaf=min(50, max(10, len(y) // 100)),
        l2_regularization=10.0,
        max_features=_COLUMNS_TRIED,
        max_bins=_MOST_VALUES,
        early_stopping=False,
        random_state=seed + grove,
    )
    with threadpool_limits(limits=1):
        return learner.fit(both, np.tile(y, 2), sample_weight=np.tile(weight / 2.0, 2))


def stages(learner: Any, at: Floats, counts: Collection[int]) -> dict[int, Floats]:
    """Log odds at some rows after so many trees."""
    from threadpoolctl import threadpool_limits

    with threadpool_limits(limits=1):
        stages = enumerate(learner.staged_predict_proba(at), start=1)
        return {done: logit(p[:, 1]) for done, p in stages if done in counts}


def fill_gaps(values: Floats, y: Floats, random: np.random.Generator) -> Floats:
    """Each gap filled with the answer of another row that the rest of the answers and the outcome make alike.

    For each column a straight-line guess from the others; rows are put into twenty cells by it, and a gap takes
    the answer of a row in its cell, by lot (predictive mean matching). A wholly blank column becomes 0.
    """
    gaps = np.isnan(values)
    told = ~gaps
    count = np.maximum(told.sum(axis=0), 1)
    centre = np.where(told, values, 0.0).sum(axis=0) / count
    apart = np.where(told, values - centre, 0.0)
    spread = np.sqrt((apart**2).sum(axis=0) / count)
    z = np.column_stack(
        [apart / np.where(spread > 0.0, spread, 1.0), (y - y.mean()) / max(float(y.std()), 1e-9)]
    )
    inverse = np.linalg.inv(z.T @ z / len(z) + 0.05 * np.eye(z.shape[1]))
    filled = values.copy()
    for column in np.flatnonzero(gaps.any(axis=0)).tolist():
        if not told[:, column].any():
            filled[:, column] = 0.0
            continue
        weights = -inverse[:, column] / inverse[column, column]
        weights[column] = 0.0
        guess = z @ weights
        _fill(filled[:, column], guess, gaps[:, column], random)
    return filled


def _fill(column: Floats, guess: Floats, gap: NDArray[np.bool_], random: np.random.Generator) -> None:
    """Fill the gaps of one column in place."""
    edges = np.quantile(guess[~gap], np.linspace(0.0, 1.0, _CELLS + 1)[1:-1])
    cell = np.searchsorted(edges, guess)
    for number in np.unique(cell[gap]):
        empty = np.flatnonzero(gap & (cell == number))
        givers = np.flatnonzero(~gap & (cell == number))
        if not len(givers):
            givers = np.flatnonzero(~gap)
        column[empty] = column[random.choice(givers, size=len(empty))]


def make_gaps(filled: Floats, random: np.random.Generator) -> Floats:
    """Gaps by lot: in each row none to two fifths of the answers."""
    share = random.uniform(0.0, _MOST_GAPS, size=(len(filled), 1))
    return np.where(random.random(filled.shape) < share, np.nan, filled)


def together(groves: Sequence[Any]) -> Trees:
    """The trees of all groves as one table of nodes, each value divided by the number of groves."""
    columns: dict[str, list[Any]] = {
        name: [] for name in ("feature", "threshold", "left", "right", "missing", "value")
    }
    roots, at = [], 0
    for learner in groves:
        for (tree,) in learner._predictors:
            nodes = tree.nodes
            leaf = nodes["is_leaf"].astype(bool)
            roots.append(at)
            columns["feature"].append(np.where(leaf, LEAF, nodes["feature_idx"]))
            columns["threshold"].append(np.where(leaf, 0.0, np.clip(nodes["num_threshold"], -FAR, FAR)))
            columns["left"].append(np.where(leaf, 0, nodes["left"].astype(np.int64) + at))
            columns["right"].append(np.where(leaf, 0, nodes["right"].astype(np.int64) + at))
            columns["missing"].append(nodes["missing_go_to_left"].astype(bool) & ~leaf)
            columns["value"].append(np.where(leaf, nodes["value"], 0.0) / len(groves))
            at += len(nodes)
    joined = {name: np.concatenate(each) for name, each in columns.items()}
    return Trees(
        start=float(np.mean([learner._baseline_prediction.item() for learner in groves])),
        roots=np.array(roots, dtype=np.int64),
        feature=joined["feature"].astype(np.int64),
        threshold=joined["threshold"].astype(np.float64),
        left=joined["left"].astype(np.int64),
        right=joined["right"].astype(np.int64),
        missing_left=joined["missing"].astype(np.bool_),
        value=joined["value"].astype(np.float64),
    )
