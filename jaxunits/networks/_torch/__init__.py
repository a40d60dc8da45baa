"""PyTorch modules as functions of JAX, by way of torch.export."""

from ._translate import Translated as Translated
from ._translate import translate as translate
