"""The fast path against the reference path and plain loops, on networks of every kind of part."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx
from hypothesis import given, settings
from hypothesis import strategies as st

import jaxunits as ju
from jaxunits.ablation._masked import scaled
from jaxunits.networks._pooling import average_to
from jaxunits.tracing import Dense, Walk
from tests.outcomes import (
    assert_agree,
    assert_greedy,
    logits_under,
    standardized,
)
from tests.reference import forward

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


POOLS = {
    "max": lambda maps: nnx.max_pool(maps, (2, 2), (2, 2)),
    "overlapping": lambda maps: nnx.max_pool(maps, (3, 3), (2, 2), ((1, 1), (1, 1))),
    "average": lambda maps: nnx.avg_pool(maps, (2, 2), (2, 2)),
    "adaptive": lambda maps: average_to(maps, (3, 3)),
}
SIDES = {
    "max": lambda side: side // 2,
    "overlapping": lambda side: (side + 1) // 2,
    "average": lambda side: side // 2,
    "adaptive": lambda side: 3,
}


# `randomize` draws the kernels: JAX would compile a program for every shape of them.
CONV, LINEAR = (
    functools.partial(kind, kernel_init=nnx.initializers.zeros) for kind in (nnx.Conv, nnx.Linear)
)


def unchanged(name, activations):
    return activations


class Block(nnx.Module):
    """Two convolutions, with batch norm or not, and a shortcut, projected or not."""

    def __init__(self, inputs, outputs, strides, norm, projected, rngs):
        conv = functools.partial(CONV, use_bias=not norm, rngs=rngs)
        self.projected = projected
        self.conv1 = conv(inputs, outputs, (3, 3), strides)
        self.norm1 = nnx.BatchNorm(outputs, rngs=rngs) if norm else nnx.identity
        self.conv2 = conv(outputs, outputs, (3, 3))
        self.norm2 = nnx.BatchNorm(outputs, rngs=rngs) if norm else nnx.identity
        self.conv3 = conv(inputs, outputs, (1, 1), strides) if projected else nnx.identity
        self.norm3 = nnx.BatchNorm(outputs, rngs=rngs) if norm and projected else nnx.identity

    def __call__(self, maps, name="", change=unchanged):
        inside = change(f"{name}.conv1", nnx.relu(self.norm1(self.conv1(maps))))
        shortcut = self.norm3(self.conv3(maps))
        if self.projected:
            shortcut = change(f"{name}.conv3", shortcut)
        return nnx.relu(change(f"{name}.conv2", self.norm2(self.conv2(inside))) + shortcut)


class Parts(nnx.Module):
    """Convolutions, residual blocks, pools and dense layers in a row, which end in logits.

    `change(layer, activations)` is what becomes of the activations of every layer.
    """

    def __init__(self, description):
        rngs = nnx.Rngs(description["seed"])
        self.flatten = description["flatten"]
        channels, side = 2, 12
        self.names, self.pools = [], []
        for number, part in enumerate(description["parts"]):
            channels = self.add(number, part, channels, rngs)
            side = -(-side // part["strides"])
            pool = part["pool"] if side >= 2 else None
            side = SIDES[pool](side) if pool else side
            self.pools.append(pool)
            dropout = nnx.Dropout(0.5, broadcast_dims=(1, 2), rngs=rngs)
            setattr(self, f"dropout{number}", dropout if part["dropout"] else nnx.identity)
        self.names, self.pools = tuple(self.names), tuple(self.pools)
        channels *= side * side if self.flatten else 1
        self.dense = tuple(f"fc{number}" for number in range(description["dense"]))
        for name in self.dense:
            setattr(self, name, LINEAR(channels, 7, rngs=rngs))
            channels = 7
        self.logits = LINEAR(channels, CLASSES, rngs=rngs)

    def add(self, number, part, channels, rngs):
        """Add a convolution or a residual block; returns how many channels it gives."""
        norm, strides, outputs = part["norm"], part["strides"], part["outputs"]
        if part["kind"] == "conv":
            size = part["size"]
            conv = CONV(
                channels,
                outputs,
                (size, size),
                strides,
                padding="SAME" if part["same"] else size // 2,
                rngs=rngs,
            )
            setattr(self, f"conv{number}", conv)
            norm = nnx.BatchNorm(outputs, rngs=rngs) if norm else nnx.identity
            setattr(self, f"norm{number}", norm)
            self.names.append(f"conv{number}")
            return outputs
        projected = strides > 1 or part["projected"]
        outputs = outputs if projected else channels
        block = Block(channels, outputs, strides, norm, projected, rngs)
        setattr(self, f"block{number}", block)
        self.names.append(f"block{number}")
        return outputs

    def __call__(self, images, change=unchanged):
        maps = images
        for number, (name, pool) in enumerate(zip(self.names, self.pools, strict=True)):
            part = getattr(self, name)
            if name.startswith("block"):
                maps = part(maps, name, change)
            else:
                maps = nnx.relu(getattr(self, f"norm{number}")(part(maps)))
            maps = change(name, maps)
            maps = POOLS[pool](maps) if pool else maps
            maps = getattr(self, f"dropout{number}")(maps)
        features = maps.reshape(len(maps), -1) if self.flatten else maps.mean((1, 2))
        for name in self.dense:
            features = change(name, nnx.relu(getattr(self, name)(features)))
        return self.logits(features)


def build(description):
    """A network of such parts, of which the library knows nothing but its module."""
    module = Parts(description)
    randomize(module, np.random.default_rng(description["seed"]))
    return ju.networks.from_nnx(module, preprocessing=TINY)


def layers_of(description):
    """The names of its layers, in the order of their calls."""
    names = []
    for number, part in enumerate(description["parts"]):
        if part["kind"] == "conv":
            names.append(f"conv{number}")
            continue
        projected = part["strides"] > 1 or part["projected"]
        inside = ["conv1", *(["conv3"] if projected else []), "conv2"]
        names += [*(f"block{number}.{name}" for name in inside), f"block{number}"]
    return [*names, *(f"fc{number}" for number in range(description["dense"]))]


def logits_of_forward(network, layer, images, masks, values):
    """Logits under one mask after another, which the module's own forward applies."""
    module = network.module
    values = np.zeros(masks.shape[1]) if isinstance(values, str) else values

    @jax.jit
    def logits(images, mask):
        def change(name, activations):
            gone = jnp.asarray(values, activations.dtype)
            return jnp.where(mask, activations, gone) if name == layer else activations

        return module(images, change)

    return np.stack([np.asarray(logits(images, mask == 1), np.float64) for mask in masks])


