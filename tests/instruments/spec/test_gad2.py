about = "gad2"


def test_gad2_positive_from_three(spec):
    """Cut-off 3, read in one source (certainty B)."""
    spec("gad2", answers={1: 2, 2: 0}, expect={"total": 2, "band": "negative", "over_cutoff": False})
    spec("gad2", answers={1: 0, 2: 3}, expect={"total": 3, "band": "positive", "over_cutoff": True})
    spec("gad2", every=3, expect={"total": 6, "grade": None})


def test_gad2_one_blank_and_there_is_no_score(spec):
    """A partial sum is never a score."""
    spec("gad2", answers={2: 3}, expect={"total": None, "missing": ("1",), "flags": ("missing_answers",)})
