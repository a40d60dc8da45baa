"""What a file of results is taken for, and what is done to the files beside it."""

import numpy as np
import pytest
import xarray as xr

import jaxunits as ju
from jaxunits.execution import _files
from tests.execution.functions import HALVES, dissect, exact_digits, exact_network

OPTIONS = {"progress": False, "batch_size": 16}


@pytest.fixture(scope="module")
def network():
    return exact_network()


@pytest.fixture(scope="module")
def data():
    return exact_digits(96)


class KilledError(BaseException):
    """The process has ended."""


def killed_before_result(monkeypatch, number, measure):
    """Measure until before the result of this number is written, from 0 on."""
    write, left = _files.write, [number]

    def limited(*arguments):
        if left[0] == 0:
            raise KilledError
        left[0] -= 1
        write(*arguments)

    with monkeypatch.context() as patched:
        patched.setattr(_files, "write", limited)
        with pytest.raises(KilledError):
            measure()


def stop_after(batches):
    seen = []

    def progress(*_):
        seen.append(1)
        if len(seen) == batches:
            raise KeyboardInterrupt

    return progress


def test_directions_are_no_units(network, data, tmp_path):
    options = {"file": tmp_path / "a.nc", **OPTIONS}
    ju.ablation.directions(network, "conv2", data, np.kron(np.eye(2), HALVES), **options)
    with pytest.raises(ju.InputError, match="measured is 'directions' there and 'sweep' now"):
        ju.ablation.sweep(network, "conv2", data, **options)


def test_one_order_is_no_list_of_orders(network, data, tmp_path):
    options = {"file": tmp_path / "a.nc", **OPTIONS}
    ju.ablation.cumulative(network, "conv3", data, [0, 1, 2], **options)
    try:
        found = ju.ablation.cumulative(network, "conv3", data, [[0, 1, 2]], **options)
    except ju.InputError:
        return
    assert found.correct.dims == ("order", "step", "class")


def test_a_layer_of_other_settings_is_not_overwritten(network, data, tmp_path):
    options = {"file": tmp_path / "results", "gradients": False, **OPTIONS}
    ju.attributes.collect(network, ["conv2"], data, seed=0, **options)
    with pytest.raises(ju.InputError, match="seed is '0' there and '1' now"):
        ju.attributes.collect(network, ["conv2", "conv3"], data, seed=1, **options)
    assert ju.results.read(tmp_path / "results" / "conv2.nc").attrs["seed"] == "0"


def test_files_of_others_stay(network, data, tmp_path):
    names = ("a.passwords.txt", "a.pass", "a.passage.nc")
    for name in names:
        (tmp_path / name).write_text("mine")
    for _ in range(2):
        ju.ablation.unit_means(network, "conv2", data, file=tmp_path / "a.nc", **OPTIONS)
    assert all((tmp_path / name).exists() for name in names)


@pytest.mark.parametrize("name", ["a[1].nc", "a*.nc", "a.b.nc"])
def test_names_are_no_patterns(name, network, data, tmp_path):
    file = tmp_path / name
    dissect(network, data, file=file, **OPTIONS)
    names = {path.name for path in tmp_path.iterdir()}
    assert names == {name, file.with_suffix(".timing.json").name}


def test_files_whose_names_differ_in_their_end_share_nothing(network, data, tmp_path):
    for number, layer in enumerate(("conv2", "conv3")):
        ju.ablation.unit_means(network, layer, data, file=tmp_path / f"run.{number}", **OPTIONS)
    assert len(list(tmp_path.glob("*.timing.json"))) == 2
    pieces = {**OPTIONS, "images_per_piece": 16, "progress": stop_after(3)}
    with pytest.raises(KeyboardInterrupt):
        ju.ablation.unit_means(network, "conv1", data, file=tmp_path / "run.2", **pieces)
    unfinished = len(list(tmp_path.rglob("piece-*")))
    assert unfinished
    # A finished one is read, and leaves what is unfinished alone.
    ju.ablation.unit_means(network, "conv2", data, file=tmp_path / "run.0", **OPTIONS)
    assert len(list(tmp_path.rglob("piece-*"))) == unfinished


@pytest.mark.parametrize("batches", [4, 8])
def test_dissection_goes_on_with_other_memory(batches, network, data, tmp_path):
    """Killed in the first pass, whose state depends on the memory, or in the second."""
    options = {"file": tmp_path / "a.nc", "batch_size": 16, "images_per_piece": 16}
    usual = dissect(network, data, **OPTIONS)
    with pytest.raises(KeyboardInterrupt):
        dissect(network, data, progress=stop_after(batches), **options)
    found = dissect(network, data, grid_memory=1000, progress=False, **options)
    xr.testing.assert_equal(found, usual)


@pytest.fixture(scope="module")
def uneven(network, data):
    """A network and the memory in which batches of its layers differ in size."""
    mlp = ju.networks.mlp(10, widths=(4, 400), preprocessing=network.preprocessing)
    plan = ju.plan(ju.ablation.sweep, mlp, "fc2", data, batch_size=32, masks_at_once=1)
    return mlp, {**OPTIONS, "max_memory": plan.peak_bytes * 2 // 3, "batch_size": 30}


def test_a_kill_between_two_layers_changes_no_piece(uneven, data, tmp_path, monkeypatch):
    network, options = uneven
    options = {**options, "images_per_piece": 45}
    whole = ju.ablation.sweep(network, None, data, **options)
    first, second = (result.attrs["batch_size"] for result in whole.values())
    assert first > second
    options["file"] = tmp_path / "results"
    killed_before_result(monkeypatch, 1, lambda: ju.ablation.sweep(network, None, data, **options))
    assert (tmp_path / "results" / "fc1.nc").exists()
    found = ju.ablation.sweep(network, None, data, **options)
    xr.testing.assert_equal(found["fc2"].correct, whole["fc2"].correct)


def test_one_of_several_layers_goes_on(uneven, data, tmp_path):
    network, options = uneven
    options = {**options, "images_per_piece": 45, "file": tmp_path / "results"}
    with pytest.raises(KeyboardInterrupt):
        ju.ablation.sweep(network, None, data, **{**options, "progress": stop_after(6)})
    assert list((tmp_path / "results").rglob("piece-*"))
    ju.ablation.sweep(network, ["fc2"], data, **options)
