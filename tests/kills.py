"""Kill the programs at random moments, and see that they end as if nothing had happened.

    python -m tests.kills --times 20 --signals 5 --seed 0

Each program is killed again and again in the same folder, and begins another one whenever it has
come to its end. Every folder that is finished is compared with that of an undisturbed run. What is
left out of the comparison are times: `seconds` of metrics, `compile_seconds`, `run_seconds` and
`created` of results, files `*.timing.json`, and in reports and lists dates and cells of one or two
decimals, whose numbers come from results that are compared.
"""

import argparse
import os
import random
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path
from typing import NamedTuple

import numpy as np
import xarray as xr

import jaxunits as ju
from jaxunits.networks.checkpoints import describe_state, open_checkpoints
from jaxunits.train.metrics import read_metrics
from jaxunits.train.start import STOPPED, STOPPED_STATUS
from tests.processes import LIMIT, output_of, running

SMALL = ("--network.widths", "4", "4", "--network.pool-after", "conv1", "conv2")
TRAINING = ("digits_convnet", *SMALL, "--epochs", "6", "--batch-size", "50")
EPOCHS = ("--epochs", "3", "--network.widths", "4", "4", "4", "4", "--batch-size", "50")
STUDY = ("digits_variants", "--only", "convnet_batch_norm", "--seeds", "0", "1", "--run-folder")
EXPERIMENTS = ("drop_curves", "greedy", "correlations", "unit_panels")
# A network that no run folder describes, as its user has it.
MODEL = """
import jaxunits as ju

def network():
    return ju.networks.restore({trained!r})

def images():
    return ju.data.load("digits", "validation")
"""
TEMPORARY = (".partial", ".pieces", ".orders", ".unfinished", ".removed", ".lock", ".holder")
TIMES = ("seconds", "compile_seconds", "run_seconds", "created")
# Dates, and cells of one or two decimals, which is how seconds are told.
REPORT_TIMES = re.compile(r"\d{4}-\d\d-\d\dT[\d:]+(\+00:00)?|<td[^>]*>\d+\.\d\d?</td>")


class Program(NamedTuple):
    """A program, and what has to be in its folder before it starts.

    Attributes:
      name: for the table.
      arguments: of Python, for a folder.
      before: a folder to begin with; None for an empty one.
    """

    name: str
    arguments: tuple[str, ...]
    before: Path | None = None

    def command(self, folder):
        return [str(folder) if argument == "FOLDER" else argument for argument in self.arguments]

    def prepare(self, folder):
        if self.before is not None:
            shutil.copytree(self.before, folder)
        return folder


def programs(place):
    images = ("--data.train-split", "train[:1000]")
    training = ("-m", "train", *TRAINING, *images, "--run-folder", "FOLDER")
    study = ("-m", "train", *STUDY, "FOLDER", "--", *EPOCHS, "--data.train-split", "train[:500]")
    yield Program("training", training)
    trained = place / "trained"
    output_of(*Program("", training).command(trained))
    analysis = ("-m", "analysis", "FOLDER", *EXPERIMENTS, "--panels.units", "2")
    yield Program("analysis", analysis, trained)
    yield Program("study", study)
    model = place / "my_model.py"
    model.write_text(MODEL.format(trained=str(trained)))
    files = ("--network", f"{model}:network", "--data", f"{model}:images")
    anybodys = ("-m", "jaxunits", "analysis", "FOLDER", *EXPERIMENTS, "--panels.units", "2", *files)
    yield Program("anybody's", anybodys)


def content(folder):
    """What must be the same, by name: files, and what Orbax has in its checkpoints."""
    found = {}
    for path in sorted(folder.rglob("*")):
        name = str(path.relative_to(folder))
        if "checkpoints" in path.relative_to(folder).parts or path.is_dir():
            continue
        if path.name == "metrics.jsonl":
            found[name] = [{**vars(row), "seconds": None} for row in read_metrics(path)]
            of_run = checkpoints(path.parent)
            found |= {f"{name}, {key}": value for key, value in of_run.items()}
        elif path.suffix == ".nc":
            found[name] = ju.results.read(path)
            for time_ in TIMES:
                found[name].attrs.pop(time_, None)
        elif path.name in ("report.html", "index.csv"):
            found[name] = REPORT_TIMES.sub("", path.read_text())
        elif not path.name.endswith(".timing.json"):
            found[name] = path.read_bytes()
    return found


def checkpoints(run):
    """Parameters of every checkpoint, and the digests of its optimizer's state and metrics."""
    found = {}
    with open_checkpoints(run / "checkpoints") as checkpointer:
        steps = [checkpoint.step for checkpoint in checkpointer.checkpoints]
        told = {step: describe_state(checkpointer, step, "") for step in steps}
    for step in steps:
        arrays = ju.networks.arrays(ju.networks.restore(run, epoch=step))
        found[f"epoch {step}"] = {
            name: np.asarray(array).tobytes() for name, array in arrays.items()
        }
        metrics = [{**row, "seconds": None} for row in told[step]["metrics"]]
        found[f"state {step}"] = (told[step]["fingerprints"], metrics)
    return found


