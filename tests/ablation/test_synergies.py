"""Synergies against a loop over masks, and against networks whose synergies are known."""

import itertools
import math

import jax.numpy as jnp
import numpy as np
import pytest

import jaxunits as ju
from tests.zoo import LAYERS, kind


def test_they_are_those_of_a_loop(trained, few_digits):
    pairs = [(0, 1), (7, 3), (4, 6)]
    found = ju.ablation.synergies(trained, "conv2", few_digits, pairs=pairs, progress=False)
    units = trained.layers["conv2"].num_units

    def right(*ablated):
        mask = np.ones(units, np.float32)
        mask[list(ablated)] = 0
        batch = next(iter(ju.data.batches(few_digits, trained.preprocessing, len(few_digits))))
        logits = trained(batch.images, {"conv2": jnp.asarray(mask)})
        return np.asarray(logits).argmax(1) == batch.labels, batch.labels

    before, labels = right()
    for number, (one, other) in enumerate(pairs):
        both, first, second = (right(*each)[0] for each in ((one, other), (one,), (other,)))
        drops = [before.astype(int) - each for each in (both, first, second)]
        synergy = drops[0] - drops[1] - drops[2]
        row = found.isel(pair=number)
        assert (int(row.first), int(row.second)) == (one, other)
        np.testing.assert_allclose(row.synergy, synergy.mean(), atol=1e-12)
        np.testing.assert_allclose(
            row.synergy_error, synergy.std(ddof=1) / math.sqrt(len(labels)), atol=1e-12
        )
        np.testing.assert_allclose(row.overall_accuracy_drop, drops[0].mean(), atol=1e-12)
        for index in range(10):
            of_class = synergy[labels == index]
            np.testing.assert_allclose(row.synergy_by_class[index], of_class.mean(), atol=1e-12)
            error = of_class.std(ddof=1) / math.sqrt(len(of_class))
            np.testing.assert_allclose(row.synergy_by_class_error[index], error, atol=1e-12)


def test_all_pairs_come_once_and_losses_are_a_sweeps(trained, few_digits, monkeypatch):
    monkeypatch.setattr(ju.ablation._synergies, "_PAIRS", 20)
    found = ju.ablation.synergies(trained, "conv3", few_digits, progress=False)
    every = list(itertools.combinations(range(10), 2))
    assert list(zip(found.first.values, found.second.values, strict=True)) == every
    masks = np.ones((len(every), 10))
    for row, pair in zip(masks, every, strict=True):
        row[list(pair)] = 0
    both = ju.ablation.sweep(trained, "conv3", few_digits, masks, progress=False)
    alone = ju.ablation.sweep(trained, "conv3", few_digits, progress=False)
    np.testing.assert_array_equal(found.correct, both.correct)
    np.testing.assert_array_equal(found.correct_without_unit, alone.correct)
    rises = [(each.loss_sum - each.loss_sum_before).sum("class").values for each in (both, alone)]
    first, second = np.asarray(every).T
    expected = (rises[0] - rises[1][first] - rises[1][second]) / len(few_digits)
    np.testing.assert_allclose(found.loss_synergy, expected, atol=1e-6)


def test_units_that_back_each_other_up_have_positive_synergy():
    """Either of the first two units is enough for class 0; class 1 needs both of the next two."""

    def function(params, images):
        one, other = jnp.moveaxis(images.reshape(len(images), 2), 1, 0)
        hidden = ju.networks.unit(jnp.stack([one, one, other, other, 0 * one], axis=1), "hidden")
        either = jnp.maximum(hidden[:, 0], hidden[:, 1])
        both = jnp.minimum(hidden[:, 2], hidden[:, 3])
        return jnp.stack([either, both, jnp.full_like(both, params["other"])], axis=1)

    size = ju.data.Preprocessing((1, 2), 1)
    network = ju.networks.from_callable(function, {"other": jnp.array(0.5)}, preprocessing=size)
    images = np.zeros((8, 1, 2, 1), np.float32)
    labels = np.arange(8) % 2
    images[np.arange(8), 0, labels, 0] = 1
    data = ju.data.load((images, labels), class_names=["zero", "one", "two"])
    found = ju.ablation.synergies(network, "hidden", data, progress=False)
    pairs = zip(found.first.values, found.second.values, strict=True)
    by_pair = dict(zip(pairs, found.synergy.values, strict=True))
    expected = dict.fromkeys(itertools.combinations(range(5), 2), 0.0) | {(0, 1): 0.5, (2, 3): -0.5}
    assert by_pair == expected
    by_class = found.synergy_by_class.values
    np.testing.assert_array_equal(by_class[0], [1, 0, np.nan])
    assert found.attrs["empty_classes"] == "two"


