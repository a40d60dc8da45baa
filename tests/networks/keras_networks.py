"""Keras's VGG16 on JAX; importing this needs Keras."""

import os
from unittest import mock

os.environ["KERAS_BACKEND"] = "jax"

import jax
import keras
import numpy as np

from tests.networks.keras_files import keras_layers


def vgg16(network, arrays):
    """Keras's VGG16 with arrays in torchvision's names and layouts."""
    # Weights that are replaced at once need not be drawn.
    zeros = mock.patch.object(keras.initializers.GlorotUniform, "__call__", _zeros)
    with jax.numpy_rank_promotion("allow"), zeros:
        model = keras.applications.VGG16(
            weights=None, classes=network.classes, classifier_activation=None
        )
        for name, values in keras_layers(arrays).items():
            model.get_layer(name).set_weights(values)
    return model


def _zeros(self, shape, dtype=None):
    return np.zeros(shape, dtype)


def run(model, images):
    """Logits, and what each layer gives, by our names."""
    dense = {"fc1": "fc6", "fc2": "fc7", "predictions": "fc8"}
    layers = [layer for layer in model.layers if layer.weights]
    with jax.numpy_rank_promotion("allow"):
        parts = keras.Model(model.input, [layer.output for layer in layers])
        outputs = parts(images, training=False)
    found = {
        dense.get(layer.name) or f"conv{layer.name[5]}_{layer.name[-1]}": np.asarray(output)
        for layer, output in zip(layers, outputs, strict=True)
    }
    return found.pop("fc8"), found


def golden(name, network, arrays, images):
    """Logits and layers of Keras's network with these weights."""
    return run(vgg16(network, arrays), images)
