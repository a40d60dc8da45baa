"""Intervals, tests and chance, by simulation and against SciPy and brute force."""

import itertools

import numpy as np
import pytest
import xarray as xr
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

import jaxunits as ju
from jaxunits.statistics import _chance


def coverage(breaks, repairs, images, draws=20_000, level=0.95):
    """How many intervals hold the true drop, over simulated sweeps."""
    random = np.random.default_rng(0)
    share = [breaks, repairs, 1 - breaks - repairs]
    counts = random.multinomial(images, share, draws)
    low, high = ju.statistics.paired_interval(counts[:, 0], counts[:, 1], images, level=level)
    # The true drop, but for rounding.
    return ((low <= breaks - repairs + 1e-9) & (breaks - repairs <= high + 1e-9)).mean()


@pytest.mark.parametrize("images", [50, 100, 200, 1000])
@pytest.mark.parametrize(
    ("breaks", "repairs"), [(0.1, 0.1), (0.3, 0.05), (0.5, 0.1), (0.15, 0.02), (0.2, 0.2)]
)
def test_intervals_hold_the_true_drop_as_often_as_they_say(breaks, repairs, images):
    assert 0.93 <= coverage(breaks, repairs, images) <= 0.97


def test_intervals_of_rare_changes_hold_it_at_least_as_often():
    for breaks, repairs in [(0.02, 0.01), (0.05, 0.0), (0.0, 0.0)]:
        assert coverage(breaks, repairs, 100) >= 0.92


def test_another_level_is_kept_too():
    assert 0.88 <= coverage(0.2, 0.1, 200, level=0.9) <= 0.92
    assert 0.98 <= coverage(0.2, 0.1, 200, level=0.99) <= 1.0


@settings(max_examples=100)
@given(b=st.integers(0, 40), c=st.integers(0, 40), rest=st.integers(0, 60))
def test_ends_lie_where_the_score_test_does_not_reject(b, c, rest):
    n = b + c + rest
    if n == 0:
        return
    low, high = ju.statistics.paired_interval(b, c, n)
    assert -1 <= low <= (b - c) / n <= high <= 1
    swapped = ju.statistics.paired_interval(c, b, n)
    np.testing.assert_allclose(swapped, (-high, -low), atol=1e-6)
    for end, side in ((low, -1), (high, 1)):
        if -1 < end < 1:
            inside, outside = (abs(score(b, c, n, end - side * step)) for step in (1e-4, -1e-4))
            assert inside <= stats.norm.ppf(0.975) + 1e-2
            assert outside >= stats.norm.ppf(0.975) - 1e-2


def score(b, c, n, drop):
    """The score statistic, with the nuisance parameter by a search on a grid."""
    shares = np.linspace(max(0, -drop) + 1e-12, (1 - drop) / 2 - 1e-12, 200_001)
    with np.errstate(divide="ignore", invalid="ignore"):
        likelihood = (
            stats.binom.logpmf(0, 0, 0.5)
            + np.where(b > 0, b * np.log(shares + drop), 0)
            + np.where(c > 0, c * np.log(shares), 0)
            + np.where(n > b + c, (n - b - c) * np.log(1 - 2 * shares - drop), 0)
        )
    repaired = shares[np.nanargmax(likelihood)]
    variance = n * (2 * repaired + drop * (1 - drop))
    return (b - c - n * drop) / np.sqrt(max(variance, 1e-12))


def test_nothing_known_is_nan_and_all_broken_is_closed():
    low, high = ju.statistics.paired_interval([0, 5], [0, 0], [0, 5])
    assert np.isnan(low[0])
    assert np.isnan(high[0])
    assert high[1] == 1
    assert 0 < low[1] < 1


def test_p_values_are_those_of_scipy():
    for b, c in itertools.product(range(6), range(6)):
        expected = stats.binomtest(b, b + c, alternative="greater").pvalue if b + c else 1.0
        assert float(ju.statistics.damage_p_values(b, c)) == pytest.approx(expected)


def sweep_of(broken, repaired, before, count):
    broken, repaired = np.asarray(broken), np.asarray(repaired)
    before, count = np.asarray(before), np.asarray(count)
    return xr.Dataset(
        {
            "broken": (("unit", "class"), broken),
            "correct": (("unit", "class"), before - broken + repaired),
            "correct_before": ("class", before),
            "n_images": ("class", count),
        },
        coords={"unit": np.arange(len(broken)), "class": list("abcdefghij")[: len(count)]},
    )


