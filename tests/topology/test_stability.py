import numpy as np
import pytest

import jaxunits as ju

topology = ju.topology
# Five subsets rank six units.
RANKS = np.asarray(
    [
        [0, 1, 2, 3, 4, 5],
        [1, 0, 3, 2, 4, 5],
        [0, 2, 1, 3, 4, 5],
        [0, 1, 5, 3, 4, 2],
        [4, 1, 0, 3, 2, 5],
    ]
)


def test_subsets_are_drawn_without_repetition():
    subsets = topology.random_subsets(50, 20, num_subsets=200, seed=3)
    assert subsets.shape == (200, 20)
    assert all(len(set(each)) == 20 for each in subsets.tolist())
    assert np.bincount(subsets.ravel(), minlength=50).min() > 40
    np.testing.assert_array_equal(subsets, topology.random_subsets(50, 20, num_subsets=200, seed=3))
    assert (subsets != topology.random_subsets(50, 20, num_subsets=200, seed=4)).any()


@pytest.mark.parametrize(
    ("call", "expected"),
    [
        (
            lambda: topology.random_subsets(50, 20, num_subsets=10**9),
            "subsets=1000000000 gives 1,000,000,000 × 20 numbers: give fewer, at most 3,355,443",
        ),
        (
            lambda: topology.times_in_top([[0, 10**9]], top=1),
            "unit 1000000000 in a rank of 2 units: give each unit once, from 0 to 1",
        ),
        (lambda: topology.times_in_top([[0, -1]], top=1), "unit -1 in a rank of 2 units"),
    ],
)
def test_numbers_that_would_fill_the_memory(call, expected):
    with pytest.raises(ju.InputError) as caught:
        call()
    assert expected in str(caught.value)


def test_a_worked_example():
    """By hand: units 0 to 5 are among the first two 4, 4, 1, 0, 1 and 0 times."""
    assert topology.times_in_top(RANKS, top=2).tolist() == [4, 4, 1, 0, 1, 0]
    assert topology.most_often_in_top(RANKS, top=2, num_units=3).tolist() == [0, 1, 2]
    ratio = topology.stability_ratio(RANKS, [1, 2, 0, 3, 4, 5], top=2, num_units=3, reference_top=2)
    # Units 0, 1, 2 with 4/5, 4/5, 1/5; unit 0 is not among the reference's first two.
    assert ratio == pytest.approx((0 + 4 / 5 + 1 / 5) / 3)


def test_ranks_of_subsets_are_those_of_their_images():
    births = np.random.default_rng(0).integers(0, 12, (60, 30))
    subsets = topology.random_subsets(60, 25, num_subsets=8)
    for convention, p in (("paper", 0.5), ("authors", None)):
        ranks = topology.importance_orders(births, subsets, p=p, convention=convention)
        for rank, subset in zip(ranks, subsets, strict=True):
            effective = topology.effectiveness(births[subset], p=p, convention=convention)
            assert (np.diff(effective[rank]) <= 0).all()
            np.testing.assert_array_equal(rank, topology.importance_order(effective))


def test_all_images_agree_with_themselves():
    births = np.random.default_rng(0).integers(0, 12, (60, 30))
    ranks = topology.importance_orders(births, topology.random_subsets(60, 60, num_subsets=5))
    reference = topology.importance_order(topology.effectiveness(births))
    same = {"top": 10, "num_units": 10, "reference_top": 10}
    assert topology.stability_ratio(ranks, reference, **same) == 1
    fewer = topology.importance_orders(births, topology.random_subsets(60, 5, num_subsets=50))
    assert topology.stability_ratio(fewer, reference, **same) < 0.9


@pytest.mark.parametrize(
    ("call", "expected"),
    [
        (lambda: topology.random_subsets(10, 11), "100 subsets of 11 out of 10 images"),
        (lambda: topology.random_subsets(10, 5, num_subsets=0), "0 subsets of 5"),
        (
            lambda: topology.importance_orders(np.ones((4, 3), int), [[0, 4]]),
            "image 4 of a subset: there are images 0 to 3",
        ),
        (lambda: topology.times_in_top(RANKS, top=7), "top=7: give a number from 1 to 6"),
        (lambda: topology.most_often_in_top(RANKS, top=2, num_units=0), "num_units=0"),
        (
            lambda: topology.stability_ratio(RANKS, range(6), top=2, num_units=2),
            "reference_top=15",
        ),
        (
            lambda: topology.stability_ratio(RANKS, range(5), top=2),
            "ranks of 6 units with a reference of 5",
        ),
    ],
)
def test_what_cannot_be_asked(call, expected):
    with pytest.raises(ju.InputError) as caught:
        call()
    assert expected in str(caught.value)
