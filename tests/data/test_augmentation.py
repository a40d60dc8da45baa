import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from PIL import Image

import jaxunits as ju

PLAIN = ju.data.Preprocessing(size=(9, 7), channels=3)
RESIZED = ju.data.Augmentation(crop="resized")


def own_classes(count, size=(9, 7)):
    """Random images, each of its own class, so that its label says which it is."""
    images = np.random.default_rng(0).integers(0, 256, (count, *size, 3), np.uint8)
    return ju.data.load((images, np.arange(count)))


def by_image(data, augmentation, *, preprocessing=PLAIN, batch_size=8, seed=0, epoch=0, threads=2):
    stream = ju.data.shuffled_batches(
        data,
        preprocessing,
        batch_size,
        seed=seed,
        epoch=epoch,
        augmentation=augmentation,
        threads=threads,
    )
    found = {
        int(label): image
        for batch in stream
        for image, label in zip(batch.images[batch.valid], batch.labels[batch.valid], strict=True)
    }
    return np.stack([found[index] for index in range(len(data))])


@pytest.mark.parametrize("crop", ["none", "padded", "resized"])
def test_depends_on_seed_epoch_and_image_alone(crop):
    data, augmentation = own_classes(40), ju.data.Augmentation(crop=crop)
    found = by_image(data, augmentation)
    np.testing.assert_array_equal(by_image(data, augmentation, batch_size=3, threads=1), found)
    part = by_image(ju.data.subset(data, np.arange(15)), augmentation, batch_size=4)
    np.testing.assert_array_equal(part, found[:15])
    for other in (by_image(data, augmentation, epoch=1), by_image(data, augmentation, seed=1)):
        assert (other != found).any(axis=(1, 2, 3)).mean() > 0.2


@pytest.mark.parametrize("augmentation", [None, ju.data.Augmentation(flip=False)])
def test_without_any_the_images_stay_as_they_were(augmentation):
    data = own_classes(20)
    expected = [PLAIN(data[index]["image"]) for index in range(20)]
    np.testing.assert_array_equal(by_image(data, augmentation), expected)


def test_half_of_the_images_are_mirrored():
    data = own_classes(2000)
    plain = by_image(data, None, batch_size=500)
    found = by_image(data, ju.data.Augmentation(), batch_size=500)
    mirrored = (found == plain[:, :, ::-1]).all(axis=(1, 2, 3))
    assert ((found == plain).all(axis=(1, 2, 3)) ^ mirrored).all()
    # Five standard deviations.
    assert abs(mirrored.mean() - 0.5) < 5 * 0.5 / np.sqrt(2000)


@pytest.mark.parametrize("flip", [False, True])
def test_a_padded_crop_is_a_window_of_the_padded_image(flip):
    data = own_classes(400)
    found = by_image(data, ju.data.Augmentation(crop="padded", flip=flip, padding=2))
    padded = np.pad(by_image(data, None), [(0, 0), (2, 2), (2, 2), (0, 0)])
    places = []
    for image, whole in zip(found, padded, strict=True):
        matches = [
            (top, left, step)
            for top in range(5)
            for left in range(5)
            for step in (1, -1)
            if np.array_equal(image[:, ::step], whole[top : top + 9, left : left + 7])
        ]
        assert len(matches) == 1
        places += matches
    assert len({(top, left) for top, left, _ in places}) == 25
    assert {step for *_, step in places} == ({1, -1} if flip else {1})


def test_a_padded_crop_comes_after_resizing_to_the_networks_size():
    data = own_classes(1, size=(30, 20))
    preprocessing = ju.data.Preprocessing((16, 16), 3, resize=18)
    padded = np.pad(preprocessing(data[0]["image"]), [(4, 4), (4, 4), (0, 0)])
    augmentation = ju.data.Augmentation(crop="padded", flip=False)
    (found,) = by_image(data, augmentation, preprocessing=preprocessing)
    assert any(
        np.array_equal(found, padded[top : top + 16, left : left + 16])
        for top in range(9)
        for left in range(9)
    )


