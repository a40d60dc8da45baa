"""Damaged weights files of every format: they load or are refused, and nothing else happens.

    python -m tests.fuzz.weights --seconds 60 --seed 0

Counts what became of the files by format. A file that ends in anything but `InputError`, that takes
longer than ten seconds or that brings the process down is left in the folder, `case` with its
number; memory above 1.5 GB more than at the start fails too.
"""

from __future__ import annotations

import faulthandler
import itertools
import resource
import sys
import tempfile
import time
import traceback
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import tyro
from rich.console import Console
from rich.table import Table

import jaxunits as ju
from tests.benchmarks.networks import with_random_weights
from tests.fuzz.mutations import mutated
from tests.networks.checkpoints import state_dict, write_legacy, write_zip
from tests.networks.keras_files import write_h5, write_weights_h5

_MOST_SECONDS = 10
_MOST_MEMORY = 1.5e9


@dataclass(frozen=True)
class Format:
    """A format of weights files.

    Attributes:
      network: takes the file's weights.
      content: a file without damage.
    """

    network: ju.networks.Network
    content: bytes


@dataclass
class Outcome:
    """What became of the files.

    Attributes:
      counts: how many of a format were loaded and refused.
      failures: the numbers of files that ended in another way, and how.
    """

    counts: Counter[tuple[str, str]] = field(default_factory=Counter)
    failures: list[tuple[int, str]] = field(default_factory=list)


def formats(folder: Path) -> dict[str, Format]:
    """A small file of each format, with the network that it belongs to."""
    size = ju.data.Preprocessing((4, 4), 1)

    def build() -> ju.networks.Network:
        return ju.networks.mlp(2, widths=(3,), preprocessing=size)

    path = folder / "whole"
    mlp = with_random_weights(build, seed=0)
    arrays = {
        f"{stage}.{kind}": np.asarray(array, np.float32)
        for stage in ("fc1", "logits")
        for kind, array in (
            ("weight", mlp.stages[stage].kernel[...].T),
            ("bias", mlp.stages[stage].bias[...]),
        )
    }
    ju.networks.save_weights(mlp, path)
    found = {"safetensors": Format(mlp, path.read_bytes())}
    for name, write in {"PyTorch zip": write_zip, "PyTorch legacy": write_legacy}.items():
        found[name] = Format(mlp, write(path, *state_dict(arrays)).read_bytes())
    vgg16 = with_random_weights(lambda: ju.networks.vgg16(3, width=1 / 64), seed=0)
    layers = {
        "block1_conv1": [np.ones((3, 3, 3, 1), "f4"), np.ones(1, "f4")],
        "block1_conv2": [np.ones((3, 3, 1, 1), "f4"), np.ones(1, "f4")],
    }
    found["Keras 2"] = Format(vgg16, write_h5(path, layers).read_bytes())
    found["Keras 3"] = Format(vgg16, write_weights_h5(path, layers).read_bytes())
    path.unlink()
    return found


def run(numbers: Iterator[int], seed: int, folder: Path, formats: dict[str, Format]) -> Outcome:
    """Damage and load files, by turns of every format; a number and the seed say which damage."""
    outcome = Outcome()
    names = list(formats)
    for number in numbers:
        name = names[number % len(names)]
        random = np.random.default_rng((seed, number))
        other = formats[names[random.integers(len(names))]].content
        path = folder / f"case{number}"
        path.write_bytes(mutated(formats[name].content, other, random))
        end, keep = _ending(lambda path=path, name=name: load(formats[name], path))
        if keep:
            outcome.failures.append((number, f"{name}: {end}"))
        else:
            path.unlink()
        outcome.counts[name, "failed" if keep else end] += 1
    return outcome


def load(form: Format, path: Path) -> None:
    """Load a file as its format's network needs it."""
    ju.networks.load_weights(form.network, path, partial=True)


def _ending(load: Callable[[], None]) -> tuple[str, bool]:
    """How loading ended, and whether that is a failure."""
    start = time.perf_counter()
    # A hang inside a library cannot be interrupted; this ends the process and says where it was.
    faulthandler.dump_traceback_later(_MOST_SECONDS, exit=True, file=sys.__stderr__)
    try:
        load()
    except ju.InputError:
        end = "refused"
    except Exception:  # noqa: BLE001
        return traceback.format_exc(limit=-3), True
    else:
        end = "loaded"
    finally:
        faulthandler.cancel_dump_traceback_later()
    return end, time.perf_counter() - start > _MOST_SECONDS


def _memory() -> int:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024


def main(seconds: float = 60, seed: int = 0, folder: Path | None = None) -> None:
    """Fuzz for a time, print what happened, and exit with 1 where anything failed.

    Args:
      seconds: how long.
      seed: of the damage.
      folder: where files are written; those that fail stay. A new folder by default.
    """
    console = Console()
    folder = folder or Path(tempfile.mkdtemp(prefix="fuzz-weights-"))
    folder.mkdir(parents=True, exist_ok=True)
    faulthandler.enable()
    end = time.monotonic() + seconds
    whole = formats(folder)
    for form in whole.values():
        (folder / "whole").write_bytes(form.content)
        load(form, folder / "whole")
    before = _memory()
    numbers = itertools.takewhile(lambda _: time.monotonic() < end, itertools.count())
    outcome = run(numbers, seed, folder, whole)
    table = Table("format", "loaded", "refused", "failed")
    for name in whole:
        row = [outcome.counts[name, kind] for kind in ("loaded", "refused", "failed")]
        table.add_row(name, *map(str, row))
    console.print(table)
    grown = _memory() - before
    console.print(f"{outcome.counts.total()} files, {grown / 1e6:.0f} MB more memory than before")
    for number, failure in outcome.failures:
        console.print(f"{folder / f'case{number}'}: {failure}", markup=False)
    raise SystemExit(bool(outcome.failures) or grown > _MOST_MEMORY)


if __name__ == "__main__":
    import logging

    logging.disable(logging.WARNING)
    tyro.cli(main)
