about = "mspss"


def test_mspss_three_scales_of_four_and_a_total(spec):
    """Coded 1 to 7, higher is better. Its bands are from memory, so none is shown by itself."""
    spec("mspss", every=1, expect={"total": 12, "family": 4, "friends": 4, "others": 4, "band": None})
    spec(
        "mspss",
        every=1,
        answers=dict.fromkeys((3, 4, 8, 11), 7),
        expect={"family": 28, "friends": 4, "others": 4, "total": 36},
    )
    spec("mspss", every=1, answers=dict.fromkeys((6, 7, 9, 12), 5), expect={"friends": 20, "total": 28})
    spec("mspss", every=1, answers=dict.fromkeys((1, 2, 5, 10), 2), expect={"others": 8, "total": 16})
    spec("mspss", every=7, expect={"total": 84, "over_cutoff": False})


def test_mspss_a_blank_takes_its_own_scale_and_the_total(spec):
    """Item 12 is about friends."""
    spec(
        "mspss",
        every=4,
        answers={12: None},
        expect={"friends": None, "total": None, "family": 16, "missing": ("12",)},
    )


def test_mspss_decides_nothing(spec):
    """Neither a cut-off nor a critical answer."""
    spec("mspss", every=1, expect={"over_cutoff": False, "severe": False, "critical": {}})