def randomize(network, random):
    """Kernels, biases and running averages that a trained network might have."""

    def draw(variable, numbers):
        variable[...] = jnp.asarray(numbers, jnp.float32)

    for _, module in nnx.iter_modules(network):
        if isinstance(module, nnx.BatchNorm):
            draw(module.mean, random.normal(size=module.mean.shape))
            draw(module.var, random.uniform(0.5, 2, module.var.shape))
            draw(module.bias, random.normal(size=module.bias.shape))
        elif isinstance(module, nnx.Conv | nnx.Linear):
            shape = module.kernel.shape
            draw(module.kernel, random.normal(size=shape) / np.sqrt(np.prod(shape[:-1])))
            if module.bias is not None:
                draw(module.bias, 0.3 * random.normal(size=module.bias.shape))


def random_images(seed=0, count=40):
    random = np.random.default_rng(seed)
    images = random.random((count, 12, 12, 2)).astype(np.float32)
    return ju.data.load((images, random.integers(0, CLASSES, count)), class_names=list("abcde"))


def assert_same_outcomes(fast, reference, logits, labels):
    """Both paths were taken, and give the same outcomes as far as float32 can tell."""
    assert fast.attrs["method"] == "fast"
    assert reference.attrs["method"] == "reference"
    assert reference.loss_sum.values.std() > 0
    return assert_agree(fast, reference, logits, labels)


def logits_without_directions(network, layer, images, basis):
    """Logits with one direction after another removed from a layer, `[units, images, classes]`."""
    logits = []
    for direction in np.asarray(basis, np.float64).T:

        def without(activations, direction=direction):
            return activations - (activations @ direction)[..., None] * direction

        if network.name == "residual":
            logits.append(through_residual(network.module, images, layer, without))
        else:
            logits.append(forward(network, images, change=(layer, without)))
    return np.stack(logits)


