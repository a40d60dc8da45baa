"""Birth points by GUDHI."""

import gudhi
import numpy as np


def birth_by_gudhi(values, dimension=1, limit=50, signed=False):
    """The first rank of one map, `[side, side]`, with a hole, by GUDHI; 0 for none."""
    side = len(values)
    weight = np.maximum(values, values.T)
    weight = weight if signed else np.abs(weight)
    places = [(x, y) for x in range(side) for y in range(x + 1, side) if signed or weight[x, y] > 0]
    falling = sorted({weight[place] for place in places}, reverse=True)
    rank = {value: place + 1 for place, value in enumerate(falling)}
    tree = gudhi.SimplexTree()
    for vertex in range(side):
        tree.insert([vertex], 0.0)
    for x, y in places:
        if rank[weight[x, y]] <= limit:
            tree.insert([x, y], float(rank[weight[x, y]]))
    tree.expansion(dimension + 1)
    tree.compute_persistence(homology_coeff_field=2, persistence_dim_max=True)
    holes = tree.persistence_intervals_in_dimension(dimension)
    return int(min((birth for birth, _ in holes), default=0))


def births_by_gudhi(maps, dimension=1, limit=50, signed=False):
    """As `birth_by_gudhi`, of `[images, side, side, units]`."""
    return np.asarray(
        [
            [
                birth_by_gudhi(image[..., unit], dimension, limit, signed)
                for unit in range(image.shape[-1])
            ]
            for image in maps
        ]
    )
