"""The papers' networks as users write them in PyTorch, with the weights of ours."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import torch
from torch import nn
from torch.nn import functional

import jaxunits as ju
from jaxunits.networks import Classifier

from .foreign_flax import _ALEXNET as ALEXNET_CONVOLUTIONS
from .foreign_flax import _BLOCKS as BLOCKS
from .foreign_flax import _VGG16 as VGG16_WIDTHS


class ConvNet(nn.Module):
    """The conv net of 32×32 images."""

    def __init__(self, classes: int) -> None:
        super().__init__()
        self.conv1, self.conv2 = nn.Conv2d(3, 64, 3, padding=1), nn.Conv2d(64, 64, 3, padding=1)
        self.conv3, self.conv4 = (
            nn.Conv2d(64, 128, 3, padding=1),
            nn.Conv2d(128, 128, 3, padding=1),
        )
        self.logits = nn.Linear(128 * 8 * 8, classes)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = functional.relu(self.conv2(functional.relu(self.conv1(x))))
        x = functional.max_pool2d(x, 2)
        x = functional.relu(self.conv4(functional.relu(self.conv3(x))))
        x = functional.max_pool2d(x, 2)
        return self.logits(x.flatten(1))


class _Dense(nn.Module):
    def __init__(self, inputs: int, classes: int) -> None:
        super().__init__()
        self.fc6 = nn.Linear(inputs, 4096)
        self.fc7 = nn.Linear(4096, 4096)
        self.fc8 = nn.Linear(4096, classes)

    def head(self, x: torch.Tensor) -> torch.Tensor:
        x = functional.relu(self.fc6(x.flatten(1)))
        return self.fc8(functional.relu(self.fc7(x)))


class AlexNet(_Dense):
    """AlexNet of 224×224 images."""

    def __init__(self, classes: int) -> None:
        super().__init__(256 * 6 * 6, classes)
        inputs = 3
        for number, (units, side, strides, pad) in enumerate(ALEXNET_CONVOLUTIONS, start=1):
            setattr(self, f"conv{number}", nn.Conv2d(inputs, units, side, strides, pad))
            inputs = units

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        for number in range(1, 6):
            x = functional.relu(getattr(self, f"conv{number}")(x))
            if number in (1, 2, 5):
                x = functional.max_pool2d(x, 3, 2)
        return self.head(x)


class VGG16(_Dense):
    """VGG16 of 224×224 images."""

    def __init__(self, classes: int) -> None:
        super().__init__(512 * 7 * 7, classes)
        inputs = 3
        for group, widths in enumerate(VGG16_WIDTHS, start=1):
            for number, units in enumerate(widths, start=1):
                setattr(self, f"conv{group}_{number}", nn.Conv2d(inputs, units, 3, padding=1))
                inputs = units

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        for group, widths in enumerate(VGG16_WIDTHS, start=1):
            for number in range(1, len(widths) + 1):
                x = functional.relu(getattr(self, f"conv{group}_{number}")(x))
            x = functional.max_pool2d(x, 2)
        return self.head(x)


class Block(nn.Module):
    """A residual block."""

    def __init__(self, inputs: int, units: int, strides: int) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(inputs, units, 3, strides, 1, bias=False)
        self.bn1 = nn.BatchNorm2d(units)
        self.conv2 = nn.Conv2d(units, units, 3, padding=1, bias=False)
        self.bn2 = nn.BatchNorm2d(units)
        self.downsample = nn.Sequential()
        if inputs != units:
            self.downsample.append(nn.Conv2d(inputs, units, 1, strides, bias=False))
            self.downsample.append(nn.BatchNorm2d(units))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        y = functional.relu(self.bn1(self.conv1(x)))
        return functional.relu(self.bn2(self.conv2(y)) + self.downsample(x))


class ResNet18(nn.Module):
    """ResNet18 of 224×224 images."""

    def __init__(self, classes: int) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(3, 64, 7, 2, 3, bias=False)
        self.bn1 = nn.BatchNorm2d(64)
        inputs = 64
        for group, number, strides, units in BLOCKS:
            if number == 0:
                setattr(self, group, nn.Sequential())
            getattr(self, group).append(Block(inputs, units, strides))
            inputs = units
        self.fc = nn.Linear(512, classes)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = functional.max_pool2d(functional.relu(self.bn1(self.conv1(x))), 3, 2, 1)
        x = self.layer4(self.layer3(self.layer2(self.layer1(x))))
        return self.fc(functional.adaptive_avg_pool2d(x, 1).flatten(1))


TORCH = {"convnet": ConvNet, "alexnet": AlexNet, "vgg16": VGG16, "resnet18": ResNet18}
_NAMES = {"kernel": "weight", "scale": "weight", "mean": "running_mean", "var": "running_var"}


def from_torch(name: str, ours: Classifier) -> Classifier:
    """A user's PyTorch module with the weights of one of ours."""
    module: Any = TORCH[name](ours.classes)
    module.load_state_dict(_state(ju.networks.arrays(ours)), strict=False)
    return ju.networks.from_torch(module, preprocessing=ours.preprocessing)


def _state(values: Mapping[str, Any]) -> dict[str, torch.Tensor]:
    """Arrays of ours as a state dict."""
    state = {}
    channels = 0
    for name, value in sorted(values.items()):
        array = np.array(value)
        *path, leaf = name.split(".")
        if array.ndim == 4:
            channels = array.shape[3]
            array = array.transpose(3, 2, 0, 1)
        elif array.ndim == 2:
            if path[-1] in ("fc6", "logits"):
                # Ours flattens height, width, channels; PyTorch channels, height, width.
                parted = array.reshape(-1, channels, array.shape[1])
                array = parted.swapaxes(0, 1).reshape(array.shape)
            array = array.T
        state[".".join([*path, _NAMES.get(leaf, leaf)])] = torch.from_numpy(array.copy())
    return state
