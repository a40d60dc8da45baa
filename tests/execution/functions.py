"""All measuring functions, in one table, and a network on which they are exact."""

import os

import numpy as np
import pytest
import xarray as xr
from jax import numpy as jnp

import jaxunits as ju
from tests.reference import SMALL, small_convnet
from tests.stored import stored

# What results say of the images that they were measured on.
OF_DATA = {"data", "split", "images", "data_fingerprint", "skipped_files"}

# What they say of the layer.
OF_LAYER = {"layer", "unit_is", "layer_number"}

# What every result says of where it comes from.
COMMON = {
    *OF_DATA,
    *OF_LAYER,
    *("network", "architecture", "parameters", "preprocessing", "precision"),
    *("jaxunits", "versions", "platform", "devices", "batch_size", "peak_bytes"),
    *("programs", "compile_seconds", "run_seconds", "created"),
}

HALVES = np.asarray([[1, 1, 1, 1], [1, -1, 1, -1], [1, 1, -1, -1], [1, -1, -1, 1]]) / 2


def unit_means(network, data, **options):
    return ju.ablation.unit_means(network, "conv2", data, **options)


def sweep(network, data, **options):
    return ju.ablation.sweep(network, "conv3", data, **options)


def resampled(network, data, **options):
    return ju.ablation.sweep(network, "conv3", data, values="resample", **options)


def directions(network, data, **options):
    # Entries of 1/2, so that what is exact stays so.
    return ju.ablation.directions(network, "conv2", data, np.kron(np.eye(2), HALVES), **options)


def cumulative(network, data, **options):
    orders = [range(10), range(9, -1, -1)]
    return ju.ablation.cumulative(
        network, "conv3", data, [list(each) for each in orders], **options
    )


def greedy(network, data, **options):
    chosen = {"classes": ["1", "2", "3"], "steps": 2, "random": 1}
    return ju.ablation.greedy(network, "conv3", data, **chosen, **options)


def shapley(network, data, **options):
    return ju.ablation.shapley(network, "conv3", data, num_orders=4, **options)


def shapley_on_some(network, data, **options):
    return shapley(network, data, images_per_order=50, **options)


def synergies(network, data, **options):
    return ju.ablation.synergies(network, "conv3", data, num_pairs=12, **options)


def evaluate(network, data, **options):
    """Of the network as it is, no layer."""
    return ju.evaluate(network, data, **options)


def collect(network, data, **options):
    return ju.attributes.collect(network, "conv2", data, **options)


def top_images(network, data, **options):
    return ju.attributes.top_images(network, "conv2", data, [0, 3, 7], num_images=4, **options)


def dissect(network, data, **options):
    concepts = ju.data.concepts.computed(data, ["quadrants", "edges"])
    return ju.attributes.dissect(network, "conv2", concepts, quantile=0.05, **options)


def layer_birth_points(network, data, **options):
    return ju.topology.layer_birth_points(network, "conv2", data, **options)


def maximize(network, data, **options):
    """Of 96 images; those of the data set are not read."""
    method = ju.synthesis.Method(steps=3)
    return ju.synthesis.maximize(network, "conv2", method=method, num_starts=12, **options)


FUNCTIONS = {
    function.__name__: function
    for function in (
        unit_means,
        sweep,
        resampled,
        directions,
        cumulative,
        greedy,
        evaluate,
        collect,
        top_images,
        dissect,
        layer_birth_points,
        maximize,
    )
}

EVERY = "JAXUNITS_TEST_ALL" in os.environ
if EVERY:
    FUNCTIONS |= {each.__name__: each for each in (shapley, shapley_on_some, synergies)}

# Those that read no data set.
WITHOUT_DATA = ("maximize",)

# Those whose devices run masks; the others look at images alone.
BY_MASKS = (
    *("sweep", "resampled", "directions", "cumulative", "greedy"),
    *("shapley", "shapley_on_some", "synergies"),
)


def exact_network():
    """The trained network with weights of few bits: in float32 no sum rounds, in any order."""
    trained, arrays = stored("convnet"), {}
    for name, array in ju.networks.arrays(trained).items():
        values = np.asarray(array, np.float64)
        if name == "conv1.kernel":
            values = values / SMALL.std[0]
        if name == "conv1.bias":
            kernel = np.asarray(ju.networks.arrays(trained)["conv1.kernel"], np.float64)
            values = values - kernel.sum((0, 1, 2)) * SMALL.mean[0] / SMALL.std[0]
        arrays[name] = jnp.asarray(np.rint(values * STEPS) / STEPS, jnp.float32)
    plain = ju.data.Preprocessing((28, 28), 1)
    return ju.networks.with_arrays(small_convnet(preprocessing=plain), arrays)


# Of a weight's unit.
STEPS = 8
# Of an image's.
LEVELS = 8


def exact_digits(images=300):
    """Digits in few shades of gray."""
    digits = ju.data.load("digits", "validation")
    records = [digits[index] for index in range(images)]
    shades = np.rint(np.stack([record["image"] for record in records]) / 255 * LEVELS) / LEVELS
    labels = np.asarray([record["label"] for record in records])
    return ju.data.load(
        (shades.astype(np.float32), labels), "validation", class_names=digits.class_names
    )


def measured(name, network, data, **options):
    """A result, its provenance where the function itself gives an array."""
    found = FUNCTIONS[name](network, data, progress=False, **options)
    return found if isinstance(found, xr.Dataset) else xr.Dataset({"values": ("unit", found)})


def assert_same(found, expected):
    """Integers, names and shapes are equal, and floats as far as another order of sums allows."""
    assert set(found.variables) == set(expected.variables)
    for name, one in expected.variables.items():
        other = found[name].variable
        assert other.dims == one.dims, name
        if one.dtype.kind == "f":
            assert other.dtype == one.dtype, name
            scale = np.abs(one.values[np.isfinite(one.values)]).max(initial=0)
            np.testing.assert_allclose(
                other.values, one.values, rtol=1e-5, atol=1e-5 * scale, err_msg=name
            )
        else:
            np.testing.assert_array_equal(other.values, one.values, err_msg=name)


def left_beside(file):
    names = {path.name for path in file.parent.iterdir()}
    return names - {file.name, file.with_suffix(".timing.json").name}


# One of each kind: pieces of their own, one state of all, steps on the way.
KINDS = FUNCTIONS if EVERY else ("sweep", "greedy", "collect", "dissect", "maximize")
every = pytest.mark.parametrize("name", FUNCTIONS)
of_each_kind = pytest.mark.parametrize("name", KINDS)
