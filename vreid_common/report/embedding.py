"""Features of some images laid out in the plane by t-SNE.

Shape shorthand: N images, D feature dimensions, S sampled images.
"""

from __future__ import annotations

import numpy as np
from scipy.linalg import eigh
from sklearn.manifold import TSNE
from threadpoolctl import threadpool_limits
from torch import Tensor
from torch.nn.functional import normalize

from vreid_common.structures import UNKNOWN

__all__ = ["lay_out", "sample_images"]

_DIMENSIONS = 50
"""What principal components are kept of the features; the authors of t-SNE do so too."""
_PERPLEXITY = 30.0


def sample_images(pids: np.ndarray, most: int, num_identities: int, seed: int) -> np.ndarray:
    """Images to lay out: those of a few whole identities, because of one or two images an identity no cluster can be seen.

    Args:
        pids: (N,) identities; where none is known, images are drawn one by one.
        most: how many images at most; an identity has no more than its equal share of them.
        num_identities: how many identities are drawn, of those with two images or more.
        seed: of the draws.

    Returns:
        (S,) rising indices.
    """
    rng = np.random.default_rng(seed)
    known, counts = np.unique(pids[pids != UNKNOWN], return_counts=True)
    known = known[counts > 1]
    if not len(known):
        return np.sort(rng.permutation(len(pids))[:most])
    drawn = rng.permutation(known)[:num_identities]
    share = max(1, most // len(drawn))
    return np.sort(np.concatenate([rng.permutation(np.flatnonzero(pids == pid))[:share] for pid in drawn]))


def lay_out(features: Tensor, metric: str, seed: int) -> np.ndarray | None:
    """Places images so that those of near features lie near each other (van der Maaten and Hinton, JMLR 2008).

    Args:
        features: (S, D); for the cosine metric they are L2-normalised first, which gives the same neighbours.
        metric: one of ``METRICS``.
        seed: of the optimisation.

    Returns:
        (S, 2) in [0, 1]; None where there is nothing to lay out: fewer than 4 images, or all features equal.
    """
    features = features.detach().cpu().double()
    features = normalize(features, dim=1) if metric == "cosine" else features
    features = features - features.mean(dim=0)
    if len(features) < 4 or not (features.abs() > 1e-9).any():
        return None
    reduced = _principal_components((features @ features.T).numpy())
    perplexity = min(_PERPLEXITY, (len(reduced) - 1) / 3)
    start = 1e-4 * reduced[:, :2] / reduced[:, 0].std()
    with threadpool_limits(1):  # sums of several threads are no two times the same
        points = TSNE(perplexity=perplexity, init=start.astype(np.float32), random_state=seed).fit_transform(reduced)
    # One scale for both axes: lengths in the plane stay comparable.
    centred = points - (points.min(axis=0) + points.max(axis=0)) / 2
    return 0.5 + centred / max(np.ptp(points, axis=0).max(), np.finfo(np.float32).tiny)


def _principal_components(products: np.ndarray) -> np.ndarray:
    """(S, up to 50) coordinates of the S images along their features' principal axes, the widest first.

    Args:
        products: (S, S) inner products of the centred features.
    """
    size = len(products)
    variances, vectors = eigh(products, subset_by_index=[max(0, size - _DIMENSIONS), size - 1])
    return (vectors * np.sqrt(variances.clip(min=0)))[:, ::-1]
