"""The images of a run folder, as its configuration names them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from .._kinds import checks_kinds
from ._dataset import Dataset
from ._load import load
from ._random_labels import random_labels
from ._sample import sample


@checks_kinds
def load_run_data(
    settings: Mapping[str, Any], split: str | None = None, *, training: bool = False
) -> Dataset:
    """The images that a run was trained on, or those that it is measured on.

    Args:
      settings: `data` of the run's configuration: `source`, `train_split`, `validation_split`,
        `data_dir`, `on_corrupt`, `fraction`, `random_labels`, `seed`, and `verify` where files are
        not to be decoded beforehand.
      split: another split than the configuration's.
      training: the training split, as the network saw it: its sample, with its random labels.

    Returns:
      The images, as `load` gives them.

    Raises:
      InputError: the images cannot be used.
    """
    data = load(
        settings["source"],
        split or settings["train_split" if training else "validation_split"],
        data_dir=settings["data_dir"],
        on_corrupt=settings["on_corrupt"],
        verify=settings.get("verify", True),
    )
    if training and settings["fraction"] != 1:
        data = sample(data, fraction=settings["fraction"], seed=settings["seed"])
    if training and settings["random_labels"]:
        data = random_labels(data, settings["random_labels"], seed=settings["seed"])
    return data
