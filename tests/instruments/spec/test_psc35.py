from instruments import SheetConditions

about = "psc35"


def test_psc35_cuts_at_28_from_six_years_on(spec):
    """Cut-off of the Massachusetts General Hospital for ages 6-18."""
    spec(
        "psc35",
        every=0,
        answers=dict.fromkeys(range(1, 15), 2),
        conditions=SheetConditions(age=9),
        expect={"total": 28, "band": "positive", "over_cutoff": True},
    )
    spec(
        "psc35",
        every=0,
        answers={**dict.fromkeys(range(1, 14), 2), 14: 1},
        conditions=SheetConditions(age=6),
        expect={"total": 27, "band": None, "over_cutoff": False},
    )


def test_psc35_below_six_four_items_are_left_out_and_the_cut_off_is_24(spec):
    """Items 5, 6, 17 and 18 speak of school. An answer to one of them is left out and makes the sheet doubtful."""
    spec(
        "psc35",
        every=0,
        answers={**dict.fromkeys(range(20, 32), 2), 5: None, 6: None, 17: None, 18: None},
        conditions=SheetConditions(age=5),
        expect={"total": 24, "band": "positive", "over_cutoff": True, "missing": (), "validity": "valid"},
    )
    spec(
        "psc35",
        every=2,
        conditions=SheetConditions(age=5),
        expect={"total": 62, "flags": ("contradiction", "straight_line")},
    )
    spec("psc35", every=2, conditions=SheetConditions(age=6), expect={"total": 70})


def test_psc35_three_blanks_count_zero_and_four_make_the_form_unfit(spec):
    """The same rule as in the short form; scales of the short form stand inside this one."""
    spec(
        "psc35",
        every=1,
        answers={1: None, 2: None, 4: None},
        expect={"total": 32, "attention": 4, "internalising": 5},
    )
    spec(
        "psc35",
        every=1,
        answers={1: None, 2: None, 3: None, 4: None},
        expect={"total": None, "internalising": None, "validity": "invalid"},
    )
    spec("psc35", every=0, answers={13: 2}, expect={"critical": {"13": "R answered"}, "internalising": 2})
