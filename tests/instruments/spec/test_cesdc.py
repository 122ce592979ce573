about = "cesdc"


def test_cesdc_four_items_count_the_other_way(spec):
    """Items 4, 8, 12 and 16, as in the form for adults."""
    spec("cesdc", every=0, expect={"total": 12, "band": "negative"})
    spec("cesdc", every=0, answers={4: 3, 8: 3, 12: 3, 16: 3}, expect={"total": 0})


def test_cesdc_possible_depression_from_16(spec):
    """The source names 15 and then speaks of above 15."""
    spec("cesdc", every=0, answers={1: 3}, expect={"total": 15, "band": "negative", "over_cutoff": False})
    spec(
        "cesdc", every=0, answers={1: 3, 2: 1}, expect={"total": 16, "band": "positive", "over_cutoff": True}
    )


def test_cesdc_one_blank_and_there_is_no_score(spec):
    """Unlike the form for adults nothing is filled in: no rule was read."""
    spec(
        "cesdc", every=1, answers={20: None}, expect={"total": None, "missing": ("20",), "between": (23, 26)}
    )
