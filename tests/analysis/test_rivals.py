"""Every attribute against ablation, on a network not written here, against SciPy and by hand."""

import re

import numpy as np
import pytest
import scipy
from scipy import stats

import jaxunits as ju
from jaxunits.analysis.agreement import NONE, agreement
from jaxunits.analysis.experiments import rivals
from jaxunits.analysis.experiments.shapley import units_before
from tests.zoo import LAYERS, kind

NAME = "mixed"


def partial_by_inverse(x, y, third):
    """As pingouin has it: of the inverse of the ranks' covariance."""
    ranks = np.stack([stats.rankdata(each) for each in (x, y, third)])
    inverse = np.linalg.inv(np.cov(ranks))
    return -inverse[0, 1] / np.sqrt(inverse[0, 0] * inverse[1, 1])


class TestAgreement:
    random = np.random.default_rng(3)
    third = random.normal(size=(60, 4))
    x, y = third + random.normal(size=(2, 60, 4))

    def test_is_spearmans_mean_over_columns(self):
        r = [stats.spearmanr(a, b).statistic for a, b in zip(self.x.T, self.y.T, strict=True)]
        found = agreement(self.x, self.y, draws=50)
        assert found.r == pytest.approx(np.mean(r))
        one = agreement(self.x[:, :1], self.y[:, :1], draws=50)
        expected = stats.spearmanr(self.x[:, 0], self.y[:, 0])
        assert (one.r, one.p) == pytest.approx((expected.statistic, expected.pvalue), abs=1e-7)

    def test_is_partial_given_a_third(self):
        columns = zip(self.x.T, self.y.T, self.third.T, strict=True)
        r = [partial_by_inverse(*each) for each in columns]
        assert agreement(self.x, self.y, self.third, draws=50).r == pytest.approx(np.mean(r))

    def test_interval_is_that_of_scipys_bootstrap(self):
        def r(a, b):
            return stats.spearmanr(a, b).statistic

        expected = stats.bootstrap(
            (self.x[:, 0], self.y[:, 0]),
            r,
            paired=True,
            n_resamples=2000,
            method="percentile",
            vectorized=False,
            random_state=1,
        ).confidence_interval
        found = agreement(self.x[:, :1], self.y[:, :1], draws=2000)
        # The ends of 2,000 draws scatter by about a twentieth of the interval's length.
        near = 0.15 * (expected.high - expected.low)
        assert (found.low, found.high) == pytest.approx(tuple(expected), abs=near)

    def test_p_of_a_mean_is_that_of_shuffled_units(self):
        random = np.random.default_rng(0)
        x = random.normal(size=(40, 1)) + 0.5 * random.normal(size=(40, 5))
        y = 0.3 * x + random.normal(size=(40, 1)) + 0.5 * random.normal(size=(40, 5))
        ranks = [stats.zscore(stats.rankdata(each, axis=0), axis=0) for each in (x, y)]
        shuffled = [(ranks[0] * random.permutation(ranks[1])).mean() for _ in range(4000)]
        found = agreement(x, y, draws=10)
        share = np.mean(np.abs(shuffled) >= abs(found.r))
        assert 0.001 < share < 0.9
        assert found.p == pytest.approx(share, abs=0.03)

    def test_what_cannot_be_told_is_nothing(self):
        one, other = self.x[:, :1], self.y[:, :1]
        assert agreement(np.ones((60, 1)), other) == NONE
        assert agreement(one[:3], other[:3]) == NONE
        assert np.isnan(agreement(one, other, one).r)
        holes = np.where(np.arange(60)[:, None] < 20, np.nan, one)
        assert agreement(holes, other) == agreement(one[20:], other[20:])
        columns = np.concatenate([one, np.full((60, 1), np.nan)], axis=1)
        found = agreement(columns, np.concatenate([other, other], axis=1))
        assert found == agreement(one, other)


@pytest.fixture(scope="module")
def study(tmp_path_factory):
    zoo = kind(NAME)
    folder = tmp_path_factory.mktemp("rivals")
    return ju.analysis.study(
        zoo.network,
        zoo.data,
        folder,
        ["rivals", "shapley", "greedy"],
        [LAYERS[NAME][0]],
        options={"shapley.orders": 16, "shapley.images": 20, "greedy.steps": 3},
        progress=False,
    )


@pytest.fixture(scope="module")
def numbers(study):
    (run,) = study.runs.every
    return rivals.cells(run, study.runs.config)


