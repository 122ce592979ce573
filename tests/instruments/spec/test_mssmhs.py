about = "mssmhs"


def test_mssmhs_scales_are_means_of_six_and_the_unrounded_mean_meets_the_cut_off(spec):
    """Two and more asks for attention: 11 points on six items print as 1.83, 12 as 2."""
    spec("mssmhs", every=1, expect={"total": 1, "depression": 1, "band": None, "depression_band": None})
    spec(
        "mssmhs",
        every=1,
        answers={5: 5, 13: 2},
        expect={"depression": 1.83, "depression_band": None, "total": 1.08},
    )
    spec(
        "mssmhs",
        every=1,
        answers={5: 5, 13: 3},
        expect={"depression": 2, "depression_band": "positive", "over_cutoff": False},
    )


def test_mssmhs_the_total_mean_just_below_two_is_below(spec):
    """119 points on sixty items are 1.98; 120 are 2."""
    spec("mssmhs", every=2, answers={1: 1}, expect={"total": 1.98, "band": None, "over_cutoff": False})
    spec("mssmhs", every=2, expect={"total": 2, "band": "positive", "over_cutoff": True})


def test_mssmhs_a_blank_takes_its_own_scale_and_the_total(spec):
    """The other nine scales have their six answers."""
    spec(
        "mssmhs",
        every=1,
        answers={3: None},
        expect={
            "obsession": None,
            "obsession_status": "not_scorable",
            "paranoia": 1,
            "total": None,
            "missing": ("3",),
        },
    )


def test_mssmhs_item_57_rings_from_slight_and_item_52_is_reviewed_from_marked(spec):
    """Suicidal thoughts: slight is grade C, moderate and more grade B. The urge to hurt others is grade R."""
    spec("mssmhs", every=1, answers={57: 2}, expect={"critical": {"57": "C answered"}, "grade": "C"})
    spec("mssmhs", every=1, answers={57: 3}, expect={"critical": {"57": "B answered"}, "grade": "B"})
    spec("mssmhs", every=1, answers={52: 4}, expect={"critical": {"52": "R answered"}, "grade": "R"})
    spec("mssmhs", every=1, answers={52: 3}, expect={"grade": None})
    spec("mssmhs", answers={57: 5}, expect={"total": None, "validity": "invalid", "grade": "B"})
