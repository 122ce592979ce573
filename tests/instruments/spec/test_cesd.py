about = "cesd"


def test_cesd_four_items_count_the_other_way(spec):
    """Items 4, 8, 12 and 16 speak of good days: scored 3 - answer."""
    spec("cesd", every=0, expect={"total": 12, "band": None, "over_cutoff": False})
    spec("cesd", every=0, answers={4: 3, 8: 3, 12: 3, 16: 3}, expect={"total": 0})
    spec("cesd", every=3, expect={"total": 48, "flags": ("straight_line",), "validity": "doubtful"})


def test_cesd_chinese_students_are_shown_by_24_and_29(spec):
    """The optimum for Chinese students (2016): 24 any disorder possible, 29 major depression possible."""
    spec(
        "cesd",
        every=1,
        answers={4: 2, 8: 2, 12: 1, 16: 1, 1: 2},
        expect={"total": 23, "band": None, "over_cutoff": False},
    )
    spec("cesd", every=1, expect={"total": 24, "band": "any", "over_cutoff": True})
    spec("cesd", every=1, answers=dict.fromkeys((1, 2, 3, 5), 2), expect={"total": 28, "band": "any"})
    spec(
        "cesd",
        every=1,
        answers=dict.fromkeys((1, 2, 3, 5, 6), 2),
        expect={"total": 29, "band": "mdd", "severe": False},
    )


def test_cesd_up_to_four_blanks_are_filled_with_the_mean_of_the_others(spec):
    """Rounded half up in whole numbers: 10 points on 16 answers are 12.5, so 13."""
    spec(
        "cesd",
        every=0,
        answers={4: 3, 8: 3, 12: 3, 16: 3, 1: 3, 2: 3, 3: 3, 5: 1, 17: None, 18: None, 19: None, 20: None},
        expect={"total": 13, "status": "prorated", "missing": ("17", "18", "19", "20")},
    )
    spec("cesd", every=1, answers=dict.fromkeys(range(1, 6)), expect={"total": None, "validity": "invalid"})
