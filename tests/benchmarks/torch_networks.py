"""PyTorch networks with the weights of ours; importing this needs PyTorch."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
import torch
from jaxtyping import Float
from torch import nn

from jaxunits.networks import Classifier, arrays

Stages = Iterator[tuple[str, nn.Module]]


def torch_twin(network: Classifier) -> Twin:
    """The same network in PyTorch: the same layers, weights and numbers, in evaluation.

    Images and maps are `[images, channels, height, width]`, contiguous.

    Raises:
      TypeError: the network has no counterpart here.
    """
    builder = network.architecture.builder if network.architecture else network.name
    if builder not in _STAGES:
        raise TypeError(f"network {builder!r}: no counterpart in PyTorch")
    stages = _STAGES[builder](
        network.module, _Weights(arrays(network), network.preprocessing.channels)
    )
    return Twin(dict(stages)).eval().requires_grad_(False)


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


class Branch(nn.Module):
    """The convolution inside a residual block, and the shortcut beside it."""

    def __init__(self, convolution: nn.Module, projection: nn.Module) -> None:
        super().__init__()
        self.convolution = convolution
        self.projection = projection

    def forward(self, state: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """What the convolution gives, and what goes past it."""
        return self.convolution(state), self.projection(state)


class Subsampled(nn.Module):
    """Every so manyth pixel, and channels of zeros on both sides (He et al. 2016, option A)."""

    def __init__(self, strides: int, outputs: int) -> None:
        super().__init__()
        self.strides, self.outputs = strides, outputs

    def forward(self, maps: torch.Tensor) -> torch.Tensor:
        """Smaller maps."""
        missing = self.outputs - maps.shape[1]
        sides = (0, 0, 0, 0, missing // 2, missing - missing // 2)
        return nn.functional.pad(maps[:, :, :: self.strides, :: self.strides], sides)


class Merge(nn.Module):
    """A convolution plus the shortcut, then ReLU."""

    def __init__(self, convolution: nn.Module) -> None:
        super().__init__()
        self.convolution = convolution

    def forward(self, state: tuple[torch.Tensor, torch.Tensor]) -> torch.Tensor:
        """The block's output."""
        inside, shortcut = state
        return torch.relu_(self.convolution(inside).add_(shortcut))


class _Weights:
    """Modules of PyTorch that hold a network's arrays."""

    def __init__(self, values: Mapping[str, Any], image_channels: int) -> None:
        self._values = values
        self.image_channels = image_channels

    def convolution(
        self, name: str, norm: str = "", *, strides: int = 1, padding: int = 0, relu: bool = True
    ) -> nn.Module:
        """A convolution, its batch norm where there is one, and ReLU."""
        kernel = np.asarray(self._values[f"{name}.kernel"])
        height, width, inputs, outputs = kernel.shape
        bias = self._values.get(f"{name}.bias")
        conv = nn.Conv2d(inputs, outputs, (height, width), strides, padding, bias=bias is not None)
        _set(conv.weight, kernel.transpose(3, 2, 0, 1))
        if bias is not None:
            _set(conv.bias, bias)
        normalized = [self._batch_norm(norm)] if f"{norm}.mean" in self._values else []
        return _sequential([conv, *normalized, *([nn.ReLU(inplace=True)] if relu else [])])

    def _batch_norm(self, name: str) -> nn.Module:
        norm = nn.BatchNorm2d(len(self._values[f"{name}.mean"]))
        _set(norm.running_mean, self._values[f"{name}.mean"])
        _set(norm.running_var, self._values[f"{name}.var"])
        _set(norm.weight, self._values[f"{name}.scale"])
        _set(norm.bias, self._values[f"{name}.bias"])
        return norm

    def dense(self, names: tuple[str, ...], channels: int) -> Stages:
        """Dense layers one behind another, the first of them behind maps of so many channels."""
        for name in names:
            kernel = np.asarray(self._values[f"{name}.kernel"])
            if name == names[0]:
                # Ours flattens height, width, channels; PyTorch channels, height, width.
                parted = kernel.reshape(-1, channels, kernel.shape[1])
                kernel = parted.swapaxes(0, 1).reshape(kernel.shape)
            module = nn.utils.skip_init(nn.Linear, *kernel.shape)
            _set(module.weight, kernel.T)
            _set(module.bias, self._values[f"{name}.bias"])
            last = [] if name == names[-1] else [nn.ReLU(inplace=True)]
            yield name, _sequential([module, *last])

    def channels(self, name: str) -> int:
        """How many channels a convolution gives."""
        return int(self._values[f"{name}.kernel"].shape[-1])


