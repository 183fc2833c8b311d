"""Draws docs/images/reranking-*.png: what the functions of vreid_common.reranking do to a few images whose features are seen.

Every place, rank and line comes from those functions. Run it again after changing one of them:

    python docs/figures/reranking.py [FOLDER]

Where a function compares by the cosine, images stand on a circle, or their places in the plane are lifted onto a sphere, so
that near in the picture is near by the cosine.

Shape shorthand: N images, G gallery images, 2 coordinates.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable
from pathlib import Path

import matplotlib as mpl
import numpy as np
import torch
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from vreid_common.evaluation import evaluate_ranking
from vreid_common.reranking import (
    alpha_query_expansion,
    average_query_expansion,
    average_tracklets,
    database_augmentation,
    diffusion,
    dual_embedding_expansion,
    fuse_distances,
    graph_propagation,
    k_reciprocal,
    nearest_neighbors,
    pull_tracklets,
    tracklet_distance,
)

IMAGES = Path(__file__).parents[1] / "images"
# Colours that people with any colour vision tell apart (Okabe and Ito), dark enough on white.
BLUE, ORANGE, GREEN, PURPLE, GREY = "#0072B2", "#D55E00", "#009E73", "#AA4499", "#666666"
AFTER = 0.7
"""Radius at which features after a step are drawn."""
STYLE = {"font.size": 10, "axes.titlesize": 10.5, "legend.fontsize": 9.5}


def circle(degrees: np.ndarray) -> np.ndarray:
    """Features (N, 2) float32 of unit length at angles (N,)."""
    return np.stack([np.cos(np.radians(degrees)), np.sin(np.radians(degrees))], axis=1).astype(np.float32)


def sphere(places: np.ndarray) -> np.ndarray:
    """Features (N, 3) float32 of unit length above places (N, 2) of the plane."""
    lifted = np.concatenate([0.3 * places, np.ones((len(places), 1))], axis=1)
    return (lifted / np.linalg.norm(lifted, axis=1, keepdims=True)).astype(np.float32)


def average_precision(distance: np.ndarray, same: np.ndarray) -> float:
    """Of one query with the distances (1, G), where ``same`` (G,) are its matches."""
    return evaluate_ranking(distance, np.ones(1, int), same.astype(int)).mAP


def panels(count: int, height: float) -> tuple[Figure, list[Axes]]:
    figure = Figure(figsize=(8.8, height), dpi=100, facecolor="white", layout="constrained")
    figure.get_layout_engine().set(w_pad=0.06, h_pad=0.06)
    return figure, list(figure.subplots(1, count, squeeze=False).flat)


def bare(axis: Axes, title: str) -> None:
    axis.set(title=title, xticks=[], yticks=[])
    axis.set_aspect("equal")
    for spine in axis.spines.values():
        spine.set_color("#cccccc")


def draw_ring(axis: Axes, name: str, gallery: np.ndarray, colors: list[str]) -> None:
    """The half circle of unit features, and within it the arc on which features after a step are drawn."""
    arc = circle(np.linspace(0, 180, 90))
    for radius in (1.0, AFTER):
        axis.plot(*(arc * radius).T, color="#cccccc", lw=0.8, zorder=0)
    axis.scatter(*gallery.T, c=colors, s=34, zorder=3)
    bare(axis, name)
    axis.set(xlim=(-1.12, 1.12), ylim=(-0.06, 1.2))


def draw_moves(axis: Axes, before: np.ndarray, after: np.ndarray, colors: list[str]) -> None:
    """Lines from features before (N, 2), on the outer arc, to those after (N, 2), hollow on the inner one."""
    for start, stop, color in zip(before, after * AFTER, colors, strict=True):
        axis.plot(*np.stack([start, stop]).T, color=color, lw=1, alpha=0.7)
    axis.scatter(*before.T, c=colors, s=34, zorder=3)
    axis.scatter(*(after * AFTER).T, c="white", edgecolors=colors, s=34, linewidths=1.6, zorder=3)


def draw_query(axis: Axes, query: np.ndarray, after: np.ndarray) -> None:
    draw_moves(axis, query, after, [PURPLE])
    axis.annotate("query", query[0], (0, 6), textcoords="offset points", ha="center", color=PURPLE)
    axis.annotate("after", after[0] * AFTER, (0, -15), textcoords="offset points", ha="center", color=PURPLE)


def expansion() -> Figure:
    """Query expansion and database augmentation on a circle."""
    angles = np.array([8.0, 20, 33, 46, 52, 96, 108, 121, 133, 150, 165])
    colors = [ORANGE if angle < 60 else BLUE for angle in angles]
    gallery, query, k = circle(angles), circle(np.array([80.0])), 6
    nearest, cosines = nearest_neighbors(torch.from_numpy(query), torch.from_numpy(gallery), k)
    figure, axes = panels(3, 2.35)
    for axis, alpha, name, after in (
        (axes[0], 0, "average_query_expansion\nk=6", average_query_expansion(query, gallery, k)),
        (axes[1], 3, "alpha_query_expansion\nk=6, α=3", alpha_query_expansion(query, gallery, k, 3)),
    ):
        draw_ring(axis, name, gallery, colors)
        for image, cosine in zip(nearest[0].tolist(), cosines[0].tolist(), strict=True):
            axis.plot(*np.stack([query[0], gallery[image]]).T, color=GREY, lw=0.2 + 1.8 * cosine**alpha, zorder=1)
        draw_query(axis, query, after)
    draw_ring(axes[2], "database_augmentation\nk=4", gallery, colors)
    draw_moves(axes[2], gallery, database_augmentation(gallery, 4), colors)
    return figure


def tracks() -> Figure:
    """DEx and the averaging of tracks on a circle."""
    angles = np.array([12.0, 25, 76, 80, 70, 99, 114, 126, 148, 160])
    track_ids = np.array([0, 0, 0, 0, 1, 1, 1, 1, 2, 2])
    colors = [(ORANGE, BLUE, GREEN)[track] for track in track_ids]
    gallery, query = circle(angles), circle(np.array([89.0]))
    figure, axes = panels(3, 2.35)
    for axis, name, after in (
        (axes[0], "average_query_expansion\nk=4", average_query_expansion(query, gallery, 4)),
        (axes[1], "dual_embedding_expansion\nk=4, α=0", dual_embedding_expansion(query, gallery, track_ids, 4, 0)),
    ):
        draw_ring(axis, name, gallery, colors)
        draw_query(axis, query, after)
    draw_ring(axes[2], "average_tracklets\nweight=1", gallery, colors)
    draw_moves(axes[2], gallery, average_tracklets(gallery, track_ids, 1.0), colors)
    return figure


def rankings() -> Figure:
    """One query's ranking, an image a square, coloured and lettered by track."""
    distance = np.array([[0.10, 0.16, 0.20, 0.26, 0.30, 0.34, 0.38, 0.46, 0.50, 0.62, 0.70, 0.85]])
    track_ids = np.array([0, 1, 1, 2, 1, 3, 2, 2, 0, 3, 0, 0])
    ranked = np.argsort(distance, axis=1, kind="stable")
    rows = [
        ("ranking by features", ranked),
        ('tracklet_distance, reduce="mean"', np.argsort(tracklet_distance(distance, track_ids, "mean"), kind="stable")),
        ('tracklet_distance, reduce="min"', np.argsort(tracklet_distance(distance, track_ids, "min"), kind="stable")),
        ("pull_tracklets, top_k=10", pull_tracklets(ranked, track_ids, top_k=10)),
    ]
    figure, (axis,) = panels(1, 2.4)
    for row, (name, order) in enumerate(rows):
        axis.text(-0.35, -row, name, ha="right", va="center")
        for place, image in enumerate(order[0]):
            track = track_ids[image]
            color = (BLUE, ORANGE, GREEN, PURPLE)[track]
            axis.add_patch(mpl.patches.Rectangle((place + 0.04, -row - 0.4), 0.92, 0.8, color=color))
            label = f"{'ABCD'[track]}{int((track_ids[:image] == track).sum()) + 1}"
            axis.text(place + 0.5, -row, label, ha="center", va="center", color="white", weight="bold")
    axis.set(xlim=(-5.6, len(track_ids) + 0.1), ylim=(-3.6, 0.6))
    axis.axis("off")
    return figure


