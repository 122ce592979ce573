about = "dass21"


def test_dass21_each_scale_is_doubled(spec):
    """Seven items each, times two. No total exists, so no cut-off of it decides a level."""
    spec("dass21", every=1, expect={"depression": 14, "anxiety": 14, "stress": 14, "over_cutoff": False})
    spec(
        "dass21",
        every=0,
        answers={3: 3, 5: 1},
        expect={"depression": 8, "depression_band": "normal", "anxiety": 0, "stress": 0},
    )
    spec("dass21", every=0, answers={3: 3, 5: 2}, expect={"depression": 10, "depression_band": "mild"})
    spec("dass21", every=0, answers={2: 3, 4: 1}, expect={"anxiety": 8, "anxiety_band": "mild"})
    spec("dass21", every=0, answers={1: 3, 6: 3, 8: 2}, expect={"stress": 16, "stress_band": "mild"})
    spec("dass21", every=3, expect={"depression": 42, "depression_band": "extreme", "severe": False})


def test_dass21_one_blank_in_a_scale_is_filled_before_doubling(spec):
    """Ten points on six answers: 7 × 10 / 6 = 11.67, rounded to 12, doubled to 24."""
    spec(
        "dass21",
        every=0,
        answers={3: 3, 5: 3, 10: 3, 13: 1, 21: None},
        expect={"depression": 24, "depression_status": "prorated", "anxiety_status": "scored"},
    )
    spec(
        "dass21",
        every=1,
        answers={3: None, 5: None},
        expect={
            "depression": None,
            "depression_status": "not_scorable",
            "anxiety": 14,
            "missing": ("3", "5"),
        },
    )


def test_dass21_item_21_is_reviewed_from_a_considerable_degree(spec):
    """Life meaningless: grade R."""
    spec("dass21", every=0, answers={21: 2}, expect={"critical": {"21": "R answered"}, "depression": 4})
    spec("dass21", every=0, answers={21: 1}, expect={"grade": None})
