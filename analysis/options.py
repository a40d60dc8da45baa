"""Settings of single measurements and experiments."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated, Literal

import numpy as np
from jaxtyping import Float, Int

import jaxunits as ju

_COUNT = ju.Range(1, 10**6)
_FROM_ZERO = ju.Range(0, 10**6)
_SHARE = ju.Range(0, 1, open="both")


@dataclass(frozen=True)
class Panels:
    """What is shown of a unit."""

    units: Annotated[int, _COUNT] = 3
    """Units per layer: those with the largest max class accuracy drop."""
    images: Annotated[int, _COUNT] = 9
    """Top-activating images per unit."""
    activation: Literal["mean", "max"] = "mean"
    """What ranks images: the mean of the unit's map, or its largest value."""
    quantile: Annotated[float, _SHARE] = 0.02
    """Share of all positions of all images that counts as active, and is left uncovered."""
    classes: Annotated[int, _COUNT] = 3
    """Most damaged classes a unit."""
    samples: Annotated[int, _COUNT] = 6
    """Images of each of them."""


@dataclass(frozen=True)
class Rotations:
    """Random rotations of a layer's units."""

    count: Annotated[int, _COUNT] = 5
    """How many."""
    seed: Annotated[int, ju.SEEDS] = 0
    """Of the first; the others follow."""
    layers: tuple[str, ...] = ()
    """Which layers; the last with maps by default. Where a max-pool follows, every direction takes
    a pass through the rest of the network."""


@dataclass(frozen=True)
class Greedy:
    """Greedy ablation, class by class."""

    steps: Annotated[int, _COUNT] = 32
    """Units to ablate, at most."""
    classes: tuple[str, ...] = ()
    """Which classes; all by default."""
    random_orders: Annotated[int, _FROM_ZERO] = 10
    """Random orders to compare with."""
    seed: Annotated[int, ju.SEEDS] = 0
    """Of the random orders."""
    layers: tuple[str, ...] = ()
    """Which layers; the last with maps by default."""


@dataclass(frozen=True)
class Concepts:
    """Concepts that units are compared with."""

    source: str = "computed"
    """Annotated images: broden:PATH, folder:PATH or tfds:scene_parse150; by default concepts
    computed from the run's own images."""
    split: str | None = None
    """Which part of them."""
    convention: Literal["netdissect", "dissect2020", "dissect2020_code"] = "netdissect"
    """Which threshold cuts a unit's maps, and on which grid they are compared with masks."""
    quantile: Annotated[float | None, _SHARE] = None
    """Share of all positions above the threshold, instead of the convention's, which suits large
    images: on small ones concepts take up more of the image."""
    detector_iou: Annotated[float, ju.Range(0, 1)] = 0.04
    """A unit with a larger IoU is a detector."""
    layers: tuple[str, ...] = ()
    """Which layers; the last with maps by default."""


@dataclass(frozen=True)
class Prediction:
    """Prediction of the class that a unit's ablation damages most."""

    fitted_on: Annotated[int, _COUNT] = 3
    """Networks to fit on, of those that differ in their seeds alone; the others are tested."""
    minimum_drop: Annotated[float | None, ju.Range()] = None
    """Units with a smaller max class accuracy drop are left out."""


