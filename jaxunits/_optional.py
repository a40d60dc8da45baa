"""Packages that come with extras of jaxunits."""

from __future__ import annotations

import importlib.util

from ._errors import InputError


def is_installed(module: str) -> bool:
    """Whether a module can be imported; the module itself is not."""
    try:
        return importlib.util.find_spec(module) is not None
    except ModuleNotFoundError:
        # The package that it should be in is missing.
        return False


def check_installed(module: str, extra: str, what: str) -> None:
    """Refuse what needs a package that is not installed, before anything expensive.

    Args:
      module: the package, or a module in it.
      extra: the extra that installs it.
      what: what needs it, such as `"data 'tfds:cifar10'"`.

    Raises:
      InputError: it is not installed; the message has the command that installs it.
    """
    if not is_installed(module):
        raise InputError(
            f"{what} needs the package {module}, which is not installed: "
            f"pip install 'jaxunits[{extra}]'"
        )
