"""``vreid compare``: how alike two images are, or those of two folders.

Shape shorthand: A images on the first side, B on the second.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from typing import Any

from tabulate import tabulate

from vreid_common.engine.commands.images import named_images
from vreid_common.engine.extraction import add_extraction_arguments, read_extraction
from vreid_common.engine.placement import share_cores
from vreid_common.evaluation.commands.inputs import positive
from vreid_common.files import check_writable, write_json
from vreid_common.structures import METRICS, FeatureRows, FeatureSet
from vreid_common.versions import package_versions

__all__ = ["add_compare_arguments", "run_compare"]

_UNITS = {"cosine": "cosine distance", "euclidean": "squared Euclidean distance", "dot": "negative inner product"}


_NO_VERDICT = (
    "These say how alike the model finds the images, not whether they show one vehicle: compare with pairs that you know, or "
    "with the distances in a report of the model (vreid report)."
)


def add_compare_arguments(parser: argparse.ArgumentParser) -> None:
    """Declares the arguments of ``vreid compare``."""
    parser.add_argument("first", help="an image, or a folder of images")
    parser.add_argument("second", help="an image or folder that each image of the first is compared with")
    add_extraction_arguments(parser)
    output = parser.add_argument_group("output")
    output.add_argument("--metric", choices=METRICS, help="what the distance is (default: TEST.METRIC)")
    output.add_argument("--top", type=positive, metavar="K", help="only the K nearest of each first image (default: all)")
    output.add_argument("--json", metavar="FILE", help="write the pairs, with cosines and distances")


def run_compare(args: argparse.Namespace) -> int:
    """Prints cosine and distance of each pair, those of one first image by distance; returns 0.

    Raises:
        InputError: an argument, an image or a model is not as it must be.
    """
    check_writable(args.json)
    share_cores(1)
    sides = [named_images([side]) for side in (args.first, args.second)]
    extraction = read_extraction(args)
    metric = args.metric or extraction.cfg.TEST.METRIC
    features = extraction.extract([*sides[0], *sides[1]])
    first, second = features.select(slice(0, len(sides[0]))), features.select(slice(len(sides[0]), None))
    pairs = list(_pairs(first, second, metric, args.top or len(second)))
    if len(pairs) == 1 and not args.top:
        print(f"cosine similarity {pairs[0]['cosine']:.4f}, {_UNITS[metric]} {pairs[0]['distance']:.4f}")
        print(_NO_VERDICT)
    else:
        rows = [[pair["first"], pair["second"], f"{pair['cosine']:.4f}", f"{pair['distance']:.4f}"] for pair in pairs]
        print(tabulate(rows, headers=["first", "second", "cosine similarity", _UNITS[metric]], disable_numparse=True))
    if args.json:
        models = [model.origin() for model in extraction.models]
        write_json(args.json, {"metric": metric, "pairs": pairs, "models": models, "versions": package_versions()})
    return 0


def _pairs(first: FeatureSet, second: FeatureSet, metric: str, top: int) -> Iterator[dict[str, Any]]:
    """The ``top`` nearest second images of each first one, ties in their order."""
    distances = FeatureRows(first.features, second.features, metric)
    angles = FeatureRows(first.features, second.features, "cosine")
    for row, path in enumerate(first.paths):
        distance, cosine = distances.rows(row, row + 1)[0], 1 - angles.rows(row, row + 1)[0]
        for column in distance.argsort(stable=True)[:top].tolist():
            yield {
                "first": path,
                "second": second.paths[column],
                "cosine": float(cosine[column]),
                "distance": float(distance[column]),
            }
