"""Images that units respond to most: activation maximization for a whole layer at once."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, Unpack

import jax
import numpy as np
import xarray as xr
from jaxtyping import Int32

from .._arguments import from_options
from .._bounds import SEEDS, Range, check_numbers
from .._errors import InputError
from ..execution import (
    Files,
    Measurement,
    Options,
    Progress,
    Read,
    array_bytes,
    check_call,
    in_one_pass,
    joined,
    provenance,
)
from ..networks import Classifier
from ..networks._checks import check_parameters, check_readable
from ..results import fingerprint
from . import _responses
from ._ascent import Ascent
from ._checks import check_kept, check_question
from ._climb import AscentEngine, Climbing
from ._method import Method
from ._result import Climbed, labeled
from ._starts import Initial, Starts, checked_initial, starts_of

_COUNT = Range(1, whole=True)


def maximize(
    network: Classifier,
    layer: str,
    units: Sequence[int] | None = None,
    *,
    objective: str = "am",
    activation: str = "mean",
    method: Method | None = None,
    num_starts: int = 1,
    seed: int = 0,
    initial: Any = None,
    file: str | Path | None = None,
    progress: Progress | bool | None = None,
    **options: Unpack[Options],
) -> xr.Dataset:
    r"""For each unit of a layer, make an image that it responds to most, by gradient ascent.

    $$\mathrm{AM}(u) = \arg\max_i\, x_u
    \qquad
    \mathrm{IAM}(u) = \arg\max_i \left( x_u - \frac{1}{U - 1} \sum_{j \neq u} x_j \right)$$

    Activation maximization (AM) climbs x_u; independent activation maximization (IAM) climbs x_u
    minus the mean of x_j over the layer's other units j (*Representative Substitution*,
    arXiv 1911.05586, eq. 2 and 3). Many images climb at once in one compiled program, which
    evaluates the network up to the layer alone, and for AM of the layer itself the unit's own
    channel. An image depends on the seed, the unit and the number of its start, not on what else is
    asked for or on the number of devices or processes. Fewer than 8 at once
    (`batch_size`, little memory) round differently, which ascent over the kinks of ReLUs can make
    visible in some images.

    Ascent ends at one of many local maxima, so that two images of a unit can differ for that reason
    alone. From
    the same image (`initial`) a plain loop over the units reaches the same activation (over 64
    steps, of 32 units of a conv net's fourth layer, 1.00 to 1.01 times it); from other noise it
    reaches 0.70 to 1.76 times it, with a median of 1.0. So a comparison of single images with
    those of another program needs the same starts, and for high maxima take the best of several
     (`num_starts=4`: at least 0.95 times what one start of the loop reaches, in the median
    1.05). To compare AM with IAM, start each from the other's result (`initial`) with a small
    learning rate: both then end at the same maximum.

    Args:
      network: the network. Images have the size of its preprocessing; for another size, build it
        again with another preprocessing.
      layer: one of its layers.
      units: the units; all by default.
      objective: `"am"` or `"iam"`.
      activation: x, the `"mean"` of a unit's map or its largest value, `"max"`.
      method: how an image is made; plain gradient ascent on pixels by default.
      num_starts: the number of starting images per unit. The best image is kept, preferably one
        that the unit responds to.
      seed: the seed of the starting noise and of random movements.
      initial: images to start from instead of mid gray, pixels from 0 to 1: one for all units
        `[height, width, channels]`, one for each `[units, height, width, channels]`, or the result
        of another `maximize` (mid gray for units without an image there). The first start is the
        image itself, without noise.
      file: where the result is kept (netCDF), as in `ju.ablation.sweep`. Progress is saved
        as finished images. It needs a method without functions of your own.
      progress: called after every step with the steps done and the total, over all images,
        from any thread; False for silence, None for a bar in a terminal or notebook.
      **options: execution options, see `ju.Execution`. `batch_size` is the number of images
        that climb together on a device; by default as many as are fast, on CPUs two batches in
        parallel. `images_per_piece` defaults to what climbs at the same time, `precision` to
        float32.

    Returns:
      A Dataset with the dimensions `unit`, `height`, `width`, `channel`, `responding_unit` (all
      units of the layer), `start` and `step`:

      - `image`: pixels from 0 to 1, in RGB order; `standardized`: what the network
        read.
      - `activation`, x_u on the image; `objective`; `response`, x_j of every unit j of the layer.
      - `active`: whether the unit responds to its image. A unit that does not (its ReLU was dead
        wherever ascent led) has NaN for image and response, which would only show noise.
      - `ascent`: the objective before every step, on the image as it was moved then, and at the end
        on the image itself. `rising`: whether its mean over the last tenth of the steps is more
        than 1 % above that over the tenth before.
      - `objective_of_start`, and `best_start`, the one that was kept.

    Raises:
      InputError: the layer or a unit does not exist, the network does not show its activations, a
        setting is out of range or does not suit the network, memory is too small for one image, or
        an objective is not a number.
    """
    check_call(network, file, progress)
    execution = from_options(Climbing, options, maximize)
    check_parameters(network)
    check_readable(network, layer)
    place = network.layer(layer)
    method = Method() if method is None else method
    if not isinstance(method, Method):
        raise InputError(f"method={method!r}: give a ju.synthesis.Method, such as ROBUST")
    check_kept(method, file)
    chosen = place.chosen(units).astype(np.int32)
    check_question(place, network.preprocessing, objective, activation, method)
    check_numbers(num_starts=(num_starts, _COUNT), seed=(seed, SEEDS))
    responses = _responses.Read(network.function, place.name)
    ascent = Ascent(responses, network.preprocessing, objective, activation, method)
    first = checked_initial(initial, chosen, ascent.shape)
    execution = execution.on(place)
    asked = Measurement(
        settings={
            place.name: {
                **provenance("maximize", network, place.name, None, execution),
                "units": fingerprint(chosen),
                "maximized": objective,
                "activation_of_a_map": activation,
                "method": method.described(),
                "num_starts": str(num_starts),
                "seed": str(seed),
                "initial": "gray" if initial is None else fingerprint(first),
            }
        },
        compile=lambda read: AscentEngine(network, place, ascent, read, execution),
        observe=lambda seen: joined(each.found for each in seen),
        kind=Climbed,
        merge=None,
        finish=lambda states: {place.name: labeled(joined(states()), chosen, num_starts)},
        files=Files.of(file, [place.name], several=False),
    )
    read = _reading(chosen, num_starts, seed, first)
    title = f"images of {place.name}"
    return in_one_pass([asked], read, execution, progress, title, of="steps")[0][place.name]


def _reading(units: Int32[np.ndarray, " units"], starts: int, seed: int, initial: Initial) -> Read:
    """Gives the starts as if they were images of a data set."""

    def begin(start: int, stop: int) -> Starts:
        return starts_of(units, starts, seed, initial, np.arange(start, stop))

    example = jax.tree.map(
        lambda part: jax.ShapeDtypeStruct(part.shape[1:], part.dtype), begin(0, 1)
    )
    return Read(len(units) * starts, array_bytes(example), example, begin)
