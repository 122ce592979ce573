about = "ais"


def test_ais_bands_begin_at_6_and_10(spec):
    """Hong Kong students are marked from 7, which is the screening cut-off here."""
    spec("ais", every=0, answers={1: 3, 2: 2}, expect={"total": 5, "band": "none"})
    spec("ais", every=0, answers={1: 3, 2: 3}, expect={"total": 6, "band": "suspected", "over_cutoff": False})
    spec("ais", every=0, answers={1: 3, 2: 3, 3: 1}, expect={"total": 7, "over_cutoff": True})
    spec("ais", every=1, answers={1: 2}, expect={"total": 9, "band": "suspected"})
    spec("ais", every=1, answers={1: 3}, expect={"total": 10, "band": "insomnia"})


def test_ais_one_blank_and_there_is_no_score(spec):
    """Nothing is published for a blank."""
    spec("ais", every=3, answers={8: None}, expect={"total": None, "between": (21, 24)})


def test_ais_asks_nothing_about_safety(spec):
    """The highest sheet rings nobody."""
    spec("ais", every=3, expect={"total": 24, "critical": {}})
