"""The vision transformer against one in plain NumPy and float64: logits, and ablation by hand."""

import numpy as np
import pytest
from scipy import special

import jaxunits as ju
from tests.outcomes import assert_counts
from tests.reference import SMALL, images_of
from tests.stored import stored

DATA = ju.data.load("digits", "validation[:80]")
LAYERS = ("blocks.0.heads", "blocks.0.up")


def forward(arrays, images, gone=None, value=0.0):
    """Logits; `gone` is a layer and its units, which give `value`."""

    def without(name, units, axis):
        if gone is None or gone[0] != name:
            return units
        moved = np.moveaxis(units.copy(), axis, -1)
        moved[..., gone[1]] = value
        return np.moveaxis(moved, -1, axis)

    def norm(name, x):
        centered = x - x.mean(-1, keepdims=True)
        scaled = centered / np.sqrt((centered**2).mean(-1, keepdims=True) + 1e-6)
        return scaled * arrays[f"{name}.scale"] + arrays[f"{name}.bias"]

    def dense(name, x, equation="ntc,cd->ntd"):
        return np.einsum(equation, x, arrays[f"{name}.kernel"]) + arrays[f"{name}.bias"]

    kernel = arrays["patches.kernel"]
    side, rows = kernel.shape[0], images.shape[1] // kernel.shape[0]
    cut = images.reshape(len(images), rows, side, rows, side, -1)
    tokens = np.einsum("nribjc,ijcd->nrbd", cut, kernel) + arrays["patches.bias"]
    tokens = tokens.reshape(len(images), rows * rows, -1)
    first = np.broadcast_to(arrays["token"], (len(images), 1, tokens.shape[-1]))
    tokens = np.concatenate([first, tokens], 1) + arrays["positions"]
    for block in ("blocks.0", "blocks.1"):
        given = norm(f"{block}.norm1", tokens)
        query, key, seen = (
            dense(f"{block}.{name}", given, "ntc,chd->nthd") for name in ("query", "key", "value")
        )
        scores = np.einsum("nthd,nshd->nhts", query, key) / np.sqrt(query.shape[-1])
        heads = np.einsum("nhts,nshd->nthd", special.softmax(scores, -1), seen)
        heads = without(f"{block}.heads", heads, 2)
        tokens = tokens + dense(f"{block}.out", heads, "nthd,hdc->ntc")
        up = dense(f"{block}.up", norm(f"{block}.norm2", tokens))
        up = 0.5 * up * (1 + np.tanh(np.sqrt(2 / np.pi) * (up + 0.044715 * up**3)))
        tokens = tokens + dense(f"{block}.down", without(f"{block}.up", up, -1))
    return norm("norm", tokens)[:, 0] @ arrays["logits.kernel"] + arrays["logits.bias"]


@pytest.fixture(scope="module")
def network():
    return stored("vision_transformer")


@pytest.fixture(scope="module")
def known(network):
    """Its arrays and the images, in float64."""
    arrays = {
        key: np.asarray(each, np.float64) for key, each in ju.networks.arrays(network).items()
    }
    images, labels = images_of(DATA, SMALL)
    return arrays, images, labels


def test_logits_are_those_of_numpy(network, known):
    arrays, images, labels = known
    logits = forward(arrays, images)
    np.testing.assert_allclose(network(images.astype(np.float32)), logits, atol=1e-3)
    assert (logits.argmax(1) == labels).mean() > 0.5


def test_heads_and_neurons_are_layers(network):
    heads, neurons = (network.layers[name] for name in LAYERS[:2])
    assert (heads.num_units, heads.map_shape, heads.has_maps) == (4, (17, 4), False)
    assert (neurons.num_units, neurons.map_shape, neurons.has_maps) == (12, (17,), False)
    assert neurons.unit_is == "post-activation"
    assert network.layers["patches"].has_maps


@pytest.mark.parametrize("layer", LAYERS)
@pytest.mark.parametrize("method", ["fast", "reference"])
def test_ablating_a_unit_is_zeroing_it_by_hand(network, known, layer, method):
    arrays, images, labels = known
    found = ju.ablation.sweep(network, layer, DATA, method=method, progress=False)
    for unit in found["unit"].values.tolist():
        logits = forward(arrays, images, (layer, [unit]))
        assert_counts(found[["correct", "loss_sum", "n_images"]].sel(unit=unit), logits, labels)


def test_means_and_orders_across_heads_and_neurons(network, known):
    arrays, images, labels = known
    means = ju.ablation.unit_means(network, "blocks.1.heads", DATA)
    found = ju.ablation.sweep(network, "blocks.1.heads", DATA, values="mean", progress=False)
    logits = forward(arrays, images, ("blocks.1.heads", [2]), means[2])
    assert_counts(found[["correct", "loss_sum", "n_images"]].sel(unit=2), logits, labels)
    along = ju.ablation.cumulative(network, "blocks.0.heads", DATA, [3, 0, 1, 2], progress=False)
    logits = forward(arrays, images, ("blocks.0.heads", [3, 0]))
    assert_counts(along[["correct", "loss_sum", "n_images"]].isel(step=2), logits, labels)


def test_what_tokens_and_heads_are_not(network):
    concepts = ju.data.concepts.computed(DATA, ["quadrants"])
    with pytest.raises(ju.InputError, match="maps of rows and columns are needed"):
        ju.attributes.dissect(network, "blocks.0.heads", concepts)
    with pytest.raises(ju.InputError, match="has no maps"):
        ju.networks.receptive_fields(network, "blocks.0.heads")
    square = ju.networks.vision_transformer(
        10, patch=14, width=10, depth=1, heads=2, hidden=4, preprocessing=SMALL
    )
    assert square.layers["blocks.0.heads"].map_shape == (5, 5)
    with pytest.raises(ju.InputError, match="not known to be rows and columns"):
        ju.topology.layer_birth_points(square, "blocks.0.heads", DATA)