def draw_ranks(axis: Axes, query: np.ndarray, gallery: np.ndarray, same: np.ndarray, distance: np.ndarray, name: str) -> None:
    """The gallery (G, 2), darker the nearer by ``distance`` (1, G): circles are the query's identity, squares another.

    Images that tie with others for the last place are hollow.
    """
    place = np.argsort(np.argsort(distance[0], kind="stable"), kind="stable")
    colors = mpl.colormaps["YlGnBu_r"](place / (1.08 * len(gallery)))
    last = distance[0] == distance.max()
    if last.sum() > 1:
        colors[last] = 1
    for chosen, marker in ((same, "o"), (~same, "s")):
        axis.scatter(*gallery[chosen].T, c=colors[chosen], marker=marker, edgecolors="#444444", linewidths=0.8, s=42, zorder=3)
    axis.scatter(*query.T, marker="*", s=210, c=ORANGE, edgecolors="black", linewidths=0.7, zorder=5)
    bare(axis, f"{name}\nAP {average_precision(distance, same):.2f}")


def moons() -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Query (1, 2), gallery (56, 2) and which images are the query's identity: two arcs whose ends are near each other."""
    rng = np.random.default_rng(2)
    angle = np.linspace(0, np.pi, 28)
    upper = np.stack([np.cos(angle), np.sin(angle)], axis=1)
    lower = np.stack([1 - np.cos(angle), 0.42 - np.sin(angle)], axis=1)
    gallery = np.concatenate([upper, lower]) + 0.035 * rng.normal(size=(56, 2))
    return np.array([[1.04, 0.1]]), gallery, np.arange(56) < 28


