"""The liability model against published vectors and against a second implementation in plain Python."""

import math
from collections.abc import Mapping
from itertools import combinations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from risk_model import DEFAULT_BASE_RATE, day_one, predict, predict_batch
from risk_model.liability import Discordance, InstrumentRow, LiabilityModel

# --- a second implementation: no NumPy, no code of the package, its own copy of the tables ----------------

CODES = ("phq9", "gad7", "sdq_s", "sdq_p", "sdq_t", "mht")
HIGHEST = {"phq9": 27, "gad7": 21, "sdq_s": 40, "sdq_p": 40, "sdq_t": 40, "mht": 90}
RHO = {"phq9": 0.71, "gad7": 0.63, "sdq_s": 0.61, "sdq_p": 0.47, "sdq_t": 0.47, "mht": 0.53}
PAIRS = {
    ("phq9", "gad7"): 0.75,
    ("phq9", "sdq_s"): 0.55,
    ("phq9", "sdq_p"): 0.35,
    ("phq9", "sdq_t"): 0.25,
    ("phq9", "mht"): 0.62,
    ("gad7", "sdq_s"): 0.52,
    ("gad7", "sdq_p"): 0.33,
    ("gad7", "sdq_t"): 0.24,
    ("gad7", "mht"): 0.62,
    ("sdq_s", "sdq_p"): 0.45,
    ("sdq_s", "sdq_t"): 0.35,
    ("sdq_s", "mht"): 0.55,
    ("sdq_p", "sdq_t"): 0.29,
    ("sdq_p", "mht"): 0.35,
    ("sdq_t", "mht"): 0.28,
}
SUBSETS = [subset for size in range(1, 7) for subset in combinations(CODES, size)]


def correlation(one: str, other: str) -> float:
    return 1.0 if one == other else PAIRS.get((one, other), PAIRS.get((other, one), math.nan))


def standardised(code: str, total: float) -> float:
    if code in ("phq9", "gad7"):
        return (math.sqrt(total + 0.25) - 2.05) / 1.05
    centre, spread = {"sdq_s": (11.5, 5.3), "sdq_p": (11.3, 5.2), "sdq_t": (9.4, 5.7), "mht": (38, 14.5)}[
        code
    ]
    return (total - centre) / spread


def eliminate(codes: tuple[str, ...]) -> dict[str, float]:
    """Solve R w = rho by Gauss and Jordan."""
    lines = [[correlation(row, column) for column in codes] + [RHO[row]] for row in codes]
    for pivot in range(len(codes)):
        best = max(range(pivot, len(codes)), key=lambda line: abs(lines[line][pivot]))
        lines[pivot], lines[best] = lines[best], lines[pivot]
        lines[pivot] = [value / lines[pivot][pivot] for value in lines[pivot]]
        for line in range(len(codes)):
            if line != pivot:
                factor = lines[line][pivot]
                lines[line] = [a - factor * b for a, b in zip(lines[line], lines[pivot], strict=True)]
    return {code: line[-1] for code, line in zip(codes, lines, strict=True)}


def reference_weights(codes: tuple[str, ...]) -> dict[str, float]:
    weights = eliminate(codes)
    while min(weights.values()) < 0:
        weights = eliminate(tuple(code for code in weights if weights[code] >= 0))
    return weights


def phi(x: float) -> float:
    return (1 + math.erf(x / math.sqrt(2))) / 2


def phi_inverse(p: float) -> float:
    low, high = -8.0, 8.0
    for _ in range(80):
        middle = (low + high) / 2
        low, high = (middle, high) if phi(middle) < p else (low, middle)
    return (low + high) / 2


def reference_probability(totals: Mapping[str, float], base_rate: float) -> float:
    weights = reference_weights(tuple(code for code in CODES if code in totals))
    r2 = sum(weight * RHO[code] for code, weight in weights.items())
    score = sum(weight * standardised(code, totals[code]) for code, weight in weights.items())
    return phi((score - phi_inverse(1 - base_rate)) / math.sqrt(1 - r2))


# --- vectors ----------------------------------------------------------------------------------------------

GOLDEN = [
    ({"phq9": 4, "gad7": 3}, "0.0269", 0.02688893660776902),
    ({"phq9": 10, "gad7": 8}, "0.2287", 0.22872742859935802),
    ({"phq9": 18, "gad7": 14}, "0.6326", 0.63264461042968300),
    ({"mht": 40}, "0.0771", 0.07706982701491888),
    ({"mht": 66}, "0.3804", 0.38042379751044914),
    ({"sdq_s": 18}, "0.2504", 0.25041254866805873),
    ({"sdq_s": 18, "sdq_p": 17, "sdq_t": 15}, "0.3497", 0.34968111175654850),
    ({"sdq_s": 8, "sdq_p": 19, "sdq_t": 18}, "0.1140", 0.11403745164555001),
    ({"phq9": 12, "gad7": 9, "sdq_p": 18}, "0.4231", 0.42312759887755620),
]


