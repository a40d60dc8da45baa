"""The fast path: what a unit adds to the next affine stage, instead of running that stage again.

Three facts, each exact: stages before the mask do not depend on it; replacing a channel commutes
with stages that act on each channel by itself; and the next affine stage without unit u is z minus
the contribution of one channel. Only what lies behind that stage is evaluated for every mask.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, cast

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Float32, PyTree

from ..networks import (
    AdaptiveAveragePool,
    AveragePool,
    Dropout,
    Flatten,
    LinearStage,
    Network,
    Stage,
    ablate,
    features_of,
    with_features,
)
from ._encoding import Encoding

_SHARED_BASES = 2


@dataclass(frozen=True)
class Split:
    """Where the fast path cuts a network behind a layer.

    Attributes:
      layer: the layer whose units are ablated.
      channelwise: the stages behind it that act on each channel by itself.
      flattened: whether a flattening is among them, which the affine stage sees last.
      linear: the affine stage behind them.
    """

    layer: str
    channelwise: tuple[str, ...]
    flattened: bool
    linear: str


def split(network: Network, layer: str, *, rotated: bool = False) -> Split | str:
    """Where to cut behind a layer, or the reason why the fast path cannot serve it.

    Args:
      network: the stages.
      layer: the layer whose units are ablated.
      rotated: whether directions are ablated, not units: then only stages that do the same linear
        thing to every channel may lie between.
    """
    channelwise: list[str] = []
    flattened = False
    for name in network.order[network.order.index(layer) + 1 :]:
        stage = network.stages[name]
        if isinstance(stage, LinearStage):
            return Split(layer, tuple(channelwise), flattened, name)
        if isinstance(stage, Flatten):
            flattened = True
        elif not _passes(stage, rotated) or flattened:
            kind = "a rotation" if rotated else "a mask"
            return f"stage {name!r} behind layer {layer!r} does not commute with {kind}"
        else:
            channelwise.append(name)
    return f"no affine stage lies behind layer {layer!r}"


def _passes(stage: Stage, rotated: bool) -> bool:
    if rotated:
        return isinstance(stage, AdaptiveAveragePool | AveragePool | Dropout)
    return bool(getattr(stage, "per_channel", False))


def before_linear(
    network: Network,
    cut: Split,
    images: Float[Array, "images height width channels"],
    masks: Mapping[str, Array],
) -> PyTree:
    """The state that the affine stage reads, not yet flattened."""
    state = network.run(images, through=cut.layer, masks=masks)
    return _through(network, cut.channelwise, state)


def _through(network: Network, names: tuple[str, ...], state: PyTree) -> PyTree:
    for name in names:
        state = network.stages[name](state)
    return state


def run_linear(stage: LinearStage, cut: Split, state: PyTree) -> PyTree:
    """The affine stage on a state that is not yet flattened."""
    if not cut.flattened:
        return stage.linear(state)
    features = features_of(state)
    return stage.linear(with_features(state, features.reshape(len(features), -1)))


def run_rest(
    network: Network, stage: LinearStage, cut: Split, pre: PyTree, masks: Mapping[str, Array]
) -> Float[Array, "images classes"]:
    """Logits from what the affine stage gives, with masks of layers behind."""
    state = stage.nonlinear(pre)
    if cut.linear in masks:
        state = with_features(state, ablate(features_of(state), masks[cut.linear]))
    behind = {name: mask for name, mask in masks.items() if name != cut.linear}
    return network.run(state, after=cut.linear, masks=behind)


@dataclass(frozen=True)
class Rows:
    """How the masks of an encoding are evaluated.

    Attributes:
      at_once: masks of a chunk evaluated together.
      chunks_at_once: chunks evaluated together.
      running: whether a mask is reached from the one before it.
      shared: whether the bases are few enough to evaluate them first.
    """

    at_once: int
    chunks_at_once: int
    running: bool
    shared: bool

    @classmethod
    def of(cls, encoding: Encoding, at_once: int) -> Rows:
        """The settings for an encoding."""
        rows = min(at_once, encoding.units.shape[1])
        return cls(
            at_once=rows,
            chunks_at_once=max(1, at_once // rows) if encoding.units.shape[1] == 1 else 1,
            running=encoding.running,
            shared=len(encoding.bases) <= _SHARED_BASES,
        )


def changes_of(encoding: Encoding) -> dict[str, Any]:
    """An encoding's arrays, as arguments of the compiled program."""
    return {
        "bases": encoding.bases,
        "base": encoding.base,
        "units": encoding.units,
        "signs": encoding.signs,
    }


