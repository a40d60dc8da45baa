"""What an operation's rule raises where the operation goes beyond it."""

from __future__ import annotations


class UnsupportedError(Exception):
    """An operation that has a rule is used in a way that the rule does not cover.

    The message is the name of that use, such as `"a transposed convolution"`.
    """
