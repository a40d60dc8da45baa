"""Cumulative ablation, insertion, greedy ablation and directions against plain NumPy."""

import numpy as np
import pytest
import scipy.stats
import xarray as xr
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from jax import numpy as jnp

import jaxunits as ju
from jaxunits.ablation._encoding import encode
from tests.outcomes import assert_counts, assert_greedy, before
from tests.reference import SMALL, forward, images_of
from tests.zoo import LAYERS, kind


@pytest.fixture(scope="session")
def dense(digits):
    return ju.networks.mlp(10, widths=(12, 9), preprocessing=SMALL, seed=3)


@pytest.mark.parametrize("insertion", [False, True])
@pytest.mark.parametrize("layer", ["conv1", "conv2", "conv3"])
def test_orders_equal_a_brute_force_loop(trained, few_digits, layer, insertion):
    units = trained.layers[layer].num_units
    order = np.random.default_rng(1).permutation(units)
    along = ju.ablation.insertion if insertion else ju.ablation.cumulative
    result = along(trained, layer, few_digits, order)
    assert result.correct.sizes == {"step": units + 1, "class": 10}
    assert result.attrs["method"] == "fast"
    images, labels = images_of(few_digits, SMALL)
    scale = np.abs(forward(trained, images)).max()
    for step in range(units + 1):
        gone = order[step:] if insertion else order[:step]
        logits = forward(trained, images, (layer, gone))
        assert_counts(result.isel(step=step), logits, labels, scale)
    whole = {"step": units} if insertion else {"step": 0}
    xr.testing.assert_equal(
        result.correct.isel(whole).drop_vars("step"), result.correct_before.rename(None)
    )


def test_several_orders_that_leave_units_out(trained, few_digits):
    orders = np.asarray([[3, 1, 7], [0, 3, 2]])
    result = ju.ablation.cumulative(trained, "conv2", few_digits, orders, values=np.full(8, 0.5))
    assert result.correct.sizes == {"order": 2, "step": 4, "class": 10}
    np.testing.assert_array_equal(result.ordered_unit, [[-1, 3, 1, 7], [-1, 0, 3, 2]])
    images, labels = images_of(few_digits, SMALL)
    for number, order in enumerate(orders):
        for step in range(4):
            logits = forward(trained, images, ("conv2", order[:step]), 0.5)
            assert_counts(result.isel(order=number, step=step), logits, labels)


@pytest.mark.parametrize("insertion", [False, True])
def test_an_order_of_all_layers_equals_masks_by_hand(trained, few_digits, insertion):
    along = ju.ablation.insertion if insertion else ju.ablation.cumulative
    layers = trained.layers
    total = sum(each.num_units for each in layers.values())
    order = np.random.default_rng(4).permutation(total)[:20]
    found = along(trained, None, few_digits, order, progress=False)
    units = [(name, unit) for name, each in layers.items() for unit in range(each.num_units)]
    masks = {name: np.full(each.num_units, not insertion, float) for name, each in layers.items()}
    batch = next(iter(ju.data.batches(few_digits, trained.preprocessing, len(few_digits))))
    assert (int(found.ordered_unit[0]), str(found.ordered_layer.values[0])) == (-1, "")
    for step in range(21):
        if step:
            name, unit = units[order[step - 1]]
            masks[name][unit] = insertion
            assert (found.ordered_layer.values[step], found.ordered_unit[step]) == (name, unit)
        logits = trained(
            batch.images, {name: jnp.asarray(m, jnp.float32) for name, m in masks.items()}
        )
        right = np.asarray(logits).argmax(1) == batch.labels
        counts = np.bincount(batch.labels[right], minlength=10)
        np.testing.assert_array_equal(found.correct[step], counts)


@pytest.mark.parametrize("name", ["transformer", "linen", "masked", "mobilenet"])
def test_an_order_of_two_layers_of_any_network(name):
    found, layers = kind(name), LAYERS[name][:2]
    network, data = found.network, found.data
    layers = network.chosen_layers(layers)
    first, second = (network.layers[each].num_units for each in layers)
    order = [first + 1, 0, first, 2]
    curve = ju.ablation.cumulative(network, layers, data, order, progress=False)
    masks, others = np.ones((5, first)), np.ones((5, second))
    others[1:, 1] = others[3:, 0] = masks[2:, 0] = masks[4:, 2] = 0
    swept = ju.ablation.sweep(
        network, layers[0], data, masks, other_masks={layers[1]: others}, progress=False
    )
    np.testing.assert_array_equal(curve.correct, swept.correct)


