"""The masks of a layer, and the values that ablated units take."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import jax
import numpy as np
from jaxtyping import Float32, Int64, Shaped
from numpy.typing import ArrayLike

from .. import execution
from .._arguments import as_array, real_array
from .._bounds import SEEDS, check_numbers
from .._errors import InputError
from ..data import Dataset, subset
from ..execution import Images, Read
from ..networks import Classifier, Layer
from ..networks._checks import check_data, check_parameters, check_readable
from ..networks._function import MaskedFunction
from ..results import fingerprint
from ._execution import Execution
from ._masks import single_units
from ._means import unit_means

if TYPE_CHECKING:
    from ._prefix import SharedPrefix, UpTo

Values = str | ArrayLike


@dataclass(frozen=True, eq=False)
class Means:
    """Ablated units give their means over some images.

    Attributes:
      reference: the images.
    """

    reference: Dataset


@dataclass(frozen=True, eq=False)
class Resampling:
    """Ablated units give their activations on other images, drawn at random.

    Attributes:
      reference: the images to draw from.
      seed: the seed of the draw.
    """

    reference: Dataset
    seed: int

    def partners(self, data: Dataset) -> Dataset:
        """The other image for each image, the same for all units.

        Raises:
          InputError: the images are drawn from themselves, and there is but one.
        """
        random, count = np.random.default_rng(self.seed), len(self.reference)
        if self.reference.fingerprint != data.fingerprint:
            return subset(self.reference, random.integers(count, size=len(data)))
        if count == 1:
            raise InputError(
                f"values='resample' with the one image of data {data.name!r}: there is no other to "
                "draw; give reference="
            )
        drawn = random.integers(count - 1, size=count)
        return subset(self.reference, drawn + (drawn >= np.arange(count)))


@dataclass(frozen=True, eq=False)
class Question:
    """Masks of one layer whose outcomes are wanted.

    Attributes:
      network: the network.
      layer: the layer.
      data: the images.
      carried_out: how.
      masks: 1 = kept; the first row keeps everything.
      each_unit: whether they ablate every unit alone, because none were given.
      values: what ablated units give: one number per unit, their means, or activations on other
        images; None for zero.
      basis: orthonormal directions as columns, whose coordinates the masks ablate; None for units.
      held: masks of other layers `[units]` that apply throughout.
      along: masks of other layers `[masks, units]`, one for each mask.
      chosen: which of the images; None for all.
      shares: what it has in common with others of the same pass; None where there are none.
      prefix: the same, where it is computed ahead and programs start behind it.
    """

    network: Classifier
    layer: Layer
    data: Dataset
    carried_out: Execution
    masks: Float32[np.ndarray, "masks units"]
    each_unit: bool = False
    values: Float32[np.ndarray, " units"] | Means | Resampling | None = None
    basis: Float32[np.ndarray, "units directions"] | None = None
    held: Mapping[str, np.ndarray] = field(default_factory=dict)
    along: Mapping[str, np.ndarray] = field(default_factory=dict)
    chosen: Int64[np.ndarray, " chosen"] | None = None
    shares: SharedPrefix | None = None
    prefix: SharedPrefix | None = None

    @property
    def function(self) -> MaskedFunction | UpTo:
        """The network, or what is left of it behind the prefix."""
        return self.network.function if self.prefix is None else self.prefix.up_to

    def inputs(self, example: Images) -> Images:
        """Shapes of what programs read of an image, from those of what is read of it."""
        if self.prefix is None:
            return example
        found = self.prefix.up_to.shapes(self.network.params, 1)
        shapes = [jax.ShapeDtypeStruct(each.shape[1:], each.dtype) for each in found]
        return example._replace(images=shapes)

    def ready(self, read: Read) -> Question:
        """The same with means, behind the prefix where that is worth it."""
        prefix = None if self.shares is None else self.shares.where_worth(read)
        return dataclasses.replace(self.with_means(), prefix=prefix)

    def under(
        self,
        masks: Float32[np.ndarray, "masks units"],
        along: Mapping[str, Float32[np.ndarray, "masks _"]] | None = None,
    ) -> Question:
        """The same of other masks, after one that keeps everything, along with other layers'."""
        others = {name: _with_first(each) for name, each in (along or {}).items()}
        return dataclasses.replace(self, masks=_with_first(masks), each_unit=False, along=others)

    def with_means(self) -> Question:
        """The same with numbers where ablated units give their means."""
        if not isinstance(self.values, Means):
            return self
        means = unit_means(
            self.network,
            self.layer.name,
            self.values.reference,
            progress=False,
            batch_size=self.carried_out.batch_size,
            max_memory=self.carried_out.max_memory,
            devices=self.carried_out.devices,
        )
        return dataclasses.replace(self, values=means.astype(np.float32))

    def read(self) -> Read:
        """What reads the images, and others beside them where ablated units give theirs."""
        data = self.data
        partners = self.values.partners(data) if isinstance(self.values, Resampling) else None
        if self.chosen is not None:
            data = subset(data, self.chosen)
            partners = partners and subset(partners, self.chosen)
        return execution.reading(data, self.network.preprocessing, self.carried_out, partners)

    def settings(self, measured: str, *, masks: str | None = None) -> dict[str, str]:
        """Everything that the numbers depend on.

        Args:
          measured: what is measured, by the function's name.
          masks: what tells the masks from others, where that is shorter than their fingerprint.
        """
        others = {**self.held, **self.along}
        named = "single units" if self.each_unit else fingerprint(self.masks[1:])
        values, reference = "zero", ""
        match self.values:
            case Means(reference=images):
                values, reference = "mean", images.fingerprint
            case Resampling(reference=images, seed=seed):
                values, reference = f"resample with seed {seed}", images.fingerprint
            case np.ndarray():
                values = fingerprint(self.values)
        return {
            **execution.provenance(
                measured, self.network, self.layer.name, self.data, self.carried_out
            ),
            "masks": masks or named,
            "other_masks": fingerprint(others) if others else "none",
            "values": values,
            "reference_fingerprint": reference,
        }


