"""A valid call of every public function, small enough to take milliseconds once compiled."""

from __future__ import annotations

import functools
import importlib.util
import operator
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import jax
import numpy as np
import xarray as xr
from flax import linen, nnx
from PIL import Image

import jaxunits as ju
from jaxunits.networks import checkpoints

_SIZE = ju.data.Preprocessing((8, 8), 1, mean=(0.1,), std=(0.5,))


class _Linen(linen.Module):
    @linen.compact
    def __call__(self, images):
        hidden = linen.relu(linen.Dense(2, name="fc")(images.reshape(len(images), -1)))
        return linen.Dense(3, name="logits")(hidden)


class _Nnx(nnx.Module):
    def __init__(self):
        self.fc = nnx.Linear(64, 2, rngs=nnx.Rngs(0))
        self.logits = nnx.Linear(2, 3, rngs=nnx.Rngs(0))

    def __call__(self, images):
        return self.logits(nnx.relu(self.fc(images.reshape(len(images), -1))))


@functools.cache
def _torch_module() -> Any:
    """Small, since exporting takes most of a second; None without PyTorch, which is refused."""
    if importlib.util.find_spec("torch") is None:
        return None
    from torch import nn

    return nn.Sequential(nn.Flatten(), nn.Linear(64, 2), nn.ReLU(), nn.Linear(2, 3)).eval()


def _dense(**sizes: tuple[int, int]) -> dict[str, Any]:
    """Parameters of dense layers of Linen, by their numbers of inputs and outputs."""
    return {
        name: {"kernel": np.ones(size), "bias": np.ones(size[1])} for name, size in sizes.items()
    }


@dataclass(frozen=True, eq=False)
class World:
    """What valid calls are made with.

    Attributes:
      network: of two convolutions.
      data: 12 images of 3 classes.
      concepts: computed from them.
      sweep: result of a sweep of `conv2`.
      attributes: of `conv2`, by class.
      dissected: result of a dissection.
      folder: holds a run folder `run`, concepts `concepts`, weights `weights`, result `a.nc`.
    """

    network: ju.networks.Classifier
    data: ju.data.Dataset
    concepts: ju.data.concepts.Concepts
    sweep: xr.Dataset
    attributes: xr.Dataset
    dissected: xr.Dataset
    folder: Path

    @classmethod
    def make(cls, folder: Path) -> World:
        """Make one; its files lie in a folder."""
        folder = folder / "whole-calls"
        random = np.random.default_rng(0)
        images = random.integers(0, 256, (12, 8, 8, 1), np.uint8)
        data = ju.data.load((images, np.arange(12) % 3), class_names=["ape", "bee", "cat"])
        network = _convnet()
        concepts = ju.data.concepts.computed(data, ["quadrants"])
        folder.mkdir(parents=True)
        sweep = ju.ablation.sweep(network, "conv2", data, file=folder / "a.nc")
        (folder / "run").mkdir()
        ju.networks.save_architecture(network, folder / "run")
        with checkpoints.open_checkpoints(folder / "run" / "checkpoints") as checkpointer:
            checkpoints.save_state(checkpointer, 1, {"network": ju.networks.arrays(network)}, [])
        ju.networks.save_weights(network, folder / "weights")
        for kind in ("images", "masks"):
            (folder / "concepts" / kind).mkdir(parents=True)
            Image.fromarray(np.eye(4, dtype=np.uint8)).save(folder / "concepts" / kind / "a.png")
        (folder / "concepts" / "concepts.csv").write_text("index,concept\n1,line\n")
        return cls(
            network,
            data,
            concepts,
            sweep,
            ju.attributes.collect(network, "conv2", data),
            ju.attributes.dissect(network, "conv2", concepts, quantile=0.1),
            folder,
        )


def _convnet(**settings: Any) -> ju.networks.Classifier:
    usual = {"widths": (2, 3), "pool_after": ("conv1",), "preprocessing": _SIZE}
    return ju.networks.convnet(3, **{**usual, **settings})


Arguments = tuple[tuple[Any, ...], dict[str, Any]]


@dataclass(frozen=True)
class Call:
    """A function and arguments that it takes.

    Attributes:
      name: the function's, below `jaxunits`.
      arguments: makes them.
      may_raise: what it raises by its docstring beside `InputError`.
      method: of what the name's class gives with `arguments`; `__call__` and others.
    """

    name: str
    arguments: Callable[[World], Arguments]
    may_raise: tuple[type[Exception], ...] = ()
    of: Callable[[World], Callable[..., Any]] | None = None

    def function(self, world: World) -> Callable[..., Any]:
        """What is called."""
        return self.of(world) if self.of else operator.attrgetter(self.name)(ju)


