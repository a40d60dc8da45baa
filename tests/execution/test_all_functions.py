"""What holds for every measuring function, because one loop carries all of them out."""

import dataclasses
import multiprocessing
import os
import random
import shutil
import signal

import jax
import numpy as np
import pytest
import xarray as xr
from jax import numpy as jnp

import jaxunits as ju
from jaxunits.ablation._program import Program
from jaxunits.execution import LookEngine
from tests.execution.functions import (
    COMMON,
    FUNCTIONS,
    LEVELS,
    OF_DATA,
    STEPS,
    WITHOUT_DATA,
    exact_digits,
    exact_network,
    measured,
)
from tests.execution.kills import IMAGES, measure_and_die, snapshots
from tests.processes import LIMIT, code, in_two_processes, output_of
from tests.reference import forward, layers_of, linear, pooled

SEED = 20_170_413
EVERY = "JAXUNITS_TEST_ALL" in os.environ
KILLS = 10 if EVERY else 1
# One of each kind: pieces of their own, one state of all, steps on the way.
KINDS = FUNCTIONS if EVERY else ("sweep", "greedy", "collect", "dissect", "maximise")
every = pytest.mark.parametrize("name", FUNCTIONS)
of_each_kind = pytest.mark.parametrize("name", KINDS)
with_data = pytest.mark.parametrize(
    "name", [name for name in FUNCTIONS if name not in WITHOUT_DATA]
)
with_attributes = pytest.mark.parametrize(
    "name", [name for name in FUNCTIONS if name != "unit_means"]
)


@pytest.fixture(scope="module")
def network():
    return exact_network()


@pytest.fixture(scope="module")
def data():
    return exact_digits(IMAGES)


@pytest.fixture(scope="module")
def few(data):
    return ju.data.subset(data, np.arange(90))


def pixels_of(data):
    return np.stack([data[index]["image"] for index in range(len(data))])


# That what is compared below is the same on every processor.


def test_no_sum_of_the_network_rounds(network, data):
    """All numbers are multiples of one that float32 holds, whatever is added first."""
    images = pixels_of(data)
    arrays = ju.networks.arrays(network)
    sizes = ju.networks.with_arrays(network, {key: abs(arrays[key]) for key in arrays})
    state, unit = images.astype(np.float64), 1 / LEVELS
    for layer in layers_of(network):
        unit /= STEPS
        # Directions have two bits more, and twice the size.
        assert linear(sizes, layer, state).max() / unit < 2**24 / 8
        state = np.maximum(linear(network, layer, state), 0)
        state = pooled(state) if layer in network.module.pool_after else state
    logits = forward(network, images)
    assert (logits.argmax(1) == data.labels).mean() > 0.8
    found = network.function(network.params, jnp.asarray(images), {})
    np.testing.assert_array_equal(logits, found)


# Devices and processes.

DEVICES = """
import sys, jax
jax.config.update("jax_num_cpu_devices", 8)
import jaxunits as ju
from tests.execution.functions import FUNCTIONS, exact_digits, exact_network, measured
network, data = exact_network(), exact_digits()
for count in (1, 2, 8):
    for name in FUNCTIONS:
        options = {"devices": jax.devices()[:count], "batch_size": 16, "images_per_piece": 64}
        try:
            found = measured(name, network, data, **options)
        except Exception as error:
            print(name, count, type(error).__name__, error)
            continue
        assert name == "unit_means" or found.attrs["devices"].startswith(f"{count} ×")
        ju.results.write(found.drop_attrs(), f"{sys.argv[1]}/{name}-{count}.nc")
"""

PROCESSES = """
import sys, jax
jax.distributed.initialize(sys.argv[2], 2, int(sys.argv[3]))
import jaxunits as ju
from pathlib import Path
from tests.execution.functions import FUNCTIONS, exact_digits, exact_network, measured
network, data = exact_network(), exact_digits()
place, number = Path(sys.argv[1]), sys.argv[3]
# The second leaves nothing to do for one of them.
for kind, pieces in (("memory", 64), ("one", 512), ("file", 64)):
    for name in FUNCTIONS:
        options = {"batch_size": 16, "images_per_piece": pieces}
        if kind == "file":
            options["file"] = place / f"{name}-file" / "a.nc"
        found = measured(name, network, data, **options)
        ju.results.write(found.drop_attrs(), place / f"{name}-{kind}-{number}.nc")
"""


