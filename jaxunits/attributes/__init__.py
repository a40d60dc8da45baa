"""What a unit answers to, read from its activations."""

from ._top_images import top_images as top_images