@pytest.mark.parametrize(("totals", "printed", "exact"), GOLDEN)
def test_the_published_vectors_come_out(totals: dict[str, float], printed: str, exact: float) -> None:
    prediction = predict(day_one(), totals, base_rate=0.10)
    assert prediction is not None
    assert f"{prediction.probability:.4f}" == printed
    assert prediction.probability == pytest.approx(exact, abs=1e-9)
    assert reference_probability(totals, 0.10) == pytest.approx(exact, abs=1e-9)


@pytest.mark.parametrize(
    ("codes", "weights", "r2"),
    [
        (("phq9", "gad7"), (0.5429, 0.2229), 0.526),
        (("phq9", "gad7", "sdq_p"), (0.4871, 0.1861, 0.2381), 0.575),
        (("sdq_s", "sdq_p", "sdq_t"), (0.4276, 0.2016, 0.2619), 0.479),
        (("sdq_s",), (0.61,), 0.372),
        (("mht",), (0.53,), 0.281),
    ],
)
def test_the_published_weights_come_out(
    codes: tuple[str, ...], weights: tuple[float, ...], r2: float
) -> None:
    solved = day_one().subset(codes)
    assert solved is not None
    assert solved.weights == pytest.approx(weights, abs=5e-5)
    assert solved.r2 == pytest.approx(r2, abs=5e-4)


@pytest.mark.parametrize("codes", SUBSETS, ids="+".join)
def test_every_subset_has_the_weights_of_the_second_implementation(codes: tuple[str, ...]) -> None:
    model = day_one()
    solved = model.subset(codes)
    assert solved is not None
    assert min(solved.weights) >= 0
    assert 0 < solved.r2 < 1
    named = {model.rows[index].code: w for index, w in zip(solved.used, solved.weights, strict=True)}
    assert named == pytest.approx(reference_weights(codes), abs=1e-12)
    assert {model.rows[index].code for index in solved.dropped} == set(codes) - set(named)


def test_mht_is_dropped_beside_four_or_five_others_only() -> None:
    dropping = {codes for codes in SUBSETS if (solved := day_one().subset(codes)) and solved.dropped}
    assert dropping == {
        ("phq9", "gad7", "sdq_s", "sdq_p", "mht"),
        ("phq9", "gad7", "sdq_s", "sdq_t", "mht"),
        CODES,
    }


def test_the_correlation_table_is_positive_definite() -> None:
    table = np.array(day_one().correlations)
    assert np.linalg.eigvalsh(table[:6, :6])[0] == pytest.approx(0.25, abs=0.005)
    assert np.linalg.eigvalsh(table)[0] > 0.15


def test_all_sets_of_all_rows_have_weights_of_0_or_more_and_leave_something_unexplained() -> None:
    model = day_one()
    for mask in range(1, 2 ** len(model.rows)):
        solved = model.weights_of(mask)
        assert solved is not None
        assert min(solved.weights) >= 0.0
        assert 0.0 < solved.r2 < 0.75


def test_a_row_reads_the_answers_it_was_made_for_and_no_others() -> None:
    model = day_one()
    assert model.reads("scared", "self")
    assert not model.reads("scared", "parent")
    assert model.reads("psc17", "parent")
    assert not model.reads("mssmhs", "self")


# --- properties -------------------------------------------------------------------------------------------

# A slow moment of a busy machine is no failure.
unhurried = settings(deadline=None)

battery = st.sampled_from(SUBSETS).flatmap(
    lambda codes: st.fixed_dictionaries({code: st.integers(0, HIGHEST[code]) for code in codes})
)
base_rates = st.floats(0.03, 0.25)


@unhurried
@given(battery, base_rates)
def test_any_battery_agrees_with_the_second_implementation(totals: dict[str, int], base_rate: float) -> None:
    prediction = predict(day_one(), totals, base_rate=base_rate)
    assert prediction is not None
    assert prediction.probability == pytest.approx(reference_probability(totals, base_rate), abs=1e-9)
    assert prediction.low == pytest.approx(reference_probability(totals, base_rate / 1.5), abs=1e-9)
    assert prediction.high == pytest.approx(reference_probability(totals, base_rate * 1.5), abs=1e-9)
    assert 0 < prediction.low < prediction.probability < prediction.high < 1


