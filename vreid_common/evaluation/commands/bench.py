"""``vreid bench``: how long evaluation and re-ranking take here, for sizes of one's own, beside FastReID's functions.

The project's own tables (docs/benchmarks.md) come from benchmarks/, with more care and more peers.

Shape shorthand: Q queries, G gallery images, D feature dimensions.
"""

from __future__ import annotations

import argparse
import statistics
import time
from collections.abc import Callable
from functools import partial

import numpy as np
import torch
from fastreid.evaluation.rank import evaluate_rank
from fastreid.evaluation.rerank import re_ranking
from fastreid.utils.compute_dist import compute_cosine_distance, compute_euclidean_distance
from tabulate import tabulate
from torch.nn.functional import normalize
from tqdm import tqdm

from vreid_common.errors import InputError
from vreid_common.evaluation.commands.inputs import positive, read_device
from vreid_common.evaluation.metrics import evaluate_ranking
from vreid_common.files import check_writable, write_json
from vreid_common.reranking.k_reciprocal import k_reciprocal
from vreid_common.structures import UNKNOWN, FeatureRows, FeatureSet, read_features
from vreid_common.versions import package_versions

__all__ = ["add_bench_arguments", "run_bench"]

_IMAGES_A_VEHICLE = 60
_CAMERAS = 20
_PEER_LIMIT = 10_000
"""Images up to which FastReID's re-ranking is run, which then takes 2.3 GB; four times as much for twice as many."""

Work = Callable[[], object]


def add_bench_arguments(parser: argparse.ArgumentParser) -> None:
    """Declares the arguments of ``vreid bench``."""
    sizes = parser.add_argument_group("features", "Random ones of given sizes, or those of files.")
    sizes.add_argument("--gallery-images", type=positive, default=4500, metavar="G", help="(default: %(default)s)")
    sizes.add_argument("--queries", type=positive, default=500, metavar="Q", help="(default: %(default)s)")
    sizes.add_argument("--dimensions", type=positive, default=512, metavar="D", help="(default: %(default)s)")
    sizes.add_argument("--query", metavar="FILE", help="features of queries, with --gallery")
    sizes.add_argument("--gallery", metavar="FILE", help="features of a gallery, with --query")
    parser.add_argument("--device", default="cpu", help="where ours computes, e.g. cuda (default: %(default)s)")
    parser.add_argument("--k1", type=positive, default=20, help="of k-reciprocal re-ranking (default: %(default)s)")
    parser.add_argument("--k2", type=positive, default=6, help="of k-reciprocal re-ranking (default: %(default)s)")
    parser.add_argument("--repeats", type=positive, default=3, metavar="N", help="runs of each (default: %(default)s)")
    parser.add_argument("--alone", action="store_true", help="leave FastReID's functions out, which take much longer")
    parser.add_argument("--json", metavar="FILE", help="write the seconds of every run")


def run_bench(args: argparse.Namespace) -> int:
    """Prints the median seconds of each function of ours and of FastReID's, and their ratio; returns 0.

    Raises:
        InputError: an argument or a file is not as it must be.
    """
    check_writable(args.json)
    query, gallery = _features(args)
    records = []
    for what, ours, theirs in _contests(query, gallery, args):
        ours()  # compiles, and starts threads
        seconds: dict[str, list[float]] = {"ours": [], "fastreid": []}
        for _ in tqdm(range(args.repeats), desc=what, unit="run", leave=False):
            seconds["ours"].append(_seconds(ours))
            if theirs is not None:
                seconds["fastreid"].append(_seconds(theirs))
        records.append({"what": what, **seconds})
    sizes = {"queries": len(query), "gallery": len(gallery), "dimensions": query.features.shape[1]}
    print(", ".join(f"{name} {value}" for name, value in sizes.items()) + f", {args.device}, {torch.get_num_threads()} threads")
    print(tabulate([_row(record) for record in records], headers=["what", "ours, s", "FastReID, s", "ratio"]))
    if args.json:
        write_json(args.json, {**sizes, "device": args.device, "seconds": records, "versions": package_versions()})
    return 0


def _features(args: argparse.Namespace) -> tuple[FeatureSet, FeatureSet]:
    if bool(args.query) != bool(args.gallery):
        raise InputError("--query and --gallery go together.")
    if args.query:
        query, gallery = read_features(args.query), read_features(args.gallery)
        if query.features.shape[1] != gallery.features.shape[1] or not (len(query) and len(gallery)):
            raise InputError(f"{args.query} and {args.gallery} have features of different sizes, or no images.")
    else:
        query, gallery = _random_features(args.queries, args.gallery_images, args.dimensions)
    device = read_device(args.device)
    return query.to(device), gallery.to(device)


def _random_features(queries: int, images: int, dimensions: int) -> tuple[FeatureSet, FeatureSet]:
    """Groups of about 60 images of a vehicle, with cosines of about 0.5 within a vehicle."""
    generator = torch.Generator().manual_seed(0)
    pids = torch.randint(max(2, images // _IMAGES_A_VEHICLE), (queries + images,), generator=generator)
    centers = torch.randn(int(pids.max()) + 1, dimensions, generator=generator)
    features = normalize(centers[pids] + torch.randn(len(pids), dimensions, generator=generator), dim=1)
    every = FeatureSet.create(features, pids, torch.randint(_CAMERAS, (len(pids),), generator=generator))
    return every.select(slice(0, queries)), every.select(slice(queries, None))


def _contests(query: FeatureSet, gallery: FeatureSet, args: argparse.Namespace) -> list[tuple[str, Work, Work | None]]:
    """What is timed: its name, ours, and FastReID's where it can be run."""
    labels = [images.numpy() for images in (query.pids, gallery.pids, query.camids, gallery.camids)]
    fits = not args.alone and len(query) + len(gallery) <= _PEER_LIMIT
    on_host = query.features.cpu(), gallery.features.cpu()
    parameters = args.k1, args.k2, 0.3
    evaluation = (
        "evaluation",
        lambda: evaluate_ranking(FeatureRows(query.features, gallery.features), *labels),
        None if args.alone else partial(_fastreid_evaluation, *on_host, labels),
    )
    reranking = (
        f"k-reciprocal {args.k1}/{args.k2}",
        lambda: k_reciprocal(query.features, gallery.features, *parameters).cpu(),
        partial(_fastreid_reranking, *on_host, parameters) if fits else None,
    )
    with_matches = bool(torch.isin(query.pids[query.pids != UNKNOWN], gallery.pids).any())
    return [evaluation, reranking] if with_matches else [reranking]


def _fastreid_evaluation(query: torch.Tensor, gallery: torch.Tensor, labels: list[np.ndarray]) -> object:
    return evaluate_rank(compute_cosine_distance(query, gallery), *labels, use_cython=False)


def _fastreid_reranking(query: torch.Tensor, gallery: torch.Tensor, parameters: tuple[int, int, float]) -> object:
    """It squares the distances that it gets, so it is given their roots."""
    pairs = ((query, gallery), (query, query), (gallery, gallery))
    return re_ranking(*(np.sqrt(np.maximum(compute_euclidean_distance(*pair), 0)) for pair in pairs), *parameters)


def _seconds(work: Work) -> float:
    started = time.perf_counter()
    work()
    return time.perf_counter() - started


def _row(record: dict[str, object]) -> list[object]:
    ours, theirs = (statistics.median(record[side]) if record[side] else None for side in ("ours", "fastreid"))
    return [record["what"], f"{ours:.3f}", *(["-", "-"] if theirs is None else [f"{theirs:.3f}", f"{theirs / ours:.1f}"])]