@pytest.fixture(scope="module")
def on_devices(tmp_path_factory):
    folder = tmp_path_factory.mktemp("devices")
    return folder, output_of(*code(DEVICES), folder)


@pytest.fixture(scope="module")
def in_processes(tmp_path_factory):
    folder = tmp_path_factory.mktemp("processes")
    in_two_processes(PROCESSES, folder)
    return folder


def assert_same(found, expected):
    """Integers, names and shapes are equal, and floats as far as another order of sums allows."""
    assert set(found.variables) == set(expected.variables)
    for name, one in expected.variables.items():
        other = found[name].variable
        assert other.dims == one.dims, name
        if one.dtype.kind == "f":
            assert other.dtype == one.dtype, name
            scale = np.abs(one.values[np.isfinite(one.values)]).max(initial=0)
            np.testing.assert_allclose(
                other.values, one.values, rtol=1e-5, atol=1e-5 * scale, err_msg=name
            )
        else:
            np.testing.assert_array_equal(other.values, one.values, err_msg=name)


@pytest.mark.slow
@every
def test_devices_change_nothing(name, on_devices):
    folder, told = on_devices
    failed = [line for line in told.splitlines() if line.startswith(f"{name} ")]
    assert not failed
    one = ju.results.read(folder / f"{name}-1.nc")
    for count in (2, 8):
        assert_same(ju.results.read(folder / f"{name}-{count}.nc"), one)


@pytest.mark.slow
@every
def test_processes_change_nothing(name, in_processes, network, data):
    one = measured(name, network, data, batch_size=16).drop_attrs()
    for kind in ("memory", "one", "file"):
        first, second = (
            ju.results.read(in_processes / f"{name}-{kind}-{number}.nc") for number in range(2)
        )
        xr.testing.assert_identical(first, second)
        assert_same(first, one)
    left = [path.name for path in (in_processes / f"{name}-file").iterdir()]
    assert sorted(left) == ["a.nc", "a.timing.json"]


# Kills.


def left_beside(file):
    names = {path.name for path in file.parent.iterdir()}
    return names - {file.name, file.with_suffix(".timing.json").name}


@pytest.mark.slow
@pytest.mark.parametrize("name", FUNCTIONS if EVERY else ("greedy", "collect"))
def test_a_kill_before_any_change_of_files_leaves_the_same_bytes(name, network, data, tmp_path):
    """What is there before each change is what a kill at that moment leaves."""
    some = ju.data.subset(data, np.arange(100))
    options = {"batch_size": 16, "images_per_piece": 64}
    place, folder = tmp_path / "killed", tmp_path / "whole"
    folder.mkdir()
    killed = snapshots(name, network, some, folder, place, **options)
    assert not left_beside(folder / "a.nc")
    expected = (folder / "a.nc").read_bytes()
    assert len(killed) > 10
    wrong = []
    for number, copy in enumerate(killed):
        before = sorted(str(path.relative_to(copy)) for path in copy.rglob("*"))
        FUNCTIONS[name](network, some, file=copy / "a.nc", progress=False, **options)
        if (copy / "a.nc").read_bytes() != expected:
            wrong.append(("bytes", number, before))
        if left_beside(copy / "a.nc"):
            wrong.append((left_beside(copy / "a.nc"), number, before))
    assert not wrong


@pytest.fixture(scope="module")
def forks():
    """Processes that have imported everything already start in a moment each."""
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["tests.execution.kills"])

    def exitcode(*arguments, **named):
        process = context.Process(target=measure_and_die, args=arguments, kwargs=named)
        process.start()
        try:
            process.join(LIMIT)
            return process.exitcode
        finally:
            process.kill()
            process.join()
            process.close()

    return exitcode


def pieces_of(folder):
    """By folder of pieces, which are done; a state of several has the number of its last one."""
    return {
        (path.parent.name, path.name) for path in folder.rglob("*.pieces/piece-*") if path.is_file()
    }


