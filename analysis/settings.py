"""What to analyze, and how."""

from __future__ import annotations

import dataclasses
import inspect
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Any, Literal, TypeVar

import tyro

import jaxunits as ju

COUNT = ju.Range(1, 10**6)
FROM_ZERO = ju.Range(0, 10**6)
SHARE = ju.Range(0, 1, open="both")
Section = TypeVar("Section")


@dataclass(frozen=True)
class Settings:
    """Ablate every unit of a trained network, or of a study's networks; report what breaks."""

    run: tyro.conf.Positional[Path]
    """The folder of a training run or of a study with several of them; with --network, the folder
    to create or to go on with."""
    experiments: tuple[str, ...] = ()
    """Which experiments."""
    layers: tuple[str, ...] = ()
    """Which layers; all by default."""
    split: str | None = None
    """The images to measure on; the run's validation split by default. Measurements on several
    splits are kept side by side; the report shows one."""
    values: Literal["zero", "mean", "resample"] = "zero"
    """What replaces an ablated unit's output: zero, its mean over these images, or its activations
    on another image, drawn at random."""
    epoch: Annotated[int | None, ju.Range(0)] = None
    """The checkpoint after this many epochs; the last by default."""
    method: Literal["auto", "fast", "reference"] = "auto"
    """How ablations are computed: by what a unit adds to the next affine stage, or by running the
    network under every mask."""
    precision: Literal["float32", "bfloat16", "checked"] = "float32"
    """The precision of the sweeps; checked is bfloat16, with close images repeated in float32."""
    batch_size: Annotated[int | None, ju.Range(1)] = None
    """Images per batch and device; 32 on CPUs and 256 elsewhere by default."""
    max_memory: Annotated[int | None, ju.Range(1), tyro.conf.arg(metavar="BYTES")] = None
    """Bytes that a device may use; most of its memory by default."""
    plan: bool = False
    """Say what the missing measurements will cost, without making them."""
    distributed: bool = False
    """Share the images among the processes of this cluster job (SLURM, a TPU pod), each started
    with the same command."""
    measure: bool = True
    """Measure what the folder lacks; otherwise its measurements with these settings are only read,
    and neither network nor images are needed."""
    overwrite: bool = False
    """Measure again what is asked for; measurements with other settings stay."""
    output: Path | None = None
    """Where figures and report are written; the folder itself by default."""

    def __post_init__(self) -> None:
        ju.check_settings(self)

    def of(self, section: type[Section]) -> Section:
        """The options of a section."""
        options: Section = getattr(self, section_name(section))
        return options


def section_name(section: type) -> str:
    """What the options of a section begin with: `Greedy` has `--greedy.steps`."""
    return section.__name__.lower()


def config_class(names: Sequence[str], sections: Sequence[type]) -> type[Settings]:
    """The settings with sections of options, each a frozen dataclass with defaults.

    Args:
      names: what may be asked for.
      sections: perhaps with some more than once.

    Raises:
      InputError: two different ones have the same name.
    """
    by_name: dict[str, type] = {}
    for section in sections:
        if by_name.setdefault(section_name(section), section) is not section:
            name = section.__name__
            raise ju.InputError(f"two sections of options are called {name}: rename one")
    what = tyro.conf.arg(
        help="Which experiments; paper_a, paper_b and paper_c stand for all of a paper's. By "
        "default those that take little longer than the sweeps."
    )
    asked = Annotated[tuple[Literal[*names], ...], tyro.conf.Positional, what]  # type: ignore[valid-type]
    options = [
        (
            name,
            Annotated[section, tyro.conf.arg(help=inspect.getdoc(section))],
            field(default_factory=section),
        )
        for name, section in sorted(by_name.items())
    ]
    return dataclasses.make_dataclass(
        "Config",
        [("experiments", asked, ()), *options],
        bases=(Settings,),
        frozen=True,
        namespace={"__doc__": Settings.__doc__},
    )


def with_options(config: Settings, options: Mapping[str, Any]) -> Settings:
    """Settings with some options changed.

    Args:
      config: the settings.
      options: by whole names, such as `{"greedy.steps": 8}`.

    Raises:
      InputError: there is no such option, or its value cannot be used.
    """
    sections = {
        field.name: dataclasses.fields(getattr(config, field.name))
        for field in dataclasses.fields(config)
        if dataclasses.is_dataclass(getattr(config, field.name))
    }
    known = [f"{name}.{each.name}" for name, fields in sections.items() for each in fields]
    for name, value in options.items():
        if name not in known:
            raise ju.unknown_name("option", name, known, "jaxunits.analysis")
        section, _, option = name.partition(".")
        value = tuple(value) if isinstance(value, list) else value
        changed = dataclasses.replace(getattr(config, section), **{option: value})
        config = dataclasses.replace(config, **{section: changed})
    return config
