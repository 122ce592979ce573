"""The model in simulated worlds: the goals it was set, as figures. Evidence about the method, never about children."""

from __future__ import annotations

from typing import Any

import numpy as np

from tests.risk_model import goals

REPEATS = 40


def _row(name: str, value: float, aim: str, note: str = "", unit: str = "") -> dict[str, Any]:
    return {"name": name, "value": round(float(value), 4), "unit": unit, "aim": aim, "note": note}


def run() -> list[dict[str, Any]]:
    """Every goal of the model that a simulation can measure."""
    return [*_day_one(), *_labels(), *_sent(), *_groups(), *_benefit(), *_gate(), *_watch(), *_speed()]


def _day_one() -> list[dict[str, Any]]:
    rows = []
    for world, aims in (("nominal", ("≥ 0.85", "0.85–1.15", "≤ 0.02")), ("stressed", ("–", "–", "–"))):
        found = goals.day_one_figures(world)
        for name, aim in zip(("auc", "slope", "ici"), aims, strict=True):
            rows.append(
                _row(f"day one, {world}: {name}", found[name], aim, "right base rate, mixed batteries")
            )
        for name in ("flagged at 0.25", "found at 0.25", "flagged at 0.15", "found at 0.15"):
            note = "share of pupils" if name.startswith("flagged") else "share of those in need"
            rows.append(_row(f"day one, {world}: {name}", found[name], "–", note))
    return rows


def _labels() -> list[dict[str, Any]]:
    rows = []
    for world, aim in (("nominal", "≤ 0.015"), ("stressed", "≤ 0.025")):
        found = goals.after_labels(world, 500, REPEATS)
        rows.append(
            _row(f"500 judged by lot, {world}: ICI", found["ici"], aim, f"before: {found['before']:.3f}")
        )
        rows.append(_row(f"500 judged by lot, {world}: ICI, 90th per cent", found["ici_p90"], "≤ 0.025"))
        rows.append(_row(f"500 judged by lot, {world}: slope, median", found["slope"], "0.9–1.1"))
    return rows


def _sent() -> list[dict[str, Any]]:
    rows = []
    for knowledge in goals.KNOWLEDGE:
        found = goals.who_was_sent(knowledge, REPEATS)
        label = f"referred + 280 by lot, counsellor knows {knowledge} more"
        rows += [
            _row(
                f"{label}: ICI",
                found["weighted_ici"],
                "≤ 0.016",
                f"{found['effective']:.0f} effective labels",
            ),
            _row(f"{label}: ICI, naive", found["naive_ici"], "shown", "referred children alone"),
            _row(f"{label}: ICI, unlabelled as healthy", found["healthy_ici"], "shown"),
            _row(f"{label}: |CITL|", found["weighted_citl_abs"], "≤ 0.2"),
            _row(
                f"{label}: error of the AUC",
                found["weighted_auc_error"],
                "within 0.02",
                f"naive {found['naive_auc_error']:.2f}",
            ),
            _row(
                f"{label}: error of the base rate",
                found["weighted_rate_error"],
                "within 0.02",
                f"naive {found['naive_rate_error']:.2f}",
            ),
        ]
    return rows


def _groups() -> list[dict[str, Any]]:
    few, many = goals.subgroups(500, 20), goals.subgroups(2_000, 8)
    return [
        _row("worst subgroup at 500 labels: ECE", few["worst_ece"], "≤ 0.04"),
        _row("worst subgroup at 500 labels: |observed − expected|", few["worst_gap"], "≤ 0.025"),
        _row("left-behind at 500 labels: observed − expected", few["left_behind_gap"], "≤ 0.025"),
        _row("worst subgroup at 2,000 labels: ECE", many["worst_ece"], "≤ 0.03"),
    ]


def _benefit() -> list[dict[str, Any]]:
    rows = []
    for world, labels, aim in (
        ("nominal", 0, "≥ −0.001"),
        ("stressed", 500, "≥ −0.002"),
        ("stressed", 2_000, "≥ −0.002"),
    ):
        found = goals.benefit(world, labels)
        where = f"at {found['least_threshold']:.2f}, {'+'.join(goals.BATTERIES[int(found['least_battery'])])}"
        name = f"net benefit above the best rule, {world}, {labels} labels"
        rows.append(_row(f"{name}: least", found["least"], aim, where))
        rows += [
            _row(f"{name}: at 25 %, {key.removeprefix('at_25 ')}", value, "≥ 0.004")
            for key, value in found.items()
            if key.startswith("at_25")
        ]
    return rows


def _gate() -> list[dict[str, Any]]:
    rows, bad, good = [], [], []
    for kind in goals.KINDS:
        tried = goals.gate(kind, REPEATS)
        stopped = [not each.verdict.eligible for each in tried]
        rows.append(
            _row(
                f"gate, {kind}: stopped",
                np.mean(stopped),
                "–",
                f"ICI had it gone live {np.mean([e.ici for e in tried]):.3f}",
            )
        )
        bad += [s for s, each in zip(stopped, tried, strict=True) if each.ici > each.champion_ici + 0.02]
        good += [not s for s in stopped] if kind in goals.GOOD else []
    return [
        *rows,
        _row(
            "gate: bad updates stopped",
            np.mean(bad),
            "≥ 0.95",
            f"{len(bad)} worse than the model in force by 0.02",
        ),
        _row("gate: good updates eligible", np.mean(good), "≥ 0.60", f"{len(good)} correct updates"),
    ]


def _watch() -> list[dict[str, Any]]:
    scores = goals.psi_figures(40)
    rows = [
        _row(
            "CUSUM: false alarms in 36 months",
            goals.cusum(0.0, 1_000)["alarms"],
            "≤ 0.10",
            "40 findings a month",
        )
    ]
    for shift, aim in ((0.3, "–"), (0.5, "≤ 6"), (0.8, "–")):
        rows.append(
            _row(
                f"CUSUM: a shift of {shift}, median",
                goals.cusum(shift, 300)["median_months"],
                aim,
                unit="months",
            )
        )
    rows += [
        _row(f"PSI, {name}", scores[key], "–")
        for name, key in (("no change", "same"), ("+0.4 SD", "moved"), ("another battery", "battery"))
    ]
    return rows


def _speed() -> list[dict[str, Any]]:
    return [_row("20,000 children scored", goals.seconds_for_20000(), "< 1", "one core", "s")]
