"""Settings of single measurements and experiments."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from jaxtyping import Float, Int

import jaxunits as ju


@dataclass(frozen=True)
class Panels:
    """What is shown of a unit."""

    units: int = 3
    """Units a layer: those with the largest max class accuracy drop."""
    images: int = 9
    """Top-activating images a unit."""
    activation: Literal["mean", "max"] = "mean"
    """What ranks images: the mean of the unit's map, or its largest value."""
    quantile: float = 0.02
    """Share of all positions of all images that counts as active, and is left uncovered."""
    classes: int = 3
    """Most damaged classes a unit."""
    samples: int = 6
    """Images of each of them."""


@dataclass(frozen=True)
class Rotations:
    """Random rotations of a layer's units."""

    count: int = 5
    """How many."""
    seed: int = 0
    """Of the first; the others follow."""
    layers: tuple[str, ...] = ()
    """Which layers; the last with maps by default. Where a max-pool follows, every direction takes
    a pass through the rest of the network."""


@dataclass(frozen=True)
class Greedy:
    """Greedy ablation, class by class."""

    steps: int = 32
    """Units to ablate, at most."""
    classes: tuple[str, ...] = ()
    """Which classes; all by default."""
    random_orders: int = 10
    """Random orders to compare with."""
    seed: int = 0
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
    quantile: float | None = None
    """Share of all positions above the threshold, instead of the convention's, which suits large
    images: on small ones concepts take up more of the image."""
    detector_iou: float = 0.04
    """A unit with a larger IoU is a detector."""
    layers: tuple[str, ...] = ()
    """Which layers; the last with maps by default."""


@dataclass(frozen=True)
class Prediction:
    """Prediction of the class that a unit's ablation damages most."""

    fitted_on: int = 3
    """Networks to fit on, of those that differ in their seeds alone; the others are tested."""
    minimum_drop: float | None = None
    """Units with a smaller max class accuracy drop are left out."""


@dataclass(frozen=True)
class Topology:
    """Feature topology of a layer's maps on training images."""

    layers: tuple[str, ...] = ()
    """Which layers; the first with square maps of 6×6 to 14×14 by default."""
    classes: tuple[str, ...] = ()
    """Which classes; all by default."""
    images: int = 200
    """Training images a class, at most, drawn at random."""
    limit: int = 50
    """The largest birth point that counts."""
    convention: Literal["paper", "authors"] = "paper"
    """Whether sizes are ranked from 1, or signed values from 0 as in the authors' code."""
    p: float | None = None
    """The selective rate below which a unit is not effective; the convention's by default."""
    shown_class: str | None = None
    """The class that figures of a single class show; the first by default."""
    random_orders: int = 10
    """Random orders to compare cumulative ablation with."""
    greedy: bool = True
    """Whether greedy ablation of the shown class is a bound to compare with."""
    seed: int = 0
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

    sizes: tuple[int, ...] = (10, 20, 50, 100)
    """Images a subset; sizes that a class has too few images for are left out."""
    subsets: int = 100
    """Random subsets of each size."""
    top: int | None = None
    """How many units are the first; 20 as in paper B by default, at most a quarter of the layer."""
    chosen: int | None = None
    """How many of those most often among them are named; three quarters of them by default."""
    compared: int | None = None
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

    penalty: float = 0.02
    """Of a further stretch, against the summed squares that it saves (of accuracy as a share): the
    larger, the fewer stretches."""
    shortest: int = 5
    """Units that a stretch has at least."""
    confidence: float = 0.95
    """Of the intervals of the slopes."""
    resamples: int = 2000
    """Bootstrap samples a stretch."""


@dataclass(frozen=True)
class Synthesis:
    """Images that units answer to most: activation maximisation (AM) and independent AM (IAM)."""

    steps: int = 256
    """Steps of ascent."""
    learning_rate: float = 0.1
    """Of plain ascent: how far a step moves the pixels, in root mean square; it falls to 0."""
    noise_seeds: int = 3
    """How many images of every unit and objective, each from other noise."""
    iam_from: Literal["noise", "am"] = "noise"
    """Where IAM starts: from noise as in paper C, or from AM's image with small steps, so that
    both end on the same hill."""
    robust: bool = False
    """Make images that people can read (small random movements, Fourier basis) instead of plain
    ascent on pixels as in paper C."""
    units: int | None = None
    """Units a layer that have images, evenly spread; all by default."""
    layers: tuple[str, ...] = ()
    """Which layers, in the networks that have them; all by default."""
