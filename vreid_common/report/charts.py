"""Geometry of the page's charts, in the units of their SVG view boxes; the template draws them in the page's own colours.

matplotlib's SVG fixes its colours and is ten times as large.

Shape shorthand: K ranks, N bins, S images in the plane.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from matplotlib.ticker import MaxNLocator

__all__ = ["Area", "Chart", "Legend", "Line", "Mark", "Scatter", "cmc_chart", "histogram_chart", "scatter_chart"]

_WIDTH, _HEIGHT = 560, 300
_LEFT, _RIGHT, _TOP, _BOTTOM = 64, 14, 14, 46
_SHOWN_RANKS = 20
_SQUARE, _PADDING = 400, 10

COLOURS, SHAPES = 10, 2
"""How many of each the page's style has for marks of categories."""


@dataclass(frozen=True)
class Tick:
    place: float
    label: str


@dataclass(frozen=True)
class Line:
    """A curve: its name, its path, the points on it, and its first value in percent."""

    name: str
    path: str
    points: tuple[tuple[float, float], ...]
    first: float


@dataclass(frozen=True)
class Area:
    """A histogram's outline: the kind of pairs, their number, and the path."""

    kind: str
    count: int
    path: str


@dataclass(frozen=True)
class Chart:
    """Axes and what is drawn on them. ``box`` is left, top, right and bottom of the axes."""

    x_label: str
    y_label: str
    x_ticks: tuple[Tick, ...]
    y_ticks: tuple[Tick, ...]
    drawn: tuple[Line, ...] | tuple[Area, ...]
    width: int = _WIDTH
    height: int = _HEIGHT
    box: tuple[int, int, int, int] = (_LEFT, _TOP, _WIDTH - _RIGHT, _HEIGHT - _BOTTOM)


@dataclass(frozen=True)
class Mark:
    """A point of a category, numbered; None is a category that has no mark of its own."""

    x: float
    y: float
    category: int | None
    title: str


@dataclass(frozen=True)
class Legend:
    """A category's name and number."""

    name: str
    category: int | None


@dataclass(frozen=True)
class Scatter:
    """Images in the plane, coloured by a label."""

    title: str
    marks: tuple[Mark, ...]
    legend: tuple[Legend, ...]
    size: int = _SQUARE


def cmc_chart(curves: Mapping[str, np.ndarray]) -> Chart:
    """The first ranks of CMC curves, name → (K,) fractions; the vertical axis begins below the lowest."""
    shown = {name: 100 * np.asarray(curve, np.float64)[:_SHOWN_RANKS] for name, curve in curves.items()}
    last = max(2, *map(len, shown.values()))
    low = 10 * np.floor(min(curve[0] for curve in shown.values()) / 10 - 1e-9)
    x_scale, y_scale = _scale(1, last, _LEFT, _WIDTH - _RIGHT), _scale(max(0, low), 100, _HEIGHT - _BOTTOM, _TOP)
    lines = []
    for name, curve in shown.items():
        points = tuple((x_scale(rank), y_scale(value)) for rank, value in enumerate(curve, start=1))
        lines.append(Line(name, _path(points), points, float(curve[0])))
    ranks = [1, *(int(tick) for tick in _ticks(1, last) if tick > 1 and tick == int(tick))]
    return Chart(
        "rank",
        "queries with a match, %",
        tuple(Tick(x_scale(rank), str(rank)) for rank in ranks),
        tuple(Tick(y_scale(tick), f"{tick:g}") for tick in _ticks(max(0, low), 100)),
        tuple(lines),
    )


def histogram_chart(edges: np.ndarray, counts: Mapping[str, np.ndarray]) -> Chart:
    """Histograms of kinds of pairs, each as shares of all of its kind.

    Args:
        edges: (N + 1,) of the bins.
        counts: kind → (N,); kinds without any pair are left out.
    """
    shares = {kind: 100 * count / count.sum() for kind, count in counts.items() if count.sum()}
    top = max((share.max() for share in shares.values()), default=1.0)
    low, high = float(edges[0]), float(edges[-1])
    x_scale, y_scale = _scale(low, high, _LEFT, _WIDTH - _RIGHT), _scale(0, 1.05 * top, _HEIGHT - _BOTTOM, _TOP)
    areas = []
    for kind, share in shares.items():
        corners = [
            (x_scale(edge), y_scale(value)) for edge, value in zip(np.repeat(edges, 2)[1:-1], np.repeat(share, 2), strict=True)
        ]
        outline = [(x_scale(low), y_scale(0)), *corners, (x_scale(high), y_scale(0))]
        areas.append(Area(kind, int(counts[kind].sum()), _path(outline) + "Z"))
    return Chart(
        "distance",
        "share of the pairs, %",
        tuple(Tick(x_scale(tick), f"{tick:g}") for tick in _ticks(low, high)),
        tuple(Tick(y_scale(tick), f"{tick:g}") for tick in _ticks(0, 1.05 * top)),
        tuple(areas),
    )


def scatter_chart(title: str, points: np.ndarray, labels: Sequence[str], titles: Sequence[str]) -> Scatter:
    """Points by label: the most frequent labels have marks of their own, the others one in common.

    Args:
        title: what the labels are.
        points: (S, 2) in [0, 1].
        labels: of each point, "" where not known.
        titles: what is said of each point.
    """
    names, counts = np.unique([label for label in labels if label], return_counts=True)
    kept = names[np.argsort(-counts, kind="stable")[: COLOURS * SHAPES]].tolist()
    kept.sort(key=lambda name: (len(name), name))  # numbers in their order
    number = {name: place for place, name in enumerate(kept)}
    scale = _scale(0, 1, _PADDING, _SQUARE - _PADDING)
    marks = [
        Mark(scale(x), scale(1 - y), number.get(label), said)
        for (x, y), label, said in zip(points.tolist(), labels, titles, strict=True)
    ]
    marks.sort(key=lambda mark: mark.category is not None)  # what has no category lies below
    legend = [Legend(name, place) for name, place in number.items()]
    others = len(names) - len(kept)
    if others or "" in labels:
        legend.append(Legend(f"{others} others" if others else "not known", None))
    return Scatter(title, tuple(marks), tuple(legend))


def _scale(low: float, high: float, start: float, stop: float) -> Callable[[float], float]:
    """Maps [low, high] to [start, stop], rounded to a tenth."""
    return lambda value: round(float(start + (value - low) / (high - low) * (stop - start)), 1)


def _ticks(low: float, high: float) -> list[float]:
    """Round numbers within [low, high]."""
    room = 1e-9 * (high - low)
    return [tick for tick in MaxNLocator(6, steps=[1, 2, 5, 10]).tick_values(low, high) if low - room <= tick <= high + room]


def _path(points: Sequence[tuple[float, float]]) -> str:
    return "M" + "L".join(f"{x} {y}" for x, y in points)
