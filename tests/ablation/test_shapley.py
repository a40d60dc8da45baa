"""Shapley values against the exact ones, which all subsets of a small layer give."""

import dataclasses
import functools
import itertools
import math

import numpy as np
import pytest
from jax import numpy as jnp

import jaxunits as ju
from jaxunits._bounds import check_table
from jaxunits.ablation._question import question_of
from tests.chains import changed
from tests.reference import small_convnet
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


@pytest.fixture(scope="module", params=[(200, None), (200, 60)], ids=["all images", "60 images"])
def found(request, trained, few_digits):
    orders, images = request.param
    options = {"num_orders": orders, "images_per_order": images, "progress": False}
    return ju.ablation.shapley(trained, "conv2", few_digits, **options)


def test_values_are_those_of_all_subsets(trained, few_digits, found):
    by_class, overall = exact(trained, "conv2", few_digits)
    distance = np.abs(found.shapley - overall)
    assert (distance < 3 * found.shapley_error).all()
    distance = np.abs(found.shapley_by_class - by_class)
    assert (distance <= 3 * found.shapley_by_class_error + 1e-12).all()
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


def test_every_group_of_images_has_orders_of_its_own(trained, few_digits, monkeypatch):
    """In two rounds of a pair; a group's standard error is that of its pairs."""
    monkeypatch.setattr(ju.ablation._shapley, "_MASKS", 22)
    options = {"num_orders": 4, "images_per_order": 200, "seed": 5, "progress": False}
    found = ju.ablation.shapley(trained, "conv3", few_digits, **options)
    shuffled = np.random.default_rng([5, 0, 0, 1]).permutation(300)
    contributed, variance = np.zeros((10, 10)), 0
    for group, images in enumerate((shuffled[:150], shuffled[150:])):
        some = ju.data.subset(few_digits, np.sort(images))
        drawn = [np.random.default_rng([5, number, group]).permutation(10) for number in range(2)]
        orders = [order for each in drawn for order in (each, each[::-1])]
        curves = ju.ablation.cumulative(trained, "conv3", some, orders, progress=False)
        added = np.zeros((4, 10, 10))
        for number, order in enumerate(orders):
            added[number, order] = -np.diff(curves.correct.values[number], axis=0)
        contributed += added.sum(0)
        pairs = added.sum(2).reshape(2, 2, 10).mean(1)
        variance = variance + pairs.var(0, ddof=1) / 2
    np.testing.assert_array_equal(found.contributed, contributed)
    np.testing.assert_allclose(found.shapley, contributed.sum(1) / 4 / 300, atol=1e-12)
    np.testing.assert_allclose(found.shapley_error, np.sqrt(variance) / 300, atol=1e-9)
    assert found.attrs["orders"] == 4


def looked_up(right, labels):
    """Rounds whose outcomes are looked up: which images are right with each subset of units."""
    by_class = np.eye(labels.max() + 1, dtype=np.int64)[labels]

    def one_round(masks, kind, of, chosen=None):
        some = slice(None) if chosen is None else chosen
        rows = np.concatenate([np.ones((1, masks.shape[1])), masks]).astype(int)
        correct = right[rows @ 2 ** np.arange(masks.shape[1])][:, some]
        counts = correct @ by_class[some]
        return kind(by_class[some].sum(0), counts, np.zeros_like(counts))

    return lambda question, measured: lambda: measured(one_round)