VALID: dict[str, Call] = {}


def _valid(
    name: str,
    arguments: Callable[[World], Arguments] | None = None,
    *,
    may_raise: tuple[type[Exception], ...] = (),
    of: Callable[[World], Callable[..., Any]] | None = None,
    **kwargs: Any,
) -> None:
    """Add a call, by its arguments or by keywords alone."""
    made = arguments or (lambda world: ((), dict(kwargs)))
    VALID[name] = Call(name, made, may_raise, of)


def _run(**more: Any) -> Callable[[World], Arguments]:
    """Arguments that begin with network, layer and data."""
    return lambda w: ((w.network, "conv2", w.data), dict(more))


def _network(**more: Any) -> Callable[[World], Arguments]:
    return lambda w: ((w.network, "conv2"), dict(more))


# What only sweeps take.
_OF_MASKS = ("method", "masks_at_once")
_EXECUTION = {
    "method": "auto",
    "precision": "float32",
    "batch_size": 4,
    "masks_at_once": 2,
    "max_memory": 10**9,
    "devices": None,
    "images_per_piece": 8,
    "decoding_threads": 2,
}
_CARRIED_OUT = {name: _EXECUTION[name] for name in _EXECUTION if name not in _OF_MASKS}
_MASKS = np.ones((2, 3), np.float32) - np.eye(3, dtype=np.float32)[:2]
_FILE = {"file": "a.nc", "progress": None}
_VALUES = {"values": "resample", "reference": None, "seed": 0}

_valid("Range", least=0, most=1, open="", whole=False)
_valid("check_settings", lambda w: ((ju.synthesis.Method(),), {}))

_valid("Execution", **_CARRIED_OUT)
_valid("ablation.Execution", **_EXECUTION)
_valid(
    "evaluate",
    lambda w: ((w.network, w.data), {**_FILE, **_CARRIED_OUT}),
    may_raise=(OSError,),
)
_valid(
    "measure",
    lambda w: (
        (w.network, w.data, [ju.ablation.Sweep("conv2"), ju.attributes.Attributes(top_images=1)]),
        {**_FILE, "file": "results", **_CARRIED_OUT},
    ),
    may_raise=(OSError,),
)
_valid("ablation.all_but", num_units=3, members=[[0], [1, 2]])
_valid("ablation.groups", num_units=3, members=[[0], [1, 2]])
_valid("ablation.haar", num_units=3, seed=0)
_valid("ablation.single_units", num_units=3)
_valid("ablation.random_groups", num_units=3, size=2, num_groups=2, seed=0)
_valid("ablation.random_orders", num_units=3, num_orders=2, seed=0)
_valid("results.most_damaging", lambda w: ((), {"result": w.sweep, "num_units": 2}))
_valid("results.read_result", lambda w: ((w.folder / "a.nc",), {}), may_raise=(OSError,))
_valid("ablation.unit_means", _run(**_FILE, **_CARRIED_OUT), may_raise=(OSError,))
_valid(
    "ablation.sweep",
    _run(masks=_MASKS, other_masks={"conv1": np.ones(2)}, **_VALUES, **_FILE, **_EXECUTION),
    may_raise=(OSError,),
)
_valid("ablation.sweep_settings", _run(masks=_MASKS, other_masks=None, **_VALUES))
for _name in ("cumulative", "insertion"):
    _valid(
        f"ablation.{_name}",
        _run(orders=[[0, 1, 2]], **_VALUES, **_FILE, **_EXECUTION),
        may_raise=(OSError,),
    )
_valid(
    "ablation.directions",
    _run(basis=np.eye(3), masks=_MASKS, **_FILE, **_EXECUTION),
    may_raise=(OSError,),
)
_valid(
    "ablation.greedy",
    lambda w: (
        (w.network, "conv2", w.data),
        {
            "classes": ["ape"],
            "steps": 2,
            "measure_on": w.data,
            "random": 2,
            **_VALUES,
            **_FILE,
            "batch_size": 4,
            "max_memory": 10**9,
        },
    ),
    may_raise=(OSError,),
)
_valid(
    "ablation.shapley",
    _run(num_orders=4, images_per_order=2, standard_error=0.5, **_VALUES, **_FILE, **_EXECUTION),
    may_raise=(OSError,),
)
_valid(
    "ablation.synergies",
    _run(pairs=[[0, 1], [2, 0]], num_pairs=None, **_VALUES, **_FILE, **_EXECUTION),
    may_raise=(OSError,),
)
_valid(
    "plan",
    lambda w: ((ju.ablation.cumulative, w.network, "conv2", w.data, [0]), {"batch_size": 4}),
)

