"""Python files that a user names on the command line."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import jaxunits as ju


def load_file(path: Path) -> ModuleType:
    """Run a Python file, which can import what lies beside it as a program would.

    Only for files that a user names to be run.

    Raises:
      InputError: there is no such file.
    """
    if not path.is_file():
        raise ju.InputError(f"there is no file {path}: give the path of a Python file")
    path = path.resolve()
    name = f"_jaxunits_{path.stem}"
    spec = importlib.util.spec_from_file_location(name, path)
    if spec is None or spec.loader is None:
        raise ju.InputError(f"{path} is not a Python file: give one whose name ends in .py")
    if str(path.parent) not in sys.path:
        sys.path.insert(0, str(path.parent))
    module = importlib.util.module_from_spec(spec)
    # Dataclasses look for the module that they are in.
    sys.modules[name] = module
    spec.loader.exec_module(module)
    return module


def is_function(text: str) -> bool:
    """Whether this has the form FILE:FUNCTION."""
    file, _, function = text.rpartition(":")
    return file.endswith(".py") and function.isidentifier()


def call(text: str) -> Any:
    """The result of the function of FILE:FUNCTION.

    Raises:
      InputError: there is no such file or function.
    """
    file, _, name = text.rpartition(":")
    module = load_file(Path(file))
    function = getattr(module, name, None)
    if not callable(function):
        known = [key for key, value in vars(module).items() if callable(value) and key[0] != "_"]
        raise ju.unknown_name("function", name, known, file)
    return function()
