"""Gradients by kernels as matrix products are those that XLA gives, in anybody's functions."""

import functools

import flax.linen
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx
from hypothesis import given
from hypothesis import strategies as st
from jax import lax

from jaxunits.tracing import with_fast_convolutions
from tests.tracing.masking import QUICKLY, few


@pytest.fixture(scope="module", autouse=True)
def small_maps_too():
    """Products for maps that are so small that XLA's gradients would be taken."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("jaxunits.tracing._kernel_gradient._CACHED", 0)
        yield


LAYOUTS = {
    1: [("NHC", "HIO", "NHC"), ("NCH", "OIH", "NCH")],
    2: [("NHWC", "HWIO", "NHWC"), ("NCHW", "OIHW", "NCHW"), ("HWCN", "OHWI", "HNWC")],
    3: [("NHWDC", "HWDIO", "NHWDC"), ("NCHWD", "OIHWD", "NCHWD")],
}


def drawn(shape, seed=0):
    return jnp.asarray(np.random.default_rng(seed).normal(size=shape), jnp.float32)


def laid_out(layout, letters):
    """A shape, from the length of each letter's axis."""
    return tuple(letters[letter] for letter in layout)


@st.composite
def convolutions(draw):
    """A convolution, images and a kernel that it takes."""
    rank = draw(st.sampled_from([1, 2, 2, 2, 3]))
    numbers = draw(st.sampled_from(LAYOUTS[rank]))
    letters = "HWD"[:rank]
    window = {letter: draw(st.integers(1, 3)) for letter in letters}
    dilation = [draw(st.integers(1, 2)) for _ in letters]
    reach = [
        (window[letter] - 1) * step + 1 for letter, step in zip(letters, dilation, strict=True)
    ]
    # Above 16 rows several places of the kernel share a product.
    sides = [side + draw(st.integers(0, 40 if rank < 3 else 18)) for side in reach]
    groups = draw(st.sampled_from([1, 1, 1, 2]))
    inputs, images = (draw(st.integers(1, 4)) for _ in range(2))
    # With few channels and many units the convolution itself is a product of patches.
    outputs = draw(st.sampled_from([1, 2, 3, 4, 12, 30]))
    convolve = functools.partial(
        lax.conv_general_dilated,
        window_strides=[draw(st.integers(1, 3)) for _ in letters],
        # XLA's own gradients, with which these are compared, are wrong where it is wider.
        padding=[
            (draw(st.integers(0, side - 1)), draw(st.integers(0, side - 1))) for side in reach
        ],
        rhs_dilation=dilation,
        dimension_numbers=numbers,
        feature_group_count=groups,
    )
    maps = dict(zip(letters, sides, strict=True)) | {"N": images, "C": inputs * groups}
    kernel = window | {"I": inputs, "O": outputs * groups}
    return convolve, laid_out(numbers[0], maps), laid_out(numbers[1], kernel)


def gradients(function, *arguments):
    """Of a sum in which every output has its own weight, by all arguments."""
    weights = drawn(jax.eval_shape(function, *arguments).shape, 9)

    def weighed(*arguments):
        return (function(*arguments) * weights).sum()

    slopes = jax.grad(weighed, tuple(range(len(arguments))))
    return slopes(*arguments)


def assert_same_gradients(function, *arguments):
    fast = with_fast_convolutions(function)
    pairs = [
        (each(*arguments), *jax.jit(gradient, compiler_options=QUICKLY)(*arguments))
        for each in (fast, function)
        for gradient in [functools.partial(gradients, each)]
    ]
    for found, expected in zip(*pairs, strict=True):
        np.testing.assert_allclose(found, expected, rtol=0, atol=1e-5 * abs(expected).max())


def products(function, *arguments):
    """How many matrix products and convolutions the gradients are."""
    lowered = jax.jit(functools.partial(gradients, function)).lower(*arguments).as_text()
    return lowered.count("stablehlo.dot_general"), lowered.count("stablehlo.convolution")


@few(15)
@given(convolutions())
def test_gradients_are_those_of_the_convolution(drawn_convolution):
    convolve, maps, kernel = drawn_convolution
    assert_same_gradients(convolve, drawn(maps), drawn(kernel, 1))


def same(maps, kernel):
    numbers = ("NHWC", "HWIO", "NHWC")
    return lax.conv_general_dilated(maps, kernel, (1, 1), "SAME", dimension_numbers=numbers)


MAPS, KERNEL = drawn((6, 18, 5, 3)), drawn((3, 3, 3, 3), 1)
CALLS = {
    "jit": jax.jit(same),
    "remat": jax.checkpoint(same),
    "scan": lambda maps, kernel: lax.scan(
        lambda maps, _: (jnp.tanh(same(maps, kernel)), None), maps, None, length=2
    )[0],
    "cond": lambda maps, kernel: lax.cond(
        maps[0, 0, 0, 0] > 0, lambda: same(maps, kernel), lambda: same(maps, -kernel)
    ),
    "vmap": lambda maps, kernel: jax.vmap(same)(maps[None], kernel[None])[0],
}


