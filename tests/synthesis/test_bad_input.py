import dataclasses

import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx

import jaxunits as ju
from jaxunits.synthesis import ROBUST, Method
from tests.benchmarks.networks import with_random_weights
from tests.chains import chain, changed, flatten

SIZE = ju.data.Preprocessing(size=(8, 6), channels=1)


@pytest.fixture(scope="module")
def network():
    widths = {"widths": (4,), "pool_after": (), "dense": (1,)}
    return with_random_weights(lambda: ju.networks.convnet(3, preprocessing=SIZE, **widths), 0)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"layer": "pool1"}, "unknown layer 'pool1'"),
        ({"layer": "conv9"}, "Did you mean 'conv1'?"),
        ({"units": [4]}, "unit 4 of layer 'conv1': it has units 0 to 3"),
        ({"units": [1, 1]}, "unit 1 of layer 'conv1' comes twice"),
        ({"units": []}, "no units of layer 'conv1'"),
        ({"objective": "max"}, "objective='max': give one of am, iam"),
        ({"activation": "sum"}, "activation='sum': give one of mean, max"),
        ({"layer": "fc2", "objective": "iam"}, "layer 'fc2' has one unit, and IAM compares"),
        ({"num_starts": 0}, "num_starts=0: give a whole number from 1"),
        ({"batch_size": 0}, "batch_size=0: give a number above 0"),
        ({"precision": "tf32"}, "precision='tf32': give one of float32"),
        ({"seed": 2**32}, "seed=4294967296: give a whole number from 0 up to 4294967295"),
        ({"max_memory": 0}, "max_memory=0: give a number above 0"),
        ({"method": ROBUST}, "decorrelate_colors for images of 1 channels"),
        ({"initial": np.zeros((3, 3, 1))}, "initial images of shape (3, 3, 1): give [8, 6, 1]"),
        ({"initial": np.full((8, 6, 1), 255.0)}, "from 255.0 to 255.0: give pixels from 0 to 1"),
        ({"initial": np.full((8, 6, 1), np.nan)}, "from nan to nan: give pixels from 0 to 1"),
    ],
)
def test_what_cannot_be_asked(network, arguments, message):
    arguments = {"layer": "conv1", **arguments}
    with pytest.raises(ju.InputError) as caught:
        ju.synthesis.maximize(network, arguments.pop("layer"), **arguments)
    assert message in str(caught.value)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"steps": 0}, "steps=0: give at least 1"),
        ({"learning_rate": 0.0}, "learning_rate=0.0: give a number above 0"),
        ({"optimizer": "sgd"}, "optimizer='sgd': give one of normalized, gradient, adam, or an"),
        ({"basis": "wavelet"}, "basis='wavelet': give one of pixel, fourier"),
        ({"values": "tanh"}, "values='tanh': give one of clip, sigmoid"),
        ({"basis": "fourier"}, "values='clip' cuts pixels after every step: give values='sigmoid'"),
        ({"decorrelate_colors": True}, "give values='sigmoid' with"),
        ({"noise": float("nan")}, "noise=nan: give a non-negative number"),
        ({"l2": -1.0}, "l2=-1.0: give a non-negative number"),
        ({"jitter": 1.0}, "jitter=1.0: give a share from 0 to below 1"),
        ({"scale": -0.1}, "scale=-0.1: give a share from 0 to below 1"),
    ],
)
def test_methods_that_cannot_be_carried_out(settings, message):
    with pytest.raises(ju.InputError) as caught:
        Method(**settings)
    assert message in str(caught.value)


def test_robust_images_of_other_channels(network):
    method = dataclasses.replace(ROBUST, decorrelate_colors=False, steps=2)
    assert ju.synthesis.maximize(network, "conv1", [0], method=method).image.shape == (1, 8, 6, 1)


def test_an_objective_that_is_not_a_number(network):
    broken = changed(network, "conv1.kernel", lambda kernel: kernel.at[..., 2].set(3e38))
    with pytest.raises(ju.InputError) as caught:
        ju.synthesis.maximize(broken, "conv1")
    assert (
        "the objective of unit 2 of layer 'conv1' of network 'convnet' is inf before step 0: check"
    ) in str(caught.value)


def test_a_gradient_that_is_not_a_number():
    """The derivative of the root of zero is infinite."""
    rngs = nnx.Rngs(0)
    network = chain(
        SIZE,
        flatten=flatten,
        fc1=nnx.Linear(48, 3, rngs=rngs),
        root1=lambda state: jnp.sqrt(jnp.maximum(state, 0)),
        logits=nnx.Linear(3, 2, rngs=rngs),
    )
    network = ju.networks.with_arrays(network, {"fc1.bias": jnp.asarray([1.0, -9.0, 1.0])})
    for steps, when in ((1, "after step 0"), (4, "before step 1")):
        with pytest.raises(ju.InputError) as caught:
            ju.synthesis.maximize(network, "fc1", [1], method=Method(steps=steps, wake=False))
        assert f"unit 1 of layer 'fc1' of network 'chain' is nan {when}" in str(caught.value)


def test_images_too_small_for_the_network():
    """The size is that of the network's preprocessing, so the network itself refuses it."""
    with pytest.raises(ju.InputError) as caught:
        ju.networks.alexnet(3, width=0.05, preprocessing=SIZE)
    assert "8×6" in str(caught.value)
