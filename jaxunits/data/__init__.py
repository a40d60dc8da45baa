"""Labeled images from anywhere, and the batches that a network reads."""

from . import concepts as concepts
from ._augmentation import Augmentation as Augmentation
from ._batch import Batch as Batch
from ._batches import batches as batches
from ._batches import check_batch as check_batch
from ._batches import check_channels as check_channels
from ._batches import shuffled_batches as shuffled_batches
from ._dataset import Dataset as Dataset
from ._dataset import Source as Source
from ._in_memory import in_memory as in_memory
from ._load import load as load
from ._preprocessing import Preprocessing as Preprocessing
from ._presets import CIFAR10 as CIFAR10
from ._presets import IMAGENET as IMAGENET
from ._presets import IMAGENET_WHOLE as IMAGENET_WHOLE
from ._presets import KERAS_VGG16 as KERAS_VGG16
from ._random_labels import random_labels as random_labels
from ._run_data import load_run_data as load_run_data
from ._sample import sample as sample
from ._subset import of_class as of_class
from ._subset import subset as subset
