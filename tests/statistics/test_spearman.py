"""Partial rank correlations against least squares and against a closed form."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

import jaxunits as ju


@settings(max_examples=40)
@given(seed=st.integers(0, 2**16), pairs=st.integers(4, 40), levels=st.integers(2, 30))
def test_partial_r_is_that_of_what_least_squares_leave(seed, pairs, levels):
    x, y, third = np.random.default_rng(seed).integers(0, levels, (3, pairs)).astype(float)
    found = ju.statistics.spearman(x, y, third)
    line = np.stack([np.ones(pairs), stats.rankdata(third)], axis=1)
    left = [
        ranks - line @ np.linalg.lstsq(line, ranks, rcond=None)[0]
        for ranks in (stats.rankdata(x), stats.rankdata(y))
    ]
    if np.ptp(third) == 0 or min(np.abs(each).max() for each in left) < 1e-6:
        assert np.isnan(found.r)
        return
    expected = np.clip(np.corrcoef(*left)[0, 1], -1, 1)
    assert found.r == pytest.approx(expected, abs=1e-7)
    # As a multiple regression tests the coefficient of x beside that of the third.
    t = expected * np.sqrt((pairs - 3) / max(1 - expected**2, 1e-300))
    assert found.p == pytest.approx(2 * stats.t.sf(abs(t), pairs - 3), abs=1e-6)
    assert found.low <= found.r <= found.high


def test_what_goes_with_a_third_alone_is_nothing_beyond_it():
    random = np.random.default_rng(1)
    third = random.normal(size=4000)
    x, y = third + random.normal(size=(2, 4000))
    assert ju.statistics.spearman(x, y).low > 0.4
    found = ju.statistics.spearman(x, y, third)
    assert abs(found.r) < 0.1
    assert found.count == 4000


def test_pairs_without_a_third_are_left_out_and_few_say_nothing():
    x, y = np.arange(6.0), np.array([1.0, 0, 2, 4, 3, 5])
    third = np.array([0, 3.0, 1, np.nan, 2, 2.5])
    found = ju.statistics.spearman(x, y, third)
    rest = np.isfinite(third)
    assert found == ju.statistics.spearman(x[rest], y[rest], third[rest])
    assert found.count == 5
    assert np.isnan(ju.statistics.spearman(x[:3], y[:3], [1, 3, 2]).r)
    assert np.isnan(ju.statistics.spearman(x, y, 2 * x).r)


def test_other_shapes_are_named():
    with pytest.raises(ju.InputError, match=r"given of shape \(2,\): give three lists of equal"):
        ju.statistics.spearman([1, 2, 3], [1, 2, 3], [1, 2])
    with pytest.raises(ju.InputError, match=r"y of shape \(2,\): give two lists of equal length"):
        ju.statistics.spearman([1, 2, 3], [1, 2])
