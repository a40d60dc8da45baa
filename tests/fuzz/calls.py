"""Every public function with odd arguments: a valid result or `InputError`."""

from __future__ import annotations

import contextlib
import itertools
import types
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np

import jaxunits as ju
from tests.fuzz.cases import Target
from tests.fuzz.odd import odd_arguments
from tests.fuzz.valid_calls import VALID, Call, World

# Public names that no target calls, and why.
LEFT_OUT = {
    "it is raised": {
        *("InputError", "networks.DamagedCheckpointError"),
    },
    "it makes the text of an error": {"unknown_name"},
    "measure takes it, and checks it": {
        *("ablation.Sweep", "attributes.Attributes", "topology.BirthPoints"),
    },
    "it is a type alone": {
        *("ablation.Options", "attributes.Options", "data.Source", "data.concepts.Source"),
    },
    "it holds what functions of ours give": {
        *("Plan", "data.Batch", "data.Dataset", "data.concepts.Annotated"),
        *("data.concepts.Annotations", "data.concepts.Concepts", "networks.Centers"),
        *("networks.Classifier", "networks.Layer", "statistics.PhaseTransition"),
        "statistics.RankCorrelation",
    },
    "it is a module whose function, such as networks.mlp, checks the arguments": {
        *("networks.AlexNet", "networks.CifarResNet", "networks.ConvNet", "networks.MLP"),
        *("networks.ResNet18", "networks.SqueezeNet", "networks.VGG16"),
        "networks.VisionTransformer",
    },
    "it changes the process": {"join_cluster", "use_compilation_cache"},
    "it is called inside compiled programs": {
        *("networks.ablate", "networks.unit"),
    },
    "it is what the programs keep files with": {
        *("results.RunFolder", "results.environment", "results.raise_if_different"),
        *("results.timing_of", "results.beside"),
    },
}


# Packages whose functions are no users' own, or public elsewhere.
_INSIDE = {"checkpoints", "execution", "files", "tracing", "weights"}
# Programs, whose one function for users, `analysis.study`, has tests of its own.
_INSIDE |= {"analysis", "configs", "train"}


def public(module: types.ModuleType = ju, prefix: str = "") -> Iterator[str]:
    """The names of everything public that can be called."""
    for name in dir(module):
        if name.startswith("_"):
            continue
        value = getattr(module, name)
        if isinstance(value, types.ModuleType):
            if value.__name__ == f"{module.__name__}.{name}" and name not in _INSIDE:
                yield from public(value, f"{prefix}{name}.")
        elif callable(value) and value.__module__.startswith("jaxunits"):
            yield f"{prefix}{name}"


def targets(folder: Path) -> list[Target]:
    """One for the functions of each package."""
    world = World.make(folder)

    def package_of(name: str) -> str:
        return name.rpartition(".")[0].split(".")[0]

    packages = itertools.groupby(sorted(VALID, key=package_of), package_of)
    return [
        Target(f"calls of {package or 'jaxunits'}", _attempt(world, tuple(names)))
        for package, names in packages
    ]


def _attempt(world: World, names: tuple[str, ...]) -> Callable[[np.random.Generator, Path], None]:
    def attempt(random: np.random.Generator, place: Path) -> None:
        call = VALID[names[random.integers(len(names))]]
        args, kwargs = call.arguments(world)
        args, kwargs, misspelled = odd_arguments(args, kwargs, random)
        with contextlib.chdir(place):
            try:
                use(call, world, args, kwargs)
            except call.may_raise:
                return
            except Exception as error:
                # Functions without options answer a typo as Python does.
                typo = ("unexpected keyword argument", "required positional argument")
                if (
                    misspelled
                    and isinstance(error, TypeError)
                    and any(map(str(error).__contains__, typo))
                ):
                    return
                error.add_note(f"{call.name}(*{args!r:.500}, **{kwargs!r:.1500})")
                raise

    return attempt


def use(call: Call, world: World, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
    """Call a function, and take a little of what it gives."""
    result = call.function(world)(*args, **kwargs)
    if isinstance(result, Iterator):
        list(itertools.islice(result, 2))
