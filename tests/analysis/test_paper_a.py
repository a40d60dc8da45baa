"""All experiments of Zhou et al. 2018 on a small study."""

import io
import re
import shutil

import numpy as np
import pytest
import xarray as xr
from PIL import Image
from scipy import stats

import jaxunits as ju
from jaxunits.analysis.command import main
from jaxunits.train.command import main as train
from tests.analysis.measured import findings, measured

pytestmark = pytest.mark.slow

CONFIGURATIONS = ("convnet_batch_norm", "convnet_plain")
QUICK = (
    *("--greedy.steps", "4", "--greedy.classes", "1", "8", "--greedy.random-orders", "3"),
    *("--layers", "conv2", "--rotations.count", "2", "--concepts.quantile", "0.1"),
    *("--prediction.fitted-on", "1"),
)


@pytest.fixture(scope="module")
def study(tmp_path_factory):
    """Run folders of two configurations and two seeds, and nothing measured."""
    folder = tmp_path_factory.mktemp("studies") / "small"
    arguments = [
        *("digits_variants", "--run-folder", str(folder), "--seeds", "0", "1"),
        *("--only", *CONFIGURATIONS, "--", "--network.widths", "6", "8"),
        *("--network.pool-after", "conv1", "conv2", "--network.dense", "12", "--epochs", "2"),
        *("--data.fraction", "0.2", "--data.validation-split", "validation[:300]"),
    ]
    assert train(arguments) == 0
    return folder


@pytest.fixture(scope="module")
def analyzed(study, tmp_path_factory):
    folder = tmp_path_factory.mktemp("analyzed") / "small"
    shutil.copytree(study, folder)
    assert main([str(folder), "paper_a", *QUICK]) == 0
    return folder


def measurement(folder, seed, kind, layer, configuration="convnet_plain"):
    return measured(folder / configuration / f"seed{seed}", kind, layer)


def test_every_experiment_has_its_figure_and_tables(analyzed):
    names = {path.stem for path in (analyzed / "figures").iterdir()}
    assert names == {
        *("drop_curves", "greedy", "concepts", "correlations", "prediction", "rotations"),
    }
    for path in (analyzed / "figures").glob("*.png"):
        pixels = np.asarray(Image.open(io.BytesIO(path.read_bytes())).convert("L"))
        assert pixels.shape[1] >= 500
        assert (pixels < 128).mean() > 0.005, path.name
    page = (analyzed / "report.html").read_text()
    assert len(re.findall(r'<img src="data:image/png;base64,', page)) == 6
    assert all(findings(page).values())
    for text in ("4 networks, accuracy", "Units against random directions", *CONFIGURATIONS):
        assert text.lower() in page.lower()


def test_measurements_are_those_of_the_library(analyzed):
    network = ju.networks.restore(analyzed / "convnet_plain" / "seed1")
    data = ju.data.load("digits", "validation[:300]")
    rotations = measurement(analyzed, 1, "rotations", "conv2")
    for number in range(2):
        basis = ju.ablation.haar(8, seed=number)
        expected = ju.ablation.directions(network, "conv2", data, basis)
        np.testing.assert_array_equal(rotations.correct[number], expected.correct)
    attributes = measurement(analyzed, 1, "attributes", "conv2")
    expected = ju.attributes.collect(network, "conv2", data)
    np.testing.assert_allclose(attributes.class_correlation, expected.class_correlation, atol=1e-6)
    concepts = measurement(analyzed, 1, "concepts", "conv2")
    expected = ju.attributes.dissect(
        network, "conv2", ju.data.concepts.computed(data), quantile=0.1
    )
    xr.testing.assert_equal(concepts.drop_attrs(), expected.drop_attrs())
    greedy = measurement(analyzed, 1, "greedy", "conv2")
    assert greedy.target.values.tolist() == ["1", "8", "", "", ""]


def test_tables_show_what_scipy_and_the_library_say(analyzed):
    page = (analyzed / "report.html").read_text()
    r = []
    for seed in range(2):
        drops = measurement(analyzed, seed, "ablation", "conv2").max_class_accuracy_drop
        norms = measurement(analyzed, seed, "attributes", "conv2").l1_norm
        r.append(stats.spearmanr(norms, drops).statistic)
    row = re.search(
        r"<td>convnet_plain</td><td>conv2</td><td>L1 norm</td><td>[^<]*</td><td>([^<]*)</td>", page
    )
    assert row
    assert row.group(1).startswith(f"{np.mean(r):+.2f} (")
    units = measurement(analyzed, 0, "ablation", "conv2").max_class_accuracy_drop.values
    row = re.search(
        r"<td>convnet_plain</td><td>seed0</td><td>conv2</td><td>([^<]*)</td><td>([^<]*)</td>", page
    )
    assert row
    directions = measurement(analyzed, 0, "rotations", "conv2").max_class_accuracy_drop.values
    assert row.groups() == (f"{100 * units.mean():.2f}", f"{100 * directions.mean():.2f}")


def test_nothing_is_measured_again_and_everything_is_read(analyzed, tmp_path, capsys):
    folder = tmp_path / "sent" / "small"
    shutil.copytree(analyzed, folder, ignore=shutil.ignore_patterns("checkpoints"))
    assert main([str(folder), "paper_a", "--no-measure", *QUICK]) == 0
    assert (folder / "report.html").read_text() == (analyzed / "report.html").read_text()
    capsys.readouterr()
    assert main([str(folder), "unit_panels", "--no-measure"]) == 2
    error = " ".join(capsys.readouterr().err.split())
    assert "holds no measurements of the kind 'panels', which unit_panels needs" in error


def test_one_network_of_the_study_has_a_report_of_its_own(analyzed, tmp_path):
    folder = tmp_path / "one"
    shutil.copytree(analyzed / "convnet_plain" / "seed0", folder)
    assert main([str(folder), "paper_a", *QUICK, "--layers", "conv2", "fc3"]) == 0
    page = (folder / "report.html").read_text()
    assert len(re.findall(r'<img src="data:image/png;base64,', page)) == 5
    assert "This needs more networks that differ only in their seeds" in page


def test_a_study_with_nothing_trained_is_refused(tmp_path, capsys):
    (tmp_path / "study" / "convnet_plain").mkdir(parents=True)
    assert main([str(tmp_path / "study")]) == 2
    assert "is not a run folder" in " ".join(capsys.readouterr().err.split())
