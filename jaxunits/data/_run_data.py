"""The images of a run folder, as its configuration names them."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Any

from .._kinds import checks_kinds
from .._reading import FileReading
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
        `fraction`, `random_labels`, `seed`, and what `load` is given to read files (`data_dir`,
        `formats`, `orientation`, `channels`, `on_corrupt`, `verify`).
      split: another split than the configuration's.
      training: the training split, as the network saw it: its sample, with its random labels.

    Returns:
      The images, as `load` gives them.

    Raises:
      InputError: the images cannot be used.
    """
    reading = [field.name for field in dataclasses.fields(FileReading)]
    data = load(
        settings["source"],
        split or settings["train_split" if training else "validation_split"],
        **{name: settings[name] for name in reading if name in settings},
    )
    if training and settings["fraction"] != 1:
        data = sample(data, fraction=settings["fraction"], seed=settings["seed"])
    if training and settings["random_labels"]:
        data = random_labels(data, settings["random_labels"], seed=settings["seed"])
    return data
