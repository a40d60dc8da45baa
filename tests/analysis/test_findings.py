"""Sentences at the heads of sections, from made-up results whose answers are known."""

import math

import numpy as np
import pytest
import xarray as xr
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

import jaxunits as ju
from jaxunits.analysis import Panel, Run
from jaxunits.analysis.experiments import (
    comparison,
    concepts,
    correlations,
    drop_curves,
    greedy,
    phase_transition,
    prediction,
    roles,
    rotations,
    stability,
    substitution,
    synthesized_images,
    topology,
    unit_panels,
)
from jaxunits.analysis.findings import counted, discoveries, foremost, listed, p_value, points
from jaxunits.analysis.measurements.topology import Topology
from jaxunits.statistics import RankCorrelation


def sweep_of(broken, images=100):
    """A sweep in which units break images and repair none; all are right before."""
    broken = np.asarray(broken)
    drops = broken / images
    names = [str(7 + number) for number in range(broken.shape[1])]
    counts = {
        "broken": (("unit", "class"), broken),
        "correct": (("unit", "class"), images - broken),
        "class_accuracy_drop": (("unit", "class"), drops),
        "correct_before": ("class", np.full(broken.shape[1], images)),
        "n_images": ("class", np.full(broken.shape[1], images)),
        "overall_accuracy_drop": ("unit", drops.mean(1)),
        "max_class_accuracy_drop": ("unit", drops.max(1)),
        "most_damaged_class": ("unit", np.asarray(names, object)[drops.argmax(1)]),
    }
    return xr.Dataset(counts, {"unit": np.arange(len(broken)), "class": names})


def panel_of(*results, layer="conv2", sweeps=()):
    runs = [Run("net", f"seed{k}", {"ablation": {layer: each}}) for k, each in enumerate(sweeps)]
    return Panel("net", layer, runs, results, layer)


def test_numbers_in_sentences():
    assert [points(share) for share in (0.2, 0.185, -0.005, -0.0001, 1.0)] == [
        *("20", "18.5", "-0.5", "0", "100"),
    ]
    assert (counted(1, "unit"), counted(4000, "unit")) == ("1 unit", "4,000 units")
    assert [listed(list(some)) for some in ("", "a", "ab", "abc")] == [
        "",
        "a",
        "a and b",
        "a, b and c",
    ]
    assert (p_value(0.0123), p_value(1e-5)) == ("p = 0.012", "p < 0.0001")


def test_of_many_layers_the_foremost_have_a_sentence_in_their_order():
    few = [(0.0, "a"), (math.nan, "b")]
    assert foremost(few, "drops") == ["a", "b"]
    many = [*few, *((float(rank), str(rank)) for rank in (5, 1, 4, 2, 3))]
    assert foremost(many, "drops") == ["The 5 of 7 layers with the drops:", *"51423"]


@given(st.lists(st.floats(0, 1), max_size=20))
def test_discoveries_are_those_of_scipy(p):
    found = discoveries(np.asarray([*p, math.nan]))
    adjusted = stats.false_discovery_control(p) if p else np.empty(0)
    # Rounding decides where an adjusted p is the level itself.
    assert (adjusted < 0.05 - 1e-12).sum() <= found <= (adjusted < 0.05 + 1e-12).sum()


def test_drop_curves_name_the_pair_that_loses_most_beyond_chance():
    broken = np.zeros((8, 2), int)
    broken[7, 1], broken[3, 0] = 20, 12
    sweep = sweep_of(broken)
    sure = ju.statistics.uncertainty(sweep, num_draws=1)
    # Where no image is repaired the interval is close to Wilson's of 20 of 100: 13.3 to 28.9.
    assert drop_curves._found("conv2", sweep, sure) == (
        2 / 16,
        (
            "conv2: 2 of 16 (unit, class) pairs are damaged beyond chance; unit 7 costs class 8 "
            "most, 20 points [13.3, 28.9]."
        ),
    )
    few = sweep_of(np.minimum(broken, 2))
    share, sentence = drop_curves._found("fc", few, ju.statistics.uncertainty(few, num_draws=1))
    assert share < 0
    assert sentence.startswith("fc: none of 16 (unit, class) pairs is damaged beyond chance")
    assert "the largest drop, of class 7 without unit 3, is 2 points [" in sentence


