"""Queries a second of exact evaluation: ours against FastReID's evaluator, a plain sort, and the bare product of the features.

From a matrix that exists, the peers are FastReID's evaluator and NumPy's argsort of each row. FastReID's is the compiled one if
``rank_cy``, built from FastReID's own rank_cylib, can be imported, as from a folder in PYTHONPATH; else its Python one on every
20th query. From features the peer is their product alone, block by block in float32, with nothing ranked. Features are seeded
and clustered (benchmarks/clustered.py), but not so well that every ranking is right.

    python benchmarks/evaluation.py                # 2,000 queries, a gallery of 67,332 and of 673,323 images
    python benchmarks/evaluation.py --quick        # 60 queries, 3,000 images: shows that it works, not how fast it is
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

import vreid_common  # noqa: F401 - before FastReID, which cannot be imported without it

# isort: split
import numpy as np
import torch
from clustered import clustered_features
from fastreid.evaluation.rank import evaluate_rank
from harness import QUICK, Record, Turns, build_parser, compare, save
from torch import Tensor

from vreid_common.evaluation import evaluate_ranking, tpr_at_fpr
from vreid_common.structures import FeatureRows

try:
    from rank_cy import evaluate_cy
except ImportError:
    evaluate_cy = None

DIMENSIONS = 256
NOISE = 1.5
CAMERAS = 20
BLOCK = 4096
"""Gallery images a product: as fast as any size here, and 32 MB of results."""


@dataclass(frozen=True)
class Problem:
    """Features (Q, D) and (G, D) and their labels."""

    query: Tensor
    gallery: Tensor
    labels: tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]

    def matrix(self) -> np.ndarray:
        return FeatureRows(self.query, self.gallery).rows(0, len(self.query)).numpy()


def make_problem(queries: int, images: int, device: str) -> Problem:
    features, pids = clustered_features(queries + images, DIMENSIONS, noise=NOISE)
    cameras = torch.randint(CAMERAS, (queries + images,), generator=torch.Generator().manual_seed(1))
    parts = [label.numpy() for column in (pids, cameras) for label in column.split((queries, images))]
    query, gallery = features.to(device).split((queries, images))
    return Problem(query, gallery, (parts[0], parts[1], parts[2], parts[3]))


def from_features(turns: Turns, queries: int, images: int, device: str, work: Callable[[Problem], object]) -> None:
    problem = make_problem(queries, images, device)
    warm_up = partial(work, make_problem(64, 2048, device))
    warm_up()  # compiles, and starts threads
    while True:
        turns.take(queries, partial(work, problem), warm_up)


def from_matrix(turns: Turns, queries: int, images: int, step: int, work: Callable[..., object]) -> None:
    """``work`` on every ``step``-th query."""
    problem = make_problem(queries, images, "cpu")
    matrix = np.ascontiguousarray(problem.matrix()[::step])
    query_pids, gallery_pids, query_camids, gallery_camids = problem.labels
    arguments = matrix, query_pids[::step], gallery_pids, query_camids[::step], gallery_camids
    small = make_problem(64, 2048, "cpu")
    warm_up = partial(work, small.matrix(), *small.labels)
    warm_up()
    del problem, small
    while True:
        turns.take(len(matrix), partial(work, *arguments), warm_up)


def rank(problem: Problem) -> None:
    evaluate_ranking(FeatureRows(problem.query, problem.gallery), *problem.labels)


def verify(problem: Problem) -> None:
    tpr_at_fpr(FeatureRows(problem.query, problem.gallery), *problem.labels)


def product(problem: Problem) -> None:
    out = problem.query.new_empty(len(problem.query), BLOCK)
    for block in problem.gallery.split(BLOCK):
        torch.mm(problem.query, block.T, out=out[:, : len(block)])


def compiled_fastreid(matrix: np.ndarray, *labels: np.ndarray) -> object:
    return evaluate_cy(matrix, *labels, 50)


def python_fastreid(matrix: np.ndarray, *labels: np.ndarray) -> object:
    return evaluate_rank(matrix, *labels, use_cython=False)


def plain_sort(
    matrix: np.ndarray, query_pids: np.ndarray, gallery_pids: np.ndarray, query_camids: np.ndarray, gallery_camids: np.ndarray
) -> tuple[float, np.ndarray, float]:
    """mAP, CMC to rank 50 and mINP the way that they are defined: a stable sort of each row."""
    ap, first_hits, inp = [], [], []
    for row, pid, camid in zip(matrix, query_pids, query_camids, strict=True):
        order = np.argsort(row, kind="stable")
        match = gallery_pids[order] == pid
        ranks = np.flatnonzero(match[~(match & (gallery_camids[order] == camid))]) + 1
        if len(ranks):
            ap.append(np.mean(np.arange(1, len(ranks) + 1) / ranks))
            inp.append(len(ranks) / ranks[-1])
            first_hits.append(ranks[0])
    return float(np.mean(ap)), np.mean(np.array(first_hits)[:, None] <= np.arange(1, 51), axis=0), float(np.mean(inp))


def main() -> None:
    args = build_parser(__doc__.splitlines()[0]).parse_args()
    queries, small, large = (60, 3_000, 3_000) if args.quick else (2_000, 67_332, 673_323)
    common = {"unit": "queries/s", "device": args.device} | (QUICK if args.quick else {})

    def matrix(peer: str, work: Callable[..., object], step: int = 1) -> Record:
        sides = [("evaluate_ranking of a matrix", evaluate_ranking, 1), (peer, work, step)]
        subject, other = (
            (name, partial(from_matrix, queries=queries, images=small, step=step, work=function))
            for name, function, step in sides
        )
        return compare("mAP, CMC, mINP", subject, other, sizes={"queries": queries, "gallery": small}, **common)

    def features(title: str, images: int, called: str, work: Callable[[Problem], object]) -> Record:
        subject, other = (
            (name, partial(from_features, queries=queries, images=images, device=args.device, work=function))
            for name, function in ((f"{called} of features", work), ("their product alone", product))
        )
        return compare(title, subject, other, sizes={"queries": queries, "gallery": images, "D": DIMENSIONS}, **common)

    records = []
    if args.device == "cpu":
        if evaluate_cy is None:
            records.append(matrix("FastReID's Python evaluator, every 20th query", python_fastreid, step=20))
        else:
            records.append(matrix("FastReID's compiled evaluator", compiled_fastreid))
    records.append(features("mAP, CMC, mINP", large, "evaluate_ranking", rank))
    if args.quick:
        return
    records.append(features("mAP, CMC, mINP", small, "evaluate_ranking", rank))
    records.append(features("TPR at FPR", large, "tpr_at_fpr", verify))
    if args.device == "cpu":
        records.append(matrix("NumPy, a stable sort of each row", plain_sort))
    save(f"evaluation-{args.device}", records)


if __name__ == "__main__":
    main()
