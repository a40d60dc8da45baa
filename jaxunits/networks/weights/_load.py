"""A network's weights from a file."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any

import jax.numpy as jnp
import numpy as np
from jaxtyping import Shaped

from ..._errors import InputError
from ..._kinds import checks_kinds
from .._arrays import arrays, with_arrays
from .._classifier import Classifier
from ._comparison import Comparison, check_fit, compare
from ._dialects import matched
from ._open import opened
from ._parameters import Parameter
from ._stored import StoredArray, printable

_logger = logging.getLogger(__name__)
_MOST_NAMES = 20


@checks_kinds
def load_weights(
    network: Classifier,
    weights: str | Path | Mapping[str, Any],
    *,
    partial: bool = False,
    names: Mapping[str, str] | Callable[[str], str] | None = None,
    entry: str | None = None,
) -> Classifier:
    """A network with the weights of a file, which may come from another library.

    The format is recognized by its content: a PyTorch checkpoint of any age, read without PyTorch
    and without executing anything in it; a safetensors file; for `vgg16` also Keras's
    `.weights.h5` and `.h5`. Names are torchvision's or timm's; those of other networks are their
    modules' paths: `conv1.weight`, `bn1.running_mean`, with PyTorch's layouts. Training checkpoints
    may hold more than weights, and names may have DataParallel's prefix `module.`. 16-bit
    numbers become float32.

    Weights do not say how images have to be prepared: Keras's VGG16 of ImageNet, for one, reads
    them as `ju.data.KERAS_VGG16` prepares them.

    Args:
      network: a network of Flax NNX, which is not changed.
      weights: the file, or a state dict of NumPy, JAX or PyTorch arrays.
      partial: load what the file has of the network and leave the other layers as they are; also
        the last one if only the number of classes differs. A warning in the log names them.
      names: if the file names parameters differently, a dictionary or function from the network's
        names, as above, to the file's. Layouts have to be PyTorch's.
      entry: which part of a PyTorch checkpoint holds the weights, such as `"state_dict_ema"`; only
        needed if it holds averaged weights beside the weights.

    Returns:
      A new network with these weights.

    Raises:
      InputError: there is no such file, it has no known format, is damaged, would execute
        something, does not fit the network, holds NaN or infinity, has no such entry or several to
        choose from, or `names` names a parameter that the network does not have.
    """
    with opened(weights, entry) as file:
        wanted, found = matched(file, network, names)
        comparison = compare(wanted, found)
        check_fit(network, comparison, found, file.place, partial)
        now = arrays(network)
        loaded = {
            parameter.array: jnp.asarray(
                parameter.own(_numbers(parameter, found[parameter.name], file.place)),
                now[parameter.array].dtype,
            )
            for parameter in comparison.fitting
        }
    if partial:
        _log_rest(comparison, wanted, file.place)
    return with_arrays(network, loaded)


def _numbers(parameter: Parameter, array: StoredArray, place: str) -> Shaped[np.ndarray, ...]:
    """An array's numbers as float32, all of them finite."""
    with np.errstate(over="ignore"):
        values = np.asarray(array.read(), np.float32)
    if not np.isfinite(values).all():
        count = int((~np.isfinite(values)).sum())
        raise InputError(
            f"{place} has NaN or infinity in {parameter.name!r} ({count} of "
            f"{values.size} numbers): no measurement of such a network means anything. Take a "
            "checkpoint from before training diverged"
        )
    return values


def _log_rest(comparison: Comparison, wanted: Iterable[Parameter], place: str) -> None:
    """Log which layers the file did not fill, and which of its arrays were not used."""
    left = {*comparison.missing, *comparison.other}
    filled = {parameter.layer for parameter in comparison.fitting}
    # A layer of which a part was filled is named array by array.
    names = dict.fromkeys(
        parameter.name if parameter.layer in filled else parameter.layer
        for parameter in wanted
        if parameter in left
    )
    if names:
        _logger.warning(
            "not in %s, so left as they are, random in a new network: %s",
            place,
            _listed(names),
        )
    if comparison.surplus:
        surplus = _listed(comparison.surplus)
        _logger.warning("of %s the network has no use for: %s", place, surplus)


def _listed(names: Iterable[str]) -> str:
    names = list(names)
    more = f", … ({len(names)} in all)" if len(names) > _MOST_NAMES else ""
    return ", ".join(map(printable, names[:_MOST_NAMES])) + more
