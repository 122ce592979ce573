about = "dsrsc"


def test_dsrsc_ten_items_count_the_other_way(spec):
    """Items 1, 2, 4, 7, 8, 9, 11, 12, 13 and 16 speak of good things: 2 - answer."""
    spec("dsrsc", every=0, expect={"total": 20, "band": "positive"})
    spec(
        "dsrsc",
        every=2,
        answers=dict.fromkeys((3, 5, 6, 10, 14, 15, 17, 18), 0),
        expect={"total": 0, "band": "negative"},
    )
    spec("dsrsc", every=1, expect={"total": 18, "flags": ("straight_line",)})


def test_dsrsc_possible_depression_from_15(spec):
    """The norm of 14 Chinese cities. Other sets begin at 13 and 14."""
    good = dict.fromkeys((1, 2, 4, 7, 8, 9, 11, 12, 13, 16), 1)
    spec(
        "dsrsc",
        every=0,
        answers={**good, 3: 2, 6: 2},
        expect={"total": 14, "band": "negative", "over_cutoff": False},
    )
    spec(
        "dsrsc",
        every=0,
        answers={**good, 3: 2, 6: 2, 14: 1},
        expect={"total": 15, "band": "positive", "over_cutoff": True},
    )


def test_dsrsc_item_10_rings_and_5_and_17_are_reviewed(spec):
    """Life not worth it: sometimes C, often B. Wanting to run away and unbearable sadness, often: R."""
    spec("dsrsc", every=0, answers={10: 1}, expect={"critical": {"10": "C answered"}})
    spec("dsrsc", every=0, answers={10: 2}, expect={"grade": "B"})
    spec(
        "dsrsc", every=0, answers={5: 2, 17: 2}, expect={"critical": {"5": "R answered", "17": "R answered"}}
    )
    spec("dsrsc", answers={10: 2}, expect={"total": None, "validity": "invalid", "grade": "B"})
