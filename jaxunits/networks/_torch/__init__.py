"""PyTorch modules as functions of JAX, through torch.export."""

from ._translate import Translated as Translated
from ._translate import translate as translate