def question_of(
    network: Classifier,
    layer: str,
    data: Dataset,
    carried_out: Execution,
    masks: ArrayLike | None = None,
    *,
    values: Values = "zero",
    reference: Dataset | None = None,
    seed: int = 0,
    other_masks: Mapping[str, ArrayLike] | None = None,
) -> Question:
    """Masks of a layer, every unit alone by default; see `sweep`.

    Raises:
      InputError: layer, masks, values, images or parameters cannot be used.
    """
    place = network.layer(layer)
    check_data(network, data)
    check_parameters(network)
    if reference is not None:
        check_data(network, reference)
    filled = _checked_values(network, place, values, reference or data, seed)
    wanted = single_units(place.num_units) if masks is None else checked_masks(masks, place)
    held, along = _others(network, place, len(wanted), other_masks)
    return Question(
        *(network, place, data, carried_out, _with_first(wanted), masks is None, filled),
        held=held,
        along=along,
    )


def checked_masks(masks: ArrayLike, layer: Layer) -> Float32[np.ndarray, "masks units"]:
    """Masks as float32 `[masks, units]`.

    Raises:
      InputError: the shape is another one, or an entry is not a finite number.
    """
    array = real_array(masks, "masks", f" for layer {layer.name!r}")
    if array.ndim != 2 or array.shape[1] != layer.num_units or len(array) == 0:
        raise InputError(
            f"masks of shape {array.shape} for layer {layer.name!r}: expected "
            f"(masks, {layer.num_units}), one entry per unit"
        )
    return _checked_numbers(array, "masks", layer)


def _checked_values(
    network: Classifier, layer: Layer, values: Values, reference: Dataset, seed: int
) -> Float32[np.ndarray, " units"] | Means | Resampling | None:
    check_numbers(seed=(seed, SEEDS))
    if not isinstance(values, str):
        array = real_array(values, "values", f" for layer {layer.name!r}")
        if array.shape != (layer.num_units,):
            raise InputError(
                f"values of shape {array.shape} for layer {layer.name!r}: give 'zero', 'mean', "
                f"'resample' or ({layer.num_units},), one number per unit"
            )
        return _checked_numbers(array, "values", layer)
    if values not in ("zero", "mean", "resample"):
        raise InputError(
            f"values={values!r}: give 'zero', 'mean', 'resample' or one number per unit"
        )
    if values == "zero":
        return None
    check_readable(network, layer.name)
    return Means(reference) if values == "mean" else Resampling(reference, seed)


def _checked_numbers(
    array: Shaped[np.ndarray, ...], kind: str, layer: Layer
) -> Float32[np.ndarray, ...]:
    with np.errstate(over="ignore"):
        numbers = array.astype(np.float32)
    wrong = np.argwhere(~np.isfinite(numbers))
    if len(wrong):
        place = ", ".join(map(str, wrong[0]))
        raise InputError(
            f"{kind} for layer {layer.name!r} hold {array[tuple(wrong[0])]} at [{place}]: give "
            "finite numbers (1 keeps a unit, 0 ablates it)"
        )
    return numbers


def _with_first(masks: Float32[np.ndarray, "masks units"]) -> Float32[np.ndarray, "rows units"]:
    """Masks after a first one that keeps everything."""
    return np.concatenate([np.ones((1, masks.shape[1]), np.float32), masks])


def _others(
    network: Classifier,
    layer: Layer,
    num_masks: int,
    other_masks: Mapping[str, ArrayLike] | None,
) -> tuple[dict[str, np.ndarray], dict[str, np.ndarray]]:
    """Masks of other layers that apply throughout, and those that go along with the masks."""
    held: dict[str, np.ndarray] = {}
    along: dict[str, np.ndarray] = {}
    if other_masks is not None and not isinstance(other_masks, Mapping):
        raise InputError(
            f"other_masks of type {type(other_masks).__name__}: give a dictionary from layers to "
            "their masks"
        )
    for name, given in (other_masks or {}).items():
        place = network.layer(name)
        if place.name == layer.name:
            raise InputError(f"other_masks hold layer {place.name!r} too: give its masks as masks")
        if place.name in {**held, **along}:
            raise InputError(f"other_masks hold layer {place.name!r} twice: give one of its names")
        array = as_array(given, f"masks for layer {name!r}")
        if array.ndim == 1:
            held[place.name] = checked_masks(array[None], place)[0]
            continue
        masks = checked_masks(array, place)
        if len(masks) != num_masks:
            raise InputError(
                f"{len(masks)} masks of layer {name!r} in other_masks beside {num_masks} "
                "masks: give as many, or one mask [units] that applies throughout"
            )
        along[place.name] = _with_first(masks)
    return held, along
