"""What a unit answers to, read from its activations."""

from ._selectivity import class_selectivity as class_selectivity
from ._top_images import top_images as top_images
