about = "scl90"


def test_scl90_total_means_and_counts(spec):
    """Coded 1 to 5. The rule "over 160" is 161 and more; 44 positive items; a factor of two and more."""
    spec(
        "scl90",
        every=1,
        expect={
            "total": 90,
            "gsi": 1,
            "n_positive": 0,
            "n_negative": 90,
            "psdi": None,
            "band": None,
            "validity": "valid",
        },
    )
    spec(
        "scl90",
        every=1,
        answers=dict.fromkeys(range(1, 71), 2),
        expect={
            "total": 160,
            "band": None,
            "over_cutoff": False,
            "n_positive": 70,
            "n_positive_band": "positive",
        },
    )
    spec(
        "scl90",
        every=1,
        answers=dict.fromkeys(range(1, 72), 2),
        expect={"total": 161, "band": "positive", "over_cutoff": True, "gsi": 1.79},
    )
    spec(
        "scl90",
        every=1,
        answers=dict.fromkeys(range(1, 44), 2),
        expect={"n_positive": 43, "n_positive_band": None, "n_negative": 47},
    )


def test_scl90_the_unrounded_mean_of_a_factor_meets_the_cut_off(spec):
    """Depression has thirteen items: 25 points are 1.92, 26 are 2."""
    factor = (5, 14, 15, 20, 22, 26, 29, 30, 31, 32, 54, 71, 79)
    spec(
        "scl90",
        every=1,
        answers=dict.fromkeys(factor[:12], 2),
        expect={"depression": 1.92, "depression_band": None},
    )
    spec(
        "scl90",
        every=1,
        answers=dict.fromkeys(factor, 2),
        expect={"depression": 2, "depression_band": "positive"},
    )


def test_scl90_mean_of_the_positive_items(spec):
    """(Total − negative items) ÷ positive items: here (95 − 87) ÷ 3 = 2.67."""
    spec("scl90", every=1, answers={1: 2, 2: 3, 3: 3}, expect={"total": 95, "n_positive": 3, "psdi": 2.67})


def test_scl90_items_15_and_59_ring_and_63_and_16_are_reviewed(spec):
    """Ending one's life: slight C, moderate B. Thoughts of death from moderate: C. Harm and voices: R."""
    spec("scl90", every=1, answers={15: 2}, expect={"critical": {"15": "C answered"}})
    spec("scl90", every=1, answers={15: 3}, expect={"grade": "B"})
    spec("scl90", every=1, answers={59: 3}, expect={"grade": "C"})
    spec("scl90", every=1, answers={59: 2}, expect={"grade": None})
    spec(
        "scl90",
        every=1,
        answers={63: 4, 16: 3},
        expect={"critical": {"16": "R answered", "63": "R answered"}},
    )


def test_scl90_one_blank_takes_its_factor_and_all_that_counts_all_items(spec):
    """Item 19 is one of the additional ones."""
    spec(
        "scl90",
        every=2,
        answers={19: None},
        expect={
            "total": None,
            "gsi": None,
            "psdi": None,
            "additional": None,
            "anxiety": 2,
            "missing": ("19",),
        },
    )
