"""A network as a pure function of parameters, images and masks."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Int, PyTree

from .._errors import InputError
from .._programs import kept
from ..tracing import (
    Graph,
    Program,
    Site,
    before_nonlinearity,
    channel,
    channels_last,
    find_sites,
    is_after_nonlinearity,
    kernel_of,
    trace,
)
from ._layer import Layer
from ._masking import ablate

Forward = Callable[[PyTree, Array], Any]


@dataclass(frozen=True)
class MaskedFunction:
    """A network as a pure function of parameters, images, masks and values.

    Equal for networks of equal builds, which can share compiled programs.

    Attributes:
      forward: `(params, images) → logits`, which names the outputs of its modules.
      hook: `"unit"` for units after their non-linearity, `"output"` for outputs of modules.
      unit_axis: the axis of units of some layers, if it is not the inferred one.
    """

    forward: Forward
    hook: str = "unit"
    unit_axis: tuple[tuple[str, int], ...] = ()

    def traced(self, params: PyTree, images: Any, *, derivatives: bool = False) -> Traced:
        """The program for parameters and images of these shapes.

        Args:
          params: the parameters, or their shapes.
          images: the images, or their shape.
          derivatives: keep derivatives that functions define for themselves.
        """
        leaves, structure = jax.tree.flatten(params)
        shapes = tuple((jnp.shape(leaf), jax.dtypes.result_type(leaf)) for leaf in leaves)
        of_images = (jnp.shape(images), jax.dtypes.result_type(images))
        config: Any = jax.config
        precision = config.jax_default_matmul_precision
        return _traced(self, structure, shapes, of_images, derivatives, precision)

    def __call__(
        self,
        params: PyTree,
        images: Float[Array | np.ndarray, "images height width channels"],
        masks: Mapping[str, Array] | None = None,
        values: Mapping[str, Array] | None = None,
    ) -> Float[Array, "images classes"]:
        """Logits under masks and values `[units]` by layer."""
        return self.with_activations(params, images, (), masks, values)[0]

    def with_activations(
        self,
        params: PyTree,
        images: Float[Array | np.ndarray, "images height width channels"],
        layers: Sequence[str],
        masks: Mapping[str, Array] | None = None,
        values: Mapping[str, Array] | None = None,
    ) -> tuple[Float[Array, "images classes"], dict[str, Float[Array, "images *map units"]]]:
        """Logits, and the activations of some layers on the way there, masked where they are."""
        traced = self.traced(params, images, derivatives=True)
        program = traced.program
        wanted = [*program.outputs, *(traced.value(name) for name in layers)]
        replaced = traced.ablations(masks or {}, values or {})
        found = program.values((params, images), wanted, replaced)
        count = len(program.outputs)
        logits = jax.tree.unflatten(program.results, found[:count])
        pairs = zip(layers, found[count:], strict=True)
        return logits, {name: traced.units_last(name, value) for name, value in pairs}

    def activations(
        self,
        params: PyTree,
        images: Float[Array | np.ndarray, "images height width channels"],
        layer: str,
    ) -> Float[Array, "images *map units"]:
        """The activations of a layer; nothing behind it is evaluated."""
        traced = self.traced(params, images, derivatives=True)
        value = traced.program.values((params, images), [traced.value(layer)])[0]
        return traced.units_last(layer, value)

    def before_and_after(
        self,
        params: PyTree,
        images: Float[Array | np.ndarray, "images height width channels"],
        layer: str,
        unit: Int[Array, ""] | None = None,
    ) -> tuple[Array | None, Array]:
        """What goes into a layer's non-linearity, None if it is not known, and what comes out.

        Of one unit alone, or of all; `[images, *map, units]`.
        """
        traced = self.traced(params, images, derivatives=True)
        after = traced.value(layer)
        before = before_nonlinearity(traced.graph, after)
        wanted = [each for each in (before, after) if each is not None]
        if unit is None:
            found = traced.program.values((params, images), wanted)
        else:
            found = channel(traced.graph, wanted, traced.axes[layer], (params, images), unit)
        moved = [traced.units_last(layer, each) for each in found]
        return (None if before is None else moved[0]), moved[-1]

    def incoming_weights(
        self, params: PyTree, images: Any, layer: str
    ) -> Float[Array, "*inputs units"] | None:
        """The weights that lead into a layer's units; None where they have none of their own."""
        traced = self.traced(params, images)
        site, axis = traced.sites[layer], traced.axes[layer]
        found = kernel_of(traced.graph, site.values[0])
        if found is None or not site.readable or axis not in site.axes:
            return None
        variable, axes = found
        # Of several axes, such as heads and their features, one is the units'.
        place = axes[min(sorted(site.axes).index(axis), len(axes) - 1)]
        if variable.aval.shape[place] != site.shape[axis]:
            return None
        weights = traced.program.values((params, jnp.zeros(images.shape, images.dtype)), [variable])
        return jnp.moveaxis(weights[0], place, -1)


