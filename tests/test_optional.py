"""`import jaxunits` leaves large packages alone; one that is missing is named when it is used."""

import sys

import numpy as np
import pytest
import xarray as xr

import jaxunits as ju
from jaxunits._optional import is_installed
from tests.processes import code, output_of

LARGE = (
    *("tensorflow_datasets", "grain", "array_record", "orbax", "sklearn", "ripser", "mlxtend"),
    *("ruptures", "torch", "keras", "tensorflow", "matplotlib", "h5py", "netCDF4", "scipy.special"),
)


def test_nothing_large_is_imported():
    program = f"""
        import sys
        import jaxunits
        print(*(name for name in {LARGE} if name in sys.modules))
    """
    assert output_of(*code(program)).split() == []


NETWORK = ju.networks.mlp(3, widths=(2,), preprocessing=ju.data.Preprocessing((2, 2), 1))
MAPS = np.arange(36.0).reshape(1, 6, 6, 1)
RESULTS = [xr.Dataset({"vector": (("unit", "class"), np.eye(2))})] * 4
# A call, the package that it needs, what the message says needs it, and the extra.
CALLS = {
    "tfds": (
        lambda folder: ju.data.load("tfds:cifar10", "train"),
        *("tensorflow_datasets", "data 'tfds:cifar10'", "tfds"),
    ),
    "concepts": (
        lambda folder: ju.data.concepts.load("tfds:scene_parse150", "train"),
        *("tensorflow_datasets", "concepts 'tfds:scene_parse150'", "tfds"),
    ),
    "birth points": (
        lambda folder: ju.topology.birth_points(MAPS),
        *("ripser", "a birth point", "topology"),
    ),
    "persistence": (
        lambda folder: ju.topology.persistence(MAPS),
        *("ripser", "persistence", "topology"),
    ),
    "prediction": (
        lambda folder: ju.statistics.predict_damaged_class(RESULTS, RESULTS),
        *("sklearn", "predict_damaged_class", "prediction"),
    ),
    "roles": (
        lambda folder: ju.statistics.unit_roles(MAPS[0, :, :2, 0]),
        *("ruptures", "unit_roles", "roles"),
    ),
    "studies": (
        lambda folder: ju.analysis.study,
        *("matplotlib", "jaxunits.analysis.study", "programs"),
    ),
    "checkpoints": (
        lambda folder: ju.networks.restore(folder),
        *("orbax.checkpoint", "folder of checkpoints {folder}/checkpoints", "train"),
    ),
    "Keras": (
        lambda folder: ju.networks.load_weights(NETWORK, folder / "weights.h5"),
        *("h5py", "weights file {folder}/weights.h5", "keras"),
    ),
    "PyTorch": (
        lambda folder: ju.networks.from_torch(None, preprocessing=ju.data.CIFAR10),
        *("torch", "a PyTorch module", "torch"),
    ),
}


@pytest.mark.parametrize("name", CALLS)
def test_a_missing_package_is_named_with_the_command_that_installs_it(name, tmp_path, monkeypatch):
    call, module, what, extra = CALLS[name]
    (tmp_path / "checkpoints").mkdir()
    ju.networks.save_architecture(NETWORK, tmp_path)
    (tmp_path / "weights.h5").write_bytes(b"\x89HDF\r\n\x1a\n" + bytes(100))
    monkeypatch.setitem(sys.modules, module, None)
    with pytest.raises(ju.InputError) as caught:
        call(tmp_path)
    assert str(caught.value) == (
        f"{what.format(folder=tmp_path)} needs the package {module}, which is not installed: "
        f"pip install 'jaxunits[{extra}]'"
    )


def test_a_package_within_another_one_that_is_missing():
    assert is_installed("jax.numpy")
    assert not is_installed("jax.no_such_module")
    assert not is_installed("no_such_package.module")
