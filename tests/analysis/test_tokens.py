"""Attention heads and neurons of tokens in studies of a network."""

import numpy as np
import pytest

import jaxunits as ju
from jaxunits.analysis.experiments import correlations
from tests.stored import stored

LAYERS = ("blocks.0.heads", "blocks.0.up")
DATA = ju.data.load("digits", "validation[:60]")


@pytest.fixture(scope="module")
def study(tmp_path_factory):
    return ju.analysis.study(
        stored("vision_transformer"),
        DATA,
        tmp_path_factory.mktemp("tokens"),
        layers=LAYERS,
        options={"panels.units": 2, "panels.images": 3},
        progress=False,
    )


@pytest.mark.slow
def test_sweeps_of_heads_and_neurons_are_drawn(study):
    assert list(study.measured("ablation")) == list(LAYERS)
    assert [each.sizes["unit"] for each in study.measured("ablation").values()] == [4, 12]
    rows = {row[0] for row in study["correlations"].tables[0].rows}
    assert rows == set(LAYERS)
    assert study.explorer.exists()


@pytest.mark.slow
def test_layers_of_different_attributes_share_the_rows_of_the_figure(study):
    panels = [(panel, correlations._found(panel)) for panel in study.runs.panels("attributes")]
    of_heads, of_neurons = (found.attribute.values.tolist() for _, found in panels)
    assert "l1_norm" in of_neurons
    assert "l1_norm" not in of_heads
    canvas = correlations._draw(study.runs, panels)
    rows = [label.get_text() for label in canvas.axes[0].get_yticklabels()]
    assert rows[-1] == "random"
    for axes, (_, found) in zip(canvas.axes, panels, strict=True):
        (dots,) = (line for line in axes.get_lines() if line.get_label() == "overall drop")
        shown = {
            rows[round(float(y))].lower().replace(" ", "_"): x
            for x, y in zip(*dots.get_data(), strict=True)
        }
        expected = found.r.sel(accuracy_drop="overall_accuracy_drop").isel(seed=0)
        for name in found.attribute.values.tolist():
            np.testing.assert_equal(shown[name], float(expected.sel(attribute=name)))


@pytest.mark.slow
def test_pictures_show_whole_images_since_tokens_lie_nowhere_on_them(study):
    for layer in LAYERS:
        found = study.measured("panels")[layer]
        assert found.activation_map.shape == (2, 3, 1, 1)
        whole = ju.attributes.top_images(
            stored("vision_transformer"),
            layer,
            DATA,
            found["unit"].values.tolist(),
            num_images=3,
            quantile=0.02,
            progress=False,
        )
        np.testing.assert_array_equal(whole.image, found.image)
        largest = whole.activation_map.max(["row", "column"])
        np.testing.assert_allclose(found.activation_map[..., 0, 0], largest, rtol=1e-5)


@pytest.mark.parametrize("experiment", ["concepts", "phase_transition"])
@pytest.mark.parametrize("layer", LAYERS)
def test_what_needs_maps_refuses_them_before_anything_is_measured(tmp_path, experiment, layer):
    with pytest.raises(ju.InputError, match=f"layer '{layer}' has no maps of rows and columns"):
        ju.analysis.study(
            stored("vision_transformer"),
            DATA,
            tmp_path,
            ["drop_curves", experiment],
            layer,
            train_data=DATA,
            progress=False,
        )
    assert not list(tmp_path.glob("measurements/*.nc"))
