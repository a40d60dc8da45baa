"""Matrix products and plain passes, for `tests.benchmarks.accelerator`."""

from __future__ import annotations

import functools

from .accelerator_cases import PRECISIONS, Settings, case, names_of, plain_seconds, rate
from .rates import operations
from .sections import Rows, Section


def matrix_rates(settings: Settings) -> Section:
    """How fast the device multiplies."""

    def rows() -> Rows:
        return [[f"{rate(settings, precision) / 1e12:.3g}" for precision in PRECISIONS]]

    return Section(
        "products of square matrices, TFLOP/s",
        ("", *PRECISIONS),
        "float32: with JAX's precision `highest`, as in sweeps.",
        {f"{settings.matrix:,} × {settings.matrix:,}": rows},
    )


def plain_passes(settings: Settings) -> Section:
    """Plain passes of the networks against the matrix rate."""

    def rows(name: str) -> Rows:
        chosen = case(name, settings)
        images, each = len(chosen.data), operations(chosen.network)
        cells = [str(chosen.network.preprocessing.size[0]), str(images), f"{each / 1e9:.3g}"]
        for precision in PRECISIONS:
            seconds = plain_seconds(name, settings, precision)
            share = images * each / seconds / rate(settings, precision)
            cells += [f"{1e3 * seconds:.3g}", f"{share:.1%}"]
        return [cells]

    timed = (column for each in PRECISIONS for column in (f"{each}, ms", "share"))
    return Section(
        "plain passes of one batch",
        ("network", "pixels a side", "images", "GFLOP an image", *timed),
        "share: of the rate of matrix products above. Operations are twice the multiply-adds; "
        "convolutions by other formulas take fewer.",
        {name: functools.partial(rows, name) for name in names_of(settings)},
    )
