"""The network and the images of the tests of all measuring functions."""

import numpy as np
import pytest

import jaxunits as ju
from tests.execution.functions import exact_digits, exact_network
from tests.execution.kills import IMAGES


@pytest.fixture(scope="module")
def network():
    return exact_network()


@pytest.fixture(scope="module")
def data():
    return exact_digits(IMAGES)


@pytest.fixture(scope="module")
def few(data):
    return ju.data.subset(data, np.arange(90))
