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
        return dataclasses.replace(config, network=dataclasses.replace(config.network, **changes))

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
