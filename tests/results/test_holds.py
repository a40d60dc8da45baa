"""Who waits for another process says so at once, and for whom."""

import contextlib
import logging
import os
import platform
import re
import threading

import pytest
import xarray as xr

import jaxunits as ju
from jaxunits import files
from tests.processes import LIMIT, code, running

CALLS = {
    "sweep": (".nc.lock", lambda *given, **how: ju.ablation.sweep(*given, **how)),
    "cumulative": (".nc.lock", lambda *given, **how: ju.ablation.cumulative(*given, [0, 1], **how)),
    "greedy": (
        ".orders.lock",
        lambda *given, **how: ju.ablation.greedy(*given, classes=["8"], steps=1, random=0, **how),
    ),
    "directions": (
        ".nc.lock",
        lambda *given, **how: ju.ablation.directions(*given, ju.ablation.haar(10, seed=0), **how),
    ),
}


class Heard(logging.Handler):
    """The first warning, and that there was one."""

    def __init__(self):
        super().__init__()
        self.message, self.event = "", threading.Event()

    def emit(self, record):
        self.message = record.getMessage()
        self.event.set()


@contextlib.contextmanager
def listening():
    heard, logger = Heard(), logging.getLogger("jaxunits")
    logger.addHandler(heard)
    try:
        yield heard
    finally:
        logger.removeHandler(heard)


def in_a_thread(act):
    """Start it; what it gave, once it has ended."""
    given = []
    thread = threading.Thread(target=lambda: given.append(act()))
    thread.start()

    def answer():
        thread.join(LIMIT)
        return given[0]

    return answer


HERE = re.escape(f"process {os.getpid()} on {platform.node()} since ") + r"\d{4}-\S+"


@pytest.mark.parametrize("name", CALLS)
def test_who_waits_for_a_file_says_for_whom_and_reads_it(trained, few_digits, tmp_path, name):
    lock, call = CALLS[name]
    file = tmp_path / "result.nc"
    expected = call(trained, "conv3", few_digits)
    work = []

    def ask():
        return call(
            trained, "conv3", few_digits, file=file, progress=lambda *done: work.append(done)
        )

    with listening() as heard:
        with files.hold(tmp_path / f".result{lock}", f"measurement {file}"):
            answer = in_a_thread(ask)
            assert heard.event.wait(LIMIT)
            assert re.fullmatch(
                f"measurement {re.escape(str(file))} is in use by {HERE}: waiting for it to end",
                heard.message,
            )
            ju.results.write(expected, file)
        xr.testing.assert_equal(answer(), expected)
    assert work == []
    assert list(tmp_path.iterdir()) == [file]


def test_who_waited_for_a_process_that_was_killed_measures(trained, few_digits, tmp_path):
    file = tmp_path / "result.nc"
    program = """
        import pathlib, signal, sys
        from jaxunits.files import hold
        with hold(pathlib.Path(sys.argv[1]), "it"):
            print("held", flush=True)
            signal.pause()
    """
    with listening() as heard:
        with running(*code(program), tmp_path / ".result.nc.lock") as process:
            assert process.stdout.readline() == "held\n"
            answer = in_a_thread(lambda: ju.ablation.sweep(trained, "conv3", few_digits, file=file))
            assert heard.event.wait(LIMIT)
            assert f" is in use by process {process.pid} on {platform.node()} " in heard.message
            process.kill()
        found = answer()
    xr.testing.assert_equal(found, ju.ablation.sweep(trained, "conv3", few_digits))
    assert {path.name for path in tmp_path.iterdir()} == {"result.nc", "result.timing.json"}


def test_a_holder_who_has_not_signed_yet(tmp_path):
    with files.hold(tmp_path / "lock", "it"):
        for sign in (lambda note: note.write_text(""), lambda note: note.unlink()):
            sign(tmp_path / "lock.holder")
            with (
                pytest.raises(ju.InputError, match=r"^it is in use by another process: go away$"),
                files.hold(tmp_path / "lock", "it", otherwise="go away"),
            ):
                pass
