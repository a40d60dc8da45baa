"""What fingerprints cover: two data sets that differ are two, at a cost that is bounded."""

import numpy as np
import pytest

import jaxunits as ju


class Counted:
    """A random-access source that counts how often it is read."""

    def __init__(self, images, labels):
        self.images, self.given, self.reads = images, labels, 0

    def __len__(self):
        return len(self.images)

    def __getitem__(self, index):
        self.reads += 1
        return {"image": self.images[index], "label": self.given[index]}


class Labeled(Counted):
    @property
    def labels(self):
        return self.given


def pictures(count):
    return np.random.default_rng(0).integers(0, 256, (count, 2, 2, 1), np.uint8)


def fingerprint(source):
    return ju.data.load(source, class_names=["a", "b"]).fingerprint


def records(images, labels):
    return [
        dict(zip(("image", "label"), pair, strict=True))
        for pair in zip(images, labels, strict=True)
    ]


@pytest.mark.parametrize("make", [Counted, Labeled, records])
def test_equal_sources_have_equal_fingerprints(make):
    images, labels = pictures(20), np.arange(20) % 2
    assert fingerprint(make(images, labels)) == fingerprint(make(images.copy(), labels.copy()))


@pytest.mark.parametrize("make", [Counted, Labeled, records])
@pytest.mark.parametrize("place", [0, 7, 19])
def test_every_record_of_a_small_source_counts(make, place):
    images, labels = pictures(20), np.arange(20) % 2
    other_images, other_labels = images.copy(), labels.copy()
    other_images[place, 1, 0, 0] ^= 1
    other_labels[place] ^= 1
    found = {
        fingerprint(make(images, labels)),
        fingerprint(make(other_images, labels)),
        fingerprint(make(images, other_labels)),
        fingerprint(make(images.astype(np.float32) / 255, labels)),
        fingerprint(make(images.reshape(20, 4, 1, 1), labels)),
    }
    assert len(found) == 5


@pytest.mark.parametrize("make", [Labeled, records])
def test_every_label_counts_where_it_is_known(make):
    images, labels = pictures(3000), np.arange(3000) % 2
    before = fingerprint(make(images, labels))
    for place in (1, 1234, 2998):
        other = labels.copy()
        other[place] ^= 1
        assert fingerprint(make(images, other)) != before


def test_every_image_of_a_list_counts():
    images, labels = pictures(3000), np.arange(3000) % 2
    before = fingerprint(records(images, labels))
    images[1234, 0, 0, 0] ^= 1
    assert fingerprint(records(images, labels)) != before


@pytest.mark.parametrize(("make", "most"), [(Counted, 1024 + 1), (Labeled, 64 + 1)])
def test_the_cost_does_not_grow_with_the_images(make, most):
    for count in (5000, 50_000):
        source = make(np.zeros((count, 1, 1, 1), np.uint8), np.zeros(count, np.int64))
        ju.data.load(source, class_names=["a"])
        assert source.reads == most


def test_labels_of_any_type_of_whole_numbers_are_the_same():
    images = pictures(4)
    found = {
        fingerprint(Counted(images, labels))
        for labels in ([0, 1, 0, 1], np.array([0, 1, 0, 1], np.uint8), np.arange(4) % 2)
    }
    assert len(found) == 1


def test_a_result_of_other_images_is_not_taken(trained, tmp_path):
    names = [f"class {label}" for label in range(10)]
    images = np.random.default_rng(0).integers(0, 256, (6, 28, 28, 1), np.uint8)
    first, second = (
        ju.data.load(records(each, np.arange(6)), class_names=names)
        for each in (images, images[::-1])
    )
    file = tmp_path / "sweep.nc"
    ju.ablation.sweep(trained, "conv3", first, file=file)
    with pytest.raises(ju.InputError, match=r"data_fingerprint is .* there and .* now"):
        ju.ablation.sweep(trained, "conv3", second, file=file)
