"""Files that name arrays in another way than torchvision."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping, Sequence

from ..._errors import InputError
from .._convolution import Convolution
from .._network import Network
from ._parameters import Parameter, parameters
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
    file: WeightsFile, network: Network
) -> tuple[tuple[Parameter, ...], dict[str, StoredArray]]:
    """A network's parameters, and a file's arrays under these parameters' names.

    Raises:
      InputError: a Keras file for a network other than VGG16, or two arrays of one name.
    """
    if file.keras:
        return _keras_parameters(network, file), _keras_arrays(file, network)
    wanted = parameters(network)
    return wanted, _torch_arrays(file, {parameter.name for parameter in wanted})


def _torch_arrays(file: WeightsFile, known: set[str]) -> dict[str, StoredArray]:
    arrays: dict[str, StoredArray] = {}
    for name, array in file.arrays.items():
        if name.endswith(_COUNTER):
            continue
        ours = name if name in known else _unwrapped(name, known)
        if ours in arrays:
            raise InputError(
                f"weights file {file.path} has two arrays for '{printable(ours)}', one of them as "
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


def _keras_layers(network: Network, file: WeightsFile) -> dict[str, str]:
    """For each stage of VGG16 Keras's name of the layer."""
    if network.name != "vgg16":
        raise InputError(
            f"weights file {file.path} is Keras's, and of network {network.name!r} Keras has no "
            "counterpart here: only vgg16 reads Keras's files. Give a PyTorch or safetensors file"
        )
    convolutions, dense = _stages(network)
    return {
        **{name: f"block{name[4]}_conv{name[6]}" for name in convolutions},
        **{name: f"fc{number}" for number, name in enumerate(dense[:-1], start=1)},
        dense[-1]: "predictions",
    }


def _keras_parameters(network: Network, file: WeightsFile) -> tuple[Parameter, ...]:
    """The parameters in Keras's layouts, which are ours."""
    layers = _keras_layers(network, file)
    return tuple(
        dataclasses.replace(
            parameter,
            name=f"{layers[parameter.stage]}/{parameter.path[-1]}",
            split=parameter.shape,
            axes=tuple(range(len(parameter.shape))),
            stored_shape=parameter.shape,
        )
        for parameter in parameters(network)
    )


def _keras_arrays(file: WeightsFile, network: Network) -> dict[str, StoredArray]:
    """The file's arrays; layers that it only numbers get the names that VGG16's have."""
    names: dict[str, str] = {}
    layers = _keras_layers(network, file)
    for kind, stages in zip(("conv2d", "dense"), _stages(network), strict=True):
        names |= {f"{kind}/{number}": layers[name] for number, name in enumerate(stages)}
    arrays: Mapping[str, StoredArray] = file.arrays
    return {_renamed(name, names): array for name, array in arrays.items()}


def _renamed(name: str, names: Mapping[str, str]) -> str:
    layer, _, kind = name.rpartition("/")
    return f"{names.get(layer, layer)}/{kind}"


def _stages(network: Network) -> tuple[Sequence[str], Sequence[str]]:
    stages = list(dict.fromkeys(parameter.stage for parameter in parameters(network)))
    convolutions = [name for name in stages if isinstance(network.stages[name], Convolution)]
    return convolutions, [name for name in stages if name not in convolutions]
