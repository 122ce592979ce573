about = "isi"


def test_isi_bands_begin_at_8_15_and_22(spec):
    """Four bands from two sources; a set for Hong Kong students marks 9 and more, which is the screening cut-off here."""
    spec("isi", every=1, expect={"total": 7, "band": "none", "over_cutoff": False})
    spec("isi", every=1, answers={1: 2}, expect={"total": 8, "band": "subthreshold", "over_cutoff": False})
    spec("isi", every=1, answers={1: 3}, expect={"total": 9, "over_cutoff": True})
    spec("isi", every=2, expect={"total": 14, "band": "subthreshold"})
    spec("isi", every=2, answers={7: 3}, expect={"total": 15, "band": "moderate"})
    spec("isi", every=3, expect={"total": 21, "band": "moderate"})
    spec("isi", every=3, answers={7: 4}, expect={"total": 22, "band": "severe", "severe": False})


def test_isi_one_blank_and_there_is_no_score(spec):
    """Nothing is published for a blank."""
    spec("isi", every=4, answers={6: None}, expect={"total": None, "missing": ("6",), "between": (24, 28)})


def test_isi_asks_nothing_about_safety(spec):
    """The highest sheet rings nobody."""
    spec("isi", every=4, expect={"total": 28, "grade": None, "critical": {}})
