"""``vreid search``: the images of a saved gallery that are nearest to each query.

Shape shorthand: Q queries, K ranks.
"""

from __future__ import annotations

import argparse
from typing import Any

from tabulate import tabulate
from torch import Tensor

from vreid_common.engine.commands.gallery_model import read_gallery_extraction
from vreid_common.engine.commands.images import named_images
from vreid_common.engine.extraction import add_extraction_arguments
from vreid_common.engine.placement import share_cores
from vreid_common.errors import InputError
from vreid_common.evaluation.commands.inputs import positive
from vreid_common.evaluation.commands.settings import by_step, read_settings
from vreid_common.files import check_writable, write_json
from vreid_common.gallery import Gallery, load_gallery
from vreid_common.reranking.pipeline import Pipeline, build_pipeline
from vreid_common.structures import NAMED_LABELS, FeatureSet, read_features
from vreid_common.versions import package_versions

__all__ = ["CANDIDATES", "add_search_arguments", "run_search"]

CANDIDATES = 100
"""How many images of a saved gallery are re-ranked, unless the user says."""


def add_search_arguments(parser: argparse.ArgumentParser) -> None:
    """Declares the arguments of ``vreid search``."""
    parser.add_argument("gallery", metavar="GALLERY", help="folder that `vreid gallery build` made")
    parser.add_argument("images", nargs="*", metavar="IMAGE", help="queries: images, or folders of them")
    parser.add_argument("--query", metavar="FILE", help="features of queries, in place of images")
    ranking = parser.add_argument_group("ranking")
    ranking.add_argument("--top", type=positive, default=10, metavar="K", help="matches of each query (default: %(default)s)")
    ranking.add_argument("--exact", action="store_true", help="compare with every image, although there is an index")
    ranking.add_argument(
        "--rerank", metavar="STEP,STEP,...", help="re-rank each query's nearest images by these steps, e.g. k_reciprocal"
    )
    ranking.add_argument("--set", nargs="+", default=[], metavar="STEP.NAME=VALUE", help="parameters of the steps")
    ranking.add_argument(
        "--candidates",
        type=positive,
        default=CANDIDATES,
        metavar="N",
        help="how many images --rerank looks at (default: %(default)s)",
    )
    ranking.add_argument("--json", metavar="FILE", help="write the matches")
    add_extraction_arguments(parser)


def run_search(args: argparse.Namespace) -> int:
    """Prints the matches of each query; returns 0.

    Raises:
        InputError: an argument, the gallery, an image or a model is not as it must be.
    """
    check_writable(args.json)
    if bool(args.query) == bool(args.images):
        raise InputError("Give queries: images, or their features by --query.")
    if args.set and not args.rerank:
        raise InputError("--set goes with --rerank.")
    share_cores(1)
    gallery = load_gallery(args.gallery, indexed=not args.exact)
    pipeline = _read_pipeline(args, gallery.metric)
    query = _read_query(args, gallery)
    indices, distances = gallery.search(query, args.top, pipeline, args.candidates, exact=args.exact)
    matches = [_matches(gallery, *row) for row in zip(indices, distances, strict=True)]
    for path, found in zip(query.paths, matches, strict=True):
        print(f"{path or 'query'}:")
        print(tabulate([_row(match) for match in found], headers=list(_COLUMNS), disable_numparse=True))
    if args.json:
        write_json(args.json, _record(args, gallery, pipeline, query, matches))
    return 0


def _read_pipeline(args: argparse.Namespace, metric: str) -> Pipeline | None:
    if not args.rerank:
        return None
    settings = {key: value for key, (value,) in read_settings("--set", args.set).items()}
    return build_pipeline([name.strip() for name in args.rerank.split(",")], metric, by_step(settings))


def _read_query(args: argparse.Namespace, gallery: Gallery) -> FeatureSet:
    if args.query:
        return read_features(args.query)
    items = named_images(args.images)
    return read_gallery_extraction(args, gallery.model).extract(items)


_COLUMNS = ("rank", "distance", "vehicle", "camera", "track", "image")


def _matches(gallery: Gallery, indices: Tensor, distances: Tensor) -> list[dict[str, Any]]:
    """The images of one query, nearest first, with their owner's names; what is not known is None."""
    images = gallery.images
    matches = []
    for rank, (row, distance) in enumerate(zip(indices[indices >= 0].tolist(), distances.tolist(), strict=False), start=1):
        labels = (images.name_of(label, row) for label in NAMED_LABELS)
        matches.append(dict(zip(_COLUMNS, (rank, distance, *labels, images.paths[row]), strict=True)))
    return matches


def _row(match: dict[str, Any]) -> list[str]:
    shown = {**match, "distance": f"{match['distance']:.4f}"}
    return ["-" if shown[column] is None else str(shown[column]) for column in _COLUMNS]


def _record(
    args: argparse.Namespace,
    gallery: Gallery,
    pipeline: Pipeline | None,
    query: FeatureSet,
    matches: list[list[dict[str, Any]]],
) -> dict[str, Any]:
    return {
        "gallery": args.gallery,
        "metric": gallery.metric,
        "index": "exact" if args.exact or gallery.index is None else gallery.index.kind,
        "re-ranking": pipeline.record if pipeline else [],
        "candidates": args.candidates if pipeline else None,
        "queries": [{"query": path, "matches": found} for path, found in zip(query.paths, matches, strict=True)],
        "versions": package_versions(),
    }
