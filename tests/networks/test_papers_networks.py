"""The papers' networks: their layers, arguments and errors."""

import math

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx
from hypothesis import given, settings
from hypothesis import strategies as st

import jaxunits as ju
from jaxunits.networks._checkpoint import _build as build_again
from jaxunits.networks._convolution import convolve
from jaxunits.networks._parts import channel_dropout
from jaxunits.networks._pooling import average_to, max_pool
from jaxunits.results import RunFolder
from tests.benchmarks.networks import with_random_weights
from tests.outcomes import assert_agree, logits_under, standardized
from tests.reference import SMALL as DIGITS
from tests.reference import forward, small_convnet

pytestmark = pytest.mark.slow

SMALL = ju.data.Preprocessing((64, 64), 3)
CIFAR = ju.data.Preprocessing((32, 32), 3)


def alexnet(**arguments):
    return with_random_weights(
        lambda: ju.networks.alexnet(10, width=1 / 16, preprocessing=SMALL, **arguments), seed=0
    )


def parameters(build):
    return sum(leaf.size for leaf in jax.tree.leaves(nnx.state(build().module, nnx.Param)))


@pytest.mark.parametrize(
    ("build", "count"),
    [
        (ju.networks.alexnet, 61_100_840),
        (lambda: ju.networks.alexnet_bn(365), 61_100_840 - 635 * 4097 + 2 * 1152),
        (ju.networks.vgg16, 138_357_544),
        (ju.networks.vgg16_bn, 138_365_992),
        (ju.networks.resnet18, 11_689_512),
        (lambda: ju.networks.resnet18(10, stem="cifar"), 11_173_962),
        (lambda: ju.networks.vgg16(10, head="cifar"), 14_714_688 + 512 * 513 + 5130),
        (ju.networks.squeezenet1_0, 1_248_424),
        (ju.networks.squeezenet1_1, 1_235_496),
        (lambda: ju.networks.cifar_resnet(20), 269_722),
        (lambda: ju.networks.cifar_resnet(32), 464_154),
        (lambda: ju.networks.cifar_resnet(110), 1_727_962),
    ],
    ids=[
        *("alexnet", "alexnet_bn", "vgg16", "vgg16_bn", "resnet18", "cifar resnet18"),
        *("cifar vgg16", "squeezenet1_0", "squeezenet1_1", "resnet20", "resnet32", "resnet110"),
    ],
)
def test_they_have_as_many_parameters_as_published(build, count):
    assert parameters(build) == count


def test_layers_are_named_as_in_the_papers():
    layers = ju.networks.alexnet().layers
    assert {name: (layer.num_units, layer.map_shape) for name, layer in layers.items()} == {
        "conv1": (64, (55, 55)),
        "conv2": (192, (27, 27)),
        "conv3": (384, (13, 13)),
        "conv4": (256, (13, 13)),
        "conv5": (256, (13, 13)),
        "fc6": (4096, ()),
        "fc7": (4096, ()),
    }
    layers = ju.networks.vgg16(width=1 / 16).layers
    assert list(layers)[:3] == ["conv1_1", "conv1_2", "conv2_1"]
    assert list(layers)[-3:] == ["conv5_3", "fc6", "fc7"]
    assert layers["conv5_3"].map_shape == (14, 14)
    layers = ju.networks.resnet18(channel_dropout={"layer4.1": 0.1, "conv1": 0.1}).layers
    ends = [name for name, layer in layers.items() if layer.unit_is == "post-activation"]
    assert ends[:2] == ["conv1", "layer1.0.conv1"]
    assert ends[-4:] == ["layer4.0.conv1", "layer4.0", "layer4.1.conv1", "layer4.1"]
    assert (layers["layer4.1"].num_units, layers["layer4.1"].map_shape) == (512, (7, 7))
    cifar = ju.networks.resnet18(10, stem="cifar", width=1 / 8)
    assert cifar.layers["layer4.1"].map_shape == (4, 4)
    layers = ju.networks.squeezenet1_1(width=1 / 8).layers
    assert layers["fire9.expand3x3"].map_shape == (13, 13)


def test_papers_widths_are_the_defaults():
    mlp, convnet = ju.networks.mlp(10), ju.networks.convnet(10)
    assert [layer.num_units for layer in mlp.layers.values()] == [128, 512, 2048, 2048]
    assert [layer.num_units for layer in convnet.layers.values()] == [64, 64, 128, 128]
    assert [layer.map_shape for layer in convnet.layers.values()] == [(32, 32)] * 2 + [(16, 16)] * 2
    assert list(mlp.layers) == ["fc1", "fc2", "fc3", "fc4"]


