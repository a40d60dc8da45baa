"""A sweep that another process can be asked to run, and to be killed in."""

import contextlib
from pathlib import Path

import jaxunits as ju
from tests.reference import small_convnet


def sweep_digits(file, log):
    """Sweep `conv1` in 125 pieces; each line of the log is a piece that was worked on."""
    ju.use_compilation_cache(Path(file).parent / "compiled")
    data = ju.data.load("digits", "validation")
    with contextlib.closing(Path(log).open("a", buffering=1)) as lines:
        ju.ablation.sweep(
            small_convnet(),
            "conv1",
            data,
            file=file,
            batch_size=8,
            images_per_piece=8,
            progress=lambda done, total: print(done, total, file=lines),
        )
