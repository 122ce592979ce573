about = "cssrs_screen"


def test_cssrs_screen_two_times_no_skips_three_questions(spec):
    """After a no to 2 the interview goes to 6, after a no to 6 it ends; what was skipped is not missing."""
    spec(
        "cssrs_screen",
        answers={1: 0, 2: 0, 6: 0},
        expect={"risk": "none", "band": "none", "missing": (), "validity": "valid", "grade": None},
    )
    spec("cssrs_screen", answers={1: 1, 2: 0, 6: 0}, expect={"risk": "low", "critical": {"1": "C answered"}})
    spec(
        "cssrs_screen",
        answers={1: 1, 2: 1, 3: 0, 4: 0, 5: 0, 6: 0},
        expect={"risk": "low", "critical": {"1": "C answered", "2": "C answered"}},
    )


def test_cssrs_screen_a_method_or_behaviour_long_ago_is_moderate(spec):
    """Item 3, or item 6 that does not lie within three months (6r)."""
    spec(
        "cssrs_screen",
        answers={1: 1, 2: 1, 3: 1, 4: 0, 5: 0, 6: 0},
        expect={"risk": "moderate", "grade": "B"},
    )
    spec(
        "cssrs_screen",
        answers={1: 0, 2: 0, 6: 1, "6r": 0},
        expect={"risk": "moderate", "critical": {"6": "B answered"}},
    )


def test_cssrs_screen_intent_plan_or_behaviour_within_three_months_is_high(spec):
    """Grade A: the child is not left alone."""
    spec("cssrs_screen", answers={1: 1, 2: 1, 3: 0, 4: 1, 5: 0, 6: 0}, expect={"risk": "high", "grade": "A"})
    spec("cssrs_screen", answers={1: 1, 2: 1, 3: 0, 4: 0, 5: 1, 6: 0}, expect={"risk": "high", "grade": "A"})
    spec(
        "cssrs_screen",
        answers={1: 0, 2: 0, 6: 1, "6r": 1},
        expect={"risk": "high", "critical": {"6": "B answered", "6r": "A answered"}},
    )


def test_cssrs_screen_a_question_on_the_path_left_open_and_there_is_no_result(spec):
    """Every question on the path is answered, or nothing is said; what was answered rings all the same."""
    spec(
        "cssrs_screen",
        answers={1: 0, 2: 1, 4: 1, 5: 0, 6: 0},
        expect={"risk": None, "missing": ("3",), "validity": "invalid", "grade": "A"},
    )
    spec(
        "cssrs_screen",
        answers={1: 0, 2: 0, 6: 1},
        expect={"risk": None, "missing": ("6r",), "validity": "invalid", "grade": "B"},
    )


def test_cssrs_screen_an_answer_that_should_have_been_skipped_counts_and_is_a_contradiction(spec):
    """No to 2 and yes to 4: high, doubtful, grade A."""
    spec(
        "cssrs_screen",
        answers={1: 0, 2: 0, 4: 1, 6: 0},
        expect={"risk": "high", "validity": "doubtful", "flags": ("contradiction",), "grade": "A"},
    )
