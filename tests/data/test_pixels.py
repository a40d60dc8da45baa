"""Images that are no numbers, in every function that takes images."""

import numpy as np
import pytest

import jaxunits as ju

WRONG = [np.nan, np.inf, -np.inf]
PREPROCESSING = ju.data.Preprocessing((3, 4), 1)


def pictures(count=5, dtype=np.float32):
    return np.random.default_rng(0).random((count, 3, 4, 1)).astype(dtype)


def records(images, label=lambda index: 0):
    return [{"image": image, "label": label(index)} for index, image in enumerate(images)]


def message(call):
    with pytest.raises(ju.InputError) as caught:
        call()
    return str(caught.value)


@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64])
@pytest.mark.parametrize("value", WRONG)
def test_arrays_are_refused_as_they_are_loaded(value, dtype):
    images = pictures(dtype=dtype)
    images[3, 2, 1, 0] = value
    images[4] = value
    assert message(lambda: ju.data.load((images, np.zeros(5, int)))) == (
        f"image 3 of data 'arrays' holds {value} at row 2, column 1, channel 0, and 1 more images "
        "hold such numbers: every pixel has to be a finite number of float32; repair the image or "
        "leave it out (ju.data.subset)"
    )


def test_numbers_beyond_float32():
    images = pictures(dtype=np.float64)
    images[1, 0, 3, 0] = -1e39
    assert message(lambda: ju.data.load((images, np.zeros(5, int)))).startswith(
        "image 1 of data 'arrays' holds -1e+39 at row 0, column 3, channel 0: every pixel"
    )


def test_arrays_that_change_after_they_were_loaded():
    images = pictures()
    data = ju.data.load((images, np.zeros(5, int)))
    images[2, 0, 0, 0] = np.nan
    assert message(lambda: list(ju.data.batches(data, PREPROCESSING, 2))).startswith(
        "image 2 of data 'arrays' holds nan"
    )


@pytest.mark.parametrize("size", [(3, 4), (2, 2)])
@pytest.mark.parametrize("value", WRONG)
def test_records_are_refused_as_they_are_read(value, size):
    images = pictures()
    images[3, 2, 1, 0] = value
    data = ju.data.load(records(images), class_names=["a"])
    preprocessing = ju.data.Preprocessing(size, 1)
    expected = f"image 3 of data 'list' holds {value} at row 2, column 1, channel 0: "
    augmentation = ju.data.Augmentation(crop="resized")
    for read in (
        lambda: list(ju.data.batches(data, preprocessing, 2)),
        lambda: list(ju.data.shuffled_batches(data, preprocessing, 2, seed=0, epoch=0)),
        lambda: list(
            ju.data.shuffled_batches(
                data, preprocessing, 2, seed=0, epoch=0, augmentation=augmentation
            )
        ),
        lambda: ju.data.in_memory(data),
        lambda: ju.data.concepts.computed(data)[3],
    ):
        assert message(read).startswith(expected)
    assert "image of shape (3, 4, 1) holds" in message(lambda: preprocessing(images[3]))


def test_images_of_a_subset_are_called_by_their_numbers_in_what_was_loaded():
    images = pictures()
    images[3] = np.nan
    data = ju.data.load(records(images, lambda index: index % 2), class_names=["a", "b"])
    part = ju.data.subset(ju.data.random_labels(data, 0.5), [0, 3, 4])
    for some in (part, ju.data.subset(part, [1]), ju.data.of_class(data, "b")):
        assert "image 3 of data 'list'" in message(
            lambda some=some: list(ju.data.batches(some, PREPROCESSING, 3))
        )


@pytest.fixture(scope="module")
def broken():
    """Images of which one, in no first batch, has one pixel that is no number."""
    images = np.random.default_rng(0).random((60, 28, 28, 1)).astype(np.float32)
    images[47, 20, 13, 0] = np.nan
    names = [f"class {label}" for label in range(10)]
    return ju.data.load(records(images, lambda index: index % 10), class_names=names)


