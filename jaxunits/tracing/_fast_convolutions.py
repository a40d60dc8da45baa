"""Functions whose convolutions and their gradients by kernels are fast on CPUs too."""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import jax
from jax import lax
from jax.extend.core import ClosedJaxpr
from jaxtyping import Array, PyTree

from ._borders import with_narrow_borders
from ._kernel_gradient import (
    convolution_of_patches,
    gains_by_patches,
    has_kernel_gradient,
    kernel_gradient,
)
from ._program import bind, read

# Calls and loops, and what they keep their bodies in. Functions with derivatives of their own are
# not among them: those are not found by differentiating the body.
_BODIES = {
    "jit": ("jaxpr",),
    "pjit": ("jaxpr",),
    "closed_call": ("call_jaxpr",),
    "checkpoint": ("jaxpr",),
    "remat": ("jaxpr",),
    "remat2": ("jaxpr",),
    "scan": ("jaxpr",),
    "while": ("body_jaxpr",),
    "cond": ("branches",),
}


def with_fast_convolutions(function: Callable[..., PyTree]) -> Callable[..., PyTree]:
    """A function whose convolutions, and their gradients by kernels, are fast on CPUs too.

    XLA computes the gradient by a kernel as a convolution whose windows are as large as the maps,
    which on CPUs takes up to 20 times as long as the convolution itself. Here it is matrix products
    if the program runs on CPUs and they are faster; on accelerators it is XLA's. Convolutions of
    few channels, such as of images, are products there too. The function may call any modules:
    their convolutions are found in its trace, inside `jit`, `remat`, `scan` and `cond` too. Its
    result and its gradients are the same up to rounding.

    Args:
      function: a pure function of arrays on one device, which is differentiated in reverse
        (`jax.grad`, `jax.vjp`).
    """

    @functools.wraps(function)
    def faster(*arguments: PyTree) -> PyTree:
        closed, shapes = jax.make_jaxpr(function, return_shape=True)(*arguments)
        results = _evaluated(closed, jax.tree.leaves(arguments))
        return jax.tree.unflatten(jax.tree.structure(shapes), results)

    return faster


def _evaluated(closed: ClosedJaxpr, inputs: Sequence[Any]) -> list[Any]:
    jaxpr = closed.jaxpr
    values: dict[Any, Any] = dict(zip(jaxpr.constvars, closed.consts, strict=True))
    values.update(zip(jaxpr.invars, inputs, strict=True))
    for equation in jaxpr.eqns:
        arguments = [read(values, atom) for atom in equation.invars]
        if has_kernel_gradient(equation):
            parameters, narrower = with_narrow_borders(equation.params, arguments)
            results = [_convolution(parameters)(*narrower)]
        else:
            results = bind(_inside(equation), arguments)
        values.update(zip(equation.outvars, results, strict=True))
    return [read(values, atom) for atom in jaxpr.outvars]


def _inside(equation: Any) -> Any:
    """An operation; of calls and loops that convolve, with bodies whose gradients are fast."""
    changed = {
        name: _body(equation.params[name])
        for name in _BODIES.get(equation.primitive.name, ())
        if _convolves(equation.params[name])
    }
    return equation.replace(params={**equation.params, **changed}) if changed else equation


def _body(value: Any) -> Any:
    if isinstance(value, Sequence):
        return type(value)(map(_body, value))  # type: ignore[call-arg]
    if not isinstance(value, ClosedJaxpr):
        # `remat` gets all arrays of its body as arguments.
        return _body(ClosedJaxpr(value, ())).jaxpr
    shapes = [each.aval for each in value.jaxpr.invars]
    return jax.make_jaxpr(lambda *inputs: _evaluated(value, inputs))(*shapes)


def _convolves(value: Any) -> bool:
    if isinstance(value, Sequence):
        return any(map(_convolves, value))
    return any(
        has_kernel_gradient(equation)
        or any(
            _convolves(equation.params[name]) for name in _BODIES.get(equation.primitive.name, ())
        )
        for equation in getattr(value, "jaxpr", value).eqns
    )


def _convolution(parameters: Mapping[str, Any]) -> Callable[[Array, Array], Array]:
    """A convolution with the derivative, by patches where they gain."""

    def convolve(maps: Array, kernel: Array) -> Array:
        return lax.conv_general_dilated_p.bind(maps, kernel, **parameters)

    def faster(maps: Array, kernel: Array) -> Array:
        if not gains_by_patches(parameters, kernel.shape):
            return convolve(maps, kernel)
        by_patches = functools.partial(convolution_of_patches, parameters)
        return lax.platform_dependent(maps, kernel, cpu=by_patches, default=convolve)

    def forward(maps: Array, kernel: Array) -> tuple[Array, tuple[Array, Array]]:
        return faster(maps, kernel), (maps, kernel)

    def backward(given: tuple[Array, Array], cotangent: Array) -> tuple[Array, Array]:
        maps, kernel = given

        def by_products(maps: Array, cotangent: Array) -> Array:
            return kernel_gradient(parameters, kernel.shape, maps, cotangent)

        def by_xla(maps: Array, cotangent: Array) -> Array:
            transposed = jax.linear_transpose(lambda kernel: convolve(maps, kernel), kernel)
            return transposed(cotangent)[0]

        (by_maps,) = jax.linear_transpose(lambda maps: convolve(maps, kernel), maps)(cotangent)
        by_kernel = lax.platform_dependent(maps, cotangent, cpu=by_products, default=by_xla)
        return by_maps, by_kernel

    differentiable = jax.custom_vjp(faster)
    differentiable.defvjp(forward, backward)
    return differentiable
