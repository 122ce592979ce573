"""Model versions, what stopped them, and what limits cost, in words."""

from __future__ import annotations

from dataclasses import dataclass
from uuid import UUID

from api.web.presenters.counts import few_or
from risk_model.decision import Cost
from screening.core.i18n import translate
from screening.models.model import ModelStatus, ModelVersion

HUNDRED = 100


@dataclass(frozen=True, slots=True)
class Version:
    """One version as a card. ``big``: what a second person must have read; ``open``: may still be decided."""

    id: UUID
    name: str
    status: str
    status_code: ModelStatus
    lines: tuple[tuple[str, str], ...]
    stopped: tuple[str, ...]
    big: tuple[str, ...]
    own: bool


def version(row: ModelVersion, me: UUID | None, locale: str) -> Version:
    """A version with its figures, in the order a person asks for them."""
    manifest, figures = row.manifest, row.manifest.get("figures", {})
    lines = [
        (translate(locale, "Findings learnt from"), _learnt(manifest, locale))
        if manifest.get("kind") != "rate"
        else (
            translate(locale, "A rate known from a survey"),
            f"{float(manifest['rate']) * HUNDRED:g} % · {manifest['source']}",
        ),
        (translate(locale, "Kind of change"), kind(str(manifest.get("kind", "")), locale)),
    ]
    if "observed" in figures and "expected" in figures:
        lines.append(
            (
                translate(locale, "Need found and foretold, of 100"),
                f"{figures['observed'] * HUNDRED:.1f} / {figures['expected'] * HUNDRED:.1f}",
            )
        )
    if "slope" in figures:
        lines.append((translate(locale, "Slope (1 is right)"), f"{figures['slope']:.2f}"))
    if "loss_difference" in figures:
        lines.append(
            (
                translate(locale, "Worse or better than what is in force (log loss, below 0 is better)"),
                f"{figures['loss_difference']:+.4f} (≤ {figures['loss_difference_upper']:+.4f})",
            )
        )
    if "levels_move" in figures:
        lines.append(
            (
                translate(locale, "Children whose level would change, of 100"),
                f"{figures['levels_move'] * HUNDRED:.0f}",
            )
        )
    return Version(
        id=row.id,
        name=row.name,
        status=status(row.status, locale),
        status_code=row.status,
        lines=tuple(lines),
        stopped=tuple(stopped(code, locale) for code in manifest.get("stopped", [])),
        big=tuple(big(code, locale) for code in manifest.get("second", [])),
        own=row.put_by is not None and row.put_by == me,
    )


def _learnt(manifest: dict[str, object], locale: str) -> str:
    return translate(
        locale,
        "{labels}: {referred} of referred children, {checked} by lot; worth {effective} independent ones; {missing} missing",
        labels=manifest.get("labels", 0),
        referred=manifest.get("referred", 0),
        checked=manifest.get("checked", 0),
        effective=f"{float(str(manifest.get('effective', 0))):.0f}",
        missing=manifest.get("missing", 0),
    )


def status(value: ModelStatus, locale: str) -> str:
    """Where a version stands."""
    return {
        ModelStatus.CANDIDATE: translate(locale, "candidate"),
        ModelStatus.STOPPED: translate(locale, "stopped by a rule"),
        ModelStatus.PUT_FORWARD: translate(locale, "waits for a second person"),
        ModelStatus.IN_FORCE: translate(locale, "in force"),
        ModelStatus.ENDED: translate(locale, "ended"),
    }[value]


def kind(code: str, locale: str) -> str:
    """How the probability is changed."""
    return {
        "two_numbers": translate(locale, "two numbers on the shipped score"),
        "three_numbers": translate(locale, "three numbers on the shipped score"),
        "isotonic": translate(locale, "a rising line through the findings"),
        "logistic": translate(locale, "other weights for the questionnaires"),
        "rate": translate(locale, "all probabilities moved until their mean is the rate"),
        "boosted": translate(locale, "a table for each questionnaire"),
    }.get(code, code)


def stopped(code: str, locale: str) -> str:
    """A hard rule that was broken."""
    if code.startswith("facility:"):
        return translate(
            locale, "The findings of one facility do not fit the others: ask it before learning from them."
        )
    return {
        "few_labels": translate(locale, "Fewer than 150 findings."),
        "worse": translate(locale, "It may be worse than what is in force, on schools it has not seen."),
        "rate": translate(locale, "It foretells more or less need than was found."),
        "slope": translate(locale, "It is too bold or too timid."),
        "slope_unknown": translate(locale, "The findings are all alike, so nothing can be learnt from them."),
    }.get(code, code)


def big(code: str, locale: str) -> str:
    """A step that a second person must have read about."""
    return {
        "intercept_step": translate(locale, "All probabilities move by a large step."),
        "slope_step": translate(locale, "High and low probabilities move apart or together by a large step."),
        "levels_move": translate(locale, "More than one child in ten would have another level."),
        "high_falls": translate(locale, "More than a quarter of the highest level would fall."),
    }.get(code, code)


def fault(code: str | None, locale: str) -> str:
    """Why something else serves than what was put in force."""
    return {
        "tampered": translate(
            locale,
            "The numbers of the version in force are not those that were made: the shipped model serves.",
        ),
        "unreadable": translate(
            locale, "The version in force does not fit this program: the shipped model serves."
        ),
        "expired": translate(locale, "The version in force has expired: the shipped model serves."),
        "day_one": translate(
            locale, "The shipped model is not intact: the rules decide alone, no estimate is shown."
        ),
    }.get(code or "", "")


def alarm(code: str, locale: str) -> str:
    """What has sounded (``referral.watching``)."""
    what, _, rest = code.partition(":")
    if what == "fault":
        return fault(rest, locale)
    if what == "findings":
        return (
            translate(locale, "More children were found to need care than the model foretells.")
            if rest == "up"
            else translate(locale, "Fewer children were found to need care than the model foretells.")
        )
    battery, _, say = rest.rpartition(":")
    if say == "stop":
        return translate(
            locale,
            "Estimates from {sheets} have moved a long way: go back, or read these children by the cut-offs.",
            sheets=battery,
        )
    return translate(locale, "Estimates from {sheets} have moved: look why.", sheets=battery)


def cost(row: Cost, locale: str) -> tuple[str, str, str, str, str]:
    """Limit, children over it, expected in need among them and missed, net benefit beside seeing all."""
    return (
        f"{row.threshold * HUNDRED:g} %",
        few_or(row.flagged, locale),
        f"{row.found:.0f}",
        f"{row.missed:.0f}",
        f"{row.benefit:.3f} / {row.benefit_all:.3f}",
    )
