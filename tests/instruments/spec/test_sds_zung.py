about = "sds_zung"


def test_sds_zung_ten_items_count_the_other_way(spec):
    """Items 2, 5, 6, 11, 12, 14, 16, 17, 18 and 20 (5 - answer); the standard score is the whole part of 1.25 × raw."""
    calm = dict.fromkeys((2, 5, 6, 11, 12, 14, 16, 17, 18, 20), 4)
    spec("sds_zung", every=1, answers=calm, expect={"raw": 20, "total": 25, "band": "normal"})
    spec("sds_zung", every=1, expect={"raw": 50, "total": 62, "band": "mild", "flags": ()})
    spec("sds_zung", every=2, expect={"raw": 50, "flags": ("straight_line",)})


def test_sds_zung_chinese_bands_begin_at_53_63_and_73(spec):
    """Not at 50, 60 and 70, which several sources print. Raw 42 is 52, raw 43 is 53."""
    calm = dict.fromkeys((2, 5, 6, 11, 12, 14, 16, 17, 18, 20), 2)
    spec(
        "sds_zung",
        every=1,
        answers={**calm, 1: 3},
        expect={"raw": 42, "total": 52, "band": "normal", "over_cutoff": False},
    )
    spec(
        "sds_zung",
        every=1,
        answers={**calm, 1: 4},
        expect={"raw": 43, "total": 53, "band": "mild", "over_cutoff": True},
    )
    spec("sds_zung", every=1, answers={1: 2}, expect={"raw": 51, "total": 63, "band": "moderate"})
    spec(
        "sds_zung",
        every=1,
        answers={1: 4, 3: 4, 4: 4},
        expect={"raw": 59, "total": 73, "band": "severe", "severe": False},
    )


def test_sds_zung_item_19_rings_from_some_of_the_time(spec):
    """Some of the time is grade C, a good part and more grade B, on an unfinished sheet too."""
    spec("sds_zung", every=1, answers={19: 2}, expect={"critical": {"19": "C answered"}})
    spec("sds_zung", answers={19: 3}, expect={"total": None, "validity": "invalid", "grade": "B"})
