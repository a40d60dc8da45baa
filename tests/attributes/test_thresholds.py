import functools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from jaxunits.attributes._thresholds import passes, upper_quantile


def found(values, share, max_memory, pieces=3):
    units, positions = values.shape
    calls = []

    def one_pass(reduction):
        calls.append(None)
        parts = np.array_split(values, pieces, axis=1)
        # Two pieces of images, each of several batches.
        halves = [parts[: pieces // 2], parts[pieces // 2 :]]
        states = [reduction.observe(iter(half)) for half in halves if half]
        return functools.reduce(reduction.merge, states)

    quantiles = upper_quantile(one_pass, units, positions, share, max_memory)
    assert len(calls) == passes(units, positions, share, max_memory)
    return quantiles, len(calls)


@settings(max_examples=60)
@given(
    values=hnp.arrays(
        np.float32,
        st.tuples(st.integers(1, 3), st.integers(1, 40)),
        elements=st.one_of(
            st.floats(width=32, allow_nan=False, allow_infinity=False),
            st.sampled_from([0.0, -0.0, 1.0, -1.0, 1e-45, -1e-45, 3.4e38]),
        ),
    ),
    share=st.floats(0, 1, exclude_max=True),
    pieces=st.integers(1, 9),
    memory=st.sampled_from([10**6, 200_000, 1]),
)
def test_is_the_value_that_at_most_a_share_exceed(values, share, pieces, memory):
    quantiles, _ = found(values, share, memory, pieces)
    above = int(share * values.shape[1])
    np.testing.assert_array_equal(quantiles, np.sort(values, 1)[:, ::-1][:, above])
    assert ((values > quantiles[:, None]).sum(1) <= above).all()


@pytest.mark.parametrize(
    ("share", "memory", "expected"),
    [
        (0.005, 10**6, 1),
        (0.005, 1, 4),
        (0.3, 10**9, 1),
        (0.5, 35 * 10**5, 2),
        (0.3, 2**18, 3),
        (0.3, 1, 4),
    ],
)
def test_equals_numpy_however_little_memory_there_is(share, memory, expected):
    random = np.random.default_rng(0)
    # Half of one 0, as after a ReLU; one unit that never answers; one that is negative.
    values = np.maximum(random.normal(size=(2, 100_003)), 0).astype(np.float32)
    values[1] = 0
    values = np.concatenate([values, -random.random((1, 100_003), np.float32)])
    quantiles, calls = found(values, share, memory, pieces=17)
    known = np.quantile(values, 1 - share, axis=1, method="inverted_cdf")
    np.testing.assert_array_equal(quantiles, known)
    assert calls == expected
