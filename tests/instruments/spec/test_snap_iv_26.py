about = "snap_iv_26"


def test_snap_iv_26_three_blocks_of_items(spec):
    """Attention 1-9, activity 10-18, opposition 19-26: a sum, a mean and a count of each."""
    spec(
        "snap_iv_26",
        every=0,
        answers=dict.fromkeys(range(1, 10), 2),
        expect={
            "inattention": 18,
            "inattention_mean": 2,
            "inattention_count": 9,
            "hyperactivity": 0,
            "inattention_band": "moderate",
        },
    )
    spec(
        "snap_iv_26",
        every=0,
        answers=dict.fromkeys(range(10, 19), 1),
        expect={
            "hyperactivity": 9,
            "hyperactivity_mean": 1,
            "hyperactivity_count": 0,
            "hyperactivity_band": "none",
        },
    )
    spec(
        "snap_iv_26",
        every=0,
        answers=dict.fromkeys(range(19, 27), 1),
        expect={"oppositional": 8, "oppositional_mean": 1, "oppositional_band": "mild"},
    )


def test_snap_iv_26_bands_begin_at_13_18_and_23_and_at_8_14_and_19(spec):
    """Severity bands of the sums; opposition has eight items and other limits."""
    spec(
        "snap_iv_26",
        every=0,
        answers={**dict.fromkeys(range(1, 5), 3)},
        expect={"inattention": 12, "inattention_band": "none"},
    )
    spec(
        "snap_iv_26",
        every=0,
        answers={**dict.fromkeys(range(1, 5), 3), 5: 1},
        expect={"inattention": 13, "inattention_band": "mild"},
    )
    spec(
        "snap_iv_26",
        every=3,
        answers={1: 0, 2: 1},
        expect={
            "inattention": 22,
            "inattention_band": "moderate",
            "hyperactivity": 27,
            "hyperactivity_band": "severe",
        },
    )
    spec(
        "snap_iv_26",
        every=0,
        answers={**dict.fromkeys(range(19, 23), 3), 23: 1},
        expect={"oppositional": 13, "oppositional_band": "mild"},
    )
    spec(
        "snap_iv_26",
        every=0,
        answers={**dict.fromkeys(range(19, 25), 3), 25: 1},
        expect={"oppositional": 19, "oppositional_band": "severe"},
    )


def test_snap_iv_26_a_mean_is_printed_with_two_decimals_half_up(spec):
    """23 points on nine items are 2.555…, printed 2.56; the cut-off 2.56 of a set from memory is not reached by it."""
    spec(
        "snap_iv_26",
        every=0,
        answers={**dict.fromkeys(range(1, 8), 3), 8: 2},
        expect={"inattention": 23, "inattention_mean": 2.56, "inattention_mean_band": None},
    )


def test_snap_iv_26_a_blank_takes_its_own_block(spec):
    """No total exists, and none of the other blocks is touched."""
    spec(
        "snap_iv_26",
        every=1,
        answers={10: None},
        expect={
            "hyperactivity": None,
            "hyperactivity_mean": None,
            "hyperactivity_count": None,
            "inattention": 9,
            "oppositional": 8,
        },
    )
