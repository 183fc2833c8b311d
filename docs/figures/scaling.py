"""Draws docs/images/scaling.png: time and memory of re-ranking and evaluation against the number of images, from
benchmarks/results/.

python docs/figures/scaling.py
"""

from __future__ import annotations

import argparse
import json
from collections import defaultdict
from pathlib import Path
from statistics import median

import matplotlib as mpl

mpl.use("Agg")
from matplotlib import pyplot, ticker

ROOT = Path(__file__).parents[2]
RESULTS = ROOT / "benchmarks" / "results"
Points = dict[str, dict[int, list[tuple[float, float]]]]


def read_points(results: Path) -> dict[str, Points]:
    """Title of the comparison → name of a side → number of images → (seconds, MiB) of each record; more than one size each."""
    found: dict[str, Points] = defaultdict(lambda: defaultdict(lambda: defaultdict(list)))
    for path in sorted([*results.glob("evaluation-cpu.json"), *results.glob("reranking*-cpu.json")]):
        for record in json.loads(path.read_text(encoding="utf-8")):
            sizes = record["sizes"]
            images, work = sizes.get("N", sizes.get("gallery")), sizes["N" if record["unit"] == "images/s" else "queries"]
            for side in ("subject", "peer"):
                seconds = work / record[f"{side}_median"]
                found[record["name"]][record[side]][images].append((seconds, record[f"{side}_memory"]))
    return {title: sides for title, sides in found.items() if len(set().union(*sides.values())) > 1}


def draw(found: dict[str, Points], path: Path) -> None:
    """A row a comparison; seconds on the left, memory on the right, both axes logarithmic."""
    figure, axes = pyplot.subplots(len(found), 2, figsize=(12, 2.6 * len(found)), squeeze=False, layout="constrained")
    for row, (title, sides) in zip(axes, found.items(), strict=True):
        for quantity, (axis, label) in enumerate(zip(row, ("seconds", "MiB over the features"), strict=True)):
            for name, points in sides.items():
                images = sorted(points)
                values = [max(median(point[quantity] for point in points[n]), 1e-3) for n in images]
                axis.plot(images, values, marker="o", markersize=4, label=name)
            axis.set(xscale="log", yscale="log", ylabel=label, title=title)
            axis.xaxis.set_major_locator(ticker.FixedLocator(sorted(set().union(*sides.values()))))
            axis.xaxis.set_major_formatter(ticker.FuncFormatter(lambda images, _: f"{images / 1000:.0f}k"))
            axis.minorticks_off()
            axis.grid(alpha=0.3)
        row[1].legend(fontsize=7, loc="center left", bbox_to_anchor=(1.02, 0.5))
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path, dpi=90, facecolor="white")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--output", type=Path, default=ROOT / "docs" / "images" / "scaling.png")
    draw(read_points(RESULTS), parser.parse_args().output)


if __name__ == "__main__":
    main()
