"""PyTorch's operations one by one: what they compute in JAX over their settings."""

import jax
import numpy as np
import pytest

import jaxunits as ju

torch = pytest.importorskip("torch", reason="PyTorch is not installed")

import torch.nn.functional as F  # noqa: E402, N812
from torch import nn  # noqa: E402

from jaxunits.networks._torch import translate  # noqa: E402

HEIGHT, WIDTH, CHANNELS = 9, 8, 4
SHAPE = (CHANNELS, HEIGHT, WIDTH)


class Function(nn.Module):
    """A function as a module."""

    def __init__(self, function):
        super().__init__()
        self.function = function

    def forward(self, images):
        return self.function(images)


class Shared(nn.Module):
    """Linear layers whose weights are normalized, and one that reads another's weights."""

    def __init__(self):
        super().__init__()
        self.first = nn.utils.parametrizations.weight_norm(nn.Linear(WIDTH, WIDTH))
        self.second = nn.Linear(WIDTH, WIDTH)
        self.third = nn.Linear(WIDTH, WIDTH)
        self.third.weight = self.second.weight

    def forward(self, images):
        return self.third(self.second(self.first(images)))


def tokens(images):
    """`[images, tokens, width]`."""
    return images.flatten(2).transpose(1, 2)


def attention(**options):
    def attend(images):
        heads = images.unflatten(3, (2, 4))
        return F.scaled_dot_product_attention(heads, heads + 1, heads - 1, **options)

    return attend


def masked_attention(images):
    mask = torch.arange(9)[:, None] >= torch.arange(9)[None]
    return F.scaled_dot_product_attention(images, images, images, attn_mask=mask)


def assigned(images):
    images = images.clone()
    images[:, :, 1] = 3
    images[:, 1:3] = images[:, :2] * 2
    return images


def windows(images):
    """Swin's: shifted, and cut into windows."""
    shifted = torch.roll(images, shifts=(-1, -2), dims=(2, 3))
    parts = shifted.view(images.shape[0], CHANNELS, 3, 3, 2, 4)
    return parts.permute(0, 2, 4, 3, 5, 1).reshape(-1, 12, CHANNELS)


