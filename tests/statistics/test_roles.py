"""Stretches against the least cost of all ways to cut, slopes against NumPy, roles by name."""

import itertools

import numpy as np
import pytest
import xarray as xr

import jaxunits as ju

SLOPED = np.stack(
    [
        np.interp(np.arange(41), [0, 10, 25, 40], [0.1, 0.6, 0.9, 0.9]),
        np.interp(np.arange(41), [0, 10, 25, 40], [0.1, 0.8, 0.4, 0.4]),
    ],
    axis=1,
)


def ends(found):
    return list(zip(found.first_step.values.tolist(), found.last_step.values.tolist(), strict=True))


def cost(curves, first, last):
    """Squared distance from the line through both ends."""
    line = np.linspace(curves[first], curves[last], last - first + 1)
    return ((curves[first : last + 1] - line)[1:] ** 2).sum()


def test_stretches_end_where_slopes_change():
    found = ju.statistics.unit_roles(SLOPED, penalty=0.001, num_resamples=50)
    assert ends(found) == [(0, 10), (10, 25), (25, 40)]
    assert found.role.values.tolist() == ["core", "overfitted", "confusing"]
    np.testing.assert_allclose(found.slope, [[0.05, 0.07], [0.02, -0.4 / 15], [0, 0]], atol=1e-12)
    whole = ju.statistics.unit_roles(SLOPED, penalty=1e3, num_resamples=50)
    assert ends(whole) == [(0, 40)]
    short = ju.statistics.unit_roles(SLOPED, penalty=0.0, min_units=21, num_resamples=50)
    assert ends(short) == [(0, 40)]


@pytest.mark.parametrize("seed", range(3))
def test_no_other_stretches_cost_less(seed):
    random = np.random.default_rng(seed)
    curves = np.clip(np.cumsum(random.normal(0.03, 0.06, (16, 2)), axis=0), 0, 1)
    penalty = 0.01
    found = ju.statistics.unit_roles(curves, penalty=penalty, min_units=3, num_resamples=5)
    costs = {}
    for number in range(5):
        for inner in itertools.combinations(range(1, 15), number):
            cuts = [0, *inner, 15]
            # The first step is a point of the first stretch alone.
            lengths = np.diff([-1, *inner, 15])
            if (lengths >= 3).all():
                parts = itertools.pairwise(cuts)
                costs[tuple(inner)] = sum(cost(curves, *part) + penalty for part in parts)
    chosen = tuple(last for _, last in ends(found)[:-1])
    assert costs[chosen] == pytest.approx(min(costs.values()), abs=1e-9)


def test_slopes_are_least_squares_within_their_intervals():
    noise = np.random.default_rng(0).uniform(-0.03, 0.03, SLOPED.shape)
    found = ju.statistics.unit_roles(SLOPED + noise, penalty=1e3)
    expected = np.polyfit(np.arange(41), SLOPED + noise, 1)[0]
    np.testing.assert_allclose(found.slope[0], expected)
    assert (found.slope_low < found.slope).all()
    assert (found.slope < found.slope_high).all()
    np.testing.assert_array_equal(found.rises, found.slope_low > 0)
    narrow = ju.statistics.unit_roles(SLOPED + noise, penalty=1e3, level=0.5)
    assert (narrow.slope_low > found.slope_low).all()
    xr.testing.assert_identical(found, ju.statistics.unit_roles(SLOPED + noise, penalty=1e3))


def test_roles_follow_from_which_curves_rise():
    heights = np.cumsum([[0, 0], [0, 0], [8, 8], [8, 0], [8, 8], [0, 8]], axis=0) / 40
    curves = np.stack([np.interp(np.arange(51), np.arange(0, 60, 10), side) for side in heights.T])
    found = ju.statistics.unit_roles(curves.T, penalty=1e-6, num_resamples=50)
    assert found.role.values.tolist() == [
        *("confusing", "core", "overfitted", "core, continued", "generalizing")
    ]
    shares = ju.statistics.role_shares(found)
    assert shares.role.values.tolist() == list(ju.statistics.ROLES)
    np.testing.assert_allclose(shares, np.full(5, 0.2))


@pytest.mark.parametrize(
    ("accuracy", "options", "text"),
    [
        (SLOPED[:, 0], {}, "accuracy of shape (41,): give [steps, 2]"),
        (SLOPED.T, {}, "accuracy of shape (2, 41): give [steps, 2], training and test"),
        (SLOPED[:1], {}, "accuracy of shape (1, 2): give [steps, 2]"),
        (100 * SLOPED, {}, "accuracy 10 at step 0: give accuracy as shares of images, from 0 to 1"),
        (SLOPED, {"penalty": -0.1}, "penalty=-0.1: give a number from 0"),
        (SLOPED, {"level": 1.0}, "level=1.0: give a number above 0 below 1"),
        (SLOPED, {"num_resamples": 2**25}, "num_resamples=33554432 gives 33,554,432 × 41 numbers"),
    ],
)
def test_what_is_no_curve_is_refused(accuracy, options, text):
    with pytest.raises(ju.InputError) as caught:
        ju.statistics.unit_roles(accuracy, **options)
    assert text in str(caught.value)


def test_shares_of_something_else_are_refused():
    with pytest.raises(
        ju.InputError, match="no first_step by stretch: give a result of unit_roles"
    ):
        ju.statistics.role_shares(xr.Dataset())
