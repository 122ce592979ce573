about = "psc17"


def test_psc17_three_scales_and_a_total(spec):
    """Cut-offs 15 in all, 5 internalising, 7 attention, 7 externalising."""
    spec(
        "psc17",
        every=0,
        answers={2: 2, 6: 1, 9: 2},
        expect={"internalising": 5, "internalising_band": "positive", "total": 5, "band": None},
    )
    spec("psc17", every=0, answers={1: 2, 3: 2, 7: 2}, expect={"attention": 6, "attention_band": None})
    spec(
        "psc17",
        every=0,
        answers={1: 2, 3: 2, 7: 2, 13: 1},
        expect={"attention": 7, "attention_band": "positive"},
    )
    spec(
        "psc17",
        every=0,
        answers={4: 2, 5: 2, 8: 2, 10: 1},
        expect={"externalising": 7, "externalising_band": "positive"},
    )
    spec(
        "psc17", every=1, answers={1: 0, 2: 0}, expect={"total": 15, "band": "positive", "over_cutoff": True}
    )
    spec(
        "psc17", every=1, answers={1: 0, 2: 0, 3: 0}, expect={"total": 14, "band": None, "over_cutoff": False}
    )


def test_psc17_three_blanks_count_zero_and_four_make_the_form_unfit(spec):
    """Instructions of 2008: blanks count 0; with four or more nothing is scored, not even a complete scale."""
    spec(
        "psc17",
        every=1,
        answers={1: None, 3: None, 7: None},
        expect={
            "total": 14,
            "attention": 2,
            "status": "scored",
            "missing": ("1", "3", "7"),
            "validity": "valid",
        },
    )
    spec(
        "psc17",
        every=1,
        answers={1: None, 3: None, 7: None, 13: None},
        expect={"total": None, "internalising": None, "status": "not_scorable", "validity": "invalid"},
    )


def test_psc17_in_the_grouped_order_the_scales_are_blocks(spec):
    """The other official order: internalising 1-5, attention 6-10, externalising 11-17. "Hopeless" is item 2 there."""
    spec(
        "psc17",
        every=0,
        answers=dict.fromkeys(range(1, 6), 1),
        layout="grouped",
        expect={"internalising": 5, "attention": 0, "externalising": 0, "total": 5},
    )
    spec(
        "psc17",
        every=0,
        answers={6: 2, 10: 2},
        layout="grouped",
        expect={"attention": 4, "internalising": 0, "grade": None},
    )
    spec("psc17", every=0, answers={11: 2, 17: 2}, layout="grouped", expect={"externalising": 4})
    spec("psc17", every=0, answers={2: 2}, layout="grouped", expect={"critical": {"2": "R answered"}})
    spec("psc17", every=0, answers={6: 2}, expect={"critical": {"6": "R answered"}, "internalising": 2})
