import grain
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

import jaxunits as ju
from jaxunits.data import _reading

SIZE = ju.data.Preprocessing(size=(3, 3), channels=1)


def numbered(count):
    """Images that say which they are."""
    images = np.zeros((count, 3, 3, 1), np.float32) + np.arange(count).reshape(-1, 1, 1, 1)
    return ju.data.load((images, np.arange(count) % 4), class_names=list("abcd"), value_range=None)


def seen(stream):
    return [int(image[0, 0, 0]) for batch in stream for image in batch.images[batch.valid]]


@given(count=st.integers(1, 300), seed=st.integers(0, 2**32 - 1))
def test_the_order_is_grains(count, seed):
    order = grain.MapDataset.range(count).shuffle(seed=seed)
    assert list(_reading.shuffled(count, seed)) == list(order)


@settings(max_examples=25)
@given(count=st.integers(1, 30), batch_size=st.integers(1, 40))
def test_all_images_once_in_order_in_batches_of_one_shape(count, batch_size):
    found = list(ju.data.batches(numbered(count), SIZE, batch_size))
    assert seen(found) == list(range(count))
    assert {batch.images.shape for batch in found} == {(batch_size, 3, 3, 1)}
    assert [int(batch.valid.sum()) for batch in found[:-1]] == [batch_size] * (len(found) - 1)
    last = found[-1]
    assert (last.images[~last.valid] == 0).all()
    assert (last.labels[~last.valid] == 0).all()


def test_labels_go_with_their_images():
    (batch,) = ju.data.batches(numbered(10), SIZE, 10)
    np.testing.assert_array_equal(batch.labels, np.arange(10) % 4)
    assert batch.labels.dtype == np.int32


def test_shuffling_depends_on_seed_and_epoch_alone():
    def order(seed, epoch, threads=4):
        stream = ju.data.shuffled_batches(
            numbered(50), SIZE, 8, seed=seed, epoch=epoch, threads=threads
        )
        return seen(stream)

    assert sorted(order(0, 0)) == list(range(50))
    assert order(0, 0) == order(0, 0, threads=1)
    assert len({tuple(order(seed, epoch)) for seed in (0, 1) for epoch in (0, 1)}) == 4


@settings(max_examples=25)
@given(count=st.integers(1, 30), batch_size=st.integers(1, 70))
def test_the_last_training_batch_goes_on_with_the_first_images(count, batch_size):
    found = list(ju.data.shuffled_batches(numbered(count), SIZE, batch_size, seed=0, epoch=0))
    order = seen(found)
    assert sorted(order) == list(range(count))
    everything = [int(image[0, 0, 0]) for batch in found for image in batch.images]
    labels = [int(label) for batch in found for label in batch.labels]
    assert everything == [order[index % count] for index in range(len(everything))]
    assert labels == [image % 4 for image in everything]
    assert sum(int(batch.valid.sum()) for batch in found) == count
    assert {batch.images.shape for batch in found} == {(batch_size, 3, 3, 1)}


def test_batch_size_below_one():
    with pytest.raises(ju.InputError, match="batch_size=0: give at least 1"):
        ju.data.batches(numbered(3), SIZE, 0)


def test_standardizes_each_channel():
    image = np.random.default_rng(0).integers(0, 256, (4, 5, 3), np.uint8)
    preprocessing = ju.data.Preprocessing((4, 5), 3, mean=(0.4, 0.5, 0.6), std=(0.2, 0.3, 0.4))
    expected = (image.astype(np.float64) / 255 - [0.4, 0.5, 0.6]) / [0.2, 0.3, 0.4]
    np.testing.assert_allclose(preprocessing(image), expected, atol=1e-6)
    assert preprocessing(image).dtype == np.float32


def test_blue_first():
    images = np.random.default_rng(0).integers(0, 256, (2, 4, 5, 3), np.uint8)
    mean, std = (0.4, 0.5, 0.6), (0.2, 0.3, 0.4)
    preprocessing = ju.data.Preprocessing((4, 5), 3, mean=mean, std=std, order="bgr")
    expected = (images[..., [2, 1, 0]].astype(np.float64) / 255 - mean) / std
    np.testing.assert_allclose(preprocessing.standardize(images), expected, atol=1e-6)
    np.testing.assert_array_equal(preprocessing(images[1]), preprocessing.standardize(images)[1])


def test_another_number_of_channels():
    with pytest.raises(ju.InputError) as caught:
        ju.data.Preprocessing((4, 5), 3)(np.zeros((4, 5, 1), np.uint8))
    assert str(caught.value) == "image of shape (4, 5, 1) for a network that reads 3 channels"


