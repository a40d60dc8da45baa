"""Keras's HDF5 files written by hand, in the layouts of its different ages."""

import h5py
import numpy as np

NAMINGS = ("{layer}_W_1:0", "kernel:0", "{layer}/kernel:0", "{layer}/kernel")


def keras_layers(arrays):
    """VGG16's kernels and biases by Keras's names, out of arrays with torchvision's names."""
    layers = list(dict.fromkeys(name.rpartition(".")[0] for name in arrays))
    counts = enumerate((2, 2, 3, 3, 3), start=1)
    names = [f"block{group}_conv{n}" for group, count in counts for n in range(1, count + 1)]
    found = {}
    for name, layer in zip([*names, "fc1", "fc2", "predictions"], layers, strict=True):
        kernel = arrays[f"{layer}.weight"]
        if name == "fc1":
            kernel = kernel.reshape(len(kernel), -1, 7, 7).transpose(2, 3, 1, 0)
            kernel = kernel.reshape(-1, kernel.shape[-1])
        else:
            kernel = np.moveaxis(kernel.T, 0, 1) if kernel.ndim == 4 else kernel.T
        found[name] = [np.ascontiguousarray(kernel), arrays[f"{layer}.bias"]]
    return found


def write_h5(path, layers, *, naming="{layer}_W_1:0", model=False):
    """An `.h5` of weights, or with `model` one of a whole model."""
    with h5py.File(path, "w") as file:
        group = file.create_group("model_weights") if model else file
        names = ["input_1", *layers, "block5_pool"]
        group.attrs["layer_names"] = np.asarray([name.encode() for name in names])
        for name in names:
            layer = group.create_group(name)
            kernel = naming.format(layer=name)
            bias = kernel.replace("_W_", "_b_").replace("kernel", "bias")
            content = dict(zip((kernel, bias), layers.get(name, ()), strict=False))
            layer.attrs["weight_names"] = np.asarray([key.encode() for key in content], "S64")
            for key, values in content.items():
                layer[key] = values
    return path


def write_weights_h5(path, layers, *, names=True):
    """A `.weights.h5` of Keras 3; its first versions did not write the layers' names."""
    with h5py.File(path, "w") as file:
        counts = {"conv2d": 0, "dense": 0}
        for name, (kernel, bias) in layers.items():
            kind = "conv2d" if kernel.ndim == 4 else "dense"
            number = f"_{counts[kind]}" if counts[kind] else ""
            counts[kind] += 1
            variables = file.create_group(f"layers/{kind}{number}/vars")
            if names:
                variables.attrs["name"] = name
            variables["0"], variables["1"] = kernel, bias
        file.create_group("layers/flatten/vars")
        file.create_group("vars")
    return path