@dataclass(frozen=True, eq=False)
class Traced:
    """A network's program for images of one shape, and where its layers are in it.

    Attributes:
      program: from parameters and images to logits.
      graph: what its operations have to do with one another.
      sites: the layers by their names and aliases.
      axes: their axes of units.
      told: the names of those whose axis the user gave.
    """

    program: Program
    graph: Graph
    sites: Mapping[str, Site]
    axes: Mapping[str, int]
    told: frozenset[str]

    def value(self, layer: str) -> Any:
        """The variable of a layer's activations, of its first call.

        Raises:
          InputError: the activations are not known.
        """
        site = self.sites[layer]
        if not site.readable:
            raise InputError(
                f"layer {layer!r} does not show its activations: its function uses the mask in "
                "another way than multiplying activations by it. Multiply them, as "
                "ju.networks.ablate does, or name them with ju.networks.unit"
            )
        return site.values[0]

    def units_last(self, layer: str, value: Array) -> Array:
        """Activations with the axis of units moved to the end."""
        return jnp.moveaxis(value, self.axes[layer], -1)

    def ablations(
        self, masks: Mapping[str, Array], values: Mapping[str, Array]
    ) -> dict[Any, Callable[[Array], Array]]:
        """What masks do to the program's values."""

        def ablation(layer: str) -> Callable[[Array], Array]:
            axis, mask, value = self.axes[layer], masks[layer], values.get(layer)
            return lambda array: ablate(array, mask, value, axis=axis)

        for layer in values:
            if layer in masks:
                self.check_values(layer)
        return {
            variable: ablation(layer) for layer in masks for variable in self.sites[layer].values
        }

    def check_values(self, layer: str) -> None:
        """Refuse to ablate to values where it is not known what a mask multiplies.

        Raises:
          InputError: naming the layer.
        """
        if not self.sites[layer].readable:
            raise InputError(
                f"layer {layer!r} cannot be ablated to values other than zero: its function uses "
                "the mask in another way than multiplying activations by it. Multiply them, as "
                "ju.networks.ablate does, or ablate to zero"
            )

    def layers(self) -> dict[str, Layer]:
        """The layers, by their names."""
        found = {}
        for site in dict.fromkeys(self.sites.values()):
            axis = self.axes[site.name]
            shape = site.shape
            known = "pre-activation"
            if not site.readable:
                known = "unknown"
            elif is_after_nonlinearity(self.graph, site.values[0]):
                known = "post-activation"
            found[site.name] = Layer(
                site.name,
                shape[axis],
                (*shape[1:axis], *shape[axis + 1 :]) if site.readable else None,
                known,
                tuple(site.aliases),
                self._has_places(site, axis),
            )
        return found

    def _has_places(self, site: Site, axis: int) -> bool:
        """Whether units have maps of rows and columns.

        Where the user had to say which axis is the units', such as that of heads, the others may be
        tokens and features: they are places if they are neighbors in the image's proportions.
        """
        if not site.readable or len(site.shape) != 4:
            return False
        if self.told.isdisjoint({site.name, *site.aliases}) or site.axes == {axis}:
            return True
        rows, columns = (length for place, length in enumerate(site.shape[1:], 1) if place != axis)
        _, height, width, _ = self.program.leaves(1)[0].aval.shape
        return axis != 2 and rows * width == columns * height


# Networks of the same build share their program.
@kept
def _traced(
    function: MaskedFunction,
    structure: Any,
    shapes: tuple[Any, ...],
    images: tuple[Any, Any],
    derivatives: bool,
    precision: Any,
) -> Traced:
    params = jax.tree.unflatten(structure, [jax.ShapeDtypeStruct(*each) for each in shapes])
    program = trace(
        function.forward, params, jax.ShapeDtypeStruct(*images), derivatives=derivatives
    )
    given = dict(function.unit_axis)
    if not derivatives and not given:
        # Who counts axes sees them as they are; derivatives of functions hold their own shapes.
        program = channels_last(program)
    graph = Graph(program, program.leaves(1))
    sites: dict[str, Site] = {}
    axes: dict[str, int] = {}
    for site in find_sites(graph, hook=function.hook):
        names = [site.name, *site.aliases]
        chosen = next((given[name] for name in names if name in given), None)
        if chosen is None and len(site.axes) > 1:
            # Several axes could be units, such as heads and their features: the user has to say.
            continue
        axis = min(site.axes, default=-1) if chosen is None else chosen
        for name in names:
            sites[name], axes[name] = site, axis % len(site.shape)
    return Traced(program, graph, sites, axes, frozenset(given))