_CHOICES = {
    "activation": "mean",
    "selectivity": "classes",
    "gradients": True,
    "top_images": 2,
    "seed": 0,
}
_valid("attributes.Choices", **_CHOICES)
_valid("attributes.class_correlation", activation=np.eye(4)[:, :2], probability=np.eye(4)[:, :3])
_valid(
    "attributes.class_selectivity",
    class_means=np.arange(6.0).reshape(2, 3),
    present=np.ones(3, bool),
    weights=np.ones(3),
    epsilon=1e-12,
)
_valid(
    "attributes.collect",
    lambda w: ((w.network, ["conv2"], w.data), {**_FILE, **_CARRIED_OUT, **_CHOICES}),
    may_raise=(OSError,),
)
_valid("attributes.collect_settings", lambda w: ((w.network, ["conv2"], w.data), dict(_CHOICES)))
_valid("results.detectors_by_category", lambda w: ((w.dissected,), {}))
_valid("results.detectors_by_concept", lambda w: ((w.dissected,), {}))
_valid(
    "attributes.dissect",
    lambda w: (
        (w.network, "conv2", w.concepts),
        {
            "convention": "netdissect",
            "quantile": 0.1,
            "detector_iou": 0.04,
            "grid": (4, 4),
            "alignment": "corners",
            "outside": None,
            "grid_memory": 2**28,
            **_FILE,
            **_CARRIED_OUT,
        },
    ),
    may_raise=(OSError,),
)
_valid("attributes.l1_norm", _network())
_valid(
    "attributes.top_images",
    _run(units=[0, 2], num_images=2, activation="mean", quantile=0.1, **_FILE, **_CARRIED_OUT),
    may_raise=(OSError,),
)

_valid("data.Augmentation", crop="padded", flip=True, padding=1, scale=(0.1, 1.0), ratio=(0.5, 2.0))
_AUGMENTATION = ju.data.Augmentation(crop="padded", padding=1)
_valid("data.Augmentation.numbers", of=lambda w: _AUGMENTATION.numbers, seed=0, epoch=0, images=2)
_valid(
    "data.Preprocessing",
    size=(8, 8),
    channels=1,
    mean=(0.1,),
    std=(0.5,),
    resize=9,
    order="rgb",
)
_PIXELS = np.arange(192, dtype=np.uint8).reshape(8, 8, 3)
for _name in ("CIFAR10", "IMAGENET", "IMAGENET_WHOLE", "KERAS_VGG16"):
    _valid(f"data.{_name}", image=_PIXELS)
