"""Optax optimizers from their settings."""

from __future__ import annotations

import jax
import optax
from jaxtyping import PyTree

from .config import SGD, AdamW, Config


def learning_rate(config: Config, steps_per_epoch: int) -> optax.Schedule:
    """The learning rate by step."""
    peak = config.optimizer.learning_rate
    warmup = round(config.schedule.warmup_epochs * steps_per_epoch)
    after = max(1, config.epochs * steps_per_epoch - warmup)
    if config.schedule.kind == "cosine":
        main = optax.cosine_decay_schedule(peak, after)
    else:
        main = optax.constant_schedule(peak)
    if warmup == 0:
        return main
    return optax.join_schedules([optax.linear_schedule(0.0, peak, warmup), main], [warmup])


def build_optimizer(config: Config, steps_per_epoch: int) -> optax.GradientTransformation:
    """The optimizer of a configuration; weight decay spares biases."""
    settings = config.optimizer
    rate = learning_rate(config, steps_per_epoch)
    match settings:
        case SGD():
            return optax.chain(
                optax.add_decayed_weights(settings.weight_decay, mask=_kernels),
                optax.sgd(rate, settings.momentum, settings.nesterov),
            )
        case AdamW():
            return optax.adamw(
                rate, settings.b1, settings.b2, weight_decay=settings.weight_decay, mask=_kernels
            )


def _kernels(params: PyTree) -> PyTree:
    return jax.tree.map(lambda leaf: leaf.ndim > 1, params)
