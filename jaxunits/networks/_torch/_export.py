"""A module's forward pass as a graph of PyTorch's core operations, for any number of images."""

from __future__ import annotations

import contextlib
import copy
import logging
import warnings
from collections.abc import Iterator, Mapping
from typing import Any

import torch

from ..._errors import InputError
from ._calls import recorded_calls
from ._rules import RULES

# PyTorch takes 0 and 1 images for special cases.
IMAGES = 2
_LONGEST = 300


def export(
    module: Any, shape: tuple[int, int, int], arguments: Mapping[str, Any]
) -> torch.export.ExportedProgram:
    """Export a module as it is in evaluation, on the CPU and in float32.

    Args:
      module: the module, which stays as it is.
      shape: channels, height and width of an image.
      arguments: keyword arguments of its call.

    Raises:
      InputError: it is not a module, has no weights yet, or PyTorch refuses to export it.
    """
    _check(module)
    name = type(module).__name__
    images = torch.zeros(IMAGES, *shape)
    module = _in_float32(module)
    with _quiet(), _evaluating(module), recorded_calls(module):
        try:
            return _exported(module, images, arguments, dynamic=True)
        except Exception as error:
            if _exports_fixed(module, images, arguments):
                raise InputError(
                    f"module {name} runs on a fixed number of images only: {_short(error)}. Take "
                    "the number of images from its input, as in x.view(x.shape[0], -1), and loop "
                    "over no images"
                ) from error
            raise InputError(
                f"module {name} cannot be exported with images of shape {list(images.shape)}: "
                f"{_short(error)}. torch.export needs a forward pass that these images fit and "
                "that makes no decisions based on the values of its tensors; change it, or write "
                "the network in JAX and give it to from_callable"
            ) from error


def _check(module: Any) -> None:
    if not isinstance(module, torch.nn.Module):
        raise InputError(
            f"module of type {type(module).__name__}: give a torch.nn.Module, with its weights"
        )
    name = type(module).__name__
    if isinstance(module, torch.jit.ScriptModule):
        raise InputError(
            f"module {name} is TorchScript, which torch.export does not read: give the "
            "torch.nn.Module that it was made from"
        )
    for path, tensor in [*module.named_parameters(), *module.named_buffers()]:
        if torch.nn.parameter.is_lazy(tensor) or tensor.is_meta:
            raise InputError(
                f"weight {path!r} of module {name} has no values: load weights, or run the module "
                "once if it is lazy"
            )


def _in_float32(module: torch.nn.Module) -> torch.nn.Module:
    """The module itself if it computes in float32 on the CPU, otherwise a copy that does."""
    tensors = [*module.parameters(), *module.buffers()]
    if all(
        tensor.device.type == "cpu"
        and (tensor.dtype == torch.float32 or not tensor.is_floating_point())
        for tensor in tensors
    ):
        return module
    return copy.deepcopy(module).cpu().float()


def _exported(
    module: torch.nn.Module, images: torch.Tensor, arguments: Mapping[str, Any], *, dynamic: bool
) -> torch.export.ExportedProgram:
    options = dict(arguments)
    shapes = torch.export.ShapesCollection()
    if dynamic:
        shapes[images] = {0: torch.export.Dim("images")}
    program = torch.export.export(
        module,
        (images,),
        options,
        dynamic_shapes=shapes.dynamic_shapes(module, (images,), options),
    )
    return program.run_decompositions(_decompositions())


def _decompositions() -> Any:
    """How PyTorch takes operations apart, without those that have a rule as they are."""
    table = torch.export.default_decompositions()
    for operation in list(table):
        if operation.namespace == "aten" and operation._schema.name[len("aten::") :] in RULES:
            table.pop(operation)
    return table


def _exports_fixed(
    module: torch.nn.Module, images: torch.Tensor, arguments: Mapping[str, Any]
) -> bool:
    try:
        _exported(module, images, arguments, dynamic=False)
    except Exception:  # noqa: BLE001 - the first failure is what gets reported
        return False
    return True


def _short(error: Exception) -> str:
    """The first line of PyTorch's message."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    line = lines[0] if lines else type(error).__name__
    return (line if len(line) <= _LONGEST else line[:_LONGEST] + "…").rstrip(".:")


@contextlib.contextmanager
def _evaluating(module: torch.nn.Module) -> Iterator[None]:
    """Within, the module is in evaluation; afterwards every submodule is as it was."""
    flags = [(submodule, submodule.training) for submodule in module.modules()]
    module.eval()
    try:
        yield
    finally:
        for submodule, flag in flags:
            submodule.training = flag


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """Within, PyTorch neither warns nor logs, and attention is computed step by step."""
    fast = torch.backends.mha.get_fastpath_enabled()
    disabled = logging.root.manager.disable
    torch.backends.mha.set_fastpath_enabled(False)
    logging.disable(logging.CRITICAL)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        logging.disable(disabled)
        torch.backends.mha.set_fastpath_enabled(fast)
