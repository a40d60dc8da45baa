"""The benchmark for accelerators, on the smallest network."""

import dataclasses
import math
import os
import re

import numpy as np
import pytest

from tests.benchmarks.accelerator import tables
from tests.benchmarks.accelerator_cases import SMALL
from tests.benchmarks.sections import SKIPPED, Section, measured

# The table of synthesis is left out: it compiles for as long as half of the others.
EVERY = "first,memory,matrices,plain,sweeps,precisions,attributes,births"
TABLES = EVERY if "JAXUNITS_TEST_ALL" in os.environ else "first,matrices,sweeps"
TINY = dataclasses.replace(
    SMALL, networks="convnet", tables=TABLES, images=1, matrix=64, steps=2, units=1, seconds=0.001
)
NUMBER = re.compile(r"-?[\d,]+(\.\d+)?(e[+-]\d+)?(?= of|%|$)")


def rows_of(table):
    """Cells by column title and label; a title that comes twice keeps its last column."""
    labels, *others = table.columns
    return {each.header: dict(zip(labels.cells, each.cells, strict=True)) for each in others}


@pytest.mark.slow
def test_every_table_of_the_accelerator_benchmark_has_finite_numbers():
    found = list(tables(TINY))
    assert not [error for _, errors in found for error in errors]
    titles = [table.title for table, _ in found]
    assert len(set(titles)) == len(titles) == len(TABLES.split(","))
    for table, _ in found:
        cells = [cell for column in table.columns[1:] for cell in column.cells]
        numbers = [float(match[0].replace(",", "")) for match in map(NUMBER.match, cells) if match]
        assert len(numbers) >= len(cells) / 3, table.title
        assert all(map(math.isfinite, numbers))
        assert not {"nan", "inf", SKIPPED} & set(cells)
    again = rows_of(found[0][0])["compiled"]
    assert again
    assert set(again.values()) == {"0"}


def test_nothing_is_measured_after_the_time_is_up():
    for table, errors in tables(dataclasses.replace(TINY, minutes=0)):
        assert not errors
        assert set(table.columns[1].cells) == {SKIPPED}


def test_a_row_that_fails_leaves_the_others():
    error = ValueError("no such layer")

    def failing():
        raise error

    section = Section("", ("", "one", "two"), "", {"a": failing, "b": lambda: [["1", "2"]]})
    table, errors = measured(section, lambda: False)
    assert errors == [error]
    assert list(table.columns[1].cells) == ["failed: ValueError", "1"]


@pytest.mark.slow
def test_steps_of_training_are_compared_with_pytorchs():
    pytest.importorskip("torch")
    from tests.benchmarks import training

    names = ("conv net, 28²", "ResNet-20, 32²")
    tiny = training.Settings(rounds=1, seconds=0, only=names, narrow=8, batch=2, matrix=64)
    for section in training.sections(tiny):
        table, errors = measured(section, lambda: False)
        assert not errors
        cells = [cell for column in table.columns[1:] for cell in column.cells]
        assert cells
        assert all(NUMBER.match(cell) for cell in cells)


@pytest.mark.slow
@pytest.mark.parametrize("name", ["conv net, 28²", "ResNet-20, 32²"])
def test_pytorchs_step_is_the_step_of_training(name):
    pytest.importorskip("torch")
    from tests.benchmarks import training

    case = training.CASES[name]
    network = case.network(8)
    images = np.random.default_rng(0).normal(
        size=(4, *case.preprocessing.size, case.preprocessing.channels)
    )
    twin = training.torch_twin(network)
    logits = twin(training.torch_images(images.astype(np.float32))).numpy()
    np.testing.assert_allclose(network(images.astype(np.float32)), logits, atol=1e-4)
