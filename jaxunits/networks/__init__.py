"""Networks whose units can be masked: ours as ordered stages, and doors for anybody's."""

from ._callable import from_callable as from_callable
from ._checkpoint import abstract as abstract
from ._checkpoint import restore as restore
from ._checkpoint import save_architecture as save_architecture
from ._convnet import convnet as convnet
from ._functional import Functional as Functional
from ._functional import functional as functional
from ._layer import Layer as Layer
from ._linen import from_linen as from_linen
from ._masking import ablate as ablate
from ._mlp import mlp as mlp
from ._network import Network as Network
from ._network import arrays as arrays
from ._nnx import from_nnx as from_nnx
from ._stages import Convolution as Convolution
from ._stages import Dense as Dense
from ._stages import Flatten as Flatten
from ._stages import MaxPool as MaxPool
