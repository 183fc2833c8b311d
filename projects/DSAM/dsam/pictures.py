"""Fig. 1 and Fig. 4: where a loss puts the images of an identity.

Shape shorthand: N images; D feature dimensions.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from sklearn.manifold import TSNE

from vreid_common.errors import InputError

__all__ = ["Features", "draw_plane", "draw_tsne"]

Features = tuple[np.ndarray, np.ndarray]
"""(N, D) features and (N,) identities."""

_PALETTES = ("tab10", "tab20")
_SIDE = 2.4


def draw_plane(models: Mapping[str, Features]) -> Figure:
    """Fig. 1: features of 2 dimensions, a column a model; above in the original space, below their directions.

    Args:
        models: name → (N, 2) features and (N,) identities.

    Raises:
        InputError: a feature has not 2 dimensions.
    """
    figure = Figure(figsize=(_SIDE * len(models), 2 * _SIDE), layout="constrained")
    axes = figure.subplots(2, len(models), squeeze=False)
    for (above, below), (name, (features, identities)) in zip(axes.T, models.items(), strict=True):
        if features.ndim != 2 or features.shape[1] != 2:
            raise InputError(
                f"{name} has features of {features.shape[-1]} dimensions: the plane needs MODEL.HEADS.EMBEDDING_DIM 2."
            )
        _scatter(above, features, identities)
        above.set_title(name)
        above.axhline(0, color="0.8", linewidth=0.6, zorder=0)
        above.axvline(0, color="0.8", linewidth=0.6, zorder=0)
        length = np.linalg.norm(features, axis=1, keepdims=True)
        _scatter(below, np.divide(features, length, out=np.zeros_like(features), where=length > 0), identities)
        circle = np.linspace(0, 2 * np.pi, 200)
        below.plot(np.cos(circle), np.sin(circle), color="0.8", linewidth=0.6, zorder=0)
        below.set_aspect("equal")
    axes[0, 0].set_ylabel("original space")
    axes[1, 0].set_ylabel("angular space")
    return figure


def draw_tsne(models: Mapping[str, Mapping[str, Features]], seed: int = 0) -> Figure:
    """Fig. 4: t-SNE (van der Maaten and Hinton, 2008) of the features, a column a model, a row a choice of images.

    Args:
        models: name → title of the choice → features and identities.
        seed: of t-SNE's start.
    """
    titles = list(next(iter(models.values())))
    figure = Figure(figsize=(_SIDE * len(models), _SIDE * len(titles)), layout="constrained")
    axes = figure.subplots(len(titles), len(models), squeeze=False)
    for column, (name, choices) in zip(axes.T, models.items(), strict=True):
        for plot, (title, (features, identities)) in zip(column, choices.items(), strict=True):
            # Between 5 and 50 (their Sec. 4), and below the number of images.
            perplexity = min(30.0, (len(features) - 1) / 3)
            embedding = TSNE(perplexity=perplexity, init="pca", random_state=seed).fit_transform(features)
            _scatter(plot, embedding, identities)
            plot.set_ylabel(title if plot in axes[:, 0] else "")
        column[0].set_title(name)
    return figure


def _scatter(axes: Axes, places: np.ndarray, identities: np.ndarray) -> None:
    few = len(np.unique(identities)) <= 10
    axes.scatter(*places.T, c=identities, s=7, linewidths=0, alpha=0.8, cmap=_PALETTES[0 if few else 1])
    axes.set_xticks([])
    axes.set_yticks([])
