"""What computes each of PyTorch's core operations in JAX, by the operation's name."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from . import _elementwise, _indexing, _layers, _pools, _reductions, _resizing, _shapes

RULES: dict[str, Callable[..., Any]] = {
    **_elementwise.RULES,
    **_shapes.RULES,
    **_indexing.RULES,
    **_reductions.RULES,
    **_layers.RULES,
    **_pools.RULES,
    **_resizing.RULES,
}