def test_drawn_pairs_are_some_of_all(trained, few_digits):
    found = ju.ablation.synergies(trained, "conv2", few_digits, num_pairs=7, seed=3, progress=False)
    pairs = set(zip(found.first.values.tolist(), found.second.values.tolist(), strict=True))
    assert len(pairs) == 7
    assert pairs <= set(itertools.combinations(range(8), 2))


@pytest.mark.parametrize("units", [2, 3, 17])
def test_every_index_is_a_pair(units):
    every = list(itertools.combinations(range(units), 2))
    found = ju.ablation._synergies._of_index(np.arange(len(every)), units)
    assert list(map(tuple, found.tolist())) == every


@pytest.mark.parametrize("name", ["transformer", "linen", "masked", "mobilenet"])
def test_any_network(name):
    found, layer = kind(name), LAYERS[name][0]
    pairs = [[1, 0], [2, 0]]
    result = ju.ablation.synergies(found.network, layer, found.data, pairs=pairs, progress=False)
    masks = np.ones((2, found.network.layers[layer].num_units))
    masks[0, [0, 1]] = masks[1, [0, 2]] = 0
    both = ju.ablation.sweep(found.network, layer, found.data, masks, progress=False)
    np.testing.assert_array_equal(result.correct, both.correct)


def test_a_kill_loses_one_round(trained, few_digits, tmp_path, monkeypatch):
    monkeypatch.setattr(ju.ablation._synergies, "_PAIRS", 20)
    options = {"batch_size": 100, "images_per_piece": 100}
    whole, killed = tmp_path / "whole.nc", tmp_path / "killed.nc"
    ju.ablation.synergies(trained, "conv3", few_digits, file=whole, progress=False, **options)
    for batches in (2, 5):
        seen = itertools.count(1)

        def stop(*_, seen=seen, batches=batches):
            if next(seen) == batches:
                raise KeyboardInterrupt

        with pytest.raises(KeyboardInterrupt):
            ju.ablation.synergies(
                trained, "conv3", few_digits, file=killed, progress=stop, **options
            )
    ju.ablation.synergies(trained, "conv3", few_digits, file=killed, progress=False, **options)
    assert killed.read_bytes() == whole.read_bytes()


@pytest.mark.parametrize(
    ("given", "text"),
    [
        ({"pairs": [[0, 8]]}, "unit 8 in pairs of layer 'conv2': give 0 to 7"),
        ({"pairs": [[3, 3]]}, r"pair \[3, 3\] of layer 'conv2': give two distinct units"),
        ({"pairs": [0, 1]}, r"pairs of shape \(2,\) for layer 'conv2': give \[pairs, 2\]"),
        ({"pairs": [[0.5, 1]]}, "pairs of type float64"),
        ({"pairs": [[0, 1]], "num_pairs": 1}, "pairs and num_pairs are both given"),
        ({"num_pairs": 29}, "num_pairs=29: give a whole number from 1 up to 28"),
        ({"seed": -1}, "seed=-1"),
    ],
)
def test_what_cannot_be_is_refused(trained, few_digits, given, text):
    with pytest.raises(ju.InputError, match=text):
        ju.ablation.synergies(trained, "conv2", few_digits, **given)
