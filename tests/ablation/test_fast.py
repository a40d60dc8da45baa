"""The fast path against the reference path, on networks of every kind of stage."""

import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx
from hypothesis import given, settings
from hypothesis import strategies as st

import jaxunits as ju
from jaxunits.networks import (
    AdaptiveAveragePool,
    AveragePool,
    Branch,
    Convolution,
    Dense,
    Dropout,
    Flatten,
    MaxPool,
    Merge,
    Network,
    features_of,
    with_features,
)
from tests.outcomes import (
    assert_agree,
    assert_greedy,
    logits_under,
    standardized,
)

pytestmark = pytest.mark.slow

TINY = ju.data.Preprocessing(size=(12, 12), channels=2)
CLASSES = 5


PART = st.fixed_dictionaries(
    {
        "kind": st.sampled_from(["conv", "conv", "block"]),
        "outputs": st.integers(3, 6),
        "strides": st.sampled_from([1, 1, 2]),
        "norm": st.booleans(),
        "size": st.sampled_from([1, 3]),
        "same": st.booleans(),
        "projected": st.booleans(),
        "pool": st.sampled_from([None, "max", "overlapping", "average", "adaptive"]),
        "dropout": st.booleans(),
    }
)
NETWORKS = st.fixed_dictionaries(
    {
        "parts": st.lists(PART, min_size=1, max_size=3),
        "flatten": st.booleans(),
        "dense": st.integers(0, 2),
        "seed": st.integers(0, 2**16),
    }
)


