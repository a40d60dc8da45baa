"""Numbers among the settings of the analysis are refused by name."""

import dataclasses
from pathlib import Path

import pytest

import jaxunits as ju
from jaxunits.analysis.experiment import config as config_class

Config = config_class()


def numbers_of(config):
    """The whole path of every number, and its type."""
    for section in dataclasses.fields(config):
        value = getattr(config, section.name)
        if dataclasses.is_dataclass(value):
            for field in dataclasses.fields(value):
                if type(number := getattr(value, field.name)) in (int, float):
                    yield section.name, field.name, type(number)


def test_every_number_has_a_range():
    config = Config(Path("runs/none"))
    paths = list(numbers_of(config))
    assert len(paths) > 20
    for section, name, kind in paths:
        wrong = [kind(-1), *([float("nan"), float("inf")] if kind is float else [2**64])]
        for value in wrong:
            changed = dataclasses.replace(getattr(config, section), **{name: value})
            expected = f"^{section}.{name}={value}: give a (whole )?number"
            with pytest.raises(ju.InputError, match=expected):
                dataclasses.replace(config, **{section: changed})


@pytest.mark.parametrize("name", ["batch_size", "max_memory", "epoch"])
def test_numbers_that_may_be_left_out(name):
    with pytest.raises(ju.InputError, match=f"^{name}=-1: give a number from"):
        Config(Path("runs/none"), **{name: -1})