def draw_diffusion() -> Figure:
    """Diffusion along an arc; with neighbourhoods larger than an identity it leaks into the other."""
    query, gallery, same = moons()
    lifted = sphere(query), sphere(gallery)
    cosine = 1 - lifted[0] @ lifted[1].T
    figure, axes = panels(3, 2.35)
    draw_ranks(axes[0], query, gallery, same, cosine, "cosine distance")
    for axis, k in ((axes[1], 5), (axes[2], 40)):
        similarity = diffusion(*lifted, k=k, kq=3, alpha=0.99, iterations=200)
        draw_ranks(axis, query, gallery, same, -similarity, f"diffusion, k={k}")
    return figure


def neighborhoods() -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Query (1, 2), gallery (30, 2) and its matches: the query's identity is spread out, another one dense and near."""
    rng = np.random.default_rng(4)
    spread = rng.normal(size=(14, 2)) * (0.5, 0.36) + (-0.15, 0)
    dense = rng.normal(size=(16, 2)) * 0.07 + (0.62, 0.02)
    order = rng.permutation(30)  # else ties by index would favour the query's identity
    return np.array([[0.22, 0.0]], np.float32), np.concatenate([spread, dense])[order].astype(np.float32), order < 14


def draw_k_reciprocal() -> Figure:
    """Neighbours of the query that have it among their own, and what follows."""
    query, gallery, same = neighborhoods()
    squared = ((query[:, None] - gallery) ** 2).sum(axis=2)
    figure, axes = panels(3, 2.8)
    k1 = 8
    draw_ranks(axes[0], query, gallery, same, squared, "Euclidean distance")
    every = torch.from_numpy(np.concatenate([query, gallery]))
    neighbors, _ = nearest_neighbors(every, every, k1 + 1, metric="euclidean")
    for image in neighbors[0, 1:].tolist():
        mutual = bool((neighbors[image] == 0).any())
        line = np.stack([query[0], gallery[image - 1]]).T
        axes[0].plot(*line, color=BLUE if mutual else ORANGE, ls="-" if mutual else ":", lw=1.8, zorder=2)
    draw_ranks(axes[1], query, gallery, same, k_reciprocal(query, gallery, k1, 3, 0.3), f"k_reciprocal, k1={k1}, k2=3")
    draw_ranks(axes[2], query, gallery, same, k_reciprocal(query, gallery, 25, 3, 0.3), "k_reciprocal, k1=25, k2=3")
    return figure


