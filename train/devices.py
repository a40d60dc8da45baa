"""The devices of all processes, which share the images of every batch."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

import jax
import numpy as np
from jax.experimental import multihost_utils
from jax.sharding import AxisType, NamedSharding, PartitionSpec
from jaxtyping import PyTree

import jaxunits as ju


class Devices:
    """All devices, in one mesh over the images of a batch; every device holds the whole network.

    Attributes:
      processes: how many processes there are.
      process: which of them this is.
    """

    def __init__(self, batch_size: int) -> None:
        """Take all devices.

        Raises:
          InputError: a batch cannot be divided among them.
        """
        count = jax.device_count()
        if batch_size % count:
            raise ju.InputError(
                f"batch_size={batch_size} for {count} devices: give a multiple of {count}"
            )
        self.processes, self.process = jax.process_count(), jax.process_index()
        self._mesh = jax.make_mesh((count,), ("images",), axis_types=(AxisType.Auto,))
        self.everywhere = NamedSharding(self._mesh, PartitionSpec())

    @property
    def first(self) -> bool:
        """Whether this process is the one that writes."""
        return self.process == 0

    def compile(self, function: Callable[..., Any]) -> Callable[..., Any]:
        """Compile a function of a state, whose results every device holds.

        The state is used up: what comes after it lies in the same memory.
        """
        return jax.jit(function, out_shardings=self.everywhere, donate_argnums=0)

    def replicate(self, tree: PyTree) -> PyTree:
        """Give every device its own copy of the whole of a tree that every process has."""
        place = functools.partial(_placed, self.everywhere)
        return jax.tree.map(place, tree)

    def share_out(self, batch: ju.data.Batch, runs: int) -> ju.data.Batch:
        """A batch over all devices, from the rows that each process has read.

        Args:
          batch: this process's rows, with a leading axis for several runs.
          runs: how many runs there are.
        """
        rows = PartitionSpec("images") if runs == 1 else PartitionSpec(None, "images")
        sharding = NamedSharding(self._mesh, rows)
        return ju.data.Batch._make(_placed(sharding, np.asarray(part)) for part in batch)

    def agree(self, name: str, act: Callable[[], None]) -> None:
        """Let the first process do something that the others wait for.

        Raises:
          InputError: what it raised; on the others that it did.
        """
        failure: Exception | None = None
        if self.first:
            try:
                act()
            except (ju.InputError, OSError) as error:
                failure = error
        if self.processes > 1:
            failed = multihost_utils.broadcast_one_to_all(np.asarray(failure is not None))
            if bool(failed) and failure is None:
                failure = ju.InputError(f"{name}: process 0 could not do it; see its message")
        if failure is not None:
            raise failure


def _placed(sharding: NamedSharding, values: Any) -> jax.Array:
    if jax.process_count() == 1:
        return jax.device_put(values, sharding, may_alias=False)
    return jax.make_array_from_process_local_data(sharding, np.asarray(values))
