"""What ``xinqiao model`` does: read, call ``risk_model``, write all or nothing, say it in words."""

from __future__ import annotations

import csv
import io
import json
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from math import isfinite
from pathlib import Path
from typing import TYPE_CHECKING, Any

import typer

from api.cli.words import _, complain, say, sentence
from risk_model import artefact
from risk_model.appraisal import Appraisal, appraise
from risk_model.appraisal import recalibrate as put_right
from risk_model.artefact import replace_file
from risk_model.dataset import DataRefused, names_of, read_table
from risk_model.evaluation import AtCapacity, Interval, Measures
from risk_model.fitted import FittedModel, from_stored
from risk_model.registry import ArtefactError
from screening.core.clock import Clock

if TYPE_CHECKING:
    from api.cli.model_report.subject import Subject

REFUSED = 2
SHOWN_LEARNERS = 5


@dataclass(frozen=True, slots=True)
class Asked:
    """What ``fit`` was asked for, as it was typed."""

    data: Path
    outcome: str
    predictors: str
    cluster: str
    out: Path
    weight: str | None
    time: str | None
    population: str
    seed: int
    force: bool
    trust_weights: bool


@contextmanager
def guarded() -> Iterator[None]:
    """A refusal becomes one sentence and exit status 2; nothing has been written then."""
    from risk_model.training import NotCalibrated

    try:
        yield
    except (DataRefused, NotCalibrated) as refused:
        complain(sentence(refused.message, **refused.params))
        raise typer.Exit(REFUSED) from refused
    except ArtefactError as refused:
        complain(_("The model cannot be used: {reason}.", reason=str(refused)))
        raise typer.Exit(REFUSED) from refused
    except OSError as refused:
        place, reason = refused.filename or "", refused.strerror or str(refused)
        complain(_("{path} cannot be written: {reason}.", path=place, reason=reason))
        raise typer.Exit(REFUSED) from refused


def load(directory: Path) -> FittedModel:
    return from_stored(artefact.read(directory))


# --- fit ---------------------------------------------------------------------------------------------------


def fit(asked: Asked, *, as_json: bool) -> None:
    """Learn and keep; progress goes to the other stream than the figures."""
    from risk_model.training import Plan
    from risk_model.training import fit as learn

    if artefact.is_model(asked.out) and not asked.force:
        raise DataRefused(
            "There is a model in {directory} already; --force adds a new version.", directory=asked.out
        )
    plan = Plan(
        outcome=asked.outcome,
        predictors=names_of(asked.predictors),
        clusters=names_of(asked.cluster),
        weight=asked.weight,
        time=asked.time,
        population=asked.population,
        seed=asked.seed,
        trust_weights=asked.trust_weights,
    )

    def tell(message: str, **params: object) -> None:
        complain(sentence(message, **params))

    found = learn(read_table(asked.data), plan, tell=tell)
    version = keep(asked.out, found.model)
    if as_json:
        _print_json({"version": version, **found.model.about})
        return
    say(_("On clusters the model was not taught on, after its last line:"))
    _say_figures(
        found.judged.crossed, found.judged.plain, found.judged.intervals, weighted=asked.weight is not None
    )
    for message, params in found.remarks:
        say(sentence(message, **params))
    say(_("Learners by log loss: {learners}.", learners="; ".join(
        f"{name} {loss:.5f}" for name, loss in found.losses[:SHOWN_LEARNERS])))  # fmt: skip
    say(_("Kept as {version} in {directory}.", version=version, directory=asked.out))
    say(_("It serves nobody: a model of a table says something about the people of that table only."))


def keep(directory: Path, model: FittedModel) -> str:
    """Store a model as the current version of a directory."""
    about = model.about
    summary = {key: about[key] for key in ("population", "outcome", "learner", "seed", "data", "figures")}
    return artefact.write(
        directory,
        model.document(),
        created_on=Clock().today(),
        summary={**summary, "recalibrations": len(about["recalibrations"])},
    )


# --- predict -----------------------------------------------------------------------------------------------


def predict(directory: Path, file: Path, out: Path | None) -> None:
    model, table = load(directory), read_table(file)
    predicted = model.predict(table)
    ids = table.columns.get("id")
    text = io.StringIO(newline="")
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(["id", "p", "status"] if ids else ["p", "status"])
    for place, (p, status) in enumerate(zip(predicted.p.tolist(), predicted.status, strict=True)):
        cells = ["" if p != p else f"{p:.6g}", status]
        writer.writerow([ids[place], *cells] if ids else cells)
    if out is None:
        sys.stdout.write(text.getvalue())
        return
    replace_file(out, text.getvalue().encode())
    lacking = predicted.status.count("insufficient")
    complain(_("{n} rows written, {lacking} of them insufficient.", n=table.n, lacking=lacking))


# --- evaluate, recalibrate ---------------------------------------------------------------------------------


def evaluate(
    directory: Path,
    file: Path,
    outcome: str,
    *,
    groups: str | None,
    cluster: str | None,
    weight: str | None,
    as_json: bool,
) -> None:
    found = appraise(
        load(directory),
        read_table(file),
        outcome,
        groups=names_of(groups) if groups else (),
        clusters=names_of(cluster) if cluster else None,
        weight=weight,
    )
    if as_json:
        _print_json(found.document())
    else:
        _say_appraisal(found)


