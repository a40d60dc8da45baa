"""Networks whose units can be masked: ours as ordered stages, and doors for anybody's."""

from ._callable import from_callable as from_callable
from ._checkpoint import abstract as abstract
from ._checkpoint import restore as restore
from ._checkpoint import save_architecture as save_architecture
from ._convnet import convnet as convnet
from ._convolution import Convolution as Convolution
from ._dense import Dense as Dense
from ._dense import Flatten as Flatten
from ._functional import Functional as Functional
from ._functional import functional as functional
from ._layer import Layer as Layer
from ._linen import from_linen as from_linen
from ._masking import ablate as ablate
from ._mlp import mlp as mlp
from ._network import Network as Network
from ._network import arrays as arrays
from ._nnx import from_nnx as from_nnx
from ._pools import AveragePool as AveragePool
from ._pools import MaxPool as MaxPool
from ._residual import Branch as Branch
from ._residual import Merge as Merge
from ._stages import LinearStage as LinearStage
from ._stages import Stage as Stage
from ._state import Branched as Branched
from ._state import features_of as features_of
from ._state import with_features as with_features
