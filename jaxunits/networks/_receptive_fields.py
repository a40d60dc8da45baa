"""Where the receptive fields of a layer's positions lie on the image."""

from __future__ import annotations

from .._errors import InputError
from .._kinds import checks_kinds
from ._functional import Functional
from ._network import trace_shapes
from ._stages import Centres, LocalStage


@checks_kinds
def receptive_fields(network: Functional, layer: str) -> tuple[Centres, Centres]:
    """The centres of a layer's receptive fields, down and across, in pixels of the network's image.

    Fields as convolutions and pools would have them on an image without borders. Positions of a
    residual block are those of its convolutions.

    Args:
      network: a network of stages.
      layer: one of its layers, with maps.

    Raises:
      InputError: there is no such layer, it has no maps, the network is not made of stages, or a
        stage before the layer does not tell its windows.
    """
    network.layer(layer)
    way_out = "give the centres themselves, (scale, offset) in pixels, or align by corners"
    if network.assemble is None:
        raise InputError(
            f"network {network.name!r} does not tell the receptive fields of layer {layer!r}, "
            f"since it is not made of stages: {way_out}"
        )
    stages = network.assemble(network.params)
    shapes = trace_shapes(
        [(name, stages.stages[name]) for name in stages.order],
        network.preprocessing,
        f"network {network.name!r}",
    )
    down = across = Centres(1.0, 0.0)
    size = network.preprocessing.size
    for name in stages.order[: stages.order.index(layer) + 1]:
        stage = stages.stages[name]
        shape = shapes[name]
        if len(shape) != 3:
            raise InputError(f"layer {layer!r} of network {network.name!r} has no maps: {way_out}")
        if isinstance(stage, LocalStage):
            windows = stage.centres(size)
            down, across = _behind(down, windows[0]), _behind(across, windows[1])
        elif shape[:2] != size:
            raise InputError(
                f"stage {name!r} of network {network.name!r} does not tell its windows: {way_out}"
            )
        size = shape[:2]
    return down, across


def _behind(before: Centres, windows: Centres) -> Centres:
    offset = before.offset + before.scale * windows.offset
    return Centres(before.scale * windows.scale, offset)
