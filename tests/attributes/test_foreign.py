"""Attributes of units in every kind of network, against NumPy on activations read by hand."""

import numpy as np
import pytest
from scipy import special

import jaxunits as ju
from tests.attributes.overlap import centers_by_corners, masks_of, overlap
from tests.outcomes import ROUNDING, tolerance
from tests.zoo import KINDS, LAYERS, MAPS, kind
from tests.zoo.checks import quick_compilation
from tests.zoo.kind import CLASSES

# The weights of each layer's units, and their axis; of the others the library knows none.
WEIGHTS = {
    "convnext": ("blocks.0.expand.kernel", -1),
    "efficientnet": ("block.depthwise.kernel", -1),
    "densenet": ("layers.0.conv.kernel", -1),
    # One head a unit, between the inputs and the head's numbers.
    "transformer": ("blocks.0.attention.value.kernel", 1),
    "linen": ("params.Bottleneck_1.Conv_1.kernel", -1),
    "marked": ("conv2.w", -1),
    "masked": ("conv2.w", -1),
    "channels_first": ("conv2.w", -1),
    "mobilenet": ("features.1.conv.1.0.weight", 0),
}

# What float32 cannot tell of a layer's largest value: 16 · 2⁻²⁴, that is a sum of some 250 products
# whose errors have either sign. Few values may lie so near to another.
FINE = 2.0**-20


@pytest.fixture(autouse=True, scope="module")
def _quick():
    with quick_compilation():
        yield


@pytest.fixture(scope="module", params=KINDS)
def name(request):
    kind(request.param)
    return request.param


@pytest.fixture(scope="module")
def collected(name):
    """A network, its activations `[images, positions, units]`, and what is collected of them."""
    found, layer = kind(name), LAYERS[name][0]
    result = ju.attributes.collect(found.network, layer, found.data, batch_size=16, top_images=5)
    activations = found.activations(layer)
    return found, activations.reshape(len(activations), -1, activations.shape[-1]), result


def present(found):
    """The classes that have images."""
    return np.unique(found.labels)


def near(values, expected, scale=None):
    """Equal as far as sums in float32 are."""
    size = np.abs(expected).max() if scale is None else scale
    np.testing.assert_allclose(values, expected, rtol=ROUNDING, atol=ROUNDING * size)


def test_statistics(collected):
    _, maps, result = collected
    means = maps.mean(1)
    near(result.activation_mean, means.mean(0), np.abs(maps).max())
    near(result.activation_std, means.std(0), np.abs(maps).max())
    near(result.activation_max, maps.max((0, 1)))
    best = np.sort(means, axis=0)[::-1][:5].T
    near(result.top_activation, best, np.abs(maps).max())
    near(np.take_along_axis(means.T, result.top_image.values, 1), best, np.abs(maps).max())


def test_zeros(collected):
    """Float32 cannot tell whether what is this near to 0 is 0."""
    _, maps, result = collected
    near_zero = (maps != 0) & (np.abs(maps) <= FINE * np.abs(maps).max())
    assert near_zero.mean() < 0.01
    # One more may be 0 by hand alone.
    allowed = (near_zero.sum((0, 1)) + 1) / maps[..., 0].size
    assert (np.abs(result.apoz - (maps == 0).mean((0, 1))) <= allowed).all()
    allowed = (near_zero.any(1).sum(0) + 1) / len(maps)
    assert (np.abs(result.silent_share - (maps == 0).all(1).mean(0)) <= allowed).all()


def test_class_selectivity(collected):
    found, maps, result = collected
    means = np.stack([maps[found.labels == k].mean((0, 1)) for k in present(found)], 1)
    error = ROUNDING * np.abs(maps).max()
    near(result.class_mean[:, present(found)], means, np.abs(maps).max())
    for place, k in enumerate(present(found)):
        mean, others = means[:, place], np.delete(means, place, axis=1).mean(1)
        # Not divided, since means of both signs may cancel.
        selectivity = result.class_selectivity_by_class.values[:, k]
        apart = np.abs(selectivity * (mean + others) - (mean - others))
        assert (apart <= 2 * error * (1 + np.abs(selectivity))).all()
    empty = np.setdiff1d(np.arange(CLASSES), present(found))
    assert np.isnan(result.class_mean[:, empty]).all()
    assert (result.class_selectivity_by_class[:, empty] == 0).all()
    preferred = np.nanargmax(result.class_mean.values, axis=1)
    np.testing.assert_array_equal(
        result.class_selectivity,
        result.class_selectivity_by_class.values[np.arange(len(means)), preferred],
    )


