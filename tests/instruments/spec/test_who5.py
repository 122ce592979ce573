about = "who5"


def test_who5_is_four_times_the_raw_score_and_low_is_the_end_of_concern(spec):
    """50 or less is low, 28 or less asks for more. Scores move in steps of four, so 48 is the first low one."""
    spec("who5", every=5, expect={"raw": 25, "total": 100, "band": "ok", "over_cutoff": False})
    spec(
        "who5",
        answers={1: 3, 2: 3, 3: 3, 4: 2, 5: 2},
        expect={"raw": 13, "total": 52, "band": "ok", "over_cutoff": False},
    )
    spec(
        "who5",
        answers={1: 3, 2: 3, 3: 2, 4: 2, 5: 2},
        expect={"raw": 12, "total": 48, "band": "low", "over_cutoff": True},
    )
    spec("who5", answers={1: 2, 2: 2, 3: 2, 4: 1, 5: 1}, expect={"raw": 8, "total": 32, "band": "low"})
    spec("who5", answers={1: 2, 2: 2, 3: 1, 4: 1, 5: 1}, expect={"raw": 7, "total": 28, "band": "very_low"})
    spec(
        "who5",
        every=0,
        expect={"raw": 0, "total": 0, "band": "very_low", "over_cutoff": True, "validity": "valid"},
    )


def test_who5_one_blank_and_there_is_neither_score(spec):
    """A sheet without a score is on neither side of a cut-off."""
    spec(
        "who5",
        every=0,
        answers={3: None},
        expect={"raw": None, "total": None, "missing": ("3",), "over_cutoff": False},
    )


def test_who5_nine_is_not_an_answer_and_five_is_the_best_one(spec):
    """Coded 5 (all of the time) to 0 (at no time)."""
    spec("who5", every=0, answers={1: 5}, expect={"raw": 5, "total": 20})