def test_long_orders_do_not_gather_rounding_errors(few_digits):
    network = ju.networks.mlp(10, widths=(700, 9), preprocessing=SMALL, seed=3)
    # Without biases all images have the same logits, 0, once the layer is gone.
    biases = {"fc2.bias": jnp.linspace(0.1, 0.5, 9), "logits.bias": jnp.linspace(0.1, 0.5, 10)}
    network = ju.networks.with_arrays(network, biases)
    order = np.random.default_rng(0).permutation(700)
    fast = ju.ablation.cumulative(network, "fc1", few_digits, order)
    images, _ = images_of(few_digits, SMALL)
    labels = few_digits.labels
    scale = np.abs(forward(network, images)).max()
    for step in (1, 127, 128, 350, 699, 700):
        logits = forward(network, images, ("fc1", order[:step]))
        assert_counts(fast.isel(step=step), logits, labels, scale)


def test_whole_layer_ablated_gives_every_image_the_same_class(trained, few_digits):
    last = ju.ablation.cumulative(trained, "conv3", few_digits, np.arange(10)).isel(step=10)
    right = last.correct.values > 0
    assert right.sum() == 1
    np.testing.assert_array_equal(last.correct.values[right], last["n_images"].values[right])


@given(
    masks=hnp.arrays(bool, st.tuples(st.integers(1, 12), st.integers(1, 9))),
    rows=st.integers(1, 5),
)
def test_any_masks_survive_their_encoding(masks, rows):
    np.testing.assert_array_equal(encode(masks, rows).masks(), masks)


@given(order=st.permutations(list(range(7))), rows=st.integers(1, 4), insertion=st.booleans())
def test_orders_are_encoded_as_running_changes_of_one_unit(order, rows, insertion):
    masks = np.tril(np.ones((8, 7), bool), -1)[:, np.argsort(order)] == insertion
    encoding = encode(masks, rows)
    np.testing.assert_array_equal(encoding.masks(), masks)
    assert encoding.running
    assert encoding.changes == 1


def test_groups_are_encoded_as_changes_of_the_nearer_base():
    masks = ju.ablation.groups(9, [[0, 4], list(range(8)), [], [2]]).astype(bool)
    encoding = encode(masks, 2)
    np.testing.assert_array_equal(encoding.masks(), masks)
    assert encoding.changes == 2
    assert not encoding.running


def test_single_units_are_encoded_as_one_change_of_one_base():
    encoding = encode(ju.ablation.single_units(50).astype(bool), 8)
    assert encoding.units.shape == (7, 8, 1)
    assert len(encoding.bases) == 1
    assert not encoding.running


@pytest.mark.parametrize("method", ["fast", "reference"])
def test_greedy_equals_a_brute_force_search(trained, few_digits, method):
    result = ju.ablation.greedy(
        trained, "conv3", few_digits, classes=["3", "8"], steps=4, random=2, method=method
    )
    images, labels = images_of(few_digits, SMALL)
    assert result.target.values.tolist() == ["3", "8", "", ""]
    assert result.correct.sizes == {"order": 4, "step": 5, "class": 10}
    for number, label in enumerate((3, 8)):
        order = result.ordered_unit.values[number, 1:]

        def logits_without(gone, label=label):
            return forward(trained, images[labels == label], ("conv3", gone))

        assert_greedy(order, 10, label, logits_without)
        for step in range(5):
            logits = forward(trained, images, ("conv3", order[:step]))
            assert_counts(result.isel(order=number, step=step), logits, labels)


def test_greedy_hurts_more_than_random_orders(trained, digits):
    """On images that it was not chosen on, and over all classes, by a wide gap."""
    chosen_on, measured_on = (ju.data.subset(digits, np.arange(start, 1000, 2)) for start in (0, 1))
    result = ju.ablation.greedy(
        trained, "conv3", chosen_on, steps=3, measure_on=measured_on, random=10
    )
    accuracy = result.class_accuracy.isel(step=3).values
    greedy, random = np.diag(accuracy[:10]).mean(), accuracy[10:].mean()
    assert greedy < random - 0.1, (greedy, random)
    assert result.attrs["data_fingerprint"] == measured_on.fingerprint
    assert result.attrs["chosen_on"] == chosen_on.fingerprint


