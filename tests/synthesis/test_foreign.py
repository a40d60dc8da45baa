"""Images for units in every kind of network, against ascent in NumPy with gradients by hand."""

import dataclasses

import numpy as np
import pytest

import jaxunits as ju
from tests.zoo import KINDS, LAYERS, kind
from tests.zoo.checks import quick_compilation
from tests.zoo.kind import MEAN, STD

UNITS, STEPS, RATE = 3, 4, 0.05

# Steps of float32 gradients, on pixels from 0 to 1.
CLOSE = 1e-4


@pytest.fixture(autouse=True, scope="module")
def _quick():
    with quick_compilation():
        yield


def lively(found, layer):
    """The units whose answers differ most; one that is dead on an image has no derivative."""
    activations = found.activations(layer)
    spread = activations.reshape(-1, activations.shape[-1]).std(0)
    return sorted(np.argsort(spread)[-UNITS:].tolist())


def weights_of(objective, chosen, units):
    """Of all units, for the image of each chosen one: its own answer less the others' mean."""
    own = np.eye(units, dtype=np.float32)[chosen]
    return own - (1 - own) / np.float32(units - 1) if objective == "iam" else own


def standardized(images):
    return ((images - MEAN) / STD).astype(np.float32)


def ascended(derivatives, images, rate=RATE):
    """Images that climb for `STEPS` steps of root mean square `rate`, falling along a cosine."""
    axes = (1, 2, 3)
    for step in range(STEPS):
        uphill = derivatives(standardized(images))
        # What leads beyond black or white is no part of the step.
        beyond = ((images <= 0) & (uphill < 0)) | ((images >= 1) & (uphill > 0))
        uphill[beyond] = 0
        length = np.sqrt((uphill**2).mean(axes, keepdims=True))
        assert (length > 0).all()
        falling = rate * (1 + np.cos(np.pi * step / STEPS)) / 2
        images = np.clip(images + falling * uphill / length, 0, 1)
    return images


def clear_and_ascended(found, layer, starts, weights):
    """Where all images end, and whether an image's end is clear.

    Across the kink of a ReLU gradients jump. Of starts moved by little, either way, one ends
    elsewhere if a kink lies so near that float32 cannot tell on which side of it a value is.
    """
    moves = np.random.default_rng(1).choice([-1e-6, 1e-6], starts.shape)
    three = np.concatenate([weights] * 3)
    ends = ascended(
        lambda images: found.unit_derivatives(layer, images, three),
        np.concatenate([starts, starts + moves, starts - moves]),
    ).reshape(3, *starts.shape)
    return np.ptp(ends, axis=0).max((1, 2, 3)) < CLOSE, ends[0]


def answers_of(found, layer, images):
    """The responses of all units to images, the means of their maps, `[images, units]`."""
    activations = np.asarray(found.logits(images=images)[1][layer], np.float64)
    return activations.reshape(len(images), -1, activations.shape[-1]).mean(1)


@pytest.mark.parametrize("objective", ["am", "iam"])
@pytest.mark.parametrize("name", KINDS)
def test_images_of_units(name, objective):
    found, layer = kind(name), LAYERS[name][0]
    chosen = lively(found, layer)
    shape = (UNITS, *found.images.shape[1:])
    starts = np.random.default_rng(0).uniform(0.2, 0.8, shape).astype(np.float32)
    weights = weights_of(objective, chosen, found.units(layer))
    result = ju.synthesis.maximize(
        found.network,
        layer,
        chosen,
        objective=objective,
        initial=starts,
        method=ju.synthesis.Method(steps=STEPS, learning_rate=RATE),
    )
    assert result.active.all()
    clear, ends = clear_and_ascended(found, layer, starts, weights)
    assert clear.sum() >= 2
    assert np.abs(ends - starts).max() > RATE
    np.testing.assert_allclose(result.image[clear], ends[clear], atol=CLOSE)
    read = standardized(result.image.values)
    np.testing.assert_allclose(result.standardized, read, atol=1e-5)
    check_answers(result, chosen, answers_of(found, layer, read), weights)
    before = (answers_of(found, layer, standardized(starts)) * weights).sum(1)
    assert (result.objective > before).all()


def check_answers(result, chosen, answers, weights):
    """Of all units to the images that were made, and what follows from them."""
    apart = 1e-5 * np.abs(answers).max()
    np.testing.assert_allclose(result.response, answers, atol=apart)
    own = answers[range(UNITS), chosen]
    np.testing.assert_allclose(result.activation, own, atol=apart)
    np.testing.assert_allclose(result.objective, (answers * weights).sum(1), atol=2 * apart)
    substitution = ju.results.representative_substitution(result)
    more = answers - own[:, None]
    doubtful = (np.abs(more) <= 2 * apart) & (more != 0)
    off = np.abs(substitution.rs.values - (more > 0).mean(1))
    assert (off <= doubtful.mean(1) + 1e-12).all()


def test_a_dead_unit_of_mobilenet_climbs_what_goes_into_its_relu():
    found, layer = kind("mobilenet"), LAYERS["mobilenet"][0]
    # The same network, read before the ReLU6.
    before = dataclasses.replace(found, places={**found.places, layer: "features.1.conv.1.1"})
    shape = (1, *found.images.shape[1:])
    start = np.random.default_rng(0).uniform(0.2, 0.8, shape).astype(np.float32)
    dead = answers_of(found, layer, standardized(start))[0] == 0
    # Others respond to no image, for want of inputs that are alive.
    unit = int(np.flatnonzero(dead & (found.activations(layer) > 0).any((0, 1, 2)))[0])
    weights = np.eye(found.units(layer), dtype=np.float32)[[unit]]
    climbed = []

    def derivatives(images):
        answers = answers_of(found, layer, images)[0, unit] != 0
        climbed.append(bool(answers))
        return (found if answers else before).unit_derivatives(layer, images, weights)

    end = ascended(derivatives, start, rate=0.2)
    assert climbed[0] is False
    assert climbed[-1] is True
    method = ju.synthesis.Method(steps=STEPS, learning_rate=0.2)
    result = ju.synthesis.maximize(found.network, layer, [unit], initial=start, method=method)
    np.testing.assert_allclose(result.image, end, atol=CLOSE)