def build(description):
    """A sequence of stages that ends in logits."""
    rngs = nnx.Rngs(description["seed"])
    stages, channels, side = [], 2, 12
    for number, part in enumerate(description["parts"]):
        new, channels = build_part(number, part, channels, rngs)
        stages += new
        side = -(-side // part["strides"])
        if part["pool"] is not None and side >= 2:
            pools = {
                "max": (MaxPool(), side // 2),
                "overlapping": (MaxPool(3, 2, 1), (side + 1) // 2),
                "average": (AveragePool(), side // 2),
                "adaptive": (AdaptiveAveragePool((3, 3)), 3),
            }
            pool, side = pools[part["pool"]]
            stages.append((f"pool{number}", pool))
        if part["dropout"]:
            stages.append((f"dropout{number}", Dropout(0.5, whole_channels=True)))
    if description["flatten"]:
        stages.append(("flatten", Flatten()))
        channels *= side * side
    else:
        stages.append(("average", AveragePool(None)))
    for number in range(description["dense"]):
        stages.append((f"fc{number}", Dense(channels, 7, rngs=rngs)))
        channels = 7
    stages.append(("logits", Dense(channels, CLASSES, activation=None, rngs=rngs)))
    network = Network(stages, preprocessing=TINY)
    randomise(network, np.random.default_rng(description["seed"]))
    return network


def build_part(number, part, channels, rngs):
    """A convolution or a residual block, and how many channels it gives."""
    norm, strides, outputs = part["norm"], part["strides"], part["outputs"]
    if part["kind"] == "conv":
        size = part["size"]
        stage = Convolution(
            channels,
            outputs,
            size,
            strides=strides,
            padding="SAME" if part["same"] else size // 2,
            batch_norm=norm,
            rngs=rngs,
        )
        return [(f"conv{number}", stage)], outputs
    projected = strides > 1 or part["projected"]
    outputs = outputs if projected else channels
    return block(f"block{number}", channels, outputs, strides, norm, projected, rngs), outputs


def block(name, inputs, outputs, strides, norm, projected, rngs):
    settings = {"bias": not norm, "batch_norm": norm, "rngs": rngs}
    projection = (
        Convolution(inputs, outputs, 1, strides=strides, activation=None, **settings)
        if projected
        else None
    )
    first = Convolution(inputs, outputs, strides=strides, **settings)
    second = Convolution(outputs, outputs, activation=None, **settings)
    return [(f"{name}.conv1", Branch(first, projection)), (name, Merge(second))]


def randomise(network, random):
    """Biases and running averages that a trained network might have, instead of 0 and 1."""
    for _, module in nnx.iter_modules(network):
        if isinstance(module, nnx.BatchNorm):
            module.mean[...] = jnp.asarray(random.normal(size=module.mean.shape), jnp.float32)
            module.var[...] = jnp.asarray(random.uniform(0.5, 2, module.var.shape), jnp.float32)
            module.bias[...] = jnp.asarray(random.normal(size=module.bias.shape), jnp.float32)
        elif getattr(module, "bias", None) is not None:
            module.bias[...] = jnp.asarray(0.3 * random.normal(size=module.bias.shape), jnp.float32)


def random_images(seed=0, count=40):
    random = np.random.default_rng(seed)
    images = random.random((count, 12, 12, 2)).astype(np.float32)
    return ju.data.load((images, random.integers(0, CLASSES, count)), class_names=list("abcde"))


def assert_same_outcomes(fast, reference, logits, labels):
    """Both paths were taken, and give the same outcomes as far as float32 can tell."""
    assert fast.attrs["path"] == "fast"
    assert reference.attrs["path"] == "reference"
    assert reference.loss_sum.values.std() > 0
    return assert_agree(fast, reference, logits, labels)


def logits_without_directions(network, layer, images, basis):
    """Logits with one direction after another removed from a layer, `[units, images, classes]`."""
    state = network.run(jnp.asarray(images), through=layer)
    features = np.asarray(features_of(state), np.float64)
    logits = []
    for direction in np.asarray(basis, np.float64).T:
        left = features - (features @ direction)[..., None] * direction
        left = with_features(state, jnp.asarray(left, jnp.float32))
        logits.append(np.asarray(network.run(left, after=layer), np.float64))
    return np.stack(logits)


def masks_of(kind, units, random):
    order = random.permutation(units)
    if kind == "single":
        return ju.ablation.single_units(units)
    if kind == "groups":
        groups = [
            random.choice(units, random.integers(0, units + 1), False).tolist() for _ in range(9)
        ]
        return ju.ablation.groups(units, groups)
    cumulative = np.tril(np.ones((units + 1, units)), -1)[:, np.argsort(order)]
    return (cumulative if kind == "insertion" else 1 - cumulative).astype(np.float32)


LAYERS = [
    *[("convnet", layer) for layer in ("conv1", "conv2", "conv3")],
    *[("mlp", layer) for layer in ("fc1", "fc2")],
    *[
        ("residual", layer)
        for layer in ("conv1", "layer1.conv1", "layer1", "layer2.conv1", "layer2")
    ],
]


@pytest.mark.parametrize(
    ("family", "layer", "kind"),
    [
        *[(*layer, kind) for layer in LAYERS for kind in ("single", "cumulative")],
        *[(*layer, "groups") for layer in LAYERS[::2]],
        *[(*layer, "insertion") for layer in LAYERS[1::2]],
    ],
)
def test_fast_path_equals_reference_on_trained_networks(
    families, few_digits, family, layer, kind, record_property
):
    network = families[family]
    units = network.layers[layer].units
    masks = masks_of(kind, units, np.random.default_rng(0))
    fast, reference = (
        ju.ablation.sweep(network, layer, few_digits, masks, path=path)
        for path in ("fast", "reference")
    )
    # Behind the last mask all units may be gone, and all images have the same logits.
    plain = logits_under(network, layer, standardized(network, few_digits), np.ones((1, units)))
    assert (plain[0].argmax(1) == few_digits.labels).mean() > 0.8
    logits = logits_under(network, layer, standardized(network, few_digits), masks)
    ties = assert_same_outcomes(fast, reference, logits, few_digits.labels)
    record_property("near_ties", ties)


@pytest.mark.parametrize(("family", "layer"), LAYERS[1::3])
def test_greedy_orders_of_both_paths_take_most(families, few_digits, family, layer):
    network = families[family]
    units = network.layers[layer].units
    fours = standardized(network, ju.data.of_class(few_digits, "4"))

    def logits_without(gone):
        return logits_under(network, layer, fours, ju.ablation.groups(units, [gone]))[0]

    for path in ("fast", "reference"):
        found = ju.ablation.greedy(
            network, layer, few_digits, classes=["4"], steps=3, random=1, path=path
        )
        assert found.attrs["path"] == path
        assert_greedy(found.ordered_unit.values[0, 1:], units, 4, logits_without)


@pytest.mark.parametrize(("family", "layer"), LAYERS)
def test_directions_of_both_paths_are_the_same(families, few_digits, family, layer):
    network = families[family]
    units = network.layers[layer].units
    basis = ju.ablation.haar(units, seed=1)
    auto, reference = (
        ju.ablation.directions(network, layer, few_digits, basis, path=path)
        for path in ("auto", "reference")
    )
    pooled = (family, layer) in {("convnet", "conv1"), ("convnet", "conv2"), ("residual", "conv1")}
    assert auto.attrs["path"] == ("reference" if pooled else "fast")
    images = standardized(network, few_digits)
    logits = logits_without_directions(network, layer, images, basis)
    assert_agree(auto, reference, logits, few_digits.labels)


@settings(max_examples=6)
@given(data=st.data())
def test_fast_path_equals_reference_on_random_networks(data):
    network = build(data.draw(NETWORKS))
    layer = data.draw(st.sampled_from(sorted(network.layers)))
    kind = data.draw(st.sampled_from(["single", "groups", "cumulative", "insertion"]))
    random = np.random.default_rng(data.draw(st.integers(0, 99)))
    units = network.layers[layer].units
    masks = masks_of(kind, units, random)
    values = random.normal(size=units) if data.draw(st.booleans()) else "zero"
    images = random_images()
    at_once = data.draw(st.sampled_from([None, 3]))
    arguments = {"masks_at_once": at_once, "values": values}
    fast = ju.ablation.sweep(network, layer, images, masks, path="fast", **arguments)
    reference = ju.ablation.sweep(network, layer, images, masks, path="reference", **arguments)
    logits = logits_under(network, layer, standardized(network, images), masks, values)
    assert_same_outcomes(fast, reference, logits, images.labels)