def test_comparison_counts_over_seeds():
    one, other = sweep_of([[20, 0], [0, 10]]), sweep_of([[40, 0], [0, 0]])
    panel = panel_of(one, other)
    assert comparison._damaged(panel) == [2, 1]
    assert comparison._found(panel, [2, 1]) == (
        pytest.approx(0.175),
        (
            "conv2: 1.5 of 4 (unit, class) pairs are damaged beyond chance, mean of 2 seeds (1 to "
            "2); on average a unit costs its most damaged class 17.5 points and all classes "
            "together 8.8."
        ),
    )


def test_unit_panels_say_what_the_first_unit_costs():
    panels = xr.Dataset(coords={"unit": [1, 0]})
    drop, sentence = unit_panels._found("conv2", sweep_of([[0, 0], [0, 20]]), panels)
    assert drop == 0.2
    assert sentence == (
        "conv2: without unit 1 class 8 loses 20 points [13.3, 28.9], all classes together 10."
    )


def correlated(r, p):
    both = np.stack([r, np.zeros_like(r)], -1)
    return xr.Dataset(
        {
            "r": (("seed", "attribute", "accuracy_drop"), both),
            "p_value": (("seed", "attribute", "accuracy_drop"), np.stack([p, p], -1)),
            "n_units": ("seed", [40] * len(r)),
        },
        {
            "attribute": ["l1_norm", "apoz", "silent"],
            "accuracy_drop": ["max_class_accuracy_drop", "overall_accuracy_drop"],
        },
    )


def test_correlations_name_the_strongest_of_either_sign():
    one = correlated(np.asarray([[0.3, -0.6, math.nan]]), np.asarray([[0.04, 0.001, math.nan]]))
    assert correlations._sentence("fc", one) == (
        0.6,
        (
            "fc: of all attributes APoZ correlates most with the max class drop (r = -0.60 over 40 "
            "units, p = 0.001); 2 of 2 correlate with it beyond chance (5 % false discoveries)."
        ),
    )
    both = np.asarray([[0.9, -0.6, 0], [0.5, -0.2, 0]])
    two = correlated(both, np.asarray([[0.01, 0.2, 1], [0.2, 0.2, 1]]))
    assert correlations._sentence("fc", two)[1] == (
        "fc: of all attributes L1 norm correlates most with the max class drop (mean r +0.70 over "
        "2 seeds, p < 0.05 in 1)."
    )
    nothing = correlated(np.full((1, 3), math.nan), np.full((1, 3), math.nan))
    assert "the same for all units" in correlations._sentence("fc", nothing)[1]


def test_greedy_says_how_few_units_take_half_of_a_class():
    accuracy = np.zeros((3, 4, 2))
    accuracy[0, :, 0] = 0.8, 0.7, 0.3, 0.1
    accuracy[1, :, 1] = 0.6, 0.5, 0.3, 0.2
    accuracy[2] = np.asarray([[0.8, 0.6], [0.8, 0.6], [0.7, 0.5], [0.7, 0.3]])
    found = xr.Dataset(
        {
            "class_accuracy": (("order", "step", "class"), accuracy),
            "target": ("order", ["a", "b", ""]),
        },
        {"class": ["a", "b"]},
    )
    assert greedy._found(panel_of(found, layer="fc")) == (
        pytest.approx(55),
        (
            "fc: without 2 units chosen for it a class loses 40.0 of its 70.0 points of accuracy "
            "on average, half of them; without as many random units 10.0 ± 0.0."
        ),
    )
    assert "less than half" in greedy._found(panel_of(found.isel(step=[0, 1]), layer="fc"))[1]


