"""Compiled programs that are kept for the next call."""

from __future__ import annotations

import functools
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, ParamSpec, TypeVar, cast

import jax
from jaxtyping import PyTree

Question = ParamSpec("Question")
Program = TypeVar("Program")
_KEPT = 128


@dataclass(frozen=True)
class Shapes:
    """The shapes of a tree of arrays, which can be compared and hashed.

    Attributes:
      structure: of the tree.
      leaves: shapes and types.
    """

    structure: Any
    leaves: tuple[tuple[tuple[int, ...], Any], ...]

    @classmethod
    def of(cls, tree: PyTree) -> Shapes:
        """Of arrays or what has their shapes."""
        leaves, structure = jax.tree.flatten(tree)
        shapes = ((jax.numpy.shape(leaf), jax.dtypes.result_type(leaf)) for leaf in leaves)
        return cls(structure, tuple(shapes))

    def tree(self, sharding: Any = None) -> PyTree:
        """The tree again, of shapes."""
        return jax.tree.unflatten(
            self.structure,
            [jax.ShapeDtypeStruct(*leaf, sharding=sharding) for leaf in self.leaves],
        )


def kept(build: Callable[Question, Program]) -> Callable[Question, Program]:
    """The latest programs, by the arguments that they were built for.

    What stands for a network or a method may hold an object of a user's own that has no hash, such
    as a list; its programs are built anew.
    """
    by_question = cast(Callable[Question, Program], functools.lru_cache(_KEPT)(build))

    @functools.wraps(build)
    def program(*args: Question.args, **kwargs: Question.kwargs) -> Program:
        try:
            hash((args, tuple(kwargs.values())))
        except TypeError:
            return build(*args, **kwargs)
        return by_question(*args, **kwargs)

    return program
