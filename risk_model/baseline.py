"""The published figures behind the day-one model, and how its artefact is made from them.

No child's answers went into these numbers. Two kinds of table: how each total is distributed among pupils
(centre, spread), and how strongly totals go together with each other and with the need for care. The latter
(`rho`) is found from the published area under the curve (AUC) of each instrument: for a normal liability and
a normal score, with 12 % of the liability above the threshold, AUC .87 .83 .82 .78 .75 mean a correlation of
.71 .63 .61 .53 .47.

`write_day_one(directory, created_on=...)` writes artefact and manifest; a test keeps the shipped files equal
to what this module makes. A change of any number here is a new `VERSION`.
"""

from datetime import date
from pathlib import Path

from risk_model.liability import Discordance, InstrumentRow
from risk_model.registry import KIND, SCHEMA, SourceNote, write

NAME = "day_one"
VERSION = "day-one-2"

ROWS = (
    # The adolescent PHQ-A asks the same nine questions about two weeks and shares the row of the PHQ-9.
    InstrumentRow("phq9", ("phq_a",), 27.0, "root", 2.05, 1.05, 0.71),
    InstrumentRow("gad7", (), 21.0, "root", 2.05, 1.05, 0.63),
    InstrumentRow("sdq_s", (), 40.0, "linear", 11.5, 5.3, 0.61),
    InstrumentRow("sdq_p", (), 40.0, "linear", 11.3, 5.2, 0.47, "parent"),
    InstrumentRow("sdq_t", (), 40.0, "linear", 9.4, 5.7, 0.47, "teacher"),
    InstrumentRow("mht", (), 90.0, "linear", 38.0, 14.5, 0.53),
    # From here on every correlation is an assumption: see the notes.
    InstrumentRow("cesd", ("cesdc",), 60.0, "root", 3.55, 1.27, 0.63),
    InstrumentRow("scared", (), 82.0, "root", 4.05, 1.36, 0.47),
    InstrumentRow("dsrsc", (), 36.0, "linear", 10.0, 5.0, 0.53),
    InstrumentRow("k6", (), 24.0, "root", 2.34, 1.13, 0.45),
    InstrumentRow("psc17", (), 34.0, "root", 2.79, 0.99, 0.47, "parent"),
)

# In the order of ROWS.
CORRELATIONS = (
    (1.00, 0.75, 0.55, 0.35, 0.25, 0.62, 0.78, 0.60, 0.70, 0.76, 0.35),
    (0.75, 1.00, 0.52, 0.33, 0.24, 0.62, 0.68, 0.70, 0.60, 0.74, 0.33),
    (0.55, 0.52, 1.00, 0.45, 0.35, 0.55, 0.55, 0.50, 0.55, 0.52, 0.42),
    (0.35, 0.33, 0.45, 1.00, 0.29, 0.35, 0.35, 0.33, 0.35, 0.33, 0.75),
    (0.25, 0.24, 0.35, 0.29, 1.00, 0.28, 0.25, 0.22, 0.25, 0.24, 0.29),
    (0.62, 0.62, 0.55, 0.35, 0.28, 1.00, 0.60, 0.68, 0.58, 0.60, 0.33),
    (0.78, 0.68, 0.55, 0.35, 0.25, 0.60, 1.00, 0.58, 0.72, 0.74, 0.35),
    (0.60, 0.70, 0.50, 0.33, 0.22, 0.68, 0.58, 1.00, 0.55, 0.60, 0.32),
    (0.70, 0.60, 0.55, 0.35, 0.25, 0.58, 0.72, 0.55, 1.00, 0.66, 0.35),
    (0.76, 0.74, 0.52, 0.33, 0.24, 0.60, 0.74, 0.60, 0.66, 1.00, 0.33),
    (0.35, 0.33, 0.42, 0.75, 0.29, 0.33, 0.35, 0.32, 0.35, 0.33, 1.00),
)

WITHOUT_A_ROW = {
    "mssmhs": "No study was found that set its total (a mean of 60 answers from 1 to 5) against an interview, nor one "
    "that gives its correlation with a sheet of the table. A guessed row would look like knowledge.",
    "phq2": "Two of the nine questions of the PHQ-9, answered on the same sheet: it has nothing of its own to add.",
    "gad2": "Two of the seven questions of the GAD-7, answered on the same sheet: it has nothing of its own to add.",
    "asq": "Asked about safety; its answers are rules above the model and never weighed against a score.",
    "cssrs_screen": "Asked about safety; its answers are rules above the model and never weighed against a score.",
}
"""Instruments that were looked at and have no row: level by published cut-offs, no probability shown."""

DISCORDANCE = Discordance(self_code="sdq_s", adult_codes=("sdq_p", "sdq_t"), above=1.5)

