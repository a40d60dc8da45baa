"""The papers' networks as users write them in Flax, NNX and Linen, with the weights of ours."""

from __future__ import annotations

import functools
from collections.abc import Mapping
from typing import Any

import jax
import jax.numpy as jnp
from flax import linen as nn
from flax import nnx
from jaxtyping import Array

import jaxunits as ju
from jaxunits.networks import Classifier

# Units and strides of AlexNet's convolutions, their windows and borders.
_ALEXNET = ((64, 11, 4, 2), (192, 5, 1, 2), (384, 3, 1, 1), (256, 3, 1, 1), (256, 3, 1, 1))
_VGG16 = ((64, 64), (128, 128), (256, 256, 256), (512, 512, 512), (512, 512, 512))
_RESNET18 = (64, 128, 256, 512)
_BLOCKS = tuple(
    (f"layer{group}", number, 2 if group > 1 and number == 0 else 1, units)
    for group, units in enumerate(_RESNET18, start=1)
    for number in range(2)
)


class ConvNet(nnx.Module):
    """The conv net of 32×32 images."""

    def __init__(self, classes: int, rngs: nnx.Rngs) -> None:
        conv = functools.partial(nnx.Conv, kernel_size=(3, 3), rngs=rngs)
        self.conv1, self.conv2 = conv(3, 64), conv(64, 64)
        self.conv3, self.conv4 = conv(64, 128), conv(128, 128)
        self.logits = nnx.Linear(128 * 8 * 8, classes, rngs=rngs)

    def __call__(self, x: Array) -> Array:
        x = nnx.relu(self.conv2(nnx.relu(self.conv1(x))))
        x = nnx.max_pool(x, (2, 2), (2, 2))
        x = nnx.relu(self.conv4(nnx.relu(self.conv3(x))))
        x = nnx.max_pool(x, (2, 2), (2, 2))
        return self.logits(x.reshape(x.shape[0], -1))


class AlexNet(nnx.Module):
    """AlexNet of 224×224 images."""

    def __init__(self, classes: int, rngs: nnx.Rngs) -> None:
        inputs = 3
        for number, (units, side, strides, pad) in enumerate(_ALEXNET, start=1):
            conv = nnx.Conv(inputs, units, (side, side), strides, padding=pad, rngs=rngs)
            setattr(self, f"conv{number}", conv)
            inputs = units
        self.fc6 = nnx.Linear(256 * 6 * 6, 4096, rngs=rngs)
        self.fc7 = nnx.Linear(4096, 4096, rngs=rngs)
        self.fc8 = nnx.Linear(4096, classes, rngs=rngs)

    def __call__(self, x: Array) -> Array:
        for number in range(1, 6):
            x = nnx.relu(getattr(self, f"conv{number}")(x))
            if number in (1, 2, 5):
                x = nnx.max_pool(x, (3, 3), (2, 2))
        x = x.reshape(x.shape[0], -1)
        return self.fc8(nnx.relu(self.fc7(nnx.relu(self.fc6(x)))))


class VGG16(nnx.Module):
    """VGG16 of 224×224 images."""

    def __init__(self, classes: int, rngs: nnx.Rngs) -> None:
        inputs = 3
        for group, widths in enumerate(_VGG16, start=1):
            for number, units in enumerate(widths, start=1):
                setattr(self, f"conv{group}_{number}", nnx.Conv(inputs, units, (3, 3), rngs=rngs))
                inputs = units
        self.fc6 = nnx.Linear(512 * 7 * 7, 4096, rngs=rngs)
        self.fc7 = nnx.Linear(4096, 4096, rngs=rngs)
        self.fc8 = nnx.Linear(4096, classes, rngs=rngs)

    def __call__(self, x: Array) -> Array:
        for group, widths in enumerate(_VGG16, start=1):
            for number in range(1, len(widths) + 1):
                x = nnx.relu(getattr(self, f"conv{group}_{number}")(x))
            x = nnx.max_pool(x, (2, 2), (2, 2))
        x = x.reshape(x.shape[0], -1)
        return self.fc8(nnx.relu(self.fc7(nnx.relu(self.fc6(x)))))


class Block(nnx.Module):
    """A residual block."""

    def __init__(self, inputs: int, units: int, strides: int, rngs: nnx.Rngs) -> None:
        conv = functools.partial(nnx.Conv, use_bias=False, rngs=rngs)
        self.conv1 = conv(inputs, units, (3, 3), strides, padding=1)
        self.bn1 = nnx.BatchNorm(units, rngs=rngs)
        self.conv2 = conv(units, units, (3, 3), padding=1)
        self.bn2 = nnx.BatchNorm(units, rngs=rngs)
        projected = inputs != units
        self.downsample = nnx.List(
            [conv(inputs, units, (1, 1), strides, padding=0), nnx.BatchNorm(units, rngs=rngs)]
            if projected
            else []
        )

    def __call__(self, x: Array) -> Array:
        y = self.bn2(self.conv2(nnx.relu(self.bn1(self.conv1(x)))))
        for part in self.downsample:
            x = part(x)
        return nnx.relu(y + x)


