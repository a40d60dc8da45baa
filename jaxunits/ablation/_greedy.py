"""Greedy ablation: step by step the unit whose loss hurts a class most (Zhou et al. 2018, §3.2)."""

from __future__ import annotations

import dataclasses
import json
import time
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Unpack

import jax
import numpy as np
import xarray as xr
from jaxtyping import Float32, Int64, PyTree

from .. import execution
from .._arguments import (
    check_whole,
    check_whole_or_none,
    from_options,
    shown,
)
from .._bounds import SEEDS, check_numbers
from .._errors import InputError
from ..data import Dataset, of_class
from ..execution import (
    Files,
    Part,
    Pass,
    Progress,
    Store,
    agree,
    open_store,
    pieces,
    ran_out,
    ranges,
    share,
    shifted,
    trial,
)
from ..networks import Classifier
from ..networks._checks import check_data
from ._counts import as_integers
from ._engine import Engine
from ._execution import Execution, Options
from ._orders import measure_orders, random_orders
from ._question import Question, Values, question_of

# Batches, each with what all masks share of it, and its labels.
_States = Callable[[], Iterable[tuple[Part, PyTree, jax.Array]]]


def greedy(
    network: Classifier,
    layer: str,
    data: Dataset,
    *,
    classes: Sequence[str] | None = None,
    steps: int | None = None,
    measure_on: Dataset | None = None,
    random: int = 10,
    seed: int = 0,
    values: Values = "zero",
    reference: Dataset | None = None,
    file: str | Path | None = None,
    progress: Progress | bool | None = None,
    **options: Unpack[Options],
) -> xr.Dataset:
    """For each class, ablate step by step the unit that hurts it most; compare with random orders.

    The next unit is the one whose ablation leaves the fewest images of the class correct,
    given those already ablated; ties go to the larger loss on the class, then to the lower index.
    The chosen orders are then measured by `cumulative`, on the same images or on others.

    Args:
      network: as in `sweep`.
      layer: the layer.
      data: the images to choose by.
      classes: names of the classes; all by default.
      steps: how many units to ablate; all by default.
      measure_on: the images to measure on; those of `data` by default (as in Zhou et al. 2018).
      random: how many random orders to measure too.
      seed: the seed of the random orders, and of the draw of `values="resample"`.
      values: what an ablated unit gives, as in `sweep`.
      reference: images for the means, or to draw from; `data` by default.
      file: where the result is kept, as in `sweep`; an interruption loses at most one class.
      progress: called with the units chosen and to be chosen, over all classes.
      **options: execution options, see `Execution`.

    Returns:
      What `cumulative` returns, with the dimensions `order`, `step` and `class`. The variable
      `target` holds the class that an order was chosen for, empty for random orders.

    Raises:
      InputError: a class does not exist or has no images; and as in `sweep`.
    """
    execution.check_call(network, file, progress)
    carried_out = from_options(Execution, options, greedy)
    place = network.layer(layer)
    check_data(network, data)
    check_whole(random=random)
    check_whole_or_none(steps=steps)
    if classes is not None and (isinstance(classes, str) or not isinstance(classes, Collection)):
        raise InputError(
            f"classes={shown(classes)}: give a list of names, such as ['cat'], or None"
        )
    names = list(data.class_names if classes is None else classes)
    images = {data.class_index(name): of_class(data, name) for name in names}
    length = place.num_units if steps is None else steps
    check_numbers(seed=(seed, SEEDS))
    if not 1 <= length <= place.num_units or random < 0 or not names:
        raise InputError(
            f"classes={classes}, steps={steps}, random={random}: give at least one class, 1 to "
            f"{place.num_units} steps in layer {layer!r}, and at least 0 random orders"
        )
    measured = measure_on or data
    check_data(network, measured)
    question = question_of(
        network, layer, measured, carried_out, values=values, reference=reference or data, seed=seed
    )
    settings = question.settings("greedy", masks=f"greedy, {length} steps") | {
        "chosen_on": data.fingerprint,
        "chosen_for": ", ".join(names),
        "random_orders": f"{random} of seed {seed}",
    }
    files = Files.of(file, [place.name], several=False, steps="orders")
    with (
        files.made({place.name: settings}) as made,
        execution.reporting(progress, f"greedy orders of {place.name}", "units") as report,
    ):
        if made is not None:
            return made[place.name]
        question = question.with_means()
        with open_store(files.on_the_way, settings) as kept:
            chosen = _choose(question, images, length, kept, report)
            beside = random_orders(place.num_units, random, seed=seed)[:, :length]
            return measure_orders(
                question,
                np.concatenate([chosen, beside]),
                variables={"target": ("order", np.asarray([*names, *[""] * random], object))},
                settings=settings,
                file=file,
                progress=False,
            )


