about = "k6"


def test_k6_bands_begin_at_5_and_13(spec):
    """13 and more is the published cut-off for serious distress, 5 for moderate."""
    spec("k6", every=0, answers={1: 4}, expect={"total": 4, "band": "low", "over_cutoff": False})
    spec("k6", every=0, answers={1: 4, 2: 1}, expect={"total": 5, "band": "moderate", "over_cutoff": False})
    spec("k6", every=2, expect={"total": 12, "band": "moderate", "over_cutoff": False})
    spec("k6", every=2, answers={6: 3}, expect={"total": 13, "band": "serious", "over_cutoff": True})


def test_k6_is_coded_0_to_4(spec):
    """Four is "all of the time"; the highest total is 24."""
    spec("k6", every=4, expect={"total": 24, "severe": False})


def test_k6_one_blank_and_there_is_no_score(spec):
    """Nothing is published for a blank."""
    spec("k6", every=4, answers={1: None}, expect={"total": None, "between": (20, 24), "validity": "invalid"})
