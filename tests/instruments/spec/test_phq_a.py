about = "phq_a"


def test_phq_a_bands_begin_at_5_10_15_and_20(spec):
    """The cut-offs of the PHQ-9, kept in the adolescent form."""
    spec("phq_a", every=0, answers={1: 3, 2: 1}, expect={"total": 4, "band": "minimal"})
    spec("phq_a", every=0, answers={1: 3, 2: 2}, expect={"total": 5, "band": "mild"})
    spec("phq_a", every=1, answers={9: 0, 1: 2}, expect={"total": 9, "band": "mild", "over_cutoff": False})
    spec(
        "phq_a", every=1, answers={9: 0, 1: 3}, expect={"total": 10, "band": "moderate", "over_cutoff": True}
    )
    spec("phq_a", every=2, answers={9: 0, 1: 0}, expect={"total": 14, "band": "moderate"})
    spec(
        "phq_a",
        every=2,
        answers={9: 0, 1: 1},
        expect={"total": 15, "band": "moderately_severe", "severe": False},
    )
    spec(
        "phq_a",
        every=3,
        answers={1: 0, 2: 0, 3: 1},
        expect={"total": 19, "band": "moderately_severe", "severe": False},
    )
    spec("phq_a", every=3, answers={1: 0, 2: 0, 3: 2}, expect={"total": 20, "band": "severe", "severe": True})


def test_phq_a_extra_items_are_in_no_score_and_may_stay_blank(spec):
    """x1 to x4 are recorded; a blank one fires nothing and prorates nothing."""
    spec(
        "phq_a",
        every=1,
        answers={9: 0},
        expect={"total": 8, "status": "scored", "missing": (), "critical": {}},
    )
    spec(
        "phq_a", every=0, answers={"x1": 1, "x2": 3}, expect={"total": 0, "critical": {}, "validity": "valid"}
    )


def test_phq_a_past_month_thoughts_or_a_past_attempt_are_grade_c_and_both_together_b(spec):
    """Project rule for critical answers; items x3 and x4 themselves are known from memory."""
    spec("phq_a", every=0, answers={"x3": 1, "x4": 0}, expect={"total": 0, "critical": {"x3": "C answered"}})
    spec("phq_a", every=0, answers={"x4": 1}, expect={"critical": {"x4": "C answered"}, "grade": "C"})
    spec(
        "phq_a",
        every=0,
        answers={"x3": 1, "x4": 1},
        expect={"critical": {"x3": "B answered", "x4": "B answered"}, "grade": "B"},
    )


def test_phq_a_item_9_is_graded_as_in_the_phq9(spec):
    """1 or blank: C. 2 or 3: B. The worst answer gives the grade of the sheet."""
    spec("phq_a", every=0, answers={9: 1}, expect={"grade": "C"})
    spec(
        "phq_a",
        every=0,
        answers={9: None},
        expect={"critical": {"9": "C blank"}, "total": 0, "status": "prorated"},
    )
    spec(
        "phq_a",
        every=0,
        answers={9: 2, "x4": 1},
        expect={"critical": {"9": "B answered", "x4": "C answered"}, "grade": "B"},
    )


def test_phq_a_two_missing_answers_are_prorated_and_three_are_not(spec):
    """9 × 12 / 8 = 13.5 is 14."""
    spec(
        "phq_a",
        every=1,
        answers={9: 0, 1: None, 2: 3, 3: 3, 4: 2},
        expect={"total": 14, "status": "prorated", "missing": ("1",)},
    )
    spec(
        "phq_a",
        every=1,
        answers={9: 0, 1: None, 2: None, 3: None},
        expect={"total": None, "between": (5, 14), "validity": "invalid"},
    )
