import csv
import io
import os
import re
import shutil

import numpy as np
import pytest
import xarray as xr
from PIL import Image
from rich.console import Console

import jaxunits as ju
from jaxunits.analysis import Run, Runs
from jaxunits.analysis.command import main
from jaxunits.analysis.experiment import config, experiments
from jaxunits.analysis.measurements.panels import Panels, draw_panels
from jaxunits.analysis.progress import image_bar
from jaxunits.train.command import main as train
from tests.analysis.measured import findings, linked_files, measured
from tests.processes import finish, running
from tests.read_only import read_only
from tests.stored import stored

pytestmark = pytest.mark.slow

LAYERS = ["conv1", "conv2", "conv3"]


@pytest.fixture(scope="module")
def trained_run(tmp_path_factory):
    """A run folder with a trained network and nothing measured.

    The program makes it out of stored weights, which so small a learning rate leaves as they are.
    """
    folder = tmp_path_factory.mktemp("runs") / "small"
    weights = folder.with_suffix(".safetensors")
    ju.networks.save_weights(stored("convnet"), weights)
    arguments = [
        *("digits_convnet", "--network.widths", "6", "8", "10"),
        *("--network.pool-after", "conv1", "conv2", "--weights", str(weights), "--epochs", "1"),
        *("--optimizer.learning-rate", "1e-12", "--data.train-split", "train[:100]"),
        *("--data.validation-split", "validation[:300]", "--run-folder", str(folder)),
    ]
    assert train(arguments) == 0
    return folder


@pytest.fixture(scope="module")
def analyzed(trained_run, tmp_path_factory):
    """The same, analyzed."""
    folder = tmp_path_factory.mktemp("analyzed") / "small"
    shutil.copytree(trained_run, folder)
    assert main([str(folder), "--panels.units", "2"]) == 0
    return folder


def refused(capsys, *arguments):
    assert main([str(argument) for argument in arguments]) == 2
    return " ".join(capsys.readouterr().err.split())


def test_measures_every_layer_as_the_library_does(analyzed):
    network = ju.networks.restore(analyzed)
    data = ju.data.load("digits", "validation[:300]")
    for layer in LAYERS:
        saved = measured(analyzed, "ablation", layer)
        expected = ju.ablation.sweep(network, layer, data)
        np.testing.assert_array_equal(saved.correct, expected.correct)
        np.testing.assert_array_equal(saved.loss_sum, expected.loss_sum)


def test_panels_show_the_most_damaging_units(analyzed):
    data = ju.data.load("digits", "validation[:300]")
    sweep = measured(analyzed, "ablation", "conv2")
    panels = measured(analyzed, "panels", "conv2")
    assert panels.unit.values.tolist() == ju.results.most_damaging(sweep, 2).tolist()
    first = int(panels.image[0, 0])
    np.testing.assert_array_equal(panels.thumbnail[0, 0], data[first]["image"])
    assert panels.damaged_class[0, 0] == sweep.most_damaged_class.sel(unit=panels.unit[0])
    label = data.class_index(str(panels.damaged_class[0, 0].values))
    of_class = np.flatnonzero(data.labels == label)
    np.testing.assert_array_equal(panels.sample[0, 0, 1], data[of_class[1]]["image"])


def test_the_report_is_one_page_with_everything(analyzed):
    page = (analyzed / "report.html").read_text()
    assert len(re.findall(r'<img src="data:image/png;base64,', page)) == 2 + 2 * len(LAYERS)
    # Nothing is loaded: what is linked to are the figures' files, and units in the explorer.
    files = {f"figures/{path.name}" for path in (analyzed / "figures").iterdir()}
    units = {
        f"explorer.html#{layer}/{unit}"
        for layer in LAYERS
        for unit in measured(analyzed, "panels", layer).unit.values
    }
    assert set(linked_files(page)) == files | units | {"explorer.html"}
    assert not re.findall(r'src="(?!data:)', page)
    for text in ("convnet on digits", "max class drop", "validation[:300]", "parameters", "jax"):
        assert text in page
    for layer in LAYERS:
        assert f"<td>{layer}</td>" in page