def test_a_finished_greedy_series_is_read_and_a_changed_one_refused(trained, few_digits, tmp_path):
    arguments = {"classes": ["3"], "steps": 2, "random": 1, "file": tmp_path / "greedy.nc"}
    first = ju.ablation.greedy(trained, "conv3", few_digits, **arguments)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["greedy.nc", "greedy.timing.json"]
    again = ju.ablation.greedy(trained, "conv3", few_digits, **arguments)
    xr.testing.assert_identical(first, again)
    with pytest.raises(ju.InputError, match="masks is 'greedy, 2 steps' there and 'greedy, 3 step"):
        ju.ablation.greedy(trained, "conv3", few_digits, **(arguments | {"steps": 3}))


@pytest.mark.parametrize(
    ("layer", "method"), [("conv3", "fast"), ("conv1", "fast"), ("fc1", "reference")]
)
def test_directions_equal_a_brute_force_loop(trained, dense, few_digits, layer, method):
    network = dense if layer == "fc1" else trained
    units = network.layers[layer].num_units
    basis = ju.ablation.haar(units, seed=5)
    result = ju.ablation.directions(network, layer, few_digits, basis, method=method)
    assert result.attrs["method"] == method
    assert result.correct.sizes == {"direction": units, "class": 10}
    images, labels = images_of(few_digits, SMALL)
    wide = basis.astype(np.float64)
    for direction in range(units):

        def without(state, column=wide[:, direction]):
            return state - (state @ column)[..., None] * column

        logits = forward(network, images, change=(layer, without))
        assert_counts(result.isel(direction=direction), logits, labels)


def test_rotating_there_and_back_leaves_the_logits(trained, few_digits):
    basis = ju.ablation.haar(10, seed=0)
    result = ju.ablation.directions(trained, "conv3", few_digits, basis, np.ones((1, 10)))
    images, labels = images_of(few_digits, SMALL)
    assert_counts(result.isel(mask=0), forward(trained, images), labels)
    assert_counts(before(result), forward(trained, images), labels)


def test_the_identity_as_basis_ablates_units(trained, clear_digits):
    directions = ju.ablation.directions(trained, "conv3", clear_digits, np.eye(10))
    units = ju.ablation.sweep(trained, "conv3", clear_digits)
    np.testing.assert_array_equal(directions.correct, units.correct)


def test_haar_rotations_are_orthogonal_and_uniform():
    rotation = ju.ablation.haar(40, seed=1)
    np.testing.assert_allclose(rotation.T @ rotation, np.eye(40), atol=1e-5)
    np.testing.assert_array_equal(rotation, ju.ablation.haar(40, seed=1))
    angles = [np.arctan2(*ju.ablation.haar(2, seed=seed)[:, 0]) for seed in range(2000)]
    uniform = scipy.stats.uniform(-np.pi, 2 * np.pi)
    assert scipy.stats.kstest(angles, uniform.cdf).pvalue > 0.01


@pytest.mark.parametrize(
    ("orders", "message"),
    [
        ([0, 8], "unit 8 in order 0 of layer 'conv2': give 0 to 7"),
        (
            [[0, 1], [3, 3]],
            "unit 3 comes 2 times in order 1 of layer 'conv2': give every unit at most once",
        ),
        ([0.5, 1.0], "orders of type float64 for layer 'conv2', such as 0.5: give whole numbers"),
    ],
)
def test_orders_that_cannot_be_used(trained, few_digits, orders, message):
    with pytest.raises(ju.InputError) as caught:
        ju.ablation.cumulative(trained, "conv2", few_digits, orders)
    assert message in str(caught.value)


def test_bases_that_cannot_be_used(trained, few_digits):
    with pytest.raises(ju.InputError, match=r"basis of shape \(3, 3\) for layer 'conv3'"):
        ju.ablation.directions(trained, "conv3", few_digits, np.eye(3))
    with pytest.raises(ju.InputError, match="not orthogonal: QᵀQ differs from the identity by 3"):
        ju.ablation.directions(trained, "conv3", few_digits, 2 * np.eye(10))


def test_greedy_input_that_cannot_be_used(trained, few_digits):
    with pytest.raises(ju.InputError, match="unknown class '11'"):
        ju.ablation.greedy(trained, "conv3", few_digits, classes=["11"])
    with pytest.raises(ju.InputError, match="steps=11"):
        ju.ablation.greedy(trained, "conv3", few_digits, classes=["1"], steps=11)
    only_ones = ju.data.subset(few_digits, np.flatnonzero(few_digits.labels == 1))
    with pytest.raises(ju.InputError, match="class '3' has no images in data 'arrays'"):
        ju.ablation.greedy(trained, "conv3", only_ones, classes=["3"])
