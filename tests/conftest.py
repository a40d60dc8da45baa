"""What all tests share."""

import contextlib
import ctypes
import gc
import os
import tempfile
from pathlib import Path

# Before JAX starts: no accelerator, and no memory taken beforehand.
os.environ.setdefault("JAX_PLATFORMS", "cpu")
# What one process of a run has compiled, others read: workers, and programs that tests start.
if "PYTEST_XDIST_WORKER" not in os.environ:
    _compiled = tempfile.TemporaryDirectory(prefix="jaxunits-compiled-")
    os.environ["JAX_COMPILATION_CACHE_DIR"] = _compiled.name
    os.environ["JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS"] = "0"
    os.environ["JAX_PERSISTENT_CACHE_MIN_ENTRY_SIZE_BYTES"] = "-1"

import jax
import numpy as np
import pytest
from hypothesis import HealthCheck, settings

import jaxunits as ju
from tests.outcomes import without_near_ties
from tests.stored import stored

jax.config.update("jax_numpy_rank_promotion", "raise")

# The same examples on every run and machine; HYPOTHESIS_PROFILE=explore looks for new ones.
shared = {"deadline": None, "suppress_health_check": list(HealthCheck)}
settings.register_profile("shared", derandomize=True, **shared)
settings.register_profile("explore", **shared)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "shared"))


# Bytes of a test process above which the programs that it has compiled are dropped, and by how
# much it has grown since they were dropped last: where that does not help it is not tried again.
ENOUGH = 1_400_000_000
GROWTH = 300_000_000


@pytest.fixture(scope="session")
def _memory():
    """How many bytes the process may hold."""
    return {"allowed": ENOUGH}


@pytest.fixture(autouse=True)
def _bounded_memory(_memory):
    """Compiled programs, two megabytes for the smallest, do not pile up in a process."""
    yield
    if resident() > _memory["allowed"]:
        jax.clear_caches()
        gc.collect()
        with contextlib.suppress(OSError, AttributeError):
            ctypes.CDLL(None).malloc_trim(0)
        _memory["allowed"] = max(ENOUGH, resident() + GROWTH)


def resident():
    """Bytes of memory that this process holds; 0 where the system does not tell."""
    statistics = Path("/proc/self/statm")
    if not statistics.exists():
        return 0
    return int(statistics.read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")


@pytest.fixture(scope="session")
def digits():
    return ju.data.load("digits", "validation")


@pytest.fixture(scope="session")
def few_digits(digits):
    """300 digits of all classes, in arrays; their number is no multiple of any batch."""
    records = [digits[index] for index in range(300)]
    images = np.stack([record["image"] for record in records])
    labels = np.asarray([record["label"] for record in records])
    return ju.data.load((images, labels), "validation", class_names=digits.class_names)


@pytest.fixture(scope="session")
def clear_digits(trained, few_digits):
    """Those of them whose class is clear in float32, whichever unit of `trained` is ablated."""
    return without_near_ties(trained, few_digits)


@pytest.fixture(scope="session")
def trained():
    """A small conv net that classifies most digits, with units that matter."""
    return stored("convnet")


@pytest.fixture(scope="session")
def families():
    """A trained network of every family, by name."""
    return {name: stored(name) for name in ("convnet", "mlp", "residual")}