class ResNet18(nnx.Module):
    """ResNet18 of 224×224 images."""

    def __init__(self, classes: int, rngs: nnx.Rngs) -> None:
        self.conv1 = nnx.Conv(3, 64, (7, 7), 2, padding=3, use_bias=False, rngs=rngs)
        self.bn1 = nnx.BatchNorm(64, rngs=rngs)
        groups: dict[str, list[Block]] = {}
        inputs = 64
        for group, _, strides, units in _BLOCKS:
            groups.setdefault(group, []).append(Block(inputs, units, strides, rngs))
            inputs = units
        self.layer1, self.layer2 = nnx.List(groups["layer1"]), nnx.List(groups["layer2"])
        self.layer3, self.layer4 = nnx.List(groups["layer3"]), nnx.List(groups["layer4"])
        self.fc = nnx.Linear(512, classes, rngs=rngs)

    def __call__(self, x: Array) -> Array:
        x = nnx.relu(self.bn1(self.conv1(x)))
        x = nnx.max_pool(x, (3, 3), (2, 2), padding=((1, 1), (1, 1)))
        for blocks in (self.layer1, self.layer2, self.layer3, self.layer4):
            for block in blocks:
                x = block(x)
        return self.fc(x.mean((1, 2)))


NNX = {"convnet": ConvNet, "alexnet": AlexNet, "vgg16": VGG16, "resnet18": ResNet18}


def from_nnx(name: str, ours: Classifier) -> Classifier:
    """A user's NNX module with the weights of one of ours."""
    module = NNX[name](ours.classes, nnx.Rngs(0))
    values = ju.networks.arrays(ours)

    def of(path: Any, leaf: Any) -> Any:
        del leaf
        return values[jax.tree_util.keystr(path, simple=True, separator=".").removesuffix(".value")]

    nnx.update(module, jax.tree_util.tree_map_with_path(of, nnx.state(module)))
    return ju.networks.from_nnx(module, preprocessing=ours.preprocessing)


class LinenConvNet(nn.Module):
    """The conv net of 32×32 images."""

    classes: int

    @nn.compact
    def __call__(self, x: Array) -> Array:
        for number, units in enumerate((64, 64, 128, 128), start=1):
            x = nn.relu(nn.Conv(units, (3, 3), name=f"conv{number}")(x))
            if number in (2, 4):
                x = nn.max_pool(x, (2, 2), (2, 2))
        return nn.Dense(self.classes, name="logits")(x.reshape(x.shape[0], -1))


class LinenAlexNet(nn.Module):
    """AlexNet of 224×224 images."""

    classes: int

    @nn.compact
    def __call__(self, x: Array) -> Array:
        for number, (units, side, strides, pad) in enumerate(_ALEXNET, start=1):
            conv = nn.Conv(units, (side, side), strides, padding=pad, name=f"conv{number}")
            x = nn.relu(conv(x))
            if number in (1, 2, 5):
                x = nn.max_pool(x, (3, 3), (2, 2))
        return _linen_head(self.classes, x)


class LinenVGG16(nn.Module):
    """VGG16 of 224×224 images."""

    classes: int

    @nn.compact
    def __call__(self, x: Array) -> Array:
        for group, widths in enumerate(_VGG16, start=1):
            for number, units in enumerate(widths, start=1):
                x = nn.relu(nn.Conv(units, (3, 3), name=f"conv{group}_{number}")(x))
            x = nn.max_pool(x, (2, 2), (2, 2))
        return _linen_head(self.classes, x)


def _linen_head(classes: int, x: Array) -> Array:
    x = x.reshape(x.shape[0], -1)
    x = nn.relu(nn.Dense(4096, name="fc6")(x))
    x = nn.relu(nn.Dense(4096, name="fc7")(x))
    return nn.Dense(classes, name="fc8")(x)


class LinenBlock(nn.Module):
    """A residual block."""

    units: int
    strides: int

    @nn.compact
    def __call__(self, x: Array, train: bool) -> Array:
        conv = functools.partial(nn.Conv, self.units, use_bias=False)
        norm = functools.partial(nn.BatchNorm, use_running_average=not train)
        y = conv((3, 3), self.strides, padding=1, name="conv1")(x)
        y = nn.relu(norm(name="bn1")(y))
        y = norm(name="bn2")(conv((3, 3), padding=1, name="conv2")(y))
        if x.shape[-1] != self.units:
            x = conv((1, 1), self.strides, padding=0, name="downsample_0")(x)
            x = norm(name="downsample_1")(x)
        return nn.relu(y + x)


class LinenResNet18(nn.Module):
    """ResNet18 of 224×224 images."""

    classes: int

    @nn.compact
    def __call__(self, x: Array, train: bool = False) -> Array:
        x = nn.Conv(64, (7, 7), 2, padding=3, use_bias=False, name="conv1")(x)
        x = nn.relu(nn.BatchNorm(use_running_average=not train, name="bn1")(x))
        x = nn.max_pool(x, (3, 3), (2, 2), padding=((1, 1), (1, 1)))
        for group, number, strides, units in _BLOCKS:
            x = LinenBlock(units, strides, name=f"{group}_{number}")(x, train)
        return nn.Dense(self.classes, name="fc")(x.mean((1, 2)))


LINEN = {
    "convnet": LinenConvNet,
    "alexnet": LinenAlexNet,
    "vgg16": LinenVGG16,
    "resnet18": LinenResNet18,
}


def from_linen(name: str, ours: Classifier) -> Classifier:
    """A user's Linen module with the weights of one of ours."""
    variables = _linen_variables(ju.networks.arrays(ours))
    return ju.networks.from_linen(
        LINEN[name](ours.classes), variables, preprocessing=ours.preprocessing
    )


def _linen_variables(values: Mapping[str, Any]) -> dict[str, Any]:
    """Arrays of ours (`layer4.1.bn1.mean`) as Linen's variables."""
    variables: dict[str, Any] = {}
    for name, value in values.items():
        *path, leaf = name.replace(".0.", "_0.").replace(".1.", "_1.").split(".")
        place = variables.setdefault("batch_stats" if leaf in ("mean", "var") else "params", {})
        for part in path:
            place = place.setdefault(part, {})
        place[leaf] = jnp.asarray(value)
    return variables
