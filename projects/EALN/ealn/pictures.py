"""The paper's diagrams: histograms of distances (Fig. 9), the sweep of β1 and β2 (Fig. 10), and losses (Fig. 11)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from vreid_common.errors import InputError

__all__ = ["draw_distances", "draw_losses", "draw_sweep"]

_BINS = 40


def draw_distances(distances: Mapping[str, np.ndarray], beta1: float | None = None) -> Figure:
    """Histograms of several kinds of squared distances, each summing to 100 %.

    Args:
        distances: name → values; NaN is left out.
        beta1: where a line is drawn.

    Raises:
        InputError: a kind has no value.
    """
    kept = {name: values[np.isfinite(values)] for name, values in distances.items()}
    for name, values in kept.items():
        if not len(values):
            raise InputError(f"There is no distance of the kind {name!r} to draw.")
    figure = Figure(figsize=(5.4, 3.6), layout="constrained")
    axes = figure.add_subplot(xlabel="squared distance", ylabel="images, %")
    edges = np.linspace(0, max(values.max() for values in kept.values()), _BINS + 1)
    for name, values in kept.items():
        axes.hist(values, edges, weights=np.full(len(values), 100 / len(values)), histtype="stepfilled", alpha=0.45, label=name)
    if beta1 is not None:
        axes.axvline(beta1, color="0.3", linewidth=0.8, linestyle="--", label="β1")
    axes.legend()
    return figure


def draw_losses(curves: Mapping[str, tuple[Sequence[int], Sequence[float]]]) -> Figure:
    """A line a training.

    Args:
        curves: name → iterations and losses.
    """
    figure = Figure(figsize=(5.4, 3.6), layout="constrained")
    axes = figure.add_subplot(xlabel="iteration", ylabel="softmax and triplet loss")
    for name, (iterations, losses) in curves.items():
        axes.plot(iterations, losses, linewidth=1.0, label=name)
    axes.grid(alpha=0.3)
    axes.legend()
    return figure


def draw_sweep(points: Mapping[tuple[float, float], Sequence[float]]) -> Figure:
    """mAP over β1, a line for each β2, and over β2, a line for each β1; bars are sample standard deviations.

    Args:
        points: (β1, β2) → mAP of each seed, in percent.

    Raises:
        InputError: no two points differ in one of the two alone, so that there is no line.
    """
    figure = Figure(figsize=(8.0, 3.4), layout="constrained")
    axes = figure.subplots(1, 2, sharey=True)
    drawn = [_lines(plot, points, varied) for varied, plot in enumerate(axes)]
    if not any(drawn):
        raise InputError("The sweep has no two values of beta1 or of beta2 with results to draw a line through.")
    axes[0].set_ylabel("mAP, %")
    return figure


def _lines(axes: Axes, points: Mapping[tuple[float, float], Sequence[float]], varied: int) -> int:
    """Lines over β1 (``varied`` 0) or β2 (1), one for each value of the other that has two points or more; how many."""
    lines: dict[float, list[tuple[float, Sequence[float]]]] = {}
    for betas, values in sorted(points.items()):
        lines.setdefault(betas[1 - varied], []).append((betas[varied], values))
    lines = {other: line for other, line in lines.items() if len(line) > 1}
    for other, line in lines.items():
        means = [np.mean(values) for _, values in line]
        spread = [np.std(values, ddof=1) if len(values) > 1 else 0.0 for _, values in line]
        axes.errorbar([beta for beta, _ in line], means, spread, marker="o", capsize=3, label=f"β{2 - varied} = {other:g}")
    axes.set_xlabel(f"β{varied + 1}")
    axes.grid(alpha=0.3)
    if lines:
        axes.legend()
    return len(lines)
