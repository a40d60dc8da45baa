"""A network's weights from a file."""

from __future__ import annotations

import logging
from collections.abc import Iterable
from pathlib import Path

import jax.numpy as jnp
import numpy as np
from flax import nnx
from jaxtyping import Array, Shaped

from ..._errors import InputError
from ..._kinds import checks_kinds
from .._network import Network
from ._comparison import Comparison, check_fit, compare
from ._dialects import matched
from ._open import opened
from ._parameters import Parameter, flat_arrays
from ._stored import StoredArray, printable

_logger = logging.getLogger(__name__)
_MOST_NAMES = 20


@checks_kinds
def load_weights(network: Network, path: str | Path, *, partial: bool = False) -> Network:
    """Fill a network with the weights of a file, which may come from another library.

    What the file is shows from its content: a PyTorch checkpoint of any age, read without PyTorch
    and without running anything that is in it; a safetensors file; for `vgg16` also Keras's
    `.weights.h5` and `.h5`. Names are torchvision's or timm's; those of networks that torchvision
    does not have are the stages': `conv1.weight`, `conv1.norm.running_mean`. Training checkpoints
    may hold more than weights, and names may have DataParallel's `module`. Numbers of 16 bits
    become float32.

    Weights do not say how images have to be prepared: Keras's VGG16 of ImageNet, for one, reads
    them as `ju.data.KERAS_VGG16` prepares them.

    Args:
      network: is filled in place.
      path: the file.
      partial: load what the file has of the network and leave the other layers as they are; also
        the last one, where only the number of classes differs. A warning in the log names them.

    Returns:
      The network.

    Raises:
      InputError: there is no such file, it is of no known format, is damaged, wants to run
        something, does not fit the network, or holds NaN or infinity. The network is unchanged
        then.
    """
    with opened(path) as file:
        wanted, found = matched(file, network)
        comparison = compare(wanted, found)
        check_fit(network, comparison, found, file.path, partial)
        now = flat_arrays(network)
        loaded = {
            parameter.path: jnp.asarray(
                parameter.own(_numbers(parameter, found[parameter.name], file.path)),
                now[parameter.path].dtype,
            )
            for parameter in comparison.fitting
        }
    _replace(network, loaded)
    if partial:
        _log_rest(comparison, wanted, file.path)
    return network


def _numbers(parameter: Parameter, array: StoredArray, path: Path) -> Shaped[np.ndarray, ...]:
    """An array's numbers as float32, all of them finite."""
    with np.errstate(over="ignore"):
        values = np.asarray(array.read(), np.float32)
    if not np.isfinite(values).all():
        count = int((~np.isfinite(values)).sum())
        raise InputError(
            f"weights file {path} has NaN or infinity in {parameter.name!r} ({count} of "
            f"{values.size} numbers): no measurement of such a network means anything. Take a "
            "checkpoint from before training diverged"
        )
    return values


def _replace(network: Network, loaded: dict[tuple[str, ...], Array]) -> None:
    state = nnx.state(network, (nnx.Param, nnx.BatchStat))
    content = nnx.traversals.unflatten_mapping({**flat_arrays(network), **loaded})
    nnx.replace_by_pure_dict(state, content)
    nnx.update(network, state)


def _log_rest(comparison: Comparison, wanted: Iterable[Parameter], path: Path) -> None:
    """Say which layers the file did not fill, and what of it was not used."""
    left = {*comparison.missing, *comparison.other}
    filled = {parameter.stage for parameter in comparison.fitting}
    # A layer of which a part was filled is named array by array.
    names = dict.fromkeys(
        parameter.name if parameter.stage in filled else parameter.stage
        for parameter in wanted
        if parameter in left
    )
    if names:
        _logger.warning(
            "not in weights file %s, so left as they are, random in a new network: %s",
            path,
            _listed(names),
        )
    if comparison.surplus:
        surplus = _listed(comparison.surplus)
        _logger.warning("of weights file %s the network has no use for: %s", path, surplus)


def _listed(names: Iterable[str]) -> str:
    names = list(names)
    more = f", … ({len(names)} in all)" if len(names) > _MOST_NAMES else ""
    return ", ".join(map(printable, names[:_MOST_NAMES])) + more
