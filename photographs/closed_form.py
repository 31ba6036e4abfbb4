"""Computes before any training the head, and where the terms of captions belong.

**Head.** The directions W in which photographs' features x go together best with the terms y that their captions have:
regularised canonical correlation, W = (C + mean(C) I)^-1/2 U for C the covariance of x and U the left singular vectors
of the whitened covariance of x and y. A place's embedding is e = [W (x - mu), c] and a text's last number is 0, so that

    cos(e, t) = W (x - mu) . t / sqrt( |W (x - mu)|^2 + c^2 )

is a cosine for a small c and a dot product for a large one: a place of which the trunk says little counts for little.

**Prototypes.** Of a term, over the N photographs that have it, with P places each,

    m = 1/N sum_n z_n - mean z           z: unit embeddings of whole photographs
    a = 1/N sum_n sum_p w_np e_np - mean e     w_n = softmax_p( tau cos(e_np, a) ), from a = m, twice

and the prototype is m / |m| + a / |a|, of unit norm: what such photographs have in common, and which places of them.

**People** are in most photographs, so that what these have in common is no person. Their prototype is the w of a
logistic regression with several places to one label (multiple-instance learning, Dietterich et al. 1997) at its least:

    mean_n softplus( -s_n (b + 1/T log( 1/P sum_p exp(T w . e_np) )) ) + r |w|^2      s_n = 1 with people, -1 without

both kinds of photographs weighing the same.
"""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F
from torch import Tensor, nn

CONSTANT = 0.5  # c, of the median norm of places
SHARPNESS = 20.0  # tau
ROUNDS = 2
PLACES = 3.0  # T of the regression: 0 asks for the mean place, infinity for the best one
RIDGE = 2e-3  # r
BATCH = 512  # photographs


@torch.no_grad()
def closed_form_head(places: Tensor, having: Tensor, dimensions: int) -> nn.Linear:
    """The head of places (N, P, D) of photographs and the terms that they have (N, T): D -> `dimensions`, the last of
    which is the constant. Whole photographs have a median norm of 1, without it.
    """
    x = torch.cat([part.float().mean(1) for part in places.split(BATCH)])
    mean = x.mean(0)
    x = x - mean
    values, vectors = torch.linalg.eigh(x.T @ x / len(x))
    whitening = (vectors * (values + values.mean()) ** -0.5) @ vectors.T
    y = having.float()
    y = (y - y.mean(0)) / y.std(0).clamp_min(1e-6)
    left, _, _ = torch.linalg.svd((x @ whitening).T @ y / len(x), full_matrices=False)
    directions = whitening @ left[:, : dimensions - 1]
    directions = directions / (x @ directions).norm(dim=1).median()
    head = nn.Linear(x.shape[1], dimensions)
    head.weight.zero_()
    head.bias.zero_()
    head.weight[: directions.shape[1]] = directions.T
    head.bias[: directions.shape[1]] = -(mean @ directions)
    norms = torch.cat([head(part.float()).norm(dim=-1) for part in places.split(BATCH)])
    head.bias[-1] = CONSTANT * norms.median()
    return head


@torch.no_grad()
def prototypes(places: Tensor, having: Tensor, head: nn.Linear) -> Tensor:
    """Unit vectors (T, D) of terms, by places (N, P, .) of photographs and the terms that they have (N, T)."""
    dense = torch.cat([F.normalize(head(part.float()), dim=-1).half() for part in places.split(BATCH)])
    whole = torch.cat([F.normalize(head(part.float().mean(1)), dim=-1) for part in places.split(BATCH)])
    mean_place = torch.stack([part.float().mean((0, 1)) * len(part) for part in dense.split(BATCH)]).sum(0)
    mean_place, mean_whole = mean_place / len(dense), whole.mean(0)
    found = []
    for having_it in having.T:
        theirs = dense[having_it].float()
        common = aimed = _unit(whole[having_it].mean(0) - mean_whole)
        for _ in range(ROUNDS):
            weights = (SHARPNESS * (theirs @ aimed)).softmax(1)
            aimed = _unit(torch.einsum("np,npd->d", weights, theirs) / len(theirs) - mean_place)
        found.append(_unit(common + aimed))
    return torch.stack(found)


def found_somewhere(places: Tensor, having: Tensor, head: nn.Linear) -> Tensor:
    """The direction (D,) of unit norm by which photographs (N, P, .) that have something (N,) are told from the others
    at some of their places. Both kinds are needed.
    """
    with torch.no_grad():
        dense = torch.cat([F.normalize(head(part.float()), dim=-1) for part in places.split(BATCH)])
    direction, bias = torch.zeros(dense.shape[-1], requires_grad=True), torch.zeros((), requires_grad=True)
    sign, weights = having.float() * 2 - 1, torch.where(having, 0.5 / having.sum(), 0.5 / (~having).sum())
    optimizer = torch.optim.LBFGS([direction, bias], max_iter=150, line_search_fn="strong_wolfe")

    def loss() -> Tensor:
        optimizer.zero_grad()
        cosines = dense[..., :-1] @ direction[:-1]  # without the constant
        score = bias + ((PLACES * cosines).logsumexp(1) - math.log(dense.shape[1])) / PLACES
        found = (weights * F.softplus(-sign * score)).sum() + RIDGE * direction.square().sum()
        found.backward()
        return found

    optimizer.step(loss)  # type: ignore[arg-type]
    return _unit(direction.detach())


def _unit(vector: Tensor) -> Tensor:
    """Scales a vector to unit norm, without a part along the constant."""
    return F.normalize(torch.cat([vector[:-1], vector.new_zeros(1)]), dim=0)