@pytest.mark.parametrize(
    "network",
    [
        small_convnet(),
        small_convnet(pool_after=(), widths=(3,)),
        small_convnet(dense=(7, 5)),
        ju.networks.mlp(10, widths=(9, 5), preprocessing=DIGITS),
        ju.networks.convnet(
            4,
            widths=(5, 6),
            pool_after=("conv2",),
            preprocessing=ju.data.Preprocessing((9, 11), 5),
        ),
    ],
    ids=["pools", "plain", "dense", "mlp", "five channels"],
)
def test_they_equal_numpy_in_float64(network):
    shape = (5, *network.preprocessing.size, network.preprocessing.channels)
    images = np.random.default_rng(0).normal(size=shape)
    logits = network(jnp.asarray(images, jnp.float32))
    np.testing.assert_allclose(logits, forward(network, images), rtol=1e-4, atol=1e-4)


def test_seeds_decide_the_weights():
    one, same, other = (
        ju.networks.arrays(small_convnet(seed=seed))["conv1.kernel"] for seed in (0, 0, 1)
    )
    np.testing.assert_array_equal(one, same)
    assert (one != other).all()


def test_weights_fit_images_of_any_size():
    larger = ju.data.Preprocessing((300, 400), 3)
    for build in (ju.networks.alexnet, ju.networks.vgg16):
        networks = (build(width=1 / 16), build(width=1 / 16, preprocessing=larger))
        shapes = [[leaf.shape for leaf in jax.tree.leaves(each.params)] for each in networks]
        assert shapes[0] == shapes[1]


def test_adaptive_average_pool_takes_the_windows_of_pytorch():
    maps = np.random.default_rng(0).normal(size=(2, 7, 5, 3)).astype(np.float32)
    found = average_to(jnp.asarray(maps), (3, 6))
    for row, (top, bottom) in enumerate([(0, 3), (2, 5), (4, 7)]):
        for column, (left, right) in enumerate([(0, 1), (0, 2), (1, 3), (2, 4), (3, 5), (4, 5)]):
            expected = maps[:, top:bottom, left:right].mean((1, 2))
            np.testing.assert_allclose(found[:, row, column], expected, atol=1e-6)


@settings(max_examples=8)
@given(data=st.data(), size=st.integers(1, 3), strides=st.integers(1, 3), ceil=st.booleans())
def test_pooling_and_its_gradient_equal_a_loop_over_windows(data, size, strides, ceil):
    height, width = (data.draw(st.integers(size, 8)) for _ in range(2))
    maps = np.random.default_rng(0).permutation(2 * height * width * 3).astype(np.float32)
    maps = maps.reshape(2, height, width, 3)
    rows, columns = (
        (math.ceil if ceil else math.floor)((side - size) / strides) + 1 for side in (height, width)
    )
    # PyTorch leaves out windows that would begin behind the maps.
    rows, columns = (
        min(count, math.ceil(side / strides)) for count, side in ((rows, height), (columns, width))
    )

    def pool(maps):
        return max_pool(maps, size, strides, 0, ceil)[:, :rows, :columns]

    expected, gradient = np.zeros((2, rows, columns, 3)), np.zeros(maps.shape)
    for image, row, column, unit in np.ndindex(expected.shape):
        corner = (image, slice(row * strides, row * strides + size))
        window = maps[(*corner, slice(column * strides, column * strides + size), unit)]
        expected[image, row, column, unit] = window.max()
        top, left = np.unravel_index(window.argmax(), window.shape)
        gradient[image, row * strides + top, column * strides + left, unit] += window.max()

    @jax.jit
    def all_of(maps):
        half = jax.grad(lambda maps: (pool(maps) ** 2).sum() / 2)(maps)
        return *jax.jvp(pool, (maps,), (jnp.ones_like(maps),)), half

    largest, forward_mode, found = all_of(maps)
    np.testing.assert_array_equal(largest, expected)
    np.testing.assert_allclose(found, gradient)
    np.testing.assert_array_equal(forward_mode, np.ones_like(expected))