@pytest.mark.slow
@of_each_kind
def test_kills_leave_the_same_bytes(name, forks, tmp_path, record_testsuite_property):
    record_testsuite_property("seed_of_kills", SEED)
    moments = random.Random(f"{SEED} {name}")  # noqa: S311
    whole, file = tmp_path / "whole" / "a.nc", tmp_path / "killed" / "a.nc"
    for path in (whole, file):
        path.parent.mkdir()
    assert forks(name, whole) == 0
    assert not left_beside(whole)
    ends, done = [], set()
    for number in range(KILLS):
        if number % 2:
            kill = {"changes": moments.randrange(1, 12)}
        else:
            kill = {"batches": moments.randrange(1, 6), "seconds": moments.uniform(0, 0.02)}
        ends.append(forks(name, file, **kill))
        there = pieces_of(file.parent)
        # A number that was there is there still, or one that took it up.
        gone = done - there
        assert all(any(last > first for _, last in there) or file.exists() for _, first in gone)
        done = there
    assert set(ends) <= {-signal.SIGKILL, 0}
    assert ends[0] == -signal.SIGKILL
    assert forks(name, file) == 0
    assert file.read_bytes() == whole.read_bytes()
    assert not left_beside(file)


# Memory.


def out_of_memory():
    raise jax.errors.JaxRuntimeError("RESOURCE_EXHAUSTED: Out of memory allocating 8 bytes")


@pytest.fixture
def limited(monkeypatch):
    """Give a function that is called before every batch with its size."""

    def set_limit(check):
        one, shared = LookEngine._one, Program.shared
        monkeypatch.setattr(
            LookEngine, "_one", lambda self, *rest: check(self.batch_size) or one(self, *rest)
        )
        monkeypatch.setattr(
            Program, "shared", lambda self, *rest: check(self.batch_size) or shared(self, *rest)
        )

    return set_limit


@every
def test_running_out_of_memory_halves_and_goes_on(name, network, data, limited):
    some = ju.data.subset(data, np.arange(100))
    usual = measured(name, network, some, batch_size=32).drop_attrs()
    sizes = []

    def check(size):
        sizes.append(size)
        if size > 10:
            out_of_memory()

    limited(check)
    found = measured(name, network, some, batch_size=32, images_per_piece=64)
    assert max(sizes) > 10
    assert sizes[-1] == 8
    assert name == "unit_means" or found.attrs["batch_size"] == 8
    assert_same(found.drop_attrs(), usual)


@of_each_kind
def test_running_out_of_memory_late_repeats_nothing(name, network, data, limited):
    some = ju.data.subset(data, np.arange(100))
    usual = measured(name, network, some, batch_size=16).drop_attrs()
    batches = []

    def check(size):
        batches.append(size)
        if len(batches) == 4:
            out_of_memory()

    limited(check)
    found = measured(name, network, some, batch_size=16, images_per_piece=48)
    assert len(batches) > 4
    assert_same(found.drop_attrs(), usual)


@of_each_kind
def test_nothing_left_to_halve(name, network, few, limited):
    limited(lambda _: out_of_memory())
    with pytest.raises(ju.InputError, match="the device ran out of memory with one image"):
        measured(name, network, few)


@every
def test_other_device_errors_are_not_hidden(name, network, few, limited):
    def broken(size):
        raise jax.errors.JaxRuntimeError("INTERNAL: a broken device")

    limited(broken)
    with pytest.raises(jax.errors.JaxRuntimeError, match="a broken device"):
        measured(name, network, few)


# What is no number.


class WithNan:
    """Images that are read one by one, one of which is no image."""

    def __init__(self, data, wrong):
        self.data, self.wrong = data, wrong
        self.labels = data.labels

    def __len__(self):
        return len(self.data)

    def __getitem__(self, index):
        record = dict(self.data[index])
        if index == self.wrong:
            record["image"] = record["image"].copy()
            record["image"][3, 4, 0] = np.nan
        return record


