"""Checkpoints whose arrays and metrics have digests, in Orbax's own metadata."""

from __future__ import annotations

import contextlib
import glob
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, ParamSpec, TypeVar

import jax
from jaxtyping import PyTree

from .._errors import InputError
from .._optional import check_installed
from ..files import DamagedError, seal_settings, unseal_settings
from ..results import fingerprint
from ._arrays import named_leaves

Arguments = ParamSpec("Arguments")
Result = TypeVar("Result")

# What Orbax and TensorStore raise for files that are missing, cut or changed. Memory that runs out
# and files that must not be read are other errors, which leave a checkpoint what it is.
_DAMAGED = (ValueError, LookupError, TypeError, AttributeError, FileNotFoundError)


class DamagedCheckpointError(InputError):
    """A checkpoint was damaged since it was written."""

    def __init__(self, place: Path, error: Exception, way_out: str) -> None:
        super().__init__(f"checkpoint {place} is damaged ({error}): {way_out}")


@contextlib.contextmanager
def open_checkpoints(path: Path, **options: Any) -> Iterator[Any]:
    """Orbax's checkpointer of a folder, which is made where it is missing.

    Args:
      path: the folder.
      **options: of the checkpointer.

    Yields:
      An `orbax.checkpoint.v1.training.Checkpointer`.

    Raises:
      InputError: Orbax is not installed, or cannot read its own description of a checkpoint.
    """
    check_installed("orbax.checkpoint", "train", f"folder of checkpoints {path}")
    from orbax.checkpoint import v1 as ocp

    path.mkdir(parents=True, exist_ok=True)
    folder = path.resolve()
    with contextlib.ExitStack() as held:
        if glob.has_magic(str(folder)):
            # Orbax looks for its files with patterns that begin with the folder's name.
            links = held.enter_context(tempfile.TemporaryDirectory(prefix="jaxunits-"))
            link = Path(links) / "checkpoints"
            link.symlink_to(folder, target_is_directory=True)
            folder = link
        try:
            checkpointer = ocp.training.Checkpointer(folder, **options)
        except _DAMAGED as error:
            raise InputError(
                f"{path} holds a checkpoint that was damaged since it was written ({error}): move "
                f"the damaged one of its folders ({', '.join(_steps(path))}) elsewhere"
            ) from error
        yield held.enter_context(checkpointer)


def _steps(path: Path) -> list[str]:
    return sorted(each.name for each in path.iterdir() if each.is_dir())


def save_state(
    checkpointer: Any,
    step: int,
    trees: Mapping[str, PyTree],
    metrics: Sequence[Mapping[str, Any]],
) -> None:
    """Save trees of arrays as the checkpoint of a step, in the place of an older one.

    Args:
      checkpointer: Orbax's, of the folder.
      step: the checkpoint's number.
      trees: by name.
      metrics: the metrics of every epoch so far.
    """
    description = {
        "shapes": {name: shapes(tree) for name, tree in trees.items()},
        "fingerprints": {name: fingerprint(tree) for name, tree in trees.items()},
        "metrics": list(metrics),
    }
    _without_interrupts(
        checkpointer.save_checkpointables,
        step,
        dict(trees),
        force=True,
        overwrite=True,
        custom_metadata=seal_settings(description),
    )


def describe_state(checkpointer: Any, step: int, way_out: str) -> dict[str, Any]:
    """The `shapes`, `fingerprints` and `metrics` of a checkpoint.

    Raises:
      DamagedCheckpointError: they are not what `save_state` wrote.
    """
    try:
        found = _without_interrupts(checkpointer.checkpointables_metadata, step)
        return unseal_settings(dict(found.custom_metadata or {}))
    except _DAMAGED as error:
        raise DamagedCheckpointError(_place(checkpointer, step), error, way_out) from error


def load_state(
    checkpointer: Any,
    step: int,
    like: Mapping[str, PyTree],
    way_out: str,
) -> tuple[dict[str, PyTree], list[dict[str, Any]]]:
    """Trees of arrays of a checkpoint, bit for bit as they were saved, and its metrics.

    Args:
      checkpointer: Orbax's, of the folder.
      step: the checkpoint's number.
      like: shapes, types and places of the trees to load, by name; see `abstract`.
      way_out: what to do where it is damaged, for the error.

    Raises:
      DamagedCheckpointError: they are not what `save_state` was given.
    """
    description = describe_state(checkpointer, step, way_out)
    try:
        loaded = _without_interrupts(checkpointer.load_checkpointables, step, dict(like))
        for name, tree in loaded.items():
            if fingerprint(tree) != description["fingerprints"][name]:
                raise DamagedError(f"{name!r} does not have its digest")
    except _DAMAGED as error:
        raise DamagedCheckpointError(_place(checkpointer, step), error, way_out) from error
    return dict(loaded), description["metrics"]


def _without_interrupts(
    function: Callable[Arguments, Result], *args: Arguments.args, **kwargs: Arguments.kwargs
) -> Result:
    """Call a function in a thread, where Ctrl-C does not arrive; it is raised when that is done.

    Orbax takes an interrupt for a checkpoint that it cannot read.
    """
    with ThreadPoolExecutor(1) as thread:
        return thread.submit(function, *args, **kwargs).result()


def abstract(tree: PyTree, sharding: jax.sharding.Sharding | None = None) -> PyTree:
    """Shapes, types and places of a tree's arrays, into which Orbax restores.

    Args:
      tree: the arrays.
      sharding: where they shall be; on this process's first device by default.
    """
    sharding = sharding or jax.sharding.SingleDeviceSharding(jax.local_devices()[0])
    return jax.tree.map(
        lambda leaf: jax.ShapeDtypeStruct(leaf.shape, leaf.dtype, sharding=sharding), tree
    )


def shapes(tree: PyTree) -> dict[str, list[int]]:
    """The shape of every array, by dotted name."""
    return {name: list(leaf.shape) for name, leaf in named_leaves(tree).items()}


def _place(checkpointer: Any, step: int) -> Path:
    return Path(checkpointer.directory).resolve() / str(step)
