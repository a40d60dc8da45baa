"""Accuracy and loss of every kind of network, from its own logits."""

import numpy as np
import pytest
import scipy.special

import jaxunits as ju
from tests.zoo import KINDS, kind
from tests.zoo.checks import quick_compilation


@pytest.fixture(autouse=True, scope="module")
def _quick():
    with quick_compilation():
        yield


@pytest.mark.parametrize("name", KINDS)
def test_it_counts_what_the_network_says(name):
    found = kind(name)
    logits = found.logits()[0].astype(np.float64)
    labels = np.asarray(found.data.labels)
    right = logits.argmax(1) == labels
    losses = -scipy.special.log_softmax(logits, axis=1)[np.arange(len(labels)), labels]
    result = ju.evaluate(found.network, found.data, batch_size=7, progress=False)
    for number, label in enumerate(result["class"].values):
        one, of_class = result.sel({"class": label}), labels == number
        assert one.n_images == of_class.sum()
        assert one.correct == right[of_class].sum()
        np.testing.assert_allclose(one.loss_sum, losses[of_class].sum(), rtol=1e-4)
    assert result.overall_accuracy == right.mean()
    np.testing.assert_allclose(result.loss, losses.mean(), rtol=1e-4)


def test_it_is_where_a_sweep_begins(trained, few_digits):
    before = ju.ablation.sweep(trained, "conv3", few_digits, progress=False)
    found = ju.evaluate(trained, few_digits, progress=False)
    np.testing.assert_array_equal(found.correct, before.correct_before)
    np.testing.assert_allclose(found.loss_sum, before.loss_sum_before, rtol=1e-5)


def test_a_class_without_images_has_no_accuracy(trained, few_digits):
    some = ju.data.subset(few_digits, np.flatnonzero(np.asarray(few_digits.labels) != 4))
    found = ju.evaluate(trained, some, progress=False)
    assert np.isnan(found.class_accuracy).values.tolist() == [n == 4 for n in range(10)]
    assert found.overall_accuracy == found.correct.sum() / len(some)


def test_other_classes_are_refused(trained, few_digits):
    other = ju.networks.convnet(3, preprocessing=trained.preprocessing, widths=(2,), pool_after=())
    with pytest.raises(ju.InputError, match="gives 3 logits and data"):
        ju.evaluate(other, few_digits)
