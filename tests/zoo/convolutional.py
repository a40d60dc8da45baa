"""Convolutional networks as users of Flax NNX write them; only the spots are ours."""

import jax.numpy as jnp
from flax import nnx

from tests.zoo.spots import spot


def conv(inputs, outputs, size, rngs, **arguments):
    return nnx.Conv(inputs, outputs, (size, size), rngs=rngs, **arguments)


class Mixed(nnx.Module):
    """Convolutions of every sort, norms of every sort, pools and a flattening."""

    def __init__(self, classes, rngs):
        self.conv1 = conv(3, 8, 3, rngs)
        self.bn1 = nnx.BatchNorm(8, rngs=rngs)
        self.depthwise = conv(8, 8, 3, rngs, feature_group_count=8)
        self.pointwise = conv(8, 12, 1, rngs, use_bias=False)
        self.norm2 = nnx.GroupNorm(12, num_groups=3, rngs=rngs)
        self.grouped = conv(12, 12, 3, rngs, feature_group_count=3)
        self.norm3 = nnx.LayerNorm(12, rngs=rngs)
        self.dense1 = nnx.Linear(192, 16, rngs=rngs)
        self.dropout = nnx.Dropout(0.5, rngs=rngs)
        self.head = nnx.Linear(16, classes, rngs=rngs)

    def __call__(self, x):
        x = self.conv1(x)
        if isinstance(self.bn1, nnx.BatchNorm):
            x = self.bn1(x)
        x = spot(nnx.relu(x), "conv1")
        x = nnx.max_pool(x, (3, 3), (2, 2), "SAME")
        x = spot(nnx.gelu(self.depthwise(x)), "depthwise")
        x = spot(self.pointwise(x), "pointwise")
        x = spot(nnx.silu(self.norm2(x)), "norm2")
        x = spot(nnx.relu(self.grouped(x)), "grouped")
        x = nnx.avg_pool(x, (2, 2), (2, 2))
        x = spot(nnx.gelu(self.norm3(x)), "norm3")
        x = x.reshape(len(x), -1)
        x = spot(nnx.relu(self.dense1(x)), "dense1")
        return self.head(self.dropout(x))


MIXED = dict.fromkeys(
    ["conv1", "depthwise", "pointwise", "norm2", "grouped", "norm3", "dense1"], -1
)


class ConvNextBlock(nnx.Module):
    def __init__(self, width, path, rngs):
        self.path = path
        self.depthwise = conv(width, width, 7, rngs, feature_group_count=width)
        self.norm = nnx.LayerNorm(width, rngs=rngs)
        self.expand = nnx.Linear(width, 2 * width, rngs=rngs)
        self.project = nnx.Linear(2 * width, width, rngs=rngs)
        self.gamma = nnx.Param(jnp.ones(width))

    def __call__(self, x):
        y = spot(self.depthwise(x), f"{self.path}.depthwise")
        y = spot(self.norm(y), f"{self.path}.norm")
        y = spot(nnx.gelu(self.expand(y), approximate=False), f"{self.path}.expand")
        y = spot(self.project(y) * self.gamma[None, None, None], f"{self.path}.project")
        return spot(x + y, self.path)


class ConvNext(nnx.Module):
    def __init__(self, classes, rngs):
        self.stem = conv(3, 10, 4, rngs, strides=4)
        self.stem_norm = nnx.LayerNorm(10, rngs=rngs)
        self.blocks = nnx.List([ConvNextBlock(10, "blocks.0", rngs)])
        self.norm = nnx.LayerNorm(10, rngs=rngs)
        self.head = nnx.Linear(10, classes, rngs=rngs)

    def __call__(self, x):
        x = spot(self.stem_norm(spot(self.stem(x), "stem")), "stem_norm")
        for block in self.blocks:
            x = block(x)
        return self.head(spot(self.norm(x.mean((1, 2))), "norm"))


CONVNEXT = dict.fromkeys(
    [
        *("stem", "stem_norm"),
        *(f"blocks.0{part}" for part in (".depthwise", ".norm", ".expand", ".project", "")),
        "norm",
    ],
    -1,
)