_SHARED = {"threads": 2, "process": 0, "processes": 1}
_BATCHES = {"preprocessing": _SIZE, "batch_size": 4}
_valid(
    "data.batches",
    lambda w: ((w.data,), {**_BATCHES, "start": 0, "stop": 12, **_SHARED, "standardized": True}),
)
_valid(
    "data.shuffled_batches",
    lambda w: (
        (w.data,),
        {**_BATCHES, "seed": 0, "epoch": 0, "augmentation": _AUGMENTATION, **_SHARED},
    ),
)
_valid("data.check_batch", **_BATCHES, processes=1)
_valid("data.check_channels", lambda w: ((w.data, _SIZE), {}))
_valid("data.in_memory", lambda w: ((w.data,), {"max_bytes": 10**6, "threads": 2}))
_valid("data.of_class", lambda w: ((w.data,), {"name": "bee"}))
_valid("data.random_labels", lambda w: ((w.data,), {"fraction": 0.5, "seed": 0}))
_valid(
    "data.sample",
    lambda w: ((w.data,), {"num_images": 3, "per_class": None, "fraction": None, "seed": 0}),
)
_RUN_DATA = {"source": "digits", "train_split": "train[:20]", "validation_split": "validation[:9]"}
_RUN_DATA |= {"data_dir": None, "on_corrupt": "raise", "fraction": 0.5, "random_labels": 0.1}
_valid(
    "data.load_run_data", lambda w: (({**_RUN_DATA, "seed": 0},), {"split": None, "training": True})
)
_valid("data.subset", lambda w: ((w.data,), {"indices": [0, 3]}))
_valid(
    "data.load",
    lambda w: (
        ((np.zeros((3, 8, 8, 1)), np.arange(3)),),
        {
            "split": "train",
            "class_names": [*"abc"],
            "channels": None,
            "on_corrupt": "raise",
            "verify": True,
            "relist": False,
            "data_dir": None,
            "value_range": (0.0, 1.0),
            "formats": ["PNG", "WEBP"],
            "orientation": "exif",
            "image": None,
            "label": None,
            "channels_first": None,
            "normalized": None,
        },
    ),
)
_valid(
    "data.concepts.computed",
    lambda w: ((w.data,), {"kinds": ["quadrants", "colors"], "edge_contrast": 0.1}),
)
_valid(
    "data.concepts.annotated_images",
    lambda w: (
        (w.concepts,),
        {
            "preprocessing": _SIZE,
            "size": (4, 4),
            "start": 1,
            "stop": 4,
            "threads": 2,
            "standardized": True,
        },
    ),
)
_valid(
    "data.concepts.cut",
    masks=np.zeros((2, 8, 8), np.int32),
    image_size=(8, 8),
    preprocessing=_SIZE,
    size=(4, 4),
)
_valid("data.concepts.images", lambda w: ((w.concepts,), {}))
_valid("data.concepts.subset", lambda w: ((w.concepts,), {"indices": [0, 3]}))
_valid(
    "data.concepts.load",
    lambda w: (
        (f"folder:{w.folder / 'concepts'}",),
        {
            "split": None,
            "channels": 3,
            "categories": None,
            "ignore": None,
            "verify": True,
            "data_dir": None,
        },
    ),
)


def _abstract(build: Callable[..., Any]) -> Callable[..., Any]:
    """A builder without its weights, whose random numbers take long to compile."""
    return lambda *args, **kwargs: jax.eval_shape(
        lambda: ju.networks.arrays(build(*args, **kwargs))
    )


_ZOO = {"width": 1 / 64, "channel_dropout": None, "preprocessing": None, "seed": 0}
_SMALL = {"classes": 3, "dropout": 0.1, "preprocessing": _SIZE, "seed": 0}
_valid("networks.mlp", **_SMALL, widths=(2,))
_valid(
    "networks.convnet",
    **_SMALL,
    widths=(2, 3),
    pool_after=("conv1",),
    dense=(4,),
    batch_norm=True,
    channel_dropout={"conv1": 0.1},
)
_LARGE = ju.data.Preprocessing((64, 64), 1)
for _name, _more in {
    "alexnet": {"dropout": 0.0, "preprocessing": _LARGE},
    "alexnet_bn": {"dropout": 0.0, "preprocessing": _LARGE},
    "resnet18": {"stem": "cifar"},
    "vgg16": {"head": "cifar", "dropout": 0.0},
    "vgg16_bn": {"head": "cifar", "dropout": 0.0},
    "cifar_resnet": {"depth": 8, "shortcut": "B", "preprocessing": _SIZE},
}.items():
    _valid(
        f"networks.{_name}",
        of=lambda w, name=_name: _abstract(getattr(ju.networks, name)),
        **{"classes": 3, **_ZOO, **_more},
    )
for _name in ("squeezenet1_0", "squeezenet1_1"):
    _valid(
        f"networks.{_name}",
        of=lambda w, name=_name: _abstract(getattr(ju.networks, name)),
        classes=3,
        width=1 / 64,
        dropout=0.0,
        preprocessing=_LARGE,
        seed=0,
    )
