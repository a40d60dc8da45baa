"""The topology of feature maps: Betti curves, birth points, feature entropy, importance rank."""

from ._birth_points import birth_points as birth_points
from ._entropy import effectiveness as effectiveness
from ._entropy import feature_entropy as feature_entropy
from ._entropy import importance_order as importance_order
from ._entropy import selective_rate as selective_rate
from ._layer import BirthPoints as BirthPoints
from ._layer import layer_birth_points as layer_birth_points
from ._persistence import betti_curves as betti_curves
from ._persistence import persistence as persistence
from ._stability import importance_orders as importance_orders
from ._stability import most_often_in_top as most_often_in_top
from ._stability import random_subsets as random_subsets
from ._stability import stability_ratio as stability_ratio
from ._stability import times_in_top as times_in_top
