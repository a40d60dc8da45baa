import contextlib
import errno
import json
import multiprocessing
import os
import re
import resource
import stat
import sys

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import xarray as xr
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

import jaxunits as ju
from jaxunits import files
from jaxunits.files import seal
from tests.processes import LIMIT, code, running


def message(function, *args, **kwargs):
    with pytest.raises(ju.InputError) as caught:
        function(*args, **kwargs)
    return str(caught.value)


@pytest.fixture
def result(trained, few_digits):
    return ju.ablation.sweep(trained, "conv3", few_digits)


READERS = ("netCDF4", "h5netcdf")


def choose(reader, monkeypatch):
    """Read by h5netcdf as where netCDF4 is not installed."""
    if reader == "h5netcdf":
        monkeypatch.setitem(sys.modules, "netCDF4", None)


class TestNetcdf:
    @pytest.mark.parametrize("reader", READERS)
    def test_what_is_read_equals_what_was_written(self, result, tmp_path, reader, monkeypatch):
        choose(reader, monkeypatch)
        ju.results.write(result, tmp_path / "deep" / "sweep.nc")
        found = ju.results.read(tmp_path / "deep" / "sweep.nc")
        xr.testing.assert_identical(found, result)
        assert list(found.data_vars) == list(result.data_vars)
        assert list(found.attrs) == list(result.attrs)

    @pytest.mark.parametrize("reader", READERS)
    @pytest.mark.parametrize("variables", [{}, {"b": ((), 1.5), "a": ("u", [1, 2])}])
    def test_variables_and_coordinates_that_have_nothing_to_do_with_them(
        self, variables, tmp_path, reader, monkeypatch
    ):
        choose(reader, monkeypatch)
        written = xr.Dataset(variables, {"other": ["x", "y", "z"], "alone": 3}, {"said": "so"})
        ju.results.write(written, tmp_path / "some.nc")
        found = ju.results.read(tmp_path / "some.nc")
        xr.testing.assert_identical(found, written)
        assert list(found.data_vars) == list(variables)

    def test_xarray_alone_reads_it(self, result, tmp_path):
        ju.results.write(result, tmp_path / "sweep.nc")
        with xr.open_dataset(tmp_path / "sweep.nc") as dataset:
            assert dataset["class"].values.tolist() == list("0123456789")
            assert dataset.correct.dtype == np.int64

    def test_missing_file(self, tmp_path):
        with pytest.raises(FileNotFoundError, match=f"no result at {tmp_path}/sweep.nc"):
            ju.results.read(tmp_path / "sweep.nc")

    @pytest.mark.parametrize("share", [0.0, 0.1, 0.5, 0.95])
    def test_truncated_file(self, result, tmp_path, share):
        path = tmp_path / "sweep.nc"
        ju.results.write(result, path)
        content = path.read_bytes()
        path.write_bytes(content[: int(share * len(content))])
        found = message(ju.results.read, path)
        assert found.startswith(f"result file {path} (")
        assert "is damaged (its digest is missing from the end" in found
        assert "delete it and measure again" in found

    def test_a_flipped_bit_anywhere_is_noticed(self, result, tmp_path):
        path = tmp_path / "sweep.nc"
        ju.results.write(result, path)
        content = path.read_bytes()
        random = np.random.default_rng(0)
        for place in [*random.integers(len(content), size=200), *range(-60, 0)]:
            changed = bytearray(content)
            changed[place] ^= 1 << random.integers(8)
            path.write_bytes(changed)
            assert message(ju.results.read, path).startswith(f"result file {path} (")
        path.write_bytes(content)
        xr.testing.assert_identical(ju.results.read(path), result)

    def test_other_readers_find_changed_numbers_by_the_checksums_of_hdf5(self, tmp_path):
        numbers = np.random.default_rng(0).normal(size=(3, 4))
        ju.results.write(xr.Dataset({"numbers": (("a", "b"), numbers)}), tmp_path / "numbers.nc")
        content = bytearray((tmp_path / "numbers.nc").read_bytes())
        content[content.index(numbers.tobytes()) + 5] ^= 1
        (tmp_path / "numbers.nc").write_bytes(content)
        failure = pytest.raises(RuntimeError, match="HDF error")
        with xr.open_dataset(tmp_path / "numbers.nc") as dataset, failure:
            dataset.load()

    def test_files_of_other_programs(self, result, tmp_path):
        result.to_netcdf(tmp_path / "other.nc", engine="netcdf4")
        found = message(ju.results.read, tmp_path / "other.nc")
        assert "it is truncated, or not written by jaxunits" in found
        assert found.endswith("opened with xarray.open_dataset")
        other = (tmp_path / "other.nc").read_bytes()
        for content in (b"", b"no netCDF", other[:700], other[:48] + bytes(48) + other[96:]):
            (tmp_path / "sealed.nc").write_bytes(seal(content))
            assert "is damaged (" in message(ju.results.read, tmp_path / "sealed.nc")

    def test_what_is_no_regular_file(self, tmp_path):
        os.mkfifo(tmp_path / "pipe.nc")
        for path in (tmp_path, tmp_path / "pipe.nc"):
            assert message(ju.results.read, path) == (
                f"result file {path} is not a regular file: give the path of one"
            )


