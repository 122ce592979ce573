about = "rses"


def test_rses_in_the_english_order_items_2_5_6_8_and_9_count_the_other_way(spec):
    """Coded 1 to 4, scored 5 - answer. Below 25 is low (below 15 in the coding 0-30)."""
    spec("rses", every=1, expect={"total": 25, "band": "ok"})
    spec("rses", every=4, answers=dict.fromkeys((2, 5, 6, 8, 9), 1), expect={"total": 40, "band": "ok"})
    spec(
        "rses",
        every=1,
        answers=dict.fromkeys((2, 5, 6, 8, 9), 4),
        expect={"total": 10, "band": "low", "over_cutoff": False},
    )
    spec("rses", every=2, expect={"total": 25, "flags": ("straight_line",)})
    spec("rses", every=2, answers={2: 3}, expect={"total": 24, "band": "low"})


def test_rses_in_the_chinese_order_items_3_5_8_9_and_10_count_the_other_way(spec):
    """The handbook of 1993. The same answers give another total: the order is kept with the sheet."""
    spec(
        "rses",
        every=4,
        answers=dict.fromkeys((3, 5, 8, 9, 10), 1),
        layout="chinese_1993",
        expect={"total": 40},
    )
    spec(
        "rses",
        every=4,
        answers=dict.fromkeys((2, 5, 6, 8, 9), 1),
        layout="chinese_1993",
        expect={"total": 28},
    )
    spec(
        "rses",
        every=1,
        answers=dict.fromkeys((3, 5, 8, 9, 10), 4),
        layout="chinese_1993",
        expect={"total": 10, "band": "low"},
    )


def test_rses_one_blank_and_there_is_no_score(spec):
    """Nothing is published for a blank."""
    spec("rses", every=2, answers={1: None}, expect={"total": None, "missing": ("1",), "between": (24, 27)})
