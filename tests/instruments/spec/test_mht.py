about = "mht"

HONEST = dict.fromkeys((82, 84, 86, 88, 90, 92, 94, 96, 98, 100), 0)
IMPULSIVE = (81, 83, 85, 87, 89, 91, 93, 95, 97, 99)


def yes(*numbers):
    return dict.fromkeys(numbers, 1)


def test_mht_each_scale_has_its_own_items(spec):
    """Item numbers as in two independent scorers; item 100 is a validity item, not loneliness."""
    spec(
        "mht",
        every=0,
        answers=yes(*range(1, 16)),
        expect={"study_anxiety": 15, "social_anxiety": 0, "total": 15},
    )
    spec(
        "mht",
        every=0,
        answers=yes(*range(16, 26)),
        expect={"social_anxiety": 10, "study_anxiety": 0, "total": 10},
    )
    spec("mht", every=0, answers=yes(*range(26, 36)), expect={"loneliness": 10, "total": 10})
    spec("mht", every=0, answers=yes(*range(36, 46)), expect={"self_blame": 10, "total": 10})
    spec("mht", every=0, answers=yes(*range(46, 56)), expect={"sensitivity": 10, "total": 10})
    spec("mht", every=0, answers=yes(*range(56, 71)), expect={"somatic": 15, "total": 15})
    spec("mht", every=0, answers=yes(*range(71, 81)), expect={"phobia": 10, "total": 10})
    spec("mht", every=0, answers=yes(*IMPULSIVE), expect={"impulsive": 10, "validity": "valid", "total": 10})
    spec("mht", every=0, answers=yes(100), expect={"loneliness": 0, "total": 0})


def test_mht_the_total_cuts_at_65(spec):
    """65 and more asks for an individual plan. It is both the screening cut-off and the severe floor."""
    spec(
        "mht",
        every=0,
        answers=yes(*range(1, 65)),
        expect={"total": 64, "band": None, "over_cutoff": False, "severe": False},
    )
    spec(
        "mht",
        every=0,
        answers=yes(*range(1, 66)),
        expect={"total": 65, "band": "high", "over_cutoff": True, "severe": True},
    )


def test_mht_scales_are_low_to_3_and_high_from_8(spec):
    """The same cut-offs for scales of 10 and of 15 items."""
    spec("mht", every=0, answers=yes(*range(1, 4)), expect={"study_anxiety": 3, "study_anxiety_band": "low"})
    spec("mht", every=0, answers=yes(*range(1, 5)), expect={"study_anxiety": 4, "study_anxiety_band": "mid"})
    spec("mht", every=0, answers=yes(*range(56, 63)), expect={"somatic": 7, "somatic_band": "mid"})
    spec("mht", every=0, answers=yes(*range(56, 64)), expect={"somatic": 8, "somatic_band": "high"})
    spec("mht", every=0, answers=yes(*range(26, 34)), expect={"loneliness": 8, "loneliness_band": "high"})


def test_mht_seven_on_the_validity_scale_makes_the_sheet_invalid(spec):
    """ "7分以上" read as 7 or more. It is then not interpreted, whatever the total."""
    six = yes(82, 84, 86, 88, 90, 92)
    spec(
        "mht",
        every=0,
        answers={**yes(*range(1, 71)), **six},
        expect={"total": 70, "validity": "valid", "severe": True},
    )
    spec(
        "mht",
        every=0,
        answers={**yes(*range(1, 71)), **six, 94: 1},
        expect={
            "total": 70,
            "validity": "invalid",
            "flags": ("validity_scale",),
            "over_cutoff": False,
            "severe": False,
        },
    )


def test_mht_one_missing_answer_means_no_total_but_a_lowest_and_a_highest(spec):
    """No proration is published: every question is to be answered."""
    spec(
        "mht",
        every=0,
        answers={**yes(*range(16, 80)), 1: None},
        expect={
            "total": None,
            "status": "not_scorable",
            "missing": ("1",),
            "between": (64, 65),
            "study_anxiety": None,
            "social_anxiety": 10,
            "validity": "invalid",
            "flags": ("missing_answers",),
        },
    )


def test_mht_a_missing_validity_answer_leaves_the_sheet_unfit(spec):
    """The total has its 90 items, but nobody can say whether the sheet is valid."""
    spec(
        "mht",
        every=0,
        answers={82: None},
        expect={"total": 0, "validity": "invalid", "flags": ("missing_answers",)},
    )


def test_mht_death_wish_and_urge_to_jump_are_grade_c_and_urge_to_go_away_is_reviewed(spec):
    """Items 85 and 97 ask for a safety talk, 89 for a review within ten working days."""
    spec("mht", every=0, answers=yes(85), expect={"critical": {"85": "C answered"}, "grade": "C", "total": 1})
    spec("mht", every=0, answers=yes(97), expect={"critical": {"97": "C answered"}, "grade": "C"})
    spec("mht", every=0, answers=yes(89), expect={"critical": {"89": "R answered"}, "grade": "R"})
    spec("mht", every=0, answers=yes(85, 89, 97), expect={"grade": "C", "total": 3})


def test_mht_critical_answers_fire_on_an_invalid_sheet_and_a_blank_one_does_not(spec):
    """A lie scale says nothing about a death wish. Only PHQ item 9 also fires when left blank."""
    spec("mht", every=0, answers=yes(85, *HONEST), expect={"validity": "invalid", "grade": "C"})
    spec("mht", every=0, answers={85: None}, expect={"grade": None, "validity": "invalid"})


def test_mht_all_zeros_are_honest_and_all_yes_is_a_straight_line(spec):
    """One hundred times yes is also invalid by the validity scale."""
    spec("mht", every=0, expect={"total": 0, "validity": "valid", "flags": ()})
    spec("mht", every=1, expect={"flags": ("validity_scale", "straight_line"), "validity": "invalid"})
