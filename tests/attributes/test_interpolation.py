import jax
import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import ndimage
from scipy.interpolate import RegularGridInterpolator

from jaxunits.attributes._interpolation import (
    interpolation_matrix,
    points_by_corners,
    points_by_receptive_fields,
)
from jaxunits.networks import Centers

sizes = st.integers(2, 17)


def by_corners(stored, wanted):
    return interpolation_matrix(points_by_corners(stored, wanted), stored)


@settings(max_examples=50)
@given(stored=st.tuples(sizes, sizes), wanted=st.tuples(st.integers(1, 60), st.integers(1, 60)))
def test_equals_scipy_at_pixel_centers(stored, wanted):
    values = np.random.default_rng(0).random(stored)
    down, across = (by_corners(*pair) for pair in zip(stored, wanted, strict=True))
    points = [
        np.clip((np.arange(new) + 0.5) * old / new - 0.5, 0, old - 1)
        for old, new in zip(stored, wanted, strict=True)
    ]
    axes = tuple(np.arange(old) for old in stored)
    known = RegularGridInterpolator(axes, values)(tuple(np.meshgrid(*points, indexing="ij")))
    np.testing.assert_allclose(down @ values @ across.T, known, atol=1e-5)


def test_equals_jax_when_enlarging():
    values = np.random.default_rng(0).random((13, 7), np.float32)
    found = by_corners(13, 224) @ values @ by_corners(7, 100).T
    np.testing.assert_allclose(found, jax.image.resize(values, (224, 100), "bilinear"), atol=1e-5)


def test_one_value_goes_on_everywhere():
    for outside in ("edge", "zero"):
        weights = interpolation_matrix(np.linspace(-3, 3, 5), 1, outside=outside)
        np.testing.assert_array_equal(weights, np.ones((5, 1)))


@settings(max_examples=50)
@given(
    stored=sizes,
    wanted=st.integers(1, 60),
    scale=st.floats(0.5, 8),
    offset=st.floats(-3, 9),
    outside=st.sampled_from(["edge", "zero"]),
)
def test_equals_scipy_between_the_centers_of_receptive_fields(
    stored, wanted, scale, offset, outside
):
    """SciPy's `grid-constant` is PyTorch's `padding_mode="zeros"`."""
    values = np.random.default_rng(0).random(stored)
    points = points_by_receptive_fields(Centers(scale, offset), 64, wanted)
    pixels = [63 / 2] if wanted == 1 else [63 * i / (wanted - 1) for i in range(wanted)]
    mode = {"edge": "nearest", "zero": "grid-constant"}[outside]
    known = ndimage.map_coordinates(
        values, [[(pixel - offset) / scale for pixel in pixels]], order=1, mode=mode
    )
    found = interpolation_matrix(points, stored, outside=outside) @ values
    np.testing.assert_allclose(found, known, atol=1e-5)