@pytest.mark.parametrize("side", [1, 2, 3, 6])
@pytest.mark.parametrize(("strides", "padding"), [(1, 1), (2, 1), (2, 2)])
def test_convolutions_of_small_maps_equal_xla(side, strides, padding):
    random = np.random.default_rng(0)
    maps = jnp.asarray(random.normal(size=(2, side, 3, 4)), jnp.float32)
    kernel = jnp.asarray(random.normal(size=(3, 3, 4, 5)), jnp.float32)
    settings_ = ((strides, strides), [(padding, padding)] * 2)
    expected = jax.lax.conv_general_dilated(
        maps, kernel, *settings_, dimension_numbers=("NHWC", "HWIO", "NHWC")
    )
    found = convolve(maps, kernel, *settings_, dimension_numbers=("NHWC", "HWIO", "NHWC"))
    np.testing.assert_allclose(found, expected, atol=1e-5)


def training(network, seed):
    """The network as it is trained, its dropouts drawing from a seed."""
    view = nnx.view(network.module, deterministic=False)
    graph, random, rest = nnx.split(view, nnx.RngState, ...)
    draw = jax.tree.map(
        lambda leaf: (
            jax.random.fold_in(leaf, seed)
            if jnp.issubdtype(leaf.dtype, jax.dtypes.prng_key)
            else leaf
        ),
        random,
    )
    return nnx.merge(graph, draw, rest)


def test_dropout_is_where_it_is_asked_for():
    network = alexnet(dropout=0.5, channel_dropout={"conv5": 0.2})
    dropouts = {
        ".".join(map(str, path)): (part.rate, part.broadcast_dims)
        for path, part in nnx.iter_modules(network.module)
        if isinstance(part, nnx.Dropout)
    }
    assert dropouts == {
        "conv5_dropout": (0.2, (1, 2)),
        "dropout6": (0.5, ()),
        "dropout7": (0.5, ()),
    }
    assert list(network.layers) == list(alexnet().layers)
    images = jax.random.normal(jax.random.key(0), (2, 64, 64, 3))
    plain = jax.jit(network)(images)
    np.testing.assert_array_equal(plain, jax.jit(alexnet())(images))
    one, same, other = (training(network, seed)(images) for seed in (1, 1, 2))
    np.testing.assert_array_equal(one, same)
    assert (one != other).any()
    assert (one != plain).any()


def test_channel_dropout_drops_whole_channels_of_an_image():
    dropped = np.asarray(channel_dropout(0.5, nnx.Rngs(0))(jnp.ones((50, 8, 8, 20))))
    assert (dropped == dropped[:, :1, :1]).all()
    share = (dropped[:, 0, 0] == 0).mean()
    assert 0.45 < share < 0.55
    assert 0 < (dropped[:, 0, 0, 3] == 0).mean() < 1


@pytest.mark.parametrize("layer", ["conv1", "layer4.1.conv1", "layer4.1"])
def test_blocks_take_channel_dropout_inside_and_behind(layer):
    network = with_random_weights(
        lambda: ju.networks.resnet18(4, stem="cifar", width=1 / 16, channel_dropout={layer: 0.5}),
        seed=0,
    )
    images = jax.random.normal(jax.random.key(0), (3, 32, 32, 3))
    assert (training(network, 1)(images) != network(images)).any()


def test_the_shortcut_without_weights_takes_every_second_pixel_and_pads_channels():
    network = ju.networks.cifar_resnet(8, width=1 / 4)
    block = network.module.layer2[0]
    for conv in (block.conv1, block.conv2):
        conv.kernel[...] = jnp.zeros_like(conv.kernel[...])
    maps = np.abs(np.random.default_rng(0).normal(size=(2, 6, 7, 4))).astype(np.float32)
    found = np.asarray(nnx.view(block, use_running_average=True)(jnp.asarray(maps)))
    np.testing.assert_array_equal(found[..., 2:6], maps[:, ::2, ::2])
    assert not found[..., [0, 1, 6, 7]].any()


def test_the_fast_path_serves_a_network_with_dropout(tmp_path):
    network = alexnet(dropout=0.5, channel_dropout={"conv5": 0.2, "conv2": 0.1})
    random = np.random.default_rng(0)
    images = random.integers(0, 256, (40, 64, 64, 3), np.uint8)
    data = ju.data.load((images, random.integers(0, 10, 40)), class_names=list("abcdefghij"))
    for layer in ("conv1", "conv2", "conv5", "fc6", "fc7"):
        fast, reference = (
            ju.ablation.sweep(network, layer, data, method=method)
            for method in ("fast", "reference")
        )
        masks = ju.ablation.single_units(network.layers[layer].num_units)
        logits = logits_under(network, layer, standardized(network, data), masks)
        assert_agree(fast, reference, logits, data.labels)


