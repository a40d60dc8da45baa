"""Networks and images that are named on the command line or handed to `study`."""

from __future__ import annotations

import dataclasses
import inspect
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Any, Literal

import tyro

import jaxunits as ju
from jaxunits._reading import Reading

from ..train.user_file import call, is_function

# Of a network's arguments those that the command line takes, by their types.
_KINDS: dict[Any, Any] = {
    **{kind: kind for kind in (int, float, str, bool)},
    Sequence[int]: tuple[int, ...],
    Sequence[str]: tuple[str, ...],
}


@dataclass(frozen=True)
class Source:
    """A network that the training program did not train, and its images."""

    network: Annotated[str | None, tyro.conf.arg(metavar="NAME|FILE:FUNCTION")] = None
    """A network of jaxunits.networks by name, or a function in a Python file that returns a
    jaxunits network, a Flax or a PyTorch module."""
    weights: Annotated[Path | None, tyro.conf.arg(metavar="FILE")] = None
    """The file with its weights (PyTorch, safetensors or Keras)."""
    preprocessing: Literal["imagenet", "imagenet_whole", "cifar10", "keras_vgg16"] | None = None
    """What the network expects of images; that of the named network by default."""
    data: Annotated[str | None, tyro.conf.arg(metavar="SOURCE|FILE:FUNCTION")] = None
    """Its images: folder:PATH, tfds:NAME or digits, or a function in a Python file that returns
    a data set."""
    train_data: Annotated[str | None, tyro.conf.arg(metavar="SOURCE|FILE:FUNCTION")] = None
    """The images that it was trained on, if they are not a split of --data."""
    train_split: str | None = None
    """The split that it was trained on; without it, experiments that need training images cannot
    run."""
    reading: Annotated[Reading, tyro.conf.arg(name="data")] = field(default_factory=Reading)
    """How the images are read."""

    def images(self, split: str | None) -> ju.data.Dataset:
        """The images to measure on.

        Raises:
          InputError: they cannot be used, or are not named.
        """
        if self.data is None:
            raise ju.InputError("--network needs --data: folder:PATH, tfds:NAME or FILE:FUNCTION")
        return _images(self.data, split, self.reading)

    def training_images(self) -> ju.data.Dataset | None:
        """The images that the network was trained on; None where they are not named.

        Raises:
          InputError: they cannot be used.
        """
        source = self.train_data or (self.data if self.train_split else None)
        return None if source is None else _images(source, self.train_split, self.reading)

    def build(self, arguments: Mapping[str, Any], classes: int) -> ju.networks.Classifier:
        """The network with its weights.

        Args:
          arguments: of a named network's function.
          classes: that the images have.

        Raises:
          InputError: there is no such network, or its weights do not fit.
        """
        name = str(self.network)
        preset = self.preprocessing and getattr(ju.data, self.preprocessing.upper())
        if is_function(name):
            network = as_classifier(call(name), preset)
        else:
            given = {key: value for key, value in arguments.items() if value is not None}
            given = {"classes": classes, **given}
            if preset:
                given["preprocessing"] = preset
            network = builder(name)(**given)
        if self.weights is not None:
            network = ju.networks.load_weights(network, self.weights)
        return network


def as_classifier(network: Any, preprocessing: ju.data.Preprocessing | None) -> Any:
    """A network as this library measures it.

    Args:
      network: a `ju.networks.Classifier`, a Flax NNX or PyTorch module, or a pair of a Linen module
        and its variables or of a function and its parameters; or a pair of one of these and its
        preprocessing.
      preprocessing: what a module expects of images.

    Raises:
      InputError: it is none of these, or a module without preprocessing.
    """
    if isinstance(network, tuple) and isinstance(network[-1], ju.data.Preprocessing):
        return as_classifier(network[0], preprocessing or network[1])
    if isinstance(network, ju.networks.Classifier):
        if preprocessing is not None:
            network = dataclasses.replace(network, preprocessing=preprocessing)
        return network
    if preprocessing is None:
        raise ju.InputError(
            f"network of type {type(network).__name__}: say what it expects of images "
            "(preprocessing, --preprocessing), or give a network of ju.networks.from_nnx, "
            "from_linen, from_torch or from_callable"
        )
    from flax import linen, nnx

    if isinstance(network, nnx.Module):
        return ju.networks.from_nnx(network, preprocessing=preprocessing)
    if isinstance(network, tuple) and len(network) == 2:
        known = isinstance(network[0], linen.Module)
        wrap = ju.networks.from_linen if known else ju.networks.from_callable
        return wrap(*network, preprocessing=preprocessing)
    # PyTorch is imported where there is a module of it.
    torch = sys.modules.get("torch")
    if torch is not None and isinstance(network, torch.nn.Module):
        return ju.networks.from_torch(network, preprocessing=preprocessing)
    raise ju.InputError(
        f"network of type {type(network).__name__}: give a network of ju.networks, a Flax or "
        "PyTorch module, or a pair (Linen module, variables) or (function, parameters)"
    )


def as_dataset(data: Any) -> ju.data.Dataset:
    """A data set, or what `ju.data.load` makes one of."""
    return data if isinstance(data, ju.data.Dataset) else ju.data.load(data)


def _images(source: str, split: str | None, reading: Reading) -> ju.data.Dataset:
    found = call(source) if is_function(source) else source
    if not isinstance(found, ju.data.Dataset):
        return ju.data.load(found, split, **vars(reading))
    if reading != Reading():
        raise ju.InputError(
            f"{source} gives a ju.data.Dataset, which is read as it says: leave --data.* out, or "
            "give what ju.data.load takes"
        )
    return found


def builder(name: str) -> Any:
    """The function of `ju.networks` that makes a network.

    Raises:
      InputError: there is none.
    """
    if name not in ju.networks.BUILDERS:
        raise ju.unknown_name("network", name, ju.networks.BUILDERS, "jaxunits.networks")
    return ju.networks.BUILDERS[name]


def network_fields(arguments: list[str]) -> list[tuple[str, Any, Any]]:
    """The field of settings for the arguments of the network that a command line names.

    `--network.depth` is there where `--network cifar_resnet` is.

    Args:
      arguments: the command line.

    Returns:
      The field as `dataclasses.make_dataclass` takes it; nothing where no built-in one is named.

    Raises:
      InputError: there is no such network.
    """
    name = _named(arguments)
    if name is None or is_function(name):
        return []
    signature = inspect.signature(builder(name), eval_str=True)
    fields: list[Any] = [
        (key, _KINDS[parameter.annotation], parameter.default)
        for key, parameter in signature.parameters.items()
        if parameter.annotation in _KINDS and key != "classes"
    ]
    # Those of the images by default.
    fields.append(("classes", int | None, None))
    section = dataclasses.make_dataclass("Arguments", fields, frozen=True)
    text = tyro.conf.arg(name="network", help=f"Arguments of jaxunits.networks.{name}.")
    return [("arguments", Annotated[section, text], field(default_factory=section))]


def _named(arguments: list[str]) -> str | None:
    for place, argument in enumerate(arguments):
        if argument.startswith("--network="):
            return argument.partition("=")[2]
        if argument == "--network" and place + 1 < len(arguments):
            return arguments[place + 1]
    return None