class SqueezeExcite(nnx.Module):
    def __init__(self, width, rngs):
        self.squeeze = nnx.Linear(width, 5, rngs=rngs)
        self.excite = nnx.Linear(5, width, rngs=rngs)

    def __call__(self, x):
        gate = spot(nnx.silu(self.squeeze(x.mean((1, 2), keepdims=True))), "block.se.squeeze")
        gate = spot(nnx.sigmoid(self.excite(gate)), "block.se.excite")
        return spot(x * gate, "block.se")


class InvertedResidual(nnx.Module):
    def __init__(self, width, rngs):
        self.expand = conv(width, 16, 1, rngs, use_bias=False)
        self.bn1 = nnx.BatchNorm(16, rngs=rngs)
        self.depthwise = conv(16, 16, 5, rngs, use_bias=False, feature_group_count=16)
        self.bn2 = nnx.BatchNorm(16, rngs=rngs)
        self.se = SqueezeExcite(16, rngs)
        self.project = conv(16, width, 1, rngs, use_bias=False)
        self.bn3 = nnx.BatchNorm(width, rngs=rngs)

    def __call__(self, x):
        y = spot(nnx.silu(self.bn1(self.expand(x))), "block.expand")
        y = spot(nnx.silu(self.bn2(self.depthwise(y))), "block.depthwise")
        y = spot(self.bn3(self.project(self.se(y))), "block.project")
        return spot(x + y, "block")


class EfficientNet(nnx.Module):
    def __init__(self, classes, rngs):
        self.stem = conv(3, 8, 3, rngs, strides=2, use_bias=False)
        self.bn = nnx.BatchNorm(8, rngs=rngs)
        self.block = InvertedResidual(8, rngs)
        self.top = conv(8, 20, 1, rngs)
        self.head = nnx.Linear(20, classes, rngs=rngs)

    def __call__(self, x):
        x = self.block(spot(nnx.silu(self.bn(self.stem(x))), "stem"))
        x = spot(nnx.silu(self.top(x)), "top")
        return self.head(x.mean((1, 2)))


EFFICIENTNET = dict.fromkeys(
    [
        "stem",
        *(
            f"block{part}"
            for part in (".expand", ".depthwise", ".se.squeeze", ".se.excite", ".se", ".project")
        ),
        *("block", "top"),
    ],
    -1,
)


class DenseLayer(nnx.Module):
    def __init__(self, inputs, growth, path, rngs):
        self.path = path
        self.norm = nnx.BatchNorm(inputs, rngs=rngs)
        self.conv = conv(inputs, growth, 3, rngs, use_bias=False)

    def __call__(self, x):
        y = spot(nnx.relu(self.norm(x)), f"{self.path}.norm")
        return jnp.concatenate([x, spot(self.conv(y), f"{self.path}.conv")], -1)


class DenseNet(nnx.Module):
    def __init__(self, classes, rngs):
        self.stem = conv(3, 8, 3, rngs, strides=2)
        self.layers = nnx.List(
            [DenseLayer(8 + 4 * number, 4, f"layers.{number}", rngs) for number in range(2)]
        )
        self.norm = nnx.BatchNorm(16, rngs=rngs)
        self.transition = conv(16, 10, 1, rngs)
        self.head = nnx.Linear(10, classes, rngs=rngs)

    def __call__(self, x):
        x = spot(self.stem(x), "stem")
        x = spot(self.layers[0](x), "layers.0")
        x = self.layers[1](x)
        x = spot(nnx.relu(self.norm(x)), "layers.1")
        x = nnx.avg_pool(spot(self.transition(x), "transition"), (2, 2), (2, 2))
        return self.head(nnx.relu(x).mean((1, 2)))


DENSENET = dict.fromkeys(
    [
        *("stem", "layers.0.norm", "layers.0.conv", "layers.0"),
        *("layers.1.norm", "layers.1.conv", "layers.1"),
        "transition",
    ],
    -1,
)
