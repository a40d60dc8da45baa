"""PyTorch's networks with torchvision's names; importing this needs PyTorch, not torchvision."""

from collections import OrderedDict

import numpy as np
import torch
from torch import nn

_GROUPS = ((2, 64), (2, 128), (3, 256), (3, 512), (3, 512))


class Classifier(nn.Module):
    """AlexNet and VGG16: convolutions, a pool to a fixed size, dense layers."""

    def __init__(self, features, size, classifier):
        super().__init__()
        self.features = nn.Sequential(*features)
        self.avgpool = nn.AdaptiveAvgPool2d(size)
        self.classifier = nn.Sequential(*classifier)

    def forward(self, images):
        return self.classifier(torch.flatten(self.avgpool(self.features(images)), 1))


class Block(nn.Module):
    """A residual block."""

    def __init__(self, inputs, outputs, stride):
        super().__init__()
        self.conv1 = nn.Conv2d(inputs, outputs, 3, stride, 1, bias=False)
        self.bn1 = nn.BatchNorm2d(outputs)
        self.relu = nn.ReLU(inplace=True)
        self.conv2 = nn.Conv2d(outputs, outputs, 3, 1, 1, bias=False)
        self.bn2 = nn.BatchNorm2d(outputs)
        self.downsample = None
        if stride > 1:
            projection = nn.Conv2d(inputs, outputs, 1, stride, bias=False)
            self.downsample = nn.Sequential(projection, nn.BatchNorm2d(outputs))

    def forward(self, state):
        shortcut = state if self.downsample is None else self.downsample(state)
        inside = self.relu(self.bn1(self.conv1(state)))
        return self.relu(self.bn2(self.conv2(inside)) + shortcut)


def alexnet(classes, *, batch_norm=False):
    """AlexNet; with batch norm, numbered as a sequence of convolution, norm, ReLU and pool is."""
    features, inputs = [], 3
    sizes = ((64, 11, 4, 2), (192, 5, 1, 2), (384, 3, 1, 1), (256, 3, 1, 1), (256, 3, 1, 1))
    for number, (units, size, stride, padding) in enumerate(sizes, start=1):
        features.append(nn.Conv2d(inputs, units, size, stride, padding))
        features += [nn.BatchNorm2d(units)] * batch_norm + [nn.ReLU(inplace=True)]
        features += [nn.MaxPool2d(3, 2)] * (number in (1, 2, 5))
        inputs = units
    classifier = [nn.Dropout(), nn.Linear(256 * 36, 4096), nn.ReLU(inplace=True)]
    classifier += [nn.Dropout(), nn.Linear(4096, 4096), nn.ReLU(inplace=True)]
    return Classifier(features, (6, 6), [*classifier, nn.Linear(4096, classes)])


