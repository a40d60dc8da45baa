"""PyTorch networks with the weights of ours; importing this needs PyTorch."""

from __future__ import annotations

from typing import Any

import jax
import numpy as np
import torch
from jaxtyping import Float
from torch import nn

from jaxunits.networks import (
    AdaptiveAveragePool,
    AveragePool,
    Branch,
    Convolution,
    Dense,
    Dropout,
    Flatten,
    MaxPool,
    Merge,
    Network,
    features_of,
)


def torch_twin(network: Network) -> Twin:
    """The same network in PyTorch: the same stages, weights and numbers, in evaluation.

    Images and maps are `[images, channels, height, width]`, contiguous.

    Raises:
      TypeError: a stage or non-linearity has no counterpart here.
    """
    size, channels = network.preprocessing.size, network.preprocessing.channels
    state: Any = jax.ShapeDtypeStruct((1, *size, channels), jax.numpy.float32)
    modules: dict[str, nn.Module] = {}
    flattened: tuple[int, ...] | None = None
    for name in network.order:
        stage = network.stages[name]
        modules[name] = _module(stage, flattened)
        flattened = features_of(state).shape[1:] if isinstance(stage, Flatten) else None
        state = jax.eval_shape(stage, state)
    return Twin(modules).eval().requires_grad_(False)


class Twin(nn.Module):
    """Stages that run one after another, each kept by its name.

    Attributes:
      order: the stages' names.
    """

    def __init__(self, modules: dict[str, nn.Module]) -> None:
        super().__init__()
        self.order = tuple(modules)
        # PyTorch does not allow the dots of `layer1.0` in names of submodules.
        self.stages = nn.ModuleList(modules.values())

    def stage(self, name: str) -> nn.Module:
        """The submodule of a stage; a forward hook on it sees what the stage gives."""
        return self.stages[self.order.index(name)]

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        """Logits."""
        return self.run(images)

    def run(self, state: Any, *, after: str | None = None, through: str | None = None) -> Any:
        """Run the stages behind `after` up to and with `through`; all by default."""
        start = 0 if after is None else self.order.index(after) + 1
        stop = len(self.order) if through is None else self.order.index(through) + 1
        for stage in self.stages[start:stop]:
            state = stage(state)
        return state


def features(state: Any) -> torch.Tensor:
    """The part of a stage's output that holds its units, on axis 1."""
    return state[0] if isinstance(state, tuple) else state


def torch_images(images: Float[np.ndarray, "images height width channels"]) -> torch.Tensor:
    """Preprocessed images in PyTorch's order of axes."""
    return torch.from_numpy(np.ascontiguousarray(images.transpose(0, 3, 1, 2)))


class _Branch(nn.Module):
    """The convolution inside a residual block, and the shortcut beside it."""

    def __init__(self, convolution: nn.Module, projection: nn.Module) -> None:
        super().__init__()
        self.convolution = convolution
        self.projection = projection

    def forward(self, state: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        return self.convolution(state), self.projection(state)


class _Merge(nn.Module):
    """A convolution plus the shortcut, then ReLU."""

    def __init__(self, convolution: nn.Module) -> None:
        super().__init__()
        self.convolution = convolution

    def forward(self, state: tuple[torch.Tensor, torch.Tensor]) -> torch.Tensor:
        inside, shortcut = state
        return torch.relu_(self.convolution(inside).add_(shortcut))


def _module(stage: Any, flattened: tuple[int, ...] | None) -> nn.Module:
    """The counterpart of a stage; `flattened` is the shape that a flatten before it has seen."""
    if isinstance(stage, Convolution):
        return _convolution(stage)
    if isinstance(stage, Dense):
        return _dense(stage, flattened)
    if isinstance(stage, Branch):
        shortcut = _convolution(stage.projection) if stage.projection else nn.Identity()
        return _Branch(_convolution(stage.convolution), shortcut)
    if isinstance(stage, Merge):
        return _Merge(_convolution(stage.convolution))
    if isinstance(stage, MaxPool):
        return nn.MaxPool2d(stage.size, stage.strides, stage.padding)
    if isinstance(stage, AveragePool):
        if stage.size is None:
            return nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.Flatten())
        return nn.AvgPool2d(stage.size, stage.strides)
    if isinstance(stage, AdaptiveAveragePool):
        return nn.AdaptiveAvgPool2d(stage.size)
    if isinstance(stage, Dropout):
        return nn.Identity()
    if isinstance(stage, Flatten):
        return nn.Flatten()
    raise TypeError(f"stage of type {type(stage).__name__}: no counterpart in PyTorch")


def _convolution(stage: Convolution) -> nn.Module:
    height, width, inputs, outputs = stage.kernel.shape
    if stage.padding == "SAME" and (stage.strides != 1 or height % 2 == 0):
        raise TypeError("padding 'SAME' of a strided or even kernel: no counterpart in PyTorch")
    module = nn.Conv2d(
        inputs,
        outputs,
        (height, width),
        stage.strides,
        "same" if stage.padding == "SAME" else stage.padding,
        bias=stage.bias is not None,
    )
    _set(module.weight, np.asarray(stage.kernel[...]).transpose(3, 2, 0, 1))
    if stage.bias is not None:
        _set(module.bias, stage.bias[...])
    norm = [] if stage.norm is None else [_batch_norm(stage.norm)]
    return _sequential([module, *norm, *_activation(stage.activation)])


def _batch_norm(norm: Any) -> nn.Module:
    module = nn.BatchNorm2d(norm.mean.shape[0], eps=norm.epsilon)
    _set(module.running_mean, norm.mean[...])
    _set(module.running_var, norm.var[...])
    _set(module.weight, norm.scale[...])
    _set(module.bias, norm.bias[...])
    return module


def _dense(stage: Dense, flattened: tuple[int, ...] | None) -> nn.Module:
    inputs, outputs = stage.kernel.shape
    kernel = np.asarray(stage.kernel[...])
    if flattened is not None:
        # Ours flattens height, width, channels; PyTorch channels, height, width.
        kernel = np.moveaxis(kernel.reshape(*flattened, outputs), -2, 0).reshape(inputs, outputs)
    module = nn.utils.skip_init(nn.Linear, inputs, outputs)
    _set(module.weight, kernel.T)
    _set(module.bias, stage.bias[...])
    return _sequential([module, *_activation(stage.activation)])


def _activation(activation: Any) -> list[nn.Module]:
    if activation is None:
        return []
    if activation is jax.nn.relu:
        return [nn.ReLU(inplace=True)]
    raise TypeError(f"non-linearity {activation}: no counterpart in PyTorch")


def _sequential(modules: list[nn.Module]) -> nn.Module:
    return modules[0] if len(modules) == 1 else nn.Sequential(*modules)


def _set(parameter: torch.Tensor | None, value: Any) -> None:
    assert parameter is not None
    with torch.no_grad():
        parameter.copy_(torch.from_numpy(np.array(value, np.float32)))