@pytest.mark.parametrize("size", [7, 60])
@pytest.mark.parametrize(
    "measure",
    [
        lambda network, layer, data, size: ju.ablation.unit_means(
            network, layer, data, batch_size=size
        ),
        lambda network, layer, data, size: ju.attributes.top_images(
            network, layer, data, [0], batch_size=size
        ),
        lambda network, layer, data, size: ju.attributes.dissect(
            network, layer, ju.data.concepts.computed(data, ["quadrants"]), batch_size=size
        ),
    ],
    ids=["means", "top_images", "dissect"],
)
@pytest.mark.parametrize("layer", ["conv1", "conv3"])
def test_no_measurement_takes_them(trained, broken, measure, layer, size):
    assert message(lambda: measure(trained, layer, broken, size)).startswith(
        "image 47 of data 'list' holds nan at row 20, column 13, channel 0: "
    )


@pytest.mark.parametrize(
    "measure",
    [
        lambda network, data: ju.ablation.sweep(network, "conv1", data, batch_size=32),
        lambda network, data: ju.ablation.greedy(
            network, "conv3", data, classes=["class 7"], steps=1, batch_size=32
        ),
        lambda network, data: ju.attributes.collect(network, "conv1", data, gradients=False),
        lambda network, data: ju.topology.layer_birth_points(network, "conv2", data),
    ],
    ids=["sweep", "greedy", "collect", "births"],
)
def test_no_compiled_measurement_takes_them(trained, broken, measure):
    assert message(lambda: measure(trained, broken)).startswith("image 47 of data 'list' holds nan")


class TestValueRange:
    def test_floats_from_0_to_255_are_refused(self):
        images = 255 * pictures()
        images[0] /= 255
        images[1] = 200
        assert message(lambda: ju.data.load((images, np.zeros(5, int)))) == (
            "image 1 of data 'arrays' has values from 200 to 200, outside value_range=(0, 1): "
            "scale the images (uint8 in 0 to 255 needs no scaling); if the network reads such "
            "numbers as they are, say so with ju.data.load(..., value_range=(low, high)), or None "
            "for any"
        )

    @pytest.mark.parametrize("value_range", [(0.0, 255.0), (-1000.0, 1000.0), None])
    def test_what_is_declared_reaches_the_network_as_it_is(self, value_range):
        images = 255 * pictures()
        for source, names in (((images, np.zeros(5, int)), None), (records(images), ["class"])):
            data = ju.data.load(source, class_names=names, value_range=value_range)
            for some in (data, ju.data.in_memory(data), ju.data.subset(data, range(5))):
                (batch,) = ju.data.batches(some, PREPROCESSING, 5)
                np.testing.assert_array_equal(batch.images, images)

    @pytest.mark.parametrize(
        ("value", "value_range"),
        [
            (1.01, (0.0, 1.0)),
            (-0.01, (0.0, 1.0)),
            (-1.01, (-1.0, 1.0)),
            (256, (0.0, 255.0)),
            (2.7, (-2.2, 2.6)),
        ],
    )
    def test_beyond_it(self, value, value_range):
        images = np.zeros((3, 3, 4, 1))
        images[2, 1, 2, 0] = value
        for source, names, name in (
            ((images, np.zeros(3, int)), None, "arrays"),
            (records(images), ["class"], "list"),
        ):

            def read(source=source, names=names):
                data = ju.data.load(source, class_names=names, value_range=value_range)
                list(ju.data.batches(data, PREPROCESSING, 2))

            assert message(read).startswith(f"image 2 of data {name!r} has values from ")

    def test_rounding_is_no_other_range(self):
        images = np.array([1 + 2**-10, -(2.0**-11)], np.float16).reshape(2, 1, 1, 1)
        ju.data.load((images, np.zeros(2, int)))

    def test_bytes_have_their_own(self):
        images = np.full((2, 3, 4, 1), 255, np.uint8)
        data = ju.data.load((images, np.zeros(2, int)), value_range=(0.0, 1.0))
        (batch,) = ju.data.batches(data, PREPROCESSING, 2)
        assert (batch.images == 1).all()

    def test_concepts_have_that_of_their_data(self):
        images = 255 * pictures()
        data = ju.data.load((images, np.zeros(5, int)), value_range=(0.0, 255.0))
        concepts = ju.data.concepts.computed(data, ["quadrants"])
        found = ju.data.concepts.annotated_images(concepts, PREPROCESSING, (3, 4))
        np.testing.assert_array_equal(found.images, images)
        (batch,) = ju.data.batches(ju.data.concepts.images(concepts), PREPROCESSING, 5)
        np.testing.assert_array_equal(batch.images, images)
