"""Cumulative matching characteristics of several models in one picture.

Shape shorthand: K ranks.
"""

from collections.abc import Mapping, Sequence

import numpy as np
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from vreid_common.errors import InputError

__all__ = ["draw_cmc"]

_MARKERS = "osD^vP*X<>"


def draw_cmc(curves: Mapping[str, Sequence[float] | np.ndarray], *, title: str = "", max_rank: int = 20) -> Figure:
    """Draws the share of queries that have a match among their first 1, 2, ... gallery images, a line a model.

    Args:
        curves: name → (K,) fractions, as ``RankingMetrics.cmc`` has them; lengths may differ.
        title: stands above.
        max_rank: the last rank that is shown.

    Raises:
        InputError: there is no curve, a curve has no ranks or is no CMC, or ``max_rank`` is below 2.
    """
    if not curves or max_rank < 2:
        raise InputError(f"A CMC picture needs a curve and 2 ranks or more, got {len(curves)} curves and max_rank {max_rank}.")
    figure = Figure(figsize=(5.4, 4.2), layout="constrained")
    axes = figure.add_subplot(xlabel="rank", ylabel="queries with a match, %", title=title)
    for place, (name, values) in enumerate(curves.items()):
        shares = np.asarray(values, dtype=np.float64)
        if shares.ndim != 1 or not len(shares) or not ((shares >= 0) & (shares <= 1)).all() or (np.diff(shares) < 0).any():
            raise InputError(f"The CMC of {name!r} has to be rising fractions from rank 1 on.")
        shown = 100 * shares[:max_rank]
        marker = _MARKERS[place % len(_MARKERS)]
        axes.plot(range(1, len(shown) + 1), shown, marker=marker, markersize=4, label=f"{name} ({shown[0]:.1f})")
    axes.set_xlim(0.5, max_rank + 0.5)
    axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    axes.grid(alpha=0.3)
    axes.legend(title="rank 1 in brackets", loc="lower right")
    return figure