@pytest.mark.parametrize(
    ("build", "message"),
    [
        (lambda: ju.networks.alexnet(0), "alexnet with classes=0 and width=1.0: give at least one"),
        (lambda: ju.networks.vgg16_bn(width=0.0), "vgg16_bn with classes=1000 and width=0.0"),
        (lambda: ju.networks.vgg16(head="caffe"), "head='caffe': give 'imagenet' or 'cifar'"),
        (lambda: ju.networks.resnet18(stem="big"), "stem='big': give 'imagenet' or 'cifar'"),
        (
            lambda: alexnet(channel_dropout={"conv6": 0.5}),
            "unknown layer 'conv6': channel_dropout: network 'alexnet' has conv1",
        ),
        (lambda: alexnet(channel_dropout={"conv5": 1.0}), "dropout of rate 1.0: give a number"),
        (lambda: alexnet(dropout=-0.5), "dropout of rate -0.5"),
        (
            lambda: ju.networks.alexnet(width=0.1, preprocessing=CIFAR),
            "32×32 are too small for network 'alexnet': the pool behind 'conv5' leaves nothing",
        ),
        (
            lambda: small_convnet(preprocessing=ju.data.Preprocessing((3, 3), 1)),
            (
                "images of 3×3 are too small for network 'convnet': the pool behind 'conv2' leaves "
                "nothing of them. Give larger images or fewer layers that shrink them"
            ),
        ),
        (
            lambda: ju.networks.squeezenet1_0(preprocessing=ju.data.Preprocessing((6, 40), 3)),
            "6×40 are too small for network 'squeezenet1_0': 'conv1' leaves nothing of them",
        ),
        (lambda: ju.networks.cifar_resnet(21), "cifar_resnet of depth=21: give 8, 14, 20, …"),
        (lambda: ju.networks.cifar_resnet(shortcut="C"), "shortcut='C': give 'A' or 'B'"),
        (
            lambda: small_convnet(pool_after=("conv9",)),
            "unknown layer 'conv9': pool_after: the network has conv1, conv2, conv3",
        ),
        (lambda: ju.networks.mlp(10, widths=()), "give at least one layer"),
        (lambda: ju.networks.convnet(0), "classes=0"),
        (lambda: ju.networks.vision_transformer(10, depth=0), "depth=0: give at least 1"),
        (
            lambda: ju.networks.vision_transformer(10, patch=5),
            "patch=5 for images of 32×32: give a number that divides both sides",
        ),
        (
            lambda: ju.networks.vision_transformer(10, heads=3),
            "width=64 and heads=3: give a number of heads that divides the width",
        ),
    ],
)
def test_arguments_that_make_no_network_are_refused(build, message):
    with pytest.raises(ju.InputError) as error:
        build()
    assert message in str(error.value)


@pytest.mark.parametrize(
    "build",
    [
        lambda: alexnet(channel_dropout={"conv5": 0.1}),
        lambda: ju.networks.alexnet_bn(4, width=0.05, dropout=0.2, preprocessing=SMALL),
        lambda: ju.networks.vgg16_bn(4, head="cifar", width=0.05),
        lambda: ju.networks.resnet18(4, stem="cifar", channel_dropout={"layer4.1": 0.3}),
        lambda: ju.networks.convnet(4, batch_norm=True, channel_dropout={"conv2": 0.5}),
        lambda: ju.networks.cifar_resnet(8, 4, shortcut="B", channel_dropout={"layer1.0": 0.1}),
        lambda: ju.networks.squeezenet1_0(4, width=0.1, dropout=0.5),
        lambda: ju.networks.squeezenet1_1(4, width=0.1, preprocessing=SMALL),
        lambda: ju.networks.vision_transformer(4, width=8, depth=1, heads=2, hidden=6),
    ],
    ids=[
        *("alexnet", "alexnet_bn", "vgg16_bn", "resnet18", "convnet"),
        *("cifar_resnet", "squeezenet1_0", "squeezenet1_1", "vision_transformer"),
    ],
)
def test_they_are_built_again_from_a_run_folder(build, tmp_path):
    network = build()
    ju.networks.save_architecture(network, tmp_path)
    again = build_again(RunFolder(tmp_path))
    assert again.architecture == network.architecture
    assert again.function == network.function
