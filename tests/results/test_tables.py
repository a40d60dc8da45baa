"""Results as people use them: data frames, tables, classes by name and number."""

import numpy as np
import pandas as pd
import pytest
import xarray as xr

import jaxunits as ju


@pytest.fixture(scope="module")
def results(trained, few_digits):
    """A result of every function whose results have classes."""
    sweep = ju.ablation.sweep(trained, "conv2", few_digits)
    attributes = ju.attributes.collect(trained, "conv2", few_digits)
    masks = ju.ablation.groups(8, [[0, 3], [5]])
    basis = ju.ablation.haar(10, seed=0)
    return {
        "sweep": sweep,
        "masks": ju.ablation.sweep(trained, "conv2", few_digits, masks),
        "cumulative": ju.ablation.cumulative(trained, "conv2", few_digits, [5, 2, 7]),
        "orders": ju.ablation.cumulative(trained, "conv2", few_digits, [[5, 2], [1, 0]]),
        "greedy": ju.ablation.greedy(
            trained, "conv2", few_digits, classes=["8"], steps=2, random=1
        ),
        "directions": ju.ablation.directions(trained, "conv3", few_digits, basis),
        "attributes": attributes,
        "uncertainty": ju.statistics.uncertainty(sweep),
        "prediction": ju.statistics.predict_damaged_class(
            [attributes] * 2, [sweep] * 2, fitted_on=1
        ),
    }


ABLATIONS = {
    "sweep": ("unit", "class"),
    "cumulative": ("step", "class"),
    "orders": ("order", "step", "class"),
    "greedy": ("order", "step", "class"),
    "directions": ("direction", "class"),
}


@pytest.mark.parametrize("kind", ABLATIONS)
def test_a_data_frame_has_a_row_for_each_mask_and_class(results, kind):
    result = results[kind]
    frame = result.to_dataframe()
    assert frame.index.names == list(ABLATIONS[kind])
    assert len(frame) == result.correct.size
    for labels, row in frame.iterrows():
        here = result.sel(dict(zip(frame.index.names, labels, strict=True)))
        for name in ("correct", "confusion", "class_index", "overall_accuracy_drop"):
            assert row[name] == here[name].item()


def test_a_row_of_an_order_names_the_unit_of_its_step(results):
    steps = results["cumulative"].to_dataframe().xs("3", level="class")
    assert steps.ordered_unit.tolist() == [-1, 5, 2, 7]


@pytest.mark.parametrize(
    ("kind", "by"),
    [
        ("sweep", "unit"),
        ("sweep", "class"),
        ("sweep", ["class", "unit"]),
        ("masks", "mask"),
        ("masks", ("mask", "class")),
        ("orders", ["order", "step"]),
        ("directions", "direction"),
        ("attributes", "unit"),
        ("attributes", ["unit", "rank"]),
        ("uncertainty", "rank"),
        ("prediction", ["network", "unit"]),
    ],
)
def test_a_table_has_what_belongs_to_its_rows_alone(results, kind, by):
    result = results[kind]
    wanted = [by] if isinstance(by, str) else list(by)
    frame = ju.results.table(result, by)
    assert frame.index.names == wanted
    assert len(frame) == np.prod([result.sizes[name] for name in wanted])
    expected = {
        name
        for name, values in result.variables.items()
        if set(values.dims) <= set(wanted) and name not in wanted
    }
    assert set(frame.columns) == expected
    for name in expected:
        values = result[name].broadcast_like(result[wanted].coords.to_dataset()[wanted])
        np.testing.assert_array_equal(
            frame[name].to_numpy(), values.transpose(*wanted).values.ravel()
        )


def test_units_are_the_rows_unless_something_else_is_asked_for(results):
    frame = ju.results.table(results["sweep"])
    pd.testing.assert_frame_equal(frame, ju.results.table(results["sweep"], "unit"))
    assert frame.shape == (8, 5)
    both = frame.join(ju.results.table(results["attributes"]))
    assert both.loc[3, "l1_norm"] == results["attributes"].l1_norm.values[3]
    assert both.loc[3, "most_damaged_class"] == results["sweep"].most_damaged_class.values[3]


@pytest.mark.parametrize(
    ("by", "message"),
    [
        ("units", "unknown dimension 'units': the result has unit, class. Did you mean 'unit'?"),
        (["unit", "clas"], "unknown dimension 'clas': the result has unit, class. Did you mean"),
        ([], r"by=\[\]: give at least one dimension"),
    ],
)
def test_dimensions_that_cannot_be_rows(results, by, message):
    with pytest.raises(ju.InputError, match=message):
        ju.results.table(results["sweep"], by)


WITH_CLASSES = [*ABLATIONS, "masks", "attributes", "uncertainty", "prediction"]


@pytest.mark.parametrize("kind", WITH_CLASSES)
def test_classes_are_found_by_name_and_by_number(results, kind, tmp_path):
    ju.results.write(results[kind], tmp_path / "result.nc")
    read = ju.results.read(tmp_path / "result.nc")
    xr.testing.assert_identical(read, results[kind])
    for result in (results[kind], read):
        assert result["class_index"].values.tolist() == list(range(10))
        named = result.sel({"class": "8"})
        xr.testing.assert_identical(result.isel({"class": 8}), named)
        by_number = result.set_xindex("class_index").sel(class_index=8)
        xr.testing.assert_identical(by_number, named)


def test_images_of_births_have_the_number_of_their_class(trained, few_digits):
    births = ju.topology.layer_birth_points(trained, "conv2", few_digits)
    np.testing.assert_array_equal(births["class_index"], few_digits.labels)
    assert births["class"].values.tolist() == [str(label) for label in few_digits.labels]


def test_results_align_with_arrays_that_have_names_alone(results):
    weights = xr.DataArray([2.0, 3.0], {"class": ["8", "3"]}, "class")
    product = results["sweep"].correct * weights
    assert product["class"].values.tolist() == ["3", "8"]
    counts = results["sweep"].correct.values
    np.testing.assert_array_equal(product, counts[:, [3, 8]] * np.asarray([3.0, 2.0]))
