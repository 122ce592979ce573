about = "phq2"


def test_phq2_positive_from_three(spec):
    """Cut-off 3 (hippocrates; Chinese students 11-18): a positive sheet leads to the full form."""
    spec("phq2", every=1, expect={"total": 2, "band": "negative", "over_cutoff": False})
    spec("phq2", answers={1: 1, 2: 2}, expect={"total": 3, "band": "positive", "over_cutoff": True})
    spec("phq2", every=3, expect={"total": 6, "band": "positive", "severe": False})


def test_phq2_one_blank_and_there_is_no_score(spec):
    """Nothing is published for a blank: it is asked again. What it could have been stands beside it."""
    spec(
        "phq2",
        answers={1: 3},
        expect={
            "total": None,
            "status": "not_scorable",
            "missing": ("2",),
            "between": (3, 6),
            "validity": "invalid",
        },
    )
