"""Trained networks from run folders."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from .._errors import InputError, unknown_name
from .._kinds import checks_kinds
from ..data import Preprocessing
from ..files import read_json, write_json
from ..results import RunFolder
from ._alexnet import alexnet, alexnet_bn
from ._arrays import arrays, with_arrays
from ._cifar_resnet import cifar_resnet
from ._classifier import Classifier
from ._convnet import convnet
from ._mlp import mlp
from ._resnet import resnet18
from ._squeezenet import squeezenet1_0, squeezenet1_1
from ._vgg import vgg16, vgg16_bn
from ._vision_transformer import vision_transformer
from .checkpoints import abstract, describe_state, load_state, open_checkpoints, save_state, shapes

# Every builder of networks in this library, by name.
BUILDERS: Mapping[str, Callable[..., Classifier]] = {
    "alexnet": alexnet,
    "alexnet_bn": alexnet_bn,
    "cifar_resnet": cifar_resnet,
    "convnet": convnet,
    "mlp": mlp,
    "resnet18": resnet18,
    "squeezenet1_0": squeezenet1_0,
    "squeezenet1_1": squeezenet1_1,
    "vgg16": vgg16,
    "vgg16_bn": vgg16_bn,
    "vision_transformer": vision_transformer,
}


@checks_kinds
def save_architecture(network: Classifier, run_folder: str | Path) -> None:
    """Save how to build a network again.

    Args:
      network: the network.
      run_folder: the folder that it is written to.

    Raises:
      InputError: no builder of this library made the network, so that none could build it again.
    """
    if network.architecture is None:
        raise InputError(
            f"network {network.name!r} is of a module of your own, which has no architecture to "
            "save: restore it with restore(run_folder, network)"
        )
    content = {
        "builder": network.architecture.builder,
        "arguments": json.loads(network.architecture.arguments),
    }
    path = RunFolder(Path(run_folder)).architecture
    write_json(path, content)


@checks_kinds
def save(network: Classifier, run_folder: str | Path) -> None:
    """Write a network as a run folder, from which `restore` reads it.

    A network saved there before is replaced. A network of your own module is restored into one
    built in the same way: `restore(run_folder, network)`.

    Args:
      network: the network.
      run_folder: the folder, which is made where it is missing.

    Raises:
      InputError: the folder is of a training run, or Orbax is not installed.
    """
    folder = RunFolder(Path(run_folder))
    if folder.configuration.exists():
        raise InputError(
            f"run folder {folder.path} is of a training run, which resumes from its checkpoints: "
            "give another folder"
        )
    if network.architecture is None:
        folder.architecture.unlink(missing_ok=True)
    else:
        save_architecture(network, folder.path)
    with open_checkpoints(folder.checkpoints) as checkpointer:
        last = checkpointer.latest
        save_state(checkpointer, last.step if last else 0, {"network": arrays(network)}, [])


@checks_kinds
def restore(
    run_folder: str | Path, network: Classifier | None = None, *, epoch: int | None = None
) -> Classifier:
    """The trained network of a run folder.

    Args:
      run_folder: the folder that the training program wrote.
      network: a network of the same architecture, which provides all but the parameters and is not
        changed; by default it is built from the folder.
      epoch: the number of epochs of training; the last checkpoint by default.

    Returns:
      The network, with the parameters of the checkpoint.

    Raises:
      InputError: there is no such folder or checkpoint, the checkpoint is of another architecture,
        or was damaged since it was written.
    """
    folder = RunFolder(Path(run_folder))
    network = network or _build(folder)
    with _opened(folder, epoch) as (checkpointer, step, way_out):
        expected = arrays(network)
        check_same_arrays(
            describe_state(checkpointer, step, way_out)["shapes"]["network"],
            shapes(expected),
            f"checkpoint {folder.checkpoints / str(step)}",
            network,
        )
        like = {"network": abstract(expected)}
        loaded, _ = load_state(checkpointer, step, like, way_out)
    return with_arrays(network, loaded["network"])


@checks_kinds
def saved_metrics(run_folder: str | Path, *, epoch: int | None = None) -> list[dict[str, Any]]:
    """The metrics of every epoch up to a checkpoint, as the training program saved them in it.

    Args:
      run_folder: the folder that the training program wrote.
      epoch: the epoch of the checkpoint; the last by default.

    Returns:
      One dictionary per epoch, the first epoch first.

    Raises:
      InputError: there is no such folder or checkpoint, or it is damaged.
    """
    with _opened(RunFolder(Path(run_folder)), epoch) as (checkpointer, step, way_out):
        return list(describe_state(checkpointer, step, way_out)["metrics"])


@contextlib.contextmanager
def _opened(folder: RunFolder, epoch: int | None) -> Iterator[tuple[Any, int, str]]:
    """The checkpoints, the step of the chosen one, and what to do if it is damaged."""
    nothing = InputError(
        f"run folder {folder.path} has no checkpoint yet: train it (jaxunits train)"
    )
    if not folder.checkpoints.is_dir():
        raise nothing
    with open_checkpoints(folder.checkpoints) as checkpointer:
        steps = [checkpoint.step for checkpoint in checkpointer.checkpoints]
        if not steps:
            raise nothing
        if epoch is not None and epoch not in steps:
            raise unknown_name("epoch", str(epoch), map(str, steps), f"run folder {folder.path}")
        step = steps[-1] if epoch is None else epoch
        others = ", ".join(f"epoch={other}" for other in steps if other != step)
        yield (
            checkpointer,
            step,
            "train again with the same command, which resumes from the last intact checkpoint"
            + (f", or restore another one ({others})" if others else ""),
        )


def check_same_arrays(
    stored: Mapping[str, Sequence[int]],
    expected: Mapping[str, Sequence[int]],
    place: str,
    network: Classifier,
) -> None:
    """Compare the shapes of arrays by their names.

    Raises:
      InputError: they differ; the first differences are named.
    """
    found = {key: tuple(shape) for key, shape in stored.items()}
    wanted = {key: tuple(shape) for key, shape in expected.items()}
    differences = [
        f"{key} is {found.get(key, 'missing')} there and {wanted.get(key, 'missing')} here"
        for key in sorted(found.keys() | wanted.keys())
        if found.get(key) != wanted.get(key)
    ]
    if differences:
        more = f"; and {len(differences) - 3} more" if len(differences) > 3 else ""
        raise InputError(
            f"{place} has another architecture than network {network.name!r}: "
            f"{'; '.join(differences[:3])}{more}. Build the network with the arguments that it was "
            "trained with, or leave the network out to build it from the folder"
        )


def _build(folder: RunFolder) -> Classifier:
    if folder.checkpoints.is_dir() and not folder.architecture.exists():
        raise InputError(
            f"run folder {folder.path} is of a network of your own: build it, and give it to "
            "restore(run_folder, network) (jaxunits analysis --network FILE:FUNCTION)"
        )
    content = read_json(folder.architecture, f"{folder.path} is not a run folder")
    builder, arguments = str(content.get("builder")), content.get("arguments")
    if builder not in BUILDERS or not isinstance(arguments, dict):
        raise unknown_name("network", builder, BUILDERS, "ju.networks")
    try:
        preprocessing = Preprocessing(**_tuples(arguments.pop("preprocessing")))
        return BUILDERS[builder](**arguments, preprocessing=preprocessing)
    except (KeyError, TypeError) as error:
        raise InputError(f"{folder.architecture} does not describe a {builder}: {error}") from error


def _tuples(settings: Mapping[str, Any]) -> dict[str, Any]:
    return {
        key: tuple(value) if isinstance(value, list) else value for key, value in settings.items()
    }