def differences(expected, folder):
    """Names of what a folder has otherwise than the undisturbed one."""
    found = content(folder)
    for name in sorted(expected.keys() | found.keys()):
        if name not in expected or name not in found:
            yield f"{name} is {'missing' if name in expected else 'left over'}"
        elif isinstance(expected[name], xr.Dataset):
            if not expected[name].identical(found[name]):
                yield name
        elif expected[name] != found[name]:
            yield name


def left_over(folder):
    return [path for path in folder.rglob("*") if path.name.endswith(TEMPORARY)]


class Outcome(NamedTuple):
    """What became of a program.

    Attributes:
      folders: how many were finished and compared.
      at: the moments of the signals, as shares of the undisturbed run's length.
      faults: what was not as it should be.
    """

    folders: int
    at: list[float]
    faults: list[str]


def disturb(program, number, times, length, expected, place, moments):
    """Send a signal so many times while a program runs, let it finish, and compare."""
    at, faults, folders = [], [], 0
    folder = program.prepare(place / f"{program.name}-{number.name}-0" / "run")

    def compare():
        found = [*differences(expected, folder), *map(str, left_over(folder))]
        faults.extend(f"{program.name}, {number.name}, folder {folders}: {text}" for text in found)

    while len(at) < times:
        moment = moments.uniform(0, 1)
        with running(*program.command(folder)) as process:
            try:
                output, _ = process.communicate(timeout=moment * length)
            except subprocess.TimeoutExpired:
                process.send_signal(number)
                output, _ = process.communicate(timeout=LIMIT)
        if process.returncode == 0:
            compare()
            folders += 1
            folder = program.prepare(place / f"{program.name}-{number.name}-{folders}" / "run")
            continue
        at.append(moment)
        faults.extend(
            f"{program.name}, {number.name} after {moment:.0%}: {text}"
            for text in wrong_end(number, process.returncode, output, folder)
        )
    output_of(*program.command(folder))
    compare()
    return Outcome(folders + 1, at, faults)


def wrong_end(number, code, output, folder):
    """What a stopped program should have done otherwise."""
    if number == signal.SIGKILL:
        if code != -signal.SIGKILL:
            yield f"exit code {code}: {output}"
        return
    if code != STOPPED_STATUS:
        yield f"exit code {code}, not {STOPPED_STATUS}: {output}"
    elif output.splitlines()[-1:] != [STOPPED]:
        yield f"does not end with {STOPPED!r}: {output}"
    for path in left_over(folder):
        if path.name.endswith((".partial", ".lock", ".holder")):
            yield f"leaves {path}"


def undisturbed(program, place):
    """What a run makes, and the seconds that it takes once its programs are compiled."""
    contents = []
    for name in ("first", "second"):
        folder = program.prepare(place / f"{program.name}-{name}" / "run")
        began = time.monotonic()
        output_of(*program.command(folder))
        length = time.monotonic() - began
        contents.append(content(folder))
    differing = list(differences(contents[0], folder))
    if differing:
        sys.exit(f"two undisturbed runs of {program.name} differ: {', '.join(differing)}")
    return contents[0], length


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--times", type=int, default=20, help="SIGKILLs of each program")
    parser.add_argument("--signals", type=int, default=5, help="SIGTERMs and SIGINTs of each")
    parser.add_argument("--seed", type=int, default=0, help="of the moments")
    parser.add_argument("--only", nargs="*", help="some of the programs")
    options = parser.parse_args()
    moments = random.Random(options.seed)  # noqa: S311
    faults = Counter()
    with tempfile.TemporaryDirectory(prefix="jaxunits-kills-") as folder:
        place = Path(folder)
        os.environ["JAX_COMPILATION_CACHE_DIR"] = str(place / "compiled")
        os.environ["JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS"] = "0"
        print("program   signal   times  folders  moments (% of a run)", flush=True)  # noqa: T201
        for program in programs(place):
            if options.only and program.name not in options.only:
                continue
            expected, length = undisturbed(program, place)
            for number in (signal.SIGKILL, signal.SIGTERM, signal.SIGINT):
                times = options.times if number == signal.SIGKILL else options.signals
                outcome = disturb(program, number, times, length, expected, place, moments)
                shares = " ".join(f"{100 * moment:.0f}" for moment in outcome.at)
                row = f"{program.name:9} {number.name:8} {times:5}  {outcome.folders:7}  {shares}"
                print(row, *outcome.faults, sep="\n  FAULT ", flush=True)  # noqa: T201
                faults.update(outcome.faults)
    sys.exit(bool(faults))


if __name__ == "__main__":
    main()
