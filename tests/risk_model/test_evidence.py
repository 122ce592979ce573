"""The numbers of a report: figures of groups, of those seen, of rules, against values made in another way."""

from __future__ import annotations

from dataclasses import replace
from math import isnan

import numpy as np
import pytest

from risk_model.evaluation import at_capacity, expit, measure, net_benefit, of_rule
from risk_model.evidence import FEWEST_SHOWN, Evidence, Judged, gather, seen_at


@pytest.fixture(scope="module")
def judged() -> Judged:
    random = np.random.default_rng(7)
    n = 2_000
    p = expit(random.normal(-2.0, 1.0, n)).round(3)
    y = (random.random(n) < p).astype(float)
    group = np.where(random.random(n) < 0.3, "few", "many")
    group[:6] = "tiny"
    return Judged(
        y=y,
        p=p,
        weight=random.uniform(0.5, 2.0, n),
        clusters=random.integers(0, 25, n).astype(str),
        missing=np.where(group == "few", 0.5, 0.0),
        groups={"group": group},
        rules={"over": (p > 0.2).astype(float), "chance": (random.random(n) < 0.1).astype(float)},
    )


@pytest.fixture(scope="module")
def evidence(judged: Judged) -> Evidence:
    return gather(judged, bootstraps=20)


def test_figures_are_those_of_the_rows(judged: Judged, evidence: Evidence) -> None:
    found = measure(judged.y, judged.p, judged.weight)
    assert evidence.figures["auroc"].value == pytest.approx(found.auroc)
    assert evidence.figures["ici"].value == pytest.approx(found.ici)
    assert evidence.weighted
    for interval in evidence.figures.values():
        assert interval.low <= interval.high
    assert all(low <= high for low, high in zip(evidence.curve.low, evidence.curve.high, strict=True))
    assert [sum(bars) for bars in evidence.histogram] == pytest.approx([1.0, 1.0])


def test_those_seen_are_those_of_the_capacity(judged: Judged, evidence: Evidence) -> None:
    for seen in evidence.capacity:
        other = at_capacity(judged.y, judged.p, seen.fraction, judged.weight)
        assert (seen.ppv.value, seen.sensitivity.value) == pytest.approx((other.ppv, other.sensitivity))
        assert seen.share.value == pytest.approx(seen.fraction)
    flags, last = seen_at(np.array([0.9, 0.5, 0.5, 0.1]), np.ones(4), 0.5)
    assert (flags.tolist(), last) == ([1.0, 0.5, 0.5, 0.0], 0.5)


def test_groups_share_the_places_of_all(judged: Judged, evidence: Evidence) -> None:
    groups = evidence.groups["group"]
    here = judged.groups["group"] == "few"
    flags, _ = seen_at(judged.p, judged.weight, 0.08)
    expected = of_rule(judged.y[here], flags[here], judged.weight[here])
    found = groups["few"].capacity[2]
    assert (found.share.value, found.ppv.value) == pytest.approx((expected.fraction, expected.ppv))
    weights = {name: judged.weight[judged.groups["group"] == name].sum() for name in groups}
    seen = sum(
        weights[name] * group.capacity[2].share.value for name, group in groups.items() if group.figures
    )
    tiny = flags[judged.groups["group"] == "tiny"] @ judged.weight[judged.groups["group"] == "tiny"]
    assert seen + tiny == pytest.approx(0.08 * judged.weight.sum())
    assert (groups["few"].missing, groups["many"].missing) == (0.5, 0.0)
    assert groups["tiny"].n < FEWEST_SHOWN
    assert not groups["tiny"].figures


def test_net_benefit_is_held_against_the_best_alternative(judged: Judged, evidence: Evidence) -> None:
    each = evidence.benefit[1]
    model = net_benefit(judged.y, judged.p >= 0.15, 0.15, judged.weight)
    best = max(net_benefit(judged.y, rule, 0.15, judged.weight) for rule in judged.rules.values())
    assert each.best_rule is not None
    assert (each.model.value, each.best_rule.value) == pytest.approx((model, best))
    assert each.gain.value == pytest.approx(model - max(best, each.treat_all.value, 0.0))


def test_one_cluster_has_no_intervals(judged: Judged) -> None:
    alone = gather(replace(judged, clusters=np.full(len(judged.y), "a"), rules={}), bootstraps=20)
    assert isnan(alone.figures["auroc"].low)
    assert alone.benefit[0].best_rule is None