def message_of(name, network, data):
    with pytest.raises(ju.InputError) as caught:
        measured(name, network, data, batch_size=16, images_per_piece=16)
    return str(caught.value)


@with_data
def test_nan_in_an_image_has_one_text(name, network, few):
    # Of class 1, whose images greedy looks at.
    wrong = int(np.flatnonzero(few.labels == 1)[-1])
    broken = dataclasses.replace(few, source=WithNan(few, wrong))
    assert message_of(name, network, broken) == (
        f"image {wrong} of data 'arrays' holds nan at row 3, column 4, channel 0: every pixel has "
        "to be a finite number of float32; mend the image or leave it out (ju.data.subset)"
    )


@every
def test_nan_in_a_parameter_has_one_text(name, network, few):
    kernel = ju.networks.arrays(network)["conv2.kernel"].at[0, 1, 2, 3].set(jnp.nan)
    broken = ju.networks.with_arrays(network, {"conv2.kernel": kernel})
    assert message_of(name, broken, few) == (
        "parameter conv2.kernel of network 'convnet' holds NaN or infinity in 1 of 432 places: "
        "restore an earlier checkpoint, or train again with a lower learning rate"
    )


@pytest.mark.parametrize("name", ["dissect", "layer_birth_points"])
def test_large_numbers_are_numbers(name, network, few):
    """Float32 holds each value of every map, if not their sum."""
    arrays = ju.networks.arrays(network)
    powers = {"conv2.kernel": 121, "conv2.bias": 121, "conv3.kernel": -121}
    large = ju.networks.with_arrays(
        network, {key: arrays[key] * 2.0 ** powers[key] for key in powers}
    )
    assert np.isfinite(large.activations(jnp.asarray(pixels_of(few)), "conv2")).all()
    found, usual = (measured(name, each, few).drop_attrs() for each in (large, network))
    assert set(found.variables) == set(usual.variables)
    for key in found:
        if found[key].dtype.kind == "f":
            finite = np.isfinite(found[key].values)
            assert np.all(finite | ~np.isfinite(usual[key].values)), key
    for key in {"birth_point", "image", "top_image", "intersection", "activated"} & set(found):
        np.testing.assert_array_equal(found[key], usual[key])


# Where numbers come from.


@with_attributes
def test_results_say_where_they_come_from(name, network, few):
    found = measured(name, network, few, batch_size=16)
    known = {
        "layer_number": str(list(network.layers).index(found.attrs["layer"])),
        "unit_is": "post-activation",
        "network": "convnet",
        "parameters": network.fingerprint,
        "data": "arrays",
        "split": "validation",
        "skipped_files": "0",
        "precision": "float32",
        "batch_size": 16,
    }
    common = COMMON
    if name in WITHOUT_DATA:
        common = COMMON - OF_DATA
        known = {key: known[key] for key in known if key not in OF_DATA}
    assert set(found.attrs) >= common
    assert {key: found.attrs[key] for key in known} == known
    assert found.attrs["peak_bytes"] > 0
    assert not set(found.attrs) & {"pass", "results", "piece"}


def test_means_in_a_file_say_where_they_come_from(network, few, tmp_path):
    means = measured("unit_means", network, few, file=tmp_path / "a.nc", batch_size=16)
    kept = ju.results.read_result(tmp_path / "a.nc")
    assert set(kept.attrs) >= COMMON
    np.testing.assert_array_equal(kept.sums / kept.images, means["values"])


# Programs.


@pytest.fixture(scope="module")
def compiled():
    """How many programs XLA has been asked for, from now on."""
    count = []
    jax.monitoring.register_event_duration_secs_listener(
        lambda event, *_, **__: count.append(event) if "backend_compile" in event else None
    )
    return count


@every
def test_a_second_call_compiles_nothing(name, network, few, compiled):
    options = {"batch_size": 48, "images_per_piece": 48}
    compiled.clear()
    first = measured(name, network, few, **options)
    assert compiled
    compiled.clear()
    second = measured(name, network, few, **options)
    assert not compiled
    if name != "unit_means":
        assert first.attrs["programs"] > 0
        assert second.attrs["programs"] == 0
    xr.testing.assert_identical(first.drop_attrs(), second.drop_attrs())


