"""What cannot be translated is refused by name, before anything runs."""

import pytest

import jaxunits as ju

torch = pytest.importorskip("torch", reason="PyTorch is not installed")

import torch.nn.functional as F  # noqa: E402, N812
from torch import nn  # noqa: E402

from jaxunits.networks._torch import translate  # noqa: E402

SMALL = ju.data.Preprocessing((8, 8), 3)


def message(module, **options):
    with pytest.raises(ju.InputError) as error:
        translate(module, SMALL, **options)
    return str(error.value)


class Sampler(nn.Module):
    def forward(self, images):
        grid = F.affine_grid(torch.eye(2, 3).expand(images.shape[0], 2, 3), images.shape)
        return F.grid_sample(images, grid, align_corners=False)


class Transformer(nn.Module):
    def __init__(self):
        super().__init__()
        self.sampler = Sampler()

    def forward(self, images):
        return self.sampler(images).unfold(1, 2, 1)


class Deciding(nn.Module):
    def forward(self, images):
        return images if images.sum() > 0 else -images


class Fixed(nn.Module):
    def forward(self, images):
        return images.reshape(2, -1)


class Looping(nn.Module):
    def forward(self, images):
        return torch.stack([images[number].mean((1, 2)) for number in range(len(images))])


class Pair(nn.Module):
    def forward(self, images, others):
        return images + others


WAY_OUT = (
    "write what the module computes with other operations, or write the network in JAX and give it "
    "to from_callable"
)


def test_an_operation_without_a_translation_is_named_with_its_module():
    model = nn.ModuleDict({"stn": Transformer()})
    model.forward = lambda images: model.stn(images)
    found = message(model)
    assert found.endswith(f" has no translation to JAX: {WAY_OUT}")
    assert "operation aten.grid_sampler_2d of module 'stn.sampler'" in found
    assert "operation aten.unfold of module 'stn'" in found


def test_a_transposed_convolution_is_named():
    model = nn.Sequential(nn.Conv2d(3, 4, 3), nn.ConvTranspose2d(4, 4, 3))
    assert message(model) == (
        "a transposed convolution in operation aten.convolution of module '1' has no translation "
        f"to JAX: {WAY_OUT}"
    )


def test_a_decision_by_values_is_refused():
    found = message(Deciding())
    assert found.startswith(
        "module Deciding cannot be exported with images of shape [2, 3, 8, 8]: Could not guard on "
        "data-dependent expression"
    )
    assert found.endswith("or write the network in JAX and give it to from_callable")
    assert "\n" not in found


@pytest.mark.parametrize("build", [Fixed, Looping])
def test_a_fixed_number_of_images_is_refused(build):
    found = message(build())
    assert found.startswith(f"module {build.__name__} runs on a fixed number of images only: ")
    assert found.endswith(
        "Take the number of images from its input, as in x.view(x.shape[0], -1), and loop over no "
        "images"
    )


def test_images_that_do_not_fit_are_refused():
    found = message(nn.Sequential(nn.Flatten(), nn.Linear(5, 2)))
    assert found.startswith(
        "module Sequential cannot be exported with images of shape [2, 3, 8, 8]: "
    )


def test_a_call_without_its_arguments_is_refused():
    found = message(Pair())
    assert "missing a required argument: 'others'" in found


@pytest.mark.parametrize("given", [None, nn.Conv2d, {"weight": torch.zeros(3)}])
def test_what_is_no_module_is_refused(given):
    assert message(given) == (
        f"module of type {type(given).__name__}: give a torch.nn.Module, with its weights"
    )


def test_torchscript_is_refused():
    with pytest.warns(DeprecationWarning, match="torch.jit"):
        module = torch.jit.script(nn.ReLU())
    assert message(module) == (
        "module RecursiveScriptModule is TorchScript, which torch.export does not read: give the "
        "torch.nn.Module that it was made from"
    )


@pytest.mark.parametrize(
    "module", [nn.Conv2d(3, 4, 3, device="meta"), nn.Sequential(nn.Flatten(), nn.LazyLinear(4))]
)
def test_weights_without_values_are_refused(module):
    found = message(module)
    assert f"of module {type(module).__name__} has no values: load weights, or run the" in found