@given(
    size=st.tuples(st.integers(1, 300), st.integers(1, 300)),
    scale=st.tuples(st.floats(0.05, 1), st.floats(0.05, 1)).map(sorted).map(tuple),
    ratio=st.tuples(st.floats(0.2, 5), st.floats(0.2, 5)).map(sorted).map(tuple),
    seed=st.integers(0, 10),
)
def test_a_resized_crop_lies_in_the_image(size, scale, ratio, seed):
    augmentation = ju.data.Augmentation(crop="resized", scale=scale, ratio=ratio)
    for numbers in augmentation.numbers(seed, 0, 5):
        top, left, height, width = augmentation.window(*size, numbers)
        assert 0 <= top < top + height <= size[0]
        assert 0 <= left < left + width <= size[1]


@given(size=st.tuples(st.integers(60, 400), st.integers(60, 400)), seed=st.integers(0, 100))
def test_areas_and_shapes_of_resized_crops(size, seed):
    # So that crops of every allowed area and shape fit, and none is the fallback.
    assume(0.7 < size[0] / size[1] < 1.4)
    augmentation = ju.data.Augmentation(crop="resized", scale=(0.1, 0.5))
    for numbers in augmentation.numbers(seed, 0, 20):
        _, _, height, width = augmentation.window(*size, numbers)
        # Sides are rounded to whole pixels.
        least, most = ((height + each) * (width + each) for each in (-0.5, 0.5))
        assert most >= 0.1 * size[0] * size[1]
        assert least <= 0.5 * size[0] * size[1]
        assert (width + 0.5) / (height - 0.5) >= 3 / 4
        assert (width - 0.5) / (height + 0.5) <= 4 / 3


@pytest.mark.parametrize(
    ("size", "expected"), [((10, 400), (0, 193, 10, 13)), ((400, 10), (193, 0, 13, 10))]
)
def test_what_fits_nowhere_is_cropped_in_the_middle(size, expected):
    numbers = ju.data.Augmentation(crop="resized", scale=(0.9, 1.0)).numbers(0, 0, 1)[0]
    augmentation = ju.data.Augmentation(crop="resized", scale=(0.9, 1.0))
    assert augmentation.window(*size, numbers) == expected


def test_a_resized_crop_is_resized_as_pillow_does():
    data = own_classes(12, size=(40, 50))
    augmentation = ju.data.Augmentation(crop="resized", flip=False)
    found = by_image(data, augmentation)
    for index, numbers in enumerate(augmentation.numbers(0, 0, 12)):
        top, left, height, width = augmentation.window(40, 50, numbers)
        picture = Image.fromarray(data[index]["image"])
        part = picture.crop((left, top, left + width, top + height))
        expected = np.asarray(part.resize((7, 9), Image.Resampling.BILINEAR))
        np.testing.assert_array_equal(found[index], expected.astype(np.float32) / 255)


@settings(max_examples=10)
@given(crop=st.sampled_from(["none", "padded", "resized"]))
def test_floating_point_images_of_any_channels(crop):
    images = np.random.default_rng(0).random((6, 12, 12, 5)).astype(np.float32)
    data = ju.data.load((images, np.arange(6)))
    preprocessing = ju.data.Preprocessing((8, 8), 5)
    found = by_image(data, ju.data.Augmentation(crop=crop), preprocessing=preprocessing)
    assert found.shape == (6, 8, 8, 5)
    assert found.max() <= 1


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        ({"padding": -1}, "padding=-1: give a whole number from 0 up to 1024"),
        ({"scale": (0.5, 0.1)}, r"scale=\(0.5, 0.1\): give two shares above 0, to 1"),
        ({"scale": (0.5, 1.5)}, r"scale=\(0.5, 1.5\)"),
        ({"ratio": (0.0, 1.0)}, r"ratio=\(0.0, 1.0\): give two numbers above 0"),
    ],
)
def test_augmentation_that_cannot_be(arguments, expected):
    with pytest.raises(ju.InputError, match=expected):
        ju.data.Augmentation(**arguments)


def test_negative_seeds():
    with pytest.raises(
        ju.InputError, match="epoch=-1: give a whole number from 0 up to 4294967295"
    ):
        ju.data.shuffled_batches(own_classes(2), PLAIN, 2, seed=0, epoch=-1, augmentation=RESIZED)