def test_each_section_begins_with_a_sentence_for_every_layer(analyzed):
    found = findings((analyzed / "report.html").read_text())
    assert len(found) == 3
    for sentences in found.values():
        assert [sentence.split(":")[0] for sentence in sentences] == LAYERS
    sweep = measured(analyzed, "ablation", "conv2")
    unit = int(ju.results.most_damaging(sweep, 1)[0])
    drop = 100 * float(sweep.max_class_accuracy_drop[unit])
    panels = found["The most damaging units"][1]
    assert f"without unit {unit} class {sweep.most_damaged_class.values[unit]} loses" in panels
    assert float(re.search(r"loses ([\d.]+) points", panels)[1]) == pytest.approx(drop, abs=0.05)


def test_the_numbers_of_a_figure_are_those_measured(analyzed):
    with (analyzed / "figures" / "drop_curves.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    for layer in LAYERS:
        drops = measured(analyzed, "ablation", layer).max_class_accuracy_drop.values
        of = [row for row in rows if row["panel"].startswith(f"{layer} (")]
        curve = [float(row["y"]) for row in of if row["series"] == "max class drop"]
        np.testing.assert_allclose(curve, -np.sort(-100 * drops), rtol=1e-6)
        chance = [row for row in of if row["series"] == "by chance"]
        assert len(chance) == len(drops)
        assert all(float(row["low"]) <= float(row["y"]) <= float(row["high"]) for row in chance)


def test_figures_are_not_empty(analyzed):
    figures = sorted((analyzed / "figures").glob("*.png"))
    assert len(figures) == 2 + 2 * len(LAYERS)
    for suffix in (".svg", ".csv"):
        assert all(path.with_suffix(suffix).stat().st_size > 300 for path in figures)
    for path in figures:
        pixels = np.asarray(Image.open(io.BytesIO(path.read_bytes())).convert("L"))
        assert pixels.shape[1] >= 1000
        assert (pixels < 128).mean() > 0.005, path.name


def test_prints_a_table_and_the_reports_path(analyzed, capsys):
    assert main([str(analyzed), "--panels.units", "2"]) == 0
    out = capsys.readouterr().out
    assert "overall drop" in out
    assert "worst class" in out
    assert f"report: {analyzed}/report.html" in out.replace("\n", "")
    assert "ablating" not in out


def test_what_is_measured_is_not_measured_again(analyzed):
    def times():
        return {path: path.stat().st_mtime_ns for path in (analyzed / "measurements").iterdir()}

    before = times()
    assert main([str(analyzed), "--panels.units", "2"]) == 0
    assert times() == before


def test_reads_without_network_or_images(analyzed, tmp_path):
    folder = tmp_path / "sent"
    shutil.copytree(analyzed, folder, ignore=shutil.ignore_patterns("checkpoints"))
    (folder / "report.html").unlink()
    assert main([str(folder), "--no-measure", "--panels.units", "2"]) == 0
    page = (folder / "report.html").read_text()
    assert page == (analyzed / "report.html").read_text()
    explorer = (folder / "explorer.html").read_text()
    assert explorer == (analyzed / "explorer.html").read_text()
    # A report of fewer experiments leaves the explorer what the folder holds.
    assert main([str(folder), "drop_curves", "--no-measure", "--panels.units", "2"]) == 0
    assert (folder / "explorer.html").read_text() == explorer
    assert main([str(folder), "drop_curves", "--no-measure", "--layers", "conv2"]) == 0
    assert "<td>conv1</td>" not in (folder / "report.html").read_text()


def test_a_folder_that_cannot_be_written_to_is_drawn_elsewhere(analyzed, tmp_path, capsys):
    before = {path: path.stat().st_mtime_ns for path in analyzed.rglob("*")}
    elsewhere = ("--output", tmp_path)
    with read_only(analyzed):
        assert main([str(analyzed), "--panels.units", "2", "--output", str(tmp_path)]) == 0
        for arguments, way_out in (
            ((), "give --output, a folder for figures and report"),
            (
                ("--values", "mean", *elsewhere),
                "it lacks ablation of conv1, conv2, conv3; ",
            ),
            (("--overwrite", *elsewhere), "draw them elsewhere (--output)"),
        ):
            found = refused(capsys, analyzed, "--panels.units", "2", *arguments)
            assert f"run folder {analyzed} cannot be written to (Permission denied): " in found
            assert way_out in found
    assert (tmp_path / "report.html").read_text() == (analyzed / "report.html").read_text()
    assert {path: path.stat().st_mtime_ns for path in analyzed.rglob("*")} == before


def test_ablation_to_the_mean_stands_beside(trained_run, tmp_path):
    folder = tmp_path / "run"
    shutil.copytree(trained_run, folder)
    assert main([str(folder), "drop_curves", "--values", "mean", "--layers", "conv3"]) == 0
    assert main([str(folder), "drop_curves", "--layers", "conv3"]) == 0
    assert measured(folder, "ablation", "conv3", values="mean").attrs["values"] == "mean"
    assert measured(folder, "ablation", "conv3", values="zero").attrs["values"] == "zero"
    assert len(list((folder / "measurements").iterdir())) == 2 + 1


def test_another_split_stands_beside(trained_run, tmp_path):
    folder = tmp_path / "run"
    shutil.copytree(trained_run, folder)
    for arguments in ([], ["--split", "train[:40]"]):
        assert main([str(folder), "drop_curves", "--layers", "conv3", *arguments]) == 0
    own = measured(folder, "ablation", "conv3", split="validation[:300]")
    other = measured(folder, "ablation", "conv3", split="train[:40]")
    assert (int(own["n_images"].sum()), int(other["n_images"].sum())) == (300, 40)
    assert "train[:40]" in (folder / "report.html").read_text()
    assert main([str(folder), "drop_curves", "--no-measure"]) == 0
    assert "train[:40]" not in (folder / "report.html").read_text()


def test_the_plan_is_printed_and_nothing_measured(trained_run, tmp_path, capsys):
    folder = tmp_path / "run"
    shutil.copytree(trained_run, folder)
    assert main([str(folder), "--plan", "--layers", "conv2", "--max-memory", "100000000"]) == 0
    out = capsys.readouterr().out
    assert "sweep of conv2: 300 images, 32 at once" in out
    assert re.search(
        r"method: fast \([\d,]+ multiply-adds per image on the fast path, [\d,]+ otherwise\)", out
    )
    assert not (folder / "measurements").exists()


def test_a_process_outside_a_cluster_is_no_part_of_a_job(trained_run, capsys):
    found = refused(capsys, trained_run, "--distributed")
    assert "this process is not part of a cluster job that JAX knows" in found


def test_the_processes_of_a_slurm_job_share_the_images(trained_run, analyzed, tmp_path):
    folder = tmp_path / "run"
    shutil.copytree(trained_run, folder)
    job = {
        "SLURM_JOB_ID": str(10_000 + os.getpid() % 10_000),
        "SLURM_STEP_NODELIST": "localhost",
        "SLURM_NTASKS": "2",
        "SLURM_LOCALID": "0",
    }
    command = ["-m", "analysis", folder, "drop_curves", "--distributed"]
    command += ["--layers", "conv2", "--batch-size", "32"]
    with (
        running(*command, **job, SLURM_PROCID="0") as first,
        running(*command, **job, SLURM_PROCID="1") as second,
    ):
        finish(first)
        finish(second)
    shared = measured(folder, "ablation", "conv2")
    alone = measured(analyzed, "ablation", "conv2")
    xr.testing.assert_equal(shared, alone)
    assert (folder / "report.html").exists()


def test_progress_says_how_far_it_is_now_and_then():
    text = io.StringIO()
    console = Console(file=text, width=200)
    times = iter([0.0, 1.0, 2.0, 41.0, 42.0])
    with image_bar(console, "ablating conv1, 6 units", clock=lambda: next(times)) as show:
        for done in (100, 200, 300, 400):
            show(done, 1000)
    assert text.getvalue().splitlines() == [
        "ablating conv1, 6 units: 300 of 1,000 images, 140 s left",
        "ablating conv1, 6 units: done",
    ]


def test_measurements_with_other_settings_stand_beside(analyzed, tmp_path, capsys):
    folder = tmp_path / "run"
    shutil.copytree(analyzed, folder)
    before = {path: path.read_bytes() for path in (folder / "measurements").glob("*.nc")}
    options = ("--precision", "bfloat16", "--layers", "conv1")
    found = refused(capsys, folder, "drop_curves", "--no-measure", *options)
    assert (
        "holds no measurements of the kind 'ablation' with the settings that are asked for, which "
        "drop_curves needs. It holds those of conv1, conv2, conv3 with precision 'float32' instead "
        "of 'bfloat16'. Give the settings of those, or leave out --no-measure to measure"
    ) in found
    assert main([str(folder), "drop_curves", *options]) == 0
    assert measured(folder, "ablation", "conv1", precision="bfloat16").sizes["unit"] == 6
    assert (
        before.items()
        < {path: path.read_bytes() for path in (folder / "measurements").glob("*.nc")}.items()
    )


def test_a_truncated_measurement_is_named(analyzed, tmp_path, capsys):
    folder = tmp_path / "run"
    shutil.copytree(analyzed, folder)
    (path,) = (folder / "measurements").glob("ablation_conv2_*.nc")
    path.write_bytes(path.read_bytes()[:3000])
    found = refused(capsys, folder, "--panels.units", "2")
    assert f"result file {path} (3,000 bytes) " in found
    assert "delete it and measure again" in found
    assert f"result file {path}" in refused(capsys, folder, "--no-measure")
    assert main([str(folder), "--panels.units", "2", "--overwrite"]) == 0
    assert measured(folder, "ablation", "conv2").sizes["unit"] == 8


def test_folders_and_names_that_do_not_exist(trained_run, tmp_path, capsys):
    found = refused(capsys, tmp_path / "nowhere")
    assert f"{tmp_path}/nowhere is not a run folder" in found
    assert "Train a network first (jaxunits train)" in found
    assert not (tmp_path / "nowhere").exists()
    found = refused(capsys, trained_run, "--layers", "conv9")
    assert "unknown layer 'conv9': network 'convnet' has conv1, conv2, conv3" in found
    assert "unknown epoch '7'" in refused(capsys, trained_run, "--epoch", "7")
    assert "unknown split 'vali'" in refused(capsys, trained_run, "--split", "vali")
    assert "holds no measurements" in refused(capsys, trained_run, "--no-measure")


def test_a_folder_in_use(trained_run, capsys):
    with ju.results.RunFolder(trained_run).in_use():
        assert f"is in use by process {os.getpid()} on " in refused(capsys, trained_run)


def test_many_classes_with_long_names(trained_run, tmp_path):
    """Sixty classes, one of them empty: a curve instead of bars, and no division by zero."""

    random = np.random.default_rng(0)
    images = random.integers(0, 256, (180, 12, 14, 3), np.uint8)
    names = [f"a long class name {number}" for number in range(60)]
    data = ju.data.load((images, np.arange(180) % 59), class_names=names)
    size = ju.data.Preprocessing((12, 14), 3)
    network = ju.networks.convnet(60, widths=(4,), pool_after=(), preprocessing=size)
    sweep = ju.ablation.sweep(network, "conv1", data)
    panels = draw_panels(Panels(units=1), network, data, sweep, lambda done, total: None)
    found = {
        "ablation": {"conv1": sweep},
        "panels": {"conv1": panels.assign_attrs({"panels.quantile": "0.02"})},
        "attributes": ju.attributes.collect(network, ["conv1"], data),
    }
    runs = Runs([Run("network", "network", found)], config()(tmp_path))
    for name in ("drop_curves", "unit_panels", "correlations"):
        assert len(experiments()[name].draw(runs).figure.png) > 10_000
