"""First and second calls, and their memory, for `tests.benchmarks.accelerator`."""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping

import xarray as xr

import jaxunits as ju

from .accelerator_cases import Settings, births, case, collected, layers_of, names_of
from .first_calls import Calls, called_twice
from .sections import Rows, Section

Call = Callable[[], xr.Dataset]


def first_calls(settings: Settings) -> Section:
    """Seconds of a first and of a second call, and what each compiles."""

    def rows(label: str) -> Rows:
        found = calls(label, settings)
        first, second = found.seconds
        programs, again = found.compiling
        return [
            [
                f"{first:.2f}",
                str(len(programs)),
                f"{sum(programs):.2f}",
                f"{second:.3f}",
                str(len(again)),
            ]
        ]

    return Section(
        "first and second calls",
        ("", "first call, s", "programs compiled", "compiling, s", "second call, s", "compiled"),
        "All programs that XLA compiles during a call, or reads from a cache, count.",
        {label: functools.partial(rows, label) for label in functions(settings)},
    )


def memory(settings: Settings) -> Section:
    """What programs hold by the library's account, and by the device's."""
    budget = ju.Execution().budget

    def rows(label: str) -> Rows:
        found = calls(label, settings)
        told = [found.accounted, budget, found.before, found.peak]
        return [[*map(mebibytes, told), f"{found.accounted / budget:.2%}"]]

    return Section(
        "memory of the calls above, MiB",
        ("", "accounted", "budget", "in use before", "most in use", "accounted ÷ budget"),
        "accounted: what the compiled programs hold at most, arguments included. most in use: what "
        "the device itself says, since the program was started; it tells of the rows where it has "
        "grown. CPUs do not say.",
        {label: functools.partial(rows, label) for label in functions(settings)},
    )


def mebibytes(number: int | None) -> str:
    """A number of bytes, where it is known."""
    return "not told" if number is None else f"{number / 2**20:,.1f}"


@functools.cache
def calls(label: str, settings: Settings) -> Calls:
    """The first two calls of a function, made once."""
    return called_twice(functions(settings)[label]())


def functions(settings: Settings) -> Mapping[str, Callable[[], Call]]:
    """What prepares each call, by its label: all sweeps, and the rest on the last network."""
    last = names_of(settings)[-1]

    def sweep(name: str, layer: str) -> Call:
        return functools.partial(case(name, settings).sweep, layer)

    def image() -> Call:
        chosen, method = case(last, settings), ju.synthesis.Method(steps=settings.steps)
        return lambda: ju.synthesis.maximize(
            chosen.network, chosen.layers[0], [0], method=method, progress=False
        )

    return {
        **{
            f"sweep, {name} {layer}": functools.partial(sweep, name, layer)
            for name, layer in layers_of(settings)
        },
        f"birth points, {last}": lambda: functools.partial(births, case(last, settings)),
        f"attributes, {last}": lambda: functools.partial(
            collected, case(last, settings), gradients=True
        ),
        f"an image, {last}": image,
    }
