"""The provenance of every result."""

from __future__ import annotations

from ..data import Dataset
from ..data.concepts import Concepts
from ..networks import Classifier
from ._execution import Execution


def provenance(
    measured: str,
    network: Classifier,
    layer: str | None,
    data: Dataset | Concepts | None,
    execution: Execution,
) -> dict[str, str]:
    """What the numbers of a layer, or of a network, depend on, whatever is measured.

    Args:
      measured: what is measured, by the function's name.
      network: the network.
      layer: the layer's name; None if no layer is measured.
      data: the images; None where none are read.
      execution: the execution options.
    """
    images: dict[str, str] = {}
    if data is not None:
        images = {
            "data": data.name,
            "split": data.split,
            "images": str(len(data)),
            "data_fingerprint": data.fingerprint,
            "skipped_files": str(len(data.skipped)) if isinstance(data, Dataset) else "0",
        }
    place: dict[str, str] = {}
    if layer is not None:
        place = {
            "layer": layer,
            "unit_is": network.layers[layer].unit_is,
            "layer_number": str(list(network.layers).index(layer)),
        }
    return {
        "measured": measured,
        "network": network.name,
        "architecture": network.architecture.arguments if network.architecture else "",
        "parameters": network.fingerprint,
        "preprocessing": str(network.preprocessing),
        **place,
        **images,
        "precision": execution.precision,
    }
