"""Counts of two computations that round differently, compared as far as float32 can tell.

The same logit is summed in another order by another processor, batch or method. An image whose two
best logits differ by less than that may count for either class; such near ties are found, bounded
and allowed for, and every other image has to count for the same class.
"""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import xarray as xr

import jaxunits as ju

# Relative error of a float32 sum of 1,000 numbers (the MLP's logits add 784 + 16 + 12): n · 2⁻²⁴.
ROUNDING = 1000 * 2.0**-24
# Two logits on two sides, each off by as much.
SIDES = 4
# Of the images under a mask, or two where they are few; more would leave nothing to compare.
MOST_TIES = 0.05


def tolerance(logits, scale=None):
    """How far apart two computations of these logits, or of a margin between them, may be.

    `scale` is the largest number that is summed, where it is not among the logits.
    """
    return SIDES * ROUNDING * max(np.abs(logits).max(), scale or 0.0)


def near_ties(logits, scale=None):
    """The images whose best class float32 cannot tell, `[..., images]`.

    A mask under which all images have the same logits may have them all tied; else they are few.
    """
    best = np.sort(np.asarray(logits, np.float64), axis=-1)
    ties = best[..., -1] - best[..., -2] <= tolerance(logits, scale)
    found, images = ties.sum(-1), ties.shape[-1]
    assert ((found <= max(2, MOST_TIES * images)) | (found == images)).all(), found
    return ties


def count(logits, labels):
    """Correct images and sums of cross-entropies by class."""
    logits = np.asarray(logits, np.float64)
    classes = logits.shape[1]
    shifted = logits - logits.max(1, keepdims=True)
    loss = np.log(np.exp(shifted).sum(1)) - shifted[np.arange(len(labels)), labels]
    right = logits.argmax(1) == labels
    return tuple(
        np.bincount(labels, weights, classes) for weights in (right.astype(np.float64), loss)
    )


def assert_counts(result, logits, labels, scale=None):
    """Correct images and losses of one mask are those of the logits, `[images, classes]`.

    Returns the number of near ties.
    """
    ties = near_ties(logits, scale)
    correct, loss = count(logits, labels)
    images = np.bincount(labels, minlength=logits.shape[1])
    allowed = np.bincount(labels[ties], minlength=len(images))
    assert (np.abs(result.correct.values - correct) <= allowed).all(), (result.correct, correct)
    # A cross-entropy moves by no more than the two logits that it is between.
    apart = np.abs(result.loss_sum.values - loss)
    assert (apart <= tolerance(logits, scale) * images).all(), (result.loss_sum, loss)
    return int(ties.sum())


def assert_agree(one, other, logits, labels):
    """Two results of the same masks, whose logits are `[masks, images, classes]`, are the same.

    Returns the number of near ties.
    """
    classes = logits.shape[-1]
    ties = near_ties(logits)
    allowed = np.stack([np.bincount(labels[row], minlength=classes) for row in ties])
    difference = np.abs(one.correct.values - other.correct.values)
    assert (difference.reshape(allowed.shape) <= allowed).all(), difference
    apart = np.abs(one.loss_sum.values - other.loss_sum.values)
    assert (apart <= tolerance(logits) * np.bincount(labels, minlength=classes)).all(), apart
    return int(ties.sum())


def before(result):
    """The outcome without ablation, as that of a mask."""
    return xr.Dataset({"correct": result.correct_before, "loss_sum": result.loss_sum_before})


def logits_under(network, layer, images, masks, values="zero"):
    """Logits of any network of ours under masks of a layer, `[masks, images, classes]`.

    Evaluated mask by mask, as the network alone does it; `values` are zero or one per unit.
    """
    units = network.layers[layer].num_units
    values = np.zeros(units) if isinstance(values, str) else values
    given = {layer: jnp.asarray(values, jnp.float32)}
    masks = jnp.asarray(masks, jnp.float32)
    logits = _each_mask(network.function, network.params, layer, images, masks, given)
    return np.asarray(logits, np.float64)


@functools.partial(jax.jit, static_argnums=(0, 2))
def _each_mask(function, params, layer, images, masks, values):
    return jax.lax.map(lambda mask: function(params, images, {layer: mask}, values), masks)


def without_near_ties(network, data, layers=None):
    """The images whose class float32 can tell whichever unit is ablated, nearly all of them.

    On these, however a sweep of single units is carried out, its counts are the same.
    """
    images = standardized(network, data)
    ties = np.zeros(len(data), bool)
    for layer in layers or network.layers:
        units = network.layers[layer].num_units
        masks = np.concatenate([np.ones((1, units)), ju.ablation.single_units(units)])
        ties |= near_ties(logits_under(network, layer, images, masks)).any(0)
    assert ties.mean() <= MOST_TIES, f"{ties.mean():.1%} of the images are near ties"
    return ju.data.subset(data, np.flatnonzero(~ties))


def standardized(network, data):
    """All images as the network reads them."""
    stream = ju.data.batches(data, network.preprocessing, 100)
    return np.concatenate([batch.images[batch.valid] for batch in stream])


def assert_greedy(order, units, label, logits_without):
    """Each unit of a greedy order takes most from a class, given those before it.

    `logits_without` gives the logits of the class's images, `[images, classes]`, without the units
    of a list. Where near ties or rounded losses leave the choice open, any of the best will do.
    """
    for step, chosen in enumerate(order):
        gone = [int(unit) for unit in order[:step]]
        least, most, loss, error = {}, {}, {}, {}
        for unit in set(range(units)) - set(gone):
            logits = logits_without([*gone, unit])
            labels = np.full(len(logits), label)
            ties = int(near_ties(logits).sum())
            correct, losses = count(logits, labels)
            least[unit], most[unit] = correct[label] - ties, correct[label] + ties
            loss[unit] = losses[label]
            error[unit] = tolerance(logits) * len(logits)
        chosen = int(chosen)
        assert least[chosen] <= min(most.values()), (step, chosen, most)
        rivals = [unit for unit in most if most[unit] == least[unit] == least[chosen]]
        if chosen in rivals:
            assert all(loss[chosen] >= loss[u] - error[u] - error[chosen] for u in rivals)
