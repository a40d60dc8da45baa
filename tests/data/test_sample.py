import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import jaxunits as ju

LABELS = np.random.default_rng(0).choice(4, 200, p=[0.5, 0.3, 0.15, 0.05])
IMAGES = np.arange(200, dtype=np.uint8).reshape(-1, 1, 1, 1)
NAMES = ["ape", "bee", "cat", "dog", "emu"]
DATA = ju.data.load((IMAGES, LABELS), class_names=NAMES[:4])
SIZES = np.bincount(LABELS)


def chosen(data):
    """Which of the 200 images they are."""
    return [int(data[index]["image"][0, 0, 0]) for index in range(len(data))]


@given(count=st.integers(1, 200), seed=st.integers(0, 5))
def test_so_many_in_the_datas_order(count, seed):
    part = ju.data.sample(DATA, count, seed=seed)
    found = chosen(part)
    assert len(found) == count
    assert found == sorted(set(found))
    assert part.labels.tolist() == LABELS[found].tolist()
    assert set(found) <= set(chosen(ju.data.sample(DATA, min(count + 10, 200), seed=seed)))


@given(per_class=st.integers(1, int(SIZES.min())), seed=st.integers(0, 5))
def test_so_many_of_each_class(per_class, seed):
    found = chosen(ju.data.sample(DATA, per_class=per_class, seed=seed))
    assert found == sorted(set(found))
    assert np.bincount(LABELS[found]).tolist() == [per_class] * 4


@given(fraction=st.floats(0.001, 1), seed=st.integers(0, 5))
def test_a_share_of_each_class(fraction, seed):
    found = chosen(ju.data.sample(DATA, fraction=fraction, seed=seed))
    assert found == sorted(set(found))
    expected = [max(1, round(fraction * int(size))) for size in SIZES]
    assert np.bincount(LABELS[found]).tolist() == expected


def test_every_image_is_as_likely_as_another():
    times = np.bincount(
        np.concatenate([chosen(ju.data.sample(DATA, 50, seed=seed)) for seed in range(400)])
    )
    # A binomial with 400 draws of probability 1/4: five standard deviations.
    assert abs(times - 100).max() < 5 * np.sqrt(400 * 0.25 * 0.75)


def test_seeds_differ_and_the_fingerprint_follows():
    first, again, other = (ju.data.sample(DATA, 20, seed=seed) for seed in (1, 1, 2))
    assert chosen(first) == chosen(again) != chosen(other)
    assert first.fingerprint == again.fingerprint != other.fingerprint


def test_of_one_class():
    part = ju.data.sample(ju.data.of_class(DATA, "cat"), 5, seed=1)
    assert part.labels.tolist() == [2] * 5
    assert part.class_names == DATA.class_names


def test_a_share_leaves_an_empty_class_empty():
    data = ju.data.load((IMAGES, LABELS), class_names=NAMES)
    found = ju.data.sample(data, fraction=0.1)
    assert np.bincount(found.labels, minlength=5)[4] == 0


def message(data, *args, **kwargs):
    with pytest.raises(ju.InputError) as caught:
        ju.data.sample(data, *args, **kwargs)
    return str(caught.value)


def test_samples_that_cannot_be():
    assert message(DATA) == (
        "sample with num_images=None, per_class=None, fraction=None: give exactly one of them"
    )
    assert "give exactly one of them" in message(DATA, 3, fraction=0.5)
    assert message(DATA, 201) == "num_images=201 of the 200 images of data 'arrays': give 1 to 200"
    assert "num_images=0 of the 200 images" in message(DATA, 0)
    assert message(DATA, fraction=1.5) == "fraction=1.5: give a number above 0, to 1"
    assert message(DATA, per_class=0) == "per_class=0: give at least 1"
    assert message(DATA, per_class=150) == (
        f"per_class=150: class 'dog' of data 'arrays', split 'all', has {SIZES[3]} images: give "
        "fewer, or a fraction"
    )
    assert message(DATA, 3, seed=-1) == "seed=-1: give a whole number from 0 up to 4294967295"


def test_a_class_without_images_is_named():
    data = ju.data.load((IMAGES, LABELS), class_names=NAMES)
    assert "class 'emu' of data 'arrays', split 'all', has 0 images" in message(data, per_class=1)


class TestRandomLabels:
    @given(fraction=st.floats(0, 1), seed=st.integers(0, 5))
    def test_at_most_the_share_is_changed(self, fraction, seed):
        data = ju.data.random_labels(DATA, fraction, seed=seed)
        assert (data.labels != LABELS).sum() <= round(fraction * 200)
        assert data.fingerprint != DATA.fingerprint

    def test_all_at_random_are_uniform_over_the_classes(self):
        images = np.zeros((8000, 1, 1, 1), np.uint8)
        labels = np.zeros(8000, np.int64)
        data = ju.data.load((images, labels), class_names=NAMES[:4])
        found = ju.data.random_labels(data, 1.0).labels
        # Five standard deviations of a binomial; a quarter stays right by chance.
        assert abs(np.bincount(found) - 2000).max() < 5 * np.sqrt(8000 * 0.25 * 0.75)
        half = ju.data.random_labels(data, 0.5).labels
        assert abs((half == 0).sum() - 5000) < 5 * np.sqrt(4000 * 0.25 * 0.75)

    def test_images_stay_and_records_agree_with_labels(self):
        data = ju.data.random_labels(DATA, 0.7, seed=3)
        assert chosen(data) == list(range(200))
        assert [data[index]["label"] for index in range(200)] == data.labels.tolist()
        (batch,) = ju.data.batches(data, ju.data.Preprocessing((1, 1), 1), 200)
        assert batch.labels.tolist() == data.labels.tolist()

    def test_depends_on_the_seed_alone(self):
        first, again, other = (ju.data.random_labels(DATA, 0.5, seed=seed) for seed in (1, 1, 2))
        assert first.labels.tolist() == again.labels.tolist() != other.labels.tolist()
        assert first.fingerprint == again.fingerprint != other.fingerprint

    def test_the_choice_is_not_that_of_a_sample_of_the_same_seed(self):
        images = np.zeros((2000, 1, 1, 1), np.uint8)
        data = ju.data.load((images, np.zeros(2000, int)), class_names=[*map(str, range(1000))])
        part = ju.data.sample(ju.data.random_labels(data, 0.3), 600)
        assert abs((part.labels != 0).mean() - 0.3) < 0.1

    def test_no_image_is_decoded(self):
        class Undecodable:
            labels = (0, 1, 1)
            reads = 0

            def __len__(self):
                return 3

            def __getitem__(self, index):
                self.reads += 1
                return {"image": np.zeros((1, 1, 1), np.uint8), "label": self.labels[index]}

        source = Undecodable()
        data = ju.data.load(source, class_names=["a", "b"])
        before = source.reads
        assert len(ju.data.random_labels(data, 1.0).labels) == 3
        assert source.reads == before

    @pytest.mark.parametrize("fraction", [-0.1, 1.1, float("nan")])
    def test_fractions_that_cannot_be(self, fraction):
        with pytest.raises(ju.InputError, match=f"fraction={fraction}: give a number from 0 to 1"):
            ju.data.random_labels(DATA, fraction)
