"""Measuring in a process that is killed at work, and what a kill would leave."""

import contextlib
import os
import re
import shutil
import signal
import sys
import threading

from tests.execution.functions import FUNCTIONS, exact_digits, exact_network

# 300 images: ten pieces.
IMAGES = 300
OPTIONS = {"batch_size": 16, "images_per_piece": 32}

# Of the interpreter, which keeps its hooks for good: what is called before a file is touched.
_watching = []
_CHANGES = {"os.mkdir", "os.rename", "os.remove", "os.rmdir"}
_WRITES = os.O_WRONLY | os.O_RDWR | os.O_CREAT


def _hook(event, arguments):
    if not _watching:
        return
    writes = event == "open" and isinstance(arguments[2], int) and arguments[2] & _WRITES
    if writes or event in _CHANGES:
        watch, *_watching[:] = _watching
        try:
            watch(str(arguments[0]))
        finally:
            _watching.append(watch)


@contextlib.contextmanager
def before_changes(folder, act):
    """Call a function before each change of a file in a folder, for as long as this lasts."""
    if not hasattr(before_changes, "added"):
        sys.addaudithook(_hook)
        before_changes.added = True

    def watch(path):
        if path.startswith(str(folder)):
            act()

    _watching.append(watch)
    try:
        yield
    finally:
        _watching.clear()


def measure_and_die(name, file, batches=None, seconds=0.0, changes=None):
    """Measure; the process kills itself so long after so many batches, or before a change of files.

    Its own clock decides, so that a machine that is slow is not met too late.
    """
    done, changed = 0, 0

    def die():
        os.kill(os.getpid(), signal.SIGKILL)

    def progress(*_):
        nonlocal done
        done += 1
        if done == batches:
            threading.Timer(seconds, die).start()

    def change():
        nonlocal changed
        changed += 1
        if changed == changes:
            die()

    with before_changes(file.parent, change):
        FUNCTIONS[name](
            exact_network(), exact_digits(IMAGES), file=file, progress=progress, **OPTIONS
        )


def snapshots(name, network, data, folder, place, **options):
    """What a kill leaves before each change of the files of a measurement, as folders."""
    found = []

    def keep():
        copy = place / f"{len(found):04d}"
        shutil.copytree(folder, copy)
        for path in sorted(copy.rglob("*.partial")):
            # Of a process that is dead.
            path.rename(path.with_name(re.sub(r"-\d+\.(\w+\.partial)", r"-99999999.\1", path.name)))
        found.append(copy)

    with before_changes(folder, keep):
        FUNCTIONS[name](network, data, file=folder / "a.nc", progress=False, **options)
    return found