OPTIONS = {"epochs": 8, "rate": 0.1, "name": "café", "layers": ["a", "b"], "none": None}


class TestSettings:
    def test_what_is_read_equals_what_was_written(self, tmp_path):
        files.write_json(tmp_path / "a.json", OPTIONS)
        assert files.read_json(tmp_path / "a.json", "nothing") == OPTIONS
        assert json.loads((tmp_path / "a.json").read_text())["epochs"] == 8

    def test_no_changed_bit_is_read_as_another_setting(self, tmp_path):
        path = tmp_path / "a.json"
        files.write_json(path, OPTIONS)
        content = path.read_bytes()
        refusals = []
        for place in range(len(content)):
            changed = bytearray(content)
            changed[place] ^= 1
            path.write_bytes(changed)
            try:
                assert files.read_json(path, "nothing") == OPTIONS
            except ju.InputError as error:
                refusals.append(str(error))
        assert len(refusals) > 0.8 * len(content)
        assert all(refusal.startswith(f"{path} is damaged (") for refusal in refusals)

    @pytest.mark.parametrize(
        "content", [b"", b"{}", b"[]", b"3", b"{" * 100_000, b"[" * 100_000, b"\xff", b'{"a": 1}']
    )
    def test_what_is_not_ours(self, tmp_path, content):
        (tmp_path / "a.json").write_bytes(content)
        found = message(files.read_json, tmp_path / "a.json", "nothing", way_out="do this")
        assert found.startswith(f"{tmp_path}/a.json is damaged (")
        assert "): do this. " in found


