"""A network's weights into a file that other libraries read."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path

import numpy as np
import safetensors.numpy

from ..._kinds import checks_kinds
from ...files import write_atomically
from .._arrays import arrays
from .._classifier import Classifier
from ._parameters import parameters


@checks_kinds
def save_weights(
    network: Classifier,
    path: str | Path,
    *,
    names: Mapping[str, str] | Callable[[str], str] | None = None,
) -> None:
    """Write a network's weights as a safetensors file with torchvision's names and layouts.

    `safetensors.torch.load_file(path)` gives a state dict that torchvision's module of the same
    architecture takes, and `load_weights` the same numbers again. The file's metadata say how the
    network was built.

    Args:
      network: of Flax NNX; one that torchvision does not have is written under its modules'
        paths.
      path: the file's place; missing parent folders are made.
      names: other names in the file, as for `load_weights`.

    Raises:
      OSError: nothing could be written; what was at `path` is unchanged.
      InputError: this is no network of Flax NNX, or `names` does not fit it.
    """
    values = arrays(network)
    content = {
        parameter.name: np.ascontiguousarray(
            parameter.stored(np.asarray(values[parameter.array], np.float32))
        )
        for parameter in parameters(network, names)
    }
    # PyTorch's loaders ask for this format.
    metadata = {"format": "pt"}
    if network.architecture is not None:
        metadata["builder"] = network.architecture.builder
        metadata["arguments"] = network.architecture.arguments
    write_atomically(path, safetensors.numpy.save(content, metadata))