def shuffled(images):
    """ShuffleNet's."""
    groups = images.view(images.size(0), 2, CHANNELS // 2, HEIGHT, WIDTH)
    return torch.transpose(groups, 1, 2).contiguous().view(images.size(0), -1, HEIGHT, WIDTH)


CONVOLUTIONS = {
    "plain": nn.Conv2d(4, 6, 3),
    "without_bias": nn.Conv2d(4, 6, 3, bias=False),
    "strided": nn.Conv2d(4, 6, 3, stride=(2, 3), padding=(1, 0)),
    "dilated": nn.Conv2d(4, 6, 3, dilation=(2, 1), padding=2),
    "grouped": nn.Conv2d(4, 6, 3, groups=2),
    "depthwise": nn.Conv2d(4, 8, 5, padding=2, groups=4),
    "pointwise": nn.Conv2d(4, 5, 1),
    "same": nn.Conv2d(4, 5, (4, 3), padding="same"),
    "reflected": nn.Conv2d(4, 5, 3, padding=1, padding_mode="reflect"),
    "circular": nn.Conv2d(4, 5, 3, padding=1, padding_mode="circular"),
    "one_axis": nn.Sequential(nn.Flatten(2), nn.Conv1d(4, 5, 3, stride=2, padding=1)),
    "three_axes": nn.Sequential(nn.Unflatten(1, (2, 2)), nn.Conv3d(2, 3, (1, 3, 3))),
}

PRODUCTS = {
    "linear": nn.Linear(8, 5),
    "linear_without_bias": nn.Linear(8, 5, bias=False),
    "linear_of_vectors": nn.Sequential(nn.Flatten(), nn.Linear(288, 5)),
    "bilinear": lambda x: torch.einsum("nchw,nchv->nchwv", x, x),
    "matmul": lambda x: x.transpose(2, 3) @ x,
    "matmul_by_matrix": lambda x: x @ torch.ones(8, 3),
    "matmul_by_vector": lambda x: x @ torch.ones(8),
    "bmm": lambda x: torch.bmm(x.flatten(0, 1), x.flatten(0, 1).transpose(1, 2)),
    "baddbmm": lambda x: torch.baddbmm(
        torch.ones(1, 9, 9), x.flatten(0, 1), x.flatten(0, 1).mT, beta=0.5, alpha=2
    ),
    "addmm": lambda x: torch.addmm(torch.ones(3), x[:, 0, 0], torch.ones(8, 3), alpha=0.5),
    "shared_weights": Shared(),
    "attention": attention(),
    "scaled_attention": attention(scale=0.3),
    "causal_attention": attention(is_causal=True),
    "masked_attention": masked_attention,
}

NORMS = {
    "batch": nn.BatchNorm2d(4),
    "batch_without_scale": nn.BatchNorm2d(4, affine=False, eps=1e-3),
    "batch_of_vectors": nn.Sequential(nn.Flatten(), nn.BatchNorm1d(288)),
    "batch_without_statistics": nn.BatchNorm2d(4, track_running_stats=False),
    "layer": nn.LayerNorm(8),
    "layer_over_two_axes": nn.LayerNorm((9, 8), eps=1e-3),
    "layer_without_scale": nn.LayerNorm(8, elementwise_affine=False),
    "layer_without_bias": nn.LayerNorm(8, bias=False),
    "group": nn.GroupNorm(2, 4),
    "group_without_scale": nn.GroupNorm(4, 4, affine=False),
    "group_of_one": nn.GroupNorm(1, 4, eps=1e-3),
    "instance": nn.InstanceNorm2d(4, affine=True),
    "root_mean_square": nn.RMSNorm(8),
    "local_response": nn.LocalResponseNorm(3),
    "unit_length": lambda x: F.normalize(x, dim=1),
}

POOLS = {
    "max": nn.MaxPool2d(2),
    "max_overlapping": nn.MaxPool2d(3, 2),
    "max_padded": nn.MaxPool2d(3, 2, 1),
    "max_dilated": nn.MaxPool2d((2, 3), 1, dilation=2),
    "max_ceil": nn.MaxPool2d(3, 2, ceil_mode=True),
    "max_ceil_padded": nn.MaxPool2d(2, 3, 1, ceil_mode=True),
    "max_one_axis": nn.Sequential(nn.Flatten(2), nn.MaxPool1d(3)),
    "average": nn.AvgPool2d(2),
    "average_padded": nn.AvgPool2d(3, 2, 1),
    "average_without_padding": nn.AvgPool2d(3, 2, 1, count_include_pad=False),
    "average_ceil": nn.AvgPool2d(3, 2, ceil_mode=True),
    "average_ceil_padded": nn.AvgPool2d((4, 3), 3, 1, ceil_mode=True),
    "average_ceil_without_padding": nn.AvgPool2d(3, 2, 1, True, False),
    "average_divided": nn.AvgPool2d(2, divisor_override=3),
    "average_one_axis": nn.Sequential(nn.Flatten(2), nn.AvgPool1d(3, padding=1)),
    "to_one_pixel": nn.AdaptiveAvgPool2d(1),
    "to_a_part": nn.AdaptiveAvgPool2d((3, 4)),
    "to_uneven_parts": nn.AdaptiveAvgPool2d((4, 5)),
    "to_one_row": nn.AdaptiveAvgPool2d((1, None)),
    "to_more_pixels": nn.AdaptiveAvgPool2d((12, 11)),
    "to_one_axis": nn.Sequential(nn.Flatten(2), nn.AdaptiveAvgPool1d(7)),
    "largest_of_parts": nn.AdaptiveMaxPool2d((2, 3)),
    "largest_of_all": nn.AdaptiveMaxPool2d(1),
    "resized": nn.Upsample(scale_factor=2),
    "resized_to": lambda x: F.interpolate(x, (12, 7)),
    "resized_by_a_fraction": lambda x: F.interpolate(x, scale_factor=1.3),
    "bilinear": lambda x: F.interpolate(x, scale_factor=2, mode="bilinear"),
    "bilinear_to": lambda x: F.interpolate(x, (12, 5), mode="bilinear"),
    "bilinear_corners": lambda x: F.interpolate(x, (12, 5), mode="bilinear", align_corners=True),
    "bilinear_smaller": lambda x: F.interpolate(x, (4, 5), mode="bilinear", antialias=True),
    "bilinear_larger": lambda x: F.interpolate(x, (12, 9), mode="bilinear", antialias=True),
    "bicubic": lambda x: F.interpolate(x, (12, 5), mode="bicubic"),
    "bicubic_corners": lambda x: F.interpolate(x, (5, 12), mode="bicubic", align_corners=True),
    "bicubic_by_a_fraction": lambda x: F.interpolate(x, scale_factor=1.7, mode="bicubic"),
    "bicubic_smaller": lambda x: F.interpolate(x, (4, 5), mode="bicubic", antialias=True),
    "bicubic_larger": lambda x: F.interpolate(x, (12, 9), mode="bicubic", antialias=True),
    "bilinear_by_a_fraction": lambda x: F.interpolate(x, scale_factor=1.3, mode="bilinear"),
}

NON_LINEARITIES = {
    "relu": nn.ReLU(),
    "relu_in_place": lambda x: F.relu_(x.clone()),
    "relu6": nn.ReLU6(),
    "hardtanh": nn.Hardtanh(-0.5, 0.8),
    "clamp": lambda x: x.clamp(-0.3, 0.4),
    "clamp_below": lambda x: x.clamp(min=0.1),
    "clamp_above": lambda x: x.clamp(max=0.1),
    "hardswish": nn.Hardswish(),
    "hardsigmoid": nn.Hardsigmoid(),
    "gelu": nn.GELU(),
    "gelu_by_tanh": nn.GELU(approximate="tanh"),
    "silu": nn.SiLU(),
    "sigmoid": nn.Sigmoid(),
    "log_sigmoid": nn.LogSigmoid(),
    "tanh": nn.Tanh(),
    "elu": nn.ELU(0.7),
    "selu": nn.SELU(),
    "celu": nn.CELU(0.6),
    "leaky_relu": nn.LeakyReLU(0.2),
    "prelu": nn.PReLU(),
    "prelu_by_channel": nn.PReLU(4),
    "softplus": nn.Softplus(),
    "softplus_sharp": nn.Softplus(3.0, 2.0),
    "mish": nn.Mish(),
    "softsign": nn.Softsign(),
    "hardshrink": nn.Hardshrink(0.4),
    "softshrink": nn.Softshrink(0.4),
    "tanhshrink": nn.Tanhshrink(),
    "threshold": nn.Threshold(0.1, -2.0),
    "glu": nn.GLU(1),
    "softmax": nn.Softmax(1),
    "log_softmax": nn.LogSoftmax(-1),
    "dropout": nn.Dropout(),
    "stochastic_scale": nn.AlphaDropout(),
}

ARITHMETIC = {
    "scalars": lambda x: 2 * x + 1 - x / 3,
    "scalars_first": lambda x: 1 - 2 / (x + 9),
    "scaled_sums": lambda x: torch.add(x, x, alpha=3) - torch.sub(x, x, alpha=0.5),
    "reversed": lambda x: torch.rsub(x, 3, alpha=2),
    "by_channel": lambda x: x * torch.arange(4.0).view(4, 1, 1) + torch.ones(8),
    "whole_powers": lambda x: x**2 + x**3,
    "powers": lambda x: x.abs() ** 0.7 + 2**x,
    "powers_of_arrays": lambda x: x.abs().pow(x),
    "roots": lambda x: (x.abs() + 1).sqrt() * (x.abs() + 1).rsqrt() + x.square(),
    "exponentials": lambda x: x.exp() + x.expm1() + x.exp2(),
    "logarithms": lambda x: (x.abs() + 1).log() + x.abs().log1p() + (x.abs() + 1).log2(),
    "angles": lambda x: x.sin() + x.cos() + x.tan() + x.atan() + x.sinh() + x.cosh(),
    "erf": torch.erf,
    "signs": lambda x: -x.abs() + x.sign() + x.reciprocal().clamp(-9, 9),
    "rounded": lambda x: x.floor() + 10 * x.ceil() + 100 * x.round() + 1000 * x.trunc(),
    "quotients": lambda x: torch.div(x, 0.3, rounding_mode="floor") + x // 0.7,
    "quotients_to_zero": lambda x: torch.div(x, 0.3, rounding_mode="trunc"),
    "remainders": lambda x: x % 0.3 + torch.fmod(x, 0.7),
    "extremes": lambda x: torch.maximum(x, -x) - torch.minimum(x, x * 2) + torch.max(x, x.mT.mT),
    "comparisons": lambda x: (x > 0.3).float() + (x <= 0).float() * 2 + (x.round() == 1),
    "logic": lambda x: ((x > 0) & (x < 1)) | ~(x < 0.5) ^ (x != 0),
    "where": lambda x: torch.where(x > 0, x, -2 * x),
    "where_scalar": lambda x: torch.where(x > 0, 1.0, 0.0) * x,
    "masked": lambda x: x.masked_fill(x < 0, -1.5),
    "types": lambda x: x.to(torch.int64) + x.double().float() + x.int().float(),
    "whole_numbers": lambda x: x.int() / 3,
    "tested": lambda x: torch.isnan(x.log()) | torch.isinf(x) | torch.isfinite(x),
    "without_gradient": lambda x: x.detach() + x.clone(),
    "no_grad": lambda x: no_grad(x),
    "lerp": lambda x: torch.lerp(x, 2 * x, 0.3),
    "addcmul": lambda x: torch.addcmul(x, x, x, value=0.5),
}

REDUCTIONS = {
    "mean": lambda x: x.mean(),
    "mean_over_map": lambda x: x.mean((2, 3)),
    "mean_kept": lambda x: x.mean(1, keepdim=True),
    "sum": lambda x: x.sum(-1),
    "sum_of_all": lambda x: x.sum(),
    "product": lambda x: x.prod(1),
    "amax": lambda x: x.amax((2, 3)),
    "amin": lambda x: x.amin(1, keepdim=True),
    "max": lambda x: x.max(1)[0],
    "max_of_all": lambda x: x.max() + x.min(),
    "min": lambda x: x.min(2, keepdim=True).values,
    "places": lambda x: x.argmax(1, keepdim=True) + x.argmin(-1, keepdim=True),
    "var": lambda x: x.var((2, 3)),
    "var_biased": lambda x: x.var(1, unbiased=False, keepdim=True),
    "std": lambda x: x.std(1, correction=2),
    "var_mean": lambda x: torch.var_mean(x, (1, 2), keepdim=True)[0],
    "norms": lambda x: x.norm(dim=1) + x.norm(p=1, dim=1) + x.norm(p=float("inf"), dim=1),
    "logsumexp": lambda x: x.logsumexp(1),
    "cumulative": lambda x: x.cumsum(2),
    "any": lambda x: (x > 1).any(1),
    "all": lambda x: (x > -1).all(2, keepdim=True),
}

SHAPES = {
    "tokens": tokens,
    "windows": windows,
    "shuffled": shuffled,
    "flatten": nn.Flatten(),
    "view": lambda x: x.view(x.shape[0], -1),
    "unflatten": nn.Unflatten(1, (2, 2)),
    "permute": lambda x: x.permute(0, -1, 1, 2),
    "swap": lambda x: x.transpose(-1, 1).contiguous(),
    "squeeze": lambda x: x[:, :1].squeeze(1).unsqueeze(-1).squeeze().unsqueeze(1),
    "expand": lambda x: x.mean(1, keepdim=True).expand(-1, 3, -1, -1).expand(5, -1, 3, 9, 8),
    "repeat": lambda x: x.repeat(1, 2, 1, 3),
    "repeat_in_front": lambda x: x.repeat(2, 1, 1, 1, 1),
    "cat": lambda x: torch.cat([x, 2 * x], 1),
    "cat_with_none": lambda x: torch.cat([torch.zeros(0), x, x], -1),
    "stack": lambda x: torch.stack([x, -x], 2),
    "split": lambda x: torch.cat(x.split(2, 1)[::-1], 1),
    "split_in_sizes": lambda x: x.split([1, 3], 1)[1],
    "chunk": lambda x: x.chunk(3, 2)[2],
    "unbind": lambda x: x.unbind(1)[2],
    "slices": lambda x: x[:, 1:3, ::2, -5:-1],
    "slices_beyond": lambda x: x[:, :, 5:99, -20:],
    "narrow": lambda x: x.narrow(2, 3, 4),
    "select": lambda x: x[:, 0, -1],
    "new_axis": lambda x: x[:, None, ..., 0],
    "flip": lambda x: x.flip(2, 3),
    "roll": lambda x: x.roll(2, 1),
    "roll_flat": lambda x: x[0].roll(3),
    "pad": lambda x: F.pad(x, (1, 2, 0, 3)),
    "pad_channels": lambda x: F.pad(x[:, :, ::2, ::2], (0, 0, 0, 0, 2, 2), value=1.5),
    "cut": lambda x: F.pad(x, (-1, 2)),
    "pad_edges": lambda x: F.pad(x, (1, 2, 3, 0), mode="replicate"),
    "pad_reflected": nn.ReflectionPad2d(2),
    "pad_around": lambda x: F.pad(x, (1, 2, 3, 0), mode="circular"),
    "assigned": assigned,
    "pixel_shuffle": nn.PixelShuffle(2),
    "pixel_unshuffle": lambda x: F.pixel_unshuffle(x[:, :, :8], 2),
    "channel_shuffle": nn.ChannelShuffle(2),
    "like": lambda x: x + torch.zeros_like(x) + torch.ones_like(x) + torch.full_like(x, 2),
    "new": lambda x: x.new_zeros(x.shape[0], 2) + x.new_full((2,), 3) + x.new_ones(1),
    "made": lambda x: torch.full((x.shape[0], 2), 2.5) + torch.zeros(1) + torch.ones(2),
    "positions": lambda x: x + torch.arange(0, 4, 0.5) + torch.linspace(-1, 1, 8),
    "triangle": lambda x: x * torch.tril(torch.ones(9, 8)),
    "grid": lambda x: x * torch.meshgrid(torch.arange(9), torch.arange(8), indexing="ij")[1],
}


def put(images):
    changed = images.clone()
    changed[:, torch.tensor([2, -1])] = images[:, :2]
    changed[:, :, torch.tensor([[0], [4]]), torch.tensor([1, 2, 7])] = 2.0
    changed[images[..., 0] > 0] = -1.0
    return changed


INDICES = {
    "progression": lambda x: x[:, torch.tensor([0, 2])],
    "backwards": lambda x: x.index_select(1, torch.tensor([3, 2, 1])),
    "one": lambda x: x[:, torch.tensor([-1])],
    "any_order": lambda x: x[:, :, torch.tensor([3, 0, 0, 8])],
    "matrix": lambda x: x[:, torch.tensor([[3, 0], [1, 1]])],
    "two_axes": lambda x: x[:, :, torch.tensor([[0], [4]]), torch.tensor([1, 2, 7])],
    "apart": lambda x: x[:, torch.tensor([0, 1]), :, torch.tensor([1, 5])],
    "gather": lambda x: x.gather(1, torch.tensor([1, 0]).view(1, 2, 1, 1).expand(2, 2, 9, 8)),
    "embedding": lambda x: F.embedding(torch.tensor([[0, 2], [1, 1]]), x[0, 0]),
    "computed": lambda x: x[0, :, 0].gather(1, x[0, :, 1].argmax(1, keepdim=True)),
    "fold": lambda x: F.fold(F.unfold(x, 3, padding=1), (9, 8), 3, padding=1),
    "fold_strided": lambda x: F.fold(F.unfold(x, 3, stride=2), (9, 8), 3, stride=2),
    "put_added": lambda x: x.index_put(
        (torch.tensor([[0], [1]]), torch.tensor([1, 1, 3])), x[:, :3], accumulate=True
    ),
    "put": put,
    "scatter": lambda x: x.scatter(2, x.argsort(2)[:, :3, 1:5], x + 1),
    "scatter_number": lambda x: x.scatter(-1, x.argmax(3, keepdim=True), 7.0),
    "scatter_add": lambda x: x.scatter_add(1, (x * 4).long().clamp(0, 3), x),
    "sort": lambda x: torch.cat(x.sort(2, descending=True), 1),
    "sort_last": lambda x: x.sort().values - x.argsort(1),
    "topk": lambda x: torch.cat(x.topk(2, 1), 3),
    "topk_smallest": lambda x: x.topk(3, largest=False).values,
}


def no_grad(images):
    with torch.no_grad():
        halved = images / 2
    return halved + 1


class Cases(nn.Module):
    """What every case gives of the same images, by name."""

    def __init__(self, cases):
        super().__init__()
        modules = {
            name: case if isinstance(case, nn.Module) else Function(case)
            for name, case in cases.items()
        }
        self.cases = nn.ModuleDict(modules)

    def forward(self, images):
        return {name: case(images) for name, case in self.cases.items()}


FAMILIES = {
    "convolutions": CONVOLUTIONS,
    "products": PRODUCTS,
    "norms": NORMS,
    "pools": POOLS,
    "non_linearities": NON_LINEARITIES,
    "arithmetic": ARITHMETIC,
    "reductions": REDUCTIONS,
    "shapes": SHAPES,
    "indices": INDICES,
}


@pytest.fixture(scope="module")
def outputs():
    """What each family's operations give, in PyTorch and in JAX, once it has been asked for."""
    computed = {}

    def compute(family):
        if family not in computed:
            # A family that fails does so once.
            computed[family] = None
            computed[family] = both(FAMILIES[family])
        return computed[family]

    return compute


def both(cases):
    torch.manual_seed(0)
    module = Cases(cases).eval()
    for name, tensor in module.state_dict().items():
        if name.endswith(("running_mean", "running_var", "weight", "bias", "original1")):
            tensor.copy_(0.2 + torch.rand(tensor.shape))
    images = np.random.default_rng(0).normal(size=(2, HEIGHT, WIDTH, CHANNELS)).astype(np.float32)
    translated = translate(module, ju.data.Preprocessing((HEIGHT, WIDTH), CHANNELS))
    with torch.no_grad():
        expected = module(torch.from_numpy(np.moveaxis(images, -1, 1).copy()))
    return expected, jax.jit(translated.forward)(translated.params, images)


@pytest.mark.parametrize(
    ("family", "case"), [(family, case) for family, cases in FAMILIES.items() for case in cases]
)
def test_an_operation_gives_what_pytorch_gives(outputs, family, case):
    expected, found = (each[case] for each in outputs(family))
    expected = expected.numpy()
    assert found.shape == expected.shape
    assert (found.dtype == bool) == (expected.dtype == bool)
    finite = expected[np.isfinite(expected)].astype(float)
    scale = np.abs(finite).max()
    np.testing.assert_allclose(found, expected, rtol=0, atol=1e-5 * scale)
