"""Files that name arrays in another way than torchvision."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping, Sequence

from ..._errors import InputError
from .._classifier import Classifier
from ._parameters import Names, Parameter, parameters
from ._stored import StoredArray, WeightsFile, printable

# Wrappers of PyTorch put these into names: DataParallel and torch.compile.
_WRAPPERS = {"module", "_orig_mod"}
# timm's head of VGG16, whose first two layers are convolutions over the whole map.
_TIMM = {"pre_logits.fc1": "classifier.0", "pre_logits.fc2": "classifier.3"} | {
    "head.fc": "classifier.6"
}
# A counter that nothing in evaluation, or in our training, reads.
_COUNTER = "num_batches_tracked"


def matched(
    file: WeightsFile, network: Classifier, names: Names | None
) -> tuple[tuple[Parameter, ...], dict[str, StoredArray]]:
    """A network's parameters, and a file's arrays under these parameters' names.

    Raises:
      InputError: a Keras file for a network other than VGG16, or two arrays of one name.
    """
    wanted = parameters(network, names)
    if file.keras:
        layers = _keras_layers(network, wanted, file)
        return _keras_parameters(wanted, layers), _keras_arrays(file, wanted, layers)
    return wanted, _torch_arrays(file, {parameter.name for parameter in wanted})


def _torch_arrays(file: WeightsFile, known: set[str]) -> dict[str, StoredArray]:
    arrays: dict[str, StoredArray] = {}
    for name, array in file.arrays.items():
        if name.endswith(_COUNTER):
            continue
        ours = name if name in known else _unwrapped(name, known)
        if ours in arrays:
            raise InputError(
                f"{file.place} has two arrays for '{printable(ours)}', one of them as "
                f"'{printable(name)}': save one state dict alone"
            )
        if ours != name and len(array.shape) == 4 and ours.startswith("classifier."):
            array = dataclasses.replace(array, shape=(array.shape[0], math.prod(array.shape[1:])))
        arrays[ours] = array
    return arrays


def _unwrapped(name: str, known: set[str]) -> str:
    bare = ".".join(part for part in name.split(".") if part not in _WRAPPERS)
    layer, _, kind = bare.rpartition(".")
    translated = f"{_TIMM.get(layer, layer)}.{kind}"
    return translated if translated in known else bare


def _keras_layers(
    network: Classifier, wanted: Sequence[Parameter], file: WeightsFile
) -> dict[str, str]:
    """For each layer of VGG16 Keras's name of it."""
    if network.name != "vgg16":
        raise InputError(
            f"{file.place} is Keras's, and of network {network.name!r} Keras has no "
            "counterpart here: only vgg16 reads Keras's files. Give a PyTorch or safetensors file"
        )
    convolutions, dense = _kinds(wanted)
    return {
        **{name: f"block{name[4]}_conv{name[6]}" for name in convolutions},
        **{name: f"fc{number}" for number, name in enumerate(dense[:-1], start=1)},
        dense[-1]: "predictions",
    }


def _keras_parameters(
    wanted: Sequence[Parameter], layers: Mapping[str, str]
) -> tuple[Parameter, ...]:
    """The parameters in Keras's layouts, which are ours."""
    return tuple(
        dataclasses.replace(
            parameter,
            name=f"{layers[parameter.layer]}/{parameter.kind}",
            split=parameter.shape,
            axes=tuple(range(len(parameter.shape))),
            stored_shape=parameter.shape,
        )
        for parameter in wanted
    )


def _keras_arrays(
    file: WeightsFile, wanted: Sequence[Parameter], layers: Mapping[str, str]
) -> dict[str, StoredArray]:
    """The file's arrays; layers that it only numbers get the names that VGG16's have."""
    names: dict[str, str] = {}
    for kind, ours in zip(("conv2d", "dense"), _kinds(wanted), strict=True):
        names |= {f"{kind}/{number}": layers[name] for number, name in enumerate(ours)}
    return {_renamed(name, names): array for name, array in file.arrays.items()}


def _renamed(name: str, names: Mapping[str, str]) -> str:
    layer, _, kind = name.rpartition("/")
    return f"{names.get(layer, layer)}/{kind}"


def _kinds(wanted: Sequence[Parameter]) -> tuple[Sequence[str], Sequence[str]]:
    """Convolutions and dense layers."""
    kernels = [parameter for parameter in wanted if parameter.kind == "kernel"]
    convolutions, dense = (
        [parameter.layer for parameter in kernels if len(parameter.shape) == axes]
        for axes in (4, 2)
    )
    return convolutions, dense
