"""A network: an ordered sequence of named stages."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import Any

import jax
from flax import nnx
from jaxtyping import Array, Float, PRNGKeyArray, PyTree

from .._arguments import is_real_type
from .._errors import InputError, unknown_name
from .._kinds import checks_kinds
from ..data import Preprocessing
from ._architecture import Architecture
from ._layer import Layer, find_layer
from ._masking import Masks, ablate, check_masks
from ._stages import RandomStage, Stage
from ._state import features_of, with_features


class Network(nnx.Module):
    """An image classifier made of named stages; units live at the outputs of those that have them.

    `network(images, masks)` is a pure function of parameters, images and masks, so `jax.vmap` over
    masks evaluates many ablations at once. Parts of it run from one stage to another.

    Attributes:
      stages: the stages by name.
      order: their names, in the order in which they run.
      preprocessing: what it expects of images.
      classes: how many logits it gives.
      architecture: how to build it again; None for a network assembled by hand.
    """

    @checks_kinds
    def __init__(
        self,
        stages: Sequence[tuple[str, Stage]],
        *,
        preprocessing: Preprocessing,
        architecture: Architecture | None = None,
    ) -> None:
        """Put stages in order.

        Raises:
          InputError: two stages share a name, or the images are too small for the stages.
        """
        if not len(stages):
            raise InputError("no stages: give at least one")
        self.order = tuple(name for name, _ in stages)
        if len(set(self.order)) != len(self.order):
            raise InputError(f"stages {', '.join(self.order)}: give each stage a name of its own")
        self.stages = nnx.Dict(dict(stages))
        self.preprocessing = preprocessing
        self.architecture = architecture
        shapes = trace_shapes(stages, preprocessing, f"network {self.name!r}")
        self.classes = shapes[self.order[-1]][-1]
        self._layers = tuple(
            Layer(name, stage.units, shapes[name][:-1])
            for name, stage in stages
            if stage.units is not None
        )

    @property
    def name(self) -> str:
        """What the network is called in messages and results."""
        return self.architecture.builder if self.architecture else "assembled"

    @property
    def layers(self) -> dict[str, Layer]:
        """The layers that have units, in order."""
        return {layer.name: layer for layer in self._layers}

    def __call__(
        self,
        images: Float[Array, "images height width channels"],
        masks: Masks | None = None,
        values: Masks | None = None,
        *,
        key: PRNGKeyArray | None = None,
    ) -> Float[Array, "images classes"]:
        """Logits, with some units ablated.

        Args:
          images: preprocessed images.
          masks: for each layer with ablated units one number a unit: 1 keeps it, 0 ablates it.
          values: for each of these layers what its ablated units give; zero by default.
          key: in training, of what random stages draw; without it they do nothing.

        Raises:
          InputError: images or masks are not of the network's shape.
        """
        return self.run(images, masks=masks, values=values, key=key)

    def run(
        self,
        state: PyTree,
        *,
        after: str | None = None,
        through: str | None = None,
        masks: Masks | None = None,
        values: Masks | None = None,
        key: PRNGKeyArray | None = None,
    ) -> PyTree:
        """Run some of the stages.

        Args:
          state: what stage `after` left, its mask applied already; images if `after` is None.
          after: the last stage that has run; None for none.
          through: the last stage to run, its mask included; None for all.
          masks: as in a call.
          values: as in a call.
          key: as in a call.

        Returns:
          The state that stage `through` leaves; logits after the last.
        """
        masks, values = ({} if each is None else each for each in (masks, values))
        for each in (masks, values):
            check_masks(each, self._layers, f"network {self.name!r}")
        if after is None:
            self._check_images(state)
        start = 0 if after is None else self._position(after) + 1
        stop = len(self.order) if through is None else self._position(through) + 1
        for position, name in enumerate(self.order[start:stop], start=start):
            stage = self.stages[name]
            if key is not None and isinstance(stage, RandomStage):
                state = stage.in_training(state, jax.random.fold_in(key, position))
            else:
                state = stage(state)
            if name in masks:
                features = ablate(features_of(state), masks[name], values.get(name))
                state = with_features(state, features)
        return state

    def activations(
        self, images: Float[Array, "images height width channels"], layer: str
    ) -> Float[Array, "images *map units"]:
        """What the units of a layer answer, after their non-linearity.

        Raises:
          InputError: there is no such layer.
        """
        find_layer(self.layers, layer, f"network {self.name!r}")
        return features_of(self.run(images, through=layer))

    def with_activations(
        self,
        images: Float[Array, "images height width channels"],
        layers: Sequence[str],
        *,
        masks: Masks | None = None,
        values: Masks | None = None,
        key: PRNGKeyArray | None = None,
    ) -> tuple[Float[Array, "images classes"], dict[str, Float[Array, "images ..."]]]:
        """Logits, and what the units of some layers answer on the way there.

        Args:
          images: preprocessed images.
          layers: the layers, in any order.
          masks: as in a call.
          values: as in a call.
          key: as in a call.

        Raises:
          InputError: there is no such layer, or images or masks are not of the network's shape.
        """
        if isinstance(layers, str) or not isinstance(layers, Collection):
            raise InputError(f"layers={layers!r}: give a list of names of layers")
        for name in layers:
            find_layer(self.layers, name, f"network {self.name!r}")
        options: dict[str, Any] = {"masks": masks, "values": values, "key": key}
        state: PyTree = images
        answers, after = {}, None
        for name in sorted(layers, key=self._position):
            state = self.run(state, after=after, through=name, **options)
            answers[name], after = features_of(state), name
        return self.run(state, after=after, **options), answers

    def _position(self, stage: str) -> int:
        if stage not in self.order:
            raise unknown_name("stage", stage, self.order, f"network {self.name!r}")
        return self.order.index(stage)

    def _check_images(self, images: Array) -> None:
        expected = (*self.preprocessing.size, self.preprocessing.channels)
        kind = getattr(images, "dtype", None)
        if kind is None or not is_real_type(kind):
            raise InputError(
                f"images of type {kind or type(images).__name__} for network {self.name!r}: give "
                "an array of real numbers"
            )
        if images.shape[1:] != expected or not len(images):
            raise InputError(
                f"images of shape {images.shape} for network {self.name!r}: expected "
                f"[images, {', '.join(map(str, expected))}]"
            )


def trace_shapes(
    stages: Sequence[tuple[str, Stage]], preprocessing: Preprocessing, place: str
) -> dict[str, tuple[int, ...]]:
    """The shape of one image's state after each stage, without the axis of images.

    Raises:
      InputError: nothing is left of the images after some stage.
    """
    shape = (1, *preprocessing.size, preprocessing.channels)
    state: Any = jax.ShapeDtypeStruct(shape, jax.numpy.float32)
    shapes = {}
    for name, stage in stages:
        state = jax.eval_shape(stage, state)
        features = features_of(state)
        if 0 in features.shape:
            raise InputError(
                f"images of {shape[1]}×{shape[2]} are too small for {place}: stage {name!r} "
                "leaves nothing of them. Give larger images or fewer stages that shrink them"
            )
        shapes[name] = tuple(features.shape[1:])
    return shapes


def arrays(network: nnx.Module) -> Mapping[str, PyTree]:
    """All arrays of a network as nested dictionaries."""
    return nnx.to_pure_dict(nnx.state(network))