@dataclass(frozen=True)
class Topology:
    """Feature topology of a layer's maps on training images."""

    layers: tuple[str, ...] = ()
    """Which layers; the first with square maps of 6×6 to 14×14 by default."""
    classes: tuple[str, ...] = ()
    """Which classes; all by default."""
    images: Annotated[int, _COUNT] = 200
    """Training images per class, at most, drawn at random."""
    limit: Annotated[int, _COUNT] = 50
    """The largest birth point that counts."""
    convention: Literal["paper", "authors"] = "paper"
    """Whether sizes are ranked from 1, or signed values from 0 as in the authors' code."""
    p: Annotated[float | None, ju.Range(0, 1)] = None
    """The selective rate below which a unit is not effective; the convention's by default."""
    shown_class: str | None = None
    """The class that figures of a single class show; the first by default."""
    random_orders: Annotated[int, _COUNT] = 10
    """Random orders to compare cumulative ablation with."""
    greedy: bool = True
    """Whether greedy ablation of the shown class is a bound to compare with."""
    seed: Annotated[int, ju.SEEDS] = 0
    """Of the images, the random orders and the subsets."""

    def effectiveness(self, births: Int[np.ndarray, "images units"]) -> Float[np.ndarray, " units"]:
        """How well each unit represents the class of the images, by these settings."""
        return ju.topology.effectiveness(births, p=self.p, convention=self.convention)

    def shown(self, classes: Sequence[str]) -> str:
        """The class to show, of those that were measured."""
        if self.shown_class is not None and self.shown_class not in classes:
            raise ju.unknown_name("class", self.shown_class, classes, "the measured topology")
        return classes[0] if self.shown_class is None else self.shown_class


@dataclass(frozen=True)
class Stability:
    """Whether the importance rank depends on which images are taken."""

    sizes: Annotated[tuple[int, ...], _COUNT] = (10, 20, 50, 100)
    """Images per subset; sizes that a class has too few images for are left out."""
    subsets: Annotated[int, _COUNT] = 100
    """Random subsets of each size."""
    top: Annotated[int | None, _COUNT] = None
    """How many units are the first; 20 as in paper B by default, at most a quarter of the layer."""
    chosen: Annotated[int | None, _COUNT] = None
    """How many of those most often among them are named; three quarters of them by default."""
    compared: Annotated[int | None, _COUNT] = None
    """Over how many the stability is averaged; half of them by default."""

    def sizes_within(self, images: int) -> list[int]:
        """The sizes of at most half of the images, of which many subsets differ; one at least."""
        return [size for size in self.sizes if 2 * size <= images] or [max(1, images // 2)]

    def of_layer(self, units: int) -> tuple[int, int, int]:
        """`top`, `chosen` and `compared` of a layer: 20, 15 and 10 where it is large."""
        top = self.top or max(1, min(20, units // 4))
        return top, self.chosen or max(1, 3 * top // 4), self.compared or max(1, top // 2)


@dataclass(frozen=True)
class Roles:
    """Stretches of the insertion curves, and what their units are."""

    penalty: Annotated[float, _FROM_ZERO] = 0.02
    """Of a further stretch, against the summed squares that it saves (of accuracy as a share): the
    larger, the fewer stretches."""
    shortest: Annotated[int, _COUNT] = 5
    """Units that a stretch has at least."""
    confidence: Annotated[float, _SHARE] = 0.95
    """Of the intervals of the slopes."""
    resamples: Annotated[int, _COUNT] = 2000
    """Bootstrap samples a stretch."""


@dataclass(frozen=True)
class Synthesis:
    """Images that units respond to most: activation maximisation (AM) and independent AM (IAM)."""

    steps: Annotated[int, _COUNT] = 256
    """Steps of ascent."""
    learning_rate: Annotated[float, ju.Range(0, open="least")] = 0.1
    """Of plain ascent: how far a step moves the pixels, in root mean square; it falls to 0."""
    noise_seeds: Annotated[int, _COUNT] = 3
    """How many images of every unit and objective, each from other noise."""
    iam_from: Literal["noise", "am"] = "noise"
    """Where IAM starts: from noise as in paper C, or from AM's image with small steps, so that
    both end on the same hill."""
    robust: bool = False
    """Make images that people can read (small random movements, Fourier basis) instead of plain
    ascent on pixels as in paper C."""
    units: Annotated[int | None, _COUNT] = None
    """Units per layer that have images, evenly spread; all by default."""
    layers: tuple[str, ...] = ()
    """Which layers, in the networks that have them; all by default."""