def recalibrate(
    directory: Path,
    file: Path,
    outcome: str,
    *,
    out: Path | None,
    cluster: str | None,
    weight: str | None,
    as_json: bool,
) -> None:
    if out is not None and artefact.is_model(out):
        raise DataRefused("There is a model in {directory} already.", directory=out)
    found = put_right(
        load(directory),
        read_table(file),
        outcome,
        clusters=names_of(cluster) if cluster else None,
        weight=weight,
    )
    version = keep(out or directory, found.model)
    if as_json:
        _print_json({"version": version, **found.model.about["recalibrations"][-1]})
        return
    for message, params in found.remarks:
        say(sentence(message, **params))
    if found.kind == "unchanged":
        say(_("{labels} labels give no reason to change the model.", labels=found.labels))
    else:
        say(_("{labels} labels: log odds become {intercept:+.3f} + {slope:.3f} times what they were.",
              labels=found.labels, intercept=found.intercept, slope=found.slope))  # fmt: skip
    say(_("Calibration error on the labels: {before:.4f} before, {after:.4f} after (lines learnt on other clusters).",
          before=found.before.ece, after=found.after.ece))  # fmt: skip
    say(_("So few labels show it roughly; judge the new version on rows it was not changed by."))
    say(_("Kept as {version} in {directory}.", version=version, directory=out or directory))


# --- report ------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Reported:
    """What ``report`` was asked for, as it was typed."""

    directory: Path | None
    file: Path | None
    out: Path
    outcome: str | None
    groups: str | None
    rules: tuple[str, ...]
    cluster: str | None
    weight: str | None
    world: str
    children: int
    base_rate: float
    seed: int
    bootstraps: int
    pdf: bool


def report(asked: Reported) -> None:
    """Measure, draw, print."""
    from api.cli.model_report.write import write
    from risk_model.evidence import gather

    subject = _subject(asked)
    complain(_("Measuring {n} rows ...", n=len(subject.judged.y)))
    evidence = gather(subject.judged, bootstraps=asked.bootstraps, seed=asked.seed)
    written = write(
        subject,
        evidence,
        asked.out,
        made_on=Clock().today().isoformat(),
        tell=lambda name: complain(_("Printing {name} ...", name=name)),
        pdf=asked.pdf,
    )
    for path in written:
        say(str(path))


def _subject(asked: Reported) -> Subject:
    from api.cli.model_report.subject import of_day_one, of_fitted

    if asked.directory is None:
        if asked.world not in ("nominal", "stressed"):
            raise DataRefused("The world is nominal or stressed, not {world}.", world=asked.world)
        world: Any = asked.world
        return of_day_one(world=world, n=asked.children, seed=asked.seed, base_rate=asked.base_rate)
    if asked.file is None or asked.outcome is None:
        raise DataRefused("A learnt model is judged on a file: name it, and its --outcome column.")
    return of_fitted(
        load(asked.directory),
        read_table(asked.file),
        asked.outcome,
        groups=names_of(asked.groups) if asked.groups else (),
        rules=asked.rules,
        clusters=names_of(asked.cluster) if asked.cluster else None,
        weight=asked.weight,
    )


# --- saying it ---------------------------------------------------------------------------------------------


def _say_appraisal(found: Appraisal) -> None:
    rows = found.rows
    say(_("{used} rows judged; {unknown} without a known outcome; {lacking} insufficient.",
          used=len(rows.y), unknown=rows.unknown, lacking=rows.insufficient))  # fmt: skip
    for message, params in found.remarks:
        say(sentence(message, **params))
    weighted = bool((rows.weight != rows.weight[0]).any())
    _say_figures(found.found, found.plain, found.intervals, weighted=weighted)
    for each in found.capacity:
        say(_capacity(each))
    for column, members in found.groups.items():
        for name, figures in members.items():
            say(_("{column} = {name}: {n} rows, {events} with the outcome; {figures}",
                  column=column, name=name, n=figures.n, events=figures.events, figures=_short(figures)))  # fmt: skip
    say(_("Spread of the probabilities against training: PSI {psi:.3f}.", psi=found.psi))
    for message, params in found.alarms:
        say(_("DRIFT: {alarm}", alarm=sentence(message, **params)))
    if not found.alarms:
        say(_("No drift alarm."))


def _say_figures(
    found: Measures, plain: Measures, intervals: Mapping[str, Interval], *, weighted: bool
) -> None:
    for name, title in _TITLES.items():
        interval = intervals[name]
        line = f"  {sentence(title)}: {interval.value:.4f}"
        if isfinite(interval.low):
            line += f"  ({interval.low:.4f} - {interval.high:.4f})"
        if weighted:
            line += "   " + _("unweighted {value:.4f}", value=getattr(plain, name))
        say(line)


_TITLES = {
    "auroc": "AUROC",
    "slope": "slope",
    "intercept": "intercept in the large",
    "ece": "ECE",
    "ici": "ICI",
    "brier": "Brier",
    "scaled_brier": "scaled Brier",
    "base_rate": "observed",
    "mean_probability": "predicted",
    "observed_expected": "observed / expected",
}


def _short(found: Measures) -> str:
    told = [
        ("AUROC", found.auroc),
        ("slope", found.slope),
        ("ECE", found.ece),
        ("O/E", found.observed_expected),
    ]
    return ", ".join(f"{name} {value:.3f}" for name, value in told if isfinite(value))


def _capacity(found: AtCapacity) -> str:
    return _(
        "Seeing {fraction:.0%}: of those seen {ppv:.1%} have the outcome, {sensitivity:.1%} of all with it are found, "
        "{nns:.1f} seen for each.",
        fraction=found.fraction,
        ppv=found.ppv,
        sensitivity=found.sensitivity,
        nns=found.nns,
    )


def _print_json(document: Mapping[str, Any]) -> None:
    say(json.dumps(document, ensure_ascii=False, indent=1))