def test_rotations_compare_units_with_directions():
    directions = xr.Dataset(
        {"max_class_accuracy_drop": (("rotation", "direction"), [[0.01, 0.02, 0.03]] * 2)}
    )
    panel = panel_of(directions, sweeps=[sweep_of([[20], [30], [40]])])
    units, sentence = rotations._found(panel)
    expected = stats.mannwhitneyu([0.2, 0.3, 0.4], [0.01, 0.02, 0.03] * 2).pvalue
    assert units == pytest.approx(30)
    assert sentence == (
        "conv2: the max class drop is 30.00 points on average over units and 2.00 over random "
        f"directions (Mann–Whitney {p_value(expected)})."
    )


def test_prediction_stands_beside_the_majority_and_chance():
    found = xr.Dataset(
        {
            "accuracy": (("feature", "split"), [[0.1, 0.1], [0.4, 0.6]]),
            "majority": ("split", [0.2, 0.2]),
            "chance": 0.1,
        },
        {"feature": ["class_correlation_by_class", "ensemble"]},
    )
    assert prediction._sentence("fc", found) == (
        pytest.approx(0.3),
        (
            "fc: the ensemble predicts the most damaged class of 50% ± 10% of units; always naming "
            "the majority class is right for 20%, chance for 10%."
        ),
    )
    assert "too few" in prediction._sentence("fc", found * math.nan)[1]


def test_concepts_count_detectors():
    found = xr.Dataset(
        {
            "alignment": ("unit", [0.1, 0.3, 0.01]),
            "best_concept": ("unit", np.asarray(["red", "edge", "red"], object)),
            "detector": ("unit", [True, True, False]),
        },
        {
            "unit": [0, 4, 5],
            "concept": ["red", "edge"],
            "category": ("concept", ["color", "form"]),
        },
        {"detector_iou": 0.04},
    )
    assert concepts._found(panel_of(found, layer="fc"))[1] == (
        "fc: 2 of 3 units are detectors, of 2 concepts (IoU above 0.04); unit 4 coincides best, "
        "with edge (IoU 0.30)."
    )
    none = found.assign(detector=("unit", [False] * 3))
    assert (
        "0 of 3 units are detectors, of no concept (IoU"
        in concepts._found(panel_of(none, layer="fc"))[1]
    )


def test_the_importance_rank_stands_beside_random_orders_and_the_best_other():
    accuracy = np.zeros((3, 2, 1, 4))
    accuracy[:, 1] = np.asarray([0.5, 0.6, 0.2])[:, None, None]
    directions = ["most important first", "least important first"]
    curves = xr.Dataset(
        {
            "accuracy": (("ranking", "direction", "class", "step"), accuracy),
            "random_accuracy": (("draw", "class", "step"), np.full((3, 1, 4), 0.4)),
        },
        {"ranking": ["importance", "Taylor", "APoZ"], "direction": directions},
    )
    assert phase_transition._kept(panel_of(curves, layer="fc")) == (
        pytest.approx(0.1),
        (
            "fc: with the least important unit first a class keeps 50.0% accuracy on average by "
            "the importance rank, 40.0% by random orders, and 60.0% by Taylor, the best of the "
            "other rankings."
        ),
    )


def test_topology_averages_over_units_and_classes():
    births = np.asarray([[1, 0], [1, 0], [3, 2], [3, 2]])
    result = xr.Dataset(
        {"birth_point": (("image", "unit"), births)}, {"class": ("image", list("aaaa"))}
    )
    effectiveness, sentence = topology._means(panel_of(result), Topology())
    # Unit 0 has all of its birth points, two values half of the time each; unit 1 half, all alike.
    assert "75.0% of maps have a birth point" in sentence
    assert f"the mean feature entropy of a unit is {math.log(2) / 2:.3f} nats" in sentence
    assert f"its mean effectiveness {effectiveness:.3f} per nat." in sentence


