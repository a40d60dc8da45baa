"""Orbax, behind one file: training states on disk, whole or not at all."""

from __future__ import annotations

import contextlib
import shutil
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from types import TracebackType

import jax
from orbax.checkpoint import v1 as ocp

import jaxunits as ju
from jaxunits.files import no_space
from jaxunits.networks.checkpoints import abstract, load_state, open_checkpoints, save_state

from .config import Checkpoints
from .metrics import EpochMetrics
from .step import State, network_arrays, with_arrays

_ROOM = 1.2


class CheckpointFolder:
    """The checkpoints of a run: `network` and `optimizer`, one step per epoch.

    A context manager. Checkpoints that an interruption left unfinished are removed on opening.
    """

    def __init__(self, path: Path, settings: Checkpoints) -> None:
        self.path = path
        policies = ocp.training.preservation_policies
        keep = (
            policies.PreserveAll() if settings.keep == "all" else policies.LatestN(settings.latest)
        )
        self._held = contextlib.ExitStack()
        self._checkpointer = self._held.enter_context(
            open_checkpoints(path, preservation_policy=keep, cleanup_tmp_directories=True)
        )

    def __enter__(self) -> CheckpointFolder:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._held.__exit__(kind, error, trace)

    @property
    def epochs(self) -> int:
        """The number of epochs of the latest checkpoint; 0 without one."""
        latest = self._checkpointer.latest
        return 0 if latest is None else int(latest.step)

    def load(
        self, epochs: int, like: State, sharding: jax.sharding.Sharding
    ) -> tuple[State, list[EpochMetrics]]:
        """The state after `epochs` epochs, into the shapes of another, and all epochs' metrics.

        Raises:
          DamagedCheckpointError: that checkpoint was damaged since it was written.
          InputError: it is not kept.
        """
        if epochs not in [checkpoint.step for checkpoint in self._checkpointer.checkpoints]:
            raise ju.InputError(
                f"{self.path} has no checkpoint of epoch {epochs}, where runs beside it are: train "
                "it alone, with --seeds"
            )
        network = network_arrays(like)
        loaded, metrics = load_state(
            self._checkpointer,
            epochs,
            {
                "network": abstract(network, sharding),
                "optimizer": abstract(like.optimizer, sharding),
            },
            f"it is moved to {self._aside(epochs)}",
        )
        state = with_arrays(like, loaded["network"], loaded["optimizer"])
        return state, [EpochMetrics(**epoch) for epoch in metrics]

    def set_aside(self, epochs: int) -> None:
        """Move a damaged checkpoint out of the way of whole ones."""
        aside = self._aside(epochs)
        if aside.is_dir():
            shutil.rmtree(aside)
        (self.path / str(epochs)).rename(aside)

    def reload(self) -> None:
        """Look again which checkpoints there are."""
        self._checkpointer.reload()

    def _aside(self, epochs: int) -> Path:
        return self.path.parent / f"damaged-checkpoint-{epochs}"

    def save(self, epochs: int, state: State, metrics: Sequence[EpochMetrics]) -> None:
        """Save a state after `epochs` epochs, and all epochs' metrics.

        Raises:
          OSError: the disk is full; earlier checkpoints are still there.
        """
        size = sum(leaf.nbytes for leaf in jax.tree.leaves(state))
        if shutil.disk_usage(self.path).free < _ROOM * size:
            raise no_space(self.path / str(epochs), size)
        # Of runs that were stopped between two saves, some are ahead and come here again.
        save_state(
            self._checkpointer,
            epochs,
            {"network": network_arrays(state), "optimizer": state.optimizer},
            [asdict(epoch) for epoch in metrics],
        )
