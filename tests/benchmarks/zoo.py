"""What a sweep costs on networks of every kind: `python -m tests.benchmarks.zoo`.

The small networks of the tests, each with one of its layers: the path that is taken, multiply-adds
of all masks in plain passes on it and on the reference path, seconds of a sweep on both (the second
call, which compiles nothing), and in how many counts they differ. A PyTorch module is among them
where PyTorch is installed.
"""

from __future__ import annotations

import importlib.util
import statistics

from rich.console import Console
from rich.table import Table

import jaxunits as ju
from jaxunits.ablation._program import choose
from jaxunits.ablation._question import question_of
from jaxunits.ablation._reference import Reference

from ..zoo import KINDS, LAYERS, kind
from ..zoo.kind import Kind

ROUNDS = 5


def main() -> None:
    """Measure and print a table."""
    table = Table(title="a sweep of every unit of a layer, 40 images")
    for column in ("network", "layer", "unit is", "method"):
        table.add_column(column)
    for column in ("units", "plain passes", "reference", "s", "reference, s", "counts apart"):
        table.add_column(column, justify="right")
    for name in KINDS:
        if name == "mobilenet" and importlib.util.find_spec("torch") is None:
            continue
        table.add_row(name, *row(kind(name), LAYERS[name][0]))
    Console(width=140).print(table)


def row(found: Kind, layer: str) -> list[str]:
    """A network's line."""
    network, data = found.network, found.data
    question = question_of(network, layer, data, ju.ablation.Execution())
    chosen = choose(question)
    whole = Reference.work(question)
    plain = whole.prefix + whole.each
    results = {
        method: [ju.ablation.sweep(network, layer, data, method=method) for _ in range(1 + ROUNDS)]
        for method in ("fast", "reference")
    }
    seconds = {
        method: statistics.median(float(each.attrs["run_seconds"]) for each in every[1:])
        for method, every in results.items()
    }
    fast, reference = (every[0] for every in results.values())
    return [
        layer,
        network.layer(layer).unit_is,
        chosen.method.name,
        str(network.layer(layer).num_units),
        f"{chosen.work.total / plain:.2f}",
        f"{whole.total / plain:.2f}",
        f"{seconds['fast']:.3f}",
        f"{seconds['reference']:.3f}",
        str(int((fast.correct != reference.correct).sum())),
    ]


if __name__ == "__main__":
    main()
