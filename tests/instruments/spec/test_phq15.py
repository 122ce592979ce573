from instruments import SheetConditions
from instruments.definition import Sex

about = "phq15"


def test_phq15_bands_begin_at_5_10_and_15(spec):
    """Fifteen items, 0 to 2; no cut-off of it decides a level."""
    spec(
        "phq15",
        every=0,
        answers=dict.fromkeys((1, 2, 3, 5), 1),
        expect={"total": 4, "band": "minimal", "n_severe": 0},
    )
    spec("phq15", every=0, answers={1: 2, 2: 2, 3: 1}, expect={"total": 5, "band": "mild", "n_severe": 2})
    spec(
        "phq15",
        every=0,
        answers=dict.fromkeys((1, 2, 3, 5, 6), 2),
        expect={"total": 10, "band": "moderate", "n_severe": 5},
    )
    spec(
        "phq15",
        every=1,
        conditions=SheetConditions(sex=Sex.FEMALE),
        expect={"total": 15, "band": "severe", "over_cutoff": False},
    )


def test_phq15_a_boy_has_fourteen_items(spec):
    """Item 4 is not asked of boys: a blank there is nothing missing, an answer is left out and noticed."""
    spec(
        "phq15",
        every=2,
        answers={4: None},
        conditions=SheetConditions(sex=Sex.MALE),
        expect={"total": 28, "n_severe": 14, "missing": (), "validity": "valid"},
    )
    spec(
        "phq15",
        every=2,
        conditions=SheetConditions(sex=Sex.MALE),
        expect={"total": 28, "flags": ("contradiction",), "validity": "doubtful"},
    )
    spec("phq15", every=2, conditions=SheetConditions(sex=Sex.FEMALE), expect={"total": 30, "n_severe": 15})


def test_phq15_a_girl_or_nobody_known_who_left_item_4_blank_has_no_score(spec):
    """Of somebody whose sex is not known the item counts as asked."""
    spec(
        "phq15",
        every=0,
        answers={4: None},
        conditions=SheetConditions(sex=Sex.FEMALE),
        expect={"total": None, "missing": ("4",)},
    )
    spec("phq15", every=0, answers={4: None}, expect={"total": None, "n_severe": None, "missing": ("4",)})