@pytest.mark.parametrize("kind", [np.int64, np.uint16, np.int8, np.int32])
def test_other_types_would_lose_their_scale(kind):
    records = [{"image": np.ones((3, 3, 1), kind), "label": 0}]
    data = ju.data.load(records, class_names=["a"])
    for size in (3, 6):
        with pytest.raises(ju.InputError) as caught:
            list(ju.data.batches(data, ju.data.Preprocessing((size, size), 1), 1))
        assert f"image of type {np.dtype(kind)}: give uint8 (0 to 255) or" in str(caught.value)


@pytest.mark.parametrize("shape", [(40, 60), (60, 40), (33, 33)])
def test_resizes_the_shorter_side_then_crops_the_middle(shape):
    image = np.random.default_rng(0).integers(0, 256, (*shape, 3), np.uint8)
    found = ju.data.Preprocessing((16, 16), 3, resize=20).fit(image)
    width, height = (
        (20 * shape[1] // shape[0], 20) if shape[0] <= shape[1] else (20, 20 * shape[0] // shape[1])
    )
    resized = Image.fromarray(image).resize((width, height), Image.Resampling.BILINEAR)
    left, top = round((width - 16) / 2), round((height - 16) / 2)
    cropped = resized.crop((left, top, left + 16, top + 16))
    np.testing.assert_array_equal(found, np.asarray(cropped))


def test_any_number_of_channels_and_floating_point():
    image = np.random.default_rng(0).random((12, 10, 5)).astype(np.float32)
    found = ju.data.Preprocessing((6, 5), 5)(image)
    assert found.shape == (6, 5, 5)
    gray = Image.fromarray(image[..., 3]).resize((5, 6), Image.Resampling.BILINEAR)
    np.testing.assert_array_equal(found[..., 3], np.asarray(gray))


@pytest.mark.parametrize("channels", [1, 2, 3, 4, 5, 7])
@pytest.mark.parametrize("size", [(6, 5), (12, 10), (20, 30)])
def test_numbers_of_8_bits_stay_that_at_any_number_of_channels(channels, size):
    image = np.random.default_rng(0).integers(0, 256, (12, 10, channels), np.uint8)
    preprocessing = ju.data.Preprocessing(size, channels)
    planes = [
        Image.fromarray(image[..., channel]).resize(size[::-1], Image.Resampling.BILINEAR)
        for channel in range(channels)
    ]
    expected = np.stack([np.asarray(plane) for plane in planes], -1)
    np.testing.assert_array_equal(preprocessing.fit(image), expected)
    np.testing.assert_allclose(preprocessing(image), expected / 255, atol=1e-6)
    crop = ju.data.Augmentation(crop="resized", flip=False)
    assert crop(image, preprocessing, crop.numbers(0, 0, 1)[0]).dtype == np.uint8


@pytest.mark.parametrize("resize", [8, 224, 256])
def test_the_longer_side_is_multiplied_before_it_is_divided(resize):
    """Whole numbers say what is left when the fraction is cut off."""
    preprocessing = ju.data.Preprocessing((8, 8), 1, resize=resize)
    for short in range(1, 300):
        for long in (short, short + 1, 2 * short, 300):
            if long >= short:
                longer = resize * long // short
                assert preprocessing.window(short, long)[:2] == (resize, longer)
                assert preprocessing.window(long, short)[:2] == (longer, resize)


@pytest.mark.parametrize("side", [71, 98, 103, 107, 161])
def test_square_images_stay_square(side):
    preprocessing = ju.data.Preprocessing((224, 224), 3, resize=224)
    assert preprocessing(np.zeros((side, side, 3), np.uint8)).shape == (224, 224, 3)


def test_images_too_narrow_to_resize():
    preprocessing = ju.data.Preprocessing((224, 224), 1, resize=256)
    with pytest.raises(ju.InputError, match=r"image of 1 × 9000000 pixels: with resize=256 it bec"):
        preprocessing.fit(np.zeros((1, 9_000_000, 1), np.uint8))


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        ({"size": (0, 4), "channels": 1}, "give sizes above 0"),
        ({"size": (4, 4), "channels": 3, "mean": (0.1, 0.2)}, "2 values of mean for 3 channels"),
        ({"size": (4, 4), "channels": 1, "std": (0.0,)}, r"std=\(0.0,\): give numbers above 0"),
        ({"size": (4, 4), "channels": 1, "resize": 3}, "resize=3 is smaller than the crop"),
        ({"size": (4, 4), "channels": 1, "order": "bgr"}, "order='bgr' for 1 channels: give 'rgb'"),
    ],
)
def test_preprocessing_that_cannot_be(arguments, expected):
    with pytest.raises(ju.InputError, match=expected):
        ju.data.Preprocessing(**arguments)
