from instruments import SheetConditions

about = "phq9"


def test_phq9_bands_begin_at_5_10_15_and_20(spec):
    """Kroenke, Spitzer and Williams 2001: 0-4 minimal, 5-9 mild, 10-14 moderate, 15-19 moderately severe, 20-27."""
    spec("phq9", every=0, answers={1: 3, 2: 1}, expect={"total": 4, "band": "minimal", "over_cutoff": False})
    spec("phq9", every=0, answers={1: 3, 2: 2}, expect={"total": 5, "band": "mild", "over_cutoff": False})
    spec("phq9", every=1, answers={9: 0, 1: 2}, expect={"total": 9, "band": "mild", "over_cutoff": False})
    spec("phq9", every=1, answers={9: 0, 1: 3}, expect={"total": 10, "band": "moderate", "over_cutoff": True})
    spec("phq9", every=2, answers={9: 0, 1: 0}, expect={"total": 14, "band": "moderate", "severe": False})
    spec(
        "phq9",
        every=2,
        answers={9: 0, 1: 1},
        expect={"total": 15, "band": "moderately_severe", "severe": False},
    )
    spec(
        "phq9",
        every=2,
        answers={9: 0, 1: 3, 2: 3, 3: 3},
        expect={"total": 19, "band": "moderately_severe", "severe": False},
    )
    spec(
        "phq9",
        every=2,
        answers={9: 0, 1: 3, 2: 3, 3: 3, 4: 3},
        expect={"total": 20, "band": "severe", "severe": True},
    )
    spec("phq9", every=3, expect={"total": 27, "band": "severe", "severe": True})


def test_phq9_item_10_is_recorded_and_not_added(spec):
    """The difficulty question follows the nine items and is in no score."""
    spec("phq9", every=0, answers={10: 3}, expect={"total": 0, "band": "minimal", "validity": "valid"})


def test_phq9_up_to_two_missing_answers_are_filled_with_the_mean_rounded_half_up(spec):
    """9 × 4 / 8 = 4.5 is 5 and so mild; rounding a half to the even number would make it minimal."""
    spec(
        "phq9",
        every=0,
        answers={1: 3, 2: 1, 5: None},
        expect={"total": 5, "status": "prorated", "band": "mild", "missing": ("5",), "validity": "valid"},
    )
    spec(
        "phq9",
        every=1,
        answers={9: 0, 1: 2, 4: None, 5: None},
        expect={"total": 9, "status": "prorated", "missing": ("4", "5"), "over_cutoff": False},
    )
    spec(
        "phq9",
        every=1,
        answers={9: 0, 1: 3, 4: None},
        expect={"total": 10, "status": "prorated", "over_cutoff": True},
    )


def test_phq9_with_three_missing_answers_there_is_no_total(spec):
    """A partial sum is never a score; the sheet is done again. What it could have been stands beside it."""
    spec(
        "phq9",
        every=3,
        answers={4: None, 5: None, 6: None, 9: 0},
        expect={
            "total": None,
            "status": "not_scorable",
            "missing": ("4", "5", "6"),
            "between": (15, 24),
            "validity": "invalid",
            "flags": ("missing_answers",),
            "over_cutoff": False,
            "severe": False,
        },
    )


def test_phq9_item_9_fires_whatever_the_total(spec):
    """Grade C: somebody asks by the end of the next school day. Grade B: the same day."""
    spec("phq9", every=0, expect={"critical": {}, "grade": None})
    spec("phq9", every=0, answers={9: 1}, expect={"total": 1, "critical": {"9": "C answered"}, "grade": "C"})
    spec("phq9", every=0, answers={9: 2}, expect={"total": 2, "critical": {"9": "B answered"}, "grade": "B"})
    spec("phq9", every=0, answers={9: 3}, expect={"total": 3, "critical": {"9": "B answered"}, "grade": "B"})


def test_phq9_a_blank_item_9_is_asked_again_and_never_imputed(spec):
    """The total may be prorated over it; the answer is not guessed, and the symptom count is not built."""
    spec(
        "phq9",
        every=1,
        answers={9: None},
        expect={
            "total": 9,
            "status": "prorated",
            "critical": {"9": "C blank"},
            "n_symptoms": None,
            "syndrome": None,
        },
    )


def test_phq9_item_9_fires_on_a_sheet_that_cannot_be_scored(spec):
    """Critical answers do not wait for a score."""
    spec("phq9", answers={9: 3}, expect={"total": None, "validity": "invalid", "grade": "B"})


def test_phq9_a_wholly_blank_sheet_says_nothing(spec):
    """The child was absent or did not take part: that is another list, not a critical answer."""
    spec(
        "phq9",
        expect={"total": None, "grade": None, "critical": {}, "validity": "invalid", "flags": ("blank",)},
    )


def test_phq9_syndrome_counts_item_9_from_several_days_and_the_others_from_half_the_days(spec):
    """Five symptoms with one of the first two: "major"; two to four: "other" (1999 algorithm). Shown to no family."""
    spec(
        "phq9",
        every=0,
        answers={1: 2, 3: 2, 4: 2, 5: 2, 9: 1},
        expect={"n_core": 1, "n_symptoms": 5, "syndrome": "major", "total": 9},
    )
    spec("phq9", every=0, answers={2: 3, 3: 2}, expect={"n_core": 1, "n_symptoms": 2, "syndrome": "other"})
    spec("phq9", every=0, answers={1: 2}, expect={"n_core": 1, "n_symptoms": 1, "syndrome": "none"})
    spec("phq9", every=2, answers={1: 1, 2: 1}, expect={"n_core": 0, "n_symptoms": 7, "syndrome": "none"})


def test_phq9_nine_equal_answers_are_no_straight_line_and_all_zeros_are_honest(spec):
    """Nine items keyed one way can all be true; the rule needs 20 items or items keyed both ways."""
    spec("phq9", every=0, expect={"total": 0, "validity": "valid", "flags": ()})
    spec("phq9", every=2, expect={"total": 18, "validity": "valid", "flags": ()})


def test_phq9_a_sheet_filled_in_too_fast_is_doubtful_and_still_read(spec):
    """Under 1.5 seconds an item (13.5 seconds for nine) nobody reads them. Doubt lowers nothing."""
    spec(
        "phq9",
        every=3,
        conditions=SheetConditions(seconds=13),
        expect={"validity": "doubtful", "flags": ("too_fast",), "severe": True},
    )
    spec("phq9", every=3, conditions=SheetConditions(seconds=14), expect={"validity": "valid", "flags": ()})
    spec(
        "phq9",
        every=1,
        conditions=SheetConditions(helped=True, reading_trouble=True),
        expect={"flags": ("helped", "reading_trouble")},
    )