def test_stability_names_the_class_with_the_least():
    def of(ratio):
        return stability._Found(np.zeros(2), ratio, [], 0, 0.0)

    sizes = {4: {"a": of(0.1), "b": of(0.2)}, 8: {"a": of(0.9), "b": of(0.5)}}
    assert stability._sentence("fc", sizes) == (
        pytest.approx(0.7),
        (
            "fc: with subsets of 8 images the stability of the importance rank is 70.0%, mean over "
            "classes; class b has the least, 50.0%."
        ),
    )


def test_sample_curves_say_the_mean_accuracy_by_every_rank():
    curves = xr.Dataset(
        {
            "accuracy": (
                ("sample", "ranking", "step"),
                [[[1, 1], [1, 1]], [[0.5, 0.7], [0.3, 0.1]]],
            ),
            "images": ("sample", [4, 19]),
        },
        {"sample": ["subset", "held out"], "ranking": ["subset", "training"]},
        {"class": "3"},
    )
    assert stability._kept("fc", curves) == (
        pytest.approx(0.4),
        (
            "fc: on 19 held-out images of class 3 the mean accuracy along cumulative ablation is "
            "60.0% by the rank of a subset and 20.0% by the rank of all training images."
        ),
    )


def test_roles_are_listed_from_the_most_frequent_on():
    shares = np.asarray([[0.2, 0, 0.6, 0, 0.2], [0.4, 0, 0.6, 0, 0]])
    assert roles._found("fc", shares) == (
        pytest.approx(0.3),
        (
            "fc: of the units 60% are overfitted, 30% are core and 10% are confusing (mean over 2 "
            "curves, one per class and network)."
        ),
    )


def test_substitution_says_its_correlation_and_how_sure_it_is():
    ranks = [RankCorrelation(0.5, 0.012, 0.1, 0.8, 20), RankCorrelation(-0.2, 0.4, -0.6, 0.3, 20)]
    assert substitution._correlated(ranks[:1]) == (
        "its r with class selectivity is +0.50 [+0.10, +0.80] over 20 units (p = 0.012)"
    )
    assert substitution._correlated(ranks) == (
        "its r with class selectivity is -0.20 to +0.50 in 2 networks (p < 0.05 in 1)"
    )
    alike = RankCorrelation(math.nan, math.nan, math.nan, math.nan, 20)
    assert "all units have the same" in substitution._correlated([alike])


def test_covered_units_are_counted_and_the_most_selective_named():
    rs = np.asarray([[[0.5, 0.25, 0, math.nan]]])
    made = xr.Dataset(
        {"rs": (("noise_seed", "maximized", "unit"), rs)},
        {"maximized": ["iam"], "unit": [0, 2, 4, 5]},
    )
    selectivity = xr.Dataset(
        {"class_selectivity": ("unit", [0.1, 0, 0.7, 0, 0.9, 1.0])}, {"unit": np.arange(6)}
    )
    run = Run("net", "net", {"synthesis": {"fc": made}, "attributes": {"fc": selectivity}})
    assert synthesized_images._found(run, "fc", "fc") == (
        pytest.approx(2 / 3),
        (
            "fc: others respond more to the IAM image of 2 of 3 units than these do; the most "
            "selective of them is unit 2 (selectivity 0.70, RS 0.25)."
        ),
    )


def test_of_many_layers_drop_curves_count_those_with_damage():
    broken = np.zeros((7, 8, 2), int)
    broken[:, 0, 0] = 1, 2, 3, 4, 5, 20, 20
    broken[6, 1, 1] = 20
    sweeps = {f"conv{k}": sweep_of(each) for k, each in enumerate(broken)}
    sure = {k: ju.statistics.uncertainty(each, num_draws=1) for k, each in sweeps.items()}
    found = drop_curves._findings(sweeps, sure)
    assert found[0] == "In 2 of 7 layers some (unit, class) pair is damaged beyond chance."
    assert [text.split(":")[0] for text in found[2:]] == [f"conv{k}" for k in (2, 3, 4, 5, 6)]
