"""Shapley values against the exact ones, which all subsets of a small layer give."""

import itertools
import math

import numpy as np
import pytest

import jaxunits as ju
from tests.zoo import LAYERS, kind


def stop_after(batches):
    """Progress that stops the measurement after so many batches."""
    seen = itertools.count(1)

    def progress(*_):
        if next(seen) == batches:
            raise KeyboardInterrupt

    return progress


def exact(network, layer, data):
    """Every unit's value for each class, from the accuracy of all subsets, `[units, classes]`."""
    units = network.layers[layer].num_units
    subsets = np.array(list(itertools.product((0.0, 1.0), repeat=units)), np.float32)
    counts = ju.ablation.sweep(network, layer, data, subsets, progress=False)
    images = counts.n_images.values
    accuracy = dict(zip(map(tuple, subsets), counts.correct.values / images, strict=True))
    overall = dict(
        zip(map(tuple, subsets), counts.correct.values.sum(1) / images.sum(), strict=True)
    )
    return tuple(
        np.stack([shapley_value(values, unit, units) for unit in range(units)])
        for values in (accuracy, overall)
    )


def shapley_value(values, unit, units):
    """The definition: the mean over the sizes of what stands there before the unit comes."""
    total = 0.0
    for subset, value in values.items():
        if subset[unit]:
            size = int(sum(subset)) - 1
            weight = math.factorial(size) * math.factorial(units - size - 1)
            without = (*subset[:unit], 0.0, *subset[unit + 1 :])
            total = total + weight * (value - values[without])
    return total / math.factorial(units)


@pytest.fixture(scope="module")
def found(trained, few_digits):
    return ju.ablation.shapley(trained, "conv2", few_digits, num_orders=200, progress=False)


def test_values_are_those_of_all_subsets(trained, few_digits, found):
    by_class, overall = exact(trained, "conv2", few_digits)
    distance = np.abs(found.shapley - overall) / found.shapley_error
    assert (distance < 4).all()
    far = np.abs(found.shapley_by_class - by_class) > 4 * found.shapley_by_class_error + 1e-12
    # Four standard errors are passed by one value in sixteen thousand.
    assert far.sum() <= 1
    assert (found.shapley_error < 0.02).all()


def test_efficiency_holds_exactly(found):
    lost = found.correct_before - found.correct_without
    np.testing.assert_array_equal(found.contributed.sum("unit"), found.attrs["orders"] * lost)
    overall = lost.sum() / found.n_images.sum()
    np.testing.assert_allclose(found.shapley.sum(), overall, rtol=1e-12)


@pytest.mark.parametrize("together", [2, 1], ids=["one round", "rounds of one pair"])
def test_steps_of_cumulative_ablation_are_what_is_averaged(
    together, trained, few_digits, monkeypatch
):
    monkeypatch.setattr(ju.ablation._shapley, "_MASKS", 22 * together)
    found = ju.ablation.shapley(trained, "conv3", few_digits, num_orders=4, seed=5, progress=False)
    draws = [np.random.default_rng([5, number]) for number in range(2 // together)]
    drawn = [random.permutation(10) for random in draws for _ in range(together)]
    orders = [order for each in drawn for order in (each, each[::-1])]
    curves = ju.ablation.cumulative(trained, "conv3", few_digits, orders, progress=False)
    added, losses = np.zeros((4, 10, 10), np.int64), np.zeros((4, 10))
    for number, order in enumerate(orders):
        added[number, order] = -np.diff(curves.correct.values[number], axis=0)
        losses[number, order] = np.diff(curves.loss_sum.values[number].sum(1))
    np.testing.assert_array_equal(found.contributed, added.sum(0))
    shares = {
        "shapley_by_class": added / found.n_images.values,
        "shapley": added.sum(2) / 300,
        "loss_shapley": losses / 300,
    }
    for name, each in shares.items():
        np.testing.assert_allclose(found[name], each.mean(0), atol=1e-9)
        pairs = each.reshape(2, 2, *each.shape[1:]).mean(1)
        error = pairs.std(0, ddof=1) / math.sqrt(2)
        np.testing.assert_allclose(found[f"{name}_error"], error, atol=1e-9)
    assert found.attrs["orders"] == 4


def test_it_stops_when_values_are_precise(trained, few_digits, monkeypatch):
    monkeypatch.setattr(ju.ablation._shapley, "_MASKS", 40)
    options = {"progress": False, "num_orders": 60}
    whole = ju.ablation.shapley(trained, "conv2", few_digits, **options)
    enough = 1.5 * float(whole.shapley_error.max())
    found = ju.ablation.shapley(trained, "conv2", few_digits, standard_error=enough, **options)
    assert 16 <= found.attrs["orders"] < whole.attrs["orders"] == 60
    assert float(found.shapley_error.max()) <= enough


def test_a_kill_loses_nothing(trained, few_digits, tmp_path, monkeypatch):
    monkeypatch.setattr(ju.ablation._shapley, "_MASKS", 40)
    options = {"num_orders": 12, "batch_size": 100, "images_per_piece": 100}
    whole = ju.ablation.shapley(
        trained, "conv2", few_digits, file=tmp_path / "whole.nc", progress=False, **options
    )
    file = tmp_path / "killed.nc"
    for batches in (2, 5):
        with pytest.raises(KeyboardInterrupt):
            ju.ablation.shapley(
                trained, "conv2", few_digits, file=file, progress=stop_after(batches), **options
            )
    found = ju.ablation.shapley(trained, "conv2", few_digits, file=file, progress=False, **options)
    assert file.read_bytes() == (tmp_path / "whole.nc").read_bytes()
    assert found.drop_attrs().identical(whole.drop_attrs())
    assert sorted(path.name for path in tmp_path.iterdir()) == [
        *("killed.nc", "killed.timing.json", "whole.nc", "whole.timing.json"),
    ]


@pytest.mark.parametrize("name", ["transformer", "linen", "masked", "mobilenet"])
def test_any_network(name):
    found, layer = kind(name), LAYERS[name][0]
    units = found.network.layers[layer].num_units
    result = ju.ablation.shapley(found.network, layer, found.data, num_orders=4, progress=False)
    lost = result.correct_before - result.correct_without
    np.testing.assert_array_equal(result.contributed.sum("unit"), 4 * lost)
    none = ju.ablation.sweep(found.network, layer, found.data, np.zeros((1, units)), progress=False)
    np.testing.assert_array_equal(result.correct_without, none.correct[0])


@pytest.mark.parametrize(
    ("given", "text"),
    [
        ({"num_orders": 3}, "num_orders=3"),
        ({"standard_error": 0.0}, "standard_error=0.0: give a positive number, or None"),
        ({"standard_error": math.nan}, "standard_error=nan: give a positive number, or None"),
        ({"seed": -1}, "seed=-1"),
    ],
)
def test_what_cannot_be_is_refused(trained, few_digits, given, text):
    with pytest.raises(ju.InputError, match=text):
        ju.ablation.shapley(trained, "conv2", few_digits, **given)
