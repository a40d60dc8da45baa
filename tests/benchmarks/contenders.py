"""Other ways to silence the units of a layer one at a time; importing this needs PyTorch."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import torch
from jaxtyping import Array, Float, Int

import jaxunits as ju

from .clock import clocked
from .torch_networks import Twin, features, torch_images

Logits = Float[np.ndarray, "units images classes"]


class TorchSide:
    """PyTorch on all batches: plain passes, hooks, and hooks' equal behind a cached prefix.

    Attributes:
      twin: the network.
      layer: where units are zeroed.
      device: where it runs.
    """

    def __init__(
        self,
        twin: Twin,
        layer: str,
        batches: Sequence[ju.data.Batch],
        *,
        channels_last: bool = False,
        device: str = "cpu",
    ) -> None:
        order = torch.channels_last if channels_last else torch.contiguous_format
        self.twin = twin.to(device, memory_format=order)
        self.layer = layer
        self.device = torch.device(device)
        self._batches = [
            torch_images(batch.images[batch.valid]).to(device).contiguous(memory_format=order)
            for batch in batches
        ]

    @torch.inference_mode()
    def plain(self) -> Float[np.ndarray, "images classes"]:
        """Logits without ablation."""
        return torch.cat([self.twin(images) for images in self._batches]).cpu().numpy()

    def liveliest(self, count: int) -> list[int]:
        """The units whose responses to the first batch have the largest mean."""
        maps = features(self.prefix()[0])
        return maps.transpose(0, 1).flatten(1).mean(1).topk(count).indices.tolist()

    @torch.inference_mode()
    def hooked(self, units: Sequence[int]) -> Logits:
        """For every unit a pass through the whole network, a forward hook zeroing the unit."""
        logits = []
        for unit in units:

            def zero(module: Any, inputs: Any, output: Any, unit: int = unit) -> None:
                features(output)[:, unit] = 0

            hook = self.twin.stage(self.layer).register_forward_hook(zero)
            logits.append(self.plain())
            hook.remove()
        return np.stack(logits)

    @torch.inference_mode()
    def prefix(self) -> list[Any]:
        """What the layer gives, for each batch."""
        states = [self.twin.run(images, through=self.layer) for images in self._batches]
        if self.device.type == "cuda":
            torch.cuda.synchronize(self.device)
        return states

    @torch.inference_mode()
    def suffix(self, states: Sequence[Any], units: Sequence[int]) -> Logits:
        """For every unit the stages behind the layer; the states are the same again afterwards."""
        logits = []
        for unit in units:
            answers = []
            for state in states:
                maps = features(state)
                kept = maps[:, unit].clone()
                maps[:, unit] = 0
                answers.append(self.twin.run(state, after=self.layer))
                maps[:, unit] = kept
            logits.append(torch.cat(answers).cpu().numpy())
        return np.stack(logits)


def torch_seconds(
    side: TorchSide, units: Sequence[int], passes: int, at_least: float = 1.0
) -> dict[str, float]:
    """Seconds of each of PyTorch's ways, for so many passes as some units are timed on.

    Args:
      side: PyTorch on a layer.
      units: the units that are timed.
      passes: the layer's units, and one pass without ablation.
      at_least: seconds that each is timed for.
    """
    states, scale = side.prefix(), passes / len(units)
    hooks = clocked(lambda: side.hooked(units), at_least) * scale
    suffix = clocked(lambda: side.suffix(states, units), at_least) * scale
    return {
        "plain PyTorch": clocked(side.plain, at_least),
        "hooks": hooks,
        "cached prefix": clocked(side.prefix, at_least) + suffix,
    }


class JaxSide:
    """JAX on all batches: plain passes, and masks under `vmap` over the whole network."""

    def __init__(
        self,
        network: ju.networks.Classifier,
        layer: str,
        batches: Sequence[ju.data.Batch],
        masks_at_once: int,
    ) -> None:
        function, self._params = network.function, network.params
        self._batches = [jnp.asarray(batch.images) for batch in batches]
        self.units = network.layers[layer].num_units
        self.chunks = math.ceil((self.units + 1) / masks_at_once)
        self.masks_at_once = masks_at_once

        def passed(params: Any, images: Array) -> Array:
            return function(params, images).argmax(1)

        def masked(params: Any, images: Array, masks: Array) -> Array:
            def one(mask: Array) -> Array:
                return function(params, images, {layer: mask}).argmax(1)

            return jax.lax.map(one, masks, batch_size=masks_at_once)

        self._passed, self._masked = jax.jit(passed), jax.jit(masked)

    def plain(self) -> Int[np.ndarray, " images"]:
        """Predictions without ablation."""
        return self._each(lambda images: self._passed(self._params, images))

    def vmapped(self, chunks: int) -> Int[np.ndarray, "masks images"]:
        """Predictions under the first masks: none ablated, then one unit after another."""
        rows = np.ones((self.chunks * self.masks_at_once, self.units), np.float32)
        rows[1 : self.units + 1] = ju.ablation.single_units(self.units)
        masks = jnp.asarray(rows[: chunks * self.masks_at_once])
        return self._each(lambda images: self._masked(self._params, images, masks))

    def _each(self, function: Callable[[Array], Array]) -> np.ndarray:
        return np.concatenate([np.asarray(function(images)) for images in self._batches], -1)
