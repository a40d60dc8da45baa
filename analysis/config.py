"""What to analyse, and how."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Literal, get_args

import tyro

import jaxunits as ju

from .options import (
    Concepts,
    Greedy,
    Panels,
    Prediction,
    Roles,
    Rotations,
    Stability,
    Synthesis,
    Topology,
)

Experiment = Literal[
    "drop_curves",
    "greedy",
    "concepts",
    "correlations",
    "prediction",
    "rotations",
    "topology",
    "phase_transition",
    "stability",
    "roles",
    "substitution",
    "synthesised_images",
    "unit_panels",
]
Paper = Literal["paper_a", "paper_b", "paper_c"]
EXPERIMENTS: tuple[Experiment, ...] = get_args(Experiment)
# What is run where nothing was asked for, of one network and of several.
_OF_ONE: tuple[Experiment, ...] = ("drop_curves", "correlations", "unit_panels")
_OF_SEVERAL: tuple[Experiment, ...] = ("drop_curves", "correlations", "prediction")
_PAPERS: Mapping[str, tuple[Experiment, ...]] = {
    "paper_a": (*("drop_curves", "greedy", "concepts", "correlations", "prediction", "rotations"),),
    "paper_b": ("topology", "phase_transition", "stability", "roles"),
    "paper_c": ("drop_curves", "substitution", "synthesised_images"),
}


@dataclass(frozen=True)
class Config:
    """Ablate every unit of a trained network, or of a study's networks; report what breaks."""

    run: tyro.conf.Positional[Path]
    """The run folder of the training program, or a study's folder above several."""
    experiments: tyro.conf.Positional[tuple[Experiment | Paper, ...]] = ()
    """Which experiments; `paper_a`, `paper_b` and `paper_c` stand for all of a paper's. By default
    those that take little longer than the sweeps."""
    layers: tuple[str, ...] = ()
    """Which layers; all by default."""
    split: str | None = None
    """The images to measure on; the run's validation split by default. Measurements on several
    splits stand beside each other; the report shows one."""
    values: Literal["zero", "mean", "resample"] = "zero"
    """What an ablated unit gives: zero, its mean over these images, or its activations on another
    of them, drawn at random."""
    panels: Panels = field(default_factory=Panels)
    """What is shown of a unit."""
    rotations: Rotations = field(default_factory=Rotations)
    """Random rotations of a layer's units."""
    greedy: Greedy = field(default_factory=Greedy)
    """Greedy ablation, class by class."""
    concepts: Concepts = field(default_factory=Concepts)
    """Concepts that units are compared with."""
    prediction: Prediction = field(default_factory=Prediction)
    """Prediction of the class that a unit's ablation damages most."""
    topology: Topology = field(default_factory=Topology)
    """Feature topology of a layer's maps on training images."""
    stability: Stability = field(default_factory=Stability)
    """Whether the importance rank depends on which images are taken."""
    roles: Roles = field(default_factory=Roles)
    """Stretches of the insertion curves, and what their units are."""
    synthesis: Synthesis = field(default_factory=Synthesis)
    """Images that units respond to most, and which other units respond to them."""
    epoch: Annotated[int | None, ju.Range(0)] = None
    """The checkpoint after so many epochs; the last by default."""
    method: Literal["auto", "fast", "reference"] = "auto"
    """How ablations are computed: by what a unit adds to the next affine stage, or by running the
    network under every mask."""
    precision: Literal["float32", "bfloat16", "checked"] = "float32"
    """Of the sweeps; checked is bfloat16 with every close image repeated in float32."""
    batch_size: Annotated[int | None, ju.Range(1)] = None
    """Images per batch and device; 32 on CPUs and 256 elsewhere by default."""
    max_memory: Annotated[int | None, ju.Range(1), tyro.conf.arg(metavar="BYTES")] = None
    """Bytes that a device may hold; most of its memory by default."""
    plan: bool = False
    """Say what the sweeps will cost, and measure nothing."""
    distributed: bool = False
    """Share the images among the processes of this cluster job (SLURM, a TPU pod), each started
    with this same command."""
    measure: bool = True
    """Measure what the folder lacks; without, its measurements with these settings are read, and
    neither network nor images are needed."""
    overwrite: bool = False
    """Measure what is asked for again; what the folder has of other settings stays."""

    def __post_init__(self) -> None:
        ju.check_settings(self)

    def chosen(self, networks: int) -> tuple[Experiment, ...]:
        """The experiments to run, in the report's order.

        Args:
          networks: how many there are.
        """
        default = _OF_ONE if networks == 1 else _OF_SEVERAL
        named = set(self.experiments or default)
        for paper, experiments in _PAPERS.items():
            if paper in named:
                named |= set(experiments)
        return tuple(name for name in EXPERIMENTS if name in named)