NOTES = (
    SourceNote(
        "instruments.phq9",
        "memory",
        "Mean about 5.2 (SD 5.2) in Chinese adolescents, standardised after a square root because the counts "
        "are skewed. AUC .87 lies below the .90 read in Taipei high schools (Pediatrics 2014;133:e402; n 2,257, "
        "165 interviewed) and near the .88 remembered from US adolescents (Richardson 2010).",
    ),
    SourceNote(
        "instruments.gad7",
        "guess",
        "Mean about 3.7 (SD 4.3) from memory; the centre and spread of the PHQ-9 are used for want of a norm "
        "table, which places GAD-7 totals slightly low. No adolescent AUC against an interview was read: .83 is assumed.",
    ),
    SourceNote(
        "instruments.sdq_s",
        "read",
        "AUC .82 (.77-.86) for any disorder against a clinical rating (PMC3059623, table 6). Mean 11.5 (SD 5.3) "
        "is from memory.",
    ),
    SourceNote(
        "instruments.sdq_p",
        "read",
        "AUC .75 (.70-.81), same table. Mean 11.3 partly read (Gao 2013, n 22,108); the spread 5.2 is chosen "
        "between the overall 5.0 and the wider figures by sex.",
    ),
    SourceNote(
        "instruments.sdq_t",
        "read",
        "Shanghai, n 1,965: 9.40 (SD 5.67) (Du 2008, table 2). The AUC is taken equal to the parent's, as one "
        "adult informant served about as well as the other (Goodman 2004, n 1,028).",
    ),
    SourceNote(
        "instruments.mht",
        "guess",
        "Mean 38-41.5 read, SD 14.5 from memory, for the 90 content items. No interview study was found: AUC "
        ".78 is assumed, so MHT weighs less than any other child's own sheet.",
    ),
    SourceNote(
        "instruments.cesd",
        "read",
        "Taipei, one school, n 2,440, 178 interviewed: AUC .88-.90 for major depression, none for dysthymia (.49). "
        "Pooled over 54 studies of four depression scales: sensitivity .80, specificity .78 (Stockings 2015), which "
        "two normal distributions make .87. Lowered to .83 because need for care is wider than depression. Mean "
        "about 14 (SD 9) is from memory. The CES-DC asks nearly the same and shares the row: a guess.",
    ),
    SourceNote(
        "instruments.scared",
        "read",
        "Brazilian pupils, n 119, 44 with an anxiety disorder: cut-off 22, sensitivity .82, specificity .52 (Child "
        "Psychiatry Hum Dev 2013), which two normal distributions make an AUC of .75. Children's own sheet only: "
        "parents' .69-.88 in clinics, and no norm for it. Mean about 18 (SD 11) is a guess.",
    ),
    SourceNote(
        "instruments.dsrsc",
        "guess",
        "Chinese norm, n 1,943, 14 cities: sensitivity .86, specificity .82 (Su 2003, abstract), but patients against "
        "well pupils, which flatters; a short Swedish form in clinics .84. AUC .78 is assumed, mean 10 (SD 5) too.",
    ),
    SourceNote(
        "instruments.k6",
        "read",
        "US adolescents (NCS-A): AUC .74 for serious emotional disturbance, .80 for internalising (Green 2010). Mean "
        "about 6.5 (SD 5) after the K10 of 148,892 Chinese pupils (21.5, SD 9.2), by proportion: a guess.",
    ),
    SourceNote(
        "instruments.psc17",
        "read",
        "Parents, n 269, K-SADS: AUC .80 or more for attention, externalising and depression, .68 for anxiety "
        "(Gardner 2007). Set equal to the parent's SDQ, .75. Mean 8.5 (SD 5.5) is a guess. Parents' sheet only.",
    ),
    SourceNote("correlations.phq9.gad7", "memory", "0.7-0.8 wherever it is reported; .75 used."),
    SourceNote(
        "correlations.sdq_s.sdq_p", "read", "Self and parent, 25 societies: .45 (Rescorla, CBCL-YSR)."
    ),
    SourceNote(
        "correlations.sdq_p.sdq_t", "read", "Parent and teacher, 21 societies: .29 (Rescorla, CBCL-TRF)."
    ),
    SourceNote(
        "correlations",
        "guess",
        "All other pairs are assumed, leaning on .28 between any two informants over 341 studies (De Los Reyes "
        "2015). To be replaced once 300 children have given both sheets.",
    ),
    SourceNote(
        "discordance",
        "simulated",
        "In a simulated world with children who deny, a gap above 1.5 marked 7 % of children, 16 % of whom "
        "needed care where the model said 6 %. In a world without deniers it was 4 %. It may only raise a level.",
    ),
)


def day_one_document() -> dict[str, object]:
    """The artefact: numbers only."""
    return {
        "schema": SCHEMA,
        "kind": KIND,
        "instruments": [
            {
                "code": row.code,
                "also": list(row.also),
                "highest": row.highest,
                "transform": row.transform,
                "centre": row.centre,
                "spread": row.spread,
                "rho": row.rho,
                "informant": row.informant,
            }
            for row in ROWS
        ],
        "correlations": [list(line) for line in CORRELATIONS],
        "discordance": {
            "self": DISCORDANCE.self_code,
            "adults": list(DISCORDANCE.adult_codes),
            "above": DISCORDANCE.above,
        },
    }


def write_day_one(directory: Path, *, created_on: date) -> None:
    """Make artefact and manifest entry of the day-one model in `directory`."""
    write(directory, NAME, day_one_document(), version=VERSION, created_on=created_on, notes=NOTES)
