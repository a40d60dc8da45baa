import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import jaxunits as ju


@pytest.mark.parametrize(
    ("accuracy", "expected"),
    [
        ((0.5, 0.8, 1.0, 1.0, 0.95, 0.6, 0.1, 0.0), (1.0, 3, 2, 6)),
        ((1.0, 0.0, 0.0), (1.0, 0, 1, 1)),
        ((0.5, 0.9, 0.4, 0.2), (0.9, 1, None, None)),
        ((0.0, 0.0), (0.0, 1, None, None)),
        ((0.8, 0.05, 1.0, 0.5, 0.05), (1.0, 2, 2, 4)),
    ],
)
def test_phase_transition(accuracy, expected):
    assert ju.statistics.phase_transition(accuracy) == expected


@given(st.lists(st.integers(0, 20), min_size=1, max_size=30))
def test_it_is_what_going_through_the_curve_finds(correct):
    curve = np.array(correct) / 20
    found = ju.statistics.phase_transition(curve)
    peak = max(correct)
    assert found.peak == peak / 20
    assert correct[found.peak_step] == peak
    assert all(number < peak for number in correct[found.peak_step + 1 :])
    # Tenths of whole numbers are compared as whole numbers.
    fallen = [step for step in range(found.peak_step, len(curve)) if 10 * correct[step] <= peak]
    if peak == 0 or not fallen:
        assert found.width is None
        assert found.end_step is None
        return
    high = [step for step in range(fallen[0]) if 10 * correct[step] >= 9 * peak]
    assert found.end_step == fallen[0]
    assert found.width == fallen[0] - high[-1]


@pytest.mark.parametrize(
    ("accuracy", "text"),
    [
        ([], "accuracy of shape (0,): give [steps], at least one step"),
        ([[0.5]], "accuracy of shape (1, 1): give [steps]"),
        ([0.5, 87.0], "accuracy 87 at step 1: give accuracy as shares of images, from 0 to 1"),
        ([0.5, float("nan")], "accuracy nan at step 1"),
    ],
)
def test_what_is_no_curve_is_refused(accuracy, text):
    with pytest.raises(ju.InputError) as caught:
        ju.statistics.phase_transition(accuracy)
    assert text in str(caught.value)
