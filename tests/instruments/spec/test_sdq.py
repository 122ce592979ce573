about = "sdq"

# Everything answered towards no difficulty: reversed items "certainly true", the others "not true".
CALM = {7: 2, 11: 2, 14: 2, 21: 2, 25: 2, 1: 2, 4: 2, 9: 2, 17: 2, 20: 2}
EMOTION, CONDUCT, HYPER, PEER = (3, 8, 13, 16, 24), (5, 12, 18, 22), (2, 10, 15), (6, 19, 23)


def with_difficulties(points):
    """A calm sheet with so many points of difficulty, two to an item."""
    order = (*EMOTION, *CONDUCT, *HYPER, *PEER)
    full, odd = divmod(points, 2)
    return {**CALM, **dict.fromkeys(order[:full], 2), **({order[full]: 1} if odd else {})}


def test_sdq_items_7_11_14_21_and_25_count_the_other_way(spec):
    """Scored 2 - answer; with all answers 0 they alone make 10 points."""
    spec("sdq_s", every=0, answers=CALM, expect={"total": 0, "prosocial": 10, "band": "average"})
    spec(
        "sdq_s",
        every=0,
        expect={"conduct": 2, "hyper": 4, "peer": 4, "emotion": 0, "prosocial": 0, "total": 10},
    )


def test_sdq_scales_and_their_sums(spec):
    """Official allocation: internalising = emotion + peer, externalising = conduct + hyperactivity."""
    spec(
        "sdq_s",
        every=0,
        answers={**CALM, 3: 2, 8: 1, 5: 2, 12: 1, 2: 2, 6: 1},
        expect={
            "emotion": 3,
            "conduct": 3,
            "hyper": 2,
            "peer": 1,
            "total": 9,
            "internalising": 4,
            "externalising": 5,
        },
    )


def test_sdq_self_report_four_bands_begin_at_15_18_and_20(spec):
    """Four-band set of the total (UK), certainty A."""
    spec("sdq_s", every=0, answers=with_difficulties(14), expect={"total": 14, "band": "average"})
    spec("sdq_s", every=0, answers=with_difficulties(15), expect={"total": 15, "band": "slightly_raised"})
    spec(
        "sdq_s",
        every=0,
        answers=with_difficulties(17),
        expect={"total": 17, "band": "slightly_raised", "over_cutoff": False},
    )
    spec(
        "sdq_s",
        every=0,
        answers=with_difficulties(18),
        expect={"total": 18, "band": "high", "over_cutoff": True},
    )
    spec(
        "sdq_s", every=0, answers=with_difficulties(19), expect={"total": 19, "band": "high", "severe": False}
    )
    spec(
        "sdq_s",
        every=0,
        answers=with_difficulties(20),
        expect={"total": 20, "band": "very_high", "severe": True},
    )


def test_sdq_parent_four_bands_begin_at_14_17_and_20(spec):
    """Certainty B: one source read."""
    spec("sdq_p", every=0, answers=with_difficulties(13), expect={"total": 13, "band": "average"})
    spec("sdq_p", every=0, answers=with_difficulties(14), expect={"total": 14, "band": "slightly_raised"})
    spec("sdq_p", every=0, answers=with_difficulties(16), expect={"total": 16, "over_cutoff": False})
    spec(
        "sdq_p",
        every=0,
        answers=with_difficulties(17),
        expect={"total": 17, "band": "high", "over_cutoff": True, "severe": False},
    )
    spec(
        "sdq_p",
        every=0,
        answers=with_difficulties(20),
        expect={"total": 20, "band": "very_high", "severe": True},
    )


def test_sdq_teacher_four_bands_begin_at_12_16_and_19(spec):
    """Table of the UK scoring sheet as printed in PMC4830858."""
    spec("sdq_t", every=0, answers=with_difficulties(11), expect={"total": 11, "band": "average"})
    spec("sdq_t", every=0, answers=with_difficulties(12), expect={"total": 12, "band": "slightly_raised"})
    spec("sdq_t", every=0, answers=with_difficulties(15), expect={"total": 15, "over_cutoff": False})
    spec(
        "sdq_t",
        every=0,
        answers=with_difficulties(16),
        expect={"total": 16, "band": "high", "over_cutoff": True},
    )
    spec("sdq_t", every=0, answers=with_difficulties(18), expect={"total": 18, "severe": False})
    spec(
        "sdq_t",
        every=0,
        answers=with_difficulties(19),
        expect={"total": 19, "band": "very_high", "severe": True},
    )


