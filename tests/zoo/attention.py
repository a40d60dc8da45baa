"""A vision transformer as users of Flax NNX write it; only the spots are ours."""

import functools

import jax.numpy as jnp
from flax import nnx

from tests.zoo.spots import spot

WIDTH, HEADS = 12, 3


def attend(query, key, value, *, path, **arguments):
    return nnx.dot_product_attention(query, key, spot(value, f"{path}.value"), **arguments)


class Block(nnx.Module):
    def __init__(self, path, rngs):
        self.path = path
        self.norm1 = nnx.LayerNorm(WIDTH, rngs=rngs)
        self.attention = nnx.MultiHeadAttention(
            HEADS,
            WIDTH,
            decode=False,
            attention_fn=functools.partial(attend, path=f"{path}.attention"),
            rngs=rngs,
        )
        self.norm2 = nnx.LayerNorm(WIDTH, rngs=rngs)
        self.up = nnx.Linear(WIDTH, 18, rngs=rngs)
        self.down = nnx.Linear(18, WIDTH, rngs=rngs)

    def __call__(self, x):
        y = spot(self.norm1(x), f"{self.path}.norm1")
        x = x + spot(self.attention(y), f"{self.path}.attention.out")
        y = spot(self.norm2(x), f"{self.path}.norm2")
        y = spot(nnx.gelu(self.up(y)), f"{self.path}.up")
        return spot(x + spot(self.down(y), f"{self.path}.down"), self.path)


class VisionTransformer(nnx.Module):
    def __init__(self, classes, rngs):
        self.patches = nnx.Conv(3, WIDTH, (4, 4), strides=4, padding="VALID", rngs=rngs)
        self.token = nnx.Param(jnp.zeros((1, 1, WIDTH)))
        self.places = nnx.Param(jnp.zeros((1, 17, WIDTH)))
        self.blocks = nnx.List([Block("blocks.0", rngs)])
        self.norm = nnx.LayerNorm(WIDTH, rngs=rngs)
        self.head = nnx.Linear(WIDTH, classes, rngs=rngs)

    def __call__(self, x):
        x = spot(self.patches(x), "patches").reshape(len(x), -1, WIDTH)
        token = jnp.broadcast_to(self.token[...], (len(x), 1, WIDTH))
        x = jnp.concatenate([token, x], 1) + self.places[...]
        for block in self.blocks:
            x = block(x)
        return self.head(spot(self.norm(x), "norm")[:, 0])


LAYERS = {
    "patches": -1,
    "blocks.0.norm1": -1,
    "blocks.0.attention.value": 2,
    "blocks.0.attention.out": -1,
    "blocks.0.norm2": -1,
    "blocks.0.up": -1,
    "blocks.0.down": -1,
    "blocks.0": -1,
    "norm": -1,
}
