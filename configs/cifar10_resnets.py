"""ResNet-20, 32 and 44 with public weights on CIFAR-10: all papers, and Shapley values.

Run it with `python -m configs.cifar10_resnets --weights FOLDER --images tfds:cifar10`; nothing is
trained. What follows `--` goes to the analysis of each network, such as `-- --plan`.
Of the 10,000 test images 9,173, 9,263 and 9,310 are classified correctly (`--evaluate`). The sweeps
of all layers, 28, 46 and 64, take 12.9, 39.5 and 80.7 billion multiply-adds an image (`--plan`
tells them layer by layer): for all images about one, three and six hours on 2 cores.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import numpy as np
import tyro
from rich.console import Console

import jaxunits as ju
from jaxunits.data._decoding import open_image
from jaxunits.train.console import run_program
from jaxunits.train.start import end_program, start_program

if TYPE_CHECKING:
    from jaxunits.analysis.settings import Settings

PREPROCESSING = replace(ju.data.CIFAR10, mean=ju.data.IMAGENET.mean, std=ju.data.IMAGENET.std)
CLASSES = ("airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck")
# All but what needs the training of the networks, or several seeds of one.
EXPERIMENTS = (
    *("drop_curves", "greedy", "correlations", "concepts", "rotations", "unit_panels"),
    *("phase_transition", "stability", "roles", "substitution", "synthesized_images"),
    *("rivals", "shapley"),
)
_WAY_OUT = "give a folder of PNG with an image a row, or another source"
_PROG = "python -m configs.cifar10_resnets"
_ROWS = {"test": ("test_batch",), "train": ("data_batch_1", "data_batch_2")}


@dataclass(frozen=True)
class Options:
    """Which networks, on which images."""

    weights: Path
    """The folder of `cifar10_resnet20.safetensors` and the others."""
    images: str
    """`tfds:cifar10`, `folder:PATH` with a folder of each class in PATH/test and PATH/train, or the
    path of a folder of PNG with an image a row (`test_batch.png`, `data_batch_1.png`)."""
    folder: Path = Path("runs/cifar10_resnets")
    """Above the run folders `resnet20/seed0` and so on."""
    depths: Annotated[tuple[int, ...], ju.Range(20)] = (20, 32, 44)
    """Which networks, by their depths."""
    test_images: Annotated[int | None, ju.Range(1)] = None
    """Test images to measure on, drawn at random; all by default."""
    evaluate: bool = False
    """Count the images that each network classifies correctly, and measure nothing else."""

    def __post_init__(self) -> None:
        ju.check_settings(self)


def main(arguments: list[str] | None = None) -> int:
    """Run the command line; returns the exit status."""
    return run_program(_run, arguments)


def _run(arguments: list[str], console: Console) -> None:
    cut = arguments.index("--") if "--" in arguments else len(arguments)
    options = tyro.cli(Options, prog=_PROG, description=__doc__, args=arguments[:cut])
    ju.use_compilation_cache()
    data = images(options.images, "test")
    if options.test_images is not None:
        data = ju.data.sample(data, options.test_images)
    for depth in options.depths:
        network = resnet(depth, options.weights)
        if options.evaluate:
            found = ju.evaluate(network, data)
            right, total = int(found.correct.sum()), int(found.n_images.sum())
            console.print(f"ResNet-{depth}: {right:,} of {total:,} images correct")
        else:
            _analyze(network, data, options, depth, arguments[cut + 1 :], console)


def resnet(depth: int, weights: Path) -> ju.networks.Classifier:
    """A network with its public weights."""
    network = ju.networks.cifar_resnet(depth, len(CLASSES), preprocessing=PREPROCESSING)
    return ju.networks.load_weights(network, weights / f"cifar10_resnet{depth}.safetensors")


def images(source: str, split: str) -> ju.data.Dataset:
    """Test or training images."""
    folder = Path(source)
    if not (folder / "test_batch.png").is_file():
        return ju.data.load(source, split)
    rows = [open_image(folder / f"{name}.png", name, _WAY_OUT).image for name in _ROWS[split]]
    batches = [np.asarray(each).reshape(-1, *PREPROCESSING.size, 3) for each in rows]
    labels = np.asarray(json.loads((folder / f"{split}_labels.json").read_text()))
    found = ju.data.load((np.concatenate(batches), labels), split, class_names=CLASSES)
    return replace(found, name="cifar10")


def _analyze(
    network: ju.networks.Classifier,
    data: ju.data.Dataset,
    options: Options,
    depth: int,
    arguments: list[str],
    console: Console,
) -> None:
    """Measure a network and write its report, or tell what that will cost."""
    # Here, so that the training program, which reads all configurations, does not load it.
    from jaxunits.analysis.experiment import chosen
    from jaxunits.analysis.measure import measure
    from jaxunits.analysis.plan import print_plans
    from jaxunits.analysis.studies import drawn, named
    from jaxunits.analysis.subject import Subject

    folder = options.folder / f"resnet{depth}" / "seed0"
    settings = _settings(folder, data.split, depth, arguments)
    subject = Subject(
        config=settings,
        folder=ju.results.RunFolder(folder),
        network=network,
        data=data,
        console=console,
        load_training=lambda: images(options.images, "train"),
    )
    wanted = chosen(settings.experiments or EXPERIMENTS, 1)
    if settings.plan:
        print_plans(subject, wanted)
        return
    found = drawn([named(folder, options.folder, measure(subject, wanted))], settings, wanted)
    console.print(f"report: {found.report}")


def _settings(folder: Path, split: str, depth: int, arguments: list[str]) -> Settings:
    """How a network is analyzed: what takes long of few layers, where none are asked for."""
    from jaxunits.analysis.experiment import config
    from jaxunits.analysis.settings import with_options

    def parsed(default: Settings) -> Settings:
        given = [str(folder), *arguments]
        found = tyro.cli(config(), prog=f"{_PROG} --", default=default, args=given)
        return replace(found, split=found.split or split)

    default = config()(folder)
    asked = parsed(default)
    if asked.layers:
        return asked
    blocks = (depth - 2) // 6
    ends = [f"layer{group}.{blocks - 1}" for group in (1, 2, 3)]
    few = {
        "rotations.layers": ends,
        "concepts.layers": ends,
        "topology.layers": [f"layer3.{block}" for block in range(blocks)],
    }
    return parsed(with_options(default, few))


if __name__ == "__main__":
    start_program()
    end_program(main())