def _mlp(module: Any, weights: _Weights) -> Stages:
    yield "flatten", nn.Flatten()
    yield from weights.dense(module.dense, weights.image_channels)


def _convnet(module: Any, weights: _Weights) -> Stages:
    for number in range(1, module.convolutions + 1):
        name = f"conv{number}"
        yield name, weights.convolution(name, f"bn{number}", padding=1)
        if name in module.pool_after:
            yield f"pool{number}", nn.MaxPool2d(2)
    yield "flatten", nn.Flatten()
    yield from weights.dense(module.dense, weights.channels(name))


def _alexnet(module: Any, weights: _Weights) -> Stages:
    for number, (strides, padding) in enumerate(((4, 2), (1, 2), (1, 1), (1, 1), (1, 1)), start=1):
        name = f"conv{number}"
        yield name, weights.convolution(name, f"bn{number}", strides=strides, padding=padding)
        if number in (1, 2, 5):
            yield f"pool{number}", nn.MaxPool2d(3, 2)
    yield "average", nn.AdaptiveAvgPool2d(6)
    yield "flatten", nn.Flatten()
    yield from weights.dense(("fc6", "fc7", "fc8"), weights.channels("conv5"))


def _vgg16(module: Any, weights: _Weights) -> Stages:
    for group, count in enumerate((2, 2, 3, 3, 3), start=1):
        for number in range(1, count + 1):
            name = f"{group}_{number}"
            yield f"conv{name}", weights.convolution(f"conv{name}", f"bn{name}", padding=1)
        yield f"pool{group}", nn.MaxPool2d(2)
    yield "average", nn.AdaptiveAvgPool2d(module.map_size)
    yield "flatten", nn.Flatten()
    yield from weights.dense(module.dense, weights.channels("conv5_3"))


def _resnet18(module: Any, weights: _Weights) -> Stages:
    strides, padding = (2, 3) if module.pooled else (1, 1)
    yield "conv1", weights.convolution("conv1", "bn1", strides=strides, padding=padding)
    if module.pooled:
        yield "pool", nn.MaxPool2d(3, 2, 1)
    for group in module.groups:
        for number, block in enumerate(getattr(module, group)):
            yield from _block(f"{group}.{number}", block, weights)
    yield "average", nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.Flatten())
    yield from weights.dense(("fc",), 1)


def _cifar_resnet(module: Any, weights: _Weights) -> Stages:
    yield "conv1", weights.convolution("conv1", "bn1", padding=1)
    for group in module.groups:
        for number, block in enumerate(getattr(module, group)):
            yield from _block(f"{group}.{number}", block, weights)
    yield "average", nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.Flatten())
    yield from weights.dense(("linear",), 1)


def _block(name: str, block: Any, weights: _Weights) -> Stages:
    inside = weights.convolution(f"{name}.conv1", f"{name}.bn1", strides=block.strides, padding=1)
    shortcut: nn.Module = nn.Identity()
    if len(block.downsample):
        ends = f"{name}.downsample.0", f"{name}.downsample.1"
        shortcut = weights.convolution(*ends, strides=block.strides, relu=False)
    elif block.strides > 1:
        shortcut = Subsampled(block.strides, block.outputs)
    yield f"{name}.conv1", Branch(inside, shortcut)
    yield name, Merge(weights.convolution(f"{name}.conv2", f"{name}.bn2", padding=1, relu=False))


_STAGES = {
    "alexnet": _alexnet,
    "alexnet_bn": _alexnet,
    "cifar_resnet": _cifar_resnet,
    "convnet": _convnet,
    "mlp": _mlp,
    "resnet18": _resnet18,
    "vgg16": _vgg16,
    "vgg16_bn": _vgg16,
}


def _sequential(modules: list[nn.Module]) -> nn.Module:
    return modules[0] if len(modules) == 1 else nn.Sequential(*modules)


def _set(parameter: torch.Tensor | None, value: Any) -> None:
    assert parameter is not None
    with torch.no_grad():
        parameter.copy_(torch.from_numpy(np.array(value, np.float32)))
