"""Which queries a report shows.

Shape shorthand: Q queries.
"""

from __future__ import annotations

import numpy as np

__all__ = ["choose_examples"]


def choose_examples(ap: np.ndarray, count: int, seed: int) -> dict[str, list[int]]:
    """``count`` queries of the highest AP, the lowest first of as many of the lowest, and as many of all others at random.

    Of few queries each gets a third.

    Args:
        ap: (Q,) average precisions, NaN where there is none; ties go by index.
        count: of each kind.
        seed: of the random ones.
    """
    known = np.flatnonzero(~np.isnan(ap))
    order = known[np.argsort(-ap[known], kind="stable")]
    part = min(count, -(-len(order) // 3))
    best, worst = order[:part], order[part:][::-1][:part]
    others = np.setdiff1d(np.arange(len(ap)), np.concatenate([best, worst]))
    drawn = np.sort(np.random.default_rng(seed).permutation(others)[:count])
    return {"best": best.tolist(), "worst": worst.tolist(), "random": drawn.tolist()}
