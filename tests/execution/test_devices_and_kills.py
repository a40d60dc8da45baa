"""Devices, processes and kills change nothing in what any measuring function gives."""

import multiprocessing
import random
import signal

import numpy as np
import pytest
import xarray as xr

import jaxunits as ju
from tests.execution.functions import (
    EVERY,
    FUNCTIONS,
    assert_same,
    every,
    left_beside,
    measured,
    of_each_kind,
)
from tests.execution.kills import measure_and_die, snapshots
from tests.processes import LIMIT, code, in_two_processes, output_of

SEED = 20_170_413
KILLS = 10 if EVERY else 1


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
        # A number that was there is there still, or one that took it up, or all of its pass, or of
        # all passes.
        gone = done - there
        results = {path.stem for path in file.parent.rglob("*.nc")}
        assert all(
            any(last > first for _, last in there)
            or {folder.removesuffix(".pieces"), file.stem} & results
            for folder, first in gone
        ), (gone, there, results)
        done = there
    assert set(ends) <= {-signal.SIGKILL, 0}
    assert ends[0] == -signal.SIGKILL
    assert forks(name, file) == 0
    assert file.read_bytes() == whole.read_bytes()
    assert not left_beside(file)
