"""Gradients of convolutions whose border is as wide as their window, which XLA computes wrongly."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from jax import lax

from jaxunits.tracing import trace, with_fast_convolutions
from tests.tracing.masking import QUICKLY, few


@st.composite
def wide(draw):
    """Arguments of a convolution with wide borders, images and a kernel."""
    window = [draw(st.integers(1, 3)) for _ in range(2)]
    sides = [draw(st.integers(4, 12)) for _ in range(2)]
    dilation = [draw(st.integers(1, 2)) for _ in range(2)]
    settings = {
        "window_strides": [draw(st.integers(1, 2)) for _ in range(2)],
        "padding": [(draw(st.integers(0, 6)), draw(st.integers(6, 7))) for _ in range(2)],
        "lhs_dilation": [draw(st.sampled_from([1, 1, 2])) for _ in range(2)],
        "rhs_dilation": dilation,
    }
    random = np.random.default_rng(draw(st.integers(0, 99)))
    maps, kernel = (random.normal(size=shape) for shape in ((2, *sides, 2), (*window, 2, 3)))
    return settings, jnp.asarray(maps, jnp.float32), jnp.asarray(kernel, jnp.float32)


def convolve(maps, kernel, **settings):
    numbers = ("NHWC", "HWIO", "NHWC")
    return lax.conv_general_dilated(maps, kernel, dimension_numbers=numbers, **settings)


def padded_first(maps, kernel, padding, lhs_dilation, **settings):
    """The same with zeros around the maps and in their gaps."""
    pads = [(*border, gap - 1) for border, gap in zip(padding, lhs_dilation, strict=True)]
    maps = lax.pad(maps, jnp.float32(0), [(0, 0, 0), *pads, (0, 0, 0)])
    return convolve(maps, kernel, padding=[(0, 0), (0, 0)], **settings)


@few(15)
@given(wide())
def test_gradients_are_those_of_maps_padded_before(drawn):
    settings, maps, kernel = drawn
    function = functools.partial(convolve, **settings)
    reference = functools.partial(padded_first, **settings)
    weights = np.random.default_rng(1).normal(size=reference(maps, kernel).shape)

    def slopes(function):
        weighed = jax.grad(lambda *given: (function(*given) * weights).sum(), (0, 1))
        return jax.jit(weighed, compiler_options=QUICKLY)(maps, kernel)

    program = trace(function, maps, kernel, derivatives=True)
    np.testing.assert_allclose(program(maps, kernel), reference(maps, kernel), rtol=1e-5, atol=1e-5)
    expected = slopes(reference)
    for each in (program, with_fast_convolutions(function)):
        for found, right in zip(slopes(each), expected, strict=True):
            np.testing.assert_allclose(found, right, rtol=0, atol=1e-5 * abs(right).max())


@few(15)
@given(wide())
def test_no_border_is_negative_in_the_gradient(drawn):
    settings, maps, kernel = drawn
    program = trace(functools.partial(convolve, **settings), maps, kernel, derivatives=True)

    def borders(function):
        gradient = jax.grad(lambda maps: function(maps, kernel).sum())
        equations = jax.make_jaxpr(gradient)(maps).jaxpr.eqns
        found = [each for each in equations if each.primitive.name == "conv_general_dilated"]
        return [side for each in found for pair in each.params["padding"] for side in pair]

    assert min(borders(program)) >= 0
    assert min(borders(functools.partial(convolve, **settings))) < 0


@pytest.mark.parametrize("padding", [[(0, 0), (0, 0)], "SAME", [(2, 2), (2, 2)]])
def test_usual_borders_stay_as_they_are(padding):
    maps, kernel = jnp.ones((1, 8, 8, 2)), jnp.ones((3, 3, 2, 2))
    function = functools.partial(convolve, window_strides=(1, 1), padding=padding)
    program = trace(function, maps, kernel)
    assert "pad[" not in str(jax.make_jaxpr(program)(maps, kernel))