def draw_graph_propagation() -> Figure:
    """Features that are rows of the neighbour graph."""
    query, gallery, same = neighborhoods()
    lifted = sphere(query), sphere(gallery)
    figure, axes = panels(3, 2.8)
    draw_ranks(axes[0], query, gallery, same, 1 - lifted[0] @ lifted[1].T, "cosine distance")
    for axis, k1, k2 in ((axes[1], 8, 3), (axes[2], 2, 1)):
        draw_ranks(axis, query, gallery, same, graph_propagation(*lifted, k1, k2), f"graph_propagation, k1={k1}, k2={k2}")
    return figure


def fusion() -> Figure:
    """Lines of equal distance before and after an orientation's distance is subtracted."""
    rng = np.random.default_rng(1)
    same = np.arange(26) < 8
    identity = np.where(same, rng.uniform(0.35, 0.75, 26), rng.uniform(0.5, 1.2, 26))
    orientation = np.where(same, rng.uniform(0.5, 1.5, 26), rng.uniform(0.0, 1.5, 26))
    # Look-alikes seen from the query's own side are too near.
    identity[8:14], orientation[8:14] = rng.uniform(0.3, 0.55, 6), rng.uniform(0.0, 0.25, 6)
    figure, axes = panels(2, 3.0)
    grid = np.meshgrid(np.linspace(0.2, 1.3, 60), np.linspace(-0.1, 1.6, 60))
    for axis, factor in zip(axes, (0.0, 0.3), strict=True):
        fused = fuse_distances(identity[None], orientation[None], lambda_orientation=factor)
        field = fuse_distances(grid[0], grid[1], lambda_orientation=factor)
        axis.contour(*grid, field, levels=9, colors="#aaaaaa", linewidths=1)
        axis.scatter(identity[same], orientation[same], c=BLUE, s=40, marker="o", label="the query's vehicle", zorder=3)
        axis.scatter(identity[~same], orientation[~same], c=ORANGE, s=40, marker="s", label="another", zorder=3)
        axis.set(xlabel="distance of identity", ylabel="distance of orientation", xticks=[], yticks=[])
        axis.set_title(f"lambda_orientation={factor}, AP {average_precision(fused, same):.2f}")
    axes[1].legend(loc="upper left", bbox_to_anchor=(1.0, 1.0))
    return figure


FIGURES: dict[str, Callable[[], Figure]] = {
    "expansion": expansion,
    "tracks": tracks,
    "rankings": rankings,
    "k-reciprocal": draw_k_reciprocal,
    "diffusion": draw_diffusion,
    "graph-propagation": draw_graph_propagation,
    "fusion": fusion,
}


def main() -> None:
    parser = argparse.ArgumentParser(description="Draws the pictures of docs/reranking.md.")
    parser.add_argument("folder", nargs="?", type=Path, default=IMAGES, help="where to write (default: docs/images)")
    folder = parser.parse_args().folder
    with mpl.rc_context(STYLE):
        for name, draw in FIGURES.items():
            draw().savefig(folder / f"reranking-{name}.png", metadata={"Software": None})


if __name__ == "__main__":
    main()
