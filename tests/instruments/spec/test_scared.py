about = "scared"


def test_scared_cuts_at_25_and_each_scale_has_its_own_cut_off(spec):
    """Total 25; panic 7, generalised 9, separation 5, social 8, school 3 (two sources)."""
    spec(
        "scared",
        every=0,
        answers={1: 2, 6: 2, 9: 2, 12: 1},
        expect={"panic": 7, "panic_band": "positive", "total": 7, "band": "negative"},
    )
    spec("scared", every=0, answers={5: 2, 7: 2, 14: 2, 21: 2}, expect={"gad": 8, "gad_band": None})
    spec(
        "scared",
        every=0,
        answers={5: 2, 7: 2, 14: 2, 21: 2, 23: 1},
        expect={"gad": 9, "gad_band": "positive"},
    )
    spec(
        "scared",
        every=0,
        answers={4: 2, 8: 2, 13: 1},
        expect={"separation": 5, "separation_band": "positive"},
    )
    spec("scared", every=0, answers={3: 2, 10: 2, 26: 2, 32: 1}, expect={"social": 7, "social_band": None})
    spec("scared", every=0, answers={2: 2, 36: 1}, expect={"school": 3, "school_band": "positive"})


def test_scared_a_total_of_24_is_below_and_25_is_over_the_cut_off(spec):
    """The set "standard"; a Chinese set begins at 23 (certainty B) and is shown when asked for."""
    spec(
        "scared", every=0, answers=dict.fromkeys(range(1, 13), 2), expect={"total": 24, "over_cutoff": False}
    )
    spec(
        "scared",
        every=0,
        answers={**dict.fromkeys(range(1, 13), 2), 13: 1},
        expect={"total": 25, "band": "positive", "over_cutoff": True},
    )


def test_scared_one_blank_and_its_scale_and_the_total_are_not_built(spec):
    """Item 41 belongs to social anxiety."""
    spec(
        "scared",
        every=1,
        answers={41: None},
        expect={"total": None, "social": None, "panic": 13, "missing": ("41",), "between": (40, 42)},
    )
