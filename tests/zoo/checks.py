"""Results of the library against logits of a network of the zoo."""

import contextlib
import os

import jax
import numpy as np

from tests.outcomes import assert_counts, count

LOSS = 1e-4
# Some layers of every network by default: each has programs of its own to compile.
EVERY = "JAXUNITS_TEST_ALL" in os.environ


@contextlib.contextmanager
def quick_compilation():
    """Programs of small networks are compiled in less time, and run a little longer."""
    jax.config.update("jax_disable_most_optimizations", True)
    try:
        yield
    finally:
        jax.config.update("jax_disable_most_optimizations", False)


def assert_rows(result, logits, labels):
    """A result's masks, whatever they are laid out in, have the counts and losses of logits."""
    dims = [name for name in result.correct.dims if name != "class"]
    rows = result[["correct", "loss_sum", "n_images"]].stack(row=dims).transpose("row", "class")
    assert rows.sizes["row"] == len(logits)
    for number, each in enumerate(logits):
        row = rows.isel(row=number)
        assert_counts(row, each, labels)
        expected = count(each, labels)[1]
        apart = np.abs(row.loss_sum.values - expected)
        assert (apart <= LOSS * np.maximum(1, np.abs(expected))).all(), (number, apart)


def single(units):
    return 1 - np.eye(units)