@pytest.mark.skipif(jax.default_backend() != "cpu", reason="products are for CPUs")
@pytest.mark.parametrize("call", CALLS)
def test_convolutions_inside_calls_and_loops_are_found(call):
    assert_same_gradients(CALLS[call], MAPS, KERNEL)
    plain = products(CALLS[call], MAPS, KERNEL)
    fast = products(with_fast_convolutions(CALLS[call]), MAPS, KERNEL)
    if call != "vmap":  # Its kernels are those of groups of channels.
        assert plain[0] == 0 < fast[0]
        assert fast[1] < plain[1]


def test_gradients_that_gain_nothing_are_xlas(monkeypatch):
    monkeypatch.setattr("jaxunits.tracing._kernel_gradient._CACHED", MAPS.size * 8)
    assert products(with_fast_convolutions(same), MAPS, KERNEL)[0] == 0
    assert products(with_fast_convolutions(same), MAPS[..., :2], KERNEL[..., :2, :])[0] == 0
    wider = jnp.concatenate([MAPS, MAPS])
    assert products(with_fast_convolutions(same), wider, KERNEL)[0] > 0


@pytest.mark.skipif(jax.default_backend() != "cpu", reason="products are for CPUs")
def test_convolutions_of_few_channels_are_products():
    kernel = drawn((3, 3, 1, 9), 1)
    fast = jax.jit(with_fast_convolutions(same)).lower(MAPS[..., :1], kernel)
    assert fast.as_text().count("stablehlo.dot_general") == 1
    assert_same_gradients(same, MAPS[..., :1], kernel)


def test_seeds_side_by_side_have_the_gradients_of_each():
    maps, kernels = drawn((2, 6, 18, 5, 3)), drawn((2, 3, 3, 3, 4), 1)
    fast = functools.partial(gradients, with_fast_convolutions(same))
    together = jax.vmap(fast)(maps, kernels)
    for run in range(2):
        alone = gradients(same, maps[run], kernels[run])
        for found, expected in zip(together, alone, strict=True):
            np.testing.assert_allclose(found[run], expected, atol=1e-5 * abs(expected).max())


def test_second_derivatives_are_kept():
    def bend(function):
        def slope(kernel):
            return jax.grad(lambda kernel: (function(MAPS, kernel) ** 3).sum())(kernel)

        return jax.grad(lambda kernel: (slope(kernel) ** 2).sum())(KERNEL)

    expected = bend(same)
    found = bend(with_fast_convolutions(same))
    np.testing.assert_allclose(found, expected, atol=1e-5 * abs(expected).max())


class Foreign(nnx.Module):
    """Somebody's module: strides, dilation, a transposed and a depthwise convolution, a pool."""

    def __init__(self, rngs):
        self.first = nnx.Conv(3, 8, (3, 3), strides=2, rngs=rngs)
        self.wide = nnx.Conv(8, 8, (3, 3), kernel_dilation=2, rngs=rngs)
        self.depthwise = nnx.Conv(8, 8, (3, 3), feature_group_count=8, rngs=rngs)
        self.up = nnx.ConvTranspose(8, 4, (2, 2), strides=(2, 2), rngs=rngs)

    def __call__(self, images):
        maps = nnx.max_pool(nnx.relu(self.wide(self.first(images))), (2, 2), (2, 2))
        return self.up(nnx.relu(self.depthwise(maps))).mean((1, 2))


class ForeignLinen(flax.linen.Module):
    """The same sort in Linen."""

    @flax.linen.compact
    def __call__(self, images):
        maps = flax.linen.relu(flax.linen.Conv(5, (3, 3))(images))
        return flax.linen.Dense(4)(flax.linen.Conv(6, (5, 5), strides=2)(maps).mean((1, 2)))


IMAGES = drawn((2, 36, 20, 3), 2)


def of_nnx():
    graph, params = nnx.split(Foreign(nnx.Rngs(0)))
    return lambda params: nnx.merge(graph, params)(IMAGES), params


def of_linen():
    module = ForeignLinen()
    return lambda params: module.apply(params, IMAGES), module.init(jax.random.key(0), IMAGES)


@pytest.mark.parametrize("build", [of_nnx, of_linen])
def test_users_modules_have_the_same_gradients_without_a_change(build):
    function, params = build()
    found, expected = (
        jax.jit(
            jax.grad(lambda params, each=each: (each(params) ** 2).sum()), compiler_options=QUICKLY
        )(params)
        for each in (with_fast_convolutions(function), function)
    )
    for one, other in zip(jax.tree.leaves(found), jax.tree.leaves(expected), strict=True):
        np.testing.assert_allclose(one, other, rtol=0, atol=1e-5 * max(abs(other).max(), 1e-3))