@unhurried
@given(battery, base_rates, st.data())
def test_a_higher_score_never_lowers_the_probability(
    totals: dict[str, int], base_rate: float, data: st.DataObject
) -> None:
    code = data.draw(st.sampled_from(sorted(totals)))
    more = {**totals, code: data.draw(st.integers(totals[code], HIGHEST[code]))}
    before = predict(day_one(), totals, base_rate=base_rate)
    after = predict(day_one(), more, base_rate=base_rate)
    assert before is not None
    assert after is not None
    assert after.probability >= before.probability
    if more != totals and code in after.used:
        assert after.probability > before.probability


@unhurried
@given(battery, base_rates)
def test_reasons_add_up_exactly_to_the_score_behind_the_probability(
    totals: dict[str, int], base_rate: float
) -> None:
    prediction = predict(day_one(), totals, base_rate=base_rate)
    assert prediction is not None
    assert math.fsum(reason.contribution for reason in prediction.reasons) == prediction.score
    assert all(reason.contribution == reason.weight * reason.z for reason in prediction.reasons)
    contributions = [reason.contribution for reason in prediction.reasons]
    assert contributions == sorted(contributions, reverse=True)
    residual = math.sqrt(1 - prediction.r2)
    assert phi((prediction.score - prediction.threshold) / residual) == pytest.approx(
        prediction.probability, abs=1e-12
    )
    assert {reason.instrument for reason in prediction.reasons} == set(prediction.used)
    assert set(prediction.used) | set(prediction.dropped) == set(totals)


@unhurried
@given(st.lists(st.dictionaries(st.sampled_from(CODES), st.integers(0, 21)), max_size=20), base_rates)
def test_a_batch_equals_single_predictions(children: list[dict[str, int]], base_rate: float) -> None:
    model = day_one()
    matrix = np.array([[child.get(code, np.nan) for code in CODES] for child in children]).reshape(-1, 6)
    batch = predict_batch(model, matrix, base_rate=base_rate, codes=CODES)
    for child, probability in zip(children, batch, strict=True):
        single = predict(model, child, base_rate=base_rate)
        if single is None:
            assert np.isnan(probability)
        else:
            assert probability == pytest.approx(single.probability, abs=1e-12)


# --- what is not predicted, and what is refused -----------------------------------------------------------


@pytest.mark.parametrize("totals", [{}, {"mssmhs": 2}, {"mssmhs": 2, "asq": 1}])
def test_without_a_sheet_of_the_model_there_is_no_probability(totals: dict[str, float]) -> None:
    assert predict(day_one(), totals, base_rate=DEFAULT_BASE_RATE) is None


def test_an_instrument_without_a_row_changes_nothing() -> None:
    with_it = predict(day_one(), {"phq9": 12, "mssmhs": 3}, base_rate=0.1)
    assert with_it == predict(day_one(), {"phq9": 12}, base_rate=0.1)


def test_phq_a_is_read_by_the_row_of_phq9_and_keeps_its_name() -> None:
    adult = predict(day_one(), {"phq9": 12, "gad7": 9}, base_rate=0.1)
    young = predict(day_one(), {"gad7": 9, "phq_a": 12}, base_rate=0.1)
    assert adult is not None
    assert young is not None
    assert young.probability == adult.probability
    assert young.used == ("phq_a", "gad7")
    assert young.reasons[0].instrument == "phq_a"


def test_two_forms_of_one_instrument_are_refused() -> None:
    with pytest.raises(ValueError, match="forms of one instrument"):
        predict(day_one(), {"phq9": 12, "phq_a": 3}, base_rate=0.1)


@pytest.mark.parametrize("base_rate", [0.0299, 0.2501, 0.0, 1.0, -0.1, math.nan, math.inf])
def test_a_base_rate_outside_its_limits_is_refused(base_rate: float) -> None:
    with pytest.raises(ValueError, match="base rate"):
        predict(day_one(), {"phq9": 12}, base_rate=base_rate)
    with pytest.raises(ValueError, match="base rate"):
        predict(day_one(), {}, base_rate=base_rate)
    with pytest.raises(ValueError, match="base rate"):
        predict_batch(day_one(), np.zeros((1, 6)), base_rate=base_rate, codes=CODES)


@pytest.mark.parametrize("base_rate", [0.03, 0.25])
def test_the_limits_of_the_base_rate_are_allowed(base_rate: float) -> None:
    prediction = predict(day_one(), {"phq9": 12}, base_rate=base_rate)
    assert prediction is not None
    assert prediction.base_rate == base_rate


