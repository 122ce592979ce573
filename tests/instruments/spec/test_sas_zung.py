about = "sas_zung"


def test_sas_zung_the_standard_score_is_the_whole_part_of_one_and_a_quarter_times_the_raw_score(spec):
    """Items 5, 9, 13, 17 and 19 count the other way (5 - answer). 39 × 1.25 = 48.75 is 48, not 49."""
    calm = dict.fromkeys((5, 9, 13, 17, 19), 4)
    spec("sas_zung", every=1, answers=calm, expect={"raw": 20, "total": 25, "band": "normal"})
    spec("sas_zung", every=1, expect={"raw": 35, "total": 43, "band": "normal"})
    spec("sas_zung", every=1, answers={1: 4, 2: 2}, expect={"raw": 39, "total": 48, "over_cutoff": False})


def test_sas_zung_chinese_bands_begin_at_50_60_and_70(spec):
    """Raw 40, 48 and 56."""
    spec(
        "sas_zung",
        every=1,
        answers={1: 4, 2: 3},
        expect={"raw": 40, "total": 50, "band": "mild", "over_cutoff": True},
    )
    spec(
        "sas_zung",
        every=1,
        answers={1: 4, 2: 4, 3: 4, 4: 3, 6: 2},
        expect={"raw": 47, "total": 58, "band": "mild"},
    )
    spec(
        "sas_zung",
        every=1,
        answers={1: 4, 2: 4, 3: 4, 4: 4, 6: 2},
        expect={"raw": 48, "total": 60, "band": "moderate"},
    )
    spec(
        "sas_zung",
        every=1,
        answers=dict.fromkeys((1, 2, 3, 4, 6, 7, 8), 4),
        expect={"raw": 56, "total": 70, "band": "severe", "severe": False},
    )


def test_sas_zung_one_blank_and_there_is_neither_score(spec):
    """Nothing is published for a blank."""
    spec("sas_zung", every=1, answers={5: None}, expect={"raw": None, "total": None, "missing": ("5",)})
