import dataclasses

import grain
import numpy as np
import pytest

import jaxunits as ju

SAME = ju.data.Preprocessing((28, 28), 1, mean=(0.3,), std=(0.7,))


class Pictures:
    """Images of the sizes and types given, which count how often they are read."""

    def __init__(self, images):
        self.images = images
        self.reads = 0

    def __len__(self):
        return len(self.images)

    def __getitem__(self, index):
        self.reads += 1
        return {"image": self.images[index], "label": index % 2}


def pictures(*shapes, dtype=np.uint8):
    return ju.data.load(
        Pictures([np.full(shape, 7, dtype) for shape in shapes]),
        class_names=["a", "b"],
        value_range=None,
    )


def equal(first, second):
    for one, other in zip(first, second, strict=True):
        for name in one._fields:
            np.testing.assert_array_equal(getattr(one, name), getattr(other, name))
            assert getattr(one, name).dtype == getattr(other, name).dtype


class OneByOne:
    """Records of a data set, without the array that may hold them."""

    def __init__(self, data):
        self.data = data

    def __len__(self):
        return len(self.data)

    def __getitem__(self, index):
        return self.data[index]


@pytest.fixture(scope="module")
def single(digits):
    return dataclasses.replace(digits, source=OneByOne(digits))


@pytest.fixture(scope="module")
def held(single):
    return ju.data.in_memory(single)


@pytest.mark.parametrize("preprocessing", [SAME, ju.data.Preprocessing((20, 20), 1)])
def test_the_same_batches(single, held, preprocessing):
    equal(ju.data.batches(held, preprocessing, 128), ju.data.batches(single, preprocessing, 128))
    some = {"start": 130, "stop": 300}
    equal(
        ju.data.batches(held, preprocessing, 64, **some),
        ju.data.batches(single, preprocessing, 64, **some),
    )


@pytest.mark.parametrize(
    "augmentation",
    [
        None,
        ju.data.Augmentation(),
        ju.data.Augmentation(crop="padded"),
        ju.data.Augmentation(crop="resized"),
    ],
)
@pytest.mark.parametrize("order", ["whole", "sample", "random labels"])
def test_the_same_training_batches(single, held, augmentation, order):
    def stream(data):
        if order == "sample":
            data = ju.data.sample(data, 333)
        if order == "random labels":
            data = ju.data.random_labels(data, 0.5)
        return ju.data.shuffled_batches(data, SAME, 128, seed=3, epoch=2, augmentation=augmentation)

    equal(stream(held), stream(single))


def test_three_channels_in_either_order():
    images = np.random.default_rng(0).integers(0, 256, (10, 6, 5, 3), np.uint8)
    slow = ju.data.load(Pictures(images), class_names=["a", "b"])
    for order in ("rgb", "bgr"):
        preprocessing = ju.data.Preprocessing(
            (6, 5), 3, mean=(0.1, 0.2, 0.3), std=(0.4, 0.5, 0.6), order=order
        )
        fast = ju.data.in_memory(slow)
        equal(ju.data.batches(fast, preprocessing, 4), ju.data.batches(slow, preprocessing, 4))


def test_the_order_is_grains(held):
    order = np.random.SeedSequence([3, 2]).generate_state(1)[0]
    shuffled = grain.MapDataset.range(len(held)).shuffle(seed=int(order))
    expected = np.stack([SAME(held[index]["image"]) for index in list(shuffled)])
    stream = ju.data.shuffled_batches(held, SAME, 100, seed=3, epoch=2)
    np.testing.assert_array_equal(np.concatenate([batch.images for batch in stream]), expected)


def test_describes_itself_as_before(single, held):
    for name in ("class_names", "channels", "name", "split", "fingerprint", "skipped"):
        assert getattr(held, name) == getattr(single, name)
    np.testing.assert_array_equal(held.labels, single.labels)
    assert held[5]["image"].dtype == np.uint8


def test_every_image_is_read_once():
    data = pictures(*[(4, 4, 1)] * 3000)
    data.source.reads = 0
    held = ju.data.in_memory(data)
    # The first once more, for its size.
    assert data.source.reads == 3001
    list(ju.data.batches(held, ju.data.Preprocessing((4, 4), 1), 64))
    assert data.source.reads == 3001
    assert ju.data.in_memory(held) is held


def test_stored_type_stays():
    held = ju.data.in_memory(pictures(*[(4, 4, 2)] * 3, dtype=np.float16))
    assert held[1]["image"].dtype == np.float16


def message(data, **options):
    with pytest.raises(ju.InputError) as caught:
        ju.data.in_memory(data, **options)
    return str(caught.value)


def test_images_of_different_sizes():
    assert message(pictures((4, 4, 1), (4, 4, 1), (5, 4, 1))) == (
        "image 2 of data 'Pictures' is 5 × 4 × 1 of uint8, and image 0 4 × 4 × 1 of uint8: "
        "in_memory holds images of one size; leave these where they are"
    )


def test_more_than_allowed_is_refused_before_decoding():
    data = pictures(*[(10, 10, 1)] * 50)
    data.source.reads = 0
    assert message(data, max_bytes=4999) == (
        "50 images of data 'Pictures' like the first, 10 × 10 × 1 of uint8, take 5,000 bytes, more "
        "than max_bytes=4,999: allow more, take a sample, or leave them where they are"
    )
    assert data.source.reads == 1
    assert len(ju.data.in_memory(data, max_bytes=5000)) == 50
