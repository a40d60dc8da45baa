import itertools

import numpy as np
import pytest
import xarray as xr
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

import jaxunits as ju


def sweep_of(overall, largest):
    return xr.Dataset(
        {
            "overall_accuracy_drop": ("unit", np.asarray(overall, float)),
            "max_class_accuracy_drop": ("unit", np.asarray(largest, float)),
        },
        coords={"unit": np.arange(len(overall))},
    )


def attributes_of(**columns):
    units = len(next(iter(columns.values())))
    return xr.Dataset(
        {name: ("unit", np.asarray(values, float)) for name, values in columns.items()},
        coords={"unit": np.arange(units)},
    )


def ranks(values):
    """Ranks, equal values sharing the mean of theirs, one value after another."""
    values = list(values)
    return [
        sum(other < value for other in values) + (values.count(value) - 1) / 2 for value in values
    ]


@settings(max_examples=50)
@given(seed=st.integers(0, 2**16), units=st.integers(3, 30), levels=st.integers(2, 20))
def test_r_is_the_correlation_of_ranks(seed, units, levels):
    random = np.random.default_rng(seed)
    attribute, overall, largest = random.integers(0, levels, (3, units))
    result = ju.statistics.rank_correlation(
        attributes_of(norm=attribute), sweep_of(overall, largest)
    )
    for drop, values in (("overall_accuracy_drop", overall), ("max_class_accuracy_drop", largest)):
        found = float(result.r.sel(attribute="norm", accuracy_drop=drop))
        if len(set(attribute)) == 1 or len(set(values)) == 1:
            assert np.isnan(found)
        else:
            expected = np.corrcoef(ranks(attribute), ranks(values))[0, 1]
            assert found == pytest.approx(expected, abs=1e-9)
            p = float(result.p_value.sel(attribute="norm", accuracy_drop=drop))
            if units > 7:
                assert p == pytest.approx(stats.spearmanr(attribute, values).pvalue, abs=1e-7)
    assert int(result["n_units"]) == units


@settings(max_examples=10, deadline=None)
@given(seed=st.integers(0, 2**16), units=st.integers(3, 6), levels=st.integers(2, 9))
def test_p_of_few_units_counts_all_orders(seed, units, levels):
    x, y = np.random.default_rng(seed).integers(0, levels, (2, units))
    if len(set(x)) == 1 or len(set(y)) == 1:
        return
    r = abs(stats.spearmanr(x, y).statistic)
    orders = [abs(stats.spearmanr(x, order).statistic) for order in itertools.permutations(y)]
    found = ju.statistics.spearman(x, y)
    assert found.p == pytest.approx(np.mean([each > r - 1e-9 for each in orders]))


def test_p_is_that_of_random_orders():
    random = np.random.default_rng(0)
    attribute = random.normal(size=40)
    drops = 0.5 * attribute + random.normal(size=40)
    result = ju.statistics.rank_correlation(
        attributes_of(norm=attribute), sweep_of(drops, drops)
    ).sel(attribute="norm", accuracy_drop="overall_accuracy_drop")
    places, fixed = ranks(attribute), np.asarray(ranks(drops))
    shuffled = [abs(np.corrcoef(random.permutation(places), fixed)[0, 1]) for _ in range(20_000)]
    share = np.mean(np.asarray(shuffled) >= abs(float(result.r)))
    assert 0.0005 < share < 0.5
    assert float(result.p_value) == pytest.approx(share, rel=0.1, abs=0.003)


def test_vectors_are_left_out_and_the_sign_is_told():
    attributes = attributes_of(norm=[1, 2, 3], other=[3, 2, 1])
    attributes["selectivity"] = (("unit", "class"), np.ones((3, 2)))
    result = ju.statistics.rank_correlation(attributes, sweep_of([0, 0.1, 0.2], [0, 0.3, 0.2]))
    assert list(result.attribute.values) == ["norm", "other"]
    np.testing.assert_allclose(result.r.sel(accuracy_drop="overall_accuracy_drop"), [1, -1])
    assert result.attrs["sign"] == "positive: more of the attribute, more damage"


@pytest.mark.parametrize(
    ("attributes", "sweep", "message"),
    [
        (attributes_of(norm=[1, 2, 3]), sweep_of([0] * 4, [0] * 4), "are of different units"),
        (attributes_of(norm=[1, 2]), sweep_of([0, 1], [0, 1]), "2 units have no rank correlation"),
        (attributes_of(norm=[1, 2, 3]), xr.Dataset(), "no overall_accuracy_drop by unit"),
        (attributes_of(norm=[1, 2, 3])[["unit"]], sweep_of([0] * 3, [0] * 3), "no attribute has"),
        (
            attributes_of(norm=[1, np.nan, 3]),
            sweep_of([0, 1, 2], [0, 1, 2]),
            "norm of unit 1 is NaN: leave the unit out",
        ),
    ],
)
def test_what_cannot_be_compared_is_refused(attributes, sweep, message):
    with pytest.raises(ju.InputError) as error:
        ju.statistics.rank_correlation(attributes, sweep)
    assert message in str(error.value)


def test_intervals_hold_what_they_promise():
    """Of many samples with a known rank correlation 95 % have it inside their interval."""
    random = np.random.default_rng(0)
    true = 6 / np.pi * np.arcsin(0.6 / 2)
    samples = random.multivariate_normal([0, 0], [[1, 0.6], [0.6, 1]], (1000, 40))
    found = [ju.statistics.spearman(*sample.T) for sample in samples]
    inside = np.mean([each.low <= true <= each.high for each in found])
    assert inside == pytest.approx(0.95, abs=0.02)
    alone = ju.statistics.spearman([1.0, 2, np.nan, 4, 3], [1.0, 3, 9, 8, 5])
    assert (alone.r, alone.low, alone.count) == (1, 1, 4)
    assert alone.p == pytest.approx(1 / 12)
    assert np.isnan(ju.statistics.spearman(np.zeros(9), np.arange(9.0)).r)
    three = ju.statistics.spearman([1, 2, 3], [1, 3, 2])
    assert (three.r, three.low, three.high) == (0.5, -1, 1)
    assert np.isnan(ju.statistics.spearman([1, 2], [1, 3]).p)
    with pytest.raises(ju.InputError, match="give two lists of equal length"):
        ju.statistics.spearman([1, 2, 3], [[1, 2, 3]])
