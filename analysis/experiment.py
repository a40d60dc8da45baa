"""What an experiment is, and how experiments are found."""

from __future__ import annotations

import functools
import importlib
import pkgutil
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from importlib.metadata import entry_points
from typing import Any

from matplotlib import rc_context

import jaxunits as ju

from .figures import STYLE
from .measurement import Measurement, in_order
from .runs import Runs
from .section import Section
from .settings import Settings, config_class

_ENTRY_POINTS = "jaxunits.experiments"
# What is run where nothing was asked for, of one network and of several.
_OF_ONE = ("drop_curves", "correlations", "unit_panels")
_OF_SEVERAL = ("drop_curves", "correlations", "prediction")


@dataclass(frozen=True)
class Experiment:
    """A part of the report.

    A module of `analysis/experiments/` that has one as `experiment` is found by its name, as is one
    that a package names as an entry point of the group `jaxunits.experiments`.

    Attributes:
      name: what it is called on the command line.
      section: its figures and tables, of the networks with what was measured of them.
      needs: the measurements that it reads.
      options: sections of options of its own; those of its measurements are there anyhow.
      paper: which paper it is after: A, B or C.
      figures: which figures and tables of it.
      groups: names that stand for several experiments, this one among them; that of its paper
        (`paper_a`) by default.
    """

    name: str
    section: Callable[[Runs], Section]
    needs: tuple[Measurement, ...]
    options: tuple[type, ...] = ()
    paper: str = ""
    figures: str = ""
    groups: tuple[str, ...] | None = None

    def draw(self, runs: Runs) -> Section:
        """Its figures and tables, as figures of this program look."""
        with rc_context(STYLE):
            return self.section(runs)

    @property
    def in_groups(self) -> tuple[str, ...]:
        """The groups that it is in."""
        if self.groups is not None:
            return self.groups
        return (f"paper_{self.paper.lower()}",) if self.paper else ()


@functools.cache
def experiments() -> Mapping[str, Experiment]:
    """All experiments by name, in the order of their papers and figures.

    Raises:
      InputError: two have one name, or an installed package names as one what is none.
    """
    found: dict[str, Experiment] = {}
    each: Sequence[Experiment] = [*_own(), *_of_packages()]
    for experiment in sorted(each, key=lambda one: (one.paper or "~", one.figures, one.name)):
        if experiment.name in found:
            raise ju.InputError(f"two experiments are called {experiment.name!r}: rename one")
        found[experiment.name] = experiment
    return found


def _own() -> Iterator[Experiment]:
    from . import experiments as package

    for item in pkgutil.iter_modules(package.__path__):
        found = getattr(importlib.import_module(f"{package.__name__}.{item.name}"), "experiment", 0)
        if isinstance(found, Experiment):
            yield found


def _of_packages() -> Iterator[Experiment]:
    for point in entry_points(group=_ENTRY_POINTS):
        try:
            found: Any = point.load()
        except (ImportError, AttributeError) as error:
            raise ju.InputError(
                f"entry point {point.name!r} of {_ENTRY_POINTS} ({point.value}): {error}. Mend or "
                "uninstall the package that has it"
            ) from error
        if not isinstance(found, Experiment):
            raise ju.InputError(
                f"entry point {point.name!r} of {_ENTRY_POINTS} ({point.value}) is of type "
                f"{type(found).__name__}: give a jaxunits.analysis.Experiment"
            )
        yield found


def chosen(names: Sequence[str | Experiment], networks: int) -> list[Experiment]:
    """The experiments that some names stand for; where there are none, those that take little time.

    Args:
      names: of experiments and of groups of them, or experiments themselves.
      networks: how many networks are measured.

    Raises:
      InputError: there is no such experiment or group, or two experiments have one name.
    """
    known = experiments()
    found: dict[str, Experiment] = {}
    for name in names or (_OF_ONE if networks == 1 else _OF_SEVERAL):
        if isinstance(name, Experiment):
            if {**known, **found}.get(name.name, name) != name:
                raise ju.InputError(f"two experiments are called {name.name!r}: rename one")
            found[name.name] = name
        elif name in known:
            found[name] = known[name]
        elif name in groups():
            found |= {key: each for key, each in known.items() if name in each.in_groups}
        else:
            raise ju.unknown_name("experiment", name, [*known, *groups()], "jaxunits.analysis")
    return list(found.values())


def groups() -> list[str]:
    """Names that stand for several experiments."""
    return sorted({name for each in experiments().values() for name in each.in_groups})


def measurements_of(wanted: Sequence[Experiment]) -> list[tuple[Measurement, Experiment]]:
    """What experiments read, each measurement with the first experiment that needs it."""
    found: dict[Measurement, Experiment] = {}
    for experiment in wanted:
        for measurement in in_order(experiment.needs):
            found.setdefault(measurement, experiment)
    return [(each, found[each]) for each in in_order(list(found))]


@functools.cache
def config(others: tuple[Experiment, ...] = ()) -> type[Settings]:
    """The settings with the options of all experiments, and of others, and of what they measure."""
    every = (*experiments().values(), *others)
    sections = [section for each in every for section in each.options]
    sections += [part for each, _ in measurements_of(every) for part in each.sections()]
    return config_class([*experiments(), *groups()], sections)
