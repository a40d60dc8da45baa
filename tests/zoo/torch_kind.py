"""A network of PyTorch, changed by hooks on its modules and differentiated by its autograd."""

import copy
import dataclasses
import functools
from collections.abc import Mapping

import numpy as np
import torch
from torch import nn

import jaxunits as ju
from tests.networks.torch_zoo import MobileNetV2, randomized
from tests.zoo.kind import CLASSES, Kind, preprocessing

# Two threads that share a busy machine wait for each other, fifty times as long as one works.
torch.set_num_threads(1)

# The module behind whose non-linearity and norm each layer of MobileNetV2 has its units.
MOBILENET = {
    "features.0.0": "features.0.2",
    "features.1.conv.0.0": "features.1.conv.0.2",
    "features.1.conv.1.0": "features.1.conv.1.2",
    "features.1.conv.2": "features.1.conv.3",
    "features.2.conv.0.0": "features.2.conv.0.2",
    "features.2.conv.1.0": "features.2.conv.1.2",
    "features.2.conv.2": "features.2.conv.3",
    "features.2": "features.2",
    "features.3.0": "features.3.2",
}


@dataclasses.dataclass(frozen=True, eq=False)
class TorchKind(Kind):
    """A network of PyTorch.

    Attributes:
      module: in float64.
      places: by layer, the path of the submodule whose output are its units.
    """

    module: nn.Module
    places: Mapping[str, str]

    def _run(self, images, changes):
        seen = {}

        def act(layer, _module, _inputs, output):
            value = output.movedim(self.layers[layer], -1)
            if layer in changes:
                matrix, shift = (torch.as_tensor(each).double() for each in changes[layer])
                value = value @ matrix + shift
            seen[layer] = value
            # A copy, since the next module may work in place.
            return value.movedim(-1, self.layers[layer]).clone()

        hooks = [
            self.module.get_submodule(path).register_forward_hook(functools.partial(act, layer))
            for layer, path in self.places.items()
        ]
        try:
            return self.module(images.movedim(-1, 1)), seen
        finally:
            for hook in hooks:
                hook.remove()

    def logits(self, changes=None, images=None):
        images = self.images if images is None else images
        with torch.no_grad():
            logits, seen = self._run(torch.tensor(images).double(), changes or {})
        return logits.numpy(), {layer: value.numpy() for layer, value in seen.items()}

    def units(self, layer):
        return self.activations(layer).shape[-1]

    def loss_derivatives(self, layer):
        shift = torch.zeros(self.activations(layer).shape, requires_grad=True)
        changes = {layer: (np.eye(self.units(layer)), shift)}
        logits, _ = self._run(torch.tensor(self.images).double(), changes)
        labels = torch.tensor(self.labels).long()
        loss = nn.functional.cross_entropy(logits, labels, reduction="sum")
        return torch.autograd.grad(loss, shift)[0].double().numpy()

    def unit_derivatives(self, layer, images, weights):
        images = torch.tensor(images).double().requires_grad_()
        answers = self._run(images, {})[1][layer]
        means = answers.flatten(1, -2).mean(1)
        return torch.autograd.grad((means * torch.tensor(weights)).sum(), images)[0].numpy()


def mobilenet():
    """MobileNetV2 with random weights, which takes images for all classes."""
    module = randomized(MobileNetV2(CLASSES))
    network = ju.networks.from_torch(module, preprocessing=preprocessing(32))
    found = TorchKind(
        network, dict.fromkeys(MOBILENET, 1), copy.deepcopy(module).double(), MOBILENET
    )
    bias = found.module.classifier[1].bias
    with torch.no_grad():
        bias -= torch.tensor(found.logits()[0].mean(0).astype(np.float32))
    params = {**network.params, "classifier.1.bias": bias.detach().float().numpy()}
    return dataclasses.replace(found, network=network.with_params(params))
