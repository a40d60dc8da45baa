"""The benchmark for accelerators, on the smallest network."""

import dataclasses
import math
import os
import re

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
