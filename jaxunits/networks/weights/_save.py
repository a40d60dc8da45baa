"""A network's weights into a file that other libraries read."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import safetensors.numpy

from ..._kinds import checks_kinds
from ...results import write_atomically
from .._network import Network
from ._parameters import flat_arrays, parameters


@checks_kinds
def save_weights(network: Network, path: str | Path) -> None:
    """Write a network's weights as a safetensors file with torchvision's names and layouts.

    `safetensors.torch.load_file(path)` gives a state dict that torchvision's module of the same
    architecture takes, and `load_weights` the same numbers again. The file's metadata say how the
    network was built.

    Args:
      network: the network; those that torchvision does not have are written under their stages'
        names.
      path: the file's place; missing parent folders are made.

    Raises:
      OSError: nothing could be written; what was at `path` is unchanged.
    """
    arrays = flat_arrays(network)
    content = {
        parameter.name: np.ascontiguousarray(
            parameter.stored(np.asarray(arrays[parameter.path], np.float32))
        )
        for parameter in parameters(network)
    }
    # PyTorch's loaders ask for this format.
    metadata = {"format": "pt"}
    if network.architecture is not None:
        metadata["builder"] = network.architecture.builder
        metadata["arguments"] = network.architecture.arguments
    write_atomically(path, safetensors.numpy.save(content, metadata))
