"""Images with masks of visual concepts: from folders, TFDS, or computed from the images."""

from ._annotations import Annotations as Annotations
from ._annotations import annotated_images as annotated_images
from ._computed import computed as computed
from ._concepts import Annotated as Annotated
from ._concepts import Concepts as Concepts
from ._concepts import Source as Source
from ._concepts import images as images
from ._concepts import subset as subset
from ._cut import cut as cut
from ._load import load as load
