"""Which method evaluates the masks, and how many masks are evaluated together."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import NamedTuple

from .._errors import InputError
from ..networks import Classifier
from ._execution import Execution
from ._fast import Fast
from ._method import Method, Work
from ._question import Question
from ._reference import Reference

METHODS: Mapping[str, type[Method]] = {each.name: each for each in (Fast, Reference)}

# Rows of a matrix product that make up for reading its weights on a CPU (measured: AlexNet's rest
# takes 1.84, 1.67 and 1.62 s with 256, 512 and 1024 rows).
_CPU_ROWS = 512

# With one mask at a time XLA computes the layers before the mask anew for every mask of some
# networks (VGG16, 16 masks of conv5_3: 13.9 s against 1.2 s for two at a time).
_CPU_REFERENCE = 2


class Choice(NamedTuple):
    """How masks are evaluated.

    Attributes:
      method: the method.
      reason: why this one.
      work: what it costs per image.
    """

    method: type[Method]
    reason: str
    work: Work


def choose(network: Classifier, question: Question, method: str) -> Choice:
    """The requested method, or the one that costs less.

    Raises:
      InputError: the requested method cannot be used, or values are given for a layer whose
        activations are not known.
    """
    if question.values is not None:
        network.function.traced(network.params, network.example).check_values(question.layer.name)
    obstacles = {name: each.obstacle(network, question) for name, each in METHODS.items()}
    if obstacles.get(method):
        others = " or ".join(repr(name) for name in ("auto", *METHODS) if name != method)
        raise InputError(f"method={method!r}: {obstacles[method]}; give method={others}")
    if method in METHODS:
        return Choice(METHODS[method], "asked for", METHODS[method].work(network, question))
    if obstacles["fast"]:
        return Choice(Reference, obstacles["fast"], Reference.work(network, question))
    fast, reference = Fast.work(network, question), Reference.work(network, question)
    numbers = (
        f"{fast.total:,} multiply-adds per image on the fast path, {reference.total:,} otherwise"
    )
    if reference.total <= fast.total:
        return Choice(Reference, numbers, reference)
    return Choice(Fast, numbers, fast)


def masks_at_once(execution: Execution, choice: Choice, batch: int) -> int:
    """Masks evaluated together.

    A merged batch of masks and images leaves the caches of a CPU where convolutions follow, and
    fills its matrix products where dense stages do.
    """
    work = choice.work
    wanted = execution.masks_at_once or work.masks
    if execution.masks_at_once is None and execution.on_cpu:
        behind = math.ceil(_CPU_ROWS / batch) if work.dense and work.each else 1
        wanted = behind if choice.method is Fast else _CPU_REFERENCE
    # Two live arrays of the largest kind in half of the budget; the compiler has the last word.
    fitting = execution.budget // (4 * work.largest * batch)
    most = max(1, min(wanted, fitting, work.masks))
    # Chunks as even as can be, so that little of the last one is padding.
    return math.ceil(work.masks / math.ceil(work.masks / most))
