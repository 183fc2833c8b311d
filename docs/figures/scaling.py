"""Draws docs/images/scaling.png: time and memory of re-ranking against the number of images, from benchmarks/results/.

python docs/figures/scaling.py
"""

from __future__ import annotations

import argparse
import json
from collections import defaultdict
from pathlib import Path

import matplotlib as mpl

mpl.use("Agg")
from matplotlib import pyplot

ROOT = Path(__file__).parents[2]
RESULTS = ROOT / "benchmarks" / "results"
Points = dict[str, dict[int, tuple[float, float]]]


def read_points(results: Path) -> dict[str, Points]:
    """Title of the comparison → name of a side → number of images → (seconds, MiB)."""
    found: dict[str, Points] = defaultdict(lambda: defaultdict(dict))
    for path in sorted(results.glob("reranking*-cpu.json")):
        for record in json.loads(path.read_text(encoding="utf-8")):
            images = record["sizes"]["N"]
            for side in ("subject", "peer"):
                seconds = images / record[f"{side}_median"]
                found[record["name"]][record[side]][images] = (seconds, record[f"{side}_memory"])
    return found


def draw(found: dict[str, Points], path: Path) -> None:
    """A row a comparison; seconds on the left, memory on the right, both axes logarithmic."""
    figure, axes = pyplot.subplots(len(found), 2, figsize=(9, 2.6 * len(found)), squeeze=False, layout="constrained")
    for row, (title, sides) in zip(axes, found.items(), strict=True):
        for quantity, (axis, label) in enumerate(zip(row, ("seconds", "MiB over the features"), strict=True)):
            for name, points in sides.items():
                images = sorted(points)
                axis.plot(images, [max(points[n][quantity], 1e-3) for n in images], marker="o", markersize=4, label=name)
            axis.set(xscale="log", yscale="log", ylabel=label, title=title)
            axis.set_xticks([1e4, 2e4, 5e4, 1e5, 2e5], ["10k", "20k", "50k", "100k", "200k"])
            axis.minorticks_off()
            axis.grid(alpha=0.3)
        row[0].legend(fontsize=7)
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path, dpi=90, facecolor="white")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--output", type=Path, default=ROOT / "docs" / "images" / "scaling.png")
    draw(read_points(RESULTS), parser.parse_args().output)


if __name__ == "__main__":
    main()