class TestFiles:
    def test_no_space_left_keeps_the_old_file(self, tmp_path, monkeypatch):
        path = tmp_path / "result.nc"
        files.write_atomically(path, b"old")

        def full(descriptor):
            raise OSError(errno.ENOSPC, "No space left on device")

        monkeypatch.setattr(os, "fsync", full)
        with pytest.raises(OSError, match=r"no space left for .*result.nc \(3 bytes\)") as caught:
            files.write_atomically(path, b"new")
        assert caught.value.errno == errno.ENOSPC
        assert "what was there before is unchanged" in str(caught.value)
        assert path.read_bytes() == b"old"
        assert [item.name for item in tmp_path.iterdir()] == ["result.nc"]

    @pytest.mark.slow
    def test_a_write_that_the_system_refuses_keeps_the_old_file(self, tmp_path):
        path = tmp_path / "result.nc"
        files.write_atomically(path, b"old")
        context = multiprocessing.get_context("spawn")
        child = context.Process(target=_write_beyond_limit, args=(str(path),))
        child.start()
        child.join(LIMIT)
        assert child.exitcode == 0
        assert path.read_bytes() == b"old"
        assert [item.name for item in tmp_path.iterdir()] == ["result.nc"]

    @pytest.mark.slow
    def test_what_a_kill_left_of_a_file_is_removed_by_the_next_run(self, tmp_path):
        left = _partial_file_of(tmp_path / "measurements" / "a.nc")
        assert left.read_bytes() == b"partial"
        (tmp_path / ".notes.partial.txt").write_text("somebody else's")
        folder = ju.results.RunFolder(tmp_path)
        folder.claim({})
        with folder.in_use():
            assert list((tmp_path / "measurements").iterdir()) == []
        assert (tmp_path / ".notes.partial.txt").exists()

    @pytest.mark.slow
    def test_what_a_kill_left_of_a_file_is_removed_when_it_is_written_again(self, tmp_path):
        path = tmp_path / "run[1]" / "a.nc"
        left = _partial_file_of(path)
        others = _partial_file_of(path.with_name("a.nc.b"))
        # Of another machine, whose processes cannot be looked up; and of another program.
        machine, process = left.name.split(".")[3].split("-")
        elsewhere = path.with_name(left.name.replace(machine, f"{int(machine, 16) ^ 1:08x}"))
        foreign = path.with_name(f".a.nc.{machine}-{process}.partial")
        for each in (elsewhere, foreign):
            each.write_bytes(b"")
        files.write_atomically(path, b"new")
        assert set(path.parent.iterdir()) == {path, others, elsewhere, foreign}
        assert path.read_bytes() == b"new"

    @pytest.mark.slow
    def test_what_a_living_process_writes_stays(self, tmp_path):
        path = tmp_path / "measurements" / "a.nc"
        folder = ju.results.RunFolder(tmp_path)
        folder.claim({})
        with _writing(path) as process:
            (partial,) = path.parent.iterdir()
            files.write_atomically(path, b"ours")
            with folder.in_use():
                assert set(path.parent.iterdir()) == {path, partial}
            process.stdin.write("go on\n")
            process.stdin.flush()
            assert process.wait(LIMIT) == 0
        assert list(path.parent.iterdir()) == [path]
        assert path.read_bytes() == b"partial"

    @pytest.mark.slow
    def test_a_result_that_a_kill_cut_short_leaves_nothing_beside_the_next(
        self, trained, few_digits, tmp_path
    ):
        file = tmp_path / "sweep.nc"
        assert _partial_file_of(file).exists()
        ju.ablation.sweep(trained, "conv3", few_digits, file=file)
        names = {path.name for path in tmp_path.iterdir()}
        assert names == {"sweep.nc", "sweep.timing.json"}

    def test_text_is_utf_8(self, tmp_path):
        files.write_atomically(tmp_path / "a", "é ×")
        assert (tmp_path / "a").read_bytes() == "é ×".encode()

    @pytest.mark.parametrize("mask", [0o022, 0o077, 0o002])
    def test_permissions_are_the_users_own(self, tmp_path, mask):
        before = os.umask(mask)
        try:
            files.write_atomically(tmp_path / "a", "x")
            (tmp_path / "b").write_text("x")
        finally:
            os.umask(before)
        assert (tmp_path / "a").stat().st_mode == (tmp_path / "b").stat().st_mode
        assert stat.S_IMODE((tmp_path / "a").stat().st_mode) == 0o666 & ~mask

    def test_the_umask_is_never_set(self, tmp_path, monkeypatch):
        """Another thread's files would be made with it."""

        def refuse(mask):
            raise AssertionError(f"umask({mask:#o})")

        monkeypatch.setattr(os, "umask", refuse)
        files.write_atomically(tmp_path / "a", "x")
        assert (tmp_path / "a").read_text() == "x"


@contextlib.contextmanager
def _writing(path):
    """A process that waits in the middle of writing a file for a line of its input."""
    program = """
        import os, sys
        from jaxunits import files
        synchronize = os.fsync
        def wait(file):
            synchronize(file)
            print("written", flush=True)
            sys.stdin.readline()
        os.fsync = wait
        files.write_atomically(sys.argv[1], b"partial")
    """
    with running(*code(program), path) as process:
        assert process.stdout.readline() == "written\n"
        yield process


def _partial_file_of(path):
    """What a killed process left of a file."""
    before = set(path.parent.iterdir()) if path.parent.exists() else set()
    with _writing(path) as process:
        process.kill()
        process.wait(LIMIT)
    (left,) = set(path.parent.iterdir()) - before
    return left


