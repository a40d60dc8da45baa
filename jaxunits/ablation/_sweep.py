"""The sweep: a network under many masks of one layer, or of several."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any, Unpack, overload

import numpy as np
import xarray as xr
from numpy.typing import ArrayLike

from .. import execution
from .._arguments import from_options
from .._errors import InputError
from ..data import Dataset
from ..execution import Files, Measurement, Progress, Wanted
from ..networks import Classifier
from ..networks._checks import check_classifier
from ._counts import measurement
from ._execution import Execution, Options
from ._prefix import SharedPrefix
from ._question import Question, Values, question_of


@overload
def sweep(  # type: ignore[overload-overlap]
    network: Classifier,
    layers: str,
    data: Dataset,
    masks: ArrayLike | None = ...,
    *,
    values: Values = ...,
    reference: Dataset | None = ...,
    seed: int = ...,
    other_masks: Mapping[str, ArrayLike] | None = ...,
    file: str | Path | None = ...,
    progress: Progress | bool | None = ...,
    **options: Unpack[Options],
) -> xr.Dataset: ...


@overload
def sweep(
    network: Classifier,
    layers: Sequence[str] | None,
    data: Dataset,
    masks: None = ...,
    *,
    values: str = ...,
    reference: Dataset | None = ...,
    seed: int = ...,
    file: str | Path | None = ...,
    progress: Progress | bool | None = ...,
    **options: Unpack[Options],
) -> dict[str, xr.Dataset]: ...


def sweep(
    network: Classifier,
    layers: str | Sequence[str] | None,
    data: Dataset,
    masks: ArrayLike | None = None,
    *,
    values: Values = "zero",
    reference: Dataset | None = None,
    seed: int = 0,
    other_masks: Mapping[str, ArrayLike] | None = None,
    file: str | Path | None = None,
    progress: Progress | bool | None = None,
    **options: Unpack[Options],
) -> xr.Dataset | dict[str, xr.Dataset]:
    """Evaluate a network under many masks of one layer: what does every class lose?

    All masks are evaluated by compiled programs, streamed over the images. Counts are integers, and
    neither they nor the losses depend on the number of devices or processes.

    Args:
      network: a built-in one, or what `from_nnx`, `from_linen`, `from_torch` and `from_callable`
        return.
      layers: the layer whose units are ablated; or several, or None for all, whose units are
        ablated one at a time in one pass over the images. Late ones share the network up to the
        first of them, where that saves more than 5 % of all multiply-adds.
      data: the images, held out from training.
      masks: `[masks, units]`: 1 keeps a unit, 0 ablates it. None ablates every unit of the layer,
        one at a time.
      values: what an ablated unit gives: `"zero"`, `"mean"` (its mean over `reference`), one number
        per unit, or `"resample"`, its activations on another image of `reference`, drawn at random
        for each image and the same for all units.
      reference: images for the means, or to draw from; `data` by default.
      seed: the seed of the draw.
      other_masks: masks of other layers, to zero: `[units]` applies throughout, before ablation
        too, `[masks, units]` goes along with `masks`.
      file: where the result is kept (netCDF). Progress is kept beside it, so that rerunning
        the call resumes; a finished file is read, one with other settings is refused, and if
        another process is measuring it, the log says so and the call waits.
        For several layers it is a folder with a file per layer.
      progress: called with the images done and the total, after every batch; False for
        silence, None for a bar in a terminal or notebook.
      **options: execution options, see `Execution`.

    Returns:
      For one layer a Dataset, for several a dictionary of them in the network's order, with the
      dimensions `unit` (or `mask`) and `class`: `correct`, `correct_before`, `broken`, `count`,
      `loss`, the accuracies and accuracy drops of Zhou et al. 2018, §2.1, and as `confusion`
      and `confusion_before` the classes that the images of the most damaged class are taken for;
      each with its unit of measure, and provenance as attributes: the method and why, sizes,
      peak memory, seconds. For masks, `kept` says which units each keeps. A class without
      images has NaN for its drop and is named in the attribute `empty_classes`.

    Raises:
      InputError: layer, masks, values, images, parameters, options or logits cannot be used.
    """
    execution.check_call(network, file, progress)
    carried_out = from_options(Execution, options, sweep)
    names = network.chosen_layers(layers)
    single = isinstance(layers, str)
    if not single and (masks is not None or other_masks is not None or not isinstance(values, str)):
        raise InputError(
            "masks, other_masks or numbers as values with several layers: give one layer, or leave "
            "them out to ablate every unit of each layer alone"
        )
    questions = [
        question_of(
            network,
            name,
            data,
            carried_out,
            masks,
            values=values,
            reference=reference,
            seed=seed,
            other_masks=other_masks,
        )
        for name in names
    ]
    files = Files.of(file, names, not single)
    asked = _asked(questions, files)
    title = f"ablating {', '.join(names)}"
    found = execution.in_one_pass(asked, questions[0].read(), carried_out, progress, title)
    by_layer = {name: each[name] for name, each in zip(names, found, strict=True)}
    return by_layer[names[0]] if single else by_layer


def _asked(questions: Sequence[Question], files: Files) -> list[Measurement]:
    """The masks and values of a sweep over some layers."""
    shares = SharedPrefix(questions)
    asked = []
    for question in questions:
        masks = question.masks[1:]
        one = measurement(
            dataclasses.replace(question, shares=shares),
            coordinates={"unit" if question.each_unit else "mask": np.arange(len(masks))},
            variables={} if question.each_unit else {"kept": (("mask", "unit"), masks)},
            settings=question.settings("sweep"),
            files=files.part(question.layer.name),
        )
        asked.append(one)
    return asked


@dataclass(frozen=True)
class Sweep(Wanted):
    """Every unit of some layers ablated alone, in a pass of `ju.measure`; see `sweep`.

    Attributes:
      layers: a layer, several of them, or None for all.
      values: what an ablated unit gives: `"zero"`, or `"mean"`, its mean over `reference`.
      reference: images for the means; the measured images by default.
      method: as in `Execution`.
      masks_at_once: as in `Execution`.
    """

    kind = "ablation"

    layers: str | Sequence[str] | None = None
    values: str = "zero"
    reference: Dataset | None = None
    method: str = "auto"
    masks_at_once: int | None = None

    def measurements(
        self,
        network: Classifier,
        data: Dataset,
        carried_out: execution.Execution,
        files: Callable[[Sequence[str]], Files],
    ) -> list[Measurement]:
        """One per layer."""
        if not isinstance(self.values, str) or self.values not in ("zero", "mean"):
            raise InputError(f"values={self.values!r} of Sweep: give 'zero' or 'mean'")
        given = {each.name: getattr(carried_out, each.name) for each in fields(carried_out)}
        own = Execution(**given, method=self.method, masks_at_once=self.masks_at_once)
        names = network.chosen_layers(self.layers)
        filled: dict[str, Any] = {"values": self.values, "reference": self.reference}
        questions = [question_of(network, name, data, own, **filled) for name in names]
        return _asked(questions, files(names))


def sweep_settings(
    network: Classifier,
    layer: str,
    data: Dataset,
    masks: ArrayLike | None = None,
    *,
    values: Values = "zero",
    reference: Dataset | None = None,
    seed: int = 0,
    other_masks: Mapping[str, ArrayLike] | None = None,
    **options: Unpack[Options],
) -> dict[str, str]:
    """Everything that the numbers of a sweep depend on; two sweeps with equal settings are equal.

    They are attributes of the sweep's result. See `sweep` for the arguments.

    Args:
      network: as in `sweep`.
      layer: the layer.
      data: the images.
      masks: `[masks, units]`, as in `sweep`.
      values: as in `sweep`.
      reference: as in `sweep`.
      seed: as in `sweep`.
      other_masks: `[units]` or `[masks, units]` by layer, as in `sweep`.
      **options: as in `sweep`.

    Returns:
      The settings, each as text, by name.

    Raises:
      InputError: layer, masks, values, images or parameters cannot be used.
    """
    check_classifier(network)
    carried_out = from_options(Execution, options, sweep_settings)
    question = question_of(
        network,
        layer,
        data,
        carried_out,
        masks,
        values=values,
        reference=reference,
        seed=seed,
        other_masks=other_masks,
    )
    return question.settings("sweep")