def vgg16(classes, *, batch_norm=False, narrow=1, head="imagenet"):
    """VGG16, every width divided by a number."""
    features, inputs = [], 3
    for count, units in _GROUPS:
        for _ in range(count):
            features.append(nn.Conv2d(inputs, units // narrow, 3, padding=1))
            features += [nn.BatchNorm2d(units // narrow)] * batch_norm + [nn.ReLU(inplace=True)]
            inputs = units // narrow
        features.append(nn.MaxPool2d(2))
    side, widths = (7, [4096, 4096]) if head == "imagenet" else (1, [512])
    classifier, inputs = [], inputs * side**2
    for units in widths:
        classifier += [nn.Linear(inputs, units // narrow), nn.ReLU(inplace=True), nn.Dropout()]
        inputs = units // narrow
    return Classifier(features, (side, side), [*classifier, nn.Linear(inputs, classes)])


def resnet18(classes, *, stem="imagenet"):
    """ResNet18; with the stem for CIFAR nothing shrinks the images before the blocks."""
    first = nn.Conv2d(3, 64, 7, 2, 3, bias=False)
    pool = nn.MaxPool2d(3, 2, 1)
    if stem == "cifar":
        first, pool = nn.Conv2d(3, 64, 3, 1, 1, bias=False), nn.Identity()
    modules = OrderedDict(conv1=first, bn1=nn.BatchNorm2d(64), relu=nn.ReLU(inplace=True))
    modules["maxpool"] = pool
    inputs = 64
    for group, outputs in enumerate((64, 128, 256, 512), start=1):
        blocks = [Block(inputs, outputs, 1 if group == 1 else 2), Block(outputs, outputs, 1)]
        modules[f"layer{group}"] = nn.Sequential(*blocks)
        inputs = outputs
    modules |= {"avgpool": nn.AdaptiveAvgPool2d(1), "flatten": nn.Flatten()}
    return nn.Sequential(OrderedDict(modules, fc=nn.Linear(512, classes)))


class Fire(nn.Module):
    """SqueezeNet's module."""

    def __init__(self, inputs, squeezed, expanded):
        super().__init__()
        self.squeeze = nn.Conv2d(inputs, squeezed, 1)
        self.expand1x1 = nn.Conv2d(squeezed, expanded, 1)
        self.expand3x3 = nn.Conv2d(squeezed, expanded, 3, padding=1)

    def forward(self, state):
        squeezed = torch.relu(self.squeeze(state))
        return torch.relu(torch.cat([self.expand1x1(squeezed), self.expand3x3(squeezed)], 1))


def squeezenet(classes, version):
    """SqueezeNet; pools count windows that hang over the edge."""
    units, size, pools = {"1_0": (96, 7, (0, 3, 7)), "1_1": (64, 3, (0, 2, 4))}[version]
    fires = [Fire(*sizes) for sizes in _fires(units)]
    features = [nn.Conv2d(3, units, size, 2), nn.ReLU()]
    for number in range(len(fires) + 1):
        features += [fires[number - 1]] * (number > 0)
        features += [nn.MaxPool2d(3, 2, ceil_mode=True)] * (number in pools)
    ends = [nn.Dropout(), nn.Conv2d(512, classes, 1), nn.ReLU(), nn.AdaptiveAvgPool2d(1)]
    modules = OrderedDict(features=nn.Sequential(*features), classifier=nn.Sequential(*ends))
    return nn.Sequential(OrderedDict(modules, flatten=nn.Flatten()))


def _fires(inputs):
    for squeezed in (16, 16, 32, 32, 48, 48, 64, 64):
        yield inputs, squeezed, 4 * squeezed
        inputs = 8 * squeezed


def filled(build, arrays):
    """A module with these arrays for weights, in evaluation; its own are never drawn."""
    with torch.device("meta"):
        module = build()
    tensors = {name: torch.from_numpy(np.ascontiguousarray(a)) for name, a in arrays.items()}
    for name, buffer in module.state_dict().items():
        if name.endswith("num_batches_tracked"):
            tensors[name] = torch.zeros((), dtype=buffer.dtype)
    module.load_state_dict(tensors, strict=True, assign=True)
    return module.eval().requires_grad_(False)


def run(module, layers, images):
    """Logits, and what layers give, with channels last.

    `layers` tells for each of the network's layers the submodule and which of its calls, from 0.
    """
    seen, hooks, calls = {}, [], {}
    modules = dict(module.named_modules())
    for layer, (name, call) in layers.items():

        def note(_, inputs, output, layer=layer, name=name, call=call):
            if calls.setdefault((layer, name), 0) == call:
                # A copy: the next module may work in place.
                seen[layer] = np.moveaxis(output.numpy().copy(), 1, -1)
            calls[layer, name] += 1

        hooks.append(modules[name].register_forward_hook(note))
    logits = module(torch.from_numpy(np.ascontiguousarray(np.moveaxis(images, -1, 1)))).numpy()
    for hook in hooks:
        hook.remove()
    # timm's dense layers are convolutions over a single pixel.
    squeezed = {
        layer: values.reshape(len(values), -1) if layer.startswith("fc") else values
        for layer, values in seen.items()
    }
    return logits, squeezed


def relus(module, network):
    """For each layer of a network the ReLU that it ends in, by torchvision's or timm's names."""
    names = [
        name
        for name, part in module.named_modules()
        if isinstance(part, nn.ReLU) and not name.startswith("layer")
    ]
    chosen = {}
    for layer, found in network.layers.items():
        if found.unit_is != "post-activation":
            continue
        if layer.startswith("layer"):
            inside = layer.endswith(".conv1")
            block = module.get_submodule(layer.removesuffix(".conv1"))
            shared = "relu" if hasattr(block, "relu") else ("act1" if inside else "act2")
            call = 0 if inside or shared != "relu" else 1
            chosen[layer] = (f"{layer.removesuffix('.conv1')}.{shared}", call)
        else:
            chosen[layer] = (names.pop(0), 0)
    return chosen


def golden(name, network, arrays, images):
    """Logits and layers of torchvision's network with these weights; needs torchvision."""
    module = filled(lambda: _torchvision(name, network.classes), arrays)
    return run(module, relus(module, network), images)


def _torchvision(name, classes):
    from torchvision.models import alexnet, resnet18, vgg

    match name:
        case "alexnet":
            return alexnet(num_classes=classes)
        case "alexnet_bn":
            module = alexnet(num_classes=classes)
            parts = []
            for part in module.features:
                norm = isinstance(part, nn.Conv2d)
                parts += [part, nn.BatchNorm2d(part.out_channels)] if norm else [part]
            module.features = nn.Sequential(*parts)
            return module
        case "vgg16" | "vgg16_bn":
            plan = [part if part == "M" else part // 8 for part in vgg.cfgs["D"]]
            module = vgg.VGG(vgg.make_layers(plan, name.endswith("bn")), num_classes=classes)
            module.classifier[0] = nn.Linear(64 * 49, 512)
            module.classifier[3] = nn.Linear(512, 512)
            module.classifier[6] = nn.Linear(512, classes)
            return module
        case "resnet18":
            return resnet18(num_classes=classes)
        case "resnet18_cifar":
            module = resnet18(num_classes=classes)
            module.conv1 = nn.Conv2d(3, 64, 3, 1, 1, bias=False)
            module.maxpool = nn.Identity()
            return module
    raise ValueError(name)
