"""Preprocessing as well-known networks were trained with it."""

from __future__ import annotations

from ._preprocessing import Preprocessing

_MEAN = (0.485, 0.456, 0.406)
_STD = (0.229, 0.224, 0.225)

IMAGENET = Preprocessing((224, 224), 3, mean=_MEAN, std=_STD, resize=256)
"""Torchvision's networks in evaluation: shorter side to 256, then the central 224×224."""

IMAGENET_WHOLE = Preprocessing((224, 224), 3, mean=_MEAN, std=_STD)
"""The same colors, and the whole image at 224×224, as in Zhao and Zhang 2021."""

KERAS_VGG16 = Preprocessing(
    (224, 224),
    3,
    mean=(103.939 / 255, 116.779 / 255, 123.68 / 255),
    std=(1 / 255,) * 3,
    order="bgr",
)
"""Keras's VGG16, whose weights come from Caffe: blue first, 0 to 255, less the mean color."""

CIFAR10 = Preprocessing((32, 32), 3, mean=(0.4914, 0.4822, 0.4465), std=(0.247, 0.2435, 0.2616))
"""CIFAR-10, by the mean and standard deviation of its training images."""
