about = "uls6"


def test_uls6_is_a_plain_sum_without_bands(spec):
    """Coded 1 to 4; no cut-off is accepted."""
    spec("uls6", every=1, expect={"total": 6, "band": None, "over_cutoff": False})
    spec("uls6", every=4, expect={"total": 24, "band": None, "over_cutoff": False, "validity": "valid"})
    spec("uls6", every=2, answers={3: 4}, expect={"total": 14})


def test_uls6_one_blank_and_there_is_no_score(spec):
    """Nothing is published for a blank."""
    spec("uls6", every=2, answers={6: None}, expect={"total": None, "missing": ("6",), "between": (11, 14)})


def test_uls6_asks_nothing_about_safety(spec):
    """The highest sheet rings nobody."""
    spec("uls6", every=4, expect={"critical": {}})