_valid(
    "networks.vision_transformer",
    classes=3,
    preprocessing=_SIZE,
    seed=0,
    patch=2,
    width=4,
    depth=1,
    heads=2,
    hidden=3,
)
_OPTIONS = {
    "preprocessing": _SIZE,
    "output": None,
    "unit_axis": {"fc": -1},
    "name": "own",
    "allow_probabilities": False,
}
_MODULE_OPTIONS = {**_OPTIONS, "arguments": None, "hook": "unit"}
_valid(
    "networks.from_callable",
    lambda w: (
        (lambda params, images, masks: images.reshape(len(images), -1)[:, :3] * masks.get("a", 1),),
        {"params": {"a": np.ones(3)}, "layers": {"a": 3}, **_OPTIONS, "unit_axis": {"a": -1}},
    ),
)
_valid(
    "networks.from_linen",
    lambda w: (
        (_Linen(), {"params": _dense(fc=(64, 2), logits=(2, 3))}),
        dict(_MODULE_OPTIONS),
    ),
)
_valid("networks.from_nnx", lambda w: ((_Nnx(),), dict(_MODULE_OPTIONS)))
_valid("networks.from_torch", lambda w: ((_torch_module(),), {**_MODULE_OPTIONS, "unit_axis": {}}))
_valid("networks.tagged", lambda w: ((_Nnx(),), {}))
_IMAGES = np.zeros((2, 8, 8, 1), np.float32)
_valid(
    "networks.Classifier.__call__",
    lambda w: ((_IMAGES,), {"masks": {"conv2": np.ones(3)}}),
    of=lambda w: w.network,
)
_valid(
    "networks.Classifier.activations",
    lambda w: ((_IMAGES, "conv2"), {}),
    of=lambda w: w.network.activations,
)
_valid(
    "networks.Classifier.with_activations",
    lambda w: ((_IMAGES, ["conv2"]), {"masks": {"conv1": np.ones(2)}, "values": None}),
    of=lambda w: w.network.with_activations,
)
_valid("networks.Classifier.layer", lambda w: (("conv2",), {}), of=lambda w: w.network.layer)
_valid("networks.arrays", lambda w: ((w.network,), {}))
_valid("networks.named_leaves", tree={"a": [np.ones(3), 2.5]})
_valid("networks.with_arrays", lambda w: ((w.network, {"conv2.bias": np.ones(3)}), {}))
_valid("networks.receptive_fields", lambda w: ((w.network, "conv2"), {}))
_NAMES = {"conv1.weight": "first.weight"}


def _state_dict(network: ju.networks.Classifier) -> dict[str, np.ndarray]:
    """A state dict as PyTorch has it, with another name for one of its arrays."""
    found = {}
    for name, array in ju.networks.arrays(network).items():
        layer, _, kind = name.rpartition(".")
        values = np.asarray(array)
        if kind == "kernel":
            axes = (3, 2, 0, 1) if values.ndim == 4 else (1, 0)
            name, values = f"{layer}.weight", values.transpose(axes)
        found[name] = values
    return {_NAMES.get(name, name): values for name, values in found.items()}


_valid("networks.save", lambda w: ((w.network, "saved"), {}), may_raise=(OSError,))
_valid("networks.save_architecture", lambda w: ((w.network, "."), {}), may_raise=(OSError,))
_valid(
    "networks.save_weights",
    lambda w: ((w.network, "weights"), {"names": _NAMES}),
    may_raise=(OSError,),
)
_valid(
    "networks.load_weights",
    lambda w: (
        (_convnet(seed=1), {"model": _state_dict(w.network)}),
        {"partial": False, "names": _NAMES, "entry": "model"},
    ),
    may_raise=(OSError,),
)
_valid(
    "networks.load_weights.file",
    lambda w: ((_convnet(seed=1), w.folder / "weights"), {"partial": False}),
    of=lambda w: ju.networks.load_weights,
    may_raise=(OSError,),
)
_valid(
    "networks.restore", lambda w: ((w.folder / "run",), {"network": _convnet(seed=1), "epoch": 1})
)
_valid("networks.saved_metrics", lambda w: ((w.folder / "run",), {"epoch": 1}))

_valid("results.fingerprint", tree={"a": [np.ones(3), 2.5]})
_valid("results.class_coordinates", names=["ape", "bee"])
_valid("results.table", lambda w: ((w.sweep,), {"by": ["unit", "class"]}))
_valid("results.read", lambda w: ((w.folder / "a.nc",), {}), may_raise=(OSError,))
_valid("results.write", lambda w: ((w.sweep, "b.nc"), {}), may_raise=(OSError,))