def _choose(
    question: Question,
    images: Mapping[int, Dataset],
    length: int,
    kept: Store,
    progress: Progress,
) -> Int64[np.ndarray, "classes steps"]:
    """The greedy order of every class; finished steps are kept."""
    largest = dataclasses.replace(question, data=max(images.values(), key=len))
    planned = trial()
    if planned is not None:
        return _plan(largest, images, length, planned)
    there = agree(set(kept), list(images))
    missing = share([number for number in images if number not in there])
    if missing:
        engine = Engine(largest, largest.read())
    for done, number in enumerate(missing):
        part = shifted(progress, done, len(missing))
        order = _order(engine, images[number], length, part)
        kept[number] = json.dumps(order).encode()
    kept.exchange()
    return np.asarray([json.loads(kept[number]) for number in images], np.int64)


def _plan(
    question: Question, images: Mapping[int, Dataset], length: int, planned: list[Pass]
) -> Int64[np.ndarray, "classes steps"]:
    """Orders that cost what greedy ones do, after one batch has been timed."""
    read = question.read()
    engine = Engine(question, read)
    program, kept, seconds = engine.program, np.ones(question.layer.num_units, np.float32), 0.0
    first = execution.first_batches(read, program.batch_size)
    states = [
        (part, *program.shared(part.inputs)) for part in first.piece.parts(program.batch_size)
    ]
    for _ in range(2):
        began = time.perf_counter()
        _candidates(engine, states, kept)
        seconds = time.perf_counter() - began
    settings = {question.layer.name: question.settings("greedy")}
    read = dataclasses.replace(read, images=sum(map(len, images.values())))
    planned.append(Pass.of(settings, engine, read, first, seconds, steps=length))
    return np.tile(np.arange(length), (len(images), 1))


def _order(engine: Engine, data: Dataset, length: int, progress: Progress) -> list[int]:
    """The units of a greedy series, by what they do to the images of one class."""
    kept = np.ones(engine.question.layer.num_units, np.float32)
    states: _States | None = None
    order: list[int] = []
    while len(order) < length:
        try:
            states = states or _states(engine, data)
            correct, loss = _candidates(engine, states(), kept)
        except jax.errors.JaxRuntimeError as error:
            if not ran_out(error):
                raise
            engine.shrink()
            states = None
            continue
        left = np.flatnonzero(kept)
        best = int(left[np.lexsort((left, -loss[left], correct[left]))[0]])
        kept[best] = 0
        order.append(best)
        progress(len(order), length)
    return order


def _states(engine: Engine, data: Dataset) -> _States:
    """Batches with what all masks share of them: kept on the devices where memory allows."""
    program, carried_out = engine.program, engine.question.carried_out
    read = dataclasses.replace(engine.question, data=data).read()

    def fresh() -> Iterator[tuple[Part, PyTree, jax.Array]]:
        for piece in pieces(read, ranges(read, carried_out)):
            for part in piece.parts(program.batch_size):
                yield (part, *program.shared(part.inputs))

    batches = -(-len(data) // program.batch_size)
    held = program.compiled.peak + batches * program.compiled.run.shared_bytes
    if held > carried_out.budget:
        return fresh
    everything = list(fresh())
    return lambda: everything


def _candidates(
    engine: Engine,
    states: Iterable[tuple[Part, PyTree, jax.Array]],
    kept: Float32[np.ndarray, " units"],
) -> tuple[Int64[np.ndarray, " units"], Int64[np.ndarray, " units"]]:
    """Correct images and sums of losses after each further unit is ablated."""
    program = engine.program
    arguments = program.laid_out.method.from_base(program.arguments, kept)
    correct, loss = np.zeros((2, len(kept)), np.int64)
    rows = program.laid_out.position[1:]
    for part, state, labels in states:
        prediction, losses = program.evaluate(state, labels, arguments)
        images = len(part.image)
        right = np.asarray(prediction)[rows][:, :images] == part.inputs.labels[:images]
        correct += right.sum(1)
        loss += as_integers(np.asarray(losses)[rows][:, :images]).sum(1)
    return correct, loss
