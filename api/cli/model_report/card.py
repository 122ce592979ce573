"""The sentences of the model card, in the order of TRIPOD+AI (27 items); numbers and labels in our own words.

Each item has sentences for a day-one model on simulated pupils and for a model learnt from a table; they are message
ids, filled from the facts of the subject.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Item:
    """One item: its number, its label, and what is said of either kind of model."""

    number: str
    label: str
    day_one: tuple[str, ...]
    fitted: tuple[str, ...]


def _both(number: str, label: str, *said: str) -> Item:
    return Item(number, label, said, said)


NOT_FOR_DAY_ONE = (
    "a diagnosis, or a name for what a child has",
    "setting a tier, closing a case, lowering what a rule has asked for",
    "admission, marks, discipline, insurance",
    "forecasts of suicide or of attempts: these go through rules and people",
    "comparing schools, classes or teachers",
    "children who were not screened with consent, or outside about 9 to 18 years",
)
NOT_FOR_FITTED = (
    "any decision about any person: it serves nobody and nobody has approved it",
    "statements about pupils of this service: the rows are other people",
    "a diagnosis, admission, marks, discipline, insurance",
)
SIMULATED = (
    "Everything in this report is simulated. It shows whether the method works in a world made by formulas, and is "
    "no evidence about children."
)
FOREIGN = (
    "The figures are about the rows of one table ({population}). They show how the method does there and are no "
    "evidence about pupils of this service. The model is not approved and serves nobody."
)

ITEMS: tuple[Item, ...] = (
    Item(
        "1", "Title",
        ("Detecting need for care beyond the school from questionnaire totals: the day-one model, judged on simulated pupils.",),
        ("Detecting {outcome} from {count} columns of a table: a learnt model, judged on {file}.",),
    ),
    _both("2", "Abstract", "{n} rows, {events} with the outcome, {clusters} clusters: AUROC {auroc}, calibration slope {slope}, observed to expected {oe}, calibration error (ECE) {ece}."),
    Item(
        "3a", "Background",
        ("Most children in need are known to nobody. All pupils answer questionnaires; the totals must become an order in which people talk to them.",),
        ("A method is tried on a table that exists, before there are findings of one's own.",),
    ),
    Item(
        "3b", "Whom it is for, and what for",
        ("Pupils of about 9 to 18 years, screened at school with consent. For trained school and county staff: whom to talk to first. A person sees the child before anything is called by name.",),
        ("The rows are, in the words of who fitted the model: {population}. For judging the method, not for use.",),
    ),
    Item(
        "3c", "Known inequalities",
        ("Left-behind and migrant pupils differ little in symptoms, and more often lack a parent's sheet. Neither status goes into the model; both are used to judge it.",),
        ("Groups named in the command are judged apart; they need not be predictors.",),
    ),
    Item(
        "4", "Aim",
        ("Evaluation. The model was put together from published figures; nothing was learnt from these rows.",),
        ("Development, and evaluation on clusters that were not learnt from.",),
    ),
    Item(
        "5", "Data",
        ("A simulated cohort, world “{world}”, seed {seed}: made by formulas, reproducible, never evidence about children. No dates.",),
        ("Judged on {file} (SHA-256 {digest}), {rows} rows. Learnt from {trained_on} (SHA-256 {trained_digest}), {trained_rows} rows, window: {window}.",),
    ),
    Item(
        "6", "Participants",
        ("{clusters} simulated schools, each with one of four sets of sheets. In: whoever has at least one sheet the model knows; {unscored} had none. Treatment is not modelled.",),
        ("Clusters: {cluster_columns}; {clusters} of them here. In: rows with a known outcome and at least half of the predictors. Treatment is not modelled.",),
    ),
    Item(
        "7", "Preparation of data",
        ("Totals as each sheet's own rules give them; square root where counts are skewed; centre and spread from publications.",),
        ("A blank cell is missing. For learning, each gap is filled from a similar row, then gaps are made by lot, so that a gap is no reason. Texts become categories.",),
    ),
    Item(
        "8", "Outcome, what is predicted",
        ("In service: within 8 weeks of the sheet a trained assessor finds a need for care beyond the school; whether the assessor had seen the probability is stored. Here: the simulated liability lies above its threshold. Base rate {base_rate:.0%}.",),
        ("Column {outcome}: 1 or 0. A blank one is left out and never 0. Who judged, and whether blind, is for the source of the table to say.",),
    ),
    Item(
        "9", "Predictors",
        ("Totals of {instruments}. No name, sex, age, school, family situation or free text.",),
        ("{predictors}.",),
    ),
    _both("10", "Sample size", "{n} rows, {events} with the outcome; weights make them worth {effective} equal rows. Wanted: 100 with and 100 without the outcome, 200 for a smooth curve."),
    Item(
        "11", "Missing data",
        ("Each set of sheets has its own weights, so that nothing is filled in. No sheet: no probability, which is not a low one.",),
        ("More than half of the predictors missing: insufficient, no probability; {insufficient} rows here. {unknown} rows have no known outcome.",),
    ),
    Item(
        "12", "Methods",
        ("Gaussian liability: each total is a noisy view of one hidden need. Intervals by drawing whole schools. Later recalibration passes a gate on other schools first.",),
        ("Learners compete on clusters they were not taught on ({folds} folds); chosen: {learner}. A line in log odds is put through the chosen one. Intervals by drawing whole clusters.",),
    ),
    _both("13", "Rare outcome", "No class weights and no resampling: probabilities keep the base rate."),
    _both("14", "Fairness", "Figures for each group with intervals; thresholds are the same for all."),
    Item(
        "15", "Output",
        ("A probability with a range (base rate divided and multiplied by 1.5), additive reasons, and how much the sheets can tell. Levels by thresholds that a county approves; capacity never moves them.",),
        ("A probability for each row, or insufficient.",),
    ),
    Item(
        "16", "Differences between learning and judging",
        ("The nominal world is as Gaussian as the model and flatters it. The stressed world has skewed traits, careless answers and children who deny: read both.",),
        ("Learnt on {trained_on}, judged on {file}. If these are the same rows, the figures here flatter: then only those of item 21 count.",),
    ),
    Item("17", "Ethics", ("No person's data.",), ("To be stated by whoever holds the table.",)),
    _both("18", "Open science", "Code and this report's command are open. Funding, interests, protocol, registration and sharing of data are for the operator to state."),
    _both("19", "Involvement", "Whether pupils, parents and clinicians took part is for the operator to state."),
    _both("20", "Participants in the result", "Numbers, outcome and missing answers by group: see the evaluation report."),
    Item(
        "21", "Development",
        ("None: no row was learnt from.",),
        ("{trained_rows} rows, {trained_events} with the outcome, {trained_clusters} clusters. On clusters not taught on: AUROC {cv_auroc}, slope {cv_slope}, ECE {cv_ece}.",),
    ),
    Item(
        "22", "Full equation",
        ("p = Φ((w·z − t) / √(1 − r²)), w = inv(R)·ρ, r² = w·ρ, Φ(t) = 1 − base rate; z, R and ρ are in the artefact, version {version}.",),
        ("The numbers are the artefact, version {version}; last line: log odds = {intercept:.3f} + {slope_line:.3f} × sum of the parts.",),
    ),
    _both("23", "Performance", "See the table below and the evaluation report."),
    Item(
        "24", "Updates",
        ("None since the first version; the artefact names its source for every number.",),
        ("{recalibrations} recalibrations, each recorded in the artefact with its labels.",),
    ),
    Item(
        "25", "Interpretation",
        ("In a world made for it the model ranks and calibrates as designed. How it does among children is not known until findings come back.",),
        ("The figures hold for rows like these. Outcome and answers are from the same day and the same person where the table is so: detection, not forecast.",),
    ),
    Item(
        "26", "Limits",
        ("The probability is as good as the base rate. Most correlations are assumed. Children who deny are missed where no adult was asked. Norms are not split by sex or age.",),
        ("Another population, year or way of asking may differ: judge again, and look at drift. Groups with few rows have wide intervals.",),
    ),
    Item(
        "27", "Use in practice",
        ("A doubtful or missing sheet lowers nothing. Rules for critical answers and severe scores stand above the model. Local findings and a random check of children who were not referred come next.",),
        ("None. A model for service is made from local findings, judged on other schools and approved by people.",),
    ),
)  # fmt: skip