@pytest.mark.parametrize("images", [None, 30], ids=["all images", "30 images"])
def test_standard_errors_are_the_distances_from_the_exact_values(
    images, trained, few_digits, monkeypatch
):
    """Over many seeds, of an outcome of every image that is given by what it needs."""
    random, units, labels = np.random.default_rng(0), 8, few_digits.labels
    subsets = np.array(list(itertools.product((0, 1), repeat=units)))[:, ::-1]
    needed = random.exponential(size=(300, units))
    right = subsets @ needed.T > random.uniform(size=300) * needed.sum(1)
    values = {tuple(subset): share for subset, share in zip(subsets, right.mean(1), strict=True)}
    exact = np.array([shapley_value(values, unit, units) for unit in range(units)])
    monkeypatch.setattr(ju.ablation._shapley, "in_rounds", looked_up(right, labels))
    monkeypatch.setattr(ju.execution, "in_passes", lambda *given, **_: given[-1]())
    apart, errors = [], []
    for seed in range(100):
        found = ju.ablation.shapley(
            *(trained, "conv2", few_digits),
            num_orders=24 if images is None else 8,
            images_per_order=images,
            seed=seed,
            progress=False,
        )
        apart.append(found.shapley.values - exact)
        errors.append(found.shapley_error.values)
    spread = np.sqrt(np.mean(np.square(apart), axis=0))
    # The mean of 100 estimates; and a ratio of deviations that is known to 1/√200, 7 %.
    assert (np.abs(np.mean(apart, axis=0)) < 4 * spread / math.sqrt(100)).all()
    np.testing.assert_allclose(np.sqrt(np.mean(np.square(errors), axis=0)) / spread, 1, atol=0.28)


def test_chosen_images_keep_what_is_drawn_for_them(trained, few_digits):
    """Their other image where ablated units are resampled, and their names in messages."""
    carried_out = ju.ablation.Execution()
    question = question_of(trained, "conv2", few_digits, carried_out, values="resample")
    chosen = np.array([3, 250])
    some = dataclasses.replace(question, chosen=chosen).read()
    assert some.images == 2
    whole = question.read().function(0, 300)
    for one, all_of in zip(some.function(0, 2), whole, strict=True):
        np.testing.assert_array_equal(one, all_of[chosen])


def test_an_image_without_finite_logits_is_named():
    network = changed(small_convnet(), "logits.kernel", lambda old: jnp.full(old.shape, 1e38))
    # All but the last are of the mean color, which gives zeros everywhere.
    images = np.full((20, 28, 28, 1), 0.13, np.float32)
    images[19] = 1
    data = ju.data.load((images, np.arange(20) % 10))
    with pytest.raises(ju.InputError, match="on image 19 of data"):
        ju.ablation.shapley(network, "conv2", data, images_per_order=10, progress=False)


def test_it_stops_when_values_are_precise(trained, few_digits, monkeypatch):
    monkeypatch.setattr(ju.ablation._shapley, "_MASKS", 40)
    options = {"progress": False, "num_orders": 60}
    whole = ju.ablation.shapley(trained, "conv2", few_digits, **options)
    enough = 1.5 * float(whole.shapley_error.max())
    found = ju.ablation.shapley(trained, "conv2", few_digits, standard_error=enough, **options)
    assert 16 <= found.attrs["orders"] < whole.attrs["orders"] == 60
    assert float(found.shapley_error.max()) <= enough


@pytest.mark.parametrize("images", [None, 150], ids=["all images", "150 images"])
def test_a_kill_loses_nothing(images, trained, few_digits, tmp_path, monkeypatch):
    monkeypatch.setattr(ju.ablation._shapley, "_MASKS", 40)
    options = {"batch_size": 100, "images_per_piece": 100, "images_per_order": images}
    options |= {"num_orders": 12}
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


def test_more_groups_than_memory_holds_are_refused(trained, few_digits, monkeypatch):
    limited = functools.partial(check_table, most=1000)
    monkeypatch.setattr(ju.ablation._shapley, "check_table", limited)
    with pytest.raises(ju.InputError, match="images_per_order=1 of 300 images gives 2,400 × 10"):
        ju.ablation.shapley(trained, "conv2", few_digits, images_per_order=1)


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
        ({"images_per_order": 0}, "images_per_order=0: give a whole number from 1"),
        ({"seed": -1}, "seed=-1"),
    ],
)
def test_what_cannot_be_is_refused(trained, few_digits, given, text):
    with pytest.raises(ju.InputError, match=text):
        ju.ablation.shapley(trained, "conv2", few_digits, **given)
