"""Betti numbers from the definition: ranks of boundary matrices over the field of two elements."""

import itertools
import math


def ranks_of(values):
    """For each edge of a map that ever enters, its place among the distinct values, falling."""
    side = len(values)
    weights = {
        (x, y): abs(max(float(values[x][y]), float(values[y][x])))
        for x, y in itertools.combinations(range(side), 2)
    }
    falling = sorted({weight for weight in weights.values() if weight > 0}, reverse=True)
    return {edge: falling.index(weight) + 1 for edge, weight in weights.items() if weight > 0}


def betti_numbers(vertices, edges, dimension):
    """Of the clique complex of a graph, from dimension 0 up to one."""
    edges = set(edges)
    cliques = [[(vertex,) for vertex in range(vertices)]]
    for size in range(2, dimension + 3):
        cliques.append(
            [
                clique
                for clique in itertools.combinations(range(vertices), size)
                if all(pair in edges for pair in itertools.combinations(clique, 2))
            ]
        )
    ranks = [0, *(_boundary_rank(low, high) for low, high in itertools.pairwise(cliques))]
    return [len(cliques[k]) - ranks[k] - ranks[k + 1] for k in range(dimension + 1)]


def _boundary_rank(low, high):
    """Columns are whole numbers, a bit for each face; elimination by the highest bit."""
    place = {clique: number for number, clique in enumerate(low)}
    pivots = {}
    for clique in high:
        column = 0
        for face in itertools.combinations(clique, len(clique) - 1):
            column ^= 1 << place[face]
        while column and column.bit_length() in pivots:
            column ^= pivots[column.bit_length()]
        if column:
            pivots[column.bit_length()] = column
    return len(pivots)


def birth_point(values, dimension=1, limit=50):
    """The first rank with a hole; 0 for none."""
    ranks = ranks_of(values)
    for rank in range(1, min(limit, max(ranks.values(), default=0)) + 1):
        entered = [edge for edge, at in ranks.items() if at <= rank]
        if betti_numbers(len(values), entered, dimension)[dimension]:
            return rank
    return 0


def authors_curves(values, dimension=1):
    """Betti numbers as the authors' code has them: row i is after the values of index up to i."""
    side = len(values)
    pairs = list(itertools.combinations(range(side), 2))
    weights = {(x, y): max(float(values[x][y]), float(values[y][x])) for x, y in pairs}
    falling = sorted(set(weights.values()), reverse=True)
    curves = []
    for index in range(math.ceil(math.comb(side, 2) * 0.8)):
        entered = [edge for edge, weight in weights.items() if weight in falling[: index + 1]]
        curves.append(betti_numbers(side, entered, dimension))
    return curves


def authors_birth_point(values, dimension=1, limit=50):
    """The index of the first row with a hole; 0 for none, and for a hole in row 0."""
    for index, numbers in enumerate(authors_curves(values, dimension)):
        if index > limit:
            return 0
        if numbers[dimension] != 0:
            return index
    return 0
