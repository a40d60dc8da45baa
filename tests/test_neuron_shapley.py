"""The published sampler of Shapley values, as the benchmark has it, on games with known answers."""

import itertools

import numpy as np
import pytest

import jaxunits as ju
from tests.benchmarks.neuron_shapley import Comparison, Published
from tests.stored import stored

WEIGHTS = np.array([0.3, 0.2, 0.05, 0.05, 0.0])
NEVER = {"chance": 0.0, "truncation": -1.0}


def along(value):
    """The values along several orders."""
    return lambda orders: np.stack([value(order) for order in orders])


def additive(order):
    """The value of what is left along an order: a sum, so that every marginal is the unit's own."""
    return WEIGHTS.sum() - np.concatenate([[0], np.cumsum(WEIGHTS[order])])


def game(order):
    """Units 0 and 1 count only together, unit 2 alone."""
    left = [set(order[place:].tolist()) for place in range(len(order) + 1)]
    return np.array([0.4 * ({0, 1} <= each) + 0.1 * (2 in each) for each in left])


def test_of_a_sum_every_value_is_exact_and_costs_are_counted():
    found = Published(top=2, **NEVER).estimate(along(additive), 5, masks=12, seed=0)
    np.testing.assert_allclose(found.values, WEIGHTS, atol=1e-12)
    # Two walks of six masks each; nobody is out of doubt after so few.
    assert found.masks == 12


def test_the_mean_over_many_walks_is_that_over_all_orders():
    every = [(np.array(order), game(np.array(order))) for order in itertools.permutations(range(4))]
    exact = np.zeros(4)
    for order, values in every:
        exact[order] += (values[:-1] - values[1:]) / len(every)
    np.testing.assert_allclose(exact, [0.2, 0.2, 0.1, 0])
    # Of the bandit nothing is left where intervals cannot be wrong.
    sampler = Published(top=2, doubt=1e-9, **NEVER)
    found = sampler.estimate(along(game), 4, masks=5 * 4000, seed=1)
    # A marginal is 0 or 0.4, its standard deviation 0.2: five standard errors of 4,000 walks.
    np.testing.assert_allclose(found.values, exact, atol=5 * 0.2 / np.sqrt(4000))


def test_a_walk_ends_near_chance_and_skips_who_is_out_of_doubt():
    sampler = Published(top=1, chance=0.1, truncation=0.2)
    order = np.arange(10)
    accuracies = np.array([0.9, 0.5, *[0.2] * 9])
    marginals, masks = sampler.walk(accuracies, order, np.ones(10, bool))
    np.testing.assert_allclose(marginals[:3], [0.4, 0.3, 0])
    # The first mask, that without unit 0, and six in a row near chance.
    assert masks == 8
    active = np.isin(order, [0, 3])
    marginals, masks = sampler.walk(np.linspace(1, 0.5, 11), order, active)
    np.testing.assert_allclose(marginals[active], 0.05)
    assert (marginals[~active] == 0).all()
    assert masks == 1 + 1 + 2


def test_who_is_clearly_above_or_below_is_out_of_doubt():
    counts = np.full(3, 10_000.0)
    values = np.array([0.5, 0.1, 0.1])
    active = Published(top=1, chance=0.1).in_doubt(values * counts, values**2 * counts, counts)
    assert active.tolist() == [False, True, True]


@pytest.mark.slow
def test_the_table_has_both_samplers_at_equal_cost():
    data = ju.data.load("digits", "validation[:30]")
    compared = Comparison(4, long_run=16, repeats=2, top=3, images_a_walk=10, batch_size=10)
    table = compared.table(stored("mlp"), "fc2", data)
    labels, errors, *_, ratios = [list(column.cells) for column in table.columns]
    assert [label.partition(",")[0] for label in labels] == [
        "antithetic whole orders",
        "antithetic",
        *["Neuron Shapley"] * 2,
    ]
    assert all(float(error) > 0 for error in errors)
    assert ratios[0] == "1.00"