@pytest.mark.slow
class TestOfANetworkFromElsewhere:
    def test_cells_are_those_of_scipy(self, study, numbers):
        (layer,) = study.measured("ablation")
        sweep = study.measured("ablation")[layer]
        of = study.measured("attributes")[layer]
        for name in ("class_selectivity", "taylor", "l1_norm", "apoz"):
            if name not in of:
                continue
            for truth in ("overall_accuracy_drop", "max_class_accuracy_drop"):
                x, y, size = (each.values for each in (of[name], sweep[truth], of.activation_mean))
                cell = numbers[layer, name, truth]
                if np.ptp(x) == 0 or np.ptp(y) == 0:
                    assert np.isnan(cell.plain.r)
                    continue
                assert cell.plain.r == pytest.approx(stats.spearmanr(x, y).statistic)
                assert cell.given_size.r == pytest.approx(partial_by_inverse(x, y, size))
        drops = sweep.class_accuracy_drop.transpose("unit", "class").values
        vectors = of.taylor_by_class.transpose("unit", "class").values
        each = [
            stats.spearmanr(a, b).statistic
            for a, b in zip(vectors.T, drops.T, strict=True)
            if np.ptp(a) > 0 and np.ptp(b) > 0
        ]
        found = numbers[layer, "taylor", "class_accuracy_drop"].plain.r
        assert found == pytest.approx(np.mean(each))

    def test_discoveries_are_those_of_scipy(self, numbers):
        for part, flag in (("plain", "discovered"), ("given_size", "discovered_given_size")):
            p = np.array([getattr(cell, part).p for cell in numbers.values()])
            expected = np.zeros(len(p), bool)
            known = np.isfinite(p)
            expected[known] = scipy.stats.false_discovery_control(p[known]) <= 0.05
            assert [getattr(cell, flag) for cell in numbers.values()] == expected.tolist()

    def test_greedy_ranks_and_shapley_values_stand_beside_the_others(self, study, numbers):
        (layer,) = study.measured("ablation")
        assert {"greedy_rank", "shapley", "loss_shapley", "random"} <= {key[1] for key in numbers}
        greedy = study.measured("greedy")[layer]
        orders = greedy.ordered_unit.transpose("order", "step").values
        scores = {
            score.name: score
            for score in rivals.scores(study.runs.every[0], layer, study.runs.config)
        }
        first = orders[0, 1:]
        column = scores["greedy_rank"].by_class[:, 0]
        assert column[first].tolist() == [3, 2, 1]
        assert column.sum() == 6
        classes = int((greedy.target != "").sum())
        units = len(column)
        masks = classes * (units + units - 1 + units - 2)
        assert scores["greedy_rank"].passes.startswith(f"{masks:,} behind the layer")

    def test_the_table_shows_the_cells(self, study, numbers):
        (layer,) = study.measured("ablation")
        table, costs = study["rivals"].tables
        for row in table.rows:
            shown = dict(zip(table.columns, row, strict=True))
            name = shown["attribute"].lower().replace(" ", "_")
            cell = numbers[layer, name, "overall_accuracy_drop"]
            number = re.match(r"[+-]\d\.\d\d", shown["overall drop"])
            expected = "" if np.isnan(cell.plain.r) else f"{cell.plain.r:+.2f}"
            assert (number.group() if number else "") == expected
        passes = {row[1]: row[2] for row in costs.rows}
        assert passes["random"] == "0: weights alone"
        assert passes["Taylor"].startswith("1 and its derivative")
        assert len(study["rivals"].findings) == 3

    def test_pruning_ranks_on_one_half_and_measures_on_the_other(self, study):
        zoo = kind(NAME)
        (layer,) = study.measured("pruning")
        pruned = study.measured("pruning")[layer]
        halves = np.random.default_rng(0).permutation(len(zoo.data))
        chosen, held = (np.sort(half) for half in np.split(halves, [len(zoo.data) // 2]))
        assert int(pruned["n_images"]) == len(held)
        half = ju.data.subset(zoo.data, chosen)
        norm = ju.attributes.collect(zoo.network, layer, half, progress=False).activation_mean
        order = np.argsort(norm.values, kind="stable")
        found = pruned.sel(ranking="activation_mean")
        np.testing.assert_array_equal(found.ordered_unit, order)
        curve = ju.ablation.cumulative(
            zoo.network, layer, ju.data.subset(zoo.data, held), order, progress=False
        )
        expected = curve.correct.sum("class") / len(held)
        np.testing.assert_allclose(found.accuracy, expected)
        assert "half of the images" in " ".join(study["shapley"].text)

    def test_shapley_values_are_those_of_the_library(self, study):
        zoo = kind(NAME)
        (layer,) = study.measured("shapley")
        expected = ju.ablation.shapley(zoo.network, layer, zoo.data, num_orders=16, progress=False)
        found = study.measured("shapley")[layer]
        np.testing.assert_array_equal(found.contributed, expected.contributed)
        r = stats.spearmanr(
            found.shapley, study.measured("ablation")[layer].overall_accuracy_drop
        ).statistic
        assert f"the rank correlation {r:+.2f} [" in study["shapley"].findings[0]


def test_units_that_go_before_much_is_lost():
    assert units_before(np.array([0.9, 0.85, 0.9, 0.7, 0.85]), 0.1) == 2
    assert units_before(np.array([0.5, 0.5, 0.45]), 0.1) == 2
    assert units_before(np.array([0.5, 0.3]), 0.1) == 0
