"""Several processes of one cluster job."""

from __future__ import annotations

import jax

from ._errors import InputError


def join_cluster() -> None:
    """Find the other processes of this cluster job (SLURM, a TPU pod); before any other use of JAX.

    Raises:
      InputError: this is not part of a cluster job that JAX knows.
    """
    try:
        jax.distributed.initialize()
    except (ValueError, RuntimeError) as error:
        raise InputError(
            f"this process is not part of a cluster job that JAX knows ({error}): start it with "
            "srun or on a TPU pod, or leave out ju.join_cluster() (of the commands, --distributed)"
        ) from error
