"""All experiments of Zhao and Zhang 2021 on a small study."""

import io
import re
import shutil
from pathlib import Path

import numpy as np
import pytest
import xarray as xr
from PIL import Image
from scipy import stats

import jaxunits as ju
from jaxunits.analysis.command import main
from jaxunits.analysis.experiment import config
from jaxunits.analysis.experiments import phase_transition
from jaxunits.analysis.experiments.flow import edge_ranks
from jaxunits.analysis.experiments.roles import Roles
from jaxunits.analysis.measurements.samples import Stability
from jaxunits.analysis.measurements.topology import Topology
from jaxunits.analysis.runs import Panel
from jaxunits.train.command import main as train
from tests.analysis.measured import findings, measured

pytestmark = pytest.mark.slow

QUICK = (
    *("--layers", "conv2", "--topology.classes", "3", "8", "--topology.images", "12"),
    *("--topology.random-orders", "2", "--stability.sizes", "4", "6", "--stability.subsets", "10"),
    *("--roles.shortest", "3", "--roles.resamples", "200"),
)
FIGURES = {
    *("topology_flow_conv2", "topology_training_conv2", "stability", "roles"),
    "stability_curves",
    "phase_transition_convnet_plain_conv2",
}


@pytest.fixture(scope="module")
def study(tmp_path_factory):
    """Two seeds of a configuration, analyzed."""
    folder = tmp_path_factory.mktemp("studies") / "small"
    arguments = [
        *("paper_b_digits", "--run-folder", str(folder), "--seeds", "0", "1"),
        *("--only", "convnet_plain", "--", "--network.widths", "4", "8"),
        *("--network.pool-after", "conv1", "--epochs", "2", "--data.fraction", "0.1"),
        *("--data.random-labels", "0.3", "--data.validation-split", "validation[:200]"),
    ]
    assert train(arguments) == 0
    assert main([str(folder), "paper_b", *QUICK]) == 0
    return folder


def measurement(folder, kind, seed=1):
    return measured(folder / "convnet_plain" / f"seed{seed}", kind, "conv2")


def network_and_images(folder, name):
    """A network, its training images of a class as it saw them, and the held-out ones."""
    network = ju.networks.restore(folder / "convnet_plain" / "seed1")
    training = ju.data.sample(ju.data.load("digits", "train"), fraction=0.1, seed=0)
    training = ju.data.random_labels(training, 0.3, seed=0)
    return network, training, ju.data.of_class(ju.data.load("digits", "validation[:200]"), name)


def test_every_experiment_has_its_figures_and_tables(study):
    assert {path.stem for path in (study / "figures").iterdir()} == FIGURES
    for path in (study / "figures").glob("*.png"):
        pixels = np.asarray(Image.open(io.BytesIO(path.read_bytes())).convert("L"))
        assert pixels.shape[1] >= 1000
        assert (pixels < 128).mean() > 0.005, path.name
    page = (study / "report.html").read_text()
    assert len(re.findall(r'<img src="data:image/png;base64,', page)) == len(FIGURES)
    assert all(findings(page).values())
    for title in ("Feature topology", "phase transition", "Stability of", "Roles of units"):
        assert title in page


def test_birth_points_are_the_librarys_on_training_labels(study):
    births = measurement(study, "births")
    network, training, _ = network_and_images(study, "3")
    assert list(dict.fromkeys(births["class"].values.tolist())) == ["3", "8"]
    assert (births["class"] == "3").sum() == 12
    expected = ju.topology.layer_birth_points(network, "conv2", ju.data.of_class(training, "3"))
    all_of_class = [tuple(row) for row in expected.birth_point.values]
    chosen = births.birth_point.values[births["class"].values == "3"]
    assert all(tuple(row) in all_of_class for row in chosen)
    of_training = measurement(study, "training")
    assert of_training.epoch.values.tolist() == [1, 2]
    np.testing.assert_array_equal(of_training.birth_point[-1], chosen)
    assert not np.array_equal(of_training.birth_point[0], chosen)


def test_curves_are_the_librarys_along_the_importance_rank(study):
    births = measurement(study, "births")
    network, _, held_out = network_and_images(study, "3")
    values = births.birth_point.values[births["class"].values == "3"]
    rates = (values > 0).mean(0)
    entropies = [
        stats.entropy(np.unique(unit[unit > 0], return_counts=True)[1]) for unit in values.T
    ]
    usual = (rates >= 0.1) & (np.array(entropies) > 0)
    curves = measurement(study, "cumulative").sel({"class": "3"})
    order = curves.ordered_unit.sel(ranking="importance").values
    effectiveness = rates[usual] / np.array(entropies)[usual]
    expected = np.flatnonzero(usual)[np.argsort(-effectiveness, kind="stable")]
    assert [unit for unit in order if usual[unit]] == expected.tolist()
    measured = ju.ablation.cumulative(network, "conv2", held_out, order[::-1]).sel({"class": "3"})
    last = curves.sel(ranking="importance", direction="least important first")
    np.testing.assert_array_equal(last.accuracy, measured.class_accuracy)
    np.testing.assert_allclose(last.loss, measured.loss_sum / len(held_out), rtol=1e-5)
    # Ablating all but the most important units is inserting these.
    inserted = measurement(study, "insertion").sel({"class": "3", "side": "test"})
    np.testing.assert_array_equal(inserted.accuracy, last.accuracy[::-1])
    assert np.isfinite(curves.greedy_accuracy).all()


