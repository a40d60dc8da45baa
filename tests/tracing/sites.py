"""The layers that are found in a module or function, and their activations."""

import jax
import jax.numpy as jnp
import numpy as np
from flax import nnx

from jaxunits.networks import tagged
from jaxunits.tracing import Graph, find_sites, trace

IMAGES = (2, 6, 6, 3)


def images(shape=IMAGES, seed=0):
    return jnp.asarray(np.random.default_rng(seed).normal(size=shape), jnp.float32)


class Found:
    """The layers of a module, or of a function of parameters and images."""

    def __init__(self, network, array=None, *, params=None, hook="unit", **options):
        array = images() if array is None else array
        function = network
        if isinstance(network, nnx.Module):
            evaluated = nnx.view(
                network, raise_if_not_found=False, deterministic=True, use_running_average=True
            )
            graph, random, params = nnx.split(evaluated, nnx.RngState, ...)

            def function(params, array):
                return tagged(nnx.merge(graph, params, random))(array)

        self.arguments = (params, array)
        self.program = trace(function, *self.arguments)
        self.graph = Graph(self.program, self.program.leaves(1))
        self.sites = {site.name: site for site in find_sites(self.graph, hook=hook, **options)}

    @property
    def names(self):
        return [[site.name, *site.aliases] for site in self.sites.values()]

    def activations(self, name, call=0):
        return self.program.values(self.arguments, [self.sites[name].values[call]])[0]

    def assert_activations(self, name, wanted, call=0):
        np.testing.assert_allclose(self.activations(name, call), wanted, rtol=1e-5, atol=1e-5)


def with_noise(module, seed=1):
    """A module whose parameters and running averages are random, so that values tell them apart."""
    random = np.random.default_rng(seed)

    def noisy(leaf):
        if not jnp.issubdtype(leaf.dtype, jnp.floating):
            return leaf
        return jnp.asarray(0.2 + random.random(leaf.shape), leaf.dtype)

    state = nnx.state(module, (nnx.Param, nnx.BatchStat))
    nnx.update(module, jax.tree.map(noisy, state))
    return module
