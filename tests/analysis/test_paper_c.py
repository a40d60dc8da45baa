"""All experiments of Chen et al. 2019 on a small study of two architectures."""

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
from jaxunits.analysis.experiments.synthesized_images import covering_units, sheet
from jaxunits.analysis.measurements.synthesis import Synthesis, method_of
from jaxunits.synthesis import Method
from jaxunits.train.command import main as train
from tests.analysis.measured import findings, measured

pytestmark = pytest.mark.slow

QUICK = (
    *("--synthesis.steps", "6", "--synthesis.noise-seeds", "2"),
    *("--synthesis.layers", "conv3", "fc2"),
)
FIGURES = {
    *("drop_curves", "substitution_layers"),
    *("substitution_selectivity_convnet", "substitution_selectivity_mlp"),
    *("covered_units_convnet", "covered_units_mlp"),
}
SHEETS = {
    f"images_{layer}_{objective}"
    for layer in ("convnet_conv3", "mlp_fc2")
    for objective in ("am", "iam")
}


@pytest.fixture(scope="module")
def analyzed(tmp_path_factory):
    """Run folders of two architectures, with everything measured."""
    folder = tmp_path_factory.mktemp("studies") / "small"
    arguments = [
        *("paper_c_digits", "--run-folder", str(folder), "--seeds", "1"),
        *("--only", "convnet", "mlp", "--", "--network.widths", "6", "6", "8"),
        *("--epochs", "1", "--data.fraction", "0.2"),
        *("--data.validation-split", "validation[:200]"),
    ]
    assert train(arguments) == 0
    assert main([str(folder), "paper_c", *QUICK]) == 0
    return folder


def measurement(folder, configuration, seed, kind, layer):
    return measured(folder / configuration / f"seed{seed}", kind, layer)


def test_every_experiment_has_its_figures(analyzed):
    names = {path.stem for path in (analyzed / "figures").iterdir()}
    assert names == FIGURES | SHEETS
    for name in FIGURES:
        content = (analyzed / "figures" / f"{name}.png").read_bytes()
        pixels = np.asarray(Image.open(io.BytesIO(content)).convert("L"))
        assert (pixels < 128).mean() > 0.005, name
    page = (analyzed / "report.html").read_text()
    assert len(re.findall(r'<img src="data:image/png;base64,', page)) == len(FIGURES | SHEETS)
    assert all(findings(page).values())
    assert page.count('<details class="sheet">') == len(SHEETS)
    assert "://" not in re.sub("<pre>.*?</pre>", "", page, flags=re.DOTALL)


def test_measurements_are_those_of_the_library(analyzed):
    network = ju.networks.restore(analyzed / "convnet" / "seed1")
    found = measurement(analyzed, "convnet", 1, "synthesis", "conv3")
    method = Method(steps=6)
    for seed, objective in ((0, "am"), (1, "iam")):
        made = ju.synthesis.maximize(
            network, "conv3", objective=objective, method=method, seed=seed
        )
        part = found.sel(noise_seed=seed, maximized=objective)
        np.testing.assert_allclose(part.response, made.response, rtol=1e-5)
        np.testing.assert_array_equal(part.active, made.active)
        rs = ju.results.representative_substitution(made).rs
        np.testing.assert_array_equal(part.rs, rs)
        if seed == 0:
            expected = np.rint(255 * made.image.fillna(0).values)
            np.testing.assert_array_equal(part.image, expected)
    assert "peak_bytes" not in found.attrs


def test_tables_show_what_scipy_and_the_library_say(analyzed):
    page = (analyzed / "report.html").read_text()
    made = measurement(analyzed, "convnet", 1, "synthesis", "conv3")
    rs = made.rs.sel(maximized="iam").mean("noise_seed")
    known = np.isfinite(rs.values)
    selectivity = measurement(analyzed, "convnet", 1, "attributes", "conv3").class_selectivity
    expected = [stats.spearmanr(selectivity.values[known], rs.values[known])]
    drops = ju.statistics.rank_correlation(
        xr.Dataset({"rs": rs[known]}),
        measurement(analyzed, "convnet", 1, "ablation", "conv3").isel(unit=known),
    ).sel(attribute="rs")
    row = re.search(r"<td>convnet</td><td>seed1</td><td>conv3</td><td>IAM</td>(.*)</tr>", page)
    cells = re.findall("<td>([^<]*)</td>", row.group(1))
    assert cells[0] == f"{known.sum()} of 8"
    assert cells[1] == f"{float(rs.mean()):.2f}"
    assert cells[2].startswith(f"{expected[0].statistic:+.2f} (")
    assert cells[2].endswith(f"p = {expected[0].pvalue:.2g}")
    for cell, r in zip(cells[3:], drops.r.values, strict=True):
        assert cell.startswith("none" if np.isnan(r) else f"{r:+.2f} (")
    both = made.rs.mean("noise_seed").transpose("maximized", "unit").values
    both = both[:, np.isfinite(both).all(0)]
    row = re.search(r"<td>convnet</td><td>seed1</td><td>conv3</td><td>(\d+% of units.*)</tr>", page)
    cells = re.findall("([^<>]*)</td>", row.group(1))
    assert cells[0] == f"{(both[1] < both[0]).mean():.0%} of units"
    assert cells[1] == f"{(both[1] > both[0]).mean():.0%} of units"
    seeds = made.rs.sel(maximized="am").transpose("noise_seed", "unit").values
    seeds = seeds[:, np.isfinite(seeds).all(0)]
    assert cells[3] == f"{seeds.std(0, ddof=1).mean():.3f}"
    assert cells[5] == f"{stats.spearmanr(*seeds).statistic:.2f}"


