about = "gad7"


def test_gad7_bands_begin_at_5_10_and_15(spec):
    """Spitzer et al. 2006. A published data file has 0-5 and 5-9; 5 is mild."""
    spec("gad7", every=0, answers={1: 3, 2: 1}, expect={"total": 4, "band": "minimal"})
    spec("gad7", every=0, answers={1: 3, 2: 2}, expect={"total": 5, "band": "mild"})
    spec("gad7", every=1, answers={1: 3}, expect={"total": 9, "band": "mild", "over_cutoff": False})
    spec("gad7", every=1, answers={1: 3, 2: 2}, expect={"total": 10, "band": "moderate", "over_cutoff": True})
    spec("gad7", every=2, expect={"total": 14, "band": "moderate", "severe": False})
    spec("gad7", every=2, answers={1: 3}, expect={"total": 15, "band": "severe", "severe": True})
    spec("gad7", every=3, expect={"total": 21, "band": "severe", "severe": True, "validity": "valid"})


def test_gad7_a_half_is_rounded_up_to_the_cut_off_and_never_to_the_even_number(spec):
    """7 × 9 / 6 = 10.5 is 11, 7 × 3 / 6 = 3.5 is 4; 7 × 8 / 6 = 9.33 is 9."""
    spec(
        "gad7",
        every=1,
        answers={1: 3, 2: 2, 3: None},
        expect={"total": 11, "status": "prorated", "over_cutoff": True},
    )
    spec(
        "gad7",
        every=1,
        answers={1: 3, 2: 1, 3: None},
        expect={"total": 9, "status": "prorated", "over_cutoff": False},
    )
    spec(
        "gad7", every=0, answers={1: 3, 7: None}, expect={"total": 4, "status": "prorated", "band": "minimal"}
    )


def test_gad7_two_missing_answers_are_prorated_and_three_are_not(spec):
    """Five answers of seven are needed."""
    spec(
        "gad7",
        every=2,
        answers={6: None, 7: None},
        expect={"total": 14, "status": "prorated", "missing": ("6", "7")},
    )
    spec(
        "gad7",
        every=2,
        answers={5: None, 6: None, 7: None},
        expect={"total": None, "between": (8, 17), "flags": ("missing_answers",)},
    )


def test_gad7_asks_nothing_about_safety(spec):
    """No item is critical; the result says that the sheet did not ask."""
    spec("gad7", every=3, expect={"critical": {}, "grade": None})
