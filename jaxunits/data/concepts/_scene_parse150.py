"""The MIT scene parsing benchmark (ADE20K) as TensorFlow Datasets prepares it."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar, SupportsIndex

import numpy as np
import tensorflow_datasets as tfds
from jaxtyping import Num

from ..._errors import InputError
from .. import _tfds
from .._decoding import decode
from ._concepts import Annotated, Concepts
from ._files import WAY_OUT, read_mask

# The categories of the masks that TFDS downloads (annotations_instance), by the red channel from 1
# on: those 100 of the benchmark's 150 that come as things, in the benchmark's order
# (CSAILVision/placeschallenge, instancesegmentation/instanceInfo100_train.txt).
NAMES = (
    *("bed", "windowpane", "cabinet", "person", "door", "table", "curtain", "chair", "car"),
    *("painting", "sofa", "shelf", "mirror", "armchair", "seat", "fence", "desk", "wardrobe"),
    *("lamp", "bathtub", "railing", "cushion", "box", "column", "signboard", "chest of drawers"),
    *("counter", "sink", "fireplace", "refrigerator", "stairs", "case", "pool table", "pillow"),
    *("screen door", "bookcase", "coffee table", "toilet", "flower", "book", "bench"),
    *("countertop", "stove", "palm", "kitchen island", "computer", "swivel chair", "boat"),
    *("arcade machine", "bus", "towel", "light", "truck", "chandelier", "awning", "streetlight"),
    *("booth", "television receiver", "airplane", "apparel", "pole", "bannister", "ottoman"),
    *("bottle", "van", "ship", "fountain", "washer", "plaything", "stool", "barrel", "basket"),
    *("bag", "minibike", "oven", "ball", "food", "step", "trade name", "microwave", "pot"),
    *("animal", "bicycle", "dishwasher", "screen", "sculpture", "hood", "sconce", "vase"),
    *("traffic light", "tray", "ashcan", "fan", "plate", "monitor", "bulletin board"),
    *("radiator", "glass", "clock", "flag"),
)


@dataclass(frozen=True, eq=False)
class SceneParseSource:
    """A TFDS data source of encoded images and annotations, decoded here.

    Attributes:
      records: random access to `image` and `annotation`, as bytes.
      channels: 1 reads every image as gray, 3 as RGB.
      name: for errors.
    """

    records: Any
    channels: int
    name: str

    image_dtype: ClassVar[Any] = np.uint8

    def __len__(self) -> int:
        return len(self.records)

    def image(self, index: SupportsIndex) -> Num[np.ndarray, "height width channels"]:
        return self._image(self.records[index], index)

    def __getitem__(self, index: SupportsIndex) -> Annotated:
        record = self.records[index]
        image = self._image(record, index)
        place = f"annotation {index} of data {self.name!r}"
        values = read_mask(record["annotation"], place)
        if values.shape[2] != 3 or values[..., 0].max() > len(NAMES):
            raise InputError(
                f"{place} has {values.shape[2]} channels and values to {values[..., 0].max()}: "
                "TFDS's own have 3, with one of 100 categories in the first. Prepare the data set "
                "with TFDS's builder, or load other masks as folder:PATH"
            )
        if values.shape[:2] != image.shape[:2]:
            raise InputError(f"{place} is not of its image's size: {WAY_OUT}")
        return Annotated(image, values[None, ..., 0] - 1)

    def _image(self, record: Any, index: SupportsIndex) -> Num[np.ndarray, "height width channels"]:
        place = f"image {index} of data {self.name!r}"
        return decode(record["image"], self.channels, place, WAY_OUT)


def load(split: str | None, channels: int, data_dir: str | Path | None) -> Concepts:
    """TFDS's `scene_parse150`, prepared for random access.

    Raises:
      InputError: it is not prepared, or has no such split.
    """
    name = "scene_parse150"
    builder = _tfds.prepared_builder(name, data_dir)
    _tfds.check_split(builder, f"tfds:{name}", split)
    skip = {key: tfds.decode.SkipDecoding() for key in ("image", "annotation")}
    records = builder.as_data_source(split, decoders=skip)
    sizes = [(part.name, part.num_examples) for part in builder.info.splits.values()]
    content = _tfds.content(records, "image", "annotation")
    settings = repr((builder.info.full_name, sizes, split, channels, content))
    return Concepts(
        source=SceneParseSource(records, channels, f"tfds:{name}"),
        names=NAMES,
        categories=("object",) * len(NAMES),
        channels=channels,
        name=f"tfds:{name}",
        split=str(split),
        fingerprint=hashlib.sha256(settings.encode()).hexdigest(),
    )
