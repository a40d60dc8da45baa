import numpy as np
import pytest

import jaxunits as ju


def test_a_subset_has_the_images_asked_for_in_their_order(few_digits):
    part = ju.data.subset(few_digits, [7, 3, 3])
    assert len(part) == 3
    np.testing.assert_array_equal(part.labels, few_digits.labels[[7, 3, 3]])
    np.testing.assert_array_equal(part[1]["image"], few_digits[3]["image"])
    assert part.class_names == few_digits.class_names
    assert part.fingerprint != ju.data.subset(few_digits, [3, 7, 3]).fingerprint
    assert part.fingerprint == ju.data.subset(few_digits, [7, 3, 3]).fingerprint
    assert part.fingerprint != few_digits.fingerprint


def test_the_images_of_a_class(few_digits):
    threes = ju.data.of_class(few_digits, "3")
    assert len(threes) == (few_digits.labels == 3).sum() > 0
    assert set(threes.labels) == {3}


@pytest.mark.parametrize(
    ("indices", "message"),
    [
        ([0, 300], "image 300 of data 'arrays': give 0 to 299"),
        ([-1], "image -1 of data 'arrays': give 0 to 299"),
        ([], r"indices of shape \(0,\)"),
        ([0.5], "indices of type float64 of images of data .*, such as 0.5: give whole numbers"),
    ],
)
def test_indices_that_cannot_be_used(few_digits, indices, message):
    with pytest.raises(ju.InputError, match=message):
        ju.data.subset(few_digits, indices)
    with pytest.raises(ju.InputError, match="unknown class 'three'"):
        ju.data.of_class(few_digits, "three")


def test_batches_of_a_range_of_images(few_digits):
    preprocessing = ju.data.Preprocessing(size=(28, 28), channels=1)
    some = list(ju.data.batches(few_digits, preprocessing, 16, start=32, stop=70))
    assert [int(batch.valid.sum()) for batch in some] == [16, 16, 6]
    labels = np.concatenate([batch.labels[batch.valid] for batch in some])
    np.testing.assert_array_equal(labels, few_digits.labels[32:70])
