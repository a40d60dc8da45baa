"""Small networks of modules and functions that run one after another."""

from flax import nnx

import jaxunits as ju


class Chain(nnx.Module):
    """Modules and functions, each reads what the one before gives."""

    def __init__(self, parts):
        self.order = tuple(parts)
        for name, part in parts.items():
            setattr(self, name, part)

    def __call__(self, state):
        for name in self.order:
            state = getattr(self, name)(state)
        return state


def chain(preprocessing, **parts):
    """A network of such parts, the layers named as they are."""
    return ju.networks.from_nnx(Chain(parts), preprocessing=preprocessing, name="chain")


def flatten(maps):
    return maps.reshape(len(maps), -1)


def average(maps):
    """The mean of each map."""
    return maps.mean((1, 2))


def changed(network, name, change):
    """A network like another, one of its arrays changed by a function."""
    array = ju.networks.arrays(network)[name]
    return ju.networks.with_arrays(network, {name: change(array)})
