"""A few damaged files and odd calls; `python -m tests.fuzz` takes any number."""

import dataclasses

import jaxtyping
import numpy as np
import pytest

import jaxunits as ju
from tests.fuzz import calls, folders, results, weights
from tests.fuzz.cases import run
from tests.fuzz.valid_calls import VALID

pytestmark = pytest.mark.slow


@pytest.fixture(autouse=True)
def _as_users_call_it():
    """Without the checks of types that tests otherwise run with."""
    jaxtyping.config.update("jaxtyping_disable", True)
    yield
    jaxtyping.config.update("jaxtyping_disable", False)


def test_damaged_weights_files_load_or_are_refused(tmp_path):
    targets = weights.targets(tmp_path)
    outcome = run(targets, range(60), 0, tmp_path / "cases")
    assert outcome.failures == []
    for target in targets:
        whole, refused, failed = outcome.row(target.name)
        assert (whole + refused, failed) == (60, 0)
        # Most of the damage is noticed, so that it reaches the readers at all.
        assert refused > 30


def test_without_damage_the_files_load(tmp_path):
    path = tmp_path / "whole"
    for form in weights.formats(tmp_path).values():
        arrays = ju.networks.arrays(form.network)
        first = next(iter(form.network.layers))
        bias = f"{first}.bias"
        expected = np.asarray(arrays[bias]) if first == "fc1" else np.ones(1)
        other = ju.networks.with_arrays(form.network, {bias: arrays[bias] + 1})
        path.write_bytes(form.content)
        loaded = weights.load(dataclasses.replace(form, network=other), path)
        np.testing.assert_array_equal(ju.networks.arrays(loaded)[bias], expected)


# Pillow warns of damage that it reads past.
@pytest.mark.filterwarnings("ignore::UserWarning")
@pytest.mark.parametrize("kind", ["PNG", "JPEG", "WEBP", "BMP", "TIFF", "concepts", "Broden"])
def test_damaged_folders_are_read_or_refused(tmp_path, kind):
    (target,) = [each for each in folders.targets(tmp_path) if each.name == kind]
    outcome = run([target], range(25), 0, tmp_path / "cases")
    assert outcome.failures == []
    assert outcome.row(kind)[1] > 5


@pytest.mark.parametrize("make", [results._settings, results._metrics])
def test_damaged_settings_are_refused(tmp_path, make):
    (tmp_path / "whole").mkdir()
    target = results.Target("settings", make(tmp_path / "whole"))
    outcome = run([target], range(25), 0, tmp_path / "cases")
    assert outcome.failures == []


def test_every_public_function_is_called_or_left_out_for_a_reason():
    names = set(calls.public())
    left_out = set().union(*calls.LEFT_OUT.values())
    assert names - set(VALID) - left_out == set()
    # Beside functions some methods are called.
    assert {name for name in set(VALID) - names if name.rpartition(".")[0] not in names} == set()
    assert left_out <= names
    assert not left_out & set(VALID)