def _write_beyond_limit(path):
    """A disk quota, as far as a process can set one for itself."""
    resource.setrlimit(resource.RLIMIT_FSIZE, (1000, resource.RLIM_INFINITY))
    with pytest.raises(OSError, match="no space left"):
        files.write_atomically(path, bytes(100_000))


class TestFingerprint:
    @given(
        array=hnp.arrays(np.float32, (3, 2), elements=st.floats(0, 1, width=32)),
        place=st.integers(0, 5),
    )
    def test_any_changed_number_changes_it(self, array, place):
        changed = array.copy()
        changed.flat[place] += 1
        assert ju.results.fingerprint({"a": array}) == ju.results.fingerprint(
            {"a": jnp.asarray(array)}
        )
        assert ju.results.fingerprint({"a": array}) != ju.results.fingerprint({"a": changed})

    def test_names_shapes_and_types_count(self):
        zeros = np.zeros(4, np.float32)
        trees = [
            {"a": zeros},
            {"b": zeros},
            {"a": zeros.reshape(2, 2)},
            {"a": zeros.view(np.int32)},
            {"a": jax.random.key(0)},
            {"a": jax.random.key(1)},
        ]
        assert len({ju.results.fingerprint(tree) for tree in trees}) == len(trees)


SETTINGS = {"seed": 0, "network": {"kind": "ConvNet", "widths": (8, 4)}}


class TestRunFolder:
    def test_a_folder_belongs_to_its_first_configuration(self, tmp_path):
        folder = ju.results.RunFolder(tmp_path)
        folder.claim(SETTINGS)
        folder.claim(SETTINGS)
        other = {"seed": 1, "network": {"kind": "ConvNet", "widths": (8, 5)}}
        before = folder.configuration.read_bytes()
        assert message(folder.claim, other) == (
            f"run folder {tmp_path} belongs to another configuration: network.widths is "
            "'[8, 4]' there and '[8, 5]' now; seed is 0 there and 1 now. Give the same network and "
            "settings, or another run folder"
        )
        assert folder.configuration.read_bytes() == before
        folder.claim({**SETTINGS, "seed": 5}, may_differ=("seed",))

    def test_somebody_elses_folder(self, tmp_path):
        (tmp_path / "thesis.tex").write_text("…")
        assert message(ju.results.RunFolder(tmp_path).in_use().__enter__) == (
            f"folder {tmp_path} is not a run folder and not empty (it holds thesis.tex): choose "
            "another folder"
        )
        assert [item.name for item in tmp_path.iterdir()] == ["thesis.tex"]

    def test_damaged_configuration(self, tmp_path):
        folder = ju.results.RunFolder(tmp_path)
        folder.claim(SETTINGS)
        folder.configuration.write_text(folder.configuration.read_text()[:20])
        assert f"{folder.configuration} is damaged" in message(folder.read_configuration)

    def test_no_run_folder(self, tmp_path):
        folder = ju.results.RunFolder(tmp_path / "nowhere")
        assert message(folder.read_configuration).startswith(
            f"{tmp_path}/nowhere is not a run folder: there is no {folder.configuration}"
        )

    @pytest.mark.slow
    def test_in_use_by_another_process(self, tmp_path):
        context = multiprocessing.get_context("spawn")
        with ju.results.RunFolder(tmp_path).in_use():
            answer = context.SimpleQueue()
            child = context.Process(target=_try_to_use, args=(tmp_path, answer))
            child.start()
            child.join()
            assert re.fullmatch(
                re.escape(f"run folder {tmp_path} is in use by process {os.getpid()} on ")
                + r"\S+ since \S+: wait for it to end, or choose another folder",
                answer.get(),
            )
        assert list(tmp_path.iterdir()) == []
        with ju.results.RunFolder(tmp_path).in_use():
            pass


def _try_to_use(path, answer):
    try:
        with ju.results.RunFolder(path).in_use():
            answer.put("it was free")
    except ju.InputError as error:
        answer.put(str(error))