def test_false_discoveries_stay_under_their_level():
    random = np.random.default_rng(1)
    units, classes, images = 40, 10, 100
    shares = []
    for _ in range(60):
        real = np.zeros((units, classes), bool)
        real[:4, :5] = True
        b = random.binomial(images // 2, np.where(real, 0.5, 0.04))
        c = random.binomial(images // 2, 0.04, (units, classes))
        sweep = sweep_of(b, c, np.full(classes, images // 2), np.full(classes, images))
        sure = ju.statistics.uncertainty(sweep, num_draws=1)
        adjusted = stats.false_discovery_control(sure.p_value.values.ravel())
        np.testing.assert_allclose(sure.adjusted_p_value.values.ravel(), adjusted, rtol=1e-12)
        found = sure.damaged.values
        assert (found & real).sum() > 10
        shares.append((found & ~real).sum() / max(found.sum(), 1))
    assert np.mean(shares) <= 0.05


def test_chance_is_what_flipped_directions_give():
    broken, repaired, count = np.asarray([[2, 0], [1, 1]]), np.asarray([[0, 1], [1, 0]]), [4, 2]
    found = ju.statistics.chance_drops(broken, repaired, [count], num_draws=40_000)
    changed = broken + repaired
    # Every way in which the directions can fall, each as likely as the others.
    expected = []
    for unit in changed:
        ways = [
            max((2 * sum(flips[0]) - unit[0]) / 4, (2 * sum(flips[1]) - unit[1]) / 2)
            for flips in itertools.product(
                itertools.product((0, 1), repeat=unit[0]), itertools.product((0, 1), repeat=unit[1])
            )
        ]
        expected.append(np.mean(ways))
    assert found.shape == (40_000, 2)
    assert found.sum() / 40_000 == pytest.approx(sum(expected), abs=0.01)
    assert (np.diff(found, axis=1) <= 0).all()


def test_chance_does_not_depend_on_how_many_draws_are_held_at_once(monkeypatch):
    counts = np.asarray([[2, 0, 5], [1, 1, 9]]), np.asarray([[0, 1, 3], [1, 0, 2]]), [[9, 7, 20]]
    whole = ju.statistics.chance_drops(*counts, num_draws=101, seed=4)
    monkeypatch.setattr(_chance, "_HELD", 6)
    np.testing.assert_array_equal(ju.statistics.chance_drops(*counts, num_draws=101, seed=4), whole)


def test_a_sweep_without_effect_lies_within_chance():
    random = np.random.default_rng(2)
    outside = 0
    for _ in range(40):
        changed = random.binomial(100, 0.06, (30, 10))
        b = random.binomial(changed, 0.5)
        sweep = sweep_of(b, changed - b, np.full(10, 60), np.full(10, 100))
        result = ju.statistics.uncertainty(sweep, num_draws=400)
        largest = np.sort(((2 * b - changed) / 100).max(1))[::-1]
        outside += (largest[0] > result.chance_high[0]) | (largest[0] < result.chance_low[0])
    # 2 expected of 40.
    assert outside <= 6


def test_a_whole_sweep(trained, few_digits):
    sweep = ju.ablation.sweep(trained, "conv3", few_digits)
    result = ju.statistics.uncertainty(sweep)
    assert result.drop_low.dims == ("unit", "class")
    drops = sweep.class_accuracy_drop
    assert (result.drop_low <= drops + 1e-12).all()
    assert (drops <= result.drop_high + 1e-12).all()
    assert result.sizes["rank"] == sweep.sizes["unit"]
    assert (result.p_value <= result.adjusted_p_value + 1e-12).all()
    unit = int(sweep.max_class_accuracy_drop.values.argmax())
    name = str(sweep.most_damaged_class[unit].item())
    repaired = sweep.correct - sweep.correct_before + sweep.broken
    one = ju.statistics.paired_interval(
        sweep.broken.sel({"class": name})[unit],
        repaired.sel({"class": name})[unit],
        sweep["n_images"].sel({"class": name}),
    )
    found = [result[end].sel({"class": name})[unit] for end in ("drop_low", "drop_high")]
    np.testing.assert_allclose(found, one, atol=1e-9)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (
            lambda: ju.statistics.paired_interval([3, -1], [0, 0], 10),
            "-1 broken and 0 repaired of 10 images: give non-negative counts",
        ),
        (lambda: ju.statistics.paired_interval(6, 6, 10), "6 broken and 6 repaired of 10 images"),
        (lambda: ju.statistics.paired_interval(1, 1, 10, level=1.0), "level=1.0: give a number"),
        (
            lambda: ju.statistics.chance_drops([[1]], [[0]], [[9]], num_draws=0),
            "num_draws=0: give at least",
        ),
        (
            lambda: ju.statistics.chance_drops([[1]] * 3, [[0]] * 3, [[9]], num_draws=10**9),
            "num_draws=1000000000 gives 1,000,000,000 × 3 numbers: give fewer, at most 22,369,621",
        ),
        (
            lambda: ju.statistics.uncertainty(sweep_of([[0]], [[0]], [5], [9]), num_draws=10**9),
            "num_draws=1000000000 gives 1,000,000,000 × 1 numbers",
        ),
        (lambda: ju.statistics.chance_drops([[0]], [[0]], [[0]]), "no class has images"),
        (
            lambda: ju.statistics.uncertainty(xr.Dataset()),
            "needs the result of a sweep over",
        ),
        (
            lambda: ju.statistics.uncertainty(
                sweep_of([[0]], [[0]], [5], [9]), false_discovery_rate=0.0
            ),
            "false_discovery_rate=0.0: give a number",
        ),
    ],
)
def test_what_cannot_be_is_refused(call, message):
    with pytest.raises(ju.InputError) as error:
        call()
    assert message in str(error.value)