# Files and progress.


@every
def test_a_finished_file_is_read(name, network, few, tmp_path, monkeypatch, limited, capfd):
    file = tmp_path / "a.nc"
    first = measured(name, network, few, file=file)
    content = file.read_bytes()
    assert not left_beside(file)
    assert capfd.readouterr() == ("", "")

    def nothing(*_, **__):
        raise AssertionError("something is run")

    limited(nothing)
    monkeypatch.setattr(LookEngine, "__init__", nothing)
    monkeypatch.setattr(ju.ablation._engine.Engine, "__init__", nothing)
    xr.testing.assert_identical(measured(name, network, few, file=file), first)
    if name != "maximise":
        with pytest.raises(ju.InputError) as caught:
            measured(name, network, few, file=file, precision="bfloat16")
        assert str(caught.value).startswith(
            f"measurement {file} belongs to another configuration: precision is 'float32' there "
            "and 'bfloat16' now. "
        )
    kernel = ju.networks.arrays(network)["conv1.kernel"] * 2
    other = ju.networks.with_arrays(network, {"conv1.kernel": kernel})
    with pytest.raises(ju.InputError, match="another configuration: parameters is '"):
        measured(name, other, few, file=file)
    assert file.read_bytes() == content
    assert capfd.readouterr() == ("", "")


@pytest.mark.parametrize("kept", KINDS)
def test_a_file_of_another_function_is_refused(kept, network, few, tmp_path):
    """Of the same layer, images and parameters."""
    measured(kept, network, few, file=tmp_path / "a.nc")
    taken = []
    for name in FUNCTIONS:
        shutil.copytree(tmp_path, tmp_path.with_name(f"{kept}-{name}"))
        file = tmp_path.with_name(f"{kept}-{name}") / "a.nc"
        try:
            measured(name, network, few, file=file)
        except ju.InputError as error:
            assert "belongs to another configuration" in str(error)  # noqa: PT017
        except Exception as error:  # noqa: BLE001
            taken.append((name, repr(error)))
        else:
            taken.append(name)
    assert taken == [kept]


@of_each_kind
def test_unfinished_pieces_are_gone_on_with(name, network, few, tmp_path):
    options = {"file": tmp_path / "a.nc", "batch_size": 9, "images_per_piece": 18}
    whole = measured(name, network, few, **{**options, "file": None})

    def stop(done, total):
        if 2 * done > total:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        FUNCTIONS[name](network, few, progress=stop, **options)
    other = ju.networks.with_arrays(network, {"conv1.bias": jnp.ones(6)})
    with pytest.raises(ju.InputError, match="another configuration: parameters is '"):
        measured(name, other, few, **options)
    xr.testing.assert_identical(
        measured(name, network, few, **options).drop_attrs(), whole.drop_attrs()
    )
    assert not left_beside(options["file"])


@of_each_kind
def test_progress_rises_to_all(name, network, few, capfd):
    seen = []
    FUNCTIONS[name](network, few, batch_size=16, progress=lambda *pair: seen.append(pair))
    done, total = zip(*seen, strict=True)
    assert len(set(total)) == 1
    assert list(done) == sorted(set(done))
    assert done[-1] == total[0]
    # Where nobody looks there is no bar either.
    FUNCTIONS[name](network, few, batch_size=16)
    assert capfd.readouterr() == ("", "")


@every
def test_what_is_no_progress_or_option_is_refused(name, network, few):
    for options, expected in (
        ({"batch_size": 0}, "batch_size=0: give a number above 0"),
        ({"images_per_piece": 0}, "images_per_piece=0: give a number above 0"),
        ({"decoding_threads": 0}, "decoding_threads=0: give a whole number from 1 up to 1024"),
        ({"max_memory": -1}, "max_memory=-1: give a number above 0"),
        ({"devices": []}, r"devices=\[\]: give a list of JAX's devices"),
        ({"precision": "float64"}, "precision='float64': give one of"),
        ({"batchsize": 3}, "batch_size"),
    ):
        with pytest.raises(ju.InputError, match=expected):
            FUNCTIONS[name](network, few, **options)
