"""PyTorch's modules compute in JAX what they compute in PyTorch, submodule by submodule."""

import subprocess
import sys

import jax
import numpy as np
import pytest

import jaxunits as ju
from tests.networks.marked_values import marked_values

torch = pytest.importorskip("torch", reason="PyTorch is not installed")

from torch import nn  # noqa: E402

from jaxunits.networks._torch import translate  # noqa: E402
from tests.networks.torch_zoo import ZOO, SqueezeNet, randomized, resnet20  # noqa: E402

SMALL = ju.data.Preprocessing((8, 8), 3)


@pytest.fixture(scope="module", params=list(ZOO))
def network(request):
    """A classifier, translated, and the side of its images."""
    build, side = ZOO[request.param]
    torch.manual_seed(0)
    module = randomized(build())
    return module, translate(module, ju.data.Preprocessing((side, side), 3)), side


def drawn(number, side, channels=3, seed=0):
    generator = np.random.default_rng(seed)
    return generator.normal(size=(number, side, side, channels)).astype(np.float32)


def channels_first(images):
    return torch.from_numpy(np.moveaxis(images, -1, 1).copy())


def jitted(translated, images):
    return jax.jit(translated.forward)(translated.params, images)


def assert_close(found, expected, tolerance=1e-4):
    expected = expected.detach().numpy()
    assert found.shape == expected.shape
    np.testing.assert_allclose(found, expected, rtol=0, atol=tolerance * np.abs(expected).max())


def hooked(module, images):
    """Logits, and what each call of a submodule returns, before anything works on it in place."""
    outputs = {}

    def record(name):
        def hook(_, inputs, output):
            output = output[0] if isinstance(output, tuple) else output
            outputs.setdefault(name, []).append(output.clone())

        return hook

    hooks = [part.register_forward_hook(record(name)) for name, part in module.named_modules()]
    with torch.no_grad():
        logits = module(images)
    for hook in hooks:
        hook.remove()
    return logits, outputs


@pytest.mark.parametrize("number", [1, 3])
def test_a_network_gives_pytorchs_logits_for_any_number_of_images(network, number):
    module, translated, side = network
    images = drawn(number, side, seed=number)
    expected = module(channels_first(images))
    assert_close(jitted(translated, images), expected)


def test_every_submodules_output_is_marked_with_its_path(network):
    module, translated, side = network
    images = drawn(2, side)
    _, expected = hooked(module, channels_first(images))
    _, marked = marked_values(translated.forward, translated.params, images)
    assert set(marked) == set(translated.modules)
    named = {name for name, part in module.named_modules() if name in expected}
    identities = {name for name in named if isinstance(module.get_submodule(name), nn.Sequential)}
    assert named - {""} - identities <= set(marked) <= named
    for name, values in marked.items():
        assert len(values) == len(expected[name])
        for found, wanted in zip(values, expected[name], strict=True):
            assert_close(found, wanted)


def test_a_network_of_full_size_keeps_the_names_of_its_state_dict():
    module = randomized(resnet20())
    translated = translate(module, ju.data.Preprocessing((32, 32), 3))
    state = {key: value for key, value in module.state_dict().items() if "tracked" not in key}
    assert translated.name == "CifarResNet"
    assert set(translated.params) == set(state)
    assert "layer3.2.bn2.running_var" in state
    images = drawn(2, 32)
    assert_close(jitted(translated, images), module(channels_first(images)))


def test_other_weights_can_be_put_in():
    first, second = (randomized(SqueezeNet(), seed) for seed in (0, 1))
    translated = translate(first, ju.data.Preprocessing((32, 32), 3))
    params = {name: second.state_dict()[name].numpy() for name in translated.params}
    images = drawn(2, 32)
    assert_close(jax.jit(translated.forward)(params, images), second(channels_first(images)))


class Several(nn.Module):
    """Several outputs, of which one is used twice, and a buffer of whole numbers."""

    def __init__(self):
        super().__init__()
        self.register_buffer("order", torch.tensor([2, 0, 1]))
        self.register_buffer("scale", torch.tensor(2.0), persistent=False)
        self.conv = nn.Conv2d(3, 3, 3)

    def forward(self, images, doubled=False):
        maps = self.conv(images[:, self.order]) * self.scale
        maps = 2 * maps if doubled else maps
        return {"maps": maps, "others": (maps.mean((2, 3)), [maps.amax((2, 3)), None])}


