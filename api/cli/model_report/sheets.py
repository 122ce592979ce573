"""Numbers into words, tables and pictures, in one language."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from math import isfinite
from typing import Any

from api.cli.model_report.card import FOREIGN, ITEMS, NOT_FOR_DAY_ONE, NOT_FOR_FITTED, SIMULATED
from api.cli.model_report.subject import Subject
from risk_model.evaluation import Interval
from risk_model.evidence import Benefit, Evidence, Group, Seen
from screening.core import charts
from screening.core.charts import DASHES, Axis, Line
from screening.core.i18n import translate

NONE = "–"
FIGURES = (
    ("auroc", "AUROC", 3),
    ("slope", "calibration slope (ideal 1)", 2),
    ("intercept", "intercept in the large (ideal 0)", 2),
    ("observed_expected", "observed / expected (ideal 1)", 2),
    ("ece", "ECE, ten bins of equal weight", 4),
    ("ici", "ICI, loess", 4),
    ("brier", "Brier score", 4),
    ("scaled_brier", "Brier score, scaled", 3),
    ("base_rate", "share with the outcome", 3),
    ("mean_probability", "mean probability", 3),
)


class Words:
    """One language: `_` for messages, numbers with intervals as texts."""

    def __init__(self, locale: str, *, own_names: bool) -> None:
        self.locale = locale
        self._own_names = own_names

    def __call__(self, message: str, **params: object) -> str:
        return translate(self.locale, message, **params)

    def name(self, text: str) -> str:
        """A column or group: translated if it is a word of ours."""
        return translate(self.locale, text) if self._own_names else text

    @staticmethod
    def number(value: float, places: int) -> str:
        return f"{value:.{places}f}" if isfinite(value) else NONE

    def interval(self, found: Interval, places: int, *, percent: bool = False) -> str:
        scale, sign = (100.0, "%") if percent else (1.0, "")
        if not isfinite(found.value):
            return NONE
        text = f"{scale * found.value:.{places}f}{sign}"
        if not isfinite(found.low):
            return text
        low, high = (f"{scale * each:.{places}f}" for each in (found.low, found.high))
        # A dash between two minus signs cannot be read.
        return f"{text} ({low} … {high})" if found.low < 0.0 else f"{text} ({low}–{high})"


def values_of(subject: Subject, evidence: Evidence, locale: str, *, made_on: str) -> dict[str, Any]:
    """Everything the two templates need."""
    _ = Words(locale, own_names=subject.translated)
    day_one = subject.kind == "day_one"
    warning = _(SIMULATED) if day_one else _(FOREIGN, **subject.facts)
    return {
        "_": _,
        "locale": "zh-CN" if locale == "zh" else "en",
        "warning": warning,
        "version": subject.version,
        "made_on": made_on,
        "not_for": [_(text) for text in (NOT_FOR_DAY_ONE if day_one else NOT_FOR_FITTED)],
        "items": _items(subject, evidence, _),
        "figures": [(_(label), _.interval(evidence.figures[key], places)) for key, label, places in FIGURES],
        "scheme": _scheme(subject, evidence, _),
        "calibration": _calibration(evidence, _),
        "decision": _decision(evidence, _),
        "legend": _legend(evidence, _),
        "benefit": _benefits(evidence.benefit, _),
        "capacity": [_seen(each, _) for each in evidence.capacity],
        "rules": [(_.name(name), _seen(found, _)) for name, found in evidence.rules.items()],
        "groups": [_groups(column, members, evidence.top, _) for column, members in evidence.groups.items()],
        "n": evidence.n,
        "events": evidence.events,
        "clusters": evidence.clusters,
    }


# --- the card ----------------------------------------------------------------------------------------------


def _items(subject: Subject, evidence: Evidence, _: Words) -> list[tuple[str, str, list[str]]]:
    figures = evidence.figures
    cv = subject.facts.get("cv", {})
    facts = {
        **subject.facts,
        "version": subject.version,
        "n": evidence.n,
        "events": evidence.events,
        "clusters": evidence.clusters,
        "effective": f"{evidence.effective_n:.0f}",
        "auroc": _.interval(figures["auroc"], 3),
        "slope": _.interval(figures["slope"], 2),
        "oe": _.interval(figures["observed_expected"], 2),
        "ece": _.interval(figures["ece"], 4),
        "slope_line": subject.facts.get("slope", 1.0),
        "cv_auroc": _.number(cv.get("auroc") or float("nan"), 3),
        "cv_slope": _.number(cv.get("slope") or float("nan"), 2),
        "cv_ece": _.number(cv.get("ece") or float("nan"), 4),
    }
    if "world" in facts:
        facts["world"] = _(str(facts["world"]))
    return [
        (item.number, _(item.label), [_(text, **facts) for text in getattr(item, subject.kind)])
        for item in ITEMS
    ]


def _scheme(subject: Subject, evidence: Evidence, _: Words) -> list[str]:
    """Who was judged, with what weights."""
    if subject.kind == "day_one":
        return [
            _("Every simulated child has a finding: nobody was left out for not having been referred."),
            _("In service only referred children and those of the random check are judged; figures then carry one over the chance of being judged as weight, and the effective number is printed here."),
        ]  # fmt: skip
    return [
        _("All rows with a known outcome and a probability; {unknown} rows had no known outcome, {insufficient} too few answers.", **subject.facts),
        _("Weight column: {weight}. {n} rows are worth {effective} equal ones.", weight=subject.facts["weight"], n=evidence.n, effective=f"{evidence.effective_n:.0f}"),
    ]  # fmt: skip


# --- pictures ----------------------------------------------------------------------------------------------


def _calibration(evidence: Evidence, _: Words) -> str:
    curve = evidence.curve
    return charts.calibration_chart(
        curve=Line(curve.probability, curve.observed, width=1.6),
        low=curve.low,
        high=curve.high,
        points=(curve.bin_probability, curve.bin_observed),
        histogram=evidence.histogram,
        top=evidence.top,
        across=_("probability according to the model"),
        up=_("share observed"),
        title=_("Calibration curve"),
        with_it=_("with the outcome"),
        without=_("without"),
    )


def _lines(evidence: Evidence) -> list[tuple[str, tuple[float, ...], str, float]]:
    """Name, values, dash, width of each line of the decision curve; rules get numbers as marks."""
    decision = evidence.decision
    lines = [("model", decision.model, "", 2.0), ("see everybody", decision.treat_all, DASHES[1], 1.0)]
    for place, (name, values) in enumerate(decision.rules.items()):
        lines.append((name, values, DASHES[2 + place % (len(DASHES) - 2)], 1.0))
    return lines


def _marks(evidence: Evidence, _: Words) -> list[str]:
    return [_("model"), "A", *(str(place) for place in range(1, len(evidence.decision.rules) + 1))]


def _decision(evidence: Evidence, _: Words) -> str:
    lines = _lines(evidence)
    highest = max(max(values) for _name, values, _dash, _width in lines)
    return charts.line_chart(
        [
            Line(evidence.decision.thresholds, values, mark, dash, width)
            for (_name, values, dash, width), mark in zip(lines, _marks(evidence, _), strict=True)
        ],
        x=Axis(evidence.decision.thresholds[0], evidence.decision.thresholds[-1], _("threshold probability")),
        y=Axis(-0.1 * highest, 1.08 * highest, _("net benefit"), percent=False),
        title=_("Decision curve"),
    )


def _legend(evidence: Evidence, _: Words) -> list[tuple[str, str, str]]:
    """A piece of each line, its mark, its name."""
    rows = [
        (charts.sample(dash, width), mark, _(name) if place < 2 else _.name(name))
        for place, ((name, _values, dash, width), mark) in enumerate(
            zip(_lines(evidence), _marks(evidence, _), strict=True)
        )
    ]
    return [*rows, (charts.sample("", 0.5), "0", _("see nobody"))]


# --- tables ------------------------------------------------------------------------------------------------


def _seen(found: Seen, _: Words) -> dict[str, str]:
    return {
        "fraction": f"{found.fraction:.0%}" if isfinite(found.fraction) else NONE,
        "threshold": _.number(found.threshold, 3),
        "share": _.interval(found.share, 1, percent=True),
        "ppv": _.interval(found.ppv, 0, percent=True),
        "sensitivity": _.interval(found.sensitivity, 0, percent=True),
        "nns": _.interval(found.nns, 1),
    }


def _benefits(found: Sequence[Benefit], _: Words) -> list[dict[str, str]]:
    return [
        {
            "threshold": f"{each.threshold:.2f}",
            "model": _.interval(each.model, 3),
            "treat_all": _.interval(each.treat_all, 3),
            "best_rule": _.interval(each.best_rule, 3) if each.best_rule else NONE,
            "gain": _.interval(each.gain, 3),
        }
        for each in found
    ]


def _groups(column: str, members: Mapping[str, Group], top: float, _: Words) -> dict[str, Any]:
    return {
        "column": _.name(column),
        "members": [_group(name, group, top, _) for name, group in members.items()],
    }


def _group(name: str, group: Group, top: float, _: Words) -> dict[str, Any]:
    found: dict[str, Any] = {
        "name": _.name(name),
        "n": group.n,
        "events": group.events,
        "told": bool(group.figures),
    }
    if not group.figures:
        return found
    figures = group.figures
    found |= {
        "missing": _.number(100.0 * group.missing, 0) + "%",
        "rate": _.interval(figures["base_rate"], 1, percent=True),
        "oe": _.interval(figures["observed_expected"], 2),
        "auroc": _.interval(figures["auroc"], 3),
        "slope": _.interval(figures["slope"], 2),
        "ece": _.interval(figures["ece"], 3),
        "capacity": [_seen(each, _) for each in group.capacity],
        "benefit": _benefits(group.benefit, _),
        "chart": None,
    }
    if group.curve is not None:
        curve = group.curve
        found["chart"] = charts.calibration_chart(
            curve=Line(curve.probability, curve.observed, width=1.4),
            low=curve.low,
            high=curve.high,
            points=(curve.bin_probability, curve.bin_observed),
            histogram=None,
            top=top,
            across="",
            up="",
            title=f"{_.name(name)}",
            size=120.0,
        )
    return found