def test_sdq_subscales_show_the_three_bands_of_1997_where_the_four_are_from_memory(spec):
    """The four-band cut-offs of the self and parent subscales have certainty C and are not shown."""
    spec(
        "sdq_s", every=0, answers={**CALM, 3: 2, 8: 2, 13: 1}, expect={"emotion": 5, "emotion_band": "normal"}
    )
    spec(
        "sdq_s",
        every=0,
        answers={**CALM, 3: 2, 8: 2, 13: 2},
        expect={"emotion": 6, "emotion_band": "borderline"},
    )
    spec(
        "sdq_s",
        every=0,
        answers={**CALM, 3: 2, 8: 2, 13: 2, 16: 1},
        expect={"emotion": 7, "emotion_band": "abnormal"},
    )
    spec("sdq_p", every=0, answers={**CALM, 6: 2}, expect={"peer": 2, "peer_band": "normal"})
    spec("sdq_p", every=0, answers={**CALM, 6: 2, 19: 1}, expect={"peer": 3, "peer_band": "borderline"})
    spec("sdq_t", every=0, answers={**CALM, 6: 2, 19: 1}, expect={"peer": 3, "peer_band": "slightly_raised"})


def test_sdq_prosocial_runs_the_other_way(spec):
    """Low is the end of concern."""
    spec("sdq_s", every=0, answers={**CALM, 1: 0, 4: 0}, expect={"prosocial": 6, "prosocial_band": "normal"})
    spec(
        "sdq_s",
        every=0,
        answers={**CALM, 1: 0, 4: 0, 9: 1},
        expect={"prosocial": 5, "prosocial_band": "borderline"},
    )
    spec(
        "sdq_s",
        every=0,
        answers={**CALM, 1: 0, 4: 0, 9: 0},
        expect={"prosocial": 4, "prosocial_band": "abnormal"},
    )
    spec(
        "sdq_t", every=0, answers={**CALM, 1: 0, 4: 0, 9: 0}, expect={"prosocial": 4, "prosocial_band": "low"}
    )


def test_sdq_a_scale_needs_three_of_its_five_items(spec):
    """Official code: 5 × mean of the answered, half up; 5 × 2 / 4 = 2.5 is 3."""
    spec(
        "sdq_s",
        every=0,
        answers={**CALM, 3: 2, 8: None},
        expect={"emotion": 3, "emotion_status": "prorated", "total": 3, "status": "prorated"},
    )
    spec(
        "sdq_s",
        every=0,
        answers={**CALM, 3: 1, 8: None, 13: None},
        expect={"emotion": 2, "status": "prorated"},
    )
    spec(
        "sdq_s",
        every=0,
        answers={**CALM, 3: None, 8: None, 13: None},
        expect={
            "emotion": None,
            "total": None,
            "internalising": None,
            "externalising": 0,
            "validity": "invalid",
            "flags": ("missing_answers",),
        },
    )


def test_sdq_a_missing_reversed_item_is_filled_like_the_others(spec):
    """Hyperactivity with item 21 blank: (2 + 2 + 2 + 0) × 5 / 4 = 7.5 is 8."""
    spec(
        "sdq_p",
        every=0,
        answers={**CALM, 2: 2, 10: 2, 15: 2, 21: None},
        expect={"hyper": 8, "hyper_status": "prorated"},
    )


def test_sdq_missing_prosocial_items_do_not_touch_the_total(spec):
    """The total rests on the four difficulty scales."""
    spec(
        "sdq_t",
        every=0,
        answers={**CALM, 1: None, 4: None, 9: None},
        expect={"prosocial": None, "total": 0, "status": "scored", "validity": "valid"},
    )


def test_sdq_impact_counts_the_upper_two_answers(spec):
    """0-0-1-2; five items for pupils and parents, three for teachers; 0 where there is no difficulty at all."""
    impact = {"ebddiff": 2, "distres": 3, "imphome": 2, "impfrie": 1, "impclas": 0, "impleis": 3}
    spec("sdq_s", every=0, answers={**CALM, **impact}, expect={"impact": 5, "validity": "valid"})
    spec(
        "sdq_t",
        every=0,
        answers={**CALM, "ebddiff": 1, "distres": 2, "impfrie": 3, "impclas": 3},
        expect={"impact": 5},
    )
    spec("sdq_p", every=0, answers={**CALM, "ebddiff": 0}, expect={"impact": 0, "impact_status": "scored"})
    spec(
        "sdq_p",
        every=0,
        answers=CALM,
        expect={"impact": None, "impact_status": "not_scorable", "validity": "valid"},
    )
    spec("sdq_p", every=0, answers={**CALM, "ebddiff": 1, "distres": 3}, expect={"impact": 2})


def test_sdq_no_difficulty_and_yet_much_distress_is_a_contradiction(spec):
    """The impact items follow a difficulty only."""
    spec(
        "sdq_s",
        every=0,
        answers={**CALM, "ebddiff": 0, "distres": 3},
        expect={"impact": 0, "validity": "doubtful", "flags": ("contradiction",)},
    )


def test_sdq_one_answer_throughout_cannot_be_true(spec):
    """Items are keyed both ways. All zeros is a common honest answer and stays valid."""
    spec("sdq_s", every=2, expect={"validity": "doubtful", "flags": ("straight_line",)})
    spec(
        "sdq_s",
        every=1,
        expect={"total": 20, "validity": "doubtful", "flags": ("straight_line",), "severe": True},
    )
    spec("sdq_s", every=0, expect={"validity": "valid", "flags": ()})