def test_covering_units_and_sheets():
    response = np.asarray([[2.0, 5, 1, 3], [0, 1, 0, 0], [9, 8, 7, 6], [np.nan] * 4])
    made = xr.Dataset(
        {
            "response": (("unit", "responding_unit"), response),
            "image": (("unit", "y", "x", "channel"), np.full((4, 5, 5, 1), 40, np.uint8)),
            "active": ("unit", [True, True, True, False]),
        },
        coords={"unit": np.arange(4), "responding_unit": np.arange(4)},
    )
    assert covering_units(made, 0, 3).tolist() == [1, 3]
    assert covering_units(made, 1, 3).tolist() == []
    assert covering_units(made, 2, 1).tolist() == [0]
    pixels = np.asarray(Image.open(io.BytesIO(sheet(made))).convert("L"))
    assert (pixels == 40).sum() >= 3 * 50 * 50
    assert (pixels == 0xEE).sum() > 50 * 40


def test_the_report_is_drawn_again_from_the_folder_alone(analyzed, tmp_path):
    folder = tmp_path / "sent" / "small"
    shutil.copytree(analyzed, folder, ignore=shutil.ignore_patterns("checkpoints"))
    before = (folder / "report.html").read_text()
    (folder / "report.html").unlink()
    assert main([str(folder), "paper_c", "--no-measure", *QUICK]) == 0
    assert (folder / "report.html").read_text() == before


def test_one_network_with_images_of_some_units(analyzed, tmp_path):
    folder = tmp_path / "one"
    shutil.copytree(analyzed / "mlp" / "seed1", folder)
    some = ["--synthesis.steps", "2", "--synthesis.units", "5", "--synthesis.layers", "fc2"]
    asked = [str(folder), "substitution", "--synthesis.noise-seeds", "1", *some]
    assert main([*asked, "--synthesis.iam-from", "am"]) == 0
    made = measured(folder, "synthesis", "fc2", **{"synthesis.iam_from": "am"})
    assert made.unit.values.tolist() == [0, 1, 2, 4, 5]
    network = ju.networks.restore(folder)
    am, iam = Method(steps=2), Method(steps=2, learning_rate=0.005)
    start = ju.synthesis.maximize(network, "fc2", made.unit.values.tolist(), method=am)
    near = ju.synthesis.maximize(
        network, "fc2", made.unit.values.tolist(), objective="iam", initial=start, method=iam
    )
    found = made.sel(maximized="iam", noise_seed=0)
    np.testing.assert_allclose(found.response, near.response, rtol=1e-5)
    assert "substitution_selectivity" in {path.stem for path in (folder / "figures").iterdir()}


def test_methods():
    robust = method_of(Synthesis(steps=7, robust=True), channels=1)
    assert (robust.basis, robust.steps, robust.decorrelate_colors) == ("fourier", 7, False)
    assert method_of(Synthesis(robust=True), channels=3) == ju.synthesis.ROBUST
    assert method_of(Synthesis(), channels=3) == Method()


def test_what_cannot_be_synthesized_is_refused(analyzed, capsys):
    asked = [str(analyzed / "mlp" / "seed1"), "substitution", "--synthesis.layers", "conv1"]
    assert main(asked) == 2
    assert "unknown layer 'conv1'" in " ".join(capsys.readouterr().err.split())
    for name in ("steps", "noise_seeds", "units"):
        with pytest.raises(ju.InputError) as caught:
            config()(Path("run"), synthesis=Synthesis(**{name: 0}))
        assert f"{name}=0" in str(caught.value)
        assert "give a number from 1" in str(caught.value)
