"""Images that go to the devices as uint8, against the same ones standardized on the host."""

import dataclasses

import jax
import numpy as np
import pytest
import xarray as xr
from hypothesis import given, settings
from hypothesis import strategies as st
from jax import numpy as jnp
from PIL import Image

import jaxunits as ju
from jaxunits.execution import Execution, pieces, reading, standardized
from tests.execution.functions import FUNCTIONS, measured

PRESETS = {
    "cifar10": ju.data.CIFAR10,
    "imagenet": ju.data.IMAGENET,
    "keras": ju.data.KERAS_VGG16,
    "gray": ju.data.Preprocessing((4, 4), 1),
    "of one number": ju.data.Preprocessing((4, 4), 3, mean=(0.5,), std=(0.25,)),
    "five channels": ju.data.Preprocessing((4, 4), 5, mean=(0.1, 0.2, 0.3, 0.4, 0.5), std=(3.0,)),
}
PHOTOGRAPH = ju.data.Preprocessing((6, 8), 3, mean=(0.4, 0.5, 0.6), std=(0.2, 0.3, 0.7), resize=9)


class Undeclared:
    """The same images from a source that does not say what they are."""

    def __init__(self, data):
        self._data = data
        self.labels = data.labels

    def __len__(self):
        return len(self._data)

    def __getitem__(self, index):
        return self._data[index]


def undeclared(data):
    return dataclasses.replace(data, source=Undeclared(data))


def every_value(channels):
    """All 256 values in every channel."""
    return np.repeat(np.arange(256, dtype=np.uint8), channels).reshape(2, 8, 16, channels)


def on_device(pixels, preprocessing):
    compiled = jax.jit(lambda images: standardized(images, preprocessing))
    return np.asarray(compiled(jnp.asarray(pixels)))


@pytest.mark.parametrize("name", PRESETS)
def test_every_value_to_the_bit(name):
    preprocessing = PRESETS[name]
    pixels = every_value(preprocessing.channels)
    found = on_device(pixels, preprocessing)
    assert found.dtype == np.float32
    np.testing.assert_array_equal(found, preprocessing.standardize(pixels))


@settings(max_examples=20, deadline=None)
@given(
    mean=st.tuples(*[st.floats(-2, 2, width=32)] * 3),
    std=st.tuples(*[st.floats(2**-10, 2**10, width=32)] * 3),
    order=st.sampled_from(["rgb", "bgr"]),
)
def test_any_mean_and_std_to_the_bit(mean, std, order):
    preprocessing = ju.data.Preprocessing((4, 4), 3, mean=mean, std=std, order=order)
    pixels = every_value(3)
    np.testing.assert_array_equal(
        on_device(pixels, preprocessing), preprocessing.standardize(pixels)
    )


def test_channels_are_looked_up_apart():
    pixels = np.random.default_rng(0).integers(0, 256, (3, 5, 7, 3), np.uint8)
    for name in ("imagenet", "keras"):
        np.testing.assert_array_equal(
            on_device(pixels, PRESETS[name]), PRESETS[name].standardize(pixels)
        )


def test_other_arrays_stay():
    inputs = {"floats": np.ones((2, 3), np.float32), "labels": np.arange(3, dtype=np.int16)}
    found = standardized(inputs, ju.data.CIFAR10)
    assert all(found[name] is inputs[name] for name in inputs)


@pytest.fixture
def folder(tmp_path):
    """Seven files of several sizes and kinds, which have to be resized and cropped."""
    random = np.random.default_rng(0)
    for number in range(7):
        shape = (12 + number, 20 - number, *([] if number % 3 == 0 else [3]))
        path = tmp_path / "ab"[number % 2] / f"{number}.png"
        path.parent.mkdir(exist_ok=True)
        Image.fromarray(random.integers(0, 256, shape, np.uint8)).save(path)
    return ju.data.load(f"folder:{tmp_path}", channels=3)


def read(data, preprocessing, partners=None):
    (piece,) = pieces(reading(data, preprocessing, Execution(), partners), [(0, len(data))])
    return piece.inputs


def sources(folder):
    gray = np.random.default_rng(0).integers(0, 256, (7, 6, 8, 3), np.uint8)
    held = ju.data.load((gray, np.arange(7)))
    return {
        "folder": folder,
        "array": held,
        "subset": ju.data.subset(held, [2, 0, 5]),
        "relabeled": ju.data.random_labels(folder, 0.5),
        "computed": ju.data.concepts.images(ju.data.concepts.computed(folder)),
    }


