"""Image classifiers as their papers and torchvision write them in PyTorch, with few channels."""

import torch
import torch.nn.functional as F  # noqa: N812
from torch import nn


def randomized(module, seed=0):
    """The module in evaluation, with statistics and scales that training could have left."""
    generator = torch.Generator().manual_seed(seed)

    def drawn(tensor, low, high):
        with torch.no_grad():
            tensor.copy_(low + (high - low) * torch.rand(tensor.shape, generator=generator))

    for part in module.modules():
        if isinstance(part, nn.BatchNorm2d):
            drawn(part.running_mean, -0.5, 0.5)
            drawn(part.running_var, 0.5, 2)
        if isinstance(part, nn.BatchNorm2d | nn.LayerNorm | nn.GroupNorm):
            drawn(part.weight, 0.5, 1.5)
            drawn(part.bias, -0.5, 0.5)
        elif isinstance(part, nn.Conv2d | nn.Linear):
            drawn(part.weight, *(sign * (6 / part.weight[0].numel()) ** 0.5 for sign in (-1, 1)))
            if part.bias is not None:
                drawn(part.bias, -0.3, 0.3)
    return module.eval()


def norm_relu(inputs, outputs, size, stride=1, groups=1, activation=nn.ReLU6):
    """Convolution, batch norm and non-linearity, as in torchvision's mobile networks."""
    return nn.Sequential(
        nn.Conv2d(inputs, outputs, size, stride, size // 2, groups=groups, bias=False),
        nn.BatchNorm2d(outputs),
        activation(inplace=True),
    )


class AlexNet(nn.Module):
    """Krizhevsky et al. 2012, in torchvision's layout, for images of 64×64."""

    def __init__(self, classes=7):
        super().__init__()
        self.features = nn.Sequential(
            nn.Conv2d(3, 8, 11, 4, 2),
            nn.ReLU(inplace=True),
            nn.MaxPool2d(3, 2),
            nn.Conv2d(8, 12, 5, padding=2),
            nn.ReLU(inplace=True),
            nn.Conv2d(12, 16, 3, padding=1),
            nn.ReLU(inplace=True),
            nn.MaxPool2d(3, 2),
        )
        self.avgpool = nn.AdaptiveAvgPool2d((2, 2))
        self.classifier = nn.Sequential(
            nn.Dropout(), nn.Linear(64, 20), nn.ReLU(inplace=True), nn.Linear(20, classes)
        )

    def forward(self, images):
        return self.classifier(torch.flatten(self.avgpool(self.features(images)), 1))


class VGG(nn.Module):
    """Simonyan and Zisserman 2015, with batch norm."""

    def __init__(self, widths=(6, "M", 8, 8, "M", 12), classes=7):
        super().__init__()
        parts, inputs = [], 3
        for width in widths:
            if width == "M":
                parts.append(nn.MaxPool2d(2))
                continue
            parts += [nn.Conv2d(inputs, width, 3, padding=1), nn.BatchNorm2d(width), nn.ReLU(True)]
            inputs = width
        self.features = nn.Sequential(*parts)
        self.avgpool = nn.AdaptiveAvgPool2d(3)
        self.classifier = nn.Sequential(
            nn.Linear(9 * inputs, 16), nn.ReLU(True), nn.Dropout(), nn.Linear(16, classes)
        )

    def forward(self, images):
        state = self.avgpool(self.features(images))
        return self.classifier(state.view(state.size(0), -1))


class PaddedShortcut(nn.Module):
    """He et al. 2016, option A: every second pixel, and channels of zeros on both sides."""

    def __init__(self, channels):
        super().__init__()
        self.channels = channels

    def forward(self, state):
        return F.pad(state[:, :, ::2, ::2], (0, 0, 0, 0, self.channels, self.channels))


class BasicBlock(nn.Module):
    """He et al. 2016, with the identity, a projection or padding for its shortcut."""

    def __init__(self, inputs, outputs, stride=1, option="B"):
        super().__init__()
        self.conv1 = nn.Conv2d(inputs, outputs, 3, stride, 1, bias=False)
        self.bn1 = nn.BatchNorm2d(outputs)
        self.relu = nn.ReLU(inplace=True)
        self.conv2 = nn.Conv2d(outputs, outputs, 3, 1, 1, bias=False)
        self.bn2 = nn.BatchNorm2d(outputs)
        self.shortcut = nn.Sequential()
        if inputs != outputs and option == "A":
            self.shortcut = PaddedShortcut((outputs - inputs) // 2)
        elif inputs != outputs:
            projection = nn.Conv2d(inputs, outputs, 1, stride, bias=False)
            self.shortcut = nn.Sequential(projection, nn.BatchNorm2d(outputs))

    def forward(self, state):
        inside = self.bn2(self.conv2(self.relu(self.bn1(self.conv1(state)))))
        inside += self.shortcut(state)
        return self.relu(inside)


class CifarResNet(nn.Module):
    """The residual networks for CIFAR-10 of He et al. 2016, §4.2."""

    def __init__(self, blocks, widths, option, classes):
        super().__init__()
        self.conv1 = nn.Conv2d(3, widths[0], 3, 1, 1, bias=False)
        self.bn1 = nn.BatchNorm2d(widths[0])
        inputs = widths[0]
        for group, outputs in enumerate(widths, start=1):
            parts = []
            for block in range(blocks):
                stride = 2 if block == 0 and group > 1 else 1
                parts.append(BasicBlock(inputs, outputs, stride, option))
                inputs = outputs
            setattr(self, f"layer{group}", nn.Sequential(*parts))
        self.linear = nn.Linear(inputs, classes)

    def forward(self, images):
        state = F.relu(self.bn1(self.conv1(images)))
        state = self.layer3(self.layer2(self.layer1(state)))
        state = F.avg_pool2d(state, state.size()[3])
        return self.linear(state.view(state.size(0), -1))


def resnet20(classes=10):
    """ResNet-20 for CIFAR-10, option A, of full size."""
    return CifarResNet(3, (16, 32, 64), "A", classes)


class Fire(nn.Module):
    """SqueezeNet's block."""

    def __init__(self, inputs, squeezed, expanded):
        super().__init__()
        self.squeeze = nn.Conv2d(inputs, squeezed, 1)
        self.squeeze_activation = nn.ReLU(inplace=True)
        self.expand1x1 = nn.Conv2d(squeezed, expanded, 1)
        self.expand1x1_activation = nn.ReLU(inplace=True)
        self.expand3x3 = nn.Conv2d(squeezed, expanded, 3, padding=1)
        self.expand3x3_activation = nn.ReLU(inplace=True)

    def forward(self, state):
        state = self.squeeze_activation(self.squeeze(state))
        both = [
            self.expand1x1_activation(self.expand1x1(state)),
            self.expand3x3_activation(self.expand3x3(state)),
        ]
        return torch.cat(both, 1)


class SqueezeNet(nn.Module):
    """Iandola et al. 2016, version 1.1."""

    def __init__(self, classes=7):
        super().__init__()
        self.features = nn.Sequential(
            nn.Conv2d(3, 8, 3, 2),
            nn.ReLU(inplace=True),
            nn.MaxPool2d(3, 2, ceil_mode=True),
            Fire(8, 4, 6),
            nn.MaxPool2d(3, 2, ceil_mode=True),
            Fire(12, 4, 8),
        )
        self.classifier = nn.Sequential(
            nn.Dropout(), nn.Conv2d(16, classes, 1), nn.ReLU(inplace=True), nn.AdaptiveAvgPool2d(1)
        )

    def forward(self, images):
        return torch.flatten(self.classifier(self.features(images)), 1)


class InvertedResidual(nn.Module):
    """MobileNetV2's block."""

    def __init__(self, inputs, outputs, stride, factor):
        super().__init__()
        inside = inputs * factor
        self.use_res_connect = stride == 1 and inputs == outputs
        self.conv = nn.Sequential(
            norm_relu(inputs, inside, 1),
            norm_relu(inside, inside, 3, stride, groups=inside),
            nn.Conv2d(inside, outputs, 1, bias=False),
            nn.BatchNorm2d(outputs),
        )

    def forward(self, state):
        return state + self.conv(state) if self.use_res_connect else self.conv(state)


class MobileNetV2(nn.Module):
    """Sandler et al. 2018."""

    def __init__(self, classes=7):
        super().__init__()
        self.features = nn.Sequential(
            norm_relu(3, 6, 3, 2),
            InvertedResidual(6, 8, 2, 3),
            InvertedResidual(8, 8, 1, 3),
            norm_relu(8, 20, 1),
        )
        self.classifier = nn.Sequential(nn.Dropout(0.2), nn.Linear(20, classes))

    def forward(self, images):
        state = F.adaptive_avg_pool2d(self.features(images), (1, 1))
        return self.classifier(torch.flatten(state, 1))


class SqueezeExcitation(nn.Module):
    """Hu et al. 2018."""

    def __init__(self, channels, squeezed):
        super().__init__()
        self.avgpool = nn.AdaptiveAvgPool2d(1)
        self.fc1 = nn.Conv2d(channels, squeezed, 1)
        self.activation = nn.SiLU(inplace=True)
        self.fc2 = nn.Conv2d(squeezed, channels, 1)
        self.scale_activation = nn.Sigmoid()

    def forward(self, state):
        scale = self.fc2(self.activation(self.fc1(self.avgpool(state))))
        return self.scale_activation(scale) * state


class MBConv(nn.Module):
    """EfficientNet's block."""

    def __init__(self, inputs, outputs, stride, factor):
        super().__init__()
        inside = inputs * factor
        self.residual = stride == 1 and inputs == outputs
        self.block = nn.Sequential(
            norm_relu(inputs, inside, 1, activation=nn.SiLU),
            norm_relu(inside, inside, 5, stride, groups=inside, activation=nn.SiLU),
            SqueezeExcitation(inside, 3),
            nn.Sequential(nn.Conv2d(inside, outputs, 1, bias=False), nn.BatchNorm2d(outputs)),
        )

    def forward(self, state):
        result = self.block(state)
        if self.residual:
            result += state
        return result


class EfficientNet(nn.Module):
    """Tan and Le 2019."""

    def __init__(self, classes=7):
        super().__init__()
        self.features = nn.Sequential(
            norm_relu(3, 6, 3, 2, activation=nn.SiLU),
            MBConv(6, 8, 2, 2),
            MBConv(8, 8, 1, 3),
            norm_relu(8, 18, 1, activation=nn.SiLU),
        )
        self.avgpool = nn.AdaptiveAvgPool2d(1)
        self.classifier = nn.Sequential(nn.Dropout(0.2), nn.Linear(18, classes))

    def forward(self, images):
        return self.classifier(torch.flatten(self.avgpool(self.features(images)), 1))


class DenseLayer(nn.Module):
    """DenseNet's layer, which reads all maps before it."""

    def __init__(self, inputs, growth):
        super().__init__()
        self.norm1 = nn.BatchNorm2d(inputs)
        self.relu1 = nn.ReLU(inplace=True)
        self.conv1 = nn.Conv2d(inputs, 2 * growth, 1, bias=False)
        self.norm2 = nn.BatchNorm2d(2 * growth)
        self.relu2 = nn.ReLU(inplace=True)
        self.conv2 = nn.Conv2d(2 * growth, growth, 3, 1, 1, bias=False)

    def forward(self, maps):
        state = self.conv1(self.relu1(self.norm1(torch.cat(maps, 1))))
        return self.conv2(self.relu2(self.norm2(state)))


class DenseBlock(nn.ModuleDict):
    """DenseNet's block."""

    def __init__(self, inputs, layers, growth):
        parts = {
            f"denselayer{layer + 1}": DenseLayer(inputs + layer * growth, growth)
            for layer in range(layers)
        }
        super().__init__(parts)

    def forward(self, state):
        maps = [state]
        for layer in self.values():
            maps.append(layer(maps))
        return torch.cat(maps, 1)


class DenseNet(nn.Module):
    """Huang et al. 2017."""

    def __init__(self, classes=7):
        super().__init__()
        self.features = nn.Sequential()
        self.features.add_module("conv0", nn.Conv2d(3, 6, 7, 2, 3, bias=False))
        self.features.add_module("norm0", nn.BatchNorm2d(6))
        self.features.add_module("relu0", nn.ReLU(inplace=True))
        self.features.add_module("pool0", nn.MaxPool2d(3, 2, 1))
        self.features.add_module("denseblock1", DenseBlock(6, 2, 4))
        transition = [nn.BatchNorm2d(14), nn.ReLU(True), nn.Conv2d(14, 7, 1), nn.AvgPool2d(2, 2)]
        self.features.add_module("transition1", nn.Sequential(*transition))
        self.features.add_module("denseblock2", DenseBlock(7, 2, 4))
        self.features.add_module("norm5", nn.BatchNorm2d(15))
        self.classifier = nn.Linear(15, classes)

    def forward(self, images):
        state = F.adaptive_avg_pool2d(F.relu(self.features(images), inplace=True), (1, 1))
        return self.classifier(torch.flatten(state, 1))


class LayerNorm2d(nn.LayerNorm):
    """Layer norm over the channels of maps."""

    def forward(self, state):
        normal = super().forward(state.permute(0, 2, 3, 1))
        return normal.permute(0, 3, 1, 2)


class Permute(nn.Module):
    """Axes in another order."""

    def __init__(self, *axes):
        super().__init__()
        self.axes = axes

    def forward(self, state):
        return torch.permute(state, self.axes)


class ConvNeXtBlock(nn.Module):
    """ConvNeXt's block, with a scale for each channel."""

    def __init__(self, channels):
        super().__init__()
        self.block = nn.Sequential(
            nn.Conv2d(channels, channels, 7, padding=3, groups=channels),
            Permute(0, 2, 3, 1),
            nn.LayerNorm(channels, eps=1e-6),
            nn.Linear(channels, 4 * channels),
            nn.GELU(),
            nn.Linear(4 * channels, channels),
            Permute(0, 3, 1, 2),
        )
        self.layer_scale = nn.Parameter(torch.linspace(-1, 1, channels).view(-1, 1, 1))

    def forward(self, state):
        return self.layer_scale * self.block(state) + state


class ConvNeXt(nn.Module):
    """Liu et al. 2022."""

    def __init__(self, classes=7):
        super().__init__()
        self.features = nn.Sequential(
            nn.Sequential(nn.Conv2d(3, 6, 4, 4), LayerNorm2d(6, eps=1e-6)),
            ConvNeXtBlock(6),
            nn.Sequential(LayerNorm2d(6, eps=1e-6), nn.Conv2d(6, 10, 2, 2)),
            ConvNeXtBlock(10),
        )
        self.avgpool = nn.AdaptiveAvgPool2d(1)
        head = [LayerNorm2d(10, eps=1e-6), nn.Flatten(1), nn.Linear(10, classes)]
        self.classifier = nn.Sequential(*head)

    def forward(self, images):
        return self.classifier(self.avgpool(self.features(images)))


class EncoderBlock(nn.Module):
    """The vision transformer's block, as torchvision writes it."""

    def __init__(self, width, heads):
        super().__init__()
        self.ln_1 = nn.LayerNorm(width, eps=1e-6)
        self.self_attention = nn.MultiheadAttention(width, heads, batch_first=True)
        self.ln_2 = nn.LayerNorm(width, eps=1e-6)
        inside = 2 * width
        self.mlp = nn.Sequential(nn.Linear(width, inside), nn.GELU(), nn.Linear(inside, width))

    def forward(self, tokens):
        normal = self.ln_1(tokens)
        inside, _ = self.self_attention(normal, normal, normal, need_weights=False)
        tokens = inside + tokens
        return tokens + self.mlp(self.ln_2(tokens))


class ViT(nn.Module):
    """Dosovitskiy et al. 2021, with a class token and learned positions."""

    def __init__(self, width=12, classes=7):
        super().__init__()
        self.conv_proj = nn.Conv2d(3, width, 8, 8)
        self.class_token = nn.Parameter(torch.linspace(-1, 1, width).view(1, 1, width))
        positions = torch.linspace(-1, 1, 17 * width)
        self.pos_embedding = nn.Parameter(positions.view(1, 17, width))
        self.layers = nn.Sequential(EncoderBlock(width, 3), EncoderBlock(width, 2))
        self.ln = nn.LayerNorm(width, eps=1e-6)
        self.head = nn.Linear(width, classes)

    def forward(self, images):
        maps = self.conv_proj(images)
        tokens = maps.reshape(images.shape[0], maps.shape[1], -1).permute(0, 2, 1)
        token = self.class_token.expand(images.shape[0], -1, -1)
        tokens = torch.cat([token, tokens], dim=1) + self.pos_embedding
        return self.head(self.ln(self.layers(tokens))[:, 0])


class Attention(nn.Module):
    """Attention as timm writes it: one product for queries, keys and values."""

    def __init__(self, width, heads):
        super().__init__()
        self.heads = heads
        self.qkv = nn.Linear(width, 3 * width)
        self.proj = nn.Linear(width, width)

    def forward(self, tokens):
        images, length, width = tokens.shape
        parts = self.qkv(tokens).reshape(images, length, 3, self.heads, width // self.heads)
        queries, keys, values = parts.permute(2, 0, 3, 1, 4).unbind(0)
        attended = F.scaled_dot_product_attention(queries, keys, values)
        return self.proj(attended.transpose(1, 2).reshape(images, length, width))


class PooledViT(nn.Module):
    """A vision transformer without a class token: the mean of its tokens is classified."""

    def __init__(self, width=12, classes=7):
        super().__init__()
        self.patch_embed = nn.Conv2d(3, width, 8, 8)
        self.norm = nn.LayerNorm(width)
        self.attn = Attention(width, 3)
        self.fc_norm = nn.LayerNorm(width)
        self.head = nn.Linear(width, classes)

    def forward(self, images):
        tokens = self.patch_embed(images).flatten(2).transpose(1, 2)
        tokens = tokens + self.attn(self.norm(tokens))
        return self.head(self.fc_norm(tokens.mean(1)))


# By name: how to build each, and the side of its images.
ZOO = {
    "alexnet": (AlexNet, 64),
    "vgg": (VGG, 32),
    "resnet_projection": (lambda: CifarResNet(2, (4, 6, 8), "B", 7), 16),
    "resnet_padded": (lambda: CifarResNet(2, (4, 6, 8), "A", 7), 16),
    "squeezenet": (SqueezeNet, 32),
    "mobilenet_v2": (MobileNetV2, 32),
    "efficientnet": (EfficientNet, 32),
    "densenet": (DenseNet, 32),
    "convnext": (ConvNeXt, 32),
    "vit": (ViT, 32),
    "vit_pooled": (PooledViT, 32),
}
