import numpy as np
import pytest
import xarray as xr
from hypothesis import given, settings
from hypothesis import strategies as st

import jaxunits as ju


def labeled(response, units):
    return xr.DataArray(
        response,
        coords={"unit": units, "responding_unit": np.arange(response.shape[1])},
        dims=("unit", "responding_unit"),
    )


@settings(max_examples=50)
@given(seed=st.integers(0, 2**16), units=st.integers(1, 8), levels=st.integers(1, 6))
def test_counts_the_units_that_answer_more(seed, units, levels):
    random = np.random.default_rng(seed)
    response = random.integers(0, levels, (units, units)).astype(float)
    result = ju.results.representative_substitution(response)
    for unit in range(units):
        more = [other for other in range(units) if response[unit, other] > response[unit, unit]]
        assert float(result.rs[unit]) == len(more) / units
        assert np.flatnonzero(result.stronger[unit]).tolist() == more
    np.testing.assert_array_equal(result.response, response)
    # In any order, and of some units alone.
    some = random.permutation(units)[: max(1, units // 2)]
    part = ju.results.representative_substitution(labeled(response[some], some))
    assert part.rs.equals(result.rs.sel(unit=some))


def test_several_seeds_and_units_without_images():
    random = np.random.default_rng(0)
    runs = [labeled(random.normal(size=(3, 3)), [0, 1, 2]) for _ in range(4)]
    runs[2][1] = np.nan
    together = ju.results.representative_substitution(xr.concat(runs, "seed"))
    assert dict(together.rs.sizes) == {"seed": 4, "unit": 3}
    for seed, run in enumerate(runs):
        alone = ju.results.representative_substitution(run)
        assert alone.rs.equals(together.rs[seed])
    np.testing.assert_array_equal(np.argwhere(together.rs.isnull().values), [[2, 1]])


@pytest.mark.parametrize(
    ("responses", "message"),
    [
        (np.ones((2, 3)), "responses of shape (2, 3): give [units, units]"),
        (xr.Dataset(), "the Dataset has no variable response"),
        (xr.DataArray(np.ones((2, 2)), dims=("unit", "other")), "have no coordinate unit"),
        (labeled(np.ones((2, 2)), [0, 5]), "unit 5 is not among the responding units"),
    ],
)
def test_what_is_no_response_is_refused(responses, message):
    with pytest.raises(ju.InputError) as caught:
        ju.results.representative_substitution(responses)
    assert message in str(caught.value)
