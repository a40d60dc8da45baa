"""Activation maximization as it is usually written, a unit after another; needs PyTorch."""

from __future__ import annotations

import math

import numpy as np
import torch
from jaxtyping import Float
from torch import nn

import jaxunits as ju

from .torch_networks import Twin, torch_images

Image = Float[np.ndarray, "height width channels"]


def ascend(
    twin: Twin,
    preprocessing: ju.data.Preprocessing,
    layer: str,
    unit: int,
    start: Image,
    method: ju.synthesis.Method,
) -> Image:
    """The image of one unit after plain normalized gradient ascent from a given image.

    The network runs up to the layer, which ends with a ReLU; autograd gives the gradient of the
    unit's mean activation, or of what goes into the ReLU while the unit is dead.
    """
    mean, std = (
        torch_images(np.resize(np.asarray(values, np.float32), (1, 1, 1, preprocessing.channels)))
        for values in (preprocessing.mean, preprocessing.std)
    )
    image = torch_images(start[None]).clone()
    for step in range(method.steps):
        image.requires_grad_(True)
        before = _before_relu(twin, layer, (image - mean) / std)[0, unit]
        climbed = before.relu() if (before > 0).any() else before
        (gradient,) = torch.autograd.grad(climbed.mean(), image)
        with torch.no_grad():
            beyond = ((image <= 0) & (gradient < 0)) | ((image >= 1) & (gradient > 0))
            gradient = gradient.masked_fill(beyond, 0)
            length = gradient.norm() / math.sqrt(gradient.numel())
            rate = float(method.rate(step))
            image = (image + rate * gradient / (length + 1e-20)).clamp(0, 1)
    return image[0].permute(1, 2, 0).numpy()


def _before_relu(twin: Twin, layer: str, images: torch.Tensor) -> torch.Tensor:
    position = twin.order.index(layer)
    state = twin.run(images, through=twin.order[position - 1]) if position else images
    *affine, _ = twin.stage(layer)
    return nn.Sequential(*affine)(state)
