about = "smfq"


def test_smfq_possible_depression_from_12(spec):
    """Thirteen items, 0 to 2, higher is worse."""
    spec(
        "smfq", every=1, answers={1: 0, 2: 0}, expect={"total": 11, "band": "negative", "over_cutoff": False}
    )
    spec("smfq", every=1, answers={1: 0}, expect={"total": 12, "band": "positive", "over_cutoff": True})
    spec("smfq", every=2, expect={"total": 26, "severe": False, "validity": "valid"})


def test_smfq_one_blank_and_there_is_no_score(spec):
    """Nothing is published for a blank."""
    spec("smfq", every=2, answers={13: None}, expect={"total": None, "missing": ("13",), "between": (24, 26)})


def test_smfq_asks_nothing_about_safety(spec):
    """The short form has no item on self-harm, and its result says so."""
    spec("smfq", every=2, expect={"critical": {}, "grade": None})