def test_class_correlation(collected):
    found, maps, result = collected
    logits = found.logits()[0]
    means, probability = maps.mean(1), special.softmax(logits, axis=1)
    # Of a unit that hardly answers at all too few digits are left.
    answers = means.std(0) > 1e-3 * np.abs(maps).max()
    assert answers.mean() > 0.5
    together = np.concatenate([means[:, answers], probability], 1)
    expected = np.corrcoef(together.T)[: answers.sum(), answers.sum() :]
    # A probability's relative error is the error of a difference of logits.
    apart = tolerance(logits)
    by_class, largest = result.class_correlation_by_class, result.class_correlation
    np.testing.assert_allclose(by_class[answers], expected, atol=apart)
    np.testing.assert_allclose(largest[answers], expected.max(1), atol=apart)
    assert (by_class[(maps == 0).all((0, 1))] == 0).all()


def test_weights(name, collected):
    found, maps, result = collected
    assert ("l1_norm" in result) == (name in WEIGHTS)
    if name in WEIGHTS:
        path, axis = WEIGHTS[name]
        weights = np.asarray(ju.networks.arrays(found.network)[path], np.float64)
        sums = np.abs(np.moveaxis(weights, axis, -1)).reshape(-1, maps.shape[-1]).sum(0)
        np.testing.assert_allclose(result.l1_norm, sums, rtol=1e-6)


def test_derivatives(name, collected):
    """A mask's entry multiplies a unit's whole map."""
    found, maps, result = collected
    slopes = (found.loss_derivatives(LAYERS[name][0]).reshape(maps.shape) * maps).sum(1)
    # Two passes through the network, of terms that cancel over positions and images.
    apart = 1e-3 * np.abs(slopes).mean()
    assert apart > 0
    np.testing.assert_allclose(result.taylor, -slopes.mean(0), atol=apart)
    np.testing.assert_allclose(result.gradient, np.abs(slopes).mean(0), atol=apart)
    for k in present(found):
        chosen = slopes[found.labels == k]
        few = apart * len(slopes) / len(chosen)
        np.testing.assert_allclose(result.taylor_by_class[:, k], -chosen.mean(0), atol=few)
        np.testing.assert_allclose(result.gradient_by_class[:, k], np.abs(chosen).mean(0), atol=few)


@pytest.mark.parametrize("convention", ["netdissect", "dissect2020"])
def test_dissection(name, convention):
    found, layer = kind(name), MAPS[name]
    concepts = ju.data.concepts.computed(found.data, ["quadrants", "edges"])
    result = ju.attributes.dissect(
        found.network, layer, concepts, convention=convention, quantile=0.1, batch_size=16
    )
    maps, masks = found.activations(layer), masks_of(concepts)
    known = overlap(
        maps,
        masks,
        0.1,
        centers=centers_by_corners(maps.shape[1], masks.shape[-1]),
        from_upsampled=convention == "dissect2020",
    )
    scale = np.abs(maps).max()
    near(result.threshold, known.thresholds, scale)
    np.testing.assert_array_equal(result.labeled, known.labeled)
    # Pixels so near to the threshold that float32 cannot tell whether they exceed it; what equals
    # it is 0 between zeros.
    above = known.large - known.thresholds[:, None, None, None]
    doubtful = (np.abs(above) <= 2 * FINE * scale) & (above != 0)
    assert doubtful.mean() < 0.01
    assert (np.abs(result.activated - known.activated) <= doubtful.sum((1, 2, 3))).all()
    either = np.asarray([[(one & mask).sum() for mask in masks] for one in doubtful])
    assert (np.abs(result.intersection - known.intersection) <= either).all()
    assert (known.intersection > 0).any(0).all()
    union = result.activated + result.labeled - result.intersection
    np.testing.assert_allclose(result.iou, result.intersection / union, rtol=1e-12)


def test_tokens_have_no_maps_to_dissect():
    found = kind("transformer")
    concepts = ju.data.concepts.computed(found.data, ["quadrants"])
    with pytest.raises(ju.InputError) as caught:
        ju.attributes.dissect(found.network, "blocks.0.up", concepts)
    assert "layer 'blocks.0.up' of network 'VisionTransformer' gives (17, 18) per image" in (
        str(caught.value)
    )