_COUNTS = {"broken": [1, 2, 0], "repaired": [0, 1, 0]}
_valid(
    "statistics.chance_drops",
    broken=[[1, 2, 0]],
    repaired=[[0, 1, 0]],
    n_images=[[4, 5, 6]],
    num_draws=5,
    seed=0,
)
_valid("statistics.damage_p_values", **_COUNTS)
_valid("statistics.false_discovery_rates", p_values=[0.1, 0.001, 1.0])
_valid("statistics.paired_interval", **_COUNTS, n_images=[4, 5, 6], level=0.95)
_valid(
    "statistics.predict_damaged_class",
    lambda w: (
        ([w.attributes] * 2, [w.sweep] * 2),
        {
            "features": ("class_correlation_by_class", "class_selectivity_by_class"),
            "fitted_on": 1,
            "minimum_drop": 0.0,
            "regularization": 1.0,
        },
    ),
)
_valid(
    "statistics.spearman",
    x=[1.0, 2.0, 4.0, 3.0],
    y=[0.0, 1.0, 1.0, 2.0],
    given=[2.0, 1.0, 4.0, 5.0],
)
_valid("statistics.rank_correlation", lambda w: ((w.attributes, w.sweep), {}))
_INSERTED = [[0.1, 0.1], [0.5, 0.4], [0.7, 0.3], [0.9, 0.4], [0.9, 0.6]]
_valid("statistics.phase_transition", accuracy=[0.5, 1.0, 0.4, 0.0])
_valid(
    "statistics.unit_roles",
    accuracy=_INSERTED,
    penalty=0.02,
    min_units=2,
    level=0.95,
    num_resamples=9,
    seed=0,
)
_valid(
    "statistics.role_shares",
    lambda w: ((ju.statistics.unit_roles(_INSERTED, num_resamples=9),), {}),
)
_valid(
    "statistics.uncertainty",
    lambda w: (
        (w.sweep,),
        {"level": 0.95, "false_discovery_rate": 0.05, "num_draws": 5, "seed": 0},
    ),
)

_METHOD = {
    "steps": 2,
    "learning_rate": 0.1,
    "optimizer": "adam",
    "basis": "fourier",
    "noise": 0.1,
    "values": "sigmoid",
    "decorrelate_colors": False,
    "jitter": 0.1,
    "scale": 0.1,
    "rotate": 1.0,
    "total_variation": 0.1,
    "l2": 0.1,
    "wake": True,
}
_valid("synthesis.Method", **_METHOD)
_valid(
    "synthesis.Method.described", lambda w: ((), {}), of=lambda w: ju.synthesis.Method().described
)
_valid(
    "synthesis.maximize",
    lambda w: (
        (w.network, "conv2"),
        {
            "units": [0, 2],
            "objective": "am",
            "activation": "mean",
            "num_starts": 1,
            "seed": 0,
            "initial": None,
            "method": ju.synthesis.Method(steps=2),
            **_FILE,
            **_CARRIED_OUT,
        },
    ),
)
_valid("results.representative_substitution", responses=np.eye(3) + 0.5)

_MAPS = np.random.default_rng(0).random((2, 4, 4, 3))
_BIRTHS = np.arange(12).reshape(4, 3) % 5 + 1
_RANKS = np.asarray([[0, 1, 2], [2, 1, 0]])
_HOLES = {"convention": "paper", "processes": 1}
_LIMITS = {"limit": 10, "dimension": 1, "method": "auto", **_HOLES}
_valid("topology.betti_curves", maps=_MAPS, dimensions=(0, 1), **_HOLES)
_valid("topology.persistence", maps=_MAPS, dimensions=(0, 1), **_HOLES)
_valid("topology.birth_points", maps=_MAPS, **_LIMITS)
_valid(
    "topology.layer_birth_points",
    _run(**_LIMITS, **_FILE, **_CARRIED_OUT),
    may_raise=(OSError,),
)
_valid("topology.effectiveness", births=_BIRTHS, p=0.1, convention="paper")
_valid("topology.feature_entropy", births=_BIRTHS)
_valid("topology.selective_rate", births=_BIRTHS)
_valid("topology.importance_order", effectiveness=[0.5, 0.25, 1.0])
_valid(
    "topology.importance_orders",
    births=_BIRTHS,
    subsets=[[0, 1], [2, 3]],
    p=0.1,
    convention="paper",
)
_valid("topology.most_often_in_top", ranks=_RANKS, top=2, num_units=2)
_valid("topology.times_in_top", ranks=_RANKS, top=2)
_valid("topology.random_subsets", num_images=4, size=2, num_subsets=3, seed=0)
_valid(
    "topology.stability_ratio",
    ranks=_RANKS,
    reference=[0, 1, 2],
    top=2,
    num_units=2,
    reference_top=2,
)
