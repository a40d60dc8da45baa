"""The training variants that the papers compare, each as a change of a configuration."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from typing import Any

from .config import Config

Change = Callable[[Config], Config]


def plain(config: Config) -> Config:
    """No change."""
    return config


def network(**changes: Any) -> Change:
    """Other settings of the network: `batch_norm`, `dropout`, `channel_dropout`."""

    def change(config: Config) -> Config:
        settings: Any = config.network
        return dataclasses.replace(config, network=dataclasses.replace(settings, **changes))

    return change


def optimizer(**changes: Any) -> Change:
    """Other settings of the optimizer: `weight_decay`, `learning_rate`."""

    def change(config: Config) -> Config:
        changed = dataclasses.replace(config.optimizer, **changes)
        return dataclasses.replace(config, optimizer=changed)

    return change


def data(**changes: Any) -> Change:
    """Other settings of the images: `random_labels`, `fraction`."""

    def change(config: Config) -> Config:
        return dataclasses.replace(config, data=dataclasses.replace(config.data, **changes))

    return change


def regularizers(**changes: Any) -> Change:
    """Other regularizers."""

    def change(config: Config) -> Config:
        changed = dataclasses.replace(config.regularizers, **changes)
        return dataclasses.replace(config, regularizers=changed)

    return change


def every(layer: str) -> dict[str, Change]:
    """All variants by name, for networks with dense layers.

    Args:
      layer: behind which channels are dropped in one of them.
    """
    return {
        "plain": plain,
        "dropout": network(dropout=0.5),
        "channel_dropout": network(channel_dropout={layer: 0.2}),
        "batch_norm": network(batch_norm=True),
        "weight_decay": optimizer(weight_decay=0.5),
        "l1_weights": regularizers(l1_weights=1e-4),
        "l1_activations": regularizers(l1_activations=0.1),
        "random_labels": data(random_labels=0.4),
        "tenth_of_data": data(fraction=0.1),
        "selective": regularizers(class_selectivity=1.0),
        "unselective": regularizers(class_selectivity=-1.0),
    }
