"""Labelled images from anywhere, and the batches that a network reads."""

from ._batches import Batch as Batch
from ._batches import batches as batches
from ._batches import check_channels as check_channels
from ._batches import shuffled_batches as shuffled_batches
from ._dataset import Dataset as Dataset
from ._dataset import Source as Source
from ._load import load as load
from ._preprocessing import Preprocessing as Preprocessing
from ._subset import of_class as of_class
from ._subset import subset as subset