@pytest.mark.parametrize("code", CODES)
def test_a_total_outside_its_range_is_refused_without_naming_it(code: str) -> None:
    for total in (-1, HIGHEST[code] + 1, math.nan, math.inf):
        with pytest.raises(ValueError, match=f"a total of {code} must lie between 0 and") as refusal:
            predict(day_one(), {code: total}, base_rate=0.1)
        assert str(refusal.value).endswith(f"between 0 and {HIGHEST[code]}")
    matrix = np.full((2, 6), np.nan)
    matrix[1, CODES.index(code)] = HIGHEST[code] + 1
    with pytest.raises(ValueError, match=f"a total of {code}"):
        predict_batch(day_one(), matrix, base_rate=0.1, codes=CODES)


@pytest.mark.parametrize("shape", [(6,), (2, 5), (0, 7)])
def test_a_batch_of_the_wrong_shape_is_refused(shape: tuple[int, ...]) -> None:
    with pytest.raises(ValueError, match="children x 6"):
        predict_batch(day_one(), np.zeros(shape), base_rate=0.1, codes=CODES)


# --- discordance ------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("totals", "discordant"),
    [
        ({"sdq_s": 8, "sdq_p": 19, "sdq_t": 18}, True),
        ({"sdq_s": 18, "sdq_p": 17, "sdq_t": 15}, False),
        # One adult who worries is enough; the child's denial is (8 - 11.5) / 5.3 = -0.66.
        ({"sdq_s": 8, "sdq_p": 16}, True),  # 0.904 + 0.660 = 1.564
        ({"sdq_s": 8, "sdq_p": 15}, False),  # 0.712 + 0.660 = 1.372
        ({"sdq_s": 8, "sdq_t": 15}, True),  # 0.982 + 0.660 = 1.642
        # The mean counts: a calm teacher outweighs half of a worried parent.
        ({"sdq_s": 8, "sdq_p": 19, "sdq_t": 9}, False),
        # The other way round: the child worries, adults do not.
        ({"sdq_s": 25, "sdq_p": 5, "sdq_t": 4}, False),
        # Nobody to compare with.
        ({"sdq_p": 30, "sdq_t": 30}, False),
        ({"phq9": 0, "sdq_p": 30}, False),
        ({"sdq_s": 0}, False),
    ],
)
def test_a_child_who_denies_while_adults_worry_is_flagged(totals: dict[str, float], discordant: bool) -> None:
    prediction = predict(day_one(), totals, base_rate=0.1)
    assert prediction is not None
    assert prediction.discordant is discordant


# --- tables that cannot be a model ------------------------------------------------------------------------


def row(code: str, *, rho: float = 0.5, spread: float = 1.0, also: tuple[str, ...] = ()) -> InstrumentRow:
    return InstrumentRow(code, also, 10.0, "linear", 5.0, spread, rho)


@pytest.mark.parametrize(
    ("rows", "table", "message"),
    [
        ((), (), "a row and a column"),
        ((row("a"), row("b")), ((1.0, 0.5),), "a row and a column"),
        ((row("a"), row("b")), ((1.0, 0.5), (0.4, 1.0)), "symmetric"),
        ((row("a"), row("b")), ((0.9, 0.5), (0.5, 1.0)), "symmetric"),
        ((row("a"), row("b")), ((1.0, math.nan), (math.nan, 1.0)), "symmetric"),
        ((row("a"), row("b")), ((1.0, 1.0), (1.0, 1.0)), "positive definite"),
        ((row("a", rho=0.9), row("b", rho=0.9)), ((1.0, 0.1), (0.1, 1.0)), "explains all"),
        ((row("a", rho=0.0),), ((1.0,),), "rho between"),
        ((row("a", spread=0.0),), ((1.0,),), "positive range"),
        ((row("a", spread=math.nan),), ((1.0,),), "not finite"),
        ((row("a"), row("b", also=("a",))), ((1.0, 0.5), (0.5, 1.0)), "two rows"),
    ],
)
def test_a_table_that_cannot_be_a_model_is_refused(
    rows: tuple[InstrumentRow, ...], table: tuple[tuple[float, ...], ...], message: str
) -> None:
    with pytest.raises(ValueError, match=message):
        LiabilityModel("test", rows, table)


def test_discordance_must_name_instruments_of_the_model() -> None:
    with pytest.raises(ValueError, match="without a row"):
        LiabilityModel("test", (row("a"),), ((1.0,),), Discordance("a", ("b",), 1.5))


def test_a_model_without_a_discordance_rule_flags_nobody() -> None:
    prediction = predict(LiabilityModel("test", (row("a"),), ((1.0,),)), {"a": 0}, base_rate=0.1)
    assert prediction is not None
    assert prediction.discordant is False
    assert prediction.model_version == "test"