def evaluate_rows(
    network: Network,
    cut: Split,
    rows: Rows,
    state: PyTree,
    changes: Mapping[str, Array],
    later: Mapping[str, Array],
    values: Float32[np.ndarray, " units"] | None,
    basis: Float32[Array, "units directions"] | None,
    outcome: Callable[[Float[Array, "images classes"]], PyTree],
) -> PyTree:
    """The outcome of every mask.

    Args:
      network: the stages.
      cut: where it is cut.
      rows: how masks are evaluated.
      state: of `before_linear`.
      changes: of `changes_of`.
      later: masks of layers behind, `[chunks, rows, units]`.
      values: what ablated units give; None for zero.
      basis: orthonormal directions as columns, whose coordinates are ablated; None for units.
      outcome: what is kept of the logits.

    Returns:
      What `outcome` returns, `[chunks × rows, ...]`.
    """
    stage = cast(LinearStage, network.stages[cut.linear])
    features = features_of(state)
    constant = _through(network, cut.channelwise, _constant(network, cut.layer, values))
    if basis is not None:
        stage, features = stage.rotated(basis), features @ basis.astype(features.dtype)
    gap = features - constant.astype(features.dtype)

    def base(mask: Array) -> PyTree:
        kept = mask.reshape((1,) * (features.ndim - 1) + mask.shape)
        mixed = jnp.where(kept, features, constant.astype(features.dtype))
        return _as(run_linear(stage, cut, with_features(state, mixed)), jnp.float32)

    def rest(pre: PyTree, masks: Mapping[str, Array]) -> PyTree:
        return outcome(run_rest(network, stage, cut, _as(pre, features.dtype), masks))

    shared = jax.lax.map(base, changes["bases"]) if rows.shared else None

    def step(pre: PyTree, row: Mapping[str, Any]) -> tuple[PyTree, PyTree]:
        change = _change(stage, gap, row["units"], row["signs"])
        if rows.running:
            change = jax.tree.map(lambda part: jnp.cumsum(part, 0), change)
        several = jax.tree.map(lambda one, part: one[None] - part, pre, change)
        carried = jax.tree.map(lambda part: part[-1], several) if rows.running else pre
        return carried, _each(rest, several, row["later"], rows.at_once)

    def chunk(arguments: Mapping[str, Any]) -> PyTree:
        number = arguments["base"]
        if shared is None:
            pre = base(changes["bases"][number])
        else:
            pre = jax.tree.map(lambda part: part[number], shared)
        inner = {key: arguments[key] for key in ("units", "signs", "later")}
        inner = jax.tree.map(lambda part: part.reshape(-1, rows.at_once, *part.shape[1:]), inner)
        return jax.lax.scan(step, pre, inner)[1]

    chunks = {key: changes[key] for key in ("base", "units", "signs")} | {"later": later}
    together = rows.chunks_at_once if rows.chunks_at_once > 1 else None
    outcomes = jax.lax.map(chunk, chunks, batch_size=together)
    return jax.tree.map(lambda part: part.reshape(-1, *part.shape[3:]), outcomes)


def _constant(
    network: Network, layer: str, values: Float32[np.ndarray, " units"] | None
) -> Float32[Array, "1 *map units"]:
    """The layer's activations with every unit ablated."""
    place = network.layers[layer]
    given = jnp.zeros(place.units) if values is None else jnp.asarray(values)
    shape = (1, *(place.map_shape or ()), place.units)
    return jnp.broadcast_to(given.reshape((1,) * (len(shape) - 1) + given.shape), shape)


def _change(stage: LinearStage, gap: Array, units: Array, signs: Array) -> PyTree:
    """What the affine stage loses for each mask, `[rows, images, ...]`, in float32."""

    def one(number: Any) -> PyTree:
        chosen = units[:, number]
        sign = signs[:, number].astype(gap.dtype).reshape((1,) * (gap.ndim - 1) + chosen.shape)
        # In float32, so that sums of contributions keep their digits.
        return _as(stage.contributions(gap[..., chosen] * sign, chosen), jnp.float32)

    first = one(0)
    if units.shape[1] == 1:
        return first
    return jax.lax.fori_loop(
        1, units.shape[1], lambda number, total: jax.tree.map(jnp.add, total, one(number)), first
    )


def _each(
    rest: Callable[[PyTree, Mapping[str, Array]], PyTree],
    several: PyTree,
    masks: Mapping[str, Array],
    at_once: int,
) -> PyTree:
    """`rest` of each mask; for one alone without the batch dimension, which costs time on CPUs."""
    if at_once > 1:
        return jax.vmap(rest)(several, masks)
    alone = jax.tree.map(lambda part: part[0], (several, dict(masks)))
    return jax.tree.map(lambda part: part[None], rest(*alone))


def _as(tree: PyTree, dtype: Any) -> PyTree:
    return jax.tree.map(lambda part: part.astype(dtype), tree)