def through_residual(module, images, layer, change):
    """Logits of `tests.reference.Residual` with something else in the place of a layer's units."""

    def units(name, maps):
        maps = nnx.relu(maps)
        return jnp.asarray(change(np.asarray(maps)), jnp.float32) if name == layer else maps

    maps = units("conv1", module.bn1(module.conv1(jnp.asarray(images))))
    maps = nnx.max_pool(maps, (3, 3), (2, 2), ((1, 1), (1, 1)))
    for name in ("layer1", "layer2"):
        block = getattr(module, name)
        inside = units(f"{name}.conv1", block.bn1(block.conv1(maps)))
        shortcut = block.bn3(block.conv3(maps)) if block.projected else maps
        maps = units(name, block.bn2(block.conv2(inside)) + shortcut)
    return np.asarray(module.logits(maps.mean((1, 2))), np.float64)


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
        *[(*layer, "single") for layer in LAYERS],
        *[(*layer, kind) for layer in LAYERS[::2] for kind in ("cumulative", "groups")],
        *[(*layer, "insertion") for layer in LAYERS[1::2]],
    ],
)
def test_fast_path_equals_reference_on_trained_networks(
    families, few_digits, family, layer, kind, record_property
):
    network = families[family]
    units = network.layers[layer].num_units
    masks = masks_of(kind, units, np.random.default_rng(0))
    fast, reference = (
        ju.ablation.sweep(network, layer, few_digits, masks, method=method)
        for method in ("fast", "reference")
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
    units = network.layers[layer].num_units
    fours = standardized(network, ju.data.of_class(few_digits, "4"))

    def logits_without(gone):
        return logits_under(network, layer, fours, ju.ablation.groups(units, [gone]))[0]

    for method in ("fast", "reference"):
        found = ju.ablation.greedy(
            network, layer, few_digits, classes=["4"], steps=3, random=1, method=method
        )
        assert found.attrs["method"] == method
        assert_greedy(found.ordered_unit.values[0, 1:], units, 4, logits_without)


@pytest.mark.parametrize(("family", "layer"), LAYERS)
def test_directions_of_both_paths_are_the_same(families, few_digits, family, layer):
    network = families[family]
    units = network.layers[layer].num_units
    basis = ju.ablation.haar(units, seed=1)
    fast, reference = (
        ju.ablation.directions(network, layer, few_digits, basis, method=method)
        for method in ("fast", "reference")
    )
    images = standardized(network, few_digits)
    logits = logits_without_directions(network, layer, images, basis)
    assert_same_outcomes(fast, reference, logits, few_digits.labels)


@pytest.mark.parametrize("rows", [1, 3])
def test_masks_of_another_layer_make_no_axis_for_a_single_mask(rows):
    value = jax.random.normal(jax.random.key(0), (rows, 2, 3, 3, 4))
    masks = jnp.asarray([[0.0, 1, 1, 0], [1, 0, 1, 1], [1, 1, 0, 0]])[:rows]

    def masked(value, masks):
        return scaled(Walk(rows), Dense(value), 3, masks).value

    whole, kept = np.asarray(value), np.asarray(masks)
    np.testing.assert_array_equal(masked(value, masks), whole * kept[:, None, None, None])
    np.testing.assert_array_equal(masked(value, masks[0]), whole * kept[0])
    products = [
        len(equation.outvars[0].aval.shape)
        for equation in jax.make_jaxpr(masked)(value, masks[0]).eqns
        if equation.primitive.name == "mul"
    ]
    # XLA fuses what has an axis of length 1 in other ways, not all of them right.
    assert products == [4 if rows == 1 else 5]


@settings(max_examples=6)
@given(data=st.data())
def test_fast_path_equals_reference_on_random_networks(data):
    description = data.draw(NETWORKS)
    network = build(description)
    assert list(network.layers) == layers_of(description)
    layer = data.draw(st.sampled_from(list(network.layers)))
    kind = data.draw(st.sampled_from(["single", "groups", "cumulative", "insertion"]))
    random = np.random.default_rng(data.draw(st.integers(0, 99)))
    units = network.layers[layer].num_units
    masks = masks_of(kind, units, random)
    values = random.normal(size=units) if data.draw(st.booleans()) else "zero"
    images = random_images()
    at_once = data.draw(st.sampled_from([None, 3]))
    arguments = {"masks_at_once": at_once, "values": values}
    fast = ju.ablation.sweep(network, layer, images, masks, method="fast", **arguments)
    reference = ju.ablation.sweep(network, layer, images, masks, method="reference", **arguments)
    logits = logits_of_forward(network, layer, standardized(network, images), masks, values)
    assert_same_outcomes(fast, reference, logits, images.labels)
