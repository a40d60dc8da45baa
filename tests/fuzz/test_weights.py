"""A few hundred damaged weights files; `python -m tests.fuzz.weights` takes any number."""

import numpy as np
import pytest

from tests.fuzz import weights

pytestmark = pytest.mark.slow


def test_damaged_weights_files_load_or_are_refused(tmp_path):
    formats = weights.formats(tmp_path)
    outcome = weights.run(iter(range(300)), 0, tmp_path, formats)
    assert outcome.failures == []
    for name in formats:
        assert outcome.counts[name, "loaded"] + outcome.counts[name, "refused"] == 60
        # Most of the damage is noticed, so that it reaches the readers at all.
        assert outcome.counts[name, "refused"] > 30
    assert list(tmp_path.iterdir()) == []


def test_without_damage_the_files_load(tmp_path):
    path = tmp_path / "whole"
    for form in weights.formats(tmp_path).values():
        bias = form.network.stages[next(iter(form.network.layers))].bias
        expected = np.asarray(bias[...]) if len(form.network.order) < 9 else np.ones(1)
        bias[...] = bias[...] + 1
        path.write_bytes(form.content)
        weights.load(form, path)
        np.testing.assert_array_equal(bias[...], expected)