@pytest.mark.parametrize("name", ["folder", "array", "subset", "relabeled", "computed"])
@pytest.mark.parametrize("resize", [9, None])
def test_what_is_read_is_what_the_network_reads(folder, name, resize):
    data = sources(folder)[name]
    preprocessing = dataclasses.replace(PHOTOGRAPH, resize=resize)
    uint8, floats = read(data, preprocessing), read(undeclared(data), preprocessing)
    assert (uint8.images.dtype, floats.images.dtype) == (np.uint8, np.float32)
    np.testing.assert_array_equal(on_device(uint8.images, preprocessing), floats.images)
    np.testing.assert_array_equal(uint8.labels, floats.labels)
    (batch,) = ju.data.batches(data, preprocessing, len(data))
    assert batch.images.dtype == np.float32
    np.testing.assert_array_equal(batch.images, floats.images)
    first = data[0]["image"]
    np.testing.assert_array_equal(preprocessing(first), floats.images[0])


def test_what_is_read_fits_the_shapes_that_are_compiled(folder):
    halves = ju.data.load((np.full((7, 6, 8, 3), 0.5, np.float32), np.arange(7)))
    for data, partners, bytes_a_number in (
        *((folder, None, 1), (folder, folder, 2), (undeclared(folder), None, 4)),
        *((folder, halves, 8), (halves, folder, 8), (halves, None, 4)),
    ):
        reads = reading(data, PHOTOGRAPH, Execution(), partners)
        assert reads.image_bytes == bytes_a_number * PHOTOGRAPH.numbers
        found = reads.function(0, 5)
        shapes = jax.tree.map(lambda one: jax.ShapeDtypeStruct(one.shape[1:], one.dtype), found)
        assert shapes == reads.example


def test_a_preprocessing_of_another_class_is_asked_itself(folder):
    class Contrast(ju.data.Preprocessing):
        def standardize(self, pixels):
            numbers = super().standardize(pixels)
            return numbers / np.abs(numbers).max()

    preprocessing = Contrast((6, 8), 3)
    found = read(folder, preprocessing).images
    assert found.dtype == np.float32
    np.testing.assert_array_equal(found[0], preprocessing(folder[0]["image"]))


def test_a_source_that_errs_about_its_images_is_refused():
    class Source(Undeclared):
        image_dtype = np.uint8

    floats = ju.data.load((np.full((3, 6, 8, 3), 0.5, np.float32), np.arange(3)))
    data = dataclasses.replace(floats, source=Source(floats))
    with pytest.raises(ju.InputError, match="from a source of uint8: give uint8"):
        read(data, ju.data.Preprocessing((6, 8), 3))
    with pytest.raises(ju.InputError, match="do not say that all images are uint8"):
        ju.data.batches(floats, ju.data.Preprocessing((6, 8), 3), 2, standardized=False)


@pytest.mark.parametrize("name", FUNCTIONS)
def test_every_measurement_is_that_of_images_standardized_on_the_host(name, trained, few_digits):
    """On two devices, whose last batch is filled up."""
    some = ju.data.subset(few_digits, np.arange(70))
    options = {"batch_size": 16, "images_per_piece": 32, "devices": jax.devices()[:2]}
    found, expected = (
        measured(name, trained, data, **options, decoding_threads=threads).drop_attrs()
        for data, threads in ((some, 4), (undeclared(some), 1))
    )
    xr.testing.assert_identical(found, expected)


@pytest.mark.parametrize("values", ["mean", "resample"])
@pytest.mark.parametrize("precision", ["float32", "bfloat16", "checked"])
def test_sweeps_of_a_network_that_standardizes(trained, few_digits, values, precision):
    preprocessing = dataclasses.replace(trained.preprocessing, mean=(0.1307,), std=(0.3081,))
    network = dataclasses.replace(trained, preprocessing=preprocessing)
    some = ju.data.subset(few_digits, np.arange(70))

    def swept(data):
        found = ju.ablation.sweep(
            network, "conv3", data, values=values, precision=precision, progress=False
        )
        return found.drop_attrs()

    xr.testing.assert_identical(swept(some), swept(undeclared(some)))


@pytest.mark.parametrize("threads", [0, -1, 1025])
def test_threads_that_cannot_decode(threads):
    with pytest.raises(ju.InputError, match=f"decoding_threads={threads}: give a whole"):
        ju.Execution(decoding_threads=threads)
