"""``xinqiao model …``: learn a model from a table, use it, judge it, put it right.

The general road from a table to probabilities, for trying the method on data of one's own. A model made here says
whom it was learnt from and serves nobody: the service loads only models of its own kind, approved by a person.
Each command imports what it needs when it runs.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

app = typer.Typer(
    help="Learn a model from a table, use it, judge it, put it right, report on it.", no_args_is_help=True
)

Directory = Annotated[Path, typer.Argument(help="directory of the model", show_default=False)]
File = Annotated[
    Path, typer.Argument(help="CSV or .csv.gz; the first row names the columns", show_default=False)
]
Outcome = Annotated[str, typer.Option("--outcome", help="column with 0, 1, or blank where it is not known")]
Weight = Annotated[str | None, typer.Option("--weight", help="column with the weight of each row")]
Clusters = Annotated[
    str | None,
    typer.Option("--cluster", help="columns that name the cluster (school); otherwise as in training"),
]
AsJson = Annotated[bool, typer.Option("--json", help="figures as JSON on standard output")]


@app.command("fit")
def run_fit(
    data: Annotated[Path, typer.Option("--data", help="CSV or .csv.gz to learn from")],
    outcome: Outcome,
    predictors: Annotated[
        str, typer.Option("--predictors", help="columns (a,b,c), or a file that lists them")
    ],
    cluster: Annotated[
        str, typer.Option("--cluster", help="columns that name the cluster (school); none is ever split")
    ],
    out: Annotated[Path, typer.Option("--out", help="directory for the model")],
    weight: Weight = None,
    time: Annotated[
        str | None,
        typer.Option("--time", help="column that says when; otherwise a cluster column called year, term …"),
    ] = None,
    population: Annotated[str, typer.Option("--population", help="who the rows are, in words")] = "",
    seed: Annotated[int, typer.Option(min=0)] = 1,
    force: Annotated[
        bool, typer.Option("--force", help="write beside a model that is already in the directory")
    ] = False,
    trust_weights: Annotated[
        bool,
        typer.Option(
            "--trust-weights",
            help="the weights describe the real population, though they look like class weights",
        ),
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Learn a model, judge it on clusters it was not taught on, and keep it if its probabilities are right."""
    from api.cli.model_work import Asked, fit, guarded

    asked = Asked(
        data, outcome, predictors, cluster, out, weight, time, population, seed, force, trust_weights
    )
    with guarded():
        fit(asked, as_json=as_json)


@app.command("predict")
def run_predict(
    directory: Directory,
    file: File,
    out: Annotated[
        Path | None, typer.Option("-o", "--out", help="where to write; otherwise the screen")
    ] = None,
) -> None:
    """One row out per row in: p, and status ok or insufficient (more than half of the answers missing)."""
    from api.cli.model_work import guarded, predict

    with guarded():
        predict(directory, file, out)


@app.command("evaluate")
def run_evaluate(
    directory: Directory,
    file: File,
    outcome: Outcome,
    groups: Annotated[
        str | None, typer.Option("--groups", help="columns whose groups are judged apart")
    ] = None,
    cluster: Clusters = None,
    weight: Weight = None,
    as_json: AsJson = False,
) -> None:
    """How good is the model on these rows, and has the world moved since it was learnt?"""
    from api.cli.model_work import evaluate, guarded

    with guarded():
        evaluate(directory, file, outcome, groups=groups, cluster=cluster, weight=weight, as_json=as_json)


@app.command("recalibrate")
def run_recalibrate(
    directory: Directory,
    file: File,
    outcome: Outcome,
    out: Annotated[
        Path | None, typer.Option("--out", help="another directory; otherwise a new version in the same one")
    ] = None,
    cluster: Clusters = None,
    weight: Weight = None,
    as_json: AsJson = False,
) -> None:
    """Move intercept and slope to labelled rows (some hundreds); the former version stays beside the new one."""
    from api.cli.model_work import guarded, recalibrate

    with guarded():
        recalibrate(directory, file, outcome, out=out, cluster=cluster, weight=weight, as_json=as_json)


@app.command("report")
def run_report(
    directory: Annotated[
        Path | None,
        typer.Argument(help="directory of a learnt model; without it the day-one model is judged"),
    ] = None,
    file: Annotated[Path | None, typer.Argument(help="CSV or .csv.gz to judge a learnt model on")] = None,
    out: Annotated[Path, typer.Option("--out", help="directory for the documents")] = Path("model-report"),
    outcome: Annotated[
        str | None, typer.Option("--outcome", help="learnt model: column with 0, 1, or blank")
    ] = None,
    groups: Annotated[
        str | None, typer.Option("--groups", help="learnt model: columns whose groups are judged apart")
    ] = None,
    rule: Annotated[
        list[str] | None,
        typer.Option(
            "--rule", help="learnt model: a cut-off rule to compare with, COLUMN>=NUMBER; may be repeated"
        ),
    ] = None,
    cluster: Clusters = None,
    weight: Weight = None,
    world: Annotated[str, typer.Option("--world", help="day-one model: nominal or stressed")] = "nominal",
    children: Annotated[
        int, typer.Option("--children", min=500, max=200_000, help="day-one model: how many are simulated")
    ] = 12_000,
    base_rate: Annotated[float, typer.Option("--base-rate", min=0.03, max=0.25, help="day-one model")] = 0.10,
    seed: Annotated[int, typer.Option(min=0)] = 1,
    bootstraps: Annotated[int, typer.Option(min=20, max=2_000, help="how often clusters are drawn")] = 200,
    pdf: Annotated[bool, typer.Option("--pdf/--no-pdf", help="print as PDF too")] = True,
) -> None:
    """Write model card and evaluation report, Chinese and English, HTML and PDF."""
    from api.cli.model_work import Reported, guarded, report

    asked = Reported(directory, file, out, outcome, groups, tuple(rule or ()), cluster, weight, world, children,
                     base_rate, seed, bootstraps, pdf)  # fmt: skip
    with guarded():
        report(asked)
