"""Consoles that print names as they are."""

from __future__ import annotations

from typing import Any

from rich.console import Console


def plain_console(**options: Any) -> Console:
    """A console that prints names of files and networks as they are: no markup, no emoji codes."""
    return Console(soft_wrap=True, markup=False, emoji=False, highlight=False, **options)