def test_curves_by_the_ranks_of_samples(study):
    found = measurement(study, "samples")
    network, _, held_out = network_and_images(study, "3")
    births = ju.topology.layer_birth_points(network, "conv2", held_out).birth_point.values
    order = ju.topology.importance_order(ju.topology.effectiveness(births))
    images = {"training": 12, "held out": len(held_out), "subset": 4}
    assert {name: int(found["images"].sel(sample=name)) for name in images} == images
    measured = ju.ablation.cumulative(network, "conv2", held_out, order).sel({"class": "3"})
    curve = found.sel(sample="held out", ranking="held out")
    np.testing.assert_array_equal(curve.accuracy, measured.class_accuracy)
    # The rank of all training images is that of the phase transition.
    cumulative = measurement(study, "cumulative").sel({"class": "3"})
    first = cumulative.sel(ranking="importance", direction="most important first")
    curve = found.sel(sample="held out", ranking="training")
    np.testing.assert_array_equal(curve.accuracy, first.accuracy)


def test_the_page_is_drawn_again_without_network_and_images(study, tmp_path, capsys):
    folder = tmp_path / "small"
    shutil.copytree(study, folder, ignore=shutil.ignore_patterns("checkpoints", "metrics.jsonl"))
    assert main([str(folder), "paper_b", "--no-measure", *QUICK]) == 0
    assert (folder / "report.html").read_text() == (study / "report.html").read_text()
    capsys.readouterr()
    options = ("--no-measure", *QUICK, "--topology.shown-class", "4")
    assert main([str(folder), "phase_transition", *options]) == 2
    error = " ".join(capsys.readouterr().err.split())
    assert "topology.shown_class 'None' instead of '4'" in error


def test_one_network_of_the_study_has_a_report_of_its_own(study, tmp_path):
    folder = tmp_path / "one"
    shutil.copytree(study / "convnet_plain" / "seed1", folder)
    assert main([str(folder), "paper_b", "--no-measure", *QUICK]) == 0
    names = {path.stem for path in (folder / "figures").iterdir()}
    assert names == {
        *("topology_flow_conv2", "topology_training_conv2", "phase_transition_conv2"),
        *("stability", "stability_curves", "roles"),
    }


@pytest.mark.parametrize(
    ("options", "text"),
    [
        (
            {"stability": Stability(subsets=0)},
            "stability.subsets=0: give a number from 1 up to 1000000",
        ),
        ({"topology": Topology(seed=-1)}, "seed=-1: give a whole number from 0"),
        ({"roles": Roles(confidence=1.0)}, "roles.confidence=1.0: give a number above 0 below 1"),
        ({"roles": Roles(penalty=-0.1)}, "roles.penalty=-0.1: give a number from 0 "),
    ],
)
def test_impossible_numbers_are_refused(options, text):
    with pytest.raises(ju.InputError, match=text):
        config()(Path("runs"), **options)


@pytest.mark.parametrize("convention", ["paper", "authors"])
def test_edges_enter_by_the_distinct_values_of_the_symmetrized_map(convention):
    values = np.random.default_rng(0).integers(-3, 4, (7, 7)).astype(float)
    authors = convention == "authors"
    symmetric = np.maximum(values, values.T)
    symmetric = symmetric if authors else abs(symmetric)
    above = {symmetric[row, column] for row in range(7) for column in range(row)}
    falling = sorted(above if authors else above - {0}, reverse=True)
    ranks = edge_ranks(values, convention)
    for row in range(7):
        for column in range(row):
            value = symmetric[row, column]
            never = value not in falling
            expected = -1 if never else falling.index(value) + (0 if authors else 1)
            assert ranks[row, column] == expected
    np.testing.assert_array_equal(ranks, ranks.T)


def curves(steps, rank, other, random):
    """Accuracies of two classes, the same at every step."""
    accuracy = np.asarray([rank, other])[:, None, :, None] * np.ones((1, 2, 1, steps))
    directions = ["most important first", "least important first"]
    return xr.Dataset(
        {
            "accuracy": (("ranking", "direction", "class", "step"), accuracy),
            "random_accuracy": (("draw", "class", "step"), np.full((3, 2, steps), random)),
        },
        {"ranking": ["importance", "l1_norm"], "direction": directions},
    )


def test_rankings_are_compared_over_layers_of_different_sizes():
    small, large = curves(5, (0.9, 0.2), (0.5, 0.4), 0.1), curves(9, (0.3, 0.8), (0.6, 0.7), 0.5)
    panels = [Panel("a", name, [], [each], name) for name, each in (("x", small), ("y", large))]
    found = phase_transition._found(panels)
    assert found.startswith("Over 4 curves")
    assert "random orders in 3" in found
    assert "l1_norm in 2" in found
