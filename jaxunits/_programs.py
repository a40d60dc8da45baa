"""Compiled programs that are kept for the next call."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import ParamSpec, TypeVar, cast

Question = ParamSpec("Question")
Program = TypeVar("Program")
_KEPT = 32


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
