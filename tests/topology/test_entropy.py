import math
import tracemalloc

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

import jaxunits as ju

topology = ju.topology
# Units: usual; no birth point; one; all equal; two equal ones, below p; all different.
UNITS = (
    [4, 4, 5, 0, 6, 4, 0, 0, 5, 4] * 3,
    [0] * 30,
    [0] * 29 + [7],
    [9] * 30,
    [0] * 28 + [3, 3],
    list(range(1, 31)),
)
BIRTHS = np.asarray(UNITS).T


def plain(births, convention, p):
    """One unit: ε, H and E, as the definitions and the authors' code read."""
    having = [birth for birth in births if birth]
    rate = len(having) / len(births)
    shares = [having.count(value) / len(having) for value in set(having)]
    entropy = -sum(share * math.log(share) for share in shares)
    if convention == "authors":
        effective = rate >= p and having and abs(entropy / rate) >= 0.1
        return rate, entropy, rate / entropy if effective else 0.0
    if rate < p or len(having) < 2:
        return rate, entropy, 0.0
    if len(shares) == 1:
        n = len(births)
        return rate, 0.0, rate / -(math.log(1 / n) / n + (1 - 1 / n) * math.log(1 - 1 / n))
    return rate, entropy, rate / entropy


@pytest.mark.parametrize(("convention", "p"), [("paper", 0.1), ("authors", 0.0)])
def test_degenerate_units(convention, p):
    rate, entropy, effective = zip(*(plain(unit, convention, p) for unit in UNITS), strict=True)
    np.testing.assert_allclose(topology.selective_rate(BIRTHS), rate)
    np.testing.assert_allclose(topology.feature_entropy(BIRTHS), entropy, atol=1e-15)
    found = topology.effectiveness(BIRTHS, convention=convention)
    np.testing.assert_allclose(found, effective)
    assert (found == 0).tolist() == [
        False,
        True,
        True,
        convention == "authors",
        True,
        False,
    ]


@settings(max_examples=50)
@given(
    seed=st.integers(0, 2**32 - 1),
    images=st.integers(1, 40),
    largest=st.integers(0, 50),
    p=st.floats(0, 1),
    convention=st.sampled_from(["paper", "authors"]),
)
def test_equals_plain_python(seed, images, largest, p, convention):
    births = np.random.default_rng(seed).integers(0, largest + 1, (images, 5))
    expected = [plain(unit, convention, p) for unit in births.T.tolist()]
    rate, entropy, effective = zip(*expected, strict=True)
    np.testing.assert_allclose(topology.selective_rate(births), rate)
    np.testing.assert_allclose(topology.feature_entropy(births), entropy, atol=1e-12)
    found = topology.effectiveness(births, p=p, convention=convention)
    np.testing.assert_allclose(found, effective, rtol=1e-9)


def test_entropy_is_scipys():
    values, counts = np.unique(BIRTHS[:, 0][BIRTHS[:, 0] > 0], return_counts=True)
    assert len(values) == 3
    np.testing.assert_allclose(topology.feature_entropy(BIRTHS)[0], stats.entropy(counts))


def test_large_birth_points_take_no_more_memory():
    births = np.asarray([[10**9, 1], [10**9, 2**62], [7, 0]])
    known = [stats.entropy([1, 2]), stats.entropy([1, 1])]
    tracemalloc.start()
    np.testing.assert_allclose(topology.feature_entropy(births), known)
    topology.effectiveness(births)
    assert tracemalloc.get_traced_memory()[1] < 2**20
    tracemalloc.stop()


def test_a_unit_of_equal_births_is_no_less_effective_than_one_apart():
    """On the same images, the least entropy above 0 is that of one image apart."""
    equal, apart = np.full(40, 9), np.asarray([8] + [9] * 39)
    one, other = topology.effectiveness(np.stack([equal, apart], 1))
    np.testing.assert_allclose(one, other)


def test_importance_rank():
    ranks = topology.importance_order([0.5, 2.0, 0.5, 0.0, 2.0, 3.0])
    assert ranks.tolist() == [5, 1, 4, 0, 2, 3]
    assert topology.importance_order(topology.effectiveness(BIRTHS))[0] == 3
    assert topology.importance_order(topology.effectiveness(BIRTHS, convention="authors"))[0] == 0


@pytest.mark.parametrize(
    ("births", "expected"),
    [
        (np.ones((2, 3, 4), int), "birth points of shape [2, 3, 4]: give [images, units]"),
        (np.ones((0, 3), int), "birth points of shape [0, 3]"),
        (np.ones((2, 3)), "birth points of type float64: give integers, 0 for none"),
        (np.asarray([[1, -2]]), "birth point -2 of image 0, unit 1"),
    ],
)
def test_what_are_no_birth_points(births, expected):
    for call in (topology.selective_rate, topology.feature_entropy, topology.effectiveness):
        with pytest.raises(ju.InputError) as caught:
            call(births)
        assert expected in str(caught.value)


@pytest.mark.parametrize(
    ("call", "expected"),
    [
        (lambda: topology.effectiveness(BIRTHS, p=1.5), "p=1.5: give a share of images"),
        (lambda: topology.effectiveness(BIRTHS, convention="papers"), "Did you mean 'paper'?"),
        (lambda: topology.importance_order([0.0, np.nan]), "effectiveness of unit 1 is NaN"),
        (lambda: topology.importance_order([[1.0]]), "effectiveness of shape [1, 1]"),
    ],
)
def test_what_cannot_be_asked(call, expected):
    with pytest.raises(ju.InputError) as caught:
        call()
    assert expected in str(caught.value)
