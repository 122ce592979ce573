about = "asq"


def test_asq_four_times_no_is_negative_and_item_5_is_not_asked(spec):
    """NIMH: item 5 follows a positive screen only; left out here, it is not missing."""
    spec(
        "asq",
        answers={1: 0, 2: 0, 3: 0, 4: 0},
        expect={"result": "negative", "band": "negative", "missing": (), "validity": "valid", "grade": None},
    )
    spec("asq", every=0, expect={"result": "negative", "critical": {}, "validity": "valid"})


def test_asq_any_yes_or_refusal_is_a_positive_screen(spec):
    """A refused answer counts as a positive one; item 5 decides how soon."""
    spec(
        "asq",
        answers={1: 1, 2: 0, 3: 0, 4: 0, 5: 0},
        expect={"result": "non_acute_positive", "critical": {"1": "B answered"}, "grade": "B"},
    )
    spec(
        "asq",
        answers={1: 0, 2: 0, 3: 0, 4: -1, 5: 0},
        expect={"result": "non_acute_positive", "critical": {"4": "B refused"}, "grade": "B"},
    )
    spec(
        "asq",
        answers={1: 0, 2: 1, 3: 1, 4: 0, 5: 0},
        expect={"result": "non_acute_positive", "critical": {"2": "B answered", "3": "B answered"}},
    )


def test_asq_a_yes_to_item_5_is_acute(spec):
    """Do not leave alone: grade A."""
    spec(
        "asq",
        answers={1: 0, 2: 0, 3: 1, 4: 0, 5: 1},
        expect={"result": "acute_positive", "band": "acute_positive", "grade": "A"},
    )
    spec("asq", answers={1: -1, 2: 0, 3: 0, 4: 0, 5: 1}, expect={"result": "acute_positive", "grade": "A"})


def test_asq_a_refused_item_5_after_a_positive_screen_is_seen_the_same_day(spec):
    """Not acute by the rule; the refusal itself is grade B."""
    spec(
        "asq",
        answers={1: 1, 2: 0, 3: 0, 4: 0, 5: -1},
        expect={"result": "non_acute_positive", "critical": {"1": "B answered", "5": "B refused"}},
    )


def test_asq_item_5_forgotten_after_a_positive_screen_is_named(spec):
    """The rule reads "otherwise"; that nobody asked stands beside it."""
    spec(
        "asq",
        answers={1: 1, 2: 0, 3: 0, 4: 0},
        expect={"result": "non_acute_positive", "missing": ("5",), "validity": "valid", "grade": "B"},
    )


def test_asq_without_a_yes_a_blank_is_not_a_no(spec):
    """Three times no and a blank is no negative screen."""
    spec(
        "asq",
        answers={1: 0, 2: 0, 3: 0},
        expect={"result": None, "missing": ("4", "5"), "validity": "invalid", "grade": None},
    )
    spec(
        "asq",
        answers={1: 1},
        expect={"result": "non_acute_positive", "missing": ("2", "3", "4", "5"), "grade": "B"},
    )


def test_asq_a_yes_to_item_5_after_four_times_no_is_a_contradiction_that_still_fires(spec):
    """The published rule does not cover it: no result is built, least of all a negative one."""
    spec(
        "asq",
        every=0,
        answers={5: 1},
        expect={
            "result": None,
            "status": "not_scorable",
            "validity": "doubtful",
            "flags": ("contradiction",),
            "grade": "A",
        },
    )