@pytest.mark.parametrize("doubled", [False, True])
def test_several_outputs_keep_their_containers(doubled):
    module = Several()
    translated = translate(module, SMALL, arguments={"doubled": doubled})
    assert set(translated.params) == {"order", "conv.weight", "conv.bias"}
    images = drawn(3, 8)
    found = jitted(translated, images)
    expected = module(channels_first(images), doubled=doubled)
    assert jax.tree.structure(found) == jax.tree.structure(
        jax.tree.map(lambda tensor: tensor.detach().numpy(), expected)
    )
    for ours, theirs in zip(jax.tree.leaves(found), jax.tree.leaves(expected), strict=True):
        assert_close(ours, theirs)


class InPlace(nn.Module):
    """Modules that give back their input, as it was and changed in place."""

    def __init__(self):
        super().__init__()
        self.conv = nn.Conv2d(3, 3, 1)
        self.same = nn.Identity()
        self.relu = nn.ReLU(inplace=True)

    def forward(self, images):
        maps = self.conv(images)
        kept = self.same(maps)
        kept += 1
        self.relu(maps)
        return maps.mean((2, 3)) + self.same(kept).amax((2, 3))


def test_what_works_in_place_is_marked_and_what_does_nothing_is_not():
    module = randomized(InPlace())
    translated = translate(module, SMALL)
    images = drawn(2, 8)
    logits, expected = hooked(module, channels_first(images))
    (found,), marked = marked_values(translated.forward, translated.params, images)
    assert_close(found, logits)
    assert set(marked) == {"conv", "relu"}
    for name, values in marked.items():
        assert_close(values[0], expected[name][0])


@pytest.mark.parametrize("kind", [torch.float16, torch.bfloat16, torch.float64])
def test_other_precisions_become_float32_and_the_module_stays_as_it_is(kind):
    module = nn.Sequential(nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4), nn.Flatten(), nn.Linear(144, 5))
    module = randomized(module).to(kind)
    module.train()
    module[1].eval()
    before = {name: value.clone() for name, value in module.state_dict().items()}
    translated = translate(module, SMALL)
    assert [part.training for part in module.modules()] == [True, True, False, True, True]
    assert not any(part._forward_hooks for part in module.modules())
    for name, value in module.state_dict().items():
        assert value.dtype == before[name].dtype
        assert torch.equal(value, before[name])
    assert {str(array.dtype) for array in translated.params.values()} == {"float32"}
    images = drawn(2, 8)
    expected = module.float().eval()(channels_first(images))
    assert_close(jitted(translated, images), expected)


def test_later_changes_of_the_module_change_nothing():
    module = randomized(nn.Sequential(nn.Flatten(), nn.Linear(192, 5)))
    translated = translate(module, SMALL)
    images = drawn(2, 8)
    expected = module(channels_first(images))
    with torch.no_grad():
        module[1].weight.zero_()
    assert_close(jitted(translated, images), expected)


class Plain(nn.Module):
    """Operations that need no more than a primitive or two."""

    def __init__(self):
        super().__init__()
        self.conv = nn.Conv2d(3, 6, 3, padding=1, groups=3)
        self.register_buffer("backwards", torch.arange(5, -1, -1), persistent=False)

    def forward(self, images):
        maps = nn.functional.max_pool2d(self.conv(images), 3, 2, 1)
        halves = maps[:, ::2].chunk(3, 1)
        return torch.cat([*halves, maps[:, self.backwards]], 1).roll(1, 3)


def test_slices_and_known_indices_are_no_gathers():
    translated = translate(Plain(), SMALL)
    program = str(jax.make_jaxpr(translated.forward)(translated.params, drawn(2, 8)))
    assert "gather" not in program
    assert "dynamic_slice" not in program
    assert program.count("conv_general_dilated[") == 1
    assert program.count("reduce_window_max[") == 1


def test_a_terminal_sees_nothing():
    lines = """
import sys
import jaxunits as ju
assert "torch" not in sys.modules
from jaxunits.networks._torch import translate
from tests.networks.torch_zoo import ViT
try:
    translate(ViT(), ju.data.Preprocessing((40, 40), 3))
except ju.InputError:
    translate(ViT(), ju.data.Preprocessing((32, 32), 3))
"""
    done = subprocess.run([sys.executable, "-c", lines], capture_output=True, text=True, check=True)
    assert done.stdout + done.stderr == ""
