"""A sweep that another process can be asked to run, and that can be killed at work."""

import contextlib
import os
import signal
import threading
from pathlib import Path

import jaxunits as ju
from tests.reference import small_convnet

PIECES = 250


def sweep_digits(file, log, killed_after=None, seconds=0.0):
    """Sweep `conv1` in 250 pieces; each line of the log is a piece that was worked on.

    With `killed_after` the process kills itself so many seconds after that many pieces, or after
    the start for none. Its own clock decides, so that a machine that is slow is not met too late.
    """
    kill = threading.Timer(seconds, os.kill, (os.getpid(), signal.SIGKILL))
    data = ju.data.load("digits", "validation")
    done = 0

    def progress(images, of):
        nonlocal done
        print(images, of, file=lines)
        done += 1
        if done == killed_after:
            kill.start()

    if killed_after == 0:
        kill.start()
    with contextlib.closing(Path(log).open("a", buffering=1)) as lines:
        ju.ablation.sweep(
            small_convnet(),
            "conv1",
            data,
            file=file,
            batch_size=4,
            images_per_piece=4,
            progress=progress,
        )
