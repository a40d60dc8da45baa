"""A residual network as users of Flax Linen write it; only the spots are ours."""

import functools

import jax.numpy as jnp
from flax import linen as nn

from tests.zoo.spots import spot


class Bottleneck(nn.Module):
    width: int
    strides: int

    @nn.compact
    def __call__(self, x, train: bool):
        conv = functools.partial(nn.Conv, use_bias=False)
        norm = functools.partial(nn.BatchNorm, use_running_average=not train)
        path = ".".join(self.path)
        y = spot(nn.relu(norm()(conv(self.width, (1, 1))(x))), f"{path}.Conv_0")
        y = norm()(conv(self.width, (3, 3), self.strides)(y))
        y = spot(nn.relu(y), f"{path}.Conv_1")
        y = spot(norm()(conv(4 * self.width, (1, 1))(y)), f"{path}.Conv_2")
        if x.shape != y.shape:
            x = norm(name="proj_norm")(conv(4 * self.width, (1, 1), self.strides, name="proj")(x))
            x = spot(x, f"{path}.proj")
        return spot(nn.relu(x + y), path)


class ResNet(nn.Module):
    classes: int

    @nn.compact
    def __call__(self, x, train: bool):
        x = nn.Conv(4, (7, 7), 2, use_bias=False)(x)
        x = spot(nn.relu(nn.BatchNorm(use_running_average=not train)(x)), "Conv_0")
        x = nn.max_pool(x, (3, 3), (2, 2), "SAME")
        for width, strides in ((3, 2), (3, 1)):
            x = Bottleneck(width, strides)(x, train)
        return nn.Dense(self.classes)(jnp.mean(x, (1, 2)))


LAYERS = dict.fromkeys(
    [
        "Conv_0",
        *(
            f"Bottleneck_{number}{part}"
            for number in range(2)
            for part in (".Conv_0", ".Conv_1", ".Conv_2", ".proj", "")
            if (number, part) != (1, ".proj")
        ),
    ],
    -1,
)
